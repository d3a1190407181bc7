# SPDX-License-Identifier: Apache-2.0
#
# Berth::Bench::Growth: how things change with how much there is: connections, clients, objects, workers. Each point is
# measured once; a curve is read as a whole.
package Berth::Bench::Growth;

use strict;
use warnings;

use POSIX ();
use Time::HiRes qw(time);

use Berth::Test;
use Berth::Check;
use Berth::GC qw(bare_store lay_store make_old gc collect_with_docker_registry);
use Berth::Bench;
use Berth::Bench::Sides;
use Berth::Bench::Pull;
use Berth::Bench::List;
use Berth::Bench::Report;
use Berth::Bench::SVG;

my %CALLED = (berth => 'berth', other => 'docker-registry', limit => 'bare FastCGI');

# curve - one chart: measures every side at every point, until a side takes longer than `patience` for one
sub curve
{
	my ($b, $title, $x, $y, $points, $sides, $measure) = @_;
	my %lines;
	my $patience = 60;

	$b->progress("growth: $title");
	for my $side (@$sides) {
		for my $n (@$points) {
			my $began = time;
			my $v = $measure->($side, $n);
			push @{ $lines{ $CALLED{$side} } }, [$n, $v] if defined $v && $v > 0;
			$b->progress(sprintf '  %-6s %7d %.4g', $side, $n, $v // 0);
			last if time - $began > $patience;
		}
	}
	$b->forget;
	return { title => $title, x => $x, y => $y, lines => \%lines };
}

sub doubled { my ($from, $to) = @_; my @v = ($from); push @v, 2 * $v[-1] while 2 * $v[-1] <= $to; return \@v }

# tens - 100, 1000 ... up to 100,000, less where everything is to be smaller
sub tens { my ($b) = @_; return [grep { $_ <= 100_000 * $b->{scale} || $_ == 100 } 100, 1000, 10_000, 100_000] }

sub connections
{
	my ($b) = @_;
	my $accept = [Berth::Bench::Pull::accept_header()];

	return curve($b, 'GET manifest by tag', 'connections', 'requests/s', doubled(1, 256), [qw(berth other limit)], sub {
		my ($side, $n) = @_;
		my $paths = Berth::Bench::Pull::paths_of($b, $side eq 'limit' ? 'bare' : 'manifest-tag');
		return $b->load(side_of($b, $side, store => 'hundred', limits => 1), paths => $paths, c => $n, H => $accept)->{rate};
	});
}

sub clients
{
	my ($b) = @_;

	return curve($b, 'push of images of 3 layers of 4 KiB', 'clients', 'images/s', doubled(1, 64), [qw(berth other)], sub {
		my ($side, $n) = @_;
		return $b->load(side_of($b, $side, store => 'hundred', disk => 1), images => "growth/$n", c => $n)->{rate};
	});
}

# grown - what servers of these sides make of a store that `lay` fills; each measures it, then it is removed. Where more than
# one is named they only read. { side => what `measure` returns }
sub grown
{
	my ($b, $sides, $lay, $measure) = @_;
	my $s = bare_store("$b->{dir}/grown");
	my %v;

	$lay->($s);
	for my $side (@$sides) {
		my $server = $side eq 'berth' ? Berth::Server->start(root => $s->root, workers => workers(), config => "delete = true;\n")
			: Berth::Other->new(root => $s->root, cache => 1, accesslog => 1)->start;
		$v{$side} = eval { $measure->($server, $side) };
		my $fault = $@;
		$server->stop;
		die $fault if !defined $v{$side};
	}
	run({ timeout => 1200 }, 'rm', '-rf', $s->root);
	return \%v;
}

# pages - charts of pages, [title, x, path]: for each number of objects one store, which both sides read; the path is given the
# side and the number
sub pages
{
	my ($b, $sides, $lay, @charts) = @_;
	my @out = map { { title => $_->[0], x => $_->[1], y => 'ms', lines => {} } } @charts;

	for my $n (@{ tens($b) }) {
		my $v = grown($b, $sides, sub { $lay->($_[0], $n) }, sub {
			my ($server, $side) = @_;
			return [map { Berth::Bench::List::page($b, $server, $_->[2]->($side, $n)) } @charts];
		});
		for my $side (@$sides) {
			push @{ $out[$_]{lines}{ $CALLED{$side} } }, [$n, $v->{$side}[$_]] for 0 .. $#charts;
			$b->progress("  $side, $n $charts[0][1]: " . join ', ', map { sprintf '%.2f ms', $_ } @{ $v->{$side} });
		}
	}
	return @out;
}

sub tags { my ($n) = @_; return map { sprintf 'v%06d', $_ } 1 .. $n }
sub repositories { my ($n) = @_; return map { sprintf 'team%02d/app%06d', $_ % 100, $_ } 1 .. $n }
sub fifty_before_last { my @n = repositories(@_); @n = sort @n; return $n[-51] }

# lay_names - repositories of one blob and nothing else: there is no quicker way to have many
sub lay_names
{
	my ($s, @names) = @_;
	my $d = lay_blob($s, $names[0], '{}');
	my $hex = $d =~ s/.*://r;

	for (@names) {
		my $p = data_dir($s) . "/repositories/$_";
		my ($above) = $p =~ m{^(.*)/};
		lay_dirs($above, $p, "$p/_layers", "$p/_layers/sha256", "$p/_layers/sha256/$hex", ["$p/_layers/sha256/$hex/link", $d], "$p/_manifests");
	}
	return;
}

sub objects
{
	my ($b) = @_;
	my $sides = [qw(berth other)];

	return (
		pages($b, $sides, sub { lay_names($_[0], repositories($_[1])) },
			['first catalog page, n=100', 'repositories', sub { '/v2/_catalog?n=100' }],
			['last catalog page, n=100', 'repositories', sub { '/v2/_catalog?n=100&last=' . fifty_before_last($_[1]) }]),
		pages($b, $sides, sub { lay_tags($_[0], 'many', lay_repositories($_[0], 'many'), tags($_[1])) },
			['tags, the last n=100 (docker-registry: all)', 'tags',
				sub { '/v2/many/tags/list' . ($_[0] eq 'berth' ? sprintf('?n=100&last=v%06d', $_[1] - 50) : '') }]),
		pages($b, ['berth'], sub { lay_referrers(@_) },
			['referrers, the first page (berth alone)', 'referrers of one subject',
				sub { '/v2/cost/app/referrers/' . sha256('subject') . '?n=100' }]),
		curve($b, 'DELETE of a manifest', 'other tags', 'ms', tens($b), $sides, sub {
			my ($side, $n) = @_;
			return grown($b, [$side], sub { lay_tags($_[0], 'among', lay_repositories($_[0], 'among'), tags($n)) },
				sub { return Berth::Bench::List::delete_time($b, $_[0], 3) })->{$side};
		}),
		curve($b, 'gc, a tenth is garbage', 'blobs and manifests', 's', tens($b), $sides, sub { return gc_time($b, @_) }),
	);
}

sub lay_referrers
{
	my ($s, $n) = @_;
	my $m = image_of(OCI_MANIFEST, '{}') =~ s/\}\z/,"subject":@{[ desc(OCI_MANIFEST, 'subject') ]},"annotations":/r;

	lay_blob($s, 'cost/app', '{}');
	lay_manifest($s, 'cost/app', qq($m\{"n":"$_"}})) for 1 .. $n;
	return;
}

