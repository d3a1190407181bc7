#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Two hundred clients that send a byte now and then on uploads cost no worker: two workers serve everybody else.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(workers => 2);
my ($d, $m) = $s->push_image('slow/app', 'one', layers => ['layer']);
my @pids = $s->worker_pids;

# hundred - how many of a hundred requests are answered, of several kinds
sub hundred {
	my $n = 0;
	for my $i (1 .. 100) {
		my $ok = $i % 10 ? $s->req('GET', $i % 2 ? '/v2/slow/app/manifests/one' : '/v2/slow/app/tags/list')->status == 200
			: eval { $s->push_blob('slow/quick', "quick $i " . rand) };
		$n++ if $ok;
	}
	return $n;
}
is hundred(), 100, 'without slow clients a hundred requests are answered';

my (@sock, @loc);
for my $i (0 .. 199) {
	my $loc = upload_start($s, 'slow/up' . $i % 7);
	my ($method, $path) = ([PATCH => $loc], [PUT => "$loc?digest=" . sha256('abcdefghij')], [POST => '/v2/slow/post/blobs/uploads/?digest=' . sha256('abcdefghij')])[$i % 3]->@*;
	my $k = $s->sock;
	my $head = $i % 2 ? 'Content-Length: 10' : 'Transfer-Encoding: chunked';
	syswrite $k, "$method $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n$head\r\n\r\n";
	push @sock, $k;
	push @loc, $loc;
}
my $bytes = 'abcdefghij';
my $all = 0;
for my $second (0 .. 3) {
	for my $i (0 .. 199) {
		my $b = substr $bytes, $second, 1;
		syswrite $sock[$i], $i % 2 ? $b : "1\r\n$b\r\n";
	}
	$all += hundred();     # no slow one sends its next byte before that
}
is $all, 400, 'beside two hundred clients that send a byte now and then all of four hundred requests are answered';
is_deeply [$s->worker_pids], \@pids, 'by the same workers, which are no more than before';
is scalar(grep { defined } map { upload_range($s, $_) eq '0-0' ? 1 : undef } @loc[0, 1, 3, 4]), 4, 'no byte of a body that is still coming is counted';

# a third of them goes away half-way, the rest is served
my %gone = map { $_ => 1 } grep { $_ % 4 == 3 } 0 .. 199;
close $sock[$_] for keys %gone;
for my $i (grep { !$gone{$_} } 0 .. 199) {
	syswrite $sock[$i], $i % 2 ? 'efghij' : "6\r\nefghij\r\n0\r\n\r\n";
}
my %st;
for my $i (grep { !$gone{$_} } 0 .. 199) {
	my $r = eval { read_response($sock[$i]) };
	$st{ ('PATCH', 'PUT', 'POST')[$i % 3] . ' ' . ($r ? $r->status : 'nothing') }++;
}
is_deeply [sort keys %st], ['PATCH 202', 'POST 201', 'PUT 201'], 'those that stay are all served when their last byte has come' or diag explain \%st;
my @kept = grep { $gone{$_} && $_ % 3 < 2 } 0 .. 199;
is_deeply [map { upload_range($s, $loc[$_]) } @kept], [('0-0') x @kept], 'the uploads of those that went away half-way are as they were';
my $r = $s->req('PUT', $loc[$kept[0]] . '?digest=' . sha256($bytes), body => $bytes);
is $r->status, 201, 'and can be gone on with';
close $_ for @sock;
is leftovers($s), '', 'nothing is left in body, tmp and trash';

done_testing;
