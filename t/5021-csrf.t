#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What the page of another site cannot do, although the browser that shows it is logged in here: each defence by itself. A request
# of that page has whatever a browser adds, and what a page of another site can choose.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;

my $dir = tmp_dir();
chmod 0755, $dir;
spew("$dir/htpasswd", htpasswd(anna => 'a', eve => 'e'));
my $auth = "auth = { htpasswd = \"$dir/htpasswd\"; };\n";
my $b = Berth::Server->start(workers => 2, config => "delete = true;\n$auth");
my $own = $b->url;
my $anna = log_in($b, 'anna', 'a');
my ($cookie) = $anna->header('Set-Cookie') =~ /^([^;]+)/;
my @cookie = (Cookie => $cookie);
my @header = ('Berth-Request' => 'page');

# change - what a change comes to: "done", or the status and why. A logout is the change that is always there; it is taken back by a new login.
sub change
{
	my ($s, @headers) = @_;
	my $r = $s->req(DELETE => '/berth/v1/session', headers => [@headers]);

	return 'done' if $r->status == 204;
	return $r->status . ' ' . $r->json->{errors}[0]{code} . ' ' . $r->json->{errors}[0]{message};
}
sub is_in { my ($s, @c) = @_; return $s->req(GET => '/berth/v1/whoami', headers => [ @c ? @c : @cookie ])->json->{login} }

my $no_header = '403 DENIED this change needs the header Berth-Request: page';
my $no_origin = '403 DENIED a change with a cookie needs the Origin of this registry';
my $other = '403 DENIED this change was asked for by a page of another origin';

