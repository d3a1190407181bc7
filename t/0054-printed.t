#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Configurations of berth that the documents print are ones that berth takes. (What else they print is run elsewhere: proxies
# in t/8060, Prometheus in t/8063, conf.d in t/8005, units, spawn-fcgi, compose and images in t/85*.)
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;

delete $ENV{$_} for grep { /^REGISTRY_/ } keys %ENV;
my $dir = tmp_dir();
spew("$dir/htpasswd", '');
spew("$dir/$_", "x\n") for 'hook.token', 'hook.key', 'hub.password';
my %count;
for my $file (glob(source_dir() . '/*.md'), glob(source_dir() . '/doc/*.md'), glob(source_dir() . '/doc/*.[1-8]')) {
	my $name = $file =~ s{.*/}{}r;
	my $text = slurp($file);
	my @blocks = $name =~ /\.md$/ ? $text =~ /^```\w*\n(.*?)^```$/msg : map { s/\\-/-/gr =~ s/\\e/\\/gr } $text =~ /^\.nf\n(.*?)^\.fi$/msg;

	# a setting begins it: `delete = true;`, `auth = {`
	for my $block (grep { /\A(?:#.*\n|\s*\n)*[a-z_.]+ = [\[{("\w]/ } @blocks) {
		my $conf = spew("$dir/berth.conf", $block =~ s{/etc/berth/}{$dir/}gr);
		my $r = run(program('berth'), '--config', $conf, 'config', 'check');

		$count{$name}++;
		is $r->{status}, 0, "$name: " . ($block =~ /^(.*)/)[0] . ' ...' or diag $r->{out} . $r->{err} . $block;
	}
}
cmp_ok $count{'berth.conf.5'} // 0, '>=', 2, 'the manual page has some';

done_testing;
