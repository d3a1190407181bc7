# SPDX-License-Identifier: Apache-2.0
#
# Berth::Fence: a worker that stands still in the middle of a request, and loses its locks meanwhile, as a machine does that was suspended.
#
#   my $i = fenced_server;                          # a Berth::Inject on a file system that may belong to several machines
#   my ($status, $at) = stands_still($i, 17, $request, sub { ... });       # at its 17th call; the code is what others do meanwhile
#   ... sub { ... }, 'stale');                      # at the first rename from there on, which then says that a name is stale
#   my $bytes = push_by($i, 'team/app', 'v1', 'some text');                # an image by the other worker; undef if headers that follow refuse it
#   my @tools = hold_each('renameat~current/link', @pids);  # each of these processes, before the next such call
#   my @at = held(3, @tools);                       # wait until so many stand still: the calls; then let_go(@tools)
package Berth::Fence;

use strict;
use warnings;

use Exporter qw(import);
use Fcntl qw(:flock);
use POSIX ();

use Berth::Check;
use Berth::Disk;
use Berth::Inject;
use Berth::Test;

our @EXPORT = qw(hold_each held let_go fenced_server stands_still lose_locks manifest_of push_by);

my ($PIDFD_OPEN, $PIDFD_GETFD) = (434, 438);    # of every architecture
my $owner = $$;
my @started;
my $type = 'application/vnd.oci.image.manifest.v1+json';

sub fenced_server
{
	my (%o) = @_;

	plain_build_only('it traces system calls');
	Berth::Inject::cheap_place();
	my $disk = disk_by_fuse();
	my $i = Berth::Inject->start(root => "$disk/store", %o);
	push @started, $i->server;
	return $i;
}

# Before Berth::Disk waits until nothing of the disk is open any more.
END {
	if ($$ == $owner) {
		my $status = $?;
		$_->stop for @started;
		$? = $status;
	}
}

# lose_locks - release what a process has locked, as a file system does that takes it for dead: the descriptors are copied from it, and a lock belongs to
# what both of them stand for. Returns how many there may have been.
sub lose_locks
{
	my ($pid) = @_;
	my $of = syscall $PIDFD_OPEN, $pid, 0;
	my $count = 0;

	die "pidfd_open: $!\n" if $of < 0;
	for my $link (glob "/proc/$pid/fd/*") {
		next if (readlink $link // '') !~ m{/berth/locks/(?:repository/..|collector|turnstile|run|catalog|quota/..)\z};
		my $fd = syscall $PIDFD_GETFD, $of, ($link =~ m{(\d+)\z})[0] + 0, 0;
		die "pidfd_getfd: $!\n" if $fd < 0;
		open my $h, '<&=', $fd or die "open: $!";
		flock $h, LOCK_UN or die "flock: $!";
		$count++;
	}
	POSIX::close($of);
	return $count;
}

# The status of the answer, and the call at which it stood still; undef if it made fewer calls.
sub stands_still
{
	my ($i, $n, $request, $meanwhile, $then) = @_;
	my $at;

	$i->tell("stop $n" . ($then ? ' renameat' : '')) eq 'ready' or die "inject is not ready\n";
	pipe my $out, my $in or die "pipe: $!";
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		my $r = eval { $i->request($i->{traced}, @$request) };
		syswrite $in, $r ? $r->status : "none: $@";
		POSIX::_exit(0);
	}
	close $in;
	my $said = $i->hear;
	if ($said =~ /^stopped (\S+)/) {
		$at = $1;
		lose_locks($i->{pid});
		my $ok = eval { $meanwhile->(); 1 };
		my $fault = $@;
		$said = $i->tell($then // 'go');
		die $fault if !$ok;
	}
	my $status = <$out>;
	waitpid $pid, 0;
	die "inject: $said\n" if $said !~ /^done/;
	return ($status, $at);
}

sub hold_each
{
	my ($call, @pids) = @_;
	my @tools;

	for my $pid (@pids) {
		my $tool = bless {}, 'Berth::Inject';
		$tool->open_tool;
		lacking('processes can be traced', 'no process can be traced here') if $tool->tell("attach $pid") ne 'attached';
		$tool->tell("loop stop 1 $call") eq 'ready' or die "inject is not ready\n";
		push @tools, $tool;
	}
	return @tools;
}

sub held
{
	my ($count, @tools) = @_;

	my $all = wait_for {
		for my $tool (grep { !$_->{said} } @tools) {
			my $bits = '';
			vec($bits, fileno $tool->{out}, 1) = 1;
			$tool->{said} = $tool->hear if select $bits, undef, undef, 0;
		}
		$count <= grep { ($_->{said} // '') =~ /^stopped / } @tools;
	};
	return $all ? map { ($_->{said} // '') =~ /^stopped (\S+)/ ? $1 : () } @tools : ();
}

sub let_go
{
	my (@tools) = @_;

	for my $tool (grep { ($_->{said} // '') =~ /^stopped / } @tools) {
		print { $tool->{in} } "go\n";
	}
	return;
}

sub manifest_of
{
	my ($text) = @_;
	my $desc = sub { my ($t, $bytes) = @_; return sprintf '{"mediaType":"%s","size":%d,"digest":"%s"}', $t, length $bytes, sha256($bytes) };

	return sprintf '{"schemaVersion":2,"mediaType":"%s","config":%s,"layers":[%s]}', $type, $desc->('application/vnd.oci.image.config.v1+json', '{}'),
		$desc->('application/vnd.oci.image.layer.v1.tar', $text);
}

sub push_by
{
	my ($i, $repo, $tag, $text, %headers) = @_;
	my $json = manifest_of($text);

	for my $bytes ('{}', $text) {
		my $r = $i->ask('POST', "/v2/$repo/blobs/uploads/?digest=" . sha256($bytes), { body => $bytes, spooled => 1 });
		die 'POST: ' . ($r ? $r->status . ' ' . $r->body : 'no answer') . "\n" if !$r || $r->status ne '201';
	}
	my $r = $i->ask('PUT', "/v2/$repo/manifests/$tag", { body => $json, headers => { CONTENT_TYPE => $type, %headers } });
	return if %headers && $r && $r->status eq '412';
	die 'PUT: ' . ($r ? $r->status . ' ' . $r->body : 'no answer') . "\n" if !$r || $r->status ne '201';
	return $json;
}

1;
