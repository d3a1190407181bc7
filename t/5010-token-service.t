#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# /v2/token: who gets which token, how, and for how long.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;

my $dir = tmp_dir();
my %password = (alice => 'alice-pw', bob => 'bob&pw=%41 +');
spew("$dir/htpasswd", htpasswd(%password));
my $rules = join ', ', rule('@anonymous', 'public/**', 'pull'), rule('alice', 'team/*', 'pull push'), rule('alice', '*/app', 'delete'),
	rule('@users', 'shared', 'pull');
my $auth = "htpasswd = \"$dir/htpasswd\"; access = ( $rules );";
my $s = Berth::Server->start(config => "delete = true; auth = { $auth };\n", workers => 2);
my @alice = basic('alice', $password{alice});

sub access
{
	my ($r) = @_;

	return 'status ' . $r->status if $r->status != 200;
	return join ' ', map { "$_->{type}" . ($_->{class} ? "($_->{class})" : '') . ":$_->{name}:" . join(',', @{ $_->{actions} }) }
		@{ claims($r->json->{token})->{access} };
}
sub get { my ($headers, @scopes) = @_; return $s->req(GET => '/v2/token?service=berth' . join('', map { "&scope=$_" } @scopes), headers => $headers) }
sub post { return $s->req(POST => '/v2/token', form(@_)) }

# The key
my $key = $s->root . '/berth/token.key';
is mode_of($key), '0600', 'a key is made at the first start, which nobody else may read';
my $pem = slurp($key);
$s->stop_workers;
$s->start_workers;
is slurp($key), $pem, 'the next start finds it';
my $r = run(program('berth'), '--root', $s->root, 'fsck');
is "$r->{status} $r->{err}", '0 ', '`berth fsck` has nothing to say about it';

# Nobody
$r = get([], 'repository:public/x:pull');
is $r->status, 200, 'who is not logged in gets a token where a rule names everybody' or diag $r->as_string;
headers_are($r, { 'Content-Type' => 'application/json; charset=utf-8', 'Cache-Control' => 'no-store', 'WWW-Authenticate' => undef }, 'as JSON that nobody keeps');
my $t = $r->json;
is join(' ', sort keys %$t), 'access_token expires_in issued_at token', 'with what clients look for';
is $t->{access_token}, $t->{token}, 'the token under both names';
is $t->{expires_in}, 300, 'for five minutes';
like $t->{issued_at}, qr/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\z/, 'from a time as RFC 3339 writes it';
my $c = claims($t->{token});
is_deeply $c->{access}, [{ type => 'repository', name => 'public/x', actions => ['pull'] }], 'it grants what was asked for';
is "$c->{iss} $c->{aud}", 'berth berth', 'by and for this registry';
is $c->{exp} - $c->{iat}, 300, 'as long as it says';
ok !exists $c->{sub}, 'to nobody';
cmp_ok length $c->{jti}, '>=', 20, 'and is one of its kind';
is claims($t->{token}, 1)->{alg}, 'EdDSA', 'signed by Ed25519';
isnt claims(get([])->json->{token})->{jti}, $c->{jti}, 'another token is another';
is access(get([], 'repository:public/x:pull,push,delete')), 'repository:public/x:pull', 'of several actions it has those that the rules give';
is access(get([], 'repository:team/app:pull')), '', 'of a repository that the rules do not give nothing at all';
is access(get([], 'registry:catalog:*')), 'registry:catalog:*', 'everybody may list what everybody may pull';
is access(get([basic('', '')], 'repository:public/x:pull')), 'repository:public/x:pull', 'a login without user and password is none';
ok !exists $s->req(GET => '/v2/token?offline_token=true')->json->{refresh_token}, 'nobody gets no token to refresh by';

