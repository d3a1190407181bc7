#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The models by which the tests of power cuts judge: after small sequences of calls, exactly these states are possible.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Journal;
use Berth::PowerCut;

plain_build_only('it judges a module of the tests alone');

# Each state as one line of words: a directory ends in a slash, a file is name=bytes, a zero is 0.
sub words {
	my ($state) = @_;
	return join ' ', map { $state->{$_} eq 'd' ? "$_/" : "$_=" . Berth::PowerCut::content($state->{$_}) =~ tr/\0/0/r } sort keys %$state;
}

sub states {
	my ($model, $snapshot, $code) = @_;
	my $fs = $model->new($snapshot, judged => 1);
	my %seen;
	$code->($fs);
	$fs->after_power_cut(1, 50, sub { $seen{ words($_[0]) } = 1; return }, 1);
	return [sort keys %seen];
}

# after - the same calls in both models, and what each may leave
sub after {
	my ($title, $snapshot, $code, %left) = @_;
	is_deeply(states('Berth::PowerCut', $snapshot, $code), [sort @{ $left{any} }], "without an order: $title") if $left{any};
	is_deeply(states('Berth::Journal', $snapshot, $code), [sort @{ $left{ordered} }], "with an order: $title");
	return;
}

my %two = (a => { dir => 1 }, b => { dir => 1 });

after 'two directories', {}, sub { $_[0]->mkdir($_) for qw(a b) }, any => ['', 'a/', 'b/', 'a/ b/'], ordered => ['', 'a/', 'a/ b/'];
after 'the flush of a directory', \%two, sub { my ($fs) = @_; $fs->mkdir($_) for qw(a/1 b/1 a/2); $fs->fsync($fs->find('a')) },
	any => ['a/ a/1/ a/2/ b/', 'a/ a/1/ a/2/ b/ b/1/'], ordered => ['a/ a/1/ a/2/ b/ b/1/'];
after 'the flush of one that was changed before the other', \%two, sub { my ($fs) = @_; $fs->mkdir($_) for qw(a/1 b/1 b/2); $fs->fsync($fs->find('a')) },
	any => [map { "a/ a/1/ b/$_" } '', ' b/1/', ' b/2/', ' b/1/ b/2/'], ordered => [map { "a/ a/1/ b/$_" } '', ' b/1/', ' b/1/ b/2/'];
after 'the flush of one that nobody has changed', \%two, sub { my ($fs) = @_; $fs->mkdir('b/1'); $fs->fsync($fs->find('a')) },
	any => ['a/ b/', 'a/ b/ b/1/'], ordered => ['a/ b/', 'a/ b/ b/1/'];
after 'a rename is one change', { %two, 'a/f' => { bytes => 'x' } }, sub { $_[0]->rename('a/f', 'b/f') },
	any => ['a/ a/f=x b/', 'a/ b/ b/f=x'], ordered => ['a/ a/f=x b/', 'a/ b/ b/f=x'];
after 'an exchange is one change', { %two, 'a/f' => { bytes => 'x' }, 'b/f' => { bytes => 'y' } }, sub { $_[0]->exchange('a/f', 'b/f') },
	any => ['a/ a/f=x b/ b/f=y', 'a/ a/f=y b/ b/f=x'], ordered => ['a/ a/f=x b/ b/f=y', 'a/ a/f=y b/ b/f=x'];
after 'a flush begins before a change that ends before it', \%two, sub {
	my ($fs) = @_;
	$fs->mkdir('a/1');
	my $begun = $fs->begin($fs->find('a'));
	$fs->mkdir('a/2');
	$fs->fsync($fs->find('a'), $begun);
}, any => ['a/ a/1/ b/', 'a/ a/1/ a/2/ b/'], ordered => ['a/ a/1/ b/', 'a/ a/1/ a/2/ b/'];

# bytes
my $f;
my $write = sub { my ($fs) = @_; $f = $fs->create('t'); $fs->write($f, 0, 'text') };
after 'bytes that nobody flushes', {}, $write, any => ['', 't=', 't=0000', 't=text'], ordered => ['', 't=', 't=0000', 't=text'];
after 'more than a page', {}, sub { my ($fs) = @_; $f = $fs->create('t'); $fs->write($f, 0, 'x' x 5000) },
	ordered => ['', 't=', 't=' . '0' x 5000, 't=' . 'x' x 4096, 't=' . 'x' x 5000];
after 'bytes that are flushed', {}, sub { my ($fs) = @_; $write->($fs); $fs->fsync($f) }, any => ['', 't=text'], ordered => ['t=text'];
after 'bytes written over others', { t => { bytes => 'old' } }, sub { my ($fs) = @_; $fs->write($fs->find('t'), 0, 'new') },
	any => ['t=000', 't=new', 't=old'], ordered => ['t=000', 't=new', 't=old'];
