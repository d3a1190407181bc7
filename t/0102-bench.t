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
use Berth::Other;
use Berth::Bench::Disk;
use Berth::Bench::Report;
use Berth::Bench::SVG;

plain_build_only('it measures time');
need_program('docker-registry', 'nginx', 'curl', 'wrk');

# bench - the script on the build that is tested
my $runs = tmp_dir();
sub bench { return run({ env => { BUILDDIR => build_dir() }, timeout => 600 }, source_dir() . '/scripts/bench', '--dir', $runs, @_) }

my $list = bench('--list');
my @names = $list->{out} =~ /^(\S+)/mg;
is $list->{status}, 0, '--list ends well';
cmp_ok scalar(@names), '>=', 50, '--list names every row';
my $r = bench('--only', 'nothing');
is $r->{status}, 2, 'a row that there is not is refused';
like $r->{err}, qr/no such row: nothing/, 'and named';
is bench('--strange')->{status}, 2, 'an option that there is not is refused';

for (['--load', 'siege'], ['--disk', 'ntfs'], ['--peer', 'x=ftp://h'], ['--peer', 'berth=http://127.0.0.1:1']) {
	$r = bench(@$_);
	is $r->{status}, 2, "@$_ is refused";
	like $r->{err}, qr/\Abench: $_->[0]\b[^\n]*\n\z/, 'in one line';
}

# a registry that already runs, and the load of wrk
my $peer = Berth::Other->new(root => tmp_dir(), cache => 1)->start;
my @short = ('--rounds', 2, '--seconds', 0.2, '--scale', 0.01);
$r = bench(@short, '--only', 'base,storm-off,stream', '--json', '--load', 'wrk', '--peer', 'running=http://' . $peer->host);
is $r->{status}, 0, 'three rows are measured' or diag($r->{err});
my $j = eval { JSON::PP->new->utf8->decode($r->{out}) } // {};
is_deeply [map { $_->{name} } @{ $j->{rows} }], ['base', 'storm-off', 'stream'], 'these three';
for my $row (@{ $j->{rows} }) {
	is scalar(@{ $row->{rounds} }), $row->{name} eq 'stream' ? 6 : 2, "$row->{name}: as many rounds, or pairs in them, as were asked for";
	cmp_ok $row->{berth}, '>', 0, "$row->{name}: berth did something";
	cmp_ok $row->{other}, '>', 0, "$row->{name}: docker-registry did, too";
	cmp_ok $row->{ratio_min}, '<=', $row->{ratio}, "$row->{name}: the least ratio is not above the median";
	cmp_ok $row->{ratio}, '<=', $row->{ratio_max}, "$row->{name}: and that not above the greatest";
	is !!$row->{peers}{running}, $row->{name} ne 'storm-off', "$row->{name}: the one that runs is measured where its URL is enough";
}
like $j->{machine}{wrk} // '', qr/^wrk \S+ -t2 -c32$/, 'the load is said to be that of wrk';
my $no_disk = Berth::Bench::Disk::impossible('ext4');
$no_disk ? is($j->{machine}{pushes}, $j->{machine}{filesystem}, "what is pushed lies beside the rest, for $no_disk")
	: like($j->{machine}{pushes}, qr/^ext4 with a journal/, 'what is pushed lies on a file system with a journal');
