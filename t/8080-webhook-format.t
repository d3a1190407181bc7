#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The events of the format "registry", member by member beside those that Debian's docker-registry sends for the same requests: pushes, pulls, mounts and
# deletes, of blobs and manifests, and of tags that go with their manifest: Debian's docker-registry deletes none otherwise.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Berth::Test;
use Berth::Check;
use Berth::Other;
use Berth::Receiver;

need_program('docker-registry');
my $json = JSON::PP->new->utf8->canonical;
my %receiver = (berth => Berth::Receiver->start(bodies => 1), other => Berth::Receiver->start(bodies => 1));
my $s = Berth::Server->start(config => <<"CONF");
delete = true;
notifications = ( { name = "r"; url = "@{[ $receiver{berth}->url ]}"; actions = [ "all" ]; timeout = "60s"; } );
CONF
my $o = Berth::Other->new(root => tmp_dir(), more => <<"YML")->start;
notifications:
  endpoints:
    - { name: r, url: "@{[ $receiver{other}->url ]}", timeout: 60s, threshold: 5, backoff: 1s }
YML
my %registry = (berth => $s, other => $o);
wait_for { -e $s->root . '/berth/journal/readers/r' } or die 'no relay delivers';

sub told { my ($who) = @_; return map { @{ $json->decode($_->{body})->{events} } } grep { $_->{status} == 200 } $receiver{$who}->requests }

# plain - an event without what is of this moment: it has to be there, in its form
sub plain
{
	my ($who, $e) = @_;
	my $host = $registry{$who}->host;
	my @bad;
	my $form = sub {
		my ($of, $key, $re) = @_;
		push @bad, "$key is " . ($of->{$key} // 'missing') if ($of->{$key} // '') !~ $re;
		$of->{$key} = 'as it has to be' if exists $of->{$key};
	};

	$e = $json->decode($json->encode($e));
	$form->($e, 'id', qr/^[0-9a-f-]{20,}$/);
	$form->($e, 'timestamp', qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/);
	$form->($e->{request}, 'id', qr/^\S+$/);
	$form->($e->{request}, 'addr', qr/^127\.0\.0\.1(?::\d+)?$/);
	$form->($e->{source}, 'addr', qr/^[^:]+:\d+$/);
	$form->($e->{source}, 'instanceID', qr/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
	for (['request', 'host'], ['target', 'url']) {
		my ($of, $key) = @$_;
		$e->{$of}{$key} =~ s/\Q$host\E/HOST/ if exists $e->{$of}{$key};
	}
	is "@bad", '', "what differs from event to event has its form ($who)";
	return $e;
}

my %had = (berth => 0, other => 0);
# same - the same request to both, which has to succeed, and so many events of it
sub same
{
	my ($title, $count, $status, $method, $path, %o) = @_;
	my (%events, %answer);

	$o{headers} = [ @{ $o{headers} // [] }, 'User-Agent' => 'test/1 (a "test")' ];
	for my $who ('berth', 'other') {
		my $p = ref $path ? $path->($who) : $path;
		$answer{$who} = $registry{$who}->req($method => $p, %o);
		is $answer{$who}->status, $status, "$title ($who)";
		wait_for { () = told($who); my @all = told($who); @all >= $had{$who} + $count } or fail "$title: too few events ($who)";
		my @all = told($who);
		$events{$who} = [ sort map { $json->encode(plain($who, $_)) } @all[$had{$who} .. $#all] ];
		$had{$who} = @all;
	}
	is join("\n", @{ $events{berth} }), join("\n", @{ $events{other} }), "$title: the same events";
	is scalar(@{ $events{berth} }), $count, "... $count";
	return \%answer;
}
sub put_blob
{
	my ($repo, $bytes) = @_;
	my %upload = map { $_ => $registry{$_}->req(POST => "/v2/$repo/blobs/uploads/", headers => [ 'Content-Length' => 0 ])->header('Location') } keys %registry;

	same("a push of a blob to $repo", 1, 201, PUT => sub { my $l = $upload{ $_[0] }; $l . ($l =~ /\?/ ? '&' : '?') . 'digest=' . sha256($bytes) },
		body => $bytes, headers => [ 'Content-Type' => 'application/octet-stream' ]);
	return sha256($bytes);
}

my ($config, $layer) = ('{"architecture":"amd64","os":"linux"}', 'a layer');
put_blob('team/app', $_) for $config, $layer;
for my $type (DOCKER_MANIFEST, OCI_MANIFEST) {
	my $m = image_of($type, $config, $layer);
	my $tag = $type eq OCI_MANIFEST ? 'oci' : 'docker';
	same("a push of a manifest, $tag", 1, 201, PUT => "/v2/team/app/manifests/$tag", body => $m, headers => [ 'Content-Type' => $type ]);
	same("a push by digest, $tag", 1, 201, PUT => '/v2/team/app/manifests/' . sha256($m), body => $m, headers => [ 'Content-Type' => $type ]);
	same("a pull by tag, $tag", 1, 200, GET => "/v2/team/app/manifests/$tag", headers => [ Accept => $type ]);
	same("a pull by digest, $tag", 1, 200, GET => '/v2/team/app/manifests/' . sha256($m), headers => [ Accept => $type ]);
}
my $m = image_of(OCI_MANIFEST, $config, $layer);
same('a tag that moves', 1, 201, PUT => '/v2/team/app/manifests/docker', body => $m, headers => [ 'Content-Type' => OCI_MANIFEST ]);
same('a pull of a blob', 1, 200, GET => '/v2/team/app/blobs/' . sha256($layer));
same('a mount', 1, 201, POST => '/v2/other/app/blobs/uploads/?from=team/app&mount=' . sha256($layer), headers => [ 'Content-Length' => 0 ]);
same('a delete of a blob', 1, 202, DELETE => '/v2/other/app/blobs/' . sha256($layer));
same('a delete of a manifest with two tags', 3, 202, DELETE => '/v2/team/app/manifests/' . sha256($m));

my %type = map { my $who = $_; $who => join ' ', sort keys %{ { map { $_->{headers}{'content-type'} => 1 } $receiver{$who}->requests } } } keys %receiver;
is $type{berth}, $type{other}, 'both send the same media type';
is $type{berth}, 'application/vnd.docker.distribution.events.v1+json', 'which is this one';
is_deeply [map { join ' ', sort keys %{ $json->decode($_->{body}) } } ($receiver{berth}->requests)[0], ($receiver{other}->requests)[0]], ['events', 'events'], 'and the same envelope';
done_testing;
