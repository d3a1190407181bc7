#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Manifests that are no container images: artifacts, caches, layers that lie elsewhere.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n");
use constant EMPTY => 'application/vnd.oci.empty.v1+json';
my %blob = map { $_ => $s->push_blob('art/app', $_) } '{}', 'chart', 'layer', 'sbom';
sub put { my ($text, $type, %o) = @_; return $s->req('PUT', "/v2/art/app/manifests/" . ($o{ref} // 'tag'), headers => [defined $type ? ('Content-Type' => $type) : ()], body => $text) }
sub kept_ok {
	my ($text, $type, $title, $header) = @_;
	my $r = put($text, $header // $type);
	is $r->status, 201, "$title: 201" or diag $r->body;
	my $g = $s->req('GET', '/v2/art/app/manifests/tag');
	ok $g->body eq $text, "$title: exactly these bytes come back";
	is $g->header('Content-Type'), $type, "$title: with the type";
	return;
}
sub oci { my ($config, $layers, $more) = @_; return '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . qq(","config":$config,"layers":[$layers]) . ($more // '') . '}' }

# config of any type, artifactType, empty descriptors, data
kept_ok(oci(desc('application/vnd.cncf.helm.config.v1+json', '{}'), desc('application/vnd.cncf.helm.chart.content.v1.tar+gzip', 'chart')), OCI_MANIFEST, 'a Helm chart');
kept_ok(oci(desc('text/plain', '{}'), desc('application/x-anything', 'sbom')), OCI_MANIFEST, 'config and layer of types that nobody knows');
kept_ok(oci(desc(EMPTY, '{}'), desc(EMPTY, '{}'), ',"artifactType":"application/vnd.example.thing"'), OCI_MANIFEST, 'an artifact of empty descriptors');
kept_ok(oci(desc(EMPTY, '{}', ',"data":"e30="'), desc(EMPTY, '{}', ',"data":"e30="'), ',"artifactType":"application/vnd.example.thing"'), OCI_MANIFEST, 'empty descriptors with their data');
kept_ok(oci(desc(EMPTY, '{}', ',"data":"e30="'), desc('text/plain', 'sbom', ',"data":"c2JvbQ==","annotations":{"title":"sbom.json"},"artifactType":"a/b"')), OCI_MANIFEST, 'a descriptor with data, annotations and artifactType');
kept_ok(oci(desc(OCI_CONFIG, '{}'), '', ',"annotations":{"org.example.Key":"v","ORG.example.key":"w","":"empty"}'), OCI_MANIFEST, 'annotations whose keys differ in case');
kept_ok(oci(desc(EMPTY, '{}'), desc('text/plain', 'sbom'), ',"artifactType":"application/vnd.example.thing","somethingNew":{"a":[1,2.5,null,true]}'), OCI_MANIFEST, 'members that nobody defined');
kept_ok('{"schemaVersion":2,"mediaType":"' . OCI_INDEX . '","artifactType":"application/vnd.example.set","manifests":[],"annotations":{"a":"b"}}', OCI_INDEX, 'an index with an artifactType and nothing in it');
error_is put(oci(desc(EMPTY, 'not here', ',"data":"bm90IGhlcmU="'), ''), OCI_MANIFEST), 400, 'MANIFEST_BLOB_UNKNOWN', 'data in a descriptor does not stand for the blob';
error_is put(oci(desc(EMPTY, '{}', ',"data":5'), ''), OCI_MANIFEST), 400, 'MANIFEST_INVALID', 'data that is a number is 400 MANIFEST_INVALID';
error_is put(oci(desc(EMPTY, '{}'), '', ',"artifactType":7'), OCI_MANIFEST), 400, 'MANIFEST_INVALID', 'artifactType that is a number is 400 MANIFEST_INVALID';
error_is put(oci(desc(EMPTY, '{}'), '', ',"subject":"sha256:abc"'), OCI_MANIFEST), 400, 'MANIFEST_INVALID', 'a subject that is a string is 400 MANIFEST_INVALID';
kept_ok(oci(desc(EMPTY, '{}'), '', ',"subject":null'), OCI_MANIFEST, 'a subject that is null');
is put(oci(desc(EMPTY, '{}'), '', ',"subject":null'), OCI_MANIFEST)->header('OCI-Subject'), undef, 'a subject that is null is none';

# parameters after the type
for my $p (';charset=utf-8', '; charset="utf-8"', ' ; a=b; c=d', ';') {
	kept_ok(oci(desc(EMPTY, '{}'), desc('text/plain', 'sbom')), OCI_MANIFEST, "a type followed by '$p'", OCI_MANIFEST . $p);
	kept_ok('{"schemaVersion":2,"mediaType":"' . OCI_INDEX . '","manifests":[]}', OCI_INDEX, "an index type followed by '$p'", OCI_INDEX . $p);
}
error_is put(oci(desc(EMPTY, '{}'), ''), OCI_INDEX . '; x=' . OCI_MANIFEST), 400, 'MANIFEST_INVALID', 'a parameter does not stand for the type';

# layers that lie elsewhere
my @nd = map { "application/vnd.oci.image.layer.nondistributable.v1.tar$_" } '', '+gzip', '+zstd';
for my $t (@nd) {
	kept_ok(oci(desc(OCI_CONFIG, '{}'), desc($t, 'far away') . ',' . desc(OCI_LAYER, 'layer')), OCI_MANIFEST, "a layer of type $t that is not here");
}
my $foreign = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';
my $windows = image_of(DOCKER_MANIFEST, '{}', 'layer') =~ s/"layers":\[/'"layers":[' . desc($foreign, 'windows base', ',"urls":["https:\/\/example.com\/base"]') . ','/er;
kept_ok($windows, DOCKER_MANIFEST, 'a foreign layer of Docker with urls');
kept_ok(oci(desc(OCI_CONFIG, '{}'), desc(OCI_LAYER, 'elsewhere', ',"urls":["https://example.com/layer"]')), OCI_MANIFEST, 'an ordinary layer with urls that is not here');
error_is put(oci(desc(OCI_CONFIG, '{}'), desc(OCI_LAYER, 'elsewhere', ',"urls":[]')), OCI_MANIFEST), 400, 'MANIFEST_BLOB_UNKNOWN', 'an ordinary layer with an empty list of urls must be here';
error_is put(oci(desc(OCI_CONFIG, '{}'), desc("$nd[0]x", 'far away')), OCI_MANIFEST), 400, 'MANIFEST_BLOB_UNKNOWN', 'a layer whose type only begins like a non-distributable one must be here';
error_is put(oci(desc($nd[0], 'config elsewhere'), ''), OCI_MANIFEST), 400, 'MANIFEST_BLOB_UNKNOWN', 'a config must be here whatever its type';

# the index that BuildKit's registry cache pushes: layers and a config in the place of manifests
my $cache_config = '{"layers":[{"blob":"sha256:0"}],"records":[]}';
$s->push_blob('art/app', $cache_config);
for my $c ([OCI_INDEX, OCI_LAYER], [DOCKER_LIST, 'application/vnd.docker.image.rootfs.diff.tar.gzip']) {
	my ($type, $layer) = @$c;
	my $index = index_of($type, desc($layer, 'layer', ',"annotations":{"buildkit/createdat":"2024-01-01T00:00:00Z","containerd.io/uncompressed":"sha256:aa"}'), desc('application/vnd.buildkit.cacheconfig.v0', $cache_config));
	kept_ok($index, $type, 'the index of a build cache, ' . ($type eq OCI_INDEX ? 'OCI' : 'Docker'));
	error_is put(index_of($type, desc($layer, 'no such layer')), $type), 400, 'MANIFEST_BLOB_UNKNOWN', 'a layer in it that is not here is 400 MANIFEST_BLOB_UNKNOWN';
	error_is put(index_of($type, desc(OCI_MANIFEST, 'layer')), $type), 400, 'MANIFEST_BLOB_UNKNOWN', 'a blob that calls itself a manifest in it is 400 MANIFEST_BLOB_UNKNOWN';
}

# one entry for each that is missing
my $r = put(oci(desc(OCI_CONFIG, 'miss0'), join(',', map { desc(OCI_LAYER, "miss$_") } 1 .. 5) . ',' . desc(OCI_LAYER, 'layer')), OCI_MANIFEST);
error_is $r, 400, 'MANIFEST_BLOB_UNKNOWN', 'six blobs that are missing are 400';
is scalar($r->codes), 6, 'with one entry for each';
ok $r->body =~ /\Q${\sha256("miss$_")}/, "the entry for missing blob $_ names it" for 0 .. 5;

done_testing;
