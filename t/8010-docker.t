#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# docker: build, push, remove, pull, run; what comes back is what went in. Shared layers, several tags,
# deletes, and ten pushes at once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check ();
use Berth::Client;
use Berth::Docker;

my $d = Berth::Docker->start;
my $b = Berth::Server->start(config => "delete = true;\n");
my $host = '127.0.0.1:' . $b->port;
my $ctx = tmp_dir();
my $v2type = 'application/vnd.docker.distribution.manifest.v2+json';

# What docker push said: the digest.
sub pushed_digest
{
	return $_[0] =~ /: digest: (sha256:[0-9a-f]{64}) size: \d+$/m ? $1 : 'no digest';
}

sub repo_digests
{
	my ($name) = @_;

	return json($d->value('image', 'inspect', '-f', '{{json .RepoDigests}}', $name));
}

sub greeting
{
	my ($name) = @_;
	my $r = $d->run_docker('run', '--rm', '--network', 'none', $name);

	return $r->{status} ? "status $r->{status}: $r->{err}" : $r->{out};
}

sub layers_of
{
	my ($repo, $ref) = @_;

	return [map { $_->{digest} } @{ $b->req(GET => "/v2/$repo/manifests/$ref", headers => [Accept => $v2type])->json->{layers} }];
}

# --- one image, there and back

$d->busybox_image('busybox:latest');
spew("$ctx/data", random_bytes(300_000));
my $app = "$host/team/app";
my $id = $d->build("$app:1.0", <<'EOT', $ctx);
FROM busybox
COPY data /data
RUN echo "hello from 1.0" >/greeting
CMD ["cat", "/greeting"]
EOT
is(greeting("$app:1.0"), "hello from 1.0\n", 'docker build makes an image that runs');

my $said = $d->docker_ok('push', "$app:1.0", 'docker push takes it to the registry');
my $digest = pushed_digest($said);
is(() = $said =~ /: Pushed\b/g, 3, 'three layers are pushed');
is_deeply(repo_digests("$app:1.0"), ["$app\@$digest"], 'docker knows it by the digest that it pushed');

my $r = $b->req(GET => "/v2/team/app/manifests/1.0", headers => [Accept => $v2type]);
is($r->status, 200, 'the registry has the manifest');
is($r->header('Docker-Content-Digest'), $digest, 'under the digest that docker pushed');
is(sha256($r->body), $digest, 'and its bytes are those of the digest');
is($r->json->{config}{digest}, $id, 'it names the image that was built');

ok($d->remove_images, 'docker has no image any more');
$said = $d->docker_ok('pull', "$app:1.0", 'docker pull brings it back');
like($said, qr/^Digest: \Q$digest\E$/m, 'docker pull says the same digest');
is($d->id("$app:1.0"), $id, 'the image has the id that it had');
is_deeply(repo_digests("$app:1.0"), ["$app\@$digest"], 'and the repository digest');
is(greeting("$app:1.0"), "hello from 1.0\n", 'and it runs');

ok($d->remove_images, 'docker has no image once more');
$d->docker_ok('pull', "$app\@$digest", 'docker pulls by digest');
is($d->id("$app\@$digest"), $id, 'which is the same image');
$d->docker_ok('pull', "$app:1.0", 'and by tag when it has all layers already');

# --- a second tag, a new image under an old tag

$d->docker_ok('tag', "$app:1.0", "$app:latest", 'the image gets a second tag');
$said = $d->docker_ok('push', "$app:latest", 'which is pushed');
is(pushed_digest($said), $digest, 'with the same digest');
is(() = $said =~ /: Layer already exists/g, 3, 'and no layer is sent again');
is_deeply($b->req(GET => '/v2/team/app/tags/list')->json, { name => 'team/app', tags => ['1.0', 'latest'] },
	'the repository has both tags');

$d->docker_ok('tag', "$app:1.0", 'base', 'a name to build on');
my $id2 = $d->build("$app:latest", <<'EOT', $ctx);
FROM base
RUN echo "hello from 2.0" >/greeting
EOT
$said = $d->docker_ok('push', "$app:latest", 'another image is pushed to the second tag');
my $digest2 = pushed_digest($said);
isnt($digest2, $digest, 'it has another digest');
is(() = $said =~ /: Layer already exists/g, 3, 'the layers that both share are not sent again');
ok($d->remove_images, 'docker has no image');
$d->docker_ok('pull', '-a', $app, 'docker pull -a brings all tags');
is($d->id("$app:latest"), $id2, 'the second tag is the new image');
is($d->id("$app:1.0"), $id, 'the first tag is still the old one');
is(greeting("$app:latest"), "hello from 2.0\n", 'the new image runs');

