#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Every document that a comment, a message or another document cites is in the repository, with the section that it cites.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Source;

plain_build_only('it runs no program that is built with sanitizers');

my $doc = qr{(?:(?:doc|t)/)?[A-Za-z]+\.md};
my (%headings, @missing, $cited);

# The headings of a document, and the anchors that they give.
sub headings
{
	my ($file) = @_;

	return $headings{$file} //= { map { $_ => 1, '#' . (lc =~ s/[^a-z0-9 _-]//gr =~ tr/ /-/r) => 1 } text($file) =~ /^#+ (.+)$/mg };
}

sub cite
{
	my ($where, $file, $section) = @_;

	$cited++;
	if (!-f source_dir() . "/$file") {
		push @missing, "$where: there is no $file";
	} elsif (defined $section && !headings($file)->{$section}) {
		push @missing, "$where: $file has no section $section";
	}
	return;
}

# In sources: doc/API.md, "Section". A comment may break the line between the two. What the OCI's image-spec calls a page is
# said with its name.
for my $file (sources(qr/./, 'src', 'nginx', 'scripts', 'docker', 'systemd', 'debian', 't')) {
	next if $file =~ m{^t/fuzz/corpus/|^t/0006|\.md$};
	my $text = text($file) =~ s/image-spec[, ]+[a-z-]+\.md//gr;
	while ($text =~ m{(?<![\w/.*-])($doc)(?:,[\s*#]+"([^"]+)")?}g) {
		my ($name, $section) = ($1, $2);
		cite($file, $name, defined $section ? $section =~ s/\n[ \t*#]+/ /gr : undef);
	}
}
# In documents: links.
for my $file (sources(qr/\.md$/, '.', 'doc', 't')) {
	my $folder = $file =~ m{^(.*/)} ? $1 : '';
	my $text = text($file) =~ s/^```.*?^```//gmsr;

	while ($text =~ /\]\(([^)\s]+)\)/g) {
		my ($name, $anchor) = $1 =~ /^([^#]*)(#.*)?$/;

		next if $name =~ /^https?:/;
		$name = $name eq '' ? $file : $folder . $name;
		$name =~ s{(?:^|(?<=/))[^/]+/\.\./}{}g;
		cite($file, $name, $name =~ /\.md$/ ? $anchor : undef);
	}
}
cmp_ok $cited, '>', 30, 'there are citations';
is join("\n", sort @missing), '', 'what is cited is there';

done_testing;
