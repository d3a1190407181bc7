#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The htpasswd file changes while the registry serves: what it says holds from the next request on, in every worker.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Auth;

my $file = tmp_dir() . '/htpasswd';
my %line = map { $_ => "alice:" . hash_of($_) . "\n" } qw(one two);
spew($file, $line{one});
my $s = Berth::Server->start(config => "auth = { htpasswd = \"$file\"; };\n", workers => 4);
my $clients = 0;

# by($password, $n) - the statuses of n requests at once, which more than one worker answers; sorted, each once
sub by
{
	my ($password, $n) = @_;
	my %seen;

	$clients++;
	$seen{$_}++ for run_parallel($n // 8, sub { $s->req(GET => '/v2/', from => '127.' . (4 + int($clients / 250)) . '.' . $clients % 250 . ".$_[0]", headers => [basic('alice', $password)])->status });
	return join ' ', sort keys %seen;
}

is by('one'), 200, 'the password is right';
is by('two'), 401, 'another is not';

# Each way to change it; again and again, since the file has the same size and often the same time
my %way = (
	'by a new file under its name' => \&write_over,
	'in its place' => \&spew,
	'in its place, byte by byte' => sub {
		my ($f, $text) = @_;
		open my $h, '+<:raw', $f or die;
		for my $i (0 .. length($text) - 1) { seek $h, $i, 0; syswrite $h, substr($text, $i, 1) }
		close $h;
	},
	'in its place, its time put back' => sub {
		my ($f, $text) = @_;
		my @st = stat $f;
		spew($f, $text);
		utime $st[8], $st[9], $f;
	},
);
for my $way (sort keys %way) {
	for my $round (1 .. 3) {
		for my $is (qw(two one)) {
			$way{$way}->($file, $line{$is});
			my $old = $is eq 'one' ? 'two' : 'one';
			is by($is, 4), 200, "changed $way, the new password is right with the next request ($round)";
			is by($old, 4), 401, "and the old one wrong, though it was remembered ($round)";
		}
	}
}
# long after the last change, when nobody looks closely any more
sub later { sleep 3.1; return by(@_) }
is later('one'), 200, 'the file stays as it is for a while';
spew($file, $line{two});
is by('one'), 401, 'and then a change of the same size counts at once all the same';
is later('two'), 200, 'once more';
$way{'in its place, its time put back'}->($file, $line{one});
is by('two'), 401, 'also one that hides its time';

spew($file, "# nobody\n");
is by('one'), 401, 'a user who is gone is out';
spew($file, $line{one});
is by('one'), 200, 'and in again';

# A file that becomes invalid: its previous contents stay in force for five seconds (t/unit/test_watched.c), and the log says it once
for my $fault (['malformed', sub { spew($file, "alice:geheim\n") }, qr/\Q$file\E:1: the hash is /],
	['gone', sub { unlink $file }, qr/\Q$file\E: cannot read: No such file/],
	['cut off in the middle', sub { spew($file, substr $line{two}, 0, 40) }, qr/\Q$file\E:1: the hash is malformed or cut off/]) {
	my ($what, $do, $re) = @$fault;
	my $before = () = $s->log_events;
	wait_for { by('one', 16); answered_since($s, $before) == 4 };   # each worker knows the good one
	$do->();
	my $since = time;
	my $r = $s->req(GET => '/v2/', headers => [basic('alice', 'one')]);
	is $r->status, 200, "when the file becomes $what, its previous contents stay in force" if time - $since < 3;
	ok wait_for(sub { by('one', 16) eq '503' }), 'but for a few seconds only: then nobody can log in';
	my %said;
	$said{$_->{pid}}++ for grep { ($_->{event} // '') eq 'htpasswd' && $_->{level} eq 'error' && $_->{message} =~ $re } ($s->log_events)[$before .. $s->log_events - 1];
	ok scalar(keys %said), 'the log says it' or diag(($s->log)[-1]);
	is join(' ', grep { $said{$_} > 1 } keys %said), '', 'each worker once';
	# a worker that no request had reached until now has its five seconds still before it
	wait_for(sub { $r = $s->req(GET => '/v2/', headers => [basic('alice', 'one')]); $r->status == 503 });
	is $r->code, 'UNAVAILABLE', 'logins are unavailable, not wrong';
	ok $r->header('Retry-After'), 'and may be tried again';
	is $s->req(GET => '/v2/')->status, 401, 'who sends none is asked for one';
	write_over($file, $line{one});
	is by('one'), 200, 'repaired, it is in force at once';
}
unlike join("\n", $s->log), qr/geheim/, 'nothing of a line is in the log';
ok scalar(grep { /"event":"htpasswd"/ && /was read again; accounts in it: 1"/ } $s->log), 'the log says when it was read again';

# A new worker, and a reload, while the file is bad
spew($file, "bad\n");
$s->reload;
ok wait_for(sub { grep { /"event":"configuration"/ && /the old one stays/ } $s->log }), 'a reload with a bad file is refused';
kill KILL => $_ for $s->worker_pids;
ok wait_for(sub { by('one', 2) eq '503' }), 'new workers, who never saw a good one, let nobody in';
write_over($file, $line{two});
is by('two'), 200, 'until there is one';

# Many changes under many requests: each answer is that of the file before or after
my $end = time + 3;
my @r = run_parallel(3, sub {
	my ($i) = @_;
	if ($i == 0) {
		while (time < $end) { write_over($file, $line{ rand() < 0.5 ? 'one' : 'two' }); sleep 0.002 }
		return 'writer';
	}
	my %n;
	while (time < $end) { $n{ $s->req(GET => '/v2/', from => "127.9.$i." . (1 + int rand 250), headers => [basic('alice', 'one')])->status }++ }
	return join ' ', sort keys %n;
});
like "@r[1, 2]", qr/^[2401 9]+$/, 'under constant change there are no answers but yes, no and too many';
unlike "@r[1, 2]", qr/503|500/, 'no half of a file is ever seen';
done_testing;
