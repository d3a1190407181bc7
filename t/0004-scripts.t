#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The house rules for what is not C: shell, Perl, configuration and documents.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Source;

plain_build_only('it runs no program that is built with sanitizers');
need_program('shellcheck');

my @files = sources(qr/./, qw(t nginx scripts .ci doc docker systemd debian m4), grep { -f source_dir() . "/$_" }
	qw(configure.ac Makefile.am sources.am HACKING.md README.md LICENSE .editorconfig .clang-format .gitignore));
@files = grep { !m{/(test|tool|bench)_[^./]*$|\.(o|deps|dirstamp|gc..|bin|gz|tar|tgz|png|[1-8])$|/\.deps/|/fuzz/|~$} } @files;
my %first = map { $_ => text($_) =~ /^([^\n]*)/ ? $1 : '' } @files;
my @shell = grep { m{\.sh$} || $first{$_} =~ m{^#!/bin/(ba)?sh\b} } @files;
my @perl = grep { /\.(t|pm|pl)$/ || $first{$_} =~ m{^#!.*\bperl\b} } @files;

for my $file (@shell) {
	my $r = run({ dir => source_dir() }, 'shellcheck', '-x', '-P', 'SCRIPTDIR', $file);
	is $r->{status}, 0, "shellcheck has nothing to say of $file" or diag($r->{out} . $r->{err});
}
cmp_ok scalar(@shell), '>', 3, 'there are shell scripts to look at';

sub none
{
	my ($title, $list, $bad) = @_;

	is join("\n", grep { $bad->($_) } @$list), '', $title;
}
none('every program that is a script may be executed', [grep { $first{$_} =~ /^#!/ && !/\.t$/ } @files],
	sub { !-x source_dir() . "/$_[0]" });
none('the licence is named in the first lines', [@shell, @perl, grep { m{^(nginx/.*\.in|m4/|configure|Makefile)} } @files],
	sub { text($_[0]) !~ m{^(?:[^\n]*\n){0,2}(#|dnl) SPDX-License-Identifier: Apache-2\.0\n} });
none('every Perl file is strict and warns', \@perl, sub { text($_[0]) !~ /^use strict;\nuse warnings;$/m });
none('no trailing white space, no carriage return, a newline at the end', [grep { !/\.md$|^LICENSE$/ } @files],
	sub { text($_[0]) =~ /[ \t\r]\n/ || text($_[0]) !~ /[^\n]\n\z/ });
none('no note of work that is left', [grep { $_ ne 't/0003-source.t' && $_ ne 't/0004-scripts.t' } @files],
	sub { text($_[0]) =~ /\b(TODO|FIXME|XXX|TBD)\b/ });
none('no test sleeps for whole seconds where it could wait for something', [grep { m{^t/.*\.t$} } @files],
	sub { text($_[0]) =~ /^\s*sleep\b\s*\(?\s*[0-9]{2,}/m });
# perl warns where both come together, and a warning fails the test: but only where it runs.
my %exports;
for my $file (grep { m{^t/lib/.*\.pm$} } @perl) {
	my ($names) = text($file) =~ /^our \@EXPORT = [^;]*?qw\((.*?)\)/ms or next;
	my $module = $file =~ s{^t/lib/|\.pm$}{}gr =~ s{/}{::}gr;

	$exports{$module} = [split ' ', $names];
}
cmp_ok scalar(keys %exports), '>', 10, 'there are modules that export';
my @twice;
for my $file (@perl) {
	my %defined = map { ($_ => 1) } text($file) =~ /^\s*sub (\w+)/mg;

	for my $module (grep { $file ne 't/lib/' . s|::|/|gr . '.pm' } text($file) =~ /^use ([\w:]+);/mg) {
		push @twice, map { "$file: $module exports $_" } grep { $defined{$_} } @{ $exports{$module} // [] };
	}
}
is join("\n", @twice), '', 'no file defines what a module that it uses gives it';

done_testing;
