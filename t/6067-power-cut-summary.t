#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A power cut tears a summary anywhere: what is not flushed is zeros, or missing, from any byte on or in the midst. It ends the epoch, so the next start makes
# the summary anew; what is taken from the old one until then, since it follows from content, is never wrong. (What a power cut leaves of the order of calls
# where the epoch goes on: t/6057-power-cut-shared.t.)
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Berth::Test;
use Berth::Auth;
use Berth::Check;
use Berth::GC;

my $json = JSON::PP->new->canonical->utf8;
my $dir = tmp_dir();
spew("$dir/htpasswd", htpasswd(anna => 'pw'));
my @anna = basic('anna', 'pw');
my $config = "delete = true;\nfsync = \"off\";\nauth = { htpasswd = \"$dir/htpasswd\"; access = ( " . rule('anna', '**', 'pull push delete') . " ); };\n";
my $s = Berth::Server->start(root => quick_dir(300) . '/store', config => $config, workers => 2);
my $seed = $ENV{SEED} // int rand 2**31;
srand $seed;
note "SEED=$seed";
sub req { my ($method, $path, %o) = @_; return $s->req($method, $path, %o, headers => [@anna, @{ $o{headers} // [] }], timeout => 120) }
sub rows { return $json->encode([sort { $a->{tag} cmp $b->{tag} } @{ req(GET => "/berth/v1/repos/$_[0]/tags?n=100&sort=name")->json->{tags} }]) }

# a repository with something of everything, the half of it behind the rows
my @m;
req(POST => '/v2/seed/blobs/uploads/?digest=' . sha256($_), body => $_)->status == 201 or die for '{}', 'layer', map { config_of($_) } 1 .. 12;
sub config_of { return $json->encode({ os => 'linux', architecture => "arch$_[0]", created => sprintf '2025-01-%02dT00:00:00Z', $_[0] }) }
sub put { my ($tag, $m, $type) = @_; req(PUT => "/v2/seed/manifests/$tag", body => $m, headers => ['Content-Type' => $type // OCI_MANIFEST])->status == 201 or die $tag; return }
for my $i (1 .. 12) {
	my $m = image_of(OCI_MANIFEST, config_of($i), 'layer');
	push @m, $m;
	put("t$i", $m);
	req(GET => '/berth/v1/repos/seed/tags') if $i == 6;
	if ($i == 6) {
		unlink $s->root . '/berth/index/seed/_summary' or die;
		req(GET => '/berth/v1/repos/seed/tags');
	}
}
my $index = $json->encode({ schemaVersion => 2, mediaType => OCI_INDEX, manifests => [map { { %{ JSON::PP::decode_json(desc(OCI_MANIFEST, $_)) }, platform => { os => 'linux', architecture => 'x' } } } @m[0 .. 2]] });
put('multi', $index, OCI_INDEX);
my $sbom = $json->encode({ %{ JSON::PP::decode_json(image_of(OCI_MANIFEST, '{}', 'layer')) }, artifactType => 'application/spdx+json', subject => JSON::PP::decode_json(desc(OCI_MANIFEST, $m[3])) });
put(sha256($sbom), $sbom);
req(GET => '/v2/seed/manifests/t3');
req(DELETE => '/v2/seed/manifests/t5');
my $want = rows('seed');
my $summary = slurp($s->root . '/berth/index/seed/_summary');
is scalar(() = $want =~ /"tag":/g), 12, 'the list that a power cut must not change';
like $want, qr/"by":"anna".*"pulled":/s, '... with all that is noted';

# torn - what a power cut may leave: cut off, zeros from a byte on, zeros in a page or two, an older beginning with zeros behind
sub torn
{
	my ($text) = @_;
	my ($at, $to) = sort { $a <=> $b } int rand length $text, int rand length $text;
	my $how = int rand 5;

	return substr $text, 0, $at if $how == 0;
	return substr($text, 0, $at) . "\0" x (length($text) - $at) if $how == 1;
	substr($text, $at, $to - $at) = "\0" x ($to - $at) if $how == 2;
	substr($text, $at, 40) = "\0" x length substr $text, $at, 40 if $how == 3;
	substr($text, $at - $at % 512, 512) = "\0" x length substr $text, $at - $at % 512, 512 if $how == 4;
	return $text;
}

my $REPOS = is_long() ? 600 : 150;
$s->stop_workers;
my $v2 = data_dir($s) . '/repositories';
for my $i (1 .. $REPOS) {
	run('cp', '-a', "$v2/seed", "$v2/r$i")->{status} == 0 && run('cp', '-a', $s->root . '/berth/index/seed', $s->root . "/berth/index/r$i")->{status} == 0 or die;
	run('cp', '-a', $s->root . '/berth/pulled/seed', $s->root . "/berth/pulled/r$i")->{status} == 0 or die;
	spew($s->root . "/berth/index/r$i/_summary", $i == 1 ? $summary : torn($summary));
}
$s->start_workers;
my (@wrong, $lost, $known);
for my $i (1 .. $REPOS) {
	my $is = rows("r$i");
	# who pushed a tag is known from the old file alone
	$known += () = $is =~ /"by":"anna"/g;
	my $without = sub { return $_[0] =~ s/"by":"anna",//gr };
	push @wrong, "r$i: $is" if $without->($is) ne $without->($want);
	$lost++ if $is ne $want;
}
is join("\n", @wrong), '', "after a start $REPOS torn summaries are noticed, and nothing wrong is taken from them" or diag "SEED=$seed";
cmp_ok $known, '>', 12, "what is whole in them is used ($known names, $lost without all of them)";
is rows('r1'), $want, 'of one that is whole everything';
my $fsck = run(program('berth'), '--config', $s->config_file, '--root', $s->root, 'fsck', '--json');
is join("\n", grep { /index-summary/ } split /\n/, $fsck->{out}), '', 'fsck finds the summaries right';

# in the same epoch nothing tears a file but a fault of the disk: it is noticed where it is read, and by fsck
@wrong = ();
for my $i (1 .. $REPOS) {
	my $path = $s->root . "/berth/index/r$i/_summary";
	spew($path, torn(slurp($path)));
}
my $said = run(program('berth'), '--config', $s->config_file, '--root', $s->root, 'fsck', '--json');
like $said->{out}, qr/"kind":"index-summary"/, 'fsck finds those that are torn';
for my $i (1 .. $REPOS) {
	my ($first, $then) = map { req(GET => "/berth/v1/repos/r$i/tags?n=100&sort=name")->status } 1, 2;
	push @wrong, "r$i: $first $then" if $then != 200;
}
is join("\n", @wrong), '', 'a list that finds one corrupt makes it anew';
$s->stop;
done_testing;
