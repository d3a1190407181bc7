#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Version 1.0.0 and this one serve one store at the same time, in any order: each sees what the other did, collections of either keep what both
# need, and the lists that only this one has are right although the other one tells them nothing.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Content;
use Berth::Older;

plain_build_only('the other version is not built with sanitizers');
need_program('nginx');
my $old = Berth::Older->build('1.0.0');
my $root = tmp_dir() . '/store';
my @with = (root => $root, config => "delete = true;\n", workers => 2);
my $mark = "$root/berth/index/_fallback";
my $c = Berth::Content->new;
my ($older, $newer);

# rows - the lists of the page, by this version: each tag, with what it points to
sub rows
{
	my @rows;

	for my $repo (sort map { $_->{name} } @{ $newer->req(GET => '/berth/v1/repos')->json->{repos} }) {
		push @rows, map { "$repo $_->{tag} $_->{digest}" } @{ $newer->req(GET => "/berth/v1/repos/$repo/tags?sort=name&n=100")->json->{tags} };
	}
	return join "\n", @rows;
}
sub rows_are { return join "\n", map { my ($r, $t) = ($_, $c->repo($_)->{tags}); map { "$r $_ $t->{$_}" } sort keys %$t } $c->names }
sub counts { return join ' ', map { "$_->{name}=$_->{tags}" } sort { $a->{name} cmp $b->{name} } @{ $newer->req(GET => '/berth/v1/repos')->json->{repos} } }
sub counts_are { return join ' ', map { "$_=" . keys %{ $c->repo($_)->{tags} } } $c->names }

# agree - those who serve have what the store ought to hold
sub agree
{
	my ($what) = @_;

	is $c->faults($older), '', "$what: 1.0.0 serves all of it" if $older;
	return if !$newer;
	is $c->faults($newer), '', "$what: this version serves all of it";
	is rows(), rows_are(), "$what: ... and lists the tags as they are";
	is counts(), counts_are(), "$what: ... and counts them";
	return;
}

my $serial = 0;
# something - one change of each kind by a side, of what any side has made
sub something
{
	my ($side) = @_;
	my $n = ++$serial;
	my $image = $c->image($side, "turn$n/app", 'v1', layers => ["layer of turn $n", 'a layer of all']);

	$c->retag($side, "turn$n/app", $_, $image) for 'latest', 'old';
	my $of = $c->image($side, 'all', "t$n", layers => ["layer $n of all"]);
	$c->retag($side, 'all', 'moves', $of);
	$c->retag($side, 'all', 'comes', $of) if $n % 2;
	$c->delete_tag($side, 'all', 'comes') if !($n % 2) && $c->repo('all')->{tags}{comes};
	$c->index($side, 'all', "multi$n", OCI_INDEX, $of);
	$c->image($side, 'all', undef, subject => $of, artifactType => 'application/x.sbom');
	$c->mount($side, "mounted$n", 'all', (sort keys %{ $c->repo('all')->{blobs} })[0]);
	$c->delete_tag($side, "turn$n/app", 'old');
	return if $n == 1;
	my $last = $n - 1;
	$c->retag($side, "turn$last/app", 'v1', $c->image($side, "turn$last/app", undef));
	$c->delete_manifest($side, 'all', $c->repo('all')->{tags}{"multi$last"});
	$c->image($side, "turn$last/app", 'added');
	return;
}

sub whole
{
	my ($what) = @_;

	# It does not know the times of pushes, names them, and leaves them where they are.
	my $r = run($old->program('berth'), '--root', $root, 'fsck', '--data', '--repair');
	is join("\n", grep { !m{^foreign-name \S+/current/pushed-[0-9a-f]{16}: |^\d+ repositories, } } split /\n/, $r->{out}), '',
		"$what: fsck --data --repair of 1.0.0 finds nothing but times of pushes";
	my @times = glob "$root/docker/registry/v2/repositories/all/_manifests/tags/moves/current/pushed-*";
	is scalar @times, 1, '... which stay';
	$r = run(program('berth'), '--root', $root, 'fsck', '--data');
	is $r->{status}, 0, "$what: fsck --data of this version finds nothing" or diag $r->{out}, $r->{err};
	return;
}

# --- the older one began the epoch

$older = Berth::Server->start(@with, older => $old);
something($older);
agree('before');
$newer = Berth::Server->start(@with);
agree('both serve');
for (1 .. 2) {
	for my $side ($older, $newer) {
		something($side);
		agree("turn $serial");
	}
}
ok !-l $mark, 'no summary counts while 1.0.0 serves';
my @begun = map { [$_, $c->begin($_, 'upload', 'begun on one side')] } $older, $newer;
for (@begun) {
	my ($from, $uuid) = @$_;
	my $to = $from == $older ? $newer : $older;
	is $c->finish($to, 'upload', $uuid, 'begun on one side', ', finished on port ' . $to->port)->status, 201, 'an upload of the other side is finished';
}

# --- collections by both, with what they leave to the other one

for my $by ($old->program('berth'), program('berth')) {
	my $r = run($by, '--root', $root, 'gc', '--grace', '0s', '--json');
	is $r->{status}, 0, 'a collection beside both' or diag $r->{out}, $r->{err};
	$c->only_referenced;
	agree('after it');
	something($_) for $older, $newer;
}
whole('beside both');

# --- the older one goes, and comes back: a step back of one machine

$older->stop;
undef $older;
agree('1.0.0 has gone');
ok -l $mark, 'summaries count again, without a new epoch';
something($newer);
agree('alone');
my $first = readlink $mark;
$older = Berth::Server->start(@with, older => $old);
ok !-l $mark, '1.0.0 takes their mark away when it starts';
something($older);
agree('1.0.0 is back');
something($newer);
agree('both again');
$newer->stop;
undef $newer;
something($older);
agree('1.0.0 alone');
$older->stop;
undef $older;
$newer = Berth::Server->start(@with);
agree('this one, in an epoch of its own');
ok -l $mark && readlink($mark) ne $first, 'with another mark';
whole('in the end');

# --- the number of the format

$newer->stop;
my $format = "$root/berth/format";
is slurp($format), "1\n", 'the store has the format of 1.0.0';
for (["2 2.7.1\n", qr/this store needs berth 2\.7\.1 or newer/], ["2\n", qr/is of a newer berth/], ["x\n", qr/is of a newer berth/]) {
	my ($text, $says) = @$_;
	chomp(my $name = $text);
	spew($format, $text);
	for (['this version', program('berth-fcgi'), $says], ['1.0.0', $old->program('berth-fcgi'), qr/is of a newer berth/]) {
		my ($whose, $fcgi, $says_it) = @$_;
		my $r = run($fcgi, '--root', $root, '--listen', tmp_dir() . '/s', '--workers', 1);
		isnt $r->{status}, 0, "format '$name': $whose does not start";
		like "$r->{out}$r->{err}", $says_it, '... and says why';
	}
}
done_testing;
