#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# docker-compose.yml: nginx and the workers, each in a container with the least privileges.
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

my $file = source_dir() . '/docker-compose.yml';
sub compose
{
	return run({ env => { %{ $d->env }, COMPOSE_PROJECT_NAME => 'berth' }, timeout => 300 }, 'docker-compose',
		'-f', $file, '--project-directory', source_dir(), @_);
}

# curl of a port that docker publishes. -> status, headers and body
sub curl
{
	my $r = $d->inside('curl', '-sS', '-i', '--max-time', '20', @_);

	return $r->{out} =~ s/\r\n/\n/gr;
}

sub body { return curl(@_) =~ /\n\n(.*)\z/s ? $1 : '' }
sub served { return wait_for { curl("$url/v2/") =~ m{^HTTP/1.1 200 } } }

# Runs the container's own health check. -> status and output
sub healthy
{
	my ($name) = @_;
	my $test = json($d->value('inspect', '-f', '{{json .Config.Healthcheck.Test}}', $name));

	return $d->docker('exec', $name, @{$test}[1 .. $#$test]);
}

for my $image (@images) {
	my $has = $d->run_docker('run', '--rm', '--network', 'none', $image, 'sh', '-c',
		'for p in gcc cc c++ make as ld; do command -v $p; done; ls /usr/include/*.h /usr/lib/gcc 2>/dev/null; [ -e /usr/lib/berth/start ] && echo start');
	is $has->{out}, "start\n", "$image holds no compiler" or diag($has->{err});
	note sprintf('%s: %.1f MB', $image, $d->value('image', 'inspect', '-f', '{{.Size}}', $image) / 1e6);
}

my $r = compose('up', '-d');
is $r->{status}, 0, 'docker-compose up' or diag($r->{err});
ok served(), 'starts a registry on port 5000';

my @names = map { $d->value('ps', '-q', '-f', "label=com.docker.compose.service=$_") } qw(fcgi nginx);
my ($fcgi, $nginx) = @names;
for (['fcgi', $fcgi], ['nginx', $nginx]) {
	my ($service, $id) = @$_;
	my $about = json($d->value('inspect', '-f', '{{json .}}', $id));
	my $host = $about->{HostConfig};

	is $host->{RestartPolicy}{Name}, 'always', "$service is started again";
	ok $host->{ReadonlyRootfs}, "$service can't write its own files";
	is_deeply $host->{CapDrop}, ['ALL'], "$service has no capabilities";
	my (undef, $status) = $d->docker('exec', $id, 'cat', '/proc/1/status');
	like $status, qr/^Uid:\t5000\t5000\t5000\t5000$/m, "$service is not root";
	like $status, qr/^CapEff:\t0{16}$/m, "$service has no capabilities in effect";
	like $status, qr/^NoNewPrivs:\t1$/m, "$service can get none";
	my ($rc) = $d->docker('exec', $id, 'sh', '-c', 'echo x >/usr/lib/berth/x');
	isnt $rc, 0, "$service is refused a file of its image";
	is_deeply [healthy($id)], [0, "ready\n"], "$service is healthy";
}
is $d->value('inspect', '-f', '{{.HostConfig.NetworkMode}}', $fcgi), 'none', 'the workers have no network';
is $d->value('exec', $fcgi, 'stat', '-c', '%a', '/var/lib/registry'), '750', 'the volume is for its owner and group';
like curl("$url$_"), qr{^HTTP/1\.1 404 }, "$_ is not served" for '/metrics', '/readyz';

# --- the walk

$d->busybox_image('busybox:latest');
$d->docker_ok('tag', 'busybox', '127.0.0.1:5000/busybox:1.0', 'docker tag');
my $said = $d->docker_ok('push', '127.0.0.1:5000/busybox:1.0', 'docker push');
my ($digest) = $said =~ /^1\.0: digest: (sha256:[0-9a-f]{64}) size: \d+$/m;
is body("$url/v2/_catalog"), qq({"repositories":["busybox"]}\n), 'the catalog has it';
is body("$url/v2/busybox/tags/list"), qq({"name":"busybox","tags":["1.0"]}\n), 'the tag is there';
like curl('--head', '-H', 'Accept: application/vnd.docker.distribution.manifest.v2+json', "$url/v2/busybox/manifests/1.0"),
	qr/^HTTP\/1\.1 200 OK\n.*^Docker-Content-Digest: \Q$digest\E$/ms, 'the manifest has its digest';

# --- logs

my (undef, $log) = $d->docker('logs', $nginx);
like $log, qr/^\{"time":.*"uri":"\/v2\/_catalog".*"status":200/m, "nginx's log is the container's output";
(undef, $log) = $d->docker('logs', $fcgi);
like $log, qr/"event":"ready"/, "so is the workers'";
unlike $log, qr/readyz/, 'health checks are in no log';
unlike +($d->docker('logs', $nginx))[1], qr/healthz/, "... and not in nginx's";

# --- a store that cannot be written

my $tmp = '/var/lib/registry/berth/tmp';
$d->docker_ok('exec', $fcgi, 'mv', $tmp, "$tmp.away", 'a directory of the store is taken away');
ok wait_for(sub { (healthy($nginx))[1] =~ /^the store cannot be written: / }), 'the health check says why the registry is not ready';
is_deeply [(healthy($_))[0]], [0], '... which no restart changes' for $nginx, $fcgi;
$d->docker_ok('exec', $fcgi, 'mv', "$tmp.away", $tmp, 'the directory is put back');

# --- a part is stopped

$d->docker_ok('stop', $fcgi, 'the workers are stopped');
is $d->value('inspect', '-f', '{{.State.ExitCode}}', $fcgi), 0, 'they end with status 0';
is_deeply [healthy($nginx)], [1, "no worker: No such file or directory\n"], 'the health check notices';
like curl("$url/v2/_catalog"), qr/^HTTP\/1\.1 503 .*^Retry-After: \d+$/ms, 'clients are asked to come again';
$d->docker_ok('start', $fcgi, 'they are started again');
ok served(), 'and nginx finds them';
my ($rc) = $d->docker('exec', $fcgi, 'sh', '-c', 'kill -TERM 1');
ok wait_for(sub { $d->value('inspect', '-f', '{{.RestartCount}}', $fcgi) > 0 }), 'workers that have ended are started again';
ok served(), 'and serve';

# --- down, up

$r = compose('down');
is $r->{status}, 0, 'docker-compose down' or diag($r->{err});
$r = compose('up', '-d');
ok served(), 'docker-compose up';
is body("$url/v2/busybox/tags/list"), qq({"name":"busybox","tags":["1.0"]}\n), 'what was pushed is still there';
like curl('-X', 'DELETE', "$url/v2/busybox/manifests/$digest"), qr/^HTTP\/1\.1 202 /, 'a manifest can be deleted';
is body("$url/v2/_catalog"), qq({"repositories":["busybox"]}\n), 'the repository stays in the catalog';
is body("$url/v2/busybox/tags/list"), qq({"name":"busybox","tags":null}\n), 'its tag is gone';

# --- metrics, with the line of the file that is commented out: for a container of the same network

(my $text = slurp($file)) =~ s/^(\s+)# (REGISTRY_HTTP_DEBUG_ADDR: )/$1$2/m or die "$file: no line for metrics";
$file = spew("$dir/docker-compose.yml", $text);
$r = compose('up', '-d');
is $r->{status}, 0, 'docker-compose up with metrics' or diag($r->{err});
ok served(), 'is a registry';
like curl("$url$_"), qr{^HTTP/1\.1 404 }, "$_ is not where the registry is" for '/metrics', '/readyz';
$nginx = $d->value('ps', '-q', '-f', 'label=com.docker.compose.service=nginx');
my $ask = 'use IO::Socket::IP; my $s = IO::Socket::IP->new(PeerAddr => "nginx:5001") or die $@; print {$s} "GET /metrics HTTP/1.0\r\n\r\n"; print <$s>';
my $other = $d->run_docker('run', '--rm', '--network', 'berth_default', '--entrypoint', 'perl', 'berth-nginx', '-e', $ask);
like $other->{out}, qr{^HTTP/1\.1 200 .*^berth_ready 1$}ms, 'another container of the network scrapes them' or diag($other->{err});
unlike +($d->docker('logs', $nginx))[1] . ($d->docker('logs', $d->value('ps', '-q', '-f', 'label=com.docker.compose.service=fcgi')))[1], qr/DEBUG_ADDR/,
	'neither logs that it does not honour the variable';
is compose('down', '-v')->{status}, 0, 'docker-compose down -v';

$d->stop;
done_testing;
