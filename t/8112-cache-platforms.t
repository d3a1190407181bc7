#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# `platforms` of an upstream: of an index that was stored these images are fetched before a client asks for them, a few at a time, once for all, and
# nothing that is here already.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Cache;
use Berth::Metrics;
use Berth::Upstream;

my $u = Berth::Upstream->start;
my $s = mirror(upstreams => [['up', $u, 'platforms = [ "linux/arm64", "linux/arm/v7", "windows/amd64" ];'], ['none', $u]]);
my ($r, $n);

# platform_index - of images for these platforms ("OS/ARCH/VARIANT"), as \@images
sub platform_index
{
	my ($repo, $tag, $images, @platforms) = @_;
	my $text = sprintf '{"schemaVersion":2,"mediaType":"%s","manifests":[%s]}', OCI_INDEX, join ',', map {
		my ($os, $arch, $variant) = split m{/}, $platforms[$_];
		sprintf '{"mediaType":"%s","size":%d,"digest":"%s","platform":{"os":"%s","architecture":"%s"%s}}', $images->[$_]{type}, length $images->[$_]{json}, $images->[$_]{digest}, $os, $arch,
			defined $variant ? ",\"variant\":\"$variant\"" : '';
	} 0 .. $#platforms;

	return $u->manifest($repo, $text, OCI_INDEX, $tag);
}
sub has { my ($repo, $i) = @_; return -e revision_link($s, $repo, $i->{digest}) && !grep { !-e layer_link($s, $repo, $_) } $i->{config}, @{ $i->{layers} } }
sub quiet { return wait_for { my $m = metrics($s->watch('/metrics/relay')->body); !$m->{berth_cache_downloads} && $u->settled && !spooled($s) } }

