#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The relay's requests to other hosts, against receivers that answer in all ways: what arrives, where redirects may lead, who gets credentials,
# bounds, proxies and certificates.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use JSON::PP ();
use Berth::Test;
use Berth::TLS ();

need_program('nginx', 'openssl');
my $tool = program('t/tool/relay_client');
my $dir = tmp_dir();
my @pids;
END { kill TERM => @pids if @pids }

# A receiver on an address: `answer` gets the request as { method, uri, head, body } and returns the bytes to send; none: it keeps the
# connection and stays silent; undef: it closes. A file has the requests.
my $receivers = 0;
sub receiver
{
	my ($at, $answer) = @_;
	my $listen = IO::Socket::INET->new(Listen => 128, LocalAddr => $at, LocalPort => 0, ReuseAddr => 1) or die "$at: $!";
	my $log = "$dir/requests." . ++$receivers;
	my $pid = fork // die "fork: $!";

	if (!$pid) {
		my @silent;
		local $SIG{PIPE} = 'IGNORE';
		@pids = ();
		while (my $c = $listen->accept) {
			my ($head, $body) = ('', '');
			$head .= getc($c) // last while $head !~ /\r\n\r\n\z/ && !eof $c;
			my ($len) = $head =~ /^content-length: *(\d+)/mi;
			read $c, $body, $len if $len;
			my ($method, $uri) = $head =~ /^(\S+) (\S+)/ or next;
			open my $fh, '>>', $log or die;
			$fh->autoflush;
			syswrite $fh, JSON::PP->new->canonical->encode({ method => $method, uri => $uri, head => $head, body => $body }) . "\n";
			my $bytes = $answer->({ method => $method, uri => $uri, head => $head, body => $body });
			next if !defined $bytes;
			print {$c} $bytes;
			$c->flush;
			push @silent, $c if $uri =~ /silent/;
			keep($c, $answer, $log) if $uri =~ /keep/;
		}
		POSIX::_exit(0);
	}
	push @pids, $pid;
	return { port => $listen->sockport, url => "http://$at:" . $listen->sockport, log => $log };
}

# A connection that stays: further requests on it, until the other side closes.
sub keep
{
	my ($c, $answer, $log) = @_;
	my $pid = fork // return;

	return if $pid;
	while (1) {
		my $head = '';
		while ($head !~ /\r\n\r\n\z/) {
			my $byte = getc($c) // POSIX::_exit(0);
			$head .= $byte;
		}
		my ($method, $uri) = $head =~ /^(\S+) (\S+)/;
		open my $fh, '>>', $log or POSIX::_exit(1);
		syswrite $fh, JSON::PP->new->canonical->encode({ method => $method, uri => $uri, head => $head, body => '' }) . "\n";
		print {$c} $answer->({ method => $method, uri => $uri, head => $head, body => '' });
		$c->flush;
	}
}

sub requests { my ($r) = @_; return map { JSON::PP->new->decode($_) } -e $r->{log} ? split /\n/, slurp($r->{log}) : () }
sub seen { my ($r) = @_; my @all = requests($r); unlink $r->{log}; return @all }
sub http { my ($status, $body, @headers) = @_; return join("\r\n", "HTTP/1.1 $status X", "Content-Length: " . length $body, @headers, '', '') . $body }

my %none = map { $_ => undef } qw(http_proxy https_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY);
sub ask
{
	my %env = ref $_[0] eq 'HASH' ? %{ shift() } : ();
	my $r = run({ env => { %none, %env }, timeout => 120 }, $tool, @_);

	is $r->{status}, 0, 'each request is answered once' or diag("@_: $r->{out}$r->{err}");
	return map { JSON::PP->new->decode($_) } split /\n/, $r->{out};
}

my ($first, $second, $other);
$second = receiver('127.0.0.1', sub { http(200, 'second') });
$other = receiver('127.0.0.2', sub { http(200, 'other') });
my $to = '';            # where /to leads
my $write = "$dir/to";
sub leads { spew($write, $_[0]); return }
$first = receiver('127.0.0.1', sub {
	my ($rq) = @_;
	my $uri = $rq->{uri};

	return http(200, "got $rq->{body}") if $uri eq '/hook';
	return http($1, 'x') if $uri =~ m{^/status/(\d+)};
	return http(429, '', 'Retry-After: 17') if $uri eq '/later';
	return http(503, '', 'Retry-After: Fri, 31 Dec 2100 23:59:59 GMT') if $uri eq '/date';
	return http($1, 'moved', 'Location: ' . slurp($write)) if $uri =~ m{^/to/(\d+)};
	return http(307, '', 'Location: /loop') if $uri eq '/loop';
	return http(200, 'a' x $1) if $uri =~ m{^/long/(\d+)};
	return join "\r\n", 'HTTP/1.1 200 X', 'Content-Length: 2', (map { "X-$_: " . 'y' x 1000 } 1 .. 100), '', 'ok' if $uri eq '/head';
	return '' if $uri eq '/silent';
	return "HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nabc" if $uri eq '/silent/half';
	return http(200, 'kept', 'Connection: keep-alive') if $uri eq '/keep';
	return undef;
});

