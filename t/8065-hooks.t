#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# `berth hooks` and /metrics say what the files say in which the relay keeps its place; what is asked of the relay is done once, or not at all.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Fcntl qw(:flock);
use JSON::PP ();
use Berth::Test;
use Berth::Check;
use Berth::Events;
use Berth::Metrics;
use Berth::Repo;

my $json = JSON::PP->new->utf8->canonical;
my $s = Berth::Server->start(config => "delete = true;\n");
my $readers = $s->root . '/berth/journal/readers';
# The test is the relay: no other one delivers while it has this lock.
open my $held, '>', "$readers/lock" or die;
flock $held, LOCK_EX or die;

my $blobs = 'ignored_media_types = [ "application/octet-stream" ];';
$s->config(<<"CONF");
delete = true;
notifications = (
	{ name = "deploy"; url = "https://me:geheim\@ci.example/hook"; actions = [ "all" ]; $blobs },
	{ name = "other"; url = "http://127.0.0.1:9/"; repos = [ "other/**" ]; }
);
CONF
$s->replace_workers or die 'not all workers are replaced';
wait_for { $s->req(GET => '/berth/v1/events')->status == 200 } or die 'an endpoint turns the journal on';
pass('an endpoint turns the journal on');

sub of { my ($name, $endpoint) = @_; return "berth_hook_$name\{endpoint=\"$endpoint\"}" }
sub state_is { my ($name, %state) = @_; spew("$readers/$name.new", $json->encode(\%state)); rename "$readers/$name.new", "$readers/$name" or die; return }
sub listed { return { map { $_->{name} => $_ } objects_of(berth_ok($s, 'hooks', 'list', '--json', 'a list')) } }

# No relay has begun
my $m = metrics($s);
is_deeply { map { $_ => $m->{ of($_, 'deploy') } } qw(delivered_total failed_total dead_total waiting_seconds last_success_timestamp_seconds) },
	{ map { $_ => 0 } qw(delivered_total failed_total dead_total waiting_seconds last_success_timestamp_seconds) }, 'to begin with nothing is to be said';
is_deeply listed()->{deploy}, { kind => 'hook', name => 'deploy', url => 'https://me:***@ci.example/hook', begun => JSON::PP::false, waiting => 0, more => JSON::PP::false, delivered => 0, dead => 0,
	failed => 0, in_row => 0, status => 0, why => '', next => '' }, 'nor in the list';
