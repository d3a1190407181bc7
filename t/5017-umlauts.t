#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Names and passwords that are not ASCII: as curl, docker and browsers send them, in UTF-8, composed or not, and in Latin-1.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Berth::Test;
use Berth::Auth;
use Berth::Check;

need_program('curl');
my $dir = tmp_dir();
chmod 0755, $dir;
# j<u umlaut>rg, gr<u umlaut><sharp s>e<euro>
my %user = (utf8 => "j\xc3\xbcrg", latin1 => "j\xfcrg", apart => "ju\xcc\x88rg");
my %password = (utf8 => "gr\xc3\xbc\xc3\x9fe", latin1 => "gr\xfc\xdfe", apart => "gru\xcc\x88\xc3\x9fe");
my $config = "auth = { htpasswd = \"$dir/htpasswd\"; access = ( " . rule("j\xc3\xbcrg", 'team/*', 'push') . " ); };\n";
spew("$dir/htpasswd", htpasswd($user{utf8} => $password{utf8}, alice => 'a', latin => $password{latin1}));
my $s = Berth::Server->start(config => $config);
sub status { my ($user, $password, $path) = @_; return $s->req(GET => $path // '/v2/team/app/tags/list', headers => [basic($user, $password)])->status }

is $s->req(GET => '/v2/')->header('WWW-Authenticate'), 'Basic realm="berth",charset="UTF-8"', 'the challenge asks for UTF-8';
for my $as (sort keys %user) {
	is status($user{$as}, $password{$_}), 404, "a name in $as and a password in $_ log in, with the rights of the name" for sort keys %password;
	is status($user{$as}, $password{$as} . 'x'), 401, "a wrong password does not ($as)";
	is status($user{$as}, 'gruesse'), 401, 'nor does one without the umlauts';
	is status($user{$as}, "gr\xc3\xbcsse"), 401, 'nor one that only looks alike';
	is run('curl', '-sS', '-o', '/dev/null', '-w', '%{http_code}', '-u', "$user{$as}:$password{$as}", $s->url . '/v2/')->{out}, 200, "curl gets in ($as)";
}
is status('jurg', $password{utf8}), 401, 'a name without its mark is another';
is status('latin', $password{$_}, '/v2/'), 200, "a hash of Latin-1 is matched by $_" for sort keys %password;
is status('alice', "a\xcc\x88", '/v2/'), 401, 'a mark more is wrong';
is status('alice', "\xff\xfe", '/v2/'), 401, 'bytes that are nothing are wrong';
my ($e) = grep { ($_->{event} // '') eq 'request' && $_->{status} == 404 } $s->log_events;
is $e->{user}, "j\x{fc}rg", 'the log has the name as the file spells it, whatever was sent';
is scalar(grep { ($_->{user} // '') =~ /rg\z/ && $_->{user} ne "j\x{fc}rg" && $_->{status} == 404 } $s->log_events), 0, 'always';

# the token service, and a client that sends a form of it
$s->config($config =~ s/htpasswd/token = { enabled = "on"; }; htpasswd/r);
$s->restart;
for my $as (sort keys %user) {
	ok length token_of($s, [basic($user{$as}, $password{$as})], 'repository:team/app:pull'), "a token is given to a login in $as";
	is $s->req(POST => '/v2/token', form(grant_type => 'password', service => 'berth', username => $user{$as}, password => $password{$as}))->status, 200, 'also by a form';
}
my $token = claims(token_of($s, [basic($user{apart}, $password{latin1})], 'repository:team/app:pull'));
is $token->{sub}, "j\x{fc}rg", 'it names the user as the file does';
$s->stop;

done_testing;
