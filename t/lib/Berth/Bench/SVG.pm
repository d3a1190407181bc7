# SPDX-License-Identifier: Apache-2.0
#
# Berth::Bench::SVG: charts as one picture, several beside each other, both axes logarithmic. Needs nothing but a browser.
package Berth::Bench::SVG;

use strict;
use warnings;

use List::Util qw(max min);
use POSIX ();

use constant { WIDTH => 400, HEIGHT => 260, LEFT => 58, RIGHT => 16, TOP => 34, BOTTOM => 44, COLUMNS => 2, LEGEND => 34 };

# Colours that differ for those who see few of them, and on white as on black paper.
my %COLOUR = ('berth' => '#0072b2', 'docker-registry' => '#d55e00', 'bare FastCGI' => '#009e73');
my @DASH = ('', '6 3', '2 3');

sub text_of { my ($t) = @_; $t =~ s/&/&amp;/g; $t =~ s/</&lt;/g; return $t }
sub log10 { return log($_[0]) / log(10) }

# short - a figure for an axis
sub short
{
	my ($v) = @_;

	return $v >= 1e6 ? $v / 1e6 . 'M' : $v >= 1e3 ? $v / 1e3 . 'k' : $v;
}

# scale - a function from values to pixels, and the round figures within: powers of ten, or 1, 2, 5, 10 where these were too few
sub scale
{
	my ($from, $to, @values) = @_;
	my ($low, $high) = (log10(min @values), log10(max @values));

	($low, $high) = ($low - 0.2, $high + 0.2) if $high - $low < 0.3;
	my @steps = $high - $low < 2.5 ? (1, 2, 5) : (1);
	my @ticks = map { my $power = 10**$_; map { $_ * $power } @steps } POSIX::floor($low) .. POSIX::ceil($high);
	@ticks = grep { log10($_) >= $low - 0.01 && log10($_) <= $high + 0.01 } @ticks;
	return (sub { return $from + (log10($_[0]) - $low) / ($high - $low) * ($to - $from) }, @ticks);
}

# chart - one of them at a place: { title, x, y (names of axes), lines => { name => [[x, y], ...] } }
sub chart
{
	my ($c, $x0, $y0) = @_;
	my @points = map { @$_ } values %{ $c->{lines} };
	my ($px, @tx) = scale($x0 + LEFT, $x0 + WIDTH - RIGHT, map { $_->[0] } @points);
	my ($py, @ty) = scale($y0 + HEIGHT - BOTTOM, $y0 + TOP, map { $_->[1] } @points);
	my ($bottom, $right) = ($y0 + HEIGHT - BOTTOM, $x0 + WIDTH - RIGHT);
	my $out = sprintf qq(<text x="%d" y="%d" class="title">%s</text>\n), $x0 + LEFT, $y0 + 20, text_of($c->{title});

	for (@tx) {
		my $at = $px->($_);
		$out .= sprintf qq(<path d="M%.1f %dV%d" class="grid"/><text x="%.1f" y="%d" class="x">%s</text>\n), $at, $bottom, $y0 + TOP, $at, $bottom + 14, short($_);
	}
	for (@ty) {
		my $at = $py->($_);
		$out .= sprintf qq(<path d="M%d %.1fH%d" class="grid"/><text x="%d" y="%.1f" class="y">%s</text>\n), $x0 + LEFT, $at, $right, $x0 + LEFT - 5, $at + 4, short($_);
	}
	$out .= sprintf qq(<text x="%d" y="%d" class="x">%s</text>\n), $x0 + (LEFT + WIDTH - RIGHT) / 2, $bottom + 32, text_of($c->{x});
	$out .= sprintf qq(<text transform="translate(%d %d) rotate(-90)" class="x">%s</text>\n), $x0 + 13, $y0 + (TOP + HEIGHT - BOTTOM) / 2, text_of($c->{y});
	my $n = 0;
	for my $name (sort keys %{ $c->{lines} }) {
		my @p = map { sprintf '%.1f %.1f', $px->($_->[0]), $py->($_->[1]) } @{ $c->{lines}{$name} };
		my $colour = $COLOUR{$name} // '#777777';
		$out .= sprintf qq(<path d="M%s" fill="none" stroke="%s" stroke-width="2" stroke-dasharray="%s"/>\n), join('L', @p), $colour, $DASH[$n++ % @DASH];
		$out .= join('', map { my ($x, $y) = split; qq(<circle cx="$x" cy="$y" r="3" fill="$colour"/>) } @p) . "\n";
	}
	return $out;
}

# picture - all charts, with one legend
sub picture
{
	my (@charts) = @_;
	my $rows = int((@charts + COLUMNS - 1) / COLUMNS);
	my ($w, $h) = (WIDTH * COLUMNS, HEIGHT * $rows + LEGEND);
	my $out = qq(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 $w $h" width="$w" height="$h">\n<style>text{font:11px sans-serif;fill:#222}.title{font-weight:bold;font-size:12px}.x{text-anchor:middle}.y{text-anchor:end}.grid{stroke:#ddd;fill:none}</style>\n<rect width="$w" height="$h" fill="#fff"/>\n);
	my %names = map { $_ => 1 } map { keys %{ $_->{lines} } } @charts;
	my $x = LEFT;

	for my $name (sort keys %names) {
		my $colour = $COLOUR{$name} // '#777777';
		$out .= sprintf qq(<path d="M%d 18h24" stroke="%s" stroke-width="3"/><text x="%d" y="22">%s</text>\n), $x, $colour, $x + 30, text_of($name);
		$x += 160;
	}
	for my $i (0 .. $#charts) {
		$out .= chart($charts[$i], WIDTH * ($i % COLUMNS), LEGEND + HEIGHT * int($i / COLUMNS));
	}
	return "$out</svg>\n";
}

1;
