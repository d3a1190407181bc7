#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Uploads in their plain orders: POST and PUT, POST PATCH PUT, a single POST; what is on the disk after each.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start;
my $UUID = qr/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/;
my ($umask) = content_of('/proc/' . $s->master_pid . '/status') =~ /^Umask:\s*(\d+)/m;
my $file_mode = sprintf '%04o', 0666 & ~oct $umask;
my $dir_mode = sprintf '%04o', 0777 & ~oct $umask;

# stored_ok - the blob is in the repository, as registry:2 would have put it there, and nothing else is left
sub stored_ok {
	my ($repo, $bytes, $how) = @_;
	my $d = sha256($bytes);
	ok +(content_of(blob_file($s, $d)) // '') eq $bytes, "$how: the blob's data is where registry:2 looks for it";
	is content_of(layer_link($s, $repo, $d)), $d, "$how: the link is the digest without a newline";
	is mode_of(blob_file($s, $d)), $file_mode, "$how: data has mode 0666 less the umask";
	is mode_of(layer_link($s, $repo, $d)), $file_mode, "$how: the link has mode 0666 less the umask";
	(my $dir = layer_link($s, $repo, $d)) =~ s{/link$}{};
	is mode_of($dir), $dir_mode, "$how: the link's directory has mode 0777 less the umask";
	(my $bdir = blob_file($s, $d)) =~ s{/data$}{};
	is mode_of($bdir), $dir_mode, "$how: the blob's directory has mode 0777 less the umask";
	is_deeply [files_below($bdir)], ['data'], "$how: nothing but data is in the blob's directory";
	ok -d data_dir($s) . "/repositories/$repo/_manifests", "$how: the repository has _manifests";
	ok -d data_dir($s) . "/repositories/$repo/_layers", "$how: the repository has _layers";
	is_deeply [uploads_of($s, $repo)], [], "$how: no upload is left";
	is leftovers($s), '', "$how: nothing is left in body, tmp and trash";
	is +(stat blob_file($s, $d))[3], 1, "$how: the data has one name only";
	my $r = $s->req('GET', "/v2/$repo/blobs/$d");
	ok $r->status == 200 && $r->body eq $bytes, "$how: the blob is pulled again";
	return;
}

sub created_ok {
	my ($r, $repo, $bytes, $how) = @_;
	my $d = sha256($bytes);
	is $r->status, 201, "$how: 201" or diag $r->body;
	is $r->body, '', "$how: no body";
	headers_are $r, { Location => "/v2/$repo/blobs/$d", 'Docker-Content-Digest' => $d, 'Content-Length' => 0,
		'Docker-Distribution-Api-Version' => 'registry/2.0', 'X-Content-Type-Options' => 'nosniff' }, "$how: Location and digest of the blob";
	stored_ok($repo, $bytes, $how);
	return;
}

# POST
for my $p ('/v2/a/post/blobs/uploads/', '/v2/a/post/blobs/uploads') {
	my $r = $s->req('POST', $p);
	is $r->status, 202, "POST $p is 202, not a redirect";
	my ($uuid) = ($r->header('Location') // '') =~ m{^http://\Q${\$s->host}\E/v2/a/post/blobs/uploads/($UUID)\?_state=berth$};
	ok $uuid, "POST $p gives a Location that is a URL with a UUID and a query" or diag $r->header('Location');
	headers_are $r, { 'Docker-Upload-UUID' => $uuid, Range => '0-0', 'Content-Length' => 0, 'Docker-Distribution-Api-Version' => 'registry/2.0',
		'X-Content-Type-Options' => 'nosniff', 'Docker-Content-Digest' => undef }, "POST $p gives UUID and Range 0-0";
	is $r->body, '', "POST $p has no body";
	my $dir = data_dir($s) . "/repositories/a/post/_uploads/$uuid";
	like content_of("$dir/startedat"), qr/\A20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\z/, 'startedat is RFC 3339 UTC without a newline';
	is +(content_of("$dir/data") // ''), '', 'a new upload has no bytes';
	ok !-e data_dir($s) . '/repositories/a/post/_layers', 'an upload alone makes no repository';
}
is scalar(uploads_of($s, 'a/post')), 2, 'each POST is an upload of its own';

# POST, PUT
my $loc = upload_start($s, 'a/put');
created_ok($s->req('PUT', "$loc?digest=" . sha256('in one PUT'), body => 'in one PUT'), 'a/put', 'in one PUT', 'POST and PUT');
error_is $s->req('GET', $loc), 404, 'BLOB_UPLOAD_UNKNOWN', 'a finished upload is gone';
error_is $s->req('PUT', "$loc?digest=" . sha256('in one PUT'), body => 'in one PUT'), 404, 'BLOB_UPLOAD_UNKNOWN', 'a finished upload is not finished again';

$loc = upload_start($s, 'a/put');
(my $enc = sha256('encoded')) =~ s/:/%3A/;
created_ok($s->req('PUT', "$loc?digest=$enc", body => 'encoded'), 'a/put', 'encoded', 'PUT with %3A in the digest');

$loc = upload_start($s, 'a/put');
created_ok($s->req('PUT', "$loc?_state=abc&digest=" . sha256('more') . '&ns=x', body => 'more'), 'a/put', 'more', 'PUT with unknown parameters beside the digest');

$loc = upload_start($s, 'a/put');
created_ok($s->req('PUT', "$loc?digest=" . sha256('typed'), body => 'typed', headers => ['Content-Type' => 'text/html; charset=x']), 'a/put', 'typed', 'PUT with any Content-Type');

$loc = upload_start($s, 'a/put');
created_ok($s->req('PUT', "$loc?digest=" . EMPTY_DIGEST), 'a/put', '', 'PUT of nothing');

$loc = upload_start($s, 'a/put');
created_ok($s->req('PUT', "$loc?digest=" . sha256('twice') . '&digest=' . sha256('other'), body => 'twice'), 'a/put', 'twice', 'PUT with two digests takes the first');

# POST, PATCH, PUT
for my $c (['an empty PUT', ''], ['the last chunk on PUT', ' and the end']) {
	my ($how, $last) = @$c;
	$loc = upload_start($s, 'a/patch');
	my $r = $s->req('PATCH', $loc, body => "first for $how", headers => ['Content-Type' => 'application/octet-stream']);
	my ($uuid) = $loc =~ m{([^/]+)$};
	is $r->status, 202, "PATCH is 202 ($how)";
	is $r->body, '', "PATCH has no body ($how)";
	headers_are $r, { Location => $loc, Range => '0-' . (length("first for $how") - 1), 'Docker-Upload-UUID' => $uuid, 'Content-Length' => 0,
		'Docker-Distribution-Api-Version' => 'registry/2.0', 'X-Content-Type-Options' => 'nosniff' },
		"PATCH has the same Location, Range and UUID ($how)";
	my $dir = data_dir($s) . "/repositories/a/patch/_uploads/$uuid";
	is content_of("$dir/data"), "first for $how", "the bytes are in data ($how)";
	is join(' ', map { mode_of("$dir/$_") } 'data', 'startedat'), "$file_mode $file_mode", "both files of the upload have mode 0666 less the umask ($how)";
	is mode_of($dir), $dir_mode, "its directory has mode 0777 less the umask ($how)";
	my $all = "first for $how$last";
	created_ok($s->req('PUT', "$loc?digest=" . sha256($all), length $last ? (body => $last) : ()), 'a/patch', $all, "POST, PATCH and $how");
}

# a blob that is there already
$loc = upload_start($s, 'a/again');
created_ok($s->req('PUT', "$loc?digest=" . sha256('in one PUT'), body => 'in one PUT'), 'a/again', 'in one PUT', 'a blob that another repository has');
$loc = upload_start($s, 'a/again');
created_ok($s->req('PUT', "$loc?digest=" . sha256('in one PUT'), body => 'in one PUT'), 'a/again', 'in one PUT', 'a blob that this repository has');
for my $broken ('', 'in one', 'in one PUT and more') {
	lay_file(blob_file($s, sha256('in one PUT')), $broken);
	$loc = upload_start($s, 'a/again');
	created_ok($s->req('PUT', "$loc?digest=" . sha256('in one PUT'), body => 'in one PUT'), 'a/again', 'in one PUT', 'a blob whose file has ' . length($broken) . ' bytes by a crash');
}
unlink blob_file($s, sha256('in one PUT')) or die;
$loc = upload_start($s, 'a/again');
created_ok($s->req('PUT', "$loc?digest=" . sha256('in one PUT'), body => 'in one PUT'), 'a/again', 'in one PUT', 'a blob whose file is missing');
lay_file(layer_link($s, 'a/again', sha256('in one PUT')), '');
$loc = upload_start($s, 'a/again');
created_ok($s->req('PUT', "$loc?digest=" . sha256('in one PUT'), body => 'in one PUT'), 'a/again', 'in one PUT', 'a blob whose link is empty');

# single POST
sub post { my ($repo, $d, @o) = @_; return $s->req('POST', "/v2/$repo/blobs/uploads/?digest=$d", @o) }
created_ok(post('a/single', sha256('at once'), body => 'at once'), 'a/single', 'at once', 'a single POST');
created_ok(post('a/single', EMPTY_DIGEST), 'a/single', '', 'a single POST of nothing without a body');
created_ok(post('a/single', EMPTY_DIGEST, body => ''), 'a/single', '', 'a single POST of nothing with length 0');
created_ok($s->req('POST', '/v2/a/single/blobs/uploads?digest=' . sha256('no slash'), body => 'no slash'), 'a/single', 'no slash', 'a single POST without the last slash');
my $r = post('a/single', sha256('to come'));
is $r->status, 202, 'a single POST without a body and another digest is an ordinary upload';
is $r->header('Range'), '0-0', 'which is empty';
is $r->header('Docker-Content-Digest'), undef, 'and has no digest yet';
created_ok($s->req('PUT', path_of($r->header('Location')) . '?digest=' . sha256('to come'), body => 'to come'), 'a/single', 'to come', 'its PUT');

my $before = $s->tree_digest;
error_is post('a/single', sha256('right'), body => 'wrong'), 400, 'DIGEST_INVALID', 'a single POST with the wrong digest is 400 DIGEST_INVALID';
error_is post('a/single', EMPTY_DIGEST, body => 'wrong'), 400, 'DIGEST_INVALID', 'a single POST with the digest of nothing and a body is 400';
error_is post('a/fresh', sha256('right'), body => 'wrong'), 400, 'DIGEST_INVALID', 'a single POST with the wrong digest to a new repository is 400';
for my $bad ('', 'abc', 'sha256:abc', 'md5:' . 'a' x 32, 'SHA256:' . 'a' x 64, 'sha256:' . 'A' x 64, 'sha512:' . 'a' x 128, 'sha256:' . 'a' x 63 . '/') {
	error_is post('a/single', $bad, body => 'x'), 400, 'DIGEST_INVALID', 'a single POST with digest=' . substr($bad, 0, 20) . ' is 400 DIGEST_INVALID';
}
is leftovers($s), '', 'a refused single POST leaves nothing in body, tmp and trash';
is $s->tree_digest, $before, 'a refused single POST stores nothing';
ok !-e blob_file($s, sha256('wrong')), 'nor under the digest of what was sent';

# other umask
{
	my $old = umask 027;
	my $t = Berth::Server->start;
	umask $old;
	my $d = $t->push_blob('masked', 'bytes');
	is mode_of(blob_file($t, $d)), '0640', 'with umask 027 data has mode 0640';
	is mode_of(layer_link($t, 'masked', $d)), '0640', 'with umask 027 a link has mode 0640';
	(my $dir = layer_link($t, 'masked', $d)) =~ s{/link$}{};
	is mode_of($dir), '0750', 'with umask 027 a directory has mode 0750';
	my $m = image_of(OCI_MANIFEST, 'bytes');
	$t->req('PUT', '/v2/masked/manifests/t', headers => ['Content-Type' => OCI_MANIFEST], body => $m);
	is mode_of($_), '0640', 'with umask 027 the files of a manifest have mode 0640'
		for blob_file($t, sha256($m)), revision_link($t, 'masked', sha256($m)), tag_link($t, 'masked', 't'), tag_index_link($t, 'masked', 't', sha256($m));
}

done_testing;
