#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# How large, how deep and how full a manifest may be.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(time);
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start;
$s->push_blob('lim/app', '{}');

sub put { my ($srv, $text, %o) = @_; return $srv->req('PUT', '/v2/lim/app/manifests/' . (delete $o{ref} // 't'), headers => ['Content-Type' => OCI_MANIFEST], body => $text, %o) }

# an image of exactly so many bytes
sub sized {
	my ($size, $pad) = @_;
	my $head = '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . desc(OCI_CONFIG, '{}') . ',"layers":[]';
	return $head . '}' . ' ' x ($size - 1 - length $head) if $pad;
	$head .= ',"annotations":{"a":"';
	return $head . 'x' x ($size - length($head) - 3) . '"}}';
}

my $limit = 4 << 20;
for my $pad (0, 1) {
	my $what = $pad ? 'padded with blanks' : 'with a long annotation';
	for my $chunked (0, 1) {
		my $how = $chunked ? 'chunked' : 'with a length';
		my $text = sized($limit, $pad);
		is length $text, $limit, 'a manifest of exactly 4 MiB' unless $chunked;
		is put($s, $text, chunked => $chunked)->status, 201, "4 MiB are taken ($what, $how)";
		ok $s->req('GET', '/v2/lim/app/manifests/t')->body eq $text, "and served ($what, $how)";
		my $before = $s->tree_digest;
		error_is put($s, sized($limit + 1, $pad), chunked => $chunked), 413, 'SIZE_INVALID', "one byte more is 413 SIZE_INVALID ($what, $how)";
		my $big = sized($limit + 1, $pad);
		error_is put($s, $big, chunked => $chunked, ref => sha256($big)), 413, 'SIZE_INVALID', "and by digest ($what, $how)";
		error_is put($s, sized(3 * $limit, $pad), chunked => $chunked), 413, 'SIZE_INVALID', "three times as much is 413 ($what, $how)";
		is $s->tree_digest, $before, "nothing of it is stored ($what, $how)";
	}
}
is leftovers($s), '', 'nothing is left in body, tmp and trash';
my $sock = $s->sock;
syswrite $sock, "PUT /v2/lim/app/manifests/t HTTP/1.1\r\nHost: x\r\nContent-Type: ${\OCI_MANIFEST}\r\nContent-Length: 1073741824\r\n\r\n";
my $early = eval { read_response($sock) };
ok $early, 'a manifest of 1 GiB is answered before it has come';
error_is $early, 413, 'SIZE_INVALID', 'with 413 SIZE_INVALID' if $early;
close $sock;

# nesting: the object itself is the first level
sub nested { my ($n) = @_; return '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . desc(OCI_CONFIG, '{}') . ',"layers":[],"x":' . '[' x ($n - 1) . ']' x ($n - 1) . '}' }
sub nested_objects { my ($n) = @_; return '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . desc(OCI_CONFIG, '{}') . ',"layers":[],"x":' . '{"a":' x ($n - 1) . '1' . '}' x ($n - 1) . '}' }
for my $make (\&nested, \&nested_objects) {
	my $what = $make == \&nested ? 'lists' : 'objects';
	is put($s, $make->(31))->status, 201, "31 levels of $what are taken";
	is put($s, $make->(32))->status, 201, "32 levels of $what are taken";
	error_is put($s, $make->(33)), 400, 'MANIFEST_INVALID', "33 levels of $what are 400 MANIFEST_INVALID";
	error_is put($s, $make->(500_000)), 400, 'MANIFEST_INVALID', "half a million levels of $what are 400 MANIFEST_INVALID";
}

# values: the object, its members, all that is in them
my $count = 1 + 2 + (1 + 3) + 1;    # the manifest; schemaVersion, mediaType; config and what it has; layers
sub valued { my ($n, $v) = @_; return '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . desc(OCI_CONFIG, '{}') . ',"layers":[],"x":[' . join(',', ($v) x ($n - $count - 1)) . ']}' }
for my $v ('0', '{}', '""', 'null') {
	is put($s, valued(50_000, $v))->status, 201, "50 000 values ($v) are taken";
	error_is put($s, valued(50_001, $v)), 400, 'MANIFEST_INVALID', "50 001 values ($v) are 400 MANIFEST_INVALID";
}
error_is put($s, valued(1_300_000, '{}')), 400, 'MANIFEST_INVALID', 'nearly 4 MiB of {} are 400 MANIFEST_INVALID';
SKIP: {
	skip 'memory is measured in the plain build', 1 if $ENV{BERTH_SANITIZERS};
	my @peak = sort { $a <=> $b } map { (content_of("/proc/$_/status") // '') =~ /^VmHWM:\s*(\d+)/m ? $1 : () } $s->worker_pids;
	cmp_ok $peak[-1], '<', 100_000, 'no worker needed 100 MB for any of this';
}
is $s->req('GET', '/v2/')->status, 200, 'the registry serves';

# the limit can be set
my $t = Berth::Server->start(config => qq(manifests: { max_size = "8 KiB"; };\n));
$t->push_blob('lim/app', '{}');
is put($t, sized(8192))->status, 201, 'with max_size 8 KiB a manifest of 8192 bytes is taken';
is put($t, sized(8192), chunked => 1)->status, 201, 'chunked too';
error_is put($t, sized(8193)), 413, 'SIZE_INVALID', 'and one of 8193 is 413';
error_is put($t, sized(8193), chunked => 1), 413, 'SIZE_INVALID', 'chunked too';

done_testing;
