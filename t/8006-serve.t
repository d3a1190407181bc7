#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# scripts/serve: starts at once, serves, says in one line why it can't, ends all that it started and nothing else.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::TLS;
use Berth::Upstream;
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(time);

need_program(qw(nginx setpriv bash));
my $serve = source_dir() . '/scripts/serve';
my $dir = tmp_dir();
my $tmp = "$dir/tmp";
my $root = "$dir/store";
mkdir $tmp;
chmod 01777, $tmp;
chmod 0755, $dir;
my $owner = $$;
my %running;
my $starts = 0;

delete $ENV{$_} for grep { /^REGISTRY_/ } keys %ENV;
$ENV{BUILDDIR} = build_dir();
$ENV{TMPDIR} = $tmp;
END { if ($$ == $owner) { my $s = $?; kill TERM => keys %running; waitpid $_, 0 for keys %running; $? = $s } }

sub start
{
	my (@args) = @_;
	my $out = spew("$dir/out." . ++$starts, '');
	my $pid = fork // die "fork: $!";

	if (!$pid) {
		setpgrp 0, 0;
		$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
		open STDOUT, '>', $out or POSIX::_exit(127);
		open STDERR, '>&', \*STDOUT or POSIX::_exit(127);
		exec $serve, '--no-install', @args or POSIX::_exit(127);
	}
	$running{$pid} = 1;
	my $s = { pid => $pid, out => $out, began => time };
	wait_for { slurp($out) =~ /^  docker push/m || ended($s) };
	$s->{took} = time - $s->{began};
	# what has written that may not have ended yet
	wait_for { !grep { Berth::Server::comm($_) eq 'cat' } Berth::Server::children($pid) };
	return $s;
}

sub ended
{
	my ($s) = @_;

	return 1 if defined $s->{status};
	if (waitpid($s->{pid}, POSIX::WNOHANG()) == $s->{pid}) {
		$s->{status} = $? & 127 ? 128 + ($? & 127) : $? >> 8;
		delete $running{ $s->{pid} };
		return 1;
	}
	return 0;
}

# Every process whose environment, group or command line ties it to this store.
sub left
{
	my @left;

	for my $p (glob '/proc/[0-9]*') {
		my $cmd = eval { slurp("$p/cmdline") } // next;
		my $env = eval { slurp("$p/environ") } // '';
		$cmd =~ tr/\0/ /;
		next if $p eq "/proc/$$" || $cmd !~ /nginx|berth/ || $cmd =~ /\.t\b/;
		push @left, "$p $cmd" if index($env, "TMPDIR=$tmp\0") >= 0 || index($cmd, $tmp) >= 0;
	}
	return @left;
}

sub get
{
	my ($host, $port, $path) = @_;

	return run('curl', '-sS', '--max-time', 100, '-o', '/dev/null', '-w', '%{http_code}', "http://$host:$port$path")->{out};
}

sub port { return Berth::Server::free_port() }

sub refused
{
	my ($args, $like, $title) = @_;
	my $r = run($serve, '--no-install', @$args);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($r->{status}, 1, "$title: exit 1");
	like($r->{err}, qr/\A[^\n]*$like[^\n]*\n\z/, '... and one line that says why');
	is($r->{out}, '', '... and nothing else');
}

