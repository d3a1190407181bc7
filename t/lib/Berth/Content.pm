# SPDX-License-Identifier: Apache-2.0
#
# Berth::Content: what a store ought to hold. It is told with each push, delete and move, made through the API of whoever
# serves the store then (a Berth::Server or a Berth::Other, "side" below), and compares with what a side serves.
#
#   my $c = Berth::Content->new;
#   my $image = $c->image($side, 'team/app', 'v1', layers => ['bytes']);
#   is $c->faults($other_side), '', 'the other side serves it';
package Berth::Content;

use strict;
use warnings;

use JSON::PP ();

use Berth::Test;
use Berth::Check;
use Berth::Client ();

my $ACCEPT = join ', ', OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST;
my $JSON = JSON::PP->new->utf8->canonical;
my $serial = 0;

# `berth gc` over a store, served or not: run()'s result.
sub berth_gc
{
	my ($root, @options) = @_;
	my $config = spew(tmp_dir() . '/berth.conf', '');

	return run(program('berth'), '--config', $config, '--root', $root, 'gc', @options);
}

sub new { my ($class) = @_; return bless { repo => {}, bytes => {} }, $class }

# A name's part: { tags => { tag => digest }, manifests => { digest => type }, blobs => { digest => 1 } }.
sub repo { my ($self, $name) = @_; return $self->{repo}{$name} //= { tags => {}, manifests => {}, blobs => {} } }
sub bytes { my ($self, $digest) = @_; return $self->{bytes}{$digest} }
sub names { my ($self) = @_; return sort keys %{ $self->{repo} } }

sub expect
{
	my ($r, @status) = @_;
	my ($file, $line) = (caller 1)[1, 2];

	die "status @{[ $r->status ]}, not @status, at $file line $line: " . $r->as_string if !grep { $_ == $r->status } @status;
	return $r;
}

sub get { my ($side, $path, @headers) = @_; return $side->req(GET => $path, headers => [Accept => $ACCEPT, @headers]) }
sub with_digest { my ($location, $digest) = @_; $location = path_of($location); return $location . ($location =~ /\?/ ? '&' : '?') . "digest=$digest" }
sub digest_as { my ($alg, $bytes) = @_; return ($alg // 'sha256') eq 'sha512' ? sha512($bytes) : sha256($bytes) }

# --- changes: each through a side, and into the model

sub note_blob
{
	my ($self, $repo, $digest, $bytes) = @_;

	$self->repo($repo)->{blobs}{$digest} = 1;
	$self->{bytes}{$digest} = $bytes;
	return $digest;
}

sub note_manifest
{
	my ($self, $repo, $digest, $type, $bytes, @tags) = @_;

	$self->repo($repo)->{manifests}{$digest} = $type;
	$self->repo($repo)->{tags}{$_} = $digest for @tags;
	$self->{bytes}{$digest} = $bytes;
	return $digest;
}

# POST and PUT. Options: alg => 'sha512'.
sub blob
{
	my ($self, $side, $repo, $bytes, %o) = @_;
	my $digest = digest_as($o{alg}, $bytes);
	my $post = expect($side->req(POST => "/v2/$repo/blobs/uploads/", headers => ['Content-Length' => 0]), 202);

	expect($side->req(PUT => with_digest($post->header('Location'), $digest), body => $bytes,
		headers => ['Content-Type' => 'application/octet-stream']), 201);
	return $self->note_blob($repo, $digest, $bytes);
}

sub mount
{
	my ($self, $side, $repo, $from, $digest) = @_;

	expect($side->req(POST => "/v2/$repo/blobs/uploads/?mount=$digest&from=$from", headers => ['Content-Length' => 0]), 201);
	return $self->note_blob($repo, $digest, $self->{bytes}{$digest});
}

# An upload that is begun and gets these bytes, no more: its uuid. Into the model comes what finish() makes of it.
sub begin
{
	my ($self, $side, $repo, $bytes) = @_;
	my $post = expect($side->req(POST => "/v2/$repo/blobs/uploads/", headers => ['Content-Length' => 0]), 202);
	my ($uuid) = path_of($post->header('Location')) =~ m{/blobs/uploads/([0-9a-f-]+)} or die 'no uuid: ' . $post->as_string;

	expect($side->req(PATCH => path_of($post->header('Location')), body => $bytes,
		headers => ['Content-Type' => 'application/octet-stream']), 202) if length $bytes;
	return $uuid;
}

# Where a side expects more of an upload that has so many bytes.
sub location_of
{
	my ($side, $repo, $uuid, $size) = @_;

	return $side->can('upload_location') ? $side->upload_location($repo, $uuid, $size) : "/v2/$repo/blobs/uploads/$uuid";
}

# The rest of an upload, in a PATCH and the PUT: its answer. $had is what it had.
sub finish
{
	my ($self, $side, $repo, $uuid, $had, $more, %o) = @_;
	my $all = $had . $more;
	my $digest = digest_as($o{alg}, $all);

	if (length $more) {
		my $r = $side->req(PATCH => location_of($side, $repo, $uuid, length $had), body => $more,
			headers => ['Content-Type' => 'application/octet-stream']);
		return $r if $r->status != 202;
	}
	my $r = $side->req(PUT => with_digest(location_of($side, $repo, $uuid, length $all), $digest),
		headers => ['Content-Length' => 0]);
	$self->note_blob($repo, $digest, $all) if $r->status == 201;
	return $r;
}

# Push a manifest under a tag, or under its digest without one. Options: alg => 'sha512'.
sub manifest
{
	my ($self, $side, $repo, $tag, $type, $bytes, %o) = @_;
	my $digest = digest_as($o{alg}, $bytes);

	expect($side->req(PUT => "/v2/$repo/manifests/" . ($tag // $digest), body => $bytes,
		headers => ['Content-Type' => $type]), 201);
	return $self->note_manifest($repo, $digest, $type, $bytes, defined $tag ? $tag : ());
}

sub descriptor
{
	my ($self, $type, $digest) = @_;

	return { mediaType => $type, digest => $digest, size => length($self->{bytes}{$digest} // 'x') };
}

# Push an image with all its blobs: its digest. Options: type => DOCKER_MANIFEST, layers => [bytes], config => bytes,
# subject => digest, artifactType, annotations, bare => 1 (without mediaType), alg of its layers.
sub image
{
	my ($self, $side, $repo, $tag, %o) = @_;
	my $type = $o{type} // OCI_MANIFEST;
	my $docker = $type eq DOCKER_MANIFEST;
	my $config = $o{config} // sprintf '{"architecture":"amd64","os":"linux","serial":%d}', ++$serial;
	my @layers = @{ $o{layers} // ['layer ' . ++$serial . "\n" . random_bytes(2000)] };
	my %m = (
		schemaVersion => 2, $o{bare} ? () : (mediaType => $type),
		config => $self->descriptor($docker ? 'application/vnd.docker.container.image.v1+json' : OCI_CONFIG,
			$self->blob($side, $repo, $config)),
		layers => [map { $self->descriptor($docker ? 'application/vnd.docker.image.rootfs.diff.tar.gzip' : OCI_LAYER,
			$self->blob($side, $repo, $_, alg => $o{alg})) } @layers],
	);
	$m{subject} = $self->descriptor(OCI_MANIFEST, $o{subject}) if $o{subject};
	$m{$_} = $o{$_} for grep { $o{$_} } qw(artifactType annotations);
	return $self->manifest($side, $repo, $tag, $type, $JSON->encode(\%m));
}

# Push an index, or a Docker list, of manifests that are there: its digest.
sub index
{
	my ($self, $side, $repo, $tag, $type, @children) = @_;
	my @arch = qw(amd64 arm64 riscv64 s390x);
	my $i = 0;
	my %m = (
		schemaVersion => 2, mediaType => $type,
		manifests => [map { { %{ $self->descriptor($self->repo($repo)->{manifests}{$_}, $_) },
			platform => { architecture => $arch[$i++ % @arch], os => 'linux' } } } @children],
	);

	return $self->manifest($side, $repo, $tag, $type, $JSON->encode(\%m));
}

# Let a tag point to a manifest that is there.
sub retag
{
	my ($self, $side, $repo, $tag, $digest) = @_;

	return $self->manifest($side, $repo, $tag, $self->repo($repo)->{manifests}{$digest}, $self->{bytes}{$digest});
}

sub delete_manifest
{
	my ($self, $side, $repo, $digest) = @_;

	expect($side->req(DELETE => "/v2/$repo/manifests/$digest"), 202);
	$self->forget_manifest($repo, $digest);
	return;
}

# It is gone, with its tags, by whomever.
sub forget_manifest
{
	my ($self, $repo, $digest) = @_;
	my $in = $self->repo($repo);

	delete $in->{manifests}{$digest};
	$in->{gone}{$digest} = 1;
	for my $tag (grep { $in->{tags}{$_} eq $digest } keys %{ $in->{tags} }) {
		delete $in->{tags}{$tag};
		$in->{gone_tags}{$tag} = 1;
	}
	return;
}

sub delete_tag
{
	my ($self, $side, $repo, $tag) = @_;

	expect($side->req(DELETE => "/v2/$repo/manifests/$tag"), 202);
	delete $self->repo($repo)->{tags}{$tag};
	$self->repo($repo)->{gone_tags}{$tag} = 1;
	return;
}

sub delete_blob
{
	my ($self, $side, $repo, $digest) = @_;

	expect($side->req(DELETE => "/v2/$repo/blobs/$digest"), 202);
	delete $self->repo($repo)->{blobs}{$digest};
	$self->repo($repo)->{gone_blobs}{$digest} = 1;
	return;
}

# --- comparing

# The digests that a manifest of the model names: (manifests, blobs). The subject is not among them.
sub named
{
	my ($self, $digest) = @_;
	my $m = $JSON->decode($self->{bytes}{$digest});

	return ([map { $_->{digest} } @{ $m->{manifests} // [] }],
		[map { $_->{digest} } grep { defined } $m->{config}, @{ $m->{layers} // [] }]);
}

sub subject_of { my ($self, $digest) = @_; return ($JSON->decode($self->{bytes}{$digest})->{subject} // {})->{digest} }

# Who of a repository has this digest as subject.
sub referrers
{
	my ($self, $repo, $digest) = @_;

	return sort grep { ($self->subject_of($_) // '') eq $digest } keys %{ $self->repo($repo)->{manifests} };
}

# After a collection that removes what no manifest of the repository names: the blobs that it need not leave are
# forgotten, and returned: { repo => [digests] }.
sub only_referenced
{
	my ($self) = @_;
	my %forgotten;

	for my $repo ($self->names) {
		my $in = $self->repo($repo);
		my %keep = map { ($_ => 1) } map { my (undef, $blobs) = $self->named($_); @$blobs } keys %{ $in->{manifests} };
		my @go = sort grep { !$keep{$_} } keys %{ $in->{blobs} };
		delete @{ $in->{blobs} }{@go};
		$forgotten{$repo} = \@go if @go;
	}
	return \%forgotten;
}

# After registry:2's garbage-collect -m: of each repository the manifests without a tag are gone, whatever names them.
sub only_tagged
{
	my ($self) = @_;

	for my $repo ($self->names) {
		my $in = $self->repo($repo);
		my %tagged = map { ($_ => 1) } values %{ $in->{tags} };
		$self->forget_manifest($repo, $_) for grep { !$tagged{$_} } keys %{ $in->{manifests} };
	}
	return $self->only_referenced;
}

sub manifest_fault
{
	my ($self, $side, $repo, $ref, $digest) = @_;
	my $want = $self->{bytes}{$digest};
	my $type = $self->repo($repo)->{manifests}{$digest};

	for my $method ('GET', 'HEAD') {
		my $r = $side->req($method => "/v2/$repo/manifests/$ref", headers => [Accept => $ACCEPT]);
		return "$method $repo $ref: status " . $r->status if $r->status != 200;
		return "$method $repo $ref: other bytes" if $method eq 'GET' && $r->body ne $want;
		return "$method $repo $ref: length " . $r->header('Content-Length') if $r->header('Content-Length') != length $want;
		return "$method $repo $ref: type " . $r->header('Content-Type') if $r->header('Content-Type') ne $type;
		return "$method $repo $ref: digest " . $r->header('Docker-Content-Digest')
			if $r->header('Docker-Content-Digest') ne $digest;
	}
	return ();
}

sub blob_fault
{
	my ($self, $side, $repo, $digest) = @_;
	my $want = $self->{bytes}{$digest};
	my $r = $side->req(GET => "/v2/$repo/blobs/$digest");
	my $n = length $want;

	return "GET $repo $digest: status " . $r->status if $r->status != 200;
	return "GET $repo $digest: other bytes" if $r->body ne $want;
	$r = $side->req(HEAD => "/v2/$repo/blobs/$digest");
	return "HEAD $repo $digest: status " . $r->status if $r->status != 200;
	return "HEAD $repo $digest: length " . $r->header('Content-Length') if $r->header('Content-Length') != $n;
	return () if $n < 8;
	my ($a, $b) = (int $n / 3, int 2 * $n / 3);
	$r = $side->req(GET => "/v2/$repo/blobs/$digest", headers => [Range => "bytes=$a-$b"]);
	return "range of $repo $digest: status " . $r->status if $r->status != 206;
	return "range of $repo $digest: other bytes" if $r->body ne substr $want, $a, $b - $a + 1;
	return ();
}

# What the lists say: catalog and tags.
sub list_faults
{
	my ($self, $side) = @_;
	my @names = $self->names;
	my $r = get($side, '/v2/_catalog?n=1000');
	my @faults;

	return 'catalog: status ' . $r->status if $r->status != 200;
	my $has = join ' ', sort @{ $r->json->{repositories} };
	push @faults, "catalog: $has, not @names" if $has ne "@names";
	for my $repo (@names) {
		my @tags = sort keys %{ $self->repo($repo)->{tags} };
		$r = get($side, "/v2/$repo/tags/list?n=1000");
		# registry:2 does not know a repository of blobs alone, here
		next if !@tags && $side->isa('Berth::Other') && $r->status == 404;
		if ($r->status != 200) {
			push @faults, "tags of $repo: status " . $r->status;
			next;
		}
		$has = join ' ', sort @{ $r->json->{tags} // [] };
		push @faults, "tags of $repo: $has, not @tags" if $has ne "@tags";
	}
	return @faults;
}

# The referrers of every manifest, and of every digest that is somebody's subject. berth alone has them.
sub referrers_faults
{
	my ($self, $side, $repo) = @_;
	my $in = $self->repo($repo);
	my %ask = map { ($_ => 1) } keys %{ $in->{manifests} }, grep { defined } map { $self->subject_of($_) } keys %{ $in->{manifests} };
	my @faults;

	for my $digest (sort keys %ask) {
		my $r = get($side, "/v2/$repo/referrers/$digest");
		my $has = $r->status == 200 ? join ' ', sort map { $_->{digest} } @{ $r->json->{manifests} } : 'status ' . $r->status;
		my $want = join ' ', $self->referrers($repo, $digest);
		push @faults, "referrers of $repo $digest: $has, not $want" if $has ne $want;
	}
	return @faults;
}

# Everything in which a side differs from the model, one a line; '' where nothing does.
sub faults
{
	my ($self, $side) = @_;
	my @faults = $self->list_faults($side);

	for my $repo ($self->names) {
		my $in = $self->repo($repo);
		push @faults, map { $self->manifest_fault($side, $repo, $_, $in->{tags}{$_}) } sort keys %{ $in->{tags} };
		push @faults, map { $self->manifest_fault($side, $repo, $_, $_) } sort keys %{ $in->{manifests} };
		push @faults, map { $self->blob_fault($side, $repo, $_) } sort keys %{ $in->{blobs} };
		push @faults, $self->referrers_faults($side, $repo) if !$side->isa('Berth::Other');
		for my $gone (['gone', 'manifests'], ['gone_blobs', 'blobs'], ['gone_tags', 'manifests', 'tags']) {
			my ($list, $route, $where) = @$gone;
			for my $ref (sort grep { !$in->{ $where // $route }{$_} } keys %{ $in->{$list} // {} }) {
				my $r = get($side, "/v2/$repo/$route/$ref");
				push @faults, "$repo $ref was deleted from its $route: status " . $r->status if $r->status != 404;
			}
		}
	}
	return join "\n", @faults;
}

# Whether all that a manifest names is there, down to the blobs of the children: '' or what is not.
sub incomplete
{
	my ($self, $side, $repo, $digest) = @_;
	my @faults = $self->manifest_fault($side, $repo, $digest, $digest);
	my ($manifests, $blobs) = $self->named($digest);

	push @faults, map { $self->blob_fault($side, $repo, $_) } @$blobs;
	push @faults, grep { length } map { $self->incomplete($side, $repo, $_) } @$manifests;
	return join "\n", @faults;
}

# skopeo_image - skopeo pushes an image of two platforms, with its digests, to from/skopeo:v1 of a side; $layout becomes the directory of an OCI layout with it
sub skopeo_image
{
	my ($self, $side, $layout) = @_;
	my $made = Berth::Client::oci_layout($layout, 'v1', { files => { x => "amd64\n" } }, { arch => 'arm64', files => { x => "arm64\n" } });
	my @copy = Berth::Client::skopeo('copy', '-q', '--all', '--preserve-digests', '--dest-tls-verify=false', "oci:$layout:v1", 'docker://' . $side->host . '/from/skopeo:v1');

	for my $image (@{ $made->{images} }) {
		$self->note_manifest('from/skopeo', $image->{digest}, OCI_MANIFEST, $image->{bytes});
		$self->note_blob('from/skopeo', $image->{$_}, slurp("$layout/blobs/sha256/" . substr $image->{$_}, 7)) for 'layer', 'config';
	}
	$self->note_manifest('from/skopeo', $made->{digest}, OCI_INDEX, $made->{bytes}, 'v1');
	return run_ok(@copy, 'skopeo pushes an image of two platforms');
}

1;
