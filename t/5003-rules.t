#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Every route and method there is, by every kind of caller, through nginx and without it: generated from the workers' own
# table, so that a new route cannot be forgotten.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;

my @routes = routes_of();
cmp_ok scalar(@routes), '>=', 20, 'the table has what there is to test';
is join(' ', grep { !/^(password|anybody|login|catalog|pull|push|delete|pull\+delete|relay|admin)$/ } map { $_->[2] } @routes), '', 'each says what it needs';
is join(' ', map { "$_->[0] $_->[1]" } grep { $_->[2] eq 'password' } @routes), 'GET /v2/token HEAD /v2/token POST /v2/token',
	'the token service asks for a login by itself';
my @relay = grep { $_->[2] eq 'relay' } @routes;
is join(' ', map { "$_->[0] $_->[1]" } @relay), 'GET /berth/v1/relay/settle HEAD /berth/v1/relay/settle PUT /berth/v1/relay/manifest PUT /berth/v1/relay/blob POST /berth/v1/relay/checked POST /berth/v1/relay/has', 'what the relay asks';
@routes = grep { $_->[2] !~ /^(password|relay)$/ } @routes;

my $dir = tmp_dir();
my @users = qw(stranger puller pusher deleter groupie admin);
spew("$dir/htpasswd", htpasswd(map { $_ => "$_-pw" } @users));
my $rules = join ', ', rule('puller', 'team/app', 'pull'), rule('pusher', 'team/*', 'push'), rule('deleter', '**/app', 'delete'),
	rule('@crew', 'team/**', 'pull push'), rule('admin', '**', 'pull push delete admin');
my $auth = "htpasswd = \"$dir/htpasswd\"; groups = ( { name = \"crew\"; users = [ \"groupie\" ]; } ); token = { enabled = \"on\"; };";
my $s = Berth::Server->start(config => "delete = true; fsync = \"off\"; auth = { $auth access = ( $rules ); };\n", workers => 2);
my $fcgi = Berth::FCGI->new($s->worker_socket);

# By tokens: for all that there is, for nothing, and for one action or another repository alone
my %token_for = (
	all => ['repository:team/app:pull,push,delete', 'registry:catalog:*'], nothing => [], pull => ['repository:team/app:pull'],
	push => ['repository:team/app:push'], 'delete' => ['repository:team/app:delete'], 'pull,push' => ['repository:team/app:pull,push'],
	elsewhere => ['repository:team/apple:*', 'repository:app:*', 'repository:elsewhere/app:*'], list => ['registry:catalog:*'],
);
my %scope = (pull => 'repository:team/app:pull', push => 'repository:team/app:pull,push', 'delete' => 'repository:team/app:delete', 'pull+delete' => 'repository:team/app:pull,delete', catalog => 'registry:catalog:*');

# cookie_of - a session of a user, which other requests may have ended
sub cookie_of { my ($user) = @_; return (log_in($s, $user, "$user-pw", from => from())->header('Set-Cookie') =~ /^([^;]+)/)[0] }

my %caller = (
	'no login' => [],
	'an empty login' => [basic('', '')],
	'a wrong password' => [basic('admin', 'wrong')],
	'an unknown user' => [basic('nobody', 'admin-pw')],
	'a scheme that does not exist' => [Authorization => 'Digest username="admin"'],
	'a token' => [Authorization => 'Bearer abc.def.ghi'],
	(map { $_ => [basic($_, "$_-pw")] } @users),
	(map { ("$_ by a session" => [Cookie => cookie_of($_)]) } @users),
	(map { my $u = $_; map { my $for = $_; ("$u by a token for $for" => sub { [bearer(token_of($s, [basic($u, "$u-pw")], @{ $token_for{$for} }))] }) } $u eq 'admin' ? keys %token_for : qw(all nothing) } @users),
);
my %has = (puller => 'pull', pusher => 'pull push', deleter => 'delete', groupie => 'pull push', admin => 'pull push delete');

