# SPDX-License-Identifier: Apache-2.0
#
# Berth::Bench::Stream: one client that pulls one large blob: two rows, and a study of what its time hangs on. curl is the
# client, for it reads as clients do: in small pieces, each of which it copies.
package Berth::Bench::Stream;

use strict;
use warnings;

use List::Util qw(max min shuffle sum0);
use POSIX ();

use Berth::Test;
use Berth::Bench;
use Berth::Bench::Report;
use Berth::Bench::Sides;
use Berth::Bench::Veth;

my $PAIRS = 3;          # in each round
my $TRIES = 8;          # of each variation of the study

# pull - seconds that one curl needs; words may come before it
sub pull
{
	my ($url, $size, @words) = @_;
	my $r = run(@words, 'curl', '-sS', '--fail', '-o', '/dev/null', '-w', '%{time_total} %{size_download}', $url);
	my ($s, $bytes) = $r->{out} =~ /^([\d.]+) (\d+)/;

	die "curl $url: $r->{err}" if $r->{status} || $bytes != $size;
	return $s;
}

# veth - a client at the other end of one; kept until the group ends
sub veth { my ($b) = @_; return $b->once('the veth', sub { Berth::Bench::Veth->start }) }

# stream - seconds for a GiB; the limit is nginx sending the same file, with the best options that were found
sub stream
{
	my ($across) = @_;

	return sub {
		my ($b, $side) = @_;
		my ($file, $digest) = Berth::Bench::Sides::stream_file($b);
		my ($hex) = $digest =~ /:(.*)/;
		my $veth = $across ? veth($b) : undef;
		my $s = side_of($b, $side, store => 'stream', shared => 1, limits => 1, $veth ? (as => 'veth', address => $veth->address) : ());
		my $path = $side eq 'limit' ? '/bare/blobs/sha256/' . substr($hex, 0, 2) . "/$hex/data" : "/v2/stream/app/blobs/$digest";
		my $url = $s->isa('Berth::Bench::Peer') ? $s->url . $s->path($path) : 'http://' . ($veth ? $veth->address : '127.0.0.1') . ':' . $s->port . $path;
		my @login = $s->isa('Berth::Bench::Peer') ? map { ('-H', $_) } $s->headers : ();
		return pull($url, -s $file, $veth ? $veth->words : ()) / ((-s $file) / 2**30) if !@login;
		my $r = run('curl', '-sS', '--fail', @login, '-o', '/dev/null', '-w', '%{time_total}', $url);
		die "curl: $r->{err}" if $r->{status};
		return $r->{out} / ((-s $file) / 2**30);
	};
}

# What the study varies: a name, what is said to nginx, its listen's options, or how it is asked.
my @VARIATIONS = (
	{ name => 'as berth sends it', nginx => 'sendfile on;', base => 1 },
	map({ { name => "sendfile_max_chunk $_", nginx => "sendfile on; sendfile_max_chunk $_;" } } qw(128k 512k 1m 8m)),
	map({ { name => "listen sndbuf=$_", nginx => 'sendfile on;', listen => "sndbuf=$_" } } qw(512k 1m 4m)),
	{ name => 'listen sndbuf=4m, sendfile_max_chunk 1m', nginx => 'sendfile on; sendfile_max_chunk 1m;', listen => 'sndbuf=4m' },
	{ name => 'aio threads', nginx => 'sendfile on; aio threads;' },
	{ name => 'aio threads, sendfile_max_chunk 1m', nginx => 'sendfile on; aio threads; sendfile_max_chunk 1m;' },
	{ name => 'tcp_nopush', nginx => 'sendfile on; tcp_nopush on;' },
	map({ { name => "sendfile off, output_buffers $_", nginx => "sendfile off; output_buffers $_;" } } '2 32k', '2 256k', '2 1m'),
	{ name => 'sendfile off, aio threads, output_buffers 2 1m', nginx => 'sendfile off; aio threads; output_buffers 2 1m;' },
	# the same options; what differs is the machine
	{ name => 'curl on the core of nginx', nginx => 'sendfile on;', cpu => 'same' },
	{ name => 'curl on another core than nginx', nginx => 'sendfile on;', cpu => 'other' },
	{ name => 'a file written just before', nginx => 'sendfile on;', fresh => 1 },
	{ name => 'a core that is busy', nginx => 'sendfile on;', busy => 1 },
);

