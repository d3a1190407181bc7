#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The manual pages say what the programs say: commands and options in the words of --help, and every setting with the
# type, the default, the variables and the meaning that it has in the table of keys.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Manual;

delete $ENV{$_} for grep { /^REGISTRY_/ } keys %ENV;

my ($berth, $fcgi, $relay) = map { program($_) } qw(berth berth-fcgi berth-relay);
my %page = map { ($_ => Berth::Manual->read(source_dir() . "/doc/$_")) } qw(berth.1 berth-fcgi.8 berth-relay.8 berth.conf.5);

# In one line, and without the case of the first letter: a help begins small, a sentence does not.
sub plain { return lcfirst join ' ', split ' ', $_[0] }
sub begins { my ($text, $with) = @_; return index(plain($text), plain($with)) == 0 ? plain($with) : plain($text) }

for (['berth.1', $berth], ['berth-fcgi.8', $fcgi], ['berth-relay.8', $relay]) {
	my ($name, $program) = @$_;
	my $help = run_ok($program, '--help', "$name: --help");
	my $page = $page{$name};
	my %said = Berth::Manual::help_options($help);
	my $options = $page->items('OPTIONS');

	ok keys %said >= 4, "$name: --help lists options";
	is join("\n", sort keys %$options), join("\n", sort keys %said), "$name has the options of --help";
	is begins($options->{$_} // '', "$said{$_}."), plain("$said{$_}."), "$name: $_ in the same words" for sort keys %said;

	my $status = $page->items('EXIT STATUS');
	my ($line) = $help =~ /^Exit status: (.*)\.$/m;
	is join(', ', map { plain("$_ $status->{$_}") } sort keys %$status), $line, "$name: the exit status in the same words";
	is begins($page->items('SIGNALS')->{$1}, $2), plain($2), "$name: $1 in the same words"
		while $help =~ /(SIG[A-Z]+): (.*?\.)(?= |$)/mg;
}

# A page's tags are "berth gc [--dry-run] ...": what --help has as one line with " | " between.
my %said = Berth::Manual::help_commands(run_ok($berth, '--help', 'the commands'));
my $has = $page{'berth.1'}->items('COMMANDS');
is join("\n", sort keys %$has), join("\n", sort keys %said), 'berth.1 has the commands of --help, with their arguments';
is begins($has->{$_} // '', "$said{$_}."), plain("$said{$_}."), "berth.1: $_ in the same words" for sort keys %said;

my $settings = $page{'berth.conf.5'}->items('SETTINGS');
my $keys = run_ok($berth, 'config', 'keys', '--long', '`berth config keys --long` says what each setting is');
my %key = $keys =~ /^(\S+)\n((?:\t.*\n)+)/mg;
is join("\n", sort keys %$settings), join("\n", sort keys %key), 'berth.conf.5 has the settings of the table, and no others';
is join("\n", map { /^(\S+)/ } split /\n/, run_ok($berth, 'config', 'keys', 'the short list')), join("\n", $keys =~ /^(\S+)$/mg),
	'which are those of `berth config keys`';
for my $name (sort keys %key) {
	my %is = $key{$name} =~ /^\t(\w+): (.*)$/mg;
	my $text = join ' ', split ' ', $settings->{$name} // '';
	my ($type, $default, $variables) = $text =~ / It (must be .*?)\. Default: (.*?)\.(?: Variables: (.*)\.)?$/;

	is begins($text, "$is{effect}."), plain("$is{effect}."), "$name: its effect";
	is $type, join(' ', split ' ', $is{type}), "$name: what it must be";
	is $default, length $is{default} ? $is{default} : 'none', "$name: its default";
	is $variables // '', $is{variables} // '', "$name: its variables";
}

done_testing;
