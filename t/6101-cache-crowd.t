#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Many clients at once: one blob of 256 MiB (1 GiB in the long form) for a hundred of them takes one GET upstream, and 2,000 that wait take little memory.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA ();
use Berth::Test;
use Berth::Cache;
use Berth::Upstream;

plain_build_only('it measures memory');
my $SIZE = is_long() ? 1 << 30 : 256 << 20;
my $CLIENTS = 100;
my $u = Berth::Upstream->start;
my $s = mirror(upstreams => [['up', $u]]);
my $digest = $u->big_blob('app', $SIZE);
my $i = $u->image('app', '1', layers => [\$digest]);
get_manifest($s, 'up/app', '1')->status == 200 or die 'no manifest';
$u->forget;
my $path = "/v2/up/app/blobs/$digest";

# --- a hundred at once, the last ten of them when the download is half done
my $rule = $u->rule('^GET .*/blobs/', { hang_at => $SIZE / 2 });
my $first = tmp_dir();
my @got = run_parallel($CLIENTS, sub {
	my ($n) = @_;
	my ($sha, $size, $head) = (Digest::SHA->new(256), 0, '');
	wait_for { -e "$first/later" } or die 'the download does not begin' if $n >= $CLIENTS - 10;
	my $sock = $s->sock;
	syswrite $sock, "GET $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	while (sysread $sock, my $piece, 1 << 18) {
		if ($head !~ /\r\n\r\n/) {
			$head .= $piece;
			$head =~ s/\r\n\r\n(.*)\z/\r\n\r\n/s or next;
			$piece = $1;
		}
		$sha->add($piece) if $n % 10 == 0;
		spew("$first/$n", '') if !$size && $piece ne '' && $n >= $CLIENTS - 10;
		$size += length $piece;
	}
	return "$size " . ($n % 10 == 0 ? $sha->hexdigest : 'bytes');
}, sub {
	$u->held(1);
	spew("$first/later", '');
	is scalar(wait_for { grep({ -e "$first/$_" } $CLIENTS - 10 .. $CLIENTS - 1) == 10 }), 1, 'clients that come later have their first byte before the download has ended';
	$u->drop($rule);
});
my %n;
$n{ ref $_ ? $_->{died} : $_ }++ for @got;
is_deeply \%n, { "$SIZE bytes" => $CLIENTS * 0.9, "$SIZE " . substr($digest, 7) => $CLIENTS / 10 }, "each of $CLIENTS clients has all of it, and every tenth has looked at it";
$u->settled;
is $u->count('GET blob'), 1, 'by one GET upstream';
cmp_ok $u->sent('GET blob'), '<', 1.02 * $SIZE, 'of no more bytes than the blob has';
cmp_ok relay_peak($s), '<', 64, 'the relay has never needed 64 MiB';

# --- two thousand that wait
my $WAIT = 2000;
SKIP: {
	my $sockets = run('sh', '-c', 'ulimit -n')->{out} + 0;
	skip "no more than $sockets descriptors", 3 if $sockets < $WAIT + 100;
	my $j = $u->image('other', '1', layers => [random_bytes(3_000_000)]);
	get_manifest($s, 'up/other', '1');
	$u->forget;
	$rule = $u->rule('^GET .*/blobs/', { hang_at => 1000 });
	my @waiting = map { get_begin($s, "/v2/up/other/blobs/$j->{layers}[0]") } 1 .. $WAIT;
	$u->held(1);
	get_some($_, 1000) for @waiting;
	cmp_ok relay_peak($s), '<', 64, "$WAIT clients wait: the relay has not needed 64 MiB";
	$u->drop($rule);
	my %how;
	$how{ get_end($_)->{whole} ? 'whole' : 'cut short' }++, $_ = undef for @waiting;
	is_deeply \%how, { whole => $WAIT }, 'each of them has it all';
	is $u->count('GET blob'), 1, 'by one GET upstream';
}
done_testing;
