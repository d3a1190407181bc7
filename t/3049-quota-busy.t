#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# While somebody counts a group, which takes long, commands that hold up all writers for a moment wait for that without holding them up.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(sha256_hex);
use Fcntl qw(:flock);
use Berth::Test;
use Berth::Check;
use Berth::GC ();
use Berth::Quota;

my $s = Berth::Server->start(config => "delete = true;\nrules = ( { repo = \"team/*\"; quota = \"1 MiB\"; } );\n", workers => 2);
my $root = $s->root;
my $none = tmp_dir() . '/none.conf';
my $bytes = 0;
spew($none, '');

sub blob { my ($repo, $b) = @_; return $s->req('POST', "/v2/$repo/blobs/uploads/?digest=" . sha256($b), body => $b)->status }
sub fresh { return 'some bytes, number ' . ++$bytes }
sub waits { my $inode = (stat $_[0])[1]; return scalar grep { /^\d+: -> FLOCK .*:$inode / } split /\n/, slurp('/proc/locks') }

is blob('team/red/app', fresh()), 201, 'a blob where a quota counts';
is blob('team/red/app', 'corrupt'), 201, 'and another one';
is blob('team/red/old', fresh()), 201, 'and a repository';
is blob('other/app', fresh()), 201, 'and one where none does';
my $digest = $s->push_image('team/red/app', 'a', layers => [fresh()]);
is $s->req('DELETE', '/v2/team/red/app/manifests/a')->status, 202, 'a tag is deleted';

my $file = "$root/berth/locks/quota/" . substr sha256_hex('team/red'), 0, 2;
ok -e $file, 'the lock of the group';

# With the lock held, as by somebody who counts: the command waits, and others push.
sub beside
{
	my ($what, $config, @cmd) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	open my $held, '+<', $file or die "$file: $!";
	flock $held, LOCK_EX or die $!;
	my $pushed;
	my ($r) = run_parallel(1, sub { return run(program('berth'), '--config', $config, '--root', $root, @cmd)->{status} }, sub {
		wait_for { waits($file) } or die "$what does not wait";
		$pushed = blob('other/app', fresh());
		flock $held, LOCK_UN;
	});
	is $pushed, 201, "$what: another repository is pushed to while it waits";
	is $r, 0, '... and it goes on afterwards';
	return is quota_fault($root, 'team/red'), '', '... and counts';
}

Berth::GC::make_old($s, 100);
my ($before) = quota_counted($root, 'team/red');
beside('gc --untagged', $none, 'gc', '--grace', '10', '--untagged');
ok((quota_counted($root, 'team/red'))[0] < $before, 'manifests and blobs have gone');
is blob('team/red/app', fresh()), 201, 'a blob';
is blob('team/red/old', fresh()), 201, 'and one of a repository';
beside('repo mv', $none, 'repo', 'mv', 'team/red/old', 'team/red/new');
beside('repo rm', $none, 'repo', 'rm', 'team/red/new');
is blob('team/red/app', 'corrupt'), 201, 'a blob';
spew(blob_file($s, sha256('corrupt')), 'CORRUPT');
open my $held, '+<', $file or die "$file: $!";
flock $held, LOCK_EX or die $!;
my ($pushed, @r);
@r = run_parallel(1, sub { return run(program('berth'), '--config', $none, '--root', $root, 'fsck', '--data', '--repair')->{out} }, sub {
	wait_for { waits($file) } or die 'fsck does not wait';
	$pushed = blob('other/app', fresh());
	flock $held, LOCK_UN;
});
is $pushed, 201, 'fsck --repair: another repository is pushed to while it waits';
like $r[0], qr/in berth\/quarantine/, '... and what was found is repaired and told';
is scalar(() = $r[0] =~ /^blob-wrong-bytes/gm), 1, '... once' or diag($r[0]);
is blob('team/red/app', fresh()), 201, 'the next push';
is quota_fault($root, 'team/red'), '', '... counts';
$s->stop;
done_testing;
