# SPDX-License-Identifier: Apache-2.0
#
# Berth::Cache: a server that caches other registries, and what tests ask of it (doc/CACHE.md).
#
#   my $s = mirror(upstreams => [[ 'docker.io', $u, 'stale = "1h";' ]], more => "delete = true;\n");
#   my $p = pull($s, 'docker.io/library/alpine', '3.20');       # as a client: { fault => '' , digest, warning, status, requests }
#   old_tag($s, 'docker.io/library/alpine', '3.20', 3600);      # as if it was checked an hour ago
#   my $g = get_begin($s, '/v2/...'); get_some($g, 1000); my $r = get_end($g);
package Berth::Cache;

use strict;
use warnings;

use Exporter 'import';
use IO::Select;
use Time::HiRes ();

use Berth::Check;
use Berth::FCGI;
use Berth::Receiver;
use Berth::Test;

our @EXPORT = qw(mirror mirror_conf pull get_manifest old_tag checked_file spooled cached_fault well relay_pid relay_peak get_begin get_some get_status get_end store_bytes hand_over hand_image pulled_before ACCEPT);

my $handed = 0;

use constant ACCEPT => join ', ', OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST;

# mirror_conf - the configuration of upstreams: [ name, Berth::Upstream or anything else with a url, members ]
sub mirror_conf
{
	my (@upstreams) = @_;

	return "upstreams = (\n" . join(",\n", map {
		my ($name, $u, $more) = @$_;
		sprintf qq(\t{ name = "%s"; urls = [ %s ]; %s }), $name, join(', ', map { '"' . (ref $_ ? $_->url : $_) . '"' } ref $u eq 'ARRAY' ? @$u : $u), $more // '';
	} @upstreams) . "\n);\n";
}

