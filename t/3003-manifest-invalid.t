#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Manifests that are refused with 400 MANIFEST_INVALID, each for one fault, and their neighbours that are taken.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start;
my ($config, $layer) = ('{"os":"linux"}', 'a layer');
$s->push_blob('bad/app', $_) for $config, $layer;
my $C = desc(OCI_CONFIG, $config);
my $L = desc(OCI_LAYER, $layer);
my $mt = '"mediaType":"' . OCI_MANIFEST . '"';
my $xt = '"mediaType":"' . OCI_INDEX . '"';
my $child_text = image_of(OCI_MANIFEST, $config, $layer);
my $K = desc(OCI_MANIFEST, $child_text);

sub put { my ($type, $text, $ref) = @_; return $s->req('PUT', '/v2/bad/app/manifests/' . ($ref // 't'), headers => [defined $type ? ('Content-Type' => $type) : ()], body => $text) }
is put(OCI_MANIFEST, $child_text, 'child')->status, 201, 'the child of the indexes below is there';

# a whole image or index whose one member differs
sub image { my (%o) = @_; return '{"schemaVersion":2,' . ($o{mt} // $mt) . ',"config":' . ($o{config} // $C) . ',"layers":' . ($o{layers} // "[$L]") . ($o{more} // '') . '}' }
sub index_text { my ($type, $more, $manifests) = @_; return '{"schemaVersion":2,' . ($type // $xt) . ',"manifests":' . ($manifests // "[$K]") . ($more // '') . '}' }
# a descriptor with some of its text replaced
sub with { my ($d, $from, $to) = @_; $d =~ s/$from/$to/ or die "$from is not in $d"; return $d }

my $hex = substr sha256($layer), 7;
my @bad = (
	# not JSON
	['an empty body', OCI_MANIFEST, ''], ['a word', OCI_MANIFEST, 'hello'], ['an open brace', OCI_MANIFEST, '{'],
	['JSON that breaks off', OCI_MANIFEST, substr image(), 0, -1], ['a trailing comma', OCI_MANIFEST, image(more => ',')],
	['text behind it', OCI_MANIFEST, image() . 'x'], ['a second object', OCI_MANIFEST, image() . image()], ['a NUL behind it', OCI_MANIFEST, image() . "\0"],
	['a NUL and more behind it', OCI_MANIFEST, image() . "\0junk"], ['a byte order mark', OCI_MANIFEST, "\xef\xbb\xbf" . image()],
	['a comment', OCI_MANIFEST, image(more => '/* */')], ['single quotes', OCI_MANIFEST, image(more => ",'x':1")], ['a bare key', OCI_MANIFEST, image(more => ',x:1')],
	['NaN', OCI_MANIFEST, image(more => ',"x":NaN')], ['-Infinity', OCI_MANIFEST, image(more => ',"x":-Infinity')], ['True', OCI_MANIFEST, image(more => ',"x":True')],
	['a leading zero', OCI_MANIFEST, image(more => ',"x":01')], ['a plus sign', OCI_MANIFEST, image(more => ',"x":+1')], ['a dot without digits', OCI_MANIFEST, image(more => ',"x":1.')],
	['a hexadecimal number', OCI_MANIFEST, image(more => ',"x":0x10')], ['a control character in a string', OCI_MANIFEST, image(more => qq(,"x":"a\nb"))],
	['a tabulator in a string', OCI_MANIFEST, image(more => qq(,"x":"a\tb"))], ['an unknown escape', OCI_MANIFEST, image(more => ',"x":"\\x41"')], ['a cut escape', OCI_MANIFEST, image(more => ',"x":"\\u12"')],
	['ill-formed UTF-8', OCI_MANIFEST, image(more => qq(,"x":"\xff"))], ['overlong UTF-8', OCI_MANIFEST, image(more => qq(,"x":"\xc0\x80"))],
	['a surrogate in UTF-8', OCI_MANIFEST, image(more => qq(,"x":"\xed\xa0\x80"))], ['UTF-16', OCI_MANIFEST, join '', map { "$_\0" } split //, image()],
	['a form feed as white space', OCI_MANIFEST, "\f" . image()],
	# not an object
	['an array', OCI_MANIFEST, '[' . image() . ']'], ['an empty array', OCI_MANIFEST, '[]'], ['a string', OCI_MANIFEST, '"x"'], ['a number', OCI_MANIFEST, '2'], ['null', OCI_MANIFEST, 'null'], ['true', OCI_MANIFEST, 'true'],
	['an empty object', OCI_MANIFEST, '{}'],
	# schemaVersion
	['no schemaVersion', OCI_MANIFEST, with(image(), '"schemaVersion":2,', '')], ['schemaVersion 1', OCI_MANIFEST, with(image(), ':2,', ':1,')],
	['schemaVersion 3', OCI_MANIFEST, with(image(), ':2,', ':3,')], ['schemaVersion 0', OCI_MANIFEST, with(image(), ':2,', ':0,')], ['schemaVersion -2', OCI_MANIFEST, with(image(), ':2,', ':-2,')],
	['schemaVersion as a string', OCI_MANIFEST, with(image(), ':2,', ':"2",')], ['schemaVersion 2.5', OCI_MANIFEST, with(image(), ':2,', ':2.5,')],
	['schemaVersion null', OCI_MANIFEST, with(image(), ':2,', ':null,')], ['schemaVersion in a list', OCI_MANIFEST, with(image(), ':2,', ':[2],')], ['schemaVersion 2 + 2^32', OCI_MANIFEST, with(image(), ':2,', ':4294967298,')],
	['an index without schemaVersion', OCI_INDEX, with(index_text(), '"schemaVersion":2,', '')],
	['schema 1', 'application/vnd.docker.distribution.manifest.v1+json', '{"schemaVersion":1,"name":"bad/app","tag":"t","architecture":"amd64","fsLayers":[],"history":[]}'],
	['signed schema 1', 'application/vnd.docker.distribution.manifest.v1+prettyjws', '{"schemaVersion":1,"name":"bad/app","tag":"t","architecture":"amd64","fsLayers":[],"history":[],"signatures":[]}'],
	['schema 1 under another type', OCI_MANIFEST, '{"schemaVersion":1,"name":"bad/app","tag":"t","architecture":"amd64","fsLayers":[],"history":[]}'],
	# types
	['Content-Type application/json', 'application/json', image()], ['Content-Type text/plain', 'text/plain', image()], ['Content-Type of a config', OCI_CONFIG, image()],
	['Content-Type with more behind it', OCI_MANIFEST . 'x', image()], ['a type cut short', substr(OCI_MANIFEST, 0, -5), image()], ['an unknown type inside and outside', 'application/vnd.example+json', image(mt => '"mediaType":"application/vnd.example+json"')],
	['no type outside and none inside', undef, image(mt => '"x":1')], ['no type outside and an unknown one inside', undef, image(mt => '"mediaType":"application/vnd.example+json"')],
	['no type outside and null inside', undef, image(mt => '"mediaType":null')], ['no type outside and none inside an index', undef, index_text('"x":1')],
	['a Docker mediaType in an OCI manifest', OCI_MANIFEST, image(mt => '"mediaType":"' . DOCKER_MANIFEST . '"')], ['an OCI mediaType in a Docker manifest', DOCKER_MANIFEST, image()],
	['the mediaType of an index in an image', OCI_MANIFEST, image(mt => $xt)], ['the mediaType of an image in an index', OCI_INDEX, index_text($mt)],
	['the mediaType of a list in an index', OCI_INDEX, index_text('"mediaType":"' . DOCKER_LIST . '"')],
	['mediaType a number', OCI_MANIFEST, image(mt => '"mediaType":1')], ['mediaType a list', OCI_MANIFEST, image(mt => '"mediaType":["' . OCI_MANIFEST . '"]')], ['mediaType empty', OCI_MANIFEST, image(mt => '"mediaType":""')],
	['a Docker manifest without mediaType', DOCKER_MANIFEST, image(mt => '"x":1')], ['a Docker list without mediaType', DOCKER_LIST, index_text('"x":1')], ['a Docker manifest with mediaType null', DOCKER_MANIFEST, image(mt => '"mediaType":null')],
	# members of the other kind
	['manifests in an image', OCI_MANIFEST, image(more => ',"manifests":[]')], ['layers in an index', OCI_INDEX, index_text(undef, ',"layers":[]')], ['config in an index', OCI_INDEX, index_text(undef, ",\"config\":$C")],
	['an image sent as an index', OCI_INDEX, image(mt => $xt)], ['an index sent as an image', OCI_MANIFEST, index_text($mt)], ['both, without mediaType', OCI_MANIFEST, image(mt => '"x":1', more => ",\"manifests\":[$K]")],
	# members that are missing
	['an image without config', OCI_MANIFEST, qq({"schemaVersion":2,$mt,"layers":[$L]})], ['an image with config null', OCI_MANIFEST, image(config => 'null')], ['an index without manifests', OCI_INDEX, qq({"schemaVersion":2,$xt})],
	['an index with manifests null', OCI_INDEX, qq({"schemaVersion":2,$xt,"manifests":null})], ['a Docker manifest without config', DOCKER_MANIFEST, qq({"schemaVersion":2,"mediaType":"${\DOCKER_MANIFEST}","layers":[]})],
	['a Docker list without manifests', DOCKER_LIST, qq({"schemaVersion":2,"mediaType":"${\DOCKER_LIST}"})],
	# the same key twice
	['layers twice', OCI_MANIFEST, image(more => ',"layers":[]')], ['config twice', OCI_MANIFEST, image(more => ",\"config\":$C")], ['schemaVersion twice', OCI_MANIFEST, image(more => ',"schemaVersion":2')], ['mediaType twice', OCI_MANIFEST, image(more => ",$mt")],
	['an unknown key twice', OCI_MANIFEST, image(more => ',"x":1,"x":1')], ['a key twice, once with an escape', OCI_MANIFEST, image(more => ',"\\u006cayers":[]')], ['a key twice in a descriptor', OCI_MANIFEST, image(config => with($C, '\}$', ',"size":1}'))],
	['an annotation twice', OCI_MANIFEST, image(more => ',"annotations":{"a":"1","a":"2"}')], ['a key twice deep inside', OCI_MANIFEST, image(more => ',"x":[{"y":{"z":1,"z":2}}]')], ['manifests twice', OCI_INDEX, index_text(undef, ',"manifests":[]')],
	['a key with NUL in it', OCI_MANIFEST, image(more => ',"layers\\u0000x":[]')],
	# descriptors
	(map {
		my ($where, $d, $make) = @$_;
		(["$where without mediaType", $make->(with($d, '"mediaType":"[^"]*",', ''))], ["$where without size", $make->(with($d, ',"size":\d+', ''))], ["$where without digest", $make->(with($d, '"digest":"[^"]*",', ''))],
		["$where with mediaType null", $make->(with($d, '"mediaType":"[^"]*"', '"mediaType":null'))], ["$where with mediaType a number", $make->(with($d, '"mediaType":"[^"]*"', '"mediaType":1'))],
		["$where with a short digest", $make->(with($d, 'sha256:..', 'sha256:'))], ["$where with a digest in capitals", $make->(with($d, 'sha256:[0-9a-f]+', 'sha256:' . 'A' x 64))],
		["$where with an unknown algorithm", $make->(with($d, 'sha256:[0-9a-f]+', 'md5:' . 'a' x 32))], ["$where with an empty digest", $make->(with($d, 'sha256:[0-9a-f]+', ''))],
		["$where with digest a number", $make->(with($d, '"digest":"[^"]*"', '"digest":1'))], ["$where with dots for a digest", $make->(with($d, 'sha256:[0-9a-f]+', '../../x'))],
		["$where with size -1", $make->(with($d, '"size":\d+', '"size":-1'))], ["$where with size 2.5", $make->(with($d, '"size":\d+', '"size":2.5'))], ["$where with size 1e3", $make->(with($d, '"size":\d+', '"size":1e3'))],
		["$where with size 7.0", $make->(with($d, '"size":\d+', '"size":7.0'))], ["$where with size a string", $make->(with($d, '"size":(\d+)', '"size":"7"'))], ["$where with size true", $make->(with($d, '"size":\d+', '"size":true'))],
		["$where with size null", $make->(with($d, '"size":\d+', '"size":null'))], ["$where with a size beyond 64 bits", $make->(with($d, '"size":\d+', '"size":18446744073709551616'))],
		["$where with urls a string", $make->(with($d, '\}$', ',"urls":"https://x"}'))], ["$where with urls of numbers", $make->(with($d, '\}$', ',"urls":[1]}'))], ["$where with urls an object", $make->(with($d, '\}$', ',"urls":{}}'))],
		["$where with annotations a string", $make->(with($d, '\}$', ',"annotations":"x"}'))], ["$where with an annotation that is a number", $make->(with($d, '\}$', ',"annotations":{"a":1}}'))],
		["$where with an annotation that is an object", $make->(with($d, '\}$', ',"annotations":{"a":{}}}'))], ["$where with platform a string", $make->(with($d, '\}$', ',"platform":"linux/amd64"}'))],
		["$where with platform a list", $make->(with($d, '\}$', ',"platform":[]}'))], ["$where with artifactType a number", $make->(with($d, '\}$', ',"artifactType":1}'))],
		["$where with a key Digest", $make->(with($d, '\}$', ",\"Digest\":\"sha256:$hex\"}"))], ["$where with a key MEDIATYPE", $make->(with($d, '\}$', ',"MEDIATYPE":"x"}'))], ["$where with a key Size instead", $make->(with($d, '"size"', '"Size"'))],
		["$where with a key Urls", $make->(with($d, '\}$', ',"Urls":[]}'))], ["$where with a key PlatForm", $make->(with($d, '\}$', ',"PlatForm":{}}'))])
	} ['a config', $C, sub { (OCI_MANIFEST, image(config => $_[0])) }], ['a layer', $L, sub { (OCI_MANIFEST, image(layers => "[$L,$_[0]]")) }],
		['a child', $K, sub { (OCI_INDEX, index_text(undef, '', "[$K,$_[0]]")) }],
		['a subject', desc(OCI_MANIFEST, 'x'), sub { (OCI_MANIFEST, image(more => ",\"subject\":$_[0]")) }]),
	['a child with an architecture that is a number', OCI_INDEX, index_text(undef, '', '[' . with($K, '\}$', ',"platform":{"architecture":1,"os":"linux"}}') . ']')],
	['a child with os.features that is a string', OCI_INDEX, index_text(undef, '', '[' . with($K, '\}$', ',"platform":{"architecture":"amd64","os":"linux","os.features":"x"}}') . ']')],
	['a child with a platform key OS', OCI_INDEX, index_text(undef, '', '[' . with($K, '\}$', ',"platform":{"architecture":"amd64","os":"linux","OS":"x"}}') . ']')],
	# defined members of another type
	['config a string', OCI_MANIFEST, image(config => '"x"')], ['config a list', OCI_MANIFEST, image(config => "[$C]")], ['config an empty object', OCI_MANIFEST, image(config => '{}')], ['config false', OCI_MANIFEST, image(config => 'false')],
	['layers an object', OCI_MANIFEST, image(layers => $L)], ['layers a string', OCI_MANIFEST, image(layers => '"x"')], ['layers of strings', OCI_MANIFEST, image(layers => '["x"]')], ['layers of lists', OCI_MANIFEST, image(layers => "[[$L]]")], ['layers of null', OCI_MANIFEST, image(layers => '[null]')],
	['manifests an object', OCI_INDEX, index_text(undef, '', $K)], ['manifests of strings', OCI_INDEX, index_text(undef, '', '["x"]')], ['manifests false', OCI_INDEX, index_text(undef, '', 'false')],
	['annotations a list', OCI_MANIFEST, image(more => ',"annotations":[]')], ['annotations a string', OCI_MANIFEST, image(more => ',"annotations":"x"')], ['an annotation that is a number', OCI_MANIFEST, image(more => ',"annotations":{"a":1}')],
	['an annotation that is a bool', OCI_MANIFEST, image(more => ',"annotations":{"a":true}')], ['an annotation that is a list', OCI_MANIFEST, image(more => ',"annotations":{"a":["b"]}')], ['an annotation of an index that is a number', OCI_INDEX, index_text(undef, ',"annotations":{"a":1}')],
	['artifactType a number', OCI_MANIFEST, image(more => ',"artifactType":1')], ['artifactType a list', OCI_INDEX, index_text(undef, ',"artifactType":[]')], ['subject a string', OCI_MANIFEST, image(more => ',"subject":"sha256:' . $hex . '"')], ['subject a list', OCI_INDEX, index_text(undef, ',"subject":[]')],
	# keys that differ in case
	['Layers beside layers', OCI_MANIFEST, image(more => ',"Layers":[]')], ['LAYERS', OCI_MANIFEST, image(more => ',"LAYERS":null')], ['Config', OCI_MANIFEST, image(more => ',"Config":{}')], ['mediatype', OCI_MANIFEST, image(more => ',"mediatype":"x"')],
	['SchemaVersion', OCI_MANIFEST, image(more => ',"SchemaVersion":2')], ['Annotations', OCI_MANIFEST, image(more => ',"Annotations":{}')], ['Subject', OCI_MANIFEST, image(more => ',"Subject":null')], ['artifacttype', OCI_MANIFEST, image(more => ',"artifacttype":"x"')],
	['Manifests in an index', OCI_INDEX, index_text(undef, ',"Manifests":[]')], ['Manifests in an image', OCI_MANIFEST, image(more => ',"Manifests":[]')], ['Layers with an escape', OCI_MANIFEST, image(more => ',"\\u004cayers":[]')],
	['layers with a long s, which Go takes for an s', OCI_MANIFEST, image(more => qq(,"layer\xc5\xbf":[]))], ['layers with an escaped long s', OCI_MANIFEST, image(more => ',"layer\\u017f":[]')],
);

cmp_ok scalar(@bad), '>=', 60, 'the table has ' . @bad . ' bad manifests';
my $before = $s->tree_digest;
my $n = 0;
for my $c (@bad) {
	my ($what, $type, $text) = @$c;
	my $chunked = $n++ % 3 == 2;
	my $r = $s->req('PUT', '/v2/bad/app/manifests/t', headers => [defined $type ? ('Content-Type' => $type) : ()], body => $text, chunked => $chunked);
	error_is $r, 400, 'MANIFEST_INVALID', "$what is 400 MANIFEST_INVALID";
	my $now = $s->tree_digest;
	is $now, $before, "$what changes nothing on disk";
	$before = $now;
}
for my $c (@bad[0, 5, 30, 60, 90]) {
	my ($what, $type, $text) = @$c;
	error_is put($type, $text, sha256($text)), 400, 'MANIFEST_INVALID', "$what is 400 MANIFEST_INVALID by digest too";
}
is $s->tree_digest, $before, 'nor by digest';
is leftovers($s), '', 'nothing is left in body, tmp and trash';

# neighbours that are taken
my @good = (
	['the plain image', OCI_MANIFEST, image()], ['the plain index', OCI_INDEX, index_text()], ['no layers', OCI_MANIFEST, image(layers => '[]')], ['no children', OCI_INDEX, index_text(undef, '', '[]')],
	['unknown members', OCI_MANIFEST, image(more => ',"x":1,"y":{"layers":"no","Layers":[1]},"z":[null,true,1.5e3]')], ['an unknown member of a descriptor', OCI_MANIFEST, image(config => with($C, '\}$', ',"x":{"digest":1}}'))],
	['manifests null in an image', OCI_MANIFEST, image(more => ',"manifests":null')], ['layers and config null in an index', OCI_INDEX, index_text(undef, ',"layers":null,"config":null')],
	['annotations, subject and artifactType null', OCI_MANIFEST, image(more => ',"annotations":null,"subject":null,"artifactType":null')], ['mediaType null under an OCI type', OCI_MANIFEST, image(mt => '"mediaType":null')],
	['urls, platform and annotations null in a descriptor', OCI_MANIFEST, image(config => with($C, '\}$', ',"urls":null,"platform":null,"annotations":null}'))],
	['annotations whose keys differ in case', OCI_MANIFEST, image(more => ',"annotations":{"a":"1","A":"2","Layers":"3","layers":"4","":""}')], ['no annotation', OCI_MANIFEST, image(more => ',"annotations":{}')],
	['a text beyond ASCII', OCI_MANIFEST, image(more => qq(,"annotations":{"\xc3\xa9":"\xf0\x9f\x90\xb3 \\ud83d\\udc33"}))], ['urls with strings', OCI_MANIFEST, image(layers => '[' . with($L, '\}$', ',"urls":["a","b"]}') . ']')],
	['a platform with its members', OCI_INDEX, index_text(undef, '', '[' . with($K, '\}$', ',"platform":{"architecture":"arm","os":"linux","os.version":"1","os.features":["a"],"variant":"v7","features":["b"]}}') . ']')],
	['an empty platform', OCI_INDEX, index_text(undef, '', '[' . with($K, '\}$', ',"platform":{}}') . ']')], ['artifactType', OCI_MANIFEST, image(more => ',"artifactType":"application/vnd.example"')],
	['a subject', OCI_INDEX, index_text(undef, ",\"subject\":$K")], ['white space around', OCI_MANIFEST, " \t\r\n" . image() . " \t\r\n"], ['a key of many kinds of escape', OCI_MANIFEST, image(more => ',"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9":1')],
	['a NUL in a value', OCI_MANIFEST, image(more => ',"x":"a\\u0000b"')], ['the same key in different objects', OCI_MANIFEST, image(more => ',"x":[{"a":1},{"a":2}]')],
);
for my $c (@good) {
	my ($what, $type, $text) = @$c;
	my $r = put($type, $text, 'good');
	is $r->status, 201, "$what: taken" or diag $r->body;
	is $s->req('GET', '/v2/bad/app/manifests/good')->body, $text, "$what: and served as it is";
}

done_testing;
