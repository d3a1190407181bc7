# SPDX-License-Identifier: Apache-2.0
#
# Berth::TokenServer: a token service elsewhere, whose keys and signatures are openssl(1)'s.
#
#   my $t = Berth::TokenServer->start(alg => 'ES256', key => $file, kid => $name, users => { alice => 'pw' });
#   my $url = $t->realm;                                       # GET with or without Basic; POST with a form
#   my $token = $t->token('alice', 'repository:a:pull');       # without asking
#
# Whoever knows a password gets what they ask for, except below forbidden/; nobody gets to pull, below public/ alone.
package Berth::TokenServer;

use strict;
use warnings;

use IO::Socket::INET ();
use JSON::PP ();
use MIME::Base64 qw(decode_base64);
use POSIX ();

use Berth::JOSE ();
use Berth::Test ();

my %alive;
my $owner = $$;

sub start
{
	my ($class, %o) = @_;
	my $listen = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1') or die "socket: $!";
	my $self = bless { users => {}, service => 'registry.example', issuer => 'auth.example', %o,
		realm => 'http://127.0.0.1:' . $listen->sockport . '/token', log => Berth::Test::tmp_dir() . '/log' }, $class;
	my $pid = fork // die "fork: $!";

	if (!$pid) {
		$SIG{$_} = 'DEFAULT' for qw(TERM INT HUP);
		$self->serve($listen) while getppid == $owner;
		POSIX::_exit(0);
	}
	$self->{pid} = $pid;
	$alive{$pid} = 1;
	return $self;
}

sub realm { return $_[0]{realm} }

# What it was asked: a line a request, "METHOD user scope ..."
sub asked { my ($self) = @_; return -e $self->{log} ? split(/\n/, Berth::Test::slurp($self->{log})) : () }

sub token
{
	my ($self, $user, @scopes) = @_;
	my @access;

	for my $scope (map { split / / } @scopes) {
		my ($type, $name, $actions) = $scope =~ /^(\w+):(.+):([^:]*)$/ or next;
		my @actions = grep { defined $user ? $name !~ m{^forbidden/} : $_ eq 'pull' && $name =~ m{^public/} } split /,/, $actions;
		push @access, { type => $type, name => $name, actions => \@actions };
	}
	return Berth::JOSE::token($self->{alg}, $self->{key}, { typ => 'JWT', alg => $self->{alg}, kid => $self->{kid}, %{ $self->{header} // {} } },
		{ iss => $self->{issuer}, aud => $self->{service}, sub => $user // '', exp => time + 300, nbf => time, iat => time, jti => "r" . rand, access => \@access });
}

sub unescape { return $_[0] =~ tr/+/ /r =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ger }

# One connection, one request.
sub serve
{
	my ($self, $listen) = @_;
	my $s = $listen->accept or return;
	my ($head, $body) = ('', '');

	while ($head !~ /\r\n\r\n/) {
		sysread $s, $head, 4096, length $head or return;
	}
	($head, $body) = split /\r\n\r\n/, $head, 2;
	my ($length) = $head =~ /^Content-Length: *(\d+)/mi;
	while (length $body < ($length // 0)) {
		sysread $s, $body, 4096, length $body or return;
	}
	my ($method, $path, $query) = $head =~ m{^(\S+) ([^ ?]*)\??(\S*)};
	my %given;
	for (split /&/, $method eq 'POST' ? $body : $query) {
		my ($k, $v) = map { unescape($_) } split /=/, $_, 2;
		push @{ $given{$k} }, $v // '';
	}
	my ($basic) = $head =~ /^Authorization: Basic (\S+)/mi;
	my ($user, $password) = $basic ? split /:/, decode_base64($basic), 2 : map { ($given{$_} // [])->[0] } qw(username password);
	my $known = !defined $user || defined $self->{users}{$user} && $self->{users}{$user} eq $password;
	open my $log, '>>', $self->{log} or die "log: $!";
	print $log join(' ', $method, $user // '-', @{ $given{scope} // [] }), "\n";
	close $log;
	my ($status, $json) = ('401 Unauthorized', { errors => [{ code => 'UNAUTHORIZED', message => 'no' }] });
	if ($known && $path eq '/token') {
		my $token = $self->token($user, @{ $given{scope} // [] });
		($status, $json) = ('200 OK', { token => $token, access_token => $token, expires_in => 300 });
	}
	my $text = JSON::PP->new->encode($json);
	print $s "HTTP/1.1 $status\r\nContent-Type: application/json\r\nContent-Length: ", length $text, "\r\nConnection: close\r\n\r\n", $text;
	close $s;
	return;
}

sub stop
{
	my ($self) = @_;

	if (my $pid = delete $self->{pid}) {
		kill TERM => $pid;
		waitpid $pid, 0;
		delete $alive{$pid};
	}
	return;
}

END {
	my $status = $?;

	if ($$ == $owner) {
		kill TERM => $_ for keys %alive;
		waitpid $_, 0 for keys %alive;
	}
	$? = $status;
}

1;
