#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What an operation costs: system calls of the workers, flushes, and bytes read from files. The table says how much it may
# be; who needs more, or makes do with less, changes it here, where everybody sees it. (That pages, deletes and referrers do
# not cost more where there is more: t/4009-listing-cost.t, t/4010-referrers-cost.t. The order of flushes: t/6009-syscalls.t.)
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Check;
use Berth::Trace;

plain_build_only('it counts system calls');
need_program('strace');

# operation => [system calls, flushes, bytes read]: libfcgi makes one call more or less, numbers in files have their lengths
my %MAY = (
	'/v2/'                             => [3, 0, 0],
	'DELETE blob'                      => [22, 1, 71],
	'DELETE manifest, one tag'         => [113, 4, 2984],
	'DELETE tag'                       => [77, 3, 1297],
	'GET blob'                         => [5, 0, 0],
	'GET blob that is not there'       => [4, 0, 0],
	'GET manifest by digest'           => [8, 0, 397],
	'GET manifest by tag'              => [11, 0, 468],
	'GET manifest that is not there'   => [4, 0, 0],
	'HEAD blob'                        => [17, 0, 71],
	'PATCH upload'                     => [41, 0, 0],
	'POST upload'                      => [9, 0, 0],
	'POST with all bytes'              => [54, 7, 7],
	'PUT index'                        => [120, 13, 1474],
	'PUT manifest, again'              => [105, 10, 1777],
	'PUT manifest, new tag'            => [138, 14, 1070],
	'PUT manifest, tag moves'          => [135, 13, 2235],
	'PUT upload after a PATCH'         => [72, 7, 7],
	'PUT upload with all bytes'        => [89, 7, 7],
	'catalog, 1 repository'            => [21, 0, 73],
	'mount'                            => [82, 10, 108],
	'referrers, none'                  => [10, 0, 32],
	'tags/list, 10 tags'               => [51, 0, 805],
);
my %SLACK = (calls => 2, bytes => 8);

my $s = Berth::Server->start(config => "delete = true;\nupload_workers = 1;\n", workers => 1);
my $n = 0;
my %cost;
my $more = 0;            # measurements beyond the first of each: indexes have grown by them

