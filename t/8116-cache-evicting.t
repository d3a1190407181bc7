#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A blob that goes from a cache after a worker has named its file and before nginx opens it: the client gets it all the same.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Cache;
use Berth::Repo;
use Berth::Upstream;

my $u = Berth::Upstream->start;
my $s = mirror(upstreams => [['up', $u]]);

sub state_of { my ($pid) = @_; return slurp("/proc/$pid/stat") =~ /\) (\S)/ ? $1 : '' }
sub old { my ($link) = @_; return utime time - 7200, time - 7200, $link }
sub connected { my ($s) = @_; my $path = $s->worker_socket; return scalar grep { / \Q$path\E$/ } split /\n/, slurp('/proc/net/unix') }
sub noted { my ($link) = @_; return time - (stat $link)[9] < 3600 }

# between - ask for a blob, and do something after a worker has answered, before nginx has read that: the response
sub between
{
	my ($repo, $d, $what, %headers) = @_;
	my @nginx = Berth::Server::children($s->nginx_pid);
	my @workers = $s->worker_pids;
	my $link = layer_link($s, $repo, $d);

	old($link);
	kill STOP => @workers;
	wait_for { !grep { state_of($_) ne 'T' } @workers };
	my $before = connected($s);
	my $g = get_begin($s, "/v2/$repo/blobs/$d", %headers);
	wait_for { connected($s) > $before && !grep { state_of($_) ne 'S' } @nginx } or diag 'nginx does not ask';
	kill STOP => @nginx;
	wait_for { !grep { state_of($_) ne 'T' } @nginx };
	kill CONT => @workers;
	wait_for { noted($link) } or diag 'no worker has been asked';
	wait_for { !grep { state_of($_) ne 'S' } @workers };
	$what->();
	kill CONT => @nginx;
	return { %{ get_end($g) }, head => $g->{head} };
}

# fetched - an image that is here; the relay has not fetched it, so that it cannot give what it has fetched just now
sub fetched
{
	my ($tag, $size) = @_;
	my @layers = random_bytes($size);
	my $i = hand_image($s, 'up/app', $tag, "{\"tag\":\"$tag\"}", @layers);

	$u->image('app', $tag, layers => \@layers, config => "{\"tag\":\"$tag\"}");
	$u->forget;
	return $i;
}

for my $size (5000, 300_000) {
	my $i = fetched("of-$size", $size);
	my $d = $i->{layers}[0];
	my $r = between('up/app', $d, sub { berth_ok($s, 'cache', 'drop', "up/app:of-$size", 'the image is dropped'); is -e blob_file($s, $d) ? 1 : 0, 0, 'its bytes are gone' });

	is "$r->{status} " . sha256($r->{body}), "200 $d", 'the client gets the blob from upstream';
	is $u->count('GET blob'), 1, 'which was asked';
}
my $i = fetched('range', 300_000);
my $r = between('up/app', $i->{layers}[0], sub { berth_ok($s, 'cache', 'drop', 'up/app:range', 'the image is dropped') }, Range => 'bytes=1000-1999');
is "$r->{status} " . length $r->{body}, '206 1000', 'a range as well';

# --- upstream is away
$i = fetched('away', 5000);
$u->rule('.', { status => 500 });
$r = between('up/app', $i->{layers}[0], sub { berth_ok($s, 'cache', 'drop', 'up/app:away', 'the image is dropped') });
like "$r->{status} $r->{head}", qr/\A50[23] .*^Cache-Control: no-store\r$/ms, 'an error is not to be kept';

# --- nginx finds no blob at all: the workers have the directory open that it looks for
my $own = $s->push_blob('own/app', random_bytes(5000));
rename $s->root, $s->root . '.away' or die "$!";
$r = $s->req(GET => "/v2/own/app/blobs/$own");
rename $s->root . '.away', $s->root or die "$!";
error_is($r, 404, 'BLOB_UNKNOWN', 'it asks a worker once, and then says so');
like $r->raw_headers, qr/^Cache-Control: no-store\r?$/m, 'which is not to be kept';
is $s->req(GET => "/v2/own/app/blobs/$own")->status, 200, 'later it does';
done_testing;
