#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# From registry:2 to berth and back, as doc/OPERATING.md says, with clients that push and pull all the while: not one
# request fails, nothing is lost, and the lists are whole.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX ();
use Storable ();
use Time::HiRes qw(sleep time);
use Berth::Test;
use Berth::Check;
use Berth::Content;
use Berth::Other;

need_program('docker-registry', 'nginx');

# --- the proxy in front, with the configuration that the document gives
{
	package Front;
	no warnings 'once';

	*req = \&Berth::Server::req;
	*sock = \&Berth::Server::sock;
	sub host { return "127.0.0.1:$_[0]{port}" }

	sub configure
	{
		my ($self, $default) = @_;
		my ($text) = Berth::Test::slurp(Berth::Test::source_dir() . '/doc/OPERATING.md') =~ /^```nginx\n(map .*?)^```$/ms
			or die 'doc/OPERATING.md has no configuration of a proxy';

		$text =~ s/^(\s+default\s+)\w+;/$1$default;/m or die "no default in it\n";
		$text =~ s/127\.0\.0\.1:5001/127.0.0.1:$self->{berth}/ and $text =~ s/127\.0\.0\.1:5002/127.0.0.1:$self->{other}/
			and $text =~ s/listen 5000/listen $self->{port}/ or die "other ports in it\n";
		Berth::Test::spew("$self->{dir}/nginx.conf", <<"EOT");
pid $self->{dir}/pid; error_log $self->{dir}/error.log warn; worker_processes 2; events { }
http {
	access_log off; client_body_temp_path $self->{dir}/body; proxy_temp_path $self->{dir}/proxy;
	fastcgi_temp_path $self->{dir}/f; uwsgi_temp_path $self->{dir}/u; scgi_temp_path $self->{dir}/s;
$text}
EOT
		return;
	}

	sub start
	{
		my ($self) = @_;
		my $pid = fork // die "fork: $!";

		if (!$pid) {
			$SIG{$_} = 'DEFAULT' for qw(TERM INT HUP PIPE CHLD);
			{ no warnings; exec Berth::Server::guard(), 'nginx', '-p', $self->{dir}, '-e', 'stderr', '-c', "$self->{dir}/nginx.conf", '-g', 'daemon off;' }
			POSIX::_exit(127);
		}
		$self->{pid} = $pid;
		Berth::Test::wait_for(sub { -s "$self->{dir}/pid" && IO::Socket::INET->new($self->host) }) or die "the proxy does not start\n";
		return $self;
	}

	# nginx reads it, and its workers of before have ended when this returns: what went through them is answered.
	sub switch
	{
		my ($self, $default) = @_;
		my @before = Berth::Server::children($self->{pid});

		$self->configure($default);
		kill HUP => $self->{pid};
		Berth::Test::wait_for(sub { my %now = map { ($_ => 1) } Berth::Server::children($self->{pid}); keys %now && !grep { $now{$_} } @before })
			or die "the old workers of the proxy do not end\n";
		return;
	}

	sub stop { my ($self) = @_; my $pid = delete $self->{pid}; return if !$pid; kill TERM => $pid; waitpid $pid, 0; return }
	sub DESTROY { my ($self) = @_; local ($?, $@, $!); $self->stop if $self->{owner} == $$; return }
}

my $dir = tmp_dir();
my $root = "$dir/store";
mkdir $root;
mkdir "$dir/front";
chmod 0755, $dir, "$dir/front";
my $old = Berth::Other->new(root => $root)->start;
my $front = bless { dir => "$dir/front", owner => $$, port => Berth::Server::free_port(), other => $old->port, berth => 1 }, 'Front';
$front->configure('old');
$front->start;

# --- the clients

my $c = Berth::Content->new;
$c->image($front, 'before/app', 'v1');
my $stop = "$dir/stop";

# What one client does until it is told to end: { content, requests, faults }. It stops at the first fault.
sub client
{
	my ($i) = @_;
	my $mine = Berth::Content->new;
	my ($n, $requests) = (0, 0);
	my $req = sub {
		my ($want, $method, $path, @o) = @_;
		my $r = $front->req($method, $path, @o);
		$requests++;
		die "$method $path: " . $r->as_string if $r->status != $want;
		return $r;
	};
	my $fault = eval {
		while (!-e $stop) {
			my $repo = $n % 3 ? "c$i/app" : "c$i/new$n";
			# a blob in pieces, with time to pass between them
			my $bytes = random_bytes(30_000);
			my $at = $req->(202, POST => "/v2/$repo/blobs/uploads/", headers => ['Content-Length' => 0])->header('Location');
			for my $piece (unpack '(a10000)*', $bytes) {
				sleep rand 0.15;
				$at = $req->(202, PATCH => $at, body => $piece, headers => ['Content-Type' => 'application/octet-stream'])->header('Location');
			}
			$req->(201, PUT => Berth::Content::with_digest($at, sha256($bytes)), headers => ['Content-Length' => 0]);
			$mine->note_blob($repo, sha256($bytes), $bytes);
			my $image = $mine->image($front, $repo, "t$n", layers => [$bytes, "layer $i $n"]);
			$mine->retag($front, $repo, 'latest', $image);
			rename spew("$dir/at$i.new", ++$n), "$dir/at$i" or die "rename: $!\n";
			# pulls: what was pushed before, whoever pushed it
			for my $tag ('latest', 't' . ($n - 1)) {
				$req->(200, GET => "/v2/$repo/manifests/$tag", headers => [Accept => OCI_MANIFEST]);
			}
			$req->(200, GET => '/v2/before/app/manifests/v1', headers => [Accept => OCI_MANIFEST]);
			my ($first) = $mine->names;
			push my @broken, $mine->incomplete($front, $first, (sort keys %{ $mine->repo($first)->{manifests} })[0]);
			die "@broken\n" if length $broken[0];
		}
		1;
	} ? '' : "client $i after $requests requests: $@";
	return { content => $mine, requests => $requests, fault => $fault, pushed => $n };
}

