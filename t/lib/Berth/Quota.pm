# SPDX-License-Identifier: Apache-2.0
#
# Berth::Quota: what a group of repositories has, counted here from the links alone, and what its table says.
#
#   is quota_fault($root, 'team/red'), '', 'the table says what the links say';
#   kills_in(quota_probed(), 'uploads');
#   my ($bytes, $links) = quota_counted($root, 'team/red');
#   my $table = quota_table($root, 'team/red');         # { used, entries, records => { key => [count, size] }, pending, broken }, or undef
#
# A group is the leading part of names, '' for all repositories.
package Berth::Quota;

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Exporter 'import';
use Fcntl ();
use Time::HiRes ();

use Berth::Test;

our @EXPORT = qw(quota_counted quota_table quota_table_file quota_fault quota_probed);

my $V2 = 'docker/registry/v2';
my ($KEY, $RECORD, $AT) = (20, 32, 4096);

# names_in - what a directory holds, if it is one
sub names_in
{
	my ($dir) = @_;

	opendir my $h, $dir or return;
	return grep { !/^\.\.?\z/ } readdir $h;
}

# link_files - [file, repository] of each link that counts, of the repository of this name and those below it
sub link_files
{
	my ($dir, $repo) = @_;
	my @files;

	for my $in (map { ("$dir/_layers/$_", "$dir/_manifests/revisions/$_") } qw(sha256 sha512)) {
		push @files, map { ["$in/$_/link", $repo] } grep { /^[0-9a-f]+\z/ } names_in($in);
	}
	return @files, map { link_files("$dir/$_", $repo eq '' ? $_ : "$repo/$_") } grep { !/^_/ } names_in($dir);
}

# quota_counted - the bytes of all content that is linked below the group, each once; and how often each is. It is asked after each of some thousand
# injections, so a link is read again only where it is another file.
my %said;

sub quota_counted
{
	my ($root, $group, $in) = @_;
	my (%links, $bytes);

	for (link_files("$root/$V2/repositories" . ($group eq '' ? '' : "/$group"), $group)) {
		my ($file, $repo) = @$_;
		my ($inode, $mode, $changed) = (Time::HiRes::stat($file))[1, 2, 10];
		next if !defined $inode || !Fcntl::S_ISREG($mode) || $in && !$in->($repo);
		my ($alg, $hex) = ($said{"$file $inode $changed"} //= slurp($file)) =~ /^(sha256|sha512):([0-9a-f]+)\z/ or next;
		$links{"$alg:$hex"}++;
	}
	$bytes = 0;
	for (keys %links) {
		my ($alg, $hex) = split /:/;
		$bytes += -s "$root/$V2/blobs/$alg/" . substr($hex, 0, 2) . "/$hex/data" || 0;
	}
	return ($bytes, \%links);
}

sub quota_table_file { my ($root, $group) = @_; return "$root/berth/quota/" . sha256_hex($group) }

sub quota_table
{
	my ($root, $group) = @_;
	my $file = quota_table_file($root, $group);
	my %t;

	return if !-f $file;
	my $all = slurp($file);
	return { broken => 1 } if length $all < $AT;
	(@t{qw(magic version epoch gone broken used entries filled slots seed group pending)}) = unpack 'Q Q a32 L L Q Q Q Q Q Z256 L', $all;
	return { %t, broken => 1 } if length $all < $AT + $t{slots} * $RECORD;
	for my $i (0 .. $t{slots} - 1) {
		my ($key, $count, $size) = unpack "H@{[ 2 * $KEY ]} L Q", substr $all, $AT + $i * $RECORD, $RECORD;
		$t{records}{$key} = [$count, $size] if $count;
	}
	return \%t;
}

# quota_fault - what is wrong with the table of a group, '' if nothing; `pending`: an intent of a killed process may stand in it
sub quota_fault
{
	my ($root, $group, %o) = @_;
	my $t = quota_table($root, $group) // return $o{absent} ? '' : 'there is no table';
	my ($bytes, $links) = quota_counted($root, $group, $o{in});
	my (%want, @wrong);

	return $o{absent} ? '' : 'the table is broken' if $t->{broken} || $t->{gone};
	return 'an intent is left' if $t->{pending};
	$want{ substr s/^.*://r, 0, 2 * $KEY } += $links->{$_} for keys %$links;
	push @wrong, "$t->{used} bytes are used, not $bytes" if $t->{used} != $bytes;
	push @wrong, "$t->{entries} entries, not " . keys %want if $t->{entries} != keys %want;
	for (sort keys %{ { %want, %{ $t->{records} // {} } } }) {
		my ($is, $w) = ($t->{records}{$_}[0] // 0, $want{$_} // 0);
		push @wrong, "$_ has $is links, not $w" if $is != $w;
	}
	return join '; ', @wrong;
}

# quota_probed - settings and what to look at for Berth::Disturb: after each injection something is pushed that is there already, which settles
# what was left, and the table is compared
sub quota_probed
{
	return { config => "rules = ( { repo = \"**\"; quota = \"1 GiB\"; } );\n", each => sub {
		my ($i) = @_;
		my $r = $i->ask('POST', '/v2/kept/probe/blobs/uploads/?digest=' . sha256('probe'), { body => 'probe', spooled => 1 });

		return 'the probe: ' . $r->status . ' ' . $r->body if $r->status ne '201';
		return quota_fault($i->root, '');
	} };
}

1;
