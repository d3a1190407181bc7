#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Removing many tags: a look at what would go and what that frees, a token for exactly that, what has changed meanwhile, what stays, and undo.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use POSIX ();
use Berth::Test;
use Berth::Auth;
use Berth::Check;
use Berth::Trace ();
use Berth::Undo;
use Berth::GC;

my $s = Berth::Server->start(config => "delete = true;\nundo = \"1d\";\nrules = ( { repo = \"team/**\"; immutable = [ \"rel-*\" ]; } );\n", workers => 2);
my $json = JSON::PP->new->canonical->utf8;
sub post { my ($what, $body, @o) = @_; return $s->req(POST => "/berth/v1/repos/team/app/tags:$what", body => ref $body ? $json->encode($body) : $body, @o) }
sub del { my ($body, @o) = @_; return post('delete', $body, @o) }
sub now { return join ' ', sort @{ $s->req(GET => '/v2/team/app/tags/list')->json->{tags} // [] } }
sub names { return join ' ', map { ref $_ ? $_->{tag} : $_ } @{ $_[0] } }

error_is(del({ tags => ['x'] }), 404, 'NAME_UNKNOWN', 'a repository that does not exist');
my @shared = ('shared layer');
my %image;
for my $t (qw(1.0 1.1 rel-1 latest)) {
	my ($d, $m) = $s->push_image('team/app', $t, type => 'oci', layers => [@shared, "own layer of $t"], config => qq({"t":"$t"}));
	$image{$t} = { digest => $d, bytes => length($m) + length("own layer of $t") + length(qq({"t":"$t"})), manifest => $m };
}
is $s->push_manifest('team/app', '1.1-again', $image{'1.1'}{manifest}, OCI_MANIFEST)->status, 201, 'two tags of one manifest';

# a look
my $r = del({ tags => [qw(1.1 1.0 rel-1 nothing 1.0)], dry_run => JSON::PP::true });
is $r->status, 200, 'a look' or diag $r->as_string;
my $look = $r->json;
is_deeply $look->{tags}, [map { { tag => $_, digest => $image{$_}{digest} } } qw(1.0 1.1)], 'says what would go, each once';
is_deeply $look->{stays}, [{ tag => 'nothing', why => 'there is no such tag' }, { tag => 'rel-1', digest => $image{'rel-1'}{digest}, why => 'immutable, by the rule for "team/**"' }], 'and what stays, and why';
is_deeply $look->{kept_content}, [{ tag => '1.1', digest => $image{'1.1'}{digest}, by => '1.1-again' }], 'what another tag keeps';
is $look->{frees}, $image{'1.0'}{bytes}, 'and the bytes that nothing else needs';
is $look->{untagged}, JSON::PP::false, 'which no collection frees here';
is now(), '1.0 1.1 1.1-again latest rel-1', 'and nothing has gone';
is $look->{next}, undef, 'there is no more';

# by the token, after one has moved
$s->push_image('team/app', '1.1', type => 'oci', layers => ['moved']);
$r = del({ token => $look->{token} });
is $r->status, 202, 'by the token' or diag $r->as_string;
is_deeply $r->json, { deleted => ['1.0'], changed => ['1.1'], stays => [] }, 'what has not changed goes';
is now(), '1.1 1.1-again latest rel-1', 'and nothing else';
$r = del({ token => $look->{token} });
is_deeply [$r->status, $r->json], [200, { deleted => [], changed => ['1.0', '1.1'], stays => [] }], 'once';
# undo
$r = $s->req(GET => '/berth/v1/repos/team/app/deleted');
is_deeply [map { [@$_{qw(tag digest was)}] } @{ $r->json->{deleted} }], [['1.1', $image{'1.1'}{digest}, 'moved'], ['1.0', $image{'1.0'}{digest}, 'deleted']], 'what was moved and deleted is remembered'
	or diag $r->as_string;
like $r->json->{deleted}[0]{at}, qr/^20\d\d-/, 'with the time';
my $page = $s->req(GET => '/berth/v1/repos/team/app/deleted?n=1')->json;
is names($page->{deleted}), '1.1', 'page by page';
is names($s->req(GET => "/berth/v1/repos/team/app/deleted?n=1&after=$page->{next}")->json->{deleted}), '1.0', 'in the order of the times';
is $s->req(GET => "/berth/v1/repos/team/app/deleted?n=1&after=$page->{next}")->json->{next}, undef, 'to the end';
$r = post('restore', { tags => [{ tag => '1.0' }, { tag => 'never' }, { tag => '1.1', digest => $image{'1.1'}{digest} }, { tag => 'rel-1', digest => $image{'1.0'}{digest} }] });
is $r->status, 201, 'some come back' or diag $r->as_string;
is_deeply $r->json->{restored}, [map { { tag => $_, digest => $image{$_}{digest} } } qw(1.0 1.1)], 'with what they pointed to';
is names($r->json->{failed}), 'never rel-1', 'others do not';
like $_->{why}, qr/./, "$_->{tag}: $_->{why}" for @{ $r->json->{failed} };
is $s->req(GET => '/v2/team/app/manifests/1.0')->body, $image{'1.0'}{manifest}, 'whole';
is now(), '1.0 1.1 1.1-again latest rel-1', 'all as it was';
is post('restore', { tags => [{ tag => 'never' }] })->status, 200, 'nothing restored is no change';
# undo beside pushes: what the tag is expected to be
{
	my ($old, $new) = map { ($s->push_image('team/app', 'exp', type => 'oci', layers => ["exp $_"]))[0] } 1, 2;
	my $back = sub { my $j = post('restore', { tags => [{ tag => 'exp', @_ }] })->json; return join ' ', map({ $_->{digest} } @{ $j->{restored} }), map { $_->{why} } @{ $j->{failed} } };
	my $points = sub { $s->req(HEAD => '/v2/team/app/manifests/exp')->header('Docker-Content-Digest') // 'none' };
	is $back->(digest => $old, expect => undef), 'pushed again meanwhile', 'a tag that was expected not to be there is not overwritten';
	is $back->(expect => undef), 'pushed again meanwhile', '... whatever it should be';
	is $back->(digest => $old, expect => $image{'1.0'}{digest}), 'pushed again meanwhile', '... nor one that was expected to be another';
	is $points->(), $new, '... it is as it was';
	is $back->(digest => $old, expect => $new), $old, 'one that is as expected is moved';
	is $points->(), $old, '... there';
	is $back->(digest => $old, expect => undef), $old, 'one that is restored already is';
	is $s->req(DELETE => '/v2/team/app/manifests/exp')->status, 202, 'it goes';
	is $back->(digest => $new, expect => $old), 'deleted meanwhile', 'a tag that was expected to be there is not made again';
	is $points->(), 'none', '... it is as it was';
	is $back->(expect => undef), $old, 'one that is not there, as expected, comes back';
	is $s->req(DELETE => '/v2/team/app/manifests/exp')->status, 202, 'it goes';
}

# an index, and what refers to an image
my ($dc, $mc) = $s->push_image('team/app', 'child', type => 'oci', layers => ['of the child']);
my $index = index_of(OCI_INDEX, desc(OCI_MANIFEST, $mc));
is $s->push_manifest('team/app', 'multi', $index, OCI_INDEX)->status, 201, 'an index';
$s->push_blob('team/app', $_) for '{}', 'a signature';
my $sig = image_of(OCI_MANIFEST, '{}', 'a signature') =~ s/\}\z/sprintf ',"artifactType":"application\/x","subject":%s}', desc(OCI_INDEX, $index)/er;
is $s->push_manifest('team/app', sha256($sig), $sig, OCI_MANIFEST)->status, 201, 'with a referrer';
$look = del({ tags => ['child'], dry_run => JSON::PP::true })->json;
is_deeply [$look->{frees}, $look->{kept_content}], [0, [{ tag => 'child', digest => $dc, by => 'multi' }]], 'an index keeps its manifests';
$look = del({ tags => ['multi'], dry_run => JSON::PP::true })->json;
is_deeply [$look->{frees}, $look->{kept_content}], [length("$index$sig" . '{}' . 'a signature'), []], 'without its tag it goes, with what refers to it';
$look = del({ tags => ['multi', 'child'], dry_run => JSON::PP::true })->json;
my ($config) = $mc =~ /"config":\{[^}]*"size":(\d+)/;
is $look->{frees}, length("$index$sig$mc" . '{}' . 'a signature' . 'of the child') + $config, 'with all tags it takes its manifests along';

# filters
$s->push_manifest('team/app', "pr-$_", $image{latest}{manifest}, OCI_MANIFEST) for 1 .. 9;
$look = del({ filter => { pattern => 'pr-*' }, dry_run => JSON::PP::true })->json;
is names($look->{tags}), join(' ', map { "pr-$_" } 1 .. 9), 'a pattern';
$look = del({ filter => { pattern => 'pr-*', keep_newest => 7 }, dry_run => JSON::PP::true })->json;
is names($look->{tags}), 'pr-1 pr-2', 'all but the newest that match it';
is names(del({ filter => { keep_newest => 100 }, dry_run => JSON::PP::true })->json->{tags}), '', 'or none, if there are fewer';
is names(del({ filter => { pattern => 'pr-*', older_than => '1h' }, dry_run => JSON::PP::true })->json->{tags}), '', 'what is old enough: nothing';
is names(del({ filter => { pattern => 'pr-[12]', older_than => '0s' }, dry_run => JSON::PP::true })->json->{tags}), 'pr-1 pr-2', 'what was pushed';
is names(del({ filter => { pattern => 'rel-*' }, dry_run => JSON::PP::true })->json->{stays}), 'rel-1', 'a filter finds what stays, too';
$r = del({ filter => { pattern => 'pr-*', keep_newest => 7 } });
is_deeply [$r->status, $r->json], [202, { deleted => ['pr-1', 'pr-2'], changed => [], stays => [] }], 'at once';
$r = del({ filter => { pattern => 'pr-[34]' }, after => 'pr-3' });
is_deeply $r->json->{deleted}, ['pr-4'], 'behind a cursor';
is now(), join(' ', sort qw(1.0 1.1 1.1-again latest rel-1 child multi), map { "pr-$_" } 3, 5 .. 9), 'and these are gone';

# many
for my $i (1 .. 1100) {
	$s->push_manifest('team/app', sprintf('many-%04d', $i), $image{latest}{manifest}, OCI_MANIFEST)->status == 201 or die;
}
$look = del({ filter => { pattern => 'many-*' }, dry_run => JSON::PP::true })->json;
is scalar(@{ $look->{tags} }), 1000, 'a thousand at once';
is $look->{next}, 'many-1000', 'and where to go on';
is scalar(@{ del({ filter => { pattern => 'many-*' }, dry_run => JSON::PP::true, after => $look->{next} })->json->{tags} }), 100, 'from there';
# all_of - what goes by a token, in as many parts as it takes, from a tag on; what has changed is in @changed
my @changed;
sub all_of
{
	my ($token, $after) = @_;
	my ($part, @gone);

	do {
		$part = del({ token => $token, defined $after ? (after => $after) : () })->json;
		push @gone, @{ $part->{deleted} };
		push @changed, @{ $part->{changed} };
	} while (defined($after = $part->{next}));
	return @gone;
}
my ($after, $rounds, @gone) = ('', 0);
do {
	$r = del({ token => $look->{token}, ($after ? (after => $after) : ()) });
	is $r->status, 202, 'a part of them goes' or diag $r->as_string;
	push @gone, @{ $r->json->{deleted} };
	$after = $r->json->{next};
} while (defined $after && ++$rounds < 30);
is "@gone", join(' ', map { sprintf 'many-%04d', $_ } 1 .. 1000), 'all of these, each once';
my @left = grep { /^many/ } split / /, now();
is scalar(@left), 100, 'the others are there';
error_is(del({ tags => [map { "t$_" } 1 .. 1001] }), 400, 'UNSUPPORTED', 'a longer list is refused');

# beside pushes: what is pushed again between the look and the token stays
$look = del({ filter => { pattern => 'many-*' }, dry_run => JSON::PP::true })->json;
my ($dn) = $s->push_image('team/app', 'many-1050', type => 'oci');
all_of($look->{token});
is_deeply \@changed, ['many-1050'], 'one that was pushed meanwhile';
is $s->req(HEAD => '/v2/team/app/manifests/many-1050')->header('Docker-Content-Digest'), $dn, 'is there';
$s->req(DELETE => '/v2/team/app/manifests/many-1050');

# a fault in the midst: what has gone is said, and where to go on
my $traced = tmp_dir() . '/traced';
# with_fault - what the code says, with faults from this rename on; whether it came to one is in $met
my $met;
sub with_fault
{
	my ($rename, $code) = @_;
	my @pids = $s->worker_pids;
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		exec 'strace', '-f', '-qq', '-o', $traced, '-e', 'trace=renameat,renameat2', '-e', "inject=renameat,renameat2:error=EIO:when=$rename+", map { ('-p', $_) } @pids or POSIX::_exit(127);
	}
	wait_for { @pids == grep { my $p = $_; grep { /^TracerPid:\s*[1-9]/ } split /\n/, slurp("/proc/$p/status") } @pids and Berth::Trace::sleeps($pid) } or die 'strace';
	my $answer = $code->();
	kill TERM => $pid;
	waitpid $pid, 0;
	$met = slurp($traced) =~ /INJECTED/;
	return $answer;
}
need_program('strace');
{
	my @some = map { sprintf 'fault-%03d', $_ } 1 .. 120;
	$s->push_manifest('team/app', $_, $image{latest}{manifest}, OCI_MANIFEST)->status == 201 or die for @some;
	my $gone = del({ filter => { pattern => 'fault-*' }, dry_run => JSON::PP::true })->json->{token};
	error_is(with_fault(1, sub { del({ token => $gone }) }), 503, 'UNAVAILABLE', 'a fault before anything has gone');
	# of the first 50, that go together, ten are left: what takes longer than a second ends before it comes to the others (doc/PAGE.md), and is done again
	is scalar(@{ del({ tags => [@some[ 0 .. 39 ]] })->json->{deleted} }), 40, 'some go before';
	wait_for {
		$s->push_manifest('team/app', $_, $image{latest}{manifest}, OCI_MANIFEST)->status == 201 or die for @some[ 40 .. 49 ];
		$r = with_fault(35, sub { del({ token => $gone }) });
		$met;
	} or die 'each took longer than a second';
	is $r->status, 202, 'a fault after some have gone' or diag $r->as_string;
	my $first = $r->json;
	is "@{ $first->{deleted} }", join(' ', @some[ 40 .. 49 ]), 'says which, and that they have gone for good';
	is $first->{next}, 'fault-050', 'and where to go on';
	ok scalar(grep { ($_->{event} // '') eq 'untag_failed' } $s->log_events), '... the log has the fault';
	@changed = ();
	is join(' ', sort(all_of($gone, $first->{next}), @changed)), join(' ', @some[ 50 .. 119 ]), 'going on there takes the others';
	is scalar(grep { /^fault/ } split / /, now()), 0, 'and all have gone';
	my @back = map { { tag => $_ } } @some[ 0 .. 9 ];
	$r = with_fault(5, sub { post('restore', { tags => \@back }) });
	is $r->status, 201, 'a fault after some are restored' or diag $r->as_string;
	my ($have, $not) = @{ $r->json }{qw(restored failed)};
	cmp_ok scalar(@$have), '>', 0, 'says which';
	cmp_ok scalar(@$not), '>', 0, '... and which are not';
	is names([@$have, @$not]), names(\@back), '... all of them';
	like $_->{why}, qr/the registry has failed/, "... $_->{tag}" for @$not;
	is names(post('restore', { tags => [map { { tag => $_->{tag} } } @$not] })->json->{restored}), names($not), 'they come back once it is well again';
}

# what a collection frees is what was said
{
	my $plain = Berth::Server->start(config => "delete = true;\n", workers => 1);
	my $sum = sub { my $n = 0; $n += -s data_dir($plain) . "/blobs/$_" for files_below(data_dir($plain) . '/blobs'); return $n };
	$plain->push_image('a', "t$_", type => 'oci', layers => ['common', "layer $_"]) for 1 .. 4;
	my $look = $plain->req(POST => '/berth/v1/repos/a/tags:delete', body => '{"filter":{"pattern":"t[12]"},"dry_run":true}')->json;
	my $before = $sum->();
	gc_ok($plain, '--untagged', '--grace', '0s', 'a collection finds nothing');
	is $sum->(), $before, 'before the tags go';
	is $plain->req(POST => '/berth/v1/repos/a/tags:delete', body => $json->encode({ token => $look->{token} }))->status, 202, 'they go';
	make_old($plain, 10);
	gc_ok($plain, '--untagged', '--grace', '0s', 'a collection of what has no tag');
	is $before - $sum->(), $look->{frees}, 'frees what was said';
	my $said = sub { return $plain->req(POST => "/berth/v1/repos/$_[0]/tags:delete", body => '{"tags":["t3"],"dry_run":true}')->json->{untagged} ? 1 : 0 };
	$plain->push_image('b', 't3', type => 'oci');
	for (['', '0 0'], ['gc = { untagged = true; };', '1 1'], ['rules = ({ repo = "a"; untagged = "7d"; });', '1 0']) {
		reconfigure($plain, "delete = true;\n$_->[0]\n");
		is join(' ', map { $said->($_) } 'a', 'b'), $_->[1], "whether collections do so is said with '$_->[0]'";
	}
	$plain->stop;
}

# what is refused
error_is(del($_), 400, 'UNSUPPORTED', "refused: $_") for '', '[]', '{', '{}', '{"tags":"x"}', '{"tags":[1]}', '{"tags":["-x"]}', '{"tags":["x"],"dryrun":true}', '{"tags":["x"],"dry_run":1}',
	'{"filter":{}}', '{"filter":{"pattern":"["}}', '{"filter":{"older_than":"x"}}', '{"filter":{"older_than":5}}', '{"filter":{"keep_newest":-1}}', '{"filter":{"pattern":"x","newest":1}}',
	'{"filter":{"pattern":""}}', '{"tags":["x"],"filter":{"pattern":"x"}}', '{"token":"x"}', '{"token":"eA"}', '{"token":"eA","dry_run":true}', '{"tags":["x"],"after":7}', '{"tags":["x"],"tags":["y"]}';
is $s->req(POST => '/berth/v1/repos/team/app/tags:delete', body => ' ' x (600 << 10))->status, 413, 'a body that is too long';
$s->push_image('team/other', '1.0', type => 'oci');
error_is($s->req(POST => '/berth/v1/repos/team/other/tags:delete', body => $json->encode({ token => $look->{token} })), 400, 'UNSUPPORTED', "another repository's token");
error_is(post('restore', $_), 400, 'UNSUPPORTED', "refused: $_") for '{}', '{"tags":[]}', '{"tags":[{}]}', '{"tags":[{"tag":"-"}]}', '{"tags":[{"tag":"x","digest":"y"}]}', '{"tags":[{"tag":"x","more":1}]}', '{"tags":[{"tag":"x","expect":"y"}]}', '{"tags":[{"tag":"x","expect":1}]}', '{"tags":[{"tag":"x","more":null}]}', '{"all":[]}';
error_is($s->req(GET => '/berth/v1/repos/team/app/deleted?after=x'), 400, 'PAGINATION_NUMBER_INVALID', 'a cursor that is none');
error_is($s->req(GET => '/berth/v1/repos/no/where/deleted'), 404, 'NAME_UNKNOWN', 'nothing is remembered of what is no repository');

# what the configuration does not allow
$s->config("delete = false;\n");
$s->replace_workers;
is del({ tags => ['1.0'] })->status, 405, 'where nothing may be deleted there is no such method';
is post('restore', { tags => [{ tag => '1.0' }] })->status, 200, 'and undo is another matter';
$s->config("delete = true; readonly = true;\n");
$s->replace_workers;
is del({ tags => ['1.0'] })->status, 405, 'nor in a registry that is read-only';
is post('restore', { tags => [{ tag => '1.0' }] })->status, 405, 'where nothing comes back';
is $s->req(GET => '/v2/team/app/manifests/1.0')->status, 200, 'all is there';
$s->stop;

# who deleted and moved
{
	my $dir = tmp_dir();
	my $long = 'l' x 70;
	spew("$dir/htpasswd", htpasswd(map { $_ => 'pw' } 'anna', 'o;w%', $long));
	my $rules = join ', ', map { rule($_, '**', 'pull push delete') } 'anna', 'o;w%', $long;
	my $a = Berth::Server->start(config => "delete = true;\nundo = \"1d\";\nauth = { htpasswd = \"$dir/htpasswd\"; access = ( $rules ); };\n", workers => 1);
	my $as = sub { my ($user, $method, $path, %o) = @_; return $a->req($method, $path, %o, headers => [basic($user, 'pw'), @{ $o{headers} // [] }]) };
	my @m = map { image_of(OCI_MANIFEST, "{\"n\":$_}", 'layer') } 0 .. 1;

	$as->('anna', POST => '/v2/r/blobs/uploads/?digest=' . sha256($_), body => $_) for 'layer', '{"n":0}', '{"n":1}';
	my $push = sub { my ($user, $tag, $i) = @_; is $as->($user, PUT => "/v2/r/manifests/$tag", body => $m[$i], headers => ['Content-Type' => OCI_MANIFEST])->status, 201, "a push of $tag" };
	$push->('anna', $_, 0) for qw(a b c);
	$push->('o;w%', 'a', 1);
	is $as->('anna', DELETE => '/v2/r/manifests/b')->status, 202, 'one is deleted';
	is $as->($long, DELETE => '/v2/r/manifests/c')->status, 202, 'and another one';
	run_ok(program('berth'), '--config', $a->config_file, '--root', $a->root, 'tag', 'rm', 'r', 'a', 'and one by a command');
	my $gone = sub { my ($repo) = @_; return join ' | ', map { "$_->{tag} $_->{was} " . ($_->{by} // '-') } @{ $as->('anna', GET => "/berth/v1/repos/$repo/deleted")->json->{deleted} } };
	my $want = 'a moved o;w% | b deleted anna | c deleted ' . 'l' x 64;
	like $gone->('r'), qr/\A\Q$want\E \| a deleted [^|]+\z/, 'who did it is remembered';
	my $was = $gone->('r');
	my $marks = sub { return map { $a->root . "/berth/undo/$_[0]/_marks/$_" } marks_of($a, $_[0]) };
	run_ok(program('berth'), '--config', $a->config_file, '--root', $a->root, 'repo', 'mv', 'r', 'other', 'it gets another name');
	is $gone->('other'), $was, '... and keeps that';
	like run(program('berth'), '--config', $a->config_file, '--root', $a->root, 'tag', 'deleted', 'other', '--json')->{out}, qr/"tag":"b".*"by":"anna"/, 'a command says it as well';
	# what a power cut may leave of bytes that are not flushed
	for my $torn ("an\0\0\0", "\0" x 5, 'ann', '', "%\n", "\n") {
		spew($_, $torn) for $marks->('other');
		unlike $gone->('other'), qr/anna|o;w|llll/, 'what is torn says nothing: ' . unpack 'H*', $torn;
		is scalar(() = $gone->('other') =~ / -/g), 4, '... of anybody';
	}
	$a->stop;
}
done_testing;
