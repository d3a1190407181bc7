#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# `berth rules import --from ecr`: rules for a lifecycle policy, which are a good configuration and keep what the policy keeps where each image has one tag.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use JSON::PP ();

delete $ENV{$_} for grep { /^REGISTRY_/ } keys %ENV;

my $berth = program('berth');
my $dir = tmp_dir();
my $json = JSON::PP->new->canonical;

sub ecr_rule
{
	my ($priority, $status, $count, $number, %o) = @_;
	my $type = { more => 'imageCountMoreThan', pushed => 'sinceImagePushed', pulled => 'sinceImagePulled', moved => 'sinceImageTransitioned' }->{$count};

	return {
		rulePriority => $priority, description => $o{description} // "rule $priority",
		selection => {
			tagStatus => $status, countType => $type, countNumber => $number, $count eq 'more' ? () : (countUnit => 'days'),
			$o{prefix} ? (tagPrefixList => $o{prefix}) : (), $o{pattern} ? (tagPatternList => $o{pattern}) : (), $o{class} ? (storageClass => $o{class}) : (),
		},
		action => { type => $o{action} // 'expire', $o{action} ? (targetStorageClass => 'archive') : () },
	};
}
sub import_of { my ($text, @more) = @_; return run($berth, 'rules', 'import', '--from', 'ecr', @more, spew("$dir/policy.json", ref $text ? $json->encode($text) : $text)) }

# imported(title, [rule ...], warnings) - what it prints is a configuration of which `berth config check` says this many warnings; the list in force
sub imported
{
	my ($title, $rules, $warnings, @more) = @_;
	my $r = import_of({ rules => $rules }, @more);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is "$r->{status} $r->{err}", '0 ', "$title: it is imported" or return ('', '');
	my $check = run($berth, '--config', spew("$dir/berth.conf", $r->{out}), 'config', 'check');
	is $check->{status}, 0, "$title: it is a good configuration" or diag $check->{err}, $r->{out};
	is scalar(() = $check->{err} =~ /^berth: warning: /mg), $warnings // 0, "$title: which is warned of as often as it has to be" or diag $check->{err}, $r->{out};
	my ($shown) = run($berth, '--config', "$dir/berth.conf", 'config', 'show')->{out} =~ /^rules = (.*)$/m;
	return ($shown, $r->{out});
}

# Each kind of rule
my ($list, $text) = imported('untagged by age', [ecr_rule(1, 'untagged', 'pushed', 14)]);
is $list, '( { repo = "**"; untagged = "1209600s"; } )', 'it is untagged, and no tag goes';
($list) = imported('all by number', [ecr_rule(5, 'any', 'more', 30)]);
is $list, '( { repo = "**"; keep = ( { newest = 30; } ); } )', 'it is newest';
($list) = imported('all by age', [ecr_rule(5, 'any', 'pushed', 30)]);
is $list, '( { repo = "**"; keep = ( { pushed = "2592000s"; } ); untagged = "2592000s"; } )', 'it is pushed, and untagged manifests go as well';
($list, $text) = imported('all by their last pull', [ecr_rule(5, 'any', 'pulled', 30)]);
is $list, '( { repo = "**"; keep = ( { pulled = "2592000s"; }, { pushed = "2592000s"; } ); } )', 'it is pulled, and what was never pulled stays as long';
like $text, qr/^# Untagged manifests go by their age alone here/m, 'a comment speaks of untagged ones';
($list, $text) = imported('tags by prefix', [ecr_rule(1, 'tagged', 'more', 5, prefix => ['pr'], description => "the\nlast \"five\" }")], 0, '--repo', 'team/*');
is $list, '( { repo = "team/*"; keep = ( { tag = "pr*"; newest = 5; }, { tag = "[!p]*"; }, { tag = "p"; }, { tag = "p[!r]*"; } ); } )', 'all other tags stay';
like $text, qr/^\t\t\t# 1: the\\nlast \\"five\\" \}$/m, 'the description is a comment of one line';
($list) = imported('tags by pattern, all others by age', [ecr_rule(2, 'any', 'pushed', 3), ecr_rule(1, 'tagged', 'more', 5, pattern => ['v*.*'])]);
is $list, '( { repo = "**"; keep = ( { tag = "v*.*"; newest = 5; }, { pushed = "259200s"; } ); untagged = "259200s"; } )', 'in the order of their priority';
($list) = imported('a tag', [ecr_rule(1, 'tagged', 'pushed', 5, pattern => ['x'])]);
is $list, '( { repo = "**"; keep = ( { tag = "x"; pushed = "432000s"; }, { tag = "[!x]*"; }, { tag = "x?*"; } ); } )', 'all others stay';

# What has no counterpart
($list, $text) = imported('tags by several patterns', [ecr_rule(1, 'tagged', 'more', 5, prefix => ['a', 'b']), ecr_rule(2, 'tagged', 'more', 3, prefix => ['c'])]);
is $list, '( { repo = "**"; keep = ( { tag = "c*"; newest = 3; }, { tag = "[!c]*"; } ); } )', 'what the first one selects stays, with all others';
like $text, qr/^\t\t\t# It selects images that have a tag of each of its patterns\./m, 'a comment says why';
($list, $text) = imported('a pattern whose others cannot be said', [ecr_rule(1, 'tagged', 'more', 5, pattern => ['*-rc*'])], 1);
is $list, '( { repo = "**"; keep = ( { tag = "*-rc*"; newest = 5; }, { tag = "*"; } ); } )', 'every tag stays';
like $text, qr/so every tag stays\.$/m, 'a comment says so';
($list, $text) = imported('an archive', [ecr_rule(1, 'any', 'pulled', 90, action => 'transition'), ecr_rule(2, 'any', 'moved', 365, class => 'archive')]);
is $list, '( )', 'nothing goes';
is scalar(() = $text =~ /^# There is no archive here/mg), 2, 'a comment for each rule says why';
($list, $text) = imported('an archive of some', [ecr_rule(1, 'tagged', 'pulled', 90, action => 'transition', prefix => ['a']), ecr_rule(2, 'tagged', 'more', 2, prefix => ['b'])]);
is $list, '( { repo = "**"; keep = ( { tag = "b*"; newest = 2; }, { tag = "[!b]*"; } ); } )', 'what would be archived stays';
($list, $text) = imported('untagged by number', [ecr_rule(1, 'untagged', 'more', 3), ecr_rule(2, 'untagged', 'pushed', 3)]);
is $list, '( { repo = "**"; untagged = "259200s"; } )', 'of untagged ones the age counts';
like $text, qr/^# 1: rule 1\n# Untagged manifests go by their age alone here/m, 'a comment says so';
my @prefixes = qw(production staging development feature hotfix);
($list) = imported('many long prefixes', [map { ecr_rule($_, 'tagged', 'more', $_, prefix => [$prefixes[$_ - 1]]) } 1 .. @prefixes], 5);
like $list, qr/\{ tag = "\*"; \} \); \} \)$/, 'need too many patterns, so every tag stays';
($list) = imported('no rules', []);
is $list, '( )', 'are none';

