#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The collector of registry:2 over a store that berth wrote, that of berth over one that registry:2 wrote, and one after
# the other. What registry:2's -m deletes is said where it is looked at: operators ask.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Content;
use Berth::Other;

need_program('docker-registry');

my $dir = tmp_dir();

sub status { my ($side, @req) = @_; return $side->req(@req)->status }
sub berth { my ($root) = @_; return Berth::Server->start(root => $root, config => "delete = true;\n") }
sub on_disk { my ($root) = @_; return scalar grep { m{/data\z} } files_below("$root/docker/registry/v2/blobs") }

# The same on either side, as far as it goes there: { name of a piece => digest }.
sub fill
{
	my ($c, $side, %o) = @_;
	my %d;

	$d{image} = $c->image($side, 'app', 'image');
	$d{docker} = $c->image($side, 'app', 'docker', type => DOCKER_MANIFEST);
	$d{child} = $c->image($side, 'app', undef);
	$d{tagged_child} = $c->image($side, 'app', 'child');
	$d{index} = $c->index($side, 'app', 'index', OCI_INDEX, $d{child}, $d{tagged_child});
	$d{inner_child} = $c->image($side, 'app', undef);
	$d{inner} = $c->index($side, 'app', undef, OCI_INDEX, $d{inner_child});
	$d{outer} = $c->index($side, 'app', 'outer', OCI_INDEX, $d{inner});
	$d{sbom} = $c->image($side, 'app', undef, subject => $d{image}, artifactType => 'application/x.sbom');
	$d{of_sbom} = $c->image($side, 'app', undef, subject => $d{sbom}, artifactType => 'application/x.signature');
	$d{tagged_sbom} = $c->image($side, 'app', 'sbom', subject => $d{image}, artifactType => 'application/x.sbom');
	$d{of_none} = $c->image($side, 'app', undef, subject => sha256('never pushed'), artifactType => 'application/x.sbom');
	$d{untagged} = $c->image($side, 'app', undef);
	$d{moved} = $c->image($side, 'app', 'moved');
	$c->retag($side, 'app', 'moved', $d{docker});
	$d{long} = $c->image($side, 'long', 'v1', alg => 'sha512');
	$d{by512} = $c->manifest($side, 'long', undef, OCI_MANIFEST, $c->bytes($d{long}) . ' ', alg => 'sha512') if $o{sha512};
	# content in two repositories, tagged in one of them
	$d{twin} = $c->image($side, 'app', undef, layers => ['of two'], config => '{"of":2}');
	$c->image($side, 'app/twin', 'v1', layers => ['of two'], config => '{"of":2}');
	$d{deleted} = $c->image($side, 'app', undef, layers => ["in a deleted image\n"]);
	$c->delete_manifest($side, 'app', $d{deleted});
	$d{unnamed} = $c->blob($side, 'app', "no manifest names it\n");
	$c->mount($side, 'mounted', 'app', $d{unnamed});
	$c->image($side, 'emptied', 'v1');
	$c->delete_manifest($side, 'emptied', $c->repo('emptied')->{tags}{v1});
	$d{upload} = $c->begin($side, 'app', 'begun');
	return \%d;
}

sub tagged_faults
{
	my ($c, $side, @but) = @_;
	my %but = map { ($_ => 1) } @but;
	my @faults;

	for my $repo ($c->names) {
		my $tags = $c->repo($repo)->{tags};
		push @faults, map { $c->incomplete($side, $repo, $tags->{$_}) } grep { !$but{$_} } sort keys %$tags;
	}
	return join "\n", grep { length } @faults;
}

# --- registry:2 collects what berth wrote

my $root = "$dir/berth";
my $b = berth($root);
my $c = Berth::Content->new;
my $d = fill($c, $b, sha512 => 1);
is $c->faults($b), '', 'berth serves what it was given';
$b->stop;
my $other = Berth::Other->new(root => $root);
my $said = $other->collect('--dry-run');
is $said->{status}, 0, "registry:2's collector goes over a store of berth, dry";
$said = $other->collect;
is $said->{status}, 0, "registry:2's collector goes through" or diag $said->{err};
ok !-e $other->blob_path($d->{$_}), "content that nothing names is gone ($_)" for 'deleted', 'unnamed';
my $gone = $c->only_referenced;
ok scalar(grep { $_ eq $d->{unnamed} } @{ $gone->{app} }), 'as it has to be';
$b = berth($root);
is $c->faults($b), '', 'after it berth serves every manifest, tagged or not, and all blobs that they name';
is tagged_faults($c, $b), '', 'every tagged image is whole, down to the children of indexes';
is status($b, $_ => "/v2/app/blobs/$d->{unnamed}"), 404, "a blob whose bytes it took is 404, its link being left ($_)" for 'GET', 'HEAD';
ok -e layer_link($b, 'mounted', $d->{unnamed}), 'its link in another repository is left as well';
is status($b, POST => "/v2/new/blobs/uploads/?mount=$d->{unnamed}&from=mounted", headers => ['Content-Length' => 0]), 202, 'it can not be mounted';
my ($json, $type) = $b->image_manifest(type => 'oci', config => "no manifest names it\n");
is $b->push_manifest('mounted', 'broken', $json, $type)->code, 'MANIFEST_BLOB_UNKNOWN', 'a manifest that names it is refused';
$c->blob($b, 'mounted', "no manifest names it\n");
is $b->push_manifest('mounted', 'mended', $json, $type)->status, 201, 'and taken when it was pushed again';
$c->note_manifest('mounted', sha256($json), $type, $json, 'mended');
is status($b, GET => "/v2/app/blobs/uploads/$d->{upload}"), 204, 'the unfinished upload is there';
is $c->faults($b), '', 'all is well after that';
$b->stop;

