# SPDX-License-Identifier: Apache-2.0
#
# Berth::Bench::Push: the rows of what writes: one big layer, many small images, and pulls beside them.
#
# Durable means what berth promises by default: an image whose manifest has got its 201 survives a power cut. docker-registry
# flushes the bytes of files and no directory; what it answers 201 to may be gone after one. Both stores lie on the file
# system that Berth::Bench::Disk makes for them, where there is one.
package Berth::Bench::Push;

use strict;
use warnings;

use JSON::PP ();
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

# needs - the file system for the stores is made when it is first asked whether it can be
sub needs { my ($b) = @_; return eval { $b->disk; 1 } ? undef : "no file system for the stores: $@" =~ s/\s+\z//r }

# settle - what an earlier measurement left in memory is written first
sub settle { my ($b) = @_; run('sync', '-f', $_) for $b->dir, $b->disk; return }

# touch_memory - a virtual machine may get its memory from the host only as it is touched, which takes longer than the disk does: what a push
# fills with the bytes of its body is touched before. The host may take it back when it has lain free for seconds, so this comes last.
sub touch_memory
{
	my ($b) = @_;
	my $file = "/dev/shm/berth-bench-$$";

	run('dd', 'if=/dev/zero', "of=$file", 'bs=1M', 'count=' . $b->scaled(3072), 'status=none');
	unlink $file;
	return;
}

# pushed_to - a side whose store lies where stores lie that are pushed to
sub pushed_to { my ($b, $side, %o) = @_; return side_of($b, $side, store => 'hundred', disk => 1, as => 'push', %o) }

# drop_blob - a store shall not grow by a GiB each time
sub drop_blob
{
	my ($s, $d) = @_;

	unlink Berth::Check::blob_file($s, $d);
	return;
}

# big_push - seconds for a GiB, from the first request to the answer to the last; the limit: until openssl has hashed the file
sub big_push
{
	my ($b, $side) = @_;
	my ($file, $digest) = big_file($b);
	my $took;

	settle($b);
	if ($side eq 'limit') {
		my $began = time;
		run('openssl', 'dgst', '-sha256', $file);
		$took = time - $began;
	} else {
		my $s = pushed_to($b, $side);
		touch_memory($b);
		$took = $b->load($s, images => 'berth-bench/big/' . ++$b->{pushes}, c => 1, n => 1, f => $file, d => $digest)->{seconds};
		drop_blob($s, $digest) if !$s->isa('Berth::Bench::Peer');
	}
	return $took / gib($b);
}

# storm - images a second that so many clients push; the limit is what flushes the disk does, or berth with other clients
sub storm
{
	my ($clients, $limit, %o) = @_;

	return sub {
		my ($b, $side) = @_;
		return flushes($b) if $side eq 'limit' && !$limit;
		my $s = pushed_to($b, $side eq 'limit' ? 'berth' : $side, $side eq 'berth' ? %o : ());

		settle($b);
		return $b->load($s, images => 'berth-bench/storm/' . ++$b->{pushes}, c => $side eq 'limit' ? $limit : $clients)->{rate};
	};
}

# hooked - a side with an endpoint at which nobody listens; the limit: berth with the journal alone. Each has a store of its own: an endpoint
# belongs to a store.
sub hooked
{
	my ($b, $side) = @_;
	my $nobody = 'http://127.0.0.1:1/hook';
	my %o = (disk => 1, store => 'hooked', as => 'hooked');

	return side_of($b, 'berth', %o, store => 'unhooked', as => 'unhooked', config => "journal = { enabled = true; };\n") if $side eq 'limit';
	return side_of($b, $side, %o, config => qq(notifications = ( { name = "down"; url = "$nobody"; actions = [ "all" ]; backoff_max = "1s"; } );\n),
		more => qq(notifications:\n  endpoints:\n    - { name: down, url: "$nobody", timeout: 1s, threshold: 5, backoff: 1s }\n));
}

# hooked_wait - what waits for that endpoint before it is measured, with both sides
sub hooked_wait
{
	my ($b) = @_;
	my $berth = hooked($b, 'berth');
	my $state = $berth->root . '/berth/journal/readers/down';

	wait_for { -s $state } or die "no relay delivers\n";
	$b->load(hooked($b, $_), images => 'berth-bench/waits/' . ++$b->{pushes}, c => 8, n => $b->scaled(1000)) for qw(berth limit);
	wait_for { (JSON::PP->new->decode(slurp($state))->{in_row} // 0) > 0 } or die "nothing waits for the endpoint\n";
	return;
}

sub hooked_storm
{
	my ($b, $side) = @_;
	my $s = hooked($b, $side);

	settle($b);
	return $b->load($s, images => 'berth-bench/storm/' . ++$b->{pushes}, c => 8)->{rate};
}

# flushes - how many writes of 4 KiB, each flushed, the disk does in a second, one after the other
sub flushes
{
	my ($b) = @_;
	my $n = 200;
	my $began = time;

	settle($b);
	$began = time;
	run('dd', 'if=/dev/zero', "of=@{[ $b->disk ]}/flushed", 'bs=4k', "count=$n", 'oflag=dsync', 'status=none')->{status} == 0 or die "dd failed\n";
	return $n / (time - $began);
}

# busy_p99 - the slowest hundredth of GETs of manifests while a GiB is pushed and garbage is collected again and again. The
# other's collector must not run while it serves, so with that it is the push alone.
sub busy_p99
{
	my ($b, $side) = @_;
	my $s = pushed_to($b, $side);
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

	my @push = (group => 'push', needs => \&needs);
	my @storm = (@push, as => 'rate', unit => 'images/s', peers => 'http');

	return (
		{ @storm, name => 'storm-1', title => 'push storm: 1 client, images of 3 layers of 4 KiB, durable', target => 5, mark => 1, measure => storm(1) },
		{ @storm, name => 'storm', title => 'the same, 8 clients', target => 7, mark => 1, sides => $all, limit => { what => 'flushes/s of the disk', unlike => 1 },
			measure => storm(8) },
		{ @storm, name => 'storm-32', title => 'the same, 32 clients', target => 7, mark => 1, sides => $all, limit => { what => 'berth, 8 clients', share => 0.95 },
			measure => storm(32, 8) },
		{ @storm, name => 'storm-off', title => 'the same, 8 clients, with fsync = "off"', target => 8, peers => undef,
			measure => storm(8, undef, as => 'off', config => qq(fsync = "off";\n)) },
		{ @storm, name => 'storm-hooks', group => 'hooks', title => 'the same, 8 clients, with an endpoint that is down and has a backlog', mark => 1, peers => undef, sides => $all,
			limit => { what => 'berth, the journal alone', share => 0.95 }, prepare => \&hooked_wait, measure => \&hooked_storm },
		{ @push, name => 'push-gib', title => "push of one layer of $mib MiB, durable", as => 'time', unit => 's/GiB', target => 2.86, mark => 1, either => 1,
			sides => $all, peers => 'http', limit => { what => 'sha256 of the file', times => 1.1 }, measure => \&big_push },
		{ @push, name => 'busy-p99', title => "p99 of GET manifest while $mib MiB are pushed and gc runs", as => 'cost', unit => 'ms', target => 0.1,
			measure => \&busy_p99 },
	);
}

1;
