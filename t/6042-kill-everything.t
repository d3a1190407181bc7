#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# kill -9 of nginx, of the master, and of everything, at random moments of a push load. After a start all that was answered
# with 201 is there, and berth fsck finds nothing but garbage.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep);
use Berth::Test;
use Berth::Check;
use Berth::Inject ();
use Berth::Load;

use constant { ROUNDS => 9, PUSHERS => 4 };

Berth::Inject::cheap_place();
my $s = Berth::Server->start(config => "delete = true;\nfsync = \"full\";\n", workers => 3);
my $rounds = 0;

my $load = Berth::Load->new(dir => $s->dir, pushers => PUSHERS, push => sub {
	my ($load, $who, $round, $n) = @_;
	my $repo = "load/$who" . ($n % 3 ? '' : "/r$round.$n");
	my $bytes = "$who $round $n " . random_bytes(200 + int rand 20_000);
	my $loc = upload_start($s, $repo);
	my $put = $n % 2 ? $bytes : undef;

	if (!defined $put) {
		my $r = $s->req('PATCH', $loc, body => $bytes);
		die if $r->status != 202;
	}
	my $r = $s->req('PUT', "$loc?digest=" . sha256($bytes), defined $put ? (body => $put) : ());
	die if $r->status != 201;
	$load->said('blob', $repo, sha256($bytes), length $bytes);
	my $m = image_of(OCI_MANIFEST, $bytes);
	my $tag = $n % 4 ? "t$round.$n" : 'moves';
	$r = $s->req('PUT', "/v2/$repo/manifests/$tag", headers => ['Content-Type' => OCI_MANIFEST], body => $m);
	die if $r->status != 201;
	$load->said('manifest', $repo, sha256($m), $tag);
});

my %kill = (
	nginx => sub { $s->stop_nginx('KILL') },
	'the master' => sub { $s->stop_workers('KILL') },
	everything => sub {
		my @workers = $s->worker_pids;
		kill KILL => $s->master_pid, @workers, $s->nginx_pid;
		$s->stop_nginx('KILL');
		$s->stop_workers('KILL');
	},
);

# missing - what was acknowledged and is not there, the first of it; and how much was
sub missing
{
	my ($count, $bad) = (0, '');

	for ($load->acknowledged) {
		my ($kind, $repo, $d, $more) = split / /;
		$count++;
		my $r = $s->req($kind eq 'blob' ? 'HEAD' : 'GET', "/v2/$repo/${kind}s/$d");
		$bad ||= "$kind $repo $d: " . $r->status if $r->status != 200;
		$bad ||= "$kind $repo $d: other bytes" if $kind eq 'blob' ? $r->header('Content-Length') != $more : sha256($r->body) ne $d;
		next if $kind eq 'blob';
		my $g = $s->req('GET', "/v2/$repo/manifests/$more");
		$bad ||= "tag $repo:$more: " . $g->status if $g->status != 200;
		# a push that was not answered may have moved it further; one that was can't be undone
		$bad ||= "tag $repo:$more: another manifest" if $more ne 'moves' && sha256($g->body) ne $d;
	}
	return ($count, $bad);
}

for my $round (1 .. ROUNDS) {
	my $what = ('nginx', 'the master', 'everything')[$round % 3];

	$load->begin($round);
	sleep rand 0.8;
	$kill{$what}->();
	$rounds++;
	if ($what eq 'nginx' || $what eq 'the master') {        # the load goes on over the start
		$what eq 'nginx' ? $s->start_nginx : $s->start_workers;
		sleep 0.2;
	}
	$load->end;
	if ($what eq 'everything') {
		$s->start_workers;
		$s->start_nginx;
	}
	my $d = eval { $s->push_blob('load/after', "after round $round") } // "no: $@";
	is $d, sha256("after round $round"), "after kill -9 of $what and a start a push succeeds (round $round)";
}

my ($count, $bad) = missing();
is $bad, '', "all that was answered with 201 is there after $rounds times kill -9 of nginx, the master or everything";
cmp_ok $count, '>=', 3 * ROUNDS, "$count blobs and manifests were acknowledged meanwhile";
for my $repo (@{ $s->req('GET', '/v2/_catalog?n=1000')->json->{repositories} }) {
	for my $t (@{ $s->req('GET', "/v2/$repo/tags/list")->json->{tags} // [] }) {
		my $st = $s->req('HEAD', "/v2/$repo/manifests/$t")->status;
		$bad ||= "$repo:$t is $st" if $st != 200;
	}
}
is $bad, '', 'no tag points to nothing';
my $r = run(program('berth'), '--config', $s->config_file, '--root', $s->root, 'fsck', '--data', '--json');
cmp_ok $r->{status}, '<=', 1, 'berth fsck looks at everything' or diag($r->{err});
is join("\n", grep { /^\{"kind":"([^"]+)"/ ? $1 ne 'summary' && !is_garbage($1) : 1 } split /\n/, $r->{out}), '', 'and finds nothing but garbage';

done_testing;
