# SPDX-License-Identifier: Apache-2.0
#
# Berth::Verdict: the tests of a Berth::Replay, and what berth itself has to say about a sample of its states.
#
#   all_ok($r, needless => ['berth/index']);
package Berth::Verdict;

use strict;
use warnings;

use Exporter 'import';
use File::Path ();
use JSON::PP ();
use Time::HiRes ();

use Berth::Check qw(is_garbage);
use Berth::GC ();
use Berth::PowerCut;
use Berth::Recording;
use Berth::StoreState;
use Berth::Test;

our @EXPORT = qw(all_ok lay_state);

# lay_state - make a directory what a state says; what it held before is remembered in %$held, empty at first
sub lay_state
{
	my ($root, $state, $held) = @_;

	for my $p (sort { $b cmp $a } grep { ($state->{$_} // '') ne $held->{$_} } keys %$held) {
		$held->{$p} eq 'd' ? rmdir "$root/$p" : unlink "$root/$p" or die "$root/$p: $!" if -e "$root/$p";
	}
	for my $p (sort grep { ($held->{$_} // '') ne $state->{$_} } keys %$state) {
		if ($state->{$p} eq 'd') {
			mkdir("$root/$p") || $!{EEXIST} or die "$root/$p: $!";
		} else {
			spew("$root/$p", Berth::PowerCut::content($state->{$p}));
		}
	}
	%$held = %$state;
	return;
}

# fsck_of - what berth itself, with the configuration $r->{conf} if there is one, has to say about states, each laid into a directory below $dir: a hash of counts by kind, and
# the first line of each kind with the number of its state
sub fsck_of
{
	my ($r, $dir, $first, $step, @options) = @_;
	my (%held, %kinds, %line);

	File::Path::make_path($dir);
	for (my $n = $first; $n < @{ $r->{kept} }; $n += $step) {
		lay_state($dir, { map { ($_ => $r->{kept}[$n]{$_}) } grep { !m{\Aberth/locks/.*[^/]\z} || $r->{kept}[$n]{$_} eq 'd' } keys %{ $r->{kept}[$n] } }, \%held);
		open my $h, '-|', program('berth'), $r->{conf} ? ('--config', $r->{conf}) : (), '--root', $dir, 'fsck', '--json', @options or die "berth fsck: $!";
		my @out = map { JSON::PP->new->utf8->decode($_) } <$h>;
		close $h;
		my $status = $? >> 8;
		my $sum = pop @out;
		die "berth fsck ended with $status\n" if ($sum->{kind} // '') ne 'summary' || $status != ($sum->{found} ? 1 : 0);
		for my $f (@out) {
			$kinds{ $f->{kind} }++;
			$line{ $f->{kind} } //= "state $n: $f->{where}: $f->{what}";
		}
	}
	return { kinds => \%kinds, lines => \%line };
}

# all_ok - the tests: every scenario; that leaving out flushes shows; what berth says of a sample of the states
# needless  sorts of flushes that no scenario needs
# without   groups of scenarios whose flushes are left out, where others show there what they show here
# only      a pattern: the sorts that have to show here, where another test shows the rest
sub all_ok
{
	my ($r, %o) = @_;
	my $began = Time::HiRes::time();
	my %needless = map { ($_ => 1) } @{ $o{needless} // [] };

	$r->load;
	for my $s ($r->scenarios) {
		my ($p, $n) = @$r{qw(prefixes states)};
		is($r->replay($s), undef, "$s->{name}: a power cut at any moment leaves what was acknowledged, and nothing that points to nothing");
		my %flushes;
		$flushes{ $_->[1] }++ for $r->flushes_of($s);
		note sprintf '%d calls, flushes by step: %s; %d prefixes, %d states', scalar @{ $s->{calls} },
			join(' ', map { $flushes{$_} // 0 } 0 .. $#{ $s->{steps} }), $r->{prefixes} - $p, $r->{states} - $n;
	}
	diag sprintf '%d prefixes and %d states replayed, %d of them different; %.1f s', @$r{qw(prefixes states)}, scalar keys %{ $r->{seen} }, Time::HiRes::time() - $began;

	my $sorts = $r->without_each_flush(2, @o{qw(without only)}, \%needless);
	my ($all, $idle) = (0, 0);
	for my $k (sort keys %$sorts) {
		my ($of, @in) = ($sorts->{$k}{tried}, @{ $sorts->{$k}{idle} });
		$all += $of;
		$idle += @in;
		note sprintf '%s: %d of %d may be left out, of %d in all', $k, scalar @in, $of, $sorts->{$k}{all};
		note "  $_" for $ENV{BERTH_TEST_VERBOSE} ? @in : ();
		ok(@in < $of || $needless{$k}, "leaving out a flush of $k shows in some scenario");
	}
	diag sprintf '%d flushes left out, one at a time: %d of them show; %.1f s', $all, $all - $idle, Time::HiRes::time() - $began;
	berth_ok($r, %o);
	return;
}

# berth_ok - berth fsck, and a server, on states that were kept
sub berth_ok
{
	my ($r, %o) = @_;
	my $dir = Berth::GC::quick_dir();
	my $began = Time::HiRes::time();
	my @told = run_parallel(2, sub { fsck_of($r, "$dir/$_[0]", $_[0], 2) });

	for my $t (@told) {
		is($t->{died}, undef, 'berth fsck looks at every state') or next;
		my @bad = grep { !is_garbage($_) } sort keys %{ $t->{kinds} };
		is(join("\n", map { $t->{lines}{$_} } @bad), '', 'berth fsck finds nothing but garbage: ' . join ', ', map { "$_ $t->{kinds}{$_}" } sort keys %{ $t->{kinds} });
	}
	diag sprintf 'berth fsck looked at %d states; %.1f s', scalar @{ $r->{kept} }, Time::HiRes::time() - $began;
	my $every = int(@{ $r->{kept} } / 6) || 1;
	for (my $n = 0; $n < @{ $r->{kept} }; $n += $every) {
		served_ok($n, $r->{kept}[$n], "$dir/serve$n");
	}
	return;
}

# served_ok - a server that starts on a state, and a collection beside it
sub served_ok
{
	my ($n, $state, $root) = @_;
	my $want = listing_of($state);

	lay_state($root, { '' => 'd', %$state }, {});
	my $s = Berth::Server->start(root => $root, workers => 1);
	is_deeply(listed($s, $want), $want, "a server that starts on state $n lists what the links say: " . @{ $want->{catalog} } . ' repositories');
	Berth::GC::make_old($s, 8 * 24 * 3600);
	my $g = Berth::GC::gc($s);
	is($g->{status}, 0, '... a collection beside it has no fault') or diag($g->{err});
	my $now = snapshot($root);
	is_deeply([faults_of({ map { ($_ => $now->{$_}{dir} ? 'd' : Berth::PowerCut::intern($now->{$_}{bytes})) } keys %$now })], [], '... and takes nothing that is named');
	is_deeply([@{ listed($s, $want) }{qw(tags rows referrers)}], [@$want{qw(tags rows referrers)}], '... no manifest, and no tag');
	$s->stop;
	return;
}

# listed - what a server lists, asked for the same things
sub listed
{
	my ($s, $want) = @_;
	my $get = sub { my $r = $s->req(GET => $_[0]); return $r->status == 200 ? JSON::PP->new->utf8->decode($r->body) : { status => $r->status } };
	my %out = (catalog => $get->('/v2/_catalog')->{repositories}, tags => {}, rows => {}, referrers => {});

	for my $repo (keys %{ $want->{tags} }) {
		$out{tags}{$repo} = $get->("/v2/$repo/tags/list")->{tags} // [];
		$out{rows}{$repo} = { map { ($_->{tag} => $_->{digest}) } @{ $get->("/berth/v1/repos/$repo/tags?n=100")->{tags} } };
	}
	for my $repo (keys %{ $want->{referrers} }) {
		$out{referrers}{$repo}{$_} = [sort map { $_->{digest} } @{ $get->("/v2/$repo/referrers/$_")->{manifests} }] for keys %{ $want->{referrers}{$repo} };
	}
	return \%out;
}

1;
