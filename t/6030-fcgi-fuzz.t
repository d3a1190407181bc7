#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# FastCGI that is malformed, lies or breaks off, straight to the workers: they live, answer, leak nothing and believe none of it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use POSIX qw(mkfifo);
use Socket qw(SHUT_WR);
use Time::HiRes qw(time);
use Berth::Test;
use Berth::Check;

use constant { BEGIN_REQUEST => 1, ABORT => 2, PARAMS => 4, STDIN_ => 5, ENDED => 3, OUT => 6, ERR => 7 };

my $seed = $ENV{BERTH_FUZZ_SEED} // 4;
srand $seed;

# libfcgi itself loses 48 bytes over each management record whose pairs lie
my $suppress = spew(tmp_dir() . '/lsan', "leak:libfcgi.so\n");
my $s = Berth::Server->start(workers => 2, env => { LSAN_OPTIONS => "suppressions=$suppress:print_suppressions=0" }, config => "delete = true;\nupload_workers = 2;\n");
my ($d, $text) = $s->push_image('fuzz/app', 'one', layers => ['layer']);
my $layer = sha256('layer');
my $loc = upload_start($s, 'fuzz/app');
my @fcgi = map { Berth::FCGI->new($_) } $s->worker_socket, $s->write_socket, $s->upload_socket;

