#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Two machines on one MooseFS: berth probe on one asks the other, in namespaces of its own, and finds the volume fit for both. The metrics of each
# say that two serve, and that one has fallen silent once it is killed.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Machines;

plain_build_only('a volume on a network is slow enough');
my $m = Berth::Machines->start('moosefs', machines => 2, workers => 2, programs => [qw(mfsmaster mfschunkserver mfsmount)]);
my @monitor = map { Berth::Machines::One->new($_->{address}, 5001) } $m->servers;
my $dir = tmp_dir();
my $bin = build_dir();

sub figures
{
	my ($i) = @_;
	my $text = $monitor[$i]->req(GET => '/metrics')->body;

	return join ' ', map { $text =~ /^$_ (\d+)$/m ? $1 : '-' } qw(berth_machines berth_machines_silent);
}
ok wait_for(sub { figures($_) eq '2 0' }), "machine $_ sees two" for 0, 1;

# The namespaces of the second machine are open files here, since the first one does not see its processes. A command as ssh is one leads there.
my $there = spew("$dir/there", "#!/bin/sh\nshift\nPATH=$bin:\$PATH exec nsenter --mount=/proc/self/fd/7 --net=/proc/self/fd/8 -- \"\$@\"\n");
chmod 0755, $there;
my ($one, $two) = map { $m->first_of($_) } 1, 2;
my $r = run({ timeout => 300 }, 'sh', '-c', "exec 7</proc/$two/ns/mnt 8</proc/$two/ns/net; exec nsenter -t $one -n -m -p -- \"\$@\"", 'sh',
	program('berth'), 'probe', $m->volume, '--with', 'machine2', '--by', $there);
is $r->{status}, 0, 'berth probe of one machine with the other' or diag $r->{err};
like $r->{out}, qr/^fit: several machines can serve a store here$/m, 'the volume is fit for both' or diag $r->{out};
like $r->{out}, qr/^ok +\Q$_\E +/m, "$_: ok" for 'locks of two machines', 'lock of a killed process', 'what was done under a lock', 'a renamed directory', 'mkdir of one name';
note $r->{out};
is $m->run_in(1, 'sh', '-c', 'ls ' . $m->volume)->{out}, "registry\n", 'it leaves nothing';

$m->kill_machine(2);
ok wait_for(sub { figures(0) eq '1 1' }), 'one that is killed is silent then';
ok $m->come_back(2), 'it comes back';
# The file of the one that was killed is locked as long as MooseFS keeps its session: it stays silent then until a master is started later, or an hour is over.
ok wait_for(sub { figures(0) =~ /^2 [01]$/ }), 'and serves again';
$m->stop;
is $m->{status}, 0, 'all of it ends in order';
done_testing;
