#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The environment variables of registry:2: YAML, and honoured, refused, or named in a warning where something is lost.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;

delete $ENV{$_} for grep { /^REGISTRY_/ } keys %ENV;

my $berth = program('berth');
my $file = tmp_dir() . '/berth.conf';
spew($file, '');

sub with
{
	my (%env) = @_;
	my $r = run({ env => \%env }, $berth, '--config', $file, 'config', 'show');

	$r->{shown} = { map { /^(\S+) = (.*)$/ } split /\n/, $r->{out} };
	return $r;
}

sub refused
{
	my ($title, $env, $re) = @_;
	my $r = with(%$env);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is $r->{status}, 2, "$title ends with 2";
	like $r->{err}, qr/\A$re[^\n]*\n\z/, "$title is said in one line";
	is $r->{out}, '', "$title shows nothing";
}

# Honoured
is with(REGISTRY_STORAGE_DELETE_ENABLED => 'true')->{shown}{delete}, 'true', 'deleting is switched on as for registry:2';
is with(REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY => '/srv/r')->{shown}{root}, '/srv/r', 'the root directory is taken';
is with(REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED => 'true')->{shown}{readonly}, 'true', 'read-only is switched on';
for my $form ('{"enabled":true}', '{ "enabled" : true }', "{'enabled': yes}", '{enabled: true}', " {enabled: on }\n") {
	is with(REGISTRY_STORAGE_MAINTENANCE_READONLY => $form)->{shown}{readonly}, 'true', "read-only is switched on by $form";
}
is with(REGISTRY_STORAGE_MAINTENANCE_READONLY => '{"enabled":false}')->{shown}{readonly}, 'false', 'and left off by false';
for my $level (qw(error warn info debug WARN Debug)) {
	is with(REGISTRY_LOG_LEVEL => $level)->{shown}{'log.level'}, lc $level, "$level is a log level";
}
for my $yes (qw(true True TRUE yes Yes y on ON), ' true ') {
	is with(REGISTRY_STORAGE_DELETE_ENABLED => $yes)->{shown}{delete}, 'true', "\"$yes\" is true";
}
for my $none (qw(t T 1)) {
	is with(REGISTRY_STORAGE_DELETE_ENABLED => $none)->{shown}{delete}, 'false', "\"$none\" is not, since registry:2 wants a boolean of YAML there";
}
spew($file, "delete = true;\nroot = \"/srv/file\";\nlog = { level = \"debug\"; };\n");
for my $no (qw(false False FALSE f 0 no No n off)) {
	is with(REGISTRY_STORAGE_DELETE_ENABLED => $no)->{shown}{delete}, 'false', "\"$no\" is false, and wins over the file";
}
my $r = with(REGISTRY_STORAGE_DELETE_ENABLED => '', REGISTRY_AUTH => '', REGISTRY_AUTH_TOKEN_REALM => '', REGISTRY_FOO => '', REGISTRY_LOG_LEVEL => '');
is $r->{shown}{delete}, 'true', 'an empty variable leaves what the file says';
is $r->{err}, '', 'an empty variable is worth no word';
spew($file, '');
is with(REGISTRY_STORAGE => 'filesystem')->{err}, '', 'the file system may be named as the driver';


