# SPDX-License-Identifier: Apache-2.0
#
# Berth::Recording: what strace saw of a store, as changes that Berth::PowerCut understands.
#
#   Berth::Server->start(wrap => [strace_to($file)], ...);
#   my @calls = recorded($file, $root);
#   play($fs, $call, \%state) for @calls;
#
# A call is { name, t, ... } with paths below the root of the store. A flush during which another process did something is two:
# 'begin' and its own name. nginx is not traced: what it spooled is known by who sent it, and is there, unflushed, when a
# worker opens it.
package Berth::Recording;

use strict;
use warnings;

use Exporter 'import';
use File::Find ();

use Berth::Test ();
use Berth::Trace qw(traced_calls);

our @EXPORT = qw(strace_to unknown_file_system recorded play snapshot settled);

my $CALLS = join ',', qw(openat open creat write writev pwrite64 pwritev copy_file_range sendfile ftruncate truncate fallocate
	mkdir mkdirat link linkat symlink symlinkat rename renameat renameat2 unlink unlinkat rmdir
	fsync fdatasync sync syncfs sync_file_range utimensat sendto sendmsg inotify_add_watch);

# unknown_file_system - words before a command for which nobody knows the file system of the store: so it may belong to several machines
my @UNKNOWN = ('-e', 'inject=fstatfs:error=EIO');
sub unknown_file_system { return ('strace', '-f', '--seccomp-bpf', '-qq', '-e', 'trace=fstatfs', @UNKNOWN, '-o', '/dev/null') }

# strace_to - words before a berth-fcgi that is recorded in this file; with unknown => 1 its file system is unknown, too
sub strace_to
{
	my ($file, %o) = @_;

	return ('strace', '-A', '-f', '--seccomp-bpf', '-ttt', '-xx', '-y', '-s', 1 << 20, '-e', "trace=$CALLS" . ($o{unknown} ? ',fstatfs' : ''), $o{unknown} ? @UNKNOWN : (), '-e', 'signal=none', '-qq', '-o', $file);
}

# settled - wait until nothing more comes into the file
sub settled
{
	my ($file) = @_;
	my ($size, $since) = (-1, 0);

	return Berth::Test::wait_for(sub {
		my $now = -s $file // 0;
		$since = $now == $size ? $since + 1 : 0;
		$size = $now;
		return $since >= 8;
	});
}

sub bytes_of { my ($s) = @_; $s =~ s/\\x([0-9a-f]{2})/chr hex $1/ge; return $s }

# The arguments of a call: [fd, path] for descriptors, bytes for strings, numbers and words as they are.
sub arguments
{
	my ($text) = @_;
	my @out;

	while ($text =~ /\G\s*(?:(?<fd>AT_FDCWD|\d+)<(?<path>[^>]*)>(?:\(deleted\))?|"(?<s>[^"]*)"(?:\.\.\.)?|(?<other>\[[^\]]*\]|\{[^}]*\}|[^,]+))\s*(?:,|\z)/g) {
		push @out, defined $+{fd} ? [$+{fd}, bytes_of($+{path})] : defined $+{s} ? bytes_of($+{s}) : $+{other};
	}
	return @out;
}

