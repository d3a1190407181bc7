#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Delete switched off, and a registry that only reads.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start;
my ($d, $text) = $s->push_image('sw/app', 'one', layers => ['layer']);
my $layer = sha256('layer');
my $m2 = image_of(OCI_MANIFEST, 'layer');

sub with_options { my ($r) = @_; my $a = allow_of($r); return join ' ', sort split(/ /, $a), $a =~ /OPTIONS/ ? () : 'OPTIONS' }

# delete is off unless it is switched on
my $before = $s->tree_digest;
for my $c (['a manifest by tag', '/v2/sw/app/manifests/one', 'GET HEAD OPTIONS PUT'], ['a manifest by digest', "/v2/sw/app/manifests/$d", 'GET HEAD OPTIONS PUT'], ['a blob', "/v2/sw/app/blobs/$layer", 'GET HEAD OPTIONS'],
	['an unknown tag', '/v2/sw/app/manifests/none', 'GET HEAD OPTIONS PUT'], ['an unknown blob', '/v2/sw/app/blobs/' . sha256('none'), 'GET HEAD OPTIONS']) {
	my ($what, $p, $allow) = @$c;
	my $r = $s->req('DELETE', $p);
	error_is $r, 405, 'UNSUPPORTED', "with delete off DELETE of $what is 405 UNSUPPORTED";
	is with_options($r), $allow, "the Allow for $what is without DELETE";
	is with_options($s->req('OPTIONS', $p)), $allow, "OPTIONS says the same for $what";
}
is $s->tree_digest, $before, 'with delete off nothing is changed on disk';
is $s->req('DELETE', upload_start($s, 'sw/app'))->status, 204, 'an upload is cancelled with delete off: that is no delete';
for my $v (['true', 202], ['false', 405]) {
	my ($value, $want) = @$v;
	my $e = Berth::Server->start(env => { REGISTRY_STORAGE_DELETE_ENABLED => $value }, workers => 1);
	my ($ed) = $e->push_image('sw/env', 'one', layers => ['layer']);
	is $e->req('DELETE', "/v2/sw/env/manifests/$ed")->status, $want, "REGISTRY_STORAGE_DELETE_ENABLED=$value makes DELETE $want";
	$e->stop;
}

# read-only
my $up = upload_start($s, 'sw/app');
$s->req('PATCH', $up, body => 'under way');
my ($uuid) = $up =~ m{([^/]+)$};
$s->config("delete = true;\nreadonly = true;\n");
$s->restart;
sub readonly_ok {
	my ($srv, $how) = @_;
	my $tree = $srv->tree_digest;
	for my $c (['POST', '/v2/sw/app/blobs/uploads/', 'OPTIONS'], ['POST', '/v2/sw/app/blobs/uploads/?digest=' . sha256('x'), 'OPTIONS'], ['POST', "/v2/sw/else/blobs/uploads/?mount=$layer&from=sw/app", 'OPTIONS'],
		['PATCH', $up, 'GET HEAD OPTIONS'], ['PUT', "$up?digest=" . sha256('under wayx'), 'GET HEAD OPTIONS'], ['DELETE', $up, 'GET HEAD OPTIONS'],
		['PUT', '/v2/sw/app/manifests/two', 'GET HEAD OPTIONS'], ['PUT', '/v2/sw/app/manifests/' . sha256($m2), 'GET HEAD OPTIONS'],
		['DELETE', '/v2/sw/app/manifests/one', 'GET HEAD OPTIONS'], ['DELETE', "/v2/sw/app/manifests/$d", 'GET HEAD OPTIONS'], ['DELETE', "/v2/sw/app/blobs/$layer", 'GET HEAD OPTIONS']) {
		my ($m, $p, $allow) = @$c;
		(my $short = $p) =~ s/[0-9a-f]{20,}|[0-9a-f]+(-[0-9a-f]+){4}/.../g;
		my $r = $srv->req($m, $p, $m eq 'DELETE' || $p =~ /mount/ ? () : (body => $p =~ /manifests/ ? $m2 : 'x', headers => ['Content-Type' => OCI_MANIFEST]));
		error_is $r, 405, 'UNSUPPORTED', "$how: $m $short is 405 UNSUPPORTED";
		is with_options($r), $allow, "$how: the Allow of $m $short is without the writing methods";
		is with_options($srv->req('OPTIONS', $p)), $allow, "$how: OPTIONS $short says the same";
	}
	is $srv->tree_digest, $tree, "$how: nothing is changed on disk";
	is leftovers($srv), '', "$how: nothing is left in body, tmp and trash";
	is $srv->req('GET', '/v2/sw/app/manifests/one')->body, $text, "$how: a manifest is pulled";
	is $srv->req('HEAD', '/v2/sw/app/manifests/one')->status, 200, "$how: and looked at";
	is $srv->req('GET', "/v2/sw/app/blobs/$layer")->body, 'layer', "$how: a blob is pulled";
	is $srv->req('GET', '/v2/sw/app/tags/list')->body, qq({"name":"sw/app","tags":["one"]}\n), "$how: tags are listed";
	is $srv->req('GET', '/v2/_catalog')->body, qq({"repositories":["sw/app"]}\n), "$how: the catalog is listed";
	is $srv->req('GET', $up)->header('Range'), '0-8', "$how: an upload is looked at";
	return;
}
readonly_ok($s, 'readonly = true');

# a body of 1 GiB is refused before it has come
my $sock = $s->sock;
syswrite $sock, "PATCH $up HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n";
my $early = eval { read_response($sock) };
ok $early, 'read-only: a PATCH of 1 GiB is answered before its body is sent';
error_is $early, 405, 'UNSUPPORTED', 'with 405 UNSUPPORTED' if $early;
close $sock;

my $root = $s->root;
$s->config("delete = true;\n");
$s->restart;
is $s->req('PUT', "$up?digest=" . sha256('under way'))->status, 201, 'when it may write again the upload goes on';
$up = upload_start($s, 'sw/app');
$s->req('PATCH', $up, body => 'under way');
$s->stop_nginx('QUIT');
$s->stop_workers;
my $e = Berth::Server->start(root => $root, env => { REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED => 'true', REGISTRY_STORAGE_DELETE_ENABLED => 'true' });
readonly_ok($e, 'REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED=true');

done_testing;
