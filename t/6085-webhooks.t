#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Webhooks as an operator sees them: what is delivered, in which order, signed by what, tried how often, and what becomes of an event that nobody wants;
# that a receiver that is down, or an event that is refused, keeps nothing else; and what `berth hooks` does.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(hmac_sha256_hex);
use JSON::PP ();
use Berth::Test;
use Berth::Check;
use Berth::Events;
use Berth::Receiver;
use Berth::Repo;

need_program('openssl');
my $json = JSON::PP->new->utf8;
my $dir = tmp_dir();
my ($all, $some, $down) = (Berth::Receiver->start(bodies => 1), Berth::Receiver->start(bodies => 1), Berth::Receiver->start);
spew("$dir/key", "the key of a test\n");
spew("$dir/token", "Bearer geheim\n");

# pace - what all endpoints have, so that the test takes seconds. Where an event is to come once, nobody gives up who stands still for a while
my $pace = 'backoff = "1s"; backoff_max = "2s";';
my $patient = "timeout = \"60s\"; $pace";
my $conf = <<"CONF";
delete = true;
notifications = (
	{ name = "all"; url = "@{[ $all->url ]}"; actions = [ "all" ]; secret_file = "$dir/key"; $patient
	  headers = ( { name = "Authorization"; file = "$dir/token"; }, { name = "X-Where"; value = "here"; } ); },
	{ name = "some"; url = "@{[ $some->url ]}"; format = "cloudevents"; repos = [ "team/**" ]; actions = [ "push" ];
	  ignored_media_types = [ "application/vnd.oci.image.index.v1+json" ]; $patient },
	{ name = "down"; url = "@{[ $down->url ]}"; timeout = "2s"; $pace }
);
CONF
$down->down;
my $s = Berth::Server->start(config => $conf);
my $readers = $s->root . '/berth/journal/readers';

