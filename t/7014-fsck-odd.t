#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# berth fsck beside entries of a kind that nobody expects: a directory where a file belongs, a file, a FIFO, a symbolic link
# that leads nowhere, and what its user may not read. Whatever lies wherever, it is told of, and everything else is still looked at.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Find ();
use File::Path qw(make_path remove_tree);
use JSON::PP ();
use POSIX ();
use Berth::Test;
use Berth::Check;
use Berth::GC;

my $s = Berth::Server->start(config => "fsync = \"off\";\n");
my ($d1, $m1) = $s->push_image('team/app', 'one', type => 'oci', layers => ['layer']);
$s->push_image('other', 'two', type => 'oci', layers => ['layer', 'more']);
my $ref = sprintf '{"schemaVersion":2,"mediaType":"%s","config":%s,"layers":[],"subject":%s}', OCI_MANIFEST, desc('application/x', '{}'), desc(OCI_MANIFEST, $m1);
$s->push_blob('team/app', '{}');
is $s->push_manifest('team/app', sha256($ref), $ref, OCI_MANIFEST)->status, 201, 'a referrer is pushed';
$s->req('PATCH', upload_start($s, 'team/app'), body => 'half');
is $s->req('GET', '/v2/_catalog')->status, 200, 'the catalog is read';
$s->stop_workers;
# The directories in which blobs will lie one day are alike: of some 250 that are empty three will do.
my @empty = grep { !(() = glob "$_/*") } glob data_dir($s) . '/blobs/sha256/*';
rmdir or die "$_: $!" for is_long() ? () : @empty[3 .. $#empty];
my $work = quick_dir();
my $root = "$work/store";
run_ok('cp', '-a', $s->root, $root, 'a copy to work on');
chmod 0755, $work, $s->dir;
run_ok('chown', '-R', 'nobody', $s->root, $root, 'which is not root\'s') if $> == 0;
my @program = (program('berth'), '--config', $s->config_file, '--root', $root);
sub fsck { return run({ timeout => 120 }, @program, 'fsck', @_) }
my $served = serves($root);     # or no index would count
my $clean = fsck('--data', '--json');
is $clean->{status}, 0, 'nothing is wrong before' or diag($clean->{out});

# All that a check opens: the registry's tree, and what berth derives from it. The epoch, and the mark of summaries, are what they say: anything
# else says nothing, and is replaced.
my @entries;
File::Find::find({ no_chdir => 1, wanted => sub { push @entries, substr $_, 1 + length $root if $_ ne $root } }, "$root/docker/registry/v2", "$root/berth/index");
@entries = sort grep { !m{^(?:docker/registry/v2|berth/index)$} && !m{^docker/registry/v2/\w+$} && $_ !~ m{^berth/index/(?:_epoch|_fallback)$} } @entries, 'berth/format';
cmp_ok scalar(@entries), '>', 60, 'there is a lot of it';
my @kinds = (
	[directory => sub { make_path("$_[0]/inside") }], [file => sub { spew($_[0], 'x') }],
	[fifo => sub { POSIX::mkfifo($_[0], 0666) or die "mkfifo: $!" }], [link => sub { symlink 'nowhere', $_[0] or die "symlink: $!" }],
	[closed => sub { chmod 0, $_[0] or die "chmod: $!" }],
);
sub faults { return map { JSON::PP->new->utf8->decode($_) } split /\n/, $_[0]{out} }
sub found { return join ' ', map { "$_->{kind}:$_->{where}" } grep { $_->{kind} ne 'summary' } faults($_[0]) }

my (%wrong, $tried);
for my $entry (@entries) {
	my $path = "$root/$entry";
	my $is = -d $path ? 'directory' : 'file';
	for my $kind (@kinds) {
		my ($name, $make) = @$kind;
		next if $name eq $is;
		# nothing is looked for among referrers that nobody has
		next if $name eq 'closed' && $entry =~ m{other/_referrers$};
		# what is no file says of no epoch that the index holds: it is made again at the next use, and so is this
		next if $name ne 'closed' && $entry =~ m{/_?epoch$};
		$tried++;
		remove_tree($path) if $name ne 'closed';
		$make->($path);
		run('chown', '-hR', 'nobody', $path) if $> == 0 && -e $path;
		my @said = faults(my $r = fsck('--data', '--json'));
		my $say = "$name at $entry";
		push @{ $wrong{ended} }, "$say: status $r->{status} $r->{out}$r->{err}" if $r->{status} != 1 || $r->{err} ne '' || ($said[-1]{kind} // '') ne 'summary';
		my %seen;
		push @{ $wrong{once} }, "$say: " . found($r) if grep { $_->{kind} ne 'summary' && $seen{"$_->{kind} $_->{where} $_->{what}"}++ } @said;
		# That of which it is no fault to be missing or to be elsewhere is told of all the same where something else lies there.
		push @{ $wrong{there} }, "$say: " . found($r) if $name ne 'link' && !grep { index($_->{where} // '', $entry) >= 0 || index($entry, $_->{where} // '?') >= 0 || ($_->{what} // '') =~ /\Q$entry\E/ } @said;
		my $repaired = fsck('--data', '--json', '--repair');
		push @{ $wrong{repair} }, "$say: status $repaired->{status} $repaired->{out}$repaired->{err}" if $repaired->{status} != 1 || $repaired->{out} !~ /"kind":"summary"/ || $repaired->{err} ne '';
		if ($entry =~ m{^berth/index/} && !($name eq 'closed' && $is eq 'directory')) {
			my $rest = fsck('--json');
			my $rebuilt = $rest->{status} ? run({ timeout => 120 }, @program, 'index', 'rebuild') : $rest;
			push @{ $wrong{index} }, "$say: $repaired->{out}$rest->{out}$rebuilt->{err}" if $rest->{status} && $entry !~ m{/_referrers/\w+(?:/\w+)?$};
		}
		run('chmod', '-R', 'u+rwX', $root);
		remove_tree($root);
		my $copied = run('cp', '-a', $s->root, $root);
		die "cp: $copied->{err}" if $copied->{status};
		$served = serves($root);
	}
}
note "$tried tried";
my %title = (
	ended => 'the check comes to its end, and says that something is wrong', once => 'nothing is told twice', there => 'one of the lines is of that entry',
	repair => 'so does a repair', index => 'and makes an index whole again, whatever lay in its place',
);
ok !$wrong{$_}, $title{$_} or diag(join "\n", @{ $wrong{$_} }) for sort keys %title;

done_testing;
