#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# docker/registry: the words of registry:2, and what is run for them. (t/8520-image.t runs it in the image.)
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;

my $dir = tmp_dir();
my $text = slurp(source_dir() . '/docker/registry') =~ s{/usr/lib/berth/start}{$dir/bin/start}gr;
mkdir "$dir/$_" for qw(bin first second);
spew("$dir/registry", $text);
# They print their arguments and variables.
spew("$dir/bin/$_", "#!/bin/bash\necho $_ \"\$*\"\nenv | grep ^REGISTRY || true\n") for qw(berth start);
chmod 0755, "$dir/registry", "$dir/bin/berth", "$dir/bin/start";
my ($first, $second) = map { "$dir/$_/config.yml" } qw(first second);

delete $ENV{$_} for grep { /^REGISTRY_/ } keys %ENV;
sub registry { return run({ env => { PATH => "$dir/bin:$ENV{PATH}", BERTH_CONFIG_YML => "$first:$second" } }, "$dir/registry", @_) }
sub runs
{
	my ($want, @words) = @_;
	my $r = registry(@words);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is "$r->{status} $r->{out}", "0 $want\n", "@words: $want";
	return;
}

# Options, as there
runs("berth gc$_->[1]", 'garbage-collect', $_->[0], $first)
	for ['-d', ' --dry-run'], ['-md', ' --dry-run --untagged'], ['-m=false', ''], ['-dm=false', ' --dry-run'], ['-md=true', ' --dry-run --untagged'], ['--delete-untagged=1', ' --untagged'];
for (['-x'], ['-d=perhaps'], ['-d='], ['-=d'], [$second]) {
	my $r = registry('garbage-collect', @$_, $first);
	is $r->{status}, 2, "garbage-collect @$_ is refused";
	like $r->{err}, qr/^registry: (?:unknown option|not true or false|one FILE)/, 'with the reason';
}

# The file: berth finds the first of the usual ones by itself, and any of them may be missing
runs('start all', 'serve', $_) for $first, $second;
spew($second, "version: 0.1\n");
runs('start all', 'serve', $_) for $first, $second;
spew($first, "version: 0.1\n");
runs('start all', 'serve', $first);
runs("start all --config $second", 'serve', $second);
runs("berth --config $second gc", 'garbage-collect', $second);
spew("$dir/other.yml", "version: 0.1\n");
runs("start all --config $dir/other.yml", $_) for "$dir/other.yml";
is registry('serve', "$dir/none.yml")->{status}, 2, 'another one must exist';

$ENV{'REGISTRY_HTTP_HEADERS_X-A'} = '[b]';
runs("start all\nREGISTRY_HTTP_HEADERS_X-A=[b]", 'serve', $first);

done_testing;
