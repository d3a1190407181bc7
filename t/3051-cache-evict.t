#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What goes from a cache of other registries, and what stays: by idle, by size in the order of the last pull, what is pinned, what a pushed image has as well; and that
# an eviction reads no pushed repository.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Cache;
use Berth::Repo;
use Berth::Trace;
use Berth::Upstream;

my $u = Berth::Upstream->start;
my $KIB = 1024;
my $s = mirror(upstreams => [['up', $u, 'fresh = "1h";'], ['other', $u]], more => qq(delete = true;\ncache = { max_size = "1000 KiB"; idle = "10h"; };\n));
$s->at_rest;

sub size { return -e $s->root . '/berth/mirror/_size' ? slurp($s->root . '/berth/mirror/_size') + 0 : undef }
sub each_size { my %of = map { /^(\d+) (\S+)$/ ? ($2, $1) : () } split /\n/, slurp($s->root . '/berth/mirror/_sizes'); return join ' ', map { "$_=$of{$_}" } sort keys %of }
sub evict { return evict_ok($s, @_) }
sub sum { my ($r) = @_; return (objects_of($r))[-1] }
sub here { my ($i) = @_; return join '', map { -e blob_file($s, $_) ? 1 : 0 } $i->{digest}, $i->{config}, @{ $i->{layers} } }
sub alone { my ($d) = @_; return (stat blob_file($s, $d))[2] & 01000 ? 1 : 0 }

# image - upstream has it; KiB of its layers
sub image { my ($repo, @kib) = @_; return { repo => $repo, kib => $kib[0], %{ $u->image($repo, '1', layers => [map { random_bytes($_ * $KIB) } @kib]) } } }

