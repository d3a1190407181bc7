# SPDX-License-Identifier: Apache-2.0
#
# Berth::Client - what the tests with real clients share: running a program, skopeo, podman and
# containerd kept away from the machine's own state, Debian's docker-registry beside berth,
# and images made from nothing.
#
#   my $r = run(skopeo('inspect', $ref));         # run() and run_ok() are Berth::Test's
#   run_ok(podman('push', $ref), 'podman pushes');

package Berth::Client;

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Exporter qw(import);
use File::Basename qw(basename);
use File::Path qw(make_path);
use IO::Compress::Gzip qw(gzip);
use IO::Socket::INET ();
use JSON::PP ();
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

use Berth::Test;

our @EXPORT = qw(
	cannot_run json skopeo podman podman_run podman_works ctr other_registry
	tar_header tar_files tar_layer busybox_files oci_layout blob_files
);

my $JSON = JSON::PP->new->utf8->canonical;
my $owner = $$;
my %daemon;

# Says why nothing of this file can be tried: a failure in CI, a skip elsewhere. Only
# before the first test.
sub cannot_run
{
	my ($why) = @_;

	if ($ENV{CI}) {
		Test::More::fail($why);
		Test::More::done_testing();
		exit 1;
	}
	Test::More::plan(skip_all => $why);
}

# Perl to canonical JSON, and JSON text to Perl.
sub json
{
	my ($x) = @_;

	return ref $x ? $JSON->encode($x) : $JSON->decode($x);
}

# --- skopeo and podman --------------------------------------------------------------

my $home;

