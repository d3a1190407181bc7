#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A push that a quota refuses, as docker, podman, skopeo and containerd show it to their users: doc/RULES.md, "Quotas".
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Client;
use Berth::Docker;
use Berth::Quota;

need_program('podman', 'skopeo', 'ctr', 'containerd', 'unshare');
podman_works() or cannot_run("podman can't run here");
my $d = Berth::Docker->start;
my $full = '{ repo = "full/*"; quota = "100 KiB"; }';
my $s = Berth::Server->start(config => "rules = ( $full );\n");
my $host = '127.0.0.1:' . $s->port;
my $dir = tmp_dir();

# The requests of a client that were answered with an error while code runs, "METHOD route status".
sub refused
{
	my ($code) = @_;
	my $before = () = $s->log;
	my $r = $code->();
	my @all = $s->log_events;

	return ($r, map { "$_->{method} $_->{route} $_->{status}" } grep { ($_->{event} // '') eq 'request' && $_->{status} >= 400 && $_->{status} != 404 } splice @all, $before);
}

my $noise = random_bytes(300_000);
spew("$dir/noise", $noise);
# of one layer: docker pushes several at the same time, and each is refused
my $image = $d->build("$host/full/first:v1", "FROM scratch\nCOPY noise /noise\n", $dir);
oci_layout("$dir/image", 'x', { files => { noise => $noise } });
spew("$dir/files.tar", tar_files(noise => $noise) . "\0" x 1024);
run_ok(podman('import', '-q', "$dir/files.tar", 'localhost/image'), 'podman takes an image');
run_ok('tar', '-C', "$dir/image", '-cf', "$dir/image.tar", '.', 'a tar of it');
run_ok(ctr('images', 'import', '--base-name', 'image', "$dir/image.tar"), 'containerd takes it');

my %push = (
	docker => sub { my ($repo) = @_; $d->run_docker('tag', $image, "$host/$repo:v1"); return $d->run_docker('push', "$host/$repo:v1") },
	podman => sub { my ($repo) = @_; return run(podman('push', '--tls-verify=false', 'localhost/image', "$host/$repo:v1")) },
	skopeo => sub { my ($repo) = @_; return run(skopeo('copy', '--dest-tls-verify=false', "oci:$dir/image:x", "docker://$host/$repo:v1")) },
	'skopeo --retry-times' => sub { my ($repo) = @_; return run(skopeo('copy', '--retry-times', '2', '--dest-tls-verify=false', "oci:$dir/image:x", "docker://$host/$repo:v1")) },
	ctr => sub { my ($repo) = @_; run(ctr('images', 'tag', '--force', 'image:x', "$host/$repo:v1")); return run(ctr('images', 'push', '--plain-http', "$host/$repo:v1")) },
);
my $text = sub { my ($r) = @_; return ($r->{out} =~ tr/\0-\x08//dr) . $r->{err} };
my $reason = sub { my ($client, $more) = @_; return $client eq 'ctr' ? qr/unexpected status.*403 Forbidden/ : qr/denied: the quota does not allow it: \d+ bytes are used of \d+, and $more more would be needed/ };
my %need;

for my $client (sort keys %push) {
	my $name = $client =~ s/[^a-z]+/-/gr;
	my ($r, @errors) = refused(sub { $push{$client}->("full/$name") });

	isnt $r->{status}, 0, "$client cannot push a layer for which there is no room";
	# A client that knows another repository with the layer asks for a mount before it uploads.
	shift @errors if @errors > 1 && $errors[0] eq 'POST uploads 403';
	is scalar(@errors), 1, "$client stops at once" or diag(join ', ', @errors, $text->($r));
	like $errors[0] // '', qr/^(?:PATCH|PUT|POST) uploads? 403$/, "$client is told 403";
	like $text->($r), $reason->($client, '\d{6}'), "$client says what it can";
	cmp_ok +(quota_counted($s->root, "full/$name"))[0], '<=', 100 << 10, "$client: there is no more than allowed";
	is $push{$client}->("wide/$name")->{status}, 0, "$client pushes elsewhere";
	($need{$name}) = quota_counted($s->root, "wide/$name");
}

# Room for all blobs, but not for the manifest
$s->config("rules = ( $full, " . join(', ', map { sprintf '{ repo = "near/%s"; quota = "%d"; }', $_, $need{$_} - 10 } sort keys %need) . " );\n");
$s->replace_workers or die 'the workers stay';
for my $client (sort keys %push) {
	my $name = $client =~ s/[^a-z]+/-/gr;
	my ($r, @errors) = refused(sub { $push{$client}->("near/$name") });

	isnt $r->{status}, 0, "$client cannot push a manifest for which there is no room";
	is "@errors", 'PUT manifest 403', "$client stops at once" or diag($text->($r));
	like $text->($r), $reason->($client, '\d{3,4}'), "$client says what it can";
	is quota_fault($s->root, "near/$name"), '', "$client: what it left is counted";
}
done_testing;
