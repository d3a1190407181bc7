/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_load: a load for a registry, from one thread: connections that are kept, one request at a time on each.
 *
 * bench_load [OPTIONS] PORT paths FILE        "METHOD PATH [HEADER]" a line, by turns
 * bench_load [OPTIONS] PORT pulls FILE        each connection asks for all of the lines, in order: that is one pull
 * bench_load [OPTIONS] PORT images PREFIX     each connection pushes images to PREFIX/cN, as docker does
 *
 *   -c N        connections (32)              -H 'NAME: VALUE'  a header for all requests, again and again
 *   -s SECONDS  no new work after that (2)    -n N  no more than so many requests, or images
 *   -w SECONDS  before that, not counted (0)
 *   -l N -b N   layers of an image (3) and their bytes (4096)
 *   -f FILE -d DIGEST   instead: one layer, this file's bytes
 *   -a ADDRESS  of IPv4, whom to ask (127.0.0.1)   -o HOST  the header Host (ADDRESS:PORT)
 *
 * SIGTERM ends it as the end of its time does. Work that has begun is waited for, and counted. One JSON object on standard
 * output: what was done, how long it took, the time between a request and the end of its answer (for pulls and images: from
 * the first request to the last answer), and the processor time of this program.
 * The status is 0, or 1 where nothing was answered as it has to be; 2 for wrong use.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/mem.h"
#include "load_answer.h"
#include "load_job.h"

#define CHUNK (32 << 10)        /* what docker sends at once */
#define CONNECTIONS_MAX 16384
#define READ_AT_ONCE (1 << 20)

struct conn {
	int fd, low_water;
	bool busy, wants_out;
	struct client client;
	struct answer in;
	struct request out;
	size_t head_off;
	off_t body_off;
	size_t chunk_left;      /* of this chunk */
	bool body_ended;
	char frame[32];
	size_t frame_len, frame_off;
	double began, unit_began;
};

static struct {
	struct job job;
	struct sockaddr_in to;
	int ep;
	unsigned connections;
	double seconds, warm;
	uint64_t most;
	double start, last;     /* when counting begins; when the last unit ended */
	uint64_t begun, requests, units, bytes, errors;
	char first_error[128];
	uint32_t *latency;      /* microseconds, a unit each */
	size_t latency_cap;
} load;

static volatile sig_atomic_t told_to_end;

static void on_term(int sig)
{
	(void)sig;
	told_to_end = 1;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what)
{
	perror(what);
	exit(2);
}

static void watch(struct conn *c, int op, bool out)
{
	struct epoll_event ev = { .events = EPOLLIN | (out ? EPOLLOUT : 0u), .data.ptr = c };

	c->wants_out = out;
	if (epoll_ctl(load.ep, op, c->fd, &ev) < 0)
		fail("epoll_ctl");
}

static void conn_open(struct conn *c)
{
	static const int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&load.to, sizeof(load.to)) < 0)
		fail("cannot connect");
	c->low_water = 1;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	fcntl(c->fd, F_SETFL, fcntl(c->fd, F_GETFL) | O_NONBLOCK);
	watch(c, EPOLL_CTL_ADD, false);
}

/* The next piece of a chunked body's framing; false where all of it is said. */
static bool next_frame(struct conn *c)
{
	off_t left = c->out.body_size - c->body_off;
	const char *eol = c->body_off ? "\r\n" : "";

	if (c->body_ended)
		return false;
	c->chunk_left = left < CHUNK ? (size_t)left : CHUNK;
	c->body_ended = left == 0;
	c->frame_len = (size_t)snprintf(c->frame, sizeof(c->frame), left ? "%s%zx\r\n" : "%s%zx\r\n\r\n", eol, c->chunk_left);
	c->frame_off = 0;
	return true;
}

