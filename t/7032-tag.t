#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# berth tag list and rm, beside a registry that serves.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::GC;
use Berth::Repo;

my $s = Berth::Server->start(config => "fsync = \"off\";\n");
my ($d1, $m1) = $s->push_image('team/app', 'v1', type => 'oci', layers => ['one']);
my ($d2, $m2) = $s->push_image('team/app', 'V2', layers => ['two']);
$s->push_manifest('team/app', $_, $m1, OCI_MANIFEST) for 'latest', 'v1.0', '_x';
$s->push_image('team/app/nested', 'deep', layers => ['three']);
$s->push_blob('untagged', 'blob');

my $r = berth_ok($s, 'tag', 'list', 'team/app', 'tags are listed');
is $r->{out}, "V2 $d2\n_x $d1\nlatest $d1\nv1 $d1\nv1.0 $d1\n", 'in byte order, each with its digest';
$r = berth_ok($s, 'tag', 'list', '--json', 'team/app', 'and as JSON');
is_deeply [map { [@$_{qw(kind repository tag digest)}] } objects_of($r)], [map { ['tag', 'team/app', @$_] } ['V2', $d2], map { [$_, $d1] } qw(_x latest v1 v1.0)], 'one object a line';
is berth_ok($s, 'tag', 'list', 'untagged', 'a repository without tags is no error')->{out}, '', 'it has none';
mkdir repo_dir_of($s, 'team/app') . '/_manifests/tags/leftover';
lay_file(tag_link($s, 'team/app', 'spoilt'), '');
unlike berth_ok($s, 'tag', 'list', 'team/app', 'what a crash left is no error')->{out}, qr/leftover|spoilt/, 'and no tag';
run('rm', '-r', map { repo_dir_of($s, 'team/app') . "/_manifests/tags/$_" } 'leftover', 'spoilt');

berth_says($s, ['tag', @$_], 2, qr/^usage: berth/m, "used wrongly: tag @$_") for [], ['list'], ['list', 'a', 'b'], ['rm', 'team/app'], ['rm', '--json', 'team/app', 'v1'], ['mv', 'a'];
berth_says($s, ['tag', 'rm', 'team/app', 'v1', $_], 2, qr/is not a valid tag$/, "no tag: $_") for $d1, 'x' x 129, "v\n", '../v1', '';
berth_says($s, ['tag', $_->[0], 'Team', @$_[1 .. $#$_]], 2, qr/is not a valid repository name$/, "no name: tag @$_") for ['list'], ['rm', 'v1'];
berth_says($s, ['tag', @$_], 1, qr/^berth: there is no repository other$/, "an unknown repository: tag @$_") for ['list', 'other'], ['rm', 'other', 'v1'];
is tags_of($s, 'team/app'), 'V2 _x latest v1 v1.0', 'nothing of all that removed a tag';

berth_says($s, ['tag', 'rm', 'team/app', 'v1', 'nothing', '_x'], 1, qr/^berth: team\/app has no tag nothing$/, 'of several tags, one that is not there is told');
is tags_of($s, 'team/app'), 'V2 latest v1.0', 'and the others go';
error_is($s->req('GET', '/v2/team/app/manifests/v1'), 404, 'MANIFEST_UNKNOWN', 'a tag that is gone is unknown');
is $s->req('GET', "/v2/team/app/manifests/$d1")->body, $m1, 'its manifest stays';
is $s->req('GET', '/v2/team/app/manifests/latest')->body, $m1, 'under its other tag, too';
berth_ok($s, 'tag', 'rm', 'team/app', 'latest', 'v1.0', 'the last ones are removed, whatever the registry lets clients delete');
is tags_of($s, 'team/app'), 'V2', 'and gone at once';
is leftovers($s), '', 'nothing is left in the trash';
ok !grep({ m{^team/app/_tags/} && slurp($s->root . "/berth/index/$_") =~ / (?:v1|latest)$/m } files_below($s->root . '/berth/index')), 'nor in the index';
is join(' ', fsck_kinds($s)), '', 'fsck finds nothing wrong';
gc_ok($s, '--untagged', '--grace', '0s', 'a collection ends with 0') if select(undef, undef, undef, 1.1) || 1;
ok !-e blob_file($s, $d1), 'and takes what has no tag any more';
is tags_of($s, 'team/app/nested'), 'deep', 'a nested repository is untouched';

# beside pushes of the same tags
{
	my @bad = run_parallel(3, sub {
		my ($i) = @_;
		my @f;
		for my $n (1 .. 25) {
			if ($i == 2) {
				my $x = berth($s, 'tag', 'rm', 'race', 't0', 't1');
				push @f, "rm: $x->{status} $x->{err}" if $x->{status} && $x->{err} !~ /has no tag|no repository race/;
				next;
			}
			my ($d) = eval { $s->push_image('race', "t$i", layers => ["of $i"], config => qq({"n":"$i $n"})) };
			push @f, "push: $@" if !$d;
			my $x = $s->req('GET', "/v2/race/manifests/$d");
			push @f, "$d is " . $x->status if $x->status != 200;
		}
		return [@f];
	});
	is join("\n", map { ref eq 'ARRAY' ? @$_ : $_->{died} } @bad), '', 'tags are pushed and removed at once, and nothing fails';
	is join(' ', dangling_tags($s)), '', 'no tag points to nothing';
	is join(' ', fsck_kinds($s)), '', 'and fsck finds nothing wrong';
}
ok !(grep { ($_->{status} // 0) >= 500 } $s->log_events), 'no request ended with 5xx';

done_testing;
