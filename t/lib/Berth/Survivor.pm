# SPDX-License-Identifier: Apache-2.0
#
# Berth::Survivor: another machine on the store of a recording. It serves while the one that was recorded does all that again, up to a power cut.
#
#   my $v = Berth::Survivor->start($root, @options);        # before the recording, so it is in the same epoch
#   goes_on_ok($r);                                         # after it: the tests, by a Berth::Replay
#
# The calls are made in the store itself, below the processes that serve: names at once, and of the bytes that were not flushed what the model
# says. Before, the survivor has asked for everything, and keeps open what it keeps open.
package Berth::Survivor;

use strict;
use warnings;

use Digest::SHA qw(sha256_hex sha512_hex);
use Exporter 'import';
use JSON::PP ();
use Time::HiRes ();

use Berth::Beneath;
use Berth::Check qw(is_garbage);
use Berth::GC ();
use Berth::PowerCut;
use Berth::Recording;
use Berth::StoreState;
use Berth::Test;
use Berth::Verdict ();

our @EXPORT = qw(goes_on_ok);

our $CUTS = 60;          # of all that there are, but with --long

sub start
{
	my ($class, $root, @common) = @_;

	return bless { server => Berth::Server->start(@common, root => $root, workers => 2, wrap => [unknown_file_system()], nginx_args => ['with=machines']), root => $root }, $class;
}

sub server { return $_[0]{server} }

sub state_of { my ($root) = @_; my $now = snapshot($root); return { map { ($_ => $now->{$_}{dir} ? 'd' : Berth::PowerCut::intern($now->{$_}{bytes})) } keys %$now } }

# look - ask for all that has a name, as often as it takes to know it
sub look
{
	my ($self, $state) = @_;

	$state //= state_of($self->{root});
	$self->ask($_) for (names_in($state)) x 2;
	Berth::Verdict::listed($self->server, listing_of($state));
	return;
}

# names_in - what can be asked for: "tag REPOSITORY TAG", "manifest REPOSITORY DIGEST", "blob REPOSITORY DIGEST"
sub names_in
{
	my ($state) = @_;

	return sort map { my ($repo, $rest) = m{\Adocker/registry/v2/repositories/(.+?)/_(.+)/link\z} or (); !defined $rest ? () :
		$rest =~ m{\Amanifests/tags/([^/]+)/current\z} ? "tag $repo $1" :
		$rest =~ m{\Amanifests/revisions/(\w+)/(\w+)\z} ? "manifest $repo $1:$2" :
		$rest =~ m{\Alayers/(\w+)/(\w+)\z} ? "blob $repo $1:$2" : () } keys %$state;
}

sub digest_of { my ($bytes, $like) = @_; return $like =~ /\Asha512:/ ? 'sha512:' . sha512_hex($bytes) : 'sha256:' . sha256_hex($bytes) }

# ask - the digest of what is served under a name, whole; '' if that is absent; else what is wrong
sub ask
{
	my ($self, $name) = @_;
	my ($kind, $repo, $what) = split / /, $name;
	my $r = $self->server->req(GET => "/v2/$repo/" . ($kind eq 'blob' ? 'blobs' : 'manifests') . "/$what");
	my $d = $kind eq 'tag' ? $r->header('Docker-Content-Digest') // '' : $what;

	return '' if $r->status == 404;
	return $r->status . ' ' . substr $r->body // '', 0, 200 if $r->status != 200;
	return digest_of($r->body, $d) eq $d ? $d : 'other bytes than those of ' . $d;
}

# corrupt_in - content that has other bytes than its digest says: { digest => number of content }
sub corrupt_in
{
	my ($state) = @_;

	return map { m{\Adocker/registry/v2/blobs/(\w+)/../(\w+)/data\z} && !Berth::StoreState::is_right($state->{$_}, "$1:$2") ? ("$1:$2" => $state->{$_}) : () } keys %$state;
}