sub state_of { my ($name) = @_; return eval { $json->decode(slurp("$readers/$name")) } // {} }
sub short { return map { join ' ', grep { defined } $_->{action}, join(':', grep { defined } @$_{qw(repository tag)}), $_->{digest} } @_ }
sub logged { my ($event, $name) = @_; return grep { $_->{event} eq $event && ($_->{endpoint} // '') eq $name } $s->log_events }
# arrive - wait until a receiver has accepted an event that matches
sub arrive { my ($r, $re) = @_; return wait_for { grep { /$re/ } short($r->accepted) } }

ok wait_for { -e "$readers/all" && -e "$readers/some" && -e "$readers/down" }, 'a relay begins to deliver to each endpoint';
ok relay_pid($s), 'a child of the master';

# --- what arrives
my ($d, $m) = $s->push_image('team/app', '1');
ok arrive($all, qr{^push team/app:1}), 'a push arrives';
my @of = grep { $_->{repository} eq 'team/app' } $all->accepted;
is scalar(grep { !defined $_->{tag} && $_->{action} eq 'push' } @of), 2, 'after its blobs';
is_deeply [short($of[-1])], ["push team/app:1 $d"], 'which stand before it';
my ($d2) = $s->push_image('team/app', '1');
$s->push_image('other/app', '1');
is $s->req(DELETE => '/v2/team/app/manifests/1')->status, 202, 'a tag is removed';
is $s->req(DELETE => "/v2/team/app/manifests/$d")->status, 202, 'a manifest is removed';
berth_ok($s, 'repo', 'mv', 'other/app', 'new/app', 'a repository gets another name');
berth_ok($s, 'repo', 'rm', 'new/app', 'and is removed');
ok arrive($all, qr{^delete new/app$}), 'all of it arrives';
is_deeply [grep { !/sha256/ || /^push \S+:|delete/ } short($all->accepted)],
	["push team/app:1 $d", "push team/app:1 $d2", (grep { m{^push other/app:1 } } short($all->accepted)), 'delete team/app:1', "delete team/app $d", 'delete other/app', 'delete new/app'],
	'in its order, in the words of docker-registry';
is_deeply [$all->ids], [map { $_->{id} } events($s)], 'each event once, by the ids that the journal has';
ok arrive($some, qr{^move team/app:1}), 'another endpoint gets what it asks for';
is_deeply [short($some->accepted)], ["push team/app:1 $d", "move team/app:1 $d2"], '... and nothing else, in its own form';

# --- how
my ($r) = $all->requests;
is $r->{headers}{'content-type'}, 'application/vnd.docker.distribution.events.v1+json', 'the envelope has its media type';
is $r->{headers}{authorization}, 'Bearer geheim', 'a header has its value from a file';
is $r->{headers}{'x-where'}, 'here', 'or from the configuration';
my ($t, $v1) = ($r->{headers}{'berth-signature'} // '') =~ /^t=(\d+),v1=([0-9a-f]{64})$/;
is $v1, hmac_sha256_hex("$t.$r->{body}", 'the key of a test'), 'the signature is that of the body and its time';
like run_ok({ stdin => "$t.$r->{body}" }, 'openssl', 'dgst', '-sha256', '-hmac', 'the key of a test', 'openssl signs'), qr/= \Q$v1\E$/, 'the same, as the documentation says';
my ($printed, $command) = slurp(source_dir() . '/doc/WEBHOOKS.md') =~ /^Berth-Signature: t=\d+,v1=(\w+)\n.*?^\$[ ](printf '[^']*' \| openssl [^\n]*)/ms;
like run_ok('/bin/sh', '-c', $command, 'the example of the documentation'), qr/= \Q$printed\E$/, 'signs what it prints';
my ($c) = $some->requests;
is $c->{headers}{'content-type'}, 'application/cloudevents+json', 'one CloudEvent has its media type';
is $c->{headers}{'berth-signature'}, undef, 'without a key nothing is signed';
my $ce = $json->decode($c->{body});
is_deeply [@$ce{qw(specversion type source subject datacontenttype)}], ['1.0', 'registry.berth.push', $s->url, 'team/app:1', 'application/json'], 'it has its attributes';
is_deeply $ce->{data}, (grep { $_->{id} eq $ce->{id} } events($s))[0], 'and the event as its data';
ok !grep({ /geheim|key of a test/ } $s->log), 'no secret is in the log';

# --- one that is down keeps nobody
ok wait_for { logged('hook_fails', 'down') }, 'of a receiver that is down the log says so';
is scalar(logged('hook_fails', 'down')), 1, 'once';
ok wait_for { (state_of('down')->{in_row} // 0) >= 1 }, 'and the state';
like state_of('down')->{why}, qr/\w/, '... why';
$down->up;
ok arrive($down, qr{^delete new/app$}), 'when it is back, all that waited arrives';
is order_fault($down->accepted), '', 'in its order';
ok wait_for { logged('hook_recovered', 'down') }, 'and the log says that it works again';
$down->answers({ silent => 1 });
$s->push_image('team/app', 'silent');
ok arrive($down, qr{^push team/app:silent}), 'when it is silent all of it comes again';
ok scalar(grep { $_->{error} =~ /timed out/i } logged('hook_fails', 'down')), 'after the timeout';
ok arrive($all, qr{^push team/app:silent}), 'others have it already';

# --- tries
$all->answers({ status => 500 }, { close => 1 }, { status => 302, headers => { Location => '/elsewhere' } }, { status => 429, headers => { 'Retry-After' => 1 } });
my $reads = sub { my @x = $all->requests; @x };
my $was = () = $reads->();
$s->push_image('team/app', 'tried');
ok arrive($all, qr{^push team/app:tried}), 'what fails is tried until it is delivered';
my @tries = (($all->requests)[$was .. $was + 3]);
is_deeply [map { $_->{status} } @tries], [500, 0, 302, 429], 'whatever the receiver does';
my @first = map { [$_->{body} =~ /\{"id":"([0-9a-f-]+)","timestamp"/g] } @tries;
is_deeply [map { $_->[0] } @first], [($first[0][0]) x 4], 'with the ids that it had';
is_deeply [$all->ids], [map { $_->{id} } events($s)], 'and each is accepted once, in its order';

# --- one that is refused
$all->always({ refuse => '"tag":"bad' });
$s->push_image('team/app', $_) for 'good1', 'bad2', 'good3', 'bad4', 'good5';
ok arrive($all, qr{:good5}), 'an event that is refused does not keep those behind it';
ok wait_for { (state_of('all')->{dead} // 0) == 2 }, 'it is counted';
my @dead = map { $json->decode($_) } split /\n/, slurp("$readers/all.dead");
is_deeply [map { "$_->{what} $_->{status} $_->{event}{tag}" } @dead], ['refused 400 bad2', 'refused 400 bad4'], 'and kept';
is_deeply $dead[0]{event}, (grep { ($_->{tag} // '') eq 'bad2' } events($s))[0], 'as it was';
like $dead[0]{answer}, qr/^no: /, 'with the words of the receiver';
is_deeply [$all->ids], [map { $_->{id} } grep { ($_->{tag} // '') !~ /^bad/ } events($s)], 'all others are accepted once, in their order';
is_deeply [map { $_->{count} } logged('hook_dead_letter', 'all')], [1, 1], 'the log says so';

# --- berth hooks
$all->always({ status => 200 });
like berth_ok($s, 'hooks', 'test', 'all', 'a test')->{out}, qr/^HTTP 200 after \d+ ms$/, 'says what it got';
my $test = $json->decode((($all->requests)[-1])->{body});
is_deeply [map { ($_->{action}, $_->{target}, $_->{id} =~ /^test-/ ? 1 : 0) } @{ $test->{events} }], ['test', {}, 1], 'and sends an event that says that it is one';
$all->always({ status => 418 });
my $failed = berth($s, 'hooks', 'test', 'all');
is $failed->{status}, 1, 'a test may fail';
like $failed->{out}, qr/^failed: HTTP 418 after \d+ ms$/, '... as it says';
$all->always({ status => 200 });
is scalar(grep { $_->{id} =~ /^test-/ } $some->accepted), 0, 'others are not asked';
my $bad2 = $dead[0]{event}{id};
my ($previous) = reverse grep { $_ lt $bad2 } map { $_->{id} } events($s);
my $had = () = $all->ids;
berth_ok($s, 'hooks', 'replay', 'all', '--since', $previous, 'a replay');
my @again = map { $_->{id} } grep { $_->{id} gt $previous } events($s);
ok wait_for { my @ids = $all->ids; @ids >= $had + @again }, 'delivers again';
is_deeply [grep { !/^test/ } ($all->ids)[$had .. $had + @again - 1]], \@again, '... what follows that event, the refused ones, too, with the same ids';
$down->down;
$s->push_image('dropped/app', '1');
ok wait_for { (state_of('down')->{in_row} // 0) > 0 }, 'one is down again';
berth_ok($s, 'hooks', 'drop', 'down', 'what waits can be given up');
$down->up;
$s->push_image('kept/app', '1');
ok arrive($down, qr{^push kept/app:1}), 'it gets what comes afterwards';
is scalar(grep { ($_->{repository} // '') eq 'dropped/app' } $down->accepted), 0, 'and not what was given up';

# --- reload and restart
my @told = events($s);
ok wait_for { (state_of('all')->{next} // '') ge $told[-1]{id} }, 'the state says how far it has come';
$s->reload;
ok wait_for { grep { $_->{event} eq 'relay' && $_->{message} =~ /configuration read/ } $s->log_events }, 'the relay reads the configuration again';
$s->push_image('team/app', 'reloaded');
ok arrive($all, qr{:reloaded}), 'and goes on';
@told = events($s);
wait_for { (state_of('all')->{next} // '') ge $told[-1]{id} };          # what is under way when a relay ends comes again
$s->stop_workers;
berth_ok($s, 'tag', 'rm', 'team/app', 'reloaded', 'a command while nobody serves');
$s->start_workers;
ok arrive($all, qr{^delete team/app:reloaded$}), 'is told after the start';
my @ids = $all->ids;
is scalar(grep { ($ids[$_] // '') eq ($ids[$_ - 1] // '') } 1 .. $#ids), 0, 'nothing comes twice at once';

# --- lost
$some->down;
$s->push_image('team/lost', '1');
ok wait_for { (state_of('some')->{in_row} // 0) > 0 }, 'while a receiver is down';
kill KILL => relay_pid($s) // die 'no relay';
$s->stop_workers;
unlink $_ or die for grep { m{/[0-9a-f]{14}$} } glob $s->root . '/berth/journal/*';
$some->up;
$s->start_workers;
$s->push_image('team/app', 'after');
ok arrive($some, qr{:after}), 'and its part of the journal goes';
my @last = ($some->accepted)[-2, -1];
is_deeply [map { $_->{action} } @last], ['lost', 'push'], 'it is told that something is lost, before what follows';
is scalar(logged('hook_lost', 'some')), 1, 'and so is the log';

# --- a registry that is read-only: what a worker had left when it was killed keeps nobody
my ($segment) = reverse sort grep { m{/[0-9a-f]{14}$} } glob $s->root . '/berth/journal/*';
my $line = sub { my ($mark, $tag, $digest) = @_; qq(\n${mark}{"time":"2026-11-29T09:20:03.120Z","action":"push","repository":"team/app","tag":"$tag","digest":"$digest"}\n) };
$s->config("readonly = true;\n$conf");
$s->reload;
ok wait_for(sub { $s->req(DELETE => '/v2/team/app/manifests/after')->status == 405 }), 'a registry that has become read-only';
open my $fh, '+<', $segment or die $!;
sysseek $fh, length(slurp($segment) =~ s/\0.*//sr), 0;                  # nobody sees it shorter than it was
syswrite $fh, $line->('?', 'never', $d) . $line->('+', 'left', $d);
ok arrive($all, qr{:left}), '... delivers what is behind a change that was cut short';
is scalar(grep { ($_->{tag} // '') eq 'never' } $all->accepted), 0, '... which was not made';

done_testing;
