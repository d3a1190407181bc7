#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Sixteen clients on three repositories and few tags, berth gc beside them for half of the time: every answer that they
# got could have been given one after the other, nothing acknowledged is lost, nobody gets stuck, and nobody waits for a
# lock for longer than all the others need. BERTH_STRESS_SECONDS=600 makes it last ten minutes, BERTH_STRESS_SEED=N does the same again.
use strict;
use warnings;
use FindBin;
use IO::Handle;
use lib "$FindBin::Bin/lib";
use List::Util qw(first max shuffle);
use Time::HiRes qw(clock_gettime sleep CLOCK_MONOTONIC);
use Berth::Test;
use Berth::Check;
use Berth::GC;
use Berth::Registers;

my $SECONDS = $ENV{BERTH_STRESS_SECONDS} || ($ENV{BERTH_SANITIZERS} ? 20 : 60);
my $MOST = $ENV{BERTH_STRESS_SECONDS} ? 1e9 : 5000;    # requests of a client: judging them takes longer than making them
my $SEED = $ENV{BERTH_STRESS_SEED} || time;
my $CLIENTS = 16;
my $LIMIT = 120;        # seconds that no request may take
my $CHUNK = 4096;

my @repos = ('line/a', 'line/b', 'other/line/c');
my @tags = qw(latest stable v1 v2);
my @layers = map { my $n = $_; join '', map { sha256("layer $n $_") } 1 .. 10 * $n } 1 .. 6;

# What is pushed: images that share layers; the last two refer to the first, so that there are referrers too.
my @images = map {
	my $config = qq({"image":$_});
	my @l = @layers[$_, ($_ + 1) % @layers];
	my $text = image_of(OCI_MANIFEST, $config, @l);
	{ parts => [$config, @l], text => $text };
} 0 .. 5;
for my $i (@images[4, 5]) {
	my $subject = desc(OCI_MANIFEST, $images[0]{text});
	$i->{text} =~ s/\}\z/,"subject":$subject}/;
}
$_->{digest} = sha256($_->{text}) for @images;
my %image = map { $_->{digest} => $_ } @images;
my %bytes = map { sha256($_) => $_ } map { @{ $_->{parts} } } @images;

my $s = Berth::Server->start(config => "delete = true;\n", workers => 8);
my $slots = tmp_dir();
$s->push_blob($_, $layers[0]) for @repos;

sub now { return clock_gettime(CLOCK_MONOTONIC) }
my $begin = now();

# --- one client -------------------------------------------------------------------------

my ($me, @history, @fault, %last, $stop);
my $doomed = 0;
sub fault { push @fault, sprintf 'client %d: %s', $me, join ' ', @_; return }
sub any { return $_[rand @_] }

# ask - a request, noted as one that does this to that; undef where the answer is none
sub ask {
	my ($note, $method, $path, %o) = @_;
	my $h = { c => $me, %$note, from => now() - $begin };
	my $r = eval { $s->req($method, $path, %o, timeout => $LIMIT) };
	$h->{to} = now() - $begin;
	return fault($method, $path, $@) if !$r;
	$h->{status} = $r->status;
	fault($method, $path, $h->{status}, substr $r->body, 0, 300) if $h->{status} >= 500;
	push @history, $h;
	return $r;
}

# right - an error that comes with a body is the one that the contract has for it
sub right {
	my ($r, $what, %code) = @_;
	return if !$r || $r->status < 400;
	my $f = error_fault($r, $r->status, $code{ $r->status });
	fault($what, $f) if $f ne '';
	return;
}

# --- manifests and tags

sub put_manifest {
	my ($repo, $ref, $d, %if) = @_;
	my @with = $ref =~ /:/ && rand() < 0.6 ? (shuffle @tags)[0 .. rand 2] : ();
	my $path = "/v2/$repo/manifests/$ref" . (@with ? '?' . join '&', map { "tag=$_" } @with : '');
	my @h = ('Content-Type' => OCI_MANIFEST);
	push @h, 'If-Match' => qq("$if{match}") if defined $if{match};
	push @h, 'If-None-Match' => $if{none_match} if defined $if{none_match};
	my $note = { do => 'put', repo => $repo, ref => $ref, digest => $d, %if, @with ? (tags => \@with) : () };
	my $r = ask($note, 'PUT', $path, headers => \@h, body => $image{$d}{text});
	right($r, "PUT of $ref", 400 => 'MANIFEST_BLOB_UNKNOWN', 412 => 'DENIED');
	return $r;
}

