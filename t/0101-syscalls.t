#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What an operation costs: system calls of the workers, flushes, and bytes read from files. The table says how much it may
# be; who needs more, or makes do with less, changes it here, where everybody sees it. (That pages, deletes and referrers do
# not cost more where there is more: t/4009-listing-cost.t, t/4010-referrers-cost.t, and of the lists of the page t/4041-summary-cost.t, t/4043-repo-list-cost.t;
# what these cost a push: t/4045-index-bytes.t. The order of flushes: t/6009-syscalls.t.)
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Check;
use Berth::Disk;
use Berth::FCGI;
use Berth::Trace;

plain_build_only('it counts system calls');
need_program('strace');
my ($ext4, $bare, $xfs) = disks(qw(ext4 ext4-bare xfs));

# operation => [system calls, flushes, bytes read]: libfcgi makes one call more or less, numbers in files have their lengths
my %MAY = (
	'/v2/'                             => [0, 0, 0],
	'/v2/ with credentials'            => [3, 0, 0],
	'DELETE blob'                      => [22, 1, 71],
	'DELETE manifest, one tag'         => [121, 2, 2984],
	'DELETE tag'                       => [85, 1, 1297],
	'GET blob'                         => [5, 0, 0],
	'GET blob that is not there'       => [4, 0, 0],
	'GET manifest by digest'           => [8, 0, 397],
	'GET manifest by tag'              => [11, 0, 468],
	'GET manifest by tag, first pull'  => [23, 0, 609],
	'GET manifest by tag, first pull of a worker within the hour' => [13, 0, 492],
	'GET manifest that is not there'   => [4, 0, 0],
	'HEAD blob'                        => [17, 0, 71],
	'PATCH upload'                     => [41, 0, 0],
	'POST upload'                      => [9, 0, 0],
	'POST with all bytes'              => [35, 2, 7],
	'PUT index'                        => [92, 3, 1620],
	'PUT manifest, again'              => [91, 2, 1707],
	'PUT manifest, new tag'            => [113, 5, 1070],
	'PUT manifest, tag moves'          => [116, 5, 2164],
	'PUT upload after a PATCH'         => [52, 2, 7],
	'PUT upload with all bytes'        => [70, 2, 7],
	'a page of 10 tags'                => [9, 0, 1779],
	'an image'                         => [179, 0, 2944],
	'a page of 10 tags by push'        => [9, 0, 1779],
	'those of 10 tags with a text'     => [9, 0, 1779],
	'repositories, 1'                  => [10, 0, 303],
	'repositories, 1, by push'         => [10, 0, 303],
	'a search'                         => [40, 0, 166],
	'catalog, 1 repository'            => [21, 0, 73],
	'mount'                            => [52, 1, 108],
	'referrers, none'                  => [10, 0, 32],
	'tags/list, 10 tags'               => [6, 0, 0],
	'tags/list, not yet remembered'    => [9, 0, 132],
	'tags/list, 10 tags, none kept'    => [66, 0, 190],
);
my %SLACK = (calls => 2, bytes => 8);

my %CONFIG = (config => "delete = true;\nupload_workers = 1;\n", workers => 1);
my $s = Berth::Server->start(root => "$ext4/store", %CONFIG);
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

# reads - whether the bytes that were read are those that may be: more are where a file that has grown is written anew, now and then
sub reads { my ($is, $may) = @_; return abs($is->{bytes} - $may->[2]) <= $is->{slack} }

