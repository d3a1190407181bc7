#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The catalog on many repositories: order, pages, bad numbers.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path);
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start;
is $s->req('GET', '/v2/_catalog')->body, qq({"repositories":[]}\n), 'an empty registry has an empty catalog';

# 300 repositories, some inside others, some with names that sort otherwise by a walk than by bytes
my @names = ('a', 'a-b', 'a.b', 'a/b', 'a0', 'a/b/c', 'a-b/c', 'a.b/c', 'a0/b', 'a_b', 'a__b', 'a--b', 'a/b-c', 'a/b.c', 'a/b0', 'a/b/c/d/e/f', '0', '0/9', 'zz/z', 'zz-z', 'zz0', 'zz.z/z', 'a/tags', 'a/manifests/list');
push @names, map { sprintf 'team%02d/app%d', $_ / 7, $_ % 7 } 0 .. 139;
push @names, map { sprintf 'n%03d', $_ } 1 .. 300 - @names;
is scalar(@names), 300, 'there are 300 repositories';
$s->stop_workers;
my $link = sha256('one layer');
lay_file(blob_file($s, $link), 'one layer');
for my $n (@names) {
	lay_file(layer_link($s, $n, $link), $link);
	make_path(data_dir($s) . "/repositories/$n/_manifests");
}
# not repositories: a parent, one with uploads alone, foreign directories and files
make_path(data_dir($s) . '/repositories/only/parent/of/nothing');
lay_file(data_dir($s) . '/repositories/uploading/_uploads/01234567-89ab-4cde-8f01-23456789abcd/startedat', '2024-01-02T03:04:05Z');
make_path(data_dir($s) . '/repositories/_odd/x', data_dir($s) . '/repositories/lost+found', data_dir($s) . '/repositories/Upper/_layers', data_dir($s) . '/repositories/Upper/_manifests');
lay_file(data_dir($s) . '/repositories/a-file', '');
lay_file(data_dir($s) . '/repositories/a/b/.nfs000001', '');
$s->start_workers;
my @want = sort @names;
is_deeply [sort 'a0', 'a/b', 'a.b', 'a-b', 'a'], ['a', 'a-b', 'a.b', 'a/b', 'a0'], 'the test sorts by bytes';

