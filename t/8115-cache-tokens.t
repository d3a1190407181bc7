#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Logins by tokens at a mirror: docker asks the token service for the repository as it has named it, at the Host of the mirror; containerd for what the
# challenge says. Each token is for one repository, whatever Host it is shown at.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;
use Berth::Cache;
use Berth::Upstream;

my $dir = tmp_dir();
spew("$dir/htpasswd", htpasswd(map { $_ => "$_-pw" } qw(alice bob)));
my $u = Berth::Upstream->start;
my $i = $u->image('library/app', '1');
my $rules = join ', ', rule('alice', 'hub/library/**', 'pull'), rule('bob', 'library/**', 'pull push'), rule('@anonymous', 'hub/public/**', 'pull');
my $auth = "auth = { htpasswd = \"$dir/htpasswd\"; token = { enabled = \"on\"; %s}; access = ( $rules ); };\n";
my $upstreams = mirror_conf(['hub', $u, 'hosts = [ "hub.example" ];'], ['other', $u, 'hosts = [ "other.example" ];']) . qq(own = [ "registry.example" ];\n);
my $s = Berth::Server->start(config => $upstreams . sprintf $auth, '');

# ask - a manifest, at a Host, perhaps with a token
sub ask { my ($host, $path, @headers) = @_; return $s->req(GET => $path, headers => [Host => $host, Accept => ACCEPT, @headers]) }
# token - of the realm of a challenge, as clients make the request: { token, status }
sub token
{
	my ($c, $host, $login, @scopes) = @_;
	my ($path) = $c->{realm} =~ m{^https?://[^/]+(/.*)$};
	my $r = $s->req(GET => $path . ($path =~ /\?/ ? '&' : '?') . join('&', "service=$c->{service}", map { "scope=$_" } @scopes), headers => [Host => $host, @$login]);

	return $r->status == 200 ? $r->json->{token} : die $r->as_string;
}
sub access_of { return join ' ', map { "$_->{name}:" . join ',', @{ $_->{actions} } } @{ claims($_[0])->{access} } }
my @alice = basic('alice', 'alice-pw');
my @bob = basic('bob', 'bob-pw');

# --- docker: a challenge of /v2/, and scopes of its own making
my $ping = challenge(ask('hub.example', '/v2/'));
like $ping->{realm}, qr{^http://hub\.example/v2/token\?ns=hub$}, 'the challenge at the Host of a mirror names its token service, and the name space';
my $r = ask('hub.example', '/v2/library/app/manifests/1');
is $r->status, 401, 'a pull without a token is refused';
is challenge($r)->{scope}, 'repository:library/app:pull', 'the scope is the repository as the client asked';
my $t = token($ping, 'hub.example', \@alice, 'repository:library/app:pull');
is access_of($t), 'hub/library/app:pull', 'the token is for the mirrored repository';
ok wait_for(sub { ask('hub.example', '/v2/library/app/manifests/1', bearer($t))->status == 200 }), 'and is accepted';
$r = ask('hub.example', "/v2/library/app/blobs/$i->{layers}[0]", bearer($t));
is $r->status . sha256($r->body), "200$i->{layers}[0]", 'for blobs, too';
is ask('registry.example', '/v2/hub/library/app/manifests/1', bearer($t))->status, 200, 'under its whole name';
is ask('registry.example', '/v2/library/app/manifests/1?ns=hub', bearer($t))->status, 200, 'and by ns';
like ask('other.example', '/v2/library/app/manifests/1', bearer($t))->status, qr/^40[13]$/, 'at the Host of another mirror it is for another repository';
like ask('registry.example', '/v2/library/app/manifests/1', bearer($t))->status, qr/^40[13]$/, 'nor is it for our own of that name';
is access_of(token($ping, 'hub.example', \@bob, 'repository:library/app:pull')), '', 'who may only pull our own of that name gets a token for nothing';
is access_of(token($ping, 'hub.example', [], 'repository:public/app:pull')), 'hub/public/app:pull', 'nobody gets what all may pull';
is access_of(token($ping, 'hub.example', \@alice, 'repository:library/app:pull', 'registry:catalog:*')), 'hub/library/app:pull catalog:*', 'other scopes are as they are';
$r = $s->req(POST => '/v2/token?ns=hub', form(grant_type => 'password', service => 'berth', client_id => 'x', username => 'alice', password => 'alice-pw', scope => 'repository:library/app:pull'));
is access_of($r->json->{access_token} // $r->json->{token}), 'hub/library/app:pull', 'so it is with a form';

# --- the token of our own repository opens no mirror
$t = token(challenge(ask('registry.example', '/v2/')), 'registry.example', \@bob, 'repository:library/app:pull,push');
is access_of($t), 'library/app:pull,push', 'a token of our own repository of the same name';
like ask('hub.example', '/v2/library/app/manifests/1', bearer($t))->status, qr/^40[13]$/, 'is none at the Host of the mirror';
like ask('registry.example', '/v2/library/app/manifests/1?ns=hub', bearer($t))->status, qr/^40[13]$/, 'or by ns';
is challenge(ask('registry.example', '/v2/'))->{realm}, 'http://registry.example/v2/token', 'its challenge names no name space';

# --- containerd and podman: the scope of the challenge
for my $path ('/v2/library/app/manifests/1?ns=hub', '/v2/hub/library/app/manifests/1') {
	my $c = challenge(ask('registry.example', $path));
	is $c->{scope}, 'repository:hub/library/app:pull', "$path: the scope is the whole name, since the token service learns nothing of ns";
	$t = token($c, 'registry.example', \@alice, $c->{scope});
	is ask('registry.example', $path, bearer($t))->status, 200, 'its token is accepted';
}
my $c = challenge(ask('hub.example', '/v2/library/app/manifests/1'));
$t = token($c, 'hub.example', \@alice, $c->{scope});
is ask('hub.example', '/v2/library/app/manifests/1', bearer($t))->status, 200, 'the same at the Host of the mirror';

# --- a token service at a host of its own
$s->config($upstreams . sprintf $auth, 'realm = "https://login.example/v2/token"; ');
$s->replace_workers or die 'the workers stay';
$c = challenge(ask('hub.example', '/v2/library/app/manifests/1'));
is "$c->{realm} $c->{scope}", 'https://login.example/v2/token?ns=hub repository:library/app:pull', 'a realm elsewhere is told the name space';
$t = token($c, 'login.example', \@alice, $c->{scope});
is ask('hub.example', '/v2/library/app/manifests/1', bearer($t))->status, 200, 'its token is accepted';
done_testing;
