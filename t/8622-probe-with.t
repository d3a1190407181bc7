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
my $shared = disk_by_fuse(undef, shared => 1);
my @with = ($shared, disk_by_fuse($shared, shared => 1));
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
	# Who follows, and was not told to leave, removes its part when it ends.
	ok wait_for { join(' ', glob "{$one,$other,$shared,$dir}/berth-probe-*") eq '' }, 'it leaves nothing';
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

# --- a machine that answers otherwise: what it says instead, to orders that begin so
my $proxy = spew("$dir/proxy", <<'EOF');
#!/usr/bin/perl
use IPC::Open2;
$| = 1;
my ($order, $answer, $after, @command) = (@ENV{qw(ORDER ANSWER AFTER)}, @ARGV[1 .. $#ARGV]);
open2(my $out, my $in, @command);
print scalar <$out>;
while (my $line = <STDIN>) {
	print {$in} $line;
	last if $line eq "leave\n";
	my $said = <$out> // last;
	($answer =~ /^end/ and last), $said = "$answer\n" if $line =~ /^$order/ && --$after < 0;
	print $said;
}
close $in;
EOF
chmod 0755, $proxy;

sub otherwise
{
	my ($status, $order, $answer, $after) = @_;
	local @ENV{qw(ORDER ANSWER AFTER PATH)} = ($order, $answer, $after // 0, "$path:$ENV{PATH}");
	return probe($status, $with[0], '--with', "far:$with[1]", '--by', $proxy);
}

my $of;
for (['now', '0 0 5', 'clocks of two machines', qr/; set the clocks by NTP$/], ['now', '0 0 18446744073709551615', 'clocks of two machines', qr/NTP/],
	['links open', '0 0 1', 'link counts', qr/others may see late$/], ['contains', '0 0 0', 'what was done under a lock', qr/others may see late$/]) {
	($of, $verdict) = otherwise(0, @$_[0, 1]);
	is $verdict->{verdict}, 'stale', "$_->[2] makes it stale";
	is $of->{ $_->[2] }{result}, 'stale', '... and says so';
	like $verdict->{text}, $_->[3], 'what helps';
	like $verdict->{text}, qr/^\Q$_->[2]\E;/, 'and why';
	unlike $verdict->{text}, qr/mount .* with/, '... not mount options, where none help';
}
my $boot = slurp('/proc/sys/kernel/random/boot_id') =~ s/\n//r;

# types - the same, and the mount of the other machine is of this type and has these options
sub types
{
	my ($text) = @_;
	my $both = spew("$dir/both", slurp($proxy) =~ s{(\t\(\$answer)}{\t\$said = "0 0 $boot/0:9999 $text\\n" if \$line =~ /^enter/;\n$1}r);
	chmod 0755, $both;
	local @ENV{qw(ORDER ANSWER AFTER PATH)} = ('links open', '0 0 1', 0, "$path:$ENV{PATH}");
	return probe($text =~ /nolock|local_lock=flock|localflock|clean/ ? 1 : 0, $with[0], '--with', "far:$with[1]", '--by', $both);
}

for (['nfs4 rw,lookupcache=all,local_lock=none', 'actimeo=0,lookupcache=none'], ['nfs4 rw,acregmin=0,acregmax=0,acdirmin=0,acdirmax=0,lookupcache=pos', 'lookupcache=none'],
	['nfs rw,noac,lookupcache=none', undef], ['fuse.glusterfs rw', 'attribute-timeout=0,.*'], ['fuse.mfs rw', 'mfsattrcacheto=0,.*'], ['ceph rw', undef]) {
	my ($text, $advice) = @$_;
	($of, $verdict) = types($text);
	is $verdict->{verdict}, 'stale', "$text: stale";
	like $verdict->{text}, defined $advice ? qr/others may see late: mount the other machine with $advice$/ : qr/others may see late$/, '... and the advice is that for its kind, without what is set';
}
for ('nfs4 rw,nolock', 'nfs rw,local_lock=flock', 'lustre rw,localflock', 'ceph rw,recover_session=clean') {
	($of, $verdict) = types($_);
	is $verdict->{verdict}, 'unfit', "$_: unfit";
	like $of->{'mount options'}{text}, qr/^the other machine: [^:]+: .*; mount it without$/, '... because of that option';
	like $verdict->{text}, qr/: mount options$/, '... and the verdict says so';
	unlike $verdict->{text}, qr/actimeo|mount .* with\b/, '... without other options';
}
for (['race', '0 0 1', 'exclusive open', 'were made by both'], ['race .* 2 ', '0 0 1', 'mkdir of one name', 'were made by both']) {
	($of, $verdict) = otherwise(1, @$_[0, 1]);
	is $of->{ $_->[2] }{result}, 'unfit', "$_->[2] that both make is unfit";
	like $of->{ $_->[2] }{text}, qr/$_->[3]/, '... and says so';
	like $verdict->{text}, qr/^several machines must not serve a store here: .*\Q$_->[2]\E/, '... and so does the verdict';
}
($of, $verdict) = otherwise(1, 'lock', '-1 38 ');
is $of->{'locks of two machines'}{text}, 'flock failed: Function not implemented', 'what a file system cannot do makes it unfit';

# --- what is no answer, and what says nothing of the file system
for (['race', '-1 28 ', 30, 'exclusive open: exclusive open failed: No space left on device: free some space there'],
	['await', '-1 5 ', 3, 'a new file: a change failed: Input/output error: look for the reason'], ['links open', '-1 13 ', 0, 'link counts: stat failed: Permission denied: run it as'],
	['contains', '-1 5 ', 0, 'what was done under a lock: a change under the lock failed: Input/output error'],
	['race', '0 0 2', 0, 'exclusive open: the other machine answers with something else'], ['links open', "0 0 1\e[2J", 0, 'link counts: the other machine answers with something else'],
	['now', '0 0 99999999999999999999', 0, 'clocks of two machines: the other machine answers'], ['read', '1 0 7', 0, 'an open file that is removed: the other machine answers'],
	['lock', '0 0 ' . 'x' x 10000, 0, 'locks of two machines: the other machine answers'], ['hold', '-1 0 ', 0, 'lock of a killed process: the other machine answers'],
	['enter', '0 7 x', 0, 'the other machine does not answer any more'], ['race', 'end', 5, 'exclusive open: the other machine does not answer any more: see to the connection']) {
	my ($order, $answer, $after, $says) = @$_;
	my $text;
	($of, $verdict, $text) = otherwise(1, $order, $answer, $after);
	like $text, qr/^berth: \Q$says\E[^\n]*\n\z/, 'an error: ' . substr($answer, 0, 20) . ", to $order";
	isnt $verdict->{kind} // '', 'verdict', '... and no verdict';
}

# --- failing calls of who follows
SKIP: {
	skip 'it takes strace, and a plain build', 1 if $ENV{BERTH_SANITIZERS} || !have_program('strace');
	for (['retval=0:when=1', 'two machines have one lock (flock) at the same time'], ['retval=0:when=4', 'a shared lock of one machine does not keep an exclusive one of the other out'],
		['retval=0:when=6', 'an exclusive lock of one machine does not keep a shared one of the other out'], ['error=EAGAIN:when=8+', 'two machines cannot share a lock']) {
		my $by = spew("$dir/by", "#!/bin/sh\nshift\nPATH=$path:\$PATH exec strace -qq -o /dev/null -e trace=flock -e inject=flock:$_->[0] -- \"\$@\"\n");
		chmod 0755, $by;
		($of, $verdict) = probe(1, $with[0], '--with', "far:$with[1]", '--by', $by);
		is $of->{'locks of two machines'}{text}, $_->[1], "unfit: $_->[1]";
	}
	for (['newfstatat:error=EIO', '-1 5 |0 0 0'], ['newfstatat:error=EACCES', '-1 13 |0 0 0'], ['newfstatat:error=ESTALE:when=1', '0 0 0|0 0 1']) {
		mkdir "$dir/berth-probe-1";
		my ($call) = split /:/, $_->[0];
		my $r = run({ stdin => "enter berth-probe-1\nawait gone 1 0 0\nstale\nleave\n" }, 'strace', '-qq', '-o', '/dev/null', '-P', 'gone', '-e', "trace=$call", '-e', "inject=$_->[0]", '--',
			$berth, 'probe', '--follow', $dir);
		is join('|', (split /\n/, $r->{out})[2, 3]), $_->[1], "a look that fails is no look: $_->[0]";
	}
}

# --- who follows
mkdir "$dir/berth-probe-1";
spew("$dir/outside", 'x');
symlink "$dir", "$dir/berth-probe-2";
sub follow { my ($in) = @_; my $r = run({ stdin => "${in}leave\n" }, $berth, 'probe', '--follow', $dir); my ($hello, @said) = split /\n/, $r->{out}; return ($hello, @said) }
my ($hello, @answers) = follow("enter berth-probe-1\nreplace a b\nlinks a\ncontains a b\n");
is $hello, 'berth-probe 2', 'it says what it is';
like $answers[0], qr/^0 0 \S+ /, 'and does what it is told';
is join('|', @answers[1 .. 3]), '0 0 |0 0 1|0 0 1', '... there';
ok -d "$dir/berth-probe-1", 'it leaves the directory to who made it';
for my $bad ('replace ../outside y', 'replace .x y', 'replace /x y', 'links a/b', 'make A', 'enter berth-probe-1', 'lock ../x alone 0', 'lock x alone 999999', 'end-client 1', 'end-client x', "end-client $$", "client $$", 'leave now',
	'read', 'await a 0 0', 'none', '', 'make ' . 'a' x 100, 'replace a b c d e f g h', 'race x', 'race x y 0') {
	my (undef, undef, $answer) = follow("enter berth-probe-1\n$bad\n");
	like $answer // 'nothing', qr/^-1 \d+ $/, "refused: $bad";
}
for my $bad ('enter ..', 'enter other', 'enter berth-probe-1/..', 'enter berth-probe-2', 'replace a b', 'hold') {
	my (undef, $answer) = follow("$bad\n");
	like $answer // 'nothing', qr/^-1 \d+ $/, "refused before it is where it has to be: $bad";
}
for ("enter berth-probe-1\n", "enter berth-probe-1\nhold\nlock a alone 0\n") {
	mkdir "$dir/berth-probe-1";
	my $r = run({ stdin => $_ }, $berth, 'probe', '--follow', $dir);
	is $r->{status}, 1, 'who is not told to leave, but hears nothing any more, ends';
	ok !-e "$dir/berth-probe-1", '... and removes the directory';
}
is slurp("$dir/outside"), 'x', 'what is elsewhere stays as it is';
done_testing;
