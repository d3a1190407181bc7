#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Many clients at once: one blob of 256 MiB (1 GiB in the long form) for a hundred of them takes one GET upstream, and 2,000 that wait take little memory.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA ();
use IO::Select;
use Socket qw(MSG_DONTWAIT MSG_TRUNC);
use Berth::Test;
use Berth::Cache;
use Berth::Upstream;

plain_build_only('it measures memory');
my $SIZE = is_long() ? 1 << 30 : 256 << 20;
my ($CLIENTS, $LATER, $READERS) = (100, 10, 3);
my $u = Berth::Upstream->start;
my $s = mirror(upstreams => [['up', $u]]);
my $digest = $u->big_blob('app', $SIZE);
my $i = $u->image('app', '1', layers => [\$digest]);
get_manifest($s, 'up/app', '1')->status == 200 or die 'no manifest';
$u->forget;
my $path = "/v2/up/app/blobs/$digest";

# ask - a client that has asked for the blob
sub ask
{
	my $sock = $s->sock;

	syswrite $sock, "GET $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	return { sock => $sock, head => '', size => 0 };
}

# count_bytes - have these clients read until the condition holds, or nothing comes for two minutes: whether it holds. What they get is not even copied
sub count_bytes
{
	my ($until, @clients) = @_;
	my %of = map { (fileno $_->{sock} => $_) } grep { !$_->{over} } @clients;
	my $sel = IO::Select->new(map { $_->{sock} } values %of);
	my ($buf, $silent) = ('', 0);

	while (!$until->()) {
		my @ready = $sel->can_read(0.1);
		return 0 if !@ready && ++$silent > 1200;
		$silent = 0 if @ready;
		for my $sock (@ready) {
			my $c = $of{ fileno $sock };
			my $in_head = $c->{head} !~ /\r\n\r\n/;
			my $n = $in_head ? sysread $sock, $c->{head}, 1, length $c->{head} : defined recv($sock, $buf, 1 << 22, MSG_TRUNC | MSG_DONTWAIT) ? length $buf : undef;
			next if !defined $n;
			$c->{size} += $n if !$in_head;
			next if $n;
			$c->{over} = 1;
			$sel->remove($sock);
		}
	}
	return 1;
}

# --- a hundred at once, the last ten of them when the download is half done. Three look at what they get, the others only count it
my $rule = $u->rule('^GET .*/blobs/', { hang_at => $SIZE / 2 });
my @crowd = map { ask() } 1 .. $CLIENTS - $READERS - $LATER;
my @got = run_parallel($READERS, sub {
	my ($sha, $size, $head, $sock) = (Digest::SHA->new(256), 0, '', ask()->{sock});

	while (sysread $sock, my $piece, 1 << 18) {
		if ($head !~ /\r\n\r\n/) {
			$head .= $piece;
			$head =~ s/\r\n\r\n(.*)\z/\r\n\r\n/s or next;
			$piece = $1;
		}
		$sha->add($piece);
		$size += length $piece;
	}
	return "$size " . $sha->hexdigest;
}, sub {
	count_bytes(sub { $u->held(1) }, @crowd);
	my @late = map { ask() } 1 .. $LATER;
	push @crowd, @late;
	is count_bytes(sub { !grep { !$_->{size} } @late }, @crowd), 1, 'clients that come later have their first byte before the download has ended';
	$u->drop($rule);
	count_bytes(sub { !grep { !$_->{over} } @crowd }, @crowd);
});
my %n;
$n{ ref $_ ? $_->{died} : $_ }++ for @got;
is_deeply \%n, { "$SIZE " . substr($digest, 7) => $READERS }, "$READERS of $CLIENTS clients have looked at all of it, and it is right";
%n = ();
$n{ $_->{size} }++ for @crowd;
is_deeply \%n, { $SIZE => scalar @crowd }, 'the others have as much';
$u->settled;
is $u->count('GET blob'), 1, 'by one GET upstream';
cmp_ok $u->sent('GET blob'), '<', 1.02 * $SIZE, 'of no more bytes than the blob has';
cmp_ok relay_peak($s), '<', 64, 'the relay has never needed 64 MiB';
diag sprintf '%d MiB for %d clients: %.3f of that from upstream; the relay had %.1f MiB', $SIZE >> 20, $CLIENTS, $u->sent('GET blob') / $SIZE, relay_peak($s);

# --- two thousand that wait
my $WAIT = 2000;
SKIP: {
	my $sockets = run('sh', '-c', 'ulimit -n')->{out} + 0;
	skip "no more than $sockets descriptors", 3 if $sockets < $WAIT + 100;
	my $j = $u->image('other', '1', layers => [random_bytes(200_000)]);
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
	diag sprintf '%d clients that wait: the relay had %.1f MiB', $WAIT, relay_peak($s);
}
done_testing;
