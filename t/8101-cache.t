#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A cache of other registries: what is asked upstream, and when; what is served when upstream is away; and that nobody gets what a mirrored repository does
# not name.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Cache;
use Berth::Upstream;

my $u = Berth::Upstream->start;
my $s = mirror(upstreams => [['docker.io', $u, 'hosts = [ "hub.example" ]; stale = "1h"; fresh = "10m"; missing = "1m";']],
	more => qq(delete = true;\nown = [ "registry.example" ];\n));
my $repo = 'docker.io/library/app';
my $i = $u->image('library/app', '1', layers => [random_bytes(200_000), random_bytes(50)]);
my ($r, $p);

# asked - what upstream was asked since the last time, by kind
sub asked
{
	my %n;

	$u->settled;
	$n{ $_->{kind} }++ for $u->requests;
	$u->forget;
	return join ', ', map { $n{$_} > 1 ? "$n{$_} $_" : $_ } sort keys %n;
}

# --- a miss, and hits
$r = get_manifest($s, $repo, '1');
is $r->status . $r->body, "200$i->{json}", 'a tag that is not here is fetched';
headers_are $r, { 'Docker-Content-Digest' => $i->{digest}, 'Content-Type' => OCI_MANIFEST, 'Content-Length' => length $i->{json}, Warning => undef, 'OCI-Namespace' => undef },
	'with what a pull of any repository says';
like asked(), qr/^(?:GET manifest|GET manifest, HEAD manifest)$/, 'by one GET upstream';
for my $ref ('1', $i->{digest}) {
	$r = get_manifest($s, $repo, $ref);
	is $r->status . $r->body, "200$i->{json}", 'then it is here ' . ($ref eq '1' ? '(by its tag)' : '(by its digest)');
}
is asked(), '', 'and upstream is not asked';
my $blob = "/v2/$repo/blobs/$i->{layers}[0]";
$r = $s->req(GET => $blob);
is $r->status . sha256($r->body), "200$i->{layers}[0]", 'a blob is fetched';
headers_are $r, { 'Docker-Content-Digest' => $i->{layers}[0], 'Content-Length' => 200_000 }, 'with its length and digest';
is asked(), 'GET blob', 'once';
ok wait_for { -e layer_link($s, $repo, $i->{layers}[0]) }, 'it is linked into the repository';
is sha256($s->req(GET => $blob)->body), $i->{layers}[0], 'and is here';
is $s->req(GET => $blob, headers => [Range => 'bytes=100-199'])->status, 206, 'with all that a pull can do';
is $s->req(HEAD => $blob)->header('Content-Length'), 200_000, 'HEAD, too';
is asked(), '', 'upstream is not asked again';
is pull($s, $repo, '1')->{fault}, '', 'the rest of the image';
is asked(), '2 GET blob', 'takes the two blobs that were not here';
is pull($s, $repo, '1')->{fault}, '', 'the image again';
is asked(), '', 'asks for nothing';
is Berth::Check::leftovers($s), '', 'nothing is left of the downloads';

# --- as containerd does: HEAD first
my $j = $u->image('library/app', '2');
$r = get_manifest($s, $repo, '2', method => 'HEAD');
is join(' ', $r->status, $r->header('Docker-Content-Digest')), "200 $j->{digest}", 'HEAD of a tag that is not here';
is pull($s, $repo, $j->{digest})->{fault}, '', 'the image by its digest';
is $u->count('GET blob'), 2, 'each blob once';
cmp_ok $u->count('GET manifest'), '<=', 1, 'the manifest, too';
asked();

# --- a digest that is not here, an index
my $k = $u->image('library/app', undef);
is pull($s, $repo, $k->{digest})->{fault}, '', 'an image that has no tag, by its digest';
my @child = map { $u->image('library/multi', undef) } 1 .. 2;
my $index = $u->index('library/multi', '1', @child);
asked();
is get_manifest($s, 'docker.io/library/multi', '1')->header('Docker-Content-Digest'), $index->{digest}, 'an index';
is $u->count('GET manifest'), 1, 'whose images are not asked for before a client does';
is pull($s, 'docker.io/library/multi', '1')->{fault}, '', 'one image of it';
ok !-e revision_link($s, 'docker.io/library/multi', $child[1]{digest}), 'the other stays away';
is pull($s, 'docker.io/library/multi', '1', all => 1)->{fault}, '', 'until it is wanted';
asked();

