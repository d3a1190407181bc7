#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The list "rules": what is wrong with it is said with file and line, and what it says is shown.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;

delete $ENV{$_} for grep { /^REGISTRY_/ } keys %ENV;

my $berth = program('berth');
my $dir = tmp_dir();
my $file = "$dir/berth.conf";

sub verb
{
	my ($verb, $text) = @_;

	spew($file, $text);
	return run($berth, '--config', $file, 'config', split ' ', $verb);
}

# fault(title, text, line, what) - one fault, on that line
sub fault
{
	my ($title, $text, $line, $re) = @_;
	my $r = verb('show', $text);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is $r->{status}, 2, "$title ends with 2";
	like $r->{err}, qr/\A\Q$file\E:$line: $re[^\n]*\n\z/, "$title is said in one line";
}

# member(title, text, what) - in a rule, on line 3
sub member
{
	my ($title, $text, $re) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	fault($title, "rules = (\n{ repo = \"ci/**\";\n$text } );\n", 3, $re);
}

# entry(title, text, what) - in an entry of keep, on line 4
sub entry
{
	my ($title, $text, $re) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	fault($title, "rules = (\n{ repo = \"ci/**\";\nkeep = ( { tag = \"v*\"; }, {\n$text } ); } );\n", 4, $re);
}

# The list
fault('no list', 'rules = { repo = "a"; };', 1, '"rules" must be a list of groups: rules = \( ');
fault('a list of texts', "rules = (\n\"a\" );", 2, '"rules" must hold groups');
fault('an empty rule', "rules = (\n{ } );", 2, 'a rule without anything beside "repo" says nothing; remove it');
fault('a rule that only names repositories', "rules = (\n{ repo = \"a\"; } );", 2, 'a rule without anything beside "repo" says nothing');
my $many = join ', ', map { "{ repo = \"a$_\"; max_tags = 1; }" } 1 .. 256;
is verb('show', "rules = ( $many );")->{status}, 0, '256 rules';
fault('257 rules', "rules = ( $many,\n{ max_tags = 1; } );", 2, '"rules" may hold 256 rules');
member('a member that does not exist', 'keeps = ( );', 'unknown setting "rules.keeps"; there are repo, keep, untagged, immutable, quota, ');
fault('a repository', "rules = (\n{ max_tags = 1; repo = \"Team\"; } );", 2, '"rules.repo" is not a pattern of names: it has a character ');
fault('a repository that is no text', "rules = (\n{ max_tags = 1; repo = 5; } );", 2, '"rules.repo" must be a text in quotes');

# keep
member('keep as a text', 'keep = "v*";', '"rules.keep" must be a list of groups');
member('keep with texts', 'keep = ( "v*" );', '"rules.keep" must hold groups');
fault('an entry without a condition', "rules = ( { keep = (\n{ } ); } );", 2, 'an entry of "rules.keep" needs a condition; to keep every tag, write \{ tag = ');
entry('an unknown condition', 'tags = "v*";', 'unknown setting "rules.keep.tags"; there are tag, newest, pushed, ');
entry("the tag \"$_\"", "tag = \"$_\";", '"rules.keep.tag" is not a pattern of tags: it ') for '', 'a/b', '[', '[z-a]', '[[:digit:]]', 'x' x 256;
entry('a tag that is no text', 'tag = 5;', '"rules.keep.tag" must be a text in quotes');
entry("newest = $_", "newest = $_;", '"rules.keep.newest" must be a whole number from 1 to ') for '0', '-1', '"10"', '1.5', '100000001', 'true';
entry("pushed = $_", "pushed = $_;", '"rules.keep.pushed" must be a duration in quotes such as "30d", from "1s"') for '"0"', '"30 days"', '"4000d"', '-1', 'true';
entry("pulled = $_", "pulled = $_;", '"rules.keep.pulled" must be a duration in quotes such as "14d", from "1h"') for '"0"', '"59m"', '"4000d"';
entry("platform = $_", "platform = $_;", '"rules.keep.platform" must be a platform in quotes') for '"linux"', '"linux/"', '"/arm64"', '"a/b/c/d"', '"a b/c"', '5';
entry("signed = $_", "signed = $_;", '"rules.keep.signed" must be true or false') for '"yes"', '1';
my $entries = join ', ', ('{ newest = 1; }') x 64;
is verb('show', "rules = ( { keep = ( $entries ); } );")->{status}, 0, '64 entries';
fault('65 entries', "rules = ( { keep = ( $entries,\n{ newest = 1; } ); } );", 2, '"rules.keep" may hold 64 entries');

