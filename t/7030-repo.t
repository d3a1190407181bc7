#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# berth repo list, rm and du, beside a registry that serves.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::GC;
use Berth::Repo;

my $s = Berth::Server->start(config => "delete = true;\nfsync = \"off\";\n");
my $EMPTY = '{}';

sub push_referrer {
	my ($repo, $subject) = @_;
	my $m = sprintf '{"schemaVersion":2,"mediaType":"%s","artifactType":"a/b","config":%s,"layers":[],"subject":%s}', OCI_MANIFEST,
		desc('application/vnd.oci.empty.v1+json', $EMPTY), desc(OCI_MANIFEST, $subject);
	$s->push_blob($repo, $EMPTY);
	is $s->push_manifest($repo, sha256($m), $m, OCI_MANIFEST)->status, 201, 'a referrer is pushed';
	return sha256($m);
}

# --- list -----------------------------------------------------------------------------------

my ($da, $ma) = $s->push_image('a', 'v1', type => 'oci', layers => ['of a', 'of all']);
$s->push_image('a', 'v2', layers => ['of a, too', 'of all']);
my ($db, $mb) = $s->push_image('a/b', 'v1', layers => ['of a/b', 'of all']);
$s->push_image('a/b/c', 'v1', layers => ['of a/b/c']);
$s->push_image('a-b', 'v1', layers => ['of a-b']);
$s->push_image('z/only', 'v1', layers => ['of z']);
my $ref = push_referrer('a', $ma);
upload_start($s, 'nothing/but/uploads');

my $r = berth_ok($s, 'repo', 'list', 'repositories are listed');
is $r->{out}, "a\na-b\na/b\na/b/c\nz/only\n", 'in byte order, and none that has but uploads';
$r = berth_ok($s, 'repo', 'list', '--json', 'and as JSON');
is join(' ', map { "$_->{kind}:$_->{repository}" } objects_of($r)), join(' ', map { "repository:$_" } qw(a a-b a/b a/b/c z/only)), 'one object a line';

# --- used wrongly -----------------------------------------------------------------------------

berth_says($s, ['repo', @$_], 2, qr/^usage: berth/m, "used wrongly: repo @$_") for [], ['rm'], ['mv', 'a'], ['mv', 'a', 'b', 'c'], ['list', 'a'],
	['rm', '--json', 'a'], ['other'], ['list', '--other'];
berth_says($s, ['repo', @$_], 2, qr/is not a valid repository name$/, "no name: repo @$_") for ['rm', 'a', 'Upper'], ['rm', '../a'], ['mv', 'a', 'b/'], ['du', 'a//b'],
	['rm', "x\n"], ['rm', '_layers'], ['rm', 'a' x 256];
berth_says($s, ['repo', 'rm', 'nothing'], 1, qr/^berth: there is no repository nothing$/, 'a repository that is not there is said to be unknown');
berth_says($s, ['repo', 'du', 'a', 'nothing'], 1, qr/^berth: there is no repository nothing$/, 'by du too');
berth_says($s, ['repo', 'rm', 'nothing/but/uploads'], 1, qr/there is no repository/, 'an upload alone makes none');
is tags_of($s, 'a'), 'v1 v2', 'nothing of all that removed anything';
like run(program('berth'), '--help')->{out}, qr/^  repo list.*rm .*NAME.*mv .*OLD NEW.*du/m, 'berth --help lists repo';
like run(program('berth'), '--help')->{out}, qr/^  tag list/m, 'and tag';

# --- du -------------------------------------------------------------------------------------------

