#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The end of what .ci/run prints: often nothing else of it is read. It names every test that failed, and says why in few lines.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../.ci";
use Berth::Test;
use Tally;

plain_build_only('it runs no program that is built with sanitizers');
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
spew("$dir/tally.failed", "plain: the plain build (gcc): status 1\nbuilding in /x/build\n  CC src/a.o\n../src/a.c:12:3: error: expected ';'\n" . join('', map { "  CC src/$_.o\n" } 1 .. 30) . "make: *** [all] Error 2\nthe build failed\n\f");
like ended(), qr/^plain: the plain build \(gcc\): status 1\n    \.\.\/src\/a\.c:12:3: error: expected ';'\n\z/m, 'of a build what the compiler says';
spew("$dir/tally.failed", "debian: the other release: status 1\n" . join('', map { "t/40$_.t .. ok\n" } 10 .. 99) . "Test Summary Report\n-------------------\nt/4010-x.t (Wstat: 256 (exited 1) Tests: 7 Failed: 1)\n  Failed test:  6\nt/4011-y.t   (Wstat: 9 (Signal: KILL) Tests: 0 Failed: 0)\n\f");
like ended(), qr/^debian: the other release: status 1\n    t\/4010-x\.t t\/4011-y\.t\n/m, 'of a step whose tests have no records the names of those that failed';

# .ci/run itself, beside steps that are made to fail without a test that does: each is named
my $tree = tmp_dir();
mkdir "$tree/$_" for '.ci', 'scripts', 'scripts/lib';
for (['.ci/run', slurp(source_dir() . '/.ci/run')], ['.ci/Tally.pm', slurp(source_dir() . '/.ci/Tally.pm')], ['scripts/lib/packages.sh', 'need_packages() { :; }'],
	['scripts/debian', "#!/bin/sh\nkill -KILL \$\$\n"], ['scripts/conformance', "#!/bin/sh\nexit 0\n"], ['configure', "#!/bin/sh\necho no compiler\nexit 77\n"],
	['bad.t', "use Test::More;\nis 1, 2, 'one is two';\ndone_testing;\n"], ['good.t', "use Test::More;\npass('it');\ndone_testing;\n"], ['scripts/test', <<'SH']) {
#!/bin/sh
case $* in
'') echo 'a.c:1:2: error: no'; exit 1 ;;
--valgrind) exec prove $PROVE_FLAGS good.t ;;
*) exec prove $PROVE_FLAGS bad.t good.t ;;
esac
SH
	chmod 0755, spew("$tree/$_->[0]", $_->[1]);
}
my $r = run({ env => { CI_WORK => undef, CI_SIGNALS => undef, TALLY => undef, STEP => undef } }, "$tree/.ci/run");
is $r->{status}, 1, 'a run in which steps fail, fails';
my $end = $r->{out} =~ s/.*^== failed\n//msr;
is_deeply [grep { !/^ / } split /\n/, $end], ['debian: unit tests and families 1 to 5 on the other release of Debian: status 137', 'distcheck: distcheck: status 1',
	'plain: the plain build (gcc): status 1', 'bad.t (sanitizers): 1 one is two; status 1', 'skipped: 0', '4 passed, 4 failed'], 'each step that failed is named' or diag $end;
like $end, qr/^distcheck: .*\n    no compiler\nplain: .*\n    a\.c:1:2: error: no\n/m, '... with why';

# one that is told to end in the second step
(my $killed = slurp("$tree/scripts/test")) =~ s/exec prove \$PROVE_FLAGS bad\.t good\.t/kill -TERM 0; sleep 9/;
spew("$tree/scripts/test", $killed);
$r = run({ env => { CI_WORK => undef, CI_SIGNALS => undef, TALLY => undef, STEP => undef } }, 'setsid', '--wait', "$tree/.ci/run");
is $r->{status}, 143, 'a run that is told to end does';
like $r->{out}, qr/^plain: the plain build \(gcc\): status 1\n.*^== steps that have not ended: sanitizers\b.* clean\nskipped: \d+\n\d+ passed, [2-9] failed\n\z/ms, '... and says what has failed, and what has not ended' or diag $r->{out};

done_testing;
