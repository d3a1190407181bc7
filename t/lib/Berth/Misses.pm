# SPDX-License-Identifier: Apache-2.0
#
# Berth::Misses: a relay that t/tool/inject traces while clients ask for an image that is not here.
#
#   my $m = Berth::Misses->start;
#   my ($how, $bad, @calls) = $m->miss('count');        # 'kill 7 write', 'fail 7 28 write'; bad: what is wrong with what a client got, '' if nothing
#   $m->recover;                                        # the next pull of the same image; what is wrong with that
package Berth::Misses;

use strict;
use warnings;

use IO::Socket::UNIX;

use Berth::Cache;
use Berth::Check;
use Berth::Deliveries;
use Berth::Inject;
use Berth::Server;
use Berth::Test;
use Berth::Upstream;

use parent -norequire, 'Berth::Deliveries';

use constant LAYER => 150_000;

sub start
{
	my ($class) = @_;

	Berth::Inject::cheap_place();
	my $upstream = Berth::Upstream->start;
	my $server = Berth::Server->start(workers => 2, config => "relay = \"off\";\n" . mirror_conf(['up', $upstream]));
	my $self = bless { server => $server, upstream => $upstream, images => 0 }, $class;

	$self->open_tool;
	$self->run_relay;
	my $said = $self->tell("attach $self->{relay}");
	lacking('a relay can be traced', "a relay cannot be traced here: $said") if $said ne 'attached';
	$self->tell('detach');
	$self->end_relay('TERM');       # it is the child of the process that asks for the first image
	return $self;
}

sub upstream { return $_[0]{upstream} }
sub relay_words { my ($self) = @_; return ($self->SUPER::relay_words, '--listen', $self->{server}->dir . '/mirror.sock') }

# run_relay - one that listens, unless there is one
sub run_relay
{
	my ($self) = @_;

	return if $self->{relay} && !waitpid $self->{relay}, 1;        # WNOHANG
	$self->spawn_relay($self->relay_words);
	return wait_for { IO::Socket::UNIX->new(Peer => $self->{server}->dir . '/mirror.sock') } || die "the relay does not listen\n";
}

# wrong - what is wrong with what a client gets of a path: '' where it is nothing, a part, an error, or the right bytes
sub wrong
{
	my ($s, $path, $digest) = @_;
	my $r = get_end(get_begin($s, $path, Accept => ACCEPT));

	return '' if $r->{status} != 200 || !$r->{whole} || sha256($r->{body}) eq $digest;
	return "$path: a whole answer with other bytes";
}

# miss - an image that nobody has asked for, under this plan
sub miss
{
	my ($self, $plan) = @_;
	my $s = $self->{server};
	my $repo = 'app' . ++$self->{images};
	my $i = $self->{image} = { repo => $repo, %{ $self->{upstream}->image($repo, '1', layers => [ random_bytes(LAYER) ]) } };

	$self->run_relay;
	$self->seize;
	$self->intend($plan);
	my $layer = $i->{layers}[0];
	my @bad = grep { $_ ne '' } wrong($s, "/v2/up/$repo/manifests/1", $i->{digest}), wrong($s, "/v2/up/$repo/blobs/$layer", $layer), wrong($s, "/v2/up/$repo/blobs/$i->{config}", $i->{config});
	my ($how, @calls) = $self->outcome(sub { 1 });
	return ($how, join('; ', @bad), @calls);
}

sub recover
{
	my ($self) = @_;

	$self->run_relay;
	my $fault;
	wait_for { ($fault = pull($self->{server}, "up/$self->{image}{repo}", '1')->{fault}) eq '' } or return "the next pull: $fault";
	return (wait_for { !spooled($self->{server}) }) ? '' : 'a file of a download stays: ' . join ' ', spooled($self->{server});
}

1;
