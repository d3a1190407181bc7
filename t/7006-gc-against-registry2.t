#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# berth gc against `docker-registry garbage-collect` of Debian, on two copies of one store: the same content goes. What
# differs: berth takes the layer links that nothing names, too (the other one leaves them, pointing to nothing); the
# other one with --delete-untagged takes children of indexes and untagged referrers, berth with --untagged does not.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path);
use Berth::Test;
use Berth::Check;
use Berth::Client;
use Berth::GC;

need_program('docker-registry');

my $DAY = 24 * 3600;
my $dir = quick_dir();
my $a = bare_store("$dir/a");
my $laid = lay_store($a, repositories => 25, images => 400, layers => 4, garbage => 5);
cmp_ok $laid->{blobs}, '>=', 2000, "a store of $laid->{blobs} blobs, 400 of them manifests, a fifth of it garbage";

# besides: an index with children, an artifact with a subject, an image without a tag, content without a link, an
# upload under way
my @more;
sub image {
	my ($repo, $tag, $m, @parts) = @_;
	lay_blob($a, $repo, $_) for @parts;
	my $d = lay_manifest($a, $repo, $m, $tag // ());
	push @more, [$repo, $d, [map { sha256($_) } @parts], $tag];
	return $d;
}
my @child = map { image_of(OCI_MANIFEST, "{\"child\":$_}", "layer of child $_") } 1, 2;
image('more/multi', undef, $child[$_ - 1], "{\"child\":$_}", "layer of child $_") for 1, 2;
my $index = image('more/multi', 'latest', index_of(OCI_INDEX, map { desc(OCI_MANIFEST, $_) } @child));
my $signature = image('more/multi', undef, image_of(OCI_MANIFEST, '{}', 'a signature') =~ s/\}\z/',"subject":' . desc(OCI_MANIFEST, $child[0]) . '}'/er, '{}', 'a signature');
my $untagged = image('more/untagged', undef, image_of(OCI_MANIFEST, '{"u":1}', 'layer of what has no tag'), '{"u":1}', 'layer of what has no tag');
make_path(data_dir($a) . '/repositories/more/untagged/_manifests/tags');
lay_file(blob_file($a, sha256("no link $_")), "no link $_") for 1 .. 5;
$laid->{dead}{ sha256("no link $_") } = 1 for 1 .. 5;
my $uuid = '01234567-89ab-4cde-8f01-23456789abcd';
lay_file(data_dir($a) . "/repositories/more/multi/_uploads/$uuid/$_", '2026-01-02T03:04:05Z') for qw(startedat data);
make_old($a, 2 * $DAY);
# as hard links: both collectors remove names, and change no file
run('cp', '-al', "$dir/a", "$dir/$_")->{status} and die "cp\n" for 'b', 'c';
my $b = bless { root => "$dir/b" }, 'Berth::GC';
my @before = @{ blobs_on_disk($a) };
my @links = @{ links_on_disk($a) };

my $mine = gc_ok($a, '--json', 'berth collects one copy');
my $other = collect_with_docker_registry($b->root);
is $other->{status}, 0, 'docker-registry collects the other' or diag($other->{err});
my @want = grep { !$laid->{dead}{$_} } @before;
is_deeply blobs_on_disk($a), \@want, 'berth takes the content that is garbage, and no other';
is_deeply blobs_on_disk($b), \@want, 'docker-registry takes the same';
is_deeply links_on_disk($a), [grep { !$laid->{deadlinks}{$_} } @links], 'berth takes the links that nothing needs';
is_deeply links_on_disk($b), \@links, 'docker-registry leaves them';
my %there = map { $_ => 1 } @want;
is scalar(grep { / (\S+)/ && !$there{$1} } @{ links_on_disk($a) }), 0, 'so with berth no link is left that points to nothing';
cmp_ok scalar(grep { / (\S+)/ && !$there{$1} } @{ links_on_disk($b) }), '>', 100, 'with docker-registry there are many';
my $files = sub { my ($s) = @_; return [grep { !m{/_layers/} && !m{^blobs/} } files_below(data_dir($s))] };
is_deeply $files->($a), $files->($b), 'manifests, tags and uploads are the same in both';
is gc_total(gc($b, '--json'))->{links}, scalar keys %{ $laid->{deadlinks} }, 'berth after docker-registry takes the links that are left';
is_deeply links_on_disk($b), links_on_disk($a), 'then both are the same';
is collect_with_docker_registry($a->root)->{status}, 0, 'docker-registry collects after berth';
is_deeply blobs_on_disk($a), \@want, 'and finds nothing more';

