#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Real registries upstream: Debian's docker-registry with and without logins, and another berth with tokens. And a whole registry that is a mirror, as docker-registry's
# proxy mode is, beside it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Cache;
use Berth::Check;
use Berth::Client;
use Berth::Other;

need_program('docker-registry', 'skopeo', 'openssl');
my $dir = tmp_dir();
spew("$dir/htpasswd", htpasswd(joe => 'geheim'));
spew("$dir/password", 'geheim');

# images - pushed by skopeo to a registry: one, an index, and a Docker one
my $one = oci_layout("$dir/one", 'v1', { files => [{ a => random_bytes(2_000_000) }, { b => "b\n" }] });
my $multi = oci_layout("$dir/multi", 'v1', map { { arch => $_, files => { arch => $_, data => random_bytes(100_000) } } } qw(amd64 arm64));
sub fill
{
	my ($host, @creds) = @_;
	my @to = ('copy', '-q', '--all', '--dest-tls-verify=false', @creds);

	for my $c (["oci:$dir/one:v1", 'one:1', '--preserve-digests'], ["oci:$dir/multi:v1", 'multi:1', '--preserve-digests'], ["oci:$dir/one:v1", 'docker:1', '--format', 'v2s2']) {
		my ($from, $to, @more) = @$c;
		my $r = run(skopeo(@to, @more, $from, "docker://$host/team/$to"));
		die "skopeo: $r->{err}" if $r->{status};
	}
	return;
}

my $plain = Berth::Other->new(root => tmp_dir())->start;
my $locked = Berth::Other->new(root => tmp_dir(), auth => "$dir/htpasswd")->start;
my $berth = Berth::Server->start(config => qq(auth = { htpasswd = "$dir/htpasswd"; access = ( @{[ rule('joe', '**', 'pull push') ]} ); token = { enabled = "on"; }; };\n));
fill($plain->host);
fill($_->host, '--dest-creds', 'joe:geheim') for $locked, $berth;
sub url { return 'http://' . $_[0]->host }
my $s = mirror(upstreams => [['plain', url($plain)], ['locked', url($locked), qq(user = "joe"; password_file = "$dir/password";)], ['berth', url($berth), qq(user = "joe"; password_file = "$dir/password";)]]);

for my $up (qw(plain locked berth)) {
	for my $image (qw(one multi docker)) {
		my $p = pull($s, "$up/team/$image", '1', all => 1);
		is $p->{fault}, '', "an image of $up ($image)";
	}
	is pull($s, "$up/team/one", $one->{digest})->{digest}, $one->{digest}, 'it is the one that was pushed';
	is_deeply $s->req(GET => "/v2/$up/team/one/tags/list")->json, { name => "$up/team/one", tags => ['1'] }, 'tags';
	is get_manifest($s, "$up/team/none", '1')->status, 404, 'what is not there is 404';
	is get_manifest($s, "$up/team/one", 'none')->status, 404, 'a tag, too';
	is $s->req(GET => "/v2/$up/team/one/referrers/$one->{digest}")->status, 200, 'referrers';
	run_ok(skopeo('copy', '-q', '--all', '--src-tls-verify=false', '--preserve-digests', 'docker://' . $s->host . "/$up/team/multi:1", "oci:$dir/back-$up:v1"), "skopeo copies from the mirror of $up");
	is_deeply blob_files("$dir/back-$up"), blob_files("$dir/multi"), 'what was pushed there';
}
my $layer = $one->{images}[0]{layer};
$_->stop for $plain, $locked;
$berth->stop_nginx;
for my $up (qw(plain locked berth)) {
	for my $image (qw(one multi docker)) {
		old_tag($s, "$up/team/$image", '1', 3600);
		my $p = pull($s, "$up/team/$image", '1', all => 1);
		is $p->{fault}, '', "$up is away: its image ($image) is still pulled by its tag";
		like $p->{warning} // '', qr/^299/, 'with a warning';
	}
}
$s->stop;

# --- a whole registry that is a mirror, beside docker-registry's
$plain = Berth::Other->new(root => tmp_dir())->start;
fill($plain->host);
my $whole = Berth::Server->start(env => { REGISTRY_PROXY_REMOTEURL => url($plain) });
my $proxy = Berth::Other->new(root => tmp_dir(), more => "proxy: { remoteurl: \"@{[ url($plain) ]}\" }\n")->start;
wait_for { get_manifest($whole, 'team/one', '1')->status == 200 } or diag join "\n", $whole->log, $whole->error_log;
for my $path ('team/one/manifests/1', 'team/multi/manifests/1', 'team/docker/manifests/1', "team/one/blobs/$layer", 'team/one/tags/list', 'team/none/manifests/1', 'team/one/manifests/none', 'team/one/blobs/' . sha256('x')) {
	for my $method (qw(GET HEAD)) {
		next if $method eq 'HEAD' && $path =~ /list/;          # 405 there
		my ($r, $o) = map { $_->req($method => "/v2/$path", headers => [Accept => ACCEPT]) } $whole, $proxy;
		is $r->status, $o->status, "$method $path: the status is that of docker-registry as a mirror";
		next if $o->status != 200;
		is $r->header($_), $o->header($_), $_ for qw(Docker-Content-Digest Content-Type Content-Length);
		is sha256($r->body), sha256($o->body), 'and the bytes' if $method eq 'GET' && $path !~ /tags/;
		is_deeply $r->json, $o->json, 'and the list' if $path =~ /tags/ && $method eq 'GET';
	}
}
like $_->req(POST => '/v2/team/one/blobs/uploads/', headers => ['Content-Length' => 0])->status, qr/^40[35]$/, 'a push is refused, as there' for $whole, $proxy;
is pull($whole, 'team/one', '1')->{fault}, '', 'an image by its own name';
$_->stop for $proxy, $whole;

# --- and by its config.yml
spew("$dir/config.yml", <<"YML");
version: 0.1
storage: { filesystem: { rootdirectory: "@{[ tmp_dir() ]}" } }
http: { addr: "127.0.0.1:5000" }
proxy: { remoteurl: "@{[ url($plain) ]}", ttl: 1h }
YML
my %clean = (env => { map { ($_ => undef) } grep { /^REGISTRY_/ } keys %ENV });
my $r = run(\%clean, program('berth'), '--config', "$dir/config.yml", 'config', 'show');
like $r->{out}, qr/^upstreams = .*\Q@{[ url($plain) ]}\E/ms, 'what config.yml says of a proxy is an upstream' or diag $r->{err};
done_testing;
