# SPDX-License-Identifier: Apache-2.0
#
# Berth::Crowd: clients that push, tag, delete, read and list the same few images in the same few repositories at once, and note each
# request and its answer, for Berth::Registers to judge.
#
#   my $crowd = Berth::Crowd->new(servers => [$s], slots => tmp_dir(), until => now() + 60);
#   my @all = run_parallel(16, sub { return $crowd->client($_[0]) });       # each { history => [...], fault => [...] }
#   my $rest = $crowd->at_rest(16);                                         # all that can be read when they are done
#
# Options: limit    seconds that no request may take (120)
#          most     requests of a client, at most (5000)
#          seed     for the dice
#          even     1: a client makes no more requests than its share of `most` until any moment, so that there are some until the end
#          cut_off  { number => 1 }: servers that may be killed. No answer of theirs, or a failure, is no fault then; a change may or may
#                   not have been made, unless the same file `dead` with the server's number was there in `slots` from when it was asked for until it
#                   failed. The others may say 503: see Berth::Registers. Every second client asks the others alone, if there are any, so
#                   that there are requests while all the rest wait for one that is silent
# A 503 after a wait for a lock is no fault: one that has it may stand still.
# All is in package variables: there is one crowd in a process.
package Berth::Crowd;

use strict;
use warnings;

use Exporter qw(import);
use List::Util qw(first shuffle);
use Time::HiRes qw(clock_gettime sleep CLOCK_MONOTONIC);

use Berth::Check;
use Berth::Test;

our @EXPORT = qw(@crowd_repos @crowd_tags @crowd_images @crowd_layers %crowd_bytes crowd_now);

my $CHUNK = 4096;

our @crowd_repos = my @repos = ('line/a', 'line/b', 'other/line/c');
our @crowd_tags = my @tags = qw(latest stable v1 v2);
our @crowd_layers = my @layers = map { my $n = $_; join '', map { sha256("layer $n $_") } 1 .. 10 * $n } 1 .. 6;

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
our %crowd_bytes = my %bytes = map { sha256($_) => $_ } map { @{ $_->{parts} } } @images;
our @crowd_images = @images;

my ($crowd, $me, @mine, @history, @fault, %last);
my $doomed = 0;
my $begin = crowd_now();

sub crowd_now { return clock_gettime(CLOCK_MONOTONIC) }
sub fault { push @fault, sprintf 'client %d: %s', $me, join ' ', @_; return }
sub any { return $_[rand @_] }

sub new
{
	my ($class, %o) = @_;

	return $crowd = bless { limit => 120, most => 5000, seed => time, %o }, $class;
}

# numbers - which of the servers a client asks
sub numbers
{
	my ($self, $number) = @_;
	my $cut = $self->{cut_off} // {};
	my @all = 0 .. $#{ $self->{servers} };
	my @whole = grep { !$cut->{$_} } @all;

	return $number % 2 && @whole ? @whole : @all;
}

