#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Our keys, signatures and tokens, held against those of openssl(1), both ways and in every algorithm.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::JOSE;
use JSON::PP ();

need_program('openssl');

my $tool = program('t/tool/tool_jwt');
my $dir = tmp_dir();
my %key = map { $_ => openssl_key("$dir/$_.key", $_) } qw(ed25519 p256 p384 p521 rsa);
my ($iss, $aud) = ('issuer.example.com', 'registry.example.com');
my @who = ('--iss', $iss, '--aud', $aud);
my %claims = (iss => $iss, aud => $aud, sub => 'alice', exp => time() + 300,
	access => [{ type => 'repository', name => 'team/app', actions => ['pull', 'push'] }]);
my $json = JSON::PP->new->canonical;

sub verify
{
	my ($token, @args) = @_;

	return run({ stdin => $token }, $tool, 'verify', @who, @args)->{out};
}

# A set as a token service publishes it, a bundle, and a directory of them.
spew("$dir/jwks.json", $json->encode({ keys => [map { { %{ jwk($key{$_}) }, kid => "the-$_" } } sort keys %key] }));
for my $k (sort keys %key) {
	openssl('pkey', '-in', $key{$k}, '-pubout', '-out', "$dir/$k.pub");
	openssl('req', '-x509', '-new', '-key', $key{$k}, '-subj', "/CN=$k", '-days', '2', '-out', "$dir/$k.crt");
}
spew("$dir/bundle.pem", join '', map { slurp("$dir/$_.crt") } sort keys %key);
mkdir "$dir/set";
spew("$dir/set/$_.pem", slurp("$dir/$_.pub")) for keys %key;

