#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Requests that wait for a lock hold up no pull, and not all writes to other repositories; and none waits for ever.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Fcntl qw(:flock);
use IO::Select;
use JSON::PP ();
use Berth::Test;
use Berth::Check;

my $WORKERS = 4;        # for requests, and as many for writes
our $s = Berth::Server->start(config => "delete = true;\nupload_workers = 2;\n", workers => $WORKERS);
my $locks = $s->root . '/berth/locks';
my ($d, $m) = $s->push_image('held/app', 'one', type => 'oci', config => '{}', layers => ['a layer']);
my ($other) = $s->push_image('free/app', 'one', type => 'oci', config => '{}', layers => ['a layer']);
my $layer = sha256('a layer');
my $subject = image_of(OCI_MANIFEST, '{}', 'a layer') =~ s/\}\z/,"subject":@{[desc(OCI_MANIFEST, $m)]}}/r;
$s->push_manifest('held/app', 'refers', $subject, OCI_MANIFEST);
my %stripe = map { $_ => sprintf '%s/repository/%s', $locks, substr sha256($_), 7, 2 } 'held/app', 'free/app';
isnt $stripe{'held/app'}, $stripe{'free/app'}, 'the two repositories have locks of their own';

sub hold
{
	my ($file) = @_;

	open my $h, '+<', $file or die "$file: $!";
	flock $h, LOCK_EX or die "$file: $!";
	return $h;
}

# waiting - how many processes wait for a file's lock
sub waiting
{
	my ($h) = @_;
	my $inode = (stat $h)[1];
	my @all = content_of('/proc/locks') =~ /-> FLOCK .*:$inode /g;

	return scalar @all;
}

# ask - sends a request, and does not wait for its answer: the connection
sub ask
{
	my ($method, $path, %o) = @_;
	my $c = $s->sock;
	my $body = $o{body} // '';

	print {$c} "$method $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", defined $o{body} ? 'Content-Length: ' . length($body) . "\r\n" : '',
		$o{type} ? "Content-Type: $o{type}\r\n" : '', "\r\n$body";
	return $c;
}
sub put { my ($repo, $tag) = @_; return ask(PUT => "/v2/$repo/manifests/$tag", body => $m, type => OCI_MANIFEST) }

sub with_answer { my @now = IO::Select->new(@_)->can_read(0); return scalar @now }
sub statuses { return join ' ', map { my $r = read_response($_, timeout => 60); $r ? $r->status : 'nothing' } @_ }

my %pull = (
	'/v2/' => 200, '/v2/_catalog' => 200, '/v2/held/app/tags/list' => 200, '/v2/held/app/manifests/one' => 200, "/v2/held/app/manifests/$d" => 200,
	"/v2/held/app/blobs/$layer" => 200, '/v2/held/app/blobs/' . sha256('no') => 404, "/v2/held/app/referrers/$d" => 200, '/v2/free/app/manifests/one' => 200,
);

# held_up - while a lock is held and requests wait for it, as many as can and more, all pulls are answered. On a machine that
# stood still for seconds meanwhile requests may have waited long enough: again, then.
sub held_up
{
	my ($title, $file, $least, @requests) = @_;
	my ($fault, $now);

	for (1 .. 5) {
		my $h = hold($file);
		my @c = map { $_->() } @requests;
		$fault = wait_for(sub { waiting($h) >= $least }) ? '' : waiting($h) . ' wait';
		$fault ||= join ' ', grep { $s->req(GET => $_)->status != $pull{$_} } sort keys %pull;
		$now = with_answer(@c);
		flock $h, LOCK_UN;
		statuses(@c);
		last if $fault || !$now;
	}
	is $fault, '', "$title: all pulls are answered";
	is $now, 0, "$title: ... before any of those that wait";
	return;
}

held_up('a repository', $stripe{'held/app'}, $WORKERS, map { my $n = $_; sub { put('held/app', "two$n") } } 1 .. 3 * $WORKERS);
held_up('the turnstile, by HEAD of a blob', "$locks/turnstile", $WORKERS, (sub { ask(HEAD => "/v2/free/app/blobs/$layer") }) x (3 * $WORKERS));
held_up('the collector, by mounts', "$locks/collector", 1, map { my $n = $_; sub { ask(POST => "/v2/new$n/blobs/uploads/?mount=$layer&from=free/app", body => '') } } 1 .. 3 * $WORKERS);
my $loc = upload_start($s, 'held/app');
my ($uuid) = $loc =~ m{([^/]+)$};
my $started = data_dir($s) . "/repositories/held/app/_uploads/$uuid/startedat";
held_up('an upload that is busy', $started, $WORKERS, (sub { ask(DELETE => $loc) }) x $WORKERS, (sub { ask(GET => $loc) }) x (2 * $WORKERS));

# --- one repository does not stop all the others
my ($before, $status);
for (1 .. 5) {
	my $h = hold($stripe{'held/app'});
	my @c = map { put('held/app', "three$_") } 1 .. $WORKERS;
	wait_for { waiting($h) == $WORKERS || with_answer(@c) };
	my $r = $s->req(PUT => '/v2/free/app/manifests/two', body => $m, headers => ['Content-Type' => OCI_MANIFEST]);
	$status = $r->status . ' ' . (waiting($h) ? 'while others wait' : 'after all others');
	$before = with_answer(@c);
	flock $h, LOCK_UN;
	statuses(@c);
	last if $before <= $WORKERS / 2;
}
is $status, '201 while others wait', 'where all workers for writes wait for one repository, a write to another is done';
cmp_ok $before, '<=', $WORKERS / 2, '... when half of them have given up, and not when all have';

