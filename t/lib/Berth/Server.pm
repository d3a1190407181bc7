# SPDX-License-Identifier: Apache-2.0
#
# Berth::Server: real workers and a real nginx in a temporary directory, on a free port of 127.0.0.1.
#
#   my $b = Berth::Server->start(config => "delete = true;\n", workers => 4);
#   my $r = $b->req(GET => '/v2/');
#
# All that it starts ends, by pid, and its directory goes, when the object does or the test ends in whatever way.
package Berth::Server;

use strict;
use warnings;

use Cwd ();
use Digest::SHA ();
use Errno qw(EINTR EAGAIN);
use Fcntl ();
use File::Find ();
use File::Path ();
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX ();
use Scalar::Util ();
use Test::Builder;
use Time::HiRes ();

use Berth::Response;

my %servers;            # those alive, by address, weak
my $owner = $$;
my @port_names;         # see free_port()

# A test that is killed by a signal cleans up like one that ends, and says why it failed.
for my $sig (qw(TERM INT HUP)) {
	$SIG{$sig} //= sub { print STDERR "# SIG$sig has ended this test\n" if $$ == $owner; exit 1 };
}

# start: options
#   config          text of the configuration file (root is given with --root and so wins)
#   env             variables for the workers, { NAME => value }; no REGISTRY_* of the caller's gets through
#   workers         number of workers (4), and as many for writes
#   nginx_extra     text for nginx's server { }
#   nginx_args      more for nginx/render, [ 'with=limits', ... ], or code that returns it and is given nginx's port
#   remote_user     the variable of nginx that says who the user is, for REMOTE_USER: '$remote_user'
#   port            nginx's port, of free_port()
#   root            directory of the store, to go on with another server's or one on another file system
#   held            1: the test holds the sockets, as systemd does, and hands them to each master
#   args            more options of berth-fcgi, [ '--listen-relay', $path ]
#   older           an older version, of Berth::Older: its berth-fcgi, and nginx with its templates
#   wrap            words before berth-fcgi's own: ['strace', '-f', '-o', $file]
sub start
{
	my ($class, %o) = @_;
	my $dir = File::Temp::tempdir('berth-t.XXXXXX', TMPDIR => 1);
	my $self = bless { dir => Cwd::realpath($dir), pid => $$, workers => $o{workers} // 4, env => $o{env} // {},
		nginx_extra => $o{nginx_extra} // '', nginx_args => $o{nginx_args} // [], args => $o{args} // [], wrap => $o{wrap} // [], program => $o{program}, older => $o{older},
		remote_user => $o{remote_user} // '', held => $o{held}, want_port => $o{port} }, $class;

	chmod 0755, $dir;
	$servers{ 0 + $self } = $self;
	Scalar::Util::weaken($servers{ 0 + $self });
	$self->{root} = $o{root} // "$self->{dir}/store";
	$self->config($o{config} // '');
	$self->{sockets} = [ map { IO::Socket::UNIX->new(Local => $_, Listen => 1024) // die "$_: $!" } $self->worker_socket, $self->upload_socket, $self->write_socket ]
		if $self->{held};
	$self->start_workers;
	$self->start_nginx;
	return $self;
}

sub dir  { return $_[0]{dir} }
sub root { return $_[0]{root} }
sub port { return $_[0]{port} }
sub host { return "127.0.0.1:$_[0]{port}" }
sub url  { return "http://127.0.0.1:$_[0]{port}" }
sub master_pid { return $_[0]{real_master} }
sub nginx_pid  { return $_[0]{nginx} }
sub worker_socket { return "$_[0]{dir}/workers.sock" }
sub write_socket { return "$_[0]{dir}/writes.sock" }
sub relay_socket { return "$_[0]{dir}/relay.sock" }
sub upload_socket { return "$_[0]{dir}/uploads.sock" }
sub config_file { return "$_[0]{dir}/berth.conf" }

# Write the configuration file anew; a reload or a restart makes it count.
sub config
{
	my ($self, $text) = @_;

	Berth::Test::spew($self->config_file, $text);
	return;
}

sub spawn
{
	my ($self, $log, @cmd) = @_;
	my $sockets = ref $cmd[0] ? shift @cmd : undef;
	my $pid = fork // die "fork: $!";

	if (!$pid) {
		setpgrp 0, 0;           # a group, which can be ended as one when its first process is gone
		$SIG{$_} = 'DEFAULT' for qw(TERM INT HUP PIPE CHLD);
		delete $ENV{$_} for grep { /^(?:REGISTRY|BERTH|NGINX)_/ && $_ ne 'BERTH_SANITIZERS' } keys %ENV;
		$ENV{$_} = $self->{env}{$_} for keys %{ $self->{env} };
		open STDIN, '<', '/dev/null' or POSIX::_exit(127);
		open STDOUT, '>>', $log or POSIX::_exit(127);
		open STDERR, '>&', \*STDOUT or POSIX::_exit(127);
		hand_over($sockets) if $sockets;
		@cmd = gated($self->{gate}, @cmd);
		{ no warnings; exec { $cmd[0] } @cmd }
		print STDERR "$cmd[0]: $!\n";
		STDERR->flush;
		POSIX::_exit(127);
	}
	return $pid;
}

# hand_over - in the child: listening sockets, as sd_listen_fds(3) says
sub hand_over
{
	my ($sockets) = @_;
	my @high = map { fcntl($_, Fcntl::F_DUPFD(), 10 + @$sockets) // POSIX::_exit(127) } @$sockets;

	POSIX::dup2($high[$_], 3 + $_) // POSIX::_exit(127) for 0 .. $#high;
	POSIX::close($_) for @high;
	$ENV{LISTEN_PID} = $$;
	$ENV{LISTEN_FDS} = @high;
	return;
}

# gate - what is launched while a server has a gate begins when gate_open() is called: so two begin at once, and what it costs
# to copy and clear this process for them does not count. Until then a shell waits; it ends where this process is gone.
sub gate
{
	pipe my $out, my $in or die "pipe: $!";
	return [$out, $in];
}

sub gate_open { my ($gate) = @_; syswrite $gate->[1], "go\n" x 8; return }

# gated - in the child: the words that wait
sub gated
{
	my ($gate, @cmd) = @_;

	return @cmd if !$gate;
	fcntl $gate->[0], Fcntl::F_SETFD(), 0;         # it may be 3 itself
	POSIX::dup2(fileno $gate->[0], 3) // POSIX::_exit(127);
	return ('/bin/sh', '-c', 'read -r _ <&3 && exec "$@" 3<&-', 'sh', @cmd);
}

# Should this test be killed with -9, the kernel ends what it started.
sub guard
{
	my $setpriv = Berth::Test::have_program('setpriv');

	return $setpriv ? ($setpriv, '--pdeathsig', 'TERM', '--') : ();
}

# launch_workers, launch_nginx - the processes alone, not waited for
sub launch_workers
{
	my ($self) = @_;
	my @cmd = (guard(), @{ $self->{wrap} }, $self->{older} ? $self->{older}->program('berth-fcgi') : $self->{program} // Berth::Test::program('berth-fcgi'),
		'--config', $self->config_file, '--root', $self->{root}, '--workers', $self->{workers});

	push @cmd, @{ $self->{args} };
	push @cmd, '--listen', $self->worker_socket, '--listen-writes', $self->write_socket, '--listen-uploads', $self->upload_socket if !$self->{held};
	$self->{master} = $self->spawn("$self->{dir}/berth.log", $self->{sockets} // (), @cmd);
	delete $self->{master_status};
	return $self->{real_master} = $self->{master};
}

sub launch_nginx
{
	my ($self) = @_;
	my $run = "$self->{dir}/nginx";

	unlink "$self->{dir}/monitor.sock";     # of one that was killed
	$self->{nginx} = $self->spawn("$self->{dir}/nginx.log", guard(), Berth::Test::have_program('nginx'), '-p', $run, '-e', 'stderr',
		'-c', "$run/nginx.conf", '-g', 'daemon off;');
	delete $self->{nginx_status};
	return $self->{nginx};
}

sub start_workers
{
	my ($self) = @_;
	my @before = $self->log;

	$self->launch_workers;
	Berth::Test::wait_for(sub {
		my @log = $self->log;
		splice @log, 0, scalar @before;
		return 1 if grep { /"event":\s*"ready"/ } @log;
		die "berth-fcgi did not start:\n" . join("\n", @log) . "\n" if !$self->master_alive;
		return 0;
	}) or die "berth-fcgi was not ready in time:\n" . join("\n", $self->log) . "\n";
	# what wraps the master is its parent, or has become it; signals are for it
	my @pid = map { /"event":\s*"ready",\s*"pid":\s*(\d+)/ } $self->log;
	$self->{real_master} = @{ $self->{wrap} } ? $pid[-1] : $self->{master};
	$self->wait_for_workers(scalar @before) if !$self->{older};
	return $self->{real_master};
}

# wait_for_workers - a master says that it is ready before it makes its workers: until there are as many as it says behind so many lines of
# the log, or some have failed
sub wait_for_workers
{
	my ($self, $from) = @_;

	Berth::Test::wait_for(sub {
		my @log = $self->log;
		splice @log, 0, $from;
		return 1 if !$self->master_alive || grep { /"event":"(?:worker_failed|worker_died|fork)"/ } @log;
		my ($least) = map { /"event":"ready".*, (\d+) workers, (\d+) for writes, (\d+) for uploads"/ ? $1 + $2 + $3 : () } @log;
		return $self->worker_pids >= ($least // 0);
	});
	return;
}

# The settings that nginx has to know, as berth itself reports them; the addresses are the test's.
sub settings
{
	my ($self) = @_;
	my $r = Berth::Test::run({ env => $self->{env} }, Berth::Test::program('berth'), '--config', $self->config_file,
		'--root', $self->{root}, 'config', 'show');

	die "berth config show: $r->{err}\n" if $r->{status};
	my ($script) = map { "$_/nginx/render" } Berth::Test::source_dir();
	my $l = Berth::Test::run({ stdin => $r->{out} }, $script, '--settings');
	die "nginx/render --settings: $l->{err}\n" if $l->{status};
	return grep { !/^(?:root|listen|monitor)=/ } split /\n/, $l->{out};
}

sub start_nginx
{
	my ($self) = @_;
	Berth::Test::have_program('nginx') or die "nginx is not installed\n";
	my $run = "$self->{dir}/nginx";
	my @settings = $self->{older} ? () : $self->settings;
	my $source = $self->{older} ? $self->{older}->source : Berth::Test::source_dir();
	my $args = $self->{nginx_args};

	for my $try (1 .. 20) {
		$self->{port} = $self->{want_port} // free_port();
		my $r = Berth::Test::run("$source/nginx/render", $run, "listen=127.0.0.1:$self->{port}",
			"root=$self->{root}", 'workers=unix:' . $self->worker_socket, 'writes=unix:' . $self->write_socket,
			'uploads=unix:' . $self->upload_socket,
			"monitor=unix:$self->{dir}/monitor.sock", @settings, "extra=$self->{nginx_extra}", "remote_user=$self->{remote_user}",
			ref $args eq 'CODE' ? $args->($self->{port}) : @$args);
		die "nginx/render: $r->{err}\n" if $r->{status};
		# On a busy machine a worker may stand still for longer than whoever watches waits.
		my $monitor = "$run/with-monitor-http.conf";
		Berth::Test::spew($monitor, Berth::Test::slurp($monitor) =~ s/_read_timeout \K5s;/60s;/gr) if -e $monitor;
		$self->launch_nginx;
		my $up = Berth::Test::wait_for(sub { !$self->nginx_alive || -s "$run/nginx.pid" && $self->listens });
		if ($up && $self->nginx_alive) {
			$self->{want_port} = $self->{port};
			return $self->{nginx};
		}
		my $said = join "\n", $self->error_log;
		die "nginx did not start:\n$said\n" if $said !~ /Address already in use/ || $self->{want_port};
	}
	die "no free port\n";
}

# free_port - a port of 127.0.0.1 that nobody listens on, for this process alone until it ends, so that one that is restarted
# finds it free, too. It lies below those that the kernel gives to clients. What keeps other tests off is the name of a socket,
# which belongs to the network namespace, as ports do.
sub free_port
{
	for (1 .. 10_000) {
		my $port = 20_000 + int rand 12_000;
		my $name = IO::Socket::UNIX->new(Local => "\0berth-test-port-$port", Type => IO::Socket::UNIX::SOCK_STREAM()) or next;
		IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => $port) or next;
		push @port_names, $name;
		return $port;
	}
	die "no free port\n";
}

sub listens
{
	my ($self) = @_;

	return defined IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Timeout => 5);
}

# Has a child of ours ended? Its wait status is kept.
sub alive
{
	my ($self, $who) = @_;
	my $pid = $self->{$who} or return 0;

	return 0 if defined $self->{"${who}_status"};
	return kill(0, $pid) if $$ != $self->{pid};
	if (waitpid($pid, POSIX::WNOHANG()) == $pid) {
		$self->{"${who}_status"} = $?;
		return 0;
	}
	return 1;
}
sub master_alive { return $_[0]->alive('master') }
sub nginx_alive  { return $_[0]->alive('nginx') }

# Wait statuses ($?) of those that have ended.
sub master_status { return $_[0]{master_status} }
sub nginx_status  { return $_[0]{nginx_status} }

# Pids of the workers that live, of all kinds. The master has other children, too: a relay, one that writes bodies ahead, one that collects.
sub worker_pids
{
	my ($self) = @_;

	return grep { comm($_) eq 'berth-worker' } children($self->{real_master});
}

# writeout_pid - of the process that has the disk write large bodies while nginx receives them; none where there is none
sub writeout_pid
{
	my ($self) = @_;

	return (grep { comm($_) eq 'berth-writeout' } children($self->{real_master}))[0];
}

# at_work - how many processes of these kinds the master has, with those that may become one, since they have no name of their own yet
sub at_work
{
	my ($self, @kinds) = @_;
	my %is = map { ($_ => 1) } comm($self->{real_master}), map { "berth-$_" } @kinds;

	return scalar grep { $is{ comm($_) } } children($self->{real_master});
}

sub is_relay { my ($pid) = @_; return comm($pid) eq 'berth-relay' }

# comm - the name of a process; "" if it is gone
sub comm
{
	my ($pid) = @_;

	open my $h, '<', "/proc/$pid/comm" or return '';
	my $name = <$h> // '';
	chomp $name;
	return $name;
}

# processes - the pids of those, zombies excepted, of which the code says yes, given the parent's pid and the group
sub processes
{
	my ($wanted) = @_;
	my @pids;

	for my $file (glob '/proc/[0-9]*/stat') {
		open my $fh, '<', $file or next;
		my $line = <$fh> // next;
		my ($pid, $state, $parent, $group) = $line =~ /^(\d+) \(.*\) (\S) (\d+) (\d+)/s or next;
		push @pids, $pid if $state ne 'Z' && $wanted->($parent, $group);
	}
	@pids = sort { $a <=> $b } @pids;
	return @pids;
}

sub children { my ($parent) = @_; return processes(sub { $_[0] == $parent }) }

# findings - of the lines of a log what a sanitizer has reported, at most a hundred lines: those that are no event, since a report has many
sub findings
{
	my @report = grep { !/^\{/ } @_;

	return if !grep { /(?:Address|Leak|Undefined\w*|Memory)Sanitizer|runtime error:/ } @report;
	splice @report, 100 if @report > 100;
	return @report;
}

sub log_file { return "$_[0]{dir}/berth.log" }
sub log { my ($self) = @_; return lines($self->log_file) }
sub error_log { my ($self) = @_; return lines("$self->{dir}/nginx.log") }

# access_log - with the line of each request whose answer is here: nginx writes it after that, before it sleeps again
sub access_log
{
	my ($self) = @_;

	for my $pid ($self->{nginx} && $self->nginx_alive ? children($self->{nginx}) : ()) {
		Berth::Test::wait_for(sub { open my $h, '<', "/proc/$pid/stat" or return 1; return (<$h> // '') !~ /^\d+ \(.*\) [RDT] /s });
	}
	return lines("$self->{dir}/nginx/access.log");
}

sub lines
{
	my ($file) = @_;

	return if !-e $file;
	return split /\n/, Berth::Test::slurp($file);
}

# The workers' log, and nginx's access log, decoded; a line that is no JSON comes as { not_json => line }. Who waits for a line reads all of them
# again and again: each is decoded once.
my %decoded;

sub decode
{
	%decoded = () if keys %decoded > 20_000;
	return map { my $l = $_; $decoded{$l} //= eval { JSON::PP->new->utf8->decode($l) } // { not_json => $l } } @_;
}

sub log_events { my ($self) = @_; return decode($self->log) }
sub access_events { my ($self) = @_; return decode($self->access_log) }

sub end
{
	my ($self, $who, $sig) = @_;
	my $pid = $self->{$who} or return;

	if ($self->alive($who)) {
		kill $sig, $self->{"real_$who"} // $pid;
		if (!Berth::Test::wait_for(sub { !$self->alive($who) })) {
			kill KILL => $pid;
			Berth::Test::wait_for(sub { !$self->alive($who) });
		}
	}
	# What it has left behind listens, and holds locks, until it has ended, too.
	if (($self->{"${who}_ended"} // 0) != $pid) {
		kill KILL => -$pid;
		Berth::Test::wait_for(sub { !processes(sub { $_[1] == $pid }) });
		$self->{"${who}_ended"} = $pid;
	}
	return $self->{"${who}_status"};
}

# Ends the workers (SIGTERM unless said otherwise) and waits for them; returns the master's wait status.
sub stop_workers { my ($self, $sig) = @_; return $self->end('master', $sig // 'TERM') }
sub stop_nginx   { my ($self, $sig) = @_; return $self->end('nginx', $sig // 'TERM') }

# kill -9 to all workers of now; the master replaces them. Returns their pids.
sub kill_workers
{
	my ($self) = @_;
	my @pids = $self->worker_pids;

	kill KILL => @pids;
	return @pids;
}

sub reload { my ($self) = @_; return kill HUP => $self->{real_master} }

# A reload; true when other workers serve, as many as before or, with a pool for a relay, more, and none of those before is left.
sub replace_workers
{
	my ($self) = @_;
	my $count = $self->worker_pids;
	my %old = map { ($_ => 1) } children($self->{real_master});     # one that has just been forked has not its name yet

	$self->reload;
	return Berth::Test::wait_for(sub { my @now = $self->worker_pids; @now >= $count && !grep { $old{$_} } @now });
}

# at_rest - wait until what the master has begun at its start, or at a reload after which new workers serve, is over: an eviction, a count for
# quotas. It has counted its workers when it has begun all that.
sub at_rest
{
	my ($self) = @_;

	Berth::Test::wait_for(sub { $self->watch('/metrics')->body =~ /^berth_workers\{pool="requests"\} [1-9]/m });
	Berth::Test::wait_for(sub { !$self->at_work(qw(evict recount collect)) });
	return;
}

sub restart
{
	my ($self) = @_;

	$self->stop_nginx('QUIT');
	$self->stop_workers;
	$self->start_workers;
	$self->start_nginx;
	return;
}

sub stop
{
	my ($self) = @_;

	return if $$ != $self->{pid} || $self->{stopped}++;
	$self->stop_nginx;
	$self->stop_workers;
	# A sanitizer's finding fails the test in which it was made. After done_testing there can be no more tests: the status says it then.
	my @found = findings($self->log);
	if (@found) {
		my $tb = Test::Builder->new;
		if (defined $tb->has_plan) {
			$tb->diag('A sanitizer has found something:');
			$Berth::Server::failed = 1;
		} else {
			$tb->ok(0, 'the sanitizers have nothing to say');
		}
		$tb->diag($_) for @found;
	}
	if (!Test::Builder->new->is_passing && $ENV{BERTH_TEST_VERBOSE}) {
		my $tb = Test::Builder->new;
		$tb->diag($_) for $self->log, $self->error_log;
	}
	File::Path::remove_tree($self->{dir}) if !$ENV{BERTH_TEST_KEEP};
	delete $servers{ 0 + $self };
	return;
}

sub DESTROY
{
	my ($self) = @_;
	local ($?, $@, $!);

	$self->stop if $$ == $self->{pid};
	return;
}

sub stop_all
{
	for my $s (values %servers) {
		eval { $s->stop } if $s;
	}
	return;
}

our $failed;
END {
	if ($$ == $owner) {
		my $status = $?;
		stop_all();
		$? = $status || ($failed ? 1 : 0);
	}
}

# A connected socket, for requests made by hand; from another address of the loopback, if one is given.
sub sock
{
	my ($self, $from) = @_;
	my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Proto => 'tcp', Timeout => 60,
		$from ? (LocalAddr => $from) : ())
		or die 'cannot connect to ' . $self->host . ": $!\n";

	binmode $s;
	$s->autoflush(1);
	return $s;
}

# Send bytes, say no more, wait until the server closes (or for the timeout, 30 s). What is returned is all that came
# where it is used as text, and the first answer where it is used as a Berth::Response.
sub raw
{
	my ($self, $bytes, $timeout) = @_;
	my $s = $self->sock;
	my $end = Time::HiRes::time() + ($timeout // 30);
	my $sel = IO::Select->new($s);
	my $got = '';

	local $SIG{PIPE} = 'IGNORE';
	for (my $off = 0; $off < length $bytes;) {
		my $n = syswrite $s, $bytes, 1 << 16, $off;
		last if !$n;
		$off += $n;
	}
	while (1) {
		my $left = $end - Time::HiRes::time();
		last if $left <= 0 || !$sel->can_read($left);
		last if !sysread $s, $got, 1 << 16, length $got;
	}
	return Berth::Response->parse($got);
}

# One HTTP/1.1 request on a connection of its own. The path is sent as it is, no byte of it changed; of a URL, as Location
# may be one, only the path is sent.
# Options:
#   headers  [ name => value, ... ]; Host and Connection: close come by themselves unless given (undef: leave it out)
#   body     bytes, or code that returns the next piece until it returns undef or ''
#   chunked  1: Transfer-Encoding: chunked; else Content-Length is set where body is a string (with code: give it)
#   http     '1.0' for an old client
#   from     the client's address: 127.0.0.1, or another of 127.0.0.0/8
#   timeout  seconds (60)
# The body is sent while an answer is waited for; one that comes early ends the sending.
sub req
{
	my ($self, $method, $path, %o) = @_;
	my $began = Time::HiRes::time();
	$path =~ s{^https?://[^/]*(?=/)}{};
	my @headers = @{ $o{headers} // [] };
	my $given = sub { my ($n) = @_; my @h = @headers; while (my ($k) = splice @h, 0, 2) { return 1 if lc $k eq $n } 0 };
	my ($body, $sent) = ($o{body}, 0);

	push @headers, Host => $self->host if !$given->('host');
	push @headers, Connection => 'close' if !$given->('connection');
	if ($o{chunked}) {
		push @headers, 'Transfer-Encoding' => 'chunked';
	} elsif (defined $body && !ref $body && !$given->('content-length')) {
		push @headers, 'Content-Length' => length $body;
	}
	my $out = "$method $path HTTP/" . ($o{http} // '1.1') . "\r\n";
	while (my ($k, $v) = splice @headers, 0, 2) {
		$out .= "$k: $v\r\n" if defined $v;
	}
	$out .= "\r\n";
	my $done = 0;
	my $next;
	if (!defined $body) {
		$next = sub { return };
	} elsif (ref $body) {
		$next = $body;
	} else {
		my $off = 0;
		$next = sub {
			my $piece = substr $body, $off, 1 << 18;
			$off += length $piece;
			return $piece;
		};
	}
	my $more = sub {
		return if $done;
		my $piece = $next->();
		if (!defined $piece || $piece eq '') {
			$done = 1;
			return $o{chunked} ? "0\r\n\r\n" : undef;
		}
		$sent += length $piece;
		return $o{chunked} ? sprintf("%x\r\n", length $piece) . $piece . "\r\n" : $piece;
	};

	local $SIG{PIPE} = 'IGNORE';
	my $s = $o{sock} // $self->sock($o{from});
	my $sel = IO::Select->new($s);
	my $end = Time::HiRes::time() + ($o{timeout} // 60);
	$s->blocking(0);
	while (1) {
		if ($out eq '') {
			my $piece = $more->();
			last if !defined $piece;
			$out = $piece;
		}
		my $left = $end - Time::HiRes::time();
		die "timeout: the request is not taken\n" if $left <= 0;
		my ($r, $w) = IO::Select->select($sel, $sel, undef, $left);
		last if $r && @$r;              # an answer, or the end, before all is sent
		next if !$w || !@$w;
		my $n = syswrite $s, $out, 1 << 18;
		if (!defined $n) {
			next if $! == EINTR || $! == EAGAIN;
			last;                   # closed: what it said before is read below
		}
		substr($out, 0, $n) = '';
	}
	$s->blocking(1);
	my $r = Berth::Response->read($s, method => $method, timeout => $end - Time::HiRes::time(),
		$o{rest} ? (rest => $o{rest}) : ());
	die "$method " . substr($path, 0, 100) . ": closed without an answer\n" if !$r && !$o{may_close};
	if ($r) {
		$r->{seconds} = Time::HiRes::time() - $began;
		$r->{sent} = $sent;
	}
	return $r;
}

# A request to the listener that is for who watches over the registry: /readyz, /metrics
sub watch
{
	my ($self, $path, %o) = @_;
	my $s = IO::Socket::UNIX->new(Peer => "$self->{dir}/monitor.sock") or die "cannot connect to $self->{dir}/monitor.sock: $!\n";

	return $self->req($o{method} // 'GET', $path, %o, sock => $s);
}

# Push one blob with POST and PUT, both of which must succeed; returns its digest.
sub push_blob
{
	my ($self, $repo, $bytes) = @_;
	my $digest = Berth::Test::sha256($bytes);
	my $post = $self->req(POST => "/v2/$repo/blobs/uploads/", headers => [ 'Content-Length' => 0 ]);

	die 'POST: ' . $post->as_string if $post->status != 202;
	my $put = $self->req(PUT => $post->header('Location') . "&digest=$digest", body => $bytes,
		headers => [ 'Content-Type' => 'application/octet-stream' ]);
	die 'PUT: ' . $put->as_string if $put->status != 201;
	return $digest;
}

my %types = (
	docker => [ 'application/vnd.docker.distribution.manifest.v2+json', 'application/vnd.docker.container.image.v1+json',
		'application/vnd.docker.image.rootfs.diff.tar.gzip' ],
	oci => [ 'application/vnd.oci.image.manifest.v1+json', 'application/vnd.oci.image.config.v1+json',
		'application/vnd.oci.image.layer.v1.tar+gzip' ],
);

# Text of an image manifest; layers and config are bytes (of blobs that are pushed, or not). Returns (json, media type).
sub image_manifest
{
	my ($self, %o) = @_;
	my ($type, $ctype, $ltype) = @{ $types{ $o{type} // 'docker' } };
	my $desc = sub {
		my ($t, $bytes) = @_;
		return sprintf '{"mediaType":"%s","size":%d,"digest":"%s"}', $t, length $bytes, Berth::Test::sha256($bytes);
	};
	my $json = sprintf '{"schemaVersion":2,"mediaType":"%s","config":%s,"layers":[%s]%s}', $type,
		$desc->($ctype, $o{config} // '{}'), join(',', map { $desc->($ltype, $_) } @{ $o{layers} // [] }),
		$o{more} // '';

	return ($json, $type);
}

sub push_manifest
{
	my ($self, $repo, $ref, $json, $type) = @_;

	return $self->req(PUT => "/v2/$repo/manifests/$ref", body => $json, headers => [ 'Content-Type' => $type ]);
}

# Push an image: its layers (bytes each; one random layer unless given), its config, its manifest under the tag.
# Options: layers, config, type => 'docker' (default) or 'oci', more => JSON text to end the manifest with, as
# ',"annotations":{}'. Returns (digest, manifest).
sub push_image
{
	my ($self, $repo, $tag, %o) = @_;

	$o{layers} //= [ Berth::Test::random_bytes(1000) ];
	$o{config} //= sprintf '{"architecture":"amd64","os":"linux","t":"%s %d"}', $tag // '', rand 2**31;
	$self->push_blob($repo, $_) for @{ $o{layers} }, $o{config};
	my ($json, $type) = $self->image_manifest(%o);
	my $digest = Berth::Test::sha256($json);
	my $put = $self->push_manifest($repo, $tag // $digest, $json, $type);
	die 'PUT manifest: ' . $put->as_string if $put->status != 201;
	return ($digest, $json);
}

# A digest over every path, mode and content below docker/ in the store: the same before and after means that nothing
# was changed.
sub tree_digest
{
	my ($self) = @_;
	my $sha = Digest::SHA->new(256);
	my $top = "$self->{root}/docker";
	my @paths;

	return 'empty' if !-d $top;
	File::Find::find({ no_chdir => 1, wanted => sub { push @paths, $File::Find::name } }, $top);
	for my $path (sort @paths) {
		my @st = lstat $path or next;
		$sha->add(sprintf "%s\0%o\0", substr($path, length $top), $st[2]);
		if (Fcntl::S_ISREG($st[2])) {
			$sha->add("$st[7]\0");
			$sha->addfile($path, 'b');
		} elsif (Fcntl::S_ISLNK($st[2])) {
			$sha->add(readlink($path) . "\0");
		}
	}
	return $sha->hexdigest;
}

# Where a blob's bytes lie, by its digest.
sub blob_path
{
	my ($self, $digest) = @_;
	my ($alg, $hex) = split /:/, $digest;

	return sprintf '%s/docker/registry/v2/blobs/%s/%s/%s/data', $self->{root}, $alg, substr($hex, 0, 2), $hex;
}

1;
