#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Location: a URL where the client's scheme is known, else a path; and scripts that pass it to curl and append "&digest=".
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;
use Berth::TLS;

need_program('curl', 'openssl');
my $dir = tmp_dir();
chmod 0755, $dir;

# The Location of a new upload, with the path as P; h: more headers
sub begun
{
	my ($s, $prefix, @h) = @_;
	my %o = ref $h[0] ? %{ shift @h } : ();
	my $r = $s->req(POST => "$prefix/v2/l/app/blobs/uploads/", headers => ['Content-Length' => 0, @h], %o);

	return $r->status if $r->status != 202;
	return $r->header('Location') =~ s{/v2/l/app/blobs/uploads/[0-9a-f-]{36}\?_state=berth\z}{ P}r;
}

# --- the request alone
my $s = Berth::Server->start;
my $port = $s->port;
is begun($s, ''), "http://127.0.0.1:$port P", 'an IP address is asked without a proxy';
for my $h ("localhost:$port", 'LOCALHOST', '10.1.2.3', '[::1]', '[2001:db8::1]:5000', '192.0.2.1:80') {
	is begun($s, '', Host => $h), "http://$h P", "Host: $h is no proxy's";
}
is begun($s, '', Host => $_), ' P', "behind $_ may be a proxy" for 'registry.example', "registry.example:$port", 'localhost.example', '1.2.3', '10.1.2.3.4:5', 'a_b';
is begun($s, '', Host => $_), ' P', "Host: $_ gets into no URL" for '127.0.0.1:x', '127.0.0.1:123456', '[::1';
for my $h (['X-Forwarded-Proto' => 'https'], ['X-Forwarded-For' => '10.0.0.1'], ['X-Forwarded-Host' => 'a'], ['X-Forwarded-Port' => 443], [Forwarded => 'proto=https'], [Via => '1.1 proxy']) {
	is begun($s, '', @$h), ' P', "$h->[0] tells of a proxy, and not of the client's scheme";
}
is begun($s, '', 'X-Real-Ip' => '10.0.0.1'), "http://127.0.0.1:$port P", 'other headers tell nothing';
is $s->req(POST => '/v2/l/app/blobs/uploads/', http => '1.0', headers => ['Content-Length' => 0, Host => undef])->header('Location') =~ m{^/v2/} ? 1 : 0, 1, 'without Host it is a path';

