#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A page of 50 tags with what is known of each costs what it holds, in either order, at the beginning and at the end, however many tags there are; and
# so does a push. (What a push costs in a small repository: t/0101-syscalls.t.)
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::FCGI;
use Berth::GC;
use Berth::Trace;

plain_build_only('it counts system calls');
need_program('strace');
my $tags = is_long() ? 100_000 : 10_000;
my ($CALLS, $BYTES) = (12, 256 << 10);
my $s = Berth::Server->start(root => quick_dir(2000) . '/store', config => "delete = true;\nfsync = \"off\";\n", workers => 1);
my @d = map {
	my $config = qq({"os":"linux","architecture":"amd64","n":$_,"created":"2025-01-01T00:00:00Z"});
	my ($d) = $s->push_image('big', "seed$_", type => 'oci', config => $config, layers => ["layer $_"]);
	$s->push_image('mid', "seed$_", type => 'oci', config => $config, layers => ["layer $_"]);
	$d;
} 1 .. 5;
$s->stop_workers;
my $MID = 5000;
for (['big', $tags], ['mid', $MID]) {
	my ($repo, $count) = @$_;
	my $top = data_dir($s) . "/repositories/$repo/_manifests/tags";
	for my $i (1 .. $count) {
		my $p = sprintf '%s/release-2025.%06d', $top, $i;
		mkdir $_ or die "$_: $!" for $p, "$p/current";
		open my $h, '>', "$p/current/link" or die;
		print {$h} $d[$i % 5];
		close $h;
		my $then = 1_700_000_000 + ($i * 7919) % $count;
		utime $then, $then, "$p/current/link";
	}
}
$s->start_workers;
my $url = '/berth/v1/repos/big/tags';
# nginx would not wait for it on a busy machine
my $listed = Berth::FCGI->new($s->worker_socket)->request(params => { REQUEST_URI => "$url?n=1" }, timeout => 3600)->json;
is $listed->{total}, $tags + 5, 'the first list reads the links, once';
is $s->req(GET => "$url?n=1")->json->{total}, $tags + 5, '... and the next one does not';
for my $order (qw(name pushed)) {
	for my $direction (qw(asc desc)) {
		my $q = "$url?sort=$order&order=$direction";
		my ($page, $after) = (0, '');
		my %cost;
		my $look = sub {
			my ($what) = @_;
			my $r;
			$cost{$what} = costs_of($s, sub { $r = $s->req(GET => "$q&after=$after")->json });
			is scalar(@{ $r->{tags} }), 50, "$order, $direction: a page $what";
			return $r->{next};
		};
		my $next = $look->('at the beginning');
		# a cursor in the middle, and one close to the end, of which nobody has seen the pages before
		my $name = sprintf 'release-2025.%06d', $direction eq 'asc' ? $tags - 200 : 200;
		my $middle = sprintf 'release-2025.%06d', $tags / 2;
		my $usec = sub { my ($i) = @_; return (1_700_000_000 + ($i * 7919) % $tags) * 1_000_000 };
		for (['in the middle', $middle, $tags / 2], ['close to the end', $name, undef]) {
			my ($what, $n, $i) = @$_;
			my $key = $order eq 'name' ? 0 : $what eq 'in the middle' ? (1_700_000_000 + $tags / 2) * 1_000_000 : (1_700_000_000 + ($direction eq 'asc' ? $tags - 300 : 300)) * 1_000_000;
			$after = sprintf '%s%s%016x.%s', substr($order, 0, 1), substr($direction, 0, 1), $key, $n;
			$look->($what);
		}
		# a place of which nobody has a cursor: rows of about one length make the guess a good one
		for my $part (0.02, 0.5, 0.99, 1) {
			my $at = $part == 1 ? $tags + 5 - 50 : int $tags * $part;
			my $what = "from $at on";
			my $j;
			$cost{$what} = costs_of($s, sub { $j = $s->req(GET => "$q&at=$at")->json });
			is scalar(@{ $j->{tags} }) . " $j->{at}", "50 $at", "$order, $direction: a page $what";
			my ($i) = $j->{tags}[0]{tag} =~ /^release-2025\.(\d+)$/;
			my $place = $order eq 'name' ? $i - 1 : ($i * 7919) % $tags;
			$place = $direction eq 'asc' ? $place : $tags + 4 - $place;
			cmp_ok abs($place - $at), '<', $tags / 100, "... is about there ($place)";
		}
		for my $what (sort keys %cost) {
			cmp_ok $cost{$what}{calls}, '<=', $CALLS, "$order, $direction, $what: $cost{$what}{calls} system calls";
			cmp_ok $cost{$what}{bytes}, '<=', $BYTES, "$order, $direction, $what: $cost{$what}{bytes} bytes read";
		}
	}
}
# pulls are noted beside the rows
for my $i (1 .. 60) {
	$s->req(GET => sprintf '/v2/big/manifests/release-2025.%06d', $i)->status == 200 or die;
}
{
	my $r;
	my $c = costs_of($s, sub { $r = $s->req(GET => "$url?sort=name")->json });
	is scalar(grep { $_->{pulled} } @{ $r->{tags} }), 50, 'a page of tags that were pulled';
	cmp_ok $c->{calls}, '<=', $CALLS, "... costs $c->{calls} system calls";
	cmp_ok $c->{bytes}, '<=', $BYTES, "... and $c->{bytes} bytes read";
}
# an image of a fifth of the tags looks at a thousand of them, and at a thousand of all for what holds it
{
	my $r;
	my $c = costs_of($s, sub { $r = $s->req(GET => "/berth/v1/repos/big/manifests/$d[1]")->json });
	is scalar(@{ $r->{tags} }) . " $r->{more}{tags}", '1000 1', 'an image has a thousand of its tags';
	cmp_ok $c->{calls}, '<=', 1000 * (8 + 3) + 200, "... for $c->{calls} system calls";
}
# what has to look at all of them reads them once, in one of their two orders
is $s->req(GET => '/berth/v1/repos/mid/tags?n=1')->json->{total}, $MID + 5, 'a repository of fewer';
for (['big', 'q=000123'], ['big', 'q=000123&sort=name'], ['mid', 'q=000123'], ['mid', 'q=000123&sort=version'], ['mid', 'sort=size'], ['mid', 'sort=version'], ['mid', "sort=size&at=2000"]) {
	my ($repo, $query) = @$_;
	my $r;
	my $c = costs_of($s, sub { $r = $s->req(GET => "/berth/v1/repos/$repo/tags?$query")->json });
	$query =~ /q=/ ? is join(' ', map { $_->{tag} } @{ $r->{tags} }), 'release-2025.000123', "$repo, $query: a text is looked for in all of them"
		: is scalar(@{ $r->{tags} }), 50, "$repo, $query: a page";
	cmp_ok $c->{bytes}, '<=', (-s $s->root . "/berth/index/$repo/_summary") / 2 + $BYTES, "... reads them once: $c->{bytes} bytes";
}
if ($tags + 5 > 10_000) {
	like $s->req(GET => "$url?sort=$_")->json->{errors}[0]{message}, qr/^more than 10000 tags are listed by name or by push only$/, "more than 10,000 are not sorted by $_" for qw(size version);
}

