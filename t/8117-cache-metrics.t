#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What workers and relay count of a cache, each thing caused once; that Prometheus can read it at the monitor address; that doc/METRICS.md lists it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Cache;
use Berth::Metrics;
use Berth::Upstream;

need_program('promtool');
my %u = map { ($_ => Berth::Upstream->start) } qw(hub dead);
my $s = mirror(upstreams => [['hub', $u{hub}], ['dead', $u{dead}]]);
my ($was, $m);

sub relay_text { my $r = $s->watch('/metrics/relay'); die $r->as_string if $r->status != 200; return $r->body }
sub all { return { %{ metrics($s) }, %{ metrics(relay_text()) } } }

# caused(title, what, name => by how much, ...)
sub caused
{
	my ($title, $what, %want) = @_;

	$was = all();
	$what->();
	$_->settled for values %u;
	$m = all();
	is delta($was, $m, $_), $want{$_}, "$title: $_" for sort keys %want;
}
sub hits { return "berth_cache_hits_total{kind=\"$_[0]\"}" }
sub misses { return "berth_cache_misses_total{kind=\"$_[0]\"}" }
sub result { return "berth_upstream_requests_total{upstream=\"$_[0]\",result=\"$_[1]\"}" }
sub fetched { return "berth_cache_fetched_total{kind=\"$_[0]\"}" }
my $passed = 'berth_cache_passed_bytes_total';
my $from = 'berth_upstream_received_bytes_total{upstream="hub"}';

my $i = $u{hub}->image('app', '1', layers => [random_bytes(200_000)]);
my $layer = "/v2/hub/app/blobs/$i->{layers}[0]";
caused('a tag that is not here', sub { get_manifest($s, 'hub/app', '1') }, misses('manifest') => 1, hits('manifest') => 0, fetched('manifest') => 1,
	result('hub', 'ok') => 1, result('dead', 'ok') => 0, $from => length $i->{json}, berth_cache_stored_bytes_total => length $i->{json});
caused('a tag that is', sub { get_manifest($s, 'hub/app', '1') }, misses('manifest') => 0, hits('manifest') => 1, berth_upstream_requests_total => 0, berth_cache_stored_bytes_total => length $i->{json});
caused('a tag that has to be checked', sub { old_tag($s, 'hub/app', '1', 3600); get_manifest($s, 'hub/app', '1') }, misses('manifest') => 1, berth_cache_confirmed_total => 1,
	fetched('manifest') => 0, result('hub', 'ok') => 1);
caused('a blob that is not here', sub { $s->req(GET => $layer); wait_for { -e layer_link($s, 'hub/app', $i->{layers}[0]) } }, misses('blob') => 1, hits('blob') => 0, fetched('blob') => 1,
	$from => 200_000, $passed => 200_000, berth_cache_stored_bytes_total => 0);
caused('a blob that is', sub { $s->req(GET => $layer) }, misses('blob') => 0, hits('blob') => 1, $passed => 0, berth_cache_stored_bytes_total => 200_000);
caused('what upstream has not got', sub { get_manifest($s, 'hub/app', 'none') }, result('hub', 'missing') => 1, result('hub', 'failed') => 0);
my $rule = $u{hub}->rule("/blobs/$i->{config}", { hang_at => 5 });
caused('a blob for five clients', sub {
	my @g = map { get_begin($s, "/v2/hub/app/blobs/$i->{config}") } 1 .. 5;
	$u{hub}->held(1);
	wait_for { metrics(relay_text())->{berth_cache_coalesced_total} - $was->{berth_cache_coalesced_total} == 4 };
	$u{hub}->drop($rule);
	get_end($_) for @g;
}, berth_cache_coalesced_total => 4, result('hub', 'ok') => 1, fetched('blob') => 1);
my $own = sub { $s->push_image('team/app', '1'); get_manifest($s, 'team/app', '1') };
caused('our own repositories', $own, hits('manifest') => 0, misses('manifest') => 0, berth_cache_stored_bytes_total => 0);
ok !grep({ /^berth_upstream_ratelimit_remaining/ } keys %$m), 'nobody has spoken of a limit';
$rule = $u{hub}->rule('/manifests/', { headers => { 'ratelimit-limit' => '100;w=21600', 'ratelimit-remaining' => '42;w=21600' } });
old_tag($s, 'hub/app', '1', 3600);
get_manifest($s, 'hub/app', '1');
is all()->{'berth_upstream_ratelimit_remaining{upstream="hub"}'}, 42, 'what is left of a limit';
$u{hub}->drop($rule);
my $j = $u{hub}->image('app', '2', layers => [random_bytes(300_000)]);
get_manifest($s, 'hub/app', '2');
$rule = $u{hub}->rule("/blobs/$j->{layers}[0]", { close_at => 100_000 }, times => 1);
caused('a download that breaks off', sub { $s->req(GET => "/v2/hub/app/blobs/$j->{layers}[0]") }, berth_cache_resumed_total => 1, fetched('blob') => 1);
$u{hub}->drop($rule);
$rule = $u{hub}->rule("/blobs/$j->{config}", { flip_at => 1 });
caused('wrong bytes', sub { $s->req(GET => "/v2/hub/app/blobs/$j->{config}") }, berth_cache_wrong_total => 1, fetched('blob') => 0);
$u{hub}->drop($rule);

