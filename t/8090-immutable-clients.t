#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Immutable tags, and other refusals by rules, as docker, podman, skopeo and containerd show them to their users: doc/RULES.md,
# "What clients show".
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Client;
use Berth::Docker;

need_program('podman', 'skopeo', 'ctr', 'containerd', 'unshare', 'busybox');
podman_works() or cannot_run("podman can't run here");
my $d = Berth::Docker->start;
my $s = Berth::Server->start(config => <<'END');
delete = true;
rules = (
	{ repo = "release/**"; immutable = "v*"; },
	{ repo = "few/**"; max_tags = 1; },
	{ repo = "frozen/**"; readonly = true; }
);
END
my $host = '127.0.0.1:' . $s->port;
my $dir = tmp_dir();

# The requests of a client that changed a manifest, or tried to, while code runs: their status.
sub changes
{
	my ($code) = @_;
	my $before = () = $s->log;
	my $r = $code->();
	my @all = $s->log_events;
	my @new = splice @all, $before;

	return ($r, join ' ', map { $_->{status} } grep { ($_->{event} // '') eq 'request' && ($_->{route} // '') eq 'manifest' && $_->{method} =~ /^(?:PUT|DELETE)$/ } @new);
}

# Two images of each kind
$d->busybox_image('busybox:latest');
my %image = map { ($_ => $d->build("$host/release/app:v1", "FROM busybox\nRUN echo $_ >/what\n", $dir)) } 'two', 'one';
oci_layout("$dir/one", 'x', { files => { hello => "one\n" } });
oci_layout("$dir/two", 'x', { files => { hello => "two\n" } });
for (qw(one two)) {
	spew("$dir/$_-files.tar", tar_files(what => "$_\n") . "\0" x 1024);
	run_ok(podman('import', '-q', "$dir/$_-files.tar", "localhost/$_"), "podman takes image $_");
	run_ok('tar', '-C', "$dir/$_", '-cf', "$dir/$_.tar", '.', "a tar of image $_");
	run_ok(ctr('images', 'import', '--base-name', $_, "$dir/$_.tar"), "containerd takes image $_");
}

# to(client, image, repository, tag) - a push of one of the two
my %push = (
	docker => sub { my ($what, $repo, $tag) = @_; $d->run_docker('tag', $image{$what}, "$host/$repo:$tag"); return $d->run_docker('push', "$host/$repo:$tag") },
	podman => sub { my ($what, $repo, $tag) = @_; return run(podman('push', '--tls-verify=false', "localhost/$what", "$host/$repo:$tag")) },
	skopeo => sub { my ($what, $repo, $tag) = @_; return run(skopeo('copy', '--dest-tls-verify=false', "oci:$dir/$what:x", "docker://$host/$repo:$tag")) },
	'skopeo --retry-times' => sub { my ($what, $repo, $tag) = @_; return run(skopeo('copy', '--retry-times', '2', '--dest-tls-verify=false', "oci:$dir/$what:x", "docker://$host/$repo:$tag")) },
	ctr => sub { my ($what, $repo, $tag) = @_; run(ctr('images', 'tag', '--force', "$what:x", "$host/$repo:$tag")); return run(ctr('images', 'push', '--plain-http', "$host/$repo:$tag")) },
);
my $shown = sub { my ($r) = @_; return "status $r->{status}\n" . ($r->{out} =~ tr/\0-\x08//dr) . $r->{err} };
my $reason = sub { my ($client, $message) = @_; return $client eq 'ctr' ? qr/unexpected status.*403 Forbidden/ : qr/denied: $message/ };

for my $client (sort keys %push) {
	(my $repo = "release/$client") =~ s/[^a-z\/]+/-/g;
	my ($r, $changes) = changes(sub { $push{$client}->('one', $repo, 'v1') });
	is "$r->{status} $changes", '0 201', "$client sets an immutable tag" or diag $shown->($r);
	($r, $changes) = changes(sub { $push{$client}->('one', $repo, 'v1') });
	is $r->{status}, 0, "$client pushes the same again" or diag $shown->($r);
	($r, $changes) = changes(sub { $push{$client}->('two', $repo, 'v1') });
	isnt $r->{status}, 0, "$client cannot move it";
	is $changes, '403', "$client stops at once" or diag $shown->($r);
	my $text = ($r->{out} . $r->{err}) =~ s/\\"/"/gr;
	like $text, $reason->($client, qr{immutable tag v1: the rule for "release/\*\*" lets nobody move it}), "$client says what it can";
	($r, $changes) = changes(sub { $push{$client}->('two', $repo, 'latest') });
	is "$r->{status} $changes", '0 201', "$client sets another tag" or diag $shown->($r);

	# One tag too many
	(my $few = "few/$client") =~ s/[^a-z\/]+/-/g;
	is $push{$client}->('one', $few, 'a')->{status}, 0, "$client sets the only tag that may be";
	($r, $changes) = changes(sub { $push{$client}->('one', $few, 'b') });
	is $changes, '403', "$client stops at once at a second one" or diag $shown->($r);
	like(($r->{out} . $r->{err}) =~ s/\\"/"/gr, $reason->($client, qr{too many tags: the rule for "few/\*\*" allows 1}), "$client says what it can of it");
}

# A repository that is read-only refuses the first write already
my $frozen = $push{docker}->('one', 'frozen/app', 'x');
like $frozen->{out} . $frozen->{err}, qr/unsupported: the repository is read-only: the rule for "frozen\/\*\*" says so/, 'docker says that a repository is read-only';
$frozen = $push{skopeo}->('one', 'frozen/app', 'x');
like(($frozen->{out} . $frozen->{err}) =~ s/\\"/"/gr, qr/the repository is read-only: the rule for "frozen\/\*\*" says so/, 'so does skopeo');

# Deletions
my ($r, $changes) = changes(sub { run(skopeo('delete', '--tls-verify=false', "docker://$host/release/skopeo:v1")) });
isnt $r->{status}, 0, 'skopeo cannot delete an immutable tag';
is $changes, '403', 'and stops at once';
like $r->{err} =~ s/\\+"/"/gr, qr/immutable tag v1: the rule for "release\/\*\*" lets nobody delete it/, 'and says why';
done_testing;
