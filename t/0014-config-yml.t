#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A config.yml of registry:2 means in berth what it means there, or is refused: what it closes is never open.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Conf;

delete $ENV{$_} for grep { /^(?:REGISTRY|BERTH)_/ } keys %ENV;

my $berth = program('berth');
my $dir = tmp_dir();
my $yml = "$dir/config.yml";
my $conf = "$dir/berth.conf";

# shown(env, options) - what `berth config show` makes of it
sub shown
{
	my ($env, @options) = @_;
	my $r = run({ env => $env }, $berth, @options, 'config', 'show');

	$r->{shown} = { map { /^(\S+) = (.*)$/ } split /\n/, $r->{out} };
	return $r;
}

# moved(text, env) - the same for the text of a config.yml
sub moved
{
	my ($text, $env) = @_;

	spew($yml, $text);
	return shown($env // {}, '--config', $yml);
}

sub refused
{
	my ($title, $text, $line, $re) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return fault_ok(moved($text), "$yml:$line", $title, $re);
}

# warned(title, text, lines) - it is accepted, with these warnings: "LINE: text"
sub warned
{
	my ($title, $text, @lines) = @_;
	my $r = moved($text);
	my @said = map { s/^berth: warning: //r =~ s/^\Q$yml\E://r } split /\n/, $r->{err};

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is $r->{status}, 0, "$title is accepted";
	is scalar @said, scalar @lines, "$title: as many warnings as things that are lost" or diag $r->{err};
	like $said[$_] // '', qr/\A$lines[$_]/, "$title: warning $_" for 0 .. $#lines;
	return $r->{shown};
}

sub values_are
{
	my ($title, $shown, %want) = @_;
	my %got = map { $_ => $shown->{$_} } keys %want;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is_deeply \%got, \%want, $title;
	return;
}

# What the image of registry:2 has, and what Debian's package has
my $shipped = "version: 0.1\nlog:\n  fields:\n    service: registry\nstorage:\n  cache:\n    blobdescriptor: inmemory\n  filesystem:\n    rootdirectory: /srv/images\n"
	. "http:\n  addr: :5000\n  headers:\n    X-Content-Type-Options: [nosniff]\nhealth:\n  storagedriver:\n    enabled: true\n    interval: 10s\n    threshold: 3\n";
my $c = warned('the one of the image', $shipped);
values_are('and means what it means there', $c, root => '/srv/images', 'http.listen' => ':5000', 'log.fields' => 'service=registry', delete => 'false', config => $yml);
mkdir "$dir/registry";
$c = warned('one with a directory as file of passwords', $shipped . "auth:\n  htpasswd:\n    realm: basic-realm\n    path: $dir/registry\n");
my $r = run($berth, '--config', $yml, 'config', 'check');
is $r->{status}, 2, 'is refused before anything starts';
like $r->{err}, qr/\A\Q$dir\E\/registry: is a directory/, 'and the directory is named';

$r = moved("http: {tls: {certificate: /c, key: $dir/none, clientcas: [$yml, /d]}}\n");
$r = run($berth, '--config', $yml, 'config', 'check');
is "$r->{status} $r->{err}", "2 /c: cannot read: No such file or directory\n$dir/none: cannot read: No such file or directory\n/d: cannot read: No such file or directory\n",
	'`berth config check` looks at the files of TLS';
spew("$dir/a,b.pem", '');
moved("http: {tls: {certificate: '$dir/a,b.pem', key: '$dir/a,b.pem'}}\n");
is run($berth, '--config', $yml, 'config', 'check')->{err}, '', 'whose names may have a comma';

# Every setting
$c = warned('all settings at once', <<"END", '8: "log.formatter" has no effect', '71: "notifications.events.includereferences" has no effect');
version: 0.1
log:
  level: Warn
  accesslog:
    disabled: true
  fields: {service: images, zone: "eu"}
  reportcaller: true
  formatter: logstash
  hooks:
    - {type: mail, disabled: true, levels: [panic], options: {to: [a\@example.org]}}
storage:
  filesystem:
    rootdirectory: /srv/r
    maxthreads: 50
  tag: {concurrencylimit: 4}
  delete: {enabled: true}
  redirect: {disable: true}
  cache: {blobdescriptor: redis, blobdescriptorsize: 100}
  maintenance:
    uploadpurging:
      enabled: true
      age: 48h
      interval: 1h30m
      dryrun: false
    readonly:
      enabled: true
auth:
  token:
    realm: https://auth.example/token
    service: registry.example
    issuer: auth.example
    rootcertbundle: /etc/bundle.pem
    jwks: /etc/jwks.json
    autoredirect: false
http:
  addr: localhost:5000
  net: tcp
  host: https://r.example:5000
  prefix: /images/
  relativeurls: true
  secret: geheim
  draintimeout: 60s
  tls:
    certificate: /etc/cert.pem
    key: /etc/key.pem
    clientcas: [/etc/ca1.pem, /etc/ca2.pem]
    clientauth: verify-client-cert-if-given
    minimumtls: tls1.3
  headers:
    X-Content-Type-Options: [nosniff]
    Strict-Transport-Security: [max-age=31536000; includeSubDomains]
    X-A: [b, c]
    Access-Control-Allow-Origin: ['https://ui.example', 'http://localhost:8080']
    Access-Control-Allow-Methods: [HEAD, GET]
    Access-Control-Allow-Credentials: [true]
  debug:
    addr: :5001
    prometheus: {enabled: true, path: /prometheus}
  http2: {disabled: true}
  h2c: {enabled: false}
redis:
  addr: localhost:6379
  password: geheim
  pool: {maxidle: 16}
health:
  storagedriver: {enabled: false}
  file: []
proxy:
  remoteurl: ""
notifications:
  events: {includereferences: true}


  endpoints:
    - {name: on, url: "https://geheim.example/"}
    - {name: off, disabled: true}
catalog:
  maxentries: 2000
validation:
  manifests:
    indexes: {platforms: None}
compatibility:
  schema1: {enabled: false, signingkeyfile: /x}
END
values_are('each sets what it is here', $c, 'log.level' => 'warn', 'log.access' => 'false', 'http.host' => 'https://r.example:5000', 'http.prefix' => '/images', 'http.relative_urls' => 'on',
	'http.headers' => 'Strict-Transport-Security: max-age=31536000; includeSubDomains|X-A: b|X-A: c', 'log.fields' => 'service=images,zone=eu', root => '/srv/r', delete => 'true',
	'gc.uploads' => 48 * 3600, 'gc.uploads_every' => 5400, readonly => 'true', 'auth.foreign.realm' => 'https://auth.example/token', 'auth.foreign.service' => 'registry.example',
	'auth.foreign.issuer' => 'auth.example', 'auth.foreign.bundle' => '/etc/bundle.pem', 'auth.foreign.jwks' => '/etc/jwks.json', 'http.listen' => 'localhost:5000',
	'http.tls.certificate' => '/etc/cert.pem', 'http.tls.key' => '/etc/key.pem', 'http.tls.client_authorities' => '/etc/ca1.pem,/etc/ca2.pem',
	'http.tls.client_auth' => 'optional', 'http.tls.minimum' => '1.3', 'http.cors' => 'https://ui.example,http://localhost:8080', 'http.monitor' => ':5001',
	notifications => '( { name = "on"; url = "https://geheim.example/"; headers = ( ); format = "registry"; actions = [ "push", "delete", "mount", "blob_push", "blob_delete", "pull" ]; repos = [ ]; '
		. 'media_types = [ ]; ignored_media_types = [ ]; secret_file = ""; ca = ""; hosts = [ ]; timeout = "5s"; backoff = "1s"; backoff_max = "600s"; give_up = "604800s"; } )',
	'http.metrics_path' => '/prometheus', 'http.http2' => 'false', 'catalog.max_entries' => 2000, 'manifests.sparse' => 'index');
unlike run($berth, '--config', $yml, 'config', 'show')->{err}, qr/geheim/, 'no warning repeats a value';

# Forms
is moved("storage: filesystem\n")->{status}, 0, 'a driver may be a word';
is moved("http: {addr: /run/r.sock, net: unix}\n")->{shown}{'http.listen'}, 'unix:/run/r.sock', 'the path of a socket';
is moved("storage: {delete: {enabled: $_}}\n")->{shown}{delete}, 'true', "$_ is true" for qw(true yes on True "true");
is moved("storage: {maintenance: {uploadpurging: {enabled: $_->[0], dryrun: $_->[1], interval: 2h}}}\n")->{shown}{'gc.uploads_every'}, $_->[2], "uploads are purged with $_->[0] and $_->[1]: $_->[2]"
	for ['true', 'false', 7200], ['false', 'false', 0], ['true', 'true', 0];
for my $d (['0', 0], ['90s', 90], ['1h30m', 5400], ['1.5h', 5400], ['1500ms', 2], ['1ns', 1], ['168h0m0s', 604800]) {
	is moved("storage: {maintenance: {uploadpurging: {age: $d->[0]}}}\n")->{shown}{'gc.uploads'}, $d->[1], "$d->[0] is a duration";
}
is moved("loglevel: error\n")->{shown}{'log.level'}, 'error', 'the old name of the level';
is moved("loglevel: error\nlog: {level: debug}\n")->{shown}{'log.level'}, 'debug', 'the new one wins';
is moved("catalog: {maxentries: -1}\n")->{shown}{'catalog.max_entries'}, 0, 'a negative number of entries is the default';
is moved("http: {tls: {minimumtls: tls1.2}}\n")->{err}, '', 'a minimum of TLS without TLS';
is moved("auth: $_\n")->{err}, '', "no login: $_" for 'none', '{none: }', '{none: {}}';
values_are('with another one it is closed', moved("auth: {none: , htpasswd: {path: /h}}\n")->{shown}, 'auth.htpasswd' => '/h');
is moved("http:\nauth:\nstorage: {filesystem: }\nlog: {level: ~}\n")->{err}, '', 'empty groups set nothing';

# What loses something is named with its line, and with the setting that does the same
warned('an old TLS', "http:\n  tls:\n    minimumtls: tls1.0\n", '3: "http.tls.minimumtls" is 1.2: .*http\.tls\.minimum');
warned('a huge catalog', "catalog:\n  maxentries: 1000000\n", '2: "catalog.maxentries" is 100000: .*catalog\.max_entries');
warned('a list of platforms', "validation:\n  manifests:\n    indexes:\n      platforms: List\n", '4: "validation.manifests.indexes.platforms" .*manifests\.sparse');
warned('middleware', "middleware:\n  storage:\n    - name: redirect\n      disabled: true\n  registry:\n    - name: x\n", '1: "middleware" has no effect');
warned('middleware that is off', "middleware:\n  storage:\n    - name: redirect\n      disabled: true\n");
warned('a message that is on', "log: {hooks: [{type: mail, disabled: off}]}\n", '1: "log.hooks" has no effect');
warned('what is off in another word', "http: {h2c: {enabled: no}}\ncompatibility: {schema1: {enabled: Off}}\n");
warned('reporting', "reporting: {bugsnag: {apikey: x}}\n", '1: "reporting" has no effect');
warned('schema 1', "compatibility: {schema1: {enabled: true}}\n", '1: "compatibility.schema1.enabled" has no effect');
warned('what no version has', "log:\n  levl: debug\n\"a.b\": 1\n\"log.level\": debug\n", '2: "log.levl" has no effect: there is no such setting', '3: "a.b"', '4: "log.level" has no effect');
$c = warned('fields of the log that berth cannot have', "log:\n  fields:\n    a: b\n    level: x\n    c: d,e\n    f: [g]\n    h=i: j\n    k: ~\n", map { "$_: \"log.fields\" has no effect for a field that" } 4 .. 7);
values_are('the others are there', $c, 'log.fields' => 'a=b,k=');
warned('a header of berth\'s own', "http:\n  headers:\n    Docker-X: [a]\n    X-A: [b]\n", '3: "http.headers" has no effect for a header that berth sets itself');
is moved("\"log.level\": debug\n")->{shown}{'log.level'}, 'info', 'a name with dots is no path';

# What would be open, unencrypted or elsewhere
refused('another kind of login', "version: 0.1\nauth:\n  silly:\n    realm: x\n", 3, '"auth.silly" is refused: only logins by htpasswd and tokens');
refused('one without settings', "auth: silly\n", 1, '"auth.silly" is refused: only logins');
refused('an unknown login', "auth: {ldap: {url: geheim}}\n", 1, '(?!.*geheim)"auth.ldap" is refused: only logins');
refused('a login without a file', "auth:\n  htpasswd:\n    realm: x\n", 1, 'nobody could log in; set auth.htpasswd.path');
refused('a login without anything', "auth: {htpasswd: }\n", 1, 'nobody could log in');
refused('an empty group of logins', "auth: {}\n", 1, 'nobody could log in');
refused('an incomplete token service', "auth: {token: {realm: 'https://a.example/t'}}\n", 1, 'a foreign token service needs auth.token.realm');
refused('a login in capitals', "Auth: {htpasswd: {path: /x}}\n", 1, '"Auth" must be written "auth"');
refused('TLS in capitals', "http: {TLS: {certificate: /x}}\n", 1, '"http.TLS" must be written "http.tls"');
refused("storage in $_", "storage:\n  $_: {bucket: geheim}\n", 2, "(?!.*geheim)\"storage.$_\" is refused: only the filesystem") for qw(s3 gcs azure swift oss inmemory other);
refused('storage in memory', "storage:\n  inmemory:\n", 2, '"storage.inmemory" is refused');
refused('a cache of what is no URL', "proxy:\n  remoteurl: https://u:geheim\@x/\n", 2, '(?!.*geheim)"proxy.remoteurl" must be a URL such as https://registry-1.docker.io');
refused('a certificate of Let\'s Encrypt', "http:\n  tls:\n    letsencrypt:\n      email: a\@example.org\n", 3, '"http.tls.letsencrypt" is refused: berth fetches no certificate');
refused('a certificate without its key', "http:\n  tls:\n    certificate: /x\n", 3, '"http.tls.certificate" needs "http.tls.key"');
refused('certificates of clients without TLS', "http:\n  tls:\n    clientcas: [/x]\n", 3, '"http.tls.client_authorities" needs "http.tls.certificate"');
refused('certificates that need not be valid', "http: {tls: {clientauth: request-client-cert}}\n", 1, '"http.tls.clientauth" must be require-and-verify-client-cert');
refused('an authority without a name', "http: {tls: {certificate: /c, key: /k, clientcas: $_}}\n", 1, '"http.tls.clientcas" must be absolute paths') for '[""]', '["", /a]', '""', '[~]';
refused('a driver with a dot in its name', "storage: {a.b: {x: y}}\n", 1, '"storage.a.b" is refused: only the filesystem');
refused('classes of repositories', "policy: {repository: {classes: [image]}}\n", 1, '"policy.repository.classes" is refused');
refused('another version', "version: 0.2\n", 1, '"version" must be 0.1');

# Bad values
is moved("storage: {delete: {enabled: $_}}\n")->{shown}{delete}, 'false', "$_ is not, as in registry:2" for qw(1 t);
like moved("storage: {delete: {enabled: 1}}\n")->{err}, qr/delete.enabled"? is no boolean of YAML, and deletes stay off/, 'which is said';
refused('a bad boolean', "storage:\n  delete:\n    enabled: perhaps\n", 3, '"storage.delete.enabled" must be true or false');
refused('no boolean', "storage: {maintenance: {readonly: {enabled: }}}\n", 1, '"storage.maintenance.readonly.enabled" must be true or false');
refused('a text for a group', "http: geheim\n", 1, '(?!.*geheim)"http" must be a map of settings');
refused('a bad duration', "storage: {maintenance: {uploadpurging: {age: $_}}}\n", 1, '"storage.maintenance.uploadpurging.age" must be a duration') for qw(7d 1 h -1h 1h2 1.h.), '[1h]';
refused('a bad address', "http: {addr: 5000}\n", 1, '"http.addr" must be an address');
refused('another kind of address', "http: {net: udp}\n", 1, '"http.net" must be tcp or unix');

# Not YAML, or not what two readers would understand in the same way
refused('an empty file', '', 1, 'has no settings');
refused('a file of comments', "# nothing\n", 1, 'has no settings');
refused('a list', "- version: 0.1\n", 1, 'has no settings');
refused('a bracket without its end', "version: 0.1\nhttp: {addr: x\n", 3, 'did not find');
refused('a tab', "http:\n\taddr: :5000\n", 2, 'found character');
refused('a setting that is there twice', "auth: {htpasswd: {path: /x}}\nversion: 0.1\nauth: {}\n", 3, 'a setting that is given twice');
refused('a second document', "version: 0.1\n---\nauth: {htpasswd: {path: /x}}\n", 2, 'a second document');
refused('an alias', "version: &v 0.1\nhttp: {secret: *v}\n", 2, 'an alias');
refused('a merge key', "http: {<<: {addr: x}}\n", 1, 'a merge key');
refused('a tag', "http: {secret: !!binary aGk=}\n", 1, 'a tag');
refused('a tag of a name', "version: 0.1\n!!binary YXV0aA==: {htpasswd: {path: /x}}\n", 2, 'a tag');
refused('a control character', "version: 0.1\nhttp:\n  secret: \x01\n", 3, 'control characters are not allowed');
refused('a NUL byte', "http: {secret: \"a\\0b\"}\n", 1, 'a NUL byte');
refused('a map as a name', "{a: b}: c\n", 1, 'the name of a setting must be a text');
refused('too many levels', 'a: ' . ('[' x 40) . (']' x 40) . "\n", 1, 'too many levels');
refused('too many values', 'a: [' . ('a,' x 5000) . "]\n", 1, 'too many values');
spew($yml, "a: b\n" x 300_000);
is run($berth, '--config', $yml, 'config', 'check')->{err}, "$yml: cannot read: File too large\n", 'a file of more than a megabyte is not parsed';

# Order: defaults, config.yml, berth.conf, variables, options
spew($yml, "storage: {filesystem: {rootdirectory: /yml}, delete: {enabled: true}, maintenance: {readonly: {enabled: true}}}\nlog: {level: error}\nauth: {htpasswd: {path: /yml/h, realm: yml}}\n");
spew($conf, "config = \"$yml\";\nroot = \"/conf\";\nreadonly = false;\nauth = { realm = \"conf\"; };\n");
$r = shown({ REGISTRY_AUTH_HTPASSWD_REALM => 'env', REGISTRY_LOG_LEVEL => 'debug' }, '--config', $conf, '--root', '/option');
values_are('the later source wins', $r->{shown}, root => '/option', delete => 'true', readonly => 'false', 'log.level' => 'debug', 'auth.realm' => 'env', 'auth.htpasswd' => '/yml/h');
my %env = (REGISTRY_AUTH_HTPASSWD_REALM => 'env', REGISTRY_STORAGE_DELETE => '{enabled: true}');
$r = run({ env => \%env }, $berth, '--config', $conf, '--root', '/option', 'config', 'show', '--origin');
my %origin = map { /^(\S+) = .*\t(.*)$/ } split /\n/, $r->{out};
is join(' ', map { "$_=$origin{$_}" } qw(root config workers readonly log.level delete auth.htpasswd auth.realm auth.access)),
	"root=--root config=$conf:1 workers=default readonly=$conf:3 log.level=$yml:2 delete=REGISTRY_STORAGE_DELETE auth.htpasswd=$yml:3 auth.realm=REGISTRY_AUTH_HTPASSWD_REALM auth.access=default",
	'`berth config show --origin` says what gave each value';
is join("\n", map { s/\t.*//r } split /\n/, $r->{out}), join("\n", split /\n/, run({ env => \%env }, $berth, '--config', $conf, '--root', '/option', 'config', 'show')->{out}),
	'before the tab it is what `berth config show` says';

# A variable replaces all that the file has at its place, as there
spew($yml, "auth:\n  token: {realm: 'https://a.example/t', service: s, issuer: i, jwks: /j}\nstorage: {filesystem: {rootdirectory: /yml}, delete: {enabled: true}}\nhttp: {tls: {certificate: /c, key: /k, clientcas: [/a, /b]}}\n");
values_are('another login', shown({ REGISTRY_AUTH => '{htpasswd: {path: /h}}' }, '--config', $yml)->{shown}, 'auth.htpasswd' => '/h', 'auth.foreign.realm' => '', delete => 'true');
values_are('another storage', shown({ REGISTRY_STORAGE => 'filesystem' }, '--config', $yml)->{shown}, root => '/var/lib/registry', delete => 'false');
values_are('one element of a list', shown({ REGISTRY_HTTP_TLS_CLIENTCAS_0 => '/z' }, '--config', $yml)->{shown}, 'http.tls.client_authorities' => '/z,/b');
values_are('an empty variable', shown({ REGISTRY_AUTH => '', REGISTRY_HTTP_TLS => '~' }, '--config', $yml)->{shown}, 'auth.foreign.realm' => 'https://a.example/t', 'http.tls.key' => '/k');
$r = shown({ REGISTRY_AUTH => 'htpasswd' }, '--config', $yml);
is "$r->{status} $r->{err}", "2 REGISTRY_AUTH: nobody could log in; set REGISTRY_AUTH_HTPASSWD_PATH, or REGISTRY_AUTH_TOKEN_REALM and what goes with it\n",
	'a variable that takes the login away is refused';

values_are('no login', shown({ REGISTRY_AUTH => 'none' }, '--config', $yml)->{shown}, 'auth.foreign.realm' => '', delete => 'true');

# One that says something of what the file has
spew("$dir/beside.yml", "storage: {maintenance: {uploadpurging: {$_}}}\nlog: {level: error}\nhttp: {net: unix}\n"),
	values_are("with $_ in the file", shown({ REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING_INTERVAL => '1h', REGISTRY_LOGLEVEL => 'debug', REGISTRY_HTTP_ADDR => '/run/s' }, '--config', "$dir/beside.yml")->{shown},
		'gc.uploads_every' => 0, 'log.level' => 'error', 'http.listen' => 'unix:/run/s')
	for 'enabled: false', 'dryrun: true';

# What registry:2 does not look at is no reason to refuse a push
is shown({}, '--config', $yml)->{shown}{'manifests.sizes'}, 'warn', 'with a config.yml wrong sizes in manifests are let in';
is shown({ REGISTRY_LOG_LEVEL => 'info' }, '--config', '/dev/null')->{shown}{'manifests.sizes'}, 'warn', 'with a variable, too';
is shown({ REGISTRY_PORT => 'tcp://10.0.0.1:5000', REGISTRY_AUTH => '' }, '--config', '/dev/null')->{shown}{'manifests.sizes'}, 'check', 'not without';
is shown({ REGISTRY_PASSWORD => 'x', REGISTRY__Y => 'x' }, '--config', '/dev/null')->{shown}{'manifests.sizes'}, 'check', 'nor with one that is no setting';
spew($conf, "config = \"$yml\"; manifests = { sizes = \"check\"; };\n");
is shown({}, '--config', $conf)->{shown}{'manifests.sizes'}, 'check', 'and berth.conf wins';

# Which file is read
spew($conf, '');
is shown({ REGISTRY_CONFIGURATION_PATH => $yml }, '--config', $conf)->{shown}{root}, '/yml', 'REGISTRY_CONFIGURATION_PATH names it, as there';
is shown({ REGISTRY_CONFIGURATION_PATH => "$dir/none.yml" }, '--config', $conf)->{err}, "$dir/none.yml: cannot read: No such file or directory\n", 'then it must exist';
spew("$dir/other.yml", "storage: {delete: {enabled: true}}\n");
$r = shown({ REGISTRY_CONFIGURATION_PATH => $yml }, '--config', "$dir/other.yml");
is "$r->{shown}{config} $r->{shown}{root} $r->{err}", "$dir/other.yml /var/lib/registry berth: warning: REGISTRY_CONFIGURATION_PATH has no effect: another file was named\n", 'the command line wins, as there';
is +{ map { /^(\S+) = .*\t(.*)$/ } split /\n/, run({ env => { REGISTRY_CONFIGURATION_PATH => $yml } }, $berth, '--config', $conf, 'config', 'show', '--origin')->{out} }->{config},
	'REGISTRY_CONFIGURATION_PATH', 'and the origin is known';
my $long = "$dir/" . 'long' x 20 . '.yml';
spew($long, "http:\n  headers: {X-A: [a]}\n");
spew($conf, "config = \"$yml\";\n");
$r = run({ env => { REGISTRY_CONFIGURATION_PATH => $long, 'REGISTRY_HTTP_HEADERS_X-B' => '[b]' } }, $berth, '--config', $conf, 'config', 'show', '--origin');
is $r->{err}, '', 'it wins over berth.conf';
is join(' ', map { "$_->[0]=$_->[1]" } grep { $_->[0] =~ /^(?:config|root)$|headers/ } map { [/^(\S+) = .*\t(.*)$/] } split /\n/, $r->{out}),
	"root=default config=REGISTRY_CONFIGURATION_PATH http.headers=$long:2", 'and what is said of it names the file that was read';
like $r->{out}, qr/^config = \Q$long\E\t/m, 'as does `config`';
spew($conf, "config = \"$dir/none.yml\";\n");
is shown({}, '--config', $conf)->{err}, "$dir/none.yml: cannot read: No such file or directory\n", 'as where berth.conf names it';
SKIP: {
	skip 'this machine has a berth.conf', 8 if -e '/etc/berth/berth.conf';
	my $paths = "$dir/none.yml:$yml";
	is shown({ BERTH_CONFIG_YML => $paths })->{shown}{root}, '/yml', 'in the image the first that exists is read by itself';
	is +{ map { /^(\S+) = .*\t(.*)$/ } split /\n/, run({ env => { BERTH_CONFIG_YML => $paths } }, $berth, 'config', 'show', '--origin')->{out} }->{config}, 'BERTH_CONFIG_YML', 'and it is said why';
	is shown({ BERTH_CONFIG_YML => "$dir/none.yml" })->{shown}{root}, '/var/lib/registry', 'or none';
	mkdir "$dir/volume";
	SKIP: {
		skip 'mounting needs root', 3 if $> != 0;
		my $mounted = sub { my ($do, $paths) = @_; return run({ env => { BERTH_CONFIG_YML => $paths } }, 'unshare', '-m', 'sh', '-c', "mount -t tmpfs none '$dir/volume' && $do exec $berth config show") };
		is $mounted->('', "$dir/volume/config.yml")->{err}, "$dir/volume/config.yml: there is no such file, but a volume is mounted there; give it that name, or set REGISTRY_CONFIGURATION_PATH\n",
			'nor a volume that lacks the file: it would have come up open';
		like $mounted->("echo '{storage: {filesystem: {rootdirectory: /in}}}' > '$dir/volume/config.yml';", "$dir/volume/config.yml")->{out}, qr{^root = /in$}m, 'where it has the file, that is read';
		like $mounted->('', "$dir/volume/config.yml:$yml")->{out}, qr{^root = /yml$}m, 'or another one that is there';
	}
	is shown({ BERTH_CONFIG_YML => "$dir/registry:$yml" })->{err}, "$dir/registry: cannot read: Is a directory\n", 'a directory in its place is not passed over';
	is shown({})->{shown}{config}, '', 'elsewhere nothing is read by itself';
}
spew($conf, "delete = true;\n");
spew($yml, "storage: {filesystem: {rootdirectory: /yml}}\n");
$r = shown({ BERTH_CONFIG_YML => $yml }, '--config', $conf);
is $r->{shown}{root}, '/var/lib/registry', 'nor beside a berth.conf';
is $r->{err}, "berth: warning: $yml is not read, because there is $conf: config = \"$yml\"; in it has it read\n", 'which is said';
spew("$dir/closing.yml", "auth: {htpasswd: {realm: x, path: $dir/none}}\n");
spew("$dir/tls.yml", "http: {tls: {certificate: $dir/none}}\n");
spew("$dir/broken.yml", "http: {\n");
is shown({ BERTH_CONFIG_YML => $_ }, '--config', $conf)->{err}, "$_ is not read, because there is $conf: config = \"$_\"; in it has it read, config = \"\"; leaves out its auth and TLS\n",
	'one that closes the registry, or may do so, is not left out by itself' for map { "$dir/$_.yml" } qw(closing tls broken);
spew($conf, "config = \"\";\n");
is shown({ BERTH_CONFIG_YML => $_ }, '--config', $conf)->{err}, '', 'unless that is meant' for $yml, "$dir/closing.yml";
spew("$dir/x.yaml", "storage: {delete: {enabled: true}}\n");
is shown({}, '--config', "$dir/x.yaml")->{shown}{delete}, 'true', 'a name with .yaml is one, too';
is run($berth, '--config', "$dir/x.yaml", 'config', 'check')->{out}, "$dir/x.yaml: ok\n", '`berth config check` names it';

done_testing;
