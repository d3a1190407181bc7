#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What a worker has flushed itself it need not flush again: the directories above a name. But what only looks the same is not
# the same: a directory that was made anew, that moved away and came back, or that another worker flushed.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep);
use Berth::Test;
use Berth::Check;
use Berth::Trace;

plain_build_only('it counts system calls');
need_program('strace');

my $s = Berth::Server->start(config => "delete = true;\nupload_workers = 1;\n", workers => 1);
my $n = 0;

# How many flushes a push of a blob to a repository costs. All of them lie in one directory of two digits, which is there.
my @blobs = grep { sha256($_) =~ /^sha256:00/ } map { "bytes $_" } 1 .. 8000;
sub flushes
{
	my ($repo) = @_;
	my $bytes = $blobs[$n++] // die "too few blobs\n";
	my $status;

	sleep 0.05;     # what is as young as a clock is coarse is not remembered
	my $cost = costs_of($s, sub { $status = $s->req('POST', "/v2/$repo/blobs/uploads/?digest=" . sha256($bytes), body => $bytes)->status });
	die "the push is answered with $status\n" if $status != 201;
	return $cost->{syncs};
}
sub berth_ok { my @cmd = @_; my $r = run(program('berth'), '--root', $s->root, @cmd); return is($r->{status}, 0, "berth @cmd") || diag($r->{err}) }

flushes($_) for 'warm', 'warm';
my $first = flushes('team/app');
flushes('team/app');
my $next = flushes('team/app');
is $next, 6, 'a push to a repository that this worker knows: bytes, link and its directory, the content\'s two, the links\'';
cmp_ok $first, '>=', $next + 4, 'the first one flushes what lies above as well';

berth_ok(qw(repo mv team/app team/moved));
cmp_ok flushes('team/moved'), '>', $next, 'a repository that has moved is flushed to the top: who moved it may have died before its own flush';
is flushes('team/moved'), $next, 'and is known then';
berth_ok(qw(repo mv team/moved team/app));
cmp_ok flushes('team/app'), '>', $next, 'one that has moved away and come back is flushed again, to the top';
is flushes('team/app'), $next, 'and then known';
cmp_ok flushes('warm'), '>', $next, 'and so is any other after a move';

berth_ok(qw(repo rm team/app));
cmp_ok flushes('team/app'), '>=', $next + 4, 'one that was removed and made anew is another one';

flushes('team/app');
is flushes('team/app'), $next, 'it is known to this worker then';
$s->replace_workers or die "no other workers came\n";
cmp_ok flushes('team/app'), '>', $next, 'and not to another one';

done_testing;
