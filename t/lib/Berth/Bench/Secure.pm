# SPDX-License-Identifier: Apache-2.0
#
# Berth::Bench::Secure: the rows of TLS 1.3, over kept connections. Both sides have the same certificate, of an ECDSA key;
# wrk makes the load. The limit is berth's nginx sending a file over TLS.
package Berth::Bench::Secure;

use strict;
use warnings;

use Berth::Test;
use Berth::Bench;
use Berth::Bench::Pull;
use Berth::Bench::Sides;
use Berth::Bench::Wrk;

sub secure
{
	my ($b, $side) = @_;

	return side_of($b, $side, store => 'hundred', as => 'tls', tls => 1, limits => 1);
}

sub load
{
	my ($b, $side, $what, $limit, %o) = @_;
	my $s = secure($b, $side);

	return Berth::Bench::Wrk::load($b, $s, Berth::Bench::Pull::paths_of($b, $side eq 'limit' ? $limit : $what, $s), tls => 1,
		H => [Berth::Bench::Pull::accept_header()], %o);
}

# prepare - what is offered to those who know it is TLS 1.3
sub prepare
{
	my ($b) = @_;
	my (undef, undef, $ca) = Berth::Bench::Sides::certificate($b);

	for my $side (qw(berth other)) {
		my $r = run('curl', '-sS', '--fail', '--tlsv1.3', '--cacert', $ca, '-o', '/dev/null', 'https://127.0.0.1:' . secure($b, $side)->port . '/v2/');
		die "$side speaks no TLS 1.3: $r->{err}" if $r->{status};
	}
	return;
}

# cpu_gib - processor seconds of all its processes for a GiB
sub cpu_gib
{
	my ($b, $side) = @_;
	my @pids = pids(secure($b, $side));
	my $before = Berth::Bench::cpu(@pids);
	my $r = load($b, $side, 'cpu-gib', 'static-64m', c => 8, part => 1);

	return (Berth::Bench::cpu(@pids) - $before) / ($r->{bytes} / 2**30);
}

sub rows
{
	my ($b) = @_;
	my @common = (group => 'tls', as => 'rate', unit => 'requests/s', wrk => 2, peers => 'https', needs => \&Berth::Bench::Wrk::missing, prepare => \&prepare);
	my @limit = (sides => [qw(berth other limit)], limit => { what => 'nginx, a file' });

	return (
		{ @common, name => 'tls-manifest', title => 'GET manifest by tag, TLS 1.3', measure => sub { load(@_, 'manifest-tag')->{rate} } },
		{ @common, @limit, name => 'tls-1m', title => 'GET blob, 1 MiB, TLS 1.3', measure => sub { load(@_, 'blob-1m', 'static-1m')->{rate} } },
		{ @common, @limit, name => 'tls-cpu-gib', title => 'processor time of a GiB pulled, TLS 1.3', as => 'cost', unit => 's/GiB', peers => undef,
			measure => \&cpu_gib },
	);
}

1;
