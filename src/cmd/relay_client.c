/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay_client: HTTP/1.0 over a Unix socket, one question a connection.
 *
 * Owns nothing between two questions. Invariant: no more than HEAD_MAX and BODY_MAX bytes of an answer are kept. Knows nothing of images.
 */
#include "cmd/relay_client.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/json_check.h"
#include "base/json_view.h"
#include "base/mem.h"
#include "os/file.h"
#include "os/sock.h"

#define SILENCE 900             /* seconds without a byte: a worker may hash a large blob */
#define HEAD_MAX 16384          /* bytes */
#define BODY_MAX 65536
#define AGAIN_USEC 250000       /* between two tries to reach a relay that was there before */
#define TRIES 120               /* of these */
#define BROKEN_MAX 4            /* answers that broke off */

struct answer {
	int status;
	struct str head;                /* its lines, each with "\r\n" */
	struct str body;                /* with lines: of the one that is not whole yet */
	bool lines;                     /* it consists of lines; without, it has a length */
	struct str last;                /* the one that is no number, and so the last one */
	relay_client_progress *progress;
	void *arg;
};

#define ANSWER_INIT { .head = { .buf = str_empty, .max = HEAD_MAX }, .body = { .buf = str_empty, .max = BODY_MAX }, .last = STR_INIT }

static void answer_release(struct answer *a)
{
	str_release(&a->head);
	str_release(&a->body);
	str_release(&a->last);
}
#define cleanup_answer __attribute__((cleanup(answer_release)))

void relay_client_init(struct relay_client *c, const char *socket)
{
	unsigned char random[16];

	os_random(random, sizeof(random));
	*c = (struct relay_client){ .socket = socket };
	uuid_from_random(&c->id, random);
}

/* Add the value of a header; false: there is none. */
static bool header(const struct answer *a, const char *name, struct str *out)
{
	size_t len = strlen(name);

	for (const char *p = a->head.buf, *end; (end = strstr(p, "\r\n")) != NULL; p = end + 2)
		if (strncasecmp(p, name, len) == 0 && p[len] == ':') {
			p += len + 1;
			p += strspn(p, " ");
			str_add(out, p, (size_t)(end - p));
			return true;
		}
	return false;
}

static void take_lines(struct answer *a)
{
	size_t done = 0;
	char *line, *nl;
	uint64_t bytes;

	while ((nl = memchr(line = a->body.buf + done, '\n', a->body.len - done)) != NULL) {
		size_t len = (size_t)(nl - line);

		if (str_parse_u64(line, len, &bytes) == 0) {
			a->progress(a->arg, bytes);
		} else {
			str_reset(&a->last);
			str_add(&a->last, line, len);
		}
		done += len + 1;
	}
	if (!done)
		return;
	memmove(a->body.buf, a->body.buf + done, a->body.len - done);
	str_cut(&a->body, a->body.len - done);
}

/* Part the head from the body, when it is whole. */
static void part(struct answer *a)
{
	const char *end = strstr(a->head.buf, "\r\n\r\n");
	cleanup_str struct str length = STR_INIT;
	uint64_t status;

	if (!end)
		return;
	str_puts(&a->body, end + 4);
	str_cut(&a->head, (size_t)(end + 2 - a->head.buf));
	if (strncmp(a->head.buf, "HTTP/1.", 7) == 0 && a->head.len > 12 && str_parse_u64(a->head.buf + 9, 3, &status) == 0)
		a->status = (int)status;
	a->lines = a->progress && !header(a, "Content-Length", &length);
}

static bool is_whole(const struct answer *a)
{
	cleanup_str struct str length = STR_INIT;
	uint64_t n;

	if (!a->status || a->lines)
		return a->status && a->last.len;
	return header(a, "Content-Length", &length) && str_parse_u64(length.buf, length.len, &n) == 0 && n == a->body.len;
}

