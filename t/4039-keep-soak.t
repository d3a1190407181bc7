#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Pushes, pulls, moves, deletions and restores while rules and collections run one after the other, and while the test lets days pass: nothing
# that a rule or a mark keeps is ever gone, and everything else is after one round. Five minutes with --long.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Fcntl qw(:flock);
use List::Util qw(shuffle);
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Check;
use Berth::Events;
use Berth::GC;
use Berth::Repo;
use Berth::Rules;
use Berth::RulesModel;

my $STEPS = is_long() ? 1e9 : 40;
my $END = time + ($ENV{BERTH_SOAK} // 300);             # of the long one
my $CLIENTS = 4;
my $seed = $ENV{BERTH_SEED} // int rand 2**31;
my %RULE = (keep => [{ tag => 'keep-*' }, { newest => 3 }, { pushed => 10 * DAY }, { pulled => 5 * DAY }], untagged => 2 * DAY);
my $UNDO = DAY;
my $s = Berth::Server->start(workers => 3, config => <<'C');
delete = true;
undo = "1d";
rules_delay = "0s";
journal = { enabled = true; };
gc = { grace = "20s"; };
rules = ( { repo = "soak/**"; keep = ( { tag = "keep-*"; }, { newest = 3; }, { pushed = "10d"; }, { pulled = "5d"; } ); untagged = "2d"; } );
C
pulls_noted_since($s, 1);
my $world = $s->dir . '/world';         # held by a command that looks at times, and while they are moved
my $over = $s->dir . '/over';
my $rounds = $s->dir . '/rounds';
spew($rounds, 0);
spew($world, '');

sub rounds { return content_of($rounds) || 0 }
sub alone { my ($code) = @_; open my $h, '>>', $world or die; flock $h, LOCK_EX or die; return $code->() }

# The ruler: a round is a run of the rules by hand and a collection, or the other way round.
sub ruler
{
	my ($n, @bad) = (0);

	while (!-e $over && !@bad) {
		for my $words (shuffle [rules_cmd($s, 'apply')], [gc_cmd($s)]) {
			my $r = alone(sub { return run(@$words) });
			push @bad, "@$words[-2, -1]: $r->{status} $r->{err}" if $r->{status} || $r->{err} ne '';
		}
		spew("$rounds.new", ++$n);
		rename "$rounds.new", $rounds or die;
	}
	return { rounds => $n, bad => \@bad };
}

# sure - what stays for certain by what lies there: half a minute sooner or later does not matter
sub sure
{
	my ($repo) = @_;
	my (@tags, @manifests);

	for my $shift (-30, 30) {
		my $r = later($repo, $shift);
		my ($tags, $manifests) = model_round($r, \%RULE, $UNDO, 0);
		push @tags, $tags;
		push @manifests, $manifests;
	}
	return { tags => { map { $_ => $repo->{tags}{$_}{digest} } grep { $tags[1]{$_} } keys %{ $tags[0] } },
		manifests => { map { $_ => 1 } grep { $manifests[1]{$_} } keys %{ $manifests[0] } },
		maybe => { tags => { %{ $tags[0] }, %{ $tags[1] } }, manifests => { %{ $manifests[0] }, %{ $manifests[1] } } } };
}

sub later
{
	my ($repo, $seconds) = @_;

	return { tags => { map { $_ => { %{ $repo->{tags}{$_} }, age => $repo->{tags}{$_}{age} + $seconds } } keys %{ $repo->{tags} } },
		manifests => { map { $_ => { age => $repo->{manifests}{$_}{age} + $seconds } } keys %{ $repo->{manifests} } },
		map { my $k = $_; ($k => { map { $_ => $repo->{$k}{$_} + $seconds } keys %{ $repo->{$k} } }) } qw(pulled marks) };
}

# A client has a repository of its own, so it knows what it did there.
sub client
{
	my ($i) = @_;
	my $name = "soak/r$i";
	my ($n, $steps, %did, @bad) = (0, 0);
	my $sure = { tags => {}, manifests => {} };
	srand $seed + $i;

	my $look = sub {
		my ($what, $but) = @_;
		my $is = as_locked($s, $name, sub { return repository_now($s, $name) });
		for my $t (sort keys %{ $sure->{tags} }) {
			next if defined $but && $t eq $but;
			push @bad, "after $what: $t is " . ($is->{tags}{$t} // {})->{digest} // 'gone' if (($is->{tags}{$t} // {})->{digest} // '') ne $sure->{tags}{$t};
		}
		push @bad, map { "after $what: manifest $_ is gone" } grep { !$is->{manifests}{$_} } sort keys %{ $sure->{manifests} };
		$sure = sure($is);
		return $is;
	};
	my $is = $look->('nothing');
	my %do = (
		push => sub {
			my $tag = (rand() < 0.1 ? 'keep-' : 't-') . ++$n;
			$s->push_image($name, $tag, type => 'oci', layers => ["layer $i $n"]);
			return "push of $tag";
		},
		move => sub {
			my ($tag) = shuffle keys %{ $is->{tags} } or return;
			$n++;
			$s->push_image($name, $tag, type => 'oci', layers => ["layer $i $n"]);
			return ("move of $tag", $tag);
		},
		pull => sub {
			my ($ref) = shuffle keys %{ $is->{tags} }, keys %{ $is->{manifests} } or return;
			my $r = $s->req(one('GET', 'HEAD'), "/v2/$name/manifests/$ref");
			push @bad, "a pull of $ref that has to be there: " . $r->status if $r->status != 200 && ($sure->{tags}{$ref} || $sure->{manifests}{$ref});
			return "pull of $ref";
		},
		delete => sub {
			my ($tag) = shuffle keys %{ $is->{tags} } or return;
			my $r = $s->req('DELETE', "/v2/$name/manifests/$tag");
			push @bad, "DELETE of $tag: " . $r->status if $r->status !~ /^(?:202|404)\z/ || ($r->status == 404 && $sure->{tags}{$tag});
			return ("deletion of $tag", $tag);
		},
		restore => sub {
			my ($gone) = shuffle objects_of(berth($s, 'tag', 'deleted', $name, '--json')) or return;
			my ($tag, $digest) = @$gone{qw(tag digest)};
			return if !defined $tag || ($is->{marks}{$digest} // DAY) > DAY - 60;
			my $r = berth($s, 'tag', 'restore', "$name:$tag\@$digest");
			push @bad, "restore of $tag\@$digest: $r->{err}" if $r->{status} && $r->{err} !~ /points to/;
			return ("restore of $tag", $tag);
		},
		age => sub {
			my $days = 0.3 + int(rand 10) / 4;
			alone(sub { as_locked($s, $name, sub { age_repository($s, $name, $days * DAY); $sure = sure(repository_now($s, $name)) }) });
			return "$days days";
		},
		round => sub {
			my $from = rounds();
			wait_for { rounds() >= $from + 2 || -e $over };
			return if -e $over;
			my $left = as_locked($s, $name, sub { return repository_now($s, $name) });
			my $may = sure($left)->{maybe};
			push @bad, map { "$_ is there after a round" } grep { !$may->{tags}{$_} } sort keys %{ $left->{tags} };
			push @bad, map { "manifest $_ is there after a round" } grep { !$may->{manifests}{$_} } sort keys %{ $left->{manifests} };
			return 'a round';
		},
	);
	my @kinds = ((('push') x 5), (('move') x 2), (('pull') x 4), (('age') x 3), qw(delete delete restore restore round));
	while (!@bad && !-e $over && $steps < $STEPS && (!is_long() || time < $END)) {
		my $kind = $steps < 5 ? 'push' : one(@kinds);
		my ($what, $but) = $do{$kind}->();
		$steps++;
		next if !defined $what;
		$did{$kind}++;
		$is = $look->($what, $but);
	}
	$do{round}->() if !@bad;
	return { steps => $steps, did => \%did, bad => \@bad, tags => scalar keys %{ $is->{tags} } };
}

sub one { return $_[rand @_] }

# The last client that ends ends the ruler.
my @result = run_parallel($CLIENTS + 1, sub {
	my ($i) = @_;
	return ruler() if $i == $CLIENTS;
	my $r = eval { client($i) } // { bad => ["$@"] };
	spew($s->dir . "/done$i", '');
	spew($over, '') if @{ $r->{bad} } || !grep { !-e $s->dir . "/done$_" } 0 .. $CLIENTS - 1;
	return $r;
});
my $ruler = $result[-1];
for my $i (0 .. $#result) {
	my $r = $result[$i];
	is join("\n", @{ $r->{bad} // ["$r->{died}"] }), '', $i == $CLIENTS ? 'rules and collections end well' : "client $i: what a rule or a mark keeps is there, and nothing else after a round"
		or diag("BERTH_SEED=$seed");
}
cmp_ok $ruler->{rounds}, '>=', 2, 'there were rounds';
diag("$ruler->{rounds} rounds; " . join '; ', map { my $d = $_->{did}; ($_->{steps} // 0) . ' steps: ' . join ', ', map { "$_ $d->{$_}" } sort keys %{ $d // {} } } @result[0 .. $CLIENTS - 1]);
is journal_fault($s), '', 'the journal tells all';
is join(' ', fsck_kinds($s)), '', 'fsck finds nothing';
$s->stop;
done_testing;
