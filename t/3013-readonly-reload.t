#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Read-only switched on and off by SIGHUP, and by both spellings of the variable.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n", workers => 2);
my ($d, $m) = $s->push_image('ro/app', 'one', layers => ['layer']);
my $layer = sha256('layer');
my $up = upload_start($s, 'ro/app');
$s->req('PATCH', $up, body => 'under way');

sub reloaded {
	my ($config) = @_;
	$s->config($config);
	return $s->replace_workers;
}

my @writes = (['POST', '/v2/ro/app/blobs/uploads/'], ['POST', '/v2/ro/app/blobs/uploads/?digest=' . sha256('x'), 'x'], ['POST', "/v2/ro/else/blobs/uploads/?mount=$layer&from=ro/app"], ['PATCH', $up, 'x'],
	['PUT', "$up?digest=" . sha256('under way')], ['DELETE', $up], ['PUT', '/v2/ro/app/manifests/two', $m], ['PUT', "/v2/ro/app/manifests/$d?tag=a", $m], ['DELETE', '/v2/ro/app/manifests/one'],
	['DELETE', "/v2/ro/app/manifests/$d"], ['DELETE', "/v2/ro/app/blobs/$layer"]);

sub refused_ok {
	my ($srv, $how) = @_;
	my $before = $srv->tree_digest;
	for my $w (@writes) {
		my ($method, $p, $body) = @$w;
		my $r = $srv->req($method, $p, defined $body ? (body => $body, headers => ['Content-Type' => DOCKER_MANIFEST]) : ());
		(my $short = "$method $p") =~ s/[0-9a-f]{20,}|[0-9a-f]+(-[0-9a-f]+){4}/.../g;
		error_is $r, 405, 'UNSUPPORTED', "$how: $short is 405 UNSUPPORTED";
		unlike allow_of($r), qr/POST|PUT|PATCH|DELETE/, "$how: the Allow of $short names no write";
	}
	is $srv->tree_digest, $before, "$how: nothing is changed on disk";
	is $srv->req('GET', '/v2/ro/app/manifests/one')->body, $m, "$how: a manifest is pulled";
	is $srv->req('GET', "/v2/ro/app/blobs/$layer")->body, 'layer', "$how: a blob is pulled";
	is $srv->req('GET', '/v2/_catalog')->body, qq({"repositories":["ro/app"]}\n), "$how: the catalog is listed";
	is $srv->req('GET', '/v2/ro/app/tags/list')->body, qq({"name":"ro/app","tags":["one"]}\n), "$how: the tags are listed";
	is $srv->req('GET', "/v2/ro/app/referrers/$d")->status, 200, "$how: referrers are listed";
	return;
}

for my $round (1, 2) {
	ok reloaded("delete = true;\nreadonly = true;\n"), "SIGHUP switches read-only on (round $round)";
	refused_ok($s, "read-only by SIGHUP, round $round");
	ok reloaded("delete = true;\n"), "SIGHUP switches it off (round $round)";
	is $s->req('PUT', '/v2/ro/app/manifests/again', headers => ['Content-Type' => DOCKER_MANIFEST], body => $m)->status, 201, "a manifest is pushed again (round $round)";
	is $s->req('DELETE', '/v2/ro/app/manifests/again')->status, 202, "and deleted (round $round)";
	is $s->req('PATCH', $up, body => '.')->status, 202, "the upload goes on (round $round)";
}
is $s->req('PUT', "$up?digest=" . sha256('under way..'))->status, 201, 'and is finished';
$up = upload_start($s, 'ro/app');
$_->[1] =~ s{^/v2/ro/app/blobs/uploads/[0-9a-f-]{36}}{$up} for @writes;
my $root = $s->root;
$s->stop_nginx('QUIT');
$s->stop_workers;
for my $v ([REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED => 'true', 1], [REGISTRY_STORAGE_MAINTENANCE_READONLY => '{"enabled":true}', 1], [REGISTRY_STORAGE_MAINTENANCE_READONLY => '{"enabled": true}', 1],
	[REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED => 'false', 0], [REGISTRY_STORAGE_MAINTENANCE_READONLY => '{"enabled":false}', 0]) {
	my ($name, $value, $on) = @$v;
	my $e = Berth::Server->start(root => $root, workers => 1, env => { $name => $value, REGISTRY_STORAGE_DELETE_ENABLED => 'true' });
	if ($on) {
		refused_ok($e, "$name=$value");
	} else {
		is $e->req('PUT', '/v2/ro/app/manifests/one', headers => ['Content-Type' => DOCKER_MANIFEST], body => $m)->status, 201, "$name=$value: a manifest is pushed";
	}
	$e->stop;
}

done_testing;
