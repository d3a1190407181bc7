#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Other rules by a reload, beside requests under way, commands that do not know the configuration, and a second master that has another one:
# whoever makes or removes a link counts by the rules that were read last.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Fcntl qw(:flock);
use Berth::Test;
use Berth::Check;
use Berth::GC ();
use Berth::Quota;

sub rules { return "delete = true;\nrules = (" . join(', ', map { "{ repo = \"$_->[0]\"; quota = \"$_->[1]\"; }" } @_) . ");\n" }
my $s = Berth::Server->start(config => "delete = true;\n", workers => 2);
my $root = $s->root;
my $bytes = 0;

sub blob { my ($repo, $b, $srv) = @_; $srv //= $s; return patient { $srv->req('POST', "/v2/$repo/blobs/uploads/?digest=" . sha256($b), body => $b) }->status }
sub fresh { return sprintf 'some bytes, number %d;', ++$bytes }
sub counted { my ($what, @groups) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; is quota_fault($root, $_), '', "$what: '$_'" for @groups; return }
sub tables { return scalar grep { !m{/rules\z} } glob "$root/berth/quota/*" }
sub reload { my ($config) = @_; $s->config($config); return $s->replace_workers }
sub berth { my @cmd = @_; return run(program('berth'), '--config', spew(tmp_dir() . '/none.conf', ''), '--root', $root, @cmd) }

# Whether a process waits for the lock of a file.
sub waits { my $inode = (stat $_[0])[1]; return scalar grep { /^\d+: -> FLOCK .*:$inode / } split /\n/, slurp('/proc/locks') }

# --- rules come
is blob("team/$_/app", fresh()), 201, "a blob in team/$_" for qw(red blue);
is blob('other/app', fresh()), 201, 'and elsewhere';
is tables(), 0, 'without a rule there is no table';
is slurp("$root/berth/quota/rules") =~ s/\A\w{16} \w{16}\n//r, '', '... and nothing is said to be counted';
reload(rules(['team/*', '1 MiB']));
ok wait_for(sub { !grep { quota_fault($root, $_) ne '' } 'team/red', 'team/blue' }), 'after a reload what is there is counted, before anybody pushes';
counted('after a reload', 'team/red', 'team/blue');
is tables(), 2, 'nothing else is';
is blob('team/red/app', fresh()), 201, 'a push';
is $s->push_image('team/red/app', $_, layers => [fresh()]) && 1, 1, "an image $_" for qw(a b);
counted('a push', 'team/red');

# --- commands that know nothing of it
my ($digest) = $s->req('HEAD', '/v2/team/red/app/manifests/a')->header('Docker-Content-Digest');
is $s->req('DELETE', "/v2/team/red/app/manifests/$digest")->status, 202, 'a manifest is deleted';
Berth::GC::make_old($s, 100);
is berth('gc', '--grace', '10')->{status}, 0, 'a collection by a command that has no configuration';
counted('gc', 'team/red', 'team/blue');
is berth('tag', 'rm', 'team/red/app', 'b')->{status}, 0, 'berth tag rm';
Berth::GC::make_old($s, 100);
is berth('gc', '--grace', '10', '--untagged')->{status}, 0, 'a collection of untagged manifests';
counted('gc --untagged', 'team/red');
is_deeply [map { (quota_counted($root, $_))[0] > 0 ? 1 : 0 } 'team/red', 'team/blue'], [0, 0], 'nothing is left, since no manifest names it';
is blob('team/red/app', fresh()), 201, 'a blob';
is berth('repo', 'mv', 'team/red/app', 'team/blue/moved')->{status}, 0, 'berth repo mv to another group';
counted('repo mv', 'team/red', 'team/blue');
is berth('repo', 'mv', 'team/blue/moved', 'team/blue/app')->{status}, 1, 'not onto one that exists';
is berth('repo', 'mv', 'team/blue/moved', 'team/blue/again')->{status}, 0, '... within the group';
counted('within a group', 'team/blue');
is blob('team/blue/again/nested', fresh()), 201, 'a nested repository';
is berth('repo', 'mv', 'team/blue/again', 'team/red/copied')->{status}, 0, 'links are copied where others are nested';
is blob('team/red/x', fresh()), 201, 'a push to the one group';
is blob('team/blue/x', fresh()), 201, 'and to the other';
counted('copied links', 'team/red', 'team/blue');
is berth('repo', 'rm', 'team/red/copied', 'team/blue/again/nested')->{status}, 0, 'berth repo rm';
counted('repo rm', 'team/red', 'team/blue');

# --- other patterns
reload(rules(['team/red/**', '1 MiB'], ['**', '1 MiB']));
is blob("team/$_/app", fresh()), 201, "a blob in team/$_" for qw(red blue);
ok wait_for(sub { quota_fault($root, '', in => sub { $_[0] !~ m{^team/red(?:/|$)} }) eq '' }), 'all but what another rule counts';
counted('one group less', 'team/red');
is tables(), 2, 'what was counted before is gone';
reload(rules(['team/*', '1 MiB']));
is blob("team/$_/app", fresh()), 201, "a blob in team/$_" for qw(red blue);
counted('back to the first rules', 'team/red', 'team/blue');
is tables(), 2, 'and their tables are new';

# --- requests under way, in workers of the old configuration
my %lock;
for my $name (qw(turnstile collector)) {
	open $lock{$name}, '+<', "$root/berth/locks/$name" or die $!;
}
flock $lock{collector}, LOCK_EX or die $!;
my %old = map { ($_ => 1) } $s->worker_pids;
my @r = run_parallel(3, sub { return blob("team/new$_[0]/app", fresh() . " of $_[0]") }, sub {
	wait_for { waits("$root/berth/locks/collector") } or die 'nobody waits';
	$s->config(rules(['team/**', '1 MiB']));
	$s->reload;
	wait_for { waits("$root/berth/locks/turnstile") } or die 'the master does not wait';
	flock $lock{collector}, LOCK_UN;
});
is_deeply \@r, [(201) x 3], 'pushes that wait while the configuration changes';
ok wait_for(sub { quota_fault($root, 'team') eq '' }), 'are counted by the new rules';
is blob("team/new$_/app", fresh()), 201, 'and so is what follows' for 0 .. 2;
counted('after it', 'team');
wait_for { !grep { $old{$_} } $s->worker_pids };       # else the next reload would meet workers of three configurations

# --- a second master with other rules
my $other = Berth::Server->start(config => rules(['*', '1 MiB'], ['team/*', '100']), root => $root, workers => 2);
for my $srv ($s, $other, $s, $other) {
	is blob("team/red/both", fresh(), $srv), 201, 'both of two masters with different rules serve';
	is blob("solo/both", fresh(), $srv), 201, '... other repositories as well';
}
counted('the rules that were read last', 'team', 'solo');
$s->replace_workers;
is blob("team/red/both", fresh(), $_), 201, 'after a reload of the first' for $s, $other;
counted('its rules count again', 'team');
ok !defined quota_table($root, 'solo'), 'and no others';
$other->stop;

# --- and one with another limit
my $version = quota_table($root, 'team')->{version};
$other = Berth::Server->start(config => rules(['team/**', '10']), root => $root, workers => 1);
is blob('team/red/both', fresh(), $_), 403, 'the limit that was read last is that of both' for $s, $other;
is quota_table($root, 'team')->{version}, $version, '... and the table stays';
my $mv = berth('repo', 'mv', 'solo/both', 'team/solo');
is $mv->{status}, 1, 'a command that has no configuration honours it';
like $mv->{err}, qr/ of 10, /, '... and says it';
$other->stop;
$s->replace_workers;
is blob('team/red/both', fresh()), 201, 'after a reload of the first';
is quota_table($root, 'team')->{version}, $version, '... the table is still the same';
counted('after other limits', 'team');

# --- rules go
reload("delete = true;\n");
is blob('team/red/app', fresh()), 201, 'without rules';
is tables(), 0, 'there are no tables';
$s->stop;

# --- nobody serves
my $t = Berth::Server->start(config => rules(['**', '1 MiB']), root => $root, workers => 2);
is blob('a/b', fresh(), $t), 201, 'a blob';
counted('another server', '');
$t->stop_workers;
is berth('repo', 'rm', 'a/b')->{status}, 0, 'a repository is removed while nobody serves';
is berth('gc', '--grace', '0')->{status}, 0, 'and a collection runs';
counted('which is counted nevertheless', '');
$t->start_workers;
is blob('a/b', fresh(), $t), 201, 'a blob after that';
counted('a new epoch', '');
$t->stop;
done_testing;
