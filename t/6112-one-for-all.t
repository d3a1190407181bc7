#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Two masters on one store, on a file system of several machines: one collection in a period, and one delivery of events, whoever does it. When the master
# that does it is killed with all of its processes, the other one takes over.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Disk;
use Berth::GC;
use Berth::Receiver;

my $EVERY = 4;
my $disk = disk_by_fuse();
my $r = Berth::Receiver->start;
my $config = <<"CONF";
delete = true;
gc = { every = "${EVERY}s"; grace = "1h"; rate = 4; };
notifications = ( { name = "one"; url = "@{[ $r->url ]}"; actions = [ "push" ]; timeout = "60s"; } );
CONF
my @servers = (Berth::Server->start(config => $config, workers => 2, root => "$disk/store"));
push @servers, Berth::Server->start(config => $config, workers => 2, root => "$disk/store");

sub events { my ($s, $name) = @_; return grep { ($_->{event} // '') eq $name } $s->log_events }

# What the last collection left has a number of its own, and the time of its end. The line in the log comes later, on a busy machine by seconds.
my %ended;
sub collected
{
	my $fh;

	$ended{ join '', <$fh> } = (stat $fh)[9] if open $fh, '<', "$disk/store/berth/gc/last";
	return map { events($_, 'collected') } @servers;
}
ok +(wait_for { collected() >= 4 }), 'two masters collect every now and then';
my @ends = sort { $a <=> $b } values %ended;
cmp_ok scalar(@ends), '>', 1, 'of some it is known when they ended';
is join(' ', grep { $_ < $EVERY - 2 } map { $ends[$_] - $ends[$_ - 1] } 1 .. $#ends), '',        # files' times have whole seconds
	'each collection comes a whole period after the one before has ended, whoever did that';

# deliver - which of the two masters has the relay that delivers
sub delivering { return grep { my $s = $_; grep { ($_->{message} // '') =~ /this relay delivers/ } events($s, 'hooks') } @servers }
sub arrives { my ($tag) = @_; return wait_for { grep { ($_->{tag} // '') eq $tag } $r->accepted } }

ok +(wait_for { delivering() == 1 }), 'one relay delivers';
$servers[$_ % 2]->push_image('team/app', "v$_", layers => ["layer $_"]) for 1 .. 6;
ok arrives("v$_"), "a push to machine @{[ $_ % 2 + 1 ]} arrives" for 1 .. 6;
my %times;
$times{ $_->{tag} }++ for grep { defined $_->{tag} } $r->accepted;
is join(' ', grep { $times{$_} > 1 } sort keys %times), '', 'and each of them once';
is scalar(delivering()), 1, 'by that one';

# kill_all - a master, its workers and its relay, all at once
sub kill_all
{
	my ($s) = @_;
	my @pids = ($s->master_pid, Berth::Server::children($s->master_pid));

	kill KILL => @pids;
	wait_for { !grep { kill 0, $_ } @pids[1 .. $#pids] };
	return $s->stop_workers('KILL');
}

my ($old) = delivering();
my ($other) = grep { $_ != $old } @servers;
kill_all($old);
$other->push_image('team/app', "w$_", layers => ["another layer $_"]) for 1 .. 3;
ok arrives("w$_"), 'the other one delivers when the first has died' for 1 .. 3;
is scalar(grep { my $tag = $_; !grep { ($_->{tag} // '') eq $tag } $r->accepted } map({ "v$_" } 1 .. 6), map { "w$_" } 1 .. 3), 0, 'nothing is lost';
$old->start_workers;
ok +(wait_for { $old->req(GET => '/v2/')->status == 200 }), 'it comes back';

# A slow collection, of which one is killed in the middle.
$other->push_blob('team/app', "garbage $_") for 1 .. 60;
make_old($other, 7200);
my @on;
sub collects { my ($s) = @_; return scalar grep { Berth::Server::comm($_) eq 'berth-collect' } Berth::Server::children($s->master_pid) }
ok +(wait_for { @on = grep { collects($_) } @servers; @on == 1 && -e "$disk/store/berth/gc/run" }), 'a slow collection is on';
my ($collects) = @on;
my ($lives) = grep { $_ != $collects } @servers;
my $before = events($lives, 'collected');
kill_all($collects);
ok +(wait_for { events($lives, 'collected') > $before }), 'the other master collects when the one that did has been killed';
ok +(wait_for { !grep { -e blob_file($lives, sha256("garbage $_")) } 1 .. 60 }), 'and all that nothing names goes';
is $lives->req(GET => '/v2/team/app/manifests/v1')->status, 200, 'images are there';
is run(program('berth'), '--config', $lives->config_file, '--root', $lives->root, 'fsck', '--data')->{status}, 0, 'fsck --data finds nothing';
$_->stop for @servers;
done_testing;
