/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay_client: HTTP/1.0 over a Unix socket, one question a connection.
 *
 * Owns nothing between two questions. Invariant: no more than HEAD_MAX and BODY_MAX bytes of an answer are kept. Knows nothing of images.
 */
#include "cmd/relay_client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/json_check.h"
#include "base/json_view.h"
#include "base/mem.h"
#include "base/time.h"
#include "os/file.h"
#include "os/sock.h"

#define SILENCE 900             /* seconds without a byte: a worker may hash a large blob */
#define HEAD_MAX 16384          /* bytes */
#define BODY_MAX 65536
#define AGAIN_MS 250            /* between two tries to reach a relay that was there before */
#define TRIES 120               /* of these */
#define AT_ONCE 4               /* blobs that are fetched at the same time; as many as usual clients do, or one more */
#define BROKEN_MAX 4            /* answers that broke off */
#define BACK_MAX 1000           /* numbers of bytes that are not larger than the one before: a download begins anew a hundred times at most */

struct answer {
	int status;
	struct str head;                /* its lines, each with "\r\n" */
	struct str body;                /* with lines: of the one that is not whole yet */
	bool lines;                     /* it has no length: it consists of lines */
	uint64_t bytes;                 /* the number that a line said last */
	unsigned back;                  /* how many were not larger than the one before */
	struct str last;                /* the line that is no number, and so the last one */
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
			a->back += bytes <= a->bytes;
			a->bytes = bytes;
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
	a->lines = !header(a, "Content-Length", &length);
}

static bool is_whole(const struct answer *a)
{
	cleanup_str struct str length = STR_INIT;
	uint64_t n;

	if (!a->status || a->lines)
		return a->status && a->last.len;
	return header(a, "Content-Length", &length) && str_parse_u64(length.buf, length.len, &n) == 0 && n == a->body.len;
}

/* --- one connection */

struct talk {
	int fd;                         /* -1: none */
	struct answer a;
	unsigned tries, broken;         /* how often the same was asked before */
};

#define TALK_INIT { .fd = -1, .a = ANSWER_INIT }

static void talk_release(struct talk *t)
{
	os_cleanup_fd(&t->fd);
	answer_release(&t->a);
}
#define cleanup_talk __attribute__((cleanup(talk_release)))

static int talk_begin(struct talk *t, const struct relay_client *c, const char *uri, struct err *e)
{
	cleanup_str struct str ask = STR_INIT;
	struct answer *a = &t->a;

	str_reset(&a->head);
	str_reset(&a->body);
	str_reset(&a->last);
	a->status = 0;
	a->lines = false;
	a->bytes = 0;
	a->back = 0;
	t->fd = sock_connect(c->socket, SILENCE, e);
	if (t->fd < 0 && e->sys == ENOENT)
		return err_set(e, ERR_UNAVAILABLE, "no berth-relay listens at %s: is it started, and its socket there (--relay)?", c->socket);
	if (t->fd < 0)
		return -1;
	str_addf(&ask, "GET /%s HTTP/1.0\r\nX-Request-Id: %s\r\n\r\n", uri, c->id.s);
	return os_write_full(t->fd, ask.buf, ask.len) < 0 ? err_sys(e, "cannot ask berth-relay at %s", c->socket) : 0;
}

/* Read what is there. 1 the answer is whole, 0 more may come, -1 with *e. */
static int talk_read(struct talk *t, const struct relay_client *c, struct err *e)
{
	struct answer *a = &t->a;
	char buf[4096];
	ssize_t n = read(t->fd, buf, sizeof(buf));

	if (n < 0)
		return errno == EINTR ? 0 : err_sys(e, "berth-relay at %s does not answer", c->socket);
	if (n == 0)
		return is_whole(a) ? 1 : err_set(e, ERR_UNAVAILABLE, "berth-relay has ended meanwhile");
	str_add(a->status ? &a->body : &a->head, buf, (size_t)n);
	if (!a->status)
		part(a);
	if (a->lines)
		take_lines(a);
	if (a->head.over || a->body.over || a->back > BACK_MAX)
		return err_set(e, ERR_UNKNOWN, "what answers at %s is no berth-relay", c->socket);
	return 0;
}

/* After a failure: whether the same is to be asked again, in a moment. */
static bool talk_again(struct talk *t, struct relay_client *c, struct err *e)
{
	os_cleanup_fd(&t->fd);
	t->broken += t->a.head.len > 0;
	t->tries++;
	if (!c->met || t->tries == TRIES || t->broken == BROKEN_MAX) {
		c->met = false;         /* it is not waited for a second time */
		return false;
	}
	err_release(e);
	return true;
}

