#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Events as others read them: the envelope by the types of docker-registry itself, to the letter, and as an image updater does; CloudEvents by their SDK.
# t/tool/consumer is that receiver, on whose answers deliveries depend.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Berth::Test;
use Berth::Check;
use Berth::Events;
use Berth::Repo;

my $program = go_program('consumer');
my $json = JSON::PP->new->utf8;
my $out = tmp_dir() . '/out';
my $consumer = fork // die "fork: $!";
if (!$consumer) {
	open STDOUT, '>', $out or POSIX::_exit(127);
	exec Berth::Server::guard(), $program or POSIX::_exit(127);
}
END { kill KILL => $consumer if $consumer }
my ($port) = wait_for { -s $out && slurp($out) =~ /\A(\d+)\n/ ? $1 : undef } or die 'the consumer does not listen';
sub lines { return map { $json->decode($_) } grep { /^\{.*\}$/ } split /\n/, slurp($out) }
sub made { my ($kind) = @_; return grep { $_->{kind} eq $kind } lines() }

# the consumer is strict: what it accepts is so
my ($head, $tail) = ('{"events":[{"id":"1","timestamp":"2026-01-02T03:04:05Z","action":"delete","target":{"repository":"a/b"', '},"request":{"id":"r","method":"GET","useragent":""},"actor":{},"source":{"addr":"a:1","instanceID":"i"}}]}');
for (['', 200], [',"strange":1', 400], [',"size":"1"', 400], [',"tag":1', 400]) {
	my ($member, $status) = @$_;
	my $r = run('curl', '-sS', '-o', '/dev/null', '-w', '%{http_code}', '-H', 'Content-Type: application/vnd.docker.distribution.events.v1+json', '-d', "$head$member$tail", "http://127.0.0.1:$port/");
	is $r->{out}, $status, "the consumer answers $status to an event" . ($member ? " with $member" : '');
}
my $refused = () = made('refused');
my $before = () = made('registry');

my $s = Berth::Server->start(config => "delete = true;\nnotifications = (" . join(',', map {
	qq({ name = "$_"; format = "$_"; url = "http://127.0.0.1:$port/$_"; actions = [ "all" ]; timeout = "30s"; }) } qw(registry cloudevents)) . ");\n");
wait_for { -e $s->root . "/berth/journal/readers/registry" && -e $s->root . "/berth/journal/readers/cloudevents" } or die 'no relay delivers';

my ($config, $layer) = ('{"architecture":"amd64","os":"linux"}', 'a layer');
my %image = map { $_ => image_of($_ eq 'docker' ? DOCKER_MANIFEST : OCI_MANIFEST, $config, $layer) } qw(docker oci);
$s->push_blob('team/sub/app', $_) for $config, $layer;
for my $kind (sort keys %image) {
	is $s->req(PUT => "/v2/team/sub/app/manifests/$_", body => $image{$kind}, headers => [ 'Content-Type' => $kind eq 'docker' ? DOCKER_MANIFEST : OCI_MANIFEST ])->status, 201, "a push of $kind to $_" for $kind, 'moves';
}
# what an updater reads has to be there still when the event arrives
ok wait_for { 4 == grep { $_->{image} } made('registry') }, 'four images arrive';
is $s->req(POST => '/v2/other/blobs/uploads/?from=team/sub/app&mount=' . sha256($layer), headers => [ 'Content-Length' => 0 ])->status, 201, 'a mount';
is $s->req(DELETE => '/v2/other/blobs/' . sha256($layer))->status, 202, 'a blob goes';
is $s->req(DELETE => '/v2/team/sub/app/manifests/moves')->status, 202, 'a tag goes';
is $s->req(DELETE => '/v2/team/sub/app/manifests/' . sha256($image{docker}))->status, 202, 'a manifest goes';
berth_ok($s, 'repo', 'mv', 'team/sub/app', 'team/new', 'a repository gets another name');
berth_ok($s, 'repo', 'rm', 'other', 'and one goes');
berth_ok($s, 'hooks', 'test', $_, "a test of $_") for qw(registry cloudevents);

my @changes = grep { $_->{action} ne 'pull' } events($s);
my $last = $changes[-1]{id};
for my $kind (qw(registry cloudevents)) {
	ok wait_for { grep { $_->{id} eq $last } made($kind) }, "$kind: all arrive";
}
my %as = (move => 'push', blob_push => 'push', map({ $_ => 'delete' } qw(untag blob_delete remove rename)));
for my $kind (qw(registry cloudevents)) {
	my @got = grep { $_->{action} ne 'pull' && $_->{action} ne 'test' } made($kind);
	splice @got, 0, $before if $kind eq 'registry';
	my @want = map { my $old = $kind eq 'registry' && $_->{action} eq 'rename';
		join ' ', $_->{id}, $kind eq 'registry' ? $as{ $_->{action} } // $_->{action} : $_->{action}, $old ? $_->{from} : $_->{repository}, $_->{tag} // '' } @changes;
	is_deeply [map { join ' ', $_->{id}, $_->{action}, $_->{repository}, $_->{tag} // '' } @got], \@want, "$kind: to the letter, in the order of the journal";
}
my @images = map { "$_->{image} $_->{digest} $_->{read}" } grep { $_->{image} } made('registry');
my $name = $s->host . '/team/sub/app';
is_deeply \@images, [map { "$name:$_->[0] " . sha256($image{ $_->[1] }) . ' ' . length $image{ $_->[1] } } ['docker', 'docker'], ['moves', 'docker'], ['oci', 'oci'], ['moves', 'oci']],
	'an updater knows each image by host, repository and tag, and can read its manifest by the URL of the event';
is scalar(grep { ($_->{action} // '') eq 'test' } made('passed over')), 1, 'it passes over a test';
is scalar(grep { ($_->{action} // '') eq 'test' } made('cloudevents')), 1, 'a CloudEvent is one also where it is a test';
is join("\n", map { $_->{why} } (made('refused'))[$refused .. (() = made('refused')) - 1]), '', 'nothing was refused';
done_testing;
