#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# `berth cache` on a store with a filled cache, without any network: what list says, what drop removes and leaves, and pins.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX ();
use Berth::Test;
use Berth::Check;
use Berth::FCGI;

my $s = Berth::Server->start(config => <<'CONF', args => ['--no-relay']);
delete = true;
undo = "24h";
journal = { enabled = true; };
upstreams = (
	{ name = "docker.io"; urls = [ "http://127.0.0.1:1" ]; },
	{ name = "quay.io"; urls = [ "http://127.0.0.1:1" ]; allow = [ "ours/**" ]; }
);
rules = ( { repo = "quay.io/ours/fixed"; readonly = true; } );
CONF
my @berth = (program('berth'), '--config', $s->config_file, '--root', $s->root);
my $type = 'application/vnd.oci.image.manifest.v1+json';

sub cache { return run(@berth, 'cache', @_) }
sub ok_cache { my ($title, @words) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; return run_ok(@berth, 'cache', @words, $title) }
sub lines { return map { JSON::PP->new->decode($_) } split /\n/, run_ok(@berth, 'cache', 'list', '--json', @_, 'list --json') }
sub relay { my ($method, $uri, %o) = @_; return Berth::FCGI->new($s->dir . '/relay.sock')->request(params => { REQUEST_METHOD => $method, REQUEST_URI => "/berth/v1/relay/$uri",
	CONTENT_LENGTH => length($o{body} // ''), CONTENT_TYPE => $o{type} // '', $o{file} ? (BERTH_BODY_FILE => $o{file}, CONTENT_LENGTH => -s $s->root . "/$o{file}") : () }, stdin => $o{body} // '') }
my $spooled = 0;
sub blob { my ($repo, $bytes) = @_; my $f = 'berth/body/relay-' . ++$spooled; spew($s->root . "/$f", $bytes); return is relay(PUT => "blob?repo=$repo&digest=" . sha256($bytes), file => $f)->status, 201, 'a blob is here' }

# image - in the cache, as the relay hands it over: its digest
sub image
{
	my ($repo, $tag, $config, @layers) = @_;
	my $m = JSON::PP->new->canonical->encode({ schemaVersion => 2, mediaType => $type, config => { mediaType => 'application/vnd.oci.image.config.v1+json', digest => sha256($config), size => length $config },
		layers => [ map { { mediaType => 'application/vnd.oci.image.layer.v1.tar', digest => sha256($_), size => length $_ } } @layers ] });

	is relay(PUT => "manifest?repo=$repo&ref=$tag", body => $m, type => $type)->status, 201, "$repo:$tag is here";
	return { digest => sha256($m), size => length $m };
}

my ($base, $one, $two) = map { random_bytes($_) } 40_000, 5000, 600;
my $app = 'docker.io/library/app';
my $i1 = image($app, '1', '{"n":1}', $base, $one);
my $i2 = image($app, '2', '{"n":2}', $base, $two);
my $i3 = image('quay.io/ours/tool', 'latest', '{"n":3}', $base);
my $i4 = image('quay.io/ours/fixed', '1', '{"n":4}', $two);
blob($app, $_) for $base, $one, $two, '{"n":1}';
$s->push_image('team/app', '1');
is $s->req(GET => "/v2/$app/manifests/1")->status, 200, 'one tag is pulled';

# --- list
my $said = ok_cache('the list', 'list');
my $bytes = 40_000 + 5000 + 600 + 7 + $i1->{size} + $i2->{size};
like $said, qr/^\Q$app\E: 2 manifests, 4 blobs, $bytes bytes, pulled 2\S+Z$/m, 'a repository with what is here of it';
like $said, qr/^  1 \Q$i1->{digest}\E, checked 2\S+Z, pulled 2\S+Z$/m, 'a tag that was pulled';
like $said, qr/^  2 \Q$i2->{digest}\E, checked 2\S+Z, never pulled$/m, 'and one that was not';
like $said, qr{^quay\.io/ours/tool: 1 manifests, 0 blobs, }m, 'one of which no blob is here';
unlike $said, qr/team/, 'nothing of our own';
like $said, qr/^total: 3 repositories, 4 tags, 4 manifests, 4 blobs, \d+ bytes\n\z/m, 'the sum';
my @all = lines();
is_deeply [map { "$_->{kind} " . ($_->{repository} // '') . ($_->{tag} ? ":$_->{tag}" : '') } @all],
	["repository $app", "tag $app:1", "tag $app:2", 'repository quay.io/ours/fixed', 'tag quay.io/ours/fixed:1', 'repository quay.io/ours/tool', 'tag quay.io/ours/tool:latest', 'summary '], 'a line each';
is_deeply [@{ $all[0] }{qw(upstream manifests blobs bytes)}], ['docker.io', 2, 4, $bytes], 'with numbers';
is_deeply [$all[1]{digest}, $all[1]{pinned} ? 1 : 0, $all[2]{pulled}], [$i1->{digest}, 0, undef], 'and tags';
is_deeply [map { $_->{repository} // () } lines('quay.io')], [('quay.io/ours/fixed') x 2, ('quay.io/ours/tool') x 2], 'of one upstream';
my $r = cache('list', 'ghcr.io');
is "$r->{status} $r->{err}", "1 berth: there is no upstream ghcr.io\n", 'of none';

# --- pins
ok_cache('a tag is pinned', 'pin', 'app:1', 'docker.io/library/app:later');
ok_cache('again', 'pin', 'app:1');
is_deeply [map { "$_->{tag} " . ($_->{digest} ? 'here ' : '') . ($_->{pinned} ? 'pinned' : '') } grep { $_->{kind} eq 'tag' } lines('docker.io')], ['1 here pinned', '2 here ', 'later pinned'], 'the list says so';
like ok_cache('as text', 'list', 'docker.io'), qr/^  1 sha256:\S+, checked .*, pinned\n  2 [^\n]*pulled\n  later is not here, pinned$/m, 'as text, too';
$r = cache('pin', "app\@$i1->{digest}", 'app:2');
is "$r->{status} $r->{err}", "1 berth: $app\@$i1->{digest}: only a tag can be pinned\n", 'a digest is not pinned, the next one is';
ok_cache('a pin ends', 'unpin', 'app:2', 'app:later');
$r = cache('unpin', 'app:2');
is "$r->{status} $r->{err}", "1 berth: $app:2: is not pinned\n", 'once';

# --- drop
$r = cache('drop', 'app:3', 'app:2');
is "$r->{status} $r->{err}", "1 berth: $app:3: is not here\n", 'what is not here is told';
ok !-e tag_link($s, $app, '2') && !-e revision_link($s, $app, $i2->{digest}), 'and the next tag is gone, with its manifest';
ok !-e layer_link($s, $app, sha256($two)) && -e layer_link($s, $app, sha256($base)), 'and with the layer that no other image has';
is $s->req(GET => "/v2/$app/manifests/1")->status, 200, 'the other tag stays';
error_is($s->req(GET => "/v2/$app/manifests/2"), 503, 'UNAVAILABLE', 'the dropped one is asked of upstream');
ok_cache('a digest', 'drop', "app\@$i1->{digest}");
ok !-e tag_link($s, $app, '1'), 'takes its tag along';
image($app, '1', '{"n":1}', $base, $one);
blob($app, $base);
is_deeply [map { $_->{pinned} ? 1 : 0 } grep { ($_->{tag} // '') eq '1' } lines('docker.io')], [1], 'when the tag is here again it is pinned as before';
ok_cache('a whole repository', 'drop', 'app');
is_deeply [map { $_->{repository} // () } lines('docker.io')], [], 'is gone';
ok !-e data_dir($s) . "/repositories/$app" && !-e $s->root . "/berth/mirror/$app/_pinned", 'with all that was known of it';
$r = cache('drop', 'app');
is "$r->{status} $r->{err}", "1 berth: $app:latest: is not here\n", 'once';
ok_cache('a tag that is not here yet is pinned', 'pin', 'app:later');
ok_cache('a repository that has pins alone', 'drop', 'app');
ok !-e $s->root . "/berth/mirror/$app/_pinned", 'is dropped with them';
is cache('drop', 'app')->{status}, 1, 'once';
my $events = $s->req(GET => '/berth/v1/events')->body;
like $events, qr{"team/app"}, 'the journal has what was pushed';
unlike $events, qr{library/app}, 'and nothing of a mirror';
$r = cache('drop', 'quay.io/ours/fixed');
is $r->{status}, 1, 'what a rule says is read-only';
like $r->{err}, qr{^berth: quay\.io/ours/fixed:latest: }, 'is not dropped';
ok -e tag_link($s, 'quay.io/ours/fixed', '1'), 'but stays';
my @of = map { random_bytes($_) } 900, 800, 700;
my @part = map { image('quay.io/ours/list', "part$_", qq({"part":$_}), $of[2], $of[$_]) } 0, 1;
my $index = JSON::PP->new->canonical->encode({ schemaVersion => 2, mediaType => 'application/vnd.oci.image.index.v1+json', manifests => [ map { { mediaType => $type, %$_ } } @part ] });
is relay(PUT => 'manifest?repo=quay.io/ours/list&ref=all', body => $index, type => 'application/vnd.oci.image.index.v1+json')->status, 201, 'an index is here';
blob('quay.io/ours/list', $_) for @of, '{"part":0}', '{"part":1}';
my $list = 'quay.io/ours/list';
ok_cache('an image of it, by its tag,', 'drop', "$list:part0");
is join('', map { -e $_ ? 1 : 0 } tag_link($s, $list, 'part0'), revision_link($s, $list, $part[0]{digest}), layer_link($s, $list, sha256($of[0]))), '011', 'loses that: the index names it';
ok_cache('and by its digest', 'drop', "$list\@$part[0]{digest}");
is join('', map { -e $_ ? 1 : 0 } revision_link($s, $list, $part[0]{digest}), map { layer_link($s, $list, sha256($_)) } @of), '0011', 'is gone, with what only it needs';
$r = cache('drop', "$list\@$part[0]{digest}");
is "$r->{status} $r->{err}", "1 berth: $list\@$part[0]{digest}: is not here\n", 'once';
is $s->req(GET => "/v2/$list/manifests/part1")->status, 200, 'the other stays';
ok_cache('the index', 'drop', "$list:all");
is join('', map { -e $_ ? 1 : 0 } revision_link($s, $list, sha256($index)), revision_link($s, $list, $part[1]{digest}), map { layer_link($s, $list, sha256($_)) } @of[1, 2]), '0111', 'leaves what has a tag';
is run(@berth, 'tag', 'deleted', $app)->{out}, '', 'nothing is remembered to be undone';
is $s->req(DELETE => '/v2/quay.io/ours/tool/manifests/latest')->status, 202, 'DELETE forgets a tag as well';
error_is($s->req(GET => '/v2/quay.io/ours/tool/manifests/latest'), 503, 'UNAVAILABLE', 'which is asked of upstream then');
is $s->req(GET => '/v2/team/app/manifests/1')->status, 200, 'what was pushed is as before';

# --- used wrongly
for (['list', 'a', 'b'], ['list', '--file', 'x'], ['drop'], ['drop', '--json', 'app'], ['pin'], ['pin', '--platform', 'linux/amd64', 'app'], ['unpin'], ['warm'], ['forget', 'app'], []) {
	$r = cache(@$_);
	is "$r->{status} " . ($r->{err} =~ /^usage: berth .* cache /m ? 'usage' : $r->{err}), '2 usage', "cache @$_";
}
for ('quay.io/theirs/app', "app\@sha256:1") {
	$r = cache('drop', 'quay.io/ours/fixed', $_);
	is $r->{status}, 2, "what is no image of an upstream: $_";
}
$r = cache('warm', '--relay', $s->dir . '/none', 'app:1');
is $r->{status}, 1, 'without a relay nothing is fetched';
like $r->{err}, qr{^berth: \Q$app\E:1: [^\n]*/none[^\n]*\n\z}, 'which is told';

# --- what answers is no berth-relay
# fake - answer each request with a text, and then with another for ever: what warm says
sub fake
{
	my ($ref, $text, $more) = @_;
	my $path = $s->dir . '/fake';
	my $l = IO::Socket::UNIX->new(Local => $path, Listen => 8) or die "$path: $!";
	my $pid = fork // die "fork: $!";

	if (!$pid) {
		local $SIG{PIPE} = 'IGNORE';
		while (my $c = $l->accept) {
			sysread $c, my $request, 4096;
			syswrite $c, $text;
			1 while defined $more && syswrite $c, $more;
		}
		POSIX::_exit(0);
	}
	my $r = cache('warm', '--relay', $path, $ref);
	kill KILL => $pid;
	waitpid $pid, 0;
	unlink $path;
	is $r->{status}, 1, "$ref is not fetched";
	return $r->{err};
}
is fake('app:9', "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nX-Accel-Redirect: /_berth/cached/stale?why=\e[2J\x07\r\n\r\n") =~ tr/\x00-\x09\x0b-\x1f//, 0, 'a terminal is told nothing that it would obey';
image('quay.io/ours/tool', 'lazy', '{"lazy":1}');
like fake('quay.io/ours/tool:lazy', "HTTP/1.0 200 OK\r\n\r\n", "7\n" x 100), qr{\Q@{[$s->dir]}\E/fake is no berth-relay$}m, 'who says the same number for ever is not waited for';
my $many = JSON::PP->new->canonical->encode({ schemaVersion => 2, mediaType => 'application/vnd.oci.image.index.v1+json',
	manifests => [ map { { mediaType => $type, digest => sha256($_), size => 100 } } 1 .. 1025 ] });
is relay(PUT => 'manifest?repo=quay.io/ours/tool&ref=many', body => $many, type => 'application/vnd.oci.image.index.v1+json')->status, 201, 'an index of 1,025 images';
like fake('quay.io/ours/tool:many', "HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n"), qr/its indexes name more than 1024 manifests$/m, 'none of which is asked for';
is run(@berth, 'fsck')->{status}, 0, 'fsck finds nothing wrong';
done_testing;
