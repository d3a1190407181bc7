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
use Berth::JOSE qw(libtrust_id openssl openssl_key token);
use Berth::Other;
use Berth::TLS ();
use Berth::Bench;
use Berth::Bench::Limits;

our @EXPORT = qw(side_of workers pids store_of lay_hundred lay_tags lay_repositories lay_dirs image_1k blob_1k blob_1m blob_64m user_and_header header_of);

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

# grants - who else than a registry itself says what one may: a key, its public half as a bundle of certificates, and what the
# two sides have to be told of it. The same token is good for both.
sub grants
{
	my ($b) = @_;

	return $b->once('store of grants' => sub {
		my $dir = "$b->{dir}/grants";
		make_path($dir);
		my $key = openssl_key("$dir/key", 'p256');
		openssl('req', '-x509', '-new', '-key', $key, '-subj', '/CN=bench', '-days', '2', '-out', "$dir/bundle.pem");
		return { key => $key, bundle => "$dir/bundle.pem", realm => 'http://127.0.0.1:9/token', service => 'registry.bench', issuer => 'grants.bench' };
	});
}

# header_of - the header that logs in: by 'password', or by a 'token' for these scopes; none without either
sub header_of
{
	my ($b, $auth, @scopes) = @_;

	return () if !$auth;
	return (user_and_header())[1] if $auth eq 'password';
	my $g = grants($b);
	my @access = map { my ($type, $name, $actions) = split /:/; { type => $type, name => $name, actions => [split /,/, $actions] } } @scopes;
	my $token = token('ES256', $g->{key}, { typ => 'JWT', alg => 'ES256', kid => libtrust_id($g->{key}) },
		{ iss => $g->{issuer}, aud => $g->{service}, sub => 'bench', exp => time + 4 * 3600, nbf => time - 60, iat => time - 60, jti => 'r' . rand, access => \@access });
	return "Authorization: Bearer $token";
}

# certificate - for 127.0.0.1: (certificate, key, authority)
sub certificate
{
	my ($b) = @_;

	return @{ $b->once('store of certificates' => sub {
		my $ca = Berth::TLS->authority;
		return [$ca->certificate('/CN=127.0.0.1', 'IP:127.0.0.1'), $ca->file];
	}) };
}

