#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The environment variables of registry:2: honoured, refused, or named in a warning.
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
for my $yes (qw(true True TRUE t T 1 yes Yes y on ON), ' true ') {
	is with(REGISTRY_STORAGE_DELETE_ENABLED => $yes)->{shown}{delete}, 'true', "\"$yes\" is true";
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

# Bad values
refused('a bad boolean', { REGISTRY_STORAGE_DELETE_ENABLED => 'maybe' }, 'REGISTRY_STORAGE_DELETE_ENABLED: must be true or false');
refused('a boolean in quotes', { REGISTRY_STORAGE_DELETE_ENABLED => '"true"' }, 'REGISTRY_STORAGE_DELETE_ENABLED: must be');
refused('a number for a boolean', { REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED => '2' },
	'REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED: must be');
refused('a relative root', { REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY => 'data' },
	'REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: must be an absolute path');
refused('an unknown level', { REGISTRY_LOG_LEVEL => 'loud' }, 'REGISTRY_LOG_LEVEL: must be "error", "warn", "info" or "debug"');
for my $bad ('true', '{', '{}', '}', '{enabled}', '{"enabled":}', '{"enabled:true}', '{"enabled":true', '{"enabled":true,"x":1}') {
	refused("$bad for read-only", { REGISTRY_STORAGE_MAINTENANCE_READONLY => $bad },
		'REGISTRY_STORAGE_MAINTENANCE_READONLY: must be \{"enabled":true\}');
}

# What an operator must not be wrong about
refused('a token service without its variables', { REGISTRY_AUTH => 'token' }, 'REGISTRY_AUTH: nobody could log in');
refused('a login as a map', { REGISTRY_AUTH => '{"htpasswd":{"path":"/secret"}}' }, '(?![^\n]*secret)REGISTRY_AUTH: must be htpasswd');
refused('a login under a name that does not exist', { REGISTRY_AUTH_HTPASSWD => 'secret' },
	'(?![^\n]*secret)REGISTRY_AUTH_HTPASSWD: only logins by htpasswd');
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
refused('another kind of login', { REGISTRY_AUTH_SILLY_REALM => 'x' }, 'REGISTRY_AUTH_SILLY_REALM: only logins by htpasswd');
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
refused('a certificate', { REGISTRY_HTTP_TLS_CERTIFICATE => '/x' }, 'REGISTRY_HTTP_TLS_CERTIFICATE: nginx does TLS');
refused('a cache of another registry', { REGISTRY_PROXY_REMOTEURL => 'https://x' }, 'REGISTRY_PROXY_REMOTEURL: ');
for my $driver (qw(S3 GCS AZURE SWIFT OSS INMEMORY)) {
	refused("the driver $driver", { "REGISTRY_STORAGE_${driver}_X" => 'secret' },
		"(?![^\\n]*secret)REGISTRY_STORAGE_${driver}_X: only the filesystem");
}
refused('another driver by name', { REGISTRY_STORAGE => 's3' }, 'REGISTRY_STORAGE: only the filesystem');
refused('a driver as a map', { REGISTRY_STORAGE => '{"filesystem":{"rootdirectory":"/x"}}' }, 'REGISTRY_STORAGE: only the filesystem');
$r = with(REGISTRY_AUTH => 'x', REGISTRY_HTTP_TLS_KEY => 'x', REGISTRY_STORAGE_DELETE_ENABLED => 'x');
is scalar(() = $r->{err} =~ /\n/g), 3, 'three things that are wrong are three lines';

# The others
$r = with(REGISTRY_HTTP_SECRET => 'geheim', REGISTRY_HTTP_ADDR => ':5000', REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR => 'inmemory',
	REGISTRY_LOG_LEVEL => 'warn', REGISTRY => 'x', XREGISTRY_FOO => 'x');
is $r->{status}, 0, 'variables that are not honoured do not hinder';
is scalar(() = $r->{err} =~ /\n/g), 1, 'they are named in one warning';
like $r->{err}, qr/\b$_\b/, "$_ is named" for qw(REGISTRY_HTTP_SECRET REGISTRY_HTTP_ADDR REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR);
unlike $r->{err}, qr/REGISTRY_LOG_LEVEL|XREGISTRY|REGISTRY(?!_)/, 'those that are honoured, or no business of ours, are not named';
unlike $r->{err}, qr/geheim/, 'values are not repeated: some are secrets';

done_testing;