# --- failures, by kind
for my $how (['limited', { status => 429 }], ['failed', { status => 500 }], ['denied', { status => 403 }], ['unreached', { close => 1 }]) {
	my ($kind, $do) = @$how;
	$rule = $u{hub}->rule('.', $do);
	old_tag($s, 'hub/app', '1', 3600);
	caused("an upstream that answers with $kind", sub { get_manifest($s, 'hub/app', '1') }, result('hub', $kind) => 1, result('hub', 'ok') => 0, berth_cache_stale_total => 1, berth_cache_unanswered_total => 1);
	$u{hub}->drop($rule);
	well($s, $u{hub}, 'hub');
}
$u{dead}->down;
caused('one that is not reached, without a copy', sub { get_manifest($s, 'dead/app', '1') }, result('dead', 'unreached') => 1, berth_cache_stale_total => 0, berth_cache_unanswered_total => 1);

# --- a reload goes on with what was counted
$was = all();
$s->reload;
ok wait_for(sub { grep { ($_->{message} // '') =~ /^configuration read/ } $s->log_events }), 'a reload';
$m = all();
is delta($was, $m, $_), 0, "forgets nothing: $_" for fetched('blob'), result('hub', 'ok'), 'berth_upstream_ratelimit_remaining{upstream="hub"}', $passed;

# --- what Prometheus says of it, and what the document says
my $lint = run({ stdin => relay_text() }, 'promtool', 'check', 'metrics');
is $lint->{status} . $lint->{out} . $lint->{err}, '0', 'promtool finds nothing wrong with it';
my $of = families(relay_text());
is join(' ', grep { !$of->{$_}{help} || !$of->{$_}{type} } sort keys %$of), '', 'each has a help and a type';
my ($section) = slurp(source_dir() . '/doc/METRICS.md') =~ /^### The relay's\n(.*?)^### /ms;
my %row;
for (split /\n/, $section) {
	my ($name, $type, $labels) = /^\| `(berth_[a-z_]+)` \| (\w+) \|([^|]*)\| / or next;
	$row{$name} = "$type " . join ',', sort $labels =~ /`([a-z]+)`/g;
}
is join("\n", map { "$_ $row{$_}" } sort keys %row), join("\n", map { "$_ $of->{$_}{type} " . join ',', sort keys %{ $of->{$_}{labels} } } sort keys %$of),
	'doc/METRICS.md lists each by name, type and labels, and no other';

# --- who may ask
is $s->req(GET => '/metrics/relay')->status, 404, 'where the registry listens it is not';
is $s->watch('/metrics/relay', method => 'POST')->status, 405, 'it is only for reading';
my $none = Berth::Server->start;
my $r = $none->watch('/metrics/relay');
is $r->status . $r->body, "503no berth-relay answers\n", 'without a relay it says so';
ok !grep({ /^berth_cache/ } keys %{ metrics($none) }), 'and the workers have nothing to say of a cache';
done_testing;
