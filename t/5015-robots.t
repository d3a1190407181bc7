#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Accounts of machines: `berth token` makes, lists and removes them; what they may, and for how long.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;

my $dir = tmp_dir();
my $file = "$dir/robots";
spew("$dir/htpasswd", htpasswd(alice => 'alice-pw'));
my $auth = "htpasswd = \"$dir/htpasswd\"; robots = \"$file\"; access = ( " . join(', ', rule('@anonymous', 'public/**', 'pull'),
	rule('@users', 'all/**', 'pull'), rule('alice', '**', 'push delete')) . ' );';
my $s = Berth::Server->start(config => "delete = true; auth = { $auth };\n", workers => 2);
my @alice = basic('alice', 'alice-pw');

sub token { return run(program('berth'), '--config', $s->config_file, 'token', @_) }
sub status { my ($method, $path, @headers) = @_; return $s->req($method => $path, headers => \@headers)->status }

# put - an index of nothing, which needs no blob, under a tag
my $index = index_of(OCI_INDEX);
sub put { my ($repo, @headers) = @_; return $s->req(PUT => "/v2/$repo/manifests/v1", body => $index, headers => ['Content-Type' => OCI_INDEX, @headers])->status }

# Made by the command
my $r = token('list');
is "$r->{status} $r->{out}$r->{err}", '0 ', 'without a file there are no robots';
$r = token('add', 'deploy', '--repo', 'team/app,team/web-*', '--may', 'push', '--expires', '90d');
is $r->{status}, 0, 'a robot is added' or diag $r->{err};
my ($user, $secret) = $r->{out} =~ /\Auser:   (\S+)\nsecret: (\S+)\n\z/;
is $user, 'robot+deploy', 'the name that it logs in by is printed';
like $secret, qr/\Aberth_[A-Za-z0-9_-]{43}\z/, 'and a secret of 256 bits';
unlike slurp($file), qr/\Q$secret\E/, 'which is not kept';
is mode_of($file), '0600', 'the file is for its owner alone';
my @robot = basic($user, $secret);
like $r->{err}, qr/"action":"token_add"[^\n]*"user":"robot\+deploy"/, 'the audit has a line of it';
unlike $r->{err}, qr/\Q$secret\E/, 'without the secret';
$r = token('add', 'deploy', '--repo', 'x', '--may', 'pull', '--expires', 'never');
is $r->{status}, 1, 'one that is there is not added again';
like $r->{err}, qr/\Aberth: token: "robot\+deploy" exists; [^\n]+\n\z/, 'which is said';
for my $bad (['--repo', 'X', '--may', 'pull', '--expires', '1d'], ['--repo', 'x', '--may', 'pull,fly', '--expires', '1d'], ['--repo', 'x', '--may', 'pull', '--expires', '0'],
	['--repo', 'x', '--may', 'pull', '--expires', 'soon'], ['--repo', 'x', '--may', 'pull'], ['--repo', 'x', '--expires', '1d'], ['--may', 'pull', '--expires', '1d']) {
	is token('add', 'bad', @$bad)->{status}, 2, "refused: add bad @$bad";
}
is token('add', 'a:b', '--repo', 'x', '--may', 'pull', '--expires', 'never')->{status}, 2, 'a name with a colon is refused';
is run({ stdin => "x\n" }, program('berth'), '--config', $s->config_file, 'user', 'add', 'robot+x')->{status}, 2, 'a user is not called like a robot';

# What it may
is put('team/app', @robot), 201, 'it pushes where it may push';
my $d = sha256($index);
is status(GET => '/v2/', @robot), 200, 'it logs in';
is status(GET => '/v2/team/app/manifests/v1', @robot), 200, 'who pushes may pull';
is status(POST => '/v2/team/web-shop/blobs/uploads/', @robot), 202, 'each of its patterns counts';
is status(POST => '/v2/team/other/blobs/uploads/', @robot), 403, 'elsewhere it may not push';
is status(DELETE => "/v2/team/app/manifests/$d", @robot), 403, 'nor delete what it pushed';
is status(GET => '/v2/all/x/tags/list', @robot), 403, 'what the rules give users, they do not give a robot';
is status(GET => '/v2/public/x/tags/list', @robot), 404, 'what they give everybody it has, too';
is status(GET => '/v2/all/x/tags/list', @alice), 404, 'users log in beside it';
put($_, @alice) for 'public/y', 'all/y';
is_deeply $s->req(GET => '/v2/_catalog', headers => \@robot)->json->{repositories}, ['public/y', 'team/app'], 'the catalog shows it what it may pull';
is status(GET => '/v2/', basic($user, $secret . 'x')), 401, 'a wrong secret is refused';
is status(GET => '/v2/public/y/tags/list', basic($user, 'wrong')), 401, 'in public places, too';
is status(GET => '/v2/', basic('robot+nobody', $secret)), 401, 'another name with it as well';
is status(GET => '/v2/', basic('robot+deploy', 'alice-pw')), 401, 'and a password';

# By tokens
my $t = token_of($s, \@robot, 'repository:team/app:pull,push,delete', 'repository:all/y:pull', 'registry:catalog:*');
is_deeply [sort map { "$_->{name}:" . join ',', @{ $_->{actions} } } @{ claims($t)->{access} }], ['catalog:*', 'team/app:pull,push'], 'its token has what it may';
is status(GET => '/v2/team/app/manifests/v1', bearer($t)), 200, 'and does';
my $refresh = $s->req(POST => '/v2/token', form(grant_type => 'password', service => 'berth', client_id => 'x', username => $user, password => $secret,
	access_type => 'offline'))->json->{refresh_token};
ok $refresh, 'it gets a refresh token';

