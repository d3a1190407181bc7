#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What the workers do to the bytes of a layer (nothing but hash them, once), and in which order they write what has to
# be on the disk before an answer.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Check;
use Berth::Trace;

plain_build_only('it traces system calls');
need_program('strace');

my $SIZE = 100 << 20;
my $NAMES = 'link,linkat,rename,renameat,renameat2';
my $SYNCS = 'fsync,fdatasync,sync,syncfs,sync_file_range,msync';
my $BYTES = 'read,pread64,readv,preadv,preadv2,recvfrom,recvmsg,write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,sendfile,splice,tee,vmsplice,copy_file_range,mmap,ioctl';

# traced - a server under strace
sub traced {
	my (%o) = @_;
	my $file = tmp_dir() . '/trace';
	my $s = Berth::Server->start(config => "delete = true;\n" . ($o{config} // ''), workers => 2,
		wrap => ['strace', '-f', '--seccomp-bpf', '-ttt', '-y', '-s', '200', '-e', "trace=$NAMES,$SYNCS,$BYTES", '-e', 'signal=none', '-o', $file]);
	return ($s, $file);
}

# calls - the successful calls between two moments, in order: [name, its text, its result, pid]
sub calls {
	my ($file, $from, $to) = @_;
	return map { [@$_[2 .. 4], $_->[0]] } grep { $_->[1] >= $from && $_->[1] <= $to } traced_calls($file);
}

# during - does something; the moments before and after it
sub during {
	my ($what) = @_;
	sleep 0.05;
	my $from = time;
	$what->();
	my $to = time;
	sleep 0.05;
	return ($from, $to);
}

sub sum {
	my ($names, @calls) = @_;
	my $n = 0;
	$n += $_->[2] for grep { $_->[0] =~ /^(?:$names)$/ } @calls;
	return $n;
}

# events - what matters for order: [sync, path], [name, from, to], [answer, status]
sub events {
	my @e;
	for my $c (@_) {
		my ($name, $args, $result) = @$c;
		if ($name =~ /^(fsync|fdatasync|syncfs)$/) {
			my ($p) = $args =~ /^\d+<(.*?)>(?:\(deleted\))?$/;
			push @e, ['sync', $p // $args];
		} elsif ($name =~ /^(link|rename)/) {
			my @p;
			my $a = $args;
			while ($a =~ /(?:(?:AT_FDCWD|\d+)<([^>]*)>,\s*)?"([^"]*)"/g) {
				push @p, $2 =~ m{^/} || !defined $1 ? $2 : "$1/$2";
			}
			push @e, ['name', @p];
		} elsif ($name =~ /^(write|writev|sendto|sendmsg)$/ && $args =~ /Status: (\d+)/) {
			push @e, ['answer', $1];
		}
	}
	return @e;
}

# first and last position of an event that fits
sub find {
	my ($e, $kind, $re, $last) = @_;
	my @at = grep { $e->[$_][0] eq $kind && $e->[$_][-1] =~ $re } 0 .. $#$e;
	return @at ? $at[$last ? -1 : 0] : undef;
}

