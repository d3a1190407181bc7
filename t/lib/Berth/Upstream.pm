# SPDX-License-Identifier: Apache-2.0
#
# Berth::Upstream: a registry on the loopback that others cache, which behaves as it is told, and counts what it is asked.
#
#   my $u = Berth::Upstream->start(auth => { users => { joe => 'pw' } });
#   my $i = $u->image('library/alpine', '3.20', layers => [ $bytes ]);      # { digest, json, type, layers => [digests], config }
#   my $rule = $u->rule('^GET .*/blobs/' => { hang_at => 1000 });
#   $u->drop($rule);                                                        # what hangs goes on
#   is $u->count('GET blob'), 1;
#   $u->down; $u->up;
#
# A rule is a pattern of "METHOD /path?query", and what is done about requests that match; the first rule that matches counts. Whether and how often:
#   after => N     not the first N that match
#   times => N     no more than N
#   chance => P    each with this probability
# An answer by itself:
#   status, headers, body; raw (bytes, instead of all); close (no answer), reset (the same, with RST); silent (none for as long as the rule stands)
# The usual answer, changed:
#   delay          seconds before it
#   headers        more of them; big_header: one of so many bytes; type: another Content-Type; digest: another Docker-Content-Digest, '' for none
#   redirect       a status; to: 'other' (another host, which wants no Authorization), 'same', or a URL
#   hang_at, close_at, reset_at   after so many bytes of the body; hanging ends with the rule
#   drip           [bytes, seconds]: so many, then a pause; it ends with the rule
#   flip_at        the byte at this place is another
#   cut            the body is so many bytes long, as it says itself
#   says           Content-Length, whatever the body is
#   no_length      the end of the connection is the end; chunked
#   gzip           Content-Encoding: gzip, though nobody asked for it
#   endless        bytes for as long as somebody reads
#   no_ranges      Range is passed over; bad_range: 206 with other bytes than were asked for
#   no_etag        If-None-Match is passed over
#
# Logins (auth): users { name => password }; kind 'bearer' (usual) or 'basic'; anonymous 1: tokens without login, but for repositories that match
# private (a pattern); realm 'same', 'relative' or 'other' (another host), or a URL; service: undef for none; methods 'GET', 'POST' or both, at the realm;
# member 'token' or 'access_token' of its answer; expires, in seconds, undef: it does not say; valid: how long a token is taken, if that is longer.
#
# It listens on three addresses of the loopback: host(), other() (where redirects lead) and realm(). It is one process, see Berth::Upstream::Serve, and
# ends, by pid, when the object goes or the test ends.
package Berth::Upstream;

use strict;
use warnings;

use Digest::SHA ();
use File::Path qw(make_path);
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Scalar::Util ();

use Berth::Test;
use Berth::Upstream::Serve;

my $json = JSON::PP->new->utf8->canonical;
my %alive;
my $owner = $$;
my $OCI = 'application/vnd.oci.image';

# The same requests as of a server, to ask it without a cache.
*req = \&Berth::Server::req;
*sock = \&Berth::Server::sock;
*raw = \&Berth::Server::raw;
*stop = \&down;

