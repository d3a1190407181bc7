# SPDX-License-Identifier: Apache-2.0
#
# Berth::Bench::Push: the rows of what writes: one big layer, many small images, and pulls beside them.
#
# Durable means what berth promises: flushed, with all directories, before the answer. docker-registry flushes the bytes of
# files and no directory; what it answers 201 to may be gone after a power cut.
package Berth::Bench::Push;

use strict;
use warnings;

use Time::HiRes qw(time);

use Berth::Test;
use Berth::GC;
use Berth::Bench;
use Berth::Bench::Sides;

# big_file - the bytes of a layer that nobody has pushed before, and their digest
sub big_file
{
	my ($b) = @_;
	my $file = "$b->{dir}/big";

	if (!-e $file) {
		my $mib = $b->scaled(1024);
		run('dd', 'if=/dev/urandom', "of=$file", 'bs=1M', "count=$mib", 'status=none')->{status} == 0 or die "cannot make $file\n";
	}
	open my $fh, '+<:raw', $file or die "$file: $!";
	print {$fh} random_bytes(16);
	close $fh or die "$file: $!";
	my ($hex) = run('openssl', 'dgst', '-sha256', '-r', $file)->{out} =~ /^(\w{64})/ or die "openssl does not hash $file\n";
	return ($file, "sha256:$hex");
}

sub gib { return (-s "$_[0]{dir}/big") / 2**30 }

# settle - what an earlier measurement left in memory is written first
sub settle { my ($b) = @_; run('sync', '-f', $b->{dir}); return }

# drop_blob - a store shall not grow by a GiB each time
sub drop_blob
{
	my ($s, $d) = @_;

	unlink Berth::Check::blob_file($s, $d);
	return;
}

# big_push - seconds for a GiB, from the first request to the answer to the last; the limit: written and flushed, or hashed,
# whichever takes longer
sub big_push
{
	my ($b, $side) = @_;
	my ($file, $digest) = big_file($b);
	my $took;

	settle($b);
	if ($side eq 'limit') {
		my $began = time;
		run('dd', "if=$file", "of=$b->{dir}/copy", 'bs=1M', 'conv=fsync', 'status=none');
		my $written = time - $began;
		unlink "$b->{dir}/copy";
		$began = time;
		run('openssl', 'dgst', '-sha256', $file);
		$took = time - $began;
		$took = $written if $took < $written;
	} else {
		my $s = side_of($b, $side, store => 'hundred');
		$took = $b->load($s, images => 'big/' . ++$b->{pushes}, c => 1, n => 1, f => $file, d => $digest)->{seconds};
		drop_blob($s, $digest);
	}
	return $took / gib($b);
}

# storm - images a second that eight clients push
sub storm
{
	my (%o) = @_;

	return sub {
		my ($b, $side) = @_;
		return flushes($b) if $side eq 'limit';
		my $s = side_of($b, $side, store => 'hundred', $side eq 'berth' ? %o : ());

		settle($b);
		return $b->load($s, images => 'storm/' . ++$b->{pushes}, c => 8)->{rate};
	};
}

# flushes - how many writes of 4 KiB, each flushed, the disk does in a second, one after the other
sub flushes
{
	my ($b) = @_;
	my $n = 200;
	my $began = time;

	settle($b);
	$began = time;
	run('dd', 'if=/dev/zero', "of=$b->{dir}/flushed", 'bs=4k', "count=$n", 'oflag=dsync', 'status=none')->{status} == 0 or die "dd failed\n";
	return $n / (time - $began);
}

# busy_p99 - the slowest hundredth of GETs of manifests while a GiB is pushed and garbage is collected again and again. The
# other's collector must not run while it serves, so with that it is the push alone.
sub busy_p99
{
	my ($b, $side) = @_;
	my $s = side_of($b, $side, store => 'hundred');
	my ($file, $digest) = big_file($b);
	my $enough = "$b->{dir}/enough";
	my $gc;

	settle($b);
	my $pulls = $b->load_begin($s, paths => Berth::Bench::Pull::paths_of($b, 'manifest-tag'), H => [Berth::Bench::Pull::accept_header()]);
	unlink $enough;
	$gc = $s->spawn("$b->{dir}/gc.log", Berth::Server::guard(), 'sh', '-c', 'until [ -e "$0" ]; do "$@" || exit 1; done', $enough, gc_cmd($s))
		if $side eq 'berth';
	$b->load($s, images => 'busy/' . ++$b->{pushes}, c => 1, n => 1, f => $file, d => $digest);
	if ($gc) {
		spew($enough, '');
		waitpid $gc, 0;
		die 'gc failed: ' . slurp("$b->{dir}/gc.log") if $?;
	}
	drop_blob($s, $digest);
	return $b->load_end($pulls)->{p99_ms};
}

sub rows
{
	my ($b) = @_;
	my $all = [qw(berth other limit)];
	my $mib = Berth::Bench::commas($b->scaled(1024));

	return (
		{ name => 'push-gib', group => 'push', title => "push of one layer of $mib MiB, durable", as => 'time', unit => 's/GiB', target => 2, sides => $all,
			limit => { what => 'write and fsync, or sha256' }, measure => \&big_push },
		{ name => 'storm', group => 'push', title => 'push storm: 8 clients, images of 3 layers of 4 KiB, durable', as => 'rate', unit => 'images/s',
			target => 4, sides => $all, limit => { what => 'flushes/s of the disk', unlike => 1 }, measure => storm() },
		{ name => 'storm-off', group => 'push', title => 'the same with fsync = "off"', as => 'rate', unit => 'images/s', target => 8,
			measure => storm(as => 'off', config => qq(fsync = "off";\n)) },
		{ name => 'busy-p99', group => 'push', title => "p99 of GET manifest while $mib MiB are pushed and gc runs", as => 'cost', unit => 'ms', target => 0.1,
			measure => \&busy_p99 },
	);
}

1;
