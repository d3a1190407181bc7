#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# One image replaces registry:2: an operator's compose file for registry:2 works unchanged.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(time);
use Berth::Test;
use Berth::Client;
use Berth::Docker;
use Berth::Image;
use Berth::TLS ();

plain_build_only('the images are built from the sources');
need_program('docker-compose');

my $d = Berth::Docker->start(network => 1);
Berth::Image::load($d);
$d->docker_ok('tag', 'berth', 'registry:2', 'berth is called registry:2');
my $dir = tmp_dir();
my $data = "$dir/data";
my $url = 'http://127.0.0.1:5000';

# The form without `services:` is known to docker-compose 1 alone.
my $old = run('docker-compose', 'version', '--short')->{out} =~ /^1\./;
my $compose = <<"EOT";
registry:
  restart: always
  image: registry:2
  container_name: registry-dev
  ports:
    - 5000:5000
  volumes:
    - $data:/var/lib/registry
  environment:
    REGISTRY_STORAGE_DELETE_ENABLED: 'true'
EOT
spew("$dir/docker-compose-registry.yaml", $old ? $compose : "services:\n" . $compose =~ s/^/  /gmr);

sub compose
{
	return run({ env => $d->env }, 'docker-compose', '-f', "$dir/docker-compose-registry.yaml", @_);
}

sub curl
{
	my $r = $d->inside('curl', '-sS', '-i', '--max-time', '100', @_);

	return $r->{out} =~ s/\r\n/\n/gr;
}

