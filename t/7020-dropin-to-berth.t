#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A store that registry:2 wrote is served by berth, as it is.
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
mkdir $root;
my $other = Berth::Other->new(root => $root)->start;
my $c = Berth::Content->new;

sub status { my ($side, @req) = @_; return $side->req(@req)->status }
sub uploads { my ($repo) = @_; return join ' ', uploads_of($other, $repo) }

# --- what registry:2 writes

my $oci = $c->image($other, 'team/app', 'oci');
my $docker = $c->image($other, 'team/app', 'docker', type => DOCKER_MANIFEST, layers => ['a' x 5000, random_bytes(70_000), '']);
my $bare = $c->image($other, 'team/app', 'bare', bare => 1);
my $multi = $c->index($other, 'team/app', 'multi', OCI_INDEX, $oci, $bare);
my $list = $c->index($other, 'team/app', 'list', DOCKER_LIST, $docker);
my $nested = $c->index($other, 'team/app', undef, OCI_INDEX, $multi);
my $sbom = $c->image($other, 'team/app', undef, subject => $oci, artifactType => 'application/x.sbom', annotations => { made => 'by hand' });
my $sig = $c->image($other, 'team/app', 'sig', subject => $multi, artifactType => 'application/x.signature');
my $of_none = $c->image($other, 'team/app', undef, subject => $bare, artifactType => 'application/x.sbom');
(my $fallback = $oci) =~ tr/:/-/;
$c->image($other, 'team/app', $fallback);
$c->image($other, 'team', 'v1');
$c->image($other, 'team/app/deep/er', 'v1');
$c->image($other, 'team-a/app', 'v1');
$c->retag($other, 'team/app', $_, $oci) for 'moved', 'also';
$c->retag($other, 'team/app', 'moved', $_) for $docker, $bare, $multi, $docker;
my $gone = $c->image($other, 'emptied', 'v1');
$c->retag($other, 'emptied', 'v2', $gone);
$c->delete_manifest($other, 'emptied', $gone);
my $lost = $c->image($other, 'team/app', 'lost');
$c->delete_manifest($other, 'team/app', $lost);
my @app_blobs = sort keys %{ $c->repo('team/app')->{blobs} };
$c->mount($other, 'mounts/only', 'team/app', $_) for @app_blobs[0 .. 2];
my $mounted = $c->image($other, 'mounts/only', 'v1', layers => [$c->bytes($app_blobs[0])], config => $c->bytes($app_blobs[1]));
my $sha512 = $c->image($other, 'long/digests', 'v1', alg => 'sha512', layers => ["sixty-four bytes of hash\n" . 'z' x 3000]);
my $dropped = $c->blob($other, 'team/app', "a blob that is deleted\n");
$c->delete_blob($other, 'team/app', $dropped);
my %upload = map { ($_ => $c->begin($other, 'team/app', 'half of it')) } qw(finish chunk cancel wrong);
my $alone = $c->begin($other, 'uploads/alone', 'begun');
my $none = $c->begin($other, 'uploads/alone', '');

$c->skopeo_image($other, "$dir/layout");
is $c->faults($other), '', 'registry:2 serves what it was given';
$other->stop;

my $schema1 = '{"schemaVersion":1,"name":"old/app","tag":"one","architecture":"amd64","fsLayers":[{"blobSum":"' . sha256('old layer')
	. '"}],"history":[{"v1Compatibility":"{}"}],"signatures":[]}';
lay_blob($other, 'old/app', 'old layer');
$c->note_blob('old/app', sha256('old layer'), 'old layer');
$c->note_manifest('old/app', lay_manifest($other, 'old/app', $schema1, 'one'), 'application/vnd.docker.distribution.manifest.v1+prettyjws', $schema1, 'one');

# --- berth serves it

my $b = Berth::Server->start(root => $root, config => "delete = true;\n");
my $before = $b->tree_digest;
{
	# registry:2 has two types for schema 1, and berth tells one of them
	my $type = $b->req(HEAD => '/v2/old/app/manifests/one')->header('Content-Type');
	like $type, qr{\Aapplication/vnd\.docker\.distribution\.manifest\.v1\+(json|prettyjws)\z}, 'a schema 1 manifest has a type of its own';
	$c->repo('old/app')->{manifests}{ sha256($schema1) } = $type;
}
is $c->faults($b), '', 'berth serves all of it: catalog, tags, every manifest byte for byte with its type, blobs, ranges, referrers';
is $other->tree_digest, $before, 'and changes nothing by serving it';
is join(' ', $c->referrers('team/app', $oci)), $sbom, 'the artifact is among what was compared';
my $r = $b->req(GET => "/v2/team/app/referrers/$oci?artifactType=application/x.sbom");
is_deeply $r->json->{manifests}, [{ mediaType => OCI_MANIFEST, digest => $sbom, size => length $c->bytes($sbom),
	artifactType => 'application/x.sbom', annotations => { made => 'by hand' } }], 'its descriptor is whole';
