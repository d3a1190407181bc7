# SPDX-License-Identifier: Apache-2.0
#
# Berth::Scenarios: the operations of a registry at which t/605* cut the power, each a scenario of Berth::Replay.
#
#   my $r = Berth::Scenarios->record(promise => 'full');
#   all_ok($r, ...);
#
# Two masters serve the store. The second one is for workers that die before a flush: what it has flushed, or believes to
# have flushed, the first one cannot know.
package Berth::Scenarios;

use strict;
use warnings;

use File::Path qw(remove_tree);

use Berth::Check;
use Berth::Recording;
use Berth::Replay;
use Berth::Survivor;
use Berth::Test;

our ($s, $dying, $r);

# record - options: promise => 'full' or 'image'; fsync => what the configuration says, if not the same; root => of the store;
# model => that of Berth::Replay;
# rules => 1 if a quota counts all repositories; quota => 1 if its table is judged as well;
# undo => 1 if what goes has to be remembered;
# survivor => 1 for another machine on the same store, which is not traced and goes on when the recording is over: $r->{survivor}. All of them believe that several machines have the store;
# keep => how many states to show to berth; groups => which scenarios, where not all; indexes => 1 if they are judged
sub record
{
	my ($class, %o) = @_;
	my $trace = tmp_dir() . '/trace';
	my $fsync = delete $o{fsync} // $o{promise};
	my $journal = $o{journal} ? "journal = { enabled = true; };\n" : '';
	my $rules = $o{rules} || $o{quota} ? "rules = ( { repo = \"**\"; quota = \"1 GiB\"; } );\n" : '';
	my $undo = $o{undo} ? "undo = \"1d\";\n" : '';
	my @common = (config => "delete = true;\nfsync = \"$fsync\";\n$journal$rules$undo", workers => 1, wrap => [strace_to($trace, unknown => $o{survivor})]);

	$s = Berth::Server->start(@common, root => $o{root});
	$dying = Berth::Server->start(@common, root => $s->root);
	my $survivor = $o{survivor} ? Berth::Survivor->start($s->root, @common) : undef;
	my @beats = map { stop_beat($_) } $s, $dying, $survivor ? $survivor->server : ();
	$r = Berth::Replay->new(keep => 100, %o, root => $s->root, trace => $trace, survivor => $survivor, first => $survivor ? sub { $survivor->look } : undef);
	my @groups = ([uploads => \&uploads], [manifests => \&manifests], [deletes => \&deletes], [deaths => \&deaths], $o{promise} eq 'image' ? [images => \&images] : (), $o{undo} ? [restores => \&restores] : (),
		$o{model} ? [together => sub { together(@common) }] : (), [others => \&others]);
	for my $g (grep { my $name = $_->[0]; !$o{groups} || grep { $_ eq $name } @{ $o{groups} } } @groups) {
		$r->{group} = $g->[0];
		$g->[1]->();
	}
	kill CONT => @beats;
	$_->stop_workers for $dying, $s;
	return $r;
}

# stop_beat - where several machines may serve, what says that a master is alive writes all the time: it stands still while there is a recording
sub stop_beat
{
	my ($server) = @_;

	return if !-d $server->root . '/berth/locks/machines';
	my $beat = wait_for { my ($pid) = grep { Berth::Server::comm($_) eq 'berth-beat' } Berth::Server::children($server->master_pid); $pid };
	kill STOP => $beat;
	return $beat;
}

# again_on - the steps of a scenario once more, by this server: what is wrong, '' if nothing. What is gone may be gone already.
sub again_on
{
	my ($server, $scenario) = @_;
	local ($s, $dying) = ($server, $server);

	for my $step (@{ $scenario->{steps} }) {
		my $said = eval { $step->{do}->(); 1 } ? '' : $@;
		return $said if $said ne '' && $said !~ m{\ADELETE: HTTP/1\.1 404 };
	}
	return '';
}

