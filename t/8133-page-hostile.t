#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Everything from the registry is text: names, annotations, labels, commands, types, SBOMs and addresses that want to be more.
use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Berth::Auth;
use Berth::Check;
use Berth::Test;
use Berth::Page;

my $json = JSON::PP->new->canonical->utf8;
my $script = '<script>window.hit = 1</script>';
my $image = '"><img src=x onerror="window.hit=2"><svg onload="window.hit=3"><iframe srcdoc="<script>parent.hit=4</script>">';
my $turned = "safe \x{202E}gpj.exe \x{2066}\x{200F}end";
my $long = 'x' x 10_000;
my @hostile = ($script, $image, $turned, $long, 'javascript:window.hit=5', "{{constructor.constructor('window.hit=6')()}} \${window.hit=7} <!-- --> &lt;b&gt; ]]>", "\x{1b}[31m\x{85}",
	'__proto__', 'constructor');
my %hostile = map { ($hostile[$_] => $hostile[-1 - $_]) } 0 .. $#hostile;

my $s = page_server(config => 'delete = true; undo = "7d"; journal = { enabled = true; };');
my $name = join '/', map { $_ x 40 } qw(a b c d e);
my $config = { os => $script, architecture => $turned, created => '2026-01-01T00:00:00Z',
	config => { Entrypoint => [@hostile], Cmd => [$image], Env => [map { "$_=secret" } $script, 'A"B'], User => $script, WorkingDir => $image, ExposedPorts => { $script => {} }, Labels => \%hostile },
	history => [map { { created_by => $_ } } $script, $image, $turned, $long] };
put_image($s, undef, $name, $_, config => $config, layers => [map { "layer $_" } 1 .. 4]) for 'T' x 128;
my $text = $json->encode({ %{ $json->decode(image_json($s, undef, 'h', config => $json->encode($config), layers => [map { "layer $_" } 1 .. 4], layer_types => ["application/x;$script"]))}, annotations => \%hostile });
my $d = put_manifest($s, undef, 'h', 'hostile', OCI_MANIFEST, $text);
my $subject = { mediaType => OCI_MANIFEST, digest => $d, size => length $text };
for my $type ('application/spdx+json', 'application/vnd.cyclonedx+json', "text/html;$script") {
	my $sbom = $json->encode({ spdxVersion => $script, bomFormat => $image, specVersion => $script, name => $turned, packages => [map { { name => $_, versionInfo => $script } } @hostile], components => [map { { name => $_ } } @hostile] });
	my $m = image_json($s, undef, 'h', artifactType => $type, subject => $subject, config_type => 'application/vnd.oci.empty.v1+json', layers => [$sbom], layer_types => [$type]);
	$m = $json->encode({ %{ $json->decode($m) }, annotations => \%hostile });
	put_manifest($s, undef, 'h', sha256($m), OCI_MANIFEST, $m);
}
my $index = $json->encode({ schemaVersion => 2, mediaType => OCI_INDEX, annotations => \%hostile,
	manifests => [{ %$subject, platform => { os => $script, architecture => $image, variant => $turned } }] });
put_manifest($s, undef, 'h', 'index', OCI_INDEX, $index);

my $w = Berth::Browser->start;
# clean - nothing of it has become more than text
sub clean
{
	my ($where) = @_;

	is $w->js('return window.hit ?? null'), undef, "$where: no script ran";
	is $w->count('#app script, #app iframe, #app img, #app object, #app [onerror], #app [onload], #app a[href^="javascript:"], #app svg:not(.icon, .logo)'), 0, '... nothing became an element';
	is $w->count('[style*="expression"], #app style, #app link, #app base, #app form:not(.login)'), 0, '... of any kind';
	cmp_ok $w->js('return document.documentElement.scrollWidth - innerWidth'), '<=', 0, '... the page is no wider than the screen';
	return is complaints($w), '', '... and the browser has nothing to complain of';
}

for my $view ('', '?view=list', "repo/$name", 'image/' . $name . ':' . 'T' x 128, 'repo/h', 'image/h:hostile', 'image/h:index', 'activity?blobs=1') {
	for my $size ([1280, 800], [390, 800]) {
		$w->size(@$size);
		visit($w, $s, $view);
		ok $w->has('main h1') && settled($w), '#/' . substr($view, 0, 40) . ' is shown' or diag $w->text('main');
		clean("at $size->[0] pixels");
	}
}

