#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Random registries of images, indexes, referrers, times and rules: berth keeps what a model of the page keeps. 500, and with --long 10,000.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(remove_tree);
use List::Util qw(shuffle);
use Berth::Test;
use Berth::Check;
use Berth::GC;
use Berth::Rules;
use Berth::RulesModel;

my $MANY = $ENV{BERTH_MODEL_MANY} // (is_long() ? 10_000 : 500);
my $EACH = 40;          # repositories of a store
my $seed = $ENV{BERTH_SEED} // int rand 2**31;
my @ARCH = (['amd64'], ['arm64'], ['arm64', 'v8'], ['arm', 'v7'], ['riscv64']);
my @TAGS = qw(latest stable v1 v1.2 v1.2.3 v2 v10 rc-1 rc-2 nightly-1 nightly-2 nightly-30 main dev build-1 build-17 build-200 V3 x);
my @GLOBS = ('*', 'v*', 'v[0-9]*', 'nightly-*', 'rc-?', 'build-*', '[!v]*', 'latest', '*-1', 'x');
my @TYPES = ('application/vnd.dev.cosign.artifact.sig.v1+json', 'application/vnd.dev.sigstore.bundle.v0.3+json', 'application/vnd.cncf.notary.signature',
	'application/spdx+json', 'application/vnd.in-toto+json');
srand $seed;
my $serial = 0;

sub one_of { return $_[rand @_] }
sub some { my ($most, @from) = @_; my $n = int rand $most + 1; my @s = shuffle @from; splice @s, $n if @s > $n; return @s }
sub chance { return rand() < $_[0] }
# Ages are half a day off the limits of rules, which are whole days: a busy machine changes nothing.
sub age { return DAY * int(rand 40) + DAY / 2 }

# manifest - one of the model, with its bytes for the disk
sub manifest
{
	my ($repo, $bytes, $config, %m) = @_;
	my $d = sha256($bytes);

	$repo->{manifests}{$d} = { %m, age => age(), bytes => $bytes, config => $config };
	return $d;
}

sub image
{
	my ($repo, $subject, $type) = @_;
	my $arch = one_of(@ARCH);
	my $config = sprintf '{"os":"linux","architecture":"%s"%s,"n":%d}', $arch->[0], $arch->[1] ? qq(,"variant":"$arch->[1]") : '', ++$serial;
	my $bytes = sprintf '{"schemaVersion":2,"mediaType":"%s"%s,"config":%s,"layers":[]%s,"annotations":{"n":"%d"}}', OCI_MANIFEST,
		$type ? qq(,"artifactType":"$type") : '', desc($type ? 'application/vnd.oci.empty.v1+json' : OCI_CONFIG, $config),
		$subject ? sprintf(',"subject":{"mediaType":"%s","digest":"%s","size":7}', OCI_MANIFEST, $subject) : '', $serial;

	return manifest($repo, $bytes, $config, subject => $subject, type => $type, platforms => $type ? [] : [join '/', 'linux', @$arch]);
}

sub index_image
{
	my ($repo, @children) = @_;
	my (@list, @platforms);

	for my $c (@children) {
		my $m = $repo->{manifests}{$c};
		my $arch = one_of(@ARCH);

		push @platforms, join '/', 'linux', @$arch;
		push @list, desc($m->{index} ? OCI_INDEX : OCI_MANIFEST, $m->{bytes}, sprintf ',"platform":{"os":"linux","architecture":"%s"%s}', $arch->[0],
			$arch->[1] ? qq(,"variant":"$arch->[1]") : '');
	}
	my $bytes = sprintf '{"schemaVersion":2,"mediaType":"%s","manifests":[%s],"annotations":{"n":"%d"}}', OCI_INDEX, join(',', @list), ++$serial;

	return manifest($repo, $bytes, undef, children => [@children], platforms => \@platforms, index => 1);
}