sub body { return curl(@_) =~ /\n\n(.*)\z/s ? $1 : '' }
sub served { my ($at) = @_; return wait_for { curl(($at // $url) . '/v2/') =~ m{^HTTP/1.1 200 } } }

# Runs a container that ends by itself. -> its status and its output
sub ended
{
	my $r = $d->run_docker('run', '--rm', @_);

	return [$r->{status}, $r->{out} . $r->{err}];
}

# What a container's health check says; it is asked again where nginx did not answer within five seconds, or the master had not heard of all workers.
sub health
{
	my ($name) = @_;
	my $is;

	wait_for { $is = [$d->docker('exec', $name, '/usr/lib/berth/health')]; $is->[1] !~ /^(?:nginx does not answer|no worker accepts \w+)$/ };
	return $is;
}

# owner and mode of everything below a directory
sub owners { return { map { (split / /, $_, 2)[1, 0] } split /\n/, run('find', $_[0], '-printf', "%U:%G:%m %P\n")->{out} } }

# --- the walk, on an existing store that does not belong to root as a whole

mkdir $data;
run_ok('sh', '-c', 'mkdir -p "$1" && echo kept >"$1/data" && chown -R 1234:1234 "$1"', 'sh',
	"$data/docker/registry/v2/blobs/sha256/00/" . '0' x 64, 'a store with a part that is not root\'s');
my $before = owners($data);
my $from = time;
my $r = compose('up', '-d');
is $r->{status}, 0, 'docker-compose up' or diag($r->{err});
ok served(), 'a registry is there';
note sprintf('%.1f s from docker-compose up to the first answer', time - $from);
$d->busybox_image('busybox:latest');
$d->docker_ok('tag', 'busybox', '127.0.0.1:5000/busybox:1.0', 'docker tag');
my $said = $d->docker_ok('push', '127.0.0.1:5000/busybox:1.0', 'docker push');
my ($digest, $size) = $said =~ /^1\.0: digest: (sha256:[0-9a-f]{64}) size: (\d+)$/m;
is body("$url/v2/_catalog"), qq({"repositories":["busybox"]}\n), 'the catalog';
is body("$url/v2/busybox/tags/list"), qq({"name":"busybox","tags":["1.0"]}\n), 'the tags';
my $head = curl('--head', '-H', 'Accept: application/vnd.docker.distribution.manifest.v2+json', "$url/v2/busybox/manifests/1.0");
like $head, qr{^HTTP/1\.1 200 OK\n}, 'the manifest';
like $head, qr/^\Q$_\E$/m, "has $_" for "Content-Length: $size", 'Content-Type: application/vnd.docker.distribution.manifest.v2+json',
	"Docker-Content-Digest: $digest", 'Docker-Distribution-Api-Version: registry/2.0', qq(Etag: "$digest"), 'X-Content-Type-Options: nosniff';
$d->docker_ok('stop', '-t', 100, 'registry-dev', 'docker stop');
is $d->value('inspect', '-f', '{{.State.ExitCode}}', 'registry-dev'), 0, 'it ends with status 0';
$from = time;
$d->docker_ok('start', 'registry-dev', 'docker start');
ok served(), 'it is there again';
note sprintf('%.1f s from docker start to the first answer', time - $from);
is body("$url/v2/busybox/tags/list"), qq({"name":"busybox","tags":["1.0"]}\n), 'what was pushed is there';
like curl('-X', 'DELETE', "$url/v2/busybox/manifests/$digest"), qr{^HTTP/1\.1 202 Accepted\n.*\n\n\z}s, 'delete';
is body("$url/v2/_catalog"), qq({"repositories":["busybox"]}\n), 'the catalog still has it';
is body("$url/v2/busybox/tags/list"), qq({"name":"busybox","tags":null}\n), 'the tags are null';
$d->docker_ok('push', '127.0.0.1:5000/busybox:1.0', 'docker push once more');

my $after = owners($data);
is_deeply { map { $_ => $after->{$_} } keys %$before }, $before, 'no file has changed its owner';
is join(' ', grep { !$before->{$_} && $after->{$_} !~ /^0:0:/ } sort keys %$after), '', 'new files belong to the user of the container';

# --- parts that are killed, and the first process

my $sh = sub { return $d->value('exec', 'registry-dev', 'sh', '-c', $_[0]) };
# of the children of the first process: workers have the words of their master
my $pid_of = 'for p in /proc/[0-9]*; do c=$(tr "\0" " " <$p/cmdline); case $c in "%s"*) grep -q "^PPid:.1$" $p/status && echo ${p#/proc/};; esac; done';
$sh->('(sleep 0.1 & sleep 0.2) & exit');
ok wait_for(sub { $sh->('cat /proc/[0-9]*/status | grep -c "^State:.Z"; true') eq '0' }), 'the first process reaps orphans';
for my $part ('berth-fcgi --listen', 'nginx: master') {
	my $restarts = $d->value('inspect', '-f', '{{.RestartCount}}', 'registry-dev');
	my $pid = $sh->(sprintf $pid_of, $part);
	like $pid, qr/^\d+$/, "$part runs" or next;
	$d->docker('exec', 'registry-dev', 'sh', '-c', "kill -KILL $pid");      # which may end with the container
	ok wait_for(sub { $d->value('inspect', '-f', '{{.RestartCount}}', 'registry-dev') > $restarts }), 'the container ends with it, and is started again';
	ok served(), 'and serves';
}
my (undef, $log) = $d->docker('logs', 'registry-dev');
like $log, qr/^berth: berth-fcgi has ended; the container ends$/m, 'the log says which it was';
like $log, qr/^berth: nginx has ended; the container ends$/m, 'each time';
like $log, qr/^\{"time":.*"uri":"\/v2\/_catalog".*"status":200/m, "nginx's log is the container's output";
$d->docker_ok('kill', '-s', 'HUP', 'registry-dev', 'SIGHUP');
ok wait_for(sub { ($d->docker('logs', 'registry-dev'))[1] =~ /"event":"reload"/ }), 'reads the configuration again';
ok served(), 'and it serves';
is compose('down')->{status}, 0, 'docker-compose down';
ok -d "$data/docker/registry/v2/repositories/busybox", 'leaves the data';

# --- another user

my @on = ('-v', "$data:/var/lib/registry");
is_deeply ended('--user', '4321', @on, 'berth'), [2, "berth: uid 4321 cannot write /var/lib/registry, which belongs to " .
	"0:0, mode 755: run the container as its owner, or change the owner\n"], 'user: one that cannot write the store gets one line';
run_ok('chown', '4321', $data, 'the top alone is given to that user');
like ended('--user', '4321', @on, 'berth')->[1], qr{^berth: uid 4321 cannot write /var/lib/registry/docker, which[^\n]*\n\z}, 'the path is the one that matters';
mkdir "$dir/own";
run_ok('chown', '4321:4321', "$dir/own", 'a store of its own');
$d->docker_ok('run', '-d', '--name', 'own', '--user', '4321:4321', '--read-only', '--tmpfs', '/tmp', '--cap-drop', 'ALL',
	'-p', '5001:5001', '-e', 'REGISTRY_HTTP_ADDR=:5001', '-e', 'REGISTRY_HTTP_DEBUG_ADDR=127.0.0.1:5002', '-v', "$dir/own:/var/lib/registry", 'berth', 'user: one that can write it');
ok served('http://127.0.0.1:5001'), 'serves, where REGISTRY_HTTP_ADDR says';
is $d->value('exec', 'own', 'stat', '-c', '%u:%g', '/var/lib/registry/berth'), '4321:4321', 'as that user';
is_deeply health('own'), [0, "ready\n"], 'the health check asks there, too';
like +($d->docker('exec', 'own', 'wget', '-q', '-O', '-', 'http://127.0.0.1:5002/metrics'))[1], qr{^berth_ready 1$}m, 'REGISTRY_HTTP_DEBUG_ADDR says where the metrics are';
like curl("http://127.0.0.1:5001$_"), qr{^HTTP/1\.1 404 }, "... and $_ is nowhere else" for '/metrics', '/readyz';

# --- with nothing, and with as little as registry:2 does with

my $n = 5010;
for ([], ['--read-only'], ['--cap-drop', 'ALL'], ['--user', '1234'], ['--user', '1234', '--read-only', '--cap-drop', 'ALL'],
	['--user', '5000:5000', '--read-only', '--tmpfs', '/tmp', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges:true']) {
	my ($name, $title) = ('little' . ++$n, join(' ', 'docker run', @$_));
	$d->docker_ok('run', '-d', '--name', $name, '-p', "$n:5000", @$_, 'berth', "$title: no volume, no variable");
	ok served("http://127.0.0.1:$n"), 'serves';
	is +($d->docker('exec', $name, 'wget', '-q', '--spider', 'http://localhost:5000/v2/'))[0], 0, '... which wget finds';
	is_deeply health($name), [0, "ready\n"], '... and is healthy';
	$d->docker_ok('tag', 'busybox', "127.0.0.1:$n/busybox:1.0", 'docker tag');
	$d->docker_ok('push', "127.0.0.1:$n/busybox:1.0", '... a push');
	$d->docker_ok('rm', '-fv', $name, '... removed');
}

# --- the commands of registry:2

my $stock = '/etc/docker/registry/config.yml';
my $told = sub { my ($words) = @_; return qr/^registry: running `\Q$words\E`$/m };
for my $command (['registry'], ['bin/registry'], ['/bin/registry'], []) {
	my $as = join ' ', 'docker run IMAGE', @$command, 'garbage-collect';
	my $r = $d->run_docker('run', '--rm', @on, 'berth', @$command, 'garbage-collect', '-m', '--dry-run', $stock);
	is $r->{status}, 0, "$as -m --dry-run";
	like $r->{err}, $told->('berth gc --dry-run --untagged'), '... says what it is, on standard error';
	unlike $r->{out}, qr/registry: /, '... only there';
}
for (['', ''], ['-d', ' --dry-run'], ['-dm', ' --dry-run --untagged'], ['--delete-untagged=true --dry-run=false', ' --untagged'], ['-m=false', ''], ['--delete-untagged -q', ' --untagged']) {
	my ($options, $means) = @$_;
	my $r = $d->run_docker('run', '--rm', @on, 'berth', 'registry', 'garbage-collect', $stock, split / /, $options);
	like $r->{err}, $told->("berth gc$means"), "garbage-collect $options" or diag $r->{out};
	is $r->{status}, 0, '... runs';
	is $r->{out} eq '', scalar($options =~ /-q/), '... quietly where it is asked to';
}
for (['garbage-collect'], ['garbage-collect', $stock, $stock], ['garbage-collect', '--prune', $stock], ['garbage-collect', '-x', $stock], ['garbage-collect', '--dry-run=maybe', $stock],
	['garbage-collect', '/none.yml'], ['serve', '/none.yml'], ['restore', $stock], []) {
	my $r = $d->run_docker('run', '--rm', 'berth', 'registry', @$_);
	is $r->{status}, 2, join(' ', 'registry', @$_, 'is refused');
	like $r->{err}, qr/^registry: [^`]+$/m, '... with the reason' or diag $r->{err};
}
for (['serve', $stock], ['registry', 'serve', $stock], ['/bin/registry', 'serve', $stock], [$stock], ['serve']) {
	my @command = @$_;
	$d->docker_ok('run', '-d', '--name', 'words', '-p', '5004:5000', 'berth', @command, "docker run IMAGE @command");
	ok served('http://127.0.0.1:5004'), '... serves';
	like +($d->docker('logs', 'words'))[1], $told->('/usr/lib/berth/start all'), '... and says what runs';
	is +($d->docker('exec', 'words', 'bin/registry', 'garbage-collect', $stock))[0], 0, '... bin/registry garbage-collect in it';
	$d->docker_ok('stop', '-t', 100, 'words', '... stopped');
	is $d->value('inspect', '-f', '{{.State.ExitCode}}', 'words'), 0, '... with status 0';
	$d->docker('rm', '-v', 'words');
}
$d->docker_ok('run', '-d', '--name', 'words', '-p', '5004:5000', '--entrypoint', '/entrypoint.sh', 'berth', $stock, 'its entry point by the name that registry:2 has for it');
ok served('http://127.0.0.1:5004'), '... serves';
$d->docker('rm', '-fv', 'words');
like ended('berth', '--version')->[1], qr/^berth \d/, '--version';
like ended('berth', 'help')->[1], qr/^usage: registry serve /, 'help';

# --- with a password, as the documentation of registry:2 has it

mkdir "$dir/$_" for 'auth', 'closed';
my $added = $d->run_docker('run', '--rm', '--network', 'none', '--entrypoint', 'sh', '-v', "$dir/auth:/auth", 'berth', '-c',
	'echo "auth = { htpasswd = \"/auth/htpasswd\"; };" >/etc/berth/berth.conf; : >/auth/htpasswd; echo secret | berth user add tester --bcrypt');
is $added->{status}, 0, 'a user with a bcrypt hash' or diag $added->{err};
spew("$dir/docker-compose-registry.yaml", ($old ? '' : "services:\n") . <<"EOT" =~ s/^/$old ? '' : '  '/gmer);
registry:
  image: registry:2
  restart: always
  ports: ["5005:5000"]
  environment:
    REGISTRY_AUTH: htpasswd
    REGISTRY_AUTH_HTPASSWD_PATH: /auth/htpasswd
    REGISTRY_AUTH_HTPASSWD_REALM: Who is it?
  volumes:
    - $dir/closed:/var/lib/registry
    - $dir/auth:/auth:ro
EOT
is compose('up', '-d')->{status}, 0, 'docker-compose up with a file of passwords';
my $closed = 'http://127.0.0.1:5005/v2/';
ok wait_for(sub { curl($closed) =~ m{^HTTP/1\.1 401 .*^Www-Authenticate: Basic realm="Who is it\?"}msi }), 'it is closed, with that realm';
like curl('-u', 'tester:wrong', $closed), qr{^HTTP/1\.1 401 }, '... for a wrong password';
like curl('-u', 'tester:secret', $closed), qr{^HTTP/1\.1 200 }, '... open for the right one';
is compose('down')->{status}, 0, 'docker-compose down';

# --- with TLS, and the whole of it in a config.yml

my $ca = Berth::TLS->authority;
my ($certificate, $key) = $ca->certificate('/CN=127.0.0.1', 'IP:127.0.0.1');
mkdir "$dir/certs";
spew("$dir/certs/domain.crt", slurp($certificate));
spew("$dir/certs/domain.key", slurp($key));
mkdir "$dir/conf";
spew("$dir/conf/config.yml", <<"EOT");
version: 0.1
storage:
  cache: { blobdescriptor: inmemory }
  filesystem: { rootdirectory: /var/lib/registry }
auth:
  htpasswd: { realm: "Who is it?", path: /auth/htpasswd }
http:
  addr: :5000
  headers: { X-Content-Type-Options: [nosniff] }
  tls: { certificate: /certs/domain.crt, key: /certs/domain.key }
EOT
sub moved
{
	my ($more) = @_;

	spew("$dir/docker-compose-registry.yaml", ($old ? '' : "services:\n") . <<"EOT" =~ s/^/$old ? '' : '  '/gmer);
registry:
  image: registry:2
  restart: always
  container_name: moved
  ports: ["5006:5000"]
  volumes:
    - $dir/certs:/certs:ro
    - $dir/auth:/auth:ro
$more
EOT
	is compose('up', '-d')->{status}, 0, 'docker-compose up';
	my $at = 'https://127.0.0.1:5006/v2/';
	my @trust = ('--cacert', $ca->file);
	ok wait_for(sub { curl(@trust, $at) =~ m{^HTTP/\S+ 401 } }), 'it speaks TLS, and is closed';
	like curl(@trust, '-u', 'tester:secret', $at), qr{^HTTP/\S+ 200 }, '... open for the right password';
	is_deeply health('moved'), [0, "ready\n"], '... and healthy';
	like +($d->docker('exec', 'moved', 'bin/registry', 'garbage-collect', $stock))[1], $told->('berth gc'), '... and its garbage can be collected';
	is compose('down', '-v')->{status}, 0, 'docker-compose down';
	return;
}
moved(<<'EOT');
  environment:
    REGISTRY_HTTP_TLS_CERTIFICATE: /certs/domain.crt
    REGISTRY_HTTP_TLS_KEY: /certs/domain.key
    REGISTRY_AUTH: htpasswd
    REGISTRY_AUTH_HTPASSWD_PATH: /auth/htpasswd
    REGISTRY_AUTH_HTPASSWD_REALM: Who is it?
EOT
moved("    - $dir/conf/config.yml:$stock:ro\n");
# Somewhere else, and named.
moved("    - $dir/conf/config.yml:/etc/mine.yml:ro\n  command: /etc/mine.yml\n");

# --- where nginx listens on a Unix socket, wget cannot ask it, and the workers alone are asked

spew("$dir/conf/unix.yml", "version: 0.1\nstorage: { filesystem: { rootdirectory: /var/lib/registry } }\nhttp: { net: unix, addr: /run/berth/web.sock }\n");
$d->docker_ok('run', '-d', '--name', 'unix', '-v', "$dir/conf/unix.yml:$stock:ro", 'berth', 'nginx on a Unix socket');
ok wait_for(sub { ($d->docker('exec', 'unix', 'test', '-S', '/run/berth/web.sock'))[0] == 0 }), '... is there';
ok wait_for(sub { ($d->docker('exec', 'unix', '/usr/lib/berth/health'))[1] eq "ready\n" }), '... and the container is healthy';

# --- on Debian 12

mkdir "$dir/bookworm";
$d->docker_ok('run', '-d', '--name', 'bookworm', '-p', '5003:5000', '-v', "$dir/bookworm:/var/lib/registry", 'berth-on-bookworm', 'an image on Debian 12');
is $d->value('exec', 'bookworm', 'sh', '-c', '. /etc/os-release && echo $VERSION_CODENAME'), 'bookworm', 'is on Debian 12';
ok served('http://127.0.0.1:5003'), '... and serves';
$d->docker_ok('tag', 'busybox', '127.0.0.1:5003/busybox:1.0', 'docker tag');
$d->docker_ok('push', '127.0.0.1:5003/busybox:1.0', '... a push');
is body('http://127.0.0.1:5003/v2/busybox/tags/list'), qq({"name":"busybox","tags":["1.0"]}\n), '... and the tags';
is_deeply health('bookworm'), [0, "ready\n"], '... and is healthy';

# --- each error is one line

like ended('-e', 'REGISTRY_HTTP_ADDR=5000', 'berth')->[1], qr/^REGISTRY_HTTP_ADDR: must be an address to listen on [^\n]*\n\z/, 'an invalid address';
like ended('-e', 'REGISTRY_HTTP_DEBUG_ADDR=5001', 'berth')->[1], qr/^REGISTRY_HTTP_DEBUG_ADDR: must be an address to listen on [^\n]*\n\z/, 'another';
like ended('-e', 'REGISTRY_HTTP_TLS_CERTIFICATE=/x', 'berth')->[1], qr/^[^\n]*REGISTRY_HTTP_TLS_CERTIFICATE[^\n]*\n\z/, 'a variable that berth refuses';
like ended(@on, 'berth', 'repo', 'list')->[1], qr/^busybox$/m, "a command of berth's can be run instead";

$d->stop;
done_testing;
