#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Logins by htpasswd: the schemes that are taken and those that are not, and every way to send a login wrongly.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use MIME::Base64 qw(encode_base64);
use Berth::Test;
use Berth::Auth;
use Berth::Check;

delete $ENV{$_} for grep { /^REGISTRY_/ } keys %ENV;

my $dir = tmp_dir();
my $file = "$dir/htpasswd";
my %password = (bcrypt => 'b secret', yescrypt => 'y:se:cret', sha512 => "s\xc3\xa4cret", sha256 => 'x' x 300, long => 'a' x 72, empty => '');
my $text = "# users of the test\r\n\n";
$text .= "$_:" . hash_of($password{$_}, $_) . "\n" for qw(bcrypt yescrypt sha512 sha256);
$text .= "long:" . hash_of($password{long}) . "\nempty:" . hash_of('') . "\nz\xc3\xa4:" . hash_of('utf8');
(my $b2b = hash_of('2b')) =~ s/^\$2y/\$2b/;
(my $b2a = hash_of('2a')) =~ s/^\$2y/\$2a/;
spew($file, "$text\nb2b:$b2b\r\nb2a:$b2a\n");

my $s = Berth::Server->start(config => "auth = { htpasswd = \"$file\"; realm = \"a test's realm\"; };\n", workers => 1);

my $clients = 0;
sub get { my (@h) = @_; $clients++; return $s->req(GET => '/v2/', from => "127.2.0.$clients", headers => [@h]) }
sub login { return get(basic(@_)) }

is login($_, $password{$_})->status, 200, "a user with $_ gets in" for sort keys %password;
is login("z\xc3\xa4", 'utf8')->status, 200, 'a name may have characters beyond ASCII';
is login('b2b', '2b')->status, 200, '$2b$ is bcrypt';
is login('b2a', '2a')->status, 200, 'so is $2a$';
is get(Authorization => 'Basic ' . encode_base64('bcrypt:b secret', '') =~ s/=+\z//r)->status, 200, 'the padding may be missing';
is get(Authorization => 'bAsIc   ' . encode_base64('bcrypt:b secret', ''))->status, 200, 'the scheme is known in any letter case, with any spaces';
is login('', '')->status, 401, 'neither user nor password is no login, and /v2/ wants one';

sub refused
{
	my ($r, $title) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	error_is($r, 401, 'UNAUTHORIZED', "$title is 401", qr/^"(?:log in|the login is refused)"$/);
	headers_are($r, { 'WWW-Authenticate' => 'Basic realm="a test\'s realm",charset="UTF-8"' }, "$title: the challenge") if $r->status == 401;
}

refused(get(), 'no login');
refused(login('bcrypt', 'b secre'), 'a wrong password');
refused(login('bcrypt', 'b secret '), 'a password with a space more');
refused(login('bcrypt', ''), 'no password');
refused(login('', 'b secret'), 'no user');
refused(login('Bcrypt', 'b secret'), 'a user with another letter case');
refused(login('nobody', 'b secret'), 'an unknown user');
refused(login('# users of the test', 'x'), 'a comment as user');
refused(login('yescrypt', 'b secret'), "another's password");
refused(login('long', 'a' x 73), 'a password with bcrypt of 73 bytes, of which the first 72 are right,');
refused(login('sha256', 'x' x 299), 'a long password that is cut');
refused(login('sha256', 'x' x 512), 'a password longer than any can be');
refused(login('bcrypt', "b secret\0"), 'a password with a NUL behind it');
refused(login('bcrypt', "b secret\n"), 'a password with a newline behind it');
refused(login("bcrypt\0x", 'b secret'), 'a user with a NUL');
refused(login("bc\trypt", 'b secret'), 'a user with a control character');
refused(login('x' x 256, 'b secret'), 'a user that is too long');
refused(login('@users', 'b secret'), 'a user with the name of a group');
my $good = encode_base64('bcrypt:b secret', '');
for my $bad (['', 'an empty header'], ['Basic', 'a scheme alone'], ['Basic ', 'a scheme and a space'], ["Basic $good $good", 'two logins in one'],
	["Basic $good,", 'a comma behind it'], ["Basic\t$good", 'a tab for a space'], [$good, 'no scheme'], ["Bearer $good", 'another scheme'],
	["Basicx $good", 'a longer scheme'], ["Basic =$good", 'a = at the start'], ["Basic $good=", 'too much padding'],
	['Basic ' . encode_base64('bcrypt', ''), 'no colon'], ['Basic ' . substr($good, 0, 9), 'a cut text'], ['Basic -_-_', 'the other alphabet'],
	['Basic ' . ('A' x 30_000), '30,000 bytes'], ['Basic ' . encode_base64('bcrypt:' . 'x' x 20_000, ''), 'a password of 20,000 bytes']) {
	next if $bad->[0] eq '';
	refused(get(Authorization => $bad->[0]), $bad->[1]);
}
is get(Authorization => "Basic $good", Authorization => "Basic $good")->status, 400, 'the header twice is too much for nginx';
is get(Authorization => 'Basic ' . ('A' x 70_000))->status, 431, 'a header of 64 KiB and more is too much for nginx';
is login('bcrypt', 'b secret')->status, 200, 'and nothing of all that hurt';
my $f = Berth::FCGI->new($s->worker_socket);
is $f->request(params => { HTTP_AUTHORIZATION => 'Basic ' . ('A' x 60_000) })->status, 401, 'without nginx it is 401';
is $f->request(params => [REQUEST_METHOD => 'GET', REQUEST_URI => '/v2/', HTTP_AUTHORIZATION => "Basic $good", HTTP_AUTHORIZATION => "Basic $good"])->status,
	401, 'the header twice is no login';
is $f->request(params => { HTTP_AUTHORIZATION => '' })->status, 401, 'an empty header is no login';

# Wrong ones are wrong where no login is needed, too
$s->config("auth = { htpasswd = \"$file\"; access = ( " . rule('@anonymous', '**', 'pull') . " ); };\n");
$s->replace_workers;
ok wait_for(sub { $s->req(GET => '/v2/x/tags/list')->status == 404 }), 'where everybody may pull, no login is needed';
is $s->req(GET => '/v2/')->status, 401, 'but for /v2/: there clients learn that they can log in';
is $s->req(GET => '/v2/x/tags/list', headers => [basic('bcrypt', 'wrong')])->status, 401, 'a wrong password is wrong there too';
is $s->req(GET => '/v2/x/tags/list', headers => [basic('', '')])->status, 404, 'an empty login is none';
is $s->req(PUT => '/v2/x/manifests/x', body => '{}', headers => [basic('', '')])->status, 401, 'also for what needs one';
is $s->req(PUT => '/v2/x/manifests/x', body => '{}', headers => [basic('bcrypt', 'b secret')])->status, 403, 'which not everybody who has one may';

# The first request pays, those after it do not. Time of the processor, of all workers: others are at work on this machine.
sub ticks
{
	my $sum = 0;
	for my $pid ($s->worker_pids) {
		my @stat = split / /, slurp("/proc/$pid/stat") =~ s/^.*\) //sr;
		$sum += $stat[11] + $stat[12];
	}
	return $sum;
}
sub cost { my ($n, $do) = @_; my $before = ticks(); $do->($_) for 1 .. $n; return ticks() - $before }
SKIP: {
	skip 'measures time', 2 if $ENV{BERTH_SANITIZERS};
	my $slow = crypt 'slow', '$2y$12$abcdefghijklmnopqrstu.';
	write_over($file, "slow:$slow\n");
	my $first = cost(1, sub { $s->req(GET => '/v2/', headers => [basic('slow', 'slow')]) });
	my $later = cost(20, sub { $s->req(GET => '/v2/', headers => [basic('slow', 'slow')]) });
	cmp_ok $later, '<', $first, "a password is hashed once by a worker, not each time ($first ticks once, then $later for 20)";
	my ($known, $unknown) = map { my $u = $_; cost(4, sub { $s->req(GET => '/v2/', from => "127.3.$_[0].1", headers => [basic($u, 'wrong')]) }) } qw(slow nobody);
	ok abs($known - $unknown) < 0.3 * $known, "an unknown user costs what a known one costs ($unknown and $known ticks)";
}

