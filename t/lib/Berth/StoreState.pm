# SPDX-License-Identifier: Apache-2.0
#
# Berth::StoreState: whether a state of Berth::PowerCut is a store that keeps its promises, without asking berth.
#
#   my @faults = faults_of($state);                 # one line each; what is merely garbage is none
#   my $d = what_is($state, 'tag', 'team/app', 'v1');       # undef where it is gone
package Berth::StoreState;

use strict;
use warnings;

use Digest::SHA qw(sha256_hex sha512_hex);
use Exporter 'import';
use JSON::PP ();

use Berth::PowerCut;
use Berth::Undo ();

our @EXPORT = qw(faults_of what_is named_by listing_of forgotten);

my $V2 = 'docker/registry/v2';

sub text { my ($state, $path) = @_; my $id = $state->{$path} // 'd'; return $id eq 'd' ? undef : Berth::PowerCut::content($id) }
sub blob { my ($d) = @_; my ($alg, $hex) = split /:/, $d, 2; return "$V2/blobs/$alg/" . substr($hex, 0, 2) . "/$hex/data" }
sub below { my ($repo, $what, $d) = @_; return "$V2/repositories/$repo/$what/" . $d =~ tr{:}{/}r . '/link' }
sub layer { return below($_[0], '_layers', $_[1]) }
sub revision { return below($_[0], '_manifests/revisions', $_[1]) }
sub tag { return "$V2/repositories/$_[0]/_manifests/tags/$_[1]/current/link" }

# what_is - 'tag', repository, tag: the digest; 'manifest' or 'blob', repository, digest: that digest
sub what_is
{
	my ($state, $kind, $repo, $what) = @_;

	return text($state, $kind eq 'tag' ? tag($repo, $what) : $kind eq 'manifest' ? revision($repo, $what) : layer($repo, $what));
}

my (%right, %parsed);

# Whether a content is that of a digest. Contents are few, states are many: each is hashed once.
sub is_right
{
	my ($id, $d) = @_;

	return $right{"$id $d"} //= do {
		my ($alg, $hex) = split /:/, $d, 2;
		my $bytes = Berth::PowerCut::content($id);
		($alg eq 'sha512' ? sha512_hex($bytes) : sha256_hex($bytes)) eq $hex ? 1 : 0;
	};
}

