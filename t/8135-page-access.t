#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The page for everybody: contrast in light and dark, names of all controls, the order of the focus, the keyboard alone, sizes to touch.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Page;

plain_build_only('it looks at what the browser does');

my @root = ('root', 'pass-root');
my $s = page_server(users => {@root}, config => 'delete = true; undo = "7d"; journal = { enabled = true; }; rules = ({ repo = "team/**"; immutable = "1.*"; }); auth = { htpasswd = "@HTPASSWD@"; };');
fill($s, \@root);
my $w = Berth::Browser->start;
my @views = ('', 'repo/team/app', 'image/team/app:1.4', 'image/busybox:1.0', 'deleted/team/app', 'activity', 'gc', 'status', 'repo/none', 'login');

# Texts whose contrast with what is behind them is under 4.5 (3 for large ones): WCAG 2.2, 1.4.3. What is disabled is excepted there.
my $contrast = <<'END';
const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
const rgba = (color) => {
	canvas.clearRect(0, 0, 1, 1);
	canvas.fillStyle = color;
	canvas.fillRect(0, 0, 1, 1);
	const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
	return [r, g, b, a / 255];
};
const over = (front, back) => front.slice(0, 3).map((c, i) => c * front[3] + back[i] * (1 - front[3])).concat(1);
const behind = (e) => {
	const layers = [];
	for (let at = e; at; at = at.parentElement)
		layers.push(rgba(getComputedStyle(at).backgroundColor));
	return layers.reverse().reduce((back, front) => over(front, back), [255, 255, 255, 1]);
};
const light = (c) => {
	const [r, g, b] = c.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
	return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const bad = [];
let seen = 0;
for (const e of document.querySelectorAll('body *')) {
	const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()) || (e.matches('input') && (e.value || e.placeholder));
	if (!own || !e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || e.matches(':disabled, .hidden, option, script, style') || e.closest('.hidden, :disabled'))
		continue;
	const style = getComputedStyle(e, e.matches('input') && !e.value ? '::placeholder' : undefined);
	const back = behind(e);
	const [a, b] = [light(over(rgba(style.color), back)), light(back)].sort((x, y) => y - x);
	const ratio = (a + 0.05) / (b + 0.05);
	const size = parseFloat(style.fontSize);
	const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
	seen++;
	if (ratio < (large ? 3 : 4.5))
		bad.push(`${e.localName}.${e.className}: ${ratio.toFixed(2)} "${(e.textContent || e.placeholder).trim().slice(0, 20)}"`);
}
return [seen, ...new Set(bad)];
END

# What a screen reader needs, and a finger: names, ids, headings, sizes (WCAG 2.2, 1.3.1, 2.5.8, 4.1.2).
my $structure = <<'END';
const bad = [];
const visible = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true });
const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i)))
	bad.push(`two elements have the id ${id}`);
for (const attribute of ['aria-labelledby', 'aria-describedby', 'aria-controls', 'aria-activedescendant'])
	for (const e of document.querySelectorAll(`[${attribute}]`))
		for (const id of e.getAttribute(attribute).split(' '))
			if (!document.getElementById(id))
				bad.push(`${attribute} of ${e.localName} names ${id}, which is not there`);
if (document.querySelectorAll('main h1').length !== 1 && !document.querySelector('.empty'))
	bad.push(`${document.querySelectorAll('main h1').length} first headings`);
for (const landmark of ['header', 'main', 'footer', 'nav[aria-label]', '[role=search]'])
	if (!document.querySelector(landmark))
		bad.push(`no ${landmark}`);
if (document.documentElement.lang !== 'en' || !document.title)
	bad.push('no language or title');
for (const e of document.querySelectorAll('svg'))
	if (e.getAttribute('aria-hidden') !== 'true')
		bad.push('a picture that a reader reads');
for (const e of document.querySelectorAll('[tabindex]'))
	if (e.tabIndex > 0)
		bad.push('an order of the focus of its own');
for (const e of document.querySelectorAll('button, input, select, summary, nav.views a, a.button')) {
	const box = (e.closest('label') ?? e).getBoundingClientRect();
	if (visible(e) && !e.matches('.link, .sort, summary') && (box.width < 24 || box.height < 24))
		bad.push(`${e.localName}.${e.className} is ${Math.round(box.width)} by ${Math.round(box.height)}`);
}
for (const e of document.querySelectorAll('[role=table]')) {
	const columns = e.querySelectorAll('[role=columnheader]').length;
	for (const row of e.querySelectorAll('.body [role=row]'))
		if (row.querySelectorAll('[role=cell]').length !== columns)
			bad.push(`a row of ${row.querySelectorAll('[role=cell]').length} cells, and ${columns} heads`);
}
return bad;
END

