# SPDX-License-Identifier: Apache-2.0
#
# Berth::TLS: authorities and certificates for one test, made with openssl, and requests by curl.
#
#   my $ca = Berth::TLS->authority;
#   my ($cert, $key) = $ca->certificate('/CN=127.0.0.1', 'IP:127.0.0.1');
#   my $r = curl("https://127.0.0.1:$port/v2/", ca => $ca->file, args => ['--cert', $cert, '--key', $key]);
package Berth::TLS;

use strict;
use warnings;
use Exporter qw(import);
use Berth::Test;
use Berth::Response;

our @EXPORT = qw(curl);

sub openssl
{
	my $r = run('openssl', @_);

	die "openssl @_: $r->{err}" if $r->{status};
	return;
}

sub authority
{
	my ($class, $subject) = @_;
	my $self = bless { dir => tmp_dir(), n => 0 }, $class;

	chmod 0755, $self->{dir};
	openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', 2, '-subj', $subject // '/CN=authority',
		'-keyout', "$self->{dir}/ca.key", '-out', $self->file);
	return $self;
}

sub file { return "$_[0]{dir}/ca.crt" }

# -> the files of a certificate and its key; names as openssl writes them: 'DNS:localhost,IP:127.0.0.1'
sub certificate
{
	my ($self, $subject, $names, $days) = @_;
	my $base = "$self->{dir}/" . ++$self->{n};

	openssl('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-multivalue-rdn', '-subj', $subject, '-keyout', "$base.key",
		'-out', "$base.csr");
	spew("$base.ext", $names ? "subjectAltName = $names\n" : "keyUsage = digitalSignature\n");
	openssl('x509', '-req', '-in', "$base.csr", '-CA', $self->file, '-CAkey', "$self->{dir}/ca.key", '-CAcreateserial',
		'-days', $days // 2, '-extfile', "$base.ext", '-out', "$base.crt");
	return ("$base.crt", "$base.key");
}

# A request by curl, as a Berth::Response; undef where there was no answer. Options: ca (a file), args, method, headers
# ([ name => value ]), body.
sub curl
{
	my ($url, %o) = @_;
	my @cmd = ('curl', '-sS', '-i', '-g', '--path-as-is', '--max-time', 100, '-H', 'Expect:');
	my @h = @{ $o{headers} // [] };

	push @cmd, '--cacert', $o{ca} if $o{ca};
	push @cmd, '-X', $o{method} if $o{method};
	push @cmd, '--data-binary', '@-', '-H', 'Content-Type: application/octet-stream' if defined $o{body};
	while (my ($k, $v) = splice @h, 0, 2) {
		push @cmd, '-H', "$k: $v";
	}
	my $r = run({ stdin => $o{body} // '' }, @cmd, @{ $o{args} // [] }, $url);
	return if $r->{out} eq '';
	return Berth::Response->parse($r->{out} =~ s{\AHTTP/2 (\d+) *}{HTTP/2.0 $1 }r);
}

1;
