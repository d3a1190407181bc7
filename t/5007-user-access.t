#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# `berth user` changes the htpasswd file while it is in use, and `berth access check` says what rules give.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IPC::Open2;
use Berth::Test;
use Berth::Auth;
use Berth::Check;

delete $ENV{$_} for grep { /^REGISTRY_/ } keys %ENV;

my $berth = program('berth');
my $dir = tmp_dir();
my ($file, $conf) = ("$dir/htpasswd", "$dir/berth.conf");
mkdir "$dir/store";
spew($conf, "root = \"$dir/store\"; auth = { htpasswd = \"$file\"; };\n");

sub user
{
	my ($stdin, @args) = @_;

	return run({ stdin => $stdin }, $berth, '--config', $conf, 'user', @args);
}
sub hash_in { my ($u) = @_; return (slurp($file) =~ /^\Q$u\E:(.*)$/m)[0] }
sub right { my ($u, $p) = @_; my $h = hash_in($u); return defined $h && crypt($p, $h) eq $h }

# add
is user("geheim\n", 'add', 'alice')->{status}, 0, 'a user is added to a file that was not there';
is mode_of($file), '0600', 'which only its owner can read';
ok right('alice', 'geheim'), 'with the password from standard input';
like hash_in('alice'), qr/^\$y\$/, 'by yescrypt';
is user('bob pw', 'add', '--bcrypt', 'bob')->{status}, 0, 'another by bcrypt, the password without a newline';
like hash_in('bob'), qr/^\$2y\$10\$/, 'of cost 10, which registry:2 takes too';
ok right('bob', 'bob pw'), 'a password may hold spaces';
is user("crlf\r\n", 'add', 'carol')->{status}, 0, 'a line may end as on other systems';
ok right('carol', 'crlf'), 'and that end is no part of the password';
my $r = user("x\n", 'add', 'alice');
is $r->{status}, 1, 'who is there is not added again';
like $r->{err}, qr/\Aberth: user: "alice" exists; [^\n]*\n\z/, 'and that is said';
ok right('alice', 'geheim'), 'the password stays';

# passwd, rm, list
is user("neu\nsecond line\n", 'passwd', 'alice')->{status}, 0, 'a password is set anew';
ok right('alice', 'neu') && right('bob', 'bob pw'), 'of that user alone';
is user("x\n", 'passwd', 'nobody')->{status}, 1, 'not of one who is not there';
is user(undef, 'list')->{out}, "alice yescrypt\nbob bcrypt\ncarol yescrypt\n", 'users are listed';
is user(undef, 'rm', 'carol')->{status}, 0, 'a user is removed';
is user(undef, 'rm', 'carol')->{status}, 1, 'once';
is user(undef, 'list')->{out}, "alice yescrypt\nbob bcrypt\n", 'and is not listed any more';

# What is kept
chmod 0640, $file;
my $owned = $> == 0 ? chown(12345, 54321, $file) : 0;
my $text = "# a comment\r\n\nzoe:geheim\n" . slurp($file) . 'last:$2y$05$x';
spew($file, $text);
$r = user("x\n", 'add', 'dave');
is $r->{status}, 0, 'a user is added to a file with faults';
like $r->{err}, qr/^berth: warning: no user can log in until this is corrected:\n\Q$file\E:3: the hash is DES crypt, or no hash at all/m, 'which are said';
is slurp($file) =~ s/^dave:.*\n//mr, "$text\n", 'all other lines are as they were';
is mode_of($file), '0640', 'so is the mode';
is join(':', (stat $file)[4, 5]), '12345:54321', 'and the owner' if $owned;
is user("new\n", 'passwd', 'zoe')->{status}, 0, 'a line that is not taken can be set anew';
user(undef, 'rm', 'last');
is user(undef, 'list')->{status}, 0, 'then nothing is wrong any more';
symlink $file, "$dir/link";
spew("$dir/link.conf", "root = \"$dir/store\"; auth = { htpasswd = \"$dir/link\"; };\n");
is run({ stdin => "x\n" }, $berth, '--config', "$dir/link.conf", 'user', 'add', 'erin')->{status}, 0, 'a file is changed through a link';
ok -l "$dir/link" && right('erin', 'x'), 'which stays a link';
is join(' ', grep { !/^(htpasswd|htpasswd\.lock|berth\.conf|link|link\.conf)$/ } map { s{.*/}{}r } grep { !-d } glob "$dir/*"), '', 'no file is left beside it';

