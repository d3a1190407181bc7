#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The end of what .ci/run prints: often nothing else of it is read. It names every test that failed, and says why in few lines.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../.ci";
use Berth::Test;
use Tally;

need_program('prove');
my $dir = tmp_dir();

# failed_run - the last lines after test programs of these texts have run, each in a file of its own
sub failed_run
{
	my (%programs) = @_;
	my @names = sort keys %programs;

	unlink glob("$dir/tally*");
	spew("$dir/$_.t", "use Test::More;\n$programs{$_}") for @names;
	run({ dir => $dir, env => { TALLY => "$dir/tally", STEP => 'plain', PERL5LIB => source_dir() . '/.ci' } }, 'prove', '--formatter', 'Tally', map { "$_.t" } @names);
	return ended();
}

sub ended
{
	my $r = run({ env => { PERL5LIB => source_dir() . '/.ci' } }, $^X, '-MTally', '-e', 'Tally::report(@ARGV)', "$dir/tally");

	is $r->{err}, '', 'no warning';
	return $r->{out};
}

my $out = failed_run(good => "pass('it'); done_testing;", bad => <<'T', late => <<'T', log => <<'T', dies => "pass('it'); die 'of this';", killed => 'pass("it"); kill KILL => $$; sleep 9;');
diag 'before all';
is 1, 2, 'one is two';
ok 0, "nothing $_" for 1 .. 9;
done_testing;
T
pass('all is well');
diag '1234 pulls';
done_testing;
END { diag $_ for 'A sanitizer has found something:', '==7==ERROR: LeakSanitizer: detected memory leaks', '', (map { "    #$_ 0x12 in malloc (berth-fcgi+0x1)" } 0 .. 40), '    #41 0x13 in leak_it /x/y/../src/base/str.c:12:3'; $? = 1 }
T
ok(0, 'it answers') or diag join "\n", (map { qq({"event":"line $_"}) } 1 .. 2000), '2026/11/30 14:00:00 [error] 7#7: *1 upstream', 'what says something', 'x' x 500;
done_testing;
T
my ($slow, $failed) = split /^== failed\n/m, $out;
like $slow, qr/\A== the slowest tests\n(?: *[\d.]+ s \w+\.t \(plain\)\n){5}\z/, 'the slowest come first';
my @lines = split /\n/, $failed;
is_deeply [grep { !/^ / } @lines], ['bad.t (plain): 1 one is two; 2 nothing 1; 3 nothing 2; 4 nothing 3; 5 nothing 4; 5 more; status 10', 'dies.t (plain): No plan found in TAP output; status 255',
	'killed.t (plain): No plan found in TAP output; signal 9', 'late.t (plain): status 1', 'log.t (plain): 1 it answers; status 1'], 'then those that failed, with what failed in them';
like $failed, qr/^bad\.t.*\n    got: '1'\n    expected: '2'\n\S/m, 'and with the first lines that say why';
like $failed, qr/^dies\.t.*\n    of this at /m, 'of one that dies, too';
like $failed, qr/^late\.t.*\n    ==7==ERROR: LeakSanitizer: detected memory leaks\n    #41 0x13 in leak_it .*str\.c:12:3\n\S/m, '... what a sanitizer has found after the last test, and where';
like $failed, qr/^log\.t.*\n    what says something\n    x+ \.\.\.\n\z/m, '... without lines of logs';
is scalar(grep { length > 200 } @lines), 0, 'no line is long';

# many
spew("$dir/tally.failed", join '', map { "t/10$_-name.t (sanitizers): " . join('; ', map { "$_ a test with a long name that says what is right" } 1 .. 5) . "; status 1\n" . join('', map { "# line $_\n" } 1 .. 50) . "\f" } 10 .. 29);
@lines = split /\n/, ended() =~ s/.*^== failed\n//msr;
cmp_ok scalar(@lines), '<=', 36, 'of many there are less lines';
is scalar(grep { /^t\/10\d\d-name\.t \(sanitizers\): 1 a test/ } @lines), 20, '... but each is there';
spew("$dir/tally.failed", join '', map { "t/$_-name.t (plain): 1 x; status 1\n# line\n\f" } 1000 .. 1199);
@lines = split /\n/, ended() =~ s/.*^== failed\n//msr;
cmp_ok scalar(@lines), '<=', 36, 'of very many, too';
is scalar(() = "@lines" =~ /t\/1\d\d\d-name\.t \(plain\)/g), 200, '... but each has its name there';
# a step that is no test says why at its end
spew("$dir/tally.failed", "distcheck: distcheck: status 1\n" . join('', map { "cc $_\n" } 1 .. 100) . "make: *** Error 1\n\f");
like ended(), qr/^distcheck: distcheck: status 1\n    cc 99\n    cc 100\n    make: \*\*\* Error 1\n\z/m, 'of a step that failed the last lines are there';

done_testing;
