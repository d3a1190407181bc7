/* SPDX-License-Identifier: Apache-2.0 */
/*
 * download: from upstream to a file.
 *
 * Owns the file and its name, which is locked while the relay lives. Invariant: the file's bytes are those that were hashed, and the state is
 * DOWNLOAD_WHOLE only if they have the digest.
 */
#include "relay/download.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/tree.h"

#define TIMEOUT_MS (24 * 3600 * 1000u)
#define STALL_S 30              /* seconds with fewer bytes than the next line says: a drip is no download */
#define STALL_BYTES 256
#define ERROR_MAX 65536         /* bytes of an answer that is no blob */
#define LIMIT (UINT64_C(1) << 40)       /* bytes, where the configuration has no limit */
#define UNTOLD_MAX (UINT64_C(1) << 36)  /* the same where upstream does not tell the length: it may never end */
#define TRIES_MAX 5             /* in a row without a byte */
#define ALL_TRIES_MAX 100
#define STALLED_LEAST (1 << 20) /* bytes that a try has to bring to count as one with bytes, if it ended by a stall */
#define RESERVE (UINT64_C(1) << 30)     /* bytes of the file system that stay free, or */
#define RESERVE_PART 20         /* this part of it, if that is less */
#define LOOK_EVERY (1 << 20)    /* bytes between two looks at it */

/* --- the file */

