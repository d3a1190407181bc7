#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Requests that must be refused, each with its status and code; none of them changes anything on disk or costs much memory.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n");
my ($d, $text) = $s->push_image('bad/app', 'one', layers => ['layer']);
my ($other_d) = $s->push_image('other/app', 'one', layers => ['other layer']);
my ($layer, $other_layer) = (sha256('layer'), sha256('other layer'));
my ($loc, $other_loc) = map { upload_start($s, $_) } 'bad/app', 'other/app';
my ($uuid, $other_uuid) = map { m{([^/]+)$} } $loc, $other_loc;
is $s->req('PATCH', $loc, body => '0123456789')->header('Range'), '0-9', 'an upload with ten bytes';
is $s->req('PATCH', $other_loc, body => '0123456789')->header('Range'), '0-9', 'another in another repository';

# The table: [status, code, method, path, options of req()]. The body of a PUT or PATCH is a good one unless given.
my @table;
sub refuse {
	my ($status, $code, $method, $path, %o) = @_;
	if (!exists $o{body}) {
		$o{body} = $path =~ m{/manifests/} ? $text : 'abc' if $method eq 'PUT' || $method eq 'PATCH' || $method eq 'POST' && $path =~ /[?&]digest=/;
		$o{headers} = ['Content-Type' => DOCKER_MANIFEST, @{ $o{headers} // [] }] if $path =~ m{/manifests/} && $method eq 'PUT';
	}
	push @table, [$status, $code, $method, $path, \%o];
}

# 1. What stands at the end of a path: dot segments, slashes and control bytes are told from the path alone; what is no
# percent-encoding nginx refuses; anything else fails the grammar of its place.
my @segments = ('.', '..', '%2e', '%2e%2e', '%2E%2E', '.%2e', '%2e.', '..%2f', '..%2F', '%2e%2e%2f..', '..%2f..%2f..%2fetc', 'x%2fy', '%2f', '%2fetc', '%0a', '%0d%0aX:y', '%09', '%01', '%1f', '%7f', 'x%0a');
my @malformed = ('%', '%2', '%zz', 'x%', '%u002e%u002e', '%00', 'x%00', '%00x', 'one%00.json', '..%00', '%%30');
my @foreign = ('..%5c', '..\\', '..;x', '...', '%252e%252e', '%252e%252e%252fx', '%2500', '%25', '%c0%ae%c0%ae', '%c0%af', '%c1%9c', '%e0%80%ae%e0%80%ae', '%f0%80%80%ae', '%f8%80%80%80%ae', '%ff%fe', '%80', '%ed%a0%80',
	'%ef%bc%8e%ef%bc%8e', "\xc0\xae\xc0\xae", '%20', 'x%20', '~', '%3b', '*', '%3f', '%23', '@', '%22', '<x>', '$(x)', '{}');
for my $place (['GET', '/v2/bad/app/manifests/', 404, 'MANIFEST_UNKNOWN'], ['PUT', '/v2/bad/app/manifests/', 400, 'TAG_INVALID'], ['DELETE', '/v2/bad/app/manifests/', 404, 'MANIFEST_UNKNOWN'],
	['GET', '/v2/bad/app/blobs/', 400, 'DIGEST_INVALID'], ['DELETE', '/v2/bad/app/blobs/', 400, 'DIGEST_INVALID'], ['GET', '/v2/bad/app/referrers/', 400, 'DIGEST_INVALID'],
	['GET', '/v2/bad/app/blobs/uploads/', 404, 'BLOB_UPLOAD_UNKNOWN'], ['PATCH', '/v2/bad/app/blobs/uploads/', 404, 'BLOB_UPLOAD_UNKNOWN'], ['PUT', '/v2/bad/app/blobs/uploads/', 404, 'BLOB_UPLOAD_UNKNOWN', "?digest=$layer"], ['DELETE', '/v2/bad/app/blobs/uploads/', 404, 'BLOB_UPLOAD_UNKNOWN']) {
	my ($method, $path, $status, $code, $query) = @$place;
	$query //= '';
	refuse(400, 'NAME_INVALID', $method, "$path$_$query") for @segments;
	refuse(400, 'UNSUPPORTED', $method, "$path$_$query") for @malformed;
	refuse($status, $code, $method, "$path$_$query") for @foreign;
}

# 2. The same in the name of a repository; there a dot segment may lead out of /v2/, where nothing is.
for my $place (['GET', '/manifests/one'], ['PUT', '/manifests/new'], ['GET', '/tags/list'], ['POST', '/blobs/uploads/'], ['GET', "/blobs/$layer"], ['GET', "/referrers/$d"]) {
	my ($method, $end) = @$place;
	refuse(400, 'NAME_INVALID', $method, "/v2/bad/$_/app$end") for grep { !/%2f/i } @segments, @foreign;
	refuse(400, 'NAME_INVALID', $method, "/v2/bad/x$_$end") for grep { !/^\.*$|^%2e|%2f/i } @foreign;
	refuse(400, 'UNSUPPORTED', $method, "/v2/bad/$_/app$end") for @malformed;
	refuse(400, 'NAME_INVALID', $method, "/v2/$_$end") for 'Bad/app', 'bad/App', 'bad//app', '/bad/app', 'bad/app/', '_bad/app', 'bad_/app', 'bad/-app', 'bad/app.', 'bad..app', 'bad___app', 'a' x 256, 'a/' x 128 . 'a', "b\xc3\xa4d/app";
	refuse(400, 'NAME_INVALID', $method, $_) for "/v2%2fbad/app$end", "/v2/bad/app" . ($end =~ s{^/}{%2f}r), "/v2/bad/app" . ($end =~ s{/(?=[^/]*$)}{%2F}r), "/v2/bad%2f%2fapp$end", "/v2/%2fbad/app$end", "/v2/bad%2f..%2fapp$end";
	refuse(404, undef, $method, "/v2/..$end");
	refuse(404, undef, $method, "/v2/bad/../../app$end");
	refuse(400, undef, $method, "/v2/../../..$end");
}

# 3. Digests, everywhere a client may write one
my $hex = substr $layer, 7;
my @digests = ('sha256:' . uc $hex, 'SHA256:' . $hex, 'Sha256:' . $hex, 'sha256:' . substr($hex, 1), "sha256:${hex}0", "sha512:$hex", 'sha256:' . $hex x 2, 'sha256:', 'sha512:', ":$hex", 'sha256:' . 'g' x 64, "sha1:" . substr($hex, 0, 40), 'md5:' . substr($hex, 0, 32),
	"sha256::$hex", "sha256:$hex:", "sha256:$hex,", "sha256+b64:$hex", "sha384:$hex" . substr($hex, 0, 32), "sha256:${hex}%20", "%20sha256:$hex", "blake3:$hex", 'sha256:' . '%EF%BC%90' x 64, 'sha256:../../../../../../etc/passwd' =~ s{/}{%252f}gr, 'sha256:' . 'a' x 5000);
for my $digest (@digests) {
	refuse(400, 'DIGEST_INVALID', 'GET', "/v2/bad/app/blobs/$digest");
	refuse(400, 'DIGEST_INVALID', 'DELETE', "/v2/bad/app/blobs/$digest");
	refuse(400, 'DIGEST_INVALID', 'GET', "/v2/bad/app/referrers/$digest");
	refuse(400, 'DIGEST_INVALID', $_, "/v2/bad/app/manifests/$digest") for 'GET', 'PUT', 'DELETE';
	refuse(400, 'DIGEST_INVALID', 'PUT', "$loc?digest=$digest");
	refuse(400, 'DIGEST_INVALID', 'POST', "/v2/bad/app/blobs/uploads/?digest=$digest");
	refuse(400, 'DIGEST_INVALID', 'POST', "/v2/bad/app/blobs/uploads/?mount=$digest&from=other/app");
}
for my $digest ('', '%00', "$layer%00", '%zz', '%', "$layer%0a", "..%2f..%2f$hex", $hex, 'one') {
	refuse(400, 'DIGEST_INVALID', 'PUT', "$loc?digest=$digest");
	refuse(400, 'DIGEST_INVALID', 'POST', "/v2/bad/app/blobs/uploads/?digest=$digest");
	refuse(400, 'DIGEST_INVALID', 'POST', "/v2/bad/app/blobs/uploads/?mount=$digest&from=other%2Fapp");
}
refuse(400, 'DIGEST_INVALID', 'PUT', $loc);
refuse(400, 'DIGEST_INVALID', 'PUT', "$loc?Digest=$layer");
refuse(400, 'DIGEST_INVALID', 'PUT', "$loc?digest=x&digest=$layer");
refuse(400, 'DIGEST_INVALID', 'POST', "/v2/bad/app/blobs/uploads/?digest-algorithm=$_") for 'md5', 'SHA256', '', 'sha256%00', 'sha-256', 'sha1', 'sha256,sha512', '%zz', 'x' x 4000;

# 4. Digests of something else
refuse(400, 'DIGEST_INVALID', 'PUT', "/v2/bad/app/manifests/$_") for $other_d, $layer, EMPTY_DIGEST, sha512('x');
refuse(400, 'DIGEST_INVALID', 'POST', "/v2/bad/app/blobs/uploads/?digest=$_", body => 'something else') for $layer, $d, EMPTY_DIGEST, sha512('x');
refuse(404, 'MANIFEST_UNKNOWN', $_, "/v2/bad/app/manifests/$layer") for 'GET', 'DELETE';
refuse(404, 'MANIFEST_UNKNOWN', $_, "/v2/bad/app/manifests/$other_d") for 'GET', 'DELETE';
refuse(404, 'BLOB_UNKNOWN', $_, "/v2/bad/app/blobs/$other_layer") for 'GET', 'DELETE';
refuse(404, 'BLOB_UNKNOWN', $_, "/v2/bad/app/blobs/$other_d") for 'GET', 'DELETE';
refuse(404, 'BLOB_UNKNOWN', 'DELETE', "/v2/bad/app/blobs/$d");
refuse(404, undef, $_->[0], "/v2/no/such$_->[1]") for ['GET', '/tags/list'], ['GET', '/manifests/one'], ['DELETE', '/manifests/one'], ['GET', "/blobs/$layer"], ['DELETE', "/blobs/$layer"], ['GET', "/blobs/uploads/$uuid"];

# 5. Numbers of entries, and where to begin
for my $list ('/v2/_catalog', '/v2/bad/app/tags/list') {
	refuse(400, 'PAGINATION_NUMBER_INVALID', 'GET', "$list?n=$_") for '-1', '-0', '+1', '%2B1', '1.5', '1.0', '1e3', '0x10', '%201', '1%20', 'one', '18446744073709551616', '9' x 40, '9' x 4000, '1,2', '1%002', '%00', '%zz', '%', '1%0a', 'NaN', 'null', 'true', '[]', '1;2', '%EF%BC%91', '%D9%A1', '1_000', '-9223372036854775808', '%2d1';
	refuse(400, 'PAGINATION_NUMBER_INVALID', 'GET', "$list?n=x&n=1");
	refuse(400, 'PAGINATION_NUMBER_INVALID', 'GET', "$list?last=%00&n=x");
	refuse(400, 'NAME_INVALID', 'GET', "$list?last=$_") for '%00', 'a%00b', 'a%00', '%0a', 'a%0d%0ab', '%1f', '%7f', '%09', '%zz', '%', 'a%2';
	refuse(400, 'NAME_INVALID', 'GET', "$list?n=1&last=%01&last=a");
}

# 6. Tags by parameter: one that is none, and none is set
my @tags = ('', '.x', '-x', 'a/b', 'a%2fb', '..', '%2e%2e', 'a:b', 'x' x 129, 'a+b', 'a%20b', '%00', 'a%00', '%zz', '%', "\xc3\xa4", '*', 'a,b', 'a%0a', '@', $layer);
for my $tag (@tags) {
	refuse(400, 'TAG_INVALID', 'PUT', "/v2/bad/app/manifests/$d?tag=$tag");
	refuse(400, 'TAG_INVALID', 'PUT', "/v2/bad/app/manifests/$d?tag=new&tag=$tag");
}
refuse(414, undef, 'PUT', "/v2/bad/app/manifests/$d?" . join '&', map { "tag=t$_" } 1 .. 65);
refuse(414, undef, 'PUT', "/v2/bad/app/manifests/$d?" . join '&', map { "tag=t$_" } 1 .. 2000);

# 7. Uploads that are not there, or not here
for my $m ('GET', 'PATCH', 'PUT', 'DELETE') {
	my $q = $m eq 'PUT' ? "?digest=$layer" : '';
	refuse(404, 'BLOB_UPLOAD_UNKNOWN', $m, "/v2/bad/app/blobs/uploads/$_$q") for $other_uuid, uc $uuid, "${uuid}0", substr($uuid, 1), '00000000-0000-4000-8000-000000000000', '0' x 36, $uuid =~ s/-//gr, "{$uuid}", 'x' x 5000;
	refuse(404, 'BLOB_UPLOAD_UNKNOWN', $m, "/v2/bad/$_/blobs/uploads/$uuid$q") for 'app2', 'app/sub';
	refuse(404, undef, $m, "/v2/bad/app/blobs/uploads/$uuid/$_$q") for '', 'data', 'startedat';
}

# 8. Content-Range
for my $m ('PATCH', 'PUT') {
	my $q = $m eq 'PUT' ? "?digest=$layer" : '';
	refuse(416, 'RANGE_INVALID', $m, "$loc$q", headers => ['Content-Range' => $_]) for 'bytes 10-12/12', 'bytes:10-12', '10-', '-12', '10', 'a-b', '12-10', '0x0a-0x0c', '10-12,13-14', '10-12/', '+10-12', '10--12', '-1-12', '10.0-12.0', '1e1-12',
		'18446744073709551616-18446744073709551618', '10-18446744073709551615', '10-99999999999999999999', "10\xe2\x80\x9312", '9' x 4000, '10-12;', '10-12 x';
	refuse(416, 'RANGE_INVALID', $m, "$loc$q", headers => ['Content-Range' => $_]) for '0-2', '9-11', '11-13', '10-11', '10-13', '20-22', '0-12', '18446744073709551612-18446744073709551614', '10-18446744073709551614', '00000000000000000000000000000000-2';
	refuse(400, undef, $m, "$loc$q", headers => ['Content-Range' => '10-12', 'Content-Range' => '10-12']);
}

# 9. Methods and paths that are none
refuse(405, 'UNSUPPORTED', @$_) for ['POST', '/v2/'], ['PUT', '/v2/_catalog', body => ''], ['DELETE', '/v2/_catalog'], ['POST', '/v2/bad/app/tags/list'], ['DELETE', '/v2/bad/app/tags/list'], ['PATCH', '/v2/bad/app/manifests/one'], ['POST', '/v2/bad/app/manifests/one'],
	['PUT', "/v2/bad/app/blobs/$layer", body => 'layer'], ['POST', "/v2/bad/app/blobs/$layer"], ['PATCH', "/v2/bad/app/blobs/$layer"], ['GET', '/v2/bad/app/blobs/uploads/'], ['DELETE', '/v2/bad/app/blobs/uploads/'], ['PUT', '/v2/bad/app/blobs/uploads/'], ['POST', $loc], ['PUT', "/v2/bad/app/referrers/$d", body => ''],
	['TRACE', '/v2/'], ['PROPFIND', '/v2/bad/app/tags/list'], ['FOO', '/v2/bad/app/manifests/one'], ['MKCOL', '/v2/bad/app/tags/list'], ['MOVE', '/v2/bad/app/manifests/one'], ['X' x 1000, '/v2/_catalog'];
refuse(404, undef, 'GET', $_) for '/v2/bad', '/v2/bad/app', '/v2/bad/app/', '/v2/bad/app/tags', '/v2/bad/app/tags/', '/v2/bad/app/tags/list/', '/v2/bad/app/manifests', '/v2/bad/app/manifests/', '/v2/bad/app/blobs', '/v2/bad/app/blobs/', '/v2/_catalog/', '/v2/_catalog/x', '/v2//', '/v2/manifests/one', '/v2/tags/list', '/v1/', '/v2x', '/_berth/request',
	'/_berth/precheck', "/_berth/blobs/sha256/$hex", '/%5fberth/request', '/_berth/error/404', '/docker/registry/v2/', '/nginx.conf', '/v2/bad/app/_manifests/tags/one/current/link', '/v3/', '/v2/bad/app/blobs/uploads/x/y/z';

# 10. Preconditions
refuse(412, 'DENIED', 'PUT', '/v2/bad/app/manifests/one', headers => ['If-None-Match' => '*']);
refuse(412, 'DENIED', 'PUT', '/v2/bad/app/manifests/new', headers => ['If-Match' => "\"$d\""]);
refuse(412, 'DENIED', $_, '/v2/bad/app/manifests/one', headers => ['If-Match' => "\"$other_d\""]) for 'PUT', 'DELETE';
refuse(412, 'DENIED', $_, '/v2/bad/app/manifests/one', headers => ['If-Match' => '"' . 'x' x 20_000 . '"']) for 'PUT', 'DELETE';

# 11. What is large: 10,000 parameters, lines and headers at and over their limits
refuse(414, undef, 'GET', '/v2/_catalog?' . join '&', map { "p$_=1" } 1 .. 10_000);
refuse(400, 'PAGINATION_NUMBER_INVALID', 'GET', '/v2/_catalog?' . 'a&' x 10_000 . 'n=x');
refuse(400, 'PAGINATION_NUMBER_INVALID', 'GET', '/v2/bad/app/tags/list?' . '&' x 20_000 . 'n=-1');
refuse(400, 'DIGEST_INVALID', 'PUT', "$loc?" . '=&' x 10_000 . 'digest=x');
refuse(400, 'TAG_INVALID', 'PUT', "/v2/bad/app/manifests/$d?" . 'x&' x 10_000 . 'tag=.');
refuse(400, 'DIGEST_INVALID', 'POST', '/v2/bad/app/blobs/uploads/?' . 'digest=x&' x 3000);
refuse(400, 'NAME_INVALID', 'GET', '/v2/' . 'a/' x 14_000 . 'tags/list');
refuse(404, 'MANIFEST_UNKNOWN', 'GET', '/v2/bad/app/manifests/' . 'a' x 32_000);
refuse(400, 'TAG_INVALID', 'PUT', '/v2/bad/app/manifests/' . '%61' x 10_000);
refuse(400, 'NAME_INVALID', 'GET', '/v2/' . '/' x 30_000 . 'tags/list');
refuse(414, undef, 'GET', '/v2/_catalog?last=' . 'a' x 74_000);
refuse(404, undef, 'GET', '/v2/bad/app/manifests/none', headers => [map { ("X-$_" => 'x' x 10_000) } 1 .. 5]);
refuse(404, undef, 'GET', '/v2/bad/app/manifests/none', headers => [map { ("X-$_" => 'y') } 1 .. 500]);
refuse(400, undef, 'GET', '/v2/_catalog', headers => ['X-Large' => 'x' x 74_000]);
refuse(431, undef, 'GET', '/v2/_catalog', headers => ['X-Large' => 'x' x 70_000]);
refuse(431, undef, 'GET', '/v2/_catalog', headers => [map { ("X-$_" => 'x' x 30_000) } 1 .. 6]);
refuse(431, undef, 'PUT', '/v2/bad/app/manifests/new', headers => [map { ("X-$_" => 'x' x 30_000) } 1 .. 3]);
refuse(431, undef, 'PATCH', $loc, headers => ['X-A' => 'x' x 70_000]);
refuse(400, undef, 'PATCH', $loc, headers => ['X-A' => 'x' x 74_000]);

# 12. Manifests
sub obj { return '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . ($_[1] // desc(OCI_CONFIG, 'layer')) . ',"layers":[]' . ($_[0] // '') . '}' }
sub bad_manifest { my ($code, $body, %o) = @_; refuse($code eq 'SIZE_INVALID' ? 413 : 400, $code, 'PUT', '/v2/bad/app/manifests/' . ($o{ref} // 'new'), body => $body, headers => ['Content-Type' => $o{type} // OCI_MANIFEST], chunked => $o{chunked}) }
my $config = desc(OCI_CONFIG, 'layer');
my $max = 4 << 20;
my %padded = map { my $head = substr(obj(), 0, -1) . ',"annotations":{"a":"'; $_ => $head . 'x' x ($_ - length($head) - 3) . '"}}' } $max, $max + 1;
bad_manifest('MANIFEST_INVALID', $_) for '', ' ', '{', '}', '[]', 'null', 'true', '0', '""', '{}', "\0", "\xef\xbb\xbf" . obj(), obj() . "\0", obj() . '{}', obj() . 'x', substr(obj(), 0, -1), obj() =~ s/"/'/gr, obj() =~ s/,"layers"/,,"layers"/r, obj(',' ), obj(',"x":NaN'), obj(',"x":01'), obj(',"x":1.'), obj(',"x":+1'), obj(',"x":.5'), obj(',"x":0x1'), obj(',"x":1e'),
	obj(',"x":tru'), obj(',"x":/**/1'), obj(",\"x\":\"\n\""), obj(",\"x\":\"\xc0\x80\""), obj(",\"x\":\"\xed\xa0\x80\""), obj(",\"x\":\"\xf5\x80\x80\x80\""), obj(',"x":"\\ud800"'), obj(',"x":"\\q"'), obj(',"x":"\\u12"'), obj(",\"\xff\":1"), "\xff\xfe" . join('', map { "$_\0" } split //, obj()),
	obj(',"x":' . '[' x 32 . ']' x 32), obj(',"x":' . '{"a":' x 32 . '1' . '}' x 32), obj(',"x":' . '[' x 100_000), '[' x 2_000_000, '{"a":' x 500_000,
	'{}' x 2_000_000, '[' . join(',', ('{}') x 1_300_000) . ']', obj(',"artifactType":[' . join(',', ('{}') x 1_300_000) . ']'), obj(',"subject":[' . join(',', ('""') x 1_000_000) . ']'),
	obj(',"layers":[]'), obj(',"x":1,"x":2'), obj(',"x":{"a":1,"\\u0061":2}'), obj(',"annotations":{"a":"1","a":"2"}'), obj(',"\\u006dediaType":"x"'), obj(',"x\\u0000y":1'), obj(',"annotations":{"a\\u0000":"b"}'), obj(',"layers\\u0000":[]'), obj(',"Layers":[]'), obj(',"LAYERS":null'), obj(",\"layer\xc5\xbf\":[]"),
	obj(',"manifests":[]'), obj(',"annotations":[]'), obj(',"annotations":{"a":1}'), obj(',"annotations":{"a":{}}'), obj(',"subject":"x"'), obj(',"subject":{}'), obj(',"subject":[]'), obj(',"artifactType":1'), obj(',"artifactType":"a\\u0000b"');
bad_manifest('MANIFEST_INVALID', obj() =~ s/"schemaVersion":2/"schemaVersion":$_/r) for '"2"', '2.0', '1', '3', 'true', '[2]', '-2', '18446744073709551618', '2e0';
bad_manifest('MANIFEST_INVALID', obj(undef, $config =~ s/"size":\d+/"size":$_/r)) for '-1', '-0.5', '1.5', '5.0', '5e0', '"5"', 'true', 'null', '{}', '[5]', '9223372036854775808', '18446744073709551615', '18446744073709551616', '9' x 100, '-9223372036854775809', '1e400';
bad_manifest('MANIFEST_INVALID', obj(undef, $config =~ s/"digest":"[^"]*"/"digest":$_/r)) for '""', '1', 'null', "\"$hex\"", '"sha256:' . uc($hex) . '"', "\"sha256:${hex}0\"", '"sha256:../../../../x"', "\"sha256:$hex\\u0000\"", "[\"sha256:$hex\"]", "\"sha512:$hex\"", '"sha256:' . 'a' x 100_000 . '"';
bad_manifest('MANIFEST_INVALID', obj(undef, $config =~ s/"mediaType":"[^"]*"/"mediaType":$_/r)) for '""', '1', 'null', '[]', '"a\\u0000b"';
bad_manifest('MANIFEST_INVALID', obj(undef, $_)) for 'null', '[]', '"x"', '1', 'true', '{}', "[$config]", '{"digest":"' . $layer . '"}';
bad_manifest('MANIFEST_INVALID', obj(undef, $config =~ s/\}$/,$_}/r)) for '"urls":"x"', '"urls":[1]', '"annotations":{"a":1}', '"platform":"x"', '"data":"*"', '"data":1', '"Size":1', '"DIGEST":"x"', '"artifactType":{}';
bad_manifest('MANIFEST_INVALID', obj() =~ s/"layers":\[\]/"layers":$_/r) for '{}', '"x"', '1', '[1]', '["x"]', '[[]]', '[null]', '[{}]', "[$config,{}]";
bad_manifest('MANIFEST_INVALID', obj(), type => $_) for OCI_INDEX, DOCKER_MANIFEST, 'application/json', 'text/html', 'x', '/', 'application/vnd.oci.image.manifest.v1+json2', 'application/vnd.docker.distribution.manifest.v1+json', 'application/vnd.docker.distribution.manifest.v1+prettyjws', "\xff", 'x' x 20_000;
bad_manifest('MANIFEST_INVALID', index_of(OCI_INDEX) =~ s/\[\]/$_/r, type => OCI_INDEX) for '{}', '"x"', '1', '[1]', '[null]', '[{}]', "[$config,1]";
bad_manifest('MANIFEST_INVALID', index_of(OCI_INDEX) =~ s/\}$/,$_}/r, type => OCI_INDEX) for '"layers":[]', "\"config\":$config", '"Manifests":[]';
bad_manifest('MANIFEST_BLOB_UNKNOWN', obj(undef, desc(OCI_CONFIG, $_))) for 'other layer', 'nothing', '', $text;
bad_manifest('MANIFEST_BLOB_UNKNOWN', index_of(OCI_INDEX, $_), type => OCI_INDEX) for desc(OCI_MANIFEST, 'layer'), desc(DOCKER_MANIFEST, 'other layer'), desc(OCI_LAYER, $text), desc(OCI_INDEX, 'nothing');
bad_manifest('MANIFEST_BLOB_UNKNOWN', obj() =~ s/"layers":\[\]/'"layers":[' . join(',', map { desc('a', "missing $_") } 1 .. 12_000) . ']'/er);
bad_manifest('SIZE_INVALID', $padded{ $max + 1 }, chunked => $_) for 0, 1;
bad_manifest('SIZE_INVALID', 'x' x (3 * $max), chunked => $_) for 0, 1;
bad_manifest('SIZE_INVALID', $padded{ $max + 1 }, ref => sha256($padded{ $max + 1 }));

cmp_ok scalar(@table), '>=', 300, 'the table has ' . @table . ' requests';

# title - a row as a person may read it
sub title {
	my ($status, $code, $method, $path, $o) = @{ $_[0] };
	my $what = "$method $path";
	$what .= ' Content-Range: ' . ($o->{headers}[1] // '') if ($o->{headers}[0] // '') eq 'Content-Range';
	$what .= " with $o->{body}" if $path =~ m{/manifests/new$} && defined $o->{body} && $o->{body} ne $text;
	$what =~ s/([0-9a-f]{12})[0-9a-f]{52,}/$1.../g;
	$what = substr($what, 0, 110) . '... (' . length($what) . ' bytes)' if length $what > 120;
	$what =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ge;
	return $what =~ s/#/(hash)/gr;
}

sub ask {
	my ($row) = @_;
	my (undef, undef, $method, $path, $o) = @$row;
	return eval { $s->req($method, $path, %$o) } || do { diag "$@"; undef };
}

# In batches: where one has changed something, its rows are asked once more, one by one, to name those that do.
my $before = $s->tree_digest;
for (my $from = 0; $from < @table; $from += 50) {
	my @batch = grep { defined } @table[$from .. $from + 49];
	for my $row (@batch) {
		my ($status, $code) = @$row;
		my $r = ask($row);
		my $fault = $r ? error_fault($r, $status, $code) : 'no answer';
		$fault = 'no Range and Location beside 416' if !$fault && $status == 416 && (($r->header('Range') // '') ne '0-9' || path_of($r->header('Location') // '') ne $loc);
		is $fault, '', title($row) . " is $status" . (defined $code ? " $code" : '');
	}
	my $now = $s->tree_digest;
	my @guilty;
	if ($now ne $before) {
		for my $row (@batch) {
			my $was = $s->tree_digest;
			ask($row);
			push @guilty, title($row) if $s->tree_digest ne $was;
		}
	}
	is $now, $before, "requests $from and on change nothing on disk" or diag(@guilty ? "it is @guilty" : 'asked once more none of them does');
	$before = $s->tree_digest;
}

# 13. What is no HTTP, byte by byte
my $end = "Host: x\r\nConnection: close\r\n\r\n";
for my $c (['a line that is none', "\x01\x02\x03\r\n\r\n", 400], ['no path', "GET\r\n\r\n", 400], ['a lower-case method', "get /v2/ HTTP/1.1\r\n$end", 400], ['HTTP/9.9', "GET /v2/ HTTP/9.9\r\n$end", 505], ['HTTP/x', "GET /v2/ HTTP/x\r\n$end", 400], ['no Host', "GET /v2/ HTTP/1.1\r\nConnection: close\r\n\r\n", 400],
	['two Hosts', "GET /v2/ HTTP/1.1\r\nHost: y\r\n$end", 400], ['a header without a colon', "GET /v2/_catalog?n=x HTTP/1.1\r\nNonsense\r\n$end", 400], ['a NUL in a header', "GET /v2/ HTTP/1.1\r\nX: a\0b\r\n$end", 400], ['a NUL in the path', "GET /v2/a\0b/tags/list HTTP/1.1\r\n$end", 400],
	['a blank in the path', "GET /v2/a b/tags/list HTTP/1.1\r\n$end", 400], ['two lengths', "PATCH $loc HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n${end}abcd", 400], ['a negative length', "PATCH $loc HTTP/1.1\r\nContent-Length: -1\r\n$end", 400], ['a length that is a word', "PATCH $loc HTTP/1.1\r\nContent-Length: x\r\n$end", 400],
	['a length that overflows', "PATCH $loc HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n$end", 400], ['a length beside chunks', "PATCH $loc HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n${end}3\r\nabc\r\n0\r\n\r\n", 400], ['an unknown transfer coding', "PATCH $loc HTTP/1.1\r\nTransfer-Encoding: gzip\r\n${end}abc", 501],
	['a chunk without a size', "PATCH $loc HTTP/1.1\r\nTransfer-Encoding: chunked\r\n${end}x\r\nabc\r\n0\r\n\r\n", 400], ['a chunk with a size that overflows', "PATCH $loc HTTP/1.1\r\nTransfer-Encoding: chunked\r\n${end}fffffffffffffffff\r\nabc\r\n0\r\n\r\n", 400], ['a chunk longer than it says', "PATCH $loc HTTP/1.1\r\nTransfer-Encoding: chunked\r\n${end}1\r\nabc\r\n0\r\n\r\n", 400],
	['an absolute form with dots', "GET http://x/../../etc/passwd HTTP/1.1\r\n$end", 400], ['CONNECT', "CONNECT x:80 HTTP/1.1\r\n$end", 400]) {
	my ($what, $bytes, $status) = @$c;
	my $r = $s->raw($bytes);
	is $r && $r->status ? error_fault($r, $status, undef) : 'no answer', '', "$what is $status";
}
is $s->tree_digest, $before, 'none of these changes anything on disk';

# 14. From where nothing can be mounted: never an error, so that a client goes on with an upload
for my $from ('', '..', '../other/app', '%2e%2e', 'OTHER/APP', 'other%00/app', '%zz', '/etc/passwd', 'a' x 5000, 'no/such', 'bad/app', 'other/app/', "\xff") {
	my $short = length $from > 40 ? 'a long name' : $from =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger;
	my $r = $s->req('POST', "/v2/bad/app/blobs/uploads/?mount=$other_layer&from=$from");
	is $r->status, 202, "from=$short is an ordinary upload";
	is $s->req('DELETE', path_of($r->header('Location') // '/'))->status, 204, 'which is cancelled';
}
is $s->tree_digest, $before, 'nothing was mounted';

# 15. Neighbours that are taken
is $s->push_manifest('bad/app', 'large', $padded{$max}, OCI_MANIFEST)->status, 201, 'a manifest of 4 MiB is taken';
is $s->push_manifest('bad/app', 'full', obj(',"x":[' . join(',', ('{}') x 1_300_000) . ']'), OCI_MANIFEST)->status, 201, 'one with 1 300 000 values, too';
is $s->push_manifest('bad/app', 'wide', obj(',"annotations":{' . join(',', map { sprintf '"%070d":"v"', $_ } 1 .. 49_000) . '}'), OCI_MANIFEST)->status, 201, 'one with 49 000 long keys';
is $s->push_manifest('bad/app', 'deep', obj(',"x":' . '[' x 31 . ']' x 31), OCI_MANIFEST)->status, 201, 'one that is 32 deep';
is $s->req('PATCH', $loc, headers => ['Content-Range' => '10-12'], body => 'abc')->header('Range'), '0-12', 'the upload goes on where it stood';
is $s->req('PUT', "$loc?digest=" . sha256('0123456789abc'))->status, 201, 'and comes to its end';
is $s->req('GET', '/v2/bad/app/manifests/one')->body, $text, 'the image is served as ever';
is leftovers($s), '', 'nothing is left in body, tmp and trash';
SKIP: {
	skip 'memory is measured in the plain build', 1 if $ENV{BERTH_SANITIZERS};
	my @peak = sort { $a <=> $b } map { (content_of("/proc/$_/status") // '') =~ /^VmHWM:\s*(\d+)/m ? $1 : () } $s->worker_pids;
	note "KiB at most, each worker: @peak";
	cmp_ok $peak[-1], '<', 64 << 10, 'no worker needed 64 MiB for any of this';
}

done_testing;
