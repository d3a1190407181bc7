#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What one worker of a master has flushed no other needs to flush again: the directories above a name. But what only looks the
# same is not the same: a directory that was made anew, or that moved away and came back. And what was to be flushed is not
# flushed: a worker may be killed before it does so, and a master that starts knows nothing.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep);
use Berth::Test;
use Berth::Check;
use Berth::Inject;
use Berth::Trace;

plain_build_only('it counts system calls');
need_program('strace');

my $s = Berth::Server->start(config => "delete = true;\nfsync = \"full\";\nupload_workers = 1;\n", workers => 1);
my $n = 0;

# How many flushes a push of a blob to a repository costs.
sub flushes
{
	my ($repo) = @_;
	my $bytes = 'bytes ' . $n++;
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
is $next, 6, 'a push to a repository that is known: bytes, link and its directory, the content\'s two, the links\'';
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
is flushes('team/app'), $next, 'it is known then';
my @old = $s->worker_pids;
$s->replace_workers or die "no other workers came\n";
my %now = map { ($_ => 1) } $s->worker_pids;
is scalar(grep { $now{$_} } @old), 0, 'other workers of the same master come';
is flushes('team/app'), $next, '... and it is known to them';
$s->restart;
cmp_ok flushes('team/app'), '>=', $next + 4, 'and not to another master';
$s->stop;

# A worker that is killed before the last flush of a push has told nobody of the others. Two repositories of the same shape: in
# the first one nobody is killed.
my $i = Berth::Inject->start;
sub pushed
{
	my ($repo, $plan) = @_;
	my $bytes = 'bytes ' . $n++;

	sleep 0.05;
	my ($how, $r, @calls) = $i->traced($plan // 'count', ['POST', "/v2/$repo/blobs/uploads/?digest=" . sha256($bytes), { body => $bytes, spooled => 1 }]);
	return ($how . ($r ? ' ' . $r->status : ''), @calls);
}
sub fsyncs { return scalar grep { /^fsync/ } @_ }

# Whether a directory is too young to be remembered depends on how fast all this is. After a move nothing is remembered.
sub forget { my $r = run(program('berth'), '--root', $i->root, qw(repo mv), @_); $r->{status} and die "berth repo mv @_: $r->{err}"; return }

pushed($_) for qw(one/app two/app zero/app);
forget('zero/app', 'zero/moved');
my ($how, @calls) = pushed('one/app');
my ($all) = fsyncs(@calls);
my ($last) = grep { $calls[$_ - 1] =~ /^fsync/ } reverse 1 .. @calls;
($how, @calls) = pushed('one/app');
cmp_ok fsyncs(@calls), '<', $all, 'a push after another one finds what it flushed';
forget('zero/moved', 'zero/app');
($how, @calls) = pushed('two/app', "kill $last fsync");
is "$how " . fsyncs(@calls), 'killed ' . $all, 'a worker is killed before the last flush of a push';
($how, @calls) = pushed('two/app');
is "$how " . fsyncs(@calls), "done 201 $all", 'the next worker flushes all of it again';
($how, @calls) = pushed('two/app');
cmp_ok fsyncs(@calls), '<', $all, '... once';
undef $i;
done_testing;