is $b->req(GET => "/v2/team/app/referrers/$oci?artifactType=application/x.none")->body =~ /"manifests":\[\]/ ? 1 : 0, 1, 'and is filtered by its type';
is status($b, GET => "/v2/emptied/manifests/$_"), 404, "a manifest that registry:2 deleted is 404 ($_)" for 'v1', 'v2', $gone;
is status($b, GET => "/v2/team/app/blobs/$dropped"), 404, 'so is a blob that it deleted';
is $b->req(GET => '/v2/emptied/tags/list')->body, qq({"name":"emptied","tags":null}\n), 'a repository whose tags are gone has null';
is status($b, GET => '/v2/uploads/alone/tags/list'), 404, 'a repository that has uploads alone is none';
my $long = sha512("sixty-four bytes of hash\n" . 'z' x 3000);
is $b->req(GET => "/v2/long/digests/blobs/$long")->body, "sixty-four bytes of hash\n" . 'z' x 3000, 'a sha512 digest, whose link holds a sha256 one, finds its bytes';
is status($b, GET => "/v2/team/app/blobs/$long"), 404, 'in its repository alone';
$r = run(Berth::Client::skopeo('copy', '-q', '--all', '--preserve-digests', '--src-tls-verify=false', 'docker://' . $b->host . '/from/skopeo:v1', "oci:$dir/back:v1"));
is_deeply [$r->{err}, Berth::Client::blob_files("$dir/back")], ['', Berth::Client::blob_files("$dir/layout")], 'skopeo pulls from berth what it pushed to registry:2';

# --- uploads

is upload_range($b, "/v2/team/app/blobs/uploads/$upload{$_}"), '0-9', "an unfinished upload of registry:2 is there ($_)" for sort keys %upload;
is upload_range($b, "/v2/uploads/alone/blobs/uploads/$alone"), '0-4', 'also where its repository is none yet';
is $c->finish($b, 'team/app', $upload{finish}, 'half of it', '')->status, 201, 'one is finished as it is';
is $c->finish($b, 'team/app', $upload{chunk}, 'half of it', ', and the rest' x 1000)->status, 201, 'one is gone on with and finished';
is status($b, DELETE => "/v2/team/app/blobs/uploads/$upload{cancel}"), 204, 'one is cancelled';
is status($b, PUT => "/v2/team/app/blobs/uploads/$upload{wrong}?digest=" . sha256('x'), headers => ['Content-Length' => 0]), 400, 'one is refused with another digest';
is uploads('team/app'), '', 'no file of theirs is left, those of its hash neither';
is $c->finish($b, 'uploads/alone', $alone, 'begun', ' and done', alg => 'sha512')->status, 201, 'one is finished under a sha512 digest';
is $c->finish($b, 'uploads/alone', $none, '', 'first bytes')->status, 201, 'one that had no byte is finished';
is uploads('uploads/alone'), '', 'and nothing is left of these two';
is $c->faults($b), '', 'what they made is served';

# --- deletes and pushes

$c->delete_tag($b, 'team/app', 'also');
$c->delete_manifest($b, 'team/app', $docker);
$c->delete_manifest($b, 'team/app', $sbom);
$c->delete_manifest($b, 'mounts/only', $mounted);
$c->delete_manifest($b, 'old/app', sha256($schema1));
$c->delete_blob($b, 'mounts/only', $app_blobs[2]);
is $c->faults($b), '', 'deletes of what registry:2 wrote work: of a tag, of manifests with all their tags, of a referrer, of a blob';
ok !-e tag_link($b, 'team/app', $_), "the tag is gone from the disk ($_)" for 'docker', 'moved', 'also';
$c->retag($b, 'team/app', 'moved', $oci);
$c->retag($b, 'team/app', 'oci', $bare);
my $new = $c->image($b, 'team/app', 'new', subject => $bare, artifactType => 'application/x.sbom', alg => 'sha512');
$c->image($b, 'new/one', 'v1', type => DOCKER_MANIFEST);
$c->mount($b, 'new/one', 'team/app', $app_blobs[0]);
$c->index($b, 'team/app', 'multi', OCI_INDEX, $oci, $bare, $new);
$c->image($b, 'emptied', 'v1');
is $c->faults($b), '', 'pushes on top of it work, and tags move';
is join(' ', $c->referrers('team/app', $bare)), join(' ', sort $of_none, $new), 'a subject has a referrer by either registry';
$b->restart;
is $c->faults($b), '', 'all is the same after a restart';
is leftovers($b), '', 'nothing is left in body, tmp and trash';
ok !(grep { ($_->{status} // 0) >= 500 } $b->log_events), 'no request of all these ended with 5xx';
$b->stop;

done_testing;
