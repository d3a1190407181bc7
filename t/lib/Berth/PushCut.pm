# SPDX-License-Identifier: Apache-2.0
#
# Berth::PushCut: a power cut in the midst of a real client's push. A proxy between client and berth holds a request back, so that
# the moment is the same in each run: all that came before it was answered, and it has not arrived.
#
#   my $c = Berth::PushCut->start(config => "delete = true;\n");        # berth, and the proxy; ends like Berth::Server
#   my ($r, $lost) = $c->push_cut({ lost => 'links' }, sub { run(skopeo('copy', $from, 'docker://' . $c->host . '/a/b:1')) });
#   my @status = $c->manifest_answers('a/b');           # how berth has answered PUTs of manifests there
#   $c->store($b);                      # what becomes of the store, alone, while nothing of berth runs
#
# What a power cut may leave, as doc/STORE.md has it: the bytes of acknowledged blobs, and of the names that nobody has flushed any.
# Never a link without its content.
package Berth::PushCut;

use strict;
use warnings;

use File::Find ();
use File::Path qw(remove_tree);
use IO::Select;
use IO::Socket::INET;
use POSIX ();

use Berth::Test;
use Berth::Check ();
use Berth::Client;

my $owner = $$;
my %proxies;

# Which request is held back.
my %moment = (
	manifest => qr{^PUT /v2/\S+/manifests/},
	blob => qr{^PUT /v2/\S+/blobs/uploads/},
);

sub start
{
	my ($class, %o) = @_;
	my $self = bless { b => Berth::Server->start(%o), dir => tmp_dir() }, $class;
	my $listen = IO::Socket::INET->new(Listen => 128, LocalAddr => '127.0.0.1') or die "socket: $!";

	$self->{port} = $listen->sockport;
	pipe my $alive, $self->{life} or die "pipe: $!";
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		setpgrp 0, 0;
		close $self->{life};
		$SIG{$_} = 'DEFAULT' for qw(TERM INT HUP);
		$SIG{CHLD} = 'IGNORE';
		eval { $self->serve($listen, $alive) };
		kill KILL => -$$;
	}
	$proxies{$pid} = $self->{proxy} = $pid;
	return $self;
}

sub server { return $_[0]{b} }
sub host { return "127.0.0.1:$_[0]{port}" }

sub stop
{
	my ($self) = @_;

	end_proxy($self->{proxy});
	$self->{b}->stop;
	return;
}

sub end_proxy
{
	my ($pid) = @_;

	delete $proxies{$pid} or return;
	kill KILL => -$pid, $pid;
	waitpid $pid, 0;
	return;
}

END {
	my $rc = $?;

	if ($$ == $owner) {
		end_proxy($_) for keys %proxies;
	}
	$? = $rc;
}

# --- the proxy: a process a connection, a request a connection

# serve - until the test has gone
sub serve
{
	my ($self, $listen, $alive) = @_;
	my $sel = IO::Select->new($listen, $alive);

	while (1) {
		for my $fh ($sel->can_read) {
			return if $fh == $alive;
			my $client = $fh->accept or next;
			my $pid = fork // die "fork: $!";
			if (!$pid) {
				eval { $self->relay($client) };
				POSIX::_exit(0);
			}
		}
	}
	return;
}

