# SPDX-License-Identifier: Apache-2.0
#
# Berth::Together: what several machines on one volume have to keep, whatever file system it is. Collections are the second machine's, and deaths
# are, too, unless others are named.
#
#   my $m = together('moosefs', machines => 3, programs => [...]);     # options as for Berth::Machines; two machines unless told otherwise.
#                                                   # clients: of each machine (4)
#   pushes_and_pulls;                               # a push to one is seen by the others at once
#   removes_and_renames;                            # and so is what happens to a repository
#   my %of = requests_of(sub { ... });              # what pulls, a blob and pushes cost, as a function that counts all requests until now says
#   crowd_on_all(20);                               # clients on all for so many seconds, collections beside them
#   beside_a_collector(60);                         # clients on all but the second machine, and collections on that, one after the other
#   death_of('a death', 100, sub {                  # the same, and something happens to the second machine in the middle
#           dies(sub { $m->kill_machine(2) });
#           diag(went_on);
#           comes_back;
#   });
#   death_of('two deaths', 100, sub { ... dies(sub { $m->kill_client(3) }, 3); ... comes_back(3) }, 2, 3);    # or to these
#   together_stop;                                  # then together() may begin anew
#   together_end;                                   # the same, and the end of the test
package Berth::Together;

use strict;
use warnings;

use Exporter qw(import);
use Time::HiRes qw(sleep);

use Berth::Check qw(is_garbage);
use Berth::Crowd;
use Berth::Machines;
use Berth::Registers;
use Berth::Test;

our @EXPORT = qw(together pushes_and_pulls removes_and_renames requests_of crowd_on_all beside_a_collector death_of dies comes_back serves_again went_on
	together_stop together_end);

my ($m, @servers, @victims, $clients, $slots, @berth, @history);

sub together
{
	my ($fs, %o) = @_;

	my $each = delete $o{clients} // 4;
	plain_build_only('a volume on a network, and what it takes to look at each answer, are slow enough');
	$m = Berth::Machines->start($fs, machines => 2, config => "delete = true;\n", %o);
	@servers = $m->servers;
	@history = ();
	@victims = (2);
	$clients = $each * @servers;
	$slots = tmp_dir();
	@berth = (program('berth'), '--config', $m->{config}, '--root', $m->root);
	return $m;
}

