#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What is deleted or moved is remembered for as long as `undo` says: a collection keeps exactly that, and it can be brought back, whole or not at all.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Events;
use Berth::GC;
use Berth::Repo;
use Berth::Undo;

my $DAY = 24 * 3600;
my $CONFIG = "delete = true;\nfsync = \"off\";\njournal = { enabled = true; };\nmanifests = { sparse = \"refuse\"; };\n";
my $s = Berth::Server->start(config => $CONFIG . "undo = \"1d\";\n", workers => 2);

# An image of its own config and layer: { d, m, parts }; with a subject, it refers to that
sub image {
	my ($repo, $ref, $what, $subject) = @_;
	my @parts = (qq({"of":"$what"}), "layer of $what");
	$s->push_blob($repo, $_) for @parts;
	my $m = image_of(OCI_MANIFEST, @parts);
	$m =~ s/\}\z/',"subject":' . desc(OCI_MANIFEST, $subject->{m}) . '}'/e if $subject;
	my $i = { m => $m, d => sha256($m), parts => [@parts] };
	put($repo, $ref // $i->{d}, $i);
	return $i;
}

sub put {
	my ($repo, $ref, $i) = @_;
	my $r = $s->push_manifest($repo, $ref, $i->{m}, $i->{type} // OCI_MANIFEST);
	die $r->as_string if $r->status != 201;
	return;
}

sub index_put {
	my ($repo, $ref, @children) = @_;
	my $i = { m => index_of(OCI_INDEX, map { desc($_->{type} // OCI_MANIFEST, $_->{m}) } @children), type => OCI_INDEX, parts => [] };
	$i->{d} = sha256($i->{m});
	put($repo, $ref // $i->{d}, $i);
	return $i;
}

sub delete_ok { my ($repo, $ref) = @_; my $r = $s->req('DELETE', "/v2/$repo/manifests/$ref"); die $r->as_string if $r->status != 202; return }
sub tag_is { my ($repo, $tag) = @_; return content_of(tag_link($s, $repo, $tag)) // 'none' }

# whole - whether clients get an image with all its parts; else what they lack
sub whole {
	my ($repo, $ref, $i) = @_;
	my $r = $s->req('GET', "/v2/$repo/manifests/$ref");
	return "manifest: " . $r->status if $r->status != 200 || $r->body ne $i->{m};
	return join ' ', map { $s->req('GET', "/v2/$repo/blobs/" . sha256($_))->body eq $_ ? () : $_ } @{ $i->{parts} };
}

# what a collection without grace leaves of content
sub collect {
	my ($title, @keep) = @_;
	make_old($s, 3600);
	gc_ok($s, '--untagged', '--grace', '0s', "$title: a collection without grace");
	my @want = sort keys %{ { map { $_ => 1 } map { ($_->{d}, map { sha256($_) } @{ $_->{parts} }) } @keep } };
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is_deeply(blobs_on_disk($s), \@want, "$title: exactly that stays");
}

sub deleted { my ($repo) = @_; return join ', ', map { join ' ', ($_->{tag} // '-'), $_->{digest}, $_->{kind} } objects_of(berth($s, 'tag', 'deleted', $repo, '--json')) }

# --- what is kept, and for how long ---------------------------------------------------------------------
my $other = image('other', 'v1', 'the other repository');
my $stays = image('app', 'v1', 'what stays');
my $untagged = image('app', undef, 'what never had a tag');
my $tagged = image('app', 'gone', 'a tag that goes');
my $moved = image('app', 'latest', 'what latest was');
my $latest = image('app', 'latest', 'what latest is');
my $twice = image('app', 'a', 'two tags');
put('app', 'b', $twice);
my $by_digest = image('app', undef, 'a manifest without a tag that goes');
my @child = map { image('app', undef, "child $_") } 1, 2;
my $inner = index_put('app', undef, $child[1]);
my $index = index_put('app', 'multi', $child[0], $inner);
my $signature = image('app', undef, 'signature of the first child', $child[0]);
my $sbom = image('app', undef, 'sbom of the image with a tag that goes', $tagged);
is_deeply [map { (split /\./)[1] =~ /^(.)/ } marks_of($s, 'app')], ['m'], 'a tag that moved is remembered, and no push';
delete_ok('app', $_) for 'gone', $twice->{d}, $by_digest->{d}, $index->{d}, $inner->{d}, $child[1]{d};

is deleted('app'), join(', ', "latest $moved->{d} moved", "gone $tagged->{d} deleted", "a $twice->{d} deleted", "b $twice->{d} deleted", "- $by_digest->{d} deleted",
	"multi $index->{d} deleted", "- $inner->{d} deleted", "- $child[1]{d} deleted"), 'everything that went is listed, in its order';
like berth_ok($s, 'tag', 'deleted', 'app', 'and for people')->{out}, qr/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ latest \Q$moved->{d}\E moved\n/, 'with the time';
is berth_ok($s, 'tag', 'deleted', 'other', 'another repository')->{out}, '', 'has lost nothing';
is $s->req('GET', "/v2/app/manifests/$_->{d}")->status, 404, 'what was deleted is gone for clients' for $twice, $by_digest, $index;

my @all = ($other, $stays, $tagged, $moved, $latest, $twice, $by_digest, @child, $inner, $index, $signature, $sbom);
collect('while it is remembered', @all);
my @links = @{ links_on_disk($s) };
is scalar(grep { my $l = $_; grep { $l eq 'app ' . sha256($_) } map { @{ $_->{parts} } } @all } @links), 2 * 11 - 2 * 1, 'also the links of blobs' or diag("@links");
age_marks($s, 'app', $DAY - 1200);
collect('twenty minutes before its end', @all);

# brought back
berth_ok($s, 'tag', 'restore', 'app:gone', 'a tag is brought back');
is tag_is('app', 'gone'), $tagged->{d}, 'and points where it did';
is whole('app', 'gone', $tagged), '', 'its image is whole';
like berth_ok($s, 'tag', 'restore', 'app:multi', 'an index is brought back')->{out}, qr/^app:multi points to \Q$index->{d}\E$/, 'which is said';
is join('', map { whole('app', @$_) } ['multi', $index], [$inner->{d}, $inner], map { [$_->{d}, $_] } @child), '', 'with what was deleted below it, at any depth';
is refers_to($s, 'app', $child[0]{d}), $signature->{d}, 'what refers to it is there';
berth_ok($s, 'tag', 'restore', "app:a\@$twice->{d}", 'a tag of a manifest that was deleted, by its digest');
is whole('app', 'a', $twice) . tag_is('app', 'b'), 'none', 'is whole, and the other tag is not brought back by that';
berth_ok($s, 'tag', 'restore', "app\@$by_digest->{d}", 'a manifest that had no tag');
is whole('app', $by_digest->{d}, $by_digest), '', 'is there again';
berth_ok($s, 'tag', 'restore', "app:new\@$twice->{d}", 'under another tag');
is whole('app', 'new', $twice), '', 'it is whole as well';
berth_ok($s, 'tag', 'restore', 'app:latest', 'a tag that moved');
is whole('app', 'latest', $moved), '', 'points to what it did before';
is deleted('app'), "b $twice->{d} deleted, latest $latest->{d} moved", 'what it pointed to is remembered in turn; what is back is not listed';
berth_ok($s, 'tag', 'restore', 'app:latest', 'a restore is undone by another one');
is tag_is('app', 'latest'), $latest->{d}, 'it points there again';
is journal_fault($s), '', 'the journal tells what the store has become';
is join(' ', map { $_->{action} } grep { ($_->{tag} // '') eq 'latest' } events($s)), 'push move move move', 'a restore is a push, or a move';
is join(' ', fsck_kinds($s)), '', 'fsck finds nothing wrong';

# over
delete_ok('app', 'gone');
delete_ok('app', $_->{d}) for $index, $by_digest;
age_marks($s, 'app', $DAY + 60);
collect('when undo has passed', $other, $stays, $latest, $twice);
is_deeply [marks_of($s, 'app')], [], 'the marks are gone, too';
berth_says($s, ['tag', 'restore', $_], 1, qr/^berth: nothing is remembered of .*`berth tag deleted` lists what is$/, "there is nothing to bring back: $_") for 'app:gone', "app\@$index->{d}", "app:gone\@$tagged->{d}", 'app:never';

# --- the grace period begins when undo is over ---------------------------------------------------------
my $graced = image('app', 'once', 'within the grace period');
delete_ok('app', $graced->{d});
age_marks($s, 'app', $DAY + 1800);
make_old($s, 10 * $DAY);
gc_ok($s, '--untagged', '--grace', '1h', 'a collection with a grace period');
ok -e blob_file($s, $graced->{d}), 'that has not passed since undo ended keeps what is remembered';
age_marks($s, 'app', 1900);
gc_ok($s, '--untagged', '--grace', '1h', 'when it has passed');
ok !-e blob_file($s, $graced->{d}), 'it goes';

# --- the present setting counts ------------------------------------------------------------------------
my $later = image('app', 'later', 'undo is made longer');
delete_ok('app', $later->{d});
age_marks($s, 'app', 2 * $DAY);
my $base = slurp($s->config_file);
spew($s->config_file, $base =~ s/undo = "1d"/undo = "3d"/r);
collect('with a longer undo', $other, $stays, $latest, $twice, $later);
spew($s->config_file, $base =~ s/undo = "1d"/undo = "0"/r);
make_old($s, 3600);
is scalar(gc_told(gc_ok($s, '--dry-run', '--json', '--untagged', '--grace', '0s', 'a dry run with undo off'))), 3 + 2, 'would take it';
is scalar(marks_of($s, 'app')), 1, 'and takes no mark';
delete_ok('other', 'v1');
is scalar(marks_of($s, 'other')), 1, 'the workers still have the old setting';
run('rm', '-r', $s->root . '/berth/undo/other');
put('other', 'v1', $other);
spew($s->config_file, $base);
age_marks($s, 'app', -$DAY - 3600);
collect('as long as before', $other, $stays, $latest, $twice, $later);

# --- all or nothing ------------------------------------------------------------------------------------
my @half = (image('half', 'v1', 'half'), image('half', undef, 'half a child'));
my $half = index_put('half', 'multi', @half);
delete_ok('half', $_->{d}) for $half, @half;
is $s->req('DELETE', '/v2/half/blobs/' . sha256($half[1]{parts}[1]))->status, 202, 'a layer is deleted by a client';
my $before = join "\n", files_below(data_dir($s) . '/repositories/half');
berth_says($s, ['tag', 'restore', 'half:multi'], 1, qr/^berth: \Q@{[sha256($half[1]{parts}[1])]}\E is gone, which \Q$half[1]{d}\E needs$/, 'an index of which a part is gone is refused');
is join("\n", files_below(data_dir($s) . '/repositories/half')), $before, 'and nothing of it is brought back';
berth_ok($s, 'tag', 'restore', 'half:v1', 'what is whole is brought back');
my $link = blob_file($s, $half[1]{d});
my $bytes = slurp($link);
$s->push_blob('half', $half[1]{parts}[1]);
spew($link, $bytes =~ s/layers/Layers/r);
berth_says($s, ['tag', 'restore', 'half:multi'], 1, qr/^berth: the bytes of \Q$half[1]{d}\E are corrupt$/, 'corrupt content is refused');
spew($link, $bytes);
berth_ok($s, 'tag', 'restore', 'half:multi', 'when all is there again it is brought back');
is join(' ', whole('half', 'multi', $half), map { whole('half', $_->{d}, $_) } @half), '  ', 'whole';

# content of another repository does not become one's own
{
	my $private = image('private', 'v1', 'a secret');
	my $sparse = Berth::Server->start(root => $s->root, config => $CONFIG =~ s/"refuse"/"all"/r . "undo = \"1d\";\n", workers => 1);
	my $trick = index_of(OCI_INDEX, desc(OCI_MANIFEST, $private->{m}));
	is $sparse->push_manifest('mine', 'trick', $trick, OCI_INDEX)->status, 201, 'an index names a manifest that only another repository has';
	is $sparse->req('DELETE', '/v2/mine/manifests/' . sha256($trick))->status, 202, 'and is deleted';
	is run(program('berth'), '--config', $sparse->config_file, '--root', $s->root, 'tag', 'restore', 'mine:trick')->{status}, 0, 'and brought back';
	is $sparse->req('GET', '/v2/mine/manifests/' . sha256($trick))->status, 200, 'as it was';
	is $sparse->req('GET', "/v2/mine/manifests/$private->{d}")->status, 404, 'without what it has never had';
	$sparse->stop_workers;
	berth_ok($s, 'repo', 'rm', 'mine', 'private', 'both are removed');
}

# --- rules, and words ----------------------------------------------------------------------------------
my @version = map { image('rule', 'v1', "version $_") } 1, 2;
delete_ok('rule', 'v1');
image('rule', 'v2', 'the second tag');
delete_ok('rule', 'v2');
spew($s->config_file, $base . qq(rules = ( { repo = "rule"; immutable = "v*"; max_tags = 1; } );\n));
berth_ok($s, 'tag', 'restore', "rule:v1\@$version[0]{d}", 'an immutable tag that is gone can be created');
berth_says($s, ['tag', 'restore', "rule:v1\@$version[1]{d}"], 1, qr/^berth: .*immutable/, 'and not moved');
berth_says($s, ['tag', 'restore', 'rule:v2'], 1, qr/^berth: .*tags/, 'nor does max_tags let a second one in');
is tag_is('rule', 'v1') . tag_is('rule', 'v2'), $version[0]{d} . 'none', 'nothing has changed';
berth_ok($s, 'tag', 'restore', '--force', "rule:v1\@$version[1]{d}", 'with --force it is moved');
is tag_is('rule', 'v1'), $version[1]{d}, 'there';
berth_says($s, ['tag', 'rm', 'rule', 'v1'], 1, qr/^berth: .*immutable/, 'it is not removed');
berth_ok($s, 'tag', 'rm', '--force', 'rule', 'v1', 'but with --force');
spew($s->config_file, $base . qq(rules = ( { repo = "rule"; readonly = true; } );\n));
berth_says($s, ['tag', 'restore', 'rule:v1'], 1, qr/^berth: .*read-?only/, 'a repository that is read-only stays as it is');
spew($s->config_file, $base);
berth_says($s, ['tag', @$_], 1, qr/^berth: there is no repository none$/, "no such repository: @$_") for ['deleted', 'none'], ['restore', 'none:v1'];
berth_says($s, ['tag', @$_], 2, qr/^usage: berth/m, "used wrongly: @$_") for ['deleted'], ['restore'], ['deleted', 'a', 'b'], ['restore', 'a:b', 'c:d'], ['restore', '--json', 'a:b'], ['deleted', '--force', 'a'], ['list', '--force', 'a'];
berth_says($s, ['tag', 'restore', $_], 2, qr/is not a valid REPOSITORY:TAG\[\@DIGEST\], or REPOSITORY\@DIGEST$/, "not understood: $_")
	for 'app', 'App:v1', 'app:', 'app:-', "app:v1\@sha256:0", "app\@", ':v1', "\@$stays->{d}", 'app:v1:v2', '';
berth_says($s, ['tag', 'deleted', 'App'], 2, qr/is not a valid repository name$/, 'no name');

# --- quotas --------------------------------------------------------------------------------------------
{
	my $q = Berth::Server->start(config => "delete = true;\nfsync = \"off\";\nundo = \"1d\";\njournal = { enabled = true; };\nrules = ( { repo = \"team/*\"; quota = \"64 KiB\"; } );\n", workers => 1);
	my @big = map { image_of(OCI_MANIFEST, '{}', 'layer') =~ s/\}\z/',"annotations":{"text":"' . $_ x 40_000 . '"}}'/er } 'a', 'b';
	$q->push_blob('team/app', $_) for '{}', 'layer';
	is $q->push_manifest('team/app', 'v1', $big[0], OCI_MANIFEST)->status, 201, 'a manifest of more than half of a quota';
	is $q->req('DELETE', '/v2/team/app/manifests/' . sha256($big[0]))->status, 202, 'is deleted';
	is $q->push_manifest('team/app', 'v2', $big[1], OCI_MANIFEST)->status, 201, 'another one takes its place';
	my @command = (program('berth'), '--config', $q->config_file, '--root', $q->root, 'tag', 'restore', 'team/app:v1');
	my $r = run(@command);
	ok $r->{status} == 1 && $r->{err} =~ /^berth: .*quota/i, 'the first one does not fit any more' or diag("$r->{status} $r->{err}");
	is $q->req('GET', '/v2/team/app/manifests/' . sha256($big[0]))->status, 404, 'and is not brought back';
	is $q->req('DELETE', '/v2/team/app/manifests/' . sha256($big[1]))->status, 202, 'where there is room again';
	is run(@command)->{status}, 0, 'it is';
	is $q->req('GET', '/v2/team/app/manifests/v1')->body, $big[0], 'with its tag';

	# a repository that does not fit is not moved there, and nothing of it is found under the other name
	$q->push_blob('other/app', $_) for '{}', 'layer';
	is $q->push_manifest('other/app', 'v1', $_, OCI_MANIFEST)->status, 201, 'elsewhere a tag is moved' for $big[0], $big[1];
	for my $to ('team/there', 'team/app/there') {
		$q->push_blob('other/app/nested', '{}') if $to =~ /app/;        # then links are copied
		$r = run(@command[0 .. 4], 'repo', 'mv', 'other/app', $to);
		ok $r->{status} == 1 && $r->{err} =~ /^berth: .*quota/i, "$to: there is no room for the repository" or diag("$r->{status} $r->{err}");
		is $q->req('GET', '/v2/other/app/manifests/v1')->body, $big[1], '... which is where it was';
		unlike catalog_of($q), qr{(?<!\S)\Q$to\E(?!\S)}, '... the other name is not in the catalog';
		is_deeply [marks_of($q, $to)], [], '... and has no marks';
		$q->push_blob($to, '{}');
		my @lists = map { run(@command[0 .. 4], 'tag', 'deleted', $_)->{out} } $to, 'other/app';
		is $lists[0], '', '... a repository that is made there has lost nothing';
		like $lists[1], qr/ v1 \S+ moved$/m, '... while what is remembered of the other one still is';
	}
	is_deeply [grep { $_->{action} eq 'rename' } events($q)], [], 'the journal tells of no rename';
	$q->stop_workers;
}

# --- odd entries ---------------------------------------------------------------------------------------
{
	my $undo = $s->root . '/berth/undo';
	my ($mark) = marks_of($s, 'rule');
	spew("$undo/app/_marks/notes.txt", 'x');
	mkdir "$undo/app/_marks/$mark" or die;
	symlink '/etc/passwd', "$undo/app/_marks/" . $mark =~ s/\A..../0001/r or die;
	spew("$undo/file", '');
	mkdir "$undo/$_" or die for '_odd', 'gone', 'gone/repository', 'gone/repository/_marks';
	spew("$undo/gone/repository/_marks/$mark", '');
	my @want = map { "leftover berth/undo/$_" } '_odd', "app/_marks/" . $mark =~ s/\A..../0001/r, "app/_marks/$mark", 'app/_marks/notes.txt', 'file', 'gone/repository/_marks';
	is_deeply [sort(fsck_kinds($s))], \@want, 'fsck names what is of no use';
	gc_ok($s, '--untagged', 'a collection goes on beside all that');
	is berth($s, 'fsck', '--repair')->{status}, 1, 'fsck --repair has found something';
	is join(' ', fsck_kinds($s)), '', 'and removes it';
	run('rm', '-r', "$undo/app");
	spew("$undo/app", 'in the way');
	my $back = image('app', 'way', 'behind a file');
	delete_ok('app', 'way');
	is scalar(marks_of($s, 'app')), 1, 'a file in place of the directory gives way';
	is deleted('app'), "way $back->{d} deleted", 'so that the next mark is written';
	delete_ok('app', $back->{d});
}

# --- whole repositories --------------------------------------------------------------------------------
image('from', 'v2', 'what stays in it');
image('from/below', 'v1', 'a nested one');
my $goes = image('from', 'v1', 'goes with its repository');
delete_ok('from', $goes->{d});
delete_ok('from/below', 'v1');
berth_ok($s, 'repo', 'mv', 'from', 'to', 'a repository is renamed');
is_deeply [scalar(marks_of($s, 'from')), scalar(marks_of($s, 'to')), scalar(marks_of($s, 'from/below'))], [0, 1, 1], 'what it remembers goes with it, and that of a nested one stays';
make_old($s, 3600);
gc_ok($s, '--untagged', '--grace', '0s', 'a collection');
berth_ok($s, 'tag', 'restore', 'to:v1', 'and what was deleted before is brought back under the new name');
is whole('to', 'v1', $goes), '', 'whole';
delete_ok('to', 'v1');
berth_ok($s, 'repo', 'rm', 'to', 'a repository is removed');
is_deeply [marks_of($s, 'to')], [], 'with all that it remembered';
is leftovers($s), '', 'nothing is left in the trash';
is join(' ', fsck_kinds($s)), '', 'fsck finds nothing wrong';
ok !(grep { ($_->{status} // 0) >= 500 } $s->log_events), 'no request ended with 5xx';
done_testing;
