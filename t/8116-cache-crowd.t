#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# 2,000 clients wait for one blob: it is downloaded once, each of them gets it, and the relay needs no memory for them to speak of.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Cache;
use Berth::Upstream;

# each is a descriptor here, and two of nginx
my ($files) = slurp("/proc/$$/limits") =~ /^Max open files +(\d+)/m;
my $crowd = ($files // 1024) >= 4096 ? 2000 : 500;
my $u = Berth::Upstream->start;
my $s = mirror(upstreams => [['up', $u]]);
my $i = $u->image('app', '1', layers => [random_bytes(200_000)]);
get_manifest($s, 'up/app', '1');
my $blob = $i->{layers}[0];
my $rule = $u->rule("/blobs/$blob", { hang_at => 100_000 });
my @g = map { get_begin($s, "/v2/up/app/blobs/$blob") } 1 .. $crowd;
ok wait_for(sub { $s->watch('/metrics/relay')->body =~ /^berth_cache_coalesced_total @{[ $crowd - 1 ]}$/m }), "$crowd clients wait";
$u->drop($rule);
my %n;
for (@g) {
	my $r = get_end($_);
	$n{"$r->{status} " . ($r->{whole} && sha256($r->{body}) eq $blob ? 'whole and right' : 'not')}++;
	close $_->{sock};
}
is_deeply \%n, { '200 whole and right' => $crowd }, 'each of them gets it';
is $u->count('GET blob'), 1, 'by one download';
SKIP: {
	skip 'sanitizers need more memory', 1 if $ENV{BERTH_SANITIZERS};
	cmp_ok relay_peak($s), '<', 64, 'the relay has never needed 64 MiB';
}
done_testing;
