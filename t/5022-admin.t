#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The right of an administrator: who has it, and what it shows and begins.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;

my $dir = tmp_dir();
chmod 0755, $dir;
spew("$dir/htpasswd", htpasswd(map { $_ => $_ } qw(root anna bert carl)));
my $users = "htpasswd = \"$dir/htpasswd\"; robots = \"$dir/robots\"; groups = ( { name = \"ops\"; users = [ \"carl\" ]; } );";
my $rules = join ', ', rule('root', '**', 'admin'), rule('anna', '**', 'pull push delete'), rule('@ops', '**', 'pull admin'), rule('@anonymous', 'public/**', 'pull');
my $b = Berth::Server->start(workers => 2, config => "delete = true;\nauth = { $users access = ( $rules ); };\n");
my @what = ([ GET => 'status' ], [ GET => 'gc' ], [ POST => 'gc' ]);

# statuses - of all that is for administrators, of a caller
sub statuses { my ($s, @h) = @_; return join ' ', map { $s->req($_->[0], "/berth/v1/$_->[1]", headers => [@h, 'Berth-Request' => 'page', 'Sec-Fetch-Site' => 'same-origin'])->status } @what }
sub admin { my ($s, @h) = @_; return $s->req(GET => '/berth/v1/whoami', headers => [@h])->json->{admin} ? 'admin' : 'no' }
sub is_admin { my ($s, $want, $title, @h) = @_; return is(statuses($s, @h) . ' ' . admin($s, @h), $want, $title) }
my ($may, $login, $no) = ('200 200 202 admin', '401 401 401 no', '403 403 403 no');

