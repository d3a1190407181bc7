#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# TLS as the variables of registry:2 have it: nginx is rendered with it, takes a renewed certificate up by itself, and does not
# start with one that it cannot use.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::TLS;

need_program('curl', 'openssl');
my $ca = Berth::TLS->authority;
my $dir = tmp_dir();
my ($cert, $key) = ("$dir/domain.crt", "$dir/domain.key");

# renew(subject) - another certificate under the same names, as certbot and others put it there
sub renew
{
	my ($subject) = @_;
	my ($c, $k) = $ca->certificate($subject, 'IP:127.0.0.1');

	for ([$c, $cert], [$k, $key]) {
		spew("$_->[1].new", slurp($_->[0]));
		rename "$_->[1].new", $_->[1] or die "rename: $!";
	}
	return;
}

my $b;
sub start
{
	my (%tls) = @_;

	$b->stop if $b;
	$b = Berth::Server->start(workers => 1, env => { REGISTRY_HTTP_TLS_CERTIFICATE => $cert, REGISTRY_HTTP_TLS_KEY => $key, map { ("REGISTRY_HTTP_$_" => $tls{$_}) } keys %tls });
	return $b;
}
sub get { my (@args) = @_; return curl('https://127.0.0.1:' . $b->port . '/v2/', ca => $ca->file, args => [@args]) }
sub status { my $r = get(@_); return $r ? $r->status : 'none' }
sub subject
{
	my $r = run('openssl', 's_client', '-connect', '127.0.0.1:' . $b->port, '-CAfile', $ca->file, @_);

	return $r->{out} =~ /^subject=\s*(?:CN ?= ?)?(.*)$/m ? $1 : '';
}

renew('/CN=first');
start();
my $r = get();
is $r->status . $r->body, '200{}', 'TLS as the deployment page of registry:2 teaches it';
is $r->version, '2.0', 'with HTTP/2';
is common_fault($r), '', 'and the common headers';
is get('--http1.1')->version, '1.1', 'and HTTP/1.1';
error_is $b->req(GET => '/v2/'), 400, 'UNSUPPORTED', 'clear text is 400';
is subject(), 'first', 'the certificate is the one of the variable';
my $pid = $b->nginx_pid;
my ($processors) = run('getconf', '_NPROCESSORS_ONLN')->{out} =~ /(\d+)/;
my @workers;
wait_for { (@workers = Berth::Server::children($pid)) >= $processors };         # one each; the first may have answered alone
renew('/CN=second');
is subject(), 'second', 'a renewed certificate is the one of the next connection';
is status(), 200, 'and serves';
is join(' ', $b->nginx_pid, Berth::Server::children($pid)), join(' ', $pid, @workers), 'nobody was restarted for it';
is subject('-servername', 'check.invalid'), 'first', 'the files were read at the start as well';
is curl('https://check.invalid:' . $b->port . '/v2/', args => ['-k', '--connect-to', '::127.0.0.1:'])->status, 421, 'by a server that serves nothing';
like run('openssl', 's_client', '-connect', '127.0.0.1:' . $b->port, '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0')->{err}, qr/alert|unsupported/i, 'TLS 1.1 is not spoken';
is status('--tlsv1.2', '--tls-max', '1.2'), 200, 'TLS 1.2 is';

start(TLS_MINIMUMTLS => 'tls1.3', HTTP2_DISABLED => 'true');
is status('--tls-max', '1.2'), 'none', 'with tls1.3 it is not';
is get()->version, '1.1', 'and HTTP/2 can be switched off';

# Certificates of clients
my @authorities = map { Berth::TLS->authority("/CN=authority $_") } 1 .. 3;
my @client = map { [ $_->certificate('/CN=client') ] } @authorities;
sub with { my ($n) = @_; return ('--cert', $client[$n][0], '--key', $client[$n][1]) }
start(TLS_CLIENTCAS => '[' . join(', ', map { $_->file } @authorities[0, 1]) . ']');
is status(), 400, 'a client without a certificate gets nothing';
is status(with($_)), 200, 'one with a certificate of authority ' . ($_ + 1) . ' does' for 0, 1;
is status(with(2)), 400, 'one with a certificate of another authority does not';
is curl('https://127.0.0.1:' . $b->port . '/healthz', ca => $ca->file)->status, 400, 'on no path';
start(TLS_CLIENTCAS => $authorities[0]->file, TLS_CLIENTAUTH => 'verify-client-cert-if-given');
is status(), 200, 'where it is verified if given, a client needs none';
is status(with(0)), 200, 'and may have one';
is status(with(2)), 400, 'but no wrong one';
$b->stop;

