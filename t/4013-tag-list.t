#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The kept list of a repository's tags: what it costs, and that it is gone or does not count wherever it could be wrong.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Fcntl ':flock';
use File::Path qw(make_path remove_tree);
use POSIX ();
use Time::HiRes qw(sleep);
use Berth::Test;
use Berth::Check;
use Berth::GC;
use Berth::Trace;

need_program('strace');
my $s = Berth::Server->start(config => "delete = true;\n", workers => 2);
my $m = image_of(OCI_MANIFEST, '{}');
my $list = $s->root . '/berth/index/list/app/_list';
my $tags_dir = data_dir($s) . '/repositories/list/app/_manifests/tags';
sub put { my ($tag, $on) = @_; return ($on // $s)->req('PUT', "/v2/list/app/manifests/$tag", headers => ['Content-Type' => OCI_MANIFEST], body => $m)->status }
sub tags { my ($query, $on) = @_; return ($on // $s)->req('GET', '/v2/list/app/tags/list' . ($query // ''))->json->{tags} }
# A list of a directory that has just changed is not kept: its clock has to move first.
sub kept { return wait_for(sub { tags(); -f $list }) }
$s->push_blob('list/app', '{}');
put($_) for 'b', 'a', 'd';

ok kept(), 'a list of all tags is kept';
is_deeply tags(), ['a', 'b', 'd'], 'which is right';
is_deeply [map { tags($_) } '?n=1', '?n=2&last=a', '?last=c', '?n=1&last=d', '?n=0'], [['a'], ['b', 'd'], ['d'], [], []], 'its pages are right';
is $s->req('GET', '/v2/list/app/tags/list?n=2')->header('Link'), '</v2/list/app/tags/list?last=b&n=2>; rel="next"', 'one that is not the last has a Link';
is $s->req('GET', '/v2/list/app/tags/list?n=3')->header('Link'), undef, 'the last has none';
is_deeply tags('?last=' . 'a' x 300), ['b', 'd'], 'after a name that is longer than any tag';

# changes drop it before they show
is put('c'), 201, 'a tag is pushed';
ok !-e $list, 'then the list is gone';
is_deeply tags(), ['a' .. 'd'], 'and the new one is listed';
ok kept(), 'a list is kept again';
is put('c'), 201, 'a tag is pushed once more';
ok -f $list, 'that changes no list';
is $s->req('DELETE', '/v2/list/app/manifests/c')->status, 202, 'a tag is deleted';
ok !-e $list, 'then the list is gone';
is_deeply tags(), ['a', 'b', 'd'], 'and the tag as well';
kept();
is $s->req('DELETE', '/v2/list/app/manifests/' . sha256($m))->status, 202, 'a manifest is deleted';
is tags(), undef, 'with all its tags';
ok kept(), 'no tags are a list, too';
is tags(), undef, 'which is null';
put($_) for 'a', 'b';
kept();

# what is not a list of now does not count, and is replaced
my $good = slurp($list);
my ($head) = $good =~ /^(.*\n)/;
for (
	['cut', substr $good, 0, -2], ['empty', ''], ['of another epoch', '0' x 32 . substr $good, 32], ['damaged', $good =~ s/b\n\z/c\n/r],
	['zero bytes', "\0" x length $good], ['too long', $good . "x\n" x 40_000], ['of an older directory', substr($good, 0, 40) . '7' . substr $good, 41],
) {
	my ($what, $bytes) = @$_;
	spew($list, $bytes);
	is_deeply tags(), ['a', 'b'], "a list that is $what does not count";
	is slurp($list), $good, "and is replaced ($what)";
}
for (['directory', sub { mkdir $list }], ['FIFO', sub { POSIX::mkfifo($list, 0600) }], ['link', sub { spew("$list.other", $good); symlink '_list.other', $list }]) {
	my ($what, $make) = @$_;
	unlink $list;
	$make->();
	is_deeply tags(), ['a', 'b'], "a $what in its place does not count";
	is put('x'), 201, "a push gets past it ($what)";
	is_deeply tags(), ['a', 'b', 'x'], "and is listed ($what)";
	is $s->req('DELETE', '/v2/list/app/manifests/x')->status, 202, "so does a delete ($what)";
	remove_tree("$list.other", -d $list ? $list : ());
	ok kept(), "and a list is kept again ($what)";
	$good = slurp($list);
}

# what others do by hand
make_path("$tags_dir/by-hand/current");
is_deeply tags(), ['a', 'b'], 'a directory without a link is no tag';
kept();
remove_tree("$tags_dir/b");
is_deeply tags(), ['a'], 'a tag that is removed by hand is seen though there was a list';
is put('by-hand'), 201, 'a push to the directory without a link';
is_deeply tags(), ['a', 'by-hand'], 'makes it a tag';

# somebody has the lock: nobody waits, and no list is kept
kept();
unlink $list;
my $stripe = sprintf '%s/berth/locks/repository/%s', $s->root, substr Digest::SHA::sha256_hex('list/app'), 0, 2;
open my $lock, '+<', $stripe or die "$stripe: $!";
flock $lock, LOCK_EX or die "flock: $!";
is_deeply tags(), ['a', 'by-hand'], 'while the repository is locked its tags are listed';
ok !-e $list, 'and no list is kept';
close $lock;
ok kept(), 'after that one is';

# another berth on the same store, and the commands
my $two = Berth::Server->start(root => $s->root, config => "delete = true;\n", workers => 1);
is_deeply tags('', $two), ['a', 'by-hand'], 'another server on the store has the list';
is put('two', $two), 201, 'it gets a tag';
is_deeply tags(), ['a', 'by-hand', 'two'], 'which the first one lists';
kept();
is_deeply tags('', $two), ['a', 'by-hand', 'two'], 'both have the same';
$two->stop;
my @berth = (program('berth'), '--root', $s->root);
is run(@berth, 'repo', 'mv', 'list/app', 'list/new')->{status}, 0, 'the repository gets another name';
ok !-e $list, 'the list of the old name is gone';
is $s->req('GET', '/v2/list/app/tags/list')->status, 404, 'which is unknown';
is_deeply $s->req('GET', '/v2/list/new/tags/list')->json->{tags}, ['a', 'by-hand', 'two'], 'the new name has the tags';
is run(@berth, 'repo', 'mv', 'list/new', 'list/app')->{status}, 0, 'and back';
is_deeply tags(), ['a', 'by-hand', 'two'], 'they are there again';
kept();
is run(@berth, 'repo', 'rm', 'list/app')->{status}, 0, 'the repository is removed';
is $s->req('GET', '/v2/list/app/tags/list')->status, 404, 'then it is unknown';
ok !-e $list, 'and no list stays';
$s->push_blob('list/app', '{}');
put('new');
is_deeply tags(), ['new'], 'the next one of that name has its own tag alone';

# fsck finds a list that lacks a tag, which no code of berth writes
kept();
$good = slurp($list);
my $lacking = substr($good, 0, 84) . "cbf29ce484222325\n";
spew($list, $lacking);
is tags(), undef, 'a list with a right checksum is believed';
my $found = run(@berth, 'fsck');
like $found->{out}, qr{index-tag-names.*list/app/_list.*lacks the tag new}, 'fsck says that it lacks a tag' or diag("$found->{out}$found->{err}");
like run(@berth, 'fsck', '--repair')->{out}, qr/index-tag-names/, 'and repairs it';
is_deeply tags(), ['new'], 'then the tag is listed';
kept();
$s->restart;
is_deeply tags(), ['new'], 'and after a start';

SKIP: {
	skip('it traces system calls', 3) if $ENV{BERTH_SANITIZERS};
	put("t$_") for 1 .. 40;
	kept();
	my $calls = calls_of($s, sub { tags() });
	cmp_ok $calls, '<', 20, "a list of forty tags costs no more calls than a manifest ($calls)";
	my $trace = Berth::Trace::trace_of($s, ['-ttt', '-e', 'trace=unlinkat,renameat,renameat2', '-s', '200'], sub { put('later') });
	my @order = map { $_->[2] =~ /^unlinkat/ && $_->[3] =~ m{_list"} ? 'drop' : $_->[2] =~ /^renameat/ && $_->[3] =~ m{tags/later"} ? 'tag' : () } traced_calls($trace);
	is join(' ', @order), 'drop tag', 'the list is dropped before a tag appears';
	kept();
	$trace = Berth::Trace::trace_of($s, ['-ttt', '-e', 'trace=unlinkat,renameat,renameat2', '-s', '200'], sub { $s->req('DELETE', '/v2/list/app/manifests/later') });
	@order = map { $_->[2] =~ /^unlinkat/ && $_->[3] =~ m{_list"} ? 'drop' : $_->[2] =~ /^renameat/ && $_->[3] =~ m{tags/later", } ? 'tag' : () } traced_calls($trace);
	is join(' ', @order), 'drop tag', 'and before one vanishes';
}


# A worker remembers a list that it has read twice, if that is older than 1.5 seconds. It looks each time whether it is the same file.
my $one = Berth::Server->start(config => "delete = true;\n", workers => 1);
$list = $one->root . '/berth/index/list/app/_list';
$tags_dir = data_dir($one) . '/repositories/list/app/_manifests/tags';
$one->push_blob('list/app', '{}');
put($_, $one) for 'a', 'b';
sub remembered
{
	wait_for { tags('', $one); -f $list } or die "no list is kept\n";
	wait_for { (Time::HiRes::stat($list))[10] + 1.6 < Time::HiRes::time() } or die "the clock stands still\n";
	tags('', $one) for 1 .. 3;
	return;
}
sub read_ones { my ($what) = @_; return Berth::Trace::costs_of($one, sub { tags('', $one) }) }

SKIP: {
	skip('it traces system calls', 3) if $ENV{BERTH_SANITIZERS};
	remembered();
	my $cost = read_ones();
	is $cost->{bytes}, 0, 'a list that is remembered is not read';
	cmp_ok $cost->{calls}, '<=', 8, "that costs $cost->{calls} system calls";
	rename $list, "$list.moved";
	spew($list, slurp("$list.moved"));
	unlink "$list.moved";
	cmp_ok read_ones()->{bytes}, '>', 0, 'another file of the same bytes is';
}
for (
	['a tag that is pushed is listed', [qw(a b c)], sub { put('c', $one) }],
	['a tag that is deleted is not', [qw(a b)], sub { $one->req('DELETE', '/v2/list/app/manifests/c') }],
	['one that is removed by hand is not', [qw(a)], sub { remove_tree("$tags_dir/b") }],
	['one that is pushed through another server is listed', [qw(a other)], sub {
		my $other = Berth::Server->start(root => $one->root, workers => 1);
		put('other', $other);
		tags('', $other) for 1 .. 3;
		$other->stop;
	}],
	['a list that is damaged does not count', [qw(a other)], sub { spew($list, slurp($list) =~ s/a\n/z\n/r) }],
	['a list of the same length that has a right checksum does', undef, sub {
		my $lacking = substr(slurp($list), 0, 84) . "cbf29ce484222325\n";
		spew($list, $lacking);
	}],
	['no list is none', [qw(a other)], sub { unlink $list }],
	['a list of another epoch does not count', [qw(a other)], sub { spew($list, '0' x 32 . substr slurp($list), 32) }],
	['a deleted manifest has no tag', undef, sub { $one->req('DELETE', '/v2/list/app/manifests/' . sha256($m)) }],
) {
	my ($what, $tags, $change) = @$_;
	remembered();
	$change->();
	is_deeply tags('', $one), $tags, "remembered: $what" for 1 .. 3;
}
# More repositories than a worker remembers lists of.
for my $i (1 .. 80) {
	lay_image($one, "many/app$i", $_, '{}') for 1 .. 1 + $i % 3;
}
$one->restart;
for my $round (1 .. 3) {
	my $wrong = grep { my $i = $_; join(',', @{ $one->req('GET', "/v2/many/app$i/tags/list")->json->{tags} }) ne join(',', 1 .. 1 + $i % 3) } 1 .. 80;
	is $wrong, 0, "each of eighty repositories has its own tags, time $round";
	wait_for { !grep { !-f } map { $one->req('GET', "/v2/many/app$_/tags/list"); $one->root . "/berth/index/many/app$_/_list" } 1 .. 80 };
	wait_for { (Time::HiRes::stat($one->root . '/berth/index/many/app80/_list'))[10] + 1.6 < Time::HiRes::time() };
}

done_testing;
