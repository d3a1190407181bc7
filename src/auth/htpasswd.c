/* SPDX-License-Identifier: Apache-2.0 */
/*
 * htpasswd: checking passwords by the file as it is now.
 *
 * Owns what was read of the file, and the memory of passwords that were right. Knows nothing of addresses or requests.
 */
#include "auth/htpasswd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "auth/changed.h"
#include "auth/htpasswd_file.h"
#include "auth/memo.h"
#include "auth/pwhash.h"
#include "base/b64.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"

#define SECOND 1000000u

struct htpasswd {
	const char *file;
	struct htpasswd_file now;
	bool has;                       /* `now` was read, at whatever time */
	struct changed read;            /* what was read last, good or bad */
	struct str fault;               /* what is wrong with it; empty: nothing */
	uint64_t wrong_since;
	struct memo *memo;
};

struct htpasswd *htpasswd_open(const char *file)
{
	struct htpasswd *h = xcalloc(1, sizeof(*h));

	h->file = file;
	h->fault = (struct str)STR_INIT;
	h->memo = memo_open();
	return h;
}

void htpasswd_close(struct htpasswd **h)
{
	if (!*h)
		return;
	htpasswd_file_release(&(*h)->now);
	str_release(&(*h)->fault);
	memo_close(&(*h)->memo);
	free(*h);
	*h = NULL;
}

/* The log says a fault once, not at each request. */
static void found_fault(struct htpasswd *h, const struct str *fault)
{
	bool news = strcmp(h->fault.buf, fault->buf) != 0;

	if (!h->fault.len)
		h->wrong_since = time_now_usec();
	if (!news)
		return;
	str_reset(&h->fault);
	str_add(&h->fault, fault->buf, fault->len);
	log_say(LOG_ERROR, "htpasswd", "%s; %s", fault->buf,
		h->has ? "for five seconds the file holds as it was, then nobody gets in by password" : "nobody gets in by password");
}

static void read_again(struct htpasswd *h)
{
	cleanup_str struct str fault = STR_INIT;
	struct htpasswd_file f;
	struct stat st;
	bool settled = h->read.settled;
	int rc = htpasswd_file_read(&f, h->file, &st, &fault);

	changed_note(&h->read, &st);
	if (rc < 0) {
		found_fault(h, &fault);
		return;
	}
	if (h->has && (settled || h->fault.len))
		log_say(LOG_INFO, "htpasswd", "%s read again: %zu users", h->file, f.count);
	str_reset(&h->fault);
	htpasswd_file_release(&h->now);
	h->now = f;
	h->has = true;
}

/* 0 where `now` may be asked, -1 with *e. */
static int refresh(struct htpasswd *h, struct err *e)
{
	if (changed_since(&h->read, h->file))
		read_again(h);
	if (!h->fault.len)
		return 0;
	if (h->has && time_now_usec() - h->wrong_since < (uint64_t)HTPASSWD_GRACE * SECOND)
		return 0;
	return err_set(e, ERR_UNAVAILABLE, "logins cannot be checked");
}

int htpasswd_check(struct htpasswd *h, const char *user, const char *password, size_t len, struct err *e)
{
	const struct htpasswd_entry *entry;
	struct memo_proof proof;

	if (refresh(h, e) < 0)
		return -1;
	entry = htpasswd_file_find(&h->now, user);
	if (!entry) {
		pwhash_check(h->now.usual, password, len);
		return HTPASSWD_UNKNOWN_USER;
	}
	memo_prove(h->memo, user, entry->hash, password, len, &proof);
	if (memo_has(h->memo, &proof, time_now_usec()))
		return HTPASSWD_RIGHT;
	if (!pwhash_check(entry->hash, password, len))
		return HTPASSWD_WRONG;
	memo_add(h->memo, &proof, time_now_usec());
	return HTPASSWD_RIGHT;
}

int htpasswd_stamp(struct htpasswd *h, const char *user, char stamp[HTPASSWD_STAMP_MAX], struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	const struct htpasswd_entry *entry;
	unsigned char mac[DIGEST_MAC_LEN];

	stamp[0] = '\0';
	if (refresh(h, e) < 0)
		return -1;
	entry = htpasswd_file_find(&h->now, user);
	if (!entry)
		return 0;
	/* The hash has a salt of its own, which nobody who holds the stamp alone can guess. */
	digest_hmac(mac, entry->hash, strlen(entry->hash), user, strlen(user));
	b64_encode(B64_URL, mac, sizeof(mac), &text);
	memcpy(stamp, text.buf, text.len + 1);
	return 1;
}
