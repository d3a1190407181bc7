#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# No bytes of a body ever become a request: not as HTTP to nginx, not as FastCGI records to a worker; and no header of
# a client becomes one of the parameters that are nginx's word.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use IO::Select;

my $b = Berth::Server->start(workers => 1, config => "upload_workers = 1;\nlog = { level = \"debug\"; };\n");
my $f = Berth::FCGI->new($b->worker_socket);
my $u = Berth::FCGI->new($b->upload_socket);

# A whole request in FastCGI records, as an attacker would like a worker to see it.
sub forged
{
	my ($id, %more) = @_;
	my %params = (REQUEST_METHOD => 'GET', REQUEST_URI => "/v2/$id/tags/list", SERVER_PROTOCOL => 'HTTP/1.1',
		REMOTE_ADDR => '6.6.6.6', REMOTE_USER => 'admin', BERTH_REQUEST_ID => $id, CONTENT_LENGTH => '', %more);

	return Berth::FCGI::begin(1) . Berth::FCGI::stream(4, Berth::FCGI::pairs(\%params)) . Berth::FCGI::stream(5, '');
}

sub logged { my ($what) = @_; return scalar grep { /\Q$what\E/ } $b->log }

# is such a request seen in the log, if a worker takes it?
my $s = $f->connect;
syswrite $s, forged('control', REMOTE_ADDR => '127.0.0.1');
my $r = $f->read_answer($s);
close $s;
is($r->status, 404, 'a request in records is answered where it comes to the socket');
ok(wait_for { logged('control') }, '... and leaves its name in the log');

# 1. through nginx: records as body, in every way a body can come in
my $rec = forged('forged');
my $json = '{"schemaVersion":2}';
my $up = path_of($b->req(POST => '/v2/a/blobs/uploads/', headers => [ 'Content-Length' => 0 ])->header('Location'));
my @oci = ('Content-Type' => OCI_MANIFEST);
for my $pad (0, 1, 7, 8, 100, 8184, 8185, 16376) {
	my $body = ' ' x $pad . $rec x 3;
	for my $chunked (0, 1) {
		my %o = (body => $body, chunked => $chunked);
		my @r = (
			$b->req(PUT => '/v2/a/manifests/t', %o, headers => \@oci),
			$b->req(PUT => '/v2/a/manifests/t', %o, headers => [ 'Content-Type' => 'text/plain' ]),
			$b->req(PUT => '/v2/a/manifests/' . sha256('x'), %o, headers => \@oci),
			$b->req(GET => '/v2/_catalog', %o),
			$b->req(DELETE => '/v2/a/manifests/t', %o),
			$b->req(POST => '/v2/a/blobs/uploads/', %o),
			$b->req(POST => "/v2/a/blobs/uploads/?mount=" . sha256('x') . '&from=b', %o),
			$b->req(POST => '/v2/a/blobs/uploads/?digest=' . sha256('x'), %o),
			$b->req(PATCH => $up, %o),
			$b->req(BREW => '/v2/a/tags/list', %o),
		);
		is(join(' ', map { $_->status } @r), '400 400 400 200 405 202 202 400 202 405',
			"records in a body, $pad bytes into it" . ($chunked ? ', chunked' : '') . ': each request gets its own answer');
	}
}
is(logged('"forged"'), 0, 'no worker ever took them for a request');
is(logged('6.6.6.6'), 0, '... nor for anything else');

# 2. to the worker itself, with the flag that would keep the connection
for (['the main socket', $f], ['the uploads socket', $u]) {
	my ($where, $c) = @$_;
	for my $case (
		[ 'GET with a body', { REQUEST_METHOD => 'GET', REQUEST_URI => '/v2/' }, $rec ],
		[ 'a manifest that is refused', { REQUEST_METHOD => 'PUT', REQUEST_URI => '/v2/a/manifests/!', CONTENT_LENGTH => length $rec }, $rec ],
		[ 'a manifest that says it is short', { REQUEST_METHOD => 'PUT', REQUEST_URI => '/v2/a/manifests/t',
			CONTENT_LENGTH => length $json, CONTENT_TYPE => OCI_MANIFEST }, $json . $rec ],
		[ 'a body of 200 KB that nobody reads', { REQUEST_METHOD => 'DELETE', REQUEST_URI => '/v2/a/tags/list',
			CONTENT_LENGTH => 200_000 }, $rec x (200_000 / length $rec) ],
		[ 'a precheck with a body', { REQUEST_METHOD => 'PUT', REQUEST_URI => '/v2/a/manifests/t', BERTH_PRECHECK => 1,
			CONTENT_LENGTH => length $rec }, $rec ],
	) {
		my ($title, $params, $stdin) = @$case;
		my $s = $c->connect;
		my $r = $c->request(sock => $s, keep => 1, params => $params, stdin => $stdin);
		my ($rest, $closed) = ($r ? $r->{rest} : '', 0);
		{
			# one more on the same connection, that ought to be closed
			local $SIG{PIPE} = 'IGNORE';
			syswrite $s, $rec;
			my $sel = IO::Select->new($s);
			while (!$closed && $sel->can_read(60)) {
				$closed = !sysread $s, $rest, 65536, length $rest;
			}
		}
		is($rest, '', "$where, $title: there is one answer at most");
		ok($closed, '... and then the connection is closed');
	}
}
is(logged('"forged"'), 0, 'no worker ever took these for a request');

