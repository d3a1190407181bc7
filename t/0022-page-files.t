#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# scripts/web: how the files of the page are laid out, which library it takes, and what becomes of a build that cannot have it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path);
use IO::Socket::INET;
use Berth::Test;

plain_build_only('it runs no program that is built with sanitizers');

# A source of our own, a directory of the programs that the script needs, and no npm in it.
my $dir = tmp_dir();
make_path("$dir/source/scripts", "$dir/source/web", "$dir/bin");
run_ok('cp', source_dir() . '/scripts/web', "$dir/source/scripts/", 'the script');
for my $file (glob source_dir() . '/web/*') {
	spew("$dir/source/web/" . $file =~ s{.*/}{}r, slurp($file)) if $file !~ /htm\.tgz$/;
}
for my $name (qw(sh sed tar gzip sha512sum mktemp rm cp mv mkdir dirname cut head chmod cat)) {
	symlink have_program($name) // die("no $name"), "$dir/bin/$name" or die "$name: $!";
}
sub web { my ($env, @args) = @_; return run({ dir => $dir, env => { PATH => "$dir/bin", HOME => $dir, TMPDIR => $dir, npm_config_registry => undef, NPM_CONFIG_REGISTRY => undef, NPM_CONFIG_USERCONFIG => undef, %$env } }, "$dir/source/scripts/web", @args) }
sub below { my ($where) = @_; return map { s{^\Q$where\E/}{}r } sort grep { -f } glob("$where/*"), glob("$where/*/*") }

# without the library
make_path("$dir/page");
spew("$dir/page/index.html", 'of before');
my $r = web({}, 'page');
is $r->{status}, 3, 'without the library the script ends with status 3';
like $r->{err}, qr/cannot fetch htm [0-9.]+.*\n.*the page is left out/, '... and says so';
ok !-e "$dir/page", '... and leaves no page, not even one of before';
is web({})->{status}, 2, 'what is asked for in another way is refused';
spew("$dir/source/web/htm.tgz", 'another file');
is web({}, 'page')->{status}, 3, 'a file of another content is no library';

# a registry that gives something else
SKIP: {
	skip 'curl is not installed', 3 if !have_program('curl');
	symlink have_program('curl'), "$dir/bin/curl" or die;
	my $listen = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die "listen: $!";
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		while (my $c = $listen->accept) {
			my $head = '';
			$head .= $_ // last while $head !~ /\r\n\r\n\z/ && defined($_ = <$c>);
			spew("$dir/asked", $head);
			print {$c} "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nother";
			close $c;
		}
		POSIX::_exit(0);
	}
	my $url = 'http://127.0.0.1:' . $listen->sockport;
	$r = web({ NPM_CONFIG_REGISTRY => "$url/npm/" , http_proxy => undef, no_proxy => '*' }, 'page');
	kill TERM => $pid;
	waitpid $pid, 0;
	is $r->{status}, 3, 'a registry that gives another file gives no library';
	like slurp("$dir/asked"), qr{^GET /npm/htm/-/htm-[0-9]+\.[0-9]+\.[0-9]+\.tgz HTTP}, '... and was asked for one version of it, where the variable says';
	ok !-e "$dir/page", '... and there is no page';
}

# with it
$r = run(source_dir() . '/scripts/web', '--fetch', "$dir/htm.tgz");
lacking('the library can be had', $r->{err}) if $r->{status};
unlink "$dir/source/web/htm.tgz";
rename "$dir/htm.tgz", "$dir/source/web/htm.tgz" or die;
$r = web({}, 'page');
is "$r->{status} $r->{err}", '0 ', 'with the library beside the files nothing is fetched';
my ($folder) = map { s{.*/}{}r } grep { -d } glob "$dir/page/*";
like $folder, qr/^[0-9a-f]{16}$/, 'the files are in a folder that is named by a hash';
my @source = map { s{.*/}{}r } grep { /\.(?:js|css|svg)$/ } glob "$dir/source/web/*";
is join(' ', below("$dir/page")), join(' ', sort map { ($_, "$_.gz") } 'index.html', map { "$folder/$_" } @source, 'preact.js'), '... all of them, and the library, each compressed, too';
is join(' ', grep { run('gzip', '-dc', "$dir/page/$_.gz")->{out} ne slurp("$dir/page/$_") } grep { !/\.gz$/ } below("$dir/page")), '', '... with the same content';
my $index = slurp("$dir/page/index.html");
unlike $index, qr/HASH/, 'the first file names the folder';
is join(' ', grep { !-e "$dir/page/" . s{^berth/page/}{}r } $index =~ /(?:href|src)="([^"]+)"/g), '', '... and files that are there';
my @imported = map { my $f = $_; slurp("$dir/page/$folder/$f") =~ /\bfrom '([^']+)'/g } @source;
is join(' ', grep { !m{^\./} || !-e "$dir/page/$folder/$_" } @imported), '', 'the files name each other by relative paths';
is join(' ', grep { slurp("$dir/source/web/$_") =~ /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|dangerouslySet|setAttribute\(/ } @source), '', 'none of them makes markup, or a program, of text';
unlike $index, qr/<style|<script(?![^>]* src=)|\bstyle=|\bon[a-z]+=/, '... and nothing stands in the page itself that the policy forbids';

web({}, 'again');
is join(' ', below("$dir/again")), join(' ', below("$dir/page")), 'the same files have the same name';
is join(' ', grep { slurp("$dir/again/$_") ne slurp("$dir/page/$_") } below("$dir/page")), '', '... and the same bytes, compressed, too';
spew("$dir/source/web/style.css", slurp("$dir/source/web/style.css") . "\n");
web({}, 'again');
unlike join(' ', below("$dir/again")), qr/\Q$folder\E/, 'one other byte, and the name is another one';

done_testing;