static int make_file(struct download *d)
{
	unsigned char random[8];
	uint64_t n;

	os_random(random, sizeof(random));
	memcpy(&n, random, sizeof(n));
	str_addf(&d->path, DOWNLOAD_DIR "/" DOWNLOAD_PREFIX "%016" PRIx64, n);
	if (os_mkdirs(d->env->dirfd, DOWNLOAD_DIR) == 0)
		d->fd = os_open(d->env->dirfd, d->path.buf, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (d->fd < 0)
		str_addf(&d->why, "cannot make %s: %s", d->path.buf, strerror(errno));
	return d->fd;
}

/* Another relay that begins may remove a file before it is locked. */
static int open_file(struct download *d)
{
	struct stat sb;

	for (int i = 0; i < 3; i++) {
		if (make_file(d) < 0)
			return -1;
		if (os_lock(d->fd, true, 0, NULL) == 0 && fstat(d->fd, &sb) == 0 && sb.st_nlink)
			return 0;
		download_unname(d);
		os_cleanup_fd(&d->fd);
	}
	str_puts(&d->why, "cannot lock a file in " DOWNLOAD_DIR);
	return -1;
}

void download_unname(struct download *d)
{
	if (d->path.len)
		unlinkat(d->env->dirfd, d->path.buf, 0);
	str_reset(&d->path);
}

void download_clean(int dirfd)
{
	cleanup_names struct names names = NAMES_INIT;

	if (os_dir_list(dirfd, DOWNLOAD_DIR, DIR_ALL, &names) < 0)
		return;
	for (size_t i = 0; i < names.count; i++) {
		cleanup_str struct str path = STR_INIT;
		cleanup_fd int fd = -1;

		if (strncmp(names.v[i], DOWNLOAD_PREFIX, strlen(DOWNLOAD_PREFIX)) != 0)
			continue;
		str_addf(&path, DOWNLOAD_DIR "/%s", names.v[i]);
		fd = os_open_file(dirfd, path.buf, O_RDWR, 0);
		if (fd >= 0 && os_lock(fd, true, 0, NULL) == 0 && unlinkat(dirfd, path.buf, 0) < 0)
			log_say(LOG_WARN, "relay", "cannot remove %s: %s", path.buf, strerror(errno));
	}
}

/* --- its end */

static void settle(struct download *d, enum download_state state)
{
	d->state = state;
	d->changed(d->arg);
}

static void fail(struct download *d, enum upstream_kind kind, const char *why)
{
	d->kind = kind;
	if (why != d->why.buf) {
		str_reset(&d->why);
		str_puts(&d->why, why);
	}
	fetch_log(&d->a, d->digest.text, kind, d->why.buf);
	settle(d, DOWNLOAD_FAILED);
}

static void verify(struct download *d)
{
	struct digest is;

	digester_finish(d->hash, &is);
	digester_close(&d->hash);
	if (digest_eq(&is, &d->digest)) {
		d->env->counts->blobs++;
		settle(d, DOWNLOAD_WHOLE);
		return;
	}
	d->env->counts->wrong++;
	d->ours = true;
	fail(d, UPSTREAM_FAILED, "the blob's bytes have another digest");
}

/* --- its pieces */

/* A fault of what comes, or here: the download ends with it, whatever libcurl says. */
static bool refuse(struct download *d, const char *why)
{
	d->ours = true;
	str_reset(&d->why);
	str_puts(&d->why, why);
	return false;
}

/* "bytes FIRST-LAST/SIZE": whether it goes on where the file ends. */
static bool goes_on(struct download *d, const char *range)
{
	uint64_t first, size;
	const char *slash;

	if (!range || strncmp(range, "bytes ", 6) != 0)
		return false;
	range += 6;
	slash = strchr(range, '/');
	return slash && str_parse_u64(range, strcspn(range, "-"), &first) == 0 && first == d->have &&
	       (slash[1] == '*' || (str_parse_u64(slash + 1, strlen(slash + 1), &size) == 0 && (!d->size_known || size == d->size)));
}

/* Whether so many bytes more leave the reserve; of what cannot be told the write says it. */
static bool fits(const struct download *d, uint64_t more)
{
	struct statvfs fs;
	uint64_t size, available;

	if (fstatvfs(d->fd, &fs) < 0)
		return true;
	size = (uint64_t)fs.f_blocks * fs.f_frsize;
	available = (uint64_t)fs.f_bavail * fs.f_frsize;
	size /= RESERVE_PART;
	return available > more && available - more >= (size < RESERVE ? size : RESERVE);
}

static bool refuse_full(struct download *d, const char *why)
{
	d->full = true;
	return refuse(d, why);
}

static bool learn_size(struct download *d, const char *length)
{
	uint64_t n;

	if (!length || str_parse_u64(length, strlen(length), &n) < 0)
		return true;
	if (d->size_known && n != d->size)
		return refuse(d, "the blob has another length than before");
	if (n > d->limit)
		return refuse(d, "the blob is larger than blobs.max_size, or than what can be");
	if (n > d->have && !fits(d, n - d->have))
		return refuse_full(d, "no space for the blob: the rest of the file system is not for downloads");
	if (n < d->have)
		return refuse(d, "the blob is shorter than what has come of it");
	d->size = n;
	d->size_known = true;
	d->changed(d->arg);
	return true;
}

static bool on_head(void *arg, const struct client_answer *http)
{
	struct download *d = arg;

	if (fetch_encoded(http))
		refuse(d, "the blob comes encoded");
	else if (http->status == 206 && !goes_on(d, client_header(http, "Content-Range", 0)))
		refuse(d, "the blob goes on elsewhere than it broke off");
	else if (http->status == 200)
		learn_size(d, client_header(http, "Content-Length", 0));
	else if (http->status != 206)
		refuse(d, "the answer is no blob");
	d->skip = http->status == 200 ? d->have : 0;
	return true;
}

/* How many bytes there may be. */
static uint64_t bound(const struct download *d)
{
	uint64_t untold = d->env->max_cache ? d->env->max_cache : d->env->max_blob ? d->env->max_blob : UNTOLD_MAX;

	if (d->size_known)
		return d->size;
	return d->limit < untold ? d->limit : untold;
}

static bool on_piece(void *arg, const void *data, size_t len)
{
	struct download *d = arg;
	const char *p = data;
	size_t skip = d->skip < len ? (size_t)d->skip : len;

	if (d->ours)
		return false;
	d->skip -= skip;
	p += skip;
	len -= skip;
	if (!len)
		return true;
	if (d->have > bound(d) || len > bound(d) - d->have)
		return refuse(d, "the blob has more bytes than it should");
	if (d->have - d->looked >= LOOK_EVERY) {
		d->looked = d->have;
		if (!fits(d, len))
			return refuse_full(d, "no space for the blob: the rest of the file system is not for downloads");
	}
	if (os_write_full(d->fd, p, len) < 0) {
		if (errno == ENOSPC || errno == EDQUOT)
			return refuse_full(d, "no space for the blob");
		return refuse(d, "cannot write the blob to " DOWNLOAD_DIR);
	}
	digester_add(d->hash, p, len);
	d->have += len;
	d->changed(d->arg);
	return true;
}

/* --- its tries */

static void ask(struct download *d);

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	ask(arg);
}

