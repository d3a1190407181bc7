#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# `berth rules explain`: each rule that applies to a repository or a tag, in words, with its file and line.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::GC;
use Berth::Repo;

my $s = Berth::Server->start(config => <<'END');
rules = (
	{ repo = "ci/**";
		keep = (
			{ tag = "v*"; },
			{ newest = 2; },
			{ pushed = "30d"; }
		);
		untagged = "7d"; max_tags = 5; },
	{ repo = "team/*"; quota = "50 GiB"; },
	{ repo = "ci/app"; max_size = 1000; max_manifest = "1 MiB"; sparse = "index"; delete = true; readonly = false; },
	{ repo = "none/**"; keep = ( ); immutable = ""; max_tags = 0; max_size = 0; delete = false; readonly = true; sparse = "all"; },
	{ immutable = [ "v[0-9]*", "stable" ]; }
);
END
my ($file) = $s->config_file =~ /([^\/]+)\z/;
my %digest = map { ($_ => ($s->push_image('ci/app', $_, layers => [$_]))[0]) } qw(v1 build-1 build-2 build-3);
$s->push_image('other', 'v1', layers => ['x']);

# The lines without the directory of the file.
sub said { my ($what, @more) = @_; my $r = berth_ok($s, 'rules', 'explain', $what, @more, "explain $what @more"); return $r->{out} =~ s{/\S*/(?=\Q$file\E)}{}gr }
my $out = said('ci/app');
is $out, <<"END", 'a repository: every rule that applies';
rules for ci/app:
  $file:2: keep: a tag stays if one of these entries keeps it; the others go
  $file:4: keep: tag "v*"
  $file:5: keep: newest 2
  $file:6: keep: pushed within 30d
  $file:2: untagged: a manifest without a tag that nothing keeps goes after 7d
  $file:12: immutable: tags "v[0-9]*", "stable" can be neither moved nor deleted
  $file:2: max_tags: at most 5 tags; it has 4, and room for 1
  $file:10: max_size: a blob has at most 1000 bytes
  $file:10: max_manifest: a manifest has at most 1048576 bytes
  $file:10: sparse: an index may lack its children
  $file:10: delete: clients may delete
  $file:10: readonly: it can be written to
END
is said('none/x'), <<"END", 'one that is not there, and rules that say "none"';
rules for none/x, which is not there:
  $file:11: keep: every tag goes
  $file:11: immutable: no tag is immutable
  $file:11: max_tags: any number of tags
  $file:11: max_size: a blob has any size
  $file:11: sparse: a manifest may name anything
  $file:11: delete: no client may delete anything
  $file:11: readonly: nothing can be written
END
is said('other'), <<"END", 'one without keep';
rules for other:
  keep: no rule says it, so no tag goes
  $file:12: immutable: tags "v[0-9]*", "stable" can be neither moved nor deleted
END
$s->push_blob('team/red/app', 'x' x 1000);
like $out = said('team/red/app'), qr/^  \Q$file\E:9: quota: team\/red and what is below it may have 53687091200 bytes; (\d+) are used, and (\d+) left$/m, 'the quota of a group, with its name';
is_deeply [$out =~ /; (\d+) are used, and (\d+) left$/m], [1000, 53687091200 - 1000], 'and how much is left';

# Tags
my $day = qr/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/;
like $out = said('ci/app:v1'), qr/\Aci\/app:v1 is \Q$digest{v1}\E, pushed $day, no pull is known\n  it can be neither moved nor deleted: \Q$file\E:12 makes it immutable\n  kept /, 'an immutable tag';
like $out, qr/^rules for ci\/app:\n  \Q$file\E:2: keep: /m, 'the rules of its repository follow';
like said('ci/app:build-3'), qr/^  it can be moved and deleted: no rule makes it immutable\n  kept by \Q$file\E:5: newest 2$/m, 'a tag that an entry keeps';
like said('ci/app:build-1'), qr/^  kept by \Q$file\E:6: pushed within 30d\n  until $day, if nothing is pushed or pulled until then$/m, 'one that time alone lets go, and when';
like said('other:v1'), qr/^  kept because no rule says what to keep$/m, 'one of a repository without keep';
lay_image($s, 'none/old', 'v1', '{}', 'old');
like said('none/old:v1'), qr/^  kept because the repository is read-only \(\Q$file\E:11\)$/m, 'one that stays since nothing can be written there, with the rule';
my $r = berth($s, 'rules', 'explain', 'ci/app:v9');
is $r->{status}, 1, 'a tag that is not there ends with 1';
is $r->{err}, "berth: ci/app has no tag v9; one of this name would be immutable\n", 'and what would hold for it is said';
is berth($s, 'rules', 'explain', 'ci/app:x')->{err}, "berth: ci/app has no tag x\n", 'which here is nothing';

# As JSON
my @o = objects_of(berth_ok($s, 'rules', 'explain', '--json', 'ci/app:build-1', 'as JSON'));
is_deeply [@{ $o[0] }{qw(kind repository tag digest)}], ['tag', 'ci/app', 'build-1', $digest{'build-1'}], 'the tag';
ok !$o[0]{immutable} && $o[0]{stays} && $o[0]{until} =~ /\A$day\z/ && $o[0]{why} =~ /^kept by .*:6: pushed within 30d$/, 'and what holds for it';
is_deeply [map { "$_->{kind} $_->{member} " . ($_->{rule} =~ /:(\d+)\z/)[0] } @o[1 .. $#o]],
	[map { "rule $_" } 'keep 2', 'keep 4', 'keep 5', 'keep 6', 'untagged 2', 'immutable 12', 'max_tags 2', 'max_size 10', 'max_manifest 10', 'sparse 10', 'delete 10', 'readonly 10'],
	'the rules, each with its place';
@o = objects_of(berth_ok($s, 'rules', 'explain', 'other', '--json', 'as JSON'));
is_deeply $o[0], { kind => 'rule', repository => 'other', member => 'keep', rule => undef, text => 'no rule says it, so no tag goes' }, 'what no rule says has no place';

# Used wrongly
berth_says($s, ['rules', 'explain', @$_], 2, qr/^usage: berth/m, "used wrongly: rules explain @$_") for [], ['a', 'b'], ['--other', 'a'];
berth_says($s, ['rules', 'explain', @$_], 2, qr/is not a valid /, "no name: @$_") for ['Upper'], ['a:'], ['a:b:c'], [':x'], ['a@sha256:' . 'a' x 64], ["a:\n"];
done_testing;