sub pushes_and_pulls
{
	for my $i (0 .. 5) {
		my ($to, @from) = @servers[map { ($i + $_) % @servers } 0 .. $#servers];
		$to->push_image('to/and/fro', "v$i", layers => ["layer of image $i", 'a common layer']);
		for my $from (@from) {
			is($from->req(GET => "/v2/to/and/fro/manifests/v$i")->status, 200, "image $i, pushed to one machine, is at once on another");
			my @lists = map { $_->req(GET => '/v2/to/and/fro/tags/list')->json->{tags} } $from, $to;
			is("@{ $lists[0] }", join(' ', map { "v$_" } 0 .. $i), 'and in its list of tags');
			is("@{ $lists[1] }", "@{ $lists[0] }", 'which is the same on both');
			is($from->req(GET => '/v2/to/and/fro/blobs/' . sha256("layer of image $i"))->body, "layer of image $i", 'and so are its bytes');
		}
	}
	is($servers[0]->req(DELETE => '/v2/to/and/fro/manifests/v3')->status, 202, 'a tag is deleted on one machine');
	is($_->req(GET => '/v2/to/and/fro/manifests/v3')->status, 404, 'and is gone on another') for @servers[1 .. $#servers];
	my $upload = $servers[0]->req(POST => '/v2/to/and/fro/blobs/uploads/')->header('Location');
	for my $i (0 .. 3) {
		is($servers[$i % @servers]->req(PATCH => $upload, body => "piece $i;")->status, 202, "chunk $i of an upload goes to machine " . ($i % @servers + 1));
	}
	my $whole = join '', map { "piece $_;" } 0 .. 3;
	is($servers[1]->req(PUT => "$upload&digest=" . sha256($whole))->status, 201, 'and all of them together are the blob');
	# nginx has a body open a little longer than it takes to acknowledge it.
	my @seen = map { size_elsewhere(@servers[$_ % @servers, ($_ + 1) % @servers]) } 1 .. 20;
	is("@seen", join(' ', (16384) x 20), 'what one machine has acknowledged of an upload another one has at once');
	return;
}

# others - the machines to which nothing happens
sub others
{
	my %victim = map { $_ => 1 } @victims;

	return @servers[grep { !$victim{ $_ + 1 } } 0 .. $#servers];
}

# points_to - the digest of the manifest that the first machine has under a tag, asked of each of its workers, or the status
sub points_to
{
	my ($repo, $tag) = @_;
	my %is;

	for (1 .. 8) {
		my $r = $servers[0]->req(GET => "/v2/$repo/manifests/$tag");
		$is{ $r->status == 200 ? sha256($r->body) : $r->status }++;
	}
	return join ' ', sort keys %is;
}

sub removes_and_renames
{
	for my $round (1 .. 3) {
		my ($is) = $servers[1]->push_image('round/one', 'v1', layers => ["round $round"]);
		is(points_to('round/one', 'v1'), $is, "round $round: a repository is known to the first machine");
		is($m->run_in(2, @berth, 'repo', 'mv', 'round/one', 'round/other')->{status}, 0, '... and renamed on the second');
		is(points_to('round/one', 'v1'), 404, '... so nothing has the old name');
		is(points_to('round/other', 'v1'), $is, '... and all has the new one');
		my ($then) = $servers[1]->push_image('round/other', 'v1', layers => ["round $round, once more"]);
		is(points_to('round/one', 'v1') . points_to('round/other', 'v1'), "404$then", '... where a push goes then');
		is($m->run_in(2, @berth, 'repo', 'rm', 'round/other')->{status}, 0, '... it is removed on the second');
		is(points_to('round/other', 'v1'), 404, '... and gone');
	}
	return;
}

# size_elsewhere - a chunk goes to one machine: how long the upload is on the other
sub size_elsewhere
{
	my ($to, $from) = @_;
	my $upload = $to->req(POST => '/v2/to/and/fro/blobs/uploads/')->header('Location');

	$to->req(PATCH => $upload, body => 'a' x 16384)->status == 202 or die "PATCH";
	my ($last) = ($from->req(GET => $upload)->header('Range') // '') =~ /^0-(\d+)$/;
	$from->req(DELETE => $upload);
	return ($last // -1) + 1;
}

# asked - how many requests one call of the code makes when everything is warm: of some calls the one that made the fewest. What says every
# two seconds that the machine serves stands still meanwhile. Looking costs some, too: as many as it mostly does, unless it is free.
sub asked
{
	my ($count, $free, $calls, $code) = @_;
	my ($least, $n, @looking) = (undef, 0);
	my ($beat) = grep { Berth::Server::comm($_) eq 'berth-beat' } $m->processes_of(1);

	$code->($n++) for 1 .. $calls;
	for (1 .. $calls) {
		kill STOP => $beat;
		wait_for { slurp("/proc/$beat/stat") =~ /^\d+ \(.*\) T /s };
		my $begin = $count->();
		my $looked = $count->();
		$code->($n++);
		my $is = $count->() - $looked;
		kill CONT => $beat;
		push @looking, $looked - $begin;
		$least = $is if !defined $least || $is < $least;
	}
	@looking = sort { $a <=> $b } @looking;
	return $free ? $least : $least - $looking[@looking / 2];
}

# by_post - an image of three layers, as it is pushed with a request for each blob
sub by_post
{
	my ($tag) = @_;
	my @parts = map { "part $_ of $tag" } 1 .. 4;

	for my $bytes (@parts) {
		my $r = $servers[0]->req(POST => '/v2/to/and/fro/blobs/uploads/?digest=' . sha256($bytes), body => $bytes);
		die $r->as_string if $r->status != 201;
	}
	my ($json, $type) = $servers[0]->image_manifest(config => shift @parts, layers => \@parts);
	my $r = $servers[0]->push_manifest('to/and/fro', $tag, $json, $type);
	die $r->as_string if $r->status != 201;
	return;
}

# requests_of - on the first machine; free: that nothing is counted when $count is called
sub requests_of
{
	my ($count, %o) = @_;
	my $digest = $servers[0]->req(GET => '/v2/to/and/fro/manifests/v1')->header('Docker-Content-Digest');
	my %of = (
		'a manifest by its tag' => asked($count, $o{free}, 12, sub { $servers[0]->req(GET => '/v2/to/and/fro/manifests/v1') }),
		'a manifest by its digest' => asked($count, $o{free}, 12, sub { $servers[0]->req(GET => "/v2/to/and/fro/manifests/$digest") }),
		'a blob' => asked($count, $o{free}, 12, sub { $servers[0]->req(GET => '/v2/to/and/fro/blobs/' . sha256('a common layer')) }),
		'an image of 3 layers' => asked($count, $o{free}, 4, sub { my ($i) = @_; by_post("new$i") }),
	);

	diag('requests to the file system: ' . join ', ', map { "$_: $of{$_}" } sort keys %of);
	return %of;
}

# crowd - clients on all machines for so long, with something else meanwhile: the history, how many requests had no answer, and how many
# were refused by a machine to which nothing happened
sub crowd
{
	my ($what, $seconds, $meanwhile, %o) = @_;
	my $crowd = Berth::Crowd->new(servers => \@servers, slots => $slots, until => crowd_now() + $seconds, most => 1000, even => 1, %o);
	my @all = run_parallel($clients, sub { return $crowd->client($_[0]) }, $meanwhile);
	my ($unanswered, $refused) = (0, 0);

	$unanswered += $_->{unanswered} // 0, $refused += $_->{refused} // 0 for @all;
	is(join('; ', map { $_->{died} // () } @all), '', "$what: every client came to its end");
	my @faults = map { @{ $_->{fault} // [] } } @all;
	is(join("\n", @faults), '', '... with answers that the contract has') or diag(said_of(@faults));
	return ([map { @{ $_->{history} // [] } } @all], $unanswered, $refused);
}

# said_of - what the machines have logged of the requests that these answers name by their ids
sub said_of
{
	my %id = map { $_ => 1 } map { /"detail":"([0-9a-f]{32})"/g } @_;
	my @lines;

	for my $machine (1 .. @servers) {
		push @lines, map { "machine $machine: $_" } grep { /"request_id":"([0-9a-f]+)"/ && $id{$1} } split /\n/, $m->log_of("serve$machine");
	}
	return join "\n", @lines;
}

# judge - all that was asked until now: what the crowd before has left is what this one has begun with
sub judge
{
	my ($what, $history) = @_;
	my $rest = Berth::Crowd->new(servers => \@servers, slots => $slots)->at_rest($clients);

	is(join("\n", @{ $rest->{fault} }), '', "$what: all of it can be read when nobody writes any more");
	push @history, @$history, @{ $rest->{history} };
	my @faults = history_faults(\@history, tags => \@crowd_tags, there => ['to/and/fro', @crowd_repos]);
	is(join("\n", @faults[0 .. (@faults > 2 ? 1 : $#faults)]), '', '... and every answer could have been given one after the other');
	my $r = $m->run_in(1, @berth, 'fsck', '--data', '--json');
	my @found = grep { !/^\{"kind":"([^"]+)"/ || $1 ne 'summary' && !is_garbage($1) } split /\n/, $r->{out};
	is(join("\n", @found), '', '... and fsck --data finds the store whole, but for what pushes left that were not acknowledged');
	cmp_ok($r->{status}, '<=', 1, '... and looks at all of it') or diag($r->{err});
	return;
}

sub crowd_on_all
{
	my ($seconds) = @_;
	my @gc;

	$servers[0]->push_blob($_, $crowd_layers[0]) for @crowd_repos;
	my ($history) = crowd('a crowd', $seconds, sub {
		sleep $seconds / 4;
		push @gc, $m->run_in(2, @berth, 'gc', '--grace', '1s') for 1 .. 2;
	}, cut_off => {});
	is(join(' ', map { "$_->{status}$_->{err}" } @gc), '0 0', 'collections on one of them end well');
	diag(scalar(@$history) . ' requests');
	judge('a crowd', $history);
	return;
}

sub beside_a_collector
{
	my ($seconds) = @_;
	my @gc;

	$servers[0]->push_blob($_, $crowd_layers[0]) for @crowd_repos;
	$servers[0]->push_blob('to/and/fro', "what nobody names, $_") for 1 .. 20;
	sleep 2;        # older than the grace period
	my $until = crowd_now() + $seconds;

	my ($history) = crowd('a collector elsewhere', $seconds, sub {
		push @gc, $m->run_in(2, @berth, 'gc', '--grace', '1s', '--json') while crowd_now() < $until;
	}, servers => [others], cut_off => {});
	my $removed = grep { $_->{out} =~ /"kind":"blob"/ } @gc;
	is(join(' ', map { $_->{err} } grep { $_->{status} } @gc), '', 'collections on a machine where nobody writes end well');
	cmp_ok($removed, '>', 0, "$removed of " . @gc . ' collections removed content, beside ' . @$history . ' requests elsewhere');
	judge('a collector elsewhere', $history);
	return;
}

# dies - what ends a machine, or its client of the file system. What it is asked from then on it does not do.
sub dies
{
	my ($kill, $number) = @_;

	$kill->();
	spew("$slots/dead" . (($number // 2) - 1), crowd_now());
	return;
}

# comes_back - it may do what it is asked from the moment at which it is started, long before this is known to be so
sub comes_back
{
	my $number = $_[0] // 2;

	unlink "$slots/dead" . ($number - 1);
	return ok($m->come_back($number), 'it comes back') || diag($m->logs);
}

# serves_again - wait until a machine, the second one unless another is named, answers as before
sub serves_again
{
	my ($number) = @_;
	my $server = $servers[($number // 2) - 1];

	return wait_for { my $r = eval { $server->req(GET => '/v2/to/and/fro/manifests/v1') }; $r && $r->status == 200 };
}

# went_on - wait until a push to each of the repositories succeeds on each machine to which nothing happens: each has a lock that a dead one may
# have had. The seconds, or words that it does not: then something that is only silent keeps its locks.
sub went_on
{
	my $died = crowd_now();

	for my $repo (@crowd_repos) {
		for my $s (others) {
			my $there = wait_for { eval { $s->push_image($repo, undef, layers => ['after a death'], config => '{}') } };
			return 'not in two minutes' if !$there;
		}
	}
	return sprintf '%.1f', crowd_now() - $died;
}

# death_of - a crowd on all, during which something happens to the second one, or to those that are named, which have to serve again in the end
sub death_of
{
	my ($what, $seconds, $happens, @numbers) = @_;

	@victims = @numbers ? @numbers : (2);
	my ($then, $unanswered, $refused) = crowd($what, $seconds, $happens, cut_off => { map { $_ - 1 => 1 } @victims }, limit => 60);

	diag("$what: " . @$then . " requests, $unanswered without an answer, $refused refused by what lived");
	cmp_ok(scalar(grep { $_->{do} eq 'put' && $_->{status} eq '201' } @$then), '>', 0, 'there were pushes beside it');
	judge($what, $then);
	return;
}

sub together_stop
{
	$m->stop;
	return is($m->{status}, 0, 'all of it ends in order');
}

sub together_end
{
	together_stop();
	done_testing();
	return;
}

1;
