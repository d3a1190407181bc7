#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What lies in the store where a file belongs and is none (a FIFO, a link, a directory, a socket, a device), or is far too long:
# nothing waits for it, nothing goes where it leads, each request has the answer that it would have without it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Fcntl qw(O_RDWR);
use IO::Socket::UNIX;
use POSIX qw(mkfifo);
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n", workers => 4);
my $away = tmp_dir();
my ($n, $size) = (0, 16 << 30);
my @kept;       # sockets and FIFOs that somebody has open

sub remove { my ($f) = @_; -d $f && !-l $f ? run('rm', '-r', $f) : unlink $f; return }

# Each takes a path from which a file was taken away; what was in it lies at the second.
my %odd = (
	'a FIFO' => sub { mkfifo($_[0], 0666) or die "mkfifo: $!" },
	'a FIFO that somebody has open' => sub { mkfifo($_[0], 0666) or die "mkfifo: $!"; sysopen my $h, $_[0], O_RDWR or die "$!"; push @kept, $h },
	'a link to a file like it' => sub { symlink $_[1], $_[0] or die "symlink: $!" },
	'a link to nothing that ends' => sub { symlink '/dev/zero', $_[0] or die "symlink: $!" },
	'a link to itself' => sub { symlink $_[0], $_[0] or die "symlink: $!" },
	'a directory' => sub { mkdir $_[0] or die "mkdir: $!" },
	'a socket' => sub {
		my $short = tmp_dir() . '/s';
		push @kept, IO::Socket::UNIX->new(Local => $short, Listen => 1) // die "socket: $!";
		rename $short, $_[0] or die "rename: $!";
	},
	'a long file without bytes' => sub { open my $h, '>', $_[0] or die "$!"; truncate $h, $size or die "truncate: $!" },
	$> == 0 ? ('a device' => sub { run('mknod', $_[0], 'c', 1, 5)->{status} == 0 or die "mknod\n" }) : (),
);
my $long = 'a long file without bytes';

# odd - have it at a path; gives back what undoes it
sub odd
{
	my ($what, $path) = @_;
	my $was = "$away/" . $n++;

	die "no file at $path\n" if !-f $path;
	run('cp', $path, $was);
	unlink $path;
	$odd{$what}->($path, $was);
	return sub { remove($path); run('mv', $was, $path); $path };
}

