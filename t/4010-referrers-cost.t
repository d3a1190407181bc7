#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Adding a referrer costs the same whether its subject has none or two thousand, and a page of them what a page may hold.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use List::Util qw(min);
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Check;
use Berth::Trace;

plain_build_only('it counts system calls');
need_program('strace');
my $s = Berth::Server->start(config => "delete = true;\nfsync = \"off\";\n", workers => 1);
$s->push_blob('cost/app', '{}');
sub image { my ($n, $subject) = @_; return '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . desc(OCI_CONFIG, '{}') . ',"layers":[],"subject":' . desc(OCI_MANIFEST, $subject) . qq(,"annotations":{"n":"$n"}}) }
sub put { my ($text) = @_; return $s->req('PUT', '/v2/cost/app/manifests/' . sha256($text), headers => ['Content-Type' => OCI_MANIFEST], body => $text)->status }
# What was made young in this second is not made young again. Each is pushed at the beginning of one, so that all of them cost those calls.
sub added { my ($n, $subject) = @_; my $st; my $c = calls_of($s, sub { sleep 1.05 - (time - int time); $st = put(image($n, $subject)) }); is $st, 201, "referrer $n is pushed"; return $c }
# least - of three that are alike: what else a machine does adds to one of them now and then
sub least { my ($code, $n, $subject) = @_; return min(map { $code->($_, $subject) } $n, "$n, again", "$n, and again") }

# what costs once: the repository's first manifest, the first in a directory
put(image('warm', 'warm'));
my $first = added('first', 'lonely');
my $second = least(\&added, 'second', 'lonely');

# two thousand, laid where another registry would have left them
$s->stop_workers;
lay_manifest($s, 'cost/app', image($_, 'popular')) for 1 .. 2000;
$s->start_workers;

# walk - of referrers, by the Links: how many each page holds, and all digests
sub walk
{
	my ($on, $path) = @_;
	my (@pages, @digests);

	while ($path && @pages < 20) {
		my $r = $on->req('GET', $path, timeout => 60);
		my @page = map { $_->{digest} } @{ $r->json->{manifests} };
		push @pages, scalar @page;
		push @digests, @page;
		($path) = ($r->header('Link') // '') =~ /^<([^>]+)>; rel="next"$/;
	}
	return ("@pages", @digests);
}
my $popular = '/v2/cost/app/referrers/' . sha256('popular');
my ($pages, @digests) = walk($s, $popular);
is $pages, '1000 1000', 'two thousand referrers are listed, in pages of a thousand';
is_deeply \@digests, [sort map { sha256(image($_, 'popular')) } 1 .. 2000], 'each of them once';
put(image('warm again', 'popular'));
my $more = least(\&added, 'one more', 'popular');
cmp_ok $more, '<=', $first + 5, "adding one to two thousand makes no more system calls than adding the first, but for a handful ($more, $first)";
cmp_ok $second, '<=', $first + 5, "nor does the second ($second)";
($pages, @digests) = walk($s, $popular);
is $pages, '1000 1000 4', 'and they are all listed';

# a filter: of two thousand, two are of the type, and the pages end where a page of all would
my @odd = map { image("odd $_", 'popular') =~ s/\}\z/,"artifactType":"application\/vnd.example.odd"}/r } 1, 2;
is_deeply [map { put($_) } @odd], [201, 201], 'two of another type are pushed';
my $filter = '?artifactType=application%2Fvnd.example.odd';
my ($filtered, @of_type) = walk($s, "$popular$filter");
is_deeply \@of_type, [sort map { sha256($_) } @odd], 'a filter finds them';
is scalar(split ' ', $filtered), 3, 'in as many pages as there are without one';
my $page = calls_of($s, sub { $s->req('GET', $popular) });
my $sieved = calls_of($s, sub { $s->req('GET', "$popular$filter") });
cmp_ok $page, '<', 7 * 1000, "a page makes fewer than seven system calls for each that it holds ($page)";
cmp_ok $sieved, '<=', $page, "and no more where a filter leaves little of it ($sieved)";
my $r = $s->req('GET', "$popular$filter&last=" . 'sha256:' . 'f' x 64);
is_deeply $r->json->{manifests}, [], 'behind the last there is nothing';
is $r->header('Link'), undef, 'and no Link';

sub deleted { my ($n, $subject) = @_; my $st; my $c = calls_of($s, sub { $st = $s->req('DELETE', '/v2/cost/app/manifests/' . sha256(image($n, $subject)))->status }); is $st, 202, "referrer $n is deleted"; return $c }
my ($few, $many) = map { least(\&deleted, @$_) } ['second', 'lonely'], ['one more', 'popular'];
cmp_ok $many, '<=', $few + 5, "deleting one of two thousand makes a handful more than deleting one of a few at most ($many, $few)";

# where no index can be kept, the manifests of the repository are read: so many bytes for a page
$s->stop_workers;
$s->config("readonly = true;\n");
my $large = sub { my ($n) = @_; return image($n, 'nobody') =~ s/"n":"/'"x":"' . 'x' x 3_900_000 . '","n":"'/er };
lay_manifest($s, 'cost/few', $_) for map({ $large->($_) } 1 .. 9), map { image($_, 'rare') } 1 .. 3;
$s->start_workers;
($pages, @digests) = walk($s, '/v2/cost/few/referrers/' . sha256('rare'));
is_deeply \@digests, [sort map { sha256(image($_, 'rare')) } 1 .. 3], 'on a read-only store they are found among large manifests';
cmp_ok scalar(split ' ', $pages), '>=', 2, "in several pages, of which some may be empty ($pages)";
my $read = costs_of($s, sub { $s->req('GET', '/v2/cost/few/referrers/' . sha256('rare')) })->{bytes};
cmp_ok $read, '<', 21 << 20, "a page reads a bounded part of them ($read bytes)";

done_testing;
