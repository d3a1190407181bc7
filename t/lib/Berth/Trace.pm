# SPDX-License-Identifier: Apache-2.0
#
# Berth::Trace: how many system calls the workers make for a piece of work. For tests of the plain build, with strace.
#
#   my $n = calls_of($s, sub { $s->req(GET => '/v2/_catalog') });
package Berth::Trace;

use strict;
use warnings;

use Exporter 'import';
use POSIX ();
use Time::HiRes ();

use Berth::Test ();

our @EXPORT = qw(calls_of);

sub traced
{
	my ($pid) = @_;

	open my $fh, '<', "/proc/$pid/status" or return 0;
	return scalar grep { /^TracerPid:\s*[1-9]/ } <$fh>;
}

# calls_of(server, code) - the system calls that all workers together make while the code runs, those in which they wait
# for requests left out
sub calls_of
{
	my ($s, $code) = @_;
	my @pids = $s->worker_pids;
	my $file = $s->dir . '/trace.' . Time::HiRes::time();
	my $tracer = fork // die "fork: $!";

	if (!$tracer) {
		open STDERR, '>', '/dev/null';
		exec Berth::Test::have_program('strace'), '-f', '-qq', '-s', '0', '-o', $file, map { ('-p', $_) } @pids or POSIX::_exit(127);
	}
	my $on = Berth::Test::wait_for(sub { @pids == grep { traced($_) } @pids });
	my $fault = eval { die "the workers cannot be traced\n" if !$on; $code->(); 1 } ? '' : $@;
	kill INT => $tracer;
	waitpid $tracer, 0;
	die $fault if $fault;
	return scalar grep { /^\d+ +(?!ppoll|poll|restart_syscall|rt_sig)\w+\(/ } split /\n/, Berth::Test::slurp($file);
}

1;
