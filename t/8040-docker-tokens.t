#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# docker: everybody pulls what is public beside those who log in and push, on the same registry; then with a token service
# elsewhere.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Client;
use Berth::Docker;
use Berth::JOSE;
use Berth::TokenServer;

need_program('openssl');

my $d = Berth::Docker->start;
my $dir = tmp_dir();
my %password = (dev => 'dev-geheim', reader => 'reader-geheim');
spew("$dir/htpasswd", htpasswd(%password));
my $rules = join ', ', rule('@anonymous', 'public/**', 'pull'), rule('dev', '**', 'push'), rule('reader', 'team/**', 'pull');
my $b = Berth::Server->start(config => "auth = { htpasswd = \"$dir/htpasswd\"; access = ( $rules ); };\n");
my $host = '127.0.0.1:' . $b->port;

sub login { my ($user, $password, $at) = @_; return $d->run_docker({ stdin => "$password\n" }, 'login', '-u', $user, '--password-stdin', $at // $host) }
sub login_ok
{
	my $title = pop;
	my $r = login(@_);

	ok($r->{status} == 0, $title) or diag("$r->{out}$r->{err}");
	return;
}
sub refused
{
	my $title = pop;
	my ($rc, $out) = $d->docker(@_);

	ok($rc != 0 && $out =~ /denied|unauthorized|authentication required/i, $title) or diag("docker @_: status $rc\n$out");
	unlike($out, qr/Retrying/, '... and docker takes that for an answer');
	return;
}

$d->busybox_image('busybox:latest');
for my $repo ('public/app', 'team/app', 'team/copy') {
	$d->docker_ok('tag', 'busybox:latest', "$host/$repo:1", "an image for $repo");
}

# Not logged in
refused('push', "$host/public/app:1", 'who is not logged in cannot push, not even where everybody pulls');
refused('pull', "$host/team/app:1", 'nor pull what is not public');
my $r = login('dev', 'wrong');
ok($r->{status} != 0 && "$r->{out}$r->{err}" =~ /unauthorized/i, 'docker login with a wrong password is refused') or diag("$r->{out}$r->{err}");

# Logged in
login_ok('dev', $password{dev}, 'docker login');
my $kept = slurp("$d->{dir}/client/config.json");
my ($encoded) = (basic('dev', $password{dev}))[1] =~ /(\S+)\z/;
unlike($kept, qr/\Q$encoded\E/, 'docker keeps no password, but a token to refresh by');
$d->docker_ok('push', "$host/public/app:1", 'who is logged in pushes');
$d->docker_ok('push', "$host/team/app:1", 'to another repository, too');
my $said = $d->docker_ok('push', "$host/team/copy:1", 'and to a third one');
like($said, qr{Mounted from (?:team|public)/app}, 'whose layers are mounted');
ok($d->remove_images, 'docker has no image any more');
$d->docker_ok('pull', "$host/$_:1", "who is logged in pulls $_") for 'public/app', 'team/app';

# Logged out again
$d->docker_ok('logout', $host, 'docker logout');
ok($d->remove_images, 'docker has no image any more');
$d->docker_ok('pull', "$host/public/app:1", 'who is not logged in pulls what is public');
refused('pull', "$host/team/app:1", 'and nothing else');
refused('push', "$host/public/app:1", 'and pushes nothing');

# Somebody else
login_ok('reader', $password{reader}, 'somebody else logs in');
$d->docker_ok('pull', "$host/team/app:1", 'and pulls');
refused('push', "$host/team/app:1", 'but does not push');
$d->docker_ok('pull', "$host/public/app:1", 'what is public can still be pulled');

# Rights taken away while logged in
login_ok('dev', $password{dev}, 'docker login, again');
$d->docker_ok('push', "$host/team/app:1", 'a push');
write_over("$dir/htpasswd", htpasswd(reader => $password{reader}, dev => 'another'));
refused('push', "$host/team/app:1", 'who has another password has to log in again');
login_ok('dev', 'another', 'which works');
$d->docker_ok('push', "$host/team/app:1", 'and so does the push');
write_over("$dir/htpasswd", htpasswd(reader => $password{reader}));
refused('push', "$host/team/app:1", 'who is gone cannot push');
$d->docker_ok('logout', $host, 'docker logout');
$b->stop;

# A token service elsewhere
my $key = openssl_key("$dir/key", 'p256');
openssl('req', '-x509', '-new', '-key', $key, '-subj', '/CN=auth', '-days', '2', '-out', "$dir/crt");
my $t = Berth::TokenServer->start(alg => 'ES256', key => $key, kid => libtrust_id($key), users => { dev => 'x' });
$b = Berth::Server->start(env => { REGISTRY_AUTH => 'token', REGISTRY_AUTH_TOKEN_REALM => $t->realm, REGISTRY_AUTH_TOKEN_SERVICE => 'registry.example',
	REGISTRY_AUTH_TOKEN_ISSUER => 'auth.example', REGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE => "$dir/crt" });
$host = '127.0.0.1:' . $b->port;
$d->docker_ok('tag', $d->busybox_image('busybox:latest'), "$host/$_:1", "an image for $_") for 'public/app', 'team/app', 'forbidden/app';
$r = login('dev', 'wrong', $host);
isnt($r->{status}, 0, 'docker login with a wrong password is refused by the service');
login_ok('dev', 'x', $host, 'docker login by the service');
$d->docker_ok('push', "$host/$_:1", "a push to $_ by its token") for 'public/app', 'team/app';
refused('push', "$host/forbidden/app:1", 'but not where it gives none');
$d->docker_ok('logout', $host, 'docker logout');
ok($d->remove_images, 'docker has no image any more');
$d->docker_ok('pull', "$host/public/app:1", 'everybody pulls what the service says');
refused('pull', "$host/team/app:1", 'and nothing else');
like(join("\n", $t->asked), qr{^GET - repository:public/app:pull$}m, 'the service was asked with the scope that the challenge names');
$b->stop;
$t->stop;
$d->stop;
done_testing();