# rules
is_admin($b, $may, 'a user with the right has it', basic('root', 'root'));
is_admin($b, $may, '... and so has one by a group', basic('carl', 'carl'));
is_admin($b, $no, 'one who may do everything in every repository has not', basic('anna', 'anna'));
is_admin($b, $no, '... nor one whom no rule names', basic('bert', 'bert'));
is_admin($b, $login, 'who is not logged in is asked for a login', ());
is $b->req(GET => '/v2/public/x/tags/list', headers => [basic('root', 'root')])->status, 404, 'the right is none in repositories: what everybody may see' ;
is $b->req(GET => '/v2/private/x/tags/list', headers => [basic('root', 'root')])->status, 403, '... and no more';
for my $user ('root', 'anna') {
	my $session = log_in($b, $user, $user);
	is_admin($b, $user eq 'root' ? $may : $no, "a session of $user has the right that the user has", (page_of($b, $session))[ 4, 5 ]);
}
my $token = token_of($b, [basic('root', 'root')], 'registry:catalog:*', 'repository:public/x:*');
is_admin($b, $no, 'no token has the right', bearer($token));
sub robot
{
	my ($name, @o) = @_;
	my ($secret) = run_ok(program('berth'), '--config', $b->config_file, 'token', 'add', $name, @o, '--expires', '1d', "a robot, @o") =~ /^secret: (\S+)/m;
	wait_for { $b->req(GET => '/v2/', headers => [basic("robot+$name", $secret)])->status == 200 } or die 'robot';
	return basic("robot+$name", $secret);
}
is_admin($b, $may, 'a robot has it by its line', robot('ops', qw(--repo ** --may admin)));
is_admin($b, $no, '... and not otherwise', robot('all', '--repo', '**', '--may', 'pull,push,delete'));
my $r = run(program('berth'), '--config', $b->config_file, qw(token add part --repo team/** --may admin --expires 1d));
is $r->{status} . $r->{err}, "2berth: token: \"admin\" is a right in the whole registry: it needs --repo '**'\n", 'a robot of some repositories cannot have it';
my $robots = slurp("$dir/robots");
spew("$dir/bad", $robots =~ s/:admin:\*\*/:admin:team\/**/r);
$r = run(program('berth'), '--config', spew("$dir/bad.conf", "auth = { htpasswd = \"$dir/htpasswd\"; robots = \"$dir/bad\"; };\n"), 'config', 'check');
like $r->{err}, qr{^\Q$dir\E/bad:\d+: "admin" is a right in the whole registry: it needs the repository \*\*$}, '... and a file that says so is refused';
for my $c ([ 'root', 0, qr/^yes: .*berth\.conf:\d+: who = \[ "root" \]/ ], [ 'anna', 1, qr/^no: no rule allows it$/ ], [ '-', 1, qr/^no:/ ], [ 'robot+ops', 0, qr/^yes: by its line/ ], [ 'robot+all', 1, qr/^no:/ ]) {
	my $said = run(program('berth'), '--config', $b->config_file, 'access', 'check', $c->[0], 'any/thing', 'admin');
	is $said->{status}, $c->[1], "berth access check $c->[0]";
	like $said->{out}, $c->[2], '... says why';
}
is scalar(grep { ($_->{action} // '') eq 'right_refused' && ($_->{right} // '') eq 'admin' && ($_->{user} // '') eq 'anna' } $b->log_events) >= 3, 1, 'the audit has who was refused';
ok scalar(grep { ($_->{action} // '') eq 'collect' && ($_->{user} // '') eq 'root' } $b->log_events), '... and who has asked for a collection';

# no rules, and nobody who could log in
reconfigure($b, "auth = { $users };\n");
is_admin($b, $may, 'without rules whoever is logged in has the right', basic('bert', 'bert'));
is_admin($b, $login, '... and nobody else', ());
reconfigure($b, '');
is_admin($b, $no, 'in an open registry nobody has it over the network', ());
is_admin($b, $no, '... whatever login is sent', basic('root', 'root'));
is run(program('berth'), '--config', $b->config_file, qw(access check root x admin))->{out}, "no: there is no \"auth\" in the configuration, so nobody is an administrator\n", '... and berth access says so';
$b->stop;

# what nginx says
$b = Berth::Server->start(workers => 1, config => "auth = { remote_user = true; access = ( $rules ); groups = ( { name = \"ops\"; users = [ \"carl\" ]; } ); };\n", nginx_extra => 'set $who $http_x_certificate;', remote_user => '$who');
is_admin($b, $may, 'a user whom nginx knows has what the rules say', 'X-Certificate' => 'root');
is_admin($b, $no, '... and no more', 'X-Certificate' => 'anna');
$b->stop;

# what a refusal says
$b = Berth::Server->start(workers => 1, config => "auth = { $users access = ( $rules ); };\n");
like $b->req(GET => '/berth/v1/status', headers => [basic('anna', 'anna')])->body, qr/this needs the right admin/, 'a refusal names the right';
$b->stop;

# the state
my $as = "auth = { htpasswd = \"$dir/htpasswd\"; };\n";
$b = Berth::Server->start(workers => 2, config => "relay = \"off\";\nnotifications = ( { name = \"deploy\"; url = \"http://127.0.0.1:1/x\"; } );\n"
	. "upstreams = ( { name = \"docker.io\"; urls = [ \"http://127.0.0.1:1\" ]; } );\n$as");
my @root = basic('root', 'root');
sub get { my ($what) = @_; my $answer = $b->req(GET => "/berth/v1/$what", headers => [@root]); return $answer->status == 200 ? $answer->json : { status => $answer->status } }
my $status = get('status');
is_deeply [ sort keys %$status ], [qw(disk endpoints machines mirrors readonly uploads version)], 'status has all its members';
my $bytes = delete $status->{mirrors}[0]{bytes};
is_deeply $status->{mirrors}, [ { name => 'docker.io' } ], '... mirrors by their names';
is $bytes // 0, 0, '... and how much only the one that there is has, once that is counted';
is_deeply $status->{endpoints}, [ { name => 'deploy', waiting => 0, failing => JSON::PP::false } ], '... endpoints with what waits for them';
is_deeply $status->{machines}, [], '... no other machines where the store is on a disk of this one';
is $status->{readonly}, JSON::PP::false, '... whether it is read-only';
ok $status->{disk}{free} > 0 && $status->{disk}{size} >= $status->{disk}{free}, '... what is free on the disk';
is $status->{disk}{bytes}, undef, '... and not how much is stored, which nobody has counted yet';
is $status->{uploads}, 0, '... no upload';
is_deeply get('gc'), { readonly => JSON::PP::false }, 'without a schedule, and before the first collection, there is nothing to say of one';

# a collection: the master begins it, whether there is a schedule or not
sub asks { return $b->req(POST => '/berth/v1/gc', headers => [@root, @_])->status }
sub events { my ($name) = @_; return scalar grep { ($_->{event} // '') eq $name } $b->log_events }
my $layer = $b->req(POST => '/v2/x/blobs/uploads/', headers => [@root, 'Content-Length' => 0]);
is $layer->status, 202, 'an upload is begun';
is asks(), 202, 'who asks for a collection is answered at once';
ok wait_for { events('collected') == 1 }, '... and one runs';
my $gc = get('gc');
is_deeply [ sort keys %$gc ], [qw(last readonly)], 'then there is a last one';
is_deeply [ sort keys %{ $gc->{last} } ], [qw(began bytes ended failed kinds removed stays)], '... with what it did';
is_deeply $gc->{last}{kinds}, { manifests => 0, links => 0, blobs => 0, uploads => 0, leftovers => 0 }, '... of each kind';
is_deeply $gc->{last}{stays}, { blobs => 0, bytes => 0 }, '... and what was left';
is $gc->{last}{failed}, JSON::PP::false, '... and it did not fail';
like $gc->{last}{$_}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, "... $_ is a time" for 'began', 'ended';
ok $gc->{last}{began} le $gc->{last}{ended}, '... in their order';
$status = get('status');
is $status->{uploads}, 1, 'the state has the upload';
is $status->{disk}{bytes}, 0, '... and the bytes that the collection has counted';
my $blob = random_bytes(5000);
my $digest = sha256($blob);
is $b->req(PUT => path_of($layer->header('Location')) . "?digest=$digest", body => $blob, headers => [@root])->status, 201, 'the upload ends';
is get('status')->{disk}{bytes}, 5000, '... and those that came since';
is get('status')->{uploads}, 0, '... and that the upload has ended';

# one at a time: while another one has the lock, those who ask are one
my $lock = $b->root . '/berth/locks/run';
open my $held, '+<', $lock or die "$lock: $!";
flock $held, 2 or die "flock: $!";
is asks(), 202, 'asked while something else keeps collections from beginning' for 1 .. 5;
ok wait_for { scalar grep { ($_->{event} // '') eq 'collector' && ($_->{message} // '') =~ /this one waits/ } $b->log_events }, '... the process waits';
is asks(), 202, '... and whoever asks now is answered, too' for 1 .. 3;
is events('collected'), 1, '... nothing is collected meanwhile';
ok wait_for { (get('gc')->{next} // '') =~ /^\d{4}-/ }, '... the next one is due';
is_deeply get('gc')->{running}, undef, '... and a lock without a mark is no collection';
close $held;
ok wait_for { events('collected') == 3 }, 'then it runs, and after it the one that was asked for meanwhile';
ok wait_for { !defined get('gc')->{next} }, '... and that is all';
is events('collected'), 3, '... eight have asked, and two have run';

# what runs can be seen
sub mark { my ($run, $phase) = @_; spew($b->root . '/berth/gc/run', $run); spew($b->root . '/berth/gc/phase', $phase); return }
open $held, '+<', $lock or die "$lock: $!";
flock $held, 2 or die "flock: $!";
mark('0123456789abcdef', "0123456789abcdef 1700000000 mark\n");
is_deeply get('gc')->{running}, { began => '2023-11-14T22:13:20Z', phase => 'mark' }, 'a collection that runs says since when, and what it does';
for my $bad ("0123456789abcdee 1700000000 mark\n", "0123456789abcdef 1700000000 mark", "0123456789abcdef x mark\n", "0123456789abcdef 1 MARK\n", "0123456789abcdef 1700000000 " . 'x' x 16 . "\n", '', 'x' x 5000, "0123456789abcdef") {
	mark('0123456789abcdef', $bad);
	is_deeply get('gc')->{running}, {}, 'a text that says something else says nothing: ' . substr($bad =~ s/\n/\\n/r, 0, 40);
}
close $held;
is get('gc')->{running}, undef, 'the mark of one that was killed is none';
unlink $b->root . "/berth/gc/$_" for 'run', 'phase';

# one that fails
my $needed = $b->root . '/berth/locks/collector';
rename $needed, "$needed-away";
mkdir $needed;
is asks(), 202, 'asked where it cannot work';
ok wait_for { events('collection_failed') }, '... it fails';
ok wait_for { get('gc')->{last}{failed} }, '... and that is said';
is_deeply [ sort keys %{ get('gc')->{last} } ], [qw(began ended failed)], '... without numbers';
rmdir $needed;
rename "$needed-away", $needed;
is asks(), 202, 'the next one';
ok wait_for { !get('gc')->{last}{failed} }, '... is the last one then, and did not fail';
$b->stop;

# a schedule, and a read-only registry
$b = Berth::Server->start(workers => 1, config => "gc = { every = \"10h\"; };\n$as");
ok wait_for { (get('gc')->{next} // '') =~ /^\d{4}-\d\d-\d\dT/ }, 'with gc.every there is a next one';
is asks(), 202, 'it can be asked for before that';
ok wait_for { events('collected') == 1 }, '... and runs';
reconfigure($b, "readonly = true;\n$as");
is get('status')->{readonly}, JSON::PP::true, 'a read-only registry says so';
is get('gc')->{readonly}, JSON::PP::true, '... at its collections, too';
my $refused = $b->req(POST => '/berth/v1/gc', headers => [@root]);
error_is $refused, 405, 'UNSUPPORTED', '... and collects nothing';
kill USR1 => $b->master_pid;
is get('gc')->{next}, undef, '... nor by a signal';
is events('collected'), 1, '... nothing has run';
reconfigure($b, $as);
kill USR1 => $b->master_pid;
ok wait_for { events('collected') == 2 }, 'an operator asks by a signal';
$b->stop;
done_testing;
