#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# As t/6110, with a collection that stands still: a writer gets the collector's lock meanwhile and relies on what the collection was about to
# remove. It stays.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX ();
use Berth::Test;
use Berth::Check;
use Berth::Fence;
use Berth::GC;

my $DAY = 24 * 3600;
my $i = fenced_server;
my $s = $i->server;
my $repo = 'team/app';
my $serial = 0;

push_by($i, $repo, 'kept', 'a layer that is needed');
$i->tell('detach');

# collect - a collection that stands still before its n-th call and loses its locks there. The call, and what became of it
sub collect
{
	my ($plan, $meanwhile) = @_;
	my $at;

	pipe my $wait, my $gate or die "pipe: $!";
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		close $gate;
		open STDOUT, '>', $s->dir . '/gc.out';
		open STDERR, '>', $s->dir . '/gc.err';
		sysread $wait, my $go, 1;
		my @cmd = gc_cmd($s, '--grace', '1h');
		exec { $cmd[0] } @cmd or POSIX::_exit(127);
	}
	close $wait;
	die "it can't be traced\n" if $i->tell("attach $pid") ne 'attached' || $i->tell("loop $plan") ne 'ready';
	syswrite $gate, '.';
	my $said = $i->hear;
	if ($said =~ /^stopped (\S+)/) {
		$at = $1;
		lose_locks($pid);
		my $ok = eval { $meanwhile->(); 1 };
		my $fault = $@;
		$said = $i->tell('go');
		die $fault if !$ok;
	}
	waitpid $pid, 0;
	my @calls = $said =~ /^exited \d+ \d+ (.*)$/ ? split / /, $1 : die "inject: $said\n";
	return ($at, $? >> 8, @calls);
}

# garbage - a blob that nothing names, and that is old
sub garbage
{
	my $bytes = 'nobody names this, ' . ++$serial;
	my $r = $i->ask('POST', "/v2/$repo/blobs/uploads/?digest=" . sha256($bytes), { body => $bytes, spooled => 1 });

	die 'POST: ' . $r->status . "\n" if $r->status ne '201';
	make_old($s, 2 * $DAY);
	return $bytes;
}

# relied_on - what a client does that needs these bytes: it asks for them, pushes them where they are not there, then the manifest
my %found;
sub relied_on
{
	my ($bytes) = @_;
	my $found = $i->ask('HEAD', "/v2/$repo/blobs/" . sha256($bytes))->status;

	$found{$found}++;
	push_by($i, $repo, "t$serial", $bytes) if $found ne '200';
	my $r = $i->ask('PUT', "/v2/$repo/manifests/t$serial", { body => manifest_of($bytes), headers => { CONTENT_TYPE => OCI_MANIFEST } });
	die 'PUT: ' . $r->status . ' ' . $r->body . "\n" if $r->status ne '201';
	return;
}

garbage();
my ($none, $status, @calls) = collect('count');
is $status, 0, 'a collection';
ok +(grep { m{^renameat:(?:berth/gc/)?out/} } @calls) > 1, 'removes what nothing names, by renames into the directory of its batch';
my (@bad, %ended);
for my $n (grep { $calls[$_ - 1] =~ /^(?:renameat|mkdirat|flock|unlinkat)/ } 1 .. @calls) {
	my $bytes = garbage();
	my ($at, $ended) = collect("stop $n", sub { relied_on($bytes) });
	next if !defined $at;
	$ended{$ended}++;
	my $r = $i->ask('GET', "/v2/$repo/blobs/" . sha256($bytes));
	push @bad, "$n, $at: the collection ends with $ended, and what a client relies on is " . $r->status if $r->status ne '200';
	my $again = gc($s, '--grace', '1h');
	push @bad, "$n, $at: the next collection: $again->{err}" if $again->{status};
	$r = $i->ask('GET', "/v2/$repo/blobs/" . sha256($bytes));
	push @bad, "$n, $at: after the next collection what a client relies on is " . $r->status if $r->status ne '200';
}
ok !@bad, 'wherever it stood still, what somebody relied on meanwhile stays: ' . join ', ', map { "$ended{$_} ended with $_" } sort keys %ended or diag join "\n", @bad;
cmp_ok $ended{1} // 0, '>', 1, 'a collection that has lost its lock in a batch ends with an error';
cmp_ok $found{$_} // 0, '>', 1, "a client was told $_" for 200, 404;
is $i->fsck_fault, '', 'fsck --data finds nothing';
is_deeply [grep { !/^(?:last$|reserve)/ } files_below($s->root . '/berth/gc')], [], 'nothing is left of collections';
done_testing;
