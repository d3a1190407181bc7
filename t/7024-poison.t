#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Manifests over which registry:2's collector stops, or loses data, never get into a store through berth; where another
# program has put them there, berth serves and collects around them.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path remove_tree);
use Berth::Test;
use Berth::Check;
use Berth::Content;
use Berth::Other;

need_program('docker-registry');

my $config = '{"architecture":"amd64"}';
my $layer = "a layer\n";
my $second = "a layer that one of two lists names\n";
my ($cd, $ld, $sd) = (desc(OCI_CONFIG, $config), desc(OCI_LAYER, $layer), desc(OCI_LAYER, $second));
my $child = image_of(OCI_MANIFEST, $config, $layer);

sub image { my ($members) = @_; return sprintf '{"schemaVersion":2,"mediaType":"%s",%s}', OCI_MANIFEST, $members }
sub list { my ($members) = @_; return sprintf '{"schemaVersion":2,"mediaType":"%s",%s}', OCI_INDEX, $members }
sub with { my ($desc, $more) = @_; $desc =~ s/\}\z/,$more}/; return $desc }
sub sized { my ($desc, $size) = @_; $desc =~ s/"size":\d+/"size":$size/; return $desc }

# [name, what it does to registry:2's collector (stops: it ends with a failure; loses: a layer that berth's reader of the
# manifest sees is deleted; '': nothing, or it depends), manifest]
my @poison = (
	['an annotation that is a number', 'stops', image(qq("config":$cd,"layers":[$ld],"annotations":{"a":1}))],
	['an annotation of a layer that is a number', 'stops', image(qq("config":$cd,"layers":[${\ with($ld, '"annotations":{"a":1}')}]))],
	['annotations that are a list', 'stops', image(qq("config":$cd,"layers":[$ld],"annotations":["a"]))],
	['urls that are a string', 'stops', image(qq("config":$cd,"layers":[${\ with($ld, '"urls":"http://x"')}]))],
	['urls of the config that are a string', 'stops', image(qq("config":${\ with($cd, '"urls":"http://x"')},"layers":[$ld]))],
	['a url that is a number', 'stops', image(qq("config":$cd,"layers":[${\ with($ld, '"urls":[1]')}]))],
	['a platform that is a string', 'stops', image(qq("config":$cd,"layers":[${\ with($ld, '"platform":"linux/amd64"')}]))],
	['a platform in an index that is a string', 'stops', list(qq("manifests":[${\ desc(OCI_MANIFEST, $child, ',"platform":"linux/amd64"')}]))],
	['an os in an index that is a number', 'stops', list(qq("manifests":[${\ desc(OCI_MANIFEST, $child, ',"platform":{"os":1,"architecture":"amd64"}')}]))],
	['a size that is no integer', 'stops', image(qq("config":$cd,"layers":[${\ sized($ld, '2.5')}]))],
	['a size with an exponent', 'stops', image(qq("config":$cd,"layers":[${\ sized($ld, '1e1000')}]))],
	['a size that is a string', 'stops', image(qq("config":$cd,"layers":[${\ sized($ld, '"8"')}]))],
	['a size beyond 63 bits', 'stops', image(qq("config":$cd,"layers":[${\ sized($ld, '9223372036854775808')}]))],
	['a mediaType of a layer that is a number', 'stops', image(qq("config":$cd,"layers":[${\ ($ld =~ s/"mediaType":"[^"]*"/"mediaType":1/r)}]))],
	['layers beside Layers', 'loses', image(qq("config":$cd,"layers":[$ld],"Layers":[$sd]))],
	['Layers beside layers', 'loses', image(qq("config":$cd,"Layers":[$sd],"layers":[$ld]))],
	['LAYERS that are empty beside layers', 'loses', image(qq("config":$cd,"layers":[$ld],"LAYERS":[]))],
	['the long s of layer\x{17f}', 'loses', image(qq("config":$cd,"layers":[$ld],"layer\xc5\xbf":[$sd]))],
	['Digest beside digest', 'loses', image(qq("config":$cd,"layers":[${\ with($ld, '"Digest":"' . sha256($second) . '"')}]))],
	['Config beside config', 'loses', image(qq("config":$cd,"Config":$sd,"layers":[$ld]))],
	['layers twice', 'loses', image(qq("config":$cd,"layers":[$ld],"layers":[$sd]))],
	['Manifests beside manifests', '', list(qq("manifests":[${\ desc(OCI_MANIFEST, $child)}],"Manifests":[]))],
	['a MediaType beside mediaType', '', image(qq("config":$cd,"layers":[$ld],"MediaType":"${\ OCI_INDEX}"))],
	['manifests beside layers', '', image(qq("config":$cd,"layers":[$ld],"manifests":[]))],
);
$_->[0] =~ s/\\x\{17f\}/s/ for @poison;

# --- berth refuses them

my $b = Berth::Server->start(config => "delete = true;\n");
$b->push_blob('p/app', $_) for $config, $layer, $second;
is $b->push_manifest('p/app', 'good', $child, OCI_MANIFEST)->status, 201, 'the manifest without poison is taken';
my $before = $b->tree_digest;
for my $p (@poison) {
	my ($name, undef, $bytes) = @$p;
	my ($type) = $bytes =~ /"mediaType":"([^"]*)"/;
	for my $ref ('poison', sha256($bytes)) {
		error_is $b->push_manifest('p/app', $ref, $bytes, $type), 400, 'MANIFEST_INVALID', "$name: 400 MANIFEST_INVALID (by " . ($ref =~ /:/ ? 'digest)' : 'tag)');
	}
}
is $b->tree_digest, $before, 'and nothing of them is on the disk';
is leftovers($b), '', 'nor in body, tmp and trash';
is $b->req(GET => '/v2/p/app/tags/list')->body, qq({"name":"p/app","tags":["good"]}\n), 'nor in the list of tags';

# --- what they would have done: the reason for all that

sub lay_app
{
	my ($s, $bytes) = @_;

	lay_blob($s, 'p/app', $_) for $config, $layer, $second;
	lay_manifest($s, 'p/app', $child, 'good') if $bytes =~ /"manifests"/;
	return lay_manifest($s, 'p/app', $bytes, 'poison');
}

for my $p (grep { $_->[1] } @poison) {
	my ($name, $does, $bytes) = @$p;
	my $dir = tmp_dir();
	my $other = Berth::Other->new(root => "$dir/store");
	lay_app($other, $bytes);
	my $r = $other->collect;
	if ($does eq 'stops') {
		isnt $r->{status}, 0, "registry:2's collector would stop for good over $name";
	} else {
		my @lost = grep { !-e $other->blob_path($_) } map { sha256($_) } $config, $layer, $second;
		isnt scalar @lost, 0, "registry:2's collector would delete content that $name names" or diag $r->{out};
	}
	remove_tree("$dir/store");
}

# --- laid by hand: served around and collected around

$b->stop_workers;
my @laid;
for my $i (0 .. $#poison) {
	my ($name, undef, $bytes) = @{ $poison[$i] };
	push @laid, [$name, lay_manifest($b, "laid/p$i", $bytes, 'poison'), $bytes, "laid/p$i"];
	lay_blob($b, "laid/p$i", $_) for $config, $layer, $second, "unnamed $i\n";
	lay_manifest($b, "laid/p$i", $child, 'good');
	# by its links, an artifact and a subject
	lay_manifest($b, "laid/p$i", image(qq("config":$cd,"layers":[],"subject":) . desc(OCI_MANIFEST, $bytes)));
}
# links that hold nothing
lay_blob($b, 'laid/empty', $_) for $config, $layer;
lay_manifest($b, 'laid/empty', $child, 'good');
lay_file(layer_link($b, 'laid/empty', sha256('x')), '');
lay_file(revision_link($b, 'laid/empty', sha256('y')), '');
lay_file(tag_link($b, 'laid/empty', 'nothing'), '');
$b->start_workers;

sub check
{
	my ($when) = @_;
	my @faults;

	for my $l (@laid) {
		my ($name, $digest, $bytes, $repo) = @$l;
		for my $ref ('poison', $digest) {
			my $r = $b->req(GET => "/v2/$repo/manifests/$ref");
			push @faults, "$name: " . $r->status if $r->status != 200 || $r->body ne $bytes;
		}
		push @faults, "$name: the good one" if $b->req(GET => "/v2/$repo/manifests/good")->body ne $child;
		push @faults, "$name: tags" if $b->req(GET => "/v2/$repo/tags/list")->body ne qq({"name":"$repo","tags":["good","poison"]}\n);
		my $r = $b->req(GET => "/v2/$repo/referrers/$digest");
		push @faults, "$name: referrers" if $r->status != 200 || @{ $r->json->{manifests} } != 1;
		for my $d (sha256($config), sha256($layer), sha256($second)) {
			push @faults, "$name: blob $d" if $bytes =~ /$d/ && $b->req(HEAD => "/v2/$repo/blobs/$d")->status != 200;
		}
	}
	push @faults, 'empty: tags' if $b->req(GET => '/v2/laid/empty/tags/list')->body ne qq({"name":"laid/empty","tags":["good"]}\n);
	push @faults, 'empty: ' . $_ for grep { $b->req(GET => "/v2/laid/empty/$_")->status != 404 } 'manifests/nothing', 'manifests/' . sha256('y'), 'blobs/' . sha256('x');
	is join("\n", @faults), '', "manifests of that kind, laid by hand, are served as they are $when";
	return;
}

check('before a collection');
sleep 2;
my $r = Berth::Content::berth_gc($b->root, '--grace', '0s', '--untagged');
is $r->{status}, 0, 'berth collects around them, untagged manifests too' or diag $r->{err};
check('after it, with everything that any of two readers takes them to name');
my @kept = grep { -e $b->blob_path(sha256("unnamed $_\n")) } 0 .. $#poison;
cmp_ok scalar @kept, '<', scalar @poison, 'the collection goes on behind them';
# one that no reader can take apart keeps all that its repository links, and is told
my @told = $r->{out} =~ /^unreadable (\S+)/mg;
is_deeply [grep { my $repo = "laid/p$_"; !grep { $_ eq $repo } @told } @kept], [], 'what they don\'t name is kept only where a manifest can not be read, and that is told';
is $b->req(DELETE => "/v2/$_->[3]/manifests/$_->[1]")->status, 202, "it can be deleted: $_->[0]" for @laid;
is $b->req(GET => '/v2/laid/p0/tags/list')->body, qq({"name":"laid/p0","tags":["good"]}\n), 'with its tags';
is $b->push_manifest("laid/p0", 'next', $child, OCI_MANIFEST)->status, 201, 'and its repository be pushed to';
ok !(grep { ($_->{status} // 0) >= 500 } $b->log_events), 'no request of all these ended with 5xx';
$b->stop;

done_testing;
