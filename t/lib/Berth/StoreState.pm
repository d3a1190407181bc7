# SPDX-License-Identifier: Apache-2.0
#
# Berth::StoreState: whether a state of Berth::PowerCut is a store that keeps its promises, without asking berth.
#
#   my @faults = faults_of($state);                 # one line each; what is merely garbage is none
#   my $d = what_is($state, 'tag', 'team/app', 'v1');       # undef where it is gone
package Berth::StoreState;

use strict;
use warnings;

use Digest::SHA qw(sha256_hex sha512_hex);
use Exporter 'import';
use JSON::PP ();

use Berth::PowerCut;

our @EXPORT = qw(faults_of what_is listing_of);

my $V2 = 'docker/registry/v2';

sub text { my ($state, $path) = @_; my $id = $state->{$path} // 'd'; return $id eq 'd' ? undef : Berth::PowerCut::content($id) }
sub blob { my ($d) = @_; my ($alg, $hex) = split /:/, $d, 2; return "$V2/blobs/$alg/" . substr($hex, 0, 2) . "/$hex/data" }
sub below { my ($repo, $what, $d) = @_; return "$V2/repositories/$repo/$what/" . $d =~ tr{:}{/}r . '/link' }
sub layer { return below($_[0], '_layers', $_[1]) }
sub revision { return below($_[0], '_manifests/revisions', $_[1]) }
sub tag { return "$V2/repositories/$_[0]/_manifests/tags/$_[1]/current/link" }

# what_is - 'tag', repository, tag: the digest; 'manifest' or 'blob', repository, digest: that digest
sub what_is
{
	my ($state, $kind, $repo, $what) = @_;

	return text($state, $kind eq 'tag' ? tag($repo, $what) : $kind eq 'manifest' ? revision($repo, $what) : layer($repo, $what));
}

my (%right, %parsed);

# Whether a content is that of a digest. Contents are few, states are many: each is hashed once.
sub is_right
{
	my ($id, $d) = @_;

	return $right{"$id $d"} //= do {
		my ($alg, $hex) = split /:/, $d, 2;
		my $bytes = Berth::PowerCut::content($id);
		($alg eq 'sha512' ? sha512_hex($bytes) : sha256_hex($bytes)) eq $hex ? 1 : 0;
	};
}