sub repository
{
	my $repo = { tags => {}, pulled => {}, manifests => {} };
	my @ages = map { age() } 1 .. 3;
	my @images = map { image($repo) } 1 .. 1 + rand 6;

	for (1 .. rand 4) { my @c = some(3, keys %{ $repo->{manifests} }); index_image($repo, @c) if @c }
	image($repo, chance(0.1) ? sha256("nothing $serial") : one_of(sort keys %{ $repo->{manifests} }), one_of(@TYPES)) for 1 .. rand 5;
	my @all = sort keys %{ $repo->{manifests} };
	# Of the same time two tags, now and then
	$repo->{tags}{$_} = { digest => one_of(@all), age => chance(0.3) ? one_of(@ages) : age() } for some(14, @TAGS);
	for (1 .. rand 4) {
		my $tag = (chance(0.3) ? sha256("gone $serial $_") : one_of(@all)) . one_of('', '.sig', '.sig', '.att');
		$tag =~ s/:/-/;
		$repo->{tags}{$tag} = { digest => one_of(@all), age => age() };
	}
	$repo->{tags}{ one_of(sort keys %{ $repo->{tags} }) }{age} = -DAY() if %{ $repo->{tags} } && chance(0.03);
	$repo->{pulled}{$_} = age() for some(6, @all, sort keys %{ $repo->{tags} });
	return $repo;
}

sub entry
{
	my %e;
	my %make = (tag => sub { one_of(@GLOBS) }, newest => sub { 1 + int rand 5 }, pushed => sub { DAY * (1 + int rand 40) }, pulled => sub { DAY * (1 + int rand 40) },
		platform => sub { one_of('linux/amd64', 'linux/arm64', 'linux/arm64/v8', 'linux/arm/v7', 'linux/arm') }, signed => sub { int rand 2 });

	$e{$_} = $make{$_}->() for (shuffle sort keys %make)[0 .. rand 3];
	return \%e;
}

# A rule of the model, and as rules of a configuration: each member in one of its own, or all in one.
sub rule
{
	my %r;

	$r{keep} = [map { entry() } 1 .. rand 4] if chance(0.9);
	$r{untagged} = DAY * int(1 + rand 40) if chance(0.6);
	$r{immutable} = [some(2, @GLOBS)] if chance(0.3);
	return \%r;
}

sub entry_text
{
	my ($e) = @_;
	my %form = (tag => '"%s"', platform => '"%s"', newest => '%d', pushed => '"%ds"', pulled => '"%ds"');

	return '{ ' . join(' ', map { $_ eq 'signed' ? 'signed = ' . ($e->{$_} ? 'true' : 'false') . ';' : sprintf "$_ = $form{$_};", $e->{$_} } sort keys %$e) . ' }';
}

sub rule_texts
{
	my ($name, $r) = @_;
	my @members;

	push @members, 'keep = ( ' . join(', ', map { entry_text($_) } @{ $r->{keep} }) . ' );' if $r->{keep};
	push @members, "untagged = \"$r->{untagged}s\";" if defined $r->{untagged};
	push @members, 'immutable = [ ' . join(', ', map { "\"$_\"" } @{ $r->{immutable} }) . ' ];' if $r->{immutable};
	return map { "{ repo = \"$name\"; $_ }" } chance(0.5) && @members ? join(' ', @members) : @members;
}

sub lay
{
	my ($s, $name, $repo, $now) = @_;

	for my $d (sort keys %{ $repo->{manifests} }) {
		my $m = $repo->{manifests}{$d};
		lay_blob($s, $name, $m->{config}) if defined $m->{config};
		lay_manifest($s, $name, $m->{bytes});
		revision_at($s, $name, $d, $now - $m->{age});
	}
	for my $t (sort keys %{ $repo->{tags} }) {
		lay_tag($s, $name, $t, $repo->{tags}{$t}{digest});
		pushed_at($s, $name, $t, $now - $repo->{tags}{$t}{age});
	}
	pulled_at($s, $name, $_, $now - $repo->{pulled}{$_}) for sort keys %{ $repo->{pulled} };
	return;
}

