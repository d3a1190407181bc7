#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Configurations of the kinds that the documentation of registry:2 shows, page by page, and what berth makes of each: what it sets, what it
# names in warnings, or why it refuses. Names and values are this test's own.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;

delete $ENV{$_} for grep { /^(?:REGISTRY|BERTH)_/ } keys %ENV;
my $berth = program('berth');
my $yml = tmp_dir() . '/config.yml';

# show(text, env) - of a config.yml, or of variables alone where there is no text
sub show
{
	my ($text, $env) = @_;
	my $r = run({ env => $env // {} }, $berth, '--config', defined $text ? spew($yml, $text) : '/dev/null', 'config', 'show');

	$r->{shown} = { map { /^(\S+) = (.*)$/ } split /\n/, $r->{out} };
	$r->{lines} = [ map { s/^berth: warning: //r =~ s/^\Q$yml\E:(\d+): /$1: /r } split /\n/, $r->{err} ];
	return $r;
}

# works(title, text, env, want) - without a warning
sub works
{
	my ($title, $text, $env, %want) = @_;
	my $r = show($text, $env);
	my %got = map { $_ => $r->{shown}{$_} } keys %want;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is "$r->{status} $r->{err}", '0 ', "$title: works, and says nothing";
	is_deeply \%got, \%want, "$title: with the values that it has";
	return;
}
sub loses
{
	my ($title, $text, @want) = @_;
	my $r = show($text);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is $r->{status}, 0, "$title: works";
	is join("\n", map { /^(\d+: "[a-z0-9.]+")/ ? $1 : $_ } @{ $r->{lines} }), join("\n", @want), "$title: what is lost is named";
	return;
}
sub refused
{
	my ($title, $text, $env, $want) = @_;
	my $r = show($text, $env);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is $r->{status}, 2, "$title: is refused";
	is scalar @{ $r->{lines} }, 1, "$title: in one line" or diag $r->{err};
	like $r->{lines}[0] // '', qr/^$want/, "$title: that says why";
	return;
}

# --- "Deploying a registry server"
works('another port within the container', undef, { REGISTRY_HTTP_ADDR => '0.0.0.0:7001' }, 'http.listen' => '0.0.0.0:7001');
works('a certificate of an authority', undef, { REGISTRY_HTTP_ADDR => '0.0.0.0:443', REGISTRY_HTTP_TLS_CERTIFICATE => '/pki/site.crt', REGISTRY_HTTP_TLS_KEY => '/pki/site.key' },
	'http.listen' => '0.0.0.0:443', 'http.tls.certificate' => '/pki/site.crt', 'http.tls.key' => '/pki/site.key');
refused('a certificate of Let\'s Encrypt', undef, { REGISTRY_HTTP_TLS_LETSENCRYPT_CACHEFILE => '/c', REGISTRY_HTTP_TLS_LETSENCRYPT_EMAIL => 'me@example.org', REGISTRY_HTTP_TLS_LETSENCRYPT_HOSTS => '[hub.example.org]' },
	'REGISTRY_HTTP_TLS_LETSENCRYPT_CACHEFILE: "http.tls.letsencrypt" is refused: berth fetches no certificate');
works('passwords', undef, { REGISTRY_AUTH => 'htpasswd', REGISTRY_AUTH_HTPASSWD_REALM => 'Images', REGISTRY_AUTH_HTPASSWD_PATH => '/pw/users' }, 'auth.realm' => 'Images', 'auth.htpasswd' => '/pw/users');
works('a compose file', undef, { REGISTRY_HTTP_TLS_CERTIFICATE => '/pki/a.crt', REGISTRY_HTTP_TLS_KEY => '/pki/a.key', REGISTRY_AUTH => 'htpasswd', REGISTRY_AUTH_HTPASSWD_PATH => '/pw/users',
	REGISTRY_AUTH_HTPASSWD_REALM => 'Images' }, 'http.tls.certificate' => '/pki/a.crt', 'auth.htpasswd' => '/pw/users');
works('several behind a load balancer', undef, { REGISTRY_HTTP_SECRET => 'one for all', REGISTRY_REDIS_ADDR => 'cache:6379', REGISTRY_REDIS_PASSWORD => 'x', REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR => 'redis' });
works('a server that keeps foreign layers out', undef, { REGISTRY_STORAGE_REDIRECT_DISABLE => 'true' });
# --- "Configuring a registry": each section
works('another directory', undef, { REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY => '/images' }, root => '/images');
works('the level and the fields of the log', "version: 0.1\nlog:\n  level: error\n  formatter: json\n  fields:\n    app: images\n    stage: test\n", {}, 'log.level' => 'error', 'log.fields' => 'app=images,stage=test');
works('no access log', "log:\n  accesslog:\n    disabled: yes\n", {}, 'log.access' => 'false');
loses('mail on errors', "log:\n  hooks:\n    - type: mail\n      levels: [panic]\n      options:\n        smtp: {addr: 'smtp.example.org:25', username: u, password: p, insecure: true}\n        from: a\@example.org\n        to: [b\@example.org]\n", '2: "log.hooks"');
works('the old name of the level', "version: 0.1\nloglevel: debug\n", {}, 'log.level' => 'debug');
works('purging of uploads', "storage:\n  filesystem: {rootdirectory: /images}\n  maintenance:\n    uploadpurging:\n      enabled: true\n      age: 24h\n      interval: 12h\n      dryrun: false\n", {},
	'gc.uploads' => 86400, 'gc.uploads_every' => 43200);
works('read-only', "storage:\n  maintenance:\n    readonly:\n      enabled: true\n", {}, readonly => 'true');
works('deletes', "storage:\n  delete:\n    enabled: true\n", {}, delete => 'true');
works('no redirects, a cache', "storage:\n  redirect:\n    disable: true\n  cache:\n    blobdescriptor: inmemory\n    blobdescriptorsize: 5000\n", {});
refused("storage by $_", "version: 0.1\nstorage:\n  $_:\n    rootdirectory: /x\n", {}, "3: \"storage.$_\" is refused: only the filesystem") for qw(s3 gcs azure swift oss inmemory);
refused('a login for tests', "auth:\n  silly:\n    realm: r\n    service: s\n", {}, '2: "auth.silly" is refused');
works('tokens', "auth:\n  token:\n    realm: https://id.example.org/t\n    service: hub\n    issuer: id\n    rootcertbundle: /pki/id.pem\n", {}, 'auth.foreign.realm' => 'https://id.example.org/t', 'auth.foreign.bundle' => '/pki/id.pem');
refused('tokens of the same host', "auth:\n  token:\n    autoredirect: true\n    realm: https://id.example.org/t\n    service: hub\n    issuer: id\n    jwks: /pki/id.json\n", {}, '3: "auth.token.autoredirect" is refused: .*set auth\.token\.realm');
works('passwords in the file', "auth:\n  htpasswd:\n    realm: images\n    path: /pw/users\n", {}, 'auth.htpasswd' => '/pw/users');
loses('middleware of the storage', "middleware:\n  storage:\n    - name: cloudfront\n      options:\n        baseurl: https://cdn.example.org/\n        privatekey: /k.pem\n        keypairid: x\n", '1: "middleware"');
loses('reports', "reporting:\n  newrelic:\n    licensekey: x\n    name: y\n", '1: "reporting"');
works('HTTP', "http:\n  addr: localhost:5050\n  net: tcp\n  prefix: /team/images/\n  host: https://hub.example.org:5050\n  secret: s\n  relativeurls: false\n  draintimeout: 30s\n", {},
	'http.listen' => 'localhost:5050', 'http.prefix' => '/team/images', 'http.host' => 'https://hub.example.org:5050', 'http.relative_urls' => 'off');
works('certificates of clients', "http:\n  tls:\n    certificate: /pki/a.crt\n    key: /pki/a.key\n    clientcas:\n      - /pki/ca1.pem\n      - /pki/ca2.pem\n    minimumtls: tls1.2\n", {},
	'http.tls.client_authorities' => '/pki/ca1.pem,/pki/ca2.pem', 'http.tls.client_auth' => 'require');
works('the debug server', "http:\n  debug:\n    addr: localhost:5051\n", {}, 'http.monitor' => 'localhost:5051', 'http.metrics_path' => '/metrics');
works('Prometheus', "http:\n  debug:\n    addr: 0.0.0.0:5051\n    prometheus:\n      enabled: true\n      path: /stats\n", {}, 'http.monitor' => '0.0.0.0:5051', 'http.metrics_path' => '/stats');
works('headers for security', "http:\n  headers:\n    X-Content-Type-Options: [nosniff]\n    Strict-Transport-Security: [max-age=1000]\n", {}, 'http.headers' => 'Strict-Transport-Security: max-age=1000');
works('headers for web pages', "http:\n  headers:\n    Access-Control-Allow-Origin: ['https://ui.example.org']\n    Access-Control-Allow-Methods: ['HEAD', 'GET', 'OPTIONS', 'DELETE']\n    Access-Control-Allow-Headers: ['Authorization', 'Accept', 'Cache-Control']\n"
	. "    Access-Control-Max-Age: [1728000]\n    Access-Control-Allow-Credentials: [true]\n    Access-Control-Expose-Headers: ['Docker-Content-Digest']\n", {}, 'http.cors' => 'https://ui.example.org', 'http.headers' => '');
works('no HTTP/2', "http:\n  http2:\n    disabled: true\n", {}, 'http.http2' => 'false');
loses('HTTP/2 in the clear', "http:\n  h2c:\n    enabled: true\n", '3: "http.h2c.enabled"');
loses('notifications', "notifications:\n  events:\n    includereferences: true\n  endpoints:\n    - name: hook\n      disabled: false\n      url: https://hook.example.org/e\n      headers: {Authorization: [Bearer x]}\n      timeout: 1s\n"
	. "      threshold: 5\n      backoff: 2s\n      ignoredmediatypes: [application/octet-stream]\n      ignore: {actions: [pull]}\n", '3: "notifications.events.includereferences"');
works('notifications by a variable', undef, { REGISTRY_NOTIFICATIONS_ENDPOINTS => "- name: hook\n  url: http://localhost:5003/callback\n  timeout: 1s\n  threshold: 10\n  backoff: 1s\n  disabled: true\n" }, notifications => '( )');
works('Redis', "redis:\n  addr: localhost:6379\n  password: p\n  db: 0\n  dialtimeout: 10ms\n  pool: {maxidle: 16, maxactive: 64, idletimeout: 300s}\n  tls: {enabled: false}\n", {});
loses('checks of health', "health:\n  storagedriver: {enabled: true, interval: 10s, threshold: 3}\n  file:\n    - file: /stop\n      interval: 10s\n  http:\n    - uri: http://x.example.org/\n      statuscode: 200\n  tcp:\n    - addr: redis.example.org:6379\n",
	'3: "health.file"', '6: "health.http"', '9: "health.tcp"');
works('compatibility with old manifests, off', "compatibility:\n  schema1:\n    signingkeyfile: /k.json\n    enabled: false\n", {});
loses('URLs in manifests', "validation:\n  manifests:\n    urls:\n      allow: ['^https?://([^/]+\\.)*example\\.org/']\n      deny: ['^https?://www\\.example\\.org/']\n", '3: "validation.manifests.urls"');
loses('some platforms of an index', "validation:\n  manifests:\n    indexes:\n      platforms: List\n      platformlist:\n        - {architecture: arm64, os: linux}\n", '4: "validation.manifests.indexes.platforms"');
works('no platform of an index', "validation: {manifests: {indexes: {platforms: none}}}\n", {}, 'manifests.sparse' => 'index');
# --- "Registry as a pull through cache"
my $hub = '( { name = ""; urls = [ "https://registry-1.docker.io" ]; hosts = [ ]; realms = [ "auth.docker.io" ]; redirects = [ ]; user = "u"; password_file = ""; password = "***"; '
	. 'fresh = "600s"; stale = "2592000s"; missing = "60s"; allow = [ ]; platforms = [ ]; ca = ""; finish = true; } )';
works('a mirror', "proxy:\n  remoteurl: https://registry-1.docker.io/\n  username: u\n  password: geheim\n  ttl: 168h\n", {}, upstreams => $hub, 'cache.idle' => 604800);
works('a mirror by variables', undef, { REGISTRY_PROXY_REMOTEURL => 'https://registry-1.docker.io', REGISTRY_PROXY_USERNAME => 'u', REGISTRY_PROXY_PASSWORD => 'p' }, upstreams => $hub);
works('a mirror whose password is a variable', "proxy:\n  remoteurl: https://registry-1.docker.io\n  username: u\n", { REGISTRY_PROXY_PASSWORD => 'a: b' }, upstreams => $hub);
# --- its examples for development, and the configuration of its image
loses('for development', "version: 0.1\nlog:\n  level: debug\n  formatter: text\nstorage:\n  filesystem:\n    rootdirectory: /tmp/images\nhttp:\n  addr: localhost:5000\n  secret: s\n  debug:\n    addr: localhost:5001\n", '4: "log.formatter"');
works('of the image', "version: 0.1\nlog:\n  fields:\n    service: registry\nstorage:\n  cache:\n    blobdescriptor: inmemory\n  filesystem:\n    rootdirectory: /var/lib/registry\n  tag:\n    concurrencylimit: 8\n"
	. "http:\n  addr: :5000\n  headers:\n    X-Content-Type-Options: [nosniff]\nhealth:\n  storagedriver:\n    enabled: true\n    interval: 10s\n    threshold: 3\n", {}, root => '/var/lib/registry', 'http.listen' => ':5000');

done_testing;
