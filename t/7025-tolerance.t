#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What crashes, other registries and people leave in a store, made by hand: none of it gives a 500, hides anything else,
# or stops the collector, which takes no content that counts because of it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Find ();
use File::Path qw(make_path);
use Berth::Test;
use Berth::Check;
use Berth::Content;

my $b = Berth::Server->start(config => "delete = true;\n");
my $c = Berth::Content->new;
my $data = data_dir($b);
my $repos = "$data/repositories";
my ($x, $y, $z) = map { substr sha256($_), 7 } 'x', 'y', 'z';

# --- what is good, as berth writes it

for my $repo ('app', 'app/below', 'zoo') {
	my $image = $c->image($b, $repo, 'v1');
	my $child = $c->image($b, $repo, undef);
	$c->index($b, $repo, 'multi', OCI_INDEX, $child, $image);
	$c->image($b, $repo, undef, subject => $image, artifactType => 'application/x.sbom');
	$c->image($b, $repo, 'long', alg => 'sha512');
}
my $moved = $c->image($b, 'app', 'moved');
my $upload = $c->begin($b, 'app', 'begun');
is $c->faults($b), '', 'what is good is served before there is anything else';
my %good_tags = %{ $c->repo('app')->{tags} };
my $v1 = $good_tags{v1};
$b->stop_workers;

# --- leftovers: [what it is, how it is made, what is asked of it and is 404]

