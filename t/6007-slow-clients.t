#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Clients that send, or read, a byte a second hold up nobody.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(workers => 2);
my ($d, $m) = $s->push_image('slow/app', 'one', layers => ['layer']);
my $big = random_bytes(8 << 20);
my $big_d = $s->push_blob('slow/app', $big);

my (@sock, @loc);
for my $i (1 .. 50) {
	my $loc = upload_start($s, "slow/up$i");
	my $k = $s->sock;
	my $head = $i % 2 ? "Content-Length: 10\r\n\r\n" : "Transfer-Encoding: chunked\r\n\r\n";
	syswrite $k, "PATCH $loc HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/octet-stream\r\n$head";
	push @sock, $k;
	push @loc, $loc;
}
my @put;
my $text = image_of(OCI_MANIFEST, 'layer');
for my $i (1 .. 20) {
	my $k = $s->sock;
	syswrite $k, "PUT /v2/slow/app/manifests/s$i HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: ${\OCI_MANIFEST}\r\nContent-Length: " . length($text) . "\r\n\r\n";
	push @put, $k;
}
my @reader;
for my $i (1 .. 20) {
	my $k = $s->sock;
	syswrite $k, "GET /v2/slow/app/blobs/$big_d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	sysread $k, my $byte, 1;
	push @reader, $k;
}

my $bytes = 'abcdefghij';
my ($n, $fault) = (0, '');
for my $second (0 .. 4) {
	for my $i (0 .. $#sock) {
		my $b = substr $bytes, $second, 1;
		syswrite $sock[$i], $i % 2 ? "1\r\n$b\r\n" : $b;
	}
	syswrite $_, substr $text, $second, 1 for @put;
	# no slow one sends its next byte before these are answered
	for (1 .. 30) {
		my $r = $s->req('GET', '/v2/slow/app/manifests/one');
		$fault ||= 'GET ' . $r->status if $r->status != 200 || $r->body ne $m;
		if ($n % 10 == 0) {
			my $w = "quick $n";
			$fault ||= 'push failed' unless eval { $s->push_blob('slow/quick', $w) };
		}
		$n++;
	}
}
is $fault, '', 'ninety slow connections fail nobody else';
is $n, 150, 'whom two workers serve while the slow ones wait';

# they are served in the end
for my $i (0 .. $#sock) {
	syswrite $sock[$i], $i % 2 ? "5\r\nfghij\r\n0\r\n\r\n" : 'fghij';
}
is_deeply [map { my $r = eval { read_response($_) }; $r ? $r->status . ' ' . $r->header('Range') : 'nothing' } @sock], [('202 0-9') x 50], 'the slow PATCHes are taken when they are complete';
is $s->req('PUT', "$loc[7]?digest=" . sha256($bytes))->status, 201, 'with the right bytes';
syswrite $_, substr $text, 5 for @put;
is_deeply [map { my $r = eval { read_response($_) }; $r ? $r->status : 'nothing' } @put], [(201) x 20], 'the slow manifests too' if $s->push_blob('slow/app', 'layer');
my $rest = '';
1 while sysread $reader[0], $rest, 1 << 20, length $rest;
ok substr($rest, -length $big) eq $big, 'a reader that was slow gets all of its blob';
close $_ for @reader, @sock, @put;
is leftovers($s), '', 'nothing is left in body, tmp and trash';

done_testing;
