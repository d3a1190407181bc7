#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# kill -9 of berth repo rm and mv at each of their system calls that change or flush anything: no tag points to nothing,
# nothing is lost, the same command again finishes. At as many calls as 40 seconds allow, or BERTH_STRESS seconds, of
# every command and kind some; what changes names comes first.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(time);
use Berth::Test;
use Berth::Check;
use Berth::GC;
use Berth::Repo;
use Berth::Undo;

plain_build_only('it traces system calls');
need_program('strace');

my $SECONDS = $ENV{BERTH_STRESS} || 40;
my $began = time;
my $dir = quick_dir();
my @CALLS = qw(renameat unlinkat mkdirat write fsync syncfs flock);

# --- the stores, as clients and a registry leave them ---------------------------------------------

# model - a store with these repositories; index and catalog are those of a registry that served it
my (%model, %image);
sub model {
	my ($name, @repos) = @_;
	my $s = Berth::Server->start(root => "$dir/$name", config => "fsync = \"off\";\ndelete = true;\nundo = \"1d\";\n", workers => 2);
	for my $repo (@repos) {
		for my $t ('v1', 'v2') {
			my @layers = ("layer $t of $repo", 'of all');
			my $config = qq({"os":"$repo $t"});
			my ($d, $m) = $s->push_image($repo, $t, type => 'oci', layers => \@layers, config => $config);
			push @{ $image{$name}{$repo} }, { repository => $repo, digest => $d, bytes => $m, tags => [$t], parts => { map { sha256($_) => $_ } @layers, $config } };
		}
		my $m = sprintf '{"schemaVersion":2,"mediaType":"%s","artifactType":"a/b","config":%s,"layers":[],"subject":%s}', OCI_MANIFEST,
			desc('application/vnd.oci.empty.v1+json', '{}'), desc(OCI_MANIFEST, $image{$name}{$repo}[0]{bytes});
		$s->push_blob($repo, '{}');
		$s->push_manifest($repo, sha256($m), $m, OCI_MANIFEST)->status == 201 or die 'referrer';
		push @{ $image{$name}{$repo} }, { repository => $repo, digest => sha256($m), bytes => $m };
		$s->push_manifest($repo, 'gone', $image{$name}{$repo}[0]{bytes}, OCI_MANIFEST)->status == 201 or die 'tag';
		$s->req('DELETE', "/v2/$repo/manifests/gone")->status == 202 or die 'DELETE';
		my $up = upload_start($s, $repo);
		$s->req('PATCH', $up, body => 'half', chunked => 1);
	}
	catalog_of($s) eq join ' ', sort @repos or die 'catalog';
	$s->stop;
	$model{$name} = bare_store("$dir/$name");
	return;
}
model('plain', 'team/app', 'team/other');
model('nested', 'team/app', 'team/app/inner', 'team/app/inner/deep');

my $copies = 0;
sub copy {
	my ($name) = @_;
	my $to = "$dir/copy" . ++$copies;
	run('cp', '-a', '--', $model{$name}->root, $to)->{status} and die "cp\n";
	return bless { root => $to }, 'Berth::GC';
}

# --- the commands ------------------------------------------------------------------------------------

# title, model, words, the old name, the new one, or none
my @commands = (
	['rm', 'plain', ['rm', 'team/app'], 'team/app'],
	['rm of one with others in it', 'nested', ['rm', 'team/app'], 'team/app'],
	['mv', 'plain', ['mv', 'team/app', 'new/app'], 'team/app', 'new/app'],
	['mv of one with others in it', 'nested', ['mv', 'team/app', 'new/app'], 'team/app', 'new/app'],
	['mv to a name in which others are', 'nested', ['mv', 'team/app/inner/deep', 'team'], 'team/app/inner/deep', 'team'],
	['mv below itself', 'nested', ['mv', 'team/app', 'team/app/inner/deep/er'], 'team/app', 'team/app/inner/deep/er'],
);

sub renamed { my ($to, @images) = @_; return map { { %$_, repository => $to } } @images }

