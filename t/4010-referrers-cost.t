#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Adding a referrer costs the same whether its subject has none or two thousand.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Trace;

plain_build_only('it counts system calls');
need_program('strace');
my $s = Berth::Server->start(config => "delete = true;\nfsync = \"off\";\n", workers => 1);
$s->push_blob('cost/app', '{}');
sub image { my ($n, $subject) = @_; return '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . desc(OCI_CONFIG, '{}') . ',"layers":[],"subject":' . desc(OCI_MANIFEST, $subject) . qq(,"annotations":{"n":"$n"}}) }
sub put { my ($text) = @_; return $s->req('PUT', '/v2/cost/app/manifests/' . sha256($text), headers => ['Content-Type' => OCI_MANIFEST], body => $text)->status }
sub added { my ($n, $subject) = @_; my $st; my $c = calls_of($s, sub { $st = put(image($n, $subject)) }); is $st, 201, "referrer $n is pushed"; return $c }

# what costs once: the repository's first manifest, the first in a directory
put(image('warm', 'warm'));
my $first = added('first', 'lonely');
my $second = added('second', 'lonely');

# two thousand, laid where another registry would have left them
$s->stop_workers;
lay_manifest($s, 'cost/app', image($_, 'popular')) for 1 .. 2000;
$s->start_workers;
my $r = $s->req('GET', '/v2/cost/app/referrers/' . sha256('popular'), timeout => 60);
is scalar(@{ $r->json->{manifests} }), 2000, 'two thousand referrers are listed';
put(image('warm again', 'popular'));
my $more = added('one more', 'popular');
cmp_ok $more, '<=', $first + 5, "adding one to two thousand makes no more system calls than adding the first, but for a handful ($more, $first)";
cmp_ok $second, '<=', $first + 5, "nor does the second ($second)";
is scalar(@{ $s->req('GET', '/v2/cost/app/referrers/' . sha256('popular'))->json->{manifests} }), 2002, 'and they are all listed';

sub deleted { my ($n, $subject) = @_; my $st; my $c = calls_of($s, sub { $st = $s->req('DELETE', '/v2/cost/app/manifests/' . sha256(image($n, $subject)))->status }); is $st, 202, "referrer $n is deleted"; return $c }
my ($few, $many) = (deleted('second', 'lonely'), deleted('one more', 'popular'));
cmp_ok $many, '<=', $few + 5, "deleting one of two thousand makes a handful more than deleting one of two at most ($many, $few)";

done_testing;
