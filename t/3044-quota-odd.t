#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Tables that are damaged or no tables, rules that cannot be read, links that another registry has made, content that is missing or wrong: it is
# counted again where berth can know, and fsck finds the rest.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path remove_tree);
use JSON::PP ();
use POSIX ();
use Berth::Test;
use Berth::Check;
use Berth::Quota;

my $config = "delete = true;\nrules = ( { repo = \"team/*\"; quota = \"1 MiB\"; } );\n";
my $s = Berth::Server->start(config => $config, workers => 1);
my $root = $s->root;
my $table = quota_table_file($root, 'team/red');
my $n = 0;

sub blob { my ($repo, $b) = @_; return $s->req('POST', "/v2/$repo/blobs/uploads/?digest=" . sha256($b), body => $b)->status }
sub berth { return run(program('berth'), '--config', $s->config_file, '--root', $root, @_) }
sub counted { my ($what) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; return is quota_fault($root, 'team/red'), '', "$what: counted" }
sub findings { my ($r) = @_; return map { JSON::PP->new->utf8->decode($_) } grep { !/"summary"/ } split /\n/, $r->{out} }
sub fresh { return 'bytes of ' . ++$n }

is blob('team/red/app', fresh()), 201, 'a blob';
counted('at first');

# A worker keeps a table open, so each damage is one that a restart meets, or the file's own bytes.
my @damage = (
	['empty', sub { spew($table, '') }],
	['cut off within the header', sub { spew($table, substr slurp($table), 0, 100) }],
	['cut off behind the header', sub { truncate $table, 4096 or die $! }],
	['of zeros', sub { spew($table, "\0" x 8192) }],
	['of other bytes', sub { spew($table, random_bytes(8192)) }],
	['a directory', sub { unlink $table; mkdir $table or die $! }],
	['a symbolic link', sub { unlink $table; symlink '/dev/null', $table or die $! }],
	['a FIFO', sub { unlink $table; POSIX::mkfifo($table, 0600) or die $! }],
	['missing', sub { unlink $table }],
);
for my $d (@damage) {
	my ($what, $do) = @$d;

	$s->stop_workers;
	$do->();
	$s->start_workers;
	is blob('team/red/app', fresh()), 201, "a table that is $what: a push succeeds";
	counted("a table that is $what");
}
for my $d (grep { $_->[0] =~ /^(?:cut|of)/ } @damage) {
	my ($what, $do) = @$d;

	open my $keep, '+<', $table or die $!;          # in place: the worker has it open
	my $was = -s $table;
	my $bytes = do { local (*STDOUT); my $copy = "$table.x"; spew($copy, slurp($table)); my $t = $table; $table = $copy; $do->(); my $out = slurp($copy); unlink $copy; $table = $t; $out };
	truncate $keep, 0 or die $!;
	print {$keep} $bytes;
	close $keep;
	is blob('team/red/app', fresh()), 201, "one that becomes $what while it is open: a push succeeds";
	counted("one that becomes $what while it is open");
}

# --- wrong counts: nobody can tell while they look right, but fsck
sub set_used { my ($used) = @_; open my $h, '+<', $table or die $!; seek $h, 56, 0; print {$h} pack 'Q', $used; close $h; return }
my $true = quota_table($root, 'team/red')->{used};
is_deeply [findings(berth('fsck', '--json'))], [], 'fsck finds nothing wrong';
set_used($true + 5);
my @found = findings(berth('fsck', '--json'));
is_deeply [map { "$_->{kind} $_->{where}" } @found], ['quota-count team/red'], 'fsck finds a sum that is wrong' or diag(explain(\@found));
like $found[0]{what}, qr/^its table says @{[ $true + 5 ]} bytes in \d+ blobs and manifests, the links say $true in \d+$/, '... and says what it is';
like berth('fsck', '--repair')->{out}, qr/ 1 found, 1 repaired/, '... and repairs it';
is blob('team/red/app', fresh()), 201, 'the next push';
counted('after a repair');
{
	my $t = slurp($table);
	my ($at) = grep { unpack('L', substr $t, 4096 + $_ * 32 + 20, 4) } 0 .. 127;
	open my $h, '+<', $table or die $!;
	seek $h, 4096 + $at * 32 + 20, 0;
	print {$h} pack 'L', 7;
	close $h;
}
is_deeply [map { $_->{kind} } findings(berth('fsck', '--json', '--repair'))], [], 'fsck believes the sums where they are right: a count alone is wrong';
$s->stop_workers;
$s->start_workers;
is blob('team/red/app', fresh()), 201, 'the next epoch';
counted('counts anew');
spew("$root/berth/quota/junk", 'x');
is_deeply [map { "$_->{kind} $_->{where}" } findings(berth('fsck', '--json'))], ['foreign-name berth/quota/junk'], 'fsck finds what does not belong there';
unlink "$root/berth/quota/junk";

# --- a damaged table that has to grow: nothing but writing it anew reads all of it
sub bucket_of
{
	my ($b, $slots, $seed) = @_;
	my ($one, $two) = unpack 'Q2', pack 'H*', sha256($b) =~ s/^sha256://r;
	no warnings 'portable';
	my $mix = sub { my $h = do { use integer; ($_[0] ^ $_[1]) * 0x9e3779b97f4a7c15 }; $h = unpack 'Q', pack 'q', $h; return $h ^ $h >> 29 };
	my $h = $mix->($mix->($mix->($seed, $one), $two), $seed);

	return ($h ^ $h >> 32) & ($slots - 1) & ~127;
}
sub of_bucket { my ($want) = @_; my $t = quota_table($root, 'team/full'); while (1) { my $b = fresh(); return $b if bucket_of($b, $t->{slots}, $t->{seed}) == $want } }

