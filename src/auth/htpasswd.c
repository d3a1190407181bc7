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
#include "auth/spelling.h"
#include "auth/watched.h"
#include "base/b64.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"

struct htpasswd {
	struct htpasswd_file now;
	struct str skipped;     /* what was said of its skipped lines */
	struct watched watched;
	struct memo *memo;
};

/* The master has said at its start what it found then: a worker says what is new. */
static void say_skipped(struct htpasswd *h, const struct str *skipped)
{
	if (h->watched.has && strcmp(h->skipped.buf, skipped->buf) != 0)
		log_each(LOG_WARN, h->watched.event, skipped->buf);
	str_reset(&h->skipped);
	str_add(&h->skipped, skipped->buf, skipped->len);
}

static int read_file(void *owner, struct stat *st, size_t *count, struct str *msg)
{
	struct htpasswd *h = owner;
	cleanup_str struct str skipped = STR_INIT;
	struct htpasswd_file f;

	if (htpasswd_file_read(&f, h->watched.file, st, &skipped, msg) < 0)
		return -1;
	say_skipped(h, &skipped);
	htpasswd_file_release(&h->now);
	h->now = f;
	*count = f.count;
	return 0;
}

struct htpasswd *htpasswd_open(const char *file)
{
	struct htpasswd *h = xcalloc(1, sizeof(*h));

	h->skipped = (struct str)STR_INIT;
	watched_init(&h->watched, file, "htpasswd", read_file, h);
	h->memo = memo_open();
	return h;
}

void htpasswd_close(struct htpasswd **h)
{
	if (!*h)
		return;
	htpasswd_file_release(&(*h)->now);
	str_release(&(*h)->skipped);
	watched_release(&(*h)->watched);
	memo_close(&(*h)->memo);
	free(*h);
	*h = NULL;
}

static const struct htpasswd_entry *find(const struct htpasswd *h, const char *user)
{
	cleanup_spellings struct spellings names;
	const struct htpasswd_entry *entry = NULL;
	size_t i;

	spellings_init(&names, user, strlen(user));
	for (i = 0; i < names.count && !entry; i++)
		entry = htpasswd_file_find(&h->now, names.v[i].buf);
	return entry;
}

/* Whether a spelling of the password is right. A password that was right recently is not hashed again. */
static bool is_right(struct htpasswd *h, const struct htpasswd_entry *entry, const struct spellings *passwords)
{
	struct memo_proof proofs[SPELLINGS_MAX];
	size_t i;

	for (i = 0; i < passwords->count; i++) {
		memo_prove(h->memo, entry->user, entry->hash, passwords->v[i].buf, passwords->v[i].len, &proofs[i]);
		if (memo_has(h->memo, &proofs[i], time_now_usec()))
			return true;
	}
	for (i = 0; i < passwords->count; i++) {
		if (!pwhash_check(entry->hash, passwords->v[i].buf, passwords->v[i].len))
			continue;
		memo_add(h->memo, &proofs[i], time_now_usec());
		return true;
	}
	return false;
}

int htpasswd_check(struct htpasswd *h, char user[HTPASSWD_USER_MAX + 1], const char *password, size_t len, struct err *e)
{
	cleanup_spellings struct spellings passwords;
	const struct htpasswd_entry *entry;
	size_t i;

	spellings_init(&passwords, password, len);
	if (watched_check(&h->watched, time_now_usec(), e) < 0)
		return -1;
	entry = find(h, user);
	if (!entry) {
		for (i = 0; i < passwords.count; i++)
			pwhash_check(h->now.usual, passwords.v[i].buf, passwords.v[i].len);
		return HTPASSWD_UNKNOWN_USER;
	}
	memcpy(user, entry->user, strlen(entry->user) + 1);
	return is_right(h, entry, &passwords) ? HTPASSWD_RIGHT : HTPASSWD_WRONG;
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
