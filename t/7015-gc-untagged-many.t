#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# berth gc --untagged in a repository of very many manifests: what one of them costs does not depend on how many there are,
# a flush is good for many, and what is pushed between two batches is kept. scripts/test --long does it with 100,000, too.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(sha256_hex);
use Berth::Test;
use Berth::Check;
use Berth::GC;

plain_build_only('it counts system calls and instructions');
need_program($_) for 'strace', 'taskset', 'valgrind';

my $DAY = 24 * 3600;
my $THEN = time - 2 * $DAY;
my $dir = quick_dir(is_long() ? 3000 : 400);
my ($CPU) = slurp('/proc/self/status') =~ /^Cpus_allowed_list:\s*(\d+)/m;
my $stores = 0;

# --- a repository of so many manifests, written straight to disk, all of it old

# old_file - a file in a directory of its own
sub old_file
{
	my ($of, $name, $bytes) = @_;

	mkdir $of or die "$of: $!";
	open my $h, '>:raw', "$of/$name" or die "$of/$name: $!";
	print {$h} $bytes;
	close $h or die "$of/$name: $!";
	utime $THEN, $THEN, "$of/$name";
	return;
}

# many - of ten manifests five are images, one is an index of two more, one refers to an image, and one is a link of a chain:
# each of these has the one before it as its subject. Every other chain link belongs to a chain that hangs on a tag, and
# stays. Returns { digest => bytes } of what stays, and the same of some of what goes.
sub many
{
	my ($s, $repo, $count) = @_;
	my ($blobs, $revisions) = (data_dir($s) . '/blobs/sha256', data_dir($s) . "/repositories/$repo/_manifests/revisions/sha256");
	my $head = '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . desc(OCI_CONFIG, '{}') . ',"layers":[]';
	my (%stays, %some);
	my $lay = sub {
		my ($bytes) = @_;
		my $hex = sha256_hex($bytes);
		old_file("$blobs/" . substr($hex, 0, 2) . "/$hex", 'data', $bytes);
		old_file("$revisions/$hex", 'link', "sha256:$hex");
		return desc(OCI_MANIFEST, $bytes);
	};
	my $image = sub {
		my ($what, $subject) = @_;
		my $bytes = $head . ($subject ? ",\"subject\":$subject" : '') . qq(,"annotations":{"of":"$repo","n":"$what"}});
		return ($bytes, $lay->($bytes));
	};

	lay_blob($s, $repo, '{}');
	mkdir sprintf '%s/%02x', $blobs, $_ for 0 .. 255;
	my $tagged = "$head,\"annotations\":{\"of\":\"$repo\",\"n\":\"tagged\"}}";
	$stays{ lay_manifest($s, $repo, $tagged, 'v1') } = $tagged;
	make_old($s, 2 * $DAY);
	my @chain = (desc(OCI_MANIFEST, $tagged), $image->('the chain that goes'));
	for my $i (0 .. $count / 10 - 1) {
		my (@images, $one);
		for my $k (1 .. 7) {
			(my $bytes, $images[$k]) = $image->("$i $k");
			$some{ sha256($bytes) } = $bytes if $i < 50;
		}
		my $index = index_of(OCI_INDEX, @images[6, 7]);
		$lay->($index);
		$some{ sha256($index) } = $index if $i < 50;
		$image->("$i refers", $images[1]);
		($one, $chain[$i % 2]) = $image->("$i of the chain", $chain[$i % 2]);
		$stays{ sha256($one) } = $one if $i % 2 == 0;
	}
	return { stays => \%stays, some => \%some };
}

sub revisions { my ($s, $repo) = @_; return map { "sha256:$_" } grep { length == 64 } names_in(data_dir($s) . "/repositories/$repo/_manifests/revisions/sha256") }
sub names_in { opendir my $h, $_[0] or die "$_[0]: $!"; my @all = readdir $h; closedir $h; return @all }

# --- what a collection of it costs, for one manifest that goes