my ($digest) = $s->push_image('team/app', "v$_") for 1 .. 3;
$s->req(DELETE => '/v2/team/app/manifests/v1')->status == 202 or die;
my @events = events($s);
my @told = grep { $_->{action} !~ /^blob/ } @events;
is scalar(@told), 4, 'then there are events';
my $l = listed();
is $l->{deploy}{waiting}, 4, 'they wait for whom they concern';
is $l->{deploy}{oldest}, $told[0]{time} =~ s/\.\d+//r, '... since when';
is $l->{other}{waiting}, 0, 'and not for others';
like berth_ok($s, 'hooks', 'list', 'the list for people')->{out},
	qr{\Adeploy https://me:\*\*\*\@ci\.example/hook\n  4 waiting since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d, no relay has begun to deliver\nother http://127\.0\.0\.1:9/\n  0 waiting, no relay has begun to deliver\n\z}, 'it says so';

# A relay has come some way
state_is('deploy', next => $told[1]{id}, delivered => 2, dead => 1, failed => 5, in_row => 3, delivered_at => 1796000000, failed_at => 1796000100, next_try => 1796000200, status => 503, why => '503 "busy"');
$l = listed()->{deploy};
is_deeply { map { $_ => $l->{$_} } grep { $_ ne 'oldest' } keys %$l }, { kind => 'hook', name => 'deploy', url => 'https://me:***@ci.example/hook', begun => JSON::PP::true, waiting => 2, more => JSON::PP::false,
	delivered => 2, dead => 1, failed => 5, in_row => 3, delivered_at => '2026-11-30T00:53:20Z', failed_at => '2026-11-30T00:55:00Z', next_try => '2026-11-30T00:56:40Z', status => 503,
	why => '503 "busy"', next => $told[1]{id} }, 'the list says how far';
like berth_ok($s, 'hooks', 'list', 'for people, too')->{out}, qr{^  2 waiting since \S+ \S+, 2 delivered, 1 given up\n  last delivered 2026-11-30 00:53:20\n  last failed 2026-11-30 00:55:00: 503 \\"busy\\", 3 in a row, next try 2026-11-30 00:56:40\n}m,
	'and why it is not farther';
$m = metrics($s);
is_deeply { map { $_ => $m->{ of($_, 'deploy') } } qw(delivered_total failed_total dead_total last_success_timestamp_seconds) },
	{ delivered_total => 2, failed_total => 5, dead_total => 1, last_success_timestamp_seconds => 1796000000 }, 'so does /metrics';
# An event of an hour ago: its time is in its line.
my ($segment) = reverse sort grep { m{/[0-9a-f]{14}\z} } glob $s->root . '/berth/journal/*';
my $hour = $told[2]{time} =~ s/^\d{4}/2020/r;
spew($segment, slurp($segment) =~ s/\Q$told[2]{time}\E/$hour/r);
cmp_ok metrics($s)->{ of('waiting_seconds', 'deploy') }, '>', 5 * 365 * 86400, 'the oldest that waits is as old as its time says';
is metrics($s)->{ of('waiting_seconds', 'other') }, 0, 'for the other none waits';
state_is('deploy', next => $told[-1]{id});
is listed()->{deploy}{waiting}, 0, 'when all is delivered, none waits';
is metrics($s)->{ of('waiting_seconds', 'deploy') }, 0, 'as /metrics says, too';

# What is no state
for my $bad ('', '[]', '{"dead":-1}', 'x' x 9000) {
	spew("$readers/deploy", $bad);
	berth_says($s, ['hooks', 'list'], 1, qr/cannot read .*readers\/deploy/, 'a file of ' . (length $bad) . ' bytes is no state');
	my $m = metrics($s);
	is_deeply [map { exists $m->{ of('dead_total', $_) } } 'deploy', 'other'], ['', 1], '... and /metrics leaves the endpoint out';
}
unlink "$readers/deploy" or die;

# What is asked of the relay
# asked(said, outcome, name, words) - a child is the relay: it reads what is asked, says what came of it, and what it was asked
sub asked
{
	my ($said, $outcome, $name, @words) = @_;
	my @r = run_parallel(2, sub {
		return berth($s, @words) if $_[0] == 0;
		my $ask;
		wait_for { -e "$readers/$name.ask" } or return { none => 1 };
		$ask = $json->decode(slurp("$readers/$name.ask"));
		unlink "$readers/$name.ask";
		state_is($name, asked => $ask->{id}, outcome => $outcome, said => $said, next => $told[0]{id});
		return $ask;
	});
	return @r;
}
my ($r, $ask) = asked('HTTP 200 after 3 ms', 'done', 'deploy', 'hooks', 'test', 'deploy');
is "$r->{status} $r->{out}$r->{err}", "0 HTTP 200 after 3 ms\n", 'a test: what came of it';
is_deeply [map { $_ eq 'id' ? length $ask->{id} : "$_ $ask->{$_}" } sort keys %$ask], [32, 'what test'], '... and what was asked';
my $first = $ask->{id};
($r, $ask) = asked('HTTP 500 after 3 ms', 'failed', 'deploy', 'hooks', 'test', 'deploy');
is "$r->{status} $r->{out}", "1 failed: HTTP 500 after 3 ms\n", 'one that fails';
isnt $ask->{id}, $first, 'has an id of its own';
($r, $ask) = asked('4 events', 'done', 'deploy', 'hooks', 'replay', 'deploy', '--since', $told[1]{id});
is_deeply [$r->{status}, @$ask{qw(what from)}], [0, 'replay', $told[1]{id}], 'a replay since an event';
($r, $ask) = asked('4 events', 'done', 'deploy', 'hooks', 'replay', 'deploy', '--since', '2099-01-01');
is $ask->{from}, $told[-1]{id}, 'since a time: what is before it is behind';
($r, $ask) = asked('4 events', 'done', 'deploy', 'hooks', 'replay', 'deploy', '--since', '2019-01-01');
cmp_ok $ask->{from}, 'lt', $events[0]{id}, 'since ever: all comes again';
like $ask->{from}, qr/\A[0-9a-f]{14}-[0-9a-f]{8}\z/, '... from a place';
($r) = asked('the disk is full', 'failed', 'deploy', 'hooks', 'drop', 'deploy');
is "$r->{status} $r->{out}", "1 failed: the disk is full\n", 'what cannot be done';
($r) = asked('done: HTTP 200', '', 'deploy', 'hooks', 'drop', 'deploy');
is "$r->{status} $r->{out}", "1 failed: done: HTTP 200\n", 'what is not said to be done is not, whatever the words';
($r, $ask) = asked('2 events', 'done', 'other', 'hooks', 'drop', 'other');
is_deeply [$r->{status}, $r->{out}, sort keys %$ask], [0, "2 events\n", 'id', 'what'], 'what waits is given up';
berth_says($s, ['hooks', 'test', 'nobody'], 1, qr/no endpoint with this name: nobody/, 'an endpoint that there is not');
SKIP: {
	skip_long('half a minute passes', 2);
	berth_says($s, ['hooks', 'drop', 'deploy'], 1, qr/the relay has not said within 30 seconds/, 'a relay that says nothing');
	ok !-e "$readers/deploy.ask", 'does nothing later, either';
}
for my $words (['hooks'], ['hooks', 'list', 'x'], ['hooks', 'test'], ['hooks', 'test', 'a', 'b'], ['hooks', 'replay', 'deploy'], ['hooks', 'drop', 'deploy', '--since', '1h'], ['hooks', 'test', 'deploy', '--json'],
	['hooks', 'other', 'deploy'], ['hooks', 'list', '--since', '1h']) {
	is berth($s, @$words)->{status}, 2, "@$words is no command";
}
is berth($s, 'hooks', 'replay', 'deploy', '--since', 'yesterday')->{status}, 2, 'nor is it one since yesterday';

# Without a relay
$s->stop_workers;
close $held;
berth_says($s, ['hooks', 'test', 'deploy'], 1, qr/no relay runs on this store/, 'without a relay nothing is asked');
ok !-e "$readers/deploy.ask", '... of it';
is listed()->{deploy}{begun}, JSON::PP::true, 'the list says what it said';
done_testing;
