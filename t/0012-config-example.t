#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The example configuration has every setting, with its default and a comment.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;

delete $ENV{$_} for grep { /^REGISTRY_/ } keys %ENV;

my $berth = program('berth');
my $example = source_dir() . '/doc/berth.conf.example';

is run_ok($berth, '--config', $example, 'config', 'show', 'the example is a good configuration'),
	run($berth, '--config', '/dev/null', 'config', 'show')->{out}, 'every setting of the example has its default value';

# The settings as the example writes them: the name with its group, and whether a comment stands right before it.
# What would not be a default stands behind a # without a space.
my (%set, $group, $inner, $comment);
my $all = slurp($example) =~ s/^#(?! )//mgr;
for (split /\n/, $all) {
	$group = $1, next if /^(\w+) = \{$/;
	$inner = $1, next if /^\t(\w+) = \{$/;
	$group = undef if /^\};$/;
	$inner = undef if /^\t\};$/;
	$set{join '.', grep { defined } $group, $inner, $1} = $comment if /^\t{0,2}(\w+) = (?:.*;|\()$/;
	$comment = /^\t*#/;
}
my @keys = map { /^(\S+)/ } split /\n/, run_ok($berth, 'config', 'keys', '`berth config keys` lists the settings');
is join(' ', sort keys %set), join(' ', sort @keys), 'the example sets every setting that exists';
is join(' ', grep { !$set{$_} } sort keys %set), '', 'each of them has a comment before it';
my $file = spew(tmp_dir() . '/berth.conf', $all);
like run_ok($berth, '--config', $file, 'config', 'show', 'with all that is commented out it is a good configuration too'),
	qr{^auth\.access = \( \{ who = \[ "\@anonymous" \]; repo = "public/\*\*"; may = \[ "pull" \]; \}, }m, 'and says what it seems to say';
my $shown = run($berth, '--config', '/dev/null', 'config', 'show')->{out};
is join(' ', $shown =~ /^(\S+) = /mg), "@keys", '`berth config show` shows every setting';
done_testing;
