# SPDX-License-Identifier: Apache-2.0
#
# Berth::Response: one HTTP answer, taken apart without any mercy for servers that break the rules.
package Berth::Response;

use strict;
use warnings;

use IO::Select;
use JSON::PP ();
use Time::HiRes ();

# As text it is all that came; it is false where nothing came.
use overload
	'""' => sub { $_[0]{all} // "$_[0]{head}\r\n" . ($_[0]{body} // '') },
	bool => sub { !exists $_[0]{all} || $_[0]{all} ne '' },
	fallback => 1;

sub status  { return $_[0]{status} }
sub reason  { return $_[0]{reason} }
sub version { return $_[0]{version} }
sub body    { return $_[0]{body} }
sub raw_headers { return $_[0]{head} }
sub truncated { return $_[0]{truncated} }       # the body ended before its declared length
sub seconds { return $_[0]{seconds} }           # from the request's first byte to the answer's last
sub sent    { return $_[0]{sent} }              # how many bytes of the body the client got rid of

# First value of a header, undef where there is none.
sub header
{
	my ($self, $name) = @_;

	return ($self->headers($name))[0];
}

# All values of a header, in order.
sub headers
{
	my ($self, $name) = @_;

	return map { $_->[1] } grep { lc $_->[0] eq lc $name } @{ $self->{headers} };
}

sub json
{
	my ($self) = @_;

	return eval { JSON::PP->new->utf8->decode($self->{body}) };
}

# The codes of an error body, and the first of them.
sub codes
{
	my ($self) = @_;
	my $j = $self->json;

	return if ref $j ne 'HASH' || ref $j->{errors} ne 'ARRAY';
	return map { $_->{code} } grep { ref eq 'HASH' } @{ $j->{errors} };
}

sub code { return ($_[0]->codes)[0] }

# One line for diagnostics.
sub as_string
{
	my ($self) = @_;
	my $body = $self->{body} // '';

	$body = substr($body, 0, 300) . '...' if length $body > 300;
	return "$self->{head}\n$body\n";
}

# Headers of a CGI or HTTP answer as a list of pairs.
sub parse_headers
{
	my ($text) = @_;
	my @headers;

	for my $line (split /\r?\n/, $text) {
		next if $line !~ /^([^:\s]+):[ \t]*(.*?)[ \t]*$/;
		push @headers, [ $1, $2 ];
	}
	return \@headers;
}

# The first answer in bytes that were read to the end of a connection; status 0 where there is none.
sub parse
{
	my ($class, $all, %o) = @_;
	my $buf = $all;

	while ($buf =~ m{\A(HTTP/(\d\.\d) (\d{3}) ?([^\r\n]*)\r?\n(?:[^\r\n]+\r?\n)*)\r?\n}) {
		my ($head, $version, $status, $reason) = ($1, $2, $3, $4);
		substr($buf, 0, $+[0]) = '';
		next if $status < 200;
		my $self = bless { version => $version, status => $status, reason => $reason, head => $head,
			headers => parse_headers($head), all => $all, body => $buf }, $class;
		my $n = $self->header('Content-Length');
		if (lc($self->header('Transfer-Encoding') // '') eq 'chunked') {
			my $body = '';
			while ($buf =~ /\A([0-9a-fA-F]+)[^\n]*\n/) {
				my $len = hex $1;
				$body .= substr $buf, $+[0], $len;
				last if !$len;
				substr($buf, 0, $+[0] + $len + 2) = '';
			}
			$self->{body} = $body;
		} elsif (defined $n) {
			$self->{truncated} = 1 if length $buf < $n;
			$self->{body} = substr $buf, 0, $n;
		}
		return $self;
	}
	return bless { version => '', status => 0, reason => '', head => '', headers => [], all => $all,
		body => $all }, $class;
}

# See Berth::Test::read_response.
sub read
{
	my ($class, $sock, %o) = @_;
	my $end = Time::HiRes::time() + ($o{timeout} // 60);
	my $own = '';
	my $buf = $o{rest} // \$own;
	my $sel = IO::Select->new($sock);
	my $eof = 0;
	my $fill = sub {
		return 0 if $eof;
		my $left = $end - Time::HiRes::time();
		die "timeout: no answer\n" if $left <= 0 || !$sel->can_read($left);
		my $n = sysread $sock, $$buf, 1 << 20, length $$buf;
		$eof = 1 if !$n;        # a reset is an end too: what came before it counts
		return $n;
	};
	my $self;

	while (1) {
		1 while $$buf !~ /\r?\n\r?\n/ && $fill->();
		return if $$buf eq '';
		my $head;
		if ($$buf =~ /\A(.*?\r?\n)\r?\n/s) {
			$head = $1;
			substr($$buf, 0, $+[0]) = '';
		} else {
			# HTTP/0.9, or rubbish: no headers, all of it is body
			1 while $fill->();
			my $all = $$buf;
			$$buf = '';
			return bless { status => 0, reason => '', version => '', head => '', headers => [], body => $all }, $class;
		}
		my ($version, $status, $reason) = $head =~ m{\AHTTP/(\d\.\d) (\d{3}) ?([^\r\n]*)}
			or die "not an HTTP answer: $head\n";
		$self = bless { version => $version, status => $status, reason => $reason, head => $head,
			headers => parse_headers($head), body => '' }, $class;
		last if $status >= 200;
	}
	return $self if ($o{method} // '') eq 'HEAD' || $self->{status} == 204 || $self->{status} == 304;
	my $body = '';
	if (lc($self->header('Transfer-Encoding') // '') eq 'chunked') {
		while (1) {
			1 while $$buf !~ /\A([0-9a-fA-F]+)[^\n]*\n/ && $fill->();
			if ($$buf !~ s/\A([0-9a-fA-F]+)[^\n]*\n//) {
				$self->{truncated} = 1;
				last;
			}
			my $n = hex $1;
			1 while length($$buf) < $n + 2 && $fill->();
			if (length($$buf) < $n + 2) {
				$body .= $$buf;
				$$buf = '';
				$self->{truncated} = 1;
				last;
			}
			$body .= substr $$buf, 0, $n;
			substr($$buf, 0, $n + 2) = '';
			last if !$n;
		}
	} elsif (defined(my $n = $self->header('Content-Length'))) {
		1 while length($$buf) < $n && $fill->();
		$self->{truncated} = 1 if length($$buf) < $n;
		$body = substr $$buf, 0, $n;
		substr($$buf, 0, length $body) = '';
	} else {
		1 while $fill->();
		$body = $$buf;
		$$buf = '';
	}
	$self->{body} = $body;
	return $self;
}

1;
