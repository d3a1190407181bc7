# SPDX-License-Identifier: Apache-2.0
#
# Berth::Inject: a server whose one worker does what t/tool/inject says: one of its system calls fails, or it is killed
# there. Requests go to the worker itself, as nginx would pass them, with bodies spooled into the store.
#
#   my $i = Berth::Inject->start;
#   my ($how, $r, @calls) = $i->traced('fail 7 28', ['PUT', $path, { body => $bytes, spooled => 1 }]);
#   my $r = $i->ask('GET', $path);                  # by the other worker, untraced
#
# With at => 'relay' the worker is one that is asked by the relay alone; what the relay would ask goes to its socket in any case.
package Berth::Inject;

use strict;
use warnings;

use File::Path ();
use JSON::PP ();
use POSIX ();

use Berth::FCGI;
use Berth::Server;
use Berth::Test;

# What is written is flushed: where that costs nothing, if there is such a place, and room in it. For stores in general, not
# only those of this module.
sub cheap_place
{
	return if ($ENV{TMPDIR} // '') ne '' || !-w '/dev/shm';
	my ($free) = run('df', '-Pk', '/dev/shm')->{out} =~ /^\S+ +\d+ +\d+ +(\d+) +\d+%/m;
	$ENV{TMPDIR} = '/dev/shm' if ($free // 0) > 1 << 19;
	return;
}

sub start
{
	my ($class, %o) = @_;

	cheap_place();
	my $server = Berth::Server->start(config => "delete = true;\nfsync = \"full\";\n" . ($o{config} // ''), workers => 1, env => $o{env} // {}, defined $o{root} ? (root => $o{root}) : ());
	my $self = bless { server => $server, serial => 0, injections => 0, deaths => 0, seen => 0 }, $class;

	$server->stop_nginx;            # it has no part in this
	$self->{relay} = Berth::FCGI->new($server->relay_socket) if -S $server->relay_socket;
	$self->{traced} = ($o{at} // '') eq 'relay' ? $self->{relay} : Berth::FCGI->new($server->worker_socket);
	$self->{free} = Berth::FCGI->new($server->upload_socket);
	$self->start_tool;
	return $self;
}

sub server { return $_[0]{server} }
sub root { return $_[0]{server}->root }

sub open_tool
{
	my ($self) = @_;
	my ($in, $out);
	my $tool = build_dir() . '/t/tool/inject';

	die "$tool is missing: build first\n" if !-x $tool;
	pipe my $their_in, $in or die "pipe: $!";
	pipe $out, my $their_out or die "pipe: $!";
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		open STDIN, '<&', $their_in or POSIX::_exit(127);
		open STDOUT, '>&', $their_out or POSIX::_exit(127);
		close $_ for $in, $out;
		{ no warnings; exec { $tool } $tool }
		POSIX::_exit(127);
	}
	$in->autoflush(1);
	@$self{qw(tool in out owner)} = ($pid, $in, $out, $$);
	return;
}

# ptrace may be forbidden: a failure in CI, a skip elsewhere.
sub start_tool
{
	my ($self) = @_;

	$self->open_tool;
	my $said = $self->attach;
	return if $said eq 'attached';
	return lacking('workers can be traced', "workers cannot be traced here: $said");
}

sub tell
{
	my ($self, $line) = @_;

	local $SIG{PIPE} = 'IGNORE';
	print { $self->{in} } "$line\n";
	return $self->hear;
}

sub hear
{
	my ($self) = @_;
	my $fh = $self->{out};
	my $line = <$fh> // 'error: the tool has ended';

	chomp $line;
	return $line;
}

# The pid of the worker at a socket: it says so in the log.
sub worker_at
{
	my ($self, $f) = @_;
	my $id = sprintf 'who-%d-%d', $$, ++$self->{serial};

	wait_for {
		my $r = eval { $f->request(params => { REQUEST_URI => '/v2/', BERTH_REQUEST_ID => $id }) };
		$r && $r->status =~ /^(?:200|404)$/;    # the relay is not told of /v2/
	} or die "no worker answers\n";
	my $line = wait_for { my ($l) = grep { ($_->{request_id} // '') eq $id } $self->new_lines; $l } or die "no line in the log\n";
	return $line->{pid};
}

sub attach { my ($self) = @_; $self->stop_others; return $self->tell('attach ' . ($self->{pid} = $self->worker_at($self->{traced}))) }

# stop_others - the relay's socket has three workers: of those two are stopped, until others take their place
sub stop_others
{
	my ($self) = @_;

	return if !$self->{relay} || $self->{traced} != $self->{relay};
	while (2 > grep { kill 0, $_ } @{ $self->{stopped} // [] }) {
		my $pid = $self->worker_at($self->{relay});
		kill STOP => $pid;
		push @{ $self->{stopped} }, $pid;
		wait_for { slurp("/proc/$pid/stat") =~ /^\d+ \(.*\) [Tt] / } or die "a worker cannot be stopped\n";
	}
	return;
}

# The lines of the log since this was asked the last time, decoded.
sub new_lines
{
	my ($self) = @_;

	open my $fh, '<:raw', $self->{server}->log_file or die "log: $!";
	seek $fh, $self->{seen}, 0;
	local $/;
	my $text = <$fh> // '';
	$text =~ s/[^\n]*\z//;
	$self->{seen} += length $text;
	return map { eval { JSON::PP->new->utf8->decode($_) } // { not_json => $_ } } split /\n/, $text;
}

# The request as nginx passes it. Options: body => bytes, spooled => 1 (as a file in berth/body), headers => {NAME => value},
# precheck => 1. Returns the answer, undef where there is none.
sub request
{
	my ($self, $f, $method, $uri, $o) = @_;
	my %params = (REQUEST_METHOD => $method, REQUEST_URI => $uri, %{ $o->{headers} // {} },
		BERTH_REQUEST_ID => $self->{id} = sprintf('%d-%d', $$, ++$self->{serial}));
	my $file;

	$params{BERTH_PRECHECK} = 1 if $o->{precheck};
	$params{CONTENT_LENGTH} = length $o->{body} if defined $o->{body};
	if (defined $o->{body} && $o->{spooled} && !$o->{precheck}) {
		$file = sprintf '%s/berth/body/%010d', $self->root, $self->{serial};
		spew($file, $o->{body});
		chmod 0600, $file;
		$params{BERTH_BODY_FILE} = $file;
	}
	my $stdin = $o->{spooled} || $o->{precheck} ? '' : $o->{body} // '';
	my $r = eval { $f->request(params => \%params, stdin => $stdin, timeout => 60) };
	my $fault = $@;
	unlink $file if $file;
	die $fault if !$r && $fault =~ /timeout/;
	as_nginx_says($r) if $r && $o->{precheck};
	return $r;
}

# The answer to "may this body come in?" carries the one that nginx gives to the client.
sub as_nginx_says
{
	my ($r) = @_;
	my $status = $r->header('X-Berth-Status') // return;

	$r->{status} = $status;
	$r->{body} = $r->header('X-Berth-Error');
	push @{ $r->{headers} }, ['Retry-After', $r->header('X-Berth-Retry-After')] if defined $r->header('X-Berth-Retry-After');
	return;
}

# ask - untraced, by the other worker; what only the traced one answers, by that one
sub ask
{
	my ($self, $method, $uri, $o) = @_;
	my $f = $uri =~ m{^/berth/v1/relay/} ? $self->{relay} : $self->{free};

	$self->tell('detach') if $f == $self->{traced};
	my $r = $self->request($f, $method, $uri, $o // {});
	$self->tell("attach $self->{pid}") if $f == $self->{traced};
	return $r;
}

# traced - a request to the traced worker: what became of the worker ("done", "killed", "exited N"), the answer, the calls
sub traced
{
	my ($self, $plan, $request) = @_;
	my $ready = $self->tell($plan);

	die "inject: $ready\n" if $ready ne 'ready';
	$self->new_lines;
	my $r = $self->request($self->{traced}, @$request);
	my ($how, @calls) = $self->hear =~ /^(done|killed|exited \d+) \d+ ?(.*)$/ ? ($1, split / /, $2) : die "inject: what?\n";
	$self->new_worker if $how ne 'done';
	return ($how, $r, @calls);
}

# After a death. The master would wait longer after each one; being told to replace its workers ends that, and both are
# others then.
sub new_worker
{
	my ($self) = @_;

	if (++$self->{deaths} % 2 == 0) {
		my @old = ((map { $self->worker_at($self->{$_}) } qw(traced free)), my @stopped = splice @{ $self->{stopped} // [] });
		kill CONT => @stopped;
		$self->{server}->reload;
		wait_for { !grep { kill 0, $_ } @old } or die "the workers are not replaced\n";
	}
	my $said = $self->attach;
	die "inject: $said\n" if $said ne 'attached';
	return;
}

# What lies in berth/body, berth/tmp and berth/trash, relative to berth/.
sub leftovers
{
	my ($self) = @_;
	my @left;

	for my $dir (qw(body tmp trash)) {
		opendir my $h, $self->root . "/berth/$dir" or next;
		push @left, map { "$dir/$_" } grep { !/^\.\.?$/ } readdir $h;
	}
	return @left;
}

sub clear_leftovers
{
	my ($self) = @_;

	File::Path::remove_tree($self->root . "/berth/$_") for $self->leftovers;
	return;
}

# fsck_fault - what berth fsck finds beyond garbage, '' if nothing
sub fsck_fault
{
	my ($self) = @_;
	my $s = $self->{server};
	my $r = run(program('berth'), '--config', $s->config_file, '--root', $s->root, 'fsck', '--data');

	return '' if $r->{status} == 0;
	return "fsck: status $r->{status}: $r->{out}$r->{err}";
}

sub DESTROY
{
	my ($self) = @_;
	local ($?, $@, $!);

	return if !$self->{tool} || $$ != $self->{owner};
	kill CONT => @{ $self->{stopped} // [] };
	close $self->{in};
	kill KILL => $self->{tool};
	waitpid $self->{tool}, 0;
	return;
}

1;
