#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# How nginx serves the page: to whom, with which headers, below a prefix, and not where it is off. The files here are not those of the
# real page, which may be missing from a build.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use IO::Socket::INET;

need_program('nginx', 'gzip');
my $dir = tmp_dir();
my $web = "$dir/web";
chmod 0755, $dir;
mkdir $_ for $web, "$web/part";
my $html = "<!doctype html>\n<title>page</title>\n" . '<p>text</p>' x 100;
spew("$web/index.html", $html);
spew("$web/app-0123abcd4567ef89.js", 'export const a = 1;' x 50);
spew("$web/part/list.0123abcd.css", 'a{}' x 100);
spew("$web/plain.js", '1');
spew("$web/sign.svg", '<svg xmlns="http://www.w3.org/2000/svg"/>');
spew("$web/unread.js", 'x');
run_ok('gzip', '-nk9', "$web/index.html", "$web/app-0123abcd4567ef89.js", 'files compressed beforehand');

my $policy = "default-src 'none'; base-uri 'none'; form-action 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'";
my %headers = ('Content-Security-Policy' => $policy, 'X-Content-Type-Options' => 'nosniff', 'Referrer-Policy' => 'no-referrer', 'Cross-Origin-Opener-Policy' => 'same-origin',
	'Docker-Distribution-Api-Version' => 'registry/2.0');
