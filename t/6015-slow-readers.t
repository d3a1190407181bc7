#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A client that asks for a large answer and reads none of it costs nginx a bounded amount of memory, and no worker.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Socket qw(SOL_SOCKET SO_RCVBUF pack_sockaddr_in inet_aton PF_INET SOCK_STREAM);
use Berth::Test;
use Berth::Check;

plain_build_only('it measures memory');
my ($clients, $size) = (40, 4 << 20);
my $s = Berth::Server->start(config => "fsync = \"off\";\n", workers => 2);
my ($d, $small) = $s->push_image('slow/app', 'small');
my $large = index_of(OCI_INDEX) =~ s/\}\z/',"annotations":{"x":"' . 'x' x ($size - 500) . '"}}'/er;
is $s->push_manifest('slow/app', 'large', $large, OCI_INDEX)->status, 201, 'there is a manifest of nearly 4 MiB';

# nginx_memory - KiB of memory of its own, all its processes
sub nginx_memory
{
	my $n = 0;

	for my $pid ($s->nginx_pid, Berth::Server::children($s->nginx_pid)) {
		$n += $1 if (content_of("/proc/$pid/status") // '') =~ /^RssAnon:\s*(\d+)/m;
	}
	return $n;
}

# ask - a client that sends a request and takes no more than the kernel takes for it, which is little
sub ask
{
	my ($path) = @_;

	socket my $k, PF_INET, SOCK_STREAM, 0 or die "socket: $!";
	setsockopt $k, SOL_SOCKET, SO_RCVBUF, pack 'i', 4096 or die "SO_RCVBUF: $!";
	connect $k, pack_sockaddr_in($s->port, inet_aton('127.0.0.1')) or die "connect: $!";
	syswrite $k, "GET $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	return $k;
}

# held - what nginx keeps for each of so many clients that read nothing, in KiB
sub held
{
	my ($path) = @_;
	my $answered = sub { return scalar grep { ($_->{event} // '') eq 'request' && ($_->{reference} // '') eq $path =~ s{.*/}{}r } $s->log_events };
	my ($before, $had) = (nginx_memory(), $answered->());
	my @k = map { ask($path) } 1 .. $clients;

	ok wait_for(sub { $answered->() == $had + $clients }), "workers are done with $clients requests of which nobody has read a byte ($path)";
	my $n = (nginx_memory() - $before) / $clients;
	return ($n, @k);
}

# the first ones make nginx's heap as large as it needs to be for anybody
$s->req('GET', "/v2/slow/app/manifests/$_") for ('large', 'small') x 20;
my ($of_small, @few) = held('/v2/slow/app/manifests/small');
my ($of_large, @many) = held('/v2/slow/app/manifests/large');
cmp_ok $of_large, '<', $of_small + 256, sprintf 'one that reads nothing of 4 MiB costs nginx less than 256 KiB more than one that reads nothing of a small answer (%.0f, %.0f)', $of_large, $of_small;
is scalar(grep { $s->req('GET', '/v2/slow/app/manifests/small')->body eq $small } 1 .. 50), 50, 'everybody else is answered meanwhile';
my $r = read_response($many[0], timeout => 60);
is $r->body, $large, 'who reads at last gets all of it';
close $_ for @few, @many;

done_testing;
