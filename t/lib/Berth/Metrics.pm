# SPDX-License-Identifier: Apache-2.0
#
# Berth::Metrics: what /metrics says, taken apart.
#
#   my $m = metrics($s);
#   $m->{'berth_http_requests_total{route="tags",method="GET",status="200"}'}
package Berth::Metrics;

use strict;
use warnings;
use Exporter qw(import);

our @EXPORT = qw(metrics scrape families by_name delta);

# scrape - the text
sub scrape
{
	my ($s) = @_;
	my $r = $s->watch('/metrics');

	die 'GET /metrics: ' . $r->as_string if $r->status != 200;
	return $r->body;
}

# metrics - of a server, or in a text: { sample with its labels => value }
sub metrics
{
	my ($from) = @_;
	my $text = ref $from ? scrape($from) : $from;

	return { map { /^([^#].*) (\S+)$/ ? ($1 => $2) : () } split /\n/, $text };
}

# families - in a text: { name => { type, help, labels => { name => 1 } } }
sub families
{
	my ($text) = @_;
	my %of;

	for (split /\n/, $text) {
		$of{$1}{help} = $2 if /^# HELP (\S+) (.*)$/;
		$of{$1}{type} = $2 if /^# TYPE (\S+) (\S+)$/;
		next if !/^([a-z_]+)(?:\{(.*)\})? /;
		my ($name, $labels) = ($1, $2 // '');
		$name =~ s/_(?:bucket|sum|count)$// if !$of{$name};
		$of{$name}{labels}{$_} = 1 for grep { $_ ne 'le' } $labels =~ /([a-z]+)="/g;
	}
	return \%of;
}

# by_name - the sum of all samples of this name
sub by_name
{
	my ($m, $name) = @_;
	my $sum = 0;

	$sum += $m->{$_} for grep { /^\Q$name\E(?:\{|$)/ } keys %$m;
	return $sum;
}

# delta - how much a sample, or all of a name, has grown: delta($before, $after, 'name{label="x"}')
sub delta
{
	my ($before, $after, $name) = @_;

	return by_name($after, $name) - by_name($before, $name) if $name !~ /\{/;
	return ($after->{$name} // 0) - ($before->{$name} // 0);
}

1;
