#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Rules beside a registry that serves: what is removed is told, remembered and gone from every list; what changes meanwhile stays.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(sha256_hex);
use Fcntl qw(:flock);
use POSIX ();
use Berth::Test;
use Berth::Check;
use Berth::Events;
use Berth::GC;
use Berth::Repo;
use Berth::Rules;

my $RULES = "rules_delay = \"0s\";\nrules = ( { repo = \"signed/**\"; keep = ( { signed = true; newest = 2; } ); }, { repo = \"ci/**\"; keep = ( { newest = 2; }, { tag = \"v*\"; }, { pulled = \"1d\"; } ); untagged = \"1d\"; } );\n";
my $CONFIG = "delete = true;\nundo = \"1d\";\njournal = { enabled = true; };\n$RULES";
my $s = Berth::Server->start(workers => 2, config => $CONFIG . "gc = { grace = \"0s\"; };\n");
pulls_noted_since($s, 1);
my $now = time;
my %digest;

# push_old - an image pushed so many days ago, as far as rules can see
sub push_old
{
	my ($repo, $tag, $days) = @_;

	($digest{"$repo $tag"}) = $s->push_image($repo, $tag);
	pushed_at($s, $repo, $tag, $now - $days * DAY);
	return $digest{"$repo $tag"};
}

push_old('ci/app', "t$_", $_) for 1 .. 5;
push_old('ci/app', 'v1', 50);
push_old('other/app', 't1', 50);
is tags_of($s, 'ci/app'), 't1 t2 t3 t4 t5 v1', 'six tags';
rules_ok($s, 'apply', 'rules are applied while the registry serves');
is tags_of($s, 'ci/app'), 't1 t2 v1', 'clients see what stays';
is $s->req('HEAD', "/v2/ci/app/manifests/t3")->status, 404, '... and no others';
is $s->req('HEAD', "/v2/ci/app/manifests/$digest{'ci/app t3'}")->status, 200, 'manifests stay until they are collected';
my @gone = grep { $_->{action} eq 'untag' } events($s);
is join(' ', sort map { $_->{tag} } @gone), 't3 t4 t5', 'the journal tells each tag';
is_deeply [map { $_->{login} } @gone], [('command') x 3], '... and that a command did it';
is journal_fault($s), '', '... as it came';
is join(' ', fsck_kinds($s)), '', 'fsck finds nothing, in no index either';
my $deleted = berth($s, 'tag', 'deleted', 'ci/app')->{out};
for (3 .. 5) {
	my $short = substr $digest{"ci/app t$_"}, 0, 12;
	like $deleted, qr/\bt$_\b.*$short/, "t$_ is remembered";
}
berth_ok($s, 'tag', 'restore', 'ci/app:t3', 'one of them is restored');
is tags_of($s, 'ci/app'), 't1 t2 t3 v1', '... and is there';
rules_ok($s, 'apply', 'the rules once more');
is tags_of($s, 'ci/app'), 't1 t3 v1', '... count the restore as a push';

