#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A quota: what is counted, after each kind of operation, beside a count of the test's own; what is refused, and how.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Quota;

use constant GIB => 1 << 30;

my $LIMIT = 20_000;
my $rules = "rules = ( { repo = \"free/*\"; quota = \"0\"; }, { repo = \"team/*\"; quota = \"$LIMIT\"; }, { repo = \"all/**\"; quota = \"1 MiB\"; } );\n";
my $s = Berth::Server->start(config => "delete = true;\n$rules", workers => 2);
my $DENIED = qr/the quota does not allow it: (\d+) bytes are used of (\d+), and (\d+) more would be needed, in (\S+?)"/;

# counted(what) - the table of each group says what the links say
sub counted
{
	my ($what, @groups) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	is quota_fault($s->root, $_), '', "$what: the table of $_" for @groups ? @groups : 'team/red';
	return;
}
sub used { return (quota_counted($s->root, $_[0] // 'team/red'))[0] }
sub blobs { my ($repo) = @_; return "/v2/$repo/blobs/uploads/" }
sub single { my ($repo, $bytes, %o) = @_; return $s->req('POST', blobs($repo) . '?digest=' . sha256($bytes), body => $bytes, %o) }

# refused(answer, title, group, used, more) - 403, with what is used, allowed and asked for
sub refused
{
	my ($r, $title, $more, $group) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	error_is($r, 403, 'DENIED', "$title: it is refused");
	my @said = $r->body =~ /"message":"$DENIED,"detail":null/;
	is_deeply \@said, [(used($group), $LIMIT, $more, $group // 'team/red')], "$title: the message says what is used, allowed and asked for" or diag($r->body);
	return;
}

# --- each kind of operation
is single('team/red/app', 'x' x 1000)->status, 201, 'a blob in one request';
counted('a single POST');
is single('team/red/app', 'x' x 1000)->status, 201, 'the same again';
counted('the same again');
is used(), 1000, 'which counts once';
is single('team/red/other', 'x' x 1000)->status, 201, 'in another repository of the group';
counted('in another repository');
is used(), 1000, 'it costs nothing';
my $loc = upload_start($s, 'team/red');
is $s->req('PATCH', $loc, body => 'y' x 500)->status, 202, 'a chunk to the repository that has the name of the group';
is used(), 1000, 'an upload does not count';
is $s->req('PUT', "$loc?digest=" . sha256('y' x 500 . 'z'), body => 'z')->status, 201, 'the rest';
counted('an upload in chunks');
is used(), 1501, 'it counts when it is a blob';
is $s->req('POST', blobs('team/red/third') . '?mount=' . sha256('x' x 1000) . '&from=team/red/app')->status, 201, 'a mount within the group';
counted('a mount');
is used(), 1501, 'costs nothing';
is $s->req('POST', blobs('team/blue/app') . '?mount=' . sha256('x' x 1000) . '&from=team/red/app')->status, 201, 'a mount into another group';
counted('a mount from elsewhere', 'team/red', 'team/blue');
is used('team/blue'), 1000, 'counts there';
my ($digest, $m) = $s->push_image('team/red/app', 'v1', layers => ['layer']);
counted('an image');
is used(), 1501 + 5 + length($m) + length((grep { $_ ne sha256('layer') } $m =~ /"digest":"([^"]+)"/g)[0] ? content_of(blob_file($s, ($m =~ /"digest":"([^"]+)"/g)[0])) : ''), 'its manifest, config and layer count';
my $before = used();
is $s->push_manifest('team/red/app', 'v2', $m, OCI_MANIFEST)->status, 201, 'another tag of it' if $m =~ /oci/;
is $s->push_manifest('team/red/app', 'v2', $m, DOCKER_MANIFEST)->status, 201, 'another tag of it' if $m !~ /oci/;
counted('a tag');
is used(), $before, 'a tag costs nothing';
is $s->req('DELETE', '/v2/team/red/app/manifests/v2')->status, 202, 'the tag is removed';
counted('DELETE of a tag');
is used(), $before, 'which frees nothing';
is $s->req('DELETE', "/v2/team/red/app/manifests/$digest")->status, 202, 'the manifest is removed';
counted('DELETE of a manifest');
is used(), $before - length $m, 'which frees its own bytes';
is $s->req('DELETE', '/v2/team/red/third/blobs/' . sha256('x' x 1000))->status, 202, 'one of three links to a blob is removed';
counted('DELETE of a blob');
is used(), $before - length $m, 'which frees nothing';
is $s->req('DELETE', "/v2/team/red/$_/blobs/" . sha256('x' x 1000))->status, 202, 'and the others' for qw(app other);
counted('DELETE of the last link');
is used(), $before - length($m) - 1000, 'which does';
is $s->req('POST', blobs('team/red/s') . '?digest=' . sha512('long'), body => 'long')->status, 201, 'a sha512 blob';
counted('sha512');

# --- other groups
is single('free/app', 'x' x 100_000)->status, 201, 'a rule with the quota "0" has no limit';
is single('elsewhere', 'x' x 100_000)->status, 201, 'and no rule has none';
is single('all/a/b', 'd' x 1000)->status, 201, 'a group of all that is below a name';
is single('all', 'd' x 1000)->status, 201, 'and of that name itself';
counted('all/**', 'all');
ok !defined quota_table($s->root, $_), "no table for '$_'" for '', 'free', 'free/app', 'elsewhere', 'team';

# --- refused
$s->push_blob('team/red/app', 'f' x ($LIMIT - used() - 100));
my $free = $LIMIT - used();
is $free, 100, '100 bytes are free';
counted('nearly full');
refused(single('team/red/app', 'n' x 101), 'one byte too many', 101);
is single('team/red/app', 'n' x 40)->status, 201, 'what fits is accepted';
counted('what fits');
refused(single('team/red/app', 'o' x 101, chunked => 1), 'a body whose length is not said', 101);
is single('team/red/new', 'n' x 40)->status, 201, 'what the group has needs no room';
is $s->req('HEAD', '/v2/team/red/app/blobs/' . sha256('n' x 40))->status, 200, 'a pull works';
for my $what ([PATCH => upload_start($s, 'team/red/app')], [PUT => upload_start($s, 'team/red/app') . '?digest=' . sha256('big')],
	[POST => blobs('team/red/app') . '?digest=' . sha256('big')], [PUT => '/v2/team/red/app/manifests/' . sha256('big'), 1000]) {
	my ($method, $path, $length) = @$what;
	my $name = "$method of " . ($length // 'a GiB');

	wait_for { !files_below($s->root . '/berth/body') };    # nginx removes what came before when it has passed on the answer
	my $r = $s->req($method, $path, headers => ['Content-Length' => $length // GIB], body => sub { return });
	refused($r, "$name, of which nothing was sent", $length // GIB);
	is_deeply [files_below($s->root . '/berth/body')], [], "$name: nothing was spooled";
}
$loc = upload_start($s, 'team/red/app');
is $s->req('PATCH', $loc, body => 'p' x 50)->status, 202, 'a first chunk that fits';
refused($s->req('PATCH', $loc, body => 'p' x 50), 'a second one that does not', 100);
refused($s->req('PATCH', $loc, body => 'p' x 50, chunked => 1), 'the same of unknown length', 100);
is $s->req('GET', $loc)->header('Range'), '0-49', 'the upload is as it was';
is $s->req('PUT', "$loc?digest=" . sha256('p' x 50))->status, 201, 'and can be finished';
refused($s->req('POST', blobs('team/red/app') . '?mount=' . sha256('x' x 100_000) . '&from=free/app'), 'a mount', 100_000);
refused($s->req('POST', blobs('team/red/app') . '?mount=' . sha256('x' x 100_000)), 'a mount without from', 100_000);
my $big = image_of(OCI_MANIFEST, 'layer', 'layer');
refused($s->push_manifest('team/red/app', 'big', $big, OCI_MANIFEST), 'a manifest', length $big);
is $s->req('GET', '/v2/team/red/app/manifests/big')->status, 404, 'and its tag is not set';
counted('after all that');
is $s->req('DELETE', '/v2/team/red/app/blobs/' . sha256('n' x 40))->status, 202, 'a delete works';
counted('a delete in a full group');

# --- what exceeds its quota already
$s->config("delete = true;\n" . $rules =~ s/"$LIMIT"/"5000"/r);
$s->replace_workers;
($LIMIT) = 5000;
refused(single('team/red/app', 'q'), 'with a smaller quota one byte more', 1);
is single('team/red/app', 'n' x 40)->status, 201, 'what is there needs no room';
is $s->req('GET', '/v2/team/red/app/blobs/' . sha256('n' x 40))->status, 200, 'pulls work';
is $s->req('DELETE', '/v2/team/red/app/blobs/' . sha256('n' x 40))->status, 202, 'deletes work';
counted('too small a quota');
$s->config("delete = true;\n$rules");
$s->replace_workers;
$LIMIT = 20_000;
is single('team/red/app', 'q')->status, 201, 'with the old one there is room again';
counted('the old quota');

# --- a table grows
is single('all/many', "blob $_")->status, 201, "blob $_" for 1 .. 3;
is_deeply [grep { single('all/many', "many $_")->status != 201 } 1 .. 400], [], '400 blobs';
counted('a table that has grown', 'all');
cmp_ok quota_table($s->root, 'all')->{slots}, '>=', 512, 'it has';
is_deeply [grep { $s->req('DELETE', '/v2/all/many/blobs/' . sha256("many $_"))->status != 202 } 1 .. 400], [], 'which are removed';
counted('after that', 'all');
is_deeply [grep { single('all/many', "more $_")->status != 201 } 1 .. 200], [], 'others take their place';
counted('records are used again', 'all');

# --- a restart counts anew
my $table = quota_table_file($s->root, 'team/red');
spew($table, slurp($table) =~ s/\A(.{56}).{8}/$1 . "\0" x 8/ser);
$s->restart;
is single('team/red/app', 'r')->status, 201, 'a push after a restart';
counted('a restart', 'team/red');
$s->stop;
done_testing;
