#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Content that only mirrors have, in a file whose mode only another user may change: others can have it nevertheless.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Cache;
use Berth::Repo;
use Berth::Trace;

plain_build_only('it traces system calls');
need_program('strace');
my $s = Berth::Server->start(config => mirror_conf(['up', 'http://127.0.0.1:1']), args => ['--no-relay']);
my $i = hand_image($s, 'up/app', '1', '{}', map { random_bytes($_) } 300_000, 5000);
my ($large, $small) = @{ $i->{layers} };

sub bit { my ($d) = @_; return (stat blob_file($s, $d))[2] & 01000 ? 1 : 0 }
sub inode { my ($d) = @_; return (stat blob_file($s, $d))[1] }
# refused - the kernel refuses a worker's first change of a mode as it does if the file is another user's; a copy's is the second
sub refused { my ($what) = @_; return Berth::Trace::trace_of($s, ['-e', 'trace=fchmod', '-e', 'inject=fchmod:error=EPERM:when=1'], $what) }
sub mount { my ($d, $from) = @_; return $s->req(POST => "/v2/own/app/blobs/uploads/?mount=$d&from=" . ($from // 'up/app'), headers => ['Content-Length' => 0])->status }

is bit($_), 1, 'only a mirror has a layer' for $large, $small;
my $before = inode($large);
my $status;
like slurp(refused(sub { $status = mount($large) })), qr/EPERM .*INJECTED/, 'the mode cannot be changed';
is $status, 201, 'the layer is mounted nevertheless';
is bit($large), 0, 'it is no mirror\'s alone';
isnt inode($large), $before, 'in a file that is ours';
is sha256($s->req(GET => "/v2/own/app/blobs/$large")->body), $large, 'its bytes are right';

# --- an eviction that compares the links of others with the bit
$s->stop_workers;
lay_file(layer_link($s, 'own/app', $small), $small);
unlink $s->root . '/berth/mirror/_judged';
my $r = run('strace', '-f', '-o', $s->dir . '/trace', '-e', 'trace=fchmod', '-e', 'inject=fchmod:error=EPERM:when=1', berth_cmd($s, 'gc', '--cache'));
is $r->{status}, 0, 'an eviction' or diag $r->{err};
is bit($small), 0, 'finds what is not only a mirror\'s' or diag slurp($s->dir . '/trace');
$s->start_workers;
$s->at_rest;

# --- what is not what its name says
my $odd = hand_image($s, 'up/odd', '1', '{"odd":1}', random_bytes(7000))->{layers}[0];
my $file = blob_file($s, $odd);
spew($file, random_bytes(7000));
chmod 01644, $file;
refused(sub { $status = mount($odd, 'up/odd') });
is $status, 500, 'nobody copies a file that is corrupt';
is bit($odd), 1, 'it is as it was';
is scalar(grep { !m{/$} } files_below($s->root . '/berth/tmp')), 0, 'nothing is left';
done_testing;
