#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Tags with what is known of each: in every order, page by page, and as far as they match.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Berth::Test;
use Berth::Auth;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\nrules = ( { repo = \"team/**\"; immutable = [ \"1.*\" ]; } );\n", workers => 2);
my $json = JSON::PP->new->canonical->utf8;
sub tags { my ($query, @o) = @_; return $s->req(GET => '/berth/v1/repos/team/app/tags' . ($query ? "?$query" : ''), @o) }
# all - the names of all tags, page by page, and how many pages there were
sub all
{
	my ($query) = @_;
	my ($after, $pages, @names) = ($query =~ s/&after=(.*)// ? $1 : '', 0);

	do {
		my $r = tags("$query&after=$after");
		die $r->as_string if $r->status != 200;
		push @names, map { $_->{tag} } @{ $r->json->{tags} };
		$after = $r->json->{next};
		$pages++;
	} while (defined $after && $pages < 1000);
	return wantarray ? ("@names", $pages) : "@names";
}

error_is(tags(), 404, 'NAME_UNKNOWN', 'a repository that does not exist');
$s->push_blob('team/app', 'first');
is_deeply tags()->json, { tags => [], total => 0, may => [qw(pull push delete)] }, 'one without tags';

my @pushed = qw(1.9 v1.10 1.10-rc1 latest 1.2 edge 1.10 pr-7);
my %digest;
for my $i (0 .. $#pushed) {
	my $config = $json->encode({ os => 'linux', architecture => $i % 2 ? 'arm64' : 'amd64', created => sprintf('2025-01-%02dT00:00:00Z', $i + 1) });
	($digest{ $pushed[$i] }) = $s->push_image('team/app', $pushed[$i], type => 'oci', config => $config, layers => ['x' x (100 * (($i * 3) % 8))]);
}
my $r = tags('sort=name');
is $r->status, 200, 'a list' or diag $r->as_string;
my %row = map { $_->{tag} => $_ } @{ $r->json->{tags} };
is join(' ', sort keys %row), join(' ', sort @pushed), 'has every tag';
like delete $row{edge}{pushed}, qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ\z/, 'with the time of its push';
ok delete $row{edge}{bytes}, 'its bytes';
is_deeply $row{edge}, { tag => 'edge', digest => $digest{edge}, media_type => OCI_MANIFEST, created => '2025-01-06T00:00:00Z', platforms => ['linux/arm64'],
	signatures => 0, sboms => 0, attestations => 0, immutable => JSON::PP::false }, 'and what is in it';
ok $row{'1.2'}{immutable}, 'a rule makes one immutable';
is $r->json->{next}, undef, 'it fits on a page';

# orders
my $size = sub { my ($t) = grep { $pushed[$_] eq $_[0] } 0 .. $#pushed; return ($t * 3) % 8 };
my @name = sort @pushed;
my @version = qw(edge latest pr-7 1.2 1.9 1.10-rc1 1.10 v1.10);
@version = (qw(1.2 1.9 1.10-rc1 1.10 v1.10), qw(edge latest pr-7));
my @by_size = sort { $row{$a}{bytes} // 0 <=> $row{$b}{bytes} // 0 } @pushed;
@by_size = sort { $size->($a) <=> $size->($b) } @pushed;
is all('n=100'), join(' ', reverse @pushed), 'the latest push comes first';
is all('sort=pushed&order=asc'), join(' ', @pushed), 'or last';
is all('sort=name'), "@name", 'by name';
is all('sort=name&order=desc'), join(' ', reverse @name), 'from the end';
is all('sort=version'), join(' ', reverse @version), 'by version, the newest first';
is all('sort=version&order=asc'), "@version", 'or last';
is all('sort=size'), join(' ', reverse @by_size), 'by size, the largest first';
for my $order (qw(sort=name sort=name&order=desc sort=pushed sort=pushed&order=asc sort=version sort=size)) {
	my $whole = all("$order&n=100");
	for my $n (1, 3, 8) {
		my ($names, $pages) = all("$order&n=$n");
		is $names, $whole, "$order: pages of $n have the same tags in the same order";
		is $pages, int((8 + $n - 1) / $n), 'on as many pages as it takes';
	}
}

# what matches
is all('q=1.1'), '1.10 1.10-rc1 v1.10', 'tags that contain a text';
is tags('q=1.1')->json->{total}, 3, 'and how many';
is all('q=nothing'), '', 'there may be none';
is all('q=%25'), '', 'and a text is no pattern';
is all('q=1.1&n=1&sort=name'), '1.10 1.10-rc1 v1.10', 'page by page';

# from the middle: what is read as a whole, and what fits into one block, is exact
for my $order (qw(sort=name sort=name&order=desc sort=pushed sort=pushed&order=asc sort=version sort=size sort=size&order=asc), 'q=1&sort=name', 'q=1') {
	my @whole = split / /, all("$order&n=100");
	my $other = $order =~ /order=/ ? $order =~ s/order=(\w+)/$1 eq 'asc' ? 'order=desc' : 'order=asc'/er : "$order&order=" . ($order =~ /name/ ? 'desc' : 'asc');
	for my $at (0, 1, 3, 5, 8, 100) {
		my $from = $at + 3 < @whole ? $at : @whole - 3;
		my $j = tags("$order&n=3&at=$at")->json;
		is join(' ', map { $_->{tag} } @{ $j->{tags} }), join(' ', @whole[$from .. $from + 2]), "$order: a page from $at";
		is join('|', $j->{at}, $j->{total}), "$from|" . @whole, '... says where it is, and how long the list is';
		is all("$order&n=2&after=$j->{next}"), join(' ', @whole[$from + 3 .. $#whole]), '... goes on to the end' if $j->{next};
		is !$j->{next}, $from + 3 == @whole, '... unless it is there';
		is $j->{back} ? all("$other&n=2&after=$j->{back}") : '', join(' ', reverse @whole[0 .. $from - 1]), '... and back to the beginning, the other way';
	}
}

# between two pages
my $page = tags('sort=pushed&n=3')->json;
is join(' ', map { $_->{tag} } @{ $page->{tags} }), 'pr-7 1.10 edge', 'a page';
$s->req(DELETE => '/v2/team/app/manifests/edge');
$s->push_image('team/app', 'later', type => 'oci');
is join(' ', map { $_->{tag} } @{ tags("sort=pushed&n=3&after=$page->{next}")->json->{tags} }), '1.2 latest 1.10-rc1', 'what comes and goes meanwhile changes no other page';
is((split / /, all('n=1'))[0], 'later', 'and shows at once');
$s->push_image('team/app', 'latest', type => 'oci');
is((split / /, all('n=1'))[0], 'latest', 'a tag that moves is pushed again');

# one of the same again
my $etag = tags()->header('Etag');
is tags('', headers => ['If-None-Match' => $etag])->status, 304, 'who has the list does not get it again';
is join('|', map { $_->headers('Cache-Control') } tags(), tags('', headers => ['If-None-Match' => $etag]), tags('?n=x')), 'no-store|no-store|no-store', 'no cache keeps it, whatever the answer is';
is tags('', headers => ['If-None-Match' => $etag])->body, '', 'without a body';
$s->push_image('team/app', 'more', type => 'oci');
is tags('', headers => ['If-None-Match' => $etag])->status, 200, 'once it has changed, it is sent';

# indexes and referrers
my ($dm, $m) = $s->push_image('team/app', 'one', type => 'oci', layers => ['shared'], config => '{"os":"linux","architecture":"s390x"}');
my $index = $json->encode({ schemaVersion => 2, mediaType => OCI_INDEX, manifests => [
	{ %{ JSON::PP::decode_json(desc(OCI_MANIFEST, $m)) }, platform => { os => 'linux', architecture => 's390x' } },
	{ %{ JSON::PP::decode_json(desc(OCI_MANIFEST, $m)) }, platform => { os => 'windows', architecture => 'amd64' } } ] });
is $s->push_manifest('team/app', 'multi', $index, OCI_INDEX)->status, 201, 'an index';
my ($row) = grep { $_->{tag} eq 'multi' } @{ tags('q=multi')->json->{tags} };
is_deeply $row->{platforms}, ['linux/s390x', 'windows/amd64'], 'has the platforms that it names';
is $row->{bytes}, length($index) + length($m) + length('shared{"os":"linux","architecture":"s390x"}'), 'and the bytes of all, once each';
my $refer = sub {
	my ($type, $text) = @_;
	$s->push_blob('team/app', $_) for '{}', $text;
	my $a = $json->encode({ %{ JSON::PP::decode_json(image_of(OCI_MANIFEST, '{}', $text)) }, artifactType => $type, subject => JSON::PP::decode_json(desc(OCI_MANIFEST, $m)) });
	is $s->push_manifest('team/app', sha256($a), $a, OCI_MANIFEST)->status, 201, "a referrer: $type";
	return sha256($a);
};
my $counts = sub { my ($t) = grep { $_->{tag} eq 'one' } @{ tags('q=one')->json->{tags} }; return join ' ', @$t{qw(signatures sboms attestations)} };
my @refs = map { $refer->(@$_) } ['application/vnd.dev.cosign.artifact.sig.v1+json', 'a'], ['application/vnd.dev.cosign.artifact.sig.v1+json', 'b'],
	['application/spdx+json', 'c'], ['application/vnd.in-toto+json', 'd'], ['application/x-other', 'e'];
is $counts->(), '2 1 1', 'what refers to a tag is counted by kind';
$refer->('application/spdx+json', 'c');
is $counts->(), '2 1 1', 'once, however often it is pushed';
$s->req(DELETE => "/v2/team/app/manifests/$_") for @refs[0, 2];
is $counts->(), '1 0 1', 'as long as it is there';
is $s->push_manifest('team/app', 'two', $m, OCI_MANIFEST)->status, 201, 'another tag of the same manifest';
($row) = grep { $_->{tag} eq 'two' } @{ tags('q=two')->json->{tags} };
is "$row->{signatures} $row->{attestations}", '1 1', 'has the same referrers';

# what is refused
error_is(tags('sort=tags'), 400, 'UNSUPPORTED', 'an order that this list does not have');
error_is(tags('sort=x'), 400, 'UNSUPPORTED', 'or that does not exist');
error_is(tags('order=up'), 400, 'UNSUPPORTED', 'a direction that does not exist');
error_is(tags($_), 400, 'PAGINATION_NUMBER_INVALID', $_) for 'n=0', 'n=x', 'n=-1', 'after=x', 'at=x', 'at=-1', 'at=1&after=' . $page->{next}, 'at=99999999999999999999', 'after=na0000000000000000.x', "sort=name&after=$page->{next}", 'after=pdx000000000000000.x';
error_is(tags('q=%'), 400, 'UNSUPPORTED', 'a query that is not encoded');
is scalar(@{ tags('n=1000')->json->{tags} }), 12, 'a large n is a smaller one';

# what the registry does not allow
$s->config("readonly = true;\n");
$s->replace_workers;
is_deeply tags()->json->{may}, ['pull'], 'a registry that is read-only lets nobody change anything';
is all('sort=name&n=2'), join(' ', sort(grep({ $_ ne 'edge' } @pushed), qw(later more one two multi))), 'and has the same list';
is all('n=100'), 'two multi one more latest later pr-7 1.10 1.2 1.10-rc1 v1.10 1.9', 'by push as well';
$s->stop;
done_testing;
