#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# doc/openapi.yaml says what there is: each route of the API and no other, and what real answers have, no more and no less.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Berth::Test;
use Berth::Auth;
use Berth::Check;
use Berth::GC;
use Berth::OpenAPI;

my $api = Berth::OpenAPI->read;
my @routes = map { "$_->[0] $_->[1]" } grep { $_->[1] =~ m{^/berth/v1/} && $_->[0] ne 'HEAD' && $_->[2] ne 'relay' } routes_of();
is join("\n", sort $api->operations), join("\n", sort @routes), 'each route of the API, and no other one';

my $json = JSON::PP->new->canonical->utf8;
my $common = "delete = true;\nundo = \"1d\";\njournal = { enabled = true; };\nrules = ( { repo = \"team/**\"; immutable = [ \"rel-*\" ]; } );\n";
my $s = Berth::Server->start(config => $common, workers => 2);
my $asked = 0;
# ask - a request whose answer has to be as the file says; path: as it stands there
sub ask
{
	my ($method, $path, $is, $status, %o) = @_;
	my ($query, @o) = ($o{query} // '', $o{body} ? (body => $json->encode($o{body})) : (), $o{headers} ? (headers => $o{headers}) : ());
	my %known = map { $_ => 1 } $api->parameters($method, $path);
	my $url = $path =~ s/\{(\w+)\}/$is->{$1}/gr;
	my $r = $s->req($method, $url . ($query ? "?$query" : ''), @o);

	$asked++;
	is $r->status, $status, "$method $url?$query" or diag $r->as_string;
	is $api->answer_fault($method, $path, $r), '', 'the answer is as the file says';
	is join(' ', grep { !$known{$_} } $query =~ /(?:^|&)(\w+)=/g), '', 'the parameters are known';
	is $api->fault({ '$ref' => $o{schema} }, $o{body}, 'the body'), '', 'and so is the body' if $o{schema} && $status < 400;
	return $r->json;
}
my %app = (name => 'team/app', reference => '1.0');
my ($tags, $image, $delete, $restore, $gone) = map { "/berth/v1/repos/{name}/$_" } qw(tags manifests/{reference} tags:delete tags:restore deleted);
my ($to_delete, $to_restore) = map { "#/components/schemas/$_" } qw(DeleteRequest RestoreRequest);

# something of everything
my $config = $json->encode({ os => 'linux', architecture => 'amd64', created => '2025-01-01T00:00:00Z', history => [{ created_by => 'RUN x' }],
	config => { Entrypoint => ['a'], Cmd => ['b'], Env => ['A=b'], User => 'u', ExposedPorts => { '1/tcp' => {} }, Labels => { a => 'b' }, WorkingDir => '/' } });
$s->push_blob('team/app', $_) for $config, 'layer', '{}', 'sig';
my $m = $json->encode({ schemaVersion => 2, mediaType => OCI_MANIFEST, config => JSON::PP::decode_json(desc(OCI_CONFIG, $config)), annotations => { a => 'b' },
	layers => [{ %{ JSON::PP::decode_json(desc(OCI_LAYER, 'layer')) }, annotations => { l => 'm' } }] });
my $put = sub { my ($ref, $bytes, $type) = @_; is $s->push_manifest('team/app', $ref, $bytes, $type // OCI_MANIFEST)->status, 201, "push of $ref"; return sha256($bytes) };
$put->($_, $m) for qw(1.0 latest x1 x2 rel-1);
my $sbom = $json->encode({ spdxVersion => 'SPDX-2.3', packages => [] });
$s->push_blob('team/app', $sbom);
my $refer = sub {
	my ($of, $type, $bytes, $subject_type) = @_;
	return $json->encode({ %{ JSON::PP::decode_json(image_of(OCI_MANIFEST, '{}', $bytes)) }, artifactType => $type, annotations => { r => 's' }, subject => JSON::PP::decode_json(desc(OCI_MANIFEST, $of)) });
};
my $r1 = $refer->($m, 'application/spdx+json', $sbom);
my $r2 = $refer->($r1, 'application/vnd.cncf.notary.signature', 'sig');
$put->(sha256($_), $_) for $r1, $r2;
my $index = $json->encode({ schemaVersion => 2, mediaType => OCI_INDEX, manifests => [
	{ %{ JSON::PP::decode_json(desc(OCI_MANIFEST, $m)) }, platform => { os => 'linux', architecture => 'amd64' } },
	{ %{ JSON::PP::decode_json(desc(OCI_MANIFEST, $r1)) }, annotations => { 'vnd.docker.reference.type' => 'attestation-manifest', 'vnd.docker.reference.digest' => sha256($m) } } ] });
$put->('multi', $index, OCI_INDEX);
$put->('artifact', $r2);
$put->('moves', $m);
$put->('moves', $r2);
$s->req(GET => '/v2/team/app/manifests/1.0');
$s->push_image('docker.io/library/x', 't');
$s->push_image('b', 't');

# lists and images
gc_ok($s, '--grace', '1h', 'a collection');
for my $sort (qw(name pushed tags size)) {
	ask(GET => '/berth/v1/repos', {}, 200, query => "sort=$sort&order=desc&n=1&q=b");
	ask(GET => '/berth/v1/repos', {}, 200, query => "sort=$sort&n=1");
}
ask(GET => $tags, \%app, 200, query => "sort=$_&n=2") for qw(pushed name version size);
ask(GET => $tags, \%app, 200, query => "sort=$_&n=2&at=2") for qw(pushed name version);
ask(GET => $tags, \%app, 200, query => 'q=art');
ask(GET => $image, { %app, reference => $_ }, 200) for '1.0', 'tag:1.0', 'multi', 'artifact', sha256($m), sha256($r1);
for my $n (1 .. 120) {
	my $r = $refer->($index, 'application/x', 'sig') =~ s/"s"/"s$n"/r;
	$s->push_manifest('team/app', sha256($r), $r, OCI_MANIFEST);
}
ask(GET => $image, { %app, reference => 'multi' }, 200);
ask(GET => '/berth/v1/search', {}, 200, query => "q=$_") for 'team', '1.0', substr sha256($m), 7, 12;

# deleting and restoring
my $look = ask(POST => $delete, \%app, 200, body => { tags => ['x1', 'none', '1.0', 'rel-1'], dry_run => JSON::PP::true }, schema => $to_delete);
ask(POST => $delete, \%app, 202, body => { token => $look->{token} }, schema => $to_delete);
ask(POST => $delete, \%app, 200, body => { token => $look->{token} }, schema => $to_delete);
ask(POST => $delete, \%app, 202, body => { filter => { pattern => 'x*', older_than => '0s', keep_newest => 0 }, after => 'a' }, schema => $to_delete);
ask(GET => $gone, \%app, 200, query => "n=1");
my $next = ask(GET => $gone, \%app, 200, query => "n=1")->{next};
ask(GET => $gone, \%app, 200, query => "after=$next");
ask(POST => $restore, \%app, 201, body => { tags => [{ tag => '1.0' }, { tag => 'x1', digest => sha256($m) }, { tag => 'none', expect => sha256($m) }] }, schema => $to_restore);
ask(POST => $restore, \%app, 200, body => { tags => [{ tag => 'none' }] }, schema => $to_restore);
$s->push_manifest('team/app', "many$_", $m, OCI_MANIFEST) for 1 .. 1001;
ask(GET => '/berth/v1/search', {}, 200, query => 'q=many');
ask(POST => $delete, \%app, 200, body => { filter => { pattern => 'many*' }, dry_run => JSON::PP::true }, schema => $to_delete);
$s->req(DELETE => '/v2/team/app/manifests/' . sha256($r1));
ask(GET => '/berth/v1/events', {}, 200, query => 'n=1000');
ask(GET => '/berth/v1/events', {}, 200, query => 'before=now&repo=team/*');

# errors
ask(GET => '/berth/v1/repos', {}, 400, query => 'sort=x');
ask(GET => '/berth/v1/search', {}, 400);
ask(GET => $tags, \%app, 400, query => 'n=x');
ask(GET => $_, { name => 'no/where', reference => 'x' }, 404) for $tags, $image, $gone;
ask(POST => $delete, { name => 'no/where' }, 404, body => { tags => ['x'] });
ask(POST => $restore, { name => 'no/where' }, 404, body => { tags => [{ tag => 'x' }] });
ask(POST => $delete, \%app, 400, body => { x => 1 });
ask(POST => $restore, \%app, 400, body => { x => 1 });
$s->config("$common upstreams = ( { name = \"docker.io\"; urls = [ \"http://127.0.0.1:1\" ]; } ); readonly = true;\n");
$s->replace_workers;
ask(GET => '/berth/v1/repos', {}, 200);
ask(POST => $delete, \%app, 405, body => { tags => ['x'] });
ask(POST => $restore, \%app, 405, body => { tags => [{ tag => 'x' }] });
$s->stop;

# who the caller is, and what is for administrators
my $dir = tmp_dir();
chmod 0755, $dir;
spew("$dir/htpasswd", htpasswd(root => 'root', anna => 'anna'));
$s = Berth::Server->start(workers => 2, config => "relay = \"off\";\nnotifications = ( { name = \"deploy\"; url = \"http://127.0.0.1:1/x\"; } );\ngc = { every = \"10h\"; };\n"
	. 'upstreams = ( ' . join(', ', map { qq({ name = "$_"; urls = [ "http://127.0.0.1:1" ]; }) } 'docker.io', 'ghcr.io') . " );\nauth = { htpasswd = \"$dir/htpasswd\"; access = ( " . rule('root', '**', 'pull admin') . " ); };\n");
my ($whoami, $session, $status, $gc) = map { "/berth/v1/$_" } qw(whoami session status gc);
my %root = (headers => [basic('root', 'root')]);
ask(GET => $whoami, {}, 200);
ask(GET => $whoami, {}, 200, %root);
ask(GET => $whoami, {}, 401, headers => [basic('root', 'wrong')]);
my @json = ('Content-Type' => 'application/json');
ask(POST => $session, {}, 200, body => { user => 'root', password => 'root' }, schema => '#/components/schemas/Login', headers => [@json]);
ask(POST => $session, {}, 401, body => { user => 'root', password => 'wrong' }, headers => [@json]);
ask(POST => $session, {}, 400, body => { user => 'root' }, headers => [@json]);
ask(POST => $session, {}, 403, body => { user => 'root', password => 'root' }, headers => [@json, Origin => 'https://other.example']);
ask(DELETE => $session, {}, 403, headers => [Origin => 'https://other.example']);
is $s->req(DELETE => $session)->status, 204, 'a logout says nothing';
for my $path ($status, $gc) {
	ask(GET => $path, {}, 401);
	ask(GET => $path, {}, 403, headers => [basic('anna', 'anna')]);
	ask(GET => $path, {}, 200, %root);
}
ask(POST => $gc, {}, 202, %root);
ok wait_for { ask_quietly($gc, %root)->{last} }, 'a collection ends';
ask($_->[0] => $_->[1], {}, 200, %root) for [ GET => $gc ], [ GET => $status ];
open my $held, '+<', $s->root . '/berth/locks/run' or die "locks/run: $!";
flock $held, 2 or die "flock: $!";
spew($s->root . '/berth/gc/run', '0123456789abcdef');
spew($s->root . '/berth/gc/phase', "0123456789abcdef 1700000000 mark\n");
ask(GET => $gc, {}, 200, %root);
close $held;
$s->stop;
sub ask_quietly { my ($path, %o) = @_; return $s->req(GET => $path, headers => $o{headers})->json }

# Machines are those of a store that several may have: t/8621-machines-seen.t.
is join("\n", grep { !/^(?:Event|MachineEntry) / && !/^(?:Tag|GoneEntry) by$/ } $api->unseen), '', 'each member that the file names is in some answer';
cmp_ok $asked, '>=', 45, 'enough was asked';
done_testing;