# What is not taken: two kinds of lines
my $berth = program('berth');
spew("$dir/berth.conf", "root = \"$dir/store\"; auth = { htpasswd = \"$file\"; };\n");
mkdir "$dir/store";
my %bad = ('alice:geheim' => 'no hash', 'alice' => 'user:hash', 'alice:' => 'no hash', ':$2y$05$x' => 'name', 'alice:' . substr(hash_of('geheim'), 0, 59) => 'cut off');
for my $line (sort keys %bad) {
	spew($file, "# one\nbob:" . hash_of('bob') . "\n$line\n");
	for my $cmd ([$berth, '--config', "$dir/berth.conf", 'config', 'check'],
		[program('berth-fcgi'), '--config', "$dir/berth.conf", '--listen', "$dir/sock"]) {
		my $r = run({ timeout => 120 }, @$cmd);
		my $name = "a line that is $bad{$line} is refused by " . ($cmd->[0] =~ m{([^/]+)$})[0];
		is $r->{status}, 2, $name;
		like $r->{err}, qr/\A\Q$file\E:3: [^\n]*\Q$bad{$line}\E[^\n]*\n\z/, "$name, with its number";
		unlike $r->{err}, qr/geheim/, 'and the hash is not repeated';
	}
}
# A whole hash of another scheme, or a user who is there twice, is skipped: registry:2 starts with such a file, too.
my %hash = (md5 => '$apr1$lN2Z3hLk$ABCDEFGHIJKLMNOPQRSTU1', sha => '{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=', des => 'rl0uE8Ev8h5vM', scrypt => '$7$C6..../....x$y');
spew($file, join '', "twice:" . hash_of('old') . "\nbob:" . hash_of('bob') . "\nloose:" . hash_of('loose') . " \r\n", (map { "$_:$hash{$_}\n" } sort keys %hash), 'twice:' . hash_of('new') . "\n");
my $c = run($berth, '--config', "$dir/berth.conf", 'config', 'check');
is $c->{status}, 0, 'a file with lines that are skipped is taken';
my @skipped = split /\n/, $c->{err};
is scalar @skipped, 5, 'each is named in one line';
is scalar(grep { s/^berth: warning: // } @skipped), 5, 'which says that it is a warning';
like $skipped[$_], qr/^\Q$file\E:@{[4 + $_]}: the hash is .*: the line is skipped, and nobody can log in by it; berth accepts/, "line @{[4 + $_]}" for 0 .. 3;
like $skipped[4], qr/^\Q$file\E:1: the user is in line 8 again: this line is skipped/, 'the first of two lines of one user';
unlike $c->{err}, qr/rl0uE8|5en6G6|lN2Z3/, 'no hash is repeated';
my $k = Berth::Server->start(config => "auth = { htpasswd = \"$file\"; };\n", workers => 1);
sub in { my ($user, $password) = @_; return $k->req(GET => '/v2/', from => '127.8.' . int(rand 250) . '.' . (1 + int rand 250), headers => [basic($user, $password)])->status }
is in(bob => 'bob') . in(loose => 'loose') . in(twice => 'new'), '200200200', 'the others get in, a user of two lines by the last';
is in(twice => 'old'), 401, 'not by the first';
is in($_ => $hash{$_}), 401, "nobody by a hash of $_" for sort keys %hash;
is in(des => 'geheim') . in(md5 => '') . in(sha => 'geheim'), '401401401', 'nor by a password';
is scalar(grep { $_->{event} eq 'configuration' && $_->{level} eq 'warn' && $_->{message} =~ /skipped/ } $k->log_events), 5, 'the log names each at the start';
write_over($file, slurp($file) . "late:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n");
is in(bob => 'bob'), 200, 'a line is added while it serves';
is scalar(grep { $_->{event} eq 'htpasswd' && $_->{message} =~ /:9: the hash is SHA-1: the line is skipped/ } $k->log_events), 1, 'and named in the log once';
$k->stop;

# The first start
unlink $file;
my $first = Berth::Server->start(env => { REGISTRY_AUTH_HTPASSWD_PATH => $file }, workers => 1);
my ($made) = grep { ($_->{action} // '') eq 'first_user' } $first->log_events;
is "$made->{user} $made->{file}", "docker $file", 'a file that is not there at the start is made';
like slurp($file), qr/\Adocker:\$2[aby]\$\d\d\$.{53}\n\z/, 'with one user, for whom registry:2 has a hash, too';
is sprintf('%o', (stat $file)[2] & 07777), '600', 'that nobody else can read';
like $made->{password}, qr/^[A-Za-z0-9_-]{22}$/, 'the log has its password';
is $first->req(GET => '/v2/', headers => [basic('docker', $made->{password})])->status, 200, 'which is right';
is $first->req(GET => '/v2/')->status, 401, 'nobody else gets in';
my $was = slurp($file);
$first->restart;
is slurp($file), $was, 'another start leaves it alone';
is scalar(grep { ($_->{action} // '') eq 'first_user' } $first->log_events), 1, 'and says nothing';
unlink $file;
$first->reload;
ok wait_for(sub { grep { $_->{event} eq 'configuration' && $_->{message} =~ /the old one stays/ } $first->log_events }), 'a reload makes none';
ok !-e $file, 'and leaves none';
$first->stop;
for my $none ("$dir/none/htpasswd", "$dir/dangling") {
	symlink "$dir/none/x", "$dir/dangling";
	my $r = run({ timeout => 120, env => { REGISTRY_AUTH_HTPASSWD_PATH => $none } }, program('berth-fcgi'), '--config', '/dev/null', '--root', "$dir/store", '--listen', "$dir/sock");
	is "$r->{status} $r->{err}", "2 $none: cannot read: No such file or directory\n", 'none is made where there is no directory, or a link to nowhere';
}
unlink $file;
my $r = run($berth, '--config', "$dir/berth.conf", 'config', 'check');
is "$r->{status} $r->{err}", "2 $file: cannot read: No such file or directory\n", 'a file that is not there is refused';
mkdir $file;
like run($berth, '--config', "$dir/berth.conf", 'config', 'check')->{err}, qr/^\Q$file\E: is a directory, not a file/, 'and a directory';
rmdir $file;

# As compose files have it
spew($file, htpasswd(alice => 'pw'));
my $e = Berth::Server->start(env => { REGISTRY_AUTH => 'htpasswd', REGISTRY_AUTH_HTPASSWD_PATH => $file, REGISTRY_AUTH_HTPASSWD_REALM => 'Registry Realm' });
is $e->req(GET => '/v2/')->header('WWW-Authenticate'), 'Basic realm="Registry Realm",charset="UTF-8"', "registry:2's variables close the registry";
is $e->req(GET => '/v2/_catalog', headers => [basic('alice', 'pw')])->status, 200, 'and open it for who logs in';
done_testing;
