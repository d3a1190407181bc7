#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# PUT and DELETE by tag under If-Match and If-None-Match.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n");
$s->push_blob('if/app', '{}');
sub text { my ($n) = @_; return '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . desc(OCI_CONFIG, '{}') . qq(,"layers":[],"annotations":{"n":"$n"}}) }
sub put { my ($tag, $n, @h) = @_; return patient { $s->req('PUT', "/v2/if/app/manifests/$tag", headers => ['Content-Type' => OCI_MANIFEST, @h], body => text($n)) } }
sub points_to { my ($tag) = @_; return $s->req('HEAD', "/v2/if/app/manifests/$tag")->header('Docker-Content-Digest') // 'nothing' }
my @d = map { sha256(text($_)) } 0 .. 9;

# If-None-Match: *: only if it is new
is put('new', 0, 'If-None-Match' => '*')->status, 201, 'PUT with If-None-Match: * makes a new tag';
my $before = $s->tree_digest;
error_is put('new', 1, 'If-None-Match' => '*'), 412, 'DENIED', 'PUT with If-None-Match: * on a tag that is there is 412 DENIED';
error_is put('new', 0, 'If-None-Match' => '*'), 412, 'DENIED', 'also where it points to the same';
is $s->tree_digest, $before, 'a failed condition changes nothing on disk';
is points_to('new'), $d[0], 'the tag is where it was';
error_is $s->req('GET', "/v2/if/app/manifests/$d[1]"), 404, 'MANIFEST_UNKNOWN', 'and the manifest was not stored';

# If-Match: only if nobody else moved it
is put('new', 1, 'If-Match' => qq("$d[0]"))->status, 201, 'PUT with If-Match and what the tag points to moves it';
is points_to('new'), $d[1], 'the tag has moved';
$before = $s->tree_digest;
for my $c (['what it pointed to before', qq("$d[0]")], ['what it shall point to', qq("$d[2]")], ['no digest', '"x"'], ['an empty tag', '""'], ['a digest cut short', '"' . substr($d[1], 0, -1) . '"']) {
	error_is put('new', 2, 'If-Match' => $c->[1]), 412, 'DENIED', "PUT with If-Match and $c->[0] is 412 DENIED";
	error_is $s->req('DELETE', '/v2/if/app/manifests/new', headers => ['If-Match' => $c->[1]]), 412, 'DENIED', "DELETE with If-Match and $c->[0] is 412 DENIED";
}
error_is put('none', 2, 'If-Match' => qq("$d[1]")), 412, 'DENIED', 'PUT with If-Match on a tag that is not there is 412 DENIED';
error_is $s->req('DELETE', '/v2/if/app/manifests/new', headers => ['If-None-Match' => '*']), 412, 'DENIED', 'DELETE with If-None-Match: * on a tag that is there is 412 DENIED';
is $s->tree_digest, $before, 'none of these changes anything on disk';
is points_to('new'), $d[1], 'the tag is where it was';
my $r = $s->req('PUT', '/v2/if/else/manifests/new', headers => ['Content-Type' => OCI_MANIFEST, 'If-Match' => qq("$d[1]")], body => text(1));
ok +($r->status == 412 || $r->status == 400), 'PUT with If-Match in an unknown repository is refused';

is $s->req('DELETE', '/v2/if/app/manifests/new', headers => ['If-Match' => qq("$d[1]")])->status, 202, 'DELETE with If-Match and what the tag points to deletes it';
is points_to('new'), 'nothing', 'the tag is gone';
is put('new', 3, 'If-None-Match' => '*')->status, 201, 'after a delete the tag is new again';

# the bare digest of ETag as clients send it back
my $etag = $s->req('HEAD', '/v2/if/app/manifests/new')->header('Etag');
is put('new', 4, 'If-Match' => $etag)->status, 201, 'the ETag of HEAD is good for If-Match';
error_is put('new', 5, 'If-Match' => $etag), 412, 'DENIED', 'once';

# at once
for my $round (1 .. 3) {
	my @st = run_parallel(8, sub { return put("race$round", $_[0], 'If-None-Match' => '*')->status });
	is join(' ', sort @st), '201 412 412 412 412 412 412 412', "of eight that make one tag at once one wins (round $round)";
	my ($i) = grep { $st[$_] == 201 } 0 .. 7;
	is points_to("race$round"), $d[$i], "and the tag is the winner's (round $round)";
}
put('count', 0);
my @won = run_parallel(4, sub {
	my ($i) = @_;
	my $won = 0;
	for my $try (1 .. 500) {
		last if $won == 8;
		my $g = $s->req('GET', '/v2/if/app/manifests/count');
		my ($n) = $g->body =~ /"n":"(\d+)/;
		$won++ if put('count', $n + 1 . ".$i", 'If-Match' => $g->header('Etag'))->status == 201;
	}
	return $won;
});
is "@won", '8 8 8 8', 'four clients that move one tag with If-Match get through, eight times each';
my ($n) = $s->req('GET', '/v2/if/app/manifests/count')->body =~ /"n":"(\d+)/;
is $n, 32, 'and no step of theirs is lost';
is leftovers($s), '', 'nothing is left in body, tmp and trash';

done_testing;