# as docker does: look for it, mount it from where it may be, push it
sub push_part {
	my ($repo, $d) = @_;
	my $r = ask({ do => 'blob', repo => $repo, digest => $d }, 'HEAD', "/v2/$repo/blobs/$d") or return;
	return if $r->status == 200;
	return if rand() < 0.4 && mount($repo, $d);
	$r = ask({ do => 'store', repo => $repo }, 'POST', "/v2/$repo/blobs/uploads/?digest=$d", body => $bytes{$d});
	return;
}

# push - a manifest, and what it lacks; a collection may take that again before the manifest is there
sub push_image {
	my ($repo, $ref, $d, %if) = @_;
	for my $try (1 .. 8) {
		push_part($repo, $_) for $try == 1 && rand() < 0.6 ? () : map { sha256($_) } @{ $image{$d}{parts} };
		my $r = put_manifest($repo, $ref, $d, %if) or return;
		return if $r->status != 400;
	}
	return fault("$d is refused in $repo again and again");
}

sub delete_ref {
	my ($repo, $ref, %if) = @_;
	my $r = ask({ do => 'delete', repo => $repo, ref => $ref, %if }, 'DELETE', "/v2/$repo/manifests/$ref",
		headers => [defined $if{match} ? ('If-Match' => qq("$if{match}")) : ()]);
	right($r, "DELETE of $ref", 404 => 'MANIFEST_UNKNOWN', 412 => 'DENIED');
	return;
}

