# SPDX-License-Identifier: Apache-2.0
#
# Berth::Auth: what the tests of logins and rules share: password files, headers, and the lines of the audit.
package Berth::Auth;

use strict;
use warnings;
use Exporter qw(import);
use JSON::PP ();
use MIME::Base64 qw(decode_base64 encode_base64);
use Berth::Check;
use Berth::Test;

our @EXPORT = qw(basic hash_of htpasswd write_over audit routes_of rule bearer form log_in page_of token_of claims challenge reconfigure answered_since lacks memory_closed in_memory);

# basic - the header of a login, as a list for `headers`
sub basic
{
	my ($user, $password) = @_;

	return (Authorization => 'Basic ' . encode_base64("$user:$password", ''));
}

# bearer - the header of a token, as a list for `headers`
sub bearer { return (Authorization => "Bearer $_[0]") }

# form - the body of a form: name => value, ...; with its type, as options of `req`
sub form
{
	my @pairs;

	while (my ($k, $v) = splice @_, 0, 2) {
		push @pairs, "$k=" . ($v =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ger);
	}
	return (body => join('&', @pairs), headers => ['Content-Type' => 'application/x-www-form-urlencoded']);
}

# log_in - the answer to a login as the page sends it: log_in($s, user, password, options of req; `headers` are more of them, `origin` is
# where the browser is)
sub log_in
{
	my ($s, $user, $password, %o) = @_;
	my $body = JSON::PP->new->latin1->encode({ user => $user, password => $password });

	return $s->req(POST => '/berth/v1/session', body => $body, %o,
		headers => ['Berth-Request' => 'page', Origin => $o{origin} // $s->url, 'Content-Type' => 'application/json', @{ $o{headers} // [] }]);
}

# page_of - the headers of a change that the page asks for; with the answer to a login, or a cookie's "name=value", of whoever that is
sub page_of
{
	my ($s, $login) = @_;
	my ($cookie) = ref $login ? ($login->header('Set-Cookie') // '') =~ /^([^;]+)/ : $login;

	return ('Berth-Request' => 'page', Origin => $s->url, defined $cookie ? (Cookie => $cookie) : ());
}

# token_of - a token of a server's own service: token_of($s, [basic(...)], scope, ...)
sub token_of
{
	my ($s, $headers, @scopes) = @_;
	my $r = $s->req(GET => '/v2/token?service=berth' . join('', map { "&scope=$_" } @scopes), headers => $headers);

	return $r->status == 200 ? $r->json->{token} : die 'token: ' . $r->as_string;
}

# claims - what a token says; its header with a second argument
sub claims
{
	my ($token, $header) = @_;

	return JSON::PP->new->utf8->decode(decode_base64((split /\./, $token)[$header ? 0 : 1] =~ tr{-_}{+/}r));
}

# challenge - the one challenge of an answer, taken apart: { scheme, realm, service, scope, error }
sub challenge
{
	my ($r) = @_;
	my @all = $r->headers('WWW-Authenticate');

	return { fault => scalar(@all) . ' challenges' } if @all != 1;
	my ($scheme, $rest) = $all[0] =~ /^(\w+) ((?:\w+="[^"\\]*"(?:,|\z))+)\z/ or return { fault => $all[0] };
	return { scheme => $scheme, $rest =~ /(\w+)="([^"]*)"/g };
}

# lacks - 401, with a challenge that says of which service, { realm, service }, and for what a wider token has to be
sub lacks
{
	my ($service, $r, $scope, $title) = @_;
	my $c = challenge($r);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	error_is($r, 401, 'UNAUTHORIZED', $title);
	is_deeply($c, { scheme => 'Bearer', scope => $scope, error => 'insufficient_scope', %$service }, "$title: the challenge says what for");
	return;
}

# memory_closed - why a test cannot look into the memory of workers, if so
sub memory_closed
{
	return $ENV{BERTH_SANITIZERS} ? 'the memory of a sanitizer build is another' : $> != 0 ? 'only root can look into the memory of such a process' : '';
}

# in_memory - which of the texts lie in the memory of a server's workers; a text that is always there, too, if it was read
sub in_memory
{
	my ($s, @texts) = @_;
	my %found;
	no warnings qw(portable);       # addresses of 64 bits

	for my $pid ($s->worker_pids) {
		open my $mem, '<:raw', "/proc/$pid/mem" or die "mem: $!";
		for (split /\n/, slurp("/proc/$pid/maps")) {
			my ($from, $to) = /^([0-9a-f]+)-([0-9a-f]+) rw/ or next;
			sysseek $mem, hex $from, 0;
			my $n = sysread $mem, my $bytes, hex($to) - hex $from or next;
			index($bytes, $_) >= 0 and $found{$_} = 1 for @texts;
		}
	}
	return sort keys %found;
}

# reconfigure - give a server another configuration; it holds, and no worker of the old one is left
sub reconfigure
{
	my ($s, $text) = @_;
	my $reloads = sub { return scalar grep { ($_->{event} // '') eq 'reload' } $s->log_events };
	my ($before, @old) = ($reloads->(), $s->worker_pids);

	$s->config($text);
	$s->reload;
	wait_for(sub { $reloads->() > $before }) or die "no reload\n";
	wait_for(sub { my %now = map { $_ => 1 } $s->worker_pids; !grep { $now{$_} } @old }) or die "the old workers stay\n";
	return;
}

# answered_since - how many workers of a server have answered requests since its log had so many events
sub answered_since
{
	my ($s, $from) = @_;
	my @events = $s->log_events;
	my %pid = map { $_->{pid} => 1 } grep { ($_->{event} // '') eq 'request' } splice @events, $from;

	return scalar keys %pid;
}

# hash_of - a cheap hash of a password: bcrypt, yescrypt, sha512, sha256
my %setting = (bcrypt => '$2y$04$', yescrypt => '$y$j75$', sha512 => '$6$rounds=1000$', sha256 => '$5$rounds=1000$');
sub hash_of
{
	my ($password, $scheme) = @_;
	my $salt = join '', map { ('a' .. 'z', 'A' .. 'Z', 0 .. 9)[rand 62] } 1 .. 16;

	$scheme //= 'bcrypt';
	$salt .= 'abcde.' if $scheme eq 'bcrypt';
	my $hash = crypt $password, $setting{$scheme} . $salt . ($scheme eq 'bcrypt' ? '' : '$');
	die "crypt: no $scheme here\n" if !$hash || $hash =~ /^\*/;
	return $hash;
}

# htpasswd - the text of a file: user => password, ...
sub htpasswd
{
	my $text = '';

	while (my ($user, $password) = splice @_, 0, 2) {
		$text .= "$user:" . hash_of($password) . "\n";
	}
	return $text;
}

# write_over - what a careful editor does: a new file under the old name
sub write_over
{
	my ($file, $text) = @_;

	spew("$file.new", $text);
	rename "$file.new", $file or die "$file: $!";
	return $file;
}

# audit - the events of the audit in a server's log
sub audit
{
	my ($s, $action) = @_;

	return grep { ($_->{event} // '') eq 'audit' && (!defined $action || $_->{action} eq $action) } $s->log_events;
}

# routes_of - every [method, path, need, pool] that the workers know, from their own table
sub routes_of
{
	return map { [split / /] } split /\n/, run_ok(program('berth-fcgi'), '--routes', '`berth-fcgi --routes` lists every route');
}

# rule - one rule, as text: rule('alice @ci', 'team/*', 'pull push')
sub rule
{
	my ($who, $repo, $may) = @_;
	my $list = sub { join ', ', map { "\"$_\"" } split / /, $_[0] };

	return sprintf '{ who = [ %s ]; repo = "%s"; may = [ %s ]; }', $list->($who), $repo, $list->($may);
}

1;
