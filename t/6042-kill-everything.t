#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# kill -9 of nginx, of the master, and of everything, at random moments of a push load. After a start all that was answered
# with 201 is there, and berth fsck finds nothing but garbage.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Check;
use Berth::Inject ();

use constant { ROUNDS => 9, PUSHERS => 4 };

Berth::Inject::cheap_place();
my $s = Berth::Server->start(config => "delete = true;\nfsync = \"full\";\n", workers => 3);
my $notes = $s->dir . '/acknowledged';
my $rounds = 0;

# said - notes what was answered with 201, at once: the process may be told to stop at any moment
sub said { my ($fh, @what) = @_; syswrite $fh, "@what\n"; return }

# pusher - pushes images until it is told to stop; a failed request is no reason to
sub pusher
{
	my ($who, $round) = @_;

	open my $fh, '>>', "$notes.$who" or die;
	for (my $n = 0; ; $n++) {
		eval {
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
			said($fh, 'blob', $repo, sha256($bytes), length $bytes);
			my $m = image_of(OCI_MANIFEST, $bytes);
			my $tag = $n % 4 ? "t$round.$n" : 'moves';
			$r = $s->req('PUT', "/v2/$repo/manifests/$tag", headers => ['Content-Type' => OCI_MANIFEST], body => $m);
			die if $r->status != 201;
			said($fh, 'manifest', $repo, sha256($m), $tag);
			1;
		} or sleep 0.02;
	}
}

sub load_begins
{
	my ($round) = @_;

	return map {
		my $who = $_;
		my $pid = fork // die "fork: $!";
		if (!$pid) {
			$SIG{$_} = 'DEFAULT' for qw(TERM INT);
			pusher($who, $round);
			POSIX::_exit(0);
		}
		$pid;
	} 1 .. PUSHERS;
}

my %kill = (
	nginx => sub { $s->stop_nginx('KILL') },
	'the master' => sub { kill KILL => $s->master_pid; wait_for { !$s->master_alive } },
	everything => sub {
		my @workers = $s->worker_pids;
		kill KILL => $s->master_pid, @workers, $s->nginx_pid;
		$s->stop_nginx('KILL');
		$s->stop_workers('KILL');
	},
);

sub acknowledged { return scalar map { (-e $_ ? split /\n/, slurp($_) : ()) } glob "$notes.*" }

# missing - what was acknowledged and is not there, the first of it; and how much was
sub missing
{
	my ($count, $bad, %last) = (0, '');

	for my $who (1 .. PUSHERS) {
		for (split /\n/, slurp("$notes.$who")) {
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
	}
	return ($count, $bad);
}

for my $round (1 .. ROUNDS) {
	my $what = ('nginx', 'the master', 'everything')[$round % 3];
	my @pushers = load_begins($round);

	my $more = acknowledged() + 3;
	wait_for { acknowledged() >= $more } or die "nothing is pushed\n";
	sleep rand 0.8;
	$kill{$what}->();
	$rounds++;
	if ($what eq 'nginx' || $what eq 'the master') {        # the load goes on over the start
		$what eq 'nginx' ? $s->start_nginx : $s->start_workers;
		sleep 0.2;
	}
	kill TERM => @pushers;
	waitpid $_, 0 for @pushers;
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
my $r = run(program('berth'), '--config', $s->config_file, '--root', $s->root, 'fsck', '--data');
is $r->{status}, 0, 'berth fsck finds nothing but garbage' or diag($r->{out}, $r->{err});

done_testing;