# YAML, as there
for my $form ('"true"', "'true'", 'true # yes', "# first\ntrue", "true\n") {
	is with(REGISTRY_STORAGE_DELETE_ENABLED => $form)->{shown}{delete}, 'true', "$form is true: quotes and comments are no part of a value";
}
is with(REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY => '"/srv/a b"')->{shown}{root}, '/srv/a b', 'a text may be in quotes';
is with(REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY => '~')->{shown}{root}, '/var/lib/registry', '~ is no value';
is with(REGISTRY_STORAGE_DELETE => '{enabled: true}')->{shown}{delete}, 'true', 'a map in one variable';
my $map = with(REGISTRY_AUTH => '{htpasswd: {realm: x, path: /auth/h}}', REGISTRY_STORAGE => '{"filesystem":{"rootdirectory":"/x"}, delete: {enabled: on}}');
is "$map->{status} $map->{err}", '0 ', 'maps in maps';
is join(' ', @{ $map->{shown} }{qw(auth.htpasswd auth.realm root delete)}), '/auth/h x /x true', 'set what is in them';
is with(REGISTRY_STORAGE => '{filesystem: {rootdirectory: /x}}', REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY => '/y')->{shown}{root}, '/y', 'the more specific variable wins';
is with(REGISTRY_HTTP_TLS_CLIENTCAS => '[/a, /b]', REGISTRY_HTTP_TLS_CERTIFICATE => '/c', REGISTRY_HTTP_TLS_KEY => '/k')->{shown}{'http.tls.client_authorities'}, '/a,/b', 'a list';
is with(REGISTRY_HTTP_TLS_CLIENTCAS => '[/a, /b]', REGISTRY_HTTP_TLS_CLIENTCAS_1 => '/z', REGISTRY_HTTP_TLS_CERTIFICATE => '/c', REGISTRY_HTTP_TLS_KEY => '/k')->{shown}{'http.tls.client_authorities'},
	'/a,/z', 'one element of a list';
is with(REGISTRY_LOG_FIELDS => '{a: b}', REGISTRY_LOG_FIELDS_C => 'd')->{shown}{'log.fields'}, 'a=b,c=d', 'one member of a map that is taken whole';
is with('REGISTRY_HTTP_HEADERS_Access-Control-Allow-Origin' => "['*']")->{shown}{'http.cors'}, '*', 'a header in a variable';
is with('REGISTRY_HTTP_HEADERS_Access-Control-Allow-Origin' => '[https://a]', 'REGISTRY_HTTP_HEADERS_X-A' => '[b]')->{shown}{'http.cors'}, 'https://a', 'or two';
is with('REGISTRY_HTTP_HEADERS' => "{'Access-Control-Allow-Origin': ['https://a', 'https://b']}")->{shown}{'http.cors'}, 'https://a,https://b', 'and all in one';
is with(REGISTRY_AUTH_HTPASSWD_PATH => '/h', REGISTRY_AUTH_HTPASSWD_REALM => 'Registry: private')->{shown}{'auth.realm'}, 'Registry: private', 'a text that would be a map in YAML is a text where one is wanted';
is with(REGISTRY_HTTP_ADDR => '[::]:5000')->{shown}{'http.listen'}, '[::]:5000', 'and one that would be no YAML at all';
is with(REGISTRY_HTTP_ADDR => ':5000', REGISTRY_HTTP_DEBUG_ADDR => 'localhost:5001')->{shown}{'http.monitor'}, 'localhost:5001', 'addresses';
is with(REGISTRY_HTTP_ADDR => '/run/s', REGISTRY_HTTP_NET => 'unix')->{shown}{'http.listen'}, 'unix:/run/s', 'the path of a socket';

# Bad values
refused('a bad boolean', { REGISTRY_STORAGE_DELETE_ENABLED => 'maybe' }, 'REGISTRY_STORAGE_DELETE_ENABLED: must be true or false');
refused('a number for a boolean', { REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED => '2' },
	'REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED: must be');
refused('a relative root', { REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY => 'data' },
	'REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: must be an absolute path');
