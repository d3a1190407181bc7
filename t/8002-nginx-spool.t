#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Bodies: who may not push is told so before the body is read; spooled files go away; a full disk is 503.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $b = Berth::Server->start(config => "blobs = { max_size = \"64 MiB\"; };\n", workers => 2);
my $uuid = '12345678-1234-4234-8234-123456789abc';
my $d = sha256('x');
my $gib = 1 << 30;

sub spooled { return grep { -f } glob($b->root . '/berth/body/*') }

# a GiB is announced, and sent as long as it is taken
sub big
{
	my ($method, $path, %o) = @_;
	my $piece = 'x' x 65536;
	my $n = 0;
	my @length = $o{chunked} ? () : ('Content-Length' => $o{length} // $gib);

	return $b->req($method, $path, chunked => $o{chunked}, headers => [ @{ $o{headers} // [] }, @length ],
		body => sub { return $n++ < 16384 ? $piece : undef });
}

sub refused_early
{
	my ($r, $status, $code, $title) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	error_is($r, $status, $code, $title);
	cmp_ok($r->sent, '<', 60 << 20, '... before it has all come in');
	is(scalar(spooled()), 0, '... and nothing of it is on the disk');
}

refused_early(big(PATCH => "/v2/a/blobs/uploads/$uuid", length => 60 << 20), 404, 'BLOB_UPLOAD_UNKNOWN',
	'PATCH of an unknown upload is refused');
refused_early(big(PATCH => "/v2/a/blobs/uploads/$uuid", chunked => 1), 404, 'BLOB_UPLOAD_UNKNOWN',
	'... chunked too');
refused_early(big(PUT => "/v2/a/blobs/uploads/$uuid?digest=$d", length => 60 << 20), 404, 'BLOB_UPLOAD_UNKNOWN',
	'PUT of an unknown upload is refused');
refused_early(big(POST => '/v2/a/blobs/uploads/?digest=sha256:zz', length => 60 << 20), 400, 'DIGEST_INVALID',
	'a single POST with a bad digest is refused');
refused_early(big(POST => "/v2/A!/blobs/uploads/?digest=$d", length => 60 << 20), 400, 'NAME_INVALID',
	'a single POST to a bad name is refused');
refused_early(big(POST => "/v2/a/blobs/uploads/?digest=$d"), 413, 'SIZE_INVALID',
	'a GiB where the limit is 64 MiB is refused');
refused_early(big(PUT => '/v2/a/manifests/t'), 413, 'SIZE_INVALID', 'a manifest of a GiB is refused');

my $r = big(POST => "/v2/a/blobs/uploads/?digest=$d", chunked => 1);
error_is($r, 413, 'SIZE_INVALID', 'a chunked body is cut off at the limit');
ok(wait_for { !spooled() }, '... and what was spooled is gone');

my $up = path_of($b->req(POST => '/v2/a/blobs/uploads/', headers => [ 'Content-Length' => 0 ])->header('Location'));
$b->req(PATCH => $up, body => 'y' x 1000);
wait_for { !spooled() };
$r = big(PATCH => $up, length => 60 << 20, headers => [ 'Content-Range' => '5000-' . (5000 + (60 << 20) - 1) ]);
refused_early($r, 416, 'RANGE_INVALID', 'a chunk out of place is refused');
is($r->header('Range'), '0-999', '... with the Range that is there');
is(path_of($r->header('Location')), $up, '... and the Location');
like($up, qr/\Q${\$r->header('Docker-Upload-UUID')}\E\z/, '... and the UUID');
is($b->req(GET => $up)->header('Range'), '0-999', '... and the upload is as it was');

# Expect: 100-continue
my $s = $b->sock;
print {$s} "PATCH /v2/a/blobs/uploads/$uuid HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n";
is(read_response($s)->status, 404, 'a client that asks with Expect: 100-continue is refused without its body');
$s = $b->sock;
print {$s} "PATCH $up HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
my $line = '';
sysread $s, $line, 100;
like($line, qr/\AHTTP\/1\.1 100 /, '... and told to go on where it may push');
print {$s} 'zzzz';
is(read_response($s)->status, 202, '... and then its body is taken');

# a body that stops half-way leaves nothing
wait_for { !spooled() };
$s = $b->sock;
print {$s} "PATCH $up HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n" . 'x' x 3_000_000;
ok(wait_for { my @f = spooled(); @f && -s $f[0] > 1_000_000 }, 'a body is spooled as it comes in');
my ($file) = spooled();
is(sprintf('%o', (stat $file)[2] & 07777), '600', '... readable by nobody else');
is($b->req(GET => $up)->header('Range'), '0-1003', '... and belongs to no upload yet');
close $s;
ok(wait_for { !spooled() }, '... and is gone when the client is');
is($b->req(GET => $up)->header('Range'), '0-1003', '... having added nothing');

# what a worker took is not what nginx removes
my $blob = random_bytes(3_000_000);
my $digest = $b->push_blob('a', $blob);
ok(wait_for { !spooled() }, 'after a push nothing is left in the spool');
is($b->req(GET => "/v2/a/blobs/$digest")->body, $blob, '... and the blob is there');
is_deeply([ grep { !/signal process|\[notice\]|client intended to send too large/ } $b->error_log ], [],
	'nginx had nothing else to say');
$b->stop;

# a full disk
SKIP: {
	my $mnt = tmp_dir();
	my $m = run('mount', '-t', 'tmpfs', '-o', 'size=24m,mode=755', 'berth-test', $mnt);
	if ($m->{status}) {
		fail("a small file system can be mounted: $m->{err}") if $ENV{CI};
		skip('no small file system can be mounted here', 7) if !$ENV{CI};
		last SKIP;
	}
	my $ok = eval {
		$b = Berth::Server->start(root => "$mnt/store", workers => 2);
		my $keep = $b->push_blob('a', 'kept');
		my $up = path_of($b->req(POST => '/v2/a/blobs/uploads/', headers => [ 'Content-Length' => 0 ])->header('Location'));
		for my $chunked (0, 1) {
			my $n = 0;
			my $r = $b->req(PATCH => $up, chunked => $chunked,
				headers => [ $chunked ? () : ('Content-Length' => 40 << 20) ],
				body => sub { return $n++ < 640 ? 'x' x 65536 : undef });
			error_is($r, 503, 'UNAVAILABLE', 'a body for which there is no room is 503' . ($chunked ? ', chunked' : ''));
			ok(wait_for { !spooled() }, '... and what was spooled of it is gone');
		}
		is($b->req(GET => $up)->header('Range'), '0-0', 'the upload is as it was');
		is($b->req(GET => "/v2/a/blobs/$keep")->body, 'kept', 'pulls go on');
		my $small = random_bytes(5_000_000);
		is($b->req(GET => '/v2/a/blobs/' . $b->push_blob('a', $small))->body, $small, 'and so do pushes that fit');
		$b->stop;
		1;
	};
	my $why = $@;
	$b->stop;
	run('umount', $mnt);
	die $why if !$ok;
}

done_testing;
