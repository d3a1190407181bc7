#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# berth repo rm and mv again and again, beside clients that push to and pull from the same repositories and others: nobody
# gets 5xx, no tag points to nothing, what was acknowledged is whole under one name. BERTH_STRESS=60 makes it last
# 60 seconds.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Check;
use Berth::GC;
use Berth::Repo;

my $SECONDS = $ENV{BERTH_STRESS} || 8;
my $s = Berth::Server->start(config => "delete = true;\nfsync = \"off\";\n", workers => 6);
my ($i, @fault, %n);

sub fault { push @fault, join ' ', "client $i:", @_; return }

# seen - there was one of these; goes_on - until then, and until there was one of each by whichever client
my @want = qw(mv rm looked refused done);
my $seen = tmp_dir();
sub seen { my ($what) = @_; spew("$seen/$what", '') if !$n{$what}++; return }
sub goes_on { my ($until) = @_; return @fault < 5 && (time < $until || time < $until + 100 && grep { !-e "$seen/$_" } @want) }

sub ask {
	my ($method, $path, %o) = @_;
	my $r = eval { $s->req($method, $path, %o) } or return do { fault($method, $path, $@ // ''); bless { status => 0, headers => [], body => '', head => '' }, 'Berth::Response' };
	fault($method, $path, $r->status, substr $r->body, 0, 200) if $r->status >= 500;
	return $r;
}

# push_image - as a client does; the image where it was acknowledged, undef where its repository went from under it.
# Only `may_go` makes that no fault.
sub push_image {
	my ($repo, $tag, $n, $may_go) = @_;
	my @parts = (qq({"i":$i,"n":$n}), "layer $i $n", 'layer of all');
	my $refused = sub { my ($r, $re) = @_; fault($repo, 'refused with', $r->status, $r->body) if !$may_go || $r->status !~ /^40[04]$/ || $r->body !~ $re; return };
	for my $bytes (@parts) {
		my $d = sha256($bytes);
		my $r = ask('POST', "/v2/$repo/blobs/uploads/");
		return $refused->($r, qr/never/) if $r->status != 202;
		my $loc = path_of($r->header('Location'));
		if ($n % 3) {
			$r = ask('PATCH', $loc, body => $bytes, $n % 2 ? (chunked => 1) : ());
			return $refused->($r, qr/BLOB_UPLOAD_UNKNOWN/) if $r->status != 202;
			$r = ask('PUT', "$loc?digest=$d");
		} else {
			$r = ask('PUT', "$loc?digest=$d", body => $bytes);
		}
		return $refused->($r, qr/BLOB_UPLOAD_UNKNOWN/) if $r->status != 201;
	}
	my $m = image_of(OCI_MANIFEST, @parts);
	my $r = ask('PUT', "/v2/$repo/manifests/$tag", headers => ['Content-Type' => OCI_MANIFEST], body => $m);
	return $refused->($r, qr/MANIFEST_BLOB_UNKNOWN/) if $r->status != 201;
	return { repository => $repo, digest => sha256($m), bytes => $m, tags => [$tag], parts => { map { sha256($_) => $_ } @parts } };
}

sub push_until {
	my ($until, $repo, $may_go) = @_;
	my @done;
	for (my $n = 0; goes_on($until); $n++) {
		my $image = push_image($repo, "c$i-$n", $n, $may_go);
		push @done, $image if $image;
		seen('done') if $image && !$may_go;
		seen('refused') if !$image;
	}
	return @done;
}

# what one sees who lists tags and pulls each of them
sub look_until {
	my ($until, @repos) = @_;
	while (goes_on($until)) {
		for my $repo (@repos) {
			my $r = ask('GET', "/v2/$repo/tags/list");
			next if $r->status != 200;
			for my $tag (@{ $r->json->{tags} // [] }) {
				my $got = ask('GET', "/v2/$repo/manifests/$tag");
				seen('looked');
				next if $got->status == 200;
				# it may have gone meanwhile; then it is not listed any more
				my $again = ask('GET', "/v2/$repo/tags/list");
				fault("$repo:$tag is listed and not there") if $again->status == 200 && grep { $_ eq $tag } @{ $again->json->{tags} // [] }
					and ask('GET', "/v2/$repo/manifests/$tag")->status != 200 and ask('GET', "/v2/$repo/tags/list")->body =~ /"\Q$tag\E"/;
			}
		}
		ask('GET', '/v2/_catalog');
	}
	return;
}

my $until = time + $SECONDS;
my @all = run_parallel(8, sub {
	($i) = @_;
	my @done;
	if ($i < 2) {
		@done = push_until($until, 'stays/a', 0);
	} elsif ($i == 2) {
		@done = push_until($until, 'moves/inner', 0);       # in the way of those that move
	} elsif ($i < 5) {
		@done = push_until($until, 'moves', 1);
	} elsif ($i == 5) {
		push_until($until, 'goes', 1);
	} elsif ($i == 6) {
		look_until($until, 'stays/a', 'moves', 'moves/inner', 'goes');
	} else {
		while (goes_on($until)) {
			my $to = 'to/' . ++$n{tried};
			for (['mv', 'moves', $to], ['rm', 'goes'], $n{tried} % 2 ? ['mv', $to, "$to/below"] : ()) {
				my $r = berth($s, 'repo', @$_);
				fault("@$_: $r->{status} $r->{err}") if $r->{status} && $r->{err} !~ /there is no repository/;
				seen($_->[0]) if !$r->{status};
			}
			sleep 0.05;
		}
	}
	return { fault => [@fault], n => {%n}, done => [@done] };
});
is join('; ', map { $_->{died} // () } @all), '', 'every client came to its end';
is join("\n", map { @{ $_->{fault} // [] } } @all), '', 'nobody got 5xx, nor an answer that does not fit';
my %sum;
for my $c (@all) {
	$sum{$_} += $c->{n}{$_} for keys %{ $c->{n} };
}
cmp_ok $sum{$_} // 0, '>', 0, "there were some of these: $_" for @want;
diag(join ', ', map { "$_ $sum{$_}" } sort keys %sum);

is missing_of($s, map { @{ $_->{done} } } @all[0 .. 2]), '', 'all that was pushed to repositories that stay is there';
my @names = split /\n/, berth($s, 'repo', 'list')->{out};
my @lost;
for my $image (map { @{ $_->{done} } } @all[3, 4]) {
	my @where = grep { missing_of($s, { %$image, repository => $_ }) eq '' } @names;
	push @lost, $image->{digest} if @where != 1;
}
is "@lost", '', 'all that was pushed to one that moves is whole under one name';
is join(' ', dangling_tags($s)), '', 'no tag points to nothing';
is catalog_of($s), "@names", 'the catalog has what is there, and no more';
is leftovers($s), '', 'nothing is left in body, tmp and trash';
is join(' ', fsck_kinds($s)), '', 'fsck finds nothing wrong';
make_old($s, 2 * 24 * 3600);
gc_ok($s, 'a collection ends with 0');
is missing_of($s, map { @{ $_->{done} } } @all[0 .. 2]), '', 'and takes nothing that is needed';
is join(' ', fsck_kinds($s)), '', 'nor does fsck find anything wrong after it';

done_testing;
