# SPDX-License-Identifier: Apache-2.0
#
# Berth::Bench::Report: what came of the rows, as Markdown and as JSON, the machine it ran on, and the document that holds
# them: between two marks a table is replaced, the rest is left as it is.
package Berth::Bench::Report;

use strict;
use warnings;

use Exporter 'import';
use JSON::PP ();
use POSIX ();

use Berth::Test;
use Berth::Bench;

our @EXPORT = qw(table_of json_of machine_of conditions_of number grid put_between);

# number - three digits that mean something
sub number
{
	my ($v) = @_;

	return '–' if !defined $v;
	return Berth::Bench::commas(sprintf '%.0f', $v) if $v >= 100;
	return sprintf '%.*f', $v >= 10 ? 1 : $v >= 1 ? 2 : 3, $v;
}

# grid - a table in Markdown: the head, and rows of cells
sub grid
{
	my ($head, @rows) = @_;

	return join '', map { '| ' . join(' | ', @$_) . " |\n" } $head, [map { '---' } @$head], @rows;
}

sub target_text
{
	my ($row) = @_;
	my $t = $row->{target} // return '';

	return ($row->{as} eq 'cost' ? '≤ ' : '≥ ') . "$t ×";
}

sub yes { my ($met) = @_; return !defined $met ? '' : $met ? 'yes' : '**no**' }

# The limit, its figure, and how near berth came to it.
sub limit_text
{
	my ($row, $s) = @_;
	my $l = $row->{limit};

	return ('', '') if !$l || !defined $s->{limit};
	my $want = $l->{share} ? sprintf(' (≥ %s: %s)', $l->{share}, yes($s->{limit_met})) : $l->{times} ? sprintf(' (≤ %s: %s)', $l->{times}, yes($s->{limit_met})) : '';
	return ("$l->{what}: " . number($s->{limit}), $l->{unlike} ? '' : sprintf('%.2f×%s', $s->{of_limit}, $want));
}

sub table_of
{
	my (@rows) = @_;
	my @head = ('work', 'unit', 'berth', 'docker-registry', 'ratio: min', 'median', 'max', 'target', 'met', 'limit beside it', 'berth / limit');

	return grid(\@head, map {
		my $s = $_->{summary};
		[$_->{title}, $_->{unit}, number($s->{berth}), number($s->{other}), map({ number($s->{$_}) } qw(ratio_min ratio ratio_max)),
			target_text($_), yes($s->{met}), limit_text($_, $s)]
	} @rows);
}

sub json_of
{
	my ($b, @rows) = @_;

	return JSON::PP->new->canonical->pretty->utf8->encode({
		machine => machine_of($b), rounds => $b->{rounds}, seconds => $b->{seconds}, scale => $b->{scale},
		rows => [map { my $r = $_; +{ map({ ($_ => $r->{$_}) } grep { defined $r->{$_} } qw(name title as unit target limit rounds)), %{ $r->{summary} } } } @rows] });
}

sub version_of { my ($re, @cmd) = @_; my $r = run(@cmd); return "$r->{out}$r->{err}" =~ $re ? $1 : 'unknown' }

# machine_of - what the figures depend on
sub machine_of
{
	my ($b) = @_;
	my $info = slurp('/proc/cpuinfo');
	my ($cpu) = $info =~ /^model name\s*:\s*(.*)$/m;
	my ($kib) = slurp('/proc/meminfo') =~ /^MemTotal:\s+(\d+)/m;
	my @cores = $info =~ /^processor/mg;
	my ($kernel) = (POSIX::uname())[2];
	my ($load) = split ' ', slurp('/proc/loadavg');

	return {
		date => POSIX::strftime('%Y-%m-%d %H:%M UTC', gmtime), cores => scalar @cores, cpu => $cpu // 'unknown', memory_gib => sprintf('%.0f', $kib / 2**20),
		kernel => $kernel =~ s/-.*//r, filesystem => version_of(qr{(\S+)\s*\z}, 'df', '--output=fstype', $b->{dir}), load => $load,
		nginx => version_of(qr{nginx/(\S+)}, have_program('nginx'), '-v'), other => version_of(qr/(\d+\.\d+\.\d+)/, 'docker-registry', '--version'),
	};
}

# conditions_of - the same as a sentence for people; the load is what it was when this program began
sub conditions_of
{
	my ($b, $m, $rounds) = @_;

	return sprintf "%s: %d cores (%s), %s GiB, Linux %s, stores on %s; nginx %s, docker-registry %s. %s%s s a measurement%s. "
		. "The machine's load average was %s before it.\n",
		@$m{qw(date cores cpu memory_gib kernel filesystem nginx other)}, $rounds ? "$b->{rounds} rounds, " : '', $b->{seconds},
		$b->{scale} == 1 ? '' : ", stores and layers $b->{scale} times their size", $m->{load};
}

# put_between - text into a document between <!-- bench: NAME --> and <!-- end of NAME -->
sub put_between
{
	my ($file, $name, $text) = @_;
	my $doc = slurp($file);

	$doc =~ s/(<!-- bench: \Q$name\E -->\n).*?(<!-- end of \Q$name\E -->)/$1\n$text\n$2/s or die "$file has no marks for '$name'\n";
	spew($file, $doc);
	return;
}

1;
