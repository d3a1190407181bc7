#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What rules cost: nothing where none applies; for a push two or three system calls, however many tags there are; a DELETE reads what
# immutable tags need once. Compared with the same without rules, in one run.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Disk;
use Berth::Trace;

plain_build_only('it counts system calls');
need_program('strace');
my ($ext4, $btrfs) = disks(qw(ext4 btrfs));
my $rules = 'rules = ( { repo = "ruled/**"; immutable = "v*"; max_tags = 500; }, { repo = "tight/**"; max_tags = 41; }, { repo = "other/**"; immutable = "*"; max_tags = 1; readonly = true; } );';
my $n = 0;
sub fresh { $n++; return image_of(OCI_MANIFEST, '{}', 'layer') =~ s/\}\z/,"annotations":{"n":"$n"}}/r }

# Of a store on this disk: { what => what costs_beside() takes } for each operation in the repository.
sub sides
{
	my ($s, $repo) = @_;
	my $put = sub { my ($m, $ref) = @_; return $s->req(PUT => "/v2/$repo/manifests/$ref", headers => ['Content-Type' => OCI_MANIFEST], body => $m)->status == 201 };
	my $kept = fresh();

	$s->push_blob($repo, $_) for '{}', 'layer';
	$put->($kept, "t$_") or die for 1 .. 20;
	$put->($kept, 'v1') or die;
	return {
		'a new tag' => { at => $s, make => \&fresh, do => sub { $put->($_[0], "new$n") } },
		'a tag moves' => { at => $s, make => \&fresh, do => sub { $put->($_[0], 't1') } },
		'an immutable tag again' => { at => $s, do => sub { $put->($kept, 'v1') } },
		'a manifest without a tag' => { at => $s, make => \&fresh, do => sub { $put->($_[0], sha256($_[0])) } },
		'a blob' => { at => $s, make => sub { $n++; return "bytes $n" }, do => sub { $s->req(POST => "/v2/$repo/blobs/uploads/?digest=" . sha256($_[0]), body => $_[0])->status == 201 } },
	};
}

# calls_until - the system calls of this, if they are as the code wants them
sub calls_until
{
	my ($good, $s, $do, $make) = @_;
	my ($cost) = costs_beside(sub { $good->($_[0]{calls}) }, { at => $s, do => $do, make => $make });

	return $cost->{calls};
}

my $plain = Berth::Server->start(root => "$ext4/plain", config => "delete = true;\n", workers => 1, upload_workers => 1);
my $s = Berth::Server->start(root => "$ext4/ruled", config => "delete = true;\n$rules\n", workers => 1, upload_workers => 1);
my @sides = (sides($plain, 'ruled/app'), sides($s, 'free/app'), sides($s, 'ruled/app'));

# 2: the number of links of tags/, and the kind of file system; 3: a tag is opened, read and closed
my %more = ('a new tag' => 3, 'a tag moves' => 3, 'an immutable tag again' => 3, 'a manifest without a tag' => 0, 'a blob' => 0);
my $before;
for my $what (sort keys %more) {
	my ($base, $none, $ruled) = costs_beside(sub {
		my ($calls, $syncs) = map { my $of = $_; [map { $_->{$of} } @_] } qw(calls syncs);
		return "@$syncs" eq "@$syncs[0, 0, 0]" && abs($calls->[1] - $calls->[0]) <= 1 && $calls->[2] - $calls->[0] <= $more{$what} + 1;
	}, map { $_->{$what} } @sides);

	is $none->{syncs}, $base->{syncs}, "$what: no flush more beside rules that do not apply";
	cmp_ok abs($none->{calls} - $base->{calls}), '<=', 1, "$what: and no system call" or diag "$none->{calls}, $base->{calls}";
	is $ruled->{syncs}, $base->{syncs}, "$what: no flush more where rules apply";
	cmp_ok $ruled->{calls} - $base->{calls}, '<=', $more{$what} + 1, "$what: no more than $more{$what} system calls" or diag "$ruled->{calls}, $base->{calls}";
	$before = $ruled->{calls} if $what eq 'a new tag';
}
$plain->stop;

# Ten times as many tags
my $m = fresh();
$s->req(PUT => '/v2/ruled/app/manifests/' . sha256($m) . '?' . join('&', map { "tag=m$_-$n" } 1 .. 60), headers => ['Content-Type' => OCI_MANIFEST], body => $m)->status == 201 or die for 1, 2;
for my $round (1 .. 4) {
	$m = fresh();
	$s->req(PUT => '/v2/ruled/app/manifests/' . sha256($m) . '?' . join('&', map { "tag=r$round-$_" } 1 .. 60), headers => ['Content-Type' => OCI_MANIFEST], body => $m)->status == 201 or die;
}
my $calls = calls_until(sub { $_[0] - $before <= 4 }, $s, sub { $s->req(PUT => "/v2/ruled/app/manifests/last$n", headers => ['Content-Type' => OCI_MANIFEST], body => $_[0])->status == 201 }, \&fresh);
cmp_ok $calls - $before, '<=', 4, 'beside 300 tags a new one costs as much' or diag "$calls, $before";

