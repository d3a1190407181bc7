#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The last pull of tags and manifests: who notes it and who does not, once an hour, bounded by what exists.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path);
use POSIX ();
use Berth::Test;
use Berth::Check;
use Berth::GC;
use Berth::Rules;

my $s = Berth::Server->start(config => "delete = true;\ngc = { grace = \"0s\"; };\n", workers => 1);
my ($digest, $manifest) = $s->push_image('team/app', 'v1');
my $dir = $s->root . '/berth/pulled';

sub ask { my ($method, $ref, @h) = @_; return $s->req($method, "/v2/team/app/manifests/$ref", headers => \@h)->status }
sub noted { return join ' ', sort(files_below($dir)) }
sub forget { system 'rm', '-rf', $dir; $s->replace_workers or die 'the workers stay'; return }

my $by_digest = "team/app/_digests/sha256/" . substr $digest, 7;
my $by_tag = 'team/app/_tags/v1';
ok !-e $dir, 'a push is no pull';
for my $c (['GET by digest', $by_digest, 'GET', $digest], ['HEAD by digest', $by_digest, 'HEAD', $digest], ['GET by tag', "$by_digest $by_tag", 'GET', 'v1'],
	['HEAD by tag', "$by_digest $by_tag", 'HEAD', 'v1'], ['GET that is answered with 304', "$by_digest $by_tag", 'GET', 'v1', 'If-None-Match' => "\"$digest\""]) {
	my ($what, $want, @ask) = @$c;
	forget();
	like ask(@ask), qr/^(?:200|304)\z/, $what;
	is noted(), $want, '... is noted';
}
is -s "$dir/$by_tag", 0, 'as an empty file';
ok abs(pulled_of($s, 'team/app', 'v1') - time) < 600, '... with the time';
forget();
is ask('GET', 'no'), 404, 'what is not there';
is ask('GET', sha256('no')), 404, '... by tag and digest';
$s->req('GET', "/v2/team/app/blobs/" . ($manifest =~ /"digest":"(sha256:\w+)"/)[0]);
$s->req('GET', '/v2/team/app/tags/list');
$s->req('GET', "/v2/team/app/referrers/$digest");
is noted(), '', '... is no pull, nor are blobs, lists and referrers';

# --- once an hour
my $old = time - 2 * HOUR;
ask('GET', 'v1');
pulled_at($s, 'team/app', $_, $old) for 'v1', $digest;
ask('GET', 'v1');
is pulled_of($s, 'team/app', 'v1'), $old, 'a worker that has noted a pull does not look at the file again within the hour' if int(time / HOUR) == int($old / HOUR) + 2;
ask('GET', $digest);
ok pulled_of($s, 'team/app', $digest) > $old, '... but a pull by digest is another one';
$s->replace_workers or die;
ask('GET', 'v1');
ok pulled_of($s, 'team/app', 'v1') > $old, 'another worker sees that the hour of the file is over';
forget();
ask('GET', 'v1');
my $within = int(time / HOUR) * HOUR;
pulled_at($s, 'team/app', $_, $within) for 'v1', $digest;
$s->replace_workers or die;
ask('GET', 'v1');
is_deeply [map { pulled_of($s, 'team/app', $_) } 'v1', $digest], [$within, $within], '... and leaves a file of this hour as it is' if int(time / HOUR) * HOUR == $within;

# --- odd files, and no room
for my $odd (['a directory', sub { make_path($_[0]) }], ['a symbolic link', sub { symlink '/dev/null', $_[0] }], ['a FIFO', sub { POSIX::mkfifo($_[0], 0600) }]) {
	my ($what, $make) = @$odd;
	forget();
	make_path("$dir/team/app/_tags");
	$make->("$dir/$by_tag");
	is ask('GET', 'v1'), 200, "$what in place of the file does not matter to a pull";
	is noted() =~ s/ ?$by_tag//r, $by_digest, '... and the rest is noted';
	system 'rm', '-rf', "$dir/$by_tag";
}
forget();
spew($dir, 'a file');
is ask('GET', 'v1'), 200, 'nor does a file in place of the directory';
unlink $dir;
is ask('GET', 'v1'), 200, 'the next pull';
is noted(), "$by_digest $by_tag", '... is noted then';