# Each scenario begins with a store that is empty but for what is put there next. The directories of two digits below
# blobs/sha256/ stay: berth makes them when it starts.
sub clean
{
	my $root = $s->root;

	remove_tree(grep { !m{/_[^/]*\z} } glob("$root/docker/registry/v2/blobs/sha256/*/*"), glob("$root/docker/registry/v2/blobs/sha512/*"), glob("$root/docker/registry/v2/repositories/*"),
		glob("$root/berth/index/*"), glob("$root/berth/undo/*"));
	unlink glob("$root/berth/index/_catalog/*");
	# A worker has it open: it is told to count anew.
	for my $table (grep { !m{/rules\z} } glob("$root/berth/quota/*")) {
		open my $h, '+<', $table or die "$table: $!";
		seek $h, 52, 0;
		print {$h} pack 'L', 1;
		close $h;
	}
	$s->req(GET => '/v2/_catalog');         # the catalog holds from here on
	return;
}

# The steps: each a request, what nginx spools of it, and what has to hold from its answer on.
sub step
{
	my ($method, $path, $status, $claims, %o) = @_;

	return { body => $o{body}, claims => $claims, do => sub {
		my $a = $s->req($method, ref $path ? $path->() : $path, %o);
		die "$method: " . $a->as_string if $a->status != $status;
		$o{then}->($a) if $o{then};
	} };
}

my $loc;
sub begin { return step('POST', "/v2/$_[0]/blobs/uploads/", 202, {}, then => sub { $loc = path_of($_[0]->header('Location')) }) }
sub patch { return step('PATCH', sub { $loc }, 202, {}, body => $_[0]) }
sub finish { my ($repo, $d, %o) = @_; return step('PUT', sub { "$loc?digest=$d" }, 201, blob($repo, $d), %o) }
sub as_docker { my ($repo, $bytes) = @_; return (begin($repo), patch($bytes), finish($repo, sha256($bytes))) }
sub single { my ($repo, $bytes) = @_; my $d = sha256($bytes); return step('POST', "/v2/$repo/blobs/uploads/?digest=$d", 201, blob($repo, $d), body => $bytes) }
sub mount { my ($repo, $from, $d) = @_; return step('POST', "/v2/$repo/blobs/uploads/?mount=$d&from=$from", 201, blob($repo, $d)) }
sub blob { return { "blob $_[0] $_[1]" => $_[1] } }
sub manifest { my ($repo, $d, @tags) = @_; return { "manifest $repo $d" => $d, map { ("tag $repo $_" => $d) } @tags } }
sub put
{
	my ($repo, $ref, $bytes, $type, @tags) = @_;
	my $d = $ref =~ /:/ ? $ref =~ s/\?.*//r : sha256($bytes);

	return step('PUT', "/v2/$repo/manifests/$ref", 201, manifest($repo, $d, @tags ? @tags : $ref =~ /:/ ? () : $ref), body => $bytes, headers => ['Content-Type' => $type]);
}
sub removed { my ($path, @claims) = @_; return step('DELETE', "/v2/$path", 202, { map { ($_ => undef) } @claims }) }

# The worker that does this step dies after it has given the last name that is like this, before a flush.
sub dies
{
	my ($pattern, $step) = @_;

	return { %$step, dies => $pattern, do => sub { local $s = $dying; $step->{do}->() } };
}

# an image whose parts are in the repository
sub parts
{
	my ($repo, @bytes) = @_;

	$s->push_blob($repo, $_) for @bytes;
	return image_of(OCI_MANIFEST, @bytes);
}

sub tagged
{
	my ($repo, $bytes, $type, @refs) = @_;

	for my $ref (@refs) {
		my $a = $s->push_manifest($repo, $ref, $bytes, $type);
		die $a->as_string if $a->status != 201;
	}
	return sha256($bytes);
}

sub subject_of { my ($m, $subject) = @_; return $m =~ s/\}\z/',"subject":' . desc(OCI_MANIFEST, $subject) . '}'/er }

my $bytes = random_bytes(3000);
my $d = sha256($bytes);
my ($config, $layer) = ('{"os":"linux"}', random_bytes(800));
my $image = image_of(OCI_MANIFEST, $config, $layer);
my ($md, $old) = map { sha256($_) } $image, "$image\n";
my $sbom = subject_of(image_of(OCI_MANIFEST, $config), $image);
my $index = index_of(OCI_INDEX, map { desc(OCI_MANIFEST, $_) } $image, "$image\n");

