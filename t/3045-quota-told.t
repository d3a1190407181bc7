#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# What is said of quotas: berth quota list, at 90 % the log and the journal, /metrics.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path);
use JSON::PP ();
use Berth::Test;
use Berth::Check;
use Berth::Events;
use Berth::GC ();
use Berth::Metrics;
use Berth::Quota;

my $rules = 'rules = ( { repo = "team/*"; quota = "10000"; }, { repo = "big/**"; quota = "1 TiB"; }, { repo = "free"; quota = "0"; } );';
my $s = Berth::Server->start(config => "delete = true;\njournal = { enabled = true; };\n$rules\n", workers => 2);

sub berth { return run(program('berth'), '--config', $s->config_file, '--root', $s->root, @_) }
sub blob { my ($repo, $bytes) = @_; return $s->req('POST', "/v2/$repo/blobs/uploads/?digest=" . sha256($bytes), body => $bytes)->status }
sub groups { return { map { my $g = JSON::PP->new->utf8->decode($_); ($g->{group} => $g) } split /\n/, berth('quota', 'list', '--json')->{out} } }
sub warned { return map { $_->{message} } grep { ($_->{event} // '') eq 'quota' } $s->log_events }
sub told { return grep { $_->{action} eq 'quota' } events($s) }

# --- the list
is berth('quota', 'list')->{out}, "no repository has a quota\n", 'an empty store';
is berth('quota', 'list', '--json')->{out}, '', '... has no lines of JSON';
is berth('quota', @$_)->{status}, 2, "used wrongly: @$_" for [], ['show'], ['list', 'more'], ['--nothing', 'list'];
my ($d, $m) = $s->push_image('team/red/app', 'v1', type => 'oci', layers => ['x' x 3000]);
$s->push_image('team/red/lib', 'v1', type => 'oci', layers => ['x' x 3000]);
$s->push_blob('big/one', 'y' x 500);
$s->push_blob('free', 'z' x 500);
$s->push_blob('other', 'z' x 500);
my $groups = groups();
is_deeply [sort keys %$groups], ['big', 'team/red'], 'each group that has a repository, and a quota';
is_deeply [map { my $g = $_; [map { $groups->{$g}{$_} } qw(repositories used quota)] } 'big', 'team/red'],
	[[1, 500, 1 << 40], [2, (quota_counted($s->root, 'team/red'))[0], 10_000]], 'what each uses and may use';
is $groups->{'team/red'}{collectable}, 0, 'all of it is named';
is $groups->{big}{collectable}, 500, 'but for a blob that nobody names';
is_deeply [split /\n/, berth('quota', 'list')->{out}], [
	'big: 500 of 1099511627776 bytes, 0.0 %, 500 of them to be collected',
	sprintf('team/red: %d of 10000 bytes, %.1f %%, 0 of them to be collected', $groups->{'team/red'}{used}, int($groups->{'team/red'}{used} / 10) / 10),
], 'for people';
is $s->req('DELETE', "/v2/team/red/app/manifests/$d")->status, 202, 'a manifest is deleted';
my $after = groups()->{'team/red'};
is $after->{used}, $groups->{'team/red'}{used} - length $m, 'its own bytes are gone at once';
my ($config) = $m =~ /"config":\{[^}]*"digest":"([^"]+)"/;
is $after->{collectable}, length content_of(blob_file($s, $config)), '... and its config is to be collected, not the layer that another repository names';
Berth::GC::make_old($s, 100);
is berth('gc', '--grace', '10')->{status}, 0, 'a collection';
is_deeply [@{ groups()->{'team/red'} }{qw(used collectable)}], [$after->{used} - $after->{collectable}, 0], 'frees what was to be collected';

# --- 90 %
my $used = groups()->{'team/red'}{used};
is_deeply [warned(), told()], [], 'nothing was said yet';
is blob('team/red/app', 'a' x (8999 - $used)), 201, 'a push to just below 90 %';
is_deeply [warned(), told()], [], '... is not told';
is blob('team/red/new', 'b'), 201, 'one byte more';
my @told = told();
is scalar(@told), 1, 'the journal has an event';
is_deeply [map { $told[0]{$_} } qw(repository group size quota method)], ['team/red/new', 'team/red', 9000, 10_000, 'POST'], '... of who came there, and with what numbers' or diag(explain(\@told));
is_deeply [warned()], ['team/red has used 9000 of 10000 bytes, 90 % or more: `berth quota list` says how much of that can be collected'], 'and the log has a warning';
is blob('team/red/new', 'c' x 100), 201, 'a further push';
is scalar(() = (warned(), told())), 2, '... is told no more';
is $s->req('DELETE', '/v2/team/red/new/blobs/' . sha256($_))->status, 202, 'it goes below' for 'b', 'c' x 100;
is $s->push_manifest('team/red/app', 'v2', image_of(OCI_MANIFEST, 'a' x (8999 - $used), 'a' x (8999 - $used)), OCI_MANIFEST)->status, 201, 'and a manifest above again';
is scalar(() = (warned(), told())), 4, '... which is told again';
like berth('events')->{out}, qr/^\S+ \S+ quota       team\/red\/new: team\/red has used 9000 of 10000 bytes by anonymous from /m, '`berth events` says it';
is $s->req('GET', '/berth/v1/events?n=1000')->json->{events}[-1]{action}, 'quota', 'and so does the API';
is berth('repo', 'mv', 'other', 'team/blue/o')->{status}, 0, 'berth repo mv';
is scalar(() = (warned(), told())), 4, '... of little';
is blob('other', 'w' x 9500), 201, 'a large one';
is berth('repo', 'mv', 'other', 'team/green')->{status}, 0, '... moved into a group';
is_deeply [map { "$_->{repository} $_->{group} $_->{size}" } (told())[-1]], ['team/green team/green 9500'], '... is told';

# --- metrics
my $m1 = metrics($s);
is_deeply [map { $m1->{"berth_quota_$_"} } qw(groups groups_warned refused_total allowed_bytes)], [4, 2, 0, (1 << 40) + 30_000], 'groups, those at 90 %, pushes refused, all quotas'
	or diag(explain({ map { /quota/ ? ($_ => $m1->{$_}) : () } keys %$m1 }));
my $sum = 0;
$sum += (quota_counted($s->root, $_))[0] for 'big', 'team/red', 'team/blue', 'team/green';
is $m1->{berth_quota_used_bytes}, $sum, 'and all that is used';
is blob('team/green', 'v' x 501), 403, 'a push is refused';
is $s->push_manifest('team/green', 'v', 'x' x 600, OCI_MANIFEST)->status, 400, 'what is no manifest is not refused because of its size';
my $m2 = metrics($s);
is delta($m1, $m2, 'berth_quota_refused_total'), 1, 'one was refused';
is delta($m1, $m2, 'berth_quota_counted_total'), 0, 'nothing was counted anew';

# --- a request that fails later
my $bad = $s->root . '/docker/registry/v2/repositories/team/pink/app/_manifests/tags/bad/current/link';
make_path("$bad/x");
my $said = () = (warned(), told());
is blob('team/pink/app', 'p' x 8900), 201, 'a push below 90 %';
my $pink = image_of(OCI_MANIFEST, 'p' x 8900, 'p' x 8900);
is $s->push_manifest('team/pink/app', 'bad', $pink, OCI_MANIFEST)->status, 500, 'one above it, which fails after the link was made';
is scalar(() = (warned(), told())), $said + 2, '... is told';
is blob('team/red/app', 'more'), 201, 'the next push';
is_deeply [map { "$_->{repository} $_->{group}" } (told())[-1]], ['team/pink/app team/pink'], '... is not taken for it';
is scalar(() = (warned(), told())), $said + 2, '... and nothing more is told';

# --- no quota
$s->config("delete = true;\n");
$s->replace_workers;
is_deeply [grep { /quota/ && !/lock/ } keys %{ metrics($s) }], [], 'without a quota there are no metrics of it';
$s->stop;
done_testing;
