#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What a token of our own gives: no more than it was asked for, no more than the rules give at the time, to nobody else.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;

my $dir = tmp_dir();
my %password = (alice => 'a', bob => 'b', admin => 'c');
my %line = map { $_ => htpasswd($_ => $password{$_}) } keys %password;
sub users { write_over("$dir/htpasswd", join '', map { $line{$_} } @_); return }
users(keys %password);
my %rule = (everybody => rule('@anonymous', 'public/**', 'pull'), alice => rule('alice', 'team/*', 'push'), bob => rule('bob', 'team/*', 'pull'),
	admin => rule('admin', '**', 'push delete'));
sub config { return "delete = true; fsync = \"off\"; auth = { htpasswd = \"$dir/htpasswd\"; access = ( " . join(', ', map { $rule{$_} } @_) . " ); };\n" }
my $s = Berth::Server->start(config => config(sort keys %rule), workers => 2);

sub t { my ($user, @scopes) = @_; return [bearer(token_of($s, defined $user ? [basic($user, $password{$user})] : [], @scopes))] }
sub ask { my ($method, $path, $h, %o) = @_; return $s->req($method, "/v2/$path", headers => [@$h, 'Content-Type' => OCI_INDEX], %o) }
my $admin = [basic('admin', 'c')];
my $image = index_of(OCI_INDEX);
my %service = (realm => 'http://' . $s->host . '/v2/token', service => 'berth');
for my $repo (qw(team/a team/b public/x private)) {
	ask(PUT => "$repo/manifests/1", $admin, body => $image)->status == 201 or die;
	my $loc = path_of($s->req(POST => "/v2/$repo/blobs/uploads/", headers => $admin)->header('Location'));
	$s->req(PUT => "$loc?digest=" . sha256($repo), headers => $admin, body => $repo)->status == 201 or die;
}

# Nobody
is ask(GET => 'public/x/manifests/1', [])->status, 200, 'everybody pulls without a token';
is ask(GET => 'public/x/manifests/1', t(undef, 'repository:public/x:pull'))->status, 200, 'and by one for nobody';
is ask(GET => 'public/x/blobs/' . sha256('public/x'), t(undef, 'repository:public/x:pull'))->status, 200, 'a blob, too';
lacks(\%service, ask(GET => 'public/x/manifests/1', t(undef)), 'repository:public/x:pull', 'a token for nothing gives nothing');
my $r = ask(GET => 'team/a/manifests/1', t(undef, 'repository:team/a:pull'));
error_is($r, 401, 'UNAUTHORIZED', 'nobody does not pull what is not for everybody');
ok !exists challenge($r)->{error}, 'and is told to log in';
is ask(PUT => 'public/x/manifests/2', t(undef, 'repository:public/x:pull,push'), body => $image)->status, 401, 'nor push';
is $s->req(GET => '/v2/', headers => t(undef))->status, 200, 'a token for nobody does for /v2/';

# One repository, one action
my $for_a = t('alice', 'repository:team/a:pull,push');
is ask(GET => 'team/a/manifests/1', $for_a)->status, 200, 'alice pulls';
is ask(PUT => 'team/a/manifests/2', $for_a, body => $image)->status, 201, 'and pushes';
lacks(\%service, ask(GET => 'team/b/manifests/1', $for_a), 'repository:team/b:pull', 'her token for one repository is none for another');
lacks(\%service, ask(PUT => 'team/b/manifests/1', $for_a, body => $image), 'repository:team/b:pull,push', 'to push neither');
lacks(\%service, ask(POST => 'team/a/blobs/uploads/', t('alice', 'repository:team/a:pull'), body => ''), 'repository:team/a:pull,push', 'a token to pull is none to push');
lacks(\%service, ask(GET => 'team/a/manifests/1', t('alice', 'repository:team/a:push')), 'repository:team/a:pull', 'nor one to push one to pull');
lacks(\%service, ask(DELETE => 'team/a/manifests/2', t('admin', 'repository:team/a:pull,push')), 'repository:team/a:delete', 'a token to push is none to delete');
error_is(ask(DELETE => 'team/a/manifests/2', t('alice', 'repository:team/a:pull,push,delete')), 403, 'DENIED', 'who may not delete gets no token for it, nor a challenge');
error_is(ask(DELETE => 'team/a/manifests/2', $for_a), 403, 'DENIED', 'by another token neither');
error_is(ask(PUT => 'team/a/manifests/2', t('bob', 'repository:team/a:pull,push'), body => $image), 403, 'DENIED', 'bob may not push');
error_is(ask(GET => 'private/manifests/1', t('bob', 'repository:private:pull')), 403, 'DENIED', 'nor pull what is not his');
error_is(ask(GET => 'nothing/manifests/1', t('bob', 'repository:nothing:pull')), 403, 'DENIED', 'whether it exists or not');
is ask(DELETE => 'team/a/manifests/2', t('admin', 'repository:team/a:*'))->status, 202, 'admin deletes';

