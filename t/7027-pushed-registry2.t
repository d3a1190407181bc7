#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The times of pushes beside the links of tags, and what is remembered, are in nobody's way: registry:2 lists, pulls, moves, deletes and collects in such a
# store, and registry:2's deletes leave nothing of them.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::GC;
use Berth::Other;
use Berth::Repo;
use Berth::Undo;

need_program('docker-registry');

my $s = Berth::Server->start(config => "delete = true;\nundo = \"1d\";\n", workers => 1);
my %image;
for my $tag (qw(stays moves goes remembered)) {
	my ($d, $m) = $s->push_image('team/app', $tag, type => 'oci', layers => ["layer of $tag"]);
	$image{$tag} = { d => $d, m => $m };
}
sub sorted_tags { return join ' ', sort split / /, tags_of($_[0], 'team/app') }
sub put { my ($on, $tag, $m) = @_; return $on->req('PUT', "/v2/team/app/manifests/$tag", headers => ['Content-Type' => OCI_MANIFEST], body => $m)->status }
put($s, 'stays', $image{stays}{m}) for 1 .. 3;
put($s, 'twice', $image{$_}{m}) for 'stays', 'moves';
$s->req('DELETE', "/v2/team/app/manifests/$image{remembered}{d}")->status == 202 or die 'DELETE';
is_deeply [map { scalar(my @t = pushed_of($s, 'team/app', $_)) } qw(stays moves goes twice)], [1, 1, 1, 1], 'each tag has one time';
is scalar(marks_of($s, 'team/app')), 2, 'and there are marks';
$s->stop_workers;

my $other = Berth::Other->new(root => $s->root)->start;
is sorted_tags($other), 'goes moves stays twice', 'registry:2 lists the tags';
is catalog_of($other), 'team/app', 'and the repository';
is join(' ', map { $other->req('GET', "/v2/team/app/manifests/$_->[0]", headers => [Accept => OCI_MANIFEST])->body eq $image{ $_->[1] }{m} ? 'same' : 'other' } ['stays', 'stays'], ['moves', 'moves'], ['twice', 'moves']),
	'same same same', 'it serves what berth would';
is put($other, 'moves', $image{stays}{m}), 201, 'it moves a tag';
is put($other, 'new', $image{stays}{m}), 201, 'and makes one';
is $other->req('DELETE', "/v2/team/app/manifests/$image{goes}{d}")->status, 202, 'it deletes a manifest';
is sorted_tags($other), 'moves new stays twice', 'with its tag';
ok !-e data_dir($s) . '/repositories/team/app/_manifests/tags/goes', 'of which nothing is left';
$other->stop;
for my $option ([], ['-m']) {
	my $r = $other->collect(@$option);
	is $r->{status}, 0, "its collector runs: @$option" or diag($r->{out} . $r->{err});
}
ok !-e blob_file($s, $_->{d}), 'and takes what is not there for it' for @image{qw(goes remembered)};
ok -e blob_file($s, $image{$_}{d}), "but not $_" for 'stays', 'moves';

$s->start_workers;
is tags_of($s, 'team/app'), 'moves new stays twice', 'berth goes on where registry:2 ended';
is_deeply [map { scalar(my @t = pushed_of($s, 'team/app', $_)) } qw(stays moves new)], [1, 1, 0], 'registry:2 has written no time';
is put($s, 'new', $image{stays}{m}), 201, 'a push of its tag';
is scalar(my @new = pushed_of($s, 'team/app', 'new')), 1, 'gives it one';
berth_says($s, ['tag', 'restore', 'team/app:remembered'], 1, qr/^berth: \Q$image{remembered}{d}\E is gone$/, 'what registry:2 has collected cannot be brought back');
is join(' ', grep { !/^(?:layer-without-content|revision-without-link) / } fsck_kinds($s)), '', 'fsck finds what the collector of registry:2 always leaves, and nothing else';
done_testing;
