#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# doc/OPERATING.md explains each event that the code logs, and no other.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;

my %logged = (audit => 1);
for my $file (glob(source_dir() . '/src/*.c'), glob(source_dir() . '/src/*/*.c')) {
	next if $file =~ m{/base/log\.c$};
	my $text = slurp($file);
	while ($text =~ /\blog_(?:say\(LOG_\w+,|begin\(&\w+, [^;]*?,)\s*([^;]*?)(?:,\s*"|\);)/g) {
		my $event = $1;
		$logged{$_} = 1 for $event =~ /"([a-z_]+)"/g;
	}
	$logged{$1} = 1 while $text =~ /\bwatched_init\([^;]*"(\w+)"/g;
	$logged{$1} = 1 while $text =~ /struct errand \w+ = \{ "[^"]*", "(\w+)"/g;
}
my ($table) = slurp(source_dir() . '/doc/OPERATING.md') =~ /^## What the log says\n(.*?)^## /ms;
my %said = map { ($_ => 1) } map { /`(\w+)`/g } $table =~ /^\| (`[^|]*)\|/mg;
is join("\n", sort keys %said), join("\n", sort keys %logged), 'the table has the events of the code';
done_testing;
