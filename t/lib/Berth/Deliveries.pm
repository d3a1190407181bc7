# SPDX-License-Identifier: Apache-2.0
#
# Berth::Deliveries: a relay that t/tool/inject traces, while it starts, delivers and carries out what `berth hooks` asks for.
#
#   my $d = Berth::Deliveries->start;
#   for my $w ($d->work) {
#       my ($how, @calls) = $w->{do}->('count');        # 'kill 7', 'fail 7 28 openat'
#       $d->recover;                                    # another relay, untraced, until nothing waits
#   }
#   is $d->fault, '';
#
# There is one endpoint, which wants all that happens, so what arrives can be compared with the journal line by line.
package Berth::Deliveries;

use strict;
use warnings;

use IO::Select;
use JSON::PP ();
use POSIX ();

use Berth::Check;
use Berth::Events;
use Berth::Inject;
use Berth::Receiver;
use Berth::Server;
use Berth::Test;

use parent -norequire, 'Berth::Inject';

my ($config, $layer) = ('{"os":"linux"}', 'a layer');
my $json = JSON::PP->new->utf8;

sub start
{
	my ($class) = @_;

	Berth::Inject::cheap_place();
	my $receiver = Berth::Receiver->start;
	# while it waits a relay that is killed has sent something that is not accepted
	$receiver->always({ refuse => '"tag":"bad', delay => 0.03 });
	my $server = Berth::Server->start(workers => 2, config => <<"CONF");
delete = true;
relay = "off";
notifications = ( { name = "one"; url = "@{[ $receiver->url ]}"; actions = [ "all" ]; timeout = "30s"; backoff = "1s"; backoff_max = "1s"; } );
CONF
	my $self = bless { server => $server, receiver => $receiver, injections => 0, serial => 0, changes => 0, starts => 0 }, $class;

	$self->open_tool;
	$self->run_relay;
	wait_for { -s $self->file('one') } or die "no relay delivers\n";
	my $said = $self->tell("attach $self->{relay}");
	lacking('a relay can be traced', "a relay cannot be traced here: $said") if $said ne 'attached';
	$self->tell('detach');
	$server->push_blob($_, $config), $server->push_blob($_, $layer) for 'a/app', 'b/app';
	$self->end_relay('TERM');
	$self->recover;
	return $self;
}

sub receiver { return $_[0]{receiver} }
sub file { my ($self, $name) = @_; return $self->root . "/berth/journal/readers/$name" }
sub relay_log { my ($self) = @_; return Berth::Server::decode(Berth::Server::lines($self->{server}->dir . '/relay.log')) }

sub relay_words
{
	my ($self) = @_;
	my $s = $self->{server};

	return (program('berth-relay'), '--config', $s->config_file, '--root', $s->root, '--workers', $s->dir . '/relay.sock');
}

sub spawn_relay { my ($self, @words) = @_; return $self->{relay} = $self->{server}->spawn($self->{server}->dir . '/relay.log', Berth::Server::guard(), @words) }

