#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# berth gc --untagged: manifests that no tag, no index and no subject keeps go, with all that only they named.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA ();
use Berth::Test;
use Berth::Check;
use Berth::GC;

my $DAY = 24 * 3600;
my $s = Berth::Server->start(config => "delete = true;\n", workers => 2);

# put - a manifest by tag or by digest; its digest
sub put {
	my ($repo, $tag, $type, $bytes) = @_;
	my $r = $s->push_manifest($repo, $tag // sha256($bytes), $bytes, $type);
	die 'PUT: ' . $r->as_string if $r->status != 201;
	return sha256($bytes);
}

# image - one layer and a config named after it
my %bytes;
sub image {
	my ($repo, $tag, $what, $more) = @_;
	my ($config, $layer) = ("{\"of\":\"$what\"}", "layer of $what");
	$s->push_blob($repo, $_) for $config, $layer;
	my $m = image_of(OCI_MANIFEST, $config, $layer);
	$m =~ s/\}\z/,$more}/ if $more;
	my $d = put($repo, $tag, OCI_MANIFEST, $m);
	$bytes{"$repo $d"} = [$m, $config, $layer];
	return $d;
}
sub child { my ($repo, $d) = @_; return desc(OCI_MANIFEST, $bytes{"$repo $d"}[0]) }
sub subject_is { my ($repo, $d) = @_; return '"subject":' . child($repo, $d) }
sub index_put {
	my ($repo, $tag, @children) = @_;
	my $m = index_of(OCI_INDEX, @children);
	$bytes{"$repo " . sha256($m)} = [$m];
	return put($repo, $tag, OCI_INDEX, $m);
}
sub is_here { my ($repo, $d) = @_; return $s->req('HEAD', "/v2/$repo/manifests/$d")->status == 200 ? 'here' : 'gone' }
sub whole {
	my ($repo, $d) = @_;
	my ($m, @parts) = @{ $bytes{"$repo $d"} };
	return 'manifest' if $s->req('GET', "/v2/$repo/manifests/$d")->body ne $m;
	return join ' ', map { $s->req('GET', "/v2/$repo/blobs/" . sha256($_))->body eq $_ ? () : $_ } @parts;
}
sub manifests_told { return join "\n", sort map { "$_->{repository} $_->{what}" } grep { $_->{kind} eq 'manifest' } gc_told($_[0]) }

my (%keep, %go);
my $r = 'u/app';
$keep{'a tagged image'} = [$r, my $tagged = image($r, 'v1', 'tagged')];
$keep{'an image with two tags, one of which went,'} = [$r, image($r, 'v2', 'two tags')];
put($r, 'gone', OCI_MANIFEST, $bytes{"$r $keep{'an image with two tags, one of which went,'}[1]"}[0]);
$s->req('DELETE', "/v2/$r/manifests/gone");
$go{'an image that was pushed by digest'} = [$r, image($r, undef, 'by digest')];
$go{'an image whose tag moved on'} = [$r, image($r, 'latest', 'before')];
$keep{'the image that the tag moved to'} = [$r, image($r, 'latest', 'after')];
$go{'an image whose tag was deleted'} = [$r, image($r, 'once', 'once tagged')];
$s->req('DELETE', "/v2/$r/manifests/once");

my @child = map { image($r, undef, "child $_") } 1 .. 4;
$keep{"child $_ of a tagged index"} = [$r, $child[$_ - 1]] for 1, 2;
$keep{'a child of an index in a tagged index'} = [$r, $child[2]];
my $inner = index_put($r, undef, child($r, $child[2]));
$keep{'an index in a tagged index'} = [$r, $inner];
$keep{'a tagged index'} = [$r, index_put($r, 'multi', map({ child($r, $_) } @child[0, 1]), desc(OCI_INDEX, $bytes{"$r $inner"}[0]))];
$go{'a child of an untagged index'} = [$r, $child[3]];
$go{'an untagged index'} = [$r, index_put($r, undef, child($r, $child[3]))];

