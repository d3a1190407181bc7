#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# doc/MOVING.md says of each setting of registry:2 what the code does with it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;

delete $ENV{$_} for grep { /^(?:REGISTRY|BERTH_CONFIG)_/ } keys %ENV;

my $berth = program('berth');
my $text = slurp(source_dir() . '/doc/MOVING.md');
my @said = map { my ($path, $what) = /^\| `([^`]+)` \| (.*) \|$/; defined $path ? "$path\t" . $what =~ s/^`([^`]+)`/$1/r : () } split /\n/, $text;
my @is = split /\n/, run_ok($berth, 'config', 'moved', '`berth config moved` lists the settings of registry:2');

cmp_ok scalar @is, '>', 60, 'it has many';
is join("\n", @said), join("\n", @is), 'the table of doc/MOVING.md is the table of the code';

# Each line that names a setting of berth names one that exists, and the manual says which variables set it.
my %key = map { (split ' ')[0] => 1 } split /\n/, run_ok($berth, 'config', 'keys', '`berth config keys`');
my $long = run_ok($berth, 'config', 'keys', '--long', 'with the variables');
for (@is) {
	my ($path, $what) = split /\t/;
	next if $what =~ /^(?:no effect|a warning|refused)/;
	my ($name) = $what =~ /^([a-z0-9_.]+)/;

	ok $key{$name}, "$path sets $name, which exists" or next;
	my $variable = 'REGISTRY_' . uc $path =~ tr/./_/r;
	like $long, qr/^\Q$name\E\n(?:\t.*\n)*?\tvariables: .*\b$variable\b/m, "$variable is named there";
}

# What is refused is refused without a value of its own kind, too; what is harmless says nothing, whatever it has.
my $yml = tmp_dir() . '/config.yml';
for (@is) {
	my ($path, $what) = split /\t/;
	my @names = split /\./, $path;
	my $yaml = '';

	$yaml .= '  ' x $_ . "$names[$_]:" . ($_ == $#names ? " [something]\n" : "\n") for 0 .. $#names;
	next if $path eq 'version';
	spew($yml, $yaml);
	# an incomplete login would be refused for that
	my $r = run({ env => { REGISTRY_AUTH_HTPASSWD_PATH => $path =~ /^auth\b/ ? '/h' : undef } }, $berth, '--config', $yml, 'config', 'show');
	my $line = @names;
	is "$r->{status} $r->{err}", '0 ', "$path passes in silence" if $what =~ /^no effect/;
	like "$r->{status} $r->{err}", qr/^0 berth: warning: \Q$yml\E:$line: "\Q$path\E" has no effect: [^\n]+\n\z/, "$path is one warning with its line" if $what =~ /^a warning/;
	like "$r->{status} $r->{err}", qr/^2 \Q$yml\E:$line: "\Q$path\E" is refused: [^\n]+\n\z/, "$path is refused with its line" if $what =~ /^refused/;
}

done_testing;
