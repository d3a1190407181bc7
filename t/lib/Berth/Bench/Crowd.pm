# SPDX-License-Identifier: Apache-2.0
#
# Berth::Bench::Crowd: the rows of many clients, and of what is not in memory: a thousand that want one image, slow readers
# beside quick ones, idle connections, and a cold page cache.
package Berth::Bench::Crowd;

use strict;
use warnings;

use Berth::Test;
use Berth::Bench;
use Berth::Bench::Pull;
use Berth::Bench::Sides;

my ($PULLERS, $SLOW, $IDLE, $COLD) = (1000, 5000, 10_000, 1000);
my $SLOWLY = 1000;              # bytes a second
my $SPARE = 1000;               # descriptors for other things

# crowded - a side that may have many connections
sub crowded
{
	my ($b, $side) = @_;

	return side_of($b, $side, store => 'hundred', as => 'crowd', nginx_args => ['connections=16384']);
}

# enough_files - why so many connections can't be: each is a descriptor of the load, and of one process of the registry
sub enough_files
{
	my ($n) = @_;

	return sub {
		my ($b) = @_;
		my ($most) = run('sh', '-c', 'ulimit -H -n')->{out} =~ /^(\d+)/ or return;
		my $need = $b->scaled($n) + $SPARE;
		return $most >= $need ? undef : "a process may open $most files (ulimit -H -n), $need are needed";
	};
}

# herd - all ask for the same image at once: manifest, config, and layers of 1 KiB and 1 MiB
sub herd
{
	my ($b, $side) = @_;
	my $s = crowded($b, $side);
	my $n = $b->scaled($PULLERS);

	return $b->load($s, pulls => Berth::Bench::Pull::paths_of($b, 'image', $s), c => $n, n => $n, H => [Berth::Bench::Pull::accept_header()]);
}

# fairness - how many times as long as the median it takes the last
sub fairness { my $r = herd(@_); return $r->{max_ms} / ($r->{p50_ms} || 1e-9) }

# slow_p99 - of GET manifest, milliseconds, while others read a large blob slowly; the limit is berth without these
sub slow_p99
{
	my ($b, $side) = @_;
	my $s = crowded($b, $side eq 'limit' ? 'berth' : $side);
	my $path = '/v2/team0/app00/blobs/' . sha256(blob_64m());
	$path = $s->path($path) if $s->isa('Berth::Bench::Peer');
	my $slow = $side eq 'limit' ? undef : $b->hold_begin($s, $path, c => $b->scaled($SLOW), r => $SLOWLY);
	my $r = $b->load($s, paths => Berth::Bench::Pull::paths_of($b, 'manifest-tag', $s), H => [Berth::Bench::Pull::accept_header()]);

	$b->hold_end($slow) if $slow;
	return $r->{p99_ms};
}

# has_room - whether docker-registry can serve so many slow readers: it writes a large blob into the buffer of each one's socket, some
# 5 MiB, and where memory ends the kernel kills it
sub has_room
{
	my ($n) = @_;
	my ($kib) = slurp('/proc/meminfo') =~ /^MemAvailable:\s+(\d+)/m;

	return $kib / 1024 > 6 * $n;
}

# idle - memory in MiB of all processes of a side while so many connections wait, after one request each
sub idle
{
	my ($b, $side) = @_;
	my $s = crowded($b, $side);
	my $held = $b->hold_begin($s, '/v2/', c => $b->scaled($IDLE));
	my $mib = Berth::Bench::pss(pids($s));

	$b->hold_end($held);
	return $mib;
}

# drop_caches - the files of a store are read from the disk next; of all files where that is allowed, else of these
sub drop_caches
{
	my ($b, $root) = @_;

	run('sync', '-f', $b->{dir});
	if (open my $fh, '>', '/proc/sys/vm/drop_caches') {
		return if syswrite $fh, '3';
	}
	run('find', $root, '-type', 'f', '-exec', 'dd', 'if={}', 'iflag=nocache', 'count=0', 'status=none', ';')->{status} == 0 or die "cannot drop what is cached\n";
	return;
}

# cold - seconds until all blobs are pulled, each once, by eight clients
sub cold
{
	my ($b, $side) = @_;
	my $s = side_of($b, $side, store => 'thousand', shared => 1);
	my @blobs = Berth::Bench::Sides::thousand($b);

	drop_caches($b, store_of($b, 'thousand', 'both')->root);
	return $b->load($s, paths => $b->paths('cold', map { 'GET /v2/cold/app/blobs/' . sha256($_) } @blobs), c => 8, n => scalar @blobs)->{seconds};
}

sub rows
{
	my ($b) = @_;
	my ($pullers, $slow, $idle, $cold) = map { Berth::Bench::commas($b->scaled($_)) } $PULLERS, $SLOW, $IDLE, $COLD;
	my @crowd = (group => 'crowd', peers => 'http');
	my $room = has_room($b->scaled($SLOW));

	return (
		{ @crowd, name => 'herd', title => "$pullers clients pull one image: until the last has it", as => 'time', unit => 's', needs => enough_files($PULLERS),
			measure => sub { herd(@_)->{seconds} } },
		{ @crowd, name => 'fairness', title => 'of these the slowest, by the median', as => 'cost', unit => '×', needs => enough_files($PULLERS),
			measure => \&fairness },
		{ @crowd, name => 'slow-readers', title => "p99 of GET manifest beside $slow readers of 1 KB/s" . ($room ? '' : ' (docker-registry has too little memory for it here)'),
			as => 'cost', unit => 'ms', sides => [$room ? qw(berth other limit) : qw(berth limit)],
			limit => { what => 'berth without them' }, needs => enough_files($SLOW), measure => \&slow_p99 },
		{ name => 'idle', group => 'idle', title => "memory with $idle idle connections (PSS)", as => 'cost', unit => 'MiB', needs => enough_files($IDLE),
			measure => \&idle },
		{ name => 'cold', group => 'cold', title => "pull of $cold blobs of 64 KiB, cold page cache", as => 'time', unit => 's', measure => \&cold },
	);
}

1;
