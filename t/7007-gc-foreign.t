#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# berth gc over what other registries, and crashes, leave in a store; and over a store that cannot be read.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path);
use Berth::Test;
use Berth::Check;
use Berth::GC;

my $DAY = 24 * 3600;

# manifests that are odd, and one that can't be read
{
	my $s = bare_store();
	my $good = lay_image($s, 'good/app', 'v1', '{"good":1}', 'a good layer');
	my $d = lay_blob($s, $_, "content of $_") for qw(bad/json bad/array bad/large good/app);
	my %kept = map { ("$_ " . sha256("content of $_") => 1) } qw(bad/json bad/array bad/large);
	my @bad = (lay_manifest($s, 'bad/json', '{"schemaVersion":2,"layers":[', 'v1'), lay_manifest($s, 'bad/array', '["no manifest"]', 'v1'),
		lay_manifest($s, 'bad/large', '{"layers":[]' . ' ' x (5 << 20) . '}', 'v1'));
	lay_blob($s, 'old/schema1', $_) for 'schema 1, first', 'schema 1, second', 'nothing of schema 1';
	my $one = lay_manifest($s, 'old/schema1', sprintf(<<'EOM', map { sha256($_) } 'schema 1, first', 'schema 1, second'), 'v1');
{
   "schemaVersion": 1, "name": "old/schema1", "tag": "v1", "architecture": "amd64",
   "fsLayers": [ { "blobSum": "%s" }, { "blobSum": "%s" } ],
   "history": [ { "v1Compatibility": "{}" }, { "v1Compatibility": "{}" } ],
   "signatures": [ { "header": { "alg": "ES256" }, "signature": "AAAA", "protected": "AAAA" } ]
}
EOM
	# Go takes Layers for layers, so another registry stored such an image, kept its layers, and Go's clients pull it
	lay_blob($s, 'odd/case', $_) for 'a layer under Layers', '{"case":1}';
	my $case = lay_manifest($s, 'odd/case', image_of(OCI_MANIFEST, '{"case":1}', 'a layer under Layers') =~ s/"layers"/"Layers"/r, 'v1');
	# 2.8 writes a link below sha512/ that holds the sha256 digest
	my $long = 'pushed as sha512 to 2.8';
	my $m512 = image_of(OCI_MANIFEST, '{"long":1}') =~ s/"layers":\[\]/sprintf '"layers":[{"mediaType":"%s","digest":"%s","size":%d}]', OCI_LAYER, sha512($long), length $long/er;
	lay_blob($s, 'old/long', '{"long":1}');
	lay_file(blob_file($s, sha256($long)), $long);
	lay_file(layer_link($s, 'old/long', sha512($long)), sha256($long));
	my $l = lay_manifest($s, 'old/long', $m512, 'v1');
	# an image whose manifest's own link holds another digest than it is called by
	my $m = image_of(OCI_MANIFEST, '{"x":512}', 'layer of x');
	lay_blob($s, 'old/long', $_) for '{"x":512}', 'layer of x';
	lay_file(blob_file($s, sha256($m)), $m);
	lay_file(revision_link($s, 'old/long', sha512($m)), sha256($m));
	# a tag whose manifest has lost its link
	lay_blob($s, 'old/tag', $_) for '{"t":1}', 'layer of t';
	my $t = lay_manifest($s, 'old/tag', image_of(OCI_MANIFEST, '{"t":1}', 'layer of t'), 'v1');
	unlink revision_link($s, 'old/tag', $t) or die;
	make_old($s, 2 * $DAY);

	my $r = gc($s, '--json');
	my @told = gc_told($r);
	is_deeply [sort map { "$_->{repository} $_->{what}" } grep { $_->{kind} eq 'unreadable' } @told],
		[sort "bad/json $bad[0]", "bad/array $bad[1]", "bad/large $bad[2]"], 'manifests that cannot be read are told, once each';
	is gc_total($r)->{unreadable}, 3, 'and counted';
	is_deeply { map { $_ => 1 } grep { /^bad/ } @{ links_on_disk($s) } }, \%kept, 'all that their repositories link is kept';
	is join(' ', map { -e blob_file($s, $_) ? () : $_ } @bad, map { /^\S+ (.*)/ } keys %kept), '', 'with the bytes, and their own';
	is missing_of($s, $good), '', 'another repository keeps what it needs';
	ok !-e layer_link($s, 'good/app', sha256('content of good/app')), 'and loses what it does not';
	is join(' ', map { -e layer_link($s, 'old/schema1', sha256($_)) && -e blob_file($s, sha256($_)) ? 'kept' : 'gone' }
		'schema 1, first', 'schema 1, second', 'nothing of schema 1'), 'kept kept gone', 'a manifest of schema 1 keeps its layers and no others';
	ok -e blob_file($s, $one), 'and stays itself';
	is join(' ', map { -e layer_link($s, 'odd/case', sha256($_)) && -e blob_file($s, sha256($_)) ? 'kept' : 'gone' } 'a layer under Layers', '{"case":1}'),
		'kept kept', 'an image with "Layers" for "layers" keeps them';
	is content_of(layer_link($s, 'old/long', sha512($long))), sha256($long), 'a link that holds another digest stays';
	is content_of(blob_file($s, sha256($long))), $long, 'and what it holds does';
	ok -e revision_link($s, 'old/long', sha512($m)) && -e blob_file($s, sha256($m)), 'so does a manifest by such a link';
	ok -e layer_link($s, 'old/long', sha256($_)) && -e blob_file($s, sha256($_)), "with its parts ($_)" for '{"x":512}', 'layer of x';
	ok -e layer_link($s, 'old/tag', sha256($_)) && -e blob_file($s, sha256($_)), "what a tag needs stays, though the manifest's link is lost ($_)" for '{"t":1}', 'layer of t';
	ok -e blob_file($s, $t), 'the manifest itself, too';
	my $again = gc($s, '--json', '--untagged');
	is scalar(grep { $_->{kind} eq 'manifest' && $_->{repository} =~ /^bad/ } gc_told($again)), 0, 'where a manifest cannot be read --untagged takes none';
	is scalar(grep { $_->{kind} eq 'unreadable' } gc_told($again)), 3, 'with --untagged, too, each is told once';
}

