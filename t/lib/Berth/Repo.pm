# SPDX-License-Identifier: Apache-2.0
#
# Berth::Repo: what the tests of `berth repo` and `berth tag` share.
package Berth::Repo;

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP ();

use Berth::Test;
use Berth::Check;

our @EXPORT = qw(
	berth_cmd berth berth_ok berth_says evict_ok objects_of fsck_kinds tags_of catalog_of refers_to dangling_tags repo_dir_of
);

# berth_cmd - the words of a command on a store, served or not; berth - run()'s result
sub berth_cmd
{
	my ($s, @words) = @_;

	return (program('berth'), $s->can('config_file') ? ('--config', $s->config_file) : (), '--root', $s->root, @words);
}

sub berth { return run(berth_cmd(@_)) }

sub shown { my ($r) = @_; return "status $r->{status}\n$r->{out}$r->{err}" }

# berth_ok - it ends with 0 and complains of nothing
sub berth_ok
{
	my $title = pop;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is_well(berth(@_), $title);
}

sub is_well
{
	my ($r, $title) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($r->{status} == 0 && $r->{err} eq '', $title) or diag(shown($r));
	return $r;
}

# evict_ok - an eviction, as berth_ok; the master's own, as after each reload, is waited for
sub evict_ok
{
	my ($s, $title) = @_;
	my $r;

	wait_for(sub { $r = berth($s, 'gc', '--cache', '--json'); return $r->{err} !~ /another collection is running/ });
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is_well($r, $title // 'an eviction');
}

# berth_says - it ends with that status, and says one line that matches
sub berth_says
{
	my ($s, $words, $status, $re, $title) = @_;
	my $r = berth($s, @$words);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($r->{status} == $status && $r->{err} =~ $re && ($status == 2 || $r->{err} =~ /\A[^\n]+\n\z/), $title) or diag(shown($r));
	return $r;
}

# objects_of - what --json printed
sub objects_of { return map { JSON::PP->new->utf8->decode($_) } split /\n/, $_[0]{out} }

# fsck_kinds - what fsck finds, as "KIND WHERE"
sub fsck_kinds
{
	my ($s) = @_;
	my $r = berth($s, 'fsck', '--json');

	return "fsck fails: $r->{err}" if $r->{err} ne '';
	return map { "$_->{kind} $_->{where}" } grep { $_->{kind} ne 'summary' } objects_of($r);
}

# What clients see: the tags of a repository, or the status; the catalog; the referrers of a digest.
sub tags_of
{
	my ($s, $repo) = @_;
	my $r = $s->req('GET', "/v2/$repo/tags/list");

	return $r->status if $r->status != 200;
	return join ' ', @{ $r->json->{tags} // [] };
}

sub catalog_of { return join ' ', @{ $_[0]->req('GET', '/v2/_catalog')->json->{repositories} } }

sub refers_to
{
	my ($s, $repo, $digest) = @_;
	my $r = $s->req('GET', "/v2/$repo/referrers/$digest");

	return $r->status if $r->status != 200;
	return join ' ', map { $_->{digest} } @{ $r->json->{manifests} };
}

sub repo_dir_of { my ($s, $repo) = @_; return data_dir($s) . "/repositories/$repo" }

# dangling_tags - the tags on disk that point to a manifest which the repository has not, or that has no bytes
sub dangling_tags
{
	my ($s) = @_;
	my @bad;

	for my $f (files_below(data_dir($s) . '/repositories')) {
		my ($repo, $tag) = $f =~ m{^(.*)/_manifests/tags/([^/]+)/current/link\z} or next;
		my $d = content_of(data_dir($s) . "/repositories/$f") // '';

		push @bad, "$repo:$tag" if (content_of(revision_link($s, $repo, $d)) // '') ne $d || !-e blob_file($s, $d);
	}
	return @bad;
}

1;
