#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A page of repositories with what is known of each costs what it holds, in either order, from either end, however many repositories there are.
use strict;
use warnings;
use FindBin;
use Time::HiRes qw(sleep);
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::FCGI;
use Berth::GC;
use Berth::Trace;

plain_build_only('it counts system calls');
need_program('strace');
own_mounts() if is_long();
my ($repos, $tags) = is_long() ? (10_000, 100) : (2000, 2);
my ($CALLS, $BYTES) = (12, 256 << 10);
my $MANY = 10_001;        # more than are counted by their links
my $room = is_long() ? tmp_dir() : quick_dir(500);
# a million tags have more inodes than /dev/shm has as a rule
run_ok('mount', '-t', 'tmpfs', '-o', 'size=16g,nr_inodes=5m', 'tmpfs', $room, 'there is room for so many') if is_long();
my $s = Berth::Server->start(root => "$room/store", config => "delete = true;\nfsync = \"off\";\n", workers => 1);
my ($d) = $s->push_image('a-first', 't', type => 'oci');
$s->stop_workers;
my $top = data_dir($s) . '/repositories';
sub file { my ($path, $text) = @_; open my $h, '>', $path or die "$path: $!"; print {$h} $text; close $h; return }
(my $hex = $d) =~ s/.*://;
# lay - a repository of so many tags, whose times begin with this one. Links of one time are one file
sub lay
{
	my ($p, $count, $time) = @_;
	mkdir $_ or die "$_: $!" for $p, map { "$p/$_" } qw(_layers _manifests _manifests/tags _manifests/revisions _manifests/revisions/sha256), "_manifests/revisions/sha256/$hex";
	file("$p/_manifests/revisions/sha256/$hex/link", $d);
	for my $t (1 .. $count) {
		my $link = "$p/_manifests/tags/t$t/current/link";
		mkdir "$p/_manifests/tags/$_" for "t$t", "t$t/current";
		if ($t > 10) {
			link "$p/_manifests/tags/t@{[1 + ($t - 1) % 10]}/current/link", $link or die "$link: $!";
			next;
		}
		file($link, $d);
		utime $time + $t % 10, $time + $t % 10, $link;
	}
	return;
}
lay(sprintf('%s/repo%05d', $top, $_), $tags, 1_700_000_000 + ($_ * 7919) % $repos * 10) for 1 .. $repos;
lay("$top/z-many", $MANY, 1_600_000_000);
$s->start_workers;
my $url = '/berth/v1/repos';
sub rows { my ($query) = @_; return @{ $s->req(GET => "$url?$query", timeout => 600)->json->{repos} } }
sub tags_of { my ($repo) = @_; my ($row) = grep { $_->{name} eq $repo } rows("q=$repo&n=100"); return $row->{tags} }
sub berth { return (program('berth'), '--config', $s->config_file, '--root', $s->root, @_) }

# the first list looks at each, as far as a manifest's PUT may take. nginx would not wait for so many calls under strace
my $answer;
is $s->req(GET => '/v2/a-first/manifests/t')->status, 200, 'the workers are there';
my $first = costs_of($s, sub { $answer = Berth::FCGI->new($s->worker_socket)->request(params => { REQUEST_URI => "$url?n=100" }, timeout => 3600) })->{calls};
is scalar(@{ $answer->json->{repos} }), 100, 'the first list looks at each';
$s->push_blob('a-first', $_) for '{}', map { "layer $_" } 1 .. 220;
my %put;
for my $layers (20, 220) {
	my $m = image_of(OCI_MANIFEST, '{}', map { "layer $_" } 1 .. $layers);
	$s->push_manifest('a-first', "of$layers", $m, OCI_MANIFEST)->status == 201 or die;
	sleep 1.1;      # what was made young in this second is not made young again
	$put{$layers} = { bytes => length $m, calls => costs_of($s, sub { $s->push_manifest('a-first', "of$layers", $m, OCI_MANIFEST)->status == 201 or die })->{calls} };
}
my ($more_calls, $more_bytes) = map { $put{220}{$_} - $put{20}{$_} } qw(calls bytes);
my $most = int $more_calls * (4 << 20) / $more_bytes;
cmp_ok $first, '<=', $most, "which are $first system calls, no more than the PUT of a manifest of 4 MiB needs ($most)";
is tags_of('z-many'), undef, 'how many the tags are of a repository of many is not known yet';
is $s->req(GET => "$url/z-many/tags?n=1", timeout => 600)->json->{total}, $MANY, 'but as soon as somebody lists them';
is tags_of('z-many'), $MANY, '... the list of repositories says it';
run_ok({ timeout => 3600 }, berth('index', 'rebuild'), 'what nobody has listed is counted by rebuilding the indexes');
is scalar(rows('n=100')), 100, '... and the list is written';

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
my @found;
my $looked = costs_of($s, sub { @found = rows('q=repo00123') });
is join(' ', map { $_->{name} } @found), 'repo00123', 'a text is looked for in all of them';
cmp_ok $looked->{bytes}, '<=', (-s $s->root . '/berth/index/_repos') / 2 + (128 << 10), "... in one of the orders of the list, once: $looked->{bytes} bytes";

# a search looks whether each repository is there, and asks a thousand for a tag, a hundred for those that begin so, and a thousand for digests
(my $few = sha256('layer 1')) =~ s/.*://;
for (['a tag that is not there', 'no-such-tag'], ['a digest that few have', $few]) {
	my ($what, $q) = @$_;
	my $c = costs_of($s, sub { $s->req(GET => "/berth/v1/search?q=$q")->status == 200 or die });
	cmp_ok $c->{calls}, '<=', ($repos < 10_000 ? $repos : 10_000) * 2 + 1000 * 4 + 100 * 30 + ($q eq $few ? 1000 * 6 : 0), "a search for $what: $c->{calls} system calls";
	cmp_ok $c->{bytes}, '<=', 1000 * 300 + $looked->{bytes} + (64 << 10), "... and $c->{bytes} bytes read";
}

# what has changed since is looked at, up to a number
my $untag = sub { $s->req(DELETE => sprintf '/v2/repo%05d/manifests/t1', $_)->status == 202 or die for @_ };
$untag->(1 .. 30);
my $thirty = costs_of($s, sub { $s->req(GET => $url) })->{calls};
cmp_ok $thirty, '<=', $CALLS + 31 * 6, "30 that have changed cost six system calls each, and six to know which: $thirty";
$untag->(31 .. 40);
my $many = costs_of($s, sub { $s->req(GET => $url) })->{calls};
my $after = costs_of($s, sub { $s->req(GET => $url) })->{calls};
cmp_ok $after, '<=', $CALLS, "once a reader has written down what has changed a page costs as before ($after, not $many)";
is tags_of('repo00007'), $tags - 1, 'and is right';
$s->stop;
run_ok('umount', $room, 'and is given back at once') if is_long();
done_testing;
