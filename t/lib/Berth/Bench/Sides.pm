# SPDX-License-Identifier: Apache-2.0
#
# Berth::Bench::Sides: who is measured - berth, docker-registry, and the limits beside berth's own nginx - and the stores
# that they serve. Both sides are given the same bytes in the same layout, on the same file system, and write one line a
# request to a log.
package Berth::Bench::Sides;

use strict;
use warnings;

use Exporter 'import';
use File::Path qw(make_path remove_tree);
use POSIX ();

use Berth::Test;
use Berth::Check;
use Berth::GC qw(bare_store);
use Berth::Other;
use Berth::Bench;

our @EXPORT = qw(side_of workers pids store_of lay_hundred lay_tags lay_repositories lay_dirs image_1k blob_1k blob_1m blob_64m user_and_header);

my $CREDENTIALS = 'bench:a password of the bench';

# workers - as many as berth starts by itself
sub workers
{
	my $cores = () = slurp('/proc/cpuinfo') =~ /^processor/mg;

	return $cores * 2 < 4 ? 4 : $cores * 2;
}

# A user with a hash of cost 10, as a line of an htpasswd file, and the header that logs in.
sub user_and_header
{
	my ($user, $password) = split /:/, $CREDENTIALS;
	my $salt = join '', map { ('a' .. 'z')[rand 26] } 1 .. 22;

	require MIME::Base64;
	return ("$user:" . crypt($password, "\$2y\$10\$$salt") . "\n", 'Authorization: Basic ' . MIME::Base64::encode_base64($CREDENTIALS, ''));
}

# Berth::Bench::Limits: what stands for a limit: locations of berth's nginx, and a responder that does nothing. They are asked
# on berth's own port.
{
	package Berth::Bench::Limits;

	sub new
	{
		my ($class, $dir) = @_;
		my $self = bless { dir => $dir, socket => "$dir/bare.sock" }, $class;

		Berth::Test::spew("$dir/static-1k", 'x' x 1024);
		Berth::Test::spew("$dir/static-1m", Berth::Test::random_bytes(1 << 20));
		Berth::Test::spew("$dir/static-64m", Berth::Test::random_bytes(1 << 20) x 64);
		return $self;
	}

	# for server { } of nginx
	sub nginx_extra
	{
		my ($self) = @_;

		return <<"EOT";
location /bare/static/ { alias "$self->{dir}/"; sendfile on; }
location = /bare/fcgi { include berth-fastcgi.conf; fastcgi_pass unix:$self->{socket}; }
location = /bare/accel { include berth-fastcgi.conf; fastcgi_param BARE_FILE /bare/static/static-1k; fastcgi_pass unix:$self->{socket}; }
EOT
	}

	sub start
	{
		my ($self, $server) = @_;

		$self->{server} = $server;
		$self->{pid} = $server->spawn("$self->{dir}/bare.log", Berth::Server::guard(), Berth::Test::program('t/bench/bench_fcgi'), $self->{socket},
			$server->{workers});
		Berth::Test::wait_for(sub { -S $self->{socket} }) or die "the bare responder does not start\n";
		return $self;
	}

	sub port { return $_[0]{server}->port }

	sub stop
	{
		my ($self) = @_;
		my $pid = delete $self->{pid} or return;

		kill KILL => -$pid;
		waitpid $pid, 0;
		return;
	}

	sub DESTROY { local ($?, $@, $!); return $_[0]->stop }
}

