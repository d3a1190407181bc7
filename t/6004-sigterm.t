#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# SIGTERM: what is under way is finished, then everything is gone, with status 0.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(workers => 4);

sub said { my ($event) = @_; return scalar grep { ($_->{event} // '') eq $event } $s->log_events }

# idle
for my $sig (qw(TERM INT)) {
	my @pids = $s->worker_pids;
	is $s->stop_workers($sig), 0, "an idle master exits 0 on SIG$sig";
	is_deeply [grep { kill 0, $_ } @pids], [], "and no worker is left (SIG$sig)";
	$s->start_workers;
}

# a big push is being hashed
my $base = random_bytes(1 << 20);
my $big = join '', map { pack('N', $_) . $base } 1 .. 96;
my $d = sha256($big);
my $loc = upload_start($s, 'term/app');
pipe my $r, my $w or die;
my $pid = fork // die;
if (!$pid) {
	syswrite $w, eval { $s->req('PUT', "$loc?digest=$d", body => $big)->status } // 'none';
	POSIX::_exit(0);
}
close $w;
ok +(wait_for { grep { (-s $_ // 0) == length $big } glob $s->root . '/berth/body/* ' . $s->root . '/berth/body/*/*' }), 'a push of 96 MB is spooled';
# nginx hands it over now; a push that is answered before anybody could look is as good
wait_for { IO::Select->new($r)->can_read(0) || grep { (readlink $_ // '') =~ m{/berth/body/} } map { glob "/proc/$_/fd/*" } $s->worker_pids };
is $s->stop_workers, 0, 'the master exits 0 on SIGTERM in the middle of a push';
sysread $r, my $st, 10;
waitpid $pid, 0;
is $st, 201, 'the push is finished and answered with 201';
ok sha256(content_of(blob_file($s, $d)) // '') eq $d, 'and is on the disk';
error_is $s->req('GET', '/v2/'), 503, 'UNAVAILABLE', 'without workers the answer is 503 UNAVAILABLE with Retry-After';
$s->start_workers;
is $s->req('HEAD', "/v2/term/app/blobs/$d")->status, 200, 'after the start it is there';

# a body that is still coming in, from a server that streams it
$s->push_blob('term/app', '{}');
my $m = image_of(OCI_MANIFEST, '{}');
my $f = Berth::FCGI->new($s->worker_socket);
my %p = (REQUEST_METHOD => 'PUT', REQUEST_URI => '/v2/term/app/manifests/slow', CONTENT_TYPE => OCI_MANIFEST, CONTENT_LENGTH => length $m,
	SERVER_PROTOCOL => 'HTTP/1.1', REMOTE_ADDR => '127.0.0.1', BERTH_REQUEST_ID => 'slow0001');
my ($sock) = $f->say_first(Berth::FCGI::begin(0) . Berth::FCGI::stream(Berth::FCGI::FCGI_PARAMS(), Berth::FCGI::pairs(\%p)) . Berth::FCGI::record(Berth::FCGI::FCGI_STDIN(), substr $m, 0, 20));
# a worker has it: the kernel says "connected" of what has been accepted; what has not been is refused from here on
wait_for { content_of('/proc/net/unix') =~ / 0001 03 +\d+ \Q@{[ $s->worker_socket ]}\E$/m };
my $stops = said('stopping');
kill TERM => $s->master_pid;
wait_for { said('stopping') > $stops };
syswrite $sock, Berth::FCGI::record(Berth::FCGI::FCGI_STDIN(), substr $m, 20) . Berth::FCGI::record(Berth::FCGI::FCGI_STDIN(), '');
my $slow = eval { $f->read_answer($sock, 60, 'PUT') };
is $slow ? $slow->status : $@, 201, 'a request whose body is still coming in is finished and answered';
close $sock;
wait_for { !$s->master_alive };
my @order = map { $_->{event} eq 'request' ? $_->{request_id} : $_->{event} } $s->log_events;
is join(' ', (grep { /^(?:stopping|slow0001|stopped)$/ } @order)[-3 .. -1]), 'stopping slow0001 stopped', 'the master has waited for it';
is $s->stop_workers, 0, 'and the master exits 0';
$s->start_workers;
is $s->req('GET', '/v2/term/app/manifests/slow')->body, $m, 'what it stored is whole';

# under load
my $begun = tmp_dir();
my @result = run_parallel(13, sub {
	my ($i) = @_;
	if ($i == 12) {
		wait_for { 12 == (() = glob "$begun/*") };       # each has had an answer
		kill TERM => $s->master_pid;
		return 'sent';
	}
	my %n;
	my $end = time + 120;
	until ($n{503} || time > $end) {
		my $what;
		if ($i < 8) {
			my $res = eval { $s->req('GET', '/v2/term/app/manifests/slow') };
			$what = !$res ? "no answer $@" : $res->status == 200 && $res->body ne $m ? 'another body' : $res->status;
		} else {
			my $bytes = "$i " . time . 'x' x 20_000;
			my $res = eval { $s->req('POST', "/v2/term/load$i/blobs/uploads/?digest=" . sha256($bytes), body => $bytes) };
			$what = $res ? $res->status : "no answer $@";
			$what = 'not on disk' if $what eq '201' && !-e blob_file($s, sha256($bytes));
		}
		$n{$what}++;
		spew("$begun/$i", '') if keys %n == 1 && $what ne '503';
		sleep 0.05 if $what eq '503';
	}
	return join ' ', sort keys %n;
});
is pop @result, 'sent', 'SIGTERM under load';
my @said = map { ref $_ ? $_->{died} : $_ } @result;
is_deeply [grep { !/^(200|201) 503$/ } @said], [], 'twelve clients see whole answers, then 503, and nothing else';
wait_for { !$s->master_alive };
is $s->stop_workers, 0, 'the master exits 0 under load';
ok !(grep { defined $_->{not_json} } $s->log_events), 'every line of the log is JSON';

done_testing;