# ask - a request, noted as one that does this to that; undef where the answer is none
sub ask {
	my ($note, $method, $path, %o) = @_;
	my $h = { c => $me, %$note, from => crowd_now() - $begin };
	my $at = any(@mine);
	my $dead = $crowd->{cut_off} && $crowd->{cut_off}{$at} && content_of("$crowd->{slots}/dead$at");
	my $r = eval { $crowd->{servers}[$at]->req($method, $path, %o, timeout => $crowd->{limit}) };
	my $why = $@;
	$h->{to} = crowd_now() - $begin;
	if ($crowd->{cut_off} && (!$r || $r->status >= 500) && !internal($r)) {
		$dead &&= $dead eq (content_of("$crowd->{slots}/dead$at") // '');
		return in_doubt($h, $dead ? 'cannot connect' : $why) if $crowd->{cut_off}{$at};
		return refused($h) if $r && $r->status == 503;
	}
	return refused($h) if $r && $r->status == 503 && waited($h, $method, $r);
	return fault($method, $path, $why) if !$r;
	$h->{status} = $r->status;
	fault($method, $path, $h->{status}, substr $r->body, 0, 300) if $h->{status} >= 500;
	push @history, $h;
	return $r;
}

# internal - an answer that nothing excuses: berth says it of what it does not know
sub internal { my ($r) = @_; return $r && $r->status == 500 && $r->body =~ /"code":"UNKNOWN"/ }

# in_doubt - a request of which nobody knows whether it was carried out. Of an upload nothing is known any more.
sub in_doubt {
	my ($h, $why) = @_;
	$crowd->{unanswered}++;
	sleep 0.05;
	return if $why && $why =~ /^cannot connect/;
	push @history, { %$h, status => 0, to => undef };
	return;
}

# waited - whether a 503 is the one after a wait for a lock that another one keeps for too long: after 3 s at the least (doc/STORE.md, "Locks")
sub waited { my ($h, $method, $r) = @_; return $h->{to} - $h->{from} >= 3 && ($method eq 'HEAD' || error_fault($r, 503, 'UNAVAILABLE') eq '') }

# refused - by a machine to which nothing happens
sub refused {
	my ($h) = @_;
	$crowd->{refused}++;
	push @history, { %$h, status => 0, refused => 1 };
	return;
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
	for my $try (1 .. 100) {
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
	spew("$crowd->{slots}/doomed.$me", "$repo $d $me " . $doomed++);
	rename "$crowd->{slots}/doomed.$me", "$crowd->{slots}/doomed" or die "$crowd->{slots}: $!";
	sleep 0.01;
	return delete_ref($repo, $d);
}

# looks at a manifest that is about to go until it is gone, and then at once at the tags: none that led to it is listed
sub watch {
	my $old = content_of("$crowd->{slots}/doomed") // '';
	my $until = crowd_now() + 0.3;
	my $new = $old;
	while ($new eq $old) {
		return if crowd_now() > $until;
		sleep 0.002;
		$new = content_of("$crowd->{slots}/doomed") // '';
	}
	my ($repo, $d) = split / /, $new;
	for (1 .. 30) {
		my $r = ask({ do => 'read', repo => $repo, ref => $d }, 'HEAD', "/v2/$repo/manifests/$d") or return;
		return page({ do => 'list', repo => $repo }, "/v2/$repo/tags/list", 'tags', 1) if $r->status != 200;
		$history[-1]{digest} = $r->header('Docker-Content-Digest') // '';
		return if crowd_now() > $until + 0.3;
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
	my $repo = 'new/s' . int(crowd_now() - $begin);
	return mount($repo, sha256($layers[0])) if rand() < 0.5;
	return ask({ do => 'store', repo => $repo }, 'POST', "/v2/$repo/blobs/uploads/?digest=" . sha256('tiny'), body => 'tiny');
}

# an upload that others know of: its path lies in a file
sub shared_upload {
	my $file = "$crowd->{slots}/" . int rand 3;
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

# --- the crowd ----------------------------------------------------------------------------

sub client
{
	my ($self, $number) = @_;

	($me, @history, @fault) = ($number);    # the process may have begun as one that has looked at_rest
	@mine = $self->numbers($me);
	srand $self->{seed} * 64 + $me;
	my $first = crowd_now();
	while (crowd_now() < $self->{until} && @fault < 5 && @history < $self->{most}) {
		if ($self->{even} && @history > $self->{most} * (crowd_now() - $first) / ($self->{until} - $first)) {
			sleep 0.02;
			next;
		}
		any(@wheel)->(any(@repos), any(@tags), any(@images)->{digest});
	}
	return { history => \@history, fault => \@fault, unanswered => $self->{unanswered} // 0, refused => $self->{refused} // 0 };
}

# at_rest - what all can read when nobody writes any more
sub at_rest
{
	my ($self, $number) = @_;

	($me, @history, @fault) = ($number);
	@mine = $self->numbers(0);
	for my $r (@repos) {
		read_ref($r, $_) for @tags, map { $_->{digest} } @images;
		page({ do => 'list', repo => $r }, "/v2/$r/tags/list", 'tags');
	}
	return { history => \@history, fault => \@fault };
}

1;
