# SPDX-License-Identifier: Apache-2.0
#
# Berth::Manual: manual pages and --help, taken apart for comparing. It knows as much of man(7) as doc/ uses.
#
#   my $page = Berth::Manual->read('doc/berth.1');
#   $page->items('OPTIONS')->{'--root DIR'};        # the text of the item with that tag
#   my %text = Berth::Manual::help_options($help);  # "--root DIR" => "the store, ..."
#   my %text = Berth::Manual::help_commands($help); # "berth tag list REPOSITORY [--json]" => "list and ..."
package Berth::Manual;

use strict;
use warnings;

use Berth::Test;

my %char = ('-' => '-', 'e' => '\\', '&' => '', '(dq' => '"', fB => '', fR => '', fI => '');

sub unescape
{
	my ($s) = @_;

	$s =~ s{\\(f[BRI]|\(dq|.)}{ $char{$1} // die "a manual page has \\$1, which is not known here: $s\n" }ge;
	return $s;
}

# { section => { tag => text } }; several tags of one item have one text.
sub read
{
	my ($class, $file) = @_;
	my ($section, $next, @open) = ('', '');
	my %has;

	for (split /\n/, slurp($file)) {
		next if /^\.\\"/ || /^\.(?:TH|br|nf|fi|RS|RE)\b/;
		if (/^\.SH (.*)/) {
			($section, @open) = ($1);
		} elsif (/^\.(TP|TQ)$/) {
			@open = () if $1 eq 'TP';
			$next = 1;
		} elsif (/^\.PP$/) {
			@open = ();
		} else {
			my $text = s/^\.[BI] // ? $_ : s/^\.(?:BR|RB|RI|IR|BI) // ? join '', split ' ', $_ : $_;
			die "$file: what is \"$_\"?\n" if /^\.[A-Z]/;
			$text = unescape($text);
			if ($next) {
				push @open, $text;
				$has{$section}{$text} = '';
				$next = '';
			} else {
				$has{$section}{$_} .= "$text\n" for @open;
			}
		}
	}
	return bless { has => \%has }, $class;
}

sub items { my ($self, $section) = @_; return $self->{has}{$section} // {} }

sub squeezed { return join ' ', split ' ', $_[0] }

sub help_options
{
	my ($help) = @_;
	my %text;

	$text{$1} = squeezed($2) while $help =~ /^  (--\S+(?: [A-Z|:]+)?)  +(.*\n(?:   +(?!-).*\n)*)/mg;
	return %text;
}

sub help_commands
{
	my ($help) = @_;
	my %text;

	while ($help =~ /^  (\w+) (.*)\n((?:      .*\n)+)/mg) {
		my ($name, $text) = ($1, squeezed($3));
		$text{"berth $name $_"} = $text for split / \| /, $2;
	}
	return %text;
}

1;
