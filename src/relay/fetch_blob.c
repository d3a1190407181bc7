/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch_blob: one download, many readers.
 *
 * Owns the downloads and their readers. Invariant: a reader gets no byte of its answer's last BLOB_HELD ones before the digest was found right.
 */
#include "relay/fetch_blob.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "relay/answer.h"
#include "relay/download.h"
#include "relay/handover.h"

#define RUNNING_MAX 256         /* downloads at the same time */
#define LINGER 5                /* seconds that a file stays for those whose request was on its way when a worker got it */
#define LOOK_MS 30000
#define LOOK_MAX 65536          /* bytes of an answer that is none */
#define KEEP_PART 10            /* a blob larger than this part of cache.max_size is not kept */

struct blob {
	struct blob *next, **link;
	struct blobs *bs;
	char *repo, *name, *id;
	struct upstream *u;
	struct digest digest;
	bool keep;
	struct download d;
	struct handover *handover;
	bool handed;                    /* that is over, or was not to be done */
	bool over;                      /* the time to linger is over */
	struct event *wake, *linger;    /* libevent's */
	struct reader *readers;
	struct watcher *watchers;
};

struct watcher {                        /* of blobs_fetch() */
	struct watcher *next;
	blobs_done *done;
	void *arg;
};

struct reader {
	struct reader *next, **link;
	struct blob *b;
	struct reply *r;
	char *range;
	bool begun;
	uint64_t at, end;               /* bytes of the blob: next to be sent, and where the answer ends */
};

struct look {                           /* a HEAD upstream */
	struct look *next, **link;
	struct blobs *bs;
	struct reply *r;
	char *repo, *name, *id;
	struct upstream *u;
	struct digest digest;
	bool keep;
	struct upstream_ask *ask;
};

struct blobs {
	struct fetch_env *env;
	struct look *looks;
	struct blob *first;
	size_t count;
};

/* --- readers */

static void blob_idle(struct blob *b);

static void reader_free(struct reader *rd)
{
	*rd->link = rd->next;
	if (rd->next)
		rd->next->link = rd->link;
	free(rd->range);
	free(rd);
}

static void reader_gone(void *arg)
{
	struct reader *rd = arg;
	struct blob *b = rd->b;

	reader_free(rd);
	blob_idle(b);
}

/* How far this answer may be sent now. */
static uint64_t sendable(const struct reader *rd)
{
	const struct download *d = &rd->b->d;
	uint64_t held = rd->end > BLOB_HELD ? rd->end - BLOB_HELD : 0;

	if (d->state == DOWNLOAD_WHOLE)
		return rd->end;
	return d->have < held ? d->have : held;
}

static void feed(void *arg)
{
	struct reader *rd = arg;
	uint64_t to = sendable(rd);

	if (rd->at < to && reply_hungry(rd->r))
		rd->at += reply_piece(rd->r, rd->b->d.fd, rd->at, to - rd->at);
}

static void add_common(const struct digest *d, struct str *out)
{
	str_addf(out, "Content-Type: application/octet-stream\r\nDocker-Content-Digest: %s\r\nEtag: \"%s\"\r\nAccept-Ranges: bytes\r\n"
		 "Cache-Control: max-age=31536000\r\n", d->text, d->text);
}

static void add_headers(const struct reader *rd, int status, struct str *out)
{
	add_common(&rd->b->digest, out);
	if (status == 206)
		str_addf(out, "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n", rd->at, rd->end - 1, rd->b->d.size);
	else if (status == 416)
		str_addf(out, "Content-Range: bytes */%" PRIu64 "\r\n", rd->b->d.size);
}

/* Begins the answer if it is known what it will be; true: the reader is gone. */
static bool reader_begin(struct reader *rd)
{
	const struct download *d = &rd->b->d;
	cleanup_str struct str headers = STR_INIT;
	int status;

	if (!d->size_known)
		return false;
	status = answer_range(rd->range, d->size, &rd->at, &rd->end);
	if (status != 416 && d->state != DOWNLOAD_WHOLE && rd->end - rd->at <= BLOB_HELD && !reply_is_head(rd->r))
		return false;
	add_headers(rd, status, &headers);
	if (status == 416) {
		struct reply *r = rd->r;

		reader_free(rd);
		reply_whole(r, status, headers.buf, "", 0);
		return true;
	}
	rd->begun = true;
	reply_begin(rd->r, status, headers.buf, rd->end - rd->at, feed);
	return false;
}

/* Why there is no blob; ours: the fault, found here, NULL: upstream gave none; status: of that. */
static void say_failed(struct reply *r, enum upstream_kind kind, const char *ours, int status)
{
	if (kind == UPSTREAM_MISSING || kind == UPSTREAM_DENIED)
		answer_error(r, 404, ERR_BLOB_UNKNOWN, "the upstream has no such blob, or does not give it");
	else if (ours)
		answer_error(r, status, ERR_UNAVAILABLE, ours);
	else
		answer_error(r, 503, ERR_UNAVAILABLE, "the upstream does not answer as it should; try again later");
}