$s->stop_workers;
lay_blob($s, 'team/full/app', fresh()) for 1 .. 174;
$s->start_workers;
$s->at_rest;            # what counts at a start would count once more where the table is damaged
is blob('team/full/app', fresh()), 201, 'a push to a group with much in it';
my $full = quota_table_file($root, 'team/full');
is_deeply [@{ quota_table($root, 'team/full') }{qw(slots filled)}], [256, 175], 'its table is full';
my $gone = of_bucket(0);
truncate $full, 4096 + 128 * 32 or die $!;
is blob('team/full/app', $gone), 201, 'a push succeeds where a part of the table is missing that is read only to make it larger';
is quota_fault($root, 'team/full'), '', '... counted';
$gone = of_bucket(128);
is blob('team/full/app', $gone), 201, 'a push';
truncate $full, 4096 + 128 * 32 or die $!;
is $s->req('DELETE', '/v2/team/full/app/blobs/' . sha256($gone))->status, 202, 'a blob is deleted whose record is missing';
isnt quota_fault($root, 'team/full'), '', '... without counting';
is blob('team/full/app', fresh()), 201, 'the next push';
is quota_fault($root, 'team/full'), '', '... counts';

# --- rules that cannot be read
my $rules = "$root/berth/quota/rules";
$s->stop_workers;
for my $text ('', 'x', "0000000000000000 0000000000000001\nteam/* 1\n", "0123456789abcdef\nteam/* 1\n", "0123456789abcdef 0123456789abcdef\nteam/* 1",
	"0123456789abcdef 0123456789abcdef\n\n\n x 1\nteam/*\nteam/* \nteam/* x\n", random_bytes(300)) {
	spew($rules, $text);
	is berth('repo', 'rm', 'no/such')->{status}, 1, 'a command meets rules that are none';
	$s->start_workers;
	is blob('team/red/app', fresh()), 201, 'a master writes its own';
	like slurp($rules), qr/\A[0-9a-f]{16} [0-9a-f]{16}\nteam\/\* 1048576\n\z/, '... anew';
	counted('rules that are none');
	$s->stop_workers;
}
lay_blob($s, 'team/blue/odd', fresh());
spew($rules, "0123456789abcdef 0123456789abcdef\n" . 'a' x 100_000 . " 1\nteam/** 1000\n//* 1\n");
spew(my $none = tmp_dir() . '/none.conf', '');
is run(program('berth'), '--config', $none, '--root', $root, 'repo', 'rm', 'team/blue/odd')->{status}, 0, 'a command counts by rules with lines that are no rules';
$s->start_workers;

# --- what another registry has left
$s->stop_workers;
my ($hex512) = sha512('foreign') =~ /:(.*)/;
my $d256 = sha256('foreign');
lay_blob($s, 'team/red/two', 'foreign');
my $link = layer_link($s, 'team/red/two', "sha512:$hex512");
lay_file($link, $d256);
make_path(layer_link($s, 'team/red/two', sha256('bare')) =~ s{/link\z}{}r);
lay_file(layer_link($s, 'team/red/two', sha256('empty')), '');
lay_file(layer_link($s, 'team/red/two', sha256('gone')), sha256('gone'));
$s->start_workers;
is blob('team/red/app', fresh()), 201, 'a push beside links of registry:2';
counted('links of registry:2, one without content, one that is empty');
my $used = quota_table($root, 'team/red')->{used};
is blob('team/red/two', 'gone'), 201, 'content that was missing comes back';
counted('content that was missing');
is quota_table($root, 'team/red')->{used}, $used + 4, '... and counts';
is blob('team/red/two', 'empty'), 201, 'a link that was empty is mended';
counted('a link that was empty');
is $s->req('POST', '/v2/team/red/two/blobs/uploads/?digest=' . sha512('foreign'), body => 'foreign')->status, 201, 'a link of another digest is replaced';
is blob('team/red/two', fresh()), 201, 'the next push';
counted('a link that was replaced');
is $s->req('DELETE', "/v2/team/red/two/blobs/sha512:$hex512")->status, 202, 'and removed';
counted('and removed');

# --- fsck repairs
lay_file(layer_link($s, 'team/red/two', $d256), sha256('something else'));
lay_file(layer_link($s, 'team/red/two', sha256('gone')), 'garbage');
like berth('fsck', '--repair')->{out}, qr/ 3 found, 3 repaired/, 'fsck mends links';
is blob('team/red/two', fresh()), 201, 'the next push';
counted('mended links');
spew(blob_file($s, sha256('gone')), 'gonegone');
is blob('team/blue/app', 'blue'), 201, 'another group';
berth('fsck', '--data', '--repair');
ok !-e blob_file($s, sha256('gone')), 'corrupt content is moved away';
is blob("team/$_/app", fresh()), 201, "a push to team/$_" for qw(red blue);
counted('corrupt content that was moved away');
is quota_fault($root, 'team/blue'), '', 'and in the other group';
is berth('fsck')->{status}, 1, 'its link is reported';
is blob('team/red/two', 'gone'), 201, 'it is pushed again';
counted('pushed again');
is berth('fsck')->{status}, 0, 'all is well';
$s->stop;
done_testing;