my @client = map {
	my $i = $_;
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		Storable::store(client($i), "$dir/client$i");
		POSIX::_exit(0);
	}
	$pid;
} 0 .. 3;

# progress - each of them has pushed two more, or has ended
sub progress
{
	my @from = map { -e "$dir/at$_" ? slurp("$dir/at$_") || 0 : 0 } 0 .. 3;

	return wait_for { !grep { !-e "$dir/client$_" && (-e "$dir/at$_" && slurp("$dir/at$_") || 0) < $from[$_] + 2 } 0 .. 3 };
}

# --- there

progress();
my $b = Berth::Server->start(root => $root);
$front->{berth} = $b->port;
$front->switch('old');          # berth's address first, as in the manual: for a moment workers of the proxy with both configurations accept
my $begun = $front->req(POST => '/v2/before/app/blobs/uploads/', headers => ['Content-Length' => 0])->header('Location');
$b->req(GET => '/v2/_catalog');
is $b->req(GET => '/v2/before/app/tags/list')->json->{tags}[0], 'v1', 'berth has been asked for a list already';
$c->image($front, 'before/app', 'late');        # another one: a manifest that is pushed again is 500 at registry:2 to who reads it just then
$c->image($front, 'late/app', 'v1');
like $begun, qr/_state=(?!berth)/, 'an upload is begun at registry:2';
$begun = $front->req(PATCH => $begun, body => 'first, ', headers => ['Content-Type' => 'application/octet-stream'])->header('Location');
$front->switch('berth');
$old->stop;
run_ok(program('berth'), '--config', '/dev/null', '--root', $root, 'index', 'rebuild', 'what berth derives is made again');
is $front->req(GET => '/v2/before/app/tags/list')->body, qq({"name":"before/app","tags":["late","v1"]}\n), 'a list has what came after that';
is join(' ', grep { /late/ } @{ $front->req(GET => '/v2/_catalog?n=1000')->json->{repositories} }), 'late/app', 'and the catalog, too';
is $front->req(PUT => Berth::Content::with_digest($begun, sha256('first, last')), body => 'last',
	headers => ['Content-Type' => 'application/octet-stream'])->status, 201, 'it is finished at berth';
$c->note_blob('before/app', sha256('first, last'), 'first, last');
progress();
ok -e "$dir/client$_" ? 0 : 1, "client $_ is at work with berth" for 0 .. 3;

# --- and back

$begun = $front->req(POST => '/v2/before/app/blobs/uploads/', headers => ['Content-Length' => 0])->header('Location');
like $begun, qr/_state=berth$/, 'an upload is begun at berth';
$old->start;
$front->{other} = $old->port;
$front->switch('old');
is $front->req(PUT => Berth::Content::with_digest($begun, sha256('all')), body => 'all',
	headers => ['Content-Type' => 'application/octet-stream'])->status, 201, 'it is finished at berth, while all else goes to registry:2';
$c->note_blob('before/app', sha256('all'), 'all');
progress();
spew($stop, '');
my $requests = 0;
for my $i (0 .. 3) {
	waitpid $client[$i], 0;
	my $r = Storable::retrieve("$dir/client$i");
	is $r->{fault}, '', "not one request of client $i failed";
	cmp_ok $r->{pushed}, '>=', 6, "it pushed all the while ($r->{pushed})";
	$requests += $r->{requests};
	%{ $c->{repo} } = (%{ $c->{repo} }, %{ $r->{content}{repo} });
	%{ $c->{bytes} } = (%{ $c->{bytes} }, %{ $r->{content}{bytes} });
}
note "$requests requests";
$b->stop;
is $c->faults($old), '', 'registry:2 serves all that was pushed, by whomever';

# --- and once more, in one step: berth, started on a store that nobody serves

$front->stop;
$old->stop;
$b = Berth::Server->start(root => $root);
is $c->faults($b), '', 'and so does berth, with whole lists';
my $r = run(program('berth'), '--config', '/dev/null', '--root', $root, 'fsck', '--data');
is $r->{status}, 0, 'fsck finds nothing' or diag $r->{out} . $r->{err};

done_testing;
