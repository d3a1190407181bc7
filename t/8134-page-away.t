#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# No worker, no nginx: the page says so, keeps what it shows, and goes on by itself when the registry is back.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Page;

plain_build_only('it looks at what the browser does');

my $s = page_server(config => 'delete = true; undo = "7d";');
put_image($s, undef, 'team/app', $_) for qw(a b);
put_image($s, undef, 'busybox', '1.0');
my $w = Berth::Browser->start;
my @away = (502, 503, 504);

visit($w, $s, 'repo/team/app');
ok $w->has('.tag-list .body .row', 'b') && settled($w), 'a repository is shown';
is $w->count('.away'), 0, '... and nothing is said of the registry';

for my $what (['the workers', sub { $s->stop_workers }, sub { $s->start_workers }], ['nginx', sub { $s->stop_nginx('QUIT') }, sub { $s->start_nginx }]) {
	my ($name, $stop, $start) = @$what;
	visit($w, $s, 'repo/team/app');
	ok $w->has('.tag-list .body .row', 'b') && settled($w), "before $name ended";
	by_hand_alone($w) if $name eq 'nginx';
	$stop->();
	$w->js('location.hash = "#/repo/busybox"');
	ok $w->has('.away', 'does not answer'), "without $name the page says that nothing answers";
	ok $w->has('.away', 'Trying'), '... and that it tries again';
	ok $w->has('.top .home-name', 'berth'), '... and is still there';
	is $w->count('.empty'), 0, '... without an error in place of the view';
	$start->();
	$w->click('.away button', 'Try now') if $name eq 'nginx';
	ok $w->has('.tag-list .body .row', '1.0'), "with $name it shows what it could not get";
	ok $w->until('return !document.querySelector(".away")'), '... and the notice is gone';
	is complaints($w, @away, 'ERR_CONNECTION_REFUSED') =~ s/^.*ERR_CONNECTION_REFUSED.*\n?//mgr, '', '... and nothing else is wrong';
}

# what is shown stays, and what changes something is not tried again by itself
visit($w, $s, 'repo/team/app');
$w->click('input[aria-label="select a"]');
$s->stop_workers;
$w->click('.chosen .danger');
ok $w->has('dialog .bad', 'nothing was changed'), 'a change that nobody answers says that nothing was changed' or diag $w->text('dialog');
$w->press('Escape');
ok $w->has('.tag-list .body .row', 'a'), 'what was shown is still shown';
$s->start_workers;
is scalar(grep { $_->{method} eq 'POST' && $_->{uri} =~ m{^/berth/v1/} } $s->access_events), 1, 'the change was asked for once';
$w->click('.chosen .danger');
ok $w->has('dialog .outcome', '1 tag goes'), 'and can be asked for again';
$s->stop_workers;
$w->click('dialog .dialog-foot .danger', 'Delete 1 tag');
ok $w->has('dialog .bad', 'nobody knows'), 'a deletion that nobody answers says that nobody knows what became of it' or diag $w->text('dialog');
ok $w->has('.toast', 'a may have gone') && $w->has('.toast button', 'Undo'), '... and offers the way back, should it have gone';
$s->start_workers;

# from the first moment
$w->press('Escape');
$s->stop_workers;
visit($w, $s, '');
ok $w->has('.away', 'does not answer'), 'a page that is opened while no worker is there says so';
$s->start_workers;
ok $w->has('.repos .body .row', 'busybox'), '... and comes by itself';

done_testing;
