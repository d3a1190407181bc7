/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_QUOTA_TABLE_H
#define BERTH_STORE_QUOTA_TABLE_H

/*
 * quota_table: the file that says how many bytes a group of repositories has (doc/STORE.md, "Quotas").
 *
 * A header, then an open-addressing table of records, one for each content that a link of the group leads to. A bucket of
 * QUOTA_BUCKET records is read at once; the next one is looked at only if it is full. The table grows by being written anew.
 *
 * Nothing is flushed but as the caller asks: a table counts only in its epoch, as an index does. The caller holds the group's lock,
 * but for quota_table_read() of what it only estimates.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "store/store.h"

#define QUOTA_KEY 20            /* bytes of a digest: nobody can make two contents whose digests begin alike */
#define QUOTA_BUCKET 128        /* records */
#define QUOTA_RECORDS_AT 4096   /* offset in the file, bytes */

struct quota_record {           /* all zeros: free, and no record of this bucket lies beyond */
	unsigned char key[QUOTA_KEY];
	uint32_t count;         /* links; 0: what had this record has gone */
	uint64_t size;          /* bytes; QUOTA_GONE with count 0, so that no record that was used looks free */
};

#define QUOTA_GONE UINT64_MAX

enum quota_pending {
	QUOTA_NOTHING,
	QUOTA_PENDING,          /* the link may be there or not */
	QUOTA_COUNTED           /* `there` says what came of it, and the sum too; the record may not be on disk yet */
};

/* What a process is about to do, from before a link changes until it is counted. */
struct quota_intent {
	uint32_t pending;       /* enum quota_pending */
	uint32_t kind;          /* enum quota_kind */
	uint32_t was;           /* whether the link was there */
	uint32_t fresh;         /* whether the record is a free one */
	uint32_t there, pad;
	uint64_t slot;
	struct quota_record before;     /* count 0: nothing was there; the key is valid all the same */
	uint64_t size;          /* of the content, if the link is there afterwards */
	char called[DIGEST_TEXT_MAX + 1];       /* the digest that names the link's directory */
	char repository[NAME_MAX_LEN + 1];
};

struct quota_head {
	uint64_t magic;
	uint64_t version;       /* of the rules by which it was counted: store/quota_rules.h */
	char epoch[STORE_EPOCH_LEN];    /* in which; zeros: nobody served */
	uint32_t gone;          /* another file has taken its place, or will */
	uint32_t broken;        /* a change was too large for an intent: count again */
	uint64_t used;          /* bytes */
	uint64_t entries;       /* records with a count */
	uint64_t filled;        /* records that are not free */
	uint64_t slots;         /* all: a power of two, at least QUOTA_BUCKET */
	uint64_t seed;          /* random: no client can choose digests that fill one bucket */
	char group[NAME_MAX_LEN + 1];
	struct quota_intent intent;
	struct quota_intent last;       /* the one before, until it is certain that its record is on disk */
};

/* quota_table_open - open the table of a group for reading and writing: a descriptor, -1 with errno; ENOENT: there is none */
int quota_table_open(struct store *st, const char *group);

/* quota_table_read - read the header: 1, 0 it is none, or of a table that has been replaced, -1 with errno */
int quota_table_read(int fd, struct quota_head *h);
int quota_table_write(int fd, const struct quota_head *h);

/* quota_table_each - visit the path of each table, of at most `max`; visit returns 0 to go on. 0, or what it returns, -1 with *e */
int quota_table_each(struct store *st, size_t max, int (*visit)(void *arg, const char *path, struct err *e), void *arg, struct err *e);

/* quota_key - the key of a digest */
void quota_key(const struct digest *d, unsigned char key[QUOTA_KEY]);

/* Where a record is, or would be. */
struct quota_place {
	uint64_t slot;
	bool fresh;             /* absent, and the slot is a free one */
	struct quota_record r;  /* absent: the key alone */
};

/* quota_table_find - look for a key: 1 found, with a count or without; 0 absent; -1 with errno: EUCLEAN if the table is no table */
int quota_table_find(int fd, const struct quota_head *h, const unsigned char key[QUOTA_KEY], struct quota_place *out);
int quota_table_put(int fd, uint64_t slot, const struct quota_record *r);

/* A table in memory. */
struct quota_memory {
	struct quota_record *v; /* owned */
	uint64_t slots, filled, entries, used, seed;
};

void quota_memory_release(struct quota_memory *m);
#define cleanup_quota_memory __attribute__((cleanup(quota_memory_release)))

/* quota_memory_at - the record of this key, which is made if it is missing; borrowed until the next call */
struct quota_record *quota_memory_at(struct quota_memory *m, const unsigned char key[QUOTA_KEY]);

/* quota_memory_has - the record of this key, borrowed; NULL: there is none */
const struct quota_record *quota_memory_has(const struct quota_memory *m, const unsigned char key[QUOTA_KEY]);

/* quota_memory_put - a record, which has a count, in the place of the one of its key, or as a new one */
void quota_memory_put(struct quota_memory *m, const struct quota_record *r);

/* quota_memory_add - one link more to content of this size */
void quota_memory_add(struct quota_memory *m, const struct digest *d, uint64_t size);

/* quota_memory_room - make room for many more records: a table that is written anew because it is full must not be full again soon */
void quota_memory_room(struct quota_memory *m);

/*
 * quota_table_full    - whether a further record needs a larger table
 * quota_table_load    - read all records with a count
 * quota_table_publish - put a table in the place of the group's present one; h: group, version and epoch are the caller's, the rest follows
 *                       from the memory. Whoever has the old file open finds that it is gone
 * Each returns 0, or -1 with errno.
 */
bool quota_table_full(const struct quota_head *h);
int quota_table_load(int fd, const struct quota_head *h, struct quota_memory *m);
int quota_table_publish(struct store *st, struct quota_head *h, const struct quota_memory *m);

#endif