# --- which images
my @platforms = qw(linux/amd64 linux/arm64/v8 linux/arm/v6 linux/arm/v7 linux/arm linux/s390x windows/amd64 unknown/unknown linux/arm64);
my @i = map { $u->image('team/multi', undef, layers => [random_bytes(50_000), random_bytes(100)], docker => rand() < 0.5) } @platforms;
platform_index('team/multi', '1', \@i, @platforms);
is get_manifest($s, 'up/team/multi', '1')->status, 200, 'an index is asked for';
my @want = grep { $platforms[$_] =~ m{^(?:linux/arm64.*|linux/arm/v7|linux/arm|windows/amd64)$} } 0 .. $#platforms;
ok wait_for(sub { @want == grep { has('up/team/multi', $i[$_]) } @want }), 'the images of the platforms are fetched with all that they name; arm is arm/v7, arm64/v8 is arm64';
ok quiet(), 'and then there is no more to do';
is_deeply [grep { -e revision_link($s, 'up/team/multi', $i[$_]{digest}) } 0 .. $#i], \@want, 'no others are';
is $u->count('GET blob'), 3 * @want, 'each blob once';
is $u->count('GET manifest'), 1 + @want, 'each manifest once';
is +metrics($s->watch('/metrics/relay')->body)->{berth_cache_ahead_total}, 4 * @want, 'and all of it is counted';
$u->forget;
is pull($s, 'up/team/multi', $i[$_]{digest})->{fault}, '', "a pull of $platforms[$_]" for @want;
is $u->count, 0, 'asks upstream for nothing';
is get_manifest($s, 'none/team/multi', '1')->status, 200, 'an upstream without platforms';
ok quiet(), 'is asked';
is $u->count('GET manifest', 'GET blob'), 1, 'for the index alone';
$u->forget;

# --- what is here is not fetched; what clients ask for at the same time is fetched once
my $shared = random_bytes(60_000);
$s->push_image('team/base', '1', layers => [$shared]);
my $image = $u->image('team/shared', undef, layers => [$shared, random_bytes(300_000)]);
platform_index('team/shared', '1', [$image], 'linux/arm64');
my $rule = $u->rule($image->{layers}[1], { hang_at => 150_000 });
get_manifest($s, 'up/team/shared', '1');
ok $u->held(1), 'a blob is on its way';
my @clients = map { get_begin($s, "/v2/up/team/shared/blobs/$image->{layers}[1]") } 1 .. 3;
is get_some($_, 50_000) >= 50_000, 1, 'a client gets what has come so far' for @clients;
$u->drop($rule);
is sha256(get_end($_)->{body}), $image->{layers}[1], 'and the rest' for @clients;
ok wait_for(sub { has('up/team/shared', $image) }), 'the image is here';
is $u->count('GET blob'), 2, 'the layer that the store had was not asked for, and each other one once';

# --- no more than a few at the same time
$u->forget;
my @many = map { $u->image('team/many', undef, layers => [map { random_bytes(2000) } 1 .. 10]) } 1 .. 3;
platform_index('team/many', '1', \@many, ('linux/arm64') x 3);
$rule = $u->rule('^GET .*/blobs/', { hang_at => 10 });
get_manifest($s, 'up/team/many', '1');
ok $u->held(4), 'four are under way';
is $u->count('GET blob'), 4, 'and no more';
$u->drop($rule);
ok wait_for(sub { 3 == grep { has('up/team/many', $_) } @many }), 'the others follow';

# --- failures end nothing but themselves
my @bad = map { $u->image('team/bad', undef, layers => [random_bytes(3000)]) } 1 .. 2;
platform_index('team/bad', '1', \@bad, 'linux/arm64', 'linux/arm/v7');
my @rules = ($u->rule($bad[0]{layers}[0], { flip_at => 5 }), $u->rule("manifests/$bad[1]{digest}", { status => 404 }));
is get_manifest($s, 'up/team/bad', '1')->status, 200, 'an index whose images fail';
ok wait_for(sub { -e layer_link($s, 'up/team/bad', $bad[0]{config}) }), 'the rest of them comes';
ok quiet(), 'and it ends';
ok !-e layer_link($s, 'up/team/bad', $bad[0]{layers}[0]) && !-e revision_link($s, 'up/team/bad', $bad[1]{digest}), 'what is wrong or missing is not stored';
$u->drop(@rules);
is pull($s, 'up/team/bad', $bad[0]{digest})->{fault}, '', 'and is fetched when a client asks for it';
# --- a limit of requests is for clients
my @late = map { $u->image('team/late', undef) } 1 .. 2;
platform_index('team/late', '1', \@late, ('linux/arm64') x 2);
$rule = $u->rule('/manifests/', { headers => { 'ratelimit-limit' => '100;w=21600', 'ratelimit-remaining' => '0;w=21600' } });
$u->forget;
sub ahead { return metrics($s->watch('/metrics/relay')->body)->{berth_cache_ahead_total} }
my $before = ahead();
is get_manifest($s, 'up/team/late', '1')->status, 200, 'upstream says that nothing is left of its limit';
ok wait_for(sub { ahead() == $before + 2 }), 'the images of the index are due';
ok quiet(), 'and over';
is $u->count('GET manifest', 'HEAD manifest'), 1, 'but upstream was not asked for them';
$u->drop($rule);
is get_manifest($s, 'up/team/late', $late[0]{digest})->status, 200, 'a client is worth a try';
my $evil = sprintf '{"schemaVersion":2,"mediaType":"%s","manifests":[{"mediaType":"%s","size":2,"digest":"%s","platform":{"os":"linux","architecture":"arm64"}}]}', OCI_INDEX, OCI_MANIFEST, sha256('{}');
$u->manifest('team/bad', $evil, OCI_INDEX, '2');
is get_manifest($s, 'up/team/bad', '2')->status, 200, 'an index that names what is no manifest';
ok quiet(), 'harms nothing';
is cached_fault($s), '', 'all that is stored is what its name says';
done_testing;
