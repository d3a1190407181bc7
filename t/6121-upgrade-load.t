#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Two machines of version 1.0.0 on one store become two of this version, one after the other, while clients push, tag, delete and list on both and each
# version collects: every answer could have been given one after the other, nothing that was acknowledged is lost, and both versions find the store whole.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep);
use Berth::Test;
use Berth::Check;
use Berth::Crowd;
use Berth::Older;
use Berth::Registers;

plain_build_only('the other version is not built with sanitizers');
need_program('nginx');
my ($SECONDS, $CLIENTS) = (is_long() ? 120 : 24, 8);
my $old = Berth::Older->build('1.0.0');
my $root = tmp_dir() . '/store';
my $slots = tmp_dir();
my @with = (root => $root, config => "delete = true;\n", workers => 3);
my @at = map { Berth::Server->start(@with, older => $old) } 0, 1;

$at[0]->req(POST => "/v2/$_/blobs/uploads/?digest=" . sha256($crowd_layers[0]), body => $crowd_layers[0])->status == 201 or die for @crowd_repos;
my $crowd = Berth::Crowd->new(servers => \@at, slots => $slots, until => crowd_now() + $SECONDS, most => 2000, cut_off => { 0 => 1, 1 => 1 });
my @gc;
# collect - by a version, beside the others
sub collect { push @gc, run($_[0], '--root', $root, 'gc', '--grace', '1s'); return }

# upgrade - one machine: it ends in order, and starts with the other version on the port that it had
sub upgrade
{
	my ($i, $older) = @_;

	$at[$i]->stop_nginx;
	$at[$i]->stop_workers;
	$at[$i]{older} = $older;
	$at[$i]->start_workers;
	$at[$i]->start_nginx;
	return;
}

my @all = run_parallel($CLIENTS, sub { return $crowd->client($_[0]) }, sub {
	sleep $SECONDS / 8;
	collect($old->program('berth'));
	upgrade(0, undef);
	sleep $SECONDS / 8;
	collect($_) for $old->program('berth'), program('berth');
	upgrade(0, $old);               # a step back
	sleep $SECONDS / 12;
	upgrade(0, undef);
	sleep $SECONDS / 8;
	upgrade(1, undef);
	collect(program('berth'));
});
is join('; ', map { $_->{died} // () } @all), '', 'every client came to its end';
is join("\n", map { @{ $_->{fault} // [] } } @all), '', 'with answers that the contract has';
is join(' ', map { "$_->{status}$_->{err}" } @gc), '0 0 0 0', 'collections of both versions end well';
my @history = map { @{ $_->{history} // [] } } @all;
my %n;
$n{"$_->{do} $_->{status}"}++ for @history;
diag(@history . ' requests: ' . join ', ', map { "$_: $n{$_}" } sort keys %n);
cmp_ok $n{$_} // 0, '>', 5, "there was: $_" for 'put 201', 'delete 202', 'list 200', 'read 200';
my $rest = Berth::Crowd->new(servers => \@at, slots => $slots)->at_rest($CLIENTS);
is join("\n", @{ $rest->{fault} }), '', 'all of it can be read when nobody writes any more';
my @faults = history_faults([@history, @{ $rest->{history} }], tags => \@crowd_tags, there => \@crowd_repos);
is join("\n", @faults[0 .. (@faults > 2 ? 1 : $#faults)]), '', 'every answer could have been given one after the other';
for my $repo (@crowd_repos) {
	my %is = map { $_->{tag} => $_->{digest} } @{ $at[1]->req(GET => "/berth/v1/repos/$repo/tags?n=100")->json->{tags} };
	my %ought = map { $_ => $at[0]->req(GET => "/v2/$repo/manifests/$_")->header('Docker-Content-Digest') } @{ $at[0]->req(GET => "/v2/$repo/tags/list")->json->{tags} // [] };
	is_deeply \%is, \%ought, "the page lists the tags of $repo as they are";
}
my $r = run($old->program('berth'), '--root', $root, 'fsck', '--data');
is join("\n", grep { !m{^foreign-name \S+/current/pushed-|^\d+ repositories, } } split /\n/, $r->{out}), '', 'fsck --data of 1.0.0 finds nothing but times of pushes';
$r = run(program('berth'), '--root', $root, 'fsck', '--data');
is $r->{status}, 0, 'fsck --data of this version finds nothing' or diag $r->{out}, $r->{err};
done_testing;
