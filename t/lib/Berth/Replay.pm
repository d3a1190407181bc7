# SPDX-License-Identifier: Apache-2.0
#
# Berth::Replay: operations recorded, and their calls replayed up to every point, with every power cut that the model
# allows there.
#
#   my $r = Berth::Replay->new(root => $s->root, trace => $file);
#   $r->scenario('a tag moves', { "tag $repo $t" => $old }, [
#       { body => $m, claims => { "tag $repo $t" => $d }, do => sub { ... 201 } } ]);
#   $r->load;
#   my @faults = $r->replay($_) for $r->scenarios;         # Berth::Verdict makes tests of them
#
# A claim is "KIND REPOSITORY WHAT" => what Berth::StoreState::what_is() says of it, undef: it is gone. It holds in every
# state once the answer was sent; from the first call of the step on until then it is as before or as claimed. With
# promise => 'image' a blob stays as before or as claimed until a manifest that names it was answered; and indexes are not
# looked at, since a power cut ends their epoch. With also => code, each state is given to it together with the time of the last call
# before the power cut: it returns what else is wrong; what lies below berth/ is lost one by one then, too. With mirror => a pattern of
# repositories their manifests may name what is not there. With first => code that is done before each scenario.
package Berth::Replay;

use strict;
use warnings;

use Digest::MD5 qw(md5);
use Time::HiRes ();

use Berth::Journal;
use Berth::PowerCut;
use Berth::Recording;
use Berth::StoreState;
use Berth::Test;

sub new
{
	my ($class, %o) = @_;

	return bless { promise => 'full', model => 'Berth::PowerCut', sample => 16, seed => 1, states => 0, prefixes => 0, seen => {}, kept => [], keep => 0, scenarios => [], %o }, $class;
}

sub scenarios { return @{ $_[0]{scenarios} } }