# fresh - a manifest that nobody has pushed, of blobs that are there
sub fresh { $n++; return image_of(OCI_MANIFEST, '{}', 'layer') =~ s/\}\z/,"annotations":{"n":"$n"}}/r }
sub get { my ($path, $status) = @_; return sub { $s->req('GET', $path)->status == ($status // 200) } }
sub put_manifest { my ($m, $ref) = @_; return $s->req('PUT', "/v2/cost/app/manifests/$ref", headers => ['Content-Type' => OCI_MANIFEST], body => $m)->status == 201 }

# fault - what is wrong with a count, '' for nothing. A directory as young as a clock is coarse is flushed again
# (t/6053-flushed-once.t): on a busy machine one may be older than it is on others.
sub fault
{
	my ($is, $may) = @_;
	my $fewer = $is->{syncs} == $may->[1] - 1 ? 5 : 0;      # an open, the flush, what looks whether it is needed, a close

	return "$is->{syncs} flushes, not $may->[1]" if $is->{syncs} != $may->[1] && !$fewer;
	return "$is->{calls} system calls, not $may->[0]" if $is->{calls} > $may->[0] + $SLACK{calls} || $is->{calls} < $may->[0] - $SLACK{calls} - $fewer;
	return '';
}

# cost - of what `do` does, after `before`, both given what `make` gives; done once without counting, so that directories
# and indexes that are made once are there. What costs more does so each time; what a busy machine adds, it does not.
sub cost
{
	my ($what, $do, $make, $before) = @_;
	my ($good, $first);

	for my $try (0 .. 6) {
		my @with = $make ? $make->() : ();
		$before->(@with) if $before;
		if ($try) {
			$cost{$what} = costs_of($s, sub {
				# At the beginning of a second: what was made young in the last one is made young again, which costs calls.
				sleep 1.05 - (time - int time);
				$good = $do->(@with);
			});
			$first //= $cost{$what}{bytes};
			$cost{$what}{slack} = $SLACK{bytes} + 170 * $more;
		} else {
			$good = $do->(@with);
		}
		die "$what: not what it has to be\n" if !$good;
		last if $try && fault($cost{$what}, $MAY{$what} // [-1, -1, -1]) eq '';
		$more += $try > 0;
	}
	$cost{$what}{bytes} = $first;
	return;
}

my $m = image_of(OCI_MANIFEST, '{}', 'layer');
my ($layer, $digest) = (sha256('layer'), sha256($m));
$s->push_blob('cost/app', $_) for '{}', 'layer';
put_manifest($m, 'v1') or die;
put_manifest($m, "v$_") for 2 .. 10;
my $index = index_of(OCI_INDEX, desc(OCI_MANIFEST, $m));
my $bytes = sub { $n++; return "bytes $n" };
my $upload = sub { return upload_start($s, 'cost/app') };

cost('/v2/', get('/v2/'));
cost('GET manifest by tag', get('/v2/cost/app/manifests/v1'));
cost('GET manifest by digest', get("/v2/cost/app/manifests/$digest"));
cost('GET manifest that is not there', get('/v2/cost/app/manifests/no', 404));
cost('HEAD blob', sub { $s->req('HEAD', "/v2/cost/app/blobs/$layer")->status == 200 });
cost('GET blob', get("/v2/cost/app/blobs/$layer"));
cost('GET blob that is not there', get('/v2/cost/app/blobs/' . sha256('no'), 404));
cost('tags/list, 10 tags', get('/v2/cost/app/tags/list'));
cost('catalog, 1 repository', get('/v2/_catalog'));
cost('referrers, none', get("/v2/cost/app/referrers/$digest"));
cost('POST upload', sub { $s->req('POST', '/v2/cost/app/blobs/uploads/')->status == 202 });
cost('PATCH upload', sub { $s->req('PATCH', $_[0], body => 'x' x 4096)->status == 202 }, $upload);
cost('PUT upload after a PATCH', sub { $s->req('PUT', "$_[0]?digest=" . sha256($_[1]))->status == 201 },
	sub { return ($upload->(), $bytes->()) }, sub { $s->req('PATCH', $_[0], body => $_[1]) });
cost('PUT upload with all bytes', sub { $s->req('PUT', "$_[0]?digest=" . sha256($_[1]), body => $_[1])->status == 201 },
	sub { return ($upload->(), $bytes->()) });
cost('POST with all bytes', sub { $s->req('POST', '/v2/cost/app/blobs/uploads/?digest=' . sha256($_[0]), body => $_[0])->status == 201 }, $bytes);
cost('mount', sub { $s->req('POST', "/v2/cost/other$n/blobs/uploads/?mount=$layer&from=cost/app")->status == 201 }, sub { $n++ });
cost('PUT manifest, new tag', sub { put_manifest($_[0], "new$n") }, \&fresh);
cost('PUT manifest, tag moves', sub { put_manifest($_[0], 'v1') }, \&fresh);
cost('PUT manifest, again', sub { put_manifest($m, 'v2') });
cost('PUT index', sub { $s->req('PUT', "/v2/cost/app/manifests/i$n", headers => ['Content-Type' => OCI_INDEX], body => $index)->status == 201 }, sub { $n++ });
cost('DELETE tag', sub { $s->req('DELETE', "/v2/cost/app/manifests/gone$n")->status == 202 }, sub { $n++ }, sub { put_manifest($m, "gone$n") });
cost('DELETE manifest, one tag', sub { $s->req('DELETE', '/v2/cost/app/manifests/' . sha256($_[0]))->status == 202 }, \&fresh,
	sub { put_manifest($_[0], 'goes') });
cost('DELETE blob', sub { $s->req('DELETE', '/v2/cost/app/blobs/' . sha256($_[0]))->status == 202 }, $bytes,
	sub { $s->req('POST', '/v2/cost/app/blobs/uploads/?digest=' . sha256($_[0]), body => $_[0]) });

for my $what (sort keys %cost) {
	my ($is, $may) = ($cost{$what}, $MAY{$what} // [-1, -1, -1]);
	my ($calls, $syncs, $bytes_read) = @$may;

	is fault($is, $may), '', "$what: $calls system calls, $syncs flushes";
	is $is->{shutdowns}, 0, "$what: no worker waits for nginx to hang up";
	ok(abs($is->{bytes} - $bytes_read) <= $is->{slack}, "$what: $bytes_read bytes read from files") or diag("it is $is->{bytes}");
}
is join(', ', grep { !$cost{$_} } sort keys %MAY), '', 'every line of the table was measured';

done_testing;
