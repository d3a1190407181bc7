#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# scripts/bench measures what it says: a short round of some rows, and the arithmetic of its table.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Berth::Test;
use Berth::Bench;
use Berth::Bench::Report;
use Berth::Bench::SVG;

plain_build_only('it measures time');
need_program('docker-registry', 'nginx');

# bench - the script on the build that is tested
sub bench { return run({ env => { BUILDDIR => build_dir() }, timeout => 120 }, source_dir() . '/scripts/bench', '--dir', tmp_dir(), @_) }

my $list = bench('--list');
my @names = $list->{out} =~ /^(\S+)/mg;
is $list->{status}, 0, '--list ends well';
cmp_ok scalar(@names), '>=', 17, '--list names every row';
my $r = bench('--only', 'nothing');
is $r->{status}, 2, 'a row that there is not is refused';
like $r->{err}, qr/no such row: nothing/, 'and named';
is bench('--strange')->{status}, 2, 'an option that there is not is refused';

my @short = ('--rounds', 2, '--seconds', 0.2, '--scale', 0.01);
$r = bench(@short, '--only', 'base,storm-off', '--json');
is $r->{status}, 0, 'two rows are measured' or diag($r->{err});
my $j = eval { JSON::PP->new->utf8->decode($r->{out}) } // {};
is_deeply [map { $_->{name} } @{ $j->{rows} }], ['base', 'storm-off'], 'these two';
for my $row (@{ $j->{rows} }) {
	is scalar(@{ $row->{rounds} }), 2, "$row->{name}: as many rounds as were asked for";
	cmp_ok $row->{berth}, '>', 0, "$row->{name}: berth did something";
	cmp_ok $row->{other}, '>', 0, "$row->{name}: docker-registry did, too";
	cmp_ok $row->{ratio_min}, '<=', $row->{ratio}, "$row->{name}: the least ratio is not above the median";
	cmp_ok $row->{ratio}, '<=', $row->{ratio_max}, "$row->{name}: and that not above the greatest";
}
$r = bench(@short, '--only', 'delete', '--rounds', 1);
my @line = grep { /^\| DELETE of a manifest among 100 tags \|/ } split /\n/, $r->{out};
is scalar(@line), 1, 'a table has a line of a row, with the size that it had' or diag("$r->{out}$r->{err}");
like $line[0] // '', qr/^\|[^|]*\| ms \| [\d.]+ \| [\d.]+ \| [\d.]+ \| [\d.]+ \| [\d.]+ \| ≥ 30 × \| (?:yes|\*\*no\*\*) \|/, 'figures of both sides, the ratio, the target and whether it is met';

# the arithmetic
my @rounds = ({ berth => 20, other => 10, limit => 40 }, { berth => 60, other => 10, limit => 40 }, { berth => 40, other => 10, limit => 40 });
my $rate = { as => 'rate', target => 4, limit => { share => 0.8 } };
my $s = Berth::Bench::summary($rate, @rounds);
is_deeply [@$s{qw(berth other limit ratio_min ratio ratio_max met of_limit limit_met)}], [40, 10, 40, 2, 4, 6, 1, 1, 1], 'a rate: more is better';
$s = Berth::Bench::summary({ as => 'time', target => 0.5, limit => { times => 0.5 } }, @rounds);
is_deeply [@$s{qw(ratio met limit_met)}], [0.25, 0, 0], 'a time: the ratio says how many times as fast berth is';
$s = Berth::Bench::summary({ as => 'cost', target => 4 }, @rounds);
is_deeply [@$s{qw(ratio met)}], [4, 1], 'a cost: the ratio is a share, and the target a bound above';
is_deeply [map { number($_) } 12345.6, 99.96, 1.234, 0.1234, undef], ['12,346', '100.0', '1.23', '0.123', '–'], 'figures have three digits';

my $doc = spew(tmp_dir() . '/doc.md', "before\n<!-- bench: a -->\nold\n<!-- end of a -->\nafter\n");
put_between($doc, 'a', "new\n");
put_between($doc, 'a', "newer\n");
is slurp($doc), "before\n<!-- bench: a -->\n\nnewer\n\n<!-- end of a -->\nafter\n", 'a document keeps what is not between the marks';
ok !eval { put_between($doc, 'b', ''); 1 }, 'marks that are not there are an error';

my $svg = Berth::Bench::SVG::picture({ title => 'a < b', x => 'n', y => 'ms', lines => { berth => [[1, 2], [10, 20], [100, 30]], 'docker-registry' => [[1, 5]] } });
like $svg, qr/\A<svg .*<\/svg>\n\z/s, 'a picture is one element';
is scalar(() = $svg =~ /<circle/g), 4, 'and has every point';
unlike $svg, qr/a < b/, 'and its texts are escaped';

done_testing;
