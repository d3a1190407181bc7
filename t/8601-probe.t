#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# berth probe says of a file system what it does; and a master does not start where another one serves that it cannot exclude.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Berth::Test;
use Berth::Disk;

my $one = disk_by_fuse();
my $other = disk_by_fuse($one);
my $local = tmp_dir();

# probe - its results by name, and the verdict; nothing may be left
sub probe
{
	my ($status, @words) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $r = run(program('berth'), 'probe', '--json', @words);
	my @lines = map { JSON::PP->new->utf8->decode($_) } split /\n/, $r->{out};
	my %of = map { $_->{name} => $_ } grep { $_->{kind} eq 'result' } @lines;

	is $r->{status}, $status, "berth probe @words" or diag($r->{out}, $r->{err});
	is join(' ', map { glob "$_/berth-probe-*" } grep { -d } @words), '', 'it leaves nothing';
	return (\%of, $lines[-1]);
}

my ($of, $verdict) = probe(0, $local);
is $verdict->{verdict}, 'fit', 'a disk of this machine is fit for a store';
like $verdict->{text}, qr/second mount/, 'and it says what it did not try';
is $of->{$_}{result}, 'ok', "$_: ok" for 'locks of one machine', 'hard links';
cmp_ok $of->{$_}{usec}, '>=', 0, "what a $_ costs is said" for 'flush of a file', 'flush of a directory', 'syncfs';
ok !$of->{'locks of two machines'}, 'of two machines nothing is said';

($of, $verdict) = probe(1, $one, $other);
is $verdict->{verdict}, 'unfit', 'two mounts whose locks do not reach each other are not';
is $of->{'locks of two machines'}{result}, 'unfit', 'because of that';
is $of->{$_}{result}, 'ok', "$_: ok, since both are one directory in the end" for 'exclusive open', 'link to one name', 'mkdir of one name';
ok defined $of->{$_}{result}, "$_ was tried" for 'a new file', 'a removed file', 'a replaced file', 'a renamed directory', 'a longer file', 'an open file that is removed',
	'link counts', 'what was done under a lock', 'lock of a killed process';

my $r = run(program('berth'), 'probe', $local, $local);
is $r->{status}, 1, 'one mount twice is refused';
like $r->{err}, qr/one mount/, 'and the reason is said';
$r = run(program('berth'), 'probe', $local, $one);
is $r->{status}, 1, 'and so are two directories that have nothing to do with each other';
$r = run(program('berth'), 'probe', "$local/none");
is $r->{status}, 1, 'and one that does not exist';
is run(program('berth'), 'probe', @$_)->{status}, 2, "usage: @$_" for [], [qw(a b c)], ['--client', 'x', 'a', 'b'], ['--client', '77', 'a'];

# --- a start --------------------------------------------------------------------------------

my $first = Berth::Server->start(root => "$one/store");
my @files = glob "$one/store/berth/locks/machines/*";
is scalar @files, 1, 'a master on a file system that may belong to several machines has a file there';
my $text = slurp($files[0]);
ok wait_for { slurp($files[0]) ne $text }, 'to which it writes again and again';
my ($beat) = grep { Berth::Server::comm($_) eq 'berth-beat' } Berth::Server::children($first->master_pid);
kill KILL => $beat;
ok wait_for { grep { $_ != $beat && Berth::Server::comm($_) eq 'berth-beat' } Berth::Server::children($first->master_pid) }, 'what writes it is begun again if it is killed';

$r = run(program('berth-fcgi'), '--root', "$other/store", '--listen', "$local/w.sock");
is $r->{status}, 1, 'another one that has locks of its own does not start';
like $r->{err}, qr/^berth-fcgi: other machines serve .* locks .* do not reach them[^\n]*\n\z/, 'with one line';
is scalar(my @now = glob "$one/store/berth/locks/machines/*"), 1, 'and leaves no file';

my $second = Berth::Server->start(root => "$one/store");
is scalar(@now = glob "$one/store/berth/locks/machines/*"), 2, 'one whose locks reach the first one starts';
$second->stop_workers('KILL');
is scalar(@now = glob "$one/store/berth/locks/machines/*"), 2, 'one that is killed leaves its file';
$second->start_workers;
is scalar(@now = glob "$one/store/berth/locks/machines/*"), 2, 'which the next one removes';
ok $first->replace_workers, 'a reload';
is scalar(grep { $_ eq $files[0] } glob "$one/store/berth/locks/machines/*"), 1, 'after which a master has its file still';
$_->stop_workers for $first, $second;
is scalar(@now = glob "$one/store/berth/locks/machines/*"), 0, 'masters that end remove theirs';

my $disk = Berth::Server->start;
ok !-e $disk->root . '/berth/locks/machines', 'on a file system of this machine alone there is none of it';

done_testing;
