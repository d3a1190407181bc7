#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The socket on which the relay asks the workers: what is answered there, and that no other way leads to the same answers.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Fcntl qw(:flock);
use Berth::Test;
use Berth::Auth;
use Berth::Check;

my $dir = tmp_dir();
my $socket = "$dir/relay.sock";
spew("$dir/htpasswd", htpasswd(alice => 'a'));
my $receiver = 'notifications = ( { name = "none"; url = "http://127.0.0.1:1/"; } ); relay = "off";';
my $s = Berth::Server->start(config => "delete = true; journal = { enabled = true; };\n$receiver\n", args => ['--listen-relay', $socket]);
my $settle = '/berth/v1/relay/settle';

sub on { my ($at, %params) = @_; return Berth::FCGI->new($at)->request(params => { REQUEST_URI => $settle, %params }) }

# --- what became of a line

$s->push_image('team/app', 'one');
my $journal = $s->root . '/berth/journal';
my ($segment) = reverse sort grep { m{/[0-9a-f]{14}$} } glob "$journal/*";
my ($line) = grep { /"action":"push".*"tag":"one"/ } split /\n/, slurp($segment) =~ s/\0.*//sr;
ok defined $line, 'the journal has the push of the tag';

# add - a line without a mark, as of a worker that was killed: its id
sub add
{
	my ($text) = @_;
	my $at = -s $segment;

	open my $fh, '>>', $segment or die $!;
	syswrite $fh, "\n?$text\n";
	return sprintf '%s-%08x', $segment =~ m{([^/]+)$}, $at + 1;
}
my $made = add(substr $line, 1);
my $none = add(substr($line, 1) =~ s/"tag":"one"/"tag":"two"/r);
my $r = on($socket, REQUEST_URI => "$settle?id=$none");
is_deeply [$r->status, $r->body], [200, qq({"mark":"-"}\n)], 'a change that was not made' or diag $r->as_string;
$r = on($socket, REQUEST_URI => "$settle?id=$made");
is_deeply [$r->status, $r->body], [200, qq({"mark":"+"}\n)], 'a change that was made' or diag $r->as_string;
is $r->header('Content-Type'), 'application/json; charset=utf-8', '... as JSON';
my @asked = split /\n/, run_ok(program('t/tool/relay_ask'), $socket, $made, $none, 'the relay asks');
is join("\n", sort @asked), join("\n", sort "$made done", "$none undone"), '... and understands';
is run_ok(program('t/tool/relay_ask'), "$dir/nobody.sock", $made, 'a socket that is not there'), "$made later\n", '... means later';
is run_ok(program('t/tool/relay_ask'), "$dir/" . 'x' x 200, $made, 'a path that is too long'), "$made later\n", '... too';
is on($socket, REQUEST_URI => "$settle$_")->status, 400, "\"$_\" is no question" for '', '?id=', '?id=x', '?id=' . '0' x 14 . '-0000000', "?id=$made%00";
is on($socket, REQUEST_METHOD => $_, REQUEST_URI => "$settle?id=$made")->status, 405, "$_ is none" for qw(POST PUT DELETE);

# --- no other way

my %socket = (requests => $s->worker_socket, writes => $s->write_socket, uploads => $s->upload_socket);
my %forged = map { ("$_->[0]" => $_->[1]) } ['nothing else', {}], ['a header', { HTTP_BERTH_RELAY => 1, HTTP_X_BERTH_RELAY => 1 }],
	['parameters', { BERTH_RELAY => 1, RELAY => 1, BERTH_POOL => 'relay', REMOTE_USER => 'relay' }], ['a precheck', { BERTH_PRECHECK => 1 }];