sub list { my ($q) = @_; my $r = $s->req('GET', '/v2/_catalog' . ($q // '')); return wantarray ? ($r, @{ ($r->json // {})->{repositories} // ['none'] }) : $r }

is_deeply [(list('?n=1000'))[1 .. 300]], \@want, 'all 300 are listed in byte order, and nothing else is';
is scalar(@{ list('?n=1000')->json->{repositories} }), 300, 'there are 300 in the list';
is list('?n=1000')->header('Link'), undef, 'a list that has them all has no Link';
is list('?n=5')->body, '{"repositories":[' . join(',', map { qq("$_") } @want[0 .. 4]) . "]}\n", 'a list is compact and ends with a newline';
is list('?n=5')->header('Content-Type'), 'application/json; charset=utf-8', 'it is JSON';

# without n
my ($r, @page) = list();
is_deeply \@page, [@want[0 .. 99]], 'without n the first hundred are listed';
like $r->header('Link'), qr{^</v2/_catalog\?last=\Q${\enc($want[99])}\E&n=100>; rel="next"$}, 'with a Link to the next hundred';

sub enc { my ($x) = @_; $x =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ge; return $x }

# pages
for my $n (1, 2, 7, 50, 99, 100, 150, 299, 300, 301) {
	my (@all, $pages);
	my $url = "/v2/_catalog?n=$n";
	my $bad = '';
	while (defined $url && ++$pages <= 301) {
		my $p = $s->req('GET', $url);
		my @got = @{ $p->json->{repositories} };
		$bad ||= "$url has " . @got if @got > $n || (!@got && @all);
		push @all, @got;
		my $l = $p->header('Link');
		undef $url;
		if (defined $l) {
			$bad ||= "Link: $l" unless $l eq '</v2/_catalog?last=' . enc($got[-1]) . "&n=$n>; rel=\"next\"";
			($url) = $l =~ /^<([^>]*)>/;
		}
		last if $n == 1 && $pages == 30;
	}
	is $bad, '', "pages of $n: none is too long, none empty, each Link is as it should be";
	if ($n == 1) {
		is_deeply \@all, [@want[0 .. 29]], 'thirty pages of one give the first thirty';
	} else {
		is_deeply \@all, \@want, "following the Links in pages of $n gives all 300 in order";
		is $pages, int((300 + $n - 1) / $n), "pages of $n: there is no Link on the last page";
	}
}
my ($slash) = grep { $want[$_] eq 'a/b' } 0 .. $#want;
is list('?n=' . ($slash + 1))->header('Link'), '</v2/_catalog?last=a%2Fb&n=' . ($slash + 1) . '>; rel="next"', 'a slash in last is %2F in the Link';

# last
for my $c (['a', 'a'], ['a-b', 'a-b'], ['a.b', 'a.b'], ['a%2Fb', 'a/b'], ['a/b', 'a/b'], ['a0', 'a0'], ['a%2Fa', 'a/a'], ['a%2F', 'a/'], ['aa', 'aa'], ['n1', 'n1'], ['team05', 'team05'], ['team05%2Fapp3', 'team05/app3'], ['', ''], ['A', 'A'],
	['~', '~'], ['zzz', 'zzz'], ['only%2Fparent', 'only/parent'], ['%C3%A9', "\xc3\xa9"], ['a' x 300, 'a' x 300], ['-', '-'], ['..%2F..', '../..']) {
	my ($q, $last) = @$c;
	my @rest = grep { $_ gt $last } @want;
	my ($lr, @got) = list("?n=10&last=$q");
	is_deeply \@got, [@rest[0 .. (@rest < 10 ? $#rest : 9)]], 'last=' . substr($q, 0, 30) . ' gives the ten after it, whether it exists or not';
	is defined $lr->header('Link') ? 1 : 0, @rest > 10 ? 1 : 0, 'last=' . substr($q, 0, 30) . (@rest > 10 ? ' has a Link' : ' has no Link');
}
is list('?n=10&last=zzz')->body, qq({"repositories":[]}\n), 'a page past the end is []';
is list('?last=team19')->header('Link'), undef, 'last without n: no Link on the last page';

# n
($r, @page) = list('?n=0');
is $r->body, qq({"repositories":[]}\n), 'n=0 gives an empty list';
is $r->header('Link'), undef, 'n=0 gives no Link';
for my $bad ('-1', '-0x', 'abc', '1.5', '1e3', '0x10', '%201', '+1', '%2B1', '1%20', '18446744073709551616', '99999999999999999999999999', '-9223372036854775808', '1,2', 'NaN', '%00', '1%00', '%D9%A1') {
	error_is scalar(list("?n=$bad")), 400, 'PAGINATION_NUMBER_INVALID', "n=$bad is 400 PAGINATION_NUMBER_INVALID";
}
error_is scalar(list('?n=bogus')), 400, 'PAGINATION_NUMBER_INVALID', 'the detail names n', qr/bogus/;
for my $big (1000, 1001, 100_000, 4294967296, 9223372036854775807, '18446744073709551615') {
	is_deeply [(list("?n=$big"))[1 .. 300]], \@want, "n=$big gives them all";
}
is $s->req('HEAD', '/v2/_catalog?n=3')->header('Link'), list('?n=3')->header('Link'), 'HEAD has the Link of GET';

# the maximum
$s->stop_workers;
for my $n (1 .. 900) {
	my $name = sprintf 'over/m%04d', $n;
	push @names, $name;
	lay_file(layer_link($s, $name, $link), $link);
	make_path(data_dir($s) . "/repositories/$name/_manifests");
}
$s->start_workers;
@want = sort @names;
($r, @page) = list('?n=5000');
is_deeply \@page, [@want[0 .. 999]], 'n over the maximum is clamped to 1000';
like $r->header('Link') // '', qr{^</v2/_catalog\?last=\Q${\enc($want[999])}\E&n=\d+>; rel="next"$}, 'with a Link to the rest';
my ($next) = ($r->header('Link') // '') =~ /<([^>]*)>/;
is_deeply $s->req('GET', $next // '/none')->json->{repositories}, [@want[1000 .. $#want]], 'which gives the rest';

# what happens to the list while the registry works
$s->push_blob('b/new', 'x');
ok +(grep { $_ eq 'b/new' } (list('?n=1000&last=a_b'))[1 .. 10]), 'a repository is listed with its first blob';
upload_start($s, 'b/uploading');
ok !(grep { $_ eq 'b/uploading' } (list('?n=1000&last=a_b'))[1 .. 10]), 'an upload alone lists none';

done_testing;
