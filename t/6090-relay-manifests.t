#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What the relay asks of an upstream for a manifest, what it hands to a worker, and what nginx is told. Logins, lists and failures, too.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Berth::Test;
use Berth::RelayAlone;
use Berth::Upstream;

my $u = Berth::Upstream->start(auth => { users => { joe => 'p w' }, private => '^private/' });
my $r = Berth::RelayAlone->start(sprintf 'upstreams = ( { name = "up"; urls = [ "%s" ]; user = "joe"; password_file = "%s"; missing = "1h"; } );', $u->url, password('p w'));
my $image = $u->image('app', 'one');

sub password { my ($text) = @_; my $file = tmp_dir() . '/password'; spew($file, "$text\n"); return $file }
sub manifest { my (%o) = @_; return $r->get('/manifest', up => 'up', repo => 'up/app', name => 'app', ref => 'one', have => '', %o) }
sub to { my ($g) = @_; return "$g->{status} " . ($g->{headers}{'x-accel-redirect'} // $g->{body} =~ s/.*"code":"(\w+)".*/$1/sr) }
sub seen { my @all = $u->settled && map { "$_->{kind} " . ($_->{status} // 'none') } $u->requests; $u->forget; return join ' ', @all }

# --- a manifest that is not here
is to(manifest()), '200 /_berth/cached/fresh', 'a tag is fetched, and a worker serves it then';
my @handed = $r->handed;
is scalar @handed, 1, 'it was handed over once';
is "$handed[0]{method} $handed[0]{uri}", 'PUT /berth/v1/relay/manifest?repo=up%2Fapp&ref=one', 'as a manifest of the repository here';
is "$handed[0]{body} $handed[0]{type}", "$image->{digest} $image->{type}", 'with its bytes and its type';
is "$handed[0]{length} $handed[0]{id}", length($image->{json}) . ' test-id', 'its length, and the id of the request';
like seen(), qr/^GET manifest 401 .*GET manifest 200$/, 'upstream wanted a token first';
$r->forget;
is to(manifest(ref => $image->{digest})), '200 /_berth/cached/fresh', 'a digest is fetched, too';
is seen(), 'GET manifest 200', 'with the token that is still valid';
is +($r->handed)[0]{uri}, '/berth/v1/relay/manifest?repo=up%2Fapp&ref=' . ($image->{digest} =~ s/:/%3A/r), 'and handed over under it';

# --- a tag that is here
$r->forget;
is to(manifest(have => $image->{digest})), '200 /_berth/cached/fresh', 'a tag that is the same upstream';
is +($r->handed)[0]{uri}, '/berth/v1/relay/checked?repo=up%2Fapp&tag=one&digest=' . ($image->{digest} =~ s/:/%3A/r), 'counts as checked';
like seen(), qr/^HEAD manifest (200|304)$/, 'after a HEAD';
$u->rule('^HEAD ', { status => 405 });
$r->forget;
is to(manifest(have => $image->{digest})), '200 /_berth/cached/fresh', 'an upstream without HEAD is asked by GET';
is +($r->handed)[0]{body}, $image->{digest}, 'and the manifest is stored again';
$u->drop;
seen();
$r->forget;
my $two = $u->image('app', 'one');
is to(manifest(have => $image->{digest})), '200 /_berth/cached/fresh', 'a tag that is another upstream';
is +($r->handed)[0]{body}, $two->{digest}, 'is fetched';
seen();

# --- many at once
my $hang = $u->rule('^GET .*/manifests/', { hang_at => 10 });
my @all = map { $r->begin('/manifest', up => 'up', repo => 'up/app', name => 'app', ref => 'one', have => '') } 1 .. 50;
ok $u->held(1), 'a manifest is on its way';
close $all[0]{sock};
$u->drop($hang);
is_deeply [map { to($r->end($_)) } @all[1 .. 49]], [('200 /_berth/cached/fresh') x 49], '49 who wait are answered, though the first has gone';
is seen(), 'GET manifest 200', 'by one request';

# --- what is missing
is to(manifest(ref => 'none')), '404 MANIFEST_UNKNOWN', 'what upstream does not have is 404';
is to(manifest(ref => 'none')), '404 MANIFEST_UNKNOWN', 'and is remembered';
is seen(), 'GET manifest 404', 'so that it is asked for once';

# --- wrong answers
$r->forget;
for my $wrong ([{ flip_at => 20 }, 'another digest than it claims'], [{ digest => '', flip_at => 20 }, 'another digest than was asked for', $image->{digest}],
	[{ gzip => 1 }, 'an encoding that nobody asked for'], [{ big_header => 1 << 20 }, 'a header of a megabyte'], [{ endless => 1, no_length => 1 }, 'no end'],
	[{ says => 1 << 40 }, 'a terabyte'], [{ status => 200, body => '<html>', headers => { 'Content-Type' => 'text/html' } }, 'a page of HTML']) {
	my $rule = $u->rule('^GET .*/manifests/', $wrong->[0]);

	is to(manifest(ref => $wrong->[2] // 'one')), '200 /_berth/cached/stale?why=failed', "$wrong->[1]: a worker is to serve what is here";
	$u->drop($rule);
}
is scalar(() = $r->handed), 0, 'nothing of that was handed over';
is to(manifest()), '200 /_berth/cached/fresh', 'the relay goes on';
seen();

# --- failures
for my $f ([{ status => 500 }, 'failed'], [{ status => 503 }, 'failed'], [{ status => 429 }, 'limited'], [{ status => 403 }, 'denied'], [{ reset => 1 }, 'unreached']) {
	my $rule = $u->rule('^(GET|HEAD) .*/manifests/', $f->[0]);

	is to(manifest()), "200 /_berth/cached/stale?why=$f->[1]", "$f->[1] (@{[%{ $f->[0] }]})";
	$u->drop($rule);
}
seen();
is to(manifest(have => $two->{digest})), '200 /_berth/cached/stale?why=limited', 'where there is a copy, an upstream that just allowed no more is not asked';
is seen(), '', 'at all';
is to(manifest()), '200 /_berth/cached/fresh', 'where there is none, it is';
$r->worker_says(400);
is to(manifest()), '502 MANIFEST_INVALID', 'what the worker refuses is 502';
$r->worker_says(0);
$r->forget;
is to(manifest()), '503 UNAVAILABLE', 'without a worker it is 503';
is scalar(() = $r->handed), 2, 'after two of them were asked';
$r->worker_says(201);
seen();

# --- lists
my $tags = $r->get('/tags', up => 'up', repo => 'up/app', name => 'app', query => '', path => '');
is_deeply JSON::PP::decode_json($tags->{body}), { name => 'up/app', tags => ['one'] }, 'tags are those of upstream, under the name here';
$u->rule('^GET .*/tags/list', { headers => { Link => '</v2/app/tags/list?last=o%26ne&n=1>; rel="next"' } });
$tags = $r->get('/tags', up => 'up', repo => 'up/app', name => 'app', query => 'n=1&ns=up', path => '/v2/app/tags/list');
is $tags->{headers}{link}, '</v2/app/tags/list?ns=up&last=o%26ne&n=1>; rel="next"', 'the link to the next page leads here';
$u->drop;
my $ref = $r->get('/referrers', up => 'up', repo => 'up/app', name => 'app', digest => $two->{digest}, query => '', path => '');
is_deeply JSON::PP::decode_json($ref->{body})->{manifests}, [], 'an upstream without referrers has an empty index';
seen();

# --- what nginx would never ask
is $r->get('/manifest', up => 'none', repo => 'a', name => 'a', ref => 'b')->{status}, 400, 'an upstream that is none is 400';
is $r->get('/manifest', up => 'up', repo => '../a', name => 'a', ref => 'b')->{status}, 400, 'a name that is none, too';
is $r->get('/blob', up => 'up', repo => 'a', name => 'a', digest => 'sha256:1')->{status}, 400, 'and a digest';
is $r->get('/else')->{status}, 404, 'there is nothing else';

# --- passwords
my $wrong = Berth::RelayAlone->start(sprintf 'upstreams = ( { name = "up"; urls = [ "%s" ]; user = "joe"; password_file = "%s"; } );', $u->url, password('other'));
is to($wrong->get('/manifest', up => 'up', repo => 'up/app', name => 'app', ref => 'one', have => '')), '200 /_berth/cached/stale?why=login', 'a wrong password is no login';
$u->set(auth => { users => { joe => 'p w' }, kind => 'basic' });
my $basic = Berth::RelayAlone->start(sprintf 'upstreams = ( { name = "up"; urls = [ "%s" ]; user = "joe"; password_file = "%s"; } );', $u->url, password('p w'));
is to($basic->get('/manifest', up => 'up', repo => 'up/app', name => 'app', ref => 'one', have => '')), '200 /_berth/cached/fresh', 'Basic works';
$u->set(auth => { users => { joe => 'p w' }, methods => ['POST'], private => '.' });
is to($wrong->get('/manifest', up => 'up', repo => 'up/app', name => 'app', ref => 'one', have => '')), '200 /_berth/cached/stale?why=login', 'a wrong password by POST is none';
is to(manifest()), '200 /_berth/cached/fresh', 'a service that only knows POST works';
$u->set(auth => { users => { joe => 'p w' }, realm => 'other', private => '.' });
$u->forget;
my $listed = Berth::RelayAlone->start(sprintf 'upstreams = ( { name = "up"; urls = [ "%s" ]; user = "joe"; password_file = "%s"; realms = [ "127.0.0.3" ]; } );', $u->url, password('p w'));
my $fresh = Berth::RelayAlone->start(sprintf 'upstreams = ( { name = "up"; urls = [ "%s" ]; user = "joe"; password_file = "%s"; } );', $u->url, password('p w'));
is to($fresh->get('/manifest', up => 'up', repo => 'up/app', name => 'app', ref => 'one', have => '')), '200 /_berth/cached/stale?why=login',
	'a realm on another host that is not public is not asked';
ok !(grep { $_->{headers}{authorization} } $u->requests), 'and no password went out';
is to($listed->get('/manifest', up => 'up', repo => 'up/app', name => 'app', ref => 'one', have => '')), '200 /_berth/cached/fresh', 'if it is listed, it is';

my $m = $r->metrics;
cmp_ok $m->{'berth_upstream_requests_total{upstream="up",result="missing"}'}, '>=', 1, 'metrics tell what came of requests';
is $m->{berth_cache_coalesced_total}, 49, 'and how many needed none';
is $r->stop, 0, 'the relay ends well';
done_testing;
