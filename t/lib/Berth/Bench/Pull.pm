# SPDX-License-Identifier: Apache-2.0
#
# Berth::Bench::Pull: the rows of what only reads: manifests, blobs, small lists, ranges, processor time and memory; and what
# the other modules ask for, too.
package Berth::Bench::Pull;

use strict;
use warnings;

use Berth::Test;
use Berth::Bench;
use Berth::Bench::Sides;

my @REPOS;              # of the store 'hundred'
my $ACCEPT = 'Accept: application/vnd.oci.image.manifest.v1+json';
my $RANGES = 1000;      # places of a large blob

sub accept_header { return $ACCEPT }
sub digest_of { my ($n) = @_; return sha256(image_1k($n)) }

# ranges - of 4 KiB at random places, as one asks who mounts an image and fetches what is touched
sub ranges
{
	my ($path) = @_;
	my $size = length blob_64m();

	return map { my $at = int rand $size - 4096; "GET $path Range: bytes=$at-" . ($at + 4095) } 1 .. $RANGES;
}

# What is asked: by name, lines of paths; given numbers of repositories.
my %PATHS = (
	'manifest-tag' => sub { map { my $r = $REPOS[$_]; map { "GET /v2/$r/manifests/v$_" } 0 .. 9 } @_ },
	'manifest-digest' => sub { map { my $n = $_; map { "GET /v2/$REPOS[$n]/manifests/" . digest_of(10 * $n + $_) } 0 .. 9 } @_ },
	'blob-head' => sub { map { "HEAD /v2/$REPOS[$_]/blobs/" . sha256(blob_1k()) } @_ },
	'blob-1k' => sub { map { "GET /v2/$REPOS[$_]/blobs/" . sha256(blob_1k()) } @_ },
	'blob-1m' => sub { map { "GET /v2/$REPOS[$_]/blobs/" . sha256(blob_1m()) } @_ },
	'cpu-gib' => sub { my $d = sha256(blob_64m()); map { "GET /v2/$REPOS[$_]/blobs/$d" } @_ },
	'ranges' => sub { ranges("/v2/$REPOS[0]/blobs/" . sha256(blob_64m())) },
	'tags-1' => sub { 'GET /v2/zz/one/tags/list' },
	'tags-10' => sub { map { "GET /v2/$REPOS[$_]/tags/list" } @_ },
	'catalog-100' => sub { 'GET /v2/_catalog?n=100' },
	'base' => sub { 'GET /v2/' },
	'image' => sub { my $r = $REPOS[0]; ("GET /v2/$r/manifests/v0", map { "GET /v2/$r/blobs/" . sha256($_) } '{}', blob_1k(), blob_1m()) },
	# the limits
	bare => sub { 'GET /bare/fcgi' },
	accel => sub { 'GET /bare/accel' },
	'accel-head' => sub { 'HEAD /bare/accel' },
	'static-1m' => sub { 'GET /bare/static/static-1m' },
	'static-64m' => sub { 'GET /bare/static/static-64m' },
);

