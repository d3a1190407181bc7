#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A password that came in a form is nowhere once it is answered: not in a log, on disk, or in memory; no token is in a log.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;

my $dir = tmp_dir();
my %password = (alice => 'alice-geheim-4711', bob => 'bob-geheim-mit-%41-und-vielen-zeichen-mehr-0815');
spew("$dir/htpasswd", htpasswd(%password));
my $s = Berth::Server->start(workers => 2, config => "log = { level = \"debug\"; }; auth = { htpasswd = \"$dir/htpasswd\"; token = { enabled = \"on\"; }; };\n");
sub post { return $s->req(POST => '/v2/token', form(@_)) }

# What is left of them in the memory of the workers; the first bytes of what was given back are overwritten by themselves.
my $kept = 0;
sub left
{
	my ($title, @texts) = @_;

	SKIP: {
		skip memory_closed(), 1 if memory_closed();
		my @found = in_memory($s, 'htpasswd', @texts);
		$kept++ if grep { $_ eq 'htpasswd' } @found;
		is join(' ', grep { $_ ne 'htpasswd' } @found), '', "$title leaves nothing of it in memory";
	}
	return;
}

# tried - a form, its status, and what must not be left of it
sub tried
{
	my ($title, $status, $form, @texts) = @_;
	my $r = post(@$form);

	is $r->status, $status, $title;
	left($title, @texts) if @texts;
	return $r;
}
my $plain = '-und-vielen-zeichen-mehr-0815';          # as it is, whether encoded or not
my @bob = (username => 'bob', password => $password{bob});
tried('a password in a form', 200, [grant_type => 'password', @bob], $plain);
tried('a long form', 200, [grant_type => 'password', @bob, scope => join ' ', map { "repository:team/$_:pull" } 1 .. 64], $plain);
tried('a wrong password', 401, [grant_type => 'password', username => 'bob', password => "falsch-geheim-1" . 'x' x 700 . $plain], $plain);
tried('a password in the place of a name', 401, [grant_type => 'password', username => "tippfehler-geheim-2" . 'x' x 200 . $plain, password => 'x'], $plain);
tried('a form that is not taken', 400, [grant_type => 'nothing', @bob], $plain);
tried('one that is too long', 413, [@bob, x => 'y' x 70_000], $plain);
my $refresh = post(grant_type => 'password', username => 'alice', password => $password{alice}, access_type => 'offline')->json->{refresh_token};
my $access = tried('a token to refresh by', 200, [grant_type => 'refresh_token', refresh_token => $refresh, scope => 'repository:team/x:pull'])->json->{token};
is $s->req(GET => '/v2/team/x/tags/list', headers => [bearer($access)])->status, 404, 'and a token for access';
ok $kept, 'the memory could be read' if $> == 0 && !$ENV{BERTH_SANITIZERS};

my @secrets = (values %password, 'geheim', $plain, map { (split /\./)[2] } $refresh, $access);
sub where { my ($text) = @_; return join ' ', grep { index($text, $_) >= 0 } @secrets }
is where(join "\n", $s->log, $s->error_log, $s->access_log), '', 'none of them is in a log';
is where(join '', map { slurp($_) } grep { -f } map { glob "$_/* $_/*/*" } $s->root . '/berth', $s->dir . '/nginx/tmp'), '', 'nor on disk';
done_testing;
