#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Limits of a rule: readonly, delete, sparse, max_size, max_manifest, max_tags, each where the setting for all is in force as well.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;
use Berth::Repo;

my $rules = <<'END';
rules = (
	{ repo = "open/**"; delete = true; max_size = "0"; sparse = "index"; },
	{ repo = "frozen/*"; readonly = true; },
	{ repo = "kept/**"; delete = false; },
	{ repo = "small/**"; max_size = 10; max_manifest = "1 KiB"; max_tags = 3; },
	{ repo = "huge"; max_manifest = "64 MiB"; readonly = false; }
);
END
my %global = (blobs => 'blobs = { max_size = "1000"; };', manifests => 'manifests = { max_size = "4 KiB"; };');
my $s = Berth::Server->start(config => "$global{blobs}\n$global{manifests}\n");
sub put { my ($name, $ref, $text, %o) = @_; return patient { $s->req(PUT => "/v2/$name/manifests/$ref", headers => ['Content-Type' => OCI_MANIFEST], body => $text, %o) } }
sub post { my ($name, $blob, %o) = @_; return $s->req(POST => "/v2/$name/blobs/uploads/?digest=" . sha256($blob), body => $blob, %o) }
sub image { my ($n) = @_; return image_of(OCI_MANIFEST, '{}') =~ s/\}\z/,"annotations":{"n":"$n"}}/r }

# Before there are rules
$s->push_image($_, 'one', layers => ['layer']) for 'frozen/app', 'frozen/app/below', 'kept/app', 'open/app', 'other';
my ($d) = $s->push_image('frozen/app', 'one', layers => ['layer']);
my $layer = sha256('layer');
my $up = upload_start($s, 'frozen/app');
$s->config("$global{blobs}\n$global{manifests}\n$rules");
$s->restart;

# readonly
my $before = $s->tree_digest;
for my $w ([POST => '/v2/frozen/app/blobs/uploads/'], [POST => '/v2/frozen/new/blobs/uploads/?digest=' . sha256('x'), 'x'], [POST => "/v2/frozen/app/blobs/uploads/?mount=$layer&from=other"],
	[PATCH => $up, 'x'], [PUT => "$up?digest=" . sha256(''), ''], [DELETE => $up], [PUT => '/v2/frozen/app/manifests/two', image(1)], [DELETE => '/v2/frozen/app/manifests/one'],
	[DELETE => "/v2/frozen/app/manifests/$d"], [DELETE => "/v2/frozen/app/blobs/$layer"]) {
	my ($method, $path, $body) = @$w;
	my $r = $s->req($method, $path, defined $body ? (body => $body) : ());
	(my $short = "$method $path") =~ s/[0-9a-f]{20,}|[0-9a-f]+(-[0-9a-f]+){4}/.../g;
	refused_is $r, 405, 'UNSUPPORTED', qr{^the repository is read-only: the rule for "frozen/\*" says so$}, "readonly: $short is refused, and the rule named";
	unlike allow_of($r), qr/POST|PUT|PATCH|DELETE/, "readonly: the Allow of $short names no write";
}
is $s->tree_digest, $before, 'readonly: nothing is changed on disk';
is $s->req(GET => '/v2/frozen/app/manifests/one')->status, 200, 'readonly: a manifest is pulled';
is post('frozen/app/below', 'x')->status, 201, 'readonly: what the pattern does not match is written';
my $r = $s->req(POST => '/v2/frozen/app/blobs/uploads/?digest=' . sha256('x'), headers => ['Content-Length' => 1 << 30], body => sub { undef });
is $r->status, 405, 'readonly: a body of 1 GiB is refused before a byte of it is sent';

# delete
refused_is $s->req(DELETE => '/v2/kept/app/manifests/one'), 405, 'UNSUPPORTED', qr{^nothing in the repository may be deleted: the rule for "kept/\*\*" says so$}, 'delete = false: a tag is not deleted, and the rule named';
error_is $r = $s->req(DELETE => '/v2/other/manifests/one'), 405, 'UNSUPPORTED', 'where no rule speaks, the registry does';
unlike allow_of($r), qr/DELETE/, 'and its Allow says so';
is $s->req(DELETE => '/v2/open/app/manifests/one')->status, 202, 'delete = true: a tag is deleted although the registry lets nobody delete';
is $s->req(DELETE => "/v2/open/app/blobs/$layer")->status, 202, 'and a blob';
$s->config("delete = true;\n$global{blobs}\n$global{manifests}\n$rules");
$s->replace_workers;
is $s->req(DELETE => '/v2/other/manifests/one')->status, 202, 'with delete = true for all, others delete';
refused_is $s->req(DELETE => "/v2/kept/app/blobs/$layer"), 405, 'UNSUPPORTED', qr/kept/, 'where a rule does not allow it they do not';

# sparse
my $index = index_of(OCI_INDEX, desc(OCI_MANIFEST, '{"nowhere":1}'));
is put('open/app', 'idx', $index, headers => ['Content-Type' => OCI_INDEX])->status, 201, 'sparse = "index": an index without its children is stored';
error_is put('other', 'idx', $index, headers => ['Content-Type' => OCI_INDEX]), 400, 'MANIFEST_BLOB_UNKNOWN', 'elsewhere it is not';
is join(' ', grep { index($_, sha256($index)) >= 0 } fsck_kinds($s)), '', 'fsck finds nothing wrong with it';