# What is refused
my $before = slurp($file);
for my $bad (['', "x\n"], ['a:b', "x\n"], ["a\nb", "x\n"], ['@x', "x\n"], ['#x', "x\n"], ['x' x 256, "x\n"]) {
	is user($bad->[1], 'add', $bad->[0])->{status}, 2, 'a name that is none: ' . ($bad->[0] =~ s/\n/\\n/r =~ s/(.{10}).*/$1/r);
}
for my $bad (["\n", 'an empty password'], ['', 'none at all'], ["a\0b\n", 'one with a NUL'], ['x' x 512 . "\n", 'one that is too long']) {
	my $got = user($bad->[0], 'add', 'new');
	is $got->{status}, 1, "$bad->[1] is refused";
	like $got->{err}, qr/\Aberth: user: a password has 1 to 511 bytes[^\n]*\n\z/, 'and that is said';
}
is user('x' x 73 . "\n", 'add', '--bcrypt', 'new')->{status}, 1, 'one of 73 bytes is refused with bcrypt';
is user('x' x 72 . "\n", 'add', '--bcrypt', 'new72')->{status}, 0, 'one of 72 is not';
user(undef, 'rm', 'new72');
for my $bad ([], ['add'], ['add', 'a', 'b'], ['list', 'x'], ['rm'], ['nothing', 'x'], ['add', '--nothing', 'x']) {
	is user("x\n", @$bad)->{status}, 2, "`user @$bad` is used wrongly";
}
is slurp($file), $before, 'none of that changed anything';
spew("$dir/none.conf", "root = \"$dir/store\"; auth = { remote_user = true; };\n");
is run($berth, '--config', "$dir/none.conf", 'user', 'list')->{status}, 2, 'without an htpasswd file there are no users';

