#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Rules with undo on a file system without a free inode: each tag that goes needs one for its mark before it frees some.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::GC;
use Berth::Rules;
use Berth::Undo;

own_mounts();

my $TAGS = 60;
my $at = tmp_dir() . '/full';
mkdir $at or die "$at: $!";
run('mount', '-t', 'tmpfs', '-o', 'size=24m,nr_inodes=3000,mode=755', 'tmpfs', $at)->{status} == 0 or die 'mount';
my $s = ruled_store("gc = { grace = \"0s\"; };\nundo = \"1d\";\nrules_delay = \"0s\";\nrules = ( { repo = \"**\"; keep = ( { tag = \"keep\"; } ); } );\n", "$at/store");
lay_image($s, 'f/app', $_, '{"os":"linux"}', 'layer') for 'keep', map { "t$_" } 1 .. $TAGS;
spew($s->config_file, content_of($s->config_file) =~ s/rules_delay = "0s"/rules_delay = "1d"/r);
gc_ok($s, 'a collection that deletes no tag yet leaves a reserve');
ok -e "$at/store/berth/gc/reserve", '... which is there';
spew($s->config_file, content_of($s->config_file) =~ s/rules_delay = "1d"/rules_delay = "0s"/r);
my $n = 0;
$n++ while open my $h, '>', sprintf '%s/filler%05d', $at, $n;
cmp_ok $n, '>', 0, 'then every inode is taken';
my $r = gc($s);
is $r->{status}, 0, 'a collection works' or diag($r->{err});
is tags_on_disk($s, 'f/app'), 'keep', '... and removes all tags that a rule lets go';
is scalar(() = marks_of($s, 'f/app')), $TAGS, '... each of which is remembered';
run('umount', $at);
done_testing;
