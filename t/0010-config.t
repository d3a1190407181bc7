#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What is wrong with a configuration file is said in one line with file and line, and nothing starts.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;

delete $ENV{$_} for grep { /^REGISTRY_/ } keys %ENV;

my $berth = program('berth');
my $dir = tmp_dir();
my $file = "$dir/berth.conf";

sub check
{
	my ($text) = @_;

	spew($file, $text);
	return run($berth, '--config', $file, 'config', 'check');
}

# fault(title, text, line, re) - the one line of complaint
sub fault
{
	my ($title, $text, $line, $re) = @_;
	my $r = check($text);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is $r->{status}, 2, "$title ends with 2";
	like $r->{err}, qr/\A\Q$file\E:$line: $re[^\n]*\n\z/, "$title is said in one line with file and line";
	is $r->{out}, '', "$title says nothing on standard output";
}

# shown(text) - what `berth config show` makes of it, as a hash
sub shown
{
	my ($text, @options) = @_;

	spew($file, $text);
	my $r = run($berth, '--config', $file, @options, 'config', 'show');
	return $r->{status} == 0 ? { map { /^(\S+) = (.*)$/ } split /\n/, $r->{out} } : $r;
}

my $r = check("delete = true;\n");
is $r->{status}, 0, 'a good configuration ends with 0';
is $r->{out}, "$file: ok\n", 'a good configuration is called ok';
is $r->{err}, '', 'a good configuration has no complaint';
is check('')->{status}, 0, 'an empty file is a configuration';

$r = check("delete = true;\nfallback = true;\n");
is $r->{status}, 0, 'a setting of versions before 1.0 does not hinder';
is $r->{err}, "berth: warning: $file:2: \"fallback\" no longer has an effect: without a worker clients get 503; remove the line\n", 'and is one line that says what has become of it';

fault('a setting that does not exist', "workers = 3;\nwrokers = 3;\n", 2, 'unknown setting "wrokers"');
fault('an unknown member of a group', "log = {\n\tcolour = 1;\n};\n", 2, 'unknown setting "log.colour"');
fault('an unknown group', "\nlogs: { level = \"info\"; }", 2, 'unknown setting "logs"');
fault('a setting with another\'s letter case', "Workers = 3;", 1, 'unknown setting "Workers"');
fault('a group that is not one', "log = \"info\";", 1, '"log" must be a group');
fault('a setting that is no group', "workers = { n = 3; };", 1, '"workers" must be a whole number');
fault('a number in quotes', "workers = \"3\";", 1, '"workers" must be a whole number from 0 to 1024');
fault('a number with a fraction', "workers = 2.5;", 1, '"workers" must be');
fault('a number below its least value', "workers = -1;", 1, '"workers" must be');
fault('a number above its greatest value', "workers = 1025;", 1, '"workers" must be');
fault('a number that wraps to 1 in 32 bits', "\n\nworkers = 4294967297;", 3, 'the number is too big');
fault('a hexadecimal number that wraps', "workers = 0x100000001;", 1, 'the number is too big');
fault('a negative number that wraps', "workers = -4294967295;", 1, 'the number is too big');
fault('a number that wraps to 1 in 64 bits', "workers = 18446744073709551617L;", 1, 'the number is too big');
fault('1 for true', "delete = 1;", 1, '"delete" must be true or false');
fault('a text for true', "readonly = \"true\";", 1, '"readonly" must be true or false');
fault('true for a word', "fsync = true;", 1, '"fsync" must be "off", "full" or "image"');
fault('a word that is none of those', "manifests = { sparse = \"some\"; };", 1,
	'"manifests.sparse" must be "refuse", "index" or "all"');
