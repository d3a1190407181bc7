#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# SIGHUP under load: no request fails; a broken configuration changes nothing.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(workers => 4);
my ($d, $m) = $s->push_image('hup/app', 'one', layers => ['a layer of it' x 1000]);
my $layer = sha256('a layer of it' x 1000);

# 20 clients, and one that reloads five times
my @before = $s->worker_pids;
my ($said, $failed, $total) = clients_beside($s, space => 'hup', layer => $layer, readers => 14, sub {
	my ($more) = @_;
	for (1 .. 5) {
		$more->(40);
		$s->replace_workers or return 'the old workers stay';
	}
	$more->(40);
	return 'reloaded';
});
is $said, 'reloaded', 'five SIGHUPs are sent';
is_deeply $failed, [], 'twenty clients that GET and push see no failed request';
cmp_ok $total, '>=', 20, "of $total";
ok +(wait_for { my %old = map { $_ => 1 } @before; my @now = $s->worker_pids; @now == @before && !grep { $old{$_} } @now }), 'all workers are others, and as many as before';
ok $s->master_alive, 'the master is the same';

# the new configuration counts
is $s->req('DELETE', '/v2/hup/app/manifests/one')->status, 405, 'delete is off';
$s->config("delete = true;\n");
is $s->req('DELETE', '/v2/hup/app/manifests/one')->status, 405, 'a file that has changed counts only after SIGHUP';
sub replaced { my ($old) = @_; my %old = map { $_ => 1 } @$old; return wait_for { my @now = $s->worker_pids; @now && !grep { $old{$_} } @now } }
my @old = $s->worker_pids;
$s->reload;
ok replaced(\@old), 'after SIGHUP all workers are replaced';
is $s->req('DELETE', '/v2/hup/app/manifests/one')->status, 202, 'and delete is on';

# a broken one does not
for my $c (['a syntax error', "delete = true\ndelete = = ;\n"], ['an unknown key', "delete = true;\nno_such_key = 1;\n"], ['a wrong type', qq(delete = true;\nworkers = "many";\n)], ['an impossible value', "delete = true;\nworkers = 0x7fffffff;\n"]) {
	my ($what, $text) = @$c;
	@old = $s->worker_pids;
	my $lines = () = $s->log;
	$s->config($text);
	$s->reload;
	my $said = wait_for { my @l = $s->log; splice @l, 0, $lines; my ($l) = grep { /berth\.conf:[12]\b/ } @l; $l };
	ok $said, "$what: the log says it, with file and line";
	like $said // '', qr/"level":"(error|warn)"/, "$what: as an error";
	is_deeply [$s->worker_pids], \@old, "$what: the workers stay";
	is $s->req('GET', '/v2/hup/app/tags/list')->status, 200, "$what: and serve";
	is $s->req('DELETE', '/v2/hup/app/manifests/none')->status, 404, "$what: with the configuration that they had";
}
$s->config("delete = false;\n");
@old = $s->worker_pids;
$s->reload;
ok replaced(\@old), 'a good one after the broken ones is taken';
is $s->req('DELETE', '/v2/hup/app/manifests/none')->status, 405, 'and counts';

# a request that is under way is finished
my $big = join '', map { pack('N', $_) x 65_536 } 1 .. 256;
my $big_d = sha256($big);
my $loc = upload_start($s, 'hup/big');
my @r = run_parallel(2, sub {
	my ($i) = @_;
	return $s->req('PUT', "$loc?digest=$big_d", body => $big)->status if !$i;
	for (1 .. 2000) {
		last if grep { (-s $_ // 0) == length $big } glob $s->root . '/berth/body/* ' . $s->root . '/berth/body/*/*';
		sleep 0.001;
	}
	$s->reload;
	return 'reloaded';
});
is $r[0], 201, 'a push that is being hashed at the time of a SIGHUP is finished';

done_testing;
