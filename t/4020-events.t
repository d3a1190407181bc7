#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The journal: what each change leaves in it, and `berth events` and /berth/v1/events, which show it to whom it concerns.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Berth::Test;
use Berth::Check;
use Berth::GC;
use Berth::Repo;

my $on = "delete = true;\njournal = { enabled = true; };\n";
my $s = Berth::Server->start(config => "delete = true;\n");
my $host = $s->host;

# all - every event, page by page
sub all
{
	my ($more, @o) = @_;
	my ($after, @events) = ('');

	for (1 .. 1000) {
		my $r = $s->req(GET => "/berth/v1/events?after=$after" . ($more // ''), @o);
		return $r->status if $r->status != 200;
		push @events, @{ $r->json->{events} };
		$after = $r->json->{next};
		return @events if $r->header('Retry-After');
	}
	die 'no end';
}
my $last = '';
# news - the events since the last call, each as "action repository:tag digest"
sub news
{
	my @new = grep { $_->{id} gt $last } all();

	$last = $new[-1]{id} if @new;
	return @new;
}
sub short { return map { my $e = $_; join ' ', $e->{action}, $e->{repository} . ($e->{tag} ? ":$e->{tag}" : ''), grep { defined } $e->{digest} } @_ }

# off
is $s->req(GET => '/berth/v1/events')->status, 404, 'without a journal there is nothing to read';
$s->push_image('team/app', 'before');
is_deeply [grep { -f } glob $s->root . '/berth/journal/*'], [], 'and nothing is written down';
$s->config($on);
$s->replace_workers;
is $s->req(GET => '/berth/v1/events')->status, 200, 'a reload turns it on';

# a push
my ($config, $layer) = ('{"os":"linux"}', 'the layer');
$s->push_blob('team/app', $_) for $config, $layer;
my $m = image_of(OCI_MANIFEST, $config, $layer);
my $put = sub { my ($ref, $bytes, $type) = @_; return $s->req(PUT => "/v2/team/app/manifests/$ref", body => $bytes, headers => ['Content-Type' => $type // OCI_MANIFEST, 'User-Agent' => "agent \"7\""])->status };
is $put->('1', $m), 201, 'an image';
my @e = news();
is_deeply [sort(short(@e[0, 1]))], [sort map { "blob_push team/app " . sha256($_) } $config, $layer], 'its blobs come first';
is_deeply [short($e[2])], ['push team/app:1 ' . sha256($m)], 'then the manifest with its tag';
is scalar(@e), 3, 'and nothing else';
is $e[0]{size} + $e[1]{size}, length("$config$layer"), 'a blob has its size';
is_deeply { map { $_ => $e[2]{$_} } qw(size media_type user login remote agent method base before) },
	{ size => length $m, media_type => OCI_MANIFEST, user => undef, login => 'anonymous', remote => '127.0.0.1', agent => 'agent "7"', method => 'PUT',
	base => "http://$host", before => undef }, 'with what is known of it';
like $e[2]{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z/, 'and its time';
my ($logged) = grep { ($_->{request_id} // '') eq $e[2]{request_id} } $s->log_events;
is $logged->{route}, 'manifest', 'the log has its request';

# tags that move, come together, and do not change
my $two = image_of(OCI_MANIFEST, $config, $layer, $layer);
is $put->('1', $two), 201, 'the tag moves';
@e = news();
is_deeply [short(@e)], ['move team/app:1 ' . sha256($two)], 'that is a move';
is $e[0]{before}, sha256($m), 'which says from where';
is $put->('1', $two), 201, 'the same again';
is_deeply [short(news())], ['push team/app:1 ' . sha256($two)], 'is a push';
is $put->(sha256($m) . '?tag=a&tag=1&tag=b', $m), 201, 'several tags';
is_deeply [short(news())], [map { "$_ " . sha256($m) } 'push team/app:a', 'move team/app:1', 'push team/app:b'], 'have an event each';
my $sbom = '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","artifactType":"application/spdx","config":' . desc('application/vnd.oci.empty.v1+json', $config) . ',"layers":[' . desc('text/plain', $layer)
	. '],"subject":' . desc(OCI_MANIFEST, $m) . '}';
is $put->(sha256($sbom), $sbom), 201, 'a referrer, without a tag';
@e = news();
is_deeply [$e[0]{tag}, $e[0]{digest}, $e[0]{artifact_type}, $e[0]{subject}], [undef, sha256($sbom), 'application/spdx', sha256($m)], 'has its type and its subject';

# what fails leaves nothing
is $put->('bad', '{}'), 400, 'a manifest that is refused';
is $put->('1', image_of(OCI_MANIFEST, $config, 'not there')), 400, 'another one';
is $s->req(DELETE => '/v2/team/app/manifests/nothing')->status, 404, 'a tag that is not there';
is $s->req(PUT => '/v2/team/app/manifests/1', body => $two, headers => ['Content-Type' => OCI_MANIFEST, 'If-Match' => '"' . sha256('x') . '"'])->status, 412, 'a condition that is not met';
is_deeply [news()], [], 'have no events';

# mounts and deletes
is $s->req(POST => '/v2/other/app/blobs/uploads/?from=team/app&mount=' . sha256($layer))->status, 201, 'a mount';
@e = news();
is_deeply [short(@e), $e[0]{from}, $e[0]{size}], ['mount other/app ' . sha256($layer), 'team/app', length $layer], 'says from where';
is $s->req(POST => '/v2/third/app/blobs/uploads/?mount=' . sha256($layer))->status, 201, 'a mount from wherever it is';
@e = news();
like "@{ [short(@e), $e[0]{from}] }", qr{^mount third/app \Q${\sha256($layer)}\E (other|team)/app\z}, 'says from where, too';
is $s->req(DELETE => '/v2/third/app/blobs/' . sha256($layer))->status, 202, 'a blob goes';
is_deeply [short(news())], ['blob_delete third/app ' . sha256($layer)], 'and that is told';
is $s->req(DELETE => '/v2/team/app/manifests/a')->status, 202, 'a tag goes';
is_deeply [short(news())], ['untag team/app:a ' . sha256($m)], 'and that';
is $s->req(DELETE => '/v2/team/app/manifests/' . sha256($m))->status, 202, 'a manifest goes';
is_deeply [short(news())], [map { "$_ " . sha256($m) } 'untag team/app:1', 'untag team/app:b', 'delete team/app'], 'its tags before it';

# commands
$s->push_image('old/one', 'x');
news();
berth_ok($s, 'tag', 'rm', 'old/one', 'x', 'a tag is removed by a command');
@e = news();
is_deeply [$e[0]{action}, $e[0]{tag}, $e[0]{login}], ['untag', 'x', 'command'], 'and has its event';
is $e[0]{user}, scalar getpwuid($<), 'with the user';
berth_ok($s, 'repo', 'mv', 'old/one', 'new/one', 'a repository gets another name');
is_deeply [map { "$_->{action} $_->{repository} $_->{from}" } news()], ['rename new/one old/one'], 'which has one';
make_old($s, 7200);
gc_ok($s, '--untagged', '--grace', '1h', 'a collection removes a manifest');
is_deeply [map { "$_->{action} $_->{repository} $_->{login}" } grep { $_->{repository} eq 'new/one' } news()], ['delete new/one command'], 'and tells it';
berth_ok($s, 'repo', 'rm', 'new/one', 'a repository is removed');
is_deeply [short(news())], ['remove new/one'], 'and that is told';

# pages
my @all = all();
is_deeply [map { $_->{id} } @all], [sort map { $_->{id} } @all], 'ids are in the order of events';
is_deeply [all('&n=1')], \@all, 'one a page, or as many as fit';
is_deeply [all('&repo=team/*')], [grep { $_->{repository} =~ m{^team/} } @all], 'of some repositories';
my $r = $s->req(GET => '/berth/v1/events?after=now');
is_deeply $r->json, { events => [], next => $all[-1]{id} }, 'from now on: nothing yet';
is $r->header('Retry-After'), 5, 'and when to ask again';
is $r->header('Cache-Control'), 'no-store', 'no cache keeps it';
for (['after=x', 'PAGINATION_NUMBER_INVALID'], ['n=x', 'PAGINATION_NUMBER_INVALID'], ['n=0', 'PAGINATION_NUMBER_INVALID'], ['repo=a//b', 'NAME_INVALID']) {
	error_is($s->req(GET => "/berth/v1/events?$_->[0]"), 400, $_->[1], "$_->[0] is refused");
}
is $s->req(POST => '/berth/v1/events')->status, 405, 'events are not pushed';
is $s->req(GET => '/berth/v1/nothing')->status, 404, 'nothing else is there';

# the command
my $json = JSON::PP->new->utf8->canonical;
my $told = berth($s, 'events', '--json');
is_deeply [map { $json->decode($_) } split /\n/, $told->{out}], \@all, 'berth events says the same';
like berth($s, 'events', '--repo', 'third/**')->{out}, qr{^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d mount       third/app sha256:\w+ from (other|team)/app by anonymous from 127\.0\.0\.1\n.* blob_delete third/app }, 'for people, too';
is_deeply [map { $json->decode($_)->{id} } split /\n/, berth($s, 'events', '--json', '--since', $all[-3]{id})->{out}], [map { $_->{id} } @all[-2, -1]], 'since an event';
is berth($s, 'events', '--since', '2020-01-02')->{out}, berth($s, 'events')->{out}, 'since a day';
is berth($s, 'events', '--since', '2099-01-02T03:04:05Z')->{out}, '', 'since a time';
is berth($s, 'events', '--since', '1h')->{out}, berth($s, 'events')->{out}, 'within an hour';
is berth($s, 'events', '--since', 'yesterday')->{status}, 2, 'not since what is no time';
is berth($s, 'events', '--repo', 'a//b')->{status}, 2, 'nor of what is no pattern';
my $out = $s->dir . '/followed';
my $pid = fork // die "fork: $!";
if (!$pid) {
	open STDOUT, '>', $out or die;
	exec berth_cmd($s, 'events', '--follow', '--json', '--since', $all[-1]{id});
}
ok wait_for(sub { -e $out }), 'a command that follows';
$s->push_image('team/app', 'followed');
ok wait_for(sub { -s $out && slurp($out) =~ /"tag":"followed"/ }), 'sees what comes';
kill TERM => $pid;
waitpid $pid, 0;
is $? & 127, 15, 'until it is told to end';

# backwards
{
	my @all = all();
	my ($before, @back) = ('now');
	for (1 .. 1000) {
		my $r = $s->req(GET => "/berth/v1/events?before=$before&n=7");
		die $r->as_string if $r->status != 200;
		push @back, @{ $r->json->{events} };
		last if !defined($before = $r->json->{next});
	}
	is_deeply [map { $_->{id} } @back], [reverse map { $_->{id} } grep { $_->{action} ne 'lost' } @all], 'backwards there are the same events in reverse';
	is_deeply [map { $_->{id} } @{ $s->req(GET => "/berth/v1/events?before=$all[-1]{id}&n=1")->json->{events} }], [$all[-2]{id}], 'before one of them';
	error_is($s->req(GET => "/berth/v1/events?before=now&after=$all[0]{id}"), 400, 'UNSUPPORTED', 'in one direction at a time');
	error_is($s->req(GET => '/berth/v1/events?before=x'), 400, 'PAGINATION_NUMBER_INVALID', 'from what is an event');
}

# restarts
news();
$s->restart;
is_deeply [all()], [all()], 'after a restart nothing is different';
ok !grep({ $_->{id} gt $last } all()), 'and nothing new';
$s->push_image('team/app', 'again');
is((news())[-1]{tag}, 'again', 'it goes on');
$s->kill_workers('KILL');
ok wait_for(sub { $s->req(GET => '/berth/v1/events')->status == 200 }), 'workers that are killed are replaced';
$s->push_image("team/app", "more");
is((news())[-1]{tag}, "more", "and it goes on");
$s->stop_workers;
my $alone = berth($s, 'tag', 'rm', 'team/app', 'again');
is $alone->{status}, 0, 'a command while nobody serves';
is run(program('berth'), '--root', $s->root, 'tag', 'rm', 'team/app', 'more')->{status}, 0, 'and one that does not know the configuration';
like berth($s, 'events', '--json')->{out}, qr/"tag":"again"[^\n]*\n[^\n]*"action":"untag","repository":"team\/app","tag":"more"[^\n]*\n\z/, 'are in the journal as well';
$s->stop;
done_testing;