# The catalog
my $list = sub { my $r = ask(GET => '_catalog', $_[0]); return $r->status == 200 ? join ' ', @{ $r->json->{repositories} } : $r->status };
is $list->(t('bob', 'registry:catalog:*')), 'public/x team/a team/b', 'a token to list shows what its user may pull';
is $list->(t('admin', 'registry:catalog:*')), 'private public/x team/a team/b', 'all of it where that is all';
is $list->(t(undef, 'registry:catalog:*')), 'public/x', 'for nobody what is everybody\'s';
lacks(\%service, ask(GET => '_catalog', t('admin', 'repository:team/a:*')), 'registry:catalog:*', 'another token does not do');
is $list->([basic('bob', 'b')]), 'public/x team/a team/b', 'a password does';

# Mounts
my ($blob_a, $blob_private, $missing) = map { sha256($_) } 'team/a', 'private', 'nowhere';
sub mount { my ($digest, $from, $h) = @_; return ask(POST => "team/b/blobs/uploads/?mount=$digest" . ($from ? "&from=$from" : ''), $h, body => '') }
my $both = t('alice', 'repository:team/b:pull,push', 'repository:team/a:pull');
my $one = t('alice', 'repository:team/b:pull,push');
is mount($missing, 'team/a', $both)->status, 202, 'what is not there is not mounted';
lacks(\%service, mount($_, 'team/a', $one), 'repository:team/b:pull,push repository:team/a:pull', 'a token that lacks the source is not enough, whether the blob is there or not')
	for $blob_a, $missing;
is mount($_, 'private', $one)->status, 202, 'from where she may not pull: as if the blob were missing, whether it is there or not' for $blob_private, $missing;
is mount($_, 'private', t('alice', 'repository:team/b:pull,push', 'repository:private:pull'))->status, 202, 'whatever token she asked for' for $blob_private, $missing;
is mount($blob_a, '', $one)->status, 202, 'without a source the token counts, too';
is mount($blob_private, '', $both)->status, 202, 'and the rules';
is mount($blob_private, '', t('admin', 'repository:team/b:pull,push'))->status, 202, 'for who may everything as well';
is mount($blob_a, 'NOT%20A%20NAME', $one)->status, 202, 'a source that is no name is none';
is mount($blob_a, 'team/a', $both)->status, 201, 'a token for both mounts';
is mount(sha256('public/x'), '', t('alice', 'repository:team/b:pull,push', 'repository:public/x:pull'))->status, 201, 'without a source, too';
$r = $s->req(POST => "/v2/team/b/blobs/uploads/?mount=$blob_a&from=team/a&digest=$blob_a", headers => [@$one], body => 'team/a');
lacks(\%service, $r, 'repository:team/b:pull,push repository:team/a:pull', 'before the body is read, if there is one');

# Rights that change while workers and tokens live
my ($bob, $everybody) = (t('bob', 'repository:team/a:pull'), t(undef, 'repository:public/x:pull'));
my @workers = $s->worker_pids;
is ask(GET => 'team/a/manifests/1', $bob)->status, 200, 'bob pulls by his token';
users(qw(alice admin));
$r = ask(GET => 'team/a/manifests/1', $bob);
error_is($r, 401, 'UNAUTHORIZED', 'with his line in the password file his token is gone');
is challenge($r)->{error}, 'invalid_token', 'and the challenge says so';
is ask(GET => '', $bob)->status, 401, 'for /v2/ too';
users(qw(alice bob admin));
is ask(GET => 'team/a/manifests/1', $bob)->status, 200, 'with it, it is there again';
$line{bob} = htpasswd(bob => 'other');
users(qw(alice bob admin));
is challenge(ask(GET => 'team/a/manifests/1', $bob))->{error}, 'invalid_token', 'another password is another login';
$password{bob} = 'other';
is ask(GET => 'team/a/manifests/1', t('bob', 'repository:team/a:pull'))->status, 200, 'by which he gets another token';
is join(' ', $s->worker_pids), join(' ', @workers), 'all of that by the same workers';
reconfigure($s, config(qw(alice admin)));
is ask(GET => 'public/x/manifests/1', $everybody)->status, 401, 'rules that are taken away are taken from tokens';
reconfigure($s, config(qw(everybody alice admin)));
is ask(GET => 'public/x/manifests/1', $everybody)->status, 200, 'and the same tokens are good with the rules';
error_is(ask(GET => 'team/a/manifests/1', t('bob', 'repository:team/a:pull')), 403, 'DENIED', 'what is still taken is refused');
done_testing;
