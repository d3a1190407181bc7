#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Cross-repository mount: from, without from, from where it is not, malformed.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start;
my $d = $s->push_blob('src/app', 'shared layer');
(my $enc = $d) =~ s/:/%3A/;
my $none = sha256('nobody has it');

sub mount { my ($repo, $q) = @_; return $s->req('POST', "/v2/$repo/blobs/uploads/?$q") }

sub mounted_ok {
	my ($r, $repo, $digest, $title) = @_;
	is $r->status, 201, "$title: 201";
	headers_are $r, { Location => "/v2/$repo/blobs/$digest", 'Docker-Content-Digest' => $digest, 'Content-Length' => 0,
		'Docker-Upload-UUID' => undef, 'Docker-Distribution-Api-Version' => 'registry/2.0', 'X-Content-Type-Options' => 'nosniff' },
		"$title: Location and digest of the blob";
	is $r->body, '', "$title: no body";
	is content_of(layer_link($s, $repo, $digest)), $digest, "$title: the link is there";
	ok -d data_dir($s) . "/repositories/$repo/_manifests", "$title: the repository has _manifests";
	is $s->req('HEAD', "/v2/$repo/blobs/$digest")->status, 200, "$title: the blob is in the repository";
	is_deeply [uploads_of($s, $repo)], [], "$title: no upload is left";
	return;
}

sub upload_ok {
	my ($r, $repo, $title) = @_;
	is $r->status, 202, "$title: 202, an ordinary upload" or diag $r->body;
	my $loc = path_of($r->header('Location') // '');
	like $loc, qr{^/v2/\Q$repo\E/blobs/uploads/[0-9a-f-]{36}$}, "$title: its Location";
	headers_are $r, { Range => '0-0', 'Docker-Content-Digest' => undef }, "$title: its Range, and no digest";
	ok defined $r->header('Docker-Upload-UUID'), "$title: its UUID";
	my $bytes = "instead of $title";
	is $s->req('PUT', "$loc?digest=" . sha256($bytes), body => $bytes)->status, 201, "$title: it can be finished";
	return;
}

mounted_ok(mount('dst/one', "mount=$d&from=src/app"), 'dst/one', $d, 'with from');
mounted_ok(mount('dst/two', "mount=$enc&from=src%2Fapp"), 'dst/two', $d, 'with from, encoded');
mounted_ok(mount('dst/three', "from=src%2Fapp&ns=docker.io&mount=$enc&origin=x"), 'dst/three', $d, 'with from, in another order, beside unknown parameters');
mounted_ok($s->req('POST', "/v2/dst/four/blobs/uploads?mount=$d&from=src/app"), 'dst/four', $d, 'without the last slash');
mounted_ok(mount('src/app', "mount=$d&from=src/app"), 'src/app', $d, 'onto itself');
mounted_ok(mount('dst/one', "mount=$d&from=src/app"), 'dst/one', $d, 'where it is already');
mounted_ok(mount('dst/five', "mount=$d&from=dst/one"), 'dst/five', $d, 'from where it was mounted');
mounted_ok(mount('dst/six', "mount=$d"), 'dst/six', $d, 'without from');
like mount('dst/seven', "mount=$d&from=")->status, qr/^20[12]$/, 'an empty from is no error';
is $s->req('GET', "/v2/dst/one/blobs/$d")->body, 'shared layer', 'a mounted blob is pulled';
is +(stat blob_file($s, $d))[3], 1, 'a mounted blob is on disk once';
is_deeply [files_below(data_dir($s) . '/blobs')], [map { s{.*/v2/blobs/}{}r } blob_file($s, $d)], 'and there is no other';

my $m = $s->push_image('dst/one', 'img', layers => ['shared layer'], config => '{}');
ok $m, 'a manifest that names a mounted blob is taken';

upload_ok(mount('dst/a', "mount=$none&from=src/app"), 'dst/a', 'a repository that lacks the blob');
upload_ok(mount('dst/b', "mount=$d&from=no/such"), 'dst/b', 'a repository that does not exist');
upload_ok(mount('dst/c', "mount=$d&from=src"), 'dst/c', 'a repository above');
upload_ok(mount('dst/d', "mount=$none"), 'dst/d', 'without from, a blob that nobody has');
upload_ok(mount('dst/o', 'mount=sha512:' . 'a' x 128 . '&from=src/app'), 'dst/o', 'a sha512 digest that nobody has');
upload_ok(mount('dst/e', "mount=$d&from=Bad%20Name"), 'dst/e', 'a from that is no name');
upload_ok(mount('dst/f', "mount=$d&from=..%2F..%2Fsrc%2Fapp"), 'dst/f', 'a from with dots');
upload_ok(mount('dst/g', "mount=$d&from=" . 'a' x 256), 'dst/g', 'a from that is too long');
upload_ok(mount('dst/h', "mount=$none&from=dst/h"), 'dst/h', 'onto itself without having it');
upload_ok(mount('dst/i', 'from=src/app'), 'dst/i', 'from without mount');
upload_ok(mount('dst/j', "mount=$d&from=no/such&from=src/app"), 'dst/j', 'two from, of which the first counts');

# The link is there, but the bytes are not
my $gone = $s->push_blob('src/app', 'gone');
unlink blob_file($s, $gone) or die;
upload_ok(mount('dst/k', "mount=$gone&from=src/app"), 'dst/k', 'a blob whose file is missing');
my $unlinked = $s->push_blob('src/app', 'unlinked');
lay_file(layer_link($s, 'src/app', $unlinked), '');
upload_ok(mount('dst/l', "mount=$unlinked&from=src/app"), 'dst/l', 'a blob whose link is empty');
# The bytes are there, but belong to no repository
my $orphan = lay_file(blob_file($s, sha256('orphan')), 'orphan') && sha256('orphan');
upload_ok(mount('dst/m', "mount=$orphan"), 'dst/m', 'without from, a blob that belongs to no repository');
upload_ok(mount('dst/n', "mount=$orphan&from=src/app"), 'dst/n', 'a blob that belongs to no repository');
for my $r (map { "dst/$_" } 'a' .. 'n') {
	ok !-e layer_link($s, $r, $d), "$r got no link that it did not earn";
}

my $before = $s->tree_digest;
my $hex = substr $d, 7;
for my $bad ('', 'abc', 'sha256:', "sha256:${hex}0", 'sha256:' . substr($hex, 1), 'sha256:' . uc $hex, "SHA256:$hex", "md5:$hex", $hex,
	"sha512:$hex", 'sha512:' . 'a' x 127, "sha256%253A$hex", "$d%00", "../$d") {
	error_is mount('dst/bad', "mount=$bad&from=src/app"), 400, 'DIGEST_INVALID', 'mount=' . substr($bad, 0, 24) . ' (' . length($bad) . ' bytes) is 400 DIGEST_INVALID';
	error_is mount('dst/bad', "mount=$bad"), 400, 'DIGEST_INVALID', 'mount=' . substr($bad, 0, 24) . ' (' . length($bad) . ' bytes) without from is 400 DIGEST_INVALID';
}
is $s->tree_digest, $before, 'a malformed mount changes nothing on disk';
error_is mount('Dst/bad', "mount=$d&from=src/app"), 400, 'NAME_INVALID', 'a mount into a bad name is 400 NAME_INVALID';
is leftovers($s), '', 'nothing is left in body, tmp and trash';

done_testing;
