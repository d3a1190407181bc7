# SPDX-License-Identifier: Apache-2.0
#
# Tally: prove's usual output, and files beside it of which .ci/run makes the end of its own output.
#
#   $TALLY          at the end of each prove a line "PASSED FAILED SKIPPED". A test program that dies or breaks its plan counts as
#                   one failure even if each of its tests passed.
#   $TALLY.times    a line "SECONDS TEST (STEP)" for each test program
#   $TALLY.failed   a record for each test program that failed: a line that says what failed in it, parts of which a semicolon
#                   separates, then what it wrote on its standard error, and a form feed
#
# $STEP is a word that tells one run of a test program from its other runs.
#
#   Tally::report(FILE...)    prints what these files' FILE.times and FILE.failed hold: the slowest programs, and then all that failed,
#                             in few lines, because of a long output often nothing but the end is read
package Tally;

use strict;
use warnings;
use parent 'TAP::Formatter::File';

use TAP::Parser::Iterator::Process;

my $KEPT = 20_000;      # characters of its standard error, from its beginning and from its end
my $LINES = 36;         # of all that is said of failures
my $WIDTH = 200;        # of one of these lines
my $SLOWEST = 5;

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

# Adds to what is kept of a text its next piece; what is in the middle of a long text is given up.
sub keep
{
	my ($kept, $piece) = @_;
	my $text = ($kept // '') . $piece;

	return length $text <= 2 * $KEPT ? $text : substr($text, 0, $KEPT) . substr $text, -$KEPT;
}

# The lines of a diagnostic that say most: of a sanitizer's report or a compiler's what was found and where; else with what the program has died, and
# what follows the first failed test, without what the head says already, and without lines of logs. What has none of these says it at its end. Of a
# step whose tests have no records of their own, the tests that failed come first.
sub essence
{
	my ($said, $count) = @_;
	my @tests = map { /^(\S+) +\(Wstat: / ? $1 : () } split /\n/, $said;
	my @lines = grep { !/^[#\s]*(?:$|\{"|\d{4}\/\d\d\/\d\d [\d:]+ \[|(?:Failed test|at \S+ line \d+\.$|Looks like you|Tests were run but no plan|=+$))/ } split /\n/, $said =~ s/^.*?(?=^#\s+Failed test)//msr;
	my @found = grep { /Sanitizer: |runtime error: | in \w+ \S*\bsrc\/\S+:\d|: (?:fatal )?error: / } @lines;
	my @diag = @found ? @found : ((grep { /^[^#].* at \S+ line \d+\.$/ } @lines), grep { /^#/ } @lines);

	return if !$count;
	return @lines[-($count < @lines ? $count : @lines) .. -1] if !@diag && !@tests;
	unshift @diag, join ' ', @tests if @tests;
	splice @diag, $count if @diag > $count;
	return @diag;
}

# A head as at most so many lines, divided between its parts.
sub divided
{
	my ($head, $count) = @_;
	my @lines = ('');

	for my $part (split /(?<=;) /, $head) {
		push @lines, '  ' if length $lines[-1] > 2 && length("$lines[-1] $part") > $WIDTH;
		$lines[-1] .= ($lines[-1] =~ /\S\z/ ? ' ' : '') . $part;
	}
	if (@lines > $count) {
		splice @lines, $count;
		$lines[-1] = substr($lines[-1], 0, $WIDTH - 4) . ' ...';
	}
	return @lines;
}

# What is said of failures: as much of each as there is room for, but the name of each.
sub failures
{
	my @records = @_;

	for my $room ([3, 3], [2, 3], [2, 2], [1, 2], [1, 1], [1, 0]) {
		my @said;

		for my $record (@records) {
			my ($head, $rest) = split /\n/, $record, 2;
			push @said, divided($head, $room->[0]), map { '    ' . s/^#?\s*//r } essence($rest // '', $room->[1]);
		}
		return map { length > $WIDTH ? substr($_, 0, $WIDTH - 4) . ' ...' : $_ } @said if @said <= $LINES;
	}
	my $names = join '; ', map { /^(.*?(?: \(\w+\))?):/ ? $1 : $_ } map { (split /\n/)[0] } @records;
	return divided($names, $LINES);
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
	print "== failed\n", map { "$_\n" } failures(@records) if @records;
	return;
}

# Reads a test program's output. What the program writes on its standard error is shown as usual, and kept.
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
		$self->{said} = Tally::keep($self->{said}, $said);
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
