#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What /metrics counts, each thing caused once; that Prometheus can read it; and that doc/METRICS.md lists it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Fcntl qw(:flock);
use Time::HiRes qw(sleep);
use Berth::Test;
use Berth::Auth;
use Berth::Check;
use Berth::Metrics;

need_program('promtool');
my $htpasswd = spew(tmp_dir() . '/htpasswd', htpasswd(alice => 'a'));
my $open = "delete = true; gc = { grace = \"1s\"; };\n";
my $s = Berth::Server->start(workers => 2, config => $open);
my ($m, $was);

# caused(what, name => by how much, ...) - does something; what has grown
sub caused
{
	my ($title, $what, %want) = @_;

	$was = metrics($s);
	$what->();
	$m = metrics($s);
	is delta($was, $m, $_), $want{$_}, "$title: $_" for sort keys %want;
}
sub requests { my ($route, $method, $status) = @_; return "berth_http_requests_total{route=\"$route\",method=\"$method\",status=\"$status\"}" }
sub in_bytes { return "berth_http_request_bytes_total{route=\"$_[0]\"}" }
sub out_bytes { return "berth_http_response_bytes_total{route=\"$_[0]\"}" }

# --- at the beginning, when the master has heard of all workers, and nginx has closed the connection before
wait_for {
	$m = metrics($s);
	my @few = grep { ($m->{"berth_workers{pool=\"$_\"}"} // -1) != ($m->{"berth_workers_wanted{pool=\"$_\"}"} // 0) } qw(requests writes uploads);
	return !@few && $m->{'berth_nginx_connections{state="writing"}'} == 1;
};
is by_name($m, 'berth_http_requests_total'), 0, 'to begin with nothing was asked; who watches is not counted';
is $m->{'berth_workers{pool="requests"}'}, 2, 'workers';
is $m->{'berth_workers{pool="writes"}'}, 2, '... as many for writes';
is $m->{'berth_workers{pool="uploads"}'}, $m->{'berth_workers_wanted{pool="uploads"}'}, '... and those for uploads';
ok !exists $m->{berth_stored_blobs}, 'what the store holds is not known before a collection';
is $m->{'berth_nginx_connections{state="writing"}'}, 1, 'nginx says how many connections it writes to';
like scrape($s), qr/^berth_build_info\{version="[0-9.]+"\} 1$/m, 'the version';
cmp_ok $m->{berth_store_free_bytes}, '<=', $m->{berth_store_size_bytes}, 'how much room there is';

# --- requests
my $blob = random_bytes(50_000);
my $d = sha256($blob);
my $loc;
caused('POST of an upload', sub { $loc = upload_start($s, 'met/app') },
	requests('uploads', 'POST', 202) => 1, berth_http_requests_total => 1, berth_uploads_begun_total => 1, berth_uploads_open => 1,
	'berth_http_request_duration_seconds_count{route="uploads"}' => 1);
caused('PATCH', sub { $s->req(PATCH => $loc, body => substr $blob, 0, 20_000) },
	requests('upload', 'PATCH', 202) => 1, berth_http_requests_total => 1, in_bytes('upload') => 20_000, berth_blobs_added_total => 0);
caused('PATCH of a chunked body', sub { $s->req(PATCH => $loc, body => substr($blob, 20_000, 10_000), chunked => 1) },
	requests('upload', 'PATCH', 202) => 1, in_bytes('upload') => 10_000);
caused('PUT', sub { $s->req(PUT => "$loc?digest=$d", body => substr $blob, 30_000) },
	requests('upload', 'PUT', 201) => 1, in_bytes('upload') => 20_000, berth_blobs_added_total => 1, berth_blob_added_bytes_total => 50_000,
	berth_uploads_ended_total => 1, berth_uploads_open => -1);
caused('the same blob again', sub { $s->push_blob('met/app', $blob) },
	berth_blobs_added_total => 0, berth_blob_added_bytes_total => 0, berth_uploads_begun_total => 1, berth_uploads_ended_total => 1);
caused('a cancelled upload', sub { $s->req(DELETE => upload_start($s, 'met/app')) }, berth_uploads_begun_total => 1, berth_uploads_ended_total => 1, berth_uploads_open => 0);
caused('a PUT with a wrong digest', sub { $s->req(PUT => upload_start($s, 'met/app') . '?digest=' . sha256('other'), body => 'x') },
	requests('upload', 'PUT', 400) => 1, berth_uploads_ended_total => 1, berth_blobs_added_total => 0);
caused('GET of a blob', sub { $s->req(GET => "/v2/met/app/blobs/$d") }, requests('blob', 'GET', 200) => 1, out_bytes('blob') => 50_000);
caused('GET of a part', sub { $s->req(GET => "/v2/met/app/blobs/$d", headers => [ Range => 'bytes=49000-60000' ]) },
	requests('blob', 'GET', 200) => 1, out_bytes('blob') => 1000);
caused('GET with If-Range', sub { $s->req(GET => "/v2/met/app/blobs/$d", headers => [ Range => 'bytes=0-0', 'If-Range' => "\"$d\"" ]) }, out_bytes('blob') => 1);
caused('GET with an If-Range of something else', sub { $s->req(GET => "/v2/met/app/blobs/$d", headers => [ Range => 'bytes=0-0', 'If-Range' => $_ ]) for '"x"', $d }, out_bytes('blob') => 100_000);
caused('GET with If-Match, which a worker answers', sub { $s->req(GET => "/v2/met/app/blobs/$d", headers => [ 'If-Match' => "\"$d\"" ]) }, out_bytes('blob') => 50_000);
caused('a part of it', sub { $s->req(GET => "/v2/met/app/blobs/$d", headers => [ 'If-Match' => "\"$d\"", Range => 'bytes=1-10' ]) }, out_bytes('blob') => 10);
caused('HEAD of a blob', sub { $s->req(HEAD => "/v2/met/app/blobs/$d") }, requests('blob', 'HEAD', 200) => 1, out_bytes('blob') => 0);
caused('a blob that is not there', sub { $s->req(GET => '/v2/met/app/blobs/' . sha256('none')) }, requests('blob', 'GET', 404) => 1);
my ($md, $json) = $s->push_image('met/app', 'v1', layers => [$blob]);
caused('a manifest', sub { $s->req(GET => '/v2/met/app/manifests/v1') }, requests('manifest', 'GET', 200) => 1, out_bytes('manifest') => length $json,
	'berth_http_request_duration_seconds_count{route="manifest"}' => 1);
caused('a manifest that is pushed again', sub { $s->req(PUT => '/v2/met/app/manifests/v2', body => $json, headers => [ 'Content-Type' => 'application/vnd.docker.distribution.manifest.v2+json' ]) },
	requests('manifest', 'PUT', 201) => 1, in_bytes('manifest') => length $json, berth_blobs_added_total => 0);
caused('an upload that does not exist', sub { $s->req(PATCH => '/v2/met/app/blobs/uploads/12345678-1234-4234-8234-123456789012', body => 'x' x 1000) },
	requests('upload', 'PATCH', 404) => 1, berth_http_requests_total => 1, in_bytes('upload') => 0);
caused('a path that leads nowhere', sub { $s->req(GET => '/v2/nowhere') }, requests('none', 'GET', 404) => 1);
caused('a method that nobody knows', sub { $s->req(PROPFIND => '/v2/') }, requests('base', 'other', 405) => 1);
caused('names of a client', sub { $s->req(GET => "/v2/$_/tags/list") for 'a/b', 'c/d', 'e' x 200 }, requests('tags', 'GET', 404) => 3);
unlike scrape($s), qr{a/b|met/app|e{200}|PROPFIND}, 'nothing that a client says becomes a label';

# --- waits for a lock
caused('a wait for a lock', sub {
	open my $h, '+<', sprintf '%s/berth/locks/repository/%s', $s->root, substr sha256('met/app'), 7, 2 or die;
	flock $h, LOCK_EX;
	my ($inode) = (stat $h)[1];
	run_parallel(2, sub {
		return $s->push_manifest('met/app', 'v3', $json, 'application/vnd.docker.distribution.manifest.v2+json')->status if $_[0] == 0;
		wait_for { content_of('/proc/locks') =~ /-> FLOCK .*:$inode / };
		sleep 0.3;
		flock $h, LOCK_UN;
	});
}, 'berth_lock_wait_seconds_count{lock="repository"}' => 1, 'berth_lock_wait_seconds_bucket{lock="repository",le="0.1"}' => 0,
	'berth_lock_wait_seconds_count{lock="upload"}' => 0);
cmp_ok delta($was, $m, 'berth_lock_wait_seconds_sum{lock="repository"}'), '>=', 0.2, '... and how long';

# --- collections
my @gc = (program('berth'), '--config', $s->config_file, '--root', $s->root, 'gc');
sub on_disk
{
	my $dir = data_dir($s) . '/blobs';
	my @files = map { "$dir/$_" } grep { m{/data$} } files_below($dir);
	my $bytes = 0;
	$bytes += -s $_ for @files;
	return (scalar @files, $bytes);
}
sub blobs_are
{
	my ($title) = @_;
	my ($n, $bytes) = on_disk();
	my $m = metrics($s);
	is $m->{berth_stored_blobs}, $n, "$title: the blobs are known";
	is $m->{berth_stored_bytes}, $bytes, "$title: and their bytes";
}
my $garbage = $s->push_blob('met/app', 'nobody names this');
my $left = upload_start($s, 'met/app');
caused('a dry run', sub { run_ok(@gc, '--dry-run', 'a dry run') }, berth_gc_runs_total => 0);
ok !exists $m->{berth_stored_blobs}, '... says nothing';
sleep 2.1;
my $from = int time;
caused('a collection by hand', sub { run_ok(@gc, 'a collection by hand') }, 'berth_gc_runs_total{result="done"}' => 1, 'berth_gc_removed_total{kind="link"}' => 1,
	'berth_gc_removed_total{kind="blob"}' => 1, berth_gc_freed_bytes_total => length 'nobody names this', berth_uploads_open => 0);
blobs_are('after a collection');
is $m->{berth_uploads_open}, 1, '... and uploads under way';
ok $m->{berth_gc_last_end_timestamp_seconds} >= $from && $m->{berth_gc_last_end_timestamp_seconds} <= time, '... and when it ended';
like $m->{berth_gc_last_duration_seconds}, qr/^\d+(?:\.\d+)?$/, '... and how long it took';
caused('asking again', sub { metrics($s) for 1 .. 5 }, berth_gc_runs_total => 0, berth_gc_freed_bytes_total => 0);
$s->push_blob('met/more', random_bytes(3000));
$s->push_image('met/more', 'v1');
blobs_are('after more was pushed');
$s->reload;
blobs_are('after a reload');
$s->restart;
ok wait_for(sub { $s->watch('/readyz')->status == 200 }), 'a restart';
$m = metrics($s);
is $m->{'berth_gc_runs_total{result="done"}'}, 0, 'a collection before the start is not counted';
ok exists $m->{berth_stored_blobs}, '... but what it found is';
run_ok(@gc, 'another collection');
blobs_are('after a restart and a collection');
my @rules = (program('berth'), '--config', spew(tmp_dir() . '/rules.conf', "rules = ( { repo = \"met/more\"; keep = (); } );\n"), '--root', $s->root);
caused('a collection with a new rule', sub { run_ok(@rules, 'gc', 'a rule that waits') }, berth_rules_removed_tags_total => 0, berth_rules_waiting_tags => 1);
caused('rules by hand', sub { run_ok(@rules, 'rules', 'apply', 'rules are applied') }, berth_rules_removed_tags_total => 1, berth_rules_waiting_tags => -1);
ok $m->{berth_rules_last_run_timestamp_seconds} >= $from && $m->{berth_rules_last_run_timestamp_seconds} <= time, '... when they ran';
my $last = $s->root . '/berth/gc/last';
for my $bad ('', "run 1\n", "run x\nkept_blobs 7\n", "kept_blobs 7\n", "run 18446744073709551616\n", "run 5", "run\n", "\n\n", 'x' x 5000, "run 5\nkept_blobs -1\n", "run 5\0\n") {
	spew($last, $bad);
	my $m = metrics($s);
	is exists $m->{berth_stored_blobs} ? $m->{berth_stored_blobs} : 'unknown', $bad eq "run 1\n" ? 0 : 'unknown', 'a text of a collection that is ' . (length $bad) . ' bytes long';
}
$s->config("$open gc = { every = \"1s\"; grace = \"1s\"; };\n" =~ s/gc = \{ grace = "1s"; \};//r);
$s->push_blob('met/app', 'nor this');
$was = metrics($s);
$s->reload;
ok wait_for(sub { delta($was, metrics($s), 'berth_gc_removed_total{kind="blob"}') >= 1 }), "a collection of berth-fcgi's own is counted";
my $runs = by_name(metrics($s), 'berth_gc_runs_total');
ok wait_for(sub { by_name(metrics($s), 'berth_gc_runs_total') > $runs }), '... each time';
is metrics($s)->{'berth_gc_runs_total{result="failed"}'}, 0, '... and none as failed';
my $lock = $s->root . '/berth/locks/run';
# at once: a collection that found no file would make one
link $lock, "$lock.away" or die "$lock: $!";
symlink '.', "$lock.dir" or die "$lock: $!";
rename "$lock.dir", $lock or die "$lock: $!";
ok wait_for(sub { metrics($s)->{'berth_gc_runs_total{result="failed"}'} > 0 }), 'one that fails is counted as that';

# --- logins
rename "$lock.away", $lock or die "$lock: $!";
$s->config("auth = { htpasswd = \"$htpasswd\"; };\n");
$s->restart;
ok wait_for(sub { $s->watch('/readyz')->status == 200 }), 'with passwords';
sub refused { return "berth_logins_refused_total{reason=\"$_[0]\"}" }
caused('a good login, and none', sub { $s->req(GET => '/v2/', headers => [basic('alice', 'a')]); $s->req(GET => '/v2/') }, berth_logins_refused_total => 0, requests('base', 'GET', 401) => 1);
caused('a wrong password', sub { $s->req(GET => '/v2/', headers => [basic('alice', 'b')]) }, refused('wrong') => 1);
caused('too many of them', sub { for (1 .. 60) { last if $s->req(GET => '/v2/', headers => [basic('alice', "b$_")])->status == 429 } }, refused('throttled') => 1);

# --- what Prometheus says of it, and what the document says
my $text = scrape($s);
my $lint = run({ stdin => $text }, 'promtool', 'check', 'metrics');
is $lint->{status} . $lint->{out} . $lint->{err}, '0', 'promtool finds nothing wrong with it';
run_ok(@gc, 'a collection, so that all there is is shown');
# ... and a quota: t/3045-quota-told.t; and what is mirrored: t/8117-cache-metrics.t; and an endpoint, to which nobody delivers without this lock: t/8065-hooks.t
open my $held, '>', $s->root . '/berth/journal/readers/lock' or die;
flock $held, LOCK_EX or die;
$s->config("rules = ( { repo = \"**\"; quota = \"1 GiB\"; } );\nnotifications = ( { name = \"hook\"; url = \"http://127.0.0.1:9/\"; } );\n"
	. "upstreams = ( { name = \"up.example\"; urls = [ \"http://127.0.0.1:9\" ]; } );\n");
$s->replace_workers or die 'the workers stay';
my $of = families(scrape($s));
is join(' ', grep { !$of->{$_}{help} || !$of->{$_}{type} } sort keys %$of), '', 'each has a help and a type';
my %row;
# those of the relay: t/8117-cache-metrics.t
for (split /\n/, slurp(source_dir() . '/doc/METRICS.md') =~ s/^### The relay's\n.*?(?=^### )//msr) {
	my ($name, $type, $labels) = /^\| `((?:berth|registry)_[a-z_]+)` \| (\w+) \|([^|]*)\| / or next;
	my @labels = $labels =~ /`([a-z]+)`/g;
	# those of nginx/traffic: t/8062-traffic.t; of a store that several machines may have: t/8621-machines-seen.t
	$row{$name} = "$type " . join ',', sort @labels if $name !~ /^berth_(?:nginx_(?:requests|received|sent)|machines)/;
}
is join("\n", map { "$_ $row{$_}" } sort keys %row), join("\n", map { "$_ $of->{$_}{type} " . join ',', sort keys %{ $of->{$_}{labels} } } sort keys %$of),
	'doc/METRICS.md lists each by name, type and labels, and no other';

done_testing;
