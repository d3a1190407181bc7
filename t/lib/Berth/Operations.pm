# SPDX-License-Identifier: Apache-2.0
#
# Berth::Operations: the operations of the registry, as cases to be disturbed. For Berth::Inject.
#
#   my $case = $operation->{make}->($i);    # everything that it needs is pushed; then:
#   req     the request, as Berth::Inject takes it
#   ok      the status of its success
#   done    code, given the answer of a success: what is wrong with it or with the store now, '' if nothing
#   kept    code: what is wrong with what was acknowledged before, whatever became of the request; '' if nothing
#   anew    code: the same done from the beginning, where the API says that an upload is over; its last answer
#   gone    statuses of a second try that say that the first has done it after all; gone_when_killed: where it was killed
package Berth::Operations;

use strict;
use warnings;

use Exporter 'import';

use Berth::Check;
use Berth::Handovers;
use Berth::Test;

our @EXPORT = qw(operations blob_fault manifest_fault);

my $count = 0;
sub fresh { return sprintf '%s%d', $_[0], ++$count }
sub bytes { return fresh('some bytes of a layer ') x 20 }

sub want
{
	my ($r, $status, $what) = @_;

	return if $r && $r->status eq $status;
	die "$what: " . ($r ? $r->status . ' ' . $r->body : 'no answer') . "\n";
}

# loc(i, repo) - an upload begun
sub loc
{
	my ($i, $repo) = @_;
	my $r = $i->ask('POST', "/v2/$repo/blobs/uploads/");

	want($r, 202, 'POST');
	return path_of($r->header('Location'));
}