sub uploads
{
	my @half = (substr($bytes, 0, 1700), substr $bytes, 1700);
	my $d512 = sha512($bytes);

	clean;
	$r->scenario('a blob as docker pushes it', {}, [as_docker('new/app', $bytes)]);
	clean;
	$r->scenario('POST and PUT with the body', {}, [begin('solo'), finish('solo', $d, body => $bytes)]);
	clean;
	$r->scenario('a single POST', {}, [single('deep/er/still', $bytes)]);
	clean;
	$r->scenario('chunks that are appended', {}, [begin('app'), patch($half[0]), patch($half[1]), finish('app', $d)]);
	clean;
	$r->scenario('chunks, the last one in the PUT', {}, [begin('app'), patch($half[0]), finish('app', $d, body => $half[1])]);
	clean;
	$s->push_blob('app', $bytes);
	$r->scenario('a blob that is there already', blob('app', $d), [single('app', $bytes), as_docker('app', $bytes)]);
	clean;
	$s->push_blob('other', $bytes);
	$r->scenario('a blob that another repository has', blob('other', $d), [single('app', $bytes)]);
	clean;
	$s->push_blob('app', $bytes);
	spew(blob_file($s, $d), substr $bytes, 0, 100);
	$r->scenario('a blob over a short one', {}, [single('new', $bytes)]);
	clean;
	$s->push_blob('app', $bytes);
	spew(blob_file($s, $d), 'x' x length $bytes);
	$r->scenario('a blob over corrupt bytes', {}, [single('new', $bytes), as_docker('app', $bytes)]);
	clean;
	$s->push_blob('app', $bytes);
	spew(layer_link($s, 'app', $d), '');
	$r->scenario('a blob over a link that says nothing', {}, [single('app', $bytes)]);
	clean;
	$s->push_blob('other', $bytes);
	$r->scenario('a mount', blob('other', $d), [mount('team/app', 'other', $d)]);
	clean;
	$r->scenario('a blob called by its sha512', {}, [step('POST', "/v2/app/blobs/uploads/?digest=$d512", 201, blob('app', $d512), body => $bytes)]);
	return;
}

sub manifests
{
	clean;
	$r->scenario('an image to a new repository', {}, [single('team/app', $config), single('team/app', $layer), put('team/app', 'v1', $image, OCI_MANIFEST)]);
	clean;
	parts('app', $config, $layer);
	$r->scenario('a manifest by its digest', {}, [put('app', $md, $image, OCI_MANIFEST)]);
	clean;
	parts('app', $config, $layer);
	tagged('app', "$image\n", OCI_MANIFEST, 'v1');
	$r->scenario('a new tag beside another', manifest('app', $old, 'v1'), [put('app', 'v2', $image, OCI_MANIFEST)]);
	clean;
	parts('app', $config, $layer);
	tagged('app', "$image\n", OCI_MANIFEST, 'v1', 'v2');
	$r->scenario('a tag that moves, and back', manifest('app', $old, 'v1', 'v2'), [put('app', 'v1', $image, OCI_MANIFEST), put('app', 'v1', "$image\n", OCI_MANIFEST)]);
	clean;
	parts('app', $config, $layer);
	tagged('app', $image, OCI_MANIFEST, 'v1');
	$r->scenario('a manifest that is there already', manifest('app', $md, 'v1'), [put('app', 'v1', $image, OCI_MANIFEST)]);
	clean;
	parts('app', $config, $layer);
	tagged('app', $image, OCI_MANIFEST, 'v1');
	spew(blob_file($s, $md), 'x' x length $image);
	$r->scenario('a manifest over corrupt bytes', {}, [put('app', 'v1', $image, OCI_MANIFEST)]);
	clean;
	parts('app', $config, $layer);
	$r->scenario('tags by parameter', {}, [put('app', "$md?tag=a&tag=b&tag=c", $image, OCI_MANIFEST, qw(a b c))]);
	clean;
	parts('app', $config, $layer);
	tagged('app', $image, OCI_MANIFEST, 'v1');
	$r->scenario('a manifest with a subject', manifest('app', $md, 'v1'), [put('app', sha256($sbom), $sbom, OCI_MANIFEST)]);
	clean;
	parts('app', $config, $layer);
	$r->scenario('an index with its children', {}, [put('app', $md, $image, OCI_MANIFEST), put('app', $old, "$image\n", OCI_MANIFEST), put('app', 'multi', $index, OCI_INDEX)]);
	return;
}