# max_size
for my $chunked (0, 1) {
	my $how = $chunked ? 'chunked' : 'with a length';
	is post('small/app', 'x' x 10, chunked => $chunked)->status, 201, "max_size: a blob of the limit itself is stored ($how)";
	refused_is post('small/app', 'y' x 11, chunked => $chunked), 413, 'SIZE_INVALID', qr{^a blob may have at most 10 bytes: the rule for "small/\*\*" says so$}, "one byte more is refused ($how)";
	my $loc = upload_start($s, 'small/app');
	$s->req(PATCH => $loc, body => 'x' x 6);
	refused_is $s->req(PATCH => $loc, body => 'x' x 5, chunked => $chunked), 413, 'SIZE_INVALID', qr/small/, "chunks that pass it together, too ($how)";
	refused_is $s->req(PUT => "$loc?digest=" . sha256('x' x 11), body => 'x' x 5, chunked => $chunked), 413, 'SIZE_INVALID', qr/small/, "and a last one ($how)";
	is post('open/app', 'z' x 2000, chunked => $chunked)->status, 201, "max_size = \"0\": a blob that is too big for all others is stored ($how)";
	error_is post('other', 'z' x 2001, chunked => $chunked), 413, 'SIZE_INVALID', "elsewhere it is refused ($how)" if !$chunked;
	isnt post('other', 'z' x 2001, chunked => $chunked)->status, 201, "elsewhere it is not stored ($how)";
}
$r = $s->req(POST => '/v2/small/app/blobs/uploads/?digest=' . sha256('x'), headers => ['Content-Length' => 1 << 30], body => sub { undef });
refused_is $r, 413, 'SIZE_INVALID', qr/small/, 'a body of 1 GiB is refused before a byte of it is sent';
is $s->req(POST => '/v2/small/app/blobs/uploads/?mount=' . sha256('z' x 2000) . '&from=open/app')->status, 202, 'a mount of a bigger blob begins an upload instead';
is $s->req(POST => '/v2/small/app/blobs/uploads/?mount=' . sha256('z' x 2000))->status, 202, 'also without a source';
is $s->req(POST => '/v2/open/else/blobs/uploads/?mount=' . sha256('z' x 2000) . '&from=open/app')->status, 201, 'where it may be, it is mounted';

# max_manifest
$s->push_blob($_, '{}') for 'small/app', 'other', 'huge';
my $big = image('n' x 1500);
for my $chunked (0, 1) {
	my $how = $chunked ? 'chunked' : 'with a length';
	refused_is put('small/app', 'big', $big, chunked => $chunked), 413, 'SIZE_INVALID', qr{^a manifest may have at most 1024 bytes: the rule for "small/\*\*" says so$}, "max_manifest: a bigger one is refused ($how)";
	is put('other', 'big', $big, chunked => $chunked)->status, 201, "elsewhere it is stored ($how)";
	is put('huge', 'big', image('n' x 5000), chunked => $chunked)->status, 413, "no rule lets one in that is too big for the registry ($how)";
}
error_is put('huge', 'big', image('n' x 5000)), 413, 'SIZE_INVALID', 'which is said without naming a rule';

# max_tags
is put('small/app', $_, image(1))->status, 201, "max_tags: tag $_ is set" for 1 .. 3;
my $full = qr{^too many tags: the rule for "small/\*\*" allows 3$};
refused_is put('small/app', 4, image(2)), 403, 'DENIED', $full, 'a fourth is refused, and the rule named';
error_is $s->req(GET => '/v2/small/app/manifests/' . sha256(image(2))), 404, 'MANIFEST_UNKNOWN', 'its manifest is not stored';
is put('small/app', 3, image(2))->status, 201, 'a tag that exists is moved';
is put('small/app', 3, image(2))->status, 201, 'and pushed again';
is put('small/app', sha256(image(3)), image(3))->status, 201, 'a manifest without a tag is stored';
refused_is put('small/app', sha256(image(3)) . '?tag=1&tag=4', image(3)), 403, 'DENIED', $full, 'tags by parameter count';
is put('small/app', sha256(image(3)) . '?tag=1&tag=2', image(3))->status, 201, 'those that exist do not';
$s->push_blob('small/new', '{}');
refused_is put('small/new', sha256(image(1)) . '?' . join('&', map { "tag=$_" } 1 .. 4), image(1)), 403, 'DENIED', $full, 'more at once than a new repository may have are refused';
is put('small/new', sha256(image(1)) . '?' . join('&', map { "tag=$_" } 1 .. 3), image(1))->status, 201, 'as many as it may have are set';
is $s->req(DELETE => '/v2/small/app/manifests/2')->status, 202, 'a tag is deleted';
mkdir repo_dir_of($s, 'small/app') . '/_manifests/tags/leftover' or die;
is put('small/app', 4, image(4))->status, 201, 'then there is room for another one, also beside what a crash has left';
refused_is put('small/app', 5, image(4)), 403, 'DENIED', $full, 'and for one alone';
is tags_of($s, 'small/app'), '1 3 4', 'these are the tags';

my @refused = run_parallel(6, sub { return put('small/race', "t$_[0]", image(1))->status })
	if $s->push_blob('small/race', '{}');
is join(' ', sort map { ref ? $_->{died} : $_ } @refused), '201 201 201 403 403 403', 'of six at once three get in';
is leftovers($s), '', 'nothing is left in body, tmp and trash';

# The command that is asked about rights
my $access = sub { return run(program('berth'), '--config', $s->config_file, 'access', 'check', '-', @_)->{out} };
like $access->('frozen/app', 'push'), qr/^but the repository is read-only: "readonly" is true, at \S+berth\.conf:\d+$/m, '`berth access check` names the rule that says readonly';
like $access->('kept/app', 'delete'), qr/^but deletion is off: "delete" is false, at \S+berth\.conf:\d+$/m, 'and the one that says delete';
unlike $access->('open/app', 'delete'), qr/^but/m, 'and none where there is none';
done_testing;
