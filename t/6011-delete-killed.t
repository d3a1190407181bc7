#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# kill -9 of the worker at every step of a DELETE: no tag is left that points to nothing, and a second DELETE finishes.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Trace;

plain_build_only('it kills workers with strace');
need_program('strace');
my $s = Berth::Server->start(config => "delete = true;\nfsync = \"off\";\n", workers => 1);
$s->push_blob('kill/app', '{}');
sub text { my ($n) = @_; return '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . desc(OCI_CONFIG, '{}') . ',"layers":[],"subject":' . desc(OCI_MANIFEST, 'subject') . qq(,"annotations":{"n":"$n"}}) }
sub again { my ($code) = @_; my $r; for (1 .. 200) { $r = eval { $code->() }; last if $r && $r->status !~ /^50[23]$/; select undef, undef, undef, 0.05 } return $r }
sub referrers { return again(sub { $s->req('GET', '/v2/kill/app/referrers/' . sha256('subject')) })->json->{manifests} }

# killed_at - DELETE with all workers killed when they begin the n-th of this call; the status, or nothing
sub killed_at {
	my ($call, $n, $path) = @_;
	my $r;
	Berth::Trace::trace_of_pids([$s->worker_pids], ['-e', "trace=$call", '-e', "inject=$call:signal=KILL:when=$n"], '/dev/null', sub { $r = eval { $s->req('DELETE', $path) } });
	# the master would wait longer after each death; a new one does not
	$s->stop_workers('KILL');
	wait_for { !$s->worker_pids };
	$s->start_workers;
	return $r ? $r->status : 'nothing';
}

my ($steps, $finished) = (0, 0);
my $round = 0;
for my $call ('renameat', 'unlinkat') {
	for my $n (1 .. 12) {
		my $m = text(++$round);
		my $d = sha256($m);
		my $other = text('stays');
		for my $t ('a', 'b', 'c') {
			again(sub { $s->req('PUT', "/v2/kill/app/manifests/$t", headers => ['Content-Type' => OCI_MANIFEST], body => $m) })->status == 201 or die "push of $t";
		}
		again(sub { $s->req('PUT', '/v2/kill/app/manifests/keep', headers => ['Content-Type' => OCI_MANIFEST], body => $other) });
		my $st = killed_at($call, $n, "/v2/kill/app/manifests/$d");
		if ($st eq '202') {     # it has fewer steps of this kind
			$finished++;
			last;
		}
		$steps++;
		my $what = "DELETE killed at $call $n";
		like $st, qr/^(50[23]|nothing)$/, "$what is not answered with success";
		my @bad;
		my $gone = again(sub { $s->req('HEAD', "/v2/kill/app/manifests/$d") })->status == 404;
		for my $t (@{ again(sub { $s->req('GET', '/v2/kill/app/tags/list') })->json->{tags} // [] }) {
			my $r = $s->req('GET', "/v2/kill/app/manifests/$t");
			push @bad, "$t is listed, but " . $r->status if $r->status != 200;
		}
		for my $t ('a', 'b', 'c') {
			my $link = content_of(tag_link($s, 'kill/app', $t));
			push @bad, "$t points to nothing" if defined $link && !-e revision_link($s, 'kill/app', $link);
			push @bad, "$t is there, the manifest is not" if $gone && $s->req('HEAD', "/v2/kill/app/manifests/$t")->status != 404;
		}
		my $listed = grep { $_->{digest} eq $d } @{ referrers() };
		push @bad, 'its entry among the referrers is ' . ($listed ? 'there' : 'gone') . ', the manifest is ' . ($gone ? 'gone' : 'there') if $listed == $gone;
		my $second = again(sub { $s->req('DELETE', "/v2/kill/app/manifests/$d") });
		push @bad, 'the second DELETE is ' . $second->status if $second->status != ($gone ? 404 : 202);
		my $tags = $s->req('GET', '/v2/kill/app/tags/list')->json->{tags};
		push @bad, "after it there are the tags @$tags" if "@$tags" ne 'keep';
		push @bad, 'after it it is listed among the referrers' if grep { $_->{digest} eq $d } @{ referrers() };
		is "@bad", '', "$what leaves no tag without a manifest, and a second DELETE finishes";
	}
}
cmp_ok $steps, '>=', 6, "a DELETE was killed at $steps steps";
cmp_ok $finished, '>=', 1, 'and the kills went on until it had no more of them';
is again(sub { $s->req('GET', '/v2/kill/app/manifests/keep') })->body, text('stays'), 'the other manifest is there';
$s->restart;
is $s->req('GET', '/v2/kill/app/tags/list')->body, qq({"name":"kill/app","tags":["keep"]}\n), 'after a restart its tag is the only one';

done_testing;
