#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Every file that a distribution needs is in the lists that Makefile.am works from.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;

plain_build_only('it runs no program that is built with sanitizers');

my $r = run(source_dir() . '/scripts/sources', '--check');
is $r->{status}, 0, 'sources.am lists every source, test, script and nginx file, and nothing else'
	or diag("run scripts/sources\n$r->{out}$r->{err}");

my %rank;
for my $file (map { s|.*/||r } glob(source_dir() . '/t/*.t')) {
	$rank{$1}++ if $file =~ /^([0-9]{4})-[a-z0-9]+(?:-[a-z0-9]+)*\.t$/;
	like $file, qr/^[0-9]{4}-[a-z0-9]+(-[a-z0-9]+)*\.t$/, "$file has a number and a topic";
}
is join(' ', grep { $rank{$_} > 1 } sort keys %rank), '', 'no two tests have the same number';

done_testing;
