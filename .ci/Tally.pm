# SPDX-License-Identifier: Apache-2.0
#
# Tally: prove's usual output, and files beside it of which .ci/run makes the end of its own output.
#
#   $TALLY          at the end of each prove a line "PASSED FAILED SKIPPED". A test program that dies or breaks its plan counts as
#                   one failure even if each of its tests passed.
#   $TALLY.times    a line "SECONDS TEST (STEP)" for each test program
#   $TALLY.failed   a record for each test program that failed: a line that says what failed in it, the end of what it wrote
#                   on its standard error, and a form feed
#
# $STEP is a word that tells one run of a test program from its other runs.
#
#   Tally::report(FILE...)    prints what these files' FILE.failed and FILE.times hold: the slowest programs, and the failures
package Tally;

use strict;
use warnings;
use parent 'TAP::Formatter::File';

use TAP::Parser::Iterator::Process;

my $LINES = 30;         # of its standard error that a failed program is reported with
my $CHARACTERS = 4000;  # of all that is said of failures
my $HEADS = 1500;       # of these, what the first lines of the records may take
my $SLOWEST = 10;

sub append
{
	my ($file, $text) = @_;

	open my $fh, '>>', $file or die "$file: $!\n";
	print {$fh} $text;
	close $fh or die "$file: $!\n";
	return;
}

sub open_test
{
	my ($self, $test, $parser) = @_;
	my $iterator = $parser->_iterator;

	bless $iterator, 'Tally::Iterator' if ref $iterator eq 'TAP::Parser::Iterator::Process';
	my $session = Tally::Session->new({ name => $test, formatter => $self, parser => $parser });
	$session->{iterator} = $iterator;       # the parser forgets it before the session is closed
	return $session;
}

sub summary
{
	my ($self, $aggregate, @rest) = @_;
	my $failed = $aggregate->failed;

	for my $parser ($aggregate->parsers) {
		$failed++ if !$parser->failed && $parser->has_problems;
	}
	$self->SUPER::summary($aggregate, @rest);
	append($ENV{TALLY}, join(' ', scalar $aggregate->passed, $failed, scalar $aggregate->skipped) . "\n");
	return;
}

# The last lines of a text, at most so many characters.
sub tail
{
	my ($text, $characters) = @_;
	my @lines = split /\n/, $text;

	splice @lines, 0, -$LINES if @lines > $LINES;
	$text = join '', map { "$_\n" } @lines;
	return $text if length $text <= $characters;
	return '' if $characters < 80;
	return '... ' . substr($text, 4 - $characters);
}

# What is said of failures: first a line for each program, then the ends of their diagnostics, which share what room is left.
sub failures
{
	my @records = @_;
	my ($said, $left_off) = ('', 0);

	for my $record (@records) {
		my ($head) = split /\n/, $record, 2;
		if (length($said) + length($head) < $HEADS) {
			$said .= "$head\n";
		} else {
			$left_off++;
		}
	}
	$said .= "and $left_off more\n" if $left_off;
	while (my $record = shift @records) {
		my ($head, $rest) = split /\n/, $record, 2;
		my $title = '-- ' . $head =~ s/: .*//r . "\n";
		my $room = int(($CHARACTERS - length $said) / (@records + 1)) - length $title;
		my $end = tail($rest // '', $room);
		$said .= "$title$end" if $end ne '';
	}
	return $said;
}

sub slurped
{
	my ($file) = @_;

	open my $fh, '<', $file or return '';
	local $/;
	return scalar <$fh>;
}

sub report
{
	my @files = @_;
	my @slow = sort { ($b =~ /(\S+)/)[0] <=> ($a =~ /(\S+)/)[0] } map { split /\n/, slurped("$_.times") } @files;
	my @records = map { split /\f/, slurped("$_.failed") } @files;

	splice @slow, $SLOWEST if @slow > $SLOWEST;
	print "== the slowest tests\n", map { "$_\n" } @slow;
	print "== failed\n", failures(@records) if @records;
	return;
}

# Reads a test program's output. What the program writes on its standard error is shown as usual, and its end is kept.
package Tally::Iterator;

use parent -norequire, 'TAP::Parser::Iterator::Process';

sub next_raw
{
	my ($self) = @_;
	my ($said, $line) = ('');

	{
		# The class above copies it to this handle.
		local *STDERR;
		open STDERR, '>', \$said or die "a file in memory: $!\n";
		$line = $self->SUPER::next_raw;
	}
	if ($said ne '') {
		print STDERR $said;
		$self->{said} = substr(($self->{said} // '') . $said, -2 * $CHARACTERS);
	}
	return $line;
}

# One test program.
package Tally::Session;

use parent 'TAP::Formatter::File::Session';

sub result
{
	my ($self, $result) = @_;

	push @{ $self->{not_ok} }, $result->number . ' ' . $result->description =~ s/^- //r if $result->is_test && !$result->is_ok;
	$self->{bailout} = $result->explanation if $result->is_bailout;
	return $self->SUPER::result($result);
}

sub close_test
{
	my ($self) = @_;
	my $parser = $self->parser;
	my $name = $self->name . " ($ENV{STEP})";
	my @wrong = @{ $self->{not_ok} // [] };
	my $more = @wrong - 5;

	$self->SUPER::close_test;
	Tally::append("$ENV{TALLY}.times", sprintf "%6.1f s %s\n", ($parser->end_time // $parser->get_time) - $parser->start_time, $name);
	return if !$parser->has_problems && !defined $self->{bailout};
	splice @wrong, 5 if $more > 0;
	push @wrong, "$more more" if $more > 0;
	push @wrong, "gave up: $self->{bailout}" if defined $self->{bailout};
	push @wrong, ($parser->parse_errors)[0] if $parser->parse_errors;
	push @wrong, $parser->wait & 127 ? 'signal ' . ($parser->wait & 127) : 'status ' . $parser->exit if $parser->wait;
	Tally::append("$ENV{TALLY}.failed", "$name: " . join('; ', map { s/[\n\f]/ /gr } @wrong) . "\n" . ($self->{iterator}{said} // '') =~ s/\f//gr . "\f");
	return;
}

1;
