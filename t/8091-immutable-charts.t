#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Immutable tags as oras and helm show them to their users. Neither is in Debian: both are built once and cached.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Client;

my %version = ('oras.land/oras/cmd/oras' => 'v1.2.3', 'helm.sh/helm/v3/cmd/helm' => 'v3.17.3');
my $oldest = 1.23;

# The program of that module, built if it is not cached yet.
sub client
{
	my ($module) = @_;
	my ($name) = $module =~ m{([^/]+)$};
	my $cached = build_dir() . "/cache/$name-$version{$module}";
	my $go = have_program('go') // '/usr/local/go/bin/go';

	return $cached if -x $cached;
	my ($is) = -x $go ? run({ env => { GOTOOLCHAIN => 'local' } }, $go, 'env', 'GOVERSION')->{out} =~ /^go1\.(\d+)/ : ();
	cannot_run("building $name takes Go $oldest or later") if !$is || $is < ($oldest =~ /\.(\d+)/)[0];
	mkdir build_dir() . '/cache';
	my $dir = tmp_dir();
	my $r = run({ timeout => 1200, env => { GOBIN => $dir, GOFLAGS => '', GOTOOLCHAIN => 'local' } }, $go, 'install', "$module\@$version{$module}");
	die "go install $module: $r->{err}" if $r->{status};
	run('cp', "$dir/$name", "$cached.new");
	rename "$cached.new", $cached or die "$cached: $!";
	return $cached;
}

my ($oras, $helm) = map { client($_) } sort { $b cmp $a } keys %version;
my $s = Berth::Server->start(config => qq(delete = true;\nrules = ( { repo = "release/**"; immutable = "*"; } );\n));
my $host = '127.0.0.1:' . $s->port;
my $dir = tmp_dir();
my $env = { env => { HOME => $dir, HELM_CACHE_HOME => "$dir/cache", HELM_CONFIG_HOME => "$dir/config", HELM_DATA_HOME => "$dir/data" }, dir => $dir };

# What it did, and the status of each request that changed a manifest, or tried to.
sub changes
{
	my (@command) = @_;
	my $before = () = $s->log;
	my $r = run($env, @command);
	my @all = $s->log_events;

	return ($r, join ' ', map { $_->{status} } grep { ($_->{event} // '') eq 'request' && ($_->{route} // '') eq 'manifest' && $_->{method} =~ /^(?:PUT|DELETE)$/ } splice @all, $before);
}
my $shown = sub { my ($r) = @_; return "status $r->{status}\n$r->{out}$r->{err}" };
my $moves = qr/denied: immutable tag \S+: the rule for "release\/\*\*" lets nobody move it/;

# oras
spew("$dir/file.txt", "one\n");
my @push = ($oras, 'push', '--plain-http', '--annotation', 'org.opencontainers.image.created=2026-01-01T00:00:00Z', "$host/release/oras:v1", 'file.txt');
my ($r, $changes) = changes(@push);
is "$r->{status} $changes", '0 201', 'oras sets an immutable tag' or diag $shown->($r);
($r) = changes(@push);
is $r->{status}, 0, 'oras pushes the same again' or diag $shown->($r);
spew("$dir/file.txt", "two\n");
($r, $changes) = changes(@push);
isnt $r->{status}, 0, 'oras cannot move it';
is $changes =~ s/^201 //r, '403', 'oras stops at once' or diag $shown->($r);
like $r->{err} . $r->{out}, $moves, 'oras says why';
($r, $changes) = changes($oras, 'manifest', 'delete', '--force', '--plain-http', "$host/release/oras:v1");
isnt $r->{status}, 0, 'oras cannot delete it';
is $changes, '403', 'and stops at once';
like $r->{err} . $r->{out}, qr/denied: immutable tag v1: the rule for "release\/\*\*" lets nobody delete it/, 'and says why';

# helm
run({ %$env }, $helm, 'create', 'app')->{status} == 0 or die 'helm create';
sub chart { my ($text) = @_; spew("$dir/app/values.yaml", "$text: 1\n"); run_ok($env, $helm, 'package', 'app', '--version', '1.0.0', "a chart: $text"); return ($helm, 'push', '--plain-http', 'app-1.0.0.tgz', "oci://$host/release") }
@push = chart('one');
($r, $changes) = changes(@push);
is "$r->{status} $changes", '0 201', 'helm sets an immutable tag' or diag $shown->($r);
($r, $changes) = changes(@push);
is $r->{status}, 0, 'helm pushes the same again' or diag $shown->($r), $changes;
($r, $changes) = changes(chart('two'));
isnt $r->{status}, 0, 'helm cannot move it';
is $changes =~ s/^201 //r, '403', 'helm stops at once' or diag $shown->($r);
like $r->{err} . $r->{out}, qr/unexpected status from PUT request to \S+: 403 Forbidden/, 'helm shows the status alone, whatever a registry says';
done_testing;