for my $pool (sort keys %socket) {
	for my $how (sort keys %forged) {
		$r = on($socket{$pool}, REQUEST_URI => "$settle?id=$made", %{ $forged{$how} });
		is $r->header('X-Berth-Status') // $r->status, 404, "the workers for $pool have no such path, with $how";
	}
}
for my $path ("$settle?id=$made", '/berth/v1/relay', '/berth/v1/relay/', '/berth/v1/relay/other', '/berth/v1/./relay/settle', '/berth/v1/x/../relay/settle',
	'/berth//v1/relay/settle', '/berth/v1/%72elay/settle', '/berth/v1/relay%2fsettle', '/BERTH/v1/relay/settle', '/_berth/relay') {
	my $status = $s->req(GET => $path, headers => ['Berth-Relay' => 1])->status;
	ok $status == 404 || $status == 400, "nginx has nothing at $path" or diag $status;
}
for ('/v2/', '/v2/_catalog', '/v2/team/app/manifests/one', '/berth/v1/events', '/berth/v1/relay/', '/berth/v1/relay/settle/') {
	is on($socket, REQUEST_URI => $_)->status, 404, "on the relay's socket there is no $_";
}
is on($socket, REQUEST_METHOD => 'DELETE', REQUEST_URI => '/v2/team/app/manifests/one')->status, 404, '... and nothing can be deleted';
is $s->req(GET => '/v2/team/app/manifests/one')->status, 200, 'the tag is still there';

# Even an nginx that is told to use the relay's socket does not pass the path on.
$s->stop_nginx;
$s->{nginx_args} = [ map { "$_=unix:$socket" } qw(workers writes uploads) ];
$s->start_nginx;
is $s->req(GET => "$settle?id=$made")->status, 404, 'an nginx that has the wrong socket has no such path';
$s->stop_nginx;
$s->{nginx_args} = [];
$s->start_nginx;

# --- logins and a prefix do not concern it

$s->config("journal = { enabled = true; }; http = { prefix = \"/here\"; }; auth = { htpasswd = \"$dir/htpasswd\"; };\n$receiver\n");
$s->replace_workers;
wait_for { on($s->worker_socket, REQUEST_URI => '/here/v2/')->status == 401 };
is on($socket, REQUEST_URI => "$settle?id=$made")->status, 200, 'with logins and a prefix the relay is answered as before';
is on($s->worker_socket, REQUEST_URI => "/here$settle?id=$made")->status, 404, '... and nobody else';

# --- a registry that is read-only: the question only reads

$s->config("journal = { enabled = true; }; readonly = true;\n$receiver\n");
$s->replace_workers;
wait_for { on($s->worker_socket, REQUEST_METHOD => 'DELETE', REQUEST_URI => '/v2/team/app/manifests/one')->status == 405 };
$made = add(substr $line, 1);
$none = add(substr($line, 1) =~ s/"tag":"one"/"tag":"two"/r);
my $before = slurp($segment);
my $file = sprintf '%s/berth/locks/repository/%s', $s->root, substr sha256('team/app'), 7, 2;
sub answers { my ($id) = @_; my $r = on($socket, REQUEST_URI => "$settle?id=$id"); return $r->status . ' ' . ($r->status == 200 ? $r->body : '') }
is answers($made), qq(200 {"mark":"+"}\n), 'read-only: a change that was made';
is answers($none), qq(200 {"mark":"-"}\n), '... one that was not';
open my $held, '+<', $file or die "$file: $!";
flock $held, LOCK_EX or die;
is answers($made), '503 ', '... while another process changes the repository nobody can tell';
close $held;
unlink $file or die "$file: $!";
is answers($made), qq(200 {"mark":"+"}\n), '... where nobody ever had a lock, nobody has it now';
ok !-e $file, '... which creates none';
ok slurp($segment) eq $before, '... and the journal is as it was';

# --- what kind of socket it may be

for (['127.0.0.1:0', 'a TCP socket'], ['./relay2.sock', 'a relative path']) {
	my ($where, $what) = @$_;
	my $out = run({ dir => $dir }, program('berth-fcgi'), '--root', "$dir/store", '--listen', "$dir/w.sock", '--listen-relay', $where);
	is $out->{status}, 1, "$what is refused";
	is $out->{err}, "berth-fcgi: --listen-relay takes the absolute path of a Unix socket, not $where\n", '... with the reason';
}
done_testing;
