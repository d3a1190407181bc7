# SPDX-License-Identifier: Apache-2.0
#
# Berth::Browser: a real browser, headless: Debian's chromium, told what to do by chromedriver (WebDriver, by HTTP).
#
#   my $w = Berth::Browser->start;
#   $w->open($server->url . '/#/activity');
#   $w->until('return document.querySelectorAll(".row").length > 3') or ...
#   $w->click('.button.primary');
#
# All that it starts has one profile, in a temporary directory, and ends with the object: by the ids of the processes that
# have this profile. It knows nothing of the page but that it is one.
package Berth::Browser;

use strict;
use warnings;

use File::Temp ();
use HTTP::Tiny;
use JSON::PP ();
use MIME::Base64 ();
use POSIX ();
use Scalar::Util ();

use Berth::Server;
use Berth::Test;

my $json = JSON::PP->new->utf8->allow_nonref;
my %keys = (Tab => "\x{E004}", Enter => "\x{E007}", Escape => "\x{E00C}", Up => "\x{E013}", Down => "\x{E015}", Home => "\x{E011}", End => "\x{E010}", Shift => "\x{E008}", Space => ' ');

# Before perl takes its modules apart: a new connection to the driver needs them.
my %browsers;
END { local $?; $_->stop for grep { $_ } values %browsers }

# start: options
#   width, height   of the page in pixels (1280, 800)
#   zone            the reader's time zone (UTC)
sub start
{
	my ($class, %o) = @_;
	my $dir = File::Temp::tempdir('berth-t.XXXXXX', TMPDIR => 1);
	my $self = bless { dir => $dir, pid => $$, http => HTTP::Tiny->new(timeout => 900, keep_alive => 1) }, $class;

	$browsers{ 0 + $self } = $self;
	Scalar::Util::weaken($browsers{ 0 + $self });
	# Should this test be killed with -9, the kernel ends both.
	my @guard = Berth::Server::guard();
	spew("$dir/chromium", '#!/bin/sh' . "\n" . join(' ', 'exec', map({ "'$_'" } @guard), have_program('chromium'), '"$@"') . "\n");
	chmod 0755, "$dir/chromium";
	for my $try (1 .. 5) {
		my $port = Berth::Server::free_port();
		$self->{url} = "http://127.0.0.1:$port";
		$self->{driver} = fork // die "fork: $!";
		if (!$self->{driver}) {
			$ENV{TZ} = $o{zone} // 'UTC';
			$ENV{HOME} = $dir;
			delete @ENV{qw(http_proxy https_proxy HTTP_PROXY HTTPS_PROXY)};
			open STDIN, '<', '/dev/null' or POSIX::_exit(127);
			open STDOUT, '>', "$dir/driver.log" or POSIX::_exit(127);
			open STDERR, '>&', \*STDOUT or POSIX::_exit(127);
			{ no warnings; exec @guard, have_program('chromedriver'), "--port=$port" }
			POSIX::_exit(127);
		}
		last if wait_for(sub { $self->{http}->get("$self->{url}/status")->{success} || waitpid($self->{driver}, POSIX::WNOHANG()) });
		die "chromedriver: " . slurp("$dir/driver.log") if $try == 5;
	}
	# The limits of the driver's own are for machines that do nothing else.
	my $made = $self->call(POST => '/session', { capabilities => { alwaysMatch => {
		timeouts => { script => 600_000, pageLoad => 600_000 },
		'goog:loggingPrefs' => { browser => 'ALL' },
		'goog:chromeOptions' => { binary => "$dir/chromium", args => ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--hide-scrollbars',
			'--no-first-run', '--disable-extensions', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-proxy-server',
			"--user-data-dir=$dir/profile"] } } } });
	$self->{session} = "/session/$made->{sessionId}";
	$self->size($o{width} // 1280, $o{height} // 800);
	return $self;
}

