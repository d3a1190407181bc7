#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# 32 clients do all that makes and removes links, with collections, renames and checks beside them: afterwards the tables say what the links
# say, and at no moment was a quota exceeded.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Quota;

my $LIMIT = 400_000;
my @teams = qw(red blue green);
my $s = Berth::Server->start(config => "delete = true;\nupload_workers = 4;\nrules = ( { repo = \"team/*\"; quota = \"$LIMIT\"; }, { repo = \"**\"; quota = \"100 MiB\"; } );\n", workers => 4);
my @shared = map { random_bytes(3000 + $_) } 1 .. 6;
my $rounds = is_long() ? 400 : 40;

$s->push_blob("team/$_/base", $shared[0]) for @teams;

sub repo { return "team/$teams[rand @teams]/" . (qw(app lib web))[rand 3] }

# one - something at random: what was odd about it, '' if nothing
sub one
{
	my ($i, $n) = @_;
	my ($repo, $what) = (repo(), int rand 10);
	my ($r, @may);

	if ($what < 3) {
		my $b = rand() < 0.5 ? $shared[rand @shared] : "client $i, $n;" . 'x' x rand 9000;
		$r = $s->req('POST', "/v2/$repo/blobs/uploads/?digest=" . sha256($b), body => $b);
		@may = (201, 403);
	} elsif ($what < 4) {
		my $b = "upload of $i, $n;" . 'y' x rand 5000;
		$r = $s->req('POST', "/v2/$repo/blobs/uploads/");
		return $r->status == 503 ? '' : 'POST: ' . $r->as_string if $r->status != 202;
		my $loc = path_of($r->header('Location'));
		$r = $s->req('PATCH', $loc, body => $b, chunked => 1);
		$r = $s->req('PUT', "$loc?digest=" . sha256($b)) if $r->status == 202;
		@may = (201, 403, 404);         # 404: the repository was renamed or removed, and the upload with it
	} elsif ($what < 5) {
		my $d = sha256($shared[rand @shared]);
		$r = $s->req('POST', "/v2/$repo/blobs/uploads/?mount=$d&from=" . repo());
		@may = (201, 202, 403);
	} elsif ($what < 8) {
		my @parts = ("{\"c\":$i}", $shared[rand @shared]);
		$s->req('POST', "/v2/$repo/blobs/uploads/?digest=" . sha256($_), body => $_) for @parts;
		$r = $s->req('PUT', "/v2/$repo/manifests/t" . int(rand 5), headers => ['Content-Type' => OCI_MANIFEST],
			body => image_of(OCI_MANIFEST, @parts) =~ s/\}\z/,"annotations":{"n":"$n"}}/r);
		@may = (201, 400, 403);         # 400: a DELETE or a rename has taken a part meanwhile
	} elsif ($what < 9) {
		$r = $s->req('DELETE', "/v2/$repo/blobs/" . sha256($shared[rand @shared]));
		@may = (202, 404);
	} else {
		my $d = $s->req('HEAD', "/v2/$repo/manifests/t" . int rand 5)->header('Docker-Content-Digest') // return '';
		$r = $s->req('DELETE', "/v2/$repo/manifests/$d");
		@may = (202, 404);
	}
	return '' if grep { $r->status == $_ } @may;
	return '' if $r->status == 503;         # somebody was busy for long: a client comes again
	return "case $what: " . $r->as_string;
}

# What fsck finds, but for what a DELETE of a blob leaves, which is the client's wish.
sub found { my ($r) = @_; return join "\n", grep { !/^missing-reference |\d+ found, / } split /\n/, $r->{out} =~ s/^.*nothing wrong.*\n//mr }

# What an operator does meanwhile.
sub operator
{
	my ($n) = @_;
	my @cmd = (['gc', '--grace', '0', '--untagged'], ['repo', 'mv', repo(), repo()], ['fsck'], ['repo', 'mv', repo(), 'other/x'], ['repo', 'mv', 'other/x', repo()],
		['repo', 'rm', repo()], ['quota', 'list'], ['fsck', '--repair'])[$n % 8]->@*;
	my $r = run(program('berth'), '--config', $s->config_file, '--root', $s->root, @cmd);

	# A rename may find no such name, or that the other one exists already, or no room.
	return found($r) if $cmd[0] eq 'fsck';
	return $r->{status} == 0 || ($cmd[0] eq 'repo' && $r->{status} == 1) ? '' : "@cmd: $r->{out}$r->{err}";
}

my @odd = run_parallel(33, sub {
	my ($i) = @_;
	my @bad;

	srand 77 + $i;
	for my $n (1 .. $rounds) {
		my $bad = $i < 32 ? one($i, $n) : operator($n);
		push @bad, $bad if $bad ne '';
	}
	return \@bad;
});
is_deeply [map { ref $_ eq 'ARRAY' ? @$_ : "$_->{died}" } @odd], [], "32 clients, and an operator, $rounds rounds each: nothing odd";
for my $team (@teams) {
	my $r = $s->req('POST', "/v2/team/$team/base/blobs/uploads/?digest=" . sha256(''), body => '');

	is $r->status, 201, "team/$team: a last push, of nothing";
	is quota_fault($s->root, "team/$team"), '', "team/$team: its table says what the links say";
	cmp_ok +(quota_counted($s->root, "team/$team"))[0], '<=', $LIMIT, "team/$team: no more than allowed";
}
is $s->req('POST', '/v2/other/y/blobs/uploads/?digest=' . sha256(''), body => '')->status, 201, 'and elsewhere';
is quota_fault($s->root, '', in => sub { $_[0] !~ m{^team/} }), '', 'all others';
my $fsck = run(program('berth'), '--config', $s->config_file, '--root', $s->root, 'fsck');
is found($fsck), '', 'berth fsck finds nothing wrong';
is scalar(grep { ($_->{event} // '') eq 'quota' && $_->{message} =~ /do(?:es)? not fit/ } $s->log_events), 0, 'and nobody ever met a table that did not fit';
$s->stop;
done_testing;
