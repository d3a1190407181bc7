#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What the image runs, with what registry:2 had: a config.yml at its place, a certificate, a password file that is not there yet.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Response;
use Berth::TLS;
use Berth::Upstream;

need_program(qw(nginx unshare curl openssl));
lacking('processes of a namespace of their own', 'it needs root') if $> != 0;
my $dir = tmp_dir();
my $port = Berth::Server::free_port();
my $debug = Berth::Server::free_port();
my $text = slurp(source_dir() . '/docker/start');
my %place = ('/run/berth' => "$dir/run", '/usr/share/berth/nginx' => source_dir() . '/nginx');
$text =~ s/\Q$_\E/$place{$_}/g for sort keys %place;
spew("$dir/start", $text);
chmod 0755, "$dir/start";
mkdir "$dir/$_" for qw(run auth etc);
my $ca = Berth::TLS->authority;
my ($cert, $key) = $ca->certificate('/CN=registry', 'IP:127.0.0.1');
my ($pid, $status);
my @parts;
END { kill KILL => grep { defined } @parts, $pid if $pid && !defined $status }

# begin(env, words) - docker/start as the first process of a namespace
sub begin
{
	my ($env, @words) = @_;

	undef $status;
	$pid = fork // die "fork: $!";
	return if $pid;
	delete $ENV{$_} for grep { /^(?:REGISTRY|BERTH)_/ && $_ ne 'BERTH_SANITIZERS' } keys %ENV;
	$ENV{PATH} = build_dir() . ":$ENV{PATH}:/usr/sbin";
	# as the image sets it
	$ENV{BERTH_CONFIG_YML} = "$dir/etc/docker.yml:$dir/etc/distribution.yml";
	$ENV{$_} = $env->{$_} for keys %$env;
	$SIG{$_} = 'DEFAULT' for qw(TERM INT HUP);      # what is ignored from the beginning no shell can trap
	open STDOUT, '>', "$dir/log" or POSIX::_exit(127);
	open STDERR, '>&', \*STDOUT or POSIX::_exit(127);
	# with a /proc of its own: LeakSanitizer looks for its process there, and fails if it finds none, or another one
	{ no warnings; exec qw(unshare --pid --fork --kill-child --mount-proc), "$dir/start", @words }
	POSIX::_exit(127);
}
sub ended
{
	$status //= $? if waitpid($pid, POSIX::WNOHANG()) == $pid;
	return defined $status;
}
sub stop { kill TERM => Berth::Server::children($pid) if !ended(); return wait_for { ended() } }
sub get { my ($url, @args) = @_; return curl($url, ca => $ca->file, args => [@args]) }
sub answers { my ($url, @args) = @_; return wait_for { ended() ? 0 : get($url, @args) } }

# A config.yml where registry:3 has it; the page about TLS and that about passwords of registry:2's documentation, in one
spew("$dir/etc/distribution.yml", <<"YML");
version: 0.1
log: {fields: {service: registry}}
storage:
  cache: {blobdescriptor: inmemory}
  filesystem: {rootdirectory: $dir/store}
auth:
  htpasswd: {realm: Registry Realm, path: $dir/auth/htpasswd}
http:
  addr: 127.0.0.1:$port
  headers: {X-Content-Type-Options: [nosniff], Strict-Transport-Security: [max-age=60]}
  tls: {certificate: $cert, key: $key}
  debug: {addr: 'localhost:$debug', prometheus: {enabled: true}}
health:
  storagedriver: {enabled: true, interval: 10s, threshold: 3}
YML
begin({}, 'all');
my $r = answers("https://127.0.0.1:$port/v2/");
ok $r, 'the config.yml at its place is read' or diag slurp("$dir/log");
is $r->status, 401, 'the registry is closed';
is $r->header('WWW-Authenticate') =~ s/,.*//r, 'Basic realm="Registry Realm"', 'as it says';
is $r->header('Strict-Transport-Security'), 'max-age=60', 'with the headers that it says';
my ($password) = slurp("$dir/log") =~ /"action":"first_user".*"password":"([^"]+)"/;
ok $password, 'a password file was made, and the log has the password';
is get("https://127.0.0.1:$port/v2/", '-u', "docker:$password")->status, 200, 'which lets in';
is get("http://127.0.0.1:$debug/debug/health")->body, "{}\n", 'the debug address answers';
like get("http://127.0.0.1:$debug/metrics")->body, qr/^registry_http_requests_total/m, 'with metrics under the names of registry:2';
unlike slurp("$dir/log"), qr/"event":"configuration"/, 'nothing is worth a warning';
is scalar(grep { !/"service":"registry"/ } grep { /"event"/ } split /\n/, slurp("$dir/log")), 0, 'each line of the log has the field';
ok stop(), 'it ends';

# The variables of compose files win over it
begin({ REGISTRY_AUTH => 'htpasswd', REGISTRY_AUTH_HTPASSWD_PATH => spew("$dir/auth/other", htpasswd(alice => 'pw')), REGISTRY_HTTP_TLS_CERTIFICATE => $cert, REGISTRY_HTTP_TLS_KEY => $key,
	REGISTRY_STORAGE_DELETE_ENABLED => '"true"', REGISTRY_PORT => 'tcp://10.0.0.1:5000', REGISTRY_AUTH_PORT => 'tcp://10.0.0.1:80' }, 'all');