sub start
{
	my ($class, %o) = @_;
	my $self = bless { dir => tmp_dir(), pid => $$, settings => { %o }, rules => [], rule => 0 }, $class;

	make_path("$self->{dir}/blobs", "$self->{dir}/repos");
	# These never listen: they keep the port from others while it is down.
	for my $try (1 .. 100) {
		my $first = _bind('127.0.0.1', 0);
		my @more = map { _bind($_, $first->sockport) // () } Berth::Upstream::Serve::addresses(1, 2);
		$self->{port_keepers} = [$first, @more];
		last if @more == 2;
	}
	$self->{port} = $self->{port_keepers}[0]->sockport;
	$self->put('settings', $self->{settings});
	$self->put('rules', []);
	$self->up;
	$alive{ 0 + $self } = $self;
	Scalar::Util::weaken($alive{ 0 + $self });
	return $self;
}

sub _bind
{
	my ($address, $port, @more) = @_;

	return IO::Socket::INET->new(Proto => 'tcp', LocalAddr => $address, LocalPort => $port, ReusePort => 1, @more);
}

sub port { return $_[0]{port} }
sub host { return "127.0.0.1:$_[0]{port}" }
sub url { return 'http://' . $_[0]->host }
sub other { return "127.0.0.2:$_[0]{port}" }
sub realm { return "127.0.0.3:$_[0]{port}" }

# up, down - whether anybody listens: connections are refused, and those under way are gone, while it is down
sub up
{
	my ($self) = @_;
	my @listen = map { _bind($_, $self->{port}, Listen => 1024) or die "socket: $!" } Berth::Upstream::Serve::addresses(0 .. 2);
	my $pid = fork // die "fork: $!";

	if (!$pid) {
		$SIG{$_} = 'DEFAULT' for qw(TERM INT HUP);
		$SIG{PIPE} = 'IGNORE';
		eval { Berth::Upstream::Serve->new($self->{dir}, $self->{port})->serve($owner, @listen); 1 } or print STDERR "upstream: $@";
		POSIX::_exit(1);
	}
	$self->{child} = $pid;
	return;
}

sub down
{
	my ($self) = @_;
	my $pid = delete $self->{child} or return;

	kill KILL => $pid;
	waitpid $pid, 0;
	return;
}

sub put { my ($self, $name, $what) = @_; return $self->write($name, $json->encode($what)) }
sub write { my ($self, $name, $bytes) = @_; spew("$self->{dir}/$name.new", $bytes); rename "$self->{dir}/$name.new", "$self->{dir}/$name" or die $!; return }

# --- what it does

# set - other settings, as start() takes them
sub set { my ($self, %o) = @_; $self->{settings} = { %{ $self->{settings} }, %o }; return $self->put('settings', $self->{settings}) }

# rule - one more, before those that are there; returns its number for drop(), which without one drops all
sub rule
{
	my ($self, $pattern, $what, %when) = @_;

	unshift @{ $self->{rules} }, { %when, match => "$pattern", do => $what, id => ++$self->{rule} };
	$self->put('rules', $self->{rules});
	return $self->{rule};
}

sub drop
{
	my ($self, @ids) = @_;
	my %gone = map { ($_ => 1) } @ids;

	$self->{rules} = [ @ids ? grep { !$gone{ $_->{id} } } @{ $self->{rules} } : () ];
	return $self->put('rules', $self->{rules});
}

# --- what it has

sub repo_dir
{
	my ($self, $repo) = @_;
	my $dir = "$self->{dir}/repos/" . $repo =~ s{/}{%2F}gr;

	make_path(map { "$dir/$_" } qw(blobs manifests tags)) if !-d $dir;
	return $dir;
}

sub link_blob { my ($self, $repo, $digest) = @_; spew($self->repo_dir($repo) . '/blobs/' . substr($digest, 7), ''); return $digest }

sub blob
{
	my ($self, $repo, $bytes) = @_;
	my $digest = sha256($bytes);

	$self->write('blobs/' . substr($digest, 7), $bytes);
	return $self->link_blob($repo, $digest);
}

# big_blob - one of so many bytes, in a file and not in memory; each is another one
sub big_blob
{
	my ($self, $repo, $size) = @_;
	my ($sha, $piece, $left) = (Digest::SHA->new(256), random_bytes(1 << 20), $size);

	open my $fh, '>:raw', "$self->{dir}/blobs/new" or die "blob: $!";
	for (my $n = 0; $left > 0; $n++) {
		substr($piece, 0, 8) = pack 'Q', $n;
		my $part = substr $piece, 0, $left;
		$sha->add($part);
		print {$fh} $part or die "blob: $!";
		$left -= length $part;
	}
	close $fh or die "blob: $!";
	my $hex = $sha->hexdigest;
	rename "$self->{dir}/blobs/new", "$self->{dir}/blobs/$hex" or die $!;
	return $self->link_blob($repo, "sha256:$hex");
}

sub blob_file { my ($self, $digest) = @_; return "$self->{dir}/blobs/" . substr $digest, 7 }
sub blob_size { my ($self, $digest) = @_; return -s $self->blob_file($digest) }

# manifest - under its digest and these tags
sub manifest
{
	my ($self, $repo, $text, $type, @tags) = @_;
	my $dir = $self->repo_dir($repo);
	my $digest = sha256($text);

	spew("$dir/manifests/new", "$type\n$text");
	rename "$dir/manifests/new", "$dir/manifests/" . substr $digest, 7 or die $!;
	$self->tag($repo, $_, $digest) for @tags;
	return $digest;
}

sub tag
{
	my ($self, $repo, $tag, $digest) = @_;
	my $file = $self->repo_dir($repo) . "/tags/$tag";

	spew("$file.new", $digest);
	rename "$file.new", $file or die $!;
	return;
}

sub untag { my ($self, $repo, $tag) = @_; unlink $self->repo_dir($repo) . "/tags/$tag"; return }

# image - layers: bytes, or \digest of a blob that is there already; config; more: text at the end of its manifest; docker => 1
sub image
{
	my ($self, $repo, $tag, %o) = @_;
	my $config = $o{config} // sprintf '{"architecture":"amd64","os":"linux","n":"%s %d"}', $tag // '', rand 2**31;
	my @layers = map { ref $_ ? $self->link_blob($repo, $$_) : $self->blob($repo, $_) } @{ $o{layers} // [ random_bytes(1000) ] };
	my ($type, $ctype, $ltype) = $o{docker} ? ('application/vnd.docker.distribution.manifest.v2+json', 'application/vnd.docker.container.image.v1+json',
		'application/vnd.docker.image.rootfs.diff.tar.gzip') : ("$OCI.manifest.v1+json", "$OCI.config.v1+json", "$OCI.layer.v1.tar+gzip");
	my $c = $self->blob($repo, $config);
	my $desc = sub { my ($t, $d) = @_; return sprintf '{"mediaType":"%s","size":%d,"digest":"%s"}', $t, $self->blob_size($d), $d };
	my $text = sprintf '{"schemaVersion":2,"mediaType":"%s","config":%s,"layers":[%s]%s}', $type, $desc->($ctype, $c), join(',', map { $desc->($o{layer_type} // $ltype, $_) } @layers),
		$o{more} // '';

	return { digest => $self->manifest($repo, $text, $type, $tag // ()), json => $text, type => $type, layers => \@layers, config => $c };
}

# index - of images that image() returned, each for another platform
sub index
{
	my ($self, $repo, $tag, @images) = @_;
	my @arch = qw(amd64 arm64 riscv64 s390x ppc64le);
	my $type = "$OCI.index.v1+json";
	my $text = sprintf '{"schemaVersion":2,"mediaType":"%s","manifests":[%s]}', $type, join ',', map {
		sprintf '{"mediaType":"%s","size":%d,"digest":"%s","platform":{"os":"linux","architecture":"%s"}}', $_->{type}, length $_->{json}, $_->{digest}, shift @arch
	} @images;

	return { digest => $self->manifest($repo, $text, $type, $tag // ()), json => $text, type => $type };
}

# --- what it was asked

sub lines { my ($self) = @_; return -e "$self->{dir}/log" ? map { $json->decode($_) } slurp("$self->{dir}/log") =~ /(.*)\n/g : () }

# requests - all of them: { n, by (the process), kind ('GET blob'), at (the address), method, path, headers, status, sent (bytes of the body), held, done, aborted }; of some kinds
sub requests
{
	my ($self, @kinds) = @_;
	my (%of, @all);

	for my $l ($self->lines) {
		next if !$of{ $l->{n} } && !defined $l->{kind};         # the end of one that was forgotten
		push @all, $of{ $l->{n} } = {} if !$of{ $l->{n} };
		%{ $of{ $l->{n} } } = (%{ $of{ $l->{n} } }, %$l);
	}
	my %wanted = map { ($_ => 1) } @kinds;
	return grep { !@kinds || $wanted{ $_->{kind} } } @all;
}

sub count { my ($self, @kinds) = @_; return scalar(() = $self->requests(@kinds)) }
sub sent { my ($self, @kinds) = @_; my $n = 0; $n += $_->{sent} // 0 for $self->requests(@kinds); return $n }

# under_way - the requests that are; down() ends those of its process, which says nothing of that any more
sub under_way { my ($self) = @_; return grep { !$_->{done} && $_->{by} == ($self->{child} // 0) } $self->requests }
# settled - wait until no request is under way
sub settled { my ($self) = @_; return wait_for { !$self->under_way } }
# held - wait until so many requests hang where a rule says so
sub held { my ($self, $n) = @_; return wait_for { $n <= grep { $_->{held} } $self->under_way } }
# forget - count from nothing; requests under way count no more
sub forget { my ($self) = @_; unlink "$self->{dir}/log"; return }

sub DESTROY
{
	my ($self) = @_;
	local ($?, $@, $!);

	$self->down if $$ == $self->{pid};
	return;
}

END {
	if ($$ == $owner) {
		my $status = $?;
		for my $u (values %alive) {
			$u->down if $u;
		}
		$? = $status;
	}
}

1;