# --- what arrives

my ($a) = ask('--body', 'the event', '--header', 'Content-Type: application/json', '--header', 'Authorization: Bearer secret', "$first->{url}/hook");
is_deeply [@$a{qw(status body why)}], [200, 'got the event', ''], 'a POST is answered';
my ($rq) = seen($first);
is_deeply [@$rq{qw(method uri body)}], ['POST', '/hook', 'the event'], 'the receiver gets method, path and body';
like $rq->{head}, qr/^\Q$_\E\r$/mi, "... and $_" for 'Content-Type: application/json', 'Authorization: Bearer secret', 'Content-Length: 9';
like $rq->{head}, qr{^User-Agent: berth-relay/[0-9.]+\r$}mi, '... and who it is';
unlike $rq->{head}, qr/^Expect:/mi, '... without waiting for a word before the body';
my $long = 'b' x 100_000;
($a) = ask('--body', $long, "$first->{url}/hook");
is $a->{status}, 0, 'an answer beyond the bound is none';
like $a->{why}, qr/^the answer has more than 65536 bytes$/, '... and says so';
is +(seen($first))[0]{body}, $long, 'but the long body arrived';
is +(ask("$first->{url}/status/$_"))[0]{status}, $_, "$_ is an answer" for 204, 400, 404, 413, 500, 502;
is_deeply [@{ (ask("$first->{url}/later"))[0] }{qw(status retry_after)}], [429, 17], 'Retry-After in seconds';
cmp_ok +(ask("$first->{url}/date"))[0]{retry_after}, '>', 3600, 'Retry-After as a date';
is_deeply [map { $_->{status} } ask('--at-once', ("$first->{url}/hook") x 50)], [(200) x 50], 'fifty at once are answered';
is run({ env => \%none }, $tool, '--cancel', "$first->{url}/hook", "$first->{url}/silent")->{status}, 0, 'what is cancelled is not answered';
seen($first);

# --- no answer

is_deeply [@{ (ask('--max', 1000, "$first->{url}/long/1000"))[0] }{qw(status why)}], [200, ''], 'an answer of as many bytes as are allowed';
is_deeply [@{ (ask('--max', 1000, "$first->{url}/long/1001"))[0] }{qw(status why)}], [0, 'the answer has more than 1000 bytes'], 'one more is too many';
is +(ask("$first->{url}/head"))[0]{why}, 'the head of the answer has more than 65536 bytes', 'endless headers are no answer';
for (['a connection that is closed', qr/./, "$first->{url}/close"], ['a port where nobody listens', qr/connect/i, 'http://127.0.0.1:1/'],
	['no answer in time', qr/timed out/i, '--timeout', 300, "$first->{url}/silent"],
	['half an answer', qr/too slow|less than/i, '--stall', 1, "$first->{url}/silent/half"],
	['no byte for so long', qr/too slow|less than/i, '--stall', 1, "$first->{url}/silent"],
	['a name that does not exist', qr/resolv/i, '--timeout', 5000, 'http://nothing.invalid/'],
	['another scheme', qr/none of http or https/, 'ftp://127.0.0.1/'], ['no URL', qr/none of http or https/, 'http://'],
	['a header on two lines', qr/is not "Name: value" on one line/, '--header', "A: b\r\nC: d", "$first->{url}/hook"]) {
	my ($what, $why, @args) = @$_;

	($a) = ask(@args);
	is $a->{status}, 0, "$what: no answer";
	like $a->{why}, $why, '... with the reason' ;
	unlike $a->{why}, qr/[\r\n]/, '... on one line';
}
seen($_) for $first, $second;

# --- redirects

