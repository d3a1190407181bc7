#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A store of which a part lies on another file system, by a mount or a link: one line, and no start. Nothing could be published there.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp ();
use Berth::Test;
use Berth::Server;
use Berth::Check;

cannot_run('it mounts file systems, which takes root') if $> != 0;
need_program('unshare');
delete $ENV{$_} for grep { /^REGISTRY_/ } keys %ENV;
my $program = program('berth-fcgi');
my $dir = tmp_dir();
my $n = 0;
my ($blobs, $repositories) = map { "docker/registry/v2/$_" } qw(blobs repositories);

# tried - starts on a new store that a shell has prepared, in $0; -> status and lines
sub tried
{
	my ($prepare) = @_;
	my $root = "$dir/store" . ++$n;

	mkdir $root;
	my $r = run({ timeout => 90 }, 'unshare', '--mount', '--propagation', 'private', 'sh', '-c',
		"mkdir -p \"\$0\"/$blobs \"\$0\"/$repositories \"\$0\"/berth \"\$0\".other && { $prepare; } && exec timeout -s TERM 60 \"\$@\" >\"\$0\".log 2>&1", $root, $program, '--root', $root, '--listen', "$root.sock");
	return ($r->{status}, [split /\n/, $r->{out} . $r->{err} . slurp("$root.log")], $root);
}

sub refused
{
	my ($part, $how, $prepare) = @_;
	my ($status, $lines, $root) = tried($prepare);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is $status, 1, "$how: no start";
	is scalar @$lines, 1, "$how: one line" or diag @$lines;
	like $lines->[0] // '', qr{^berth-fcgi: \Q$root/$part\E is on another file system than \Q$root\E/berth/tmp: .*; a store is on one file system: mount the volume at \Q$root\E, or},
		"$how: what, and what to do";
}
refused($_, "$_ is a volume", "mount -t tmpfs tmpfs \"\$0\"/$_") for $blobs, $repositories;
# All others are elsewhere then; the first that is met is named.
refused($blobs, 'berth is a volume', 'mount -t tmpfs tmpfs "$0"/berth');
refused($blobs, 'blobs is a link to a volume', "mount -t tmpfs tmpfs \"\$0\".other && rmdir \"\$0\"/$blobs && ln -s \"\$0\".other \"\$0\"/$blobs");
refused($repositories, 'the same file system, mounted once more: a rename between mounts fails as well', "mount --bind \"\$0\".other \"\$0\"/$repositories");
refused("$blobs/sha256", 'a directory below', "mkdir \"\$0\"/$blobs/sha256 && mount -t tmpfs tmpfs \"\$0\"/$blobs/sha256");

# What may be: the whole store on a volume, links within one file system. Read-only, nothing is published.
for (['the whole store is a volume', 'mount -t tmpfs tmpfs "$0"'],
	['docker and berth are links to one volume', 'mount -t tmpfs tmpfs "$0".other && rmdir "$0"/berth && rm -r "$0"/docker && mkdir "$0".other/docker "$0".other/berth && ln -s "$0".other/docker "$0".other/berth "$0"/'],
	['blobs is a link on the same file system', "rmdir \"\$0\"/$blobs && ln -s \"\$0\".other \"\$0\"/$blobs"]) {
	my ($how, $prepare) = @$_;
	my ($status, $lines) = tried("{ $prepare; } && { (until grep -q ready \"\$0\".log; do sleep 0.1; done; kill -TERM \$\$) >/dev/null 2>&1 & }");
	ok +(grep { /"event":"ready"/ } @$lines), "$how: it starts" or diag @$lines;
}

# A repository that is a link to another file system is met by a push only: it is said then, and it is not ready.
my $s = Berth::Server->start(workers => 2);
my $far = '/dev/shm';
SKIP: {
	skip "$far is not another file system", 5 if !-d $far || (stat $far)[0] == (stat $s->root)[0];
	my $elsewhere = File::Temp->newdir('berth-t.XXXXXX', DIR => $far);
	mkdir Berth::Check::repo_dir($s, 'team');
	symlink $elsewhere->dirname, Berth::Check::repo_dir($s, 'team/app') or die $!;
	my $r = $s->req(POST => '/v2/team/app/blobs/uploads/?digest=' . sha256('x'), body => 'x');
	is $r->status, 500, 'a push to a repository on another file system is 500';
	is $r->header('Retry-After'), undef, '... which does not ask to come again';
	my ($said) = grep { $_->{event} eq 'denied' } $s->log_events;
	like $said->{message} // '', qr{^\Q@{[ $s->root ]}\E/docker/registry/v2/repositories/team/app is on another file system than}, 'the log names it';
	is $s->watch('/readyz')->body, "part of the store is on another file system: see the log\n", 'the registry is not ready';
	unlink Berth::Check::repo_dir($s, 'team/app');
	ok wait_for(sub { $s->watch('/readyz')->status == 200 }), '... until the link is gone';
}
$s->stop;
done_testing;