# Somebody
$r = get(\@alice);
is access($r), '', 'without a scope a token without access';
is claims($r->json->{token})->{sub}, 'alice', 'that says who it is';
is access(get(\@alice, 'repository:team/x:pull,push')), 'repository:team/x:pull,push', 'a push';
is access(get(\@alice, 'repository:team/x:*')), 'repository:team/x:pull,push', '* is what the rules give';
is access(get(\@alice, 'repository:team/app:*')), 'repository:team/app:pull,push,delete', 'all of it';
is access(get(\@alice, 'repository:public/x:pull', 'repository:team/x:push', 'repository:private:pull')),
	'repository:public/x:pull repository:team/x:push', 'scopes may be repeated';
is access(get(\@alice, 'repository:public/x:pull+repository:team/x:push%20repository:private:pull')),
	'repository:public/x:pull repository:team/x:push', 'or stand in one';
is access(get(\@alice, 'repository:team/x:pull', 'repository:team/x:push')), 'repository:team/x:pull,push', 'for one repository too';
is access(get(\@alice, 'repository(plugin):team/x:pull')), 'repository(plugin):team/x:pull', 'a class is kept';
is access(get(\@alice, 'registry:catalog:*')), 'registry:catalog:*', 'the catalog';
is access(get(\@alice, "repository:$_")), '', "nothing for \"$_\"" for 'team/x', 'Team/x:pull', 'team/x:', 'team/x:PULL', '%3A', 'team/x/y:pull', 'Team/app:delete', 'registry.example:5000/app:delete', 'x' x 600 . ':pull';
is access(get(\@alice, $_)), '', "nothing for \"$_\"" for 'registry:catalog:pull', 'registry:other:*', 'volume:team/x:pull', 'x', '', '+++';
is get(\@alice, join '+', map { "repository:team/x$_:pull" } 1 .. 64)->status, 200, '64 resources can be asked for';
is get(\@alice, join '+', map { "repository:team/x$_:pull" } 1 .. 65)->status, 400, 'more cannot';
is get(\@alice, '%zz')->status, 400, 'nor what is not form-encoded';
is $s->req(HEAD => '/v2/token', headers => \@alice)->status, 200, 'HEAD works';

# Wrong passwords
for my $h ([basic('alice', 'wrong')], [basic('nobody', 'x')], [Authorization => 'Basic ???'], [bearer($t->{token})], [bearer('x')]) {
	$r = get($h, 'repository:public/x:pull');
	error_is($r, 401, 'UNAUTHORIZED', substr("@$h", 0, 40) . ' gets no token, not even one for nobody');
	is_deeply challenge($r), { scheme => 'Basic', realm => 'berth', charset => 'UTF-8' }, 'and is asked for a password';
}

# By a form
$r = post(grant_type => 'password', username => 'bob', password => $password{bob}, service => 'berth', client_id => 't', scope => 'repository:shared:pull,push');
is access($r), 'repository:shared:pull', 'a password in a form' or diag $r->as_string;
is claims($r->json->{token})->{sub}, 'bob', 'is that of the user';
ok !exists $r->json->{refresh_token}, 'without a token to refresh by, which was not asked for';
is access(post(grant_type => 'password', username => 'alice', password => 'alice-pw', scope => 'repository:team/x:pull repository:shared:pull')),
	'repository:team/x:pull repository:shared:pull', 'scopes stand in one';
for my $bad ([username => 'bob', password => 'x'], [username => 'nobody', password => 'x'], [username => '', password => ''], [username => 'bob', password => '']) {
	$r = post(grant_type => 'password', @$bad);
	error_is($r, 401, 'UNAUTHORIZED', "a form with \"$bad->[1]\" and \"$bad->[3]\" is refused");
	is challenge($r)->{scheme}, 'Basic', 'with a challenge';
}
is scalar(grep { $_->{reason} eq 'wrong password' && $_->{user} eq 'bob' } audit($s, 'login_refused')), 2, 'which the audit says';
error_is(post(@$_), 400, 'UNSUPPORTED', 'a form with ' . (join(' ', @$_) || 'nothing') . ' is 400')
	for [], [grant_type => 'authorization_code'], [grant_type => 'password'], [grant_type => 'password', username => 'alice'], [grant_type => 'refresh_token'],
	[grant_type => 'client_credentials', client_id => 'alice', client_secret => 'alice-pw'], [username => 'alice', password => 'alice-pw'];
