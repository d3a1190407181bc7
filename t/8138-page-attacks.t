#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What others try with the browser of somebody who is logged in: a script in the page, a change from another page, a session that was laid there before, the page in
# a frame, what a cache has kept, a login that leads elsewhere. Each of these succeeds once what is against it is taken out.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use POSIX ();
use Berth::Auth;
use Berth::Test;
use Berth::Page;

my %users = (anna => 'pass-anna', eve => 'pass-eve');
my $s = page_server(users => \%users, config => 'delete = true; auth = { htpasswd = "@HTPASSWD@"; };');
my @anna = ('anna', $users{anna});
put_image($s, \@anna, 'team/app', $_) for qw(1.0 2.0);
my $own = $s->url;

# The page of somebody else, on another port of this host: the browser takes it for the same site, and sends the cookie from there, however strict that is.
my $said = tmp_dir() . '/evil';
spew($said, '');
my $listen = IO::Socket::INET->new(Listen => 20, LocalAddr => '127.0.0.1') or die "listen: $!";
my $evil = 'http://127.0.0.1:' . $listen->sockport . '/';
my $evil_pid = fork // die "fork: $!";
if (!$evil_pid) {
	while (my $c = $listen->accept) {
		while (defined(my $line = <$c>)) { last if $line eq "\r\n" }
		my $body = slurp($said);
		print {$c} "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nAccess-Control-Allow-Origin: *\r\nConnection: close\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
		close $c;
	}
	POSIX::_exit(0);
}
close $listen;
END { if ($evil_pid) { local $?; kill TERM => $evil_pid; waitpid $evil_pid, 0 } }
sub evil_page { my ($body) = @_; spew($said, "<!doctype html><title>x</title>$body"); return $evil }
sub tags { return join ' ', map { $_->{tag} } @{ $s->req(GET => '/berth/v1/repos/team/app/tags?sort=name', headers => [basic(@anna)])->json->{tags} } }
sub user_of { my ($cookie) = @_; return $s->req(GET => '/berth/v1/whoami', headers => [Cookie => $cookie])->json->{user} // '-' }
my $w = Berth::Browser->start;
sub cookies { return map { "$_->{name}=$_->{value}" } @{ $w->cdp('Network.getAllCookies')->{cookies} } }

# --- a script in the page: suppose that some text has become markup after all
ok sign_in($w, $s, @anna), 'somebody is logged in';
visit($w, $s, 'repo/team/app');
ok $w->has('.tag-list .body .row', '1.0') && settled($w), '... and looks at a repository';
is complaints($w), '', '... without a complaint of the browser';
evil_page('');
$w->js(<<'END', $evil);
window.refused = new Set();
document.addEventListener('securitypolicyviolation', (event) => refused.add(event.effectiveDirective));
const add = (name, set) => document.body.append(Object.assign(document.createElement(name), set));
add('script', { textContent: 'window.hit = "inline"' });
add('script', { src: `data:text/javascript,window.hit="data"` });
add('script', { src: arguments[0] });
const image = document.createElement('img');
image.setAttribute('onerror', 'window.hit = "onerror"');
image.src = 'data:,none';
document.body.append(image);
const link = document.createElement('a');
link.href = 'javascript:window.hit="link"';
document.body.append(link);
link.click();
add('iframe', { srcdoc: '<script>parent.hit = "frame"</script>' });
add('iframe', { src: arguments[0] });
add('object', { data: arguments[0] });
add('audio', { src: arguments[0], preload: 'auto' });
add('img', { src: `${arguments[0]}?told` });
add('style', { textContent: 'body { display: none }' });
add('base', { href: arguments[0] });
add('form', { action: arguments[0], method: 'post' });
document.forms[document.forms.length - 1].submit();
setTimeout(() => { window.over = true }, 1);
END
ok $w->until('return window.over'), 'text that has become markup';
my $each = 'base-uri form-action frame-src img-src media-src object-src script-src-attr script-src-elem style-src-elem';
ok $w->until('return [...refused].sort().join(" ") === arguments[0]', $each), '... is refused by the browser, each kind of it' or diag $w->js('return [...refused].sort().join(" ")');
is $w->js('return window.hit ?? null'), undef, '... no script of it ran';
is $w->js('return getComputedStyle(document.body).display !== "none" && document.baseURI'), "$own/#/repo/team/app", '... no style counts, and no other base';
is $w->js('return fetch(arguments[0]).then(() => "told", (error) => error.name)', $evil), 'TypeError', '... and nothing can be told to another host';
ok $w->until('return refused.has("connect-src")'), '... by a request, either';
$w->said;

# --- a change that another page asks for, with the cookie of who looks at it
my $body = <<'END';
<form id="f" method="post" enctype="text/plain" target="t" action="OWN/berth/v1/repos/team/app/tags:delete"><input name='{"tags":["1.0"],"x":"' value='"}'></form><iframe name="t"></iframe>
<script>
window.out = {};
const body = '{"tags":["1.0"]}';
const to = 'OWN/berth/v1/repos/team/app/tags:delete';
const ways = {
	simple: () => fetch(to, { method: 'POST', mode: 'no-cors', credentials: 'include', body }),
	header: () => fetch(to, { method: 'POST', credentials: 'include', headers: { 'Berth-Request': 'page', 'Content-Type': 'application/json' }, body }),
	read: () => fetch('OWN/berth/v1/whoami', { credentials: 'include' }).then((r) => r.text()),
	logout: () => fetch('OWN/berth/v1/session', { method: 'DELETE', credentials: 'include' }),
	login: () => fetch('OWN/berth/v1/session', { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{"user":"eve","password":"pass-eve"}' }),
};
(async () => {
	for (const [name, go] of Object.entries(ways))
		await go().then((r) => window.out[name] = typeof r === 'string' ? r : r.type, (e) => window.out[name] = e.name);
	document.getElementById('f').submit();
	document.getElementsByName('t')[0].onload = () => window.done = true;
})();
</script>
END
$w->open(evil_page($body =~ s/OWN/$own/gr));
ok $w->until('return window.done'), 'the page of somebody else asks for changes, in each way that a browser knows';
my $out = $w->js('return window.out');
is join(' ', map { "$_=$out->{$_}" } sort keys %$out), 'header=TypeError login=TypeError logout=TypeError read=TypeError simple=TypeError', '... without reading an answer';
is tags(), '1.0 2.0', '... nothing was deleted';
my @asked = grep { $_->{uri} =~ /tags:delete|session/ && $_->{method} ne 'OPTIONS' && ($_->{status} // 0) != 200 } $s->access_events;
is join(' ', map { $_->{status} } grep { $_->{method} eq 'POST' } @asked), '403 403 403', '... though the browser has asked' or diag join "\n", map { "$_->{method} $_->{uri} $_->{status}" } @asked;
my ($cookie) = cookies();
is user_of($cookie), 'anna', '... and who is logged in is who was';
$w->said;

# --- the page in a frame, so that somebody clicks there without knowing
asked($s);
$w->open(evil_page("<iframe src='$own/#/repo/team/app' onload='window.loaded = true' style='opacity: .01'></iframe>"));
ok $w->until('return window.loaded'), 'the page of somebody else has this one in a frame';
my @refused;
ok wait_for(sub { push @refused, $w->said; grep { /frame-ancestors/ } @refused }), '... which the browser refuses' or diag join "\n", @refused;
is join(' ', asked($s)), '', '... so nothing of it runs there';

# --- what was kept of answers
visit($w, $s, 'repo/team/app');
ok $w->has('.tag-list .body .row', '1.0') && settled($w), 'a repository is shown';
for my $path ('berth/v1/whoami', 'berth/v1/repos', 'berth/v1/repos/team/app/tags', 'berth/v1/repos/team/app/manifests/1.0', 'berth/v1/none') {
	is $w->js('return fetch(arguments[0]).then(() => fetch(arguments[0], { cache: "only-if-cached", mode: "same-origin" })).then((r) => r.status === 504 ? "nothing" : `kept: ${r.status}`, () => "nothing")', "$own/$path"),
		'nothing', "the browser keeps no answer of $path";
}
$w->click('.user button', 'Log out');
ok $w->has('.empty', 'Log in') || $w->has('.user a', 'Log in'), 'after the logout';
$w->open('about:blank');
$w->post('/back');
ok $w->has('.user a', 'Log in'), '... the way back';
is $w->count('.tag-list .body .row'), 0, '... leads to nothing that was for the one who has gone';
my $front = $w->js('return fetch(arguments[0], { headers: { Accept: "text/html" } }).then((r) => fetch(arguments[0], { cache: "force-cache", headers: { Accept: "*/*" } })).then((r) => r.text())', "$own/");
is $front, '', 'and what was kept of the page for a browser is not given to a program';
$w->said;

# --- a session that somebody has laid into the browser
my $eve = log_in($s, 'eve', $users{eve})->header('Set-Cookie') =~ s/;.*//r;
my ($name, $value) = split /=/, $eve, 2;
for my $case ([$value, 'of an account of one\'s own'], ['11111111-1111-4111-8111-111111111111.9999999999.YW5uYQ.' . 'A' x 43, 'of one\'s own making']) {
	my ($laid, $what) = @$case;
	$w->cdp('Network.clearBrowserCookies');
	$w->cdp('Network.setCookie', name => $name, value => $laid, url => $own);
	visit($w, $s, '');
	ok $w->has('.user a, .user button'), "with a session $what";
	is $w->js(<<'END', @anna), 'anna', '... somebody logs in';
return import(document.querySelector('script[type=module]').src.replace('app.js', 'api.js')).then(({ send }) => send('POST', 'session', { user: arguments[0], password: arguments[1] })).then((who) => who.user);
END
	my @now = cookies();
	is scalar(@now), 1, '... and has one session';
	isnt(($now[0] =~ /=([^.]+)/)[0], ($laid =~ /^([^.]+)/)[0], '... another one');
	is user_of($now[0]), 'anna', '... which is theirs';
	is user_of("$name=$laid"), '-', '... while the one that was laid there is nobody\'s';
}

# --- a login that leads elsewhere: the form (t/8133-page-hostile.t), and the link of who is logged in already
my $hash = sub { return $_[0] =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger };
for my $to ('javascript:window.hit=1', '//other.example/', 'https://other.example/#/', '#/login?to=x', '/v2/', '#/repo/team/app') {
	visit($w, $s, 'login?to=' . $hash->($to));
	ok $w->has('.empty a.button', 'Go on'), "who is logged in, and is sent to $to";
	is $w->js('return document.querySelector(".empty a.button").href'), $to eq '#/repo/team/app' ? "$own/#/repo/team/app" : "$own/#/", '... goes on within the page';
}

done_testing;
