# SPDX-License-Identifier: Apache-2.0
#
# Berth::Handovers: what the relay hands over to a worker of a mirror, and what a worker links there by itself, as operations of Berth::Operations.
#
#   faults_in({ config => Berth::Handovers::CONFIG, at => 'relay' }, 'handovers');
#   faults_in({ config => Berth::Handovers::CONFIG }, 'links');
package Berth::Handovers;

use strict;
use warnings;

use Berth::Check;
use Berth::Test;

use constant CONFIG => "relay = \"off\";\nupload_workers = 1;\nupstreams = ( { name = \"up\"; urls = [ \"http://127.0.0.1:1\" ]; } );\n";

sub fresh { return Berth::Operations::fresh(@_) }
sub want { return Berth::Operations::want(@_) }

# image - a manifest that nobody has, and the bytes of its layer
sub image
{
	my $layer = Berth::Operations::bytes();

	return ('{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . desc(OCI_CONFIG, '{}') . ',"layers":[' . desc(OCI_LAYER, $layer) . ']}', $layer);
}

sub put_manifest { my ($repo, $ref, $text, $type) = @_; return ['PUT', "/berth/v1/relay/manifest?repo=$repo&ref=$ref", { body => $text, headers => { CONTENT_TYPE => $type // OCI_MANIFEST } }] }
sub put_blob { my ($repo, $bytes) = @_; return ['PUT', "/berth/v1/relay/blob?repo=$repo&digest=" . sha256($bytes), Berth::Operations::spooled($bytes)] }
sub checked { my ($repo, $tag, $text) = @_; return ['POST', "/berth/v1/relay/checked?repo=$repo&tag=$tag&digest=" . sha256($text)] }

# had - the repository has this manifest under these references
sub had
{
	my ($i, $repo, $text, @refs) = @_;

	want($i->ask(@{ put_manifest($repo, $_, $text) }), 201, "handover of $_") for @refs;
	return $repo;
}

# served - what is wrong with the answer to a client: the manifest comes from here, and is right
sub served
{
	my ($i, $repo, $text, @refs) = @_;

	for my $ref (@refs) {
		my $r = $i->ask('GET', "/v2/$repo/manifests/$ref");
		return "$ref: " . $r->status . ' ' . $r->body if $r->status ne '200';
		return "$ref: the relay is asked" if defined $r->header('X-Accel-Redirect');
		return "$ref: other bytes" if $r->body ne $text;
	}
	return '';
}

sub linked
{
	my ($i, $repo, $bytes) = @_;
	my $d = sha256($bytes);

	return 'the blob is not linked' if !-e layer_link($i->server, $repo, $d);
	return content_of(blob_file($i->server, $d)) eq $bytes ? '' : 'the blob has other bytes';
}

sub manifest_case
{
	my ($i, $repo, $ref, $text, $type) = @_;

	return { req => put_manifest($repo, $ref, $text, $type), ok => 201, done => sub { return served($i, $repo, $text, $ref) } };
}

sub blob_case
{
	my ($i, $repo, $layer, $text) = @_;

	return { req => put_blob($repo, $layer), ok => 201, kept => sub { return served($i, $repo, $text, sha256($text)) }, done => sub { return linked($i, $repo, $layer) } };
}

sub handovers
{
	my ($i) = @_;
	my $blob_of = sub { my ($repo) = @_; my ($text, $layer) = image(); return blob_case($i, had($i, $repo, $text, sha256($text)), $layer, $text) };
	my $old = sub { my ($text, $layer) = image(); my $repo = had($i, fresh('up/tags'), $text, 'moves'); return ($repo, $text) };
	my %make = (
		'a tag, new repository' => sub { my ($text) = image(); return manifest_case($i, fresh('up/new'), 'v1', $text) },
		'a manifest by its digest' => sub { my ($text) = image(); return manifest_case($i, 'up/app', sha256($text), $text) },
		'an index' => sub {
			my $index = index_of(OCI_INDEX, map { desc(OCI_MANIFEST, (image())[0]) } 1, 2);
			return manifest_case($i, 'up/app', sha256($index), $index, OCI_INDEX);
		},
		'a tag that moves' => sub {
			my ($repo, $was) = $old->();
			my ($text) = image();
			my $case = manifest_case($i, $repo, 'moves', $text);
			$case->{kept} = sub { return Berth::Operations::one_of(map { served($i, $repo, $_, 'moves') } $was, $text) };
			return $case;
		},
		'a blob' => sub { return $blob_of->('up/app') },
		'a blob over corrupt content' => sub {
			my $case = $blob_of->('up/app');
			lay_file(blob_file($i->server, $case->{req}[1] =~ s/.*digest=//r), 'short');
			return $case;
		},
		'a tag that was confirmed' => sub {
			my ($repo, $text) = $old->();
			my $served = sub { return served($i, $repo, $text, 'moves') };
			return { req => checked($repo, 'moves', $text), ok => 204, kept => $served, done => $served };
		},
		'a tag that moves to what is here' => sub {
			my ($repo, $was) = $old->();
			my ($text) = image();
			had($i, $repo, $text, sha256($text));
			return { req => checked($repo, 'moves', $text), ok => 204, done => sub { return served($i, $repo, $text, 'moves') },
				kept => sub { return Berth::Operations::one_of(map { served($i, $repo, $_, 'moves') } $was, $text) } };
		},
	);
	return map { { name => $_, make => $make{$_} } } sort keys %make;
}

# links - what a mirror lacks is linked when a client asks for it, if the store has it
sub links
{
	my ($i) = @_;

	return ({ name => 'GET of a blob that the store has', make => sub {
		my ($text, $layer) = image();
		my $repo = had($i, fresh('up/link'), $text, 'v1');
		want(Berth::Operations::put_blob($i, 'kept/app', $layer), 201, 'PUT');
		return { req => ['GET', "/v2/$repo/blobs/" . sha256($layer)], ok => 200, kept => sub { return Berth::Operations::blob_fault($i, 'kept/app', $layer) }, done => sub {
			my ($r) = @_;
			return ($r->header('X-Accel-Redirect') // '') =~ m{/data$} ? linked($i, $repo, $layer) : 'the relay is asked';
		} };
	} }, { name => 'GET of a manifest that the store has', make => sub {
		my ($text) = image();
		had($i, 'up/other', $text, sha256($text));
		my $index = index_of(OCI_INDEX, desc(OCI_MANIFEST, $text));
		my $repo = fresh('up/link');
		want($i->ask(@{ put_manifest($repo, 'v1', $index, OCI_INDEX) }), 201, 'handover');
		return { req => ['GET', "/v2/$repo/manifests/" . sha256($text)], ok => 200, kept => sub { return served($i, $repo, $index, 'v1') },
			done => sub { return served($i, $repo, $text, sha256($text)) } };
	} });
}

1;
