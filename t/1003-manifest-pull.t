#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# GET and HEAD of manifests, by tag and by digest.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start;
my ($layer, $config) = ('layer one', '{"os":"linux"}');
$s->push_blob('lib/app', $_) for $layer, $config;
my %type = (oci => OCI_MANIFEST, docker => DOCKER_MANIFEST);
my (%text, %digest);
for my $t (sort keys %type) {
	$text{$t} = image_of($type{$t}, $config, $layer) . "\n \n";
	$digest{$t} = sha256($text{$t});
	my $r = $s->req('PUT', "/v2/lib/app/manifests/$t", headers => ['Content-Type' => $type{$t}], body => $text{$t});
	is $r->status, 201, "a manifest of type $t is pushed";
}

for my $t (sort keys %type) {
	for my $ref ($t, $digest{$t}) {
		my $what = $ref eq $t ? "by tag ($t)" : "by digest ($t)";
		my %want = ('Content-Type' => $type{$t}, 'Content-Length' => length $text{$t}, 'Docker-Content-Digest' => $digest{$t},
			'Etag' => qq("$digest{$t}"), 'Docker-Distribution-Api-Version' => 'registry/2.0',
			'X-Content-Type-Options' => 'nosniff', 'Content-Encoding' => undef);
		my $r = $s->req('GET', "/v2/lib/app/manifests/$ref");
		is $r->status, 200, "GET $what is 200";
		is $r->body, $text{$t}, "GET $what gives the bytes that were pushed, white space too";
		headers_are $r, \%want, "GET $what has type, length, digest and ETag";
		$r = $s->req('HEAD', "/v2/lib/app/manifests/$ref");
		is $r->status, 200, "HEAD $what is 200";
		is bytes_after_head($s, 'HEAD', "/v2/lib/app/manifests/$ref"), '', "HEAD $what has no body";
		headers_are $r, \%want, "HEAD $what has the headers of GET";
		ok defined $r->header('Date'), "HEAD $what has a Date";
	}
}

# Accept never hides and never converts
my $d = $digest{docker};
for my $accept ([DOCKER_MANIFEST], [OCI_MANIFEST], ['text/html'], ['application/json'], [OCI_INDEX, DOCKER_LIST],
	['application/vnd.docker.distribution.manifest.v1+prettyjws'], ['nonsense'], ['*/*;q=0']) {
	my $r = $s->req('GET', '/v2/lib/app/manifests/docker', headers => [map { (Accept => $_) } @$accept]);
	is $r->body, $text{docker}, "Accept: @$accept gets the stored manifest";
	is $r->header('Content-Type'), DOCKER_MANIFEST, "Accept: @$accept gets the stored type";
}

# If-None-Match
my %hit = (
	'quoted' => [qq("$d")], 'bare' => [$d], 'weak' => [qq(W/"$d")], 'a star' => ['*'],
	'in a list' => [qq("sha256:abc", "$d", "x")], 'last in a list without blanks' => [qq("a","$d")],
	'weak in a list' => [qq(W/"x", W/"$d")],
);
for my $form (sort keys %hit) {
	for my $m (qw(GET HEAD)) {
		for my $ref ('docker', $d) {
			my $r = $s->req($m, "/v2/lib/app/manifests/$ref", headers => [map { ('If-None-Match' => $_) } @{ $hit{$form} }]);
			my $by = $ref eq $d ? 'digest' : 'tag';
			is $r->status, 304, "If-None-Match with the digest, $form: $m by $by is 304";
			is bytes_after_head($s, $m, "/v2/lib/app/manifests/$ref", 'If-None-Match' => $hit{$form}[-1]), '', "the 304 to $m by $by ($form) has no body";
			is $r->header('Etag'), qq("$d"), "the 304 to $m by $by ($form) has the ETag";
			is common_fault($r), '', "the 304 to $m by $by ($form) carries the common headers";
		}
	}
}
for my $miss (qq("$digest{oci}"), '"abc"', 'sha256:', '""', substr($d, 0, -1), "x$d", qq("${d}0")) {
	my $r = $s->req('GET', '/v2/lib/app/manifests/docker', headers => ['If-None-Match' => $miss]);
	is $r->status, 200, "If-None-Match: $miss is another digest: 200";
	is $r->body, $text{docker}, "If-None-Match: $miss gets the manifest";
}
error_is $s->req('GET', '/v2/lib/app/manifests/nope', headers => ['If-None-Match' => '*']), 404, 'MANIFEST_UNKNOWN',
	'If-None-Match: * on an unknown manifest is 404';

