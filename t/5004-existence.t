#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Who has no right learns nothing: not by status, headers or body, nor by what the worker does, whether something exists.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;

my $dir = tmp_dir();
spew("$dir/htpasswd", htpasswd(stranger => 's', admin => 'a'));
my $rules = join ', ', rule('admin', '**', 'pull push delete'), rule('stranger', 'mine/*', 'pull push delete');
my $traced = !$ENV{BERTH_SANITIZERS} && have_program('strace');
my $s = Berth::Server->start(config => "delete = true; auth = { htpasswd = \"$dir/htpasswd\"; access = ( $rules ); };\n", workers => 1,
	wrap => $traced ? [qw(strace -f -qq -s 200 -e trace=%file -o), "$dir/trace"] : []);
my @admin = (headers => [basic('admin', 'a')]);
sub admin { my ($m, $p, %o) = @_; return $s->req($m, $p, %o, headers => [basic('admin', 'a'), @{ $o{headers} // [] }]) }

my $bytes = random_bytes(1000);
my $blob = sha256($bytes);
my $loc = path_of(admin(POST => '/v2/secret/app/blobs/uploads/')->header('Location'));
is admin(PUT => "$loc?digest=$blob", body => $bytes)->status, 201, 'there is a blob';
my $image = index_of(OCI_INDEX);
my $manifest = sha256($image);
is admin(PUT => '/v2/secret/app/manifests/one', body => $image, headers => ['Content-Type' => OCI_INDEX])->status, 201, 'and a manifest';
my $uuid = admin(POST => '/v2/secret/app/blobs/uploads/')->header('Docker-Upload-UUID');
my $none = sha256('none');
(my $no_uuid = $uuid) =~ tr/0-9a-f/1-9a-f0/;

# what can be compared of an answer
sub seen
{
	my ($r) = @_;

	return join "\n", $r->status, map { s{(?:secret|absent)/app}{NAME}gr } (sort grep { !/^Date:/ } split /\r?\n/, $r->raw_headers), $r->body;
}

my %is = (reference => ['one', 'none'], digest => [$blob, $none], uuid => [$uuid, $no_uuid]);
my $before = $s->tree_digest;
sub lines { return $traced ? scalar(my @l = split /\n/, slurp("$dir/trace")) : 0 }
my @callers = (['no login', []], ['an empty login', [basic('', '')]], ['a stranger', [basic('stranger', 's')]]);
$s->req(GET => '/v2/', headers => $_->[1]) for @callers;       # the worker has read the file
my $from = lines();
for my $route (grep { $_->[1] =~ /<name>/ } routes_of()) {
	my ($method, $pattern) = @$route;
	my ($tail) = $pattern =~ /<(\w+)>$/;
	for my $caller (@callers) {
		my @seen;
		for my $name ('secret/app', 'absent/app') {
			for my $i (0, 1) {
				my $path = $pattern =~ s{<name>}{$name}r =~ s{<(?:reference|digest|uuid)>}{$is{$tail}[$i]}r;
				push @seen, seen($s->req($method, $path . ($method eq 'PUT' && $tail eq 'uuid' ? "?digest=$blob" : ''), headers => $caller->[1],
					$method =~ /^P/ ? (body => 'x') : ()));
			}
		}
		is_deeply \@seen, [($seen[0]) x 4], "$caller->[0]: $method $pattern is answered alike whatever there is";
		like $seen[0], $caller->[0] eq 'a stranger' ? qr/^403\n/ : qr/^401\n/, "$caller->[0]: with a refusal";
	}
}
is $s->tree_digest, $before, 'nothing was changed';
if ($traced) {
	my @new = (split /\n/, slurp("$dir/trace"))[$from .. lines() - 1];
	is join("\n", grep { !/\Q$dir\E\/htpasswd"|, AT_EMPTY_PATH\)/ } grep { /^\d+\s+\w+\(/ } @new), '', 'the workers looked at nothing but the password file';
}

# Where they may: another repository's content is as if it were not there
my @h = (headers => [basic('stranger', 's')]);
is $s->req(POST => '/v2/mine/app/blobs/uploads/', @h)->status, 202, 'the stranger has a repository of their own';
for my $pair (["/v2/mine/app/blobs/$blob", "/v2/mine/app/blobs/$none"], ["/v2/mine/app/manifests/$manifest", "/v2/mine/app/manifests/$none"],
	["/v2/mine/app/blobs/uploads/$uuid", "/v2/mine/app/blobs/uploads/$no_uuid"]) {
	my ($a, $b) = map { my $p = $_; seen($s->req(GET => $p, @h)) =~ s/\Q@{[$p =~ m{([^\/]+)$}]}\E/X/gr } @$pair;
	is $a, $b, "GET $pair->[0]: what another repository has is unknown here";
}
for my $digest ($blob, $none) {
	my $text = image_of(OCI_MANIFEST, '{}') =~ s/sha256:[0-9a-f]{64}/$digest/r;
	my $r = $s->req(PUT => '/v2/mine/app/manifests/x', body => $text, headers => [basic('stranger', 's'), 'Content-Type' => OCI_MANIFEST]);
	error_is($r, 400, 'MANIFEST_BLOB_UNKNOWN', 'a manifest cannot name what this repository lacks, wherever else it is');
}
for my $from ('secret/app', 'absent/app', undef) {
	my @answers = map { my $r = $s->req(POST => "/v2/mine/app/blobs/uploads/?mount=$_" . ($from ? "&from=$from" : ''), @h);
		join ' ', $r->status, map { $_->[0] } sort { $a->[0] cmp $b->[0] } @{ $r->{headers} } } $blob, $none;
	is $answers[0], $answers[1], 'a mount ' . ($from ? "from $from" : 'from anywhere') . ' is answered alike whether the blob is there';
	like $answers[0], qr/^202 /, 'as an ordinary upload';
}
is $s->req(GET => "/v2/mine/app/blobs/$blob", @h)->status, 404, 'and gave nothing';
# the hidden bytes cannot be reached around the workers either
for my $path ("/_berth/blobs/sha256/" . substr($blob, 7, 2) . '/' . substr($blob, 7) . '/data', '/%5fberth/blobs/x', '/v2/../_berth/precheck') {
	is $s->req(GET => $path, @h)->status, 404, substr($path, 0, 30) . ' is not reached from outside';
}
done_testing;
