# SPDX-License-Identifier: Apache-2.0
#
# Berth::Disturb: one operation after the other, disturbed at each of its system calls in turn, and what is required then.
#
#   faults_in('uploads');           # all of this group of operations, and the end of the test
#   stale_in('uploads');            # the same with ESTALE, of which no client may see anything
#   lasting_in('uploads');          # the same where all looks at that name are stale: a clear answer, and nothing that is wrong
#   twice_in('uploads');            # the same where each change of a name was sent twice to a server, and what the second one was told
#   kills_in('uploads');
#   kills_in({ config => "...", end => sub { my (\$i) = \@_; ... } }, 'uploads');    # with settings, and tests at the end
#                                   # each => code: what is wrong right after each injection, '' if nothing; at => as of Berth::Inject
#   faults_ok($i, $operation);      # each call fails in each way that is plausible for it
#   kills_ok($i, $operation);       # the worker is killed before each call that matters
#
# Each is one test with a title that says how many injections it was.
package Berth::Disturb;

use strict;
use warnings;

use Errno ();
use Exporter 'import';
use JSON::PP ();

use Berth::Inject;
use Berth::Operations;
use Berth::Test;

our @EXPORT = qw(faults_in kills_in lasting_in stale_in twice_in faults_ok kills_ok stale_ok);

# What a call may fail with. Left out:
# - accept, epoll_wait, poll, and all calls on the request's own socket (read, write, shutdown, close): that is the
#   connection, not the store; when it breaks there is nobody to answer. t/6030 and t/6007 break it.
# - brk, mmap, munmap, futex, madvise: memory. Where the kernel gives none the process ends, by design (src/base/mem.c), and
#   that is a kill, which t/6041 does. getpid, lseek, sysinfo (qsort), rt_sigprocmask: they cannot fail as they are used.
# - EINTR where Linux does not give it: making, linking, renaming and removing names, looking at a file.
# A close that fails has closed all the same.
my @write = qw(ENOSPC EDQUOT EIO ENOMEM);
my %may = (
	read => [qw(EIO ENOMEM EINTR)], pread64 => [qw(EIO ENOMEM EINTR)], getdents64 => [qw(EIO ENOMEM)],
	openat => [qw(EIO ENOMEM EMFILE EINTR)], openat_new => [qw(EIO ENOMEM EMFILE EINTR ENOSPC EDQUOT)],
	newfstatat => [qw(EIO ENOMEM)], fstat => [qw(EIO ENOMEM)], statx => [qw(EIO ENOMEM)], faccessat => [qw(EIO ENOMEM)],
	readlinkat => [qw(EIO ENOMEM)], flock => [qw(EINTR ENOMEM)], getrandom => [qw(EINTR)],
	utimensat => \@write, fchmod => \@write, mkdirat => \@write, linkat => \@write, symlinkat => \@write, renameat => \@write,
	renameat2 => \@write, unlinkat => [qw(EIO ENOSPC ENOMEM)], sync_file_range => \@write,
	(map { $_ => [@write, 'EINTR'] } qw(write pwrite64 writev ftruncate fallocate copy_file_range fsync fdatasync syncfs)),
	close => [qw(EIO ENOSPC EDQUOT EINTR)],
);
my $of_no_matter = qr/^(?:poll|ppoll|select|pselect6|brk|mmap|munmap|mprotect|mremap|madvise|futex|getpid|lseek|sysinfo|rt_sig\w+|fcntl)$/;

# What a call is made to fail with. EIO always; the others, which take the same way through the code, by turns from call to
# call, and all of them with BERTH_TEST_ALL=1.
sub some_of
{
	my ($n, @faults) = @_;

	return @faults if $ENV{BERTH_TEST_ALL};
	my @turns = grep { !/^(?:EIO|EINTR)$/ } @faults;
	return ((grep { /^(?:EIO|EINTR)$/ } @faults), @turns ? $turns[$n % @turns] : ());
}

sub faults_of
{
	my ($call) = @_;

	return () if $call =~ /\@socket$/;
	my ($name, $path) = $call =~ /^(\w+)(?:\@log)?(?::(.*))?$/ or return ();
	$name = 'openat_new' if $name eq 'openat' && $path =~ m{^berth/(?:tmp|locks|mirror)/|/link$|startedat$|/pushed-|/_marks/} && $path !~ m{^docker/.*/link$};
	return @{ $may{$name} } if $may{$name};
	return () if $name =~ $of_no_matter;
	die "a system call that the test does not know: $call\n";
}