# paths_of - a file of requests, of some repositories, of all where none are named; a peer has its own under other names
sub paths_of
{
	my ($b, $name, $side, @repos) = @_;
	@REPOS = Berth::Bench::Sides::hundred_names($b);
	my @lines = $PATHS{$name}->(@repos ? @repos : 0 .. $#REPOS);

	if ($side && $side->isa('Berth::Bench::Peer')) {
		s{^(\S+) (\S+)}{"$1 " . $side->path($2)}e for @lines;
		$name .= '.' . $side->name;
	}
	return $b->paths($name, @lines);
}

# rate - requests a second; the limit has a path of its own
sub rate
{
	my ($what, $limit, %o) = @_;

	return sub {
		my ($b, $side) = @_;
		my $s = side_of($b, $side, store => $what eq 'base' && $side =~ /^peer / ? undef : 'hundred', limits => 1);

		return $b->ask($s, paths_of($b, $side eq 'limit' ? $limit : $what, $s), H => [$ACCEPT], %o)->{rate};
	};
}

# own_rate - the same for what wrk does not know
sub own_rate
{
	my ($what, $limit) = @_;
	my $rate = rate($what, $limit);

	return sub { my ($b, $side) = @_; local $b->{wrk} = 0; return $rate->($b, $side) };
}

# cpu_gib - processor seconds of all its processes for a GiB
sub cpu_gib
{
	my ($b, $side) = @_;
	my $s = side_of($b, $side, store => 'hundred', limits => 1);
	my @pids = pids($s);
	my $paths = paths_of($b, $side eq 'limit' ? 'static-64m' : 'cpu-gib');
	my $before = Berth::Bench::cpu(@pids);
	my $r = $b->load($s, paths => $paths, n => $b->scaled(64), c => 8);

	return (Berth::Bench::cpu(@pids) - $before) / ($r->{bytes} / 2**30);
}

# memory - of all its processes in MiB, after a load of reads and pushes
sub memory
{
	my ($b, $side) = @_;
	my $s = side_of($b, $side, store => 'hundred');

	$b->load($s, paths => paths_of($b, $_), s => $b->seconds / 2, H => [$ACCEPT]) for qw(manifest-tag blob-1m catalog-100);
	$b->load($s, images => "memory/$side", c => 8, s => $b->seconds / 2);
	return Berth::Bench::pss(pids($s));
}

sub row
{
	my (%r) = @_;

	return { group => 'hundred', as => 'rate', unit => 'requests/s', peers => 'http', wrk => 1, sides => [qw(berth other), $r{limit} ? 'limit' : ()],
		measure => rate($r{name}), %r };
}

sub rows
{
	my ($b) = @_;
	# the short table has only what is asked for there
	my @bare = $b->{wrk} ? () : (limit => { what => 'bare FastCGI', share => 0.8 });
	my @accel = $b->{wrk} ? () : (limit => { what => 'bare X-Accel', share => 0.8 });
	my @mark = (mark => 1);

	return (
		row(@mark, name => 'manifest-tag', title => 'GET manifest by tag, 1 KiB', target => 14, @bare, measure => rate('manifest-tag', 'bare')),
		row(name => 'manifest-digest', title => 'GET manifest by digest', target => 14, @bare, measure => rate('manifest-digest', 'bare')),
		row(name => 'blob-head', title => 'HEAD blob', target => 15, wrk => 0, @accel, measure => own_rate('blob-head', 'accel-head')),
		row(@mark, name => 'blob-1k', title => 'GET blob, 1 KiB', target => 26, @accel, measure => rate('blob-1k', 'accel')),
		row(@mark, name => 'blob-1m', title => 'GET blob, 1 MiB', target => 4.5, either => 1, limit => { what => 'nginx, a file', share => 0.95 },
			measure => rate('blob-1m', 'static-1m')),
		row(name => 'cpu-gib', title => 'processor time of a GiB pulled', as => 'cost', unit => 's/GiB', target => 0.25, wrk => 0, peers => undef,
			limit => { what => 'nginx, a file' }, measure => \&cpu_gib),
		row(name => 'ranges', title => 'random ranges of 4 KiB of a blob of 64 MiB'),
		row(@mark, name => 'tags-1', title => 'tags/list, 1 tag', target => 14),
		row(@mark, name => 'tags-10', title => 'tags/list, 10 tags', target => 14),
		row(name => 'catalog-100', title => 'catalog, ' . $b->scaled(100) . ' repositories', target => 5, peers => undef),
		row(@mark, name => 'base', title => '/v2/', target => 30),
		{ name => 'memory', group => 'memory', title => 'memory after a load, all processes (PSS)', as => 'cost', unit => 'MiB', target => 0.6, mark => 1,
			measure => \&memory },
	);
}

1;