fault('a level that does not exist', "log: { level = \"loud\"; };", 1, '"log.level" must be "error", "warn", "info" or "debug"');
fault('a list where one value belongs', "log: { level = [\"info\"]; };", 1, '"log.level" must be');
fault('a size with an unknown unit', "manifests = { max_size = \"4 MB\"; };", 1, '"manifests.max_size" must be a size');
fault('a size without a number', "manifests = { max_size = \"MiB\"; };", 1, '"manifests.max_size" must be a size');
fault('a negative size', "blobs = { max_size = \"-1\"; };", 1, '"blobs.max_size" must be a size');
fault('a size below its least value', "manifests = { max_size = \"1023\"; };", 1, '.* from 1 KiB to 64 MiB');
fault('a size above its greatest value', "manifests = { max_size = \"65 MiB\"; };", 1, '.* from 1 KiB to 64 MiB');
fault('a size beyond 63 bits', "blobs = { max_size = \"8388608 TiB\"; };", 1, '"blobs.max_size" must be a size');
fault('a relative root', "root = \"data\";", 1, '"root" must be an absolute path');
fault('an empty root', "root = \"\";", 1, '"root" must be an absolute path');
fault('a root with a newline in it', "root = \"/srv/a\\nworkers = 3\";", 1, '"root" must be an absolute path');
fault("$_ as a host", "http = { host = \"$_\"; };", 1, '"http.host" must be a URL') for 'registry.example', 'https://', 'ftp://a', 'https://a b', 'https://a?b', 'https://a/#', 'https://a//', 'https://a/../b';
fault("$_ as a prefix", "http = { prefix = \"$_\"; };", 1, '"http.prefix" must be a path') for 'a', '/a//b', '/a/./b', '/..', '/a b', '/a%2Fb', '/$a', '//';
fault("$_ as headers", "http = { headers = \"$_\"; };", 1, '"http.headers" must be headers') for 'a', 'a:b', 'a: ', ': b', 'a: b|', '|a: b', 'a: $b', 'a: b\\"', 'a: b\\n', 'a b: c', 'Location: /x',
	'content-type: a', 'Docker-Content-Digest: x', 'x-content-type-options: nosniff', 'access-control-allow-origin: *', 'a: ' . 'x' x 5000;
fault('a setting given twice', "workers = 3;\nworkers = 4;\n", 2, 'duplicate setting name');
fault('a missing value', "delete = true;\nworkers = ;\n", 2, 'syntax error');
fault('a text that is not closed', "root = \"/srv\n", 1, 'a string without a closing quote');
fault('a NUL byte', "workers = 3;\n\0root = 5;\n", 2, 'a NUL byte');
fault('a NUL byte in a text', "root = \"/srv\0/x\";\n", 1, 'a NUL byte');
fault('an include', "workers = 3;\n  \@include \"$dir\"\n", 2, '@include is not supported');

is check("# 99999999999\n/* 99999999999\n\@include \"x\" */ // 99999999999\n")->{status}, 0,
	'what stands in a comment does not matter';
is shown("root = \"/srv/99999999999 # \@include /* \\\"\";\n")->{root}, '/srv/99999999999 # @include /* "',
	'a text may hold anything';

# Several faults
$r = check("wrokers = 1;\nworkers = 2000;\nlog = { level = 5; };\ndelete = true;\n");
is $r->{status}, 2, 'several faults end with 2';
is join(' ', $r->{err} =~ /^\Q$file\E:(\d+): /mg), '1 2 3', 'each of several faults has its line';
is scalar(() = $r->{err} =~ /\n/g), 3, 'several faults are one line each';

# Files
$r = run($berth, '--config', "$dir/none", 'config', 'check');
is $r->{status}, 2, 'a file that does not exist ends with 2';
is $r->{err}, "$dir/none: cannot read: No such file or directory\n", 'a file that does not exist is named, with the reason';
$r = run($berth, '--config', $dir, 'config', 'check');
is "$r->{status} $r->{err}", "2 $dir: cannot read: Is a directory\n", 'a directory is no configuration';
spew("$dir/big", "# a comment\n" x 100_000);
$r = run($berth, '--config', "$dir/big", 'config', 'check');
is "$r->{status} $r->{err}", "2 $dir/big: cannot read: File too large\n", 'a file of more than a megabyte is no configuration';

