#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Thirty-two clients race for one tag; readers while a tag is moved.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n", workers => 8);
$s->push_blob('race/app', '{}');
sub text { my ($n) = @_; return image_of(OCI_MANIFEST, '{}') =~ s/\}\z/,"annotations":{"n":"$n"}}/r }
sub put_to { my ($path, $n, @h) = @_; return patient { $s->req('PUT', "/v2/race/$path", headers => ['Content-Type' => OCI_MANIFEST, @h], body => text($n)) } }
sub put { my ($tag, @o) = @_; return put_to("app/manifests/$tag", @o) }
sub points_to { my ($tag) = @_; return $s->req('HEAD', "/v2/race/app/manifests/$tag")->header('Docker-Content-Digest') // 'nothing' }

# at_once - 32 processes that all begin at one moment
sub at_once {
	my ($code) = @_;
	my $start = time + 0.4;
	return run_parallel(32, sub { my ($i) = @_; sleep $start - time if time < $start; return $code->($i) });
}
my %text_of = map { sha256(text($_)) => $_ } 0 .. 400;

for my $round (1 .. 2) {
	my @st = at_once(sub { return put("new$round", $_[0], 'If-None-Match' => '*')->status });
	is_deeply [sort @st], [201, (412) x 31], "of 32 clients that create one tag exactly one has 201, the others 412 (round $round)";
	my ($won) = grep { $st[$_] == 201 } 0 .. 31;
	is points_to("new$round"), sha256(text($won)), "and the tag is the winner's (round $round)";

	my $is = points_to("new$round");
	@st = at_once(sub { return put("new$round", 100 + $_[0], 'If-Match' => qq("$is"))->status });
	is_deeply [sort @st], [201, (412) x 31], "of 32 that move it exactly one has 201, the others 412 (round $round)";
	($won) = grep { $st[$_] == 201 } 0 .. 31;
	is points_to("new$round"), sha256(text(100 + $won)), "and the tag is the winner's (round $round)";

	$is = points_to("new$round");
	@st = at_once(sub { return patient { $s->req('DELETE', "/v2/race/app/manifests/new$round", headers => ['If-Match' => qq("$is")]) }->status });
	is scalar(grep { $_ == 202 } @st), 1, "of 32 that delete it exactly one has 202 (round $round)";
	is_deeply [grep { $_ != 202 && $_ != 404 && $_ != 412 } @st], [], "the others find it gone (round $round)";
	is points_to("new$round"), 'nothing', "and it is gone (round $round)";
}

# one repository that nobody has heard of
my @st = at_once(sub {
	my ($i) = @_;
	my $ok = eval { $s->push_blob('race/fresh', '{}'); 1 } or return 'blob';
	return put_to('fresh/manifests/first', $i, 'If-None-Match' => '*')->status;
});
is_deeply [sort @st], [201, (412) x 31], 'in a repository that none of them has seen exactly one creates the tag';
is $s->req('GET', '/v2/race/fresh/tags/list')->body, qq({"name":"race/fresh","tags":["first"]}\n), 'which is listed once';

# 200 moves, and readers who never see a hole
is put('moving', 0)->status, 201, 'a tag is there';
put('moving', $_) for 1 .. 4;
my $stop = $s->dir . '/moved';
my @r = run_parallel(7, sub {
	my ($i) = @_;
	if (!$i) {
		my %st;
		for my $n (1 .. 200) {
			$st{ $n % 10 ? put('moving', $n % 5)->status : put(sha256(text(3)) . '?tag=moving&tag=beside', 3)->status }++;
		}
		spew($stop, '');
		return join ' ', map { "$_=$st{$_}" } sort keys %st;
	}
	my %seen;
	my $n = 0;
	my $end = time + 120;
	do {
		my $r = $s->req($i % 2 ? 'GET' : 'HEAD', '/v2/race/app/manifests/moving');
		my $d = $r->header('Docker-Content-Digest') // '';
		my $ok = $r->status == 200 && defined $text_of{$d} && $text_of{$d} < 5 && ($i % 2 == 0 || sha256($r->body) eq $d);
		$seen{ $ok ? 'fine' : 'status ' . $r->status }++;
		if ($i == 5 || $i == 6) {
			my $l = $s->req('GET', '/v2/race/app/tags/list')->json->{tags} // [];
			$seen{'not listed'}++ if 1 != grep { $_ eq 'moving' } @$l;
		}
		$n++;
	} until (-e $stop && $n > 20) || time > $end;
	return join ' ', sort keys %seen;
});
is shift @r, '201=200', 'a tag is moved two hundred times';
is_deeply \@r, [('fine') x 6], 'six readers never miss it, and never see one manifest under the digest of another';
is leftovers($s), '', 'nothing is left in body, tmp and trash';

done_testing;
