#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The catalog lists what the caller may pull, its pages included; a mount takes only from there.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;

my $dir = tmp_dir();
spew("$dir/htpasswd", htpasswd(map { $_ => $_ } qw(alice bob admin stranger)));
my @rules = (rule('alice', 'team/*', 'push'), rule('alice', 'shared/*', 'pull'), rule('bob', '*/b*', 'pull'), rule('bob', 'bob', 'push'),
	rule('admin', '**', 'pull push'));
my $auth = "htpasswd = \"$dir/htpasswd\";";
my $s = Berth::Server->start(config => "auth = { $auth access = ( " . join(', ', @rules) . " ); };\n");
my @all = map { my $t = $_; map { "$t/$_" } qw(a b1 b2 c) } qw(other shared team zoo);
my $bytes = 'layer';
my $blob = sha256($bytes);

sub push_to
{
	my ($user, $repo, $what) = @_;
	my $loc = path_of($s->req(POST => "/v2/$repo/blobs/uploads/", headers => [basic($user, $user)])->header('Location'));
	return $s->req(PUT => "$loc?digest=" . sha256($what), body => $what, headers => [basic($user, $user)])->status;
}
push_to('admin', $_, "only $_") for @all;

# walk - all pages; names, and what is wrong with the links
sub walk
{
	my ($h, $n) = @_;
	my ($path, $pages, @names) = ("/v2/_catalog?n=$n", 0);

	while ($path && $pages++ < 50) {
		my $r = $s->req(GET => $path, headers => $h);
		return 'status ' . $r->status if $r->status != 200;
		my @page = @{ $r->json->{repositories} };
		return 'a page of ' . scalar @page if @page > $n;
		push @names, @page;
		my $link = $r->header('Link');
		return "a page of " . scalar(@page) . ' with a link' if $link && @page != $n;
		($path) = ($link // '') =~ /^<([^>]+)>; rel="next"$/;
	}
	return join ' ', @names;
}

my %sees = (alice => [grep { m{^(team|shared)/} } @all], bob => [grep { m{^\w+/b} } @all], admin => \@all, stranger => []);
for my $user (sort keys %sees) {
	for my $n (1, 2, 3, 4, 7, 16, 100) {
		is walk([basic($user, $user)], $n), join(' ', @{ $sees{$user} }), "$user sees what they may pull, $n at a time";
	}
	my $r = $s->req(GET => '/v2/_catalog', headers => [basic($user, $user)]);
	is_deeply $r->json->{repositories}, $sees{$user}, "$user sees it without n";
	is $r->header('Link'), undef, 'without a link to more';
}
my $r = $s->req(GET => '/v2/_catalog?n=8', headers => [basic('alice', 'alice')]);
is $r->header('Link'), undef, 'no link speaks of repositories behind, which are hidden';
$r = $s->req(GET => '/v2/_catalog?n=1&last=other/zzz', headers => [basic('alice', 'alice')]);
is $r->json->{repositories}[0], 'shared/a', 'last may be one that is hidden, or none';
is_deeply $s->req(GET => '/v2/_catalog?n=0', headers => [basic('alice', 'alice')])->json->{repositories}, [], 'n=0 is no repository';
error_is($s->req(GET => '/v2/_catalog'), 401, 'UNAUTHORIZED', 'without login there is no catalog');
error_is($s->req(GET => '/v2/_catalog?n=x'), 401, 'UNAUTHORIZED', 'whatever else is wrong with the request');

# Mounts
is push_to('admin', 'other/a', $bytes), 201, 'there is a blob in a repository that alice may not pull';
sub mount { my ($user, $to, $query) = @_; return $s->req(POST => "/v2/$to/blobs/uploads/?mount=$blob$query", headers => [basic($user, $user)]) }
sub has { return $s->req(HEAD => "/v2/$_[0]/blobs/$blob", headers => [basic('admin', 'admin')])->status == 200 ? 1 : 0 }
is mount('alice', 'team/a', '&from=other/a')->status, 202, 'alice cannot mount from there';
is mount('alice', 'team/a', '&from=other%2Fa')->status, 202, 'nor when it is written otherwise';
is mount('alice', 'team/a', '')->status, 202, 'nor from anywhere, where nobody else has it';
is has('team/a'), 0, 'nothing was mounted';
is mount('alice', 'shared/a', '&from=team/a')->status, 403, 'nor may she mount to where she may only pull';
is mount('bob', 'bob', '&from=other/b1')->status, 202, 'a repository that bob may pull, and lacks it, is an ordinary upload';
is push_to('admin', 'shared/c', $bytes), 201, 'now it is also where alice may pull';
is mount('bob', 'bob', '')->status, 202, 'bob still finds it nowhere';
is mount('alice', 'team/a', '&from=shared/c')->status, 201, 'alice mounts from there';
is has('team/a'), 1, 'and has it';
is mount('alice', 'team/c', '')->status, 201, 'and without from she finds it';
is mount('admin', 'zoo/c', '')->status, 201, 'who may pull everything finds it anywhere';
is mount('alice', 'team/new', '&from=team/a')->status, 201, 'a mount is a push: it may make a repository';

# What is for everybody may be kept by caches that many share
is $s->req(GET => "/v2/team/a/blobs/$blob", headers => [basic('alice', 'alice')])->header('Cache-Control'), 'private, max-age=31536000, immutable',
	'a blob that not everybody may pull is private to caches';
is $s->req(HEAD => "/v2/team/a/blobs/$blob", headers => [basic('alice', 'alice')])->header('Cache-Control'), 'private, max-age=31536000, immutable', 'HEAD says so too';

# With something for everybody
$s->config("auth = { $auth access = ( " . join(', ', @rules, rule('@anonymous', 'shared/*', 'pull'), rule('@users', 'zoo/a', 'pull')) . " ); };\n");
$s->replace_workers;
ok wait_for(sub { $s->req(GET => '/v2/_catalog')->status == 200 }), 'with a rule for everybody there is a catalog without login';
# every worker is a new one when none of the old ones answers any more
ok wait_for(sub { !grep { $s->req(GET => '/v2/_catalog')->status != 200 } 1 .. 12 }), 'from every worker';
is walk([], 3), join(' ', grep { /^shared/ } @all), 'of what everybody may pull';
is walk([basic('stranger', 'stranger')], 2), join(' ', grep { m{^shared|^zoo/a} } @all), 'who is logged in sees more';
is $s->req(GET => '/v2/_catalog', headers => [basic('stranger', 'wrong')])->status, 401, 'a wrong login sees nothing';
is $s->req(GET => "/v2/shared/c/blobs/$blob")->header('Cache-Control'), 'max-age=31536000, immutable', 'a blob for everybody is for all caches';
is $s->req(GET => "/v2/shared/c/blobs/$blob", headers => [basic('alice', 'alice')])->header('Cache-Control'), 'max-age=31536000, immutable', 'whoever asks for it';
done_testing;
