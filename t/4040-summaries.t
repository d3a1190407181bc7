#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The summary of a repository's tags says what the links say: after pushes, moves, deletes, referrers, restores and kills, in one epoch and the next.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Time::HiRes ();
use Berth::Test;
use Berth::Auth;
use Berth::Check;
use Berth::GC;

my $json = JSON::PP->new->canonical->utf8;
my $s = Berth::Server->start(config => "delete = true; undo = \"1d\";\n", workers => 3);
my $repo = 'team/app';
my $summary = $s->root . "/berth/index/$repo/_summary";
my $seed = $ENV{SEED} // int rand 2**31;
srand $seed;
note "SEED=$seed";

my @images = map { my $c = qq({"os":"linux","architecture":"a$_","created":"2025-01-0${_}T00:00:00Z"}); [$c, image_of(OCI_MANIFEST, $c, 'layer')] } 1 .. 6;
my $prepare = sub { $s->push_blob($repo, $_) for 'layer', '{}', 'ref', map { $_->[0] } @images };
$prepare->();
my @types = ('application/vnd.cncf.notary.signature', 'application/spdx+json', 'application/vnd.in-toto+json', 'application/x-mine');
sub referrer { my ($of, $i) = @_; return $json->encode({ %{ JSON::PP::decode_json(image_of(OCI_MANIFEST, '{}', 'ref')) }, artifactType => $types[$i % 4], annotations => { i => "$i" }, subject => JSON::PP::decode_json(desc(OCI_MANIFEST, $of)) }) }

sub ask { return answered($s, @_) }
# list - all tags by the API, in pages
sub list { my ($query, $n) = @_; return all_pages($s, "/berth/v1/repos/$repo/tags?$query&n=$n", 'tags') }

# truth - the same by the links, and by what the registry itself says
sub truth
{
	my %row;
	my $tags = data_dir($s) . "/repositories/$repo/_manifests/tags";

	for my $t (grep { -f "$tags/$_/current/link" } map { s{.*/}{}r } glob "$tags/*") {
		my $d = slurp("$tags/$t/current/link");
		my ($pushed) = sort { $b cmp $a } map { /pushed-([0-9a-f]+)$/ ? $1 : () } glob "$tags/$t/current/*";
		# of a tag that another registry has set it is the link's time
		$pushed //= sprintf '%016x', 1_000_000 * (Time::HiRes::stat("$tags/$t/current/link"))[9];
		my %count = (signature => 0, sbom => 0, attestation => 0);
		for my $m (@{ ask("/v2/$repo/referrers/$d")->json->{manifests} }) {
			my $type = $m->{artifactType};
			$count{ $type =~ /notary/ ? 'signature' : $type =~ /spdx/ ? 'sbom' : $type =~ /in-toto/ ? 'attestation' : 'other' }++;
		}
		my ($i) = grep { sha256($images[$_][1]) eq $d } 0 .. $#images;
		$row{$t} = [$pushed, join ' ', $t, $d, defined $i ? 'linux/a' . ($i + 1) : '-', @count{qw(signature sbom attestation)}];
	}
	return \%row;
}
sub text { my ($r) = @_; return join ' ', $r->{tag}, $r->{digest}, $r->{platforms} ? @{ $r->{platforms} } : '-', @$r{qw(signatures sboms attestations)} }

