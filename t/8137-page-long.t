#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A list of 3,000 tags, or with --long of 100,000: only what is seen is drawn, only what somebody looks at is loaded, and who drags the bar to the middle is there
# with one request. What is loaded around it follows without a gap, also where the place was a guess.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Check;
use Berth::GC;
use Berth::Test;
use Berth::Page;

plain_build_only('it looks at what the browser does');

my $tags = is_long() ? 100_000 : 3000;
my $s = page_server(root => quick_dir(2000) . '/store', config => '');
my $text = image_json($s, undef, 'many');
my $d = put_manifest($s, undef, 'many', 'zz', OCI_MANIFEST, $text);
put_manifest($s, undef, 'odd', 'zz', OCI_MANIFEST, image_json($s, undef, 'odd'));

# Tags as links: pushing so many takes long. In "odd" the names of the second half are long, so that half of the bytes are not half of the rows.
$s->stop_workers;
my $ODD = 1200;
for (['many', $tags, sub { sprintf 't%06d', $_[0] }], ['odd', $ODD, sub { sprintf $_[0] <= $ODD / 2 ? 'a%06d' : 'b' . '-long' x 20 . '%06d', $_[0] }]) {
	my ($repo, $n, $name) = @$_;
	my $top = data_dir($s) . "/repositories/$repo/_manifests/tags";
	for my $i (1 .. $n) {
		my $p = "$top/" . $name->($i);
		mkdir $_ or die "$_: $!" for $p, "$p/current";
		spew("$p/current/link", $d);
		my $then = 1_700_000_000 + $i;
		utime $then, $then, "$p/current/link";
	}
}
$s->start_workers;
# the first list of so many compares them with the links: on a busy machine nginx would not wait for it
run_ok(program('berth'), '--config', $s->config_file, '--root', $s->root, 'index', 'rebuild', $_, "$_ is compared with its links") for 'many', 'odd';
is $s->req(GET => "/berth/v1/repos/$_->[0]/tags?n=1")->json->{total}, $_->[1] + 1, "$_->[0] has $_->[1] tags and one more" for ['many', $tags], ['odd', $ODD];

my $w = Berth::Browser->start;
# seen - the numbers of the tags in sight, in their order
my $seen = <<'END';
const head = document.querySelector('.table .head').getBoundingClientRect().bottom;
return [...document.querySelectorAll('.tag-list .body .row')].filter((e) => e.getBoundingClientRect().bottom > head + 2 && e.getBoundingClientRect().top < innerHeight)
	.map((e) => Number(/(\d+)$/.exec(e.querySelector('.strong').textContent)?.[1] ?? -1));
