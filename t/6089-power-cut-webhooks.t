#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# As t/6059, with an endpoint: whatever a power cut leaves of berth/journal/readers/, nothing that was not accepted counts as delivered, and an endpoint
# that has begun is never taken for a new one. What a relay then makes of a sample of these states: all that the journal has arrives.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Berth::Test;
use Berth::Check;
use Berth::Disk;
use Berth::Events;
use Berth::Receiver;
use Berth::Recording;
use Berth::Replay;
use Berth::Verdict;

use constant { FILE => 'berth/journal/readers/one', SAMPLE => 8 };

plain_build_only('it traces system calls');
need_program('strace');

my $json = JSON::PP->new->utf8;
my ($config, $layer) = ('{"os":"linux"}', 'a layer');
my $image = image_of(OCI_MANIFEST, $config, $layer);
my @o = (headers => [ 'Content-Type' => OCI_MANIFEST ]);
sub settings { my ($r) = @_; return qq(delete = true;\nfsync = "image";\nnotifications = ( { name = "one"; url = "@{[ $r->url ]}"; actions = [ "all" ]; } );\n) }
sub position { my ($text) = @_; my $s = eval { $json->decode($text) } // return; return $s->{next} // '' }

# record - what happens, each step until the relay has written down that it is delivered: (the replay, the receiver)
sub record
{
	my ($dir, @model) = @_;
	my $trace = tmp_dir() . '/trace';
	my $receiver = Berth::Receiver->start;
	my $s = Berth::Server->start(workers => 1, root => "$dir/store", wrap => [strace_to($trace)], config => settings($receiver));
	my $file = $s->root . '/' . FILE;
	my $r = Berth::Replay->new(promise => 'image', journal => 1, sample => 8, root => $s->root, trace => $trace, @model);
	my $expected = 0;

	my $delivered = sub { my @ids = $receiver->ids; return @ids >= $expected && (position(slurp($file)) // '') ge ($ids[-1] // '') };
	my $step = sub {
		my ($events, $what, $claims, $body) = @_;
		return { claims => $claims, body => $body, do => sub { $what->(); $expected += $events; wait_for { $delivered->() } or die "nothing is delivered\n" } };
	};
	my $put = sub {
		my ($tag, $bytes) = @_;
		return $step->(1, sub { $s->req(PUT => "/v2/app/manifests/$tag", @o, body => $bytes)->status == 201 or die 'PUT' },
			{ "manifest app " . sha256($bytes) => sha256($bytes), "tag app $tag" => sha256($bytes) }, $bytes);
	};
	my $blob = sub { my ($bytes) = @_; return $step->(1, sub { $s->push_blob('app', $bytes) }, {}, $bytes) };
	wait_for { -s $file } or die "no relay delivers\n";
	$r->scenario('an image, a tag that moves, and one that goes', {}, [
		$blob->($config), $blob->($layer), $put->('v1', $image), $put->('v1', "$image\n"),
		$step->(1, sub { $s->req(DELETE => '/v2/app/manifests/v1')->status == 202 or die 'DELETE' }, { 'tag app v1' => undef }),
	]);
	$r->scenario('a blob, whose event is not flushed, and then a manifest', {}, [
		$blob->('another'), $put->('v2', $image) ]);
	$s->stop_workers;
	$r->{told} = [map { $_->{id} } events($s)];
	return ($r, $receiver, $s);
}

# judge - what is wrong with the state of the endpoint in a state of the disk
sub judge
{
	my ($r, $torn, $state, $t) = @_;
	my $id = $state->{+FILE} // return FILE . ' is gone: the endpoint is new, and is not told what happened';
	my $next = position(Berth::PowerCut::content($id));

	return $torn ? () : FILE . ' cannot be read' if !defined $next;
	my @skipped = grep { $_ le $next && ($r->{accepted}{$_} // $t) >= $t } @{ $r->{told} };
	return @skipped ? "$skipped[0] was not accepted, and counts as delivered" : ();
}

# served - what berth makes of a state: nothing that is in the journal is missing, whoever has got it
sub served
{
	my ($r, $title, $n, $state, $t) = @_;
	my $root = tmp_dir() . '/store';
	my $receiver = Berth::Receiver->start;

	Berth::Verdict::lay_state($root, { '' => 'd', %$state }, {});
	my $s = Berth::Server->start(root => $root, workers => 2, config => settings($receiver));
	$s->push_image('after/app', 'cut');
	my $arrived = wait_for { grep { ($_->{tag} // '') eq 'cut' } $receiver->accepted };
	ok $arrived, "$title: after power cut $n a push arrives";
	my %has = (map({ $_ => 1 } $receiver->ids), map { $r->{accepted}{$_} < $t ? ($_ => 1) : () } keys %{ $r->{accepted} });
	is join("\n", grep { !$has{$_} } map { $_->{id} } events($s)), '', '... and all that is in the journal has arrived, then or before';
	is order_fault($receiver->accepted), '', '... in its order';
	# a segment of which nothing was flushed is empty then, and goes: nobody can tell whether it had more
	my ($segment) = (position(Berth::PowerCut::content($state->{+FILE})) // '') =~ /^(\w+)-/;
	my $kept = !$segment || length Berth::PowerCut::content($state->{"berth/journal/$segment"} // Berth::PowerCut::intern(''));
	ok !$kept || !grep({ $_->{action} eq 'lost' } $receiver->accepted), '... and nothing is said to be lost of what was flushed';
	$s->stop;
	return;
}

my ($bare, $disk) = disks('ext4-bare', 'ext4');
for (['flushed one by one', 1, $bare], ['flushed in order', 0, $disk, model => 'Berth::Journal']) {
	my ($title, $torn, $dir, @model) = @$_;
	my ($r, $receiver, $s) = record($dir, @model);
	my ($random, $states, @kept) = (7, 0);

	$r->load;
	$r->{accepted} = { map { $_->{id} => $_->{at} } reverse $receiver->accepted };
	$r->{also} = sub {
		my ($state, $t) = @_;
		$random = ($random * 1103515245 + 12345) & 0x7fffffff;
		my $at = $states++ < SAMPLE ? $states - 1 : ($random >> 4) % $states;
		$kept[$at] = [$state, $t] if $at < SAMPLE;
		return judge($r, $torn, $state, $t);
	};
	for my $scenario ($r->scenarios) {
		is $r->replay($scenario), undef, "$title, $scenario->{name}: nothing counts as delivered that was not";
		my $saves = grep { $_->{name} eq 'rename' && $_->{paths}[1] eq FILE } @{ $scenario->{calls} };
		cmp_ok $saves, '>=', @{ $scenario->{steps} } / 2, "... although its state was written $saves times";
	}
	served($r, $title, $_, @{ $kept[$_] }) for 0 .. $#kept;
}
done_testing;
