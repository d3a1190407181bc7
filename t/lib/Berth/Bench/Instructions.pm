# SPDX-License-Identifier: Apache-2.0
#
# Berth::Bench::Instructions: how many instructions a worker executes for a request, by callgrind. Hardly depends on what else
# the machine does, so it shows what a change costs or saves where times do not.
package Berth::Bench::Instructions;

use strict;
use warnings;

use Berth::Test;
use Berth::Bench;
use Berth::Bench::Sides;
use Berth::Bench::Pull;
use Berth::Bench::Report;

my @ROUTES = (['manifest-tag', 'GET manifest by tag'], ['manifest-digest', 'GET manifest by digest'], ['blob-head', 'HEAD blob'], ['blob-1k', 'GET blob']);
my ($FEW, $MANY) = (50, 550);
my $TOP = 6;

# counted - a server under callgrind answers so many requests and ends; the files that callgrind left, one a process
sub counted
{
	my ($bench, $route, $n) = @_;
	my $out = "$bench->{dir}/callgrind.$route.$n";
	my $s = Berth::Server->start(root => store_of($bench, 'hundred', 'berth')->root, workers => 1, config => "delete = true;\nupload_workers = 1;\n",
		wrap => ['valgrind', '-q', '--tool=callgrind', '--callgrind-out-file=' . $out . '.%p']);

	$bench->load($s, paths => Berth::Bench::Pull::paths_of($bench, $route), c => 1, n => $n, H => [Berth::Bench::Pull::accept_header()]);
	$s->stop;
	return glob "$out.*";
}

sub total_of
{
	my $n = 0;

	for my $file (@_) {
		$n += $1 if slurp($file) =~ /^(?:totals|summary): (\d+)/m;
	}
	return $n;
}

# hottest - the functions in which most instructions were, with their share
sub hottest
{
	my ($file) = @_;
	my @lines = split /\n/, run('callgrind_annotate', '--threshold=100', $file)->{out};

	return map { /^\s*[\d,]+ \(\s*([\d.]+)%\)\s+\S*?:([^\s\[]+)/ ? "$2 $1%" : () } @lines;
}

# measure - a table in Markdown. What starting and ending cost goes away in the difference of two runs.
sub measure
{
	my ($bench) = @_;
	my @rows;

	for my $r (@ROUTES) {
		my ($name, $title) = @$r;
		my @few = counted($bench, $name, $FEW);
		my @many = counted($bench, $name, $MANY);
		my $each = (total_of(@many) - total_of(@few)) / ($MANY - $FEW);
		my ($busiest) = sort { total_of($b) <=> total_of($a) } @many;
		my @top = hottest($busiest);
		die "callgrind counted nothing\n" if $each <= 0;
		push @rows, [$title, number($each), join ', ', grep { defined } @top[0 .. $TOP - 1]];
		$bench->progress(sprintf '  %-16s %d instructions', $name, $each);
	}
	$bench->forget(1);
	return grid(['route', 'instructions of the worker for a request', 'where most of them are, in themselves'], @rows);
}

1;
