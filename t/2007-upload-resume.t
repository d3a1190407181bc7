#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# An upload goes on after every worker was killed, after a restart, and by any worker.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start;
my @piece = map { chr(64 + $_) x 300_000 } 1 .. 5;
my $loc = upload_start($s, 'resume/app');

# patched_ok - a PATCH; while the workers are being replaced it may be tried again, as clients do
sub patched_ok {
	my ($i, $title) = @_;
	my $from = $i * 300_000;
	my $to = $from + 299_999;
	my $r;
	wait_for { ($r = $s->req('PATCH', $loc, body => $piece[$i], headers => ['Content-Range' => "$from-$to"]))->status !~ /^50[23]$/ };
	is $r->status, 202, $title or diag $r->body;
	is $r->header('Range'), "0-$to", "$title: the bytes before are still there";
	is path_of($r->header('Location')), $loc, "$title: the Location is the same";
	return;
}

patched_ok(0, 'the first chunk');
my @old = $s->kill_workers;
ok @old > 0, 'all workers are killed with -9';
patched_ok(1, 'the second chunk after kill -9 of all workers');
ok wait_for(sub { !grep { my $p = $_; grep { $_ == $p } @old } $s->worker_pids }), 'the workers are others now';

my $master = $s->master_pid;
$s->restart;
isnt $s->master_pid, $master, 'nginx and the workers are started anew';
is upload_range($s, $loc), '0-599999', 'after the restart the upload has what it had';
patched_ok(2, 'the third chunk after a restart');

$s->stop_workers('KILL');
wait_for { !$s->worker_pids };
$s->start_workers;
patched_ok(3, 'the fourth chunk after kill -9 of the master');

$s->reload;
patched_ok(4, 'the last chunk after SIGHUP');
my $all = join '', @piece;
my $r = $s->req('PUT', "$loc?digest=" . sha256($all));
is $r->status, 201, 'the upload is finished';
ok $s->req('GET', '/v2/resume/app/blobs/' . sha256($all))->body eq $all, 'and the blob is what was sent';
is_deeply [uploads_of($s, 'resume/app')], [], 'no upload is left';

# an upload that another registry began, or a berth that died between the two
my $uuid = '0f0e0d0c-0b0a-4908-8706-050403020100';
my $dir = data_dir($s) . "/repositories/resume/app/_uploads/$uuid";
lay_file("$dir/startedat", '2024-01-02T03:04:05Z');
my $foreign = "/v2/resume/app/blobs/uploads/$uuid";
is upload_range($s, $foreign), '0-0', 'an upload without data is an empty one';
lay_file("$dir/data", 'begun elsewhere');
is upload_range($s, $foreign), '0-14', 'an upload that lies there is known by its size';
is $s->req('PATCH', $foreign, body => ', ended here')->header('Range'), '0-26', 'it goes on';
is $s->req('PUT', "$foreign?digest=" . sha256('begun elsewhere, ended here'))->status, 201, 'and is finished';
is $s->req('GET', '/v2/resume/app/blobs/' . sha256('begun elsewhere, ended here'))->body, 'begun elsewhere, ended here', 'with all its bytes';
ok !-e $dir, 'nothing of it is left';

done_testing;
