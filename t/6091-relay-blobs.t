#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# How the relay streams a blob: one download for all who ask, its end held back until the digest is right, ranges, what breaks off, what is wrong.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::RelayAlone;
use Berth::Upstream;

use constant { SIZE => 3_000_000, HELD => 65_536 };
my $u = Berth::Upstream->start;
my $second = Berth::Upstream->start;
my $r = Berth::RelayAlone->start(sprintf 'upstreams = ( { name = "up"; urls = [ "%s" ]; }, { name = "left"; urls = [ "%s" ]; finish = false; }, { name = "two"; urls = [ "%s", "%s" ]; }, { name = "cdn"; urls = [ "%s" ]; redirects = [ "127.0.0.2" ]; } );'
	. ' cache = { max_size = "64 MiB"; };', $u->url, $u->url, $u->url, $second->url, $u->url);

sub blob { my ($size) = @_; my $bytes = random_bytes($size // SIZE); return { bytes => $bytes, digest => $u->blob('app', $bytes) } }
sub ask { my ($b, %o) = @_; my $up = delete $o{up} // 'up'; return $r->begin('/blob', up => $up, repo => "$up/app", name => 'app', digest => $b->{digest}, keep => 1, %o) }
sub is_right { my ($g, $b, $title) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; my $e = $r->end($g); return is "$e->{status} " . sha256($e->{body}), "200 $b->{digest}", $title }
sub handed { my ($b) = @_; return grep { $_->{body} eq $b->{digest} } $r->handed }

# --- what fails again and again is given up after a quarter of a minute, see the end
my $broken = Berth::Upstream->start;
my $lost = Berth::RelayAlone->start(sprintf 'upstreams = ( { name = "up"; urls = [ "%s" ]; } );', $broken->url);
$broken->rule('^GET .*/blobs/', { status => 500 });
$broken->rule('^GET .*/blobs/', { close_at => 1_000_000 }, times => 1);
my @lost = map { $lost->begin('/blob', up => 'up', repo => 'up/app', name => 'app', digest => $_, keep => 1) } ($broken->blob('app', random_bytes(SIZE))) x 3;

# --- one download for all
my $b = blob();
my $rule = $u->rule('^GET .*/blobs/', { hang_at => 1_000_000 });
my @early = map { ask($b) } 1 .. 20;
ok $u->held(1), 'a download is under way';
cmp_ok $r->more($_, 500_000), '>=', 500_000, 'a client has what is here' for @early[0, 19];
my $late = ask($b);
cmp_ok $r->more($late, 900_000), '>=', 900_000, 'so has a later one';
my $range = ask($b, -range => 'bytes=1000-199999');
cmp_ok $r->more($range, 199_000 - HELD), '>=', 199_000 - HELD, 'a range of it comes, but for its end';
my $short = ask($b, -range => 'bytes=0-9');
is $r->get('/blob', up => 'up', repo => 'up/app', name => 'app', digest => $b->{digest}, -head => 1)->{headers}{'content-length'}, SIZE, 'HEAD says how long it is';
close $early[0]{sock};
close $early[3]{sock};
$u->drop($rule);
my $e = $r->end($range);
is "$e->{status} $e->{headers}{'content-range'}", '206 bytes 1000-199999/3000000', 'a range says which it is';
ok $e->{body} eq substr($b->{bytes}, 1000, 199_000), 'and is right';
is $r->end($short)->{body}, substr($b->{bytes}, 0, 10), 'a short one, too, once the blob is whole';
is_right($_, $b, 'a client has it all') for @early[1, 2, 4 .. 19], $late;
is $u->count('GET blob'), 1, 'it was downloaded once, though two clients went away';
ok wait_for { handed($b) }, 'it was handed over';
my ($h) = handed($b);
is "$h->{method} $h->{uri} $h->{length}", 'PUT /berth/v1/relay/blob?repo=up%2Fapp&digest=' . ($b->{digest} =~ s/:/%3A/r) . ' 3000000', 'as a blob of the repository here';
ok wait_for { !$r->spooled }, 'its file has no name any more';
is $r->end(ask($b, -range => 'bytes=3000000-'))->{status}, 416, 'a range behind the end is 416';

# --- small, empty, of another algorithm, and HEAD
my $small = blob(1000);
$rule = $u->rule('^GET .*/blobs/', { hang_at => 999 });
my $g = ask($small);
ok $u->held(1), 'of a small blob all but a byte is here';
$r->get('/metrics');
is $g->{got}, '', 'and its client has nothing';
ok !IO::Select->new($g->{sock})->can_read(0), 'not even the status';
$u->drop($rule);
is_right($g, $small, 'until it is whole');
is_right(ask(blob(0)), { digest => sha256('') }, 'an empty blob');
$u->settled;
$u->forget;
my $only = blob();
$e = $r->end(ask($only, -head => 1));
is "$e->{status} $e->{headers}{'content-length'} " . length $e->{body}, '200 3000000 0', 'HEAD of a blob that is not here';
is $u->count('GET blob'), 0, 'downloads nothing';
$rule = $u->rule('^HEAD ', { status => 405 });
is $r->end(ask($only, -head => 1))->{headers}{'content-length'}, SIZE, 'an upstream without HEAD is asked by GET';
$u->drop($rule);
$u->settled;
$u->forget;
$only = blob();
$rule = $u->rule('^HEAD ', { silent => 1 });
my @heads = map { ask($only, -head => 1) } 1 .. 20;
$u->held(1);
close $heads[7]{sock};
$r->get('/metrics');
$u->drop($rule);
is join(' ', map { $r->end($_)->{headers}{'content-length'} // 'nothing' } @heads[0 .. 6, 8 .. 19]), join(' ', (SIZE) x 19), 'twenty want to know the size, one goes: the others learn it';
is $u->count('HEAD blob'), 1, 'by one question';
$only = blob();
$rule = $u->rule('^HEAD ', { gzip => 1 });
is $r->end(ask($only, -head => 1))->{headers}{'content-length'}, SIZE, 'the size is not that of an encoding';
$u->drop($rule);
$only = blob();
my $image = $u->image('app', 'redirected');
my @refused = ($u->rule('^HEAD .*/blobs/', { redirect => 307, to => 'other' }), $u->rule('^HEAD /cdn', { status => 403 }));
is $r->end(ask($only, up => 'cdn', -head => 1))->{headers}{'content-length'}, SIZE, 'a redirect that is good for GET alone is no obstacle';
like $r->get('/manifest', up => 'cdn', repo => 'cdn/app', name => 'app', ref => 'redirected', have => $image->{digest})->{headers}{'x-accel-redirect'}, qr/fresh/, 'nor says anything of the upstream';
$u->drop(@refused);

# --- headers
$only = blob();
$e = $r->end(ask($only));
is $e->{headers}{'cache-control'}, 'private, max-age=31536000, immutable', 'no cache that others share keeps a blob';
for (["\"$only->{digest}\"", 206], ['"sha256:other"', 200], ['W/"' . $only->{digest} . '"', 200], ['Mon, 01 Jan 2024 00:00:00 GMT', 200]) {
	is $r->end(ask($only, -range => 'bytes=0-9', -if_range => $_->[0]))->{status}, $_->[1], "If-Range: $_->[0] gives $_->[1]";
}

# --- more blobs one after the other than may be downloaded at once
my %few;
for (1 .. 2) {
	my @all = map { my $b = blob(10); [$b, ask($b)] } 1 .. 200;
	$few{ $r->end($_->[1])->{body} eq $_->[0]{bytes} ? 'right' : 'wrong' }++ for @all;
}
is_deeply \%few, { right => 400 }, 'blobs that have come keep no others from coming';

# --- everybody goes away
$b = blob();
$rule = $u->rule('^GET .*/blobs/', { hang_at => 1_000_000 });
$g = ask($b);
$r->more($g, 100_000);
close $g->{sock};
$u->held(1);
$u->drop($rule);
ok wait_for { handed($b) }, 'the client goes: the download goes on';
$b = blob();
$rule = $u->rule('^GET .*/blobs/', { hang_at => 1_000_000 });
$g = ask($b, up => 'left');
$r->more($g, 100_000);
close $g->{sock};
ok wait_for { grep { $_->{aborted} } $u->requests('GET blob') }, 'with finish = false it is broken off';
ok wait_for { !$r->spooled }, 'and leaves nothing';
$u->drop($rule);

# --- what is not kept
$b = blob(8_000_000);
is_right(ask($b), $b, 'a blob larger than a tenth of the cache is passed on');
ok wait_for { !$r->spooled }, 'leaves nothing';
is scalar(() = handed($b)), 0, 'and is not handed over';
$b = blob();
is_right(ask($b, keep => 0), $b, 'a blob that nothing names is passed on');
ok wait_for { !$r->spooled }, 'leaves nothing';
is scalar(() = handed($b)), 0, 'and is not handed over';

# --- wrong bytes
for my $at (0, SIZE - 1) {
	$b = blob();
	$rule = $u->rule('^GET .*/blobs/', { flip_at => $at });
	my @clients = map { ask($b) } 1 .. 3;
	my @ends = map { $r->end($_) } @clients;
	is_deeply [map { $_->{whole} } @ends], ['', '', ''], "a wrong byte at $at: no client has a whole answer";
	is scalar(grep { length $_->{body} > SIZE - HELD } @ends), 0, 'or any of its end';
	ok wait_for { !$r->spooled }, 'nothing stays';
	is scalar(() = handed($b)), 0, 'nothing is handed over';
	$u->drop($rule);
	is_right(ask($b), $b, 'the next try has the right bytes');
}
for my $wrong ([{ flip_at => 5 }, 'a wrong byte'], [{ gzip => 1 }, 'an encoding'], [{ endless => 1 }, 'no end']) {
	$b = blob(2000);
	$rule = $u->rule('^GET .*/blobs/', $wrong->[0]);
	$e = $r->end(ask($b));
	is $e->{status}, 502, "a small blob with $wrong->[1] is 502";
	$u->drop($rule);
}

# --- what breaks off
$b = blob();
$rule = $u->rule('^GET .*/blobs/', { close_at => 1_000_000 }, times => 1);
$u->settled;
$u->forget;
is_right(ask($b), $b, 'a download that breaks off goes on');
is join(' ', map { $_->{headers}{range} // '-' } $u->requests('GET blob')), '- bytes=1000000-', 'where it was';
$u->drop($rule);
for my $how ([{ no_ranges => 1 }, 'passes over Range'], [{ chunked => 1 }, 'sends chunks'], [{ no_length => 1 }, 'tells no length']) {
	$b = blob();
	my @rules = ($u->rule('^GET .*/blobs/', $how->[0]), $how->[0]{no_ranges} ? $u->rule('^GET .*/blobs/', { close_at => 1_000_000 }, times => 1) : ());
	is_right(ask($b), $b, "an upstream that $how->[1]");
	$u->drop(@rules);
}
$b = blob();
my @rules = ($u->rule('^GET .*/blobs/', { bad_range => 1 }), $u->rule('^GET .*/blobs/', { close_at => 1_000_000 }, times => 1));
ok !$r->end(ask($b))->{whole}, 'one that goes on elsewhere: the client is cut off';
$u->drop(@rules);
$b = blob();
@rules = ($u->rule('^GET .*/blobs/', { status => 206, endless => 1, headers => { 'Content-Range' => 'bytes 1000000-1000499/500' } }),
	$u->rule('^GET .*/blobs/', { no_ranges => 1, says => 500 }, times => 1), $u->rule('^GET .*/blobs/', { chunked => 1, close_at => 1_000_000 }, times => 1));
$u->settled;
$u->forget;
is $r->end(ask($b))->{status}, 502, 'one that says then that it is shorter than what has come: that is an error';
is $u->count('GET blob'), 2, 'and no more is fetched';
$u->drop(@rules);
$b = blob();
$second->blob('app', $b->{bytes});
$rule = $u->rule('^GET .*/blobs/', { close_at => 1_000_000 }, times => 1);
$u->rule('^GET .*/blobs/', { status => 503 }, after => 1);
$second->settled;
$second->forget;
is_right(ask($b, up => 'two'), $b, 'the next URL goes on');
is join(' ', map { $_->{headers}{range} // '-' } $second->requests('GET blob')), 'bytes=1000000-', 'where the first one broke off';
$u->drop;

# --- what is not there
is $r->end(ask({ digest => sha256('none') }))->{status}, 404, 'what upstream does not have is 404';
$rule = $u->rule('^GET .*/blobs/', { status => 429 });
$e = $r->end(ask(blob()));
is "$e->{status} $e->{headers}{'retry-after'}", '503 30', '429 is 503 here';
$u->drop($rule);
$rule = $u->rule('^GET .*/blobs/', { redirect => 307, to => 'other' });
$e = $r->end(ask(blob()));
is $e->{status}, 503, 'a redirect to an address that is not public is not followed';
like slurp($r->log_file), qr/a redirect leads to 127\.0\.0\.2, which is no public address/, 'and the log says so';
$u->drop($rule);

# --- for the store alone
sub warm { my ($b, %o) = @_; my $up = delete $o{up} // 'up'; return $r->begin('/warm', up => $up, repo => "$up/app", name => 'app', digest => $b->{digest}, %o) }
sub last_line { my ($g) = @_; my $e = $r->end($g); return "$e->{status} " . ($e->{body} =~ /([^\n]*)\n\z/ ? $1 : 'cut off') }
$b = blob();
is last_line(warm($b)), '200 stored 3000000', 'a blob for the store alone';
is scalar(() = handed($b)), 1, 'is handed over first';
is last_line(warm(blob(0))), '200 stored 0', 'an empty one, too';
$b = blob();
$rule = $u->rule('^GET .*/blobs/', { hang_at => 1_000_000 });
$g = warm($b);
my $client = ask($b);
cmp_ok $r->more($client, 900_000), '>=', 900_000, 'a client is fed from it';
cmp_ok $r->more($g, 2), '>=', 2, 'the other learns how far it is';
$u->drop($rule);
is_right($client, $b, 'the client has it all');
my $lines = $r->end($g)->{body};
like $lines, qr/\A(?:\d+\n)+stored 3000000\n\z/, 'the other has numbers and the end';
is scalar(grep { $_ > SIZE } $lines =~ /^(\d+)$/mg), 0, 'no number is too large';
for my $up (qw(up left)) {
	$b = blob();
	$rule = $u->rule('^GET .*/blobs/', { hang_at => 1_000_000 });
	$g = warm($b, up => $up);
	ok $u->held(1), "a download from $up is on its way";
	close $g->{sock};
	$client = ask($b, up => $up);
	$r->more($client, 900_000);
	close $client->{sock};
	$u->drop($rule);
	ok wait_for { handed($b) }, 'it goes on though everybody goes, whatever "finish" says';
}
$b = blob(8_000_000);
is last_line(warm($b)), '200 failed it is larger than a tenth of cache.max_size', 'what is not kept is told';
is scalar(() = handed($b)), 0, 'and not handed over';
$b = blob();
is_right(ask($b, keep => 0), $b, 'a blob that was passed on');
is last_line(warm($b)), '200 stored 3000000', 'is fetched once more for the store';
$r->worker_says(507);
$b = blob();
like last_line(warm($b)), qr/^200 failed .*507/, 'what a worker refuses is told';
$r->worker_says(201);
is last_line(warm($b)), '200 stored 3000000', 'and can be asked for again';
$b = blob();
$rule = $u->rule('^GET .*/blobs/', { flip_at => 5 });
like last_line(warm($b)), qr/^200 failed .*digest/, 'so are wrong bytes';
$u->drop($rule);
like last_line(warm({ digest => sha256('none') })), qr/^200 failed /, 'and what upstream does not have';
is $r->end(warm($b, -head => 1))->{status}, 400, 'HEAD makes no sense';
is $r->end(warm({ digest => 'sha256:1' }))->{status}, 400, 'nor does what is no digest';
ok wait_for { !$r->spooled }, 'no file stays';

# --- ends
$b = blob();
$rule = $u->rule('^GET .*/blobs/', { hang_at => 1_000_000 });
$g = ask($b);
$r->more($g, 900_000);
$r->stop('KILL');
ok !$r->end($g)->{whole}, 'the relay is killed: the client is cut off';
is scalar(() = $r->spooled), 1, 'a file stays';
$u->drop($rule);
$r->up;
ok wait_for { !$r->spooled }, 'until the next one begins';
is_right(ask($b), $b, 'which fetches it anew');
$rule = $u->rule('^GET .*/blobs/', { hang_at => 1_000_000 });
$g = ask($b = blob());
$r->more($g, 900_000);
is $r->stop, 0, 'a relay that is told to end does so at once';
is scalar(() = $r->spooled), 0, 'and leaves nothing';
# --- what was given up
is_deeply [map { $lost->end($_)->{whole} } @lost], ['', '', ''], 'a download that fails again and again: its clients are cut off';
ok wait_for { !$lost->spooled }, 'nothing stays';
is $broken->count('GET blob'), 6, 'it was tried five times more';

# --- no more descriptors
my $few = Berth::RelayAlone->start(sprintf('upstreams = ( { name = "up"; urls = [ "%s" ]; } );', $u->url), files => 64);
my @idle = map { IO::Socket::UNIX->new(Peer => "$few->{dir}/listen") // die "no relay: $!" } 1 .. 80;
ok wait_for { sysread $idle[79], my $none, 1; defined $none }, 'without descriptors a connection is closed';
is grep({ /no more descriptors/ } split /\n/, slurp($few->log_file)) < 40, 1, 'and the log is not filled';
@idle = ();
ok wait_for { $few->get('/metrics')->{status} == 200 }, 'when there are some again requests are answered';
done_testing;
