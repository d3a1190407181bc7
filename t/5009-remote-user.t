#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# remote_user = true: nginx says who it is, by a parameter that no client can set.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;

my $dir = tmp_dir();
chmod 0755, $dir;
spew("$dir/nginx-users", htpasswd(alice => 'a', bob => 'b'));
spew("$dir/htpasswd", htpasswd(alice => 'own', carol => 'c'));
my $rules = 'access = ( ' . join(', ', rule('alice', 'team/*', 'pull push'), rule('admin', '**', 'pull push delete'), rule('carol', 'team/*', 'pull')) . ' );';

# Behind auth_basic of nginx
my $s = Berth::Server->start(config => "auth = { remote_user = true; $rules };\n", nginx_args => ['with=basic', "passwords=$dir/nginx-users", 'realm=by nginx']);
sub status { my ($m, $p, %o) = @_; return $s->req($m, $p, %o)->status }
my @alice = basic('alice', 'a');
is status(GET => '/v2/', headers => [@alice]), 200, 'whom nginx knows is logged in';
my $r = $s->req(POST => '/v2/team/app/blobs/uploads/', headers => [@alice]);
is $r->status, 202, 'with the rights of that name';
my $loc = path_of($r->header('Location'));
is status(PUT => "$loc?digest=" . sha256('x'), headers => [@alice], body => 'x'), 201, 'with a body, too';
is status(GET => '/v2/team/app/tags/list', headers => [basic('bob', 'b')]), 403, 'and no others';
is status(DELETE => '/v2/team/app/manifests/x', headers => [@alice]), 405, 'deleting is still off';
for my $login (['no login'], ['a wrong password', basic('alice', 'x')], ['a user whom nginx does not know', basic('admin', 'x')],
	['a name without password', basic('admin', '')]) {
	my ($who, @h) = @$login;
	for my $what (['GET', '/v2/'], ['GET', '/v2/team/app/tags/list'], ['PUT', "$loc?digest=" . sha256('x'), 'x'], ['PUT', '/v2/team/app/manifests/x', '{}']) {
		my ($m, $p, $body) = @$what;
		$r = $s->req($m, $p, headers => [@h], defined $body ? (body => $body) : ());
		error_is($r, 401, 'UNAUTHORIZED', "$who: $m " . ($p =~ s/[0-9a-f-]{30,}.*//r) . ' is refused by nginx');
		is join('|', $r->headers('WWW-Authenticate')), 'Basic realm="by nginx", charset="UTF-8"', 'with its challenge';
	}
}
my ($e) = grep { ($_->{event} // '') eq 'request' && $_->{status} == 200 } $s->log_events;
is $e->{user}, 'alice', 'the log names the user';

# No header becomes that parameter
for my $header (qw(Remote-User REMOTE_USER Remote_User X-Remote-User HTTP-Remote-User)) {
	is status(GET => '/v2/secret/tags/list', headers => [@alice, $header => 'admin']), 403, "$header changes nothing";
}
is status(GET => "/v2/secret/tags/list?REMOTE_USER=admin", headers => [@alice]), 403, 'nor does the query';
$s->stop;

# Without nginx saying anything: remote_user believes no client
$s = Berth::Server->start(config => "auth = { remote_user = true; $rules };\n");
is status(GET => '/v2/'), 401, 'where nginx names nobody, nobody is logged in';
for my $h ([@alice], [basic('admin', 'x')], [Authorization => 'Basic x'], ['Remote-User' => 'admin'], ['REMOTE_USER' => 'admin']) {
	is status(GET => '/v2/secret/tags/list', headers => $h), 401, "$h->[0] from a client is not believed";
}

# Straight to the workers, as nginx speaks to them
my $f = Berth::FCGI->new($s->worker_socket);
sub by { my (%p) = @_; return $f->request(params => { REQUEST_URI => '/v2/secret/tags/list', %p })->status }
is by(REMOTE_USER => 'admin'), 404, 'the parameter is the user';
is by(REMOTE_USER => ''), 401, 'an empty one is nobody';
is by(HTTP_REMOTE_USER => 'admin'), 401, 'a header of that name is not it';
is by(REMOTE_USER => $_), 401, 'one that is no name is refused' for "a:b", "a\nb", '@users', 'x' x 256;
is by(REMOTE_USER => 'admin', HTTP_AUTHORIZATION => 'Basic nonsense'), 404, 'the password that nginx has checked is not checked again';
is by(REMOTE_USER => 'nobody-special'), 403, 'somebody else has their own rights';
$s->stop;

# Not believed unless it is said so; and beside an htpasswd file
$s = Berth::Server->start(config => "auth = { htpasswd = \"$dir/htpasswd\"; $rules };\n");
$f = Berth::FCGI->new($s->worker_socket);
is by(REMOTE_USER => 'admin'), 401, 'without remote_user = true the parameter is nothing';
is by(REMOTE_USER => 'admin', HTTP_AUTHORIZATION => (basic('carol', 'c'))[1]), 403, 'and the login is the user';
$s->config("auth = { remote_user = true; htpasswd = \"$dir/htpasswd\"; $rules };\n");
$s->replace_workers;
ok wait_for(sub { by(REMOTE_USER => 'admin') == 404 }), 'with both, whom nginx names';
is by(HTTP_AUTHORIZATION => (basic('carol', 'c'))[1]), 403, 'or who has a password here';
ok wait_for(sub { !grep { $_ != 401 } map { by(HTTP_AUTHORIZATION => (basic('carol', 'x'))[1], REMOTE_ADDR => "127.8.0.$_") } 1 .. 8 }), 'but not by a wrong one';
is by(REMOTE_USER => 'admin', HTTP_AUTHORIZATION => (basic('carol', 'c'))[1]), 404, 'nginx comes first';

# render takes a variable and nothing else
for my $bad ('admin', '$a; deny all', '$', '"x"', '$a$b', '${a}') {
	my $said = run(source_dir() . '/nginx/render', "$dir/run", 'listen=127.0.0.1:1', 'root=/x', 'workers=unix:/x', "remote_user=$bad");
	is $said->{status}, 1, "remote_user=$bad is refused";
}
my @two = ("$dir/run", 'listen=127.0.0.1:1', 'root=/x', 'workers=unix:/x', 'with=basic', 'passwords=/x', 'with=proxy', 'proxy=::1');
is run(source_dir() . '/nginx/render', @two)->{status}, 1, 'two parts that name a user are refused';
is run(source_dir() . '/nginx/render', @two, 'remote_user=$remote_user')->{status}, 0, 'unless it is said which of them counts';
done_testing;
