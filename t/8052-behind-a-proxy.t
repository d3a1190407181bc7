#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Another proxy in front (with=proxy): whose headers are believed, and what single sign-on needs (with=sso); by podman,
# skopeo and by hand.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(time);
use Berth::Test;
use Berth::Auth;
use Berth::Check;
use Berth::Client;

need_program('skopeo', 'podman', 'nginx', 'busybox');
podman_works() or cannot_run("podman can't run here");
my $dir = tmp_dir();
chmod 0755, $dir;
my $rules = join ', ', rule('alice', 'team/*', 'pull push'), rule('admin', '**', 'pull push delete');
my $config = "auth = { remote_user = true; access = ( $rules ); };\n";
my $secret = '/v2/secret/tags/list';

# --- the registry alone, 127.0.0.2 being the proxy
my $b = Berth::Server->start(config => $config, nginx_args => ['with=proxy', 'proxy=127.0.0.2,127.0.0.9']);
sub from { my ($addr, $path, @h) = @_; return $b->req(GET => $path, from => $addr, headers => [@h]) }
is from('127.0.0.2', $secret, 'X-Berth-User' => 'admin')->status, 404, 'the proxy says who the user is';
is from('127.0.0.2', $secret, 'X-Berth-User' => 'alice')->status, 403, 'and who else';
is from('127.0.0.2', $secret)->status, 401, 'or nobody';
is from('127.0.0.2', $secret, 'X-Berth-User' => $_)->status, 401, "'$_' is no name" for '', 'a b', 'admin:x', '-admin', 'x' x 129, '$remote_user', 'a,b';
is from('127.0.0.2', $secret, 'X-Berth-User' => 'alice', 'X-Berth-User' => 'admin')->status != 404, 1, 'of two names the second does not count';
for my $h ('X-Berth-User', 'X_Berth_User', 'X-BERTH-USER', 'Remote-User', 'REMOTE_USER', 'X-Forwarded-User', 'X-Auth-Request-User', 'Authorization') {
	for my $addr ('127.0.0.1', '127.0.0.3') {
		is from($addr, $secret, $h => 'admin')->status, 401, "$h from $addr, who is no proxy, is not believed";
		is from($addr, $secret, $h => 'admin', 'X-Forwarded-For' => '127.0.0.2')->status, 401, '... even if it says that it is for one';
	}
	is from('127.0.0.2', $secret, $h => 'admin')->status, 401, "$h is not what the proxy says it by" if lc $h ne 'x-berth-user';
}
my $asked = 0;
sub seen
{
	my ($addr, @h) = @_;
	my $agent = 'seen-' . ++$asked;
	my $e;

	from($addr, '/v2/', 'User-Agent' => $agent, @h);
	wait_for { ($e) = grep { $_->{user_agent} eq $agent } $b->access_events };
	return $e->{remote_addr};
}
is seen('127.0.0.2', 'X-Forwarded-For' => '192.0.2.7'), '192.0.2.7', 'the client is whom the proxy names';
is seen('127.0.0.2', 'X-Forwarded-For' => '192.0.2.8, 192.0.2.9'), '192.0.2.9', 'of several the one that it has added';
is seen('127.0.0.2', 'X-Forwarded-For' => '192.0.2.10, 127.0.0.9'), '192.0.2.10', 'through a chain of proxies';
is seen('127.0.0.3', 'X-Forwarded-For' => '192.0.2.11'), '127.0.0.3', 'and a client names nobody';
# wrong passwords are counted for the client, not for the proxy
spew("$dir/htpasswd", htpasswd(carol => 'c'));
$b->config("auth = { htpasswd = \"$dir/htpasswd\"; };\n");
$b->restart;
ok wait_for(sub { from('127.0.0.2', '/v2/', 'X-Forwarded-For' => '192.0.2.20', basic('carol', 'x'))->status == 429 }), 'who guesses passwords behind a proxy is held up';
is from('127.0.0.2', '/v2/', 'X-Forwarded-For' => '192.0.2.21', basic('carol', 'c'))->status, 200, 'and others behind it are not';
$b->stop;

# --- single sign-on: a service that knows a token, a server that asks it, the registry behind that
my ($front, $service) = map { Berth::Server::free_port() } 1 .. 2;
spew("$dir/service.conf", <<"EOT");
map \$http_authorization \$user { default ""; "Bearer of-alice" alice; "Bearer of-admin" admin; "Basic YWxpY2U6YQ==" alice; "Bearer of-nobody" ""; }
server {
	listen 127.0.0.1:$service;
	access_log $dir/service.log;
	location = /auth {
		add_header X-Auth-Request-User \$user;
		add_header WWW-Authenticate 'Basic realm="sso"' always;
		if (\$http_authorization = "Bearer of-nobody") { return 204; }
		if (\$http_authorization = "Bearer refused") { return 403; }
		if (\$user = "") { return 401; }
		return 204;
	}
}
EOT
$b = Berth::Server->start(config => $config, nginx_args => sub { (
	'with=proxy', 'proxy=127.0.0.1', 'with=sso', "sso_listen=127.0.0.1:$front", "sso=http://127.0.0.1:$service/auth", "sso_registry=http://127.0.0.1:$_[0]") });
