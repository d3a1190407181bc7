# SPDX-License-Identifier: Apache-2.0
#
# Berth::Bench::Pull: the rows of what only reads: manifests, blobs, small lists, logins, processor time and memory.
package Berth::Bench::Pull;

use strict;
use warnings;

use Berth::Test;
use Berth::Bench;
use Berth::Bench::Sides;

my @REPOS = map { sprintf 'team%d/app%02d', $_ % 7, $_ } 0 .. 99;
my $ACCEPT = 'Accept: application/vnd.oci.image.manifest.v1+json';

sub accept_header { return $ACCEPT }
sub digest_of { my ($n) = @_; return sha256(image_1k($n)) }

# What is asked: by name, lines of paths.
my %PATHS = (
	'manifest-tag' => sub { map { my $r = $_; map { "GET /v2/$r/manifests/v$_" } 0 .. 9 } @REPOS },
	'manifest-digest' => sub { map { my $n = $_; map { "GET /v2/$REPOS[$n]/manifests/" . digest_of(10 * $n + $_) } 0 .. 9 } 0 .. 99 },
	'blob-head' => sub { map { "HEAD /v2/$_/blobs/" . sha256(blob_1k()) } @REPOS },
	'blob-1k' => sub { map { "GET /v2/$_/blobs/" . sha256(blob_1k()) } @REPOS },
	'blob-1m' => sub { map { "GET /v2/$_/blobs/" . sha256(blob_1m()) } @REPOS },
	'cpu-gib' => sub { my $d = sha256(blob_64m()); map { "GET /v2/$_/blobs/$d" } @REPOS },
	'tags-10' => sub { map { "GET /v2/$_/tags/list" } @REPOS },
	'catalog-100' => sub { 'GET /v2/_catalog' },
	'base' => sub { 'GET /v2/' },
	# the limits
	bare => sub { 'GET /bare/fcgi' },
	accel => sub { 'GET /bare/accel' },
	'accel-head' => sub { 'HEAD /bare/accel' },
	'static-1m' => sub { 'GET /bare/static/static-1m' },
	'static-64m' => sub { 'GET /bare/static/static-64m' },
);

sub paths_of { my ($b, $name) = @_; return $b->paths($name, $PATHS{$name}->()) }

# rate - requests a second; the limit has a path of its own
sub rate
{
	my ($what, $limit, %o) = @_;

	return sub {
		my ($b, $side) = @_;
		my $s = side_of($b, $side, store => 'hundred');

		return $b->load($s, paths => paths_of($b, $side eq 'limit' ? $limit : $what), w => $b->seconds / 4, H => [$ACCEPT], %o)->{rate};
	};
}

# cpu_gib - processor seconds of all its processes for a GiB
sub cpu_gib
{
	my ($b, $side) = @_;
	my $s = side_of($b, $side, store => 'hundred');
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

# login - as manifest-tag, with a password in each request; the limit is berth without
sub login
{
	my ($b, $side) = @_;
	my $s = side_of($b, $side eq 'limit' ? 'berth' : $side, store => 'hundred', $side eq 'limit' ? () : (as => 'login', auth => 1));
	my (undef, $header) = user_and_header();

	return $b->load($s, paths => paths_of($b, 'manifest-tag'), H => [$ACCEPT, $side eq 'limit' ? () : $header])->{rate};
}

sub row { my (%r) = @_; return { group => 'hundred', as => 'rate', unit => 'requests/s', sides => [qw(berth other), $r{limit} ? 'limit' : ()], %r } }

sub rows
{
	my ($b) = @_;
	my $bare = { what => 'bare FastCGI', share => 0.8 };
	my $accel = { what => 'bare X-Accel', share => 0.8 };

	return (
		row(name => 'manifest-tag', title => 'GET manifest by tag, 1 KiB', target => 12, limit => $bare, measure => rate('manifest-tag', 'bare')),
		row(name => 'manifest-digest', title => 'GET manifest by digest', target => 12, limit => $bare, measure => rate('manifest-digest', 'bare')),
		row(name => 'blob-head', title => 'HEAD blob', target => 15, limit => $accel, measure => rate('blob-head', 'accel-head')),
		row(name => 'blob-1k', title => 'GET blob, 1 KiB', target => 15, limit => $accel, measure => rate('blob-1k', 'accel')),
		row(name => 'blob-1m', title => 'GET blob, 1 MiB', target => 2.5, limit => { what => 'nginx, a file', share => 0.9 }, measure => rate('blob-1m', 'static-1m')),
		row(name => 'cpu-gib', title => 'processor time of a GiB pulled', as => 'cost', unit => 's/GiB', target => 0.25,
			limit => { what => 'nginx, a file' }, measure => \&cpu_gib),
		row(name => 'tags-10', title => 'tags/list, 10 tags', target => 5, measure => rate('tags-10')),
		row(name => 'catalog-100', title => 'catalog, 100 repositories', target => 5, measure => rate('catalog-100')),
		row(name => 'base', title => '/v2/', target => 5, measure => rate('base')),
		row(name => 'login', title => 'GET manifest with a password, bcrypt of cost 10', target => 50, limit => { what => 'berth without login', share => 0.9 },
			measure => \&login),
		row(name => 'memory', group => 'memory', title => 'memory after a load, all processes (PSS)', as => 'cost', unit => 'MiB', target => 0.6, measure => \&memory),
	);
}

1;
