#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# An nginx in front of two machines on one store, as render's with=balance makes it: any request may go to either, one of them dies and comes
# back while twenty clients push, and a client that tries again after a 503 loses nothing.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep);
use Berth::Test;
use Berth::Check;
use Berth::Machines;

need_program('nginx');

my $CLIENTS = 20;
my @behind = (config => <<'END', nginx_args => ['with=proxy', 'proxy=127.0.0.1']);
delete = true;
auth = { remote_user = true; access = ( { who = [ "@anonymous" ]; repo = "**"; may = [ "pull", "push", "delete" ]; }, { who = [ "admin" ]; repo = "**"; may = [ "admin" ]; } ); };
END
my @machine = Berth::Server->start(@behind);
push @machine, Berth::Server->start(@behind, root => $machine[0]->root);
my $run = tmp_dir() . '/balance';
my $port = Berth::Server::free_port();
my $render = source_dir() . '/nginx/render';

run_ok($render, $run, 'with=balance', "listen=127.0.0.1:$port", (map { 'machine=' . $_->host } @machine), 'the configuration is rendered');
is run($render, "$run.x", 'with=balance', "listen=127.0.0.1:$port", @$_)->{status}, 1, "refused: @$_" for [], ['machine=x'], ['machine=a:1; x'], ['machine=a:1', 'root=/x'],
	map { ['machine=a:1', $_] } qw(with=limits with=proxy cors=* base=/x remote_user=$x with=page);
is run($render, "$run.x", "listen=127.0.0.1:$port", 'root=/x', 'workers=unix:/w', 'machine=a:1')->{status}, 1, 'refused: a machine without with=balance';
my $nginx = fork // die "fork: $!";
if (!$nginx) {
	open STDERR, '>', "$run/said" or POSIX::_exit(127);
	exec(Berth::Server::guard(), have_program('nginx'), '-p', $run, '-e', 'stderr', '-c', "$run/nginx.conf", '-g', 'daemon off;') or POSIX::_exit(127);
}
END { kill TERM => $nginx if $nginx }
my $front = Berth::Machines::One->new('127.0.0.1', $port);
ok wait_for { eval { $front->req(GET => '/v2/')->status == 401 } }, 'it serves';

is $machine[0]->req(GET => '/berth/v1/whoami', headers => ['X-Berth-User' => 'admin'])->json->{user}, 'admin', 'a machine believes the balancer who the user is';
is $front->req(GET => '/berth/v1/whoami', headers => ['X-Berth-User' => 'admin'])->json->{user}, undef, 'which does not believe its clients';
is $front->req(GET => '/v2/in/front/tags/list', headers => ['X-Long' => 'x' x 60_000])->status, 404, 'what a machine takes gets through';
is error_fault($front->req(GET => '/v2/in/front/tags/list', headers => ['X-Long' => 'x' x 80_000]), 400, 'UNSUPPORTED'), '', 'what is larger is refused in the form of all errors';

# machine_of - which machines have answered requests to a path, from the log
sub lines { return Berth::Server::decode(split /\n/, slurp("$run/access.log")) }

