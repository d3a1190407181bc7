# SPDX-License-Identifier: Apache-2.0
#
# Berth::RulesModel: what doc/RULES.md says of keep and untagged, once more and as short as can be: what stays in a repository.
#
# A repository is { tags => { NAME => { digest, age } }, pulled => { TAG or DIGEST => age }, manifests => { DIGEST => { children => [DIGEST...],
# subject => DIGEST, type => artifact type, platforms => [...], age } }, marks => { DIGEST => age } }; all ages are in seconds, and how a manifest's
# is meant says the page: since it was pushed, or lost its last tag. marks: what was deleted or moved, and when; may be left out. A rule is { keep => [entries], untagged => seconds, immutable => [patterns] }, each as it counts for the repository, or undef.
package Berth::RulesModel;

use strict;
use warnings;

use Exporter qw(import);

our @EXPORT = qw(model_tags model_round);

my $SIGNATURE = qr/^application\/vnd\.(?:dev\.cosign\.artifact\.sig\.|dev\.sigstore\.bundle\.|cncf\.notary\.signature)/;

# A pattern of tags, as in a shell.
sub matches
{
	my ($pattern, $text) = @_;
	my $re = '';

	while ($pattern =~ /\G(?:(\*)|(\?)|\[([!^]?)([^\]]+)\]|(.))/gs) {
		$re .= $1 ? '.*' : $2 ? '.' : defined $4 ? '[' . ($3 ? '^' : '') . $4 . ']' : quotemeta $5;
	}
	return $text =~ /\A$re\z/s;
}

# spoken_of - the digest that a tag of digest scheme speaks of, or undef
sub spoken_of { return $_[0] =~ /\A(sha256)-([0-9a-f]{64})(?:\.|\z)/ ? "$1:$2" : undef }

sub is_signed
{
	my ($repo, $digest) = @_;
	my $all = $repo->{manifests};

	(my $tag = "$digest.sig") =~ s/:/-/;
	return exists $repo->{tags}{$tag} || grep { ($_->{subject} // '') eq $digest && ($_->{type} // '') =~ $SIGNATURE } values %$all;
}

# holds - the conditions of an entry, but for `newest`
sub holds
{
	my ($repo, $entry, $tag) = @_;
	my $t = $repo->{tags}{$tag};
	my @pulls = grep { defined } map { $repo->{pulled}{$_} } $tag, $t->{digest};

	return 0 if defined $entry->{tag} && !matches($entry->{tag}, $tag);
	return 0 if defined $entry->{pushed} && $t->{age} > $entry->{pushed};
	# A pull is known to the hour, so the last one may have been an hour after that.
	return 0 if defined $entry->{pulled} && !grep { $_ - 3600 <= $entry->{pulled} } @pulls;
	return 0 if defined $entry->{platform} && !grep { $_ eq $entry->{platform} || index($_, "$entry->{platform}/") == 0 }
		@{ ($repo->{manifests}{ $t->{digest} } // {})->{platforms} // [] };
	return 0 if defined $entry->{signed} && !is_signed($repo, $t->{digest}) != !$entry->{signed};
	return 1;
}

# named - whether an entry that names tags keeps a tag of digest scheme whose manifest is not there; the other conditions of times have to hold
sub named
{
	my ($repo, $rule, $tag) = @_;

	return grep { my %e = %$_; delete @e{qw(newest platform signed)}; defined $e{tag} && holds($repo, \%e, $tag) } @{ $rule->{keep} };
}

# model_tags - the tags that stay, as a hash
sub model_tags
{
	my ($repo, $rule) = @_;
	my @tags = sort { $repo->{tags}{$a}{age} <=> $repo->{tags}{$b}{age} || $b cmp $a } keys %{ $repo->{tags} };
	my %stays;

	return { map { $_ => 1 } @tags } if !$rule->{keep} || grep { $repo->{tags}{$_}{age} < -1 } @tags;
	for my $entry (@{ $rule->{keep} }) {
		my @held = grep { !spoken_of($_) && holds($repo, $entry, $_) } @tags;

		splice @held, $entry->{newest} if defined $entry->{newest} && @held > $entry->{newest};
		$stays{$_} = 1 for @held;
	}
	for my $tag (@tags) {
		my $of = spoken_of($tag);

		$stays{$tag} = 1 if $of ? $repo->{manifests}{$of} || named($repo, $rule, $tag) : grep { matches($_, $tag) } @{ $rule->{immutable} // [] };
	}
	return \%stays;
}

# needed - the manifests that these keep, themselves included
sub needed
{
	my ($repo, @roots) = @_;
	my $all = $repo->{manifests};
	my %has;

	while (@roots) {
		my $d = pop @roots;
		next if !$all->{$d} || $has{$d}++;
		push @roots, @{ $all->{$d}{children} // [] }, grep { ($all->{$_}{subject} // '') eq $d } keys %$all;
	}
	return \%has;
}

# model_round - what a collection without a grace period leaves, if no tag was pushed in its second: ({ tags }, { manifests })
# undo: seconds; untagged: gc.untagged is on
sub model_round
{
	my ($repo, $rule, $undo, $untagged) = @_;
	my $stays = model_tags($repo, $rule);
	my $all = $repo->{manifests};
	my $behind = grep { $_->{age} < -1 } values %{ $repo->{tags} };
	my @gone = grep { !$stays->{$_} } keys %{ $repo->{tags} };
	my (%lost, $has);

	return ($stays, { map { $_ => 1 } keys %$all }) if !defined $rule->{untagged} && !$untagged;
	do {
		$lost{ $repo->{tags}{$_}{digest} } = 1 for @gone;
		# With a rule the time begins when the last tag was lost: now.
		my @young = grep { ($lost{$_} && defined $rule->{untagged} ? 0 : $all->{$_}{age}) <= ($rule->{untagged} // 0) } keys %$all;
		my @remembered = $undo ? (keys %lost, grep { $repo->{marks}{$_} <= $undo } keys %{ $repo->{marks} // {} }) : ();
		$has = needed($repo, @young, @remembered, map { $repo->{tags}{$_}{digest} } keys %$stays);
		# A tag of digest scheme goes with the manifest that it speaks of; what it points to has lost its last tag then.
		@gone = $rule->{keep} && !$behind ? grep { my $of = spoken_of($_); $of && !$has->{$of} && !named($repo, $rule, $_) } keys %$stays : ();
		delete @$stays{@gone};
	} while (@gone);
	return ($stays, $has);
}

1;