ok answers("https://127.0.0.1:$port/v2/"), 'with variables of a compose file it starts' or diag slurp("$dir/log");
is get("https://127.0.0.1:$port/v2/", '-u', 'alice:pw')->status, 200, 'and the variables win';
is get("https://127.0.0.1:$port/v2/", '-u', "docker:$password")->status, 401, 'over the file';
# SIGHUP: nginx, too, reads the configuration again
my $yml = slurp("$dir/etc/distribution.yml");
spew("$dir/etc/distribution.yml", $yml =~ s/max-age=60/max-age=61/r);
kill HUP => Berth::Server::children($pid);
ok wait_for(sub { my $r = get("https://127.0.0.1:$port/v2/"); $r && ($r->header('Strict-Transport-Security') // '') eq 'max-age=61' }), 'SIGHUP: the changed file is in force' or diag slurp("$dir/log");
spew("$dir/etc/distribution.yml", $yml . "policy: {repository: {classes: [image]}}\n");
kill HUP => Berth::Server::children($pid);
ok wait_for(sub { slurp("$dir/log") =~ /policy\.repository\.classes[^\n]*is refused[^\n]*the old one stays/ }), 'one that is refused is not' or diag slurp("$dir/log");
ok wait_for(sub { slurp("$dir/log") =~ /^berth: nginx goes on with the configuration that it had$/m }), 'nginx keeps the old one, too, which is said' or diag slurp("$dir/log");
is get("https://127.0.0.1:$port/v2/", '-u', 'alice:pw')->status, 200, 'it serves on';
ok stop(), 'and ends';

# What cannot be as it was is refused with one line
for (['a file that is refused', {}, qr{\A\Q$dir\E/etc/distribution\.yml:\d+: "policy\.repository\.classes" is refused: [^\n]+\n\z}],
	['a directory in the place of the file', { BERTH_CONFIG_YML => "$dir/auth:$dir/etc/distribution.yml" }, qr{\A\Q$dir\E/auth: cannot read: Is a directory\n\z}],
	['a bad address', { BERTH_CONFIG_YML => '', REGISTRY_HTTP_ADDR => '5000' }, qr/\AREGISTRY_HTTP_ADDR: must be an address[^\n]+\n\z/]) {
	my ($title, $env, $re) = @$_;

	begin($env, 'all');
	ok wait_for(sub { ended() }), "$title: it ends";
	is $status >> 8, 2, "$title: with status 2";
	like slurp("$dir/log"), $re, "$title: and one line";
}
# nothing is left out because a program on the way has failed, above all not TLS
mkdir "$dir/broken";
spew("$dir/broken/sed", "#!/bin/sh\ncase \$* in *http.tls.certificate*) exit 1 ;; esac\nexec /bin/sed \"\$@\"\n");
chmod 0755, "$dir/broken/sed";
begin({ BERTH_CONFIG_YML => '', REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY => "$dir/store", REGISTRY_HTTP_ADDR => "127.0.0.1:$port", REGISTRY_HTTP_TLS_CERTIFICATE => $cert,
	REGISTRY_HTTP_TLS_KEY => $key, PATH => "$dir/broken:" . build_dir() . ":$ENV{PATH}:/usr/sbin" }, 'all');
ok wait_for(sub { ended() || get("http://127.0.0.1:$port/v2/") }) && ended(), 'where the settings of nginx cannot be had, it ends, and does not serve without TLS';
stop();
# nginx says what is wrong with a certificate
begin({ BERTH_CONFIG_YML => '', REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY => "$dir/store", REGISTRY_HTTP_ADDR => "127.0.0.1:$port", REGISTRY_HTTP_TLS_CERTIFICATE => $cert,
	REGISTRY_HTTP_TLS_KEY => "$dir/none" }, 'all');
ok wait_for(sub { ended() }), 'without its key it ends';
like slurp("$dir/log"), qr/cannot load certificate key "\Q$dir\E\/none"/, 'and nginx says why';

# A mirror: as registry:2 is told to be one; and with upstreams of berth.conf, in three containers of one volume
my $up = Berth::Upstream->start;
my $image = $up->image('library/app', '1', layers => [random_bytes(300_000)]);
my $env = { BERTH_CONFIG_YML => '', REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY => "$dir/mirror", REGISTRY_HTTP_ADDR => "127.0.0.1:$port", REGISTRY_HTTP_DEBUG_ADDR => "127.0.0.1:$debug" };
sub pulls
{
	my ($repo, $title) = @_;
	my $url = "http://127.0.0.1:$port/v2/$repo";

	ok wait_for(sub { my $r = get("$url/manifests/1", '-H', "Accept: $image->{type}"); $r && $r->status == 200 && $r->body eq $image->{json} }), "$title: an image of upstream" or diag slurp("$dir/log");
	is sha256(get("$url/blobs/$image->{layers}[0]")->body), $image->{layers}[0], 'and its layer';
	like get("http://127.0.0.1:$debug/metrics/relay")->body, qr/^berth_cache_fetched_total\{kind="blob"\} 1$/m, 'which the relay has fetched';
	return;
}
begin({ %$env, REGISTRY_PROXY_REMOTEURL => $up->url }, 'all');
pulls('library/app', 'REGISTRY_PROXY_REMOTEURL');
ok stop(), 'it ends';
my $conf = spew("$dir/etc/berth.conf", sprintf qq(upstreams = ( { name = "up"; urls = [ "%s" ]; } );\n), $up->url);
$env->{REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY} = "$dir/apart";

for my $part (qw(fcgi nginx relay)) {
	begin($env, $part, '--config', $conf);
	push @parts, $pid;
}
pulls('up/library/app', 'apart');
for my $part (reverse @parts) {
	($pid, $status) = ($part, undef);
	ok stop(), 'a container ends';
}

done_testing;