# a header that a page of another site can send only after a preflight, which nobody allows
is change($b, @cookie, Origin => $own), $no_header, 'a cookie without the header changes nothing';
is change($b, @cookie, Origin => $own, 'Berth-Request' => $_), $no_header, "... nor with '$_'" for '', '1', 'Page', 'page, page';
is change($b, @cookie, 'Sec-Fetch-Site' => 'same-origin'), $no_header, '... nor where the browser says that the page is our own';
for my $path ('session', 'gc') {
	my $pre = $b->req(OPTIONS => "/berth/v1/$path", headers => [Origin => 'https://evil.example', 'Access-Control-Request-Method' => 'POST', 'Access-Control-Request-Headers' => 'berth-request']);
	is scalar(grep { /^Access-Control/i } map { /^([\w-]+):/ } split /\r\n/, $pre->raw_headers), 0, "a preflight for $path allows nothing" if $pre->status == 204;
}
# the origin, which a page cannot choose
is change($b, @cookie, @header), $no_origin, 'a cookie with the header, and without an origin, changes nothing';
is change($b, @cookie, @header, Origin => $_), $other, "... nor from $_" for 'https://evil.example', 'null', 'http://127.0.0.1', "$own.evil.example", ($own =~ s/^http/ftp/r), '', ($own =~ s{//}{//evil@}r), "http://evil.example/$own", "$own/", 'http://localhost:' . $b->port;
# what newer browsers say beside it
is change($b, @cookie, @header, Origin => $own, 'Sec-Fetch-Site' => $_), $other, "... nor where the browser says $_" for 'cross-site', 'same-site', 'none', 'same-origin, cross-site', '';
is is_in($b), 'session', 'all of that has changed nothing';

# with each of the two there is a way
is change($b, @cookie, @header, Origin => $own), 'done', 'the page itself may';
is is_in($b), 'anonymous', '... and it is done';
my $login = sub { ($cookie) = log_in($b, 'anna', 'a')->header('Set-Cookie') =~ /^([^;]+)/; @cookie = (Cookie => $cookie); return };
$login->();
is change($b, @cookie, @header, Origin => 'http://other.name', 'Sec-Fetch-Site' => 'same-origin'), 'done', '... also behind a proxy that gives another Host, by what the browser says';
$login->();

# a login as somebody else, so that the victim works in an account of the attacker's
my %text = (body => '{"user":"eve","password":"e"}');
my $eve = sub { my $r = $b->req(POST => '/berth/v1/session', %text, headers => [@_]); return $r->status . ($r->header('Set-Cookie') ? ' cookie' : '') };
is $eve->('Content-Type' => 'application/json', Origin => $own), '403', 'a login without the header is none';
is $eve->('Content-Type' => 'application/json', 'Sec-Fetch-Site' => 'same-origin'), '403', '... whatever the browser says';
is $eve->('Content-Type' => 'application/json', @header, Origin => 'https://evil.example'), '403', '... nor one from another origin';
is $eve->('Content-Type' => 'application/json', @header, 'Sec-Fetch-Site' => 'cross-site'), '403', '... nor across sites';
is $eve->('Content-Type' => 'text/plain', @header, Origin => $own), '400', '... nor as a form sends text';
is $eve->('Content-Type' => 'application/json', @header, Origin => $own), '200 cookie', 'the page itself may log in';

# Authorization says it all; but a browser that remembers a login sends it from the pages of other sites, too
is change($b, basic('anna', 'a')), 'done', 'a program with a password needs neither';
is change($b, basic('anna', 'a'), Origin => $own), 'done', '... and may say where it is';
is change($b, basic('anna', 'a'), Origin => 'https://evil.example'), $other, 'a login that a browser remembers is not for the page of another site';
is change($b, basic('anna', 'a'), 'Sec-Fetch-Site' => 'cross-site', @header), $other, '... whatever header there is';
is change($b, @cookie, basic('anna', 'a'), 'Sec-Fetch-Site' => 'same-origin'), 'done', 'with both the password counts';

# reading: no page of another site gets an answer, whatever http.cors says
for my $path ('whoami', 'events', 'none') {
	my $r = $b->req(GET => "/berth/v1/$path", headers => [@cookie, Origin => 'https://evil.example']);
	is scalar(grep { /^Access-Control/i } split /\r\n/, $r->raw_headers), 0, "GET $path can be read by no page of another site";
	is join('|', map { $r->header($_) } 'X-Content-Type-Options', 'Cross-Origin-Resource-Policy'), 'nosniff|same-origin', '... nor be embedded there as a script or an image';
	like $r->header('Content-Type'), qr{^application/json}, '... and is no HTML, whatever is in it';
}
ok scalar(grep { ($_->{action} // '') eq 'right_refused' && ($_->{reason} // '') =~ /another origin/ && ($_->{user} // '') eq 'anna' } $b->log_events), 'the audit has what was refused, and in whose name';
# a redirect after a login to somewhere else, and a text that comes back as HTML: there is neither
for my $to ('?next=https://evil.example', '?redirect=//evil.example', '?url=https://evil.example') {
	my $r = $b->req(POST => "/berth/v1/session$to", body => '{"user":"anna","password":"a","next":"https://evil.example"}', headers => [page_of($b), 'Content-Type' => 'application/json']);
	is join('|', $r->status, grep { defined } map { $r->header($_) } 'Location', 'Refresh'), '200', "a login with $to leads nowhere";
	unlike $r->as_string, qr/evil/, '... and says nothing of it';
}
my $odd = $b->req(GET => '/berth/v1/%3Cscript%3Ealert(1)%3C/script%3E', headers => [Accept => 'text/html']);
is $odd->header('Content-Type') . '|' . $odd->header('X-Content-Type-Options'), 'application/json; charset=utf-8|nosniff', 'what a path says comes back as no HTML';
$b->stop;

# http.cors is for /v2/, and gives no page of another site anything here
$b = Berth::Server->start(workers => 1, config => "http = { cors = \"https://ui.example\"; };\n$auth");
my ($c) = log_in($b, 'anna', 'a')->header('Set-Cookie') =~ /^([^;]+)/;
for my $path ('whoami', 'session') {
	for my $method ('GET', 'OPTIONS', 'DELETE') {
		my $r = $b->req($method, "/berth/v1/$path", headers => [Cookie => $c, Origin => 'https://ui.example', 'Access-Control-Request-Method' => 'DELETE', 'Access-Control-Request-Headers' => 'berth-request']);
		is scalar(grep { /^Access-Control/i } split /\r\n/, $r->raw_headers), 0, "http.cors says nothing of $method $path";
	}
}
is change($b, Cookie => $c, @header, Origin => 'https://ui.example'), $other, '... and its origin changes nothing';
$b->stop;

# an open registry: a page of another site reaches it from inside a network
$b = Berth::Server->start(workers => 1, config => '');
is change($b, Origin => $b->url), $no_header, 'where nobody logs in a change from a browser needs the header, too';
is change($b, 'Sec-Fetch-Site' => 'same-origin'), $no_header, '... whatever it says';
is change($b, Origin => 'null', @header), $other, '... and a page that hides where it is may nothing';
is change($b, Origin => 'https://evil.example', @header), $other, '... and not another origin';
is change($b), 'done', '... while a program need not know of it';
is change($b, Cookie => 'berth=x'), 'done', '... nor where it sends a cookie that is none';
is change($b, Origin => $b->url, @header), 'done', '... and the page';
$b->stop;

# the user whom nginx knows, in each request of the browser
$b = Berth::Server->start(workers => 1, config => "auth = { remote_user = true; };\n", nginx_extra => 'set $who $http_x_certificate;', remote_user => '$who');
my @certificate = ('X-Certificate' => 'anna');
is $b->req(GET => '/berth/v1/whoami', headers => [@certificate])->json->{login}, 'proxy', 'nginx knows the user';
is change($b, @certificate), $no_header, '... for whom a change needs the header';
is change($b, @certificate, basic('anna', 'a')), $no_header, '... whatever login is beside it';
is change($b, @certificate, @header, Origin => 'https://evil.example'), $other, '... and not another origin';
is change($b, @certificate, @header, 'Sec-Fetch-Site' => 'cross-site'), $other, '... nor another site';
is change($b, @certificate, @header), 'done', 'a program may';
is change($b, @certificate, @header, Origin => $b->url), 'done', '... and the page';
$b->stop;

# the origin as the browser has it: https, and the host that a trusted proxy or the configuration names
$b = Berth::Server->start(workers => 1, config => "http = { host = \"https://reg.example/\"; };\n$auth", nginx_args => ['with=proxy', 'proxy=127.0.0.1']);
my @tls = ('X-Forwarded-Proto' => 'https', 'X-Forwarded-Host' => 'in.example:8443');
my $try = sub {
	my ($origin, @more) = @_;
	my ($have) = log_in($b, 'anna', 'a', headers => [@tls], origin => 'https://in.example:8443')->header('Set-Cookie') =~ /^([^;]+)/;
	return change($b, @tls, @header, Cookie => $have, Origin => $origin, @more);
};
is $try->($_), 'done', "$_ is this registry" for 'https://in.example:8443', 'https://reg.example', 'https://IN.example:8443';
is $try->($_), $other, "$_ is not" for 'http://in.example:8443', 'http://reg.example', 'https://in.example', 'https://reg.example.evil', 'https://reg', 'https', $b->url;
$b->stop;
done_testing;