# the kernel lets go of a loop device some time after it is unmounted
ok wait_for { "@{[ slurp('/proc/mounts') ]}@{[ run('losetup', '--list', '--output', 'BACK-FILE')->{out} ]}" !~ m{\Q$runs\E/} }, 'which is gone with the run';
$r = bench(@short, '--only', 'delete', '--rounds', 1);
my @line = grep { /^\| DELETE of a manifest among 100 tags \|/ } split /\n/, $r->{out};
is scalar(@line), 1, 'a table has a line of a row, with the size that it had' or diag("$r->{out}$r->{err}");
like $line[0] // '', qr/^\|[^|]*\| ms \| [\d.]+ \| [\d.]+ \| [\d.]+ \| [\d.]+ \| [\d.]+ \| ≥ 30 × \| (?:yes|\*\*no\*\*) \|/, 'figures of both sides, the ratio, the target and whether it is met';
$r = bench(@short, '--only', 'repos-name,repos-pushed,shown-name,shown-pushed,shown-q', '--rounds', 1, '--scale', 0.012);
@line = grep { /\bthe (?:page's list|same by push)\b/ } split /\n/, $r->{out};
is scalar(@line), 5, "the lists of the page are measured, where they are what they have to be" or diag("$r->{out}$r->{err}");
is scalar(grep { /\| by name: [\d.]+ \| [\d.]+× \(≤ 3: (?:yes|within 10 %|\*\*no\*\*)\) \|/ } @line), 2, '... by push beside those by name';

# the programs that make the load
my $server = Berth::Server->start(workers => 2);
my $digest = $server->push_blob('load/app', random_bytes(100_000));
my $file = spew(tmp_dir() . '/paths', "GET /v2/\nGET /v2/load/app/blobs/$digest Range: bytes=1-10\n");
sub load { my $l = run(program('t/bench/bench_load'), @_); return eval { JSON::PP->new->decode($l->{out}) } // { error => "$l->{status} $l->{err}" } }
my $l = load('-c', 2, '-n', 3, '-s', 60, $server->port, 'pulls', $file);
is_deeply [@$l{qw(units requests errors)}], [3, 6, 0], 'a pull is all lines of a file' or diag explain $l;
cmp_ok $l->{bytes}, '<', 20_000, 'and a line may have a header of its own: a range is not the blob';
$l = load('-c', 1, '-n', 1, '-a', '127.0.0.1', '-o', 'registry.example', $server->port, 'paths', $file);
is $l->{units}, 1, 'an address and a host may be given' or diag explain $l;
for (['idle ones', '/v2/'], ['slow readers', "/v2/load/app/blobs/$digest", '-r', 10]) {
	my ($who, $path, @slowly) = @$_;
	for my $closed (0, 1) {
		my $out = spew(tmp_dir() . '/held', '');
		my $pid = $server->spawn($out, program('t/bench/bench_hold'), '-c', 120, @slowly, $server->port, $path);
		wait_for { slurp($out) =~ /^ready$/m };
		if ($closed) {
			$server->stop_nginx;
			$server->start_nginx;
		}
		kill TERM => $pid;
		waitpid $pid, 0;
		my ($held) = map { JSON::PP->new->decode($_) } slurp($out) =~ /^(\{.*)/m;
		is $held->{held}, 120, "$who are held";
		# what was sent already is still read, slowly
		is $held->{closed}, $closed ? 120 : 0, $closed ? 'and counted where they are closed' : 'and none is closed' if !$closed || !@slowly;
	}
}

# the arithmetic
my @rounds = ({ berth => 20, other => 10, limit => 40 }, { berth => 60, other => 10, limit => 40 }, { berth => 40, other => 10, limit => 40 });
my $rate = { as => 'rate', target => 4, limit => { share => 0.8 } };
my $s = Berth::Bench::summary($rate, @rounds);
is_deeply [@$s{qw(berth other limit ratio_min ratio ratio_max met of_limit limit_met)}], [40, 10, 40, 2, 4, 6, 1, 1, 1], 'a rate: more is better';
$s = Berth::Bench::summary({ as => 'time', target => 0.5, limit => { times => 0.5 } }, @rounds);
is_deeply [@$s{qw(ratio met limit_met)}], [0.25, 0, 0], 'a time: the ratio says how many times as fast berth is';
$s = Berth::Bench::summary({ as => 'cost', target => 4 }, @rounds);
is_deeply [@$s{qw(ratio met)}], [4, 1], 'a cost: the ratio is a share, and the target a bound above';
is_deeply [@{ Berth::Bench::summary({ as => 'rate', target => 4.4 }, @rounds) }{qw(ratio met near)}], [4, 1, 1], 'a target that is missed by 10 % or less is met, nearly';
is_deeply [@{ Berth::Bench::summary({ as => 'rate', target => 4.5 }, @rounds) }{qw(met near)}], [0, 0], 'by more it is not';
is_deeply [@{ Berth::Bench::summary({ as => 'cost', target => 3.7 }, @rounds) }{qw(met near)}], [1, 1], 'the same of costs';
for ([1, 1], [0, 0]) {
	my ($either, $met) = @$_;
	$s = Berth::Bench::summary({ as => 'rate', target => 40, either => $either, limit => { share => 0.8 } }, @rounds);
	is_deeply [@$s{qw(met limit_met)}], [$met, 1], $either ? 'where one of two is enough, one is' : 'where it is not, it is not';
}
$s = Berth::Bench::summary({ as => 'time' }, map { { %$_, 'peer x' => 5 } } @rounds);
is_deeply $s->{peers}, { x => { value => 5, ratio => 2 } }, 'a peer is compared with docker-registry';
my $row = { name => 'r', title => 'a row', as => 'rate', unit => 'u', target => 4.4, either => 1, wrk => 1, limit => { what => 'the wire', share => 3 } };
my $table = short_table_of({ %$row, summary => Berth::Bench::summary($row, map { { %$_, 'peer x' => 5 } } @rounds) }, { title => 'none', not => 'no reason' });
like $table, qr/^\| a row \| wrk \| u \| 40\.0 \| 10\.0 \| 4\.00 \(2\.00–6\.00\) \| ≥ 4\.4 × or ≥ 3 × the wire \| 1\.00 \| within 10 % \| 5\.00 \| 0\.500 \|$/m,
	'the short table has all in a line';
like $table, qr/^Not measured here: none \(no reason\)\.$/m, 'and says what is missing, and why';
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

SKIP: {
	skip_long('a thousand manifests are pushed to a registry that runs', 1);
	$r = bench(@short, '--only', 'manifest-tag,blob-1m,ranges,tags-1,storm-1,push-gib,herd,slow-readers', '--peer', 'running=http://' . $peer->host);
	my @lines = grep { /^\| .* \| [\d.,]+ \| [\d.,]+ \|$/ } split /\n/, $r->{out};
	is scalar(@lines), 8, 'all rows that need nothing but a URL have the figures of the one that runs' or diag "$r->{out}$r->{err}";
}

done_testing;