# leftovers that mean nothing
{
	my $s = bare_store();
	my $good = lay_image($s, 'l/app', 'v1', '{"l":1}', 'layer of l');
	my $top = data_dir($s);
	my $x = 'f' x 64;
	lay_file("$top/repositories/l/app/_layers/sha256/$x/link", '');
	lay_file("$top/repositories/l/app/_layers/sha256/" . 'e' x 64 . '/link', 'no digest at all');
	make_path("$top/repositories/l/app/_layers/sha256/" . 'd' x 64, "$top/repositories/l/app/_layers/sha256/short", "$top/repositories/l/app/_layers/md5/" . 'a' x 32);
	make_path("$top/repositories/l/app/_manifests/revisions/sha256/$x", "$top/repositories/l/app/_manifests/revisions/sha256/no-digest");
	lay_file("$top/repositories/l/app/_manifests/revisions/sha256/" . 'e' x 64 . '/link', '');
	lay_file("$top/repositories/l/app/_manifests/revisions/sha256/" . 'c' x 64 . '/link', 'sha256:' . 'c' x 64);
	make_path("$top/repositories/l/app/_manifests/tags/empty", "$top/repositories/l/app/_manifests/tags/half/current", "$top/repositories/l/app/_manifests/tags/.tmp");
	lay_file("$top/repositories/l/app/_manifests/tags/spoilt/current/link", '');
	lay_file("$top/repositories/l/app/_manifests/tags/nowhere/current/link", 'sha256:' . 'b' x 64);
	lay_file("$top/repositories/l/app/_layers/sha256/file.tmp", 'x');
	make_path("$top/repositories/l/app/_uploads/no-uuid", "$top/repositories/l/app/_uploads/01234567-89ab-4cde-8f01-23456789abcd", "$top/repositories/l/app/_signatures/x", "$top/repositories/l/Upper/_layers/sha256");
	make_path("$top/repositories/only/uploads/_uploads", "$top/repositories/nothing/at/all", "$top/blobs/sha256/ff/$x", "$top/blobs/sha256/zz", "$top/blobs/sha256/ff/short");
	lay_file("$top/blobs/sha256/99/" . '9' x 64 . '/data', '');
	lay_file("$top/blobs/sha256/99/file", '');
	lay_file("$top/repositories/file", 'x');
	lay_file("$top/repositories/l/app/file", 'x');
	symlink 'nowhere', "$top/repositories/dangling" or die;
	lay_blob($s, 'l/app', 'garbage');
	# where a directory belongs lies a file
	lay_file("$top/repositories/l/flat/_layers", 'x');
	lay_file("$top/repositories/l/flat/_manifests", 'x');
	make_path("$top/repositories/l/three/_layers/sha256", "$top/repositories/l/three/_manifests");
	make_old($s, 2 * $DAY);
	my $r = gc_ok($s, '--json', 'leftovers hinder no collection');
	is missing_of($s, $good), '', 'the image stays';
	is join(' ', map { key_of($_) } grep { $_->{what} eq sha256('garbage') } gc_told($r)), 'link l/app ' . sha256('garbage') . ' blob ' . sha256('garbage'), 'garbage goes';
	ok !-e "$top/blobs/sha256/99/" . '9' x 64 . '/data', 'content without a byte, which a crash left, goes as any other';
	ok -d "$top/repositories/$_", "$_ stays" for 'l/app/_layers', 'l/app/_manifests/tags', 'l/three/_manifests', 'l/app/_signatures/x';
	ok !-e "$top/repositories/$_", "$_ goes, which holds nothing" for 'only', 'nothing';
	gc_ok($s, '--untagged', 'nor one with --untagged');
	is missing_of($s, $good), '', 'the image stays then, too';
}