# Berth::Bench::Stream::Nginx: one nginx of one process that serves a directory on a port for each variation.
{
	package Berth::Bench::Stream::Nginx;

	sub start
	{
		my ($class, $dir, $root, $address, @variations) = @_;
		my $self = bless { owner => $$, dir => $dir }, $class;
		my $servers = '';

		mkdir $dir;
		for my $v (@variations) {
			$v->{port} = Berth::Server::free_port();
			$servers .= "server { listen $address:$v->{port} " . ($v->{listen} // '') . "; root $root; $v->{nginx} }\n";
		}
		Berth::Test::spew("$dir/nginx.conf", ($> == 0 ? "user root;\n" : '') . "worker_processes 1;\npid $dir/pid;\nerror_log stderr warn;\nevents { worker_connections 64; }\n"
			. "http { access_log off; client_body_temp_path $dir/body; proxy_temp_path $dir/proxy; fastcgi_temp_path $dir/fastcgi; uwsgi_temp_path $dir/uwsgi;\n"
			. "scgi_temp_path $dir/scgi;\n$servers}\n");
		$self->{pid} = fork // die "fork: $!";
		if (!$self->{pid}) {
			open STDERR, '>', "$dir/log";
			exec Berth::Server::guard(), Berth::Test::have_program('nginx'), '-p', $dir, '-e', 'stderr', '-c', "$dir/nginx.conf", '-g', 'daemon off;'
				or POSIX::_exit(127);
		}
		Berth::Test::wait_for(sub { -s "$dir/pid" && Berth::Server::children($self->{pid}) }) or die "nginx does not start\n";
		return $self;
	}

	# worker - the process that sends
	sub worker { my ($self) = @_; return (Berth::Server::children($self->{pid}))[0] }

	sub stop
	{
		my ($self) = @_;
		my $pid = delete $self->{pid} or return;

		return if $$ != $self->{owner};
		kill TERM => $pid;
		waitpid $pid, 0;
		return;
	}

	sub DESTROY { my ($self) = @_; local ($?, $@, $!); return $self->stop }
}

# switches - how often a process and its threads have waited so far, and how often they were interrupted
sub switches
{
	my ($pid) = @_;
	my ($waited, $interrupted) = (0, 0);

	for my $file (glob "/proc/$pid/task/*/status") {
		my $text = eval { slurp($file) } // next;
		$waited += $1 if $text =~ /^voluntary_ctxt_switches:\s+(\d+)/m;
		$interrupted += $1 if $text =~ /^nonvoluntary_ctxt_switches:\s+(\d+)/m;
	}
	return ($waited, $interrupted);
}

# busy - something that takes one core for itself until it is ended
sub busy
{
	my $pid = fork // die "fork: $!";

	if (!$pid) {
		exec Berth::Server::guard(), 'sh', '-c', 'while :; do :; done' or POSIX::_exit(127);
	}
	return $pid;
}

# try_once - one pull of one variation: { seconds, cpu (of the sender), waited, interrupted } for a GiB
sub try_once
{
	my ($b, $v, $sender, $url, $file, @words) = @_;
	my $gib = (-s $file) / 2**30;
	my $cores = () = slurp('/proc/cpuinfo') =~ /^processor/mg;
	my $spinner = $v->{busy} ? busy() : undef;

	if ($v->{fresh}) {
		run('cp', $file, "$file.fresh")->{status} == 0 or die "cannot copy $file\n";
		rename "$file.fresh", $file or die "$file: $!";
	}
	run('taskset', '-cp', $v->{cpu} ? '0' : '0-' . ($cores - 1), $sender);
	unshift @words, 'taskset', '-c', $v->{cpu} eq 'same' ? '0' : '1' if $v->{cpu};
	my @before = (Berth::Bench::cpu($sender), switches($sender));
	my $seconds = eval { pull($url, -s $file, @words) };
	my $fault = $@;
	my @after = (Berth::Bench::cpu($sender), switches($sender));
	if ($spinner) {
		kill KILL => $spinner;
		waitpid $spinner, 0;
	}
	die $fault if !defined $seconds;
	return { seconds => $seconds / $gib, map { (qw(cpu waited interrupted))[$_] => ($after[$_] - $before[$_]) / $gib } 0 .. 2 };
}

# study_over - all variations, each beside docker-registry in pairs: rows of a table
sub study_over
{
	my ($b, $veth) = @_;
	my $store = store_of($b, 'stream', 'both');
	my (undef, $digest) = Berth::Bench::Sides::stream_file($b);
	my $file = Berth::Check::blob_file($store, $digest);
	my ($root, $name) = $file =~ m{^(.*)/([^/]*)$};
	my $address = $veth ? $veth->address : '127.0.0.1';
	my @words = $veth ? $veth->words : ();
	my $nginx = Berth::Bench::Stream::Nginx->start("$b->{dir}/nginx-" . ($veth ? 'veth' : 'lo'), $root, $address, @VARIATIONS);
	my $other = side_of($b, 'other', store => 'stream', shared => 1, as => "study $address", address => $address);
	my %plain = (seconds => []);

	for my $n (1 .. $TRIES) {
		run('sync', '-f', $b->dir);
		for my $v (shuffle grep { !$_->{cpu} || $_->{cpu} ne 'other' || Berth::Bench::Sides::workers() > 2 } @VARIATIONS) {
			my $o = try_once($b, { %$v, cpu => undef, fresh => 0 }, $other->{serves}, 'http://' . $other->host . "/v2/stream/app/blobs/$digest", $file, @words);
			my $r = try_once($b, $v, $nginx->worker, "http://$address:$v->{port}/$name", $file, @words);
			push @{ $v->{tries} }, { %$r, ratio => $r->{seconds} / $o->{seconds} };
			push @{ $plain{seconds} }, $o->{seconds} if $v->{base};
			$b->progress(sprintf '  %d %-48s %.3f s, docker-registry %.3f s', $n, $v->{name}, $r->{seconds}, $o->{seconds});
		}
	}
	$nginx->stop;
	$b->forget;
	my @rows = map { my $v = $_; [$v->{name}, figures(@{ delete $v->{tries} })] } grep { $_->{tries} } @VARIATIONS;
	return (@rows, ['docker-registry', number(min @{ $plain{seconds} }), number(Berth::Bench::median(@{ $plain{seconds} })), number(max @{ $plain{seconds} }), '1', '', '', '']);
}

# figures - of one variation: least, median and greatest time, the median ratio, and what the sender did for a GiB
sub figures
{
	my (@tries) = @_;
	my %of = map { my $k = $_; $k => [map { $_->{$k} } @tries] } qw(seconds ratio cpu waited interrupted);

	return (number(min @{ $of{seconds} }), number(Berth::Bench::median(@{ $of{seconds} })), number(max @{ $of{seconds} }),
		map { number(Berth::Bench::median(@{ $of{$_} })) } qw(ratio cpu waited interrupted));
}

# study - tables in Markdown
sub study
{
	my ($b) = @_;
	my @head = ('nginx, one process', 's/GiB: min', 'median', 'max', 'of docker-registry\'s time', 'processor time, s', 'waits', 'interruptions');
	my $missing = Berth::Bench::Veth::missing();
	my $text = "**Over the loopback**\n\n" . grid(\@head, study_over($b));

	if ($missing) {
		$text .= "\nNot measured over a pair of virtual interfaces: $missing.\n";
	} else {
		my $veth = Berth::Bench::Veth->start;
		$text .= "\n**Between two network namespaces, over a pair of virtual interfaces**\n\n" . grid(\@head, study_over($b, $veth));
		$veth->stop;
	}
	$b->forget(1);
	return $text;
}

sub rows
{
	my ($b) = @_;
	my $mib = Berth::Bench::commas($b->scaled(1024));
	my @stream = (as => 'time', unit => 's/GiB', with => 'curl', repeat => $PAIRS, sides => [qw(berth other limit)], target => 1.05, either => 1,
		limit => { what => 'nginx, the same file', times => 1.05 });

	return (
		{ @stream, name => 'stream', group => 'stream', title => "pull of $mib MiB by one curl", mark => 1, peers => 'http', measure => stream(0) },
		{ @stream, name => 'stream-veth', group => 'stream-veth', title => 'the same, between two network namespaces', needs => \&Berth::Bench::Veth::missing,
			measure => stream(1) },
	);
}

1;