# What an image with several tags may lose
my $counts = qr/^\t\t\t# That is 5 images there and 5 tags here: where an image has several of these tags, fewer images stay\.$/m;
my $decides = qr/^# Where an image has tags that different rules select, the first of these rules decides there about all of its tags; here each$/m;
my $names = qr/^# A policy is of one repository, and this one does not say of which: /m;
for (['a number of images', [ecr_rule(1, 'tagged', 'more', 5, prefix => ['v'])], 1, 0], ['a number of all images', [ecr_rule(1, 'any', 'more', 5)], 1, 0],
	['an age', [ecr_rule(1, 'tagged', 'pushed', 5, prefix => ['v'])], 0, 0],
	['two rules', [ecr_rule(1, 'tagged', 'pushed', 30, prefix => ['release-']), ecr_rule(2, 'tagged', 'pushed', 1, prefix => ['build-'])], 0, 1],
	['one rule and one for all', [ecr_rule(1, 'tagged', 'more', 5, prefix => ['v']), ecr_rule(2, 'any', 'pushed', 1)], 1, 1],
	['one that archives beside another', [ecr_rule(1, 'tagged', 'pulled', 5, action => 'transition', prefix => ['a']), ecr_rule(2, 'tagged', 'pushed', 1, prefix => ['b'])], 0, 0]) {
	my ($what, $rules, $number, $several) = @$_;
	(undef, $text) = imported($what, $rules);
	is scalar($text =~ $counts) || 0, $number, "$what: a comment says that tags are counted, or not";
	is scalar($text =~ $decides) || 0, $several, "$what: a comment speaks of images that several rules select, or not";
	like $text, $names, "$what: without a name a comment asks for one";
}
(undef, $text) = imported('with a name', [ecr_rule(1, 'any', 'more', 5)], 0, '--repo', 'team/app');
unlike $text, $names, 'with one it does not';

# What the command of ECR prints
my $r = import_of({ registryId => '012345678910', repositoryName => 'team/app', lifecyclePolicyText => $json->encode({ rules => [ecr_rule(1, 'any', 'more', 2)] }) });
like $r->{out}, qr/^\t\trepo = "team\/app";$/m, 'what `aws ecr get-lifecycle-policy` prints names the repository';
$r = run({ stdin => $json->encode({ rules => [ecr_rule(1, 'any', 'more', 2)] }) }, $berth, 'rules', 'import', '--from', 'ecr', '-');
like $r->{out}, qr/newest = 2;/, '- is the standard input';

