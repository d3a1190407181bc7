#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What goes is remembered, whatever fails: the worker is killed with -9 at the system calls of pushes and deletes, and each of them fails once; nothing
# that was there is gone without a mark. `berth tag restore` is killed at each of its calls, and done again it is done. A collection that cannot read
# marks removes nothing.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path ();
use Time::HiRes qw(time);
use Berth::Test;
use Berth::Check;
use Berth::Disturb;
use Berth::Events;
use Berth::GC;
use Berth::Inject;
use Berth::Operations;
use Berth::Repo;
use Berth::Undo;

plain_build_only('it traces system calls');
need_program('strace');

my $CONFIG = "undo = \"1d\";\njournal = { enabled = true; };\n";

# --- pushes and deletes --------------------------------------------------------------------------------
for my $how (['killed', \&kills_ok], ['made to fail', \&faults_ok]) {
	my ($title, $each) = @$how;
	my $i = Berth::Inject->start(config => $CONFIG);
	my @operations = grep { $_->{name} =~ /tag|DELETE of a manifest/ } operations($i, 'pushes'), operations($i, 'deletes');
	cmp_ok scalar(@operations), '>=', 4, 'there are operations on tags: ' . join ', ', map { $_->{name} } @operations;
	$each->($i, $_) for @operations;
	is undo_fault($i->server), '', "$title: all that went is remembered";
	cmp_ok scalar(grep { m{/_marks/} } files_below($i->root . '/berth/undo')), '>', 50, 'which is much';
}

# --- berth tag restore ---------------------------------------------------------------------------------
my $dir = quick_dir();
my $s = Berth::Server->start(root => "$dir/model", config => "delete = true;\nfsync = \"off\";\n$CONFIG", workers => 1);
my (@image, @child);
for my $n (1 .. 3) {
	my @parts = (qq({"n":"$n"}), "layer $n");
	my $m = image_of(OCI_MANIFEST, @parts);
	$s->push_blob('app', $_) for @parts;
	$s->push_manifest('app', $n == 3 ? 'multi' : sha256($m), $m, OCI_MANIFEST);
	push @image, { repository => 'app', digest => sha256($m), bytes => $m, parts => { map { sha256($_) => $_ } @parts } };
}
my $sbom = $image[0]{bytes} =~ s/\}\z/',"subject":' . desc(OCI_MANIFEST, $image[1]{bytes}) . '}'/er;
$s->push_manifest('app', sha256($sbom), $sbom, OCI_MANIFEST);
my $inner = index_of(OCI_INDEX, map { desc(OCI_MANIFEST, $_) } $image[1]{bytes}, $sbom);
my $index = index_of(OCI_INDEX, desc(OCI_MANIFEST, $image[0]{bytes}), desc(OCI_INDEX, $inner));
$s->push_manifest('app', sha256($inner), $inner, OCI_INDEX);
$s->push_manifest('app', 'multi', $index, OCI_INDEX)->status == 201 or die 'index';
push @image, map { { repository => 'app', digest => sha256($_), bytes => $_ } } $sbom, $inner, $index;
for my $d (map { sha256($_) } $index, $inner, $sbom, $image[0]{bytes}, $image[1]{bytes}) {
	$s->req('DELETE', "/v2/app/manifests/$d")->status == 202 or die $d;
}
$s->push_manifest('app', 'multi', $image[2]{bytes}, OCI_MANIFEST)->status == 201 or die 'multi';
my $config = slurp($s->config_file);
$s->stop;
# Directories in which blobs would lie one day are most of a store as small as this one, and no command needs them.
rmdir for glob "$dir/model/docker/registry/v2/blobs/sha256/*";