# Values
my $c = shown('');
is $c->{root}, '/var/lib/registry', 'the root is /var/lib/registry where none is set';
is $c->{delete}, 'false', 'deleting is off where it is not set';
is $c->{'manifests.max_size'}, 4194304, 'a size is shown in bytes';
$c = shown("root = \"/srv/x/\"; workers = 0x10; manifests = { sparse = \"all\"; sizes = \"warn\"; max_size = \"64 KiB\"; }; fsync = \"off\";"
	. " blobs: { max_size = 10737418240L; } log = { level = \"debug\"; }; readonly = TRUE; upload_workers = 10; write_workers = 7;"
	. ' http = { host = "https://r.example:8/x/"; prefix = "/a.b/c~d/"; relative_urls = "on"; headers = "X-A: b; c=\'d\'|X-E: f"; };'
	. ' gc = { every = "24h"; grace = "90s"; uploads = "2d"; untagged = true; rate = 500; }; undo = "2h"; rules_delay = 60; journal = { enabled = true; keep = "1h"; max_size = "8 MiB"; };'
	. ' auth = { htpasswd = "/h"; token = { enabled = "on"; realm = "https://x/v2/token"; service = "s"; key = "/k"; algorithm = "ES256"; proxies = "10.0.0.0/8,::1"; }; };');
is_deeply $c, { root => '/srv/x', workers => 16, write_workers => 7, upload_workers => 10, delete => 'false', readonly => 'true', page => 'true', fsync => 'off',
	'http.cors' => '', 'http.host' => 'https://r.example:8/x', 'http.prefix' => '/a.b/c~d', 'http.relative_urls' => 'on', 'http.headers' => "X-A: b; c='d'|X-E: f",
	'manifests.sparse' => 'all', 'manifests.sizes' => 'warn', 'manifests.max_size' => 65536, 'blobs.max_size' => 10737418240, 'log.level' => 'debug',
	config => '', 'http.listen' => '', 'http.monitor' => '', 'http.metrics_path' => '/metrics', 'http.http2' => 'true', 'http.tls.certificate' => '', 'http.tls.key' => '',
	'http.tls.client_authorities' => '', 'http.tls.client_auth' => 'require', 'http.tls.minimum' => '1.2', 'catalog.max_entries' => 0, 'gc.uploads_every' => 86400,
	'log.access' => 'true', 'log.fields' => '',
	notifications => '', relay => 'auto', rules => '', upstreams => '', own => '', 'cache.max_size' => 0, 'cache.idle' => 2592000,
	'gc.every' => 86400, 'gc.grace' => 90, 'gc.uploads' => 172800, 'gc.untagged' => 'true', 'gc.rate' => 500, undo => 7200, rules_delay => 60, 'journal.enabled' => 'true', 'journal.keep' => 3600, 'journal.max_size' => 8388608,
	'auth.realm' => 'berth', 'auth.htpasswd' => '/h', 'auth.robots' => '', 'auth.remote_user' => 'false',
	'auth.token.enabled' => 'on', 'auth.token.realm' => 'https://x/v2/token', 'auth.token.service' => 's', 'auth.token.key' => '/k', 'auth.token.algorithm' => 'ES256',
	'auth.token.proxies' => '10.0.0.0/8,::1', (map { ("auth.foreign.$_" => '') } qw(realm service issuer bundle jwks)), 'auth.groups' => '', 'auth.access' => '' },
	'each setting is read, in each form that it may have';
$r = run($berth, '--config', $file, 'config', 'given');
is $r->{out}, "root\nworkers\nwrite_workers\nupload_workers\nreadonly\nfsync\nmanifests.sparse\nmanifests.sizes\nmanifests.max_size\nblobs.max_size\n"
	. "http.host\nhttp.prefix\nhttp.relative_urls\nhttp.headers\n"
	. "gc.every\ngc.grace\ngc.uploads\ngc.untagged\ngc.rate\nundo\nrules_delay\njournal.enabled\njournal.keep\njournal.max_size\nauth.htpasswd\nauth.token.enabled\nauth.token.realm\nauth.token.service\nauth.token.key\nauth.token.algorithm\n"
	. "auth.token.proxies\nlog.level\n",
	'`berth config given` names the settings that the file gives';
is run({ env => { REGISTRY_STORAGE_DELETE_ENABLED => 'true' } }, $berth, '--config', '/dev/null', 'config', 'given')->{out}, "delete\nmanifests.sizes\n",
	'and those of the environment';
is run($berth, '--config', '/dev/null', '--root', '/srv/y', 'config', 'given')->{out}, "root\n", 'and --root';
$c = shown('http = { listen = "[::1]:5000"; monitor = "unix:/run/m"; metrics_path = "/m"; http2 = false; tls = { certificate = "/c"; key = "/k"; client_authorities = "/a,/b";'
	. ' client_auth = "optional"; minimum = "1.3"; }; }; catalog = { max_entries = 7; }; gc = { uploads_every = "0"; }; log = { access = false; fields = "a=b,c=d e"; };');
