# SPDX-License-Identifier: Apache-2.0
#
# Berth::Receiver: a receiver of webhooks on a free port of the loopback, which answers as it is told, and keeps what it has accepted.
#
#   my $r = Berth::Receiver->start;
#   $r->answers({ status => 500 }, { close => 1 });         # the next two requests; then as before
#   $r->always({ status => 503, headers => { 'Retry-After' => 1 } });
#   my @events = $r->accepted;
#
# An answer: status; headers, body; delay, in seconds; close, without an answer; silent, for as long as the client waits; random, a list of answers of
# which one is taken; refuse, a pattern: 400 for a body that matches, else 200.
#
# It is one process, so what it keeps stands in the order in which it answered. It ends, by pid, when the object goes or the test ends.
package Berth::Receiver;

use strict;
use warnings;

use Exporter 'import';
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Scalar::Util ();
use Time::HiRes ();

use Berth::Test;

our @EXPORT = qw(relay_pid order_fault);

my $json = JSON::PP->new->utf8->canonical;
my %alive;
my $owner = $$;

# start: bodies => 1 keeps each request whole, for requests()
sub start
{
	my ($class, %o) = @_;
	my $self = bless { dir => tmp_dir(), pid => $$, bodies => $o{bodies} }, $class;

	# This one never listens: it keeps the port from others while the receiver is down.
	$self->{port_keeper} = IO::Socket::INET->new(Proto => 'tcp', LocalAddr => '127.0.0.1', LocalPort => 0, ReusePort => 1) or die "socket: $!";
	$self->{port} = $self->{port_keeper}->sockport;
	$self->always({ status => 200 });
	$self->up;
	$alive{ 0 + $self } = $self;
	Scalar::Util::weaken($alive{ 0 + $self });
	return $self;
}

sub url { return "http://127.0.0.1:$_[0]{port}/hook" }

# up, down - whether anybody listens: a connection is refused while it is down
sub up
{
	my ($self) = @_;

	my $listener = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1', LocalPort => $self->{port}, ReusePort => 1) or die "socket: $!";
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		$SIG{$_} = 'DEFAULT' for qw(TERM INT HUP);
		$SIG{PIPE} = 'IGNORE';
		eval { $self->serve($listener); 1 } or print STDERR "receiver: $@";
		POSIX::_exit(1);
	}
	$self->{child} = $pid;
	close $listener;
	return;
}

sub down
{
	my ($self) = @_;
	my $pid = delete $self->{child} or return;

	kill KILL => $pid;
	waitpid $pid, 0;
	return;
}

sub put { my ($self, $name, $what) = @_; spew("$self->{dir}/$name.new", $json->encode($what)); rename "$self->{dir}/$name.new", "$self->{dir}/$name" or die $!; return }
sub always { my ($self, $answer) = @_; return $self->put('always', $answer) }

# answers - what the next requests get, one each; they begin with the first request after this call
sub answers { my ($self, @answers) = @_; return $self->put('script', { of => ++$self->{scripts}, answers => \@answers }) }

# The last line may still be being written.
sub lines { my ($self, $name) = @_; return -e "$self->{dir}/$name" ? slurp("$self->{dir}/$name") =~ /(.*)\n/g : () }

# accepted - the events of all requests that got a 2xx, in their order: { id, action, repository, tag, digest, from, at (the time) }
sub accepted { my ($self) = @_; return map { $json->decode($_) } $self->lines('accepted') }

# ids - those of them alone, in less time
sub ids { my ($self) = @_; return map { /"id":"([^"]*)"/ ? $1 : die "no id: $_\n" } $self->lines('accepted') }

