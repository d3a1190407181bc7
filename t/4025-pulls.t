#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Pulls are in the journal where an endpoint asks for them, and nowhere else; they are not flushed, and wait for nobody.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Fcntl qw(:flock);
use Berth::Test;
use Berth::Check;
use Berth::Events;
use Berth::Trace;

my $s = Berth::Server->start(config => "journal = { enabled = true; };\n", workers => 1);
# A relay that may be started for the endpoints does nothing without this lock.
open my $held, '>', $s->root . '/berth/journal/readers/lock' or die;
flock $held, LOCK_EX or die;

my ($config, $layer) = ('{"os":"linux"}', 'the bytes of a layer');
my ($digest, $manifest) = $s->push_image('team/app', 'v1', type => 'oci', config => $config, layers => [$layer]);
my $blob = sha256($layer);
my $last = '';
sub news
{
	my @new = grep { $_->{id} gt $last } events($s);

	$last = $new[-1]{id} if @new;
	return @new;
}
sub get { my ($path, %o) = @_; return $s->req($o{method} // 'GET', "/v2/team/app/$path", headers => ['User-Agent' => 'puller/1', @{ $o{headers} // [] }])->status }
sub pull_all { return join ' ', map { get($_) } 'manifests/v1', "manifests/$digest", "blobs/$blob" }

# endpoint - a configuration with one that asks for these actions; it takes effect
sub endpoint
{
	my ($actions, $more) = @_;

	$s->config(($more // '') . "notifications = ( { name = \"hook\"; url = \"http://127.0.0.1:9/\"; actions = [ $actions ]; } );\n");
	$s->replace_workers or die 'the workers stay';
	return;
}

# Where nobody asks
is scalar(news()), 3, 'a push is in the journal';
is pull_all(), '200 200 200', 'pulls';
is_deeply [news()], [], '... are not';
endpoint('"push", "delete"');
is pull_all(), '200 200 200', 'nor with an endpoint';
is_deeply [news()], [], '... that asks for other things';

# Where somebody does
endpoint('"push", "pull"');
is get('manifests/v1'), 200, 'a pull by tag';
my @e = news();
is scalar(@e), 1, 'is one event';
is_deeply { map { $_ => $e[0]{$_} } qw(action repository tag digest media_type size login user remote agent method base) },
	{ action => 'pull', repository => 'team/app', tag => 'v1', digest => $digest, media_type => OCI_MANIFEST, size => length $manifest, login => 'anonymous', user => undef,
	remote => '127.0.0.1', agent => 'puller/1', method => 'GET', base => $s->url }, 'that says what was read, and who did';
my ($logged) = grep { ($_->{request_id} // '') eq $e[0]{request_id} } $s->log_events;
is $logged->{route}, 'manifest', 'the log has its request';
is get("manifests/$digest"), 200, 'a pull by digest';
@e = news();
is_deeply [scalar(@e), @{ $e[0] }{qw(action tag digest)}], [1, 'pull', undef, $digest], 'has no tag';
is get('manifests/v1', method => 'HEAD'), 200, 'HEAD of a manifest';
@e = news();
is_deeply [scalar(@e), @{ $e[0] }{qw(action tag method)}], [1, 'pull', 'v1', 'HEAD'], 'is a pull, too';
is get("blobs/$blob"), 200, 'a blob';
@e = news();
is_deeply [scalar(@e), @{ $e[0] }{qw(action repository tag digest media_type size method)}], [1, 'pull', 'team/app', undef, $blob, undef, length $layer, 'GET'], 'has no media type';
is get("blobs/$blob", headers => [Range => 'bytes=3-5']), 206, 'a part of it';
@e = news();
is_deeply [scalar(@e), @{ $e[0] }{qw(action digest)}], [1, 'pull', $blob], 'is a pull, too';
is get("blobs/$blob", headers => ['If-Match' => "\"$blob\""]), 200, 'one that the worker sends itself';
is scalar(news()), 1, 'as well';
is get("blobs/$blob", method => 'HEAD'), 200, 'HEAD of a blob';
is get('manifests/v1', headers => ['If-None-Match' => "\"$digest\""]), 304, 'a manifest that a client has';
is get("blobs/$blob", headers => ['If-None-Match' => "\"$blob\""]), 304, 'a blob that a client has';
is get('manifests/v2'), 404, 'a manifest that is not there';
is get('blobs/' . sha256('no')), 404, 'a blob that is not there';
is $s->req(GET => '/v2/team/app/tags/list')->status, 200, 'a list';
is_deeply [news()], [], 'are none';

# What it costs
SKIP: {
	skip 'this build makes other system calls', 1 if !have_program('strace') || $ENV{BERTH_SANITIZERS};
	my $costs = costs_of($s, sub { pull_all() });
	is $costs->{syncs}, 0, 'no pull flushes anything';
	news();
}

# A pull waits for nobody: neither for the locks of a change, nor for whoever begins a segment.
my @locks = map { open my $h, '+<', $_ or die "$_: $!"; flock $h, LOCK_EX or die "$_: $!"; $h }
	map { $s->root . "/berth/locks/$_" } 'journal', sprintf 'repository/%s', substr sha256('team/app'), 7, 2;
is pull_all(), '200 200 200', 'while others have the locks';
is scalar(news()), 3, '... pulls are written down';
my ($segment) = reverse sort grep { m{/[0-9a-f]{14}\z} } glob $s->root . '/berth/journal/*';
truncate $segment, 1 << 20 or die "$segment: $!";
is pull_all(), '200 200 200', 'while a segment would have to be begun';
is_deeply [news()], [], '... they are left out';
is scalar(grep { ($_->{event} // '') eq 'journal' && ($_->{action} // '') eq 'pull' } $s->log_events), 3, '... which is logged';
undef @locks;
is pull_all(), '200 200 200', 'then';
is scalar(news()), 3, '... all is as before';

# A registry that writes nothing
endpoint('"pull"', "readonly = true;\n");
is pull_all(), '200 200 200', 'read-only';
$s->config("journal = { enabled = true; };\n");
is_deeply [news()], [], 'nothing is written down';
is scalar(grep { ($_->{event} // '') eq 'journal' } $s->log_events), 3, 'and nothing is said of it';
close $held;
done_testing;
