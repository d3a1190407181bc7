#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# kill -9 of workers in the middle of a push.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(workers => 3);
my $count = () = $s->worker_pids;
my $size = 96 << 20;
my $base = random_bytes(1 << 20);
my $bytes = join '', map { pack('N', $_) . substr $base, 4 } 1 .. 96;
my $d = sha256($bytes);

# killed_while - sends the request in a process of its own and kills all workers as soon as its body is spooled
sub killed_while {
	my ($method, $path) = @_;
	pipe my $r, my $w or die;
	my $pid = fork // die;
	if (!$pid) {
		my $st = eval { $s->req($method, $path, body => $bytes)->status } // 'none';
		syswrite $w, $st;
		POSIX::_exit(0);
	}
	close $w;
	my $spooled = wait_for { grep { -s $_ && -s _ == $size } glob $s->root . '/berth/body/* ' . $s->root . '/berth/body/*/*' };
	my @killed = $s->kill_workers;
	sysread $r, my $st, 10;
	waitpid $pid, 0;
	return ($spooled ? $st // 'none' : 'never spooled', @killed);
}

# a PUT of the whole
my $hit = 0;
for my $try (1 .. 6) {
	my $loc = upload_start($s, 'kill/app');
	my ($st, @killed) = killed_while('PUT', "$loc?digest=$d");
	ok @killed > 0, "all workers are killed with -9 in the middle of a push (try $try)";
	like $st, qr/^(201|50[23])$/, "the client gets an answer (try $try: $st)";
	if ($st ne '201') {
		$hit++;
		my $r;
		wait_for { ($r = $s->req('PUT', "$loc?digest=$d", body => $bytes))->status !~ /^50[23]$/ };
		is $r->status, 201, "its retry of the same request succeeds (try $try)" or diag $r->body;
	}
	my $now = wait_for { my @p = $s->worker_pids; my %old = map { $_ => 1 } @killed; @p == $count && !grep { $old{$_} } @p };
	ok $now, "as many workers as before are back, all of them others (try $try)";
	my $r = $s->req('HEAD', "/v2/kill/app/blobs/$d");
	is $r->status, 200, "the blob is there (try $try)";
	is -s blob_file($s, $d), $size, "and whole (try $try)";
	last if $hit == 2;
	unlink blob_file($s, $d) or die;
}
ok $hit, 'at least one of them was killed before it had answered';
is scalar(uploads_of($s, 'kill/app')), 0, 'no upload is left';

# all_back - SIGHUP ends the waiting that so many deaths have brought
sub all_back { $s->reload; return wait_for { $s->worker_pids == $count } }

# the retry of a client that begins anew
all_back();
my ($st) = killed_while('POST', "/v2/kill/new/blobs/uploads/?digest=$d");
like $st, qr/^(201|50[23])$/, 'a single POST is answered when all workers are killed';
ok all_back(), 'the workers are back';
is $s->push_blob('kill/new', $bytes), $d, 'a client that begins anew succeeds';
ok sha256(content_of(blob_file($s, $d))) eq $d, 'the blob has its bytes';
# nginx may still have to remove the body; who is killed while it makes a link leaves that
ok +(wait_for { my $berth = $s->root . '/berth'; !grep { (-s "$berth/$_" // 0) >= 1 << 20 } map { my $dir = $_; map { "$dir/$_" } files_below("$berth/$dir") } qw(body tmp trash) }),
	'nothing of size is left in body, tmp and trash';

# the log says it
my @say = grep { /signal|died|killed/i } grep { !/"event":"request"/ } $s->log;
ok @say, 'the log says that workers died';
is scalar(grep { defined $_->{not_json} } $s->log_events), 0, 'every line of the log is JSON';

# many small pushes while workers die: what was answered with 201 is there, and no tag points to nothing
my @result = run_parallel(6, sub {
	my ($i) = @_;
	my %made;
	if ($i == 5) {
		for (1 .. 8) {
			my @w = $s->worker_pids;
			kill KILL => $w[rand @w] if @w;
			sleep 0.2;
		}
		return {};
	}
	my $end = time + 2;
	for (my $n = 0; $n < 400 && (time < $end || (keys %made < 5 && time < $end + 120)); $n++) {
		my $config = "{\"n\":\"$i.$n\"}";
		my $ok = eval { $s->push_blob("kill/small$i", $config); 1 } or sleep(0.02), next;
		my $m = image_of(OCI_MANIFEST, $config);
		my $r = $s->req('PUT', "/v2/kill/small$i/manifests/t$n", headers => ['Content-Type' => OCI_MANIFEST], body => $m);
		$made{"t$n"} = sha256($m) if $r->status == 201;
	}
	return \%made;
});
ok all_back(), 'the workers are back';
my ($made, $bad) = (0, '');
for my $i (0 .. 4) {
	my $made_here = $result[$i];
	$made += keys %$made_here;
	for my $t (sort keys %$made_here) {
		my $r = $s->req('GET', "/v2/kill/small$i/manifests/$t");
		$bad ||= "kill/small$i:$t " . $r->status if $r->status != 200 || sha256($r->body) ne $made_here->{$t};
	}
	my $r = $s->req('GET', "/v2/kill/small$i/tags/list");
	for my $t (@{ ($r->json // {})->{tags} // [] }) {
		my $g = $s->req('HEAD', "/v2/kill/small$i/manifests/$t");
		$bad ||= "listed kill/small$i:$t " . $g->status if $g->status != 200;
	}
}
cmp_ok $made, '>', 20, "$made manifests were pushed while workers died";
is $bad, '', 'each that was answered with 201 is there, and each tag that is listed too';

done_testing;
