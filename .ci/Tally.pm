# SPDX-License-Identifier: Apache-2.0
#
# Tally: prove's usual output, and at its end a line "PASSED FAILED SKIPPED" appended to the file $TALLY.
# A test program that dies or breaks its plan counts as one failure even if each of its tests passed.
package Tally;

use strict;
use warnings;
use parent 'TAP::Formatter::File';

sub summary
{
	my ($self, $aggregate, @rest) = @_;
	my $failed = $aggregate->failed;

	for my $parser ($aggregate->parsers) {
		$failed++ if !$parser->failed && $parser->has_problems;
	}
	$self->SUPER::summary($aggregate, @rest);
	open my $fh, '>>', $ENV{TALLY} or die "$ENV{TALLY}: $!\n";
	print {$fh} join(' ', scalar $aggregate->passed, $failed, scalar $aggregate->skipped), "\n";
	close $fh or die "$ENV{TALLY}: $!\n";
}

1;