# watchers - the processes that watch berth/body/: what they open nobody relies on, and it may be the body of another request
my %watch;
my $BODY = join '', map { sprintf '\\x%02x', ord } split //, 'berth/body';
sub watchers
{
	my ($file) = @_;
	my $w = $watch{$file} //= { at => 0, pids => {} };

	open my $h, '<', $file or die "$file: $!";
	$w->{at} = 0 if $w->{at} > -s $h;
	seek $h, $w->{at}, 0;
	while (my $l = <$h>) {
		last if $l !~ /\n\z/;
		$w->{at} = tell $h;
		$w->{pids}{$1} = 1 if $l =~ /^(\d+) .*inotify_add_watch\([^"]*"\Q$BODY\E"/;
	}
	close $h;
	return $w->{pids};
}

# Those that come in pairs of directory and name, and how many pairs they have.
my %pairs = (mkdirat => 1, unlinkat => 1, linkat => 2, renameat => 2, renameat2 => 2, openat => 1, symlinkat => 1, utimensat => 1);
my %plain = (mkdir => 1, unlink => 1, rmdir => 1, link => 2, rename => 2, open => 1, creat => 1, symlink => 1);
my %as = (mkdirat => 'mkdir', unlinkat => 'unlink', rmdir => 'unlink', linkat => 'link', renameat => 'rename', renameat2 => 'rename', openat => 'open',
	creat => 'open', symlinkat => 'symlink', pwrite64 => 'pwrite', utimensat => 'touch', sync_file_range => 'written_out');

# recorded - the calls that concern the store, and the answers: { name => 'answer', status => 201, text => all of it };
# with `from` those that stand in the file from this byte on
sub recorded
{
	my ($file, $root, $from) = @_;
	my (@out, @begun);
	my $watchers = watchers($file);
	my $below = sub { my ($p) = @_; return $p eq $root ? '' : $p =~ s{\A\Q$root\E/}{}r =~ s{/\./}{/}gr if "$p/" =~ m{\A\Q$root\E/}; return };

	for my $l (traced_calls($file, $from)) {
		my ($pid, $t, $name, $text, $result, $line, $begun) = @$l;
		next if $watchers->{$pid};
		my @args = arguments($text);
		my %c = (name => $as{$name} // $name, t => $t, pid => $pid, line => $line);
		if ($name eq 'utimensat' && ref $args[0] && $args[1] eq 'NULL') {
			next if !defined($c{path} = $below->($args[0][1]));
			$c{fd} = [$args[0][0], $c{path}];
		} elsif (my $n = $pairs{$name} // $plain{$name}) {
			my @full;
			$c{target} = shift @args if $c{name} eq 'symlink';
			for (1 .. $n) {
				my $dir = $pairs{$name} ? shift(@args)->[1] : '';
				my $p = shift @args;
				push @full, $p =~ m{\A/} ? $p : $p eq '.' ? $dir : "$dir/$p";
			}
			@{ $c{paths} } = map { $below->($_) } @full;
			next if !@{ $c{paths} };
			die "$name leads out of the store\n" if @{ $c{paths} } != $n;
			@c{qw(flags fd)} = ($args[0], $result) if $c{name} eq 'open';
			$c{name} = 'exchange' if $name eq 'renameat2' && $args[0] =~ /RENAME_EXCHANGE/;
		} elsif ($name =~ /^(?:write|writev|sendto|sendmsg)$/ && $text =~ /\\x53\\x74\\x61\\x74\\x75\\x73\\x3a\\x20((?:\\x3.){3})/) {
			$c{name} = 'answer';
			$c{status} = bytes_of($1);
			$c{text} = bytes_of($text);
		} elsif ($name eq 'copy_file_range') {
			@c{qw(from fd bytes)} = ($args[0], $args[2], $result);
			@c{qw(from_off off)} = map { /\[(\d+)/ ? $1 : 0 } @args[1, 3];
			next if !defined $below->($c{fd}[1]);
		} elsif (ref $args[0]) {
			my ($fd, $p) = @{ $args[0] };
			next if $p !~ m{\A/} || !defined($p = $below->($p));
			next if $name =~ /^(?:sendfile|sendto|sendmsg)$/;
			die "$name is not understood\n" if $name =~ /v$/;
			next if $name eq 'sync_file_range' && $args[3] !~ /_WAIT_BEFORE.*_WRITE.*_WAIT_AFTER/;        # it waits for nothing
			@c{qw(fd path)} = ($args[0], $p);
			$c{fd}[1] = $p;
			$c{bytes} = substr($args[1], 0, $result) if $c{name} =~ /write/;
			$c{off} = $args[3] if $c{name} eq 'pwrite';
			$c{size} = $args[1] if $c{name} eq 'ftruncate';
			next if $name eq 'fallocate' && $args[1] =~ /KEEP_SIZE/;     # space, and no byte
			$c{size} = $args[2] + $args[3] if $c{name} eq 'fallocate';
			@c{qw(off size)} = @args[1, 2] if $c{name} eq 'written_out';
			push @begun, { %c, name => 'begin', of => \%c, line => $begun } if $name =~ /^fsync|^fdatasync/ && $begun != $line;
		} else {
			next;
		}
		push @out, \%c;
	}
	return sort { $a->{line} <=> $b->{line} } @out, @begun;
}

# What a descriptor stands for: as it was opened, or by the name that the kernel gave for it.
sub inode_of
{
	my ($fs, $fds, $c, $fd) = @_;
	my ($n, $path) = @{ $fd // $c->{fd} };

	return $fds->{"$c->{pid} $n"} // $fs->find($path) // die "$c->{name}: nothing is known of $path\n";
}

# play - one call; true where it may have changed something. $s keeps the descriptors of a recording, and:
#   body     the bytes that nginx spooled for the present request
#   spooled  the files that came of it so far
sub play
{
	my ($fs, $c, $s) = @_;
	my $name = $c->{name};
	my $fds = $s->{fds} //= {};
	my ($from, $to) = @{ $c->{paths} // [] };

	if ($name eq 'open') {
		my $i = $fs->find($from);
		my $made = !defined $i;
		if ($made && $from =~ m{\Aberth/body/[^/]+\z} && $c->{flags} !~ /O_CREAT/) {
			$i = $fs->create($from);
			$fs->write($i, 0, $s->{body} // die "nobody sent the body $from\n");
			push @{ $s->{spooled} }, $from;
		} elsif ($made) {
			die "$from was opened and is not known\n" if $c->{flags} !~ /O_CREAT/;
			$i = $fs->create($from);
		} elsif ($c->{flags} =~ /O_TRUNC/) {
			$fs->truncate($i, 0);
			$made = 1;
		}
		$fds->{"$c->{pid} $c->{fd}"} = $i;
		$s->{at}{$i} = 0;
		return $made;
	}
	if ($name eq 'write' || $name eq 'pwrite') {
		my $i = inode_of($fs, $fds, $c);
		my $at_end = $c->{path} =~ m{\Aberth/journal/} || !$s->{at}{$i};     # a journal is open with O_APPEND, perhaps since long ago
		my $off = $c->{off} // ($at_end ? length $fs->bytes($i) : $s->{at}{$i});
		$fs->write($i, $off, $c->{bytes});
		$s->{at}{$i} = $off + length $c->{bytes};
	} elsif ($name eq 'copy_file_range') {
		my $bytes = $fs->bytes(inode_of($fs, $fds, $c, $c->{from}));
		$fs->write(inode_of($fs, $fds, $c), $c->{off}, substr $bytes, $c->{from_off}, $c->{bytes});
	} elsif ($name eq 'ftruncate') {
		$fs->truncate(inode_of($fs, $fds, $c), $c->{size});
	} elsif ($name eq 'fallocate') {
		my $i = inode_of($fs, $fds, $c);
		$fs->truncate($i, $c->{size}) if length $fs->bytes($i) < $c->{size};
	} elsif ($name eq 'begin') {
		$s->{begun}{ $c->{of} } = $fs->begin(inode_of($fs, $fds, $c));
		return 0;
	} elsif ($name eq 'fsync' || $name eq 'fdatasync') {
		$fs->$name(inode_of($fs, $fds, $c), delete $s->{begun}{$c});
	} elsif ($name eq 'written_out') {
		$fs->written_out(inode_of($fs, $fds, $c), @$c{qw(off size)});
	} elsif ($name eq 'touch') {
		my $i = $c->{fd} ? inode_of($fs, $fds, $c) : $fs->find($from);
		$fs->touch($i) if defined $i;
		return 0;
	} elsif ($name eq 'syncfs' || $name eq 'sync') {
		$fs->syncfs;
	} elsif ($name eq 'symlink') {
		# where it leads is on disk as soon as it has its name
		my $i = $fs->create($from);
		$fs->write($i, 0, "-> $c->{target}");
		$fs->fsync($i);
	} elsif ($name eq 'mkdir' || $name eq 'unlink') {
		$fs->$name($from);
	} elsif ($name eq 'link' || $name eq 'rename' || $name eq 'exchange') {
		$fs->$name($from, $to);
	} elsif ($name ne 'answer') {
		die "$name is not understood\n";
	}
	return 1;
}

# snapshot - a directory as Berth::PowerCut wants it; without what nginx spooled, which it removes when it likes
sub snapshot
{
	my ($root) = @_;
	my %out;

	File::Find::find({ no_chdir => 1, wanted => sub {
		return if $_ eq $root || m{\A\Q$root\E/berth/body/};
		my @st = lstat $_ or return;
		$out{ substr $_, 1 + length $root } = -d _ ? { dir => 1 } : -l _ ? { bytes => '-> ' . readlink } : { bytes => Berth::Test::slurp($_), inode => $st[1] };
	} }, $root);
	return \%out;
}

1;
