#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What the page makes of links to nothing, of answers in parts, of one that was lost, and of what the registry says of itself.
# The answers that a registry seldom gives are made in the browser.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Berth::Auth;
use Berth::Test;
use Berth::Page;

plain_build_only('it looks at what the browser does');

my @root = ('root', 'pass-root');
my $s = page_server(users => {@root}, config => 'delete = true; undo = "7d"; auth = { htpasswd = "@HTPASSWD@"; access = (
	{ who = [ "root" ]; repo = "**"; may = [ "push", "delete", "admin" ]; }, { who = [ "@anonymous" ]; repo = "busybox"; may = [ "pull" ]; } ); };');
put_image($s, \@root, 'team/app', $_, layers => ["of $_"]) for qw(a b c);
put_image($s, \@root, 'busybox', '1.0');

my $w = Berth::Browser->start;
$w->cdp('Page.addScriptToEvaluateOnNewDocument', source => <<'END');
const real = window.fetch;
window.sent = [];
window.answers = {};
window.fetch = async (url, options = {}) => {
	const path = new URL(url).pathname.replace(/^.*\/berth\/v1\//, '');
	const one = { method: options.method ?? 'GET', path, header: options.headers?.['Berth-Request'] ?? '', body: options.body ? JSON.parse(options.body) : null };
	window.sent.push(one);
	const list = window.answers[`${one.method} ${path}`] ?? [];
	const next = list.length > 1 ? list.shift() : list[0];
	if (!next || (next.only && !(next.only in one.body)))
		return real(url, options);
	if (next.real)
		await real(url, options);
	return new Response(JSON.stringify(next.body ?? {}), { status: next.status ?? 200, headers: next.headers ?? {} });
};
END
sub answer { my ($what, @list) = @_; $w->js('window.answers[arguments[0]] = arguments[1]', $what, \@list); return }
sub to { my ($hash) = @_; $w->js('location.hash = arguments[0]', "#/$hash"); return }
sub sent { my ($what) = @_; return @{ $w->js('return window.sent.filter((e) => `${e.method} ${e.path}` === arguments[0]).map((e) => e.body)', $what) } }
sub refusal { my ($detail) = @_; return { errors => [{ code => 'UNAVAILABLE', message => 'service unavailable', detail => $detail }] } }
sub choose { my ($tag) = @_; $w->click("input[aria-label=\"select $tag\"]"); $w->click('.chosen .danger'); $w->click('dialog .dialog-foot .danger', 'Delete 1 tag'); return }

ok sign_in($w, $s, @root), 'the form logs in';

# links that name no repository, tag or digest
for my $hash ('repo/team/app/../../busybox', 'repo/..', 'repo/team/./app', 'repo/team//app', 'repo/team%2F..%2Fapp', 'repo/Team', 'repo/' . 'a/' x 3000 . 'a', 'repo/', 'deleted/team/..', 'deleted/',
	'image/team/../busybox:1.0', 'image/team/app:..', 'image/team/app:$(id)', 'image/team/app@sha256:12', 'image/team/app@../tags', 'image/') {
	visit($w, $s, $hash);
	my $name = substr $hash, 0, 40;
	ok $w->has('.empty h1', 'Not found'), "#/$name is nothing" or diag substr $w->text('body'), 0, 300;
	is $w->js('return window.sent.map((e) => `${e.method} ${e.path}`).join(" ")'), 'GET whoami', '... and is not asked for';
	is $w->count('.copy, .command, .crumbs'), 0, '... nor a name to copy';
	like $w->js('return document.title'), qr/^Not found/, '... nor in the title';
}
is $w->js(<<'END'), 'RangeError RangeError 0', 'and no request leaves the path of what it is for';
return import(document.querySelector('script[type=module]').src.replace('app.js', 'api.js')).then(async ({ get, send, repoPath }) => {
	window.sent = [];
	const names = await Promise.all([get(repoPath('team/../busybox', 'tags')), send('POST', repoPath('team', 'manifests/..'), {})].map((one) => one.then(() => 'asked', (error) => error.name)));
	return [...names, window.sent.length].join(' ');
});
END

# what each request says
visit($w, $s, 'repo/team/app');
ok $w->has('.tag-list .body .row', 'c') && settled($w), 'a repository is shown';
is $w->js('return window.sent.map((e) => `${e.method} ${e.header}`).join(" ")'), 'GET page GET page', 'each GET says that it is of the page';

# an answer that was lost: what may have gone can be brought back, and nothing that was pushed meanwhile is lost by that
answer('POST repos/team/app/tags:delete', { only => 'token', real => 1, status => 503, body => refusal(undef) });
choose('a');
ok $w->has('dialog .bad', 'nobody knows'), 'a deletion without an answer says that nobody knows' or diag $w->text('dialog');
ok $w->has('.toast', 'a may have gone'), '... and names what may have gone';
$w->press('Escape');
answer('POST repos/team/app/tags:restore', { body => { restored => [], failed => [{ tag => 'a', why => 'pushed again meanwhile' }] } });
$w->click('.toast button', 'Undo');
ok $w->has('.toast', '1 tag had not gone, or did not come back: a: pushed again meanwhile'), '... which Undo asks for, and says what came of it' or diag $w->text('.told');
my ($asked) = sent('POST repos/team/app/tags:restore');
ok exists $asked->{tags}[0]{expect} && !defined $asked->{tags}[0]{expect}, 'Undo expects that the tag is absent';
like $asked->{tags}[0]{digest}, qr/^sha256:/, '... and says what it was';
visit($w, $s, 'deleted/team/app');
answer('POST repos/team/app/tags:restore', { body => { restored => [], failed => [{ tag => 'a', why => 'pushed again meanwhile' }] } });
$w->click('.gone .body button', 'Bring back');
ok $w->has('.toast', '1 tag did not come back: a: pushed again meanwhile'), 'bringing back says so, too';
($asked) = sent('POST repos/team/app/tags:restore');
ok exists $asked->{tags}[0]{expect} && !defined $asked->{tags}[0]{expect}, '... and expects the same';
visit($w, $s, 'repo/team/app');
answer('POST repos/team/app/tags:delete', { only => 'token', status => 503, body => refusal('the disk is full') });
choose('b');
ok $w->has('dialog .bad', 'The registry says: the disk is full; look'), 'a worker that fails is told of in its own words';
$w->press('Escape');

# a plan in parts
my ($x, $y) = map { 'sha256:' . $_ x 64 } 1, 2;
visit($w, $s, 'repo/team/app');
$w->has('.tag-list .body .row', 'b');
answer('POST repos/team/app/tags:delete', { body => { tags => [{ tag => 'b', digest => $x }], kept_content => [{ digest => $x, by => 'c' }, { digest => $y, by => 'z' }], frees => 1000, token => 'one', next => 'b' } },
	{ body => { tags => [{ tag => 'c', digest => $x }], kept_content => [], frees => 2000, token => 'two' } });
$w->click('.bar button', 'Clean up');
$w->type('.filter-form input', '*');
ok $w->has('dialog .outcome', '2 tags go, and at least 3kB of content'), 'a plan in two parts says at least what it frees' or diag $w->text('dialog');
ok $w->has('dialog .listed summary', '1 image stays'), '... and of what stays leaves out what a tag holds that goes itself' or diag $w->text('dialog');
$w->press('Escape');

# the text of the filter in a pattern
for my $case (['a', '*a*'], ['*', ''], ['[a-c]', ''], ['?', '']) {
	my ($text, $pattern) = @$case;
	visit($w, $s, 'repo/team/app?q=' . $text =~ s/([^a-z])/sprintf '%%%02X', ord $1/ger);
	$w->click('.bar button', 'Clean up');
	is $w->js('return document.querySelector(".filter-form input").value'), $pattern, "the filter '$text' becomes the pattern '$pattern'";
}

# what the registry says of itself
visit($w, $s, '');
ok $w->has('.repos .body .row', 'busybox'), 'all repositories';
by_hand_alone($w);
answer('GET repos/busybox/tags', { status => 503, body => refusal('the disk is full') });
to('repo/busybox');
ok $w->has('.away', 'The registry says: the disk is full.'), 'a 503 with a reason is told with it';
answer('GET repos/busybox/tags');
$w->click('.away button', 'Try now');
ok $w->has('.tag-list .body .row', '1.0') && $w->until('return !document.querySelector(".away")'), '... and tried again';
answer('GET gc', { body => { running => { began => '2026-01-01T00:00:00Z', phase => 'cache' } } });
to('gc');
ok $w->has('.card', 'letting go what nobody pulls of other registries'), 'a collection says in words what it does';
ok $w->has('.bar .button', 'Begin one now'), '... and can be begun';
for my $case ([{}, 0], [{ bytes => 5 }, 1]) {
	visit($w, $s, '');
	$w->has('.repos .body .row', 'busybox');
	answer('GET status', { body => { version => '1', mirrors => [{ name => 'docker.io', %{ $case->[0] } }] } });
	to('status');
	ok $w->has('.card', 'docker.io'), 'a mirror is listed';
	is $w->count('#mirrors + table th') - 1, $case->[1], '... with what it keeps where that is known';
}

# a session that has ended meanwhile
visit($w, $s, 'repo/busybox');
ok $w->has('.user-name', 'root') && settled($w), 'somebody is logged in';
$w->cdp('Network.clearBrowserCookies');
$w->js('document.dispatchEvent(new Event("visibilitychange"))');
ok $w->has('.user a', 'Log in'), 'a page that is looked at again notices that nobody is';
ok $w->has('.tag-list .body .row', '1.0'), '... and shows what is for everybody';

# too many tries
$w->click('.user a', 'Log in');
answer('POST session', { status => 429, headers => { 'Retry-After' => '7' }, body => { errors => [{ code => 'TOOMANYREQUESTS', message => 'too many requests', detail => 'too many failed logins' }] } });
$w->type('input[name=user]', 'root');
$w->type('input[name=password]', 'x');
$w->click('.login .primary');
ok $w->has('#login-said', 'too many failed logins. Try again in 7 s.'), 'a 429 is told in the words of the registry, with the time';
is complaints($w, 503), '', 'and the browser has nothing to complain of';

# a registry that is read-only
my ($file) = slurp($s->config_file) =~ /htpasswd = "([^"]+)"/;
reconfigure($s, qq(readonly = true; auth = { htpasswd = "$file"; };));
$w->open('about:blank');
ok sign_in($w, $s, @root), 'a registry that is read-only takes a login';
visit($w, $s, 'gc');
ok $w->has('.card', 'The next one') && settled($w), 'the collections of a registry that is read-only are shown';
is $w->count('.bar .button'), 0, '... without a button that begins one';

done_testing;
