#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Lines of the journal whose maker has died: what came of the change decides, and where nobody can tell it is said to have taken place.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Fcntl ':flock';
use JSON::PP ();
use Berth::Test;
use Berth::Check;
use Berth::Events;
use Berth::Repo;

my $s = Berth::Server->start(config => "delete = true;\njournal = { enabled = true; };\n");
my ($one, undef) = $s->push_image('team/app', '1');
my ($two, undef) = $s->push_image('team/app', '2');
my $none = sha256('no manifest');
my $json = JSON::PP->new->utf8->canonical;

sub segment { my @all = sort glob $s->root . '/berth/journal/0*'; return $all[-1] }
# left - a worker has written these and died: 'action repository[:tag] digest [from]'
sub left
{
	open my $fh, '>>', segment() or die;
	for (@_) {
		my ($mark, $action, $where, $digest, $from) = /^(.)(\S+) (\S+) (\S+)(?: (\S+))?$/ or die;
		my ($repo, $tag) = split /:/, $where;
		my %e = (time => '2026-01-02T03:04:05.678Z', action => $action, repository => $repo, $tag ? (tag => $tag) : (), $digest ne '-' ? (digest => $digest) : (), $from ? (from => $from) : ());
		print $fh "\n$mark" . $json->encode(\%e) . "\n";
	}
	return close $fh;
}
sub told { return join ' ', map { "$_->{action} $_->{repository}" . ($_->{tag} ? ":$_->{tag}" : '') } @_ }
my $seen = '';
sub news
{
	my @new = events($s, $seen eq '' ? () : ('--since', $seen));

	$seen = $new[-1]{id} if @new;
	return told(grep { $_->{action} !~ /^blob/ } @new);
}
news();

for (
	["?push team/app:1 $one", 'push team/app:1', 'a tag that points there was set'],
	["?move team/app:1 $two", '', 'one that does not was not'],
	["?push team/app:9 $one", '', 'nor one that is not there'],
	["?push team/app $two", 'push team/app', 'a manifest that is there was pushed'],
	["?push team/app $none", '', 'one that is not was not'],
	["?untag team/app:9 $one", 'untag team/app:9', 'a tag that is gone was removed'],
	["?untag team/app:1 $one", '', 'one that is there was not'],
	["?untag team/app:1 $two", 'untag team/app:1', 'but one that points elsewhere now'],
	["?delete team/app $none", 'delete team/app', 'a manifest that is gone was deleted'],
	["?delete team/app $one", '', 'one that is there was not'],
	['?remove no/app -', 'remove no/app', 'a repository that is gone was removed'],
	['?remove team/app -', '', 'one that is there was not'],
	['?rename team/app - no/app', 'rename team/app', 'one that is there, and not under its old name, was renamed'],
	['?rename new/app - team/app', '', 'one that has its old name was not'],
	["-push team/app:1 $one", '', 'what is known not to have taken place is not told'],
	["+push team/app:7 $none", 'push team/app:7', 'and what is known to have is not looked at'],
) {
	my ($line, $is, $title) = @$_;
	left($line);
	is news(), $is, $title;
}
my @marks = slurp(segment()) =~ /^([?+-])\{[^\n]*"2026-01-02/mg;
is join('', @marks), '+--+-+-++-+-+--+', 'each is decided once, and marked';

# nobody can tell any more
left("?move team/app:1 $two", "?push team/app:1 $one");
is news(), 'move team/app:1 push team/app:1', 'a change that a later one may have undone is told';
left("?push team/app:8 $one", "+untag team/app:8 $one");
is news(), 'push team/app:8 untag team/app:8', 'also one that is known to have taken place';
left("?push team/app:8 $one", "-untag team/app:8 $one", "+push other/app:8 $one", "+push team/app:7 $one");
is news(), 'push other/app:8 push team/app:7', 'but not for what speaks of another tag, or did not take place';
left("?move team/app:1 $none", "+push team/app:1 $one");
is news(), 'push team/app:1', 'nor for a push whose manifest is not there, and was not taken later: it came before the tag';
left("?push team/app:1 $none", "+delete team/app $none");
is news(), 'push team/app:1 delete team/app', 'but if it was taken';
left("?delete team/app $one", '+rename team/app - old/app');
is news(), 'delete team/app rename team/app', 'a repository that was renamed later may have had anything';

# lines that are none
open my $fh, '>>', segment() or die;
print $fh "\n?{\"action\":\"push\"\n", "\n+nothing\n", "\n?" . '{"action":"push","repository":"../../etc","tag":"x"}' . "\n", "\n\xff\xfe\n", "+{\"action\":\"push\",\"repository\":\"team/app\",\"tag\":\"1\",\"digest\":\"sha256:12\"}\n";
close $fh;
left("+push team/app:5 $one");
is news(), 'push team/app:5', 'what is no event is passed over';

# whoever works on the repository now may be the one who makes the change
my $lock = lock_of('team/app');
left("?push team/app:1 $one", "+push team/app:6 $one");
my $r = $s->req(GET => "/berth/v1/events?after=$seen");
is_deeply $r->json, { events => [], next => $seen }, 'over the network nobody waits: events end before it';
is $r->header('Retry-After'), 5, 'and come later';
left("+push free/app:1 $one");
is_deeply [map { $_->{repository} } @{ $s->req(GET => "/berth/v1/events?after=$seen&repo=free/*")->json->{events} }], ['free/app'], 'but those of others do not wait';
close $lock;
is news(), 'push team/app:1 push team/app:6 push free/app:1', 'when it is free all are told';

# a registry that is read-only tells the same, and writes nothing
$s->config("delete = true; readonly = true;\njournal = { enabled = true; };\n");
$s->replace_workers;
news();
left("?push team/app:1 $one", "?push team/app:9 $one");
my $before = slurp(segment());
is_deeply [map { "$_->{action} $_->{tag}" } @{ $s->req(GET => "/berth/v1/events?after=$seen")->json->{events} }], ['push 1'], 'read-only: a program is told what took place';
$r = berth($s, 'events', '--since', $seen);
like $r->{out}, qr{^\S+ \S+ push \s*team/app:1 \S+\n\z}, '... and so is a terminal' or diag $r->{err};
is $r->{err}, '', '... without a word about it';
ok slurp(segment()) eq $before, '... and nothing is marked';
$s->stop;
done_testing;

sub lock_of
{
	my ($repo) = @_;
	my $file = sprintf '%s/berth/locks/repository/%s', $s->root, substr sha256($repo), 7, 2;

	open my $h, '+<', $file or die "$file: $!";
	flock $h, LOCK_EX or die;
	return $h;
}
