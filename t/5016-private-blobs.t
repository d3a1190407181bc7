#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Content lies in the store once, for all repositories; who may not pull it from one that has it gets it through no other.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;

my $dir = tmp_dir();
spew("$dir/htpasswd", htpasswd(alice => 'alice-pw', bob => 'bob-pw'));
my $s = Berth::Server->start(config => "delete = true; auth = { htpasswd = \"$dir/htpasswd\"; access = ( " . join(', ',
	rule('alice', '**', 'push delete'), rule('bob', 'team/**', 'push delete'), rule('@anonymous', 'public/**', 'pull')) . " ); };\n");
my @alice = basic('alice', 'alice-pw');
my @bob = basic('bob', 'bob-pw');

sub ask { my ($method, $path, $headers, %o) = @_; return $s->req($method => "/v2/$path", %o, headers => [@$headers, @{ $o{headers} // [] }]) }
sub push_blob { my ($repo, $bytes, $headers) = @_; return ask(POST => "$repo/blobs/uploads/?digest=" . sha256($bytes), $headers, body => $bytes)->status }
sub push_manifest { my ($repo, $json, $headers) = @_; return ask(PUT => "$repo/manifests/v1", $headers, body => $json, headers => ['Content-Type' => OCI_MANIFEST]) }

my ($secret, $config) = ('what only alice may read', '{"private":1}');
my $d = sha256($secret);
is push_blob('private/x', $_, \@alice), 201, 'a private blob is pushed' for $secret, $config;

# Naming its digest
my $m = image_of(OCI_MANIFEST, $config, $secret);
my $r = push_manifest('team/x', $m, \@bob);
error_is $r, 400, 'MANIFEST_BLOB_UNKNOWN', 'a manifest that names a blob of a repository that its pusher may not pull from is refused';
is push_blob('team/x', $config, \@bob), 201, 'with the config that he has';
is push_manifest('team/x', $m, \@bob)->status, 400, 'it is refused as well';
is ask($_, "team/x/blobs/$d", \@bob)->status, 404, "$_ of the blob there: it is not there" for 'GET', 'HEAD';
for my $path ("team/x/blobs/uploads/?mount=$d&from=private/x", "team/x/blobs/uploads/?mount=$d") {
	is ask(POST => $path, \@bob)->status, 202, 'he cannot mount it: the answer is that of a missing one';
}
is ask(GET => "team/x/blobs/$d", \@bob)->status, 404, 'and none of it has made a link';

# After a delete
is ask(POST => "public/y/blobs/uploads/?mount=$d&from=private/x", \@alice)->status, 201, 'its owner makes it public elsewhere';
is ask(GET => "public/y/blobs/$d", [])->body, $secret, 'there everybody reads it';
is ask(DELETE => "public/y/blobs/$d", \@alice)->status, 202, 'and takes it back';
is ask($_, "public/y/blobs/$d", [])->status, 404, "$_: nobody reads it there any more" for 'GET', 'HEAD';
is ask(GET => "private/x/blobs/$d", [])->status, 401, 'nor where it always was';
is ask(GET => "private/x/blobs/$d", \@alice)->body, $secret, 'but its owner';
is ask(DELETE => "private/x/blobs/$d", \@alice)->status, 202, 'deleted there as well, its bytes are in the store until a collection';
is ask(POST => "team/x/blobs/uploads/?mount=$d&from=private/x", \@bob)->status, 202, 'and no mount brings them back';
is ask(POST => "team/x/blobs/uploads/?mount=$d", \@bob)->status, 202, 'with no source either';
is push_manifest('team/x', $m, \@bob)->status, 400, 'nor a manifest';
done_testing();
