#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A power cut at every moment of every operation, and everything that it may leave on a disk: what was acknowledged is
# there (or, for a delete, gone), and nothing points to nothing.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(remove_tree);
use Time::HiRes qw(time);
use Berth::Test;
use Berth::Check;
use Berth::Recording;
use Berth::Replay;

plain_build_only('it traces system calls');
need_program('strace');

my $trace = tmp_dir() . '/trace';
my $s = Berth::Server->start(config => "delete = true;\n", workers => 1, wrap => [strace_to($trace)]);
my $r = Berth::Replay->new(root => $s->root, trace => $trace, keep => 120);

# Each scenario begins with a store that is empty but for what `$setup` puts there.
sub clean {
	my $root = $s->root;
	remove_tree(grep { !m{/_[^/]*\z} } glob("$root/docker/registry/v2/blobs/*/*"), glob("$root/docker/registry/v2/repositories/*"),
		glob("$root/berth/index/*"));
	unlink glob("$root/berth/index/_catalog/*");
	$s->req(GET => '/v2/_catalog');         # the catalog holds from here on
	return;
}

# The steps: each a request, what nginx spools of it, and what has to hold from its answer on.
sub step {
	my ($method, $path, $status, $claims, %o) = @_;
	return { body => $o{body}, claims => $claims, do => sub {
		my $a = $s->req($method, ref $path ? $path->() : $path, %o);
		die "$method: " . $a->as_string if $a->status != $status;
		$o{then}->($a) if $o{then};
	} };
}

my $loc;
sub begin { return step('POST', "/v2/$_[0]/blobs/uploads/", 202, {}, then => sub { $loc = path_of($_[0]->header('Location')) }) }
sub patch { return step('PATCH', sub { $loc }, 202, {}, body => $_[0]) }
sub finish { my ($repo, $d, %o) = @_; return step('PUT', sub { "$loc?digest=$d" }, 201, blob($repo, $d), %o) }
sub single { my ($repo, $bytes) = @_; my $d = sha256($bytes); return step('POST', "/v2/$repo/blobs/uploads/?digest=$d", 201, blob($repo, $d), body => $bytes) }
sub blob { return { "blob $_[0] $_[1]" => $_[1] } }
sub manifest { my ($repo, $d, @tags) = @_; return { "manifest $repo $d" => $d, map { ("tag $repo $_" => $d) } @tags } }
sub put {
	my ($repo, $ref, $bytes, $type, @tags) = @_;
	my $d = $ref =~ /:/ ? $ref =~ s/\?.*//r : sha256($bytes);
	return step('PUT', "/v2/$repo/manifests/$ref", 201, manifest($repo, $d, @tags ? @tags : $ref =~ /:/ ? () : $ref), body => $bytes, headers => ['Content-Type' => $type]);
}
sub gone { return map { ($_ => undef) } @_ }

# an image whose parts are in the repository
sub parts {
	my ($repo, @bytes) = @_;
	$s->push_blob($repo, $_) for @bytes;
	return image_of(OCI_MANIFEST, @bytes);
}
sub tagged {
	my ($repo, $bytes, $type, @refs) = @_;
	for my $ref (@refs) {
		my $a = $s->push_manifest($repo, $ref, $bytes, $type);
		die $a->as_string if $a->status != 201;
	}
	return sha256($bytes);
}
sub subject_of { my ($m, $subject) = @_; return $m =~ s/\}\z/',"subject":' . desc(OCI_MANIFEST, $subject) . '}'/er }

my $bytes = random_bytes(3000);
my $d = sha256($bytes);
my @half = (substr($bytes, 0, 1700), substr $bytes, 1700);

clean;
$r->scenario('a blob as docker pushes it', {}, [begin('new/app'), patch($bytes), finish('new/app', $d)]);
clean;
$r->scenario('POST and PUT with the body', {}, [begin('solo'), finish('solo', $d, body => $bytes)]);
clean;
$r->scenario('a single POST', {}, [single('deep/er/still', $bytes)]);
clean;
$r->scenario('chunks that are appended', {}, [begin('app'), patch($half[0]), patch($half[1]), finish('app', $d)]);
clean;
$r->scenario('chunks, the last one in the PUT', {}, [begin('app'), patch($half[0]), finish('app', $d, body => $half[1])]);
clean;
$s->push_blob('app', $bytes);
$r->scenario('a blob that is there already', blob('app', $d), [single('app', $bytes), begin('app'), patch($bytes), finish('app', $d)]);
clean;
$s->push_blob('other', $bytes);
$r->scenario('a blob that another repository has', blob('other', $d), [single('app', $bytes)]);
clean;
$s->push_blob('app', $bytes);
spew(blob_file($s, $d), substr $bytes, 0, 100);
$r->scenario('a blob over a short one', {}, [single('new', $bytes)]);
clean;
$s->push_blob('app', $bytes);
spew(blob_file($s, $d), 'x' x length $bytes);
$r->scenario('a blob over corrupt bytes', {}, [single('new', $bytes), begin('app'), patch($bytes), finish('app', $d)]);
clean;
$s->push_blob('app', $bytes);
spew(layer_link($s, 'app', $d), '');
$r->scenario('a blob over a link that says nothing', {}, [single('app', $bytes)]);
clean;
$s->push_blob('other', $bytes);
$r->scenario('a mount', blob('other', $d), [step('POST', "/v2/team/app/blobs/uploads/?mount=$d&from=other", 201, blob('team/app', $d))]);
clean;
my $d512 = sha512($bytes);
$r->scenario('a blob called by its sha512', {}, [step('POST', "/v2/app/blobs/uploads/?digest=$d512", 201, blob('app', $d512), body => $bytes)]);