my %form = form(grant_type => 'password', username => 'alice', password => 'alice-pw');
for my $type (undef, 'application/json', 'multipart/form-data; boundary=x', 'application/x-www-form-urlencodedx') {
	error_is($s->req(POST => '/v2/token', body => $form{body}, headers => ['Content-Type' => $type]), 400, 'UNSUPPORTED', 'a body as ' . ($type // 'nothing') . ' is 400');
}
is $s->req(POST => '/v2/token', body => $form{body}, headers => ['Content-Type' => 'application/x-www-form-urlencoded; charset=utf-8'])->status, 200, 'a charset does no harm';
is $s->req(POST => '/v2/token', %form, chunked => 1)->status, 200, 'nor chunks';
is $s->req(POST => '/v2/token', body => "$form{body}&x=" . 'x' x 65536, headers => $form{headers})->status, 413, 'a form of more than 64 KiB is 413';
is $s->req(POST => '/v2/token', body => "$form{body}&x=" . 'x' x 65000, headers => $form{headers})->status, 200, 'one of less is not';
error_is($s->req(POST => '/v2/token', body => "$form{body}&\0", headers => $form{headers}), 400, 'UNSUPPORTED', 'a NUL is 400');
is $s->req(POST => '/v2/token?digest=' . sha256('x'), %form)->status, 200, 'a query does not matter';
is $s->req(PUT => '/v2/token', headers => \@alice)->status, 405, 'PUT is 405';
is $s->req(OPTIONS => '/v2/token')->header('Allow'), 'GET, HEAD, POST, OPTIONS', 'OPTIONS says so';

# Tokens to refresh by
my $refresh = $s->req(GET => '/v2/token?offline_token=true&service=berth&account=alice', headers => \@alice)->json->{refresh_token};
ok $refresh, 'docker login gets a token to refresh by';
ok $s->req(GET => '/v2/token?access_type=offline', headers => \@alice)->json->{refresh_token}, 'access_type=offline is the same';
my $by_form = post(grant_type => 'password', username => 'bob', password => $password{bob}, access_type => 'offline')->json->{refresh_token};
ok $by_form, 'a form gets one, too';
$r = post(grant_type => 'refresh_token', refresh_token => $refresh, service => 'berth', scope => 'repository:team/x:pull,push');
is access($r), 'repository:team/x:pull,push', 'it gives a token';
is claims($r->json->{token})->{sub}, 'alice', 'to whom it was given';
ok !exists $r->json->{refresh_token}, 'and no other to go on by';
is access(post(grant_type => 'refresh_token', refresh_token => $by_form, scope => 'repository:team/x:pull,push repository:shared:pull')), 'repository:shared:pull',
	'another one to another';
error_is($s->req(GET => '/v2/', headers => [bearer($refresh)]), 401, 'UNAUTHORIZED', 'it is no token for access');
error_is(post(grant_type => 'refresh_token', refresh_token => $_), 401, 'UNAUTHORIZED', 'nor is ' . substr($_, 0, 20) . ' one to refresh by')
	for get(\@alice)->json->{token}, $t->{token}, 'x', '', $refresh =~ s/([^.])(?=[^.]{60}\z)/$1 eq 'A' ? 'B' : 'A'/er;
write_over("$dir/htpasswd", htpasswd(bob => $password{bob}, alice => 'new-pw'));
error_is(post(grant_type => 'refresh_token', refresh_token => $refresh), 401, 'UNAUTHORIZED', 'a changed password ends it');
ok scalar(grep { ($_->{reason} // '') =~ /password of its user has changed/ } audit($s, 'login_refused')), 'which the audit says';
is post(grant_type => 'refresh_token', refresh_token => $by_form)->status, 401, 'its line written anew, with another salt, ends it as well';
write_over("$dir/htpasswd", htpasswd(bob => $password{bob}));
error_is(post(grant_type => 'refresh_token', refresh_token => $refresh), 401, 'UNAUTHORIZED', 'so does the end of the user');
is get([basic('alice', 'new-pw')])->status, 401, 'who gets no other';

# Guessing by a form
my %n;
for my $i (1 .. 40) {
	my $a = $s->req(POST => '/v2/token', form(grant_type => 'password', username => 'bob', password => "guess$i"), from => '127.8.8.8');
	$n{ $a->status }++;
	ok $a->header('Retry-After'), '429 says how long' if $a->status == 429 && $n{429} == 1;
}
is join(' ', sort keys %n), '401 429', 'who guesses by a form has to wait';
is $s->req(POST => '/v2/token', form(grant_type => 'password', username => 'bob', password => $password{bob}), from => '127.8.8.9')->status, 200, 'nobody else';
is $s->req(GET => '/v2/', from => '127.8.8.8', headers => [bearer(get([])->json->{token})])->status, 200, 'nor does who has a token';

# On and off
reconfigure($s, "auth = { $auth token = { enabled = \"off\"; }; };\n");
is get([])->status, 404, 'without a token service there is nothing at its path';
error_is($s->req(POST => '/v2/token', form()), 404, 'NAME_UNKNOWN', 'for a form neither');
is challenge($s->req(GET => '/v2/'))->{scheme}, 'Basic', 'and the challenge is Basic';
is challenge($s->req(GET => '/v2/', headers => [bearer($t->{token})]))->{scheme}, 'Basic', 'a token is none then';
reconfigure($s, "readonly = true; auth = { htpasswd = \"$dir/htpasswd\"; access = ( " . rule('bob', '**', 'pull') . " ); token = { enabled = \"on\"; service = \"r 1\";"
	. " key = \"$dir/k\"; algorithm = \"ES256\"; }; };\n");
is get([basic('bob', $password{bob})])->status, 200, 'it can be on where no rule names everybody, and in a registry that is read-only';
is mode_of("$dir/k"), '0600', 'with another key';
$r = get([basic('bob', $password{bob})]);
is claims($r->json->{token}, 1)->{alg}, 'ES256', 'of another kind';
is claims($r->json->{token})->{aud}, 'r 1', 'by another name';
is get([])->status, 401, 'nobody gets no token there';
error_is($s->req(GET => '/v2/', headers => [bearer($t->{token})]), 401, 'UNAUTHORIZED', 'the old key counts no more');
chmod 0644, "$dir/k";
$s->reload;
ok wait_for(sub { grep { ($_->{message} // '') =~ /^\Q$dir\E\/k: .*; the old one stays$/ } $s->log_events }), 'a key that others may read is refused, in a line';
is $s->req(GET => '/v2/', headers => [bearer($r->json->{token})])->status, 200, 'and the old one goes on';

# A key that cannot be made, or read
for my $bad ("$dir/none/key", "$dir/htpasswd", $dir) {
	my $conf = spew("$dir/bad.conf", "auth = { $auth token = { key = \"$bad\"; }; };\n");
	chmod 0600, "$dir/htpasswd";
	$r = run(program('berth-fcgi'), '--config', $conf, '--root', "$dir/store", '--listen', "$dir/sock");
	isnt $r->{status}, 0, 'berth does not start with "' . ($bad =~ s{.*/}{}r) . '" as its key';
	like $r->{err}, qr/^(?:berth-fcgi: )?\Q$bad\E: [^\n]+\n\z/m, 'and says so';
}

# Secrets
my $all = join "\n", $s->log, $s->error_log, $s->access_log;
is join(' ', grep { index($all, $_) >= 0 } 'guess1', values %password, 'new-pw', $form{body}, map { (split /\./)[2] } $refresh, $by_form, $t->{token}), '',
	'no password and no token is in a log';
is files_below($s->root . '/berth/body'), 0, 'and none on disk';
done_testing;
