#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Whatever fails when a pull is noted, or when the worker is killed there: the client gets the manifest, and the next pull is noted.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Errno ();
use Berth::Test;
use Berth::Check;
use Berth::Inject;

plain_build_only('it traces system calls');
my $i = Berth::Inject->start;
my $s = $i->server;
my $m = image_of(OCI_MANIFEST, '{}', 'layer');
my ($tries, %failed, @fault) = 0;

lay_blob($s, 'p/app', $_) for '{}', 'layer';
lay_manifest($s, 'p/app', $m);

# pull - of a tag of its own each time, since a worker does not look at what it has noted: (how, answer, calls, the tag)
sub pull
{
	my ($plan, $before) = @_;
	my $tag = 't' . ++$tries;

	lay_tag($s, 'p/app', $tag, sha256($m));
	system 'rm', '-rf', $s->root . '/berth/pulled';
	$before->($tag) if $before;
	return ($tag, $i->traced($plan, ['GET', "/v2/p/app/manifests/$tag"]));
}
# files - what is noted of this hour or the one before
sub files { my $dir = $s->root . '/berth/pulled'; return join ' ', sort grep { (stat "$dir/$_")[9] > time - 7200 } files_below($dir) }
sub noted { my ($tag) = @_; return join ' ', sort "p/app/_tags/$tag", 'p/app/_digests/sha256/' . substr sha256($m), 7 }

# What lies there before, so that all ways to note are tried: nothing, or files of another hour
my %before = (nothing => undef, 'files of another hour' => sub {
	lay_file($s->root . "/berth/pulled/$_", ''), utime 1e9, 1e9, $s->root . "/berth/pulled/$_" for split / /, noted($_[0]);
});
for my $what (sort keys %before) {
	my ($tag, $how, $r, @calls) = pull('count', $before{$what});
	my @mine = grep { $calls[$_] =~ m{:berth/pulled} } 0 .. $#calls;

	is files(), noted($tag), "with $what before it a pull is noted";
	cmp_ok scalar(@mine), '>=', 4, '... by several calls';
	for my $n (@mine) {
		for my $errno (qw(EIO ENOSPC EACCES EROFS ENOMEM)) {
			($tag, $how, $r) = pull('fail ' . ($n + 1) . ' ' . Errno->can($errno)->(), $before{$what});
			$failed{"$calls[$n]"}++;
			push @fault, "$calls[$n] fails with $errno: " . ($r ? $r->status : 'no answer') if $how ne 'done' || !$r || $r->status != 200 || $r->body ne $m;
			$r = $i->traced('count', ['GET', "/v2/p/app/manifests/$tag"]);
			push @fault, "$calls[$n] failed with $errno: then there is " . files() if files() ne noted($tag) && $calls[$n] !~ /^close/;
		}
		($tag, $how) = pull('kill ' . ($n + 1), $before{$what});
		push @fault, "killed at $calls[$n]: $how" if $how ne 'killed';
		$r = $i->traced('count', ['GET', "/v2/p/app/manifests/$tag"]);
		push @fault, "killed at $calls[$n]: then there is " . files() if files() ne noted($tag);
	}
}
is join("\n", @fault), '', 'a pull is answered whatever fails, and the next one is noted';
diag(join ' ', sort keys %failed);
($s, $i) = ();
done_testing;
