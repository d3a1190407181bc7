#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What an operator meets: a full disk, a store of somebody else's, a file system that can't, clocks, two registries on one
# store. Each is said in one line, with what to do.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Client;
use Berth::Server;

cannot_run('it mounts file systems and is other users, which takes root') if $> != 0;
need_program('strace', 'unshare', 'setpriv', 'nginx');
delete $ENV{$_} for grep { /^REGISTRY_/ } keys %ENV;
my $program = program('berth-fcgi');
my $dir = tmp_dir();
my $serve = source_dir() . '/scripts/serve';
chmod 0755, $dir;
my @listen = ('--listen', "$dir/s.sock");
my $n = 0;
sub store { my $d = "$dir/store" . ++$n; mkdir $d; return $d }

# said - the one line of a start that fails
sub said
{
	my ($status, $like, $title, @cmd) = @_;
	my $r = run({ timeout => 120 }, @cmd);
	my @lines = split /\n/, $r->{out} . $r->{err};

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is $r->{status}, $status, "$title: exit status $status";
	is scalar @lines, 1, "$title: one line" or diag(@lines);
	like $lines[0] // '', $like, "$title: which says why, and what to do";
}
sub mounted { my ($options, $then) = @_; return ('unshare', '--mount', '--propagation', 'private', 'sh', '-c', "mount -t tmpfs -o $options tmpfs \"\$0\" && $then exec \"\$@\"") }

# disk full: of bytes, of files; read-only
my $s = store();
said(1, qr/No space left on device; make room, or have `berth gc` make it, or serve with readonly = true/, 'a full disk',
	mounted('size=8k,mode=755', 'head -c 100000 /dev/zero >"$0/x" 2>/dev/null;'), $s, $program, '--root', $s, @listen);
said(1, qr/No space left on device; make room/, 'a disk without a free inode', mounted('nr_inodes=5,mode=755', ''), $s, $program, '--root', $s, @listen);
said(1, qr/Read-only file system; mount it for writing, or serve with readonly = true/, 'a file system that is read-only',
	mounted('ro,mode=755', ''), $s, $program, '--root', $s, @listen);

# somebody else's
my @nobody = ('setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--');
chmod 0755, $s;
chmod 0777, $dir;
said(1, qr/Permission denied; run as uid 0, who owns \Q$s\E, or give all of it to uid 65534/, 'a store of another user', @nobody, $program, '--root', $s, @listen);
chown 65534, 65534, $s;
mkdir "$s/$_" for 'docker', 'berth';
said(1, qr/Permission denied; give all of \Q$s\E to uid 65534/, 'one of which another user owns a part', @nobody, $program, '--root', $s, @listen);

# what the file system can't: strace says so in its place
sub without { my ($call, $errno) = @_; return ('strace', '-f', '-o', '/dev/null', '-e', "inject=$call:error=$errno", $program, '--root', store(), @listen) }
SKIP: {
	skip('sanitizers do not run under strace', 12) if $ENV{BERTH_SANITIZERS};
	said(1, qr/has no hard links, by which blobs get into a store: \S.*; take ext4, xfs, btrfs, zfs or NFSv4/, "no hard links ($_)", without('linkat', $_)) for 'EPERM', 'EOPNOTSUPP';
	said(1, qr/has no locks \(flock\): .*; take ext4/, 'no locks', without('flock', 'ENOSYS'));
	# nothing asks for O_TMPFILE
	my $b = Berth::Server->start(wrap => ['strace', '-f', '-o', "$dir/opens", '-e', 'trace=openat,open', '-e', 'signal=none']);
	$b->push_image('a/b', 't');
	$b->stop;
	unlike slurp("$dir/opens"), qr/O_TMPFILE/, 'a push opens nothing with O_TMPFILE: none is needed';
}

