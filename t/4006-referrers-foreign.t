#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Referrers that another registry stored, under fallback tags or without; files that are gone or broken.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(remove_tree make_path);
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n");
my $repo = 'for/app';
$s->push_blob($repo, $_) for '{}', 'layer';
sub image { my ($n, $subject, $type) = @_; return '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . desc(OCI_CONFIG, '{}') . ',"layers":[]' . ($subject ? ',"subject":' . $subject : '') . qq(,"artifactType":") . ($type // 'application/vnd.example.x') . qq(","annotations":{"n":"$n"}}) }
sub put { my ($ref, $text) = @_; my ($type) = $text =~ /"mediaType":"([^"]*)"/; return $s->req('PUT', "/v2/$repo/manifests/$ref", headers => ['Content-Type' => $type], body => $text)->status }
sub digests { my ($d, $in) = @_; my $r = $s->req('GET', '/v2/' . ($in // $repo) . "/referrers/$d"); return $r->status == 200 ? [sort map { $_->{digest} } @{ $r->json->{manifests} }] : $r->status }
sub want { return sort @_ }
sub away { my ($d) = @_; (my $f = revision_link($s, $repo, $d)) =~ s{/link$}{}; remove_tree($f); return }

my $subject = image('subject');
my $d = sha256($subject);
my $to = desc(OCI_MANIFEST, $subject);
put('subject', $subject);
my $ours = image('ours', $to);
put(sha256($ours), $ours);
is_deeply digests($d), [sha256($ours)], 'one referrer is pushed';

# another registry writes while berth is stopped
$s->stop_workers;
my $theirs = image('theirs', $to);
my $tagged = image('tagged', $to);
my $fallback = image('fallback', $to);
my $wrong = image('wrong', desc(OCI_MANIFEST, 'another'));
my $plain = image('plain');
lay_manifest($s, $repo, $theirs);
lay_manifest($s, $repo, $tagged, 'some-tag');
lay_manifest($s, $repo, $_) for $fallback, $wrong, $plain;
# the fallback index of OCI 1.1: a tag named after the subject. It may say what it likes: what counts is the manifest
my $index = index_of(OCI_INDEX, map { desc(OCI_MANIFEST, $_, ',"artifactType":"application/vnd.example.x"') } $fallback, $wrong, $plain, 'not here');
(my $tag = $d) =~ s/:/-/;
lay_manifest($s, $repo, $index, $tag);
my $absent = image('absent', desc(OCI_MANIFEST, 'not in this store'));
lay_manifest($s, $repo, $absent);
# by sha512
my $t512 = image('t512', $to);
lay_file(blob_file($s, sha512($t512)), $t512);
lay_file(revision_link($s, $repo, sha512($t512)), sha512($t512));
# broken ones: empty link, no link, no bytes, no JSON, a wild tag
my @broken = map { image("broken$_", $to) } 0 .. 3;
lay_manifest($s, $repo, $_) for @broken;
lay_file(revision_link($s, $repo, sha256($broken[0])), '');
unlink revision_link($s, $repo, sha256($broken[1]));
unlink blob_file($s, sha256($broken[2]));
lay_file(blob_file($s, sha256($broken[3])), '');
lay_manifest($s, $repo, "not json, though \"subject\" is in it: $to");
lay_manifest($s, $repo, '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","subject":"' . $d . '","config":5}');
# a repository that only the other registry ever saw
my $their_own = image('own', $to);
lay_blob($s, 'for/new', '{}');
lay_manifest($s, 'for/new', $their_own);
$s->start_workers;

my $want = [sort map { sha256($_) } $ours, $theirs, $tagged, $fallback];
push @$want, sha512($t512);
is_deeply digests($d), [sort @$want], 'those that another registry wrote are listed, with tag, without, and by sha512; broken ones are not';
is_deeply digests(sha256('another')), [sha256($wrong)], 'what the fallback tag names is listed under its own subject only';
is_deeply digests(sha256('not in this store')), [sha256($absent)], 'the subject need not be here';
is_deeply digests($d, 'for/new'), [sha256($their_own)], 'a repository that is new is looked through';
my $r = $s->req('GET', "/v2/$repo/manifests/$tag");
is $r->body, $index, 'the fallback tag itself is an ordinary tag';
my ($e) = grep { $_->{digest} eq sha256($theirs) } @{ $s->req('GET', "/v2/$repo/referrers/$d")->json->{manifests} };
is_deeply $e, { mediaType => OCI_MANIFEST, digest => sha256($theirs), size => length $theirs, artifactType => 'application/vnd.example.x', annotations => { n => 'theirs' } }, 'with the whole descriptor';

# deleted through the API, all of them
is $s->req('DELETE', "/v2/$repo/manifests/" . sha256($theirs))->status, 202, 'one of theirs is deleted';
is_deeply digests($d), [sort grep { $_ ne sha256($theirs) } @$want], 'and gone';

# removed by hand while stopped
$s->stop_workers;
away(sha256($tagged));
remove_tree(data_dir($s) . "/repositories/$repo/_manifests/tags/some-tag");
away(sha256($ours));
$s->start_workers;
is_deeply digests($d), [want(sha256($fallback), sha512($t512))], 'those that were removed while berth was stopped are not listed';
error_is $s->req('GET', "/v2/$repo/manifests/" . sha256($ours)), 404, 'MANIFEST_UNKNOWN', 'nor there';

# pushed again through the API
is put(sha256($ours), $ours), 201, 'one of them is pushed again';
is_deeply digests($d), [want(sha256($fallback), sha256($ours), sha512($t512))], 'and listed again';

# the index deleted while nothing runs
$s->stop_workers;
remove_tree($s->root . '/berth/index');
lay_manifest($s, $repo, $tagged);
$s->start_workers;
is_deeply digests($d), [want(sha256($fallback), sha256($ours), sha256($tagged), sha512($t512))], 'the list is right again after berth/index was deleted';

# a store of another registry, from the beginning, without berth/
$s->stop_workers;
remove_tree($s->root . '/berth');
$s->start_workers;
is_deeply digests($d), [want(sha256($fallback), sha256($ours), sha256($tagged), sha512($t512))], 'and after all of berth/ was deleted';
is put(sha256($theirs), $theirs), 201, 'and more can be added';
is_deeply digests($d), [want(sha256($theirs), sha256($fallback), sha256($ours), sha256($tagged), sha512($t512))], 'which is listed';

# read-only, after more changes: nothing may be written, and the list is right
$s->stop_workers;
away(sha256($theirs));
my $late = image('late', $to);
lay_manifest($s, $repo, $late);
$s->config("readonly = true;\n");
$s->start_workers;
is_deeply digests($d), [want(sha256($late), sha256($fallback), sha256($ours), sha256($tagged), sha512($t512))], 'a registry that only reads sees what changed, too';

done_testing;