# as text, in an element that keeps the direction of what is beside it
$w->size(1280, 800);
visit($w, $s, 'image/h:hostile');
ok $w->has('#labels + dl', $script), 'a label is shown as it is';
ok $w->has('#annotations + dl', $script) && $w->has('#annotations + dl', $image), 'annotations, too';
ok $w->has('.layers', $script) && $w->has('.layers', $image), 'what made a layer, too';
my $alone = $w->js(<<'END', $turned);
return [...document.querySelectorAll('main *')].filter((e) => !e.children.length && e.textContent.includes('gpj.exe'))
	.map((e) => `${e.localName} ${getComputedStyle(e).unicodeBidi}`).filter((one) => one !== 'bdi isolate');
END
is join(', ', @$alone), '', 'text that turns the direction is isolated, wherever it stands';
cmp_ok $w->js('return [...document.querySelectorAll("main bdi")].filter((e) => e.textContent.includes("gpj.exe")).length'), '>=', 2, '... and it does stand there';
is $w->js('return Math.max(...[...document.querySelectorAll("main .long")].map((e) => e.textContent.length))') <= 401, 1, 'text of 10,000 characters is cut';
$w->click('#labels + dl .link', '10,000');
ok $w->until('return [...document.querySelectorAll("#labels + dl .long")].some((e) => e.textContent.length >= 10000)'), '... and there as a whole by a click';
clean('as a whole');
$w->click('.referrers summary');
ok $w->has('.referrers .pairs', $script), 'the annotations of a referrer are text';
clean('of referrers');

# addresses
for my $hash ("repo/$image", "image/$script:1", "repo/%3Cimg%20src=x%20onerror=window.hit=8%3E", 'repo/%', "?q=$image", "activity?repo=$image", "?sort=$script", "repo/h?sort=__proto__&order=$script", 'constructor', '__proto__', 'repo/../../v2/_catalog') {
	visit($w, $s, $hash);
	ok $w->has('main h1, main h2'), "the address #/$hash is shown as something";
	settled($w);
	is $w->js('return window.hit ?? null'), undef, '... no script ran';
	is $w->count('#app script, #app iframe, #app img'), 0, '... nothing became an element';
	is complaints($w, 400, 404, 405), '', '... and nothing but the answer is wrong';
}
is join(' ', grep { !m{^GET (?:whoami|repos|events|search)} } asked($s)), '', 'no address made the page ask for anything else';

# a search is text, too
visit($w, $s, '');
$w->type('.search input', '<script>');
ok $w->has('.found li', 'Nothing found'), 'a search for markup finds nothing';
$w->type('.bar .filter input', '<img src=x onerror=window.hit=9>');
ok $w->has('.empty', 'onerror'), 'a filter says what it looked for';
clean('of the search');

# a user of such a name, wherever users are told of
my $evil = '<img src=x onerror=window.hit=11>';
my $l = page_server(users => { root => 'pass-root', $evil => 'pass-evil' }, config => 'delete = true; undo = "7d"; journal = { enabled = true; }; auth = { htpasswd = "@HTPASSWD@"; };');
my @evil = ($evil, 'pass-evil');
put_image($l, \@evil, 'h', $_) for qw(1 2);
is $l->req(DELETE => '/v2/h/manifests/1', headers => [basic(@evil)])->status, 202, 'a user whose name is markup pushes and deletes';
$w->open($l->url . '/#/login');
$w->type('input[name=user]', $evil);
$w->type('input[name=password]', 'pass-evil');
$w->click('.login .primary');
ok $w->has('.user-name', $evil) && $w->has('.toast', "Hello, $evil"), '... logs in, and is greeted';
clean('greeting');
for (['repo/h', '.tag-list .by', '.pane .facts'], ['activity', '.events .who'], ['deleted/h', '.gone .was'], ['login', '.empty p']) {
	my ($view, @css) = @$_;
	visit($w, $l, $view);
	ok $w->has($_, $evil), "#/$view names that user in $_" for @css;
	clean("users in #/$view");
}
$w->click('.user button', 'Log out');
$w->has('.user a', 'Log in');

# a login leads nowhere else
for my $to ('javascript:window.hit=10', '//other.example/', 'https://other.example/', '#/login?to=x', '/v2/_catalog') {
	$w->open('about:blank');
	$w->open($l->url . '/#/login?to=' . $to =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger);
	$w->type('input[name=user]', 'root');
	$w->type('input[name=password]', 'pass-root');
	$w->click('.login .primary');
	ok $w->has('.user-name', 'root') && $w->has('main h1, main h2'), "a login that should lead to $to";
	is $w->js('return location.origin + location.pathname + location.hash.slice(0, 3)'), $l->url . '/#/', '... stays on the page';
	is $w->js('return window.hit ?? null'), undef, '... and no script ran';
	$w->click('.user button', 'Log out');
	$w->has('.user a', 'Log in');
}

done_testing;
