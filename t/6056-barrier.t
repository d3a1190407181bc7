#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# On a file system that keeps the order of changes a push writes bytes out before they get a name, flushes no directory, and ends with one
# barrier after the last change of names. Pushes at one time share barriers.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep time);
use Berth::Check;
use Berth::Disk;
use Berth::Test;
use Berth::Trace;

plain_build_only('it traces system calls');
need_program('strace');

my %disk;
@disk{qw(ext4 xfs)} = disks(qw(ext4 xfs));

my $CALLS = 'link,linkat,rename,renameat,renameat2,fsync,fdatasync,sync,syncfs,sync_file_range,utimensat,write,writev,sendto,sendmsg';

# what matters for the order, of the calls between two moments: [kind, path] with paths below the store
sub events
{
	my ($file, $from, $to) = @_;
	my @e;

	for (traced_calls($file)) {
		my (undef, $t, $name, $args) = @$_;
		next if $t < $from || $t > $to;
		if ($name =~ /^(?:link|rename)/) {
			push @e, ['name', $args =~ /"([^"]*)"[^"]*\z/];
		} elsif ($name =~ /sync/) {
			my ($path) = $args =~ m{^\d+<.*?/store/?([^>]*)>};
			push @e, [$name ne 'sync_file_range' ? 'flush' : $args =~ /WAIT_AFTER/ ? 'out' : 'hint', $path];
		} elsif ($name eq 'utimensat' && $args =~ m{^\d+<.*?/store/(berth/locks/barrier)>, NULL}) {
			push @e, ['touch', $1];
		} elsif ($name =~ /^(?:write|send)/ && $args =~ /Status: (\d+)/) {
			push @e, ['answer', $1] if $1 != 204;            # nginx asked whether a body may come
		}
	}
	return @e;
}

# said - events in words, without what is random in them, and without names that lie in the way of others
sub said
{
	my @e = map { [@$_] } grep { $_->[0] ne 'hint' && !($_->[0] eq 'name' && $_->[1] =~ m{^berth/(?:tmp/.*/(?:link|startedat)|tmp/[^/]*|index/.*)\z}) } @_;

	for my $e (@e) {
		$e->[1] =~ s{[0-9a-f]{64}}{HEX};
		$e->[1] =~ s{(tmp|trash)/[0-9a-f]+-\d+}{$1/NEW};
		$e->[1] =~ s{body/\d+}{body/FILE};
		$e->[1] =~ s{pushed-[0-9a-f]{16}\z}{pushed-TIME};
		$e->[1] =~ s{_uploads/[^/]+}{_uploads/UUID};
		$e->[1] =~ s{docker/registry/v2/(?:repositories/)?}{};
		$e->[1] =~ s{blobs/sha256/..}{blobs};
	}
	return join ', ', map { join ' ', @$_ } @e;
}

