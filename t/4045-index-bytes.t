#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What the lists cost a push: at most 10 system calls more and no flush, also of an index, whatever it names. Its bytes are summed up by the first list that
# shows it, once for all its tags, and remembered.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::GC;
use Berth::Trace;

plain_build_only('it counts system calls');
need_program('strace');
# one registry of which lists are asked, and one of which none is
my ($s, $silent) = map { Berth::Server->start(config => "delete = true;\n", workers => 1) } 1, 2;
my $summary = $s->root . '/berth/index/app/_summary';
my $n = 0;
my @children = map { image_of(OCI_MANIFEST, '{}', "layer $_", 'layer 0') } 1 .. 60;
for my $at ($s, $silent) {
	$at->push_blob('app', $_) for '{}', map { "layer $_" } 0 .. 60;
	$at->push_manifest('app', sha256($_), $_, OCI_MANIFEST)->status == 201 or die for @children;
}
sub index_with { my ($count) = @_; $n++; return index_of(OCI_INDEX, map { desc(OCI_MANIFEST, $_) } @children[0 .. $count - 1]) =~ s/\}\z/,"annotations":{"n":"$n"}}/r }
sub image { $n++; return image_of(OCI_MANIFEST, '{}', 'layer 0') =~ s/\}\z/,"annotations":{"n":"$n"}}/r }
sub put { my ($tag, $m, $type, $at) = @_; my $r = ($at // $s)->push_manifest('app', $tag, $m, $type); $r->status == 201 or die $r->as_string; return }
sub rows { my ($query) = @_; return @{ $s->req(GET => "/berth/v1/repos/app/tags?$query")->json->{tags} } }
sub pulled_bytes { my ($count, $m) = @_; my %seen; my $sum = length $m;
	$sum += length for @children[0 .. $count - 1];
	$seen{$_} = length for '{}', 'layer 0', map { "layer $_" } 1 .. $count;
	$sum += $_ for values %seen; return $sum }

# side - a push to one of them, as costs_beside() takes it
sub side
{
	my ($at, $make, $type, $tag) = @_;
	my $prepare = sub {
		my $m = $make->();
		make_old($at, 10);              # what was made young in this second is not made young again: so all of it is, each time
		if ($at == $s) {                # there are lists
			rows('n=1');
			$s->req(GET => '/berth/v1/repos');
		} else {
			unlink $at->root . '/berth/index/app/_summary';
		}
		return ($tag // "t$n", $m);
	};

	return { at => $at, make => $prepare, do => sub { put(@_, $type, $at); return 1 } };
}
put('moves', image(), OCI_MANIFEST, $_) for $s, $silent;
for (['an image', \&image, OCI_MANIFEST], ['an image whose tag moves', \&image, OCI_MANIFEST, 'moves'], map { my $count = $_; ["an index of $count", sub { index_with($count) }, OCI_INDEX] } 1, 8, 60) {
	my ($what, @how) = @$_;
	my ($with, $without) = costs_beside(sub { $_[0]{calls} - $_[1]{calls} <= 10 && $_[0]{syncs} == $_[1]{syncs} }, map { side($_, @how) } $s, $silent);
	my $more = $with->{calls} - $without->{calls};
	cmp_ok $more, '<=', 10, "$what costs $more system calls more";
	is $with->{syncs} - $without->{syncs}, 0, '... and no flush';
}
$silent->stop;

# what lists say of indexes
unlink $summary;
rows('n=1');
my %bytes;
for my $count (1, 5, 20) {
	my $m = index_with($count);
	for my $tag ("i$count", "i$count-again") {
		put($tag, $m, OCI_INDEX);
		$bytes{$tag} = pulled_bytes($count, $m);
	}
}
my $right = sub {
	my ($what, $query) = @_;
	is_deeply { map { $_->{tag} => $_->{bytes} } grep { $bytes{ $_->{tag} } } rows($query) }, \%bytes, "$what: the bytes of indexes are those of a pull";
};
my $first = costs_of($s, sub { $right->('first', 'sort=name&q=i') });
my $then = costs_of($s, sub { $right->('then', 'sort=name&q=i') });
cmp_ok $then->{calls}, '<=', 12, "the first list reads what they name ($first->{calls} system calls), the next one does not ($then->{calls})";
cmp_ok $first->{calls}, '>', $then->{calls} + 60, '... which is much';
cmp_ok $first->{calls}, '<', $then->{calls} + 26 * 6 + 20, '... once for both tags';
is $s->req(GET => '/berth/v1/repos/app/manifests/i20')->json->{bytes}, $bytes{i20}, 'as the image says';
my $m = index_with(7);
put('i20', $m, OCI_INDEX);
$bytes{i20} = pulled_bytes(7, $m);
is join(' ', map { $_->{tag} } grep { $bytes{ $_->{tag} } } rows('sort=size&n=100&q=i')), join(' ', sort { $bytes{$b} <=> $bytes{$a} || $b cmp $a } keys %bytes), 'sorted by size';
$right->('sorted', 'sort=size&n=100');
# one of which a manifest goes, and that is pushed again
$s->req(DELETE => '/v2/app/manifests/' . sha256($children[6]))->status == 202 or die;
$right->('before it is pushed again', 'q=i');
unlink $summary;
my $lost = $bytes{i20} - length($children[6]) - length('layer 7');
is_deeply [map { $_->{bytes} } grep { $_->{tag} eq 'i20' } rows('q=i20')], [$lost], 'what is not here any more is not counted by a list that is made anew';
$s->push_manifest('app', sha256($children[6]), $children[6], OCI_MANIFEST);
# written anew
for my $i (1 .. 400) {
	put('moves', $i % 40 ? image() : index_with(2), $i % 40 ? OCI_MANIFEST : OCI_INDEX);
}
ok !(grep { !defined $_->{bytes} } rows('n=100')), 'no row lacks its bytes';
run_ok(program('berth'), '--config', $s->config_file, '--root', $s->root, 'index', 'rebuild', 'the index is made again');
my $rebuilt = costs_of($s, sub { rows('sort=name&q=i') });
cmp_ok $rebuilt->{calls}, '<=', 12, 'and sums them up itself';
$s->stop;
done_testing;
