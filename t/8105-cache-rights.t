#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Rights in mirrored repositories are those of all repositories, whatever name a client has for them: who may not pull learns nothing, and nothing is asked
# upstream in their name.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;
use Berth::Cache;
use Berth::Upstream;

my $dir = tmp_dir();
spew("$dir/htpasswd", htpasswd(map { $_ => "$_-pw" } qw(alice bob root)));
spew("$dir/password", "geheim\n");
my $u = Berth::Upstream->start(auth => { users => { joe => 'geheim' }, anonymous => 1, private => 'corp/.*' });
my $rules = join ', ', rule('alice', 'hub/corp/**', 'pull'), rule('root', '**', 'pull push delete'), rule('@anonymous', 'hub/library/**', 'pull');
my $s = Berth::Server->start(config => mirror_conf(['hub', $u, qq(hosts = [ "hub.example" ]; user = "joe"; password_file = "$dir/password"; allow = [ "library/**", "corp/**" ];)])
	. qq(delete = true; undo = "24h"; journal = { enabled = true; }; auth = { htpasswd = "$dir/htpasswd"; access = ( $rules ); };\n));
my %who = (map({ ($_ => [basic($_, "$_-pw")]) } qw(alice bob root)), nobody => [], wrong => [basic('alice', 'bob-pw')]);
my $public = $u->image('library/app', '1');
my $private = $u->image('corp/app', '1');
my $other = $u->image('other/app', '1');

wait_for { get_manifest($s, 'hub/library/app', '1')->status == 200 } or die 'the relay does not answer';
$u->settled;
$u->forget;

# --- nothing is asked for who may not
for my $who (qw(nobody bob wrong)) {
	for my $how (['hub/corp/app'], ['corp/app', ns => 'hub'], ['corp/app', host => 'hub.example']) {
		my ($repo, %o) = @$how;
		my @headers = (@{ $who{$who} }, $o{host} ? (Host => $o{host}) : ());
		my $want = $who eq 'bob' ? 403 : 401;
		for my $method (qw(GET HEAD)) {
			is get_manifest($s, $repo, '1', ns => $o{ns}, headers => \@headers, method => $method)->status, $want, "$who, $method of a private image ($repo, " . ($o{ns} // $o{host} // 'by its name') . ')';
		}
		is $s->req(GET => "/v2/$repo/blobs/$private->{layers}[0]" . ($o{ns} ? "?ns=$o{ns}" : ''), headers => \@headers)->status, $want, 'a blob of it';
		is $s->req(GET => "/v2/$repo/tags/list" . ($o{ns} ? "?ns=$o{ns}" : ''), headers => \@headers)->status, $want, 'its tags';
	}
}
is_deeply [map { $_->{path} } $u->requests], [], 'upstream is not asked';
is pull($s, 'hub/library/app', '1')->{fault}, '', 'anybody pulls what a rule gives to all';
is pull($s, 'hub/corp/app', '1', headers => $who{alice})->{fault}, '', 'who may pull a private image gets it';
is pull($s, 'corp/app', '1', ns => 'hub', headers => $who{alice})->{fault}, '', 'by ns, too';
is get_manifest($s, 'hub/corp/app', '1', headers => $who{bob})->status, 403, 'that it is here now changes nothing for others';
is get_manifest($s, 'hub/library/app', $private->{digest})->status, 404, 'a private manifest is not read through a public repository';
is $s->req(GET => "/v2/hub/library/app/blobs/$private->{layers}[0]")->status, 404, 'nor is a private blob';

# --- allow
$u->settled;
$u->forget;
is get_manifest($s, 'hub/other/app', '1', headers => $who{root})->status, 404, 'a repository that "allow" does not name is not here';
is $s->req(GET => '/v2/hub/other/app/tags/list', headers => $who{root})->status, 404, 'nor are its tags';
is_deeply [map { $_->{path} } $u->requests], [], 'and is not asked for';

# --- the owner of all rights does not push either
for my $how (['hub/library/app'], ['library/app', '?ns=hub'], ['library/app', '', Host => 'hub.example']) {
	my ($repo, $q, @host) = @$how;
	$q //= '';
	my $r = $s->req(POST => "/v2/$repo/blobs/uploads/$q", headers => [@{ $who{root} }, @host, 'Content-Length' => 0]);
	like $r->status, qr/^(?:403|405)$/, "a push into $repo$q is refused";
	is $s->req(PUT => "/v2/$repo/manifests/x$q", body => $public->{json}, headers => [@{ $who{root} }, @host, 'Content-Type' => $public->{type}])->status, $r->status, 'so is a manifest';
	is $s->req(POST => "/v2/$repo/blobs/uploads/" . ($q ? "$q&" : '?') . "mount=$public->{layers}[0]&from=hub/library/app", headers => [@{ $who{root} }, @host, 'Content-Length' => 0])->status, $r->status, 'and a mount';
}
my $r = $s->req(POST => "/v2/team/app/blobs/uploads/?mount=$public->{layers}[0]&from=hub/library/app", headers => [@{ $who{root} }, 'Content-Length' => 0]);
is $r->status, 201, 'a cached blob is mounted into a repository of our own';
is get_manifest($s, 'hub/library/app', '1', headers => $who{root})->status, 200, 'and the cache is as before';

# --- catalog and deletes
sub listed { my ($who) = @_; return [grep { /^hub/ } @{ $s->req(GET => '/v2/_catalog', headers => $who{$who})->json->{repositories} // [] }] }
is_deeply listed('root'), ['hub/corp/app', 'hub/library/app'], 'the catalog has what is cached';
is_deeply [grep { /corp/ } @{ listed('bob') }], [], 'but not for who may not pull it';
is $s->req(DELETE => '/v2/hub/corp/app/manifests/1', headers => $who{alice})->status, 403, 'who may not delete can make nothing be forgotten';
is $s->req(DELETE => '/v2/hub/corp/app/manifests/1', headers => $who{root})->status, 202, 'who may, can';

# --- a delete means: forget this copy
my $two = $u->image('library/app', '2');
is pull($s, 'hub/library/app', '2')->{fault}, '', 'another tag is cached';
for (['1', 'a tag'], [$two->{digest}, 'a manifest']) {
	my ($ref, $title) = @$_;
	my $tag = $ref eq '1' ? $ref : '2';

	$u->forget;
	is $s->req(DELETE => "/v2/hub/library/app/manifests/$ref", headers => $who{root})->status, 202, "$title is deleted";
	$u->down;
	like get_manifest($s, 'hub/library/app', $tag)->status, qr/^503$/, 'its copy is gone';
	$u->up;
	well($s, $u, 'hub/library');
	is pull($s, 'hub/library/app', $tag)->{fault}, '', 'it is fetched again when somebody asks for it';
	cmp_ok $u->count('GET manifest'), '>=', 1, 'of upstream';
}
$r = run(program('berth'), '--config', $s->config_file, '--root', $s->root, 'tag', 'deleted', 'hub/library/app');
is "$r->{status} $r->{out}", '0 ', 'nothing is remembered of it' or diag $r->{err};

unlike join("\n", $s->log, $s->error_log, $s->access_log), qr/geheim/, 'no log has the password';
done_testing;