# --- scripts
my $bytes = random_bytes(100_000);
my $digest = sha256($bytes);
spew("$dir/blob", $bytes);
my $script = spew("$dir/push.sh", <<'END');
set -eu
loc=$(curl -sS -D - -o /dev/null -X POST -H 'Content-Length: 0' "$1/v2/$2/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
[ "$4" = whole ] || loc=$(curl -sS -D - -o /dev/null -X PATCH -H 'Content-Type: application/octet-stream' --data-binary "@$3" "$loc" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
if [ "$4" = whole ]; then body="--data-binary @$3"; else body='-H Content-Length:0'; fi
curl -sS -o /dev/null -w '%{http_code}' -X PUT -H 'Content-Type: application/octet-stream' $body "$loc${6}digest=$5"
END
for my $how ('whole', 'chunk') {
	for my $mark ('&', '?') {
		my $repo = "l/$how" . ($mark eq '&' ? 'and' : 'ask');

		is run('sh', $script, 'http://' . $s->host, $repo, "$dir/blob", $how, $digest, $mark)->{out}, 201, "a script appends ${mark}digest= and passes Location to curl ($how)";
		is sha256($s->req(GET => "/v2/$repo/blobs/$digest")->body), $digest, 'and the blob is there';
	}
}
my $loc = $s->req(POST => '/v2/l/app/blobs/uploads/')->header('Location');
error_is $s->req(PUT => "$loc?digest=$_", body => 'x'), 400, 'DIGEST_INVALID', "'$_' behind a question mark is no digest either" for '', 'x', sha256('y');
error_is $s->req(PUT => path_of($s->req(POST => '/v2/l/app/blobs/uploads/')->header('Location')) . '?_state=', body => 'x'), 400, 'DIGEST_INVALID', 'a digest is needed';
my $path = path_of($s->req(POST => '/v2/l/app/blobs/uploads/')->header('Location'));
is $s->req(PATCH => "$path?_state=" . 'x' x 500, body => 'x')->status, 202, 'what _state says has no meaning';
is $s->req(PUT => $path . '?digest=' . sha256('xy'), body => 'y')->status, 201, 'nor whether it is there';
my $r = $s->req(PUT => '/v2/l/app/manifests/v1', body => image_of(OCI_MANIFEST, do { $s->push_blob('l/app', '{}'); '{}' }), headers => ['Content-Type' => OCI_MANIFEST]);
is $r->header('Location'), "http://127.0.0.1:$port/v2/l/app/manifests/" . $r->header('Docker-Content-Digest'), 'the Location of a manifest is such a URL';
is $s->req(POST => "/v2/l/other/blobs/uploads/?mount=$digest&from=l/wholeand")->header('Location'), "http://127.0.0.1:$port/v2/l/other/blobs/$digest", 'and that of a blob';
is $s->req(PATCH => $path, body => 'z', headers => ['Content-Range' => '5-5'])->status, 404, 'of an upload that has ended there is none';
my $open = path_of($s->req(POST => '/v2/l/app/blobs/uploads/')->header('Location'));
is $s->req(PATCH => $open, body => 'z', headers => ['Content-Range' => '5-5'])->header('Location'), "http://127.0.0.1:$port$open?_state=berth", 'a refusal before the body has the whole URL';

# --- settings
sub with { my ($conf) = @_; $s->config("http = { $conf };\n"); $s->restart; return }
with('relative_urls = "on";');
is begun($s, ''), ' P', 'with relative_urls "on" it is a path';
with('relative_urls = "off";');
is begun($s, '', Host => 'registry.example', Via => 'x'), 'http://registry.example P', 'with "off" it is a URL';
is begun($s, '', Host => '-:'), ' P', 'except where Host is none';
with('host = "https://registry.example:8443/";');
is begun($s, '', Host => 'other', 'X-Forwarded-Proto' => 'http'), 'https://registry.example:8443 P', 'with a host this is the URL';
with('host = "https://registry.example/sub"; relative_urls = "on";');
is begun($s, ''), ' P', 'and relative_urls counts more';

# a path before /v2/
with('prefix = "/a.b/registry/"; cors = "https://ui.example";');
$s->stop_nginx;
$s->start_nginx;
is $s->req(GET => '/a.b/registry/v2/')->status, 200, 'with a prefix the registry is there';
is $s->req(GET => $_)->status, 404, "and not at $_" for '/v2/', '/axb/registry/v2/', '/a.b/v2/', '/a.b/registry/', '/a.b/registryv2/', '/x/a.b/registry/v2/';
is $s->req(GET => '/a.b/registry/v2')->header('Location'), '/a.b/registry/v2/', 'a redirect stays there';
is begun($s, '/a.b/registry'), "http://127.0.0.1:$port/a.b/registry P", 'and a Location';
is begun($s, '/a.b/registry', Via => 1), '/a.b/registry P', 'if it is a path, too';
$loc = $s->req(POST => '/a.b/registry/v2/l/app/blobs/uploads/')->header('Location');
is $s->req(PATCH => $loc, body => 'ab')->status, 202, 'a chunk is taken there';
is $s->req(PUT => "$loc&digest=" . sha256('abc'), body => 'c')->status, 201, 'and the end';
is $s->req(GET => '/a.b/registry/v2/l/app/blobs/' . sha256('abc'))->body, 'abc', 'and pulled';
is $s->req(GET => '/a.b/registry/v2/_catalog?n=1')->header('Link'), '</a.b/registry/v2/_catalog?last=l%2Fapp&n=1>; rel="next"', 'Link stays there';
is $s->req(OPTIONS => '/a.b/registry/v2/l/app/tags/list')->status, 204, 'and OPTIONS';

# a token service names its URL by them
spew("$dir/htpasswd", htpasswd(u => 'p'));
$s->config("auth = { htpasswd = \"$dir/htpasswd\"; token = { enabled = \"on\"; }; };\nhttp = { host = \"https://r.example\"; prefix = \"/p\"; };\n");
$s->restart;
$s->stop_nginx;
$s->start_nginx;
is $s->req(GET => '/p/v2/')->header('WWW-Authenticate'), 'Bearer realm="https://r.example/p/v2/token",service="berth"', 'the challenge names the token service there';
$s->stop;

# --- own TLS, and proxies that are trusted
my $ca = Berth::TLS->authority;
my ($cert, $key) = $ca->certificate('/CN=registry', 'DNS:localhost,IP:127.0.0.1');
$s = Berth::Server->start(nginx_args => ['with=tls', "certificate=$cert", "certificate_key=$key"]);
$port = $s->port;
sub tls
{
	my $r = curl("https://127.0.0.1:$port/v2/l/app/blobs/uploads/", ca => $ca->file, method => 'POST', headers => ['Content-Length' => 0, @_]);
	return $r->header('Location') =~ s{/v2/l/app/blobs/uploads/[0-9a-f-]{36}\?_state=berth\z}{ P}r;
}
is tls(), "https://127.0.0.1:$port P", 'with TLS of its own it is a URL';
is tls(Host => 'registry.example'), 'https://registry.example P', 'with whatever name';
is tls(Host => 'registry.example', @$_), 'https://registry.example P', "$_->[0]: $_->[1] does not contradict that"
	for ['X-Forwarded-For' => '10.0.0.1'], [Via => '1.1 a'], ['X-Forwarded-Proto' => 'https'], ['X-Forwarded-Host' => 'registry.example'];
is tls(Host => 'registry.example', @$_), ' P', "$_->[0]: $_->[1] does, and may be right"
	for ['X-Forwarded-Proto' => 'http'], ['X-Forwarded-Host' => 'other.example'], [Forwarded => 'host=other.example'];
$s->stop;

$s = Berth::Server->start(nginx_args => ['with=proxy', 'proxy=127.0.0.2']);
my @proxy = ({ from => '127.0.0.2' }, Host => 'registry.example', 'X-Forwarded-For' => '192.0.2.1');
is begun($s, '', @proxy, 'X-Forwarded-Proto' => 'https'), 'https://registry.example P', 'a trusted proxy names the scheme';
is begun($s, '', @proxy, 'X-Forwarded-Proto' => 'http'), 'http://registry.example P', 'one or the other';
is begun($s, '', @proxy, 'X-Forwarded-Proto' => 'https', 'X-Forwarded-Host' => 'outer.example:8443'), 'https://outer.example:8443 P', 'and the host';
is begun($s, '', @proxy, 'X-Forwarded-Host' => 'outer.example:8443'), ' P', 'a host alone is not enough';
is begun($s, '', @proxy, 'X-Forwarded-Proto' => $_), ' P', "'$_' is no scheme" for '', 'ftp', 'https"x', 'javascript';
is begun($s, '', @proxy, 'X-Forwarded-Proto' => 'https', 'X-Forwarded-Host' => $_), 'https://registry.example P', "'$_' is no host" for '', 'a/b', 'a b', 'a"b', 'x:y';
is begun($s, '', { from => '127.0.0.3' }, Host => 'registry.example', 'X-Forwarded-Proto' => 'https'), ' P', 'another client names nothing';
$s->stop;

# a proxy that the workers trust
$s = Berth::Server->start(config => 'auth = { access = ( { who = [ "@anonymous" ]; repo = "**"; may = [ "push" ]; } ); token = { proxies = "127.0.0.2"; }; };');
is begun($s, '', @proxy, 'X-Forwarded-Proto' => 'https'), 'https://registry.example P', 'one of auth.token.proxies names the scheme, too';
is begun($s, '', @proxy, 'X-Forwarded-Proto' => 'https', 'X-Forwarded-Host' => 'outer.example'), ' P', 'a path is right if it names another host than Host';
is begun($s, '', @proxy, 'X-Forwarded-Proto' => 'https', 'X-Forwarded-Host' => 'registry.example'), 'https://registry.example P', 'and a URL if it is the same';
is begun($s, '', { from => '127.0.0.3' }, Host => 'registry.example', 'X-Forwarded-Proto' => 'https'), ' P', 'and nobody else';
$s->stop;
done_testing;