my $upload = $front->req(POST => '/v2/in/front/blobs/uploads/')->header('Location');
like $upload, qr{^http://127\.0\.0\.1:$port/}, 'a Location is at the balancer';
is $front->req(PATCH => $upload, body => "piece $_;")->status, 202, "chunk $_" for 1 .. 4;
my $whole = join '', map { "piece $_;" } 1 .. 4;
is $front->req(PUT => "$upload&digest=" . sha256($whole))->status, 201, 'an upload, each request of which went to the next machine';
my %met = map { $_->{machine} => 1 } grep { $_->{path} =~ m{/blobs/uploads/.} } lines();
is scalar keys %met, 2, 'both had a part in it';

# --- a machine goes and comes ------------------------------------------------------------

# patiently - until the answer is whole, and none of those that say "try again": no more than a client does
sub patiently
{
	my ($n, @request) = @_;

	for (1 .. 100) {
		my $r = eval { $front->req(@request) };
		return $r if $r && !$r->truncated && $r->status !~ /^50[0234]$/;
		die 'another 5xx: ' . $r->as_string if $r && $r->status == 500;
		$$n++;
		sleep 0.1;
	}
	die "no answer to @request[0, 1]\n";
}

sub push_all
{
	my ($who, $tries) = @_;
	my $repo = "client/c$who";

	for my $i (1 .. 12) {
		my @parts = map { "part $_ of image $i of $who" } 1 .. 3;
		for my $part (@parts) {
			my $r = patiently($tries, POST => "/v2/$repo/blobs/uploads/?digest=" . sha256($part), body => $part);
			die 'blob: ' . $r->as_string if $r->status != 201;
		}
		my ($json, $type) = $front->image_manifest(config => $parts[0], layers => [@parts[1, 2]]);
		my $r = patiently($tries, PUT => "/v2/$repo/manifests/v$i", body => $json, headers => ['Content-Type' => $type]);
		die 'manifest: ' . $r->as_string if $r->status != 201;
		$r = patiently($tries, GET => "/v2/$repo/manifests/v$i");
		die "pull: " . $r->as_string if $r->status != 200 || $r->body ne $json;
		sleep 0.05;
	}
	return 1;
}

my @all = run_parallel($CLIENTS, sub { my $tries = 0; my $done = push_all($_[0], \$tries); return { done => $done, tries => $tries } }, sub {
	for (1 .. 2) {
		sleep 0.5;
		$machine[1]->stop_nginx('KILL');
		$machine[1]->stop_workers('KILL');
		sleep 0.5;
		$machine[1]->start_workers;
		$machine[1]->start_nginx;
	}
});
is join('; ', map { $_->{died} // () } @all), '', "$CLIENTS clients push while a machine goes and comes: each comes to its end by trying again";
my $tries = 0;
$tries += $_->{tries} // 0 for @all;
diag("$tries requests were tried again");
for my $who (0 .. $CLIENTS - 1) {
	my $r = $machine[ $who % 2 ]->req(GET => "/v2/client/c$who/tags/list");
	is scalar @{ $r->json->{tags} }, 12, "all images of client $who are there";
}
my $last = run(program('berth'), '--root', $machine[0]->root, 'fsck', '--data');
is $last->{status}, 0, 'fsck finds the store whole' or diag($last->{out}, $last->{err});

my $json = $front->req(GET => '/v2/client/c1/manifests/v1')->body;
my $type = ($front->image_manifest(config => 'x', layers => []))[1];
sub manifest_put { return $front->req(PUT => '/v2/client/c1/manifests/again', body => $json, headers => ['Content-Type' => $type])->status }
$machine[1]->stop_workers('KILL');
my @no_worker = map { $front->req(GET => '/v2/client/c1/manifests/v1')->status } 1 .. 10;
is "@no_worker", join(' ', (200) x 10), 'where a machine says 503 no pull fails: the other one is asked';
$machine[1]->stop_nginx('KILL');
my @sent = map { ($front->req(POST => '/v2/client/c1/blobs/uploads/')->status, manifest_put()) } 1 .. 5;
is "@sent", join(' ', (202, 201) x 5), 'while a machine is away no push fails that has not been sent to it';
my @read = map { $front->req(GET => '/v2/client/c1/manifests/v1')->status } 1 .. 10;
is "@read", join(' ', (200) x 10), 'while a machine is away no pull fails: the other one is asked';
$machine[0]->stop_nginx('KILL');
my $r = wait_for { my $r = $front->req(PUT => '/v2/client/c1/manifests/v1', body => '{}'); $r->status == 503 && $r };
is $r->header('Retry-After'), 2, 'where both are away it is 503, with Retry-After';
is error_fault($r, 503, 'UNAVAILABLE'), '', 'in the form of all errors';

kill TERM => $nginx;
waitpid $nginx, 0;
$nginx = 0;
done_testing;
