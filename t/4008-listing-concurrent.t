#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Catalog and tags while eight clients push and delete in random order.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use List::Util qw(shuffle);
use Time::HiRes qw(time);
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\nfsync = \"off\";\n", workers => 4);
my $text = image_of(OCI_MANIFEST, '{}');
$s->push_blob('many/tags', '{}');

# names that sort otherwise by a walk than by bytes are among them
my @repos = map { my $n = $_; ("r$n", "r$n/x", "r$n-x", "r$n.x/y", "r$n/x/y") } 1 .. 60;
my @tags = map { my $n = $_; ("t$n", "t$n.a", "T$n", "t$n-a", "t${n}_") } 1 .. 200;
my %repo_of = map { $_ => [] } 0 .. 7;
my $i = 0;
push @{ $repo_of{ $i++ % 8 } }, $_ for shuffle @repos;
my %tag_of = map { $_ => [] } 0 .. 7;
push @{ $tag_of{ $i++ % 8 } }, $_ for shuffle @tags;

# one connection for many requests, and another one when the server has had enough of it
sub client {
	my ($sock, $rest);
	return sub {
		my ($m, $p, %o) = @_;
		($sock, $rest) = ($s->sock, '') if !$sock;
		my $r = $s->req($m, $p, %o, sock => $sock, rest => \$rest, headers => [Connection => 'keep-alive', @{ $o{headers} // [] }]);
		undef $sock if lc($r->header('Connection') // '') eq 'close';
		return $r;
	};
}

# pages - all names by Links with this n; dies with what is wrong
sub pages {
	my ($req, $url, $key, $n) = @_;
	my @all;
	$url .= "?n=$n";
	while (defined $url) {
		my $r = $req->('GET', $url);
		die "$url: " . $r->status . "\n" if $r->status != 200;
		my @got = @{ $r->json->{$key} // [] };
		die 'a page of ' . @got . "\n" if @got > $n;
		push @all, @got;
		my $l = $r->header('Link');
		($url) = defined $l ? $l =~ /<([^>]+)>/ : ();
	}
	for my $k (1 .. $#all) {
		die "$all[$k] after $all[$k - 1]\n" if $all[$k] le $all[$k - 1];
	}
	return @all;
}

my @r = run_parallel(8, sub {
	my ($i) = @_;
	my $req = client();
	my @work = shuffle((map { [repo => $_] } @{ $repo_of{$i} }), (map { [tag => $_] } @{ $tag_of{$i} }));
	for my $w (@work) {
		my ($what, $name) = @$w;
		my $r = $what eq 'repo' ? $req->('POST', "/v2/$name/blobs/uploads/?mount=" . sha256('{}') . '&from=many%2Ftags')
			: $req->('PUT', "/v2/many/tags/manifests/$name", headers => ['Content-Type' => OCI_MANIFEST], body => $text);
		return "$what $name: " . $r->status . $r->body if $r->status != 201;
	}
	return '';
});
is_deeply \@r, [('') x 8], 'eight clients make three hundred repositories and a thousand tags in random order';
my $req = client();
is_deeply [pages($req, '/v2/_catalog', 'repositories', 1000)], [sort 'many/tags', @repos], 'the catalog has them all in byte order';
is_deeply [pages($req, '/v2/_catalog', 'repositories', 37)], [sort 'many/tags', @repos], 'in pages too';
is_deeply $req->('GET', '/v2/many/tags/tags/list')->json->{tags}, [sort @tags], 'and the list has all tags';
is_deeply [pages($req, '/v2/many/tags/tags/list', 'tags', 101)], [sort @tags], 'in pages too';
is_deeply $req->('GET', '/v2/many/tags/tags/list?n=3&last=t57')->json->{tags}, [(grep { $_ gt 't57' } sort @tags)[0 .. 2]], 'a page begins after any name';
is_deeply $req->('GET', '/v2/many/tags/tags/list?n=3&last=t57.nonsense')->json->{tags}, [(grep { $_ gt 't57.nonsense' } sort @tags)[0 .. 2]], 'even one that does not exist';

# two thirds are deleted and made again in random order, while others page: the rest is always seen, each exactly once
my %stays = map { $_ => 1 } grep { /[05]/ } @tags;
my ($stop, $paged) = map { $s->dir . "/$_" } 'done', 'paged';
@r = run_parallel(10, sub {
	my ($i) = @_;
	my $req = client();
	if ($i < 8) {
		my @work = shuffle grep { !$stays{$_} } @{ $tag_of{$i} };
		my $half = $work[@work / 2];
		for my $t (@work) {
			# the first round of each who pages ends amid the deletes, and the second one begins there
			wait_for { 2 == (() = glob "$paged*") } if $t eq $half;
			my $r = $req->('DELETE', "/v2/many/tags/manifests/$t");
			return "DELETE $t: " . $r->status if $r->status != 202;
			next if rand() < 0.7;
			$r = $req->('PUT', "/v2/many/tags/manifests/$t", headers => ['Content-Type' => OCI_MANIFEST], body => $text);
			return "PUT $t: " . $r->status if $r->status != 201;
			$r = $req->('DELETE', "/v2/many/tags/manifests/$t");
			return "DELETE again $t: " . $r->status if $r->status != 202;
		}
		spew("$stop$i", '');
		return '';
	}
	my $rounds = 0;
	my $end = time + 120;
	do {
		my %seen;
		my @all = eval { pages($req, '/v2/many/tags/tags/list', 'tags', $i == 8 ? 23 : 100) };
		return "paging: $@" if $@;
		$seen{$_}++ for @all;
		my @twice = grep { $seen{$_} > 1 } keys %seen;
		return "twice: @twice" if @twice;
		my @miss = grep { !$seen{$_} } keys %stays;
		return "missed: @miss[0 .. ($#miss > 3 ? 3 : $#miss)]" if @miss;
		my %known = map { $_ => 1 } @tags;
		my @odd = grep { !$known{$_} } @all;
		return "never pushed: @odd" if @odd;
		spew("$paged$i", '') if !$rounds++;
	} until (glob("$stop*"))[7] || time > $end;
	return $rounds >= 2 ? '' : "only $rounds rounds";
});
is_deeply \@r, [('') x 10], 'while eight clients delete in random order two others page through: every tag that stays is seen exactly once in every round';
is_deeply $req->('GET', '/v2/many/tags/tags/list')->json->{tags}, [sort keys %stays], 'in the end what stays is listed, and nothing else';
is $req->('DELETE', '/v2/many/tags/manifests/' . sha256($text))->status, 202, 'a delete by digest takes them all';
is $req->('GET', '/v2/many/tags/tags/list')->body, qq({"name":"many/tags","tags":null}\n), 'and none is left';
is_deeply [pages($req, '/v2/_catalog', 'repositories', 50)], [sort 'many/tags', @repos], 'the catalog is as it was';
is leftovers($s), '', 'nothing is left in body, tmp and trash';
ok !(grep { ($_->{status} // 0) >= 500 } $s->log_events), 'no request ended with 5xx';

done_testing;
