# SPDX-License-Identifier: Apache-2.0
#
# Berth::Upstream::Serve: the process of Berth::Upstream. It reads what it has, and how it is to behave, from the directory that it shares with the test,
# anew for each request, and writes there what it was asked: a line when a request comes, when it hangs where a rule says so, and when it ends.
package Berth::Upstream::Serve;

use strict;
use warnings;

use IO::Socket::INET;
use JSON::PP ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);

use Berth::Test ();
use Berth::Upstream::Answer;

my $PIECE = 1 << 17;            # what is written at a time, without a drip
my $json = JSON::PP->new->utf8->canonical;

# addresses - of host(), other() and realm()
sub addresses { return map { '127.0.0.' . ($_ + 1) } @_ }

sub new { my ($class, $dir, $port) = @_; return bless { dir => $dir, port => $port, conns => {}, seen => {}, n => $$ * 1_000_000 }, $class }

sub note
{
	my ($self, %what) = @_;

	open my $fh, '>>', "$self->{dir}/log" or die "log: $!";
	syswrite $fh, $json->encode(\%what) . "\n";
	return;
}

# known - a file that the test writes, decoded
sub known
{
	my ($self, $name) = @_;
	my $text = Berth::Test::slurp("$self->{dir}/$name");

	$self->{known}{$name} = { text => $text, value => $json->decode($text) } if ($self->{known}{$name}{text} // '') ne $text;
	return $self->{known}{$name}{value};
}

sub serve
{
	my ($self, $owner, @listen) = @_;
	my %listens = map { (fileno $_ => $_) } @listen;
	my $conns = $self->{conns};

	while (getppid == $owner) {
		my ($r, $w) = ('', '');
		my $wait = 1;
		my $now = time;
		vec($r, $_, 1) = 1 for keys %listens;
		for my $fd (keys %$conns) {
			my $c = $conns->{$fd};
			vec($r, $fd, 1) = 1 if length $c->{in} < 1 << 20;
			vec($w, $fd, 1) = 1 if $c->{blocked};
			my $due = $c->{due} // ($c->{held} ? $now + 0.02 : next);
			$wait = $due > $now ? $due - $now : 0 if $due - $now < $wait;
		}
		select $r, $w, undef, $wait;
		for my $fd (grep { vec $r, $_, 1 } keys %listens) {
			my $s = $listens{$fd}->accept or next;
			$s->blocking(0);
			$conns->{ fileno $s } = { s => $s, in => '', out => '', at => $s->sockhost };
		}
		for my $fd (keys %$conns) {
			my $c = $conns->{$fd};
			if (vec $r, $fd, 1) {
				my $n = sysread $c->{s}, $c->{in}, 1 << 16, length $c->{in};
				if (!$n && (defined $n || !$!{EAGAIN})) {
					$self->hang_up($c, aborted => 1);
					next;
				}
			}
			$c->{blocked} = 0;
			1 while $self->step($c);
		}
	}
	return;
}

sub hang_up
{
	my ($self, $c, %why) = @_;

	$self->finished($c, %why) if $c->{n};
	setsockopt $c->{s}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0) if $why{reset};
	delete $self->{conns}{ fileno $c->{s} };
	close $c->{s};
	return 0;
}

