#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# The walk that started the project: push busybox, look at it with curl, delete it, look again; with
# the registry stopped and started in between.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Docker;

need_program('curl');

my $d = Berth::Docker->start;
my $b = Berth::Server->start(env => { REGISTRY_STORAGE_DELETE_ENABLED => 'true' });
my $v2 = $b->url . '/v2';
my $ref = '127.0.0.1:' . $b->port . '/busybox:1.0';
my $type = 'application/vnd.docker.distribution.manifest.v2+json';

# curl as the walk has it; what it prints is what was sent.
sub curl
{
	my $r = run('curl', '-sS', '--noproxy', '*', @_);

	diag($r->{err}) if $r->{status};
	return $r->{out};
}

# curl --head: (status line, { lower-case name => value })
sub head_of
{
	my ($status, @lines) = split /\r\n/, curl('--head', '-H', "Accept: $type", @_);

	return ($status, { map { /^([^:]+):\s*(.*)$/ ? (lc $1, $2) : () } @lines });
}

# --- push

my $id = $d->busybox_image('busybox:latest');
$d->docker_ok('tag', 'busybox', $ref, 'busybox gets the name of the registry');
my $said = $d->docker_ok('push', $ref, 'docker push takes busybox:1.0 to the registry');
my ($digest, $size) = $said =~ /^1\.0: digest: (sha256:[0-9a-f]{64}) size: (\d+)$/m;
ok($digest, 'docker says the digest and the size of what it pushed') or die "docker push: $said\n";

# --- look

my $found = sub {
	my ($when) = @_;

	is(curl("$v2/_catalog"), qq({"repositories":["busybox"]}\n), "the catalog has busybox $when");
	is(curl("$v2/busybox/tags/list"), qq({"name":"busybox","tags":["1.0"]}\n), "busybox has the tag 1.0 $when");
	my ($status, $h) = head_of("$v2/busybox/manifests/1.0");
	is($status, 'HTTP/1.1 200 OK', "HEAD of the manifest is 200 $when");
	return $h;
};

my $h = $found->('after the push');
like(delete $h->{date}, qr/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/, 'HEAD carries the date');
delete @$h{qw(server connection)};    # nginx's own
is_deeply($h, {
	'content-length' => $size,
	'content-type' => $type,
	'docker-content-digest' => $digest,
	'docker-distribution-api-version' => 'registry/2.0',
	'etag' => qq("$digest"),
	'x-content-type-options' => 'nosniff',
}, "HEAD carries the manifest's length, type and digest, the API's version, the Etag, nosniff, and nothing else");

my $manifest = curl('-H', "Accept: $type", "$v2/busybox/manifests/1.0");
is(length $manifest, $size, 'GET sends as many bytes as docker pushed');
is(sha256($manifest), $digest, 'GET sends the bytes that have this digest');

# --- stop and start

$b->restart;
$found->('after a restart');
ok($d->remove_images, 'docker has no image any more');
$d->docker_ok('pull', $ref, 'docker pull brings it back');
is($d->id($ref), $id, 'it is the image that was pushed');

# --- delete

is(curl('-w', '%{http_code}', '-X', 'DELETE', "$v2/busybox/manifests/$digest"), '202',
	'DELETE of the manifest by digest is 202, without a body');

my $gone = sub {
	my ($when) = @_;

	is(curl("$v2/_catalog"), qq({"repositories":["busybox"]}\n), "the catalog still has busybox $when");
	is(curl("$v2/busybox/tags/list"), qq({"name":"busybox","tags":null}\n), "its tags are null $when");
	is((head_of("$v2/busybox/manifests/1.0"))[0], 'HTTP/1.1 404 Not Found', "its manifest is 404 $when");
};

$gone->('after the delete');
$b->restart;
$gone->('after another restart');

$said = $d->docker_ok('push', $ref, 'what was deleted can be pushed again');
like($said, qr/^1\.0: digest: \Q$digest\E size: $size$/m, 'with the same digest');
$found->('after the second push');

$b->stop;
$d->stop;
done_testing();
