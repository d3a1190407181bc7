#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# docker and a power cut between the blobs of its push and the manifest (doc/STORE.md, "A push and a power cut"). The daemon goes on
# running and remembers which layers it has pushed where; that must not keep it from pushing them again.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check ();
use Berth::Client;
use Berth::Docker;
use Berth::PushCut;

# one layer after the other, so that the moment within the blobs is the same in each run
my $d = Berth::Docker->start(config => { 'max-concurrent-uploads' => 1 });
my $c = Berth::PushCut->start(config => "delete = true;\n");
my $b = $c->server;
my $host = $c->host;
my $ctx = tmp_dir();
my ($n, @pushed) = (0);

# An image of two layers that nobody has seen, under this name: its id.
sub new_image
{
	my ($ref) = @_;

	spew("$ctx/a", random_bytes(30_000));
	spew("$ctx/b", random_bytes(60_000));
	return $d->build($ref, "FROM scratch\nCOPY a /a\nCOPY b /b\n", $ctx);
}

# One push, cut by what is lost, and again. Options are those of push_cut(), and
#   from      the repository where the daemon has pushed the image already: layers are mounted from there. Without it the image is new.
#   had       how many blobs were acknowledged when the power was cut (3: two layers, the config)
# Returns what docker said the second time.
sub cut_ok
{
	my ($lost, %o) = @_;
	my $repo = 'docker/app' . ++$n;
	my $title = $o{title} // "$lost lost";
	my $blobs = $o{had} // 3;
	my $silent = $o{hang_up} && !$o{at};

	$d->docker('tag', "$host/$o{from}:v1", "$host/$repo:v1") if $o{from};
	my $id = $o{from} ? $d->id("$host/$repo:v1") : new_image("$host/$repo:v1");
	my ($r, $cut) = $c->push_cut({ lost => $lost, %o }, sub { $d->run_docker('push', "$host/$repo:v1") });
	my $said = $r->{out} . $r->{err};
	is($cut && scalar @{ $cut->{had} }, $blobs, "$title: $blobs blobs were acknowledged") or diag($said);
	is(() = $said =~ /: Mounted from /g, 2, "$title: two of them by a mount") if $o{from};
	is_deeply([$c->manifest_answers($repo)], [$silent ? () : 400], "$title: the manifest is refused");
	isnt($r->{status}, 0, "$title: docker push fails");
	like($said, $silent ? qr/EOF|reset|closed/ : qr/manifest blob unknown/, "$title: and says why");
	is($b->req(GET => "/v2/$repo/manifests/v1")->status, 404, "$title: the tag does not exist");
	$said = $d->docker_ok('push', "$host/$repo:v1", "$title: the same command to the same daemon succeeds");
	push @pushed, ["$host/$repo:v1", $id];
	return $said;
}

my $said = cut_ok('all');
is(() = $said =~ /: Pushed\b/g, 2, 'the daemon does not rely on what it remembers, and pushes both layers again');
$said = cut_ok('links', from => 'docker/app1', title => 'links of mounted layers lost');
is(() = $said =~ /: Mounted from /g, 2, 'they are mounted again');

SKIP: {
	skip_long('each loss', 1);
	$said = cut_ok('smallest');
	is(() = $said =~ /: Layer already exists/g, 2, 'what is still there is not pushed again');
	cut_ok($_) for qw(links largest hollow);
	cut_ok('all', from => 'docker/app1', title => 'all of a push with mounts lost');
	cut_ok('all', hang_up => 1, title => 'all lost, no answer');
	# The first layer is acknowledged, the second is under way. docker tries that one again by itself, and only the manifest says
	# that the first is gone.
	cut_ok('all', at => 'blob', after => 1, had => 1, title => 'all lost in the midst of the blobs');
	cut_ok('links', at => 'blob', after => 1, had => 1, hang_up => 1, title => 'links lost in the midst of the blobs, no answer');
}

ok($d->remove_images, 'docker has no image any more');
for (@pushed) {
	my ($ref, $id) = @$_;
	$d->docker_ok('pull', $ref, "docker pulls $ref");
	is($d->id($ref), $id, 'which is the image that was pushed');
}

is(run(program('berth'), '--config', $b->config_file, '--root', $b->root, 'fsck', '--data')->{status}, 0, 'berth fsck finds nothing wrong in the store');
is(Berth::Check::leftovers($b), '', 'nothing is left where bodies are spooled and files are made');
$c->stop;
$d->stop;
done_testing();
