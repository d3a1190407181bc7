# SPDX-License-Identifier: Apache-2.0
#
# Berth::FCGI: a small FastCGI client, to talk to the workers without nginx.
#
#   my $f = Berth::FCGI->new($b->worker_socket);            # path, or host:port
#   my $r = $f->request(params => { REQUEST_METHOD => 'GET', REQUEST_URI => '/v2/' }, stdin => '');
package Berth::FCGI;

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Time::HiRes ();

use constant {
	FCGI_BEGIN_REQUEST => 1, FCGI_ABORT_REQUEST => 2, FCGI_END_REQUEST => 3, FCGI_PARAMS => 4, FCGI_STDIN => 5,
	FCGI_STDOUT => 6, FCGI_STDERR => 7,
};

sub new
{
	my ($class, $address) = @_;

	return bless { address => $address }, $class;
}

# A fresh connection.
sub connect
{
	my ($self) = @_;
	my $a = $self->{address};
	my $sock = $a =~ m{/}
		? IO::Socket::UNIX->new(Peer => $a)
		: IO::Socket::INET->new(PeerAddr => $a, Proto => 'tcp');

	die "cannot connect to $a: $!\n" if !$sock;
	binmode $sock;
	return $sock;
}

# say_first - a fresh connection, and how many of these bytes went out on it. libfcgi hangs up on who says nothing in the first two seconds, as one
# that stands still: nobody has seen anything of it then, and it comes again.
sub say_first
{
	my ($self, $bytes) = @_;

	local $SIG{PIPE} = 'IGNORE';
	while (1) {
		my $sock = $self->connect;
		my $n = syswrite $sock, $bytes, 1 << 16;
		return ($sock, $n) if $n;
	}
}

# One record, as bytes.
sub record
{
	my ($type, $content, $id) = @_;

	$content //= '';
	return pack('CCnnCC', 1, $type, $id // 1, length $content, 0, 0) . $content;
}

# A stream (FCGI_PARAMS or FCGI_STDIN) as records, with the empty one that ends it.
sub stream
{
	my ($type, $bytes, $id) = @_;
	my $out = '';

	for (my $off = 0; $off < length $bytes; $off += 65528) {
		$out .= record($type, substr($bytes, $off, 65528), $id);
	}
	return $out . record($type, '', $id);
}

sub begin { my ($keep, $id) = @_; return record(FCGI_BEGIN_REQUEST, pack('nCx5', 1, $keep ? 1 : 0), $id) }

sub pairs
{
	my ($params) = @_;
	my $out = '';
	my @list = ref $params eq 'ARRAY' ? @$params : map { $_, $params->{$_} } sort keys %$params;

	while (my ($k, $v) = splice @list, 0, 2) {
		$out .= (length $_ < 128 ? pack('C', length $_) : pack('N', length($_) | 0x80000000)) for $k, $v;
		$out .= $k . $v;
	}
	return $out;
}

# head - a request up to its parameters: what it does not name is as nginx would say it of GET /v2/
sub head
{
	my ($keep, %params) = @_;
	my %defaults = (REQUEST_METHOD => 'GET', REQUEST_URI => '/v2/', SERVER_PROTOCOL => 'HTTP/1.1',
		REMOTE_ADDR => '127.0.0.1', REQUEST_SCHEME => 'http', CONTENT_LENGTH => '', CONTENT_TYPE => '',
		BERTH_REQUEST_ID => sprintf('%08x%08x', $$, int rand 2**31));

	return begin($keep) . stream(FCGI_PARAMS, pairs({ %defaults, %params }));
}

# One request on a connection of its own. params: a hash, or a list of pairs where order or repetition matters.
# Options: stdin => bytes, keep => 1 (FCGI_KEEP_CONN), timeout => s, sock => a connection made before.
# Returns a Berth::Response (status 200 where the worker names none) with {app_status}, {stderr} and {ended}.
sub request
{
	my ($self, %o) = @_;
	my $params = $o{params} // {};
	my $head = ref $params eq 'ARRAY' ? begin($o{keep}) . stream(FCGI_PARAMS, pairs($params)) : head($o{keep}, %$params);
	my $bytes = $head . stream(FCGI_STDIN, $o{stdin} // '');

	local $SIG{PIPE} = 'IGNORE';
	my ($sock, $begun) = $o{sock} ? ($o{sock}, 0) : $self->say_first($bytes);
	for (my $off = $begun; $off < length $bytes;) {
		my $n = syswrite $sock, $bytes, 1 << 16, $off;
		last if !$n;            # the worker may answer and close before it has read it all
		$off += $n;
	}
	return $self->read_answer($sock, $o{timeout}, (ref $params eq 'HASH' ? $params->{REQUEST_METHOD} : undef));
}

# Read records up to END_REQUEST or the end of the connection.
sub read_answer
{
	my ($self, $sock, $timeout) = @_;
	my $end = Time::HiRes::time() + ($timeout // 60);
	my $sel = IO::Select->new($sock);
	my ($buf, $out, $err, $ended, $app) = ('', '', '', 0, undef);

	while (!$ended) {
		my $left = $end - Time::HiRes::time();
		die "timeout: no answer from the worker\n" if $left <= 0 || !$sel->can_read($left);
		my $n = sysread $sock, $buf, 1 << 16, length $buf;
		last if !$n;
		while (length $buf >= 8) {
			my (undef, $type, undef, $len, $pad) = unpack 'CCnnCC', $buf;
			last if length $buf < 8 + $len + $pad;
			my $content = substr $buf, 8, $len;
			substr($buf, 0, 8 + $len + $pad) = '';
			if ($type == FCGI_STDOUT) {
				$out .= $content;
			} elsif ($type == FCGI_STDERR) {
				$err .= $content;
			} elsif ($type == FCGI_END_REQUEST) {
				$app = unpack 'N', $content;
				$ended = 1;
				last;
			}
		}
	}
	return if $out eq '' && !$ended;
	my ($head, $body) = $out =~ /\A(.*?\r?\n)\r?\n(.*)\z/s ? ($1, $2) : ('', $out);
	require Berth::Response;
	my $r = bless { head => $head, headers => Berth::Response::parse_headers($head), body => $body, version => '',
		app_status => $app, stderr => $err, ended => $ended, rest => $buf }, 'Berth::Response';
	my $status = $r->header('Status') // '200 OK';
	@$r{qw(status reason)} = $status =~ /^(\d{3}) ?(.*)$/;
	return $r;
}

1;