# The other members
member("untagged = $_", "untagged = $_;", '"rules.untagged" must be a duration in quotes such as "7d"') for '"soon"', '-1', 'true', '"4000d"';
member("immutable = $_", "immutable = $_;", '"rules.immutable" must be a pattern of tags in quotes, or a list') for '5', 'true';
member("immutable = $_", "immutable = $_;", '"rules.immutable" is not a pattern of tags: it ') for '"a:b"', '[ "v*", "" ]';
member('immutable with a number', 'immutable = [ 5 ];', '"rules.immutable" must be a text in quotes');
my $patterns = join ', ', ('"v*"') x 65;
member('65 patterns', "immutable = [ $patterns ];", '"rules.immutable" may hold 64 patterns');
for my $name (qw(quota max_size)) {
	member("$name = $_", "$name = $_;", "\"rules.$name\" must be a size in quotes such as ") for '"50 GB"', '"much"', '-1', 'true', '"9223372036854775808"';
}
member("max_manifest = $_", "max_manifest = $_;", '"rules.max_manifest" must be a size in quotes such as "4 MiB", from 1 KiB to 64 MiB') for '"0"', '"65 MiB"', '"x"';
member("max_tags = $_", "max_tags = $_;", '"rules.max_tags" must be a whole number from 0 to ') for '-1', '"5"', '1.5', '100000001';
member("sparse = $_", "sparse = $_;", '"rules.sparse" must be "refuse", "index" or "all"') for '"none"', 'true';
for my $name (qw(delete readonly)) {
	member("$name = $_", "$name = $_;", "\"rules.$name\" must be true or false") for '"yes"', '1';
}
fault("undo = $_", "undo = $_;", 1, '"undo" must be a duration in quotes') for '"a day"', '-1';
fault('rules_delay', 'rules_delay = "soon";', 1, '"rules_delay" must be a duration in quotes');

my $r = verb('show', "rules = (\n{ repo = \"\"; max_tag = 1; },\n{ keep = ( { newest = 0; } ); quota = \"x\"; } );");
is scalar(() = $r->{err} =~ /^\Q$file\E:[23]: /mg), 4, 'all faults are said at once';

# What is shown
my $text = <<'END';
rules = (
	{ repo = "release/**"; immutable = "*"; },
	{ repo = "ci/**"; keep = ( { tag = "v*"; }, { newest = 10; }, { pushed = "30d"; pulled = 7200; platform = "linux/arm64"; signed = false; } ); untagged = "7d"; },
	{ repo = "all"; keep = ( ); immutable = ""; quota = "50 GiB"; max_tags = 0; max_size = 4096; max_manifest = "1 MiB"; sparse = "all"; delete = true; readonly = false; },
	{ immutable = [ "v[0-9]*", "stable" ]; }
);
undo = "24h";
rules_delay = "0";
END
my $shown = 'rules = ( { repo = "release/**"; immutable = [ "*" ]; }, { repo = "ci/**"; keep = ( { tag = "v*"; }, { newest = 10; }, ' .
	'{ pushed = "2592000s"; pulled = "7200s"; platform = "linux/arm64"; signed = false; } ); untagged = "604800s"; }, ' .
	'{ repo = "all"; keep = ( ); immutable = [ ]; quota = "53687091200"; max_tags = 0; max_size = "4096"; max_manifest = "1048576"; ' .
	'sparse = "all"; delete = true; readonly = false; }, { repo = "**"; immutable = [ "v[0-9]*", "stable" ]; } )';
$r = verb('show', $text);
is $r->{status}, 0, 'rules without faults';
my ($line) = $r->{out} =~ /^(rules = .*)$/m;
is $line, $shown, '`berth config show` shows them as they are in force';
like $r->{out}, qr/^undo = 86400$/m, 'and undo';
like $r->{out}, qr/^rules_delay = 0$/m, 'and rules_delay';
my ($again) = verb('show', "$line;")->{out} =~ /^(rules = .*)$/m;
is $again, $shown, 'what is shown is a list that a file may have';
like verb('show --origin', "\n$text")->{out}, qr/^\Q$shown\E\t\Q$file\E:2$/m, '--origin names the line';
is verb('given', $text)->{out}, "undo\nrules_delay\nrules\n", '`berth config given` names them';
like verb('show', 'rules = ( );')->{out}, qr/^rules = \( \)$/m, 'no rules';
like verb('show', '')->{out}, qr/^rules = $/m, 'and no list';

