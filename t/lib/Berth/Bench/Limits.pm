# SPDX-License-Identifier: Apache-2.0
#
# Berth::Bench::Limits: what stands for a limit: locations of berth's nginx, and a responder that does nothing. They are asked
# on berth's own port.
package Berth::Bench::Limits;

use strict;
use warnings;

use File::Path qw(make_path);

use Berth::Test;

# What makes nginx send one large file best, of all that `scripts/bench --stream` tries.
my $BEST = 'sendfile on;';

# new: dir, where its files are made; a name; the store whose files can be asked for
sub new
{
	my ($class, $dir, $name, $store) = @_;
	my $self = bless { dir => $dir, socket => "$dir/$name.sock", blobs => "$store/docker/registry/v2/blobs" }, $class;

	return $self if -e "$dir/static-64m";
	make_path($dir);
	chmod 0755, $dir;
	spew("$dir/static-1k", 'x' x 1024);
	spew("$dir/static-1m", random_bytes(1 << 20));
	spew("$dir/static-64m", random_bytes(1 << 20) x 64);
	return $self;
}

# for server { } of nginx
sub nginx_extra
{
	my ($self) = @_;

	return <<"EOT";
location /bare/static/ { alias "$self->{dir}/"; sendfile on; }
location /bare/blobs/ { alias "$self->{blobs}/"; $BEST }
location = /bare/fcgi { include berth-fastcgi.conf; fastcgi_pass unix:$self->{socket}; }
location = /bare/accel { include berth-fastcgi.conf; fastcgi_param BARE_FILE /bare/static/static-1k; fastcgi_pass unix:$self->{socket}; }
EOT
}

sub start
{
	my ($self, $server) = @_;

	$self->{server} = $server;
	$self->{pid} = $server->spawn("$self->{dir}/bare.log", Berth::Server::guard(), program('t/bench/bench_fcgi'), $self->{socket}, $server->{workers});
	wait_for { -S $self->{socket} } or die "the bare responder does not start\n";
	return $self;
}

sub port { return $_[0]{server}->port }

sub stop
{
	my ($self) = @_;
	my $pid = delete $self->{pid} or return;

	kill KILL => -$pid;
	waitpid $pid, 0;
	unlink $self->{socket};
	return;
}

sub DESTROY { my ($self) = @_; local ($?, $@, $!); return $self->stop }

1;
