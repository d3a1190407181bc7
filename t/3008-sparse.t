#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The setting manifests.sparse: what may be missing.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $index = index_of(OCI_INDEX, desc(OCI_MANIFEST, 'no child'), desc(OCI_MANIFEST, 'no other child'));
my $cache = index_of(OCI_INDEX, desc(OCI_LAYER, 'no layer'));
my $image = image_of(OCI_MANIFEST, 'no config', 'no layer');
my $half = image_of(OCI_MANIFEST, '{}', 'no layer');
my %want = (
	refuse => { index => 400, cache => 400, image => 400, half => 400 },
	index => { index => 201, cache => 201, image => 400, half => 400 },
	all => { index => 201, cache => 201, image => 201, half => 201 },
);
my %text = (index => $index, cache => $cache, image => $image, half => $half);

for my $sparse ('refuse', 'index', 'all') {
	my $s = Berth::Server->start(config => qq(manifests: { sparse = "$sparse"; };\n), workers => 1);
	$s->push_blob('sp/app', '{}');
	for my $k (sort keys %text) {
		my ($type) = $text{$k} =~ /"mediaType":"([^"]*)"/;
		my $r = $s->req('PUT', "/v2/sp/app/manifests/$k", headers => ['Content-Type' => $type], body => $text{$k});
		if ($want{$sparse}{$k} == 201) {
			is $r->status, 201, "sparse = \"$sparse\": $k with missing parts is taken" or diag $r->body;
			is $s->req('GET', "/v2/sp/app/manifests/$k")->body, $text{$k}, "sparse = \"$sparse\": $k is served";
		} else {
			error_is $r, 400, 'MANIFEST_BLOB_UNKNOWN', "sparse = \"$sparse\": $k with missing parts is 400 MANIFEST_BLOB_UNKNOWN";
			is $s->req('GET', "/v2/sp/app/manifests/$k")->status, 404, "sparse = \"$sparse\": $k is not stored";
		}
	}
	error_is $s->req('PUT', '/v2/sp/app/manifests/bad', headers => ['Content-Type' => OCI_INDEX], body => '{}'), 400, 'MANIFEST_INVALID',
		"sparse = \"$sparse\": what is invalid stays invalid";
	$s->stop;
}

done_testing;
