#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Referrers in pages of at most 4 MiB, walked by their Links.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\nfsync = \"off\";\n");
$s->push_blob('page/app', '{}');
my $to = desc(OCI_MANIFEST, 'the subject');
my $d = sha256('the subject');
my %all;

sub referrer {
	my ($n, $size, $type) = @_;
	return '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . desc(OCI_CONFIG, '{}') . qq(,"layers":[],"artifactType":"$type","subject":$to,"annotations":{"n":"$n","x":") . 'x' x $size . '"}}';
}
sub push_one {
	my ($text, $type) = @_;
	my $r = $s->req('PUT', '/v2/page/app/manifests/' . sha256($text), headers => ['Content-Type' => OCI_MANIFEST], body => $text);
	die $r->status . $r->body if $r->status != 201;
	$all{ sha256($text) } = { type => $type, size => length $text };
	return;
}

# descriptors - those of a page; runs of x are replaced by their length first, since the decoder is slow
sub descriptors {
	my ($r) = @_;
	my $body = $r->body =~ s/(x{100,})/'x' . length $1/ger;
	return JSON::PP->new->utf8->decode($body)->{manifests};
}

# walk - all descriptors by the Links; every page is checked
sub walk {
	my ($q, $title) = @_;
	my $url = "/v2/page/app/referrers/$d$q";
	my (@seen, $fault);
	my $pages = 0;
	while (defined $url && $pages < 40) {
		$pages++;
		my $r = $s->req('GET', $url);
		$fault ||= "$url: " . $r->status if $r->status != 200;
		last if $fault;
		my $m = descriptors($r);
		$fault ||= 'a page of ' . length($r->body) . ' bytes' if length($r->body) > 4 << 20;
		$fault ||= 'an empty page' if !@$m && $pages > 1;
		$fault ||= 'type ' . $r->header('Content-Type') if $r->header('Content-Type') ne OCI_INDEX;
		$fault ||= 'filter not applied' if $q && ($r->header('OCI-Filters-Applied') // '') ne 'artifactType';
		$fault ||= 'no index' if $r->body !~ /\A\{"schemaVersion":2,"mediaType":"\Q${\OCI_INDEX}\E","manifests":\[/;
		push @seen, map { $_->{digest} } @$m;
		for my $e (@$m) {
			$fault ||= "size of $e->{digest}" if $e->{size} != $all{ $e->{digest} }{size};
			$fault ||= 'annotations cut' if substr($e->{annotations}{x}, 1) < $e->{size} - 1500;
		}
		my $l = $r->header('Link');
		$fault ||= "Link: $l" if defined $l && $l !~ m{^</v2/page/app/referrers/\Q$d\E\?[^>]+>; rel="next"$};
		$fault ||= "Link without the filter: $l" if $q && defined $l && $l !~ /artifactType=application%2Fvnd\.example\.odd/;
		($url) = defined $l ? $l =~ /<([^>]+)>/ : ();
	}
	is $fault // '', '', "$title: every page has at most 4 MiB, the index's form, whole descriptors and a Link that keeps the filter";
	return ($pages, @seen);
}

# 24 of 700 KB: 16 MB of descriptors
for my $n (1 .. 24) {
	my $type = $n % 2 ? 'application/vnd.example.odd' : 'application/vnd.example.even';
	push_one(referrer($n, 700_000, $type), $type);
}
my ($pages, @seen) = walk('', 'big annotations');
cmp_ok $pages, '>=', 5, 'sixteen megabytes need five pages';
cmp_ok $pages, '<=', 8, 'and no more than eight: each is filled';
is_deeply [sort @seen], [sort keys %all], 'every descriptor comes exactly once';
($pages, @seen) = walk('?artifactType=application/vnd.example.odd', 'with a filter');
is_deeply [sort @seen], [sort grep { $all{$_}{type} =~ /odd/ } keys %all], 'with a filter every one of that type comes exactly once';
cmp_ok $pages, '>=', 3, 'in three pages at least';

# one that is nearly as big as a manifest may be: a page of its own
my $huge = referrer('huge', (4 << 20) - 2000, 'application/vnd.example.odd');
push_one($huge, 'application/vnd.example.odd');
($pages, @seen) = walk('', 'with a huge one');
is_deeply [sort @seen], [sort keys %all], 'with one of nearly 4 MiB every descriptor comes exactly once';

# a byte that some escape in JSON, though it need not be
my $del = referrer('del', 100, 'application/vnd.example.del') =~ s/\Q$to\E/desc(OCI_MANIFEST, 'del')/er =~ s/x{100}/"\x7f" x 4_000_000/er;
is $s->req('PUT', '/v2/page/app/manifests/' . sha256($del), headers => ['Content-Type' => OCI_MANIFEST], body => $del)->status, 201, 'one with four million bytes 0x7f is pushed';
my $page = $s->req('GET', '/v2/page/app/referrers/' . sha256('del'));
cmp_ok length $page->body, '<', 500 + length $del, 'its descriptor is no longer than the manifest';
ok index($page->body, "\x7f" x 4_000_000) > 0, 'and says the same';

# deleted between two pages
my $r = $s->req('GET', "/v2/page/app/referrers/$d");
my ($next) = $r->header('Link') =~ /<([^>]+)>/;
my $last = descriptors($r)->[-1]{digest};
is $s->req('DELETE', "/v2/page/app/manifests/$last")->status, 202, 'the last of a page is deleted';
my %first = map { $_->{digest} => 1 } @{ descriptors($r) };
my $second = $s->req('GET', $next);
is $second->status, 200, 'the next page is there all the same';
is_deeply [grep { $first{ $_->{digest} } } @{ descriptors($second) }], [], 'and repeats nothing';
delete $all{$last};
($pages, @seen) = walk('', 'after a delete');
is_deeply [sort @seen], [sort keys %all], 'after it every other comes exactly once';

# many small ones fit one page
my @small = run_parallel(4, sub {
	my ($i) = @_;
	my $n = 0;
	for my $k (1 .. 60) {
		my $t = referrer("s$i.$k", 10, 'application/vnd.example.small') =~ s/\Q$to\E/desc(OCI_MANIFEST, 'small')/er;
		$n++ if $s->req('PUT', '/v2/page/app/manifests/' . sha256($t), headers => ['Content-Type' => OCI_MANIFEST], body => $t)->status == 201;
	}
	return $n;
});
is "@small", '60 60 60 60', 'two hundred and forty small ones are pushed';
$r = $s->req('GET', '/v2/page/app/referrers/' . sha256('small'));
is scalar(@{ $r->json->{manifests} }), 240, 'they fit one page';
is $r->header('Link'), undef, 'without a Link';

# bad continuations are no fault
for my $q ('last=', 'last=x', 'last=sha256:', 'last=' . 'f' x 3000, 'last=sha512:' . 'f' x 128, "last=$d&last=x", 'last=%00', 'last=%0A', 'n=1', 'n=-1') {
	my $st = $s->req('GET', '/v2/page/app/referrers/' . sha256('small') . "?$q")->status;
	ok $st == 200 || $st == 400, 'referrers?' . substr($q, 0, 30) . " is no fault of the server ($st)";
}

done_testing;
