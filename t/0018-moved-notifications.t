#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The endpoints of a config.yml of registry:2, and of its variables, get what they get there.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Conf;

delete $ENV{$_} for grep { /^(?:REGISTRY|BERTH)_/ } keys %ENV;
my $berth = program('berth');
my $dir = tmp_dir();
my ($yml, $conf) = ("$dir/config.yml", "$dir/berth.conf");

# moved(endpoints, env) - of the YAML below "endpoints:", which begins on line 3
sub moved
{
	my ($text, $env, @verb) = @_;
	my $r = config_verb($yml, defined $text ? "notifications:\n  endpoints:\n$text" : "version: 0.1\n", { env => $env // {} }, @verb ? @verb : 'show');

	($r->{shown}) = $r->{out} =~ /^notifications = (.*)$/m;
	return $r;
}
sub works
{
	my ($title, $text, $env, $want) = @_;
	my $r = moved($text, $env);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is "$r->{status} $r->{err}", '0 ', "$title: says nothing";
	is $r->{shown}, $want, "$title: means what it means there";
	return;
}
sub refused
{
	my ($title, $text, $line, $re) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return fault_ok(moved($text), "$yml:$line", $title, "\"notifications.endpoints$re");
}
# endpoint(what differs from that of a name and a URL)
sub endpoint
{
	my (%o) = (name => 'a', url => 'http://a/', headers => '', actions => '"push", "delete", "mount", "blob_push", "blob_delete", "pull"', ignored => '', patience => 5, backoff => 1, max => 600, @_);

	return "{ name = \"$o{name}\"; url = \"$o{url}\"; headers = ($o{headers} ); format = \"registry\"; actions = [ $o{actions} ]; repos = [ ]; media_types = [ ]; "
		. "ignored_media_types = [$o{ignored} ]; secret_file = \"\"; ca = \"\"; hosts = [ ]; timeout = \"$o{patience}s\"; backoff = \"$o{backoff}s\"; backoff_max = \"$o{max}s\"; give_up = \"604800s\"; }";
}
my $one = "    - name: a\n      url: http://a/\n";

# In a file
works('a name and a URL', $one, {}, '( ' . endpoint() . ' )');
works('every member', "    - name: all\n      disabled: false\n      url: https://u:geheim\@hook.example/x?y=z\n      headers:\n        Authorization: [Bearer geheim]\n        X-A: [b, c]\n        X-B: ''\n      timeout: 10s\n"
	. "      threshold: 5\n      backoff: 1m30s\n      ignoredmediatypes:\n        - application/octet-stream\n      ignore:\n        mediatypes: [a/b]\n        actions: [pull, mount]\n", {},
	'( ' . endpoint(name => 'all', url => 'https://u:***@hook.example/x?y=z', headers => ' ' . join(', ', map { "{ name = \"$_\"; value = \"***\"; }" } qw(Authorization X-A X-A)), patience => 10, backoff => 90,
		actions => '"push", "delete", "blob_push", "blob_delete"', ignored => ' "application/octet-stream", "a/b"') . ' )');
works('one that is disabled', "    - {name: a b, disabled: true}\n$one    - {url: x, disabled: yes}\n", {}, '( ' . endpoint() . ' )');
works('only those', "    - {name: a, disabled: true}\n", {}, '( )');
works('a list without any', "    []\n", {}, '( )');
works('nothing', "    ~\n", {}, '');
works('durations of zero, and none', "    - {name: a, url: 'http://a/', timeout: 0, backoff: 0s, threshold: -1, headers: , ignore: }\n", {}, '( ' . endpoint() . ' )');
works('a long pause', "    - {name: a, url: 'http://a/', backoff: 15m}\n", {}, '( ' . endpoint(backoff => 900, max => 900) . ' )');
for my $i ([push => '"delete", "mount", "blob_delete", "pull"'], [delete => '"push", "mount", "blob_push", "pull"'], [mount => '"push", "delete", "blob_push", "blob_delete", "pull"']) {
	works("without $i->[0]", "$one      ignore: {actions: [$i->[0]]}\n", {}, '( ' . endpoint(actions => $i->[1]) . ' )');
}

# What is not kept, in one line each
for my $w (['timeout: 500ms', 'timeout" is 1s: berth has whole seconds', patience => 1], ['backoff: 1.5s', 'backoff" is 2s: berth has whole seconds', backoff => 2],
	['timeout: 2h', 'timeout" is 3600s: berth has no longer one', patience => 3600], ['colour: red', 'colour" has no effect: there is no such setting'],
	['ignore: {repos: [x]}', 'ignore" has no effect for a member that'], ['headers: {Content-Type: [text/plain]}', 'headers" has no effect for a header that berth sets itself']) {
	my ($line, $re, @o) = @$w;
	my $r = moved("$one      $line\n");

	is $r->{status}, 0, "$line is accepted";
	like $r->{err}, qr/\Aberth: warning: \Q$yml\E:5: "notifications\.endpoints\.\Q$re\E[^\n]*\n\z/, "$line: a warning";
	is $r->{shown}, '( ' . endpoint(@o) . ' )', "$line: and what becomes of it";
}
my $r = run($berth, '--config', spew($yml, "notifications:\n  events:\n    includereferences: true\n  endpoints:\n$one"), 'config', 'show');
like $r->{err}, qr/\Aberth: warning: \Q$yml\E:3: "notifications.events.includereferences" has no effect: [^\n]*\n\z/, 'references are not included, which is said';
is run($berth, '--config', spew($yml, "notifications:\n  events:\n    includereferences: false\n"), 'config', 'show')->{err}, '', 'unless nobody asks for them';

# What is wrong
refused('no list', "    name: a\n", 2, '" must be a list of endpoints');
refused('a text', "    geheim\n", 2, '" must be a list of endpoints');
refused('a list of texts', "    - geheim\n", 3, '" must be a list of at most 64 endpoints');
refused('no name', "    - url: http://a/\n", 3, '" needs a name');
refused('no url', "    - name: a\n", 3, '" needs a url');
refused('a bad name', "    - {name: my hook, url: 'http://a/'}\n", 3, '.name" must be a text of at most 64 letters');
refused('the name of another', "$one    - url: http://b/\n      name: a\n", 6, '.name" must be another one');
refused("$_ as a URL", "    - {name: a, url: '$_'}\n", 3, '.url" must be a URL') for 'geheim', 'ftp://geheim/', '/geheim', 'http://a b/';
refused("$_ as a timeout", "$one      timeout: $_\n", 5, '.timeout" must be a duration such as 500ms') for '500', '-1s', '1d', '[1s]';
refused('a threshold', "$one      threshold: many\n", 5, '.threshold" must be a whole number');
refused('whether it is disabled', "$one      disabled: perhaps\n", 5, '.disabled" must be true or false');
refused('headers', "$one      headers: [geheim]\n", 5, '.headers" must be a map of headers');
refused('a header of two lines', "$one      headers: {A: [\"geheim\\r\\nB: c\"]}\n", 5, '.headers" must be a map of at most 32 headers');
refused('a header', "$one      headers: {'A b': [geheim]}\n", 5, '.headers" must be a map of headers with names');
refused('media types', "$one      ignoredmediatypes: a/b\n", 5, '.ignoredmediatypes" must be a list');
refused('an action', "$one      ignore: {actions: [push, read]}\n", 5, '.ignore.actions" must be a list of push, pull, mount and delete');
refused('what is ignored', "$one      ignore: [pull]\n", 5, '.ignore" must be a map');
refused('65 of them', join('', map { "    - {name: a$_, url: 'http://a/'}\n" } 1 .. 65), 67, '" must be a list of at most 64 endpoints');

# By variables, which replace the list
my $list = '[{name: v, url: "http://v/", timeout: 2s}]';
works('a list in a variable', undef, { REGISTRY_NOTIFICATIONS_ENDPOINTS => $list }, '( ' . endpoint(name => 'v', url => 'http://v/', patience => 2) . ' )');
works('instead of the list of the file', $one, { REGISTRY_NOTIFICATIONS_ENDPOINTS => $list }, '( ' . endpoint(name => 'v', url => 'http://v/', patience => 2) . ' )');
works('a member of one', $one, { REGISTRY_NOTIFICATIONS_ENDPOINTS_0_URL => 'http://b/', REGISTRY_NOTIFICATIONS_ENDPOINTS_0_HEADERS => '{A: [b]}' }, '( ' . endpoint(url => 'http://b/', headers => ' { name = "A"; value = "***"; }') . ' )');
works('all members', undef, { REGISTRY_NOTIFICATIONS_ENDPOINTS_0_NAME => 'a', REGISTRY_NOTIFICATIONS_ENDPOINTS_0_URL => 'http://a/' }, '( ' . endpoint() . ' )');
$r = moved(undef, { REGISTRY_NOTIFICATIONS_ENDPOINTS => '[{name: geheim}]' });
is "$r->{status} $r->{err}", "2 REGISTRY_NOTIFICATIONS_ENDPOINTS: \"notifications.endpoints\" needs a url for each endpoint\n", 'a fault of a variable names it';
$r = moved(undef, { REGISTRY_NOTIFICATIONS_ENDPOINTS => 'geheim' });
is "$r->{status} $r->{err}", "2 REGISTRY_NOTIFICATIONS_ENDPOINTS: must be a list of endpoints: [{ name: ..., url: ... }]\n", 'another one, too';
like moved($one, { REGISTRY_NOTIFICATIONS_ENDPOINTS => $list }, 'show', '--origin')->{out}, qr/^notifications = .*\tREGISTRY_NOTIFICATIONS_ENDPOINTS$/m, 'the origin is the variable';
like moved($one, {}, 'show', '--origin')->{out}, qr/^notifications = .*\t\Q$yml\E:2$/m, 'or the line of the list';

# Together with berth.conf
moved($one);
my $own = 'notifications = ( { name = "own"; url = "http://o/"; } );';
like run($berth, '--config', spew($conf, "config = \"$yml\";\n"), 'config', 'show')->{out}, qr/^notifications = \( \{ name = "a"/m, 'a berth.conf without the list leaves it';
like run($berth, '--config', spew($conf, "config = \"$yml\";\n$own\n"), 'config', 'show')->{out}, qr/^notifications = \( \{ name = "own".*?; \} \)$/m, 'its own replaces it';
like run({ env => { REGISTRY_NOTIFICATIONS_ENDPOINTS => $list } }, $berth, '--config', $conf, 'config', 'show')->{out}, qr/^notifications = \( \{ name = "v"[^}]*\} \)$/m, 'and a variable that';

done_testing;
