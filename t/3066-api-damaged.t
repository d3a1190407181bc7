#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Lists of what is damaged, and of what was made to be expensive: rows without what is not known, and answers that are bounded.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Berth::Test;
use Berth::Check;
use Berth::Repo;

my $s = Berth::Server->start(config => "delete = true;\n", workers => 2);
my $json = JSON::PP->new->canonical->utf8;
sub tags { my ($query, @o) = @_; return $s->req(GET => "/berth/v1/repos/team/app/tags?$query", @o) }
sub names { my ($r) = @_; return join ' ', map { $_->{tag} } @{ $r->json->{tags} // [] } }
sub described { return JSON::PP::decode_json(desc(@_)) }

my $config = '{"os":"linux","architecture":"amd64"}';
$s->push_image('team/app', $_, type => 'oci', config => $config) for qw(1 2);
my ($other) = $s->push_image('team/app', '3', type => 'oci', config => '{"os":"linux","architecture":"s390x"}');

# a row of the summary that no berth has written
my $summary = $s->root . '/berth/index/team/app/_summary';
is names(tags('sort=name')), '1 2 3', 'a list';
my ($key, $digest) = ('k' x 250, "sha256:" . 'a' x 64);
spew($summary, slurp($summary) . "\n?n $key ;\n\n=0000000000000001 $key $digest 0 0 0 0 b1 ;\n");
for my $query ('sort=name', 'sort=name&order=desc', 'sort=pushed', 'sort=size', 'q=k') {
	my $r = tags($query);
	is $r->status, 200, "$query: a row that is none is left out" or diag $r->as_string;
	is join(' ', sort split / /, names($r)), $query eq 'q=k' ? '' : '1 2 3', 'and the others are there';
}

# a configuration whose link is damaged, in the next epoch
spew(layer_link($s, 'team/app', sha256($config)), 'x' x 71);
unlink $summary;
$s->restart;
my $r = tags('sort=name');
is $r->status, 200, 'a list of what is damaged' or diag $r->as_string;
is names($r), '1 2 3', 'has every tag';
is_deeply [map { $_->{platforms} } @{ $r->json->{tags} }], [undef, undef, ['linux/s390x']], 'without what is not known of it';
is $s->push_image('team/app', 'new', type => 'oci', config => '{"os":"linux"}', layers => ['new']) ? 1 : 0, 1, 'a push goes on';
is $s->req(DELETE => '/v2/team/app/manifests/3')->status, 202, 'and a delete';
is names(tags('sort=name')), '1 2 new', 'and shows';

# what refers to an image counts if it is there
my ($subject, $sm) = $s->push_image('team/app', 'signed', type => 'oci', config => '{"os":"linux"}', layers => ['signed']);
$s->push_blob('team/app', $_) for '{}', 'a signature';
my $count = sub { my ($row) = grep { $_->{tag} eq 'signed' } @{ tags('q=signed')->json->{tags} }; return $row->{signatures} };
my @sig = map { $json->encode({ %{ JSON::PP::decode_json(image_of(OCI_MANIFEST, '{}', 'a signature')) }, artifactType => 'application/vnd.dev.cosign.artifact.sig.v1+json',
	annotations => { n => "$_" }, subject => described(OCI_MANIFEST, $sm) }) } 1 .. 2;
is $s->push_manifest('team/app', sha256($_), $_, OCI_MANIFEST)->status, 201, 'a signature' for @sig;
is $count->(), 2, 'is counted';
unlink revision_link($s, 'team/app', sha256($sig[0])) or die $!;
$s->restart;
is $count->(), 1, 'an entry of the index alone is not';
is $s->push_manifest('team/app', sha256($sig[0]), $sig[0], OCI_MANIFEST)->status, 201, 'until it is pushed again';
is $count->(), 2, 'and then it is';
# what fsck finds of the summary now: that it is wrong
my $wrong = sub { return join ' ', grep { /index-summary/ } fsck_kinds($s) };
unlink blob_file($s, sha256($sig[1])) or die $!;
is $s->req(DELETE => '/v2/team/app/manifests/' . sha256($sig[1]))->status, 202, 'one goes whose bytes are gone, so that nobody can say what it referred to';
is $count->(), 1, 'and is counted no more';
is $wrong->(), '', '... nor by fsck';
is $s->push_manifest('team/app', sha256($sig[1]), $sig[1], OCI_MANIFEST)->status, 201, 'it comes back';
is $count->(), 2, 'and counts';
# a link of the right length that is none: it counts until fsck looks at it
unlink blob_file($s, sha256($sig[1])) or die $!;
spew(revision_link($s, 'team/app', sha256($sig[1])), 'x' x 71);
unlink $summary;
is $count->(), 2, 'one whose link is damaged counts';
berth($s, 'fsck', '--repair');
is $count->(), 1, '... until fsck removes it';
is $wrong->(), '', '... and nothing is wrong';

# a tag that fsck removes has no row
is tags('sort=name')->json->{total}, 4, 'four tags';
unlink tag_link($s, 'team/app', '2') or die $!;
my $fsck = berth($s, 'fsck', '--repair');
is names(tags('sort=name')), '1 new signed', 'one that was removed is in no list' or diag shown($fsck);

# an index of indexes of large manifests: what is read is bounded, and what is not read is what the index claims
my $pad = 'x' x (3 << 20);
my @inner;
for my $i (1 .. 4) {
	my @large;
	for my $k (1 .. 4) {
		$s->push_blob('team/app', '{}');
		my $m = $json->encode({ %{ JSON::PP::decode_json(image_of(OCI_MANIFEST, '{}')) }, annotations => { pad => "$i.$k$pad" } });
		my $put = $s->push_manifest('team/app', sha256($m), $m, OCI_MANIFEST);
		die $put->as_string if $put->status != 201;
		push @large, described(OCI_MANIFEST, $m);
	}
	my $index = $json->encode({ schemaVersion => 2, mediaType => OCI_INDEX, manifests => \@large });
	die if $s->push_manifest('team/app', sha256($index), $index, OCI_INDEX)->status != 201;
	push @inner, [$index, described(OCI_INDEX, $index)];
}
my $outer = $json->encode({ schemaVersion => 2, mediaType => OCI_INDEX, manifests => [map { $_->[1] } @inner] });
is $s->push_manifest('team/app', 'large', $outer, OCI_INDEX)->status, 201, 'an index of indexes';
$r = $s->req(GET => '/berth/v1/repos/team/app/manifests/large');
is $r->status, 200, 'is told of' or diag $r->as_string;
is_deeply [map { $_->{here} ? 1 : 0 } @{ $r->json->{manifests} }], [1, 1, 1, 1], 'with all that it names';
is $r->json->{manifests}[3]{bytes}, length $inner[3][0], 'the last one with what the index claims, since the others were much to read';
ok $r->json->{manifests}[0]{here}, 'each is here';
$s->stop;
done_testing;
