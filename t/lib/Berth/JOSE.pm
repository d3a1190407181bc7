# SPDX-License-Identifier: Apache-2.0
#
# Berth::JOSE: keys, signatures and tokens made by openssl(1) alone, to hold ours against.
package Berth::JOSE;

use strict;
use warnings;

use Berth::Test ();
use Digest::SHA ();
use Exporter 'import';
use JSON::PP ();
use MIME::Base64 ();

our @EXPORT = qw(b64url unb64url openssl openssl_key genpkey_options jwk thumbprint libtrust_id openssl_sign openssl_verify token der_base64 bad_tokens);

# Of each algorithm: what its key is called below, the digest, and the bytes of a coordinate where it is ECDSA.
our %ALG = (
	EdDSA => { key => 'ed25519' },
	ES256 => { key => 'p256', md => 'sha256', half => 32 },
	ES384 => { key => 'p384', md => 'sha384', half => 48 },
	ES512 => { key => 'p521', md => 'sha512', half => 66 },
	RS256 => { key => 'rsa', md => 'sha256' },
	RS384 => { key => 'rsa', md => 'sha384' },
	RS512 => { key => 'rsa', md => 'sha512' },
	PS256 => { key => 'rsa', md => 'sha256', pss => 1 },
);
my %GENPKEY = (
	ed25519 => ['-algorithm', 'ED25519'],
	p256 => ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
	p384 => ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'],
	p521 => ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-521'],
	secp256k1 => ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:secp256k1'],
	rsa => ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
	rsa1024 => ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:1024'],
	rsapss => ['-algorithm', 'RSA-PSS', '-pkeyopt', 'rsa_keygen_bits:2048'],
);

