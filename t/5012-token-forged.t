#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Tokens that look like our own: none of them is taken for more than nothing.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;
use Berth::JOSE;

need_program('openssl');

for my $alg (qw(EdDSA ES256)) {
	my $dir = tmp_dir();
	spew("$dir/htpasswd", htpasswd(admin => 'pw', bob => 'pw'));
	my $rules = join ', ', rule('admin', '**', 'push delete'), rule('@anonymous', 'public', 'pull');
	my $s = Berth::Server->start(workers => 2,
		config => "delete = true; auth = { htpasswd = \"$dir/htpasswd\"; access = ( $rules ); token = { algorithm = \"$alg\"; }; };\n");
	my $key = $s->root . '/berth/token.key';
	my $token = token_of($s, [basic('admin', 'pw')], 'repository:team/app:pull,push');
	my ($header, $claims) = (claims($token, 1), claims($token));
	my $ask = sub { return $s->req(GET => '/v2/team/app/tags/list', headers => [bearer($_[0])]) };

	is $header->{alg}, $alg, "$alg: a token of its service";
	is $header->{kid}, thumbprint($key), 'names its key as RFC 7638 does';
	is $ask->($token)->status, 404, 'and lets in';
	my $mine = sub { my (%c) = @_; return token($alg, $key, $header, { %$claims, %c }) };
	is $ask->($mine->())->status, 404, 'so does one that openssl makes with the same key';
	is $ask->($mine->(exp => time - 30))->status, 404, 'half a minute after its end too';
	is $ask->($mine->(nbf => time + 30))->status, 404, 'or before its beginning';
	is $ask->($mine->(aud => ['x', 'berth']))->status, 404, 'the service may stand in a list';

	for my $bad (bad_tokens($alg, $key, $header, $claims)) {
		my ($what, $text) = @$bad;
		my $r = $ask->($text);
		my $c = challenge($r);

		error_is($r, 401, 'UNAUTHORIZED', "$what: refused");
		is "$c->{scheme} $c->{scope} $c->{error}", 'Bearer repository:team/app:pull invalid_token', "$what: the challenge says so";
		unlike "$r", qr/\Q@{[(split m{\.}, $text)[2] || 'none such']}\E/, "$what: nothing of it is repeated";
		is $s->req(GET => '/v2/public/tags/list', headers => [bearer($text)])->status, 401, "$what: nor does it do where nobody needs one";
		is $s->req(GET => '/v2/', headers => [bearer($text)])->status, 401, "$what: nor for /v2/";
	}
	# What only whoever has the key could make
	for my $bad (['a user who does not exist', sub => 'nobody'], ['another user with the same proof', sub => 'bob'], ['no proof of the password', jti => 'x'],
		['an empty proof', jti => 'x.'], ['a user who could not be', sub => 'a:b'], ['"access" that is no list', access => {}],
		['an entry that is none', access => ['x']], ['65 entries', access => [map { { type => 'repository', name => "a$_", actions => ['pull'] } } 1 .. 65]]) {
		my ($what, @claim) = @$bad;
		error_is($ask->($mine->(@claim)), 401, 'UNAUTHORIZED', "$what: refused");
	}
	is $ask->(token($alg, $key, { %$header, typ => 'berth-refresh' }, $claims))->status, 401, 'one of another use: refused';
	is $ask->($mine->(access => [{ type => 'repository', name => 'team/app', actions => ['push'] }]))->status, 401, 'one for less: refused';
	is $s->req(GET => '/v2/', headers => [Authorization => 'Bearer ' . 'x' x $_])->status, 401, "$_ bytes: refused" for 100, 20_000;
	like $s->req(GET => '/v2/', headers => [Authorization => 'Bearer ' . 'x' x 65_536])->status, qr/^4(?:00|31)$/, '64 KiB: refused by nginx';
	is $ask->($token)->status, 404, 'and the good one is good as before';
	ok !(grep { ($_->{event} // '') eq 'worker_failed' } $s->log_events), 'no worker has died of it';
	is scalar(grep { index(join("\n", $s->log, $s->error_log), $_) >= 0 } (split /\./, $token)[2]), 0, 'and the log repeats no token';
	my %why = map { $_->{reason} => 1 } audit($s, 'login_refused');
	ok((grep { /^expired \d+ s ago$/ } keys %why), 'but says what was wrong') or diag join "\n", sort keys %why;
}
done_testing;
