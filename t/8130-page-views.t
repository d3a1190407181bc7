#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Each view of the page at three sizes: what it shows, what it asks for, and that the browser has nothing to complain of.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Page;

my @root = ('root', 'pass-root');
my $config = 'delete = true; undo = "7d"; journal = { enabled = true; }; gc = { every = "24h"; }; auth = { htpasswd = "@HTPASSWD@"; };';
my $s = page_server(users => {@root}, config => $config);
fill($s, \@root);

# what it weighs
my @compressed = map { glob "$_/*.gz" } page_dir(), glob page_dir() . '/*/';
my $weight = 0;
$weight += -s for @compressed;
cmp_ok scalar(@compressed), '>', 10, 'the files of the page are compressed beforehand';
cmp_ok $weight, '<=', 60_000, "and are at most 60 kB in all: $weight bytes";
is scalar(grep { slurp(s/\.gz$//r) =~ m{https?://(?!www\.w3\.org/(?:2000/svg|1999/xhtml|1998/Math/MathML|1999/xlink|XML))} } @compressed), 0, 'none of them names another host';

my $w = Berth::Browser->start;
ok sign_in($w, $s, @root), 'the form logs in';
is complaints($w), '', '... without a complaint of the browser';

my %views = (
	'' => ['.repos .body .row', 'busybox', 'Repositories'],
	'?view=list&sort=size' => ['.repos .body .row', 'team/', 'Repositories'],
	'?q=team' => ['.repos .body .row', 'charts', 'Repositories'],
	'repo/team/app' => ['.tag-list .body .row', 'latest', 'team/app'],
	'repo/team/app?sort=name&order=asc&q=pr' => ['.tag-list .body .row', 'pr-101', 'team/app'],
	'image/team/app:1.4' => ['.main-column', 'linux/arm64', 'team/app:1.4'],
	'image/busybox:1.0' => ['.main-column', 'ADD busybox.tar', 'busybox:1.0'],
	'deleted/team/app' => ['.empty h2', 'Nothing to bring back', 'Deleted from team/app'],
	'activity' => ['.events .body .row', 'pushed', 'Activity'],
	'gc' => ['.card', 'The next one', 'Collection'],
	'status' => ['.card', 'free', 'Status'],
	'repo/not/there' => ['.empty h2', 'Not found', 'not/there'],
	'nonsense' => ['.empty h1', 'Not found', 'Not found'],
);
my $shift = 'return new Promise((done) => { let sum = 0; new PerformanceObserver((list) => { for (const e of list.getEntries()) if (!e.hadRecentInput) sum += e.value; })
	.observe({ type: "layout-shift", buffered: true }); setTimeout(() => done(sum), 50); })';
# moved - the bytes of the answers of the API since the last time
my $counted = 0;
sub moved
{
	my @all = map { $_->{bytes} } grep { $_->{uri} =~ m{/berth/v1/} } $s->access_events;
	my $sum = 0;

	$sum += $_ for @all[$counted .. $#all];
	$counted = @all;
	return $sum;
}
for my $size ([1440, 900], [1024, 768], [390, 800]) {
	my $name = join 'x', @$size;
	$w->size(@$size);
	for my $view (sort keys %views) {
		my ($css, $text, $title) = @{ $views{$view} };
		asked($s);
		moved();
		visit($w, $s, $view);
		ok $w->has($css, $text), "#/$view at $name shows '$text'" or diag $w->text('body');
		settled($w);
		like $w->text('h1') =~ s/\s+/ /gr, qr/\Q$title\E/, '... its heading';
		cmp_ok $w->js('return document.documentElement.scrollWidth - innerWidth'), '<=', 0, '... no wider than the screen';
		cmp_ok $w->js($shift), '<', 0.1, '... and nothing jumps' or diag $view;
		my @asked = asked($s);
		cmp_ok scalar(@asked), '<=', 2, '... for two requests of the API, with the one for who is there' or diag join "\n", @asked;
		my $bytes = moved();
		cmp_ok $bytes, '<=', 64_000, "... and $bytes bytes of answers";
		my %once;
		is join(' ', grep { $once{$_}++ } @asked), '', '... none of them twice';
		is complaints($w, $view eq 'repo/not/there' ? 404 : ()), '', '... without a complaint of the browser';
		$w->shot("$ENV{BERTH_SHOTS}/" . ($view =~ tr{/:?&=}{_}r || 'repos') . "-$name.png") if $ENV{BERTH_SHOTS};
	}
}

# what an image tells
$w->size(1440, 900);
visit($w, $s, 'image/team/app:latest');
ok $w->has('.referrers', 'signature') && $w->has('.referrers', 'SBOM'), 'an image lists its signature and its SBOM';
ok $w->has('.referrers', '112 packages'), '... with a summary';
like $w->text('#elsewhere + ul'), qr/1\.4/, '... and the other tags of it';
$w->click('.plain a', 'linux/arm64');
ok $w->has('.layers', 'RUN apt-get update') && $w->has('.layers', 'COPY dist'), 'the image of one platform has layers with what made them';
like $w->text('#config + dl'), qr/APP_ENV/, '... the names of its variables';
unlike $w->text('body'), qr/production/, '... and none of their values';

# commands
my $host = $s->host;
my %lines = (
	'image/busybox:1.0' => { docker => "docker pull $host/busybox:1.0", podman => "podman pull --tls-verify=false $host/busybox:1.0", containerd => "ctr images pull --plain-http $host/busybox:1.0" },
	'image/team/charts/app:1.2.0' => { '' => "helm pull --plain-http oci://$host/team/charts/app --version 1.2.0" },
	'image/tools/policy:v3' => { '' => "oras pull --plain-http $host/tools/policy:v3" },
);
for my $view (sort keys %lines) {
	visit($w, $s, $view);
	for my $tool (sort keys %{ $lines{$view} }) {
		$w->find('.pane .command code');
		$w->click('.pane .commands .tabs button', $tool) if $tool;
		ok $w->has('.pane .command code', $lines{$view}{$tool}), "#/$view: $lines{$view}{$tool}" or diag $w->text('.pane .command code');
	}
}

# a collection
visit($w, $s, 'gc');
$w->click('.bar button.primary', 'Begin one now');
ok $w->has('.toast', 'A collection begins'), 'a collection is begun by a button';
is join(' ', map { $_->{status} } grep { $_->{method} eq 'POST' && $_->{uri} eq '/berth/v1/gc' } $s->access_events), '202', '... by one request';
# the master knows of the next one when it has seen the end of this one
ok wait_for(sub { my $gc = $s->req(GET => '/berth/v1/gc', headers => [Berth::Auth::basic(@root)])->json; $gc->{last} && $gc->{next} }), '... and ends';
visit($w, $s, 'gc');
ok $w->has('#gc-last ~ p', 'It ended') && $w->has('#gc-last ~ p', 'Nothing had to go'), 'the last collection is told, with what it did' or diag $w->text('main');
ok $w->has('#gc-last ~ p', 'stay'), '... and what was left';
ok $w->has('#gc-next ~ p', 'in 24 h'), '... and when the next one is due';
is $w->js('return [...document.querySelectorAll("#gc-would ~ .lines code")].map((e) => e.textContent).join("; ")'), 'berth gc --dry-run; berth rules apply --dry-run', '... and the lines that say what would go';
my @berth = (program('berth'), '--config', $s->config_file, '--root', $s->root);
like run(@berth, 'gc', '--dry-run')->{out}, qr/^would remove 0 manifests/m, '... which is what they do';
like run(@berth, 'rules', 'apply', '--dry-run')->{err}, qr/no rule of the configuration says "keep"/, '... or say why not';

# times
visit($w, $s, 'repo/busybox');
ok $w->has('.tag-list time'), 'a push has a time';
like $w->js('return document.querySelector(".tag-list .body time").title'), qr/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/, '... the exact one when one points there';

my $utc = $w->js('return document.querySelector(".tag-list .body time").dateTime');
$w->cdp('Emulation.setTimezoneOverride', timezoneId => 'Asia/Kolkata');
visit($w, $s, 'repo/busybox');
ok $w->has('.tag-list time'), 'the same for a reader elsewhere';
my ($hour, $minute) = $utc =~ /T(\d\d):(\d\d)/;
my $clock = ($hour * 60 + $minute + 330) % 1440;
my $there = sprintf '%02d:%02d', $clock / 60, $clock % 60;
like $w->js('return document.querySelector(".tag-list .body time").title'), qr/ $there:\d\d GMT\+5:30$/, '... who reads it in the time of that place';
$w->cdp('Emulation.setTimezoneOverride', timezoneId => '');

# sizes, as docker says them
is $w->js(<<'END'), '0B 1B 999B 1kB 1.5kB 4.43MB 1MB 123MB 1.23GB 12.3TB', 'sizes are those of docker';
return import(document.querySelector('script[type=module]').src.replace('app.js', 'format.js')).then(({ size }) => [0, 1, 999, 1000, 1500, 4430000, 999999, 123456789, 1234567890, 12345678901234].map(size).join(' '));
END

# the search in the head
$w->press('/');
$w->press(split //, 'char');
ok $w->has('.found li', 'team/charts/app'), 'what is typed after / is searched for';
$w->press('Down', 'Enter');
ok $w->has('h1', 'team/charts/app'), '... and the keyboard alone leads there';
is complaints($w), '', '... without a complaint of the browser';
for my $width (1440, 1024, 768, 390) {
	$w->size($width, 800);
	visit($w, $s, '');
	$w->type('.search input', 'app');
	ok $w->has('.found li', 'team/charts/app') && settled($w), "a search at $width pixels";
	is $w->js('const { left, right } = document.querySelector(".found").getBoundingClientRect(); return left >= 0 && right <= innerWidth && [...document.querySelectorAll(".found li > :last-child")].every((e) => e.getBoundingClientRect().right <= right)'),
		JSON::PP::true, '... lists within the screen what it has found';
	is $w->js('return Math.round(document.querySelector(".user").getBoundingClientRect().right - document.querySelector(".table").getBoundingClientRect().right)'), 0, '... and the head ends where the table does';
}
$w->size(1440, 900);

# back to where one was: nothing is asked for again
visit($w, $s, '');
$w->click('.repos .body a', 'web');
ok $w->has('h1', 'team/web') && settled($w), 'a click opens a repository';
asked($s);
$w->post('/back');
ok $w->has('h1', 'Repositories') && $w->has('.repos .body .row', 'busybox'), 'back there is the list again';
is join(' ', asked($s)), '', '... without a request';

# by name spaces
$w->click('.space-name', 'team');
ok $w->until('return ![...document.querySelectorAll(".repos .body .strong")].some((e) => e.textContent === "web")'), 'a name space closes';

# below a prefix, with the journal off, and empty
my $p = page_server(config => 'http = { prefix = "/below/it"; };');
visit($w, $p, '', '/below/it');
ok $w->has('.teach pre', 'docker push ' . $p->host . '/busybox:1.0'), 'an empty registry teaches, below a prefix, too';
visit($w, $p, 'activity', '/below/it');
ok $w->has('.teach', 'The journal is off'), 'with the journal off the activity says so';
is join(' ', grep { !/whoami|repos/ } asked($p)), '', '... and asks for nothing';
visit($w, $p, 'image/team/app:1', '/below/it');
ok $w->has('.empty h2', 'Not found'), 'a link to an image leads there';
is join(' ', grep { /manifests/ } asked($p)), 'GET repos/team/app/manifests/tag%3A1', '... and asks below the prefix';
is complaints($w, 404), '', '... without a complaint of the browser';

# an empty registry that does not stay so
my $e = page_server();
visit($w, $e, '');
ok $w->has('.teach', 'the list fills by itself'), 'an empty registry says that its list fills by itself';
put_image($e, undef, 'team/first', '1');
ok $w->has('.repos .body .row', 'first'), '... which it does';
is complaints($w), '', '... without a complaint of the browser';

# mirrors and endpoints where there are any
my $m = page_server(users => {@root}, config => 'relay = "off"; upstreams = ({ name = "docker.io"; urls = [ "http://127.0.0.1:9" ]; }); notifications = ({ name = "deploy"; url = "http://127.0.0.1:9/"; });
	auth = { htpasswd = "@HTPASSWD@"; };');
put_image($m, \@root, 'team/app', '1');
sign_in($w, $m, @root);
visit($w, $m, 'status');
ok $w->has('#mirrors + table', 'docker.io'), 'the status names the mirrors';
ok $w->has('#endpoints + table', 'deploy'), '... and the endpoints';
visit($w, $m, 'activity');
ok $w->has('.events .body .row.push', 'team/app:1'), 'with an endpoint there is a journal, and so activity';
$w->type('.bar .filter input', 'none/*');
ok $w->has('.empty h2', 'Nothing for this pattern'), '... of which a pattern may leave nothing';
$w->click('.empty button', 'Show all');
ok $w->has('.events .body .row.push', 'team/app:1'), '... and a button all';
is complaints($w), '', '... without a complaint of the browser';

done_testing;