# --- collections remove what is gone
my ($other) = $s->push_image('team/app', 'v2');
my ($nested) = $s->push_image('team/app/sub', 'v1');
my ($gone) = $s->push_image('gone/for/ever', 'v1');
for (['team/app', 'v2', $other], ['team/app/sub', 'v1', $nested], ['gone/for/ever', 'v1', $gone]) {
	my ($repo, $tag) = @$_;
	is $s->req('GET', "/v2/$repo/manifests/$tag")->status, 200, "a pull of $repo:$tag";
}
my $all = noted();
$s->req('DELETE', '/v2/team/app/manifests/v2');
run_ok(program('berth'), '--root', $s->root, 'repo', 'rm', 'gone/for/ever', 'a repository is removed');
make_path("$dir/gone/for/ever/_tags");
pulled_at($s, 'gone/for/ever', 'v1', time);
gc_ok($s, 'a collection');
is pulled_of($s, 'team/app', 'v2') ? 1 : 0, 1, '... leaves what was noted within two hours: a worker may rely on it';
pulled_at($s, @$_, $old - HOUR) for ['team/app', 'v2'], ['team/app', $other], ['team/app', 'v1'], ['team/app', $digest], ['gone/for/ever', 'v1'], ['gone/for/ever', $gone], ['team/app/sub', 'v1'];
gc_ok($s, 'another one');
is noted(), join(' ', sort $by_digest, $by_tag, 'team/app/_digests/sha256/' . substr($other, 7), 'team/app/sub/_digests/sha256/' . substr($nested, 7), 'team/app/sub/_tags/v1'),
	'what it leaves is noted of tags and manifests that exist';
ok !-e "$dir/gone", '... and no directory of a repository that does not';
$s->req('DELETE', "/v2/team/app/manifests/$other");
pulled_at($s, 'team/app', $other, $old - HOUR);
gc_ok($s, 'with a manifest');
ok !-e pulled_file($s, 'team/app', $other), '... what was noted of it goes';

# --- another name, and fsck
my $then = time - 5 * DAY;
pulled_at($s, 'team/app', $_, $then) for 'v1', $digest;
run_ok(program('berth'), '--root', $s->root, 'repo', 'mv', 'team/app', 'new/app', 'a repository gets another name');
is_deeply [map { pulled_of($s, 'new/app', $_) } 'v1', $digest], [$then, $then], '... and keeps its pulls';
is $s->req('GET', '/v2/team/app/sub/manifests/v1')->status, 200, 'one that is nested in it stays where it is';
gc_ok($s, 'a collection');
ok !-e pulled_file($s, 'team/app', 'v1'), '... removes those of the old name';
ok -e pulled_file($s, 'team/app/sub', 'v1'), '... and none of the nested one';
sub found { return grep { m{^\S+ berth/(?:pulled|rules)} } split /\n/, run(program('berth'), '--root', $s->root, 'fsck')->{out} }
is join('', found()), '', 'fsck finds nothing there';
lay_file("$dir/$_", '') for 'file', 'new/app/_tags/-no', 'new/app/_digests/sha256/12', 'new/app/_digests/md5/12', 'new/app/_other/x';
make_path("$dir/new/app/_tags/v2");
lay_file($s->root . "/berth/rules/$_", '') for 'keep-12', 'other';
is scalar(found()), 8, '... but names what does not belong there';

# --- read-only
$s->config("readonly = true;\n");
$s->replace_workers or die;
system 'rm', '-rf', $dir;
is $s->req('GET', '/v2/new/app/manifests/v1')->status, 200, 'a pull of a read-only registry';
ok !-e $dir, '... is not noted';

# --- since when pulls are noted
pulls_noted_since($s, 1);
$s->replace_workers or die;
ok !-e "$dir/_since", 'a master that is read-only takes away since when pulls are noted';
$s->config("rules = ( { repo = \"**\"; keep = ( { pulled = \"1d\"; } ); } );\n");
$s->replace_workers or die;
rules_ok($s, 'apply', 'when it is not any more');
ok -e "$dir/_since", '... a run of the rules begins anew';
is tags_on_disk($s, 'new/app'), 'v1', '... and what nobody knows a pull of stays';
is join('', grep { m{_since} } found()), '', '... which is nothing strange';
$s->stop;
done_testing;
