#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What a corrupt or lost link of a manifest keeps stays: fsck may restore the link. And the end of a collection that waits, and
# the order in which one flushes what several processes have found.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Fcntl ':flock';
use POSIX ();
use Berth::Test;
use Berth::Check;
use Berth::GC;
use Berth::Trace;

my $s = Berth::Server->start(config => "delete = true;\n", workers => 2);
my $root = $s->root;

sub put
{
	my ($repo, $ref, $type, $bytes) = @_;
	return $s->req(PUT => "/v2/$repo/manifests/$ref", headers => ['Content-Type' => $type], body => $bytes)->status;
}
sub collect { return run(program('berth'), '--root', $root, 'gc', '--grace', '1s', @_) }
sub repair { return run(program('berth'), '--root', $root, 'fsck', '--repair') }
sub get { my ($repo, $what) = @_; return $s->req(GET => "/v2/$repo/$what")->status }

# a sha512 manifest whose link is empty
my $m512 = image_of(OCI_MANIFEST, '{}', 'layer of 512');
$s->push_blob('five', $_) for '{}', 'layer of 512';
is put('five', sha512($m512), OCI_MANIFEST, $m512), 201, 'a manifest by its sha512';
spew(revision_link($s, 'five', sha512($m512)), '');

# an index whose link is empty, and one whose link is lost; both have tags
my %child;
for my $repo (qw(empty lost)) {
	my @children = map { image_of(OCI_MANIFEST, '{}', "layer $_ of $repo") } 1, 2;
	$s->push_blob($repo, $_) for '{}', map { "layer $_ of $repo" } 1, 2;
	put($repo, sha256($_), OCI_MANIFEST, $_) == 201 or die for @children;
	my $index = index_of(OCI_INDEX, map { desc(OCI_MANIFEST, $_) } @children);
	is put($repo, 'all', OCI_INDEX, $index), 201, "$repo: an index with a tag";
	$child{$repo} = [map { sha256($_) } @children];
	my $link = revision_link($s, $repo, sha256($index));
	$repo eq 'empty' ? spew($link, '') : unlink $link;
}
make_old($s, 7200);
is collect('--untagged')->{status}, 0, 'a collection that removes untagged manifests';
repair();
is get('five', 'blobs/' . sha256('layer of 512')), 200, 'what a manifest with an empty sha512 link names is kept';
is get('empty', "manifests/$_"), 200, 'the children of an index with an empty link are kept' for @{ $child{empty} };
ok -e revision_link($s, 'lost', $_), 'and those of one that only a tag points to' for @{ $child{lost} };

# a collection that waits for a writer ends when it is asked to
open my $h, '+<', "$root/berth/locks/collector" or die "berth/locks/collector: $!";
flock $h, LOCK_SH or die;
my $pid = fork // die "fork: $!";
if (!$pid) {
	open STDERR, '>', '/dev/null';
	exec program('berth'), '--root', $root, 'gc' or POSIX::_exit(99);
}
my $inode = (stat $h)[1];
ok wait_for(sub { slurp('/proc/locks') =~ /^\d+: -> FLOCK .*:$inode /m }), 'a collection waits for a writer';
kill TERM => $pid;
ok wait_for(sub { waitpid($pid, POSIX::WNOHANG()) == $pid }), 'and ends by SIGTERM while the writer still works';
close $h;

# links of many repositories, found by several processes: each directory is flushed before the first content goes
SKIP: {
	skip 'it traces system calls', 2 if $ENV{BERTH_SANITIZERS};
	need_program('strace');
	$s->push_blob("many/r$_", "garbage of $_") for 1 .. 40;
	make_old($s, 7200);
	my $trace = $s->dir . '/calls';
	run('strace', '-f', '-qq', '-ttt', '-y', '-e', 'trace=renameat,fsync', '-o', $trace, program('berth'), '--root', $root, 'gc', '--grace', '1s');
	my (%moved, %flushed, $content);
	for (map { "$_->[2] $_->[3]" } traced_calls($trace)) {
		$moved{$1} = 1 if m{^renameat.*repositories/(many/r\d+)/_layers/sha256/};
		$flushed{$1} = 1 if m{^fsync.*repositories/(many/r\d+)/_layers/sha256>};
		$content = keys %flushed if !defined $content && m{^renameat.*"docker/registry/v2/blobs/};
	}
	cmp_ok scalar(keys %moved), '>=', 30, 'links of many repositories go to the trash';
	is $content, scalar(keys %moved), 'and each of them is durably gone before the first content is';
}
done_testing;
