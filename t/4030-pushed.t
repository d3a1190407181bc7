#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# When a tag was pushed stands beside it, as the name of an empty file: each push of the tag makes it greater, and nothing else changes it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes ();
use Berth::Test;
use Berth::Check;
use Berth::GC;
use Berth::Repo;
use Berth::Undo;

my $s = Berth::Server->start(config => "delete = true;\nfsync = \"off\";\n", workers => 2);
my ($d1, $m1) = $s->push_image('team/app', 'v1', type => 'oci', layers => ['one']);
my ($d2, $m2) = $s->push_image('team/app', 'v2', type => 'oci', layers => ['two']);

sub current { return data_dir($s) . '/repositories/team/app/_manifests/tags/v1/current' }
sub put { my ($tag, $m) = @_; my $r = $s->push_manifest('team/app', $tag, $m, OCI_MANIFEST); return $r->status }

# the only time of a tag
sub time_of {
	my ($tag) = @_;
	my @all = pushed_of($s, 'team/app', $tag);
	return @all == 1 ? $all[0] : "@all";
}

my $first = time_of('v1');
my $now = Time::HiRes::time() * 1_000_000;
ok $first > $now - 3600e6 && $first <= $now, 'a new tag has the time of its push';
cmp_ok time_of('v2'), '>', $first, 'one that was pushed later a later one';
is put('v1', $m1), 201, 'the same digest again';
my $second = time_of('v1');
cmp_ok $second, '>', $first, 'is a push';
is put('v1', $m2), 201, 'a move';
my $third = time_of('v1');
cmp_ok $third, '>', $second, 'is one';
is $s->req('PUT', "/v2/team/app/manifests/$d1?tag=v1&tag=a&tag=b", headers => ['Content-Type' => OCI_MANIFEST], body => $m1)->status, 201, 'tags by parameter';
ok time_of('v1') > $third && time_of('a') > $third && time_of('b') > $third, 'each has its time';
$third = time_of('v1');
is $s->push_manifest('team/app', $d1, $m1, OCI_MANIFEST)->status, 201, 'a push by digest';
is time_of('v1'), $third, 'is none of its tags';
$s->req('GET', '/v2/team/app/manifests/v1');
$s->req('DELETE', '/v2/team/app/manifests/a');
gc_ok($s, '--untagged', 'nor is a collection') if $s;
is time_of('v1'), $third, 'nor a pull, or what becomes of others';

# the clock is behind
my $future = $third + 86_400_000_000;
rename sprintf('%s/pushed-%016x', current(), $third), sprintf '%s/pushed-%016x', current(), $future or die;
is put('v1', $m1), 201, 'a push by a clock that is behind';
is time_of('v1'), $future + 1, 'has the next microsecond';
is join(' ', map { put('v1', $m1) } 1 .. 3), '201 201 201', 'and so on';
is time_of('v1'), $future + 4, 'each push has another time';

# many at once, all of them at the same moment as far as the clock can tell
my @bad = run_parallel(4, sub { return join ' ', grep { $_ != 201 } map { put('v1', $_ % 2 ? $m1 : $m2) } 1 .. 10 });
is join('', map { ref ? $_->{died} : $_ } @bad), '', 'forty pushes at once';
is time_of('v1'), $future + 44, 'are forty times';

# what a crash, or a first look beside a push, may leave
spew(sprintf('%s/pushed-%016x', current(), $_), '') for 5, $future - 1;
is join(' ', fsck_kinds($s)), '', 'fsck has nothing to say about several times';
is put('v1', $m1), 201, 'the next push';
is time_of('v1'), $future + 45, 'goes on from the greatest, and leaves one';
spew(current() . "/$_", '') for 'pushed-', 'pushed-00', 'pushed-000000000000000G', 'pushed-00000000000000000', 'Pushed-0000000000000000';
mkdir current() . '/pushed-00000000000000ff' or die;
is join(' ', map { m{/([^/]*)\z} } sort(fsck_kinds($s))), 'Pushed-0000000000000000 pushed- pushed-00 pushed-00000000000000000 pushed-000000000000000G pushed-00000000000000ff', 'fsck names what only looks like one';
is put('v1', $m1), 201, 'a push beside all that';
run('rm', '-r', map { current() . "/$_" } 'pushed-', 'pushed-00', 'pushed-000000000000000G', 'pushed-00000000000000000', 'Pushed-0000000000000000', 'pushed-00000000000000ff');

# a tag that is set by other means than a push
berth_ok($s, 'repo', 'mv', 'team/app', 'moved/app', 'a repository is renamed');
is_deeply [pushed_of($s, 'moved/app', 'v1')], [$future + 46], 'its tags keep their times';
ok((grep { $_ == $future + 46 } pushed_of(bless({ root => do { my $copy = tmp_dir() . '/copy'; run('cp', '-r', '--', $s->root, $copy); $copy } }, 'Berth::GC'), 'moved/app', 'v1')), 'so does a copy of the store');
is join(' ', fsck_kinds($s)), '', 'fsck finds nothing wrong';
ok !(grep { ($_->{status} // 0) >= 500 } $s->log_events), 'no request ended with 5xx';
done_testing;
