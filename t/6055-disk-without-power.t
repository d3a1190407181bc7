#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Real file systems, and what they have sent to their disk when an answer comes: mounted from that alone, a store has each manifest and
# tag that was acknowledged, with all that it names. (Every moment and every loss that a model allows: t/6050-power-cut.t.)
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Check;
use Berth::Disk;
use Berth::Test;

# The journal is not written by the clock: what is durable is so because berth asked for it.
my ($ext4, $xfs, $btrfs, $bare) = disks({ type => 'ext4', options => 'commit=300' }, 'xfs', { type => 'btrfs', options => 'commit=300' }, 'ext4-bare');

# what a store has that was mounted anew: a server says
sub check
{
	my ($what, $disk, $config, $claims) = @_;
	my $at = disk_without_power($disk);
	my $s = Berth::Server->start(root => "$at/store", config => $config, workers => 1);

	for my $path (sort keys %$claims) {
		my $r = $s->req('GET', $path);
		my $is = $r->status == 200 ? ($path =~ m{/tags/list} ? $r->body =~ s/\n//r : sha256($r->body)) : $r->status;
		is $is, $claims->{$path}, "$what: $path";
	}
	my $f = run(program('berth'), '--root', "$at/store", 'fsck', '--data');
	is $f->{status}, 0, "$what: nothing is wrong with it" or diag($f->{out});
	$s->stop;
	return;
}

sub put
{
	my ($s, $repo, $ref, $m) = @_;
	my $r = $s->push_manifest($repo, $ref, $m, OCI_MANIFEST);

	return $r->status == 201 || die $r->as_string;
}

for ([ext4 => $ext4], [xfs => $xfs], [btrfs => $btrfs]) {
	my ($type, $disk) = @$_;
	my $config = "delete = true;\n";
	my $s = Berth::Server->start(root => "$disk/store", config => $config);
	my @layers = map { random_bytes(4096) } 1 .. 3;
	my %claims;
	my $image = image_of(OCI_MANIFEST, '{"os":"linux"}', @layers);
	my $blob = sub { return ('/v2/team/' . $_[0] . '/blobs/' . sha256($_[1]) => sha256($_[1])) };

	$s->push_blob('team/app', $_) for '{"os":"linux"}', @layers;
	put($s, 'team/app', 'v1', $image);
	%claims = ('/v2/team/app/manifests/v1' => sha256($image), '/v2/team/app/tags/list' => qq({"name":"team/app","tags":["v1"]}),
		map { $blob->('app', $_) } '{"os":"linux"}', @layers);
	check("$type, an image", $disk, $config, \%claims);

	# blobs that other workers have mounted, and a manifest that another repository has
	for my $bytes ('{"os":"linux"}', @layers) {
		my $r = $s->req('POST', '/v2/team/other/blobs/uploads/?from=team/app&mount=' . sha256($bytes));
		die $r->as_string if $r->status != 201;
	}
	put($s, 'team/other', 'v1', $image);
	check("$type, mounts", $disk, $config, { %claims, '/v2/team/other/manifests/v1' => sha256($image), map { $blob->('other', $_) } @layers });

	# nothing of the manifest changes, but a blob that it names was deleted and has come back
	die if $s->req('DELETE', '/v2/team/app/blobs/' . sha256($layers[0]))->status != 202;
	$s->push_blob('team/app', $layers[0]);
	put($s, 'team/app', 'v1', $image);
	check("$type, the same manifest again", $disk, $config, \%claims);

	my $moved = image_of(OCI_MANIFEST, '{"os":"linux"}', @layers[1, 2]);
	put($s, 'team/app', 'v1', $moved);
	put($s, 'team/app', 'v2', $moved);
	check("$type, a tag that moved, and another", $disk, $config, { %claims, '/v2/team/app/manifests/v1' => sha256($moved),
		'/v2/team/app/tags/list' => qq({"name":"team/app","tags":["v1","v2"]}) });

	die if $s->req('DELETE', '/v2/team/app/manifests/v1')->status != 202;
	check("$type, a tag that went", $disk, $config, { %claims, '/v2/team/app/manifests/v1' => 404, '/v2/team/app/manifests/v2' => sha256($moved),
		'/v2/team/app/tags/list' => qq({"name":"team/app","tags":["v2"]}) });
	die if $s->req('DELETE', '/v2/team/app/manifests/' . sha256($moved))->status != 202;
	check("$type, a manifest that went", $disk, $config, { '/v2/team/app/manifests/' . sha256($moved) => 404, '/v2/team/app/manifests/v2' => 404,
		'/v2/team/app/manifests/' . sha256($image) => sha256($image) });
	$s->stop;
}

# A directory that was renamed has both names or none after a check of a file system without a journal: nothing can be promised.
my $s = Berth::Server->start(root => "$bare/store", workers => 1);
like join("\n", $s->log), qr/"event":"fsync"[^\n]*has no journal/, 'of a file system without a journal the log warns';
$s->stop;
done_testing;
