#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Content that a disk has corrupted without changing its size: whoever pushes it again repairs it. Where a client asks first
# whether it is there, berth fsck --repair takes it away, so that the client pushes it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Check;

my $s = Berth::Server->start(config => "delete = true;\n");
my @layers = ('the layer', 'x' x 100_000);
my ($digest, $manifest) = $s->push_image('team/app', 'v1', type => 'oci', layers => \@layers);

# corrupt - one byte of stored content is another one, in place
sub corrupt
{
	my ($d) = @_;
	my $file = blob_file($s, $d);
	my $size = -s $file;

	open my $h, '+<:raw', $file or die "$file: $!";
	seek $h, $size / 2, 0;
	read $h, my $byte, 1;
	seek $h, $size / 2, 0;
	print {$h} chr(ord($byte) ^ 1);
	close $h or die "$file: $!";
	die "$file has another size" if -s $file != $size;
	return;
}

sub blob { return $s->req('GET', "/v2/team/app/blobs/" . sha256($_[0]))->body }
sub file_of { return (stat blob_file($s, sha256($_[0])))[1] }

my %push = (
	'POST with all bytes' => sub { $s->req('POST', "/v2/$_[0]/blobs/uploads/?digest=" . sha256($_[1]), body => $_[1]) },
	'PUT with all bytes' => sub { $s->req('PUT', upload_start($s, $_[0]) . '?digest=' . sha256($_[1]), body => $_[1]) },
	'PUT after a PATCH' => sub {
		my $up = upload_start($s, $_[0]);
		$s->req('PATCH', $up, body => substr($_[1], 0, 5));
		$s->req('PUT', "$up?digest=" . sha256($_[1]), body => substr $_[1], 5);
	},
	'PUT without a body after a PATCH' => sub {
		my $up = upload_start($s, $_[0]);
		$s->req('PATCH', $up, body => $_[1]);
		$s->req('PUT', "$up?digest=" . sha256($_[1]));
	},
);
for my $how (sort keys %push) {
	for my $repo ('team/app', 'team/other' . $how =~ tr/a-zA-Z//cdr =~ tr/A-Z/a-z/r) {
		for my $bytes (@layers) {
			my $begin = substr $bytes, 0, 9;
			corrupt(sha256($bytes));
			isnt blob($bytes), $bytes, "'$begin' is corrupt";
			is $push{$how}->($repo, $bytes)->status, 201, "it is pushed again to $repo by $how";
			is blob($bytes), $bytes, 'and is what it was';
		}
	}
}
is mode_of(blob_file($s, sha256($layers[0]))), mode_of(blob_file($s, $digest)), 'its file has the rights of any other';

# The file is as recent as a push, which is what keeps the collector from it.
utime 1, 1, blob_file($s, sha256($layers[0])) or die;
my $begun = time;
my $up = upload_start($s, 'team/app');
$s->req('PATCH', $up, body => $layers[0]);
utime 1, 1, data_dir($s) . '/repositories/team/app/_uploads/' . ($up =~ m{([^/]+)$})[0] . '/data' or die;
is $s->req('PUT', "$up?digest=" . sha256($layers[0]))->status, 201, 'content that is old is pushed again, in an upload that took long';
cmp_ok((stat blob_file($s, sha256($layers[0])))[9], '>=', $begun - 1, 'it is young now');

# Whoever reads meanwhile has the old file.
open my $reader, '<:raw', blob_file($s, sha256($layers[1])) or die;
is $push{'POST with all bytes'}->('team/app', $layers[1])->status, 201, 'content that is right is pushed again while somebody reads it';
is do { local $/; <$reader> }, $layers[1], 'who reads the same bytes';

# Where the directory is another user's, content stays as it is. To root only an immutable one is closed.
SKIP: {
	my $dir = blob_file($s, sha256($layers[0])) =~ s{/data$}{}r;
	my $was = file_of($layers[0]);
	my ($close, $open) = $> ? (['chmod', 'a-w'], ['chmod', 'u+w']) : (['chattr', '+i'], ['chattr', '-i']);
	skip 'this file system knows no immutable directories', 4 if run(@$close, $dir)->{status};
	my @said = map { $push{$_}->('team/app', $layers[0])->status } sort keys %push;
	run(@$open, $dir);
	is_deeply \@said, [(201) x keys %push], 'content in a directory that is not ours is pushed again';
	is file_of($layers[0]), $was, 'and stays';
	is blob($layers[0]), $layers[0], 'as it was';
	ok !(grep { ($_->{status} // 0) >= 500 } $s->log_events), 'which is no error';
}

# Manifests.
sub manifest { return $s->req('GET', "/v2/team/app/manifests/$_[0]")->body }
for my $ref ('v1', $digest, 'v2') {
	corrupt($digest);
	isnt manifest($digest), $manifest, 'a manifest is corrupt';
	is $s->push_manifest('team/app', $ref, $manifest, OCI_MANIFEST)->status, 201, "it is pushed again as $ref";
	is manifest($digest), $manifest, 'and is what it was';
}
my $inode = file_of($manifest);
is $s->push_manifest('team/app', 'v1', $manifest, OCI_MANIFEST)->status, 201, 'a manifest that is right is pushed again';
is file_of($manifest), $inode, 'its file stays';
my $d512 = sha512($manifest);
is $s->push_manifest('team/app', $d512, $manifest, OCI_MANIFEST)->status, 201, 'the same by its sha512';
corrupt($d512);
is $s->push_manifest('team/app', $d512, $manifest, OCI_MANIFEST)->status, 201, 'which is corrupt, and pushed again';
is manifest($d512), $manifest, 'is what it was, too';

# What berth fsck says has to be done, and whether that does it: a client asks first, and pushes what is not there.
my @fsck = (program('berth'), '--config', $s->config_file, '--root', $s->root, 'fsck', '--data');
sub client_pushes { return $s->req('HEAD', "/v2/team/app/blobs/" . sha256($_[0]))->status == 200 ? 'not' : $push{'POST with all bytes'}->('team/app', $_[0])->status }
corrupt(sha256($layers[0]));
is client_pushes($layers[0]), 'not', 'a client that asks first does not push what is corrupt';
my $r = run(@fsck);
like $r->{out}, qr{^blob-wrong-bytes \S+/data: its bytes do not match its digest; --repair moves it to berth/quarantine; then push it again$}m, 'berth fsck says what to do' or diag($r->{out});
$r = run(@fsck, '--repair');
like $r->{out}, qr{^blob-wrong-bytes \S+/data: .*; repaired: it is in berth/quarantine; push it again$}m, 'it does so, and says what is left to do' or diag($r->{out});
is client_pushes($layers[0]), 201, 'the client pushes it then';
is blob($layers[0]), $layers[0], 'and it is what it was';
is run(@fsck)->{status}, 0, 'nothing is wrong any more';

is leftovers($s), '', 'nothing is left in body, tmp and trash';
ok !(grep { ($_->{status} // 0) >= 500 } $s->log_events), 'no request ended with 5xx';

done_testing;
