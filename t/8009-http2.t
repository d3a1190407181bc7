#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The same over HTTP/2, in clear text.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

need_program('curl');
my $port = Berth::Server::free_port();
my $s = Berth::Server->start(config => "delete = true;\n", nginx_extra => "listen 127.0.0.1:$port http2;");
my ($d, $m) = $s->push_image('h2/app', 'one', layers => ['layer']);
my $blob = sha256('layer');
my $n = 0;

# h2 - one request by curl; a Berth::Response
sub h2 {
	my ($method, $path, %o) = @_;
	my @cmd = ('curl', '-sS', '-i', '--http2-prior-knowledge', '--max-time', 60, '--path-as-is', '-X', $method);
	@cmd = ('curl', '-sS', '-I', '--http2-prior-knowledge', '--max-time', 60) if $method eq 'HEAD';
	push @cmd, map { ('-H', $_) } 'Expect:', @{ $o{headers} // [] };
	push @cmd, '--data-binary', '@' . spew($s->dir . "/body$$." . $n++, $o{body}) if defined $o{body};
	# an answer before the end of the body is followed by a reset without an error, over which curl 7.88 stumbles, the
	# more often the busier the machine is (92): asked again until it has read the answer
	my $r;
	for my $try (1 .. 300) {
		$r = run(@cmd, "http://127.0.0.1:$port$path");
		last if !$r->{status};
		select undef, undef, undef, 0.02;
	}
	my $raw = $r->{out} =~ s{\AHTTP/2 (\d+) *}{HTTP/2.0 $1 }r;
	return Berth::Response->parse($raw);
}

my $r = h2('GET', '/v2/');
is $r->version, '2.0', 'the answer is HTTP/2';
is $r->status, 200, 'GET /v2/ is 200';
is $r->body, '{}', 'and {}';
is common_fault($r), '', 'with the common headers, once';
for my $c (['GET', '/v2/h2/app/manifests/one', 200], ['HEAD', '/v2/h2/app/manifests/one', 200], ['GET', "/v2/h2/app/blobs/$blob", 200], ['GET', '/v2/_catalog', 200], ['GET', '/v2/h2/app/tags/list', 200], ['OPTIONS', '/v2/h2/app/manifests/one', 204], ['GET', "/v2/h2/app/referrers/$d", 200]) {
	$r = h2($c->[0], $c->[1]);
	(my $short = $c->[1]) =~ s/[0-9a-f]{20,}/.../;
	is $r->status, $c->[2], "$c->[0] $short is $c->[2]";
	is common_fault($r), '', "$c->[0] $short carries the common headers";
	is $r->body, $m, 'the manifest is what was pushed' if $c->[0] eq 'GET' && $c->[1] =~ /manifests/;
	is $r->body, 'layer', 'the blob is what was pushed' if $c->[1] =~ /blobs/;
}
$r = h2('GET', "/v2/h2/app/blobs/$blob", headers => ['Range: bytes=1-3']);
is $r->status . $r->body, '206aye', 'a range is 206';
for my $c ([1000, 200], [4000, 200], [6000, 200]) {
	is h2('GET', "/v2/h2/app/blobs/$blob", headers => ['Range: bytes=' . join ',', map { "$_-" . ($_ + 1) } 1 .. $c->[0]])->status, $c->[1], "$c->[0] ranges are $c->[1]";
}
is h2('GET', "/v2/h2/app/blobs/$blob", headers => ["If-Match: \"$blob\""])->body, 'layer', 'a precondition that holds gives the blob';
is h2('GET', "/v2/h2/app/blobs/$blob", headers => ['If-Match: "x"'])->status, 412, 'and one that does not 412';

# errors of workers, of prechecks, of nginx
for my $c (['GET', '/v2/h2/app/manifests/none', 404, 'MANIFEST_UNKNOWN'], ['GET', '/nothing', 404], ['PUT', '/v2/h2/app/manifests/-x', 400, 'TAG_INVALID', 'x'], ['PATCH', '/v2/h2/app/blobs/uploads/01234567-89ab-4cde-8f01-23456789abcd', 404, 'BLOB_UPLOAD_UNKNOWN', 'x' x 1000],
	['POST', '/v2/_catalog', 405, 'UNSUPPORTED', 'x'], ['PUT', '/v2/h2/app/manifests/big', 413, 'SIZE_INVALID', 'x' x (5 << 20)], ['GET', '/v2/h2/app/../../x', 400]) {
	my ($method, $p, $status, $code, $body) = @$c;
	my $r;
	# a client that is still sending may see the end of the stream before the answer that came with it
	for (1 .. 5) {
		$r = h2($method, $p, defined $body ? (body => $body) : ());
		last if $r->status != 0;
	}
	error_is $r, $status, $code, "$method $p is $status with the error JSON";
}

# pushes
my $big = random_bytes(3 << 20);
my $loc = path_of(h2('POST', '/v2/h2/new/blobs/uploads/', headers => ['Content-Length: 0'])->header('Location'));
like $loc, qr{^/v2/h2/new/blobs/uploads/[0-9a-f-]{36}$}, 'an upload is begun';
$r = h2('PATCH', $loc, body => substr($big, 0, 2_000_000), headers => ['Content-Type: application/octet-stream']);
is $r->status . ' ' . ($r->header('Range') // ''), '202 0-1999999', 'a chunk is taken';
is h2('PATCH', $loc, body => 'xx', headers => ['Content-Range: 0-1'])->status, 416, 'one out of place is 416';
$r = h2('PUT', "$loc?digest=" . sha512($big), body => substr $big, 2_000_000);
is $r->status, 201, 'the last one finishes it';
ok $s->req('GET', '/v2/h2/new/blobs/' . sha512($big))->body eq $big, 'and the blob is what was sent';
is h2('POST', '/v2/h2/new/blobs/uploads/?digest=' . sha256('{}'), body => '{}')->status, 201, 'a single POST is taken';
my $text = image_of(OCI_MANIFEST, '{}');
$r = h2('PUT', '/v2/h2/new/manifests/' . sha256($text) . '?tag=a&tag=b', body => $text, headers => ['Content-Type: ' . OCI_MANIFEST]);
is $r->status, 201, 'a manifest with two tags is taken';
is_deeply [$r->headers('OCI-Tag')], ['a', 'b'], 'and both are named';
is h2('DELETE', '/v2/h2/new/manifests/' . sha256($text))->status, 202, 'and deleted';
is $s->req('GET', '/v2/h2/new/tags/list')->body, qq({"name":"h2/new","tags":null}\n), 'with its tags';
is leftovers($s), '', 'nothing is left in body, tmp and trash';

# many at once
my @at_once = run_parallel(8, sub { return join ' ', map { my $r = h2('GET', '/v2/h2/app/manifests/one'); $r->status . ($r->body eq $m ? '' : ' other bytes') } 1 .. 4 });
is_deeply \@at_once, [('200 200 200 200') x 8], 'eight clients at once are all served';
$s->stop_workers;
error_is h2('GET', '/v2/'), 503, 'UNAVAILABLE', 'without workers it is 503 with the error JSON';

done_testing;
