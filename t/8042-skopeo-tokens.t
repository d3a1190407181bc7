#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# skopeo: everybody pulls what is public beside those who log in and push, on the same registry; then with a token service
# elsewhere.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Client;
use Berth::JOSE;
use Berth::TokenServer;

need_program('skopeo', 'openssl');

my $dir = tmp_dir();
my %password = (dev => 'dev-geheim', reader => 'reader-geheim');
spew("$dir/htpasswd", htpasswd(%password));
my $rules = join ', ', rule('@anonymous', 'public/**', 'pull'), rule('dev', '**', 'push delete'), rule('reader', 'team/**', 'pull');
my $b = Berth::Server->start(config => "delete = true; auth = { htpasswd = \"$dir/htpasswd\"; access = ( $rules ); };\n");
my $host = $b->host;
my $image = oci_layout("$dir/one", 'v1', { files => { 'etc/motd' => "one\n", 'data' => random_bytes(300_000) } });
my $copies = 0;

sub ok_run
{
	my $title = pop;
	my $r = run(skopeo(@_));

	ok($r->{status} == 0, $title) or diag("skopeo @_: status $r->{status}\n$r->{out}$r->{err}");
	return $r->{out};
}
sub refused
{
	my $title = pop;
	my $r = run(skopeo(@_));

	ok($r->{status} != 0 && $r->{err} =~ /denied|unauthorized|authentication required/i, $title) or diag("skopeo @_: status $r->{status}\n$r->{out}$r->{err}");
	return;
}
sub out { my ($name, @opt) = @_; return ('copy', '-q', '--dest-tls-verify=false', @opt, "oci:$dir/one:v1", "docker://$host/$name") }
sub in { my ($name, @opt) = @_; return ('copy', '-q', '--src-tls-verify=false', @opt, "docker://$host/$name", "oci:$dir/in" . $copies++ . ':v1') }
my @dev = ('--dest-creds', "dev:$password{dev}");

refused(out('public/app:1'), 'who is not logged in cannot push, not even where everybody pulls');
refused(out('public/app:1', '--dest-creds', 'dev:wrong'), 'nor with a wrong password');
ok_run(out('public/app:1', @dev), 'by a password, skopeo pushes');
ok_run(out('team/app:1', @dev), 'to another repository, too');
ok_run(in('public/app:1'), 'who is not logged in pulls what is public');
is_deeply(blob_files("$dir/in0"), blob_files("$dir/one"), 'and gets what was pushed');
ok_run(in('public/app:1', '--src-no-creds'), 'without any login at all, too');
refused(in('team/app:1'), 'and nothing else');
ok_run(in('team/app:1', '--src-creds', "reader:$password{reader}"), 'somebody else pulls by a password');
refused(out('team/app:1', '--dest-creds', "reader:$password{reader}"), 'but does not push');
like(ok_run('inspect', '--tls-verify=false', "docker://$host/public/app:1", 'skopeo inspects what is public'), qr/\Q$image->{digest}\E/, 'and sees its digest');
like(ok_run('list-tags', '--tls-verify=false', "docker://$host/public/app", 'and lists its tags'), qr/"1"/, 'which is one');

run(skopeo({ stdin => $password{dev} }, 'login', '--tls-verify=false', '-u', 'dev', '--password-stdin', $host))->{status} == 0 ? pass('skopeo login') : fail('skopeo login');
ok_run('copy', '-q', '--src-tls-verify=false', '--dest-tls-verify=false', "docker://$host/team/app:1", "docker://$host/team/copy:1", 'who is logged in copies within the registry');
ok_run('delete', '--tls-verify=false', "docker://$host/team/copy:1", 'and deletes');
write_over("$dir/htpasswd", htpasswd(reader => $password{reader}));
refused(in('team/app:1'), 'who is gone cannot pull');
ok_run('logout', $host, 'skopeo logout');
ok_run(in('public/app:1'), 'what is public can be pulled by who has logged out');
refused('delete', '--tls-verify=false', "docker://$host/public/app:1", 'but not deleted');
$b->stop;

# A token service elsewhere
my $key = openssl_key("$dir/key", 'ed25519');
spew("$dir/jwks", JSON::PP->new->encode({ keys => [jwk($key)] }));
my $t = Berth::TokenServer->start(alg => 'EdDSA', key => $key, kid => thumbprint($key), users => { dev => 'x' });
$b = Berth::Server->start(config => "delete = true; auth = { foreign = { realm = \"" . $t->realm
	. "\"; service = \"registry.example\"; issuer = \"auth.example\"; jwks = \"$dir/jwks\"; }; };\n");
$host = $b->host;
@dev = ('--dest-creds', 'dev:x');
refused(out('public/app:1'), 'nobody pushes without a token');
ok_run(out($_, @dev), "a push to $_ by a token from elsewhere") for 'public/app:1', 'team/app:1';
refused(out('forbidden/app:1', @dev), 'but not where the service gives none');
ok_run(in('public/app:1'), 'everybody pulls what the service says');
refused(in('team/app:1'), 'and nothing else');
ok_run(in('team/app:1', '--src-creds', 'dev:x'), 'by a password for the service that, too');
ok_run('copy', '-q', '--src-tls-verify=false', '--dest-tls-verify=false', '--src-creds', 'dev:x', @dev, "docker://$host/team/app:1", "docker://$host/team/copy:1",
	'a copy within the registry');
ok_run('delete', '--tls-verify=false', '--creds', 'dev:x', "docker://$host/team/copy:1", 'a delete');
$b->stop;
$t->stop;

# A name and a password that are not ASCII, with a token service of our own
my ($umlaut, $secret) = ("j\xc3\xbcrg", "gr\xc3\xbc\xc3\x9fe");
spew("$dir/htpasswd", htpasswd($umlaut => $secret));
$b = Berth::Server->start(config => "auth = { token = { enabled = \"on\"; }; htpasswd = \"$dir/htpasswd\"; access = ( " . rule($umlaut, 'team/*', 'push') . " ); };\n");
$host = $b->host;
is(run(skopeo({ stdin => $secret }, 'login', '--tls-verify=false', '-u', $umlaut, '--password-stdin', $host))->{status}, 0, 'skopeo logs in with umlauts');
ok_run(out('team/one:v1'), 'and pushes');
$b->stop;
done_testing();