# fault - what an answer of the page lacks, or has twice
sub fault { my ($r) = @_; return join '; ', map { my @v = $r->headers($_); "@v" eq $headers{$_} && @v == 1 ? () : "$_: @v" } sort keys %headers }
my @browser = (Accept => 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8');
my @page = ('with=page', "page=$web");

my $b = Berth::Server->start(workers => 1, config => 'http = { headers = "X-Mine: 1|Referrer-Policy: origin|cross-origin-opener-policy: unsafe-none"; cors = "*"; };', nginx_args => \@page);

# to whom
for my $accept ('text/html', 'text/html; charset=utf-8', 'application/json, text/html;q=0.1', 'TEXT/HTML', $browser[1]) {
	my $r = $b->req(GET => '/', headers => [Accept => $accept]);
	is $r->status . $r->body, "200$html", "/ is the page where '$accept' is accepted";
	is fault($r), '', '... with the headers of the page, each once';
	is join('|', $r->header('Content-Type'), $r->header('Cache-Control')), 'text/html; charset=utf-8|no-cache', '... its type, and that it must be asked for again';
	is join(', ', $r->headers('Vary')), 'Accept-Encoding, Accept', '... and what it depends on';
}
for my $accept (undef, '*/*', '', 'application/json', 'text/html;q=0', 'text/html; q=0.00, */*', 'x-text/html', 'text/htmlx', 'application/vnd.oci.image.index.v1+json') {
	my $r = $b->req(GET => '/', headers => [defined $accept ? (Accept => $accept) : ()]);
	is $r->status . $r->body, '200', '/ is empty for ' . ($accept // 'nobody who says what is accepted');
	is $r->header('Vary'), 'Accept', '... and a cache is told that others get something else';
	is common_fault($r), '', '... with the common headers';
}
is $b->req(GET => '/', headers => [@browser])->header('X-Mine'), '1', 'http.headers are on the page, too';
my $r = $b->req(HEAD => '/', headers => [@browser]);
is $r->status . '|' . $r->header('Content-Length') . fault($r), '200|' . length $html, 'HEAD of the page';
is $b->req(HEAD => '/')->header('Content-Length'), '0', 'HEAD for a program';
is $b->req(POST => '/', headers => [@browser], body => 'x')->status, 405, 'nothing is sent to the page';
is $b->req(OPTIONS => '/', headers => [@browser])->header('Allow'), 'GET, HEAD, OPTIONS', 'OPTIONS is what it was';
is $b->req(GET => $_, headers => [@browser])->status, 404, "$_ is no page" for '/index.html', '/v2/../', '/_berth/page', '/berth/page/', '/berth/page', '/berth/page/part/', '/berth/page/none.js';
is $b->req(GET => '/v2/', headers => [@browser])->body, '{}', '/v2/ is what it was, whoever asks';
my $etag = $b->req(GET => '/', headers => [@browser])->header('ETag');
$r = $b->req(GET => '/', headers => [@browser, 'If-None-Match' => $etag]);
is $r->status . fault($r), '304', 'a browser that has it is told so';

# files
for (['app-0123abcd4567ef89.js', 'text/javascript; charset=utf-8', 1], ['part/list.0123abcd.css', 'text/css; charset=utf-8', 1], ['plain.js', 'text/javascript; charset=utf-8', 0],
	['sign.svg', 'image/svg+xml; charset=utf-8', 0], ['index.html', 'text/html; charset=utf-8', 0]) {
	my ($file, $type, $kept) = @$_;
	for my $method ('GET', 'HEAD') {
		$r = $b->req($method, "/berth/page/$file");
		is $r->status . '|' . $r->header('Content-Type') . '|' . fault($r), "200|$type|", "$method $file";
		is $r->header('Cache-Control'), $kept ? 'public, max-age=31536000, immutable' : 'no-cache', $kept ? '... may be kept for ever' : '... has to be asked for again';
	}
	is $b->req(GET => "/berth/page/$file")->body, slurp("$web/$file"), '... is what lies there';
	is $b->req(PUT => "/berth/page/$file", body => 'x')->status, 405, '... and is read only';
}
for my $path ('/', '/berth/page/app-0123abcd4567ef89.js') {
	my $plain = $b->req(GET => $path, headers => [@browser])->body;
	$r = $b->req(GET => $path, headers => [@browser, 'Accept-Encoding' => 'gzip, br']);
	is $r->header('Content-Encoding') . fault($r), 'gzip', "$path is sent compressed";
	is run({ stdin => $r->body }, 'gzip', '-dc')->{out}, $plain, '... and is the same';
}
chmod 0, "$web/unread.js";
for my $path ('/berth/page/none.js', '/berth/page/part', '/berth/page/app-00000000.js', $> ? '/berth/page/unread.js' : '/berth/page/.none') {
	$r = $b->req(GET => $path, headers => [@browser]);
	next if $r->status == 301;
	error_is $r, 404, 'NAME_UNKNOWN', "$path is not there";
	is fault($r) . $r->header('Cache-Control'), 'no-store', '... and that is not kept';
}
is $b->req(GET => $_)->status, 400, "$_ leads nowhere" for '/berth/page/../../../../etc/passwd', '/berth/page/..%2f..%2f..%2fetc%2fpasswd';
unlike join('|', $b->req(GET => '/berth/page/part')->header('Location') // '', $b->req(GET => '/berth/page//evil.example/%2e%2e')->header('Location') // ''), qr{//}, 'no redirect leads to another host';
is $b->req(GET => '/', headers => [@browser, Origin => 'https://ui.example'])->header('Access-Control-Allow-Origin'), undef, 'the page of another origin cannot read it';
$b->stop;

# below a prefix
$b = Berth::Server->start(workers => 1, config => "http = { prefix = \"/a/reg\"; };\n", nginx_args => \@page);
is $b->req(GET => '/a/reg/', headers => [@browser])->body, $html, 'with http.prefix the page is there';
is fault($b->req(GET => '/a/reg/', headers => [@browser])), '', '... with its headers';
is $b->req(GET => '/a/reg/')->body, '', '... for a browser';
is $b->req(GET => '/a/reg/berth/page/plain.js')->body, '1', '... and so are its files';
$r = $b->req(GET => '/', headers => [@browser]);
is join('|', $r->status, $r->header('Location'), $r->header('Vary')), '302|/a/reg/|Accept', '/ leads a browser there';
is $b->req(GET => '/')->status . $b->req(GET => '/')->body, '200', '... and nobody else';
is $b->req(GET => '/a/reg')->header('Location'), '/a/reg/', 'the prefix without a slash is one with it';
is $b->req(GET => $_, headers => [@browser])->status, 404, "$_ is no page" for '/berth/page/plain.js', '/a/%72eg/', '/a/reg/x', '/a/reg/../reg/x';
is $b->req(GET => '/a/reg/v2/')->body, '{}', 'the registry is where it was';
$b->stop;

# below a path of another server, which knows nothing of the page
my ($front, $socket) = (Berth::Server::free_port(), "$dir/registry.sock");
$b = Berth::Server->start(workers => 1, nginx_args => [@page, 'with=proxy', 'proxy=unix:', "listen=unix:$socket", 'with=prefix', 'prefix=/far', "prefix_listen=127.0.0.1:$front", "prefix_registry=http://unix:$socket:"]);
my $far = sub { return $b->req(GET => $_[0], headers => [@browser], sock => IO::Socket::INET->new(PeerAddr => "127.0.0.1:$front")) };
is $far->('/far/')->body, $html, 'with=prefix: the page is below the path';
is fault($far->('/far/')), '', '... with its headers, once';
is $far->('/far/berth/page/plain.js')->body, '1', '... and so are its files';
$b->stop;

# off
$b = Berth::Server->start(workers => 1, config => "page = false;\n");
$r = $b->req(GET => '/', headers => [@browser]);
is $r->status . $r->body . join('', $r->headers('Vary')), '200', 'page = false: / is empty, and depends on nothing';
is $b->req(GET => "/berth/page/$_", headers => [@browser])->status, 404, "... $_ is not there" for 'index.html', 'plain.js', '';
$b->stop;

# what the configuration says, where berth is installed with a page, and without one
my $nginx = "$dir/there/nginx";
run_ok('mkdir', '-p', $nginx, 'an installation');
run_ok('cp', '-R', source_dir() . '/nginx/.', $nginx, '... with the files of nginx');
my $on = run({ stdin => "page = true\n" }, "$nginx/render", '--settings');
unlike $on->{out}, qr/page/, 'a build without the files of a page asks for none';
like $on->{err}, qr{^nginx/render: there is no page to serve: \S+/there/web has no index\.html$}, '... and says so';
run_ok('cp', '-R', $web, "$dir/there/web", 'with files');
$on = run({ stdin => "page = true\n" }, "$nginx/render", '--settings');
like $on->{out}, qr/^with=page$/m, '... it asks for the page';
is $on->{err}, '', '... in silence';
is run({ stdin => "page = false\n" }, "$nginx/render", '--settings')->{err}, '', 'page = false needs no files';
unlike run({ stdin => "page = false\n" }, "$nginx/render", '--settings')->{out}, qr/page/, '... and asks for none';
my @args = ('listen=127.0.0.1:' . Berth::Server::free_port(), 'root=/x', 'workers=unix:/w', 'with=page', 'with=page');
run_ok("$nginx/render", "$dir/run", @args, 'rendered');
like slurp("$dir/run/with-page.conf"), qr{alias "\S+/there/web/";}, '... with the directory beside';
like run("$nginx/render", "$dir/run", @args[ 0 .. 2 ], 'page=/x')->{err}, qr/unknown argument/, 'page= alone is refused';
like run("$nginx/render", "$dir/run", @args, 'page=/x";y')->{err}, qr/can't be given/, 'and so is one that nginx cannot have';
done_testing;
