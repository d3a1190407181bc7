#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# PUT of a manifest by digest with tags as parameters.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n");
$s->push_blob('tp/app', '{}');
sub text { my ($n) = @_; return image_of(OCI_MANIFEST, '{}') =~ s/\}\z/,"annotations":{"n":"$n"}}/r }
sub put { my ($ref, $text, %o) = @_; return $s->req('PUT', "/v2/tp/app/manifests/$ref", headers => ['Content-Type' => $o{type} // OCI_MANIFEST, @{ $o{headers} // [] }], body => $text, $o{chunked} ? (chunked => 1) : ()) }
sub points_to { my ($tag) = @_; return $s->req('HEAD', "/v2/tp/app/manifests/$tag")->header('Docker-Content-Digest') // 'nothing' }
sub tags { return $s->req('GET', '/v2/tp/app/tags/list')->json->{tags} }
my $n = 0;

# some
for my $hash (\&sha256, \&sha512) {
	my $text = text($n++);
	my $d = $hash->($text);
	my ($alg) = split /:/, $d;
	my $r = put("$d?tag=$alg-a&tag=$alg-b&ns=docker.io&tag=$alg-c", $text);
	is $r->status, 201, "a push by $alg with three tags is 201" or diag $r->body;
	is_deeply [$r->headers('OCI-Tag')], ["$alg-a", "$alg-b", "$alg-c"], "each tag has an OCI-Tag ($alg)";
	headers_are $r, { 'Docker-Content-Digest' => $d, Location => "/v2/tp/app/manifests/$d", 'OCI-Subject' => undef }, "Location and digest are those of the push ($alg)";
	for my $t (map { "$alg-$_" } 'a', 'b', 'c') {
		is points_to($t), $d, "tag $t points to it";
		is content_of(tag_link($s, 'tp/app', $t)), $d, "tag $t is on disk";
		is content_of(tag_index_link($s, 'tp/app', $t, $d)), $d, "tag $t has it in its index";
	}
}
is_deeply tags(), [map { ("$_-a", "$_-b", "$_-c") } 'sha256', 'sha512'], 'all are listed';

# none
my $text = text($n++);
my $r = put(sha256($text), $text);
is_deeply [$r->headers('OCI-Tag')], [], 'without the parameter there is no OCI-Tag';

# 64 of the longest, in and out, at once
my @long = map { sprintf('%02d', $_) . 'x' x 126 } 0 .. 63;
for my $chunked (0, 1) {
	$text = text($n++);
	my $d = sha256($text);
	$r = put("$d?" . join('&', map { "tag=$_" } @long), $text, chunked => $chunked);
	is $r->status, 201, 'sixty-four tags of 128 bytes are taken' . ($chunked ? ', chunked' : '') or diag $r->body;
	is_deeply [$r->headers('OCI-Tag')], \@long, 'and all are named';
	is_deeply [map { points_to($_) } @long], [($d) x 64], 'and all point to the manifest when the 201 is here';
}
is_deeply [grep { /x{126}/ } @{ tags() }], \@long, 'and all are listed once';

# too many
$text = text($n++);
my $before = $s->tree_digest;
error_is put(sha256($text) . '?' . join('&', map { "tag=t$_" } 1 .. 65), $text), 414, undef, 'sixty-five tags are 414';
error_is put(sha256($text) . '?' . join('&', map { "tag=t$_" } 1 .. 1000), $text), 414, undef, 'a thousand tags are 414';
is $s->tree_digest, $before, 'too many tags change nothing on disk';
error_is $s->req('GET', '/v2/tp/app/manifests/' . sha256($text)), 404, 'MANIFEST_UNKNOWN', 'and the manifest is not stored';
$r = put(sha256($text) . '?' . join('&', map { "tag=t$_&tag=t$_" } 1 .. 64), $text);
is $r->status, 201, 'sixty-four tags, each given twice, are taken: duplicates count once';
is_deeply [$r->headers('OCI-Tag')], [map { "t$_" } 1 .. 64], 'and each is named once';
$r = put(sha256($text) . '?' . join('&', ('tag=same') x 200), $text);
is_deeply [$r->status, $r->headers('OCI-Tag')], [201, 'same'], 'one tag given two hundred times is one tag';

# invalid ones, wherever they stand
$text = text($n++);
$before = $s->tree_digest;
for my $bad ('', '-a', '.a', 'a' x 129, 'a%2Fb', 'a+b', 'a%20b', '%C3%A9', 'a%00', 'a:b', '..', 'a%0A', sha256('x'), '%zz') {
	for my $q ("tag=$bad", "tag=good&tag=$bad", "tag=$bad&tag=good", "tag=good&tag=$bad&tag=other") {
		my $short = substr $q, 0, 40;
		error_is put(sha256($text) . "?$q", $text), 400, 'TAG_INVALID', "$short (" . length($q) . ' bytes) is 400 TAG_INVALID';
	}
}
error_is put(sha256($text) . '?tag', $text), 400, 'TAG_INVALID', 'a parameter without a value is 400 TAG_INVALID';
is $s->tree_digest, $before, 'none of these changes anything on disk';
error_is $s->req('GET', '/v2/tp/app/manifests/good'), 404, 'MANIFEST_UNKNOWN', 'no valid tag beside an invalid one is set';
error_is $s->req('GET', '/v2/tp/app/manifests/' . sha256($text)), 404, 'MANIFEST_UNKNOWN', 'and the manifest is not stored';
is put(sha256($text) . '?Tag=-&tags=-&tagx=-', $text)->status, 201, 'other parameters are not tags';

# a manifest that is refused sets none
$text = '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . desc(OCI_CONFIG, 'missing') . ',"layers":[]}';
error_is put(sha256($text) . '?tag=refused', $text), 400, 'MANIFEST_BLOB_UNKNOWN', 'a manifest without its config is refused with tags too';
error_is put(sha256('other') . '?tag=refused', text(0)), 400, 'DIGEST_INVALID', 'a wrong digest is refused with tags too';
is points_to('refused'), 'nothing', 'and the tag is not set';

# by tag the parameter is ignored
$text = text($n++);
$r = put('by-tag?tag=ignored&tag=-bad', $text);
is $r->status, 201, 'a push by tag ignores the parameter, even a bad one';
is_deeply [$r->headers('OCI-Tag')], [], 'and has no OCI-Tag';
is points_to('ignored'), 'nothing', 'and sets no other tag';
is points_to('by-tag'), sha256($text), 'but its own';

# moves tags that exist
$text = text($n++);
my $d = sha256($text);
my $old = points_to('by-tag');
$r = put("$d?tag=by-tag&tag=fresh&tag=t1", $text);
is $r->status, 201, 'tags that exist are moved';
is_deeply [map { points_to($_) } 'by-tag', 'fresh', 't1'], [$d, $d, $d], 'beside one that is new';
isnt points_to('t2'), $d, 'those that are not named stay';
is $s->req('GET', "/v2/tp/app/manifests/$old")->status, 200, 'what they pointed to is still there by digest';
is_deeply [grep { $_ eq 'by-tag' } @{ tags() }], ['by-tag'], 'a tag that was moved is listed once';
is $s->req('DELETE', "/v2/tp/app/manifests/$d")->status, 202, 'the manifest is deleted';
is_deeply [map { points_to($_) } 'by-tag', 'fresh', 't1'], [('nothing') x 3], 'with all tags that it got by parameter';
is $s->req('GET', "/v2/tp/app/manifests/$old")->status, 200, 'and nothing else';

# with a subject, both headers
$text = image_of(OCI_MANIFEST, '{}') =~ s/\}\z/',"subject":' . desc(OCI_MANIFEST, 'subject') . '}'/er;
$r = put(sha256($text) . '?tag=with-subject', $text);
headers_are $r, { 'OCI-Subject' => sha256('subject'), 'OCI-Tag' => 'with-subject' }, 'a push with a subject and a tag says both';

# an index, and a Docker manifest
$text = index_of(OCI_INDEX);
is_deeply [put(sha256($text) . '?tag=i1&tag=i2', $text, type => OCI_INDEX)->headers('OCI-Tag')], ['i1', 'i2'], 'an index is tagged by parameter';
$text = image_of(DOCKER_MANIFEST, '{}');
is_deeply [put(sha256($text) . '?tag=d1', $text, type => DOCKER_MANIFEST . '; charset=utf-8')->headers('OCI-Tag')], ['d1'], 'a Docker manifest too, with a parameter after its type';
is $s->req('HEAD', '/v2/tp/app/manifests/d1')->header('Content-Type'), DOCKER_MANIFEST, 'which comes back without the parameter';
is leftovers($s), '', 'nothing is left in body, tmp and trash';

done_testing;