sub read_ref {
	my ($repo, $ref) = @_;
	my $method = any('GET', 'HEAD');
	my $r = ask({ do => 'read', repo => $repo, ref => $ref }, $method, "/v2/$repo/manifests/$ref") or return;
	right($r, "GET of $ref", 404 => 'MANIFEST_UNKNOWN') if $method eq 'GET';
	return if $r->status != 200;
	my $h = $history[-1];
	my $d = $h->{digest} = $r->header('Docker-Content-Digest') // '';
	$last{"$repo $ref"} = $d;
	my $i = $image{$d} or return fault("GET of $ref gives a manifest that nobody pushed: $d");
	fault("$ref gives $d with other bytes") if $method eq 'GET' && $r->body ne $i->{text};
	fault("$ref gives $d with another length") if ($r->header('Content-Length') // '') ne length $i->{text};
	fault("$ref gives $d with another Etag") if ($r->header('Etag') // '') ne qq("$d");
	return if rand() > 0.25;
	for my $p (map { sha256($_) } @{ $i->{parts} }) {
		my $b = ask({ do => 'blob', repo => $repo, digest => $p, of => $d, since => $h->{from} }, 'GET', "/v2/$repo/blobs/$p") or return;
		right($b, "GET of $p", 404 => 'BLOB_UNKNOWN');
		fault("other bytes under $p") if $b->status == 200 && $b->body ne $bytes{$p};
	}
	return;
}

# the tag's last known manifest, or a guess
sub guess { my ($repo, $tag) = @_; return rand() < 0.8 && $last{"$repo $tag"} || any(@images)->{digest} }

# --- lists

# one page of a list: what it says is noted
sub page {
	my ($note, $path, $key, $whole) = @_;
	my %q;
	$q{n} = any(1, 2, 3, 10) if !$whole && rand() < 0.5;
	$q{last} = any(@tags, 'line/b', 'new/s1', 'm') if !$whole && rand() < 0.3;
	my $r = ask({ %$note, %q }, 'GET', $path . (%q ? '?' . join '&', map { "$_=" . $q{$_} =~ s{/}{%2F}gr } sort keys %q : '')) or return;
	return if $r->status != 200;
	my $j = $r->json or return fault("GET of $path: no JSON");
	$history[-1]{names} = $j->{$key};
	$history[-1]{more} = 1 if defined $r->header('Link');
	return;
}

# a manifest goes, and others are told of it, so that some look while it does
sub delete_watched {
	my ($repo, $d) = @_;
	spew("$slots/doomed.$me", "$repo $d $me " . $doomed++);
	rename "$slots/doomed.$me", "$slots/doomed" or die "$slots: $!";
	sleep 0.01;
	return delete_ref($repo, $d);
}

# looks at a manifest that is about to go until it is gone, and then at once at the tags: none that led to it is listed
sub watch {
	my $old = content_of("$slots/doomed") // '';
	my $until = now() + 0.3;
	my $new = $old;
	while ($new eq $old) {
		return if now() > $until;
		sleep 0.002;
		$new = content_of("$slots/doomed") // '';
	}
	my ($repo, $d) = split / /, $new;
	for (1 .. 30) {
		my $r = ask({ do => 'read', repo => $repo, ref => $d }, 'HEAD', "/v2/$repo/manifests/$d") or return;
		return page({ do => 'list', repo => $repo }, "/v2/$repo/tags/list", 'tags', 1) if $r->status != 200;
		$history[-1]{digest} = $r->header('Docker-Content-Digest') // '';
		return if now() > $until + 0.3;
	}
	return;
}

# --- blobs and uploads

sub mount {
	my ($repo, $d) = @_;
	my $r = ask({ do => 'store', mount => 1, repo => $repo }, 'POST', "/v2/$repo/blobs/uploads/?mount=$d" . (rand() < 0.7 ? '&from=' . any(@repos) =~ s{/}{%2F}gr : '')) or return;
	return 1 if $r->status != 202;
	ask({ do => 'cancel', upload => path_of($r->header('Location')) }, 'DELETE', path_of($r->header('Location')));
	return 0;
}

# a repository that is new to all: everybody tries the same one for a second
sub new_repository {
	my $repo = 'new/s' . int(now() - $begin);
	return mount($repo, sha256($layers[0])) if rand() < 0.5;
	return ask({ do => 'store', repo => $repo }, 'POST', "/v2/$repo/blobs/uploads/?digest=" . sha256('tiny'), body => 'tiny');
}

# an upload that others know of: its path lies in a file
sub shared_upload {
	my $file = "$slots/" . int rand 3;
	my $path = content_of($file);
	my $gone = !defined $path;
	my $dice = rand;
	my ($repo) = ($path // '') =~ m{/v2/(.*)/blobs/} or $gone = 1;
	my $note = { upload => $path, repo => $repo };

	if ($gone) {
		# nothing to do but to begin another
	} elsif ($dice < 0.6) {
		my $n = $CHUNK * (1 + int rand 4);
		my $r = ask({ %$note, do => 'append', n => $n }, 'PATCH', $path, body => 'a' x $n) or return;
		$history[-1]{size} = size_of($r) if $r->status == 202;
		right($r, "PATCH of $path", 404 => 'BLOB_UPLOAD_UNKNOWN');
		$last{$path} = $history[-1]{size} // 0;
		$gone = $r->status == 404;
	} elsif ($dice < 0.75) {
		my $r = ask({ %$note, do => 'status' }, 'GET', $path) or return;
		$history[-1]{size} = $last{$path} = size_of($r) if $r->status == 204;
		$gone = $r->status == 404;
	} elsif ($dice < 0.9) {
		ask({ %$note, do => 'cancel' }, 'DELETE', $path);
		$gone = 1;
	} else {
		my $size = $last{$path} // $CHUNK;
		my $r = ask({ %$note, do => 'finish', size => $size }, 'PUT', "$path?digest=" . sha256('a' x $size));
		right($r, "PUT of $path", 400 => 'DIGEST_INVALID', 404 => 'BLOB_UPLOAD_UNKNOWN');
		$gone = 1;
	}
	return if !$gone;
	$repo = any(@repos);
	my $r = ask({ do => 'begin', repo => $repo }, 'POST', "/v2/$repo/blobs/uploads/") or return;
	spew("$file.$me", path_of($r->header('Location')));
	rename "$file.$me", $file or die "$file: $!";
	return;
}

sub size_of { my ($r) = @_; my ($to) = ($r->header('Range') // '') =~ /^0-(\d+)$/; return $to ? $to + 1 : 0 }

# --- what a client does, and how often

my @work = (
	[10, sub { my ($r, $t, $d) = @_; push_image($r, $t, $d) }],
	[6, sub { my ($r, $t, $d) = @_; push_image($r, $d, $d) }],
	[8, sub { my ($r, $t, $d) = @_; push_image($r, $t, $d, none_match => '*') }],
	[10, sub { my ($r, $t, $d) = @_; push_image($r, $t, $d, match => guess($r, $t)) }],
	[5, sub { my ($r, $t) = @_; delete_ref($r, $t) }],
	[5, sub { my ($r, $t) = @_; delete_ref($r, $t, match => guess($r, $t)) }],
	[6, sub { my ($r, $t, $d) = @_; delete_watched($r, $d) }],
	[18, sub { my ($r, $t) = @_; read_ref($r, $t) }],
	[10, sub { my ($r, $t, $d) = @_; read_ref($r, $d) }],
	[10, sub { my ($r) = @_; page({ do => 'list', repo => $r }, "/v2/$r/tags/list", 'tags') }],
	[5, sub { watch() }],
	[4, sub { page({ do => 'catalog' }, '/v2/_catalog', 'repositories') }],
	[4, sub { my ($r, $t, $d) = @_; mount($r, any(keys %bytes)) }],
	[3, sub { new_repository() }],
	[8, sub { shared_upload() }],
);
my @wheel = map { my ($n, $do) = @$_; ($do) x $n } @work;

sub client {
	srand $SEED * 64 + $me;
	while (now() < $stop && @fault < 5 && @history < $MOST) {
		any(@wheel)->(any(@repos), any(@tags), any(@images)->{digest});
	}
	return { history => \@history, fault => \@fault };
}

# collect - one collection after the other, in the middle half of the time
sub collect {
	my %sum = (runs => 0, blobs => 0, fault => []);
	sleep max(0, $stop - now() - 0.75 * $SECONDS);
	while (now() < $stop - 0.25 * $SECONDS) {
		my $r = gc($s, '--json', '--grace', '1s');
		push @{ $sum{fault} }, "berth gc: $r->{status} $r->{err}" if $r->{status} || $r->{err} ne '';
		$sum{runs}++;
		$sum{blobs} += gc_total($r)->{blobs} // 0;
	}
	return \%sum;
}

# --- all of them ------------------------------------------------------------------------

$stop = now() + $SECONDS;
my @all = run_parallel($CLIENTS + 1, sub { ($me) = @_; return $me < $CLIENTS ? client() : collect() });
my $gc = pop @all;
is join('; ', map { $_->{died} // () } @all, $gc), '', 'every client came to its end';
is join("\n", map { @{ $_->{fault} // [] } } @all, $gc), '', "$CLIENTS clients: each request has an answer in time, and one that the contract has";
cmp_ok $gc->{runs} // 0, '>', 0, 'there were collections beside them: ' . ($gc->{runs} // 0) . ', which took ' . ($gc->{blobs} // 0) . ' blobs';
@history = map { @{ $_->{history} // [] } } @all;

# at rest: what all can read now is what they left
($me, @fault) = ($CLIENTS);
for my $r (@repos) {
	read_ref($r, $_) for @tags, map { $_->{digest} } @images;
	page({ do => 'list', repo => $r }, "/v2/$r/tags/list", 'tags');
}
is join("\n", @fault), '', 'all of it can be read when nobody writes any more';

my %n;
$n{ "$_->{do}" . (defined $_->{ref} ? $_->{ref} =~ /:/ ? ' by digest' : ' by tag' : '') . (defined $_->{match} ? ' if' : defined $_->{none_match} ? ' if none' : '') . " $_->{status}" }++ for @history;
diag("seed $SEED, " . @history . ' requests: ' . join ', ', map { "$_: $n{$_}" } sort keys %n);
cmp_ok $n{$_} // 0, '>', 0, "there was: $_" for 'put by tag 201', 'put by digest 201', 'put by tag if 201', 'put by tag if 412', 'put by tag if none 201',
	'put by tag if none 412', 'delete by tag 202', 'delete by tag 404', 'delete by tag if 202', 'delete by tag if 412', 'delete by digest 202', 'delete by digest 404',
	'read by tag 200', 'read by tag 404', 'read by digest 200', 'read by digest 404', 'append 202', 'cancel 204', 'store 201', 'blob 200';

my %world = (tags => \@tags, there => \@repos);
my @faults = history_faults(\@history, %world);
is join("\n", @faults[0 .. (@faults > 3 ? 2 : $#faults)]), '', 'every answer could have been given one after the other, and a manifest that was found had its blobs';

# --- the judge is not blind: one answer of the history is another -------------------------

# quiet - answers that leave no doubt: the tag was read before, and nobody changed it from then on
sub quiet {
	my ($registers) = history_registers(\@history, %world);
	my @found;
	for my $repo (@repos) {
		for my $tag (@tags) {
			my @ops = sort { $a->{from} <=> $b->{from} } @{ $registers->{"$repo:$tag"} // [] };
			my @changes = grep { defined $_->{set} || defined $_->{drop} } @ops;
			my ($quiet_from, $is, $to) = (0);
			my @reads = sort { $a->{from} <=> $b->{from} } grep { $_->{do} eq 'read' && $_->{repo} eq $repo && $_->{ref} eq $tag } @history;
			for my $i (1 .. $#reads) {
				my ($x, $y) = @reads[$i - 1, $i];
				push @found, $y if $x->{to} < $y->{from} && !grep { $_->{from} <= $y->{to} && $_->{to} >= $x->{from} } @changes;
			}
		}
	}
	return @found;
}

my @quiet = quiet();
cmp_ok scalar(@quiet), '>=', 10, 'there are answers that leave no doubt: ' . @quiet;
my @missed;
srand $SEED;
for my $h ((shuffle @quiet)[0 .. (@quiet > 12 ? 11 : $#quiet)]) {
	my %was = %$h;
	my $other = first { $_ ne ($was{digest} // '') } shuffle map { $_->{digest} } @images;
	if ($was{status} == 404 || rand() < 0.6) {
		@$h{qw(status digest)} = (200, $other);
	} else {
		$h->{status} = 404;
		delete $h->{digest};
	}
	push @missed, join ' ', map { "$_=$was{$_}" } sort keys %was if !history_faults([grep { ($_->{repo} // '') eq $was{repo} && $_->{do} =~ /^(?:read|put|delete|list)$/ } @history], tags => \@tags, there => [$was{repo}]);
	%$h = %was;
}
is join("\n", @missed), '', 'with one of them altered the history is refused';

# --- locks, and what is left ---------------------------------------------------------------

my @events = $s->log_events;
my @requests = grep { ($_->{event} // '') eq 'request' } @events;
my ($worst) = sort { ($b->{lock_ms} // 0) <=> ($a->{lock_ms} // 0) } @requests;
my ($slowest) = sort { $b->{ms} <=> $a->{ms} } @requests;
my $waited = grep { $_->{lock_ms} } @requests;
diag(sprintf '%d requests in the log, %d waited for a lock, the longest %.1f ms (%s %s); the slowest took %.1f ms (%s %s)', scalar @requests, $waited,
	$worst->{lock_ms} // 0, $worst->{method}, $worst->{route} // '', $slowest->{ms}, $slowest->{method}, $slowest->{route} // '');
cmp_ok $waited, '>', 0, 'requests met at locks';
is lock_fault($CLIENTS + 1, @requests), '', 'nobody waited for a lock for longer than all of them need by themselves';
my $fsck = run(program('berth'), '--config', $s->config_file, '--root', $s->root, 'fsck');
is $fsck->{status}, 0, 'fsck finds the store whole' or diag($fsck->{out}, $fsck->{err});
is leftovers($s), '', 'nothing is left in body, tmp and trash';

done_testing;
