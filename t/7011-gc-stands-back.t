#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Where somebody serves, what marks and lists gives way to it, and what holds locks does not; where nobody does, nothing does.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::GC;
use Berth::Trace;

plain_build_only('it traces system calls');
need_program('strace');

my $s = Berth::Server->start(config => "delete = true;\n", workers => 1);
lay_image($s, "team/app$_", 'v1', '{}', "layer $_") for 1 .. 40;

# who gave way, and who took the collector's lock for itself alone
sub ranks
{
	my $file = $s->dir . '/ranks';
	my $r = run(have_program('strace'), '-f', '-qq', '-ttt', '-y', '-e', 'trace=setpriority,flock', '-o', $file, gc_cmd($s, @_));
	is $r->{status}, 0, "gc @_ ends well" or diag($r->{err});
	my @calls = traced_calls($file);
	return (scalar(grep { $_->[2] eq 'setpriority' && $_->[3] =~ /, 10$/ } @calls),
		{ map { $_->[0] => 1 } grep { $_->[2] eq 'setpriority' } @calls },
		{ map { $_->[0] => 1 } grep { $_->[2] eq 'flock' && $_->[3] =~ m{/locks/collector>, LOCK_EX} } @calls });
}

my ($n, $gave_way, $locked) = ranks();
cmp_ok $n, '>=', 2, "beside a master helpers give way ($n)";
ok %$locked, 'and the collector\'s lock is taken';
is join(' ', grep { $locked->{$_} } keys %$gave_way), '', 'by none of them';
($n) = ranks('--dry-run');
cmp_ok $n, '>=', 2, "in a dry run they give way, too ($n)";
$s->stop_workers;
for my $how ([], ['--dry-run']) {
	($n) = ranks(@$how);
	is $n, 0, 'where nobody serves none of them gives way';
}

done_testing;
