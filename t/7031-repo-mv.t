#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# berth repo mv beside a registry that serves: with and without nested repositories, uploads under way, collections, load.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX ();
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Check;
use Berth::GC;
use Berth::Repo;

my $s = Berth::Server->start(config => "delete = true;\nfsync = \"off\";\n", workers => 6);
my $BIG = 3000;
my $EMPTY = '{}';

# fill - a repository with everything in it; what must be there, whatever it is called
sub fill {
	my ($repo, $salt) = @_;
	my %has = (tags => {}, blobs => {}, manifests => {});
	for my $t (qw(v1 v2)) {
		my @layers = ("layer of $salt $t", 'of all');
		my ($d, $m) = $s->push_image($repo, $t, type => 'oci', layers => \@layers);
		$has{tags}{$t} = $d;
		$has{manifests}{$d} = $m;
		$has{blobs}{sha256($_)} = $_ for @layers;
	}
	my $subject = $has{tags}{v1};
	my $m = sprintf '{"schemaVersion":2,"mediaType":"%s","artifactType":"a/b","config":%s,"layers":[],"subject":%s,"annotations":{"s":"%s"}}', OCI_MANIFEST,
		desc('application/vnd.oci.empty.v1+json', $EMPTY), desc(OCI_MANIFEST, $has{manifests}{$subject}), $salt;
	$s->push_blob($repo, $EMPTY);
	$s->push_manifest($repo, sha256($m), $m, OCI_MANIFEST)->status == 201 or die 'referrer';
	$has{manifests}{sha256($m)} = $m;
	$has{subject} = $subject;
	$has{referrer} = sha256($m);
	my $only = "pushed, in no manifest: $salt";
	$has{blobs}{$s->push_blob($repo, $only)} = $only;
	return \%has;
}

# what a collection may take
sub forget_garbage {
	my ($h) = @_;
	delete $h->{blobs}{$_} for grep { $h->{blobs}{$_} =~ /in no manifest/ } keys %{ $h->{blobs} };
	return;
}

# what is wrong with a repository that has to have all that; '' if nothing
sub fault_of {
	my ($repo, $has) = @_;
	my @bad;
	my $tags = tags_of($s, $repo);
	push @bad, "tags: $tags" if $tags ne join ' ', sort keys %{ $has->{tags} };
	for my $t (sort keys %{ $has->{tags} }) {
		my $r = $s->req('GET', "/v2/$repo/manifests/$t");
		push @bad, "$t: " . $r->status if $r->status != 200 || $r->body ne $has->{manifests}{ $has->{tags}{$t} };
	}
	for my $kind (qw(manifests blobs)) {
		for my $d (sort keys %{ $has->{$kind} }) {
			my $r = $s->req('GET', "/v2/$repo/$kind/$d");
			push @bad, "$kind $d: " . $r->status if $r->status != 200 || $r->body ne $has->{$kind}{$d};
		}
	}
	my $referrers = refers_to($s, $repo, $has->{subject});
	push @bad, "referrers: $referrers" if $referrers ne $has->{referrer};
	return join '; ', @bad;
}

# nothing is there under a name any more
sub gone_fault {
	my ($repo, $has) = @_;
	my @bad;
	push @bad, 'tags ' . tags_of($s, $repo) if tags_of($s, $repo) ne '404';
	push @bad, "in the catalog" if " @{[ catalog_of($s) ]} " =~ / \Q$repo\E /;
	push @bad, "a manifest" if grep { $s->req('HEAD', "/v2/$repo/manifests/$_")->status != 404 } keys %{ $has->{manifests} };
	push @bad, "a blob" if grep { $s->req('HEAD', "/v2/$repo/blobs/$_")->status != 404 } keys %{ $has->{blobs} };
	push @bad, "directory $_" for grep { -e repo_dir_of($s, $repo) . "/$_" } qw(_layers _manifests _uploads);
	push @bad, "index $_" for grep { -e $s->root . "/berth/index/$repo/$_" } qw(_names _tags _referrers _epoch);
	return join '; ', @bad;
}

# --- one after the other --------------------------------------------------------------------------

my $has = fill('old/app', 'first');
is fault_of('old/app', $has), '', 'a repository is filled';
is catalog_of($s), 'old/app', 'it is in the catalog';
my $now = 'old/app';
for my $to ('new/deep/er/app', 'new', 'new/inside', 'top') {
	berth_ok($s, 'repo', 'mv', $now, $to, "$now is moved to $to");
	is fault_of($to, $has), '', 'all of it is there at once, referrers too';
	is catalog_of($s), $to, 'and in the catalog';
	is gone_fault($now, $has), '', 'nothing is left under the old name';
	is leftovers($s), '', 'nor below berth/';
	is join(' ', fsck_kinds($s)), '', 'fsck finds nothing wrong';
	$now = $to;
}
ok !-e repo_dir_of($s, $_), "the empty directory $_ is gone" for 'old', 'new';

