#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# nginx's internal locations cannot be reached from outside, however the path is written.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $b = Berth::Server->start(workers => 2);
my $secret = 'the bytes of a blob';
my $digest = $b->push_blob('private/x', $secret);
my ($hex) = $digest =~ /:(.*)/;
my $data = 'sha256/' . substr($hex, 0, 2) . "/$hex/data";

my @paths = (
	"/_berth/blobs/$data",
	"/_berth%2fblobs/$data",
	"/_berth%2Fblobs%2F$data",
	"/%5fberth/blobs/$data",
	"/%5F%62erth/blobs/$data",
	"/v2/../_berth/blobs/$data",
	"/v2/%2e%2e/_berth/blobs/$data",
	"/v2/.%2e/_berth/blobs/$data",
	"/v2/..%2f_berth/blobs/$data",
	"/v2/x/../../_berth/blobs/$data",
	"/./_berth/blobs/$data",
	"/.%2f_berth/blobs/$data",
	"//_berth/blobs/$data",
	"/_berth//blobs/$data",
	"/_berth/blobs/../blobs/$data",
	"/_berth/blobs/sha256/../sha256/../../blobs/$data",
	"http://registry/_berth/blobs/$data",
	"/_berth/blobs/$data?x=y",
	"/_berth/blobs/$data#x",
	"/_berth/../_berth/blobs/$data",
	"/v2/_berth/blobs/$data",
	"/v2/private/x/blobs/../../../../_berth/blobs/$data",
	"/v2/a%2f..%2f..%2f_berth/blobs/$data",
	"/_berth/blobs/../../../../../../../etc/passwd",
	"/_berth/blobs%2f..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
	"/docker/registry/v2/blobs/$data",
	(map { "/_berth/$_" } qw(request precheck refused body/blob body/manifest error/400 error/500 error/503
		blob-error/412 blob-error/416 blob-error/503 missing/ missing/again), '', 'x'),
	'/_berth',
	'/v2/../_berth/request', '/v2/%2e%2e/_berth/precheck', '/%5fberth/refused', '//_berth/error/503',
);
for my $path (@paths) {
	for my $method (qw(GET PUT)) {
		my $r = $b->req($method, $path, headers => [ $method eq 'PUT' ? ('Content-Length' => 0) : () ]);
		my $fault = $r->body =~ /the bytes|root:/ ? 'it is served' : error_fault($r, $r->status == 400 ? 400 : 404, undef);
		is($fault, '', "$method $path is 404 or 400, in the registry's form");
	}
}

# a client's headers are not a worker's
my @forged = ('X-Accel-Redirect' => "/_berth/blobs/$data", 'X-Sendfile' => '/etc/passwd', 'X-Berth-Status' => 200,
	'X-Original-URL' => "/_berth/blobs/$data", 'X-Rewrite-URL' => "/_berth/blobs/$data");
for my $path ('/v2/', '/foo', '/v2/private/x/tags/list') {
	my $r = $b->req(GET => $path, headers => \@forged);
	unlike($r->body, qr/the bytes|root:/, "GET $path with a worker's headers gets nothing more for it");
}
is($b->req(GET => "/v2/private/x/blobs/$digest")->body, $secret, 'the blob is served where it belongs');

done_testing;
