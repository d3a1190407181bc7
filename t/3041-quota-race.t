#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# 32 clients race to fill the last megabyte of a quota: the group never has more than allowed, and nobody is refused while there is room.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Quota;

my $LIMIT = 4 << 20;
my $s = Berth::Server->start(config => "upload_workers = 4;\nrules = ( { repo = \"team/**\"; quota = \"4 MiB\"; } );\n", workers => 4);
my $clients = 32;

$s->push_blob('team/base', random_bytes(3 << 20));
# What everybody has: to push it costs nothing, however full the group is.
my $common = random_bytes(20_000);
$s->push_blob('team/base', $common);

# push - one of the ways in which clients push a blob: its status
sub push_one
{
	my ($how, $repo, $bytes) = @_;
	my $d = sha256($bytes);

	return $s->req('POST', "/v2/$repo/blobs/uploads/?digest=$d", body => $bytes, chunked => $how == 1) if $how < 2;
	my $loc = upload_start($s, $repo);
	if ($how == 2) {
		my $r = $s->req('PATCH', $loc, body => $bytes, chunked => 1);
		return $r if $r->status != 202;
		return $s->req('PUT', "$loc?digest=$d");
	}
	return $s->req('PUT', "$loc?digest=$d", body => $bytes);
}

# No link goes away meanwhile, so the sum only grows: who was refused at any moment is refused at the end as well.
my @result = run_parallel($clients, sub {
	my ($i) = @_;
	my (@in, @refused, @odd);

	srand 1000 + $i;
	for my $n (1 .. 14) {
		# The small ones come when all large ones have, which nearly fill it: so the most of them are refused, in whatever order clients come.
		if ($n == 8) {
			spew($s->dir . "/large.$i", '');
			wait_for { $clients == (() = glob $s->dir . '/large.*') };
		}
		my $size = 1 + int rand($n < 8 ? 9000 : 600);
		my $bytes = "client $i, blob $n;" . random_bytes($size);
		my $how = int rand 4;
		my $r = patient { push_one($how, "team/c$i", $bytes) };

		if ($r->status == 201) { push @in, length $bytes }
		elsif ($r->status == 403 && $r->body =~ /the quota does not allow it: (\d+) bytes are used of (\d+), and (\d+) more/) { push @refused, [length $bytes, $1, $2, $3] }
		else { push @odd, $r->status . ' ' . $r->body }
		next if $n % 5;
		$r = patient { push_one($n % 4, "team/c$i", $common) };
		# In a PATCH its digest is not known yet.
		push @odd, 'what the group has: ' . $r->status . ' ' . $r->body if $r->status != 201 && !($n % 4 == 2 && $r->status == 403);
	}
	return { in => \@in, refused => \@refused, odd => \@odd };
});
is_deeply [map { $_->{died} // () } @result], [], '32 clients pushed';
is_deeply [map { @{ $_->{odd} // [] } } @result], [], 'each was answered 201, or 403 with the reason';
my ($used) = quota_counted($s->root, 'team');
my @refused = map { @{ $_->{refused} } } @result;
my $in = 0;
$in += $_ for map { @{ $_->{in} } } @result;
cmp_ok $used, '<=', $LIMIT, "the group has $used bytes";
is $used, (3 << 20) + length($common) + $in, 'all that was acknowledged, and nothing else';
is quota_fault($s->root, 'team'), '', 'its table says what the links say';
cmp_ok scalar(@refused), '>', 50, scalar(@refused) . ' pushes were refused';
is_deeply [grep { $_->[2] != $LIMIT || $_->[1] > $LIMIT || $_->[1] + $_->[3] <= $LIMIT } @refused], [], 'each was told numbers by which it does not fit';
is_deeply [grep { $used + $_->[0] <= $LIMIT } @refused], [], 'none of them would have fitted: a refusal is one that some order of all requests gives';
my $room = $LIMIT - $used;
is push_one(0, 'team/last', 'x' x $room)->status, 201, "the last $room bytes fit exactly" if $room;
is push_one(0, 'team/last', 'y')->status, 403, 'and then no byte more';
is((quota_counted($s->root, 'team'))[0], $LIMIT, 'it is full to the byte');
$s->stop;
done_testing;
