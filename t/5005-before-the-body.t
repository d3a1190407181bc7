#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A body that may not come in is refused before a byte of it is read, however it is announced.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;

use constant GIB => 1 << 30;

my $dir = tmp_dir();
spew("$dir/htpasswd", htpasswd(puller => 'p', admin => 'a'));
my $rules = join ', ', rule('@anonymous', '**', 'pull'), rule('admin', '**', 'push');
my $s = Berth::Server->start(config => "auth = { htpasswd = \"$dir/htpasswd\"; access = ( $rules ); };\n");
my $loc = path_of($s->req(POST => '/v2/team/app/blobs/uploads/', headers => [basic('admin', 'a')])->header('Location'));
my $digest = sha256('x');

my $challenge = 'Bearer realm="' . $s->url . '/v2/token",service="berth",scope="repository:team/app:pull,push"';

sub spooled { return join ' ', files_below($s->root . '/berth/body'), files_below($s->root . '/berth/tmp') }

my $tried = 0;
for my $caller (['no login', 401, []], ['a wrong password', 401, [basic('admin', 'wrong')]], ['who may only pull', 403, [basic('puller', 'p')]]) {
	my ($who, $status, $h) = @$caller;
	for my $what ([PATCH => $loc], [PUT => "$loc?digest=$digest"], [POST => "/v2/team/app/blobs/uploads/?digest=$digest"],
		[PATCH => '/v2/team/app/blobs/uploads/11111111-2222-4333-8444-555555555555']) {
		my ($method, $path) = @$what;
		my $name = "$who: $method of 1 GiB to " . ($path =~ s/[0-9a-f-]{36}.*|\?.*//r);
		my $from = '127.6.0.' . ++$tried;

		# The answer comes though nothing of the body does.
		my $r = $s->req($method, $path, from => $from, headers => [@$h, 'Content-Length' => GIB], body => sub { undef });
		error_is($r, $status, $status == 401 ? 'UNAUTHORIZED' : 'DENIED', "$name is refused without waiting for it");
		headers_are($r, { 'WWW-Authenticate' => $status == 401 ? $challenge : undef }, "$name: the challenge, where a login is wanted");
		is spooled(), '', "$name: nothing was spooled";

		$r = $s->req($method, $path, from => $from, headers => [@$h, 'Content-Length' => GIB, Expect => '100-continue'], body => sub { undef },
			timeout => 120);
		is $r->status, $status, "$name, which waits to be told to go on, is refused";

		my $n = 0;
		$r = $s->req($method, $path, from => $from, headers => $h, chunked => 1, body => sub { $n++ < 4000 ? 'x' x 65536 : undef });
		is $r->status, $status, "$name, in chunks, is refused";
		cmp_ok $r->sent, '<', 64 << 20, "$name: before most of it was sent";
		is spooled(), '', "$name: and nothing was spooled";
	}
	my $r = $s->req(PUT => '/v2/team/app/manifests/x', headers => [@$h, 'Content-Length' => 4 << 20], body => sub { undef },
		from => '127.6.1.' . ++$tried);
	error_is($r, $status, $status == 401 ? 'UNAUTHORIZED' : 'DENIED', "$who: a manifest is refused without waiting for it");
}
is upload_size(), '0-0', 'the upload that all of them tried to write to is as it was';
sub upload_size { return $s->req(GET => $loc, headers => [basic('admin', 'a')])->header('Range') }
is $s->req(PUT => "$loc?digest=$digest", body => 'x', headers => [basic('admin', 'a')])->status, 201, 'and who may finish it does';
done_testing;
