#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A store that berth wrote is served by registry:2, as it is.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Client ();
use Berth::Content;
use Berth::Other;

need_program('docker-registry', 'skopeo');

my $dir = tmp_dir();
my $root = "$dir/store";
my $b = Berth::Server->start(root => $root, config => "delete = true;\n");
my $other = Berth::Other->new(root => $root);
my $c = Berth::Content->new;

sub status { my ($side, @req) = @_; return $side->req(@req)->status }
# Uploads under way: registry:2 leaves states of its hash of those that it cancels, of its own too.
sub uploads
{
	my ($repo) = @_;
	my $dir = data_dir($b) . "/repositories/$repo/_uploads";

	return join " ", grep { grep { !m{^hashstates/} } files_below("$dir/$_") } uploads_of($b, $repo);
}
sub pulled { my ($side, $from, $to) = @_; return run(Berth::Client::skopeo('copy', '-q', '--all', '--preserve-digests', '--src-tls-verify=false', 'docker://' . $side->host . "/$from", $to))->{err} }

# --- what berth writes

my $oci = $c->image($b, 'team/app', 'oci');
my $docker = $c->image($b, 'team/app', 'docker', type => DOCKER_MANIFEST, layers => ['a' x 5000, random_bytes(70_000), '']);
my $bare = $c->image($b, 'team/app', 'bare', bare => 1);
my $multi = $c->index($b, 'team/app', 'multi', OCI_INDEX, $oci, $bare);
my $list = $c->index($b, 'team/app', 'list', DOCKER_LIST, $docker);
my $nested = $c->index($b, 'team/app', undef, OCI_INDEX, $multi);
my $sbom = $c->image($b, 'team/app', undef, subject => $oci, artifactType => 'application/x.sbom', annotations => { made => 'by hand' });
$c->image($b, 'team/app', 'sig', subject => $multi, artifactType => 'application/x.signature');
$c->image($b, 'team', 'v1');
$c->image($b, 'team/app/deep/er', 'v1');
$c->image($b, 'team-a/app', 'v1');
$c->retag($b, 'team/app', $_, $oci) for 'moved', 'also', 'mine';
$c->retag($b, 'team/app', 'moved', $_) for $docker, $bare, $multi, $docker;
my $gone = $c->image($b, 'emptied', 'v1');
$c->retag($b, 'emptied', 'v2', $gone);
$c->delete_manifest($b, 'emptied', $gone);
my $lost = $c->image($b, 'team/app', 'lost');
$c->delete_manifest($b, 'team/app', $lost);
$c->delete_tag($b, 'team/app', 'also');
my @app_blobs = sort keys %{ $c->repo('team/app')->{blobs} };
$c->mount($b, 'mounts/only', 'team/app', $_) for @app_blobs[0 .. 2];
$c->image($b, 'mounts/tagged', 'v1', layers => [$c->bytes($app_blobs[0])], config => $c->bytes($app_blobs[1]));
my $sha512 = $c->image($b, 'long/digests', 'v1', alg => 'sha512', layers => ["sixty-four bytes of hash\n" . 'z' x 3000]);
my $by512 = $c->manifest($b, 'long/digests', undef, OCI_MANIFEST, $c->bytes($sha512) . ' ', alg => 'sha512');
my $tagged512 = $c->manifest($b, 'long/digests', undef, OCI_MANIFEST, $c->bytes($sha512) . '  ', alg => 'sha512');
is status($b, PUT => "/v2/long/digests/manifests/$tagged512?tag=sha512", body => $c->bytes($tagged512), headers => ['Content-Type' => OCI_MANIFEST]), 201, 'a tag is put on a manifest by its sha512 digest';
$c->repo('long/digests')->{tags}{sha512} = $tagged512;
my $dropped = $c->blob($b, 'team/app', "a blob that is deleted\n");
$c->delete_blob($b, 'team/app', $dropped);
my %upload = map { ($_ => $c->begin($b, 'team/app', 'half of it')) } qw(finish chunk cancel back);
my $alone = $c->begin($b, 'uploads/alone', 'begun');
my $none = $c->begin($b, 'uploads/alone', '');

$c->skopeo_image($b, "$dir/layout");
is $c->faults($b), '', 'berth serves what it was given';
$b->stop;

