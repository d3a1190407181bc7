#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Delete of manifests, tags and blobs, and what it leaves alone.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n");
my $m1 = image_of(OCI_MANIFEST, '{"n":1}', 'layer');
my $m2 = image_of(DOCKER_MANIFEST, '{"n":2}', 'layer');
my ($d1, $d2) = map { sha256($_) } $m1, $m2;
for my $repo ('d/app', 'd/twin') {
	$s->push_blob($repo, $_) for '{"n":1}', '{"n":2}', 'layer';
}

sub put { my ($repo, $tag, $text) = @_; my ($type) = $text =~ /"mediaType":"([^"]*)"/; return patient { $s->req('PUT', "/v2/$repo/manifests/$tag", headers => ['Content-Type' => $type], body => $text) }->status }
sub tags { my ($repo) = @_; return $s->req('GET', "/v2/$repo/tags/list")->body }
sub deleted_ok {
	my ($p, $title) = @_;
	my $r = $s->req('DELETE', $p);
	is $r->status, 202, "$title: 202" or diag $r->body;
	is $r->body, '', "$title: no body";
	is common_fault($r), '', "$title: the common headers";
	is leftovers($s), '', "$title: nothing is left in body, tmp and trash";
	return;
}

put('d/app', $_, $m1) for 'one', 'uno', 'eins', $d1;
put('d/app', $_, $m2) for 'two', 'zwei';
put('d/twin', 'one', $m1);
put('d/app', 'moved', $m1);
put('d/app', 'moved', $m2);
is tags('d/app'), qq({"name":"d/app","tags":["eins","moved","one","two","uno","zwei"]}\n), 'six tags are there';

# by tag
deleted_ok('/v2/d/app/manifests/uno', 'delete by tag');
is tags('d/app'), qq({"name":"d/app","tags":["eins","moved","one","two","zwei"]}\n), 'delete by tag takes that tag alone';
error_is $s->req('GET', '/v2/d/app/manifests/uno'), 404, 'MANIFEST_UNKNOWN', 'the tag is gone';
is $s->req('GET', "/v2/d/app/manifests/$d1")->body, $m1, 'the manifest is there by digest';
is $s->req('GET', '/v2/d/app/manifests/one')->body, $m1, 'and by its other tags';
ok !-e tag_link($s, 'd/app', 'uno'), "the tag's link is gone from the disk";
error_is $s->req('DELETE', '/v2/d/app/manifests/uno'), 404, 'MANIFEST_UNKNOWN', 'a second delete by tag is 404 MANIFEST_UNKNOWN';

# by digest
deleted_ok("/v2/d/app/manifests/$d1", 'delete by digest');
is tags('d/app'), qq({"name":"d/app","tags":["moved","two","zwei"]}\n), 'delete by digest takes all its tags and no other';
for my $ref ('one', 'eins', $d1) {
	error_is $s->req('GET', "/v2/d/app/manifests/$ref"), 404, 'MANIFEST_UNKNOWN', 'it is gone by ' . substr $ref, 0, 8;
	is $s->req('HEAD', "/v2/d/app/manifests/$ref")->status, 404, 'HEAD finds it no more by ' . substr $ref, 0, 8;
}
is $s->req('GET', '/v2/d/app/manifests/moved')->body, $m2, 'a tag that had it before stays with what it has now';
ok !-e revision_link($s, 'd/app', $d1), "the revision's link is gone from the disk";
ok !-e data_dir($s) . "/repositories/d/app/_manifests/tags/$_", "the directory of tag $_ is gone from the disk" for 'one', 'eins';
is $s->req('GET', '/v2/d/twin/manifests/one')->body, $m1, 'the same manifest in another repository stays, with its tag';
ok -e blob_file($s, $d1), 'the bytes stay for the garbage collection';
is $s->req('GET', '/v2/d/app/blobs/' . sha256('layer'))->body, 'layer', 'the layers stay';
error_is $s->req('DELETE', "/v2/d/app/manifests/$d1"), 404, 'MANIFEST_UNKNOWN', 'a second delete by digest is 404 MANIFEST_UNKNOWN';
deleted_ok("/v2/d/app/manifests/$d2", 'delete of the other');
is tags('d/app'), qq({"name":"d/app","tags":null}\n), 'without any tag the list is null';
is $s->req('GET', '/v2/_catalog')->body, qq({"repositories":["d/app","d/twin"]}\n), 'the repository stays in the catalog';

# unknown
my $before = $s->tree_digest;
for my $c (['an unknown tag', 'd/app/manifests/none'], ['an unknown digest', 'd/app/manifests/' . sha256('none')], ['a tag in an unknown repository', 'd/none/manifests/one'],
	['a digest in an unknown repository', "d/none/manifests/$d1"], ['a tag that is no tag', 'd/app/manifests/-x'], ['a tag that is too long', 'd/app/manifests/' . 'a' x 129],
	['a layer as a manifest', 'd/app/manifests/' . sha256('layer')]) {
	error_is $s->req('DELETE', "/v2/$c->[1]"), 404, 'MANIFEST_UNKNOWN', "DELETE of $c->[0] is 404 MANIFEST_UNKNOWN";
}
error_is $s->req('DELETE', '/v2/d/app/manifests/sha256:abc'), 400, 'DIGEST_INVALID', 'DELETE by a bad digest is 400 DIGEST_INVALID';
is $s->tree_digest, $before, 'none of these changes anything on disk';

