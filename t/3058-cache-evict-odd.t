#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Evictions where something is odd: repositories that were pushed under an upstream's name, upstreams that come and go, another registry's links, evictions and handovers
# that end early, a clock that is wrong, rules.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Auth ();
use Berth::Cache;
use Berth::Check;
use Berth::GC;
use Berth::Repo;
use Berth::Test;

my $HOUR = 3600;
sub conf
{
	my ($more, @up) = @_;
	my $list = join ', ', map { qq({ name = "$_"; urls = [ "http://127.0.0.1:1" ]; }) } @up;
	return qq(delete = true;\nundo = "24h";\n) . ($list ? "upstreams = ( $list );\n" : '') . qq(cache = { idle = "10h"; max_size = "10 MiB"; };\n) . ($more // '');
}
my $s = Berth::Server->start(args => ['--no-relay'], config => conf());
my @other = ('up', 'other');
# each reload is followed by an eviction of the master's own, which would take what the test makes old for its own
sub reconfigure { Berth::Auth::reconfigure(@_); $s->at_rest; return }

sub size { return slurp($s->root . '/berth/mirror/_size') + 0 }
sub evict { return (objects_of(evict_ok($s, @_)))[-1] }
sub alone { my ($d) = @_; return -k blob_file($s, $d) ? 1 : 0 }
sub here { my ($i) = @_; return join '', map { -e blob_file($s, $_) ? 1 : 0 } $i->{digest}, $i->{config}, @{ $i->{layers} } }
sub linked { my ($i) = @_; return join '', map { -e $_ ? 1 : 0 } revision_link($s, $i->{repo}, $i->{digest}), map { layer_link($s, $i->{repo}, $_) } $i->{config}, @{ $i->{layers} } }
sub old { my ($i, $hours) = @_; return pulled_before($s, $i->{repo}, $i, ($hours // 11) * $HOUR) }
my $n = 0;
sub image { my ($repo, @layers) = @_; return hand_image($s, $repo, '1', '{"n":' . ++$n . '}', @layers ? @layers : random_bytes(1000)) }
sub pushed
{
	my ($repo, $config, @layers) = @_;
	$s->push_blob($repo, $_) for $config, @layers;
	my $json = image_of(OCI_MANIFEST, $config, @layers);
	is $s->push_manifest($repo, '1', $json, OCI_MANIFEST)->status, 201, "$repo is pushed";
	return { repo => $repo, digest => sha256($json), json => $json, config => sha256($config), layers => [map { sha256($_) } @layers] };
}
# what is pulled all the time: where nothing is, nothing goes by idle
my $fresh;
sub freshen { utime undef, undef, map { layer_link($s, 'other/fresh', $_) } @{ $fresh->{layers} }; return }

# --- pushed before an upstream had the name

my $mine = pushed('up/mine', '{"mine":1}', random_bytes(900));
my $exact = pushed('up', '{"exact":1}', random_bytes(800));
reconfigure($s, conf('', @other));
ok wait_for { grep { ($_->{event} // '') eq 'configuration' && ($_->{message} // '') =~ m{^pushed repositories have the name of an upstream: 1, the first is up/mine;} } $s->log_events },
	'the log says that there is such a repository';
$fresh = image('other/fresh');
old($_) for $mine, $exact;
evict();
is linked($mine) . linked($exact), '111111', 'nothing of them goes by idle';
my $layer = random_bytes(1200);
is hand_over($s, PUT => 'manifest?repo=up/mine&ref=2', body => image_of(OCI_MANIFEST, '{"second":1}', $layer), type => OCI_MANIFEST), 201, 'the upstream gives another tag of it';
is hand_over($s, PUT => 'blob?repo=up/mine&digest=' . sha256($layer), body => $layer), 201, 'and a layer';
is alone(sha256($layer)), 0, 'which is kept like a pushed one';
old($mine);
evict();
is linked($mine), '111', 'and what was pushed stays';
berth_says($s, ['cache', 'drop', 'up/mine'], 1, qr/was pushed/, 'nor does berth cache drop remove it');
is linked($mine), '111', 'indeed';

# --- an upstream goes, and comes back

my $common = random_bytes(2000);
my $former = image('up/former', $common);
my $taken = image('up/taken', random_bytes(700));
my $second = image('other/second', $common);
my $before = size();
reconfigure($s, conf('', 'other'));
evict();
is alone($common = sha256($common)), 1, 'without its upstream a copy is a copy still';
old($_) for $former, $second, $taken;
freshen();
my $r = evict();
is "$r->{manifests} $r->{links}", '1 2', 'what another mirror has goes';
is linked($former) . here($former), '111111', 'what cannot be fetched again stays, and its bytes';
my $again = pushed('up/taken', '{"again":1}', random_bytes(600));
reconfigure($s, conf('', @other));
evict();
old($_) for $taken, $again, $former;
freshen();
evict();
is linked($again) . linked($taken), '111111', 'where somebody has pushed meanwhile, the repository is theirs';
is join('', map { alone($_) } $taken->{digest}, @{ $taken->{layers} }), '00', 'and so is the content';
is linked($former) . here($former), '000000', 'when the upstream is back its copies go by idle as before, bytes and all';
reconfigure($s, conf());
my $kept = alone($fresh->{layers}[0]);
evict_ok($s, 'an eviction without upstreams');
is $kept . alone($fresh->{layers}[0]), '11', 'changes nothing';
reconfigure($s, conf(qq(rules = ( { repo = "up/fixed"; readonly = true; } );\n), @other));

# --- deleted and restored meanwhile

my @image = ('{"back":1}', random_bytes(400));
my ($back, $same) = map { hand_image($s, "$_/back", '1', @image) } 'up', 'other';
reconfigure($s, conf('', 'other'));
is $s->req(DELETE => '/v2/up/back/manifests/1')->status, 202, 'a tag is deleted while its upstream is away';
is $s->req(DELETE => "/v2/up/back/manifests/$back->{digest}")->status, 202, 'and the manifest';
old($_) for $same, $back;
freshen();
evict();
is linked($same) . here($back), '000111', 'what can be restored there stays';
berth_ok($s, 'tag', 'restore', 'up/back:1', 'it is restored');
reconfigure($s, conf('', @other));
old($back);
freshen();
evict();
is linked($back) . here($back), '111111', 'then the repository is theirs, too';

# --- a rule that says readonly

my $fixed = do { reconfigure($s, conf('', @other)); image('up/fixed') };
reconfigure($s, conf(qq(rules = ( { repo = "up/fixed"; readonly = true; } );\n), @other));
old($fixed);
freshen();
evict();
is linked($fixed) . here($fixed), '111111', 'what a rule says is read-only stays';
reconfigure($s, conf('', @other));
freshen();
evict();
is linked($fixed) . here($fixed), '000000', 'without the rule it goes';

# --- another registry beside this one

my $beside = image('up/beside');
my ($d) = @{ $beside->{layers} };
lay_file(layer_link($s, 'team/foreign', $d), $d);
mkdir data_dir($s) . '/repositories/team/foreign/_manifests';
berth_ok($s, 'index', 'rebuild', 'berth index rebuild after that');
old($beside);
freshen();
evict();
is linked($beside) . here($beside), '000001', 'what the other registry has linked meanwhile stays';

# --- what was deleted and can be restored

my $deleted = pushed('team/undo', '{"undo":1}', random_bytes(500));
is $s->req(DELETE => "/v2/team/undo/manifests/$deleted->{digest}")->status, 202, 'an image is deleted';
chmod 01644, blob_file($s, $deleted->{digest});
berth_ok($s, 'index', 'rebuild', 'berth doubts');
evict();
is alone($deleted->{digest}), 0, 'what can be restored is no mirror\'s alone';

# --- bytes that an eviction did not come to

my $stranded = image('up/stranded');
my $still = image('up/still');
my $bytes = 0;
$bytes += -s blob_file($s, $_) for $stranded->{digest}, $stranded->{config}, @{ $stranded->{layers} };
$before = size();
spew($s->root . '/berth/mirror/_pending', "no digest\n" . join '', map { "$_\n" } $stranded->{digest}, $stranded->{config}, @{ $stranded->{layers} }, @{ $still->{layers} }, @{ $mine->{layers} });
run('rm', '-r', '--', data_dir($s) . '/repositories/up/stranded');
freshen();
$r = evict();
is "$r->{blobs} $r->{bytes}", "3 $bytes", 'are removed by the next one';
is size(), $before - $bytes, 'and not counted any more';
is here($still) . here($mine), '111111', 'what has a link, or others have, is not';
ok !-e $s->root . '/berth/mirror/_pending', 'then there is nothing to come to';

SKIP: {
	skip 'it injects faults', 6 if $ENV{BERTH_SANITIZERS} || !have_program('strace');
	my @i = map { image("up/fails$_") } 1 .. 2;
	old($_) for @i;
	freshen();
	my $trace = $s->dir . '/trace';
	my $path = data_dir($s) . '/repositories/up/fails1/_layers/sha256/' . substr($i[0]{layers}[0], 7);
	$r = run('strace', '-f', '-y', '-o', $trace, '-e', 'trace=renameat', '-e', 'inject=renameat:error=EIO', '-P', $path =~ s{^\Q@{[$s->root]}\E/}{}r, berth_cmd($s, 'gc', '--cache'));
	is $r->{status}, 1, 'an eviction that cannot remove a link fails';
	is -e "$path/link" ? 1 : 0, 1, 'which stays';
	is linked($i[1]) . here($i[1]), '000000', 'the next repository is evicted nevertheless, bytes and all';
	is -e blob_file($s, $i[0]{digest}) ? 1 : 0, 0, 'and so is what was removed before';
	evict('the next one');
	is here($i[0]), '000', 'removes the rest';
}

# --- pinned meanwhile

SKIP: {
	skip 'it stops at a system call', 4 if $ENV{BERTH_SANITIZERS} || !have_program('strace');
	my ($first, $pin) = map { image("up/$_") } 'a-first', 'b-pinned';
	old($_) for $first, $pin;
	freshen();
	my ($trace, $path) = ($s->dir . '/stopped', revision_link($s, 'up/a-first', $first->{digest}) =~ s{^\Q@{[$s->root]}\E/|/link$}{}gr);
	my ($one, $other) = run_parallel(2, sub {
		return run('strace', '-f', '-o', $trace, '-e', 'trace=renameat', '-e', 'inject=renameat:signal=STOP', '-P', $path, berth_cmd($s, 'gc', '--cache')) if !$_[0];
		my $stopped = wait_for { -e $trace && slurp($trace) =~ /^(\d+) +--- stopped by SIGSTOP/m ? $1 : 0 } or die 'it does not stop';
		my $r = berth($s, 'cache', 'pin', 'up/b-pinned:1');
		kill CONT => $stopped;
		return $r;
	});
	is "$one->{status} $other->{status}", '0 0', 'a tag is pinned during an eviction' or diag $one->{err} . $other->{err};
	is linked($pin) . here($pin), '111111', 'its layers stay as well';
	is linked($first), '000', 'and others go';
}

# --- a handover that fails after the blob was stored

my $m = image_of(OCI_MANIFEST, '{"half":1}', my $half = random_bytes(3000));
is hand_over($s, PUT => 'manifest?repo=up/half&ref=1', body => $m, type => OCI_MANIFEST), 201, 'a manifest';
spew(data_dir($s) . '/repositories/up/half/_layers/sha256/' . substr(sha256($half), 7), 'in the way');
$before = size();
isnt hand_over($s, PUT => 'blob?repo=up/half&digest=' . sha256($half), body => $half), 201, 'its blob cannot be linked';
is size() - $before, alone(sha256($half)) ? 3000 : 0, 'what has the bit is counted, what has not is not';
unlink data_dir($s) . '/repositories/up/half/_layers/sha256/' . substr(sha256($half), 7);

# --- an eviction that fails within a collection

rename $s->root . '/berth/mirror/_size', $s->root . '/berth/mirror/_size.kept';
mkdir $s->root . '/berth/mirror/_size';
my $garbage = $s->push_blob('team/garbage', random_bytes(100));
run('rm', '-r', '--', layer_link($s, 'team/garbage', $garbage) =~ s{/link$}{}r);
make_old($s, 48 * $HOUR);
$r = berth($s, 'gc', '--grace', '1h');
is $r->{status}, 0, 'a collection goes on where its eviction fails' or diag $r->{err};
like $r->{err}, qr/eviction_failed/, 'which is told';
is -e blob_file($s, $garbage) ? 1 : 0, 0, 'garbage goes';
rmdir $s->root . '/berth/mirror/_size';

# --- a clock that is wrong

my $last = image('up/last');
make_old($s, 48 * $HOUR);
evict();
is linked($last) . linked($fresh), '111111', 'where nothing was pulled for so long, nothing goes by idle';
freshen();
evict();
is linked($last) . here($last), '000000', 'when something is, the rest goes';
is cached_fault($s), '', 'all that is stored is what its name says';
$r = berth($s, 'fsck');
is $r->{status}, 0, 'fsck finds nothing wrong' or diag $r->{out};
done_testing;