# cost - of what `do` does, after `before`, both given what `make` gives; done once without counting, so that directories
# and indexes that are made once are there. What costs more does so each time; what a busy machine adds, it does not.
sub cost
{
	my ($what, $do, $make, $before) = @_;
	my $may = $MAY{$what} // [-1, -1, -1];
	my $reads = !$may->[1] && !$make && !$before;           # the second of the try before may do
	my $good;

	for my $try (0 .. 7) {
		my @with = $make ? $make->() : ();
		$before->(@with) if $before;
		if ($try) {
			$cost{$what} = costs_of($s, sub {
				new_second() if !$reads || $try > 1;
				$good = $do->(@with);
			});
			$cost{$what}{slack} = $SLACK{bytes} + 170 * $more;
		} else {
			$good = $do->(@with);
		}
		die "$what: not what it has to be\n" if !$good;
		last if $try && fault($cost{$what}, $may) eq '' && reads($cost{$what}, $may);
		$more += $try > $reads;
	}
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
cost('/v2/ with credentials', sub { $s->req('GET', '/v2/', headers => [Authorization => 'Basic eDp5'])->status == 200 });
cost('GET manifest by tag', get('/v2/cost/app/manifests/v1'));
cost('GET manifest by digest', get("/v2/cost/app/manifests/$digest"));
cost('GET manifest that is not there', get('/v2/cost/app/manifests/no', 404));
cost('HEAD blob', sub { $s->req('HEAD', "/v2/cost/app/blobs/$layer")->status == 200 });
cost('GET blob', get("/v2/cost/app/blobs/$layer"));
cost('GET blob that is not there', get('/v2/cost/app/blobs/' . sha256('no'), 404));
# What a worker remembers of a list (t/4013-tag-list.t) is gone with a list; one that is young is not remembered.
cost('tags/list, not yet remembered', get('/v2/cost/app/tags/list'), undef, sub {
	my $list = $s->root . '/berth/index/cost/app/_list';
	wait_for { $s->req('GET', '/v2/cost/app/tags/list'); -f $list };
	spew("$list.new", slurp($list));
	rename "$list.new", $list or die "$list: $!";
});
my $remembered = sub {
	my $list = $s->root . '/berth/index/cost/app/_list';
	wait_for { (Time::HiRes::stat($list))[10] + 1.6 < time };
	$s->req('GET', '/v2/cost/app/tags/list') for 1 .. 2;
};
cost('tags/list, 10 tags', get('/v2/cost/app/tags/list'), undef, $remembered);
cost('tags/list, 10 tags, none kept', get('/v2/cost/app/tags/list'), undef, sub { unlink $s->root . '/berth/index/cost/app/_list' });
cost('a page of 10 tags', get('/berth/v1/repos/cost/app/tags?sort=name'));
cost('a page of 10 tags by push', get('/berth/v1/repos/cost/app/tags'));
cost('those of 10 tags with a text', get('/berth/v1/repos/cost/app/tags?q=v1'));
cost('repositories, 1', get('/berth/v1/repos'));
cost('repositories, 1, by push', get('/berth/v1/repos?sort=pushed'));
cost('a search', get('/berth/v1/search?q=v1'));
cost('an image', get('/berth/v1/repos/cost/app/manifests/v1'));
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
# When it was pulled is noted once an hour, as empty files for tag and digest; a worker that has done so looks at neither (above).
my $pull = sub { $s->req('GET', "/v2/cost/pull/manifests/v$n")->status == 200 };
my $pushed = sub { $s->req('PUT', "/v2/cost/pull/manifests/v$n", headers => ['Content-Type' => OCI_MANIFEST], body => $_[0])->status == 201 or die };
$s->push_blob('cost/pull', $_) for '{}', 'layer';
cost('GET manifest by tag, first pull', $pull, \&fresh, $pushed);
cost('GET manifest by tag, first pull of a worker within the hour', $pull, \&fresh, sub {
	$pushed->(@_);
	lay_file($s->root . "/berth/pulled/cost/pull/$_", '') for "_tags/v$n", '_digests/sha256/' . substr sha256($_[0]), 7;
});

for my $what (sort keys %cost) {
	my ($is, $may) = ($cost{$what}, $MAY{$what} // [-1, -1, -1]);
	my ($calls, $syncs, $bytes_read) = @$may;

	is fault($is, $may), '', "$what: $calls system calls, $syncs flushes";
	is $is->{shutdowns}, 0, "$what: no worker waits for nginx to hang up";
	ok(reads($is, $may), "$what: $bytes_read bytes read from files") or diag("it is $is->{bytes}");
}
is join(', ', grep { !$cost{$_} } sort keys %MAY), '', 'every line of the table was measured';
$s->stop;

# An image of three layers and a config, as docker pushes it: to a new repository, and to a known one. On a file system that keeps
# the order of changes one flush does for all names; on others each directory is flushed, but once.
sub push_image
{
	my ($at, $repo, $tag) = @_;
	my @parts = (qq({"n":"$repo:$tag"}), map { random_bytes(4096) } 1 .. 3);

	for my $bytes (@parts) {
		my $d = sha256($bytes);
		$at->req('HEAD', "/v2/$repo/blobs/$d");
		my $r = $at->req('PATCH', upload_start($at, $repo), body => $bytes);
		$r = $at->req('PUT', path_of($r->header('Location')) . "?digest=$d");
		die $r->as_string if $r->status != 201;
		sleep 0.05;     # a directory as young as a clock is coarse is flushed again
	}
	my $r = $at->push_manifest($repo, $tag, image_of(OCI_MANIFEST, @parts), OCI_MANIFEST);
	die $r->as_string if $r->status != 201;
	return;
}

sub flushes_of_image
{
	my ($root, $mode, $more) = @_;
	my $at = Berth::Server->start(root => $root, config => "upload_workers = 1;\nfsync = \"$mode\";\n" . ($more // ''), workers => 1);
	my @n;

	push_image($at, 'warm', 'v1');
	sleep 0.05;
	push @n, costs_of($at, sub { push_image($at, 'team/app', $_) })->{syncs} for qw(v1 v2);
	$at->stop;
	return @n;
}

for ([ext4 => $ext4, 13, 13], [xfs => $xfs, 13, 13], ['ext4 without a journal' => $bare, 40, 34]) {
	my ($what, $dir, $new, $known) = @$_;
	my (@is, @more);

	for my $try (1 .. 6) {  # what a busy machine adds, it does not add each time
		@is = flushes_of_image("$dir/image$try", 'image');
		my @told = flushes_of_image("$dir/told$try", 'image', "journal = { enabled = true; };\n");
		@more = map { $told[$_] - $is[$_] } 0, 1;
		last if "@more" eq '1 1' && $is[0] <= $new && $is[1] <= $known;
	}
	cmp_ok $is[0], '<=', $new, "an image to a new repository on $what: $is[0] flushes";
	cmp_ok $is[1], '<=', $known, "and to a known one: $is[1]";
	is_deeply \@more, [1, 1], 'one more where the journal is on';
}
my @full;
for my $try (1 .. 6) {
	@full = flushes_of_image("$ext4/full$try", 'full');
	last if $full[0] <= 47 && $full[1] <= 37;
}
cmp_ok $full[0], '<=', 47, "with fsync = \"full\": $full[0] flushes in a new repository";
cmp_ok $full[1], '<=', 37, "and $full[1] in a known one";

# What a quota costs beside that: system calls of a request, and of an image as docker pushes it. No flush, and no more than 12 calls a request.
my %QUOTA = (
	'POST upload' => 0, 'HEAD blob' => 0, 'GET blob' => 0,
	'PATCH upload' => 3, 'PATCH upload, in chunks' => 2, 'PUT upload after a PATCH' => 10, 'PUT upload with all bytes' => 11, 'POST with all bytes' => 10,
	'mount' => 8, 'PUT manifest' => 10, 'PUT manifest, again' => 7, 'DELETE blob' => 8, 'DELETE manifest' => 8, 'an image' => 62,
);

# quota_sides - { operation => what costs_beside() takes } of a server with this configuration
sub quota_sides
{
	my ($root, $config) = @_;
	my $at = Berth::Server->start(root => $root, config => "delete = true;\nupload_workers = 1;\n$config", workers => 1);
	my $pushed = sub { my ($b) = @_; return $at->req('POST', '/v2/cost/app/blobs/uploads/?digest=' . sha256($b), body => $b)->status };
	my $put = sub { my ($m) = @_; return $at->req('PUT', '/v2/cost/app/manifests/' . sha256($m), headers => ['Content-Type' => OCI_MANIFEST], body => $m)->status };
	my $begun = sub { return ($bytes->(), upload_start($at, 'cost/app')) };
	my $image = sub { my $text = fresh(); $put->($text); return $text };
	my %do = (
		'POST upload' => [sub { return }, sub { $at->req('POST', '/v2/cost/app/blobs/uploads/')->status }, 202],
		'HEAD blob' => [sub { return }, sub { $at->req('HEAD', "/v2/cost/app/blobs/$layer")->status }, 200],
		'GET blob' => [sub { return }, sub { $at->req('GET', "/v2/cost/app/blobs/$layer")->status }, 200],
		'PATCH upload' => [$begun, sub { $at->req('PATCH', $_[1], body => $_[0])->status }, 202],
		'PATCH upload, in chunks' => [$begun, sub { $at->req('PATCH', $_[1], body => $_[0], chunked => 1)->status }, 202],
		'PUT upload after a PATCH' => [sub { my @w = $begun->(); $at->req('PATCH', $w[1], body => $w[0]); return @w }, sub { $at->req('PUT', "$_[1]?digest=" . sha256($_[0]))->status }, 201],
		'PUT upload with all bytes' => [$begun, sub { $at->req('PUT', "$_[1]?digest=" . sha256($_[0]), body => $_[0])->status }, 201],
		'POST with all bytes' => [$bytes, $pushed, 201],
		'mount' => [sub { $n++; return }, sub { $at->req('POST', "/v2/cost/other$n/blobs/uploads/?mount=$layer&from=cost/app")->status }, 201],
		'PUT manifest' => [\&fresh, $put, 201],
		'PUT manifest, again' => [$image, $put, 201],
		'DELETE blob' => [sub { my $b = $bytes->(); $pushed->($b); return $b }, sub { $at->req('DELETE', '/v2/cost/app/blobs/' . sha256($_[0]))->status }, 202],
		'DELETE manifest' => [$image, sub { $at->req('DELETE', '/v2/cost/app/manifests/' . sha256($_[0]))->status }, 202],
		'an image' => [sub { return ++$n }, sub { push_image($at, 'cost/image', "v$_[0]"); return 0 }, 0],
	);

	$pushed->($_) for '{}', 'layer';
	return { map { my ($make, $do, $status) = @{ $do{$_} }; ($_ => { at => $at, make => $make, do => sub { $do->(@_) == $status } }) } keys %do };
}

# What a hit in a mirror costs beside that of one's own repository: whether the tag is fresh has to be looked up.
{
	my $at = Berth::Server->start(root => "$ext4/mirror", config => "upload_workers = 1;\nrelay = \"off\";\nupstreams = ( { name = \"up\"; urls = [ \"http://127.0.0.1:1\" ]; } );\n", workers => 1);
	my $hand = sub { my ($uri, $body, $type) = @_;
		my $r = Berth::FCGI->new($at->relay_socket)->request(stdin => $body, params => { REQUEST_METHOD => 'PUT', REQUEST_URI => "/berth/v1/relay/$uri", CONTENT_TYPE => $type // '', CONTENT_LENGTH => length $body });
		die $uri if $r->status != 201 };

	$at->push_blob('own/app', $_) for '{}', 'layer';
	$at->push_manifest('own/app', 'v1', $m, OCI_MANIFEST);
	$hand->('manifest?repo=up/app&ref=v1', $m, OCI_MANIFEST);
	$hand->("blob?repo=up/app&digest=$layer", 'layer');
	for my $what (['a tag', 'manifests/v1'], ['a digest', "manifests/$digest"], ['a blob', "blobs/$layer"]) {
		my ($own, $up) = map { $_->{calls} } costs_beside(sub { $_[1]{calls} - $_[0]{calls} <= 2 },
			map { my $path = "/v2/$_/$what->[1]"; { at => $at, do => sub { $at->req('GET', $path)->status == 200 } } } 'own/app', 'up/app');
		cmp_ok $up - $own, '<=', 2, "a hit in a mirror costs no more than 2 calls beyond $own: $what->[0]" or diag("it is $up");
	}
	$at->stop;
}

my ($without, $with) = map { quota_sides("$ext4/quota$_->[0]", $_->[1]) } ['no', ''], ['yes', "rules = ( { repo = \"cost/**\"; quota = \"1 GiB\"; } );\n"];
for my $what (sort keys %QUOTA) {
	my $slack = $what eq 'an image' ? 6 : $SLACK{calls};
	my ($was, $is) = costs_beside(sub { abs($_[1]{calls} - $_[0]{calls} - $QUOTA{$what}) <= $slack && $_[1]{syncs} == $_[0]{syncs} }, map { $_->{$what} } $without, $with);
	my $calls = $is->{calls} - $was->{calls};

	cmp_ok abs($calls - $QUOTA{$what}), '<=', $slack, "a quota costs $QUOTA{$what} system calls for $what" or diag("it is $calls");
	is $is->{syncs}, $was->{syncs}, '... and no flush';
}
is join(' ', sort keys %$with), join(' ', sort keys %QUOTA), 'each operation was measured';
$_->{'an image'}{at}->stop for $without, $with;
is_deeply [grep { $QUOTA{$_} > 12 && $_ ne 'an image' } sort keys %QUOTA], [], 'no request costs more than 12 calls more';
# What is remembered with `undo`: a mark, of which nothing is known when the process begins. In order it costs an open and a close; one by one the directory of
# the marks is flushed as well, and looked at. undo_sides - as quota_sides()
sub undo_sides
{
	my ($root, $undo) = @_;
	my $at = Berth::Server->start(root => $root, config => "delete = true;\nupload_workers = 1;\n$undo", workers => 1);
	my @m = map { image_of(OCI_MANIFEST, '{}', 'layer') =~ s/\}\z/,"annotations":{"n":"$_"}}/r } 0 .. 3;
	my $turn = 0;
	my $put = sub { my ($tag, $m) = @_; return $at->push_manifest('app', $tag, $m, OCI_MANIFEST)->status == 201 || die $tag };
	my $delete = sub { return $at->req('DELETE', "/v2/app/manifests/$_[0]")->status == 202 };

	$at->push_blob('app', $_) for '{}', 'layer';
	return {
		'a tag that moves' => { at => $at, make => sub { $put->('moves', $m[$turn % 2]) }, do => sub { $put->('moves', $m[++$turn % 2]) } },
		'DELETE of a tag' => { at => $at, make => sub { $put->('goes', $m[2]) }, do => sub { $delete->('goes') } },
		'DELETE of a manifest with two tags' => { at => $at, make => sub { $put->($_, $m[3]) for 'two', 'tags' }, do => sub { $delete->(sha256($m[3])) } },
	};
}

for ([ext4 => $ext4, 0, 2], ['ext4 without a journal' => $bare, 1, 7]) {
	my ($what, $dir, $syncs, $calls) = @$_;
	my ($without, $with) = map { undo_sides("$dir/undo$_->[0]", $_->[1]) } ['no', ''], ['yes', "undo = \"1d\";\n"];
	for my $op (['a tag that moves', 1], ['DELETE of a tag', 1], ['DELETE of a manifest with two tags', 2]) {
		my $wanted = $calls + 2 * ($op->[1] - 1);
		my $more = sub { my ($was, $is, $of) = @_; return $is->{$of} - $was->{$of} };
		my @is = costs_beside(sub { $more->(@_, 'syncs') == $syncs && abs($more->(@_, 'calls') - $wanted) <= $SLACK{calls} }, map { $_->{ $op->[0] } } $without, $with);
		is $more->(@is, 'syncs'), $syncs, "with undo, $what, $op->[0]: so many flushes more";
		cmp_ok abs($more->(@is, 'calls') - $wanted), '<=', $SLACK{calls}, "and about $wanted system calls" or diag($more->(@is, 'calls'));
	}
	$_->{'DELETE of a tag'}{at}->stop for $without, $with;
}

done_testing;
