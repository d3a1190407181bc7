# SPDX-License-Identifier: Apache-2.0
#
# Berth::Page: what the tests of the page share: a server that serves it, something to see in it, what it asked for, and what
# the browser complained of.
package Berth::Page;

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP ();

use Berth::Auth;
use Berth::Browser;
use Berth::Check;
use Berth::Server;
use Berth::Test;

our @EXPORT = qw(page_dir page_server put_blob put_manifest put_image image_json fill sign_in asked complaints visit settled rows_rest by_hand_alone);

my $json = JSON::PP->new->canonical->utf8;

# page_dir - the files of the page, which a build without the npm registry lacks
sub page_dir
{
	my $dir = build_dir() . '/page';

	lacking('the page was laid out', 'the build could not fetch the library that the page is drawn with') if !-e "$dir/index.html";
	return $dir;
}

# page_server - Berth::Server->start, with the page; users => { name => password } writes the file that "@HTPASSWD@" in config stands for
sub page_server
{
	my (%o) = @_;
	my $dir = tmp_dir();
	my $users = delete $o{users};

	need_program(qw(chromium chromedriver nginx));
	chmod 0755, $dir;
	spew("$dir/htpasswd", htpasswd(%{ $users // {} }));
	$o{config} = qq(fsync = "off";\n) . ($o{config} // '') =~ s/\@HTPASSWD\@/$dir\/htpasswd/gr;
	$o{nginx_args} = [@{ $o{nginx_args} // [] }, 'with=page', 'page=' . page_dir()];
	return Berth::Server->start(workers => 2, %o);
}

# put_blob, put_manifest, put_image - push as a user: $as is [name, password], or undef
sub put_blob
{
	my ($s, $as, $repo, $bytes) = @_;
	my $r = $s->req(POST => "/v2/$repo/blobs/uploads/?digest=" . sha256($bytes), body => $bytes, headers => ['Content-Type' => 'application/octet-stream', $as ? basic(@$as) : ()]);

	die 'blob: ' . $r->as_string if $r->status != 201;
	return $bytes;
}
sub put_manifest
{
	my ($s, $as, $repo, $ref, $type, $text) = @_;
	my $r = $s->req(PUT => "/v2/$repo/manifests/$ref", body => $text, headers => ['Content-Type' => $type, $as ? basic(@$as) : ()]);

	die 'manifest: ' . $r->as_string if $r->status != 201;
	return sha256($text);
}

# image_json - a manifest as a hash becomes text; `config` and `layers` are bytes, which are pushed first
sub image_json
{
	my ($s, $as, $repo, %o) = @_;
	my @layers = @{ $o{layers} // ['layer'] };
	my $config = ref $o{config} ? $json->encode($o{config}) : $o{config} // '{}';

	put_blob($s, $as, $repo, $_) for $config, @layers;
	my $m = $json->decode(image_of(OCI_MANIFEST, $config, @layers));
	$m->{config}{mediaType} = $o{config_type} if $o{config_type};
	for my $i (grep { $o{layer_types}[$_] } 0 .. $#layers) {
		$m->{layers}[$i]{mediaType} = $o{layer_types}[$i];
	}
	$m->{$_} = $o{$_} for grep { exists $o{$_} } qw(annotations artifactType subject);
	return $json->encode($m);
}
sub put_image
{
	my ($s, $as, $repo, $ref, %o) = @_;
	my $text = image_json($s, $as, $repo, %o);

	return put_manifest($s, $as, $repo, $ref // sha256($text), OCI_MANIFEST, $text);
}

# config_of - a configuration as a builder writes it
sub config_of
{
	my ($arch, @lines) = @_;

	return { os => 'linux', architecture => $arch, created => '2026-11-20T08:09:10Z',
		config => { Entrypoint => ['/docker-entrypoint.sh'], Cmd => ['serve', '--port', '8080'], Env => ['PATH=/usr/bin', 'APP_ENV=production'], User => 'app',
			ExposedPorts => { '8080/tcp' => {} }, WorkingDir => '/srv', Labels => { maintainer => 'team@example.com', 'org.opencontainers.image.licenses' => 'Apache-2.0' } },
		history => [map { { created_by => $_, created => '2026-11-20T08:09:10Z' } } @lines] };
}

my @lines = ('ADD rootfs.tar.xz / # buildkit', 'RUN /bin/sh -c apt-get update && apt-get install -y --no-install-recommends ca-certificates curl tzdata && rm -rf /var/lib/apt/lists/* # buildkit',
	'COPY dist /srv # buildkit');

# fill - something of everything that the page can show; $size: what a layer weighs about
sub fill
{
	my ($s, $as, $size) = @_;
	my ($base, $tools) = map { $_ x ($size // 2000) } 'base', 'tools';

	put_image($s, $as, 'busybox', '1.0', config => config_of('amd64', 'ADD busybox.tar /'), layers => ['busybox' x ($size // 100)]);
	put_image($s, $as, "infra/$_", 'latest', config => config_of('amd64', $lines[0]), layers => [$base . $_]) for qw(ci/runner ci/cache monitoring/grafana);
	put_image($s, $as, 'team/web', "2.$_", config => config_of('arm64', @lines[0, 2]), layers => [$base, "web $_"]) for 0 .. 3;
	put_image($s, $as, 'team/app', "pr-$_", config => config_of('amd64', @lines), layers => [$base . 'amd64', $tools . 'amd64', "pull request $_" x 200]) for 101 .. 112;
	my @platforms;
	for my $n (1 .. 4) {
		@platforms = map {
			my $arch = $_;
			my $text = image_json($s, $as, 'team/app', config => config_of($arch, @lines), layers => [$base . $arch, $tools . $arch, "app 1.$n $arch" x 300]);
			put_manifest($s, $as, 'team/app', sha256($text), OCI_MANIFEST, $text);
			desc(OCI_MANIFEST, $text, qq(,"platform":{"os":"linux","architecture":"$arch"}));
		} qw(amd64 arm64);
		put_manifest($s, $as, 'team/app', $_, OCI_INDEX, index_of(OCI_INDEX, @platforms)) for "1.$n", $n == 4 ? 'latest' : ();
	}
	my $index = index_of(OCI_INDEX, @platforms);
	my $subject = $json->decode(desc(OCI_INDEX, $index));
	put_image($s, $as, 'team/app', undef, artifactType => 'application/vnd.dev.cosign.artifact.sig.v1+json', subject => $subject, config_type => 'application/vnd.oci.empty.v1+json',
		layers => ['signature'], layer_types => ['application/vnd.dev.cosign.simplesigning.v1+json']);
	put_image($s, $as, 'team/app', undef, artifactType => 'application/spdx+json', subject => $subject, config_type => 'application/vnd.oci.empty.v1+json', layer_types => ['application/spdx+json'],
		layers => [$json->encode({ spdxVersion => 'SPDX-2.3', packages => [map { { name => "package-$_", SPDXID => "SPDXRef-$_" } } 1 .. 112] })],
		annotations => { 'org.opencontainers.image.created' => '2026-11-20T08:12:00Z' });
	put_image($s, $as, 'team/charts/app', '1.2.0', config => '{"name":"app","version":"1.2.0","apiVersion":"v2"}', config_type => 'application/vnd.cncf.helm.config.v1+json', layers => ['chart'],
		layer_types => ['application/vnd.cncf.helm.chart.content.v1.tar+gzip'], annotations => { 'org.opencontainers.image.title' => 'app' });
	put_image($s, $as, 'tools/policy', 'v3', artifactType => 'application/vnd.example.policy.v1', config_type => 'application/vnd.oci.empty.v1+json', layers => ['policy'], layer_types => ['text/plain']);
	return;
}

# lasting - what the page says for eight seconds it says for a minute, as what can be undone
sub lasting
{
	my ($w) = @_;

	$w->{lasting} //= $w->cdp('Page.addScriptToEvaluateOnNewDocument',
		source => '{ const real = setTimeout; window.setTimeout = (go, ms, ...more) => real(go, ms === 8000 ? 60000 : ms, ...more); }');
	return;
}

# sign_in - by the form, as a person does
sub sign_in
{
	my ($w, $s, $user, $password, $base) = @_;

	lasting($w);
	$w->open($s->url . ($base // '') . '/#/login');
	$w->type('input[name=user]', $user);
	$w->type('input[name=password]', $password);
	$w->click('.login .primary');
	return $w->has('.user-name', $user);
}

# asked - the requests of the API since the last time: "GET repos?sort=name", ...
my %seen;
sub asked
{
	my ($s) = @_;
	my @all = map { $_->{uri} =~ m{/berth/v1/(.*)} ? "$_->{method} $1" : () } Berth::Server::decode(grep { m{/berth/v1/} } $s->access_log);
	my $from = $seen{ 0 + $s } // 0;

	$seen{ 0 + $s } = @all;
	return @all[$from .. $#all];
}

# complaints - what the console has got, but for answers of the API that the test expects: their statuses
sub complaints
{
	my ($w, @expected) = @_;
	my $re = join '|', map { "status of $_\\b" } @expected;

	return join "\n", grep { !@expected || !/$re/ } $w->said;
}

# visit - an address of the page, in a page that is loaded anew
sub visit
{
	my ($w, $s, $view, $base) = @_;

	lasting($w);
	$w->open('about:blank');
	$w->open($s->url . ($base // '') . "/#/$view");
	return;
}

# by_hand_alone - until it is loaded anew the page waits for ever where it would wait for a second or more: only a click goes on
sub by_hand_alone { my ($w) = @_; $w->js('const real = setTimeout; window.setTimeout = (go, ms, ...more) => ms >= 1000 ? 0 : real(go, ms, ...more)'); return }

# settled - wait until the view has what it asked for
sub settled { my ($w) = @_; return $w->until('return !!document.querySelector("main h1") && !document.querySelector("main .busy, main [aria-busy=true]")') }

# rows_rest - wait until nothing is loaded any more, and the rows are there that are to be seen
sub rows_rest
{
	my ($w) = @_;

	return $w->until(<<'END');
const table = document.querySelector('[role=table]');
const body = table.querySelector('.body').getBoundingClientRect();
const row = parseFloat(getComputedStyle(document.documentElement).getPropertyValue('--row'));
const wanted = Math.min(innerHeight, body.bottom) - Math.max(body.top, table.querySelector('.head').getBoundingClientRect().bottom, 0);
const got = [...table.querySelectorAll('.body .row')].filter((e) => e.getBoundingClientRect().bottom > 0 && e.getBoundingClientRect().top < innerHeight).length * row;
return table.getAttribute('aria-busy') === 'false' && got >= wanted - row;
END
}

1;
