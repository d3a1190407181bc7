/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server: the relay's side of nginx's requests.
 *
 * Owns the socket and the connections. Invariant: at most one piece of a file is queued for a connection, and an answer never has more bytes
 * than it says. Knows nothing of what is answered.
 */
#include "relay/server.h"

#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "os/file.h"
#include "os/sock.h"

#define HEAD_MAX 16384          /* bytes of a request; nginx's own limit for what it passes on is lower */
#define PATIENCE 60             /* seconds until the request is there */
#define STUCK 900               /* seconds without progress while there is something to send: nginx's send_timeout is shorter */
#define ID_MAX 64
#define ACCEPTS 64              /* connections in one turn of the loop */

struct reply {
	struct reply *next, **link;
	struct server *s;
	struct bufferevent *bev;
	bool head;                      /* HEAD */
	bool asked;                     /* the handler has it */
	bool last;                      /* all that is to be sent is queued */
	bool begun;
	uint64_t left;                  /* bytes of the body that are not queued yet */
	size_t queued;
	reply_more *more;
	reply_ended *ended;
	void *arg;
	const void *of;                 /* the handler's argument */
	char id[ID_MAX + 1];
};

struct server {
	struct event_base *base;
	struct sock sock;
	char *path;                     /* sock borrows it */
	struct event *accepting;
	int spare;                      /* a descriptor, to accept and close a connection with when there are no more; -1: none */
	server_handler *handler;
	void *arg;
	struct reply *first;
	uint64_t sent;
};

/* --- the life of a reply */

static void reply_free(struct reply *r)
{
	*r->link = r->next;
	if (r->next)
		r->next->link = r->link;
	bufferevent_free(r->bev);
	free(r);
}

static void end(struct reply *r)
{
	reply_ended *ended = r->ended;
	void *arg = r->arg;

	reply_free(r);
	if (ended)
		ended(arg);
}

void reply_watch(struct reply *r, reply_ended *ended, void *arg)
{
	r->ended = ended;
	r->arg = arg;
}

bool reply_is_head(const struct reply *r)
{
	return r->head;
}

const char *reply_id(const struct reply *r)
{
	return r->id;
}

static const char *reason(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 206:
		return "Partial Content";
	case 404:
		return "Not Found";
	case 416:
		return "Range Not Satisfiable";
	case 502:
		return "Bad Gateway";
	case 503:
		return "Service Unavailable";
	default:
		return "Other";
	}
}

static void add_head(struct reply *r, int status, const char *headers, uint64_t length)
{
	evbuffer_add_printf(bufferevent_get_output(r->bev), "HTTP/1.0 %d %s\r\nContent-Length: %llu\r\nConnection: close\r\n%s\r\n", status,
			    reason(status), (unsigned long long)length, headers);
}

/* From now on time runs only while something waits to be sent: a reply may wait long for a download. */
static void watch_writes(struct reply *r)
{
	const struct timeval stuck = { .tv_sec = STUCK };

	bufferevent_set_timeouts(r->bev, NULL, &stuck);
}

void reply_whole(struct reply *r, int status, const char *headers, const char *body, size_t len)
{
	assert(!r->begun);
	watch_writes(r);
	add_head(r, status, headers, len);
	if (!r->head)
		bufferevent_write(r->bev, body, len);
	r->ended = NULL;
	r->last = true;
}

void reply_begin(struct reply *r, int status, const char *headers, uint64_t length, reply_more *more)
{
	assert(!r->begun);
	watch_writes(r);
	add_head(r, status, headers, length);
	r->begun = true;
	r->left = r->head ? 0 : length;
	r->last = !r->left;
	r->more = more;
	if (reply_hungry(r))
		more(r->arg);
}

bool reply_hungry(const struct reply *r)
{
	return r->begun && r->left && !r->queued;
}

size_t reply_piece(struct reply *r, int fd, uint64_t from, uint64_t len)
{
	struct evbuffer_file_segment *seg;
	int rc;

	if (!reply_hungry(r) || !len)
		return 0;
	len = len > REPLY_PIECE ? REPLY_PIECE : len;
	len = len > r->left ? r->left : len;
	seg = evbuffer_file_segment_new(fd, (ev_off_t)from, (ev_off_t)len, 0);
	if (!seg)
		abort();
	rc = evbuffer_add_file_segment(bufferevent_get_output(r->bev), seg, 0, (ev_off_t)len);
	evbuffer_file_segment_free(seg);
	if (rc < 0)
		abort();
	r->queued = (size_t)len;
	r->left -= len;
	r->last = !r->left;
	return (size_t)len;
}

