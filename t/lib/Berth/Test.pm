# SPDX-License-Identifier: Apache-2.0
#
# Berth::Test: what every black-box test needs. Test::More, the server, the clients, and small helpers.
# Perl's core modules only.
package Berth::Test;

use strict;
use warnings;

use Cwd ();
use Digest::SHA ();
use Exporter 'import';
use File::Basename ();
use File::Spec;
use File::Temp ();
use IO::Select;
use POSIX ();
use Storable ();
use Test::More;
use Time::HiRes ();

our @EXPORT = (@Test::More::EXPORT, qw(
	build_dir source_dir program go_program have_program lacking need_program plain_build_only is_long skip_long
	sha256 sha512 random_bytes tmp_dir slurp spew run run_ok wait_for run_parallel own_mounts read_response
));

# What perl warns of is a fault of the test.
my ($owner, $warned) = ($$, 0);
$SIG{__WARN__} = sub { print STDERR '# ', @_; $warned++; return };
END {
	if ($$ == $owner && $warned) {
		print STDERR "# $warned warnings\n";
		$? ||= 1;
	}
}

# Where the sources and the build are; `make check` and scripts/test say so, by hand the defaults hold.
my $here = Cwd::realpath(File::Spec->catdir(File::Basename::dirname(__FILE__), (File::Spec->updir) x 3));
sub source_dir { return $ENV{SRCDIR} ? Cwd::realpath($ENV{SRCDIR}) : $here }
sub build_dir  { return $ENV{BUILDDIR} ? Cwd::realpath($ENV{BUILDDIR}) : "$here/build" }

# One of our own programs. Without it no test means anything, so this is no skip.
sub program
{
	my ($name) = @_;
	my $path = build_dir() . "/$name";

	die "$path is missing: build first, or say where it is with BUILDDIR\n" if !-x $path;
	return $path;
}

# go_program - one of those in t/tool that are written in Go, since what they use is not ours: built once, with the modules that its go.sum names, and
# kept with the other things that a first run fetches
sub go_program
{
	my ($name) = @_;
	my $dir = source_dir() . "/t/tool/$name";
	my $go = have_program('go') // (-x '/usr/local/go/bin/go' ? '/usr/local/go/bin/go' : undef);
	my $sum = substr sha256(join "\0", map { slurp("$dir/$_") } qw(main.go go.mod go.sum)), 7, 16;
	my $program = build_dir() . "/cache/$name-$sum";

	return $program if -x $program;
	lacking('Go is installed', 'Go is not installed') if !$go;
	mkdir build_dir() . '/cache';
	my $r = run({ dir => $dir, timeout => 600, env => { GOFLAGS => '-mod=readonly', GOTOOLCHAIN => 'local', CGO_ENABLED => 0 } },
		$go, 'build', '-o', "$program.$$", '.');
	die "go build: $r->{err}" if $r->{status};
	rename "$program.$$", $program or die "$program: $!";
	return $program;
}

