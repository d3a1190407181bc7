#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The relay is killed with -9 at the system calls of a miss, and each of them fails once in the ways that are plausible for it: no space, faults of the disk,
# connections that break. No client has a whole wrong answer, nothing wrong is stored, the next pull works, and no file of a download stays.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Errno ();
use Berth::Test;
use Berth::Cache;
use Berth::Misses;

plain_build_only('it traces system calls');

my @served = map { Berth::Misses->start } 1, 2;
my @disk = qw(EIO ENOSPC ENOMEM);
my %may = (
	openat => [@disk, 'EMFILE'], write => [@disk, 'EINTR'], flock => [qw(ENOMEM EINTR)], newfstatat => ['EIO'], fstat => ['EIO'], unlinkat => ['EIO'], mkdirat => ['EIO'],
	call_40 => [qw(EIO ENOMEM EPIPE)],      # sendfile
	accept4 => [qw(EMFILE ECONNABORTED)], socket => ['EMFILE'], connect => [qw(ECONNREFUSED EMFILE)], recvfrom => [qw(ECONNRESET EINTR)], sendto => [qw(EPIPE ECONNRESET)],
	writev => ['EPIPE'], getsockopt => ['ENOMEM'],
);

# worth_a_death - not worth one are most of those that nobody else can see anything of
sub worth_a_death { my ($call, $n) = @_; return $ENV{BERTH_TEST_ALL} || $n % 4 == 0 || $call !~ /^(?:poll|epoll_ctl|ioctl|call_19|getsockopt|getrandom|brk|mmap|munmap|futex|rt_)/ }

# plans - of these calls: [what, plan, call]
sub kills { my (@calls) = @_; return map { worth_a_death($calls[$_ - 1], $_) ? ["killed at call $_, $calls[$_ - 1]", sprintf('kill %d %s', $_, $calls[$_ - 1] =~ /^(\w+)/), $calls[$_ - 1]] : () } 1 .. @calls }
my %n_th;         # how many faults there were of a call and an error
sub faults
{
	my (@calls) = @_;
	my @all;

	for my $n (1 .. @calls) {
		my ($name) = $calls[$n - 1] =~ /^(\w+)/;
		for my $errno (@{ $may{$name} // [] }) {
			no strict 'refs';       ## Errno's constants, by name
			push @all, ["$errno at call $n, $calls[$n - 1]", sprintf('fail %d %d %s', $n, &{"Errno::$errno"}(), $name), $calls[$n - 1]];
		}
	}
	return is_long() ? @all : grep { $_->[2] =~ m{berth/body|^call_40} || $n_th{ $_->[1] =~ s/ \d+ / /r }++ % 5 == 0 } @all;
}

sub disturbed
{
	my ($m, $plans, $ends) = @_;
	my ($how, $bad, @calls) = $m->miss('count');
	my $made = 0;

	$bad ||= $how eq 'done' ? $m->recover : "undisturbed it is $how";
	my @bad = $bad ne '' ? $bad : ();
	for my $p ($plans->(@calls)) {
		my ($what, $plan, $call) = @$p;
		last if @bad;           # what fails may take minutes each time
		($how, $bad) = $m->miss($plan);
		push @bad, "$what: $_" for grep { $_ ne '' } $bad, $how =~ $ends ? '' : $how;
		$made++ if $how eq 'killed' || $plan =~ /^fail/;
		# a name that could not be removed is removed by the next relay
		$m->end_relay('TERM') if $call =~ /^unlinkat/;
		$bad = $m->recover;
		push @bad, "$what: $bad" if $bad ne '';
	}
	push @bad, grep { $_ ne '' } cached_fault($m->{server});
	return { made => $made, calls => scalar @calls, bad => \@bad };
}

my @done = run_parallel(2, sub { return $_[0] ? disturbed($served[1], \&faults, qr/^done$/) : disturbed($served[0], \&kills, qr/^(?:done|killed)$/) });
for my $n (0, 1) {
	my ($r, $s) = ($done[$n], $served[$n]{server});
	my $title = ('the relay is killed', 'calls of the relay fail')[$n];

	is $r->{died}, undef, "$title: it comes to its end" or next;
	is join("\n", @{ $r->{bad} }), '', "$title $r->{made} times, at $r->{calls} calls: nothing is wrong, and the next pull works";
	cmp_ok $r->{made}, '>', 40, 'which is often';
	my $fsck = run(program('berth'), '--config', $s->config_file, '--root', $s->root, 'fsck', '--data');
	is $fsck->{status}, 0, 'fsck finds nothing wrong' or diag "$fsck->{out}$fsck->{err}";
}
done_testing;