void reply_lines(struct reply *r)
{
	assert(!r->begun && !r->head);
	watch_writes(r);
	evbuffer_add_printf(bufferevent_get_output(r->bev), "HTTP/1.0 200 %s\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n", reason(200));
	r->begun = true;
}

void reply_line(struct reply *r, const char *line, bool last)
{
	struct evbuffer *out = bufferevent_get_output(r->bev);

	if (!last && evbuffer_get_length(out))
		return;
	evbuffer_add_printf(out, "%s\n", line);
	if (last)
		r->ended = NULL;
	r->last = last;
}

void reply_cut(struct reply *r)
{
	reply_free(r);
}

/* --- the request */

int server_value(const struct server_request *q, const char *key, struct str *out)
{
	size_t klen = strlen(key);
	const char *p = q->query;

	str_reset(out);
	while (*p) {
		size_t len = strcspn(p, "&");

		if (len > klen && p[klen] == '=' && memcmp(p, key, klen) == 0) {
			if (str_add_urldec(out, p + klen + 1, len - klen - 1, false) < 0 || strlen(out->buf) != out->len)
				return -1;
			return 1;
		}
		p += len + (p[len] == '&');
	}
	return 0;
}

/* The value of a header within the NUL-terminated lines of a head; "" if there is none. The line ends where its value does, afterwards. */
static const char *header(char *lines, const char *end, const char *name)
{
	size_t len = strlen(name);
	char *p;

	for (p = lines; p < end; p += strlen(p) + 1)
		if (strncasecmp(p, name, len) == 0 && p[len] == ':')
			return p + len + 1 + strspn(p + len + 1, " \t");
	return "";
}

/* Makes each line a text of its own; false if a NUL is in it. */
static bool split(char *head, size_t len)
{
	if (memchr(head, '\0', len))
		return false;
	for (size_t i = 0; i < len; i++)
		if (head[i] == '\n' || head[i] == '\r')
			head[i] = '\0';
	return true;
}

/* "GET /path?query HTTP/1.0" and the headers behind it; false if it is something else. */
static bool read_request(char *head, size_t len, struct server_request *q)
{
	char *target, *end, *query;

	if (!split(head, len))
		return false;
	target = strchr(head, ' ');
	end = target ? strchr(target + 1, ' ') : NULL;
	if (!end || strncmp(end + 1, "HTTP/1.", 7) != 0)
		return false;
	*target++ = *end = '\0';
	q->head = strcmp(head, "HEAD") == 0;
	if (!q->head && strcmp(head, "GET") != 0)
		return false;
	query = strchr(target, '?');
	if (query)
		*query++ = '\0';
	q->path = target;
	q->query = query ? query : "";
	q->range = header(end + 1, head + len, "Range");
	q->if_range = header(end + 1, head + len, "If-Range");
	q->id = header(end + 1, head + len, "X-Request-Id");
	return *target == '/';
}

static void ask(struct reply *r, char *head, size_t len)
{
	struct server_request q;

	r->asked = true;
	if (!read_request(head, len, &q)) {
		static const char body[] = "{\"errors\":[{\"code\":\"UNSUPPORTED\",\"message\":\"this is no request of nginx\"}]}\n";

		reply_whole(r, 400, "Content-Type: application/json\r\n", body, sizeof(body) - 1);
		return;
	}
	r->head = q.head;
	memcpy(r->id, q.id, strnlen(q.id, ID_MAX));
	bufferevent_set_timeouts(r->bev, NULL, NULL);
	r->of = r->s->arg;
	if (r->s->handler)
		r->s->handler(r->s->arg, r, &q);
	else
		reply_whole(r, 503, "", "", 0);
}

