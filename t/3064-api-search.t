#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Searching: repositories, tags and digests, the best first, and only what the caller may pull.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;
use JSON::PP ();

my $dir = tmp_dir();
spew("$dir/htpasswd", htpasswd(map { $_ => "$_-pw" } qw(all team)));
my $rules = join ', ', rule('all', '**', 'pull push delete'), rule('team', 'team/**', 'pull');
my $s = Berth::Server->start(config => "delete = true;\nauth = { htpasswd = \"$dir/htpasswd\"; access = ( $rules ); };\n", workers => 2);
my @all = basic('all', 'all-pw');
sub req { my ($m, $p, %o) = @_; return $s->req($m, $p, %o, headers => [@all, @{ $o{headers} // [] }]) }
my %digest;
for my $repo (qw(app team/app team/apple other/app x-app other)) {
	my ($config, $layer) = (qq({"r":"$repo"}), "layer of $repo");
	for my $bytes ($config, $layer) {
		req(POST => "/v2/$repo/blobs/uploads/?digest=" . sha256($bytes), body => $bytes)->status == 201 or die;
	}
	my $m = image_of(OCI_MANIFEST, $config, $layer);
	req(PUT => "/v2/$repo/manifests/$_", body => $m, headers => ['Content-Type' => OCI_MANIFEST])->status == 201 or die for qw(1.4 1.4.1), $repo eq 'other' ? 'app' : ();
	$digest{$repo} = sha256($m);
}
my @as = @all;
sub search { my ($q) = @_; my $r = $s->req(GET => "/berth/v1/search?q=$q", headers => [@as]); die $r->as_string if $r->status != 200; return $r->json }
sub repos { return join ' ', map { $_->{name} } @{ search(@_)->{repos} } }
sub tags { return join ' ', map { "$_->{repo}:$_->{tag}" } @{ search(@_)->{tags} } }
sub digests { return join ' ', map { "$_->{repo}\@$_->{digest}" } @{ search(@_)->{digests} } }

is repos('app'), 'app other/app team/app team/apple x-app', 'the best repository comes first';
is search('app')->{repos}[0]{tags}, 2, 'with what is known of it';
is repos('nothing'), '', 'none';
is tags('app'), 'other:app', 'a tag of this name';
is tags('team/app:'), 'team/app:1.4 team/app:1.4.1', 'all of them behind a colon';
is tags('team/app:1'), 'team/app:1.4 team/app:1.4.1', 'the tags of one repository';
is tags('team/app:1.4.'), 'team/app:1.4.1', 'that begin with a text';
is tags('1.4.'), join(' ', map { "$_:1.4.1" } sort keys %digest), 'or those of all';
is scalar(@{ search('1.4')->{tags} }), 10, 'ten at most';
is((split / /, tags('1.4'))[0], 'app:1.4', 'what is equal before what begins so');
is digests(substr $digest{'team/app'}, 7, 12), "team/app\@$digest{'team/app'}", 'a manifest by the beginning of its digest';
is digests(substr $digest{app}, 0, 20), "app\@$digest{app}", 'with its algorithm';
is digests(sha256('layer of app')), 'app@' . sha256('layer of app'), 'a blob by all of it';
is digests(substr $digest{app}, 7, 5), '', 'five digits are too few';
is digests('0' x 64), '', 'one that is not there';
is_deeply [map { search($_)->{more} } 'nothing', 'team/app:1.4.', '1.4.1'], [undef, undef, undef], 'nothing is left out';
is_deeply search('1.4')->{more}, { tags => JSON::PP::true }, 'where there are more it says of what';
# what nobody has used since the start is not read for a search through all, but if it is named; and what is damaged hides nothing else
$s->restart;
is tags('1.4.'), '', 'after a start nothing is compared for it';
is tags('other:1.4.'), 'other:1.4.1', 'but for one repository';
is tags('1.4.'), 'other:1.4.1', 'which is found from then on';
req(GET => "/berth/v1/repos/$_/tags") for sort keys %digest;
is tags('1.4.'), join(' ', map { "$_:1.4.1" } sort keys %digest), 'as are all, once somebody has listed them';

@as = basic('team', 'team-pw');
is repos('app'), 'team/app team/apple', 'who may pull some finds these';
is tags('1.4.'), 'team/app:1.4.1 team/apple:1.4.1', 'and their tags';
is tags('other:1'), '', 'no others';
is digests($digest{app}), '', 'nor what others have';
is digests($digest{'team/apple'}), "team/apple\@$digest{'team/apple'}", 'only their own';
my $r = $s->req(GET => '/berth/v1/search?q=x', headers => []);
error_is($r, 401, 'UNAUTHORIZED', 'nobody without a login');
error_is($s->req(GET => "/berth/v1/search$_", headers => [@as]), 400, 'UNSUPPORTED', "refused: $_") for '', '?q=', '?q=%', '?q=' . 'x' x 513, '?q=a%00b';
is $s->req(GET => '/berth/v1/search?q=' . '%22%5c%0a%ff', headers => [@as])->status, 200, 'any other text is one';
$s->stop;
done_testing;