for my $k (sort keys %key) {
	my $names = run_ok($tool, 'names', '--keys', "$dir/$k.crt", "$k: a certificate's key is read");

	is $names =~ s/^\d+ (.*)\n/$1/r, thumbprint($key{$k}) . ' ' . libtrust_id($key{$k}), "$k: it has both of its names";
	is run($tool, 'names', '--keys', "$dir/$k.pub")->{out}, $names, "$k: a public key has the same ones";
	spew("$dir/one.json", $json->encode(jwk($key{$k})));
	is run($tool, 'names', '--keys', "$dir/one.json")->{out}, $names, "$k: so has a JWK";
	my $public = run_ok($tool, 'public', '--key', $key{$k}, "$k: the private key is read");
	my $pem = slurp("$dir/$k.pub");
	is substr($public, 0, length $pem), $pem, "$k: its public key is written as openssl writes it";
	my $jwk = $json->decode($public =~ s/.*-----\n//sr);
	is_deeply { map { $_ => $jwk->{$_} } keys %{ jwk($key{$k}) } }, jwk($key{$k}), "$k: and as a JWK";
}

my @ec = map { openssl('ec', '-in', $key{$_}, '-pubout', '-conv_form', 'compressed') } qw(p256 p521);
spew("$dir/compressed.pem", join '', @ec);
is run($tool, 'names', '--keys', "$dir/compressed.pem")->{out},
	run($tool, 'names', '--keys', "$dir/p256.pub")->{out} . run($tool, 'names', '--keys', "$dir/p521.pub")->{out},
	'a point that is written in the short form makes no other key';

for my $alg (sort keys %Berth::JOSE::ALG) {
	my $k = $Berth::JOSE::ALG{$alg}{key};
	my %set = ("the-$k" => "$dir/jwks.json", thumbprint($key{$k}) => "$dir/set", libtrust_id($key{$k}) => "$dir/bundle.pem");
	my $good = 'sub=alice access=repository:team/app:pull,push' . "\n";

	for my $kid (sort keys %set) {
		is verify(token($alg, $key{$k}, { typ => 'JWT', alg => $alg, kid => $kid }, \%claims), '--keys', $set{$kid}), $good,
			"$alg: a token that openssl signed holds, kid $kid from " . $set{$kid} =~ s|.*/||r;
	}
	my $other = $alg eq 'EdDSA' ? 'RS256' : 'EdDSA';
	like verify(token($alg, $key{$k}, { alg => $other, kid => "the-$k" }, \%claims), '--keys', "$dir/jwks.json"),
		qr/^refused: "alg" does not fit/, "$alg: not under the name of $other";

	my $sig = unb64url(run_ok({ stdin => 'text' }, $tool, 'rawsign', '--key', $key{$k}, '--alg', $alg, "$alg: signs"));
	ok openssl_verify($alg, "$dir/$k.pub", 'text', $sig), "$alg: openssl takes our signature";
	ok !openssl_verify($alg, "$dir/$k.pub", 'texts', $sig), "$alg: and not for another text";
}

# Tokens of ours, from the keys that we make.
for my $kind (qw(ed25519 p256)) {
	my $file = "$dir/made-$kind";
	my $thumb = run_ok($tool, 'make', '--key', $file, '--kind', $kind, "$kind: a key is made");

	is sprintf('%04o', (stat $file)[2] & 07777), '0600', "$kind: nobody else may read it";
	is run($tool, 'make', '--key', $file, '--kind', 'ed25519')->{out}, $thumb, "$kind: it is the same the next time";
	is $thumb, thumbprint($file) . "\n", "$kind: openssl reads it";
	openssl('pkey', '-in', $file, '-pubout', '-out', "$file.pub");
	for my $libtrust (0, 1) {
		my $token = run_ok($tool, 'sign', '--key', $file, @who, '--sub', 'bob', '--scope', 'repository:a/b:pull registry:catalog:*',
			$libtrust ? '--libtrust' : (), "$kind: a token is signed");
		my ($header, $payload, $sig) = map { unb64url($_) } split /\./, $token;
		my ($h, $p) = map { $json->decode($_) } $header, $payload;
		my $alg = $kind eq 'p256' ? 'ES256' : 'EdDSA';

		ok openssl_verify($alg, "$file.pub", $token =~ s/\.[^.]*\z//r, $sig), "$kind: openssl takes its signature";
		is_deeply $h, { typ => 'JWT', alg => $alg, kid => $libtrust ? libtrust_id($file) : thumbprint($file) }, "$kind: its header";
		is_deeply [@$p{qw(iss aud sub)}, $p->{exp} - $p->{iat}, $p->{nbf} - $p->{iat}], [$iss, $aud, 'bob', 300, 0], "$kind: its claims";
		is_deeply $p->{access}, [{ type => 'repository', name => 'a/b', actions => ['pull'] },
			{ type => 'registry', name => 'catalog', actions => ['*'] }], "$kind: its access";
		is verify($token, '--keys', "$file.pub"), "sub=bob access=repository:a/b:pull registry:catalog:*\n", "$kind: it holds here too";
	}
}

# Keys that are not taken, by their reason.
my %bad = (
	rsa1024 => 'an RSA key of 1024 bits; 2048 to 8192 are supported',
	secp256k1 => 'an EC key on a curve other than P-256, P-384 and P-521',
	rsapss => 'a key of an unsupported type; RSA, EC and Ed25519 are supported',
);
for my $k (sort keys %bad) {
	my $file = openssl_key("$dir/$k.key", $k);

	openssl('pkey', '-in', $file, '-pubout', '-out', "$dir/$k.pub");
	is run($tool, 'names', '--keys', "$dir/$k.pub")->{out}, "refused: $dir/$k.pub: no usable key: block 1: $bad{$k}\n",
		"$k: not taken from a bundle";
	is run($tool, 'public', '--key', $file)->{out}, "refused: $file: $bad{$k}\n", "$k: nor to sign with";
}
openssl('ec', '-in', $key{p256}, '-pubout', '-param_enc', 'explicit', '-out', "$dir/explicit.pub");
like run($tool, 'names', '--keys', "$dir/explicit.pub")->{out}, qr/an EC key with explicit curve parameters/,
	'a curve that is spelled out is not taken, be it P-256';
spew("$dir/mixed.pem", slurp("$dir/rsa1024.pub") . slurp("$dir/p256.pub") . slurp($key{rsa}));
my $mixed = run($tool, 'names', '--keys', "$dir/mixed.pem");
is $mixed->{out}, run($tool, 'names', '--keys', "$dir/p256.pub")->{out}, 'of a bundle the key that can be used is';
is $mixed->{err}, "$dir/mixed.pem: block 1: $bad{rsa1024}\n$dir/mixed.pem: block 3: a private key where a public key is expected\n",
	'and the others have their reasons';

openssl('pkey', '-in', $key{p256}, '-aes256', '-passout', 'pass:secret', '-out', "$dir/locked.key");
chmod 0600, "$dir/locked.key";
is run({ timeout => 120 }, $tool, 'public', '--key', "$dir/locked.key")->{out},
	"refused: $dir/locked.key: not a private key in PEM without a passphrase\n", 'a key behind a passphrase is refused, nobody is asked for it';

done_testing;