sub relay
{
	my ($self, $client) = @_;
	my $in = '';

	while ($in !~ /\r\n\r\n/) {
		return if !sysread $client, $in, 1 << 16, length $in;
		# who tries TLS first has to learn at once, as from nginx, that this is none
		return send_all($client, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n") if $in !~ /^[A-Z]/;
	}
	return if !$self->let_through($in);
	# one request a connection: so none stays open to a berth that has gone
	$in =~ s/\r\nConnection:[^\r]*//i;
	$in =~ s/\r\n/\r\nConnection: close\r\n/;
	my $berth = $self->{b}->sock;
	send_all($berth, $in);
	my $sel = IO::Select->new($client, $berth);
	while (1) {
		for my $fh ($sel->can_read) {
			my $n = sysread $fh, my $bytes, 1 << 18;
			return if !$n && $fh == $berth;
			$sel->remove($client) if !$n;
			send_all($fh == $client ? $berth : $client, $bytes) if $n;
		}
	}
	return;
}

sub send_all
{
	my ($fh, $bytes) = @_;

	for (my $off = 0; $off < length $bytes;) {
		$off += syswrite $fh, $bytes, length($bytes) - $off, $off or die "write: $!";
	}
	return;
}

# let_through - waits while this request is held back; false where it is lost then. "at KIND N" is the order to hold the request
# after N of its kind; whoever renames it to "held" is held.
sub let_through
{
	my ($self, $head) = @_;
	my $dir = $self->{dir};

	for my $order (glob "$dir/at-*") {
		my ($kind, $n) = $order =~ /at-(\w+)-(\d+)$/;
		next if $head !~ $moment{$kind};
		if ($n) {
			rename $order, "$dir/at-$kind-" . ($n - 1);
		} elsif (rename $order, "$dir/held") {
			wait_for { !-e "$dir/held" };
			return !-e "$dir/hang-up";
		}
	}
	return 1;
}

# --- the power cut

# push_cut - run the code, which pushes; cut the power when the request comes that is to be held back; start berth again and
# let the request through. Returns what the code returned and what was lost. Options:
#   lost      what the power cut takes, see lose()
#   at        'manifest' or 'blob': the PUT that is held back
#   after     how many of them pass first (0)
#   hang_up   1: the request never arrives, and its connection is closed
sub push_cut
{
	my ($self, $o, $code) = @_;
	my $dir = $self->{dir};
	my $lost;

	Berth::Check::leftovers($self->{b});            # nothing vanishes while it is copied
	system('cp', '-a', $self->{b}->root, "$dir/before") == 0 or die 'cp';
	spew("$dir/hang-up", '') if $o->{hang_up};
	spew(sprintf('%s/at-%s-%d', $dir, $o->{at} // 'manifest', $o->{after} // 0), '');
	my ($r) = run_parallel(1, sub { my $r = $code->(); spew("$dir/ended", ''); return $r }, sub {
		wait_for { -e "$dir/held" || -e "$dir/ended" };
		$lost = $self->power_cut($o->{lost}) if -e "$dir/held";
		unlink "$dir/held";
	});
	unlink glob "$dir/{at-*,hang-up,ended}";
	remove_tree("$dir/before");
	return ($r, $lost);
}

# runs - a process that has ended does not, even if nobody waits for it: in a container the first process may not.
sub runs
{
	my ($pid) = @_;

	open my $fh, '<', "/proc/$pid/stat" or return 0;
	return (<$fh> // '') =~ /^\d+ \(.*\) [^ZX]/s;
}

# power_cut - all processes of berth end at once, names are lost, berth starts
sub power_cut
{
	my ($self, $what) = @_;
	my $b = $self->{b};
	my @pids = ($b->master_pid, $b->worker_pids, $b->nginx_pid, Berth::Server::children($b->nginx_pid));

	# nginx removes a body after its answer; one that is killed before leaves it
	wait_for { !Berth::Check::files_below($b->root . '/berth/body') };
	$b->stop_nginx('KILL');
	$b->stop_workers('KILL');
	wait_for { !grep { runs($_) } @pids } or die "berth does not end\n";
	my $lost = $self->lose($what);
	$b->start_workers;
	$b->start_nginx;
	return $lost;
}

# Names below a directory, relative to it.
sub names
{
	my ($dir) = @_;
	my @found;

	File::Find::find({ no_chdir => 1, wanted => sub { push @found, substr $_, length $dir } }, $dir);
	return sort @found;
}

# new_blobs - the directories of links that the push has made, the smallest blob first: the config, then layers by their size.
sub new_blobs
{
	my ($self) = @_;
	my $root = $self->{b}->root;
	my %old = map { ($_ => 1) } names("$self->{dir}/before");
	my @dirs = map { m{^(.*/_layers/\w+/\w+)/link$} ? $1 : () } grep { !$old{$_} } names($root);

	return map { $_->[0] } sort { $a->[1] <=> $b->[1] || $a->[0] cmp $b->[0] }
		map { [$_, -s Berth::Check::blob_file($self->{b}, slurp("$root$_/link"))] } @dirs;
}

# lose - what of the push is gone:
#   all       everything: names, contents, what indexes say
#   links     the links of its blobs, and the directories that were made for them; contents stay
#   largest   the largest blob, with its content; the others stay
#   smallest  the link of the smallest blob, which is the config
#   hollow    the files of the links; their directories stay
#   nothing   every process, but no name
# Returns { had => [links before], gone => [links that are lost] }.
sub lose
{
	my ($self, $what) = @_;
	my $root = $self->{b}->root;
	my $before = "$self->{dir}/before";
	my @had = $self->new_blobs;
	my %gone = (all => \@had, links => \@had, hollow => \@had, largest => [$had[-1]], smallest => [$had[0]], nothing => []);
	my @gone = @{ $gone{$what} // die "lose: $what" };

	if ($what eq 'all') {
		remove_tree($root);
		system('cp', '-a', $before, $root) == 0 or die 'cp';
	}
	if ($what eq 'largest') {
		my $file = Berth::Check::blob_file($self->{b}, slurp("$root$gone[0]/link"));
		die "$file was there before\n" if -e $before . substr $file, length $root;
		remove_tree($file =~ s{/data$}{}r);
	}
	for my $dir (@gone) {
		unlink "$root$dir/link" if $what eq 'hollow';
		remove_tree("$root$dir") if $what ne 'hollow';
	}
	if ($what eq 'links') {
		remove_tree("$root$_") for grep { m{/repositories/} && !-e "$before$_" } names($root);
	}
	return { had => \@had, gone => \@gone };
}

# manifest_answers - the status of each PUT of a manifest in this repository, in their order. A worker logs it before it answers, nginx after that.
sub manifest_answers
{
	my ($self, $repo) = @_;
	my @put = grep { ($_->{route} // '') eq 'manifest' && $_->{method} eq 'PUT' && $_->{repository} eq $repo } $self->{b}->log_events;

	return map { $_->{status} } @put;
}

1;