# --- registry:2 serves it

my $before = $other->tree_digest;
$other->start;
is $c->faults($other), '', 'registry:2 serves all of it: catalog, tags, every manifest byte for byte with its type, blobs, ranges, sha512 content';
is $other->tree_digest, $before, 'and changes nothing by serving it';
is status($other, GET => "/v2/emptied/manifests/$_"), 404, "a manifest that berth deleted is 404 ($_)" for 'v1', 'v2', $gone;
is $other->req(GET => '/v2/emptied/tags/list')->body, qq({"name":"emptied","tags":null}\n), 'a repository whose tags berth removed has null';
is_deeply [pulled($other, 'from/skopeo:v1', "oci:$dir/back:v1"), Berth::Client::blob_files("$dir/back")],
	['', Berth::Client::blob_files("$dir/layout")], 'skopeo pulls from registry:2 what it pushed to berth';

# --- uploads

for my $case (sort keys %upload) {
	my $r = $other->req(GET => $other->upload_location('team/app', $upload{$case}, 10));
	is $r->status . ' ' . ($r->header('Range') // ''), '204 0-9', "an unfinished upload of berth is there, the time of its beginning read ($case)";
}
is $c->finish($other, 'team/app', $upload{finish}, 'half of it', '')->status, 201, 'one is finished as it is';
is $c->finish($other, 'team/app', $upload{chunk}, 'half of it', ', and the rest' x 1000)->status, 201, 'one is gone on with and finished';
is status($other, DELETE => $other->upload_location('team/app', $upload{cancel}, 10)), 204, 'one is cancelled';
is status($other, PATCH => $other->upload_location('team/app', $upload{back}, 10), body => ' more', headers => ['Content-Type' => 'application/octet-stream']), 202, 'one gets some bytes more';
is uploads('team/app'), $upload{back}, 'of the others nothing is left';
is $c->finish($other, 'uploads/alone', $alone, 'begun', ' and done')->status, 201, 'one is finished whose repository was none yet';
is status($other, DELETE => $other->upload_location('uploads/alone', $none, 0)), 204, 'one that has no byte is cancelled';
is uploads('uploads/alone'), '', 'and nothing is left of these two';
is $c->faults($other), '', 'what they made is served';

# --- deletes and pushes

$c->retag($other, 'team/app', 'mine', $bare);
is slurp(tag_link($b, 'team/app', 'mine')), $bare, 'registry:2 moves a tag of berth';
$c->delete_manifest($other, 'team/app', $docker);
$c->delete_manifest($other, 'team/app', $sbom);
$c->delete_blob($other, 'mounts/only', $app_blobs[2]);
is $c->faults($other), '', 'it deletes manifests of berth, with all their tags, and blobs';
my $on_top = $c->image($other, 'team/app', 'new', subject => $bare, artifactType => 'application/x.sbom', layers => [$c->bytes($app_blobs[3]), 'a new layer']);
$c->image($other, 'new/one', 'v1', type => DOCKER_MANIFEST);
$c->mount($other, 'new/one', 'team/app', $app_blobs[0]);
$c->index($other, 'team/app', 'multi', OCI_INDEX, $oci, $on_top);
$c->image($other, 'emptied', 'v1');
$c->retag($other, 'long/digests', 'sha512', $sha512);
is $c->faults($other), '', 'pushes on top of it work, also where all is there already';
$other->stop;

# --- and berth again

$b = Berth::Server->start(root => $root, config => "delete = true;\n");
is $c->faults($b), '', 'berth serves what became of its store, the referrers of both';
is join(' ', $c->referrers('team/app', $bare)), $on_top, 'one that registry:2 wrote is among them';
is status($b, GET => "/v2/team/app/blobs/uploads/$upload{cancel}"), 404, 'the upload that registry:2 cancelled is unknown';
is $c->finish($b, 'team/app', $upload{back}, 'half of it more', ' than that')->status, 201, 'an upload that both went on with is finished';
is uploads('team/app'), '', 'and nothing is left of it';
is $c->faults($b), '', 'what it made is served';
ok !(grep { ($_->{status} // 0) >= 500 } $b->log_events), 'no request of all these ended with 5xx';
$b->stop;

done_testing;
