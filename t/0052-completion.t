#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The completion of bash offers the commands and options that --help has, and names that are there.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Manual;

need_program('bash', 'shellcheck');
delete $ENV{$_} for grep { /^REGISTRY_/ } keys %ENV;

my ($berth, $fcgi, $relay) = map { program($_) } qw(berth berth-fcgi berth-relay);
my $dir = source_dir() . '/doc/bash-completion';
my $tmp = tmp_dir();

for (qw(berth berth-fcgi berth-relay)) {
	my $r = run('shellcheck', '-s', 'bash', "$dir/$_");
	is $r->{status}, 0, "shellcheck has nothing to say of the completion of $_" or diag $r->{out};
}

# What is offered for the last of these words, sorted; the first is the program.
sub offered
{
	my ($program, @words) = @_;
	my ($name) = $program =~ m{([^/]+)$};
	my $r = run({ dir => $tmp }, 'bash', '--norc', '-c', <<'EOT', 'bash', "$dir/$name", '_' . $name =~ tr/-/_/r, $program, @words);
. "$1"; f=$2; shift 2
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
"$f"
printf '%s\n' "${COMPREPLY[@]}"
EOT
	is $r->{err}, '', "completing '@words' says nothing else" if length $r->{err};
	return join ' ', sort grep { length } split /\n/, $r->{out};
}

sub option_names { return sort map { /^(--\S+)/ } @_ }

# The commands of --help as { command => { verb => [its options] } }; the verb is '' where there is none.
my $help = run_ok($berth, '--help', 'berth --help');
my (%is, %verbs);
my %text = Berth::Manual::help_commands($help);
for (keys %text) {
	my (undef, $command, $rest) = split ' ', $_, 3;
	my ($verb) = ($rest // '') =~ /^([a-z]\w*)/;
	$is{$command}{ $verb // '' } = [sort $rest =~ /(--[a-z-]+)/g];
}
my %options = Berth::Manual::help_options($help);
is offered($berth, ''), join(' ', sort keys %is, option_names(keys %options)), 'berth: the commands and options of --help';
is offered($berth, '--c'), '--config', 'those that begin as what is typed';
for my $command (sort keys %is) {
	my @verbs = sort grep { length } keys %{ $is{$command} };
	is offered($berth, $command, ''), "@verbs", "berth $command: its verbs" if @verbs;
	for my $verb (sort keys %{ $is{$command} }) {
		is offered($berth, $command, $verb || (), '--'), join(' ', @{ $is{$command}{$verb} }), "berth $command $verb: its options";
	}
}
%options = Berth::Manual::help_options(run_ok($fcgi, '--help', 'berth-fcgi --help'));
is offered($fcgi, ''), join(' ', option_names(keys %options)), 'berth-fcgi: the options of --help';
%options = Berth::Manual::help_options(run_ok($relay, '--help', 'berth-relay --help'));
is offered($relay, ''), join(' ', option_names(keys %options)), 'berth-relay: the options of --help';

# Names: of a store that another registry left.
my $root = "$tmp/store";
my $d = 'a' x 64;
for (qw(team/app team/tool other)) {
	my $path = "$root/docker/registry/v2/repositories/$_";
	run('mkdir', '-p', "$path/_layers", "$path/_manifests/tags/v1/current", "$path/_manifests/tags/v2/current", "$root/berth");
	spew("$path/_manifests/tags/$_/current/link", "sha256:$d") for qw(v1 v2);
}
spew("$root/berth/format", "1\n");
spew("$tmp/htpasswd", join '', map { "$_:\$y\$j9T\$saltsaltsalt\$hashhashhashhashhashhashhashhashhashhashhas\n" } 'alice', 'al`touch x`', '$(touch y)');
my $config = spew("$tmp/berth.conf", "root = \"$root\";\nauth = { htpasswd = \"$tmp/htpasswd\"; };\n");
my @at = ('--config', $config);
my $all = 'other team/app team/tool';
is run($berth, @at, 'repo', 'list')->{out}, join('', map { "$_\n" } split ' ', $all), 'there are repositories';
is offered($berth, @at, 'repo', 'rm', ''), $all, 'repositories are offered';
is offered($berth, @at, 'repo', 'mv', 'team/'), 'team/app team/tool', 'those that begin as what is typed';
is offered($berth, @at, 'repo', 'mv', 'other', ''), '', 'but not for a new name';
is offered($berth, @at, 'tag', 'rm', 'team/app', ''), 'v1 v2', 'tags of a repository are offered';
is offered($berth, '--root', $root, 'index', 'rebuild', 'o'), 'other', 'of the store of --root';
is offered($berth, @at, 'token', 'add', 'x', '--repo', 't'), 'team/app team/tool', 'as the value of an option';
is offered($berth, @at, 'user', 'rm', ''), 'alice', 'users are, but no name that a shell would not read as it stands';
ok !-e "$tmp/x" && !-e "$tmp/y", 'and no name is run';
is offered($berth, '--root', 'sto'), 'store', 'directories for --root';
is offered($berth, '--config', 'berth.'), 'berth.conf', 'files for --config';
is offered($_, '--config', 'berth.'), 'berth.conf', 'for berth-fcgi and berth-relay, too' for $fcgi, $relay;
is offered('./no-such-program/berth', 'repo', 'rm', ''), '', 'nothing where berth cannot be asked';

done_testing;
