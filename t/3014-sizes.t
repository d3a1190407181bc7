#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The sizes that a manifest gives, against those of the content that the repository has.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start;
my ($config, $layer, $other) = ('{}', 'a layer', 'another layer');
my ($cd, $ld, $od) = map { $s->push_blob('sz/app', $_) } $config, $layer, $other;
sub put { my ($tag, $type, $text) = @_; return $s->req('PUT', "/v2/sz/app/manifests/$tag", body => $text, headers => ['Content-Type' => $type]) }
# an image that gives these sizes
sub image
{
	my ($c, $l, $o, $more) = @_;
	my $layers = join ',', map { qq({"mediaType":"@{[OCI_LAYER]}","digest":"$_->[0]","size":$_->[1]}) } [$ld, $l], [$od, $o];

	return qq({"schemaVersion":2,"mediaType":"@{[OCI_MANIFEST]}","config":{"mediaType":"@{[OCI_CONFIG]}","digest":"$cd","size":$c},"layers":[$layers]@{[$more // '']}});
}
my $right = image(2, 7, 13);
is put('right', OCI_MANIFEST, $right)->status, 201, 'right sizes are accepted';
my $rd = sha256($right);
my $before = $s->tree_digest;
for my $c (['of the config', image(3, 7, 13), $cd, 2, 3], ['of a layer', image(2, 8, 13), $ld, 7, 8], ['of the last layer', image(2, 7, 0), $od, 13, 0],
	['of a huge layer', image(2, 9223372036854775807, 13), $ld, 7, '9223372036854775807']) {
	my ($what, $text, $d, $has, $given) = @$c;
	error_is put('wrong', OCI_MANIFEST, $text), 400, 'MANIFEST_INVALID', "a wrong size $what is refused", qr/^"\Q$d\E has $has bytes, the manifest says $given"$/;
}
sub index_with { my ($size) = @_; return qq({"schemaVersion":2,"mediaType":"@{[OCI_INDEX]}","manifests":[{"mediaType":"@{[OCI_MANIFEST]}","digest":"$rd","size":$size}]}) }
error_is put('wrong', OCI_INDEX, index_with(1)), 400, 'MANIFEST_INVALID', 'a wrong size of a child is refused', qr/has \d+ bytes, the manifest says 1"/;
sub subject { my ($d, $size) = @_; return qq(,"subject":{"mediaType":"@{[OCI_MANIFEST]}","digest":"$d","size":$size}) }
error_is put('wrong', OCI_MANIFEST, image(2, 7, 13, subject($rd, 1))), 400, 'MANIFEST_INVALID', 'and one of the subject';
error_is put('wrong', OCI_MANIFEST, image(2, 7, 13) =~ s/\Q$ld\E","size":7/@{[sha256('none')]}","size":7/r =~ s/13/14/r), 400, 'MANIFEST_BLOB_UNKNOWN', 'what is missing is said first: a client can push it';
is $s->tree_digest =~ s/\S+collect\S*//gr, $before =~ s/\S+collect\S*//gr, 'nothing of all that is stored';
is put('index', OCI_INDEX, index_with(length $right))->status, 201, 'the right size of a child is accepted';
is put('refers', OCI_MANIFEST, image(2, 7, 13, subject($rd, length $right)))->status, 201, 'and that of a subject';
is put('ahead', OCI_MANIFEST, image(2, 7, 13, subject(sha256('to come'), 1)))->status, 201, 'a subject that is not there has no size';

# the other setting
$s->config("manifests = { sizes = \"warn\"; };\n");
$s->restart;
is put('warned', OCI_MANIFEST, image(3, 8, 13))->status, 201, 'with "warn" a wrong size is accepted';
my ($e) = grep { ($_->{event} // '') eq 'wrong_size' } $s->log_events;
like $e->{message} // $e->{msg} // join(' ', %$e), qr{sz/app.*\Q$cd\E.*3 bytes.*2.*2 such}, 'and the log says which';
is put('warned', OCI_MANIFEST, $right)->status, 201, 'a right one';
is scalar(grep { ($_->{event} // '') eq 'wrong_size' } $s->log_events), 1, 'is not mentioned';
$s->stop;

# what is not in the repository has no size
$s = Berth::Server->start(config => "manifests = { sparse = \"all\"; };\n");
is $s->req('PUT', '/v2/sz/app/manifests/x', body => image(1, 2, 3), headers => ['Content-Type' => OCI_MANIFEST])->status, 201, 'sizes of missing blobs are not known';
$s->stop;

done_testing;