# fetch - pull it; old: as if that had been so many hours ago
sub fetch
{
	my ($i, $old, $up) = @_;
	my $repo = ($up // 'up') . "/$i->{repo}";
	my $p = pull($s, $repo, '1');

	is $p->{fault}, '', "$i->{repo} of $i->{kib} KiB is pulled";
	# a client has a blob before a worker does
	wait_for { !grep { !-e layer_link($s, $repo, $_) } $i->{config}, $i->{kib} > 100 ? () : @{ $i->{layers} } } or diag "$repo is not kept";
	wait_for { !spooled($s) && size() <= 1000 * $KIB } or diag "$repo is too much";
	return $i if !$old;
	$s->at_rest;            # an eviction that goes on would take it
	make_older($repo, $i, $old);
	return $i;
}

sub make_older { my ($repo, $i, $hours) = @_; return pulled_before($s, $repo, $i, $hours * 3600) }

# --- what is counted

my $a = fetch(image('a', 100));
my $all = 0;
$all += -s blob_file($s, $_) for $a->{digest}, $a->{config}, @{ $a->{layers} };
is size(), $all, 'what only a mirror has is counted';
is join('', map { alone($_) } $a->{digest}, $a->{config}, @{ $a->{layers} }), '111', 'and its files say so';
is fetch($a)->{repo}, 'a', 'again';
is size(), $all, 'a hit changes nothing';
fetch({ %$a, repo => 'a' }, 0, 'other');
is size(), $all, 'nor does another mirror with the same image';
my ($metric) = $s->req(GET => '/metrics')->body =~ /^berth_cache_bytes (\d+)$/m;
is $metric, $all, 'the metric says the same' if defined $metric;

# --- idle

my $layer = layer_link($s, 'up/a', $a->{layers}[0]);
make_older('other/a', $a, 11);
utime time - 11 * 3600, time - 11 * 3600, map { layer_link($s, 'up/a', $_) } $a->{config}, @{ $a->{layers} };
fetch(image('b', 10), 9);
is pull($s, 'up/a', '1')->{fault}, '', 'a hit after eleven hours';
cmp_ok time - (stat $layer)[9], '<', 3600, 'notes the pull of a layer';
my $r = sum(evict());
is "$r->{manifests} $r->{links} $r->{blobs} $r->{bytes}", '1 2 0 0', 'what nobody pulled for "idle" goes from a repository; what another one has stays';
is here($a), '111', 'the bytes are still there';
is each_size(), 'other=0 up=' . size(), 'what is left of it is noted for the upstream that has it';
ok !-e tag_link($s, 'other/a', '1') && !-e revision_link($s, 'other/a', $a->{digest}), 'the tag and the manifest are gone';
is join(' ', grep { /other/ } files_below($s->root . '/berth/mirror')), 'other/a/_copied', 'and what was known of them, but that it is a copy';
make_older('up/a', $a, 11);
$r = sum(evict());
is "$r->{manifests} $r->{links} $r->{blobs} $r->{bytes}", "1 2 3 $all", 'with the last link go the bytes';
is here($a), '000', 'all of them';
is size(), $r->{kept_bytes}, 'and the count';
is each_size(), "other=0 up=$r->{kept_bytes}", '... which is noted for each upstream';
$u->forget;
# the relay feeds latecomers from a download that has just ended
ok wait_for { pull($s, 'up/a', '1')->{fault} eq '' && here($a) eq '111' }, 'it is fetched again when it is asked for';
is $u->count('GET blob'), 2, 'each blob once';

# --- shared with a pushed image

my $shared = fetch(image('shared', 20));
for my $d ($shared->{config}, @{ $shared->{layers} }) {
	is $s->req(POST => "/v2/own/app/blobs/uploads/?mount=$d&from=up/shared", headers => ['Content-Length' => 0])->status, 201, 'a blob is mounted from the mirror';
}
is $s->req(PUT => '/v2/own/app/manifests/1', body => $shared->{json}, headers => ['Content-Type' => $shared->{type}])->status, 201, 'and the image pushed';
my $twice = fetch({ %{ image('twice', 30) } });
fetch($twice, 0, 'other');
evict('an eviction that removes nothing');
like each_size(), qr/^other=(3\d{4}) up=(?!0)/, 'what mirrors of two upstreams have counts for both';
is each_size() =~ /up=(\d+)/ ? $1 : '', size(), '... and what is shared with a pushed image for none';
is join('', map { alone($_) } $shared->{digest}, $shared->{config}, @{ $shared->{layers} }), '000', "it is no mirror's alone";
make_older('up/shared', $shared, 11);
$r = sum(evict());
is "$r->{manifests} $r->{links} $r->{blobs}", '1 2 0', 'the links of the mirror go';
is here($shared), '111', 'the bytes stay';
is pull($s, 'own/app', '1')->{fault}, '', 'the pushed image is whole';
my $mine = random_bytes(30 * $KIB);
my $d = $s->push_blob('own/first', $mine);
my $later = { repo => 'later', kib => 30, %{ $u->image('later', '1', layers => [$mine]) } };
fetch($later, 11);
is alone($d), 0, 'what a mirror only linked is not its alone';
evict();
is -e blob_file($s, $d) ? 1 : 0, 1, 'and stays';

# --- size

my @i = map { fetch(image("size$_", 90), 10 - $_) } 1 .. 9;
cmp_ok size(), '<=', 1000 * $KIB, 'the bound holds';
mkdir $s->root . "/berth/mirror/up/$i[1]{repo}/_pinned";
spew($s->root . "/berth/mirror/up/$i[1]{repo}/_pinned/1", '');
make_older('up/size2', $i[1], 20);
my @more = map { fetch(image("more$_", 80, 10)) } 1 .. 4;
ok wait_for { my @e = grep { ($_->{event} // $_->{msg} // '') =~ /evicted/ } $s->log_events; @e && size() <= 1000 * $KIB }, 'beyond the bound the master evicts';
is here($i[1]), '111', 'what is pinned stays, idle or not';
is here($i[0]), '000', 'what was pulled last the longest ago goes';
is here($more[3]), '1111', 'what was pulled just now stays';
my $seen = join '', map { substr here($_), 2, 1 } @i[0, 2 .. 8];
like $seen, qr/\A0+1*\z/, "the order is that of the last pull: $seen";
cmp_ok size(), '>', 700 * $KIB, 'and no more goes than has to';
is cached_fault($s), '', 'all that is stored is what its name says';

# --- a large blob

my $large = fetch(image('large', 101));
is here($large), '110', 'a blob of more than a tenth of the bound is passed through, and not kept';
is size() <= 1000 * $KIB ? 1 : 0, 1, 'nor counted';

# --- many downloads that end at once

my @layers = map { random_bytes(90 * $KIB) } 1 .. 16;
my $many = image_of(OCI_MANIFEST, '{}', @layers);
is hand_over($s, PUT => 'manifest?repo=up/many&ref=1', body => $many, type => OCI_MANIFEST), 201, 'an image of 16 layers of 90 KiB';
my @status = run_parallel(16, sub { my $l = $layers[$_[0]]; return hand_over($s, PUT => 'blob?repo=up/many&digest=' . sha256($l), body => $l) });
is join(' ', grep { !/\A(?:201|403)\z/ } @status), '', 'each is kept, or refused';
my $taken = grep { $_ == 201 } @status;
cmp_ok $taken, '<', 16, "$taken are kept, and not all";
my $alone = 0;
for my $file (files_below(data_dir($s) . '/blobs')) {
	my @st = stat data_dir($s) . "/blobs/$file" or next;          # an eviction goes on
	$alone += $st[7] if $st[2] & 01000;
}
cmp_ok $alone, '<=', 1050 * $KIB, 'the bound and 5 % hold for what is there';
ok wait_for { size() <= 1000 * $KIB }, 'and the bound soon';
is cached_fault($s), '', 'all that is stored is what its name says';

# --- while nobody serves another registry links what a mirror brought

my $foreign = fetch(image('foreign', 15));
my ($layer_of) = @{ $foreign->{layers} };
$s->stop_workers;
lay_file(layer_link($s, 'own/foreign', $layer_of), $layer_of);
mkdir data_dir($s) . '/repositories/own/foreign/_manifests';
is alone($layer_of), 1, 'which it cannot say';
$s->start_workers;
Berth::Cache::answers($s, 'up') or die 'the relay does not answer';
make_older('up/foreign', $foreign, 11);
evict();
ok !-e layer_link($s, 'up/foreign', $layer_of) && !-e tag_link($s, 'up/foreign', '1'), 'the links of the mirror go';
is here($foreign), '001', 'and the bytes of what only the mirror had';

# --- the cost

my $fsck = berth($s, 'fsck');
is $fsck->{status}, 0, 'fsck finds nothing wrong' or diag $fsck->{out};
SKIP: {
	skip 'it counts system calls', 9 if $ENV{BERTH_SANITIZERS} || !have_program('strace');
	my $calls = sub {
		my ($new) = @_;
		my $i = fetch($new, 11);
		my $out = $s->dir . '/trace';
		my $r = run('strace', '-f', '-o', $out, berth_cmd($s, 'gc', '--cache', '--json'));
		is sum($r)->{blobs}, 3, 'an image is evicted';
		return scalar grep { /\A\d+ +\w+\(/ } split /\n/, slurp($out);
	};
	evict();
	my $few = $calls->(image('cost1', 50));
	for my $n (1 .. 500) {
		lay_file($s->root . "/docker/registry/v2/repositories/team/app$n/_layers/sha256/" . substr($d, 7) . '/link', $d);
		mkdir $s->root . "/docker/registry/v2/repositories/team/app$n/_manifests";
	}
	my $many = $calls->(image('cost2', 50));
	cmp_ok $many, '<', $few + 50, "500 pushed repositories are not read: $few calls, and $many";
	my $hit = fetch(image('hit', 5));
	my ($blob, $own) = ("/v2/up/hit/blobs/$hit->{layers}[0]", "/v2/own/first/blobs/$d");
	# a pull is noted once in an hour of the clock: all is done again where one ends meanwhile
	my $asks = sub {
		my ($path, $before) = @_;
		my ($hour, $file) = (0);
		while ($hour != int(time / 3600)) {
			$hour = int(time / 3600);
			$before ? $before->() : $s->req(GET => $path);
			$file = Berth::Trace::trace_of($s, ['-e', 'trace=%file'], sub { die if $s->req(GET => $path)->status != 200 });
		}
		return join ' ', slurp($file) =~ /^\d+ +(\w+)\(/mg;
	};
	my $pulled = $asks->($own);
	isnt $pulled, '', "a pull of a blob asks the file system: $pulled";
	is $asks->($blob), $pulled, 'a hit of the cache no more';
	is join(' ', sort split / /, $asks->($blob, sub { make_older('up/hit', $hit, 2) })), join(' ', sort 'utimensat', split / /, $pulled), 'but once in an hour';
	is $asks->($blob), $pulled, 'and then not again';
}
done_testing;
