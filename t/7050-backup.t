#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# scripts/backup copies a store while clients push, move and delete and collections run: the copy is a store in which
# nothing is missing that a name leads to, with all that was acknowledged before.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(sleep);
use Berth::Test;
use Berth::Check;
use Berth::Cache;
use Berth::Content;

need_program('rsync', 'flock', 'setpriv');

my $backup = source_dir() . '/scripts/backup';
my $dir = tmp_dir();
my $conf = "delete = true;\nfsync = \"off\";\n";
my $s = Berth::Server->start(config => $conf);
my $c = Berth::Content->new;
my $JSON = JSON::PP->new->utf8;

# What fsck finds in a store that is served, but for what a push that broke off leaves (doc/STORE.md).
sub found
{
	my ($side) = @_;
	my $r = run(program('berth'), '--config', '/dev/null', '--root', $side->root, 'fsck', '--data', '--json');
	my @all = map { $JSON->decode($_) } grep { /^\{"kind"/ } split /\n/, $r->{out};

	return join "\n", $r->{status} > 1 ? $r->{err} : (), map { "$_->{kind} $_->{where}: $_->{what}" }
		grep { $_->{kind} ne 'summary' && !is_garbage($_->{kind}) } @all;
}

sub restored
{
	my ($copy, $name) = @_;
	my $root = "$dir/$name";

	run_ok('rsync', '-a', "$copy/", "$root/", "$name: the copy is copied to an empty directory");
	return Berth::Server->start(root => $root, config => $conf);
}

# An rsync that says that it has been called, and waits until it may go on, where the test asks for that.
mkdir "$dir/bin";
my ($rsync) = grep { -x } '/usr/bin/rsync', have_program('rsync');
spew("$dir/bin/rsync", <<"EOT");
#!/bin/sh
for arg; do case \$arg in --files-from=*) lists=\$(cat "\${arg#*=}") ;; esac; done
path="\$* \$lists"
case "\$(cat '$dir/stop-at' 2>/dev/null)" in
'') ;;
*) case \$path in *"\$(cat '$dir/stop-at')"*)
	rm '$dir/stop-at'; : > '$dir/stopped'
	while [ ! -e '$dir/go' ]; do sleep 0.02; done; rm '$dir/go' ;;
esac ;;
esac
exec '$rsync' "\$@"
EOT
chmod 0755, "$dir/bin/rsync";
my $env = { PATH => "$dir/bin:$ENV{PATH}" };

# The copy is made by a child; with stop-at it waits before that part, until let_go().
sub begin
{
	my ($where, @args) = @_;

	spew("$dir/stop-at", $where) if length $where;
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		my $r = run({ env => $env }, $backup, @args);
		print STDERR $r->{err};
		POSIX::_exit($r->{status});
	}
	wait_for(sub { -e "$dir/stopped" }) or die "the copy does not get to $where\n" if length $where;
	unlink "$dir/stopped";
	return $pid;
}
sub let_go { spew("$dir/go", ''); return }
sub ended { my ($pid) = @_; waitpid $pid, 0; return $? >> 8 }
sub gc { return berth_gc_status('--grace', '0s', @_) }
sub berth_gc_status { return Berth::Content::berth_gc($s->root, @_) }

# --- what is there before

my $old = $c->image($s, 'team/app', 'old');
my $going = $c->image($s, 'team/app', 'going');
$c->index($s, 'team/app', 'multi', OCI_INDEX, $c->image($s, 'team/app', undef), $old);
$c->image($s, 'team/app', undef, subject => $old, artifactType => 'application/x.sbom');
$c->image($s, 'team/app/web', 'v1', alg => 'sha512');
$c->image($s, 'team', 'v1', type => DOCKER_MANIFEST);
my $upload = $c->begin($s, 'team', 'half of it');
my $before = Storable::dclone($c);

# --- a collection beside

