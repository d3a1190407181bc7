# SPDX-License-Identifier: Apache-2.0
#
# Berth::Trace: what strace saw, and how many system calls the workers make for a piece of work. For tests of the plain
# build.
#
#   my $n = calls_of($s, sub { $s->req(GET => '/v2/_catalog') });
#   for (traced_calls($file)) { my ($pid, $time, $name, $args, $result) = @$_; ... }
package Berth::Trace;

use strict;
use warnings;

use Exporter 'import';
use POSIX ();
use Time::HiRes ();

use Berth::Test ();

our @EXPORT = qw(calls_of costs_of costs_beside new_second traced_calls);

# traced_calls(file, from) - the successful calls in what `strace -f -ttt -o file` wrote, whole: those that were interrupted by
# another process' are put together, and stand where they ended. The time is when they began: what a client does on an answer comes
# after that. The last two words of each are its line, and the one where it began. With `from` only what stands there from this byte on.
sub traced_calls
{
	my ($file, $from) = @_;
	my (%open, @calls);

	open my $h, '<', $file or die "$file: $!";
	seek $h, $from, 0 if $from;
	while (my $l = <$h>) {
		my ($pid, $t, $rest) = $l =~ /^(\d+)\s+([\d.]+)\s+(.*)$/ or next;
		my $begun = $.;
		if ($rest =~ s/\s*<unfinished \.\.\.>$//) {
			$open{$pid} = [$t, $rest, $begun];
			next;
		}
		if ($rest =~ /^<\.\.\. \w+ resumed>(.*)$/ && $open{$pid}) {
			my $end = $1;
			($t, $rest, $begun) = @{ delete $open{$pid} };
			$rest .= $end;
		}
		my ($name, $args, $result) = $rest =~ /^(\w+)\((.*)\)\s+=\s+(0x[0-9a-f]+|\d+)/ or next;
		push @calls, [$pid, $t, $name, $args, $result, $., $begun];
	}
	close $h;
	return @calls;
}

sub traced
{
	my ($pid) = @_;

	open my $fh, '<', "/proc/$pid/status" or return 0;
	return scalar grep { /^TracerPid:\s*[1-9]/ } <$fh>;
}

# sleeps - whether a process waits for something, or is gone
sub sleeps
{
	my ($pid) = @_;

	open my $fh, '<', "/proc/$pid/stat" or return 1;
	my $line = <$fh> // return 1;           # it has ended since
	return $line =~ /^\d+ \(.*\) [SZX] /s;
}

# trace_of(server, options, code) - the file of what strace writes of all workers while the code runs
sub trace_of
{
	my ($s, $options, $code) = @_;

	return trace_of_pids([$s->worker_pids], $options, $s->dir . '/trace.' . Time::HiRes::time(), $code);
}

# trace_of_pids(pids, options, file, code) - the same of these processes, in this file, which the code is given
sub trace_of_pids
{
	my ($traced, $options, $file, $code) = @_;
	my @pids = @$traced;
	my $tracer = fork // die "fork: $!";

	if (!$tracer) {
		open STDERR, '>', '/dev/null';
		exec Berth::Test::have_program('strace'), '-f', '-qq', '-s', '0', @$options, '-o', $file, map { ('-p', $_) } @pids or POSIX::_exit(127);
	}
	# Who has all of them waits for their calls: one that it has not stopped yet would make some unseen.
	my $on = Berth::Test::wait_for(sub { @pids == grep({ traced($_) } @pids) && sleeps($tracer) });
	my $fault = eval { die "the processes cannot be traced\n" if !$on; $code->($file); 1 } ? '' : $@;
	# A worker has answered before it closes the connection: on a busy machine another one may have been faster with all that follows.
	Berth::Test::wait_for(sub { !grep { !sleeps($_) } @pids }) if !$fault;
	kill INT => $tracer;
	waitpid $tracer, 0;
	die $fault if $fault;
	return $file;
}

# is_work - a line of a system call that is begun, and that does not wait for a request
sub is_work { return $_[0] =~ /^\d+ +(?:[\d.]+ )?(?!ppoll|poll|epoll_wait|restart_syscall|rt_sig)\w+\(/ }

# calls_of(server, code) - the system calls that all workers together make while the code runs, as costs_of() counts them
sub calls_of { return costs_of(@_)->{calls} }

# costs_of(server, code) - { calls: without those in which they wait for requests, and without what libfcgi reads from its peer, which
# comes in as many pieces as it comes; syncs: those that flush; bytes: read from files; shutdowns: ends of a connection after which
# libfcgi waits for its peer }
sub costs_of
{
	my ($s, $code) = @_;
	my $file = trace_of($s, ['-ttt', '-y'], $code);
	my %n = (calls => scalar(grep { is_work($_) && !/^\d+ +[\d.]+ (?:read|accept4?)\(\d+<(?:socket|UNIX)/ } split /\n/, Berth::Test::slurp($file)), syncs => 0, bytes => 0, shutdowns => 0);

	for (traced_calls($file)) {
		my (undef, undef, $name, $args, $result) = @$_;
		$n{syncs}++ if $name =~ /^(?:f(?:data)?sync|syncfs|sync|msync)$/ || ($name eq 'sync_file_range' && $args =~ /WAIT_AFTER/);
		$n{shutdowns}++ if $name eq 'shutdown';
		$n{bytes} += $result if $name =~ /^(?:p?read(?:64|v|v2)?|copy_file_range)$/ && $args =~ m{^\d+</};
	}
	return \%n;
}

# new_second - wait for the beginning of a second: what was made young in the last one is made young again, which costs calls
sub new_second { return Time::HiRes::sleep(1.05 - (Time::HiRes::time() - int Time::HiRes::time())) }

# costs_beside(good, sides...) - what something costs on each side, { at => server, make, do }: `do` is given what `make` gives, and is true
# if it went well. It is done once without counting, so that what is made once is there; then counted, until the code, which is given the
# costs, says that they are good: what a busy machine adds or spares, it does not each time. Each side begins in a new second.
sub costs_beside
{
	my ($good, @sides) = @_;
	my @is;

	for my $try (0 .. 6) {
		my @with = map { [$_->{make} ? $_->{make}->() : ()] } @sides;
		my $last;

		for my $i (0 .. $#sides) {
			my ($at, $ok) = ($sides[$i]{at});
			my $do = sub {
				# for a server that has done nothing in this second it is a new one
				new_second() if $try && (!$last || $last == $at || Time::HiRes::time() - int Time::HiRes::time() > 0.5);
				$ok = $sides[$i]{do}->(@{ $with[$i] });
			};

			$try ? ($is[$i] = costs_of($at, $do)) : $do->();
			die "not what it has to be\n" if !$ok;
			$last = $at;
		}
		last if $try && $good->(@is);
	}
	return @is;
}

1;