# --- by a collection of the master
$s->config($CONFIG . "gc = { every = \"1s\"; grace = \"0s\"; };\n");
push_old('ci/app', 'x', 40);
push_old('ci/app', 'y', 0);
my $before = grep { $_->{action} eq 'untag' } events($s);
$s->reload;
ok +(wait_for { tags_of($s, 'ci/app') eq 't3 v1 y' }), 'collections apply the rules';
$s->config($CONFIG . "gc = { grace = \"0s\"; };\n");
$s->reload;
my $logged = wait_for { (grep { ($_->{event} // '') eq 'rules' } $s->log_events)[0] };
is $logged->{removed}, 2, '... and the log';
my $sum = wait_for { (grep { ($_->{event} // '') eq 'collected' && $_->{by_rules} } $s->log_events)[0] };
is $sum->{by_rules}, 2, '... with the rest of the collection';
my @by = grep { $_->{action} eq 'untag' } events($s);
is join(' ', map { $_->{login} } @by[$before .. $#by]), 'collector collector', '... and the journal';
# One that has begun before the reload would take what is pushed from now on: it has no grace.
wait_for { 2 == grep { ($_->{event} // '') eq 'reload' } $s->log_events };
wait_for { !$s->at_work('collect') };

# --- what changes between the reading and the removal
# meanwhile - the rules are applied to a repository of its own with tags a (oldest) .. e; before they remove anything something is done
sub meanwhile
{
	my ($what, $do, $want, $changed) = @_;
	my $repo = 'ci/' . (join '-', 'm', split / /, $what) =~ tr/a-z/-/cdr;

	my %d = map { $_ => push_old($repo, $_, ord('z') - ord $_) } 'a' .. 'e';
	my $file = $s->root . '/berth/locks/repository/' . substr sha256_hex($repo), 0, 2;
	open my $lock, '>>', $file or die "$file: $!";
	flock $lock, LOCK_EX or die;
	my $out = tmp_dir() . '/out';
	my $pid = fork // die;
	if (!$pid) {
		open STDOUT, '>', $out or POSIX::_exit(127);
		exec(rules_cmd($s, 'apply', '--json', '--repo', $repo)) or POSIX::_exit(127);
	}
	wait_for { (readlink "/proc/$pid/exe" // '') =~ /berth\z/ && grep { (readlink $_ // '') eq $file } glob "/proc/$pid/fd/*" };
	$do->($repo, \%d);
	close $lock;
	waitpid $pid, 0;
	is $?, 0, "$what meanwhile: the run ends well";
	is tags_on_disk($s, $repo), $want, '... and leaves what it has to';
	is rules_total({ out => slurp($out) })->{changed}, $changed, '... and says how many changed';
	run(berth_cmd($s, 'repo', 'rm', $repo))->{status} and die "repo rm\n";
	return;
}
meanwhile('nothing', sub { }, 'd e', 0);
meanwhile('a tag moved', sub { my ($repo, $d) = @_; spew(tag_link($s, $repo, 'a'), $d->{e}) }, 'a d e', 1);
meanwhile('a tag pushed again', sub { pushed_at($s, $_[0], 'b', time) }, 'b d e', 1);
meanwhile('a tag pulled', sub { pulled_at($s, $_[0], 'c', time) }, 'c d e', 1);
meanwhile('a digest pulled', sub { pulled_at($s, $_[0], $_[1]{c}, time) }, 'c d e', 1);
meanwhile('a tag deleted', sub { system 'rm', '-r', data_dir($s) . "/repositories/$_[0]/_manifests/tags/b" }, 'd e', 1);
meanwhile('one of the newest deleted', sub { system 'rm', '-r', data_dir($s) . "/repositories/$_[0]/_manifests/tags/e" }, 'c d', 0);
meanwhile('one of the newest moved', sub { my ($repo, $d) = @_; spew(tag_link($s, $repo, 'e'), $d->{a}) }, 'd e', 0);
meanwhile('one of the newest pulled', sub { pulled_at($s, $_[0], 'e', time) }, 'd e', 0);
meanwhile('all others deleted', sub { system 'rm', '-r', map { data_dir($s) . "/repositories/$_[0]/_manifests/tags/$_" } qw(c d e) }, 'a b', 0);

# --- signatures that come and go between the reading and the removal, through the registry
# signature - of an image: pushed as a referrer; its digest
sub signature
{
	my ($repo, $image) = @_;
	my $m = sprintf '{"schemaVersion":2,"mediaType":"%s","artifactType":"application/vnd.cncf.notary.signature","config":%s,"layers":[],"subject":{"mediaType":"%s","digest":"%s","size":%d}}',
		OCI_MANIFEST, desc('application/vnd.oci.empty.v1+json', '{}'), OCI_MANIFEST, $image, -s blob_file($s, $image);

	$s->push_blob($repo, '{}');
	$s->push_manifest($repo, sha256($m), $m, OCI_MANIFEST)->status == 201 or die 'signature';
	return sha256($m);
}

for my $case (['nothing', sub { }, 'c d'], ['the oldest is signed', sub { signature($_[0], $_[1]{a}) }, 'a c d'],
	['the oldest is signed by a tag', sub { push_old($_[0], $_[1]{a} =~ s/:/-/r . '.sig', 0) }, 'a c d sha256-A.sig'],
	['one of the newest loses its signature', sub { $s->req('DELETE', "/v2/$_[0]/manifests/$_[2]{d}")->status == 202 or die }, 'b c']) {
	my ($what, $do, $want) = @$case;
	my $repo = 'signed/' . $what =~ tr/a-z/-/csr;
	my %d = map { $_ => push_old($repo, $_, ord('z') - ord $_) } 'a' .. 'e';
	my %sig = map { $_ => signature($repo, $d{$_}) } 'b' .. 'd';
	my $file = $s->root . '/berth/locks/repository/' . substr sha256_hex($repo), 0, 2;
	open my $lock, '>>', $file or die "$file: $!";
	flock $lock, LOCK_EX or die;
	my $pid = fork // die;
	if (!$pid) {
		open STDOUT, '>', '/dev/null' or POSIX::_exit(127);
		exec(rules_cmd($s, 'apply', '--repo', $repo)) or POSIX::_exit(127);
	}
	wait_for { (readlink "/proc/$pid/exe" // '') =~ /berth\z/ && grep { (readlink $_ // '') eq $file } glob "/proc/$pid/fd/*" };
	# While it is stopped it does not wait for the lock, and others have it.
	kill STOP => $pid;
	wait_for { (content_of("/proc/$pid/stat") // '') =~ /\) T / };
	close $lock;
	$do->($repo, \%d, \%sig);
	kill CONT => $pid;
	waitpid $pid, 0;
	is $?, 0, "$what meanwhile: the run ends well";
	is tags_on_disk($s, $repo), $want =~ s/A/substr $d{a}, 7/er, '... and keeps what is signed now';
}

# --- a tag of digest scheme, and its manifest, in one collection
my ($image) = $s->push_image('ci/sig', 'v1');
(my $tag = "$image.sig") =~ s/:/-/;
my $signature = push_old('ci/sig', $tag, 3);
$s->req('DELETE', '/v2/ci/sig/manifests/v1');
system 'rm', '-rf', $s->root . '/berth/undo/ci/sig';
revision_at($s, 'ci/sig', $image, $now - 2 * DAY);
gc_ok($s, 'a collection that removes an image');
is tags_on_disk($s, 'ci/sig'), '', '... removes its signature\'s tag';
is manifests_on_disk($s, 'ci/sig'), $signature, '... whose manifest has lost its last tag only now';
system 'rm', '-rf', $s->root . '/berth/undo/ci/sig';
revision_at($s, 'ci/sig', $signature, $now - 2 * DAY);
gc_ok($s, 'a day later');
is manifests_on_disk($s, 'ci/sig'), '', '... it goes, too';
is journal_fault($s), '', 'the journal tells all';
is join(' ', fsck_kinds($s)), '', 'fsck finds nothing';
$s->stop;
done_testing;
