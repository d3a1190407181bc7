#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A restore that fails when some of its manifests have their links already takes them back: afterwards all is there, or nothing of it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path ();
use Berth::Test;
use Berth::Check;
use Berth::Events;
use Berth::GC;
use Berth::Repo;
use Berth::Undo;

plain_build_only('it traces system calls');
need_program('strace');

my $CONFIG = "delete = true;\nfsync = \"off\";\nundo = \"1d\";\njournal = { enabled = true; };\n";
my $dir = quick_dir();
my $s = Berth::Server->start(root => "$dir/model", config => $CONFIG, workers => 1);
$s->push_blob('app', $_) for '{}', 'layer';
my @child = map { image_of(OCI_MANIFEST, '{}', 'layer') =~ s/\}\z/,"annotations":{"n":"$_"}}/r } 1 .. 3;
$child[2] =~ s/\}\z/',"subject":' . desc(OCI_MANIFEST, $child[0]) . '}'/e;
my $index = index_of(OCI_INDEX, map { desc(OCI_MANIFEST, $_) } @child);
my @all = ((map { [OCI_MANIFEST, $_] } @child), [OCI_INDEX, $index]);
$s->push_manifest('app', sha256($_->[1]), $_->[1], $_->[0])->status == 201 or die for @all;
$s->push_manifest('app', 'multi', $index, OCI_INDEX)->status == 201 or die;
my @digests = map { sha256($_->[1]) } @all;
$s->req(DELETE => "/v2/app/manifests/$_")->status == 202 or die for reverse @digests;
my $config = slurp($s->config_file) =~ s/^root = .*\n//mr;
$s->stop;
spew("$dir/berth.conf", $config);

my $copies = 0;
sub copy
{
	my $to = "$dir/copy" . ++$copies;
	run('cp', '-a', '--', "$dir/model", $to)->{status} and die "cp\n";
	return bless { root => $to }, 'Berth::GC';
}
sub restore { my ($c, @before) = @_; return run(@before, program('berth'), '--config', "$dir/berth.conf", '--root', $c->root, 'tag', 'restore', 'app:multi') }
sub linked { my ($c) = @_; return scalar grep { -e revision_link($c, 'app', $_) } @digests }

my $c = copy();
is linked($c), 0, 'an index and its children are deleted';
is restore($c, 'strace', '-f', '-o', "$dir/trace", '-e', 'trace=renameat,fsync')->{status}, 0, 'a restore';
is linked($c), 4, 'brings back all of them';
my $calls = () = slurp("$dir/trace") =~ /renameat\(/g;
cmp_ok $calls, '>=', 4, 'with at least one rename for each link';
my ($failed, $some, @bad) = (0, 0);
for my $n (1 .. $calls) {
	$c = copy();
	my $r = restore($c, 'strace', '-f', '-o', "$dir/trace", '-e', 'trace=renameat', '-e', "inject=renameat:error=ENOSPC:when=$n");
	my $links = linked($c);
	my $tag = content_of(tag_link($c, 'app', 'multi')) // '';
	my $made = () = slurp("$dir/trace") =~ m{/_manifests/revisions/\S+ = 0$}mg;

	$failed++ if $r->{status};
	$some++ if $r->{status} && $made && !$links;
	push @bad, "rename $n: status $r->{status}, $links links" if $links && $links < 4;
	push @bad, "rename $n: it says $r->{status}, $links links, the tag is '$tag'" if !$r->{status} && ($links != 4 || $tag ne $digests[3]);
	push @bad, "rename $n: fsck says $_" for fsck_kinds($c);
	my $journal = journal_fault($c);
	push @bad, "rename $n: the journal: $journal" if $journal ne '';
	$r = restore($c);
	push @bad, "rename $n: again it says $r->{status} $r->{err}" if ($tag eq $digests[3]) == ($r->{status} == 0) || ($tag ne $digests[3] && linked($c) != 4);
	File::Path::remove_tree($c->root);
}
is join("\n", @bad), '', "where one of its $calls renames fails, all is there or nothing, and again it is done";
cmp_ok $failed, '>=', 4, "it failed $failed times";
cmp_ok $some, '>=', 3, "$some times when links had been made, which were taken back";
done_testing;
