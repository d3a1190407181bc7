#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The list "notifications": what is wrong with it is said with file and line, and what it says is shown, but for secrets.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Conf qw(conf_file verb fault);

delete $ENV{$_} for grep { /^REGISTRY_/ } keys %ENV;

my $file = conf_file();
my $dir = $file =~ s{/[^/]*\z}{}r;

# in an endpoint that is good without this; on line 3
sub member
{
	my ($title, $text, $re, $line) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	fault($title, "notifications = (\n{ name = \"a\"; url = \"http://a/\";\n$text } );\n", $line // 3, $re);
}

# The list
fault('no list', 'notifications = { name = "a"; };', 1, '"notifications" must be a list of groups: notifications = \( ');
fault('a list of texts', "notifications = (\n\"a\" );", 2, '"notifications" must hold groups');
fault('an endpoint without a name', "delete = true;\nnotifications = (\n{ url = \"http://a/\"; } );", 3, 'an endpoint needs a name: \{ name = ');
fault('an endpoint without a url', "notifications = (\n{ name = \"a\"; } );", 2, 'an endpoint needs a url: ');
fault('two of one name', "notifications = ( { name = \"a\"; url = \"http://a/\"; },\n{ name = \"a\"; url = \"http://b/\"; } );", 2, 'there is another endpoint named "a"');
my $many = join ', ', map { "{ name = \"a$_\"; url = \"http://a/\"; }" } 1 .. 64;
is verb('show', "notifications = ( $many );")->{status}, 0, '64 endpoints';
fault('65 endpoints', "notifications = ( $many,\n{ name = \"a\"; url = \"http://a/\"; } );", 2, '"notifications" may hold 64 endpoints');
member('a member that does not exist', 'repo = [ "x" ];', 'unknown setting "notifications.repo"; there are name, url, headers, ');

# Names and URLs
for my $name ('', 'a b', '.a', '-a', '../a', 'a/b', 'x' x 65, 'lock', 'a.ask', 'a.dead', 'a.new', 'a.tmp', "\xc3\xa4") {
	fault('"' . substr($name, 0, 10) . '" as a name', "notifications = ( { url = \"http://a/\";\nname = \"$name\"; } );", 2, '"notifications.name" must be a text');
}
fault('a number as a name', "notifications = ( { url = \"http://a/\";\nname = 5; } );", 2, '"notifications.name" must be a text');
for my $url ('', 'geheim.example', 'ftp://geheim/', 'http://', 'https:///geheim', 'http://:80/geheim', 'http://u:geheim@/', 'http://a/ geheim', 'http://a/\\"geheim', 'http://a/#geheim', 'HTTP://geheim/', "http://a/\xc3\xa4",
	'http://' . 'x' x 2048) {
	fault('"' . substr($url, 0, 20) . '" as a URL', "notifications = ( { name = \"a\";\nurl = \"$url\"; } );", 2, '"notifications.url" must be a URL');
}
for my $url ('http://127.0.0.1:8080', 'https://u@[::1]:5/x?y=z&a=%20', 'http://localhost/' . 'x' x 2031) {
	is verb('show', "notifications = ( { name = \"a\"; url = \"$url\"; } );")->{status}, 0, 'but "' . substr($url, 0, 30) . '" is one';
}

# Headers
member('headers that are no list', 'headers = { name = "A"; value = "geheim"; };', '"notifications.headers" must be a list of groups');
member('a header without a name', 'headers = ( { value = "geheim"; } );', 'a header needs a name, and either a value or a file');
member('one without a value', 'headers = ( { name = "A"; } );', 'a header needs a name, and either');
member('one with both', 'headers = ( { name = "A"; value = "geheim"; file = "/x"; } );', 'a header needs a name, and either');
member('one with something else', 'headers = ( { name = "A"; values = "geheim"; } );', 'unknown setting "notifications.headers.values"; there are name, value and file');
member("a header called \"$_\"", "headers = ( { name = \"$_\"; value = \"geheim\"; } );", '"notifications.headers.name" must be the name of a header') for 'a b', 'a:', '', "a\\n";
member("the header $_", "headers = ( { name = \"$_\"; value = \"geheim\"; } );", "berth sets the header $_ itself") for 'Host', 'content-type', 'Content-Length', 'Berth-X';
member('a header of two lines', 'headers = ( { name = "A"; value = "geheim\\r\\nB: c"; } );', '"notifications.headers.value" must be a text');
member('an empty header', 'headers = ( { name = "A"; value = ""; } );', '"notifications.headers.value" must be a text');
member('a number', 'headers = ( { name = "A"; value = 5; } );', '"notifications.headers.value" must be a text');
member('a relative file of a header', 'headers = ( { name = "A"; file = "geheim"; } );', '"notifications.headers.file" must be an absolute path');
member('33 headers', 'headers = ( ' . (join ', ', map { "{ name = \"A$_\"; value = \"b\"; }" } 1 .. 33) . ' );', '"notifications.headers" may hold 32 headers');

# The others
member("$_ as a format", "format = $_;", '"notifications.format" must be "registry" or "cloudevents"') for '"json"', 'true', '""';
member('an action that does not exist', 'actions = [ "push", "Pull" ];', '"notifications.actions" must hold "push", "delete", "move", .* or "all"');
member('no action', 'actions = [ ];', '"notifications.actions" is empty');
member('one action that is no list', 'actions = "push";', '"notifications.actions" must be a list: actions = \[');
member("a bad pattern", 'repos = [ "team/**", "a//b" ];', '"notifications.repos" must hold patterns of names');
member("\"$_\" as a media type", "media_types = [ \"$_\" ];", '"notifications.media_types" must hold media types') for '', 'a', '/a', 'a/', 'a/b c';
member('the same of those ignored', 'ignored_media_types = [ 5 ];', '"notifications.ignored_media_types" must hold media types');
member("a relative $_", "$_ = \"key\";", "\"notifications.$_\" must be an absolute path") for 'secret_file', 'ca';
member("\"$_\" as a host", "hosts = [ \"$_\" ];", '"notifications.hosts" must hold names of hosts') for '', 'http://a', 'A.example', 'a b';
for my $d (['timeout', '0', '2h', '5', '1.5s', '-1s'], ['backoff', '0s', '2d', 'x'], ['backoff_max', '0', '8d'], ['give_up', '59s', '3661d']) {
	my ($name, @bad) = @$d;
	member("$name of $_", "$name = " . (/^\d$/ && $_ ne '0' ? $_ : "\"$_\"") . ';', "\"notifications.$name\" must be a duration in quotes") for @bad;
}
member('a greatest pause that is less than the least', 'backoff = "30s"; backoff_max = "10s";', '"notifications.backoff_max" must not be less than "notifications.backoff"', 2);
my $r = verb('check', "notifications = (\n{ name = \"a b\"; url = \"x\";\ntimeout = 5;\nrepos = [ \"/\" ]; },\n{ } );\n");
is join(' ', $r->{err} =~ /^\Q$file\E:(\d+): /mg), '2 2 3 4 5 5', 'every fault is said';

# What it says
my $defaults = 'format = "registry"; actions = [ "push", "delete" ]; repos = [ ]; media_types = [ ]; ignored_media_types = [ ]; secret_file = ""; ca = ""; hosts = [ ]; '
	. 'timeout = "5s"; backoff = "1s"; backoff_max = "600s"; give_up = "604800s"; }';
sub shown_of { my ($text) = @_; my $r = verb('show', $text); is "$r->{status} $r->{err}", '0 ', 'a good configuration'; return $r->{out} =~ /^notifications = (.*)$/m ? $1 : undef }
is shown_of(''), '', 'there are no endpoints to begin with';
is shown_of('notifications = ( );'), '( )', 'or none';
is shown_of('notifications = ( { name = "a"; url = "http://a/"; } );'), "( { name = \"a\"; url = \"http://a/\"; headers = ( ); $defaults )", 'the defaults';
my $text = <<"CONF";
notifications = (
	{
		name = "de.p-l_oy"; url = "https://me:geheim\@ci.example/hook?a=b";
		headers = ( { name = "Authorization"; value = "geheim"; }, { name = "X-A"; file = "$dir/token"; } );
		format = "cloudevents"; actions = [ "untag", "pull", "push", "mount" ]; repos = ( "team/**", "a" ); media_types = [ "a/b" ];
		ignored_media_types = [ "c/d" ]; secret_file = "$dir/key"; ca = "$dir/ca"; hosts = [ "hooks.example:8443" ]; timeout = "1m"; backoff = "20m"; give_up = "1h";
	},
	{ name = "all"; url = "http://a/"; actions = [ "all" ]; }
);
CONF
my $shown = shown_of($text);
is $shown, "( { name = \"de.p-l_oy\"; url = \"https://me:***\@ci.example/hook?a=b\"; headers = ( { name = \"Authorization\"; value = \"***\"; }, { name = \"X-A\"; file = \"$dir/token\"; } ); "
	. 'format = "cloudevents"; actions = [ "push", "untag", "mount", "pull" ]; repos = [ "team/**", "a" ]; media_types = [ "a/b" ]; ignored_media_types = [ "c/d" ]; '
	. "secret_file = \"$dir/key\"; ca = \"$dir/ca\"; hosts = [ \"hooks.example:8443\" ]; timeout = \"60s\"; backoff = \"1200s\"; backoff_max = \"1200s\"; give_up = \"3600s\"; }, "
	. '{ name = "all"; url = "http://a/"; headers = ( ); ' . ($defaults =~ s/"push", "delete"/"all"/r) . ' )', 'all that there is, without what is secret';
is shown_of("notifications = $shown;"), $shown, 'what is shown can be written into a file again';
for my $a (['"delete", "untag"', '"delete"'], ['"remove", "untag"', '"untag", "remove"'], ['"move"', '"move"'], ['"blob_delete", "blob_push", "rename"', '"rename", "blob_push", "blob_delete"'],
	['"push", "delete", "rename", "mount", "blob_push", "blob_delete", "pull", "quota"', '"all"']) {
	like shown_of("notifications = ( { name = \"a\"; url = \"http://a/\"; actions = [ $a->[0] ]; } );"), qr/actions = \[ \Q$a->[1]\E \]/, "$a->[0] is $a->[1]";
}
is verb('given', $text)->{out}, "notifications\n", '`berth config given` names it';
is verb('given', 'delete = true;')->{out}, "delete\n", 'and does not without it';
like verb('show --origin', "delete = true;\n$text")->{out}, qr/^notifications = \( .* \)\t\Q$file\E:2$/m, 'its origin is its line';
like verb('show --origin', '')->{out}, qr/^notifications = \tdefault$/m, 'or none';

# The files that it names
$r = verb('check', $text);
is $r->{status}, 2, 'files that are not there';
is $r->{err}, join('', map { "$file:2: \"notifications.$_->[0]\": cannot read $dir/$_->[1]: No such file or directory\n" } ['headers', 'token'], ['secret_file', 'key'], ['ca', 'ca']), 'are named with the line of the endpoint';
spew("$dir/$_", 'x') for qw(token key);
mkdir "$dir/ca" or die;
is verb('check', $text)->{err}, "$file:2: \"notifications.ca\": cannot read $dir/ca: Is a directory\n", 'so is a directory in the place of one';
rmdir "$dir/ca" or die;
spew("$dir/ca", 'x');
is verb('check', $text)->{out}, "$file: ok\n", 'then all is well';

done_testing;