# A policy of the language's own: what it keeps is kept. Tags with their age in days, newest first; no image has two tags.
sub policy_keeps
{
	my ($rules, $tags) = @_;
	my %stays;

	for my $t (@$tags) {
		$stays{ $t->{name} } = 1;
		for my $rule (sort { $a->{rulePriority} <=> $b->{rulePriority} } @$rules) {
			my $s = $rule->{selection};
			my $selects = sub { my ($name) = @_; return 1 if $s->{tagStatus} eq 'any'; return 0 if $s->{tagStatus} ne 'tagged';
				return !grep { my $p = join '.*', map { quotemeta } split /\*/, $_, -1; $name !~ /\A$p\z/ } @{ $s->{tagPatternList} // [] }, map { "$_*" } @{ $s->{tagPrefixList} // [] } };
			next if !$selects->($t->{name});
			my @before = grep { $selects->($_->{name}) } @$tags;
			my ($place) = grep { $before[$_]{name} eq $t->{name} } 0 .. $#before;
			$stays{ $t->{name} } = $s->{countType} eq 'imageCountMoreThan' ? $place < $s->{countNumber} : $t->{days} < $s->{countNumber};
			last;
		}
	}
	return \%stays;
}
sub rules_keep
{
	my ($list, $tags) = @_;
	my %stays;
	my ($keep) = $list =~ /keep = \( (.*?) ?\); /;

	return { map { ($_->{name} => 1) } @$tags } if !defined $keep;
	for my $entry ($keep =~ /\{ (.*?)\}/g) {
		my %c = $entry =~ /(\w+) = "?([^";]*)"?; /g;
		my $re = defined $c{tag} ? join '', map { $_ eq '*' ? '.*' : $_ eq '?' ? '.' : /^\[!(.*)\]$/ ? "[^\Q$1\E]" : quotemeta } $c{tag} =~ /(\[[^]]*\]|.)/g : '.*';
		my @of = grep { $_->{name} =~ /\A$re\z/ && (!defined $c{pushed} || $_->{days} * 86400 < $c{pushed} =~ s/s$//r) } @$tags;
		@of = @of[0 .. $c{newest} - 1] if defined $c{newest} && $c{newest} < @of;
		$stays{ $_->{name} } = 1 for @of;
	}
	return \%stays;
}
srand 20;
my ($lost, $gone, $policies) = (0, 0, 0);
for my $round (1 .. 60) {
	my @p = ('a', 'b', 'ab', 'ba', 'c-');
	my @rules = map { ecr_rule($_, 'tagged', (qw(more pushed))[rand 2], 1 + int rand 4, rand() < 0.2 ? (pattern => [['*b', 'a*c'], ['a'], ['a*']]->[rand 3]) : (prefix => [$p[rand @p]])) } 1 .. 1 + rand 3;
	push @rules, ecr_rule(9, 'any', (qw(more pushed))[rand 2], 1 + int rand 6) if rand() < 0.4;
	my %seen;
	my @tags = map { { name => $_, days => 0 } } grep { !$seen{$_}++ } map { join '', map { (qw(a b c - 1))[rand 5] } 1 .. 1 + rand 3 } 1 .. 25;
	@tags = grep { $_->{name} !~ /^-/ } @tags;
	my $day = 0;
	$_->{days} = ($day += rand 0.6) for @tags;
	$r = import_of({ rules => \@rules });
	run($berth, '--config', spew("$dir/berth.conf", $r->{out}), 'config', 'check')->{status} == 0 or diag $r->{out};
	my ($shown) = run($berth, '--config', "$dir/berth.conf", 'config', 'show')->{out} =~ /^rules = (.*)$/m;
	my ($there, $here) = (policy_keeps(\@rules, \@tags), rules_keep($shown, \@tags));
	my @lost = grep { $there->{$_} && !$here->{$_} } keys %$there;
	diag $json->encode(\@rules), $shown, "lost: @lost" if @lost;
	$lost += @lost;
	$gone += grep { !$here->{ $_->{name} } } @tags;
	$policies++;
}
is $lost, 0, "of $policies random policies no rule lets go what the policy keeps";
cmp_ok $gone, '>', 100, 'and they let go much of the rest';

# Faults
for (
	['no JSON', '{', 'this is no JSON: '], ['no object', '[]', 'this is no lifecycle policy: it is no object$'], ['no rules', '{}', 'this is no lifecycle policy: it has no list "rules"$'],
	['rules that are no list', '{"rules":{}}', 'this is no lifecycle policy: it has no list "rules"$'], ['a rule that is no object', '{"rules":[5]}', 'rule 1 has no "rulePriority", a whole number$'],
	['the same key twice', '{"rules":[],"rules":[]}', 'this is no JSON: '], ['an inner text that is none', '{"lifecyclePolicyText":"{"}', 'this is no JSON: '],
	(map { my ($what, $change, $re) = @$_; my $rule = ecr_rule(1, 'tagged', 'pushed', 3, prefix => ['a']); $change->($rule); [$what, { rules => [$rule] }, $re] }
		['no selection', sub { delete $_[0]{selection} }, 'rule 1 has no "selection" or no "action"$'],
		['an unknown action', sub { $_[0]{action}{type} = 'burn' }, 'rule 1: "type" must be one of "expire", "transition", "archive"$'],
		['an unknown status', sub { $_[0]{selection}{tagStatus} = 'x' }, 'rule 1: "tagStatus" must be one of "tagged", "untagged", "any"$'],
		['an unknown count', sub { $_[0]{selection}{countType} = 'x' }, 'rule 1: "countType" must be one of "imageCountMoreThan", '],
		['another unit', sub { $_[0]{selection}{countUnit} = 'weeks' }, 'rule 1: "countUnit" must be one of "days"$'],
		['no unit', sub { delete $_[0]{selection}{countUnit} }, 'rule 1: "countUnit" must be one of "days"$'],
		['no number', sub { delete $_[0]{selection}{countNumber} }, 'rule 1: "countNumber" must be a whole number from 1 to 3660$'],
		['zero days', sub { $_[0]{selection}{countNumber} = 0 }, 'rule 1: "countNumber" must be a whole number from 1 to 3660$'],
		['too many days', sub { $_[0]{selection}{countNumber} = 3661 }, 'rule 1: "countNumber" must be a whole number from 1 to 3660$'],
		['no patterns', sub { delete $_[0]{selection}{tagPrefixList} }, 'rule 1: "tagPatternList" or "tagPrefixList" goes with '],
		['patterns of untagged', sub { $_[0]{selection}{tagStatus} = 'untagged' }, 'rule 1: "tagPatternList" or "tagPrefixList" goes with '],
		['a prefix that is no text', sub { $_[0]{selection}{tagPrefixList} = [5] }, 'rule 1: "tagPrefixList" must hold texts$'],
		['a prefix that no tag has', sub { $_[0]{selection}{tagPrefixList} = ['a/b'] }, 'rule 1: "tagPrefixList" holds what no tag can match$'],
		['brackets', sub { $_[0]{selection}{tagPrefixList} = ['[a]'] }, 'rule 1: "tagPrefixList" holds what no tag can match$'],
		['a NUL', sub { $_[0]{selection}{tagPrefixList} = ["a\0"] }, 'rule 1: "tagPrefixList" holds what no tag can match$'],
		['many prefixes', sub { $_[0]{selection}{tagPrefixList} = [('a') x 65] }, 'rule 1: "tagPrefixList" must be a list of at most 64 texts$'],
		['a description that is no text', sub { $_[0]{description} = [] }, 'rule 1: "description" must be a text$']),
	['a priority twice', { rules => [map { ecr_rule(3, 'any', 'more', $_) } 1, 2] }, 'two rules have the "rulePriority" 3$'],
	['many rules', { rules => [map { ecr_rule($_, 'any', 'more', 1) } 1 .. 257] }, 'there are more than 256 rules$'],
	['many entries', { rules => [map { ecr_rule($_, 'tagged', 'more', 1, prefix => ["a$_"]) } 1 .. 65] }, 'the rules need more than 64 entries of "keep"$'],
	['a big file', ' ' x (1 << 20) . ' {}', 'File too large$'],
) {
	my ($what, $policy, $re) = @$_;
	my $f = import_of($policy);

	ok $f->{status} == 1 && $f->{out} eq '' && $f->{err} =~ /\Aberth: (?:cannot read )?\Q$dir\E\/policy\.json: $re/ && $f->{err} =~ /\A[^\n]*\n\z/, "$what is said in one line" or diag "$f->{status} $f->{out} $f->{err}";
}
is run($berth, 'rules', 'import', @$_)->{status}, 2, "used wrongly: @$_" for [], ['--from', 'ecr'], ["$dir/policy.json"], ['--from', 'ecr', 'a', 'b'], ['--form', 'ecr', 'a'];
like run($berth, 'rules', 'import', '--from', 'harbor', 'a')->{err}, qr/^berth: rules: "ecr" is the only registry whose policies can be imported$/, 'another registry is unknown';
like run($berth, 'rules', 'import', '--from', 'ecr', '--repo', 'A', 'a')->{err}, qr/^berth: rules: --repo is not a pattern of names: it has a character /, 'a pattern is checked';
like run($berth, 'rules', 'import', '--from', 'ecr', "$dir/nothing")->{err}, qr/^berth: cannot read .*: No such file or directory$/, 'a file that is not there is said to be missing';
done_testing;
