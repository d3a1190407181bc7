#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# deploy/kubernetes.yaml, by the schema of Kubernetes. The program that compares the two is built once and cached.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;

my $file = source_dir() . '/deploy/kubernetes.yaml';
my $text = slurp($file);

my $checker = go_program('kubernetes');
sub checked { my $r = run({ stdin => $_[0] }, $checker); return [$r->{status}, $r->{out}] }

is_deeply checked($text), [0, "ConfigMap registry\nService registry\nStatefulSet registry\n"], 'the file is valid: a StatefulSet with what it needs';

# The checker notices what the schema forbids.
for (['readOnlyRootFilesystem: true', 'readonlyRootFilesystem: true', qr/securityContext\.readonlyRootFilesystem: there is no such field/],
	['replicas: 1', 'replicas: "1"', qr/spec\.replicas: is of type string, not integer/], ['runAsNonRoot: true', 'runAsNonRoot: yes please', qr/runAsNonRoot: is of type string, not boolean/],
	['  serviceName: registry', '', qr/^StatefulSet\.spec: lacks serviceName$/m], ['kind: Service', 'kind: Servant', qr/^object 1: there is no Servant in v1$/m],
	['            - name: tmp', '            - named: tmp', qr/volumeMounts\[2\]: lacks name$/m], ['replicas: 1', "replicas: 1\n  replicas: 2", qr/mapping key "replicas" already defined/],
	['drop: [ALL]', 'drop: ALL', qr/capabilities\.drop: is of type string, not array/], ['              port: monitor', '              port: [1]', qr/httpGet\.port: is of type array, not string/]) {
	my ($right, $wrong, $said) = @$_;
	my $broken = $text =~ s/\Q$right\E/$wrong/r;
	my $r = checked($broken);

	isnt $broken, $text, "in place of \"$right\"";
	is $r->[0], 1, "\"$wrong\" is a fault" =~ s/\n/ /r;
	like $r->[1], $said, '... which is named';
}

# What it is for.
like $text, qr/^ +livenessProbe:\n +httpGet:\n +path: \/healthz\n/m, 'it is restarted if nginx does not answer';
like $text, qr/^ +readinessProbe:\n +httpGet:\n +path: \/readyz\n/m, 'it gets requests if the registry is ready';
like $text, qr/^ +\Q$_\E$/m, "it has $_" for 'runAsNonRoot: true', 'readOnlyRootFilesystem: true', 'allowPrivilegeEscalation: false', 'drop: [ALL]', 'enableServiceLinks: false';
my ($conf) = $text =~ /^  berth\.conf: \|\n((?:    .*\n)+)/m or die 'no berth.conf';
my $r = run({ env => { map { $_ => undef } grep { /^REGISTRY_/ } keys %ENV } }, program('berth'), '--config', spew(tmp_dir() . '/berth.conf', $conf =~ s/^    //gmr), '--root', tmp_dir(), 'config', 'check');
is $r->{status}, 0, 'its configuration is valid' or diag $r->{out}, $r->{err};
done_testing;