# what the manifests name, by HTTP, from either program; each store by either collector
my $c = bless { root => "$dir/c" }, 'Berth::GC';
sub pull_all {
	my ($get, $n) = @_;
	my @bad;
	for my $i (@more, (grep { $n-- > 0 } @{ $laid->{images} })) {
		my ($repo, $d, $parts, $tag) = @$i;
		for my $ref ($d, $tag // ()) {
			my ($status, $bytes) = $get->("/v2/$repo/manifests/$ref");
			push @bad, "$repo $ref $status" if $status != 200 || sha256($bytes) ne $d;
		}
		for my $p (@$parts) {
			my ($status, $bytes) = $get->("/v2/$repo/blobs/$p");
			push @bad, "$repo $p $status" if $status != 200 || sha256($bytes) ne $p;
		}
	}
	return join ', ', @bad;
}
sub missing_in {
	my ($s) = @_;
	return join ', ', map { my ($repo, $d, $parts) = @$_; map { -s blob_file($s, $_) ? () : "$repo $_" } $d, @$parts } @more, @{ $laid->{images} };
}
is missing_in($a), '', 'of all images nothing is missing after both';
is missing_in($b), '', 'whichever came first';
for my $x ([$a, 'berth and then docker-registry'], [$b, 'docker-registry and then berth']) {
	my ($store, $what) = @$x;
	my $s = Berth::Server->start(root => $store->root, config => "delete = true;\n", workers => 2);
	is pull_all(sub { my $r = $s->req('GET', $_[0]); return ($r->status, $r->body) }, 60), '', "berth serves what $what have collected";
	my ($d) = $s->push_image('more/new', 'v1');
	is $s->req('HEAD', "/v2/more/new/manifests/$d")->status, 200, 'and takes pushes';
	$s->stop;
}
my $host = other_registry(root => $a->root);
my $accept = join ', ', OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST;
require HTTP::Tiny;
my $http = HTTP::Tiny->new(timeout => 120);
is pull_all(sub { my $r = $http->get("http://$host$_[0]", { headers => { Accept => $accept } }); return ($r->{status}, $r->{content}) }, 60), '',
	'docker-registry serves what berth has collected';

# without tags: what berth keeps and the other one does not
gc_ok($c, '--untagged', '--json', 'berth collects a third copy with --untagged');
is join(' ', map { -e revision_link($c, 'more/multi', $_) ? 'here' : 'gone' } $index, sha256($child[0]), sha256($child[1]), $signature), 'here here here here',
	'berth keeps a tagged index, its children, and what refers to them';
ok !-e revision_link($c, 'more/untagged', $untagged), 'and takes an image without a tag';
$other = collect_with_docker_registry($b->root, '--delete-untagged');
is $other->{status}, 0, 'docker-registry collects with --delete-untagged' or diag($other->{err});
ok !-e revision_link($b, 'more/untagged', $untagged), 'it takes that image, too';
isnt join(' ', map { -e revision_link($b, 'more/multi', $_) ? 'here' : 'gone' } sha256($child[0]), sha256($child[1]), $signature), 'here here here',
	'and children of a tagged index, or what refers to them: berth is the one to run over such a store';

done_testing;
