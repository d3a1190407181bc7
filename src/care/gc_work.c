/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc_work: one run, its batches, its account.
 *
 * Owns no state of its own.
 */
#include "care/gc_work.h"

#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "care/share.h"
#include "os/file.h"
#include "os/process.h"
#include "os/tree.h"
#include "store/blob.h"
#include "store/quota_hold.h"

#define BATCH_USEC 5000         /* writers wait for a batch: with 5 ms none waited longer than 0.3 s */
#define BATCH_MAX 64
#define ALONE_USEC 200000       /* a master that starts meanwhile waits this long, and until the trash is empty */
#define SECOND UINT64_C(1000000)
#define PROCESSES_MAX 8
#define PACE_USEC 10000         /* shorter waits are added up */

int gc_goes_on(struct err *e)
{
	int sig = os_asked_to_end();

	return sig ? err_set(e, ERR_UNKNOWN, "the collection was ended by signal %d", sig) : 0;
}

/* A dry run deletes nothing: it is one batch, without a lock. */
int gc_enter(struct gc_work *w, struct err *e)
{
	if (gc_goes_on(e) < 0 || (w->o->dry_run ? collector_hear : collector_enter)(w->c, e) < 0)
		return -1;
	w->begun = time_now_usec();
	w->done = 0;
	w->alone = w->o->dry_run;
	if ((w->o->dry_run || collector_nobody_serves(w->c, &w->alone, e) == 0) && collector_now(w->c, &w->now, e) == 0) {
		if (!w->alone)
			quota_hurry(w->r->st);
		return 0;
	}
	gc_unlock(w);
	return -1;
}

void gc_unlock(struct gc_work *w)
{
	if (!w->o->dry_run)
		collector_leave(w->c);
}

bool gc_batch_goes_on(struct gc_work *w)
{
	bool full = !w->alone && w->done == BATCH_MAX;

	if (os_asked_to_end())
		return false;           /* gc_enter() refuses the next batch */
	if (!w->o->dry_run && w->done > 0 && (full || time_now_usec() - w->begun >= (w->alone ? ALONE_USEC : BATCH_USEC)))
		return false;
	w->done++;
	return true;
}

/* After a pause of a second the count starts anew, so that no burst follows. */
static void keep_pace(struct gc_work *w, unsigned objects)
{
	uint64_t now, due;

	if (!w->o->rate)
		return;
	w->paced += objects;
	due = w->since + w->paced * SECOND / w->o->rate;
	now = time_now_usec();
	if (due > now + PACE_USEC) {
		os_sleep(due - now);
	} else if (due + SECOND < now) {
		w->since = now;
		w->paced = 0;
	}
}

void gc_pace(struct gc_work *w)
{
	keep_pace(w, 1);
}

void gc_leave(struct gc_work *w)
{
	if (!w->alone)
		collector_stay_away(w->c);
	keep_pace(w, w->done);
}

struct name gc_name(const char *text)
{
	struct name n;

	if (name_parse(&n, text, strlen(text)) < 0)
		abort();        /* it was parsed when it was visited */
	return n;
}

/* Both are whole seconds, so an age equal to the grace period is still within it. */
bool gc_in_grace(const struct gc_work *w, int64_t when)
{
	return when > w->now || (uint64_t)(w->now - when) <= w->o->grace;
}

struct told {                           /* a record of type 'T'; the name and `what` follow, each with its NUL */
	enum gc_kind kind;
	uint64_t bytes;
};

static void record_told(struct str *out, enum gc_kind kind, const struct name *n, const char *what, uint64_t bytes)
{
	struct told t = { .kind = kind, .bytes = bytes };
	size_t name_len = n ? n->len + 1 : 1, what_len = strlen(what) + 1;

	share_record_begin(out, 'T', sizeof(t) + name_len + what_len);
	str_add(out, &t, sizeof(t));
	str_add(out, n ? n->s : "", name_len);
	str_add(out, what, what_len);
}

void gc_tell(struct gc_work *w, enum gc_kind kind, const struct name *n, const char *what, uint64_t bytes)
{
	w->out->count[kind]++;
	if (!w->o->tell)
		return;
	if (w->records)
		record_told(w->records, kind, n, what, bytes);
	else
		w->o->tell(w->o->arg, kind, n, what, bytes);
}

/* In a helper *w->out is a copy of the caller's. */
void gc_helper_begin(struct gc_work *w, struct str *out)
{
	store_forked(w->r->st);
	*w->out = (struct gc_result){ 0 };
	w->records = out;
}

void gc_helper_count(const struct gc_work *w, struct str *out)
{
	share_record(out, 'S', w->out, sizeof(*w->out));
}

static int accept_told(const struct gc_work *w, const char *data, size_t len, struct err *e)
{
	const char *name = data + sizeof(struct told), *what = memchr(name, '\0', len - sizeof(struct told));
	struct told t;
	struct name n;

	memcpy(&t, data, sizeof(t));
	if (!what || ++what == data + len || data[len - 1] != '\0' || (*name && name_parse(&n, name, strlen(name)) < 0))
		return share_malformed(e);
	w->o->tell(w->o->arg, t.kind, *name ? &n : NULL, what, t.bytes);
	return 0;
}

int gc_accept(struct gc_work *w, char type, const char *data, size_t len, struct err *e)
{
	struct gc_result r, *out = w->out;

	if (type == 'T' && w->o->tell && len > sizeof(struct told))
		return accept_told(w, data, len, e);
	if (type != 'S' || len != sizeof(r))
		return share_malformed(e);
	memcpy(&r, data, sizeof(r));
	for (int kind = 0; kind < GC_KINDS; kind++)
		out->count[kind] += r.count[kind];
	out->bytes += r.bytes;
	out->kept += r.kept;
	out->kept_bytes += r.kept_bytes;
	return 0;
}

unsigned gc_processes(const struct gc_work *w, size_t tasks, size_t each)
{
	size_t n = share_processors(), most = w->o->rate ? 1 : tasks / each;

	n = n < PROCESSES_MAX ? n : PROCESSES_MAX;
	n = n < most ? n : most;
	return n ? (unsigned)n : 1;
}

void gc_progress(const struct gc_work *w, const char *what, uint64_t done, uint64_t of)
{
	if (w->o->progress)
		w->o->progress(w->o->arg, what, done, of);
}

int gc_references(struct gc_work *w, const struct digest *content, struct references *out, struct err *e)
{
	cleanup_str struct str bytes = STR_INIT;
	cleanup_fd int fd = -1;
	uint64_t size;
	int found;

	*out = (struct references)REFERENCES_INIT;
	if (gc_goes_on(e) < 0 || (found = blob_open(w->r->st, content, &fd, &size, e)) < 0)
		return -1;
	if (found == 0)
		return 1;
	if (size <= w->r->cfg->max_manifest) {
		if (os_read_str(fd, size, &bytes) < 0)
			return err_sys(e, "cannot read manifest %s", content->text);
		if (manifest_scan_references(out, bytes.buf, bytes.len))
			return 1;
	}
	return 0;
}
