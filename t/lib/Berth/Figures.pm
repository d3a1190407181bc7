# SPDX-License-Identifier: Apache-2.0
#
# Berth::Figures: how many images a second machines take and give, for `scripts/machines FS --figures`. Nothing is asserted of it.
#
#   perl -It/lib -MBerth::Figures -e 'figures_print(@ARGV)' 20 PID http://10.150.7.11:5000 http://10.150.7.12:5000
#
# prints a line for the first machine alone, one for the first two, and so on. PID is that of scripts/machines: what all below it has used of processors
# depends less than all else on what runs beside it. An image is a config and three layers of 4 KiB that nobody has, each
# by one POST, and a manifest by a new tag, and a pull is the manifest by its tag and these four blobs. Each client has a repository of its own, and
# asks one machine after the other, as behind a balancer.
package Berth::Figures;

use strict;
use warnings;

use Exporter qw(import);
use POSIX ();
use Time::HiRes qw(clock_gettime sleep CLOCK_MONOTONIC);

use Berth::Machines;
use Berth::Test;

our @EXPORT = qw(figures figures_print);

my $CLIENTS = 8;

sub now { return clock_gettime(CLOCK_MONOTONIC) }

sub median
{
	my @v = sort { $a <=> $b } @_;

	return @v ? $v[@v / 2] : 0;
}

# asker - a function that asks the next machine, and dies where the answer has another status
sub asker
{
	my ($turn, @servers) = @_;

	return sub {
		my ($status, @request) = @_;
		my $r = $servers[$turn++ % @servers]->req(@request, timeout => 120);
		die "@request[0, 1]: " . $r->as_string if $r->status != $status;
		return $r;
	};
}

sub push_one
{
	my ($server, $ask, $repo, $tag) = @_;
	my ($config, @layers) = (qq({"of":"$repo $tag"}), map { random_bytes(4096) } 1 .. 3);
	my ($json, $type) = $server->image_manifest(config => $config, layers => \@layers, type => 'oci');

	$ask->(201, POST => "/v2/$repo/blobs/uploads/?digest=" . sha256($_), body => $_) for $config, @layers;
	$ask->(201, PUT => "/v2/$repo/manifests/$tag", body => $json, headers => ['Content-Type' => $type]);
	return;
}

sub pull_one
{
	my ($ask, $repo, $tag) = @_;
	my $json = $ask->(200, GET => "/v2/$repo/manifests/$tag")->json;

	$ask->(200, GET => "/v2/$repo/blobs/$_->{digest}") for $json->{config}, @{ $json->{layers} };
	return;
}

# used_below - milliseconds of processors that the processes below this one have used until now, but for this process and its own
sub used_below
{
	my ($top) = @_;
	my (%parent, %ticks);

	for my $file (glob '/proc/[0-9]*/stat') {
		my ($pid, $rest) = (eval { slurp($file) } // '') =~ /^(\d+) \(.*\) \S (.*)/s or next;
		my @f = split / /, $rest;
		($parent{$pid}, $ticks{$pid}) = ($f[0], $f[10] + $f[11]);
	}
	my $sum = 0;
	for my $pid (keys %parent) {
		my $at = $pid;
		$at = $parent{$at} while $at && $at != $top && $at != $$;
		$sum += $ticks{$pid} if $at && $at == $top;
	}
	return 1000 * $sum / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}

# each_client - what each one does again and again for so many seconds: how often a second all of them have done it, and the median of how long it
# took, and how much of a processor each was beyond what is used anyway, in milliseconds
sub each_client
{
	my ($seconds, $top, $idle, $do) = @_;
	my $used = used_below($top);
	my $began = now();
	my @all = run_parallel($CLIENTS, sub {
		my ($client) = @_;
		my @took;
		while (now() < $began + $seconds) {
			my $from = now();
			$do->($client, scalar @took);
			push @took, now() - $from;
		}
		return { took => \@took };
	});

	die join '', map { $_->{died} // () } @all if grep { $_->{died} } @all;
	my @took = map { @{ $_->{took} } } @all;
	my $took = now() - $began;
	return (@took / $took, 1000 * median(@took), (used_below($top) - $used - $idle * $took) / (@took || 1));
}

# idle - what all below a process use in a second in which nobody asks for anything
sub idle
{
	my ($top, $seconds) = @_;
	my $used = used_below($top);
	my $began = now();

	sleep $seconds;
	return (used_below($top) - $used) / (now() - $began);
}

# figures - of so many seconds of pushes and half as many of pulls
sub figures
{
	my ($name, $seconds, $top, $idle, @servers) = @_;
	my @ask = map { asker($_, @servers) } 0 .. $CLIENTS - 1;
	my $repo = sub { return "figures/$name/c$_[0]" };
	my %of;

	push_one($servers[0], $ask[$_], $repo->($_), 'v0') for 0 .. $CLIENTS - 1;
	@of{qw(images push_ms push_used)} = each_client($seconds, $top, $idle, sub { my ($c, $i) = @_; push_one($servers[0], $ask[$c], $repo->($c), 'v' . ($i + 1)) });
	@of{qw(pulls pull_ms pull_used)} = each_client($seconds / 2, $top, $idle, sub { my ($c) = @_; pull_one($ask[$c], $repo->($c), 'v0') });
	return \%of;
}

sub figures_print
{
	my ($seconds, $top, @urls) = @_;
	my @servers = map { m{^http://([\d.]+):(\d+)$} ? Berth::Machines::One->new($1, $2) : die "not an address: $_\n" } @urls;
	my ($load) = slurp('/proc/loadavg') =~ /^(\S+)/;

	local $| = 1;
	my $idle = idle($top, $seconds / 2);
	printf "%d clients, load average before it %s; ms each: the median; of processors: all but the clients, beyond the %.0f ms/s of machines at rest\n", $CLIENTS, $load, $idle;
	printf "%-10s %9s %9s %14s %9s %9s %14s\n", 'machines', 'images/s', 'ms each', 'of processors', 'pulls/s', 'ms each', 'of processors';
	for my $n (1 .. @servers) {
		my $of = figures("of$n", $seconds, $top, $idle, @servers[0 .. $n - 1]);
		printf "%-10d %9.1f %9.0f %14.0f %9.1f %9.0f %14.1f\n", $n, @$of{qw(images push_ms push_used pulls pull_ms pull_used)};
	}
	return;
}

1;
