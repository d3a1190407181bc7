#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What is derived may be deleted, and what another registry changed while berth was stopped is seen after the start.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(remove_tree);
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n");
sub text { my ($n) = @_; return image_of(OCI_MANIFEST, '{}') =~ s/\}\z/,"annotations":{"n":"$n"}}/r }
sub put { my ($repo, $tag, $n) = @_; return $s->req('PUT', "/v2/$repo/manifests/$tag", headers => ['Content-Type' => OCI_MANIFEST], body => text($n))->status }
sub tags { my ($repo) = @_; my $r = $s->req('GET', "/v2/$repo/tags/list"); return $r->status == 200 ? $r->json->{tags} : $r->status }
sub catalog { return $s->req('GET', '/v2/_catalog?n=1000')->json->{repositories} }
sub points_to { my ($repo, $tag) = @_; return $s->req('HEAD', "/v2/$repo/manifests/$tag")->header('Docker-Content-Digest') // 'nothing' }
sub tag_dir { my ($repo, $tag) = @_; return data_dir($s) . "/repositories/$repo/_manifests/tags/$tag" }
my @d = map { sha256(text($_)) } 0 .. 5;

for my $repo ('life/a', 'life/b', 'life/b/c', 'life') {
	$s->push_blob($repo, '{}');
	put($repo, "t$_", 0) for 1 .. 5;
}
my @repos = ('life', 'life/a', 'life/b', 'life/b/c');
is_deeply catalog(), \@repos, 'four repositories are there';
is_deeply tags($_), [map { "t$_" } 1 .. 5], "the tags of $_" for @repos;

# berth/index goes while nothing runs
for my $what ('index', 'index/life', 'index/life/b/_names') {
	$s->stop_workers;
	remove_tree($s->root . "/berth/$what");
	$s->start_workers;
	is_deeply catalog(), \@repos, "after berth/$what was deleted the catalog is right";
	is_deeply tags($_), [map { "t$_" } 1 .. 5], "and the tags of $_" for @repos;
}
$s->stop_workers;
remove_tree($s->root . '/berth/index');
$s->start_workers;
is put('life/a', 't6', 1), 201, 'a push is the first use of a repository whose index was deleted';
is_deeply tags('life/a'), [map { "t$_" } 1 .. 6], 'old and new tags are listed';
is $s->req('DELETE', "/v2/life/b/manifests/$d[0]")->status, 202, 'a delete is the first use of another';
is tags('life/b'), undef, 'it takes all five tags, though no index knew them';
is_deeply [map { points_to('life/b', "t$_") } 1 .. 5], [('nothing') x 5], 'none of them points anywhere';
is_deeply tags('life/b/c'), [map { "t$_" } 1 .. 5], 'the repository inside it keeps its own';

# nobody else writes: the index is not looked through again, and is right after any number of starts
for my $how ('TERM', 'KILL') {
	$s->stop_workers($how);
	wait_for { !$s->worker_pids };
	$s->start_workers;
	is_deeply tags('life/a'), [map { "t$_" } 1 .. 6], "after a stop by SIG$how the tags are right";
	is_deeply catalog(), \@repos, "and the catalog (SIG$how)";
}

# another registry writes while berth is stopped
$s->stop_workers;
lay_manifest($s, 'life/a', text(2), 'added', 'zz');                     # tags added
lay_manifest($s, 'life/a', text(3));
lay_file(tag_index_link($s, 'life/a', 't1', $d[3]), $d[3]);             # one moved: current/link overwritten in place, as 2.8 does
open my $fh, '+<', tag_link($s, 'life/a', 't1') or die;
print {$fh} $d[3];
close $fh;
remove_tree(tag_dir('life/a', 't2'));                                   # one removed
lay_blob($s, 'foreign/new', '{}');                                      # a repository added, with tags
lay_manifest($s, 'foreign/new', text(4), 'one', 'two');
lay_blob($s, 'foreign', '{}');                                          # one without
remove_tree(data_dir($s) . '/repositories/life/b/c');                   # one removed by hand
$s->start_workers;
is_deeply catalog(), ['foreign', 'foreign/new', 'life', 'life/a', 'life/b'], 'repositories that were added and removed while berth was stopped are seen';
is_deeply tags('life/a'), ['added', 't1', 't3', 't4', 't5', 't6', 'zz'], 'and tags that were added and removed';
is_deeply [map { points_to('life/a', $_) } 'added', 't1', 't2', 't3'], [$d[2], $d[3], 'nothing', $d[0]], 'a tag that was moved in place is where it was moved to';
is_deeply tags('foreign/new'), ['one', 'two'], 'the tags of a new repository are listed';
is tags('foreign'), undef, 'a new repository without tags has none';
is tags('life/b/c'), 404, 'the one that was removed is unknown';
is_deeply $s->req('GET', '/v2/life/a/tags/list?n=2&last=t3')->json->{tags}, ['t4', 't5'], 'pages are right';
is $s->req('DELETE', "/v2/life/a/manifests/$d[3]")->status, 202, 'what the moved tag points to is deleted';
is points_to('life/a', 't1'), 'nothing', 'and the tag with it';
is_deeply tags('life/a'), ['added', 't3', 't4', 't5', 't6', 'zz'], 'and no other';
is $s->req('DELETE', "/v2/life/a/manifests/$d[0]")->status, 202, 'what it pointed to before is deleted';
is_deeply tags('life/a'), ['added', 't6', 'zz'], 'with the tags that still point to it';
is $s->req('DELETE', "/v2/foreign/new/manifests/$d[4]")->status, 202, 'a delete in the foreign repository';
is tags('foreign/new'), undef, 'takes its tags';

# moved in place onto a manifest, so that a delete by digest has to find it
$s->stop_workers;
open $fh, '+<', tag_link($s, 'life/a', 'zz') or die;
print {$fh} $d[1];
close $fh;
$s->start_workers;
is $s->req('DELETE', "/v2/life/a/manifests/$d[2]")->status, 202, 'the old manifest of a tag that was moved in place is deleted, as the first use';
is_deeply tags('life/a'), ['t6', 'zz'], 'the moved tag stays';
is $s->req('DELETE', "/v2/life/a/manifests/$d[1]")->status, 202, 'its new one is deleted';
is tags('life/a'), undef, 'and it goes';

# leftovers of a crash between index and link: an index may name too much
$s->push_blob('life/a', '{}');
put('life/a', $_, 5) for 'real', 'gone';
remove_tree(tag_dir('life/a', 'gone'));
is_deeply tags('life/a'), ['real'], 'a name in the index whose link is gone is not listed, even while berth serves';
is $s->req('DELETE', "/v2/life/a/manifests/$d[5]")->status, 202, 'a delete does not stumble over it';
is tags('life/a'), undef, 'and leaves no tag';

# a repository that goes by hand while berth serves, and comes back
remove_tree(data_dir($s) . '/repositories/foreign');
is_deeply catalog(), ['life', 'life/a', 'life/b'], 'a repository whose directory is gone is not listed';
$s->push_blob('foreign/new', '{}');
is put('foreign/new', 'again', 1), 201, 'it is pushed again';
is_deeply tags('foreign/new'), ['again'], 'and has its new tag alone';
is_deeply catalog(), ['foreign/new', 'life', 'life/a', 'life/b'], 'and is listed';

# two servers on one root are one epoch: the second start compares nothing away
my $two = Berth::Server->start(root => $s->root, config => "delete = true;\n", workers => 1);
is $s->req('PUT', '/v2/foreign/new/manifests/by-one', headers => ['Content-Type' => OCI_MANIFEST], body => text(2))->status, 201, 'two servers on one store: one pushes a tag';
is_deeply $two->req('GET', '/v2/foreign/new/tags/list')->json->{tags}, ['again', 'by-one'], 'the other lists it';
is $two->req('PUT', '/v2/foreign/new/manifests/by-two', headers => ['Content-Type' => OCI_MANIFEST], body => text(2))->status, 201, 'the other pushes a tag';
is_deeply tags('foreign/new'), ['again', 'by-one', 'by-two'], 'the one lists it';
$two->stop;
is put('foreign/new', 'after', 2), 201, 'when the other has stopped the one goes on';
$s->restart;
is_deeply tags('foreign/new'), ['after', 'again', 'by-one', 'by-two'], 'and after a restart all is there';

done_testing;
