#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A token service elsewhere: its tokens in every algorithm, by every name of a key, and what they give.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;
use Berth::JOSE;
use Berth::TokenServer;

need_program('openssl');

my $dir = tmp_dir();
my %key = map { $_ => openssl_key("$dir/$_.key", $_) } qw(ed25519 p256 p384 p521 rsa);
my $json = JSON::PP->new->canonical;
my %kid = map { $_ => "the-$_" } keys %key;
spew("$dir/jwks.json", $json->encode({ keys => [map { { %{ jwk($key{$_}) }, kid => $kid{$_} } } sort keys %key] }));
for (keys %key) {
	openssl('req', '-x509', '-new', '-key', $key{$_}, '-subj', "/CN=$_", '-days', '2', '-out', "$dir/$_.crt");
	openssl('pkey', '-in', $key{$_}, '-pubout', '-out', "$dir/$_.pub");
}
spew("$dir/bundle.pem", join '', map { slurp("$dir/$_.crt") } sort keys %key);
mkdir "$dir/set";
spew("$dir/set/$_", slurp("$dir/$_.pub")) for keys %key;
spew("$dir/htpasswd", htpasswd(admin => 'pw'));

my $service = Berth::TokenServer->start(alg => 'ES256', key => $key{p256}, kid => thumbprint($key{p256}), users => { alice => 'a' });
my $realm = $service->realm;
my $foreign = "realm = \"$realm\"; service = \"registry.example\"; issuer = \"auth.example\";";
my $rules = join ', ', rule('@anonymous', 'open', 'pull'), rule('admin', '**', 'push delete'), rule('alice', 'hers', 'push');
my $s = Berth::Server->start(workers => 2,
	config => "delete = true; auth = { foreign = { $foreign bundle = \"$dir/bundle.pem\"; }; htpasswd = \"$dir/htpasswd\"; access = ( $rules ); };\n");
my $admin = [basic('admin', 'pw')];
my $image = index_of(OCI_INDEX);
sub ask { my ($method, $path, $h, %o) = @_; return $s->req($method, "/v2/$path", headers => [@$h, 'Content-Type' => OCI_INDEX], %o) }
sub t { return [bearer($service->token(@_))] }
my %service = (realm => $realm, service => 'registry.example');
for my $repo (qw(team/a team/b open)) {
	is ask(PUT => "$repo/manifests/1", $admin, body => $image)->status, 201, "admin pushes to $repo by password";
	my $loc = path_of(ask(POST => "$repo/blobs/uploads/", $admin)->header('Location'));
	$s->req(PUT => "$loc?digest=" . sha256($repo), headers => $admin, body => $repo)->status == 201 or die;
}
# The way that a client goes
my $r = ask(GET => 'team/a/manifests/1', []);
my $c = challenge($r);
is_deeply $c, { scheme => 'Bearer', realm => $realm, service => 'registry.example', scope => 'repository:team/a:pull' }, 'the challenge names the service';
my ($port) = $realm =~ /:(\d+)/;
my $sock = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port");
print $sock "GET /token?service=$c->{service}&scope=$c->{scope} HTTP/1.1\r\nAuthorization: " . (basic('alice', 'a'))[1] . "\r\n\r\n";
my ($token) = do { local $/; <$sock> } =~ /"token":"([^"]+)"/;
is ask(GET => 'team/a/manifests/1', [bearer($token)])->status, 200, 'what it gives lets in';
is $s->req(GET => '/v2/token')->status, 404, 'there is no token service here beside it';