# a push beside so many
my $i = 0;
my $push = sub { $i++; return $s->req(PUT => "/v2/big/manifests/" . ($_[0] // "push$i"), headers => ['Content-Type' => OCI_MANIFEST], body => $s->req(GET => "/v2/big/manifests/$d[$i % 5]")->body) };
$push->();
my $few = Berth::Server->start(config => "delete = true;\nfsync = \"off\";\n", workers => 1);
$few->push_image('small', 't', type => 'oci');
my ($cost, $small);
for my $at (1 .. 3) {
	my ($m) = $s->req(GET => "/v2/big/manifests/$d[1]")->body;
	my $c = costs_of($s, sub { $s->req(PUT => "/v2/big/manifests/moves", headers => ['Content-Type' => OCI_MANIFEST], body => $m)->status == 201 or die });
	$cost = $c->{calls} if !defined $cost || $c->{calls} < $cost;
	my ($n) = $few->req(GET => '/v2/small/manifests/t')->body;
	$c = costs_of($few, sub { $few->req(PUT => '/v2/small/manifests/t', headers => ['Content-Type' => OCI_MANIFEST], body => $n)->status == 201 or die });
	$small = $c->{calls} if !defined $small || $c->{calls} < $small;
}
cmp_ok $cost, '<=', $small + 6, "a push beside $tags tags makes as many calls as one beside one ($cost, $small)";
is $s->req(GET => "$url?n=1")->json->{tags}[0]{tag}, 'moves', 'and comes first';
$few->stop;
$s->stop;
done_testing;
