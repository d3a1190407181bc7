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

our @EXPORT = qw(table_of short_table_of json_of machine_of conditions_of number grid put_between);

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

sub yes { my ($met, $near) = @_; return !defined $met ? '' : !$met ? '**no**' : $near ? 'within 10 %' : 'yes' }

# wanted - what is asked of the limit's figure
sub wanted { my ($l) = @_; return $l->{share} ? "≥ $l->{share}" : $l->{times} ? "≤ $l->{times}" : '' }

# The limit, its figure, and how near berth came to it.
sub limit_text
{
	my ($row, $s) = @_;
	my $l = $row->{limit};

	return ('', '') if !$l || !defined $s->{limit};
	my $want = wanted($l) ? ' (' . wanted($l) . ': ' . yes(@$s{qw(limit_met limit_near)}) . ')' : '';
	return ("$l->{what}: " . number($s->{limit}), $l->{unlike} ? '' : sprintf('%.2f×%s', $s->{of_limit}, $want));
}

# peers_of - the names of all peers that have a figure in one of the rows
sub peers_of
{
	my %names = map { map { ($_ => 1) } keys %{ $_->{summary}{peers} // {} } } @_;
	my @sorted = sort keys %names;

	return @sorted;
}

sub peer_cells
{
	my ($s, @peers) = @_;

	return map { my $p = $s->{peers}{$_}; $p ? (number($p->{value}), number($p->{ratio})) : ('', '') } @peers;
}

sub peer_heads { return map { ($_, "$_: ratio") } @_ }

# left_out - the rows that could not be measured, and why
sub left_out
{
	my @not = grep { $_->{not} } @_;

	return @not ? "\nNot measured here: " . join('; ', map { "$_->{title} ($_->{not})" } @not) . ".\n" : '';
}

# table_of - everything that is known of each row
sub table_of
{
	my (@rows) = @_;
	my @peers = peers_of(@rows);
	my @head = ('work', 'unit', 'berth', 'docker-registry', 'ratio: min', 'median', 'max', 'target', 'met', 'limit beside it', 'berth / limit', peer_heads(@peers));

	return grid(\@head, map {
		my $s = $_->{summary};
		[$_->{title}, $_->{unit}, number($s->{berth}), number($s->{other}), map({ number($s->{$_}) } qw(ratio_min ratio ratio_max)),
			target_text($_), yes(@$s{qw(met near)}), limit_text($_, $s), peer_cells($s, @peers)]
	} grep { !$_->{not} } @rows) . left_out(@rows);
}

# either_text - the target in words: of docker-registry, and of the limit where that is asked for
sub either_text
{
	my ($row) = @_;
	my $l = $row->{limit} // {};
	my @parts = (target_text($row), wanted($l) ? wanted($l) . " × $l->{what}" : ());

	return join $row->{either} ? ' or ' : ', ', grep { length } @parts;
}

# both_met - the verdict on a row with all that is asked of it
sub both_met
{
	my ($row) = @_;
	my $s = $row->{summary};
	my @all = ([@$s{qw(met near)}], $row->{either} ? () : [@$s{qw(limit_met limit_near)}]);

	@all = grep { defined $_->[0] } @all;
	return '' if !@all;
	return yes((grep { !$_->[0] } @all) ? 0 : 1, (grep { $_->[1] } @all) ? 1 : 0);
}

# short_table_of - the rows with what makes the load, and the ratio in one cell
sub short_table_of
{
	my (@rows) = @_;
	my @peers = peers_of(@rows);

	return grid(['work', 'load', 'unit', 'berth', 'docker-registry', 'ratio (min–max)', 'to reach', 'berth / limit', 'met', peer_heads(@peers)], map {
		my $s = $_->{summary};
		[$_->{title}, $_->{wrk} ? 'wrk' : $_->{with} // 'bench_load', $_->{unit}, number($s->{berth}), number($s->{other}),
			number($s->{ratio}) . ' (' . number($s->{ratio_min}) . '–' . number($s->{ratio_max}) . ')', either_text($_),
			!defined $s->{of_limit} || $_->{limit}{unlike} ? '' : number($s->{of_limit}), both_met($_), peer_cells($s, @peers)]
	} grep { !$_->{not} } @rows) . left_out(@rows);
}

sub json_of
{
	my ($b, @rows) = @_;

	return JSON::PP->new->canonical->pretty->utf8->encode({
		machine => { %{ machine_of($b) }, pushes => pushes_of($b) }, rounds => $b->{rounds}, seconds => $b->{seconds}, scale => $b->{scale},
		rows => [map { my $r = $_; +{ map({ ($_ => $r->{$_}) } grep { defined $r->{$_} } qw(name title as unit target limit either not rounds)), %{ $r->{summary} } } } @rows] });
}

sub version_of { my ($re, @cmd) = @_; my $r = run(@cmd); return "$r->{out}$r->{err}" =~ $re ? $1 : 'unknown' }

# filesystem_of - of a directory; ext4 without a journal is said to be that
sub filesystem_of
{
	my ($dir) = @_;
	my ($device, $type) = run('df', '--output=source,fstype', $dir)->{out} =~ /(\S+)\s+(\S+)\s*\z/ or return 'unknown';
	my $name = $device =~ s{.*/}{}r;

	return $type if $type ne 'ext4';
	return (() = glob "/proc/fs/jbd2/$name-*") ? 'ext4' : 'ext4 without a journal';
}

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
		kernel => $kernel =~ s/-.*//r, filesystem => filesystem_of($b->dir), load => $load,
		nginx => version_of(qr{nginx/(\S+)}, have_program('nginx'), '-v'), other => version_of(qr/(\d+\.\d+\.\d+)/, 'docker-registry', '--version'),
		wrk => $b->{wrk} ? Berth::Bench::Wrk::words_of() : undef,
	};
}

# pushes_of - the file system of what is pushed to; known when it has been made
sub pushes_of { my ($b) = @_; return $b->{disk} ? $b->{disk}->words : filesystem_of($b->dir) }

# conditions_of - the same as sentences for people; the load is what it was when this program began
sub conditions_of
{
	my ($b, $m, $rounds) = @_;

	return sprintf "%s: %d cores (%s), %s GiB, Linux %s, stores on %s, those that are pushed to on %s; nginx %s, docker-registry %s%s. %s%s s a measurement%s. "
		. "The machine's load average was %s before it.\n",
		@$m{qw(date cores cpu memory_gib kernel filesystem)}, pushes_of($b), @$m{qw(nginx other)}, $m->{wrk} ? ", $m->{wrk}" : '', $rounds ? "$b->{rounds} rounds, " : '', $b->{seconds},
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
