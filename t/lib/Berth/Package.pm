# SPDX-License-Identifier: Apache-2.0
#
# Berth::Package: tests of the Debian package. It is built on a bare Debian of one release, checked, and installed on another.
# There systemd runs the registry first, then spawn-fcgi and the system's own nginx do. (The bare Debian is a container with
# systemd as its first process.)
#
#   Berth::Package::check('trixie');          # a whole test program
package Berth::Package;

use strict;
use warnings;

use Berth::Test;
use Berth::Client;
use Berth::Docker;
use Berth::Image;

my $dir = tmp_dir();
my $url = 'http://127.0.0.1:5000/v2';
my $blob = 'sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03';    # of "hello\n"
my $d;

# Without the unified cgroup hierarchy Debian 13's systemd starts only if it is told so.
my $cmdline = 'SYSTEMD_PROC_CMDLINE=systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1';

# The package is built with its Build-Depends and nothing else.
my $dockerfile = <<'EOT';
FROM %s AS build
RUN apt-get -qq update
COPY berth/debian/control /berth/debian/
RUN cd /berth && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends build-dep . >/dev/null
COPY berth /berth
RUN cd /berth && DEB_BUILD_OPTIONS='nocheck noautodbgsym parallel=2' dpkg-buildpackage -us -uc -b && mkdir /out && mv /berth_*.deb /out

FROM %1$s
COPY --from=build /out /
RUN rm /usr/sbin/policy-rc.d && apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install \
	/berth_*.deb systemd-sysv logrotate spawn-fcgi curl >/dev/null
CMD ["/sbin/init"]
EOT

