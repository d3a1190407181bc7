#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# kill -9 of an eviction at its system calls, one after the other: no link is left without its bytes, what a pushed image has stays, and the next eviction and the next
# collection take what is left. BERTH_STRESS=1 kills at every call; without it at as many as 20 seconds allow, spread evenly.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use List::Util qw(min);
use Time::HiRes qw(time);
use Berth::Test;
use Berth::Check;
use Berth::Cache;
use Berth::GC;

plain_build_only('it traces system calls');
need_program('strace');

my $HOUR = 3600;
my $began = time;
my $dir = quick_dir();

# --- the store, as it is before each kill: made by workers, and then nobody serves

my $conf = "delete = true;\nfsync = \"full\";\nupstreams = ( { name = \"up\"; urls = [ \"http://127.0.0.1:1\" ]; } );\ncache = { idle = \"10h\"; };\n";
my $s = Berth::Server->start(config => $conf, args => ['--no-relay'], workers => 1, root => "$dir/model");
$s->at_rest;
my $base = random_bytes(3000);
my @gone = map { hand_image($s, "up/gone$_", '1', "{\"n\":$_}", random_bytes(1000), $base) } 1 .. 3;
push @gone, hand_image($s, 'up/both', '1', '{"old":1}', random_bytes(1000), $base);
my $stays = hand_image($s, 'up/both', '2', '{"new":1}', random_bytes(1000));
my ($own_config, $own_layer) = ('{"own":1}', random_bytes(2000));
push @gone, hand_image($s, 'up/shared', '1', $own_config, $own_layer);
for my $b ($own_config, $own_layer) {
	is $s->req(POST => '/v2/own/app/blobs/uploads/?mount=' . sha256($b) . '&from=up/shared', headers => ['Content-Length' => 0])->status, 201, 'a blob is mounted from the mirror';
}
my $own = image_of(OCI_MANIFEST, $own_config, $own_layer);
is $s->push_manifest('own/app', '1', $own, OCI_MANIFEST)->status, 201, 'and an image of one\'s own pushed';
pulled_before($s, $_->{repo}, $_, 11 * $HOUR) for @gone;
$s->stop_workers;
my @keep = ({ repository => 'own/app', digest => sha256($own), bytes => $own, tags => ['1'], parts => { sha256($own_config) => $own_config, sha256($own_layer) => $own_layer } },
	{ repository => 'up/both', digest => $stays->{digest}, bytes => $stays->{json}, tags => ['2'] });
my @want = sort(sha256($own), sha256($own_config), sha256($own_layer), $stays->{digest}, $stays->{config}, @{ $stays->{layers} });

my $copies = 0;
sub copy
{
	my $c = bare_store("$dir/" . ++$copies);

	run('cp', '-a', '--', $s->root . '/.', $c->root)->{status} and die "cp\n";
	return $c;
}
sub words { my ($c, @o) = @_; return (program('berth'), '--config', $s->config_file, '--root', $c->root, @o) }
my @evict = qw(gc --cache);

# --- what it does, call by call

