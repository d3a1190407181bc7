#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Which tags stay by `keep`, each condition by itself and with others; what a dry run says; that a run removes just what it said.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path ();
use Berth::Test;
use Berth::Check;
use Berth::GC;
use Berth::Rules;

my $now = time;

# store - with these rules; image - an image with a tag pushed so many days ago; its digest
sub store { return ruled_store(qq(gc = { grace = "0s"; };\nrules_delay = "0s";\nrules = ( $_[0] );\n)) }
sub image
{
	my ($s, $repo, $tag, $days, $config) = @_;
	my $i = lay_image($s, $repo, $tag, $config // qq({"os":"linux","architecture":"amd64","of":"$repo $tag"}), "layer of $repo $tag");

	pushed_at($s, $repo, $tag, $now - $days * DAY);
	return $i->{digest};
}

# --- the conditions
my $s = store(<<'R');
{ repo = "tag"; keep = ( { tag = "v*"; }, { tag = "rc-[0-9]"; } ); },
{ repo = "newest"; keep = ( { newest = 2; } ); },
{ repo = "pushed"; keep = ( { pushed = "30d"; } ); },
{ repo = "pulled"; keep = ( { pulled = "14d"; } ); },
{ repo = "platform"; keep = ( { platform = "linux/arm64"; }, { platform = "linux/arm/v7"; } ); },
{ repo = "signed"; keep = ( { signed = true; } ); },
{ repo = "unsigned"; keep = ( { signed = false; } ); },
{ repo = "all"; keep = ( { tag = "nightly-*"; newest = 2; pushed = "10d"; } ); },
{ repo = "or"; keep = ( { tag = "v*"; }, { newest = 1; }, { pulled = "14d"; } ); },
{ repo = "none"; keep = (); },
{ repo = "fixed/**"; keep = (); },
{ repo = "fixed/*"; immutable = [ "v*", "stable" ]; },
{ repo = "first"; keep = ( { tag = "a"; } ); },
{ repo = "first"; keep = ( { tag = "b"; } ); }
R
image($s, 'tag', $_, 100) for qw(v1 v1.2 w rc-1 rc-10 V1);
is stays_of($s, 'tag'), 'rc-1 v1 v1.2', 'tags that match a pattern stay';

image($s, 'newest', "t$_", $_) for 1 .. 4;
is stays_of($s, 'newest'), 't1 t2', 'the newest stay, by their push';
image($s, 'newest', "s$_", 0) for 1 .. 3;
pushed_at($s, 'newest', "s$_", $now - 100) for 1 .. 3;
is stays_of($s, 'newest'), 's2 s3', '... of the same time those that are greater in byte order';

image($s, 'pushed', "d$_", $_) for 1, 29, 31;
is stays_of($s, 'pushed'), 'd1 d29', 'what was pushed lately stays';

my %d = map { $_ => image($s, 'pulled', $_, 100) } qw(never old tag digest both);
pulled_at($s, 'pulled', $_, $now - 15 * DAY) for 'old', $d{old}, 'digest', $d{tag};
pulled_at($s, 'pulled', $_, $now - 13 * DAY) for 'tag', $d{digest};
pulled_at($s, 'pulled', 'both', $now - 14 * DAY - HOUR / 2);
is stays_of($s, 'pulled'), 'both digest tag', 'what was pulled lately by tag or by digest stays, an hour more than it says, as a pull is known to the hour';

pulls_noted_since($s, $now - 15 * DAY);
is stays_of($s, 'pulled'), 'both digest tag', '... as long as pulls are noted for longer than that';
pulls_noted_since($s, $now - 13 * DAY);
is stays_of($s, 'pulled'), 'both digest never old tag', 'what was last pulled before pulls were noted counts as pulled at that time';
pulls_noted_since($s, undef);
is stays_of($s, 'pulled'), 'both digest never old tag', '... or now, if nobody knows';
ok !-e $s->root . '/berth/pulled/_since', '... which a dry run does not write down';
pulls_noted_since($s, 1);

my @p = ([arm64 => 'arm64'], [arm64v8 => 'arm64', 'v8'], [v7 => 'arm', 'v7'], [v6 => 'arm', 'v6'], [amd64 => 'amd64']);
image($s, 'platform', $_->[0], 1, sprintf '{"os":"linux","architecture":"%s"%s}', $_->[1], $_->[2] ? qq(,"variant":"$_->[2]") : '') for @p;
image($s, 'platform', 'windows', 1, '{"os":"windows","architecture":"arm64"}');
image($s, 'platform', 'unknown', 1, '{}');
my $child = sub { return desc(OCI_MANIFEST, "child $_[0]", qq(,"platform":{"os":"linux","architecture":"$_[0]"})) };
for my $i (['index-with', 'amd64', 'arm64'], ['index-without', 'amd64', 'riscv64']) {
	my ($tag, @arch) = @$i;
	lay_manifest($s, 'platform', index_of(OCI_INDEX, map { $child->($_) } @arch), $tag);
}
my $helm = '{"schemaVersion":2,"config":' . desc('application/vnd.cncf.helm.config.v1+json', '{"os":"linux","architecture":"arm64"}') . ',"layers":[]}';
lay_manifest($s, 'platform', $helm, 'chart');
is stays_of($s, 'platform'), 'arm64 arm64v8 index-with v7', 'images of a platform stay, and indexes that name one for it; other artifacts have none';
my $lost = image($s, 'platform', 'lost', 1, '{"os":"linux","architecture":"lost"}');
unlink blob_file($s, sha256('{"os":"linux","architecture":"lost"}')) or die;
my $torn = image($s, 'platform', 'torn', 1, '{"os":"linux","architecture":"torn"}');
spew(blob_file($s, $torn), '{"schemaVersion":2,');
is stays_of($s, 'platform'), 'arm64 arm64v8 index-with lost torn v7', '... and so does an image whose manifest or configuration cannot be read';
unlink blob_file($s, image($s, 'platform', 'no-content', 1, '{"os":"linux","architecture":"no content"}')) or die;
spew(revision_link($s, 'platform', image($s, 'platform', 'no-digest', 1, '{"os":"linux","architecture":"no digest"}')), 'no digest');
unlink revision_link($s, 'platform', image($s, 'platform', 'nothing', 1, '{"os":"linux","architecture":"nothing"}')) or die;
is stays_of($s, 'platform'), 'arm64 arm64v8 index-with lost no-content no-digest torn v7', '... or whose manifest has a link and no content, or a link that is none; a tag that points to nothing has no platform';

for my $repo (qw(signed unsigned)) {
	my %i = map { $_ => lay_image($s, $repo, $_, "{\"of\":\"$repo $_\"}", "layer $_") } qw(cosign cosign11 bundle notation sbom plain);
	my $refer = sub {
		my ($to, $type, $as) = @_;
		my $subject = ',"subject":' . desc(OCI_MANIFEST, $i{$to}{bytes});
		my $config = desc($as ? $type : 'application/vnd.oci.empty.v1+json', '{}');

		return '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '"' . ($as ? '' : qq(,"artifactType":"$type")) . qq(,"config":$config,"layers":[]$subject});
	};
	lay_manifest($s, $repo, $refer->('cosign11', 'application/vnd.dev.cosign.artifact.sig.v1+json'));
	lay_manifest($s, $repo, $refer->('bundle', 'application/vnd.dev.sigstore.bundle.v0.3+json'));
	lay_manifest($s, $repo, $refer->('notation', 'application/vnd.cncf.notary.signature', 1));
	lay_manifest($s, $repo, $refer->('sbom', 'application/spdx+json'));
	(my $sig = $i{cosign}{digest}) =~ s/:(.*)/-$1.sig/;
	lay_image($s, $repo, $sig, '{"signature":1}', "signature in $repo");
	(my $att = $i{plain}{digest}) =~ s/:(.*)/-$1.att/;
	lay_image($s, $repo, $att, '{"attestation":1}', "attestation in $repo");
}
my $of_digest = qr/(?: ?sha256-\S+)+/;
is stays_of($s, 'signed') =~ s/$of_digest//r, 'bundle cosign cosign11 notation', 'what a signature refers to stays: cosign with a tag, with a referrer and with a bundle, and notation';
is stays_of($s, 'unsigned') =~ s/$of_digest//r, 'plain sbom', 'with false what has none';

image($s, 'all', "nightly-$_", $_) for 1, 2, 3;
image($s, 'all', 'new', 0);
is stays_of($s, 'all'), 'nightly-1 nightly-2', 'all conditions of an entry have to hold, and the newest are counted among what the others hold for';
pushed_at($s, 'all', "nightly-$_", $now - 20 * DAY + $_) for 1, 2;
is stays_of($s, 'all'), 'nightly-3', '... after those that are too old for another condition';
image($s, 'or', $_, 50) for qw(v1 x y z);
image($s, 'or', 'new', 1);
pulled_at($s, 'or', 'y', $now - DAY);
is stays_of($s, 'or'), 'new v1 y', 'one entry that keeps a tag is enough';
image($s, 'none', $_, 0) for qw(a b);
is stays_of($s, 'none'), '', 'with no entry every tag goes';
image($s, 'fixed/app', $_, 100) for qw(v1 stable test);
is stays_of($s, 'fixed/app'), 'stable v1', 'immutable tags stay';
image($s, 'first', $_, 1) for qw(a b);
is stays_of($s, 'first'), 'a', 'the first rule with keep counts';
image($s, 'other', 'a', 1000);
is stays_of($s, 'other'), '', 'a repository without a rule is not spoken of';

# --- tags of digest scheme
my $r = store('{ repo = "app"; keep = ( { tag = "stays"; } ); }, { repo = "app"; immutable = "sha256*"; }');
my ($stays, $goes) = map { image($r, 'app', $_, 5) } qw(stays goes);
my $gone = sha256('a manifest that is not there');
my %of = map { my $d = $_; (my $t = $d) =~ s/:/-/; ($d => $t) } $stays, $goes, $gone;
image($r, 'app', $of{$_}, 50), image($r, 'app', "$of{$_}.sig", 50) for $stays, $gone;
image($r, 'app', "$of{$goes}.att", 50);
my $long = lay_blob($r, 'app', 'x') && 'sha512-' . 'ab' x 32;
image($r, 'app', "$long.sig", 50);
is stays_of($r, 'app'), join(' ', sort 'stays', $of{$stays}, "$of{$stays}.sig", "$of{$goes}.att"),
	'a tag of digest scheme stays as long as the manifest is there that it speaks of, and no rule says more of it';
lay_file(data_dir($r) . '/repositories/app/_manifests/revisions/sha512/' . 'ab' x 32 . 'cd' x 32 . '/link', 'sha512:' . 'ab' x 32 . 'cd' x 32);
is stays_of($r, 'app'), join(' ', sort 'stays', $of{$stays}, "$of{$stays}.sig", "$of{$goes}.att", "$long.sig"), '... of a sha512 digest by its first half';
pushed_at($r, 'app', "$of{$gone}.sig", $now - HOUR);
spew($r->config_file, content_of($r->config_file) =~ s/grace = "0s"/grace = "2h"/r);
like stays_of($r, 'app'), qr/\Q$of{$gone}.sig\E/, '... and within the grace period it stays, since the manifest may follow';
spew($r->config_file, content_of($r->config_file) =~ s/grace = "2h"/grace = "0s"/r);
my $sigs = store('{ repo = "sigs/**"; keep = ( { tag = "sha256-*.sig"; newest = 1; } ); }, { repo = "**"; keep = ( { newest = 1; } ); }');
for my $repo (qw(sigs/app app)) { image($sigs, $repo, sha256("image $_") =~ s/:/-/r . $_, 50) for '.sig', '.att' }
is stays_of($sigs, 'sigs/app'), sha256('image .sig') =~ s/:/-/r . '.sig', 'a repository of signatures alone keeps those that an entry names';
is stays_of($sigs, 'app'), '', '... and no others';

# --- the words
my $line = rules_ok($r, qw(apply --dry-run), 'a dry run')->{out};
like $line, qr/^app:stays kept by \S+\/berth\.conf:3: tag "stays"$/m, 'it says which entry keeps a tag';
like $line, qr/^app:goes goes because no entry of keep keeps it \(\S+berth\.conf:3\): it does not match tag "stays"; pushed \d{4}-\d\d-\d\dT\S+Z, pulled never$/m, '... or why none does';
like $line, qr/^app:\Q$of{$gone}\E goes because the manifest that it speaks of is not in the repository \(\S+berth\.conf:3\)$/m, '... or that the manifest is gone';
like $line, qr/^app:\Q$of{$stays}\E kept because the manifest that it speaks of is in the repository$/m, '... or not';
like $line, qr/^would remove 3 of 8 tags in 1 repositories, which alone need [1-9]\d+ bytes there\n\z/m, '... and how many tags and bytes would go';
my $w = store('{ repo = "app"; keep = ( { tag = "v*"; newest = 1; }, { pushed = "36h"; }, { pulled = "7d"; }, { platform = "linux/arm64"; } ); immutable = "v0"; }');
image($w, 'app', $_, 3) for qw(v0 v1 v2 w);
pulled_at($w, 'app', 'w', $now - 9 * DAY);
$line = rules_ok($w, qw(apply --dry-run), 'another one')->{out};
like $line, qr/^app:v1 .*: 1 are newer of tag "v\*"; it was not pushed within 36h; it was not pulled within 7d; it is not: platform linux\/arm64; /m, 'for each entry it says what does not hold';
like $line, qr/^app:w .*: it does not match tag "v\*"; .*, pulled \d{4}-\d\d-\d\dT\d\d:00:00Z$/m, '... and when it was pulled, to the hour';
like $line, qr/^app:v0 kept because it is immutable$/m, 'what is immutable';
like $line, qr/^app:v2 kept by \S+berth\.conf:3: tag "v\*", newest 1$/m, 'and all conditions of an entry that keeps a tag';
my ($json) = grep { $_->{tag} eq 'w' } rules_told(rules_ok($w, qw(apply --dry-run --json), 'for a program'));
is_deeply [@$json{qw(kind repository stays rule)}], ['tag', 'app', JSON::PP::false, $w->config_file . ':3'], '--json says the same';
like $json->{$_}, qr/^\d{4}-\d\d-\d\dT\S+Z$/, "... $_" for qw(pushed pulled);

# --- a run
my $before = tags_on_disk($s);
is tags_on_disk($s), $before, 'a dry run removes nothing';
ok !-e $s->root . '/berth/rules', '... and writes nothing';
my %stays = map { $_ => stays_of($s, $_) } qw(tag newest pushed pulled platform signed unsigned all or none fixed/app first);
my $total = rules_total(rules_ok($s, qw(apply --json), 'a run'));
is tags_on_disk($s, $_), $stays{$_}, "of $_ the tags are there that a dry run let stay" for sort keys %stays;
is $total->{removed}, (split(/ /, $before) - split(/ /, tags_on_disk($s))) / 2, 'it says how many it has removed';
is tags_on_disk($s, 'other'), 'a', 'a repository that no rule is for keeps all';
ok last_run($s) >= $now, 'when it ran is written down';
pulls_noted_since($s, undef);
rules_ok($s, 'apply', 'a run where nobody knows since when pulls are noted');
cmp_ok +(stat $s->root . '/berth/pulled/_since')[9] // 0, '>=', $now - 60, '... writes down that it is known from now on';
is rules_total(rules_ok($s, qw(apply --json), 'the next run'))->{removed}, 0, '... finds nothing more';
system 'rm', '-r', data_dir($s) . '/repositories/platform/_manifests/tags/no-digest';
my ($kept) = run(program('berth'), '--root', $s->root, 'fsck')->{out};
unlike $kept, qr/tags?[ -]/, 'and fsck has no complaint of a tag';

# --- one repository, and errors
my $o = store('{ repo = "**"; keep = (); }');
image($o, $_, 'a', 1) for qw(ci/a ci/b rel/a);
is rules_total(rules_ok($o, 'apply', '--json', '--repo', 'ci/**', 'a run for some repositories'))->{removed}, 2, '... removes tags of these';
is tags_on_disk($o), 'rel/a a', '... and no others';
for (['no keep', '{ repo = "**"; quota = "1 GiB"; }', [qw(apply)], 1, qr/^berth: no rule of the configuration says "keep"/],
	['a pattern that is none', '{ repo = "**"; keep = (); }', [qw(apply --repo a//b)], 2, qr/^berth: "a\/\/b" is not a valid pattern/],
	['a word too many', '{ repo = "**"; keep = (); }', [qw(apply now)], 2, qr/^usage: berth .*rules apply/],
	['another verb', '{ repo = "**"; keep = (); }', [qw(do)], 2, qr/^usage: /]) {
	my ($what, $rules, $words, $status, $re) = @$_;
	my $x = rules(store($rules), @$words);
	ok $x->{status} == $status && $x->{err} =~ $re, "$what is refused" or diag("$x->{status} $x->{err}");
}
my $ro = store('{ repo = "**"; keep = (); }');
spew($ro->config_file, "readonly = true;\nrules = ( { repo = \"**\"; keep = (); } );\n");
like rules($ro, 'apply')->{err}, qr/read-only/, 'a read-only registry keeps its tags';

# --- a rule that says readonly keeps manifests, too, whatever says that those without a tag go
$ro = store('{ repo = "fixed/**"; readonly = true; }, { repo = "by-rule"; readonly = true; untagged = "1d"; }');
my %bare = map { $_ => image($ro, $_, 'v1', 100) } qw(fixed/app by-rule other);
File::Path::remove_tree(tag_link($ro, $_, 'v1') =~ s{/current/link\z}{}r) for keys %bare;
my $nothing = lay_blob($ro, 'fixed/app', 'in no manifest');
make_old($ro, 100 * DAY);
like gc_ok($ro, '--untagged', '--dry-run', '--json', 'a dry run')->{out}, qr/\Q$bare{other}\E/, 'would remove one without a tag';
gc_ok($ro, '--untagged', 'a collection that removes manifests without a tag');
is join(' ', grep { -e revision_link($ro, $_, $bare{$_}) } sort keys %bare), 'by-rule fixed/app', '... leaves those of repositories that rules make read-only';
ok -e blob_file($ro, $bare{'fixed/app'}), '... and their bytes';
ok !-e blob_file($ro, $nothing), 'what no manifest names goes there, too';
done_testing;