sub deletes
{
	clean;
	parts('app', $config, $layer);
	tagged('app', $image, OCI_MANIFEST, qw(v1 v2));
	tagged('app', "$image\n", OCI_MANIFEST, 'v3');
	$r->scenario('a tag goes, and comes again', { %{ manifest('app', $md, qw(v1 v2)) }, %{ manifest('app', $old, 'v3') } },
		[removed('app/manifests/v1', 'tag app v1'), put('app', 'v1', "$image\n", OCI_MANIFEST)]);
	clean;
	parts('app', $config, $layer);
	tagged('app', $image, OCI_MANIFEST, qw(v1 v2));
	tagged('app', "$image\n", OCI_MANIFEST, 'v3');
	$r->scenario('a manifest goes with its tags, and comes again', { %{ manifest('app', $md, qw(v1 v2)) }, %{ manifest('app', $old, 'v3') } },
		[removed("app/manifests/$md", "manifest app $md", 'tag app v1', 'tag app v2'), put('app', 'v1', $image, OCI_MANIFEST)]);
	clean;
	parts('app', $config, $layer);
	tagged('app', $image, OCI_MANIFEST, 'v1');
	my $sd = tagged('app', $sbom, OCI_MANIFEST, sha256($sbom), 'sbom');
	$r->scenario('a referrer goes', { %{ manifest('app', $md, 'v1') }, %{ manifest('app', $sd, 'sbom') } },
		[removed("app/manifests/$sd", "manifest app $sd", 'tag app sbom')]);
	clean;
	$s->push_blob('app', $_) for $bytes, 'another';
	$s->push_blob('other', $bytes);
	$r->scenario('a blob goes, and comes again', { %{ blob('app', $d) }, %{ blob('other', $d) } }, [removed("app/blobs/$d", "blob app $d"), single('app', $bytes)]);
	return;
}

# What was deleted, or moved, comes back by a command; nobody is told that by an answer that would have to hold.
sub restores
{
	my $restored = sub {
		my ($what, $claims) = @_;
		return { claims => $claims, do => sub {
			my $x = run(strace_to($r->{trace}), program('berth'), '--config', $s->config_file, '--root', $s->root, 'tag', 'restore', $what);
			die "restore: $x->{out}$x->{err}" if $x->{status};
		} };
	};

	clean;
	parts('app', $config, $layer);
	tagged('app', "$image\n", OCI_MANIFEST, 'v1');
	tagged('app', $image, OCI_MANIFEST, 'v1');
	$r->scenario('a tag moves back, and forth', manifest('app', $md, 'v1'),
		[$restored->('app:v1', { 'tag app v1' => $old }), $restored->('app:v1', { 'tag app v1' => $md }), put('app', 'v2', $image, OCI_MANIFEST)]);
	clean;
	parts('team/app', $config, $layer);
	tagged('team/app', $_, OCI_MANIFEST, sha256($_)) for $image, "$image\n";
	my $id = tagged('team/app', $index, OCI_INDEX, 'multi');
	$r->scenario('an index comes back with its children', { %{ manifest('team/app', $id, 'multi') }, %{ manifest('team/app', $md) }, %{ manifest('team/app', $old) } },
		[(map { removed("team/app/manifests/$_", "manifest team/app $_", $_ eq $id ? 'tag team/app multi' : ()) } $id, $md, $old),
		$restored->('team/app:multi', { %{ manifest('team/app', $id, 'multi') }, %{ manifest('team/app', $md) }, %{ manifest('team/app', $old) } }),
		put('team/app', 'v2', $image, OCI_MANIFEST)]);
	return;
}