my ($config, $layer) = ('{"os":"linux"}', random_bytes(800));
my $image = image_of(OCI_MANIFEST, $config, $layer);
my $md = sha256($image);
clean;
$r->scenario('an image to a new repository', {}, [single('team/app', $config), single('team/app', $layer), put('team/app', 'v1', $image, OCI_MANIFEST)]);
clean;
parts('app', $config, $layer);
$r->scenario('a manifest by its digest', {}, [put('app', $md, $image, OCI_MANIFEST)]);
clean;
parts('app', $config, $layer);
my $old = tagged('app', "$image\n", OCI_MANIFEST, 'v1');
$r->scenario('a new tag beside another', manifest('app', $old, 'v1'), [put('app', 'v2', $image, OCI_MANIFEST)]);
clean;
parts('app', $config, $layer);
tagged('app', "$image\n", OCI_MANIFEST, 'v1', 'v2');
$r->scenario('a tag that moves, and back', manifest('app', $old, 'v1', 'v2'), [put('app', 'v1', $image, OCI_MANIFEST), put('app', 'v1', "$image\n", OCI_MANIFEST)]);
clean;
parts('app', $config, $layer);
tagged('app', $image, OCI_MANIFEST, 'v1');
$r->scenario('a manifest that is there already', manifest('app', $md, 'v1'), [put('app', 'v1', $image, OCI_MANIFEST)]);
clean;
parts('app', $config, $layer);
tagged('app', $image, OCI_MANIFEST, 'v1');
spew(blob_file($s, $md), 'x' x length $image);
$r->scenario('a manifest over corrupt bytes', {}, [put('app', 'v1', $image, OCI_MANIFEST)]);
clean;
parts('app', $config, $layer);
$r->scenario('tags by parameter', {}, [put('app', "$md?tag=a&tag=b&tag=c", $image, OCI_MANIFEST, qw(a b c))]);
clean;
parts('app', $config, $layer);
tagged('app', $image, OCI_MANIFEST, 'v1');
my $sbom = subject_of(image_of(OCI_MANIFEST, $config), $image);
$r->scenario('a manifest with a subject', manifest('app', $md, 'v1'), [put('app', sha256($sbom), $sbom, OCI_MANIFEST)]);
clean;
parts('app', $config, $layer);
my $index = index_of(OCI_INDEX, map { desc(OCI_MANIFEST, $_) } $image, "$image\n");
$r->scenario('an index with its children', {}, [put('app', $md, $image, OCI_MANIFEST), put('app', $old, "$image\n", OCI_MANIFEST), put('app', 'multi', $index, OCI_INDEX)]);

clean;
parts('app', $config, $layer);
tagged('app', $image, OCI_MANIFEST, qw(v1 v2));
tagged('app', "$image\n", OCI_MANIFEST, 'v3');
$r->scenario('a tag goes, and comes again', { %{ manifest('app', $md, qw(v1 v2)) }, %{ manifest('app', $old, 'v3') } },
	[step('DELETE', '/v2/app/manifests/v1', 202, { gone('tag app v1') }), put('app', 'v1', "$image\n", OCI_MANIFEST)]);
clean;
parts('app', $config, $layer);
tagged('app', $image, OCI_MANIFEST, qw(v1 v2));
tagged('app', "$image\n", OCI_MANIFEST, 'v3');
$r->scenario('a manifest goes with its tags, and comes again', { %{ manifest('app', $md, qw(v1 v2)) }, %{ manifest('app', $old, 'v3') } },
	[step('DELETE', "/v2/app/manifests/$md", 202, { gone("manifest app $md", 'tag app v1', 'tag app v2') }), put('app', 'v1', $image, OCI_MANIFEST)]);
