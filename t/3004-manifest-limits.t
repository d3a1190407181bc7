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

# values: as many as fit
my $whole = '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . desc(OCI_CONFIG, '{}') . ',"layers":[]';
sub filled { my ($v, $first, $last) = @_; my $n = int(($limit - length($whole) - 100) / (1 + length $v)); return "$whole$first" . join(',', ($v) x $n) . "$last}" }
for my $v ('0', '{}', '""', 'null', '[]', '[[[{}]]]', '{"a":{"b":0}}', '"' . sha256('x') . '"') {
	is put($s, filled($v, ',"x":[', ']'))->status, 201, "4 MiB of $v are taken";
}
error_is put($s, filled('{}', ',"subject":[', ']')), 400, 'MANIFEST_INVALID', 'but not where something else belongs';
error_is put($s, substr($whole, 0, -1) . filled('{}', '', ']') =~ s/\A\Q$whole\E//r), 400, 'MANIFEST_INVALID', 'nor as layers', qr/layers\[0\]/;
error_is put($s, $_->[1] x int(($limit - 1) / length $_->[1])), 400, 'MANIFEST_INVALID', "4 MiB of $_->[0] are refused at once", qr/at byte $_->[2]"/
	for ['{}', '{}', 2], ['[', '[', 32], ['{"a":', '{"a":', 160], ['"', '"', 2], ['blanks', ' ', '\d+'], ['commas', ',', 0], ['NUL', "\0", 0];
error_is put($s, '[' . join(',', ('{}') x 1_000_000) . ']'), 400, 'MANIFEST_INVALID', 'a list is no manifest', qr/not a JSON object/;
# keys: each has to be compared with all others of its object
my @keys = map { sprintf '"%x":0', $_ } 1 .. 370_000;
is put($s, "$whole,\"x\":{" . join(',', @keys) . '}}')->status, 201, '370 000 keys are taken';
error_is put($s, "$whole,\"x\":{" . join(',', @keys, $keys[185_000]) . '}}'), 400, 'MANIFEST_INVALID', 'but not one of them twice', qr/the same key twice/;
is put($s, "$whole,\"annotations\":{" . join(',', map { sprintf '"%x":""', $_ } 1 .. 340_000) . '}}')->status, 201, '340 000 annotations are taken';

# an index of many images, as large caches and mirrors have
my $image = sized(300);
put($s, $image, ref => 'child');
my $platforms = join ',', map { sprintf '{"mediaType":"%s","digest":"%s","size":300,"platform":{"architecture":"amd64","os":"linux","variant":"v%d"},"annotations":{"org.example.number":"%06d","org.example.name":"%s"}}',
	OCI_MANIFEST, sha256($image), $_, $_, 'x' x 50 } 1 .. 6000;
sub index_with { my ($list) = @_; return '{"schemaVersion":2,"mediaType":"' . OCI_INDEX . "\",\"manifests\":[$list]}" }
sub put_index { my ($list) = @_; return $s->req('PUT', '/v2/lim/app/manifests/index', headers => ['Content-Type' => OCI_INDEX], body => index_with($list)) }
is put_index($platforms)->status, 201, 'an index of 6000 entries (' . length($platforms) . ' bytes) is taken';
ok $s->req('GET', '/v2/lim/app/manifests/index')->body eq index_with($platforms), 'and served';
my $least = '{"mediaType":"' . OCI_MANIFEST . '","digest":"' . sha256($image) . '","size":300}';
my $most = int(4_194_000 / (1 + length $least));
is put_index(join ',', ($least) x $most)->status, 201, "one of $most entries, too";
my $n = 0;
my $r = put_index(join ',', map { $least =~ s/sha256:[0-9a-f]{64}/sprintf 'sha256:%064x', $n++/er } 1 .. $most);
is $r->status, 400, 'one of as many entries that are missing is refused';
is scalar(() = $r->body =~ /MANIFEST_BLOB_UNKNOWN/g), $most, 'with a word for each';
is run(program('berth'), '--config', '/dev/null', '--root', $s->root, 'gc', '--grace', '0s')->{status}, 0, 'a collection reads all of these';
ok $s->req('GET', '/v2/lim/app/manifests/index')->status == 200, 'and keeps the index';
is $s->req('GET', '/v2/lim/app/manifests/' . sha256($image))->status, 200, 'and its child';
is run(program('berth'), '--config', '/dev/null', '--root', $s->root, 'fsck')->{status}, 0, 'and fsck has nothing to say';
SKIP: {
	skip 'memory is measured in the plain build', 1 if $ENV{BERTH_SANITIZERS};
	my @peak = sort { $a <=> $b } map { (content_of("/proc/$_/status") // '') =~ /^VmHWM:\s*(\d+)/m ? $1 : () } $s->worker_pids;
	cmp_ok $peak[-1], '<', 64 * 1024, "no worker needed 64 MiB for any of this (the most was $peak[-1] KiB)";
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