# --- the three names of a repository
is pull($s, 'library/app', '1', ns => 'docker.io')->{fault}, '', 'ns names the upstream, and the answer says so';
is pull($s, 'library/app', '1', headers => [Host => 'hub.example'])->{fault}, '', 'so does Host';
is pull($s, 'library/app', '1', headers => [Host => 'HUB.example:5000'])->{fault}, '', 'in any case, with a port';
is asked(), '', 'it is the same repository';
error_is get_manifest($s, 'library/app', '1', ns => 'ghcr.io'), 404, undef, 'a name space that is not mirrored is not here';
is get_manifest($s, 'library/app', '1')->status, 404, 'without ns it is a repository of our own, which is not here';
$s->push_image('team/own', '1');
is get_manifest($s, 'team/own', '1', ns => $_)->status, 200, "a name of our own: $_" for 'registry.example', $s->host;
is get_manifest($s, 'team/own', '1')->status, 200, 'our own repositories are as ever';
is asked(), '', 'nothing of this is asked upstream';

# --- content that the store has already
my $shared = random_bytes(30_000);
$s->push_image('team/base', '1', layers => [$shared]);
my $with = $u->image('library/with', '1', layers => [$shared]);
is pull($s, 'docker.io/library/with', '1')->{fault}, '', 'an image with a layer that somebody has pushed here';
is $u->count('GET blob'), 1, 'the layer is not fetched, only the config is';
asked();

# --- and what a repository does not name
my $secret = random_bytes(5000);
my (undef) = $s->push_image('team/secret', '1', layers => [$secret]);
error_is $s->req(GET => "/v2/docker.io/library/app/blobs/" . sha256($secret)), 404, 'BLOB_UNKNOWN', 'a blob of another repository is not read through a mirror';
is $u->count('GET blob') + $u->count('HEAD blob'), 1, 'it is asked for upstream, as any blob that is not here';
is $s->req(HEAD => "/v2/docker.io/library/app/blobs/" . sha256($secret))->status, 404, 'nor seen by HEAD';
my ($sm) = $s->push_image('team/secret', '2');
is get_manifest($s, 'docker.io/library/app', $sm)->status, 404, 'nor is a manifest of another repository';
asked();

# --- tags that get old
old_tag($s, $repo, '1', 500);
get_manifest($s, $repo, '1');
is asked(), '', 'a tag that is fresh is not asked for';
old_tag($s, $repo, '1', 700);
$r = get_manifest($s, $repo, '1');
is $r->status . $r->body, "200$i->{json}", 'one that is not';
is asked(), 'HEAD manifest', 'is, by HEAD';
headers_are get_manifest($s, $repo, '1'), { Warning => undef }, 'without a warning';
is asked(), '', 'and is fresh again';
my $new = $u->image('library/app', '1');
is get_manifest($s, $repo, '1')->header('Docker-Content-Digest'), $i->{digest}, 'a tag that has moved upstream is seen';
old_tag($s, $repo, '1', 700);
is get_manifest($s, $repo, '1')->header('Docker-Content-Digest'), $new->{digest}, 'when it is asked for again';
is pull($s, $repo, '1')->{fault}, '', 'the new image is whole';
is pull($s, $repo, $i->{digest})->{fault}, '', 'and the old one is still here by its digest';
asked();

# --- upstream away
my %failing = (
	'429' => { status => 429, headers => { 'Retry-After' => 30 } }, map({ ($_ => { status => $_ }) } 500, 502, 503, 504), 'no answer' => { close => 1 },
	'reset' => { reset => 1 }, 'no HTTP' => { raw => "SSH-2.0-OpenSSH\r\n" },
);
for my $how (sort keys %failing) {
	my $rule = $u->rule('.', $failing{$how});
	old_tag($s, $repo, '1', 700);
	$p = pull($s, $repo, '1');
	is $p->{fault}, '', "upstream fails ($how): the cached image is served";
	like $p->{warning} // '', qr/^299 - ".+"$/, 'with a warning';
	$r = get_manifest($s, $repo, "none-$how" =~ tr/ /-/r);
	error_is $r, 503, undef, 'what is not here is 503, with Retry-After';
	error_is $s->req(GET => "/v2/$repo/blobs/" . sha256("none $how")), 503, undef, 'so is a blob';
	error_is $s->req(GET => "/v2/docker.io/library/none/$_"), 503, undef, "so is $_" for 'tags/list', 'referrers/' . sha256("none $how");
	$u->drop($rule);
	well($s, $u, 'docker.io');
}
$u->down;
old_tag($s, $repo, '1', 700);
$p = pull($s, $repo, '1', ns => undef);
is $p->{fault}, '', 'upstream is not reached: the cached image is served';
like $p->{warning} // '', qr/^299 - ".+"$/, 'with a warning';
ok scalar(grep { $_->{event} eq 'upstream' } $s->log_events), 'and it is logged';
is get_manifest($s, 'docker.io/library/nothing', '1')->status, 503, 'what is not here is 503';
is $s->req(GET => "/v2/$repo/blobs/" . sha256('nowhere'))->status, 503, 'so is a blob';
old_tag($s, $repo, '1', 3700);
is get_manifest($s, $repo, '1')->status, 503, 'beyond "stale" a tag is not served any more';
is pull($s, $repo, $new->{digest})->{fault}, '', 'a digest is, at any age';
$u->up;
is pull($s, $repo, '1')->{fault}, '', 'upstream is back: so is the tag';
well($s, $u, 'docker.io');
old_tag($s, 'docker.io/library/multi', '1', 700);
headers_are get_manifest($s, 'docker.io/library/multi', '1'), { Warning => undef }, 'and all else';
asked();