sub spooled { return { body => $_[0], spooled => 1, headers => $_[1] // {} } }
sub put_blob { my ($i, $repo, $bytes) = @_; return $i->ask('PUT', loc($i, $repo) . '?digest=' . sha256($bytes), spooled($bytes)) }
sub patch { my ($i, $loc, $bytes) = @_; my $r = $i->ask('PATCH', $loc, spooled($bytes)); want($r, 202, 'PATCH'); return $r }

sub manifest_put
{
	my ($repo, $ref, $text) = @_;

	return ['PUT', "/v2/$repo/manifests/$ref", { body => $text, headers => { CONTENT_TYPE => OCI_MANIFEST } }];
}

sub blob_fault
{
	my ($i, $repo, $bytes) = @_;
	my $d = sha256($bytes);
	my $r = $i->ask('HEAD', "/v2/$repo/blobs/$d");

	return "HEAD of the blob: " . $r->status if $r->status ne '200';
	return 'the blob has other bytes' if content_of(blob_file($i->server, $d)) ne $bytes;
	return '';
}

sub manifest_fault
{
	my ($i, $repo, $ref, $text) = @_;
	my $r = $i->ask('GET', "/v2/$repo/manifests/$ref");

	return "GET of manifest $ref: " . $r->status if $r->status ne '200';
	return $r->body eq $text ? '' : "manifest $ref has other bytes";
}

sub one_of { my @f = @_; return (grep { $_ eq '' } @f) ? '' : join ', nor ', @f }
sub first_of { return (grep { $_ ne '' } @_)[0] // '' }

# ---------------------------------------------------------------- uploads

# put_case - a PUT that ends an upload of these bytes
sub put_case
{
	my ($i, $repo, $bytes, $request) = @_;

	return {
		req => $request, ok => 201,
		done => sub { return blob_fault($i, $repo, $bytes) },
		anew => sub { return put_blob($i, $repo, $bytes) },
	};
}

sub put_after
{
	my ($i, $repo, $bytes, @chunks) = @_;
	my $loc = loc($i, $repo);

	patch($i, $loc, $_) for @chunks;
	my $rest = substr $bytes, length join '', @chunks;
	return put_case($i, $repo, $bytes, ['PUT', "$loc?digest=" . sha256($bytes), $rest eq '' ? {} : spooled($rest)]);
}

# patch_case - a chunk after others
sub patch_case
{
	my ($i, $repo, $bytes, @before) = @_;
	my ($loc, $digest) = (loc($i, $repo), sha256($bytes));
	my $have = length join '', @before;
	my $finish = sub {
		my $r = $i->ask('PUT', "$loc?digest=$digest");
		return $r->status eq '201' ? blob_fault($i, $repo, $bytes) : 'the PUT after it: ' . $r->status . ' ' . $r->body;
	};

	patch($i, $loc, $_) for @before;
	return {
		req => ['PATCH', $loc, spooled(substr($bytes, $have), { HTTP_CONTENT_RANGE => "$have-" . (length($bytes) - 1) })],
		ok => 202, done => $finish,
		kept => sub {
			my $r = $i->ask('GET', $loc);
			return 'the upload is ' . $r->status if $r->status ne '204';
			my ($last) = ($r->header('Range') // '') =~ /^0-(\d+)$/ or return 'the upload has no Range';
			return '' if $last == length($bytes) - 1 || $last == ($have ? $have - 1 : 0);
			return "the upload has $last of $have";
		},
		gone_when_killed => [416],      # the bytes may be there already: its Range says so
	};
}

sub upload_operations
{
	my %make = (
		'POST of an upload, new repository' => sub {
			my ($i) = @_;
			my ($repo, $bytes) = (fresh('up/new'), bytes());
			return { req => ['POST', "/v2/$repo/blobs/uploads/"], ok => 202, done => sub {
				my ($r) = @_;
				my $p = $i->ask('PUT', path_of($r->header('Location')) . '?digest=' . sha256($bytes), spooled($bytes));
				return $p->status eq '201' ? '' : 'the PUT after it: ' . $p->status;
			} };
		},
		'PATCH, the first' => sub { my ($i) = @_; return patch_case($i, 'kept/app', bytes()) },
		'PATCH, a second chunk' => sub { my ($i) = @_; my $b = bytes(); return patch_case($i, 'kept/app', $b, substr $b, 0, 100) },
		'PUT after a PATCH, new repository' => sub { my ($i) = @_; my $b = bytes(); return put_after($i, fresh('up/put'), $b, $b) },
		'PUT with body, new repository' => sub { my ($i) = @_; return put_after($i, fresh('up/whole'), bytes()) },
		'PUT after a PATCH' => sub { my ($i) = @_; my $b = bytes(); return put_after($i, 'kept/app', $b, $b) },
		'PUT with the last chunk' => sub {
			my ($i) = @_;
			my $b = bytes();
			return put_after($i, 'kept/app', $b, substr($b, 0, 50), substr $b, 50, 50);
		},
		'PUT of content that another repository has' => sub {
			my ($i) = @_;
			my $b = bytes();
			want(put_blob($i, 'kept/other', $b), 201, 'PUT');
			return put_after($i, 'kept/app', $b, $b);
		},
		'PUT in one piece of content that another repository has' => sub {
			my ($i) = @_;
			my $b = bytes();
			want(put_blob($i, 'kept/other', $b), 201, 'PUT');
			my $case = put_after($i, 'kept/app', $b);
			$case->{kept} = sub { return blob_fault($i, 'kept/other', $b) };
			return $case;
		},
		'PUT over corrupt content of the same size' => sub {
			my ($i) = @_;
			my $b = bytes();
			lay_file(blob_file($i->server, sha256($b)), 'x' x length $b);
			return put_after($i, 'kept/app', $b);
		},
		'PUT over spoilt content' => sub {
			my ($i) = @_;
			my $b = bytes();
			lay_file(blob_file($i->server, sha256($b)), 'short');
			return put_after($i, 'kept/app', $b);
		},
		'PUT of nothing' => sub { my ($i) = @_; return put_after($i, fresh('up/empty'), '') },
		'single POST' => sub {
			my ($i) = @_;
			my $b = bytes();
			return put_case($i, 'kept/app', $b, ['POST', '/v2/kept/app/blobs/uploads/?digest=' . sha256($b), spooled($b)]);
		},
		'mount' => sub {
			my ($i) = @_;
			my ($repo, $b) = (fresh('up/mount'), bytes());
			want(put_blob($i, 'kept/other', $b), 201, 'PUT');
			my $case = put_case($i, $repo, $b, ['POST', "/v2/$repo/blobs/uploads/?mount=" . sha256($b) . '&from=kept/other']);
			$case->{kept} = sub { return blob_fault($i, 'kept/other', $b) };
			return $case;
		},
		'mount without from' => sub {
			my ($i) = @_;
			my $b = bytes();
			want(put_blob($i, 'kept/other', $b), 201, 'PUT');
			return { req => ['POST', '/v2/kept/app/blobs/uploads/?mount=' . sha256($b)], ok => qr/^20[12]$/,
				done => sub { return $_[0]->status eq '201' ? blob_fault($i, 'kept/app', $b) : '' } };
		},
		'status of an upload' => sub {
			my ($i) = @_;
			my $loc = loc($i, 'kept/app');
			patch($i, $loc, 'twelve bytes');
			return { req => ['GET', $loc], ok => 204,
				done => sub { return $_[0]->header('Range') eq '0-11' ? '' : 'Range ' . $_[0]->header('Range') } };
		},
		'cancelling' => sub {
			my ($i) = @_;
			my $loc = loc($i, 'kept/app');
			patch($i, $loc, 'some bytes');
			return { req => ['DELETE', $loc], ok => 204, gone => [404],
				done => sub { my $r = $i->ask('GET', $loc); return $r->status eq '404' ? '' : 'afterwards it is ' . $r->status } };
		},
		'cancelling, where there is no repository' => sub {
			my ($i) = @_;
			my $loc = loc($i, fresh('up/cancelled') . '/deep/er');
			return { req => ['DELETE', $loc], ok => 204, gone => [404],
				done => sub { my $r = $i->ask('GET', $loc); return $r->status eq '404' ? '' : 'afterwards it is ' . $r->status } };
		},
		'precheck of a PUT' => sub {
			my ($i) = @_;
			my $loc = loc($i, 'kept/app');
			return { req => ['PUT', "$loc?digest=" . sha256('x'), { body => 'x', precheck => 1 }], ok => 204 };
		},
	);
	return map { { name => $_, make => $make{$_} } } sort keys %make;
}

# ---------------------------------------------------------------- manifests

sub text
{
	my ($more) = @_;

	return '{"schemaVersion":2,"mediaType":"' . OCI_MANIFEST . '","config":' . desc(OCI_CONFIG, '{}') . ',"layers":['
		. desc(OCI_LAYER, 'a layer') . ']' . ($more // '') . ',"annotations":{"n":"' . fresh('m') . '"}}';
}

# what manifests of these operations refer to: they are signatures of it
my $subject = text();

# tag_repository - where manifests are pushed and deleted; another one from time to time, since a long list of tags takes long
sub tag_repository
{
	my ($i) = @_;

	if ($i->{tag_repository_used}++ % 40 == 0) {
		$i->{tag_repository} = repository_for_manifests($i, fresh('kept/tags'));
		push_text($i, $i->{tag_repository}, text(), 'kept');
		push_text($i, $i->{tag_repository}, $subject, 'subject');
	}
	return $i->{tag_repository};
}

sub subject { return ',"artifactType":"application/vnd.cncf.notary.signature","subject":' . desc(OCI_MANIFEST, $subject) }

sub referrers
{
	my ($i, $repo) = @_;
	my $r = $i->ask('GET', "/v2/$repo/referrers/" . sha256($subject));

	want($r, 200, 'referrers');
	return map { $_->{digest} } @{ $r->json->{manifests} };
}

# count_anew - nothing is in doubt that an earlier kill has put there, and that would hide what the next one leaves
sub count_anew
{
	my ($i, $repo) = @_;

	unlink $i->root . "/berth/index/$repo/_summary";
	die "no summary\n" if counted_fault($i, $repo) ne '' || !-f $i->root . "/berth/index/$repo/_summary";
	return;
}

# counted_fault - the list of tags counts as many signatures of the subject as there are
sub counted_fault
{
	my ($i, $repo) = @_;
	my $r = $i->ask('GET', "/berth/v1/repos/$repo/tags?sort=name&q=subject");

	want($r, 200, 'the list of tags');
	my ($row) = grep { $_->{tag} eq 'subject' } @{ $r->json->{tags} };
	my $is = () = referrers($i, $repo);
	return ($row->{signatures} // -1) == $is ? '' : 'the list of tags counts ' . ($row->{signatures} // 'nothing') . " signatures, $is are there";
}

sub push_text
{
	my ($i, $repo, $text, @refs) = @_;

	for my $ref (@refs) {
		my $r = $i->ask(@{ manifest_put($repo, $ref, $text) });
		want($r, 201, "PUT of $ref");
	}
	return $text;
}

sub tags_of
{
	my ($i, $repo) = @_;
	my $r = $i->ask('GET', "/v2/$repo/tags/list");

	want($r, 200, 'tags/list');
	return @{ $r->json->{tags} // [] };
}

# tagged_fault - the tags point to this manifest and are listed
sub tagged_fault
{
	my ($i, $repo, $text, @tags) = @_;
	my %listed = map { $_ => 1 } tags_of($i, $repo);

	return first_of((map { manifest_fault($i, $repo, $_, $text) } sha256($text), @tags),
		map { "$_ is not listed" } grep { !$listed{$_} } @tags);
}

sub new_tag
{
	my ($i, $repo) = @_;
	my ($t, $tag) = (text(), fresh('t'));

	return { req => manifest_put($repo, $tag, $t), ok => 201, done => sub { return tagged_fault($i, $repo, $t, $tag) } };
}

sub repository_for_manifests
{
	my ($i, $repo) = @_;

	want(put_blob($i, $repo, $_), 201, 'PUT') for '{}', 'a layer';
	return $repo;
}

sub push_operations
{
	my %make = (
		'PUT of the first manifest of a repository' => sub {
			my ($i) = @_;
			return new_tag($i, repository_for_manifests($i, fresh('m/first')));
		},
		'PUT of a manifest with a new tag' => sub { my ($i) = @_; return new_tag($i, tag_repository($i)) },
		'PUT of a manifest with a tag that moves' => sub {
			my ($i) = @_;
			my $repo = tag_repository($i);
			my ($old, $new) = (text(), text());
			push_text($i, $repo, $old, 'moves');
			return { req => manifest_put($repo, 'moves', $new), ok => 201,
				done => sub { return tagged_fault($i, $repo, $new, 'moves') },
				kept => sub {
					return first_of(manifest_fault($i, $repo, sha256($old), $old),
						one_of(map { tagged_fault($i, $repo, $_, 'moves') } $old, $new));
				} };
		},
		'PUT of a manifest by digest with tags' => sub {
			my ($i) = @_;
			my $repo = tag_repository($i);
			my ($t, @tags) = (text(), fresh('p'), fresh('p'));
			return { req => manifest_put($repo, sha256($t) . '?' . join('&', map { "tag=$_" } @tags), $t), ok => 201,
				done => sub { return tagged_fault($i, $repo, $t, @tags) } };
		},
		'PUT of a manifest with a subject' => sub {
			my ($i) = @_;
			my $repo = tag_repository($i);
			my $t = text(subject());
			my $d = sha256($t);
			count_anew($i, $repo);
			return { req => manifest_put($repo, $d, $t), ok => 201, done => sub {
				return 'it is not among the referrers' if !grep { $_ eq $d } referrers($i, $repo);
				return first_of(manifest_fault($i, $repo, $d, $t), counted_fault($i, $repo));
			}, kept => sub { return counted_fault($i, $repo) } };
		},
		'PUT of a manifest that is there' => sub {
			my ($i) = @_;
			my $repo = tag_repository($i);
			my $t = push_text($i, $repo, text(), 'again');
			my $fault = sub { return tagged_fault($i, $repo, $t, 'again') };
			return { req => manifest_put($repo, 'again', $t), ok => 201, done => $fault, kept => $fault };
		},
		'PUT of a manifest over corrupt bytes' => sub {
			my ($i) = @_;
			my $repo = tag_repository($i);
			my $t = push_text($i, $repo, text(), 'again');
			lay_file(blob_file($i->server, sha256($t)), 'x' x length $t);
			return { req => manifest_put($repo, 'again', $t), ok => 201, done => sub { return tagged_fault($i, $repo, $t, 'again') } };
		},
	);
	return map { { name => $_, make => $make{$_} } } sort keys %make;
}

# deleted - a manifest with two tags and a subject, and its deletion
sub deleted
{
	my ($i, $repo) = @_;
	my ($t, @tags) = (text(subject()), fresh('d'), fresh('d'));
	my $d = sha256($t);
	my $left = sub {
		my %listed = map { $_ => 1 } tags_of($i, $repo), referrers($i, $repo);
		return join ', ', map { "$_ is still listed" } grep { $listed{$_} } @tags, $d;
	};

	push_text($i, $repo, $t, @tags);
	count_anew($i, $repo);
	return { req => ['DELETE', "/v2/$repo/manifests/$d"], ok => 202, gone => [404],
		done => sub {
			my @there = grep { $i->ask('GET', "/v2/$repo/manifests/$_")->status ne '404' } @tags, $d;
			return @there ? "@there: still there" : first_of($left->(), counted_fault($i, $repo));
		},
		kept => sub {
			my $whole = $i->ask('GET', "/v2/$repo/manifests/$d")->status;
			for my $tag (@tags) {
				my $st = $i->ask('GET', "/v2/$repo/manifests/$tag")->status;
				return "$tag is $st, the manifest $whole" if $st eq '200' && $whole ne '200' || $st !~ /^(200|404)$/;
			}
			return first_of($whole eq '404' ? $left->() : '', counted_fault($i, $repo));
		} };
}

sub delete_operations
{
	my %make = (
		'DELETE of a manifest' => sub { my ($i) = @_; return deleted($i, tag_repository($i)) },
		'DELETE of a tag' => sub {
			my ($i) = @_;
			my $repo = tag_repository($i);
			my ($t, $tag) = (text(), fresh('g'));
			push_text($i, $repo, $t, $tag, 'other-tag');
			my $kept = sub { return tagged_fault($i, $repo, $t, 'other-tag') };
			return { req => ['DELETE', "/v2/$repo/manifests/$tag"], ok => 202, gone => [404], kept => $kept,
				done => sub {
					return first_of($kept->(), map { "$_ is still listed" } grep { $_ eq $tag } tags_of($i, $repo));
				} };
		},
		'DELETE of a blob' => sub {
			my ($i) = @_;
			my $b = bytes();
			want(put_blob($i, $_, $b), 201, 'PUT') for 'kept/app', 'kept/other';
			my $kept = sub { return blob_fault($i, 'kept/other', $b) };
			my $path = '/v2/kept/app/blobs/' . sha256($b);
			return { req => ['DELETE', $path], ok => 202, gone => [404], kept => $kept, done => sub {
				my $st = $i->ask('HEAD', $path)->status;
				return $st eq '404' ? $kept->() : "it is $st";
			} };
		},
	);
	return map { { name => $_, make => $make{$_} } } sort keys %make;
}

# ---------------------------------------------------------------- reading

# reading - a repository that does not change, and what is asked of it
sub read_operations
{
	my ($i) = @_;
	my $repo = repository_for_manifests($i, 'kept/read');
	my $t = push_text($i, $repo, text(), 'b', 'a', 'c');
	my $ref = text(subject());
	push_text($i, $repo, $ref, sha256($ref));
	my $d = sha256($t);
	my $blob = '/v2/kept/read/blobs/' . sha256('a layer');
	my $manifest = sub { my ($r) = @_; return $r->body eq $t && $r->header('Docker-Content-Digest') eq $d ? '' : 'other bytes: ' . $r->body };
	my $catalog = sub { return (grep { $_ eq $repo } @{ $_[0]->json->{repositories} }) ? '' : 'not listed' };
	my $tags = sub { return "@{ $_[0]->json->{tags} }" eq 'a b c' ? '' : $_[0]->body };
	my $refs = sub { return join(' ', map { $_->{digest} } @{ $_[0]->json->{manifests} }) eq sha256($ref) ? '' : $_[0]->body };
	my @list = (
		['GET of the catalog', '/v2/_catalog?n=1000', $catalog],
		['GET of the tags', '/v2/kept/read/tags/list', $tags],
		['GET of the referrers', '/v2/kept/read/referrers/' . sha256($subject), $refs],
	);
	my @get = (
		@list, ['GET of /v2/', '/v2/', undef],
		['GET of a manifest by tag', '/v2/kept/read/manifests/a', $manifest],
		['GET of a manifest by digest', "/v2/kept/read/manifests/$d", $manifest],
		['GET of a blob', $blob, sub { return ($_[0]->header('X-Accel-Redirect') // '') =~ m{/data$} ? '' : 'no file' }],
	);
	my @head = (
		['HEAD of a manifest', '/v2/kept/read/manifests/a', undef],
		['HEAD of a blob', $blob, sub { return $_[0]->header('Content-Length') eq '7' ? '' : 'another size' }],
	);
	# as after a start: what an index says is of an older time, and it is compared with the links
	my $stale = sub {
		my ($case) = @_;
		return sub {
			unlink $i->root . "/berth/index/$_" for 'kept/read/_epoch', '_catalog/epoch';
			return $case;
		};
	};
	my $read = sub { my ($method, $uri, $done) = @_; return { req => [$method, $uri], ok => 200, done => $done // sub { '' } } };
	my @op = map { my ($name, $uri, $done) = @$_; { name => $name, make => sub { return $read->('GET', $uri, $done) } } } @get;
	push @op, map { my ($name, $uri, $done) = @$_; { name => $name, make => sub { return $read->('HEAD', $uri, $done) } } } @head;
	push @op, map { my ($name, $uri, $done) = @$_;
		{ name => "$name, the first after a start", make => $stale->($read->('GET', $uri, $done)) } } @list;
	push @op, { name => 'PUT of a manifest, the first use of an index after a start', make => sub {
		my $case = { req => manifest_put($repo, 'a', $t), ok => 201, done => sub { return tagged_fault($i, $repo, $t, qw(a b c)) } };
		return $stale->($case)->();
	} };
	return @op;
}

# operations(i, group) - group: uploads, pushes, deletes, reads; handovers, links (Berth::Handovers)
sub operations
{
	my ($i, $group) = @_;
	if (!$i->{prepared}++) {
		repository_for_manifests($i, $_) for 'kept/app', 'kept/other';
	}
	return { uploads => \&upload_operations, pushes => \&push_operations, deletes => \&delete_operations,
		reads => \&read_operations, handovers => \&Berth::Handovers::handovers, links => \&Berth::Handovers::links }->{$group}->($i);
}

1;
