#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The lists "upstreams" and "own": what is wrong with them is said with file and line, and what they say is shown.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Conf qw(conf_file verb fault);

delete $ENV{$_} for grep { /^REGISTRY_/ } keys %ENV;

my $file = conf_file();
my $dir = $file =~ s{/[^/]*\z}{}r;

# in an upstream that is good without this; on line 3
sub member
{
	my ($title, $text, $re, $line) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return fault($title, "upstreams = (\n{ name = \"a.io\"; urls = [ \"http://a/\" ];\n$text } );\n", $line // 3, $re);
}

# The lists
my $one = '{ name = "a.io"; urls = [ "http://a/" ]; }';
fault('no list', "upstreams = $one;", 1, '"upstreams" must be a list of groups: upstreams = \( ');
fault('an upstream without a name', "upstreams = (\n{ urls = [ \"http://a/\" ]; } );", 2, 'an upstream needs a name: \{ name = ');
fault('one without urls', "upstreams = (\n{ name = \"a.io\"; } );", 2, 'an upstream needs urls: ');
fault('one with none', "upstreams = (\n{ name = \"a.io\"; urls = [ ]; } );", 2, 'an upstream needs urls: ');
fault('two of one name', "upstreams = ( $one,\n$one );", 2, 'there is another upstream named "a.io"');
my $many = join ', ', map { "{ name = \"a$_\"; urls = [ \"http://a/\" ]; }" } 1 .. 64;
is verb('show', "upstreams = ( $many );")->{status}, 0, '64 upstreams';
fault('65 upstreams', "upstreams = ( $many,\n$one );", 2, '"upstreams" may hold 64 upstreams');
fault('nine urls', "upstreams = (\n{ name = \"a.io\"; urls = [ " . join(', ', ('"http://a"') x 9) . ' ]; } );', 2, '"upstreams.urls" may hold 8 URLs');
member('a member that does not exist', 'url = "x";', 'unknown setting "upstreams.url"; there are name, urls, hosts, .*, ca and finish');
fault("\"$_\" as one's own", "own = [ \"$_\" ];", 1, '"own" must hold names of hosts') for '', 'A.example', 'http://a';
fault("one's own that is no list", 'own = "a.example";', 1, '"own" must be a list: own = \[');
fault("a host that is one's own, too", "own = [ \"a.example\" ];\nupstreams = (\n{ name = \"a.io\"; urls = [ \"http://a\" ]; hosts = [ \"a.example\" ]; } );", 3,
	'"a.example" is in "upstreams.hosts", and in "own"');
fault('a host of two upstreams', 'upstreams = ( ' . join(",\n", map { "{ name = \"$_\"; urls = [ \"http://a\" ]; hosts = [ \"a.example\" ]; }" } 'a', 'b') . ' );', 2,
	'"a.example" is in "upstreams.hosts", and in that of another upstream');
fault("a name that is one's own, too", "own = [ \"a.io\" ]; upstreams = ( $one );", 1, '"a.io" is in "own", and the name of an upstream');

# The members
fault('"' . substr($_, 0, 10) . '" as a name', "upstreams = ( { urls = [ \"http://a/\" ];\nname = \"$_\"; } );", 2, '"upstreams.name" must be a text') for 'A.io', 'a//b', '/a', 'a:5000', 'x' x 129, "\xc3\xa4";
fault("\"$_\" as a URL", "upstreams = ( { name = \"a.io\";\nurls = [ \"$_\" ]; } );", 2, '"upstreams.urls" must hold URLs') for '', 'a.io', 'ftp://a', 'http://', 'http://u:geheim@a', 'http://a/?x', 'http://a/../b';
member("\"$_\" as a host", "hosts = [ \"$_\" ];", '"upstreams.hosts" must hold names of hosts') for '', 'A.example', 'a.example:5000', 'http://a';
member("\"$_->[1]\" in $_->[0]", "$_->[0] = [ \"$_->[1]\" ];", "\"upstreams.$_->[0]\" must hold names of hosts") for ['realms', 'http://a'], ['redirects', ''];
fault('a user with a colon', "upstreams = (\n{ name = \"a.io\"; urls = [ \"http://a/\" ];\nuser = \"a:b\"; } );", 3, '"upstreams.user" must be a text');
fault('a user without a password', "upstreams = (\n{ name = \"a.io\"; urls = [ \"http://a/\" ]; user = \"a\"; } );", 2, 'a login needs both "upstreams.user" and "upstreams.password_file"');
fault('a password without a user', "upstreams = (\n{ name = \"a.io\"; urls = [ \"http://a/\" ]; password_file = \"/a\"; } );", 2, 'a login needs both');
member('a relative file', 'ca = "a";', '"upstreams.ca" must be an absolute path');
member("$_->[0] of $_->[1]", "$_->[0] = $_->[1];", "\"upstreams.$_->[0]\" must be a duration in quotes") for ['fresh', '5'], ['fresh', '"x"'], ['stale', '"3661d"'], ['missing', '"25h"'];
member('a bad pattern', 'allow = [ "a//b" ];', '"upstreams.allow" must hold patterns of names');
member("\"$_\" as a platform", "platforms = [ \"$_\" ];", '"upstreams.platforms" must hold platforms') for '', 'linux', 'linux/', 'linux/arm/v7/x', 'linux/a b';
member('a word as a switch', 'finish = "yes";', '"upstreams.finish" must be true or false');

# What it says
sub shown_of { my ($text, $name) = @_; my $r = verb('show', $text); is "$r->{status} $r->{err}", '0 ', 'a good configuration'; return $r->{out} =~ /^$name = (.*)$/m ? $1 : undef }
my $defaults = 'redirects = [ ]; user = ""; password_file = ""; fresh = "600s"; stale = "2592000s"; missing = "60s"; allow = [ ]; platforms = [ ]; ca = ""; finish = true; }';
is shown_of('', 'upstreams'), '', 'there are none to begin with';
is shown_of('upstreams = ( );', 'upstreams'), '( )', 'or none';
is shown_of("upstreams = ( $one );", 'upstreams'), "( { name = \"a.io\"; urls = [ \"http://a\" ]; hosts = [ ]; realms = [ ]; $defaults )", 'the defaults';
is shown_of('upstreams = ( { name = "docker.io"; urls = [ "http://a" ]; } );', 'upstreams'),
	"( { name = \"docker.io\"; urls = [ \"http://a\" ]; hosts = [ ]; realms = [ \"auth.docker.io\" ]; $defaults )", 'the realm of docker.io is known';
my $text = <<"CONF";
upstreams = (
	{
		name = "quay.io/ours"; urls = [ "https://quay.io:8443/x/", "http://[::1]:5000" ]; hosts = [ "q.example", "[::1]" ]; realms = [ "auth.example:8443" ];
		redirects = [ "cdn.example" ]; user = "me"; password_file = "$dir/password"; fresh = "1m"; stale = "0"; missing = "0"; allow = [ "a/**", "b" ];
		platforms = [ "linux/amd64", "linux/arm/v7" ]; ca = "$dir/ca"; finish = false;
	}
);
own = [ "registry.example" ];
CONF
my $shown = shown_of($text, 'upstreams');
is $shown, '( { name = "quay.io/ours"; urls = [ "https://quay.io:8443/x", "http://[::1]:5000" ]; hosts = [ "q.example", "[::1]" ]; realms = [ "auth.example:8443" ]; redirects = [ "cdn.example" ]; '
	. "user = \"me\"; password_file = \"$dir/password\"; fresh = \"60s\"; stale = \"0s\"; missing = \"0s\"; allow = [ \"a/**\", \"b\" ]; platforms = [ \"linux/amd64\", \"linux/arm/v7\" ]; ca = \"$dir/ca\"; finish = false; } )",
	'all that there is';
is shown_of("upstreams = $shown;", 'upstreams'), $shown, 'what is shown can be written into a file again';
is shown_of($text, 'own'), '[ "registry.example" ]', "one's own names";
is verb('given', $text)->{out}, "upstreams\nown\n", '`berth config given` names both';
my $r = verb('show --origin', "delete = true;\n$text");
like $r->{out}, qr/^upstreams = \( .* \)\t\Q$file\E:2$/m, 'the origin is its line';
like $r->{out}, qr/^own = \[ "registry.example" \]\t\Q$file\E:9$/m, 'of each';
$r = verb('check', $text);
is $r->{err}, join('', map { "$file:2: \"upstreams.$_->[0]\": cannot read $dir/$_->[1]: No such file or directory\n" } ['password_file', 'password'], ['ca', 'ca']), 'files that are missing are named';

done_testing;
