#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# GET and HEAD of blobs: headers, conditions, what is not there.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path);
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start;
my $bytes = join '', map { chr($_ * 7 % 256) } 0 .. 9999;
my $d = $s->push_blob('lib/app', $bytes);
my $path = "/v2/lib/app/blobs/$d";
my %want = ('Content-Type' => 'application/octet-stream', 'Content-Length' => 10_000, 'Docker-Content-Digest' => $d,
	'Etag' => qq("$d"), 'Accept-Ranges' => 'bytes', 'Cache-Control' => 'max-age=31536000, immutable', 'Last-Modified' => undef,
	'Docker-Distribution-Api-Version' => 'registry/2.0', 'X-Content-Type-Options' => 'nosniff', 'Content-Encoding' => undef,
	'X-Accel-Redirect' => undef, 'Content-Range' => undef);

my $r = $s->req('GET', $path);
is $r->status, 200, 'GET of a blob is 200';
ok $r->body eq $bytes, 'GET of a blob gives its bytes';
headers_are $r, \%want, 'GET of a blob has exactly the headers of the contract';
$r = $s->req('HEAD', $path);
is $r->status, 200, 'HEAD of a blob is 200';
is bytes_after_head($s, 'HEAD', $path), '', 'HEAD of a blob has no body';
headers_are $r, \%want, 'HEAD of a blob has the headers of GET';
ok defined $r->header('Date'), 'HEAD of a blob has a Date';
ok $s->req('GET', "$path?ns=docker.io")->body eq $bytes, 'unknown parameters are ignored';
ok $s->req('GET', $path, headers => ['Accept' => 'text/html', 'Accept-Encoding' => 'gzip'])->body eq $bytes, 'Accept and Accept-Encoding change nothing';

my $empty = $s->push_blob('lib/app', '');
is $empty, EMPTY_DIGEST, 'the empty blob can be pushed';
$r = $s->req('GET', "/v2/lib/app/blobs/$empty");
is $r->status, 200, 'the empty blob is there';
headers_are $r, { 'Content-Length' => 0, 'Docker-Content-Digest' => $empty, 'Etag' => qq("$empty") }, 'the empty blob has length 0';

my $big = join '', map { pack 'N', $_ } 1 .. 750_000;
my $big_d = $s->push_blob('lib/app', $big);
ok $s->req('GET', "/v2/lib/app/blobs/$big_d")->body eq $big, 'a blob of 3 MB comes back byte for byte';

# If-None-Match
my %hit = (
	'quoted' => [qq("$d")], 'bare' => [$d], 'weak' => [qq(W/"$d")], 'a star' => ['*'], 'in a list' => [qq("x", "$d", "y")],
	'weak in a list' => [qq(W/"x", W/"$d")],
);
for my $form (sort keys %hit) {
	for my $m (qw(GET HEAD)) {
		$r = $s->req($m, $path, headers => [map { ('If-None-Match' => $_) } @{ $hit{$form} }]);
		is $r->status, 304, "If-None-Match with the digest, $form: $m is 304";
		is bytes_after_head($s, $m, $path, 'If-None-Match' => $hit{$form}[-1]), '', "the 304 to $m ($form) has no body";
		is $r->header('Etag'), qq("$d"), "the 304 to $m ($form) has the ETag";
		is common_fault($r), '', "the 304 to $m ($form) carries the common headers";
	}
}
for my $miss ('"x"', '""', qq("$big_d"), "${d}0") {
	$r = $s->req('GET', $path, headers => ['If-None-Match' => $miss]);
	is $r->status, 200, "If-None-Match: $miss gets 200";
	ok $r->body eq $bytes, "If-None-Match: $miss gets the blob";
}
$r = $s->req('GET', $path, headers => ['If-Modified-Since' => 'Fri, 01 Jan 2100 00:00:00 GMT']);
is $r->status, 200, 'If-Modified-Since is not looked at: a blob has no date';

