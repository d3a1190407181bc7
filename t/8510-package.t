#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Without containers: the Debian package, built, checked and installed on a bare Debian. There systemd runs the registry;
# there, too, spawn-fcgi and the system's own nginx do. (The bare Debian is a container, with systemd as its first process.)
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Client;
use Berth::Docker;
use Berth::Image;

plain_build_only('the package is built from the sources');
need_program(qw(dpkg-buildpackage dh lintian));

# --- building

my $dir = tmp_dir();
run_ok('sh', '-c', 'cd "$1" && tar -c --exclude=./build* --exclude=./.git --exclude=./autom4te.cache . | tar -xC "$2" --one-top-level=berth',
	'sh', source_dir(), $dir, 'the sources');
my $r = run({ dir => "$dir/berth", env => { DEB_BUILD_OPTIONS => 'nocheck noautodbgsym parallel=2' }, timeout => 600 }, 'dpkg-buildpackage', '-us', '-uc', '-b');
is $r->{status}, 0, 'dpkg-buildpackage' or diag(substr $r->{out} . $r->{err}, -3000);
my ($deb) = grep { !/dbgsym/ } glob("$dir/berth_*.deb");
ok $deb, 'makes a package' or BAIL_OUT('no package');
$r = run('lintian', '--allow-root', '--fail-on', 'error,warning', $deb);
is "$r->{status}: $r->{out}", '0: ', 'lintian has nothing to say of it' or diag($r->{err});
note sprintf('%s: %d KiB', $deb =~ s{.*/}{}r, (-s $deb) / 1024);

# --- installing

my $d = Berth::Docker->start(network => 1);
mkdir "$dir/image";
run_ok('cp', $deb, "$dir/image/berth.deb", 'the package is put on a bare Debian');
spew("$dir/image/Dockerfile", <<'EOT');
FROM debian:bookworm-slim
COPY berth.deb /
RUN rm /usr/sbin/policy-rc.d && apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install \
	/berth.deb systemd-sysv logrotate spawn-fcgi curl >/dev/null
CMD ["/sbin/init"]
EOT
$d->docker('import', '-c', 'CMD ["bash"]', Berth::Image::base_tar(), 'debian:bookworm-slim');
my $said = $d->docker_ok({ timeout => 600 }, 'build', '-q', '-t', 'bare', "$dir/image", 'apt-get installs it, and what it needs');
$d->docker_ok('run', '-d', '--name', 'bare', '--cap-add', 'SYS_ADMIN', '--security-opt', 'seccomp=unconfined', '--security-opt', 'apparmor=unconfined',
	'--tmpfs', '/run', '--tmpfs', '/run/lock', '--tmpfs', '/tmp', '-e', 'container=docker', '--cgroupns', 'host', '-v', '/sys/fs/cgroup:/sys/fs/cgroup:rw', 'bare',
	'it starts');

# A command in there: its exit status, and what it said.
sub in
{
	my ($command) = @_;
	my $said = $d->run_docker('exec', 'bare', 'sh', '-c', $command);

	return wantarray ? ($said->{status}, $said->{out} . $said->{err}) : $said->{out};
}
sub status { return in('curl -s -o /dev/null -w "%{http_code}" ' . $_[0]) }
my $url = 'http://127.0.0.1:5000/v2';
my $blob = 'sha256:' . ('5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03');   # of "hello\n"

# A blob goes in and comes out.
sub works
{
	my ($repo, $how) = @_;

	is in("echo hello | curl -s -o /dev/null -w '%{http_code}' -H 'Content-Type: application/octet-stream' --data-binary \@- -X POST '$url/$repo/blobs/uploads/?digest=$blob'"),
		201, "$how: a blob is pushed";
	is in("curl -s $url/$repo/blobs/$blob"), "hello\n", "$how: and pulled";
}

ok wait_for(sub { status("$url/") eq '200' }), 'installed and started, it is a registry' or diag(in('systemctl status berth berth-nginx; journalctl -n 30'));
works('a', 'systemd');
is in('systemctl is-active berth.socket berth.service berth-nginx.service'), "active\n" x 3, 'by three units';
is in('systemctl is-enabled berth.socket berth.service berth-nginx.service berth-gc.timer'), "enabled\n" x 3 . "disabled\n",
	'which start with the machine; collecting is for the operator to switch on';
is in('stat -c "%U:%G %a" /var/lib/registry'), "berth:berth 750\n", 'the store is the user\'s';
is in('for s in berth berth-nginx; do stat -c %U /proc/$(systemctl show -p MainPID --value $s); done'), "berth\nberth\n", 'who runs both';
like in('ss -ltn | grep :5000'), qr/127\.0\.0\.1:5000/, 'nobody outside reaches it unless told to';

# --- while it starts again