static void reader_fail(struct reader *rd)
{
	const struct download *d = &rd->b->d;
	struct reply *r = rd->r;
	bool begun = rd->begun;

	reader_free(rd);
	if (begun)
		reply_cut(r);
	else
		say_failed(r, d->kind, d->ours ? d->why.buf : NULL, d->full ? 503 : 502);
}

static void reader_go(struct reader *rd)
{
	if (rd->b->d.state == DOWNLOAD_FAILED)
		reader_fail(rd);
	else if (rd->begun || !reader_begin(rd))
		if (rd->begun)
			feed(rd);
}

static void reader_add(struct blob *b, struct reply *r, const char *range)
{
	struct reader *rd = xcalloc(1, sizeof(*rd));

	*rd = (struct reader){ .next = b->readers, .link = &b->readers, .b = b, .r = r, .range = xstrdup(range) };
	if (rd->next)
		rd->next->link = &rd->next;
	b->readers = rd;
	reply_watch(r, reader_gone, rd);
	reader_go(rd);
}

/* --- a blob */

static void blob_free(struct blob *b)
{
	struct watcher *w;

	while ((w = b->watchers)) {
		b->watchers = w->next;
		free(w);
	}
	while (b->readers)
		reader_free(b->readers);
	handover_cancel(&b->handover);
	download_end(&b->d);
	event_free(b->wake);
	event_free(b->linger);
	*b->link = b->next;
	if (b->next)
		b->next->link = b->link;
	b->bs->count--;
	free(b->repo);
	free(b->name);
	free(b->id);
	free(b);
}

/* Ends what nobody needs any more. */
static void blob_idle(struct blob *b)
{
	if (b->readers || b->watchers)
		return;
	if (b->d.state == DOWNLOAD_FAILED || (b->d.state == DOWNLOAD_WHOLE && b->handed && b->over) ||
	    (b->d.state == DOWNLOAD_RUNS && !upstream_config(b->u)->finish))
		blob_free(b);
}

static void tell(struct blob *b)
{
	struct watcher *w;

	while ((w = b->watchers)) {
		struct watcher was = *w;

		b->watchers = w->next;
		free(w);
		was.done(was.arg);
	}
}

static void linger(struct blob *b)
{
	const struct timeval tv = { .tv_sec = LINGER };

	b->handed = true;
	tell(b);
	download_unname(&b->d);
	evtimer_add(b->linger, &tv);
}

static void on_linger(evutil_socket_t fd, short what, void *arg)
{
	struct blob *b = arg;

	(void)fd;
	(void)what;
	b->over = true;
	blob_idle(b);
}

static void handed_over(void *arg, int status, const char *why)
{
	struct blob *b = arg;

	b->handover = NULL;
	if (status / 100 != 2) {
		b->bs->env->counts->refused++;
		fetch_log(&b->d.a, b->digest.text, UPSTREAM_OK, why);
	}
	linger(b);
}

static void hand_over(struct blob *b)
{
	const struct handover_of o = { .repo = b->repo, .id = b->id, .done = handed_over, .arg = b };
	uint64_t max = b->bs->env->max_cache / KEEP_PART;

	if (b->handed || b->handover)
		return;
	if (b->keep && (!max || b->d.size <= max))
		b->handover = handover_blob(b->bs->env->workers, &o, b->digest.text, b->d.path.buf, b->d.size);
	else
		linger(b);
}

/* The download has changed. */
static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct blob *b = arg;
	struct reader *rd, *next;

	(void)fd;
	(void)what;
	for (rd = b->readers; rd; rd = next) {
		next = rd->next;
		reader_go(rd);
	}
	if (b->d.state == DOWNLOAD_WHOLE)
		hand_over(b);
	else if (b->d.state == DOWNLOAD_FAILED)
		tell(b);
	blob_idle(b);
}

static void changed(void *arg)
{
	struct blob *b = arg;

	event_active(b->wake, EV_TIMEOUT, 0);
}

static struct blob *find(const struct blobs *bs, const struct fetch_ask *a, const struct digest *digest)
{
	struct blob *b = bs->first;

	/* Content of another repository of the upstream is not this one's to give away. */
	while (b && (b->u != a->u || !digest_eq(&b->digest, digest) || strcmp(b->name, a->name) != 0 || b->d.state == DOWNLOAD_FAILED))
		b = b->next;
	return b;
}

static struct blob *blob_new(struct blobs *bs, const struct fetch_ask *a, const struct digest *digest)
{
	struct blob *b = xcalloc(1, sizeof(*b));
	struct fetch_ask own;

