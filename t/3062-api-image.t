#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What is told of one manifest: its configuration, its layers with what made them, its tags, the indexes that hold it, its referrers.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n", workers => 2);
my $json = JSON::PP->new->canonical->utf8;
sub image { my ($ref, @o) = @_; return $s->req(GET => "/berth/v1/repos/team/app/manifests/$ref", @o) }
sub described { return JSON::PP::decode_json(desc(@_)) }
my %size_of;
sub put { my ($ref, $m, $type) = @_; my $r = $s->push_manifest('team/app', $ref, $m, $type // OCI_MANIFEST); die $r->as_string if $r->status != 201; $size_of{ sha256($m) } = length $m; return sha256($m) }

# an image
my %config = (
	os => 'linux', architecture => 'arm64', variant => 'v8', created => '2025-06-07T08:09:10.5+02:00',
	config => { Entrypoint => ['/bin/app', '--x'], Cmd => ['run'], Env => ['PATH=/bin', 'TOKEN=secret=1', 'EMPTY'], User => '1000:1000', ExposedPorts => { '80/tcp' => {} },
		Labels => { a => "\x{e9}\"", long => 'x' x 20000 }, WorkingDir => '/w' },
	history => [{ created_by => 'ADD base' }, { created_by => 'ENV x', empty_layer => JSON::PP::true }, { created_by => 'RUN ' . 'y' x 9000 }],
);
my $config = $json->encode(\%config);
my @layers = ('layer one', 'layer number two');
$s->push_blob('team/app', $_) for $config, @layers;
my $m = $json->encode({ %{ JSON::PP::decode_json(image_of(OCI_MANIFEST, $config, @layers)) }, annotations => { note => 'here', n => 'x' x 10001 } });
my $d = put('1.0', $m);
put($_, $m) for qw(latest extra);
my $r = image('1.0');
is $r->status, 200, 'an image is told of' or diag $r->as_string;
is $r->header('Content-Type'), 'application/json; charset=utf-8', 'as JSON';
my $i = $r->json;
is_deeply { map { $_ => $i->{$_} } qw(digest media_type artifact_type size bytes platform created) },
	{ digest => $d, media_type => OCI_MANIFEST, artifact_type => undef, size => length $m, bytes => length($m) + length($config) + length(join '', @layers),
	platform => 'linux/arm64/v8', created => '2025-06-07T06:09:10Z' }, 'with its types, sizes, platform and the time in UTC';
like $i->{pushed}, qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ\z/, 'and that of its push';
is_deeply [sort @{ $i->{tags} }], [qw(1.0 extra latest)], 'all its tags';
is_deeply $i->{config}{env}, [qw(PATH TOKEN EMPTY)], 'the names of variables, not their values';
unlike $r->body, qr/secret/, 'nowhere';
is_deeply { map { $_ => $i->{config}{$_} } qw(entrypoint cmd user ports workdir) },
	{ entrypoint => ['/bin/app', '--x'], cmd => ['run'], user => '1000:1000', ports => ['80/tcp'], workdir => '/w' }, 'what it runs';
is $i->{config}{labels}{a}, "\x{e9}\"", 'labels';
is $i->{config}{labels}{long}, 'x' x 10000 . "\x{2026}", 'each text is cut';
is_deeply $i->{annotations}, { note => 'here', n => 'x' x 10000 . "\x{2026}" }, 'annotations, too';
is_deeply [map { [@$_{qw(digest bytes here)}] } @{ $i->{layers} }], [map { [sha256($_), length, JSON::PP::true] } @layers], 'its layers';
is $i->{layers}[0]{made_by}, 'ADD base', 'with the line that made the first one';
is $i->{layers}[1]{made_by}, 'RUN ' . 'y' x 4092 . "\x{2026}", 'and the second one, cut';
is_deeply $i->{in}, [], 'no index holds it';
is_deeply $i->{referrers}, [], 'nothing refers to it';
is $i->{more}, undef, 'nothing is left out';
is $i->{pulled}, undef, 'this is no pull';
$s->req(GET => '/v2/team/app/manifests/1.0');
like image('1.0')->json->{pulled}, qr/^20/, 'a pull shows';
is image('latest')->json->{pulled}, undef, 'of this tag alone';
like image($d)->json->{pushed}, qr/^20/, 'by its digest it has the time of the newest push of its tags';
# tags that are called as lists are
put($_, $m) for qw(tags deleted);
is image("tag:$_")->json->{digest}, $d, "the image tagged $_ has a path of its own" for qw(tags deleted 1.0);
is image('tag%3atags')->json->{digest}, $d, '... in any encoding';
error_is(image($_), 404, 'NAME_UNKNOWN', "$_ alone is a list of another repository") for qw(tags deleted);
error_is(image("tag:$_"), 404, 'MANIFEST_UNKNOWN', "what is no tag is not found: tag:$_") for '', '-x', $d, 'tag:1.0';
$s->push_blob('team/app/manifests', '{}');
is_deeply image('tags')->json->{tags}, [], '... which may exist';
is image('tag:tags')->json->{digest}, $d, '... and takes nothing from the image';
$s->req(DELETE => "/v2/team/app/manifests/$_") for qw(tags deleted);
my $etag = image('1.0')->header('Etag');
is image('1.0', headers => ['If-None-Match' => $etag])->status, 304, 'who has it does not get it again';

# layers that are missing
unlink layer_link($s, 'team/app', sha256($layers[1])) or die;
is_deeply [map { $_->{here} ? 1 : 0 } @{ image('1.0')->json->{layers} }], [1, 0], 'a layer that is not here says so';
$s->push_blob('team/app', $layers[1]);

# an index
my $child = image_of(OCI_MANIFEST, '{"os":"linux","architecture":"amd64"}', 'layer one', 'mine');
$s->push_blob('team/app', $_) for '{"os":"linux","architecture":"amd64"}', 'mine';
my $dc = put(sha256($child), $child);
my $att = image_of(OCI_MANIFEST, '{}', 'in-toto');
$s->push_blob('team/app', $_) for '{}', 'in-toto';
put(sha256($att), $att);
my @manifests = ({ %{ described(OCI_MANIFEST, $m) }, platform => { os => 'linux', architecture => 'arm64', variant => 'v8' } },
	{ %{ described(OCI_MANIFEST, $child) }, platform => { os => 'linux', architecture => 'amd64' } },
	{ %{ described(OCI_MANIFEST, $att) }, platform => { os => 'unknown', architecture => 'unknown' },
		annotations => { 'vnd.docker.reference.type' => 'attestation-manifest', 'vnd.docker.reference.digest' => $dc } });
my $index = $json->encode({ schemaVersion => 2, mediaType => OCI_INDEX, manifests => \@manifests });
my $di = put('multi', $index, OCI_INDEX);
put('multi2', $index, OCI_INDEX);
$i = image('multi')->json;
my %size = map { sha256($_) => length } $m, $child, $att, $config, @layers, '{"os":"linux","architecture":"amd64"}', 'mine', '{}', 'in-toto', $index;
my $sum = 0;
$sum += $_ for values %size;
is $i->{bytes}, $sum, 'a pull of an index moves all that is here, what two share once';
is_deeply [map { [@$_{qw(digest platform attests here)}] } @{ $i->{manifests} }],
	[[$d, 'linux/arm64/v8', undef, JSON::PP::true], [$dc, 'linux/amd64', undef, JSON::PP::true], [sha256($att), undef, $dc, JSON::PP::true]], 'its manifests';
is $i->{manifests}[1]{bytes}, length($child) + length('{"os":"linux","architecture":"amd64"}layer onemine'), 'each with the bytes of its pull';
is_deeply image($dc)->json->{in}, [{ digest => $di, tags => ['multi', 'multi2'] }], 'and the manifest says which index holds it';
is_deeply image($dc)->json->{tags}, [], 'which has no tag of its own';

# referrers
sub refer
{
	my ($subject, $type, $layer, %more) = @_;
	$s->push_blob('team/app', $_) for '{}', $layer;
	my $a = $json->encode({ %{ JSON::PP::decode_json(image_of(OCI_MANIFEST, '{}', $layer)) }, artifactType => $type,
		subject => { mediaType => OCI_MANIFEST, digest => $subject, size => $size_of{$subject} }, %more });
	return put(sha256($a), $a);
}
my $sbom = refer($d, 'application/spdx+json', $json->encode({ spdxVersion => 'SPDX-2.3', packages => [{}, {}, {}] }), annotations => { by => 'syft' });
my $cdx = refer($d, 'application/vnd.cyclonedx+json', $json->encode({ bomFormat => 'CycloneDX', specVersion => '1.5', components => [{}] }));
my $statement = { predicateType => 'https://slsa.dev/provenance/v1', predicate => { runDetails => { builder => { id => 'https://ci.example/1' } } } };
my $prov = refer($d, 'application/vnd.in-toto+json', $json->encode($statement));
my $dsse = refer($d, 'application/vnd.dev.sigstore.bundle.v0.3+json', $json->encode({ dsseEnvelope => { payload => encode_base64($json->encode($statement), '') } }),
	annotations => { 'dev.sigstore.bundle.predicateType' => 'https://slsa.dev/provenance/v1' });
my $sig = refer($d, 'application/vnd.dev.cosign.artifact.sig.v1+json', 'a signature');
my $odd = refer($d, 'application/x-mine', 'something');
my $bad = refer($d, 'application/spdx+json', '{"spdxVersion":');
my $on_sbom = refer($sbom, 'application/vnd.cncf.notary.signature', 'signed');
my %by = map { $_->{digest} => $_ } @{ image('1.0')->json->{referrers} };
is_deeply { map { $_ => [@{ $by{$_} }{qw(kind summary)}] } keys %by }, {
	$sbom => ['sbom', 'SPDX 2.3, 3 packages'], $cdx => ['sbom', 'CycloneDX 1.5, 1 component'],
	$prov => ['attestation', 'statement https://slsa.dev/provenance/v1, built by https://ci.example/1'],
	$dsse => ['attestation', 'statement https://slsa.dev/provenance/v1, built by https://ci.example/1'],
	$sig => ['signature', undef], $odd => ['other', undef], $bad => ['sbom', undef],
}, 'what refers to it, by kind, and what is in it';
is $by{$sbom}{annotations}{by}, 'syft', 'with annotations';
is_deeply [map { [@$_{qw(digest kind)}] } @{ $by{$sbom}{referrers} }], [[$on_sbom, 'signature']], 'and what refers to that';
is image($sbom)->json->{subject}, $d, 'each says what it refers to';
is image($sbom)->json->{artifact_type}, 'application/spdx+json', 'and its type';

# much of everything
refer($di, 'application/x-mine', "many $_") for 1 .. 120;
$i = image($di)->json;
is scalar(@{ $i->{referrers} }), 100, 'a list of referrers is bounded';
is_deeply $i->{more}, { referrers => JSON::PP::true }, 'and says so';
my @many = map { "layer $_" } 1 .. 3;
my $wide = $json->encode({ schemaVersion => 2, mediaType => OCI_MANIFEST, config => described(OCI_CONFIG, '{}'), layers => [map { described(OCI_LAYER, $many[$_ % 3]) } 1 .. 600] });
$s->push_blob('team/app', $_) for @many;
put('wide', $wide);
$i = image('wide')->json;
is scalar(@{ $i->{layers} }), 500, 'a list of layers, too';
is_deeply $i->{more}, { layers => JSON::PP::true }, 'which says so';
is $i->{bytes}, length($wide) + 2 + 3 * 7, 'what is named many times moves once';

# what is odd
$s->push_blob('team/app', 'no json');
put('odd', image_of(OCI_MANIFEST, 'no json', 'layer one'));
$i = image('odd')->json;
is_deeply [map { $_->{made_by} } @{ $i->{layers} }], [undef], 'a configuration that is no JSON says nothing';
is $i->{config}, undef, 'of the image either';
my $short = $json->encode({ %config, history => [{ created_by => 'one' }] });
$s->push_blob('team/app', $short);
put('short', image_of(OCI_MANIFEST, $short, @layers));
is_deeply [map { $_->{made_by} } @{ image('short')->json->{layers} }], [undef, undef], 'a history of another length says nothing of layers';
my $types = $json->encode({ os => 1, architecture => [], created => {}, config => { Entrypoint => 'x', Env => [1, {}], Labels => [], ExposedPorts => 7 }, history => {} });
$s->push_blob('team/app', $types);
put('types', image_of(OCI_MANIFEST, $types, 'layer one'));
is image('types')->status, 200, 'members of other types are left out';
error_is(image('nothing'), 404, 'MANIFEST_UNKNOWN', 'a tag that does not exist');
error_is(image('sha256:1'), 404, 'MANIFEST_UNKNOWN', 'a digest that is none');
error_is($s->req(GET => '/berth/v1/repos/no/where/manifests/x'), 404, 'MANIFEST_UNKNOWN', 'a repository that does not exist');
error_is($s->req(GET => '/berth/v1/repos/UPPER/manifests/x'), 400, 'NAME_INVALID', 'a name that is none');
is $s->req(HEAD => '/berth/v1/repos/team/app/manifests/1.0')->body, '', 'HEAD has no body';
$s->stop;
done_testing;