# mirror - a server; upstreams as mirror_conf() takes them, more: the rest of the configuration, and what a server takes. When this returns its relay answers, its
# first eviction is over, and upstream has forgotten that it was asked.
sub mirror
{
	my (%o) = @_;
	my $upstreams = delete $o{upstreams};
	my $s = Berth::Server->start(%o, config => mirror_conf(@$upstreams) . (delete $o{more} // ''));

	answers($s, $upstreams->[0][0]) or die "the relay does not answer:\n" . join "\n", $s->log, $s->error_log;
	for my $u (map { ref $_->[1] eq 'ARRAY' ? @{ $_->[1] } : $_->[1] } @$upstreams) {
		next if !ref $u || !$u->can('forget');
		$u->settled;
		$u->forget;
	}
	$s->at_rest;
	return $s;
}

# answers - wait until a relay does what a miss takes
sub answers
{
	my ($s, $name) = @_;

	return wait_for { ($s->req(GET => "/v2/$name/test/of-the-relay/manifests/" . rand)->status) == 404 };
}

sub get_manifest
{
	my ($s, $repo, $ref, %o) = @_;
	my $q = defined $o{ns} ? "?ns=$o{ns}" : '';

	return $s->req($o{method} // 'GET', "/v2/$repo/manifests/$ref$q", headers => [ Accept => ACCEPT, @{ $o{headers} // [] } ], may_close => 1);
}

# pull - as clients do: HEAD of the tag, the manifest by its digest, the first image of an index, each blob. Options: ns; headers; no_head: GET of the tag;
# all: each image of an index. fault: what is wrong, '' if nothing
sub pull
{
	my ($s, $repo, $ref, %o) = @_;
	my %p = (fault => '', requests => 0);
	my $q = defined $o{ns} ? "?ns=$o{ns}" : '';
	my $ask = sub {
		my ($method, $what, $want) = @_;
		$p{requests}++;
		my $r = eval { $s->req($method => "/v2/$repo/$what$q", headers => [ Accept => ACCEPT, @{ $o{headers} // [] } ]) };
		die "$method $what: " . ($@ =~ s/\s+$//r) . "\n" if !$r;
		$p{status} = $r->status;
		$p{warning} //= $r->header('Warning');
		die "$method $what: " . $r->status . ' ' . ($r->body // '') . "\n" if $r->status != 200;
		die "$method $what: OCI-Namespace is " . ($r->header('OCI-Namespace') // 'missing') . "\n" if defined $o{ns} && ($r->header('OCI-Namespace') // '') ne $o{ns};
		return $r if $method eq 'HEAD';
		die "$method $what: cut short\n" if $r->truncated;
		die "$method $what: other bytes\n" if defined $want && sha256($r->body) ne $want;
		return $r;
	};

	eval {
		my $digest = $ref;
		if ($ref !~ /:/) {
			my $r = $ask->($o{no_head} ? 'GET' : 'HEAD', "manifests/$ref");
			$digest = $r->header('Docker-Content-Digest') // die "the tag has no digest\n";
			die "manifests/$ref: other bytes\n" if $o{no_head} && sha256($r->body) ne $digest;
		}
		$p{digest} = $digest;
		my @want = $digest;
		my %had;
		while (defined(my $d = shift @want)) {
			my $m = $ask->(GET => "manifests/$d", $d)->json;
			if ($m->{manifests}) {
				my @children = map { $_->{digest} } @{ $m->{manifests} };
				push @want, $o{all} ? @children : $children[0];
				next;
			}
			for my $b (map { $_->{digest} } $m->{config}, @{ $m->{layers} }) {
				$ask->(GET => "blobs/$b", $b) if !$had{$b}++;
			}
		}
		1;
	} or $p{fault} = $@ =~ s/\s+\z//r;
	return \%p;
}

sub checked_file { my ($s, $repo, $tag) = @_; return $s->root . "/berth/mirror/$repo/_checked/$tag" }

# old_tag - as if upstream had confirmed it so many seconds ago
sub old_tag
{
	my ($s, $repo, $tag, $seconds) = @_;
	my $then = Time::HiRes::time() - $seconds;

	utime $then, $then, checked_file($s, $repo, $tag) or die "$repo:$tag is not cached: $!";
	return;
}

# well - have the relay see that upstream answers again: after a failure it serves what is cached for some seconds without asking
sub well
{
	my ($s, $u, $up) = @_;
	my $rule = $u->rule('/test/of-the-relay/', { status => 200, body => '', headers => { 'ratelimit-remaining' => '100;w=1' } });

	wait_for { $s->req(HEAD => "/v2/$up/test/of-the-relay/blobs/" . sha256(rand))->status == 200 } or die 'the relay does not reach upstream';
	$u->drop($rule);
	return;
}

# spooled - the files of downloads; none a moment after the last one ended
sub spooled { my ($s) = @_; return grep { m{^relay-} } files_below($s->root . '/berth/body') }

# cached_fault - what is wrong with what lies in the store: a blob whose bytes are not what its name says; '' if nothing
sub cached_fault
{
	my ($s) = @_;
	my $dir = data_dir($s) . '/blobs';

	for my $f (grep { m{/data$} } files_below($dir)) {
		my ($alg, $hex) = $f =~ m{^(\w+)/../(\w+)/data$} or return "$f is no blob";
		my $sha = eval { Digest::SHA->new($alg =~ s/sha//r)->addfile("$dir/$f", 'b')->hexdigest } // next;
		return "$alg:$hex has other bytes" if $sha ne $hex;
	}
	return '';
}

# store_bytes - of all blobs in the store
sub store_bytes { my ($s) = @_; my $n = 0; $n += -s $_ // 0 for glob data_dir($s) . '/blobs/*/*/*/data'; return $n }

# relay_peak - the most memory that the relay has had, in MiB
sub relay_peak
{
	my ($s) = @_;
	my $pid = relay_pid($s) // die 'no relay';

	return slurp("/proc/$pid/status") =~ /^VmHWM:\s+(\d+)/m ? $1 / 1024 : die 'no VmHWM';
}

# --- without an upstream: what the relay would hand over

# hand_over - one request of the relay's, as it makes them; its status
sub hand_over
{
	my ($s, $method, $uri, %o) = @_;
	my %params = (REQUEST_METHOD => $method, REQUEST_URI => "/berth/v1/relay/$uri", CONTENT_LENGTH => length $o{body}, CONTENT_TYPE => $o{type} // '');
	my $file;

	if (!defined $o{type}) {
		$file = 'berth/body/relay-' . ++$handed . "-$$";
		spew($s->root . "/$file", $o{body});
		$params{BERTH_BODY_FILE} = $file;
	}
	my $r = Berth::FCGI->new($s->dir . '/relay.sock')->request(params => \%params, stdin => defined $file ? '' : $o{body});
	unlink $s->root . "/$file" if defined $file;
	return $r->status;
}

# hand_image - a whole image: { repo, digest, json, type, config, layers }, the last two by their digests. Dies unless all of it is taken
sub hand_image
{
	my ($s, $repo, $tag, $config, @layers) = @_;
	my ($json, $type) = (image_of(OCI_MANIFEST, $config, @layers), OCI_MANIFEST);
	my $status = hand_over($s, PUT => "manifest?repo=$repo&ref=$tag", body => $json, type => $type);

	die "the manifest: $status" if $status != 201;
	for my $b ($config, @layers) {
		$status = hand_over($s, PUT => "blob?repo=$repo&digest=" . sha256($b), body => $b);
		die "a blob: $status" if $status != 201;
	}
	return { repo => $repo, digest => sha256($json), json => $json, type => $type, config => sha256($config), layers => [map { sha256($_) } @layers] };
}

# pulled_before - as if an image of a mirrored repository had last been pulled so many seconds ago
sub pulled_before
{
	my ($s, $repo, $i, $seconds) = @_;
	my ($then, $pulled) = (int(Time::HiRes::time() - $seconds), $s->root . "/berth/pulled/$repo");

	utime $then, $then, $_ for map({ layer_link($s, $repo, $_) } $i->{config}, @{ $i->{layers} }), revision_link($s, $repo, $i->{digest}), blob_file($s, $i->{digest}),
		map { "$pulled/$_" } files_below($pulled);
	return;
}

# --- one answer, piece by piece

sub get_begin
{
	my ($s, $path, @headers) = @_;
	my $sock = $s->sock;
	my $text = "GET $path HTTP/1.1\r\nHost: " . $s->host . "\r\nConnection: close\r\nAccept: */*\r\n";

	while (my ($k, $v) = splice @headers, 0, 2) {
		$text .= "$k: $v\r\n";
	}
	syswrite $sock, "$text\r\n";
	return { sock => $sock, got => '', head => undef };
}

# get_some - read until so many bytes of the body are here, or the end is: how many are here. undef: neither comes
sub get_some
{
	my ($g, $n) = @_;
	my $sel = IO::Select->new($g->{sock});
	my $end = Time::HiRes::time() + 120;

	while (!$g->{over} && (!defined $g->{head} || length $g->{got} < $n)) {
		my $left = $end - Time::HiRes::time();
		return if $left <= 0 || !$sel->can_read($left);
		$g->{over} = 1 if !sysread $g->{sock}, $g->{got}, 1 << 18, length $g->{got};
		$g->{head} = $1 if !defined $g->{head} && $g->{got} =~ s/\A(.*?\r\n)\r\n//s;
	}
	return length $g->{got};
}

# get_status - of the answer; 0: it was closed before one
sub get_status { my ($g) = @_; get_some($g, 0); return ($g->{head} // '') =~ m{^HTTP/1\.1 (\d+)} ? $1 : 0 }

# get_end - the rest: { status, body, length (as it was said), whole }
sub get_end
{
	my ($g) = @_;

	get_some($g, 1 << 62);
	my ($length) = ($g->{head} // '') =~ /^Content-Length: *(\d+)/mi;
	return { status => get_status($g), body => $g->{got}, length => $length, whole => defined $length && length $g->{got} == $length };
}

1;