# what du has to say, from the bytes on disk: { name => [own, shared] }, and what all share, once
sub weigh {
	my (%in, %size, %want);
	for my $f (files_below(data_dir($s) . '/repositories')) {
		my ($repo) = $f =~ m{^(.*?)/_(?:layers|manifests/revisions)/\w+/\w+/link\z} or next;
		my $d = content_of(data_dir($s) . "/repositories/$f");
		$in{$d}{$repo} = 1;
		$size{$d} = -s blob_file($s, $d);
	}
	my $shared = 0;
	for my $d (keys %in) {
		my @repos = keys %{ $in{$d} };
		$want{$_}[@repos > 1] += $size{$d} for @repos;
		$shared += $size{$d} if @repos > 1;
	}
	return ($shared, map { ($_ => [map { $_ // 0 } @{ $want{$_} }[0, 1]]) } keys %want);
}

sub du_is {
	my ($title, @names) = @_;
	my ($shared, %want) = weigh();
	my $sum = 0;
	@names = sort keys %want if !@names;
	$sum += $want{$_}[0] for @names;
	my $d = berth($s, 'repo', 'du', '--json', @_[1 .. $#_]);
	my @o = objects_of($d);
	my $total = pop @o;
	is_deeply [map { [$_->{repository}, $_->{own}, $_->{shared}] } @o], [map { [$_, @{ $want{$_} }] } @names], $title;
	is "$d->{status} $total->{kind} $total->{own}", "0 summary $sum", 'the total of their own is the sum';
	is $total->{shared}, $shared, 'what they share counts once' if @_ == 1;
	is $total->{bytes}, $total->{own} + $total->{shared}, 'and there is the sum of both';
	return $total;
}
my $total = du_is('du tells what each repository has of its own and shares');
my $all = 0;
$all += -s blob_file($s, $_) for @{ blobs_on_disk($s) };
is $total->{bytes}, $all, 'which is all the bytes of the store, where nothing is garbage';
du_is('of some it tells in the order asked for', 'z/only', 'a');
lay_blob($s, 'a-b', 'pushed twice, the second time by its sha512');
lay_file(layer_link($s, 'a-b', sha512('pushed twice, the second time by its sha512')), sha256('pushed twice, the second time by its sha512'));
lay_file(layer_link($s, 'a-b', sha256('nowhere')), sha256('nowhere'));
lay_file(layer_link($s, 'a-b', sha256('spoilt')), '');
$r = berth_ok($s, 'repo', 'du', 'a-b', 'links to nothing, spoilt links and two links to one blob are no error');
like $r->{out}, qr/^a-b: (\d+) bytes of its own, 0 bytes shared\ntotal: \1 bytes not shared, 0 bytes shared, \1 bytes\n\z/, 'as text it is a line for each, and the total';
my ($own) = $r->{out} =~ /(\d+)/;
my $by_hand = 0;
$by_hand += -s blob_file($s, $_) for keys %{ { map { $_ => 1 } grep { -e blob_file($s, $_) } map { content_of(data_dir($s) . "/repositories/a-b/$_") =~ /^(sha256:\w{64})$/ } grep { m{_(?:layers|manifests/revisions)/.*link$} } files_below(repo_dir_of($s, 'a-b')) } };
is $own, $by_hand, 'each blob counts once in a repository';
run('rm', '-rf', map { s{/link$}{}r } layer_link($s, 'a-b', sha256('nowhere')), layer_link($s, 'a-b', sha256('spoilt')), layer_link($s, 'a-b', sha512('pushed twice, the second time by its sha512')));

# --- rm ---------------------------------------------------------------------------------------------

my $up = upload_start($s, 'a');
is $s->req('PATCH', $up, body => 'half', chunked => 1)->status, 202, 'an upload is under way';
my $fresh = upload_start($s, 'a');
is refers_to($s, 'a', $da), $ref, 'its referrers are listed';
is catalog_of($s), 'a a-b a/b a/b/c z/only', 'the catalog has all';
berth_ok($s, 'repo', 'rm', 'a', 'a repository is removed that others are nested in');
is catalog_of($s), 'a-b a/b a/b/c z/only', 'it is gone from the catalog at once';
is tags_of($s, 'a'), 404, 'with its tags';
error_is($s->req('GET', "/v2/a/manifests/$_"), 404, 'MANIFEST_UNKNOWN', "and its manifests ($_)") for 'v1', $da;
error_is($s->req('GET', '/v2/a/blobs/' . sha256('of a')), 404, 'BLOB_UNKNOWN', 'and its blobs');
is refers_to($s, 'a', $da), '', 'and its referrers';
error_is($s->req('PATCH', $up, body => 'more', chunked => 1), 404, 'BLOB_UPLOAD_UNKNOWN', 'and its uploads');
error_is($s->req('PUT', "$fresh?digest=" . sha256('x'), body => 'x'), 404, 'BLOB_UPLOAD_UNKNOWN', 'those without a byte too');
is tags_of($s, 'a/b'), 'v1', 'those nested in it are untouched';
is $s->req('GET', '/v2/a/b/manifests/v1')->body, $mb, 'with their manifests';
is $s->req('GET', '/v2/a/b/blobs/' . sha256('of a/b'))->body, 'of a/b', 'and blobs';
ok !(grep { -e repo_dir_of($s, "a/$_") } qw(_layers _manifests _uploads)), 'nothing of it is left on disk';
is leftovers($s), '', 'nor in the trash';
ok !(grep { m{^a/_} } files_below($s->root . '/berth/index')), 'nor of its index';
berth_says($s, ['repo', 'rm', 'a'], 1, qr/there is no repository a$/, 'a second time there is none');

$up = upload_start($s, 'a-b');
berth_says($s, ['repo', 'rm', 'a-b', 'nothing', 'z/only'], 1, qr/^berth: there is no repository nothing$/, 'of several, one that is not there is told');
is catalog_of($s), 'a/b a/b/c', 'and the others go';
ok !-e repo_dir_of($s, $_), "the directory of $_ is gone" for 'a-b', 'z';
error_is($s->req('PUT', "$up?digest=" . sha256('x'), body => 'x'), 404, 'BLOB_UPLOAD_UNKNOWN', 'its upload is');
is join(' ', fsck_kinds($s)), '', 'fsck finds nothing wrong';

# again under the same name
($da, $ma) = $s->push_image('a', 'new', type => 'oci', layers => ['of a, again']);
is tags_of($s, 'a'), 'new', 'a push makes it anew, with its own tags alone';
is catalog_of($s), 'a a/b a/b/c', 'and it is in the catalog';
$ref = push_referrer('a', $ma);
is refers_to($s, 'a', $da), $ref, 'its referrers are right in the same epoch';
make_old($s, 2 * 24 * 3600);
gc_ok($s, 'a collection ends with 0');
is join(' ', fsck_kinds($s)), '', 'fsck finds nothing wrong after it';
ok !-e blob_file($s, sha256('of z')), 'what was only in a removed repository is collected';
is $s->req('GET', '/v2/a/blobs/' . sha256('of a, again'))->body, 'of a, again', 'what is in the new one stays';
$s->restart;
is catalog_of($s), 'a a/b a/b/c', 'the catalog is the same after a restart';

# --- where nobody may write, and where nobody serves ---------------------------------------------------

$s->config("readonly = true;\n");
berth_says($s, ['repo', @$_], 1, qr/^berth: the registry is read-only/, "a read-only configuration refuses repo @$_") for ['rm', 'a'], ['mv', 'a', 'b'];
berth_says($s, ['tag', 'rm', 'a', 'new'], 1, qr/^berth: the registry is read-only/, 'and tag rm');
berth_ok($s, @$_, "not @$_") for ['repo', 'list'], ['repo', 'du'], ['tag', 'list', 'a'];
$s->config("delete = true;\nfsync = \"full\";\n");
$s->stop_workers;
berth_ok($s, 'repo', 'rm', 'a/b', 'where nobody serves, a repository is removed');
is berth($s, 'repo', 'list')->{out}, "a\na/b/c\n", 'and it is no longer listed';
lay_manifest($s, 'foreign', '{"schemaVersion":1}', 't');
is berth($s, 'repo', 'list')->{out}, "a\na/b/c\nforeign\n", 'what another registry made meanwhile is';

# by root, on a store of somebody else's
SKIP: {
	skip('only root can give files away', 3) if $>;
	my $dir = tmp_dir();
	chmod 0755, $dir;
	my $o = bare_store("$dir/store");
	lay_manifest($o, $_, '{"schemaVersion":1}', 't') for 'one', 'two';
	run('chown', '-R', '65534:65534', "$dir/store");
	berth_ok($o, 'repo', 'mv', 'one', 'other/one', 'root moves in a store of somebody else');
	berth_ok($o, 'repo', 'rm', 'two', 'and removes');
	is run('find', "$dir/store", '!', '-uid', '65534')->{out}, '', 'all that it made belongs to them';
}

done_testing;
