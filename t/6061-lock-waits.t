#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A wait for a lock shows: in the line of the request that waited, and from a second on in a line of its own.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Fcntl qw(:flock);
use Time::HiRes qw(sleep);
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n", workers => 2);
my $locks = $s->root . '/berth/locks';
my ($d, $m) = $s->push_image('wait/app', 'one', type => 'oci');
my $loc = upload_start($s, 'wait/app');
my ($uuid) = $loc =~ m{([^/]+)$};
my $stripe = sprintf '%s/repository/%s', $locks, substr sha256('wait/app'), 7, 2;

ok -e $stripe, 'the stripe of a repository is named by the first byte of the SHA-256 of its name' or diag(join ' ', files_below($locks));

# waiting - whether a worker waits for this file's lock: the kernel knows
sub waiting { my ($file) = @_; my $inode = (stat $file)[1]; return content_of('/proc/locks') =~ /-> FLOCK .*:$inode / }

# held - locks a file, and lets go so many seconds after somebody waits for it, who does something: (its result, the new events)
sub held {
	my ($file, $seconds, $what) = @_;
	my $before = () = $s->log;
	open my $h, '+<', $file or die "$file: $!";
	flock $h, LOCK_EX or die "$file: $!";
	my ($r) = run_parallel(2, sub {
		return $what->()->status if $_[0] == 0;
		wait_for { waiting($file) };
		sleep $seconds;
		flock $h, LOCK_UN;
	});
	my @new;
	wait_for { @new = $s->log_events; splice @new, 0, $before; grep { ($_->{event} // '') eq 'request' } @new };
	return ($r, @new);
}
sub put { return $s->req('PUT', '/v2/wait/app/manifests/two', headers => ['Content-Type' => OCI_MANIFEST], body => $m) }

my %case = (
	repository => [$stripe, \&put, 201],
	turnstile => ["$locks/turnstile", \&put, 201],
	collector => ["$locks/collector", \&put, 201],
	upload => [uploads_file(), sub { $s->req('PATCH', $loc, body => 'x') }, 202],
	catalog => ["$locks/catalog", sub { $s->req('POST', '/v2/wait/new/blobs/uploads/?digest=' . sha256('y'), body => 'y') }, 201],
);
sub uploads_file { return repo_dir($s) . "/_uploads/$uuid/startedat" }
sub repo_dir { return data_dir($s) . '/repositories/wait/app' }

for my $kind (sort keys %case) {
	my ($file, $what, $status) = @{ $case{$kind} };
	my ($r, @e) = held($file, 1.2, $what);
	is $r, $status, "$kind: who has to wait is served in the end";
	my ($said) = my @said = grep { ($_->{event} // '') eq 'lock_wait' } @e;
	is scalar(@said), 1, "$kind: a wait of a second is one event";
	is_deeply [map { $said->{$_} } qw(level lock)], ['warn', $kind], "$kind: a warning that names the lock";
	cmp_ok $said->{ms} // 0, '>=', 1000, "$kind: and the milliseconds";
	my ($line) = grep { $_->{event} eq 'request' } @e;
	cmp_ok $line->{lock_ms} // 0, '>=', 1000, "$kind: the line of the request has them too";
	cmp_ok $line->{ms} // 0, '>=', $line->{lock_ms} // 0, "$kind: as a part of its time";
}

my ($r, @e) = held($stripe, 0.01, \&put);
is $r, 201, 'a short wait';
my ($line) = grep { $_->{event} eq 'request' } @e;
is scalar(grep { ($_->{event} // '') eq 'lock_wait' } @e), $line->{lock_ms} >= 1000 ? 1 : 0, 'is no event of its own';
cmp_ok $line->{lock_ms} // 0, '>', 0, 'but shows in the line of the request';

my $before = () = $s->log;
put();
$s->req('GET', '/v2/wait/app/manifests/two');
my @lines;
wait_for { @lines = grep { ($_->{event} // '') eq 'request' } splice @{ [$s->log_events] }, $before; @lines == 2 };
is_deeply [grep { exists $_->{lock_ms} } @lines], [], 'where nobody waits nothing is said of it';

done_testing;