is join(' | ', @$c{qw(http.listen http.monitor http.metrics_path http.http2 http.tls.certificate http.tls.key http.tls.client_authorities http.tls.client_auth http.tls.minimum
	catalog.max_entries gc.uploads_every log.access log.fields)}), '[::1]:5000 | unix:/run/m | /m | false | /c | /k | /a,/b | optional | 1.3 | 7 | 0 | false | a=b,c=d e', 'also those of nginx and of the log';
for my $address ('5000', ':', ':0', ':65536', ':5000x', 'a b:5000', '[::1:5000', '[]:5000', '[x]:5000', '::1:5000', 'unix:run', 'unix:/a b', 'a$:5000') {
	fault("the address $address", "http = { listen = \"$address\"; };", 1, '"http.listen" must be an address to listen on');
}
fault('a field without a name', 'log = { fields = "=x"; };', 1, '"log.fields" must be');
fault('a field without a value', 'log = { fields = "a=b,c"; };', 1, '"log.fields" must be');
fault('a list of files that ends with a comma', 'http = { tls = { client_authorities = "/a,"; }; };', 1, '"http.tls.client_authorities" must be');
fault('a path of a URL with a quote', 'http = { metrics_path = "/a\\"b"; };', 1, '"http.metrics_path" must be');
fault('a certificate without a key', "\nhttp = { tls = { certificate = \"/c\"; }; };", 2, '"http.tls.certificate" needs "http.tls.key"');
fault('a key without a certificate', 'http = { tls = { key = "/c"; }; };', 1, '"http.tls.key" needs "http.tls.certificate"');
fault('certificates of clients without TLS', 'http = { tls = { client_authorities = "/c"; }; };', 1, '"http.tls.client_authorities" needs "http.tls.certificate"');
is shown("root = \"/\";")->{root}, '/', 'a root of / stays what it is';
is shown("root = \"/srv/x\";", '--root', '/srv/y')->{root}, '/srv/y', '--root wins over the file';
spew($file, '');
$r = run({ dir => $dir }, $berth, '--config', $file, '--root', 'store', 'config', 'show');
like $r->{out}, qr{^root = \Q$dir\E/store$}m, '--root may be relative';
for my $time (['0', 0], ['90', 90], ['90s', 90], ['30m', 1800], ['24h', 86400], ['7d', 604800]) {
	is shown("gc = { every = \"$time->[0]\"; };")->{'gc.every'}, $time->[1], "\"$time->[0]\" is a duration";
}
for my $bad ('"soon"', '"-1h"', '"1y"', '"4000d"', 'true', '"99999999999999999999d"') {
	fault("a duration of $bad", "\ngc = { every = $bad; };\n", 2, '"gc.every" must be a duration in quotes such as "24h"');
}
for my $size (['0', 0], ['4096', 4096], ['1 B', 1], ['1KiB', 1024], ['3 MiB', 3 << 20], ['5GiB', 5 << 30], ['2 TiB', 2 << 40]) {
	is shown("blobs = { max_size = \"$size->[0]\"; };")->{'blobs.max_size'}, $size->[1], "\"$size->[0]\" is a size";
}

# The command
$r = run($berth, '--help');
is $r->{status}, 0, '--help ends with 0';
like $r->{out}, qr/^usage: berth .*^  config check/ms, '--help lists the commands';
like run($berth, '--version')->{out}, qr/\Aberth \d+\.\d+\.\d+\n\z/, '--version says the version';
is run($berth)->{status}, 2, 'no command at all ends with 2';
is run($berth, 'nothing')->{status}, 2, 'an unknown command ends with 2';
is run($berth, '--nothing', 'config', 'check')->{status}, 2, 'an unknown option ends with 2';
is run($berth, 'config')->{status}, 2, '`config` alone ends with 2';
is run($berth, 'config', 'check', 'x')->{status}, 2, 'one argument too many ends with 2';
like run($berth, 'config', 'nothing')->{err}, qr/\Ausage: [^\n]*\n\z/, 'a wrong use is answered with how it is used';
is run('sh', '-c', 'exec "$0" --config /dev/null config show > /dev/full', $berth)->{status}, 1,
	'output that cannot be written is a failure';

done_testing;