# side_of - a server, started when it is first wanted: 'berth', 'other' or 'limit'; options:
#   store    the name of a store_of(); both may have one of their own, or share one that is only read
#   shared   1: it is one for both
#   config   berth's configuration, beside delete = true
#   auth     1: with a file of one user
#   as       a name, where there is another server of that kind with other options
sub side_of
{
	my ($b, $kind, %o) = @_;
	my $name = join ' ', $o{as} // $o{store}, $kind;

	return $b->once($name => sub {
		my $root = store_of($b, $o{store}, $o{shared} ? 'both' : $kind eq 'limit' ? 'berth' : $kind)->root;
		my ($line) = user_and_header();
		my $users = $o{auth} ? spew("$b->{dir}/$o{as}.users", $line) : undef;
		chmod 0644, $users if $users;
		return Berth::Other->new(root => $root, cache => 1, accesslog => 1, auth => $users)->start if $kind eq 'other';
		if ($kind eq 'limit') {
			side_of($b, 'berth', %o);
			return $b->once("$name responder", sub { die "it is made with berth\n" });
		}
		my $limits_dir = "$b->{dir}/limits";
		my $limits;
		if (!$o{as}) {
			make_path($limits_dir);
			chmod 0755, $limits_dir;
			$limits = Berth::Bench::Limits->new($limits_dir);
		}
		my $s = Berth::Server->start(root => $root, workers => $o{workers} // workers(), nginx_extra => $limits ? $limits->nginx_extra : '',
			config => "delete = true;\n" . ($o{config} // '') . ($users ? "auth = { htpasswd = \"$users\"; };\n" : ''));
		$b->once("$o{store} limit responder", sub { $limits->start($s) }) if $limits;
		return $s;
	});
}

# pids - all processes of a side
sub pids
{
	my ($side) = @_;

	return $side->{serves} if $side->isa('Berth::Other');
	$side = $side->{server} if $side->isa('Berth::Bench::Limits');
	return map { ($_, Berth::Server::children($_)) } $side->nginx_pid, $side->master_pid;
}

# store_of - a store by name, laid when it is first wanted: of a side, or for both
sub store_of
{
	my ($b, $name, $side) = @_;

	return $b->once("store $name $side" => sub {
		my $lay = __PACKAGE__->can("lay_$name") // die "there is no store '$name'\n";
		my $s = bare_store("$b->{dir}/$name-$side");
		my $t = Time::HiRes::time();
		$lay->($b, $s);
		$b->progress(sprintf '  the store %s for %s is laid in %.1f s', $name, $side, Time::HiRes::time() - $t);
		return $s;
	});
}

# The contents: the same for both sides of a run.
my %content;
sub blob_1k { return $content{k} //= random_bytes(1024) }
sub blob_1m { return $content{m} //= random_bytes(1 << 20) }
sub blob_64m { return $content{big} //= random_bytes(1 << 20) x 64 }

# image_1k - a manifest of 1024 bytes, made different by its number
sub image_1k
{
	my ($n) = @_;
	my $m = image_of(OCI_MANIFEST, '{}', blob_1k()) =~ s/\}\z/,"annotations":{"n":"$n","pad":"/r;

	return $m . 'x' x (1024 - 3 - length $m) . '"}}';
}

# lay_dirs - directories in order, and files in them: [path, bytes]; quick, for stores of many thousand names
sub lay_dirs
{
	for my $what (@_) {
		if (!ref $what) {
			mkdir $what;
			next;
		}
		open my $fh, '>', $what->[0] or die "$what->[0]: $!";
		print {$fh} $what->[1];
		close $fh or die "$what->[0]: $!";
	}
	return;
}

# lay_hundred - 100 repositories of ten tags each, manifests of 1 KiB, blobs of 1 KiB, 1 MiB and 64 MiB in each
sub lay_hundred
{
	my ($b, $s) = @_;
	my @blobs = ('{}', blob_1k(), blob_1m(), blob_64m());
	my @links = map { lay_blob($s, 'team0/app00', $_) } @blobs;
	my $n = 0;

	for my $repo (map { sprintf 'team%d/app%02d', $_ % 7, $_ } 0 .. 99) {
		lay_file(layer_link($s, $repo, $_), $_) for @links;
		lay_manifest($s, $repo, image_1k($n++), "v$_") for 0 .. 9;
	}
	return;
}

# lay_tags - a repository's tags that point to one manifest, with all that belongs to a tag
sub lay_tags
{
	my ($s, $repo, $digest, @tags) = @_;
	my ($alg, $hex) = split /:/, $digest;
	my $top = data_dir($s) . "/repositories/$repo/_manifests/tags";

	for my $t (@tags) {
		my $p = "$top/$t";
		lay_dirs($p, "$p/current", ["$p/current/link", $digest], "$p/index", "$p/index/$alg", "$p/index/$alg/$hex",
			["$p/index/$alg/$hex/link", $digest]);
	}
	return;
}

# lay_repositories - of one image each, which they all have in common
sub lay_repositories
{
	my ($s, @names) = @_;
	my $m = image_1k(0);
	my $d = sha256($m);
	my $top = data_dir($s) . '/repositories';

	lay_blob($s, $names[0], $_) for '{}', blob_1k();
	lay_manifest($s, $names[0], $m);
	for my $name (@names) {
		my $p = "$top/$name";
		my ($above) = $p =~ m{^(.*)/};
		my @parts = ($above, $p, "$p/_layers", "$p/_layers/sha256");
		for my $l (sha256('{}'), sha256(blob_1k())) {
			my $dir = "$p/_layers/" . $l =~ tr{:}{/}r;
			push @parts, $dir, ["$dir/link", $l];
		}
		my $rev = "$p/_manifests/revisions/" . $d =~ tr{:}{/}r;
		push @parts, "$p/_manifests", "$p/_manifests/revisions", "$p/_manifests/revisions/sha256", $rev, ["$rev/link", $d], "$p/_manifests/tags";
		lay_dirs(@parts);
		lay_tags($s, $name, $d, 'v1');
	}
	return $d;
}

# lay_many - 10,000 repositories, and one of 100,000 tags beside them
sub lay_many
{
	my ($b, $s) = @_;
	my $d = lay_repositories($s, 'zz-big', map { sprintf 'team%02d/app%05d', $_ % 100, $_ } 1 .. $b->scaled(10_000) - 1);

	lay_tags($s, 'zz-big', $d, map { sprintf 'v%06d', $_ } 1 .. $b->scaled(100_000));
	return;
}

# lay_among - a repository of 10,000 tags
sub lay_among
{
	my ($b, $s) = @_;
	my $d = lay_repositories($s, 'among');

	lay_tags($s, 'among', $d, map { sprintf 't%05d', $_ } 1 .. $b->scaled(10_000));
	return;
}

1;