$keep{'a referrer of a tagged image'} = [$r, my $ref = image($r, undef, 'signature', subject_is($r, $tagged))];
$keep{'a referrer of that referrer'} = [$r, image($r, undef, 'signature of the signature', subject_is($r, $ref))];
$keep{'a referrer of a child of a tagged index'} = [$r, image($r, undef, 'sbom of a child', subject_is($r, $child[0]))];
my $missing = image($r, 'missing', 'soon missing');
$go{'a referrer of what was deleted'} = [$r, my $orphan = image($r, undef, 'orphan', subject_is($r, $missing))];
$s->req('DELETE', "/v2/$r/manifests/$missing");
$go{'a referrer of what never was'} = [$r, image($r, undef, 'stranger', '"subject":' . desc(OCI_MANIFEST, 'never pushed'))];
$keep{'a tagged referrer of what never was'} = [$r, image($r, 'stranger', 'tagged stranger', '"subject":' . desc(OCI_MANIFEST, 'never pushed'))];

# the same manifest untagged here and tagged there
$keep{'the same image, tagged in another repository'} = ['u/other', image('u/other', 'v1', 'by digest')];
# one that is a child by digest only of an index elsewhere
$go{'an image that only an index of another repository names'} = ['u/third', image('u/third', undef, 'child 1')];

make_old($s, 2 * $DAY);
$keep{'a young untagged image'} = [$r, image($r, undef, 'young')];
my $young_child = image('u/young', undef, 'child of a young index');
my $young_index = index_put('u/young', undef, child('u/young', $young_child));
make_old($s, 2 * $DAY, map { substr $_, 1 + length $s->root } revision_link($s, 'u/young', $young_child), blob_file($s, $young_child));
$keep{'a young untagged index'} = ['u/young', $young_index];
$keep{'an old child of a young index'} = ['u/young', $young_child];

# without the option nothing of this goes
gc_ok($s, 'a collection without --untagged');
is join(', ', map { is_here(@{ $go{$_} }) eq 'here' ? () : $_ } sort keys %go), '', 'without --untagged every manifest stays';

my $tree = $s->tree_digest;
my $dry = gc_ok($s, '--untagged', '--dry-run', '--json', 'a dry run');
is $s->tree_digest, $tree, 'changes nothing';
my $want = join "\n", sort map { join ' ', @{ $go{$_} } } keys %go;
is manifests_told($dry), $want, 'it tells the manifests that would go';
like gc($s, '--untagged', '--dry-run')->{out}, qr/^manifest u\/app \Q$go{'an image whose tag moved on'}[1]\E, \d+ bytes: no tag/m, 'with the reason, as text';

my $run = gc_ok($s, '--untagged', '--json', 'a collection with --untagged');
is manifests_told($run), $want, 'takes those and no others';
is join("\n", sort map { key_of($_) } gc_told($dry)), join("\n", sort map { key_of($_) } gc_told($run)), 'the dry run told all that goes: with the manifests the links and the content that only they named';
is gc_total($dry)->{bytes}, gc_total($run)->{bytes}, 'and how many bytes';
is is_here(@{ $go{$_} }), 'gone', "$_ goes" for sort keys %go;
for (sort keys %keep) {
	is is_here(@{ $keep{$_} }), 'here', "$_ stays";
	is whole(@{ $keep{$_} }), '', 'with all that it names';
}
for my $layer ('layer of once tagged', 'layer of before', 'layer of orphan', 'layer of child 4') {
	ok !-e blob_file($s, sha256($layer)), "the content of what went goes with it ($layer)";
}
ok -e blob_file($s, sha256('layer of by digest')), 'but for what another repository needs';
ok !-e layer_link($s, $r, sha256('layer of by digest')), 'whose link goes here';

# what the lists say
is_deeply $s->req('GET', "/v2/$r/tags/list")->json->{tags}, [qw(latest multi stranger v1 v2)], 'the tags are those that there were';
is_deeply [map { $_->{digest} } @{ $s->req('GET', "/v2/$r/referrers/$tagged")->json->{manifests} }], [$ref], 'referrers that stay are listed';
is_deeply $s->req('GET', "/v2/$r/referrers/$missing")->json->{manifests}, [], 'referrers that went are not';
is_deeply [map { $_->{digest} } @{ $s->req('GET', "/v2/$r/referrers/" . sha256('never pushed'))->json->{manifests} }], [$keep{'a tagged referrer of what never was'}[1]], 'of two referrers the tagged one is listed';
is join(' ', grep { !/^(?:reserve|last$)/ } files_below($s->root . '/berth/gc')), '', 'no run is left behind';
is leftovers($s), '', 'nothing is left in body, tmp and trash';
is manifests_told(gc($s, '--untagged', '--json')), '', 'a second collection takes no manifest';

