#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Tags and referrers of a mirror: pages of upstream behind links to here, filters, the fallback tag, and what is answered when upstream is away. The catalog.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(sha512_hex);
use JSON::PP qw(decode_json encode_json);
use Berth::Test;
use Berth::Check;
use Berth::Cache;
use Berth::Metrics;
use Berth::Upstream;

my $u = Berth::Upstream->start;
my $s = mirror(upstreams => [['docker.io', $u, 'hosts = [ "hub.example" ]; stale = "1h";'], ['closed', $u, 'allow = [ "team/**" ];']], more => "delete = true;\n");
my $repo = 'docker.io/library/app';
my $i = $u->image('library/app', '1');
my $r;

sub asked { $u->settled; my @all = map { "$_->{method} $_->{path}" } $u->requests; $u->forget; return @all }
sub next_of { my ($r) = @_; return ($r->header('Link') // '') =~ /^<([^>]*)>; rel="next"$/ ? $1 : undef }
sub digests { my ($r) = @_; return [map { $_->{digest} } @{ $r->json->{manifests} }] }
# back - upstream answers again, and the relay has seen it
sub back { $u->drop; well($s, $u, 'docker.io'); asked(); return }

# --- pages
$u->tag('library/app', $_, $i->{digest}) for 'a' .. 'g';
for my $how (["/v2/$repo/tags/list?n=3", [], '/v2/docker.io/library/app/tags/list?'], ['/v2/library/app/tags/list?ns=docker.io&n=3', [], '/v2/library/app/tags/list?ns=docker.io&'],
	['/v2/library/app/tags/list?n=3', [Host => 'hub.example'], '/v2/library/app/tags/list?']) {
	my ($path, $headers, $begins) = @$how;
	my @tags;
	for (my $n = 0; $path && $n < 10; $n++) {
		$r = $s->req(GET => $path, headers => $headers);
		push @tags, @{ $r->json->{tags} };
		$path = next_of($r);
		is substr($path, 0, length $begins), $begins, "the link leads here: $begins" if $path;
	}
	is "@tags", '1 a b c d e f g', 'and the links to all of the tags';
}
asked();
# Quay, Harbor and others have parameters, and forms of the link, of their own
for my $link ('<https://quay.example/v2/library/app/tags/list?next_page=gAAAA%2BB%3D%3D&n=2>; rel="next"', '</v2/library/app/tags/list?next_page=gAAAA%2bB%3d%3d&n=2>;rel=next',
	'<tags/list?next_page=gAAAA%2BB%3D%3D&n=2#x>; rel="next"') {
	my $rule = $u->rule('/tags/list', { headers => { Link => $link } });
	my $next = next_of($s->req(GET => "/v2/$repo/tags/list?n=2"));
	is $next, "/v2/$repo/tags/list?next_page=gAAAA%2BB%3D%3D&n=2", "upstream's link $link leads here";
	asked();
	$r = $s->req(GET => $next);
	is_deeply [asked()], ['GET /v2/library/app/tags/list?next_page=gAAAA%2BB%3D%3D&n=2'], 'with the parameters that upstream wants';
	is next_of($r), undef, 'a link to the same page is none: clients would ask for ever';
	$u->drop($rule);
}
for my $link ('<http://evil.example/v2/x>; rel="next"', '<?>; rel="next"', '</x?n=3>; rel="prev"', 'next', '<</x?last=a>; rel="next"', '</x?la%73t=a&ev il=1&n=x&last=%0d%0aX:y&' . 'k' x 40 . '=1>; rel="next"',
	'</x?last=' . 'x' x 5000 . '>; rel="next"') {
	my $rule = $u->rule('/tags/list', { headers => { Link => $link } });
	$r = $s->req(GET => "/v2/$repo/tags/list");
	is $r->status, 200, 'a strange link is no fault: ' . substr $link, 0, 60;
	ok !defined next_of($r) || next_of($r) eq "/v2/$repo/tags/list?last=a", 'and leads nowhere, or here' or diag next_of($r);
	$u->drop($rule);
}
asked();
$s->req(GET => "/v2/library/app/tags/list?n=2&ns=docker.io&last=a%26b&x=%0A&y=%00");
is_deeply [asked()], ['GET /v2/library/app/tags/list?n=2&last=a%26b'], 'what goes upstream is encoded anew, without ns and without control bytes';
error_is $s->req(GET => "/v2/$repo/tags/list?last=" . 'x' x 3000), 400, undef, 'a query that is too long is refused';
is scalar(asked()), 0, 'and not asked upstream';

# --- many at once
my $rule = $u->rule('/tags/list', { silent => 1 });
sub coalesced { return metrics($s->watch('/metrics/relay')->body)->{berth_cache_coalesced_total} }
my $before = coalesced();
my @clients = map { get_begin($s, "/v2/$repo/tags/list") } 1 .. 8;
ok wait_for(sub { coalesced() == $before + 7 }), 'eight clients wait for one answer';
$u->drop($rule);
is join(' ', map { get_status($_) } @clients), join(' ', (200) x 8), 'and get it';
is scalar(asked()), 1, 'which takes one question upstream';

# --- referrers
my $subject = qq("subject":{"mediaType":"$i->{type}","size":@{[ length $i->{json} ]},"digest":"$i->{digest}"});
my %sig = map { ($_ => $u->image('library/app', undef, more => qq(,"artifactType":"application/$_",$subject))) } qw(sig sbom);
my $path = "/v2/$repo/referrers/$i->{digest}";
$r = $s->req(GET => $path);
is_deeply [sort @{ digests($r) }], [sort map { $_->{digest} } values %sig], 'referrers are those of upstream';
headers_are $r, { 'Content-Type' => OCI_INDEX, 'OCI-Filters-Applied' => undef, Link => undef }, 'as an index';
$r = $s->req(GET => "$path?artifactType=application%2Fsig");
is_deeply digests($r), [$sig{sig}{digest}], 'filtered';
headers_are $r, { 'OCI-Filters-Applied' => 'artifactType' }, 'which the answer says';
$rule = $u->rule('/referrers/', { headers => { 'OCI-Filters-Applied' => "annotations", Link => "<https://up.example/v2/library/app/referrers/$i->{digest}?nextToken=a%3D&artifactType=application%2Fsig>; rel=\"next\"" } });
$r = $s->req(GET => "$path?artifactType=application%2Fsig");
headers_are $r, { 'OCI-Filters-Applied' => undef }, 'a filter that nobody asked for is not repeated';
is next_of($r), "$path?nextToken=a%3D&artifactType=application%2Fsig", 'pages of referrers, too, lead here';
$u->drop($rule);
asked();
for my $how ([{ status => 404 }, '404'], [{ status => 405 }, '405'], [{ status => 200, body => '<html>', headers => { 'Content-Type' => 'text/html' } }, 'a page of HTML']) {
	my ($do, $title) = @$how;
	$rule = $u->rule('/referrers/', $do);
	is_deeply digests($s->req(GET => $path)), [], "no API ($title), and no fallback tag: none";
	$u->index('library/app', $i->{digest} =~ tr/:/-/r, $sig{sbom});
	is_deeply digests($s->req(GET => $path)), [$sig{sbom}{digest}], 'those of the fallback tag';
	headers_are $s->req(GET => "$path?artifactType=application%2Fsig"), { 'OCI-Filters-Applied' => undef }, 'which nobody has filtered';
	$u->untag('library/app', $i->{digest} =~ tr/:/-/r);
	$u->drop($rule);
	asked();
}
$rule = $u->rule('/referrers/', { status => 404 });
$s->req(GET => "/v2/$repo/referrers/sha512:" . sha512_hex('x'));
is +(asked())[-1], 'GET /v2/library/app/manifests/sha512-' . substr(sha512_hex('x'), 0, 64), 'the fallback tag of a sha512 has 64 of its digits';
$u->drop($rule);
for my $bad ('{"schemaVersion":2,"manifests":[{"mediaType":"a/b","size":1,"digest":"sha256:../../x"}]}', '{"manifests":[{"digest":"' . sha256('x') . '"}]}', '{"manifests":7}', '{"manifests":["x"]}') {
	$rule = $u->rule('/referrers/|/manifests/sha256-', { status => 200, body => $bad, headers => { 'Content-Type' => OCI_INDEX } });
	$r = $s->req(GET => "/v2/$repo/referrers/" . sha256($bad));
	error_is $r, 503, 'UNAVAILABLE', "no index of descriptors: $bad";
	$u->drop($rule);
	back();
}

# --- upstream is away
my $tags = "/v2/$repo/tags/list?n=4";
$s->req(GET => $_) for $tags, $path, "$path?artifactType=application%2Fsig";
get_manifest($s, $repo, 'b');
$u->down;
$r = $s->req(GET => $tags);
is_deeply $r->json->{tags}, [qw(1 a b c)], 'upstream is away: a page of tags that it gave';
like $r->header('Warning') // '', qr/^299 - ".+"$/, 'with a warning';
is next_of($r), "/v2/$repo/tags/list?n=4&last=c", 'and its link';
$r = $s->req(GET => next_of($r));
is_deeply $r->json->{tags}, [], 'of one that it did not give, what is here';
like $r->header('Warning') // '', qr/^299 - ".+"$/, 'with a warning';
is_deeply $s->req(GET => "/v2/$repo/tags/list?n=99")->json->{tags}, ['b'], 'that is the tags of cached manifests';
$r = $s->req(GET => "$path?artifactType=application%2Fsig");
is_deeply digests($r), [$sig{sig}{digest}], 'referrers that it gave';
headers_are $r, { 'OCI-Filters-Applied' => 'artifactType' }, 'with what they were filtered by';
like $r->header('Warning') // '', qr/^299/, 'and a warning';
error_is $s->req(GET => "/v2/$repo/referrers/" . sha256('never asked')), 503, 'UNAVAILABLE', 'referrers that it did not give are not said to be none';
error_is $s->req(GET => '/v2/docker.io/library/none/tags/list'), 503, 'UNAVAILABLE', 'nor tags that nobody has asked for to be missing';
$u->up;
back();
headers_are $s->req(GET => $tags), { Warning => undef }, 'upstream is back';
is $s->req(GET => '/v2/docker.io/library/none/tags/list')->status, 404, 'a repository that it has not got is 404';
is $s->req(GET => '/v2/closed/library/app/tags/list')->status, 404, 'one that is not mirrored, too';

# --- the catalog
$s->push_image('team/own', '1');
is_deeply [grep { m{/app$|own} } @{ $s->req(GET => '/v2/_catalog')->json->{repositories} }], [$repo, 'team/own'], 'the catalog has what is cached beside what is pushed';
done_testing;
