#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A reload of the configuration while something is downloaded: nobody's answer is cut short, and what comes is stored; the new configuration counts for
# what is asked from then on.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Cache;
use Berth::Receiver;
use Berth::Upstream;

my $u = Berth::Upstream->start;
my $other = Berth::Upstream->start;
my $s = mirror(upstreams => [['up', $u]]);
my $conf = mirror_conf(['up', $u]);

sub reloads { return scalar grep { ($_->{message} // '') =~ /^configuration read, store/ } $s->log_events }
sub reload
{
	my ($conf, $title) = @_;
	my $before = reloads();

	$s->config($conf);
	$s->reload;
	return ok wait_for(sub { reloads() > $before }), $title;
}

# --- the same upstream
my $i = $u->image('team/app', '1', layers => [map { random_bytes(500_000) } 1 .. 3]);
get_manifest($s, 'up/team/app', '1');
my $rule = $u->rule($i->{layers}[0], { hang_at => 200_000 });
my $pid = relay_pid($s);
my @g = map { get_begin($s, "/v2/up/team/app/blobs/$i->{layers}[0]") } 1 .. 3;
ok get_some($_, 100_000) >= 100_000, 'a download is under way' for @g;
my $hang = $u->rule('^GET .*/manifests/two$', { hang_at => 10 });
my $two = $u->image('team/app', 'two');
my $m = get_begin($s, '/v2/up/team/app/manifests/two', Accept => ACCEPT);
ok $u->held(2), 'and a manifest is';
reload("$conf# another\n", "reload $_") for 1 .. 3;
is relay_pid($s), $pid, 'the relay is the same process';
is sha256($s->req(GET => "/v2/up/team/app/blobs/$i->{layers}[1]")->body), $i->{layers}[1], 'meanwhile others are served';
$u->drop($hang, $rule);
my $r = get_end($m);
is "$r->{status} " . sha256($r->{body}), "200 $two->{digest}", 'the manifest comes';
$r = get_end($_), is $r->{status} . sha256($r->{body}), "200$i->{layers}[0]", 'the download goes on to its end' for @g;
ok wait_for(sub { -e layer_link($s, 'up/team/app', $i->{layers}[0]) }), 'and is stored';
is $u->count('GET blob'), 2, 'nothing was asked for twice';

# --- without upstreams
$rule = $u->rule($i->{layers}[2], { hang_at => 200_000 });
my $g = get_begin($s, "/v2/up/team/app/blobs/$i->{layers}[2]");
ok get_some($g, 100_000) >= 100_000, 'a download, once more';
reload(mirror_conf(['elsewhere', $other]), 'the upstream is not in the configuration any more');
my $j = $other->image('app', '1');
ok wait_for(sub { pull($s, 'elsewhere/app', '1')->{fault} eq '' }), 'another is';
is get_manifest($s, 'up/team/app', 'two')->status, 200, 'what was cached is a repository as any';
$u->drop($rule);
$r = get_end($g);
is $r->{status} . sha256($r->{body}), "200$i->{layers}[2]", 'the download goes on to its end';

# --- a configuration with a fault
$rule = $other->rule('^GET .*/blobs/', { hang_at => 100_000 });
my $k = $other->image('app', '2', layers => [random_bytes(300_000)]);
get_manifest($s, 'elsewhere/app', '2');
$g = get_begin($s, "/v2/elsewhere/app/blobs/$k->{layers}[0]");
ok get_some($g, 30_000) >= 30_000, 'a download';
$s->config("nonsense = 1;\n");
$s->reload;
ok wait_for(sub { grep { ($_->{event} // '') eq 'configuration' } $s->log_events }), 'a reload that fails';
$other->drop($rule);
$r = get_end($g);
is $r->{status} . sha256($r->{body}), "200$k->{layers}[0]", 'harms nothing either';
is get_manifest($s, 'elsewhere/app', '2')->status, 200, 'and the upstream is still served';
ok wait_for(sub { !spooled($s) }), 'no download is left';
is cached_fault($s), '', 'all that is stored is what its name says';
is scalar(grep { ($_->{event} // '') eq 'relay_died' } $s->log_events), 0, 'the relay has not died';

# --- a relay that was started for events alone
my $receiver = Berth::Receiver->start;
my $hooks = sprintf qq(notifications = ( { name = "one"; url = "%s"; } );\n), $receiver->url;
my $t = Berth::Server->start(config => $hooks);
ok wait_for(sub { relay_pid($t) }), 'a relay without upstreams';
$pid = relay_pid($t);
$t->config($hooks . $conf);
$t->reload;
ok wait_for(sub { pull($t, 'up/team/app', 'two')->{fault} eq '' }), 'a reload brings an upstream: it is a mirror';
is relay_pid($t), $pid, 'by the same relay';
$t->config($hooks);
$t->reload;
ok wait_for(sub { get_manifest($t, 'up/team/app', 'none')->status == 404 }), 'another takes it away';
$t->config($hooks . $conf);
$t->reload;
my $three = $u->image('team/app', 'three');
ok wait_for(sub { pull($t, 'up/team/app', 'three')->{fault} eq '' }), 'and one brings it back';
is relay_pid($t), $pid, 'the relay is still the same';
done_testing;
