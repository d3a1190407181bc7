#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# kill -9 of the relay, of workers, of nginx and of all of them, at each moment of a miss and at random ones: no client gets a whole wrong answer, the next pull works,
# and no file of a download stays.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Check;
use Berth::Cache;
use Berth::Inject ();
use Berth::Upstream;

my ($rounds, $seconds) = is_long() ? (1e6, 300) : (16, 1e6);
Berth::Inject::cheap_place();
my $u = Berth::Upstream->start;
my $s = mirror(upstreams => [['up', $u]], workers => 3);
my $n = 0;

my %kill = (
	'the relay' => sub { my $pid = relay_pid($s); kill KILL => $pid if $pid; return },
	'the workers' => sub { $s->kill_workers; return },
	'nginx' => sub { $s->stop_nginx('KILL'); $s->start_nginx; return },
	'the master' => sub { $s->stop_workers('KILL'); $s->start_workers; return },
	'everything' => sub { $s->stop_nginx('KILL'); $s->stop_workers('KILL'); $s->start_workers; $s->start_nginx; return },
);
my $LAYER = 400_000;

# an image that is not here
sub image { $n++; return { repo => "app$n", %{ $u->image("app$n", '1', layers => [random_bytes($LAYER)]) } } }

# back - wait until the next pull works: what was killed comes again
sub back
{
	my ($i) = @_;
	my $fault;

	wait_for { ($fault = pull($s, "up/$i->{repo}", '1', no_head => 1)->{fault}) eq '' } or diag "$i->{repo}: $fault";
	return $fault;
}

# wrong - what is wrong with what a client got of one path: '' where it got nothing, a part, an error, or the right bytes
sub wrong
{
	my ($s, $path, $digest) = @_;
	my $g = eval { get_begin($s, $path, Accept => ACCEPT) } or return '';
	my $r = get_end($g);

	return '' if $r->{status} != 200 || !$r->{whole} || sha256($r->{body}) eq $digest;
	return "$path: a whole answer with other bytes";
}

my @moments = (
	['before the manifest', qr/manifests/, { silent => 1 }], ['in the midst of a manifest', qr/manifests/, { hang_at => 100 }],
	['before a blob', qr/blobs/, { silent => 1 }], ['in the midst of a blob', qr/blobs/, { hang_at => 200_000 }], ['before the last byte of a blob', qr/blobs/, { hang_at => $LAYER - 1 }],
);
for my $moment (@moments) {
	my ($when, $pattern, $what) = @$moment;
	for my $who (sort keys %kill) {
		my $i = image();
		my $blob = $pattern =~ /blobs/;
		get_manifest($s, "up/$i->{repo}", '1') if $blob;
		my $rule = $u->rule("^GET .*/$i->{repo}/.*$pattern", $what);
		my ($path, $digest) = $blob ? ("/v2/up/$i->{repo}/blobs/$i->{layers}[0]", $i->{layers}[0]) : ("/v2/up/$i->{repo}/manifests/1", $i->{digest});
		$u->forget;
		my @got = run_parallel(3, sub { return wrong($s, $path, $digest) }, sub {
			$u->held(1);
			$kill{$who}->();
			$u->drop($rule);
		});
		is join('', map { ref $_ ? $_->{died} : $_ } @got), '', "$who killed $when: no client has a whole wrong answer";
		is back($i), '', 'the next pull works';
	}
}

# --- at random moments
my ($begun, $round, @bad) = (time, 0);
while ($round < $rounds && time - $begun < $seconds) {
	my @i = map { image() } 1 .. 3;
	my $who = (sort keys %kill)[$round++ % keys %kill];
	my @got = run_parallel(6, sub {
		my $i = $i[$_[0] % 3];
		my $m = wrong($s, "/v2/up/$i->{repo}/manifests/1", $i->{digest});
		return $m || join '', map { wrong($s, "/v2/up/$i->{repo}/blobs/$_", $_) } $i->{config}, @{ $i->{layers} };
	}, sub {
		sleep rand 0.15;
		$kill{$who}->();
	});
	push @bad, grep { $_ ne '' } map({ ref $_ ? $_->{died} : $_ } @got), map { back($_) } @i;
}
is join("\n", @bad), '', "$round kills at random moments: nothing is wrong, and each image can be pulled then";
ok wait_for { !spooled($s) }, 'no file of a download stays';
is cached_fault($s), '', 'all that is stored is what its name says';
my $r = run(program('berth'), '--config', $s->config_file, '--root', $s->root, 'fsck');
is $r->{status}, 0, 'fsck finds nothing wrong' or diag "$r->{out}$r->{err}";
done_testing;
