#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A blob that is missing streams: it is downloaded once, everybody who asks is fed from the growing file at their own speed, and nobody is told that a wrong one is
# whole.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Cache;
use Berth::Upstream;

my $SIZE = 3_000_000;
my $HELD = 65_536;              # what nobody gets before the digest is right
my $u = Berth::Upstream->start;
my $second = Berth::Upstream->start;
my $s = mirror(upstreams => [
	['up', $u],
	['left', $u, 'finish = false;'],
	['two', [$u, $second]],
]);
my $n = 0;

# image - another image of one layer in the repository "app", its manifest pulled through an upstream's name: { path, digest, bytes }
sub image
{
	my (%o) = @_;
	my $bytes = random_bytes($o{size} // $SIZE);
	my $up = $o{up} // 'up';
	my @at = ($u, $o{too} // ());
	my $tag = 't' . ++$n;
	my $config = "{\"n\":$n}";
	my ($i) = map { $_->image('app', $tag, layers => [$bytes], config => $config) } @at;

	get_manifest($s, "$up/app", $tag)->status == 200 or die 'the manifest does not come';
	$_->forget for @at;
	return { bytes => $bytes, digest => $i->{layers}[0], path => "/v2/$up/app/blobs/$i->{layers}[0]", repo => "$up/app" };
}

# stored - wait until a blob is in its repository
sub stored { my ($b) = @_; return wait_for { -e layer_link($s, $b->{repo}, $b->{digest}) } }
# is_right - a whole answer with these bytes
sub is_right { my ($r, $b, $title) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; return is "$r->{status} " . sha256($r->{body}), "200 $b->{digest}", $title }

# --- one download for all
my $b = image();
my $rule = $u->rule('^GET .*/blobs/', { hang_at => 1_000_000 });
my @early = map { get_begin($s, $b->{path}) } 1 .. 20;
ok $u->held(1), 'a download is under way';
is_deeply [grep { get_some($_, 500_000) < 500_000 } @early], [], 'twenty clients have what is here';
my $late = get_begin($s, $b->{path});
is get_status($late), 200, 'a later client is answered before the download ends';
cmp_ok get_some($late, 900_000), '>=', 900_000, 'and gets all that is here';
my $range = get_begin($s, $b->{path}, Range => 'bytes=1000-500999');
is get_status($range), 206, 'a range of what is here is answered';
is get_some($range, 500_000 - $HELD), 500_000 - $HELD, 'but for its end';
is get_status(get_begin($s, $b->{path}, Range => 'bytes=1000-500999', 'If-Range' => "\"$b->{digest}\"")), 206, 'so is one of who has the beginning';
is get_status(get_begin($s, $b->{path}, Range => 'bytes=1000-500999', 'If-Range' => $_)), 200, "who has the beginning of something else ($_) gets it all" for '"x"', $b->{digest};
my $rest = get_begin($s, $b->{path}, Range => 'bytes=2900000-');
is get_status($rest), 206, 'so is one of what is to come';
close $early[3]{sock};
close $early[0]{sock};
$u->drop($rule);
is_right(get_end($_), $b, 'a client has it all') for @early[1, 2, 4 .. 19], $late;
my $r = get_end($range);
is $r->{body} eq substr($b->{bytes}, 1000, 500_000), 1, 'a client has the range that it asked for';
$r = get_end($rest);
is $r->{body} eq substr($b->{bytes}, 2_900_000), 1, 'and one that was to come';
is $u->count('GET blob'), 1, 'it was downloaded once, though two clients went away, the first among them';
ok stored($b), 'and is stored';
is sha256($s->req(GET => $b->{path})->body), $b->{digest}, 'the next client has it from the store';
is $u->count('GET blob'), 1, 'and nobody is asked';

# --- everybody goes away
$b = image();
$rule = $u->rule('^GET .*/blobs/', { hang_at => 1_000_000 });
my $g = get_begin($s, $b->{path});
get_some($g, 100_000);
close $g->{sock};
$u->held(1);
$u->drop($rule);
ok stored($b), 'the client goes: the download goes on';
$b = image(up => 'left');
$rule = $u->rule('^GET .*/blobs/', { hang_at => 1_000_000 });
$g = get_begin($s, $b->{path});
get_some($g, 100_000);
close $g->{sock};
ok wait_for { grep { $_->{aborted} } $u->requests('GET blob') }, 'with finish = false it is broken off';
ok wait_for { !spooled($s) }, 'and leaves nothing';
$u->drop($rule);
is sha256($s->req(GET => $b->{path})->body), $b->{digest}, 'the next client gets it';

# --- the last of it comes when the digest is right
$b = image();
$rule = $u->rule('^GET .*/blobs/', { hang_at => $SIZE - 1 });
$g = get_begin($s, $b->{path});
cmp_ok get_some($g, $SIZE - $HELD), '>=', $SIZE - $HELD, 'all comes but the last 64 KiB';
my $small = image(size => 1000);
my $rule2 = $u->rule("^GET .*$small->{digest}", { hang_at => 999 });
my $g2 = get_begin($s, $small->{path});
$u->held(1);
is length $g->{got}, $SIZE - $HELD, 'which nobody has';
ok !IO::Select->new($g2->{sock})->can_read(0), 'of a small blob not even the status';
$u->drop;
is_right(get_end($g), $b, 'until the download is whole');
is_right(get_end($g2), $small, 'so it is with the small one');

# --- wrong bytes
for my $where ([0, 'at the beginning'], [$SIZE - 1, 'at the end']) {
	$b = image();
	$rule = $u->rule('^GET .*/blobs/', { flip_at => $where->[0] });
	my @clients = map { get_begin($s, $b->{path}) } 1 .. 3;
	$r = [map { get_end($_) } @clients];
	is_deeply [grep { $_->{whole} } @$r], [], "a wrong byte $where->[1]: no client has a whole answer";
	ok wait_for { !spooled($s) }, 'nothing is kept';
	ok !-e layer_link($s, 'up/app', $b->{digest}), 'nothing is linked';
	$u->drop($rule);
	is sha256($s->req(GET => $b->{path})->body), $b->{digest}, 'the next try has the right bytes';
}
$b = image(size => 2000);
$rule = $u->rule('^GET .*/blobs/', { flip_at => 5 });
error_is $s->req(GET => $b->{path}), 502, undef, 'a small blob with a wrong byte is 502';
$u->drop($rule);
for my $how ([{ cut => 2_000_000 }, 'fewer bytes'], [{ says => $SIZE + 10, close_at => $SIZE }, 'fewer than it says'], [{ no_length => 1, cut => 2_000_000 }, 'fewer bytes without a length']) {
	$b = image();
	$rule = $u->rule('^GET .*/blobs/', $how->[0]);
	$r = get_end(get_begin($s, $b->{path}));
	ok !$r->{whole} || $r->{status} == 502, "$how->[1]: the client is not told that it has a whole blob" or diag "$r->{status} $r->{length}";
	$u->drop($rule);
	is sha256($s->req(GET => $b->{path})->body), $b->{digest}, 'the next try has all';
}

# --- broken off
for my $how (qw(close_at reset_at)) {
	$b = image();
	# A reset takes from its receiver what that has not read yet: it comes when the client has a part.
	$rule = $u->rule('^GET .*/blobs/', { hang_at => 1_200_000, $how => 1_200_000 }, times => 1);
	$g = get_begin($s, $b->{path});
	cmp_ok get_some($g, 1_000_000), '>=', 1_000_000, 'a client has a part';
	$u->drop($rule);
	is_right(get_end($g), $b, "upstream breaks off ($how): the client has it all");
	my @asked = $u->requests('GET blob');
	is scalar(@asked), 2, 'by two requests';
	like $asked[1]{headers}{range} // '', qr/^bytes=\d{6,}-/, 'the second for the rest';
}
$b = image();
$rule = $u->rule('^GET .*/blobs/', { close_at => 1_200_000 }, times => 1);
$rule2 = $u->rule('^GET .*/blobs/', { no_ranges => 1 }, after => 1);
$r = get_end(get_begin($s, $b->{path}));
ok $r->{status} == 200 && (!$r->{whole} || sha256($r->{body}) eq $b->{digest}), 'upstream knows no ranges: it is right, or cut short';
$u->drop;
$b = image();
$rule = $u->rule('^GET .*/blobs/', { bad_range => 1 });
$rule2 = $u->rule('^GET .*/blobs/', { close_at => 1_200_000 }, times => 1);
ok !get_end(get_begin($s, $b->{path}))->{whole}, 'upstream goes on with other bytes than were asked for: the client is not told that it is whole';
$u->drop;
$b = image(up => 'two', too => $second);
$rule = $u->rule('^GET .*/blobs/', { close_at => 1_200_000 }, times => 1);
$rule2 = $u->rule('^GET .*/blobs/', { status => 503 }, after => 1);
is_right(get_end(get_begin($s, $b->{path})), $b, 'the rest comes from the next URL, if the first one fails');
is $second->count('GET blob'), 1, 'which is asked for it';
$u->drop;
$b = image(up => 'two', too => $second);
$u->down;
is_right(get_end(get_begin($s, $b->{path})), $b, 'and all of it, if the first one is not reached');
$u->up;
for my $status (403, 404, 416) {
	$b = image();
	# It breaks off when all three are fed from it: who comes later begins another download, and is told its error.
	$rule = $u->rule('^GET .*/blobs/', { hang_at => 1_000_000, close_at => 1_200_000 }, times => 1);
	$rule2 = $u->rule('^GET .*/blobs/', { status => $status }, after => 1);
	my @clients = map { get_begin($s, $b->{path}) } 1 .. 3;
	is_deeply [map { get_status($_) } @clients], [200, 200, 200], 'three clients are fed from one download';
	$u->drop($rule);
	is_deeply [grep { get_end($_)->{whole} } @clients], [], "it cannot be resumed ($status): the clients are cut short";
	ok wait_for { !spooled($s) }, 'and nothing is left';
	is $u->count('GET blob'), 2, 'which was tried once';
	$u->drop;
}

# --- no length
$b = image();
$rule = $u->rule('^GET .*/blobs/', { no_length => 1 });
is_right(get_end(get_begin($s, $b->{path})), $b, 'upstream tells no length: the client has it all');
$u->drop($rule);
$b = image();
$rule = $u->rule('^GET .*/blobs/', { chunked => 1 });
$r = get_end(get_begin($s, $b->{path}));
is_right($r, $b, 'it comes in chunks: the client has it all');
is $r->{length}, $SIZE, 'and is told its length';
$u->drop($rule);

# --- clients that read slowly keep nobody back, and nothing in memory
$b = image(size => 20_000_000);
# It goes on when all are fed from it: who comes some seconds after its end may begin another one.
$rule = $u->rule('^GET .*/blobs/', { hang_at => 1_000_000 });
my ($quick, @slow) = map { get_begin($s, $b->{path}) } 0 .. 10;
is scalar(grep { IO::Select->new($_->{sock})->can_read(120) } $quick, @slow), 11, 'eleven clients are answered';
$u->drop($rule);
is_right(get_end($quick), $b, 'ten clients that read nothing keep nobody back');
is_right(get_end($_), $b, 'and have it all when they read') for @slow;
is $u->count('GET blob'), 1, 'of one download';
cmp_ok relay_peak($s), '<', 64, 'the relay has never needed 64 MiB' if !$ENV{BERTH_SANITIZERS};

is cached_fault($s), '', 'all that is stored is what its name says';
ok wait_for { !spooled($s) }, 'no download is left';
done_testing;
