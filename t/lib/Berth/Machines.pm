# SPDX-License-Identifier: Apache-2.0
#
# Berth::Machines: several machines on one volume, by scripts/machines, and what happens to machines.
#
#   my $m = Berth::Machines->start('moosefs', machines => 2, config => "delete = true;\n");
#   my ($a, $b) = $m->servers;              # for requests: Berth::Server's req, push_image and so on
#   my $r = $m->run_in(1, program('berth'), '--root', $m->root, 'fsck');    # as run(), on that machine
#   $m->kill_machine(2);                    # all processes of it, its client of the file system too
#   $m->kill_client(2);                     # that client alone
#   $m->kill_worker(2);                     # one of its workers
#   $m->come_back(2);                       # it starts again
#   $m->cut(2); $m->join(2);                # its network
#   $m->pause(2); $m->resume(2);            # all of its processes
package Berth::Machines;

use strict;
use warnings;

use POSIX ();
use Scalar::Util ();

use Berth::Server;
use Berth::Test;

my %all;
my $owner = $$;

sub start
{
	my ($class, $fs, %o) = @_;

	lacking('namespaces and mounts can be made', 'it takes root') if $> != 0;
	lacking('FUSE can be mounted', 'there is no /dev/fuse') if !-c '/dev/fuse';
	need_program(@{ $o{programs} // [] }, qw(ip nsenter unshare setpriv));
	my $top = tmp_dir();
	my $self = bless { dir => "$top/machines", pid => $$, count => $o{machines} // 2, said => "$top/said" }, $class;
	my @words = ($fs, '--machines', $self->{count}, '--workers', $o{workers} // 4, '--dir', $self->{dir}, '--no-install');

	push @words, '--config', spew("$top/berth.conf", $o{config}) if defined $o{config};
	push @words, '--options', $o{options} if defined $o{options};
	$self->{config} = "$top/berth.conf" if defined $o{config};
	pipe my $out, my $in or die "pipe: $!";
	my $script = fork // die "fork: $!";
	if (!$script) {
		POSIX::setpgid(0, 0);
		$SIG{$_} = 'DEFAULT' for qw(TERM INT HUP);
		$ENV{BUILDDIR} = build_dir();
		delete $ENV{$_} for grep { /^(?:REGISTRY|BERTH|NGINX)_/ } keys %ENV;
		open STDIN, '<', '/dev/null' or POSIX::_exit(127);
		open STDOUT, '>&', $in or POSIX::_exit(127);
		open STDERR, '>', $self->{said} or POSIX::_exit(127);
		{ no warnings; exec 'setpriv', '--pdeathsig', 'TERM', '--', 'nice', source_dir() . '/scripts/machines', @words }
		POSIX::_exit(127);
	}
	close $in;
	$self->{script} = $script;
	$all{ 0 + $self } = $self;
	Scalar::Util::weaken($all{ 0 + $self });
	$self->{addresses} = [map { my $l = <$out>; $l // die "scripts/machines did not start:\n" . $self->logs } 1 .. $self->{count}];
	$self->{servers} = [map { m{^http://([\d.]+):(\d+)$} ? Berth::Machines::One->new($1, $2) : die "an address: $_" } @{ $self->{addresses} }];
	return $self;
}

sub servers { return @{ $_[0]{servers} } }
sub volume { return "$_[0]{dir}/volume" }
sub root { return "$_[0]{dir}/volume/registry" }
sub log_of { my ($self, $what) = @_; return -e "$self->{dir}/log/$what" ? slurp("$self->{dir}/log/$what") : '' }
# logs - what scripts/machines has complained of, and the end of each log
sub logs { my ($self) = @_; return join '', map { "== $_\n" . substr slurp($_), -2000 } $self->{said}, glob "$self->{dir}/log/*" }

# log_events - what the workers and the master of a machine have logged, decoded
sub log_events
{
	my ($self, $number) = @_;

	return Berth::Server::decode(grep { /^\{/ } split /\n/, $self->log_of("serve$number"));
}

# first_of - the first process of a machine's namespaces, as this side sees it
sub first_of
{
	my ($self, $number) = @_;

	return slurp("$self->{dir}/pid/machine$number") + 0;
}

sub inside { my ($self, $number) = @_; return ('nsenter', '-t', $self->first_of($number), '-n', '-m', '-p', '--') }

sub run_in
{
	my ($self, $number, @cmd) = @_;
	my @options = ref $cmd[0] ? shift @cmd : ();

	return run(@options, $self->inside($number), @cmd);
}

# processes_of - all that run on a machine: they have its PID namespace
sub processes_of
{
	my ($self, $number) = @_;
	my $space = readlink '/proc/' . $self->first_of($number) . '/ns/pid' // return;

	return grep { (readlink "/proc/$_/ns/pid" // '') eq $space } map { m{(\d+)$} } glob '/proc/[0-9]*';
}

# keepers_of - each nsenter by which something on a machine was started: it is not there itself, and stops where what it started is stopped
sub keepers_of
{
	my ($self, $number) = @_;
	my %there = map { $_ => 1 } $self->processes_of($number);

	return grep { grep { $there{$_} } Berth::Server::children($_) } grep { Berth::Server::comm($_) eq 'nsenter' } map { m{(\d+)$} } glob '/proc/[0-9]*';
}

# workers_of - the workers of a machine
sub workers_of
{
	my ($self, $number) = @_;

	return grep { Berth::Server::comm($_) eq 'berth-worker' } $self->processes_of($number);
}

sub client_of
{
	my ($self, $number) = @_;

	return grep { Berth::Server::comm($_) =~ /^(?:mfsmount|glusterfs|ceph-fuse)/ } $self->processes_of($number);
}

# The kernel ends all others with the first one, as a machine ends.
sub kill_machine
{
	my ($self, $number) = @_;
	my $first = $self->first_of($number);
	my @keepers = $self->keepers_of($number);

	kill KILL => $first;
	kill CONT => @keepers;
	wait_for { !-e "/proc/$first/ns/pid" || !readlink "/proc/$first/ns/pid" };
	return;
}

sub kill_client { my ($self, $number) = @_; my @pids = $self->client_of($number); die "no client\n" if !@pids; return kill KILL => @pids }
sub kill_worker { my ($self, $number) = @_; my @pids = $self->workers_of($number); die "no worker\n" if !@pids; return kill KILL => $pids[rand @pids] }
sub pause { my ($self, $number) = @_; return kill STOP => $self->processes_of($number) }
sub resume { my ($self, $number) = @_; return kill CONT => $self->keepers_of($number), $self->processes_of($number) }

# What has ended starts again; what has not is ended first.
sub come_back
{
	my ($self, $number) = @_;
	my $old = $self->first_of($number);

	$self->kill_machine($number) if -e "/proc/$old";
	kill HUP => $self->{script};
	return wait_for { $self->first_of($number) != $old && eval { $self->{servers}[$number - 1]->req(GET => '/v2/', timeout => 5)->status == 200 } };
}

sub network
{
	my ($self, $number, $state) = @_;
	my $r = run($self->inside($number), 'ip', 'link', 'set', 'eth0', $state);

	die "ip link: $r->{err}\n" if $r->{status};
	return;
}
sub cut { my ($self, $number) = @_; return $self->network($number, 'down') }
sub join { my ($self, $number) = @_; return $self->network($number, 'up') }

sub stop
{
	my ($self) = @_;

	return if $$ != $self->{pid} || $self->{stopped}++;
	kill TERM => $self->{script};
	waitpid $self->{script}, 0;
	$self->{status} = $?;
	delete $all{ 0 + $self };
	return $self->{status};
}

sub DESTROY
{
	my ($self) = @_;
	local ($?, $@, $!);

	$self->stop;
	return;
}

END {
	if ($$ == $owner) {
		my $status = $?;
		for my $m (values %all) {
			eval { $m->stop } if $m;
		}
		$? = $status;
	}
}

# One of the machines, for requests: it starts nothing, and ends nothing.
package Berth::Machines::One;

use strict;
use warnings;

use IO::Socket::INET;
our @ISA = ('Berth::Server');

sub new { my ($class, $address, $port) = @_; return bless { address => $address, port => $port }, $class }
sub host { return "$_[0]{address}:$_[0]{port}" }
sub url { return "http://$_[0]{address}:$_[0]{port}" }
sub DESTROY { return }

sub sock
{
	my ($self) = @_;
	my $s = IO::Socket::INET->new(PeerAddr => $self->{address}, PeerPort => $self->{port}, Proto => 'tcp', Timeout => 10)
		or die 'cannot connect to ' . $self->host . ": $!\n";

	binmode $s;
	$s->autoflush(1);
	return $s;
}

1;
