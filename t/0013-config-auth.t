#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The group "auth": what is wrong with it is said with file and line, and what it says is shown.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Conf qw(conf_file verb fault);

delete $ENV{$_} for grep { /^REGISTRY_/ } keys %ENV;

my $berth = program('berth');
my $file = conf_file();

# in auth = { }, which begins on line 1, with a way to log in; the text begins on line 2
sub auth_fault
{
	my ($title, $text, $line, $re) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	fault($title, "auth = { htpasswd = \"/x\";\n$text };\n", $line, $re);
}

sub rule { my ($rule) = @_; return "access = (\n{ $rule } );" }
sub group { my ($group) = @_; return "groups = (\n{ $group } );" }

fault('an auth without a way in', "delete = true;\nauth = { };\n", 2, 'nobody could log in');
fault('a realm without a way in', "auth = { realm = \"x\"; };\n", 1, 'nobody could log in');
fault('rules for users where none can log in', "auth = {\n" . rule('who = [ "a" ]; repo = "x"; may = [ "pull" ];') . "};\n", 1,
	'nobody could log in');
fault('an auth that is no group', "auth = true;\n", 1, '"auth" must be a group');
auth_fault('a setting that does not exist', "htpaswd = \"/x\";", 2, 'unknown setting "auth.htpaswd"');
auth_fault('a token service that is no group', "token = true;", 2, '"auth.token" must be a group');
auth_fault('a setting of it that does not exist', "token = { keys = \"/x\"; };", 2, 'unknown setting "auth.token.keys"');
auth_fault('true for whether it is on', "token = { enabled = true; };", 2, '"auth.token.enabled" must be "auto", "on" or "off"');
auth_fault('a service without a name', "token = { service = \"\"; };", 2, '"auth.token.service" must be a text');
auth_fault("\"$_\" as its URL", "token = { realm = \"$_\"; };", 2, '"auth.token.realm" must be a URL') for '/v2/token', 'https://', 'ftp://x', 'https://a b', 'x' x 600;
auth_fault("\"$_\" as proxies", "token = { proxies = \"$_\"; };", 2, '"auth.token.proxies" must be addresses and networks')
	for 'proxy.example', '10.0.0.0/33', '10.0.0.1,', '*';
fault('a token service where nobody has a password', "auth = { remote_user = true; token = { enabled = \"on\"; }; };", 1, '"auth.token.enabled" is "on" without');
my @foreign = ('realm = "https://x/token";', 'service = "s";', 'issuer = "i";', 'jwks = "/x";');
for my $i (0 .. 3) {
	fault("a token service elsewhere without " . ($foreign[$i] =~ /(\w+)/)[0], 'auth = { foreign = { ' . join(' ', map { $foreign[$_] } grep { $_ != $i } 0 .. 3) . ' }; };', 1,
		'"auth.foreign" needs realm, service, issuer, and bundle or jwks');
}
auth_fault('two token services', "token = { enabled = \"on\"; }; foreign = { @foreign };", 1, '"auth.token.enabled" is "on" beside "auth.foreign"');
fault('a relative htpasswd', "auth = { htpasswd = \"x\"; };", 1, '"auth.htpasswd" must be an absolute path');
auth_fault('a text for remote_user', "remote_user = \"true\";", 2, '"auth.remote_user" must be true or false');
for my $realm ('', 'a\\"b', 'a\\\\b', 'a\\nb', "\xc3\xa4", 'x' x 129) {
	auth_fault("\"" . substr($realm, 0, 10) . "\" as realm", "realm = \"$realm\";", 2, '"auth.realm" must be a text');
}

# Groups
auth_fault('groups that are no list', 'groups = { name = "ci"; };', 2, '"auth.groups" must be a list of groups: groups = \( ');
auth_fault('groups as names', "groups = ( { name = \"a\"; users = [ ]; },\n\"ci\" );", 3, '"auth.groups" must hold groups');
auth_fault('a group without a name', group('users = [ "a" ];'), 3, 'a group needs a name');
auth_fault('a group without users', group('name = "ci";'), 3, 'a group needs users');
auth_fault('a group with an unknown member', group('name = "ci"; users = [ ]; may = [ "pull" ];'), 3, 'unknown setting "auth.groups.may"');
auth_fault('a number as name', group('name = 5; users = [ ];'), 3, '"auth.groups.name" must be a text');
for my $name ('', '@ci', 'a b', 'users', 'anonymous', "\xc3\xa4") {
	auth_fault("\"$name\" as a group's name", group("name = \"$name\"; users = [ ];"), 3, '"auth.groups.name" must be of letters');
}
auth_fault('two groups of one name', "groups = ( { name = \"ci\"; users = [ ]; },\n{ name = \"ci\"; users = [ ]; } );", 3,
	'the group "ci" already exists');