# --- another repository: layers are mounted

my $copy = "$host/elsewhere/deep/er/copy";
$d->docker_ok('tag', "$app:latest", "$copy:1", 'the image gets a name in another repository');
$said = $d->docker_ok('push', "$copy:1", 'which is pushed');
is(() = $said =~ m{: Mounted from team/app}g, 4, 'all layers are mounted from the first repository');
is(pushed_digest($said), $digest2, 'with the same digest');
is_deeply(layers_of('elsewhere/deep/er/copy', '1'), layers_of('team/app', 'latest'), 'it has the same layers');

# --- delete, push again

is($b->req(DELETE => "/v2/team/app/manifests/$digest")->status, 202, 'the first image is deleted by digest');
is_deeply($b->req(GET => '/v2/team/app/tags/list')->json->{tags}, ['latest'], 'its tag is gone, the other one is not');
my ($rc, $out) = $d->docker('pull', "$app:1.0");
isnt($rc, 0, 'docker can not pull it any more');
like($out, qr/manifest unknown|not found/, 'and says why');
($rc, $out) = $d->docker('pull', "$host/never/heard:of");
like($out, qr/manifest unknown|not found/, 'as for a repository that never was');
$said = $d->docker_ok('push', "$app:1.0", 'it is pushed again');
is(pushed_digest($said), $digest, 'with the same digest');
ok($d->remove_images, 'docker has no image');
$d->docker_ok('pull', "$app:1.0", 'and docker pulls it');
is($d->id("$app:1.0"), $id, 'which is the image of the beginning');
$d->docker_ok('pull', "$copy:1", 'the copy in the other repository can be pulled as before');
is($d->id("$copy:1"), $id2, 'and is the same as before');

# --- ten pushes at once

ok($d->remove_images, 'docker has no image');
$d->busybox_image('busybox:latest');
for my $n (0 .. 9) {
	spew("$ctx/own", random_bytes(200_000));
	spew("$ctx/shared$_", random_bytes(2_000_000)) for grep { !-e "$ctx/shared$_" } 1 .. 3;
	$d->build("$host/many/app$n:1", <<"EOT", $ctx);
FROM busybox
COPY shared1 /
COPY shared2 /
COPY shared3 /
COPY own /
CMD ["sha256sum", "/shared1", "/own"]
EOT
}
my @ids = map { $d->id("$host/many/app$_:1") } 0 .. 9;
my @push = run_parallel(10, sub { [$d->docker('push', "$host/many/app$_[0]:1")] });
is_deeply([map { $_->[0] } @push], [(0) x 10], 'ten pushes at once of images that share layers all succeed')
	or diag(map { $_->[1] } grep { $_->[0] } @push);
my @tagged = run_parallel(10, sub {
	$d->docker('tag', "$host/many/app$_[0]:1", "$host/one/app:$_[0]");
	[$d->docker('push', "$host/one/app:$_[0]")];
});
is_deeply([map { $_->[0] } @tagged], [(0) x 10], 'so do ten pushes at once to one repository')
	or diag(map { $_->[1] } grep { $_->[0] } @tagged);
is_deeply([map { pushed_digest($_->[1]) } @tagged], [map { pushed_digest($_->[1]) } @push],
	'each with the digest that it had before');
is_deeply($b->req(GET => '/v2/one/app/tags/list')->json->{tags}, [0 .. 9], 'all ten tags are there');
my @shared = map { layers_of("many/app$_", '1') } 0 .. 9;
is(scalar(keys %{ { map { $_ => 1 } map { @$_ } @shared } }), 14, 'the ten images have 14 layers: four shared, ten their own');

my $before = greeting("$host/many/app7:1");
ok($d->remove_images, 'docker has no image');
my @pull = run_parallel(10, sub { [$d->docker('pull', $_[0] % 2 ? "$host/many/app$_[0]:1" : "$host/one/app:$_[0]")] });
is_deeply([map { $_->[0] } @pull], [(0) x 10], 'ten pulls at once all succeed')
	or diag(map { $_->[1] } grep { $_->[0] } @pull);
is_deeply([map { $d->id($_ % 2 ? "$host/many/app$_:1" : "$host/one/app:$_") } 0 .. 9], \@ids,
	'and bring the ten images that were pushed');
is(greeting("$host/many/app7:1"), $before, 'whose files are what they were');

is(Berth::Check::leftovers($b), '', 'nothing is left where bodies are spooled and files are made');
$b->stop;
$d->stop;
done_testing();