sub b64url { return MIME::Base64::encode_base64($_[0], '') =~ tr{+/}{-_}r =~ s/=+\z//r }
sub unb64url { return MIME::Base64::decode_base64($_[0] =~ tr{-_}{+/}r) }

# openssl(args) or openssl({ stdin => bytes }, args) - its standard output; dies where it fails
sub openssl
{
	my @opt = ref $_[0] ? shift : ();
	my $r = Berth::Test::run(@opt, 'openssl', @_);

	die "openssl @_: $r->{err}\n" if $r->{status};
	return $r->{out};
}

# genpkey_options(kind, name) - options of openssl for a new key; `name` is what the one for its algorithm is called
sub genpkey_options
{
	my ($kind, $name) = @_;
	my (undef, @rest) = @{ $GENPKEY{$kind} };

	return ($name // '-algorithm', @rest);
}

# openssl_key(file, kind) - a new private key, which only we may read; its file
sub openssl_key
{
	my ($file, $kind) = @_;

	openssl('genpkey', genpkey_options($kind), '-out', $file);
	chmod 0600, $file;
	return $file;
}

# What is known of a private key's file: it does not change, and openssl takes its time to start.
my (%der, %jwk);
sub public_der { return $der{ $_[0] } //= openssl('pkey', '-in', $_[0], '-pubout', '-outform', 'DER') }

# jwk(file) - the required members of the public JWK, from what openssl writes of a private key
sub jwk { return $jwk{ $_[0] } //= read_jwk($_[0]) }

sub read_jwk
{
	my ($file) = @_;
	my $text = openssl('pkey', '-in', $file, '-noout', '-text_pub');
	my $der = public_der($file);

	if ($text =~ /^RSA|^Public-Key: .*\nModulus:/m) {
		my ($hex) = openssl('rsa', '-in', $file, '-noout', '-modulus') =~ /^Modulus=([0-9A-F]+)/;
		return { kty => 'RSA', n => b64url(pack 'H*', $hex), e => 'AQAB' };
	}
	if ($text =~ /^NIST CURVE: (P-(\d+))/m) {
		my ($crv, $n) = ($1, int(($2 + 7) / 8));
		return { kty => 'EC', crv => $crv, x => b64url(substr $der, -2 * $n, $n), y => b64url(substr $der, -$n) };
	}
	return { kty => 'OKP', crv => 'Ed25519', x => b64url(substr $der, -32) };
}

# RFC 7638: the required members, in the order of their names
sub thumbprint { return b64url(Digest::SHA::sha256(JSON::PP->new->canonical->encode(jwk($_[0])))) }

sub libtrust_id
{
	my $bits = substr unpack('B*', Digest::SHA::sha256(public_der($_[0]))), 0, 240;
	my $text = join '', map { ('A' .. 'Z', 2 .. 7)[oct "0b$_"] } $bits =~ /(.{5})/g;

	return join ':', $text =~ /(.{4})/g;
}

# The two numbers of an ECDSA signature, as DER has them and as JOSE does.
sub der_to_raw
{
	my ($der, $half) = @_;
	my ($r, $s) = openssl({ stdin => $der }, 'asn1parse', '-inform', 'DER') =~ /INTEGER\s*:([0-9A-F]+)/g;

	return join '', map { pack 'H*', ('0' x (2 * $half - length)) . $_ } $r, $s;
}

sub der_integer
{
	my $n = $_[0] =~ s/\A\0+(?=.)//sr;

	$n = "\0$n" if ord($n) > 127;
	return "\x02" . chr(length $n) . $n;
}

sub raw_to_der
{
	my ($raw) = @_;
	my $half = length($raw) / 2;
	my $body = der_integer(substr $raw, 0, $half) . der_integer(substr $raw, $half);

	return "\x30" . (length $body > 127 ? "\x81" : '') . chr(length $body) . $body;
}

my @pss = ('-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:32', '-sigopt', 'rsa_mgf1_md:sha256');

# openssl_sign(alg, private key's file, bytes) - JOSE's form of the signature
sub openssl_sign
{
	my ($alg, $key, $bytes) = @_;
	my $a = $ALG{$alg};
	my $in = Berth::Test::spew(Berth::Test::tmp_dir() . '/in', $bytes);

	return openssl('pkeyutl', '-sign', '-inkey', $key, '-rawin', '-in', $in) if !$a->{md};
	my $sig = openssl('dgst', "-$a->{md}", '-sign', $key, $a->{pss} ? @pss : (), $in);
	return $a->{half} ? der_to_raw($sig, $a->{half}) : $sig;
}

# openssl_verify(alg, public key's file, bytes, JOSE's form of the signature) - whether openssl agrees
sub openssl_verify
{
	my ($alg, $key, $bytes, $sig) = @_;
	my $a = $ALG{$alg};
	my $dir = Berth::Test::tmp_dir();
	my $in = Berth::Test::spew("$dir/in", $bytes);
	my $file = Berth::Test::spew("$dir/sig", $a->{half} ? raw_to_der($sig) : $sig);
	my @cmd = $a->{md} ? ('dgst', "-$a->{md}", '-verify', $key, $a->{pss} ? @pss : (), '-signature', $file, $in) :
		('pkeyutl', '-verify', '-pubin', '-inkey', $key, '-rawin', '-in', $in, '-sigfile', $file);

	return 0 if $a->{half} && length $sig != 2 * $a->{half};
	return Berth::Test::run('openssl', @cmd)->{status} == 0;
}

# token(alg, private key's file, header, claims) - header and claims are hashes or text
sub token
{
	my ($alg, $key, @parts) = @_;
	my $text = join '.', map { b64url(ref $_ ? JSON::PP->new->canonical->encode($_) : $_) } @parts;

	return $text . '.' . b64url(openssl_sign($alg, $key, $text));
}

# bad_tokens(alg, private key's file, header, claims) - [what is wrong, token], all of them after a token that is good
sub bad_tokens
{
	my ($alg, $key, $header, $claims) = @_;
	my $json = JSON::PP->new->canonical;
	my $now = time;
	my $dir = Berth::Test::tmp_dir();
	my $other = openssl_key("$dir/other", 'p256');
	my $public = openssl('pkey', '-in', $key, '-pubout');
	my ($head, $body, $sig) = split /\./, token($alg, $key, $header, $claims);
	my $other_body = b64url($json->encode({ %$claims, sub => 'root', jti => 'x' }));
	my $with = sub { my (%h) = @_; return token('ES256', $other, { %$header, alg => 'ES256', %h }, $claims) };
	my $but = sub { my (%c) = @_; my %all = (%$claims, %c); delete $all{$_} for grep { !defined $all{$_} } keys %all; return token($alg, $key, $header, \%all) };
	my $hs = sub {
		my ($secret) = @_;
		my $text = b64url($json->encode({ %$header, alg => 'HS256' })) . ".$body";
		return "$text." . b64url(Digest::SHA::hmac_sha256($text, $secret));
	};
	my $none = sub { return b64url($json->encode({ %$header, alg => $_[0] })) . ".$body." . ($_[1] // '') };

	openssl('req', '-x509', '-new', '-key', $other, '-subj', '/CN=other', '-days', '2', '-out', "$dir/other.crt");
	return (
		['"alg" is "none"', $none->('none')], ['"alg" is "None"', $none->('None')], ['"alg" is "none" above a signature', $none->('none', $sig)],
		['no "alg"', b64url($json->encode({ typ => 'JWT', kid => $header->{kid} })) . ".$body.$sig"],
		['HS256 by the public key as PEM', $hs->($public)], ['HS256 by it without its last line break', $hs->($public =~ s/\n\z//r)],
		['HS256 by the public key as DER', $hs->(public_der($key))], ['HS256 by nothing', $hs->('')],
		['another key', $with->()], ['another key, brought along as "jwk"', $with->(jwk => jwk($other))],
		['another key, brought along as "jwk" under its own name', $with->(jwk => jwk($other), kid => thumbprint($other))],
		['another key with its certificate as "x5c"', $with->(x5c => [der_base64("$dir/other.crt")])],
		['another key with its certificate as "x5c" and no name', token('ES256', $other, { typ => 'JWT', alg => 'ES256', x5c => [der_base64("$dir/other.crt")] }, $claims)],
		['another key by a URL', $with->(jku => 'http://127.0.0.1/jwks', x5u => 'http://127.0.0.1/x5c')],
		['an unknown name of a key', token($alg, $key, { %$header, kid => 'unknown' }, $claims)],
		['other claims', "$head.$other_body.$sig"], ['no signature', "$head.$body."], ['half a signature', "$head.$body." . substr $sig, 0, length($sig) / 2],
		['two parts', "$head.$body"], ['four parts', "$head.$body.$sig.$sig"], ['no token', 'x'], ['nothing', ''],
		['"aud" is empty', $but->(aud => '')], ['"aud" is missing', $but->(aud => undef)], ['"aud" is an empty list', $but->(aud => [])],
		['"aud" is another service', $but->(aud => 'other.example')], ['"aud" is a list of others', $but->(aud => ['other.example', ''])],
		['"aud" begins as the service does', $but->(aud => "$claims->{aud}x")],
		['"iss" is another', $but->(iss => 'other.example')], ['"iss" is missing', $but->(iss => undef)], ['"iss" is empty', $but->(iss => '')],
		['it expired long ago', $but->(exp => $now - 3600)], ['it expired just too long ago', $but->(exp => $now - 62)],
		['"exp" is missing', $but->(exp => undef)], ['"exp" is a text', $but->(exp => "$claims->{exp}")], ['"exp" is negative', $but->(exp => -1)],
		['it is not valid yet', $but->(nbf => $now + 1000)], ['it comes from the future', $but->(iat => $now + 1000)],
	);
}

# der_base64(certificate's file) - an entry of x5c
my %entry;
sub der_base64 { return $entry{ $_[0] } //= MIME::Base64::encode_base64(openssl('x509', '-in', $_[0], '-outform', 'DER'), '') }

1;
