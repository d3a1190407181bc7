# SPDX-License-Identifier: Apache-2.0
#
# Berth::Registers: what the answers of a registry say, as operations on registers that Berth::Linear can judge.
#
#   my @faults = history_faults(\@history, there => ['team/app'], tags => ['v1', 'v2']);
#
# An entry of a history is one request: { from, to, do, status, ... }. The fields of each kind stand at its rule below.
# A request without an answer has the status 0, and no `to`: what it asks for may come to be at any moment. One that was refused has the status 0 and a
# member `refused`: it has not made its last step, and perhaps those before it (doc/STORE.md, "The steps"), and does nothing after its end.
# The registers:
#   a tag of a repository      the digest that it points to
#   a manifest of a repository 'there' or nothing
#   an upload                  how many bytes it has, or 'gone'
#   a repository in the catalog 'there' or nothing
# A request that concerns several is one operation on each, and each may take effect at its own moment: a list is no
# picture of one moment, and a DELETE of a manifest takes its tags first. What is promised across them is kept by what
# an answer says of each: who does not find a manifest finds none of its tags at that moment, and a tag that was
# followed to a manifest shows that this is there.
package Berth::Registers;

use strict;
use warnings;

use Exporter qw(import);

use Berth::Linear;

our @EXPORT = qw(history_faults history_registers blob_faults);

sub is_digest { return $_[0] =~ /:/ }

# What is expected of an answer before anything is said of an order.
my %allowed = (
	read => sub { $_[0]{status} =~ /^(?:200|404)$/ },
	put => sub { $_[0]{status} =~ /^(?:201|400)$/ || $_[0]{status} == 412 && (defined $_[0]{match} || defined $_[0]{none_match}) },
	delete => sub { $_[0]{status} =~ /^(?:202|404)$/ || $_[0]{status} == 412 && defined $_[0]{match} },
	list => sub { $_[0]{status} == 200 },
	catalog => sub { $_[0]{status} == 200 },
	append => sub { $_[0]{status} =~ /^(?:202|404)$/ },
	status => sub { $_[0]{status} =~ /^(?:204|404)$/ },
	cancel => sub { $_[0]{status} =~ /^(?:204|404)$/ },
	finish => sub { $_[0]{status} =~ /^(?:201|400|404)$/ },
	store => sub { $_[0]{status} == 201 || $_[0]{mount} && $_[0]{status} == 202 },
	begin => sub { $_[0]{status} == 202 },
	blob => sub { $_[0]{status} =~ /^(?:200|404)$/ },
);

# read: repo, ref, digest (the header's)
sub read_says
{
	my ($h, $w, $say) = @_;
	my $found = $h->{status} == 200;

	if (is_digest($h->{ref})) {
		return "another manifest: $h->{digest}" if $found && $h->{digest} ne $h->{ref};
		$say->("$h->{repo}\@$h->{ref}", is => $found ? 'there' : '');
		$found or $say->("$h->{repo}:$_", not => [$h->{ref}]) for @{ $w->{tags} };
		return;
	}
	$say->("$h->{repo}:$h->{ref}", is => $found ? $h->{digest} : '');
	$say->("$h->{repo}\@$h->{digest}", is => 'there') if $found;
	return;
}

