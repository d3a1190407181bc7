# SPDX-License-Identifier: Apache-2.0
#
# Berth::Replay: operations recorded, and their calls replayed up to every point, with every power cut that the model
# allows there.
#
#   my $r = Berth::Replay->new(root => $s->root, trace => $file);
#   $r->scenario('a tag moves', { "tag $repo $t" => $old }, [
#       { body => $m, claims => { "tag $repo $t" => $d }, do => sub { ... 201 } } ]);
#   $r->load;
#   my @faults = $r->replay($_) for $r->scenarios;
#
# A claim is "KIND REPOSITORY WHAT" => what Berth::StoreState::what_is() says of it, undef: it is gone. It holds in every
# state once the answer was sent; from the first call of the step on until then it is as before or as claimed.
package Berth::Replay;

use strict;
use warnings;

use Digest::MD5 qw(md5);
use Exporter 'import';
use File::Path ();
use JSON::PP ();
use Time::HiRes ();

use Berth::PowerCut;
use Berth::Recording;
use Berth::StoreState;
use Berth::Test;
use Berth::GC ();

our @EXPORT = qw(all_ok);

sub new
{
	my ($class, %o) = @_;

	return bless { sample => 16, seed => 1, states => 0, prefixes => 0, seen => {}, kept => [], keep => 0, scenarios => [], %o }, $class;
}

sub scenarios { return @{ $_[0]{scenarios} } }

# scenario - do the steps now, to be replayed later
# before  claims that hold from the start
# steps   { do => code, body => what nginx spools for it, claims => {...} }; with dies => pattern its worker dies after the
#         last call before `until` that gives a name like that, so nothing is claimed
sub scenario
{
	my ($self, $name, $before, $steps) = @_;
	my $s = { name => $name, before => $before, steps => $steps };

	settled($self->{trace});
	$s->{start} = snapshot($self->{root});
	for my $step (@$steps) {
		$step->{from} = Time::HiRes::time();
		$step->{do}->();
	}
	settled($self->{trace});
	$s->{to} = Time::HiRes::time();
	$s->{end} = snapshot($self->{root});
	push @{ $self->{scenarios} }, $s;
	return $s;
}

# load - read the trace; every call goes to the step in whose time it was made
sub load
{
	my ($self) = @_;
	my @calls = recorded($self->{trace}, $self->{root});

	$self->{at_start} = [grep { $_->{t} < $self->{scenarios}[0]{steps}[0]{from} } @calls];
	for my $s (@{ $self->{scenarios} }) {
		my @steps = @{ $s->{steps} };
		for my $n (0 .. $#steps) {
			my $to = $n < $#steps ? $steps[$n + 1]{from} : $s->{to};
			$steps[$n]{calls} = [grep { $_->{t} >= $steps[$n]{from} && $_->{t} < $to } @calls];
			$_->{step} = $n for @{ $steps[$n]{calls} };
			die_early($steps[$n]) if $steps[$n]{dies};
		}
		$s->{calls} = [map { @{ $_->{calls} } } @steps];
	}
	return;
}

sub die_early
{
	my ($step) = @_;
	my $calls = $step->{calls};

	@$calls = grep { $_->{t} < $step->{until} } @$calls;
	my ($last) = grep { $calls->[$_]{name} =~ /^(?:link|rename)$/ && $calls->[$_]{paths}[0] . ' ' . $calls->[$_]{paths}[1] =~ $step->{dies} } reverse 0 .. $#$calls;

	die "no call gives a name like $step->{dies}\n" if !defined $last;
	$#$calls = $last;
	$step->{claims} = {};
	return;
}

