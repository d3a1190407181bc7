#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# The registry below a path of another server (with=prefix), and some of its repositories there. docker, podman and
# skopeo ask for /v2/ and nothing else, so the path is for curl and for our own requests; skopeo has the repositories.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Client;

need_program('skopeo', 'curl');
my $dir = tmp_dir();
chmod 0755, $dir;
my ($front, $part) = map { Berth::Server::free_port() } 1 .. 2;
my $b = Berth::Server->start(config => "delete = true;\n", nginx_args => sub { ('with=proxy', 'proxy=unix:', "listen=unix:$dir/registry.sock",
	'with=prefix', 'prefix=/a/registry', "prefix_listen=127.0.0.1:$front", "prefix_registry=http://unix:$dir/registry.sock:") });
sub at { my ($method, $path, %o) = @_; return $b->req($method, $path, %o, sock => IO::Socket::INET->new(PeerAddr => "127.0.0.1:$front")) }

my $r = at(GET => '/a/registry/v2/');
is $r->status . $r->body, '200{}', 'it answers below the path';
is common_fault($r), '', 'with the common headers';
is at(GET => $_)->status, 404, "$_ is not it" for '/v2/', '/', '/a/registryv2/', '/a/%72egistry/v2/', '/a/registry/_berth/request';
is at(GET => "/a/registry/$_")->status, 404, "$_ is for nobody who comes this way" for 'readyz', 'metrics', 'metrics/nginx';
error_is at(GET => '/a/registry/../registry/v2/'), 400, 'UNSUPPORTED', 'nor is what only becomes it';
is at(GET => '/a/registry/v2')->header('Location'), '/a/registry/v2/', 'a redirect stays below it';

my $url = 'http://' . $b->host . '/a/registry';         # by the headers Host and X-Forwarded-Proto
like at(POST => '/a/registry/v2/p/q/blobs/uploads/', headers => ['Content-Length' => 0, 'X-Forwarded-Host' => 'other.example'])->header('Location'), qr{^\Q$url\E/v2/}, 'a client names no other host';
# a push and a pull, by what Location says
my $bytes = random_bytes(2_000_000);
my $digest = sha256($bytes);
my $post = at(POST => '/a/registry/v2/p/q/blobs/uploads/', headers => ['Content-Length' => 0]);
like $post->header('Location'), qr{^$url/v2/p/q/blobs/uploads/[0-9a-f-]{36}\?_state=berth$}, 'Location is below it';
$r = at(PATCH => $post->header('Location'), body => substr($bytes, 0, 1_500_000), headers => ['Content-Type' => 'application/octet-stream']);
is $r->status . ' ' . $r->header('Location'), '202 ' . $post->header('Location'), 'after each chunk';
is at(PATCH => $post->header('Location'), body => 'x', headers => ['Content-Range' => '5-5'])->header('Location'), $post->header('Location'), 'in a refusal before the body';
$r = at(PUT => $post->header('Location') . "&digest=$digest", body => substr $bytes, 1_500_000);
is $r->status . ' ' . $r->header('Location'), "201 $url/v2/p/q/blobs/$digest", 'and in the end';
ok at(GET => $r->header('Location'))->body eq $bytes, 'where the blob is';
my $text = image_of(OCI_MANIFEST, '{}');
$b->push_blob('p/q', '{}');
$r = at(PUT => "/a/registry/v2/p/q/manifests/$_", body => $text, headers => ['Content-Type' => OCI_MANIFEST]) for 'a', 'b', 'c';
is $r->header('Location'), "$url/v2/p/q/manifests/" . sha256($text), 'a manifest too';
$r = at(GET => '/a/registry/v2/p/q/tags/list?n=2');
is $r->header('Link'), '</a/registry/v2/p/q/tags/list?last=b&n=2>; rel="next"', 'and the next page of a list';
is at(GET => '/a/registry/v2/p/q/tags/list?last=b&n=2')->header('Link'), undef, 'of which the last has none';
error_is at(GET => '/a/registry/v2/p/q/manifests/none'), 404, 'MANIFEST_UNKNOWN', 'errors are what they are';
is at(GET => '/a/registry/v2/p%2Fq/manifests/a')->status, 200, 'an encoded slash in a name is one behind it, too';
error_is at(GET => '/a/registry/v2/p/q/manifests%2Fa'), 400, 'NAME_INVALID', 'and nothing is decoded on the way';
is at(GET => '/a/registry/v2/p/q/manifests/%61')->status, 200, 'but by the registry';
is run('curl', '-sS', '-L', "http://127.0.0.1:$front/a/registry/v2")->{out}, '{}', 'curl follows';
is leftovers($b), '', 'nothing is left in body, tmp and trash';

# one repository of many servers: no prefix is needed
spew("$dir/part.conf", <<"EOT");
pid $dir/pid; error_log stderr; events { }
http { client_body_temp_path $dir/t1; proxy_temp_path $dir/t2; fastcgi_temp_path $dir/t3; uwsgi_temp_path $dir/t4; scgi_temp_path $dir/t5; access_log off;
	server {
		listen 127.0.0.1:$part;
		client_max_body_size 0;
		location = /v2/ { proxy_pass http://unix:$dir/registry.sock; }
		location /v2/team/ { proxy_pass http://unix:$dir/registry.sock; proxy_http_version 1.1; proxy_request_buffering off; proxy_set_header Host \$http_host; }
	}
}
EOT
my $nginx = fork // die;
if (!$nginx) {
	open STDERR, '>', "$dir/part.err";
	exec 'nginx', '-p', $dir, '-e', 'stderr', '-c', "$dir/part.conf", '-g', 'daemon off;' or die;
}
my $owner = $$;
END { if ($nginx && $$ == $owner) { my $s = $?; kill TERM => $nginx; waitpid $nginx, 0; $? = $s } }
wait_for { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$part") } or die slurp("$dir/part.err");
my @o = ('--dest-tls-verify=false', '--src-tls-verify=false');
my $one = oci_layout("$dir/one", 'v1', { files => { 'data' => random_bytes(300_000) } });
run_ok skopeo('copy', '-q', @o, "oci:$dir/one:v1", "docker://127.0.0.1:$part/team/one:v1"), 'skopeo pushes to a repository behind a server that passes on some';
run_ok skopeo('copy', '-q', @o, "docker://127.0.0.1:$part/team/one:v1", "oci:$dir/back:v1"), 'and pulls';
is_deeply blob_files("$dir/back"), blob_files("$dir/one"), 'the same bytes';
isnt run(skopeo('copy', '-q', @o, "oci:$dir/one:v1", "docker://127.0.0.1:$part/other/one:v1"))->{status}, 0, 'and to no other';

done_testing;