sub before_ok {
	my ($a, $b, $title) = @_;
	my $ok = defined $a && defined $b && $a < $b;
	ok $ok, $title or diag 'positions: ' . ($a // 'none') . ' and ' . ($b // 'none');
	return $ok;
}

sub show { my ($e) = @_; return join "\n", map { join ' ', map { s{.*/store/}{}r } @$_ } @$e }

# 100 MB in and out
{
	my ($s, $file) = traced();
	my $base = random_bytes(1 << 20);
	my $big = join '', map { pack('N', $_) . substr $base, 4 } 1 .. $SIZE >> 20;
	my $d = sha256($big);
	my %span;
	my $loc;
	$span{'POST'} = [during(sub { $loc = upload_start($s, 'trace/app') })];
	$span{'PATCH of 100 MB'} = [during(sub { is $s->req('PATCH', $loc, body => $big)->status, 202, 'a PATCH of 100 MB' })];
	$span{'PUT'} = [during(sub { is $s->req('PUT', "$loc?digest=$d")->status, 201, 'its PUT' })];
	$span{'GET of 100 MB'} = [during(sub { my $r = $s->req('GET', "/v2/trace/app/blobs/$d"); ok $r->status == 200 && length $r->body == $SIZE, 'a GET of 100 MB' })];
	$span{'HEAD'} = [during(sub { is $s->req('HEAD', "/v2/trace/app/blobs/$d")->status, 200, 'a HEAD of it' })];
	unlink blob_file($s, $d);
	$loc = upload_start($s, 'trace/app');
	$span{'PUT of 100 MB'} = [during(sub { is $s->req('PUT', "$loc?digest=$d", body => $big)->status, 201, 'a PUT of 100 MB' })];
	unlink blob_file($s, $d);
	$span{'single POST of 100 MB'} = [during(sub { is $s->req('POST', "/v2/trace/app/blobs/uploads/?digest=$d", body => $big)->status, 201, 'a single POST of 100 MB' })];
	$s->stop_workers;

	my $slack = 1 << 20;
	for my $k (sort keys %span) {
		my @c = calls($file, @{ $span{$k} });
		cmp_ok scalar(@c), '>', 0, "$k: was traced";
		my $written = sum('write|pwrite64|writev|pwritev|pwritev2|sendto|sendmsg', @c);
		cmp_ok $written, '<', $slack, "$k: the workers write none of its bytes ($written)";
		my $moved = sum('sendfile|splice|tee|vmsplice|copy_file_range', @c);
		is $moved, 0, "$k: nor have them copied or sent";
		my $read = sum('read|pread64|readv|preadv|preadv2|recvfrom|recvmsg', @c);
		my $mapped = 0;
		for my $m (grep { $_->[0] eq 'mmap' && $_->[1] =~ m{/store/} } @c) {
			my ($len) = $m->[1] =~ /^\S+, (\d+),/;
			$mapped += $len // 0;
		}
		if ($k eq 'PUT' || $k =~ /^(PUT|single POST) of/) {
			cmp_ok $read + $mapped, '>=', $SIZE, "$k: they are read to be hashed";
			cmp_ok $read + $mapped, '<', $SIZE + $slack, "$k: once (" . ($read + $mapped) . ')';
		} else {
			cmp_ok $read + $mapped, '<', $slack, "$k: the workers read none of its bytes (" . ($read + $mapped) . ')';
		}
		ok !(grep { $_->[0] eq 'ioctl' && $_->[1] =~ /FICLONE/ } @c), "$k: nothing is cloned";
	}
}

# the order of what is written, where each blob is promised (the way of fsync = "image": t/6056-barrier.t)
{
	my ($s, $file) = traced(config => qq(fsync = "full";\n));
	my $bytes = random_bytes(300_000);
	my $d = sha256($bytes);
	my $m = image_of(OCI_MANIFEST, $bytes);
	my $md = sha256($m);
	my ($hex, $mhex) = map { substr $_, 7 } $d, $md;
	my $loc = upload_start($s, 'order/app');
	my %span;
	$s->req('PATCH', $loc, body => substr $bytes, 0, 200_000);
	$span{PATCH} = [during(sub { $s->req('PATCH', $loc, body => substr $bytes, 200_000) })];
	$span{PUT} = [during(sub { is $s->req('PUT', "$loc?digest=$d")->status, 201, 'a blob is pushed' })];
	$span{manifest} = [during(sub { is $s->req('PUT', '/v2/order/app/manifests/t', headers => ['Content-Type' => OCI_MANIFEST], body => $m)->status, 201, 'a manifest is pushed' })];
	my $m2 = "$m\n";
	my $hex2 = substr sha256($m2), 7;
	$span{moved} = [during(sub { is $s->req('PUT', '/v2/order/app/manifests/t', headers => ['Content-Type' => OCI_MANIFEST], body => $m2)->status, 201, 'another one to the same tag' })];
	my $index = index_of(OCI_INDEX, desc(OCI_MANIFEST, $m));
	my $ihex = substr sha256($index), 7;
	$span{index} = [during(sub { is $s->req('PUT', '/v2/order/app/manifests/i', headers => ['Content-Type' => OCI_INDEX], body => $index)->status, 201, 'an index of it' })];
	my $other = sha256('single');
	my $ohex = substr $other, 7;
	$span{single} = [during(sub { is $s->req('POST', "/v2/order/app/blobs/uploads/?digest=$other", body => 'single')->status, 201, 'a blob in a single POST' })];
	$span{mount} = [during(sub { is $s->req('POST', "/v2/order/new/blobs/uploads/?mount=$other&from=order/app")->status, 201, 'a mount' })];
	$span{again} = [during(sub { is $s->req('POST', "/v2/order/app/blobs/uploads/?digest=$other", body => 'single')->status, 201, 'the same blob again' })];
	my @new = ('solo', 'deep/er/still', 'order/near');
	for my $r (@new) {
		$span{"new $r"} = [during(sub { $s->push_blob($r, "first in $r") })];
	}
	$span{get} = [during(sub { is $s->req('GET', '/v2/order/app/manifests/t')->status, 200, 'a GET of a manifest' })];
	$span{delete} = [during(sub { is $s->req('DELETE', "/v2/order/app/manifests/sha256:$hex2")->status, 202, 'a DELETE of a manifest with a tag' })];
	$span{deltag} = [during(sub { is $s->req('DELETE', '/v2/order/app/manifests/i')->status, 202, 'a DELETE of a tag' })];
	$span{delblob} = [during(sub { is $s->req('DELETE', "/v2/order/app/blobs/$other")->status, 202, 'a DELETE of a blob' })];
	$s->stop_workers;
	my %e = map { $_ => [events(calls($file, @{ $span{$_} }))] } keys %span;

	is scalar(grep { $_->[0] eq 'sync' } @{ $e{PATCH} }), 0, 'a PATCH flushes nothing';
	is scalar(grep { $_->[0] eq 'sync' } @{ $e{get} }), 0, 'a GET flushes nothing';

	# A file or directory that is complete is flushed, named, and the directory that names it is flushed; and all of it
	# before the next name may speak of it.
	for my $c (['PUT', $hex, 'a blob in chunks', 'order/app'], ['single', $ohex, 'a blob in a single POST', 'order/app']) {
		my ($k, $h, $what, $repo) = @$c;
		my $e = $e{$k};
		my $data = find($e, 'name', qr{/blobs/sha256/../$h(/data)?$});
		my $link = find($e, 'name', qr{/$repo/_layers/sha256/$h(/link)?$});
		my ($from) = defined $data ? $e->[$data][1] : 'none';
		my $flush = find($e, 'sync', qr{^\Q$from\E$});
		before_ok($flush, $data, "$what: the data is flushed before it has its name");
		before_ok($data, $link, "$what: the data has its name before the link has");
		my $dir = find($e, 'sync', qr{/blobs/sha256/../$h$}, 1) // find($e, 'sync', qr{/blobs/sha256/..$}, 1);
		before_ok($data, $dir, "$what: the directory is flushed after the data has its name in it");
		before_ok($dir, $link, "$what: and before the link has its name");
		my $ldir = find($e, 'sync', qr{/$repo/_layers/sha256(/$h)?$}, 1);
		before_ok($link, $ldir, "$what: the link's directory is flushed after it");
		my ($lfrom) = defined $link ? $e->[$link][1] : 'none';
		before_ok(find($e, 'sync', qr{^\Q$lfrom\E(/link)?$}), $link, "$what: the link's bytes are flushed before it has its name");
		my $answer = find($e, 'answer', qr/^201$/);
		before_ok($ldir, $answer, "$what: all of it before the answer") or diag show($e);
		my ($up) = defined $answer ? grep { $_ > $answer && $e->[$_][0] ne 'answer' } 0 .. $#$e : ();
		is $up, undef, "$what: and nothing is written behind it";
	}

	# who finds a blob there flushes all the same
	my $e = $e{again};
	my $answer = find($e, 'answer', qr/^201$/);
	before_ok(find($e, 'sync', qr{/blobs/sha256/../$ohex$|/blobs/sha256/..$}), $answer, 'a blob that was there: its directory is flushed all the same');
	before_ok(find($e, 'sync', qr{/_layers/sha256(/$ohex)?$}), $answer, 'a link that was there: its directory is flushed all the same');
	$e = $e{mount};
	before_ok(find($e, 'sync', qr{/order/new/_layers/sha256(/$ohex)?$}, 1), find($e, 'answer', qr/^201$/), 'a mount: the directory of the link is flushed before the answer');
	before_ok(find($e, 'name', qr{/order/new/_layers/sha256/$ohex}), find($e, 'sync', qr{/order/new/_layers/sha256(/$ohex)?$}, 1), 'a mount: after the link has its name');

	# a new repository: each directory is flushed in which a part of its name is new, up to repositories/
	for my $r (@new) {
		$e = $e{"new $r"};
		my $at = find($e, 'answer', qr/^201$/);
		my $path = "repositories/$r";
		before_ok(find($e, 'sync', qr{/$path$}), $at, "a new repository $r: it is flushed itself");
		while ($path =~ s{/[^/]*$}{}) {
			last if $r eq 'order/near' && $path eq 'repositories';
			before_ok(find($e, 'sync', qr{/v2/$path$}), $at, "a new repository $r: $path is flushed before the answer") or diag show($e);
		}
	}

	# manifests
	for my $c (['manifest', $mhex, 't', 'a manifest'], ['moved', $hex2, 't', 'a manifest to a tag that is there'], ['index', $ihex, 'i', 'an index']) {
		my ($k, $h, $tag, $what) = @$c;
		$e = $e{$k};
		my $data = find($e, 'name', qr{/blobs/sha256/../$h(/data)?$});
		my $rev = find($e, 'name', qr{/revisions/sha256/$h(/link)?$});
		my $idx = find($e, 'name', qr{/tags/$tag(/index/sha256/$h(/link)?)?$});
		my $cur = find($e, 'name', qr{/tags/$tag(/current(/link)?)?$});
		my ($from) = defined $data ? $e->[$data][1] : 'none';
		before_ok(find($e, 'sync', qr{^\Q$from\E$}), $data, "$what: its bytes are flushed before they have their name");
		before_ok($data, find($e, 'sync', qr{/blobs/sha256/../$h$|/blobs/sha256/..$}, 1), "$what: then their directory");
		before_ok(find($e, 'sync', qr{/blobs/sha256/../$h$|/blobs/sha256/..$}, 1), $rev, "$what: then the revision's link has its name");
		before_ok(find($e, 'sync', qr{/order/app/_layers/sha256$}), $rev, "$what: the directory of the layers' links is flushed before it") unless $k eq 'index';
		before_ok(find($e, 'sync', qr{/order/app/_manifests/revisions/sha256$}), $rev, "$what: the directory of the children's links is flushed before it") if $k eq 'index';
		my $rdir = find($e, 'sync', qr{/revisions/sha256(/$h)?$}, 1);
		before_ok($rev, $rdir, "$what: then the revision's directory is flushed");
		before_ok($rdir, $cur, "$what: then the tag");
		before_ok($rdir, $idx, "$what: and its index");
		ok defined $idx && defined $cur && $idx <= $cur, "$what: the index not after the tag" or diag show($e);
		my $tdir = find($e, 'sync', qr{/_manifests/tags(/$tag(/current)?)?$}, 1);
		before_ok($cur, $tdir, "$what: the tag's directory is flushed after it");
		before_ok($tdir, find($e, 'answer', qr/^201$/), "$what: all of it before the answer");
	}

	# deletes
	$e = $e{delete};
	my ($gone) = grep { $e->[$_][0] eq 'name' && $e->[$_][1] =~ m{/_manifests/tags/t$} } 0 .. $#$e;
	my ($rev) = grep { $e->[$_][0] eq 'name' && $e->[$_][1] =~ m{/revisions/sha256/$hex2(/link)?$} } 0 .. $#$e;
	before_ok($gone, $rev, 'DELETE by digest: the tag goes before the manifest');
	my @trashed = grep { defined $_ && $e->[$_][-1] =~ qr{/berth/trash/} } ($gone, $rev);
	is scalar(@trashed), 2, 'DELETE by digest: each goes by one rename into berth/trash';
	before_ok($gone, find($e, 'sync', qr{/_manifests/tags$}), 'DELETE by digest: the directory of tags is flushed');
	before_ok($rev, find($e, 'sync', qr{/revisions/sha256$}, 1), 'DELETE by digest: the directory of revisions is flushed');
	before_ok(find($e, 'sync', qr{/revisions/sha256$}, 1), find($e, 'answer', qr/^202$/), 'DELETE by digest: before the answer');
	before_ok(find($e, 'sync', qr{/_manifests/tags$}), $rev, 'DELETE by digest: the tags are gone for good before the manifest goes');
	$e = $e{deltag};
	before_ok(find($e, 'sync', qr{/_manifests/tags$}), find($e, 'answer', qr/^202$/), 'DELETE of a tag: the directory of tags is flushed before the answer');
	$e = $e{delblob};
	before_ok(find($e, 'sync', qr{/_layers/sha256$}), find($e, 'answer', qr/^202$/), 'DELETE of a blob: the directory of links is flushed before the answer');
	my %n = map { my $k = $_; ($k => scalar grep { $_->[0] eq 'sync' } @{ $e{$k} }) } keys %e;
	note 'fsyncs: ' . join ', ', map { "$_ $n{$_}" } sort keys %n;
}

# without the promise
{
	my ($s, $file) = traced(config => qq(fsync = "off";\n));
	my ($from) = time;
	$s->push_image('off/app', 't', layers => ['layer']);
	my $to = time;
	$s->stop_workers;
	is scalar(grep { $_->[0] =~ /sync/ && $_->[0] ne 'sync_file_range' } calls($file, $from, $to)), 0, 'with fsync = "off" nothing is flushed';
}

done_testing;
