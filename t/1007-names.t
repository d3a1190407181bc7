#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Repository names: which are taken, which are not, and how a path is read from the right.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n");

# Good names, the ones that look like routes among them
my $long = join '/', ('a' x 31) x 7, 'b' x 31;    # 255 bytes
my @good = ('a', '0', 'a/b', 'a/b/c/d/e/f/g', 'a.b', 'a_b', 'a__b', 'a-b', 'a---b', 'a.b_c__d-e/f-0', '1/2/3',
	'blobs', 'manifests', 'tags', 'uploads', 'referrers', 'list', 'v2', 'catalog',
	'a/blobs', 'a/manifests', 'a/tags', 'a/uploads', 'a/referrers', 'a/list', 'blobs/uploads', 'tags/list', 'a/tags/list',
	'a/blobs/uploads', 'a/manifests/latest', 'manifests/manifests', 'blobs/blobs', 'tags/tags', 'tags/list/tags', 'blobs/uploads/blobs/uploads',
	'manifests/blobs/uploads', 'blobs/uploads/manifests', 'referrers/manifests', 'a' x 255, $long);
is length $long, 255, 'the long nested name has 255 bytes';
my %pushed;
for my $name (@good) {
	my $short = length $name > 60 ? substr($name, 0, 20) . '... (' . length($name) . ' bytes)' : $name;
	my ($d, $text) = eval { $s->push_image($name, 'list', layers => ["layer of $name"]) };
	ok $d, "an image is pushed to $short" or next;
	$pushed{$name} = $d;
	my $r = $s->req('GET', "/v2/$name/manifests/list");
	is $r->body, $text, "its manifest is pulled from $short by tag";
	is $s->req('GET', "/v2/$name/manifests/$d")->body, $text, "its manifest is pulled from $short by digest";
	is $s->req('GET', "/v2/$name/blobs/" . sha256("layer of $name"))->body, "layer of $name", "its layer is pulled from $short";
	is $s->req('GET', "/v2/$name/tags/list")->body, qq({"name":"$name","tags":["list"]}\n), "its tags are listed in $short";
	ok -e layer_link($s, $name, sha256("layer of $name")), "it lies where $short lies";
	my $loc = upload_start($s, $name);
	like path_of($loc), qr{^/v2/\Q$name\E/blobs/uploads/[0-9a-f-]{36}$}, "an upload to $short has its Location there";
	is $s->req('PATCH', $loc, body => 'abc')->header('Range'), '0-2', "a chunk goes to $short";
	is $s->req('DELETE', $loc)->status, 204, "an upload to $short is cancelled";
}
my @want = sort @good;
my $list = $s->req('GET', '/v2/_catalog?n=1000')->json;
is_deeply $list->{repositories}, \@want, 'the catalog has exactly these names, in byte order';
error_is $s->req('GET', '/v2/a/tags/manifests/none'), 404, 'MANIFEST_UNKNOWN', '/v2/a/tags/manifests/none is a tag of a/tags';
is $s->req('HEAD', '/v2/a/tags/manifests/list')->header('Docker-Content-Digest'), $pushed{'a/tags'}, '/v2/a/tags/manifests/list is tag list of a/tags';
is $s->req('GET', '/v2/a/manifests/tags/list')->json->{name}, 'a/manifests', '/v2/a/manifests/tags/list are the tags of a/manifests';
is $s->req('DELETE', "/v2/a/blobs/uploads/manifests/$pushed{'a/blobs/uploads'}")->status, 202, 'a manifest is deleted from a/blobs/uploads';
is $s->req('GET', '/v2/a/manifests/list')->status, 200, 'and none from a';
error_is $s->req('GET', '/v2/a/blobs/uploads/manifests'), 404, undef, '/v2/a/blobs/uploads/manifests is no upload';

# Bad names
my $before = $s->tree_digest;
my @bad = ('A', 'aB', 'Foo/bar', 'foo/Bar', '-a', 'a-', '_a', 'a_', '.a', 'a.', 'a..b', 'a___b', 'a._b', 'a.-b', 'a_-b', 'a/-b', 'a/b-', 'a/_b', 'a/.b',
	'a+b', 'a@b', 'a:b', 'a~b', 'a,b', 'a%20b', '%C3%A9', '%ff', 'a%5Cb', 'a%3Fb', 'a%23b', 'a%2562b', '%2e%2ehidden', 'a*', "a'b", 'a' x 256, $long . 'b', "$long/b");
my %try = (
	'GET tags' => ['GET', 'tags/list'], 'GET manifest' => ['GET', 'manifests/latest'], 'PUT manifest' => ['PUT', 'manifests/latest'],
	'DELETE manifest' => ['DELETE', "manifests/$pushed{a}"], 'GET blob' => ['GET', "blobs/$pushed{a}"],
	'POST upload' => ['POST', 'blobs/uploads/'],
);
for my $name (@bad) {
	my $short = length $name > 60 ? substr($name, 0, 20) . '... (' . length($name) . ' bytes)' : $name;
	for my $t (sort keys %try) {
		my ($m, $tail) = @{ $try{$t} };
		my $r = $s->req($m, "/v2/$name/$tail", $m eq 'PUT' ? (headers => ['Content-Type' => OCI_MANIFEST], body => '{}') : ());
		error_is $r, 400, 'NAME_INVALID', "$t of $short is 400 NAME_INVALID";
	}
}
is $s->tree_digest, $before, 'bad names change nothing on disk';

done_testing;
