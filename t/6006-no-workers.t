#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# nginx without any worker: 503 at once, as error JSON.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(time);
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n");
my ($d) = $s->push_image('none/app', 'one', layers => ['layer']);
my $blob = sha256('layer');
my $loc = upload_start($s, 'none/app');

for my $how ('TERM', 'KILL') {
	$s->stop_workers($how);
	wait_for { !$s->worker_pids };
	my $tree = $s->tree_digest;
	for my $c (['GET', '/v2/'], ['GET', '/v2/_catalog'], ['GET', '/v2/none/app/tags/list'], ['GET', '/v2/none/app/manifests/one'], ['GET', "/v2/none/app/blobs/$blob"], ['DELETE', "/v2/none/app/manifests/$d"],
		['POST', '/v2/none/app/blobs/uploads/'], ['POST', '/v2/none/app/blobs/uploads/?digest=' . sha256('x'), 'x'], ['GET', $loc], ['PATCH', $loc, 'x'], ['PUT', "$loc?digest=" . sha256('x'), 'x'],
		['PUT', '/v2/none/app/manifests/two', '{}'], ['GET', '/v2/Not/a/route']) {
		my ($m, $p, $body) = @$c;
		(my $short = $p) =~ s/[0-9a-f]{20,}|[0-9a-f]+(-[0-9a-f]+){4}/.../g;
		# A killed master leaves the mark by which nginx knows that nobody needs a login (t/6016-open.t).
		my $r = $s->req($m, $p, defined $body ? (body => $body) : (), $how eq 'KILL' ? (headers => [Authorization => 'Basic eDp5']) : ());
		error_is $r, 503, 'UNAVAILABLE', "$m $short is 503 UNAVAILABLE when the master is gone (SIG$how)";
	}
	is $s->req('HEAD', '/v2/_catalog')->status, 503, "HEAD is 503 (SIG$how)";
	ok defined $s->req('HEAD', '/v2/_catalog')->header('Retry-After'), "with Retry-After (SIG$how)";
	is $s->req('GET', '/')->status, 200, "GET / needs no worker (SIG$how)";
	my $sock = $s->sock;
	syswrite $sock, "PATCH $loc HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n";
	my $early = eval { read_response($sock) };
	is $early ? $early->status : 'nothing', 503, "a PATCH of 1 GiB is answered before its body is sent (SIG$how)";
	close $sock;
	is $s->tree_digest, $tree, "nothing is changed on disk (SIG$how)";
	is leftovers($s), '', "nothing is left in body, tmp and trash (SIG$how)";
	$s->start_workers;
	is $s->req('GET', '/v2/none/app/manifests/one')->status, 200, "with workers it goes on at once, without a restart of nginx (SIG$how)";
	is upload_range($s, $loc), '0-0', "the upload too (SIG$how)";
}

done_testing;