# 3. HTTP: two lengths are no length
for (
	[ 'Content-Length beside Transfer-Encoding', "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" ],
	[ 'Transfer-Encoding beside Content-Length', "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n" ],
	[ 'two lengths', "Content-Length: 5\r\nContent-Length: 50\r\n" ],
	[ 'a list of lengths', "Content-Length: 5, 5\r\n" ],
	[ 'a length with a sign', "Content-Length: +5\r\n" ],
	[ 'two encodings', "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" ],
	[ 'an unknown encoding', "Transfer-Encoding: xchunked\r\n" ],
	[ 'a header line that is folded', "X: y\r\n Content-Length: 5\r\nContent-Length: 50\r\nContent-Length: 5\r\n" ],
) {
	my ($title, $headers) = @$_;
	my $r = $b->raw("PUT /v2/a/manifests/t HTTP/1.1\r\nHost: registry\r\nConnection: close\r\n$headers\r\n"
		. "0\r\n\r\nGET /v2/smuggled/tags/list HTTP/1.1\r\nHost: registry\r\nConnection: close\r\n\r\n");
	ok($r->status == 400 || $r->status == 501, "$title: refused") or diag("$r");
	is(() = "$r" =~ m{^HTTP/1\.1 }mg, 1, '... with one answer');
}
is(logged('smuggled'), 0, 'and no worker heard of what came behind');

# 4. a body that is refused unread is still a body
my $inner = "GET /v2/smuggled/tags/list HTTP/1.1\r\nHost: registry\r\n\r\n";
for my $first (
	'PATCH /v2/a/blobs/uploads/12345678-1234-4234-8234-123456789abc', "PUT /v2/A/manifests/t", 'GET /nowhere', 'GET /v2/_catalog',
	'POST /v2/a/blobs/uploads/', 'PUT /_berth/body/blob', 'POST /',
) {
	my $length = length $inner;
	my $r = $b->raw("$first HTTP/1.1\r\nHost: registry\r\nContent-Length: $length\r\n\r\n$inner"
		. "GET /v2/ HTTP/1.1\r\nHost: registry\r\nConnection: close\r\n\r\n");
	my @status = "$r" =~ m{^HTTP/1\.1 (\d+)}mg;
	is(scalar @status, 2, "$first with a request as its body, and one behind it: two answers");
	is($status[-1], 200, '... the second that of the request behind it');
}
is(logged('smuggled'), 0, 'no worker heard of the ones in the bodies');

# 5. headers are only ever HTTP_*
my $victim = "$FindBin::Bin/lib/Berth/Test.pm";
$up = path_of($b->req(POST => '/v2/a/blobs/uploads/', headers => [ 'Content-Length' => 0 ])->header('Location'));
my @params = map { my $n = $_; ($n => '1', do { (my $h = $n) =~ tr/_/-/; $h } => '1') } qw(BERTH_PRECHECK BERTH_REQUEST_ID
	HTTP_BERTH_PRECHECK);
$r = $b->req(PUT => '/v2/a/manifests/t', body => '[]', headers => [ @oci, @params ]);
error_is($r, 400, 'MANIFEST_INVALID', 'a header called Berth-Precheck makes no precheck of a request');
$r = $b->req(PATCH => $up, body => '', headers => [ 'Berth-Body-File' => $victim, BERTH_BODY_FILE => $victim ]);
is($r->status, 202, 'a header called Berth-Body-File is taken');
is($r->header('Range'), '0-0', '... and names no body');
$r = $b->req(PATCH => $up, body => 'abc', headers => [ 'Berth-Body-File' => $victim, BERTH_BODY_FILE => $victim ]);
is($r->header('Range'), '0-2', '... nor beside one');
ok(-e $victim, '... and nothing is taken from there');
$b->req(GET => '/v2/a/tags/list', headers => [ 'Request-Method' => 'DELETE', 'Request-Uri' => '/v2/smuggled/tags/list',
	'Remote-Addr' => '6.6.6.6', REMOTE_ADDR => '6.6.6.6', 'X-Forwarded-For' => '6.6.6.6' ]);
is(logged('6.6.6.6'), 0, 'the address in the log is that of the connection');
is(logged('smuggled'), 0, '... and the path that of the request');

# 6. the configuration that all of this rests on
my @conf = map { split /\n/, slurp($_) } glob($b->dir . '/nginx/*.conf');
ok((grep { /^\s*fastcgi_keep_conn\s+off;/ } @conf), 'nginx keeps no connection to a worker');
ok(!(grep { /^\s*(?:keepalive\s|fastcgi_keep_conn\s+on|underscores_in_headers\s+on|ignore_invalid_headers\s+off)/ } @conf),
	'... and nothing says otherwise');
is($b->req(GET => '/v2/')->status, 200, 'the registry serves');

done_testing;
