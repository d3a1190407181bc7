#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# berth gc on a file system without one free byte, and without one free inode.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Client;
use Berth::GC;

own_mounts();

my $DAY = 24 * 3600;
my $top = tmp_dir();
my %mount = (
	'tmpfs' => sub { run('mount', '-t', 'tmpfs', '-o', 'size=24m,nr_inodes=3000,mode=755', 'tmpfs', $_[0])->{status} == 0 },
	'ext4' => sub {
		my ($at) = @_;
		return 0 if !have_program('mkfs.ext4');
		open my $h, '>', "$at.image" or die "$at.image: $!";
		truncate $h, 32 << 20;
		close $h;
		return 0 if run('mkfs.ext4', '-q', '-N', '3000', '-m', '0', '-O', '^has_journal', "$at.image")->{status};
		return run('mount', '-o', 'loop', "$at.image", $at)->{status} == 0;
	},
);

# fill - take every byte, or every inode, that is free; how often something could be made
sub fill {
	my ($dir, $what) = @_;
	my $n = 0;
	mkdir "$dir/filler" or die "filler: $!";
	if ($what eq 'inode') {
		$n++ while open my $h, '>', sprintf('%s/filler/%05d', $dir, $n);
		return $n;
	}
	open my $h, '>', "$dir/filler/bytes" or die "filler: $!";
	for my $size (1 << 20, 4096, 512, 1) {
		my $bytes = 'x' x $size;
		while (1) {
			my $got = syswrite $h, $bytes;
			last if !$got;
			$n += $got;
			last if $got < $size;
		}
	}
	close $h;
	return $n;
}
sub can_write {
	my ($dir, $what) = @_;
	my $ok = open my $h, '>', "$dir/probe";
	$ok = syswrite($h, 'x' x 4096) if $ok && $what eq 'byte';
	close $h if $h;
	unlink "$dir/probe";
	return $ok ? 1 : 0;
}

for my $type ('tmpfs', 'ext4') {
	for my $what ('byte', 'inode') {
		my $at = "$top/$type-$what";
		mkdir $at or die "$at: $!";
		if (!$mount{$type}->($at)) {
			$type eq 'ext4' ? diag('no ext4 can be made and mounted here: tmpfs alone is tried') : fail("a $type can be mounted");
			next;
		}
		my $title = "a $type without a free $what";
		my $s = Berth::Server->start(config => "delete = true;\n", root => "$at/store", workers => 2);
		my ($d, $m) = $s->push_image('f/app', 'v1', layers => [my $layer = random_bytes(300_000)]);
		my @garbage = map { random_bytes(100_000) } 1 .. 20;
		$s->push_blob('f/app', $_) for @garbage;
		my ($u) = $s->push_image('f/app', undef, layers => ['layer of what has no tag'], type => 'oci', config => '{"u":1}');
		my ($gone) = $s->push_image('f/gone', 'v1', layers => ['layer of what is deleted']);
		$s->req('DELETE', "/v2/f/gone/manifests/$gone");
		ok -e "$at/store/berth/gc/reserve", "$title: there is a reserve";
		make_old($s, 2 * $DAY);
		fill($at, $what);
		is can_write($at, $what), 0, "$title: nothing more can be written";
		my $full = upload_status($s);
		like $full, qr/^50[37]$/, "$title: a push is refused ($full)";
		my $dry = gc($s, '--dry-run', '--json');
		is $dry->{status}, 0, "$title: a dry run works" or diag($dry->{err});
		fill_again($at, $what);
		is can_write($at, $what), 0, "$title: and leaves no room but for what it gave back" if $what eq 'byte';
		my $r = gc($s, '--json');
		is $r->{status}, 0, "$title: a collection works" or diag($r->{err});
		is scalar(grep { -e blob_file($s, sha256($_)) } @garbage), 0, "$title: garbage is gone";
		ok !-e blob_file($s, sha256('layer of what is deleted')), "$title: so is what a deleted image had";
		$r = gc($s, '--json', '--untagged');
		is $r->{status}, 0, "$title: one with --untagged works" or diag($r->{err});
		ok !-e revision_link($s, 'f/app', $u), "$title: and takes a manifest";
		ok -e "$at/store/berth/gc/reserve", "$title: the reserve is made again";
		is join(' ', grep { !/^(?:reserve|last$)/ } files_below("$at/store/berth/gc")), '', "$title: no run is left behind";
		is $s->req('GET', '/v2/f/app/manifests/v1')->body, $m, "$title: the image is there";
		ok $s->req('GET', '/v2/f/app/blobs/' . sha256($layer))->body eq $layer, "$title: with its layer";
		is upload_status($s), 201, "$title: and pushes work again";
		$s->stop;
		run('umount', $at);
	}
}

# a push of a small blob; its last status
sub upload_status {
	my ($s) = @_;
	my $bytes = random_bytes(20_000);
	my $r = $s->req('POST', '/v2/f/app/blobs/uploads/');
	return $r->status if $r->status != 202;
	return $s->req('PUT', path_of($r->header('Location')) . '?digest=' . sha256($bytes), body => $bytes)->status;
}

# what a run left free is taken again
sub fill_again {
	my ($at, $what) = @_;
	rename "$at/filler", "$at/filler-" . int rand 1e9 or die "filler: $!";
	return if !-w $at || !mkdir "$at/filler";
	rmdir "$at/filler";
	return fill($at, $what);
}

done_testing;