# put: repo, ref, digest (of the bytes), tags (of the query), match, none_match. A 400 changes nothing.
sub put_says
{
	my ($h, $w, $say) = @_;
	my $by_tag = !is_digest($h->{ref});

	if ($h->{status} == 412) {
		$say->("$h->{repo}:$h->{ref}", not => [defined $h->{match} ? $h->{match} : '']);
	} elsif ($h->{status} == 201) {
		my @if = !$by_tag ? () : defined $h->{match} ? (is => $h->{match}) : defined $h->{none_match} ? (is => '') : ();
		$say->("$h->{repo}\@$h->{digest}", set => 'there');
		$say->("$h->{repo}:$_", @if, set => $h->{digest}) for $by_tag ? $h->{ref} : @{ $h->{tags} // [] };
	}
	return;
}

# delete: repo, ref, match
sub delete_says
{
	my ($h, $w, $say) = @_;
	my $gone = $h->{status} == 202;

	if (is_digest($h->{ref})) {
		$say->("$h->{repo}\@$h->{ref}", $gone ? (is => 'there', set => '') : (is => ''));
		$say->("$h->{repo}:$_", $gone ? (drop => $h->{ref}) : (not => [$h->{ref}])) for @{ $w->{tags} };
	} elsif ($h->{status} == 412) {
		$say->("$h->{repo}:$h->{ref}", not => [$h->{match}]);
	} else {
		$say->("$h->{repo}:$h->{ref}", $gone ? (defined $h->{match} ? (is => $h->{match}) : (not => ['']), set => '') : (is => ''));
	}
	return;
}

# A page of a list: names (undef: null), n, last, more. What it says of each name that could be on it. Without n the
# page has room for so many.
sub page_says
{
	my ($h, $room, $all, $say) = @_;
	my @names = @{ $h->{names} // [] };
	my %listed = map { $_ => 1 } @names;
	my %known = map { $_ => 1 } @$all;

	$room = $h->{n} if defined $h->{n};

	return 'names that nobody made: ' . join(' ', grep { !$known{$_} } @names) if grep { !$known{$_} } @names;
	return "not in order, or twice: @names" if grep { $names[ $_ - 1 ] ge $names[$_] } 1 .. $#names;
	return "names up to $h->{last}: @names" if defined $h->{last} && @names && $names[0] le $h->{last};
	return 'more names than asked for' if @names > $room;
	return 'more to come, and the page is not full' if $h->{more} && @names < $room;
	for my $name (@$all) {
		# null says that there is nothing at all, whatever was asked for
		next if defined $h->{last} && $name le $h->{last} && $h->{names};
		$say->($name, $listed{$name}) if !$h->{more} || $name le $names[-1];
	}
	return;
}

sub list_says
{
	my ($h, $w, $say) = @_;

	return page_says($h, 10_000, $w->{tags}, sub { my ($t, $there) = @_; $say->("$h->{repo}:$t", $there ? (not => ['']) : (is => '')) });
}

sub catalog_says
{
	my ($h, $w, $say) = @_;

	return page_says($h, 100, $w->{repos}, sub { my ($r, $there) = @_; $say->("catalog $r", is => $there ? 'there' : '') });
}

# append: upload, n, size (after it). status: upload, size. cancel: upload. finish: upload, size (that the digest is of).
my %upload_says = (
	append => sub { my ($h) = @_; return (is => $h->{size} - $h->{n}, set => $h->{size}) },
	status => sub { my ($h) = @_; return (is => $h->{size}) },
	cancel => sub { return (not => ['gone'], set => 'gone') },
	finish => sub { my ($h) = @_; return $h->{status} == 201 ? (is => $h->{size}, set => 'gone') : (not => [$h->{size}, 'gone'], set => 'gone') },
);

sub upload_op
{
	my ($h, $w, $say) = @_;

	$say->("upload $h->{upload}", $h->{status} == 404 ? (is => 'gone') : $upload_says{ $h->{do} }->($h));
	$say->("catalog $h->{repo}", set => 'there') if $h->{do} eq 'finish' && $h->{status} == 201;
	return;
}

# store: repo, mount (1: one that may end as an ordinary upload): a blob belongs to the repository
sub store_says
{
	my ($h, $w, $say) = @_;

	$say->("catalog $h->{repo}", set => 'there') if $h->{status} == 201;
	return;
}

my %says = (read => \&read_says, put => \&put_says, delete => \&delete_says, list => \&list_says, catalog => \&catalog_says,
	store => \&store_says, begin => sub { }, blob => sub { }, map { $_ => \&upload_op } keys %upload_says);

# in_doubt_says - of a request without an answer, whose status is 0: it may have been carried out at any moment since it was sent; but for its last step,
# if it was refused
sub in_doubt_says
{
	my ($h, $w, $say) = @_;
	my $last = $h->{refused} ? sub { } : $say;
	my $by_digest = defined $h->{ref} && is_digest($h->{ref});

	if ($h->{do} =~ /^(?:store|finish)$/) {
		$say->("catalog $h->{repo}", set => 'there');
	} elsif ($h->{do} eq 'put') {
		$say->("$h->{repo}\@$h->{digest}", set => 'there');
		$say->("$h->{repo}:$_", set => $h->{digest}) for @{ $h->{tags} // [] };
		$last->("$h->{repo}:$h->{ref}", set => $h->{digest}) if !$by_digest;
	} elsif ($h->{do} eq 'delete' && $by_digest) {
		$say->("$h->{repo}:$_", drop => $h->{ref}) for @{ $w->{tags} };
		$last->("$h->{repo}\@$h->{ref}", set => '');
	} elsif ($h->{do} eq 'delete') {
		$last->("$h->{repo}:$h->{ref}", set => '');
	}
	return;
}

# history_registers - ({ register => [operations] }, faults of answers that no state allows). Options:
#   tags   all names of tags
#   there  the repositories that exist from the beginning; others come to exist
sub history_registers
{
	my ($history, %o) = @_;
	my %repos = map { $_ => 1 } @{ $o{there} }, map { $_->{repo} } grep { $_->{do} =~ /^(?:store|finish)$/ } @$history;
	my $world = { tags => [sort @{ $o{tags} }], repos => [sort keys %repos] };
	my (%registers, @faults);
	my %lost = map { $_->{upload} => 1 } grep { $_->{status} eq '0' && !$_->{refused} && defined $_->{upload} } @$history;

	for my $h (@$history) {
		my $what = describe_request($h);
		my $say = sub {
			my ($register, @says) = @_;
			return if $register =~ /^upload (.*)/ && $lost{$1};
			push @{ $registers{$register} }, { from => $h->{from}, to => $h->{to}, maybe => $h->{status} eq '0', @says, what => $what };
		};
		if ($h->{status} eq '0') {
			in_doubt_says($h, $world, $say);
			next;
		}
		if (!$allowed{ $h->{do} }->($h)) {
			push @faults, "no answer for it: $what";
			next;
		}
		my $fault = $says{ $h->{do} }->($h, $world, $say);
		push @faults, "$fault: $what" if $fault;
	}
	return (\%registers, @faults);
}

sub describe_request
{
	my ($h) = @_;

	return join ' ', "client $h->{c}:", $h->{do}, map { my $v = $h->{$_}; "$_=" . (ref $v ? join ',', @$v : $v) =~ s/sha256:(.{8})\w*/$1/gr }
		grep { defined $h->{$_} } qw(repo upload ref digest tags match none_match n last size names more status);
}

# history_faults - all that is wrong with a history, as text; options as above
sub history_faults
{
	my ($history, %o) = @_;
	my ($registers, @faults) = history_registers($history, %o);
	my %initial = ((map { ("catalog $_" => 'there') } @{ $o{there} }), map { ($_ => 0) } grep { /^upload / } keys %$registers);

	for my $r (sort keys %$registers) {
		my $fault = linear_fault($registers->{$r}, $initial{$r} // '');
		push @faults, "$r: $fault" if $fault ne '';
	}
	push @faults, blob_faults($history);
	return @faults;
}

# blob_faults - blobs of a manifest that were missing although nobody had deleted it since it was found
# blob: repo, digest, of (the manifest), since (when that one was asked for)
sub blob_faults
{
	my ($history) = @_;
	my (%deleted, @faults);

	for my $h (@$history) {
		push @{ $deleted{"$h->{repo} $h->{ref}"} }, $h if $h->{do} eq 'delete' && $h->{status} =~ /^(?:202|0)$/ && !$h->{refused};
	}
	for my $h (grep { $_->{do} eq 'blob' && $_->{status} == 404 && defined $_->{of} } @$history) {
		push @faults, "the manifest $h->{of} was there and lacks $h->{digest}: " . describe_request($h)
			if !grep { $_->{from} < $h->{to} && (!defined $_->{to} || $_->{to} > $h->{since}) } @{ $deleted{"$h->{repo} $h->{of}"} // [] };
	}
	return @faults;
}

1;
