# SPDX-License-Identifier: Apache-2.0
#
# Berth::Bench::Login: the rows of small answers and small images, with a login in each request: a password, whose hash is
# bcrypt's of cost 10, or a token that somebody else has signed (ES256). Both sides are given the same user or token. All
# requests are for one repository, as a token is.
package Berth::Bench::Login;

use strict;
use warnings;

use Berth::Test;
use Berth::Bench;
use Berth::Bench::Pull;
use Berth::Bench::Push;
use Berth::Bench::Sides;

my %CALLED = (password => 'a password', token => 'a token');
my @PULL = ('repository:team0/app00:pull', 'repository:zz/one:pull');

# pull - requests a second with a login; the limit is docker-registry without. There is no time before counting begins: a password
# takes docker-registry longer than that where the measurement is short.
sub pull
{
	my ($what, $auth) = @_;

	return sub {
		my ($b, $side) = @_;
		my $open = $side eq 'limit';
		my $s = side_of($b, $open ? 'other' : $side, store => 'hundred', as => $open ? 'open' : $auth, $open ? () : (auth => $auth));
		my @login = $open ? () : header_of($b, $auth, @PULL);

		return $b->ask($s, Berth::Bench::Pull::paths_of($b, $what, $s, 0), H => [Berth::Bench::Pull::accept_header(), @login], w => 0)->{rate};
	};
}

# storm - images a second of so many clients
sub storm
{
	my ($clients, $auth) = @_;

	return sub {
		my ($b, $side) = @_;
		my $s = side_of($b, $side, store => 'hundred', disk => 1, as => "push $auth", auth => $auth);
		my $prefix = 'storm/' . ++$b->{pushes};
		my @login = header_of($b, $auth, map { "repository:$prefix/c$_:pull,push" } 0 .. $clients - 1);

		Berth::Bench::Push::settle($b);
		return $b->load($s, images => $prefix, c => $clients, H => \@login)->{rate};
	};
}

sub rows
{
	my ($b) = @_;
	my @rows;

	for my $auth (qw(password token)) {
		my @pull = (group => $auth, as => 'rate', unit => 'requests/s', wrk => 1);
		push @rows, { @pull, name => "manifest-$auth", title => "GET manifest by tag with $CALLED{$auth}", target => 13, mark => 1, sides => [qw(berth other limit)],
			limit => { what => 'docker-registry without login', share => 13 }, measure => pull('manifest-tag', $auth) };
		for (['blob-1k', 'GET blob, 1 KiB,'], ['blob-1m', 'GET blob, 1 MiB,'], ['tags-1', 'tags/list, 1 tag,'], ['tags-10', 'tags/list, 10 tags,'], ['base', '/v2/']) {
			my ($what, $title) = @$_;
			push @rows, { @pull, name => "$what-$auth", title => "$title with $CALLED{$auth}", measure => pull($what, $auth) };
		}
		push @rows, map { { group => "push-$auth", as => 'rate', unit => 'images/s', name => "storm-$_-$auth", needs => \&Berth::Bench::Push::needs,
			title => 'push storm with ' . $CALLED{$auth} . ", $_ " . ($_ == 1 ? 'client' : 'clients'), measure => storm($_, $auth) } } 1, 8, 32;
	}
	return @rows;
}

1;
