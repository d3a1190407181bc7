/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quota_rules: the rules in force, and their version.
 *
 * Owns berth/quota/rules and berth/locks/quota/_word. The file begins with two numbers: the version of the groups, which every table
 * has as well, and a serial number, which also changes where only a limit does. Invariant: while nobody holds the collector's lock
 * alone, the word is the serial number of the file, or 0: then the file has to be read.
 */
#include "store/quota_rules.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "os/again.h"
#include "os/file.h"
#include "store/lock.h"
#include "store/quota_table.h"
#include "store/store_path.h"

#define FILE_MAX (256 * 1024)   /* bytes */
#define NUMBER_LEN 16           /* hex digits, and a blank or newline */

static int read_number(const struct str *file, size_t at, char after, uint64_t *out)
{
	if (file->len < at + NUMBER_LEN + 1 || file->buf[at + NUMBER_LEN] != after)
		return -1;
	return str_parse_hex(file->buf + at, NUMBER_LEN, out) < 0 || !*out ? -1 : 0;
}

/* The rules of the file; without one nothing is counted. */
static int read_file(struct store *st, struct str *rules, uint64_t *version, uint64_t *serial, struct err *e)
{
	cleanup_str struct str file = STR_INIT;

	*version = *serial = 0;
	str_reset(rules);
	if (store_read(st, STORE_QUOTA_RULES_FILE, FILE_MAX, &file) < 0 && errno != EUCLEAN)
		return err_sys(e, "cannot read %s", STORE_QUOTA_RULES_FILE);
	if (read_number(&file, 0, ' ', version) == 0 && read_number(&file, NUMBER_LEN + 1, '\n', serial) == 0)
		str_add(rules, file.buf + 2 * (NUMBER_LEN + 1), file.len - 2 * (NUMBER_LEN + 1));
	else
		*version = *serial = 0;
	return 0;
}

static void own_rules(const struct store *st, struct str *out)
{
	str_reset(out);
	st->quota.by->text(st->quota.arg, out);
}

static bool same(const struct str *a, const struct str *b)
{
	return a->len == b->len && memcmp(a->buf, b->buf, a->len) == 0;
}

/* Learn the rules in force. */
static int refresh(struct store *st, struct err *e)
{
	const _Atomic uint64_t *word = st->quota.word;
	uint64_t now = word ? atomic_load_explicit(word, memory_order_acquire) : 0;
	cleanup_str struct str own = STR_INIT;

	if (now && now == st->quota.serial)
		return 0;
	/* Also where this configuration counts nothing: another machine's may. */
	own_rules(st, &own);
	if (read_file(st, &st->quota.rules, &st->quota.version, &st->quota.serial, e) < 0)
		return -1;
	st->quota.own = same(&own, &st->quota.rules);
	return 0;
}

static bool by_rules(const struct store *st, const struct name *n, size_t *len, uint64_t *limit)
{
	const struct quota_state *q = &st->quota;

	return q->own ? q->by->group(q->arg, n, len, limit) : q->by->group_in(q->rules.buf, n, len, limit);
}

int quota_group(struct store *st, const struct name *n, struct quota_group *out, struct err *e)
{
	size_t len;

	*out = (struct quota_group){ 0 };
	if (!st->quota.by || st->readonly)
		return 0;
	if (refresh(st, e) < 0)
		return -1;
	if (!st->quota.rules.len || !by_rules(st, n, &len, &out->limit))
		return 0;
	memcpy(out->text, n->s, len);
	out->version = st->quota.version;
	return 1;
}

bool quota_group_own(struct store *st, const struct name *n, struct quota_group *out)
{
	struct quota_state *q = &st->quota;
	size_t len;

	*out = (struct quota_group){ 0 };
	if (!q->by || !q->by->group(q->arg, n, &len, &out->limit))
		return false;
	memcpy(out->text, n->s, len);
	q->own = true;
	q->version = q->serial = 0;     /* quota_group() reads the rules again */
	return true;
}

bool quota_is_in(struct store *st, const struct name *n, const struct quota_group *g)
{
	uint64_t limit;
	size_t len;

	return by_rules(st, n, &len, &limit) && len == strlen(g->text) && memcmp(n->s, g->text, len) == 0;
}

/* No process that has one open believes it by other rules: its version is another one. */
static int drop(void *arg, const char *path, struct err *e)
{
	const struct store *st = arg;

	return os_unlinkat(st->dirfd, path, 0) < 0 && !os_gone(errno) ? err_sys(e, "cannot remove %s", path) : 0;
}

static int write_word(int fd, uint64_t serial, struct err *e)
{
	return pwrite(fd, &serial, sizeof(serial), 0) == (ssize_t)sizeof(serial) ? 0 : err_sys(e, "cannot write %s", STORE_QUOTA_WORD_FILE);
}

static uint64_t new_number(void)
{
	uint64_t n;

	do
		os_random(&n, sizeof(n));
	while (!n);
	return n;
}

/*
 * The caller holds the collector's lock alone. Who dies on the way leaves the word 0. Where only limits change the tables stay, and the
 * version with them.
 */
static int change(struct store *st, int word, const struct str *rules, struct err *e)
{
	cleanup_str struct str file = STR_INIT, old = STR_INIT;
	uint64_t version, serial;
	bool keep;

	if (read_file(st, &old, &version, &serial, e) < 0)
		return -1;
	keep = version && st->quota.by->same_groups(old.buf, rules->buf);
	if (!keep)
		version = new_number();
	serial = new_number();
	str_addf(&file, "%016" PRIx64 " %016" PRIx64 "\n", version, serial);
	str_add(&file, rules->buf, rules->len);
	if (write_word(word, 0, e) < 0 || (!keep && quota_table_each(st, SIZE_MAX, drop, st, e) < 0))
		return -1;
	if (store_replace(st, STORE_QUOTA_RULES_FILE, file.buf, file.len, true) < 0 ||
	    (!st->local && store_flush_above(st, STORE_QUOTA_RULES_FILE, 1) < 0))
		return err_sys(e, "cannot write %s", STORE_QUOTA_RULES_FILE);
	return write_word(word, serial, e);
}

int quota_rules_set(struct store *st, struct err *e)
{
	cleanup_str struct str own = STR_INIT, rules = STR_INIT;
	cleanup_collector struct store *held = NULL;
	cleanup_fd int word = -1;
	uint64_t version, serial, in_force = 0;

	if (!st->quota.by)
		return 0;
	own_rules(st, &own);
	if (read_file(st, &rules, &version, &serial, e) < 0)
		return -1;
	word = os_open_file(st->dirfd, STORE_QUOTA_WORD_FILE, O_RDWR | O_CREAT, 0666);
	if (word < 0 || pread(word, &in_force, sizeof(in_force), 0) < 0)
		return err_sys(e, "cannot open %s", STORE_QUOTA_WORD_FILE);
	if (serial && in_force == serial && same(&own, &rules))
		return 0;
	if (lock_collector_alone(st, e) < 0)
		return -1;
	held = st;
	return change(st, word, &own, e);
}
