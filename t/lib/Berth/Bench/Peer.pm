# SPDX-License-Identifier: Apache-2.0
#
# Berth::Bench::Peer: a registry that already runs, known by its URL alone. What a row asks for is pushed first, below
# berth-bench/; nothing is removed. A user and a password of the URL go with every request.
package Berth::Bench::Peer;

use strict;
use warnings;

use HTTP::Tiny ();
use MIME::Base64 qw(encode_base64);
use Socket qw(inet_aton inet_ntoa);

use Berth::Check;
use Berth::Test;

my $PREFIX = 'berth-bench';

# parse - of --peer NAME=URL; dies with a line for people
sub parse
{
	my ($class, $text) = @_;
	my ($name, $scheme, $user, $host, $port) = $text =~ m{\A([A-Za-z0-9._-]+)=(https?)://(?:([^@/]+)@)?([A-Za-z0-9.-]+)(?::(\d{1,5}))?/?\z}
		or die "--peer is NAME=http[s]://[USER:PASSWORD@]HOST[:PORT], not $text\n";
	$port //= $scheme eq 'https' ? 443 : 80;
	die "--peer: $name is one of the bench's own names\n" if $name =~ /^(?:berth|other|limit|docker-registry)$/;
	my $ip = inet_aton($host) or die "--peer: $host has no address\n";

	return bless { name => $name, scheme => $scheme, user => $user, host => "$host:$port", port => $port, address => inet_ntoa($ip), has => {} }, $class;
}

sub name { return $_[0]{name} }
sub scheme { return $_[0]{scheme} }
sub host { return $_[0]{host} }
sub port { return $_[0]{port} }
sub address { return $_[0]{address} }
sub url { return "$_[0]{scheme}://$_[0]{host}" }
sub headers { my ($p) = @_; return defined $p->{user} ? 'Authorization: Basic ' . encode_base64($p->{user}, '') : () }

# path - where it has what a path of the bench's own stores names
sub path { my ($p, $path) = @_; return $path =~ s{^/v2/(?=.)}{/v2/$PREFIX/}r }
sub repository { my ($p, $name) = @_; return "$PREFIX/$name" }

sub req
{
	my ($p, $method, $path, $want, %o) = @_;
	my $http = $p->{http} //= HTTP::Tiny->new(keep_alive => 1, max_redirect => 0, timeout => 300, verify_SSL => 0);
	my %headers = map { split /: /, $_, 2 } $p->headers;
	my $url = $path =~ m{^https?://} ? $path : $p->url . $path;
	my $r = $http->request($method, $url, { headers => { %headers, %{ $o{headers} // {} } }, content => $o{content} // '' });

	die "$method $path: $r->{status} " . substr($r->{content} // '', 0, 200) . "\n" if !grep { $r->{status} == $_ } @$want;
	return $r;
}

# put_blob - bytes, or a file's: { digest, bytes } or { digest, file }
sub put_blob
{
	my ($p, $repo, $blob) = @_;
	my $post = $p->req(POST => "/v2/$repo/blobs/uploads/", [202]);
	my $at = $post->{headers}{location} // die "POST: no Location\n";
	my ($content, $length) = ($blob->{bytes}, defined $blob->{bytes} ? length $blob->{bytes} : -s $blob->{file});

	if (!defined $content) {
		open my $fh, '<:raw', $blob->{file} or die "$blob->{file}: $!";
		$content = sub { read $fh, my $piece, 1 << 20; return $piece };
	}
	$p->req(PUT => $at . ($at =~ /\?/ ? '&' : '?') . "digest=$blob->{digest}", [201], content => $content,
		headers => { 'Content-Type' => 'application/octet-stream', 'Content-Length' => $length });
	return;
}

# with - pushes what a store of that name has, once
sub with
{
	my ($p, $b, $store) = @_;

	return $p if !defined $store || $p->{has}{$store};
	my $push = $p->can("push_$store") // die "nothing is pushed for '$store'\n";
	$b->progress("  what '$store' has is pushed to $p->{name}");
	$push->($p, $b);
	$p->{has}{$store} = 1;
	return $p;
}

# push_hundred - the same repositories, tags, manifests and blobs as lay_hundred of Sides.pm
sub push_hundred
{
	my ($p, $b) = @_;
	my %manifests = Berth::Bench::Sides::hundred_manifests($b);
	my @blobs = map { { digest => sha256($_), bytes => $_ } } Berth::Bench::Sides::hundred_blobs();
	my $first;

	for my $name (sort keys %manifests) {
		my $repo = $p->repository($name);
		for my $blob (@blobs) {
			my $mounted = defined $first && $p->req(POST => "/v2/$repo/blobs/uploads/?mount=$blob->{digest}&from=$first", [201, 202])->{status} == 201;
			$p->put_blob($repo, $blob) if !$mounted;
		}
		$first //= $repo;
		$p->req(PUT => "/v2/$repo/manifests/$_->[0]", [201], content => $_->[1], headers => { 'Content-Type' => OCI_MANIFEST }) for @{ $manifests{$name} };
	}
	return;
}

sub push_stream
{
	my ($p, $b) = @_;
	my ($file, $digest) = Berth::Bench::Sides::stream_file($b);

	$p->put_blob($p->repository('stream/app'), { digest => $digest, file => $file });
	return;
}

1;
