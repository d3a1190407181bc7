#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Clients on two machines that keep directories of repositories open (here on one local disk), collections, and repositories that are renamed
# beside them: every answer could have been given one after the other.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use List::Util qw(max);
use Time::HiRes qw(sleep);
use Berth::Test;
use Berth::Check;
use Berth::Crowd;
use Berth::Registers;

my $SECONDS = $ENV{BERTH_STRESS_SECONDS} || 20;
my $CLIENTS = 8;

local $ENV{BERTH_TEST_DISTANT} = 1;
my %o = (config => "delete = true;\n", env => { BERTH_TEST_DISTANT => 1 }, nginx_args => ['with=machines']);
my $here = Berth::Server->start(%o);
my @servers = ($here, Berth::Server->start(%o, root => $here->root));
my @berth = (program('berth'), '--config', $here->config_file, '--root', $here->root);

$here->push_blob($_, $crowd_layers[0]) for @crowd_repos;
my ($moved) = $here->push_image('moved/0', 'v1', layers => ['moved']);
my $stop = crowd_now() + $SECONDS;
my $crowd = Berth::Crowd->new(servers => \@servers, slots => tmp_dir(), until => $stop, most => 1500);

sub answer { my ($s, $repo) = @_; my $r = $s->req(GET => "/v2/$repo/manifests/v1"); return $r->status == 200 ? sha256($r->body) : $r->status }

# move - a repository gets one name after the other; each is known to all as soon as the command has ended
sub move
{
	my %sum = (moves => 0, fault => []);

	while (crowd_now() < $stop) {
		my ($from, $to) = map { "moved/$_" } $sum{moves} % 3, ($sum{moves} + 1) % 3;
		my $r = run(@berth, 'repo', 'mv', $from, $to);
		if ($r->{status}) {     # not beside a collection
			push @{ $sum{fault} }, $r->{err} if $r->{err} !~ /collection/;
			sleep 0.1;
			next;
		}
		$sum{moves}++;
		my @is = map { (answer($_, $from), answer($_, $to), answer($_, $from)) } @servers;
		push @{ $sum{fault} }, "$from to $to: @is" if "@is" ne join ' ', (404, $moved, 404) x 2;
	}
	return \%sum;
}

sub collect
{
	sleep max(0, $stop - crowd_now() - 0.75 * $SECONDS);
	my @r = map {
		my $r;
		do { $r = run(@berth, 'gc', '--grace', '1s') } while $r->{err} =~ /a repository is being moved/;       # it waits for half a second
		$r;
	} 1 .. 2;
	return { fault => [map { $_->{status} ? $_->{err} : () } @r] };
}

my @all = run_parallel($CLIENTS + 2, sub { return $_[0] < $CLIENTS ? $crowd->client($_[0]) : $_[0] == $CLIENTS ? move() : collect() });
is join('; ', map { $_->{died} // () } @all), '', 'every client came to its end';
is join("\n", map { @{ $_->{fault} // [] } } @all), '', 'each answer is one that the contract has';
my $moves = $all[$CLIENTS]{moves} // 0;
cmp_ok $moves, '>', 0, "there were moves beside it: $moves";
my @history = grep { $_->{do} ne 'catalog' } map { @{ $_->{history} // [] } } @all;     # the judge knows nothing of moves
diag(scalar(@history) . " requests, $moves moves");
my $rest = $crowd->at_rest($CLIENTS);
is join("\n", @{ $rest->{fault} }), '', 'all of it can be read when nobody writes any more';
push @history, grep { $_->{do} ne 'catalog' } @{ $rest->{history} };
my @faults = history_faults(\@history, tags => \@crowd_tags, there => \@crowd_repos);
is join("\n", @faults[0 .. (@faults > 3 ? 2 : $#faults)]), '', 'every answer could have been given one after the other';
my $fsck = run(@berth, 'fsck');
is $fsck->{status}, 0, 'fsck finds the store whole' or diag($fsck->{out}, $fsck->{err});
$_->stop for reverse @servers;
done_testing;
