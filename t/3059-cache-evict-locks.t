#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# While an eviction holds the lock of a mirrored repository, which pushed repositories may share, it reads no manifest and no tag that stays.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Fcntl ':flock';
use POSIX ();
use Berth::Test;
use Berth::Check;
use Berth::Cache;
use Berth::Repo;

plain_build_only('it traces system calls');
need_program('strace');
my $s = Berth::Server->start(config => mirror_conf(['up', 'http://127.0.0.1:1']) . qq(cache = { idle = "10h"; };\n), args => ['--no-relay']);
$s->at_rest;
my $repo = 'up/app';
my %image = map { ($_ => hand_image($s, $repo, $_, "{\"tag\":\"$_\"}", random_bytes(100))) } (map { "old$_" } 1 .. 70), (map { "new$_" } 1 .. 5), 'pinned';
my $subject = $image{old1};
my $signature = sprintf '{"schemaVersion":2,"mediaType":"%s","artifactType":"x/y","config":{"mediaType":"x/y","digest":"%s","size":%d},"layers":[],"subject":{"mediaType":"%s","digest":"%s","size":%d}}',
	OCI_MANIFEST, $subject->{config}, length '{"tag":"old1"}', $subject->{type}, $subject->{digest}, length $subject->{json};
is hand_over($s, PUT => "manifest?repo=$repo&ref=signature", body => $signature, type => OCI_MANIFEST), 201, 'a signature';
berth_ok($s, 'cache', 'pin', "$repo:pinned", 'a tag is pinned');
pulled_before($s, $repo, $image{$_}, 11 * 3600) for grep { !/new/ } keys %image;
pulled_before($s, $repo, { digest => sha256($signature), layers => [], config => $subject->{config} }, 11 * 3600);
my ($referrer) = grep { m{_referrers/.*\Q@{[substr sha256($signature), 7]}\E} } files_below($s->root . "/berth/index/$repo");
isnt $referrer, undef, 'the index has the signature';

my $file = $s->dir . '/trace';
is run('strace', '-f', '-s', '500', '-o', $file, berth_cmd($s, 'gc', '--cache'))->{status}, 0, 'an eviction';
my ($held, $times, %read) = (undef, 0);
for (split /\n/, slurp($file)) {
	if (m{\bopenat\([^"]*"berth/locks/repository/\w+".* = (\d+)$}) {
		$held = $1;
		$times++;
	} elsif (defined $held && /\bclose\((\d+)\)/ && $1 == $held) {
		undef $held;
	} elsif (defined $held && m{\bopenat\([^"]*"(docker/registry/v2/blobs/|.*/_manifests/tags/new)}) {
		$read{$1}++;
	}
}
cmp_ok $times, '>=', 3, "the repository's lock is held $times times";
is join(' ', map { "$_: $read{$_}" } sort keys %read), '', 'and nothing is read meanwhile that need not be';
is scalar(grep { -e revision_link($s, $repo, $image{$_}{digest}) || -e tag_link($s, $repo, $_) } grep { /old/ } keys %image), 0, 'what is idle is gone, with its tags';
is scalar(grep { -e revision_link($s, $repo, $image{$_}{digest}) && -e tag_link($s, $repo, $_) } grep { !/old/ } keys %image), 6, 'what is not, or is pinned, is there';
ok !-e $s->root . "/berth/index/$repo/$referrer", 'the signature has left the index';
my %named = map { (substr($_, 7) => 1) } map { $image{$_}{config}, @{ $image{$_}{layers} } } grep { !/old/ } keys %image;
my @names = map { m{([0-9a-f]{64})$} } grep { m{_named/} } files_below($s->root . "/berth/mirror/$repo");
is_deeply [sort @names], [sort keys %named], 'what only removed manifests named is forgotten';

# --- what waits for an eviction: a test has its lock
for my $cmd (['repo', 'mv', 'own/app', 'own/other'], ['gc', '--grace', '0s'], ['cache', 'drop', "$repo:new1"]) {
	$s->push_image('own/app', '1');
	open my $lock, '>>', $s->root . '/berth/locks/run' or die "$!";
	flock $lock, LOCK_EX or die "$!";
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		close $lock;
		POSIX::_exit(run('strace', '-o', "$file.2", '-e', 'trace=openat', berth_cmd($s, @$cmd))->{status});
	}
	ok +(wait_for { -e "$file.2" && 3 <= (() = slurp("$file.2") =~ m{"berth/locks/run"}g) }), "'@$cmd' tries again";
	close $lock;
	waitpid $pid, 0;
	is $? >> 8, 0, 'and does its work when the eviction has ended';
	unlink "$file.2";
}
is run(berth_cmd($s, 'fsck'))->{status}, 0, 'fsck finds nothing wrong';
done_testing;
