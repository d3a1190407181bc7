#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A page of repositories with what is known of each costs what it holds, in either order, from either end, however many repositories there are.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::GC;
use Berth::Trace;

plain_build_only('it counts system calls');
need_program('strace');
my ($repos, $tags) = is_long() ? (10_000, 100) : (2000, 2);
my ($CALLS, $BYTES) = (12, 256 << 10);
my $s = Berth::Server->start(root => quick_dir(is_long() ? (9000, 4_000_000) : 500) . '/store', config => "delete = true;\nfsync = \"off\";\n", workers => 1);
my ($d) = $s->push_image('a-first', 't', type => 'oci');
$s->stop_workers;
my $top = data_dir($s) . '/repositories';
sub file { my ($path, $text) = @_; open my $h, '>', $path or die "$path: $!"; print {$h} $text; close $h; return }
(my $hex = $d) =~ s/.*://;
for my $i (1 .. $repos) {
	my $p = sprintf '%s/repo%05d', $top, $i;
	mkdir $_ or die "$_: $!" for $p, map { "$p/$_" } qw(_layers _manifests _manifests/tags _manifests/revisions _manifests/revisions/sha256), "_manifests/revisions/sha256/$hex";
	file("$p/_manifests/revisions/sha256/$hex/link", $d);
	for my $t (1 .. $tags) {
		mkdir "$p/_manifests/tags/$_" for "t$t", "t$t/current";
		file("$p/_manifests/tags/t$t/current/link", $d);
		my $then = 1_700_000_000 + ($i * 7919) % $repos * 10 + $t % 10;
		utime $then, $then, "$p/_manifests/tags/t$t/current/link";
	}
}
$s->start_workers;
my $url = '/berth/v1/repos';
is scalar(@{ $s->req(GET => "$url?n=100", timeout => 600)->json->{repos} }), 100, 'the first list looks at each';
for my $order (qw(name pushed)) {
	for my $direction (qw(asc desc)) {
		my $q = "$url?sort=$order&order=$direction";
		my %cost;
		for (['at the beginning', ''], ['in the middle', $repos / 2], ['close to the end', $direction eq 'asc' ? $repos - 100 : 100]) {
			my ($what, $i) = @$_;
			my $after = $i eq '' ? '' : sprintf '%s%s%016x.%s', substr($order, 0, 1), substr($direction, 0, 1), $order eq 'name' ? 0 : (1_700_000_000 + $i * 10) * 1_000_000, sprintf 'repo%05d', $i;
			my $r;
			$cost{$what} = costs_of($s, sub { $r = $s->req(GET => "$q&after=$after")->json });
			is scalar(@{ $r->{repos} }), 50, "$order, $direction: a page $what";
		}
		for my $what (sort keys %cost) {
			cmp_ok $cost{$what}{calls}, '<=', $CALLS, "$order, $direction, $what: $cost{$what}{calls} system calls";
			cmp_ok $cost{$what}{bytes}, '<=', $BYTES, "$order, $direction, $what: $cost{$what}{bytes} bytes read";
		}
	}
}
is join(' ', map { $_->{name} } @{ $s->req(GET => "$url?q=repo00123")->json->{repos} }), 'repo00123', 'a text is looked for in all of them';

# what has changed since is looked at, up to a number
for my $n (1 .. 40) {
	$s->req(DELETE => sprintf '/v2/repo%05d/manifests/t1', $n)->status == 202 or die;
}
my $many = costs_of($s, sub { $s->req(GET => $url) })->{calls};
my $after = costs_of($s, sub { $s->req(GET => $url) })->{calls};
cmp_ok $after, '<=', $CALLS, "once a reader has written down what has changed a page costs as before ($after, not $many)";
my ($row) = grep { $_->{name} eq 'repo00007' } @{ $s->req(GET => $url)->json->{repos} };
is $row->{tags}, $tags - 1, 'and is right';
$s->stop;
done_testing;