my $c = copy();
my $r = run('strace', '-f', '-o', "$dir/trace", words($c, @evict));
is $r->{status}, 0, 'untouched it works' or diag $r->{err};
is join(' ', @{ blobs_on_disk($c) }), join(' ', @want), 'all bytes go that only mirrors had, and no others';
is missing_of($c, @keep), '', 'what stays is whole';
my %count;
for (split /\n/, slurp("$dir/trace")) {
	$count{$1}++ if /^\d+\s+(\w+)\(/;
}
my @kinds = grep { $count{$_} } qw(renameat unlinkat mkdirat fsync fchmod pwrite64 utimensat flock write openat getdents64 close);
my @plan;
for my $kind (@kinds) {
	my $most = $kind =~ /^(renameat|unlinkat|fsync|flock|pwrite64)$/ ? 40 : 10;
	my $n = min($count{$kind}, $ENV{BERTH_STRESS} ? 1e9 : $most);
	my %at = map { 1 + int(($count{$kind} - 1) * ($n > 1 ? $_ / ($n - 1) : 0)) => 1 } 0 .. $n - 1;
	push @plan, map { [$kind, $_] } sort { $a <=> $b } keys %at;
}
# the kinds by turns, so that where time is short some of each is tried
my (%nth, %turn);
$turn{"@$_"} = $nth{ $_->[0] }++ for @plan;
@plan = sort { $turn{"@$a"} * 7 % 40 <=> $turn{"@$b"} * 7 % 40 || $a->[0] cmp $b->[0] } @plan;
diag(join ', ', map { "$_ $count{$_}" } @kinds);

# dangling - links and manifests without their bytes
sub dangling
{
	my ($c) = @_;
	my %there = map { $_ => 1 } @{ blobs_on_disk($c) };
	my @bad = grep { / (\S+)$/ && !$there{$1} } @{ links_on_disk($c) };
	my %linked;

	for (files_below(data_dir($c) . '/repositories')) {
		$linked{"$1 $2:$3"} = 1 if m{^(.*)/_manifests/revisions/(\w+)/(\w+)/link$};
	}
	push @bad, grep { / (\S+)$/ && !$there{$1} } sort keys %linked;
	for (files_below(data_dir($c) . '/repositories')) {
		my ($repo, $tag) = m{^(.*)/_manifests/tags/([^/]+)/current/link$} or next;
		my $d = content_of(tag_link($c, $repo, $tag));
		push @bad, "$repo:$tag" if !$linked{"$repo $d"};
	}
	return "@bad";
}

# --- and killed there

my ($killed, %fault) = 0;
for my $p (@plan) {
	my ($kind, $n) = @$p;
	my $at = "$kind $n of $count{$kind}";
	last if !$ENV{BERTH_STRESS} && time - $began > 25 && $killed > 20;
	$c = copy();
	$r = run('strace', '-f', '-o', '/dev/null', '-e', "trace=$kind", '-e', "inject=$kind:signal=KILL:when=$n", words($c, @evict));
	$killed++ if $r->{status} == 128 + 9;
	my $bad = dangling($c);
	push @{ $fault{'no link, manifest or tag is left that names nothing'} }, "$at: $bad" if $bad ne '';
	my $missing = missing_of($c, @keep);
	push @{ $fault{'nothing that stays is missing'} }, "$at: $missing" if $missing ne '';
	$r = run(words($c, @evict));
	push @{ $fault{'the next eviction ends with 0'} }, "$at: $r->{status} $r->{err}" if $r->{status} || $r->{err} ne '';
	my @stranded = grep { my $d = $_; !grep { $_ eq $d } @want } @{ blobs_on_disk($c) };
	push @{ $fault{'and removes all bytes that had to go'} }, "$at: @stranded" if @stranded;
	make_old($c, 8 * 24 * $HOUR, map({ "berth/$_" } qw(tmp trash body)), 'docker/registry/v2/blobs');
	$r = run(words($c, 'gc'));
	push @{ $fault{'the next collection ends with 0'} }, "$at: $r->{status} $r->{err}" if $r->{status} || $r->{err} ne '';
	my @left = grep { my $d = $_; !grep { $_ eq $d } @want } @{ blobs_on_disk($c) };
	push @{ $fault{'and no bytes are left that had to go'} }, "$at: @left" if @left;
	$missing = missing_of($c, @keep);
	push @{ $fault{'nor is anything missing afterwards'} }, "$at: $missing" if $missing ne '';
	my $size = slurp($c->root . '/berth/mirror/_size') + 0;
	my $is = 0;
	$is += -s blob_file($c, $_) for $stays->{digest}, $stays->{config}, @{ $stays->{layers} };
	push @{ $fault{'the count is right'} }, "$at: $size, not $is" if $size != $is;
	run('rm', '-rf', '--', $c->root);
}
for my $what ('no link, manifest or tag is left that names nothing', 'nothing that stays is missing', 'the next eviction ends with 0', 'and removes all bytes that had to go', 'the next collection ends with 0',
	'and no bytes are left that had to go', 'nor is anything missing afterwards', 'the count is right') {
	is join("\n", @{ $fault{$what} // [] }), '', "killed at a system call: $what";
}
cmp_ok $killed, '>', 20, 'it was killed at many of them';
diag("$killed kills of " . scalar(@plan) . ' planned');

# --- beside a registry that goes on: the list of tags counts the referrers that are left

my $b = Berth::Server->start(config => $conf, args => ['--no-relay'], workers => 1);
$b->at_rest;
my $n = 0;
# signed - a repository with an image that is used, and two signatures of it that nobody has pulled for long
sub signed
{
	my $repo = 'up/signed' . ++$n;
	my $image = hand_image($b, $repo, '1', "{\"n\":$n}", 'a layer');
	for my $i (1, 2) {
		my $json = image_of(OCI_MANIFEST, '{}', "signature $i") =~ s/\}\z/',"artifactType":"application\/vnd.cncf.notary.signature","subject":' . desc(OCI_MANIFEST, $image->{json}) . '}'/er;
		my $status = hand_over($b, PUT => "manifest?repo=$repo&ref=" . sha256($json), body => $json, type => OCI_MANIFEST);
		die "a signature: $status" if $status != 201;
		pulled_before($b, $repo, { digest => sha256($json), config => sha256('{}'), layers => [] }, 11 * $HOUR);
	}
	signatures($repo);
	return $repo;
}
# signatures - how many the list says, and how many there are
sub signatures
{
	my ($repo) = @_;
	my $links = grep { m{/link\z} } files_below(data_dir($b) . "/repositories/$repo/_manifests/revisions");

	return ($b->req(GET => "/berth/v1/repos/$repo/tags")->json->{tags}[0]{signatures}, $links - 1);
}
sub evict { return run(@_, program('berth'), '--config', $b->config_file, '--root', $b->root, @evict) }
my $first = signed();
is join(' ', signatures($first)), '2 2', 'an image of a mirror has two signatures';
is evict('strace', '-f', '-o', "$dir/trace")->{status}, 0, 'which an eviction removes';
is join(' ', signatures($first)), '0 0', '... and the list of tags says so';
my (%calls, @wrong, $deaths);
$calls{ /^\d+\s+(\w+)\(/ ? $1 : '' }++ for split /\n/, slurp("$dir/trace");
for my $call (qw(renameat write unlinkat)) {
	for my $at (1 .. $calls{$call} // 0) {
		my $repo = signed();
		$deaths += evict('strace', '-f', '-o', '/dev/null', '-e', "trace=$call", '-e', "inject=$call:signal=KILL:when=$at")->{status} == 128 + 9;
		my ($says, $are) = signatures($repo);
		push @wrong, "killed at $call $at: $says are listed, $are are there" if $says != $are;
		my $then = evict();
		push @wrong, "killed at $call $at: the next one says $then->{status} $then->{err}" if $then->{status};
	}
}
is join("\n", @wrong), '', 'killed at a system call beside a registry it leaves no wrong number';
cmp_ok $deaths, '>=', 10, "... $deaths times";
$b->stop;
done_testing;
