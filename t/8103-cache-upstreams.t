#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Upstreams differ in small ways: each of them can be pulled from. Logins: who gets the password, and who does not.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use MIME::Base64 qw(encode_base64);
use Berth::Test;
use Berth::Check;
use Berth::Cache;
use Berth::Upstream;

my $dir = tmp_dir();
spew("$dir/password", "geheim\n");
spew("$dir/wrong", "falsch\n");
my %login = (users => { joe => 'geheim' });
my %u = map { ($_ => Berth::Upstream->start) } qw(plain login stranger);
my $user = qq(user = "joe"; password_file = "$dir/password";);
my $s = mirror(upstreams => [
	['plain', $u{plain}, 'redirects = [ "127.0.0.2" ];'],
	['login', $u{login}, qq($user redirects = [ "127.0.0.2" ];)],
	['wrong', $u{login}, qq(user = "joe"; password_file = "$dir/wrong";)],
	['nobody', $u{login}],
	['listed', $u{stranger}, qq($user realms = [ "127.0.0.3" ];)],
	['strange', $u{stranger}, $user],
]);
my $n = 0;

# works - an image of that upstream is pulled while a rule stands; the requests that it took are there to be looked at
sub works
{
	my ($name, $pattern, $what, $title) = @_;
	my $u = $u{$name} // $u{plain};
	my $i = $u->image('team/app' . ++$n, '1', docker => $n % 2, layers => [random_bytes(150_000)]);

	$u->forget;
	my @rules = map { $u->rule(@$_) } ref $pattern ? @$pattern : [$pattern, $what];
	my $p = pull($s, "$name/team/app$n", '1', no_head => $n % 3 == 0);
	$u->drop(@rules);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is $p->{fault} . ($p->{digest} // ''), $i->{digest}, $title;
	return;
}

# --- small differences
works('plain', '^HEAD ', { status => 405 }, 'no HEAD: 405');
works('plain', '^HEAD ', { status => 404 }, 'no HEAD: 404');
works('plain', '.', { digest => '' }, 'no Docker-Content-Digest');
works('plain', '/manifests/', { chunked => 1 }, 'manifests in chunks');
works('plain', '/manifests/', { no_length => 1 }, 'manifests without a length');
works('plain', '.', { no_etag => 1 }, 'no If-None-Match');
works('plain', '/blobs/', { chunked => 1 }, 'blobs in chunks');
works('plain', '/blobs/', { no_ranges => 1 }, 'no ranges');
works('plain', '/blobs/', { type => 'text/html' }, 'another Content-Type of blobs');
works('plain', '/manifests/', { headers => { 'Docker-Distribution-Api-Version' => 'registry/2.0', 'Set-Cookie' => 'a=b', 'X-Frame-Options' => 'DENY' } }, 'more headers');
for my $status (301, 302, 303, 307, 308) {
	works('plain', '^[A-Z]+ /v2/.*/blobs/', { redirect => $status, to => 'other' }, "blobs elsewhere ($status)");
	works('plain', '^[A-Z]+ /v2/.*/manifests/', { redirect => $status, to => 'relative' }, "manifests elsewhere ($status)");
}
works('plain', [['^GET /v2/.*/blobs/', { redirect => 307 }], ['^GET /cdn/', { close_at => 100_000 }, times => 1]], undef, 'a blob elsewhere that breaks off');
works('plain', '^[A-Z]+ /v2/.*/blobs/', { redirect => 307, to => 'same' }, 'blobs at the same host');

# --- a tag is renewed whatever upstream can do
for my $how (['^HEAD ', { status => 405 }, 'no HEAD'], ['^HEAD ', { status => 404 }, 'HEAD is 404'], ['.', { digest => '' }, 'no Docker-Content-Digest'], ['.', { no_etag => 1 }, 'no If-None-Match']) {
	my ($pattern, $what, $title) = @$how;
	my $i = $u{plain}->image('team/tag', '1');
	pull($s, 'plain/team/tag', '1');
	my $new = $u{plain}->image('team/tag', '1');
	my $rule = $u{plain}->rule($pattern, $what);
	old_tag($s, 'plain/team/tag', '1', 3600);
	my $p = pull($s, 'plain/team/tag', '1');
	is "$p->{fault}$p->{digest}", $new->{digest}, "a tag that has moved is seen: $title";
	old_tag($s, 'plain/team/tag', '1', 3600);
	$p = pull($s, 'plain/team/tag', '1');
	is "$p->{fault}$p->{digest}", $new->{digest}, 'and one that has not';
	$u{plain}->drop($rule);
}

# --- logins
sub secrets { my ($u) = @_; return grep { ($_->{headers}{authorization} // '') =~ /^Basic/ } $u->requests }
$u{login}->set(auth => { %login, kind => 'basic' });
works('login', [], undef, 'Basic');
for my $how ([{}, 'Bearer'], [{ methods => 'GET' }, 'a realm of GET alone'], [{ methods => 'POST' }, 'a realm of POST alone'], [{ realm => 'relative' }, 'a relative realm'],
	[{ service => undef }, 'no service'], [{ member => 'access_token' }, 'access_token'], [{ expires => 1, valid => 300 }, 'tokens of a second'], [{ expires => undef }, 'tokens without a time']) {
	$u{login}->set(auth => { %login, %{ $how->[0] } });
	works('login', [], undef, "a login: $how->[1]");
}
$u{login}->set(auth => { %login });
$u{login}->image('team/many', $_) for 1 .. 5;
$u{login}->forget;
is join('', map { pull($s, 'login/team/many', $_)->{fault} } 1 .. 5), '', 'five images of a repository';
cmp_ok $u{login}->count('GET token', 'POST token'), '<=', 1, 'take one token';
is_deeply [grep { $_->{path} =~ m{^/v2/} } secrets($u{login})], [], 'the password goes to the realm alone';
works('login', '^[A-Z]+ /v2/.*/blobs/', { redirect => 307 }, 'blobs elsewhere, with a login');
is_deeply [grep { $_->{path} =~ m{^/cdn/} && defined $_->{headers}{authorization} } $u{login}->requests], [], 'there goes no Authorization';
$u{login}->set(auth => { %login, anonymous => 1, private => 'closed/.*' });
$u{login}->image('open/app', '1');
$u{login}->image('closed/app', '1');
is pull($s, 'nobody/open/app', '1')->{fault}, '', 'without a user: a token of nobody';
like get_manifest($s, 'nobody/closed/app', '1')->status, qr/^(?:404|503)$/, 'which does not open what is private';
is pull($s, 'login/closed/app', '1')->{fault}, '', 'a login does';
is get_manifest($s, 'wrong/closed/app', '1')->status, 503, 'a wrong password is a failure of upstream';
$u{login}->set(auth => { %login });
old_tag($s, 'login/closed/app', '1', 3600);
my $rule = $u{login}->rule('/token', { status => 401 });
$u{login}->rule('^[A-Z]+ /v2/', { status => 401, headers => { 'WWW-Authenticate' => 'Bearer realm="' . $u{login}->url . '/token"' } });
my $p = pull($s, 'login/closed/app', '1');
is $p->{fault}, '', 'the login fails: the cached tag is served';
like $p->{warning} // '', qr/^299/, 'with a warning';
$u{login}->drop;

# --- whom the password is for
$u{stranger}->set(auth => { %login, realm => 'other' });
my $i = $u{stranger}->image('team/app', '1');
$u{stranger}->forget;
is pull($s, 'listed/team/app', '1')->{fault}, '', 'a realm at another host that is listed';
$u{stranger}->forget;
is get_manifest($s, 'strange/team/app', '1')->status, 503, 'one that is not listed';
is_deeply [map { $_->{path} } grep { $_->{at} ne '127.0.0.1' && defined $_->{headers}{authorization} || $_->{method} eq 'POST' } $u{stranger}->requests], [], 'gets no password';
$u{stranger}->set(auth => undef);
for my $to ("http://@{[ $u{stranger}->other ]}/cdn/v2/team/app/blobs/$i->{layers}[0]", 'http://10.255.255.1/x', 'file:///etc/passwd', 'http://[::1]/x', 'gopher://127.0.0.1/') {
	my $j = $u{stranger}->image('team/app' . ++$n, '1');
	get_manifest($s, "strange/team/app$n", '1');
	$rule = $u{stranger}->rule('^[A-Z]+ /v2/.*/blobs/', { redirect => 307, to => $to });
	$u{stranger}->forget;
	like $s->req(GET => "/v2/strange/team/app$n/blobs/$j->{layers}[0]")->status, qr/^50[23]$/, "a redirect to $to is not followed";
	is_deeply [grep { $_->{path} =~ m{^/cdn} } $u{stranger}->requests], [], 'nobody is asked there';
	$u{stranger}->drop($rule);
}
my $j = $u{plain}->image('team/loop', '1');
$rule = $u{plain}->rule('^[A-Z]+ /v2/.*/blobs/', { redirect => 307, to => $u{plain}->url . "/v2/team/loop/blobs/$j->{layers}[0]" });
pull($s, 'plain/team/loop', '1');
$u{plain}->settled;
cmp_ok $u{plain}->count('GET blob'), '<', 30, 'a circle of redirects ends';
$u{plain}->drop($rule);

# --- a limit of requests
$rule = $u{plain}->rule('/manifests/', { headers => { 'ratelimit-limit' => '100;w=21600', 'ratelimit-remaining' => '0;w=21600' } });
$u{plain}->image('team/limit', '1');
pull($s, 'plain/team/limit', '1');
old_tag($s, 'plain/team/limit', '1', 3600);
$u{plain}->settled;
$u{plain}->forget;
is pull($s, 'plain/team/limit', '1')->{fault}, '', 'upstream says that nothing is left of its limit: the cached tag is served';
is $u{plain}->count('GET manifest', 'HEAD manifest'), 0, 'without asking';
$u{plain}->drop($rule);

my $log = join "\n", $s->log, $s->error_log, $s->access_log;
unlike $log, qr/geheim|falsch|token-\d+-/, 'no log has a password or a token';
is cached_fault($s), '', 'all that is stored is what its name says';
done_testing;