my $copies = 0;
sub copy {
	my $to = "$dir/copy" . ++$copies;
	run('cp', '-a', '--', "$dir/model", $to)->{status} and die "cp\n";
	return bless { root => $to }, 'Berth::GC';
}
spew("$dir/berth.conf", $config =~ s/^root = .*\n//mr);
sub command { my ($c, @words) = @_; return (program('berth'), '--config', "$dir/berth.conf", '--root', $c->root, @words) }

sub fault_after {
	my ($c) = @_;
	my @bad = missing_of($c, @image) || ();
	my $is = content_of(tag_link($c, 'app', 'multi')) // 'gone';
	push @bad, "the tag points to $is" if $is ne sha256($index);
	push @bad, "fsck: $_" for fsck_kinds($c);
	push @bad, "not remembered: $_" for grep { my $d = $_; !grep { (mark_says($_)->{tag} // '') eq 'multi' && mark_says($_)->{digest} eq $d } marks_of($c, 'app') } $image[2]{digest};
	my $journal = journal_fault($c);
	push @bad, "journal: $journal" if $journal ne '';
	return join '; ', @bad;
}

my $whole = copy();
is run('strace', '-f', '-o', "$dir/trace", command($whole, 'tag', 'restore', 'app:multi'))->{status}, 0, 'an index is brought back, with four manifests below it';
is fault_after($whole), '', 'whole';
my %count;
for (split /\n/, slurp("$dir/trace")) {
	$count{$1}++ if /^\d+\s+(\w+)\(/;
}
my @plan = map { my $call = $_; map { [$call, $_] } 1 .. $count{$call} // 0 } qw(renameat renameat2 unlinkat mkdirat write fsync sync_file_range utimensat openat);
my (@bad, $killed);
for my $p (@plan) {
	my ($call, $n) = @$p;
	my $c = copy();
	my $r = run('strace', '-f', '-o', '/dev/null', '-e', "trace=$call", '-e', "inject=$call:signal=KILL:when=$n", command($c, 'tag', 'restore', 'app:multi'));
	my $at = "killed at $call $n";
	$killed++ if $r->{status} == 128 + 9;
	push @bad, "$at: dangling " . join ' ', dangling_tags($c) if dangling_tags($c);
	# a tag's past is only kept for registry:2 (doc/STORE.md, "The steps")
	push @bad, "$at: fsck: $_" for grep { !/^tag-index-link / } fsck_kinds($c);
	# a collection in between takes nothing of it
	make_old($c, 8 * 24 * 3600, 'docker', map { "berth/$_" } qw(tmp trash));
	my $g = run(command($c, 'gc', '--untagged', '--grace', '0s'));
	push @bad, "$at: a collection says $g->{out}$g->{err}" if $g->{status} || $g->{err} ne '';
	# it points there already if the kill came late: nothing else is remembered of the tag then
	my $done = (content_of(tag_link($c, 'app', 'multi')) // '') eq sha256($index);
	$r = run(command($c, 'tag', 'restore', 'app:multi' . ($done ? '@' . sha256($index) : '')));
	push @bad, "$at: done again it says $r->{status} $r->{err}" if $r->{status} || $r->{err} ne '';
	my $fault = fault_after($c);
	push @bad, "$at, done again: $fault" if $fault ne '';
	File::Path::remove_tree($c->root);
}
is join("\n", @bad), '', 'killed at a system call it leaves nothing wrong, and done again it is done';
cmp_ok $killed, '>', 50, "it was killed $killed times";

# --- marks that cannot be read -------------------------------------------------------------------------
my $c = copy();
make_old($c, 8 * 24 * 3600);
my $before = join "\n", files_below($c->root . '/docker');
my $r = run('strace', '-f', '-o', '/dev/null', '-P', $c->root . '/berth/undo/app/_marks', '-e', 'inject=getdents64:error=EIO', command($c, 'gc', '--untagged', '--grace', '0s'));
ok $r->{status} == 1 && $r->{err} =~ m{^berth: cannot list berth/undo/app/_marks: }, 'a collection that cannot read marks says so' or diag("$r->{status} $r->{err}");
is join("\n", files_below($c->root . '/docker')), $before, 'and removes nothing';
done_testing;