my $pid = begin('/./blobs', $s->root, "$dir/one");
$c->delete_manifest($s, 'team/app', $going);
my $r = gc();
is $r->{status}, 1, 'while a copy is made, no collection begins';
like $r->{err}, qr/another collection is running/, 'and it says why';
let_go();
is ended($pid), 0, 'the copy is made';
is gc()->{status}, 0, 'after it, a collection does its work';
is((stat "$dir/one$_")[2] & 027, 0, 'it is not for every user: ' . ($_ || 'the top')) for '', '/docker';
my $copy = restored("$dir/one", 'first');
is $before->faults($copy), '', 'what was deleted after its names were copied is there, whole';
is found($copy), '', 'fsck finds nothing';
is run_ok('find', "$dir/one", '-name', '_uploads', '-o', '-path', "$dir/one/berth", 'look for what is left out'), '',
	'uploads under way and what is derived are left out';
$copy->stop;

# --- a push beside, in the repository that is being copied

$pid = begin('repositories/team/app/_manifests', $s->root, "$dir/two");
my $pushed = fork // die "fork: $!";
if (!$pushed) {
	my $image;
	1 until $image = eval { $c->image($s, 'team/app', 'new') } or $@ !~ /^status 503,/;     # which it gets after ten seconds
	spew("$dir/pushed", $image // '');
	POSIX::_exit($image ? 0 : 1);
}
my $inode = (stat sprintf '%s/berth/locks/repository/%s', $s->root, substr sha256('team/app'), 7, 2)[1];
ok wait_for(sub { slurp('/proc/locks') =~ /-> FLOCK .*:$inode / }), 'a push to a repository that is being copied waits';
ok !-e "$dir/pushed", 'and is not answered';
is $s->req(GET => '/v2/team/app/manifests/old', headers => [Accept => OCI_MANIFEST])->status, 200, 'pulls do not';
is eval { $c->image($s, 'other/app', 'v1'); 1 }, 1, 'nor do pushes to others';
let_go();
is ended($pid), 0, 'the copy is made';
is ended($pushed), 0, 'and the manifest then is taken';
$copy = restored("$dir/two", 'second');
is $copy->req(GET => '/v2/team/app/manifests/new', headers => [Accept => OCI_MANIFEST])->status, 404, 'it is not in the copy';
is found($copy), '', 'fsck finds nothing';
$copy->stop;
$c->forget_manifest('other/app', $_) for keys %{ $c->repo('other/app')->{manifests} };
delete $c->{repo}{'other/app'};

# --- everything beside

sub enough { return -e "$dir/enough" }
my @load = map { my $i = $_; my $p = fork // die "fork: $!"; if (!$p) { POSIX::_exit(eval { load($i) } ? 0 : 1) } $p } 0 .. 2;
my $collector = fork // die "fork: $!";
if (!$collector) {
	while (!enough()) { berth_gc_status('--grace', '10m'); sleep 0.5 }
	POSIX::_exit(0);
}

# What nothing refers to any more is old, so that it goes, whereas what a client has pushed has all the time to get its manifest.
sub age { my ($repo, @digests) = @_; utime 1, 1, map { (blob_file($s, $_), layer_link($s, $repo, $_)) } @digests; return }
sub layer_of { my ($content, $image) = @_; return (grep { $content->bytes($_) =~ /^layer/ } @{ ($content->named($image))[1] })[0] }

# One of the clients: what it has, without end, in repositories of its own and in one of all.
sub load
{
	my ($i) = @_;
	my $mine = Berth::Content->new;
	my $n = 0;

	while (!enough()) {
		my $repo = rand() < 0.5 ? "load$i" : 'load/all';
		my $a = $mine->image($s, $repo, "c$i-" . $n++ % 7);
		my $b = $mine->image($s, $repo, undef);
		my $of = $mine->index($s, $repo, "c$i-multi", OCI_INDEX, $a, $b);
		if (rand() < 0.3) {
			$mine->delete_manifest($s, $repo, $_) for $of, $a;
			age($repo, $of, $a, layer_of($mine, $a));
		}
		$mine->image($s, "load$i/new" . int rand 4, 'v1');
		sleep 0.2;
	}
	return 1;
}
my ($previous, $first);
my $acknowledged = Storable::dclone($c);
for my $n (0 .. 2) {
	$acknowledged->image($s, 'kept', "k$n");
	$first //= (keys %{ $acknowledged->repo('kept')->{blobs} })[0];
	$r = run($backup, $previous ? ('--previous', $previous) : (), $s->root, "$dir/load$n");
	is $r->{status}, 0, "a copy is made beside clients and collections ($n)" or diag $r->{err};
	$previous = "$dir/load$n";
	$copy = restored($previous, "restored$n");
	is found($copy), '', "fsck finds nothing in it ($n)";
	my @faults = map { my $repo = $_; grep { length } map { $acknowledged->incomplete($copy, $repo, $_) } keys %{ $acknowledged->repo($repo)->{manifests} } }
		'kept', 'team/app', 'team';
	is join("\n", @faults), '', "what was acknowledged before is there, whole ($n)";
	is $copy->req(GET => "/v2/kept/manifests/k$_", headers => [Accept => OCI_MANIFEST])->status, 200, "k$_ is there ($n)" for 0 .. $n;
	$copy->stop;
}
spew("$dir/enough", '');
is join(' ', map { ended($_) } @load, $collector), '0 0 0 0', 'nobody of them was refused anything';
cmp_ok +(stat Berth::Server::blob_path({ root => "$dir/load2" }, $first))[3], '>', 1, 'a later copy shares with the earlier one what is the same';

# --- copies of other registries

my $cache = Berth::Server->start(config => "$conf" . mirror_conf(['up', 'http://127.0.0.1:1']), args => ['--no-relay']);
my $image = hand_image($cache, 'up/app', '1', '{}', random_bytes(1000));
run_ok(program('berth'), '--config', $cache->config_file, '--root', $cache->root, 'cache', 'pin', 'up/app:1', 'up/app:later', 'tags are pinned');
is run($backup, $cache->root, "$dir/mirror")->{status}, 0, 'a copy is made of a cache';
my @known = sort grep { !/^_/ } files_below($cache->root . '/berth/mirror');
is join(' ', sort(files_below("$dir/mirror/berth/mirror"))), join(' ', @known), 'with what is known of each repository, and no more';
is scalar(grep { m{up/app/_pinned/} } @known), 2, 'the pins among it';
$cache->stop;
run_ok('rsync', '-a', "$dir/mirror/", "$dir/mirrored/", 'it is copied to an empty directory');
$cache = Berth::Server->start(root => "$dir/mirrored", config => "$conf" . mirror_conf(['up', 'http://127.0.0.1:1']) . "cache = { idle = \"10h\"; };\n", args => ['--no-relay']);
like run(program('berth'), '--config', $cache->config_file, '--root', $cache->root, 'cache', 'list')->{out}, qr/^  1 \Q$image->{digest}\E, .*, pinned\n  later is not here, pinned$/m, 'a tag is pinned there';
$cache->stop;

# --- what goes wrong

$r = run($backup, $s->root, "$dir/one");
is $r->{status}, 1, 'nothing is written over';
like $r->{err}, qr{^backup: \Q$dir\E/one exists already$}, 'and it says so';
mkdir "$dir/empty";
like run($backup, "$dir/empty", "$dir/x")->{err}, qr{has no berth/locks yet: start berth-fcgi on it once}, 'a directory that is no store is said to be none';
spew("$dir/bin/rsync", "#!/bin/sh\nexit 11\n");
$r = run({ env => $env }, $backup, $s->root, "$dir/broken");
is "$r->{status} " . (-e "$dir/broken" ? 1 : 0), '1 0', 'a copy that failed has not the name of one';
like $r->{err}, qr/^backup: rsync failed$/m, 'and it says so';

done_testing;
