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

# shown - milliseconds of a list of the page, which has to have so many rows; of another path as page() does.
# What a list knows of each is compared with the links before: of 100,000 tags nginx would not wait for it on a busy machine.
sub shown
{
	my ($list, $count, %path) = @_;

	return sub {
		my ($b, $side) = @_;
		my $s = side_of($b, $side eq 'limit' ? 'berth' : $side, store => 'many', shared => 1);
		my $path = ref $path{$side} ? $path{$side}->($b) : $path{$side};

		return page($b, $s, $path) if $path !~ m{^/berth/};
		$b->once('what lists know of many' => sub {
			my $r = run({ timeout => 3600 }, program('berth'), '--config', $s->config_file, '--root', $s->root, qw(index rebuild zz-big));
			die "the index cannot be made: $r->{err}" if $r->{status};
			return 1;
		});
		my $r = $s->req(GET => $path, timeout => 600);
		my $got = $r->status == 200 ? @{ $r->json->{$list} } : 'status ' . $r->status;
		die "$path: $got, not $count rows\n" if $got ne $count;
		return page($b, $s, $path);
	};
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
	my $by_name = { what => 'by name', times => 3 };
	my %time = (group => 'many', as => 'time', unit => 'ms');
	my $of_repos = sub { return "/berth/v1/repos?sort=$_[0]&order=desc&n=100" };
	my $of_tags = sub { my ($by) = @_; return sub { return "/berth/v1/repos/zz-big/tags?sort=$by&n=100&at=" . int $_[0]->scaled(100_000) / 2 } };

	return (
		{ name => 'catalog-end', group => 'many', title => "last catalog page of $repos repositories", as => 'time', unit => 'ms', target => 50, sides => $all,
			limit => $first, measure => last_page(berth => \&catalog_end, other => \&catalog_end, limit => sub { '/v2/_catalog?n=100' }) },
		{ name => 'tags-end', group => 'many', title => "tags page n=100 at the end of $tags tags", as => 'time', unit => 'ms', target => 50, sides => $all,
			limit => $first, measure => last_page(berth => \&tags_end, other => sub { '/v2/zz-big/tags/list' },
				limit => sub { '/v2/zz-big/tags/list?n=100' }) },
		{ %time, name => 'repos-name', title => "the page's list of $repos repositories by name, the last 100", target => 1,
			measure => shown('repos', 100, berth => $of_repos->('name'), other => \&catalog_end) },
		{ %time, name => 'repos-pushed', title => 'the same by push', sides => [qw(berth limit)], limit => $by_name,
			measure => shown('repos', 100, berth => $of_repos->('pushed'), limit => $of_repos->('name')) },
		{ %time, name => 'shown-name', title => "the page's list of $tags tags by name, 100 in the middle", target => 1,
			measure => shown('tags', 100, berth => $of_tags->('name'), other => '/v2/zz-big/tags/list') },
		{ %time, name => 'shown-pushed', title => 'the same by push', sides => [qw(berth limit)], limit => $by_name,
			measure => shown('tags', 100, berth => $of_tags->('pushed'), limit => $of_tags->('name')) },
		{ %time, name => 'shown-q', title => "the page's list of those of $tags tags that contain a text, one", sides => [qw(berth)],
			measure => shown('tags', 1, berth => sub { return sprintf '/berth/v1/repos/zz-big/tags?sort=name&q=v%06d', $_[0]->scaled(100_000) }) },
		{ name => 'delete', group => 'among', title => "DELETE of a manifest among $among tags", as => 'time', unit => 'ms', target => 30,
			measure => sub { my ($bench, $side) = @_; return delete_time($bench, side_of($bench, $side, store => 'among'), 10) } },
		{ name => 'start', group => 'start', title => "start until the first answer, $repos repositories", as => 'time', unit => 'ms', target => 1,
			measure => \&start_time },
	);
}

1;
