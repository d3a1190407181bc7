#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What writers note for a collection: nothing of what is not there, and nothing for a collection that has ended, however it
# ended.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX ();
use Berth::Test;
use Berth::Check;
use Berth::GC;

my $DAY = 24 * 3600;
my $s = Berth::Server->start(workers => 2);
my ($gc_dir, $mark) = ($s->root . '/berth/gc', $s->root . '/berth/gc/run');
my ($digest, $manifest) = $s->push_image('n/app', 'v1', layers => ['a layer']);
my $layer = sha256('a layer');

sub garbage {
	my ($what) = @_;
	$s->push_blob('n/app', "garbage $what $_") for 1 .. 60;
	make_old($s, 2 * $DAY);
	return;
}

# begin - a slow collection in a process of its own, and that it is on
sub begin {
	my (@o) = @_;
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		open STDOUT, '>', $s->dir . '/gc.out';
		open STDERR, '>', $s->dir . '/gc.err';
		$SIG{$_} = 'DEFAULT' for qw(TERM INT HUP PIPE);
		my @cmd = (gc_cmd($s, @o));
		exec { $cmd[0] } @cmd or POSIX::_exit(127);
	}
	wait_for { -e $mark } or die "no collection is on\n";
	return $pid;
}

# notes - the bytes that are noted in all; heads - so many HEADs, and the first that was not answered as it should
sub notes { my $n = 0; $n += -s "$gc_dir/$_" for grep { m{^[0-9a-f]{16}/} } files_below($gc_dir); return $n }

sub heads {
	my ($n) = @_;
	for (1 .. $n) {
		my $status = $s->req(HEAD => "/v2/n/app/blobs/$layer")->status;
		return $status if $status != 200;
	}
	return 200;
}

sub ends_clean {
	my ($title) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok !-e $mark, "$title: its mark is gone";
	is join(' ', grep { !/^(?:reserve|last$)/ } files_below($gc_dir)), '', "$title: its notes, too";
	ok -e "$gc_dir/reserve/0", "$title: the reserve is there again";
	is heads(20), 200, "$title: who asks is answered";
	is notes(), 0, "$title: and notes nothing";
	return;
}

# --- ended by a signal ------------------------------------------------------------------

garbage('of signals');
for my $sig (qw(TERM INT HUP)) {
	my $pid = begin('--rate', 1);
	is heads(20), 200, "while a collection is on HEADs are answered";
	cmp_ok notes(), '>', 0, 'and noted';
	kill $sig => $pid;
	waitpid $pid, 0;
	is $? & 127, POSIX->can("SIG$sig")->(), "SIG$sig ends it";
	like slurp($s->dir . '/gc.err'), qr/\Aberth: [^\n]*ended by signal \d+[^\n]*\n\z/, 'which it says in one line';
	ends_clean("SIG$sig");
}
{
	my $pid = begin('--rate', 1, '--untagged', '--dry-run');
	kill TERM => $pid;
	waitpid $pid, 0;
	is $? & 127, POSIX::SIGTERM(), 'SIGTERM ends a dry run';
	ends_clean('a dry run');
}
{
	pipe my $out, my $in or die;
	my $pid = fork // die;
	if (!$pid) {
		open STDOUT, '>&', $in;
		close $_ for $in, $out;
		open STDERR, '>', '/dev/null';
		$SIG{PIPE} = 'DEFAULT';
		my @cmd = gc_cmd($s, '--json', '--dry-run', '--grace', '1s');
		exec { $cmd[0] } @cmd or POSIX::_exit(127);
	}
	close $_ for $in, $out;
	waitpid $pid, 0;
	ends_clean('nobody reads what it says');
}
is $s->req(GET => '/v2/n/app/manifests/v1')->body, $manifest, 'the image is there';

# --- ended together with its helpers ------------------------------------------------------

