#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Immutable tags: set once, pushed again with the same digest, never moved and never deleted, nor what they need.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA ();
use Fcntl qw(:flock);
use Berth::Test;
use Berth::Check;
use Berth::Repo;
use Berth::GC;

my $s = Berth::Server->start(config => <<'END');
delete = true;
manifests = { sparse = "index"; };
rules = (
	{ repo = "rel/free"; immutable = ""; },
	{ repo = "rel/**"; immutable = [ "v[0-9]*", "stable" ]; },
	{ repo = "all"; immutable = "*"; }
);
END
sub put { my ($name, $ref, $text, %o) = @_; return patient { $s->req(PUT => "/v2/$name/manifests/$ref", headers => ['Content-Type' => $o{type} // OCI_MANIFEST, @{ $o{headers} // [] }], body => $text) } }
sub image { my ($n, $layer) = @_; return image_of(OCI_MANIFEST, '{}', $layer // ()) =~ s/\}\z/,"annotations":{"n":"$n"}}/r }
sub points_to { my ($name, $tag) = @_; return $s->req(HEAD => "/v2/$name/manifests/$tag")->header('Docker-Content-Digest') // 'nothing' }
sub gone { my ($name, $what) = @_; return patient { $s->req(DELETE => "/v2/$name/$what") } }
my $moves = qr{^immutable tag \S+: the rule for "rel/\*\*" lets nobody move it$};
my $deletes = qr{^immutable tag \S+: the rule for "rel/\*\*" lets nobody delete it$};
my $needs = qr{^immutable tag \S+: the rule for "rel/\*\*" lets nobody delete what it needs$};

# Set once
$s->push_blob('rel/app', $_) for '{}', 'layer', 'other';
my ($one, $two) = (image(1, 'layer'), image(2, 'other'));
is put('rel/app', 'v1', $one)->status, 201, 'an immutable tag is created';
is put('rel/app', 'v1', $one)->status, 201, 'and pushed again with the same digest';
refused_is put('rel/app', 'v1', $two), 403, 'DENIED', $moves, 'with another one it is refused, and the rule named';
error_is $s->req(GET => '/v2/rel/app/manifests/' . sha256($two)), 404, 'MANIFEST_UNKNOWN', 'the manifest is not stored then';
refused_is put('rel/app', 'v1', $two, headers => ['If-Match' => '"' . sha256($one) . '"']), 403, 'DENIED', $moves, 'a condition that holds does not help';
error_is put('rel/app', 'v1', $two, headers => ['If-None-Match' => '*']), 412, 'DENIED', 'one that does not hold is refused as such';
is put('rel/app', sha256($two), $two)->status, 201, 'the manifest is stored by its digest';
refused_is put('rel/app', sha256($two) . '?tag=new&tag=v1', $two), 403, 'DENIED', $moves, 'a tag by parameter is not moved';
is points_to('rel/app', 'new'), 'nothing', 'and no other tag of that push is set';
refused_is put('rel/app', sha512($one) . '?tag=v1', $one), 403, 'DENIED', $moves, 'the same bytes under another digest are another manifest';
is put('rel/app', sha256($one) . '?tag=v1&tag=stable', $one)->status, 201, 'tags by parameter that point there are left as they are';
is points_to('rel/app', 'v1'), sha256($one), 'it points to where it did';
is put('rel/app', 'vx', $_)->status, 201, 'a tag that no pattern matches is moved' for $one, $two;
$s->push_blob('rel/free', '{}');
is put('rel/free', 'v1', $_)->status, 201, 'a rule with "" makes no tag immutable, and ends the search' for image(1), image(2);

# Never deleted, nor what it needs
refused_is gone('rel/app', 'manifests/v1'), 403, 'DENIED', $deletes, 'it is not deleted';
refused_is gone('rel/app', 'manifests/' . sha256($one)), 403, 'DENIED', $deletes, 'nor is its manifest';
refused_is gone('rel/app', 'blobs/' . sha256('layer')), 403, 'DENIED', $needs, 'nor a layer';
refused_is gone('rel/app', 'blobs/' . sha256('{}')), 403, 'DENIED', $needs, 'nor the config';
is gone('rel/app', 'blobs/' . sha256('other'))->status, 202, 'a blob that it does not need is';
is gone('rel/app', 'manifests/vx')->status, 202, 'and another tag';
is gone('rel/app', 'manifests/' . sha256($two))->status, 202, 'and another manifest';
error_is gone('rel/app', 'manifests/v2'), 404, 'MANIFEST_UNKNOWN', 'an immutable tag that is not there is unknown';
error_is gone('rel/app', 'manifests/' . sha256('x')), 404, 'MANIFEST_UNKNOWN', 'as is a manifest';
error_is gone('rel/app', 'blobs/' . sha256('x')), 404, 'BLOB_UNKNOWN', 'and a blob';
is $s->req(GET => '/v2/rel/app/manifests/v1')->body, $one, 'it is pulled as before';

# At any depth
$s->push_blob('rel/deep', $_) for '{}', 'deep', 'bare';
my $inner = image('inner', 'deep');
my $middle = index_of(OCI_INDEX, desc(OCI_MANIFEST, $inner), desc(OCI_MANIFEST, '{"nowhere":1}'));
my $bare = image('bare', 'bare');
my $outer = index_of(OCI_INDEX, desc(OCI_INDEX, $middle), desc('application/x-unknown', $bare));
$s->push_manifest('rel/deep', sha256($_->[1]), $_->[1], $_->[0]) for [OCI_MANIFEST, $inner], [OCI_MANIFEST, $bare], [OCI_INDEX, $middle], [OCI_INDEX, $outer];
for my $d (map { 'manifests/' . sha256($_) } $inner, $middle, $outer) {
	is $s->req(GET => "/v2/rel/deep/$d")->status, 200, 'there is ' . substr $d, 0, 25;
}
is put('rel/deep', 'v1.0', $outer, type => OCI_INDEX)->status, 201, 'an index of indexes gets an immutable tag';
refused_is gone('rel/deep', 'manifests/' . sha256($_)), 403, 'DENIED', $needs, 'a child is not deleted' for $middle, $inner, $bare;
refused_is gone('rel/deep', 'blobs/' . sha256($_)), 403, 'DENIED', $needs, "nor a blob of a child: $_" for '{}', 'deep', 'bare';
my $sig = image('signature', '{}') =~ s/\}\z/qq(,"subject":) . desc(OCI_MANIFEST, $outer) . '}'/er;
$s->push_manifest('rel/deep', sha256($sig), $sig, OCI_MANIFEST);
is gone('rel/deep', 'manifests/' . sha256($sig))->status, 202, 'what refers to it is not needed by it, and is deleted';
error_is gone('rel/deep', 'manifests/' . sha256('{"nowhere":1}')), 404, 'MANIFEST_UNKNOWN', 'a child that was never there is unknown';

# Tags of the referrers' form
$s->push_blob('all', '{}');
my $fallback = 'sha256-' . ('ab' x 32);
for my $tag ($fallback, "$fallback.sig") {
	is put('all', $tag, $_)->status, 201, 'a tag that speaks of a digest is moved' for image(1), image(2);
	is gone('all', "manifests/$tag")->status, 202, 'and deleted';
}
is put('all', 'sha256-abc', image(1))->status, 201, 'a tag that only looks like one';
refused_is put('all', 'sha256-abc', image(2)), 403, 'DENIED', qr{^immutable tag sha256-abc: the rule for "all"}, 'is immutable';

# What cannot be read
$s->push_blob('rel/bad', $_) for '{}', 'free';
is put('rel/bad', 'v1', image('bad'))->status, 201, 'a tag';
spew(blob_file($s, sha256(image('bad'))), 'no manifest');
refused_is gone('rel/bad', 'blobs/' . sha256('free')), 403, 'DENIED', qr{and a manifest of it cannot be read$}, 'where a manifest cannot be read nobody knows what it needs';
is put('rel/bad', 'v1', image('bad'))->status, 201, 'a push of the same repairs it';
is gone('rel/bad', 'blobs/' . sha256('free'))->status, 202, 'and then it is known';
unlink blob_file($s, sha256(image('bad')));
$s->push_blob('rel/bad', 'free');
refused_is gone('rel/bad', 'blobs/' . sha256('free')), 403, 'DENIED', qr{and a manifest of it cannot be read$}, 'nor where its content is lost';
is put('rel/bad', 'v1', image('bad'))->status, 201, 'it can be pushed again';
is gone('rel/bad', 'blobs/' . sha256('free'))->status, 202, 'and then it is known again';

# The same below an index, after a check that moves corrupt content away
$s->push_blob('rel/lost', $_) for '{}', 'lost';
my $child = image('lost', 'lost');
my $part = index_of(OCI_INDEX, desc(OCI_MANIFEST, $child));
my $all = index_of(OCI_INDEX, desc(OCI_INDEX, $part), desc(OCI_MANIFEST, '{"nowhere":2}'));
$s->push_manifest('rel/lost', sha256($_->[1]), $_->[1], $_->[0]) for [OCI_MANIFEST, $child], [OCI_INDEX, $part];
is put('rel/lost', 'v1', $all, type => OCI_INDEX)->status, 201, 'an index of indexes';
for my $lost ($part, $all) {
	spew(blob_file($s, sha256($lost)), 'corrupt');
	berth($s, 'fsck', '--data', '--repair');
	ok !-e blob_file($s, sha256($lost)), 'fsck has moved its bytes to the quarantine';
	refused_is gone('rel/lost', $_), 403, 'DENIED', qr{and a manifest of it cannot be read$}, 'what only it names is not deleted'
		for 'manifests/' . sha256($child), 'blobs/' . sha256('lost');
	is put('rel/lost', sha256($lost), $lost, type => OCI_INDEX)->status, 201, 'it is pushed again';
	refused_is gone('rel/lost', 'manifests/' . sha256($child)), 403, 'DENIED', $needs, 'and names it';
}

# Collections take nothing of it
my $tree = join "\n", files_below(repo_dir_of($s, 'rel/deep'));
gc_ok($s, '--untagged', '--grace', '0s', 'a collection ends with 0') if select(undef, undef, undef, 1.1) || 1;
is $s->req(GET => "/v2/rel/deep/manifests/$_")->status, 200, 'what the tag needs is there' for map { sha256($_) } $inner, $middle, $outer;

# Of several clients that set it at once one wins
$s->push_blob('rel/race', '{}');
for my $round (1 .. 5) {
	my @r = run_parallel(6, sub { my ($i) = @_; my $r = put('rel/race', "v$round", image($i)); return $r->status . ' ' . ($r->header('Docker-Content-Digest') // '') });
	my @won = map { /^201 (.*)/ ? $1 : () } @r;
	is scalar(@won), 1, 'of six clients one sets it' or diag join "\n", map { ref ? $_->{died} : $_ } @r;
	is points_to('rel/race', "v$round"), $won[0], 'and it points to what that one was told';
}
# A blob is not deleted between the check of a manifest and its tag
for my $round (1 .. 8) {
	my $text = image("again $round", "layer $round");
	$s->push_blob('rel/race', "layer $round");
	my ($put, $delete) = run_parallel(2, sub { return ($_[0] ? gone('rel/race', 'blobs/' . sha256("layer $round")) : put('rel/race', "v9.$round", $text))->status });
	ok "$put $delete" =~ /^(?:201 403|400 202)$/, 'a push and a DELETE of its layer: one of them is refused' or diag "$put $delete";
}

# What an immutable tag begins to need while a DELETE, which has read the others, waits for the repository's lock
$s->push_blob('rel/wait', $_) for '{}', 'of a new tag', 'of a child';
my $late = image('late', 'of a child');
is put('rel/wait', 'v1', index_of(OCI_INDEX, desc(OCI_MANIFEST, $late)), type => OCI_INDEX)->status, 201, 'an index without its child';
my $lock_file = $s->root . '/berth/locks/repository/' . substr Digest::SHA::sha256_hex('rel/wait'), 0, 2;
for my $c (['of a new tag', sub { lay_manifest($s, 'rel/wait', image('new', 'of a new tag'), 'v2') }], ['of a child', sub { lay_manifest($s, 'rel/wait', $late) }]) {
	my ($layer, $change) = @$c;
	open my $lock, '>>', $lock_file or die "$lock_file: $!";
	flock $lock, LOCK_EX or die "$lock_file: $!";
	my $inode = (stat $lock)[1];
	my ($got) = run_parallel(2, sub {
		return gone('rel/wait', 'blobs/' . sha256($layer))->status if !$_[0];
		wait_for { slurp('/proc/locks') =~ /-> FLOCK .*:$inode / };
		$change->();
		flock $lock, LOCK_UN;
		return 0;
	});
	is $got, 403, "a layer $layer that comes meanwhile is not deleted";
	is $s->req(HEAD => '/v2/rel/wait/blobs/' . sha256($layer))->status, 200, '... and is there';
}

# The operator's commands
$s->push_image('rel/cmd', $_, layers => ['cmd']) for 'v1', 'vx';
$s->push_image('rel/plain', 'vx', layers => ['cmd']);
my $force = qr{^berth: immutable tag v1: the rule for "rel/\*\*" lets nobody delete it; --force does$};
berth_says($s, ['repo', 'rm', 'rel/cmd'], 1, $force, 'repo rm refuses a repository with an immutable tag');
berth_says($s, ['repo', 'mv', 'rel/cmd', 'elsewhere'], 1, $force, 'and repo mv');
is tags_of($s, 'rel/cmd'), 'v1 vx', 'it is as it was';
berth_says($s, ['tag', 'rm', 'rel/cmd', 'v1'], 1, qr{^berth: immutable tag v1: the rule for "rel/\*\*" lets nobody delete it$}, 'tag rm refuses an immutable tag');
is tags_of($s, 'rel/cmd'), 'v1 vx', 'which is still there';
$s->push_image('rel/cmd', $_, layers => ['cmd']) for 'v2', 'v3';
berth_ok($s, 'tag', 'rm', '--force', 'rel/cmd', 'v2', 'v3', 'with --force it removes several');
is tags_of($s, 'rel/cmd'), 'v1 vx', 'and no others';
berth_ok($s, 'repo', 'mv', 'rel/plain', 'rel/moved', 'one without immutable tags is renamed');
berth_ok($s, 'repo', 'rm', 'rel/moved', 'and removed');
berth_ok($s, 'repo', 'mv', '--force', 'rel/cmd', 'rel/there', 'with --force it is renamed');
is tags_of($s, 'rel/there'), 'v1 vx', 'with its tags';
berth_ok($s, 'repo', 'rm', 'rel/there', '--force', 'and removed');
is tags_of($s, 'rel/there'), 404, 'so that it is gone';
berth_says($s, ['repo', @$_], 2, qr/^usage: berth/m, "no --force for repo @$_") for ['list', '--force'], ['du', '--force'];
$s->config(slurp($s->config_file) =~ s/\{ repo = "all";/{ repo = "rel\/app"; readonly = true; },\n$&/r);
my $readonly = qr{^berth: rel/app is read-only, the rule at \S+:\d+ says; --force changes it nevertheless$};
berth_says($s, ['repo', 'rm', 'rel/app'], 1, $readonly, 'repo rm refuses a repository that a rule makes read-only');
berth_says($s, ['repo', 'mv', 'rel/app', 'b'], 1, $readonly, 'and repo mv');
berth_says($s, ['repo', 'mv', 'rel/free', 'rel/app/../app'], 2, qr/not a valid repository name/, 'no name is no name');
berth_ok($s, 'repo', 'rm', '--force', 'rel/app', 'with --force it is removed');
is leftovers($s), '', 'nothing is left in body, tmp and trash';
done_testing;
