#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# SIGUSR2: another program goes on where this one is, and nobody notices.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Copy ();
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Check;

my $dir = tmp_dir();
my $program = "$dir/berth-fcgi";

# A new file each time, as a package or install(1) puts it there.
sub put_there
{
	my ($from) = @_;

	File::Copy::copy($from, "$program.new") or die "$program.new: $!";
	chmod 0755, "$program.new";
	rename "$program.new", $program or die "$program: $!";
	return (stat $program)[1];
}
put_there(program('berth-fcgi'));

my $s = Berth::Server->start(workers => 4, program => $program);
my ($d, $m) = $s->push_image('up/app', 'one', layers => ['a layer of it' x 1000]);
my $layer = sha256('a layer of it' x 1000);
my $master = $s->{master};
my %old = map { $_ => 1 } $s->worker_pids;

sub runs { return eval { (stat "/proc/$_[0]/exe")[1] } // 0 }
sub said { my ($re, $from) = @_; my @l = $s->log; splice @l, 0, $from; return scalar grep { /$re/ } @l }

# --- uploads that begin on the old program

my $all = random_bytes(700_000);
my @uploads = map {
	my $at = $s->req('POST', '/v2/up/slow/blobs/uploads/')->header('Location') =~ s{^https?://[^/]+}{}r;
	my $r = $s->req('PATCH', $at, headers => ['Content-Type' => 'application/octet-stream', 'Content-Range' => '0-299999'], body => substr($all, 0, 300_000));
	is $r->status, 202, "upload $_ is begun";
	$r->header('Location') =~ s{^https?://[^/]+}{}r;
} 1 .. 2;

# --- twenty clients, and three upgrades

my $inode;
my ($said, $failed, $total) = clients_beside($s, space => 'up', layer => $layer, seconds => 6, readers => 12, sub {
	for my $n (1 .. 3) {
		sleep 0.5;
		$inode = put_there(program('berth-fcgi'));
		kill USR2 => $master;
		wait_for { runs($master) == $inode } 10 or return 'the program is not the new one';
		sleep 1;
	}
	return 'upgraded';
});
is $said, 'upgraded', 'three new programs are put in the place of the old one in five seconds';
is_deeply $failed, [], 'twenty clients that GET and push see no failed request';
cmp_ok $total, '>', 200, "of $total";
ok $s->master_alive, 'the master is the same process';
$inode = (stat $program)[1];
is runs($master), $inode, 'and runs the new program';
ok +(wait_for { my @now = $s->worker_pids; @now == keys %old && !grep { runs($_) != $inode } @now } 10), 'so do all workers, as many as before';
ok !(grep { $old{$_} } $s->worker_pids), 'which are others';

# --- uploads end on the new one

for my $at (@uploads) {
	my $r = $s->req('PATCH', $at, headers => ['Content-Type' => 'application/octet-stream', 'Content-Range' => '300000-699999'], body => substr($all, 300_000));
	is $r->status, 202, 'an upload that the old program began goes on';
	$at = $r->header('Location') =~ s{^https?://[^/]+}{}r;
	is $s->req('PUT', $at . ($at =~ /\?/ ? '&' : '?') . 'digest=' . sha256($all))->status, 201, 'and ends';
}
ok $s->req('GET', '/v2/up/slow/blobs/' . sha256($all))->body eq $all, 'with all its bytes';

# --- a program that does not start

for my $bad (['ends with 1', "#!/bin/sh\nexit 1\n"], ['is none', "\0\1\2"], ['is not there', undef]) {
	my ($what, $text) = @$bad;
	my @before = sort $s->worker_pids;
	my $lines = () = $s->log;

	if (defined $text) {
		spew("$dir/bad", $text);
		put_there("$dir/bad");
	} else {
		unlink $program;
	}
	kill USR2 => $master;
	ok +(wait_for { said(qr/"level":"error","event":"upgrade".*the old one stays/, $lines) } 10), "one that $what: the log says that the old one stays";
	is_deeply [sort $s->worker_pids], \@before, 'so do the workers';
	is $s->req('GET', '/v2/up/app/manifests/one')->status, 200, 'and serve';
}
put_there(program('berth-fcgi'));
$s->config("no_such_key = 1;\nworkers = \"many\";\n");
my $lines = () = $s->log;
kill USR2 => $master;
ok +(wait_for { said(qr/"event":"upgrade".*the old one stays/, $lines) } 10), 'one that the configuration does not suit: the same';
is $s->req('GET', '/v2/up/app/manifests/one')->status, 200, 'it serves';

# --- what is in the environment by mistake is none

$s->config('');
my $r = run({ env => { BERTH_UPGRADE => '1 5 - 6 - 0' } }, $program, '--root', "$dir/store", '--check');
is $r->{status}, 0, 'another process\'s heritage is nobody\'s' or diag $r->{err};

# --- and the end is as ever

$s->stop_workers;
is $s->{master_status}, 0, 'SIGTERM ends what has been upgraded';
ok !-e $s->worker_socket, 'and takes its socket away';
done_testing;