# The audit, and no secret in it
$r = user("secret9\n", 'add', 'frank');
my ($line) = Berth::Server::decode(grep { /^\{/ } split /\n/, $r->{err});
is_deeply [@$line{qw(event action user file remote)}], ['audit', 'user_add', 'frank', $file, 'local'], 'a change is a line of the audit';
ok $line->{by}, 'which says who made it';
like user("s\n", 'passwd', 'frank')->{err}, qr/"action":"user_passwd","user":"frank"/, 'a new password too';
like user(undef, 'rm', 'frank')->{err}, qr/"action":"user_rm","user":"frank"/, 'a removal too';
unlike $r->{err} . $r->{out}, qr/secret9|\$y\$/, 'with neither the password nor its hash';

# Several at once: none is lost
my @done = run_parallel(8, sub { user("p$_[0]\n", 'add', '--bcrypt', "u$_[0]")->{status} });
is "@done", join(' ', (0) x 8), 'eight at once are all done';
is scalar(() = slurp($file) =~ /^u\d:/mg), 8, 'and none is lost';

# On a terminal: asked for twice, not shown
SKIP: {
	skip 'script(1) is not installed', 4 if !have_program('script');
	my $on_terminal = sub {
		my ($name, @say) = @_;
		my $pid = open2(my $from, my $to, 'script', '-qec', "'$berth' --config '$conf' user add $name", '/dev/null');
		my ($all, $seen, $more) = ('', 0, 1);
		local $SIG{ALRM} = sub { kill TERM => $pid };
		alarm 60;
		while ($more) {
			my $n = sysread $from, my $piece, 4096;
			$more = $n;
			$all .= $piece if $n;
			while (@say && substr($all, $seen) =~ /(Password|Again): /) {
				$seen += $+[0];
				syswrite $to, shift(@say) . "\n";
			}
		}
		close $to;
		waitpid $pid, 0;
		alarm 0;
		return ($? >> 8, $all);
	};
	my ($status, $said) = $on_terminal->('tty', 'getippt', 'getippt');
	ok right('tty', 'getippt'), 'a password is typed twice on a terminal' or diag $said;
	unlike $said, qr/getippt/, 'and not shown';
	($status, $said) = $on_terminal->('tty2', 'eins', 'zwei');
	like $said, qr/the two passwords differ/, 'two that differ are refused';
	ok !defined hash_in('tty2'), 'and nothing is changed';
}

# While the registry serves: a change holds at once
my $s = Berth::Server->start(config => "auth = { htpasswd = \"$file\"; };\n");
sub status { return $s->req(GET => '/v2/', headers => [basic(@_)])->status }
is status('grace', 'g'), 401, 'a user who is not there';
user("g\n", 'add', 'grace');
is status('grace', 'g'), 200, 'is let in once added';
user("g2\n", 'passwd', 'grace');
is join(' ', status('grace', 'g'), status('grace', 'g2')), '401 200', 'by the new password once it is set';
user(undef, 'rm', 'grace');
is status('grace', 'g2'), 401, 'and not any more once removed';

# berth access check
spew($conf, "root = \"$dir/store\"; auth = { htpasswd = \"$file\"; groups = ( { name = \"ci\"; users = [ \"bob\" ]; } );\naccess = (\n"
	. join(",\n", rule('@anonymous', 'public/**', 'pull'), rule('alice @ci', 'team/*', 'push'), rule('@users', 'shared', 'pull delete')) . " ); };\n");
for my $c (['-', 'public/x', 'pull', 3], ['@anonymous', 'public/x', 'pull', 3], ['-', 'public/x', 'push'], ['-', 'public', 'pull'],
	['alice', 'team/x', 'pull', 4], ['bob', 'team/x', 'push', 4], ['carol', 'team/x', 'pull'], ['alice', 'team/x', 'delete'],
	['alice', 'public/a/b', 'pull', 3], ['anybody', 'shared', 'pull', 5], ['-', 'shared', 'pull'], ['bob', 'shared', 'delete', 5]) {
	my ($u, $repo, $action, $at) = @$c;
	my $got = run($berth, '--config', $conf, 'access', 'check', $u, $repo, $action);
	is $got->{status}, $at ? 0 : 1, "$u may " . ($at ? '' : 'not ') . "$action $repo";
	like $got->{out}, $at ? qr/\Ayes: \Q$conf\E:$at: / : qr/\Ano: no rule allows it\n\z/, 'and it is said by which rule';
}
like run($berth, '--config', $conf, 'access', 'check', 'bob', 'shared', 'delete')->{out}, qr/^but deletion is off/m, 'that deleting is off is said';
spew("$dir/open.conf", '');
like run($berth, '--config', "$dir/open.conf", 'access', 'check', '-', 'x', 'delete')->{out}, qr/\Ayes: there is no "auth"/, 'without auth everybody may';
like run($berth, '--config', "$dir/none.conf", 'access', 'check', 'x', 'x', 'delete')->{out}, qr/\Ayes: there is no "auth.access"/, 'without rules whoever is logged in';
is run($berth, '--config', "$dir/none.conf", 'access', 'check', '-', 'x', 'pull')->{status}, 1, 'and nobody else';
for my $bad ([], ['check'], ['check', 'a', 'b'], ['check', 'a', 'B', 'pull'], ['check', 'a', 'b', 'eat'], ['check', 'a:b', 'b', 'pull'],
	['check', '@ci', 'b', 'pull'], ['check', 'a', 'b', 'pull', 'x']) {
	is run($berth, '--config', $conf, 'access', @$bad)->{status}, 2, "`access @$bad` is used wrongly";
}
done_testing;
