#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# On a file system of several machines a worker keeps directories of repositories open, and small manifests in memory, and nginx keeps blobs
# open. Whatever another machine does between two requests, the second one sees it: here are two on one local disk.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::GC ();
use Berth::Trace ();

need_program('strace');
local $ENV{BERTH_TEST_DISTANT} = 1;     # for berth's commands; a server has it in its own environment
my %o = (config => "delete = true;\n", workers => 1, env => { BERTH_TEST_DISTANT => 1 }, nginx_args => ['with=machines']);
my $here = Berth::Server->start(%o);
my $there = Berth::Server->start(%o, root => $here->root);
my $root = $here->root;
my $repos = "$root/docker/registry/v2/repositories";
my ($n, $run) = (0, "$root/berth/locks/run");

sub berth { my (@words) = @_; my $r = run(program('berth'), '--config', $there->config_file, '--root', $root, @words); return "$r->{status} $r->{err}" }
sub status { my ($repo, $ref) = @_; return $here->req(GET => "/v2/$repo/manifests/$ref")->status }
sub points_to { my ($repo, $ref) = @_; my $r = $here->req(GET => "/v2/$repo/manifests/$ref"); return $r->status == 200 ? sha256($r->body) : $r->status }
sub blob { my ($repo, $bytes) = @_; my $r = $here->req(GET => "/v2/$repo/blobs/" . sha256($bytes)); return $r->status == 200 ? $r->body : $r->status }

# image - one that the first machine has been asked for often enough to know; its digest
sub image
{
	my ($repo, $tag) = @_;
	my ($d) = $there->push_image($repo, $tag, layers => ['a layer', 'layer ' . ++$n]);

	status($repo, $tag), status($repo, $d), blob($repo, 'a layer') for 1 .. 3;
	return $d;
}

