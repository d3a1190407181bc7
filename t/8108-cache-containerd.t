#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# containerd pulls through mirrors as its hosts.toml has them, which name the upstream by ns: from two upstreams at once, also when these are away; and goes on to the next
# host where a mirror has nothing to say.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path);
use Berth::Cache;
use Berth::Check;
use Berth::Client;
use Berth::Test;
use Berth::Upstream;

need_program('containerd', 'ctr');
my $dir = tmp_dir();
my %u = map { ($_ => Berth::Upstream->start) } 'docker.io', 'other.example';
my $s = mirror(upstreams => [map { [$_, $u{$_}, 'missing = "1s";'] } sort keys %u], more => "own = [ \"registry.example\" ];\n");

# An image as real ones are: ctr looks into its config.
sub image
{
	my ($u, $repo, $tag, $arch) = @_;
	my ($gz, $tar) = tar_layer(hello => $repo . ($tag // "") . "\n", data => random_bytes(50_000));

	return $u->image($repo, $tag, layers => [$gz], config => json({ architecture => $arch // 'amd64', os => 'linux', rootfs => { type => 'layers', diff_ids => [sha256($tar)] } }));
}
my $app = image($u{'docker.io'}, 'library/app', '1');
my $multi = $u{'docker.io'}->index('some/multi', '1', map { image($u{'docker.io'}, 'some/multi', undef, $_) } qw(amd64 arm64));
my $else = image($u{'other.example'}, 'team/app', '1');
for my $ns (keys %u, 'unknown.example', 'registry.example') {
	make_path("$dir/hosts/$ns");
	spew("$dir/hosts/$ns/hosts.toml", "server = \"http://127.0.0.1:1\"\n[host.\"@{[ $s->url ]}\"]\ncapabilities = [\"pull\", \"resolve\"]\n");
}
sub fetch { return run(ctr('content', 'fetch', '--hosts-dir', "$dir/hosts", '--all-platforms', $_[0])) }
sub forget { run(ctr('images', 'rm', '--sync', $_)) for split /\n/, run(ctr('images', 'ls', '-q'))->{out}; return }
sub content { my %h = map { ($_ => 1) } split /\n/, run(ctr('content', 'ls', '-q'))->{out}; return \%h }

my %image = ('docker.io/library/app:1' => [$app], 'docker.io/some/multi:1' => [$multi], 'other.example/team/app:1' => [$else]);
for my $ref (sort keys %image) {
	my $r = fetch($ref);
	is $r->{status}, 0, "containerd pulls $ref" or diag "$r->{out}$r->{err}";
	ok content()->{ $image{$ref}[0]{digest} }, 'and has what upstream has';
}
is_deeply [grep { $_->{path} =~ /ns=/ } map { $_->requests } values %u], [], 'ns is not passed on';
ok -e tag_link($s, 'docker.io/library/app', '1'), 'the repository here has the upstream\'s name in front';
my $r = fetch('unknown.example/team/app:1');
isnt $r->{status}, 0, 'what is not mirrored is not here';
like $r->{err}, qr/127\.0\.0\.1:1/, 'and containerd asks its next host';
$r = fetch('docker.io/library/none:1');
isnt $r->{status}, 0, 'nor is what upstream has not got';

# --- 429 of upstream does not become one of ours
forget();
image($u{'docker.io'}, 'library/limited', '1');
$u{'docker.io'}->rule('limited', { status => 429 });
$u{'docker.io'}->forget;
isnt fetch('docker.io/library/limited:1')->{status}, 0, 'upstream says 429: what is not here does not come';
cmp_ok $u{'docker.io'}->count('HEAD manifest', 'GET manifest'), '<=', 5, 'and containerd does not hammer it';
is_deeply [grep { $_->{status} == 429 } $s->access_events], [], 'it was not passed on';
$u{'docker.io'}->drop;

# --- away
forget();
$_->down for values %u;
for my $ref (sort keys %image) {
	old_tag($s, $ref =~ /^(.*):1$/, '1', 3600);
	$r = fetch($ref);
	is $r->{status}, 0, "upstream is away: $ref is still pulled" or diag "$r->{out}$r->{err}";
	ok content()->{ $image{$ref}[0]{digest} }, 'whole';
}
my ($own) = $s->push_image('team/own', '1');
$r = fetch('registry.example/team/own:1');
is $r->{status}, 0, 'our own images are pulled by our own name' or diag "$r->{out}$r->{err}";
ok content()->{$own}, 'as they are';
done_testing;
