#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The judge of concurrent histories is right about histories made by hand, and agrees with trying all orders.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Linear;
use Berth::Registers;

plain_build_only('it judges a module of the tests alone');

my ($A, $B, $C) = map { sha256($_) } 'a' .. 'c';

# op - one operation from, to
sub op { my ($from, $to, %o) = @_; return { from => $from, to => $to, %o } }
sub judged { my ($want, $title, $ops, $initial) = @_; return is linear_fault($ops, $initial) eq '' ? 'yes' : 'no', $want, $title }

# --- one register ---------------------------------------------------------------------

judged('yes', 'nothing at all happened', []);
judged('yes', 'a write and a read after it', [op(1, 2, set => 'a'), op(3, 4, is => 'a')]);
judged('no', 'a read that misses a write that was over', [op(1, 2, set => 'a'), op(3, 4, is => '')]);
judged('yes', 'a read beside a write sees the old', [op(1, 4, set => 'a'), op(2, 3, is => '')]);
judged('yes', 'or the new', [op(1, 4, set => 'a'), op(2, 3, is => 'a')]);
judged('no', 'but not the new and after it the old', [op(1, 9, set => 'a'), op(2, 3, is => 'a'), op(4, 5, is => '')]);
judged('yes', 'the old and after it the new', [op(1, 9, set => 'a'), op(2, 3, is => ''), op(4, 5, is => 'a')]);
judged('yes', 'of two writes beside each other either is the last', [op(1, 4, set => 'a'), op(2, 3, set => 'b'), op(5, 6, is => 'a')]);
judged('no', 'but not both', [op(1, 4, set => 'a'), op(2, 3, set => 'b'), op(5, 6, is => 'a'), op(7, 8, is => 'b')]);
judged('no', 'a content that nobody wrote', [op(1, 2, set => 'a'), op(3, 4, is => 'b')]);
judged('no', 'a content that is written only later', [op(1, 2, is => 'a'), op(3, 4, set => 'a')]);
judged('yes', 'the content to begin with', [op(1, 2, is => 'x')], 'x');
judged('yes', 'an answer at the moment of a request counts as beside it', [op(1, 2, set => 'a'), op(2, 3, is => '')]);
judged('no', 'two that create what is not there', [op(1, 5, is => '', set => 'a'), op(2, 6, is => '', set => 'b')]);
judged('yes', 'with a deletion beside them', [op(1, 5, is => '', set => 'a'), op(2, 6, is => '', set => 'b'), op(1, 6, not => [''], set => '')]);
judged('no', 'a refusal that no content explains', [op(1, 2, set => 'a'), op(3, 4, not => ['a'])]);
judged('yes', 'a refusal beside the write that explains it', [op(1, 2, set => 'a'), op(3, 6, set => 'b'), op(4, 5, not => ['a'])]);
judged('no', 'two that move from the same content', [op(1, 2, set => 'a'), op(3, 6, is => 'a', set => 'b'), op(4, 7, is => 'a', set => 'c')]);
judged('yes', 'what is dropped is gone', [op(1, 2, set => 'a'), op(3, 4, drop => 'a'), op(5, 6, is => '')]);
judged('no', 'and not found any more', [op(1, 2, set => 'a'), op(3, 4, drop => 'a'), op(5, 6, is => 'a')]);
judged('yes', 'a drop of something else changes nothing', [op(1, 2, set => 'b'), op(3, 4, drop => 'a'), op(5, 6, is => 'b')]);
judged('no', 'and takes nothing', [op(1, 2, set => 'b'), op(3, 4, drop => 'a'), op(5, 6, is => '')]);
judged('yes', 'a drop before a write beside it', [op(1, 2, set => 'a'), op(3, 6, drop => 'a'), op(4, 7, set => 'a'), op(8, 9, is => 'a')]);
judged('yes', 'a write that may have no effect has one', [op(1, 4, set => 'a', maybe => 1), op(5, 6, is => 'a')]);
judged('yes', 'or none', [op(1, 4, set => 'a', maybe => 1), op(5, 6, is => '')]);
judged('no', 'and none after its end', [op(1, 4, set => 'a', maybe => 1), op(5, 6, is => ''), op(7, 8, is => 'a')]);
judged('yes', 'one without an end has it at any moment', [op(1, undef, set => 'a', maybe => 1), op(5, 6, is => ''), op(7, 8, is => 'a')]);
judged('no', 'but not before it was sent', [op(3, undef, set => 'a', maybe => 1), op(1, 2, is => 'a')]);
judged('no', 'and once', [op(1, undef, set => 'a', maybe => 1), op(5, 6, is => 'a'), op(7, 8, set => 'b'), op(9, 10, is => 'b'), op(11, 12, is => 'a')]);
judged('yes', 'two of them have it twice', [(map { op($_, undef, set => 'a', maybe => 1) } 1, 2), op(5, 6, is => 'a'), op(7, 8, set => 'b'), op(9, 10, is => 'b'), op(11, 12, is => 'a')]);
judged('no', 'of sixty none has another effect', [(map { op($_ / 10, undef, set => 'abcdef' =~ s/^.{@{[$_ % 5]}}(.).*/$1/r, maybe => 1) } 1 .. 60), map { op(10 + $_, 11 + $_, is => $_ == 39 ? 'f' : 'abcde' =~ s/^.{@{[$_ % 5]}}(.).*/$1/r) } 1 .. 39]);
judged('yes', 'a long way round through others under way',
	[op(1, 20, set => 'c'), op(2, 21, set => 'a'), op(3, 4, is => 'a'), op(5, 6, is => 'c'), op(7, 22, is => 'c', set => 'd'), op(8, 9, is => 'd')]);
