#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Passwords are nowhere but where they belong; who guesses them is slowed down, alone; the audit says who did what.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use MIME::Base64 qw(encode_base64);
use Berth::Test;
use Berth::Auth;
use Berth::Check;

my $dir = tmp_dir();
my %password = (alice => 'alice-geheim-4711', bob => 'bob-geheim-0815');
spew("$dir/htpasswd", htpasswd(%password));
my $rules = join ', ', rule('alice', '**', 'pull push delete'), rule('@users', 'public', 'pull');
my $s = Berth::Server->start(workers => 2,
	config => "log = { level = \"debug\"; }; delete = true; auth = { htpasswd = \"$dir/htpasswd\"; access = ( $rules ); };\n");
my @alice = basic('alice', $password{alice});
my @bob = basic('bob', $password{bob});
my @wrong = basic('bob', 'falsch-geheim-1');

# Every kind of use
my $loc = path_of($s->req(POST => '/v2/team/app/blobs/uploads/', headers => [@alice])->header('Location'));
my $blob = sha256('layer');
is $s->req(PUT => "$loc?digest=$blob", headers => [@alice], body => 'layer')->status, 201, 'alice pushes a blob';
my $image = index_of(OCI_INDEX);
is $s->req(PUT => '/v2/team/app/manifests/one', body => $image, headers => [@alice, 'Content-Type' => OCI_INDEX])->status, 201, 'and a manifest';
is $s->req(GET => '/v2/team/app/manifests/one', headers => [@bob])->status, 403, 'bob may not pull it';
is $s->req(PUT => '/v2/team/app/manifests/two', body => $image, headers => [@bob, 'Content-Type' => OCI_INDEX])->status, 403, 'nor push another';
my $r = $s->req(GET => '/v2/team/app/manifests/one', headers => [@wrong]);
is $r->status, 401, 'a wrong password';
unlike "$r", qr/geheim/, 'is not repeated';
$s->req(GET => '/v2/', headers => [basic('tippfehler-geheim-2', 'x')]);
$s->req(GET => '/v2/', headers => [Authorization => 'Basic ' . encode_base64('kein-doppelpunkt-geheim-3', '')]);
$s->req(GET => '/v2/', headers => [Authorization => 'geheim-4']);
$s->req(GET => '/v2/', headers => [Authorization => 'Bearer geheim-5']);
is $s->req(GET => '/v2/team/app/manifests/one')->status, 401, 'and no login at all';
is $s->req(DELETE => '/v2/team/app/manifests/one', headers => [@bob])->status, 403, 'bob may not delete';
is $s->req(DELETE => '/v2/team/app/manifests/one', headers => [@alice])->status, 202, 'alice may';
is $s->req(DELETE => "/v2/team/app/blobs/$blob", headers => [@alice])->status, 202, 'the blob too';
is $s->req(GET => '/v2/')->status, 401, 'a client asks how to log in';

