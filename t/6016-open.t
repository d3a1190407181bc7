#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# nginx answers /v2/ by itself while nobody needs a login, and never where anybody may.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Auth;
use Berth::Test;
use Berth::Check;

my $open = "delete = true;\n";
my $s = Berth::Server->start(config => $open, workers => 2, nginx_args => ['cors=https://page.example']);
my $mark = $s->worker_socket . '.open';
my ($users) = map { "$_/users" } $s->dir;
spew($users, htpasswd(alice => 'secret'));
my $closed = qq(auth = { htpasswd = "$users"; };\n);
# by_nginx - did nginx give the last answer without a worker?
sub by_nginx { my ($last) = ($s->access_events)[-1]; return $last->{uri} eq '/v2/' && $last->{upstream_time} =~ /^-?\z/ }
sub marked { return wait_for { -f $mark } }

# the same answer, whoever gives it
ok marked(), 'a registry without logins has its mark';
my %same;
for my $c (['GET'], ['HEAD'], ['GET', [Origin => 'https://page.example']], ['GET', [Origin => 'https://other.example']],
	['GET', [Range => 'bytes=0-0']], ['GET', ['If-Modified-Since' => 'Sun, 29 Nov 2026 06:33:43 GMT']], ['GET', ['If-Unmodified-Since' => 'Sun, 29 Nov 2006 06:33:43 GMT']],
	['GET', ['If-None-Match' => '*']], ['GET', ['If-Match' => '"x"']], ['GET', ['Accept-Encoding' => 'gzip']], ['OPTIONS'], ['OPTIONS', [Origin => 'https://page.example']],
	['POST'], ['PUT'], ['DELETE'], ['FOO']) {
	my ($method, $headers) = @$c;
	my $what = join ' ', $method, @{ $headers // [] };
	push @{ $same{$what} }, answer($method, $headers);
	unlink $mark;
	push @{ $same{$what} }, answer($method, $headers);
	spew($mark, '');
	is $same{$what}[0], $same{$what}[1], "$what is answered the same with the mark and without";
}
sub answer
{
	my ($method, $headers) = @_;

	return $s->req($method, '/v2/', headers => $headers // [], $method =~ /^P/ ? (body => 'x') : ())->as_string =~ s/^(?:Date|Keep-Alive): .*\n//gmr;
}
my $lines = () = grep { ($_->{route} // '') eq 'base' } $s->log_events;
my $r = $s->req('GET', '/v2/');
is $r->body, '{}', 'GET /v2/ is answered';
ok wait_for(\&by_nginx), 'the access log has it, with no time of a worker';
is scalar(grep { ($_->{route} // '') eq 'base' } $s->log_events), $lines, 'no worker has seen it';
for my $c (['/v2/?n=1'], ['/v2/x/..', 400], ['/%76%32/'], ['/v2/%2e', 400], ['//v2/', 404], ['/v2/', 200, [Authorization => 'Basic eDp5']]) {
	my ($path, $status, $headers) = @$c;
	is $s->req('GET', $path, headers => $headers // [])->status, $status // 200, "$path" . ($headers ? ' with credentials' : '') . ' is a matter for a worker';
}
error_is $s->req('GET', '/_berth/open/'), 404, undef, 'the location of the answer cannot be reached';
error_is $s->req('GET', '/_berth/base'), 404, undef, 'nor the answer itself';
error_is $s->req('GET', '/v2/', body => 'x' x 100_000), 413, 'SIZE_INVALID', 'a large body is refused as before';

# the configuration asks for logins
my @old = $s->worker_pids;
my $n = () = $s->log;
$s->config($closed);
$s->reload;
ok wait_for(sub { my @l = $s->log; grep { /"event":"reload"/ } @l[$n .. $#l] }), 'a configuration with logins is read';
ok !-e $mark, 'when the log says so the mark is gone';
my %old = map { $_ => 1 } @old;
ok wait_for(sub { my @now = $s->worker_pids; @now == @old && !grep { $old{$_} } @now }), 'all workers are others';
error_is $s->req('GET', '/v2/'), 401, 'UNAUTHORIZED', 'a login is asked for';
is $s->req('GET', '/v2/', headers => [basic('alice', 'secret')])->status, 200, 'and works';

# a broken configuration changes nothing; an open one makes the mark when no old worker is left
$s->config("delete = = ;\n");
$s->reload;
ok wait_for(sub { grep { /the old one stays/ } $s->log }), 'a broken configuration is refused';
error_is $s->req('GET', '/v2/'), 401, 'UNAUTHORIZED', 'the login stays';
ok !-e $mark, 'no mark';
$s->config($open);
$s->reload;
ok marked(), 'a registry that opens gets its mark';
is $s->req('GET', '/v2/')->status, 200, 'nobody is asked';
ok wait_for(\&by_nginx), 'by no worker';

# a mark that cannot be removed: what asks for logins is not accepted
unlink $mark;
mkdir $mark;
$n = () = $s->log;
$s->config($closed);
$s->reload;
ok wait_for(sub { my @l = $s->log; grep { /cannot remove \Q$mark\E.*the old one stays/ } @l[$n .. $#l] }), 'a mark that cannot be removed: the old configuration stays';
is $s->req('GET', '/v2/')->status, 200, 'and nobody is asked';
rmdir $mark;

# masters that end, and that are killed
$s->config($open);
$s->restart;
ok marked(), 'after a start it is there';
$s->stop_workers;
ok !-e $mark, 'a master that ends removes it';
error_is $s->req('GET', '/v2/'), 503, 'UNAVAILABLE', 'without workers /v2/ is 503';
$s->start_workers;
marked();
$s->stop_workers('KILL');
ok -e $mark, 'a master that is killed leaves it';
$s->config($closed);
$s->start_workers;
ok !-e $mark, 'the next one removes it before it is ready';
error_is $s->req('GET', '/v2/'), 401, 'UNAUTHORIZED', 'and asks for logins';
$s->stop_workers;
mkdir $mark;
$s->launch_workers;
ok wait_for(sub { !$s->master_alive }), 'a master that cannot remove it does not start';
like join("\n", $s->log), qr/cannot remove \Q$mark\E, .*remove it/, 'and says what to do';
rmdir $mark;
$s->config($open);
$s->start_workers;
marked();

# workers that die
my %dead = map { $_ => 1 } map { $s->kill_workers } 1 .. 3;
wait_for { my @now = $s->worker_pids; @now == @old && !grep { $dead{$_} } @now };
ok marked(), 'when workers have died and others serve it is there';
is $s->req('GET', '/v2/')->status, 200, 'and /v2/ is answered';

# a site's own login in nginx, of which berth knows nothing
spew("$users.nginx", "bob:{PLAIN}pass\n");
my $site = Berth::Server->start(config => $open, nginx_extra => qq(auth_basic "site"; auth_basic_user_file "$users.nginx";));
ok wait_for(sub { -f $site->worker_socket . '.open' }), 'a site asks for a login in nginx alone';
error_is $site->req('GET', '/v2/'), 401, 'UNAUTHORIZED', 'then nginx asks for /v2/, too';
is $site->req('GET', '/v2/', headers => [basic('bob', 'pass')])->status, 200, 'and takes it';
$site->stop;
my $deny = Berth::Server->start(config => $open, nginx_extra => 'deny all;');
wait_for(sub { -f $deny->worker_socket . '.open' });
error_is $deny->req('GET', '/v2/'), 403, 'DENIED', 'addresses that a site denies are denied';
$deny->stop;

done_testing;
