#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Tags of a repository: order, pages, null and [], many.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path);
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n");
my $m = image_of(OCI_MANIFEST, '{}');
my $d = sha256($m);
$s->push_blob('t/none', '{}');

sub get { my ($repo, $q) = @_; return $s->req('GET', "/v2/$repo/tags/list" . ($q // '')) }
sub tags_of { my ($r) = @_; return ($r->json // {})->{tags} }

is get('t/none')->body, qq({"name":"t/none","tags":null}\n), 'a repository without any tag has null';
is get('t/none', '?n=10')->body, qq({"name":"t/none","tags":null}\n), 'also with n';
is get('t/none')->status, 200, 'and 200';
error_is get('t/unknown'), 404, 'NAME_UNKNOWN', 'an unknown repository is 404 NAME_UNKNOWN', qr{t/unknown};
error_is get('t'), 404, 'NAME_UNKNOWN', 'a parent that is no repository is 404 NAME_UNKNOWN';
upload_start($s, 't/uploading');
error_is get('t/uploading'), 404, 'NAME_UNKNOWN', 'an upload alone makes no repository: 404 NAME_UNKNOWN';
is $s->req('HEAD', '/v2/t/unknown/tags/list')->status, 404, 'HEAD of an unknown repository is 404';

# 1000 tags
my @tags = ('a', 'A', 'a-b', 'a.b', 'a0', 'a_b', '_', '_x', '0', '00', '1.10', '1.9', '1.0', '1.0-rc1', '1.0.1', 'latest', 'Latest', 'z' x 128, 'v1', 'v10', 'v2');
push @tags, map { sprintf 'tag-%03d', $_ } 1 .. 1000 - @tags;
is scalar(@tags), 1000, 'there are 1000 tags';
$s->stop_workers;
lay_manifest($s, 't/app', $m, @tags);
lay_manifest($s, 't/huge', $m);
lay_file(tag_link($s, 't/huge', sprintf 't%05d', $_), $d) for 1 .. 10_003;
$s->start_workers;
my @want = sort @tags;

my $r = get('t/app');
is_deeply tags_of($r), \@want, 'all 1000 are listed in byte order';
is $r->header('Link'), undef, 'without n there is no Link';
is $r->body, '{"name":"t/app","tags":[' . join(',', map { qq("$_") } @want) . "]}\n", 'the list is compact and ends with a newline';
headers_are $r, { 'Content-Type' => 'application/json; charset=utf-8', 'Content-Length' => length $r->body, 'Docker-Distribution-Api-Version' => 'registry/2.0',
	'X-Content-Type-Options' => 'nosniff' }, 'with its headers';

for my $n (1, 3, 64, 100, 333, 500, 999, 1000, 1001) {
	my (@all, $pages);
	my $url = "/v2/t/app/tags/list?n=$n";
	my $bad = '';
	while (defined $url && ++$pages <= 1001) {
		my $p = $s->req('GET', $url);
		my $j = $p->json;
		my @got = @{ $j->{tags} };
		$bad ||= "$url has " . @got if @got > $n || !@got || $j->{name} ne 't/app';
		push @all, @got;
		my $l = $p->header('Link');
		undef $url;
		if (defined $l) {
			$bad ||= "Link: $l" unless $l eq "</v2/t/app/tags/list?last=$got[-1]&n=$n>; rel=\"next\"";
			($url) = $l =~ /^<([^>]*)>/;
		}
		last if $n < 10 && $pages == 40;
	}
	is $bad, '', "pages of $n: none is too long, none empty, each Link is as it should be";
	if ($n < 10) {
		is_deeply \@all, [@want[0 .. 40 * $n - 1]], "forty pages of $n give the first " . 40 * $n;
	} else {
		is_deeply \@all, \@want, "following the Links in pages of $n gives all 1000 in order";
		is $pages, int((1000 + $n - 1) / $n), "pages of $n: there is no Link on the last page";
	}
}
for my $last ('1.0', '1.00', 'a', 'aa', 'A', 'tag-', 'tag-500', 'tag-5000', '', '~', '-', '%2F', 'z' x 128, 'z' x 500, '%C3%A9') {
	(my $plain = $last) =~ s/%(..)/chr hex $1/ge;
	my @rest = grep { $_ gt $plain } @want;
	$r = get('t/app', "?n=5&last=$last");
	is_deeply tags_of($r), [@rest[0 .. (@rest < 5 ? $#rest : 4)]], 'last=' . substr($last, 0, 20) . ' gives the five after it, whether it exists or not';
	is defined $r->header('Link') ? 1 : 0, @rest > 5 ? 1 : 0, 'last=' . substr($last, 0, 20) . (@rest > 5 ? ' has a Link' : ' has no Link');
}
is get('t/app', '?last=tag-900')->body, '{"name":"t/app","tags":[' . join(',', map { qq("$_") } grep { $_ gt 'tag-900' } @want) . "]}\n", 'last without n gives all after it';
is get('t/app', '?n=5&last=~')->body, qq({"name":"t/app","tags":[]}\n), 'a page past the end is [], not null';
is get('t/app', '?last=~')->body, qq({"name":"t/app","tags":[]}\n), 'also without n';
$r = get('t/app', '?n=0');
is $r->body, qq({"name":"t/app","tags":[]}\n), 'n=0 is [], not null';
is $r->header('Link'), undef, 'n=0 has no Link';
for my $bad ('-1', 'abc', '1.5', '1e3', '0x10', '%201', '%2B1', '18446744073709551616', '99999999999999999999999999', '1%00', '5x') {
	error_is get('t/app', "?n=$bad"), 400, 'PAGINATION_NUMBER_INVALID', "n=$bad is 400 PAGINATION_NUMBER_INVALID";
}
error_is get('t/unknown', '?n=5'), 404, 'NAME_UNKNOWN', 'with n an unknown repository is 404 too';
is scalar @{ tags_of(get('t/app', "?n=$_")) }, 1000, "n=$_ gives them all" for 10_000, 10_001, 4294967296, 9223372036854775807, '18446744073709551615';
is $s->req('HEAD', '/v2/t/app/tags/list?n=3')->header('Link'), get('t/app', '?n=3')->header('Link'), 'HEAD has the Link of GET';

# more than ten thousand
my @huge = map { sprintf 't%05d', $_ } 1 .. 10_003;
for my $q ('', '?n=10001', '?n=999999999') {
	$r = get('t/huge', $q);
	is_deeply tags_of($r), [@huge[0 .. 9999]], "of 10 003 tags the first 10 000 are given ($q)";
	my ($next) = ($r->header('Link') // '') =~ m{^<(/v2/t/huge/tags/list\?last=t10000(?:&n=\d+)?)>; rel="next"$};
	ok $next, "with a Link ($q)" or diag $r->header('Link');
	is_deeply tags_of($s->req('GET', $next // '/')), [@huge[10_000 .. 10_002]], "which gives the rest ($q)";
}
is get('t/huge', '?last=t00003&n=10000')->header('Link'), undef, 'a page that ends with the last has no Link';

# with what happens
is $s->req('PUT', '/v2/t/none/manifests/one', headers => ['Content-Type' => OCI_MANIFEST], body => $m)->status, 201, 'a tag is set';
is get('t/none')->body, qq({"name":"t/none","tags":["one"]}\n), 'and listed';
is get('t/none', '?last=one')->body, qq({"name":"t/none","tags":[]}\n), 'after it there is []';
is $s->req('DELETE', "/v2/t/none/manifests/$d")->status, 202, 'it is deleted';
is get('t/none')->body, qq({"name":"t/none","tags":null}\n), 'and there is null again';
is get('t/none', '?last=one')->status, 200, 'also with last';

done_testing;
