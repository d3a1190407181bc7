# SPDX-License-Identifier: Apache-2.0
#
# Berth::Undo: what a store remembers of tags and manifests that went (src/store/undo.h), and when its tags were pushed. As it lies on disk, without berth.
#
#   age_marks($s, 'team/app', 24 * 3600);           # a day goes by
#   is undo_fault($s), '', 'all that went is remembered';
package Berth::Undo;

use strict;
use warnings;

use Exporter 'import';
use MIME::Base64 ();

use Berth::Check;
use Berth::Events;
use Berth::Test;

our @EXPORT = qw(marks_of mark_says age_marks pushed_of undo_fault);

# the microseconds of a name's 16 digits
sub usec_of { no warnings 'portable'; return hex $_[0] }

# marks_of - the names of a repository's marks
sub marks_of
{
	my ($s, $repo) = @_;
	my @names;

	if (opendir my $d, $s->root . "/berth/undo/$repo/_marks") {
		@names = sort grep { !/\A\.\.?\z/ } readdir $d;
	}
	return @names;
}

# mark_says - { time, kind => 'm', 'd' or 'x', digest, tag } of a name; nothing if it is no mark
sub mark_says
{
	my ($time, $kind, $alg, $digest, $tag) = $_[0] =~ /\A([0-9a-f]{16})\.([mdx])([ab])([A-Za-z0-9_-]+)(?:\.(.+))?\z/s or return;
	my $hex = unpack 'H*', MIME::Base64::decode_base64url($digest);

	return { time => usec_of($time), kind => $kind, digest => ($alg eq 'a' ? 'sha256:' : 'sha512:') . $hex, tag => $tag };
}

# age_marks - the marks of a repository are that many seconds older
sub age_marks
{
	my ($s, $repo, $seconds) = @_;
	my $dir = $s->root . "/berth/undo/$repo/_marks";

	for my $name (marks_of($s, $repo)) {
		my ($time, $rest) = $name =~ /\A([0-9a-f]{16})(\..*)\z/ or next;
		rename "$dir/$name", sprintf '%s/%016x%s', $dir, usec_of($time) - $seconds * 1_000_000, $rest or die "$name: $!";
	}
	return;
}

# pushed_of - the names that say when a tag was pushed, as microseconds, the greatest first
sub pushed_of
{
	my ($s, $repo, $tag) = @_;
	opendir my $d, data_dir($s) . "/repositories/$repo/_manifests/tags/$tag/current" or return;
	my @times = sort { $b <=> $a } map { /\Apushed-([0-9a-f]{16})\z/ ? usec_of($1) : () } readdir $d;

	return @times;
}

# undo_fault - what the journal tells of that is there no more, and that no mark remembers; '' if there is none
sub undo_fault
{
	my ($s) = @_;
	my (%was, %marked, @bad);
	my $is = store_state($s);

	for my $e (events($s)) {
		next if $e->{action} !~ /^(?:push|move)$/;
		$was{"$e->{repository}\@$e->{digest}"} = [$e->{repository}, $e->{digest}];
		$was{"$e->{repository}:$e->{tag}=$e->{digest}"} = [$e->{repository}, $e->{digest}, $e->{tag}] if defined $e->{tag};
	}
	for my $repo (keys %{ { map { $_->[0] => 1 } values %was } }) {
		for my $m (map { mark_says($_) // () } marks_of($s, $repo)) {
			$marked{"$repo\@$m->{digest}"} = 1;
			$marked{"$repo:$m->{tag}=$m->{digest}"} = 1 if defined $m->{tag};
		}
	}
	for my $key (sort keys %was) {
		my ($repo, $digest, $tag) = @{ $was{$key} };
		my $there = defined $tag ? ($is->{"$repo:$tag"} // '') eq $digest : $is->{$key};
		push @bad, $key if !$there && !$marked{$key};
	}
	return join ', ', @bad;
}

1;
