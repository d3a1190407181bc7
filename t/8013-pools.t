#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Which requests nginx sends to which socket; and that any worker can do anything, for an nginx that knows fewer.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $b = Berth::Server->start(workers => 2, config => "delete = true;\n");
my ($digest) = $b->push_image('a/b', 't');
my $layer = $b->push_blob('a/b', '0123456789');

# Where nobody is behind the socket of a pool, what is meant for it is 503.
my @uploads = map { upload_start($b, 'a/b') } 1 .. 24;  # one for each request that needs one
my $up = 'UPLOAD';
my $mount = "/v2/a/c/blobs/uploads/?mount=$layer&from=a/b";
my @route = (
	[ GET => '/v2/', 'workers' ], [ GET => '/v2/_catalog', 'workers' ], [ GET => '/v2/token', 'workers' ], [ POST => '/v2/token', 'workers' ],
	[ GET => '/v2/a/b/tags/list', 'workers' ], [ GET => '/v2/a/b/manifests/t', 'workers' ], [ HEAD => '/v2/a/b/manifests/t', 'workers' ],
	[ GET => "/v2/a/b/referrers/$digest", 'workers' ], [ GET => "/v2/a/b/blobs/$layer", 'workers' ], [ GET => "/v2/a/b/blobs/$layer?digest=$layer", 'workers' ],
	[ GET => "/v2/blobs/uploads/manifests/t", 'workers' ], [ HEAD => "/v2/x/blobs/uploads/manifests/t", 'workers' ], [ GET => '/v2/x/blobs/uploads/tags/list', 'workers' ],
	[ OPTIONS => '/v2/a/b/manifests/t', 'workers' ], [ OPTIONS => $up, 'workers' ], [ BREW => '/v2/', 'workers' ],
	[ HEAD => "/v2/a/b/blobs/$layer", 'writes' ], [ HEAD => "/v2/manifests/tags/blobs/$layer", 'writes' ], [ GET => $up, 'writes' ], [ HEAD => "$up?digest=$layer", 'writes' ],
	[ DELETE => $up, 'writes' ], [ DELETE => '/v2/a/b/manifests/t', 'writes' ], [ DELETE => "/v2/a/b/blobs/$layer", 'writes' ],
	[ POST => '/v2/a/b/blobs/uploads/', 'writes' ], [ POST => $mount, 'writes' ], [ PUT => '/v2/a/b/manifests/t', 'writes' ],
	[ PATCH => $up, 'writes uploads' ], [ PUT => "$up?digest=$digest", 'writes uploads' ], [ PUT => "$up?digest=$digest", 'uploads', '' ], [ POST => "/v2/a/b/blobs/uploads/?digest=$digest", 'writes uploads' ],
);
for my $pool (qw(workers writes uploads)) {
	my %at = (workers => $b->worker_socket, writes => $b->write_socket, uploads => $b->upload_socket, $pool => '/nowhere');
	$b->stop_nginx;
	$b->{nginx_args} = [ map { "$_=unix:$at{$_}" } sort keys %at ];
	$b->start_nginx;
	my @wrong;
	for (@route) {
		my ($method, $path, $of, $body) = @$_;
		$path =~ s/^UPLOAD/shift @uploads/e;
		my $r = $b->req($method, $path, $method =~ /^P/ ? (body => $body // 'x') : ());
		push @wrong, "$method $path: " . $r->status if ($r->status == 503) != ($of =~ /\b$pool\b/ ? 1 : 0);
	}
	is(join("\n", @wrong), '', "without the socket $pool, this and nothing else fails");
}
# an nginx that knows one socket, and one that knows two, in front of workers that have three
for my $known ([], ['uploads']) {
	my %at = map { $_ => $b->worker_socket } qw(workers writes uploads);
	$at{uploads} = $b->upload_socket if @$known;
	$b->stop_nginx;
	$b->{nginx_args} = [ map { "$_=unix:$at{$_}" } sort keys %at ];
	$b->start_nginx;
	my ($d, $m) = $b->push_image('a/some', 'pools');
	is($b->req(GET => '/v2/a/some/manifests/pools')->body, $m, 'any worker can do anything: ' . (@$known ? 'two sockets' : 'one socket'));
	is($b->req(DELETE => "/v2/a/some/manifests/$d")->status, 202, '... delete, too');
}

done_testing;