judged('no', 'which does not go twice',
	[op(1, 20, set => 'c'), op(2, 21, set => 'a'), op(3, 4, is => 'a'), op(5, 6, is => 'c'), op(7, 8, is => 'a')]);
like linear_fault([op(1, 2, set => 'a', what => 'the write'), op(3, 4, is => 'b', what => 'the odd one')]),
	qr/no order explains 3.000000 to 4.000000: the odd one\n.*could be: a\n.*\n.*the write/, 'it says which one, and what was before it';

# --- against trying all orders ----------------------------------------------------------

sub all_orders {
	my ($state, @ops) = @_;
	return 1 if !@ops;
	for my $i (0 .. $#ops) {
		my @others = @ops[grep { $_ != $i } 0 .. $#ops];
		return 1 if $ops[$i]{maybe} && all_orders($state, @others);
		next if grep { defined $_->{to} && $_->{to} < $ops[$i]{from} } @ops;        # that one must come first
		my $next = Berth::Linear::step($state, $ops[$i]);
		return 1 if defined $next && all_orders($next, @others);
	}
	return 0;
}

# random_op - with a moment at which it takes effect, so that a history of them is possible; of those that change something some may have no effect, or no end
sub random_op {
	my ($at) = @_;
	my $v = ('', 'a', 'b')[rand 3];
	my $o = op($at - rand 4, $at + rand 4);
	my $k = int rand 6;
	if ($k < 3 && rand() < 0.4) {
		$o->{maybe} = 1;
		delete $o->{to} if rand() < 0.6;
	}
	return { %$o, at => $at, $k == 0 ? (set => $v) : $k == 1 ? (drop => $v) : $k == 2 ? (cas => 1, set => $v) : (look => 1) };
}
srand 20170901;
my %n = (yes => 0, no => 0);
my @bad;
for my $round (1 .. 1500) {
	my $state = '';
	my @ops;
	for my $i (1 .. 3 + rand 5) {
		my $o = random_op($i);
		my $not = $state eq 'a' ? 'b' : 'a';
		rand() < 0.7 ? ($o->{is} = $state) : ($o->{not} = [$not]) if delete $o->{look} || delete $o->{cas};
		$state = Berth::Linear::step($state, $o) if !$o->{maybe} || rand() < 0.5;
		push @ops, $o;
	}
	push @bad, "refused what happened, round $round" if linear_fault(\@ops) ne '';
	# one answer of it is another now
	my @that = grep { defined $_->{is} } @ops or next;
	my $o = $that[rand @that];
	$o->{is} = (grep { $_ ne $o->{is} } '', 'a', 'b')[rand 2];
	my ($is, $want) = (linear_fault(\@ops) eq '' ? 'yes' : 'no', all_orders('', @ops) ? 'yes' : 'no');
	$n{$want}++;
	push @bad, "says $is, round $round" if $is ne $want;
}
is join(', ', @bad), '', '1500 random histories are judged as trying all orders judges them';
cmp_ok $n{$_}, '>', 100, "many of which have the answer $_: $n{$_}" for qw(yes no);

# --- histories of a registry ------------------------------------------------------------

my @tags = qw(one two);
sub faults { my (@h) = @_; return join "\n", history_faults(\@h, tags => \@tags, there => ['app']) }
sub asked { my ($from, $to, $do, %o) = @_; return { c => 0, from => $from, to => $to, do => $do, repo => 'app', %o } }
sub put { my ($from, $to, $ref, $d, %o) = @_; return asked($from, $to, 'put', ref => $ref, digest => $d, status => 201, %o) }
sub read_ { my ($from, $to, $ref, $d) = @_; return asked($from, $to, 'read', ref => $ref, defined $d ? (digest => $d, status => 200) : (status => 404)) }
sub del { my ($from, $to, $ref, $status, %o) = @_; return asked($from, $to, 'delete', ref => $ref, status => $status, %o) }
sub list { my ($from, $to, $names, %o) = @_; return asked($from, $to, 'list', names => $names, status => 200, %o) }
sub good { my ($title, @h) = @_; return is faults(@h), '', $title }
sub refused { my ($title, @h) = @_; return isnt faults(@h), '', $title }

my @two = (put(1, 2, 'one', $A), put(3, 4, 'two', $A));
good('two tags and a deletion of their manifest', @two, del(5, 6, $A, 202), read_(7, 8, 'one'), read_(9, 10, 'two'), read_(11, 12, $A), del(13, 14, $A, 404));
refused('a tag that stays when its manifest is deleted', @two, del(5, 6, $A, 202), read_(7, 8, 'two', $A));
refused('a deleted manifest that is found', @two, del(5, 6, $A, 202), read_(7, 8, $A, $A));
good('while it is deleted the tags go one by one', @two, del(5, 20, $A, 202), read_(6, 7, 'one'), read_(8, 9, 'two', $A), read_(10, 11, $A, $A), read_(12, 13, 'two'));
refused('who does not find the manifest finds none of its tags', @two, del(5, 20, $A, 202), read_(6, 7, $A), read_(8, 9, 'two', $A));
refused('nor who was told that there is none to delete', @two, del(5, 20, $A, 202), del(5, 7, $A, 404), read_(8, 9, 'two', $A));
refused('a tag that leads to a manifest that is not there', @two, del(5, 6, $A, 202), put(7, 30, 'one', $A), read_(8, 9, 'one', $A), read_(10, 11, $A));
good('a tag set to another manifest outlives the first', @two, put(5, 6, 'one', $B), del(7, 8, $A, 202), read_(9, 10, 'one', $B), read_(9, 10, 'two'));
refused('a tag that was set again and went with the first', @two, put(5, 6, 'one', $B), del(7, 8, $A, 202), read_(9, 10, 'one'));
good('a condition that holds', @two, put(5, 6, 'one', $B, match => $A), read_(7, 8, 'one', $B));
refused('a condition that does not hold', @two, put(5, 6, 'one', $B, match => $C));
good('is refused', @two, put(5, 6, 'one', $B, match => $C, status => 412), read_(7, 8, 'one', $A));
refused('a condition that holds is not', @two, put(5, 6, 'one', $B, match => $A, status => 412));
refused('who creates a tag that is there', @two, put(5, 6, 'one', $B, none_match => '*'));
good('is refused too', @two, put(5, 6, 'one', $B, none_match => '*', status => 412));
refused('a tag that is not there is not deleted', @two, del(5, 6, 'one', 202), del(7, 8, 'one', 202));
refused('two that both delete it from the same manifest', @two, del(5, 9, 'one', 202, match => $A), del(6, 8, 'one', 202, match => $A));
good('a push by digest with two tags', put(1, 2, $C, $C, tags => ['one', 'two']), read_(3, 4, 'two', $C), list(5, 6, ['one', 'two']));
good('a manifest that was refused changes nothing', @two, put(5, 6, 'one', $B, status => 400), read_(7, 8, 'one', $A));
my @no = put(5, 99, 'one', $B, status => 0, refused => 1);
good('a push that is refused leaves the tag', @two, @no, read_(7, 8, 'one', $A));
refused('then and later', @two, @no, read_(7, 8, 'one', $B));
good('and perhaps the manifest', @two, @no, read_(7, 8, $B), read_(9, 10, $B, $B));
my @not = del(5, 99, $A, 0, refused => 1);
good('a DELETE that is refused may have taken tags', @two, @not, read_(7, 8, 'one', $A), read_(9, 10, 'one'), read_(11, 12, $A, $A));
refused('and not the manifest', @two, @not, read_(7, 8, $A));
refused('an answer that is none', @two, read_(5, 6, 'one', $A), put(7, 8, 'one', $B, status => 503));
refused('a 412 without a condition', @two, put(7, 8, 'one', $B, status => 412));
refused('another manifest under a digest', @two, asked(5, 6, 'read', ref => $A, digest => $B, status => 200));

good('a list', @two, list(5, 6, ['one', 'two']));
refused('a list without a tag that is there', @two, list(5, 6, ['two']));
refused('a list with one that is not', put(1, 2, 'two', $A), list(5, 6, ['one', 'two']));
good('a list while they are set', put(1, 9, 'one', $A), put(1, 9, 'two', $A), list(2, 3, ['two']), list(4, 5, ['one', 'two']));
refused('and then again without one', put(1, 9, 'one', $A), list(2, 3, ['one']), list(4, 5, undef));
good('no tags at all', list(5, 6, undef));
refused('no tags, though there are some', @two, list(5, 6, undef));
refused('no tags, on a page behind one', @two, list(5, 6, undef, last => 'x'));
good('a page behind the last', @two, list(5, 6, [], last => 'x'));
good('a full page says nothing of what comes after', @two, list(5, 6, ['one'], n => 1, more => 1));
refused('a page with more to come that is not full', @two, list(5, 6, ['one'], n => 3, more => 1));
refused('a page that is full and more', @two, list(5, 6, ['one', 'two'], n => 1));
refused('a page that is not in order', @two, list(5, 6, ['two', 'one']));
refused('a name twice', @two, list(5, 6, ['one', 'one', 'two']));
refused('a page that begins too early', @two, list(5, 6, ['one', 'two'], last => 'one'));
refused('a tag that nobody made', @two, list(5, 6, ['one', 'three', 'two']));

sub catalog { my ($from, $to, $names, %o) = @_; return asked($from, $to, 'catalog', names => $names, status => 200, %o) }
my @store = asked(3, 6, 'store', repo => 'zoo', status => 201);
good('a repository appears in the catalog', catalog(1, 2, ['app']), @store, catalog(4, 5, ['app', 'zoo']), catalog(7, 8, ['app', 'zoo']));
refused('and stays', @store, catalog(4, 5, ['app', 'zoo']), catalog(5.5, 8, ['app']));
refused('once it was acknowledged', @store, catalog(7, 8, ['app']));
refused('but not before anybody asked for it', catalog(1, 2, ['app', 'zoo']), @store);
refused('and the others stay as well', catalog(1, 2, []));
my @refused = asked(3, 99, 'store', repo => 'zoo', status => 0, refused => 1);
good('a push that is refused may leave its repository', @refused, catalog(4, 5, ['app']), catalog(6, 7, ['app', 'zoo']));
good('or none', @refused, catalog(4, 5, ['app']), catalog(6, 7, ['app']));
refused('and not for a moment', @refused, catalog(4, 5, ['app', 'zoo']), catalog(6, 7, ['app']));
my @hundred = map { sprintf 'zoo%02d', $_ } 0 .. 98;
my @made = map { asked(1, 2, 'store', repo => $_, status => 201) } @hundred, 'zoo99';
good('a page without a number has room for a hundred', @made, catalog(3, 4, ['app', @hundred], more => 1));
refused('and not for less, where more is to come', @made, catalog(3, 4, ['app', @hundred[0 .. 97]], more => 1));
refused('a mount that fails makes none', asked(3, 4, 'store', repo => 'zoo', mount => 1, status => 202), catalog(5, 6, ['app', 'zoo']));

sub up { my ($from, $to, $do, $status, %o) = @_; return asked($from, $to, $do, upload => 'u', status => $status, %o) }
good('an upload grows and is finished', up(1, 2, 'append', 202, n => 5, size => 5), up(3, 4, 'status', 204, size => 5), up(5, 6, 'finish', 201, size => 5), up(7, 8, 'status', 404));
good('two chunks at once come one after the other', up(1, 4, 'append', 202, n => 5, size => 12), up(2, 3, 'append', 202, n => 7, size => 7));
refused('and not into each other', up(1, 4, 'append', 202, n => 5, size => 5), up(2, 3, 'append', 202, n => 7, size => 7));
refused('a chunk after the end', up(1, 2, 'cancel', 204), up(3, 4, 'append', 202, n => 5, size => 5));
refused('two that cancel it', up(1, 4, 'cancel', 204), up(2, 3, 'cancel', 204));
refused('a digest of bytes that are not all', up(1, 2, 'append', 202, n => 5, size => 5), up(3, 4, 'finish', 201, size => 0));
good('is refused, and ends it', up(1, 2, 'append', 202, n => 5, size => 5), up(3, 4, 'finish', 400, size => 0), up(5, 6, 'status', 404));
refused('a digest of all bytes is not', up(1, 2, 'append', 202, n => 5, size => 5), up(3, 4, 'finish', 400, size => 5));

my @blob = asked(7, 8, 'blob', of => $A, since => 5, digest => $C, status => 404);
refused('a manifest without its blob', @two, read_(5, 6, 'one', $A), @blob);
good('unless it was deleted since', @two, read_(5, 6, 'one', $A), del(6.5, 9, $A, 202), @blob);
refused('and not before', @two, del(4, 4.5, $A, 202), put(4.6, 4.7, 'one', $A), read_(5, 6, 'one', $A), @blob);

done_testing;
