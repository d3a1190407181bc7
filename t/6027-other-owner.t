#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Files of another owner below the top of the store, as a restored backup leaves them: what fails is 500, the log names the path, the
# registry is not ready until it is put right, and fsck lists all of them.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Client;
use Berth::Server;
use Berth::Check;

cannot_run('it is other users, which takes root') if $> != 0;
need_program('setpriv');
my $uid = 65534;
my $s = Berth::Server->start(workers => 4, config => "delete = true;\n");
my ($digest, $bytes) = $s->push_image('team/app', 'one');
$s->stop_workers;
chmod 0755, tmp_dir();
run_ok('chown', '-R', "$uid:$uid", $s->dir, 'the whole store belongs to the user who serves');
$s->{wrap} = ['sh', '-c', "setpriv --reuid=$uid --regid=$uid --clear-groups -- \"\$0\" \"\$@\"; exit \$?"];
$s->start_workers;

sub put { return $s->push_manifest('team/app', $_[0], $bytes, DOCKER_MANIFEST) }
sub denied { return map { $_->{message} } grep { $_->{event} eq 'denied' } $s->log_events }
sub fsck { my $r = run(program('berth'), '--root', $s->root, 'fsck'); return [$r->{status}, $r->{out} =~ /^(?:not-writable|unreadable) .*$/mg] }
is put('two')->status, 201, 'it can push';
is fsck()->[0], 0, 'and fsck finds nothing';

my $tags = Berth::Check::repo_dir($s, 'team/app') . '/_manifests/tags';
chown 0, 0, $tags or die;
my $r = put('three');
is $r->status, 500, 'a push into a directory of another owner is 500';
is $r->header('Retry-After'), undef, '... without Retry-After: to come again does not help';
is json($r->body)->{errors}[0]{code}, 'UNKNOWN', '... as an error of the registry';
is put("t$_")->status, 500, 'again' for 1 .. 5;
my @said = denied();
is scalar @said, 1, 'the log says it once a minute';
is $said[0], "uid $uid cannot use $tags, which belongs to 0:0, mode 755; give all of @{[ $s->root ]} to uid $uid (`berth fsck` lists what is left)", '... with the path';
$r = $s->watch('/readyz');
is $r->status . $r->body, "503part of the store cannot be written: see the log\n", 'the registry is not ready, at once';
is $s->req(GET => '/v2/team/app/manifests/two')->status, 200, '... but serves';
is_deeply fsck(), [1, 'not-writable docker/registry/v2/repositories/team/app/_manifests/tags: belongs to 0:0, mode 755: uid 65534 cannot write it; give it to the user that runs the registry'], 'fsck, started by root, finds what the owner of the store cannot write';

# More of the kind: the lock of a repository, a directory of blobs, an unreadable file. None of them is met by a request before.
chown 0, 0, my $lock = (glob $s->root . '/berth/locks/repository/*')[0] or die;
chmod 0600, $lock;
my $two = blob_file($s, sha256('x')) =~ s{/[^/]+/data$}{}r;
chown 0, 0, $two or die;
my $data = blob_file($s, $digest);
chown 0, 0, $data;
chmod 0600, $data;
my $found = fsck();
for my $path ($tags, $two, $lock, $data) {
	my $below = substr $path, length($s->root) + 1;
	is scalar(grep { /^(?:not-writable|unreadable) \Q$below\E: belongs to 0:0, mode \d+: uid $uid cannot (?:write|read) it; / } @$found), 1, "fsck lists $below";
}
is scalar @$found, 1 + 4, '... and nothing else, each once' or diag explain $found;
chown $uid, $uid, $_ for $two, $data;

# put right
is $s->watch('/readyz')->status, 503, 'the registry stays so';
chown $uid, $uid, $tags, $lock;
ok wait_for(sub { $s->watch('/readyz')->status == 200 }), 'when the directory has its owner, the registry is ready';
is put('three')->status, 201, '... and the push succeeds';
is fsck()->[0], 0, '... and fsck finds nothing';
is scalar(denied()), 1, 'nothing more was logged';
$s->stop;
done_testing;