# Who was there before, and died before a flush: no answer rests on what was only seen.
sub deaths
{
	clean;
	$r->scenario('a blob whose link somebody did not flush', {}, [dies(qr{ .*/_layers/}, single('new/app', $bytes)), single('new/app', $bytes)]);
	clean;
	$r->scenario('a blob whose content somebody did not flush', {}, [dies(qr{ .*/blobs/}, single('other', $bytes)), single('app', $bytes)]);
	clean;
	$r->scenario('a mount of what somebody did not flush', {}, [dies(qr{ .*/_layers/}, single('other', $bytes)), mount('app', 'other', $d)]);
	clean;
	$r->scenario('a repository whose entry in the catalog somebody did not flush', {}, [dies(qr{ .*/_catalog/}, single('app', 'x')), single('app', $bytes)]);
	clean;
	parts('app', $config);
	$r->scenario('a manifest whose layer somebody did not flush', {}, [dies(qr{ .*/_layers/}, single('app', $layer)), put('app', $md, $image, OCI_MANIFEST)]);
	clean;
	parts('app', $config, $layer);
	$r->scenario('an index whose child somebody did not flush', {}, [dies(qr{ .*/revisions/}, put('app', $md, $image, OCI_MANIFEST)),
		put('app', 'multi', index_of(OCI_INDEX, desc(OCI_MANIFEST, $image)), OCI_INDEX)]);
	clean;
	parts('app', $config, $layer);
	$r->scenario('a tag of a manifest that somebody did not flush', {}, [dies(qr{ .*/revisions/}, put('app', $md, $image, OCI_MANIFEST)), put('app', 'v1', $image, OCI_MANIFEST)]);
	clean;
	parts('app', $config, $layer);
	tagged('app', "$image\n", OCI_MANIFEST, 'v0');
	$r->scenario('a tag that somebody did not flush', {}, [dies(qr{ .*/tags/v1$}, put('app', 'v1', $image, OCI_MANIFEST)), put('app', 'v1', $image, OCI_MANIFEST)]);
	clean;
	parts('app', $config, $layer);
	tagged('app', $image, OCI_MANIFEST, 'v1');
	$r->scenario('a moved tag that somebody did not flush', {}, [dies(qr{ .*/tags/v1/current/link$}, put('app', 'v1', "$image\n", OCI_MANIFEST)), put('app', 'v1', "$image\n", OCI_MANIFEST)]);
	clean;
	parts('app', $config, $layer);
	tagged('app', $image, OCI_MANIFEST, 'v1');
	$r->scenario('a manifest whose tag somebody took without a flush', {}, [dies(qr{/tags/v1 }, removed('app/manifests/v1')),
		removed("app/manifests/$md", "manifest app $md", 'tag app v1')]);
	return;
}

# Where the manifest makes its blobs durable.
sub images
{
	my @layers = map { random_bytes(500 + $_) } 1 .. 3;
	my $three = image_of(OCI_MANIFEST, $config, @layers);
	my $td = sha256($three);

	clean;
	$r->scenario('an image as docker pushes it, to a new repository', {}, [(map { as_docker('team/sub/app', $_) } @layers, $config), put('team/sub/app', 'v1', $three, OCI_MANIFEST)]);
	clean;
	parts('app', $config, $layer);
	tagged('app', $image, OCI_MANIFEST, 'v1');
	$r->scenario('an image as docker pushes it, to a known one', manifest('app', $md, 'v1'), [(map { as_docker('app', $_) } @layers), put('app', 'v1', $three, OCI_MANIFEST)]);
	clean;
	$r->scenario('a manifest of blobs that another worker put there before it died', {}, [(map { dies(qr{ .*/_layers/}, single('team/app', $_)) } $config, $layer), put('team/app', 'v1', $image, OCI_MANIFEST)]);
	clean;
	$r->scenario('an image of mounted blobs that nobody has flushed', {}, [(map { dies(qr{ .*/_layers/}, single('other', $_)) } $config, $layer),
		(map { mount('team/app', 'other', sha256($_)) } $config, $layer), put('team/app', 'v1', $image, OCI_MANIFEST)]);
	clean;
	my @all = parts('app', $config, $layer);
	tagged('app', $image, OCI_MANIFEST, 'v1');
	$r->scenario('a blob goes and comes again, and the manifest that is there is pushed again', manifest('app', $md, 'v1'),
		[removed('app/blobs/' . sha256($layer), 'blob app ' . sha256($layer)), single('app', $layer), put('app', 'v1', $image, OCI_MANIFEST)]);
	clean;
	parts('app', $config, $layer);
	tagged('app', $image, OCI_MANIFEST, 'v1');
	$r->scenario('a blob goes, another worker brings it back and dies, and the manifest is pushed again', manifest('app', $md, 'v1'),
		[removed('app/blobs/' . sha256($layer), 'blob app ' . sha256($layer)), dies(qr{ .*/_layers/}, single('app', $layer)), put('app', $md, $image, OCI_MANIFEST)]);
	clean;
	$r->scenario('an index of what another worker pushed before it died', {}, [(map { dies(qr{ .*/_layers/}, single('app', $_)) } $config, $layer),
		(map { dies(qr{ .*/revisions/}, put('app', sha256($_), $_, OCI_MANIFEST)) } $image, "$image\n"), put('app', 'multi', $index, OCI_INDEX)]);
	clean;
	parts('app', $config, $layer);
	spew(layer_link($s, 'app', sha256($layer)), '');
	$r->scenario('an image over a link that says nothing', {}, [single('app', $layer), put('app', 'v1', $image, OCI_MANIFEST)]);
	clean;
	parts('app', $config, $layer);
	spew(layer_link($s, 'app', sha256($layer)), '');
	$r->scenario('an image over a link that another worker has mended before it died', {}, [dies(qr{ .*/_layers/}, single('app', $layer)), put('app', 'v1', $image, OCI_MANIFEST)]);
	clean;
	parts('app', $config, $layer);
	tagged('app', $image, OCI_MANIFEST, 'v1');
	spew(revision_link($s, 'app', $md), '');
	$r->scenario('a manifest over a link that another worker has mended before it died', {}, [dies(qr{ .*/revisions/}, put('app', $md, $image, OCI_MANIFEST)), put('app', 'v1', $image, OCI_MANIFEST)]);
	return;
}

