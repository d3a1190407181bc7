#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# podman: import and build, push in both formats, pull, run; digests stay.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Client;

need_program('podman', 'unshare', 'busybox');
podman_works() or cannot_run("podman can't run here");

my $b = Berth::Server->start(config => "delete = true;\n");
my $host = '127.0.0.1:' . $b->port;
my $dir = tmp_dir();
my %type = (
	v2s2 => 'application/vnd.docker.distribution.manifest.v2+json',
	oci => 'application/vnd.oci.image.manifest.v1+json',
);

sub podman_ok
{
	my $title = pop;

	return run_ok(podman(@_), $title);
}

sub id_of
{
	my ($name) = @_;

	return run(podman('image', 'inspect', '-f', '{{.Id}}', $name))->{out} =~ s/\s+\z//r;
}

sub output_of
{
	my ($name) = @_;
	my $r = run(podman_run($name));

	return $r->{status} ? "status $r->{status}: $r->{err}" : $r->{out};
}

sub remove_images
{
	run(podman('rmi', '-af'));
	return run(podman('images', '-aq'))->{out} eq '';
}

sub manifest
{
	my ($repo, $ref) = @_;

	return $b->req(GET => "/v2/$repo/manifests/$ref", headers => [Accept => join(', ', values %type)]);
}

# --- an image, in each of the two formats

spew("$dir/rootfs.tar", (tar_layer(busybox_files()))[1]);
podman_ok('import', '-c', 'CMD ["echo", "hello from podman"]', "$dir/rootfs.tar", 'localhost/busybox:latest',
	'podman imports busybox');
my $id = id_of('localhost/busybox:latest');

my %pushed;
for my $format (qw(oci v2s2)) {
	my $ref = "$host/pod/$format:1";

	podman_ok('push', '--tls-verify=false', '--format', $format, '--digestfile', "$dir/digest", 'localhost/busybox:latest',
		"docker://$ref", "podman pushes it as $format");
	$pushed{$format} = slurp("$dir/digest");
	my $m = manifest("pod/$format", '1');
	is($m->header('Content-Type'), $type{$format}, "the registry has a manifest of that type ($format)");
	is($m->header('Docker-Content-Digest'), $pushed{$format}, "with the digest that podman says ($format)");
	is(sha256($m->body), $pushed{$format}, "which is that of its bytes ($format)");
}

for my $format (qw(oci v2s2)) {
	my $ref = "$host/pod/$format:1";

	ok(remove_images(), "podman has no image ($format)");
	podman_ok('pull', '--tls-verify=false', $ref, "podman pulls it ($format)");
	is(run(podman('image', 'inspect', '-f', '{{.Digest}}', $ref))->{out}, "$pushed{$format}\n",
		"its digest is the one that was pushed ($format)");
	is('sha256:' . id_of($ref), manifest("pod/$format", '1')->json->{config}{digest},
		"its id is that of the config in the registry ($format)");
	is(id_of($ref), $id, 'which is the id of the image that was pushed') if $format eq 'oci';
	is(output_of($ref), "hello from podman\n",
		"and it runs ($format)");
	ok(remove_images(), "podman has no image again ($format)");
	podman_ok('pull', '--tls-verify=false', "$host/pod/$format\@$pushed{$format}", "podman pulls by digest ($format)");
}

# --- podman build on what the registry has

podman_ok('pull', '--tls-verify=false', "$host/pod/oci:1", 'podman pulls what to build on');
spew("$dir/data", random_bytes(3_000_000));
spew("$dir/Containerfile", <<"EOT");
FROM $host/pod/oci:1
COPY data /data
CMD ["sha256sum", "/data"]
EOT
podman_ok('build', '--isolation', 'chroot', '--pull=never', '-f', "$dir/Containerfile", '-t', "$host/pod/built:1", $dir,
	'podman builds an image on it');
my $built = id_of("$host/pod/built:1");
podman_ok('push', '--tls-verify=false', '--digestfile', "$dir/digest", "$host/pod/built:1", 'podman pushes what it built');
is(scalar(@{ manifest('pod/built', '1')->json->{layers} }), 2, 'it has two layers');
ok(remove_images(), 'podman has no image');
podman_ok('pull', '--tls-verify=false', "$host/pod/built:1", 'podman pulls it');
is(id_of("$host/pod/built:1"), $built, 'it is the image that was built');
is(output_of("$host/pod/built:1"), substr(sha256(slurp("$dir/data")), 7) . "  /data\n", 'whose file is what it was');

# --- a list of images

podman_ok('manifest', 'create', 'localhost/list', 'podman makes a manifest list');
podman_ok('manifest', 'add', '--tls-verify=false', 'localhost/list', "docker://$host/pod/oci:1", 'puts an image in it');
podman_ok('manifest', 'add', '--tls-verify=false', '--arch', 'arm64', 'localhost/list', "docker://$host/pod/built:1",
	'and another one');
podman_ok('manifest', 'push', '--tls-verify=false', '--all', 'localhost/list', "docker://$host/pod/list:1",
	'podman pushes it with its images');
my $list = $b->req(GET => '/v2/pod/list/manifests/1', headers => [
	Accept => 'application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json',
])->json;
is_deeply([sort map { $_->{digest} } @{ $list->{manifests} }],
	[sort $pushed{oci}, slurp("$dir/digest")], 'the registry has the list with the digests of both');
podman_ok('pull', '--tls-verify=false', '--arch', 'arm64', "$host/pod/list:1", 'podman pulls one of them by its platform');
is(id_of("$host/pod/list:1"), $built, 'which is the right one');

# --- what is deleted

is($b->req(DELETE => "/v2/pod/oci/manifests/$pushed{oci}")->status, 202, 'an image is deleted');
ok(remove_images(), 'podman has no image');
my $r = run(podman('pull', '--tls-verify=false', "$host/pod/oci:1"));
isnt($r->{status}, 0, 'podman can not pull it any more');
like($r->{err}, qr/manifest unknown/, 'and says why');

$b->stop;
done_testing();