END
sub seen { return @{ $w->js($seen) } }
sub rest { return rows_rest($w) }
sub drag { my ($part) = @_; $w->js('scrollTo(0, arguments[0] * (document.documentElement.scrollHeight - innerHeight))', $part); return rest() }
sub rows_there { return $w->count('.tag-list .body .row') }
# gaps - between the numbers of tags that stand beside each other
sub gaps { my @n = grep { $_ >= 0 } @_; return join ' ', map { $n[$_] == $n[ $_ - 1 ] + 1 ? () : "$n[$_ - 1]-$n[$_]" } 1 .. $#n }

visit($w, $s, 'repo/many?sort=name&order=asc');
ok $w->has('.tag-list .body .row', 't000001') && settled($w), 'a long list opens';
ok $w->has('.foot', 'of ' . ($tags + 1) =~ s/(\d)(?=(\d{3})+$)/$1,/gr), '... and says how long it is' or diag $w->text('.foot');
is $w->js('return document.querySelector("[role=table]").getAttribute("aria-rowcount")'), $tags + 2, '... to a screen reader, too';
asked($s);
ok drag(0.5), 'the bar is dragged to the middle';
my @at = seen();
cmp_ok scalar(@at), '>', 10, 'there are rows' or diag $w->text('main');
cmp_ok abs($at[0] - $tags / 2), '<', $tags / 50, "... of the middle: $at[0]";
is gaps(@at), '', '... one after the other';
my @asked = asked($s);
is scalar(grep { /\bat=\d+/ } @asked), 1, '... which one request got' or diag join "\n", @asked;
cmp_ok scalar(@asked), '<=', 3, '... and none for what is before';
is $w->js('return document.querySelector(".tag-list .body .row").getAttribute("aria-rowindex") > 100'), JSON::PP::true, '... and a screen reader is told where they stand';
cmp_ok rows_there(), '<', 120, '... the document has few rows: ' . rows_there();

# on from there, in both directions
for my $way (1, -1) {
	my (@all, %had);
	for my $step (1 .. 30) {
		$w->js('scrollBy(0, arguments[0])', 400 * $way);
		rest() or diag 'the rows do not come';
		push @all, grep { !$had{$_}++ } $way > 0 ? seen() : reverse seen();
		last if rows_there() >= 120;
	}
	is gaps($way > 0 ? @all : reverse @all), '', ($way > 0 ? 'down' : 'up') . ' from there the tags follow without a gap';
	cmp_ok scalar(@all), '>', 250, '... over the ends of what was loaded: ' . @all;
	cmp_ok rows_there(), '<', 120, '... with few rows in the document';
}
my %once;
is join(' ', grep { $once{$_}++ } asked($s)), '', 'nothing was loaded twice';

# to the end, and to the beginning
ok drag(1), 'the bar is dragged to the end';
ok $w->has('.tag-list .body .row', 'zz'), '... where the last tag is';
like $w->text('.foot'), qr/\b([\d,]+) of \1$/, '... which the foot says' or diag $w->text('.foot');
is gaps(seen()), '', '... after those before it';
ok drag(0), 'back to the beginning';
ok $w->has('.tag-list .body .row', 't000001'), '... there is the first one';

# the keyboard, and what is selected
$w->js('document.activeElement.blur()');
$w->press('End');
ok $w->has('.tag-list .body .row', 'zz') && rest(), 'the End key leads to the end';
$w->press('Home');
ok $w->has('.tag-list .body .row', 't000001') && rest(), '... and Home back';
is complaints($w), '', '... without a complaint of the browser';

# by push, the newest first
visit($w, $s, 'repo/many');
ok $w->has('.tag-list .body .row', 'zz') && settled($w), 'by push';
ok drag(0.25), '... a quarter down';
my @newest = seen();
cmp_ok abs($tags * 0.75 - $newest[0]), '<', $tags / 50, "... is what it should be: $newest[0]";
is gaps(reverse @newest), '', '... in order';
$w->click('.head .sort', 'Tag');
ok $w->has('.tag-list .body .row', 't000001') && rest(), 'sorted anew a list is seen from its beginning';

# back to where one was
drag(0.5);
my ($there) = seen();
$w->click('.tag-list .body .row a', sprintf 't%06d', $there + 5);
ok $w->has('.main-column') && settled($w), 'a tag of the middle opens';
asked($s);
$w->post('/back');
ok $w->until('return document.querySelectorAll(".tag-list .body .row").length > 10') && rest(), 'back is the list';
is((seen())[0], $there, '... at the same place');
is join(' ', asked($s)), '', '... without a request';

# where the place is a guess: what is seen does not move when positions turn out to be others, and the list ends where it ends
visit($w, $s, 'repo/odd?sort=name&order=asc');
ok $w->has('.tag-list .body .row', 'a000001') && settled($w), 'a list of rows of different lengths';
for my $from (0.3, 0.8) {
	drag($from);
	my (@all, %had);
	my $last = 0;
	for my $step (1 .. 200) {
		my ($before) = seen();
		push @all, grep { !$had{$_}++ } reverse seen();
		$last = $w->js('return scrollY') == 0;
		last if $last && $before == 1;
		$w->js('scrollBy(0, -400)');
		rest() or diag 'the rows do not come';
	}
	is gaps(reverse @all), '', "from $from up to the beginning the tags follow without a gap";
	is $all[-1], 1, '... up to the first one';
	is $w->js('return document.querySelector(".tag-list .body .row").dataset.index'), '0', '... which is the first row';
	is $last, 1, '... at the top';
}
drag(0.3);
my (@down, %had);
for my $step (1 .. 200) {
	push @down, grep { !$had{$_}++ } seen();
	last if ($down[-1] // 0) == -1;
	$w->js('scrollBy(0, 400)');
	rest() or diag 'the rows do not come';
}
is gaps(@down), '', 'and down to the end';
is $down[-1], -1, '... up to the last one';
is complaints($w), '', '... without a complaint of the browser';

# a phone
$w->size(390, 800);
visit($w, $s, 'repo/many?sort=name&order=asc');
ok $w->has('.tag-list .body .row', 't000001') && settled($w) && drag(0.5), 'on a phone, too';
my @phone = seen();
cmp_ok abs($phone[0] - $tags / 2), '<', $tags / 50, "... the middle is the middle: $phone[0]";
is gaps(@phone), '', '... one after the other';
cmp_ok $w->js('return document.documentElement.scrollWidth - innerWidth'), '<=', 0, '... no wider than the screen';
is complaints($w), '', '... without a complaint of the browser';

done_testing;
