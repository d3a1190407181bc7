#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The house rules that a script can see in the C sources.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Source;

use constant { MAX_LINES => 600, MAX_FUNCTION => 60, MAX_COLUMNS => 150 };

plain_build_only('it runs no program that is built with sanitizers');

my @own = sources(qr/\.[ch]$/, 'src');
my @all = (@own, sources(qr/\.[ch]$/, 't/unit', 't/fuzz', 't/tool', 't/bench'));
my %code = map { $_ => code_only(text($_)) } @all;

# none(title, files, sub) - the sub gives what is wrong with a file, as "LINE: what" or text
sub none
{
	my ($title, $files, $find) = @_;
	my @bad = map { my $f = $_; map { "$f:$_" } $find->($f) } @$files;

	is join("\n", @bad), '', $title;
}

# lines(text, re) - the numbers of the lines that match, with what matched
sub lines
{
	my ($text, $re) = @_;
	my $n = 0;

	return map { $n++; /$re/ ? "$n: " . ($& =~ s/^\s+|\s+$//gr) : () } split /\n/, $text;
}

sub columns
{
	my ($line) = @_;

	1 while $line =~ s/\t/' ' x (8 - $-[0] % 8)/e;
	utf8::decode($line);
	return length $line;
}

# Functions that are not used, and why not.
my %banned = (
	'strcpy|strcat|sprintf|vsprintf|gets|strncpy|strncat' => 'struct str is the only thing that concatenates',
	'strtok|strtok_r' => 'it writes into its input',
	'atoi|atol|atoll|atof|sscanf' => 'str_parse_u64() sees what is wrong with a number',
	'FCGX_FPrintF|FCGX_VFPrintF' => 'it does not know %zu and crashes on %s of NULL; format into struct str',
	'tmpnam|tempnam|mktemp' => 'the name may be taken meanwhile',
	'alloca' => 'it takes sizes from outside to the stack',
	'signal' => 'sigaction() says what it does',
	'localtime|gmtime|ctime|asctime' => 'one static buffer for all',
	'system|popen' => 'no shell',
);

none('no function that the house rules ban', \@own, sub {
	my ($f) = @_;
	map { my $b = $_; map { "$_ ($banned{$b})" } lines($code{$f}, qr/(?<![\w.>])($b)\s*\(/) } sort keys %banned;
});

# berth probe looks at the calls themselves.
none('what looks at a store looks again where the file system says that a name is stale (os/again.h)', [grep { m{^src/(?:store|care|registry)/} && !m{/mounts} } @own], sub {
	my ($f) = @_;
	lines($code{$f}, qr/(?<![\w.>])(?:unlinkat|renameat2?|fstatat|linkat|mkdirat|utimensat|faccessat|statx|fstat)\s*\(/);
});
none('a file in the store is opened by os_open_file(): what lies there may be a FIFO, or a link', [grep { m{^src/(store|registry)/} } @all], sub {
	lines($code{$_[0]}, qr/\bos_open\((?!.*\b(O_DIRECTORY|O_PATH|O_CREAT|O_TMPFILE)\b).*/)
});
# store_path.h has a name for each directory and each file of the store: nobody else spells them.
my %entry = map { $_ => 1 } text('src/store/store_path.h') =~ m{^#define STORE_\w+ "([^"/]+)"}mg;
cmp_ok scalar(keys %entry), '>', 10, 'store_path.h names the entries of the store';
none('a path in the store is spelled by store_path alone', [grep { m{^src/(store|care|registry)/} && !m{/store_path\.} } @all], sub {
	my ($f) = @_;
	my $code = text($f) =~ s{("(?:\\.|[^"\\\n])*")|/\*.*?\*/}{$1 // ''}gser;

	# In registry/ a member of JSON may have the name of a file: there only what has a slash is a path.
	grep { !/\s/ && (m{/} || $f !~ m{/registry/}) && grep { $entry{$_} } split m{/} } $code =~ /"((?:\\.|[^"\\\n])*)"/g
});
none('memory comes from xmalloc and its kin', [grep { !m{^src/base/mem\.} } @own], sub {
	lines($code{$_[0]}, qr/(?<![\w.>])(malloc|calloc|realloc|reallocarray|strdup|strndup)\s*\(/)
});
none('the first line is the licence', \@all, sub {
	text($_[0]) =~ m{^/\* SPDX-License-Identifier: Apache-2\.0 \*/\n} ? () : '1'
});
none('every header has a guard that is named after its path', [grep { m{^src/.*\.h$} } @all], sub {
	my $guard = 'BERTH_' . uc($_[0] =~ s|^src/||r =~ s|[^A-Za-z0-9]|_|gr);
	$code{$_[0]} =~ /^#ifndef \Q$guard\E\n#define \Q$guard\E\n.*\n#endif[^\n]*\n\z/ms ? () : "1: $guard"
});
none('every .c begins with a comment that says what the module owns', [grep { m{^src/.*\.c$} } @all], sub {
	text($_[0]) =~ m{^[^\n]*\n/\*\s+(\* )?\w} ? () : '2'
});
none('comments are /* */', \@all, sub { lines($code{$_[0]}, qr{//}) });
none('no typedef of a struct', \@all, sub { lines($code{$_[0]}, qr/\btypedef\s+(struct|union|enum)\b/) });
none('no note of work that is left', \@all, sub {
	lines(text($_[0]), qr/\b(TODO|FIXME|XXX|HACK|WIP|TBD)\b/)
});
none('no trailing white space, no carriage return, a newline at the end', \@all, sub {
	(lines(text($_[0]), qr/[ \t\r]+$/), text($_[0]) =~ /[^\n]\n\z/ ? () : 'end')
});
none('indentation is tabs', \@all, sub { lines($code{$_[0]}, qr{^(?: +|\t* {8,})(?!\*/)\S}) });
none('no line is wider than ' . MAX_COLUMNS . ' columns', \@own, sub {
	my $n = 0;
	map { $n++; columns($_) > MAX_COLUMNS ? "$n: " . columns($_) : () } split /\n/, text($_[0])
});
none('a space after if, for, while and switch, none after a function\'s name', \@own, sub {
	(lines($code{$_[0]}, qr/\b(if|for|while|switch)\(/), lines($code{$_[0]}, qr/^[a-z].*\w \([^*].*\)$/))
});
none('an opening brace ends its line, but a function\'s has one of its own', \@own, sub {
	($code{$_[0]} =~ /(\)\n\t+\{\n)/ ? 'a brace on a line of its own after )' : (), lines($code{$_[0]}, qr/^(?!.*=)[a-z][^#]*\)\s*\{$/), $code{$_[0]} =~ /(\}\s*\n\s*else\b)/ ? 'else on a line of its own' : ())
});
none('no file has more than ' . MAX_LINES . ' lines', \@all, sub {
	my $n = () = text($_[0]) =~ /\n/g;
	$n > MAX_LINES ? $n : ()
});
none('no function has more than ' . MAX_FUNCTION . ' lines', \@own, sub {
	my ($n, $start, @long) = (0, 0);
	for (split /\n/, $code{$_[0]}) {
		$n++;
		$start = $n if /^\{/;
		push @long, "$start: " . ($n - $start + 1) . ' lines' if /^\}/ && $start && $n - $start + 1 > MAX_FUNCTION;
		$start = 0 if /^\}/;
	}
	@long
});

# A tag or a referrer changes only where the summary of the repository is told of it before and after (src/registry/reg_summary.h).
my %pairs = map { ($_ => 1) } qw(src/registry/reg_delete.c src/registry/reg_retag.c src/registry/reg_summary.c src/registry/reg_index.c src/store/index.c src/store/tag.c);
none('no module changes tags or referrers behind the summary\'s back', [grep { m|^src/.*\.c\z| && !$pairs{$_} } @own], sub {
	lines($code{$_[0]}, qr/\b(?:tag_remove|tag_set_known|index_(?:add|remove)_(?:tag|referrer))\(/)
});

done_testing;
