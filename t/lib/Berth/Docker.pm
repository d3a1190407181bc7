# SPDX-License-Identifier: Apache-2.0
#
# Berth::Docker - a docker daemon for one test file, and the client that talks to it.
#
#   my $d = Berth::Docker->start;             # before the first test: fails or skips where it can't
#   my ($rc, $out) = $d->docker('push', $ref);
#   $d->busybox_image('busybox:latest');
#   $d->stop;                                 # also when the test ends, dies or is killed
#
# The daemon and its containerd run in mount and pid namespaces of their own, with /run and
# /etc/docker empty in there, and with everything else below one temporary directory. They
# use the machine's network, so that 127.0.0.1 is where berth listens; containers get none.
# With start(network => 1) they have a network of their own instead, with a bridge and published
# ports; inside() runs a command where these are. slirp4netns lets containers out from there, and
# nobody in.
# A pipe tells the first process of the namespace that the test has gone; when that process
# ends, the kernel ends all others and takes the mounts away.

package Berth::Docker;

use strict;
use warnings;

use File::Temp ();
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

use Berth::Test;
use Berth::Client;

my @needed = qw(dockerd containerd runc unshare mount busybox);
my %daemon;
my $owner = $$;

# Outside: waits for the namespace to end, then removes what is left on disk.
my $outer = <<'EOT';
dir=$1
exec 3<&0 </dev/null
unshare --mount --propagation private --pid --fork --kill-child --mount-proc $2 sh "$dir/inner" "$dir" <&3 3<&- &
exec 3<&-
u=$! s=
if [ -n "$2" ]; then
	while [ "$(readlink /proc/$u/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
	slirp4netns --configure --mtu=65520 --disable-host-loopback $u tap0 >"$dir/slirp" 2>&1 &
	s=$!
fi
wait $u
[ -z "$s" ] || kill $s
find /sys/fs/cgroup -depth -type d -path "*/${dir##*/}*" -exec rmdir {} + 2>/dev/null
rm -rf "$dir"
EOT

# Inside, the first process.
my $inner = <<'EOT';
dir=$1
exec 3<&0 </dev/null
mount -n -t tmpfs tmpfs /run
if [ -d /etc/docker ]; then mount -n -t tmpfs tmpfs /etc/docker; fi
exec >"$dir/log" 2>&1
if [ -e "$dir/resolv.conf" ]; then
	mount -n --bind "$dir/resolv.conf" /etc/resolv.conf
	until ip -o address show dev tap0 2>/dev/null | grep -q 'inet '; do sleep 0.05; done
	ip link set lo up
fi
containerd --config "$dir/containerd.toml" --log-level warn 3<&- &
c=$!
dockerd --config-file "$dir/daemon.json" 3<&- &
d=$!
(
	cat >/dev/null
	kill -TERM $d
	sleep 20
	kill -KILL $d
) <&3 &
wait $d
kill -TERM $c
wait $c
EOT

sub start
{
	my ($class, %o) = @_;
	my @missing = grep { !have_program($_) } @needed, $o{network} ? qw(slirp4netns nsenter ip iptables) : ();
	my $client = -x '/usr/bin/docker' ? '/usr/bin/docker' : have_program('docker');

	push @missing, 'docker' unless $client;
	cannot_run("docker can't run here: missing: @missing") if @missing;
	cannot_run("docker can't run here: it takes root") if $> != 0;

	my $dir = File::Temp::tempdir('berth-docker-XXXXXX', TMPDIR => 1);
	my $name = ($dir =~ m{([^/]+)$})[0];
	my $self = bless { dir => $dir, client => $client }, $class;
	spew("$dir/outer", $outer);
	spew("$dir/resolv.conf", "nameserver 10.0.2.3\n") if $o{network};    # what slirp4netns answers as
	spew("$dir/inner", $inner);
	spew("$dir/containerd.toml", <<"EOT");
version = 2
root = "$dir/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "/run/containerd/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
path = "$dir/opt"
EOT
	spew("$dir/daemon.json", json({
		'data-root' => "$dir/data", 'exec-root' => '/run/docker', pidfile => '/run/docker.pid',
		hosts => ["unix://$dir/sock"], containerd => '/run/containerd/containerd.sock',
		$o{network} ? () : (bridge => 'none', iptables => JSON::PP::false, 'ip-forward' => JSON::PP::false),
		'cgroup-parent' => "/$name", 'exec-opts' => ['native.cgroupdriver=cgroupfs'],
		'insecure-registries' => ['127.0.0.0/8'], 'max-concurrent-uploads' => 20,
		'max-concurrent-downloads' => 20, 'log-level' => 'warn', 'shutdown-timeout' => 2,
		features => { 'containerd-snapshotter' => JSON::PP::false }, %{ $o{config} // {} },
	}));

	pipe(my $r, $self->{life}) or die "pipe: $!";
	my $pid = fork() // die "fork: $!";
	if (!$pid) {
		POSIX::setsid();
		open(STDIN, '<&', $r) or POSIX::_exit(126);
		open(STDOUT, '>', '/dev/null');
		open(STDERR, '>', '/dev/null');
		close($self->{life});
		delete @ENV{ grep { /^(?:DOCKER|CONTAINERD)_/ } keys %ENV };
		$ENV{PATH} = join(':', $ENV{PATH} // '/usr/bin:/bin', qw(/usr/local/sbin /usr/sbin /sbin));
		$ENV{container} = 'berth';    # no AppArmor profile is to be left in the kernel
		exec('sh', "$dir/outer", $dir, $o{network} ? '--net' : ()) or POSIX::_exit(127);
	}
	close($r);
	$self->{pid} = $pid;
	$daemon{$pid} = $self;

	my $until = time + 300;
	while (1) {
		my ($rc) = $self->docker({ timeout => 60 }, 'version');
		last if $rc == 0;
		my $gone = waitpid($pid, WNOHANG) != 0;
		if ($gone || time > $until) {
			my $log = -e "$dir/log" ? slurp("$dir/log") : 'no log';
			delete $self->{pid} if $gone;
			$self->stop;
			diag($log);
			cannot_run("docker can't run here: dockerd " . ($gone ? 'ended' : 'does not answer'));
		}
		sleep(0.05);
	}
	return $self;
}

# run() for a command that is to see the daemon's own network.
sub inside
{
	my $self = shift;
	my $o = ref $_[0] eq 'HASH' ? shift : {};

	return run($o, 'nsenter', '--net=/proc/' . _child($self->{pid}) . '/ns/net', '--', @_);
}

sub env
{
	my ($self) = @_;

	return {
		DOCKER_HOST => "unix://$self->{dir}/sock", DOCKER_CONFIG => "$self->{dir}/client", DOCKER_BUILDKIT => 0,
		DOCKER_CONTEXT => undef, DOCKER_TLS_VERIFY => undef, DOCKER_CERT_PATH => undef, DOCKER_API_VERSION => undef,
	};
}

# run() for the docker client: a hash of status, out and err.
sub run_docker
{
	my $self = shift;
	my $o = ref $_[0] eq 'HASH' ? shift : {};

	return run({ %$o, env => { %{ $self->env }, %{ $o->{env} // {} } } }, $self->{client}, @_);
}

# -> (exit status, stdout and stderr)
sub docker
{
	my $r = shift->run_docker(@_);

	return ($r->{status}, $r->{out} . $r->{err});
}

# docker, and a test that it ended with 0; the title comes last. -> what it said
sub docker_ok
{
	my $title = pop;
	my $self = shift;
	my ($rc, $out) = $self->docker(@_);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($rc == 0, $title) or diag("docker @_: status $rc\n$out");
	return $out;
}

# The first line of what a command says on stdout, the command having succeeded.
sub value
{
	my $self = shift;
	my $r = $self->run_docker(@_);

	die "docker @_: status $r->{status}: $r->{out}$r->{err}" if $r->{status};
	return $r->{out} =~ /^([^\n]*)/ ? $1 : '';
}

# An image of one layer that has busybox and nothing else.
sub busybox_image
{
	my ($self, $name) = @_;
	my $ctx = "$self->{dir}/busybox";

	mkdir $ctx or die "$ctx: $!" unless -d $ctx;
	spew("$ctx/rootfs.tar", (tar_layer(busybox_files()))[1]);
	return $self->build($name // 'busybox:latest', qq(FROM scratch\nADD rootfs.tar /\nCMD ["sh"]\n), $ctx);
}

# docker build of a Dockerfile's text in a directory; containers get no network. -> image id
sub build
{
	my ($self, $name, $dockerfile, $ctx) = @_;

	spew("$ctx/Dockerfile", $dockerfile);
	my ($rc, $out) = $self->docker('build', '--network', 'none', '-t', $name, $ctx);
	die "docker build $name: status $rc: $out" if $rc;
	return $self->id($name);
}

# docker import of the tar that a shell command writes, with a Dockerfile's instruction.
sub import_pipe
{
	my ($self, $command, $name, $change) = @_;

	return run({ env => $self->env }, 'sh', '-c', '{ ' . $command . '; } | exec "$0" "$@"',
		$self->{client}, 'import', '-c', $change, '-', $name);
}

sub id
{
	my ($self, $name) = @_;

	return $self->value('image', 'inspect', '-f', '{{.Id}}', $name);
}

# Every image, with its layers, off the daemon.
sub remove_images
{
	my ($self) = @_;
	my (undef, $ids) = $self->docker('images', '-aq', '--no-trunc');
	my %seen;
	my @ids = grep { !$seen{$_}++ } split /\n/, $ids;

	$self->docker('rmi', '-f', @ids) if @ids;
	$self->docker('image', 'prune', '-af');
	return $self->value('images', '-aq') eq '';
}

sub stop
{
	my ($self) = @_;

	close(delete $self->{life}) if $self->{life};
	if (my $pid = delete $self->{pid}) {
		my $until = time + 40;
		my $late;

		while (waitpid($pid, WNOHANG) == 0) {
			if (!$late && time > $until) {
				diag('the docker daemon does not end');
				$late = kill 'KILL', _child($pid);    # unshare; what it started goes with it
			}
			sleep(0.02);
		}
		delete $daemon{$pid};
	}
	system('rm', '-rf', $self->{dir}) if -d $self->{dir};
	return;
}

sub _child
{
	my ($pid) = @_;

	for my $stat (glob('/proc/[0-9]*/stat')) {
		open(my $fh, '<', $stat) or next;
		my $line = <$fh> // next;
		return $1 if $line =~ /^(\d+) \(unshare\) \S+ \Q$pid\E /;
	}
	return ();
}

END {
	my $rc = $?;

	if ($$ == $owner) {
		$_->stop for values %daemon;
	}
	$? = $rc;
}

1;
