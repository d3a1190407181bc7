/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_hold: many connections to a registry that are held: idle after one answer, or reading an answer slowly.
 *
 * bench_hold [OPTIONS] PORT PATH
 *
 *   -c N        connections (1000)            -H 'NAME: VALUE'  a header for all requests, again and again
 *   -r BYTES    a second that each reads of its answer; without it each reads its answer whole and is idle then
 *   -a ADDRESS  of IPv4, whom to ask (127.0.0.1)   -o HOST  the header Host (ADDRESS:PORT)
 *
 * It prints "ready" when all have their answer, or the beginning of it. SIGTERM ends it: it prints one JSON object, how many
 * it held, how many of these the registry closed, and how many bytes came since it was ready. The status is 1 where not
 * every connection got an answer of 200, and 2 for wrong use.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/str.h"
#include "load_answer.h"

#define CONNECTIONS_MAX 60000
#define TURNS 10                /* parts of a second in which a part of the slow readers reads */
#define SMALL_BUFFER 4096       /* of the kernel, for a slow reader: what it holds has been read as far as the sender can see */

struct held {
	int fd;                 /* -1: closed by the registry */
	struct answer in;
};

static struct {
	struct sockaddr_in to;
	unsigned count;
	size_t rate;
	const char *host;
	uint64_t bytes;
	unsigned closed;
} hold = { .count = 1000 };

static volatile sig_atomic_t told_to_end;

static void on_term(int sig)
{
	(void)sig;
	told_to_end = 1;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* A connection is a descriptor. */
static void allow_files(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
	}
}

static void begin(struct held *h, const struct str *request)
{
	static const int small = SMALL_BUFFER;

	h->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (h->fd < 0)
		fail("socket");
	if (hold.rate)
		setsockopt(h->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (connect(h->fd, (struct sockaddr *)&hold.to, sizeof(hold.to)) < 0)
		fail("cannot connect");
	if (send(h->fd, request->buf, request->len, MSG_NOSIGNAL) != (ssize_t)request->len)
		fail("send");
	answer_begin(&h->in, false);
}

static bool has_begun(const struct held *h)
{
	return h->in.at == ANSWER_WHOLE || (hold.rate && h->in.at != ANSWER_HEAD);
}

/* Until it has what it is to have before all of them are ready. */
static void await(struct held *h)
{
	char buf[1 << 16];
	ssize_t n;

	while (!has_begun(h)) {
		n = recv(h->fd, buf, hold.rate ? 512 : sizeof(buf), 0);
		if (n <= 0)
			fail("no answer");
		answer_take(&h->in, buf, (size_t)n);
		if (h->in.at == ANSWER_BAD || (h->in.status && h->in.status != 200)) {
			fprintf(stderr, "bench_hold: status %d\n", h->in.status);
			exit(1);
		}
	}
	fcntl(h->fd, F_SETFL, fcntl(h->fd, F_GETFL) | O_NONBLOCK);
}

/* What there is, but no more than so much; a connection that is closed is counted once. */
static void read_some(struct held *h, size_t most)
{
	char buf[1 << 16];
	ssize_t n;

	if (h->fd < 0)
		return;
	n = recv(h->fd, buf, most < sizeof(buf) ? most : sizeof(buf), 0);
	if (n > 0) {
		hold.bytes += (uint64_t)n;
	} else if (n == 0 || errno != EAGAIN) {
		hold.closed++;
		close(h->fd);
		h->fd = -1;
	}
}

/* Slow readers read in turns, each once a second; idle ones are looked at in the end. */
static void keep(struct held *all)
{
	struct timespec next;
	unsigned turn, i;

	clock_gettime(CLOCK_MONOTONIC, &next);
	for (turn = 0; !told_to_end; turn = (turn + 1) % TURNS) {
		next.tv_nsec += 1000000000 / TURNS;
		next.tv_sec += next.tv_nsec / 1000000000;
		next.tv_nsec %= 1000000000;
		if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL) == EINTR)
			continue;
		for (i = turn; hold.rate && i < hold.count; i += TURNS)
			read_some(&all[i], hold.rate);
	}
	for (i = 0; !hold.rate && i < hold.count; i++)
		read_some(&all[i], 1);
}

static int usage(void)
{
	fprintf(stderr, "usage: bench_hold [-c N] [-r BYTES] [-H HEADER]... [-a ADDRESS] [-o HOST] PORT PATH\n");
	return 2;
}

static bool options(int argc, char **argv, struct str *extra)
{
	int opt;

	while ((opt = getopt(argc, argv, "c:r:H:a:o:")) != -1) {
		switch (opt) {
		case 'c': hold.count = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'r': hold.rate = strtoul(optarg, NULL, 10); break;
		case 'H': str_addf(extra, "%s\r\n", optarg); break;
		case 'o': hold.host = optarg; break;
		case 'a':
			if (inet_pton(AF_INET, optarg, &hold.to.sin_addr) != 1)
				return false;
			break;
		default: return false;
		}
	}
	return argc - optind == 2 && hold.count >= 1 && hold.count <= CONNECTIONS_MAX;
}

int main(int argc, char **argv)
{
	struct str extra = STR_INIT, request = STR_INIT;
	char address[INET_ADDRSTRLEN];
	struct held *all;
	unsigned i;

	hold.to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (!options(argc, argv, &extra))
		return usage();
	hold.to.sin_port = htons((uint16_t)strtoul(argv[optind], NULL, 10));
	inet_ntop(AF_INET, &hold.to.sin_addr, address, sizeof(address));
	str_addf(&request, "GET %s HTTP/1.1\r\nHost: %s", argv[optind + 1], hold.host ? hold.host : address);
	if (!hold.host)
		str_addf(&request, ":%u", ntohs(hold.to.sin_port));
	str_addf(&request, "\r\n%s\r\n", extra.buf ? extra.buf : "");
	sigaction(SIGTERM, &(struct sigaction){ .sa_handler = on_term }, NULL);
	allow_files();
	all = xcalloc(hold.count, sizeof(*all));
	for (i = 0; i < hold.count; i++) {
		begin(&all[i], &request);
		/* not all at once: a queue of listening has its end */
		if (i >= 100)
			await(&all[i - 100]);
	}
	for (i = hold.count > 100 ? hold.count - 100 : 0; i < hold.count; i++)
		await(&all[i]);
	printf("ready\n");
	fflush(stdout);
	keep(all);
	printf("{\"held\":%u,\"closed\":%u,\"bytes\":%llu}\n", hold.count, hold.closed, (unsigned long long)hold.bytes);
	return 0;
}