# what is wrong after the command has been done, however often it was killed before
sub fault_after {
	my ($s, $c) = @_;
	my (undef, $name, undef, $old, $new) = @$c;
	my @bad;
	my @others = grep { $_ ne $old } keys %{ $image{$name} };
	my $missing = missing_of($s, (map { @{ $image{$name}{$_} } } @others), $new ? renamed($new, @{ $image{$name}{$old} }) : ());
	push @bad, "missing: $missing" if $missing ne '';
	push @bad, "left: $_" for grep { -e repo_dir_of($s, $old) . "/$_" } qw(_layers _manifests _uploads);
	push @bad, "index left: $_" for grep { -e $s->root . "/berth/index/$old/$_" } qw(_names _tags _referrers _epoch);
	my $marks = join ' ', map { "$_ " . marks_of($s, $_) } sort @others, $old, $new // ();
	push @bad, "marks: $marks" if $marks ne join ' ', map { $_ eq $old ? "$_ 0" : "$_ 1" } sort @others, $old, $new // ();
	my $list = join ' ', split /\n/, berth($s, 'repo', 'list')->{out};
	push @bad, "list: $list" if $list ne join ' ', sort @others, $new // ();
	my $catalog = join ' ', map { split /\n/, slurp($s->root . "/berth/index/_catalog/$_") } grep { /^\d+$/ } files_below($s->root . '/berth/index/_catalog');
	push @bad, "catalog: $catalog" if $catalog ne join ' ', sort @others, $new // ();
	my @found = fsck_kinds($s);
	push @bad, "fsck: @found" if @found;
	return join '; ', @bad;
}

# what is wrong right after a kill
sub fault_killed {
	my ($s, $c) = @_;
	my (undef, $name, undef, $old, $new) = @$c;
	my @bad = map { "$_ points to nothing" } dangling_tags($s);
	my $missing = missing_of($s, map { @{ $image{$name}{$_} } } grep { $_ ne $old } keys %{ $image{$name} });
	push @bad, "of others: $missing" if $missing ne '';
	if ($new) {
		my @where = grep { missing_of($s, renamed($_, @{ $image{$name}{$old} })) eq '' } $old, $new;
		push @bad, "whole under neither name" if !@where;
		push @bad, "whole under both names" if @where == 2;
		push @bad, "$_ has forgotten what was deleted" for grep { !marks_of($s, $_) } @where;
	}
	# a repository's two directories can't come and go as one where others are nested in it
	my %may = map { ("half-repository docker/registry/v2/repositories/$_" => 1) } $old, $new // ();
	# nor do marks and repository
	my %marks = map { ("leftover berth/undo/$_/_marks" => 1) } $old, $new // ();
	my @found = grep { !$marks{$_} && !($may{$_} && $name eq 'nested') } fsck_kinds($s);
	push @bad, "fsck: @found" if @found;
	return join '; ', @bad;
}

