#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# A power cut between the blobs of a push and its manifest, which may take the names of these blobs (doc/STORE.md, "A push and a power
# cut"): what skopeo, podman and containerd's ctr are told, what they do, and that the same command succeeds then.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check ();
use Berth::Client;
use Berth::PushCut;

need_program('skopeo', 'podman', 'unshare', 'containerd', 'ctr');
podman_works() or cannot_run("podman can't run here");

my $c = Berth::PushCut->start(config => "delete = true;\n");
my $b = $c->server;
my $dir = tmp_dir();
# ctr 1.6 does not say what the registry said
my $unknown = qr/manifest blob unknown|MANIFEST_BLOB_UNKNOWN|unexpected status.*400 Bad Request/i;
my ($n, $id) = (0);

# An image that nobody has seen: a directory with an OCI layout, and what it is.
sub new_image
{
	my (@more) = @_;
	my $d = "$dir/image" . ++$n;

	return ($d, oci_layout($d, 'v1', { files => [{ a => random_bytes(30_000) }, { b => random_bytes(60_000) }] }, @more));
}

sub archive_of { my ($d) = @_; run('tar', '-C', $d, '-cf', "$d.tar", '.')->{status} == 0 or die 'tar'; return "$d.tar" }

# What a command said, without the progress that ctr draws.
sub words { my ($r) = @_; return join "\n", grep { !/\e\[|^elapsed:/ } split /\n/, $r->{out} . $r->{err} }

# Each client: how it gets the image, pushes it to a repository, and gets it back. What push and back give are run()'s arguments.
my %client = (
	skopeo => {
		push => sub { my ($d, $ref) = @_; return skopeo('copy', '--preserve-digests', '--dest-tls-verify=false', "oci:$d:v1", "docker://$ref") },
		same => sub {
			my ($d, $ref, @options) = @_;
			my $r = run(skopeo('copy', '--src-tls-verify=false', "docker://$ref", "oci:$d.back:v1", @options));
			return $r->{status} == 0 && is_deeply(blob_files("$d.back"), blob_files($d), 'skopeo: and what is pulled is what was pushed');
		},
	},
	podman => {
		prepare => sub { ($id) = run(podman('pull', '-q', 'oci-archive:' . archive_of($_[0])))->{out} =~ /^(\w+)/ },
		push => sub { my ($d, $ref) = @_; return podman('push', '--tls-verify=false', $id, "docker://$ref") },
		same => sub {
			my ($d, $ref) = @_;
			run(podman('rmi', '-af'));
			my $back = run(podman('pull', '-q', '--tls-verify=false', $ref))->{out};
			return is($back, "$id\n", 'podman: and what is pulled is what was pushed');
		},
	},
	ctr => {
		prepare => sub { run(ctr('images', 'import', '--no-unpack', '--base-name', "local/$n", archive_of($_[0])))->{status} == 0 or die 'ctr' },
		push => sub { my ($d, $ref) = @_; return ctr('images', 'push', '--plain-http', $ref, "local/$n:v1") },
		same => sub {
			my ($d, $ref) = @_;
			run(ctr('images', 'rm', '--sync', "local/$n:v1"));
			is(run(ctr('content', 'ls', '-q'))->{out}, '', 'ctr: containerd has nothing of it any more');
			run(ctr('content', 'fetch', '--plain-http', $ref));
			my @has = sort map { s/^sha256://r } split /\n/, run(ctr('content', 'ls', '-q'))->{out};
			run(ctr('images', 'rm', '--sync', $ref));
			return is_deeply(\@has, [sort keys %{ blob_files($d) }], 'ctr: and what is pulled is what was pushed');
		},
	},
);

# One push, cut by what is lost. Options: those of push_cut(), and
#   options   more words for the client
#   image     what new_image() returned, for another than it makes by itself
#   had       how many blobs were acknowledged when the power was cut (3: two layers, the config)
#   answers   how PUTs of manifests are answered, where that is not one refusal
#   retries   1: the client tries again by itself, and succeeds
sub cut_ok
{
	my ($name, $lost, %o) = @_;
	my $client = $client{$name};
	my ($d) = $o{image} ? @{ $o{image} } : new_image();
	my $ref = $c->host . "/$name/app$n:v1";
	my $blobs = $o{had} // 3;

	$client->{prepare}->($d) if $client->{prepare};
	my @push = ($client->{push}->($d, $ref), @{ $o{options} // [] });
	my ($r, $cut) = $c->push_cut({ lost => $lost, %o }, sub { run(@push) });
	my $title = "$name, $lost lost" . ($o{hang_up} ? ', no answer' : '') . ($o{image} ? ', an index' : '');
	is($cut && scalar @{ $cut->{had} }, $blobs, "$title: $blobs blobs were acknowledged") or diag(words($r));
	is_deeply([$c->manifest_answers("$name/app$n")], $o{answers} // [$o{hang_up} ? () : 400, $o{retries} ? 201 : ()], "$title: the manifest is refused");
	if ($o{retries}) {
		is($r->{status}, 0, "$title: the same process tries again, and succeeds");
	} else {
		isnt($r->{status}, 0, "$title: the push fails");
		is($b->req(GET => "/v2/$name/app$n/manifests/v1")->status, 404, "$title: and the tag does not exist");
	}
	like(words($r), $o{hang_up} ? qr/EOF|reset|closed/ : $unknown, "$title: it says why");
	run_ok(@push, "$title: the same command again succeeds");
	$client->{same}->($d, $ref, @{ $o{options} // [] }) or diag($title);
	return;
}

cut_ok('skopeo', 'all');
cut_ok('skopeo', 'smallest', options => ['--retry-times', 1], retries => 1);
cut_ok('podman', 'links', retries => 1);
cut_ok('ctr', 'largest');

SKIP: {
	skip_long('each client with each loss', 1);
	for my $lost (qw(all links largest smallest hollow)) {
		cut_ok('skopeo', $lost);
		cut_ok('podman', $lost, retries => 1);
		cut_ok('ctr', $lost);
	}
	# An index of two images, of which the first is acknowledged. It has to be there; of the second a layer is gone.
	my @index = new_image({ arch => 'arm64', files => { c => random_bytes(200_000) } });
	cut_ok('skopeo', 'largest', image => \@index, options => ['--all'], after => 1, had => 5, answers => [201, 400]);
	# the power is gone for the client as well: no answer
	cut_ok('skopeo', 'all', hang_up => 1);
	cut_ok('podman', 'all', hang_up => 1, retries => 1);
	cut_ok('ctr', 'all', hang_up => 1);
}

is(run(program('berth'), '--config', $b->config_file, '--root', $b->root, 'fsck', '--data')->{status}, 0, 'berth fsck finds nothing wrong in the store');
is(Berth::Check::leftovers($b), '', 'nothing is left where bodies are spooled and files are made');
$c->stop;
done_testing();