sub have_program
{
	my ($name) = @_;

	for my $dir (split(/:/, $ENV{PATH} // ''), '/usr/sbin', '/sbin') {
		return "$dir/$name" if -x "$dir/$name" && !-d _;
	}
	return;
}

# A test that lacks what it needs fails in CI, and is skipped, aloud, where a person runs it: lacking(what it needs, why not)
sub lacking
{
	my ($need, $why) = @_;

	if ($ENV{CI}) {
		print "1..1\nnot ok 1 - $need\n";
		print STDERR "# this test cannot run: $why\n";
		exit 1;
	}
	plan(skip_all => $why);
	return;
}

sub need_program
{
	for my $name (@_) {
		lacking("$name is installed", "$name is not installed") if !have_program($name);
	}
	return 1;
}

# For tests that trace system calls or measure memory, time or counts: sanitizers change all of these. And for those that run nothing that is built with them.
sub plain_build_only
{
	my ($why) = @_;

	plan(skip_all => "belongs to the plain build: $why") if $ENV{BERTH_SANITIZERS};
	return 1;
}

# What takes many minutes runs only where somebody asked for it. A test that is long as a whole ends with plan(skip_all) by
# skip_long(why); a part of one stands in a SKIP block, where skip_long(why, number of its tests) leaves it.
sub is_long { return $ENV{BERTH_TEST_LONG} ? 1 : 0 }

sub skip_long
{
	my ($why, $count) = @_;

	return if is_long();
	$why = "takes long: $why; scripts/test --long runs it";
	return $count ? skip($why, $count) : plan(skip_all => $why);
}

sub sha256 { return 'sha256:' . Digest::SHA::sha256_hex($_[0]) }
sub sha512 { return 'sha512:' . Digest::SHA::sha512_hex($_[0]) }

# Bytes that do not compress and differ from run to run.
sub random_bytes
{
	my ($n) = @_;

	open my $fh, '<:raw', '/dev/urandom' or die "/dev/urandom: $!";
	my $bytes = '';
	while (length $bytes < $n) {
		read($fh, $bytes, $n - length $bytes, length $bytes) or die "/dev/urandom: $!";
	}
	return $bytes;
}

sub tmp_dir { return File::Temp::tempdir('berth-t.XXXXXX', TMPDIR => 1, CLEANUP => 1) }

sub slurp
{
	my ($file) = @_;

	open my $fh, '<:raw', $file or die "$file: $!";
	local $/;
	my $bytes = <$fh>;
	return defined $bytes ? $bytes : '';
}

sub spew
{
	my ($file, $bytes) = @_;

	open my $fh, '>:raw', $file or die "$file: $!";
	print {$fh} $bytes or die "$file: $!";
	close $fh or die "$file: $!";
	return $file;
}

# run a command without a shell: { status => exit status (128 + signal where killed), out => stdout, err => stderr }.
# A hash first gives options: env => {...}, stdin => bytes, timeout => seconds, dir => where.
sub run
{
	my %o = ref $_[0] eq 'HASH' ? %{ shift() } : ();
	my @cmd = @_;
	my ($in, $out, $err);

	for my $fh ($in, $out, $err) {
		open $fh, '+>:raw', undef or die "temporary file: $!";
	}
	print {$in} $o{stdin} if defined $o{stdin};
	$in->flush;
	seek $in, 0, 0;
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		open STDIN, '<&', $in or POSIX::_exit(127);
		open STDOUT, '>&', $out or POSIX::_exit(127);
		open STDERR, '>&', $err or POSIX::_exit(127);
		if ($o{env}) {
			defined $o{env}{$_} ? ($ENV{$_} = $o{env}{$_}) : delete $ENV{$_} for keys %{ $o{env} };
		}
		if ($o{dir}) { chdir $o{dir} or POSIX::_exit(127) }
		{ no warnings; exec { $cmd[0] } @cmd }
		print STDERR "$cmd[0]: $!\n";
		STDERR->flush;
		POSIX::_exit(127);
	}
	my $end = Time::HiRes::time() + ($o{timeout} // 900);
	my $status;
	while (1) {
		my $got = waitpid $pid, POSIX::WNOHANG();
		if ($got == $pid) {
			$status = $? & 127 ? 128 + ($? & 127) : $? >> 8;
			last;
		}
		if (Time::HiRes::time() > $end) {
			kill KILL => $pid;
			waitpid $pid, 0;
			$status = 128 + 9;
			last;
		}
		Time::HiRes::sleep(0.005);
	}
	my %r = (status => $status);
	for (['out', $out], ['err', $err]) {
		my ($k, $fh) = @$_;
		seek $fh, 0, 0;
		local $/;
		my $text = <$fh>;
		$r{$k} = defined $text ? $text : '';
	}
	return \%r;
}

# run, and a test that it ended with 0; what it said is shown where not. Returns its stdout.
sub run_ok
{
	my $title = pop;
	my $r = run(@_);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($r->{status} == 0, $title) or diag("status $r->{status}\n$r->{out}$r->{err}");
	return $r->{out};
}

# Poll until the code returns something true, which is returned; nothing after two minutes, which end a test that fails and
# say nothing of how long anything takes: another limit can't be given. Dies then where nobody looks at what is returned.
# A look that takes long is taken less often, so that what is waited for gets the processor.
sub wait_for(&)
{
	my ($code) = @_;
	my $end = Time::HiRes::time() + 120;

	while (1) {
		my $began = Time::HiRes::time();
		my $r = $code->();
		return $r if $r;
		my $now = Time::HiRes::time();
		if ($now > $end) {
			require Carp;
			Carp::croak('what is waited for does not come') if !defined wantarray;
			return;
		}
		my $pause = 2 * ($now - $began);
		Time::HiRes::sleep($pause < 0.01 ? 0.01 : $pause > 0.5 ? 0.5 : $pause);
	}
}

# own_mounts - go on in a mount namespace of this test's own, where file systems can be mounted: whatever becomes of the
# test, nothing stays mounted. Where that cannot be it is skipped, or fails in CI.
sub own_mounts
{
	lacking('file systems can be mounted', 'it mounts file systems, which takes root') if $> != 0;
	return if $ENV{BERTH_TEST_MOUNTS};
	need_program('unshare');
	lacking('file systems can be mounted', 'no file system can be mounted here') if run('unshare', '--mount', '--propagation', 'private', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt')->{status};
	# This test begins once more: what it has started would be left, and hold up whoever waits for its output.
	die "a test goes into a namespace before it starts anything\n" if waitpid(-1, POSIX::WNOHANG()) >= 0;
	$ENV{BERTH_TEST_MOUNTS} = 1;
	exec('unshare', '--mount', '--propagation', 'private', $^X, $0) or die "unshare: $!\n";
}

# Run the code n times at once, each in a process of its own with its number (0..n-1), and return the n results in
# order: whatever the code returned (a scalar or a reference to plain data); a hash { died => message } where it died.
# $meanwhile is called in this process while they run.
sub run_parallel
{
	my ($n, $code, $meanwhile) = @_;
	my (@pid, @fh, @result);

	STDOUT->flush;
	STDERR->flush;
	for my $i (0 .. $n - 1) {
		pipe(my $r, my $w) or die "pipe: $!";
		my $pid = fork // die "fork: $!";
		if (!$pid) {
			close $r;
			@SIG{qw(TERM INT)} = ('DEFAULT', 'DEFAULT');
			my $v = eval { \scalar $code->($i) } // \{ died => "$@" };
			binmode $w;
			eval { print {$w} Storable::freeze($v); close $w; 1 } or POSIX::_exit(1);
			POSIX::_exit(0);        # no END blocks, no DESTROY: they are the parent's
		}
		close $w;
		binmode $r;
		push @pid, $pid;
		push @fh, $r;
	}
	$meanwhile->() if $meanwhile;
	for my $i (0 .. $n - 1) {
		local $/;
		my $fh = $fh[$i];
		my $bytes = <$fh>;
		my $v = defined $bytes && length $bytes ? eval { Storable::thaw($bytes) } : undef;
		waitpid $pid[$i], 0;
		$result[$i] = $v ? $$v : { died => "no result, wait status $?" };
	}
	return @result;
}

# Read one HTTP answer from a socket (1xx answers are passed over). Options: method => 'HEAD', timeout => seconds,
# rest => \$buffer for what came after it on a connection that is kept. Returns a Berth::Response, or undef where
# the peer closed without a byte.
sub read_response { return Berth::Response->read(@_) }

require Berth::Response;
require Berth::Server;
require Berth::FCGI;

1;
