#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Started by systemd, and by others who hold its sockets: sockets that are handed over and outlive a master, the word that it
# serves, and how little the units may do.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM);
use Berth::Test;
use Berth::Check;
use Berth::GC;
use Berth::Repo;

need_program(qw(spawn-fcgi systemd-socket-activate systemd-analyze));

my $dir = tmp_dir();
my $program = program('berth-fcgi');
my %get = (REQUEST_METHOD => 'GET', REQUEST_URI => '/v2/', SERVER_PROTOCOL => 'HTTP/1.1', REMOTE_ADDR => '127.0.0.1');
my @pids;

sub start
{
	my @cmd = @_;
	my $pid = fork // die "fork: $!";

	if (!$pid) {
		open STDERR, '>', "$dir/log";
		open STDOUT, '>', '/dev/null';
		open STDIN, '<', '/dev/null';
		{ no warnings; exec { $cmd[0] } @cmd }
		POSIX::_exit(127);
	}
	push @pids, $pid;
	return $pid;
}

sub stop
{
	my ($pid) = @_;

	kill TERM => $pid;
	waitpid $pid, 0;
	@pids = grep { $_ != $pid } @pids;
	return $? >> 8;
}

END { kill TERM => @pids if @pids }

# A socket has its file before anybody listens on it.
sub listens { my ($name) = @_; return content_of('/proc/net/unix') =~ m{ 00010000 \S+ \S+ +\d+ \Q$dir/$name\E$}m }

