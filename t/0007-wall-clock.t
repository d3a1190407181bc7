#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# No test asserts how long something took, nor that something has happened after a pause: on a busy machine neither holds. A
# count, an order of events, or a comparison in the same run does. (At least so long is no such assertion: that always holds.)
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;

plain_build_only('it runs no program that is built with sanitizers');

my $assert = qr/\b(?:ok|is|isnt|like|unlike|cmp_ok|is_deeply)\b/;
my $below = qr/(?:'<=?'|<=?)\s*,?\s*[\d.]+\b/;
my %kind = (
	'a time that is less than a number' => qr/^[^#\n]*$assert(?!.*\b(?:if|wait_for)\b)[^\n]*(?:\btime(?:\(\))? - \$\w+|\$(?:took|elapsed|longest|slowest|lived|duration)\b|\{(?:seconds|took|\w*_?ms)\}|->seconds\b)[^\n]*?$below/m,
	'a pause, and what has happened by then' => qr/^\h*(?:(?:Time::HiRes::)?sleep|select undef, undef, undef,)[^\n]*;\h*(?:#[^\n]*)?\n\h*$assert/m,
	'an answer within less than a minute' => qr/\btimeout => [1-5]?\d\b(?!\d)/,
);

sub faults
{
	my ($text) = @_;
	my @found;

	for my $kind (sort keys %kind) {
		while ($text =~ /$kind{$kind}/g) {
			my $line = 1 + (substr($text, 0, $-[0]) =~ tr/\n//);
			push @found, "line $line: $kind";
		}
	}
	return @found;
}

for my $file (sort glob(source_dir() . '/t/*.t')) {
	next if $file =~ m{/0007-};
	my ($name) = $file =~ m{([^/]+)$};
	is join("\n", faults(slurp($file))), '', $name;
}

# and the rule is not blind
for my $bad ("cmp_ok time - \$began, '<', 3, 'soon';", "ok time - \$since < 15, 'in time';", "\tcmp_ok \$longest, '<=', 2.5, 'fast';",
	"cmp_ok \$slowest->{ms}, '<', 1000, 'no request took a second';", "cmp_ok(\$r->seconds, '<', 5, 'at once');", "sleep 2;\nok -e \$file, 'it is there';",
	"my \$r = read_response(\$s, timeout => 5);", "select undef, undef, undef, 0.1;\n\tis \$n, 0, 'nothing yet';") {
	is scalar(faults("\n$bad\n")), 1, $bad =~ s/\n\t?/ /r;
}
for my $good ("cmp_ok time - \$began, '>', 0.7, 'no faster';", "sleep 2;\n\$r = gc();", "cmp_ok \$said->{ms}, '>=', 1000, 'long';", "run({ timeout => 300 }, 'x');") {
	is join(' ', faults("\n$good\n")), '', $good =~ s/\n/ /r;
}
done_testing;