# asked - the status and the code of an answer
sub asked
{
	my ($method, $path, %o) = @_;
	my $r = $s->req($method, $path, timeout => 120, %o);

	return $r->status . ($r->status >= 400 && $method ne 'HEAD' ? ' ' . (eval { $r->json->{errors}[0]{code} } // 'no JSON') : '');
}

# answers - title, then a request (method, path, options) and what it gets, one after the other
sub answers
{
	my ($title, @pairs) = @_;

	while (my ($request, $want) = splice @pairs, 0, 2) {
		my ($method, $path, @o) = @$request;
		my $got = eval { asked($method, $path, @o) } // $@ =~ s/\n//r;

		is $got, $want, "$title: $method " . $path =~ s{/v2/[^/]*}{}r =~ s/[0-9a-f]{30,}|[0-9a-f]{8}(-[0-9a-f]+)+/.../gr;
	}
	return;
}

$s->req('GET', '/v2/_catalog');
my ($BLOB, $MANIFEST, $UPLOAD) = ('404 BLOB_UNKNOWN', '404 MANIFEST_UNKNOWN', '404 BLOB_UPLOAD_UNKNOWN');
for my $what (sort keys %odd) {
	my $repo = 'odd' . $n++;
	my ($layer, $config) = ("layer of $repo", qq({"config":"$repo"}));
	my $image = image_of(OCI_MANIFEST, $config, $layer);
	my ($d, $l) = (sha256($image), sha256($layer));
	my $put = sub { my ($ref, $text) = @_; return ['PUT', "/v2/$repo/manifests/$ref", headers => ['Content-Type' => OCI_MANIFEST], body => $text // $image] };
	my $push = ['POST', "/v2/$repo/blobs/uploads/?digest=$l", body => $layer];
	my $mends = $what eq 'a directory' ? '500 UNKNOWN' : '201';
	my @get = map { ['GET', "/v2/$repo/manifests/$_"] } 'one', $d;

	$s->push_blob($repo, $_) for $layer, $config;
	asked(@{ $put->('one') }) eq '201' or die;

	# content: what is of another size is content all the same
	if ($what ne $long) {
		my $undo = odd($what, blob_file($s, $l));
		answers("content that is $what", (map { ([$_, "/v2/$repo/blobs/$l"] => $_ eq 'HEAD' ? '404' : $BLOB) } 'GET', 'HEAD'),
			['GET', "/v2/$repo/blobs/$l", headers => [Range => 'bytes=0-3']] => $BLOB, $put->('two') => '400 MANIFEST_BLOB_UNKNOWN',
			['POST', "/v2/odd-to/blobs/uploads/?mount=$l&from=$repo"] => '202', $push => $mends);
		$undo->();
	}
	my $undo = odd($what, blob_file($s, $d));
	answers("a manifest that is $what", map { ($_ => $MANIFEST) } @get);
	$undo->();

	# links
	$undo = odd($what, layer_link($s, $repo, $l));
	answers("a blob's link that is $what", (map { ([$_, "/v2/$repo/blobs/$l"] => $_ eq 'HEAD' ? '404' : $BLOB) } 'GET', 'HEAD', 'DELETE'),
		$put->('two') => '400 MANIFEST_BLOB_UNKNOWN', $push => '201');
	$undo->();
	$undo = odd($what, revision_link($s, $repo, $d));
	answers("a manifest's link that is $what", (map { ($_ => $MANIFEST) } @get), $put->('one') => '201');
	$undo->();
	$undo = odd($what, tag_link($s, $repo, 'one'));
	answers("a tag's link that is $what", $get[0] => $MANIFEST, $get[1] => '200', $put->('one') => $mends);
	$undo->();

	# the index
	my $about = $image =~ s/\}\z/,"subject":@{[desc(OCI_MANIFEST, $image)]},"annotations":{"for":"$repo"}}/r;
	answers('a referrer', $put->(sha256($about), $about) => '201');
	my $referrers = sub { my $r = $s->req('GET', "/v2/$repo/referrers/$d", timeout => 120); return $r->status . ' ' . ($r->body =~ s/\s+\z//r) };
	my $before = $referrers->();
	my $index = $s->root . "/berth/index/$repo";
	like $before, qr/"for":"$repo"/, 'is listed';
	$undo = odd($what, "$index/_referrers/" . ($d =~ tr{:}{/}r) . '/' . sha256($about));
	is eval { $referrers->() } // $@, $before, "its entry is $what: the manifest itself says what belongs there";
	$undo->();
	my @list = ['GET', "/v2/$repo/tags/list"];
	my @rebuild = ({ timeout => 120 }, program('berth'), '--root', $s->root, 'index', 'rebuild', $repo);
	for my $which ('root', 'leaf') {
		my ($file) = $which eq 'root' ? "$index/_names/root" : grep { /\d$/ } glob "$index/_names/*";
		unlink "$index/_list";          # or nobody would look there
		$undo = odd($what, $file);
		answers("the index's $which is $what", @list => '500 UNKNOWN');
		if ($what eq 'a directory' && $which eq 'root') {
			$undo->();
			next;
		}
		my $r = run(@rebuild);
		is $r->{status}, 0, 'berth index rebuild mends it' or diag($r->{err});
		answers('then', @list => '200');
	}
	$undo = odd($what, "$index/_epoch");
	answers("the index's epoch is $what", @list => '200');
	$undo->();
	wait_for(sub { asked('GET', $list[0][1]); -f "$index/_list" }) or die;
	my $tags = sub { return $s->req('GET', $list[0][1], timeout => 120)->body };
	my $listed = $tags->();
	$undo = odd($what, "$index/_list");
	is $tags->(), $listed, "the kept list of tags is $what: the index says what belongs there";
	answers('then', $put->('another') => '201');
	like $tags->(), qr/"another"/, 'a push gets past it';
	$undo->();

	# uploads
	for my $file ('startedat', 'data') {
		my $none = $file eq 'startedat';
		my $make = sub {
			my $at = upload_start($s, $repo);
			asked('PATCH', $at, body => 'begun') eq '202' or die;
			odd($what, Berth::Check::repo_dir($s, $repo) . '/_uploads/' . ($at =~ m{([^/]+)\z})[0] . "/$file");
			return $at;
		};
		if ($what eq $long) {
			answers("$file of an upload is $what", ['GET', $make->()] => '204', ['DELETE', $make->()] => '204');
			next;
		}
		# For the sake of one call less a status does not ask what it has opened; who goes on with the upload does.
		my $opens = $what =~ /FIFO|device|directory/;
		answers("$file of an upload is $what", ['GET', $make->()] => $none && !$opens ? $UPLOAD : '204', ['PATCH', $make->(), body => 'more'] => $UPLOAD,
			['PUT', $make->() . "?digest=$l", body => $layer] => $none ? $UPLOAD : '201',
			['DELETE', $make->()] => $none ? $UPLOAD : '204');
	}

	# what all share
	for my $file ("index/_catalog/root", "index/_catalog/epoch", 'locks/settings') {
		$undo = odd($what, $s->root . "/berth/$file");
		answers("$file is $what", ['GET', '/v2/_catalog'] => $file =~ /root/ ? '500 UNKNOWN' : '200');
		$undo->();
	}
	answers('as it was', (map { ($_ => '200') } @get, ['GET', "/v2/$repo/blobs/$l"], ['GET', '/v2/_catalog'], @list));
}
ok !(grep { (content_of($_) // '') =~ /begunmore/ } grep { -f } glob "$away/*"), 'nothing was written where a link leads';

# All at once, for those who walk through everything
$size = 128 << 20;      # fsck reads it
for my $what (sort keys %odd) {
	my $repo = 'walk' . $n++;
	my ($layer, $d) = ("layer of $repo");

	($d) = $s->push_image($repo, 'one', layers => [$layer]);
	my ($d2) = $s->push_image($repo, 'two', layers => ["2 $layer"]);
	$s->req('PATCH', my $at = upload_start($s, $repo), body => 'begun');
	odd($what, $_) for blob_file($s, sha256($layer)), layer_link($s, $repo, sha256($layer)), blob_file($s, $d), revision_link($s, $repo, $d2),
		tag_link($s, $repo, 'two'), Berth::Check::repo_dir($s, $repo) . '/_uploads/' . ($at =~ m{([^/]+)\z})[0] . '/data',
		glob $s->root . "/berth/index/$repo/_names/*";
	spew(my $left = $s->root . '/berth/tmp/left' . $n++, 'x');
	odd($what, $left);
}
run_ok('touch', '-h', '-d', '@' . (time - 3600), glob($s->root . '/berth/tmp/left*'), 'what is left is an hour old');
for my $cmd (['gc', '--grace', '0s', '--dry-run'], ['fsck'], ['fsck', '--repair'], ['gc', '--grace', '0s', '--uploads', '0s'], ['repo', 'du'], ['fsck']) {
	my $r = run({ timeout => 120 }, program('berth'), '--root', $s->root, @$cmd);
	cmp_ok $r->{status}, '<', 2, "berth @$cmd ends" or diag($r->{err});
}
is join(' ', grep { -p || -l || -S _ } glob $s->root . '/berth/tmp/left*'), '', 'what is left in tmp/ goes, whatever it is' or diag(`ls -la --time-style=full-iso \Q@{[$s->root]}\E/berth/tmp`);
SKIP: {
	skip 'the memory of a sanitizer build is another', 1 if $ENV{BERTH_SANITIZERS};
	my ($most) = sort { $b <=> $a } map { slurp("/proc/$_/status") =~ /VmHWM:\s*(\d+)/ } $s->worker_pids;
	cmp_ok $most, '<', 300_000, "no worker took the memory that a file seemed to need ($most KiB)";
}

# The operator's own files may be links, and have to be files
my $dir = tmp_dir();
spew("$dir/real", "delete = true;\n");
symlink "$dir/real", "$dir/link";
mkfifo("$dir/fifo", 0600) or die;
is run({ timeout => 120 }, program('berth'), '--config', "$dir/link", 'config', 'given')->{out}, "delete\n", 'a configuration may be a link';
my $r = run({ timeout => 120 }, program('berth'), '--config', "$dir/fifo", 'config', 'show');
like "$r->{status} $r->{err}", qr/^[12] .*fifo.*not a file/s, 'a FIFO is none';
spew("$dir/users", "auth = { htpasswd = \"$dir/fifo\"; robots = \"$dir/fifo\"; };\n");
$r = run({ timeout => 120 }, program('berth'), '--config', "$dir/users", 'config', 'check');
isnt $r->{status}, 0, 'nor a file of users or robots';
for my $cmd (['user', 'rm', 'alice'], ['token', 'rm', 'ci']) {
	$r = run({ timeout => 120 }, program('berth'), '--config', "$dir/users", @$cmd);
	isnt $r->{status}, 0, "berth @$cmd says so";
	isnt $r->{status}, 137, 'and does not wait';
}
done_testing;
