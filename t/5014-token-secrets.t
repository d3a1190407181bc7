#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A password that came in a form is nowhere once it is answered: not in a log, on disk, or in memory; no token is in a log.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;

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
		my @found;
		wait_for(sub { 2 > (@found = in_memory($s, 'htpasswd', @texts)) });     # an answer is sent before it is wiped
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
tried('a password in the place of a kind', 400, [grant_type => "tippfehler-geheim-3$plain"], $plain);
is $s->req(POST => '/v2/token', body => "tippfehler-geheim-4$plain=x", headers => ['Content-Type' => 'text/plain'])->status, 400, 'what is no form';
left('what is no form', $plain);
# Of a token its signature is the secret, and of that the end.
sub signature { return map { substr +(split /\./)[2], -32 } @_ }
my $both = post(grant_type => 'password', username => 'alice', password => $password{alice}, access_type => 'offline')->json;
my $refresh = $both->{refresh_token};
left('a token that was given', signature($both->{token}, $refresh));
my $access = tried('a token to refresh by', 200, [grant_type => 'refresh_token', refresh_token => $refresh, scope => 'repository:team/x:pull'])->json->{token};
left('one that was refreshed', signature($access, $refresh));
tried('a token to refresh by that is wrong', 401, [grant_type => 'refresh_token', refresh_token => "x$refresh"], signature($refresh));
is $s->req(GET => '/v2/team/x/tags/list', headers => [bearer($access)])->status, 404, 'and a token for access';
left('that', signature($access));
my $basic = $s->req(GET => '/v2/token?service=berth', headers => [basic(alice => $password{alice})])->json->{token};
left('a token for a password', signature($basic), substr((basic(alice => $password{alice}))[1], -16));
ok $kept, 'the memory could be read' if $> == 0 && !$ENV{BERTH_SANITIZERS};

my @secrets = (values %password, 'geheim', $plain, map { (split /\./)[2] } $refresh, $access);
sub where { my ($text) = @_; return join ' ', grep { index($text, $_) >= 0 } @secrets }
is where(join "\n", $s->log, $s->error_log, $s->access_log), '', 'none of them is in a log';
is where(join '', map { content_of($_) // '' } grep { -f } map { glob "$_/* $_/*/*" } $s->root . '/berth', $s->dir . '/nginx/tmp'), '', 'nor on disk';
done_testing;