refused('an unknown level', { REGISTRY_LOG_LEVEL => 'loud' }, 'REGISTRY_LOG_LEVEL: must be "error", "warn", "info" or "debug"');
refused('an address without a port', { REGISTRY_HTTP_ADDR => '5000' }, 'REGISTRY_HTTP_ADDR: must be an address to listen on');
refused($_, { REGISTRY_STORAGE_MAINTENANCE_READONLY => $_ }, 'REGISTRY_STORAGE_MAINTENANCE_READONLY: must be a map of settings') for 'true', '[enabled]';
refused("$_ for read-only", { REGISTRY_STORAGE_MAINTENANCE_READONLY => $_ }, 'REGISTRY_STORAGE_MAINTENANCE_READONLY: is not YAML: ') for '{', '}', '{"enabled:true}', '{"enabled":true', '{enabled: true}}', '{a: 1, a: 2}';
refused("$_ for read-only", { REGISTRY_STORAGE_MAINTENANCE_READONLY => $_ }, 'REGISTRY_STORAGE_MAINTENANCE_READONLY: "storage.maintenance.readonly.enabled" must be true or false')
	for '{enabled}', '{"enabled":}', '{enabled: [true]}';
refused("an alias", { REGISTRY_AUTH => '{htpasswd: {path: &a /x, realm: *a}}' }, 'REGISTRY_AUTH: is not YAML: an alias');
like with(REGISTRY_STORAGE_MAINTENANCE_READONLY => '{"enabled":true,"x":1}')->{err},
	qr/^berth: warning: REGISTRY_STORAGE_MAINTENANCE_READONLY: "storage.maintenance.readonly.x" has no effect: there is no such setting\n\z/, 'a member that does not exist is named';

# What an operator must not be wrong about
refused('a token service without its variables', { REGISTRY_AUTH => 'token' }, 'REGISTRY_AUTH: nobody could log in');
refused('a login under a name that does not exist', { REGISTRY_AUTH_HTPASSWD => 'secret' },
	'(?![^\n]*secret)REGISTRY_AUTH_HTPASSWD: must be a map of settings');
my %service = (REALM => 'https://auth.example/token', SERVICE => 'registry.example', ISSUER => 'auth.example', ROOTCERTBUNDLE => '/certs/bundle', JWKS => '/certs/jwks');
my %token = map { ("REGISTRY_AUTH_TOKEN_$_" => $service{$_}) } keys %service;
for my $one (keys %service) {
	refused("a token service's $one alone", { "REGISTRY_AUTH_TOKEN_$one" => $service{$one} }, 'REGISTRY_AUTH_TOKEN: a foreign token service needs _REALM, ');
	refused("a bad $one", { %token, "REGISTRY_AUTH_TOKEN_$one" => "a\"b" }, "REGISTRY_AUTH_TOKEN_$one: must be ");
	next if $one =~ /ROOT|JWKS/;
	refused("a token service without its $one", { %token, "REGISTRY_AUTH_TOKEN_$one" => '' }, 'REGISTRY_AUTH_TOKEN: a foreign token service needs _REALM, ');
}
refused('a token service without keys', { %token, REGISTRY_AUTH_TOKEN_JWKS => '', REGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE => '' },
	'REGISTRY_AUTH_TOKEN: a foreign token service needs _REALM, ');
my $service = with(REGISTRY_AUTH => 'token', %token);
is "$service->{status} $service->{err}", '0 ', 'a token service as registry:2 has it is honoured';
is join(' ', map { $service->{shown}{"auth.foreign.$_"} } qw(realm service issuer bundle jwks)), join(' ', @service{qw(REALM SERVICE ISSUER ROOTCERTBUNDLE JWKS)}),
	'with all that belongs to it';
is with(%token, REGISTRY_AUTH_TOKEN_JWKS => '')->{status}, 0, 'a bundle alone will do';
is with(%token, REGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE => '')->{status}, 0, 'a JWKS alone will do';
refused('a setting of it that berth does not have', { %token, REGISTRY_AUTH_TOKEN_AUTOREDIRECT => 'true' }, 'REGISTRY_AUTH_TOKEN_AUTOREDIRECT: only logins by htpasswd');
refused('an unknown setting of it', { %token, REGISTRY_AUTH_TOKEN_X => 'true' }, 'REGISTRY_AUTH_TOKEN_X: only logins by htpasswd');
is with(%token, REGISTRY_AUTH_TOKEN_AUTOREDIRECT => 'false')->{err}, '', 'which may be switched off';
refused('another kind of login', { REGISTRY_AUTH_SILLY_REALM => 'x' }, 'REGISTRY_AUTH_SILLY_REALM: "auth.silly" is refused: only logins by htpasswd');
refused('a login without a file', { REGISTRY_AUTH => 'htpasswd' }, 'REGISTRY_AUTH: nobody could log in');
refused('a realm without a file', { REGISTRY_AUTH_HTPASSWD_REALM => 'x' }, 'REGISTRY_AUTH: nobody could log in');
refused('a file by a relative path', { REGISTRY_AUTH_HTPASSWD_PATH => 'htpasswd' },
	'REGISTRY_AUTH_HTPASSWD_PATH: must be an absolute path');