# Two manifests at a time, which may share a barrier: by workers whose fsync takes long. The second one begins when the first one
# has made its last change, and so its last change falls into the first one's barrier, on which it must not be answered. Where the second
# one was too slow, fsync takes longer.
sub together
{
	my (@common) = @_;
	my @two = ([a => $image, $md], [b => "$image\n", $old]);

	for my $try (0 .. 5) {
		my $slow = Berth::Server->start(@common, workers => 2, root => $s->root, wrap => [strace_to($r->{trace}), '-e', 'inject=fsync:delay_enter=' . (250_000 << $try)]);
		clean;
		parts('app', $config, $layer);
		my $done = $r->scenario("two manifests at a time, $try", {}, [{
			answers => [map { [qr/\Q$_->[2]\E/, manifest('app', $_->[2], $_->[0])] } @two],
			do => sub {
				my @status = run_parallel(2, sub {
					my ($tag, $bytes) = @{ $two[$_[0]] };
					wait_for { -e tag_link($s, 'app', 'a') } if $_[0];
					return $slow->push_manifest('app', $tag, $bytes, OCI_MANIFEST)->status;
				});
				die "PUT: @status\n" if "@status" ne '201 201';
			} }]);
		$slow->stop_workers;
		last if $r->{shared} = in_a_flush($done, qr{/tags/b\z});
	}
	return;
}

# in_a_flush - whether a name like this was given while another process flushed
sub in_a_flush
{
	my ($scenario, $name) = @_;
	my %under_way;

	for my $c (recorded($r->{trace}, $r->{root}, $scenario->{trace_from})) {
		$under_way{ $c->{of} } = 1 if $c->{name} eq 'begin';
		delete $under_way{$c} if $c->{name} eq 'fsync';
		return 1 if $c->{name} eq 'rename' && $c->{paths}[1] =~ $name && %under_way;
	}
	return 0;
}

# What another registry has put there, while berth did not serve, and did not flush.
sub others
{
	clean;
	$_->stop_workers for $dying, $s;
	$r->scenario('a manifest of blobs that another registry has put there', {},
		[{ do => sub { $s->start_workers } }, put('team/app', 'v1', $image, OCI_MANIFEST)],
		sub {
			for my $b ($config, $layer) {
				File::Path::make_path(map { s{/[^/]*\z}{}r } blob_file($s, sha256($b)), layer_link($s, 'team/app', sha256($b)), revision_link($s, 'team/app', $md) =~ s{/[^/]*/[^/]*\z}{}r);
				spew(blob_file($s, sha256($b)), $b);
				spew(layer_link($s, 'team/app', sha256($b)), sha256($b));
			}
		});
	return;
}

1;
