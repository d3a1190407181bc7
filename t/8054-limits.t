#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Limits for an address and for a user (with=limits), and for those who are slow: 429 in the registry's form, before a
# body is read; others are not held up; docker's own pushes and pulls go through the presets.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Auth;
use Berth::Check;
use Berth::Client;
use Berth::Docker;

my $d = Berth::Docker->start;
my $dir = tmp_dir();
spew("$dir/htpasswd", htpasswd(alice => 'a', bob => 'b'));
my $config = "auth = { htpasswd = \"$dir/htpasswd\"; };\n";

# how many of `n` requests at once are let in, and the first that is not
sub burst { my ($s, $n, %o) = @_; my @r = map { $s->req(GET => '/v2/', %o) } 1 .. $n; return (scalar(grep { $_->status != 429 } @r), (grep { $_->status == 429 } @r)[0]) }

# --- requests of an address
my $s = Berth::Server->start(nginx_args => ['with=limits', 'rate=1r/m', 'burst=5']);
my ($in, $r) = burst($s, 8, from => '127.0.0.2');
is $in, 6, 'an address has its burst';
error_is $r, 429, 'TOOMANYREQUESTS', 'what is beyond it is 429';
cmp_ok $r->header('Retry-After') // 0, '>', 0, 'with Retry-After';
is common_fault($r), '', 'and the common headers';
is((burst($s, 3, from => '127.0.0.3'))[0], 3, 'another address has its own');
my $sock = $s->sock('127.0.0.2');
print {$sock} "POST /v2/x/blobs/uploads/?digest=" . sha256('x') . " HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n";
my $early = eval { read_response($sock) };
is $early ? $early->status : 'nothing', 429, 'a body of 1 GiB is refused before it is sent';
is $s->req($_ => '/v2/x/manifests/a', from => '127.0.0.2', $_ eq 'PUT' ? (body => '{}') : ())->status, 429, "$_ counts too" for qw(HEAD DELETE PUT);
is $s->req(GET => '/v2/', from => '127.0.0.2', headers => ['X-Forwarded-For' => '127.0.0.77', 'X-Real-IP' => '127.0.0.78'])->status, 429, 'and no header gives another address';
is leftovers($s), '', 'nothing is left in body, tmp and trash';
$s->stop;

# --- requests of a user, from many addresses
$s = Berth::Server->start(config => $config, nginx_args => ['with=limits', 'user_rate=1r/m', 'burst=5']);
my @alice = (headers => [basic('alice', 'a')]);
is scalar(grep { $s->req(GET => '/v2/', from => "127.0.1.$_", @alice)->status == 200 } 1 .. 9), 6, 'a user has a burst, from wherever';
is $s->req(GET => '/v2/', from => '127.0.1.20', headers => [basic('bob', 'b')])->status, 200, 'another has another';
is $s->req(GET => '/v2/', from => '127.0.1.21')->status, 401, 'who does not say who it is, is counted by address';
is((burst($s, 9, from => '127.0.1.22', headers => [basic('bob', "wrong")]))[0], 6, 'a wrong password uses up its own');
is $s->req(GET => '/v2/', from => '127.0.1.23', headers => [basic('bob', 'b')])->status, 200, 'and not its owner\'s';
$s->stop;

# by a name that a proxy knows: whoever has it
$s = Berth::Server->start(config => "auth = { remote_user = true; };\n", nginx_args => ['with=proxy', 'proxy=127.0.0.2', 'with=limits', 'user_rate=1r/m', 'burst=5']);
my $by = sub { my ($who, $n) = @_; return scalar grep { $s->req(GET => '/v2/', from => '127.0.0.2', headers => ['X-Berth-User' => $who, 'X-Forwarded-For' => "192.0.2.$_"])->status == 200 } 1 .. $n };
is $by->('alice', 9), 6, 'the same for one whom a proxy names';
is $by->('bob', 1), 1, 'and not for another';
is $s->req(GET => '/v2/', from => '127.0.0.3', headers => ['X-Berth-User' => 'alice'])->status, 401, 'whom nobody else can use up';
$s->stop;

# --- requests under way
$s = Berth::Server->start(nginx_args => ['with=limits', 'per_address=3']);
my $blob = $s->push_blob('x', 'x');
my $put = "PUT /v2/x/manifests/a HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{";
my @slow = map { my $c = $s->sock('127.0.0.2'); print {$c} $put; $c } 1 .. 3;
wait_for { ($r = $s->req(GET => '/v2/', from => '127.0.0.2'))->status == 429 };
error_is $r, 429, 'TOOMANYREQUESTS', 'an address with three requests under way gets no fourth';
is $s->req(GET => "/v2/x/blobs/$blob", from => '127.0.0.3')->status, 200, 'others do';

# --- slow clients; an nginx of its own, since its times are over where a busy machine stands still
close $_ for @slow;
is leftovers($s), '', 'nothing is left of bodies that are broken off';
$s->stop_nginx;
$s->{nginx_args} = ['with=limits', 'per_address=1', 'client_timeout=4s', 'header_timeout=1s'];
$s->start_nginx;
my $slow = $s->sock('127.0.0.2');
print {$slow} $put;
like slurp($s->dir . '/nginx/berth-locations.conf'), qr/\bclient_body_timeout 4s;/, 'the time for a body is set';
ok wait_for(sub { (eval { $s->req(GET => '/v2/', from => '127.0.0.2') } // return 0)->status == 200 }), 'a body that does not go on is given up';
is eval { defined read_response($slow) ? 'an answer' : 'closed' } // $@, 'closed', 'without an answer';
my $c = $s->sock;
print {$c} "GET /v2/ HTTP/1.1\r\nHost: x";
like slurp($s->dir . '/nginx/berth-locations.conf'), qr/\bclient_header_timeout 1s;/, 'and that for a header';
is +(IO::Select->new($c)->can_read(120) ? sysread($c, my $got, 100) : 'open'), 0, 'a header that does not end is given up, too';
is leftovers($s), '', 'nothing is left in body, tmp and trash';
$s->stop;

# --- docker under the presets
$s = Berth::Server->start(nginx_args => ['with=limits']);
my $ref = $s->host . '/lim/app:1';
my $ctx = tmp_dir();
$d->busybox_image('busybox:latest');
spew("$ctx/f$_", random_bytes(2000)) for 1 .. 30;
my $id = $d->build($ref, "FROM busybox\n" . join('', map { "COPY f$_ /f$_\n" } 1 .. 30), $ctx);
$d->docker_ok('push', $ref, 'docker pushes 31 layers, 20 at once');
ok $d->remove_images, 'and forgets';
$d->docker_ok('pull', $ref, 'and pulls');
is $d->id($ref), $id, 'the same image';
is scalar(grep { $_->{status} == 429 } $s->access_events), 0, 'none of its requests was too many';

done_testing;