# Unknown
my $none = sha256('never pushed');
for my $m (qw(GET HEAD)) {
	for my $c (['an unknown tag', "lib/app/manifests/none"], ['an unknown digest', "lib/app/manifests/$none"],
		['an unknown repository by tag', 'lib/none/manifests/docker'], ['an unknown repository by digest', "lib/none/manifests/$d"],
		['a parent that is no repository', 'lib/manifests/docker'],
		['a layer asked for as a manifest', 'lib/app/manifests/' . sha256($layer)],
		['a tag with a leading dot', 'lib/app/manifests/.docker'], ['a tag with a leading dash', 'lib/app/manifests/-docker'],
		['a tag of 129 bytes', 'lib/app/manifests/' . 'a' x 129], ['a tag with a plus', 'lib/app/manifests/a+b'],
		['a tag with a blank', 'lib/app/manifests/a%20b'], ['a tag that differs in case', 'lib/app/manifests/Docker']) {
		my $r = $s->req($m, "/v2/$c->[1]");
		if ($m eq 'GET') {
			error_is $r, 404, 'MANIFEST_UNKNOWN', "GET of $c->[0] is 404 MANIFEST_UNKNOWN";
		} else {
			is $r->status, 404, "HEAD of $c->[0] is 404";
			is bytes_after_head($s, 'HEAD', "/v2/$c->[1]"), '', "HEAD of $c->[0] has no body";
		}
	}
}
error_is $s->req('GET', '/v2/lib/app/manifests/none'), 404, 'MANIFEST_UNKNOWN', 'the detail names the tag', qr/none/;
error_is $s->req('GET', "/v2/lib/app/manifests/$none"), 404, 'MANIFEST_UNKNOWN', 'the detail names the digest', qr/\Q$none/;

# References with a colon that are no digest
(my $hex = $d) =~ s/.*://;
for my $bad ('sha256:', 'sha256:abc', "sha256:${hex}0", 'sha256:' . substr($hex, 1), 'sha256:' . uc $hex, "SHA256:$hex", "md5:$hex",
	"sha1:$hex", ":$hex", 'a:b', "sha256::$hex", 'sha512:' . 'a' x 127, "sha512:$hex", 'sha256:' . 'g' x 64, "sha256+b64:$hex",
	'sha512:' . 'a' x 129, 'sha512:' . 'A' x 128) {
	error_is $s->req('GET', "/v2/lib/app/manifests/$bad"), 400, 'DIGEST_INVALID', 'GET of ' . substr($bad, 0, 24) . ' (' . length($bad) . ' bytes) is 400 DIGEST_INVALID';
}
error_is $s->req('GET', '/v2/lib/app/manifests/sha512:' . 'a' x 128), 404, 'MANIFEST_UNKNOWN', 'a sha512 digest that nobody pushed is 404 MANIFEST_UNKNOWN';
error_is $s->req('PUT', '/v2/lib/app/manifests/a:b', headers => ['Content-Type' => OCI_MANIFEST], body => $text{oci}), 400, 'DIGEST_INVALID',
	'PUT with a colon in the reference is 400 DIGEST_INVALID';

# A tag follows the last push
$s->req('PUT', '/v2/lib/app/manifests/moving', headers => ['Content-Type' => $type{$_}], body => $text{$_}) for qw(oci docker);
is $s->req('HEAD', '/v2/lib/app/manifests/moving')->header('Docker-Content-Digest'), $d, 'a tag names what was pushed to it last';
is $s->req('GET', "/v2/lib/app/manifests/$digest{oci}")->body, $text{oci}, 'what it named before is still there by digest';
is $s->req('GET', '/v2/lib/app/manifests/moving?ns=docker.io')->body, $text{docker}, 'unknown parameters are ignored';

done_testing;
