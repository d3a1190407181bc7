#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The end of a request: the answer comes before anything else is waited for, and the connection ends at once where all was
# read. Where the body of a request was not read, or its end never comes, a worker is kept for two seconds at most.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Check;
use Berth::FCGI;

my $s = Berth::Server->start(config => "delete = true;\n", workers => 1);
my $f = Berth::FCGI->new($s->worker_socket);

# head - up to the parameters, from a front end that would keep its connection
sub head { return Berth::FCGI::head(1, @_) }

# The answer to these bytes, and the connection.
sub ask
{
	my ($bytes) = @_;
	my ($sock) = $f->say_first($bytes);
	my $r = $f->read_answer($sock, 60);
	return ($r->status, $sock);
}

my ($status, $sock) = ask(head() . Berth::FCGI::stream(Berth::FCGI::FCGI_STDIN, ''));
is $status, 200, 'a request without a body is answered';
ok +(IO::Select->new($sock)->can_read(60) && !sysread $sock, my $rest, 1), 'and the connection ends, although its keeping was asked for';

for my $case (['nothing of its body', ''], ['half of its body', Berth::FCGI::record(Berth::FCGI::FCGI_STDIN, 'x' x 100)]) {
	my ($what, $body) = @$case;
	($status, $sock) = ask(head(REQUEST_METHOD => 'PUT', REQUEST_URI => '/v2/BAD/manifests/v1', CONTENT_LENGTH => 200,
		CONTENT_TYPE => OCI_MANIFEST) . $body);
	is $status, 400, "a request that is refused is answered when $what has come";
	is $s->req('GET', '/v2/')->status, 200, 'and the worker serves the next one, while the other end is still open';
	close $sock;
}

# an answer that is larger than what a socket holds
$s->push_image('team/app', 'v1');
$s->push_blob('team/app', '{}');
my $m = '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . desc(OCI_CONFIG, '{}') . ',"layers":[],"annotations":{"pad":"' . 'x' x (3 << 20) . '"}}';
is $s->req('PUT', '/v2/team/app/manifests/large', headers => ['Content-Type' => OCI_MANIFEST], body => $m)->status, 201, 'a manifest of 3 MiB';
$sock = $f->connect;
syswrite $sock, head(REQUEST_URI => '/v2/team/app/manifests/large', HTTP_ACCEPT => OCI_MANIFEST) . Berth::FCGI::stream(Berth::FCGI::FCGI_STDIN, '');
sleep 0.3;      # the socket is full by now
my $r = $f->read_answer($sock, 60);
is $r->status, 200, 'it is sent to a slow reader';
ok $r->body eq $m, 'whole';

done_testing;