# --- with -m

$said = $other->collect('-m');
is $said->{status}, 0, "registry:2's collector with -m goes through" or diag $said->{err};
$c->only_tagged;
my @left = grep { $c->repo('app')->{manifests}{ $d->{$_} } } sort keys %$d;
is "@left", 'docker image index outer tagged_child tagged_sbom', 'a tag is what keeps a manifest with -m, nothing else';
$b = berth($root);
is $c->faults($b), '', 'what has a tag is served by berth, the rest is gone: manifests, referrers, blobs';
my %why = (
	child => 'the child of a tagged index', inner => 'the index in a tagged index', inner_child => 'and its child',
	sbom => 'an untagged referrer of a tagged image', of_sbom => 'and its referrer', of_none => 'one whose subject never came',
	untagged => 'an image without tag', moved => 'one whose tag moved on', twin => 'one that has a tag in another repository alone',
);
is status($b, GET => "/v2/app/manifests/$d->{$_}"), 404, "registry:2's -m deletes $why{$_}" for sort keys %why;
is status($b, GET => "/v2/long/manifests/$d->{by512}"), 404, "registry:2's -m deletes a manifest of a sha512 digest without tag";
is tagged_faults($c, $b, 'index', 'outer'), '', 'every tagged image that is no index is whole';
is status($b, GET => "/v2/app/manifests/index"), 200, 'an index that has lost its child is still served';
is $c->incomplete($b, 'app', $d->{tagged_child}), '', 'and so is that child of it that has a tag';
is status($b, PUT => '/v2/app/manifests/again', body => $c->bytes($d->{index}), headers => ['Content-Type' => OCI_INDEX]), 400, 'but it can not be pushed any more';
sleep 2;
$said = Berth::Content::berth_gc($root, '--grace', '0s', '--untagged');
is $said->{status}, 0, "berth's collector goes over what is left, while it is served" or diag $said->{err};
unlike $said->{out}, qr/^unreadable /m, 'and finds nothing that it can not read';
is $c->faults($b), '', 'and takes nothing that counts';
is_deeply [grep { -e $_ } map { layer_link($b, $_, $d->{unnamed}) } 'app'], [], 'links that registry:2 left without bytes are gone';
$b->stop;
is $other->collect('-m')->{status}, 0, "registry:2's collector goes through once more";
$other->start;
is $c->faults($other), '', 'and all is served by registry:2';
$other->stop;

# --- berth collects what registry:2 wrote

$root = "$dir/other";
mkdir $root;
$other = Berth::Other->new(root => $root)->start;
$c = Berth::Content->new;
$d = fill($c, $other);
my $cancelled = $c->begin($other, 'app', 'to be cancelled');
status($other, DELETE => $other->upload_location('app', $cancelled, 15));
is $c->faults($other), '', 'registry:2 serves what it was given';
$other->stop;
$b = berth($root);
$b->stop;
sleep 2;
$said = Berth::Content::berth_gc($root, '--grace', '24h');
is $said->{status}, 0, 'berth collects with a grace of a day';
is join(' ', grep { !-e $other->blob_path($d->{$_}) } 'deleted', 'unnamed'), '', 'and takes nothing that is younger';
$said = Berth::Content::berth_gc($root, '--grace', '0s');
is $said->{status}, 0, 'berth collects with no grace' or diag $said->{err};
ok !-e $other->blob_path($d->{$_}), "content that nothing names is gone ($_)" for 'deleted', 'unnamed';
$c->only_referenced;
$b = berth($root);
is $c->faults($b), '', 'after it berth serves every manifest, tagged or not, and all blobs that they name';
is tagged_faults($c, $b), '', 'every tagged image is whole, down to the children of indexes';
is status($b, GET => "/v2/app/blobs/uploads/$d->{upload}"), 204, 'the unfinished upload is there';
sleep 2;        # a HEAD makes what it finds young
$said = Berth::Content::berth_gc($root, '--grace', '0s', '--untagged', '--uploads', '0s');
is $said->{status}, 0, 'berth collects with --untagged' or diag $said->{err};
$c->forget_manifest('app', $d->{$_}) for 'untagged', 'moved', 'twin', 'of_none';
$c->only_referenced;
is $c->faults($b), '', 'which takes what has no tag, but no child of an index and no referrer of a subject that stays';
is tagged_faults($c, $b), '', 'every tagged image is whole, down to the children of indexes';
is status($b, GET => "/v2/app/blobs/uploads/$d->{upload}"), 404, 'an upload that nobody goes on with is gone, where no week is given';
is join(' ', uploads_of($b, 'app')), '', 'and so is what registry:2 left of one that it cancelled';
ok !(grep { ($_->{status} // 0) >= 500 } $b->log_events), 'no request ended with 5xx';
$b->stop;
$other->start;
is $c->faults($other), '', 'registry:2 serves what the collector of berth left';
$other->stop;
my $count = on_disk($root);
is $other->collect->{status}, 0, "registry:2's own collector goes over it";
$other->start;
# the bytes behind a sha512 digest are lost to registry:2's own collector, which knows them as sha256
$c->repo('long')->{blobs} = { map { ($_ => 1) } grep { !/^sha512/ } keys %{ $c->repo('long')->{blobs} } };
is $c->faults($other), '', 'and all is served by registry:2';
cmp_ok $count - on_disk($root), '<=', 1, 'of what berth kept it takes only the bytes behind a sha512 digest, which it wrote under another name';
$other->stop;

done_testing;