for my $type (sort keys %disk) {
	my $file = tmp_dir() . "/trace.$type";
	my $s = Berth::Server->start(root => "$disk{$type}/store", config => "delete = true;\nupload_workers = 1;\n", workers => 1,
		wrap => ['strace', '-f', '--seccomp-bpf', '-ttt', '-y', '-s', '300', '-e', "trace=$CALLS", '-e', 'signal=none', '-o', $file]);
	my $during = sub {
		my ($what) = @_;
		sleep 0.05;
		my $from = time;
		$what->();
		my $to = time;
		sleep 0.05;
		return said(events($file, $from, $to));
	};
	my $bytes = random_bytes(5000);
	my $d = sha256($bytes);
	my $m = image_of(OCI_MANIFEST, $bytes);
	my $put = sub { my ($ref, $what) = @_; my $r = $s->push_manifest('a/app', $ref, $what, OCI_MANIFEST); $r->status == 201 or die $r->as_string };
	my $BARRIER = 'touch berth/locks/barrier, flush berth/locks/barrier, answer 201';

	my $loc = upload_start($s, 'a/app');
	$s->req('PATCH', $loc, body => $bytes);
	is $during->(sub { $s->req('PUT', "$loc?digest=$d") }),
		'out a/app/_uploads/UUID/data, name blobs/HEX/data, out berth/tmp/NEW/startedat, name a/app/_layers/sha256/HEX, answer 201',
		"$type: a blob's bytes and its link's are written out before they have their names, and nothing else is flushed";
	is $during->(sub { $s->req('POST', "/v2/b/blobs/uploads/?digest=$d", body => $bytes) }),
		'out berth/body/FILE, out berth/tmp/NEW/link, name blobs/HEX/data, name b/_layers/sha256/HEX, answer 201', "$type: so are those of a single POST";
	is $during->(sub { $s->req('POST', "/v2/c/blobs/uploads/?mount=$d&from=b") }),
		'out berth/tmp/NEW/link, name c/_layers/sha256/HEX, answer 201', "$type: a mount writes its link";
	is $during->(sub { $put->('v1', $m) }),
		'out berth/tmp/NEW, name blobs/HEX/data, out berth/tmp/NEW/link, name a/app/_manifests/revisions/sha256/HEX, '
		. 'out berth/tmp/NEW/current/link, out berth/tmp/NEW/index/sha256/HEX/link, name a/app/_manifests/tags/v1, ' . $BARRIER,
		"$type: a manifest ends with one barrier, after the name of its tag";
	is $during->(sub { $put->('v1', "$m\n") }),
		'out berth/tmp/NEW, name blobs/HEX/data, out berth/tmp/NEW/link, name a/app/_manifests/revisions/sha256/HEX, '
		. 'out berth/tmp/NEW, name a/app/_manifests/tags/v1/index/sha256/HEX/link, out berth/tmp/NEW, name a/app/_manifests/tags/v1/current/pushed-TIME, '
		. 'name a/app/_manifests/tags/v1/current/link, ' . $BARRIER,
		"$type: so does one that moves a tag, whose time of push gets its name before the link";
	is $during->(sub { $put->(sha256($m), $m) }), $BARRIER, "$type: one that is there changes no name, and needs a barrier for those of its blobs";
	is $during->(sub { $s->req('DELETE', '/v2/a/app/manifests/v1') }), 'name berth/trash/NEW, flush a/app/_manifests/tags, answer 202',
		"$type: a DELETE flushes the directory that has lost the name";
	$s->stop;
}

# 8 clients at once
{
	my $file = tmp_dir() . '/trace.many';
	my $s = Berth::Server->start(root => "$disk{ext4}/many", workers => 8,
		wrap => ['strace', '-f', '--seccomp-bpf', '-ttt', '-y', '-e', 'trace=fsync', '-e', 'signal=none', '-o', $file]);
	my $each = 12;
	$s->push_blob('app', 'layer');
	my $from = time;
	my @told = run_parallel(8, sub {
		my ($client) = @_;
		my $put = sub {
			my ($n) = @_;
			my $status;
			# who has waited too long for the lock of the repository comes again
			wait_for { ($status = $s->push_manifest('app', "v$client-$n", image_of(OCI_MANIFEST, 'layer') =~ s/\}\z/,"annotations":{"n":"$client $n"}}/r, OCI_MANIFEST)->status) != 503 };
			return $status;
		};
		my @bad = grep { $_ != 201 } map { $put->($_) } 1 .. $each;
		return \@bad;
	});
	is_deeply \@told, [map { [] } 1 .. 8], '8 clients push manifests to one repository';
	$s->stop;
	my $barriers = grep { $_->[1] > $from && $_->[2] eq 'fsync' && $_->[3] =~ /barrier/ } traced_calls($file);
	cmp_ok $barriers, '<=', 8 * $each, 'no more barriers than manifests';
	cmp_ok $barriers, '>', 0, "some: $barriers";
}
done_testing;
