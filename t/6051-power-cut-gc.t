#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A power cut at every moment of a collection, and of a push after it: what is kept stays whole, and nothing points to
# what was collected. With fsync = "full", and with "image" on file systems that keep an order of changes or none.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Disk;
use Berth::GC;
use Berth::Recording;
use Berth::Replay;
use Berth::Verdict;

plain_build_only('it traces system calls');
need_program('strace');

my ($ordered, $bare) = disks(qw(ext4 ext4-bare));
my ($trace, $s, $r);

# a manifest with its parts in the repository, all of it old; the claims that it stands
sub image {
	my ($repo, $ref, @parts) = @_;
	$s->push_blob($repo, $_) for @parts;
	my $m = image_of(OCI_MANIFEST, @parts);
	return manifest($repo, $ref, $m, OCI_MANIFEST, @parts);
}

sub manifest {
	my ($repo, $ref, $m, $type, @parts) = @_;
	my $d = sha256($m);
	my $a = $s->push_manifest($repo, $ref // $d, $m, $type);
	die $a->as_string if $a->status != 201;
	return { bytes => $m, claims => { "manifest $repo $d" => $d, (map { ("blob $repo " . sha256($_) => sha256($_)) } @parts),
		$ref ? ("tag $repo $ref" => $d) : () } };
}

sub collect {
	my (@options) = @_;
	return { claims => {}, do => sub {
		my $g = run(strace_to($trace), gc_cmd($s, @options));
		die "berth gc: $g->{status}: $g->{out}$g->{err}" if $g->{status};
	} };
}

sub push_again {
	my ($repo, $bytes) = @_;
	my $d = sha256($bytes);
	return { body => $bytes, claims => { "blob $repo $d" => $d }, do => sub {
		my $a = $s->req('POST', "/v2/$repo/blobs/uploads/?digest=$d", body => $bytes);
		die $a->as_string if $a->status != 201;
	} };
}

my $common = random_bytes(500);
my $garbage = random_bytes(700);

my $RULES = "rules_delay = \"0s\";\nrules = ( { repo = \"ruled/**\"; keep = ( { tag = \"v*\"; } ); untagged = \"1h\"; } );\n";

sub way {
	my (%o) = @_;
	$trace = tmp_dir() . '/trace';
	$s = Berth::Server->start(config => "delete = true;\nfsync = \"$o{promise}\";\n$RULES", workers => 1, wrap => [strace_to($trace)], root => $o{root});
	$r = Berth::Replay->new(keep => 50, %o, root => $s->root, trace => $trace);

	# links and blobs that no manifest names, in two repositories
	my $kept = image('a/app', 'v1', '{"os":"linux"}', $common);
	$s->push_blob('a/app', $_) for $garbage, 'more garbage';
	$s->push_blob('b', $_) for $garbage, $common;
	upload_start($s, 'b');
	make_old($s, 8 * 24 * 3600);
	$r->scenario('links, blobs and an upload that are garbage', $kept->{claims}, [collect(), push_again('a/app', $garbage), push_again('b', $garbage)]);

	# manifests without a tag: an index with its children, a referrer, one by itself
	my @child = map { image('multi', undef, "{\"variant\":\"$_\"}", $common) } 1 .. 3;
	manifest('multi', undef, index_of(OCI_INDEX, map { desc(OCI_MANIFEST, $_->{bytes}) } @child), OCI_INDEX);
	image('a/app', undef, '{"os":"none"}', "a layer that goes\n");
	my $sbom = $kept->{bytes} =~ s/\}\z/',"subject":' . desc(OCI_MANIFEST, $kept->{bytes}) . '}'/er;
	my $stays = manifest('a/app', undef, $sbom, OCI_MANIFEST);
	make_old($s, 8 * 24 * 3600);
	$r->scenario('manifests that nothing keeps', { %{ $kept->{claims} }, %{ $stays->{claims} } }, [collect('--untagged'), push_again('multi', $common)]);

	# tags that no rule keeps, one beside a tag that stays; their manifests stay until they have been without a tag for an hour
	my $ruled = image('ruled/app', 'v1', '{"os":"ruled"}', $common);
	manifest('ruled/app', 'old1', $ruled->{bytes}, OCI_MANIFEST);
	my $untagged = image('ruled/app', 'old2', '{"os":"old"}', $common);
	make_old($s, 8 * 24 * 3600);
	my %without = map { $_ => $untagged->{claims}{$_} } grep { !/^tag / } keys %{ $untagged->{claims} };
	$r->scenario('tags that no rule keeps', { %{ $ruled->{claims} }, %without }, [collect()]);

	$s->stop_workers;
	all_ok($r, only => qr{/_layers/ALG\z|/revisions/}, needless => $o{needless}, without => $o{without});
	return;
}

subtest 'full' => sub { way(promise => 'full') };
subtest 'image, one by one' => sub { way(promise => 'image', root => "$bare/store", without => []) };     # the collector flushes as with "full"
subtest 'image, in order' => sub { way(promise => 'image', root => "$ordered/store", model => 'Berth::Journal',
	# in order, links go before content whether they are flushed or not
	needless => [map { "docker/registry/v2/repositories/NAME/$_/ALG" } '_layers', '_manifests/revisions']) };
done_testing;
