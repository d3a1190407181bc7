/* SPDX-License-Identifier: Apache-2.0 */
/*
 * htpasswd: checking passwords against the contents in force.
 *
 * Owns the contents of the file, and the memo of passwords that were right. Knows nothing of addresses or requests.
 */
#include "auth/htpasswd.h"

#include <stdlib.h>
#include <string.h>

#include "auth/htpasswd_file.h"
#include "auth/memo.h"
#include "auth/pwhash.h"
#include "auth/watched.h"
#include "base/b64.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"

struct htpasswd {
	struct htpasswd_file now;
	struct watched watched;
	struct memo *memo;
};

static int read_file(void *owner, struct stat *st, size_t *count, struct str *msg)
{
	struct htpasswd *h = owner;
	struct htpasswd_file f;

	if (htpasswd_file_read(&f, h->watched.file, st, msg) < 0)
		return -1;
	htpasswd_file_release(&h->now);
	h->now = f;
	*count = f.count;
	return 0;
}

struct htpasswd *htpasswd_open(const char *file)
{
	struct htpasswd *h = xcalloc(1, sizeof(*h));

	watched_init(&h->watched, file, "htpasswd", read_file, h);
	h->memo = memo_open();
	return h;
}

void htpasswd_close(struct htpasswd **h)
{
	if (!*h)
		return;
	htpasswd_file_release(&(*h)->now);
	watched_release(&(*h)->watched);
	memo_close(&(*h)->memo);
	free(*h);
	*h = NULL;
}

int htpasswd_check(struct htpasswd *h, const char *user, const char *password, size_t len, struct err *e)
{
	const struct htpasswd_entry *entry;
	struct memo_proof proof;

	if (watched_check(&h->watched, time_now_usec(), e) < 0)
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
	if (watched_check(&h->watched, time_now_usec(), e) < 0)
		return -1;
	entry = htpasswd_file_find(&h->now, user);
	if (!entry)
		return 0;
	/* The hash is the key: its salt is unknown to a holder of the stamp. */
	digest_hmac(mac, entry->hash, strlen(entry->hash), user, strlen(user));
	b64_encode(B64_URL, mac, sizeof(mac), &text);
	memcpy(stamp, text.buf, text.len + 1);
	return 1;
}
