# SPDX-License-Identifier: Apache-2.0
#
# Berth::Conf: what `berth config` makes of a file, and what it says is wrong with one.
#
#   my $r = config_verb($file, $text, 'show');      status, out and err, as of run()
#   fault_ok($r, "$file:3", 'a title', qr/"http.listen" must be/);
#   fault('a title', $text, 3, '"http.listen" must be');            # both, of one file: conf_file()
package Berth::Conf;

use strict;
use warnings;

use Exporter 'import';

use Berth::Test;

our @EXPORT = qw(config_verb fault_ok);
our @EXPORT_OK = qw(conf_file verb fault);

# config_verb(file, text, words...) - `berth --config FILE config WORDS` of a file with this text; a hash first is for run()
sub config_verb
{
	my ($file, $text, @words) = @_;
	my $how = ref $words[0] ? shift @words : {};

	spew($file, $text);
	return run($how, program('berth'), '--config', $file, 'config', @words);
}

# fault_ok - it is refused with one line, which names the place and repeats nothing that is secret: "geheim" in all tests
sub fault_ok
{
	my ($r, $where, $title, $re) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	Test::More::is($r->{status}, 2, "$title ends with 2");
	Test::More::like($r->{err}, qr/\A\Q$where\E: $re[^\n]*\n\z/, "$title is said in one line with its place");
	Test::More::unlike($r->{err}, qr/geheim/, "$title: no value is repeated");
	Test::More::is($r->{out}, '', "$title shows nothing");
	return;
}

my $file;
sub conf_file { return $file //= tmp_dir() . '/berth.conf' }

# verb(words, text) - as config_verb(), of conf_file()
sub verb { my ($verb, $text) = @_; return config_verb(conf_file(), $text, split ' ', $verb) }

# fault(title, text, line, what) - one fault, on that line
sub fault
{
	my ($title, $text, $line, $re) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return fault_ok(verb('show', $text), conf_file() . ":$line", $title, $re);
}

1;
