#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# podman and skopeo pull through a mirror as registries.conf has it: a prefix of the repository's name. Also when upstream is away.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Cache;
use Berth::Check;
use Berth::Client;
use Berth::Other;
use Berth::Test;

need_program('podman', 'unshare', 'skopeo', 'docker-registry');
podman_works() or cannot_run("podman can't run here");
my $up = Berth::Other->new(root => tmp_dir())->start;
my $dir = tmp_dir();
my $app = oci_layout("$dir/app", '1', { files => [{ a => random_bytes(300_000) }, { greeting => "hello\n" }] });
my $multi = oci_layout("$dir/multi", '1', map { { arch => $_, files => { arch => "$_\n" } } } qw(amd64 arm64));
run_ok(skopeo('copy', '-q', '--all', '--preserve-digests', '--dest-tls-verify=false', "oci:$dir/$_->[0]:1", 'docker://' . $up->host . "/$_->[1]"), "upstream has $_->[1]")
	for ['app', 'library/app:1'], ['multi', 'some/multi:1'];
my $s = mirror(upstreams => [['docker.io', 'http://' . $up->host]]);
my $conf = spew("$dir/registries.conf", <<"CONF");
short-name-mode = "permissive"
[[registry]]
prefix = "docker.io"
location = "127.0.0.1:1"
insecure = true
[[registry.mirror]]
location = "@{[ $s->host ]}/docker.io"
insecure = true
CONF
my %env = (env => { CONTAINERS_REGISTRIES_CONF => $conf });

sub podman_pulls
{
	my ($ref, $digest, $title) = @_;

	run(podman('rmi', '-a', '-f'));
	run_ok(podman(\%env, 'pull', '-q', $ref), "podman pulls $title");
	like run(podman('image', 'inspect', '-f', '{{.RepoDigests}}', $ref))->{out}, qr/\Q$digest\E/, 'the image that upstream has' if $ref !~ /\@/;
	return;
}
podman_pulls('docker.io/library/app:1', $app->{digest}, 'by tag');
podman_pulls("docker.io/library/app\@$app->{digest}", $app->{digest}, 'by digest');
podman_pulls('docker.io/some/multi:1', $multi->{digest}, 'an index');
run_ok(skopeo('--registries-conf', $conf, 'copy', '-q', '--all', '--preserve-digests', 'docker://docker.io/some/multi:1', "oci:$dir/back:1"), 'skopeo copies all of an index');
is_deeply blob_files("$dir/back"), blob_files("$dir/multi"), 'whole';
is json(run_ok(skopeo('--registries-conf', $conf, 'inspect', '--no-tags', 'docker://docker.io/library/app:1'), 'skopeo inspects'))->{Digest}, $app->{digest}, 'what upstream has';

$up->stop;
old_tag($s, "docker.io/$_", '1', 3600) for 'library/app', 'some/multi';
podman_pulls('docker.io/library/app:1', $app->{digest}, 'when upstream is away, by tag');
podman_pulls("docker.io/library/app\@$app->{digest}", $app->{digest}, 'by digest');
podman_pulls('docker.io/some/multi:1', $multi->{digest}, 'an index');
run_ok(skopeo('--registries-conf', $conf, 'copy', '-q', '--all', '--preserve-digests', 'docker://docker.io/some/multi:1', "oci:$dir/back2:1"), 'skopeo, too');
is_deeply blob_files("$dir/back2"), blob_files("$dir/multi"), 'whole';
is cached_fault($s), '', 'all that is stored is what its name says';
done_testing;
