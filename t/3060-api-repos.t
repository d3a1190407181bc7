#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Repositories with what is known of each: in every order, page by page, and for everybody only what they may pull.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Berth::Test;
use Berth::Auth;
use Berth::Check;
use Berth::GC;

my $dir = tmp_dir();
spew("$dir/htpasswd", htpasswd(map { $_ => "$_-pw" } qw(all team none)));
my $rules = join ', ', rule('all', '**', 'pull push delete'), rule('team', 'team/**', 'pull');
my $conf = "delete = true;\nrules = ( { repo = \"team/**\"; immutable = [ \"1.*\" ]; max_tags = 50; } );\nauth = { htpasswd = \"$dir/htpasswd\"; access = ( $rules ); };\n";
my $s = Berth::Server->start(config => "delete = true;\nrules = ( { repo = \"team/**\"; immutable = [ \"1.*\" ]; max_tags = 50; } );\n", workers => 2);
my @as;
sub repos { my ($query, @o) = @_; return $s->req(GET => '/berth/v1/repos' . ($query ? "?$query" : ''), @o ? @o : (headers => [@as])) }
sub all
{
	my ($query) = @_;
	my ($after, $pages, @names) = ('', 0);

	do {
		my $r = repos("$query&after=$after");
		die $r->as_string if $r->status != 200;
		push @names, map { $_->{name} } @{ $r->json->{repos} };
		$after = $r->json->{next};
		$pages++;
	} while (defined $after && $pages < 1000);
	return wantarray ? ("@names", $pages) : "@names";
}

is_deeply repos()->json->{repos}, [], 'a registry without repositories';
my @names = qw(zoo team/app team/web alone team/deep/est b);
for my $i (0 .. $#names) {
	$s->push_image($names[$i], "t$_", type => 'oci') for 1 .. ($i * 5) % 6 + 1;
}
my $r = repos();
is $r->status, 200, 'a list' or diag $r->as_string;
my ($app) = grep { $_->{name} eq 'team/app' } @{ $r->json->{repos} };
like delete $app->{pushed}, qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ\z/, 'with the time of the last push';
is_deeply { map { $_ => $app->{$_} } qw(name tags newest rules mirror) }, { name => 'team/app', tags => 6, newest => 't6', rules => [qw(immutable max_tags)], mirror => undef }, 'and what is known of it';
is_deeply [map { $_->{rules} } grep { $_->{name} eq 'zoo' } @{ $r->json->{repos} }], [[]], 'no rule is about another one';
is all(''), join(' ', sort @names), 'by name';
is all('sort=name&order=desc'), join(' ', reverse sort @names), 'from the end';
is all('sort=pushed'), join(' ', reverse @names), 'by push, the latest first';
is all('sort=pushed&order=asc'), "@names", 'or last';
my %tags = map { $names[$_] => ($_ * 5) % 6 + 1 } 0 .. $#names;
is all('sort=tags'), join(' ', sort { $tags{$b} <=> $tags{$a} } @names), 'by the number of tags';
for my $order (qw(sort=name sort=name&order=desc sort=pushed sort=tags)) {
	my $whole = all("$order&n=100");
	for my $n (1, 2, 6) {
		my ($is, $pages) = all("$order&n=$n");
		is $is, $whole, "$order: pages of $n have the same in the same order";
		is $pages, int((6 + $n - 1) / $n), 'on as many pages as it takes';
	}
}
is all('q=team/'), 'team/app team/deep/est team/web', 'names that contain a text';
is repos('q=team/')->json->{total}, 3, 'and how many';
is all('q=app&sort=pushed&n=1'), 'team/app', 'in any order';
my $etag = repos()->header('Etag');
is repos('', headers => ['If-None-Match' => $etag])->status, 304, 'who has the list does not get it again';
$s->req(DELETE => '/v2/zoo/manifests/t1');
$r = repos('', headers => ['If-None-Match' => $etag]);
is $r->status, 200, 'until it changes';
($app) = grep { $_->{name} eq 'zoo' } @{ $r->json->{repos} };
is_deeply { map { $_ => $app->{$_} } qw(tags pushed newest) }, { tags => 0, pushed => undef, newest => undef }, 'a repository without tags has no last push';
$s->push_image('zoo', 'again', type => 'oci');
is((split / /, all('sort=pushed'))[0], 'zoo', 'a push brings one to the front');

# sizes are those of the last collection
is repos()->json->{as_of}, undef, 'without a collection no sizes are known';
$s->push_blob($_, 'in two') for 'b', 'alone';
gc_ok($s, '--grace', '1h', 'a collection');
like repos()->json->{as_of}, qr/^20\d\d-/, 'says when they were measured';
for my $d (run_ok(program('berth'), '--root', $s->root, 'repo', 'du', '--json', 'the command measures, too') =~ /(\{"kind":"repository".*\})/g) {
	my $du = JSON::PP::decode_json($d);
	($app) = grep { $_->{name} eq $du->{repository} } @{ repos()->json->{repos} };
	is join(' ', @$app{qw(bytes own shared)}), join(' ', $du->{own} + $du->{shared}, @$du{qw(own shared)}), "$du->{repository}: the same bytes";
}
my %bytes = map { $_->{name} => $_->{bytes} } @{ repos()->json->{repos} };
is all('sort=size&n=2'), join(' ', sort { $bytes{$b} <=> $bytes{$a} || $b cmp $a } @names), 'the largest first';
spew($s->root . '/berth/index/_sizes', "berth-sizes 1 5\nb 1 2\n");
unlink $s->root . '/berth/index/_repos' or die;
is repos()->json->{as_of}, undef, 'a file without an end is none';

error_is(repos('sort=version'), 400, 'UNSUPPORTED', 'an order that this list does not have');
error_is(repos($_), 400, 'PAGINATION_NUMBER_INVALID', $_) for qw(n=0 after=x sort=pushed&after=na0000000000000000.x);

# who may see what
$s->config($conf);
$s->replace_workers;
error_is(repos(), 401, 'UNAUTHORIZED', 'nobody without a login');
@as = basic('all', 'all-pw');
is all(''), join(' ', sort @names), 'who may pull all sees all';
@as = basic('team', 'team-pw');
for my $order ('', 'sort=pushed', 'sort=tags', 'sort=name&order=desc', 'q=e', 'n=1', 'n=1&sort=pushed') {
	is join(' ', sort split / /, all($order)), 'team/app team/deep/est team/web', "who may pull some sees these: $order";
}
is repos('q=e')->json->{total}, 3, 'and no number tells of others';
is_deeply $s->req(GET => '/berth/v1/repos/team/app/tags', headers => [@as])->json->{may}, ['pull'], 'and what is allowed there';
error_is($s->req(GET => '/berth/v1/repos/zoo/tags', headers => [@as]), 403, 'DENIED', 'of another one there is nothing');
error_is($s->req(GET => '/berth/v1/repos/no/where/tags', headers => [@as]), 403, 'DENIED', 'as of one that does not exist');
@as = basic('none', 'none-pw');
is all(''), '', 'who may pull nothing sees nothing';
$s->stop;
done_testing;
