# SPDX-License-Identifier: Apache-2.0
#
# Berth::Other: Debian's docker-registry (registry:2, 2.8) on a given store, asked in the way in which Berth::Server is.
#
#   my $o = Berth::Other->new(root => $dir)->start;
#   my $r = $o->req(GET => '/v2/');
#   $o->stop;
#   my $said = $o->collect('-m');
#
# What it starts ends, by pid, when the object goes or the test ends in whatever way.
package Berth::Other;

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use IO::Socket::INET;
use MIME::Base64 qw(encode_base64url);
use POSIX ();
use Scalar::Util ();

use Berth::Test;

my %alive;
my $owner = $$;

# The same requests on either side.
*req = \&Berth::Server::req;
*sock = \&Berth::Server::sock;
*blob_path = \&Berth::Server::blob_path;
*tree_digest = \&Berth::Server::tree_digest;

# new: root; accesslog, cache: 1 for a line a request, and for the cache of descriptors that its image has on; auth: a file of
# users; token: { realm, service, issuer, bundle }; tls: [certificate, key]; address: to listen on (127.0.0.1); more: text for the end of its
# configuration
sub new
{
	my ($class, %o) = @_;

	return bless { %o, dir => tmp_dir(), secret => 'the secret of a test', pid => $$ }, $class;
}

sub root { return $_[0]{root} }
sub port { return $_[0]{port} }
sub host { return ($_[0]{address} // '127.0.0.1') . ":$_[0]{port}" }

sub configure
{
	my ($self) = @_;
	my $quiet = $self->{accesslog} ? 'false' : 'true';
	my $cache = $self->{cache} ? '  cache: { blobdescriptor: inmemory }' : '';
	my $t = $self->{token};
	my $auth = $self->{auth} ? qq(auth: { htpasswd: { realm: test, path: "$self->{auth}" } })
		: $t ? qq(auth: { token: { realm: "$t->{realm}", service: "$t->{service}", issuer: "$t->{issuer}", rootcertbundle: "$t->{bundle}" } }) : '';
	my $tls = $self->{tls} ? qq(, tls: { certificate: "$self->{tls}[0]", key: "$self->{tls}[1]" }) : '';

	return spew("$self->{dir}/config.yml", <<"EOT");
version: 0.1
log: { level: error, accesslog: { disabled: $quiet } }
storage:
  filesystem: { rootdirectory: $self->{root} }
  delete: { enabled: true }
$cache
$auth
http: { addr: "@{[ $self->host ]}", secret: "$self->{secret}"$tls }
@{[ $self->{more} // '' ]}
EOT
}

# A command of it, its arguments and the configuration's name after them.
sub command { my ($self, @words) = @_; return ('docker-registry', @words, "$self->{dir}/config.yml") }

sub without_settings { delete @ENV{ grep { /^REGISTRY_/ } keys %ENV }; return }

# launch - the process alone, not waited for, on the port that it had; its pid
sub launch
{
	my ($self) = @_;
	my $pid = fork // die "fork: $!";

	if (!$pid) {
		$SIG{$_} = 'DEFAULT' for qw(TERM INT HUP PIPE CHLD);
		open STDIN, '<', '/dev/null' or POSIX::_exit(127);
		open STDOUT, '>>', "$self->{dir}/log" or POSIX::_exit(127);
		open STDERR, '>&', \*STDOUT or POSIX::_exit(127);
		without_settings();
		{ no warnings; exec Berth::Server::gated($self->{gate}, Berth::Server::guard(), $self->command('serve')) }
		POSIX::_exit(127);
	}
	$self->{serves} = $pid;
	$alive{ 0 + $self } = $self;
	Scalar::Util::weaken($alive{ 0 + $self });
	return $pid;
}

sub start
{
	my ($self) = @_;

	for my $try (1 .. 5) {
		$self->{port} = Berth::Server::free_port();
		$self->configure;
		my $pid = $self->launch;
		my $is = wait_for { IO::Socket::INET->new(PeerAddr => $self->host) ? 'up' : waitpid($pid, POSIX::WNOHANG()) ? 'ended' : '' };
		return $self if ($is // '') eq 'up';
		$self->stop;
	}
	die "docker-registry does not start:\n" . slurp("$self->{dir}/log");
}

sub stop
{
	my ($self) = @_;
	my $pid = delete $self->{serves};

	delete $alive{ 0 + $self };
	return if !$pid || $$ != $self->{pid};
	kill TERM => $pid;
	kill KILL => $pid if !wait_for { waitpid($pid, POSIX::WNOHANG()) };
	waitpid $pid, 0;
	return;
}

# Its garbage-collect, with these options: run()'s result.
sub collect
{
	my ($self, @options) = @_;

	$self->{port} //= 1;
	$self->configure;
	return run({ env => { map { ($_ => undef) } grep { /^REGISTRY_/ } keys %ENV } },
		$self->command('garbage-collect', @options));
}

# It asks for the state of an upload in the Location that it gave, signed. This is that Location for an upload that
# somebody else began, or went on with: of so many bytes.
sub upload_location
{
	my ($self, $repo, $uuid, $size) = @_;
	my $json = sprintf '{"Name":"%s","UUID":"%s","Offset":%d,"StartedAt":"2020-01-01T00:00:00Z"}', $repo, $uuid, $size;
	my $state = encode_base64url(hmac_sha256($json, $self->{secret}) . $json);

	$state .= '=' while length($state) % 4;
	return "/v2/$repo/blobs/uploads/$uuid?_state=$state";
}

sub DESTROY
{
	my ($self) = @_;
	local ($?, $@, $!);

	$self->stop if $self->{pid} && $$ == $self->{pid};
	return;
}

END {
	if ($$ == $owner) {
		my $status = $?;
		for my $o (values %alive) {
			$o->stop if $o;
		}
		$? = $status;
	}
}

1;
