#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# berth gc: what goes and what stays, what is told, and with which exit status.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Fcntl qw(:flock);
use POSIX ();
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Check;
use Berth::GC;

my $DAY = 24 * 3600;
my $s = Berth::Server->start(config => "delete = true;\n", workers => 2);
my @images;

# an image by HTTP; what missing_of() and pulled() want to know of it
sub image {
	my ($repo, $tag, $config, @layers) = @_;
	$s->push_blob($repo, $_) for $config, @layers;
	return manifest($repo, $tag, OCI_MANIFEST, image_of(OCI_MANIFEST, $config, @layers), $config, @layers);
}

sub manifest {
	my ($repo, $tag, $type, $bytes, @parts) = @_;
	my $d = ($tag // '') =~ /^sha512:/ ? $tag : sha256($bytes);
	my $r = $s->push_manifest($repo, $tag // $d, $bytes, $type);
	die 'PUT: ' . $r->as_string if $r->status != 201;
	return { repository => $repo, digest => $d, bytes => $bytes, tags => $tag && $tag !~ /:/ ? [$tag] : [],
		parts => { map { ref $_ ? @$_ : (sha256($_), $_) } @parts } };
}

# pulled - fetch all of it by HTTP; what is wrong, '' if nothing
sub pulled {
	my @bad;
	for my $i (@_) {
		for my $ref ($i->{digest}, @{ $i->{tags} }) {
			my $r = $s->req('GET', "/v2/$i->{repository}/manifests/$ref");
			push @bad, "$i->{repository} $ref: " . $r->status if $r->status != 200 || $r->body ne $i->{bytes};
		}
		for my $p (sort keys %{ $i->{parts} }) {
			my $r = $s->req('GET', "/v2/$i->{repository}/blobs/$p");
			push @bad, "$i->{repository} $p: " . $r->status if $r->status != 200 || $r->body ne $i->{parts}{$p};
		}
	}
	return join ', ', @bad;
}

# what stays: images, an index, an artifact, sha512, nested names, a layer that several repositories have
my $common = random_bytes(5000);
my $app = image('a/app', 'v1', '{"os":"linux"}', 'layer of a/app', $common);
my @child = map { image('a/multi', undef, "{\"os\":\"linux\",\"variant\":\"$_\"}", "layer for $_", $common) } 1, 2;
my $index = manifest('a/multi', 'latest', OCI_INDEX, index_of(OCI_INDEX, map { desc(OCI_MANIFEST, $_->{bytes}) } @child));
$s->push_blob('a/app', '{}');
$s->push_blob('a/app', 'a signature');
my $artifact = manifest('a/app', undef, OCI_MANIFEST, image_of(OCI_MANIFEST, '{}', 'a signature') =~
	s/\}\z/',"subject":' . desc(OCI_MANIFEST, $app->{bytes}) . '}'/er, '{}', 'a signature');
my $long = 'content named by sha512';
is $s->req('POST', '/v2/a/long/blobs/uploads/?digest=' . sha512($long), body => $long)->status, 201, 'a blob is pushed by its sha512';
$s->push_blob('a/long', '{"long":1}');
my $m512 = image_of(OCI_MANIFEST, '{"long":1}') =~ s/"layers":\[\]/sprintf '"layers":[{"mediaType":"%s","digest":"%s","size":%d}]', OCI_LAYER, sha512($long), length $long/er;
my $long_image = manifest('a/long', sha512($m512), OCI_MANIFEST, $m512, '{"long":1}', [sha512($long), $long]);
my @nested = map { image($_, 'v1', '{"os":"linux"}', "own layer of $_", $common) } 'n', 'n/x', 'n/x/y';
my $cache = manifest('a/cache', 'buildcache', OCI_INDEX, do {
	$s->push_blob('a/cache', $_) for 'a cached layer', '{"cache":1}';
	index_of(OCI_INDEX, desc(OCI_LAYER, 'a cached layer'), desc('application/vnd.buildkit.cacheconfig.v0', '{"cache":1}'));
}, 'a cached layer', '{"cache":1}');
@images = ($app, @child, $index, $artifact, $long_image, @nested, $cache);
is pulled(@images), '', 'before anything is collected every image can be pulled';

# what goes: content that nobody names, links that nobody needs, a deleted image
my %doomed_blob = map { sha256($_) => length } 'named by no manifest', 'in two repositories, named by none', 'old layer', '{"old":1}', 'without a link';
my %doomed_link = map { $_ => 1 } map { my ($r, $b) = @$_; "$r " . sha256($b) } ['a/app', 'named by no manifest'],
	['a/app', 'in two repositories, named by none'], ['n/x', 'in two repositories, named by none'],
	['a/old', 'old layer'], ['a/old', '{"old":1}'], ['only/links', $common];
$s->push_blob(split / /, $_, 2) for 'a/app named by no manifest', 'a/app in two repositories, named by none',
	'n/x in two repositories, named by none';
$s->push_blob('only/links', $common);
my $old = image('a/old', 'v1', '{"old":1}', 'old layer');
$doomed_blob{ $old->{digest} } = length $old->{bytes};
is $s->req('DELETE', "/v2/a/old/manifests/$old->{digest}")->status, 202, 'an image is deleted';
lay_file(blob_file($s, sha256('without a link')), 'without a link');
my $idle = (upload_start($s, 'a/app') =~ m{([^/]+)$})[0];
$s->req('PATCH', "/v2/a/app/blobs/uploads/$idle", body => 'x' x 1000);
my $alone = (upload_start($s, 'only/upload') =~ m{([^/]+)$})[0];
make_old($s, 8 * $DAY);
lay_file($s->root . "/berth/$_", 'left') for 'body/0000000001', 'tmp/left', 'tmp/directory/link', 'trash/old/data';
make_old($s, 8 * $DAY, map { "berth/$_" } qw(body tmp trash));
my %doomed_upload = ("a/app $idle" => 1000, "only/upload $alone" => 0);

# what stays since it is young
my ($fresh) = (upload_start($s, 'a/app') =~ m{([^/]+)$})[0];
$s->push_blob('a/app', 'named by no manifest yet');
lay_file(blob_file($s, sha256('without a link yet')), 'without a link yet');
lay_file($s->root . "/berth/$_", 'busy') for 'tmp/young', 'trash/young/data';
$s->push_blob('a/app', 'old, and looked for just now');
make_old($s, 8 * $DAY, map { substr $_, 1 + length $s->root } blob_file($s, sha256('old, and looked for just now')), layer_link($s, 'a/app', sha256('old, and looked for just now')));
is $s->req('HEAD', '/v2/a/app/blobs/' . sha256('old, and looked for just now'))->status, 200, 'a client looks for an old blob';

# the dry run
my @blobs_before = @{ blobs_on_disk($s) };
my @links_before = @{ links_on_disk($s) };
my $tree = $s->tree_digest;
my $dry = gc_ok($s, '--dry-run', 'a dry run ends with 0');
is $s->tree_digest, $tree, 'a dry run changes nothing in the store';
is join(' ', grep { !/^(?:reserve|last$)/ } files_below($s->root . '/berth/gc')), '', 'and leaves no run behind';
my %told = map { /^(\w+ .*?), (\d+) bytes: (.+)$/ ? ($1 => [$2, $3]) : () } split /\n/, $dry->{out};
my %want = ((map { ("blob $_" => $doomed_blob{$_}) } keys %doomed_blob), (map { ("link $_" => 0) } keys %doomed_link),
	(map { ("upload $_" => $doomed_upload{$_}) } keys %doomed_upload),
	'leftover berth/body/0000000001' => 4, 'leftover berth/tmp/left' => 4, 'leftover berth/tmp/directory' => 0, 'leftover berth/trash/old' => 0);
is_deeply { map { $_ => $told{$_}[0] } keys %told }, \%want, 'a dry run tells each thing that would go and how many bytes that frees';
is scalar(grep { length $_->[1] < 5 } values %told), 0, 'and why';
my $sum = 0;
$sum += $_ for values %doomed_blob, values %doomed_upload;
like $dry->{out}, qr/^would remove 0 manifests, 6 links, 6 blobs, 2 uploads, 4 leftovers: $sum bytes; (\d+) blobs stay; \d+ ms\n\z/m, 'its last line is the sum';
my $json = gc_ok($s, '--dry-run', '--json', 'a dry run as JSON ends with 0');
is $s->tree_digest, $tree, 'it changes nothing either';
is_deeply { map { key_of($_) => $_->{bytes} } gc_told($json) }, \%want, 'it tells the same, one JSON object a line';
is scalar(grep { !$_->{why} } gc_told($json)), 0, 'with a reason each';
my $total = gc_total($json);
is_deeply [@$total{qw(kind manifests links blobs uploads leftovers unreadable bytes)}, $total->{dry_run} ? 1 : 0], ['summary', 0, 6, 6, 2, 4, 0, $sum, 1], 'its last line is the sum';
is $total->{kept_blobs} + keys %doomed_blob, scalar @blobs_before, 'what stays is counted, too';

# the run itself
my $run = gc_ok($s, '--json', 'a collection ends with 0');
is_deeply { map { key_of($_) => $_->{bytes} } gc_told($run) }, \%want, 'a collection removes what the dry run said';
is_deeply blobs_on_disk($s), [grep { !exists $doomed_blob{$_} } @blobs_before], 'of the content exactly that is gone';
is_deeply links_on_disk($s), [grep { !exists $doomed_link{$_} } @links_before], 'of the links exactly those are gone';
is_deeply [uploads_of($s, 'a/app')], [$fresh], 'an upload that nobody went on with is gone, a young one stays';
ok -d data_dir($s) . "/repositories/$_", "$_ stays a repository" for 'a/old', 'only/links';
like $s->req('GET', '/v2/_catalog')->body, qr{"a/old".*"only/links"}, 'and is listed';
is join(' ', map { my $d = $_; map { "$d/$_" } files_below($s->root . "/berth/$d") } qw(body tmp trash)), 'tmp/young trash/young/data', 'of what crashes left the old is gone, the young stays';
is join(' ', grep { !/^(?:reserve|last$)/ } files_below($s->root . '/berth/gc')), '', 'no run is left behind';
ok -s $s->root . '/berth/gc/reserve/0', 'and the reserve is there';
is pulled(@images), '', 'every image can be pulled, byte for byte';
is $s->req('HEAD', "/v2/only/links/blobs/" . sha256($common))->status, 404, 'a repository that no longer has a link does not have the blob';
is $s->req('HEAD', '/v2/a/app/blobs/' . sha256($_))->status, 404, "the blob '$_' is unknown" for 'named by no manifest', 'in two repositories, named by none';
like $s->req('GET', "/v2/a/app/referrers/$app->{digest}")->body, qr/\Q$artifact->{digest}\E/, 'the artifact still is a referrer';
is gc_total(gc($s, '--json'))->{blobs}, 0, 'a second collection finds nothing more';

# what went can come back
push @images, image('a/old', 'v1', '{"old":1}', 'old layer');
$s->push_blob('a/app', 'named by no manifest');
is $s->req('POST', '/v2/only/links/blobs/uploads/?mount=' . sha256($common) . '&from=a/app')->status, 201, 'a link that went can be mounted again';
is pulled(@images), '', 'an image that went can be pushed again';
is_deeply [map { $s->req('PATCH', "/v2/a/app/blobs/uploads/$_", body => 'x')->status } $idle, $fresh], [404, 202], 'an upload that went is unknown, a young one goes on';

# grace
make_old($s, 3600);
for my $c (['2h', 0], ['3700s', 0], ['3500', 1], ['59m', 0], ['0s', 0]) {
	my ($grace, $goes) = @$c;
	my $n = grep { $_->{kind} eq 'blob' } gc_told(gc($s, '--json', '--grace', $grace));
	$goes ? cmp_ok($n, '>', 0, "with --grace $grace what is an hour old goes") : is($n, 0, "with --grace $grace nothing more goes");
}
$s->push_blob('a/app', 'of this very second');
is gc_total(gc($s, '--json', '--grace', '1h'))->{blobs}, 0, 'what was pushed just now stays for the grace';
# a link is as young as its content, and the other way round
make_old($s, 3600, map { substr $_, 1 + length $s->root } layer_link($s, 'a/app', sha256('of this very second')));
is gc_total(gc($s, '--json', '--grace', '30m'))->{links}, 0, 'an old link to young content stays';
make_old($s, 3600, map { substr $_, 1 + length $s->root } blob_file($s, sha256('of this very second')));
utime undef, undef, layer_link($s, 'a/app', sha256('of this very second'));
is_deeply [@{ gc_total(gc($s, '--json', '--grace', '30m')) }{qw(links blobs)}], [0, 0], 'a young link keeps old content';
is pulled(@images), '', 'every image can be pulled, byte for byte';

# uploads by age
my $u = (upload_start($s, 'a/app') =~ m{([^/]+)$})[0];
make_old($s, 7200, "docker/registry/v2/repositories/a/app/_uploads");
is gc_total(gc($s, '--json', '--uploads', '3h'))->{uploads}, 0, '--uploads says how old an upload must be';
is gc_total(gc($s, '--json', '--uploads', '1h'))->{uploads}, 2, 'to go';
$u = upload_start($s, 'a/app');
($u) = $u =~ m{([^/]+)$};
$s->req('PATCH', "/v2/a/app/blobs/uploads/$u", body => 'one');
my $updir = repo_dir_of('a/app') . "/_uploads/$u";
utime 1, 1, "$updir/startedat";
is gc_total(gc($s, '--json', '--uploads', '1h'))->{uploads}, 0, 'an upload is as old as its last byte';
utime 1, 1, "$updir/data";
{
	# somebody goes on with an old upload while the collector waits for its lock
	open my $lock, '+<', "$updir/startedat" or die "$updir: $!";
	flock $lock, LOCK_EX or die "flock: $!";
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		my @cmd = gc_cmd($s, '--uploads', '1h');
		open STDOUT, '>', '/dev/null';
		exec { $cmd[0] } @cmd or POSIX::_exit(127);
	}
	wait_for { -e $s->root . '/berth/gc/run' };
	sleep 0.5;
	open my $data, '>>', "$updir/data" or die "$updir: $!";
	print {$data} 'two';
	close $data;
	close $lock;
	waitpid $pid, 0;
	is content_of("$updir/data"), 'onetwo', 'an upload that somebody goes on with at the last moment stays';
}