auth_fault('a user who is no text', group("name = \"ci\"; users =\n( \"a\",\n5 );"), 5, '"auth.groups.users" must hold names of users');
for my $user ('', 'a:b', 'a\\nb', '@ci', 'x' x 256) {
	auth_fault("\"" . substr($user, 0, 10) . "\" as a user", group("name = \"ci\"; users = [ \"$user\" ];"), 3,
		'"auth.groups.users" must hold names of users');
}
auth_fault('users as one text', group('name = "ci"; users = "a";'), 3, '"auth.groups.users" must be a list: users = \[');

# Rules
my $good = 'who = [ "a" ]; repo = "x"; may = [ "pull" ];';
auth_fault('rules that are no list', "access = { $good };", 2, '"auth.access" must be a list of groups');
auth_fault('an array of rules', 'access = [ "a" ];', 2, '"auth.access" must be a list of groups');
auth_fault('a rule that is no group', 'access = ( "a" );', 2, '"auth.access" must hold groups');
auth_fault('a rule with an unknown member', rule("$good repos = \"x\";"), 3, 'unknown setting "auth.access.repos"; there are who, repo and may');
for my $member (qw(who repo may)) {
	auth_fault("a rule without $member", rule($good =~ s/$member = [^;]*;//r), 3, "a rule needs \"$member\"");
}
auth_fault('who as one text', rule('who = "a"; repo = "x"; may = [ "pull" ];'), 3, '"auth.access.who" must be a list');
auth_fault('nobody in who', rule('who = [ ]; repo = "x"; may = [ "pull" ];'), 3, 'a rule with an empty "who" grants nothing');
auth_fault('nothing in may', rule('who = [ "a" ]; repo = "x"; may = ( );'), 3, 'a rule with an empty "may" grants nothing');
auth_fault('an action that does not exist', rule('who = [ "a" ]; repo = "x"; may = [ "pull", "owner" ];'), 3,
	'"auth.access.may" must hold "pull", "push", "delete" or "admin"');
auth_fault('administrators of some repositories', rule('who = [ "a" ]; repo = "x/**"; may = [ "pull", "admin" ];'), 3, '"admin" is a right in the whole registry: it needs repo = "\*\*"');
auth_fault('everybody as administrator', rule('who = [ "a", "@anonymous" ]; repo = "**"; may = [ "admin" ];'), 3, '"@anonymous" cannot have the right "admin"');
auth_fault('an action with another letter case', rule('who = [ "a" ]; repo = "x"; may = [ "Pull" ];'), 3, '"auth.access.may" must hold');
auth_fault('a group that does not exist', rule('who = [ "@ci" ]; repo = "x"; may = [ "pull" ];'), 3,
	'"auth.access.who" names the group "@ci", which "auth.groups" does not define');
auth_fault('everybody written wrongly', rule('who = [ "@anonymus" ]; repo = "x"; may = [ "pull" ];'), 3, '.*"@anonymus"');
auth_fault('an @ alone', rule('who = [ "@" ]; repo = "x"; may = [ "pull" ];'), 3, '"auth.access.who" must hold names of users');
auth_fault('a repository that is no text', rule('who = [ "a" ]; repo = [ "x" ]; may = [ "pull" ];'), 3, '"auth.access.repo" must be a text');
for my $bad (['', 'is empty'], ['/x', 'has an empty component'], ['x/', 'has an empty component'], ['x//y', 'has an empty component'],
	['x**', 'has "\*\*" beside'], ['***', 'has "\*\*" beside'], ['Team', 'has a character'], ['a?', 'has a character'], ['a b', 'has a character'],
	['x' x 256, 'is longer']) {
	auth_fault("\"" . substr($bad->[0], 0, 10) . "\" as repository", rule("who = [ \"a\" ]; repo = \"$bad->[0]\"; may = [ \"pull\" ];"), 3,
		"\"auth.access.repo\" is not a pattern of names: it $bad->[1]");
}
my $r = verb('check', "auth = { htpasswd = \"/x\";\naccess = (\n{ who = [ \"\@x\" ]; repo = \"x\"; may = [ \"pull\" ]; },\n"
	. "{ who = [ \"\@y\" ]; repo = \"x\"; may = [ \"pull\" ]; } ); };\nwrokers = 5;\n");
is join(' ', $r->{err} =~ /^\Q$file\E:(\d+): /mg), '5', 'faults of the file are said first';
$r = verb('show', "auth = { htpasswd = \"/x\";\naccess = (\n{ who = [ \"\@x\" ]; repo = \"x\"; may = [ \"pull\" ]; },\n"
	. "{ who = [ \"\@y\" ]; repo = \"x\"; may = [ \"pull\" ]; } ); };\n");
is join(' ', $r->{err} =~ /^\Q$file\E:(\d+): /mg), '3 4', 'then each rule with a group that does not exist';

# What it says
my $text = <<'CONF';
auth = {
	remote_user = true;
	access = (
		{ who = [ "alice", "@ci" ]; repo = "team/*"; may = ( "push" ); },
		{ who = ( "@users" ); repo = "**"; may = [ "pull", "delete" ]; }
	);
	groups = ( { name = "ci"; users = [ "je\"n\\kins", "runner" ]; }, { name = "none"; users = ( ); } );
};
CONF
$r = verb('show', $text);
is "$r->{status} $r->{err}", '0 ', 'groups may come after the rules that name them' or diag $r->{err};
my %shown = map { /^(\S+) = (.*)$/ } split /\n/, $r->{out};
is $shown{'auth.groups'}, '( { name = "ci"; users = [ "je\"n\\\\kins", "runner" ]; }, { name = "none"; users = [ ]; } )', 'groups are shown';
is $shown{'auth.access'}, '( { who = [ "alice", "@ci" ]; repo = "team/*"; may = [ "pull", "push" ]; }, '
	. '{ who = [ "@users" ]; repo = "**"; may = [ "pull", "delete" ]; } )', 'rules are shown, and that pushing includes pulling';
my $again = verb('show', "auth = { remote_user = true; groups = $shown{'auth.groups'}; access = $shown{'auth.access'}; };")->{out};
is $again, $r->{out}, 'what is shown can be written into a file again';
is verb('given', $text)->{out}, "auth.remote_user\nauth.groups\nauth.access\n", '`berth config given` names them';
is verb('show', 'auth = { remote_user = true; access = ( ); };')->{out} =~ /^auth\.access = (.*)$/m && $1, '( )',
	'no rule at all differs from no rules';
$r = verb('show', "auth = { access = ( { who = [ \"\@anonymous\" ]; repo = \"**\"; may = [ \"pull\" ]; } ); };");
is "$r->{status} $r->{err}", '0 ', 'a registry for reading needs no login';
$r = verb('show', "auth = { htpasswd = \"/x\"; access = ( { who = [ \"\@anonymous\" ]; repo = \"**\"; may = [ \"pull\" ]; } ); };");
is $r->{err}, '', 'everybody may pull beside logins: tokens are on by themselves';
$r = verb('show', "auth = { token = { enabled = \"off\"; }; htpasswd = \"/x\"; access = ( { who = [ \"\@anonymous\" ]; repo = \"**\"; may = [ \"pull\" ]; } ); };");
like $r->{err}, qr/\Aberth: warning: auth\.access names "\@anonymous", but docker [^\n]*\n\z/, 'that docker will ask for a login is said';
is $r->{status}, 0, 'and does not hinder';
$r = run({ env => { REGISTRY_AUTH_HTPASSWD_PATH => '/y', REGISTRY_AUTH_HTPASSWD_REALM => 'Y' } }, $berth, '--config', $file, 'config', 'show');
like $r->{out}, qr{^auth\.htpasswd = /y$}m, 'the environment wins over the file';
like $r->{out}, qr{^auth\.access = \( \{ who}m, 'whose rules stay';

done_testing;
