#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Rules in a repository of very many tags, and in very many repositories: what one of them costs does not depend on how many there are. With
# --long 100,000 tags and 10,000 repositories: time and memory of a dry run beside those of a collection.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(sha256_hex);
use File::Path ();
use POSIX ();
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Check;
use Berth::GC;
use Berth::Rules;

plain_build_only('it counts system calls and memory');
need_program('strace');

my $dir = quick_dir(is_long() ? 3000 : 300);
my $now = int time;
my $stores = 0;
my $HEAD = '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . desc(OCI_CONFIG, '{}') . ',"layers":[]';

sub put
{
	my ($of, $name, $bytes) = @_;

	if (!mkdir $of) {
		(my $above = $of) =~ s{/[^/]*\z}{};
		File::Path::make_path($above);
		mkdir $of or $!{EEXIST} or die "$of: $!";
	}
	open my $h, '>:raw', "$of/$name" or die "$of/$name: $!";
	print {$h} $bytes;
	close $h or die "$of/$name: $!";
	return;
}

# many - a store of so many repositories with so many tags each, one a manifest, pushed one a minute; $keep: its rule
sub many
{
	my ($repos, $tags, $keep) = @_;
	my $s = ruled_store("gc = { grace = \"0s\"; };\nrules_delay = \"0s\";\nfsync = \"off\";\nrules = ( { repo = \"**\"; keep = ( $keep ); } );\n", "$dir/" . ++$stores);
	my ($blobs, $all) = (data_dir($s) . '/blobs/sha256', data_dir($s) . '/repositories');

	lay_blob($s, 'many/0', '{}');
	for my $r (0 .. $repos - 1) {
		my $repo = "$all/many/$r";
		put("$repo/_layers/sha256/" . sha256_hex('{}'), 'link', 'sha256:' . sha256_hex('{}'));
		for my $t (1 .. $tags) {
			my $bytes = qq($HEAD,"annotations":{"of":"$r","n":"$t"}});
			my $hex = sha256_hex($bytes);
			put("$blobs/" . substr($hex, 0, 2) . "/$hex", 'data', $bytes);
			put("$repo/_manifests/revisions/sha256/$hex", 'link', "sha256:$hex");
			put("$repo/_manifests/tags/t$t/current", 'link', "sha256:$hex");
			spew(sprintf("$repo/_manifests/tags/t$t/current/pushed-%016x", ($now - ($tags - $t) * 60) * 1e6), '');
		}
	}
	return $s;
}

# calls - how many system calls a command makes
sub calls
{
	my $r = run({ timeout => 3000 }, 'strace', '-f', '-o', "$dir/trace", @_);
	my $n = 0;

	die "@_: $r->{status} $r->{err}" if $r->{status};
	open my $h, '<', "$dir/trace" or die;
	while (my $line = <$h>) { $n++ if $line =~ /^\d+\s+\w+\(/ }
	return $n;
}

# measured - how long a command took, and the most memory that it and its helpers had at once: (seconds, KiB)
sub measured
{
	my $began = time;
	my ($most, %has) = (0);
	my $pid = fork // die;

	if (!$pid) {
		open STDOUT, '>', '/dev/null' or POSIX::_exit(127);
		exec { $_[0] } @_ or POSIX::_exit(127);
	}
	while (!waitpid $pid, POSIX::WNOHANG()) {
		my $sum = 0;
		for my $p ($pid, split ' ', content_of("/proc/$pid/task/$pid/children") // '') {
			my ($kib) = (content_of("/proc/$p/smaps_rollup") // '') =~ /^Pss:\s*(\d+)/m;
			$sum += $kib // 0;
		}
		$most = $sum if $sum > $most;
		sleep 0.02;
	}
	die "@_: $?" if $?;
	return (time - $began, $most);
}

my $KEEP = '{ newest = 10; }, { tag = "*7"; }, { pulled = "14d"; }';
my %calls;
for my $n (500, 2000) {
	my $s = many(1, $n, $KEEP);
	$calls{dry}{$n} = calls(rules_cmd($s, qw(apply --dry-run)));
	$calls{run}{$n} = calls(rules_cmd($s, 'apply'));
	$calls{again}{$n} = calls(rules_cmd($s, 'apply'));
	is tags_on_disk($s, 'many/0') =~ tr/ //, 9 + $n / 10 - 1, "of $n tags those stay that a rule keeps";
	run('rm', '-rf', '--', $s->root);
}
for my $what (sort keys %calls) {
	my ($few, $many) = @{ $calls{$what} }{500, 2000};
	cmp_ok $many, '<', 4.2 * $few, "$what: four times as many tags take four times as many calls, and no more";
	diag("$what: $few calls for 500 tags, $many for 2000");
}
my %repos = map { my $s = many($_, 3, $KEEP); my $n = calls(rules_cmd($s, qw(apply --dry-run))); run('rm', '-rf', '--', $s->root); ($_ => $n) } 50, 200;
cmp_ok $repos{200}, '<', 4.2 * $repos{50}, 'four times as many repositories, too';

SKIP: {
	skip_long('stores of 100,000 tags', 4);
	for my $case ([1, 100_000], [10_000, 3]) {
		my ($repos, $tags) = @$case;
		my $s = many($repos, $tags, $KEEP);
		my ($gc_s, $gc_kib) = measured(gc_cmd($s, '--dry-run'));
		my ($dry_s, $dry_kib) = measured(rules_cmd($s, qw(apply --dry-run)));
		my ($apply_s, $apply_kib) = measured(rules_cmd($s, 'apply'));
		diag(sprintf '%d repositories of %d tags: a dry run of rules %.1f s, %d KiB; of a collection %.1f s, %d KiB; rules applied %.1f s, %d KiB', $repos, $tags, $dry_s,
			$dry_kib, $gc_s, $gc_kib, $apply_s, $apply_kib);
		cmp_ok $dry_kib, '<', 3 * $gc_kib + 8192, "$repos repositories of $tags tags: a dry run needs no more than three times the memory of a collection";
		cmp_ok $apply_kib, '<', 3 * $gc_kib + 8192, '... nor do rules that are applied';
		run('rm', '-rf', '--', $s->root);
	}
}
done_testing;