static int ask(struct talk *t, struct relay_client *c, const char *uri, struct err *e)
{
	for (;;) {
		int rc = talk_begin(t, c, uri, e);

		while (rc == 0)
			rc = talk_read(t, c, e);
		if (rc == 1) {
			c->met = true;
			return 0;
		}
		if (!talk_again(t, c, e))
			return -1;
		usleep(AGAIN_MS * 1000);
	}
}

/* --- what the answer means */

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
	cleanup_talk struct talk t = TALK_INIT;
	cleanup_str struct str to = STR_INIT, shown = STR_INIT;
	const char *why;

	if (ask(&t, c, uri, e) < 0)
		return -1;
	if (t.a.status != 200 || !header(&t.a, "X-Accel-Redirect", &to))
		return refused(&t.a, e);
	why = strstr(to.buf, why_is);
	if (!why)
		return 0;
	why += sizeof(why_is) - 1;
	str_add_shown(&shown, why, strlen(why), 16);
	return err_set(e, ERR_UNKNOWN, "its upstream could not be asked (%s)", shown.buf);
}

static int blob_result(const struct answer *a, uint64_t *size, struct err *e)
{
	static const char stored[] = "stored ", failed[] = "failed ";
	cleanup_str struct str shown = STR_INIT;

	if (a->status != 200 || !a->lines)
		return refused(a, e);
	if (strncmp(a->last.buf, stored, sizeof(stored) - 1) == 0 &&
	    str_parse_u64(a->last.buf + sizeof(stored) - 1, a->last.len - (sizeof(stored) - 1), size) == 0)
		return 0;
	if (strncmp(a->last.buf, failed, sizeof(failed) - 1) != 0)
		return err_set(e, ERR_UNKNOWN, "berth-relay answers something else");
	str_add_shown(&shown, a->last.buf + sizeof(failed) - 1, a->last.len - (sizeof(failed) - 1), 200);
	return err_set(e, ERR_UNKNOWN, "%s", shown.buf);
}

/* --- several blobs */

struct slot {
	struct relay_blob *blob;        /* NULL: free */
	uint64_t not_before;            /* when to ask again; monotonic clock, microseconds */
	struct talk t;
};

static void slot_end(struct slot *s)
{
	talk_release(&s->t);
	s->blob = NULL;
}

/* Something has failed (rc -1), or the answer is whole (rc 1): then the blob's bytes are added to *done. */
static void slot_step(struct slot *s, struct relay_client *c, int rc, uint64_t *done)
{
	struct err *e = &s->blob->e;

	if (rc == 1) {
		c->met = true;
		s->blob->stored = blob_result(&s->t.a, &s->blob->size, e) == 0;
		*done += s->blob->size;
		slot_end(s);
	} else if (rc < 0 && !talk_again(&s->t, c, e)) {
		slot_end(s);
	} else if (rc < 0) {
		s->not_before = time_now_usec() + AGAIN_MS * 1000;
	}
}

/* Wait until one of them may go on. */
static void wait_for(struct slot *slots, struct relay_client *c, uint64_t *done)
{
	struct pollfd fds[AT_ONCE];
	int ms = SILENCE * 1000, n;

	for (size_t i = 0; i < AT_ONCE; i++) {
		fds[i] = (struct pollfd){ .fd = slots[i].t.fd, .events = POLLIN };
		if (slots[i].blob && slots[i].t.fd < 0)
			ms = AGAIN_MS;
	}
	n = poll(fds, AT_ONCE, ms);
	for (size_t i = 0; i < AT_ONCE; i++) {
		struct slot *s = &slots[i];

		if (!s->blob || s->t.fd < 0)
			continue;
		if (n > 0 && fds[i].revents)
			slot_step(s, c, talk_read(&s->t, c, &s->blob->e), done);
		else if (n == 0 && ms != AGAIN_MS)
			slot_step(s, c, err_set(&s->blob->e, ERR_UNAVAILABLE, "berth-relay does not answer"), done);
	}
}

void relay_client_blobs(struct relay_client *c, struct relay_blob *v, size_t count, relay_client_progress *progress, void *arg)
{
	struct slot slots[AT_ONCE];
	size_t next = 0, busy = 1;
	uint64_t done = 0;

	for (size_t i = 0; i < AT_ONCE; i++)
		slots[i] = (struct slot){ .t = TALK_INIT };
	while (busy) {
		uint64_t bytes = done;

		busy = 0;
		for (size_t i = 0; i < AT_ONCE; i++) {
			struct slot *s = &slots[i];

			if (!s->blob && next < count)
				*s = (struct slot){ .blob = &v[next++], .t = TALK_INIT };
			if (s->blob && s->t.fd < 0 && s->not_before <= time_now_usec())
				slot_step(s, c, talk_begin(&s->t, c, s->blob->uri, &s->blob->e), &done);
			busy += s->blob != NULL;
			bytes += s->blob ? s->t.a.bytes : 0;
		}
		progress(arg, bytes);
		if (busy)
			wait_for(slots, c, &done);
	}
}
