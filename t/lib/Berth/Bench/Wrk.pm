# SPDX-License-Identifier: Apache-2.0
#
# Berth::Bench::Wrk: the load of wrk, for rows that do nothing but ask for paths over kept connections. It knows TLS, which our
# own generator does not; it cannot do HEAD, and counts whole seconds.
package Berth::Bench::Wrk;

use strict;
use warnings;

use JSON::PP ();

use Berth::Test;
use Berth::Bench;

my ($THREADS, $CONNECTIONS) = (2, 32);

sub missing { return have_program('wrk') ? undef : 'wrk is not installed' }

# words_of - how it is called, for the conditions of a table
sub words_of
{
	my $r = run('wrk', '-v');

	return ("$r->{out}$r->{err}" =~ /wrk\s+(\S+)/ ? "wrk $1" : 'wrk') . " -t$THREADS -c$CONNECTIONS";
}

sub quoted { my ($s) = @_; return '"' . $s =~ s/([\\"])/\\$1/gr . '"' }

# script - for wrk: the requests are made before the clock runs; a single one is not even chosen
sub script
{
	my ($b, $paths, @headers) = @_;
	my $lines = () = slurp($paths) =~ /^./mg;
	my $common = join ', ', map { my ($n, $v) = split /: */, $_, 2; '[' . quoted($n) . '] = ' . quoted($v) } @headers;
	# without a function `request` wrk makes one request by itself, and sends that
	my $by_turns = $lines > 1 ? "function request()\n\tat = at % #requests + 1\n\treturn requests[at]\nend\n" : '';

	return spew("$b->{dir}/load.lua", <<"EOT");
local started = 0
function setup(thread)
	thread:set("first", started * 499)
	started = started + 1
end
function init(args)
	requests, at = {}, first
	for line in io.lines(@{[ quoted($paths) ]}) do
		local method, path, name, value = line:match("^(%S+) (%S+) ?([^:]*):? ?(.*)\$")
		local headers = { $common }
		if name ~= "" then headers[name] = value end
		requests[#requests + 1] = wrk.format(method, path, headers)
		wrk.method, wrk.path = method, path
		for n, v in pairs(headers) do wrk.headers[n] = v end
	end
end
$by_turns
function done(s, latency)
	local e = s.errors
	io.write(string.format('\\n{"units":%d,"seconds":%.6f,"bytes":%.0f,"errors":%d,"statuses":%d,"p50_ms":%.3f,"p99_ms":%.3f,"max_ms":%.3f}\\n',
		s.requests, s.duration / 1e6, s.bytes, e.connect + e.read + e.write + e.timeout, e.status,
		latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
EOT
}

# load - as Berth::Bench's: { units, seconds, rate, bytes, p50_ms, p99_ms, max_ms }; options: H (a list), c, tls;
# part (1: answers that have not ended are enough)
sub load
{
	my ($b, $side, $paths, %o) = @_;
	my $peer = $side->isa('Berth::Bench::Peer') ? $side : undef;
	my $seconds = $b->{seconds} < 1 ? 1 : int($b->{seconds} + 0.5);
	my $connections = $o{c} // $CONNECTIONS;
	my $script = script($b, $paths, @{ $o{H} // [] }, $peer ? $peer->headers : ());
	my $url = $peer ? $peer->url : ($o{tls} ? 'https' : 'http') . '://127.0.0.1:' . $side->port;
	my ($r, $j, $some);

	for (1 .. 5) {          # as there
		$r = run('wrk', '-t' . ($connections < $THREADS ? $connections : $THREADS), "-c$connections", "-d${seconds}s", '--timeout', '30s', '-s', $script, $url);
		my ($json) = $r->{out} =~ /^(\{.*\})$/m;
		$j = $json ? JSON::PP->new->decode($json) : undef;
		$some = $j && ($j->{units} || $o{part} && $j->{bytes});
		last if !$j || $some || $j->{errors} || $j->{statuses};
	}
	die "wrk failed: $r->{err}$r->{out}\n" if !$some;
	die "wrk met $j->{errors} errors of connections and $j->{statuses} of statuses\n" if $j->{errors} || $j->{statuses};
	return { %$j, rate => $j->{units} / $j->{seconds} };
}

1;
