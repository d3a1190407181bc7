#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Uploads that come to nothing leave no directories of names that never were repositories: they go with the upload, or, where
# somebody is at work at that moment, with the next collection, a repair, or berth repo rm.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Fcntl qw(:flock);
use File::Find ();
use File::Path qw(make_path);
use Time::HiRes ();
use Berth::Test;
use Berth::Check;
use Berth::GC;

my $s = Berth::Server->start(config => "delete = true;\nfsync = \"off\";\n");
my $top = data_dir($s) . '/repositories';
my @berth = (program('berth'), '--config', $s->config_file, '--root', $s->root);
sub directories { my @all; File::Find::find({ no_chdir => 1, wanted => sub { push @all, substr $_, 1 + length $top if -d && $_ ne $top } }, $top); return join ' ', sort @all }

my $deep = join '/', ('a') x 124;
my %end = (
	'a cancelled upload' => sub { $s->req('DELETE', $_[0])->status == 204 },
	'an upload that is cancelled in the middle' => sub { $s->req('PATCH', $_[0], body => 'half'); $s->req('DELETE', $_[0])->status == 204 },
	'an upload that is refused' => sub { $s->req('PUT', "$_[0]?digest=" . sha256('other'), body => 'bytes')->status == 400 },
	'an upload that is refused at its end' => sub { $s->req('PATCH', $_[0], body => 'half'); $s->req('PUT', "$_[0]?digest=" . sha256('other'))->status == 400 },
);
for my $how (sort keys %end) {
	for my $name ('one', $deep) {
		ok $end{$how}->(upload_start($s, $name)), "$how, of a name of " . ($name =~ tr{/}{} + 1) . ' components';
		is directories(), '', 'leaves no directory';
	}
}

# What is in use stays.
my $app = upload_start($s, 'team/app');
my $other = upload_start($s, 'team/app');
my $nested = upload_start($s, 'team/app/nested/deep');
$s->req('DELETE', $nested);
ok !-e "$top/team/app/nested", 'a cancelled upload leaves nothing below a name with uploads';
$s->req('DELETE', $app);
is_deeply [uploads_of($s, 'team/app')], [$other =~ m{([^/]+)$}], 'another upload of the name stays';
is $s->req('PUT', "$other?digest=" . sha256('x'), body => 'x')->status, 201, 'and ends well';
$s->req('DELETE', upload_start($s, 'team/app'));
$s->req('DELETE', upload_start($s, 'team/app/more'));
is $s->req('GET', '/v2/team/app/blobs/' . sha256('x'))->body, 'x', 'the repository stays as it is';
ok !-e "$top/team/app/more", 'and nothing stays below it';
is $s->req('GET', '/v2/_catalog')->json->{repositories}[0], 'team/app', 'the catalog knows it';

# While somebody else is at work they stay, and go later.
open my $lock, '+<', $s->root . '/berth/locks/collector' or die "locks/collector: $!";
sub cancel_beside_others
{
	my ($name) = @_;
	my $up = upload_start($s, $name);

	flock $lock, LOCK_SH or die "flock: $!";
	is $s->req('DELETE', $up)->status, 204, 'an upload is cancelled while somebody pushes';
	flock $lock, LOCK_UN;
	ok -d "$top/$name/_uploads", 'its directories stay then';
	return;
}
my $before = directories();
cancel_beside_others("left/$deep");
gc_ok($s, '--dry-run', 'a dry run');
ok -d "$top/left/$deep/_uploads", 'takes nothing away';
gc_ok($s, 'a collection');
is directories(), $before, 'takes the directories away';
cancel_beside_others("left/by/fsck");
make_path("$top/left/half/made");
is run(@berth, 'fsck')->{status}, 0, 'to berth fsck they are no fault';
is run(@berth, 'fsck', '--repair')->{status}, 0, 'a repair';
is directories(), $before, 'takes them away, and those that a killed worker has made but in part';
cancel_beside_others("left/by/hand");
cancel_beside_others("left/by/hands");
is run(@berth, 'repo', 'rm', 'left/by/hand')->{err}, "berth: there is no repository left/by/hand\n", 'berth repo rm says that there is none';
ok !-e "$top/left/by/hand", 'and takes what there is';
ok -d "$top/left/by/hands/_uploads", 'and that alone';
run(@berth, 'repo', 'rm', 'left/by/hands');
is directories(), $before, 'until nothing is left';
upload_start($s, 'left/to/rest');
is run(@berth, 'repo', 'rm', 'left/to/rest')->{status}, 1, 'a name with an upload under way is no repository';
gc_ok($s, 'a collection');
is scalar(uploads_of($s, 'left/to/rest')), 1, 'and the upload stays';
make_old($s, 30 * 86400, 'docker/registry/v2/repositories/left');
gc_ok($s, 'one when it is old');
is directories(), $before, 'takes it away, and its directories';

sub asked { my @request = @_; return patient { $s->req(@request) } }

# Beside each other: whoever makes directories does not lose them to somebody who takes them away.
my $end = Time::HiRes::time() + 6;
my @did = run_parallel(6, sub {
	my ($i) = @_;
	my ($rounds, $bad) = (0, '');

	while (Time::HiRes::time() < $end) {
		my $round = ++$rounds;
		if ($i == 5) {
			my $r = $round % 2 ? gc($s) : run(@berth, 'fsck', '--repair');
			$bad .= $r->{out} . $r->{err} if $r->{status};
			next;
		}
		my $name = join '/', 'race', ('n') x ($round % 4), 'n' . $round % 3;
		my $r = asked('POST', "/v2/$name/blobs/uploads/");
		$bad .= 'POST ' . $r->status . $r->body if $r->status != 202;
		next if $r->status != 202;
		my $up = path_of($r->header('Location'));
		$r = asked('PATCH', $up, body => 'x') if $round % 3 == 0;
		$bad .= 'PATCH ' . $r->status . $r->body if $r->status != 202;
		$r = asked('DELETE', $up);
		$bad .= 'DELETE ' . $r->status . $r->body if $r->status != 204;
		next if $i;
		# now and then one of them becomes a repository, and goes again
		$name = "race/n/r$round";
		$r = asked('POST', "/v2/$name/blobs/uploads/?digest=" . sha256('x'), body => 'x');
		$bad .= 'blob ' . $r->status . $r->body if $r->status != 201;
		$r = run(@berth, 'repo', 'rm', $name);
		$bad .= $r->{out} . $r->{err} if $r->{status};
	}
	return "$rounds $bad";
});
like $_, qr/^\d+ $/, 'a client beside others had no trouble' for @did[0 .. 4];
like $did[5], qr/^\d+ $/, 'nor had collections and repairs';
note("rounds: @did");
gc_ok($s, 'a last collection');
is directories(), $before, 'leaves what was there before';
is run(@berth, 'fsck')->{status}, 0, 'nothing is wrong';
ok !(grep { ($_->{status} // 0) >= 500 && ($_->{error} // '') !~ /\bbusy with\b/ } $s->log_events), 'no request ended with 5xx, but for those that others kept waiting';

done_testing;
