#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A power cut at every moment of a handover to a mirror, of an eviction, and of what comes after it: no name is left over missing or wrong bytes, and what a pushed image has
# stays. With fsync = "full", and with "image" on file systems that keep an order of changes or none.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Cache;
use Berth::Disk;
use Berth::GC;
use Berth::Recording;
use Berth::Replay;
use Berth::Verdict;

plain_build_only('it traces system calls');
need_program('strace');

my ($ordered, $bare) = disks(qw(ext4 ext4-bare));
my ($trace, $s, $r);

# own - an image of one's own, whose parts may be a mirror's; the claims that it stands
sub own
{
	my ($repo, $tag, @parts) = @_;
	my $m = image_of(OCI_MANIFEST, @parts);

	$s->push_blob($repo, $_) for @parts;
	my $a = $s->push_manifest($repo, $tag, $m, OCI_MANIFEST);
	die $a->as_string if $a->status != 201;
	return { "manifest $repo " . sha256($m) => sha256($m), "tag $repo $tag" => sha256($m), map { ("blob $repo " . sha256($_) => sha256($_)) } @parts };
}

sub evict
{
	return { claims => {}, do => sub {
		my $g = run(strace_to($trace), gc_cmd($s, '--cache'));
		die "berth gc: $g->{status}: $g->{out}$g->{err}" if $g->{status};
	} };
}

sub push_one
{
	my ($repo, $bytes) = @_;
	my $d = sha256($bytes);

	return { body => $bytes, claims => { "blob $repo $d" => $d }, do => sub {
		my $a = $s->req(POST => "/v2/$repo/blobs/uploads/?digest=$d", body => $bytes);
		die $a->as_string if $a->status != 201;
	} };
}

# what the relay hands over is promised to nobody: it can be fetched again
sub hand
{
	my ($uri, %o) = @_;

	return { $o{type} ? () : (body => $o{body}), claims => {}, do => sub { my $status = hand_over($s, PUT => $uri, %o); die "$uri: $status" if $status != 201 } };
}

my $common = random_bytes(900);

sub way
{
	my (%o) = @_;
	$trace = tmp_dir() . '/trace';
	$s = Berth::Server->start(config => <<"CONF", args => ['--no-relay'], workers => 1, wrap => [strace_to($trace)], root => $o{root});
delete = true;
fsync = "$o{promise}";
upstreams = ( { name = "up"; urls = [ "http://127.0.0.1:1" ]; } );
cache = { idle = "1d"; };
CONF
	$r = Berth::Replay->new(keep => 50, %o, root => $s->root, trace => $trace);
	$r->{conf} = $s->config_file;

	my ($config, $layer) = ('{"new":1}', random_bytes(700));
	my $m = image_of(OCI_MANIFEST, $config, $layer);
	$r->scenario('an image comes to a mirror', {}, [hand('manifest?repo=up/new&ref=1', body => $m, type => OCI_MANIFEST), map { hand('blob?repo=up/new&digest=' . sha256($_), body => $_) } $config, $layer]);

	# a mirror's images, all of them old; one shares its layer with an image of one's own
	my @old = map { hand_image($s, "up/old$_", '1', "{\"old\":$_}", random_bytes(600), $_ == 1 ? $common : ()) } 1 .. 2;
	my $kept = own('own/app', 'v1', '{"own":1}', $common);
	make_old($s, 2 * 24 * 3600);
	# where nothing is new, nothing goes by idle
	hand_image($s, 'up/fresh', '1', '{"fresh":1}', random_bytes(90));
	$r->scenario('evicted, and pushed again', $kept, [evict(), push_one('own/app', '{"old":1}'), push_one('other', $common)]);

	# one tag of a repository goes, another stays and names the same layer
	my ($base, $new) = (random_bytes(500), random_bytes(400));
	my $i = hand_image($s, 'up/two', 'old', '{"two":1}', $base);
	make_old($s, 2 * 24 * 3600);
	hand_image($s, 'up/two', 'new', '{"two":2}', $base, $new);
	pulled_before($s, 'up/two', $i, 2 * 24 * 3600);
	$r->scenario('one of two tags', $kept, [evict(), hand('blob?repo=up/two&digest=' . sha256($base), body => $base)]);

	$s->stop_workers;
	all_ok($r, only => qr{/_layers/ALG\z|/revisions/|/tags\z}, needless => $o{needless}, without => $o{without});
	return;
}

subtest 'full' => sub { way(promise => 'full') };
subtest 'image, one by one' => sub { way(promise => 'image', root => "$bare/store", without => []) };
subtest 'image, in order' => sub { way(promise => 'image', root => "$ordered/store", model => 'Berth::Journal', without => []) };
done_testing;
