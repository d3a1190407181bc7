#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A receiver is down while ten thousand changes are made, a hundred thousand with --long: the relay needs no memory for what waits, and then all of
# it arrives, in its order.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Berth::Test;
use Berth::Check;
use Berth::Events;
use Berth::Inject ();
use Berth::Receiver;

use constant PUSHERS => 4;
use constant MOST => 32 * 1024;         # KiB
# The plain build shows what so many take; what sanitizers find they find in fewer.
my $changes = is_long() ? 100_000 : $ENV{BERTH_SANITIZERS} ? 2000 : 10_000;

Berth::Inject::cheap_place();
my $r = Berth::Receiver->start;
my $s = Berth::Server->start(config => <<"CONF");
fsync = "off";
notifications = ( { name = "one"; url = "@{[ $r->url ]}"; actions = [ "push" ]; timeout = "30s"; backoff = "1s"; backoff_max = "1s"; } );
CONF
my $state = $s->root . '/berth/journal/readers/one';
my $json = JSON::PP->new->utf8;
sub state_now { return $json->decode(slurp($state)) }
wait_for { -e $state } or die 'no relay delivers';
$r->down;
my $relay = relay_pid($s) // die 'no relay';

sub memory { my ($field) = @_; return slurp("/proc/$relay/status") =~ /^$field:\s+(\d+) kB/m ? $1 : die 'the relay has ended' }

my ($config, $layer) = ('{"os":"linux"}', 'a layer');
my @failed = grep { $_ } run_parallel(PUSHERS, sub {
	my ($who) = @_;
	my $repo = "many/$who";
	my $m = image_of(OCI_MANIFEST, $config, $layer);

	$s->push_blob($repo, $_) for $config, $layer;
	for my $n (1 .. $changes / PUSHERS) {
		my $put = $s->req(PUT => "/v2/$repo/manifests/t" . $n % 100, headers => [ 'Content-Type' => OCI_MANIFEST ], body => $m);
		return $put->status if $put->status != 201;
	}
	return 0;
});
is "@failed", '', "$changes changes are made while the receiver is down";
ok wait_for { state_now()->{in_row} > 0 }, 'which the relay knows';
my @ids = map { $_->{id} } grep { $_->{action} eq 'push' } events($s);
is scalar(@ids), $changes, 'all of them wait in the journal';
my $waiting = memory('VmRSS');
$r->up;
$r->drain(sub { my $n = () = $r->ids; $n >= $changes });
is_deeply [$r->ids], \@ids, 'when it is back all of them arrive, once, in their order';
SKIP: {
	skip('the sanitizers need memory of their own', 2) if $ENV{BERTH_SANITIZERS};
	cmp_ok $waiting, '<', MOST, "what waits takes no memory: $waiting KiB";
	cmp_ok memory('VmHWM'), '<', MOST, 'nor does its delivery: ' . memory('VmHWM') . ' KiB at most';
}
is relay_pid($s), $relay, 'it is the same relay';
done_testing;