# unnamed - controls without a name, as the browser itself tells them to a screen reader
sub unnamed
{
	my %want = map { $_ => 1 } qw(button link textbox searchbox combobox checkbox spinbutton heading table navigation dialog columnheader);
	my @nodes = @{ $w->cdp('Accessibility.getFullAXTree')->{nodes} };

	return grep { $_ } map { my $n = $_; my $role = $n->{role}{value} // ''; !$n->{ignored} && $want{$role} && ($n->{name}{value} // '') !~ /\S/ ? $role : () } @nodes;
}

sign_in($w, $s, @root);
for my $scheme (qw(light dark)) {
	$w->scheme($scheme);
	for my $size ([1440, 900], [390, 800]) {
		$w->size(@$size);
		for my $view (@views) {
			visit($w, $s, $view);
			ok $w->has('main h1, main h2') && settled($w), "#/$view in $scheme at $size->[0] pixels";
			my ($seen, @bad) = @{ $w->js($contrast) };
			is join("\n", @bad), '', "... has enough contrast everywhere ($seen texts)";
			cmp_ok $seen, '>', 5, '... and there are texts';
			is join("\n", @{ $w->js($structure) }), '', '... has names, headings, landmarks, and is large enough to touch';
			is join(' ', unnamed()), '', '... and everything that can be used has a name';
		}
	}
}
$w->scheme('light');
my $bright = $w->js('return getComputedStyle(document.body).backgroundColor');
$w->scheme('dark');
isnt $w->js('return getComputedStyle(document.body).backgroundColor'), $bright, 'light and dark follow the system';
$w->scheme('light');

# the keyboard: everything in the order in which it stands, and one sees where one is
$w->size(1440, 900);
visit($w, $s, 'repo/team/app');
$w->has('.tag-list .body .row') && settled($w);
$w->js('window.been = []; document.activeElement.blur()');
my $step = <<'END';
const e = document.activeElement;
const last = window.been.at(-1);
const fault = [];
if (last && !(last.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING))
	fault.push('backwards');
const style = getComputedStyle(e);
if (style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 1)
	fault.push('unseen');
const box = e.getBoundingClientRect();
if (box.bottom < 0 || box.top > innerHeight)
	fault.push('off the screen');
window.been.push(e);
return fault.length ? `${e.localName}.${e.className}: ${fault.join(', ')}` : '';
END
my (@faults, @order);
for (1 .. 40) {
	$w->press('Tab');
	push @faults, $w->js($step);
	push @order, $w->js('return document.activeElement.textContent.trim() || document.activeElement.getAttribute("aria-label") || document.activeElement.localName');
}
is join("\n", grep { $_ } @faults), '', 'forty steps of the Tab key go forward, and each is seen' or diag join ' | ', @order;
is $order[0], 'Skip to the content', 'the first one skips the head';
cmp_ok scalar(grep { /pr-1|latest/ } @order), '>', 3, '... and tags are among them';

# along a list by arrows
$w->js('document.querySelector(".tag-list .body a").focus()');
$w->press('Down', 'Down', 'Up');
is $w->js('return document.activeElement.closest("[data-index]").dataset.index'), '1', 'arrows go from row to row';
$w->press('Enter');
ok $w->has('.main-column'), '... and Enter opens the row';
is $w->js('return document.activeElement.localName'), 'h1', '... where the focus is on the heading';

# a dialog keeps the focus, and gives it back
visit($w, $s, 'repo/team/app');
$w->find('.bar button', 'Clean up');
$w->js('[...document.querySelectorAll(".bar button")].find((e) => /Clean/.test(e.textContent)).focus()');
$w->press('Enter');
ok $w->has('dialog[open]'), 'Enter opens the dialog';
my @outside;
for (1 .. 12) {
	$w->press('Tab');
	push @outside, $w->js('const e = document.activeElement; return e === document.body || e.closest("dialog") ? "" : e.outerHTML.slice(0, 60)');
}
is join(' ', grep { $_ } @outside), '', '... which keeps the focus';
my ($seen, @bad) = @{ $w->js($contrast) };
is join("\n", @bad), '', '... and has enough contrast';
is join(' ', unnamed()), '', '... and names';
$w->press('Escape');
ok $w->until('return /Clean/.test(document.activeElement.textContent)'), 'Escape gives the focus back';

# what is said without being seen
is $w->count('.told[role=status][aria-live=polite]'), 1, 'there is a place whose news a screen reader reads';
is complaints($w, 404), '', 'the browser has nothing to complain of';

done_testing;
