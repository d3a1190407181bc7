#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Logins of the page: what nobody sees, two users with different rights, a wrong password, the logout, a user that nginx knows.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Auth;
use Berth::Test;
use Berth::Page;

my %users = (root => 'pass-root', anna => 'pass-anna', ben => 'pass-ben');
my $access = <<'END';
delete = true;
undo = "7d";
auth = { htpasswd = "@HTPASSWD@"; access = (
	{ who = [ "root" ]; repo = "**"; may = [ "push", "delete", "admin" ]; },
	{ who = [ "anna" ]; repo = "team/**"; may = [ "push", "delete" ]; },
	{ who = [ "ben" ]; repo = "team/app"; may = [ "pull" ]; },
	{ who = [ "@anonymous" ]; repo = "busybox"; may = [ "pull" ]; } ); };
END
my $s = page_server(users => \%users, config => $access);
fill($s, ['root', $users{root}]);
put_image($s, ['root', $users{root}], 'team/app', 'gone');
is $s->req(DELETE => '/v2/team/app/manifests/gone', headers => [basic('root', $users{root})])->status, 202, 'a tag is deleted';
my $w = Berth::Browser->start;

sub names { return join ' ', @{ $w->js('return [...document.querySelectorAll(".repos .body .row .strong")].map((e) => e.textContent)') } }
sub nav { return join ' ', @{ $w->js('return [...document.querySelectorAll(".views a")].map((e) => e.textContent)') } }
sub buttons { return join ' ', grep { /Clean|Delete/ } @{ $w->js('return [...document.querySelectorAll("main button, main a.button")].map((e) => e.textContent.trim())') } }

# nobody
visit($w, $s, '');
ok $w->has('.repos .body .row', 'busybox') && settled($w), 'without a login one sees';
is names(), 'busybox', '... what is for everybody';
is nav(), 'Repositories Activity', '... and no view of an administrator';
visit($w, $s, 'repo/team/app');
ok $w->has('.empty h2', 'Log in to see this'), 'what may be for others needs a login, whether or not it is there';
is complaints($w, 401), '', '... and nothing else is wrong';

# a login leads back to where one was
$w->click('.empty a.primary', 'Log in');
$w->type('input[name=user]', 'ben');
$w->type('input[name=password]', 'wrong');
$w->click('.login .primary');
ok $w->has('#login-said', 'do not belong together'), 'a wrong password is told of';
is $w->js('return document.querySelector("input[name=password]").value + document.activeElement.name'), 'password', '... the field is empty, and has the focus';
is complaints($w, 401), '', '... and nothing else is wrong';
$w->press(split(//, $users{ben}), 'Enter');
ok $w->has('h1', 'team/app') && $w->has('.user-name', 'ben'), 'the right one leads to what was asked for';
settled($w);
is buttons(), 'Deleted', 'who may only pull has no button that deletes';
is $w->count('input[type=checkbox]'), 0, '... and nothing to select';
is $w->js('return document.cookie'), '', 'no script can read the cookie';
my ($posted) = grep { $_->{method} eq 'POST' && $_->{uri} eq '/berth/v1/session' && $_->{status} == 200 } $s->access_events;
ok $posted, '... which a POST got';
visit($w, $s, '');
ok $w->has('.repos .body .row', 'busybox') && settled($w), 'ben sees';
is names(), 'busybox app', '... what is his, and what is for everybody';
visit($w, $s, 'gc');
ok $w->has('.empty', 'not for you'), '... and not how the registry is';
is join(' ', grep { /gc|status/ } asked($s)), '', '... which is not even asked for';

visit($w, $s, 'deleted/team/app');
ok $w->has('.gone .body .row', 'gone') && settled($w), 'what was deleted is told to whom may pull';
is $w->count('.gone button'), 0, '... without a button that brings it back';

# the logout
$w->click('.user button', 'Log out');
ok $w->has('.user a', 'Log in'), 'after the logout there is the login again';
is complaints($w), '', '... without a complaint of the browser';
visit($w, $s, '');
ok $w->has('.repos .body .row', 'busybox') && settled($w), '... and one sees';
is names(), 'busybox', '... what is for everybody';

# more rights, more buttons
sign_in($w, $s, 'anna', $users{anna});
visit($w, $s, 'repo/team/app');
ok $w->has('.tag-list .body .row', 'latest') && settled($w), 'anna sees team/app';
is buttons(), "Clean up\x{2026} Deleted", '... with the buttons of who may delete';
cmp_ok $w->count('.tag-list .body input[type=checkbox]'), '>', 5, '... and can select';
is nav(), 'Repositories Activity', '... and is no administrator';

# an account that is gone: the page notices, and what is for everybody stays
my ($file) = slurp($s->config_file) =~ /htpasswd = "([^"]+)"/;
spew($file, htpasswd(map { $_ => $users{$_} } qw(root ben)));
ok wait_for(sub { $s->req(GET => '/v2/team/app/tags/list', headers => [basic('anna', $users{anna})])->status == 401 }), 'the account of anna is removed';
$w->click('.tag-list .body .row a');
ok $w->has('.empty a.primary', 'Log in') && $w->has('.user a', 'Log in'), 'the page of anna says that there is a login';

sign_in($w, $s, 'root', $users{root});
ok $w->has('.views a', 'Status'), 'an administrator has the views of one';
is nav(), 'Repositories Activity Collection Status', '... all of them';

# nginx knows the user: there is no form
my $r = page_server(users => {}, config => 'auth = { remote_user = true; };', remote_user => '$http_x_user');
my $v = Berth::Browser->start;
$v->cdp('Network.enable');
$v->cdp('Network.setExtraHTTPHeaders', headers => { 'X-User' => 'carla' });
visit($v, $r, '');
ok $v->has('.user-name', 'carla'), 'a user whom nginx knows is there without a login';
is $v->count('.user button, .user a'), 0, '... and without a logout';
visit($v, $r, 'login');
ok $v->has('.empty h1', 'You are logged in'), '... and without a form';
is complaints($v), '', '... and without a complaint of the browser';

done_testing;
