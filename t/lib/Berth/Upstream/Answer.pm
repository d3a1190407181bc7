# SPDX-License-Identifier: Apache-2.0
#
# Berth::Upstream::Answer: what the upstream of tests answers to one request: logins, manifests, tags, referrers and blobs, with the changes that a rule asks for.
# An answer: status; head, the bytes before the body; next, code that returns up to so many bytes more of the body, '' at its end; chunked; close, where the
# end of the connection is the end.
package Berth::Upstream::Answer;

use strict;
use warnings;

use IO::Compress::Gzip ();
use JSON::PP ();
use MIME::Base64 qw(decode_base64);
use Time::HiRes qw(time);

use Berth::Test ();

my $json = JSON::PP->new->utf8->canonical;

# kind - of a request: its method, and what it is for
sub kind
{
	my ($method, $path) = @_;
	my $what = $path =~ m{^/cdn/} ? 'cdn' : $path =~ m{/manifests/} ? 'manifest' : $path =~ m{/blobs/uploads} ? 'upload' : $path =~ m{/blobs/} ? 'blob'
		: $path =~ m{/tags/list} ? 'tags' : $path =~ m{/referrers/} ? 'referrers' : $path =~ m{^/token} ? 'token' : $path =~ m{^/v2/?$} ? 'v2' : 'other';

	return "$method $what";
}

