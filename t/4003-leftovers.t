#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What other programs and crashes leave in the store is neither listed nor an error.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path);
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n");
$s->stop_workers;
my $m = image_of(OCI_MANIFEST, '{}');
my $d = sha256($m);
lay_blob($s, 'l/app', '{}');
lay_manifest($s, 'l/app', $m, 'good', 'better');
my $repos = data_dir($s) . '/repositories';
my $tags = "$repos/l/app/_manifests/tags";

make_path("$tags/nocurrent", "$tags/noindex-nolink/current", "$tags/only-index/index/sha256/" . substr $d, 7);
lay_file("$tags/emptylink/current/link", '');
lay_file("$tags/garbage/current/link", 'garbage');
lay_file("$tags/short/current/link", substr $d, 0, 40);
lay_file("$tags/tmp/current/link.tmp", $d);
lay_file("$tags/.hidden/current/link", $d);
lay_file("$tags/a file", 'x');
lay_file("$tags/file.tmp", 'x');
lay_file("$tags/bad+name/current/link", $d);
lay_file("$tags/" . 'x' x 129 . '/current/link', $d);
lay_file("$repos/l/app/_layers/sha256/" . 'a' x 64 . '/link', '');
make_path("$repos/l/app/_layers/sha256/" . 'b' x 64, "$repos/l/app/_layers/sha256/notahash", "$repos/l/app/_layers/md5");
make_path("$repos/l/app/_manifests/revisions/sha256/" . 'c' x 64);
make_path("$repos/l/app/_uploads/not-a-uuid", "$repos/l/app/_uploads/01234567-89ab-4cde-8f01-23456789abcd");
lay_file("$repos/l/app/.tmp1234", '');
make_path("$repos/l/.snapshot/x/_layers", "$repos/l/.snapshot/x/_manifests", "$repos/l/UPPER/_layers", "$repos/l/UPPER/_manifests");
make_path("$repos/l/app/_trash/inner/_layers", "$repos/l/app/_trash/inner/_manifests");
symlink '/nonexistent', "$repos/l/dangling";
symlink '.', "$repos/l/loop";
make_path("$repos/l/empty/_layers", "$repos/l/empty/_manifests/tags");
lay_file("$repos/l/empty/_manifests/tags/broken/current/link", '');
make_path($s->root . '/docker/registry/v2/other', $s->root . '/lost+found');
$s->start_workers;

is $s->req('GET', '/v2/_catalog')->body, qq({"repositories":["l/app","l/empty"]}\n), 'the catalog has the repositories and nothing else';
is $s->req('GET', '/v2/l/app/tags/list')->body, qq({"name":"l/app","tags":["better","good"]}\n), 'the list has the tags and nothing else';
is $s->req('GET', '/v2/l/empty/tags/list')->body, qq({"name":"l/empty","tags":null}\n), 'a repository whose only tag is broken has null';
is $s->req('GET', '/v2/l/app/tags/list?n=1')->header('Link'), '</v2/l/app/tags/list?last=better&n=1>; rel="next"', 'leftovers fill no page';
is $s->req('GET', '/v2/l/app/tags/list?n=1&last=better')->body, qq({"name":"l/app","tags":["good"]}\n), 'and no next one';
is $s->req('GET', '/v2/l/app/tags/list?n=1&last=better')->header('Link'), undef, 'nor make a Link where nothing follows';
is $s->req('GET', '/v2/_catalog?n=2')->header('Link'), undef, 'nor in the catalog';
for my $t (qw(nocurrent noindex-nolink only-index emptylink garbage short tmp a%20file file.tmp)) {
	error_is $s->req('GET', "/v2/l/app/manifests/$t"), 404, 'MANIFEST_UNKNOWN', "GET of the leftover $t is 404";
}
for my $t (qw(nocurrent emptylink only-index)) {
	my $r = $s->req('DELETE', "/v2/l/app/manifests/$t");
	like $r->status, qr/^(202|404)$/, "DELETE of the leftover $t is no 500";
	$r = $s->req('PUT', "/v2/l/app/manifests/$t", headers => ['Content-Type' => OCI_MANIFEST], body => $m);
	is $r->status, 201, "the leftover $t can be pushed to";
	is $s->req('GET', "/v2/l/app/manifests/$t")->body, $m, "and is a tag then ($t)";
}
for my $x ('a', 'b') {
	error_is $s->req('GET', '/v2/l/app/blobs/sha256:' . $x x 64), 404, 'BLOB_UNKNOWN', "a layer directory without a good link is 404 ($x)";
}
error_is $s->req('GET', '/v2/l/app/manifests/sha256:' . 'c' x 64), 404, 'MANIFEST_UNKNOWN', 'a revision directory without a link is 404';
my $up = $s->req('GET', '/v2/l/app/blobs/uploads/01234567-89ab-4cde-8f01-23456789abcd');
like $up->status, qr/^(204|404)$/, 'an upload directory with nothing in it is no 500';
is $s->req('DELETE', "/v2/l/app/manifests/$d")->status, 202, 'delete by digest works beside leftovers';
is $s->req('GET', '/v2/l/app/tags/list')->body, qq({"name":"l/app","tags":null}\n), 'and takes all the good tags';
is $s->push_blob('l/empty', 'bytes'), sha256('bytes'), 'a push works beside leftovers';
ok !(grep { ($_->{status} // 0) >= 500 } $s->log_events), 'no request of all these ended with 5xx';

done_testing;