my @secret = ('--header', 'Authorization: Bearer secret', '--header', 'X-Token: secret', '--header', 'Content-Type: application/json', '--header', 'Berth-Signature: s');
for my $status (307, 308) {
	seen($first);
	leads('/hook');
	($a) = ask('--body', 'event', @secret, "$first->{url}/to/$status");
	is_deeply [@$a{qw(status body)}], [200, 'got event'], "$status is followed, with the body";
	my @all = seen($first);
	is_deeply [map { "$_->{method} $_->{uri}" } @all], ["POST /to/$status", 'POST /hook'], '... and the method';
	like $all[1]{head}, qr/^Authorization: Bearer secret\r$/m, '... and the credentials: it is the same host';
	leads("$second->{url}/x");
	($a) = ask('--body', 'event', @secret, "$first->{url}/to/$status");
	is $a->{body}, 'second', 'to another port of the host';
	($rq) = seen($second);
	unlike $rq->{head}, qr/secret/, '... without credentials';
	like $rq->{head}, qr/^\Q$_\E\r$/m, "... with $_" for 'Content-Type: application/json', 'Berth-Signature: s';
}

# A login in the URL is a credential, too.
(my $login = $first->{url}) =~ s{//}{//me:ge%40heim\@};
seen($first);
for (['/hook', 'a path'], ["$first->{url}/hook", 'a URL']) {
	my ($where, $what) = @$_;

	leads($where);
	is +(ask('--body', 'event', "$login/to/307"))[0]{body}, 'got event', "a login: a redirect to $what of the same host is followed";
	is_deeply [map { $_->{head} =~ /^Authorization: (.*)\r$/m } seen($first)], [('Basic bWU6Z2VAaGVpbQ==') x 2], '... and gets it';
}
ask('--body', 'event', '--header', 'Authorization: Bearer secret', "$login/hook");
like +(seen($first))[0]{head}, qr/^Authorization: Bearer secret\r$(?!.*^Authorization)/msi, 'a header counts more than a login in the URL';
leads("$second->{url}/x");
is +(ask('--body', 'event', "$login/to/307"))[0]{body}, 'second', '... as is one to another port';
unlike +(seen($second))[0]{head}, qr/^Authorization/mi, '... which does not';
seen($first);
for my $status (301, 302, 303) {
	leads("$second->{url}/x");
	is +(ask('--body', 'event', "$first->{url}/to/$status"))[0]{status}, $status, "$status to a POST is the answer";
	is scalar(seen($second)), 0, '... and is not followed';
	is +(ask('--method', 'GET', "$first->{url}/to/$status"))[0]{body}, 'second', 'of a GET it is followed';
	seen($second);
}
is +(ask('--body', 'x', "$first->{url}/loop"))[0]{why}, 'there are more than 5 redirects', 'a circle ends';
seen($first);

# The place that a redirect leads to is checked, and nothing arrives there.
my $port = $other->{port};
leads("http://127.0.0.2:$port/");
($a) = ask('--body', 'x', "$first->{url}/to/307");
is_deeply [@$a{qw(status why)}], [0, 'a redirect leads to 127.0.0.2, which is no public address; `hosts` may list it'], 'another address of the loopback is refused';
is scalar(seen($other)), 0, '... and nothing arrives';
is +(ask('--body', 'x', '--host', '127.0.0.2', @secret, "$first->{url}/to/307"))[0]{body}, 'other', 'but if it is listed';
unlike +(seen($other))[0]{head}, qr/secret/, '... without credentials';
leads("http://localhost:$second->{port}/");
($a) = ask('--body', 'x', "$first->{url}/to/307");
is_deeply [@$a{qw(status why)}], [0, 'a redirect leads to localhost, which has no public address; `hosts` may list it'], 'a name is looked at when the connection is made';
is scalar(seen($second)), 0, '... and nothing arrives';
is +(ask('--body', 'x', '--host', 'LOCALHOST', "$first->{url}/to/307"))[0]{body}, 'second', 'but if it is listed';
seen($second);
for ('http://[::1]/', 'http://[::ffff:127.0.0.1]/', 'http://0.0.0.0/', 'http://169.254.169.254/', 'http://10.0.0.1/', 'http://2130706434/', 'http://0x7f000002/',
	'http://127.2/', 'http://017700000002/', 'http://[64:ff9b::7f00:2]/') {
	leads($_);
	($a) = ask('--body', 'x', "$first->{url}/to/307");
	is $a->{status}, 0, "a redirect to $_ is refused";
	like $a->{why}, qr/which is no public address/, '... because of the address' or diag $a->{why};
}
for ('file:///etc/passwd', 'ftp://127.0.0.1/', "http://user:password\@127.0.0.1:$second->{port}/", 'gopher://127.0.0.1/') {
	leads($_);
	($a) = ask('--body', 'x', "$first->{url}/to/307");
	like $a->{why}, qr/^a redirect leads to something else than a URL of http or https without a login$/, "a redirect to $_ is refused";
}
is scalar(seen($second)), 0, '... and nothing arrives';

# A connection that was made for the operator's own URL must not serve a redirect that could not have made it.
(my $by_name = $first->{url}) =~ s/127\.0\.0\.1/localhost/;
leads("$by_name/keep");
seen($first);
my @answers = ask("$by_name/keep", "$first->{url}/to/307", "$by_name/keep");
is_deeply [map { $_->{status} } @answers], [200, 0, 200], 'a connection that stays is not used for a redirect that may not connect there';
is_deeply [map { $_->{uri} } seen($first)], ['/keep', '/to/307', '/keep'], '... nothing arrives on it';

# --- a proxy

my $proxy = receiver('127.0.0.3', sub {
	my ($rq) = @_;
	return http(307, '', 'Location: http://elsewhere.example/moved') if $rq->{uri} =~ /\/proxied$/;
	return http(307, '', 'Location: http://10.0.0.1/') if $rq->{uri} =~ /\/inside$/;
	return http(200, "by proxy: $rq->{uri}");
});
my %by = (http_proxy => $proxy->{url});
is +(ask(\%by, 'http://hook.example/a'))[0]{body}, 'by proxy: http://hook.example/a', 'http_proxy is used';
is +(ask({ %by, no_proxy => '127.0.0.0/8' }, '--body', 'x', "$first->{url}/hook"))[0]{body}, 'got x', 'but not for what no_proxy lists';
is +(ask({ HTTP_PROXY => $proxy->{url} }, '--body', 'x', "$first->{url}/hook"))[0]{body}, 'got x', 'HTTP_PROXY does not count';
($a) = ask(\%by, @secret, 'http://hook.example/proxied');
is $a->{body}, 'by proxy: http://elsewhere.example/moved', 'a redirect goes through the proxy, too, although that has a private address';
unlike +(grep { $_->{uri} =~ /elsewhere/ } seen($proxy))[0]{head}, qr/secret/, '... without credentials';
like +(ask(\%by, 'http://hook.example/inside'))[0]{why}, qr/10\.0\.0\.1, which is no public address/, 'but not to an address that is not public';
is +(ask({ all_proxy => 'http://127.0.0.1:1' }, 'http://hook.example/'))[0]{status}, 0, 'a proxy that is not there is no answer';

# --- certificates

my $ca = Berth::TLS->authority;
my ($cert, $key) = $ca->certificate('/CN=127.0.0.1', 'IP:127.0.0.1');
my ($wrong, $wrong_key) = $ca->certificate('/CN=hook.example', 'DNS:hook.example');
my ($tls, $bad) = map { Berth::Server::free_port() } 1, 2;
mkdir "$dir/nginx";
spew("$dir/nginx/nginx.conf", <<"EOT");
daemon off; pid nginx.pid; error_log stderr; events { }
http {
	access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
	server { listen 127.0.0.1:$tls ssl; ssl_certificate $cert; ssl_certificate_key $key;
		location /ok { return 200 fine; } location /down { return 307 $second->{url}/; } }
	server { listen 127.0.0.1:$bad ssl; ssl_certificate $wrong; ssl_certificate_key $wrong_key; location / { return 200 fine; } }
}
EOT
my $nginx = fork // die;
if (!$nginx) {
	open STDERR, '>', "$dir/nginx.log";
	no warnings;
	exec have_program('nginx'), '-p', "$dir/nginx", '-e', 'stderr', '-c', "$dir/nginx/nginx.conf";
	POSIX::_exit(127);
}
push @pids, $nginx;
wait_for { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$bad") };
is +(ask('--ca', $ca->file, "https://127.0.0.1:$tls/ok"))[0]{body}, 'fine', 'with its authority a host is known';
like +(ask("https://127.0.0.1:$tls/ok"))[0]{why}, qr/certificate/i, 'with the system\'s authorities it is not';
like +(ask('--ca', $ca->file, "https://127.0.0.1:$bad/"))[0]{why}, qr/certificate|name/i, 'nor with a certificate for another name';
like +(ask('--ca', Berth::TLS->authority('/CN=another')->file, "https://127.0.0.1:$tls/ok"))[0]{why}, qr/certificate/i, 'nor with one of another authority';
like +(ask('--ca', "$dir/none", "https://127.0.0.1:$tls/ok"))[0]{why}, qr/certificate|CA/i, 'nor with a file that is not there';
($a) = ask('--ca', $ca->file, '--body', 'x', "https://127.0.0.1:$tls/down");
is $a->{why}, 'a redirect from https to http, to 127.0.0.1, is not followed', 'a redirect to plain http is refused';
is scalar(seen($second)), 0, '... and nothing arrives';

done_testing;