# run_relay - start one that nobody traces yet, and wait until it delivers
sub run_relay
{
	my ($self) = @_;
	my $deliver = sub { return scalar grep { ($_->{message} // '') =~ /^this relay delivers/ } $self->relay_log };
	my $had = $deliver->();

	$self->spawn_relay($self->relay_words);
	return wait_for { $deliver->() > $had } || die "the relay does not start to deliver\n";
}

# held_relay - one that has not begun yet, and is traced: it begins when begin() is called
sub held_relay
{
	my ($self) = @_;
	my $gate = $self->{gate} = $self->{server}->dir . '/gate.' . ++$self->{starts};

	POSIX::mkfifo($gate, 0600) or die "mkfifo: $!";
	my $pid = $self->spawn_relay('/bin/sh', '-c', ': > "$0.up"; read -r _ < "$0" && exec "$@"', $gate, $self->relay_words);
	# where it waits for somebody to write: then it always has the same calls still to make
	wait_for { -e "$gate.up" && slurp("/proc/$pid/stat") =~ /^\d+ \(.*\) S / } or die "the relay is not begun\n";
	return $self->seize;
}

sub begin { my ($self) = @_; spew($self->{gate}, "go\n"); unlink $self->{gate}, "$self->{gate}.up"; return }

sub seize
{
	my ($self) = @_;
	my $said = $self->tell("attach $self->{relay}");

	die "inject: $said\n" if $said ne 'attached';
	return;
}

# end_relay - a signal, and its wait status
sub end_relay
{
	my ($self, $signal) = @_;
	my $pid = delete $self->{relay} or return;

	kill $signal => $pid;
	waitpid $pid, 0;
	return $?;
}

# --- what happens

sub request
{
	my ($self, $method, $path, $status, @o) = @_;
	my $r = $self->{server}->req($method => $path, @o);

	die "$method $path: " . $r->as_string if $r->status != $status;
	return;
}

# change - five changes in two repositories: a tag moves, two are made, one goes, a manifest goes
sub change
{
	my ($self) = @_;
	my $n = ++$self->{changes};
	my @type = (headers => [ 'Content-Type' => OCI_MANIFEST ]);
	my @m = map { image_of(OCI_MANIFEST, $config, $layer) =~ s/\}\z/,"annotations":{"n":"$n.$_"}}/r } 1 .. 2;

	$self->request(PUT => '/v2/a/app/manifests/moves', 201, body => $m[0], @type);
	$self->request(PUT => "/v2/b/app/manifests/t$n", 201, body => $m[1], @type);
	$self->request(DELETE => "/v2/b/app/manifests/t$n", 202);
	$self->request(DELETE => '/v2/b/app/manifests/' . sha256($m[1]), 202);
	return;
}

sub told { my ($self) = @_; return $self->{told} = [map { $_->{id} } events($self->{server})] }
sub position { my ($self) = @_; my $s = eval { $json->decode(slurp($self->file('one'))) } // {}; return $s->{next} // '' }

# is_done - whether all that is in the journal is delivered, and written down as such
sub is_done { my ($self) = @_; return $self->position ge $self->{told}[-1] }

# outcome - of what is traced: wait until it is over; what became of the relay, and the calls
sub outcome
{
	my ($self, $is_done) = @_;
	my $tool = IO::Select->new($self->{out});

	wait_for { $tool->can_read(0) || $is_done->() } or die "what is traced does not come to an end\n";
	kill URG => $self->{relay} if !$tool->can_read(0);
	my $line = $self->hear;
	my ($how, $calls) = $line =~ /^(done|killed|exited \d+) \d+ ?(.*)$/ or die "inject: $line\n";
	$how eq 'done' ? $self->tell('detach') : $self->end_relay('KILL');
	return ($how, split / /, $calls);
}

sub intend
{
	my ($self, $plan) = @_;
	my $said = $self->tell("loop $plan");

	die "inject: $said\n" if $said ne 'ready';
	return;
}

# delivery - a relay that runs is told of changes
sub delivery
{
	my ($self, $plan) = @_;

	$self->run_relay;
	$self->seize;
	$self->intend($plan);
	$self->change;
	$self->told;
	return $self->outcome(sub { $self->is_done });
}

# beginning - a relay starts, and has something to deliver
sub beginning
{
	my ($self, $plan) = @_;

	$self->change;
	$self->told;
	spew($self->file('relay-one.tmp'), 'what another one has left');
	$self->held_relay;
	$self->intend($plan);
	$self->begin;
	return $self->outcome(sub { $self->is_done });
}

# replay - `berth hooks replay` has the last changes delivered once more; what it asks for is carried out, whatever becomes of the relay
sub replay
{
	my ($self, $plan) = @_;
	my $from = $self->{told}[-4];
	my $file = $self->file('one.ask');

	$self->run_relay;
	$self->seize;
	$self->intend($plan);
	my $again = () = grep { $_ gt $from } @{ $self->{told} };
	spew("$file.new", $json->encode({ id => 'r' . ++$self->{starts}, what => 'replay', from => $from }) . "\n");
	rename "$file.new", $file or die "$file: $!";
	$self->{least} = $self->receiver->ids + $again;
	return $self->outcome(sub { $self->all_again && $self->is_done });
}

# refusal - one of the events is refused for good, and becomes a dead letter
sub refusal
{
	my ($self, $plan) = @_;
	my $n = $self->{changes} + 1;
	my $m = image_of(OCI_MANIFEST, $config, $layer) =~ s/\}\z/,"annotations":{"bad":"$n"}}/r;

	$self->run_relay;
	$self->seize;
	$self->intend($plan);
	$self->request(PUT => "/v2/a/app/manifests/bad$n", 201, body => $m, headers => [ 'Content-Type' => OCI_MANIFEST ]);
	$self->change;
	$self->told;
	return $self->outcome(sub { $self->is_done });
}