# What a token gives
my $alice = t('alice', 'repository:team/a:pull,push');
is ask(GET => '', $alice)->status, 200, '/v2/';
is ask(PUT => 'team/a/manifests/2', $alice, body => $image)->status, 201, 'a push, whatever the rules say';
is [audit($s, 'push')]->[-1]{user}, 'alice', 'with the user in the audit';
lacks(\%service, ask(GET => 'team/b/manifests/1', $alice), 'repository:team/b:pull', 'another repository');
lacks(\%service, ask(PUT => 'hers/manifests/1', $alice, body => $image), 'repository:hers:pull,push', 'a repository that a rule gives to a user of that name');
lacks(\%service, ask(GET => 'open/manifests/1', $alice), 'repository:open:pull', 'what the rules give to everybody');
lacks(\%service, ask(DELETE => 'team/a/manifests/2', $alice), 'repository:team/a:delete', 'push for DELETE');
lacks(\%service, ask(PUT => 'team/a/manifests/2', t('alice', 'repository:team/a:pull'), body => $image), 'repository:team/a:pull,push', 'pull for PUT');
lacks(\%service, ask(GET => 'team/a/manifests/1', t('alice', 'registry:team/a:pull')), 'repository:team/a:pull', 'another type');
is ask(DELETE => 'team/a/manifests/2', t('alice', 'repository:team/a:delete'))->status, 202, 'delete for DELETE';
is ask(GET => 'team/a/manifests/1', t('alice', 'repository:team/a:*'))->status, 200, '* for all';
is ask(GET => 'team/a/manifests/1', t(undef, 'repository:team/a:pull'))->status, 401, 'nobody, who got nothing';
is ask(GET => 'open/manifests/1', [])->status, 200, 'no token at all, where everybody may';
lacks(\%service, ask(GET => '_catalog', $alice), 'registry:catalog:*', 'the catalog by another token');
is_deeply ask(GET => '_catalog', t('alice', 'registry:catalog:*'))->json->{repositories}, [qw(open team/a team/b)], 'one to list shows all';
my $both = t('alice', 'repository:team/a:pull', 'repository:team/b:pull,push');
my $one = t('alice', 'repository:team/b:pull,push');
sub mount { my ($digest, $from, $h) = @_; return ask(POST => "team/b/blobs/uploads/?mount=$digest" . ($from ? "&from=$from" : ''), $h, body => '') }
lacks(\%service, mount($_, 'team/a', $one), 'repository:team/b:pull,push repository:team/a:pull', 'the source of a mount, whether the blob is there or not') for sha256('team/a'), sha256('none');
is mount(sha256('team/a'), '', $one)->status, 202, 'without a source nothing is found elsewhere';
is mount(sha256('team/a'), 'team/a', $both)->status, 201, 'a token for both mounts';

# Keys by every name, from every kind of file
sub reload { my ($keys) = @_; return reconfigure($s, "delete = true; auth = { foreign = { $foreign $keys }; };\n") }
my %claims = (iss => 'auth.example', aud => 'registry.example', sub => 'alice', exp => time + 900,
	access => [{ type => 'repository', name => 'team/a', actions => ['pull'] }]);
my $pull = sub { return ask(GET => 'team/a/manifests/1', [bearer($_[0])])->status };
for my $from (['a bundle of certificates', "bundle = \"$dir/bundle.pem\";"], ['a JWK Set', "jwks = \"$dir/jwks.json\";"], ['a directory', "jwks = \"$dir/set\";"]) {
	my ($what, $keys) = @$from;
	reload($keys);
	for my $alg (sort keys %Berth::JOSE::ALG) {
		my $k = $Berth::JOSE::ALG{$alg}{key};
		is $pull->(token($alg, $key{$k}, { typ => 'JWT', alg => $alg, kid => thumbprint($key{$k}) }, \%claims)), 200, "$what: $alg by a key's RFC 7638 name";
		is $pull->(token($alg, $key{$k}, { alg => $alg, kid => libtrust_id($key{$k}) }, \%claims)), 200, "$what: $alg by libtrust's name";
		is $pull->(token($alg, $key{$k}, { alg => $alg, kid => $kid{$k} }, \%claims)), $keys =~ /json/ ? 200 : 401, "$what: $alg by the name that a JWK Set gives, if it does";
	}
	is $pull->(token('ES256', $key{p256}, { alg => 'ES256', kid => thumbprint($key{ed25519}) }, \%claims)), 401, "$what: the name of another key does not do";
}

