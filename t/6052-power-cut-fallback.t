#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A power cut at every moment while tags change that nginx can serve by itself: no link that is left leads elsewhere than
# its tag. nginx may be there before berth is.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(remove_tree);
use Berth::Test;
use Berth::Check;
use Berth::Recording;
use Berth::Replay;

plain_build_only('it traces system calls');
need_program('strace');

my $trace = tmp_dir() . '/trace';
my $s = Berth::Server->start(config => "delete = true;\nfallback = true;\n", workers => 1, wrap => [strace_to($trace)]);
my $r = Berth::Replay->new(root => $s->root, trace => $trace);
my $top = $s->root . '/berth/index/_fallback';
wait_for { grep { ($_->{event} // '') eq 'fallback' } $s->log_events } 20;

my @parts = ('{"os":"linux"}', 'layer');
my ($one, $two, $three) = map { image_of(OCI_MANIFEST, @parts) . "\n" x $_ } 0 .. 2;
my $list = index_of(OCI_INDEX, desc(OCI_MANIFEST, $one));
sub clean
{
	my $root = $s->root;
	remove_tree(glob("$root/docker/registry/v2/blobs/*/*"), glob("$root/docker/registry/v2/repositories/*"),
		(grep { !m{/_[^/]*\z} } glob("$root/berth/index/*")), glob("$top/*"));
	unlink glob("$root/berth/index/_catalog/*");
	$s->push_blob('a/app', $_) for @parts;
	return;
}
sub pushed { my ($bytes, $type, @refs) = @_; for (@refs) { my $a = $s->push_manifest('a/app', $_, $bytes, $type); die $a->as_string if $a->status != 201 } return }
sub put { my ($bytes, $type, $ref) = @_; return { body => $bytes, claims => { "tag a/app $ref" => sha256($bytes) }, do => sub { pushed($bytes, $type, $ref) } } }
sub del { my ($ref, @gone) = @_; return { claims => { map { ($_ => undef) } @gone }, do => sub { die if $s->req(DELETE => "/v2/a/app/manifests/$ref")->status != 202 } } }

clean;
$r->scenario('a new tag, and again', {}, [put($one, OCI_MANIFEST, 't'), put($one, OCI_MANIFEST, 't')]);
clean;
pushed($one, OCI_MANIFEST, 't', 'u');
my $moves = $r->scenario('a tag that moves, also to another type, and back', { 'tag a/app t' => sha256($one) },
	[put($two, OCI_MANIFEST, 't'), put($list, OCI_INDEX, 't'), put($one, OCI_MANIFEST, 't')]);
clean;
pushed($one, OCI_MANIFEST, 't', 'u');
$r->scenario('a tag goes, and comes again', { 'tag a/app t' => sha256($one) }, [del('t', 'tag a/app t'), put($two, OCI_MANIFEST, 't'), del('t', 'tag a/app t'), put($three, OCI_MANIFEST, 't')]);
clean;
pushed($one, OCI_MANIFEST, 't', 'u');
$r->scenario('a manifest goes with its tags, and another comes', { 'tag a/app t' => sha256($one) },
	[del(sha256($one), 'tag a/app t', 'tag a/app u'), put($two, OCI_MANIFEST, 't'), put($three, OCI_MANIFEST, 'u')]);
ok grep({ -l } glob "$top/a/app/_/*"), 'there are links';
$s->stop_workers;
$r->load;
for my $x ($r->scenarios) {
	is $r->replay($x), undef, "$x->{name}: whatever a power cut leaves";
	ok grep({ $_->{name} eq 'symlink' } @{ $x->{calls} }), '... and links were made';
}
diag("$r->{states} states at $r->{prefixes} moments") if $ENV{BERTH_TEST_VERBOSE};

# the flush of the links' directory is what it takes
my @flushes = grep { $_->[2] =~ m{_fallback/} } $r->flushes_of($moves);
is scalar @flushes, 3, 'a tag that moves costs one flush more';
isnt $r->replay($moves, drop => $_->[0]), undef, 'which is needed: without it a link may lead elsewhere' for @flushes;
done_testing;