# wrong - what is wrong with what is served, if this is the state of the store, and that was it before
sub wrong
{
	my ($self, $state, $before, $allowed) = @_;
	my %was = corrupt_in($before);
	my @bad;

	my %known = map { ($_ => 1) } grep { ($state->{ Berth::StoreState::blob($_) } // '') eq $was{$_} } keys %was;
	for my $name (sort keys %{ { map { ($_ => 1) } names_in($state), keys %$allowed } }) {
		my $link = what_is($state, split / /, $name) // '';
		next if $known{$link};
		my $is = $self->ask($name);
		my @may = $allowed->{$name} ? map { $_ // '' } @{ $allowed->{$name} } : $link;
		push @bad, "$name is '$is', not " . join ' or ', map { "'$_'" } @may if !grep { $_ eq $is } @may;
		push @bad, "$name is '$is', and its link says '$link'" if $is ne $link;
	}
	my $want = listing_of($state);
	my ($is, $ought) = map { JSON::PP->new->canonical->encode($_) } Berth::Verdict::listed($self->server, $want), $want;
	push @bad, "it lists $is, and the links say $ought" if $is ne $ought;
	return @bad;
}

# collects - a collection beside it, for which what lies below these directories of the root is old; what is wrong, nothing if all is well
sub collects
{
	my ($self, @old) = @_;

	Berth::GC::make_old($self->server, 8 * 24 * 3600, @old);
	my $g = run(unknown_file_system(), Berth::GC::gc_cmd($self->server));
	return $g->{status} || $g->{err} ne '' ? "a collection ends with $g->{status}: $g->{err}" : ();
}

sub checks
{
	my ($self) = @_;
	my $f = run(unknown_file_system(), program('berth'), '--config', $self->server->config_file, '--root', $self->{root}, qw(fsck --data --json));
	my @out = map { JSON::PP->new->utf8->decode($_) } split /\n/, $f->{out};
	my $sum = pop @out;

	return "berth fsck ends with $f->{status}: $f->{err}" if ($sum->{kind} // '') ne 'summary' || $f->{err} ne '';
	return map { "berth fsck finds $_->{kind}: " . ($_->{where} // '') . ": $_->{what}" } grep { !is_garbage($_->{kind}) } @out;
}

# goes_on - what a survivor does over what the dead one left, and what is wrong with it
sub goes_on
{
	my ($self, $s, $first) = @_;
	my %last = (%{ $s->{before} }, map { Berth::Replay::claims_of($_) } @{ $s->{steps} });
	my $allowed = { map { ($_ => [$last{$_}]) } keys %last };
	my @bad = $first ? $self->collects(map { "berth/$_" } qw(body tmp trash gc)) : ();

	my $said = Berth::Scenarios::again_on($self->server, $s);
	push @bad, "it cannot do the same: $said" if $said ne '';
	push @bad, map { "when it has done the same: $_" } $self->wrong(state_of($self->{root}), {}, $allowed);
	for my $tag (grep { /^tag / && defined $last{$_} } sort keys %last) {
		my (undef, $repo, $t) = split / /, $tag;
		my $r = $self->server->req(DELETE => "/v2/$repo/manifests/$t");
		push @bad, "it cannot delete $repo:$t: " . $r->as_string if $r->status != 202;
		$allowed->{$tag} = [undef];
	}
	if (!$first) {
		push @bad, $self->collects('docker', map { "berth/$_" } qw(body tmp trash gc));
		delete @$allowed{ grep { /^blob / } keys %$allowed };        # what no manifest names is gone
	}
	push @bad, $self->checks, map { "at the end: $_" } $self->wrong(state_of($self->{root}), {}, $allowed);
	return @bad;
}

# cut - the power of the other machine goes after call $at of a scenario; what is wrong then, or later
sub cut
{
	my ($self, $r, $s, $at) = @_;
	my $start = { map { ($_ => $s->{start}{$_}{dir} ? 'd' : Berth::PowerCut::intern($s->{start}{$_}{bytes})) } keys %{ $s->{start} } };
	my $fs = Berth::Beneath->new($s->{start}, root => $self->{root}, judged => 1);
	Berth::GC::make_old($self->server, 0);          # what the cut before made old, for its collection

	$self->look($start);
	return $r->walk($s, $fs, sub {
		my ($n, $c, $m) = @_;
		return if $n < $at;
		my @may;
		$fs->after_power_cut($n, 4, sub { push @may, [@_]; return });
		my ($state, $choice) = @{ $may[($n >> 1) % @may] };
		$fs->lose($choice);
		my @bad = ((map { "with its power cut: $_" } $self->wrong($state, $start, $m->{allowed})), $self->goes_on($s, $n % 2));
		return [@bad ? "after call $n, " . Berth::Replay::described($c) . ":\n" . join("\n", @bad) . "\n" . $fs->told($choice) : ()];
	});
}

# goes_on_ok - the tests
sub goes_on_ok
{
	my ($r) = @_;
	my $self = $r->{survivor};
	my $began = Time::HiRes::time();
	my (@cuts, $cuts);

	for my $s ($r->scenarios) {
		$r->walk($s, $r->{model}->new($s->{start}), sub { push @cuts, [$s, $_[0]]; return });
	}
	my $every = is_long() || @cuts <= $CUTS ? 1 : @cuts / $CUTS;
	my @chosen = map { $cuts[$_ * $every] } 0 .. $#cuts / $every;
	for my $s ($r->scenarios) {
		my @here = map { $_->[1] } grep { $_->[0] == $s } @chosen or next;
		my @bad = map { @{ $self->cut($r, $s, $_) } } @here;
		is(join("\n", @bad[0 .. ($#bad < 3 ? $#bad : 3)]), '', "$s->{name}: " . @here . ' power cuts, and another machine goes on');
		$cuts += @here;
	}
	is(scalar(grep { $_->{status} && $_->{status} == 500 } $self->server->access_events), 0, 'no request was answered with 500');
	diag sprintf '%d of %d power cuts below a machine that serves; %.1f s', $cuts, scalar @cuts, Time::HiRes::time() - $began;
	return;
}

1;
