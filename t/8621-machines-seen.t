#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Who asks one machine learns which others serve: by its metrics and by its status; also of one that was killed, until a master has been started
# again, or for an hour.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX ();
use Sys::Hostname qw(hostname);
use Berth::Test;
use Berth::Auth;
use Berth::Check;
use Berth::Metrics;

plain_build_only('it traces system calls');
need_program('nginx', 'strace');

# A file system that nobody knows may belong to several machines.
my @with = (workers => 1, config => 'auth = { htpasswd = "' . spew(tmp_dir() . '/htpasswd', htpasswd(root => 'root')) . "\"; };\n");
my @shared = (@with, wrap => [qw(strace -f -qq -o /dev/null -e trace=fstatfs -e inject=fstatfs:error=EIO)]);
my $alone = Berth::Server->start(@with);
my $m = metrics($alone);
is join(' ', grep { /^berth_machines/ } keys %$m), '', 'a store on a disk of this machine has no machines';
is_deeply status_of($alone), [], '... nor has its status';
$alone->stop;

sub status_of
{
	my ($s) = @_;

	return $s->req(GET => '/berth/v1/status', headers => [basic('root', 'root')])->json->{machines};
}
sub figures { my ($s) = @_; my $is = metrics($s); return join ' ', map { $_ // '-' } @$is{qw(berth_machines berth_machines_silent)} }
sub files { return map { s{.*/}{}r } glob "$_[0]/berth/locks/machines/*" }

my $one = Berth::Server->start(@shared);
my $root = $one->root;
is figures($one), '1 0', 'one machine serves';
my $two = Berth::Server->start(@shared, root => $root);
is figures($_), '2 0', 'both know of two' for $one, $two;
my $listed = join ' ', slurp(source_dir() . '/doc/METRICS.md') =~ /^\| `(berth_machines\w*)` \| gauge \| \|/mg;
is $listed, join(' ', grep { /^berth_machines/ } sort keys %{ metrics($one) }), 'doc/METRICS.md lists both';
my ($version) = run(program('berth'), '--version')->{out} =~ /^berth ([0-9.]+)$/m;
my $seen = status_of($one);
is scalar(@$seen), 2, 'and so does the status';
for (@$seen) {
	is join(' ', sort keys %$_), 'name seen serves since version', 'with all members';
	is "$_->{name} $_->{version}", substr(hostname(), 0, 64) . " $version", 'a name and a version';
	like "$_->{since} $_->{seen}", qr/^(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ?){2}$/, 'and times';
	ok $_->{serves}, 'and that it serves';
}

# --- one is killed; its file was last written some minutes ago
my @before = files($root);
$two->stop_workers('KILL');
is scalar(my @left = files($root)), 2, 'one that was killed leaves its file';
my ($dead) = grep { open my $f, '+<', "$root/berth/locks/machines/$_" or die; flock $f, 6 } @left;
utime time - 300, time - 300, "$root/berth/locks/machines/$dead" or die "utime: $!";
ok wait_for(sub { figures($one) eq '1 1' }), 'it is silent then';
is join(' ', sort map { $_->{serves} ? 'serves' : 'silent' } @{ status_of($one) }), 'serves silent', 'and the status says which';

# --- what is no beat says nothing
spew("$root/berth/locks/machines/" . 'f' x 16, 'x' x 108);
spew("$root/berth/locks/machines/" . 'e' x 16, '');
spew("$root/berth/locks/machines/other", 'x');
is figures($one), '1 1', 'other files are none';
is scalar(@{ status_of($one) }), 2, '... in the status, too';
$two->start_workers;
is figures($one), '2 0', 'a master that starts removes what the dead one has left';

# --- none is started for an hour
$two->stop_workers('KILL');
($dead) = grep { open my $f, '+<', "$root/berth/locks/machines/$_" or die; flock $f, 6 } grep { length == 16 && !/^(?:e|f){16}$/ } files($root);
my $text = slurp("$root/berth/locks/machines/$dead");
unlink "$root/berth/locks/machines/" . $_ x 16 for 'e', 'f';
my %other = map { $_ => "$root/berth/locks/machines/" . $_ x 16 } 0, 1, 2, 3, 'f';
sub old { my ($file) = @_; utime time - 7200, time - 7200, $file or die "utime: $!"; return }
spew($_, $text) for values %other;
open my $held, '+<', $other{1} or die "open: $!";
flock $held, 2 or die "flock: $!";
old($_) for @other{ 0, 1, 'f' }, "$root/berth/locks/machines/$dead";
# Who lives: one that has its lock, one whose number changes, and which is old only then, one that was written to a minute ago. They are between
# two that are dead, in the order of names.
utime time - 60, time - 60, $other{3};
my $beats = fork // die "fork: $!";
if (!$beats) {
	open my $fh, '+<', $other{2} or POSIX::_exit(1);
	for (my $n = 0; getppid != 1; $n++) {
		sysseek $fh, 0, 0;
		syswrite $fh, sprintf '%016x', $n;
		old($other{2});
		select undef, undef, undef, 0.1;
	}
	POSIX::_exit(0);
}
ok wait_for(sub { !-e $_ }), 'who serves removes the file of one that was killed and that nobody has started for an hour' for $other{0}, $other{f}, "$root/berth/locks/machines/$dead";
ok -e $other{$_}, "... and not that of one that may be alive: $_" for 1, 2, 3;
kill KILL => $beats;
waitpid $beats, 0;
close $held;
ok wait_for(sub { !-e $_ }), '... until that one has ended as well' for @other{ 1, 2 };
ok -e $other{3}, 'for an hour metrics and status say of one that it is silent';
is figures($one), '1 1', '... and say so';
unlink $other{3};
$two->start_workers;
is figures($one), '2 0', 'and one that is started serves';
$two->stop;
is figures($one), '1 0', 'one that ends in order takes its file along';
done_testing;
