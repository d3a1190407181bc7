#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A power cut while what was fetched is handed over to a mirror: no name is ever over wrong bytes, a manifest that is there has all that it names known, so that
# its blobs are kept when they come; what is lost is fetched again.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Cache;
use Berth::Check;
use Berth::Disk;
use Berth::FCGI;
use Berth::PowerCut;
use Berth::Recording;
use Berth::Replay;
use Berth::StoreState;
use Berth::Upstream;
use Berth::Verdict;

plain_build_only('it traces system calls');
need_program('strace');

my ($bare, $disk) = disks('ext4-bare', 'ext4');
my $u = Berth::Upstream->start;
my ($first, $second) = map { $u->image('app', $_, layers => [ random_bytes(3000) ]) } 1, 2;
my $index = $u->index('app', 'all', $first, $second);
$u->tag('app', 'moves', $second->{digest});
my %bytes = map { my $d = $_; ($d => slurp($u->blob_file($d))) } map { ($_->{config}, @{ $_->{layers} }) } $first, $second;
my $trace = tmp_dir() . '/trace';
my $config = "delete = true;\nfsync = \"image\";\n" . mirror_conf(['up', $u]);

# --- the steps, each a request of the relay's, or of a client's

sub manifest_of { my ($ref, $i) = @_; return { "manifest up/app $i->{digest}" => $i->{digest}, $ref =~ /:/ ? () : ("tag up/app $ref" => $i->{digest}) } }
sub step
{
	my ($s, $claims, $method, $uri, %o) = @_;
	my $n = 0;

	return { claims => $claims, body => $o{spooled}, do => sub {
		my $file = 'berth/body/relay-' . ++$n;
		spew($s->root . "/$file", $o{spooled}) if defined $o{spooled};
		my $r = Berth::FCGI->new($s->relay_socket)->request(stdin => $o{body} // '', params => { REQUEST_METHOD => $method, REQUEST_URI => "/berth/v1/relay/$uri",
			CONTENT_TYPE => $o{type} // '', CONTENT_LENGTH => length($o{spooled} // $o{body} // ''), defined $o{spooled} ? (BERTH_BODY_FILE => $file) : () });
		unlink $s->root . "/$file";
		settled($trace);        # the end of a call that is told in two parts may have a later time than what follows the answer
		die "$method $uri: " . $r->as_string if $r->status !~ /^20/;
	} };
}
sub put { my ($s, $ref, $i) = @_; return step($s, manifest_of($ref, $i), PUT => "manifest?repo=up/app&ref=$ref", body => $i->{json}, type => $i->{type}) }
sub confirm { my ($s, $ref, $i) = @_; return step($s, manifest_of($ref, $i), POST => "checked?repo=up/app&tag=$ref&digest=$i->{digest}") }
sub blob { my ($s, $d) = @_; return step($s, { "blob up/app $d" => $d }, PUT => "blob?repo=up/app&digest=$d", spooled => $bytes{$d}) }
sub linked { my ($s, $d) = @_; return { claims => { "blob up/app $d" => $d }, do => sub { my $r = $s->req(GET => "/v2/up/app/blobs/$d"); die $r->as_string if sha256($r->body) ne $d } } }

sub record
{
	my ($dir, @model) = @_;
	unlink $trace;
	my $s = Berth::Server->start(workers => 1, root => "$dir/store", wrap => [strace_to($trace)], config => "relay = \"off\";\n$config");
	my $r = Berth::Replay->new(promise => 'image', sample => 8, keep => 8, root => $s->root, trace => $trace, mirror => qr{^up/}, also => \&unknown, @model);

	$r->scenario('an image', {}, [put($s, '1', $first), map { blob($s, $_) } $first->{config}, @{ $first->{layers} }]);
	$r->scenario('a tag that is confirmed, and one that moves', manifest_of('1', $first), [confirm($s, '1', $first), put($s, 'moves', $first), put($s, 'moves', $second), confirm($s, 'moves', $first)]);
	$r->scenario('an index', manifest_of('1', $first), [put($s, 'all', $index)]);
	$s->push_blob('own/app', $bytes{ $second->{layers}[0] });
	$r->scenario('a blob that the store has', manifest_of($second->{digest}, $second), [linked($s, $second->{layers}[0])]);
	$s->stop_workers;
	return $r;
}

# unknown - what the manifests of a state name and nobody knows that they do
sub unknown
{
	my ($state) = @_;
	my @bad;

	for my $i ($first, $second, $index) {
		next if (what_is($state, 'manifest', 'up/app', $i->{digest}) // '') eq '';
		my ($dir, @named) = $i == $index ? ('_children', map { $_->{digest} } $first, $second) : ('_named', $i->{config}, @{ $i->{layers} });
		push @bad, map { "$i->{digest} is there, but not that it names $_" } grep { !defined $state->{"berth/mirror/up/app/$dir/" . tr{:}{/}r} } @named;
	}
	return @bad;
}

for (['flushed one by one', $bare], ['flushed in order', $disk, model => 'Berth::Journal']) {
	my ($title, $dir, @model) = @$_;
	my $r = record($dir, @model);

	$r->load;
	is $r->replay($_), undef, "$title, $_->{name}: no name is over wrong bytes, and what was acknowledged is there" for $r->scenarios;
	cmp_ok $r->{states}, '>', 100, "$r->{states} states";
	if (!@model) {
		my $sorts = $r->without_each_flush(2, undef, qr{\Aberth/mirror});
		is join(' ', sort keys %$sorts), 'berth/mirror berth/mirror/up berth/mirror/up/app berth/mirror/up/app/_children berth/mirror/up/app/_children/ALG berth/mirror/up/app/_named berth/mirror/up/app/_named/ALG',
			'what manifests name is flushed, from the lowest directory up';
		# Of a repository's first manifest the two above are flushed twice: for the file that says that it is a copy, and for the names.
		ok @{ $sorts->{$_}{idle} } < $sorts->{$_}{all}, "leaving out a flush of $_ shows" for grep { !m{\Aberth/mirror(?:/up)?\z} } sort keys %$sorts;
	}
	for my $n (0 .. $#{ $r->{kept} }) {
		my $root = tmp_dir() . '/store';

		Berth::Verdict::lay_state($root, { '' => 'd', %{ $r->{kept}[$n] } }, {});
		my $s = mirror(upstreams => [['up', $u]], more => "delete = true;\n", root => $root, workers => 2);
		is join(', ', map { pull($s, 'up/app', $_, all => 1)->{fault} } qw(1 moves all)), ', , ', "after power cut $n all can be pulled";
		is cached_fault($s), '', '... and is right';
		my %tags = map { ($_ => slurp(tag_link($s, 'up/app', $_))) } qw(1 moves all);
		is_deeply { map { ($_->{tag} => $_->{digest}) } @{ $s->req(GET => '/berth/v1/repos/up/app/tags')->json->{tags} } }, \%tags, '... in the list of tags, too';
		my $fsck = run(program('berth'), '--config', $s->config_file, '--root', $s->root, 'fsck', '--data');
		unlike $fsck->{out}, qr/^(?:corrupt|wrong|index-summary)/m, '... to berth fsck, too';
		$s->stop;
	}
}
done_testing;
