#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# berth fsck finds what is wrong, mends what needs no guess, and does not mistake work under way for damage.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path remove_tree);
use JSON::PP ();
use Time::HiRes ();
use Berth::Test;
use Berth::Check;

my $config = "delete = true;\nfsync = \"off\";\n";
my $s = Berth::Server->start(config => $config);
my $root = $s->root;
my $berth = program('berth');

sub fsck { return run($berth, '--config', $s->config_file, '--root', $_[0], 'fsck', @_[1 .. $#_]) }
sub findings { return grep { $_->{kind} ne 'summary' } map { JSON::PP->new->utf8->decode($_) } split /\n/, $_[0]{out} }
sub kinds_of { my %k = map { $_->{kind} => 1 } findings($_[0]); return join ' ', sort keys %k }

# A store with a little of everything, made by clients.
my ($d1, $m1) = $s->push_image('team/app', 'latest', type => 'oci', layers => ['layer one', 'layer two']);
my ($d2, $m2) = $s->push_image('team/app', 'old', layers => ['layer one', 'third']);
$s->push_manifest('team/app', 'latest', $m2, DOCKER_MANIFEST);
$s->push_manifest('team/app', 'latest', $m1, OCI_MANIFEST);
my ($dn, $mn) = $s->push_image('team/app/nested/deep', 'v1', type => 'oci', layers => ['layer one']);
my $index = index_of(OCI_INDEX, desc(OCI_MANIFEST, $m1), desc(DOCKER_MANIFEST, $m2));
is $s->push_manifest('team/app', 'multi', $index, OCI_INDEX)->status, 201, 'an index is pushed';
$s->push_blob('team/app', '{}');
my $ref = sprintf '{"schemaVersion":2,"mediaType":"%s","artifactType":"a/b","config":%s,"layers":[],"subject":%s,"annotations":{"k":"v"}}',
	OCI_MANIFEST, desc('application/vnd.oci.empty.v1+json', '{}'), desc(OCI_MANIFEST, $m1);
my $dr = sha256($ref);
is $s->push_manifest('team/app', $dr, $ref, OCI_MANIFEST)->status, 201, 'a referrer is pushed';
is $s->push_manifest('team/app', sha512($m1), $m1, OCI_MANIFEST)->status, 201, 'a manifest is pushed by its sha512';
my $up = upload_start($s, 'team/app');
$s->req('PATCH', $up, body => 'half of it', chunked => 1);
my ($uuid) = $up =~ m{/uploads/([0-9a-f-]{36})};
my $foreign = sprintf '{"schemaVersion":2,"mediaType":"%s","config":%s,"layers":[%s]}', DOCKER_MANIFEST,
	desc('application/vnd.docker.container.image.v1+json', '{}'), desc('application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', 'elsewhere');
is $s->push_manifest('team/app', 'windows', $foreign, DOCKER_MANIFEST)->status, 201, 'an image with a layer that is elsewhere is pushed';
upload_start($s, 'only/uploads');
is $s->req(GET => '/v2/_catalog')->status, 200, 'the catalog is read';
my $dl = sha256('layer one');
my $d3 = sha256('third');

for my $options ([], ['--data'], ['--data', '--jobs', 3, '--rate', '50 MiB/s'], ['--repair', '--data']) {
	my $r = fsck($root, @$options);
	is $r->{status}, 0, "a good store is found clean (@$options)" or diag($r->{out}, $r->{err});
	like $r->{out}, qr/^2 repositories, 5 tags, 7 manifests, \d+ blobs.*nothing wrong/, "and that is all that is said (@$options)";
	is $r->{err}, '', "no progress where there is no terminal (@$options)";
}
is fsck($root, @$_)->{status}, 2, "used wrongly: @$_" for ['--jobs', 0], ['--rate', 'fast'], ['--nothing'], ['more'];
my $begun = Time::HiRes::time();
is fsck($root, '--data', '--rate', '4 KiB')->{status}, 0, 'reading can be slowed down';
my $bytes = 0;
$bytes += -s for map { "$root/docker/registry/v2/blobs/$_" } grep { m{/data$} } files_below("$root/docker/registry/v2/blobs");
cmp_ok Time::HiRes::time() - $begun, '>', $bytes / 4096 * 0.7, 'to the rate that is asked for';

# Damage, each on a copy of its own.
$s->stop_workers;
my $work = tmp_dir();
my ($copy, $repo, $blobs, $index_dir);
my $n = 0;

sub path_in { return $copy . substr($_[0], length $root) }
sub blob { return path_in(blob_file($s, $_[0])) }
sub layer { return path_in(layer_link($s, 'team/app', $_[0])) }
sub revision { return path_in(revision_link($s, 'team/app', $_[0])) }
sub dir_of { return $_[0] =~ s{/[^/]*\z}{}r }
sub quarantined { return -e "$copy/berth/quarantine/" . ($_[0] =~ s/:/-/r) }

# damage(title, kind, part of the line, code, options) - repaired: 1 mended, 0 beyond repair; left: the kinds that a second run finds
# takes a line out of the one leaf of a sorted set
sub forget_pair
{
	my ($set, $line) = @_;
	my ($leaf) = grep { m{/\d+$} } glob("$set/*");
	my $text = slurp($leaf);

	$text =~ s/^\Q$line\E\n//m or die "$leaf has no $line";
	spew($leaf, $text);
}

sub damage
{
	my ($title, $kind, $where, $inflict, %o) = @_;

	$copy = "$work/" . ++$n;
	run_ok('cp', '-a', $root, $copy, "a copy for: $title");
	($repo, $blobs, $index_dir) = ("$copy/docker/registry/v2/repositories/team/app", "$copy/docker/registry/v2/blobs", "$copy/berth/index/team/app");
	$inflict->();
	my $served = $kind =~ /^index/ ? serves($copy) : undef;         # or no index would count
	my @data = $o{data} ? '--data' : ();
	my $r = fsck($copy, @data);
	is $r->{status}, 1, "$title: found" or diag($r->{out}, $r->{err});
	my @lines = grep { /^\Q$kind\E / } split /\n/, $r->{out};
	is scalar(@lines), $o{count} // 1, "$title: on one line" or diag($r->{out});
	like $lines[0] // '', qr/^\S+ .*\Q$where\E.*: .*; ./, "$title: which says where, what, and what to do";
	my $j = fsck($copy, '--json', @data);
	my ($found) = grep { $_->{kind} eq $kind } findings($j);
	ok $found && $found->{where} ne '' && $found->{what} ne '' && !$found->{repaired} && $found->{todo} ne '', "$title: and as JSON" or diag($j->{out});
	my $fixed = fsck($copy, '--json', '--repair', @data);
	my ($then) = grep { $_->{kind} eq $kind } findings($fixed);
	is $fixed->{status}, 1, "$title: repairing says that something was wrong";
	is !!$then->{repaired}, !!($o{repaired} // 1), "$title: " . ($o{repaired} // 1 ? 'repaired' : 'beyond repair, and said so') or diag($fixed->{out}, $fixed->{err});
	my $again = fsck($copy, '--json', @data);
	is kinds_of($again), $o{left} // ($o{repaired} // 1 ? '' : $kind), "$title: a second run finds only what could not be mended" or diag($again->{out});
	ok $o{check}->(), "$title: $o{says}" if $o{check};
	remove_tree($copy);
	return;
}

damage('an empty layer link', 'layer-link', $dl =~ s/.*://r, sub { spew(layer($dl), '') }, check => sub { slurp(layer($dl)) eq $dl }, says => 'it is written anew');
damage('a layer link of garbage', 'layer-link', '_layers', sub { spew(layer($dl), 'garbage') }, check => sub { slurp(layer($dl)) eq $dl }, says => 'it is written anew');
damage('a link to another digest', 'layer-link', '_layers', sub { spew(layer($dl), $d3) }, check => sub { slurp(layer($dl)) eq $dl }, says => 'it is written anew');
damage('an empty layer link without content', 'layer-link', '_layers', sub { spew("$_/link", '') for make_path("$repo/_layers/sha256/" . 'a' x 64) });
damage('an empty link of a manifest', 'revision-link', 'revisions', sub { spew(revision($dr), '') }, check => sub { slurp(revision($dr)) eq $dr }, says => 'it is written anew');
damage('a layer directory without link', 'layer-without-link', '_layers', sub { make_path("$repo/_layers/sha512/" . 'b' x 128) }, check => sub { !-e "$repo/_layers/sha512/" . 'b' x 128 }, says => 'it is removed');
damage('a manifest directory without link', 'revision-without-link', 'revisions', sub { make_path("$repo/_manifests/revisions/sha256/" . 'b' x 64) });
damage('a tag without link', 'tag-without-link', 'tags/x', sub { make_path("$repo/_manifests/tags/x/index/sha256/" . 'c' x 64) });
damage('an empty tag that was one manifest', 'tag-link', 'tags/old', sub { spew("$repo/_manifests/tags/old/current/link", '') },
	check => sub { slurp("$repo/_manifests/tags/old/current/link") eq $d2 }, says => 'it points there again');
damage('an empty tag that was several', 'tag-link', 'tags/latest', sub { spew("$repo/_manifests/tags/latest/current/link", '') }, repaired => 0);
damage('a tag whose index link is empty', 'tag-index-link', "tags/old/index", sub { spew(path_in(tag_index_link($s, 'team/app', 'old', $d2)), '') },
	check => sub { slurp(path_in(tag_index_link($s, 'team/app', 'old', $d2))) eq $d2 }, says => 'it is written anew');
damage('a tag that its own index lacks', 'tag-index-link', "tags/old/index", sub { remove_tree("$repo/_manifests/tags/old/index") });
damage('a tag to nothing', 'tag-without-manifest', 'tags/windows', sub { remove_tree(dir_of(revision(sha256($foreign)))) }, repaired => 0);
damage('content that is missing', 'layer-without-content', 'team/app', sub { remove_tree(dir_of(blob($d3))) }, repaired => 0, left => 'layer-without-content missing-reference');
damage('a manifest that is missing', 'revision-without-content', 'team/app', sub { remove_tree(dir_of(blob($dr))) }, repaired => 0);
damage('a manifest of wrong bytes', 'blob-wrong-bytes', $dr, sub { spew(blob($dr), $ref =~ s/"k"/"x"/r) }, left => 'revision-without-content', check => sub { quarantined($dr) }, says => 'it is in quarantine');
damage('a manifest that is larger than the limit', 'manifest-too-large', $dr, sub { spew(blob($dr), $ref . ' ' x (5 << 20)) }, repaired => 0);
damage('a manifest that is none', 'manifest-unreadable', sha256('no JSON'), sub {
	my $d = sha256('no JSON');
	lay_file(blob($d), 'no JSON');
	lay_file(revision($d), $d);
}, repaired => 0);
damage('a layer that the repository lacks', 'missing-reference', $d2, sub { remove_tree(dir_of(layer($d3))) }, repaired => 0);
damage('a child that the repository lacks', 'missing-reference', sha256($index), sub { remove_tree(dir_of(revision($d2))) }, repaired => 0, left => 'missing-reference tag-without-manifest');
damage('content that is cut short', 'wrong-size', $d2, sub { truncate blob($d3), 2 }, left => 'layer-without-content missing-reference', check => sub { quarantined($d3) }, says => 'it is in quarantine');
damage('a manifest that says a wrong size', 'wrong-size', '@sha256', sub {
	my $m = image_of(OCI_MANIFEST, '{}') =~ s/"size":2/"size":3/r;
	lay_file(blob(sha256($m)), $m);
	lay_file(revision(sha256($m)), sha256($m));
}, repaired => 0);
damage('a blob directory without data', 'blob-without-data', 'sha256/dd', sub { make_path("$blobs/sha256/dd/" . 'd' x 64) }, check => sub { !-e "$blobs/sha256/dd/" . 'd' x 64 }, says => 'it is removed');
damage('empty data', 'blob-empty', $d3 =~ s/.*://r, sub { spew(blob($d3), '') }, left => 'layer-without-content missing-reference', check => sub { quarantined($d3) }, says => 'it is in quarantine');
damage('content in the wrong directory', 'blob-misplaced', 'sha256/', sub {
	my $two = substr($d3, 7, 2) eq '00' ? '01' : '00';
	make_path("$blobs/sha256/$two");
	rename dir_of(blob($d3)), "$blobs/sha256/$two/" . substr $d3, 7 or die $!;
}, left => 'layer-without-content missing-reference', check => sub { quarantined($d3) }, says => 'it is in quarantine');
damage('wrong bytes', 'blob-wrong-bytes', $d3 =~ s/.*://r, sub { spew(blob($d3), 'thirD') }, data => 1, left => 'layer-without-content missing-reference', check => sub { quarantined($d3) && slurp("$copy/berth/quarantine/sha256-" . substr $d3, 7) eq 'thirD' }, says => 'they are in quarantine');
damage("a name that does not belong in $_->[0]", 'foreign-name', $_->[1], sub { my $f = $_->[1]; spew("$copy/docker/registry/v2/$f", 'x') }, repaired => 0)
	for ['blobs', 'blobs/md5'], ['blobs/sha256', 'blobs/sha256/xyz'], ['_layers', 'repositories/team/app/_layers/sha256/short'], ['revisions', 'repositories/team/app/_manifests/revisions/sha256/short'],
	['tags', 'repositories/team/app/_manifests/tags/bad+name'], ['repositories', 'repositories/team/UPPER'], ['uploads', 'repositories/team/app/_uploads/what'];
damage('a name with a newline', 'foreign-name', 'a\\x0ab', sub { spew("$blobs/a\nb", 'x') }, repaired => 0);
damage('a file that stops the walk of registry:2', 'walk-stopper', 'team/_notes', sub { spew("$copy/docker/registry/v2/repositories/team/_notes", 'x') }, repaired => 0);
damage('a repository without _manifests', 'half-repository', 'half/one', sub { make_path("$copy/docker/registry/v2/repositories/half/one/_layers") },
	check => sub { -d "$copy/docker/registry/v2/repositories/half/one/_manifests" }, says => 'it is made', left => '');
damage('a repository without _layers', 'half-repository', 'half/two', sub { make_path("$copy/docker/registry/v2/repositories/half/two/_manifests") });
damage('an upload without startedat', 'upload-without-start', $uuid, sub { unlink "$repo/_uploads/$uuid/startedat" },
	check => sub { slurp("$repo/_uploads/$uuid/data") eq 'half of it' && slurp("$repo/_uploads/$uuid/startedat") =~ /^\d{4}-.*Z$/ }, says => 'it can go on');
damage('an upload that became a link, but a power cut took back that it moved', 'upload-without-start', $uuid, sub { rename "$repo/_uploads/$uuid/startedat", "$repo/_uploads/$uuid/link" },
	check => sub { -e "$repo/_uploads/$uuid/startedat" }, says => 'the collector can remove it');
damage('what another registry left', 'leftover', 'link.1.tmp', sub { spew(dir_of(layer($dl)) . '/link.1.tmp', 'x') });
damage('a tag that the sorted names lack', 'index-tag-names', 'team/app/_names', sub { s/^old\n//m, spew("$index_dir/_names/1", $_) for slurp("$index_dir/_names/1") });
damage('a tag that is not under its digest', 'index-tags-of', 'team/app/_tags', sub { forget_pair("$index_dir/_tags", "$d2 old") });
damage('a referrer that is not under its subject', 'index-referrers', $dr =~ s/.*://r, sub { unlink "$index_dir/_referrers/sha256/" . substr($d1, 7) . "/$dr" or die $! });
damage('a descriptor that is not what the manifest says', 'index-descriptor', $dr =~ s/.*://r, sub { spew("$index_dir/_referrers/sha256/" . substr($d1, 7) . "/$dr", '{}') });
damage('a repository that the catalog lacks', 'index-catalog', '_catalog', sub { my ($leaf) = grep { m{/\d+$} } glob("$copy/berth/index/_catalog/*"); s{^team/app\n}{}m, spew($leaf, $_) for slurp($leaf) });
for my $change (['digest' => qr/(?<=[ ]old[ ]sha256:)\w+/, sub { '0' x 64 }], ['time of a push' => qr/[0-9a-f]{16}(?=[ ]old[ ])/, sub { '0' x 16 }], ['size' => qr/[ ]old[ ][^\n]*[ ]b\K\d/, sub { 9 - $_[0] }]) {
	my ($what, $pattern, $with) = @$change;
	damage("a summary with a wrong $what", 'index-summary', 'team/app/_summary', sub { (s/($pattern)/$with->($&)/ge or die), spew("$index_dir/_summary", $_) for slurp("$index_dir/_summary") });
}
damage('a summary that lacks a tag', 'index-summary', 'team/app/_summary', sub { s/ old (?=sha256:)/ olx / for my $t = slurp("$index_dir/_summary"); spew("$index_dir/_summary", "$t\n?o old ;\n\n-old ;\n") });
damage('a damaged set of tags', 'index-damaged', '_names', sub { spew("$index_dir/_names/root", "x\n") });
damage('a set of tags without its leaf', 'index-damaged', '_names', sub { unlink "$index_dir/_names/1" or die $! });
damage('a damaged catalog', 'index-damaged', '_catalog', sub { spew("$copy/berth/index/_catalog/root", "1 9\n1 \n2 m\n2 b\n") });
damage('a format file that is missing', 'format', 'berth/format', sub { unlink "$copy/berth/format" }, check => sub { slurp("$copy/berth/format") eq "1\n" }, says => 'it is written');
damage('a store of a newer berth', 'format', 'berth/format', sub { spew("$copy/berth/format", "2\n") }, repaired => 0);

# What the configuration allows to be missing.
$copy = "$work/sparse";
run_ok('cp', '-a', $root, $copy, 'a copy of the store');
remove_tree(dir_of(revision($d2)));
remove_tree("$copy/docker/registry/v2/repositories/team/app/_manifests/tags/old");
# While nobody serves no index counts: a power cut may have taken what was written last, and another registry may have written the links.
my $unserved = "$work/unserved";
run_ok('cp', '-a', $root, $unserved, 'a copy that nobody serves');
forget_pair("$unserved/berth/index/team/app/_tags", "$d2 old");
is fsck($unserved)->{status}, 0, 'an index that nobody believes has no faults';
remove_tree($unserved);

for my $sparse (['refuse', 1], ['index', 0], ['all', 0]) {
	my $r = run({ dir => $work }, $berth, '--config', spew("$work/berth.conf", "manifests = { sparse = \"$sparse->[0]\"; };\n"), '--root', $copy, 'fsck');
	is $r->{status}, $sparse->[1], "a child that is missing with manifests.sparse = $sparse->[0]" or diag($r->{out}, $r->{err});
}
remove_tree(dir_of(layer($dl)));
is run($berth, '--config', "$work/berth.conf", '--root', $copy, 'fsck')->{status}, 0, 'a layer that is missing where all may be';
my @json = map { JSON::PP->new->utf8->decode($_) } split /\n/, fsck($copy, '--json')->{out};
is $json[-1]{kind}, 'summary', 'a summary comes last';
is_deeply [@{ $json[-1] }{qw(found repaired left repositories tags manifests)}], [scalar(@json) - 1, 0, scalar(@json) - 1, 2, 4, 6], 'with what was found and seen';
remove_tree($copy);

# One file that can't be read does not keep the rest from being looked at.
$copy = "$work/unreadable";
run_ok('cp', '-a', $root, $copy, 'a copy of the store');
chmod 0755, $work;
run_ok('chown', '-R', 'nobody', $copy, 'which is not root\'s') if $> == 0;
chmod 0, layer($dl), blob($d3), dir_of(revision($dr)) or die $!;
my $r = fsck($copy, '--data');
is kinds_of(fsck($copy, '--json', '--data')), 'unreadable', 'what can\'t be read is said to be that' or diag($r->{out}, $r->{err});
like $r->{out}, qr/^unreadable \S*\Q$_\E/m, "as of $_" for map { s/.*://r } $dl, $d3, $dr;
run_ok('chmod', '-R', 'u+rwX', $copy, 'it can be removed');
remove_tree($copy);

# What was put into quarantine comes back with a push, and the index that a repair makes is one to serve with.
$s->start_workers;
spew(blob_file($s, $d3), 'thirD');
forget_pair("$root/berth/index/team/app/_tags", "$d2 old");
$s->req('GET', '/v2/team/app/tags/list');
is fsck($root, '--data', '--repair')->{status}, 1, 'a store is repaired while it is served';
is $s->req('GET', "/v2/team/app/blobs/$d3")->status, 404, 'wrong bytes are no longer served';
$s->push_blob('team/app', 'third');
is $s->req('GET', "/v2/team/app/blobs/$d3")->body, 'third', 'and a push brings them back';
is fsck($root, '--data')->{status}, 0, 'after which nothing is wrong';
is $s->req('GET', '/v2/team/app/tags/list')->body, qq({"name":"team/app","tags":["latest","multi","old","windows"]}\n), 'the tags are listed';

# How often it reads, and what becomes of its helpers.
SKIP: {
	skip 'belongs to the plain build: it traces system calls', 6 if $ENV{BERTH_SANITIZERS};
	skip 'strace is not installed', 6 if !have_program('strace') && !$ENV{CI};
	my $traced = sub { return run('strace', '-f', '-o', "$work/trace", @{ $_[0] }, $berth, '--config', $s->config_file, '--root', $copy, 'fsck', @_[1 .. $#_]) };

	$copy = "$work/traced";
	run_ok('cp', '-a', $root, $copy, 'a copy to trace');
	truncate blob($d3), 2 or die $!;
	for my $i (1 .. 3) {
		my $m = image_of(OCI_MANIFEST, '{}', 'third') =~ s/\}\z/,"annotations":{"n":"$i"}}/r;
		lay_file(blob(sha256($m)), $m);
		lay_file(revision(sha256($m)), sha256($m));
	}
	my $r = $traced->(['-P', blob($d3), '-e', 'trace=read,pread64']);
	is scalar(() = $r->{out} =~ /^wrong-size /mg), 4, 'four manifests name content of a wrong size';
	is scalar(() = slurp("$work/trace") =~ / = 2$/mg), 1, 'which is read once';

	$r = $traced->(['-e', 'inject=clone,clone3:error=EAGAIN'], '--data', '--jobs', 2);
	is scalar(() = $r->{out} =~ /^blob-wrong-bytes .*\Q@{[substr $d3, 7]}\E/mg), 1, 'where no helper can be started this process reads' or diag($r->{out}, $r->{err});
	$r = $traced->(['-e', 'inject=prctl:signal=KILL'], '--data', '--jobs', 2);
	is $r->{status}, 1, 'helpers that are killed: it fails';
	is $r->{err}, "berth: a helper process ended before its work was done\n", 'and says so in one line';
	remove_tree($copy);
}

# Beside clients that push and delete.
my $end = Time::HiRes::time() + 8;
my @did = run_parallel(5, sub {
	my ($i) = @_;
	my ($rounds, $bad) = (0, '');

	while (Time::HiRes::time() < $end || ($i == 4 && $rounds < 4)) {
		my $round = ++$rounds;
		if ($i == 4) {
			my $r = fsck($root, $round % 2 ? () : ('--data'), $round % 3 ? () : ('--repair'));
			$bad .= $r->{out} . $r->{err} if $r->{status};
			next;
		}
		my $name = $round % 3 ? "busy/shared" : "busy/c$i/r$round";
		my @made = map { [$s->push_image($name, "t$i-$_", type => 'oci', layers => ['the same', "own $i $round $_"])] } 0, 1;
		my $list = index_of(OCI_INDEX, map { desc(OCI_MANIFEST, $_->[1]) } @made);
		my $r = $s->push_manifest($name, "list$i", $list, OCI_INDEX);
		$bad .= $r->body if $r->status != 201;
		my $subject = sprintf '{"schemaVersion":2,"mediaType":"%s","config":%s,"layers":[],"subject":%s}', OCI_MANIFEST,
			desc('a/b', 'the same'), desc(OCI_INDEX, $list);
		$r = $s->push_manifest($name, sha256($subject), $subject, OCI_MANIFEST);
		$bad .= $r->body if $r->status != 201;
		for my $gone (sha256($subject), sha256($list), map { $_->[0] } @made) {
			$r = $s->req('DELETE', "/v2/$name/manifests/$gone");
			$bad .= $r->body if $r->status != 202;
		}
		$s->req('DELETE', "/v2/$name/blobs/" . sha256("own $i $round 0"));
		$s->req('DELETE', path_of(upload_start($s, $name)));
	}
	return "$rounds $bad";
});
like $_, qr/^\d+ $/, 'a client beside fsck had no trouble' for @did[0 .. 3];
like $did[4], qr/^\d+ $/, 'fsck beside four clients finds nothing wrong';
cmp_ok((split ' ', $did[4])[0], '>', 3, 'in several runs');
note("rounds: @did");
is fsck($root, '--data')->{status}, 0, 'nor afterwards';
is leftovers($s), '', 'nothing is left in body, tmp and trash';
ok !(grep { ($_->{status} // 0) >= 500 } $s->log_events), 'no request ended with 5xx';

done_testing;