# flushes_of - the calls of a scenario that flush, up to its last answer: [index, step, path]
sub flushes_of
{
	my ($self, $s) = @_;
	my $calls = $s->{calls};

	return map { [$_, $calls->[$_]{step}, $calls->[$_]{path} // ''] } grep { $calls->[$_]{name} =~ /^(?:fsync|syncfs|sync)$/ } 0 .. $#$calls;
}

my (%part, $none);

# Two states are the same where all but scratch is: nobody reads berth/{body,tmp,trash,locks} to serve, or to check.
sub key_of
{
	my ($state) = @_;
	my $sum = 0;

	while (my ($path, $id) = each %$state) {
		$sum ^= $part{$path}{$id} //= $path =~ m{\Aberth/(?:body|tmp|trash|locks|gc)/} ? 0 : unpack 'Q', md5("$path\0$id");
	}
	return $sum;
}

# What is allowed now: { claim => [values] }.
sub begin_step
{
	my ($allowed, $claims) = @_;

	for my $k (keys %$claims) {
		$allowed->{$k} = [@{ $allowed->{$k} }, $claims->{$k}] if $allowed->{$k};
	}
	return;
}

sub claim_faults
{
	my ($state, $allowed) = @_;
	my @bad;

	for my $k (keys %$allowed) {
		my $is = what_is($state, split / /, $k) // '';
		push @bad, "$k is '$is', not " . join ' or ', map { "'" . ($_ // '') . "'" } @{ $allowed->{$k} } if !grep { ($_ // '') eq $is } @{ $allowed->{$k} };
	}
	return @bad;
}

# visit - one state; what is wrong with it
sub visit
{
	my ($self, $state, $allowed) = @_;
	my $key = key_of($state);
	my $known = $self->{seen}{$key};

	if (!$known) {
		$known = $self->{seen}{$key} = [faults_of($state)];
		$self->keep($state) if $self->{keep} && !@$known;
	}
	$self->{states}++;
	return @$known, claim_faults($state, $allowed);
}

# keep - a sample of the distinct states, each as likely as the other
sub keep
{
	my ($self, $state) = @_;
	my $n = $self->{offered}++;

	if ($n < $self->{keep}) {
		push @{ $self->{kept} }, $state;
		return;
	}
	$self->{random} = (($self->{random} // 7) * 1103515245 + 12345) & 0x7fffffff;
	my $at = ($self->{random} >> 4) % ($n + 1);
	$self->{kept}[$at] = $state if $at < $self->{keep};
	return;
}

sub described
{
	my ($c) = @_;

	return join ' ', $c->{name}, @{ $c->{paths} // [] }, $c->{path} // (), $c->{status} // ();
}

# replay - all prefixes of a scenario, up to the first fault; what is wrong then, or nothing
# drop  index of a call that is left out
sub replay
{
	my ($self, $s, %o) = @_;
	my $fs = Berth::PowerCut->new($s->{start});
	my $sample = defined $o{drop} ? $self->{sample} / 8 : $self->{sample};
	my (%allowed, %play);
	my ($step, $answered) = (-1, 0);

	$allowed{$_} = [$s->{before}{$_}] for keys %{ $s->{before} };
	my %known = map { ($_ => 1) } faults_of($fs->now);      # that the scenario begins with: an operation mends it, or leaves it
	for my $n (0 .. $#{ $s->{calls} }) {
		my $c = $s->{calls}[$n];
		my $now = $s->{steps}[ $c->{step} ];
		if ($c->{step} != $step) {
			$fs->unlink($_) for grep { defined $fs->find($_) } @{ delete($play{spooled}) // [] };
			$step = $c->{step};
			$play{body} = $now->{body};
			begin_step(\%allowed, $now->{claims});
		}
		next if defined $o{drop} && $n == $o{drop};
		next if !play($fs, $c, \%play);
		if ($c->{name} eq 'answer' && $c->{status} =~ /^20[12]$/) {
			$allowed{$_} = [$now->{claims}{$_}] for keys %{ $now->{claims} };
		}
		next if defined $o{drop} && $n < $o{drop};
		$self->{prefixes}++;
		my $fault = $fs->after_power_cut($self->{seed} + $n, $sample, sub {
			my ($state, $choice) = @_;
			my @bad = grep { !$known{$_} } $self->visit($state, \%allowed) or return;
			return "$s->{name}, after call $n, " . described($c) . ":\n" . join("\n", @bad) . "\n" . $fs->told($choice);
		});
		return $fault if $fault;
	}
	return if defined $o{drop} || grep { $_->{dies} } @{ $s->{steps} };
	$fs->unlink($_) for grep { defined $fs->find($_) } @{ $play{spooled} // [] };
	return differs($fs, $s);
}

# The sort of thing that a flush is for: names, digests and numbers left out.
sub sort_of
{
	my ($path) = @_;

	$path =~ s{/[0-9a-f]{64,}}{/HEX}g;
	$path =~ s{\Aberth/tmp/[^/]+}{berth/tmp/NEW};
	$path =~ s{\Aberth/body/.*}{berth/body/FILE};
	$path =~ s{(blobs/\w+)/[0-9a-f]{2}(?=/|\z)}{$1/TWO};
	$path =~ s{(repositories)/[^_].*?(?=/_|\z)}{$1/NAME};
	$path =~ s{(index)/[^_].*?(?=/_|\z)}{$1/NAME} if $path =~ /^berth/;
	$path =~ s{(_uploads)/[^/]+}{$1/UUID};
	$path =~ s{(tags)/[^/]+}{$1/TAG};
	$path =~ s{sha\d+}{ALG}g;
	return $path;
}

# without_each_flush - each scenario again for each of its flushes, that one left out. By sort of flush: how many there were,
# and the scenarios in which no state shows the loss: { sort => { all => N, idle => [scenarios] } }
sub without_each_flush
{
	my ($self, $jobs) = @_;
	my @all = map { my $s = $_; map { [$s, @$_] } $self->flushes_of($s) } $self->scenarios;
	my %out;
	my @found = Berth::Test::run_parallel($jobs, sub {
		my ($job) = @_;
		return [map { defined $self->replay($all[$_][0], drop => $all[$_][1]) ? () : $_ } grep { $_ % $jobs == $job } 0 .. $#all];
	});
	my %idle = map { ($_ => 1) } map { ref $_ eq 'ARRAY' ? @$_ : die "$_->{died}\n" } @found;

	for my $n (0 .. $#all) {
		my ($s, $call, $step, $path) = @{ $all[$n] };
		my $sort = $out{ sort_of($path) } //= { all => 0, idle => [] };
		$sort->{all}++;
		push @{ $sort->{idle} }, "$s->{name}, step " . ($step + 1) if $idle{$n};
	}
	return \%out;
}

# The model, with the power on, has to end where the store did: else the recording lacks something.
sub differs
{
	my ($fs, $s) = @_;
	my ($is, $was) = ($fs->now, $s->{end});
	my @bad;

	for my $p (sort keys %{ { %$is, %$was } }) {
		my $a = !defined $is->{$p} ? 'missing' : $is->{$p} eq 'd' ? 'a directory' : 'bytes ' . unpack 'H*', md5(Berth::PowerCut::content($is->{$p}));
		my $b = !defined $was->{$p} ? 'missing' : $was->{$p}{dir} ? 'a directory' : 'bytes ' . unpack 'H*', md5($was->{$p}{bytes});
		push @bad, "$p: $a in the model, $b on disk" if $a ne $b;
	}
	return @bad ? "$s->{name}: the model and the store differ:\n" . join("\n", @bad) . "\n" : undef;
}

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
			Berth::Test::spew("$root/$p", Berth::PowerCut::content($state->{$p}));
		}
	}
	%$held = %$state;
	return;
}

# fsck_of - what berth itself has to say about states, each laid into a directory below $dir: a hash of counts by kind, and
# the first line of each kind with the number of its state
sub fsck_of
{
	my ($self, $dir, $first, $step, @options) = @_;
	my (%held, %kinds, %line);

	File::Path::make_path($dir);
	for (my $n = $first; $n < @{ $self->{kept} }; $n += $step) {
		lay_state($dir, { map { ($_ => $self->{kept}[$n]{$_}) } grep { !m{\Aberth/locks/.*[^/]\z} || $self->{kept}[$n]{$_} eq 'd' } keys %{ $self->{kept}[$n] } }, \%held);
		open my $h, '-|', Berth::Test::program('berth'), '--root', $dir, 'fsck', '--json', @options or die "berth fsck: $!";
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
# only      a pattern: the sorts that have to show here, where another test shows the rest
sub all_ok
{
	my ($self, %o) = @_;
	my $began = Time::HiRes::time();
	my %needless = map { ($_ => 1) } @{ $o{needless} // [] };

	$self->load;
	for my $s ($self->scenarios) {
		my ($p, $n) = @$self{qw(prefixes states)};
		is($self->replay($s), undef, "$s->{name}: a power cut at any moment leaves what was acknowledged, and nothing that points to nothing");
		my %flushes;
		$flushes{ $_->[1] }++ for $self->flushes_of($s);
		note sprintf '%d calls, flushes by step: %s; %d prefixes, %d states', scalar @{ $s->{calls} },
			join(' ', map { $flushes{$_} // 0 } 0 .. $#{ $s->{steps} }), $self->{prefixes} - $p, $self->{states} - $n;
	}
	diag sprintf '%d prefixes and %d states replayed, %d of them different; %.1f s', @$self{qw(prefixes states)}, scalar keys %{ $self->{seen} }, Time::HiRes::time() - $began;

	my $sorts = $self->without_each_flush(2);
	my ($all, $idle) = (0, 0);
	for my $k (sort keys %$sorts) {
		my ($of, @in) = ($sorts->{$k}{all}, @{ $sorts->{$k}{idle} });
		$all += $of;
		$idle += @in;
		note sprintf '%s: %d of %d may be left out', $k, scalar @in, $of;
		note "  $_" for $ENV{BERTH_TEST_VERBOSE} ? @in : ();
		next if $o{only} && $k !~ $o{only};
		ok(@in < $of || $needless{$k}, "leaving out a flush of $k shows in some scenario");
	}
	diag sprintf '%d flushes left out, one at a time: %d of them show; %.1f s', $all, $all - $idle, Time::HiRes::time() - $began;
	$self->berth_ok(%o);
	return;
}

# What berth calls garbage that a crash may leave: pushed again, or by fsck --repair and the collector, it is mended.
my %GARBAGE = map { ($_ => 1) } qw(blob-without-data upload-without-start half-repository tag-index-link);

# berth_ok - berth fsck, and a server, on states that were kept
sub berth_ok
{
	my ($self, %o) = @_;
	my $dir = Berth::GC::quick_dir();
	my $began = Time::HiRes::time();
	my @told = Berth::Test::run_parallel(2, sub { $self->fsck_of("$dir/$_[0]", $_[0], 2) });

	for my $t (@told) {
		is($t->{died}, undef, 'berth fsck looks at every state') or next;
		my @bad = grep { !$GARBAGE{$_} } sort keys %{ $t->{kinds} };
		is(join("\n", map { $t->{lines}{$_} } @bad), '', 'berth fsck finds nothing but garbage: ' . join ', ', map { "$_ $t->{kinds}{$_}" } sort keys %{ $t->{kinds} });
	}
	diag sprintf 'berth fsck looked at %d states; %.1f s', scalar @{ $self->{kept} }, Time::HiRes::time() - $began;
	my $every = int(@{ $self->{kept} } / ($o{serve} // 6)) || 1;
	for (my $n = 0; $n < @{ $self->{kept} }; $n += $every) {
		my $state = $self->{kept}[$n];
		my $want = listing_of($state);
		lay_state("$dir/serve$n", { '' => 'd', %$state }, {});
		my $s = Berth::Server->start(root => "$dir/serve$n", workers => 1);
		is_deeply(listed($s, $want), $want, "a server that starts on state $n lists what the links say: " . @{ $want->{catalog} } . ' repositories');
		$s->stop;
	}
	return;
}

# listed - what a server lists, asked for the same things
sub listed
{
	my ($s, $want) = @_;
	my $get = sub { my $r = $s->req(GET => $_[0]); return $r->status == 200 ? JSON::PP->new->utf8->decode($r->body) : { status => $r->status } };
	my %out = (catalog => $get->('/v2/_catalog')->{repositories}, tags => {}, referrers => {});

	for my $repo (keys %{ $want->{tags} }) {
		$out{tags}{$repo} = $get->("/v2/$repo/tags/list")->{tags} // [];
	}
	for my $repo (keys %{ $want->{referrers} }) {
		$out{referrers}{$repo}{$_} = [sort map { $_->{digest} } @{ $get->("/v2/$repo/referrers/$_")->{manifests} }] for keys %{ $want->{referrers}{$repo} };
	}
	return \%out;
}

1;
