#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The relay as a child of the master: started where there are endpoints, started again when it dies, told of a new configuration, ended; and
# berth-relay by itself: its command line, signals and exit status.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use List::Util qw(sum);
use POSIX ();
use Berth::Test;
use Berth::Check;
use Berth::Metrics;
use Berth::Receiver;

my $receiver = Berth::Receiver->start;
sub endpoint { my ($name, $more) = @_; return qq(notifications = ( { name = "$name"; url = "@{[ $receiver->url ]}"; @{[ $more // '' ]} } );\n) }
sub said { my ($s, $event, $re) = @_; return grep { ($_->{event} // '') eq $event && ($_->{message} // '') =~ $re } $s->log_events }
# lives - a process whose parent has died may stay as a zombie where nobody looks after it
sub lives { my ($pid) = @_; return scalar grep { $_ == $pid } Berth::Server::processes(sub { 1 }) }
sub pushed { my ($s, $tag) = @_; $s->push_image('team/app', $tag); return wait_for { grep { ($_->{tag} // '') eq $tag } $receiver->accepted } }

# --- without endpoints there is none

my $s = Berth::Server->start(workers => 2, config => "delete = true;\n");
my ($ready) = map { $_->{message} } said($s, 'ready', qr/workers/);
my $workers = sum($ready =~ /(\d+) (?:workers|for)/g);     # it says so before it starts them
ok !defined relay_pid($s), 'without endpoints no relay is started';
ok !-e $s->dir . '/relay.sock', '... and there is no socket for it';

# --- a reload begins it, and the next one ends it

$s->config("delete = true;\n" . endpoint('one'));
$s->reload;
ok wait_for(sub { relay_pid($s) && said($s, 'relay', qr/^started, .*, 1 endpoints, 0 upstreams$/) }), 'a reload with an endpoint starts the relay';
ok -S $s->dir . '/relay.sock', 'its socket is beside the workers\'';
is +(stat $s->dir . '/relay.sock')[2] & 0777, 0660, '... for their user and group';
ok wait_for(sub { $s->worker_pids == $workers + 2 }), 'two workers answer it';
ok wait_for(sub { -e $s->root . '/berth/journal/readers/one' }), 'it delivers';
ok pushed($s, 'first'), 'an event arrives';
my @open = map { readlink($_) // () } glob '/proc/' . relay_pid($s) . '/fd/*';
my $inode = join '|', map { /^\s*\S+: \S+ \S+ 00010000 \S+ \S+ +(\d+) \S*\.sock$/ ? $1 : () } split /\n/, slurp('/proc/net/unix');
is scalar(grep { /^socket:\[(?:$inode)\]$/ } @open), 0, 'it has inherited none of the workers\' sockets';
my $pid = relay_pid($s);
$s->config("delete = true;\n" . endpoint('two'));
$s->reload;
ok wait_for(sub { said($s, 'relay', qr/^configuration read/) && -e $s->root . '/berth/journal/readers/two' }), 'a reload reaches the relay';
is relay_pid($s), $pid, '... which is the same process';
$s->config("delete = true; nonsense = 1;\n");
$s->reload;
ok wait_for(sub { said($s, 'configuration', qr/nonsense/) }), 'an invalid configuration is refused';
is relay_pid($s), $pid, '... and the relay goes on';
ok pushed($s, 'second'), '... and delivers';
$s->config("delete = true;\n");
$s->reload;
ok wait_for(sub { !defined relay_pid($s) }), 'without endpoints the relay is ended';
ok wait_for(sub { $s->worker_pids == $workers }), '... and so are its workers';
is scalar(grep { ($_->{event} // '') eq 'relay_died' } $s->log_events), 0, '... which is no death';

# --- it is started again

$s->config("delete = true;\n" . endpoint('one'));
$s->restart;
my %seen;
for my $n (1 .. 4) {
	my $now = wait_for { my $p = relay_pid($s); $p && !$seen{$p} && $p };
	ok $now, "relay $n of four runs";
	$seen{$now} = 1;
	kill KILL => $now;
}
ok wait_for(sub { (grep { ($_->{event} // '') eq 'relay_died' } $s->log_events) == 4 }), 'each death is logged';
my @died = grep { ($_->{event} // '') eq 'relay_died' } $s->log_events;
is_deeply [map { $_->{signal} } @died], [(9) x 4], '... with its signal';
is_deeply [map { $_->{next_in_ms} ? 1 : 0 } @died], [0, 0, 1, 1], 'the first ones are replaced at once, further ones after a pause';
is metrics($s)->{berth_relay_restarts_total}, 4, '... and /metrics counts them';
cmp_ok $died[3]{next_in_ms}, '>', $died[2]{next_in_ms}, '... which grows';
ok pushed($s, 'third'), 'what was pushed meanwhile arrives';
my ($one) = $s->worker_pids;
kill KILL => $one;
wait_for { !lives($one) };      # until then it may take a request along
ok pushed($s, 'fourth'), 'a worker that dies is of no concern to it';

# --- it ends with the master, in whatever way

$pid = wait_for { relay_pid($s) };
is $s->stop_workers, 0, 'the master ends';
ok !lives($pid), '... after its relay';
ok !-e $s->dir . '/relay.sock', '... and removes its socket';
$s->start_workers;
$pid = wait_for { relay_pid($s) };
kill KILL => $s->master_pid;
ok wait_for(sub { !lives($pid) }), 'a master that is killed takes the relay along';
$s->stop_workers('KILL');
$s->start_workers;
ok wait_for(sub { relay_pid($s) }), 'the next one starts another, on the same path';
ok pushed($s, 'fifth'), '... which delivers';

# --- somebody else starts it

for ([relay => 'relay = "off";', []], ['--no-relay' => '', ['--no-relay']]) {
	my ($what, $setting, $args) = @$_;

	my $t = Berth::Server->start(workers => 1, args => $args, config => "$setting\n" . endpoint('three'));
	ok wait_for(sub { said($t, 'relay', qr{^berth-relay is not started here; it reaches the workers at \Q@{[ $t->dir ]}\E/relay\.sock$}) }), "with $what the master starts no relay, and says so";
	ok !defined relay_pid($t), '... and there is none';
	ok -S $t->dir . '/relay.sock', '... but its socket is';
	$t->stop;
}

# --- by itself

my $dir = tmp_dir();
my $relay = program('berth-relay');
my $t = Berth::Server->start(workers => 1, args => ['--no-relay'], config => endpoint('alone'));
my $log = "$dir/log";
my $alone;
END { kill KILL => $alone if $alone }
sub start
{
	my (@args) = @_;

	unlink $log;
	$alone = fork // die "fork: $!";
	if (!$alone) {
		open STDERR, '>', $log;
		{ no warnings; exec { $relay } $relay, @args }
		POSIX::_exit(127);
	}
	return $alone;
}
sub ended { waitpid $alone, 0; undef $alone; return $? }
sub wrote { my ($re) = @_; return wait_for { -e $log && slurp($log) =~ $re } }

my @args = ('--config', $t->config_file, '--root', $t->root, '--workers', $t->dir . '/relay.sock');
for my $sig (qw(TERM INT)) {
	start(@args);
	ok wrote(qr/"message":"started, store \Q@{[ $t->root ]}\E, 1 endpoints, 0 upstreams"/), 'berth-relay runs by itself';
	kill $sig => $alone;
	is ended(), 0, "SIG$sig ends it with status 0";
	like slurp($log), qr/"message":"stopped"/, '... and it says so';
}
start(@args);
wrote(qr/"started/);
ok pushed($t, 'sixth'), 'it delivers';
spew($t->config_file, "nonsense = 1;\n");
kill HUP => $alone;
ok wrote(qr/nonsense.*the old one stays/), 'SIGHUP with an invalid file: one line in the log';
is scalar(() = slurp($log) =~ /the old one stays/g), 1, '... one';
ok pushed($t, 'seventh'), '... and it delivers as before';
spew($t->config_file, endpoint('another'));
kill HUP => $alone;
ok wrote(qr/"configuration read, store /), 'SIGHUP with a valid one';
ok wait_for(sub { -e $t->root . '/berth/journal/readers/another' }), '... has another endpoint delivered to';
my @all = map { slurp("/proc/$_/status") =~ /^VmHWM:\s+(\d+) kB/m } $alone;
SKIP: {
	skip 'sanitizers need more memory', 1 if $ENV{BERTH_SANITIZERS};
	cmp_ok $all[0], '<', 32 * 1024, "it has had $all[0] KiB of memory at most";
}
spew($t->config_file, "delete = true;\n");
kill HUP => $alone;
ok wrote(qr/"configuration read, [^"]* 0 endpoints, 0 upstreams"/), 'without endpoints it waits for the next configuration';
kill TERM => $alone;
is ended(), 0, '... and ends';
# SIGHUP before it can handle it ends nobody. Until the program has begun it is blocked.
my $hup = POSIX::SigSet->new(POSIX::SIGHUP());
POSIX::sigprocmask(POSIX::SIG_BLOCK(), $hup);
start(@args);
kill HUP => $alone;
POSIX::sigprocmask(POSIX::SIG_UNBLOCK(), $hup);
ok wrote(qr/"configuration read/), 'SIGHUP at the start is read, too';
kill TERM => $alone;
is ended(), 0, '... and ends nobody';

# --- its command line

my $r = run($relay, '--root', '/nowhere', '--config', "$dir/none");
is $r->{status}, 2, 'a configuration that is not there: 2';
like $r->{err}, qr/^[^\n]+\n\z/, '... one line';
is run($relay, $_)->{status}, 2, "$_ is wrong" for '--nonsense', 'x';
$r = run($relay, '--version');
like $r->{out}, qr/^berth-relay \d+\.\d+\.\d+\n\z/, '--version';
spew("$dir/$_", "x\n") for qw(key token);
sub check
{
	my ($config) = @_;
	my $r = run($relay, '--check', '--config', spew("$dir/check.conf", $config));

	is $r->{err}, '', '--check: nothing on standard error';
	return [$r->{status}, $r->{out}];
}
my $good = qq(secret_file = "$dir/key"; headers = ( { name = "Authorization"; file = "$dir/token"; } ););
is_deeply check(endpoint('ok', $good)), [0, ''], '--check has nothing to say of files that are there';
is_deeply check("delete = true;\n"), [0, ''], '... nor of no endpoints';
my $bad = check(endpoint('bad', $good =~ s{/key}{/no-key}r =~ s{/token}{/no-token}r . qq( ca = "$dir";)));
is $bad->[0], 2, 'files that cannot be read: 2';
my @lines = split /\n/, $bad->[1];
is scalar(grep { /cannot read \Q$dir\E(?:\/no-key|\/no-token|): / } @lines), 3, '... a line for each' or diag $bad->[1];
is scalar(@lines), 3, '... and no other';
$bad = check("nonsense = 1;\n");
is $bad->[0], 2, 'an invalid configuration: 2';
like $bad->[1], qr/^\Q$dir\E\/check\.conf:1: .*nonsense.*\n\z/, '... says what is wrong with it';

done_testing;
