# SPDX-License-Identifier: Apache-2.0
#
# What the black-box tests share beyond starting a server: the table of errors, the layout of the store, and manifests
# built by hand. Knows nothing of how a server is started.
package Berth::Check;

use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Fcntl qw(:flock);
use File::Find ();
use File::Path qw(make_path);
use JSON::PP ();
use Test::More ();
use Time::HiRes ();
use Exporter qw(import);

our @EXPORT = qw(
	error_is refused_is error_fault common_fault headers_are allow_of content_of lay_file mode_of files_below
	blob_file layer_link revision_link tag_link tag_index_link uploads_of data_dir leftovers
	lay_blob lay_manifest lay_tag serves upload_start upload_range path_of
	desc image_of index_of bytes_after_head clients_beside lock_fault lock_faults is_garbage answered patient all_pages
	OCI_MANIFEST OCI_INDEX DOCKER_MANIFEST DOCKER_LIST OCI_CONFIG OCI_LAYER EMPTY_DIGEST
);

use constant {
	OCI_MANIFEST => 'application/vnd.oci.image.manifest.v1+json',
	OCI_INDEX => 'application/vnd.oci.image.index.v1+json',
	DOCKER_MANIFEST => 'application/vnd.docker.distribution.manifest.v2+json',
	DOCKER_LIST => 'application/vnd.docker.distribution.manifest.list.v2+json',
	OCI_CONFIG => 'application/vnd.oci.image.config.v1+json',
	OCI_LAYER => 'application/vnd.oci.image.layer.v1.tar+gzip',
	EMPTY_DIGEST => 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
};

our %MESSAGE = (
	BLOB_UNKNOWN => 'blob unknown to registry',
	BLOB_UPLOAD_INVALID => 'blob upload invalid',
	BLOB_UPLOAD_UNKNOWN => 'blob upload unknown to registry',
	DIGEST_INVALID => 'provided digest did not match uploaded content',
	MANIFEST_BLOB_UNKNOWN => 'manifest references a manifest or blob unknown to registry',
	MANIFEST_INVALID => 'manifest invalid',
	MANIFEST_UNKNOWN => 'manifest unknown',
	NAME_INVALID => 'invalid repository name',
	NAME_UNKNOWN => 'repository name not known to registry',
	SIZE_INVALID => 'provided length did not match content length',
	RANGE_INVALID => 'invalid content range',
	TAG_INVALID => 'manifest tag did not match URI',
	PAGINATION_NUMBER_INVALID => 'invalid number of results requested',
	UNAUTHORIZED => 'authentication required',
	DENIED => 'requested access to the resource is denied',
	UNSUPPORTED => 'the operation is unsupported',
	TOOMANYREQUESTS => 'too many requests',
	UNAVAILABLE => 'service unavailable',
	UNKNOWN => 'unknown error',
);