# finished - with a request; the connection may be used again
sub finished
{
	my ($self, $c, %how) = @_;

	$self->note(n => $c->{n}, sent => ($c->{sent} // 0) - $c->{unsent}, done => 1, $how{aborted} ? (aborted => 1) : ());
	delete @$c{qw(n do rule sent unsent body due held started)};
	return;
}

# step - the next thing that can be done about a connection at once; 0 where there is none
sub step
{
	my ($self, $c) = @_;

	if (!$c->{n}) {
		$c->{in} =~ s/\A(.*?\r\n\r\n)//s or return 0;
		my ($line, @lines) = split /\r\n/, $1;
		my ($method, $path) = split / /, $line;
		my %h;
		# docker-registry has a line for each type that it accepts, in any order
		for (@lines) {
			my ($name, $value) = /^([^:]+): *(.*)$/ or next;
			$h{ lc $name } = exists $h{ lc $name } ? $h{ lc $name } . ", $value" : $value;
		}
		@$c{qw(method path headers need)} = ($method, $path, \%h, $h{'content-length'} // 0);
		@$c{qw(n unsent)} = (++$self->{n}, 0);
		$c->{body_in} = '';
	}
	if (!$c->{started}) {
		return 0 if length $c->{in} < $c->{need};
		$c->{body_in} = substr $c->{in}, 0, $c->{need}, '';
		$c->{started} = 1;
		my $rule = $self->rule_for("$c->{method} $c->{path}");
		$c->{rule} = $rule->{id};
		$c->{do} = $rule->{do} // {};
		$self->note(n => $c->{n}, by => $$, kind => Berth::Upstream::Answer::kind($c->{method}, $c->{path}), map { ($_ => $c->{$_}) } qw(at method path headers));
		$c->{due} = time + $c->{do}{delay} if $c->{do}{delay};
		$c->{held} = 1 if $c->{do}{silent};
		$self->note(n => $c->{n}, held => 1) if $c->{held};
	}
	return 0 if defined $c->{due} && time < $c->{due};
	delete $c->{due};
	if ($c->{held}) {
		return 0 if $self->stands($c->{rule});
		delete $c->{held};
		delete @{ $c->{do} }{qw(silent hang_at)};
	}
	if (!$c->{body}) {
		return $self->hang_up($c, reset => $c->{do}{reset}) if $c->{do}{close} || $c->{do}{reset};
		$c->{body} = Berth::Upstream::Answer::to($self, $c);
		$c->{out} = delete $c->{body}{head};
		$c->{sent} = 0;
		$self->note(n => $c->{n}, status => $c->{body}{status});
	}
	if ($c->{out} eq '') {
		my $more = $self->more($c);
		return $more if $more <= 0;
	}
	my $n = syswrite $c->{s}, $c->{out};
	if (!defined $n) {
		return $self->hang_up($c, aborted => 1) if !$!{EAGAIN};
		$c->{blocked} = 1;
		return 0;
	}
	substr $c->{out}, 0, $n, '';
	$c->{unsent} -= $n < $c->{unsent} ? $n : $c->{unsent};
	return 1;
}

# more - of the body into $c->{out}: 1; 0: nothing now
sub more
{
	my ($self, $c) = @_;
	my ($do, $b) = @$c{qw(do body)};

	if ($b->{over}) {
		return $self->hang_up($c) if $b->{close};
		$self->finished($c);
		return length $c->{in} ? 1 : 0;
	}
	if (defined $do->{hang_at} && $c->{sent} >= $do->{hang_at}) {
		$c->{held} = 1;
		$self->note(n => $c->{n}, held => 1, sent => $c->{sent});
		return 0;
	}
	for my $how (qw(close reset)) {
		return $self->hang_up($c, $how => 1) if defined $do->{"${how}_at"} && $c->{sent} >= $do->{"${how}_at"};
	}
	delete $do->{drip} if $do->{drip} && !$self->stands($c->{rule});
	my $size = $do->{drip} ? $do->{drip}[0] : $PIECE;
	for my $at (grep { defined } @$do{qw(hang_at close_at reset_at)}) {
		$size = $at - $c->{sent} if $size > $at - $c->{sent};
	}
	my $piece = $b->{next}->($size) // '';
	if ($piece eq '') {
		$b->{over} = 1;
		$c->{out} = "0\r\n\r\n" if $b->{chunked};
		return 1;
	}
	if (defined $do->{flip_at} && $do->{flip_at} >= $c->{sent} && $do->{flip_at} < $c->{sent} + length $piece) {
		substr($piece, $do->{flip_at} - $c->{sent}, 1) ^= "\1";
	}
	$c->{sent} += length $piece;
	$c->{unsent} = length $piece;
	$c->{out} = $b->{chunked} ? sprintf("%x\r\n", length $piece) . "$piece\r\n" : $piece;
	$c->{due} = time + $do->{drip}[1] if $do->{drip};
	return 1;
}

sub stands { my ($self, $id) = @_; return scalar grep { $_->{id} == $id } @{ $self->known('rules') } }

# rule_for - the first rule that is for a request
sub rule_for
{
	my ($self, $line) = @_;

	for my $r (@{ $self->known('rules') }) {
		next if $line !~ /$r->{match}/;
		next if defined $r->{chance} && rand >= $r->{chance};
		my $n = ++$self->{seen}{ $r->{id} } - ($r->{after} // 0);
		next if $n <= 0 || defined $r->{times} && $n > $r->{times};
		return { id => $r->{id}, do => { %{ $r->{do} } } };
	}
	return {};
}

1;
