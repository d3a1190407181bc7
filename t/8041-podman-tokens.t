#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# podman: everybody pulls what is public beside those who log in and push, on the same registry.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Client;

need_program('podman', 'unshare', 'busybox');
podman_works() or cannot_run("podman can't run here");

my $dir = tmp_dir();
my %password = (dev => 'dev-geheim', reader => 'reader-geheim');
spew("$dir/htpasswd", htpasswd(%password));
my $rules = join ', ', rule('@anonymous', 'public/**', 'pull'), rule('dev', '**', 'push'), rule('reader', 'team/**', 'pull');
my $b = Berth::Server->start(config => "auth = { htpasswd = \"$dir/htpasswd\"; access = ( $rules ); };\n");
my $host = '127.0.0.1:' . $b->port;
my $authfile = spew("$dir/auth.json", '{}');

# podman with the login kept in a file of ours
sub pod
{
	my $o = ref $_[0] ? shift : {};
	my @how = $_[0] =~ /^(?:push|pull|login)$/ ? ('--tls-verify=false', '--authfile', $authfile) : $_[0] eq 'logout' ? ('--authfile', $authfile) : ();

	return run(podman($o, shift, @how, @_));
}
sub pod_ok
{
	my $title = pop;
	my $r = pod(@_);

	ok($r->{status} == 0, $title) or diag("podman: status $r->{status}\n$r->{out}$r->{err}");
	return;
}
sub refused
{
	my $title = pop;
	my $r = pod(@_);

	ok($r->{status} != 0 && $r->{err} =~ /denied|unauthorized|authentication required|invalid username/i, $title) or diag("podman: status $r->{status}\n$r->{out}$r->{err}");
	return;
}
sub push_args { return ('push', 'localhost/busybox:latest', "docker://$host/$_[0]") }

spew("$dir/rootfs.tar", (tar_layer(busybox_files()))[1]);
pod_ok('import', '-c', 'CMD ["true"]', "$dir/rootfs.tar", 'localhost/busybox:latest', 'an image');
refused(push_args('public/app:1'), 'who is not logged in cannot push, not even where everybody pulls');
refused('pull', "$host/team/app:1", 'nor pull what is not public');
refused({ stdin => 'wrong' }, 'login', '-u', 'dev', '--password-stdin', $host, 'podman login with a wrong password is refused');
pod_ok({ stdin => $password{dev} }, 'login', '-u', 'dev', '--password-stdin', $host, 'podman login');
pod_ok(push_args($_), "who is logged in pushes $_") for 'public/app:1', 'team/app:1', 'team/copy:1';
pod_ok('pull', "$host/$_", "and pulls $_") for 'public/app:1', 'team/app:1';
pod_ok('logout', $host, 'podman logout');
pod_ok('rmi', "$host/public/app:1", "$host/team/app:1", 'podman has them no more');
pod_ok('pull', "$host/public/app:1", 'who is not logged in pulls what is public');
refused('pull', "$host/team/app:1", 'and nothing else');
refused(push_args('public/app:1'), 'and pushes nothing');
pod_ok({ stdin => $password{reader} }, 'login', '-u', 'reader', '--password-stdin', $host, 'somebody else logs in');
pod_ok('pull', "$host/$_", "and pulls $_") for 'public/app:1', 'team/app:1';
refused(push_args('team/app:1'), 'but does not push');
write_over("$dir/htpasswd", htpasswd(dev => $password{dev}));
refused('pull', "$host/team/app:1", 'who is gone cannot pull');
$b->stop;
done_testing();
