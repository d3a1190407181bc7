#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# berth gc in a loop, with a grace of one second, beside clients that push, mount, tag, delete and pull: what was
# acknowledged stays whole, nobody gets 5xx, nobody waits. BERTH_STRESS=180 makes it last 180 seconds.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use List::Util qw(shuffle);
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Check;
use Berth::GC;

plain_build_only('it measures how long requests wait');

my $SECONDS = $ENV{BERTH_STRESS} || 18;
my $CLIENTS = 8;
# The waits of the disk itself are not the collector's: without flushing what is left is locks.
my $s = Berth::Server->start(config => "delete = true;\nfsync = \"off\";\n", workers => 6);
my @pool = map { my $n = $_; join '', map { sha256("$n $_") } 1 .. 20 + 40 * $n } 1 .. 14;

# --- one client ----------------------------------------------------------------------

my (%have, %tag, %n, @fault, $i, $untagged);

sub fault { push @fault, sprintf 'client %d: %s', $i, join ' ', @_; return }

sub ask {
	my ($method, $path, %o) = @_;
	my $r = eval { $s->req($method, $path, %o) };
	if (!$r) {
		fault($method, $path, $@ // '');
		return bless { status => 0, headers => [], body => '', head => '' }, 'Berth::Response';
	}
	fault($method, $path, $r->status, substr $r->body, 0, 200) if $r->status >= 500;
	$n{requests}++;
	return $r;
}

# as docker does: look for it; mount it from where it may be; push it
sub push_part {
	my ($repo, $bytes, $look) = @_;
	my $d = sha256($bytes);
	if ($look) {
		my $st = ask('HEAD', "/v2/$repo/blobs/$d")->status;
		$n{found}++ if $st == 200;
		return if $st == 200;
	}
	my $from = (shuffle('s/one', 's/two', map { "c$_/own" } 0 .. $CLIENTS - 1))[0];
	my $r = ask('POST', "/v2/$repo/blobs/uploads/" . (rand() < 0.7 ? "?mount=$d&from=$from" : ''));
	$n{mounted}++ if $r->status == 201;
	return if $r->status == 201;
	return fault("POST in $repo", $r->status) if $r->status != 202;
	my $loc = path_of($r->header('Location'));
	if (rand() < 0.3) {
		$r = ask('PATCH', $loc, body => $bytes);
		return fault("PATCH in $repo", $r->status) if $r->status != 202;
		$r = ask('PUT', "$loc?digest=$d");
	} else {
		$r = ask('PUT', "$loc?digest=$d", body => $bytes);
	}
	fault("PUT of a blob in $repo", $r->status) if $r->status != 201;
	$n{uploaded}++;
	return;
}

# until it is acknowledged; what was found there may go before the manifest comes, being old: then it says so
sub push_manifest_of {
	my ($repo, $ref, $type, $m, @parts) = @_;
	for my $try (1 .. 8) {
		push_part($repo, $_, $try < 6) for @parts;
		sleep rand 0.1 if rand() < 0.2;
		sleep 1.1 if rand() < 0.02;
		my $r = ask('PUT', "/v2/$repo/manifests/$ref", headers => ['Content-Type' => $type], body => $m);
		return 1 if $r->status == 201;
		return fault("PUT of a manifest in $repo", $r->status, $r->body) if $r->status != 400 || $r->body !~ /MANIFEST_BLOB_UNKNOWN/;
		$n{again}++;
	}
	return fault("a manifest in $repo is refused again and again");
}

sub acknowledged {
	my ($repo, $m, $parts, $tag, $children) = @_;
	my $d = sha256($m);
	$have{"$repo $d"} = { m => $m, parts => $parts, children => $children // [] };
	$tag{"$repo $tag"} = $d if defined $tag;
	return $d;
}

sub push_one {
	my $repo = ("c$i/own", "c$i/own", 's/one', 's/two')[rand 4];
	my @layers = @pool[(shuffle 0 .. $#pool)[0 .. 1 + rand 3]];
	my $config = sprintf '{"c":%d,"n":%d}', $i, rand() < 0.3 ? rand 5 : $n{configs}++;
	push @layers, "only in $config" if rand() < 0.5;
	my $m = image_of(OCI_MANIFEST, $config, @layers);
	my $tag = "c$i-t" . int rand 6;
	my $ref = $untagged || rand() < 0.7 ? $tag : sha256($m);
	push_manifest_of($repo, $ref, OCI_MANIFEST, $m, $config, @layers) or return;
	acknowledged($repo, $m, [$config, @layers], $ref eq $tag ? $tag : undef);
	$n{pushed}++;
	return;
}

# an index of two images, in another index: only the outermost has a tag
sub push_index {
	my $repo = "c$i/multi";
	my (@c, @all);
	for my $k (1, 2) {
		my $config = sprintf '{"c":%d,"index":%d,"k":%d}', $i, rand() < 0.5 ? rand 3 : $n{configs}++, $k;
		my @layers = @pool[(shuffle 0 .. $#pool)[0, 1]];
		my $m = image_of(OCI_MANIFEST, $config, @layers);
		push @c, [$m, $config, @layers];
	}
	my $inner = index_of(OCI_INDEX, map { desc(OCI_MANIFEST, $_->[0]) } @c);
	my $outer = index_of(OCI_INDEX, desc(OCI_INDEX, $inner));
	my $tag = "c$i-m" . int rand 3;
	for my $try (1 .. 8) {
		for (@c) {
			my ($m, @parts) = @$_;
			push_manifest_of($repo, sha256($m), OCI_MANIFEST, $m, @parts) or return;
		}
		my @r = map { my ($ref, $m) = @$_; ask('PUT', "/v2/$repo/manifests/$ref", headers => ['Content-Type' => OCI_INDEX], body => $m)->status }
			[sha256($inner), $inner], [$tag, $outer];
		if ("@r" eq '201 201') {
			acknowledged($repo, $outer, [], $tag, [[$inner], @c]);
			$n{indexes}++;
			return;
		}
		return fault("indexes in $repo", @r) if grep { $_ != 201 && $_ != 400 } @r;
		$n{again}++;
	}
	return fault("an index in $repo is refused again and again");
}

sub fetch_ok {
	my ($repo, $ref, $bytes, $kind) = @_;
	my $r = ask('GET', "/v2/$repo/$kind/$ref");
	fault("GET $repo $kind $ref", $r->status, 'lost') if $r->status != 200 || $r->body ne $bytes;
	return;
}

# all of an image
sub pull {
	my ($key) = @_;
	my ($repo, $d) = split / /, $key;
	my $h = $have{$key} or return fault("no image $key");
	fetch_ok($repo, $d, $h->{m}, 'manifests');
	fetch_ok($repo, sha256($_), $_, 'blobs') for @{ $h->{parts} };
	for my $c (@{ $h->{children} }) {
		my ($m, @parts) = @$c;
		fetch_ok($repo, sha256($m), $m, 'manifests');
		fetch_ok($repo, sha256($_), $_, 'blobs') for @parts;
	}
	$n{pulled}++;
	return;
}

# what must be there: all that was acknowledged and not deleted; with --untagged, of that what has a tag
sub must {
	return sort keys %have if !$untagged;
	my %d = map { my ($repo) = split / /; ("$repo $tag{$_}" => 1) } keys %tag;
	return sort keys %d;
}

sub one_step {
	my $dice = rand;
	my @must = must();
	if ($dice < 0.45 || @must < 3) {
		return rand() < 0.2 ? push_index() : push_one();
	} elsif ($dice < 0.65) {
		return pull($must[rand @must]);
	} elsif ($dice < 0.78) {
		# a tag is set anew on what is there
		my $key = $must[rand @must];
		my ($repo, $d) = split / /, $key;
		my $h = $have{$key};
		return if @{ $h->{children} };
		my $tag = "c$i-t" . int rand 6;
		push_manifest_of($repo, $tag, OCI_MANIFEST, $h->{m}, @{ $h->{parts} }) and $tag{"$repo $tag"} = $d;
		$n{tagged}++;
	} elsif ($dice < 0.9) {
		my ($key) = grep { !@{ $have{$_}{children} } } shuffle @must or return;
		my ($repo, $d) = split / /, $key;
		my $r = ask('DELETE', "/v2/$repo/manifests/$d");
		fault("DELETE $repo $d", $r->status) if $r->status != 202;
		delete $have{$key};
		delete @tag{ grep { /^\Q$repo\E / && $tag{$_} eq $d } keys %tag };
		$n{deleted}++;
	} else {
		my @tags = sort keys %tag or return;
		my $key = $tags[rand @tags];
		my ($repo, $t) = split / /, $key;
		my $r = ask('DELETE', "/v2/$repo/manifests/$t");
		fault("DELETE $repo $t", $r->status) if $r->status != 202;
		delete $tag{$key};
		$n{untagged}++;
	}
	return;
}

sub client {
	my ($until) = @_;
	(%have, %tag, %n) = ();
	@fault = ();
	$n{$_} = 0 for qw(configs requests pushed pulled deleted mounted found uploaded again tagged untagged indexes);
	srand $i * 7919 + $until;
	for (my $steps = 0; (time < $until || $steps < 100) && @fault < 5; $steps++) {
		one_step();
	}
	for my $key (must()) {
		pull($key);
	}
	for my $t (sort keys %tag) {
		my ($repo, $name) = split / /, $t;
		fetch_ok($repo, $name, $have{"$repo $tag{$t}"}{m}, 'manifests');
	}
	return { fault => [@fault], n => {%n}, have => [map { my ($repo) = split / /; [$repo, $have{$_}] } must()], tags => {%tag} };
}

# collect - one collection after the other until then; what they did
sub collect {
	my ($until, @o) = @_;
	my %sum = (runs => 0, links => 0, blobs => 0, manifests => 0, bad => []);
	for (my $more = 0; time < $until || ($sum{blobs} <= 5 && $more < 60); $more += time >= $until) {
		my $r = gc($s, '--json', '--grace', '1s', @o);
		if ($r->{status} || $r->{err} ne '') {
			push @{ $sum{bad} }, "$r->{status} $r->{err}";
			next;
		}
		my $t = gc_total($r);
		$sum{runs}++;
		$sum{$_} += $t->{$_} for qw(links blobs manifests);
	}
	return \%sum;
}

# --- without and with --untagged -------------------------------------------------------

for my $phase (['', 0.6 * $SECONDS], ['--untagged', 0.4 * $SECONDS]) {
	my ($option, $seconds) = @$phase;
	my $title = 'berth gc --grace 1s' . ($option && " $option");
	$untagged = $option ne '';
	my $until = time + $seconds;
	my @all = run_parallel($CLIENTS + 1, sub {
		($i) = @_;
		return $i == $CLIENTS ? collect($until, $option || ()) : client($until);
	});
	my $gc = pop @all;
	is join('; ', map { $_->{died} // () } @all, $gc), '', "$title: every client came to its end";
	is join("\n", map { @{ $_->{fault} // [] } } @all), '', "$title beside $CLIENTS clients: nothing acknowledged is lost, nobody gets 5xx";
	is join("\n", @{ $gc->{bad} // [] }), '', 'every collection ends with 0';
	cmp_ok $gc->{runs} // 0, '>=', 1, 'there was one at least';
	cmp_ok $gc->{blobs} // 0, '>', 5, 'and they took something away';
	my %sum;
	for my $c (@all) {
		$sum{$_} += $c->{n}{$_} for keys %{ $c->{n} };
	}
	cmp_ok $sum{$_} // 0, '>', 0, "the clients had something $_" for qw(pushed pulled deleted mounted found indexes tagged untagged);
	diag("$title: $gc->{runs} runs took $gc->{links} links, $gc->{blobs} blobs, $gc->{manifests} manifests; " . join ', ', map { "$_ $sum{$_}" } sort keys %sum);

	# nobody is at it any more: all of it once again, and after one more collection
	for my $when ('afterwards', 'after one more collection') {
		my @bad = run_parallel(2, sub {
			my ($half) = @_;
			my @mine = grep { $_ % 2 == $half } 0 .. $#all;
			@fault = ();
			for my $c (@all[@mine]) {
				for my $h (@{ $c->{have} }) {
					my ($repo, $x) = @$h;
					for my $m ([$x->{m}, @{ $x->{parts} }], @{ $x->{children} }) {
						my ($text, @parts) = @$m;
						fault("$repo lost " . sha256($text)) if (content_of(revision_link($s, $repo, sha256($text))) // '') ne sha256($text) || (content_of(blob_file($s, sha256($text))) // '') ne $text;
						fault("$repo lost a part of " . sha256($text)) for grep { (content_of(layer_link($s, $repo, sha256($_))) // '') ne sha256($_) || (content_of(blob_file($s, sha256($_))) // '') ne $_ } @parts;
					}
				}
				for my $t (sort keys %{ $c->{tags} }) {
					my ($repo, $name) = split / /, $t;
					fault("$repo lost the tag $name") if (content_of(tag_link($s, $repo, $name)) // '') ne $c->{tags}{$t};
				}
			}
			return [@fault];
		});
		is join("\n", map { ref eq 'ARRAY' ? @$_ : $_->{died} } @bad), '', "$title: $when every image that was acknowledged and not deleted is whole";
		make_old($s, 2);
		gc_ok($s, '--grace', '1s', $option || (), 'a collection of a store at rest') if $when eq 'afterwards';
	}
}

my @events = grep { ($_->{event} // '') eq 'request' } $s->log_events;
is scalar(grep { $_->{status} >= 500 } @events), 0, 'no request ended with 5xx';
my $slowest = (sort { $b->{ms} <=> $a->{ms} } @events)[0];
# The collector's own time is in no event: where the machine holds it up once, in a batch, all wait at that moment.
my @long = lock_faults($CLIENTS + 1, @events);
is join("\n", @long > 1 ? @long : ()), '', 'nobody waited for a lock for longer than all of them need by themselves';
diag(sprintf '%d requests, the slowest took %.0f ms', scalar @events, $slowest->{ms});
is join(' ', grep { !/^(?:reserve|last$)/ } files_below($s->root . '/berth/gc')), '', 'no run is left behind';
is leftovers($s), '', 'nothing is left in body, tmp and trash';

done_testing;
