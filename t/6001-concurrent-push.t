#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Ten clients at once push images that share layers.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n", workers => 4);
my @shared = map { random_bytes(1 << 20) } 1 .. 3;

# ask - a request that is made again where it has waited too long for a lock, as behind a worker that stands still
sub ask { my @request = @_; my $r; wait_for { ($r = $s->req(@request))->status != 503 || !defined $r->header('Retry-After') }; return $r }

# push as docker does: HEAD, and POST PATCH PUT where it is not there; layers first, the manifest last
sub push_layer {
	my ($repo, $bytes) = @_;
	my $d = sha256($bytes);
	my $h = ask('HEAD', "/v2/$repo/blobs/$d")->status;
	return if $h == 200;
	return "HEAD $h" if $h != 404;
	my $p = ask('POST', "/v2/$repo/blobs/uploads/");
	return 'POST ' . $p->status if $p->status != 202;
	my $loc = path_of($p->header('Location'));
	my $c = ask('PATCH', $loc, body => $bytes, chunked => 1);
	return 'PATCH ' . $c->status if $c->status != 202;
	my $f = ask('PUT', "$loc?digest=$d");
	return 'PUT ' . $f->status if $f->status != 201;
	return;
}

for my $same (0, 1) {
	my $where = $same ? 'one repository' : 'ten repositories';
	my @fault = run_parallel(10, sub {
		my ($i) = @_;
		my $repo = $same ? "all/same$same" : "all/app$i";
		my $own = "own layer of $i, $same" . 'x' x 100_000;
		my $config = "{\"os\":\"linux\",\"i\":$i}";
		for my $l (@shared[map { ($_ + $i) % 3 } 0 .. 2], $own, $config) {
			my $f = push_layer($repo, $l);
			return $f if $f;
		}
		my $m = image_of(DOCKER_MANIFEST, $config, @shared, $own);
		for my $tag ("t$i", 'latest') {
			my $r = ask('PUT', "/v2/$repo/manifests/$tag", headers => ['Content-Type' => DOCKER_MANIFEST], body => $m);
			return 'manifest ' . $r->status . $r->body if $r->status != 201;
		}
		return '';
	});
	is_deeply \@fault, [('') x 10], "ten clients at once push images that share layers to $where";
	for my $i (0 .. 9) {
		my $repo = $same ? "all/same$same" : "all/app$i";
		my $m = image_of(DOCKER_MANIFEST, "{\"os\":\"linux\",\"i\":$i}", @shared, "own layer of $i, $same" . 'x' x 100_000);
		is $s->req('GET', "/v2/$repo/manifests/t$i")->body, $m, "the manifest of client $i is there ($where)";
		is_deeply [map { $s->req('HEAD', "/v2/$repo/blobs/$_")->status } $m =~ /"digest":"([^"]+)"/g], [(200) x 5], "with all that it names ($where)";
		is_deeply [uploads_of($s, $repo)], [], "and without uploads left ($where)";
	}
	if ($same) {
		is_deeply $s->req('GET', "/v2/all/same1/tags/list")->json->{tags}, ['latest', map { "t$_" } 0 .. 9], 'all tags are listed';
		like $s->req('GET', '/v2/all/same1/manifests/latest')->body, qr/"schemaVersion":2/, 'the tag that all ten set is one of theirs';
	}
}
ok $s->req('GET', '/v2/all/same1/blobs/' . sha256($_))->body eq $_, 'a shared layer comes back byte for byte' for @shared;
is scalar(grep { -s blob_file($s, sha256($_)) == 1 << 20 } @shared), 3, 'each shared layer is on disk once';
is leftovers($s), '', 'nothing is left in body, tmp and trash';
is scalar(grep { defined $_->{not_json} } $s->log_events), 0, 'and every line of the log is JSON, though many wrote at once';

# ten pushes of one and the same blob
my $one = random_bytes(3 << 20);
my @st = run_parallel(10, sub {
	my $loc = path_of(ask('POST', '/v2/all/once/blobs/uploads/')->header('Location'));
	return ask('PUT', "$loc?digest=" . sha256($one), body => $one)->status;
});
is "@st", '201 ' x 9 . '201', 'ten pushes of one blob at once are all 201';
ok content_of(blob_file($s, sha256($one))) eq $one, 'and it is whole';
is +(stat blob_file($s, sha256($one)))[3], 1, 'and has one name';
is leftovers($s), '', 'nothing is left in body, tmp and trash';

# readers beside a writer: a tag is one or the other, never nothing, never a mixture
my @m = map { image_of(OCI_MANIFEST, "{\"v\":$_}") } 0, 1;
$s->push_blob('all/tag', "{\"v\":$_}") for 0, 1;
$s->req('PUT', '/v2/all/tag/manifests/t', headers => ['Content-Type' => OCI_MANIFEST], body => $m[0]);
my @seen = run_parallel(6, sub {
	my ($i) = @_;
	my %n;
	for my $k (1 .. 60) {
		if ($i < 2) {
			$n{ ask('PUT', '/v2/all/tag/manifests/t', headers => ['Content-Type' => OCI_MANIFEST], body => $m[$i])->status }++;
		} else {
			my $r = $s->req('GET', '/v2/all/tag/manifests/t');
			my $ok = $r->status == 200 && ($r->body eq $m[0] || $r->body eq $m[1]) && $r->header('Docker-Content-Digest') eq sha256($r->body);
			my $l = $s->req('GET', '/v2/all/tag/tags/list')->body eq qq({"name":"all/tag","tags":["t"]}\n);
			$n{ ($ok ? 'whole' : 'broken ' . $r->status) . ($l ? '' : ' not listed') }++;
		}
	}
	return join ',', map { "$_=$n{$_}" } sort keys %n;
});
is_deeply \@seen, ['201=60', '201=60', ('whole=60') x 4], 'while two clients move a tag four others always find one of the two';
# A request gives up its waiting for a lock after some seconds (doc/STORE.md).
ok !(grep { ($_->{status} // 0) >= 500 && ($_->{error} // '') !~ /^others are busy with / } $s->log_events), 'no request ended with 5xx that had got its locks';
done_testing;
