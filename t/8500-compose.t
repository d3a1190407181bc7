#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# What the image holds, and the two compose files: everything in one container, and nginx, the workers and the relay in one each, with
# the least privileges.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Client;
use Berth::Docker;
use Berth::Image;

plain_build_only('the images are built from the sources');
need_program('docker-compose');

my $d = Berth::Docker->start(network => 1);
my @images = Berth::Image::load($d);
my $dir = tmp_dir();
my $url = 'http://127.0.0.1:5000';
my $at = source_dir();
my $file;

sub compose
{
	return run({ env => { %{ $d->env }, COMPOSE_PROJECT_NAME => 'berth' } }, 'docker-compose',
		'-f', $file, '--project-directory', $at, @_);
}

# curl of a port that docker publishes. -> status, headers and body
sub curl
{
	my $r = $d->inside('curl', '-sS', '-i', '--max-time', '100', @_);

	return $r->{out} =~ s/\r\n/\n/gr;
}

sub body { return curl(@_) =~ /\n\n(.*)\z/s ? $1 : '' }
sub served { return wait_for { curl("$url/v2/") =~ m{^HTTP/1.1 200 } } }
sub log_of { return ($d->docker('logs', $_[0]))[1] }
# What a container says is in docker's log a little later.
sub logged { my ($id, $re, $title) = @_; return ok(wait_for(sub { log_of($id) =~ $re }), $title) || diag(log_of($id)) }
sub named { return $d->value('ps', '-q', '-f', "label=com.docker.compose.service=$_[0]") }

