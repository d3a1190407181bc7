#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Sessions of browsers: the cookie that a login gives, where it is accepted, and everything that ends it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;
use File::Path qw(make_path);
use IO::Socket::UNIX;
use MIME::Base64 qw(encode_base64url);
use POSIX ();

my $dir = tmp_dir();
chmod 0755, $dir;
my $file = "$dir/htpasswd";
my %password = (anna => 'a "quoted" pa\\ss', bert => 'b', carl => 'c', "j\xc3\xb6rg" => 'j');
spew($file, htpasswd(%password));
my $rules = join ', ', rule('anna', 'team/**', 'pull push delete'), rule('@users', 'all/**', 'pull'), rule('@anonymous', 'public/**', 'pull');
my $auth = "auth = { htpasswd = \"$file\"; realm = \"here\"; robots = \"$dir/robots\"; access = ( $rules ); };\n";
my $b = Berth::Server->start(workers => 2, config => "delete = true;\n$auth");
my $clients = 0;
sub from { $clients++; return (from => sprintf '127.3.%d.%d', $clients >> 8, $clients & 255 || 1) }
sub whoami { my ($s, @h) = @_; my $r = $s->req(GET => '/berth/v1/whoami', headers => [@h]); return $r->status == 200 ? $r->json : { status => $r->status } }
sub user { my ($s, $login) = @_; my $w = whoami($s, (page_of($s, $login))[ 4, 5 ]); return $w->{status} // $w->{user} // '-' }

# who one is, without a login and with each
is_deeply whoami($b), { login => 'anonymous', anonymous => JSON::PP::true, form => JSON::PP::true, admin => JSON::PP::false, 'delete' => JSON::PP::false, journal => JSON::PP::false,
	undo => JSON::PP::false, mirrors => JSON::PP::false, registry => $b->host, version => (run(program('berth'), '--version')->{out} =~ /(\S+)$/)[0] }, 'whoami of nobody has what there is to know, and no user';
my $r = log_in($b, 'anna', $password{anna});
is $r->status, 200, 'anna logs in';
is common_fault($r), '', '... with the common headers';
is_deeply $r->json, whoami($b, (page_of($b, $r))[ 4, 5 ]), '... and is told what whoami says';
is join('|', @{ $r->json }{qw(user login anonymous form delete)}), 'anna|session|0|1|1', '... who that is, and that there may be something to delete';
like $r->header('Set-Cookie'), qr/^berth-[0-9a-f]{8}=[0-9a-f-]{36}\.\d{10}\.YW5uYQ\.[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict\z/, 'the cookie is for this site alone, and no script reads it';
is scalar(my @all = $r->headers('Set-Cookie')), 1, '... one cookie';
my $anna = $r;
my $other = log_in($b, 'bert', 'b', from());
is user($b, $other), 'bert', 'another user has another session';
is $other->json->{delete}, JSON::PP::false, '... in which there is nothing to delete';
my $joerg = log_in($b, "j\xc3\xb6rg", 'j');
is $joerg->json->{user}, "j\x{f6}rg", 'a name may have any letters';
is user($b, $joerg), "j\x{f6}rg", '... in a cookie, too';
is whoami($b, basic('bert', 'b'))->{login}, 'password', 'a password is no session';
is whoami($b, basic('bert', 'b'), Cookie => (page_of($b, $anna))[5])->{user}, 'bert', '... and counts where both are sent';
is $b->req(GET => '/berth/v1/whoami', headers => [basic('bert', 'wrong')], from())->status, 401, 'a wrong password is refused, although nobody is needed';
for my $answer ($b->req(GET => '/berth/v1/whoami'), $anna, $b->req(GET => '/berth/v1/events', headers => [basic('bert', 'b')]), $b->req(GET => '/berth/v1/none'),
	$b->req(POST => '/berth/v1/session', body => '{}', headers => [Origin => 'https://evil.example', 'Content-Type' => 'application/json']),
	$b->req(POST => '/berth/v1/repos/team/app/tags:delete', body => '{}', headers => [page_of($b), 'Content-Type' => 'application/json'])) {         # before its body is read
	is join('|', map { $answer->header($_) } 'Cache-Control', 'Vary', 'Cross-Origin-Resource-Policy'), 'no-store|Cookie, Authorization|same-origin', 'no cache keeps an answer of ' . $answer->status . ', and it is for nobody else';
}

# where it counts: below /berth/v1/ and nowhere else
my @cookie = (page_of($b, $anna))[ 4, 5 ];
is $b->req(GET => $_->[0], headers => [@cookie])->status, $_->[1], "$_->[0] ignores the cookie" for ['/v2/', 401], ['/v2/_catalog', 200], ['/v2/team/x/tags/list', 401], ['/v2/token?scope=repository:team/x:pull', 200];
is scalar(@{ claims($b->req(GET => '/v2/token?scope=repository:team/x:pull', headers => [@cookie])->json->{token})->{access} }), 0, 'the cookie gets no token that allows anything';
is $b->req(PUT => '/v2/team/x/manifests/t', headers => [@cookie, 'Content-Type' => OCI_INDEX], body => index_of(OCI_INDEX))->status, 401, 'a cookie pushes nothing';
is $b->req(GET => '/v2/team/x/tags/list', headers => [ Authorization => "Session $cookie[1]", @cookie ], from())->status, 401, '... nor where it is called a scheme';
my $fcgi = Berth::FCGI->new($b->worker_socket);
my %direct = (REQUEST_METHOD => 'GET', REMOTE_ADDR => '127.9.9.9', HTTP_COOKIE => $cookie[1], HTTP_HOST => 'x');
is $fcgi->request(params => { %direct, REQUEST_URI => '/v2/team/x/tags/list' })->status, 401, 'a worker ignores it there, too, whatever a web server passes';
is $fcgi->request(params => { %direct, REQUEST_URI => '/berth/v1/whoami' })->json->{user}, 'anna', '... and not below /berth/v1/';
is scalar(grep { /\Q$cookie[1]\E/ || /\Q@{[$cookie[1] =~ s{.*\.}{}r]}\E/ } $b->log, $b->access_log, $b->error_log), 0, 'no log has the cookie';

# what is no cookie: nobody, and no error
my ($name, $value) = $cookie[1] =~ /(.*?)=(.*)/;
my ($id, $expires, $user, $mac) = split /\./, $value;
for my $bad ('', 'x', '...', "$id.$expires.$user", "$id.$expires.$user.", "$id.$expires.$user.$mac.", "$id.$expires.$user." . ($mac =~ s/^(.)/$1 eq 'A' ? 'B' : 'A'/er),
	"$id." . ($expires + 1) . ".$user.$mac", "$id.0$expires.$user.$mac", "$id.$expires." . encode_base64url('bert') . ".$mac", ($id =~ s/^(.)/$1 eq '0' ? '1' : '0'/er) . ".$expires.$user.$mac",
	"\U$id\E.$expires.$user.$mac", "$id.$expires." . encode_base64url("anna\0") . ".$mac", "$id.$expires." . encode_base64url('x' x 300) . ".$mac", "$id.99999999999999999999.$user.$mac", 'x' x 5000) {
	is_deeply [ whoami($b, Cookie => "$name=$bad")->{login} ], ['anonymous'], 'a cookie of ' . length($bad) . ' bytes that is none is nobody: ' . substr($bad, 0, 30);
}
is whoami($b, Cookie => $_->[0])->{user} // '-', $_->[1], "'" . ($_->[0] =~ s/\Q$value\E/VALUE/gr) . "' is $_->[1]" for ["a=b; $name=$value; c=d", 'anna'], ["$name=$value", 'anna'], ["$name=$value; $name=$value", 'anna'],
	["$name=$value; $name=x", 'anna'], ["$name=x; $name=$value", 'anna'], ["$name=; $name=$value", 'anna'], ["$name=" . 'x' x 1100 . "; $name=$value", 'anna'], ["x$name=$value", '-'], ["${name}2=$value", '-'], ["\u$name=$value", '-'],
	["berth=$value", '-'], ["__Host-$name=$value", '-'], [';;;', '-'];

# nginx does not even pass it on elsewhere: what stands in for the worker says what it got
{
	my $s = Berth::Server->start(workers => 1, config => $auth);
	$s->stop_workers;
	unlink $s->worker_socket;
	my $listen = IO::Socket::UNIX->new(Local => $s->worker_socket, Listen => 20) or die 'listen: ' . $s->worker_socket . ": $!";
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		while (my $c = $listen->accept) {
			my $asked = '';
			while ($asked !~ /\x01\x05\x00\x01\x00\x00..\z/s) { sysread $c, $asked, 1 << 16, length $asked or last }
			syswrite $c, Berth::FCGI::record(Berth::FCGI::FCGI_STDOUT, "Content-Type: text/plain\r\n\r\n" . ($asked =~ /HTTP_COOKIE(?:\Q$cookie[1]\E)/ ? 'a cookie' : 'none')) .
				Berth::FCGI::record(Berth::FCGI::FCGI_END_REQUEST, pack 'NCx3', 0, 0);
			close $c;
		}
		POSIX::_exit(0);
	}
	close $listen;
	is $s->req(GET => $_->[0], headers => [@cookie])->body, $_->[1], "nginx passes on with $_->[0]: $_->[1]" for ['/berth/v1/whoami', 'a cookie'], map { [$_, 'none'] } '/v2/', '/v2/_catalog', '/v2/token?scope=x',
		'/v2/team/x/manifests/1', '/v2/berth/v1/tags/list', '/v2/team/x/tags/list?n=/berth/v1/';
	kill TERM => $pid;
	waitpid $pid, 0;
	$s->stop;
}

# several cookies of one name, as somebody sets one who has another host or path of the domain: the one that verifies counts, and where two do nobody knows whose it is
{
	my $eve = log_in($b, 'bert', 'b', from());
	my $both = join '; ', map { (page_of($b, $_))[5] } $eve, my $mine = log_in($b, 'anna', $password{anna}, from());
	is whoami($b, Cookie => $both)->{user} // '-', '-', 'of the sessions of two users none counts';
	is user($b, $_), $_->json->{user}, '... while each alone does' for $eve, $mine;
	my $out = $b->req(DELETE => '/berth/v1/session', headers => [page_of($b), Cookie => "$name=x; $both"]);
	is $out->status, 204, 'a logout with both';
	is user($b, $_), '-', '... ends each' for $eve, $mine;
	($eve, $mine) = map { log_in($b, @$_, from()) } ['bert', 'b'], ['anna', $password{anna}];
	my $third = log_in($b, 'anna', $password{anna}, headers => [Cookie => join '; ', map { (page_of($b, $_))[5] } $eve, $mine], from());
	is user($b, $_->[0]), $_->[1], 'and so does a login' for [$eve, '-'], [$mine, '-'], [$third, 'anna'];
}

# a session of its own for each login, whatever came along
my $again = log_in($b, 'anna', $password{anna}, headers => [@cookie]);
isnt $again->header('Set-Cookie'), $anna->header('Set-Cookie'), 'a login makes a new session, whatever cookie somebody has set before';
is user($b, $anna), '-', '... and the one that was sent has ended';
is user($b, $again), 'anna', '... while the new one holds';
my $fixed = log_in($b, 'anna', $password{anna}, headers => [Cookie => "$name=of-somebody"]);
unlike $fixed->header('Set-Cookie'), qr/of-somebody/, 'no login takes over the name of a session';

# login: what is wrong
for my $bad (['anna', 'x', 'a wrong password'], ['nobody', 'x', 'an unknown user'], ['', '', 'neither user nor password'], ['anna', '', 'an empty password'], ['x:y', 'z', 'a name with a colon'], ['x' x 300, 'y', 'a name that is too long']) {
	my $no = log_in($b, @$bad[ 0, 1 ], from());
	error_is($no, 401, 'UNAUTHORIZED', "$bad->[2] is refused");
	is $no->header('Set-Cookie'), undef, '... without a cookie';
	is $no->header('WWW-Authenticate'), 'Berth-Session realm="here"', '... and with a challenge for which no browser shows a form of its own';
}
for my $c ([ 'a program', qr/^Bearer / ], [ 'whoever opens an address', qr/^Bearer /, 'Sec-Fetch-Mode' => 'navigate' ], [ 'a script in a browser', qr/^Berth-Session /, 'Sec-Fetch-Mode' => 'cors' ], [ 'the page', qr/^Berth-Session /, 'Berth-Request' => 'page' ]) {
	my ($who, $scheme, @h) = @$c;
	like $b->req(GET => '/berth/v1/status', headers => [@h])->header('WWW-Authenticate'), $scheme, "$who gets a challenge that fits";
	like $b->req(GET => '/v2/', headers => [@h])->header('WWW-Authenticate'), qr/^Bearer /, '... and at /v2/ always the same';
}
for my $bad ([ '{', 'no JSON' ], [ '[]', 'a list' ], [ '{}', 'no members' ], [ '{"user":"anna"}', 'no password' ], [ '{"user":"anna","password":1}', 'a number' ], [ '{"user":"anna","password":"b","password":"c"}', 'a member twice' ],
	[ '{"user":"anna\u0000","password":"b"}', 'a NUL' ], [ '', 'nothing' ]) {
	my $no = $b->req(POST => '/berth/v1/session', body => $bad->[0], headers => [page_of($b), 'Content-Type' => 'application/json']);
	error_is($no, 400, 'UNSUPPORTED', "a body with $bad->[1] is 400");
}
error_is $b->req(POST => '/berth/v1/session', body => '{"user":"anna","password":"' . 'x' x 5000 . '"}', headers => [page_of($b), 'Content-Type' => 'application/json']), 413, 'SIZE_INVALID', 'a long body is 413';
error_is $b->req(POST => '/berth/v1/session', body => '{"user":"anna","password":"b"}', headers => [page_of($b), 'Content-Type' => $_]), 400, 'UNSUPPORTED', "the type $_ is refused" for 'text/plain', 'application/x-www-form-urlencoded', 'application/jsonx';

# logout
my $ends = log_in($b, 'anna', $password{anna});
my $stays = log_in($b, 'anna', $password{anna});
$r = $b->req(DELETE => '/berth/v1/session', headers => [page_of($b, $ends)]);
is $r->status . '|' . $r->header('Set-Cookie'), "204|$name=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict", 'a logout takes the cookie away';
is user($b, $ends), '-', '... and it is worth nothing, should somebody have kept it';
is user($b, $stays), 'anna', '... while another session of the same user goes on';
is $b->req(DELETE => '/berth/v1/session', headers => [page_of($b, $ends)])->status, 204, 'a second logout is none the worse';
is $b->req(DELETE => '/berth/v1/session', headers => [page_of($b)])->status, 204, '... nor is one without a session';
$b->restart;
is user($b, $ends), '-', 'a logout is remembered over a restart';
is user($b, $stays), 'anna', '... and so is a session';
my $ended = $b->root . '/berth/sessions/ended';
my @ended = glob "$ended/*/*";
ok @ended >= 2, 'what has ended is remembered on disk';
is scalar(grep { -s $_ } @ended), 0, '... by names alone';
is mode_of($b->root . '/berth/sessions/key'), '0600', 'nobody else reads the key';
is run(program('berth'), '--config', $b->config_file, '--root', $b->root, 'fsck')->{status}, 0, 'fsck has nothing to say of it';

# tidied: what would have expired is forgotten, the rest is not, and neither is what has another name
my $of_anna = "$ended/" . sha256('anna') =~ s/^sha256://r;
sub logs_out { my ($who, $password) = @_; return $b->req(DELETE => '/berth/v1/session', headers => [page_of($b, log_in($b, $who, $password, from()))])->status }
my $old = "$of_anna/1000000000-00000000-0000-4000-8000-000000000000";
spew($old, '');
spew("$_/odd", '') for $ended, $of_anna;
is logs_out('anna', $password{anna}), 204, 'a logout';
ok !-e $old, '... forgets sessions of the user that would have expired';
is scalar(grep { -e $_ } @ended), scalar(@ended), '... and no other';
my $gone = "$ended/" . 'e' x 64;
make_path("$of_anna/all", "$gone/all");
spew($_, '') for $old, my $all = "$of_anna/all/1000000000", "$gone/all/1000000000";
run_ok(program('berth'), '--config', $b->config_file, '--root', $b->root, 'gc', 'a collection');
is scalar(grep { -e $_ } $old, $all, $gone), 0, '... forgets them, too, and directories that are empty then';
is scalar(grep { -e $_ } @ended), scalar(@ended), '... and no other';
my $names = run(program('berth'), '--config', $b->config_file, '--root', $b->root, 'fsck')->{out};
like $names, qr{\Q$_/odd\E}, 'fsck names what does not belong there' for 'berth/sessions/ended', $of_anna =~ s{.*(?=berth/)}{}r;
unlink "$_/odd" for $ended, $of_anna;
# bounded: a thousand become one, which says it of all that end no later; the user logs in and out as before, and others notice nothing
is user($b, $stays), 'anna', 'a session that goes on';
my $of_bert = log_in($b, 'bert', 'b', from());
my @many = map { sprintf '%s/%d-%08x-0000-4000-8000-000000000000', $of_anna, time + 5000, $_ } 1 .. 1000;
spew($_, '') for @many;
is log_in($b, 'anna', $password{anna}, from())->status, 200, 'a user with a thousand ended sessions logs in';
my $last = log_in($b, 'anna', $password{anna}, from());
is $b->req(DELETE => '/berth/v1/session', headers => [page_of($b, $last)])->status, 204, '... and out';
my @left = glob "$of_anna/*";
is_deeply \@left, ["$of_anna/all"], '... and one name is left for all' or diag scalar @left;
my ($until) = map { m{/(\d{10})\z} } glob "$of_anna/all/*";
is $until, ($last->header('Set-Cookie') =~ /\.(\d{10})\./)[0], '... which says until when';
is user($b, $_), '-', '... also for those that have ended before' for $ends, $last;
is user($b, $stays), '-', '... and those that would have ended before it';
is user($b, $of_bert), 'bert', '... of this user alone';
$stays = log_in($b, 'anna', $password{anna}, from());
is user($b, $stays), 'anna', 'the next login has a session again, even within that second';
cmp_ok(($stays->header('Set-Cookie') =~ /\.(\d{10})\./)[0], '>', $until, '... which ends later');
is run(program('berth'), '--config', $b->config_file, '--root', $b->root, 'fsck')->{status}, 0, 'fsck has nothing to say of that';
$b->restart;
is user($b, $_->[0]), $_->[1], 'nor does a restart change it' for [$last, '-'], [$stays, 'anna'];
unlink glob "$of_anna/all/*";

# the account: its password, and its end
my $carl = log_in($b, 'carl', 'c', from());
my $bert = log_in($b, 'bert', 'b', from());
spew($file, htpasswd(%password, carl => 'new'));
ok wait_for { user($b, $carl) eq '-' }, 'a session ends with the password';
is user($b, log_in($b, 'carl', 'new', from())), 'carl', '... and the new one begins another';
{
	my %left = %password;
	delete $left{carl};
	my $lasts = log_in($b, 'carl', 'new', from());
	spew($file, htpasswd(%left));
	ok wait_for { user($b, $lasts) eq '-' }, 'a session ends with the account';
	spew($file, htpasswd(%left, carl => 'new'));
	ok wait_for { log_in($b, 'carl', 'new', from())->status == 200 }, '... and the account can come back';
}

# time: a cookie says when it ends, and a clock that has passed it does not accept it. The key is known here, so one can be made that has expired.
my $key = slurp($b->root . '/berth/sessions/key');
is length $key, 32, 'the key has 256 bits';
my $b64 = sub { encode_base64url($_[0]) };
sub made
{
	my ($until, $hash) = @_;
	my $stamp = encode_base64url(Digest::SHA::hmac_sha256('anna', $hash));
	my $head = '00000000-0000-4000-8000-000000000001.' . $until . '.' . encode_base64url('anna');

	return "$name=$head." . encode_base64url(Digest::SHA::hmac_sha256("berth session 1\n$head\n$stamp", $key));
}
my ($hash) = slurp($file) =~ /^anna:(.*)$/m;
is whoami($b, Cookie => made(time + 1000, $hash))->{user} // '-', 'anna', 'a cookie made with the key of the store is accepted';
is whoami($b, Cookie => made($_->[0], $hash))->{user} // '-', '-', "... but not one that $_->[1]" for [time - 1, 'has expired'], [time + 13 * 3600, 'lasts longer than any'], [0, 'never was valid'];
is whoami($b, Cookie => made(time + 1000, "${hash}x"))->{user} // '-', '-', '... nor one for another password';

# the key: another one ends all sessions
unlink $b->root . '/berth/sessions/key';
reconfigure($b, slurp($b->config_file));
is user($b, $stays), '-', 'without the key there are no sessions';
my $new = log_in($b, 'anna', $password{anna}, from());
is user($b, $new), 'anna', 'a login makes another one';
for my $bad ('', 'short', 'x' x 40) {
	spew($b->root . '/berth/sessions/key', $bad);
	like run(program('berth'), '--config', $b->config_file, '--root', $b->root, 'fsck')->{out}, qr{berth/sessions/key}, 'fsck names a key of ' . length($bad) . ' bytes';
	reconfigure($b, slurp($b->config_file));
	is user($b, $new), '-', '... which is none';
	is user($b, log_in($b, 'anna', $password{anna}, from())), 'anna', '... and is replaced by the next login';
	is length slurp($b->root . '/berth/sessions/key'), 32, '... with a whole one';
	is mode_of($b->root . '/berth/sessions/key'), '0600', '... that nobody else reads';
}

# robots have sessions, too, which end with them
my $robot = run(program('berth'), '--config', $b->config_file, qw(token add page --repo team/app --may pull --expires 1d))->{out};
my ($secret) = $robot =~ /^secret: (\S+)/m;
my $bot;
ok wait_for { ($bot = log_in($b, 'robot+page', $secret, from()))->status == 200 }, 'a robot logs in';
is user($b, $bot), 'robot+page', '... and has a session';
run_ok(program('berth'), '--config', $b->config_file, qw(token rm page), 'the robot is removed');
ok wait_for { user($b, $bot) eq '-' }, '... and so is its session';

# guesses are slowed down as they are elsewhere, and the two count together
is log_in($b, 'anna', 'x', from => '127.4.0.1')->status, 401, 'a guess' for 1 .. 10;
my $said;
# every six seconds there is one try more
wait_for {
	1 while $b->req(GET => '/v2/', headers => [basic('anna', 'x')], from => '127.4.0.1')->status == 401;
	$said = log_in($b, 'anna', $password{anna}, from => '127.4.0.1');
	$said->status == 429;
};
error_is $said, 429, 'TOOMANYREQUESTS', 'after twenty wrong passwords an address waits, even with the right one';
ok $said->header('Retry-After') > 0, '... and is told how long';
is $said->header('Set-Cookie'), undef, '... without a cookie';
is log_in($b, 'anna', $password{anna}, from => '127.4.0.2')->status, 200, 'another address does not';
is scalar(grep { $_->{event} eq 'audit' && $_->{action} eq 'login_refused' && ($_->{user} // '') eq 'anna' && $_->{remote} eq '127.4.0.1' } $b->log_events) >= 10, 1, 'the audit has the refused logins';
for my $action ('session_begin', 'session_end') {
	ok scalar(grep { ($_->{action} // '') eq $action && ($_->{user} // '') eq 'anna' } $b->log_events), "the audit has $action";
}
is scalar(grep { /quoted/ } $b->log), 0, 'no log has a password';
SKIP: {
	skip memory_closed(), 2 if memory_closed();
	spew($file, slurp($file) . htpasswd(lang => 'ein-langes-geheimnis-4711'));
	my $last;
	ok wait_for { ($last = log_in($b, 'lang', 'ein-langes-geheimnis-4711', from()))->status == 200 }, 'a user with a long password logs in';
	user($b, $last);
	$b->req(DELETE => '/berth/v1/session', headers => [page_of($b, $last)]);
	my ($mac) = $last->header('Set-Cookie') =~ /([\w-]{43});/;
	my @found;
	wait_for(sub { 2 > (@found = in_memory($b, 'htpasswd', 'langes-geheimnis-4711', substr $mac, -20)) });
	is "@found", 'htpasswd', 'neither the password nor what signs the cookie is in the memory of a worker, once it has answered';
}
$b->stop;

# https, as a proxy says it that is trusted: a cookie that no other host can set, and only over https
$b = Berth::Server->start(workers => 1, config => $auth, nginx_args => ['with=proxy', 'proxy=127.0.0.1']);
my @tls = ('X-Forwarded-Proto' => 'https');
my $secure = log_in($b, 'bert', 'b', headers => [@tls], origin => 'https://' . $b->host);
like $secure->header('Set-Cookie'), qr/^__Host-berth-[0-9a-f]{8}=[\w.-]+; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure\z/, 'over https the cookie has a name that no other host can set, and is never sent in clear';
my ($host, $v) = $secure->header('Set-Cookie') =~ /^__Host-(.*?)=([^;]+)/;
is whoami($b, @tls, Cookie => "__Host-$host=$v")->{user} // '-', 'bert', '... it is accepted over https';
is whoami($b, Cookie => "__Host-$host=$v")->{user} // '-', '-', '... and not over http';
is whoami($b, @tls, Cookie => "$host=$v")->{user} // '-', '-', 'a cookie that another host can set is not accepted over https';
is whoami($b, @tls, Cookie => "__Host-$host=$v; $host=x")->{user} // '-', 'bert', '... and disturbs nothing';
$b->stop;
$b = Berth::Server->start(workers => 1, config => $auth);
unlike log_in($b, 'bert', 'b', headers => [@tls])->header('Set-Cookie'), qr/Secure|__Host/, 'a client that is no trusted proxy does not say what the scheme is';
$b->stop;

# a store that has become read-only, as a file system does after an error: the session goes on, and says so
SKIP: {
	skip 'strace is not installed', 5 if !have_program('strace') || !-e '/proc/self/status';
	$b = Berth::Server->start(workers => 1, config => $auth);
	my $lasts = log_in($b, 'bert', 'b', from());
	my @pids = $b->worker_pids;
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		exec 'strace', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=faccessat,faccessat2,mkdirat', '-e', 'inject=faccessat,faccessat2:error=EROFS', map { ('-p', $_) } @pids or POSIX::_exit(127);
	}
	ok wait_for { @pids == grep { my $p = $_; grep { /^TracerPid:\s*[1-9]/ } split /\n/, slurp("/proc/$p/status") } @pids }, 'strace is there';
	my $out = $b->req(DELETE => '/berth/v1/session', headers => [page_of($b, $lasts)]);
	error_is $out, 503, 'UNAVAILABLE', 'a logout that cannot be written down';
	like $out->header('Set-Cookie') // '', qr/^berth-[0-9a-f]{8}=; .*Max-Age=0/, '... takes the cookie away nevertheless';
	is user($b, $lasts), 'bert', '... and is none';
	kill TERM => $pid;
	waitpid $pid, 0;
	is $b->req(DELETE => '/berth/v1/session', headers => [page_of($b, $lasts)])->status, 204, 'where the store can be written again it is one';
	$b->stop;
}

# two registries on one host: browsers send cookies to all ports of it
{
	my ($one, $two) = map { Berth::Server->start(workers => 1, config => $auth) } 1 .. 2;
	my ($first, $second) = map { (page_of($_, log_in($_, 'bert', 'b', from())))[5] } $one, $two;
	isnt $first =~ s/=.*//r, $second =~ s/=.*//r, 'two registries on one host have cookies of two names';
	is whoami($_, Cookie => "$first; $second")->{user} // '-', 'bert', '... and neither disturbs the other' for $one, $two;
	is $two->req(DELETE => '/berth/v1/session', headers => [page_of($two), Cookie => "$first; $second"])->header('Set-Cookie') =~ s/=.*//r, $second =~ s/=.*//r, 'a logout from one';
	is whoami($one, Cookie => $first)->{user} // '-', 'bert', '... is none from the other';
	$_->stop for $one, $two;
}

# the first logins of a store, at once, in several workers: one key
$b = Berth::Server->start(workers => 4, config => $auth);
my @logins = map { @$_ } run_parallel(4, sub { my ($who) = @_; return [ map { (log_in($b, 'bert', 'b', from => "127.5.$who.$_")->header('Set-Cookie') // '-') =~ /^([^;]+)/ } 1 .. 5 ] });
is scalar(@logins), 20, 'twenty log in at once';
is join(' ', map { user($b, $_) } (@logins) x 2), join(' ', ('bert') x 40), '... and each has a session that every worker knows';
is scalar(keys %{ { map { $_ => 1 } @logins } }), 20, '... and no two have the same';
$b->stop;

# where there is no form
for my $c (['page = false', "page = false;\n$auth"], ['an open registry', ''], ['nginx knows the user', "auth = { remote_user = true; htpasswd = \"$file\"; };\n", remote_user => '$http_x_user']) {
	my ($what, $config, @o) = @$c;
	$b = Berth::Server->start(workers => 1, config => $config, @o);
	is whoami($b)->{form}, JSON::PP::false, "$what: there is no form";
	error_is log_in($b, 'bert', 'b'), 404, 'NAME_UNKNOWN', '... and no login by one';
	ok !-e $b->root . '/berth/sessions', '... and no key is made';
	$b->stop;
}
# read-only, and below a prefix
$b = Berth::Server->start(workers => 1, config => "readonly = true;\nhttp = { prefix = \"/reg\"; };\n$auth", root => do { my $w = Berth::Server->start(workers => 1); $w->stop_nginx; $w->stop_workers; run_ok('cp', '-R', $w->root, "$dir/ro", 'a store'); $w->stop; "$dir/ro" });
my $in = $b->req(POST => '/reg/berth/v1/session', body => '{"user":"bert","password":"b"}', headers => [page_of($b), 'Content-Type' => 'application/json']);
is $in->status, 200, 'a read-only registry has sessions, too, and so has one below a prefix';
is $b->req(GET => '/reg/berth/v1/whoami', headers => [(page_of($b, $in))[ 4, 5 ]])->json->{user}, 'bert', '... with a cookie that is accepted there';
$b->stop;
done_testing;