# sockets
$s = store();
my $b = Berth::Server->start(workers => 1);
said(1, qr/another process listens on \S+; stop it, or listen on another path/, 'a socket that is taken', $program, '--root', $s, '--listen', $b->worker_socket);
said(1, qr/exists and is not a socket; remove it, or listen on another path/, 'a file in its place', $program, '--root', $s, '--listen', $b->config_file);

# two masters on one root
sub warned { my ($x, $event) = @_; return map { $_->{msg} // $_->{message} // $_->{detail} // join ' ', values %$_ } grep { ($_->{event} // '') eq $event && ($_->{level} // '') eq 'warn' } $x->log_events }
my $two = Berth::Server->start(root => $b->root, workers => 1);
is_deeply [warned($two, 'settings')], [], 'a second one with the same settings is fine';
$two->stop_workers;
$two->config("delete = true;\nfsync = \"off\";\nlog = { level = \"debug\"; };\nworkers = 3;\n");
$two->start_workers;
my ($w) = warned($two, 'settings');
like $w // '', qr/others who serve \Q@{[ $b->root ]}\E have other settings: delete, fsync; give all of them one configuration, or each its own store/, 'one with others is told which';
$two->stop;
$b->config("delete = true;\n");
$b->reload;
wait_for { grep { ($_->{event} // '') eq 'reload' } $b->log_events };
my $three = Berth::Server->start(root => $b->root, workers => 1, config => "delete = true;\n");
is_deeply [warned($three, 'settings')], [], 'what counts is what the others have now';
$three->stop;
unlike slurp($b->root . '/berth/locks/settings'), qr/ (?!sha256:[0-9a-f]{64}$)/m, 'nothing but hashes is left there';
$b->stop_workers;
$b->config('');
$b->start_workers;
is_deeply [warned($b, 'settings')], [], 'who is alone may have changed them';

# the clock
$b->stop_workers;
my $ahead = time + 86400;
utime $ahead, $ahead, $b->root . '/berth/index/_epoch';
$b->start_workers;
($w) = warned($b, 'clock');
like $w // '', qr/the clock is 86\d\d\d s behind the last start on \Q@{[ $b->root ]}\E; set it right, and collect no garbage until gc\.grace after/, 'a clock that has gone back';
is $b->req(GET => '/v2/')->status, 200, 'is no reason not to serve';
$b->stop;

# nginx and berth as two users: a body that the workers can't read
my $c = Berth::Server->start(workers => 1);
$c->stop_workers;
system 'chown', '-R', '65534:65534', $c->dir;
$c->{wrap} = ['sh', '-c', 'setpriv --reuid=65534 --regid=65534 --clear-groups -- "$0" "$@"; exit $?'];
$c->start_workers;
my $r = $c->req(POST => '/v2/x/blobs/uploads/?digest=' . sha256('x'), body => 'x');
is $r->status, 500, 'a body of another user is 500: to come again does not help';
ok +(grep { /nginx and berth run as two users, so the body \S+ can't be read; let both be one/ } $c->log), 'and the log says why';
$c->stop;

# scripts/serve and its nginx
my $bin = "$dir/bin";
mkdir $bin;
sub nginx_is { my ($about) = @_; spew("$bin/nginx", "#!/bin/sh\necho '$about' >&2\n"); chmod 0755, "$bin/nginx"; return }
sub serve_says { my ($like, $title) = @_; local $ENV{BUILDDIR} = build_dir(); local $ENV{PATH} = "$bin:$ENV{PATH}"; said(1, $like, $title, $serve, '--no-install', '--root', store(), '--port', Berth::Server::free_port()) }
nginx_is('nginx version: nginx/1.10.3 --with-http_auth_request_module');
serve_says(qr/^serve: nginx 1\.10\.3 is too old: 1\.11\.7 is needed/, 'an old nginx');
nginx_is('nginx version: nginx/1.22.1');
serve_says(qr/^serve: this nginx was built without http_auth_request_module; use/, 'one without what is needed');
nginx_is('who knows');
serve_says(qr/^serve: nginx of an unknown version is too old/, 'one that says nothing');

done_testing;
