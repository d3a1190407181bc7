#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Manifests of the four types, by tag and by digest: the bytes, the answer, what lies on disk.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n");
my ($config, $layer) = ('{"os":"linux"}', 'a layer');
$s->push_blob('m/app', $_) for $config, $layer;

sub put {
	my ($ref, $type, $text, %o) = @_;
	my $repo = delete $o{repo} // 'm/app';
	my @h = defined $type ? ('Content-Type' => $type) : ();
	return $s->req('PUT', "/v2/$repo/manifests/$ref", headers => [@h, @{ delete $o{headers} // [] }], body => $text, %o);
}

my %subject_of;         # what OCI-Subject shall say, by digest

sub stored_ok {
	my ($r, $ref, $type, $text, $title) = @_;
	my $d = sha256($text);
	is $r->status, 201, "$title: 201" or diag $r->body;
	is $r->body, '', "$title: no body";
	headers_are $r, { Location => "/v2/m/app/manifests/$d", 'Docker-Content-Digest' => $d, 'Content-Length' => 0, 'OCI-Subject' => $subject_of{$d},
		'OCI-Tag' => undef, 'Docker-Distribution-Api-Version' => 'registry/2.0', 'X-Content-Type-Options' => 'nosniff' },
		"$title: Location and digest";
	ok +(content_of(blob_file($s, $d)) // '') eq $text, "$title: the bytes on disk are those that were sent";
	is content_of(revision_link($s, 'm/app', $d)), $d, "$title: the revision's link is the digest without a newline";
	if ($ref !~ /:/) {
		is content_of(tag_link($s, 'm/app', $ref)), $d, "$title: the tag's link is the digest without a newline";
		is content_of(tag_index_link($s, 'm/app', $ref, $d)), $d, "$title: the tag's index has the digest";
	}
	my $g = $s->req('GET', "/v2/m/app/manifests/$ref");
	ok $g->status == 200 && $g->body eq $text, "$title: the bytes come back";
	is $g->header('Content-Type'), $type, "$title: the type comes back";
	return;
}

my %image = (oci => image_of(OCI_MANIFEST, $config, $layer), docker => image_of(DOCKER_MANIFEST, $config, $layer));
my %type = (oci => OCI_MANIFEST, docker => DOCKER_MANIFEST, index => OCI_INDEX, list => DOCKER_LIST);
my %text = (
	%image,
	index => index_of(OCI_INDEX, desc(OCI_MANIFEST, $image{oci}, ',"platform":{"architecture":"amd64","os":"linux"}')),
	list => index_of(DOCKER_LIST, desc(DOCKER_MANIFEST, $image{docker}, ',"platform":{"architecture":"amd64","os":"linux"}')),
);
for my $t (qw(oci docker index list)) {
	for my $chunked (0, 1) {
		my $how = $chunked ? 'chunked' : 'with a length';
		my $text = $text{$t} . ' ' x $chunked;
		my $d = sha256($text);
		stored_ok(put("tag-$t", $type{$t}, $text, chunked => $chunked), "tag-$t", $type{$t}, $text, "$t by tag, $how");
		stored_ok(put($d, $type{$t}, $text . '', chunked => $chunked), $d, $type{$t}, $text, "$t by digest, $how, again");
		my $other = $text . "\n";
		stored_ok(put(sha256($other), $type{$t}, $other, chunked => $chunked), sha256($other), $type{$t}, $other, "$t by digest alone, $how");
	}
}
ok !-e data_dir($s) . '/repositories/m/app/_manifests/tags/' . sha256($text{oci} . "\n"), 'a push by digest makes no tag';

# exact bytes: nothing is normalised
my $odd = qq( {\n\t"layers" : [ ],\r\n "config":${\desc(OCI_CONFIG, $config)}, "mediaType":"${\OCI_MANIFEST}" , "x":"\\u0041\\/ \xc3\xa9", "schemaVersion" : 2 }\n\n);
stored_ok(put('odd', OCI_MANIFEST, $odd), 'odd', OCI_MANIFEST, $odd, 'white space, escapes and order of members are kept');

# content types
for my $ct (OCI_MANIFEST . '; charset=utf-8', OCI_MANIFEST . ';charset=utf-8;x=y', ' ' . OCI_MANIFEST . ' ', uc OCI_MANIFEST, 'Application/Vnd.Oci.Image.Manifest.V1+Json ; a=b') {
	stored_ok(put('typed', $ct, $text{oci}), 'typed', OCI_MANIFEST, $text{oci}, "Content-Type '$ct'");
}
for my $t (qw(oci docker index list)) {
	stored_ok(put("untyped-$t", undef, $text{$t}), "untyped-$t", $type{$t}, $text{$t}, "no Content-Type: mediaType inside decides ($t)");
}
my $bare = '{"schemaVersion":2,"config":' . desc(OCI_CONFIG, $config) . ',"layers":[]}';
stored_ok(put('bare', OCI_MANIFEST, $bare), 'bare', OCI_MANIFEST, $bare, 'an OCI manifest without mediaType inside');
my $bare_index = '{"schemaVersion":2,"manifests":[]}';
stored_ok(put('bare-index', OCI_INDEX, $bare_index), 'bare-index', OCI_INDEX, $bare_index, 'an OCI index without mediaType inside');

# tags
for my $tag ('a', '_', '_._-', 'A.b-C_d', '0', 'latest', 'V1.0.0-rc.1', 'current', 'link', 'index', 'a' x 128, 'list', 'uploads') {
	stored_ok(put($tag, OCI_MANIFEST, $text{oci}), $tag, OCI_MANIFEST, $text{oci}, 'tag ' . substr $tag, 0, 20);
}
my $before = $s->tree_digest;
for my $tag ('-a', '.a', 'a' x 129, 'a+b', 'a%20b', '%C3%A9', 'a~b', 'a@b', '%2Ea', 'a,b') {
	error_is put($tag, OCI_MANIFEST, $text{oci}), 400, 'TAG_INVALID', 'PUT of tag ' . substr($tag, 0, 20) . ' (' . length($tag) . ' bytes) is 400 TAG_INVALID';
}

# digest mismatch
error_is put(sha256('other'), OCI_MANIFEST, $text{oci}), 400, 'DIGEST_INVALID', 'a body that does not hash to the digest is 400 DIGEST_INVALID';
error_is put(sha256($text{oci}), OCI_MANIFEST, "$text{oci} "), 400, 'DIGEST_INVALID', 'one blank more is 400 DIGEST_INVALID';
for my $bad ('sha256:abc', 'sha256:' . uc substr(sha256($text{oci}), 7), 'md5:' . 'a' x 32, 'sha512:' . 'a' x 127) {
	error_is put($bad, OCI_MANIFEST, $text{oci}), 400, 'DIGEST_INVALID', 'PUT by ' . substr($bad, 0, 20) . ' is 400 DIGEST_INVALID';
}
is $s->tree_digest, $before, 'none of these changes anything on disk';

error_is put('sha512:' . 'a' x 128, OCI_MANIFEST, $text{oci}), 400, 'DIGEST_INVALID', 'a sha512 digest of other bytes is 400 DIGEST_INVALID';

# a subject, and tags by parameter
my $subject = '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . desc(OCI_CONFIG, $config) . ',"layers":[],"subject":' . desc(OCI_MANIFEST, 'not here') . '}';
$subject_of{ sha256($subject) } = sha256('not here');
stored_ok(put('subject', OCI_MANIFEST, $subject), 'subject', OCI_MANIFEST, $subject, 'a subject need not be there, and OCI-Subject names it');
my $r = put(sha256($text{index}) . '?tag=one&tag=two', OCI_INDEX, $text{index});
is $r->status, 201, 'a push by digest takes tags as parameters';
is $s->req('GET', "/v2/m/app/manifests/$_")->body, $text{index}, "and sets tag $_" for 'one', 'two';

# pushing again changes nothing but the tag, and then only the time of its push
sub but_times { return join "\n", map { "$_ " . content_of(data_dir($s) . "/$_") } grep { !m{/pushed-[0-9a-f]{16}\z} } files_below(data_dir($s)) }
is put('again', OCI_MANIFEST, $text{oci})->status, 201, 'a manifest that is there can be pushed to another tag';
$before = but_times();
is put('again', OCI_MANIFEST, $text{oci})->status, 201, 'and again';
is but_times(), $before, 'a second push of the same changes nothing on disk';
put('again', DOCKER_MANIFEST, $text{docker});
is content_of(tag_link($s, 'm/app', 'again')), sha256($text{docker}), 'a tag moves to what is pushed';
is_deeply [grep { !m{/pushed-} } files_below(data_dir($s) . '/repositories/m/app/_manifests/tags/again')],
	[sort 'current/link', map { 'index/sha256/' . substr(sha256($_), 7) . '/link' } $text{oci}, $text{docker}], 'its index has every digest that it had';

# a broken file in the place of the manifest is replaced
lay_file(blob_file($s, sha256($text{oci})), '');
stored_ok(put('healed', OCI_MANIFEST, $text{oci}), 'healed', OCI_MANIFEST, $text{oci}, 'an empty file in its place');
lay_file(revision_link($s, 'm/app', sha256($text{oci})), '');
stored_ok(put('healed', OCI_MANIFEST, $text{oci}), 'healed', OCI_MANIFEST, $text{oci}, 'an empty link in its place');
lay_file(tag_link($s, 'm/app', 'healed'), '');
stored_ok(put('healed', OCI_MANIFEST, $text{oci}), 'healed', OCI_MANIFEST, $text{oci}, 'an empty tag in its place');
is leftovers($s), '', 'nothing is left in body, tmp and trash';

done_testing;
