#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Commands on a store that only registry:2 has served, and on a directory that is none.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(remove_tree);
use Berth::Test;
use Berth::Check;
use Berth::GC;
use Berth::Repo;

my $s = Berth::Server->start(config => "delete = true;\n");
$s->push_image('team/app', '1');
$s->push_image('team/app', '2');
$s->stop_workers;
$s->stop_nginx;
remove_tree($s->root . '/berth');
is berth($s, 'repo', 'list')->{out}, "team/app\n", 'its repositories are listed';
like berth($s, 'tag', 'list', 'team/app')->{out}, qr/^1 sha256.*\n2 sha256/, 'and their tags';
ok !-e $s->root . '/berth', 'which changes nothing';
berth_ok($s, 'gc', '--dry-run', 'a collection says what it would remove');
berth_ok($s, 'tag', 'rm', 'team/app', '1', 'a tag is removed');
make_old($s, 7200);
like berth($s, 'gc', '--untagged', '--grace', '1h')->{out}, qr/^removed 1 manifests/, 'and then its manifest';
ok -d $s->root . '/berth/locks', 'for that berth makes its own part of the store';
is berth($s, 'fsck')->{status}, 0, 'in which nothing is wrong';

my $dir = tmp_dir();
for my $words (['gc'], ['repo', 'list'], ['tag', 'rm', 'a', 'b'], ['fsck']) {
	my $r = run(program('berth'), '--root', $dir, @$words);
	is "$r->{status} $r->{err}", "1 berth: $dir is no store of a registry: it has neither berth/ nor docker/registry/v2/: No such file or directory\n", "@$words of no store";
}
is_deeply [glob "$dir/*"], [], 'makes none';
$s->stop;
done_testing;