# A DELETE of a blob: three calls or four for each manifest that immutable tags need, and three for each tag, before the lock and under it
my $delete = sub { return $s->req(DELETE => '/v2/ruled/app/blobs/' . sha256($_[0]))->status == 202 };
my $blob = sub { $n++; my $b = "gone $n"; $s->push_blob('ruled/app', $b); return $b };
my $few = calls_until(sub { 1 }, $s, $delete, $blob);
my @more = map { fresh() } 1 .. 20;
for my $i (0 .. $#more) {
	$s->req(PUT => "/v2/ruled/app/manifests/" . sha256($more[$i]) . "?tag=v-a$i&tag=v-b$i", headers => ['Content-Type' => OCI_MANIFEST], body => $more[$i])->status == 201 or die;
}
my $many = calls_until(sub { $_[0] - $few <= 20 * 19 }, $s, $delete, $blob);
my $each = ($many - $few) / 20;
cmp_ok $each, '<=', 19, 'a DELETE of a blob reads each manifest that immutable tags need once, though two tags need it' or diag "$many, $few";

# read_before_and_locked - how many contents are read before the repository's lock is acquired, and after
sub read_before_and_locked
{
	my ($do) = @_;
	my ($locked, %read) = (0);

	for (traced_calls(Berth::Trace::trace_of($s, ['-ttt', '-y'], $do))) {
		my (undef, undef, $name, $args) = @$_;
		$locked = 1 if $name eq 'flock' && $args =~ m{/locks/repository/.*LOCK_EX};
		$read{$locked}{$1} = 1 if $name =~ /^p?read(?:64)?$/ && $args =~ m{/blobs/sha256/../([0-9a-f]{64})/data};
	}
	return map { scalar keys %{ $read{$_} // {} } } 0, 1;
}
my $gone = $blob->();
my ($before_lock, $under_lock) = read_before_and_locked(sub { $delete->($gone) or die "not deleted\n" });
cmp_ok $before_lock, '>=', 20, 'a DELETE of a blob reads them before it has the lock of the repository';
is $under_lock, 0, '... and none under it';
$gone = fresh();
$s->req(PUT => '/v2/ruled/app/manifests/' . sha256($gone), headers => ['Content-Type' => OCI_MANIFEST], body => $gone)->status == 201 or die;
($before_lock, $under_lock) = read_before_and_locked(sub { $s->req(DELETE => '/v2/ruled/app/manifests/' . sha256($gone))->status == 202 or die "not deleted\n" });
cmp_ok $before_lock, '>=', 20, 'so does a DELETE of a manifest';
cmp_ok $under_lock, '<=', 1, '... but for that one';

# A repository that has many more tags than a new rule allows
$s->config("rules = ( { repo = \"ruled/**\"; max_tags = 5; } );\n");
$s->restart;
$calls = calls_until(sub { $_[0] < 150 }, $s, sub { $s->req(PUT => "/v2/ruled/app/manifests/more$n", headers => ['Content-Type' => OCI_MANIFEST], body => $_[0])->status == 403 }, \&fresh);
my $tags = @{ $s->req(GET => '/v2/ruled/app/tags/list?n=1000')->json->{tags} };
cmp_ok $tags, '>', 300, "it has $tags";
cmp_ok $calls, '<', 150, 'a push that is refused looks at few of them' or diag $calls;
$s->stop;

# Where the number of links tells nothing, the directory is read; near the limit, the links.
$s = Berth::Server->start(root => "$btrfs/store", config => "$rules\n", workers => 1, upload_workers => 1);
$s->push_blob('tight/app', $_) for '{}', 'layer';
for my $i (1 .. 40) {
	$s->req(PUT => "/v2/tight/app/manifests/t$i", headers => ['Content-Type' => OCI_MANIFEST], body => $m)->status == 201 or die;
}
mkdir Berth::Check::repo_dir($s, 'tight/app') . "/_manifests/tags/leftover$_" or die for 1 .. 5;
is $s->req(PUT => '/v2/tight/app/manifests/t41', headers => ['Content-Type' => OCI_MANIFEST], body => $m)->status, 201, 'on Btrfs the last tag that may be is set, beside what crashes have left';
refused_is $s->req(PUT => '/v2/tight/app/manifests/t42', headers => ['Content-Type' => OCI_MANIFEST], body => $m), 403, 'DENIED', qr/too many tags/, 'and no further one';
done_testing;
