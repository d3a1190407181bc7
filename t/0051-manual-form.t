#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The manual pages are such as man and mandoc take without a word.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;

need_program('mandoc');

my @pages = sort glob source_dir() . '/doc/*.[1-8]';
is scalar @pages, 4, 'there are four pages';
for my $page (@pages) {
	my ($name) = $page =~ m{([^/]+)$};
	my $r = run('mandoc', '-Tlint', '-Wstyle', $page);
	is $r->{out} . $r->{err}, '', "mandoc has nothing to say about $name";
	SKIP: {
		skip 'man-db is not installed', 1 if !have_program('man') || !have_program('groff');
		$r = run({ env => { LC_ALL => 'C.UTF-8' } }, 'man', '--warnings', '-E', 'UTF-8', '-l', '-Tutf8', '-Z', $page);
		is $r->{err}, '', "nor has groff about $name";
	}
}
done_testing;