# What nginx cannot use ends its start, with the reason
sub refused
{
	my ($title, $re, @settings) = @_;
	my $r = run(source_dir() . '/nginx/render', "$dir/nginx", 'listen=127.0.0.1:1', "root=$dir", 'workers=unix:/x', 'with=tls-files', @settings);

	$r = run('nginx', '-t', '-p', "$dir/nginx", '-e', 'stderr', '-c', "$dir/nginx/nginx.conf") if $r->{status} == 0;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	isnt $r->{status}, 0, "$title: nginx does not start";
	like $r->{err}, $re, "$title: the reason is said";
	return;
}
my ($other) = $ca->certificate('/CN=other', 'IP:127.0.0.1');
spew("$dir/empty", '');
refused('the certificate of another key', qr/key values mismatch/, "certificate=$other", "certificate_key=$key");
refused('no certificate', qr/cannot load certificate "\Q$dir\E\/none"/, "certificate=$dir/none", "certificate_key=$key");
refused('no key', qr/cannot load certificate key "\Q$dir\E\/none"/, "certificate=$cert", "certificate_key=$dir/none");
refused('a certificate without one in it', qr/cannot load certificate "\Q$dir\E\/empty"/, "certificate=$dir/empty", "certificate_key=$key");
refused('an authority without a file', qr/cannot read all of the authorities/, "certificate=$cert", "certificate_key=$key", "client_authorities=$cert,$dir/none");
spew("$dir/authority.pem", slurp($cert));
refused('an authority whose name looks like a pattern', qr/cannot read all of the authorities/, "certificate=$cert", "certificate_key=$key", "client_authorities=$dir/auth*.pem");

# nginx/configured: the addresses of the configuration, of whoever calls it, or the usual ones
sub configured
{
	my ($env, @args) = @_;
	my $r = run({ env => { map({ $_ => undef } grep { /^REGISTRY_/ } keys %ENV), %$env } }, source_dir() . '/nginx/configured', program('berth') . ' --config /dev/null', "$dir/run",
		'workers=unix:/x', @args);

	die $r->{err} if $r->{status};
	my $monitor = -e "$dir/run/with-monitor-http.conf" ? slurp("$dir/run/with-monitor-http.conf") : '';
	unlink "$dir/run/with-monitor-http.conf";
	return join ' ', (map { /^\s*listen (.*);$/mg } slurp("$dir/run/nginx.conf"), $monitor), slurp("$dir/run/nginx.conf") =~ /access_log (off)/;
}
is configured({}, 'otherwise=127.0.0.1:5000', 'listen=', 'monitor='), '127.0.0.1:5000', 'the usual address';
is configured({ REGISTRY_HTTP_ADDR => 'localhost:7000', REGISTRY_HTTP_DEBUG_ADDR => '127.0.0.1:7001', REGISTRY_LOG_ACCESSLOG_DISABLED => 'true' }, 'otherwise=127.0.0.1:5000', 'listen=', 'monitor='),
	'localhost:7000 127.0.0.1:7001 off', 'those of the configuration';
is configured({ REGISTRY_HTTP_ADDR => 'localhost:7000', REGISTRY_HTTP_DEBUG_ADDR => '127.0.0.1:7001' }, 'otherwise=127.0.0.1:5000', 'listen=[::1]:1', 'monitor=none'), '[::1]:1', 'those that are given';
like configured({ REGISTRY_HTTP_ADDR => ':7000' }), qr/^0\.0\.0\.0:7000( \[::\]:7000)?$/, 'no host means all';
is configured({ REGISTRY_HTTP_ADDR => '/run/x.sock', REGISTRY_HTTP_NET => 'unix' }), 'unix:/run/x.sock', 'the path of a socket';
is configured({ REGISTRY_HTTP_ADDR => '127.0.0.1:7000', REGISTRY_HTTP_TLS_CERTIFICATE => $cert, REGISTRY_HTTP_TLS_KEY => $key }), '127.0.0.1:7000 ssl http2 default_server', 'TLS';
configured({ 'REGISTRY_HTTP_HEADERS_X-A' => '[b]', REGISTRY_HTTP_ADDR => '127.0.0.1:7000' });
like slurp("$dir/run/berth-headers.conf"), qr/^add_header X-A "b" always;$/m, 'a variable that is no name for a shell';

done_testing;
