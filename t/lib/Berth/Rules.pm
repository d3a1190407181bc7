# SPDX-License-Identifier: Apache-2.0
#
# Berth::Rules: what the tests of rules share: a store with rules, and times in it that the test moves: of pushes, pulls and rules.
package Berth::Rules;

use strict;
use warnings;

use Digest::SHA ();
use Exporter qw(import);
use Fcntl qw(:flock);
use JSON::PP ();
use Time::HiRes ();

use Berth::Test;
use Berth::Check;
use Berth::GC;
use Berth::Undo;

our @EXPORT = qw(
	DAY HOUR ruled_store rules_cmd rules rules_ok rules_told rules_total stays_of
	pushed_at pulls_noted_since as_locked repository_now age_repository pulled_at pulled_file pulled_of rules_files seen_at last_run tags_on_disk manifests_on_disk revision_at
);

use constant { HOUR => 3600, DAY => 24 * 3600 };

# ruled_store - a store without a server that has a configuration of its own, where pulls were always noted
sub ruled_store
{
	my ($config, $root) = @_;
	my $s = bare_store($root);

	$s->{config} = tmp_dir() . '/berth.conf';
	spew($s->{config}, $config);
	pulls_noted_since($s, 1);
	return bless $s, 'Berth::Rules::Store';
}

# rules_cmd - the words of `berth rules`; rules - run()'s result; rules_ok - and it ends with 0 and complains of nothing
sub rules_cmd { my ($s, @o) = @_; return (program('berth'), '--config', $s->config_file, '--root', $s->root, 'rules', @o) }
sub rules { return run(rules_cmd(@_)) }

sub rules_ok
{
	my $title = pop;
	my $r = rules(@_);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($r->{status} == 0 && $r->{err} eq '', $title) or diag("status $r->{status}\n$r->{out}$r->{err}");
	return $r;
}