# --- 404
error_is get_manifest($s, $repo, 'none'), 404, 'MANIFEST_UNKNOWN', 'a tag that upstream has not got';
ok asked(), 'is asked for';
is get_manifest($s, $repo, 'none')->status, 404, 'again';
is asked(), '', 'is remembered';
$u->untag('library/app', '2');
old_tag($s, $repo, '2', 700);
is get_manifest($s, $repo, '2')->status, 404, 'a tag that upstream has removed goes here, too';
asked();

# --- pushes and deletes
for my $try (['POST', "/v2/$repo/blobs/uploads/", ''], ['PUT', "/v2/$repo/manifests/9", $i->{json}], ['POST', '/v2/library/app/blobs/uploads/?ns=docker.io', '']) {
	my ($method, $path, $body) = @$try;
	$r = $s->req($method => $path, body => $body, headers => ['Content-Type' => OCI_MANIFEST]);
	like $r->status, qr/^(?:403|405)$/, "$method $path is refused";
	like $r->body, qr/docker\.io|mirror/, 'and the answer says why';
}
is asked(), '', 'nothing is pushed upstream';
is $s->req(DELETE => "/v2/$repo/manifests/1")->status, 202, 'a tag is deleted: this copy is forgotten';
is pull($s, $repo, '1')->{fault}, '', 'it is fetched again';
cmp_ok $u->count('GET manifest', 'HEAD manifest'), '>=', 1, 'from upstream';
is $s->req(DELETE => "/v2/$repo/manifests/$i->{digest}")->status, 202, 'so is a manifest';
is $u->count('DELETE manifest'), 0, 'upstream knows nothing of it';
asked();

# --- lists
is_deeply $s->req(GET => "/v2/$repo/tags/list")->json, { name => $repo, tags => ['1'] }, 'tags are those of upstream, in a repository of this name';
$u->tag('library/app', $_, $i->{digest}) for qw(a b c d);
is_deeply $s->req(GET => "/v2/$repo/tags/list?n=2&last=a")->json->{tags}, [qw(b c)], 'page by page';
my @all;
for (my $next = "/v2/$repo/tags/list?n=2"; $next; ) {
	$r = $s->req(GET => $next);
	push @all, @{ $r->json->{tags} };
	$next = ($r->header('Link') // '') =~ /^<(?:https?:\/\/[^\/]*)?([^>]*)>/ ? $1 : '';
}
is "@all", '1 a b c d', 'the links lead to all of them';
is_deeply $s->req(GET => '/v2/library/app/tags/list?ns=docker.io')->json->{tags}, [qw(1 a b c d)], 'with ns, too';
my $sig = $u->image('library/app', undef, more => qq(,"artifactType":"application/x-sig","subject":{"mediaType":"$new->{type}","size":@{[ length $new->{json} ]},"digest":"$new->{digest}"}));
is_deeply [map { $_->{digest} } @{ $s->req(GET => "/v2/$repo/referrers/$new->{digest}")->json->{manifests} }], [$sig->{digest}], 'referrers are those of upstream';
is pull($s, $repo, $sig->{digest})->{fault}, '', 'and can be pulled';
my $fallback = $u->rule('/referrers/', { status => 404 });
my $f = $u->index('library/app', $new->{digest} =~ tr/:/-/r, $sig);
old_tag($s, $repo, '1', 1);
is_deeply [map { $_->{digest} } @{ $s->req(GET => "/v2/$repo/referrers/$new->{digest}")->json->{manifests} // [] }], [$sig->{digest}], 'those of the fallback tag where upstream knows no referrers';
$u->drop($fallback);
$u->down;
is_deeply [grep { $_ eq '1' } @{ $s->req(GET => "/v2/$repo/tags/list")->json->{tags} }], ['1'], 'upstream is away: the tags are those that are here';
is_deeply [map { $_->{digest} } @{ $s->req(GET => "/v2/$repo/referrers/$new->{digest}")->json->{manifests} }], [$sig->{digest}], 'so are the referrers';
my %catalog = map { ($_ => 1) } @{ $s->req(GET => '/v2/_catalog')->json->{repositories} };
ok $catalog{$repo} && $catalog{'team/own'}, 'the catalog has what is cached beside our own';
$u->up;

is cached_fault($s), '', 'all that is stored is what its name says';
ok wait_for { !spooled($s) }, 'no download is left';
done_testing;