sub all_again { my ($self) = @_; return !-e $self->file('one.ask') && $self->receiver->ids >= ($self->{least} // 0) }

# work - what is disturbed: { name, do => code that is given a plan }
sub work
{
	my ($self) = @_;

	return map { my $name = $_; { name => $name, do => sub { $self->$name(@_) } } } qw(delivery beginning replay refusal);
}

# recover - another relay, until nothing waits; then it ends. What is wrong with that, '' if nothing
sub recover
{
	my ($self) = @_;

	$self->end_relay('TERM');
	$self->told;
	$self->run_relay;
	my $all = wait_for { $self->is_done && $self->all_again };
	my $status = $self->end_relay('TERM') // -1;
	delete $self->{least};
	return 'not all that waits is delivered' if !$all;
	return "the relay ended with $status" if $status;
	return 'a leftover: ' . $self->file('relay-one.tmp') if -e $self->file('relay-one.tmp');
	my %got = map { $_ => 1 } $self->receiver->ids, $self->dead;
	my @missing = grep { !$got{$_} } @{ $self->{told} };
	return @missing ? scalar(@missing) . " events do not arrive, the first: $missing[0]" : '';
}

# dead - the ids of the dead letters
sub dead { my ($self) = @_; my $file = $self->file('one.dead'); return map { $json->decode($_)->{event}{id} } -e $file ? split /\n/, slurp($file) : () }

# fault - what is wrong with all that has arrived, '' if nothing: each id names one event; what follows an event is the next one of the journal, or an
# earlier one, from which all comes again
sub fault
{
	my ($self) = @_;
	my %dead = map { $_ => 1 } $self->dead;
	my @told = grep { !$dead{ $_->{id} } } events($self->{server});
	my (%place, %is, $last);

	@place{ map { $_->{id} } @told } = 0 .. $#told;
	for my $e ($self->receiver->accepted) {
		my $at = $place{ $e->{id} } // return "an event that is not in the journal: $e->{id}";
		my $what = $json->canonical->encode({ %$e, at => 0 });
		return "$e->{id} is $what, and was $is{ $e->{id} }" if ($is{ $e->{id} } //= $what) ne $what;
		return "$e->{id} is not what the journal says: $what" if grep { ($e->{$_} // '') ne ($told[$at]{$_} // '') } qw(repository tag);
		return "$e->{id} comes after $told[$last]{id}: what is between them is skipped" if defined $last && $at > $last + 1;
		$last = $at;
	}
	return '';
}

# disturbed_ok - each of these does its own piece of work at the same time as the others: the code is given it and the work, and returns how often it
# disturbed that (n), at how many calls, and what is wrong (bad). The tests, with a title of each in which %d are the two numbers; the sum
sub disturbed_ok
{
	my ($title, $code, @served) = @_;
	my @done = run_parallel(scalar @served, sub { my ($n) = @_; return $code->($served[$n], ($served[$n]->work)[$n]) });
	my $sum = 0;

	for my $n (0 .. $#done) {
		my ($name, $r) = (($served[$n]->work)[$n]{name}, $done[$n]);

		is($r->{died}, undef, "$name: it comes to its end") or next;
		is(join("\n", @{ $r->{bad} }), '', sprintf "$name: $title", $r->{n}, $r->{calls});
		$sum += $r->{n};
	}
	return $sum;
}

1;