# it starts, and every way to end it ends all
my $port = port();
my $s = start('--port', $port, '--root', $root);
my $text = slurp($s->{out});
like($text, qr{http://127\.0\.0\.1:$port\b}, 'it says the address');
like($text, qr{\Q$root\E}, '... and the store');
is(() = $text =~ /^  (?:curl|docker) /mg, 3, '... and three lines to try');
my $page = -e build_dir() . '/page/index.html' ? 1 : 0;
is(() = $text =~ m{^  open http://127\.0\.0\.1:$port in a browser$}mg, $page, '... and the page, where the build has one');
is(run('curl', '-sS', '-H', 'Accept: text/html', "http://127.0.0.1:$port/")->{out} =~ /<title>berth/ ? 1 : 0, $page, '... which a browser gets');
is(get('127.0.0.1', $port, '/v2/'), '200', 'the registry serves');
is(run('sh', '-c', ($text =~ /^  (curl .*)/m)[0] . ' 2>/dev/null')->{out}, "{\"repositories\":[]}\n", '... what the first line asks for');
ok(-d "$root/docker" || -d "$root/berth", 'the store was made');
is((stat $root)[2] & 027, 0, '... for nobody else');
is(get('127.0.0.1', $port, $_), '404', "... $_ is not to be had") for '/metrics', '/readyz';
refused([ '--port', $port, '--root', $root ], "127\\.0\\.0\\.1.*$port.*in use", 'a port in use');
is(get('127.0.0.1', $port, '/v2/'), '200', 'the one that has the port was not hurt');
kill INT => $s->{pid};
ok(wait_for(sub { ended($s) }), 'SIGINT ends it');
is($s->{status}, 0, '... with status 0');
is_deeply([ left() ], [], '... and all that it started');
is_deeply([ glob "$tmp/*" ], [], '... and its files');

{
	# with the look at the sources for something to build, where this is the build that it would look at
	local $ENV{BUILDDIR} = build_dir();
	delete $ENV{BUILDDIR} if build_dir() eq source_dir() . '/build' && -e build_dir() . '/.built';
	$s = start('--port', $port, '--root', $root);
	ok(!ended($s), 'it starts once more') or diag(slurp($s->{out}));
	note sprintf('in %.1f s', $s->{took});
	kill TERM => $s->{pid};
	wait_for { ended($s) };
}

for my $sig (qw(TERM HUP)) {
	my $other = Berth::Server->start(workers => 1);
	$s = start('--port', $port, '--root', $root, '--workers', 3);
	kill $sig, $s->{pid};
	ok(wait_for(sub { ended($s) }), "SIG$sig ends it");
	is_deeply([ left() ], [], '... and all that it started') if $other->stop || 1;
}

# who dies is named, and takes the other along
for (['berth-fcgi', qr/berth-fcgi/], ['nginx', qr/nginx: master/]) {
	my ($name, $like) = @$_;
	$s = start('--port', $port, '--root', $root);
	my ($pid) = grep { slurp("/proc/$_/cmdline") =~ $like } Berth::Server::children($s->{pid});
	ok($pid, "$name is its child");
	my $other = Berth::Server->start(workers => 1);
	kill KILL => $pid if $pid;
	ok(wait_for(sub { ended($s) }), "it ends when $name is killed");
	is($s->{status}, 1, '... with status 1');
	like(slurp($s->{out}), qr/^serve: \Q$name\E ended/m, '... and says so');
	is($other->req(GET => '/v2/')->status, 200, '... another registry serves on');
	$other->stop;
	ok(wait_for(sub { !left() }), '... and nothing is left') or diag(left());
}

# also who dies before the script waits for it: while it says where it serves
mkdir "$dir/deadly";
spew("$dir/deadly/cat", <<'EOT');
#!/bin/sh
/bin/cat
pid=$(pgrep -P $PPID -x berth-fcgi)
kill -KILL $pid
while kill -0 $pid; do sleep 0.1; done 2>&-
EOT
chmod 0755, "$dir/deadly/cat";
$s = do { local $ENV{PATH} = "$dir/deadly:$ENV{PATH}"; start('--port', $port, '--root', $root) };
ok(wait_for(sub { ended($s) }), 'it ends when berth-fcgi was killed before');

# killed outright it takes both with it
$s = start('--port', $port, '--root', $root);
kill KILL => $s->{pid};
wait_for { ended($s) };
ok(wait_for(sub { !left() }), 'killed with -9 it leaves nothing running') or diag(left());
run('sh', '-c', "rm -rf $tmp/*");

# options
SKIP: {
	skip('no IPv6 here', 2) if !-e '/proc/net/if_inet6' || slurp('/proc/net/if_inet6') !~ /\A0{31}1 /m;
	$s = start('--port', $port, '--listen', '::1', "--root=$root");
	is(get('[::1]', $port, '/v2/'), '200', '--listen ::1 serves IPv6');
	like(slurp($s->{out}), qr{curl http://\[::1\]:$port/}, '... and says how to reach it');
	kill TERM => $s->{pid};
	wait_for { ended($s) };
}
$s = start('--port', $port, '--listen', '0.0.0.0', '--root', $root);
like(slurp($s->{out}), qr{curl http://127\.0\.0\.1:$port/}, '--listen 0.0.0.0 is reached at 127.0.0.1');
kill TERM => $s->{pid};
wait_for { ended($s) };

my $monitor = port();
# nginx waits five seconds for an answer to who watches, and says 503 then
sub watched { my ($path) = @_; return wait_for { get('127.0.0.1', $monitor, $path) eq '200' } }
$s = start('--port', $port, '--root', $root, '--monitor', "127.0.0.1:$monitor");
ok(watched('/metrics') && watched('/readyz'), '--monitor says where /metrics and /readyz are');
is(get('127.0.0.1', $port, $_), '404', "... and $_ is there alone") for '/metrics', '/readyz';
kill TERM => $s->{pid};
wait_for { ended($s) };

my $up = Berth::Upstream->start;
my $image = $up->image('app', '1');
$s = start('--port', $port, '--root', $root, '--monitor', "127.0.0.1:$monitor", '--config', spew("$dir/up.conf", sprintf "upstreams = ( { name = \"up\"; urls = [ \"%s\" ]; } );\n", $up->url));
ok wait_for(sub { get('127.0.0.1', $port, "/v2/up/app/manifests/$image->{digest}") eq '200' }), 'with an upstream it is a mirror';
is(get('127.0.0.1', $port, "/v2/up/app/blobs/$image->{layers}[0]"), '200', '... of its blobs');
ok(watched('/metrics/relay'), '... and --monitor has what the relay counts');
kill TERM => $s->{pid};
wait_for { ended($s) };
is(join("\n", left()), '', '... which ends, too');

# nothing of the configuration is left out because a program on the way has failed, above all not TLS
mkdir "$dir/broken";
spew("$dir/broken/sed", "#!/bin/sh\ncase \$* in *http.tls.certificate*) exit 1 ;; esac\nexec /bin/sed \"\$@\"\n");
chmod 0755, "$dir/broken/sed";
$s = do {
	local @ENV{qw(PATH REGISTRY_HTTP_TLS_CERTIFICATE REGISTRY_HTTP_TLS_KEY)} = ("$dir/broken:$ENV{PATH}", '/x', '/y');
	start('--port', $port, '--root', $root);
};
ok(ended($s), 'it serves nothing where it cannot have the settings of nginx') or kill TERM => $s->{pid};
wait_for { ended($s) };

my $conf = spew("$dir/berth.conf", "root = \"$dir/elsewhere\";\nmanifests = { max_size = \"2 KiB\"; };\ndelete = true;\n");
chmod 0644, $conf;
$s = start('--port', $port, '--config', $conf);
like(slurp($s->{out}), qr{\Q$dir/elsewhere\E}, '--config: the store that it names');
is(run('curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', '-T', $serve, "http://127.0.0.1:$port/v2/a/manifests/b")->{out},
	'413', '... and the limit that it sets, in nginx');
is(run('curl', '-s', '-X', 'DELETE', '-o', '/dev/null', '-w', '%{http_code}', "http://127.0.0.1:$port/v2/a/manifests/b")->{out},
	'404', '... and delete switched on');
kill TERM => $s->{pid};
wait_for { ended($s) };

$s = do { local $ENV{REGISTRY_STORAGE_DELETE_ENABLED} = 'true'; start('--port', $port, '--root', $root) };
is(run('curl', '-s', '-X', 'DELETE', '-o', '/dev/null', '-w', '%{http_code}', "http://127.0.0.1:$port/v2/a/manifests/b")->{out},
	'404', 'REGISTRY_STORAGE_DELETE_ENABLED=true switches delete on');
kill TERM => $s->{pid};
wait_for { ended($s) };
$s = start('--port', $port, '--root', $root);
is(run('curl', '-s', '-X', 'DELETE', '-o', '/dev/null', '-w', '%{http_code}', "http://127.0.0.1:$port/v2/a/manifests/b")->{out},
	'405', '... which is off otherwise');
kill TERM => $s->{pid};
wait_for { ended($s) };

# what registry:2 has: a config.yml with an address and TLS
my $ca = Berth::TLS->authority;
my ($cert, $key) = $ca->certificate('/CN=serve', 'IP:127.0.0.1');
my $yml = spew("$dir/config.yml", "storage: {filesystem: {rootdirectory: $dir/yml}}\nhttp: {addr: '127.0.0.1:$port', debug: {addr: 'localhost:$monitor'}, tls: {certificate: $cert, key: $key}}\n");
chmod 0644, $yml;
$s = start('--config', $yml);
like(slurp($s->{out}), qr{^berth serves https://127\.0\.0\.1:$port from \Q$dir\E/yml }m, 'a config.yml says where, from which store, and with which certificate');
is(run('curl', '-s', '--cacert', $ca->file, '-o', '/dev/null', '-w', '%{http_code}', "https://127.0.0.1:$port/v2/")->{out}, '200', '... and so it serves');
ok(watched('/debug/health'), '... and the debug address');
kill TERM => $s->{pid};
wait_for { ended($s) };
my $other_port = port();
$ENV{REGISTRY_LOG_ACCESSLOG_DISABLED} = 'true';
$s = start('--config', $yml, '--port', $other_port, '--root', $root, '--monitor', 'none');
like(slurp($s->{out}), qr{^berth serves https://127\.0\.0\.1:$other_port from \Q$root\E \(Ctrl-C ends it; no access log\)$}m, 'options win');
delete $ENV{REGISTRY_LOG_ACCESSLOG_DISABLED};
kill TERM => $s->{pid};
wait_for { ended($s) };

# why not
refused([ '--root', '/proc/nowhere' ], "cannot create .*/proc/nowhere", 'a store that cannot be made');
refused([ '--port', '0' ], 'not a port', 'port 0');
refused([ '--root', $root, '--port', $port, '--monitor', '127.0.0.1' ], 'monitor= is the address to listen on', 'a monitor without a port');
refused([ '--port', 'http' ], 'not a port', 'a port by name');
refused([ '--config', spew("$dir/unix.yml", "http: {addr: /run/x, net: unix}\n") ], 'is a Unix socket, which scripts/serve does not serve', 'a Unix socket');
refused([ '--root', $root, '--port', $port, '--listen', '192.0.2.1' ], '192\.0\.2\.1', 'an address that is not ours');
refused([ '--root', $root, '--port', $port, '--config', "$dir/none.conf" ], 'none\.conf', 'a configuration that is not there');
spew($conf, "root = \"$root\";\ncolour = \"red\";\n");
my $r = run($serve, '--no-install', '--port', $port, '--config', $conf, '--root', $root);
is($r->{status}, 2, 'a bad configuration: exit 2');
like($r->{err}, qr/\A[^\n]*\Q$conf\E:2: [^\n]*colour[^\n]*\n\z/, '... and one line with file and line');
{
	# a PATH without nginx; dpkg is not asked either then
	mkdir "$dir/bin";
	for my $p (qw(bash sh dirname find cat sed grep awk stat id mkdir flock nproc make env perl setpriv setsid tr rm mktemp sleep)) {
		my $path = have_program($p) or next;
		symlink $path, "$dir/bin/$p";
	}
	my $copy = "$dir/copy";
	mkdir $copy;
	run('cp', '-r', source_dir() . '/scripts', "$copy/scripts");
	my $text = slurp("$copy/scripts/serve");
	$text =~ s/^PATH=.*$//m;
	spew("$copy/scripts/serve", $text);
	chmod 0755, "$copy/scripts/serve";
	local $ENV{PATH} = "$dir/bin";
	my $r = run("$copy/scripts/serve", '--no-install', '--root', $root);
	is($r->{status}, 1, 'without nginx: exit 1');
	like($r->{err}, qr/\A[^\n]*nginx[^\n]*\n\z/, '... and one line that says so');
}

# started by root it runs as the owner of the store
SKIP: {
	skip('this needs root', 5) if $> != 0;
	my $uid = 54321;
	mkdir "$dir/owned";
	chown $uid, $uid, "$dir/owned";
	my $ok = run('setpriv', "--reuid=$uid", "--regid=$uid", '--clear-groups', '--', 'test', '-x', program('berth-fcgi'));
	skip("the build directory can't be reached by others", 5) if $ok->{status};
	$s = start('--port', $port, '--root', "$dir/owned");
	# its user, and its groups; one that nginx has for a moment alone may be gone by now
	my @runs = map { my $text = eval { slurp("/proc/$_/status") } // ''; $text =~ /^Uid:\s*(\d+).*^Groups:[ \t]*(.*?)[ \t]*$/ms ? "$1 in ($2)" : () }
		map { ($_, Berth::Server::children($_)) } Berth::Server::children($s->{pid});
	cmp_ok(scalar @runs, '>=', 6, 'started by root for a store of somebody else') or diag(slurp($s->{out}));
	is(join(', ', @runs), join(', ', ("$uid in ()") x @runs), '... all that it runs is that user\'s, in none of root\'s groups');
	is(get('127.0.0.1', $port, '/v2/'), '200', '... and serves');
	my $body = spew("$dir/body", 'x' x 100_000);
	my $d = sha256('x' x 100_000);
	is(run('curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', '--data-binary', "\@$body",
		"http://127.0.0.1:$port/v2/a/blobs/uploads/?digest=$d")->{out}, '201', '... and takes pushes');
	kill TERM => $s->{pid};
	wait_for { ended($s) };
	chmod 0555, "$dir/owned";
	refused([ '--port', $port, '--root', "$dir/owned" ], "cannot be written", 'a store that its owner cannot write');
}

done_testing;
