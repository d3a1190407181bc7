#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A soak: many clients, twice as many images as the cache may hold, an upstream that fails at random. No wrong byte comes, nothing fails that is pinned, and the cache keeps
# to its size at each moment.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Check;
use Berth::Cache;
use Berth::Inject ();
use Berth::Upstream;

my $seconds = is_long() ? 600 : 30;
my ($CLIENTS, $IMAGES, $HOT, $LAYER) = (16, 200, 10, 200_000);
Berth::Inject::cheap_place();
my $u = Berth::Upstream->start;
my $max = int($IMAGES * $LAYER / 2 / 1024) * 1024;
my $s = mirror(upstreams => [['up', $u, 'fresh = "1s"; stale = "1d"; missing = "1s";']], more => qq(cache = { max_size = "@{[ $max / 1024 ]} KiB"; };\n));

# evictions - what the log says of them: of a million lines only these are decoded
sub evictions { return Berth::Server::decode(grep { /"event":"evict/ } $s->log) }

# Some images share a layer; the first ones are pulled all the time.
my $base = random_bytes(10_000);
my @images = map { $u->image("team/app$_", '1', layers => [$_ % 3 ? () : $base, random_bytes($LAYER - 10_000)]) } 0 .. $IMAGES - 1;
is join('', map { pull($s, "up/team/app$_", '1')->{fault} } 0 .. $HOT - 1), '', 'some images are cached while all is well';
for my $k (0 .. $HOT - 1) {
	lay_file($s->root . "/berth/mirror/up/team/app$k/_pinned/1", '');
	wait_for { !grep { !-e layer_link($s, "up/team/app$k", $_) } $images[$k]{config}, @{ $images[$k]{layers} } };
}

my @how = ({ status => 500 }, { status => 429, headers => { 'Retry-After' => 1 } }, { status => 503 }, { close => 1 }, { reset => 1 }, { reset_at => 100_000 }, { close_at => 50_000 }, { flip_at => 70_000 }, { cut => 1000 },
	{ digest => sha256('x') }, { delay => 0.3 }, { chunked => 1 }, { no_length => 1 }, { gzip => 1 }, { status => 401 });
# On a slow machine it goes on until there have been some evictions.
my ($end, $over) = (time + $seconds, $s->dir . '/over');
sub going { return !-e $over && time < $end + 600 }
my ($most, $samples, $downs) = (0, 0, 0);
my @got = run_parallel($CLIENTS, sub {
	my ($who) = @_;
	my (%n, @bad);

	srand $who + $$;
	while (going()) {
		my $hot = rand() < 0.5;
		my $k = $hot ? int rand $HOT : $HOT + int rand $IMAGES - $HOT;
		my $p = pull($s, "up/team/app$k", '1', no_head => rand() < 0.5);
		$n{pulls}++;
		$n{stale}++ if $p->{warning};
		next if $p->{fault} eq '';
		$n{failed}++;
		# upstream's 401 to what is not here is a 404, as it may be that there is no such image
		push @bad, "$k: $p->{fault}" if $hot || $p->{fault} =~ /other bytes/ || $p->{fault} !~ /: (?:(?:50[234]|404)\b|cut short|closed without an answer)/;
	}
	return { %n, bad => [@bad[0 .. ($#bad > 4 ? 4 : $#bad)]] };
}, sub {
	while (going()) {
		$u->drop;
		$u->rule('.', $_, chance => 0.1 / @how * (1 + $samples % 5)) for @how;
		if (rand() < 0.05) {
			$downs++;
			$u->down;
			sleep 1;
			$u->up;
		}
		sleep 0.3;
		my $bytes = store_bytes($s);
		$most = $bytes if $bytes > $most;
		$samples++;
		spew($over, '') if time >= $end && 2 < grep { $_->{event} eq 'evicted' } evictions();
	}
});
$u->drop;
my %n = (pulls => 0, stale => 0, failed => 0);
for my $g (@got) {
	$n{$_} += $g->{$_} // 0 for keys %n;
}
is join("\n", map { $_->{died} // @{ $_->{bad} } } @got), '', 'no byte is wrong, and what is pinned never fails';
diag "$n{pulls} pulls, $n{failed} failed, $n{stale} with a warning; upstream away $downs times; at most $most bytes of $max";
cmp_ok $n{pulls}, '>', 10 * $CLIENTS, 'many images were pulled';
cmp_ok $n{stale}, '>', 0, 'some while upstream failed';
# a manifest is always kept
cmp_ok $most, '<=', 1.05 * $max + $IMAGES * 1000, 'the cache keeps to its size';
my @evictions = evictions();
my @evicted = grep { $_->{event} eq 'evicted' } @evictions;
cmp_ok scalar(@evicted), '>', 2, scalar(@evicted) . ' evictions made room';
is join(' ', map { $_->{event} } grep { $_->{event} ne 'evicted' } @evictions), '', 'none failed';
is join('', map { pull($s, "up/team/app$_", '1')->{fault} } 0 .. $HOT - 1), '', 'upstream is well again: images are pulled';
ok wait_for { !spooled($s) }, 'no file of a download stays';
is cached_fault($s), '', 'all that is stored is what its name says';
cmp_ok relay_peak($s), '<', 64, 'the relay has never needed 64 MiB' if !$ENV{BERTH_SANITIZERS};
my $r = run(program('berth'), '--config', $s->config_file, '--root', $s->root, 'fsck');
is $r->{status}, 0, 'fsck finds nothing wrong' or diag "$r->{out}$r->{err}";
done_testing;
