#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Includes go down the list of layers only, and each foreign library is fenced in.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Source;

plain_build_only('it runs no program that is built with sanitizers');

# From the top; '' is src/ itself. cmd and http stand side by side, and the relay alone: only its main includes from it.
my @layers = ('', 'master', 'cmd', 'http', 'care', 'auth', 'registry', 'jose', 'store', 'relay', 'conf', 'os', 'base');
my %depth = map { $layers[$_] => $_ } 0 .. $#layers;
my %beside = ('cmd http' => 1);

# Which files may include a foreign library.
my @fences = (
	[qr{^fcgiapp\.h$}, 'libfcgi', sub { $_[0] =~ m{^(http/fcgi_io\.[ch]|master/worker\.c)$} }],
	[qr{^fcgi_stdio\.h$}, "libfcgi's stdio, which redefines printf,", sub { 0 }],
	[qr{^libconfig\.h$}, 'libconfig', sub { $_[0] =~ m{^conf/(config\.c|auth_lists\.c|auth_conf\.h|(endpoints|upstreams)(_read\.c|\.h)|rules_(read\.c|conf\.h)|lists\.[ch])$} }],
	[qr{^yaml\.h$}, 'libyaml', sub { $_[0] eq 'conf/yaml.c' }],
	[qr{^event2/}, 'libevent', sub { $_[0] =~ m{^relay/} }],
	[qr{^curl/}, 'libcurl', sub { $_[0] eq 'relay/client_own.h' }],
	[qr{^crypt\.h$}, 'libcrypt', sub { $_[0] eq 'auth/pwhash.c' }],
	[qr{^(json-c/|json)}, 'json-c', sub { my %i = map { $_ => 1 } @{ $_[1] }; $_[0] =~ m{^base/json\.[ch]$} || $i{'base/json.h'} }],
);

my (%includes, %system);
for my $file (sources(qr/\.[ch]$/, 'src')) {
	my $name = $file =~ s|^src/||r;

	$includes{$name} = [text($file) =~ /^[ \t]*#[ \t]*include[ \t]+"([^"]+)"/mg];
	$system{$name} = [text($file) =~ /^[ \t]*#[ \t]*include[ \t]+<([^>]+)>/mg];
}
# relay/ is the program berth-relay: no other folder has a use for it.
my @apart = grep { my $n = $_; $n !~ m{^(relay/|berth-relay\.c$)} && grep { m{^relay/} } @{ $includes{$n} } } sort keys %includes;
sub folder { return $_[0] =~ m|^(.*)/| ? $1 : '' }

my (@unknown, @up, @missing, @private);
for my $name (sort keys %includes) {
	my $own = folder($name);

	push @unknown, $name if !exists $depth{$own};
	for my $header (@{ $includes{$name} }) {
		my $their = folder($header);

		push @missing, "$name: \"$header\"" if !exists $includes{$header};
		next if !exists $includes{$header} || $their eq $own;
		push @up, "$name: \"$header\"" if ($depth{$their} // -1) <= ($depth{$own} // 99) || $beside{"$own $their"};
		push @private, "$name: \"$header\"" if text("src/$header") =~ m{Private to src/};
	}
}
is "@unknown", '', 'every source is in a folder that is a layer';
is join("\n", @up), '', 'a file includes only from its own folder or from one further down';
is join("\n", @missing), '', 'an include spells the layer, as "base/str.h"';
is "@apart", '', 'only the main of berth-relay includes from relay/';
is join("\n", @private), '', 'a header that is private to its folder is included from there alone';

for my $fence (@fences) {
	my ($re, $title, $may) = @$fence;
	my @over = grep { my $n = $_; (grep { $_ =~ $re } @{ $system{$n} }, @{ $includes{$n} }) && !$may->($n, $includes{$n}) } sort keys %system;

	is "@over", '', "$title is included only where it may be";
}
# Two things need OpenSSL: digests, and keys. What it calls a key, a certificate or a signature stays within jose/key*.
my @openssl = grep { grep { m|^openssl/| } @{ $system{$_} } } sort keys %system;
is join("\n", grep { !m{^(base/digest\.c|jose/key(_jwk|_make|_pem|_sign|_x5c)?\.c|jose/key_own\.h)$} } @openssl), '',
	'OpenSSL is included by digest and by key alone';
# What a header shows of a library stays with the files whose name begins as its own.
for my $module ('jose/key', 'relay/client') {
	my @own = grep { my $n = $_; $n !~ m{^\Q$module\E[._]} && grep { $_ eq "${module}_own.h" } @{ $includes{$n} } } sort keys %includes;
	is "@own", '', "${module}_own.h is included by $module alone";
}

done_testing;