# Not there
my $none = sha256('never pushed');
my $theirs = $s->push_blob('lib/other', 'only in the other repository');
for my $c (['an unknown blob', "lib/app/blobs/$none"], ["another repository's blob", "lib/app/blobs/$theirs"],
	['a blob in an unknown repository', "lib/none/blobs/$d"], ['a blob in the parent', "lib/blobs/$d"],
	['a blob in a child', "lib/app/child/blobs/$d"]) {
	error_is $s->req('GET', "/v2/$c->[1]"), 404, 'BLOB_UNKNOWN', "GET of $c->[0] is 404 BLOB_UNKNOWN";
	$r = $s->req('HEAD', "/v2/$c->[1]");
	is $r->status, 404, "HEAD of $c->[0] is 404";
	is bytes_after_head($s, 'HEAD', "/v2/$c->[1]"), '', "HEAD of $c->[0] has no body";
	is common_fault($r), '', "HEAD of $c->[0] carries the common headers";
}
error_is $s->req('GET', "/v2/lib/app/blobs/$none"), 404, 'BLOB_UNKNOWN', 'the detail names the digest', qr/\Q$none/;
error_is $s->req('GET', "/v2/lib/app/blobs/$none", headers => [Range => 'bytes=0-1']), 404, 'BLOB_UNKNOWN', 'a range of an unknown blob is 404';
error_is $s->req('GET', "/v2/lib/app/blobs/$none", headers => ['If-None-Match' => '*']), 404, 'BLOB_UNKNOWN', 'If-None-Match: * on an unknown blob is 404';

# Malformed
(my $hex = $d) =~ s/.*://;
for my $bad ('sha256:', 'sha256:abc', "sha256:${hex}0", 'sha256:' . substr($hex, 1), 'sha256:' . uc $hex, "SHA256:$hex", "md5:$hex", ":$hex",
	'sha256:' . 'g' x 64, "sha512:$hex", 'sha512:' . 'a' x 127, 'sha512:' . 'A' x 128, "sha256:$hex:$hex") {
	error_is $s->req('GET', "/v2/lib/app/blobs/$bad"), 400, 'DIGEST_INVALID', 'GET of ' . substr($bad, 0, 24) . ' (' . length($bad) . ' bytes) is 400 DIGEST_INVALID';
	is $s->req('HEAD', "/v2/lib/app/blobs/$bad")->status, 400, 'HEAD of ' . substr($bad, 0, 24) . ' (' . length($bad) . ' bytes) is 400';
}
error_is $s->req('GET', '/v2/lib/app/blobs/sha512:' . 'a' x 128), 404, 'BLOB_UNKNOWN', 'a sha512 digest that nobody pushed is 404 BLOB_UNKNOWN';

# Broken on disk
$s->stop_workers;
my %gone = map { $_ => lay_blob($s, 'lib/app', "broken: $_") } 'file missing', 'link empty', 'link missing', 'link garbage';
unlink blob_file($s, $gone{'file missing'}) or die;
lay_file(layer_link($s, 'lib/app', $gone{'link empty'}), '');
unlink layer_link($s, 'lib/app', $gone{'link missing'}) or die;
lay_file(layer_link($s, 'lib/app', $gone{'link garbage'}), 'sha256:../../x');
my $dir = sha256('a directory');
lay_file(layer_link($s, 'lib/app', $dir), $dir);
make_path(blob_file($s, $dir));
my $laid = lay_blob($s, 'lib/app', 'laid there by another registry');
$s->start_workers;
for my $k (sort keys %gone) {
	error_is $s->req('GET', "/v2/lib/app/blobs/$gone{$k}"), 404, 'BLOB_UNKNOWN', "a blob on disk with its $k is 404, not 500";
	is $s->req('HEAD', "/v2/lib/app/blobs/$gone{$k}")->status, 404, "HEAD of a blob with its $k is 404";
}
$r = $s->req('GET', "/v2/lib/app/blobs/$dir");
is $r->status, 404, 'a directory in the place of a blob is 404';
is $s->req('GET', "/v2/lib/app/blobs/$laid")->body, 'laid there by another registry', 'a blob laid there by another registry is served';

# The internal location that nginx serves from is not for clients
for my $p ('/docker/registry/v2/blobs/', '/blobs/', '/_blobs/', '/internal/', '/x-accel/') {
	(my $tail = blob_file($s, $d)) =~ s{.*/blobs/}{};
	is $s->req('GET', "$p$tail")->status, 404, "the file of a blob is not to be had as $p...";
}

done_testing;
