#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The logs: one JSON line a request, the same id in nginx's log, hostile text harmless, no secret.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use MIME::Base64 qw(encode_base64);
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n");
my ($d) = $s->push_image('log/app', 'one', layers => ['layer']);
my $blob = sha256('layer');
my $loc = upload_start($s, 'log/app');
my ($uuid) = $loc =~ m{([^/]+)$};
wait_for { 6 == (() = $s->access_log) };     # one process of nginx may be slower than another one

# fresh - does something and gives the events of requests that it made, and nginx's lines for them
sub fresh {
	my ($what, $n) = @_;
	my ($a, $b) = (scalar(my @x = $s->log), scalar(my @y = $s->access_log));
	$what->();
	wait_for { my @l = $s->access_log; @l >= $b + $n };
	my @e = $s->log_events;
	my @n = $s->access_events;
	return ([grep { ($_->{event} // '') eq 'request' } @e[$a .. $#e]], [@n[$b .. $#n]]);
}

for my $c (
	['GET', '/v2/?by=a-worker', 200, undef, undef],         # nginx answers /v2/ by itself here
	['GET', '/v2/_catalog?n=5', 200, undef, undef],
	['GET', '/v2/log/app/tags/list', 200, 'log/app', undef],
	['GET', '/v2/log/app/manifests/one', 200, 'log/app', 'one'],
	['HEAD', "/v2/log/app/manifests/$d", 200, 'log/app', $d],
	['GET', '/v2/log/app/manifests/none', 404, 'log/app', 'none', 'MANIFEST_UNKNOWN'],
	['GET', "/v2/log/app/blobs/$blob", 200, 'log/app', $blob],
	['GET', '/v2/log/app/blobs/' . sha256('none'), 404, 'log/app', sha256('none'), 'BLOB_UNKNOWN'],
	['POST', '/v2/log/app/blobs/uploads/', 202, 'log/app', undef],
	['PATCH', $loc, 202, 'log/app', $uuid, undef, 'bytes'],
	['GET', $loc, 204, 'log/app', $uuid],
	['PUT', "$loc?digest=" . sha256('bytes'), 201, 'log/app', $uuid],
	['PATCH', $loc, 404, 'log/app', $uuid, 'BLOB_UPLOAD_UNKNOWN', 'bytes'],
	['PUT', '/v2/log/app/manifests/bad', 400, 'log/app', 'bad', 'MANIFEST_INVALID', '{}'],
	['DELETE', '/v2/log/app/manifests/none', 404, 'log/app', 'none', 'MANIFEST_UNKNOWN'],
	['GET', '/v2/Log/app/tags/list', 400, 'Log/app', undef, 'NAME_INVALID'],
	['POST', '/v2/log/app/tags/list', 405, 'log/app', undef, 'UNSUPPORTED']) {
	my ($m, $p, $status, $repo, $ref, $code, $body) = @$c;
	(my $short = "$m $p") =~ s/[0-9a-f]{20,}|[0-9a-f]+(-[0-9a-f]+){4}/.../g;
	my ($ev, $ng) = fresh(sub { $s->req($m, $p, defined $body ? (body => $body, headers => ['Content-Type' => OCI_MANIFEST]) : ()) }, 1);
	is scalar(@$ev), 1, "$short: one event";
	is scalar(@$ng), 1, "$short: one line in nginx's log";
	my $e = $ev->[0] // {};
	like $e->{time} // '', qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, "$short: its time is UTC with milliseconds";
	is $e->{status}, $status, "$short: its status";
	is $e->{method}, $m, "$short: its method";
	is $e->{repository}, $repo, "$short: its repository";
	is $e->{reference}, $ref, "$short: its reference";
	is $e->{remote}, '127.0.0.1', "$short: the remote address";
	like $e->{ms} // '', qr/^\d+(\.\d+)?$/, "$short: the milliseconds";
	like $e->{level} // '', qr/^(info|warn)$/, "$short: its level";
	is $e->{code}, $code, "$short: its error code";
	ok defined $e->{error}, "$short: what was wrong" if defined $code && $status != 405;
	like $e->{request_id} // '', qr/^[0-9a-f]{32}$/, "$short: its id";
	is $ng->[0]{request_id}, $e->{request_id}, "$short: nginx's log has the same id";
	is $ng->[0]{status}, $status, "$short: nginx's log has the same status";
	is $ng->[0]{method}, $m, "$short: nginx's log has the same method";
}
my %seen;
$seen{ $_->{request_id} }++ for grep { ($_->{event} // '') eq 'request' } $s->log_events;
is_deeply [grep { $seen{$_} != 1 } keys %seen], [], 'no id comes twice';
my @asked = ('/v2/log/app/tags/list', '/v2/log/app/manifests/v1', '/v2/log/app/manifests/no', '/v2/_catalog', '/v2/log/app/blobs/' . sha256('{}'));
my @told;
fresh(sub { @told = grep { $s->req('GET', $_)->as_string =~ /^X-Berth-/mi } @asked }, scalar @asked);
is "@told", '', 'no client is told the header by which nginx knows the id';

# hostile text
my $esc = '%1b%5b31m%0a%0d%22%5c%7d';
my @hostile = ("/v2/log/app/manifests/$esc", "/v2/$esc/tags/list", '/v2/log/app/manifests/%ff%fe%c0%80', '/v2/log/app/manifests/%e2%80%ae%c2%85', '/v2/log/app/manifests/' . 'A' x 20_000,
	'/v2/' . 'b' x 20_000 . '/tags/list', '/v2/log/app/manifests/%22,%22level%22:%22forged%22', '/v2/log/app/tags/list?n=%0a%22' . 'x' x 3000, '/v2/' . '%0a' x 3000, '/v2/log/app/blobs/' . 'sha256:' . '%01' x 500,
	'/v2/' . '%00' x 10, "/nothing/$esc");
my (undef, $ng) = fresh(sub {
	for my $p (@hostile) {
		$s->req('GET', $p, headers => ['User-Agent' => qq(evil"\\\x{01}\x{1b}[0m\x{ff}), 'X-Forwarded-For' => qq(1.2.3.4", "level":"forged), 'X-Request-Id' => 'forged-id', Referer => '"}']);
	}
}, scalar @hostile);
is scalar(@$ng), scalar(@hostile), "each hostile request is one line in nginx's log";
is scalar(grep { defined $_->{not_json} } $s->log_events, $s->access_events), 0, 'every line of both logs is JSON';
for my $f ($s->log_file, $s->dir . '/nginx/access.log') {
	my $raw = content_of($f);
	(my $name = $f) =~ s{.*/}{};
	unlike $raw, qr/[\x00-\x09\x0b-\x1f\x7f]/, "no control byte is in $name";
	ok utf8::decode(my $copy = $raw), "$name is UTF-8";
	unlike $raw, qr/"level"\s*:\s*"forged"/, "no client forges a member of $name";
}
cmp_ok length, '<', 4000, 'a line of the log is cut: ' . length for (sort { length $b <=> length $a } $s->log)[0];
my ($cut) = grep { /"reference":"A{100,}/ } $s->log;
like $cut // '', qr/"reference":"A{400,512}\.\.\."/, 'a long reference is cut and says so';
ok !(grep { ($_->{request_id} // '') eq 'forged-id' } $s->log_events), 'the id is ours, not what a client says';
ok !(grep { ($_->{remote} // '127.0.0.1') ne '127.0.0.1' } $s->log_events), 'the remote address is not what a client says';

# secrets, at the most talkative level
my $t = Berth::Server->start(config => qq(log: { level = "debug"; };\n));
my @secret = ('Basic ' . encode_base64('someone:hunter2secret', ''), 'Bearer eyJhbGciOiJSUzI1NiJ9.c2VjcmV0LXBheWxvYWQ.c2lnbmF0dXJl', 'Digest response="d1ge5tsecret"');
for my $a (@secret) {
	my @h = (Authorization => $a, Cookie => 'session=c00kiesecret', 'Proxy-Authorization' => 'Basic cHJveHlzZWNyZXQ=');
	$t->req('GET', '/v2/', headers => \@h);
	$t->req('GET', '/v2/log/app/manifests/none', headers => \@h);
	$t->req('GET', '/nothing', headers => \@h);
	my $r = $t->req('POST', '/v2/log/app/blobs/uploads/', headers => \@h);
	$t->req('PATCH', path_of($r->header('Location')), headers => \@h, body => 'x');
	$t->req('PUT', '/v2/log/app/manifests/x', headers => [@h, 'Content-Type' => OCI_MANIFEST], body => '{');
	$t->req('DELETE', '/v2/log/app/manifests/x', headers => \@h);
	$t->req('GET', '/v2/Bad/tags/list', headers => \@h);
}
wait_for { my @l = $t->access_log; @l >= 24 };
my $all = join '', map { content_of($_) // '' } $t->log_file, $t->dir . '/nginx/access.log', $t->dir . '/nginx.log';
for my $x ((map { (split / /, $_)[1] } @secret), 'hunter2secret', 'd1ge5tsecret', 'c00kiesecret', 'cHJveHlzZWNyZXQ', 'c2VjcmV0LXBheWxvYWQ') {
	ok index($all, $x) < 0, 'no log has ' . substr $x, 0, 20;
}
like $all, qr/"event":"precheck"/, 'at level debug the questions of nginx are logged too';
unlike join("\n", $s->log), qr/"event":"precheck"/, 'at level info they are not';

# levels
for my $c (['error', '', ''], ['warn', '', ''], ['info', 'request', ''], ['debug', 'request', 'precheck'], ['env', 'request', 'precheck']) {
	my ($level, @want) = @$c;
	# a start at level error says nothing, also not that it is ready: begin with info
	my $e = Berth::Server->start(workers => 1, $level eq 'env' ? (env => { REGISTRY_LOG_LEVEL => 'debug' }) : ());
	my %old = map { $_ => 1 } $e->worker_pids;
	$e->config('log: { level = "' . ($level eq 'env' ? 'error' : $level) . qq("; };\n));
	$e->reload;
	wait_for { my @now = $e->worker_pids; @now && !grep { $old{$_} } @now };
	$e->push_blob('log/app', 'x');
	my %has = map { ($_->{event} // '') => 1 } $e->log_events;
	is_deeply [map { $has{$_} ? $_ : '' } 'request', 'precheck'], \@want, $level eq 'env' ? 'REGISTRY_LOG_LEVEL wins over the file' : "what is logged at level $level";
	$e->stop;
}

# a fault of our own: the log has the cause, the client the id
my $f = Berth::Server->start(workers => 1);
$f->push_blob('log/app', 'x');
rename data_dir($f) . '/blobs/sha256', data_dir($f) . '/blobs/away' or die;
lay_file(data_dir($f) . '/blobs/sha256', 'a file where a directory should be');
my $lines = () = $f->log;
my $r = $f->req('POST', '/v2/log/app/blobs/uploads/?digest=' . sha256('y'), body => 'y');
cmp_ok $r->status, '>=', 500, 'a fault of the disk is 5xx';
like $r->code // '', qr/^(UNKNOWN|UNAVAILABLE)$/, 'UNKNOWN or UNAVAILABLE';
unlike $r->body, qr{docker/registry|blobs/sha256|/tmp|ENOTDIR|directory}i, 'the client is told nothing of the disk';
my @fault = grep { ($_->{event} // '') eq 'request' && $_->{status} == $r->status } splice @{ [$f->log_events] }, $lines;
is scalar(@fault), 1, 'the log has the request';
is $fault[0]{level}, 'error', 'as an error';
ok defined $fault[0]{cause}, 'with its cause';
ok defined $fault[0]{errno}, 'and the errno';
like $r->body, qr/\Q$fault[0]{request_id}/, 'the body has the id of the request' if $r->status == 500 && $fault[0];

done_testing;