# cost - { calls, flushes, instructions }: each counted in a run of its own, on a copy of its own
sub cost
{
	my ($count, $serves) = @_;
	my $a = bare_store("$dir/store" . ++$stores);
	my $made = many($a, 'r', $count);
	my $goes = $count + 2 - keys %{ $made->{stays} };
	my $title = "$count manifests, " . ($serves ? 'beside a registry' : 'nobody serves');
	my %n;

	for my $by ('strace', 'valgrind') {
		my $c = bare_store("$dir/store" . ++$stores);
		run('cp', '-al', '--', $a->root . '/docker', $c->root . '/copied')->{status} and die "cp\n";
		run('rm', '-rf', '--', $c->root . '/docker');
		rename $c->root . '/copied', $c->root . '/docker' or die "rename: $!";
		my $server = $serves ? Berth::Server->start(root => $c->root, config => "delete = true;\n", workers => 1) : undef;
		my @wrap = $by eq 'strace' ? ('strace', '-f', '-c', '-U', 'calls,name', '-o', "$dir/calls")
			: ('valgrind', '-q', '--tool=callgrind', "--callgrind-out-file=$dir/callgrind.%p");
		my $r = run({ timeout => 3600 }, 'taskset', '-c', $CPU, @wrap, gc_cmd($c, '--untagged', '--json'));
		is $r->{status}, 0, "$title: a collection ends with 0" or diag($r->{err});
		is gc_total($r)->{manifests}, $goes, 'it says how many went';
		is_deeply [sort(revisions($c, 'r'))], [sort keys %{ $made->{stays} }], 'and exactly those went';
		if ($by eq 'strace') {
			my %calls = map { /^\s*(\d+)\s+(\w+)\s*$/ ? ($2 => $1) : () } split /\n/, slurp("$dir/calls");
			@n{qw(calls flushes)} = ($calls{total} / $goes, ($calls{fsync} // 0) / $goes);
		} else {
			my @files = glob "$dir/callgrind.*";            # one of each process
			$n{instructions} += $_ / $goes for map { slurp($_) =~ /^(?:totals|summary): (\d+)/m } @files;
			unlink @files;
		}
		$server->stop if $server;
		run('rm', '-rf', '--', $c->root);
	}
	run('rm', '-rf', '--', $a->root);
	diag(sprintf '%s: %.1f system calls, %.3f flushes, %d instructions for one', $title, @n{qw(calls flushes instructions)});
	return \%n;
}

sub no_dearer
{
	my ($few, $many, $count, $where) = @_;

	cmp_ok $many->{$_}, '<=', 2 * $few->{$_}, "$where: of $count manifests one costs at most twice the $_ that one of a thousand does" for qw(calls instructions);
	cmp_ok $many->{flushes}, '<', 0.5, "$where: a flush is good for several";
	return;
}

for my $serves (0, 1) {
	my $where = $serves ? 'beside a registry' : 'where nobody serves';
	my $thousand = cost(1000, $serves);

	no_dearer($thousand, cost(10_000, $serves), 10_000, $where);
	SKIP: {
		skip_long('100,000 manifests are counted', 9);
		no_dearer($thousand, cost(100_000, $serves), 100_000, $where);
	}
}

# --- an index is gone for good before a manifest that it names goes

sub names_of { my ($bytes) = @_; return $bytes =~ /"manifests":/ ? $bytes =~ /"digest":"(sha256:\w+)"/g : () }
{
	my $s = bare_store("$dir/store" . ++$stores);
	my $some = many($s, 'r', 200)->{some};
	my $r = run('taskset', '-c', $CPU, 'strace', '-f', '-s', 300, '-y', '-o', "$dir/trace", '-e', 'trace=renameat,fsync', gc_cmd($s, '--untagged'));
	is $r->{status}, 0, 'a collection is traced' or diag($r->{err});
	my ($line, %at, @flushes) = (0);
	for (split /\n/, slurp("$dir/trace")) {
		$line++;
		$at{"sha256:$1"} = $line if m{renameat\(.*"[^"]*/revisions/sha256/(\w+)"};
		push @flushes, $line if m{fsync\(\d+<[^>]*/revisions/sha256>};
	}
	my @pairs = map { my $d = $_; map { [$d, $_] } names_of($some->{$d}) } sort keys %$some;
	is scalar(@pairs), 40, 'there are twenty indexes of two';
	is scalar(grep { my ($from, $to) = map { $at{$_} // 0 } @$_; !grep { $from && $from < $_ && $_ < $to } @flushes } @pairs), 0, 'each is flushed away before one that it names goes';
}

# --- what becomes reachable between two batches is kept
{
	my $s = Berth::Server->start(root => "$dir/serving", config => "delete = true;\n", workers => 1);
	my $some = many($s, 'r', 500)->{some};
	my (%subject, %refers);
	for my $i (1 .. 50) {
		my $of = image_of(OCI_MANIFEST, '{}') =~ s/\}\z/,"annotations":{"subject":"$i"}}/r;
		my $d = lay_manifest($s, 'r', image_of(OCI_MANIFEST, '{}') =~ s/\}\z/',"subject":' . desc(OCI_MANIFEST, $of) . '}'/er);
		utime $THEN, $THEN, blob_file($s, $d), revision_link($s, 'r', $d);
		($subject{$i}, $refers{$i}) = ($of, $d);
	}
	# it stops each time that it is about to take the repository's lock
	my $gc = stopped_gc($s, 'berth/locks/repository/' . substr(sha256_hex('r'), 0, 2), '--untagged');

	my (%must, %n);
	my $here = sub { return $s->req('HEAD', "/v2/r/manifests/$_[0]")->status == 200 };
	my $push = sub {
		my ($kind, $ref, $bytes, @kept) = @_;
		my $type = $bytes =~ /"manifests":/ ? OCI_INDEX : OCI_MANIFEST;
		my $st = $s->req('PUT', "/v2/r/manifests/$ref", headers => ['Content-Type' => $type], body => $bytes)->status;
		$n{$kind}++ if $st == 201;
		$n{"$kind: $st"}++ if $st != 201 && $st != 400;         # 400: what it names is gone already
		return if $st != 201;
		$must{$_} = $kind for sha256($bytes), @kept;
	};
	my @images = grep { !names_of($some->{$_}) } sort keys %$some;
	my @indexes = grep { names_of($some->{$_}) } sort keys %$some;
	my $i = 0;
	my $pushes = sub {
		$i++;
		if (my $d = splice @images, rand @images, 1) { $push->('an image that gets a tag', "tag$i", $some->{$d}) }
		if (my $d = splice @indexes, rand @indexes, 1) { $push->('an index that is pushed again', $d, $some->{$d}, names_of($some->{$d})) }
		my @two = @images > 1 ? splice @images, 0, 2 : ();
		$push->('a new index', "index$i", index_of(OCI_INDEX, map { desc(OCI_MANIFEST, $some->{$_}) } @two), @two) if @two;
		return if !$subject{$i};
		$push->('a subject', sha256($subject{$i}), $subject{$i});
		$must{ $refers{$i} } = 'a referrer of a new subject' if $here->($refers{$i});
	};
	is let_go($gc, sub { $i < 40 and $pushes->() for 1, 2 }), 0, 'a collection beside pushes ends with 0';         # the rest goes
	cmp_ok $gc->{stops}, '>=', 5, 'it let them in several times';
	is join(', ', map { "$must{$_}: $_" } grep { !$here->($_) } sort keys %must), '', 'whatever they made reachable stays, and what that names or what refers to it';
	my %kinds = map { $_ => 1 } values %must;
	ok $kinds{$_}, "there was $_" for 'an image that gets a tag', 'an index that is pushed again', 'a new index', 'a subject', 'a referrer of a new subject';
	cmp_ok scalar(grep { !$here->($_) } keys %$some), '>', 20, 'the rest goes';
	ok !(grep { ($_->{status} // 0) >= 500 } $s->log_events), 'no request ended with 5xx' or diag(explain(\%n));
	$s->stop;
}
done_testing;
