#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Deleting many tags: for whom it is, what the challenge asks for, and what the audit says of each tag.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use MIME::Base64 qw(encode_base64url decode_base64url);
use Berth::Test;
use Berth::Auth;
use Berth::Check;

my $dir = tmp_dir();
spew("$dir/htpasswd", htpasswd(map { $_ => "$_-pw" } qw(all remover both)));
my $rules = join ', ', rule('all', '**', 'pull push delete'), rule('remover', 'team/**', 'delete'), rule('both', 'team/**', 'pull delete');
my $s = Berth::Server->start(config => "delete = true; undo = \"1d\";\nauth = { htpasswd = \"$dir/htpasswd\"; access = ( $rules ); };\n", workers => 2);
my $json = JSON::PP->new->canonical->utf8;
my @all = basic('all', 'all-pw');
sub post { my ($what, $user, $body) = @_; return $s->req(POST => "/berth/v1/repos/team/app/tags:$what", body => $json->encode($body), headers => [basic($user, "$user-pw")]) }

for my $bytes ('{}', 'layer') {
	$s->req(POST => '/v2/team/app/blobs/uploads/?digest=' . sha256($bytes), body => $bytes, headers => [@all])->status == 201 or die;
}
my $m = image_of(OCI_MANIFEST, '{}', 'layer');
$s->req(PUT => "/v2/team/app/manifests/$_", body => $m, headers => [@all, 'Content-Type' => OCI_MANIFEST])->status == 201 or die for qw(1 2 3);

# who may delete and not pull learns nothing
my %look = (filter => { pattern => '*' }, dry_run => JSON::PP::true);
error_is(post('delete', 'remover', \%look), 403, 'DENIED', 'who may not pull does not look');
error_is(post('delete', 'remover', { tags => ['1'] }), 403, 'DENIED', 'nor delete in this way');
my $r = post('delete', 'both', \%look);
is $r->status, 200, 'who may both does' or diag $r->as_string;
is $s->req(DELETE => '/v2/team/app/manifests/1', headers => [basic('remover', 'remover-pw')])->status, 202, 'one tag goes by DELETE with that right alone';

# a token is what a look gave
my $token = $r->json->{token};
my ($name, @lines) = split /\n/, decode_base64url($token);
for my $forged ([@lines[0, 0]], [reverse @lines]) {
	error_is(post('delete', 'both', { token => encode_base64url(join("\n", $name, @$forged) . "\n") }), 400, 'UNSUPPORTED', 'tags that are not in order are no token');
}

# the audit
$r = post('delete', 'both', { token => $token });
is_deeply [$r->status, $r->json->{deleted}, $r->json->{changed}], [202, ['2', '3'], ['1']], 'two tags go' or diag $r->as_string;
sub fields { my ($e, @names) = @_; return join ' ', map { "$_=" . ($e->{$_} // '-') } @names }
my $d = sha256($m);
is join("\n", map { fields($_, qw(user method repository reference digest)) } audit($s, 'delete')), <<"END" =~ s/\n\z//r, 'each is a line of the audit';
user=remover method=DELETE repository=team/app reference=1 digest=-
user=both method=POST repository=team/app reference=2 digest=$d
user=both method=POST repository=team/app reference=3 digest=$d
END
my $before = audit($s, 'push');
is post('restore', 'all', { tags => [{ tag => '2' }, { tag => 'never' }, { tag => '3' }] })->status, 201, 'they come back';
my @now = audit($s, 'push');
is join("\n", map { fields($_, qw(user method reference digest)) } @now[$before .. $#now]), "user=all method=POST reference=2 digest=$d\nuser=all method=POST reference=3 digest=$d", 'a line each';
$s->stop;
done_testing;
