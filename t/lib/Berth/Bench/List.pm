# SPDX-License-Identifier: Apache-2.0
#
# Berth::Bench::List: the rows of what may depend on how much there is: pages, deletes, the start.
package Berth::Bench::List;

use strict;
use warnings;

use IO::Socket::INET;
use Time::HiRes qw(time sleep);

use Berth::Test;
use Berth::Check;
use Berth::Bench;
use Berth::Bench::Sides;

my $ACCEPT = 'Accept: ' . OCI_MANIFEST;

# page - milliseconds of a GET, the median of what one client gets in a while; one before it is not counted, for an index
# is compared with the store once, at first use
sub page
{
	my ($b, $s, $path) = @_;
	my $paths = $b->paths('page', "GET $path");

	$b->load($s, paths => $paths, c => 1, n => 1);
	return $b->load($s, paths => $paths, c => 1)->{p50_ms};
}

# last_page - of a listing; the limit is berth's first page. docker-registry 2.8 does not cut tags into pages: there a client
# has to get them all.
sub last_page
{
	my (%path) = @_;

	return sub {
		my ($b, $side) = @_;
		my $s = side_of($b, $side eq 'limit' ? 'berth' : $side, store => 'many', shared => 1);

		return page($b, $s, $path{$side}->($b));
	};
}

# in the order of names the last hundred are those of the last teams
sub catalog_end
{
	my ($b) = @_;
	my @names = sort 'zz-big', map { sprintf 'team%02d/app%05d', $_ % 100, $_ } 1 .. $b->scaled(10_000) - 1;

	return '/v2/_catalog?n=100&last=' . $names[-101];
}

sub tags_end
{
	my ($b) = @_;

	return sprintf '/v2/zz-big/tags/list?n=100&last=v%06d', $b->scaled(100_000) - 100;
}

# delete_time - milliseconds of one, the median of some: each manifest has a tag of its own
sub delete_time
{
	my ($b, $s, $times) = @_;
	my @paths;

	for my $n (map { ++$b->{deletes} } 1 .. $times) {
		my $m = image_1k("deleted $n");
		my $r = $s->req('PUT', "/v2/among/manifests/goes$n", headers => ['Content-Type' => OCI_MANIFEST], body => $m);
		die 'PUT: ' . $r->as_string if $r->status != 201;
		push @paths, 'DELETE /v2/among/manifests/' . sha256($m);
	}
	return $b->load($s, paths => $b->paths('deletes', @paths), c => 1, n => scalar @paths)->{p50_ms};
}

# answers - does a GET of a manifest give 200?
sub answers
{
	my ($s, $path) = @_;
	my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $s->port) or return 0;
	my $line = '';

	syswrite $sock, "GET $path HTTP/1.0\r\n$ACCEPT\r\n\r\n";
	sysread $sock, $line, 64;
	return $line =~ m{^HTTP/1\.[01] 200 };
}

# start_time - milliseconds from the start of all processes at once to the first manifest
sub start_time
{
	my ($b, $side) = @_;
	my $s = side_of($b, $side, store => 'many', shared => 1);
	my $path = '/v2/zz-big/manifests/v000001';
	my $began;
	local $s->{gate} = Berth::Server::gate();

	if ($side eq 'other') {
		$s->stop;
		$s->launch;
	} else {
		$s->stop_nginx;
		$s->stop_workers;
		$s->launch_workers;
		$s->launch_nginx;
	}
	sleep 0.1;
	$began = time;
	Berth::Server::gate_open($s->{gate});
	while (!answers($s, $path)) {
		die "it does not start\n" if time - $began > 60;
		sleep 0.001;
	}
	return 1000 * (time - $began);
}

sub rows
{
	my ($b) = @_;
	my ($repos, $tags, $among) = map { Berth::Bench::commas($b->scaled($_)) } 10_000, 100_000, 10_000;
	my $first = { what => "berth's first page", times => 3 };
	my $all = [qw(berth other limit)];

	return (
		{ name => 'catalog-end', group => 'many', title => "last catalog page of $repos repositories", as => 'time', unit => 'ms', target => 50, sides => $all,
			limit => $first, measure => last_page(berth => \&catalog_end, other => \&catalog_end, limit => sub { '/v2/_catalog?n=100' }) },
		{ name => 'tags-end', group => 'many', title => "tags page n=100 at the end of $tags tags", as => 'time', unit => 'ms', target => 50, sides => $all,
			limit => $first, measure => last_page(berth => \&tags_end, other => sub { '/v2/zz-big/tags/list' },
				limit => sub { '/v2/zz-big/tags/list?n=100' }) },
		{ name => 'delete', group => 'among', title => "DELETE of a manifest among $among tags", as => 'time', unit => 'ms', target => 30,
			measure => sub { my ($bench, $side) = @_; return delete_time($bench, side_of($bench, $side, store => 'among'), 10) } },
		{ name => 'start', group => 'start', title => "start until the first answer, $repos repositories", as => 'time', unit => 'ms', target => 1,
			measure => \&start_time },
	);
}

1;
