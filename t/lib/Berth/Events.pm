# SPDX-License-Identifier: Apache-2.0
#
# Berth::Events: the journal as the tests read it, and whether it tells what the store has become.
#
#   my @events = events($s);                # all of them, decoded; of a server, or of a store
#   is journal_fault($s), '', 'the journal tells all';
package Berth::Events;

use strict;
use warnings;

use Exporter 'import';
use File::Find ();
use JSON::PP ();

use Berth::Check;
use Berth::Repo;
use Berth::Test;

our @EXPORT = qw(events journal_fault told_state store_state);

sub events
{
	my ($s, @o) = @_;
	my $r = berth($s, 'events', '--json', @o);
	my $json = JSON::PP->new->utf8;

	die "berth events: $r->{err}" if $r->{status} || $r->{err} ne '';
	return map { $json->decode($_) } split /\n/, $r->{out};
}

# told_state - what tags and manifests there are if every event took place: { "repo:tag" => digest, "repo@digest" => 1 }
sub told_state
{
	my %state;

	for my $e (@_) {
		my ($repo, $tag, $digest) = @$e{qw(repository tag digest)};

		if ($e->{action} eq 'push' || $e->{action} eq 'move') {
			$state{"$repo\@$digest"} = 1;
			$state{"$repo:$tag"} = $digest if defined $tag;
		} elsif ($e->{action} eq 'untag') {
			delete $state{"$repo:$tag"};
		} elsif ($e->{action} eq 'delete') {
			delete $state{"$repo\@$digest"};
		} elsif ($e->{action} eq 'remove') {
			delete @state{ grep { /^\Q$repo\E[:@]/ } keys %state };
		} elsif ($e->{action} eq 'rename') {
			for my $key (grep { /^\Q$e->{from}\E[:@]/ } keys %state) {
				my ($rest) = $key =~ /^\Q$e->{from}\E(.*)/;
				$state{"$repo$rest"} = delete $state{$key};
			}
		}
	}
	return \%state;
}

# store_state - the same from what lies on disk
sub store_state
{
	my ($s) = @_;
	my $top = data_dir($s) . '/repositories';
	my %state;

	File::Find::find({ no_chdir => 1, wanted => sub {
		return if !m{^\Q$top\E/(.+)/_manifests/(?:tags/([^/]+)/current|revisions/(\w+)/(\w+))/link\z};
		my ($repo, $tag, $digest) = ($1, $2, defined $4 ? "$3:$4" : undef);
		my $text = slurp($_);
		$state{ defined $tag ? "$repo:$tag" : "$repo\@$digest" } = defined $tag ? $text : 1 if length $text;
	} }, $top);
	return \%state;
}

# journal_fault - where the two differ, '' if nowhere; with cut => 1 only of what the events that are left speak of; with but => code, which gets
# "repo:tag" or "repo@digest", not where that says that it may be
sub journal_fault
{
	my ($s, %o) = @_;
	my @events = events($s);
	my ($told, $is) = (told_state(@events), store_state($s));
	my %spoken = map { my $e = $_; map { ($_ => 1) } "$e->{repository}\@" . ($e->{digest} // ''), "$e->{repository}:" . ($e->{tag} // '') } @events;
	my @bad;

	for my $key (grep { !$o{cut} || $spoken{$_} } sort keys %{ { %$told, %$is } }) {
		my ($t, $i) = map { $_->{$key} // 'nothing' } $told, $is;
		push @bad, "$key: told $t, is $i" if $t ne $i && !($o{but} && $o{but}->($key));
	}
	return @bad ? @bad . ' differ: ' . join '; ', @bad[0 .. ($#bad < 9 ? $#bad : 9)] : '';
}

1;
