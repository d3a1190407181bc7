#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What a manifest names has to be in its repository: configs, layers, children; and what need not be.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n");
my ($config, $layer) = ('{"os":"linux"}', 'a layer');
$s->push_blob('r/app', $_) for $config, $layer;
$s->push_blob('r/other', $_) for 'only there', $config;

sub put { my ($type, $text, $repo) = @_; return $s->req('PUT', '/v2/' . ($repo // 'r/app') . '/manifests/t', headers => ['Content-Type' => $type], body => $text) }

# refused_ok - one entry for each of the missing, and nothing changed
sub refused_ok {
	my ($type, $text, $missing, $title) = @_;
	my $before = $s->tree_digest;
	my $r = put($type, $text);
	error_is $r, 400, 'MANIFEST_BLOB_UNKNOWN', "$title is 400 MANIFEST_BLOB_UNKNOWN";
	my @got = map { JSON::PP->new->allow_nonref->encode($_->{detail}) =~ /(sha256:[0-9a-f]{64})/ ? $1 : 'none' } @{ ($r->json // {})->{errors} // [] };
	is_deeply [sort @got], [sort map { sha256($_) } @$missing], "$title: one entry for each that is missing, which it names";
	is $s->tree_digest, $before, "$title: nothing is changed on disk";
	return;
}

for my $t (OCI_MANIFEST, DOCKER_MANIFEST) {
	my ($short) = $t =~ /vnd\.(\w+)/;
	refused_ok($t, image_of($t, 'no config', $layer), ['no config'], "$short: a missing config");
	refused_ok($t, image_of($t, $config, 'no layer', $layer), ['no layer'], "$short: a missing layer");
	refused_ok($t, image_of($t, $config, 'no 1', $layer, 'no 2', 'no 3'), ['no 1', 'no 2', 'no 3'], "$short: three missing layers");
	refused_ok($t, image_of($t, 'no config', 'no 1', 'no 2'), ['no config', 'no 1', 'no 2'], "$short: everything missing");
	refused_ok($t, image_of($t, $config, 'only there'), ['only there'], "$short: a layer that another repository has");
	is put($t, image_of($t, $config, $layer))->status, 201, "$short: with all that it names it is taken";
	is put($t, image_of($t, $config))->status, 201, "$short: without layers it is taken";
	is put($t, image_of($t, $config, ($layer) x 3))->status, 201, "$short: the same layer three times is taken";
}
refused_ok(OCI_MANIFEST, image_of(OCI_MANIFEST, $config, map { "missing $_" } 1 .. 60), [map { "missing $_" } 1 .. 60], 'sixty missing layers');

# what is linked but not there is missing
my $gone = $s->push_blob('r/app', 'gone');
unlink blob_file($s, $gone) or die;
refused_ok(OCI_MANIFEST, image_of(OCI_MANIFEST, $config, 'gone'), ['gone'], 'a layer whose file is missing');
my $deleted = $s->push_blob('r/app', 'deleted');
is $s->req('DELETE', "/v2/r/app/blobs/$deleted")->status, 202, 'a blob is deleted';
refused_ok(OCI_MANIFEST, image_of(OCI_MANIFEST, $config, 'deleted'), ['deleted'], 'a layer that was deleted');

# children
my $oci = image_of(OCI_MANIFEST, $config, $layer);
my $docker = image_of(DOCKER_MANIFEST, $config, $layer);
put(OCI_MANIFEST, $oci);
put(DOCKER_MANIFEST, $docker);
for my $c ([OCI_INDEX, OCI_MANIFEST, $oci], [DOCKER_LIST, DOCKER_MANIFEST, $docker], [OCI_INDEX, DOCKER_MANIFEST, $docker], [DOCKER_LIST, OCI_MANIFEST, $oci]) {
	my ($type, $child, $text) = @$c;
	my ($a, $b) = map { m{vnd\.(\w+)} } $type, $child;
	is put($type, index_of($type, desc($child, $text)))->status, 201, "an index ($a) with a child ($b) that is there is taken";
	refused_ok($type, index_of($type, desc($child, $text), desc($child, "no $text")), ["no $text"], "an index ($a) with a missing child ($b)");
	refused_ok($type, index_of($type, desc($child, 'no 1'), desc($child, 'no 2')), ['no 1', 'no 2'], "an index ($a) with two missing children ($b)");
}
my $index = index_of(OCI_INDEX, desc(OCI_MANIFEST, $oci));
is put(OCI_INDEX, $index)->status, 201, 'an index is there';
is put(OCI_INDEX, index_of(OCI_INDEX, desc(OCI_INDEX, $index)))->status, 201, 'an index of an index is taken';
is put(OCI_INDEX, index_of(OCI_INDEX))->status, 201, 'an index of nothing is taken';
my $theirs = image_of(OCI_MANIFEST, $config);
is put(OCI_MANIFEST, "$theirs ", 'r/other')->status, 201, 'another repository has a manifest';
refused_ok(OCI_INDEX, index_of(OCI_INDEX, desc(OCI_MANIFEST, "$theirs ")), ["$theirs "], 'a child that another repository has');
my $as_blob = image_of(OCI_MANIFEST, $config) . "\n";
$s->push_blob('r/app', $as_blob);
refused_ok(OCI_INDEX, index_of(OCI_INDEX, desc(OCI_MANIFEST, $as_blob)), [$as_blob], 'a child that is here as a blob, not as a manifest');

# BuildKit's cache: an index of layers
my $cache = index_of(OCI_INDEX, desc(OCI_LAYER, $layer), desc('application/vnd.oci.image.layer.v1.tar+zstd', $layer), desc('application/vnd.buildkit.cacheconfig.v0', $config));
is put(OCI_INDEX, $cache)->status, 201, "an index whose children are blobs (BuildKit's cache) is taken";
is $s->req('GET', '/v2/r/app/manifests/t')->body, $cache, 'and comes back';
refused_ok(OCI_INDEX, index_of(OCI_INDEX, desc(OCI_LAYER, $layer), desc('application/vnd.buildkit.cacheconfig.v0', 'no cache')), ['no cache'], 'an index with a child of another type that is no blob of it');
refused_ok(OCI_INDEX, index_of(OCI_INDEX, desc(OCI_LAYER, $oci)), [$oci], 'a manifest that a child of another type names as a blob');

# layers that need not be there
for my $type ('application/vnd.oci.image.layer.nondistributable.v1.tar', 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
	'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd', 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip') {
	my $m = '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . desc(OCI_CONFIG, $config) . ',"layers":[' . desc($type, 'elsewhere') . ',' . desc(OCI_LAYER, $layer) . ']}';
	is put(OCI_MANIFEST, $m)->status, 201, "a layer of type $type need not be there";
	$m =~ s/\Q${\desc(OCI_LAYER, $layer)}/desc(OCI_LAYER, 'no layer')/e;
	refused_ok(OCI_MANIFEST, $m, ['no layer'], "another layer beside one of type $type");
}
my $urls = '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . desc(OCI_CONFIG, $config) . ',"layers":[' . desc(OCI_LAYER, 'elsewhere', ',"urls":["https://example.com/l"]') . ']}';
is put(OCI_MANIFEST, $urls)->status, 201, 'a layer with urls need not be there';
for my $none ('[]', 'null') {
	(my $m = $urls) =~ s/\["[^\]]*\]/$none/;
	refused_ok(OCI_MANIFEST, $m, ['elsewhere'], "a layer with urls $none has no url, and");
}
for my $type ('application/vnd.oci.image.layer.nondistributable.v1.tar+xz', 'application/vnd.oci.image.layer.v1.tar', 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzipx') {
	refused_ok(OCI_MANIFEST, '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . desc(OCI_CONFIG, $config) . ',"layers":[' . desc($type, 'elsewhere') . ']}',
		['elsewhere'], "a layer of type $type");
}
is put(OCI_MANIFEST, '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . desc(OCI_CONFIG, $config) . ',"layers":[],"subject":' . desc(OCI_MANIFEST, 'nowhere') . '}')->status,
	201, 'a subject need not be there';
is leftovers($s), '', 'nothing is left in body, tmp and trash';

done_testing;