sub file { my ($path, $bytes) = @_; lay_file("$repos/$path", $bytes // ''); return }
sub directory { make_path(map { "$repos/$_" } @_); return }
sub manifest { return "app/manifests/$_[0]" }
sub blob { return "app/blobs/sha256:$_[0]" }

# A store in which a crash has lost the revision, and the tag is there: fsck can mend that as long as the layers are.
my $twin = image_of(OCI_MANIFEST, '{"twin":1}', "layer of twins\n");
my @twin = (sha256('{"twin":1}'), sha256("layer of twins\n"));
sub torn_twin
{
	for my $repo ('twin/good', 'twin/torn', 'twin/lost') {
		lay_blob($b, $repo, $_) for '{"twin":1}', "layer of twins\n";
		lay_manifest($b, $repo, $twin, 'v1');
	}
	unlink map { revision_link($b, $_, sha256($twin)) } 'twin/torn', 'twin/lost';
	rmdir "$repos/twin/lost/_manifests/revisions/sha256/" . substr sha256($twin), 7 or die "rmdir: $!";
	return;
}

my ($M, $T) = ('app/_manifests/revisions/sha256', 'app/_manifests/tags');

my @left = (
	['an empty layer link', sub { file("app/_layers/sha256/$x/link") }, blob($x)],
	['an empty revision link', sub { file("$M/$x/link") }, manifest("sha256:$x")],
	['an empty tag', sub { file("$T/empty/current/link") }, manifest('empty')],
	['an empty link in the index of a good tag', sub { file("$T/v1/index/sha256/$x/link") }],
	['a link that is cut', sub { file("$T/cut/current/link", substr $v1, 0, 30) }, manifest('cut')],
	['a link with a newline', sub { file("app/_layers/sha256/$y/link", "sha256:$y\n\n") }, blob($y)],
	['a link with much more', sub { file("$M/$y/link", 'z' x 100_000) }, manifest("sha256:$y")],
	['a link that is a directory', sub { directory("$M/$z/link", "app/_layers/sha256/$z/link", "$T/dirlink/current/link") }, manifest("sha256:$z"), manifest('dirlink'), blob($z)],
	['a link that leads out of the store', sub { file("$T/out/current/link", 'sha256:../../../../../../etc/passwd') }, manifest('out')],
	['*.tmp files beside good links', sub { file("$_.tmp", 'half') for "$T/v1/current/link", "$M/" . substr($v1, 7) . '/link', 'app/_layers/sha256/x' }],
	['*.tmp files in place of links', sub { file("$T/tmp/current/link.tmp", $v1); file("$M/" . substr(sha256('tmp'), 7) . '/link.tmp', sha256('tmp')) }, manifest('tmp'), manifest(sha256('tmp'))],
	['a *.tmp file in place of content', sub { lay_file("$data/blobs/sha256/" . substr($x, 0, 2) . "/$x/data.tmp", 'x') }],
	['a *.tmp file where uploads lie', sub { file('app/_uploads/x.tmp', 'x') }],
	['revision directories without link', sub { directory("$M/" . 'a' x 64, "$M/not-hex", "$M/" . 'A' x 64, 'app/_manifests/revisions/sha512/' . 'a' x 128, 'app/_manifests/revisions/md5/' . 'a' x 32) }, manifest('sha256:' . 'a' x 64)],
	['layer directories without link', sub { directory('app/_layers/sha256/' . 'b' x 64, 'app/_layers/sha256/not-hex', 'app/_layers/md5/' . 'b' x 32) }, blob('b' x 64)],
	['tag directories without current/link', sub { directory("$T/nothing", "$T/nolink/current", "$T/index-only/index/sha256/" . substr $v1, 7) }, map { manifest($_) } qw(nothing nolink index-only)],
	['dangling tags', sub { lay_tag($b, 'torn', 'dangling', sha256('never there')); directory('torn/_layers') }, 'torn/manifests/dangling'],
	['a tag to a manifest of another repository', sub { lay_tag($b, 'torn', 'foreign', $c->repo('zoo')->{tags}{v1}) }, 'torn/manifests/foreign'],
	['a tag whose manifest is known by another repository alone', sub { torn_twin() }, 'twin/torn/manifests/v1', 'twin/lost/manifests/v1'],
	['dangling revisions', sub { lay_file(revision_link($b, 'app', $_), $_) for sha256('no content') }, manifest(sha256('no content'))],
	['dangling layer links', sub { lay_file(layer_link($b, 'app', $_), $_) for sha256('no bytes') }, 'app/blobs/' . sha256('no bytes')],
	['content of no bytes', sub { lay_file($b->blob_path("sha256:$z"), ''); lay_file(layer_link($b, 'zoo', "sha256:$z"), "sha256:$z") }, "zoo/blobs/sha256:$z"],
	['a directory of content without any', sub { make_path("$data/blobs/sha256/dd/" . 'd' x 64, "$data/blobs/sha256/zz", "$data/blobs/sha256/ab/not-hex", "$data/blobs/md5/aa/" . 'a' x 32) }],
	['content that is a directory', sub { make_path($b->blob_path('sha256:' . 'c' x 64)) }],
	['files where directories of content are', sub { lay_file("$data/blobs/$_", 'x') for 'README', 'sha256/README', 'sha256/ee/README' }],
	['a manifest that is no JSON', sub { lay_manifest($b, 'broken/json', 'no manifest at all', 'v1'); lay_blob($b, 'broken/json', "kept by what can not be read\n") }],
	['a manifest of no object', sub { lay_manifest($b, 'broken/list', '[1,2]', 'v1') }],
	['a schema 1 manifest', sub { lay_blob($b, 'old', 'old layer'); lay_manifest($b, 'old', '{"schemaVersion":1,"name":"old","tag":"v1","fsLayers":[{"blobSum":"' . sha256('old layer') . '"}],"history":[],"signatures":[]}', 'v1') }],
	['directories _x', sub { directory('_x/y/_layers', '_x/y/_manifests', 'app/_x/y/_layers', 'app/_x/y/_manifests/tags', '_layers', '_manifests/tags/v1/current') }],
	['files whose names begin with _', sub { file("$_", 'x') for '_file', 'app/_file', 'filed/_layers', 'filed/_manifests', 'filed/_uploads' }],
	['files among repositories', sub { file("$_", 'x') for 'README', 'app/README', '.DS_Store', 'lost' }],
	['a repository with _layers alone', sub { file('only-layers/_layers/sha256/' . substr($v1, 7) . '/link', $v1) }],
	['a repository with _manifests alone', sub { file('only-manifests/_manifests/revisions/sha256/' . substr($v1, 7) . '/link', $v1); lay_tag($b, 'only-manifests', 'v1', $v1) }],
	['a repository with both and nothing in them', sub { directory('bare/_layers', 'bare/_manifests') }],
	['a repository with uploads alone', sub { file('begun/_uploads/01234567-89ab-4cde-8f01-23456789abcd/data', 'x'); file('begun/_uploads/01234567-89ab-4cde-8f01-23456789abcd/startedat', '2020-01-01T00:00:00Z') }],
	['names that are none', sub { directory(map { ("$_/_layers", "$_/_manifests/tags") } 'UPPER', 'app/-x', 'app/.hidden', 'app/a..b', 'app/x y', 'caf' . "\xc3\xa9", 'app/a__b___c') }],
	['foreign files in tags/', sub { file("$T/$_", 'x') for 'README', 'a file', 'v2.tmp', '.nfs0001', '_x' }],
	['directories in tags/ that are no tags', sub { lay_file("$repos/$T/$_/current/link", $v1) for '-x', 'a+b', '.hidden', 'x' x 129 }, manifest('x' x 129)],
	['symbolic links', sub { directory('s'); symlink $$_[0], "$repos/$$_[1]" or die $! for ['/nonexistent', 'dangles'], ['.', 's/loop'], ['../..', "$T/up"], ['/etc', 's/etc'] }],
	['uploads without startedat, or without uuid', sub { directory('app/_uploads/not-a-uuid', 'app/_uploads/01234567-89ab-4cde-8f01-23456789abcd');
		file('app/_uploads/11234567-89ab-4cde-8f01-23456789abcd/hashstates/sha256/0', 'x'); file('app/_uploads/21234567-89ab-4cde-8f01-23456789abcd/data', 'x') },
		map { "app/blobs/uploads/$_" } 'not-a-uuid', '01234567-89ab-4cde-8f01-23456789abcd', '11234567-89ab-4cde-8f01-23456789abcd', '21234567-89ab-4cde-8f01-23456789abcd'],
	['uploads whose startedat is empty or rubbish', sub { file("app/_uploads/${_}1234567-89ab-4cde-8f01-23456789abcd/startedat", $_ == 3 ? '' : 'yesterday') for 3, 4 }],
	['files where berth keeps its own', sub { lay_file($b->root . "/berth/$_", 'x') for 'tmp/x', 'trash/y/z', 'body/0000000001', 'index/rubbish', 'gc/rubbish' }],
	['what file systems leave', sub { make_path($b->root . '/lost+found', "$data/.snapshot/x", "$data/other") }],
);
$_->[1]->() for @left;
$b->start_workers;

# --- all of it at once

# The repositories that leftovers are, beside the good ones.
my @also = qw(bare broken/json broken/list old only-layers only-manifests torn twin/good twin/lost twin/torn);
my @catalog = sort $c->names, @also;

sub good_is_there
{
	my ($when) = @_;
	my $r = $b->req(GET => '/v2/_catalog?n=1000');

	is $r->status == 200 ? join(' ', @{ $r->json->{repositories} }) : $r->status, "@catalog", "the catalog has the repositories and nothing else $when";
	# each in pages of one: a leftover fills no page
	my ($path, @seen) = '/v2/_catalog?n=1';
	while ($path) {
		$r = $b->req(GET => $path);
		push @seen, @{ $r->json->{repositories} };
		($path) = ($r->header('Link') // '') =~ /^<([^>]*)>/;
	}
	is "@seen", "@catalog", "also page by page $when";
	my @faults = grep { !/^catalog:/ } split /\n/, $c->faults($b);
	is join("\n", @faults), '', "nothing hides tags, manifests, blobs and referrers that are good $when";
	return;
}

sub asked
{
	my ($when) = @_;

	for my $l (@left) {
		my ($what, undef, @paths) = @$l;
		my @wrong;
		for my $path (@paths) {
			for my $method ('GET', 'HEAD') {
				my $r = $b->req($method => "/v2/$path");
				push @wrong, "$method $path: " . $r->status if $r->status != 404;
			}
		}
		is join("\n", @wrong), '', "$what: 404 $when" if @paths;
	}
	return;
}

good_is_there('beside all leftovers');
asked('beside all the others');
is $b->req(GET => '/v2/only-manifests/manifests/v1')->body, $c->bytes($v1), 'a repository with _manifests alone is served';
is $b->req(GET => "/v2/only-layers/blobs/$v1")->body, $c->bytes($v1), 'a repository with _layers alone is served';
is $b->req(GET => "/v2/$_/tags/list")->status, 200, "its tags are listed ($_)" for @also;
is $b->req(GET => "/v2/$_/tags/list")->status, 404, "what is no repository has no tags ($_)" for qw(begun filed lost s dangles);
like $b->req(GET => "/v2/$_/manifests/v1")->status, qr/^(200|404)$/, "a manifest that can not be read gives no 500 ($_)" for qw(broken/json broken/list);
is $b->req(GET => "/v2/app/referrers/$v1?artifactType=application/x.sbom")->status, 200, 'referrers are found past manifests that can not be read';

# --- berth collects

sub untouched { return join ' ', grep { !-e $b->blob_path($_) } map { sort keys %{ $_->{manifests} }, grep { /^sha256/ } sort keys %{ $_->{blobs} } } map { $c->repo($_) } $c->names }

for my $options (['--dry-run'], [], ['--untagged']) {
	my $r = Berth::Content::berth_gc($b->root, '--grace', '0s', @$options);
	is $r->{status}, 0, "berth gc @$options goes through" or diag $r->{err};
}
sleep 2;
my $garbage = $c->blob($b, 'zoo', "no manifest names it\n");
delete $c->repo('zoo')->{blobs}{$garbage};
my $old = time - 3600;
utime $old, $old, $b->blob_path($garbage), layer_link($b, 'zoo', $garbage);
for my $options (['--json'], ['--untagged']) {
	my $r = Berth::Content::berth_gc($b->root, '--grace', '0s', @$options);
	is $r->{status}, 0, "berth gc @$options goes through when all has aged" or diag $r->{err};
	like $r->{out}, qr{broken/json}, "it tells of the manifest that it can't read (@$options)";
}
ok !-e $b->blob_path($garbage), 'what is garbage behind all leftovers is gone';
is join(' ', grep { !-e } map { my $d = $_; map { layer_link($b, $_, $d) } 'twin/torn', 'twin/lost' } @twin), '', 'what a tag names is there, though its repository has lost the manifest and another has it';
is untouched(), '', 'what a manifest names is there';
ok -e $b->blob_path(sha256("kept by what can not be read\n")), 'what the repository of a manifest that can not be read links is there';
ok -e $b->blob_path(sha256('old layer')), 'the layer of a schema 1 manifest is there';
good_is_there('after the collection');
asked('after the collection');
is $b->req(GET => '/v2/only-manifests/manifests/v1')->body, $c->bytes($v1), 'a repository with _manifests alone is served after the collection';

# --- and an age later
sub age { my ($dir) = @_; my @all; File::Find::find({ no_chdir => 1, wanted => sub { push @all, $_ if !-l } }, $dir); utime 1, 1, $_ for reverse @all; return }
age("$repos/$_/_uploads") for 'app', 'begun';
age($b->root . "/berth/$_") for 'tmp', 'trash', 'body';
my $r = Berth::Content::berth_gc($b->root);
is $r->{status}, 0, 'berth gc goes through an age later' or diag $r->{err};
is leftovers($b), '', 'nothing is left in body, tmp and trash';
is join(' ', grep { /^[0-9a-f]{8}-/ } uploads_of($b, 'app')), '', 'and of uploads, also of those that have no startedat or a spoilt one';
is join(' ', uploads_of($b, 'begun')), '', 'nor where there is no repository';

# --- berth writes over it

for my $tag (qw(empty cut tmp nothing nolink index-only dirlink)) {
	my $status = $b->req(DELETE => "/v2/app/manifests/$tag")->status;
	like $status, qr/^(202|404)$/, "the leftover tag $tag gives no 500 where it is deleted";
	$c->retag($b, 'app', $tag, $moved) if $tag ne 'dirlink' || $status == 202;
}
for my $repo (@also) {
	$c->image($b, $repo, 'new');
}
is join(' ', map { my $repo = $_; grep { my $d = $_; $b->req(GET => "/v2/$repo/manifests/$d")->status != 200 } sort keys %{ $c->repo($repo)->{manifests} } } @also), '',
	'the repositories that leftovers are can be pushed to';
delete $c->{repo}{$_} for @also;
lay_file($b->blob_path("sha256:$_"), '') for $x, $y;
$c->blob($b, 'app', $_) for 'x', 'y', 'no bytes';
$c->blob($b, 'zoo', 'z');
good_is_there('when it was pushed to');
$c->delete_manifest($b, 'app', $moved);
good_is_there('when a manifest with many tags was deleted');
ok !(grep { ($_->{status} // 0) >= 500 } $b->log_events), 'no request of all these ended with 5xx'
	or diag explain [grep { ($_->{status} // 0) >= 500 } $b->log_events];
$b->stop;

done_testing;