# What cannot be meant. warned(rules, [line, what] ...): these warnings, in this order, and no others
sub warned
{
	my ($title, $rules, @want) = @_;
	my $r = verb('check', "rules = (\n$rules\n);\n");
	my @got = split /\n/, $r->{err};

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $good = $r->{status} == 0 && @got == @want;
	$good &&= $got[$_] =~ /\Aberth: warning: \Q$file\E:$want[$_][0]: $want[$_][1]/ for 0 .. $#want;
	ok $good, $title or diag $r->{err};
	return;
}
my $never = sub { return qr/"$_[0]" never counts: for all that ".*" matches, the rule on line $_[1] says it first$/ };
warned('nothing is wrong with this', '{ repo = "ci/**"; immutable = "*"; }, { repo = "ci/app"; max_tags = 4; },
	{ repo = "*/app"; keep = ( { newest = 3; } ); }, { repo = "x/**"; keep = ( { tag = "v*"; }, { tag = "a*"; newest = 3; }, { newest = 2; } ); }');
warned('a rule behind one for everything', "{ repo = \"**\"; max_tags = 3; },\n{ repo = \"ci/**\"; max_tags = 5; quota = 3; }", [3, $never->('max_tags', 2)]);
warned('a rule behind one of the same pattern', "{ repo = \"a/*\"; quota = 3; readonly = true; },\n{ repo = \"a/*\"; quota = 4; readonly = false; }", [3, $never->('quota', 2)], [3, $never->('readonly', 2)]);
warned('a rule before one for everything', "{ repo = \"ci/**\"; max_tags = 5; },\n{ repo = \"**\"; max_tags = 3; }");
warned('patterns that only overlap', "{ repo = \"*/app\"; max_tags = 5; },\n{ repo = \"ci/*\"; max_tags = 3; }");
warned('the quota of what lies in a group', "{ repo = \"team/*\"; quota = 5; },\n{ repo = \"team/red/app\"; quota = 3; },\n{ repo = \"team/**\"; quota = 8; }", [3, $never->('quota', 2)]);
warned('the quota of all', "{ repo = \"**\"; quota = 5; },\n{ repo = \"a/**\"; quota = 3; }", [3, $never->('quota', 2)]);
my $anyway = sub { return qr/this entry of "keep" keeps no tag that the one on line $_[0] does not keep anyway$/ };
warned('an entry beside a wider one', "{ keep = (\n{ tag = \"v1*\"; },\n{ tag = \"v*\"; } ); }", [3, $anyway->(4)]);
warned('an entry beside one for every tag', "{ keep = (\n{ tag = \"*\"; },\n{ newest = 3; } ); }", [4, $anyway->(3)]);
warned('an entry that stands there twice', "{ keep = (\n{ newest = 3; },\n{ newest = 3; } ); }", [4, $anyway->(3)]);
warned('fewer of the newest', "{ keep = (\n{ newest = 3; },\n{ newest = 5; } ); }", [3, $anyway->(4)]);
warned('the newest of others', "{ keep = (\n{ tag = \"a*\"; newest = 3; },\n{ newest = 5; } ); }");
warned('a shorter time', "{ keep = (\n{ pushed = \"1d\"; signed = true; },\n{ pushed = \"2d\"; } ); }", [3, $anyway->(4)]);
warned('times of two kinds', "{ keep = (\n{ pushed = \"1d\"; },\n{ pulled = \"2d\"; },\n{ pushed = \"1d\"; signed = true; pulled = \"3d\"; } ); }", [5, $anyway->(3)]);
warned('platforms', "{ keep = (\n{ platform = \"linux/arm64\"; },\n{ platform = \"linux/amd64\"; newest = 3; } ); }");
my $stay = sub { return qr/"keep" lets tags "\Q$_[0]\E" go, but by the rule on line $_[1] they are immutable and stay; add \{ tag = "\Q$_[0]\E"; \} to "keep"$/ };
warned('immutable tags that are not kept', "{ repo = \"ci/**\"; keep = ( { newest = 3; } ); immutable = \"v*\"; }", [2, $stay->('v*', 2)]);
warned('by another rule', "{ repo = \"ci/**\"; keep = ( { newest = 3; }, { tag = \"s*\"; } ); },\n{ immutable = [ \"v*\", \"stable\" ]; }", [2, $stay->('v*', 3)]);
warned('those that are kept', "{ repo = \"ci/**\"; keep = ( { tag = \"v*\"; }, { newest = 3; } ); },\n{ immutable = \"v[0-9]*\"; }");
warned('newest beside max_tags', "{ max_tags = 5;\nkeep = ( { newest = 10; }, { newest = 3; tag = \"a*\"; } ); }", [3, qr/"newest" is 10, but by the rule on line 2 a repository has at most 5 tags: none goes, and pushes are refused$/]);
warned('less than max_tags', '{ max_tags = 5; keep = ( { newest = 4; } ); }');
warned('keep where nothing is written', "{ repo = \"a/b\"; keep = ( ); untagged = \"1d\"; },\n{ repo = \"a/*\"; readonly = true; }",
	map { [2, qr/"$_" deletes nothing: by the rule on line 3 the repositories are read-only$/] } 'keep', 'untagged');
warned('a manifest bigger than any may be', '{ max_manifest = "8 MiB"; }', [2, qr/"max_manifest" is more than "manifests.max_size", 4194304 bytes, which is the limit then$/]);
like verb('check', "readonly = true; rules = ( { readonly = false; } );")->{err}, qr/1: "readonly" is false, but the whole registry is read-only, which no rule changes$/m, 'no rule lifts readonly';
is verb('check', slurp(source_dir() . '/doc/RULES.md') =~ /^```\n(rules = .*?)```/ms ? $1 : 'none')->{err}, '', 'the example of doc/RULES.md has none of these';
is verb('show', 'rules = ( { max_tags = 3; }, { max_tags = 4; } );')->{err}, '', 'other commands than check do not warn';
done_testing;