sub is_kept { my ($path) = @_; return scalar grep { (readlink($_) // '') =~ m{\Q$path\E$} } map { glob "/proc/$_/fd/*" } $here->worker_pids }
sub pushes { my ($repo, $tag, $what) = @_; return $there->push_image($repo, $tag, layers => ['a layer', $what]) }

# A tag.
my $d = image('team/app', 'v1');
ok is_kept("repositories/team/app/$_"), "a worker keeps $_ open" for '_manifests/tags', '_manifests/revisions/sha256', '_layers/sha256';
my ($other) = pushes('team/app', 'v1', 'another');
is points_to('team/app', 'v1'), $other, 'a tag that another machine moved points there';
is $there->req(DELETE => '/v2/team/app/manifests/v1')->status, 202, 'it deletes the tag';
is status('team/app', 'v1'), 404, '... which is gone';
($other) = pushes('team/app', 'v1', 'a third');
is points_to('team/app', 'v1'), $other, '... and there again when it is pushed again';

# A manifest, and a blob.
is $there->req(DELETE => "/v2/team/app/manifests/$d")->status, 202, 'it deletes a manifest that the worker has in memory';
is status('team/app', $d), 404, '... which is gone';
is blob('team/app', 'layer 1'), 'layer 1', 'a blob of it is there';
is $there->req(DELETE => '/v2/team/app/blobs/' . sha256('layer 1'))->status, 202, '... which it deletes';
is blob('team/app', 'layer 1'), 404, '... and it is gone';
$there->push_blob('team/app', 'layer 1');
is blob('team/app', 'layer 1'), 'layer 1', 'it pushes the blob again';
Berth::GC::make_old($there, 100);
is berth('gc', '--grace', '10'), '0 ', 'a collection';
ok !-e $there->blob_path(sha256('layer 1')), '... takes it, since no manifest names it';
is blob('team/app', 'layer 1'), 404, '... and it is gone';
$there->push_blob('team/app', 'layer 1');
is blob('team/app', 'layer 1'), 'layer 1', 'until it is pushed once more';

# A repository that is removed, and made again.
for my $how ('alone', 'with another one below it') {
	my $repo = $how eq 'alone' ? 'gone/app' : 'gone/nest';
	image("$repo/below", 'v1') if $how ne 'alone';
	$d = image($repo, 'v1');
	is berth('repo', 'rm', $repo), '0 ', "a repository is removed, $how";
	is status($repo, 'v1') . status($repo, $d) . blob($repo, 'a layer'), '404404404', '... with its tag, manifest and blob';
	($other) = pushes($repo, 'v1', 'made again');
	is points_to($repo, 'v1'), $other, 'one of the same name is another one';
	is status($repo, $d), 404, '... without the manifest of the first';
}

# One that is renamed: what is kept open has gone to the new name.
for my $how ('alone', 'with another one below it') {
	my ($repo, $to) = $how eq 'alone' ? ('old/app', 'new/app') : ('old/nest', 'new/nest');
	image("$repo/below", 'v1') if $how ne 'alone';
	$d = image($repo, 'v1');
	is berth('repo', 'mv', $repo, $to), '0 ', "a repository is renamed, $how";
	is status($repo, 'v1') . status($repo, $d) . blob($repo, 'a layer'), '404404404', '... nothing has the old name';
	is points_to($to, 'v1'), $d, '... and all has the new one';
	my ($secret) = pushes($to, 'v1', 'for the new name alone');
	is status($repo, 'v1') . status($repo, $secret), '404404', 'what is pushed to the new name is not under the old one';
	is points_to($to, 'v1'), $secret, '... but under the new one';
	($other) = pushes($repo, 'v1', 'for the old name');
	is points_to($repo, 'v1'), $other, 'what is pushed to the old name then is there';
	is points_to($to, 'v1'), $secret, '... and changes nothing of the new one';
}
ok !((stat $run)[2] & 0100), 'no move goes on';

# A machine with version 1.0.0 counts what it renames, and says no more.
$d = image('first/old', 'v1');
ok truncate($run, (-s $run) + 1) && rename("$repos/first/old", "$repos/first/new"), 'a repository is renamed by an older version';
is status('first/old', 'v1'), 404, '... nothing has the old name';
is points_to('first/new', 'v1'), $d, '... and all has the new one';

# Who moves is killed in the middle: what is kept counts for nothing until that is settled.
$d = image('killed/old', 'v1');
ok chmod(0700 | (stat $run)[2] & 0777, $run) && truncate($run, (-s $run) + 1), 'a move begins';
is points_to('killed/old', 'v1'), $d, '... nothing has moved yet';
is points_to('killed/old', $d), $d, '... however often one asks';
ok rename("$repos/killed/old", "$repos/killed/new"), '... now it has, and is killed';
is status('killed/old', 'v1'), 404, '... nothing has the old name';
is points_to('killed/new', 'v1'), $d, '... and all has the new one';
ok rename("$repos/killed/new", "$repos/killed/old"), 'even if it moves on';
is points_to('killed/old', 'v1') . status('killed/new', 'v1'), $d . 404, '... that is seen';
is berth('gc'), '0 ', 'a collection';
ok !((stat $run)[2] & 0100), '... settles it';
is points_to('killed/old', 'v1'), $d, '... and all is there';

# Corrupt content: what is in memory is good, and yet the manifest is missing until it is pushed again.
my ($json, $type);
($d, $json) = $there->push_image('team/bad', 'v1', type => 'oci');
is points_to('team/bad', $d), $d, 'a manifest is known' for 1 .. 2;
my $file = $here->blob_path($d);
chmod 0644, $file;
spew($file, $json =~ s/2/3/r);
is points_to('team/bad', $d), $d, 'its bytes on the disk are damaged, and those in memory are not';
like berth('fsck', '--data', '--repair'), qr/^\d/, 'fsck moves it to the quarantine';
ok !-e $file, '... indeed';
is status('team/bad', $d) . status('team/bad', 'v1'), '404404', '... and it is missing, so that it is pushed again';
is $there->push_manifest('team/bad', 'v1', $json, OCI_MANIFEST)->status, 201, 'it is';
is points_to('team/bad', 'v1'), $d, '... and there';

# nginx has a damaged blob open: the one that takes its place is another file.
my $bytes = random_bytes(30_000);
$there->push_blob('team/bad', $bytes);
$file = $here->blob_path(sha256($bytes));
substr(my $damaged = $bytes, 5, 3) = 'bad';
spew($file, $damaged);
is blob('team/bad', $bytes), $damaged, 'nginx sends a damaged blob' for 1 .. 2;
ok scalar(grep { (readlink($_) // '') =~ /data$/ } map { glob "/proc/$_/fd/*" } Berth::Server::children($here->nginx_pid)), '... which it keeps open';
$there->push_blob('team/bad', $bytes);
is blob('team/bad', $bytes), $bytes, 'the same pushed again is another file, and nginx sends that';

# nginx opens a blob by the path that the worker has given, and that is stale: the worker is asked once more, and once only.
my @of_nginx = Berth::Server::children($here->nginx_pid);
sub failing
{
	my ($errno, $when, $repo, $content) = @_;
	my $r;

	Berth::Trace::trace_of_pids(\@of_nginx, ['-e', 'trace=openat', '-e', "inject=openat:error=$errno$when"], $here->dir . '/openat', sub { $r = $here->req(GET => "/v2/$repo/blobs/" . sha256($content)) });
	return $r;
}
for my $errno (qw(ESTALE EIO ENOENT)) {
	for my $content ("a small one: $errno", random_bytes(50_000)) {
		$there->push_blob('team/stale', $content);
		my $r = failing($errno, '', 'team/stale', $content);
		error_is $r, $errno eq 'ENOENT' ? (404, 'BLOB_UNKNOWN') : (503, 'UNAVAILABLE'), "nginx gets $errno for a blob of " . length($content) . ' bytes: an answer that tells a client what to do';
		is join(' ', grep { defined } $r->header('Retry-After'), ($r->headers('Cache-Control'))[-1]), $errno eq 'ENOENT' ? 'no-store' : '5 no-store', '... and when to come again';
		$r = failing($errno, ':when=1', 'team/stale', $content);
		is $r->status . ' ' . ($r->body eq $content), '200 1', '... once: nobody sees it' or diag substr $r->as_string, 0, 1000;
		is $r->header('Etag'), '"' . sha256($content) . '"', '... and all its headers are there';
		is blob('team/stale', $content), $content, '... nor later';
	}
}

# More repositories than are kept.
my %many = map { ("many/r$_" => image("many/r$_", 'v1')) } 1 .. 70;
is join(' ', grep { points_to($_, 'v1') ne $many{$_} } sort keys %many), '', 'of many repositories each has its own' for 1 .. 2;
my @open = map { scalar(() = glob "/proc/$_/fd/*") } $here->worker_pids;
is scalar(grep { $_ > 600 } @open), 0, "no worker has too many files open: @open";
$_->stop for $there, $here;
done_testing;
