# SPDX-License-Identifier: Apache-2.0
#
# Berth::RelayAlone: berth-relay by itself, between a scripted upstream and a worker that only notes what it is asked. The test takes nginx's place.
#
#   my $r = Berth::RelayAlone->start("upstreams = ( … );");                                 # , files => 64: it may have so many open
#   my $g = $r->get('/blob', up => 'up', repo => 'up/app', name => 'app', digest => $d);     # { status, headers, body, whole }
#   $r->handed                  what the worker was asked: { method, uri, type, body (its digest), size }
#   $r->worker_says(503)        from now on; 0: it hangs up
package Berth::RelayAlone;

use strict;
use warnings;

use IO::Select;
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX ();

use Berth::FCGI;
use Berth::Test;

my $json = JSON::PP->new->utf8->canonical;

sub start
{
	my ($class, $config, %o) = @_;
	my $self = bless { dir => tmp_dir(), pid => $$, files => $o{files} // '' }, $class;

	mkdir "$self->{dir}/store" or die $!;
	spew("$self->{dir}/berth.conf", "root = \"$self->{dir}/store\";\n$config\n");
	$self->worker_says(201);
	$self->{worker} = $self->_worker;
	$self->up;
	return $self;
}

sub up
{
	my ($self) = @_;
	my $pid = fork // die "fork: $!";

	if (!$pid) {
		delete @ENV{qw(http_proxy https_proxy all_proxy no_proxy HTTPS_PROXY ALL_PROXY NO_PROXY)};
		open STDERR, '>>', $self->log_file or POSIX::_exit(1);
		exec '/bin/sh', '-c', '[ -z "$0" ] || ulimit -n "$0"; exec "$@"', $self->{files}, program('berth-relay'), '--config', "$self->{dir}/berth.conf", '--workers', "$self->{dir}/workers", '--listen', "$self->{dir}/listen" or POSIX::_exit(1);
	}
	$self->{relay} = $pid;
	wait_for { IO::Socket::UNIX->new(Peer => "$self->{dir}/listen") } or die 'the relay does not listen: ' . slurp($self->log_file);
	return;
}

sub stop
{
	my ($self, $signal) = @_;
	my $pid = delete $self->{relay} or return;

	kill $signal // 'TERM', $pid;
	waitpid $pid, 0;
	return $?;
}

sub relay_pid { return $_[0]{relay} }
sub log_file { return "$_[0]{dir}/log" }
sub store { return "$_[0]{dir}/store" }
sub spooled { my ($self) = @_; my @all = glob "$self->{dir}/store/berth/body/relay-*"; return @all }
sub handed { my ($self) = @_; return -e "$self->{dir}/handed" ? map { $json->decode($_) } split /\n/, slurp("$self->{dir}/handed") : () }
sub forget { my ($self) = @_; unlink "$self->{dir}/handed"; return }
sub worker_says { my ($self, $status) = @_; spew("$self->{dir}/says.new", $status); rename "$self->{dir}/says.new", "$self->{dir}/says" or die $!; return }

# --- the worker's place

sub _worker
{
	my ($self) = @_;
	my $listen = IO::Socket::UNIX->new(Local => "$self->{dir}/workers", Listen => 64) or die "socket: $!";
	my $pid = fork // die "fork: $!";

	return $pid if $pid;
	local $SIG{PIPE} = 'IGNORE';
	while (my $c = $listen->accept) {
		binmode $c;
		$self->_serve($c);
	}
	POSIX::_exit(0);
}

sub _serve
{
	my ($self, $c) = @_;
	my ($buf, $params, $body) = ('', '', '');

	while (1) {
		sysread($c, $buf, 1 << 16, length $buf) or return;
		my $ended;
		while (length $buf >= 8) {
			my (undef, $type, undef, $len, $pad) = unpack 'CCnnCC', $buf;
			last if length $buf < 8 + $len + $pad;
			my $content = substr $buf, 8, $len;
			substr($buf, 0, 8 + $len + $pad) = '';
			$params .= $content if $type == 4;
			$body .= $content if $type == 5;
			$ended = 1 if $type == 5 && !$len;
		}
		last if $ended;
	}
	my %p;
	while (length $params) {
		my @len = map { my $n = unpack 'C', $params; my $long = $n > 127; substr($params, 0, $long ? 4 : 1, '') =~ /\A(.*)\z/s; $long ? unpack('N', $1) & 0x7fffffff : $n } 1, 2;
		my $name = substr $params, 0, $len[0], '';
		$p{$name} = substr $params, 0, $len[1], '';
	}
	$body = slurp("$self->{dir}/store/$p{BERTH_BODY_FILE}") if $p{BERTH_BODY_FILE};
	open my $fh, '>>', "$self->{dir}/handed" or die $!;
	syswrite $fh, $json->encode({ method => $p{REQUEST_METHOD}, uri => $p{REQUEST_URI}, type => $p{CONTENT_TYPE}, length => $p{CONTENT_LENGTH}, body => sha256($body),
		id => $p{BERTH_REQUEST_ID}, size => length $body }) . "\n";
	my $status = slurp("$self->{dir}/says") or return;
	my $out = "Status: $status X\r\nContent-Type: application/json\r\n\r\n{\"said\":$status}\n";
	syswrite $c, Berth::FCGI::record(6, $out) . Berth::FCGI::record(6, '') . Berth::FCGI::record(3, "\0" x 8);
	return;
}

# --- nginx's place

# begin - ask, and do not wait: for more() and end(). Options: -head => 1, -range => TEXT, -if_range => TEXT
sub begin
{
	my ($self, $path, %o) = @_;
	my $method = delete $o{-head} ? 'HEAD' : 'GET';
	my $range = delete $o{-range};
	my $if_range = delete $o{-if_range};
	my $sock = IO::Socket::UNIX->new(Peer => "$self->{dir}/listen") or die "no relay: $!";
	my $query = join '&', map { "$_=" . $o{$_} =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ger } sort keys %o;

	binmode $sock;
	syswrite $sock, "$method $path?$query HTTP/1.0\r\nHost: x\r\nConnection: close\r\nX-Request-Id: test-id\r\n" . ($range ? "Range: $range\r\n" : '') . ($if_range ? "If-Range: $if_range\r\n" : '') . "\r\n";
	return { sock => $sock, got => '', method => $method };
}

# more - read until so many bytes of the body are here, or the connection has ended; returns how many there are
sub more
{
	my ($self, $g, $wanted) = @_;

	while (!$g->{ended}) {
		my $at = index $g->{got}, "\r\n\r\n";
		last if $at >= 0 && length($g->{got}) - $at - 4 >= $wanted;
		IO::Select->new($g->{sock})->can_read(60) or die "nothing comes within a minute\n";
		$g->{ended} = 1 if !sysread $g->{sock}, $g->{got}, 1 << 18, length $g->{got};
	}
	my $at = index $g->{got}, "\r\n\r\n";
	return $at < 0 ? 0 : length($g->{got}) - $at - 4;
}

sub end
{
	my ($self, $g) = @_;
	my %r = (status => 0, headers => {}, body => '', whole => 0);

	$self->more($g, 9e15);
	my ($head, $body) = $g->{got} =~ /\A(.*?)\r\n\r\n(.*)\z/s or return \%r;
	($r{status}) = $head =~ m{^HTTP/1\.0 (\d+)};
	$r{headers}{ lc $1 } = $2 while $head =~ /^([\w-]+): *(.*?)\r?$/mg;
	$r{body} = $body;
	$r{whole} = $g->{method} eq 'HEAD' ? length $body == 0 : length $body == ($r{headers}{'content-length'} // length $body);
	return \%r;
}

sub get { my ($self, @ask) = @_; return $self->end($self->begin(@ask)) }

sub metrics
{
	my ($self) = @_;

	return { $self->get('/metrics')->{body} =~ /^(\S+) (\S+)$/mg };
}

sub DESTROY
{
	my ($self) = @_;
	local ($?, $@, $!);

	return if $$ != $self->{pid};
	$self->stop('KILL');
	kill KILL => $self->{worker};
	waitpid $self->{worker}, 0;
	return;
}

1;