# A repository behind a symbolic link is served, and so are its images: all that they need stays.
{
	my $s = bare_store();
	my $i = lay_image($s, 'moved/app', 'v1', '{"s":1}', 'layer behind a symbolic link');
	my $top = data_dir($s);
	make_path($s->root . '/elsewhere');
	rename "$top/repositories/moved/app", $s->root . '/elsewhere/app' or die "rename: $!";
	symlink $s->root . '/elsewhere/app', "$top/repositories/moved/app" or die "symlink: $!";
	make_old($s, 2 * $DAY, 'docker', 'elsewhere');
	gc($s);
	is missing_of($s, $i), '', 'an image of a repository that lies behind a symbolic link stays whole';
}

# a directory that cannot be listed, a manifest that cannot be read for the disk's sake
SKIP: {
	skip 'belongs to the plain build: it traces system calls', 1 if $ENV{BERTH_SANITIZERS};
	skip 'strace is not installed', 1 if !have_program('strace') && !$ENV{CI};
	my $s = bare_store();
	my @images = map { lay_image($s, "io/app$_", 'v1', "{\"io\":$_}", "layer $_ of io") } 1 .. 3;
	lay_blob($s, "io/app$_", "garbage $_") for 1 .. 3;
	my $untagged = lay_manifest($s, 'io/app2', image_of(OCI_MANIFEST, '{"io":2}'));
	make_old($s, 2 * $DAY);
	my $top = data_dir($s);
	my $before = sha256(join ' ', files_below($top));
	for my $dir ('repositories', 'repositories/io', 'repositories/io/app3/_manifests/revisions/sha256', 'repositories/io/app2/_layers/sha256',
		'repositories/io/app3/_manifests/tags') {
		for my $call ('getdents64', 'openat') {
			# by the words that the program itself uses, or by the descriptor
			my @at = $call eq 'openat' ? map { substr "$top/$dir$_", 1 + length $s->root } '', '/' : "$top/$dir";
			my $r = run('strace', '-f', '-o', '/dev/null', (map { ('-P', $_) } @at), '-e', "inject=$call:error=EIO", gc_cmd($s));
			is $r->{status}, 1, "$dir cannot be read ($call): status 1";
			like $r->{err}, qr/cannot (list|open|look)/, 'that is said';
			is sha256(join ' ', files_below($top)), $before, 'and nothing was deleted';
			is join(' ', grep { !/^(?:reserve|last$)/ } files_below($s->root . '/berth/gc')), '', 'and no run is left behind';
		}
	}
	for my $file (revision_link($s, 'io/app2', $untagged), blob_file($s, $images[2]{digest}), tag_link($s, 'io/app1', 'v1')) {
		(my $short = $file) =~ s{^\Q$top\E/}{};
		my $r = run('strace', '-f', '-o', '/dev/null', '-P', substr($file, 1 + length $s->root), '-e', 'inject=openat,faccessat,faccessat2:error=EIO', gc_cmd($s));
		is $r->{status}, 1, substr($short, 0, 40) . ' cannot be looked at: status 1';
		is sha256(join ' ', files_below($top)), $before, 'and nothing was deleted';
	}
	for my $dir ('blobs/sha256/' . substr $untagged, 7, 2) {
		my $r = run('strace', '-f', '-o', '/dev/null', '-P', "$top/$dir", '-e', 'inject=getdents64:error=EIO', gc_cmd($s));
		is $r->{status}, 1, "$dir cannot be listed: status 1";
		is missing_of($s, @images), '', 'and no image lacks anything';
	}
	# the end of a run that can't be written: writers must not be left with a run that has no place for their notes
	my $r = run('strace', '-f', '-o', "$s->{root}/trace", '-P', 'berth/gc/run', '-e', 'inject=unlinkat:error=EIO', gc_cmd($s));
	my $on = content_of($s->root . '/berth/gc/run');
	ok !defined $on || -d $s->root . "/berth/gc/$on", 'a run whose mark cannot be removed keeps the place for notes';
	is $r->{status}, 1, 'and ends with 1';
	gc_ok($s, 'once the disk is well again everything goes as ever');
	is missing_of($s, @images), '', 'and no image lacks anything';
	is join(' ', grep { !/^(?:reserve|last$)/ } files_below($s->root . '/berth/gc')), '', 'no run is left behind';
}

done_testing;
