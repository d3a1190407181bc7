#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What somebody may not see costs them next to nothing: pages of the catalog jump over it, and a mount without `from` gives up.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;
use Berth::Trace;

plain_build_only('it counts system calls');
need_program('strace');
my $hidden = 10_500;
my %rules = (
	team  => ['team/*'],
	odd   => ['*/b*'],
	one   => ['app', 'zoo/b', 'no/such'],
	mixed => ['app*', 'app', 'app/**', 'app-1', 'team/**/z', 'team/a'],
	none  => ['nothing/*'],
	admin => ['**'],
);
my $dir = tmp_dir();
spew("$dir/htpasswd", htpasswd(map { $_ => $_ } keys %rules));
my $access = join ', ', map { my $u = $_; map { rule($u, $_, 'push') } @{ $rules{$u} } } sort keys %rules;
my $s = Berth::Server->start(config => "fsync = \"off\"; auth = { htpasswd = \"$dir/htpasswd\"; access = ( $access ); };\n", workers => 1);
$s->stop_workers;

my @few = qw(aaa/b1 aaa/b2 ap app app-1 app-1/x app/x app/x/y app0 apq team team/a team/a/z team/b team/c-d team0 zoo/a zoo/b zzz/b3);
my $top = data_dir($s) . '/repositories';
sub lay { my ($n) = @_; my $at = $top; for (split m{/}, $n) { $at .= "/$_"; mkdir $at } mkdir "$at/_layers"; return }
mkdir $_ for data_dir($s), $top;
lay($_) for @few, map { sprintf 'other/a%05d', $_ } 1 .. $hidden;
lay_blob($s, 'zzz/b3', 'far');
lay_blob($s, 'team/c-d', 'near');
lay_blob($s, 'team/b', $_) for 'seen', 'own';
$s->start_workers;
sub as { my ($user) = @_; return (headers => [basic($user, $user)]) }
sub page { my ($user, $query) = @_; return $s->req('GET', "/v2/_catalog?$query", as($user), timeout => 120) }

# walk - all names by the Links, from a name on; and what is wrong with a page
sub walk
{
	my ($user, $n, $last) = @_;
	my ($query, @names) = ("n=$n&last=$last");

	for (1 .. 100) {
		my $r = page($user, $query);
		my @page = @{ $r->json->{repositories} };
		my $link = $r->header('Link');
		return 'an empty page with a Link' if $link && !@page;
		return 'a Link that names what is hidden' if $link && $link !~ m{last=\Q@{[$page[-1] =~ s{/}{%2F}gr]}\E&};
		push @names, @page;
		return join ' ', @names if !$link;
		($query) = $link =~ /\?([^>]+)>/;
	}
	return 'no end';
}

# meant - those of the few repositories that a pattern means
sub meant
{
	my $re = join '|', map { my $p = quotemeta =~ s{\\/\\\*\\\*\\/}{/(?:.+/)?}gr =~ s{\\\*\\\*}{.+}gr =~ s{\\\*}{[^/]*}gr; "(?:$p)" } @_;
	return grep { /^(?:$re)$/ } sort @few;
}
for my $user (sort grep { $_ ne 'admin' } keys %rules) {
	my @want = meant(@{ $rules{$user} });
	for my $n (1, 2, 100) {
		is_deeply [map { walk($user, $n, $_) } '', 'a', 'ap', 'app', 'app-', 'app/', 'other/a00050', 'team', 'team/a', 'zzz/b3'],
			[map { my $last = $_; join ' ', grep { $_ gt $last } @want } '', 'a', 'ap', 'app', 'app-', 'app/', 'other/a00050', 'team', 'team/a', 'zzz/b3'],
			"$user sees what the rules give them, $n at a time, from wherever";
	}
}
my $r = page('odd', 'n=10');
is_deeply $r->json->{repositories}, ['aaa/b1', 'aaa/b2'], 'a page may end short of n where much is hidden behind it';
is $r->header('Link'), '</v2/_catalog?last=aaa%2Fb2&n=10>; rel="next"', 'with a Link that goes on';

# what it costs, against a page of as many for who may see all
sub calls { my ($user, $query) = @_; return calls_of($s, sub { page($user, $query) }) }
$s->req('GET', '/v2/', as($_)) for keys %rules;         # passwords are compared once
my $all = calls('admin', 'n=5');
for my $user ('team', 'one', 'mixed', 'none') {
	my $n = calls($user, 'n=5');
	cmp_ok $n, '<=', 3 * $all + 30, "a page of what $user may see costs a few times what one of everything does ($n, $all)";
}
my $odd = calls('odd', 'n=5');
cmp_ok $odd, '<', $hidden / 20, "where a rule begins with a star, hidden names cost no system calls of their own ($odd)";

# mounts from wherever it is
sub mount { my ($user, $to, $what) = @_; return $s->req('POST', "/v2/$to/blobs/uploads/?mount=" . sha256($what), as($user), timeout => 120)->status }
is mount('team', 'team/new', 'near'), 201, 'a mount without from finds a blob among what the caller may pull';
is mount('team', 'team/new', 'far'), 202, 'and not beyond it';
is mount('admin', 'team/new2', 'near'), 201, 'who may pull everything finds it near by, behind ten thousand others';
is mount('admin', 'team/b', 'own'), 201, 'and in the repository itself';
is mount('admin', 'aaa/b9', 'far'), 202, 'far away it is not looked for';
is $s->req('POST', '/v2/aaa/b9/blobs/uploads/?mount=' . sha256('far') . '&from=zzz/b3', as('admin'))->status, 201, 'but with from it is found';
lay_file(blob_file($s, sha256('nobody')), 'nobody');
for my $c (['admin', 5 * 1000 + 200], ['odd', $hidden / 20], ['team', 100], ['none', 100]) {
	my ($user, $most) = @$c;
	my $to = { admin => 'team/new3', odd => 'aaa/b9', team => 'team/new3' }->{$user} // 'nothing/x';
	my $st;
	my $n = calls_of($s, sub { $st = mount($user, $to, 'nobody') });
	is $st, 202, "$user: a blob that belongs to nobody is mounted from nowhere";
	cmp_ok $n, '<', $most, "which costs fewer than $most system calls ($n)";
}

done_testing;
