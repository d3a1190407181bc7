#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# As t/8600, with three machines on a CephFS of three servers of objects. A machine that its metadata server does not hear for half a minute is
# evicted: it answers 503, nothing that it still writes reaches the store, and it serves again after it has mounted the volume anew.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Time::HiRes qw(sleep);
use Berth::Test;
use Berth::Together;

skip_long('it waits for the deaths of machines on a slow file system');
my $m = together('cephfs', machines => 3, clients => 2, programs => [qw(ceph ceph-mon ceph-mgr ceph-mds ceph-osd ceph-fuse)]);
my @servers = $m->servers;
my $PULL = '/v2/to/and/fro/manifests/v1';
pushes_and_pulls;
removes_and_renames;

# --- the file system by itself ---------------------------------------------------------------

my $second = tmp_dir();
my $ceph = "$m->{dir}/ceph.conf";
my $r = $m->run_in(1, 'sh', '-c', "ceph-fuse --conf $ceph --id second $second && exec " . program('berth') . ' probe --json ' . $m->volume . " $second");
my @said = map { eval { JSON::PP->new->utf8->decode($_) } // () } split /\n/, $r->{out};
is $r->{status}, 0, 'berth probe on two mounts' or diag($r->{out}, $r->{err});
is join(', ', map { $_->{name} } grep { $_->{result} && $_->{result} !~ /^(?:ok|info)$/ } @said), '', 'finds nothing that is too old';
is $said[-1]{verdict}, 'fit', 'and says that several machines can serve a store here';

# Requests to the metadata server, and to the servers of objects.
my %asked = requests_of(sub {
	my $of = JSON::PP->new->decode($m->run_in(1, 'ceph', '--admin-daemon', "$m->{dir}/storage/run/client.machine1.asok", 'perf', 'dump')->{out});
	return $of->{client}{reply}{avgcount} + $of->{objecter}{op};
}, free => 1);
cmp_ok $asked{$_}, '==', 0, "no request to the file system for $_ that was read before" for grep { !/image/ } sort keys %asked;
cmp_ok $asked{'an image of 3 layers'}, '>', 0, 'requests to the file system are counted';

crowd_on_all(30);
beside_a_collector(60);

# --- deaths ----------------------------------------------------------------------------------

# is_out - the second machine has been evicted, which it says to everybody
sub is_out
{
	my $last = wait_for { my $r = eval { $servers[1]->req(GET => $PULL) }; $r && $r->status == 503 && $r };
	ok $last, 'a machine that was evicted says that it is unavailable' or return;
	ok defined $last->header('Retry-After'), 'and that it is worth another try';
	return is(Berth::Machines::One->new($servers[1]{address}, 5001)->req(GET => '/readyz')->status, 503, 'so does its /readyz');
}

my @seconds;
death_of('deaths of workers', 40, sub {
	for (1 .. 8) {
		sleep 4;
		$m->kill_worker(2);
	}
	ok serves_again(), 'a machine whose workers were killed goes on';
});
death_of('deaths', 90, sub {
	sleep 4;
	dies(sub { $m->kill_machine(2) });
	push @seconds, 'machine ' . went_on;
	comes_back;
	sleep 4;
	dies(sub { $m->kill_client(2) });
	is_out();
	push @seconds, 'client ' . went_on;
	comes_back;
});
death_of('short silences', 40, sub {
	for my $silence (['pause', 'resume'], ['cut', 'join']) {
		my ($from, $to) = @$silence;
		sleep 4;
		$m->$from(2);
		sleep 5;
		$m->$to(2);
		ok serves_again(), "a machine goes on after a short $from";
	}
});
for my $silence (['pause', 'resume'], ['cut', 'join']) {
	my ($from, $to) = @$silence;
	death_of("a long $from", 70, sub {
		sleep 4;
		$m->$from(2);
		push @seconds, "$from " . went_on;
		$m->$to(2);
		is_out();
		comes_back;
	});
}
diag("the others went on in all repositories after @seconds s");
together_end;
