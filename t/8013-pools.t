#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Which requests nginx sends to which pool of workers: as the table of routes says (`berth-fcgi --routes`). And that any worker can do anything, for an nginx that knows fewer.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;

my $b = Berth::Server->start(workers => 2, config => "delete = true;\n");
my ($digest) = $b->push_image('a/b', 't');
my $layer = $b->push_blob('a/b', '0123456789');

# What the workers' own table says, with names that nginx could take for another path.
my @names = ('a/b', 'blobs/uploads', 'a/blobs/uploads/blobs', 'manifests', 'x/tags/list', 'blobs/manifests/uploads', 'token', 'referrers/blobs');
my %tails = (reference => ['t', 'list', 'uploads', 'blobs', 'tags', "sha256:0"], digest => [$layer, 'manifests', 'x'], uuid => ['UPLOAD']);
my @routes = routes_of();
is(join(' ', grep { !/^(requests|writes|uploads|relay)$/ } map { $_->[3] } @routes), '', 'each row names a pool');
is(join(' ', map { "$_->[0] $_->[1]" } grep { ($_->[3] eq 'relay') != ($_->[2] eq 'relay') } @routes), '', 'the pool of the relay is for what the relay alone may');
is($b->req($_->[0], $_->[1])->status, 404, "nginx passes no $_->[0] $_->[1] to any pool") for grep { $_->[3] eq 'relay' } @routes;
@routes = grep { $_->[3] ne 'relay' } @routes;
my @route;
for (@routes) {
	my ($method, $pattern, undef, $pool) = @$_;
	my $with_digest = $pattern =~ s/\?digest=<digest>$// || "$method $pattern" =~ /^PUT .*<uuid>$/;
	my ($tail) = $pattern =~ /<(?!name)(\w+)>$/;
	my $body = $method =~ /^P/ && !($pattern =~ /uploads/ && $pool eq 'writes');

	for my $name ($pattern =~ /<name>/ ? @names : '') {
		for my $end ($tail ? @{ $tails{$tail} // die "what is <$tail>?" } : '') {
			my $path = $pattern =~ s/<name>/$name/r =~ s/<\w+>$/$end/r;

			# Before nginx reads the body of a blob it asks a worker for writes.
			push @route, [ $method, $_ . ($with_digest ? "?digest=$digest" : ''), $pool eq 'uploads' ? 'writes uploads' : $pool, $body ? 'x' : undef ]
				for $path, $path =~ m{/uploads/$} ? $path =~ s{/$}{}r : ();
		}
	}
}
# What stands in no row: other methods, queries and bodies that make a difference, and paths that resemble others.
my $up = '/v2/a/b/blobs/uploads/UPLOAD';
my $mount = "/v2/a/c/blobs/uploads/?mount=$layer&from=a/b";
push @route, (
	[ GET => "/v2/a/b/blobs/$layer?digest=$layer", 'requests' ], [ OPTIONS => '/v2/a/b/manifests/t', 'requests' ], [ OPTIONS => $up, 'requests' ], [ BREW => '/v2/', 'requests' ],
	[ HEAD => "$up?digest=$layer", 'writes' ], [ POST => $mount, 'writes' ],
	[ PUT => "$up?digest=$digest", 'writes uploads', 'x' ], [ PUT => "$up?digest=$digest", 'uploads', '' ], [ PUT => $up, 'uploads', '' ],
);
# Where nobody is behind the socket of a pool, what is meant for it is 503.
my %argument = (requests => 'workers', writes => 'writes', uploads => 'uploads');
for my $pool (sort keys %argument) {
	my %at = (workers => $b->worker_socket, writes => $b->write_socket, uploads => $b->upload_socket);
	# An upload each where one is asked for: a request may end it.
	my @paths = map { $_->[1] =~ s{^/v2/(.*)/blobs/uploads/\KUPLOAD}{upload_start($b, $1) =~ s|.*/||r}er } @route;
	$at{ $argument{$pool} } = '/nowhere';
	$b->stop_nginx;
	$b->{nginx_args} = [ map { "$_=unix:$at{$_}" } sort keys %at ];
	$b->start_nginx;
	my @wrong;
	for (@route) {
		my ($method, undef, $of, $body) = @$_;
		my $path = shift @paths;
		my $r = $b->req($method, $path, defined $body ? (body => $body) : ());
		push @wrong, "$method $path: " . $r->status if ($r->status == 503) != ($of =~ /\b$pool\b/ ? 1 : 0);
	}
	is(join("\n", @wrong), '', "without workers for $pool, what is meant for them fails, and nothing else");
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