# scenario - do the steps now, to be replayed later
# before  claims that hold from the start
# steps   { do => code, body => what nginx spools for it, claims => {...} }; with dies => pattern its worker dies after the
#         last call that gives a name like that, so nothing is promised; with answers => [[pattern, claims], ...] each claim is made
#         by the answer whose text is like that
# others  code: what somebody writes before it, who is not traced and flushes nothing; the first step makes that good, and is
#         not judged
sub scenario
{
	my ($self, $name, $before, $steps, $others) = @_;
	my $s = { name => $name, before => $before, steps => $steps, group => $self->{group} // '' };

	$self->{first}->() if $self->{first};
	settled($self->{trace});
	$s->{trace_from} = -s $self->{trace};
	$s->{start} = snapshot($self->{root});
	if ($others) {
		$others->();
		$s->{written} = snapshot($self->{root});
	}
	for my $step (@$steps) {
		$step->{from} = Time::HiRes::time();
		$step->{do}->();
		$self->die_there($s, $step) if $step->{dies};
	}
	settled($self->{trace});
	$s->{to} = Time::HiRes::time();
	$s->{end} = snapshot($self->{root});
	push @{ $self->{scenarios} }, $s;
	return $s;
}

# load - read the trace
sub load
{
	my ($self) = @_;
	my @calls = recorded($self->{trace}, $self->{root});

	$self->{at_start} = [grep { $_->{t} < $self->{scenarios}[0]{steps}[0]{from} } @calls];
	for my $s (@{ $self->{scenarios} }) {
		share_out($s, @calls);
		forget_unused($s);
	}
	return;
}

# forget_unused - the directories of two digits below blobs/ that a scenario has nothing to do with, but for opening them: they are
# always there
sub forget_unused
{
	my ($s) = @_;
	my @snapshots = grep { $_ } @$s{qw(start written end)};
	my $two = qr{\A(docker/registry/v2/blobs/\w+/..)};
	my %used;

	my $opened = sub { my ($c) = @_; return $c->{name} eq 'open' && $c->{paths}[0] =~ m{$two\z} ? $1 : '' };
	for my $path ((map { $opened->($_) ? () : (@{ $_->{paths} // [] }, $_->{path} // ()) } @{ $s->{calls} }), grep { m{$two/} } map { keys %$_ } @snapshots) {
		$used{$1} = 1 if $path =~ m{$two(?:/|\z)};
	}
	for my $snapshot (@snapshots) {
		delete @$snapshot{ grep { m{$two\z} && !$used{$1} } keys %$snapshot };
	}
	$s->{calls} = [grep { my $two_digits = $opened->($_); !$two_digits || $used{$two_digits} } @{ $s->{calls} }];
	return;
}

# share_out - every call to the step in whose time it was made; a step whose worker died has none after that
sub share_out
{
	my ($s, @calls) = @_;
	my @steps = grep { $_->{from} } @{ $s->{steps} };

	for my $n (0 .. $#steps) {
		my $to = $n < $#steps ? $steps[$n + 1]{from} : $s->{to} // Time::HiRes::time();
		$steps[$n]{calls} = [grep { $_->{t} >= $steps[$n]{from} && $_->{t} < $to } @calls];
		$_->{step} = $n for @{ $steps[$n]{calls} };
		cut_short($steps[$n]) if $steps[$n]{dies};
	}
	$s->{calls} = [map { @{ $_->{calls} } } @steps];
	return;
}

sub cut_short
{
	my ($step) = @_;
	my $calls = $step->{calls};
	my ($last) = grep { $calls->[$_]{name} =~ /^(?:link|rename|exchange)$/ && " $calls->[$_]{paths}[0] $calls->[$_]{paths}[1]" =~ $step->{dies} } reverse 0 .. $#$calls;

	die "no call gives a name like $step->{dies}\n" if !defined $last;
	$#$calls = $last;       # nor an answer: what it claims may be, and is not promised
	return;
}

# die_there - the worker went on, of course. So the store is made as it would be if it had died where it was to die.
sub die_there
{
	my ($self, $s, $step) = @_;

	settled($self->{trace});
	share_out($s, recorded($self->{trace}, $self->{root}, $s->{trace_from}));
	my $fs = $self->{model}->new($s->{start});
	what_others_wrote($fs, @$s{qw(start written)}) if $s->{written};
	my %play;
	for my $c (@{ $s->{calls} }) {
		$play{body} = $s->{steps}[ $c->{step} ]{body};
		play($fs, $c, \%play);
	}
	$fs->unlink($_) for grep { defined $fs->find($_) } @{ $play{spooled} // [] };
	make_so($self->{root}, snapshot($self->{root}), $fs->now);
	return;
}

# make_so - turn what a snapshot says of a directory into a state
sub make_so
{
	my ($root, $is, $state) = @_;
	my $same = sub { my ($p) = @_; my $was = $is->{$p} or return; return $state->{$p} eq 'd' ? $was->{dir} : !$was->{dir} && $was->{bytes} eq Berth::PowerCut::content($state->{$p}) };

	for my $p (reverse sort grep { !defined $state->{$_} } keys %$is) {
		$is->{$p}{dir} ? rmdir "$root/$p" : unlink "$root/$p" or die "$root/$p: $!";
	}
	for my $p (sort grep { !$same->($_) } keys %$state) {
		if ($state->{$p} eq 'd') {
			mkdir "$root/$p" or die "$root/$p: $!";
		} else {
			Berth::Test::spew("$root/$p", Berth::PowerCut::content($state->{$p}));
		}
	}
	return;
}

sub claims_of { my ($step) = @_; return map { %$_ } $step->{claims} // (), map { $_->[1] } @{ $step->{answers} // [] } }

# flushes_of - the calls of a scenario that flush, up to its last answer: [index, step, path]
sub flushes_of
{
	my ($self, $s) = @_;
	my $calls = $s->{calls};

	return map { [$_, $calls->[$_]{step}, $calls->[$_]{path} // ''] } grep { $calls->[$_]{name} =~ /^(?:fsync|fdatasync|written_out|syncfs|sync)$/ } 0 .. $#$calls;
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

# begin_step - what is allowed from its first call on; $m: { allowed => { claim => [values] }, gone => { 'REPOSITORY DIGEST' => 1 } }
sub begin_step
{
	my ($m, $step) = @_;
	my %claims = claims_of($step);
	my $allowed = $m->{allowed};

	for my $k (keys %claims) {
		$allowed->{$k} = [@{ $allowed->{$k} }, $claims{$k}] if $allowed->{$k};
		$m->{gone}{$1} = 1 if !defined $claims{$k} && $k =~ /\Ablob (.*)\z/;
	}
	return;
}

# had_by - what must not go without being remembered, once these claims hold: "tag REPOSITORY TAG DIGEST", "manifest REPOSITORY DIGEST"
sub had_by
{
	my ($claims) = @_;

	return map { my ($kind, $repo, $what) = split / /; $kind eq 'tag' ? ("$_ $claims->{$_}" => 1) : $kind eq 'manifest' ? ("manifest $repo $what" => 1) : () }
		grep { defined $claims->{$_} } keys %$claims;
}

# answered - from now on these claims hold, as far as it was promised
sub answered
{
	my ($self, $fs, $m, $claims) = @_;
	my $allowed = $m->{allowed};
	my $later = $self->{promise} eq 'image';

	%{ $m->{had} } = (%{ $m->{had} }, had_by($claims));
	for my $k (keys %$claims) {
		my ($kind, $repo, $d) = split / /, $k;
		if ($later && $kind eq 'blob' && defined $claims->{$k}) {
			$allowed->{$k} //= [undef, $d];
			next;
		}
		$allowed->{$k} = [$claims->{$k}];
		next if $kind ne 'manifest' || !defined $claims->{$k} || ($self->{mirror} && $repo =~ $self->{mirror});
		for my $part (@{ named_by($fs->now, $d) }) {
			$allowed->{"blob $repo $part"} = [$part];
			delete $m->{gone}{"$repo $part"};
		}
	}
	return;
}

# after_answer - the claims of the step that this answer makes
sub after_answer
{
	my ($self, $fs, $m, $step, $c) = @_;

	return if $c->{status} !~ /^20[12]$/;
	$self->answered($fs, $m, $step->{claims}) if $step->{claims};
	$self->answered($fs, $m, $_->[1]) for grep { $c->{text} =~ $_->[0] } @{ $step->{answers} // [] };
	return;
}

# A manifest stays when a blob that it names is deleted. What else names something that is missing is a fault.
sub is_excused
{
	my ($m, $fault) = @_;

	return $fault =~ /\A(\S+)\@\S+ names the blob (\S+), which/ && $m->{gone}{"$1 $2"};
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

sub faults { my ($self, $state) = @_; return faults_of($state, indexes => $self->{indexes}, journal => $self->{journal}, quota => $self->{quota}, undo => $self->{undo}, mirror => $self->{mirror}, past => $self->{promise} eq 'image') }

# visit - one state, of a power cut after the call of this time; what is wrong with it
sub visit
{
	my ($self, $state, $m, $t) = @_;
	my $key = key_of($state);
	my $known = $self->{seen}{$key};

	if (!$known) {
		$known = $self->{seen}{$key} = [$self->faults($state)];
		$self->keep($state) if $self->{keep} && !@$known;
	}
	$self->{states}++;
	return @$known, claim_faults($state, $m->{allowed}), $self->{undo} ? forgotten($state, $m->{had}) : (), $self->{also} ? $self->{also}->($state, $t) : ();
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

# what_others_wrote - the changes from one snapshot to another, none of them flushed
sub what_others_wrote
{
	my ($fs, $from, $to) = @_;

	for my $p (sort grep { !$from->{$_} } keys %$to) {
		if ($to->{$p}{dir}) {
			$fs->mkdir($p);
		} else {
			$fs->write($fs->create($p), 0, $to->{$p}{bytes});
		}
	}
	return;
}

# walk - play a scenario; after each call that may have changed something the visitor is given its number, the call, and what is allowed then. It ends
# it by returning true, which is returned
# drop  index of a call that is left out
sub walk
{
	my ($self, $s, $fs, $visit, $drop) = @_;
	my %m = (allowed => { map { ($_ => [$s->{before}{$_}]) } keys %{ $s->{before} } }, gone => {}, had => { had_by($s->{before}) });
	my %play;
	my $step = -1;

	for my $n (0 .. $#{ $s->{calls} }) {
		my $c = $s->{calls}[$n];
		my $now = $s->{steps}[ $c->{step} ];
		if ($c->{step} != $step) {
			$fs->unlink($_) for grep { defined $fs->find($_) } @{ delete($play{spooled}) // [] };
			$step = $c->{step};
			$play{body} = $now->{body};
			begin_step(\%m, $now);
		}
		next if defined $drop && $n == $drop;
		next if !play($fs, $c, \%play);
		$self->after_answer($fs, \%m, $now, $c) if $c->{name} eq 'answer';
		next if $s->{written} && $step == 0;
		my $said = $visit->($n, $c, \%m);
		return $said if $said;
	}
	$fs->unlink($_) for grep { defined $fs->find($_) } @{ $play{spooled} // [] };
	return;
}

# replay - all prefixes of a scenario, up to the first fault; what is wrong then, or nothing
# drop  index of a call that is left out
sub replay
{
	my ($self, $s, %o) = @_;
	my $fs = $self->{model}->new($s->{start}, judged => $self->{indexes} || $self->{quota} || $self->{undo} || $self->{also});
	my $sample = defined $o{drop} ? $self->{sample} / 8 : $self->{sample};

	what_others_wrote($fs, @$s{qw(start written)}) if $s->{written};
	my %known = map { ($_ => 1) } $self->faults($fs->now);  # that the scenario begins with: an operation mends it, or leaves it
	my $fault = $self->walk($s, $fs, sub {
		my ($n, $c, $m) = @_;
		return if defined $o{drop} && $n < $o{drop};
		$self->{prefixes}++;
		return $fs->after_power_cut($self->{seed} + $n, $sample, sub {
			my ($state, $choice) = @_;
			my @bad = grep { !$known{$_} && !is_excused($m, $_) } $self->visit($state, $m, $c->{t}) or return;
			return "$s->{name}, after call $n, " . described($c) . ":\n" . join("\n", @bad) . "\n" . $fs->told($choice);
		}, $c->{name} eq 'answer');
	}, $o{drop});
	return $fault if $fault || defined $o{drop};
	return differs($fs, $s);
}

# The sort of thing that a flush is for: names, digests and numbers left out.
sub sort_of
{
	my ($path) = @_;

	$path =~ s{/[0-9a-f]{64,}}{/HEX}g;
	$path =~ s{\Aberth/tmp/[^/]+}{berth/tmp/NEW};
	$path =~ s{\Aberth/locks/step/../[^/]+/\d+}{berth/locks/step/NEW};
	$path =~ s{\Aberth/locks/step/../[^/]+}{berth/locks/step/HOLDER};
	$path =~ s{\Aberth/body/.*}{berth/body/FILE};
	$path =~ s{(blobs/\w+)/[0-9a-f]{2}(?=/|\z)}{$1/TWO};
	$path =~ s{(repositories)/[^_].*?(?=/_|\z)}{$1/NAME};
	$path =~ s{(index|undo)/[^_].*?(?=/_|\z)}{$1/NAME} if $path =~ /^berth/;
	$path =~ s{(_uploads)/[^/]+}{$1/UUID};
	$path =~ s{(tags)/[^/]+}{$1/TAG};
	$path =~ s{sha\d+}{ALG}g;
	return $path;
}

# without_each_flush - each scenario of these groups (of all) again for each of its flushes of these sorts (a pattern; all),
# that one left out. By sort of flush: how many there were, how many were tried, and the scenarios in which no state shows the
# loss: { sort => { all => N, tried => N, idle => [scenarios] } }. Of a sort others are tried only until one shows, and none of
# those that need not show (a hash by sorts); all of them with BERTH_TEST_LONG=1 or BERTH_TEST_ALL=1.
sub without_each_flush
{
	my ($self, $jobs, $groups, $only, $needless) = @_;
	my %in = map { ($_ => 1) } @{ $groups // [] };
	my %all;

	for my $s (grep { !$groups || $in{ $_->{group} } } $self->scenarios) {
		push @{ $all{ sort_of($_->[2]) } }, [$s, @$_] for $self->flushes_of($s);
	}
	my @sorts = sort grep { !$only || /$only/ } keys %all;
	my $every = Berth::Test::is_long() || $ENV{BERTH_TEST_ALL};
	my @found = Berth::Test::run_parallel($jobs, sub {
		my ($job) = @_;
		my %shows;

		for my $k (@sorts[grep { $_ % $jobs == $job } 0 .. $#sorts]) {
			$shows{$k} = [];
			next if $needless->{$k} && !$every;
			for my $f (@{ $all{$k} }) {
				push @{ $shows{$k} }, defined $self->replay($f->[0], drop => $f->[1]) ? 1 : 0;
				last if $shows{$k}[-1] && !$every;
			}
		}
		return \%shows;
	});
	my %out;

	for my $shows (@found) {
		die "$shows->{died}\n" if defined $shows->{died};
		for my $k (keys %$shows) {
			my @tried = @{ $shows->{$k} };
			my @idle = map { my ($s, undef, $step) = @{ $all{$k}[$_] }; "$s->{name}, step " . ($step + 1) } grep { !$tried[$_] } 0 .. $#tried;
			$out{$k} = { all => scalar @{ $all{$k} }, tried => scalar @tried, idle => \@idle };
		}
	}
	return \%out;
}

# The model, with the power on, has to end where the store did: else the recording lacks something.
sub differs
{
	my ($fs, $s) = @_;
	my ($is, $was) = ($fs->now, $s->{end});
	my @bad;

	# What says that a master is alive changes all the time.
	for my $p (grep { !m{\Aberth/locks/machines/} } sort keys %{ { %$is, %$was } }) {
		my $a = !defined $is->{$p} ? 'missing' : $is->{$p} eq 'd' ? 'a directory' : 'bytes ' . unpack 'H*', md5(Berth::PowerCut::content($is->{$p}));
		my $b = !defined $was->{$p} ? 'missing' : $was->{$p}{dir} ? 'a directory' : 'bytes ' . unpack 'H*', md5($was->{$p}{bytes});
		push @bad, "$p: $a in the model, $b on disk" if $a ne $b;
	}
	return @bad ? "$s->{name}: the model and the store differ:\n" . join("\n", @bad) . "\n" : undef;
}

1;
