#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# nginx with a certificate (with=tls), on IPv4 and IPv6: versions, HTTP/2, pushes and pulls by skopeo, which looks at the
# certificate, and docker.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Client;
use Berth::Docker;
use Berth::TLS;

need_program('skopeo', 'curl', 'openssl');
my $d = Berth::Docker->start;
my $ca = Berth::TLS->authority;
my ($cert, $key) = $ca->certificate('/CN=registry', 'DNS:localhost,IP:127.0.0.1,IP:::1,DNS:six.test');
my $b = Berth::Server->start(nginx_args => sub { ('with=tls', "certificate=$cert", "certificate_key=$key", "listen=[::1]:$_[0]") });
my $port = $b->port;
my $dir = tmp_dir();

sub get { my ($path, @args) = @_; return curl("https://127.0.0.1:$port$path", ca => $ca->file, args => [@args]) }
sub handshake { my ($r) = run('openssl', 's_client', '-connect', "127.0.0.1:$port", '-CAfile', $ca->file, @_); return $r->{out} . $r->{err} }

# --- what is spoken
my $r = get('/v2/');
is $r->status . $r->body, '200{}', 'GET /v2/ over TLS';
is common_fault($r), '', 'with the common headers';
is $r->version, '2.0', 'HTTP/2 is chosen by who can speak it';
is get('/v2/', '--http1.1')->version, '1.1', 'HTTP/1.1 by who says so';
is curl("https://[::1]:$port/v2/", ca => $ca->file)->status, 200, 'and on IPv6';
is curl("https://127.0.0.1:$port/v2/"), undef, 'who does not know the authority does not connect';
for my $v ('1.2', '1.3') {
	is get('/v2/', "--tlsv$v", '--tls-max', $v)->status, 200, "TLS $v is spoken";
	(my $o = $v) =~ tr/./_/;
	like handshake("-tls$o"), qr/Verify return code: 0 \(ok\)/, "TLS $v: the chain is good";
}
my $old = run('openssl', 's_client', '-connect', "127.0.0.1:$port", '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0');
like $old->{err} . $old->{out}, qr/alert protocol version|Cipher is \(NONE\)/, 'TLS 1.1 is not';
for my $cipher ('AES128-GCM-SHA256', 'ECDHE-ECDSA-AES128-SHA', 'NULL-SHA256', 'PSK-AES128-GCM-SHA256') {
	like handshake('-tls1_2', '-psk', '1234', '-cipher', "$cipher:\@SECLEVEL=0"), qr/handshake failure|Cipher is \(NONE\)/, "nor $cipher";
}
error_is $b->req(GET => '/v2/'), 400, 'UNSUPPORTED', 'clear text is 400 with the error JSON';
error_is get('/nothing'), 404, undef, 'errors of nginx have the form of all others';
error_is get('/v2/x/manifests/none'), 404, 'MANIFEST_UNKNOWN', 'errors of workers too';

# --- skopeo, which looks at the certificate
my $one = oci_layout("$dir/one", 'v1', { files => { 'data' => random_bytes(700_000) } });
my @ca = ("--dest-cert-dir=$dir/certs");
mkdir "$dir/certs";
spew("$dir/certs/ca.crt", slurp($ca->file));
run_ok skopeo('copy', '-q', @ca, "oci:$dir/one:v1", "docker://127.0.0.1:$port/tls/one:v1"), 'skopeo pushes over TLS';
run_ok skopeo('copy', '-q', "--src-cert-dir=$dir/certs", "docker://127.0.0.1:$port/tls/one:v1", "oci:$dir/back:v1"), 'and pulls';
is_deeply blob_files("$dir/back"), blob_files("$dir/one"), 'the same bytes';
# clients take no IPv6 address in the name of an image: a name for it, which they alone see
spew("$dir/hosts", "::1 six.test\n");
my ($o, @skopeo) = skopeo('copy', '-q', "--src-cert-dir=$dir/certs", "docker://six.test:$port/tls/one:v1", "oci:$dir/six:v1");
run_ok $o, 'unshare', '--mount', 'sh', '-c', 'mount -n --bind "$0" /etc/hosts && exec "$@"', "$dir/hosts", @skopeo, 'by IPv6 too';
is_deeply blob_files("$dir/six"), blob_files("$dir/one"), 'the same';
is run(skopeo('inspect', "docker://127.0.0.1:$port/tls/one:v1"))->{status} != 0, 1, 'without the authority it refuses to';

# --- docker, which takes any certificate of 127.0.0.0/8
my $ref = "127.0.0.1:$port/tls/box:1";
my $id = $d->busybox_image($ref);
$d->docker_ok('push', $ref, 'docker pushes over TLS');
ok $d->remove_images, 'and forgets';
$d->docker_ok('pull', $ref, 'and pulls');
is $d->id($ref), $id, 'the same image';

# --- a push over HTTP/2 that is refused before its body
my $big = "$dir/big";
open my $fh, '>', $big or die $!;
truncate $fh, 1 << 30;
$r = get('/v2/-/blobs/uploads?digest=' . sha256('x'), '-T', $big, '-X', 'POST');
ok !$r || $r->status == 400, 'a POST of 1 GiB to a bad name is refused over TLS';
my @up;
wait_for { @up = grep { $_->{method} eq 'POST' && $_->{status} == 400 } $b->access_events };
ok @up && $up[-1]{request_bytes} < 1 << 26, 'before its bytes have come';
is leftovers($b), '', 'and nothing is left of it';

done_testing;
