# SPDX-License-Identifier: Apache-2.0
#
# Berth::Bench::Cache: the rows of a cache of another registry, beside docker-registry in its proxy mode: what is there already, and many clients that want what is not.
# Both have the same upstream, which is the tests' scripted one.
package Berth::Bench::Cache;

use strict;
use warnings;

use File::Path qw(make_path);
use Time::HiRes qw(time);

use Berth::Bench;
use Berth::Bench::Pull;
use Berth::Bench::Sides;
use Berth::Cache;
use Berth::Check;
use Berth::Other;
use Berth::Test;
use Berth::Upstream;

my ($TOGETHER, $MIB, $IMAGES) = (32, 64, 100);

sub upstream { my ($b) = @_; return $b->once('cache upstream' => sub { Berth::Upstream->start }) }

# cache_of - a side, which mirrors upstream as a whole
sub cache_of
{
	my ($b, $side) = @_;
	my $url = upstream($b)->url;

	return $b->once("cache $side" => sub {
		my $root = $b->dir . "/cache-$side";
		make_path($root);
		return Berth::Other->new(root => $root, cache => 1, accesslog => 1, more => "proxy: { remoteurl: \"$url\" }\n")->start if $side eq 'other';
		my $s = Berth::Server->start(root => $root, workers => workers(), env => { REGISTRY_PROXY_REMOTEURL => $url });
		wait_for { get_manifest($s, 'not/there', '1')->status == 404 } or die "the relay does not answer\n";
		return $s;
	});
}

# images - small ones, made once, and pulled through both sides
sub images
{
	my ($b) = @_;

	return @{ $b->once('store of cached images' => sub {
		my $u = upstream($b);
		my @images = map { { repo => "team$_/app", %{ $u->image("team$_/app", 'v1', layers => [blob_1k()]) } } } 1 .. $b->scaled($IMAGES);
		for my $side (qw(berth other)) {
			for my $i (@images) {
				my $p = pull(cache_of($b, $side), $i->{repo}, 'v1');
				die "$side: $p->{fault}\n" if $p->{fault};
			}
		}
		return \@images;
	}) };
}

# hits - requests a second for what is there
sub hits
{
	my ($name, $path) = @_;

	return sub {
		my ($b, $side) = @_;
		my @images = images($b);
		return $b->ask(cache_of($b, $side), $b->paths($name, map { $path->($_) } @images), H => [Berth::Bench::Pull::accept_header()])->{rate};
	};
}

# missing - a side, and the path of a large blob that it has not got, of an image whose manifest it has
sub missing
{
	my ($b, $side) = @_;
	my ($s, $u) = (cache_of($b, $side), upstream($b));
	my $repo = 'miss/app' . ++$b->{misses};
	my $digest = $u->big_blob($repo, $b->scaled($MIB) << 20);

	$u->image($repo, 'v1', layers => [\$digest]);
	my $r = get_manifest($s, $repo, 'v1');
	die "$side: no manifest: " . $r->as_string . "\n" if $r->status != 200;
	$u->settled;
	$u->forget;
	return ($s, "/v2/$repo/blobs/$digest");
}

# together - many clients ask for one blob that is not there: { seconds, until the last has it; gets, of upstream }
sub together
{
	my ($b, $side) = @_;
	my ($s, $path) = missing($b, $side);
	my $r = $b->load($s, paths => $b->paths('miss', "GET $path"), c => $TOGETHER, n => $TOGETHER);

	upstream($b)->settled;
	return { seconds => $r->{seconds}, gets => upstream($b)->count('GET blob') };
}

# first_byte - of a blob that is not there, in milliseconds
sub first_byte
{
	my ($b, $side) = @_;
	my ($s, $path) = missing($b, $side);
	my $began = time;
	my $g = get_begin($s, $path);

	get_some($g, 1) or die "$side: no byte\n";
	my $ms = (time - $began) * 1000;
	get_end($g)->{whole} or die "$side: not whole\n";
	return $ms;
}

sub rows
{
	my ($b) = @_;
	my @cache = (group => 'cache');
	my $mib = $b->scaled($MIB);

	return (
		{ @cache, name => 'cache-tag', title => 'mirror: GET manifest by tag, of what is there', as => 'rate', unit => 'requests/s', target => 10, wrk => 1,
			measure => hits('cache-tag', sub { "GET /v2/$_[0]{repo}/manifests/v1" }) },
		{ @cache, name => 'cache-digest', title => 'mirror: GET manifest by digest', as => 'rate', unit => 'requests/s', target => 10, wrk => 1,
			measure => hits('cache-digest', sub { "GET /v2/$_[0]{repo}/manifests/$_[0]{digest}" }) },
		{ @cache, name => 'cache-blob', title => 'mirror: GET blob, 1 KiB', as => 'rate', unit => 'requests/s', target => 10, wrk => 1,
			measure => hits('cache-blob', sub { "GET /v2/$_[0]{repo}/blobs/$_[0]{layers}[0]" }) },
		{ @cache, name => 'cache-misses', title => "mirror: $TOGETHER clients want a blob of $mib MiB that is not there: until the last has it", as => 'time', unit => 's',
			measure => sub { together(@_)->{seconds} } },
		{ @cache, name => 'cache-gets', title => 'the same: GETs upstream', as => 'cost', unit => 'requests', target => 0.032, measure => sub { together(@_)->{gets} } },
		{ @cache, name => 'cache-first', title => "mirror: first byte of a blob of $mib MiB that is not there", as => 'time', unit => 'ms', measure => \&first_byte },
	);
}

1;
