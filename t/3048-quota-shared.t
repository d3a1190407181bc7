#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A store that several machines share: one of them, and a command, whose configuration has no quota count by the rules of the other one.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::GC ();
use Berth::Quota;

plain_build_only('it traces system calls');
need_program('strace');

# A file system that nobody knows may belong to several machines.
my @shared = ('strace', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=fstatfs', '-e', 'inject=fstatfs:error=EIO');
my $config = "delete = true;\nrules = ( { repo = \"team/*\"; quota = \"1 MiB\"; } );\n";
my $with = Berth::Server->start(config => $config, workers => 1);
my $root = $with->root;
my $bytes = 0;

sub blob { my ($srv) = @_; my $b = 'bytes, number ' . ++$bytes; return $srv->req('POST', '/v2/team/red/app/blobs/uploads/?digest=' . sha256($b), body => $b)->status }

sub counted
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $t = quota_table($root, 'team/red');
	is $t->{used}, (quota_counted($root, 'team/red'))[0], "$what: counted";
	return ok !$t->{broken} && !$t->{gone}, '... in the table';
}

is blob($with), 201, 'a blob where a quota counts';
counted('at first');

# The second one reads its configuration first, so that the rules of the first are those in force.
my $without = Berth::Server->start(config => "delete = true;\n", root => $root, workers => 1);
$without->stop_workers;
$without->{wrap} = \@shared;
$without->start_workers;
$with->replace_workers;
is blob($with), 201, 'a blob after both have started';
counted('the rules of the first');
is blob($without), 201, 'a blob by a machine that knows of no quota';
counted('a push by that machine');
is $without->push_image('team/red/app', 'a', layers => ['a layer']) && 1, 1, 'an image';
counted('an image by that machine');

Berth::GC::make_old($with, 100);
spew(my $none = tmp_dir() . '/none.conf', '');
is run(@shared, program('berth'), '--config', $none, '--root', $root, 'gc', '--grace', '10')->{status}, 0, 'a collection by a command that knows of none';
counted('a collection');
is blob($with), 201, 'a blob where a quota counts';
is quota_fault($root, 'team/red'), '', 'and all of the table is right';
$_->stop for $without, $with;
done_testing;