# --- all waits have an end; those for locks that have to do with each other on servers of their own, so that all end together
my @servers = ($s, map { Berth::Server->start(workers => 1) } 1 .. 2);
$servers[$_]->push_blob('held/app', 'a layer') for 1, 2;
$loc = upload_start($s, 'held/app');
($uuid) = $loc =~ m{([^/]+)$};
$started = data_dir($s) . "/repositories/held/app/_uploads/$uuid/startedat";
my @ends = (
	[0, $stripe{'held/app'}, 'a repository', PUT => '/v2/held/app/manifests/four', body => $m, type => OCI_MANIFEST],
	[0, $stripe{'free/app'}, 'a repository, for a DELETE', DELETE => '/v2/free/app/manifests/one'],
	[0, "$locks/catalog", 'the catalog', POST => '/v2/brand/new/blobs/uploads/?digest=' . sha256('y'), body => 'y'],
	[0, $started, 'an upload', DELETE => $loc],
	[1, $servers[1]->root . '/berth/locks/turnstile', 'the turnstile', HEAD => "/v2/held/app/blobs/$layer"],
	[2, $servers[2]->root . '/berth/locks/collector', 'the collector', HEAD => "/v2/held/app/blobs/$layer"],
);
sub ask_all { return map { my ($n, $file, $title, @request) = @$_; local $s = $servers[$n]; ask(@request) } @ends }
{
	my @held = map { hold($_->[1]) } @ends;
	my @c = ask_all();
	for my $i (0 .. $#ends) {
		my ($title, $method) = @{ $ends[$i] }[ 2, 3 ];
		my $r = read_response($c[$i], method => $method, timeout => 120);
		error_is $r, 503, 'UNAVAILABLE', "$title: who waits too long is told 503, and to come again" if $method ne 'HEAD';
		is $r->status . ' ' . ($r->header('Retry-After') // ''), '503 1', "$title: who waits too long is told 503, and to come again" if $method eq 'HEAD';
	}
}
{
	my @c = ask_all();
	for my $i (0 .. $#ends) {
		my $r = read_response($c[$i], method => $ends[$i][3], timeout => 60);
		like $r && $r->status, qr/^20[0-4]$/, "$ends[$i][2]: ... which succeeds when the lock is free" or diag($r && $r->as_string);
	}
}
{
	# its state is told as it is, however long another is busy with it
	my $loc = upload_start($s, 'held/app');
	my ($uuid) = $loc =~ m{([^/]+)$};
	my $h = hold(data_dir($s) . "/repositories/held/app/_uploads/$uuid/startedat");
	is $s->req(GET => $loc)->status, 204, 'the state of an upload that is busy is told';
}

# --- a collector that waits for a slow writer lets others in meanwhile
{
	open my $h, '+<', "$locks/collector" or die;
	flock $h, LOCK_SH or die;
	my $gc = open(my $out, '-|', program('berth'), '--config', $s->config_file, '--root', $s->root, 'gc', '--dry-run') // die;
	ok wait_for(sub { waiting($h) }), 'a collection waits for a writer';
	is $s->req(HEAD => "/v2/held/app/blobs/$layer")->status, 200, '... and another writer, who came later, for none of the two';
	flock $h, LOCK_UN;
	1 while <$out>;
	close $out;
	is $?, 0, '... and then it goes on';
}

# --- the first to need an index in an epoch waits for nobody, nor do the lists of the page, which make their own of it
my @lists = ('/v2/held/app/tags/list', '/v2/held/app/tags/list?n=2&last=one', '/v2/held/app/tags/list?last=zzz', "/v2/held/app/referrers/$d",
	'/v2/_catalog', '/v2/_catalog?n=1', '/v2/_catalog?n=1&last=free/app');
my @page = ('repos?sort=name', 'repos?sort=pushed', 'repos?sort=size', 'repos?q=app', (map { "repos/held/app/$_" } 'tags?sort=name', 'tags?sort=pushed', 'tags?sort=size', 'tags?q=one',
	'tags?n=1&at=1', 'manifests/one', "manifests/$d", 'deleted'), 'search?q=held/app:', 'search?q=app', 'whoami');
sub listed { my ($r) = @_; return join ' ', $r->status, $r->header('Link') // '', $r->body }
# shown - what the page is told without what only an index says: how many, and what refers to it
sub shown { my ($r) = @_; my $j = $r->json; delete @$j{qw(total next back at)}; return $r->status . ' ' . JSON::PP->new->canonical->encode($j) }
my @asked = ((map { [$_, \&listed] } @lists), map { ["/berth/v1/$_", \&shown] } @page);
sub answers { return map { my ($path, $how) = @$_; $how->($s->req(GET => $path)) } @asked }
answers() for 1 .. 2;
my @right = answers();
{
	my @held = map { hold($_) } $stripe{'held/app'}, "$locks/catalog";
	my @now = answers();
	is $now[$_], $right[$_], "while a lock is held: $asked[$_][0]" for 0 .. $#asked;
	is +(grep { waiting($_) } @held), 0, '... nobody waits';
}
$s->restart;
{
	my @held = map { hold($_) } $stripe{'held/app'}, "$locks/catalog";
	my @now = answers();
	is $now[$_], $right[$_], "before there is an index, and while its lock is held: $asked[$_][0]" for 0 .. $#asked;
	is +(grep { waiting($_) } @held), 0, '... and nobody waits';
}
answers();
my @after = answers();
is $after[$_], $right[$_], "... and after: $asked[$_][0]" for 0 .. $#asked;
ok -e $s->root . "/berth/index/$_", "... by an index: $_" for 'held/app/_epoch', 'held/app/_summary', '_repos';

done_testing;