/* One connection. 0, or -1 with *e: it could not be made, or the answer is not whole. */
static int converse(const struct relay_client *c, const char *uri, struct answer *a, struct err *e)
{
	cleanup_str struct str ask = STR_INIT;
	cleanup_fd int fd = sock_connect(c->socket, SILENCE, e);
	char buf[4096];
	ssize_t n;

	a->status = 0;
	str_reset(&a->head);
	str_reset(&a->body);
	str_reset(&a->last);
	a->lines = false;
	if (fd < 0)
		return -1;
	str_addf(&ask, "GET /%s HTTP/1.0\r\nX-Request-Id: %s\r\n\r\n", uri, c->id.s);
	if (os_write_full(fd, ask.buf, ask.len) < 0)
		return err_sys(e, "cannot ask berth-relay at %s", c->socket);
	while ((n = read(fd, buf, sizeof(buf))) > 0 || (n < 0 && errno == EINTR)) {
		if (n < 0)
			continue;
		str_add(a->status ? &a->body : &a->head, buf, (size_t)n);
		if (!a->status)
			part(a);
		if (a->head.over || a->body.over)
			return err_set(e, ERR_UNKNOWN, "what answers at %s is no berth-relay", c->socket);
		if (a->lines)
			take_lines(a);
	}
	if (n < 0)
		return err_sys(e, "berth-relay at %s does not answer", c->socket);
	return is_whole(a) ? 0 : err_set(e, ERR_UNAVAILABLE, "berth-relay has ended meanwhile");
}

static int ask(struct relay_client *c, const char *uri, struct answer *a, struct err *e)
{
	unsigned broken = 0;

	for (unsigned try = 0;; try++) {
		if (converse(c, uri, a, e) == 0) {
			c->met = true;
			return 0;
		}
		if (a->head.len)
			broken++;
		if (!c->met || try == TRIES || broken == BROKEN_MAX)
			break;
		err_release(e);
		usleep(AGAIN_USEC);
	}
	c->met = false;         /* it is not waited for a second time */
	return -1;
}

/* The detail of the registry's error, or its status. */
static int refused(const struct answer *a, struct err *e)
{
	cleanup_str struct str detail = STR_INIT, shown = STR_INIT;
	struct json_fault fault;
	struct json_view v;
	struct json_walk w;

	if (json_check(a->body.buf, a->body.len, &fault) == 0) {
		w = json_walk(json_view_get(json_view_of(a->body.buf, a->body.len), "errors"));
		if (json_walk_next(&w, NULL, &v) && (v = json_view_get(v, "detail")).kind == JSON_STRING)
			json_view_text(v, &detail);
	}
	if (!detail.len)
		str_addf(&detail, "berth-relay answers %d", a->status);
	str_add_shown(&shown, detail.buf, detail.len, 200);
	return err_set(e, ERR_UNKNOWN, "%s", shown.buf);
}

int relay_client_manifest(struct relay_client *c, const char *uri, struct err *e)
{
	static const char why_is[] = "stale?why=";
	cleanup_answer struct answer a = ANSWER_INIT;
	cleanup_str struct str to = STR_INIT;
	const char *why;

	if (ask(c, uri, &a, e) < 0)
		return -1;
	if (a.status != 200 || !header(&a, "X-Accel-Redirect", &to))
		return refused(&a, e);
	why = strstr(to.buf, why_is);
	return why ? err_set(e, ERR_UNKNOWN, "its upstream could not be asked (%.16s)", why + sizeof(why_is) - 1) : 0;
}

int relay_client_warm(struct relay_client *c, const char *uri, relay_client_progress *progress, void *arg, struct err *e)
{
	static const char failed[] = "failed ";
	cleanup_answer struct answer a = ANSWER_INIT;
	cleanup_str struct str shown = STR_INIT;

	a.progress = progress;
	a.arg = arg;
	if (ask(c, uri, &a, e) < 0)
		return -1;
	if (a.status != 200 || !a.lines)
		return refused(&a, e);
	if (strcmp(a.last.buf, "stored") == 0)
		return 0;
	if (strncmp(a.last.buf, failed, sizeof(failed) - 1) != 0)
		return err_set(e, ERR_UNKNOWN, "berth-relay answers something else");
	str_add_shown(&shown, a.last.buf + sizeof(failed) - 1, a.last.len - (sizeof(failed) - 1), 200);
	return err_set(e, ERR_UNKNOWN, "%s", shown.buf);
}
