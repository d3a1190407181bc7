#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# docker pulls through a mirror of Docker Hub, as registry-mirrors has it: by tag and by digest, also when upstream is away. Upstream is docker-registry.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Cache;
use Berth::Check;
use Berth::Client;
use Berth::Docker;
use Berth::Other;
use Berth::Test;

need_program('docker-registry', 'skopeo');
my $port = Berth::Server::free_port();
my $d = Berth::Docker->start(config => { 'registry-mirrors' => ["http://127.0.0.1:$port"] });
my $up = Berth::Other->new(root => tmp_dir(), accesslog => 1)->start;
my $dir = tmp_dir();

# what Docker Hub has: an image of two layers, and an index
my $layout = oci_layout("$dir/app", '1', { files => [{ busybox_files() }, { greeting => "hello\n" }] });
my $multi = oci_layout("$dir/multi", '1', map { { arch => $_, files => { arch => "$_\n" } } } qw(amd64 arm64));
run_ok(skopeo('copy', '-q', '--all', '--dest-tls-verify=false', "oci:$dir/$_->[0]:1", 'docker://' . $up->host . "/$_->[1]"), "upstream has $_->[1]")
	for ['app', 'library/app:1'], ['app', 'library/app:latest'], ['multi', 'some/multi:1'];
my $s = mirror(upstreams => [['docker.io', 'http://' . $up->host, 'hosts = [ "127.0.0.1" ];']], port => $port);
$s->port == $port or die 'another port';

sub has { my ($name) = @_; return json($d->value('image', 'inspect', '-f', '{{json .RepoDigests}}', $name)) }
sub greeting { return $d->run_docker('run', '--rm', '--network', 'none', $_[0], 'cat', '/greeting')->{out} }

$d->docker_ok('pull', 'app:1', 'docker pulls through the mirror');
is_deeply has('app:1'), ["app\@$layout->{digest}"], 'the image that upstream has';
is greeting('app:1'), "hello\n", 'and it runs';
$d->docker_ok('pull', 'app', 'the tag "latest"');
$d->docker_ok('pull', 'some/multi:1', 'an index');
ok -e tag_link($s, 'docker.io/library/app', '1'), 'the repository here has the upstream\'s name in front';
sub asked { return scalar(() = slurp("$up->{dir}/log") =~ m{GET /v2/\S+/blobs/}g) }
# The line of a request comes after its answer.
ok wait_for(sub { asked() == 5 }), 'upstream was asked for each blob';
$d->remove_images or die 'images are left';
$d->docker_ok('pull', 'app:1', 'again');
is asked(), 5, 'without a blob from upstream';
$d->docker_ok('pull', "app\@$layout->{digest}", 'by its digest');

$d->remove_images;
$up->stop;
old_tag($s, 'docker.io/library/app', $_, 3600) for 1, 'latest';
old_tag($s, 'docker.io/some/multi', '1', 3600);
$d->docker_ok('pull', $_, "upstream is away: $_ is still pulled") for 'app:1', 'app', 'some/multi:1', "app\@$layout->{digest}";
is greeting('app:1'), "hello\n", 'and runs';
$d->stop;
is cached_fault($s), '', 'all that is stored is what its name says';
done_testing;
