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
#include "base/time.h"
#include "relay/answer.h"
#include "relay/download.h"
#include "relay/fetch_look.h"
#include "relay/handover.h"

#define RUNNING_MAX 256         /* downloads at the same time */
#define LINGER 5                /* seconds that a file stays for those whose request was on its way when a worker got it */
#define TELL_USEC 500000        /* between two lines of a download that is only for the store */

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
	bool stored;                    /* a worker has it */
	bool warm;                      /* it is for the store, whoever waits */
	struct str refused;             /* why it is not stored */
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
	bool warm;                      /* it gets lines, and no bytes */
	uint64_t told;                  /* the last one; monotonic clock, microseconds */
	uint64_t at, end;               /* bytes of the blob: next to be sent, or told; and where the answer ends */
};

struct blobs {
	struct fetch_env *env;
	struct looks *looks;
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

static void add_headers(const struct reader *rd, int status, struct str *out)
{
	answer_blob_headers(&rd->b->digest, out);
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

static void reader_fail(struct reader *rd)
{
	const struct download *d = &rd->b->d;
	struct reply *r = rd->r;
	bool begun = rd->begun;

	reader_free(rd);
	if (begun)
		reply_cut(r);
	else
		answer_blob_failed(r, d->kind, d->ours ? d->why.buf : NULL, d->full ? 503 : 502);
}

/* Whether it is larger than the cache keeps. */
static bool too_large(const struct blob *b)
{
	uint64_t max = b->bs->env->max_cache / CACHE_KEEP_PART;

	return max && b->d.size_known && b->d.size > max;
}

/* The last line of what is only for the store; false: it is not known yet. */
static bool warm_end(const struct blob *b, struct str *line)
{
	if (b->stored)
		str_addf(line, "stored %" PRIu64, b->d.size);
	else if (b->d.state == DOWNLOAD_FAILED)
		str_addf(line, "failed %s", b->d.why.buf);
	else if (too_large(b))
		str_puts(line, "failed it is larger than a tenth of cache.max_size");
	else if (b->handed)
		str_addf(line, "failed %s", b->refused.buf);
	return line->len > 0;
}

static void warm_go(struct reader *rd)
{
	const struct download *d = &rd->b->d;
	cleanup_str struct str line = STR_INIT;
	uint64_t now = time_now_usec();

	if (warm_end(rd->b, &line)) {
		struct reply *r = rd->r;

		reader_free(rd);
		reply_line(r, line.buf, true);
	} else if (d->have != rd->at && now - rd->told >= TELL_USEC) {
		rd->at = d->have;
		rd->told = now;
		str_add_u64(&line, d->have);
		reply_line(rd->r, line.buf, false);
	}
}

static void reader_go(struct reader *rd)
{
	if (rd->warm)
		warm_go(rd);
	else if (rd->b->d.state == DOWNLOAD_FAILED)
		reader_fail(rd);
	else if (rd->begun || !reader_begin(rd))
		if (rd->begun)
			feed(rd);
}

static void reader_add(struct blob *b, struct reply *r, const char *range, bool warm)
{
	struct reader *rd = xcalloc(1, sizeof(*rd));

	*rd = (struct reader){ .next = b->readers, .link = &b->readers, .b = b, .r = r, .range = xstrdup(range), .warm = warm };
	if (rd->next)
		rd->next->link = &rd->next;
	b->readers = rd;
	if (warm)
		reply_lines(r);
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
	str_release(&b->refused);
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
	    (b->d.state == DOWNLOAD_RUNS && !b->warm && !upstream_config(b->u)->finish))
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

static void changed(void *arg)
{
	struct blob *b = arg;

	event_active(b->wake, EV_TIMEOUT, 0);
}

static void linger(struct blob *b)
{
	const struct timeval tv = { .tv_sec = LINGER };

	b->handed = true;
	tell(b);
	download_unname(&b->d);
	evtimer_add(b->linger, &tv);
	changed(b);
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
	b->stored = status / 100 == 2;
	if (!b->stored) {
		b->bs->env->counts->refused++;
		str_puts(&b->refused, why);
		fetch_log(&b->d.a, b->digest.text, UPSTREAM_OK, why);
	}
	linger(b);
}

static void hand_over(struct blob *b)
{
	const struct handover_of o = { .repo = b->repo, .id = b->id, .done = handed_over, .arg = b };

	if (b->handed || b->handover)
		return;
	if (b->keep && !too_large(b))
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
		.digest = *digest, .refused = STR_INIT,
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

/* What only lingers makes room for a download. */
static bool make_room(struct blobs *bs)
{
	struct blob *b = bs->first, *last = NULL;

	if (bs->count < RUNNING_MAX)
		return true;
	for (; b; b = b->next)
		if (b->handed && !b->readers && !b->watchers)
			last = b;
	if (last)
		blob_free(last);
	return last != NULL;
}

/* One that is under way, or a new one; NULL: there can be none. */
static struct blob *blob_of(struct blobs *bs, const struct fetch_ask *a, const struct digest *digest, bool keep, bool warm)
{
	struct blob *b = find(bs, a, digest);

	if (b && warm && b->handed && !b->stored)
		b = NULL;       /* it lingers, and was not to be kept */
	if (b)
		bs->env->counts->coalesced++;
	else if (make_room(bs))
		b = blob_new(bs, a, digest);
	if (!b)
		return NULL;
	b->keep |= keep;
	b->warm |= warm;
	return b;
}

static void get(struct blobs *bs, const struct fetch_ask *a, const struct digest *digest, bool keep, bool warm, const char *range, struct reply *r)
{
	struct blob *b = blob_of(bs, a, digest, keep, warm);

	if (b)
		reader_add(b, r, range, warm);
	else
		answer_error(r, 503, ERR_UNAVAILABLE, "the blob cannot be fetched just now");
}

void blobs_fetch(struct blobs *bs, const struct fetch_ask *a, const struct digest *digest, blobs_done *done, void *arg)
{
	struct blob *b = blob_of(bs, a, digest, true, true);
	struct watcher *w;

	if (!b || b->handed) {
		done(arg);
		return;
	}
	w = xcalloc(1, sizeof(*w));
	*w = (struct watcher){ .next = b->watchers, .done = done, .arg = arg };
	b->watchers = w;
}

void blobs_get(struct blobs *bs, const struct fetch_ask *a, const struct digest *digest, bool keep, const char *range, struct reply *r)
{
	if (reply_is_head(r) && !find(bs, a, digest))
		looks_get(bs->looks, a, digest, keep, r);
	else
		get(bs, a, digest, keep, false, range, r);
}

void blobs_warm(struct blobs *bs, const struct fetch_ask *a, const struct digest *digest, struct reply *r)
{
	get(bs, a, digest, true, true, "", r);
}

/* A HEAD whose answer only a download can give. */
static void on_unknown(void *arg, const struct fetch_ask *a, const struct digest *digest, bool keep, struct reply *r)
{
	get(arg, a, digest, keep, false, "", r);
}

struct blobs *blobs_open(struct fetch_env *env)
{
	struct blobs *bs = xcalloc(1, sizeof(*bs));

	bs->env = env;
	bs->looks = looks_open(env, on_unknown, bs);
	download_clean(env->dirfd);
	return bs;
}

void blobs_close(struct blobs **bp)
{
	struct blobs *bs = STEAL(*bp);

	if (!bs)
		return;
	looks_close(&bs->looks);
	while (bs->first)
		blob_free(bs->first);
	free(bs);
}

size_t blobs_running(const struct blobs *bs)
{
	return bs->count;
}