sub build
{
	my ($suite) = @_;

	mkdir "$dir/image";
	run_ok('sh', '-c', 'cd "$1" && tar -c --exclude=./build* --exclude=./.git --exclude=./autom4te.cache . | tar -xC "$2" --one-top-level=berth',
		'sh', source_dir(), "$dir/image", 'the sources');
	Berth::Image::with_library("$dir/image/berth/web/htm.tgz");
	spew("$dir/image/Dockerfile", sprintf $dockerfile, Berth::Image::base($d, $suite));
	$d->docker_ok({ timeout => 1800 }, 'build', '-t', 'build', '--target', 'build', "$dir/image", 'dpkg-buildpackage') or die "no package\n";
	my $made = $d->value('create', 'build');
	$d->docker_ok('cp', "$made:/out", $dir, 'makes a package');
	my ($deb) = glob("$dir/out/berth_*.deb");
	my $r = run('lintian', '--allow-root', '--fail-on', 'none', $deb);
	# A later lintian expects below /usr what Debian 12 has in /lib.
	$r->{out} =~ s/^E: berth: aliased-location \[lib\/.*\n//mg if $suite eq 'bookworm';
	is "$r->{status}: $r->{out}", '0: ', 'lintian finds neither errors nor warnings' or diag($r->{err});
	note sprintf('%s: %d KiB', $deb =~ s{.*/}{}r, (-s $deb) / 1024);
	$d->docker_ok({ timeout => 1800 }, 'build', '-q', '-t', 'bare', "$dir/image", 'apt-get installs it, and what it needs');
	$d->docker_ok('run', '-d', '--name', 'bare', '--cap-add', 'SYS_ADMIN', '--security-opt', 'seccomp=unconfined', '--security-opt', 'apparmor=unconfined',
		'--tmpfs', '/run', '--tmpfs', '/run/lock', '--tmpfs', '/tmp', '-e', 'container=docker', -e '/sys/fs/cgroup/cgroup.controllers' ? () : ('-e', $cmdline),
		'--cgroupns', 'host', '-v', '/sys/fs/cgroup:/sys/fs/cgroup:rw', 'bare', 'it starts');
	return;
}

# Runs a command in the container. -> its exit status and its output; in scalar context its standard output
sub in
{
	my ($command) = @_;
	my $said = $d->run_docker('exec', 'bare', 'sh', '-c', $command);

	return wantarray ? ($said->{status}, $said->{out} . $said->{err}) : $said->{out};
}
sub status { return in('curl -s -o /dev/null -w "%{http_code}" ' . $_[0]) }

# What a unit says is in the journal a little later.
sub journal_has
{
	my ($unit, $re, $title) = @_;

	return ok(wait_for(sub { in("journalctl -q -u $unit") =~ $re }), $title) || diag(in("journalctl -q -u $unit"));
}

# A blob is pushed and pulled.
sub works
{
	my ($repo, $how) = @_;

	is in("echo hello | curl -s -o /dev/null -w '%{http_code}' -H 'Content-Type: application/octet-stream' --data-binary \@- -X POST '$url/$repo/blobs/uploads/?digest=$blob'"),
		201, "$how: a blob is pushed";
	is in("curl -s $url/$repo/blobs/$blob"), "hello\n", "$how: and pulled";
}

sub installed
{
	ok wait_for(sub { status("$url/") eq '200' }), 'installed and started, it is a registry' or diag(in('systemctl status berth berth-nginx; journalctl -n 30'));
	works('a', 'systemd');
	my $units = 'berth.socket berth.service berth-nginx.service berth-relay.service';
	ok wait_for(sub { in("systemctl is-active $units") eq "active\n" x 4 }), 'by four units' or diag(in("systemctl status $units; journalctl -n 30"));
	is in("systemctl is-enabled $units berth-gc.timer"), "enabled\n" x 4 . "disabled\n", 'which start with the machine; the operator enables garbage collection';
	journal_has('berth-relay.service', qr/0 endpoints, 0 upstreams/, 'the relay has nothing to do');
	is in('stat -c "%U:%G %a" /var/lib/registry'), "berth:berth 750\n", 'the store is the user\'s';
	is in('for s in berth berth-nginx; do stat -c %U /proc/$(systemctl show -p MainPID --value $s); done'), "berth\nberth\n", '... who runs workers and nginx';
	like in('ss -ltn | grep :5000'), qr/127\.0\.0\.1:5000/, 'it listens on the loopback by default';
	like in('/usr/share/berth/backup --help'), qr/^usage: backup /, 'the script for backups is there';
	return;
}

# A restart under load.
sub restarts
{
	my $log = in('for i in $(seq 60); do curl -s -o /dev/null -w "%{http_code} " ' . "$url/" . '; done & for i in 1 2 3; do systemctl restart berth.service; done; wait');
	is join(' ', grep { $_ ne '200' } split / /, $log), '', 'no request fails while the workers are started again: the sockets are systemd\'s';
	is scalar(my @n = split / /, $log), 60, 'of sixty';
	is in('systemctl reload berth.service berth-nginx.service 2>&1 || journalctl -n 20'), '', 'both can be told to read the configuration again';
	ok wait_for(sub { status("$url/") eq '200' }), 'and serve';
	return;
}

# Garbage collection, logs, another address.
sub settings
{
	in('systemctl start berth-gc.service');
	journal_has('berth-gc.service', qr/removed 0 manifests/, 'the unit for collecting garbage collects');
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
	return;
}

# The relay, which reaches other hosts where the workers have no network.
sub relay
{
	in(q(perl -e 'use IO::Socket::INET; my $l = IO::Socket::INET->new(Listen => 9, LocalPort => 5090) or die;
		while (my $c = $l->accept) { local $_ = ""; my $n = 0; while (my $h = <$c>) { $n = $1 if $h =~ /^content-length: (\d+)/i; last if $h =~ /^\r/ } read $c, $_, $n;
		open my $f, ">>", "/tmp/told"; print $f "$_\n"; print $c "HTTP/1.1 204 OK\r\nConnection: close\r\n\r\n" }' >/dev/null 2>&1 &));
	in('echo \'notifications = ( { name = "here"; url = "http://127.0.0.1:5090/"; } ); upstreams = ( { name = "up"; urls = [ "http://127.0.0.1:5091" ]; } );\' >>/etc/berth/berth.conf; systemctl reload berth.service');
	journal_has('berth-relay.service', qr/1 endpoints, 1 upstreams/, 'the relay, in a unit of its own, has work after a reload of the workers');
	ok wait_for(sub { in('berth hooks list') =~ /here/ }), '... and endpoints are listed' or diag(in('journalctl -n 30'));
	is in('stat -c %U /proc/$(systemctl show -p MainPID --value berth-relay.service)'), "berth\n", '... whose user is berth';
	ok wait_for(sub { in('ls /var/lib/registry/berth/journal/readers') =~ /^here$/m }), '... which writes how far it has come';
	ok wait_for(sub { in('test -S /run/berth/mirror.sock && echo yes') eq "yes\n" }), '... and has a socket where nginx asks for what upstreams have';
	in('curl -s -o /dev/null -X PUT -H "Content-Type: application/vnd.oci.image.index.v1+json" http://127.0.0.1:5000/v2/relay/app/manifests/one '
		. '--data-binary \'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}\'');
	ok wait_for(sub { in('cat /tmp/told') =~ m{"repository":"relay/app"} }), '... and delivers' or diag(in('journalctl -n 30'));
	my $before = in('systemctl show -p MainPID --value berth-relay.service');
	in('systemctl restart berth.service');
	ok wait_for(sub { my $now = in('systemctl show -p MainPID --value berth-relay.service'); $now ne $before && $now =~ /^[1-9]/ }), 'it is restarted with the workers';
	in('systemctl disable --now berth-relay.service 2>/dev/null; sed -i /notifications/d /etc/berth/berth.conf; systemctl reload berth.service');
	return;
}

# An invalid configuration.
sub wrong
{
	# The restarts so far do not count: systemd allows five in ten seconds.
	in('echo "nonsense = 1;" >>/etc/berth/berth.conf; systemctl reset-failed berth.service; systemctl restart berth.service');
	like in('systemctl show -p ActiveState,ExecMainStatus,NRestarts berth.service'), qr/ActiveState=failed/, 'with an invalid configuration the workers do not start, and systemd does not try again';
	journal_has('berth.service', qr/berth\.conf:\d+: .*nonsense/, 'the journal says why');
	in('sed -i /nonsense/d /etc/berth/berth.conf; systemctl reset-failed; systemctl restart berth.socket berth.service');
	ok wait_for(sub { status('http://127.0.0.1:5005/v2/') eq '200' }), 'repaired, it serves again';
	return;
}

# The system's nginx and spawn-fcgi, as doc/INSTALL.md says.
sub site
{
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
	in('sed -i "/monitor-http/s,^#include,include," /etc/nginx/conf.d/berth.conf; systemctl reload nginx');
	ok wait_for(sub { status('http://127.0.0.1:5001/metrics') eq '200' }), 'but where monitor= says, once the file includes that';
	is in("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1/"), 200, 'what else the nginx serves is still there';
	return;
}

sub removes
{
	my ($rc, $out) = in('DEBIAN_FRONTEND=noninteractive apt-get -qq -y purge berth');
	is $rc, 0, 'the package can be purged' or diag($out);
	isnt +(in('test -e /etc/berth/berth.conf'))[0], 0, 'its files are removed';
	is in('ls /var/lib/registry'), "berth\ndocker\n", 'the store stays';
	return;
}

sub check
{
	my ($suite) = @_;

	plain_build_only('the package is built from the sources');
	need_program('lintian');
	$d = Berth::Docker->start(network => 1);
	build($suite);
	installed();
	restarts();
	relay();
	settings();
	wrong();
	site();
	removes();
	$d->docker('kill', 'bare');       # systemd does not end by the signal that the daemon sends first
	$d->stop;
	done_testing;
	return;
}

1;