	*b = (struct blob){
		.bs = bs, .next = bs->first, .link = &bs->first, .repo = xstrdup(a->repo), .name = xstrdup(a->name), .id = xstrdup(a->id), .u = a->u,
		.digest = *digest,
	};
	if (b->next)
		b->next->link = &b->next;
	bs->first = b;
	bs->count++;
	b->wake = evtimer_new(bs->env->base, on_wake, b);
	b->linger = evtimer_new(bs->env->base, on_linger, b);
	if (!b->wake || !b->linger)
		abort();
	own = (struct fetch_ask){ .u = b->u, .repo = b->repo, .name = b->name, .id = b->id };
	if (download_begin(&b->d, bs->env, &own, digest, changed, b) == 0)
		return b;
	fetch_log(&own, digest->text, UPSTREAM_OK, b->d.why.buf);
	blob_free(b);
	return NULL;
}

/* One that is under way, or a new one; NULL: there can be none. */
static struct blob *blob_of(struct blobs *bs, const struct fetch_ask *a, const struct digest *digest, bool keep)
{
	struct blob *b = find(bs, a, digest);

	if (b)
		bs->env->counts->coalesced++;
	else if (bs->count < RUNNING_MAX)
		b = blob_new(bs, a, digest);
	if (b)
		b->keep |= keep;
	return b;
}

static void get(struct blobs *bs, const struct fetch_ask *a, const struct digest *digest, bool keep, const char *range, struct reply *r)
{
	struct blob *b = blob_of(bs, a, digest, keep);

	if (b)
		reader_add(b, r, range);
	else
		answer_error(r, 503, ERR_UNAVAILABLE, "the blob cannot be fetched just now");
}

void blobs_fetch(struct blobs *bs, const struct fetch_ask *a, const struct digest *digest, blobs_done *done, void *arg)
{
	struct blob *b = blob_of(bs, a, digest, true);
	struct watcher *w;

	if (!b || b->handed) {
		done(arg);
		return;
	}
	w = xcalloc(1, sizeof(*w));
	*w = (struct watcher){ .next = b->watchers, .done = done, .arg = arg };
	b->watchers = w;
}

/* --- HEAD: nothing is downloaded for it, if upstream tells the size */

static void look_free(struct look *l)
{
	upstream_cancel(&l->ask);
	*l->link = l->next;
	if (l->next)
		l->next->link = l->link;
	free(l->repo);
	free(l->name);
	free(l->id);
	free(l);
}

static void look_gone(void *arg)
{
	look_free(arg);
}

static void nothing_more(void *arg)
{
	(void)arg;
}

static void looked(void *arg, const struct upstream_answer *a)
{
	struct look *l = arg;
	const struct fetch_ask own = { .u = l->u, .repo = l->repo, .name = l->name, .id = l->id };
	const char *length = client_header(a->http, "Content-Length", 0);
	cleanup_str struct str headers = STR_INIT;
	uint64_t size = 0;

	l->ask = NULL;
	reply_watch(l->r, NULL, NULL);
	if (a->kind == UPSTREAM_OK && length && str_parse_u64(length, strlen(length), &size) == 0) {
		add_common(&l->digest, &headers);
		reply_begin(l->r, 200, headers.buf, size, nothing_more);
	} else if (a->kind == UPSTREAM_OK || a->kind == UPSTREAM_UNABLE) {
		get(l->bs, &own, &l->digest, l->keep, "", l->r);
	} else {
		fetch_log(&own, l->digest.text, a->kind, a->why);
		say_failed(l->r, a->kind, NULL, 503);
	}
	look_free(l);
}

static void look(struct blobs *bs, const struct fetch_ask *a, const struct digest *digest, bool keep, struct reply *r)
{
	struct look *l = xcalloc(1, sizeof(*l));
	cleanup_str struct str tail = STR_INIT;
	struct upstream_call call = {
		.method = "HEAD", .name = a->name, .timeout_ms = LOOK_MS, .answer_max = LOOK_MAX,
	};

	*l = (struct look){
		.next = bs->looks, .link = &bs->looks, .bs = bs, .r = r, .repo = xstrdup(a->repo), .name = xstrdup(a->name), .id = xstrdup(a->id),
		.u = a->u, .digest = *digest, .keep = keep,
	};
	if (l->next)
		l->next->link = &l->next;
	bs->looks = l;
	reply_watch(r, look_gone, l);
	str_addf(&tail, "blobs/%s", digest->text);
	call.tail = tail.buf;
	l->ask = upstream_begin(a->u, &call, looked, l);
}

void blobs_get(struct blobs *bs, const struct fetch_ask *a, const struct digest *digest, bool keep, const char *range, struct reply *r)
{
	if (reply_is_head(r) && !find(bs, a, digest))
		look(bs, a, digest, keep, r);
	else
		get(bs, a, digest, keep, range, r);
}

struct blobs *blobs_open(struct fetch_env *env)
{
	struct blobs *bs = xcalloc(1, sizeof(*bs));

	bs->env = env;
	download_clean(env->dirfd);
	return bs;
}

void blobs_close(struct blobs **bp)
{
	struct blobs *bs = STEAL(*bp);

	if (!bs)
		return;
	while (bs->looks)
		look_free(bs->looks);
	while (bs->first)
		blob_free(bs->first);
	free(bs);
}

size_t blobs_running(const struct blobs *bs)
{
	return bs->count;
}