# drain - wait until the code returns something true, for as long as more events are accepted; what it returned last. As of wait_for(), a look that
# takes long is taken less often.
sub drain
{
	my ($self, $done) = @_;
	my $size = sub { (-s "$self->{dir}/accepted") // 0 };

	while (1) {
		my ($had, $began) = ($size->(), Time::HiRes::time());
		my $is = $done->();
		my $pause = 2 * (Time::HiRes::time() - $began);
		return $is if $is;
		Time::HiRes::sleep($pause < 0.5 ? $pause : 0.5);
		return $is if !wait_for { $size->() > $had };
	}
}

# silent - how many requests have come that get no answer
sub silent { my ($self) = @_; return scalar(() = $self->lines('silent')) }

# requests - all of them: { status, headers, body }; status 0: there was no answer
sub requests { my ($self) = @_; return map { $json->decode($_) } $self->lines('requests') }

# --- the process

sub serve
{
	my ($self, $listener) = @_;
	my %conns;

	$self->{select} = IO::Select->new($listener);
	while (1) {
		my ($due) = sort { $a <=> $b } map { $_->{due} // () } values %conns;
		my $now = Time::HiRes::time();
		for my $s ($self->{select}->can_read(defined $due ? ($due > $now ? $due - $now : 0) : undef)) {
			if ($s == $listener) {
				my $new = $listener->accept or next;
				$new->blocking(0);
				$self->{select}->add($new);
				$conns{$new} = { s => $new, buf => '' };
			} else {
				my $n = sysread $s, $conns{$s}{buf}, 1 << 20, length $conns{$s}{buf};
				$self->hang_up(\%conns, $s) if !$n && (defined $n || !$!{EAGAIN});
			}
		}
		$self->step(\%conns, $_) for values %conns;
	}
	return;
}

sub hang_up
{
	my ($self, $conns, $s) = @_;

	$self->{select}->remove($s);
	delete $conns->{$s};
	close $s;
	return;
}

# step - what is to be done about a connection now
sub step
{
	my ($self, $conns, $c) = @_;

	if (!$c->{request}) {
		my ($head) = $c->{buf} =~ /\A(.*?\r\n\r\n)/s or return;
		my %h = map { /^([^:]+): *(.*)$/ ? (lc $1 => $2) : () } split /\r\n/, $head;
		if (lc($h{expect} // '') eq '100-continue' && !$c->{continued}++) {
			syswrite $c->{s}, "HTTP/1.1 100 Continue\r\n\r\n";
		}
		my $length = $h{'content-length'} // 0;
		return if length($c->{buf}) < length($head) + $length;
		$c->{request} = { headers => \%h, body => substr($c->{buf}, length $head, $length) };
		substr($c->{buf}, 0, length($head) + $length) = '';
		delete $c->{continued};
		$c->{answer} = $self->choose($c->{request});
		$c->{due} = Time::HiRes::time() + ($c->{answer}{silent} ? 1e6 : $c->{answer}{delay} // 0);
		$self->keep('silent', {}) if $c->{answer}{silent};
	}
	return if Time::HiRes::time() < $c->{due};
	my ($request, $answer) = delete @$c{qw(request answer)};
	delete $c->{due};
	if ($answer->{close}) {
		$self->keep('requests', { %$request, status => 0 }) if $self->{bodies};
		return $self->hang_up($conns, $c->{s});
	}
	$self->reply($conns, $c, $request, $answer);
	return;
}

sub choose
{
	my ($self, $request) = @_;
	my $always = $json->decode(slurp("$self->{dir}/always"));
	my $script = -e "$self->{dir}/script" ? $json->decode(slurp("$self->{dir}/script")) : { of => 0 };

	@$self{qw(at of)} = (0, $script->{of}) if ($self->{of} // 0) != $script->{of};
	my $answer = $script->{answers}[ $self->{at}++ ] // $always;
	$answer = $answer->{random}[ rand @{ $answer->{random} } ] if $answer->{random};
	return { %$answer, status => $request->{body} =~ /$answer->{refuse}/ ? 400 : 200, body => "no: $answer->{refuse}" } if defined $answer->{refuse};
	return $answer;
}

sub reply
{
	my ($self, $conns, $c, $request, $answer) = @_;
	my $body = $answer->{body} // '';

	# whoever has given up waiting does not learn that it was accepted: so it was not
	my $n = sysread $c->{s}, my $gone, 1;
	return $self->hang_up($conns, $c->{s}) if defined $n && !$n;
	$c->{buf} .= $gone if $n;
	$self->keep('requests', { %$request, status => $answer->{status} }) if $self->{bodies};
	$self->accept_events($request->{body}) if $answer->{status} =~ /^2/;
	syswrite $c->{s}, "HTTP/1.1 $answer->{status} Said\r\n" . join('', map { "$_: $answer->{headers}{$_}\r\n" } keys %{ $answer->{headers} // {} })
		. 'Content-Length: ' . length($body) . "\r\n\r\n$body";
	return;
}

sub keep
{
	my ($self, $name, @what) = @_;

	open my $fh, '>>', "$self->{dir}/$name" or die "$name: $!";
	syswrite $fh, join '', map { $json->encode($_) . "\n" } @what;
	return;
}

sub accept_events
{
	my ($self, $body) = @_;
	my $said = $json->decode($body);
	my @events = ref $said eq 'ARRAY' ? @$said : $said->{events} ? @{ $said->{events} } : $said;

	$self->keep('accepted', map {
		my $t = $_->{target} // $_->{data};
		{ id => $_->{id}, action => $_->{action} // $t->{action}, repository => $t->{repository}, tag => $t->{tag}, digest => $t->{digest},
			from => $t->{fromRepository} // $t->{from}, at => Time::HiRes::time() };
	} @events);
	return;
}

# --- what tests ask about

# relay_pid - the relay of a server: a child of its master; undef if there is none now
sub relay_pid
{
	my ($s) = @_;
	my ($pid) = grep { Berth::Server::is_relay($_) } Berth::Server::children($s->master_pid);

	return $pid;
}

# order_fault - what is wrong with the order of these events, of accepted(): in each repository each event comes first after all those before it.
# An event may come again. '' if nothing is.
sub order_fault
{
	my (%last, %seen);

	for my $e (grep { $_->{id} =~ /^[0-9a-f]{14}-/ } @_) {
		my $repo = $e->{repository} // '';
		next if $seen{ $e->{id} }++;
		return "$repo: $e->{id} after $last{$repo}" if defined $last{$repo} && $e->{id} lt $last{$repo};
		$last{$repo} = $e->{id};
	}
	return '';
}

sub DESTROY
{
	my ($self) = @_;
	local ($?, $@, $!);

	$self->down if $$ == $self->{pid};
	return;
}

END {
	if ($$ == $owner) {
		my $status = $?;
		for my $r (values %alive) {
			$r->down if $r;
		}
		$? = $status;
	}
}

1;
