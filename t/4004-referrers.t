#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The manifests that name another one as their subject.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\nfsync = \"off\";\n");
$s->push_blob('ref/app', $_) for '{}', 'layer';
use constant EMPTY => 'application/vnd.oci.empty.v1+json';
use constant NONE => '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}' . "\n";

sub put { my ($ref, $text, $repo) = @_; $repo //= 'ref/app'; my ($type) = $text =~ /"mediaType":"([^"]*)"/; return $s->req('PUT', "/v2/$repo/manifests/$ref", headers => ['Content-Type' => $type], body => $text) }
sub image { my (%o) = @_; return '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . desc($o{config} // EMPTY, '{}') . ',"layers":[]' . (defined $o{type} ? qq(,"artifactType":"$o{type}") : '') . ($o{subject} ? qq(,"subject":$o{subject}) : '') . ($o{more} // '') . '}' }
sub index_ { my (%o) = @_; return '{"schemaVersion":2,"mediaType":"' . OCI_INDEX . '","manifests":[]' . (defined $o{type} ? qq(,"artifactType":"$o{type}") : '') . ($o{subject} ? qq(,"subject":$o{subject}) : '') . ($o{more} // '') . '}' }
sub get { my ($d, $q, $repo) = @_; $repo //= 'ref/app'; return $s->req('GET', "/v2/$repo/referrers/$d" . ($q // '')) }
sub list { my $r = get(@_); return $r->status == 200 ? [sort { $a->{digest} cmp $b->{digest} } @{ $r->json->{manifests} }] : $r->status }
sub digests { my $l = list(@_); return ref $l ? [map { $_->{digest} } @$l] : $l }
sub want { return [sort @_] }

# nothing
my $none = sha256('nobody');
for my $c (['an unknown repository', $none, 'ref/none'], ['an unknown subject', $none, 'ref/app'], ['an unknown sha512 subject', sha512('nobody'), 'ref/app'], ['a name that is a route', $none, 'referrers/tags/list']) {
	my $r = get($c->[1], '', $c->[2]);
	is $r->status, 200, "$c->[0] is 200";
	is $r->body, NONE, "$c->[0] has the empty index, byte for byte";
	headers_are $r, { 'Content-Type' => OCI_INDEX, 'Content-Length' => length NONE, 'OCI-Filters-Applied' => undef, Link => undef }, "$c->[0]: type without charset, no filter, no Link";
	is common_fault($r), '', "$c->[0] carries the common headers";
	my $h = $s->req('HEAD', "/v2/$c->[2]/referrers/$c->[1]");
	is $h->status, 200, "HEAD of $c->[0] is 200";
	headers_are $h, { 'Content-Type' => OCI_INDEX, 'Content-Length' => length NONE }, "HEAD of $c->[0] has the headers of GET";
	is bytes_after_head($s, 'HEAD', "/v2/$c->[2]/referrers/$c->[1]"), '', "HEAD of $c->[0] has no body";
}
ok !-e data_dir($s) . '/repositories/ref/none', 'asking makes no repository';
is $s->req('GET', '/v2/_catalog')->body, qq({"repositories":["ref/app"]}\n), 'not in the catalog either';
(my $hex = $none) =~ s/.*://;
for my $bad ('latest', 'sha256:', 'sha256:abc', "sha256:${hex}0", 'sha256:' . uc $hex, "SHA256:$hex", "md5:$hex", "sha512:$hex", "sha384:$hex", $hex, 'sha256:' . 'g' x 64) {
	error_is get($bad), 400, 'DIGEST_INVALID', 'referrers of ' . substr($bad, 0, 20) . ' (' . length($bad) . ' bytes) is 400 DIGEST_INVALID';
}
error_is get($none, '', 'Ref/App'), 400, 'NAME_INVALID', 'a bad name is 400 NAME_INVALID';
is get($none =~ s/:/%3A/r)->body, NONE, 'the colon may be encoded';

# before its subject
my $subject = image(config => OCI_CONFIG);
my $d = sha256($subject);
my $to = desc(OCI_MANIFEST, $subject);
my $sig = image(subject => $to, type => 'application/vnd.example.signature', more => ',"annotations":{"org.example.by":"someone","x":"\u00e9\"\\\\"}');
my $r = put(sha256($sig), $sig);
is $r->status, 201, 'a referrer is pushed before its subject';
is $r->header('OCI-Subject'), $d, 'OCI-Subject names the subject';
my %entry = (sig => { mediaType => OCI_MANIFEST, digest => sha256($sig), size => length $sig, artifactType => 'application/vnd.example.signature', annotations => { 'org.example.by' => 'someone', x => "\x{e9}\"\\" } });
is_deeply list($d), [$entry{sig}], 'and listed with type, digest, size, artifactType and annotations';
error_is $s->req('GET', "/v2/ref/app/manifests/$d"), 404, 'MANIFEST_UNKNOWN', 'though the subject is not here';
is put('subject', $subject)->status, 201, 'the subject comes';
is put('subject', $subject)->header('OCI-Subject'), undef, 'which has none itself';
is_deeply list($d), [$entry{sig}], 'and has the referrer';

# the kinds
my %text = (
	'image without artifactType' => image(subject => $to, config => 'application/vnd.example.config+json'),
	'image with an empty artifactType' => image(subject => $to, config => 'application/vnd.example.empty+json', type => ''),
	'index with artifactType' => index_(subject => $to, type => 'application/vnd.example.set'),
	'index without artifactType' => index_(subject => $to),
	'image without annotations' => image(subject => $to, type => 'application/vnd.example.sbom'),
	'image with empty annotations' => image(subject => $to, type => 'application/vnd.example.sbom', more => ',"annotations":{}'),
	'image without inner mediaType' => image(subject => $to, type => 'application/vnd.example.bare') =~ s/"mediaType":"[^"]*",//r,
);
my %type = ('image without artifactType' => 'application/vnd.example.config+json', 'image with an empty artifactType' => 'application/vnd.example.empty+json',
	'index with artifactType' => 'application/vnd.example.set', 'index without artifactType' => undef, 'image without annotations' => 'application/vnd.example.sbom',
	'image with empty annotations' => 'application/vnd.example.sbom', 'image without inner mediaType' => 'application/vnd.example.bare');
for my $k (sort keys %text) {
	$r = $s->req('PUT', '/v2/ref/app/manifests/' . sha256($text{$k}), headers => ['Content-Type' => $k =~ /^index/ ? OCI_INDEX : OCI_MANIFEST], body => $text{$k});
	is $r->status, 201, "$k: pushed" or diag $r->body;
	is $r->header('OCI-Subject'), $d, "$k: OCI-Subject";
	my ($e) = grep { $_->{digest} eq sha256($text{$k}) } @{ list($d) };
	$entry{$k} = { mediaType => $k =~ /^index/ ? OCI_INDEX : OCI_MANIFEST, digest => sha256($text{$k}), size => length $text{$k} };
	$entry{$k}{artifactType} = $type{$k} if defined $type{$k};
	delete $e->{annotations} if ref($e->{annotations}) eq 'HASH' && !%{ $e->{annotations} };
	is_deeply $e, $entry{$k}, "$k: its descriptor";
}
my @all = map { $_->{digest} } values %entry;
is_deeply digests($d), want(@all), 'all are listed, each once';

# filter
for my $c (['application/vnd.example.signature', 'sig'], ['application/vnd.example.config+json', 'image without artifactType'], ['application/vnd.example.empty+json', 'image with an empty artifactType'],
	['application/vnd.example.set', 'index with artifactType'], ['application/vnd.example.sbom', 'image without annotations', 'image with empty annotations'], ['application/vnd.example.nobody'], ['application/vnd.example.se'], ['*']) {
	my ($t, @k) = @$c;
	$r = get($d, '?artifactType=' . $t =~ s/([^A-Za-z0-9._-])/sprintf '%%%02X', ord $1/ger);
	is_deeply [sort map { $_->{digest} } @{ $r->json->{manifests} }], want(map { $entry{$_}{digest} } @k), "the filter $t gives what is of that type";
	headers_are $r, { 'OCI-Filters-Applied' => 'artifactType', 'Content-Type' => OCI_INDEX, Link => undef }, "the filter $t is said to be applied";
}
is get($d, '?artifactType=application%2Fvnd.example.nobody')->body, NONE, 'a filter that nothing passes gives the empty index';
is get($d, '?artifactType=application/vnd.example.set')->header('OCI-Filters-Applied'), 'artifactType', 'the slash may be bare';
for my $q ('?artifactType=', '?artifactType', '?ns=docker.io', '?artifacttype=application/vnd.example.set') {
	$r = get($d, $q);
	is_deeply [sort map { $_->{digest} } @{ $r->json->{manifests} }], want(@all), "$q filters nothing";
	is $r->header('OCI-Filters-Applied'), undef, "$q is not said to be applied";
}
is get($none, '?artifactType=a/b', 'ref/none')->body, NONE, 'a filter in an unknown repository gives the empty index';

# those of another subject, of another repository
my $else = image(subject => desc(OCI_MANIFEST, 'something else'), type => 'application/vnd.example.signature');
put('else', $else);
is_deeply digests($d), want(@all), 'a manifest that names another subject is not listed';
is_deeply digests(sha256('something else')), [sha256($else)], 'but there';
is get($d, '', 'ref/twin')->body, NONE, 'another repository has none';

# sha512, both ways
my $other = image(config => OCI_CONFIG, more => ',"annotations":{"n":"512"}');
my $d512 = sha512($other);
my $to512 = sprintf '{"mediaType":"%s","digest":"%s","size":%d}', OCI_MANIFEST, $d512, length $other;
my ($a, $b) = map { image(subject => $to512, type => "application/vnd.example.$_") } 'a', 'b';
is put($d512, $other)->status, 201, 'a subject is pushed by sha512';
is put(sha256($a), $a)->header('OCI-Subject'), $d512, 'OCI-Subject is the sha512 digest that the referrer names';
is put(sha512($b), $b)->header('OCI-Subject'), $d512, 'a referrer is pushed by sha512';
is_deeply digests($d512), want(sha256($a), sha512($b)), 'both are listed, each by the digest that it was pushed with';
is get(sha256($other))->body, NONE, 'the sha256 of the same subject has none';
my $c512 = image(subject => $to, type => 'application/vnd.example.512');
put(sha512($c512), $c512);
is_deeply digests($d, '?artifactType=application/vnd.example.512'), [sha512($c512)], 'a sha512 referrer of a sha256 subject is listed';

# a referrer of a referrer
my $sig_sig = image(subject => desc(OCI_MANIFEST, $sig), type => 'application/vnd.example.countersignature');
put(sha256($sig_sig), $sig_sig);
is_deeply digests(sha256($sig)), [sha256($sig_sig)], 'a referrer has referrers of its own';

# gone with the manifest, and back with it
my $before = digests($d);
is $s->req('DELETE', '/v2/ref/app/manifests/' . sha256($sig))->status, 202, 'a referrer is deleted';
is_deeply digests($d), [grep { $_ ne sha256($sig) } @$before], 'and is not listed any more';
is get($d, '?artifactType=application/vnd.example.signature')->body, NONE, 'not by its type either';
is put('signature', $sig)->status, 201, 'it is pushed again, by tag';
is_deeply digests($d), $before, 'and is listed again';
is $s->req('DELETE', '/v2/ref/app/manifests/signature')->status, 202, 'its tag is deleted';
is_deeply digests($d), $before, 'which is not the referrer';
is put('signature', $sig)->status, 201, 'a push that changes nothing';
is_deeply digests($d), $before, 'lists nothing twice';
is $s->req('DELETE', "/v2/ref/app/manifests/$d")->status, 202, 'the subject is deleted';
is_deeply digests($d), $before, 'its referrers are still listed';
put('subject', $subject);
is_deeply digests($d), $before, 'also when it is back';
is $s->req('DELETE', '/v2/ref/app/manifests/' . sha512($c512))->status, 202, 'a sha512 referrer is deleted';
is get($d, '?artifactType=application/vnd.example.512')->body, NONE, 'and gone';

# many at once, for one subject
my $busy = desc(OCI_MANIFEST, 'busy');
my @r = run_parallel(8, sub {
	my ($i) = @_;
	my @made;
	for my $n (1 .. 12) {
		my $t = image(subject => $busy, more => qq(,"annotations":{"n":"$i.$n"}));
		my $r = put(sha256($t), $t);
		return "$i.$n: " . $r->status if $r->status != 201;
		return "$i.$n is not listed" if !grep { $_ eq sha256($t) } @{ digests(sha256('busy')) };
		if ($n % 3 == 0) {
			$s->req('DELETE', '/v2/ref/app/manifests/' . sha256($t));
			return "$i.$n is listed after its delete" if grep { $_ eq sha256($t) } @{ digests(sha256('busy')) };
		} else {
			push @made, sha256($t);
		}
	}
	return \@made;
});
is_deeply [grep { !ref } @r], [], 'eight clients add and delete referrers of one subject: each is listed at once, and not after its delete';
is_deeply digests(sha256('busy')), want(map { ref eq 'ARRAY' ? @$_ : () } @r), 'in the end all are there that should be';
is leftovers($s), '', 'nothing is left in body, tmp and trash';

# after a restart, and read-only
$before = digests($d);
$s->restart;
is_deeply digests($d), $before, 'a restart changes nothing';
$s->config("delete = true;\nreadonly = true;\n");
$s->restart;
is_deeply digests($d), $before, 'nor does reading only';
is_deeply digests(sha256('busy')), want(map { ref eq 'ARRAY' ? @$_ : () } @r), 'for many neither';
error_is $s->req('DELETE', '/v2/ref/app/referrers/' . $d), 405, 'UNSUPPORTED', 'there is nothing to delete at referrers';

done_testing;