# What a manifest names: { layers => [digests], manifests => [...], subject => digest }
sub parsed
{
	my ($id) = @_;

	return $parsed{$id} //= do {
		my $m = eval { JSON::PP->new->utf8->decode(Berth::PowerCut::content($id)) } // {};
		{ layers => [map { $_->{digest} } grep { $_ } $m->{config}, @{ $m->{layers} // [] }],
			manifests => [map { $_->{digest} } @{ $m->{manifests} // [] }], subject => $m->{subject} && $m->{subject}{digest} };
	};
}

sub well_formed { return defined $_[0] && $_[0] =~ /\Asha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})\z/ }

# A link: it says the digest of its directory, and that content is there with the right bytes.
sub link_fault
{
	my ($state, $path, $d) = @_;
	my $is = text($state, $path) // return "$path: no file";

	return "$path says '$is'" if $is ne $d;
	return "$path: nothing lies under $d" if !defined $state->{ blob($d) };
	return '';
}

sub manifest_faults
{
	my ($state, $repo, $d) = @_;
	my $id = $state->{ blob($d) } // return;
	my $m = parsed($id);
	my @bad;

	push @bad, map { "$repo\@$d names the blob $_, which is not in the repository" } grep { !defined $state->{ layer($repo, $_) } } @{ $m->{layers} };
	push @bad, map { "$repo\@$d names the manifest $_, which is not in the repository" } grep { !defined $state->{ revision($repo, $_) } } @{ $m->{manifests} };
	return @bad;
}

# The names of a sorted set (src/store/sorted.h), or undef where it is damaged.
sub sorted_set
{
	my ($state, $dir) = @_;
	my $root = text($state, "$dir/root") // return {};
	my ($head, @leaves) = split /\n/, $root;
	my %names;

	return if ($head // '') !~ /\A\d+ \d+\z/ || !@leaves || $root !~ /\n\z/;
	for my $n (0 .. $#leaves) {
		my ($id) = $leaves[$n] =~ /\A(\d+) / or return;
		my ($beyond) = $n < $#leaves ? $leaves[$n + 1] =~ /\A\d+ (.*)\z/ : ();
		my $leaf = text($state, "$dir/$id") // return;
		$names{$_} = 1 for grep { !defined $beyond || $_ lt $beyond } split /\n/, $leaf;
	}
	return \%names;
}

sub holds { my ($state, $file) = @_; my $epoch = text($state, 'berth/index/_epoch'); return defined $epoch && (text($state, $file) // '') eq $epoch }

# An index that says that it holds names all that is there.
sub index_faults
{
	my ($state, $repo, $r) = @_;
	my $dir = "berth/index/$repo";
	my ($names, $pairs) = map { sorted_set($state, "$dir/$_") } qw(_names _tags);
	my @bad;

	return if !holds($state, "$dir/_epoch");
	return "the index of $repo is damaged" if !$names || !$pairs;
	for my $t (sort keys %{ $r->{tags} }) {
		push @bad, "the index of $repo lacks the tag $t" if !$names->{$t};
		push @bad, "the index of $repo lacks what $t points to" if !$pairs->{"$r->{tags}{$t} $t"};
	}
	for my $d (sort keys %{ $r->{manifests} }) {
		my $id = $state->{ blob($d) } // next;
		my $subject = parsed($id)->{subject} // next;
		my $entry = text($state, "$dir/_referrers/" . $subject =~ tr{:}{/}r . "/$d") // '';
		push @bad, "the index of $repo lacks the referrer $d" if !eval { JSON::PP->new->utf8->decode($entry)->{digest} eq $d };
	}
	return @bad;
}

# repositories_of - what the links say: { repository => { tags => { tag => digest }, manifests => { digest => 1 } } }
sub repositories_of
{
	my ($state) = @_;
	my %r;

	for my $path (keys %$state) {
		my ($repo, $rest) = $path =~ m{\A\Q$V2\E/repositories/(.+?)/(_(?:layers|manifests)(?:/.*)?)\z}s or next;
		$r{$repo} //= { tags => {}, manifests => {} };
		next if $rest !~ m{/link\z};
		$r{$repo}{tags}{$1} = text($state, $path) // '' if $rest =~ m{\A_manifests/tags/([^/]+)/current/link\z};
		$r{$repo}{manifests}{"$1:$2"} = 1 if $rest =~ m{\A_manifests/revisions/(\w+)/(\w+)/link\z};
	}
	return \%r;
}

# listing_of - what a registry has to list: { catalog => [...], tags => { repository => [...] }, referrers => { repository => { subject => [...] } } }
sub listing_of
{
	my ($state) = @_;
	my $r = repositories_of($state);
	my %out = (catalog => [sort keys %$r], tags => {}, referrers => {});

	for my $repo (keys %$r) {
		$out{tags}{$repo} = [sort keys %{ $r->{$repo}{tags} }];
		for my $d (sort keys %{ $r->{$repo}{manifests} }) {
			my $subject = parsed($state->{ blob($d) } // next)->{subject} // next;
			push @{ $out{referrers}{$repo}{$subject} }, $d;
		}
	}
	return \%out;
}

sub faults_of
{
	my ($state) = @_;
	my $r = repositories_of($state);
	my @bad;

	for my $path (keys %$state) {
		if ($state->{$path} eq 'd') {
			push @bad, "$path holds no link" if $path =~ m{/_(?:layers|manifests/revisions)/\w+/\w+\z} && !defined $state->{"$path/link"};
			push @bad, "$path is no tag" if $path =~ m{/_manifests/tags/[^/]+\z} && !defined $state->{"$path/current/link"};
			next;
		}
		if ($path =~ m{\A\Q$V2\E/blobs/(\w+)/../(\w+)/data\z}) {
			push @bad, "$path has wrong bytes" if !is_right($state->{$path}, "$1:$2");
		} elsif ($path =~ m{/_(?:layers|manifests/revisions)/(\w+)/(\w+)/link\z}) {
			push @bad, grep { $_ } link_fault($state, $path, "$1:$2");
		} elsif ($path =~ m{/_manifests/tags/[^/]+/index/(\w+)/(\w+)/link\z}) {
			my ($is, $of) = (text($state, $path), "$1:$2");
			push @bad, "$path says '$is'" if $is ne $of && $is !~ /\A\0*\z/;       # it is not flushed
		}
	}
	for my $repo (sort keys %$r) {
		for my $t (sort keys %{ $r->{$repo}{tags} }) {
			my $d = $r->{$repo}{tags}{$t};
			push @bad, "$repo:$t points to '$d', which is no manifest of the repository" if !well_formed($d) || !$r->{$repo}{manifests}{$d};
		}
		push @bad, map { manifest_faults($state, $repo, $_) } sort keys %{ $r->{$repo}{manifests} };
		push @bad, index_faults($state, $repo, $r->{$repo});
	}
	if (holds($state, 'berth/index/_catalog/epoch')) {
		my $all = sorted_set($state, 'berth/index/_catalog');
		push @bad, 'the catalog is damaged' if !$all;
		push @bad, map { "the catalog lacks $_" } grep { $all && !$all->{$_} } sort keys %$r;
	}
	return @bad;
}

1;