my $log = in('for i in $(seq 60); do curl -s -o /dev/null -w "%{http_code} " ' . "$url/" . '; done & for i in 1 2 3; do systemctl restart berth.service; done; wait');
is join(' ', grep { $_ ne '200' } split / /, $log), '', 'no request fails while the workers are started again: the sockets are systemd\'s';
is scalar(my @n = split / /, $log), 60, 'of sixty';
is in('systemctl reload berth.service berth-nginx.service 2>&1 || journalctl -n 20'), '', 'both can be told to read the configuration again';
ok wait_for(sub { status("$url/") eq '200' }), 'and serve';

# --- collecting, logs, another address

in('systemctl start berth-gc.service');
like in('journalctl -q -u berth-gc.service'), qr/removed 0 manifests/, 'the unit for collecting garbage collects';
is in('systemctl enable --now berth-gc.timer 2>/dev/null; systemctl is-active berth-gc.timer'), "active\n", 'and its timer can be switched on';
like in('cat /var/log/berth/access.log'), qr/"uri":"\/v2\/"/, "nginx's log is a file";
is +(in('logrotate -f /etc/logrotate.d/berth'))[0], 0, 'which logrotate turns';
ok wait_for(sub { status("$url/"); in('cat /var/log/berth/access.log') =~ /"uri"/ }), 'and nginx goes on with a new one';
like in('cat /var/log/berth/access.log.1'), qr/"uri"/, 'beside the old one';
in('echo "BERTH_LISTEN=127.0.0.1:5005" >>/etc/default/berth; systemctl restart berth-nginx.service');
ok wait_for(sub { status('http://127.0.0.1:5005/v2/') eq '200' }), 'BERTH_LISTEN says where it listens';
is status("http://127.0.0.1:5005$_"), 404, "$_ is not there" for '/metrics', '/readyz';
in('echo "BERTH_MONITOR=127.0.0.1:5001" >>/etc/default/berth; systemctl restart berth-nginx.service');
ok wait_for(sub { status('http://127.0.0.1:5001/readyz') eq '200' }), 'but where BERTH_MONITOR says';
is status('http://127.0.0.1:5001/metrics'), 200, 'both of them';
is status('http://127.0.0.1:5005/metrics'), 404, 'and only there';

# --- something wrong

in('echo "nonsense = 1;" >>/etc/berth/berth.conf; systemctl restart berth.service');
like in('systemctl show -p ActiveState,ExecMainStatus,NRestarts berth.service'), qr/ActiveState=failed/, 'with a wrong configuration the workers do not start, and it is not tried again';
like in('journalctl -q -u berth.service'), qr/berth\.conf:\d+: .*nonsense/, 'the journal says why';
in('sed -i /nonsense/d /etc/berth/berth.conf; systemctl reset-failed; systemctl restart berth.socket berth.service');
ok wait_for(sub { status('http://127.0.0.1:5005/v2/') eq '200' }), 'mended, it serves again';

# --- the system's nginx and spawn-fcgi, as the README says

in('systemctl disable --now berth.socket berth.service berth-nginx.service berth-gc.timer 2>/dev/null');
my ($rc, $out) = in(<<'EOT');
set -e
echo 'd /run/berth 0755 www-data www-data -' >/etc/tmpfiles.d/berth.conf
systemd-tmpfiles --create berth.conf
chown -R www-data: /var/lib/registry
spawn-fcgi -s /run/berth/workers.sock -u www-data -g www-data -M 0660 -P /run/berth/pid -- /usr/sbin/berth-fcgi --listen-writes /run/berth/writes.sock --listen-uploads /run/berth/uploads.sock
/usr/share/berth/nginx/configured berth /etc/berth/nginx listen=5000 workers=unix:/run/berth/workers.sock writes=unix:/run/berth/writes.sock uploads=unix:/run/berth/uploads.sock monitor=127.0.0.1:5001
cp /usr/share/berth/nginx/conf.d-berth.conf /etc/nginx/conf.d/berth.conf
nginx -t && systemctl restart nginx
EOT
is $rc, 0, 'spawn-fcgi starts the workers, and the system\'s nginx gets a file' or diag($out);
ok wait_for(sub { status("$url/") eq '200' }), 'which is a registry' or diag(in('journalctl -n 20; cat /var/log/nginx/error.log'));
works('b', 'spawn-fcgi');
is status("http://127.0.0.1:5000$_"), 404, "$_ is not there" for '/metrics', '/readyz';
in('sed -i "s,^#include,include," /etc/nginx/conf.d/berth.conf; systemctl reload nginx');
ok wait_for(sub { status('http://127.0.0.1:5001/metrics') eq '200' }), 'but where monitor= says, once the file includes that';
is in("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1/"), 200, 'what else the nginx serves is still there';

# --- removing

($rc, $out) = in('DEBIAN_FRONTEND=noninteractive apt-get -qq -y purge berth');
is $rc, 0, 'the package can be purged' or diag($out);
isnt +(in('test -e /etc/berth/berth.conf'))[0], 0, 'its files go';
is in('ls /var/lib/registry'), "berth\ndocker\n", 'the store stays';

$d->stop;
done_testing;