# grace, and what is pushed again
make_old($s, 3600);
is manifests_told(gc($s, '--untagged', '--json', '--grace', '2h')), '', 'an hour is younger than --grace 2h';
my $again = image($r, 'once', 'once tagged');
is whole($r, $again), '', 'what went can be pushed again';
like manifests_told(gc($s, '--untagged', '--json', '--grace', '30m')), qr/\Q$keep{'a young untagged image'}[1]\E/, 'what was young goes when it is older than the grace';
is whole($r, $again), '', 'what was pushed just now stays';

# a subject and its referrers that nothing keeps: gone at the latest when it is looked at again
my $sub = image($r, undef, 'subject that nothing keeps');
my @refs = map { image($r, undef, "referrer $_ of it", subject_is($r, $sub)) } 1 .. 3;
make_old($s, 2 * $DAY);
gc_ok($s, '--untagged', 'a collection of a subject that nothing keeps');
is is_here($r, $sub), 'gone', 'the subject goes';
gc_ok($s, '--untagged', 'one more');
is join(' ', map { is_here($r, $_) } @refs), 'gone gone gone', 'and its referrers, at the latest with the next collection';

# While a collection is on, a tag makes an old index reachable: what the index names goes on being kept.
SKIP: {
	skip 'belongs to the plain build: it traces system calls', 1 if $ENV{BERTH_SANITIZERS};
	skip 'strace is not installed', 1 if !have_program('strace') && !$ENV{CI};
	my $q = 'u/race';
	my $deep = image($q, undef, 'deep');
	my $in = index_put($q, undef, child($q, $deep));
	my $out = index_of(OCI_INDEX, desc(OCI_INDEX, $bytes{"$q $in"}[0]));
	image('a/first', undef, 'goes first');
	make_old($s, 2 * $DAY);
	# it is about to take the lock: the graph of u/race has been read, nothing deleted there
	my $gc = stopped_gc($s, sprintf('berth/locks/repository/%02x', stripe($q)), '--untagged');
	my $at = put($q, 'now', OCI_INDEX, $out);
	let_go($gc);
	is is_here($q, $at), 'here', 'an index that gets a tag while a collection is on stays';
	is is_here($q, $in), 'here', 'so does the index in it';
	is is_here($q, $deep), 'here', 'and what that one names';
	is whole($q, $deep), '', 'with all that it names';
}
ok !(grep { ($_->{status} // 0) >= 500 } $s->log_events), 'no request of all these ended with 5xx';
$s->stop;

# An untagged manifest that goes from one repository is still the subject of another's.
{
	my $b = bare_store();
	my $m = image_of(OCI_MANIFEST, '{"s":1}');
	my $refers = image_of(OCI_MANIFEST, '{"r":1}') =~ s/\}\z/',"subject":' . desc(OCI_MANIFEST, $m) . '}'/er;
	lay_blob($b, $_, '{"s":1}') for 'a/one', 'b/two';
	lay_blob($b, 'b/two', '{"r":1}');
	lay_manifest($b, $_, $m) for 'a/one', 'b/two';
	my $d = lay_manifest($b, 'b/two', $refers);
	make_old($b, 2 * $DAY);
	utime undef, undef, revision_link($b, 'b/two', sha256($m));
	gc($b, '--untagged');
	ok !-e revision_link($b, 'a/one', sha256($m)), 'an untagged manifest goes from one repository';
	ok -e revision_link($b, 'b/two', sha256($m)), 'and stays, being young, in another';
	ok -e revision_link($b, 'b/two', $d), 'where it keeps its referrer';
}

# What keeps a manifest is in its own repository: it is read for that repository's graph, and once more to mark what it names.
SKIP: {
	skip 'belongs to the plain build: it traces system calls', 2 if $ENV{BERTH_SANITIZERS};
	skip 'strace is not installed', 2 if !have_program('strace') && !$ENV{CI};
	my $b = bare_store();
	my $i = lay_image($b, 'a/one', 'v1', '{}', 'layer');
	my $trace = $b->root . '/../opened';

	make_old($b, 2 * $DAY);
	is run('strace', '-f', '-o', $trace, '-e', 'trace=openat', gc_cmd($b, '--untagged'))->{status}, 0, 'a collection with a tagged manifest';
	my $file = substr blob_file($b, $i->{digest}), 1 + length $b->root;
	is scalar(() = slurp($trace) =~ /\Q$file\E/g), 2, 'which is opened twice';
}

sub stripe { return hex substr Digest::SHA::sha256_hex($_[0]), 0, 2 }

done_testing;