SKIP: {
	my ($cpus) = slurp('/proc/self/status') =~ /^Cpus_allowed_list:\s*(\S+)/m;
	skip 'there is one processor, so there are no helpers', 1 if $cpus !~ /[-,]/;
	skip 'it traces system calls', 1 if $ENV{BERTH_SANITIZERS};
	need_program('strace');
	my $b = bare_store();
	lay_image($b, sprintf('h/app%02d', $_), undef, "{\"app\":$_}", "layer $_") for 1 .. 40;       # each is looked for, slowly
	make_old($b, 2 * $DAY);
	my $pid = fork // die;
	if (!$pid) {
		open STDOUT, '>', '/dev/null';
		open STDERR, '>', '/dev/null';
		my @cmd = ('strace', '-f', '-o', '/dev/null', '-e', 'trace=faccessat,faccessat2', '-e', 'inject=faccessat,faccessat2:delay_enter=1000000', gc_cmd($b));
		exec { $cmd[0] } @cmd or POSIX::_exit(127);
	}
	my ($gc, $helper);
	wait_for { ($gc) = grep { (eval { slurp("/proc/$_/cmdline") } // '') =~ /^\S*berth\0/ } Berth::Server::children($pid); ($helper) = $gc ? Berth::Server::children($gc) : (); $helper };
	ok $helper, 'a collection has a helper';
	kill TERM => $gc if $gc;
	waitpid $pid, 0;
	is $? & 127 || $? >> 8, POSIX::SIGTERM(), 'SIGTERM ends it';
	ok !-d "/proc/$helper", 'with its helper';
	is join(' ', grep { !/^reserve/ } files_below($b->root . '/berth/gc')), '', 'and its mark';
}

# --- killed -------------------------------------------------------------------------------

{
	my $pid = begin('--rate', 1);
	is heads(20), 200, 'a collection is on';
	kill KILL => $pid;
	waitpid $pid, 0;
	ok -e $mark, 'kill -9 leaves its mark';
	is heads(400), 200, 'HEADs are answered';
	ok !-e $mark, 'and find out that nobody collects';
	my $noted = notes();
	cmp_ok $noted, '<', 2 * 8192, 'before two workers have noted much';
	is heads(50), 200, 'from then on';
	is notes(), $noted, 'they note nothing';
	my @said = grep { ($_->{event} // '') eq 'collector' } $s->log_events;
	is scalar(@said), 1, 'the log says so once';
	like $said[0]{message}, qr/killed/, 'in a line';
}

# --- one that is alive ----------------------------------------------------------------------

my $named = 1000;
my $refused = image_of(OCI_MANIFEST, 'no config', map { "missing $_" } 1 .. $named);
{
	my $pid = begin('--rate', 1);
	is join(' ', grep { m{^[0-9a-f]{16}/} } files_below($gc_dir)), '', 'the next one begins without the notes of that one';
	kill STOP => $pid;              # it does not come to its end meanwhile
	is heads(400), 200, 'however many HEADs there are';
	ok -e $mark, 'its mark stays';
	cmp_ok notes(), '>', 400 * 60, 'and all are noted';

	my $before = notes();
	is $s->req(PUT => '/v2/n/app/manifests/refused', body => $refused, headers => ['Content-Type' => OCI_MANIFEST])->status, 400,
		"a manifest that names $named layers that are not there is refused";
	is notes(), $before, 'and nothing is noted';
	my $m = image_of(OCI_MANIFEST, 'a config', 'a layer');
	$s->push_blob('n/app', 'a config');
	$before = notes();
	is $s->push_manifest('n/app', 'v2', $m, OCI_MANIFEST)->status, 201, 'one that is taken';
	my $text = join '', map { slurp("$gc_dir/$_") } grep { m{^[0-9a-f]{16}/} } files_below($gc_dir);
	like $text, qr/^\Q$_\E n\/app$/m, "is noted, with all that it names ($_)" for sha256($m), sha256('a config'), $layer;
	kill TERM => $pid;
	kill CONT => $pid;
	waitpid $pid, 0;
}

# --- the master's own -----------------------------------------------------------------------

garbage('of the master');
$s->stop_workers;
$s->config(qq(gc = { every = "30m"; grace = "1h"; rate = 1; };\n));
utime time - 3600, time - 3600, "$gc_dir/last" or spew("$gc_dir/last", '') && utime time - 3600, time - 3600, "$gc_dir/last";
$s->start_workers;
ok +(wait_for { -e $mark }), 'the master has begun one';
$s->stop_workers;
ok !-e $mark, 'a stop of the master ends it, with its mark';
$s->start_workers;
ok +(wait_for { -e $mark }), 'and begun another';
kill KILL => $s->master_pid;
ok +(wait_for { !-e $mark }), 'kill -9 of the master ends it, with its mark';
$s->stop_workers;
$s->start_workers;
is $s->req(GET => "/v2/n/app/blobs/$layer")->body, 'a layer', 'what is needed is there';

done_testing;