# pushed again
is put('d/app', 'one', $m1), 201, 'a deleted manifest is pushed again';
is tags('d/app'), qq({"name":"d/app","tags":["one"]}\n), 'and has the tag that it was pushed with, not its old ones';
is $s->req('GET', '/v2/d/app/manifests/one')->body, $m1, 'and is served';
for my $round (1 .. 3) {
	deleted_ok("/v2/d/app/manifests/$d1", "delete, round $round");
	is put('d/app', "round$round", $m1), 201, "push again, round $round";
	is tags('d/app'), qq({"name":"d/app","tags":["round$round"]}\n), "the tags after round $round";
}
deleted_ok('/v2/d/app/manifests/round3', 'delete of the last tag');
is $s->req('GET', "/v2/d/app/manifests/$d1")->body, $m1, 'the manifest is there without any tag';
is tags('d/app'), qq({"name":"d/app","tags":null}\n), 'and the list is null';
is put('d/app', 'round3', $m1), 201, 'a deleted tag is pushed again';
is $s->req('GET', '/v2/d/app/manifests/round3')->body, $m1, 'and is there';

# many tags
$s->push_blob('d/many', $_) for '{"n":1}', '{"n":2}', 'layer';
my @done = run_parallel(4, sub { my ($i) = @_; return scalar grep { put('d/many', "t$i-$_", $m1) == 201 } 1 .. 75 });
is "@done", '75 75 75 75', 'three hundred tags are set';
put('d/many', 'keep', $m2);
deleted_ok("/v2/d/many/manifests/$d1", 'delete of a manifest with three hundred tags');
is tags('d/many'), qq({"name":"d/many","tags":["keep"]}\n), 'takes them all, and leaves the other';

# an index and its child
my $index = index_of(OCI_INDEX, desc(OCI_MANIFEST, $m1));
put('d/app', 'idx', $index);
deleted_ok("/v2/d/app/manifests/$d1", 'delete of a child');
is $s->req('GET', '/v2/d/app/manifests/idx')->body, $index, 'the index stays';
deleted_ok('/v2/d/app/manifests/' . sha256($index), 'delete of an index');
is put('d/app', 'idx', $index), 400, 'the index is refused while its child is missing';

# tags that another registry made
$s->stop_workers;
lay_blob($s, 'd/old', $_) for '{"n":1}', 'layer';
lay_manifest($s, 'd/old', $m1, map { "old$_" } 1 .. 20);
lay_manifest($s, 'd/old', $m2, 'stays');
unlink tag_index_link($s, 'd/old', 'old7', $d1);
$s->start_workers;
deleted_ok("/v2/d/old/manifests/$d1", 'delete of a manifest that another registry tagged');
is tags('d/old'), qq({"name":"d/old","tags":["stays"]}\n), 'takes all its tags';

# blobs
my $layer = sha256('layer');
deleted_ok("/v2/d/app/blobs/$layer", 'delete of a blob');
error_is $s->req('GET', "/v2/d/app/blobs/$layer"), 404, 'BLOB_UNKNOWN', 'it is gone from the repository';
is $s->req('GET', "/v2/d/twin/blobs/$layer")->body, 'layer', 'another repository has it still';
is content_of(blob_file($s, $layer)), 'layer', 'the bytes stay for the garbage collection';
error_is $s->req('DELETE', "/v2/d/app/blobs/$layer"), 404, 'BLOB_UNKNOWN', 'a second delete is 404 BLOB_UNKNOWN';
is put('d/app', 'again', $m1), 400, 'a manifest that names it is refused';
is $s->push_blob('d/app', 'layer'), $layer, 'it is pushed again';
is put('d/app', 'again', $m1), 201, 'and the manifest is taken';
$before = $s->tree_digest;
for my $c (['an unknown blob', 'd/app/blobs/' . sha256('none')], ['a blob of an unknown repository', "d/none/blobs/$layer"], ['a blob of the repository above', "d/blobs/$layer"],
	['an unknown sha512 blob', 'd/app/blobs/sha512:' . 'a' x 128]) {
	error_is $s->req('DELETE', "/v2/$c->[1]"), 404, 'BLOB_UNKNOWN', "DELETE of $c->[0] is 404 BLOB_UNKNOWN";
}
for my $bad ('sha256:abc', 'sha256:' . 'A' x 64, 'md5:' . 'a' x 32, 'sha512:' . 'a' x 127) {
	error_is $s->req('DELETE', "/v2/d/app/blobs/$bad"), 400, 'DIGEST_INVALID', 'DELETE of blob ' . substr($bad, 0, 20) . ' is 400 DIGEST_INVALID';
}
is $s->tree_digest, $before, 'none of these changes anything on disk';

# while others push
my @r = run_parallel(6, sub {
	my ($i) = @_;
	my %seen;
	for my $n (1 .. 25) {
		my $st = $i < 3 ? put('d/race', "t$i", $m2) : patient { $s->req('DELETE', "/v2/d/race/manifests/$d2") }->status;
		$seen{$st}++;
		next if $i >= 3;
		$s->push_blob('d/race', $_) for $n == 1 ? ('{"n":2}', 'layer') : ();
	}
	return join ' ', sort keys %seen;
});
ok !(grep { /5\d\d/ } @r), 'push and delete of one manifest at once give no 5xx' or diag join ', ', @r;
my $list = $s->req('GET', '/v2/d/race/tags/list')->json->{tags} // [];
is_deeply [grep { $s->req('GET', "/v2/d/race/manifests/$_")->status != 200 } @$list], [], 'and no tag is left that points to nothing';
is leftovers($s), '', 'nothing is left in body, tmp and trash';

done_testing;
