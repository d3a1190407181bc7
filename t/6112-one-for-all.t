#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Two masters on one store, on a file system of several machines: one collection in a period, and one delivery of events, whoever does it. When the master
# that does it is killed with all of its processes, the other one takes over.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::Local qw(timegm);
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
notifications = ( { name = "one"; url = "@{[ $r->url ]}"; actions = [ "push" ]; } );
CONF
my @servers = (Berth::Server->start(config => $config, workers => 2, root => "$disk/store"));
push @servers, Berth::Server->start(config => $config, workers => 2, root => "$disk/store");

sub events { my ($s, $name) = @_; return grep { ($_->{event} // '') eq $name } $s->log_events }
sub seconds
{
	my ($y, $mon, $d, $h, $min, $s) = $_[0]{time} =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+(?:\.\d+)?)/ or die "a time: $_[0]{time}";

	return timegm(int $s, $min, $h, $d, $mon - 1, $y) + $s - int $s;
}

# The line at the end of a collection says how long it took. One that gave way has no such line.
sub collections
{
	my @all = map { { begins => seconds($_) - $_->{ms} / 1000, ends => seconds($_) } } map { events($_, 'collected') } @servers;

	@all = sort { $a->{begins} <=> $b->{begins} } @all;
	return @all;
}

# A period begins with the time of this file. The line in the log comes later, on a busy machine by seconds.
my %ended;
sub collected { my ($at) = (stat "$disk/store/berth/gc/last")[9]; $ended{$at} = 1 if $at; return collections() }
ok +(wait_for { collected() >= 4 }), 'two masters collect every now and then';
my @all = collections();
sub end_of { my ($c) = @_; my @before = sort { $b <=> $a } grep { $_ <= $c->{ends} } keys %ended; return $before[0] // 0 }
my @early = grep { $all[$_]{begins} - end_of($all[$_ - 1]) < $EVERY - 2 } 1 .. $#all;        # files' times have whole seconds
cmp_ok scalar(keys %ended), '>', 1, 'of some it is known when they ended';
is "@early", '', 'each collection begins a whole period after the one before has ended, whoever did that';

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
my $on = sub { return grep { events($_, 'collecting') > events($_, 'collected') && -e "$disk/store/berth/gc/run" } @servers };
ok +(wait_for { $on->() }), 'a slow collection is on';
my ($collects) = $on->();
my ($lives) = grep { $_ != $collects } @servers;
my $before = events($lives, 'collected');
kill_all($collects);
ok +(wait_for { events($lives, 'collected') > $before }), 'the other master collects when the one that did has been killed';
ok +(wait_for { !grep { -e blob_file($lives, sha256("garbage $_")) } 1 .. 60 }), 'and all that nothing names goes';
is $lives->req(GET => '/v2/team/app/manifests/v1')->status, 200, 'images are there';
is run(program('berth'), '--config', $lives->config_file, '--root', $lives->root, 'fsck', '--data')->{status}, 0, 'fsck --data finds nothing';
$_->stop for @servers;
done_testing;