after 'a write while a flush is under way', { t => { bytes => '' } }, sub {
	my ($fs) = @_;
	my $i = $fs->find('t');
	$fs->write($i, 0, 'a');
	my $begun = $fs->begin($i);
	$fs->write($i, 1, 'b');
	$fs->write($i, 2, 'c');
	$fs->fsync($i, $begun);
}, any => ['t=a', 't=a00', 't=ab', 't=abc'], ordered => ['t=a', 't=a00', 't=ab', 't=abc'];

# bytes that are written out and waited for
my $out = sub { my ($fs) = @_; $write->($fs); $fs->written_out($f, 0, 0) };
after 'bytes that are written out, and nothing after it', {}, $out, any => ['', 't=', 't=0000', 't=text'], ordered => ['', 't=', 't=0000', 't=text'];
after 'a name after bytes that are written out', { a => { dir => 1 } }, sub { my ($fs) = @_; $out->($fs); $fs->rename('t', 'a/t') },
	ordered => ['a/', 'a/ t=', 'a/ t=0000', 'a/ t=text', 'a/ a/t=text'];
after 'any name after bytes that are written out', {}, sub { my ($fs) = @_; $out->($fs); $fs->mkdir('z') },
	ordered => ['', 't=', 't=0000', 't=text', 't=text z/'];
after 'bytes that are written out after the name', { a => { dir => 1 } }, sub { my ($fs) = @_; $write->($fs); $fs->rename('t', 'a/t'); $fs->written_out($f, 0, 0) },
	ordered => ['a/', 'a/ t=', 'a/ t=0000', 'a/ t=text', map { "a/ a/t=$_" } '', '0000', 'text'];
after 'a part that is written out', { a => { dir => 1 } }, sub { my ($fs) = @_; $write->($fs); $fs->written_out($f, 0, 2); $fs->fsync(0); $fs->rename('t', 'a/t') },
	ordered => [map { ("a/ t=$_", "a/ a/t=$_") } '', '0000', 'text'];
after 'all parts, one after the other', { a => { dir => 1 } }, sub { my ($fs) = @_; $write->($fs); $fs->written_out($f, $_, 2) for 0, 2; $fs->rename('t', 'a/t'); $fs->fsync($fs->find('a')) },
	ordered => ['a/ a/t=text'];
after 'a part that is written again', { a => { dir => 1 } }, sub { my ($fs) = @_; $write->($fs); $fs->written_out($f, 0, 2); $fs->write($f, 0, 'T'); $fs->written_out($f, 2, 2);
	$fs->rename('t', 'a/t'); $fs->fsync($fs->find('a')) }, ordered => [map { "a/ a/t=$_" } '', '0000', 'Text', 'text'];
after 'bytes added to those that are written out', { a => { dir => 1 } }, sub { my ($fs) = @_; $out->($fs); $fs->write($f, 4, '!'); $fs->rename('t', 'a/t'); $fs->fsync(0) },
	ordered => [map { "a/ a/t=$_" } 'text', 'text0', 'text!'];

# a file whose flush is to commit all
my %flush = (flush => { bytes => '' }, a => { dir => 1 });
after 'the flush of a file that nobody has changed', \%flush, sub { my ($fs) = @_; $fs->mkdir('a/1'); $fs->fsync($fs->find('flush')) },
	ordered => ['a/ flush=', 'a/ a/1/ flush='];
after 'the flush of a file with new times', \%flush, sub { my ($fs) = @_; $fs->mkdir('a/1'); $fs->touch($fs->find('flush')); $fs->mkdir('a/2'); $fs->fsync($fs->find('flush')) },
	ordered => ['a/ a/1/ flush=', 'a/ a/1/ a/2/ flush='];
after 'a flush of its bytes alone', \%flush, sub { my ($fs) = @_; $fs->mkdir('a/1'); $fs->touch($fs->find('flush')); $fs->fdatasync($fs->find('flush')) },
	ordered => ['a/ flush=', 'a/ a/1/ flush='];
after 'new times while its flush is under way', \%flush, sub {
	my ($fs) = @_;
	my $i = $fs->find('flush');
	$fs->mkdir('a/1');
	$fs->touch($i);
	my $begun = $fs->begin($i);
	$fs->mkdir('a/2');
	$fs->touch($i);
	$fs->fsync($i, $begun);
}, ordered => ['a/ a/1/ flush=', 'a/ a/1/ a/2/ flush='];
after 'bytes that were written out before such a flush', \%flush, sub { my ($fs) = @_; $out->($fs); $fs->touch($fs->find('flush')); $fs->fsync($fs->find('flush')) },
	ordered => ['a/ flush= t=text'];
after 'bytes that were not, and their name', \%flush, sub { my ($fs) = @_; $write->($fs); $fs->touch($fs->find('flush')); $fs->fsync($fs->find('flush')) },
	ordered => [map { "a/ flush= t=$_" } '', '0000', 'text'];
after 'one flush of all', \%flush, sub { my ($fs) = @_; $write->($fs); $fs->mkdir('a/1'); $fs->syncfs }, any => ['a/ a/1/ flush= t=text'], ordered => ['a/ a/1/ flush= t=text'];

done_testing;