# `berth access check`
for my $case (['robot+deploy', 'team/app', 'push', 0, qr/^yes: by its line/], ['robot+deploy', 'all/y', 'pull', 1, qr/^no/], ['robot+deploy', 'public/y', 'pull', 0, qr/^yes/],
	['robot+nobody', 'team/app', 'pull', 1, qr/^no: there is no such robot/]) {
	my ($who, $repo, $action, $status, $says) = @$case;
	$r = run(program('berth'), '--config', $s->config_file, 'access', 'check', $who, $repo, $action);
	is $r->{status}, $status, "access check $who $repo $action";
	like $r->{out}, $says, 'says why';
}

# Its end
my $line = slurp($file);
write_over($file, $line =~ s/^(robot\+deploy:[0-9a-f]+):\d+:/$1:1700000000:/mr);
is status(GET => '/v2/', @robot), 401, 'after its end it gets nothing';
is status(GET => '/v2/team/app/manifests/v1', bearer($t)), 401, 'by its token neither';
is $s->req(POST => '/v2/token', form(grant_type => 'refresh_token', service => 'berth', client_id => 'x', refresh_token => $refresh))->status, 401, 'nor a new one';
is token('list')->{out}, "robot+deploy 2023-11-14T22:13:20Z (expired) pull,push team/app,team/web-*\n", 'the list says so';
write_over($file, $line);
is status(GET => '/v2/team/app/manifests/v1', bearer($t)), 200, 'as it was before, it may again';
write_over($file, $line =~ s/:pull,push:/:pull:/r);
is status(POST => '/v2/team/app/blobs/uploads/', @robot), 403, 'a right taken away is gone at once';
is status(POST => '/v2/team/app/blobs/uploads/', bearer($t)), 403, 'for its token, too';
write_over($file, $line);
is token('rm', 'deploy')->{status}, 0, 'it is removed';
is status(GET => '/v2/', @robot), 401, 'and does not get in any more';
is status(GET => '/v2/team/app/manifests/v1', bearer($t)), 401, 'with no token';
is token('rm', 'deploy')->{status}, 1, 'once';

# A file with a fault
my $hash = 'ab' x 32;
for my $case (["robot+x:$hash:never:pull", 'not of the form'], ["x:$hash:never:pull:**", 'is named robot\+NAME'], ["robot+x:abc:never:pull:**", 'the hash is not'],
	["robot+x:$hash:soon:pull:**", 'the expiry time is neither'], ["robot+x:$hash:never:fly:**", 'the actions must be'], ["robot+x:$hash:never::**", 'the actions must be'],
	["robot+x:$hash:never:pull:", 'repositories are missing'], ["robot+x:$hash:never:pull:A", 'not patterns'], ["robot+x:$hash:never:pull:a\nrobot+x:$hash:1:pull:a", 'two lines'],
	["robot+x:$hash:never:pull:a\0", 'NUL']) {
	my ($text, $says) = @$case;
	write_over($file, "# robots\n\n$text\n");
	$r = run(program('berth'), '--config', $s->config_file, 'config', 'check');
	is $r->{status}, 2, "refused: $says" or diag $r->{err};
	like $r->{err}, qr/^\Q$file\E:\d+: [^\n]*$says[^\n]*$/m, 'with its line';
	unlike $r->{err}, qr/$hash/, 'and no hash';
}
is status(GET => '/v2/', @alice), 200, 'users log in all the same';

# A file that becomes invalid while berth serves: the same policy as for htpasswd (t/5002)
write_over($file, $line);
my $before = () = $s->log_events;
my %status;
wait_for { $status{$_}++ for run_parallel(8, sub { status(GET => '/v2/', @robot) }); answered_since($s, $before) == 2 };        # each worker reads it
is join(' ', keys %status), 200, 'a valid file is in force';
my $since = time;
write_over($file, "robot+deploy\n");
$r = status(GET => '/v2/', @robot);
is $r, 200, 'when it becomes invalid, its previous contents stay in force' if time - $since < 3;
ok wait_for(sub { !grep { status(GET => '/v2/', @robot) != 503 } 1 .. 8 }), 'but for a few seconds only: then no robot can log in';
is status(GET => '/v2/', @alice), 200, 'users can';
my %said;
$said{$_->{pid}}++ for grep { ($_->{event} // '') eq 'robots' && $_->{level} eq 'error' && $_->{message} =~ /\Q$file\E:1: not of the form/ } ($s->log_events)[$before .. $s->log_events - 1];
ok scalar(keys %said), 'the log says why';
is join(' ', grep { $said{$_} > 1 } keys %said), '', 'each worker once';
write_over($file, $line);
is status(GET => '/v2/', @robot), 200, 'repaired, it is in force at once';
unlink $file;
is status(GET => '/v2/', @robot), 401, 'a file that is removed has no robots, at once';
write_over($file, $line);
ok !(grep { slurp($_) =~ /\Q$secret\E/ } grep { -f } glob "$dir/* " . $s->config_file . '*'), 'no file has the secret';
$s->stop;

# A robot proves itself by its secret, whoever else says who it is
spew("$dir/nginx-users", htpasswd('robot+deploy' => 'x', carol => 'y'));
chmod 0755, $dir;
write_over($file, $line);
$s = Berth::Server->start(config => "auth = { remote_user = true; token = { enabled = \"on\"; }; $auth };\n",
	nginx_args => ['with=basic', "passwords=$dir/nginx-users"]);
is status(GET => '/v2/', basic('carol', 'y')), 200, 'whom nginx knows is logged in';
is status(GET => $_, basic('robot+deploy', 'x')), 401, "a user of nginx who is called like a robot is none: $_"
	for '/v2/', '/v2/team/app/tags/list', '/v2/token?service=berth&scope=repository:team/app:push';
done_testing();