# used wrongly
for my $c (['--grace', 'soon'], ['--grace', ''], ['--grace', '-1s'], ['--grace', '1.5h'], ['--grace', '10w'], ['--grace', '99999999999999999999'],
	['--uploads', 'x'], ['--rate', 'x'], ['--rate', '-1'], ['--what'], ['--grace'], ['more']) {
	my $before = $s->tree_digest;
	my $r = gc($s, @$c);
	is $r->{status}, 2, "`gc @$c` is used wrongly: status 2" or diag($r->{out}, $r->{err});
	ok length $r->{err} && $r->{out} eq '', 'and that is said on stderr';
}
my $r = run(program('berth'), '--root', $s->dir . '/nowhere', 'gc');
is $r->{status}, 1, 'a store that is not there: status 1';
like $r->{err}, qr/nowhere/, 'and it is named';
ok !-e $s->dir . '/nowhere', 'and not made';
is gc($s, '--rate', '1000')->{status}, 0, '--rate takes a number';

# one at a time
{
	open my $lock, '+<', $s->root . '/berth/locks/run' or die "run lock: $!";
	flock $lock, LOCK_EX or die "flock: $!";
	make_old($s, 9 * $DAY);
	my $before = $s->tree_digest;
	$r = gc($s);
	is $r->{status}, 1, 'a second collection ends with 1';
	like $r->{err}, qr/another collection is running/, 'and says that another one is running';
	is $s->tree_digest, $before, 'and changes nothing';
	ok -e $s->root . '/berth/gc/reserve', 'nor takes the reserve away';
	close $lock;
	gc_ok($s, 'when the other one has ended it works');
}

# how fast
{
	lay_blob($s, 'a/rate', "rated $_") for 1 .. 200;
	make_old($s, 2 * $DAY);
	my $began = time;
	my $all = gc_total(gc($s, '--json', '--rate', '400'));
	cmp_ok time - $began, '>', 0.7, '--rate 400 takes a second for 400 objects, or nearly';
	is $all->{links} + $all->{blobs}, 400, 'and removes them all';
}
is pulled(@images), '', 'every image can be pulled, byte for byte';
ok !(grep { ($_->{status} // 0) >= 500 } $s->log_events), 'no request of all these ended with 5xx';

sub repo_dir_of { return data_dir($s) . "/repositories/$_[0]" }
$s->stop;

done_testing;