# What must come: 401, 403, or anything but these; beside 401 the error of the challenge.
sub expected
{
	my ($caller, $need, $path) = @_;
	my ($user, $for, $session) = $caller =~ /^(\w+)(?: by a token for (\S+))?( by a session)?$/;

	return (401, 'invalid_token') if $caller eq 'a token';
	return 'in' if $need eq 'anybody' && $caller !~ /wrong|unknown|not exist/;
	return 401 if $session && $path !~ m{^/berth/v1/};      # there a cookie is nothing
	return 401 if !grep { $_ eq ($user // '') } @users;
	return !$for && $user eq 'admin' ? 'in' : 403 if $need eq 'admin';
	return 'in' if $need eq 'login' || ($need eq 'catalog' && !$for);
	return 403 if $need ne 'catalog' && grep { ($has{$user} // '') !~ /\b$_\b/ } split /\+/, $need;
	return 'in' if !$for || $for eq 'all' || !(grep { $for !~ /\b$_\b/ } split /\+/, $need) || ($for eq 'list' && $need eq 'catalog');
	return (401, 'insufficient_scope');
}

# The challenge beside 401. A request that names no host cannot be told the URL of the token service.
sub challenge_for
{
	my ($need, $error, $host, $page) = @_;

	return 'Berth-Session realm="berth"' if $page;
	return 'Basic realm="berth",charset="UTF-8"' if !$host;
	return "Bearer realm=\"http://$host/v2/token\",service=\"berth\"" . ($scope{$need} ? ",scope=\"$scope{$need}\"" : '') . ($error ? ",error=\"$error\"" : '');
}

sub admin { my ($m, $p, %o) = @_; return $s->req($m, $p, %o, headers => [basic('admin', 'admin-pw'), @{ $o{headers} // [] }]) }

my $digest = sha256('layer');
my $uuid_of_all;
sub prepare
{
	my ($want) = @_;

	return $uuid_of_all if $want && $want ne 'in' && $uuid_of_all;         # who changes nothing finds all as it was
	my $loc = path_of(admin(POST => '/v2/team/app/blobs/uploads/')->header('Location'));
	admin(PUT => "$loc?digest=$digest", body => 'layer');
	admin(PUT => '/v2/team/app/manifests/one', body => index_of(OCI_INDEX), headers => ['Content-Type' => OCI_INDEX]);
	return $uuid_of_all = admin(POST => '/v2/team/app/blobs/uploads/')->header('Docker-Upload-UUID');
}

sub path
{
	my ($path, $uuid) = @_;
	my %is = (name => 'team/app', reference => 'one', digest => $digest, uuid => $uuid);

	return $path =~ s/<(\w+)>/$is{$1} \/\/ die "what is <$1>?"/gre;
}

# What the page adds to a change below /berth/v1/, where it is not a program with a password that asks for it
sub page_headers { my ($method, $path, $caller) = @_; return $method !~ /^(GET|HEAD)$/ && $path =~ m{^/berth/} ? ('Berth-Request' => 'page', 'Sec-Fetch-Site' => 'same-origin') : () }

# from - another address each time: too many wrong passwords of one are another answer
my $clients = 0;
sub from { $clients++; return sprintf '127.1.%d.%d', $clients >> 8, $clients & 255 || 1 }

sub answer_is
{
	my ($r, $want, $title, $challenge) = @_;

	if ($want eq 'in') {
		ok $r->status != 401 && $r->status != 403 && $r->status < 500, "$title is let in" or diag $r->as_string;
	} else {
		is $r->status, $want, "$title: $want" or diag $r->as_string;
		is join('|', $r->headers('WWW-Authenticate')), $want == 401 ? $challenge : '', "$title: the challenge, where a login is wanted";
	}
}

for my $caller (sort keys %caller) {
	$caller{$caller} = $caller{$caller}->() if ref $caller{$caller} eq 'CODE';      # when it is used: it holds for five minutes
	for my $route (@routes) {
		my ($method, $pattern, $need) = @$route;
		my ($want, $error) = expected($caller, $need, $pattern);
		my @page = page_headers($method, $pattern);
		# Where a session ends, the next request needs another one.
		my $fresh = sub { $caller{$caller} = [Cookie => cookie_of($1)] if $caller =~ /^(\w+) by a session/ && "$method $pattern" eq 'DELETE /berth/v1/session'; return };
		my $uuid = prepare($want);
		my $path = path($pattern, $uuid);
		my $has_body = $method =~ /^(PUT|PATCH|POST)$/;

		for my $query ('', $method eq 'PUT' && $pattern =~ /uploads/ ? "?digest=$digest" : ()) {
			my $r = $s->req($method, "$path$query", from => from(), headers => [@{ $caller{$caller} }, @page, $has_body ? ('Content-Type' => OCI_INDEX) : ()],
				$has_body ? (body => index_of(OCI_INDEX)) : ());
			answer_is($r, $want, "$caller: $method $pattern$query", challenge_for($need, $error, $s->host, scalar @page));
			$fresh->();
			if ($want ne 'in') {
				my ($status, $code) = $want == 401 ? (401, 'UNAUTHORIZED') : (403, 'DENIED');
				if ($method eq 'HEAD') {
					is $r->body, '', "$caller: $method $pattern$query has no body";
				} else {
					error_is($r, $status, $code, "$caller: $method $pattern$query in the registry's form");
					ok $r->json->{errors}[0]{detail}, "$caller: $method $pattern$query with a detail, without which docker tries again";
				}
			}
		}
		my %param = (REMOTE_ADDR => from(), REQUEST_METHOD => $method, REQUEST_URI => path($pattern, prepare($want)), CONTENT_TYPE => OCI_INDEX, CONTENT_LENGTH => 0);
		my @h = (@{ $caller{$caller} }, @page);
		while (my ($h, $v) = splice @h, 0, 2) { $param{ 'HTTP_' . uc $h =~ tr/-/_/r } = $v }
		answer_is($fcgi->request(params => \%param), $want, "$caller, without nginx: $method $pattern", challenge_for($need, undef, undef, scalar @page));
		$fresh->();
		$param{HTTP_COOKIE} = $caller{$caller}[1] if defined $param{HTTP_COOKIE};
		my $pre = $fcgi->request(params => { %param, HTTP_HOST => $s->host, REQUEST_SCHEME => 'http', REMOTE_ADDR => from(), REQUEST_URI => path($pattern, prepare($want)), BERTH_PRECHECK => 1 });
		if ($want ne 'in') {
			is $pre->header('X-Berth-Status') // '', $want, "$caller: the precheck of $method $pattern says so";
			is $pre->header('X-Berth-Challenge') // '', $want == 401 ? challenge_for($need, $error, $s->host, scalar @page) : '', "$caller: and the challenge";
		}
		unlike $pre->header('X-Berth-Status') // '', qr/^40[13]$/, "$caller: the precheck of $method $pattern lets in" if $want eq 'in';
	}
}

# What is the relay's does not exist for anybody: as any other path that is none
for my $caller (sort keys %caller) {
	my $want = $s->req(GET => '/v2/nothing/there', from => from(), headers => $caller{$caller})->status;

	for (@relay) {
		my ($method, $path) = @$_;
		my %param = (REMOTE_ADDR => from(), REQUEST_METHOD => $method, REQUEST_URI => $path, @{ $caller{$caller} } ? ('HTTP_' . uc $caller{$caller}[0] => $caller{$caller}[1]) : ());

		is $s->req($method, $path, from => from(), headers => $caller{$caller})->status, 404, "$caller: $method $path is nothing";
		is $fcgi->request(params => \%param)->status, $want, "$caller, without nginx: $method $path is nothing";
	}
}

# The other methods, and what needs no login
for my $path (map { path($_, prepare()) } do { my %seen; grep { !$seen{$_}++ } map { $_->[1] } @routes }) {
	my $r = $s->req(OPTIONS => $path);
	is $r->status, 204, "OPTIONS $path needs no login";
	for my $method ($r->header('Allow') =~ /\w+/g) {
		next if $method eq 'OPTIONS';
		ok scalar(grep { $_->[0] eq $method && path($_->[1], 'x') =~ /^\Q@{[$path =~ s{[^\/]+\z}{}r]}\E/ } @routes), "$method $path is in the table";
	}
	is $s->req(PROPFIND => $path)->status, 405, "a method that does not exist is 405 at $path";
	is $s->req(PROPFIND => $path, from => from(), headers => [basic('admin', 'wrong')])->status, 401, "with a wrong password it is 401";
}
is $s->req(GET => '/')->status, 200, 'GET / needs no login';
is $s->req(GET => '/v2/nothing/there')->status, 404, 'what is no route is 404';
is $s->req(GET => '/v2/nothing/there', headers => [basic('admin', 'wrong')])->status, 401, 'with a wrong password it is 401';
is $s->req(GET => '/v2')->status, 301, '/v2 still leads to /v2/';

# Rules change with the configuration; without rules, and without auth
$s->config("delete = true; auth = { $auth };\n");
$s->replace_workers;
ok wait_for(sub { $s->req(GET => '/v2/x/tags/list', headers => [basic('stranger', 'stranger-pw')])->status == 404 }),
	'without rules whoever is logged in may do everything';
is $s->req(GET => '/v2/x/tags/list')->status, 401, 'and nobody else';
$s->config("delete = true;\n");
$s->replace_workers;
ok wait_for(sub { $s->req(GET => '/v2/')->status == 200 }), 'without auth everybody may';
is $s->req(GET => '/v2/', headers => [basic('x', 'y')])->status, 200, 'whatever login is sent';
done_testing;
