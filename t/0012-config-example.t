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
my (%set, $group, $comment);
for (split /\n/, slurp($example)) {
	$group = $1, next if /^(\w+) = \{$/;
	$group = undef if /^\};$/;
	$set{defined $group ? "$group.$1" : $1} = $comment if /^\t?(\w+) = .*;$/;
	$comment = /^\t?#/;
}
my @keys = map { /^(\S+)/ } split /\n/, run_ok($berth, 'config', 'keys', '`berth config keys` lists the settings');
is join(' ', sort keys %set), join(' ', sort @keys), 'the example sets every setting that exists';
is join(' ', grep { !$set{$_} } sort keys %set), '', 'each of them has a comment before it';
my $shown = run($berth, '--config', '/dev/null', 'config', 'show')->{out};
is join(' ', $shown =~ /^(\S+) = /mg), "@keys", '`berth config show` shows every setting';
like slurp($example), qr/\b$_\b/, "$_ is explained"
	for qw(REGISTRY_STORAGE_DELETE_ENABLED REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY
	REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED REGISTRY_STORAGE_MAINTENANCE_READONLY REGISTRY_LOG_LEVEL);

done_testing;
