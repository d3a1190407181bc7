#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The list of repositories says what their lists of tags say: after pushes, deletes, removals, renames, collections and kills, in one epoch and the next.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Time::HiRes ();
use Berth::Test;
use Berth::Check;
use Berth::GC;

my $s = Berth::Server->start(config => "delete = true;\n", workers => 3);
my $list = $s->root . '/berth/index/_repos';
my $seed = $ENV{SEED} // int rand 2**31;
srand $seed;
note "SEED=$seed";
my $m = image_of(OCI_MANIFEST, '{}', 'layer');
sub put { my ($repo, $tag) = @_; $s->push_blob($repo, $_) for '{}', 'layer'; return $s->req(PUT => "/v2/$repo/manifests/$tag", body => $m, headers => ['Content-Type' => OCI_MANIFEST]) }
sub berth { return run(program('berth'), '--config', $s->config_file, '--root', $s->root, @_)->{status} }

sub ask { return answered($s, @_) }
sub pages { my ($query) = @_; return all_pages($s, "/berth/v1/repos?$query&n=13", 'repos') }
sub text { my ($r) = @_; return join ' ', map { $_ // '-' } @$r{qw(name tags newest pushed)} }

sub agree
{
	my ($what) = @_;
	my %is;

	for my $name (@{ ask('/v2/_catalog?n=1000')->json->{repositories} }) {
		my $dir = data_dir($s) . "/repositories/$name/_manifests/tags";
		my @pushed = sort { $b->[0] cmp $a->[0] || $b->[1] cmp $a->[1] } map { m{/([^/]+)/current/pushed-([0-9a-f]+)$} && -f "$dir/$1/current/link" ? [$2, $1] : () }
			# of a tag that another registry has set it is the link's time
			map { my ($dir, @p) = ($_, glob "$_/pushed-*"); @p ? @p : sprintf '%s/pushed-%016x', $dir, 1_000_000 * ((Time::HiRes::stat("$dir/link"))[9] // 0) } glob "$dir/*/current";
		my %seen;
		@pushed = grep { !$seen{ $_->[1] }++ } @pushed;
		my $at = @pushed ? do { no warnings 'portable'; hex $pushed[0][0] } : 0;
		my @t = gmtime int($at / 1e6);
		$is{$name} = [$at, join ' ', $name, scalar(@pushed), @pushed ? ($pushed[0][1], sprintf '%04d-%02d-%02dT%02d:%02d:%02dZ', $t[5] + 1900, $t[4] + 1, @t[3, 2, 1, 0]) : ('-', '-')];
	}
	my @names = sort keys %is;
	is join("\n", map { text($_) } pages('sort=name')), join("\n", map { $is{$_}[1] } @names), "$what: by name";
	is join("\n", map { text($_) } pages('sort=pushed')), join("\n", map { $is{$_}[1] } sort { $is{$b}[0] <=> $is{$a}[0] || $b cmp $a } @names), "$what: by push";
	is join(' ', map { $_->{name} } pages('sort=name&order=desc')), join(' ', reverse @names), "$what: from the end";
	is join(' ', sort map { $_->{name} } pages('q=5&sort=tags')), join(' ', grep { /5/ } @names), "$what: those that contain a text";
	return;
}

sub something
{
	my $repo = 'r' . int rand 60;
	my $what = int rand 12;

	return put($repo, 't' . int rand 4) if $what < 8;
	return $s->req(DELETE => "/v2/$repo/manifests/t" . int rand 4) if $what < 10;
	return $s->req(POST => "/berth/v1/repos/$repo/tags:delete", body => '{"filter":{"pattern":"*"}}') if $what < 11;
	return $s->push_blob("only-blobs-$repo", 'x');
}

agree('nothing');
ok -f $list, 'a list';
for my $round (1 .. 4) {
	something() for 1 .. 40;
	agree("changes, $round");
}
for my $round (1 .. 4) {
	my @pids;
	for my $i (1 .. 3) {
		my $pid = fork // die;
		if (!$pid) {
			srand($seed + $i * 1000 + $round * 100);
			my $until = 25;
			eval { something() } while $until--;
			require POSIX;
			POSIX::_exit(0);
		}
		push @pids, $pid;
	}
	for (1 .. 4) {
		select undef, undef, undef, 0.02 + rand 0.05;
		eval { pages('sort=name') };            # lists are written anew meanwhile
		$s->kill_workers('KILL');
	}
	waitpid $_, 0 for @pids;
	wait_for { eval { $s->push_blob('alive', "x$_") for 1 .. 6; 1 } };
	agree("kills, $round");
}
put('gone', 't') for 1;
put('old', 't1');
agree('two more');
is berth('repo', 'rm', 'gone'), 0, 'one is removed';
agree('removed');
is berth('repo', 'mv', 'old', 'new/name'), 0, 'one gets another name';
agree('renamed');
is berth('tag', 'rm', 'new/name', 't1'), 0, 'a command removes a tag';
agree('by a command');
gc_ok($s, '--grace', '1h', 'a collection');
ok !-f $list, 'the list has older sizes: it goes';
agree('after a collection');
ok -f $list, 'and comes again';
spew($list, slurp($list) =~ s/\n#\d+ /\n#999999999 /r);
agree('a place that the log does not have');
spew($list, 'berth-summary 1 nothing');
agree('a file that is none');
$s->restart;
agree('another epoch');
$s->stop_workers;
my $dir = data_dir($s) . '/repositories/foreign';
lay_manifest($s, 'foreign', $m, 'x');
lay_blob($s, 'foreign', $_) for '{}', 'layer';
$s->start_workers;
$s->req(GET => '/berth/v1/repos/foreign/tags');
agree('what another registry has written meanwhile');
$s->stop;
done_testing;