sub record { my ($type, $bytes, %o) = @_; return pack('CCnnCC', $o{version} // 1, $type, $o{id} // 1, $o{length} // length $bytes, $o{pad} // 0, 0) . $bytes . ($o{padding} // "\xaa" x ($o{pad} // 0)) }
sub begin { my ($role, $flags) = @_; return record(BEGIN_REQUEST, pack('nCx5', $role // 1, $flags // 0)) }
sub pairs { return Berth::FCGI::pairs([@_]) }

# talk - send bytes and say no more; (the answers to it, all bytes that came), or nothing where the worker hangs
sub talk {
	my ($f, $bytes, $what, $timeout) = @_;
	my $began = time;
	my $sock = $f->connect;
	my $sel = IO::Select->new($sock);
	my ($off, $got) = (0, '');

	local $SIG{PIPE} = 'IGNORE';
	$sock->blocking(0);
	while (1) {
		my $left = $began + ($timeout // 120) - time;
		return if $left <= 0;
		my ($r, $w) = IO::Select->select($sel, $off < length $bytes ? $sel : undef, undef, $left);
		if ($w && @$w) {
			my $n = syswrite $sock, $bytes, 1 << 16, $off;
			return talk(@_) if !defined $n && !$!{EAGAIN} && !$off;        # libfcgi has hung up on one that stood still for two seconds
			$off = defined $n ? $off + $n : $!{EAGAIN} ? $off : length $bytes;
			shutdown $sock, SHUT_WR if $off >= length $bytes;
		}
		next if !$r || !@$r;
		my $n = sysread $sock, $got, 1 << 16, length $got;
		last if defined $n ? !$n : !$!{EAGAIN};
	}
	return (answers($got), $got);
}

# answers - what a worker said, a string for each END_REQUEST; records that it may not send are a string, too
sub answers {
	my ($bytes) = @_;
	my ($out, @all) = ('');
	while (length $bytes >= 8) {
		my ($version, $type, undef, $len, $pad) = unpack 'CCnnCC', $bytes;
		my $content = substr $bytes, 8, $len;
		$bytes = substr $bytes, 8 + $len + $pad < length $bytes ? 8 + $len + $pad : length $bytes;
		$out .= $content if $type == OUT;
		push @all, "record of type $type, version $version" if $version != 1 || $type != OUT && $type != ENDED && $type != ERR && $type != 10 && $type != 11;
		next if $type != ENDED;
		push @all, $out;
		$out = '';
	}
	push @all, $out if $out ne '';
	return \@all;
}
sub status_of { my ($a) = @_; return $a && @$a && $a->[0] =~ /\AStatus: (\d{3}) / ? $1 : 'none' }

# A good request as a list of records, for others to spoil.
my %common = (SERVER_PROTOCOL => 'HTTP/1.1', REMOTE_ADDR => '127.0.0.1', REQUEST_SCHEME => 'http', CONTENT_TYPE => '', CONTENT_LENGTH => '', BERTH_REQUEST_ID => 'f');
sub params { my (%p) = @_; return pairs(map { $_ => { %common, %p }->{$_} } sort keys %{ { %common, %p } }) }
my @good = (
	[{ REQUEST_METHOD => 'GET', REQUEST_URI => '/v2/' }, ''],
	[{ REQUEST_METHOD => 'GET', REQUEST_URI => "/v2/fuzz/app/manifests/$d", HTTP_ACCEPT => OCI_MANIFEST }, ''],
	[{ REQUEST_METHOD => 'HEAD', REQUEST_URI => '/v2/fuzz/app/manifests/one', HTTP_IF_NONE_MATCH => "\"$d\"" }, ''],
	[{ REQUEST_METHOD => 'GET', REQUEST_URI => "/v2/fuzz/app/blobs/$layer" }, ''],
	[{ REQUEST_METHOD => 'GET', REQUEST_URI => '/v2/_catalog?n=3&last=a' }, ''],
	[{ REQUEST_METHOD => 'GET', REQUEST_URI => '/v2/fuzz/app/tags/list?n=2' }, ''],
	[{ REQUEST_METHOD => 'GET', REQUEST_URI => "/v2/fuzz/app/referrers/$d?artifactType=x" }, ''],
	[{ REQUEST_METHOD => 'PUT', REQUEST_URI => '/v2/fuzz/app/manifests/two', CONTENT_TYPE => DOCKER_MANIFEST, CONTENT_LENGTH => length $text }, $text],
	[{ REQUEST_METHOD => 'PUT', REQUEST_URI => '/v2/fuzz/app/manifests/three', CONTENT_TYPE => DOCKER_MANIFEST }, $text],
	[{ REQUEST_METHOD => 'POST', REQUEST_URI => "/v2/fuzz/app/blobs/uploads/?digest=$layer", CONTENT_LENGTH => 5 }, 'layer'],
	[{ REQUEST_METHOD => 'PATCH', REQUEST_URI => $loc, CONTENT_LENGTH => 3, HTTP_CONTENT_RANGE => '1000000-1000002' }, 'abc'],
	[{ REQUEST_METHOD => 'PATCH', REQUEST_URI => $loc, CONTENT_LENGTH => 7, BERTH_PRECHECK => 1 }, ''],
	[{ REQUEST_METHOD => 'OPTIONS', REQUEST_URI => '/v2/fuzz/app/tags/list' }, ''],
);
sub records {
	my ($p, $body) = @_;
	return (begin(), record(PARAMS, params(%$p)), record(PARAMS, ''), (length $body ? record(STDIN_, $body) : ()), record(STDIN_, ''));
}

sub pick { return $_[int rand @_] }
sub noise { my ($n) = @_; return join '', map { chr int rand 256 } 1 .. int rand $n }

# lying_pair - a name and a value whose lengths are not theirs; together below 2 GiB, for which see the end
sub lying_pair {
	my @lengths = (0, 1, 127, 0x80000000, 0x80000001, 0x80000100, 0x8000ffff, 0x80100000, 0xa0000000, 0xbffffff0);
	return join '', map({ $_ < 128 ? pack('C', $_) : pack('N', $_) } pick(@lengths), pick(@lengths)), noise(40);
}

my @spoil = (
	['bytes changed' => sub { my $b = join '', records(@{ pick(@good) }); substr($b, rand length $b, 1) = chr rand 256 for 0 .. rand 4; return $b }],
	['broken off' => sub { my $b = join '', records(@{ pick(@good) }); return substr $b, 0, rand length $b }],
	['bytes left out' => sub { my $b = join '', records(@{ pick(@good) }); substr($b, rand(length($b) - 9), 1 + rand 8) = ''; return $b }],
	['bytes put in' => sub { my $b = join '', records(@{ pick(@good) }); substr($b, rand length $b, 0) = noise(20); return $b }],
	['noise' => sub { return noise(600) }],
	['noise after a beginning' => sub { return begin() . noise(600) }],
	['a record of another version' => sub { my @r = records(@{ pick(@good) }); substr($r[rand @r], 0, 1) = chr pick(0, 2, 3, 127, 255); return join '', @r }],
	['a record of another type' => sub { my @r = records(@{ pick(@good) }); substr($r[rand @r], 1, 1) = chr rand 256; return join '', @r }],
	['a record of another request' => sub { my @r = records(@{ pick(@good) }); substr($r[rand @r], 2, 2) = pack 'n', pick(0, 2, 256, 65535); return join '', @r }],
	['a length that lies' => sub { my @r = records(@{ pick(@good) }); my $i = int rand @r; substr($r[$i], 4, 2) = pack 'n', pick(0, 1, 7, 65535, rand 65536, length($r[$i]) - 9, length($r[$i]) - 7); return join '', @r }],
	['padding' => sub { my ($p, $b) = @{ pick(@good) }; my @q = map { (pad => $_) } map { int rand 256 } 1 .. 3; return begin() . record(PARAMS, params(%$p), @q[0, 1]) . record(PARAMS, '', @q[2, 3]) . record(STDIN_, $b, @q[4, 5]) . record(STDIN_, '') }],
	['padding that is not there' => sub { my ($p, $b) = @{ pick(@good) }; return begin() . record(PARAMS, params(%$p), pad => 1 + int rand 255, padding => '') . record(PARAMS, '') . record(STDIN_, $b) . record(STDIN_, '') }],
	['records in another order' => sub { my @r = records(@{ pick(@good) }); return join '', sort { rand() <=> 0.5 } @r }],
	['a record twice' => sub { my @r = records(@{ pick(@good) }); my $i = int rand @r; return join '', @r[0 .. $i, $i .. $#r] }],
	['a record missing' => sub { my @r = records(@{ pick(@good) }); splice @r, rand @r, 1; return join '', @r }],
	['a strange record between' => sub { my @r = records(@{ pick(@good) }); splice @r, rand @r, 0, record(int rand 20, noise(100), id => pick(0, 1, 1, 2), pad => int rand 9); return join '', @r }],
	['an ABORT' => sub { my @r = records(@{ pick(@good) }); splice @r, rand @r, 0, record(ABORT, ''); return join '', @r }],
	['roles and flags' => sub { my @r = records(@{ pick(@good) }); $r[0] = begin(pick(0, 1, 2, 3, 4, 255, 65535), int rand 256); return join '', @r }],
	['two requests at once' => sub { my @a = records(@{ pick(@good) }); my @b = records(@{ pick(@good) }); my $id = pick(1, 2); substr($_, 2, 2) = pack('n', $id) for @b; $a[0] = begin(1, 1); return join '', map { ($a[$_] // (), $b[$_] // ()) } 0 .. 4 }],
	['requests one after the other' => sub { return join '', map { my @r = records(@{ pick(@good) }); $r[0] = begin(1, 1); @r } 1 .. 3 }],
	['management records' => sub { return record(pick(9, 9, 12, 200), pick('', noise(50), pairs(FCGI_MAX_CONNS => '', FCGI_MPXS_CONNS => '', noise(9), '')), id => 0) . join '', records(@{ pick(@good) }) }],
	['one byte a record' => sub { my ($p, $b) = @{ pick(@good) }; return begin() . join('', map { record(PARAMS, $_) } split //, params(%$p)) . record(PARAMS, '') . join('', map { record(STDIN_, $_) } split //, $b) . record(STDIN_, '') }],
	['a pair that lies' => sub { my ($p) = @{ pick(@good) }; return begin() . Berth::FCGI::stream(PARAMS, params(%$p) . lying_pair()) . record(STDIN_, '') }],
	['nothing but pairs that lie' => sub { return begin() . Berth::FCGI::stream(PARAMS, join '', map { lying_pair() } 0 .. rand 3) . record(STDIN_, '') }],
	['pairs cut off' => sub { my $p = params(%{ pick(@good)->[0] }); return begin() . Berth::FCGI::stream(PARAMS, substr $p, 0, rand length $p) . record(STDIN_, '') }],
	['parameters of noise' => sub { my ($p, $b) = @{ pick(@good) }; return begin() . Berth::FCGI::stream(PARAMS, params(%$p, pick(sort(keys %$p), sort(keys %common), qw(HTTP_IF_MATCH HTTP_CONTENT_RANGE BERTH_PRECHECK)) => noise(300))) . record(STDIN_, $b) . record(STDIN_, '') }],
	['parameters repeated' => sub { my ($p, $b) = @{ pick(@good) }; my %q = %{ pick(@good)->[0] }; my @l = ((%$p), (%q), (%common), (%$p)); return begin() . Berth::FCGI::stream(PARAMS, pairs(@l)) . record(STDIN_, $b) . record(STDIN_, '') }],
	['parameters missing' => sub { my ($p, $b) = @{ pick(@good) }; my %q = (%common, %$p); delete $q{ pick(sort keys %q) } for 0 .. rand 4; return begin() . Berth::FCGI::stream(PARAMS, pairs(%q)) . record(STDIN_, $b) . record(STDIN_, '') }],
	['names that are none' => sub { my ($p, $b) = @{ pick(@good) }; return begin() . Berth::FCGI::stream(PARAMS, pairs('', 'x', '=', '=', "REQUEST_METHOD\0", 'PUT', 'REQUEST_URI=/x', 'y', '', '', %common, %$p)) . record(STDIN_, $b) . record(STDIN_, '') }],
	['a length of the body that lies' => sub { my ($p, $b) = @{ pick(@good) }; return join '', records({ %$p, CONTENT_LENGTH => pick(-1, 0, 1, length($b) + 1, 1 << 20, '18446744073709551615', '18446744073709551616', '0x10', ' 5', '5 ', '+5', noise(8)) }, $b) }],
	['an upload out of nowhere' => sub { return join '', records({ REQUEST_METHOD => pick(qw(PUT PATCH DELETE GET)), REQUEST_URI => '/v2/fuzz/none/blobs/uploads/' . pick('', '..', '0' x 36, noise(36) =~ s/[^a-z]/-/gr) . "?digest=$layer" }, noise(200)) }],
);

# pairs_of_2_gib - whether libfcgi would find a pair whose lengths are together 2 GiB or more, which it asserts is never so
# (1 MiB where there are sanitizers: they write to all memory that is asked for)
my $pair_max = $ENV{BERTH_SANITIZERS} ? 1 << 20 : 0x7fffffff;
sub pairs_of_2_gib {
	my ($pairs) = @_;
	while (length $pairs) {
		my $sum = 0;
		for (1, 2) {
			my $n = ord $pairs;
			return 0 if !length $pairs || $n >= 128 && length $pairs < 4;
			$n = $n < 128 ? unpack 'C', substr $pairs, 0, 1, '' : 0x7fffffff & unpack 'N', substr $pairs, 0, 4, '';
			$sum += $n;
		}
		return 1 if $sum + 2 > $pair_max;
		return 0 if $sum > length $pairs;
		substr($pairs, 0, $sum) = '';
	}
	return 0;
}

# too_much - the same of all records: parameters, and those of request 0, which libfcgi takes for parameters too
sub too_much {
	my ($bytes) = @_;
	my ($params, $id) = ('');
	while (length $bytes >= 8) {
		my ($version, $type, $of, $len, $pad) = unpack 'CCnnCC', $bytes;
		my $content = substr $bytes, 8, $len;
		last if $version != 1;
		return 1 if $of == 0 && pairs_of_2_gib($content);
		$id //= $of if $type == BEGIN_REQUEST;
		$params .= $content if $type == PARAMS && defined $id && $of == $id;
		last if 8 + $len + $pad > length $bytes;
		substr($bytes, 0, 8 + $len + $pad) = '';
	}
	return pairs_of_2_gib($params);
}

my @bad_answer;
sub try_some {
	my ($n, $what) = @_;
	for my $i (1 .. $n) {
		my ($name, $make) = @{ $what ? $spoil[$i % @spoil] : pick(@spoil) };
		my $bytes = $make->();
		redo if too_much($bytes);
		my ($a) = talk(pick(@fcgi), $bytes, $name);
		if (!$a) {
			push @bad_answer, "$name: no end in 30 s: " . unpack 'H*', substr $bytes, 0, 2000;
			return;
		}
		push @bad_answer, map { "$name: $_" } grep { $_ ne '' && !/\AStatus: \d{3} / } @$a;
		push @bad_answer, "$name: 500: $a->[0]: " . unpack 'H*', substr $bytes, 0, 2000 if status_of($a) eq '500';
	}
	return;
}

sub fds { return map { my @f = glob "/proc/$_/fd/*"; ($_ => scalar @f) } $s->worker_pids }
sub rss { return map { (content_of("/proc/$_/status") // '') =~ /^RssAnon:\s*(\d+)/m ? $1 : 0 } $s->worker_pids }
sub well {
	my ($when) = @_;
	my $fault = '';
	for my $i (1 .. 20) {
		my ($a) = talk($fcgi[$i % @fcgi], join('', records(@{ $good[1] })), 'after');
		$fault ||= status_of($a) ne '200' ? 'status ' . status_of($a) : $a->[0] !~ /\r\n\r\n\Q$text\E\z/ ? 'other bytes' : '';
	}
	is $fault, '', "$when every worker answers as before";
	is $s->req('GET', '/v2/fuzz/app/manifests/one')->body, $text, "$when so does nginx";
}

my @pids = $s->worker_pids;
is scalar(@pids), 6, 'two workers, two for writes and two for uploads';
is join(' ', map { my ($a) = talk($fcgi[0], join('', records(@$_)), 'good'); status_of($a) } @good), '200 200 304 200 200 200 200 201 201 201 416 204 204', 'the requests that are spoilt below are good ones';

try_some(scalar(@spoil) * 12, 1);
my @rss = rss();
my %fds = fds();         # one may still have its last connection open
my $began = time;
my $cases = $ENV{BERTH_FUZZ_CASES} // ($ENV{BERTH_SANITIZERS} ? 2000 : 4000);
try_some($cases);
note sprintf '%d cases of seed %s in %.1f s', $cases, $seed, time - $began;
is join("\n", @bad_answer[0 .. ($#bad_answer < 4 ? $#bad_answer : 4)]), '', 'thousands of spoilt requests get a proper answer, or none, and never a 500';
well('after them');

# connections dropped at every byte of a good request
for my $c (['a manifest', { REQUEST_METHOD => 'PUT', REQUEST_URI => '/v2/fuzz/app/manifests/dropped', CONTENT_TYPE => DOCKER_MANIFEST, CONTENT_LENGTH => length $text }, $text],
	['a blob', { REQUEST_METHOD => 'POST', REQUEST_URI => '/v2/fuzz/app/blobs/uploads/?digest=' . sha256('dropped'), CONTENT_LENGTH => 7 }, 'dropped'],
	['a blob without a length', { REQUEST_METHOD => 'POST', REQUEST_URI => '/v2/fuzz/app/blobs/uploads/?digest=' . sha256('dropped'), CONTENT_LENGTH => '' }, 'dropped']) {
	my ($what, $p, $body) = @$c;
	my $bytes = join '', records($p, $body);
	my $before = $s->tree_digest;
	local $SIG{PIPE} = 'IGNORE';
	for my $n (0 .. length($bytes) - 1) {
		my $sock = $fcgi[$n % 2]->connect;
		syswrite $sock, substr $bytes, 0, $n if $n;
		if ($n % 3) {
			close $sock;
		} else {        # half of it: what the worker says is read
			shutdown $sock, SHUT_WR;
			my $got = '';
			1 while sysread $sock, $got, 1 << 16, length $got;
			close $sock;
		}
	}
	well("after $what that breaks off at each of its " . length($bytes) . ' bytes');
	is $s->tree_digest, $before, "$what that breaks off is not stored";
	my ($a) = talk($fcgi[0], $bytes, $what);
	is status_of($a), 201, "$what that is whole is";
}

# bytes that are left of a body are no request
for my $keep (0, 1) {
	my $inner = join '', begin(1, 1), (records({ REQUEST_METHOD => 'POST', REQUEST_URI => '/v2/smuggled/app/blobs/uploads/' }, ''))[1 .. 3];
	for my $c (['refused early', { REQUEST_METHOD => 'PUT', REQUEST_URI => '/v2/BAD/manifests/x' }], ['that nobody reads', { REQUEST_METHOD => 'GET', REQUEST_URI => '/v2/' }],
		['too large', { REQUEST_METHOD => 'PUT', REQUEST_URI => '/v2/fuzz/app/manifests/x', CONTENT_LENGTH => 5 << 20 }], ['of another length', { REQUEST_METHOD => 'POST', REQUEST_URI => "/v2/fuzz/app/blobs/uploads/?digest=$layer", CONTENT_LENGTH => 5 }]) {
		my ($what, $p) = @$c;
		my @more = 0;
		for my $lead (0, 8, 512, 8184, 8192) {
			my $body = 'x' x $lead . $inner;
			my ($a) = talk(pick(@fcgi), begin(1, $keep) . record(PARAMS, params(%$p)) . record(PARAMS, '') . record(STDIN_, $body) . $inner, 'smuggling');
			$more[0]++ if grep({ /\AStatus: / } @$a) != 1;
		}
		is $more[0], 0, "a body $what with a request inside, keep-alive $keep, gets one answer";
	}
	ok !-e data_dir($s) . '/repositories/smuggled', "and the request inside is not run (keep-alive $keep)";
}

# names of spooled bodies
my $body_dir = $s->root . '/berth/body';
mkdir "$body_dir/folder";
mkfifo("$body_dir/fifo", 0600);
symlink '/etc/passwd', "$body_dir/link";
symlink '../format', "$body_dir/inner";
spew($s->dir . '/outside', 'outside');
spew($s->root . '/secret', 'secret');
my ($before, $range) = ($s->tree_digest, upload_range($s, $loc));
for my $c (['/etc/passwd', slurp('/etc/passwd')], ['../../../../../../etc/passwd', slurp('/etc/passwd')], [$s->dir . '/outside', 'outside'], ['../../outside', 'outside'], ["$body_dir/../../secret", 'secret'],
	['../format', content_of($s->root . '/berth/format') // ''], ['berth/format', content_of($s->root . '/berth/format') // ''], ["$body_dir/link", slurp('/etc/passwd')], ["$body_dir/inner", content_of($s->root . '/berth/format') // ''], ['link', 'x'],
	["$body_dir/folder", ''], ["$body_dir/fifo", ''], ['fifo', ''], [$body_dir, ''], ["$body_dir/", ''], ['/', ''], ['.', ''], ['..', ''], ["$body_dir/..", ''], ["$body_dir/.", ''], ['missing', ''], ["$body_dir/missing", ''],
	[blob_file($s, $layer), 'layer'], ['x' x 255, ''], ['x' x 256, ''], ['x' x 5000, ''], ['a/' x 3000, ''], ["$body_dir/\x01\xff", ''], ["\n", ''], ['/dev/zero', ''], ['/dev/stdin', ''], ['/proc/self/environ', ''], ['/proc/self/fd/0', '']) {
	my ($file, $content) = @$c;
	(my $short = length $file > 60 ? substr($file, 0, 60) . '...' : $file) =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ge;
	$short =~ s/\Q${\ $s->root}\E/ROOT/;
	my @status;
	for my $p ({ REQUEST_METHOD => 'POST', REQUEST_URI => '/v2/fuzz/app/blobs/uploads/?digest=' . sha256($content) }, { REQUEST_METHOD => 'PATCH', REQUEST_URI => $loc },
		{ REQUEST_METHOD => 'PUT', REQUEST_URI => '/v2/fuzz/app/manifests/spooled', CONTENT_TYPE => DOCKER_MANIFEST }) {
		my ($a) = talk(pick(@fcgi), join('', records({ %$p, BERTH_BODY_FILE => $file }, '')), "body file $short");
		push @status, status_of($a);
		push @status, "a path in $a->[0]" if $a && ($a->[0] // '') =~ m{berth/|/etc/|store/};
	}
	like "@status", qr/^[45]\d\d [45]\d\d [45]\d\d$/, "$short is not taken for a spooled body";
}
is $s->tree_digest, $before, 'none of these names changes anything';
is upload_range($s, $loc), $range, 'nor adds to an upload';
unlink map { "$body_dir/$_" } qw(fifo link inner);
rmdir "$body_dir/folder";

# what is large
for my $c (['one parameter of 1 MiB', pairs(%common, REQUEST_METHOD => 'GET', REQUEST_URI => '/v2/', HTTP_X => 'x' x (1 << 20)), 200],
	['a path of 1 MiB', pairs(%common, REQUEST_METHOD => 'GET', REQUEST_URI => '/v2/' . 'a/' x (1 << 19) . 'tags/list'), 400],
	['a query of 16 384 parameters', pairs(%common, REQUEST_METHOD => 'GET', REQUEST_URI => '/v2/_catalog?' . 'n=0&' x (1 << 14)), 200],
	['20 000 parameters', pairs(%common, (map { ("HTTP_X_$_" => 'y') } 1 .. 20_000), REQUEST_METHOD => 'GET', REQUEST_URI => '/v2/'), 200],
	['20 000 times Accept', pairs(%common, (HTTP_ACCEPT => 'a/b') x 20_000, REQUEST_METHOD => 'GET', REQUEST_URI => '/v2/fuzz/app/manifests/one'), 200],
	['20 000 times If-None-Match', pairs(%common, (HTTP_IF_NONE_MATCH => '"x"') x 20_000, REQUEST_METHOD => 'GET', REQUEST_URI => '/v2/fuzz/app/manifests/one'), 200],
	['a tag of 1 MiB', pairs(%common, REQUEST_METHOD => 'GET', REQUEST_URI => '/v2/fuzz/app/manifests/' . 'a' x (1 << 20)), 404],
	['a method of 1 MiB', pairs(%common, REQUEST_METHOD => 'G' x (1 << 20), REQUEST_URI => '/v2/'), 405],
	['an id of 1 MiB', pairs(%common, REQUEST_METHOD => 'GET', REQUEST_URI => '/nowhere', BERTH_REQUEST_ID => 'i' x (1 << 20)), 404]) {
	my ($what, $pairs, $want) = @$c;
	my ($a) = talk(pick(@fcgi), begin() . Berth::FCGI::stream(PARAMS, $pairs) . record(STDIN_, ''), $what);
	is status_of($a), $want, "$what: $want";
}

well('in the end');
is join(' ', $s->worker_pids), join(' ', @pids), 'the workers are those of the beginning: none died';
my $same = wait_for { my %now = fds(); !grep { $now{$_} > $fds{$_} } keys %now };
ok $same, 'and none holds more files open than before' or diag("before @{[%fds]}, now @{[fds()]}");
my @log = grep { /Sanitizer|runtime error|Assertion|core dumped/ } $s->log;
is "@log", '', 'the log has no report of a fault';
is scalar(grep { $_->{not_json} } $s->log_events), 0, 'and all its lines are JSON, whatever was sent';
is leftovers($s), '', 'nothing is left in body, tmp and trash';
SKIP: {
	skip 'memory is measured in the plain build', 1 if $ENV{BERTH_SANITIZERS};
	my @now = rss();
	my @more = sort { $a <=> $b } map { $now[$_] - $rss[$_] } 0 .. $#now;
	note "KiB more than before, each worker: @more";
	cmp_ok $more[-1], '<', 6 << 10, 'no worker has grown by 6 MiB';
}

# libfcgi asserts that a pair has less than 2 GiB: that costs the worker, and nothing more
SKIP: {
skip 'sanitizers report what libfcgi asks for', 3 if $ENV{BERTH_SANITIZERS};
talk($fcgi[0], begin() . Berth::FCGI::stream(PARAMS, pack('NN', 0xbfffffff, 0xbfffffff) . 'x') . record(STDIN_, ''), 'a pair of 2 GiB');
my $replaced = wait_for { my @now = $s->worker_pids; @now == @pids && "@now" ne "@pids" };
ok $replaced, 'a worker that a pair of 2 GiB ends is replaced';
well('after that');
}

done_testing;