# Runs the container's own health check, again where nginx did not answer within its five seconds, or the master had not heard of all
# workers. -> status and output
sub healthy
{
	my ($name) = @_;
	my $test = json($d->value('inspect', '-f', '{{json .Config.Healthcheck.Test}}', $name));
	my $is;

	wait_for { $is = [$d->docker('exec', $name, @{$test}[1 .. $#$test])]; $is->[1] !~ /^(?:nginx does not answer|no worker accepts \w+)$/ };
	return $is;
}

sub least
{
	my ($service, $id) = @_;
	my $host = json($d->value('inspect', '-f', '{{json .HostConfig}}', $id));

	is $host->{RestartPolicy}{Name}, 'always', "$service is started again";
	ok $host->{ReadonlyRootfs}, "$service cannot write its own files";
	is_deeply $host->{CapDrop}, ['ALL'], "$service has no capabilities";
	my (undef, $status) = $d->docker('exec', $id, 'cat', '/proc/1/status');
	like $status, qr/^Uid:\t5000\t5000\t5000\t5000$/m, "$service is not root";
	like $status, qr/^CapEff:\t0{16}$/m, "$service has no capabilities in effect";
	like $status, qr/^NoNewPrivs:\t1$/m, "$service can get none";
	my ($rc) = $d->docker('exec', $id, 'sh', '-c', 'echo x >/usr/lib/berth/x');
	isnt $rc, 0, "$service is refused a file of its image";
	is_deeply healthy($id), [0, "ready\n"], "$service is healthy";
	return;
}

# --- what the image holds

my $look = 'for p in gcc cc make as ld perl python3 apt apt-get dpkg dpkg-deb rpm; do command -v $p; done; '
	. 'ls -d /usr/include /usr/lib/gcc /usr/share/man /usr/share/info /usr/share/locale /usr/lib/locale /var/lib/apt 2>/dev/null; '
	. 'find /usr/share/doc ! -type d ! -name copyright; find / -xdev -perm /6000; '
	. 'find / -xdev -type f -perm -2; for f in /usr/bin/* /usr/sbin/*; do [ -e $f ] || echo $f; done; '
	. 'for p in sh bash wget nginx berth registry /usr/sbin/berth-fcgi /usr/sbin/berth-relay; do command -v $p >/dev/null || echo no $p; done';
for my $image (@images) {
	my $has = $d->run_docker('run', '--rm', '--network', 'none', '--entrypoint', 'sh', $image, '-c', $look);
	is $has->{out} . $has->{err}, '', "$image has a shell, wget and what serves: no compiler, perl, package manager, manual, locale, program with more rights";
	my $libraries = $d->run_docker('run', '--rm', '--entrypoint', 'sh', $image, '-c',
		'for p in /bin/bash /bin/busybox /usr/sbin/nginx /usr/bin/berth /usr/sbin/berth-fcgi /usr/sbin/berth-relay; do for l in /lib*/ld-linux*.so.* /lib/ld-linux*.so.*; do [ -e $l ] || continue; $l --list $p || exit; done; done');
	is $libraries->{status}, 0, 'each program finds its libraries' or diag $libraries->{out}, $libraries->{err};
	unlike $libraries->{out}, qr/not found/, '... all of them';
	my $packages = $d->run_docker('run', '--rm', '--entrypoint', 'sh', $image, '-c', 'cat /var/lib/dpkg/status.d/*')->{out};
	like $packages, qr/^Package: \Q$_\E$/m, "it says that it holds something of $_" for qw(nginx libc6 busybox bash base-files ca-certificates);
	like $d->run_docker('run', '--rm', '--entrypoint', 'head', $image, '-n', 1, '/etc/ssl/certs/ca-certificates.crt')->{out}, qr/BEGIN CERTIFICATE/, 'it knows authorities';
	# Its own nginx is a receiver that refuses.
	my $conf = spew("$dir/told.conf", 'notifications = ( { name = "self"; url = "http://127.0.0.1:5000/v2/"; } );');
	$d->docker_ok('run', '-d', '--name', 'told', '-v', "$conf:/etc/berth/berth.conf:ro", $image, 'a container with an endpoint');
	ok wait_for(sub { ($d->docker('exec', 'told', 'test', '-e', '/var/lib/registry/berth/journal/readers/self'))[0] == 0 }), '... has a relay';
	ok wait_for(sub { ($d->docker('exec', 'told', 'berth', 'hooks', 'test', 'self'))[1] =~ /\b405\b/ }), '... which delivers';
	$d->docker('rm', '-fv', 'told');
	my $bytes = run({ env => $d->env }, 'sh', '-c', 'docker save "$1" | gzip | wc -c', 'sh', $image)->{out};
	cmp_ok $bytes, '<=', 35 * 1024 * 1024, "$image has at most 35 MiB";
	cmp_ok $bytes, '>', 1024 * 1024, '... and has been measured';
	note sprintf('%s: %.1f MiB compressed, %.1f MiB unpacked', $image, $bytes / 1024 ** 2, $d->value('image', 'inspect', '-f', '{{.Size}}', $image) / 1024 ** 2);
}

# --- one container

$file = "$at/docker-compose.yml";
my $r = compose('up', '-d');
is $r->{status}, 0, 'docker-compose up' or diag($r->{err});
ok served(), 'starts a registry on port 5000';
my $registry = named('registry');
least('the registry', $registry);
is +($d->docker('exec', $registry, 'wget', '-q', '--spider', 'http://localhost:5000/v2/'))[0], 0, 'a health check by wget passes';
isnt +($d->docker('exec', $registry, 'wget', '-q', '--spider', 'http://localhost:5000/v2/none/manifests/x'))[0], 0, '... which tells what is not there';
is $d->value('exec', $registry, 'sh', '-c', 'cd /var/lib/registry && stat -c %u:%a docker berth | tr "\n" " "'), '5000:750 5000:750 ', 'what the volume holds is for its owner and group';
is_deeply healthy($registry), [0, "ready\n"], 'the health check once more';
unlike log_of($registry), qr/readyz|healthz/, 'health checks are in no log';
like curl("$url$_"), qr{^HTTP/1\.1 404 }, "$_ is not served" for '/metrics', '/readyz';

$d->busybox_image('busybox:latest');
$d->docker_ok('tag', 'busybox', '127.0.0.1:5000/busybox:1.0', 'docker tag');
my $said = $d->docker_ok('push', '127.0.0.1:5000/busybox:1.0', 'docker push');
my ($digest) = $said =~ /^1\.0: digest: (sha256:[0-9a-f]{64}) size: \d+$/m;
is body("$url/v2/_catalog"), qq({"repositories":["busybox"]}\n), 'the catalog has it';
is body("$url/v2/busybox/tags/list"), qq({"name":"busybox","tags":["1.0"]}\n), 'the tag is there';
like curl('--head', '-H', 'Accept: application/vnd.docker.distribution.manifest.v2+json', "$url/v2/busybox/manifests/1.0"),
	qr/^HTTP\/1\.1 200 OK\n.*^Docker-Content-Digest: \Q$digest\E$/ms, 'the manifest has its digest';
logged($registry, qr/^\{"time":.*"uri":"\/v2\/_catalog".*"status":200/m, "nginx's log is the container's output");
logged($registry, qr/"event":"ready"/, "so is the workers'");

is compose('down')->{status}, 0, 'docker-compose down';
compose('up', '-d');
ok served(), 'docker-compose up';
is body("$url/v2/busybox/tags/list"), qq({"name":"busybox","tags":["1.0"]}\n), 'what was pushed is still there';
like curl('-X', 'DELETE', "$url/v2/busybox/manifests/$digest"), qr/^HTTP\/1\.1 202 /, 'a manifest can be deleted';
is body("$url/v2/_catalog"), qq({"repositories":["busybox"]}\n), 'the repository stays in the catalog';
is body("$url/v2/busybox/tags/list"), qq({"name":"busybox","tags":null}\n), 'its tag is gone';

# With the line of each file that is commented out, metrics are for containers of the same network.
sub metrics
{
	my ($service) = @_;

	(my $text = slurp($file)) =~ s/^(\s+)# (REGISTRY_HTTP_DEBUG_ADDR: )/$1$2/m or die "$file: no line for metrics";
	$text =~ s/context: \.\.$/context: ./m;
	$file = spew("$dir/docker-compose.yml", $text);
	is compose('up', '-d')->{status}, 0, 'docker-compose up with metrics';
	ok served(), 'is a registry';
	like curl("$url$_"), qr{^HTTP/1\.1 404 }, "$_ is not where the registry is" for '/metrics', '/readyz';
	my $other;
	my @scrape = ('run', '--rm', '--network', 'berth_default', '--entrypoint', 'wget', 'berth', '-q', '-O', '-', "http://$service:5001/metrics");
	ok wait_for(sub { ($other = $d->run_docker(@scrape))->{out} =~ /^berth_ready 1$/m }), 'another container of the network scrapes them' or diag($other->{err});
	unlike log_of(named($_)), qr/DEBUG_ADDR/, "$_ does not log that it does not honour the variable" for split /\n/, compose('ps', '--services')->{out};
	is compose('down', '-v')->{status}, 0, 'docker-compose down -v';
	return;
}
metrics('registry');

# --- three containers

$file = "$at/docker/compose-apart.yml";
$at .= '/docker';
$r = compose('up', '-d');
is $r->{status}, 0, 'docker-compose up of three' or diag($r->{err});
ok served(), 'starts a registry on port 5000';
my ($fcgi, $nginx, $relay) = map { named($_) } qw(fcgi nginx relay);
least('the container of the workers', $fcgi);
least('that of nginx', $nginx);
least('that of the relay', $relay);
ok wait_for(sub { log_of($relay) =~ /"message":"started, [^"]* 0 endpoints, 0 upstreams"/ }), 'the relay runs';
is $d->value('inspect', '-f', '{{.HostConfig.NetworkMode}}', $fcgi), 'none', 'the workers have no network';
is $d->value('exec', $fcgi, 'sh', '-c', 'tail -n +3 /proc/net/dev | sed "s/:.*//; s/ //g" | tr "\n" " "'), 'lo ', '... but their own loopback';
$d->docker_ok('push', '127.0.0.1:5000/busybox:1.0', 'docker push');
logged($nginx, qr/^\{"time":.*"uri":"\/v2\/busybox\/manifests\/1\.0".*"status":201/m, "nginx's log is the container's output");
logged($fcgi, qr/"event":"ready"/, "so is the workers'");
unlike log_of($nginx) . log_of($fcgi), qr/readyz|healthz/, 'health checks are in neither';

# a store that cannot be written

my $tmp = '/var/lib/registry/berth/tmp';
$d->docker_ok('exec', $fcgi, 'mv', $tmp, "$tmp.away", 'a directory of the store is taken away');
ok wait_for(sub { healthy($nginx)->[1] =~ /^the store cannot be written: / }), 'the health check says why the registry is not ready';
is healthy($_)->[0], 0, '... which no restart changes' for $nginx, $fcgi;
$d->docker_ok('exec', $fcgi, 'mv', "$tmp.away", $tmp, 'the directory is put back');

# a part is stopped

$d->docker_ok('stop', $fcgi, 'the workers are stopped');
is $d->value('inspect', '-f', '{{.State.ExitCode}}', $fcgi), 0, 'they end with status 0';
is_deeply healthy($nginx), [1, "no worker has a socket\n"], 'the health check notices';
like curl("$url/v2/_catalog"), qr/^HTTP\/1\.1 503 .*^Retry-After: \d+$/ms, 'clients are asked to come again';
$d->docker_ok('start', $fcgi, 'they are started again');
ok served(), 'and nginx finds them';
$d->docker('exec', $fcgi, 'sh', '-c', 'kill -TERM 1');
ok wait_for(sub { $d->value('inspect', '-f', '{{.RestartCount}}', $fcgi) > 0 }), 'workers that have ended are started again';
ok served(), 'and serve';
$d->docker_ok('stop', $nginx, 'nginx is stopped');
is $d->value('inspect', '-f', '{{.State.ExitCode}}', $nginx), 0, 'it ends with status 0';
is_deeply healthy($fcgi), [0, "ready\n"], 'the workers are healthy without it';
is compose('down', '-v')->{status}, 0, 'docker-compose down -v';
metrics('nginx');

$d->stop;
done_testing;