/* What comes after the request is thrown away. */
static void on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t len = evbuffer_get_length(in);
	struct reply *r = arg;
	struct evbuffer_ptr at;
	char head[HEAD_MAX + 1];

	if (r->asked) {
		evbuffer_drain(in, len);
		return;
	}
	at = evbuffer_search(in, "\r\n\r\n", 4, NULL);
	if (at.pos < 0) {
		if (len > HEAD_MAX)
			end(r);
		return;
	}
	if ((size_t)at.pos + 2 > HEAD_MAX) {
		end(r);
		return;
	}
	len = (size_t)at.pos + 2;
	evbuffer_remove(in, head, len);
	evbuffer_drain(in, evbuffer_get_length(in));
	head[len] = '\0';
	ask(r, head, len);
}

/* All that was queued has been handed to the kernel. */
static void on_written(struct bufferevent *bev, void *arg)
{
	struct reply *r = arg;

	/* The callback is deferred: something may have been queued since. */
	if (evbuffer_get_length(bufferevent_get_output(bev)))
		return;
	r->s->sent += r->queued;
	r->queued = 0;
	if (r->last)
		end(r);
	else if (reply_hungry(r))
		r->more(r->arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	(void)what;
	end(arg);
}

/* --- the socket */

static void accept_one(struct server *s, int fd)
{
	const struct timeval patience = { .tv_sec = PATIENCE };
	struct reply *r = xcalloc(1, sizeof(*r));

	*r = (struct reply){ .s = s, .next = s->first, .link = &s->first };
	if (s->first)
		s->first->link = &r->next;
	s->first = r;
	/* Deferred: what is written at once must not be told from within the call that writes it. */
	r->bev = bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (!r->bev)
		abort();
	bufferevent_setcb(r->bev, on_read, on_written, on_event, r);
	bufferevent_set_timeouts(r->bev, &patience, &patience);
	bufferevent_setwatermark(r->bev, EV_READ, 0, HEAD_MAX + 1);
	bufferevent_set_max_single_write(r->bev, REPLY_PIECE);
	bufferevent_enable(r->bev, EV_READ | EV_WRITE);
}

/* Connections that are left waiting would call on_accept() again at once, for ever. */
static void refuse(struct server *s, int fd)
{
	log_say(LOG_ERROR, "relay", "no more descriptors for requests of nginx; raise the limit of open files of berth-relay");
	os_cleanup_fd(&s->spare);
	sock_refuse(fd);
	s->spare = os_open(AT_FDCWD, "/dev/null", O_RDONLY, 0);
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	(void)what;
	for (int i = 0; i < ACCEPTS; i++) {
		int one = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (one < 0 && (errno == EMFILE || errno == ENFILE))
			refuse(s, fd);
		if (one < 0)
			return;
		accept_one(s, one);
	}
}

struct server *server_open(struct event_base *base, const char *socket, struct str *why)
{
	struct server *s = xcalloc(1, sizeof(*s));
	cleanup_err struct err e = ERR_INIT;

	*s = (struct server){ .base = base, .path = xstrdup(socket), .sock = SOCK_INIT, .spare = -1 };
	if (sock_listen(s->path, &s->sock, &e) < 0) {
		err_text(&e, why);
		free(s->path);
		free(s);
		return NULL;
	}
	s->spare = os_open(AT_FDCWD, "/dev/null", O_RDONLY, 0);
	s->accepting = event_new(base, s->sock.fd, EV_READ | EV_PERSIST, on_accept, s);
	if (!s->accepting || event_add(s->accepting, NULL) < 0)
		abort();
	return s;
}

void server_serve(struct server *s, server_handler *handler, void *arg)
{
	s->handler = handler;
	s->arg = arg;
}

bool server_busy(const struct server *s, const void *arg)
{
	for (const struct reply *r = s->first; r; r = r->next)
		if (r->of == arg)
			return true;
	return false;
}

void server_cut(struct server *s, const void *arg)
{
	struct reply *r, *next;

	for (r = s->first; r; r = next) {
		next = r->next;
		if (r->of == arg)
			reply_free(r);
	}
}

void server_close(struct server **sp)
{
	struct server *s = STEAL(*sp);

	if (!s)
		return;
	while (s->first)
		reply_free(s->first);
	event_free(s->accepting);
	sock_close(&s->sock);
	os_cleanup_fd(&s->spare);
	free(s->path);
	free(s);
}

uint64_t server_sent(const struct server *s)
{
	return s->sent;
}
