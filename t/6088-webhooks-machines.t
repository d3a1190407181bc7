#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Two relays on one store, as two machines have them: one delivers, the other takes over when that one dies; files of endpoints that are configured no more go
# after a while.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Berth::Test;
use Berth::Check;
use Berth::Receiver;

my $r = Berth::Receiver->start;
my $s = Berth::Server->start(config => <<"CONF");
delete = true;
relay = "off";
notifications = ( { name = "one"; url = "@{[ $r->url ]}"; actions = [ "push" ]; timeout = "60s"; } );
CONF
my $readers = $s->root . '/berth/journal/readers';
my $socket = $s->dir . '/relay.sock';
my %relay;

# relay - start one, with its log; its pid
sub relay
{
	my ($name) = @_;

	$relay{$name} = $s->spawn($s->dir . "/$name.log", Berth::Server::guard(), program('berth-relay'), '--config', $s->config_file, '--root', $s->root, '--workers', $socket);
	return $relay{$name};
}
sub says { my ($name, $re) = @_; return grep { $_->{event} eq 'hooks' && ($_->{message} // '') =~ $re } Berth::Server::decode(Berth::Server::lines($s->dir . "/$name.log")) }
sub arrives { my ($tag) = @_; return wait_for { grep { ($_->{tag} // '') eq $tag } $r->accepted } }
END { kill KILL => values %relay if %relay }

# leftovers of others, and of an endpoint that left the configuration, some days ago and long ago
mkdir $readers;
spew("$readers/$_", '') for 'relay-one.tmp', 'gone', 'gone.dead', 'gone.dead~', 'lately';
utime 1, 1, "$readers/$_" for 'gone', 'gone.dead', 'gone.dead~';
relay('first');
ok wait_for { says('first', qr/this relay delivers/) }, 'one relay delivers';
ok wait_for { -s "$readers/one" }, 'it begins';
is_deeply [sort grep { !/^\.|^one/ } map { s{.*/}{}r } glob "$readers/*"], ['lately', 'lock'], 'what others left long ago is gone';
relay('second');
$s->push_image('team/app', 'a');
ok arrives('a'), 'a push arrives';
is scalar(says('second', qr/this relay delivers/)), 0, 'another relay does not deliver';
kill KILL => $relay{first};
waitpid delete $relay{first}, 0;
$s->push_image('team/app', 'b');
ok arrives('b'), 'when the first one dies the next push arrives';
is scalar(says('second', qr/this relay delivers/)), 1, 'by the other one, which has taken over';
relay('third');
my @ids = $r->ids;
$r->always({ silent => 1 });
$s->push_image('team/app', 'c');
ok wait_for { $r->silent }, 'it asks for the one after that, so it knows of each before';
kill TERM => $relay{second};
waitpid delete $relay{second}, 0;
is $?, 0, 'which ends as it is told';
$r->always({ status => 200 });
ok arrives('c'), 'and the next one takes over';
is scalar(grep { my $id = $_; grep { $_ eq $id } @ids } ($r->ids)[scalar(@ids) .. scalar(@{ [ $r->ids ] }) - 1]), 0, 'after an end in good order nothing comes twice';
is order_fault($r->accepted), '', 'all of it in order';
kill TERM => $relay{third};
waitpid delete $relay{third}, 0;
done_testing;