refused('a realm with a quote', { REGISTRY_AUTH_HTPASSWD_PATH => '/x', REGISTRY_AUTH_HTPASSWD_REALM => 'a"b' },
	'REGISTRY_AUTH_HTPASSWD_REALM: must be a text');
my $login = with(REGISTRY_AUTH => 'htpasswd', REGISTRY_AUTH_HTPASSWD_PATH => '/auth/htpasswd', REGISTRY_AUTH_HTPASSWD_REALM => 'Registry Realm');
is "$login->{status} $login->{err}", '0 ', 'logins as registry:2 has them are honoured';
is $login->{shown}{'auth.htpasswd'}, '/auth/htpasswd', 'with the file';
is $login->{shown}{'auth.realm'}, 'Registry Realm', 'and the realm';
is with(REGISTRY_AUTH_HTPASSWD_PATH => '/auth/htpasswd')->{shown}{'auth.htpasswd'}, '/auth/htpasswd', 'the file alone is enough';
refused('a certificate without a key', { REGISTRY_HTTP_TLS_CERTIFICATE => '/x' }, 'REGISTRY_HTTP_TLS_CERTIFICATE: "http.tls.certificate" needs "http.tls.key"');
refused('a certificate of Let\'s Encrypt', { REGISTRY_HTTP_TLS_LETSENCRYPT_EMAIL => 'x' }, 'REGISTRY_HTTP_TLS_LETSENCRYPT_EMAIL: "http.tls.letsencrypt" is refused: berth fetches no certificate');
refused('an unknown setting of TLS', { REGISTRY_HTTP_TLS_CERT => '/x' }, 'REGISTRY_HTTP_TLS_CERT: berth does not know this setting');
refused('certificates that need not be valid', { REGISTRY_HTTP_TLS_CLIENTAUTH => 'require-any-client-cert' }, 'REGISTRY_HTTP_TLS_CLIENTAUTH: must be require-and-verify');
refused('a cache of another registry that is no URL', { REGISTRY_PROXY_REMOTEURL => 'x' }, 'REGISTRY_PROXY_REMOTEURL: must be a URL such as https://registry-1.docker.io');
for my $driver (qw(S3 GCS AZURE SWIFT OSS INMEMORY NEW)) {
	refused("the driver $driver", { "REGISTRY_STORAGE_${driver}_X" => 'secret' },
		"(?![^\\n]*secret)REGISTRY_STORAGE_${driver}_X: \"storage.\L$driver\E\" is refused: only the filesystem");
}
refused('another driver by name', { REGISTRY_STORAGE => 's3' }, 'REGISTRY_STORAGE: only the filesystem');
refused('one that nobody knows', { REGISTRY_STORAGE => 'secret' }, 'REGISTRY_STORAGE: only the filesystem');
$r = with(REGISTRY_AUTH => 'x', REGISTRY_STORAGE_S3_KEY => 'x', REGISTRY_STORAGE_S3_SECRET => 'x', REGISTRY_STORAGE_DELETE_ENABLED => 'x');
is scalar(() = $r->{err} =~ /\n/g), 3, 'three things that are wrong are three lines';