sub agree
{
	my ($what) = @_;
	my $is = truth();
	my @names = sort keys %$is;
	my @pushed = sort { $is->{$b}[0] cmp $is->{$a}[0] || $b cmp $a } @names;

	is join("\n", map { text($_) } list('sort=name', 7)), join("\n", map { $is->{$_}[1] } @names), "$what: by name";
	is join("\n", map { text($_) } list('sort=name&order=desc', 100)), join("\n", map { $is->{$_}[1] } reverse @names), "$what: from the end";
	is join(' ', map { $_->{tag} } list('sort=pushed', 9)), "@pushed", "$what: by push";
	is join(' ', map { $_->{tag} } list('sort=pushed&order=asc', 50)), join(' ', reverse @pushed), "$what: the first one first";
	is $s->req(GET => "/berth/v1/repos/$repo/tags?n=1")->json->{total}, scalar(@names), "$what: how many";
	my ($row) = grep { $_->{name} eq $repo } @{ $s->req(GET => '/berth/v1/repos')->json->{repos} };
	is join(' ', map { $_ // '-' } @$row{qw(tags newest)}), join(' ', scalar(@names), $pushed[0] // '-'), "$what: and of the repository";
	return;
}

my $n = 0;
my @undone;
# something - one random change; its answer does not matter
sub something
{
	my $i = int rand 6;
	my ($image, $tag) = ($images[$i][1], 't' . int rand 60);
	my $what = int rand 20;

	return $s->req(PUT => "/v2/$repo/manifests/$tag", body => $image, headers => ['Content-Type' => OCI_MANIFEST]) if $what < 10;
	return $s->req(DELETE => "/v2/$repo/manifests/$tag") if $what < 13;
	if ($what < 17) {
		my $r = referrer($image, int rand 12);
		return $s->req(PUT => "/v2/$repo/manifests/" . sha256($r), body => $r, headers => ['Content-Type' => OCI_MANIFEST]) if $what < 16;
		return $s->req(DELETE => "/v2/$repo/manifests/" . sha256($r));
	}
	return $s->req(POST => "/berth/v1/repos/$repo/tags:delete", body => $json->encode({ tags => [map { "t$_" } int rand 60, int rand 60, int rand 60] })) if $what == 17;
	return $s->req(POST => "/berth/v1/repos/$repo/tags:restore", body => $json->encode({ tags => [{ tag => $tag }] })) if $what == 18;
	return $s->req(DELETE => "/v2/$repo/manifests/" . sha256($image));
}

agree('no tags');
for my $round (1 .. 4) {
	something() for 1 .. 60;
	agree("changes, $round");
	ok -f $summary, 'by a summary';
}

# many at once, and workers that are killed meanwhile
for my $round (1 .. 5) {
	my @pids;
	for (1 .. 3) {
		my $pid = fork // die;
		if (!$pid) {
			srand($seed + ++$n * 1000 + $_ + $round * 100);
			my $until = 40;
			eval { something() } while $until--;
			require POSIX;
			POSIX::_exit(0);
		}
		push @pids, $pid;
	}
	for (1 .. 3) {
		select undef, undef, undef, 0.02 + rand 0.05;
		$s->kill_workers('KILL');
	}
	waitpid $_, 0 for @pids;
	wait_for { eval { $prepare->(); 1 } };
	agree("kills, $round");
}

# cut in the middle of a change, by hand: what a kill there leaves
{
	unlink $summary or die;
	list('sort=name', 100);         # made anew: the push does not do that, which it may by chance where the file has grown
	my $whole = slurp($summary);
	$s->req(PUT => "/v2/$repo/manifests/cut", body => $images[0][1], headers => ['Content-Type' => OCI_MANIFEST]);
	my $more = substr slurp($summary), length $whole;
	is substr(slurp($summary), 0, length $whole), $whole, 'a push adds to the file';
	for my $keep (grep { $_ > index($more, " ;\n") + 2 } 0 .. length $more) {
		spew($summary, $whole . substr $more, 0, $keep);
		my @is = grep { $_->{tag} eq 'cut' } list('sort=name&q=cut', 1);
		is text($is[0]), truth()->{cut}[1], "with $keep bytes of what a push has added the tag is right" if $keep % 37 == 0 || @is != 1;
	}
	agree('cut');
}

# it is written anew before it is long
for my $i (1 .. 300) {
	$s->req(PUT => "/v2/$repo/manifests/grow" . $i % 5, body => $images[$i % 6][1], headers => ['Content-Type' => OCI_MANIFEST]);
}
cmp_ok -s $summary, '<', 60000, 'a file that has grown is written anew';
agree('long');

# what is not there, is corrupt, or of another epoch
unlink $summary or die;
agree('without a file');
ok -f $summary, 'there is one again';
spew($summary, 'berth-summary 1 nothing');
agree('a file that is none');
$s->restart;
agree('another epoch');
my $tags = data_dir($s) . "/repositories/$repo/_manifests/tags";
$s->stop_workers;
lay_tag($s, $repo, 'foreign', sha256($images[2][1]));
$s->start_workers;
agree('what another registry has written meanwhile');
run_ok(program('berth'), '--config', $s->config_file, '--root', $s->root, 'index', 'rebuild', 'the index is made again');
agree('rebuilt');
$s->req(POST => "/berth/v1/repos/$repo/tags:delete", body => '{"filter":{"pattern":"*"}}');
agree('all gone');
run_ok(program('berth'), '--config', $s->config_file, '--root', $s->root, 'repo', 'rm', $repo, 'the repository goes');
ok !-f $summary, 'with its summary';
$prepare->();
$s->push_manifest($repo, 'again', $images[0][1], OCI_MANIFEST);
agree('and comes again');
$s->stop;

# who has pushed
{
	my $dir = tmp_dir();
	spew("$dir/htpasswd", htpasswd(anna => 'pw', 'o;w n' => 'pw'));
	my $a = Berth::Server->start(config => "auth = { htpasswd = \"$dir/htpasswd\"; access = ( { who = [ \"anna\", \"o;w n\" ]; repo = \"**\"; may = [ \"pull\", \"push\" ]; } ); };\n", workers => 1);
	for my $user ('anna', 'o;w n') {
		my @h = basic($user, 'pw');
		$a->req(POST => '/v2/r/blobs/uploads/?digest=' . sha256($_), body => $_, headers => \@h) for 'layer', $images[0][0];
		is $a->req(PUT => '/v2/r/manifests/' . ($user eq 'anna' ? 'a' : 'o'), body => $images[0][1], headers => ['Content-Type' => OCI_MANIFEST, @h])->status, 201, "a push of $user";
	}
	my $by = sub { return join ',', map { $_->{by} // '-' } @{ $a->req(GET => '/berth/v1/repos/r/tags?sort=name', headers => [basic('anna', 'pw')])->json->{tags} } };
	like $by->(), qr/o;w n/, 'who pushed a tag is known, whatever the name';
	my $was = $by->();
	$a->restart;
	is $by->(), $was, 'and still after a restart';
	$a->stop;
}
done_testing;