clean;
parts('app', $config, $layer);
tagged('app', $image, OCI_MANIFEST, 'v1');
my $sd = tagged('app', $sbom, OCI_MANIFEST, sha256($sbom), 'sbom');
$r->scenario('a referrer goes', { %{ manifest('app', $md, 'v1') }, %{ manifest('app', $sd, 'sbom') } },
	[step('DELETE', "/v2/app/manifests/$sd", 202, { gone("manifest app $sd", 'tag app sbom') })]);
clean;
$s->push_blob('app', $_) for $bytes, 'another';
$s->push_blob('other', $bytes);
$r->scenario('a blob goes, and comes again', { %{ blob('app', $d) }, %{ blob('other', $d) } },
	[step('DELETE', "/v2/app/blobs/$d", 202, { gone("blob app $d") }), single('app', $bytes)]);

# Who was there before, and died before a flush: no answer rests on what was only seen. Another worker goes on, since each
# remembers what it has flushed itself.
sub dies {
	my ($pattern, $step) = @_;
	my %dies = (%$step, dies => $pattern);
	$dies{do} = sub {
		$step->{do}->();
		settled($trace);
		$dies{until} = time;
		$s->replace_workers or die "no other workers came\n";
	};
	return \%dies;
}

clean;
$r->scenario('a blob whose link somebody did not flush', {}, [dies(qr{ .*/_layers/}, single('new/app', $bytes)), single('new/app', $bytes)]);
clean;
$r->scenario('a blob whose content somebody did not flush', {}, [dies(qr{ .*/blobs/}, single('other', $bytes)), single('app', $bytes)]);
clean;
$r->scenario('a mount of what somebody did not flush', {}, [dies(qr{ .*/_layers/}, single('other', $bytes)), step('POST', "/v2/app/blobs/uploads/?mount=$d&from=other", 201, blob('app', $d))]);
clean;
$r->scenario('a repository whose entry in the catalog somebody did not flush', {}, [dies(qr{ .*/_catalog/}, single('app', 'x')), single('app', $bytes)]);
clean;
parts('app', $config);
$r->scenario('a manifest whose layer somebody did not flush', {}, [dies(qr{ .*/_layers/}, single('app', $layer)), put('app', $md, $image, OCI_MANIFEST)]);
clean;
parts('app', $config, $layer);
$r->scenario('an index whose child somebody did not flush', {}, [dies(qr{ .*/revisions/}, put('app', $md, $image, OCI_MANIFEST)),
	put('app', 'multi', index_of(OCI_INDEX, desc(OCI_MANIFEST, $image)), OCI_INDEX)]);
clean;
parts('app', $config, $layer);
$r->scenario('a tag of a manifest that somebody did not flush', {}, [dies(qr{ .*/revisions/}, put('app', $md, $image, OCI_MANIFEST)), put('app', 'v1', $image, OCI_MANIFEST)]);
clean;
parts('app', $config, $layer);
tagged('app', "$image\n", OCI_MANIFEST, 'v0');
$r->scenario('a tag that somebody did not flush', {}, [dies(qr{ .*/tags/v1$}, put('app', 'v1', $image, OCI_MANIFEST)), put('app', 'v1', $image, OCI_MANIFEST)]);
clean;
parts('app', $config, $layer);
tagged('app', $image, OCI_MANIFEST, 'v1');
$r->scenario('a moved tag that somebody did not flush', {}, [dies(qr{ .*/tags/v1/current/link$}, put('app', 'v1', "$image\n", OCI_MANIFEST)), put('app', 'v1', "$image\n", OCI_MANIFEST)]);
clean;
parts('app', $config, $layer);
tagged('app', $image, OCI_MANIFEST, 'v1');
$r->scenario('a manifest whose tag somebody took without a flush', {}, [dies(qr{/tags/v1 }, step('DELETE', '/v2/app/manifests/v1', 202, {})),
	step('DELETE', "/v2/app/manifests/$md", 202, { gone("manifest app $md", 'tag app v1') })]);

$s->stop_workers;
all_ok($r, needless => [
	'berth/index',                                  # an index that is lost as a whole is made again
	# what is flushed again although berth has it flushed: for links and content that others left, or a repair put there
	(map { "docker/registry/v2/$_" } 'blobs/ALG/TWO/HEX/data', map { "repositories/NAME/_manifests/$_" } 'revisions/ALG/HEX', 'tags/TAG'),
]);
my ($all) = grep { $r->{at_start}[$_]{name} eq 'syncfs' } 0 .. $#{ $r->{at_start} };
my ($epoch) = grep { ($r->{at_start}[$_]{paths}[1] // '') eq 'berth/index/_epoch' } 0 .. $#{ $r->{at_start} };
ok defined $all && defined $epoch && $all < $epoch, 'the first to serve flushes all that others left, before a new epoch begins';
done_testing;