# rules_told - the objects that --json printed, but for the sum; rules_total - the sum
sub rules_told { my ($r) = @_; return grep { $_->{kind} eq 'tag' } map { JSON::PP->new->utf8->decode($_) } split /\n/, $r->{out} }
sub rules_total { my ($r) = @_; my ($l) = grep { /"summary"/ } split /\n/, $r->{out}; return JSON::PP->new->utf8->decode($l // '{}') }

# stays_of - the tags that a dry run lets stay, of one repository
sub stays_of
{
	my ($s, $repo) = @_;
	my $r = rules($s, 'apply', '--dry-run', '--json', '--repo', $repo);

	return "status $r->{status}: $r->{err}" if $r->{status};
	return join ' ', map { $_->{tag} } grep { $_->{stays} } rules_told($r);
}

sub tag_dir { my ($s, $repo, $tag) = @_; (my $d = tag_link($s, $repo, $tag)) =~ s{/link\z}{}; return $d }

# pushed_at - the tag was pushed then (seconds since the epoch, fractions too)
sub pushed_at
{
	my ($s, $repo, $tag, $when) = @_;
	my $dir = tag_dir($s, $repo, $tag);

	unlink glob "$dir/pushed-*";
	unlink $s->root . "/berth/index/$repo/_summary";        # which knows nothing of this
	return spew(sprintf('%s/pushed-%016x', $dir, int($when * 1e6)), '');
}

# pulled_file - where the pull of a tag or digest is noted; pulled_at - it was then; pulled_of - when it was, undef: never
sub pulled_file
{
	my ($s, $repo, $ref) = @_;

	return $s->root . "/berth/pulled/$repo/" . ($ref =~ /^(\w+):(\w+)\z/ ? "_digests/$1/$2" : "_tags/$ref");
}

sub pulled_at
{
	my ($s, $repo, $ref, $when) = @_;
	my $f = pulled_file($s, $repo, $ref);

	lay_file($f, '') if !-e $f;
	utime $when, $when, $f or die "$f: $!";
	return;
}

# pulls_noted_since - pulls are noted since then; undef: nobody knows
sub pulls_noted_since
{
	my ($s, $when) = @_;
	my $f = $s->root . '/berth/pulled/_since';

	unlink $f;
	return if !defined $when;
	lay_file($f, '');
	utime $when, $when, $f or die "$f: $!";
	return;
}

sub pulled_of { return (lstat pulled_file(@_))[9] }

# revision_at - a manifest was pushed then, or lost its last tag: link and content get that time
sub revision_at
{
	my ($s, $repo, $digest, $when) = @_;

	utime $when, $when, revision_link($s, $repo, $digest), blob_file($s, $digest);
	return;
}

# rules_files - the rules that were seen; seen_at - all of them were seen then; last_run - when rules ran last
sub rules_files { my ($s) = @_; return grep { m{/(?:keep|untagged)-[0-9a-f]{64}\z} } glob $s->root . '/berth/rules/*' }
sub seen_at { my ($s, $when) = @_; spew($_, "$when\n") for rules_files($s); return }
sub last_run { my ($s) = @_; return (split ' ', content_of($s->root . '/berth/rules/last') // '0')[0] }

# as_locked - do something with the lock of a repository, and nothing that the code changes is changed by others meanwhile
sub as_locked
{
	my ($s, $repo, $code) = @_;
	my $file = $s->root . '/berth/locks/repository/' . substr Digest::SHA::sha256_hex($repo), 0, 2;

	open my $lock, '>>', $file or die "$file: $!";
	flock $lock, LOCK_EX or die "$file: $!";
	return $code->();
}

sub names_in { my ($dir) = @_; opendir my $h, $dir or return; return grep { !/^\./ } readdir $h }

# repository_now - what lies there, as the model wants it: tags, pulls, manifests without what is in them, marks
sub repository_now
{
	my ($s, $repo) = @_;
	my $now = Time::HiRes::time();
	my ($dir, $pulled, $out) = (data_dir($s) . "/repositories/$repo/_manifests", $s->root . "/berth/pulled/$repo", { map { $_ => {} } qw(tags pulled manifests marks) });

	for my $tag (names_in("$dir/tags")) {
		my ($pushed) = pushed_of($s, $repo, $tag);
		my $d = content_of(tag_link($s, $repo, $tag)) // next;
		$out->{tags}{$tag} = { digest => $d, age => $now - $pushed / 1e6 };
	}
	for my $hex (names_in("$dir/revisions/sha256")) {
		my @times = sort map { (stat $_)[9] // () } revision_link($s, $repo, "sha256:$hex"), blob_file($s, "sha256:$hex");
		$out->{manifests}{"sha256:$hex"} = { age => $now - $times[-1] } if @times == 2;
	}
	for (map({ ["_tags/$_", $_] } names_in("$pulled/_tags")), map { ["_digests/sha256/$_", "sha256:$_"] } names_in("$pulled/_digests/sha256")) {
		my $when = (lstat "$pulled/$_->[0]")[9] // next;
		$out->{pulled}{ $_->[1] } = $now - $when;
	}
	for my $name (marks_of($s, $repo)) {
		my $mark = mark_says($name) or next;
		my ($d, $age) = ($mark->{digest}, $now - $mark->{time} / 1e6);
		$out->{marks}{$d} = $age if !defined $out->{marks}{$d} || $age < $out->{marks}{$d};
	}
	return $out;
}

# age_repository - everything of a repository happened that many seconds earlier
sub age_repository
{
	my ($s, $repo, $seconds) = @_;
	my ($dir, $pulled) = (data_dir($s) . "/repositories/$repo/_manifests", $s->root . "/berth/pulled/$repo");
	my $earlier = sub { for (@_) { my $when = (lstat $_)[9] // next; utime $when - $seconds, $when - $seconds, $_ } };

	for my $tag (names_in("$dir/tags")) {
		my ($pushed) = pushed_of($s, $repo, $tag) or next;
		pushed_at($s, $repo, $tag, $pushed / 1e6 - $seconds);
	}
	$earlier->(map { (revision_link($s, $repo, "sha256:$_"), blob_file($s, "sha256:$_")) } names_in("$dir/revisions/sha256"));
	$earlier->(map({ "$pulled/_tags/$_" } names_in("$pulled/_tags")), map { "$pulled/_digests/sha256/$_" } names_in("$pulled/_digests/sha256"));
	age_marks($s, $repo, $seconds);
	return;
}

# What lies there: "repository tag", "repository digest".
sub tags_on_disk
{
	my ($s, $repo) = @_;
	my @t = map { m{^(.*)/_manifests/tags/([^/]+)/current/link\z} && (!defined $repo || $1 eq $repo) ? (defined $repo ? $2 : "$1 $2") : () }
		files_below(data_dir($s) . '/repositories');

	return join ' ', sort @t;
}

sub manifests_on_disk
{
	my ($s, $repo) = @_;
	my @m = map { m{^(.*)/_manifests/revisions/(\w+)/(\w+)/link\z} && $1 eq $repo ? "$2:$3" : () } files_below(data_dir($s) . '/repositories');

	return join ' ', sort @m;
}

package Berth::Rules::Store;
use parent -norequire, 'Berth::GC';
sub config_file { return $_[0]{config} }

1;