# Chains of certificates
openssl('genpkey', genpkey_options('p256'), '-out', "$dir/leaf.key");
openssl('req', '-x509', '-new', '-key', "$dir/leaf.key", '-subj', '/CN=leaf', '-days', '2', '-CA', "$dir/p384.crt", '-CAkey', $key{p384}, '-out', "$dir/leaf.crt");
my $chained = token('ES256', "$dir/leaf.key", { alg => 'ES256', x5c => [map { der_base64("$dir/$_.crt") } 'leaf', 'p384'] }, \%claims);
is $pull->($chained), 401, 'a chain counts for nothing where no certificate is trusted';
reload("bundle = \"$dir/bundle.pem\";");
is $pull->($chained), 200, 'a certificate of the bundle vouches for a key that comes along';
is ask(GET => '_catalog', t('', 'registry:catalog:*'))->status, 200, 'a token to list may be nobody\'s, where no rule names everybody';
is $pull->(token('ES256', "$dir/leaf.key", { alg => 'ES256', kid => thumbprint($key{p256}), x5c => [der_base64("$dir/leaf.crt")] }, \%claims)), 401,
	'but not for one that gives itself the name of another';

# Tokens that are none, against the kinds of keys that matter
for my $alg (qw(RS256 ES256)) {
	my $k = $key{ $Berth::JOSE::ALG{$alg}{key} };
	my $header = { typ => 'JWT', alg => $alg, kid => thumbprint($k) };
	is $pull->(token($alg, $k, $header, \%claims)), 200, "$alg: a good token";
	is $pull->(token($alg, $k, $header, { %claims, aud => ['x', 'registry.example'] })), 200, "$alg: for several services";
	is $pull->(token($alg, $k, $header, { %claims, exp => time - 30, nbf => time + 30 })), 200, "$alg: half a minute off";
	for my $bad (bad_tokens($alg, $k, $header, \%claims)) {
		my $r = ask(GET => 'team/a/manifests/1', [bearer($bad->[1])]);
		error_is($r, 401, 'UNAUTHORIZED', "$alg: $bad->[0]: refused");
		is challenge($r)->{error}, 'invalid_token', "$alg: $bad->[0]: the challenge says so";
	}
}
for my $k (qw(sub)) {
	is $pull->(token('ES256', $key{p256}, { alg => 'ES256', kid => thumbprint($key{p256}) }, { %claims, sub => $_ })), 200, 'a strange user: ' . substr $_, 0, 10
		for '', 'x' x 1000, 'a:b', '@users';
	is $pull->(token('ES256', $key{p256}, { alg => 'ES256', kid => thumbprint($key{p256}) }, { %claims, sub => "a\nb" })), 401, 'but not one with a line break';
}

# What is wrong with the configuration
sub fault { my ($text) = @_; my $f = spew("$dir/f.conf", "auth = { foreign = { $foreign $text }; };\n"); return run(program('berth'), '--config', $f, 'config', 'check') }
$r = fault("bundle = \"$dir/none\";");
is $r->{status}, 2, 'a bundle that is not there ends with 2';
like $r->{err}, qr/\A\Q$dir\/none\E: [^\n]+\n\z/, 'and is said in one line';
$r = fault("jwks = \"$dir/htpasswd\";");
like $r->{err}, qr/\A\Q$dir\/htpasswd\E: [^\n]+\n\z/, 'so is a file without keys';
spew("$dir/some.json", $json->encode({ keys => [jwk($key{p256}), { kty => 'oct', k => 'AAAA' }] }));
$r = fault("jwks = \"$dir/some.json\";");
is $r->{status}, 0, 'a key that cannot be used is left out';
like $r->{err}, qr/\Aberth: warning: \Q$dir\/some.json\E: key 2: [^\n]+\n\z/, 'which is said';
$s->config("auth = { foreign = { $foreign bundle = \"$dir/none\"; }; };\n");
$s->reload;
ok wait_for(sub { grep { ($_->{message} // '') =~ /^\Q$dir\E\/none: .*; the old one stays$/ } $s->log_events }), 'a reload with a bundle that is not there is refused';
is $pull->(token('ES256', $key{p256}, { alg => 'ES256', kid => thumbprint($key{p256}) }, \%claims)), 200, 'and the old keys go on';
$service->stop;
done_testing;
