#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# `berth repo list --sort`, `berth tag list --sort` and `berth image show` say what the API says, while it serves and while nobody does.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Berth::Test;
use Berth::Check;
use Berth::GC;

my $s = Berth::Server->start(config => "delete = true;\n", workers => 1);
my $json = JSON::PP->new->canonical->utf8;
sub berth { my (@w) = @_; return run(program('berth'), '--config', $s->config_file, '--root', $s->root, @w) }
sub lines { my ($r) = @_; is $r->{status} . $r->{err}, '0', 'a command'; return map { my $o = JSON::PP::decode_json($_); delete $o->{kind}; $json->encode($o) } split /\n/, $r->{out} }
for my $repo (qw(b a c)) {
	$s->push_image($repo, "t$_", type => 'oci', config => qq({"os":"linux","architecture":"arm64","config":{"Env":["SECRET=x"],"Labels":{"l":"\\u001b[1m"}}}), layers => ['x' x (ord($repo) * $_)]) for 1 .. 3;
}
gc_ok($s, '--grace', '1h', 'a collection');

sub compare
{
	my ($what) = @_;

	for my $sort (qw(name pushed size tags)) {
		my @api = map { $json->encode($_) } @{ $s->req(GET => "/berth/v1/repos?sort=$sort")->json->{repos} };
		is join("\n", lines(berth('repo', 'list', '--sort', $sort, '--json'))), join("\n", @api), "$what: repositories by $sort";
	}
	for my $sort (qw(name pushed size version)) {
		my @api = map { $json->encode($_) } @{ $s->req(GET => "/berth/v1/repos/b/tags?sort=$sort")->json->{tags} };
		is join("\n", lines(berth('tag', 'list', 'b', '--sort', $sort, '--json'))), join("\n", @api), "$what: tags by $sort";
	}
	my $image = $s->req(GET => '/berth/v1/repos/b/manifests/t1')->json;
	is join("\n", lines(berth('image', 'show', 'b:t1', '--json'))), $json->encode($image), "$what: an image";
	is join("\n", lines(berth('image', 'show', "b\@$image->{digest}", '--json'))), $json->encode($s->req(GET => "/berth/v1/repos/b/manifests/$image->{digest}")->json), "$what: by its digest";
	return;
}
compare('while it serves');
my $shown = berth('image', 'show', 'b:t1')->{out};
like $shown, qr/^digest: sha256:[0-9a-f]{64}\nmedia_type: \S+\n/, 'for people, a member a line';
like $shown, qr/^platform: linux\/arm64$/m, 'with the platform';
unlike $shown, qr/\x1b|SECRET=/, 'no text reaches the terminal as it is, and no value of a variable';
like berth('repo', 'list', '--sort', 'pushed')->{out}, qr/\Ac \S+Z 3 tags, \d+ bytes, \d+ of them its own\na /, 'repositories for people';
like berth('tag', 'list', 'b', '--sort', 'pushed')->{out}, qr/\At3 \S+Z sha256:\S+ \d+ bytes linux\/arm64\nt2 /, 'tags for people';

# while nobody serves there is no epoch: the links are read
my %was = map { $_ => join "\n", lines(berth('tag', 'list', 'b', '--sort', $_, '--json')) } qw(name pushed size version);
my $repos = join "\n", lines(berth('repo', 'list', '--sort', 'name', '--json'));
$s->stop_workers;
is join("\n", lines(berth('tag', 'list', 'b', '--sort', $_, '--json'))), $was{$_}, "while nobody serves: tags by $_" for sort keys %was;
is join("\n", lines(berth('repo', 'list', '--sort', 'name', '--json'))), $repos, 'and repositories';
$s->start_workers;

is berth('tag', 'list', 'b', '--sort', 'tags')->{status}, 2, 'an order that tags do not have';
is berth('repo', 'list', '--sort', 'version')->{status}, 2, 'or repositories';
is berth('repo', 'rm', '--sort', 'name', 'b')->{status}, 2, 'what is no list is not sorted';
is berth('tag', 'rm', '--sort', 'name', 'b', 't1')->{status}, 2, 'nor this';
is berth('image', 'show', $_)->{status}, 2, "no image: $_" for qw(b b@t1 b:sha256:x B:t), ':t';
is berth('image', @$_)->{status}, 2, "no command: @$_" for [], ['show'], ['list'], ['show', 'b:t1', 'b:t2'], ['show', '--force', 'b:t1'];
is berth('image', 'show', 'b:none')->{status}, 1, 'an image that is not there';
$s->stop;
done_testing;
