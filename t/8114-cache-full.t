#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Downloads leave some space of the file system free, whether upstream tells their length or not; a drip ends.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Disk;
my ($disk) = disks('ext4');     # of 64 MiB
use Berth::Check;
use Berth::Cache;
use Berth::Upstream;

my $u = Berth::Upstream->start;
my $s = mirror(upstreams => [['up', $u]], root => "$disk/store");

sub told { return scalar grep { ($_->{event} // '') eq 'upstream' && ($_->{why} // '') eq 'no space for the blob: the rest of the file system is not for downloads' } $s->log_events }

my $i = $u->image('app', '1', layers => [\$u->big_blob('app', 80 << 20), random_bytes(3000)]);
is get_manifest($s, 'up/app', '1')->status, 200, 'an image with a layer that is larger than the disk';
my $n = 0;
for my $how ([undef, 'its length is known'], [{ chunked => 1 }, 'it is not'], [{ no_length => 1 }, 'its end is that of the connection'], [{ endless => 1, chunked => 1 }, 'it has no end']) {
	my $rule = $how->[0] ? $u->rule("/blobs/$i->{layers}[0]", $how->[0]) : undef;
	error_is $s->req(GET => "/v2/up/app/blobs/$i->{layers}[0]"), 503, 'UNAVAILABLE', "$how->[1]: 503";
	is told(), ++$n, 'before the disk is full';
	ok wait_for(sub { !spooled($s) }), 'nothing is left of it';
	ok !-e layer_link($s, 'up/app', $i->{layers}[0]), 'nothing is stored';
	$u->drop($rule) if $rule;
}
is sha256($s->req(GET => "/v2/up/app/blobs/$i->{layers}[1]")->body), $i->{layers}[1], 'what fits comes';
my $j = $u->image('app', '2', layers => [random_bytes(5 << 20)]);
get_manifest($s, 'up/app', '2');
my $rule = $u->rule('/blobs/', { chunked => 1 });
my $r = $s->req(GET => "/v2/up/app/blobs/$j->{layers}[0]");
is sha256($r->body), $j->{layers}[0], 'so does a blob whose length upstream does not tell';
is $r->header('Content-Length'), 5 << 20, 'with its length: it is answered when it is whole';
$u->drop($rule);
$s->push_image('team/app', '1');
ok 1, 'there is space for pushes';

SKIP: {
	skip_long('a drip takes minutes to be given up', 3);
	my $k = $u->image('app', '3', layers => [random_bytes(100_000)]);
	get_manifest($s, 'up/app', '3');
	$rule = $u->rule("/blobs/$k->{layers}[0]", { drip => [1, 1], chunked => 1 });
	error_is $s->req(GET => "/v2/up/app/blobs/$k->{layers}[0]", timeout => 400), 503, 'UNAVAILABLE', 'a byte a second is no download';
	ok wait_for(sub { !spooled($s) }), 'nothing is left of it';
	ok !-e layer_link($s, 'up/app', $k->{layers}[0]), 'nothing is stored';
}
is cached_fault($s), '', 'all that is stored is what its name says';
done_testing;