/* It broke off. Progress earns new tries; a drip that stalled again and again is none. */
static bool try_again(struct download *d, bool stalled)
{
	struct timeval tv = { 0 };

	if (!d->have || ++d->all_tries > ALL_TRIES_MAX)
		return false;
	if (d->have - d->before > (stalled ? STALLED_LEAST : 0)) {
		d->tries = 0;
		d->before = d->have;
	}
	if (++d->tries > TRIES_MAX)
		return false;
	tv.tv_sec = d->tries > 1 ? 1 << (d->tries - 2) : 0;
	d->env->counts->resumed++;
	evtimer_add(d->again, &tv);
	return true;
}

/* Another try would be told the same: the blob is gone, or no more of it is there, whatever was said of its length. */
static bool is_final(const struct upstream_answer *a)
{
	return a->kind == UPSTREAM_MISSING || a->kind == UPSTREAM_DENIED || a->http->status == 416;
}

static void answered(void *arg, const struct upstream_answer *a)
{
	struct download *d = arg;

	d->ask = NULL;
	if (d->ours) {
		fail(d, UPSTREAM_FAILED, d->why.buf);
	} else if ((a->kind == UPSTREAM_OK && !d->size_known) || (d->size_known && d->have == d->size)) {
		d->size = d->have;
		d->size_known = true;
		verify(d);
	} else if (a->kind == UPSTREAM_MISSING && !d->have) {
		fail(d, UPSTREAM_MISSING, a->why);
	} else if (is_final(a) || !try_again(d, a->http->fault == CLIENT_FAULT_TIME)) {
		fail(d, a->kind == UPSTREAM_OK ? UPSTREAM_FAILED : a->kind, a->kind == UPSTREAM_OK ? "the blob ends early" : a->why);
	}
}

static void ask(struct download *d)
{
	cleanup_names struct names headers = NAMES_INIT;
	cleanup_str struct str range = STR_INIT;
	struct upstream_call call = {
		.method = "GET", .name = d->a.name, .tail = d->tail.buf, .headers = &headers, .timeout_ms = TIMEOUT_MS, .stall_s = STALL_S,
		.stall_bytes = STALL_BYTES, .answer_max = ERROR_MAX, .head = on_head, .piece = on_piece,
	};

	if (d->have) {
		str_addf(&range, "Range: bytes=%" PRIu64 "-", d->have);
		names_add(&headers, range.buf, range.len);
	}
	d->ask = upstream_begin(d->a.u, &call, answered, d);
}

int download_begin(struct download *d, struct fetch_env *env, const struct fetch_ask *a, const struct digest *digest, void (*changed)(void *arg),
		   void *arg)
{
	*d = (struct download){
		.fd = -1, .path = STR_INIT, .why = STR_INIT, .tail = STR_INIT, .env = env, .a = *a, .digest = *digest, .changed = changed, .arg = arg,
		.limit = env->max_blob ? env->max_blob : LIMIT,
	};
	d->again = evtimer_new(env->base, on_again, d);
	if (!d->again)
		abort();
	if (open_file(d) < 0)
		return -1;
	d->hash = digester_open(digest->alg);
	str_addf(&d->tail, "blobs/%s", digest->text);
	ask(d);
	return 0;
}

void download_end(struct download *d)
{
	upstream_cancel(&d->ask);
	event_free(d->again);
	digester_close(&d->hash);
	download_unname(d);
	os_cleanup_fd(&d->fd);
	str_release(&d->path);
	str_release(&d->why);
	str_release(&d->tail);
}