# run()'s arguments for skopeo. As root it would keep a cache in /var/lib/containers;
# taken for a user it keeps it in its home, which is ours.
sub skopeo
{
	my $o = ref $_[0] eq 'HASH' ? shift : {};

	$home //= tmp_dir();
	return ({
			%$o,
			env => {
				HOME => $home, XDG_DATA_HOME => "$home/data", XDG_RUNTIME_DIR => "$home/run",
				XDG_CONFIG_HOME => "$home/config", REGISTRY_AUTH_FILE => "$home/auth.json",
				_CONTAINERS_ROOTLESS_UID => 65534, TMPDIR => $home, %{ $o->{env} // {} },
			},
		}, 'skopeo', '--insecure-policy', '--tmpdir', $home, @_);
}

my $podroot;

# run()'s arguments for podman, as root: its storage in a directory of the test, and namespaces
# of its own in which the places that no option moves are empty, and with which all of it ends.
sub podman
{
	my $o = ref $_[0] eq 'HASH' ? shift : {};

	if (!$podroot) {
		$podroot = tmp_dir();
		make_path(map { "$podroot/$_" } qw(home run shm lib tmp net));
		spew("$podroot/containers.conf", qq([engine]\nevents_logger = "none"\nruntime = "runc"\n));
		spew("$podroot/storage.conf",
			qq([storage]\ndriver = "vfs"\ngraphroot = "$podroot/root"\nrunroot = "$podroot/runroot"\n));
		spew("$podroot/registries.conf", '');
	}
	my $enter = 'mount -n --bind "$0/run" /run && mount -n --bind "$0/shm" /dev/shm'
		. ' && mount -n --bind "$0/lib" /var/lib && exec podman "$@"';
	return ({
			%$o,
			env => {
				HOME => "$podroot/home", TMPDIR => "$podroot/tmp", XDG_RUNTIME_DIR => undef,
				CONTAINERS_CONF => "$podroot/containers.conf", CONTAINERS_STORAGE_CONF => "$podroot/storage.conf",
				CONTAINERS_REGISTRIES_CONF => "$podroot/registries.conf", %{ $o->{env} // {} },
			},
		}, 'unshare', '--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc',
		'sh', '-c', $enter, $podroot,
		'--root', "$podroot/root", '--runroot', "$podroot/runroot", '--tmpdir', "$podroot/libpod",
		'--network-config-dir', "$podroot/net", '--storage-driver', 'vfs', '--cgroup-manager', 'cgroupfs', @_);
}

# run()'s arguments for a container without network.
sub podman_run
{
	podman('info') if !$podroot;
	return podman('run', '--rm', '--network', 'none', '--cgroups', 'no-conmon',
		'--cgroup-parent', '/' . basename($podroot), @_);
}

# Can podman do anything here? It is said what it says where it can't.
sub podman_works
{
	return 0 if $> != 0 && diag('it takes root');
	my $r = run(podman('info'));

	diag($r->{err}) if $r->{status};
	return $r->{status} == 0;
}

# --- containerd ----------------------------------------------------------------------

my $containerd;

# run()'s arguments for ctr. The first one starts a containerd that runs no containers and keeps everything in a directory of the
# test; it ends with the test.
sub ctr
{
	$containerd //= _start_containerd();
	return ('ctr', '--address', "$containerd/sock", @_);
}

sub _start_containerd
{
	my $dir = tmp_dir();

	make_path("$dir/opt");
	spew("$dir/config.toml", <<"EOT");
version = 2
root = "$dir/root"
state = "$dir/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "$dir/sock"
[ttrpc]
address = "$dir/sock.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
path = "$dir/opt"
EOT
	my $pid = fork() // die "fork: $!";
	if (!$pid) {
		open(STDOUT, '>', "$dir/log");
		open(STDERR, '>&', \*STDOUT);
		delete @ENV{ grep { /^CONTAINERD_/ } keys %ENV };
		exec('containerd', '--config', "$dir/config.toml", '--log-level', 'warn') or POSIX::_exit(127);
	}
	$daemon{$pid} = 1;
	return $dir if wait_for { run('ctr', '--address', "$dir/sock", 'version')->{status} == 0 };
	die "containerd does not start:\n" . slurp("$dir/log");
}

# --- Debian's docker-registry ---------------------------------------------------------

# Starts registry:2 on a free port; returns its HOST:PORT. It ends with the test. With root => DIR it serves that store.
sub other_registry
{
	my (%o) = @_;
	my $dir = tmp_dir();
	my $root = $o{root} // "$dir/data";

	for (1 .. 5) {
		my $addr = '127.0.0.1:' . Berth::Server::free_port();
		spew("$dir/config.yml", <<"EOT");
version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage:
  filesystem: { rootdirectory: $root }
  delete: { enabled: true }
http: { addr: "$addr" }
EOT
		my $pid = fork() // die "fork: $!";
		if (!$pid) {
			open(STDOUT, '>', "$dir/log");
			open(STDERR, '>&', \*STDOUT);
			delete @ENV{ grep { /^REGISTRY_/ } keys %ENV };
			exec('docker-registry', 'serve', "$dir/config.yml") or POSIX::_exit(127);
		}
		$daemon{$pid} = 1;
		return $addr if wait_for { IO::Socket::INET->new(PeerAddr => $addr) };
		_end($pid);
	}
	die "docker-registry does not start";
}

# --- images from nothing ---------------------------------------------------------------

# The header of a file, or of a symbolic link, in a tar.
sub tar_header
{
	my ($name, $size, $link) = @_;
	my $h = pack('a100 a8 a8 a8 a12 a12 A8 a1 a100 a6 a2 a32 a32 a8 a8 a155 x12', $name, '0000755', '0000000',
		'0000000', sprintf('%011o', $size), sprintf('%011o', 1505000000), '', defined $link ? '2' : '0', $link // '',
		'ustar', '00', 'root', 'root', '0000000', '0000000', '');

	substr($h, 148, 8) = sprintf("%06o\0 ", unpack('%32C*', $h));
	return $h;
}

# These files in a tar without its end: name => bytes, or name => \target for a symbolic link.
sub tar_files
{
	my (%file) = @_;

	return join '', map {
		my $x = $file{$_};
		ref $x ? tar_header($_, 0, $$x) : tar_header($_, length $x) . $x . "\0" x (-length($x) % 512);
	} sort keys %file;
}

# A layer of these files: (gzipped, plain).
sub tar_layer
{
	my $tar = tar_files(@_) . "\0" x 1024;

	gzip(\$tar, \my $gz, -Minimal => 1) or die 'gzip';
	return ($gz, $tar);
}

# What our busybox image consists of: Debian's static busybox, with links for the commands that tests use.
sub busybox_files
{
	return ('bin/busybox' => slurp(have_program('busybox')),
		map { ("bin/$_" => \'busybox') } qw(sh cat echo ls sha256sum sleep true));
}

sub _blob
{
	my ($dir, $type, $bytes) = @_;
	my $hex = sha256_hex($bytes);

	spew("$dir/blobs/sha256/$hex", $bytes);
	return { mediaType => $type, digest => "sha256:$hex", size => length $bytes };
}

# Writes an OCI layout into $dir (made if need be) and returns what it wrote:
#   oci_layout($dir, $tag, { arch => 'amd64', files => { 'hello' => "x\n" } }, ...)
# One image: the tag names it. Several: the tag names an index of them. A list of such files makes as many layers.
# Returns { digest, bytes, images => [{ digest, bytes, layer, config }] }.
sub oci_layout
{
	my ($dir, $tag, @image) = @_;
	my (@img, @desc);
	my $oci = 'application/vnd.oci.image';

	make_path("$dir/blobs/sha256");
	for my $i (@image) {
		my $arch = $i->{arch} // 'amd64';
		my (@layer, @diff_id);
		for my $files (ref $i->{files} eq 'ARRAY' ? @{ $i->{files} } : $i->{files}) {
			my ($gz, $tar) = tar_layer(%$files);
			push @layer, _blob($dir, "$oci.layer.v1.tar+gzip", $gz);
			push @diff_id, 'sha256:' . sha256_hex($tar);
		}
		my $config = _blob($dir, "$oci.config.v1+json", json({
			architecture => $arch, os => 'linux', config => { Cmd => ['/bin/sh'] },
			rootfs => { type => 'layers', diff_ids => \@diff_id },
			history => [map { { created => '2017-09-10T00:00:00Z', created_by => 'berth' } } @layer],
		}));
		my $bytes = json({
			schemaVersion => 2, mediaType => "$oci.manifest.v1+json", config => $config, layers => \@layer,
		});
		my $d = _blob($dir, "$oci.manifest.v1+json", $bytes);
		push @img, { digest => $d->{digest}, bytes => $bytes, layer => $layer[0]{digest}, config => $config->{digest} };
		push @desc, { %$d, platform => { architecture => $arch, os => 'linux' } };
	}
	my ($top, $bytes) = ($desc[0], $img[0]{bytes});
	if (@image > 1) {
		$bytes = json({ schemaVersion => 2, mediaType => "$oci.index.v1+json", manifests => \@desc });
		$top = _blob($dir, "$oci.index.v1+json", $bytes);
	}
	my $index = -e "$dir/index.json" ? json(slurp("$dir/index.json")) : { schemaVersion => 2, manifests => [] };
	push @{ $index->{manifests} }, { %$top, annotations => { 'org.opencontainers.image.ref.name' => $tag } };
	spew("$dir/index.json", json($index));
	spew("$dir/oci-layout", '{"imageLayoutVersion":"1.0.0"}');
	return { digest => $top->{digest}, bytes => $bytes, images => \@img };
}

# The blobs of an OCI layout: { file name => digest of its bytes }, which ought to be equal.
sub blob_files
{
	my ($dir) = @_;

	return { map { (m{([^/]+)$})[0] => sha256_hex(slurp($_)) } glob("$dir/blobs/sha256/*") };
}

sub _end
{
	my ($pid) = @_;

	kill 'TERM', $pid;
	kill 'KILL', $pid unless wait_for { waitpid($pid, WNOHANG) != 0 };
	waitpid($pid, 0);
	delete $daemon{$pid};
	return;
}

END {
	my $rc = $?;

	if ($$ == $owner) {
		_end($_) for keys %daemon;
		if ($podroot) {
			my $name = basename($podroot);
			system('sh', '-c', 'find /sys/fs/cgroup -depth -type d -path "*/$0*" -exec rmdir {} + 2>/dev/null', $name);
		}
	}
	$? = $rc;
}

1;