# The audit
sub fields { my ($e, @names) = @_; return join ' ', map { "$_=" . ($e->{$_} // '-') } @names }
my @lines = audit($s);
is join("\n", map { fields($_, qw(action user repository reference right reason)) } grep { $_->{action} =~ /refused/ } @lines), <<"END" =~ s/\n\z//r, 'each refusal is a line of the audit';
action=right_refused user=bob repository=team/app reference=one right=pull reason=-
action=right_refused user=bob repository=team/app reference=two right=push reason=-
action=login_refused user=bob repository=- reference=- right=- reason=wrong password
action=login_refused user=- repository=- reference=- right=- reason=unknown user
action=login_refused user=- repository=- reference=- right=- reason=no colon
action=login_refused user=- repository=- reference=- right=- reason=unknown scheme
action=login_refused user=- repository=- reference=- right=- reason=unknown scheme
action=right_refused user=- repository=team/app reference=one right=pull reason=-
action=right_refused user=bob repository=team/app reference=one right=delete reason=-
END
my ($uuid) = $loc =~ m{([^/]+)$};
is join("\n", map { fields($_, qw(action user method repository reference digest)) } grep { $_->{action} !~ /refused/ } @lines), <<"END" =~ s/\n\z//r, 'so is each push and delete';
action=push user=alice method=PUT repository=team/app reference=$uuid digest=$blob
action=push user=alice method=PUT repository=team/app reference=one digest=@{[sha256($image)]}
action=delete user=alice method=DELETE repository=team/app reference=one digest=-
action=delete user=alice method=DELETE repository=team/app reference=$blob digest=$blob
END
my %ids = map { $_->{request_id} => 1 } grep { ($_->{event} // '') =~ /^(request|precheck)$/ } $s->log_events;
is join(' ', grep { $_->{remote} ne '127.0.0.1' || !$ids{ $_->{request_id} } } @lines), '', 'each with the address, and the id of a request in the log';
my %user = map { ($_->{user} // '-') => 1 } grep { ($_->{event} // '') eq 'request' } $s->log_events;
is join(' ', sort keys %user), '- alice bob', 'the line of a request says who was logged in';
ok !(grep { ($_->{event} // '') eq 'request' && $_->{status} == 401 && $_->{user} } $s->log_events), 'and nobody whose login was refused';

# Where nobody looks at what is sent with it: a path that is none, what monitoring asks for, OPTIONS; a form that is none
my $long = 'lang-geheim-' . join '', map { chr(65 + $_ % 26) } 1 .. 300;
my @long = basic('bob', $long);
for my $h (\@alice, \@bob, \@long) {
	$s->req(GET => "/v2/te%2Fam/app/tags/list", headers => [@$h]);
	$s->req(GET => $_, headers => [@$h]) for '/healthz', '/metrics', '/v2/nothing';
	$s->req(OPTIONS => '/v2/', headers => [@$h]);
}
$s->req(GET => '/v2/', headers => [Authorization => "$long[1]!"]);

# No secret anywhere
my @secrets = (values %password, $long, map { (split / /, $_->[1])[1] } \@alice, \@bob, \@wrong, \@long);
my $where = sub { my ($text) = @_; return join ' ', grep { index($text, $_) >= 0 } @secrets, 'geheim' };
is $where->(join "\n", $s->log), '', 'no password, right, wrong or encoded, is in the log, nor what was typed for one';
is $where->(join "\n", $s->error_log, $s->access_log), '', "nor in nginx's logs";
is $where->(join '', map { slurp($_) } grep { -r } map { ("/proc/$_/cmdline", "/proc/$_/environ") } $s->master_pid, $s->worker_pids), '',
	'nor in the list of processes';
is $where->(join '', map { content_of($_) // '' } map { $s->root . "/$_" } grep { !m{/data$} && !-l $s->root . "/$_" } files_below($s->root)), '', 'nor in the store';
SKIP: {
	skip memory_closed(), 2 if memory_closed();
	# Of each also its end: the first bytes of what was given back are overwritten by themselves.
	my @found;
	wait_for(sub { 2 > (@found = in_memory($s, 'htpasswd', map { ($_, substr $_, -16) } @secrets)) });
	is join(' ', grep { $_ ne 'htpasswd' } @found), '', 'nor in the memory of a worker, once it has answered';
	ok scalar(grep { $_ eq 'htpasswd' } @found), 'which could be read';
}
SKIP: {
	skip 'only root can be another user', 5 if $> != 0;
	my ($worker) = $s->worker_pids;
	my $as = run('setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'head', '-c1', "/proc/$worker/mem");
	isnt $as->{status}, 0, 'nobody else can look into it';
	# What a process that keeps its memory to itself has under /proc is root's, whoever it runs as; it leaves no core file then.
	my $at = tmp_dir();
	chmod 0755, $at;
	mkdir "$at/store";
	chown 65534, 65534, "$at/store";
	spew("$at/htpasswd", htpasswd(%password));
	chmod 0644, "$at/htpasswd";
	run('cp', program('berth-fcgi'), "$at/berth-fcgi");     # where it was built may be closed to others
	for my $case (['with logins', "auth = { htpasswd = \"$at/htpasswd\"; };", 0], ['without them', '', 65534]) {
		my ($who, $auth, $owner) = @$case;
		my $pid = fork // die "fork: $!";
		if (!$pid) {
			open STDERR, '>', '/dev/null';
			exec 'setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', "$at/berth-fcgi", '--config', spew("$at/conf", "$auth\n"),
				'--root', "$at/store", '--workers', 1, '--listen', "$at/store/socket";
		}
		my @worker;
		ok wait_for { @worker = Berth::Server::children($pid) }, "workers run as another user $who";
		ok wait_for { ((stat "/proc/$worker[0]/mem")[4] // -1) == $owner },
			"$who " . ($owner ? 'what they have under /proc is theirs' : 'they are closed to who they run as');
		kill TERM => $pid;
		waitpid $pid, 0;
	}
}

# Guessing: one address is slowed down, others are not
my @got = run_parallel(4, sub {
	my %n;
	for my $i (1 .. 100) {
		my $a = $s->req(GET => '/v2/team/app/tags/list', from => '127.7.7.7', headers => [basic('alice', "$i-$_[0]")]);
		$n{ $a->status }++;
		$n{late}++ if $a->status == 429 && ($a->header('Retry-After') // 0) !~ /^[1-9]$/;
	}
	return \%n;
});
my %n;
for my $g (@got) { $n{$_} += $g->{$_} for keys %$g }
is join(' ', sort keys %n), '401 429', 'wrong passwords are refused, and soon not even looked at, with the time to wait';
cmp_ok $n{401}, '>=', 20, 'some of them are';
cmp_ok $n{401}, '<', 100, "but most are not ($n{401} of 400 were)";
# waits - the answer to a request from there, asked when no try is left: one comes again every six seconds
sub waits
{
	my ($ask) = @_;
	my $answer;

	wait_for(sub {
		1 while $s->req(GET => '/v2/', from => '127.7.7.7', headers => [@wrong])->status == 401;
		$answer = $ask->();
		return $answer->status == 429;
	});
	return $answer;
}
$r = waits(sub { $s->req(GET => '/v2/', from => '127.7.7.7', headers => [@alice]) });
error_is($r, 429, 'TOOMANYREQUESTS', 'the right password has to wait there as well');
is $s->req(GET => '/v2/', from => '127.7.7.7')->status, 401, 'who sends none need not';
is $s->req(GET => '/v2/', from => '127.7.7.8', headers => [@alice])->status, 200, 'nor does another address';
my $put = waits(sub { $s->req(PUT => '/v2/team/app/blobs/uploads/11111111-2222-4333-8444-555555555555', from => '127.7.7.7', body => 'x', headers => [@wrong]) });
error_is($put, 429, 'TOOMANYREQUESTS', 'a body does not come in either');
like $put->header('Retry-After'), qr/^[1-9]$/, 'with the time to wait';
ok scalar(grep { ($_->{reason} // '') =~ /^too many/ } audit($s, 'login_refused')), 'the audit says so';
$s->replace_workers;
ok wait_for(sub { grep { ($_->{event} // '') eq 'reload' } $s->log_events }), 'a reload';
# Meanwhile it may have become one or two tries again; whoever forgot it would give twenty.
sub known { return scalar grep { (eval { $s->req(GET => '/v2/', from => '127.7.7.7', headers => [@wrong])->status } // 0) == 429 } 1 .. 10 }
ok known(), 'does not forget who it was';
kill KILL => $_ for $s->worker_pids;
ok wait_for(sub { (eval { $s->req(GET => "/v2/")->status } // 0) == 401 }), 'workers that died are replaced';
ok known(), 'and have not forgotten either';

# At the least level, too, the audit is kept
$s->config("log = { level = \"error\"; }; auth = { htpasswd = \"$dir/htpasswd\"; };\n");
$s->replace_workers;
ok wait_for(sub { my $n = () = audit($s, 'push'); $s->push_blob_as(\@alice); audit($s, 'push') > $n && !grep { /"level":"info","event":"request"/ } ($s->log)[-1] }),
	'no level of the log leaves the audit out';
sub Berth::Server::push_blob_as
{
	my ($self, $h) = @_;
	my $l = path_of($self->req(POST => '/v2/x/blobs/uploads/', headers => [@$h])->header('Location'));
	return $self->req(PUT => "$l?digest=$blob", headers => [@$h], body => 'layer')->status;
}
done_testing;
