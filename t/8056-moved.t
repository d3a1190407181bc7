#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Settings of registry:2 and what they change in a registry that serves: the log, the catalog, the debug address, uploads.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Metrics;

my $yml = tmp_dir() . '/config.yml';
spew($yml, <<"YML");
version: 0.1
log:
  accesslog: {disabled: true}
  fields: {service: "a \\"registry\\"", zone: eu}
storage:
  delete: {enabled: true}
  maintenance:
    uploadpurging: {enabled: true, age: 168h, interval: 1s, dryrun: false}
catalog: {maxentries: 3}
http:
  debug:
    addr: localhost:5001
    prometheus: {enabled: true, path: /prometheus}
notifications:
  events: {includereferences: true}
YML
my $s = Berth::Server->start(workers => 2, env => { REGISTRY_CONFIGURATION_PATH => $yml, REGISTRY_LOG_HOOKS => '[{type: mail}]' });

# The log
my @events = $s->log_events;
is scalar(grep { ($_->{service} // '') ne 'a "registry"' || ($_->{zone} // '') ne 'eu' } @events), 0, 'each line of the log has the fields of the configuration';
is join("\n", map { $_->{message} } grep { $_->{event} eq 'configuration' } @events), qq($yml:15: "notifications.events.includereferences" has no effect: an event names a manifest, and the manifest what it refers to\n)
	. 'REGISTRY_LOG_HOOKS has no effect: berth sends no mail; an alert on its metrics does (doc/METRICS.md)', 'each warning is a line of the log';
is $s->req(GET => '/v2/')->status, 200, 'it serves';
is scalar(() = $s->access_log), 0, 'and keeps no access log';

# The catalog
$s->push_blob("repo/$_", "x") && $s->push_image("repo/$_", 'v') for 1 .. 5;
my $r = $s->req(GET => '/v2/_catalog');
is $r->json->{repositories}[-1], 'repo/3', 'a page of the catalog has as many names as the configuration says';
like $r->header('Link'), qr/last=repo%2F3&n=3>/, 'and a link to the next';
is scalar @{ $s->req(GET => '/v2/_catalog?n=1000')->json->{repositories} }, 3, 'whatever is asked for';
is scalar @{ $s->req(GET => '/v2/_catalog?n=2')->json->{repositories} }, 2, 'less if less is asked for';

# The debug address
wait_for { ($r = $s->watch('/debug/health'))->status == 200 };         # the master may not have heard of all workers yet
is $r->status . $r->body, "200{}\n", '/debug/health of a registry that is well';
like $r->header('Content-Type'), qr{^application/json}, 'is JSON';
is $s->watch('/metrics')->status, 404, 'the metrics are where the configuration says';
is $s->req(GET => $_)->status, 404, "$_ is not where the registry listens" for '/debug/health', '/prometheus';
# nginx may not have closed the connection before
my $text;
wait_for { ($text = $s->watch('/prometheus')->body) =~ /^registry_http_in_flight_requests 1$/m };
my %m = map { /^([a-z_]+(?:\{.*\})?) (\S+)$/ } split /\n/, $text;
is $m{'registry_http_requests_total{code="200",handler="catalog",method="get"}'}, 3, 'registry_http_requests_total counts';
is $m{'registry_http_requests_total{code="201",handler="blob_upload_chunk",method="put"}'} + ($m{'registry_http_requests_total{code="201",handler="blob_upload",method="post"}'} // 0),
	$m{'berth_http_requests_total{route="upload",method="PUT",status="201"}'} + ($m{'berth_http_requests_total{route="uploads",method="POST",status="201"}'} // 0), 'uploads, by its names';
is $m{'registry_http_in_flight_requests'}, 1, 'registry_http_in_flight_requests: the scrape';
is $m{'registry_http_request_duration_seconds_count{handler="catalog"}'}, 3, 'registry_http_request_duration_seconds';
is $m{"registry_http_${_}_size_bytes_sum{handler=\"manifest\"}"}, $m{"berth_http_${_}_bytes_total{route=\"manifest\"}"}, "registry_http_${_}_size_bytes" for qw(request response);

# Uploads that nobody goes on with
my $garbage = blob_file($s, $s->push_blob('repo/1', 'nobody names this'));
my $loc = upload_start($s, 'repo/1');
is $s->req(PATCH => $loc, body => 'some bytes')->status, 202, 'an upload is begun';
spew($yml, slurp($yml) =~ s/age: 168h/age: 1s/r);
$s->reload;
ok +(wait_for { $s->req(GET => $loc)->status == 404 }), 'an upload that nobody goes on with is removed';
my ($purged) = wait_for { grep { $_->{event} eq 'purged' && $_->{uploads} } $s->log_events };
ok $purged, 'the log says so';
ok -e $garbage, 'nothing else is collected';
is scalar(grep { $_->{event} eq 'collected' } $s->log_events), 0, 'it is no collection';
%m = map { /^([a-z_]+(?:\{.*\})?) (\S+)$/ } split /\n/, $s->watch('/prometheus')->body;
is $m{berth_uploads_open}, 0, 'the upload is no longer counted as open';
is $m{'berth_gc_runs_total{result="done"}'}, 0, 'nor is a collection counted';
$s->stop;

# Without the age nothing is removed: the default is a week
$s = Berth::Server->start(workers => 2, env => { REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING => '{enabled: false, interval: 1s, age: 1s}' });
$loc = upload_start($s, 'repo/1');
is run({ env => { REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING => '{enabled: false, interval: 1s, age: 1s}' } }, program('berth'), '--config', '/dev/null', 'config', 'show')->{out} =~ /^gc\.uploads_every = (\d+)$/m && $1, 0,
	'where purging is off it is never begun';
is $s->req(GET => $loc)->status, 204, 'and an upload stays';

# A store that cannot be written
my $tmp = $s->root . '/berth/tmp';
rename $tmp, "$tmp.away" or die "rename: $!";
$r = wait_for { my $r = $s->watch('/debug/health'); $r->status == 503 ? $r : undef };
ok $r, 'a store that cannot be written is 503';
like $r->json->{storagedriver_filesystem}, qr/./, 'with the reason';
rename "$tmp.away", $tmp or die "rename: $!";

done_testing;