/* Sends what the socket takes. A peer that has gone shows when the answer is read. */
static void conn_send(struct conn *c)
{
	ssize_t n = 1;

	while (n > 0) {
		bool more = c->out.body_fd >= 0 && !c->body_ended;

		if (c->head_off < c->out.head_len) {
			n = send(c->fd, c->out.head + c->head_off, c->out.head_len - c->head_off, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
			c->head_off += n > 0 ? (size_t)n : 0;
		} else if (c->frame_off < c->frame_len) {
			n = send(c->fd, c->frame + c->frame_off, c->frame_len - c->frame_off, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
			c->frame_off += n > 0 ? (size_t)n : 0;
		} else if (c->chunk_left) {
			n = sendfile(c->fd, c->out.body_fd, &c->body_off, c->chunk_left);
			c->chunk_left -= n > 0 ? (size_t)n : 0;
		} else if (c->out.body_fd < 0 || !next_frame(c)) {
			break;
		}
	}
	if (c->wants_out != (n < 0 && errno == EAGAIN))
		watch(c, EPOLL_CTL_MOD, !c->wants_out);
}

static bool may_begin(double t)
{
	if (told_to_end)
		return false;
	return load.most ? load.begun < load.most : t < load.start + load.seconds;
}

/* The next request of this connection, or none where the load is at its end. */
static void conn_next(struct conn *c)
{
	double t = now();

	c->busy = false;
	if (job_between(&load.job, &c->client)) {
		if (!may_begin(t))
			return;
		load.begun++;
		c->unit_began = t;
	}
	job_next(&load.job, &c->client, &c->out);
	answer_begin(&c->in, c->out.no_body);
	c->head_off = c->frame_len = c->frame_off = c->chunk_left = 0;
	c->body_off = 0;
	c->body_ended = false;
	c->busy = true;
	c->began = t;
	conn_send(c);
}

static void conn_again(struct conn *c)
{
	close(c->fd);
	conn_open(c);
}

static void note_error(struct conn *c, const char *what)
{
	if (load.errors++ == 0)
		snprintf(load.first_error, sizeof(load.first_error), "%s %d to %.*s", what, c->in.status,
			(int)strcspn(c->out.head, "\r\n") > 60 ? 60 : (int)strcspn(c->out.head, "\r\n"), c->out.head);
	/* begin another unit, on another connection */
	c->client.step = PUSH_HEAD;
	c->client.blob = 0;
	c->client.image++;
	conn_again(c);
}

static void count_unit(double t, double took)
{
	if (load.units == load.latency_cap) {
		load.latency_cap = load.latency_cap ? 2 * load.latency_cap : 1 << 16;
		load.latency = xreallocarray(load.latency, load.latency_cap, sizeof(*load.latency));
	}
	load.latency[load.units++] = (uint32_t)(took * 1e6);
	load.last = t;
}

static void conn_answered(struct conn *c)
{
	double t = now();
	bool done, good;

	good = c->in.at == ANSWER_WHOLE && job_answered(&load.job, &c->client, &c->in, &done);
	if (t >= load.start) {
		load.requests += good;
		load.bytes += c->in.bytes;
	}
	if (!good)
		note_error(c, "status");
	else if (done && c->unit_began >= load.start)
		count_unit(t, t - c->unit_began);
	if (good && c->in.close)
		conn_again(c);
	conn_next(c);
}

/*
 * A reader on the same machine costs the sender an interrupt of the other core each time that it is woken, and it is woken for
 * each piece: more than the sending. One at the end of a wire costs it nothing. So this one sleeps until there is much to read.
 */
static void sleep_until_much(struct conn *c, uint64_t left)
{
	int low = left == 0 ? 1 : left < READ_AT_ONCE ? (int)left : READ_AT_ONCE;

	if (low != c->low_water && setsockopt(c->fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low)) == 0)
		c->low_water = low;
}

/* Bodies are thrown away in the kernel, uncopied, so that they cost as little as can be. */
static void conn_read(struct conn *c)
{
	static char buf[64 << 10];
	uint64_t skip = c->busy ? answer_skippable(&c->in) : 0;
	ssize_t n;

	if (skip > sizeof(buf)) {
		n = recv(c->fd, NULL, skip < (4 << 20) ? (size_t)skip : (4 << 20), MSG_TRUNC);
		if (n > 0)
			answer_skip(&c->in, (uint64_t)n);
	} else {
		n = recv(c->fd, buf, sizeof(buf), 0);
		if (n > 0 && c->busy)
			answer_take(&c->in, buf, (size_t)n);
	}
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 && c->busy) {
		note_error(c, "closed");
		conn_next(c);
	} else if (n <= 0) {
		epoll_ctl(load.ep, EPOLL_CTL_DEL, c->fd, NULL);
	} else {
		sleep_until_much(c, answer_skippable(&c->in));
		if (c->busy && (c->in.at == ANSWER_WHOLE || c->in.at == ANSWER_BAD))
			conn_answered(c);
	}
}

static bool any_busy(const struct conn *conns)
{
	unsigned i;

	for (i = 0; i < load.connections; i++)
		if (conns[i].busy)
			return true;
	return false;
}