# call - one command; dies with what the driver says if it fails
sub call
{
	my ($self, $method, $path, $body) = @_;
	my $r = $self->{http}->request($method, $self->{url} . $path, { headers => { 'Content-Type' => 'application/json' },
		$method eq 'POST' ? (content => $json->encode($body // {})) : () });
	my $said = eval { $json->decode($r->{content}) } // {};

	die "browser: $method $path: $r->{status} " . (ref $said->{value} eq 'HASH' ? $said->{value}{message} : $r->{content}) . "\n" if !$r->{success};
	return $said->{value};
}
sub post { my ($self, $path, $body) = @_; return $self->call(POST => $self->{session} . $path, $body) }
sub cdp { my ($self, $command, %p) = @_; return $self->post('/goog/cdp/execute', { cmd => $command, params => \%p }) }

# size, scheme - of the screen; what the system says about colours: light or dark
sub size
{
	my ($self, $width, $height) = @_;

	$self->cdp('Emulation.setDeviceMetricsOverride', width => 0 + $width, height => 0 + $height, deviceScaleFactor => 1, mobile => $width < 700 ? JSON::PP::true : JSON::PP::false);
	return;
}
sub scheme { my ($self, $which) = @_; $self->cdp('Emulation.setEmulatedMedia', features => [{ name => 'prefers-color-scheme', value => $which }]); return }

sub open { my ($self, $url) = @_; $self->post('/url', { url => $url }); return }

# js - run a function's body in the page; its arguments are in `arguments`. A promise is waited for.
sub js { my ($self, $body, @args) = @_; return $self->post('/execute/sync', { script => $body, args => \@args }) }

# until - wait until that is true; what it was. A page that is just being left counts as false.
sub until
{
	my ($self, $body, @args) = @_;
	my $value;
	my $came = wait_for(sub { $value = eval { $self->js($body, @args) } or select undef, undef, undef, 0.04; return $value });
	return $came;
}

# has - wait until there is such an element, with that text in it if one is given: the first, as WebDriver names it
sub has
{
	my ($self, $css, $text) = @_;

	return $self->until('const t = arguments[1]; return [...document.querySelectorAll(arguments[0])].find((e) => t === null || e.textContent.includes(t))', $css, $text);
}
sub has_now { my ($self, $css, $text) = @_; return $self->js('return [...document.querySelectorAll(arguments[0])].some((e) => e.textContent.includes(arguments[1]))', $css, $text) }
sub text { my ($self, $css) = @_; return $self->js('return document.querySelector(arguments[0])?.innerText ?? null', $css) }
sub count { my ($self, $css) = @_; return $self->js('return document.querySelectorAll(arguments[0]).length', $css) }

# find - the same, which has to be there
sub find
{
	my ($self, $css, $text) = @_;

	my $e = $self->has($css, $text) or die "browser: no $css" . (defined $text ? " with '$text'" : '') . "\n";

	return (values %$e)[0];
}

# at - do something with the element. The page may replace it meanwhile: then nothing was done, and it is done with the one that is there now.
sub at
{
	my ($self, $do, @what) = @_;

	for (1 .. 50) {
		return if eval { $do->('/element/' . $self->find(@what)); 1 };
		die $@ if $@ !~ /stale element/;
	}
	die $@;
}

# click, type, press - as a person does it: what is covered or not there cannot be clicked
sub click { my ($self, $css, $text) = @_; return $self->at(sub { $self->post("$_[0]/click") }, $css, $text) }
sub type
{
	my ($self, $css, $text) = @_;

	return $self->at(sub { $self->post("$_[0]/clear"); $self->post("$_[0]/value", { text => $text }) }, $css);
}
sub press
{
	my ($self, @names) = @_;

	for my $name (@names) {
		my @held = $name =~ /^Shift\+/ ? ($keys{Shift}) : ();
		my $key = $keys{ $name =~ s/^Shift\+//r } // $name;
		$self->post('/actions', { actions => [{ type => 'key', id => 'keyboard', actions => [(map { { type => 'keyDown', value => $_ } } @held, $key),
			(map { { type => 'keyUp', value => $_ } } $key, @held)] }] });
	}
	return;
}

# said - what the console has got since the last time, violations of the content security policy among it
sub said { my ($self) = @_; return map { "$_->{level}: $_->{message}" } @{ $self->post('/se/log', { type => 'browser' }) } }

sub shot { my ($self, $file) = @_; return spew($file, MIME::Base64::decode_base64($self->call(GET => "$self->{session}/screenshot"))) }

# own - the processes that have our profile
sub own
{
	my ($self) = @_;
	my @own;

	for my $file (glob '/proc/[0-9]*/cmdline') {
		CORE::open my $h, '<', $file or next;
		my $line = do { local $/; <$h> } // '';
		push @own, $file =~ m{/(\d+)/} if index($line, "$self->{dir}/profile") >= 0;
	}
	return @own;
}

sub stop
{
	my ($self) = @_;

	return if $$ != $self->{pid} || $self->{stopped}++;
	eval { $self->call(DELETE => $self->{session}) } if $self->{session};
	kill TERM => $self->{driver};
	wait_for(sub { waitpid($self->{driver}, POSIX::WNOHANG()) }) or kill KILL => $self->{driver};
	wait_for(sub { my @own = $self->own or return 1; kill KILL => @own; return 0 });
	File::Path::remove_tree($self->{dir});
	return;
}

sub DESTROY
{
	my ($self) = @_;
	local ($?, $@, $!);

	$self->stop;
	return;
}

1;