# What a manifest names: { layers => [digests], manifests => [...], subject => digest }
sub parsed
{
	my ($id) = @_;

	return $parsed{$id} //= do {
		my $m = eval { JSON::PP->new->utf8->decode(Berth::PowerCut::content($id)) } // {};
		{ layers => [map { $_->{digest} } grep { $_ } $m->{config}, @{ $m->{layers} // [] }],
			manifests => [map { $_->{digest} } @{ $m->{manifests} // [] }], subject => $m->{subject} && $m->{subject}{digest} };
	};
}

# named_by - the digests of the blobs that a manifest names
sub named_by
{
	my ($state, $d) = @_;
	my $id = $state->{ blob($d) } // return [];

	return parsed($id)->{layers};
}

sub well_formed { return defined $_[0] && $_[0] =~ /\Asha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})\z/ }

# A link: it says the digest of its directory, and that content is there with the right bytes.
sub link_fault
{
	my ($state, $path, $d) = @_;
	my $is = text($state, $path) // return "$path: no file";

	return "$path says '$is'" if $is ne $d;
	return "$path: nothing lies under $d" if !defined $state->{ blob($d) };
	return '';
}

sub manifest_faults
{
	my ($state, $repo, $d) = @_;
	my $id = $state->{ blob($d) } // return;
	my $m = parsed($id);
	my @bad;

	return if exists $state->{"berth/mirror/$repo"};        # a mirror has of an image what was asked for
	push @bad, map { "$repo\@$d names the blob $_, which is not in the repository" } grep { !defined $state->{ layer($repo, $_) } } @{ $m->{layers} };
	push @bad, map { "$repo\@$d names the manifest $_, which is not in the repository" } grep { !defined $state->{ revision($repo, $_) } } @{ $m->{manifests} };
	return @bad;
}

# The names of a sorted set (src/store/sorted.h), or undef where it is damaged.
sub sorted_set
{
	my ($state, $dir) = @_;
	my $root = text($state, "$dir/root") // return {};
	my ($head, @leaves) = split /\n/, $root;
	my %names;

	return if ($head // '') !~ /\A\d+ \d+\z/ || !@leaves || $root !~ /\n\z/;
	for my $n (0 .. $#leaves) {
		my ($id) = $leaves[$n] =~ /\A(\d+) / or return;
		my ($beyond) = $n < $#leaves ? $leaves[$n + 1] =~ /\A\d+ (.*)\z/ : ();
		my $leaf = text($state, "$dir/$id") // return;
		$names{$_} = 1 for grep { !defined $beyond || $_ lt $beyond } split /\n/, $leaf;
	}
	return \%names;
}

sub holds { my ($state, $file) = @_; my $epoch = text($state, 'berth/index/_epoch'); return defined $epoch && (text($state, $file) // '') eq $epoch }

# An index that says that it holds names all that is there.
sub index_faults
{
	my ($state, $repo, $r) = @_;
	my $dir = "berth/index/$repo";
	my ($names, $pairs) = map { sorted_set($state, "$dir/$_") } qw(_names _tags);
	my @bad;

	return if !holds($state, "$dir/_epoch");
	return "the index of $repo is damaged" if !$names || !$pairs;
	for my $t (sort keys %{ $r->{tags} }) {
		push @bad, "the index of $repo lacks the tag $t" if !$names->{$t};
		push @bad, "the index of $repo lacks what $t points to" if !$pairs->{"$r->{tags}{$t} $t"};
	}
	for my $d (sort keys %{ $r->{manifests} }) {
		my $id = $state->{ blob($d) } // next;
		my $subject = parsed($id)->{subject} // next;
		my $entry = text($state, "$dir/_referrers/" . $subject =~ tr{:}{/}r . "/$d") // '';
		push @bad, "the index of $repo lacks the referrer $d" if !eval { JSON::PP->new->utf8->decode($entry)->{digest} eq $d };
	}
	return @bad;
}

# What a summary says (src/store/summary.h): { tag => digest, or '' for one in doubt }; nothing where there is none with the mark in force (src/store/believed.h), or a reader sees that it is corrupt.
sub summary_says
{
	my ($state, $repo) = @_;
	my $t = text($state, "berth/index/$repo/_summary") // return;
	my ($in, @n) = $t =~ /\Aberth-summary 1 ([0-9a-f]{32}) ([0-9a-f]{16}) ([0-9a-f]{16}) ([0-9a-f]{16}) ([0-9a-f]{16})\n/ or return;
	my ($count, @len) = map { hex } @n;
	my $at = 17 + 32 + 4 * 17 + $len[0] + $len[1];
	my %says;

	return if "-> $in" ne (text($state, 'berth/index/_fallback') // '') || length $t < $at + 2 * $len[2];
	for my $line (split /\n/, substr $t, $at, $len[2]) {
		my ($key, $d) = $line =~ /\A[0-9a-f]{16} (\S+) (\S+) [^\0]*\z/ or return;
		$says{$key} = $d;
	}
	my %said;
	for my $line (map { /\A([^\0]+) ;\z/ ? $1 : () } split /\n/, substr $t, $at + 2 * $len[2]) {
		if ($line =~ /\A\?[no] (.+)\z/) { $says{$1} = ''; $said{$1} = 1 }
		elsif ($line =~ /\A=[0-9a-f]{16} (\S+) (\S+) /) { $says{$1} = $2 if $said{$1} }
		elsif ($line =~ /\A-(.+)\z/) { delete $says{$1} if $said{$1} }
	}
	return \%says;
}

# A row that a reader believes is right, and none is missing.
sub summary_faults
{
	my ($state, $repo, $r) = @_;
	my $says = summary_says($state, $repo) // return;
	my %tags = map { ($_ => 1) } keys %$says, keys %{ $r->{tags} };
	my @bad;

	for my $t (sort keys %tags) {
		my ($is, $said) = ($r->{tags}{$t} // 'no tag', $says->{$t} // 'no tag');
		push @bad, "the summary of $repo says of $t that it is $said, not $is" if $said ne '' && $said ne $is;
	}
	return @bad;
}

# repositories_of - what the links say: { repository => { tags => { tag => digest }, manifests => { digest => 1 } } }
sub repositories_of
{
	my ($state) = @_;
	my %r;

	for my $path (keys %$state) {
		my ($repo, $rest) = $path =~ m{\A\Q$V2\E/repositories/(.+?)/(_(?:layers|manifests)(?:/.*)?)\z}s or next;
		$r{$repo} //= { tags => {}, manifests => {} };
		next if $rest !~ m{/link\z};
		$r{$repo}{tags}{$1} = text($state, $path) // '' if $rest =~ m{\A_manifests/tags/([^/]+)/current/link\z};
		$r{$repo}{manifests}{"$1:$2"} = 1 if $rest =~ m{\A_manifests/revisions/(\w+)/(\w+)/link\z};
	}
	return \%r;
}

# listing_of - what a registry has to list: { catalog => [...], tags => { repository => [...] }, rows => { repository => { tag => digest } }, referrers => { repository => { subject => [...] } } }
sub listing_of
{
	my ($state) = @_;
	my $r = repositories_of($state);
	my %out = (catalog => [sort keys %$r], tags => {}, rows => {}, referrers => {});

	for my $repo (keys %$r) {
		$out{tags}{$repo} = [sort keys %{ $r->{$repo}{tags} }];
		$out{rows}{$repo} = { %{ $r->{$repo}{tags} } };
		for my $d (sort keys %{ $r->{$repo}{manifests} }) {
			my $subject = parsed($state->{ blob($d) } // next)->{subject} // next;
			push @{ $out{referrers}{$repo}{$subject} }, $d;
		}
	}
	return \%out;
}

# journal_faults - tags and manifests of which the journal does not tell that they were pushed
sub journal_faults
{
	my ($state, $r) = @_;
	my %told;

	for my $line (map { split /\n/, (text($state, $_) // '') =~ s/\0.*//sr } sort grep { m{\Aberth/journal/[0-9a-f]{14}\z} } keys %$state) {
		my $e = $line =~ /\A[?+](\{.*\})\z/ ? eval { JSON::PP->new->utf8->decode($1) } : undef;
		next if !$e || $e->{action} !~ /^(?:push|move)$/;
		$told{"$e->{repository}\@$e->{digest}"} = 1;
		$told{"$e->{repository}:$e->{tag}=$e->{digest}"} = 1 if defined $e->{tag};
	}
	return map { my $repo = $_;
		(map { $told{"$repo:$_=$r->{$repo}{tags}{$_}"} ? () : "the journal does not tell of $repo:$_" } sort keys %{ $r->{$repo}{tags} }),
		(map { $told{"$repo\@$_"} ? () : "the journal does not tell of $repo\@$_" } sort keys %{ $r->{$repo}{manifests} })
	} sort keys %$r;
}

# The table of the quota of all repositories (src/store/quota_table.h), if it is one of this epoch: what it says once the intents in it are settled,
# { key => [links, bytes] }, and the sum; nothing where it does not count.
sub quota_settled
{
	my ($state) = @_;
	my $t = text($state, "berth/quota/" . sha256_hex('')) // return;
	my $epoch = text($state, 'berth/index/_epoch') // '';

	return if length $t < 4096;
	my ($magic, $in, $gone, $broken, $used, $slots) = unpack 'x0 Q x8 a32 L L Q x16 Q', $t;
	return if !$magic || $gone || $broken || $in ne $epoch || length $t < 4096 + 32 * $slots;
	my @records = map { [unpack 'H40 L Q', substr $t, 4096 + 32 * $_, 32] } 0 .. $slots - 1;
	for my $at (816, 352) {
		my ($pending, $kind, $was, $fresh, $there, $slot, $key, $count, $had, $size, $called, $repo) = unpack 'L L L L L x4 Q H40 L Q Q Z136 Z256', substr $t, $at, 464;
		next if !$pending;
		$there = defined text($state, ($kind ? \&revision : \&layer)->($repo, $called)) ? 1 : 0 if $pending == 1;
		my $now = $count + $there - $was;
		$records[$slot] = [$key, $now, $there ? $size : $had] if $now || !$fresh;
		next if $pending != 1;
		$used -= $had if $count;
		$used += $records[$slot][2] if $now;
	}
	return ({ map { $_->[1] ? ($_->[0] => [@$_[1, 2]]) : () } @records }, $used);
}

# quota_faults - what is wrong with it
sub quota_faults
{
	my ($state) = @_;
	my ($says, $used) = quota_settled($state) or return;
	my (%links, @bad);
	my $sum = 0;

	for (keys %$state) {
		next if !m{/_(?:layers|manifests/revisions)/\w+/\w+/link\z};
		my $d = text($state, $_) // next;
		my $id = $state->{ blob($d) };
		my $l = $links{ substr $d =~ s/.*://r, 0, 40 } //= [0, defined $id && $id ne 'd' ? length Berth::PowerCut::content($id) : 0];
		$l->[0]++;
	}
	$sum += $_->[1] for values %links;
	push @bad, "the table of the quota says $used bytes, not $sum" if $used != $sum;
	for (sort keys %{ { %links, %$says } }) {
		my ($is, $want) = map { $_ ? "@$_" : 'nothing' } $says->{$_}, $links{$_};
		push @bad, "the table of the quota says '$is' of $_, not '$want'" if $is ne $want;
	}
	return @bad;
}

# timeless - tags without a time of their push
sub timeless
{
	my ($state, $r) = @_;
	my %timed = map { m{\A\Q$V2\E/repositories/(.+?)/_manifests/tags/([^/]+)/current/pushed-[0-9a-f]{16}\z} ? ("$1:$2" => 1) : () } keys %$state;

	return map { my $repo = $_; map { $timed{"$repo:$_"} ? () : "$repo:$_ has no time of its push" } sort keys %{ $r->{$repo}{tags} } } sort keys %$r;
}

# forgotten - of what there was (keys of the hash, "tag REPOSITORY TAG DIGEST" or "manifest REPOSITORY DIGEST") that which is not there and has no mark
sub forgotten
{
	my ($state, $had) = @_;
	my (%marked, @bad);

	for my $path (keys %$state) {
		my ($repo, $name) = $path =~ m{\Aberth/undo/(.+)/_marks/([^/]+)\z} or next;
		my $m = Berth::Undo::mark_says($name) // next;
		$marked{"manifest $repo $m->{digest}"} = 1;
		$marked{"tag $repo $m->{tag} $m->{digest}"} = 1 if defined $m->{tag};
	}
	for my $k (sort keys %$had) {
		my ($kind, $repo, $what, $digest) = split / /, $k;
		push @bad, "$k is gone, and no mark remembers it" if (what_is($state, $kind, $repo, $what) // '') ne ($digest // $what) && !$marked{$k};
	}
	return @bad;
}

# faults_of - options: quota => 1 if the table of the quota of all repositories has to be right; undo => 1 if each tag has to have the time of its push; journal => 1 if it has to tell of each tag and manifest; indexes => 1 if they are believed; past => 1 if the links of a tag's past are never empty; mirror => a pattern of repositories whose manifests may name what is not there
sub faults_of
{
	my ($state, %o) = @_;
	my $r = repositories_of($state);
	my @bad;

	for my $path (keys %$state) {
		if ($state->{$path} eq 'd') {
			push @bad, "$path holds no link" if $path =~ m{/_(?:layers|manifests/revisions)/\w+/\w+\z} && !defined $state->{"$path/link"};
			push @bad, "$path is no tag" if $path =~ m{/_manifests/tags/[^/]+\z} && !defined $state->{"$path/current/link"};
			next;
		}
		if ($path =~ m{\A\Q$V2\E/blobs/(\w+)/../(\w+)/data\z}) {
			push @bad, "$path has wrong bytes" if !is_right($state->{$path}, "$1:$2");
		} elsif ($path =~ m{/_(?:layers|manifests/revisions)/(\w+)/(\w+)/link\z}) {
			push @bad, grep { $_ } link_fault($state, $path, "$1:$2");
		} elsif ($path =~ m{/_manifests/tags/[^/]+/index/(\w+)/(\w+)/link\z}) {
			my ($is, $of) = (text($state, $path), "$1:$2");
			push @bad, "$path says '$is'" if $is ne $of && ($o{past} || $is !~ /\A\0*\z/);
		}
	}
	for my $repo (sort keys %$r) {
		for my $t (sort keys %{ $r->{$repo}{tags} }) {
			my $d = $r->{$repo}{tags}{$t};
			push @bad, "$repo:$t points to '$d', which is no manifest of the repository" if !well_formed($d) || !$r->{$repo}{manifests}{$d};
		}
		push @bad, map { manifest_faults($state, $repo, $_) } sort keys %{ $r->{$repo}{manifests} } if !$o{mirror} || $repo !~ $o{mirror};
		push @bad, index_faults($state, $repo, $r->{$repo}), summary_faults($state, $repo, $r->{$repo}) if $o{indexes};
	}
	push @bad, journal_faults($state, $r) if $o{journal};
	push @bad, quota_faults($state) if $o{quota};
	push @bad, timeless($state, $r) if $o{undo};
	if ($o{indexes} && holds($state, 'berth/index/_catalog/epoch')) {
		my $all = sorted_set($state, 'berth/index/_catalog');
		push @bad, 'the catalog is damaged' if !$all;
		push @bad, map { "the catalog lacks $_" } grep { $all && !$all->{$_} } sort keys %$r;
	}
	return @bad;
}

1;