sub suits
{
	my ($r, $ok) = @_;

	return $r && $r->status =~ (ref $ok ? $ok : qr/^$ok$/);
}

# What is wrong with an answer to a call that failed, '' if nothing.
sub answer_fault
{
	my ($i, $case, $r, $errno, $call) = @_;

	return 'no answer' if !$r;
	return '' if suits($r, $case->{ok});
	my $status = $errno eq 'ENOSPC' || $errno eq 'EDQUOT' ? 507 : 503;
	my $said = $r->status . ' ' . substr $r->body // '', 0, 200;
	return "seen by the client: $said" if $errno eq 'EINTR';
	return "the answer is not $status but $said" if $r->status ne $status;
	if ($case->{req}[0] ne 'HEAD') {
		my $j = eval { JSON::PP->new->utf8->decode($r->body) } or return "no JSON: $said";
		return "another error: $said" if $j->{errors}[0]{code} ne 'UNAVAILABLE';
		return "a path of the disk: $said" if $r->body =~ m{docker/registry|berth/};
	}
	return 'no Retry-After' if $status == 503 && !defined $r->header('Retry-After');
	return '' if $call =~ /\@log/;
	my ($line) = grep { ($_->{request_id} // '') eq $i->{id} && ($_->{event} // '') eq 'request' } $i->new_lines;
	return 'no line in the log' if !$line;
	return 'the log does not say why: ' . JSON::PP->new->canonical->encode($line) if !$line->{cause} || ($line->{errno} // '') ne $errno;
	return '';
}

# The same request once more, and from the beginning where it says that the upload is over.
sub again_fault
{
	my ($i, $case) = @_;
	my $r = $i->ask(@{ $case->{req} });
	my $gone = $case->{gone} // [];

	return $case->{done}->($r) if suits($r, $case->{ok});
	return $case->{done} ? $case->{done}->($r) : '' if $r && grep { $r->status eq $_ } @$gone;
	my $said = $r ? $r->status . ' ' . substr $r->body // '', 0, 200 : 'nothing';
	return "the same request gives $said" if !$case->{anew} || !$r || $r->status !~ /^40[04]$/;
	$r = $case->{anew}->();
	return 'begun anew it gives ' . ($r ? $r->status . ' ' . $r->body : 'nothing') if !$r || $r->status ne '201';
	return $case->{done}->($r);
}

# What is wrong after a request that was disturbed.
sub after_fault
{
	my ($i, $case, $r) = @_;
	my $fault = $case->{kept} && !suits($r, $case->{ok}) ? $case->{kept}->() : '';

	return "of what was acknowledged: $fault" if $fault;
	if (suits($r, $case->{ok})) {
		$fault = $case->{done}->($r);
		return "acknowledged, but $fault" if $fault;
		return '';
	}
	return again_fault($i, $case);
}

sub make_case
{
	my ($i, $op) = @_;
	my $case = $op->{make}->($i);

	$case->{done} //= sub { '' };
	return $case;
}

sub fault_at
{
	my ($i, $op, $n, $errno, $call, $verb) = @_;
	my $case = make_case($i, $op);
	no strict 'refs';       ## Errno's constants, by name
	my $number = &{"Errno::$errno"}();
	my ($name) = $call =~ /^([^:]+)/;
	my ($how, $r, @calls) = $i->traced(($verb // 'fail') . " $n $number $name", $case->{req});
	use strict 'refs';
	my ($here) = grep { s/!$// } @calls;
	my @bad;

	return if !defined $here;       # another time there are fewer such calls: it is tried at another one
	$i->{injections}++;
	push @bad, "the worker ended: $how" if $how ne 'done';
	my $fault = answer_fault($i, $case, $r, $errno, $call);
	push @bad, $fault if $fault ne '';
	my @left = $i->leftovers;
	push @bad, "left: @left" if @left && !may_leave($here, $case, $r, @left);
	$i->clear_leftovers if @left;
	push @bad, grep { $_ ne '' } map { eval { $_->($i) } // "died: $@" } $i->{each} // ();
	$fault = eval { after_fault($i, $case, $r) } // "died: $@";
	push @bad, $fault if $fault ne '';
	return map { "$op->{name}: $errno at call $n, $here: $_" } @bad;
}

# Where something may stay behind in berth/: where removing it is what failed (which for a directory means opening, listing
# and emptying it), and where a DELETE fails after its rename: what is not surely gone stays whole in the trash, so that
# after a power cut it is there as it was, and the collector empties it.
sub may_leave
{
	my ($here, $case, $r, @left) = @_;

	return 1 if $here =~ /^(?:unlinkat|renameat|getdents64|lseek)/ || $here =~ m{^openat:(?:berth/(?:trash|tmp)/|(?!berth/|docker/))};
	return $case->{req}[0] eq 'DELETE' && !suits($r, $case->{ok}) && !grep { !m{^trash/} } @left;
}

# undisturbed - a list of what is wrong without any disturbance, then the calls that are made. Twice: what is done once in the
# life of a worker or of an index is not there the second time.
sub undisturbed
{
	my ($i, $op) = @_;
	my ($how, $r, @calls, @bad);

	for (1 .. 2) {
		my $case = make_case($i, $op);
		($how, $r, @calls) = $i->traced('count', $case->{req});
		push @bad, "undisturbed it gives $how " . ($r ? $r->status . ' ' . $r->body : 'nothing') if !suits($r, $case->{ok});
	}
	return (\@bad, @calls);
}

# each_call - an operation, disturbed at one call after the other: the code is given the number and the calls, and says what is wrong. The title is
# a text in which %d are the disturbances, then the calls.
sub each_call
{
	my ($i, $op, $title, $disturb) = @_;
	my $before = $i->{injections};
	my ($undisturbed, @calls) = undisturbed($i, $op);
	my @bad = @$undisturbed;

	push @bad, $disturb->($_, @calls) for 1 .. @calls;
	my $fsck = $i->fsck_fault;
	push @bad, "$op->{name}: $fsck" if $fsck;
	return report(\@bad, sprintf "%s: $title", $op->{name}, $i->{injections} - $before, scalar @calls);
}

sub faults_ok
{
	my ($i, $op) = @_;

	return each_call($i, $op, '%d faults at %d calls: a clear answer, nothing lost, and then it succeeds', sub {
		my ($n, @calls) = @_;
		return map { fault_at($i, $op, $n, $_, $calls[$n - 1]) } some_of($n, faults_of($calls[$n - 1]));
	});
}

sub report
{
	my ($bad, $title) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 3;
	my $shown = $ENV{BERTH_TEST_VERBOSE} ? $#$bad : 9;
	return ok(!@$bad, $title) || diag(join "\n", @$bad . ' faults:', @$bad[0 .. ($#$bad < $shown ? $#$bad : $shown)]);
}

# worth_a_death - between two calls that change something in the store, what a death leaves is the same; so of the others
# each third will do (all of them with BERTH_TEST_ALL=1)
sub worth_a_death
{
	my ($call, $n) = @_;

	return 1 if $ENV{BERTH_TEST_ALL} || $n % 3 == 0 || $call =~ m{^openat:berth/(?:tmp|locks)/};
	return $call =~ /^(?:mkdirat|linkat|symlinkat|renameat2?|unlinkat|f?chmod|utimensat|ftruncate|fallocate|copy_file_range|write|pwrite64|writev)\b/;
}

sub kill_at
{
	my ($i, $op, $n, $call) = @_;
	my $case = make_case($i, $op);
	my ($name) = $call =~ /^([^:]+)/;
	my ($how, $r, @calls) = $i->traced("kill $n $name", $case->{req});
	my @bad;

	return if $how eq 'done';       # another time there are fewer such calls
	$i->{injections}++;
	push @bad, $how if $how ne 'killed';
	$case->{gone} //= $case->{gone_when_killed};
	# once the answer has been sent it counts, whatever becomes of the worker
	push @bad, 'answered with ' . $r->status if $r && !suits($r, $case->{ok});
	push @bad, grep { $_ ne '' } map { eval { $_->($i) } // "died: $@" } $i->{each} // ();
	my $fault = eval { after_fault($i, $case, $r) } // "died: $@";
	push @bad, $fault if $fault ne '';
	return map { "$op->{name}: killed at call " . @calls . ", $calls[-1]: $_" } @bad;
}

sub kills_ok
{
	my ($i, $op) = @_;
	my $ok = each_call($i, $op, 'the worker is killed %d times, at %d calls: nothing is lost, and then it succeeds', sub {
		my ($n, @calls) = @_;
		return worth_a_death($calls[$n - 1], $n) ? kill_at($i, $op, $n, $calls[$n - 1]) : ();
	});

	$i->clear_leftovers;
	return $ok;
}

sub group_of
{
	my ($each, $what, @groups) = @_;
	my %o = ref $groups[0] ? %{ shift @groups } : ();

	plain_build_only('it traces system calls');
	my $i = Berth::Inject->start(config => $o{config}, at => $o{at}, env => $o{env});
	$i->{each} = $o{each};
	for my $group (@groups) {
		$each->($i, $_) for operations($i, $group);
	}
	$o{end}->($i) if $o{end};
	cmp_ok $i->{injections}, '>', 100, "$i->{injections} $what";
	done_testing;
	return;
}

# What a call by a name, or a look at an open file, may say on a network file system when another machine has changed what the name
# meant, or removed the file: look again. Not so a write or a flush: what was written is lost then. Nor
# the bytes of a body (pread64), which belongs to its request alone.
my $looks = qr/^(?:openat|newfstatat|fstat|statx|faccessat|read|getdents64|linkat|renameat2?|unlinkat|mkdirat|utimensat)(?![\w@])/;

# What MooseFS says where another machine, or the end of a session, came in between, and berth makes again.
# Of two that open a file to be made unless it is there one may be told that it exists; and a file that is kept open is not known as open.
my $makes = qr{^openat:berth/locks/(?:(?:repository|quota)/|(?:catalog|journal)$)};

sub also_stale { my ($call) = @_; return $call =~ $makes ? 'EEXIST' : $call =~ /^flock(?!:unlock)/ ? 'EBADF' : () }

sub stale_at
{
	my ($i, $op, $n, $errno, $call, $verb) = @_;
	my $case = make_case($i, $op);
	my ($name) = $call =~ /^([^:]+)/;
	no strict 'refs';       ## Errno's constants, by name
	my $number = &{"Errno::$errno"}();
	use strict 'refs';
	my ($how, $r, @calls) = $i->traced(($verb // 'fail') . " $n $number $name", $case->{req});
	my ($here) = grep { s/!$// } @calls;

	return if !defined $here;
	$i->{injections}++;
	$i->clear_leftovers;
	my $fault = $how ne 'done' ? "the worker ended: $how" : !suits($r, $case->{ok}) ? 'seen by the client: ' . ($r ? $r->status . ' ' . substr($r->body // '', 0, 200) : 'nothing') :
		eval { after_fault($i, $case, $r) } // "died: $@";
	return if $fault eq '';
	my ($line) = grep { ($_->{request_id} // '') eq $i->{id} && ($_->{event} // '') eq 'request' } $i->new_lines;
	return "$op->{name}: $errno at call $n, $here: $fault" . ($line && $line->{cause} ? ", $line->{cause}" : '');
}

sub stale_ok
{
	my ($i, $op) = @_;

	return each_call($i, $op, '%d times something was stale at %d calls: the client sees nothing of it', sub {
		my ($n, @calls) = @_;
		# A directory that goes while it is listed is an error, so that nobody takes a part for all of it.
		return if $n > 1 && $calls[$n - 1] =~ /^getdents64/ && $calls[$n - 2] =~ /^getdents64/;
		return map { stale_at($i, $op, $n, $_, $calls[$n - 1]) } $calls[$n - 1] =~ $looks ? 'ESTALE' : (), also_stale($calls[$n - 1]);
	});
}

# What the second of two requests is told that make the same change of a name.
my %second = (renameat => 'ENOENT', unlinkat => 'ENOENT', mkdirat => 'EEXIST', openat => 'EEXIST');

sub twice_ok
{
	my ($i, $op) = @_;

	return each_call($i, $op, '%d times a request was sent twice at %d calls: the client sees nothing of it', sub {
		my ($n, @calls) = @_;
		my $errno = $second{ $calls[$n - 1] =~ s/:.*//r } or return;
		return stale_at($i, $op, $n, $errno, $calls[$n - 1], 'late');
	});
}

sub twice_in { return group_of(\&twice_ok, 'times a request was sent twice', { env => { BERTH_TEST_DISTANT => 1 } }, @_) }

sub lasting_ok
{
	my ($i, $op) = @_;

	return each_call($i, $op, '%d names stayed stale at %d calls: nobody takes them for gone', sub {
		my ($n, @calls) = @_;
		return $calls[$n - 1] =~ $looks ? fault_at($i, $op, $n, 'ESTALE', $calls[$n - 1], 'lasting') : ();
	});
}

sub lasting_in { return group_of(\&lasting_ok, 'names stayed stale', @_) }
sub stale_in { return group_of(\&stale_ok, 'times something was stale', @_) }
sub faults_in { return group_of(\&faults_ok, 'faults were injected', @_) }
sub kills_in { return group_of(\&kills_ok, 'times a worker was killed', @_) }

1;
