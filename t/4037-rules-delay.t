#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A rule that is new or changed deletes nothing for rules_delay: the log says what it would delete; the operator's word ends the delay.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Fcntl qw(:flock);
use JSON::PP ();
use Berth::Test;
use Berth::Check;
use Berth::GC;
use Berth::Rules;

need_program('strace');
my $now = time;
my $s = ruled_store('');
my $line = 0;

# rules_are - the configuration has these rules; image - an image of a repository, old
sub rules_are { my ($rules, $more) = @_; spew($s->config_file, "gc = { grace = \"0s\"; };\n" . ($more // '') . "rules = (\n$rules\n);\n"); return }
sub image { my ($repo, $tag) = @_; my $i = lay_image($s, $repo, $tag, "{\"of\":\"$repo $tag\"}", "layer of $repo $tag"); pushed_at($s, $repo, $tag, $now - 50 * DAY);
	revision_at($s, $repo, $i->{digest}, $now - 50 * DAY); return $i }

# collected - a collection with its log: the events `rules`
sub collected
{
	my $r = gc($s, '--log');

	fail("a collection: $r->{status} $r->{err}") if $r->{status};
	return grep { $_->{event} eq 'rules' } map { eval { JSON::PP->new->utf8->decode($_) } // () } split /\n/, $r->{err};
}
sub seen_days_ago { seen_at($s, time - $_[0] * DAY); return }

image('ci/app', "t$_") for 1 .. 3;
rules_are('{ repo = "ci/**"; keep = ( { newest = 1; } ); }');
my @log = collected();
is tags_on_disk($s, 'ci/app'), 't1 t2 t3', 'the first collection with a rule deletes nothing';
is scalar(@log), 1, '... but says so in the log';
is_deeply [@{ $log[0] }{qw(rule would_remove)}], [$s->config_file . ':3', 2], '... which rule would delete how many tags';
cmp_ok $log[0]{bytes}, '>', 100, '... how many bytes';
like $log[0]{from}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, '... and from when on it will';
is scalar(rules_files($s)), 1, 'it is written down that the rule was seen';
my $first = content_of((rules_files($s))[0]);
ok abs($first - time) < 600, '... when';
is scalar(collected()), 1, 'the next collection says it again';
is content_of((rules_files($s))[0]), $first, '... and the delay does not begin anew';
is tags_on_disk($s, 'ci/app'), 't1 t2 t3', '... nor is anything deleted';
seen_days_ago(1);
@log = collected();
is tags_on_disk($s, 'ci/app'), 't3', 'a day later it deletes';
is_deeply [map { $_->{removed} } @log], [2], '... and the log says how many';
is scalar(collected()), 0, 'when nothing is to be deleted it says nothing';

# --- changed
image('ci/app', "t$_") for 1 .. 3;
for my $change (['its entries', '{ repo = "ci/**"; keep = ( { newest = 2; } ); }'],
	['its pattern', '{ repo = "ci/*"; keep = ( { newest = 2; } ); }'],
	['a rule before it', '{ repo = "ci/b"; keep = ( { tag = "*"; } ); }, { repo = "ci/*"; keep = ( { newest = 2; } ); }'],
	['what is immutable', '{ repo = "ci/b"; keep = ( { tag = "*"; } ); }, { repo = "ci/*"; keep = ( { newest = 2; } ); }, { repo = "ci/**"; immutable = "v*"; }']) {
	my ($what, $rules) = @$change;
	rules_are($rules);
	collected();
	is tags_on_disk($s, 'ci/app'), 't1 t2 t3', "with $what changed the delay begins again";
	seen_days_ago(1);
}
# Above each change begins the delay; here the protection itself ends, of a rule that was seen long ago.
my $keep = '{ repo = "**"; untagged = "7d"; keep = ( { newest = 1; } ); }';
my $kept = image('frozen/app', 'lost');
unlink tag_link($s, 'frozen/app', 'lost') or die;
image('frozen/app', "t$_") for 1 .. 2;
rules_are("{ repo = \"frozen/**\"; readonly = true; }, { repo = \"ci/**\"; keep = ( { tag = \"*\"; } ); }, $keep");
collected();
seen_days_ago(1);
collected();
is tags_on_disk($s, 'frozen/app'), 't1 t2', 'where a rule says readonly nothing goes';
rules_are("{ repo = \"ci/**\"; keep = ( { tag = \"*\"; } ); }, $keep");
collected();
is tags_on_disk($s, 'frozen/app'), 't1 t2', '... and when no rule says it any more the delay begins';
ok -e revision_link($s, 'frozen/app', $kept->{digest}), '... of untagged, too';
seen_days_ago(1);
collected();
is tags_on_disk($s, 'frozen/app'), 't2', '... and ends';
ok !-e revision_link($s, 'frozen/app', $kept->{digest}), '... for both';
rules_are('{ repo = "ci/b"; keep = ( { tag = "*"; } ); }, { repo = "ci/*"; keep = ( { newest = 2; } ); }, { repo = "ci/**"; immutable = "v*"; }');
collected();
seen_days_ago(1);
rules_are('{ repo = "ci/b"; keep = ( { tag = "*"; } ); }, { repo = "ci/*"; keep = ( { newest = 2; } ); }, { repo = "ci/**"; immutable = "v*"; }, { repo = "**"; quota = "1 GiB"; }');
collected();
is tags_on_disk($s, 'ci/app'), 't2 t3', 'a change of something else does not matter';
is scalar(rules_files($s)), 2, 'of rules that are gone nothing is left';

# --- the operator's word
image('ci/app', "t$_") for 1 .. 3;
rules_are('{ repo = "ci/**"; keep = ( { tag = "t1"; } ); }');
rules_ok($s, qw(apply --dry-run), 'a dry run by hand');
is scalar(rules_files($s)), 2, '... is no word: it writes nothing down';
rules_ok($s, qw(apply --repo ci/x), 'a run for other repositories');
collected();
is tags_on_disk($s, 'ci/app'), 't1 t2 t3', '... is none either';
rules_ok($s, qw(apply --repo ci/app), 'a run for this one');
is tags_on_disk($s, 'ci/app'), 't1', '... deletes at once';
image('ci/other', "t$_") for 1 .. 3;
is_deeply [map { $_->{would_remove} } collected()], [2], '... while the delay goes on for others';
rules_ok($s, 'apply', 'a run for all');
is tags_on_disk($s, 'ci/other'), 't1', '... deletes at once';
image('ci/other', "t$_") for 1 .. 3;
is_deeply [map { $_->{removed} } collected()], [2], '... and the delay is over for collections, too';

# --- a run that is broken off has neither said nor approved anything
image('z/app', "t$_") for 1 .. 2;
my $tags = data_dir($s) . '/repositories/z/app/_manifests/tags';
rules_are('{ repo = "z/*"; keep = ( { newest = 1; } ); }');
my @seen = rules_files($s);
for (['a collection', gc_cmd($s)], ['a run by hand', rules_cmd($s, 'apply')]) {
	my ($what, @cmd) = @$_;
	my $run = run('strace', '-qq', '-f', '-o', '/dev/null', '-P', $tags, '-e', 'trace=getdents64', '-e', 'inject=getdents64:error=EIO', @cmd);
	like $run->{err}, qr/cannot list/, "$what that fails";
	is_deeply [rules_files($s)], \@seen, '... leaves the new rule unseen';
}
is_deeply [map { $_->{would_remove} } collected()], [1], 'the next collection says what it would delete';
is tags_on_disk($s, 'z/app'), 't1 t2', '... and waits';
rules_are('{ repo = "z/*"; keep = ( { newest = 1; } ); untagged = "7d"; }');
collected();
rules_ok($s, 'apply', 'the operator\'s word');
is tags_on_disk($s, 'z/app'), 't2', '... deletes tags';
is join(' ', map { m{/([a-z]+)-[^/]*\z} && content_of($_) > 0 ? "$1 waits" : () } rules_files($s)), 'untagged waits', '... and says nothing of untagged';

# --- rules_delay, untagged
rules_are('{ repo = "ci/**"; keep = ( { tag = "t2"; } ); }', "rules_delay = \"0s\";\n");
image('ci/other', 't2');
collected();
is tags_on_disk($s, 'ci/other'), 't2', 'with rules_delay = "0s" nothing waits';
my $i = image('un/app', 'a');
unlink tag_link($s, 'un/app', 'a');
rules_are('{ repo = "un/*"; untagged = "7d"; }');
is_deeply [map { $_->{member} } collected()], ['untagged'], 'a new rule of untagged is told in the log';
ok -e revision_link($s, 'un/app', $i->{digest}), '... and deletes nothing either';
gc_ok($s, '--untagged', 'a collection that is told to remove what has no tag');
ok -e revision_link($s, 'un/app', $i->{digest}), '... leaves it where a rule says when, since that one waits';
seen_days_ago(1);
my $young = image('un/app', 'b');
unlink tag_link($s, 'un/app', 'b');
revision_at($s, 'un/app', $young->{digest}, time - 6 * DAY);
like gc_ok($s, '--dry-run', 'a dry run of a collection')->{out}, qr/^manifest un\/app \Q$i->{digest}\E/m, '... says a day later what would go';
collected();
ok !-e revision_link($s, 'un/app', $i->{digest}), '... and it goes';
ok -e revision_link($s, 'un/app', $young->{digest}), '... but not what was pushed within the time of the rule';

# --- the clock
rules_are('{ repo = "**"; keep = (); }', "rules_delay = \"0s\";\n");
image('ci/clock', 'a');
spew($s->root . '/berth/rules/last', (time + 5000) . " 0 0\n");
my $r = rules_ok($s, 'apply', 'a run while the clock is behind the last one');
is tags_on_disk($s, 'ci/clock'), 'a', '... deletes nothing';
like $r->{out}, qr/stay since the clock is behind/, '... and says why';
is_deeply [map { [$_->{level}, $_->{removed}, $_->{behind} > 0] } collected()], [['warn', 0, 1]], '... as the log does';
cmp_ok last_run($s), '>', time + 1000, '... does not go back';
rules_are('{ repo = "other/*"; keep = (); }');
collected();
cmp_ok content_of((rules_files($s))[0]), '>', time + 1000, '... nor is a new rule seen before that';
rules_are('{ repo = "**"; keep = (); }', "rules_delay = \"0s\";\n");
unlink $s->root . '/berth/rules/last';
image('ci/ahead', 'b');
image('ci/ahead', 'c');
pushed_at($s, 'ci/ahead', 'b', time + 5000);
rules_ok($s, 'apply', 'without that');
is tags_on_disk($s, 'ci/ahead'), 'b c', '... nothing of a repository goes where the clock is behind a push';
is tags_on_disk($s, 'ci/clock'), '', '... but of others';

# --- one at a time, and damage
open my $lock, '>', $s->root . '/berth/locks/rules' or die;
flock $lock, LOCK_EX or die;
$r = rules($s, 'apply');
is $r->{status}, 1, 'a second run at the same time ends';
like $r->{err}, qr/^berth: another process is applying the rules.*; try again/, '... and says why';
is stays_of($s, 'ci/ahead'), 'b c', 'a dry run does not mind';
gc_ok($s, 'a collection goes on without the rules');
close $lock;
spew($_, 'no number') for rules_files($s);
spew($s->root . '/berth/rules/last', "\0\0\0");
image('ci/damage', 'a');
pushed_at($s, 'ci/ahead', 'b', time - DAY);
rules_are('{ repo = "**"; keep = (); }');
is_deeply [map { $_->{would_remove} > 0 } collected()], [1], 'a damaged file of a rule begins the delay again';
done_testing;
