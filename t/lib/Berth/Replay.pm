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
use File::Path ();
use JSON::PP ();
use Time::HiRes ();

use Berth::PowerCut;
use Berth::Recording;
use Berth::StoreState;
use Berth::Test ();

sub new
{
	my ($class, %o) = @_;

	return bless { sample => 16, seed => 1, states => 0, prefixes => 0, seen => {}, kept => [], keep => 0, scenarios => [], %o }, $class;
}

sub scenarios { return @{ $_[0]{scenarios} } }

# scenario - do the steps now, to be replayed later
# before  claims that hold from the start
# steps   { do => code, body => what nginx spools for it, claims => {...} }
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

	for my $s (@{ $self->{scenarios} }) {
		my @steps = @{ $s->{steps} };
		for my $n (0 .. $#steps) {
			my $to = $n < $#steps ? $steps[$n + 1]{from} : $s->{to};
			$steps[$n]{calls} = [grep { $_->{t} >= $steps[$n]{from} && $_->{t} < $to } @calls];
			$_->{step} = $n for @{ $steps[$n]{calls} };
		}
		$s->{calls} = [map { @{ $_->{calls} } } @steps];
	}
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
		$self->keep($state) if $self->{keep};
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
		my $fault = $fs->after_power_cut($self->{seed} + $n, $self->{sample}, sub {
			my ($state, $choice) = @_;
			my @bad = grep { !$known{$_} } $self->visit($state, \%allowed) or return;
			return "$s->{name}, after call $n, " . described($c) . ":\n" . join("\n", @bad) . "\n" . $fs->told($choice);
		});
		return $fault if $fault;
	}
	return if defined $o{drop};
	$fs->unlink($_) for grep { defined $fs->find($_) } @{ $play{spooled} // [] };
	return differs($fs, $s);
}

# without_each_flush - each scenario again for each of its flushes, that one left out; those whose loss no state shows:
# "SCENARIO, step N: PATH", the digests and names of the path shortened; and how many there were in all
sub without_each_flush
{
	my ($self, $jobs) = @_;
	my @all = map { my $s = $_; map { [$s, @$_] } $self->flushes_of($s) } $self->scenarios;
	my @found = Berth::Test::run_parallel($jobs, sub {
		my ($job) = @_;
		my @idle;
		for (my $n = $job; $n < @all; $n += $jobs) {
			my ($s, $call, $step, $path) = @{ $all[$n] };
			push @idle, [$n, "$s->{name}, step " . ($step + 1) . ": $path"] if !defined $self->replay($s, drop => $call);
		}
		return \@idle;
	});
	my @idle = map { ref $_ eq 'ARRAY' ? @$_ : die "$_->{died}\n" } @found;

	return (scalar @all, map { $_->[1] } sort { $a->[0] <=> $b->[0] } @idle);
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
			CORE::mkdir("$root/$p") || $!{EEXIST} or die "$root/$p: $!";
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

1;
