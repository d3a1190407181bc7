#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Client certificates (with=client-certificates): the certificate's name is the user, and nothing else is.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;
use Berth::Client;
use Berth::TLS;

need_program('skopeo', 'curl', 'openssl');
my $ca = Berth::TLS->authority;
my $users = Berth::TLS->authority('/CN=users');
my $strangers = Berth::TLS->authority('/CN=users');
my ($cert, $key) = $ca->certificate('/CN=registry', 'DNS:localhost,IP:127.0.0.1');
my $dir = tmp_dir();
spew("$dir/htpasswd", htpasswd(carol => 'c'));
my $rules = join ', ', rule('alice', 'team/*', 'pull push'), rule('admin', '**', 'pull push delete'), rule('carol', 'team/*', 'pull'), rule('@anonymous', 'public/*', 'pull');
my $b = Berth::Server->start(
	config => "auth = { remote_user = true; htpasswd = \"$dir/htpasswd\"; access = ( $rules ); };\n",
	nginx_args => ['with=tls', "certificate=$cert", "certificate_key=$key", 'with=client-certificates', 'client_authority=' . $users->file]);
my $port = $b->port;

# as - the arguments of curl for a user of an authority, by subject
sub as { my ($subject, $of, $days) = @_; my ($c, $k) = ($of // $users)->certificate($subject, undef, $days); return ('--cert', $c, '--key', $k) }
sub ask { my ($path, $args, %o) = @_; return curl("https://127.0.0.1:$port$path", ca => $ca->file, args => $args, %o) }

my @alice = as('/O=team/CN=alice');
my @admin = as('/CN=admin');
my @bob = as('/CN=bob');
my $list = '/v2/team/app/tags/list';
is ask('/v2/', \@alice)->status, 200, 'who has a certificate is logged in';
my $post = ask('/v2/team/app/blobs/uploads/?digest=' . sha256('x'), \@alice, method => 'POST', body => 'x');
is $post->status, 201, 'with the rights of the name in it, with a body too';
is ask($list, \@alice)->status, 200, 'and without';
is ask('/v2/secret/tags/list', \@alice)->status, 403, 'and no others';
is ask('/v2/secret/tags/list', \@admin)->status, 404, 'which somebody else has';
is ask($list, \@bob)->status, 403, 'a name without rights has none';
my ($e) = grep { ($_->{user} // '') eq 'alice' } $b->log_events;
ok $e, 'the log names the user';

# without one
error_is ask('/v2/', []), 401, 'UNAUTHORIZED', 'who has none is not logged in';
is ask('/v2/public/app/tags/list', [])->status, 404, 'and may do what everybody may';
is ask($list, [], headers => [basic('carol', 'c')])->status, 200, 'or has another login';
is ask('/v2/secret/tags/list', \@alice, headers => [basic('carol', 'c')])->status, 403, 'the certificate comes first';
error_is ask('/v2/', [as('/CN=admin', $strangers)]), 400, 'UNSUPPORTED', 'one of another authority is 400';
my @late = do { no warnings; eval { as('/CN=admin', $users, -1) } };
SKIP: {
	skip('this openssl makes no certificate of yesterday', 1) if !@late;
	error_is ask('/v2/', \@late), 400, 'UNSUPPORTED', 'one out of date is 400';
}

# no header and no other field becomes the user
for my $h ('Remote-User', 'REMOTE_USER', 'X-Remote-User', 'X-Berth-User', 'SSL-Client-Verify', 'X-SSL-Client-S-DN', 'X-Forwarded-User') {
	my $v = $h =~ /Verify/ ? 'SUCCESS' : $h =~ /DN/ ? 'CN=admin' : 'admin';
	is ask('/v2/secret/tags/list', \@alice, headers => [$h => $v])->status, 403, "$h from alice changes nothing";
	is ask('/v2/secret/tags/list', [], headers => [$h => $v])->status, 401, "nor from nobody";
}
for my $s ('/O=x,CN=admin/CN=bob', '/CN=bob,CN=admin', '/CN=admin/O=x', '/CN=admin/CN=bob', '/CN=bob+UID=admin', '/CN=ädmin', '/OU=CN=admin', '/CN=admin:x', "/CN= admin") {
	my $status = ask('/v2/secret/tags/list', [as($s)])->status;
	ok $status == 401 || $status == 403, "a subject $s is not admin" or diag($status);
}
is ask($list, [as('/CN=x/O=y/CN=alice')])->status, 200, 'the last name of a subject is the one';

# skopeo has a certificate
mkdir "$dir/certs";
spew("$dir/certs/ca.crt", slurp($ca->file));
spew("$dir/certs/client.cert", slurp($alice[1]));
spew("$dir/certs/client.key", slurp($alice[3]));
mkdir "$dir/none";
spew("$dir/none/ca.crt", slurp($ca->file));
my $one = oci_layout("$dir/one", 'v1', { files => { 'data' => random_bytes(300_000) } });
run_ok skopeo('copy', '-q', "--dest-cert-dir=$dir/certs", "oci:$dir/one:v1", "docker://127.0.0.1:$port/team/one:v1"), 'skopeo pushes with a certificate';
run_ok skopeo('copy', '-q', "--src-cert-dir=$dir/certs", "docker://127.0.0.1:$port/team/one:v1", "oci:$dir/back:v1"), 'and pulls';
is_deeply blob_files("$dir/back"), blob_files("$dir/one"), 'the same bytes';
isnt run(skopeo('copy', '-q', "--dest-cert-dir=$dir/certs", "oci:$dir/one:v1", "docker://127.0.0.1:$port/other/one:v1"))->{status}, 0, 'but not where it may not';
isnt run(skopeo('copy', '-q', "--src-cert-dir=$dir/none", "docker://127.0.0.1:$port/team/one:v1", "oci:$dir/never:v1"))->{status}, 0, 'and not without the certificate';

done_testing;
