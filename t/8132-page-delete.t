#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Deleting by the page: what it says before, that it asks, what it does, and the way back; with a thousand tags at once.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Berth::Check;
use Berth::Test;
use Berth::Page;

my @root = ('root', 'pass-root');
my $config = 'delete = true; undo = "7d"; journal = { enabled = true; }; rules = ({ repo = "team/**"; immutable = "v*"; }); auth = { htpasswd = "@HTPASSWD@"; };';
my $s = page_server(users => {@root}, config => $config);
put_image($s, \@root, 'team/app', $_, layers => ["of $_" x 1000]) for qw(a b c v1);
my $many = image_json($s, \@root, 'many');
put_manifest($s, \@root, 'many', sprintf('t%04d', $_), OCI_MANIFEST, $many) for 1 .. 1000;

my $w = Berth::Browser->start;
sign_in($w, $s, @root);
sub tags { my ($repo) = @_; return join ' ', @{ JSON::PP::decode_json($s->req(GET => "/v2/$repo/tags/list", headers => [Berth::Auth::basic(@root)])->body)->{tags} // [] } }
sub toast { my ($text) = @_; return $w->has('.toast', $text) || do { diag(substr $w->text('body'), -300); 0 } }

# some of them
visit($w, $s, 'repo/team/app');
$w->click('input[aria-label="select a"]');
$w->click('input[aria-label="select v1"]');
ok $w->has('.chosen', '2 tags selected'), 'tags can be selected';
$w->click('.chosen .danger');
ok $w->has('dialog .outcome', '1 tag goes'), 'the dialog says what goes' or diag $w->text('dialog');
ok $w->has('dialog .outcome', 'of content that nothing needs then stays: collections here remove no manifest without a tag'), '... and what becomes of the content';
ok $w->has('dialog .listed', 'immutable'), '... what stays, and why';
is $w->js('return document.activeElement.textContent'), 'Cancel', 'what deletes does not have the focus';
$w->press('Escape');
ok $w->until('return !document.querySelector("dialog")'), 'Escape closes it';
is tags('team/app'), 'a b c v1', '... and nothing is deleted';
is join(' ', grep { !/^GET/ } asked($s)), 'POST session POST repos/team/app/tags:delete', '... though it was asked what would be';

$w->click('.chosen .danger');
$w->click('dialog .dialog-foot .danger', 'Delete 1 tag');
ok toast('a deleted'), 'a click deletes, and says so';
is tags('team/app'), 'b c v1', '... what it had said';
ok $w->until('return ![...document.querySelectorAll(".tag-list .strong")].some((e) => e.textContent === "a")'), '... and the list is without it';
$w->click('.toast button', 'Undo');
ok toast('a is back'), 'a click brings it back';
is tags('team/app'), 'a b c v1', '... as it was';
ok $w->has('.tag-list .body .row', 'a'), '... in the list, too';
is complaints($w), '', '... without a complaint of the browser';

# what was pushed meanwhile stays
$w->click('input[aria-label="select c"]');
$w->click('.chosen .danger');
$w->click('dialog .dialog-foot .danger', 'Delete 1 tag');
ok toast('c deleted'), 'a tag is deleted';
my $newer = put_image($s, \@root, 'team/app', 'c', layers => ['newer']);
$w->click('.toast button', 'Undo');
ok toast('pushed again meanwhile'), '... and pushed again by somebody else, which Undo finds out';
is $s->req(HEAD => '/v2/team/app/manifests/c', headers => [Berth::Auth::basic(@root)])->header('Docker-Content-Digest'), $newer, '... and leaves as it is';

# what was deleted is listed, and comes back from there
$w->click('input[aria-label="select b"]');
$w->click('.chosen .danger');
$w->click('dialog .dialog-foot .danger', 'Delete 1 tag');
ok toast('b deleted'), 'another one is deleted';
visit($w, $s, 'deleted/team/app');
ok $w->has('.gone .body .row', 'b') && $w->has('.gone .body .row', 'deleted'), 'what was deleted is listed';
$w->click('.gone .body button[aria-label="bring back b"]');
ok toast('b is back'), '... and comes back from there';
is tags('team/app'), 'a b c v1', '... as it was';

# by a filter
visit($w, $s, 'repo/team/app');
$w->click('.bar button', 'Clean up');
$w->type('.filter-form input', '[a-b]');
ok $w->has('dialog .outcome', 'goes') || $w->has('dialog .outcome', 'go'), 'a filter says what goes';
$w->type('.filter-form input', 'a');
ok $w->until('return /^1 tag goes/.test(document.querySelector("dialog .outcome")?.textContent.trim() ?? "") && !document.querySelector("dialog [aria-busy=true]")'), '... and says it anew when it is changed' or diag $w->text('dialog');
$w->click('dialog .dialog-foot .danger', 'Delete 1 tag');
ok toast('a deleted'), '... and deletes that';
is tags('team/app'), 'b c v1', '... alone';

# a thousand
visit($w, $s, 'repo/many?sort=name&order=asc');
ok $w->has('.tag-list .body .row', 't0001'), 'a repository of a thousand tags opens';
# as somebody scrolls who looks at each: to the end of what is loaded, which is not the end of the list
for (1 .. 60) {
	last if $w->has_now('.foot', 'in all');
	$w->js('scrollBy(0, 30 * parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row")))');
	rows_rest($w);
}
ok $w->has('.foot', '1,000 in all'), '... and is loaded to its end' or diag $w->text('.foot');
$w->js('scrollTo(0, 0)');
$w->click('input[aria-label="select all loaded tags"]');
ok $w->has('.chosen', '1,000 tags selected'), 'all are selected at once';
asked($s);
$w->click('.chosen .danger');
ok $w->has('dialog .outcome', '1,000 tags go'), 'the dialog says so';
$w->click('dialog .dialog-foot .danger', 'Delete 1,000 tags');
ok toast('1,000 tags deleted'), '... and deletes a thousand';
is tags('many'), '', '... all of them';
cmp_ok scalar(grep { !/^GET/ } asked($s)), '<=', 30, '... by few requests';
ok $w->has('.empty h2', 'No tags'), 'the repository is empty';
$w->click('.toast button', 'Undo');
ok toast('1,000 tags are back'), '... and all come back';
is scalar(split / /, tags('many')), 1000, '... a thousand';
is complaints($w), '', '... without a complaint of the browser';

# in the activity, by whom
visit($w, $s, 'activity?repo=team/**');
ok $w->has('.events .body .row.untag', 'root'), 'the activity says who deleted' or diag $w->text('main');

# a range, by the shift key
visit($w, $s, 'repo/many?sort=name&order=asc');
$w->click('input[aria-label="select t0002"]');
$w->js('document.querySelector(\'input[aria-label="select t0006"]\').dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, shiftKey: true }))');
ok $w->has('.chosen', '5 tags selected'), 'the shift key selects a range';

# a registry that remembers nothing says so
my $n = page_server(config => 'delete = true; gc = { untagged = true; };');
put_image($n, undef, 'app', '1');
visit($w, $n, 'repo/app');
$w->click('input[aria-label="select 1"]');
$w->click('.chosen .danger');
ok $w->has('dialog .hint', 'cannot be undone'), 'where nothing can be undone the dialog says so';
ok $w->has('dialog .outcome', 'of content with it, once collections free it'), '... and where collections remove what has no tag, that they free it';
is $w->count('.bar a.button'), 0, '... and there is no list of what was deleted';
$w->click('dialog .dialog-foot .danger', 'Delete 1 tag');
ok toast('1 deleted'), 'it deletes';
is $w->count('.toast .button'), 0, '... and offers no way back';

# where deleting is off there is nothing to select
my $o = page_server(config => '');
put_image($o, undef, 'app', '1');
visit($w, $o, 'repo/app');
ok $w->has('.tag-list .body .row', '1') && settled($w), 'where deleting is off';
is $w->count('input[type=checkbox], .bar button.button'), 0, '... there is nothing to select and no button';

done_testing;