sub gc_time
{
	my ($b, $side, $n) = @_;
	my $s = bare_store("$b->{dir}/grown");

	lay_store($s, repositories => 20, images => $n / 2, layers => 0, garbage => 10);
	make_old($s, 3 * 24 * 3600);
	run('sync', '-f', $b->{dir});
	my $began = time;
	my $r = $side eq 'berth' ? gc($s) : collect_with_docker_registry($s->root);
	my $took = time - $began;
	run('rm', '-rf', $s->root);
	die "the collector ended with $r->{status}: $r->{err}\n" if $r->{status};
	return $took;
}

sub memory
{
	my ($b) = @_;
	my $paths = Berth::Bench::Pull::paths_of($b, 'manifest-tag');

	return curve($b, 'memory (PSS) after a load, all processes', 'workers', 'MiB', doubled(1, 64), ['berth'], sub {
		my ($side, $n) = @_;
		my $s = side_of($b, $side, store => 'hundred', as => "workers $n", workers => $n);
		$b->load($s, paths => $paths, H => [Berth::Bench::Pull::accept_header()]);
		my $v = Berth::Bench::pss(pids($s));
		$b->forget;
		return $v;
	});
}

# table - one chart's figures: a line for each side
sub table
{
	my ($c) = @_;
	my %x = map { $_->[0] => 1 } map { @$_ } values %{ $c->{lines} };
	my @x = sort { $a <=> $b } keys %x;

	return "**$c->{title}** ($c->{y})\n\n" . grid([$c->{x}, map { Berth::Bench::commas($_) } @x], map {
		my %at = map { @$_ } @{ $c->{lines}{$_} };
		[$_, map { number($at{$_}) } @x]
	} sort keys %{ $c->{lines} });
}

# measure - all curves: (Markdown, picture)
sub measure
{
	my ($b) = @_;
	my @charts = (connections($b), clients($b), objects($b), memory($b));

	$b->forget(1);
	return (join("\n", "![the same as curves](growth.svg)\n", map { table($_) } @charts), Berth::Bench::SVG::picture(@charts));
}

1;
