#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A power cut while a quota counts. On a file system of one machine the count ends with the epoch, and is right when a server has started again. On one
# that may belong to several machines another one goes on: there the table is right at once, with the links that the cut has left.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Disk;
use Berth::PowerCut;
use Berth::Quota;
use Berth::Scenarios;
use Berth::Verdict;

plain_build_only('it traces system calls');
need_program('strace');

my ($bare, $disk) = disks('ext4-bare', 'ext4');
my $config = "rules = ( { repo = \"**\"; quota = \"1 GiB\"; } );\n";

for (['flushed one by one', $bare], ['flushed in order', $disk, model => 'Berth::Journal']) {
	my ($title, $dir, @o) = @$_;
	my $r = Berth::Scenarios->record(promise => 'image', rules => 1, sample => 8, groups => [qw(manifests deletes)], root => "$dir/store", @o);

	$r->load;
	is $r->replay($_), undef, "$title, $_->{name}: what was acknowledged is there" for $r->scenarios;
	my $every = int(@{ $r->{kept} } / 6) || 1;
	for (my $n = 0; $n < @{ $r->{kept} }; $n += $every) {
		my $root = tmp_dir() . '/state';

		lay_state($root, { '' => 'd', %{ $r->{kept}[$n] } }, {});
		my $s = Berth::Server->start(root => $root, config => $config, workers => 1);
		my $p = $s->req('POST', '/v2/after/cut/blobs/uploads/?digest=' . sha256('x'), body => 'x');
		is $p->status, 201, "$title, state $n: a push after the power cut" or diag($p->as_string, grep { /quota|"level":"(?:error|warn)"/ } map { "$_\n" } $s->log);
		is quota_fault($root, ''), '', '... and the count is right';
		$s->stop;
	}
}

my $r = Berth::Scenarios->record(promise => 'full', fsync => 'image', quota => 1, sample => 8, root => disk_by_fuse() . '/store', groups => [qw(manifests deletes)]);
$r->load;
is $r->replay($_), undef, "of several machines, $_->{name}: what was acknowledged is there, and counted" for $r->scenarios;
done_testing;