# the service in an nginx of its own
spew("$dir/nginx.conf", "pid $dir/pid; error_log stderr; events { }\nhttp { client_body_temp_path $dir/t1; proxy_temp_path $dir/t2; fastcgi_temp_path $dir/t3; uwsgi_temp_path $dir/t4; scgi_temp_path $dir/t5; include $dir/service.conf; }\n");
my $nginx = fork // die;
if (!$nginx) {
	open STDERR, '>', "$dir/service.err";
	exec 'nginx', '-p', $dir, '-e', 'stderr', '-c', "$dir/nginx.conf", '-g', 'daemon off;' or die;
}
my $owner = $$;
END { if ($nginx && $$ == $owner) { my $s = $?; kill TERM => $nginx; waitpid $nginx, 0; $? = $s } }
wait_for { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$service") } or die slurp("$dir/service.err");

sub sso
{
	my ($method, $path, %o) = @_;
	return $b->req($method, $path, %o, sock => IO::Socket::INET->new(PeerAddr => "127.0.0.1:$front"));
}
sub of_user { return (Authorization => "Bearer of-$_[0]") }
is sso(GET => '/v2/', headers => [of_user('alice')])->status, 200, 'whom the service knows is logged in';
is sso(GET => '/v2/team/app/tags/list', headers => [of_user('alice')])->status, 404, 'with the rights of that name';
is sso(GET => $secret, headers => [of_user('alice')])->status, 403, 'and no others';
my $r = sso(GET => $secret);
is $r->status, 401, 'whom it does not know is refused';
is join('|', $r->headers('WWW-Authenticate')), 'Basic realm="sso"', 'with the challenge of the service';
is sso(GET => $secret, headers => [Authorization => 'Bearer refused'])->status, 403, 'or forbidden';
is sso(GET => $secret, headers => [of_user('nobody')])->status, 401, 'whom it lets in and does not name is nobody';
for my $h ('X-Berth-User', 'X_Berth_User', 'X-Auth-Request-User', 'Remote-User', 'REMOTE_USER') {
	is sso(GET => $secret, headers => [of_user('alice'), $h => 'admin'])->status, 403, "$h from a client changes nothing";
	is sso(GET => $secret, headers => [of_user('nobody'), $h => 'admin'])->status, 401, '... where the service names nobody';
}
is sso(OPTIONS => '/v2/secret/tags/list', headers => ['X-Berth-User' => 'admin'])->status, 204, 'a preflight needs no login';
is sso(GET => $_, headers => [of_user('alice')])->status, 404, "$_ is not reached" for '/_sso', '/_sso/preflight', '/%5fsso', '/_berth/request';
my $post = sso(POST => '/v2/team/app/blobs/uploads/', headers => [of_user('alice'), 'Content-Length' => 0]);
is $post->status, 202, 'an upload is begun';
my $bytes = random_bytes(3_000_000);
is sso(PUT => $post->header('Location') . '&digest=' . sha256($bytes), headers => [of_user('alice')], body => $bytes)->status, 201, 'and ended';
is sha256(sso(GET => '/v2/team/app/blobs/' . sha256($bytes), headers => [of_user('alice')])->body), sha256($bytes), 'and comes back';
is sso(GET => '/v2/team/app/blobs/' . sha256($bytes), headers => [of_user('alice'), Range => 'bytes=5-9'])->body, substr($bytes, 5, 5), 'in parts, too';
$bytes = random_bytes(200_000);
is sso(POST => '/v2/team/app/blobs/uploads/?digest=' . sha256($bytes), headers => [of_user('alice')], body => do { my $i = 0; sub { $i++ < 1 ? $bytes : '' } }, chunked => 1)->status, 201, 'a chunked body passes';
for my $c (['team/app', 401], ['secret/app', 403, of_user('alice')]) {
	my ($repo, $status, @h) = @$c;
	my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$front");
	print {$s} "POST /v2/$repo/blobs/uploads/?digest=" . sha256('x') . " HTTP/1.1\r\nHost: x\r\n" . (@h ? "$h[0]: $h[1]\r\n" : '') . "Content-Length: 1073741824\r\n\r\n";
	$s->flush;
	my $early = eval { read_response($s) };
	is $early ? $early->status : 'nothing', $status, "1 GiB is refused with $status before it is sent";
}
is leftovers($b), '', 'nothing is left in body, tmp and trash';

# clients: skopeo with a password that the service knows
my $auth = "$dir/auth.json";
spew($auth, '{"auths":{"127.0.0.1:' . $front . '":{"auth":"YWxpY2U6YQ=="}}}');
my @o = ('--authfile', $auth, '--dest-tls-verify=false', '--src-tls-verify=false');
my $one = oci_layout("$dir/one", 'v1', { files => { 'data' => random_bytes(300_000) } });
run_ok skopeo('copy', '-q', @o, "oci:$dir/one:v1", "docker://127.0.0.1:$front/team/one:v1"), 'skopeo pushes through it';
run_ok skopeo('copy', '-q', @o, "docker://127.0.0.1:$front/team/one:v1", "oci:$dir/back:v1"), 'and pulls';
is_deeply blob_files("$dir/back"), blob_files("$dir/one"), 'the same bytes';
isnt run(skopeo('copy', '-q', @o, "oci:$dir/one:v1", "docker://127.0.0.1:$front/other/one:v1"))->{status}, 0, 'but not where alice may not';
run_ok podman('pull', '-q', '--tls-verify=false', '--creds', 'alice:a', "127.0.0.1:$front/team/one:v1"), 'podman pulls through it';
isnt run(podman('pull', '-q', '--tls-verify=false', '--creds', 'bob:a', "127.0.0.1:$front/team/one:v1"))->{status}, 0, 'and not as somebody else';

done_testing;