# with others in it
my $inner = fill('top/inner', 'inner');
my $deep = fill('top/inner/deep', 'deep');
for my $to ('top/inner/deep/below', 'elsewhere', 'top') {
	berth_ok($s, 'repo', 'mv', $now, $to, "$now, with others in it or in the way, is moved to $to");
	is fault_of($to, $has), '', 'all of it is there at once, referrers too';
	is gone_fault($now, $has), '', 'nothing is left under the old name';
	is fault_of('top/inner', $inner), '', 'a nested one is untouched';
	is fault_of('top/inner/deep', $deep), '', 'and one in that';
	is leftovers($s), '', 'nothing is left below berth/';
	is join(' ', fsck_kinds($s)), '', 'fsck finds nothing wrong';
	$now = $to;
}
berth_ok($s, 'repo', 'mv', 'top/inner', 'x', 'one between two others is moved');
is fault_of($_->[0], $_->[1]), '', "$_->[0] is whole" for ['x', $inner], ['top', $has], ['top/inner/deep', $deep];
is catalog_of($s), 'top top/inner/deep x', 'the catalog has all three';

# refused
berth_says($s, ['repo', 'mv', 'top', 'x'], 1, qr/^berth: repository x exists already$/, 'a name that is taken is refused');
berth_says($s, ['repo', 'mv', 'nothing', 'y'], 1, qr/^berth: there is no repository nothing$/, 'a repository that is not there, too');
berth_says($s, ['repo', 'mv', 'nothing', 'x'], 1, qr/^berth: there is no repository nothing$/, 'also to a name that is taken');
berth_says($s, ['repo', 'mv', 'x', 'x'], 1, qr/^berth: x already has that name$/, 'and to itself');
$s->push_blob('begun', 'a blob');
berth_says($s, ['repo', 'mv', 'x', 'begun'], 1, qr/already$/, 'a repository that has but a blob yet is one');
is fault_of($_->[0], $_->[1]), '', "$_->[0] is as it was" for ['x', $inner], ['top', $has];
berth_ok($s, 'repo', 'rm', 'begun', 'it is removed');

# the index is that of the new name, in the same epoch
is $s->req('DELETE', "/v2/x/manifests/$inner->{referrer}")->status, 202, 'a referrer is deleted under the new name';
is refers_to($s, 'x', $inner->{subject}), '', 'and is no longer listed';
my $re = fill('old/app', 'again');
is fault_of('old/app', $re), '', 'the first name is used again';
berth_ok($s, 'repo', 'mv', 'old/app', 'new', 'and moved to a name that was used before');
is fault_of('new', $re), '', 'it has its own tags and referrers alone';
$s->push_image('new', 'v3', layers => ['later']);
is tags_of($s, 'new'), 'v1 v2 v3', 'and takes more of them';

# --- uploads under way ---------------------------------------------------------------------------------

for my $nested (0, 1) {
	my $repo = "up$nested/app";
	my $to = "up$nested/moved";
	$s->push_image($repo, 'v1', layers => ['first']);
	$s->push_image("$repo/nested", 'v1', layers => ['nested']) if $nested;
	my $up = upload_start($s, $repo);
	$s->req('PATCH', $up, body => 'half, ', chunked => 1);
	my $fresh = upload_start($s, $repo);
	berth_ok($s, 'repo', 'mv', $repo, $to, 'a repository is moved while uploads are under way' . ($nested ? ', with another in it' : ''));
	error_is($s->req('PATCH', $up, body => 'more', chunked => 1), 404, 'BLOB_UPLOAD_UNKNOWN', 'a PATCH under the old name is refused');
	error_is($s->req('PUT', "$up?digest=" . sha256('half, whole'), body => 'whole'), 404, 'BLOB_UPLOAD_UNKNOWN', 'and a PUT');
	error_is($s->req('PUT', "$fresh?digest=" . sha256('x'), body => 'x'), 404, 'BLOB_UPLOAD_UNKNOWN', 'also of one without a byte');
	error_is($s->req('GET', $up), 404, 'BLOB_UPLOAD_UNKNOWN', 'and a GET');
	is tags_of($s, $repo), 404, 'the old name does not come back by that';
	(my $moved = $up) =~ s{/v2/\Q$repo\E/}{/v2/$to/};
	if ($nested) {
		error_is($s->req('PATCH', $moved, body => 'more', chunked => 1), 404, 'BLOB_UPLOAD_UNKNOWN', 'with others in it, uploads end');
	} else {
		my $d = sha256('half, whole');
		is $s->req('PUT', "$moved?digest=$d", body => 'whole')->status, 201, 'they go on under the new one';
		is $s->req('GET', "/v2/$to/blobs/$d")->body, 'half, whole', 'to their end';
	}
}