my @plan;
for my $c (@commands) {
	my ($title, $name, $words) = @$c;
	my $s = copy($name);
	is run('strace', '-f', '-o', "$dir/trace", berth_cmd($s, 'repo', @$words))->{status}, 0, "$title: untouched, it is done";
	is fault_after($s, $c), '', "$title: and all is as it has to be";
	my $r = berth($s, 'repo', @$words);
	ok $r->{status} == 1 && $r->{err} =~ /^berth: there is no repository /, "$title: a second time there is nothing to do" or diag("$r->{status} $r->{err}");
	my %count;
	for (split /\n/, slurp("$dir/trace")) {
		$count{$1}++ if /^\d+\s+(\w+)\(/;
	}
	diag("$title: " . join ', ', map { "$_ " . ($count{$_} // 0) } @CALLS);
	for my $call (grep { $count{$_} } @CALLS) {
		push @plan, map { [$c, $call, $_] } 1 .. $count{$call};
	}
	run('rm', '-rf', '--', $s->root);
}
my (%nth, %turn);
$turn{"@$_"} = $nth{"$_->[0][0] $_->[1]"}++ * 5 % 17 + ($_->[1] eq 'renameat' ? -20 : $_->[1] =~ /^(unlinkat|mkdirat)$/ ? 0 : 8) for @plan;
@plan = sort { $turn{"@$a"} <=> $turn{"@$b"} || $a->[2] <=> $b->[2] } @plan;

my (%fault, %killed);
for my $p (@plan) {
	my ($c, $call, $n) = @$p;
	my ($title, $name, $words) = @$c;
	next if time - $began > $SECONDS && ($killed{$title} // 0) >= 3;
	my $s = copy($name);
	my $r = run('strace', '-f', '-o', '/dev/null', '-e', "trace=$call", '-e', "inject=$call:signal=KILL:when=$n", berth_cmd($s, 'repo', @$words));
	$killed{$title}++ if $r->{status} == 128 + 9;
	my $bad = fault_killed($s, $c);
	push @{ $fault{$title} }, "killed at $call $n: $bad" if $bad ne '';
	$r = berth($s, 'repo', @$words);
	push @{ $fault{$title} }, "killed at $call $n: the second run is $r->{status}, $r->{err}"
		if $r->{err} ne '' ? $r->{status} != 1 || $r->{err} !~ /^berth: there is no repository / : $r->{status};
	$bad = fault_after($s, $c);
	push @{ $fault{$title} }, "killed at $call $n, done again: $bad" if $bad ne '';
	make_old($s, 8 * 24 * 3600, 'docker', map { "berth/$_" } qw(tmp trash));
	$r = gc($s);
	push @{ $fault{$title} }, "killed at $call $n: a collection afterwards says $r->{status} $r->{err}" if $r->{status} || $r->{err} ne '';
	$bad = fault_after($s, $c);
	push @{ $fault{$title} }, "killed at $call $n, done again, and collected: $bad" if $bad ne '';
	$bad = join ' ', map { my $d = $_; map { "$d/$_" } files_below($s->root . "/berth/$d") } qw(tmp trash);
	push @{ $fault{$title} }, "killed at $call $n: the collection leaves $bad" if $bad ne '';
	run('rm', '-rf', '--', $s->root);
}
for my $c (@commands) {
	my ($title) = @$c;
	is join("\n", @{ $fault{$title} // [] }), '', "$title: killed at a system call, it loses nothing, and done again it is done";
	cmp_ok $killed{$title} // 0, '>=', 3, "$title: it was killed at several of them";
}
diag(join ', ', map { "$_: $killed{$_}" } sort keys %killed);
my $kills = 0;
$kills += $_ for values %killed;
diag(sprintf '%d kills of %d planned, %.0f s', $kills, scalar @plan, time - $began);

# --- beside a registry that goes on: who pushes to the name after a kill finds nothing of what was there -----------------------------------

my $b = Berth::Server->start(config => "delete = true;\n", workers => 1);
my $n = 0;
my $image = image_of(OCI_MANIFEST, '{}', 'layer');
sub push_tags {
	my ($repo, @tags) = @_;
	$b->push_blob($repo, $_) for '{}', 'layer';
	$b->push_manifest($repo, $_, $image, OCI_MANIFEST)->status == 201 or die "$repo:$_" for @tags;
	return;
}
# listed - what the lists of tags say, and what the links do
sub listed { my ($repo) = @_; return map { join ' ', sort @$_ } [map { $_->{tag} } @{ $b->req(GET => "/berth/v1/repos/$repo/tags?n=100")->json->{tags} // [] }],
	[map { m{([^/]+)/current/link$} } glob data_dir($b) . "/repositories/$repo/_manifests/tags/*/current/link"] }
for my $words (['rm'], ['mv', 'new']) {
	my ($killed, @bad) = 0;
	my $command = sub {
		my @strace = @_;
		my @repos = ('old' . ++$n, map { "$_$n" } @$words[1 .. $#$words]);
		push_tags($repos[0], 'a', 'b');
		listed($repos[0]);
		return (run(@strace, program('berth'), '--config', $b->config_file, '--root', $b->root, 'repo', $words->[0], @repos), @repos);
	};
	is(($command->('strace', '-f', '-o', "$dir/trace"))[0]{status}, 0, "$words->[0] beside a registry, untouched");
	my %count;
	$count{ /^\d+\s+(\w+)\(/ ? $1 : '' }++ for split /\n/, slurp("$dir/trace");
	for my $p (map { my $call = $_; map { [$call, $_] } 1 .. $count{$call} // 0 } qw(renameat unlinkat)) {
		my ($call, $at) = @$p;
		my ($r, @repos) = $command->('strace', '-f', '-o', '/dev/null', '-e', "trace=$call", '-e', "inject=$call:signal=KILL:when=$at");
		$killed++ if $r->{status} == 128 + 9;
		for my $repo (@repos) {
			push_tags($repo, 'c');
			my ($says, $is) = listed($repo);
			push @bad, "killed at $call $at: $repo has $is, and is said to have $says" if $says ne $is;
		}
	}
	is join("\n", @bad), '', "$words->[0] beside a registry: killed at a system call, lists are right";
	cmp_ok $killed, '>=', 5, "... $killed times";
}
$b->stop;

done_testing;
