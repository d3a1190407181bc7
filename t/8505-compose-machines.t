#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# deploy/machines.yml: two machines on one volume and an nginx in front of them. An image is pushed and pulled there while one machine is away, and then the other.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Client;
use Berth::Docker;
use Berth::Image;

plain_build_only('the images are built from the sources');
need_program('docker-compose');

my $d = Berth::Docker->start(network => 1);
Berth::Image::load($d);
my $url = 'http://127.0.0.1:5000';

sub compose
{
	return run({ timeout => 300, env => { %{ $d->env }, COMPOSE_PROJECT_NAME => 'berth' } }, 'docker-compose',
		'-f', source_dir() . '/deploy/machines.yml', '--project-directory', source_dir() . '/deploy', @_);
}
sub curl { return $d->inside('curl', '-sS', '-i', '--max-time', '100', @_)->{out} =~ s/\r\n/\n/gr }
sub named { return $d->value('ps', '-q', '-f', "label=com.docker.compose.service=$_[0]") }
sub log_of { return ($d->docker('logs', $_[0]))[1] }
sub tags { return curl("$url/v2/busybox/tags/list") =~ /"tags":\[([^\]]*)\]/ ? $1 =~ s/"//gr : '' }

my $r = compose('up', '-d');
is $r->{status}, 0, 'docker-compose up' or diag($r->{err});
ok wait_for(sub { curl("$url/v2/") =~ m{^HTTP/1.1 200 } }), 'starts a registry on port 5000';
my ($a, $b, $balance) = map { named($_) } qw(machine-a machine-b balance);
for ($a, $b, $balance) {
	my (undef, $status) = $d->docker('exec', $_, 'cat', '/proc/1/status');
	like $status, qr/^Uid:\t5000\t5000\t5000\t5000$/m, 'a container is not root';
	like $status, qr/^CapEff:\t0{16}$/m, '... and has no capabilities';
}
ok wait_for(sub { curl("$url/v2/") for 1 .. 4; my $said = log_of($balance); return 2 == grep { $said =~ /"machine":"172\.30\.250\.$_:5000"/ } 11, 12 }), 'both machines have answered';
like curl('-X', 'POST', "$url/v2/busybox/blobs/uploads/"), qr{^Location: (?:\Q$url\E)?/v2/busybox/blobs/uploads/}m, 'an upload is where the client has asked for it';

$d->busybox_image('busybox:latest');
my @away = (undef, $a, $b);
sub answered { my ($i) = @_; return scalar(() = log_of($balance) =~ /"machine":"172\.30\.250\.1$i:5000"/g) }
for my $i (0 .. 2) {
	$d->docker_ok('stop', $away[$i], "machine $i goes") if $away[$i];
	$d->docker_ok('tag', 'busybox', "127.0.0.1:5000/busybox:v$i", "docker tag v$i");
	$d->docker_ok('push', "127.0.0.1:5000/busybox:v$i", $i ? "docker push while machine $i is away" : 'docker push');
	is tags(), join(',', map { "v$_" } 0 .. $i), 'all tags are listed';
	next if !$away[$i];
	my $had = answered($i);
	$d->docker_ok('start', $away[$i], '... and it comes back');
	ok wait_for(sub { ($d->docker('exec', $away[$i], '/usr/lib/berth/health'))[0] == 0 }), '... and is well';
	ok wait_for(sub { curl("$url/v2/"); answered($i) > $had }), '... and the nginx in front has seen that';
}
$d->docker_ok('rmi', '-f', map({ "127.0.0.1:5000/busybox:v$_" } 0 .. 2), 'the images are removed here');
$d->docker_ok('pull', "127.0.0.1:5000/busybox:v$_", "docker pull of v$_") for 0 .. 2;
is +($d->docker('exec', $a, 'berth', 'fsck', '--data'))[0], 0, 'fsck finds the store whole';
is compose('down', '-v')->{status}, 0, 'docker-compose down';
$d->stop;
done_testing;
