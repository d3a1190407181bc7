#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Tokens that bring a chain of certificates: which chains are believed.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::JOSE;

need_program('openssl');

use constant DAY => 86400;

my $tool = program('t/tool/tool_jwt');
my $dir = tmp_dir();

sub file { return "$dir/$_[0]" }

# cert(name, by => issuer's name, days => 9, kind => 'p256', ext => [lines], md => 'sha256') - a key and its certificate
sub cert
{
	my ($name, %o) = @_;
	my $by = $o{by} // $name;

	spew(file("$name.cnf"), join "\n", '[req]', 'distinguished_name=dn', 'x509_extensions=ext', 'prompt=no', '[dn]', "CN=$name", '[ext]',
		@{ $o{ext} // [] }, '');
	openssl('req', '-x509', '-config', file("$name.cnf"), '-new', '-days', $o{days} // 9, '-' . ($o{md} // 'sha256'), '-nodes',
		genpkey_options($o{kind} // 'p256', '-newkey'), '-keyout', file("$name.key"), '-out', file("$name.crt"),
		$by eq $name ? () : ('-CA', file("$by.crt"), '-CAkey', file("$by.key")));
	return;
}

my $ca = 'basicConstraints=critical,CA:TRUE';
my $sign = 'keyUsage=critical,keyCertSign,cRLSign';
cert('root', ext => [$ca, $sign]);
cert('between', by => 'root', days => 4, ext => ["$ca,pathlen:0", $sign]);
cert('leaf', by => 'between', days => 2, ext => ['basicConstraints=CA:FALSE', 'keyUsage=digitalSignature']);
cert('direct', by => 'root');
cert('direct-rsa', by => 'root', kind => 'rsa');
cert('direct-ed', by => 'root', kind => 'ed25519');
cert('by-leaf', by => 'leaf');
cert('by-plain', by => 'direct');
cert('below', by => 'between', ext => [$ca, $sign]);
cert('too-deep', by => 'below');
cert('no-sign', by => 'root', ext => [$ca, 'keyUsage=digitalSignature']);
cert('by-no-sign', by => 'no-sign');
cert('narrow', by => 'root', ext => [$ca, $sign, 'nameConstraints=critical,permitted;DNS:example.com']);
cert('outside', by => 'narrow', ext => ['subjectAltName=DNS:example.org']);
cert('inside', by => 'narrow', ext => ['subjectAltName=DNS:a.example.com']);
cert('encrypts', by => 'root', ext => ['keyUsage=critical,keyEncipherment']);
cert('strange', by => 'root', ext => ['1.2.3.4=critical,ASN1:NULL']);
cert('sha1', by => 'root', md => 'sha1');
cert('small', by => 'root', kind => 'rsa1024');
cert('pss', by => 'root', kind => 'rsapss');
cert('other', ext => [$ca, $sign]);
cert('by-other', by => 'other');
cert('alone');
my $now = time;         # after all of them were made

my %kind = (direct => 'ES256', 'direct-rsa' => 'RS256', 'direct-ed' => 'EdDSA', small => 'RS256');
my @who = ('--iss', 'i', '--aud', 'a');

sub x5c { return [map { der_base64(file("$_.crt")) } @_] }

# tried(token, at, args) - what the tool says; `at` in seconds from now
sub tried
{
	my ($token, $at, @args) = @_;

	@args = ('--roots', file('root.crt')) if !@args;
	return run({ stdin => $token }, $tool, 'verify', @who, '--now', $now + $at, @args)->{out} =~ s/\n\z//r;
}

# signed(by, header, at, alg)
sub signed
{
	my ($by, $header, $at, $alg) = @_;

	$alg //= $kind{$by} // 'ES256';
	return token($alg, file("$by.key"), { alg => $alg, %$header }, { iss => 'i', aud => 'a', sub => 'eve', exp => $now + ($at // 0) + 300 });
}

my $holds = 'sub=eve access=';
is tried(signed('direct', { x5c => x5c('direct') }), 0), $holds, 'a certificate that a root signed is believed';
is tried(signed($_, { x5c => x5c($_) }), 0), $holds, "$_: of any type of key" for qw(direct-rsa direct-ed);
is tried(signed('leaf', { x5c => x5c('leaf', 'between') }), 0), $holds, 'so is one below another';
is tried(signed('leaf', { x5c => x5c('leaf', 'between', 'root') }), 0), $holds, 'with the root in the chain too';
is tried(signed('leaf', { x5c => x5c('leaf', 'other', 'between') }), 0), $holds, 'with one too many too';
is tried(signed('leaf', { x5c => x5c('leaf', 'between'), kid => 'unknown' }), 0), $holds, 'beside a kid that nobody knows too';
is tried(signed('inside', { x5c => x5c('inside', 'narrow') }), 0), $holds, 'and one within the names that its issuer may give';
is tried(signed('alone', { x5c => x5c('alone') }), 0, '--roots', file('alone.crt')), $holds, 'a bundle may hold the very certificate';
is tried(signed('leaf', { x5c => x5c('leaf') }), 0, '--roots', file('between.crt')), $holds, 'or one that is no root of its own';

my %why = (
	'leaf' => [[qw(leaf)], qr/unable to get local issuer certificate/, 'without the one above it a chain is none'],
	'by-leaf' => [[qw(by-leaf leaf between)], qr/invalid CA certificate/, 'one that may not sign certificates signs none'],
	'by-plain' => [[qw(by-plain direct)], qr/invalid CA certificate/, 'nor does one that does not say whether it may'],
	'too-deep' => [[qw(too-deep below between)], qr/path length constraint exceeded/, 'a chain is no longer than its issuers allow'],
	'by-no-sign' => [[qw(by-no-sign no-sign)], qr/invalid CA certificate/, 'an issuer whose key is not for that signs none'],
	'outside' => [[qw(outside narrow)], qr/permitted subtree violation/, 'names beyond those that an issuer may give are refused'],
	'encrypts' => [[qw(encrypts)], qr/not for signatures/, 'a key that is not for signatures makes none'],
	'strange' => [[qw(strange)], qr/unhandled critical extension/, 'a critical extension must be understood'],
	'sha1' => [[qw(sha1)], qr/CA md too weak|CA signature digest algorithm too weak/, 'SHA-1 vouches for nothing'],
	'small' => [[qw(small)], qr/EE certificate key too weak/, 'RSA of 1024 bits is too small'],
	'by-other' => [[qw(by-other other)], qr/self-signed certificate in certificate chain/, 'another root vouches for nothing'],
	'alone' => [[qw(alone)], qr/self-signed certificate/, 'nor does a certificate for itself'],
);
for my $name (sort keys %why) {
	my ($chain, $re, $title) = @{ $why{$name} };

	like tried(signed($name, { x5c => x5c(@$chain) }), 0), qr/^refused: an x5c .*$re/, $title;
}
like tried(signed('direct', { x5c => x5c('pss') }), 0), qr/^refused: a key of an unsupported type|^refused: an x5c/,
	'a type of key that is not taken is not in a certificate either';

like tried(signed('leaf', { x5c => x5c('leaf', 'between') }, -1 * DAY), -1 * DAY), qr/^refused: an x5c .*certificate is not yet valid/,
	'before its time a certificate is not believed';
like tried(signed('leaf', { x5c => x5c('leaf', 'between') }, 3 * DAY), 3 * DAY), qr/^refused: an x5c .*certificate has expired/,
	'nor is it after it';
like tried(signed('below', { x5c => x5c('below', 'between') }, 5 * DAY), 5 * DAY), qr/^refused: an x5c .*certificate has expired/,
	'nor where the one above it has expired';
like tried(signed('direct', { x5c => x5c('direct') }, 20 * DAY), 20 * DAY), qr/^refused: an x5c .*certificate has expired/,
	'nor where all have';

# The header is the attacker's.
openssl('pkey', '-in', file('direct.key'), '-pubout', '-out', file('direct.pub'));
my $kid = thumbprint(file('direct.key'));
my @both = ('--keys', file('direct.pub'), '--roots', file('root.crt'));
is tried(signed('direct', { kid => $kid, x5c => ['AAAA'] }), 0, @both), $holds, 'where kid names a trusted key x5c is not looked at';
is tried(signed('by-other', { kid => $kid, x5c => x5c('by-other', 'other') }), 0, @both), "refused: the token's signature is wrong",
	'a foreign chain beside a trusted kid is not believed';
is tried(signed('leaf', { kid => $kid, x5c => x5c('leaf', 'between') }), 0, @both), "refused: the token's signature is wrong",
	'nor is a good one: kid settles which key it is';
is tried(signed('by-other', { x5c => x5c('direct') }), 0), "refused: the token's signature is wrong",
	'a certificate that is believed does not vouch for the signature of another key';
is tried(signed('leaf', { x5c => x5c('between', 'leaf') }), 0), 'refused: an x5c whose certificate is not for signatures',
	'the first certificate is the one that counts';
is tried(signed('direct', { x5c => x5c('direct') }), 0, '--keys', file('root.crt')), 'refused: no "kid" in the token\'s header',
	'without roots no chain is looked at';
is tried(signed('direct', { alg => 'RS256', x5c => x5c('direct') }), 0), 'refused: "alg" does not fit the key of "x5c"',
	"the algorithm must be the certificate's";
is tried(signed('direct', { alg => 'none', x5c => x5c('direct') }), 0), 'refused: an "alg" that is not supported', 'none is none here too';

my ($good) = @{ x5c('direct') };
my @malformed = (['a string', $good], ['an empty list', []], ['null', undef], ['an object', { 0 => $good }], ['a number in the list', [7]],
	['null in the list', [undef]], ['what is no base64', ["$good*"]], ['base64 with lines', [$good =~ s/(.{64})/$1\n/gr]],
	['base64url', [b64url(openssl('x509', '-in', file('direct.crt'), '-outform', 'DER'))]], ['bytes behind the certificate',
	[MIME::Base64::encode_base64(openssl('x509', '-in', file('direct.crt'), '-outform', 'DER') . 'x', '')]],
	['PEM', [slurp(file('direct.crt'))]], ['an empty certificate', ['']], ['nine certificates', [($good) x 9]],
	['a broken one behind a good one', [$good, 'AAAA']]);
like tried(signed('direct', { x5c => $_->[1] }), 0), qr/^refused: an x5c (that is not a list of 1 to 8|with an entry that is no)/,
	"x5c: $_->[0] is refused" for @malformed;
is tried(signed('direct', { x5c => [($good) x 8] }), 0), $holds, 'x5c: eight certificates are not too many';

done_testing;