# to - the answer to the request of a connection
sub to
{
	my ($self, $c) = @_;
	my $do = $c->{do};
	my $plain = defined $do->{raw} ? {} : defined $do->{status} ? { status => $do->{status}, body => $do->{body} // fault('SAID', 'as the test has it') } : usual($self, $c);

	return { status => 0, head => $do->{raw}, next => sub { '' }, close => 1 } if defined $do->{raw};
	my %h = ('Content-Type' => 'application/json', %{ $plain->{headers} // {} }, %{ $do->{headers} // {} });
	$h{'Content-Type'} = $do->{type} if defined $do->{type};
	$h{'Docker-Content-Digest'} = $do->{digest} if defined $do->{digest};
	delete $h{'Docker-Content-Digest'} if ($h{'Docker-Content-Digest'} // '') eq '';
	$h{'X-Long'} = 'x' x $do->{big_header} if $do->{big_header};
	my ($body, $file) = ($plain->{body} // '', $plain->{file});
	my $size = $file ? -s $file : length $body;
	my ($from, $to, $status) = (0, $size, $plain->{status});
	if ($file && !$do->{no_ranges} && ($c->{headers}{range} // '') =~ /^bytes=(\d+)-(\d*)$/) {
		($from, $to) = ($1, $2 ne '' && $2 < $size ? $2 + 1 : $size);
		return { status => 416, head => "HTTP/1.1 416 No\r\nContent-Range: bytes */$size\r\nContent-Length: 0\r\n\r\n", next => sub { '' } } if $from >= $size;
		$status = 206;
		$h{'Content-Range'} = sprintf 'bytes %d-%d/%d', $from, $to - 1, $size;
		($from, $to) = ($from - 1, $to - 1) if $do->{bad_range} && $from;
	}
	if ($do->{gzip}) {
		$body = Berth::Test::slurp($file) if $file;
		IO::Compress::Gzip::gzip(\(my $whole = $body), \$body);
		($file, $from, $to) = (undef, 0, length $body);
		$h{'Content-Encoding'} = 'gzip';
	}
	$to = $do->{cut} if defined $do->{cut} && $to > $do->{cut};
	$h{'Content-Length'} = $do->{says} // $to - $from;
	my $open = $do->{no_length} || $do->{endless};
	delete $h{'Content-Length'} if $open || $do->{chunked} || $status == 304;
	$h{'Transfer-Encoding'} = 'chunked' if $do->{chunked};
	$h{Connection} = 'close' if $open;
	my $none = $c->{method} eq 'HEAD' || $status == 304;
	return {
		status => $status, close => $open && !$none, chunked => $do->{chunked} && !$none,
		head => "HTTP/1.1 $status Said\r\n" . join('', map { "$_: $h{$_}\r\n" } sort keys %h) . "\r\n",
		next => $none ? sub { '' } : $do->{endless} ? sub { "\0" x $_[0] } : reader($file, $body, $from, $to),
	};
}

# reader - code that returns the bytes of a file, or of a string, piece by piece
sub reader
{
	my ($file, $body, $from, $to) = @_;
	my $fh;

	if ($file) {
		open $fh, '<:raw', $file or die "$file: $!";
		sysseek $fh, $from, 0;
	}
	return sub {
		my ($size) = @_;
		$size = $to - $from if $size > $to - $from;
		return '' if $size <= 0;
		my $piece;
		$fh ? sysread($fh, $piece, $size) : ($piece = substr $body, $from, $size);
		$from += length $piece;
		return $piece;
	};
}

sub fault { my ($code, $message) = @_; return $json->encode({ errors => [{ code => $code, message => $message }] }) }
sub unknown { my ($code) = @_; return { status => 404, body => fault($code, 'not here') } }

# usual - the answer without any change: { status, headers, body or file }
sub usual
{
	my ($self, $c) = @_;
	my ($path, $query) = $c->{path} =~ /^([^?]*)\??(.*)$/;
	my %q = form($query);

	$path =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge;
	return token($self, $c, \%q) if $path eq '/token';
	# what signs its URLs takes no other credentials
	return { status => 400, body => '<Error>only one way to authenticate</Error>' } if $path =~ s{^/cdn}{} && defined $c->{headers}{authorization};
	if ($c->{path} !~ m{^/cdn/}) {
		my $no = refusal($self, $c, $path);
		return $no if $no;
	}
	return redirect($self, $c) if $c->{do}{redirect};
	return { status => 200, body => '{}' } if $path =~ m{^/v2/?$};
	my ($repo, $what, $ref) = $path =~ m{^/v2/(.+?)/(manifests|blobs|tags|referrers)/([^/]+)$} or return unknown('UNSUPPORTED');
	my $dir = "$self->{dir}/repos/" . $repo =~ s{/}{%2F}gr;
	return unknown('NAME_UNKNOWN') if !-d $dir;
	return tags($dir, $repo, \%q) if $what eq 'tags';
	return referrers($dir, $ref, \%q) if $what eq 'referrers';
	my $digest = $what eq 'blobs' || $ref =~ /:/ ? $ref : -e "$dir/tags/$ref" ? Berth::Test::slurp("$dir/tags/$ref") : '';
	my ($hex) = $digest =~ /^sha256:([0-9a-f]{64})$/ or return unknown('MANIFEST_UNKNOWN');
	return unknown($what eq 'blobs' ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN') if !-e "$dir/$what/$hex";
	my %h = ('Docker-Content-Digest' => $digest, Etag => qq("$digest"));
	return { status => 200, headers => { %h, 'Content-Type' => 'application/octet-stream', 'Accept-Ranges' => 'bytes' }, file => "$self->{dir}/blobs/$hex" } if $what eq 'blobs';
	my ($type, $text) = split /\n/, Berth::Test::slurp("$dir/manifests/$hex"), 2;
	my $accept = $c->{headers}{accept} // '*/*';
	return unknown('MANIFEST_UNKNOWN') if $accept !~ m{\*/\*} && index($accept, $type) < 0;
	return { status => 304, headers => \%h } if !$c->{do}{no_etag} && ($c->{headers}{'if-none-match'} // '') =~ /\Q$digest\E/;
	return { status => 200, headers => { %h, 'Content-Type' => $type }, body => $text };
}

# redirect - to where the same lies without a login
sub redirect
{
	my ($self, $c) = @_;
	my $to = $c->{do}{to} // 'other';
	my %at = (other => "http://127.0.0.2:$self->{port}", same => "http://127.0.0.1:$self->{port}", relative => '');

	return { status => $c->{do}{redirect}, headers => { Location => exists $at{$to} ? "$at{$to}/cdn" . $c->{path} =~ s/\?.*//r . '?sig=abc%2Fd' : $to }, body => '' };
}

sub tags
{
	my ($dir, $repo, $q) = @_;
	my @tags = sort map { m{([^/]+)$} } grep { !/\.new$/ } glob "$dir/tags/*";
	my $all = @tags;

	@tags = grep { $_ gt $q->{last} } @tags if defined $q->{last};
	my $more = defined $q->{n} && @tags > $q->{n};
	splice @tags, $q->{n} if $more;
	return { status => 200, body => $json->encode({ name => $repo, tags => \@tags }),
		headers => $more && @tags ? { Link => qq(</v2/$repo/tags/list?n=$q->{n}&last=$tags[-1]>; rel="next") } : {} };
}

sub referrers
{
	my ($dir, $subject, $q) = @_;
	my @found;

	for my $file (sort glob "$dir/manifests/*") {
		my ($type, $text) = split /\n/, Berth::Test::slurp($file), 2;
		my $m = $json->decode($text);
		next if ($m->{subject}{digest} // '') ne $subject;
		my $artifact = $m->{artifactType} // $m->{config}{mediaType};
		next if defined $q->{artifactType} && $artifact ne $q->{artifactType};
		push @found, { mediaType => $type, digest => 'sha256:' . ($file =~ m{([^/]+)$})[0], size => length $text, artifactType => $artifact };
	}
	my $type = 'application/vnd.oci.image.index.v1+json';
	return { status => 200, headers => { 'Content-Type' => $type, defined $q->{artifactType} ? ('OCI-Filters-Applied' => 'artifactType') : () },
		body => $json->encode({ schemaVersion => 2, mediaType => $type, manifests => \@found }) };
}

# --- logins

sub form { return map { my ($k, $v) = map { tr/+/ /r =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ger } split /=/, $_, 2; ($k // '' => $v // '') } split /&/, $_[0] }

sub login
{
	my ($auth, $user, $password) = @_;

	return defined $user && defined $password && defined $auth->{users}{$user} && $auth->{users}{$user} eq $password;
}

sub basic { my ($c) = @_; return ($c->{headers}{authorization} // '') =~ /^Basic (\S+)$/ ? split(/:/, decode_base64($1), 2) : () }

# refusal - of a request without the login that the settings ask for; undef where it has it
sub refusal
{
	my ($self, $c, $path) = @_;
	my $auth = $self->known('settings')->{auth} or return;
	my ($repo) = $path =~ m{^/v2/(.+?)/(?:manifests|blobs|tags|referrers)/};

	if (($auth->{kind} // 'bearer') eq 'basic') {
		return if login($auth, basic($c));
		return { status => 401, headers => { 'WWW-Authenticate' => 'Basic realm="upstream"' }, body => fault('UNAUTHORIZED', 'log in') };
	}
	my $scope = defined $repo ? "repository:$repo:pull" : '';
	my ($given) = ($c->{headers}{authorization} // '') =~ /^Bearer (\S+)$/;
	my $t = defined $given ? $self->{tokens}{$given} : undef;
	return if $t && time < $t->{until} && ($scope eq '' || grep { $_ eq $scope } @{ $t->{scopes} });
	my %realm = (same => "http://127.0.0.1:$self->{port}/token", other => "http://127.0.0.3:$self->{port}/token", relative => '/token');
	my $realm = $auth->{realm} // 'same';
	my $say = 'Bearer realm="' . ($realm{$realm} // $realm) . '"' . (exists $auth->{service} && !defined $auth->{service} ? '' : ',service="' . ($auth->{service} // 'upstream.test') . '"')
		. ($scope eq '' ? '' : qq(,scope="$scope")) . (defined $given ? ',error="invalid_token"' : '');
	return { status => 401, headers => { 'WWW-Authenticate' => $say }, body => fault('UNAUTHORIZED', 'get a token') };
}

# token - the answer of the realm
sub token
{
	my ($self, $c, $q) = @_;
	my $auth = $self->known('settings')->{auth} or return unknown('UNSUPPORTED');
	my %q = $c->{method} eq 'POST' ? form($c->{body_in}) : %$q;
	my ($user, $password) = $c->{method} eq 'POST' ? @q{qw(username password)} : basic($c);
	my $in = login($auth, $user, $password);

	return { status => 405, headers => { Allow => $auth->{methods} }, body => '' } if defined $auth->{methods} && $auth->{methods} !~ /$c->{method}/;
	return { status => 401, body => fault('UNAUTHORIZED', 'wrong password') } if !$in && (defined $user || !$auth->{anonymous});
	my @scopes = grep { $in || !defined $auth->{private} || !/^repository:(?:$auth->{private}):/ } split / /, $q{scope} // '';
	my $name = 'token-' . ++$self->{issued} . '-' . int rand 2**31;
	my $expires = exists $auth->{expires} ? $auth->{expires} : 300;
	$self->{tokens}{$name} = { scopes => \@scopes, until => time + ($auth->{valid} // $expires // 60) };
	return { status => 200, body => $json->encode({ ($auth->{member} // 'token') => $name, defined $expires ? (expires_in => $expires) : () }) };
}

1;
