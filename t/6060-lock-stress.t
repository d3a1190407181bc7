#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Sixteen clients on three repositories and few tags, berth gc beside them for half of the time: every answer that they
# got could have been given one after the other, nothing acknowledged is lost, nobody gets stuck, and nobody waits for a
# lock for longer than all the others need. BERTH_STRESS_SECONDS=600 makes it last ten minutes, BERTH_STRESS_SEED=N does the same again.
use strict;
use warnings;
use FindBin;
use IO::Handle;
use lib "$FindBin::Bin/lib";
use List::Util qw(first max shuffle);
use Time::HiRes qw(sleep);
use Berth::Test;
use Berth::Check;
use Berth::Crowd;
use Berth::GC;
use Berth::Registers;

my $SECONDS = $ENV{BERTH_STRESS_SECONDS} || ($ENV{BERTH_SANITIZERS} ? 20 : 60);
my $MOST = $ENV{BERTH_STRESS_SECONDS} ? 1e9 : 5000;    # requests of a client: judging them takes longer than making them
my $SEED = $ENV{BERTH_STRESS_SEED} || time;
my $CLIENTS = 16;
my $LIMIT = 120;        # seconds that no request may take

my $s = Berth::Server->start(config => "delete = true;\n", workers => 8);
$s->push_blob($_, $crowd_layers[0]) for @crowd_repos;
my $stop = crowd_now() + $SECONDS;
my $crowd = Berth::Crowd->new(servers => [$s], slots => tmp_dir(), until => $stop, limit => $LIMIT, most => $MOST, seed => $SEED);

# collect - one collection after the other, in the middle half of the time
sub collect {
	my %sum = (runs => 0, blobs => 0, fault => []);
	sleep max(0, $stop - crowd_now() - 0.75 * $SECONDS);
	while (crowd_now() < $stop - 0.25 * $SECONDS) {
		my $r = gc($s, '--json', '--grace', '1s');
		push @{ $sum{fault} }, "berth gc: $r->{status} $r->{err}" if $r->{status} || $r->{err} ne '';
		$sum{runs}++;
		$sum{blobs} += gc_total($r)->{blobs} // 0;
	}
	return \%sum;
}

# --- all of them ------------------------------------------------------------------------

my @all = run_parallel($CLIENTS + 1, sub { return $_[0] < $CLIENTS ? $crowd->client($_[0]) : collect() });
my $gc = pop @all;
is join('; ', map { $_->{died} // () } @all, $gc), '', 'every client came to its end';
is join("\n", map { @{ $_->{fault} // [] } } @all, $gc), '', "$CLIENTS clients: each request has an answer in time, and one that the contract has";
cmp_ok $gc->{runs} // 0, '>', 0, 'there were collections beside them: ' . ($gc->{runs} // 0) . ', which took ' . ($gc->{blobs} // 0) . ' blobs';
my @history = map { @{ $_->{history} // [] } } @all;

my $rest = $crowd->at_rest($CLIENTS);
is join("\n", @{ $rest->{fault} }), '', 'all of it can be read when nobody writes any more';
push @history, @{ $rest->{history} };

my %n;
$n{ "$_->{do}" . (defined $_->{ref} ? $_->{ref} =~ /:/ ? ' by digest' : ' by tag' : '') . (defined $_->{match} ? ' if' : defined $_->{none_match} ? ' if none' : '') . " $_->{status}" }++ for @history;
diag("seed $SEED, " . @history . ' requests: ' . join ', ', map { "$_: $n{$_}" } sort keys %n);
cmp_ok $n{$_} // 0, '>', 0, "there was: $_" for 'put by tag 201', 'put by digest 201', 'put by tag if 201', 'put by tag if 412', 'put by tag if none 201',
	'put by tag if none 412', 'delete by tag 202', 'delete by tag 404', 'delete by tag if 202', 'delete by tag if 412', 'delete by digest 202', 'delete by digest 404',
	'read by tag 200', 'read by tag 404', 'read by digest 200', 'read by digest 404', 'append 202', 'cancel 204', 'store 201', 'blob 200';

my %world = (tags => \@crowd_tags, there => \@crowd_repos);
my @faults = history_faults(\@history, %world);
is join("\n", @faults[0 .. (@faults > 3 ? 2 : $#faults)]), '', 'every answer could have been given one after the other, and a manifest that was found had its blobs';

# --- the judge is not blind: one answer of the history is another -------------------------

# quiet - answers that leave no doubt: the tag was read before, and nobody changed it from then on
sub quiet {
	my ($registers) = history_registers(\@history, %world);
	my @found;
	for my $repo (@crowd_repos) {
		for my $tag (@crowd_tags) {
			my @ops = sort { $a->{from} <=> $b->{from} } @{ $registers->{"$repo:$tag"} // [] };
			my @changes = grep { defined $_->{set} || defined $_->{drop} } @ops;
			my ($quiet_from, $is, $to) = (0);
			my @reads = sort { $a->{from} <=> $b->{from} } grep { $_->{do} eq 'read' && $_->{repo} eq $repo && $_->{ref} eq $tag } @history;
			for my $i (1 .. $#reads) {
				my ($x, $y) = @reads[$i - 1, $i];
				push @found, $y if $x->{to} < $y->{from} && !grep { $_->{from} <= $y->{to} && $_->{to} >= $x->{from} } @changes;
			}
		}
	}
	return @found;
}

my @quiet = quiet();
cmp_ok scalar(@quiet), '>=', 10, 'there are answers that leave no doubt: ' . @quiet;
my @missed;
srand $SEED;
for my $h ((shuffle @quiet)[0 .. (@quiet > 12 ? 11 : $#quiet)]) {
	my %was = %$h;
	my $other = first { $_ ne ($was{digest} // '') } shuffle map { $_->{digest} } @crowd_images;
	if ($was{status} == 404 || rand() < 0.6) {
		@$h{qw(status digest)} = (200, $other);
	} else {
		$h->{status} = 404;
		delete $h->{digest};
	}
	push @missed, join ' ', map { "$_=$was{$_}" } sort keys %was if !history_faults([grep { ($_->{repo} // '') eq $was{repo} && $_->{do} =~ /^(?:read|put|delete|list)$/ } @history], tags => \@crowd_tags, there => [$was{repo}]);
	%$h = %was;
}
is join("\n", @missed), '', 'with one of them altered the history is refused';

# --- locks, and what is left ---------------------------------------------------------------

my @events = $s->log_events;
my @requests = grep { ($_->{event} // '') eq 'request' } @events;
my ($worst) = sort { ($b->{lock_ms} // 0) <=> ($a->{lock_ms} // 0) } @requests;
my ($slowest) = sort { $b->{ms} <=> $a->{ms} } @requests;
my $waited = grep { $_->{lock_ms} } @requests;
diag(sprintf '%d requests in the log, %d waited for a lock, the longest %.1f ms (%s %s); the slowest took %.1f ms (%s %s)', scalar @requests, $waited,
	$worst->{lock_ms} // 0, $worst->{method}, $worst->{route} // '', $slowest->{ms}, $slowest->{method}, $slowest->{route} // '');
cmp_ok $waited, '>', 0, 'requests met at locks';
is lock_fault($CLIENTS + 1, @requests), '', 'nobody waited for a lock for longer than all of them need by themselves';
my $fsck = run(program('berth'), '--config', $s->config_file, '--root', $s->root, 'fsck');
is $fsck->{status}, 0, 'fsck finds the store whole' or diag($fsck->{out}, $fsck->{err});
is leftovers($s), '', 'nothing is left in body, tmp and trash';

done_testing;