# common_fault - what is wrong with the headers that every response carries; '' if nothing
sub common_fault {
	my ($r) = @_;
	my @v = $r->headers('Docker-Distribution-Api-Version');
	return 'Docker-Distribution-Api-Version is [' . join('|', @v) . ']' if "@v" ne 'registry/2.0';
	@v = $r->headers('X-Content-Type-Options');
	return 'X-Content-Type-Options is [' . join('|', @v) . ']' if "@v" ne 'nosniff';
	return 'no Date' unless defined $r->header('Date');
	return 'Content-Encoding is set' if defined $r->header('Content-Encoding');
	for ($r->headers('Location')) {
		return "Location is neither a path nor a URL: $_" unless m{^(?:https?://[^/?#]+)?/(?!/)};
	}
	return '';
}

# error_fault - what keeps a response from being the error that the contract asks for; '' if nothing
# $code may be undef: any code of the table then; $message: what the message says instead of the words of its code
sub error_fault {
	my ($r, $status, $code, $detail, $message) = @_;
	return 'status ' . $r->status . ", not $status: " . substr($r->body // '', 0, 200) if $r->status != $status;
	my $f = common_fault($r);
	return $f if $f;
	my $ct = $r->header('Content-Type') // '';
	return "Content-Type is $ct" if $ct ne 'application/json; charset=utf-8';
	my $body = $r->body;
	return "Content-Length does not fit" if defined $r->header('Content-Length') && $r->header('Content-Length') != length $body;
	return "the body does not end in one newline: $body" unless $body =~ /\}\n\z/;
	return "the body is not an error: $body" unless $body =~ /\A\{"errors":\[\{"code":"[A-Z_]+","message":"(?:[^"\\]|\\.)*"/;
	my $j = eval { JSON::PP->new->utf8->decode($body) } or return "the body is not JSON: $body";
	for my $e (@{ $j->{errors} }) {
		return "unknown code $e->{code}" unless exists $MESSAGE{ $e->{code} };
		return "code $e->{code}, not $code: $body" if defined $code && $e->{code} ne $code;
		# what a rule refuses says why in its message, and nowhere else
		my $plain = $e->{code} eq 'DENIED' && !defined $e->{detail};
		return "message of $e->{code} is '$e->{message}'" if defined $message ? $e->{message} !~ $message : $e->{message} ne $MESSAGE{ $e->{code} } && !$plain;
		return 'the message stands in the detail, too' if defined $message && defined $e->{detail};
		my @extra = grep { !/^(code|message|detail)$/ } keys %$e;
		return "extra members @extra" if @extra;
	}
	return "no detail that matches $detail: $body" if defined $detail && !grep {
		JSON::PP->new->canonical->allow_nonref->encode($_->{detail} // $_->{message}) =~ $detail } @{ $j->{errors} };
	return "a path of the disk: $body" if $body =~ m{docker/registry/v2|berth/|/tmp/};
	return 'no Allow beside 405' if $status == 405 && !defined $r->header('Allow');
	return 'no Retry-After beside ' . $status if ($status == 429 || $status == 503) && !defined $r->header('Retry-After');
	return '';
}

sub error_is {
	my ($r, $status, $code, $title, $detail) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return Test::More::is(error_fault($r, $status, $code, $detail), '', $title);
}

# refused_is - the same where a rule refuses: the message says so itself, and matches
sub refused_is {
	my ($r, $status, $code, $message, $title) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return Test::More::is(error_fault($r, $status, $code, undef, $message), '', $title);
}

# headers_are - all the named headers, each exactly once; undef: must not be there. Of Location the path counts.
sub headers_are {
	my ($r, $want, $title) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my %got;
	for my $k (keys %$want) {
		my @v = map { $k eq 'Location' ? path_of($_) : $_ } $r->headers($k);
		$got{$k} = @v ? join(' | ', @v) : undef;
	}
	return Test::More::is_deeply(\%got, $want, $title) || Test::More::diag('status ' . $r->status);
}

sub allow_of {
	my ($r) = @_;
	return join ' ', sort grep { length } split /[\s,]+/, $r->header('Allow') // '';
}

# content_of - the bytes of a file; undef where there is none
sub content_of {
	my ($f) = @_;
	open my $h, '<:raw', $f or return undef;
	local $/;
	my $d = <$h>;
	return $d // '';
}

# lay_file - a file with its directories
sub lay_file {
	my ($f, $data) = @_;
	(my $dir = $f) =~ s{/[^/]*\z}{};
	make_path($dir) unless -d $dir;
	open my $h, '>:raw', $f or die "$f: $!";
	print {$h} $data or die "$f: $!";
	close $h or die "$f: $!";
	return $f;
}

sub mode_of {
	my @st = stat $_[0] or return 'missing';
	return sprintf '%04o', $st[2] & 07777;
}

# files_below - the files (not directories) below a directory, relative to it, sorted. Some may go meanwhile, with their directories.
sub files_below {
	my ($dir) = @_;
	my @out;
	return () unless -d $dir;
	my $warn = $SIG{__WARN__} // sub { print STDERR @_ };
	local $SIG{__WARN__} = sub { $warn->(@_) if $_[0] !~ /^Can't opendir.*No such file/ };
	File::Find::find({ no_chdir => 1, wanted => sub {
		push @out, substr($_, 1 + length $dir) if !-d $_ || -l $_;
	} }, $dir);
	@out = sort @out;
	return @out;
}

# The layout of the store, as registry:2 has it.
sub data_dir { return $_[0]->root . '/docker/registry/v2' }
sub split_digest { return $_[0] =~ /^(\w+):((..)\w+)$/ }
sub blob_file { my ($alg, $hex, $two) = split_digest($_[1]); return data_dir($_[0]) . "/blobs/$alg/$two/$hex/data" }
sub repo_dir { return data_dir($_[0]) . "/repositories/$_[1]" }
sub layer_link { my ($alg, $hex) = split_digest($_[2]); return repo_dir($_[0], $_[1]) . "/_layers/$alg/$hex/link" }
sub revision_link { my ($alg, $hex) = split_digest($_[2]); return repo_dir($_[0], $_[1]) . "/_manifests/revisions/$alg/$hex/link" }
sub tag_link { return repo_dir($_[0], $_[1]) . "/_manifests/tags/$_[2]/current/link" }
sub tag_index_link { my ($alg, $hex) = split_digest($_[3]); return repo_dir($_[0], $_[1]) . "/_manifests/tags/$_[2]/index/$alg/$hex/link" }

# uploads_of - the uploads under way in a repository
sub uploads_of {
	my ($s, $repo) = @_;
	opendir my $d, repo_dir($s, $repo) . '/_uploads' or return ();
	my @names = sort grep { !/^\.\.?$/ } readdir $d;
	return @names;
}

# leftovers - what lies in berth/body, berth/tmp and berth/trash; waits for nginx to remove its names
sub leftovers {
	my ($s) = @_;
	my @left;
	my $gone = Berth::Test::wait_for(sub {
		@left = map { my $d = $_; map { "$d/$_" } files_below($s->root . "/berth/$d") } qw(body tmp trash);
		return !@left;
	});
	return $gone ? '' : "@left";
}

# lay_*: content put straight into the store, as another registry would leave it
sub lay_blob {
	my ($s, $repo, $bytes) = @_;
	my $d = 'sha256:' . sha256_hex($bytes);
	my $f = blob_file($s, $d);
	lay_file($f, $bytes) unless -e $f;
	lay_file(layer_link($s, $repo, $d), $d);
	make_path(repo_dir($s, $repo) . '/_manifests');
	return $d;
}

sub lay_manifest {
	my ($s, $repo, $bytes, @tags) = @_;
	my $d = 'sha256:' . sha256_hex($bytes);
	my $f = blob_file($s, $d);
	lay_file($f, $bytes) unless -e $f;
	make_path(repo_dir($s, $repo) . '/_layers');
	lay_file(revision_link($s, $repo, $d), $d);
	lay_tag($s, $repo, $_, $d) for @tags;
	return $d;
}

sub lay_tag {
	my ($s, $repo, $tag, $d) = @_;
	lay_file(tag_index_link($s, $repo, $tag, $d), $d);
	lay_file(tag_link($s, $repo, $tag), $d);
	return;
}

# path_of - the path of a Location, absolute or not, without the query of berth's own, which has no meaning
sub path_of {
	my ($l) = @_;
	$l =~ s{^https?://[^/]*}{};
	$l =~ s{\?_state=berth\z}{};
	return $l;
}

# serves - as long as the caller keeps what this returns, a command on that store believes that a master serves it: then its indexes
# count, which are not believed otherwise
sub serves
{
	my ($root) = @_;

	open my $lock, '+<', "$root/berth/locks/online-2" or die "$root/berth/locks/online-2: $!";
	flock $lock, LOCK_SH or die "flock: $!";
	return $lock;
}

# upload_start - POST; the upload's Location
sub upload_start {
	my ($s, $repo) = @_;
	my $r = $s->req('POST', "/v2/$repo/blobs/uploads/");
	die 'POST of an upload: ' . $r->status . ' ' . $r->body unless $r->status == 202;
	return path_of($r->header('Location'));
}

# upload_range - the Range that GET gives, or its status
sub upload_range {
	my ($s, $loc) = @_;
	my $r = $s->req('GET', $loc);
	return $r->status == 204 ? $r->header('Range') : $r->status;
}

# Manifests by hand. desc() is a piece of JSON text.
sub desc {
	my ($type, $bytes, $more) = @_;
	return sprintf '{"mediaType":"%s","digest":"sha256:%s","size":%d%s}', $type, sha256_hex($bytes), length $bytes, $more // '';
}

sub image_of {
	my ($type, $config, @layers) = @_;
	my $docker = $type eq DOCKER_MANIFEST;
	return sprintf '{"schemaVersion":2,"mediaType":"%s","config":%s,"layers":[%s]}', $type,
		desc($docker ? 'application/vnd.docker.container.image.v1+json' : OCI_CONFIG, $config),
		join(',', map { desc($docker ? 'application/vnd.docker.image.rootfs.diff.tar.gzip' : OCI_LAYER, $_) } @layers);
}

sub index_of {
	my ($type, @children) = @_;
	return sprintf '{"schemaVersion":2,"mediaType":"%s","manifests":[%s]}', $type, join(',', @children);
}

# bytes_after_head - what comes after the headers until the server closes, whatever they say: for answers without body
sub bytes_after_head {
	my ($s, $method, $path, @headers) = @_;
	my $req = "$method $path HTTP/1.1\r\nHost: registry\r\nConnection: close\r\n";
	while (my ($k, $v) = splice @headers, 0, 2) {
		$req .= "$k: $v\r\n";
	}
	my $sock = $s->sock;
	syswrite $sock, "$req\r\n";
	my $all = '';
	1 while sysread $sock, $all, 1 << 16, length $all;
	return $all =~ /\A.*?\r\n\r\n(.*)\z/s ? $1 : "no headers: $all";
}

# answered - a GET that is answered: where a worker has just been killed another one does
sub answered
{
	my ($s, $path) = @_;
	my $r;

	Berth::Test::wait_for(sub { ($r = $s->req(GET => $path))->status != 503 });
	die $r->as_string if $r->status != 200;
	return $r;
}

# patient - what the code is answered, which asks again as long as others have a lock for too long: one that stands still with it makes those that
# wait give up after three seconds (doc/STORE.md, "Locks")
sub patient(&)
{
	my ($ask) = @_;
	my $r;

	Berth::Test::wait_for(sub { ($r = $ask->())->status != 503 || $r->body !~ /(?:others are|another request is) busy with/ });
	return $r;
}

# all_pages - the entries of a list of the API, from all of its pages; path: with a query
sub all_pages
{
	my ($s, $path, $member) = @_;
	my ($after, @rows) = ('');

	do {
		my $r = answered($s, "$path&after=$after");
		push @rows, @{ $r->json->{$member} };
		$after = $r->json->{next};
	} while (defined $after && @rows < 10000);
	return @rows;
}

# is_garbage - whether this kind of fault that fsck finds is what a crash may leave (doc/STORE.md): pushed again, or by fsck --repair and
# the collector, it is mended
my %GARBAGE = map { ($_ => 1) } qw(blob-without-data upload-without-start half-repository tag-index-link);
sub is_garbage { my ($kind) = @_; return $GARBAGE{$kind} }

# lock_faults - where somebody waited for locks for longer than so many requests of that run need, the longest of them, without their own waits:
# a text for each moment, whoever waited in it. Where there is none nobody holds a lock that does not need it. Events of the log, of less than a
# day; a slow machine is slow at both. lock_fault - the first; '' if there is none
sub lock_faults {
	my ($holders, @events) = @_;
	my ($own, $until, @faults) = (1, 0);

	@events = grep { ($_->{event} // '') eq 'request' } @events;
	for my $e (@events) {
		my $is = $e->{ms} - ($e->{lock_ms} // 0);
		$own = $is if $is > $own;
	}
	for my $e (grep { ($_->{lock_ms} // 0) > $holders * $own } @events) {
		my ($h, $m, $sec) = $e->{time} =~ /T(\d+):(\d+):([\d.]+)Z/ or die "a time: $e->{time}";
		my $end = ($h * 60 + $m) * 60 + $sec;
		next if $end - $e->{ms} / 1000 < $until;        # of the same moment
		$until = $end;
		push @faults, "$e->{time}: a wait of $e->{lock_ms} ms, where the longest request took $own ms by itself";
	}
	return @faults;
}
sub lock_fault { return (lock_faults(@_))[0] // '' }

# clients_beside - twenty clients that GET the image "app:one" of a name space, and push into it, from before something else is
# done in this process until after it: what that returned, what failed (nothing, in a good case), and how many requests it were
#   my ($said, $failed, $total) = clients_beside($s, space => 'hup', layer => $digest, readers => 14, sub {
#           my ($more) = @_;        # $more->(N): when N more requests have been answered; dies where that does not come
#           ...
#   });
sub clients_beside {
	my $beside = pop;
	my ($s, %o) = @_;
	my @paths = ("/v2/$o{space}/app/manifests/one", "/v2/$o{space}/app/blobs/$o{layer}", '/v2/_catalog', "/v2/$o{space}/app/tags/list");
	my ($over, $said) = ($s->dir . '/over');
	my $more = sub {
		my ($n) = @_;
		my $from = () = $s->access_log;
		Berth::Test::wait_for(sub { (() = $s->access_log) >= $from + $n }) or die "no $n requests are answered\n";
	};
	unlink $over;
	my @result = Berth::Test::run_parallel(20, sub {
		my ($i) = @_;
		my ($n, @bad) = (0);
		while (!$n || !-e $over) {
			my $r;
			$n++;
			if ($i < $o{readers}) {
				my $p = $paths[$n % 4];
				$r = eval { $s->req('GET', $p) };
				push @bad, "GET $p: " . ($r ? $r->status : $@) unless $r && $r->status == 200;
			} else {
				my $repo = "$o{space}/push$i";
				my ($bytes, $config) = ("$i $n " . 'x' x 50_000, "{\"n\":\"$i.$n\"}");
				my $ok = eval {
					$s->push_blob($repo, $_) for $bytes, $config;
					$r = $s->req('PUT', "/v2/$repo/manifests/t", headers => ['Content-Type' => OCI_MANIFEST], body => image_of(OCI_MANIFEST, $config, $bytes));
					$r->status == 201 or die 'PUT manifest: ' . $r->status;
				};
				push @bad, "push: $@" unless $ok;
			}
		}
		return "$n requests" . (@bad ? ', failed: ' . join '; ', @bad[0 .. ($#bad > 3 ? 3 : $#bad)] : '');
	}, sub {
		$said = eval { $beside->($more) } // "died: $@";
		Berth::Test::spew($over, '');
	});
	my $total = 0;
	$total += (/^(\d+)/)[0] // 0 for grep { !ref } @result;
	return ($said, [grep { /failed|died/ } map { ref $_ ? "died: $_->{died}" : $_ } @result], $total);
}

1;