# berth_of, other_of - a server on a store, by the options of side_of
sub berth_of
{
	my ($b, $root, $limits, %o) = @_;
	my ($line) = user_and_header();
	my $config = "delete = true;\n" . ($o{config} // '');
	my @args = @{ $o{nginx_args} // [] };

	if (($o{auth} // '') eq 'password') {
		my $users = spew("$b->{dir}/users", $line);
		chmod 0644, $users;
		$config .= "auth = { htpasswd = \"$users\"; };\n";
	} elsif ($o{auth}) {
		my $g = grants($b);
		$config .= 'auth = { foreign = { ' . join(' ', map { "$_ = \"$g->{$_}\";" } qw(realm service issuer bundle)) . " }; };\n";
	}
	if ($o{tls}) {
		my ($cert, $key) = certificate($b);
		push @args, 'with=tls', "certificate=$cert", "certificate_key=$key";
	}
	return Berth::Server->start(root => $root, workers => $o{workers} // workers(), nginx_extra => $limits ? $limits->nginx_extra : '',
		nginx_args => $o{address} ? sub { (@args, "listen=$o{address}:$_[0]") } : \@args, config => $config);
}

sub other_of
{
	my ($b, $root, %o) = @_;
	my ($line) = user_and_header();

	return Berth::Other->new(root => $root, cache => 1, accesslog => 1, more => $o{more}, $o{address} ? (address => $o{address}) : (),
		($o{auth} // '') eq 'password' ? (auth => spew("$b->{dir}/other.users", $line)) : $o{auth} ? (token => grants($b)) : (),
		$o{tls} ? (tls => [(certificate($b))[0, 1]]) : ())->start;
}

# side_of - a server, started when it is first wanted: 'berth', 'other' or 'limit', or a peer that runs already; options:
#   store    the name of a store_of(); both may have one of their own, or share one that is only read
#   shared   1: it is one for both
#   disk     1: it lies where stores lie that are pushed to
#   limits   1: with what stands for limits
#   config   berth's configuration, beside delete = true
#   more     text for the end of docker-registry's
#   auth     'password': with a file of one user; 'token': with the tokens of grants()
#   tls      1: with a certificate
#   address  another address to be reached at (docker-registry: instead)
#   nginx_args  more for nginx/render
#   as       a name, where there is another server of that kind with other options
sub side_of
{
	my ($b, $kind, %o) = @_;

	if ($kind =~ /^peer (.*)/) {
		my ($peer) = grep { $_->name eq $1 } @{ $b->{peers} };
		return $peer->with($b, $o{store});
	}
	my $name = join ' ', $o{as} // $o{store}, $kind;
	return $b->once($name => sub {
		my $root = store_of($b, $o{store}, $o{shared} ? 'both' : $kind eq 'limit' ? 'berth' : $kind, $o{disk})->root;
		return other_of($b, $root, %o) if $kind eq 'other';
		if ($kind eq 'limit') {
			side_of($b, 'berth', %o);
			return $b->once("$name responder", sub { die "it is made with berth\n" });
		}
		my $limits = $o{limits} ? Berth::Bench::Limits->new("$b->{dir}/limits", $o{as} // $o{store}, $root) : undef;
		my $s = berth_of($b, $root, $limits, %o);
		$b->once(($o{as} // $o{store}) . ' limit responder', sub { $limits->start($s) }) if $limits;
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

# store_of - a store by name, laid when it is first wanted: of a side, or for both; where stores lie that are pushed to, or not
sub store_of
{
	my ($b, $name, $side, $disk) = @_;

	return $b->once("store $name $side" . ($disk ? ' disk' : '') => sub {
		my $lay = __PACKAGE__->can("lay_$name") // die "there is no store '$name'\n";
		my $s = bare_store(($disk ? $b->disk : $b->{dir}) . "/$name-$side");
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

# What the store 'hundred' has: { repository => [[tag, manifest], ...] }, 100 of ten tags each and one of a single tag; and the
# blobs that are in each of them.
sub hundred_names { my ($b) = @_; return map { sprintf 'team%d/app%02d', $_ % 7, $_ } 0 .. $b->scaled(100) - 1 }

sub hundred_manifests
{
	my ($b) = @_;
	my $n = 0;

	return ((map { ($_ => [map { ["v$_", image_1k($n++)] } 0 .. 9]) } hundred_names($b)), 'zz/one' => [['v0', image_1k('one')]]);
}
sub hundred_blobs { return ('{}', blob_1k(), blob_1m(), blob_64m()) }

sub lay_hundred
{
	my ($b, $s) = @_;
	my @links = map { lay_blob($s, 'team0/app00', $_) } hundred_blobs();
	my %manifests = hundred_manifests($b);

	for my $repo (sort keys %manifests) {
		lay_file(layer_link($s, $repo, $_), $_) for @links;
		lay_manifest($s, $repo, $_->[1], $_->[0]) for @{ $manifests{$repo} };
	}
	return;
}

sub lay_hooked { return lay_hundred(@_) }
sub lay_unhooked { return lay_hundred(@_) }

# stream_file - the bytes of one large blob, made once, and their digest
sub stream_file
{
	my ($b) = @_;

	return @{ $b->once('store of the stream' => sub {
		my $file = "$b->{dir}/stream";
		my $mib = $b->scaled(1024);
		run('dd', 'if=/dev/urandom', "of=$file", 'bs=1M', "count=$mib", 'status=none')->{status} == 0 or die "cannot make $file\n";
		my ($hex) = run('openssl', 'dgst', '-sha256', '-r', $file)->{out} =~ /^(\w{64})/ or die "openssl does not hash $file\n";
		return [$file, "sha256:$hex"];
	}) };
}

sub lay_stream
{
	my ($b, $s) = @_;
	my ($file, $digest) = stream_file($b);
	my $to = Berth::Check::blob_file($s, $digest);

	make_path($to =~ s{/[^/]*\z}{}r);
	run('cp', $file, $to)->{status} == 0 or die "cannot copy $file\n";
	lay_file(layer_link($s, 'stream/app', $digest), $digest);
	make_path(data_dir($s) . '/repositories/stream/app/_manifests');
	return;
}

# lay_thousand - blobs of 64 KiB, a thousand in one repository; stores that are scaled have fewer
sub thousand { my ($b) = @_; return @{ $b->once('store of a thousand' => sub { [map { random_bytes(64 << 10) } 1 .. $b->scaled(1000)] }) } }

sub lay_thousand
{
	my ($b, $s) = @_;

	lay_blob($s, 'cold/app', $_) for thousand($b);
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