# A worker that holds the upload already: stopped before it takes its next step, while the repository goes.
SKIP: {
	skip('it traces system calls', 1) if $ENV{BERTH_SANITIZERS};
	need_program('strace');
	# POST, PATCH of a body, PUT: what the worker is about to do with a path
	my @cases = (
		['PATCH', 'linkat', 1, 'the first body becomes data'], ['PATCH+', 'copy_file_range', 1, 'a body is added'],
		['PUT', 'fchmod', 1, 'the bytes are verified'], ['PUT', 'flock', 1, 'the upload is locked'],
		['PUT', 'flock', 2, 'the bytes are to become a blob'], ['PUT0', 'fchmod', 1, 'a body that is all of it is verified'],
		['PUT0', 'flock', 2, 'a body that is all of it is to become a blob'],
	);
	my $t = Berth::Server->start(config => "delete = true;\nfsync = \"full\";\n", workers => 1);
	my %seen;
	for my $how ('mv', 'rm') {
		for my $c (@cases) {
			my ($what, $call, $n, $title) = @$c;
			my $body = "bytes of $how $what $call $n";
			$t->push_blob('held', "first of $how $what $call $n");
			my $up = upload_start($t, 'held');
			$t->req('PATCH', $up, body => 'before ', chunked => 1) if $what =~ /PATCH\+|PUT$/;
			my $full = ($what eq 'PUT' ? 'before ' : '') . $body;
			my @pids = $t->worker_pids;
			my $tracer = fork // die;
			if (!$tracer) {
				open STDERR, '>', '/dev/null';
				exec 'strace', '-f', '-qq', '-o', '/dev/null', '-e', "trace=$call", '-e', "inject=$call:delay_enter=1500000:when=$n", map { ('-p', $_) } @pids or POSIX::_exit(127);
			}
			wait_for { @pids == grep { my $p = $_; grep { /^TracerPid:\s*[1-9]/ } split /\n/, slurp("/proc/$p/status") } @pids };
			my ($status, $code) = @{ (run_parallel(2, sub {
				my ($i) = @_;
				if ($i == 1) {
					sleep 0.5;
					berth($t, 'repo', $how, 'held', $how eq 'mv' ? 'moved' : ());
					return [];
				}
				my $r = $what =~ /PATCH/ ? $t->req('PATCH', $up, body => $body, chunked => 1) : $t->req('PUT', "$up?digest=" . sha256($full), body => $body);
				return [$r->status, ($r->body // '') =~ /"code":"(\w+)"/ ? $1 : ''];
			}))[0] };
			kill INT => $tracer;
			waitpid $tracer, 0;
			$seen{$status}++;
			like "$status $code", qr/^(?:20[12] |404 BLOB_UPLOAD_UNKNOWN)$/, "$how while $title ($what, $call $n): it is done or unknown";
			my @where = grep { $t->req('HEAD', "/v2/$_/blobs/" . sha256($full))->status == 200 } 'held', 'moved';
			is "@where", $status == 201 && $how eq 'mv' ? 'moved' : '', 'and it is where that says' if $what =~ /PUT/ && $how eq 'mv';
			is join(' ', fsck_kinds($t)), '', 'fsck finds nothing wrong';
			berth($t, 'repo', 'rm', 'held', 'moved');
		}
	}
	diag(join ', ', map { "$_: $seen{$_}" } sort keys %seen);
	cmp_ok $seen{404} // 0, '>=', 4, 'some of them met a repository that was gone';
}

# --- and collections --------------------------------------------------------------------------------------

forget_garbage($_) for $has, $inner, $deep;
SKIP: {
	skip('it traces system calls', 1) if $ENV{BERTH_SANITIZERS};
	my $garbage = $s->push_blob('x', 'garbage');
	make_old($s, 2 * 24 * 3600);
	my $gc = stopped_gc($s, 'docker/registry/v2/blobs/sha512/00');
	berth_says($s, ['repo', 'mv', 'x', 'y'], 1, qr/^berth: a collection is running; move x when it has ended$/, 'while a collection runs, a move is refused');
	is fault_of('top', $has), '', 'and nothing is missing';
	berth_ok($s, 'repo', 'rm', 'up1/app/nested', 'a removal is not refused');
	is let_go($gc), 0, 'the collection ends with 0';
	berth_ok($s, 'repo', 'mv', 'x', 'y', 'when it has ended, the move is done');
	delete $inner->{manifests}{ $inner->{referrer} };
	$inner->{referrer} = '';
	is fault_of('y', $inner), '', 'and nothing that a manifest names is missing';
	ok !-e blob_file($s, $garbage), 'the garbage is gone';
}
make_old($s, 2 * 24 * 3600);
gc_ok($s, 'a collection of all that was moved ends with 0');
is join(' ', fsck_kinds($s)), '', 'fsck finds nothing wrong after it';
for my $c (['top', $has], ['top/inner/deep', $deep]) {
	my ($name, $h) = @$c;
	is fault_of($name, $h), '', "$name has all that its manifests name";
}

# --- a big one ----------------------------------------------------------------------------------------------

{
	my @layers = map { "big $_" } 1 .. $BIG;
	lay_blob($s, 'big', $_) for @layers;
	my $m = image_of(OCI_MANIFEST, $EMPTY, 'big 1');
	lay_blob($s, 'big', $EMPTY);
	lay_manifest($s, 'big', $m, 'v1');
	$s->push_image('big/nested', 'v1', layers => ['nested']);
	for my $to ('big2', 'big') {
		my $from = $to eq 'big' ? 'big2' : 'big';
		my ($moved, $waits) = run_parallel(2, sub {
			my ($i) = @_;
			if ($i == 0) {
				my $r = berth($s, 'repo', 'mv', $from, $to);
				return ["$r->{status}$r->{err}"];
			}
			my @bad;
			my $until = time + 1.5;
			for (my $n = 0; time < $until; $n++) {
				eval { $s->push_blob('other', "$to $n"); 1 } or push @bad, $@;
			}
			return [@bad];
		});
		is join(' ', @{ $moved // [] }), '0', "one of $BIG layers, with another in it or in the way, is moved to $to";
		is join("\n", @{ $waits // [] }), '', 'while others push';
		is scalar(grep { (content_of(layer_link($s, $to, sha256($_))) // '') ne sha256($_) } @layers), 0, 'every link is there';
		is $s->req('GET', "/v2/$to/manifests/v1")->body, $m, 'and its manifest';
	}
	my $gone = sha256('big 7');
	is $s->req('DELETE', "/v2/big/blobs/$gone")->status, 202, 'a blob is deleted';
	berth_ok($s, 'repo', 'mv', 'big', 'big3', 'and the repository moved');
	is $s->req('HEAD', "/v2/big3/blobs/$gone")->status, 404, 'it is not there under the new name';
	is join(' ', fsck_kinds($s)), '', 'fsck finds nothing wrong';
}
my @events = grep { ($_->{event} // '') eq 'request' } $s->log_events;
is scalar(grep { $_->{status} >= 500 } @events), 0, 'no request ended with 5xx';

# --- links of 2.8, below sha512/, that hold a sha256 digest: they are not flushed one by one while all writers wait

SKIP: {
	skip 'belongs to the plain build: it traces system calls', 5 if $ENV{BERTH_SANITIZERS};
	skip 'strace is not installed', 5 if !have_program('strace') && !$ENV{CI};
	my $b = bare_store();
	my $count = 100;
	lay_image($b, $_, 'v1', '{}', 'a layer') for 'long', 'long/inner';
	lay_file(layer_link($b, 'long', sha512($_)), sha256($_)) for map { lay_blob($b, 'long', "content $_"); "content $_" } 1 .. $count;
	my $trace = tmp_dir() . '/flushes';
	my $r = run('strace', '-f', '-o', $trace, '-e', 'trace=fsync', program('berth'), '--root', $b->root, 'repo', 'mv', 'long', 'short');
	is $r->{status}, 0, "a repository with another in it and $count such links is moved" or diag($r->{err});
	my $flushes = () = slurp($trace) =~ /fsync/g;
	cmp_ok $flushes, '<', $count, 'with fewer flushes than there are such links';
	is scalar(grep { (content_of(layer_link($b, 'short', sha512($_))) // '') ne sha256($_) } map { "content $_" } 1 .. $count), 0, 'every one of them is there';
	is scalar(grep { (content_of(layer_link($b, 'short', sha256($_))) // '') ne sha256($_) } map { "content $_" } 1 .. $count), 0, 'and the one that it needs';
	ok !-e layer_link($b, 'long', sha512('content 1')), 'and gone under the old name';
}

done_testing;
