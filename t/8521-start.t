#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What the images run, as the first process of a namespace, as in a container: signals that come while it starts.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use Berth::Test;

need_program(qw(nginx unshare));
lacking('processes of a namespace of their own', 'it needs root') if $> != 0;
my $dir = tmp_dir();
my $port = Berth::Server::free_port();
my $text = slurp(source_dir() . '/docker/start');
my %place = ('/run/berth' => "$dir/run", '/usr/share/berth/nginx' => source_dir() . '/nginx');
$text =~ s/\Q$_\E/$place{$_}/g for sort keys %place;
spew("$dir/start", $text);
chmod 0755, "$dir/start";
mkdir "$dir/run";

sub begin
{
	my ($what) = @_;

	my $pid = fork // die "fork: $!";

	if (!$pid) {
		delete $ENV{$_} for grep { /^REGISTRY_/ } keys %ENV;
		@ENV{qw(PATH REGISTRY_HTTP_ADDR REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY)} = (build_dir() . ":$ENV{PATH}:/usr/sbin", "127.0.0.1:$port", "$dir/store");
		$SIG{$_} = 'DEFAULT' for qw(TERM INT HUP);
		open STDOUT, '>', "$dir/log" or POSIX::_exit(127);
		open STDERR, '>&', \*STDOUT or POSIX::_exit(127);
		# with a /proc of its own: LeakSanitizer looks for its process there, and fails if it finds none, or another one
		{ no warnings; exec qw(unshare --pid --fork --kill-child --mount-proc), "$dir/start", $what }
		POSIX::_exit(127);
	}
	return $pid;
}
my ($pid, $status);
END { kill KILL => $pid if $pid && !defined $status }

sub ended
{
	$status //= $? if waitpid($pid, POSIX::WNOHANG()) == $pid;
	return defined $status;
}
sub gone { return wait_for { ended() && "ended with $status" } }
sub say_it { my ($sig) = @_; return ended() ? 0 : kill $sig => Berth::Server::children($pid) }
sub reloads { return scalar(() = slurp("$dir/log") =~ /"event":"reload"/g) }

sub served
{
	my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") or return 0;

	print {$s} "GET /v2/ HTTP/1.0\r\n\r\n";
	return (<$s> // '') =~ / 200 /;
}

for my $try (1 .. 5) {
	$pid = begin('all');
	undef $status;
	wait_for { say_it('HUP'); say_it('USR2'); ended() || served() };
	my $before = reloads();
	say_it('HUP');
	ok +(wait_for { ended() || reloads() > $before }) && !ended(), "start $try, with SIGHUP and SIGUSR2 from its beginning on: the last is heard" or diag slurp("$dir/log");
	$before = reloads();
	say_it('HUP');
	wait_for { reloads() > $before };
	say_it('HUP');
	ok +(wait_for { ended() || reloads() > $before + 1 }) && !ended(), 'one that comes while the last one is seen to is heard, too' or diag slurp("$dir/log");
	ok served(), 'and it serves';
	say_it('TERM');
	is gone() // 'runs', 'ended with 0', 'SIGTERM ends it well' or diag slurp("$dir/log");
}

# SIGTERM at one moment of the start; what comes before bash takes care of it is lost, so it is said again until it has begun
for my $n (0 .. 9) {
	unlink "$dir/run/workers.sock";
	$pid = begin('all');
	undef $status;
	select undef, undef, undef, 0.05 * $n;
	my $heard = 0;
	my $say = sub { my $begun = -e "$dir/run/workers.sock"; $heard ||= say_it('TERM') && $begun; return ended() };
	ok wait_for(sub { $say->() }), "SIGTERM, moment $n: it ends" or diag slurp("$dir/log");
	is $status, 0, 'well';
}
done_testing;
