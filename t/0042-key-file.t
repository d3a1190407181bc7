#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The file of a private key is on disk before it has its name, and what is there is never written again.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;

need_program('strace');
plain_build_only('LeakSanitizer fails under strace');

my $tool = program('t/tool/tool_jwt');
my $dir = tmp_dir();
my $key = "$dir/sign.key";

# traced(args) - the calls that have to do with files, one a line, and the tool's result
sub traced
{
	my $r = run('strace', '-f', '-y', '-o', "$dir/trace", '-e', 'trace=/open.*,write,/f?chmod.*,fsync,/link.*,/rename.*,/unlink.*',
		$tool, @_);

	return ($r, grep { m{\Q$dir\E} } split /\n/, slurp("$dir/trace"));
}

my ($r, @calls) = traced('make', '--key', $key, '--kind', 'p256');
is $r->{status}, 0, 'a key is made';
my $order = join ' ', map { /\b(openat|write|fsync|linkat|link|unlinkat|unlink|rename\w*)\(/ ? $1 =~ s/at\z//r : () }
	grep { !/ENOENT/ } @calls;
like $order, qr/\Aopen write fsync link unlink open fsync open\z/, 'it is written, flushed, linked, and its directory flushed, before it is read';
my ($fsync) = grep { /fsync\(/ } @calls;
unlike $fsync, qr/fsync\(\d+<\Q$key\E>/, 'what is written has another name until then';
like $calls[0], qr/O_CREAT\|O_EXCL.*0600/, 'and is nobody else\'s from the first moment on' or diag(join "\n", @calls);
is_deeply [map { /^\S+ +write\(\d+<([^>]*)>.*PRIVATE KEY/ ? $1 =~ s/[\w-]{11}\z//r : () } split /\n/, slurp("$dir/trace")],
	["$dir/.sign.key."], 'and goes to that file alone';

my $bytes = slurp($key);
($r, @calls) = traced('make', '--key', $key, '--kind', 'p256');
is_deeply [map { /(O_WRONLY|O_RDWR|O_CREAT|link|rename|write\()/ ? $_ : () } @calls], [], 'the next time it is read and nothing else';
is slurp($key), $bytes, 'it stays as it is';
unlink $key;
mkdir $key;
like run($tool, 'make', '--key', $key, '--kind', 'p256')->{out}, qr/^refused: \Q$key\E: not a file$/, 'a directory of that name is said to be one';
rmdir $key;
symlink "$dir/nowhere", $key;
like run($tool, 'make', '--key', $key, '--kind', 'p256')->{out}, qr/^refused: \Q$key\E: No such file/, 'a link to nowhere makes no key elsewhere';
ok !-e "$dir/nowhere", 'nothing is made there';
like run($tool, 'make', '--key', "$dir/no/sign.key", '--kind', 'p256')->{out},
	qr/^refused: \Q$dir\E\/no\/sign\.key: cannot create the key: No such file/, 'a directory that is missing is an error with the name';
is_deeply [grep { !m{/(trace|sign\.key)\z} } glob "$dir/* $dir/.[!.]*"], [], 'no file is left beside it';

done_testing;
