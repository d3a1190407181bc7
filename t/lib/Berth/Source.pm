# SPDX-License-Identifier: Apache-2.0
#
# Berth::Source: the sources as text, for the tests of the house rules.
package Berth::Source;

use strict;
use warnings;
use Berth::Test ();
use Exporter 'import';
use File::Find ();

our @EXPORT = qw(sources text code_only);

# sources(qr/name/, folders) - the matching files, relative to the checkout, sorted
sub sources
{
	my ($re, @folders) = @_;
	my $top = Berth::Test::source_dir();
	my @found;

	File::Find::find({ no_chdir => 1, wanted => sub { push @found, $_ if -f && /$re/ } },
		grep { -e } map { "$top/$_" } @folders);
	return sort map { s|^\Q$top\E/||r } @found;
}

sub text { return Berth::Test::slurp(Berth::Test::source_dir() . "/$_[0]") }

# code_only(text) - C with the insides of comments, strings and character constants blanked; lines stay where they are
sub code_only
{
	my ($c) = @_;

	$c =~ s{(/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')}{blank($1)}gse;
	return $c;
}

sub blank
{
	my ($s) = @_;
	my $n = $s =~ m{^/} ? 2 : 1;

	return $s if $s =~ m{^//};
	return substr($s, 0, $n) . substr($s, $n, -$n) =~ s/[^\n]/ /gr . substr($s, -$n);
}

1;
