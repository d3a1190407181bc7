#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# berth probe with another machine, which a command leads to: it says the same as of two mounts, leaves nothing on either side, and who follows does
# nothing but what it is there for.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Berth::Test;
use Berth::Disk;

my $one = disk_by_fuse();
my $other = disk_by_fuse($one);
my $dir = tmp_dir();
my $berth = program('berth');
my $path = $berth =~ s{/[^/]*\z}{}r;

# A command as ssh is one: the first word is a host, the others are run there.
my $there = spew("$dir/there", "#!/bin/sh\necho \"\$*\" >>$dir/asked\nshift\nPATH=$path:\$PATH exec \"\$@\"\n");
chmod 0755, $there;

sub probe
{
	my ($status, @words) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $r = run($berth, 'probe', '--json', @words);
	my @lines = map { JSON::PP->new->utf8->decode($_) } split /\n/, $r->{out};

	is $r->{status}, $status, "berth probe @words" or diag($r->{out}, $r->{err});
	is join(' ', glob "{$one,$other,$dir}/berth-probe-*"), '', 'it leaves nothing';
	return ({ map { $_->{name} => $_ } grep { $_->{kind} eq 'result' } @lines }, $lines[-1], $r->{err});
}

my ($with, $verdict) = probe(1, $one, '--with', "far:$other", '--by', $there);
is slurp("$dir/asked"), "far berth probe --follow $other\n", 'the command is asked for it';
my ($two, $verdict_of_two) = probe(1, $one, $other);
is $verdict->{verdict}, 'unfit', 'locks of two mounts of a directory by FUSE do not reach each other';
is $verdict->{text}, $verdict_of_two->{text}, '... which is the verdict in both cases';
my @times = grep { $_ ne 'clocks of two machines' } sort keys %$with;
is join("\n", map { "$_: $with->{$_}{result}" } @times), join("\n", map { "$_: $two->{$_}{result}" } sort keys %$two), 'and so is each result';
is $with->{'clocks of two machines'}{result}, 'info', 'the clocks of the machines are compared';

# --- what does not work
my (undef, undef, $said) = probe(1, $dir, '--with', "far:$dir", '--by', $there);
like $said, qr/one mount/, 'one mount on one machine is refused';
(undef, undef, $said) = probe(1, $one, '--with', "far:$dir", '--by', $there);
like $said, qr/does not show what is made there/, 'and so is a directory that is another one';
(undef, undef, $said) = probe(1, $one, '--with', 'far', '--by', 'false');
like $said, qr/does not answer/, 'a command that leads nowhere';
(undef, undef, $said) = probe(1, $one, '--with', 'far', '--by', "$dir/none");
like $said, qr/cannot run \Q$dir\E\/none/, 'or that does not exist';
(undef, undef, $said) = probe(1, $one, '--with', 'far', '--by', 'echo');
like $said, qr/something else/, 'or that says something else';
is run($berth, 'probe', @$_)->{status}, 2, "usage: @$_" for ['--with', '-oProxyCommand=x', $one], ['--with', 'a;b', $one], ['--with', 'far:/a b', $one], ['--with', 'far', $one, $other],
	['--by', 'x', $one], ['--follow'], ['--follow', $one, $other], ['--with', 'far', '--follow', $one];

# --- who follows
mkdir "$dir/berth-probe-1";
spew("$dir/outside", 'x');
symlink "$dir", "$dir/berth-probe-2";
sub follow { my ($in) = @_; my $r = run({ stdin => $in }, $berth, 'probe', '--follow', $dir); my ($hello, @said) = split /\n/, $r->{out}; return ($hello, @said) }
my ($hello, @answers) = follow("enter berth-probe-1\nreplace a b\nlinks a\ncontains a b\n");
is $hello, 'berth-probe 1', 'it says what it is';
like $answers[0], qr/^0 0 \S+ /, 'and does what it is told';
is join('|', @answers[1 .. 3]), '0 0 |0 0 1|0 0 1', '... there';
for my $bad ('replace ../outside y', 'replace .x y', 'replace /x y', 'links a/b', 'make A', 'enter berth-probe-1', 'lock 7 alone 0', 'lock 0 alone 999999', 'end-client 1', 'end-client x',
	'read', 'await a 0 0', 'none', '', 'make ' . 'a' x 100, 'replace a b c d e f g h', 'race x') {
	my (undef, undef, $answer) = follow("enter berth-probe-1\n$bad\n");
	like $answer // 'nothing', qr/^-1 \d+ $/, "refused: $bad";
}
for my $bad ('enter ..', 'enter other', 'enter berth-probe-1/..', 'enter berth-probe-2', 'replace a b', 'hold') {
	my (undef, $answer) = follow("$bad\n");
	like $answer // 'nothing', qr/^-1 \d+ $/, "refused before it is where it has to be: $bad";
}
is slurp("$dir/outside"), 'x', 'what is elsewhere stays as it is';
done_testing;