static void run(struct conn *conns)
{
	struct epoll_event ev[256];
	unsigned i;
	int n, k;

	for (i = 0; i < load.connections; i++) {
		job_client_init(&conns[i].client, i);
		conn_open(&conns[i]);
	}
	load.start = now() + load.warm;
	load.last = load.start;
	for (i = 0; i < load.connections; i++)
		conn_next(&conns[i]);
	while (any_busy(conns)) {
		n = epoll_wait(load.ep, ev, ARRAY_LEN(ev), 60000);
		if (n == 0 || (n < 0 && errno != EINTR)) {
			fprintf(stderr, "bench_load: no answer for a minute\n");
			exit(1);
		}
		for (k = 0; k < n; k++) {
			struct conn *c = ev[k].data.ptr;

			if (c->busy && (ev[k].events & EPOLLOUT))
				conn_send(c);
			if (ev[k].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
				conn_read(c);
		}
	}
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double percentile(double p)
{
	size_t at = (size_t)(p * (double)load.units);

	return load.units ? load.latency[at < load.units ? at : load.units - 1] / 1e3 : 0;
}

static void report(void)
{
	double s = load.last - load.start;
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	if (load.units)
		qsort(load.latency, load.units, sizeof(*load.latency), by_size);
	printf("{\"units\":%llu,\"requests\":%llu,\"seconds\":%.6f,\"rate\":%.3f,\"bytes\":%llu,\"errors\":%llu,\"first_error\":\"%s\","
		"\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"cpu\":%.3f}\n", (unsigned long long)load.units,
		(unsigned long long)load.requests, s, s > 0 ? (double)load.units / s : 0, (unsigned long long)load.bytes,
		(unsigned long long)load.errors, load.first_error, percentile(.5), percentile(.99), percentile(1),
		(double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) + (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6);
}

static int usage(void)
{
	fprintf(stderr, "usage: bench_load [-c N] [-s SECONDS] [-n N] [-w SECONDS] [-H HEADER]... [-l N] [-b N] [-f FILE -d DIGEST] "
		"[-a ADDRESS] [-o HOST] PORT paths FILE | pulls FILE | images PREFIX\n");
	return 2;
}

static bool take_file(const char *name, const char *digest)
{
	struct stat st;

	load.job.file = open(name, O_RDONLY | O_CLOEXEC);
	if (load.job.file < 0 || fstat(load.job.file, &st) < 0)
		fail(name);
	load.job.file_size = st.st_size;
	return digest && digest_parse(&load.job.file_digest, digest, strlen(digest)) == 0;
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

static bool options(int argc, char **argv, struct str *extra, const char **host)
{
	const char *file = NULL, *digest = NULL;
	int opt;

	while ((opt = getopt(argc, argv, "c:s:n:w:H:l:b:f:d:a:o:")) != -1) {
		switch (opt) {
		case 'c': load.connections = (unsigned)strtoul(optarg, NULL, 10); break;
		case 's': load.seconds = strtod(optarg, NULL); break;
		case 'n': load.most = strtoull(optarg, NULL, 10); break;
		case 'w': load.warm = strtod(optarg, NULL); break;
		case 'H': str_addf(extra, "%s\r\n", optarg); break;
		case 'l': load.job.layers = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'b': load.job.layer_size = strtoul(optarg, NULL, 10); break;
		case 'f': file = optarg; break;
		case 'd': digest = optarg; break;
		case 'o': *host = optarg; break;
		case 'a':
			if (inet_pton(AF_INET, optarg, &load.to.sin_addr) != 1)
				return false;
			break;
		default: return false;
		}
	}
	if (argc - optind != 3 || load.connections < 1 || load.connections > CONNECTIONS_MAX || load.job.layers >= JOB_BLOBS)
		return false;
	return !file || take_file(file, digest);
}

int main(int argc, char **argv)
{
	struct str extra = STR_INIT, host = STR_INIT;
	char address[INET_ADDRSTRLEN];
	const char *host_given = NULL, *kind;
	struct conn *conns;

	load.connections = 32;
	load.seconds = 2;
	load.job = (struct job){ .layers = 3, .layer_size = 4096, .file = -1, .seed = (unsigned)time(NULL) ^ ((unsigned)getpid() << 12) };
	load.to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (!options(argc, argv, &extra, &host_given))
		return usage();
	load.to.sin_port = htons((uint16_t)strtoul(argv[optind], NULL, 10));
	inet_ntop(AF_INET, &load.to.sin_addr, address, sizeof(address));
	str_addf(&host, "%s:%u", address, ntohs(load.to.sin_port));
	load.job.host = host_given ? host_given : host.buf;
	load.job.extra = extra.buf;
	load.job.prefix = argv[optind + 2];
	kind = argv[optind + 1];
	load.job.kind = strcmp(kind, "images") == 0 ? JOB_IMAGES : strcmp(kind, "pulls") == 0 ? JOB_PULLS : JOB_PATHS;
	if (load.job.kind == JOB_PATHS && strcmp(kind, "paths") != 0)
		return usage();
	if (load.job.kind != JOB_IMAGES && job_paths(&load.job, argv[optind + 2]) < 0)
		return usage();
	allow_files();
	sigaction(SIGTERM, &(struct sigaction){ .sa_handler = on_term }, NULL);
	load.ep = epoll_create1(EPOLL_CLOEXEC);
	conns = xcalloc(load.connections, sizeof(*conns));
	run(conns);
	report();
	return load.units ? 0 : 1;
}
