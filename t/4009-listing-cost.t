#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A page costs what it holds, not what the registry holds; a delete costs what points to the manifest.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use List::Util qw(min);
use Berth::Test;
use Berth::Check;
use Berth::Trace;

plain_build_only('it counts system calls');
need_program('strace');
my ($repos, $tags) = (2000, 5000);
my $s = Berth::Server->start(config => "delete = true;\nfsync = \"off\";\n", workers => 1);
$s->stop_workers;

# many - directories and their link files below the repositories, made quickly
sub many {
	my ($make, @names) = @_;
	for my $n (@names) {
		my @parts = $make->($n);
		my ($file, $bytes) = splice @parts, -2;
		mkdir $_ for @parts;
		open my $fh, '>', $file or die "$file: $!";
		print {$fh} $bytes;
		close $fh;
	}
	return;
}
my $text = image_of(OCI_MANIFEST, '{}');
my $d = sha256($text);
lay_blob($s, 'big', $_) for '{}';
lay_manifest($s, 'big', $text, 'a-first');
my $top = data_dir($s) . '/repositories';
my $blob = sha256('{}');
(my $hex = $blob) =~ s/.*://;
my @names = map { sprintf 'repo%04d', $_ } 1 .. $repos;
many(sub { my $p = "$top/$_[0]"; return ($p, "$p/_manifests", "$p/_layers", "$p/_layers/sha256", "$p/_layers/sha256/$hex", "$p/_layers/sha256/$hex/link", $blob) }, @names);
many(sub { my $p = "$top/big/_manifests/tags/$_[0]"; return ($p, "$p/current", "$p/current/link", $d) }, map { sprintf 'tag%05d', $_ } 1 .. $tags);
$s->start_workers;

for my $c (['catalog', '/v2/_catalog', 'repositories', [sort 'big', @names]], ['tags', '/v2/big/tags/list', 'tags', ['a-first', map { sprintf 'tag%05d', $_ } 1 .. $tags]]) {
	my ($what, $url, $key, $all) = @$c;
	my $r = $s->req('GET', "$url?n=100", timeout => 120);
	is_deeply $r->json->{$key}, [@$all[0 .. 99]], "$what: the first page is right";
	my $last = "$url?n=100&last=$all->[-101]";
	my $middle = "$url?n=100&last=$all->[@$all / 2]";
	is_deeply $s->req('GET', $last)->json->{$key}, [@$all[-100 .. -1]], "$what: the last page is right";
	is $s->req('GET', $last)->header('Link'), undef, "$what: the last page has no Link";
	my %n = map { my $u = $_->[1]; $_->[0] => calls_of($s, sub { $s->req('GET', $u) }) } ['first', "$url?n=100"], ['middle', $middle], ['last', $last], ['one', "$url?n=1"];
	cmp_ok $n{last}, '<=', 3 * $n{first}, "$what: the last page of " . @$all . " makes at most three times the system calls of the first ($n{last}, $n{first})";
	cmp_ok $n{middle}, '<=', 3 * $n{first}, "$what: one in the middle too ($n{middle})";
	cmp_ok $n{first}, '<', 1500, "$what: a page of a hundred makes fewer than 1500";
	cmp_ok $n{one}, '<', $n{first}, "$what: a page of one makes fewer than one of a hundred ($n{one})";
}

# deletes: three tags among ten others and among two thousand; the least of three, since what else a machine does adds to one of them now and then
sub delete_among {
	my ($repo, $n) = @_;
	my $m = image_of(OCI_MANIFEST, '{}') =~ s/\}\z/,"annotations":{"only":"here"}}/r;
	$s->stop_workers;
	lay_blob($s, $repo, '{}');
	lay_manifest($s, $repo, $text, 'other');
	lay_manifest($s, $repo, $m, 'x', 'y', 'z');
	many(sub { my $p = "$top/$repo/_manifests/tags/$_[0]"; return ($p, "$p/current", "$p/current/link", $d) }, map { "t$_" } 1 .. $n);
	$s->start_workers;
	$s->req('GET', "/v2/$repo/tags/list?n=1", timeout => 60);
	my $st;
	my $calls = calls_of($s, sub { $st = $s->req('DELETE', "/v2/$repo/manifests/" . sha256($m))->status });
	is $st, 202, "a manifest with three tags is deleted among $n other tags";
	is_deeply [map { $s->req('HEAD', "/v2/$repo/manifests/$_")->status } 'x', 'y', 'z', 'other', 't1', "t$n"], [404, 404, 404, 200, 200, 200], "its tags are gone, and no other ($n)";
	return $calls;
}
my ($few, $lots) = map { my ($repo, $n) = @$_; min(map { delete_among("$repo$_", $n) } 1 .. 3) } ['few', 10], ['lots', 2000];
cmp_ok $lots, '<=', $few + 5, "a delete among two thousand other tags makes no more system calls than among ten, but for a handful ($lots, $few)";

done_testing;
