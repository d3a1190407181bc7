#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# berth index rebuild: indexes that a disk has spoilt are made again from the links, while the registry serves.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path remove_tree);
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n");
my ($subject, $text) = $s->push_image('team/app', 'one', layers => ['layer']);
$s->push_image('team/app', $_, layers => ['layer']) for qw(two three);
$s->push_image('other', 'one', layers => ['layer']);
$s->push_blob('team/app', '{}');
my $referrer = sprintf '{"schemaVersion":2,"mediaType":"%s","config":%s,"layers":[],"subject":%s}', OCI_MANIFEST,
	desc('application/x', '{}'), desc(OCI_MANIFEST, $text);
is $s->req('PUT', '/v2/team/app/manifests/' . sha256($referrer), headers => ['Content-Type' => OCI_MANIFEST], body => $referrer)->status,
	201, 'an image has a referrer';

my $index = $s->root . '/berth/index';
my @want = (
	['/v2/_catalog', { repositories => ['other', 'team/app'] }],
	['/v2/team/app/tags/list', { name => 'team/app', tags => [qw(one three two)] }],
);
sub referrers { return map { $_->{digest} } @{ $s->req('GET', "/v2/team/app/referrers/$subject")->json->{manifests} } }
sub all_right
{
	my ($when) = @_;
	is_deeply $s->req('GET', $_->[0])->json, $_->[1], "$_->[0] is right $when" for @want;
	is join(' ', referrers()), sha256($referrer), "so are the referrers $when";
}
all_right('at first');

# what a disk may do to them
sub spoil
{
	spew("$index/team/app/_names/root", "rubbish\n");
	unlink "$index/team/app/_list";         # or nobody would notice
	spew("$index/_catalog/root", "1 2\n1 \n");
	unlink glob("$index/team/app/_referrers/sha256/*/*");
}
spoil();
is $s->req('GET', '/v2/team/app/tags/list')->status, 500, 'a spoilt index is an error';
ok((grep { ($_->{cause} // '') =~ /berth index rebuild/ } $s->log_events), 'whose line in the log says what mends it');
is scalar(referrers()), 0, 'and a lost entry is missed';

my @berth = (program('berth'), '--root', $s->root, 'index', 'rebuild');
my $r = run(@berth);
is $r->{status}, 0, 'the indexes are made again while the registry serves' or diag($r->{err});
is $r->{out}, "rebuilt the catalog and the indexes of 2 repositories\n", 'and how many is said';
all_right('after it');

spoil();
is run(@berth, 'team/app')->{out}, "rebuilt the index of team/app\n", 'one repository by itself';
is_deeply $s->req('GET', '/v2/team/app/tags/list')->json, $want[1][1], 'is right again';
is run(@berth)->{status}, 0, 'and then the rest';
all_right('after that');

is $s->req('DELETE', "/v2/team/app/manifests/$subject")->status, 202, 'a manifest is deleted';
is_deeply $s->req('GET', '/v2/team/app/tags/list')->json->{tags}, [qw(three two)], 'with the tag that pointed to it';

# The same damage to what has no names any more.
is $s->req('DELETE', "/v2/team/app/manifests/$_")->status, 202, "the tag $_ is deleted" for qw(two three);
spew("$index/team/app/$_/root", "rubbish\n") for qw(_names _tags);
is $s->req('GET', '/v2/team/app/tags/list')->status, 500, 'a spoilt index without tags is an error';
is run(@berth, 'team/app')->{status}, 0, 'it is made again';
is $s->req('GET', '/v2/team/app/tags/list')->body, qq({"name":"team/app","tags":null}\n), 'and has no tags';
$s->push_image('team/app', 'one', layers => ['layer']);
is_deeply $s->req('GET', '/v2/team/app/tags/list')->json->{tags}, ['one'], 'until one is pushed';

# What is no directory, or no file, where an index has one.
for my $what (qw(_names _tags _referrers _epoch)) {
	my $path = "$index/team/app/$what";
	my $dir = -d $path;
	remove_tree($path);
	$dir ? spew($path, 'x') : make_path("$path/inside");
	is run(@berth, 'team/app')->{status}, 0, "the index is made again with a " . ($dir ? 'file' : 'directory') . " in the place of $what";
	my ($d) = $s->push_image('team/app', 'one', layers => ['layer', $what]);
	is_deeply $s->req('GET', '/v2/team/app/tags/list')->json->{tags}, ['one'], 'and it serves';
}

# What a power cut may leave of a catalog that nobody has flushed. After the start it is one of an older epoch, which nobody believes.
for my $root ('', "\0" x 30, "1 99\n98 \n") {
	my $repo = 'new/r' . length $root;

	$s->stop_workers;
	spew("$index/_catalog/root", $root);
	$s->start_workers;
	$s->push_image($repo, 'one', layers => ['layer']);
	is $s->req('GET', "/v2/$repo/tags/list")->status, 200, 'a push to a new repository does not need a catalog that a power cut has torn';
	ok grep({ $_ eq $repo } @{ $s->req('GET', '/v2/_catalog')->json->{repositories} }), '... and the catalog has it';
}
$s->stop_workers;
spew("$index/_catalog/root", '');
$s->start_workers;
is run(program('berth'), '--root', $s->root, 'repo', 'rm', 'other')->{status}, 0, 'nor does the removal of a repository';
spew("$index/_catalog/root", '');
is_deeply $s->req('GET', '/v2/_catalog')->json->{repositories}, [qw(new/r0 new/r30 new/r9 team/app)], '... and the catalog is right';

is run(@berth, 'none')->{status}, 1, 'a repository that is not there is a fault';
is run(@berth, 'No')->{status}, 1, 'so is what is no name';
is run(@berth, 'a', 'b')->{status}, 2, 'two names are wrong usage';
is run(program('berth'), '--root', $s->root, 'index')->{status}, 2, 'so is no verb';
is run(program('berth'), '--root', $s->dir . '/none', 'index', 'rebuild')->{status}, 1, 'a store that is not there is a fault';

done_testing;