sub answers { return eval { Berth::FCGI->new($_[0])->request(params => \%get)->body } // 'nothing' }

my $notify = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$dir/notify") or die "notify: $!";
my $pid = start('systemd-socket-activate', '-E', "NOTIFY_SOCKET=$dir/notify", '-l', "$dir/a.sock", '-l', "$dir/b.sock", '-l', "$dir/c.sock",
	$program, '--root', "$dir/store", '--workers', '2');
ok wait_for(sub { listens('c.sock') }), 'systemd listens';
ok !-e "$dir/store", 'and starts nothing before it is needed';
is answers("$dir/a.sock"), '{}', 'the first request starts the workers, and is answered';
is answers("$dir/b.sock"), '{}', 'the second socket has workers, too';
is answers("$dir/c.sock"), '{}', 'and the third';
like slurp("$dir/log"), qr/2 workers, 2 for writes, [1-9]\d* for uploads/, 'each of its own';
my $word = '';
$notify->blocking(0);
ok wait_for(sub { $notify->recv($word, 100); $word ne '' }), 'systemd is told';
is $word, 'READY=1', 'that it serves';
is stop($pid), 0, 'SIGTERM ends it';
ok -S "$dir/a.sock", 'the socket stays, which is systemd\'s';

unlink glob("$dir/*.sock");
$pid = start('systemd-socket-activate', '-l', "$dir/a.sock", '-l', "$dir/b.sock", $program, '--root', "$dir/store", '--workers', '2');
ok wait_for(sub { listens('b.sock') }), 'two sockets, as before there was a third';
is answers("$dir/b.sock"), '{}', 'the second has workers';
like slurp("$dir/log"), qr/2 workers, 0 for writes, [1-9]\d* for uploads/, 'for uploads; writes are done by those of the first';
stop($pid);

# A fourth is the relay's, where nothing but the relay's questions is answered.
spew("$dir/relay.conf", 'notifications = ( { name = "none"; url = "http://127.0.0.1:1/"; } );');
unlink glob("$dir/*.sock");
$pid = start('systemd-socket-activate', (map { ('-l', "$dir/$_.sock") } 'a' .. 'd'), $program, '--root', "$dir/store", '--config', "$dir/relay.conf", '--workers', '2', '--no-relay');
ok wait_for(sub { -S "$dir/d.sock" }), 'four sockets';
is answers("$dir/a.sock"), '{}', 'the first is answered';
my $told = eval { Berth::FCGI->new("$dir/d.sock")->request(params => { %get, REQUEST_URI => '/berth/v1/relay/settle' })->status } // 'nothing';
is $told, 400, 'the fourth knows what the relay asks';
isnt answers("$dir/d.sock"), '{}', '... and nothing else';
like slurp("$dir/log"), qr{berth-relay is not started here; it reaches the workers at \Q$dir\E/d\.sock}, 'the log says where it is reached';
is scalar(grep { Berth::Server::is_relay($_) } Berth::Server::children($pid)), 0, '... and that somebody else starts it';
stop($pid);

unlink glob("$dir/*.sock");
$pid = start('systemd-socket-activate', '-l', "$dir/a.sock", $program, '--root', "$dir/store", '--workers', '2');
ok wait_for(sub { listens('a.sock') }), 'one socket is enough';
is answers("$dir/a.sock"), '{}', 'for everything';
stop($pid);
my $r = run({ env => { LISTEN_PID => 1, LISTEN_FDS => 1 } }, $program, '--root', "$dir/store");
is $r->{status}, 1, 'sockets that were another process\'s';
is $r->{err}, "berth-fcgi: descriptor 0 is not a listening socket; use --listen, or start berth-fcgi by spawn-fcgi or systemd: Socket operation on non-socket\n",
	'are not taken';

# --- a new master on sockets that stay, under load

my $s = Berth::Server->start(held => 1, workers => 4, config => qq(gc = { every = "1s"; grace = "1h"; rate = 2; };\n));
$s->push_image('held/app', 'one', layers => ['a layer of it' x 1000]);
my @garbage = map { $s->push_blob('held/garbage', "garbage $_") } 1 .. 60;
make_old($s, 7200);
my $all = random_bytes(700_000);
my @uploads = map { upload_start($s, "held/slow$_") } 1 .. 2;

sub patch
{
	my ($from, $to, $what) = @_;

	for (@uploads) {
		my $r = $s->req(PATCH => $_, headers => ['Content-Range' => "$from-" . ($to - 1)], body => substr $all, $from, $to - $from);
		is $r->status, 202, $what;
		$_ = path_of($r->header('Location'));
	}
	return;
}
patch(0, 300_000, 'an upload is begun');
my @masters = $s->master_pid;
my ($said, $failed, $total) = clients_beside($s, space => 'held', layer => sha256('a layer of it' x 1000), readers => 12, sub {
	my ($more) = @_;
	for (1 .. 3) {
		$more->(40);
		wait_for { grep { ($_->{event} // '') eq 'collecting' && kill 0, $_->{pid} } $s->log_events } or return 'nothing is collected';
		$s->stop_workers == 0 or return 'the old master has not ended well';
		$s->start_workers;
		push @masters, $s->master_pid;
	}
	$more->(40);
	return 'replaced';
});
is $said, 'replaced', 'three times a master ends on SIGTERM, in a collection, and another starts on the same sockets';
is_deeply $failed, [], 'twenty clients that pull and push see no failed request';
cmp_ok $total, '>=', 20, "of $total";
my %other = map { $_ => 1 } @masters;
is keys %other, 4, 'they were four masters';
patch(300_000, 700_000, 'an upload that another master began goes on');
is $s->req(PUT => "$_?digest=" . sha256($all))->status, 201, 'and ends' for @uploads;
ok $s->req(GET => '/v2/held/slow1/blobs/' . sha256($all))->body eq $all, 'with all its bytes';
$s->config(qq(gc = { every = "1s"; grace = "1h"; };\n));
$s->stop_workers;
$s->start_workers;
ok wait_for(sub { !grep { -e blob_file($s, $_) } @garbage }), 'a collection of the last master collects what those of the others had begun with';
ok !(grep { ($_->{event} // '') eq 'collection_failed' } $s->log_events), 'none of them has failed';
is $s->stop_workers, 0, 'SIGTERM ends the last one';
is join(' ', fsck_kinds($s)), '', 'fsck finds nothing wrong';
$s->stop;

# --- the same by a shell's loop, which holds descriptor 0

$pid = start('spawn-fcgi', '-n', '-s', "$dir/held.sock", '--', '/bin/sh', '-c', 'while "$@"; do :; done', 'sh', $program,
	'--root', "$dir/store", '--workers', '1');
ok wait_for(sub { answers("$dir/held.sock") eq '{}' }), 'spawn-fcgi and a loop of the shell start it';
my ($first) = Berth::Server::children($pid);
my $f = Berth::FCGI->new("$dir/held.sock");
my ($slow) = $f->say_first(substr Berth::FCGI::head(0, %get), 0, 50);
kill TERM => $first;
ok wait_for(sub { slurp("$dir/log") =~ /"event":"stopping"/ }), 'the master is told to go while a request comes in';
my ($late) = $f->say_first(Berth::FCGI::head(0, %get) . Berth::FCGI::stream(Berth::FCGI::FCGI_STDIN(), ''));
close $slow;
my $answer = eval { $f->read_answer($late, 120) };
is $answer ? $answer->body : $@, '{}', 'what comes meanwhile is answered';
ok wait_for(sub { my ($now) = Berth::Server::children($pid); ($now // $first) != $first }), 'by the next one';
my ($second) = Berth::Server::children($pid);
stop($pid);
kill TERM => $second;
ok wait_for(sub { !kill 0, $second }), 'without the loop none comes after it';

# --- the units

run_ok('make', '-s', '-C', build_dir(), 'install', "DESTDIR=$dir/root", 'make install');
my ($units) = glob("$dir/root/usr/local/lib/systemd/system");
my %most = ('berth.service' => 1.5, 'berth-gc.service' => 1.5, 'berth-nginx.service' => 2.5, 'berth-relay.service' => 2.5);
for my $unit (sort keys %most) {
	my $text = slurp("$units/$unit");
	unlike $text, qr/@[a-z]+@/, "$unit is filled in";
	$r = run('systemd-analyze', 'security', '--no-pager', '--offline=true', "$units/$unit");
	my ($exposure) = $r->{out} =~ /exposure level for \S+: ([0-9.]+)/;
	cmp_ok $exposure // 10, '<=', $most{$unit}, "$unit: $exposure of 10 is exposed" or diag("$r->{out}$r->{err}");
}
$r = run('systemd-analyze', 'verify', '--man=no', glob("$units/*.timer"), glob("$units/*.socket"));
is join("\n", grep { /\Q$units\E|Unknown|assign/ && !/not executable|No such file/ } split /\n/, $r->{err}), '', 'systemd understands them';

done_testing;