sub names_in { my ($dir) = @_; opendir my $h, $dir or return; return grep { !/^\./ } readdir $h }
sub list { return join ' ', sort keys %{ $_[0] } }
sub shown { my ($repo, $rule) = @_; return explain({ rule => $rule, tags => $repo->{tags}, pulled => $repo->{pulled},
	manifests => { map { my %m = %{ $repo->{manifests}{$_} }; delete @m{qw(bytes config)}; ($_ => \%m) } keys %{ $repo->{manifests} } } }) }

# differs - where berth and the model differ in a store of so many random repositories; '' if nowhere
sub differs
{
	my ($count) = @_;
	my ($undo, $untagged, $apply) = (one_of(0, 2), one_of('true', 'false'), chance(0.5));
	my (%repos, %rules, @texts);

	for my $i (1 .. $count) {
		my $name = one_of('team', 'ci/app', 'a') . "/r$i";
		$repos{$name} = repository();
		$rules{$name} = rule();
		push @texts, rule_texts($name, $rules{$name});
	}
	# What no rule of its own says the last one does.
	my $last = rule();
	push @texts, rule_texts('**', $last);
	$rules{$_} = { %$last, %{ $rules{$_} } } for keys %rules;
	my $dir = quick_dir(200);
	my $s = ruled_store("gc = { grace = \"0s\"; untagged = $untagged; };\nrules_delay = \"0s\";\nfsync = \"off\";\nundo = \"${undo}d\";\nrules = ( " . join(",\n", @texts) . " );\n", "$dir/store");
	my $now = time;
	lay($s, $_, $repos{$_}, $now) for sort keys %repos;

	my $dry = rules($s, qw(apply --dry-run --json));
	return "a dry run: $dry->{status} $dry->{err}" if $dry->{status} || $dry->{err};
	my %stays;
	$stays{ $_->{repository} }{ $_->{tag} } = 1 for grep { $_->{stays} } rules_told($dry);
	for my $name (sort keys %repos) {
		next if !$rules{$name}{keep};
		my ($is, $should) = (list($stays{$name} // {}), list(model_tags($repos{$name}, $rules{$name})));
		return ("$name: stays [$is], should [$should]", shown($repos{$name}, $rules{$name})) if $is ne $should;
	}
	my $run = $apply ? rules($s, 'apply') : { status => 0, err => '' };
	return "a run: $run->{status} $run->{err}" if $run->{status} || $run->{err};
	my $gc = gc($s);
	return "gc: $gc->{status} $gc->{err}" if $gc->{status} || $gc->{err};
	for my $name (sort keys %repos) {
		my ($tags, $manifests) = model_round($repos{$name}, $rules{$name}, $undo, $untagged eq 'true');
		my $dir = data_dir($s) . "/repositories/$name/_manifests";
		my ($is, $should) = (join(' ', sort(names_in("$dir/tags"))), list($tags));
		return ("$name: tags [$is], should be [$should]", shown($repos{$name}, $rules{$name})) if $is ne $should;
		($is, $should) = (join(' ', sort map { "sha256:$_" } grep { -e "$dir/revisions/sha256/$_/link" } names_in("$dir/revisions/sha256")), list($manifests));
		return ("$name: manifests [$is], should be [$should], undo $undo, untagged $untagged", shown($repos{$name}, $rules{$name})) if $is ne $should;
	}
	remove_tree("$dir/store");
	return '';
}

my ($done, @fault) = (0);
while ($done < $MANY && !@fault) {
	my @d = differs($EACH);
	@fault = @d if $d[0] ne '';
	$done += $EACH;
}
is $fault[0] // '', '', "$done random repositories keep what the model keeps" or diag("BERTH_SEED=$seed\n$fault[1]");
done_testing;
