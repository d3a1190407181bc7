# SPDX-License-Identifier: Apache-2.0
#
# Berth::GC: what the tests of the collector share: running it, a store written straight to disk, and the sets of
# content and links that lie in one.
package Berth::GC;

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Exporter qw(import);
use File::Find ();
use File::Path qw(make_path);
use File::Temp ();
use JSON::PP ();
use POSIX ();

use Berth::Test;
use Berth::Check;

our @EXPORT = qw(
	gc gc_cmd gc_ok gc_told gc_total bare_store make_old blobs_on_disk links_on_disk missing_of lay_image lay_store key_of
	collect_with_docker_registry quick_dir stopped_gc let_go
);

# quick_dir - a directory in memory where there is room in it (so many MiB, so many files), else on disk: for tests that make thousands of files
sub quick_dir
{
	my ($mib, $files) = @_;
	my $r = run('df', '-k', '--output=avail,iavail', '/dev/shm');
	my ($free, $names) = $r->{out} =~ /(\d+)\s+(\d+)\s*\z/;

	return tmp_dir() if $r->{status} || ($free // 0) < ($mib // 200) << 10 || ($names // 0) < ($files // 20_000) || !-w '/dev/shm';
	return File::Temp::tempdir('berth-t.XXXXXX', DIR => '/dev/shm', CLEANUP => 1);
}

# bare_store - a store without a server: an object with a root, as the functions of Berth::Check want one
sub bare_store
{
	my ($root) = @_;

	$root //= tmp_dir() . '/store';
	make_path(map { "$root/$_" } qw(berth/body berth/tmp berth/trash berth/gc berth/index/_catalog berth/locks/repository
		docker/registry/v2/blobs/sha256 docker/registry/v2/blobs/sha512 docker/registry/v2/repositories));
	spew("$root/berth/format", "1\n");
	return bless { root => $root }, __PACKAGE__;
}

sub root { return $_[0]{root} }

# gc_cmd - the words that collect in a store
sub gc_cmd
{
	my ($s, @o) = @_;

	return (program('berth'), $s->can('config_file') ? ('--config', $s->config_file) : (), '--root', $s->root, 'gc', @o);
}

sub gc { return run(gc_cmd(@_)) }

# stopped_gc - a collection that stands still each time it has opened this path, for the first time when this returns. Nothing happens to it until
# let_go(it, code): the code runs each time it stands still, then it goes on, to its end. Returns its wait status.
sub stopped_gc
{
	my ($s, $path, @o) = @_;
	my $it = { trace => tmp_dir() . '/trace', stops => 0 };

	$it->{pid} = fork // die "fork: $!";
	if (!$it->{pid}) {
		setpgrp 0, 0;           # what is stopped goes on when this test ends, however
		open STDOUT, '>', '/dev/null';
		open STDERR, '>', "$it->{trace}.said";
		exec 'strace', '-f', '-o', $it->{trace}, '-e', 'trace=openat', '-P', $path, '-e', 'inject=openat:signal=STOP', gc_cmd($s, @o) or POSIX::_exit(127);
	}
	wait_for { stops_of($it) } or die "the collection does not open $path\n";
	return $it;
}

sub stops_of { my ($it) = @_; return -e $it->{trace} ? scalar(() = slurp($it->{trace}) =~ /stopped by SIGSTOP/g) : 0 }

sub let_go
{
	my ($it, $code) = @_;
	my $n;

	while (1) {
		wait_for { waitpid($it->{pid}, POSIX::WNOHANG()) == $it->{pid} || ($n = stops_of($it)) > $it->{stops} } or die "the collection does not end\n";
		return $? if !$n || $n == $it->{stops};
		$code->() if $code;
		$it->{stops} = $n;
		kill CONT => -$it->{pid};
	}
}

sub gc_ok
{
	my $title = pop;
	my $r = gc(@_);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($r->{status} == 0 && $r->{err} eq '', $title) or diag("status $r->{status}\n$r->{out}$r->{err}");
	return $r;
}

# gc_told - the objects that `--json` printed, but for the last one; gc_total - that last one, the sum
sub gc_told
{
	my @all = map { JSON::PP->new->utf8->decode($_) } split /\n/, $_[0]{out};

	return grep { $_->{kind} ne 'summary' } @all;
}

sub gc_total
{
	my ($last) = reverse split /\n/, $_[0]{out};

	return JSON::PP->new->utf8->decode($last // '{}');
}

# one thing that was told, as text to compare
sub key_of { my ($t) = @_; return join ' ', grep { defined } @$t{qw(kind repository what)} }

# make_old - everything below docker/ (or below the named paths of the root) is that many seconds old
sub make_old
{
	my ($s, $seconds, @below) = @_;
	my $then = time - $seconds;

	@below = ('docker') if !@below;
	File::Find::find({ no_chdir => 1, wanted => sub { utime $then, $then, $_ } }, map { $s->root . "/$_" } @below);
	return;
}

# What lies in the store: digests of content; and links as "repository digest".
sub blobs_on_disk
{
	my ($s) = @_;
	my @d = map { m{^(\w+)/../(\w+)/data\z} ? "$1:$2" : () } files_below(data_dir($s) . '/blobs');

	return [sort @d];
}

sub links_on_disk
{
	my ($s) = @_;
	my @l = map { m{^(.*)/_layers/(\w+)/(\w+)/link\z} ? "$1 $2:$3" : () } files_below(data_dir($s) . '/repositories');

	return [sort @l];
}

# missing_of - what of these images is not there in full, '' if nothing:
# { repository, digest, bytes, tags => [...], parts => { digest => bytes } }
sub missing_of
{
	my ($s, @images) = @_;
	my @bad;

	for my $i (@images) {
		my ($repo, $d) = @$i{qw(repository digest)};
		push @bad, "the link of $d" if (content_of(revision_link($s, $repo, $d)) // '') ne $d;
		push @bad, "manifest $d" if (content_of(blob_file($s, $d)) // '') ne $i->{bytes};
		for my $t (@{ $i->{tags} // [] }) {
			push @bad, "tag $t" if (content_of(tag_link($s, $repo, $t)) // '') ne $d;
		}
		for my $p (sort keys %{ $i->{parts} // {} }) {
			push @bad, "$repo: the link of $p" if (content_of(layer_link($s, $repo, $p)) // '') ne $p;
			push @bad, "the bytes of $p" if (content_of(blob_file($s, $p)) // '') ne $i->{parts}{$p};
		}
	}
	return join ', ', @bad;
}

# lay_image - an image straight to disk: what missing_of() wants to know of it
sub lay_image
{
	my ($s, $repo, $tag, $config, @layers) = @_;
	my $m = image_of(OCI_MANIFEST, $config, @layers);

	lay_blob($s, $repo, $_) for $config, @layers;
	return { repository => $repo, digest => lay_manifest($s, $repo, $m, $tag // ()), bytes => $m, tags => [$tag // ()],
		parts => { map { sha256($_) => $_ } $config, @layers } };
}

# lay_store - many images straight to disk, quickly: options
#   repositories, images (all in all), layers (an image's own), garbage (one image in so many has lost its manifest's
#   link: its content is garbage)
# Half of the images also name a layer that all of their repository share. Returns { images => [[repository, digest, [parts]]...],
# dead => { digest => 1 }, deadlinks => {...}, blobs, links }.
sub lay_store
{
	my ($s, %o) = @_;
	my ($blobs, $repos) = (data_dir($s) . '/blobs/sha256', data_dir($s) . '/repositories');
	my $out = { images => [], dead => {}, deadlinks => {}, blobs => 0, links => 0 };
	my (%made, %live);
	my $file = sub {
		my ($dir, $name, $bytes) = @_;
		if (!mkdir $dir) {
			(my $above = $dir) =~ s{/[^/]*\z}{};
			make_path($above);
			mkdir $dir or $!{EEXIST} or die "$dir: $!";
		}
		open my $h, '>:raw', "$dir/$name" or die "$dir/$name: $!";
		print {$h} $bytes;
		close $h or die "$dir/$name: $!";
	};
	my $blob = sub {
		my ($bytes) = @_;
		my $hex = sha256_hex($bytes);
		return $hex if $made{$hex}++;
		$file->("$blobs/" . substr($hex, 0, 2) . "/$hex", 'data', $bytes);
		$out->{blobs}++;
		return $hex;
	};
	my $link = sub {
		my ($repo, $hex) = @_;
		return if $made{"$repo $hex"}++;
		$file->("$repos/$repo/_layers/sha256/$hex", 'link', "sha256:$hex");
		$out->{links}++;
	};

	for my $n (0 .. $o{images} - 1) {
		my $repo = sprintf 'team%d/app%d', $n % $o{repositories} % 7, $n % $o{repositories};
		my $dead = $o{garbage} && $n % $o{garbage} == $o{garbage} - 1;
		my @bytes = ("{\"os\":\"linux\",\"n\":$n}", map { "layer $_ of image $n" . "\n" x 64 } 1 .. $o{layers});
		push @bytes, "shared by $repo" if $n % 2;
		my $m = image_of(OCI_MANIFEST, @bytes);
		my @parts = map { my $h = $blob->($_); $link->($repo, $h); $h } @bytes;
		my $mhex = $blob->($m);
		make_path("$repos/$repo/_manifests/tags") if !$made{"dir $repo"}++;
		if ($dead) {
			my @own = @parts[0 .. $o{layers}];
			$out->{dead}{"sha256:$_"} = 1 for @own, $mhex;
			$out->{deadlinks}{"$repo sha256:$_"} = 1 for @parts;
			next;
		}
		$live{$repo} = $parts[-1] if $n % 2;
		$file->("$repos/$repo/_manifests/revisions/sha256/$mhex", 'link', "sha256:$mhex");
		$file->("$repos/$repo/_manifests/tags/v$n/index/sha256/$mhex", 'link', "sha256:$mhex");
		$file->("$repos/$repo/_manifests/tags/v$n/current", 'link', "sha256:$mhex");
		push @{ $out->{images} }, [$repo, "sha256:$mhex", [map { "sha256:$_" } @parts], "v$n"];
	}
	# a shared layer is needed as long as one image that has it lives
	delete $out->{deadlinks}{"$_ sha256:$live{$_}"} for keys %live;
	my %needed = map { $_ => 1 } map { @{ $_->[2] } } @{ $out->{images} };
	/ (.*)/ && !$needed{$1} and $out->{dead}{$1} = 1 for keys %{ $out->{deadlinks} };
	return $out;
}

# collect_with_docker_registry - Debian's own collector over a store; what run() gives. Options come before the file.
sub collect_with_docker_registry
{
	my ($root, @o) = @_;
	my $config = tmp_dir() . '/config.yml';

	spew($config, "version: 0.1\nlog: { level: error }\nstorage:\n  filesystem: { rootdirectory: $root }\n"
		. "  delete: { enabled: true }\nhttp: { addr: '127.0.0.1:0' }\n");
	return run({ timeout => 3000, env => { map { $_ => undef } grep { /^REGISTRY_/ } keys %ENV } }, 'docker-registry', 'garbage-collect',
		@o, $config);
}

1;