refused("a name below a login that no setting can have: $_", { "REGISTRY_$_" => 'secret' }, "(?![^\\n]*secret)\QREGISTRY_$_\E: no setting has this name; remove it")
	for qw(AUTH_HTPASSWD_ AUTH__HTPASSWD_PATH AUTH_HTPASSWD_a.b HTTP_TLS__CERTIFICATE STORAGE_S3__BUCKET), 'AUTH_' . join('_', ('X') x 40);
refused('more variables than anybody has', { map { ("REGISTRY_X$_" => 1) } 1 .. 5000 }, 'REGISTRY_\*: more than 4096 variables');

# The others: harmless ones pass in silence, and each that loses something is one line
$r = with(REGISTRY_HTTP_SECRET => 'geheim', REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR => 'inmemory', REGISTRY_REDIS_ADDR => 'x:1', REGISTRY_HTTP_DRAINTIMEOUT => '60s',
	REGISTRY_STORAGE_FILESYSTEM_MAXTHREADS => '100', REGISTRY_HEALTH_STORAGEDRIVER_ENABLED => 'true', REGISTRY_HTTP_DEBUG_PROMETHEUS_ENABLED => 'true',
	REGISTRY_HTTP_DEBUG_PPROF => 'true', REGISTRY_LOG_LEVEL => 'warn', REGISTRY => 'x', XREGISTRY_FOO => 'x');
is "$r->{status} $r->{err}", '0 ', 'what berth has no use for, and harms nobody, passes in silence';
for my $odd ('@{[%', '*x', 'a: b: c', '!x', '"', "\t- x", '{', 'x: y') {
	$r = with(REGISTRY_HTTP_SECRET => $odd, REGISTRY_REDIS_PASSWORD => $odd, REGISTRY_PROXY_PASSWORD => $odd, REGISTRY_STORAGE_CACHE_X => $odd);
	is "$r->{status} $r->{err}", '0 ', "as does one that is no YAML: $odd";
}
$r = with(REGISTRY_NOTIFICATIONS_EVENTS_INCLUDEREFERENCES => 'true', REGISTRY_FOO => 'geheim', REGISTRY_LOG_HOOKS => '[{type: mail}]', REGISTRY__X => 'geheim');
is $r->{status}, 0, 'what loses something does not hinder';
is $r->{err}, "berth: warning: REGISTRY__X has no effect: there is no such setting\nREGISTRY_FOO has no effect: there is no such setting\n"
	. "REGISTRY_LOG_HOOKS has no effect: berth sends no mail; an alert on its metrics does (doc/METRICS.md)\nREGISTRY_NOTIFICATIONS_EVENTS_INCLUDEREFERENCES has no effect: an event names a manifest, and the manifest what it refers to\n",
	'each is one line, without its value';

# Kubernetes sets these for services called registry, registry-auth and so on
my %links = map { my $name = $_; ("${name}_SERVICE_HOST" => '10.0.0.1', "${name}_SERVICE_PORT" => '5000', "${name}_SERVICE_PORT_HTTP" => '5000', "${name}_PORT" => 'tcp://10.0.0.1:5000',
	"${name}_PORT_5000_TCP" => 'tcp://10.0.0.1:5000', "${name}_PORT_5000_TCP_ADDR" => '10.0.0.1', "${name}_PORT_5000_TCP_PORT" => '5000', "${name}_PORT_53_UDP_PROTO" => 'udp') }
	map { "REGISTRY$_" } '', qw(_AUTH _PROXY _HTTP _STORAGE _STORAGE_S3 _HTTP_TLS _NOTIFICATIONS _AUTH_TOKEN);
$r = with(%links);
is "$r->{status} $r->{err}", '0 ', 'service links of Kubernetes are no settings';
is_deeply $r->{shown}, with()->{shown}, 'and change nothing';
is with(%links, REGISTRY_STORAGE_DELETE_ENABLED => 'true')->{shown}{delete}, 'true', 'beside them settings are settings';
refused('what only looks like one', { REGISTRY_AUTH_PORT => '80' }, 'REGISTRY_AUTH_PORT: only logins by htpasswd');

done_testing;
