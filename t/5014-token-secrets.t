#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A password or a token to refresh by that came in a form is nowhere once it is answered: not in a log, on disk, or in memory.
use strict;
use warnings;
no warnings qw(portable);         # addresses of 64 bits
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;

my $dir = tmp_dir();
my %password = (alice => 'alice-geheim-4711', bob => 'bob-geheim-mit-%41-und-vielen-zeichen-mehr-0815');
spew("$dir/htpasswd", htpasswd(%password));
my $s = Berth::Server->start(workers => 2, config => "log = { level = \"debug\"; }; auth = { htpasswd = \"$dir/htpasswd\"; token = { enabled = \"on\"; }; };\n");
sub post { return $s->req(POST => '/v2/token', form(@_)) }

my $refresh = post(grant_type => 'password', username => 'alice', password => $password{alice}, access_type => 'offline')->json->{refresh_token};
ok $refresh, 'a password in a form';
is post(grant_type => 'password', username => 'alice', password => 'falsch-geheim-1')->status, 401, 'a wrong one';
is post(grant_type => 'password', username => 'tippfehler-geheim-2', password => 'x')->status, 401, 'one in the place of the name';
is post(grant_type => 'password', password => $password{bob}, username => 'bob', scope => join ' ', map { "repository:team/$_:pull" } 1 .. 64)->status, 200, 'a long form';
is post(grant_type => 'nothing', username => 'bob', password => $password{bob})->status, 400, 'a form that is not taken';
is post(username => 'bob', password => $password{bob}, x => 'y' x 70_000)->status, 413, 'one that is too long';
is post(grant_type => 'refresh_token', refresh_token => $refresh)->status, 200, 'a token to refresh by';
my ($access) = map { $_->json->{token} } post(grant_type => 'refresh_token', refresh_token => $refresh, scope => 'repository:team/x:pull');
is $s->req(GET => '/v2/team/x/tags/list', headers => [bearer($access)])->status, 404, 'and a token for access';

my @secrets = (values %password, 'geheim', map { (split /\./)[2] } $refresh, $access);
sub where { my ($text) = @_; return join ' ', grep { index($text, $_) >= 0 } @secrets }
is where(join "\n", $s->log, $s->error_log, $s->access_log), '', 'none of them is in a log';
is where(join '', map { slurp($_) } grep { -f } map { glob "$_/* $_/*/*" } $s->root . '/berth', $s->dir . '/nginx/tmp'), '', 'nor on disk';
SKIP: {
	skip 'the memory of a sanitizer build is another', 2 if $ENV{BERTH_SANITIZERS};
	skip 'only root can look into the memory of such a process', 2 if $> != 0;
	my ($found, $kept) = ('', 0);
	for my $pid ($s->worker_pids) {
		open my $mem, '<:raw', "/proc/$pid/mem" or die "mem: $!";
		for (split /\n/, slurp("/proc/$pid/maps")) {
			my ($from, $to) = /^([0-9a-f]+)-([0-9a-f]+) rw/ or next;
			sysseek $mem, hex $from, 0;
			my $n = sysread $mem, my $bytes, hex($to) - hex $from or next;
			$found .= join ' ', "$pid:", grep { index($bytes, $_) >= 0 } values %password, 'falsch-geheim-1' if grep { index($bytes, $_) >= 0 } values %password, 'falsch-geheim-1';
			$kept++ if $bytes =~ /htpasswd/;
		}
	}
	is $found, '', 'no password is in the memory of a worker, once it has answered';
	ok $kept, 'which could be read';
}
done_testing;
