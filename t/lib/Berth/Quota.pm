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
use File::Find ();

use Berth::Test;

our @EXPORT = qw(quota_counted quota_table quota_table_file quota_fault quota_probed);

my $V2 = 'docker/registry/v2';
my ($KEY, $RECORD, $AT) = (20, 32, 4096);

# quota_counted - the bytes of all content that is linked below the group, each once; and how often each is
sub quota_counted
{
	my ($root, $group, $in) = @_;
	my $top = "$root/$V2/repositories" . ($group eq '' ? '' : "/$group");
	my (%links, $bytes);

	return (0, {}) if !-d $top;
	File::Find::find({ no_chdir => 1, wanted => sub {
		return if !m{^\Q$root/$V2\E/repositories/(.+)/(?:_layers|_manifests/revisions)/(sha(?:256|512))/([0-9a-f]+)/link\z} || !-f;
		return if $in && !$in->($1);
		my ($alg, $hex) = slurp($_) =~ /^(sha256|sha512):([0-9a-f]+)\z/ or return;
		$links{"$alg:$hex"}++;
	} }, $top);
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
