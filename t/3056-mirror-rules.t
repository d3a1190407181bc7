#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Rules leave mirrors alone: keep, untagged, immutable, quota, max_tags and sparse say nothing of them, although their patterns match.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::FCGI;
use Berth::GC ();
use Berth::Rules;

my $rules = '{ repo = "**"; keep = (); untagged = "0s"; immutable = [ "*" ]; quota = "1 MiB"; max_tags = 1; sparse = "refuse"; }';
my $s = Berth::Server->start(args => ['--no-relay'], config => <<"CONF");
delete = true;
rules_delay = "0s";
upstreams = ( { name = "docker.io"; urls = [ "http://127.0.0.1:1" ]; } );
rules = ( $rules );
CONF
my ($repo, $n) = ('docker.io/library/app', 0);

# hand_over - what the relay does with a manifest; the tag's digest
sub hand_over
{
	my ($tag) = @_;
	my $layer = random_bytes(200_000);
	my $image = image_of(OCI_MANIFEST, '{}', $layer, ++$n);
	my $to = sub {
		my ($what, $body, %o) = @_;
		my $file = "berth/body/relay-$n";        # a name of its own: what was taken over is the same file

		spew($s->root . "/$file", $body) if $o{file};
		return Berth::FCGI->new($s->dir . '/relay.sock')->request(params => { REQUEST_METHOD => 'PUT', REQUEST_URI => "/berth/v1/relay/$what", CONTENT_TYPE => OCI_MANIFEST,
			CONTENT_LENGTH => length $body, $o{file} ? (BERTH_BODY_FILE => $file) : () }, stdin => $o{file} ? '' : $body)->status;
	};

	is $to->("manifest?repo=$repo&ref=$tag", $image), 201, "$tag comes";
	is $to->("blob?repo=$repo&digest=" . sha256($layer), $layer, file => 1), 201, 'and its layer';
	return sha256($image);
}

my @d = map { hand_over($_) } 1 .. 6;
ok 1, 'six tags of 1.2 MB, where a quota of 1 MiB, max_tags of 1 and sparse = "refuse" would match';
my $moved = hand_over(1);
is $s->req(HEAD => "/v2/$repo/manifests/1")->header('Docker-Content-Digest'), $moved, 'an immutable tag moves';
unlike run(program('berth'), '--config', $s->config_file, '--root', $s->root, 'quota', 'list')->{out}, qr/[1-9]\d{5}/, 'nothing of it is counted';
ok $s->push_image('team/app', 'a', layers => ['x']), 'one of our own';
is $s->req('PUT', '/v2/team/app/manifests/b', headers => ['Content-Type' => OCI_MANIFEST], body => image_of(OCI_MANIFEST, '{}', 'x'))->status, 403, 'has the rules';
my $explained = rules($s, 'explain', $repo)->{out};
like $explained, qr/: mirror: it is a mirror/, 'rules explain says that it is a mirror';
unlike $explained, qr/immutable|may have|goes after|max_tags/, 'and nothing else';

Berth::GC::make_old($s, 5 * 86400);        # younger than cache.idle
my $r = rules_ok($s, 'apply', '--json', 'rules apply');
is join(' ', map { "$_->{repository}:$_->{tag}" } grep { $_->{repository} eq $repo } rules_told($r)), '', 'rules apply says nothing of it';
is run(program('berth'), '--config', $s->config_file, '--root', $s->root, 'gc', '--grace', '1', '--untagged')->{status}, 0, 'a collection of what has no tag';
is $s->req(GET => "/v2/$repo/manifests/$_")->status, 200, 'a manifest is still there, with a tag or without' for @d, $moved;
is $s->req(DELETE => "/v2/$repo/manifests/$_")->status, 202, 'a copy can be forgotten, immutable or not' for $d[1];
$r = run(program('berth'), '--config', $s->config_file, '--root', $s->root, 'fsck', '--data');
is $r->{status}, 0, 'berth fsck finds nothing' or diag($r->{out}, $r->{err});
done_testing;
