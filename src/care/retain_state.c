/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retain_state: rules that were seen, and the last run.
 *
 * Owns berth/rules/ and the lock of a run. Invariant: a rule that may delete was seen, in this form, at least rules_delay ago, or was approved.
 */
#include "care/retain_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/mem.h"
#include "os/again.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/tree.h"
#include "store/clock.h"
#include "store/pulled.h"
#include "store/store_path.h"

#define TEXT_MAX 128

static const enum rule_member members[] = { RULE_KEEP, RULE_UNTAGGED };

static const char *next_number(const char *p, uint64_t *n)
{
	size_t len = strcspn(p, " \n");

	if (str_parse_u64(p, len, n) < 0)
		*n = 0;
	return p + len + (p[len] != '\0');
}

int retain_last_read(struct store *st, struct retain_last *out, struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	int found = store_read(st, STORE_RULES_LAST_FILE, TEXT_MAX, &text);
	const char *p = text.buf;
	uint64_t when;

	*out = (struct retain_last){ 0 };
	if (found < 0 && errno != EUCLEAN)
		return err_sys(e, "cannot read %s", STORE_RULES_LAST_FILE);
	if (found <= 0)
		return 0;
	p = next_number(p, &when);
	p = next_number(p, &out->removed);
	next_number(p, &out->waiting);
	out->when = when > INT64_MAX ? 0 : (int64_t)when;
	return 0;
}

static void add_protection(const struct rule *r, enum rule_member what, struct str *text)
{
	if (!RULE_SAYS(r, what))
		return;
	str_addf(text, "%s ", r->repo);
	rules_show_member(r, what, text);
	str_addc(text, '\n');
}

/*
 * The name of a rule's file: a text of the rule, of the patterns of the rules before it that say the same thing, and of what is immutable or
 * read-only: without one of these the rule would delete something else.
 */
static void file_of(const struct config *cfg, size_t i, enum rule_member what, struct str *name)
{
	cleanup_str struct str text = STR_INIT;
	struct digest d;

	for (size_t j = 0; j < cfg->nrules; j++) {
		const struct rule *r = &cfg->rules[j];

		if (j < i && RULE_SAYS(r, what))
			str_addf(&text, "%s\n", r->repo);
		if (what == RULE_KEEP)
			add_protection(r, RULE_IMMUTABLE, &text);
		add_protection(r, RULE_READONLY, &text);
	}
	str_addf(&text, "%s ", cfg->rules[i].repo);
	rules_show_member(&cfg->rules[i], what, &text);
	digest_of(&d, DIGEST_SHA256, text.buf, text.len);
	str_reset(name);
	str_addf(name, "%s-%s", rules_members[what], digest_hex(&d));
}

/* When the rule was first seen: 1, 0 never, or its file is damaged, -1 with *e. */
static int read_seen(struct store *st, const char *path, int64_t *when, struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	int found = store_read(st, path, TEXT_MAX, &text);
	uint64_t n = 0;

	*when = 0;
	if (found < 0 && errno != EUCLEAN)
		return err_sys(e, "cannot read %s", path);
	if (found <= 0 || str_parse_u64(text.buf, strcspn(text.buf, "\n"), &n) < 0 || n > INT64_MAX / 2)
		return 0;
	*when = (int64_t)n;
	return 1;
}

static int write_text(struct store *st, const char *path, const struct str *text, struct err *e)
{
	if (os_mkdirs(st->dirfd, STORE_RULES_DIR) < 0 || store_replace(st, path, text->buf, text->len, true) < 0)
		return err_sys(e, "cannot write %s", path);
	return 0;
}

static int write_seen(struct store *st, const struct names *files, int64_t when, struct err *e)
{
	cleanup_str struct str text = STR_INIT, path = STR_INIT;

	str_addf(&text, "%" PRId64 "\n", when);
	for (size_t i = 0; i < files->count; i++) {
		path_in(&path, STORE_RULES_DIR, files->v[i]);
		if (write_text(st, path.buf, &text, e) < 0)
			return -1;
	}
	return 0;
}

/* What a run writes down: with a clock that is behind for a while a delay would be over as soon as it is right again. */
static int64_t time_not_behind(const struct retain_state *s)
{
	return s->now > s->last.when ? s->now : s->last.when;
}

/* From when on a rule may delete; 0: now. It is to be written down if it is new, or if it is approved now. */
static int look_at(struct retain_state *s, size_t i, enum rule_member what, bool approve, int64_t *from, struct err *e)
{
	cleanup_str struct str name = STR_INIT, path = STR_INIT;
	int64_t seen, now = time_not_behind(s);
	bool over;
	int found;

	file_of(s->cfg, i, what, &name);
	names_add(&s->files, name.buf, name.len);
	path_in(&path, STORE_RULES_DIR, name.buf);
	found = read_seen(s->st, path.buf, &seen, e);
	if (found < 0)
		return -1;
	if (approve ? found == 0 || seen : found == 0)
		names_add(approve ? &s->approved : &s->first, name.buf, name.len);
	if (found == 0)
		seen = approve ? 0 : now;
	over = s->now >= seen && (uint64_t)(s->now - seen) >= s->cfg->rules_delay;
	*from = approve || seen == 0 || over ? 0 : seen + (int64_t)s->cfg->rules_delay;
	return 0;
}

static int get_lock(struct retain_state *s, struct err *e)
{
	s->lock = os_lock_open(s->st->dirfd, STORE_RULES_LOCK_FILE);
	if (s->lock >= 0 && os_lock(s->lock, true, 0, NULL) == 0)
		return 1;
	return s->lock >= 0 && errno == EWOULDBLOCK ? 0 : err_sys(e, "cannot lock %s", STORE_RULES_LOCK_FILE);
}

int retain_state_clock(const struct retain_state *s, int64_t *clock, struct err *e)
{
	uint64_t usec;

	*clock = (int64_t)time(NULL);
	if (s->lock < 0)
		return 0;
	if (clock_now(s->st, &usec, e) < 0)
		return -1;
	*clock = (int64_t)(usec / 1000000);
	return 0;
}

int retain_state_begin(struct retain_state *s, struct store *st, const struct config *cfg, bool changes, bool approve, struct err *e)
{
	int rc = 1;

	*s = (struct retain_state)RETAIN_STATE_INIT;
	s->st = st;
	s->cfg = cfg;
	s->from = xcalloc(cfg->nrules * ARRAY_LEN(members) + 1, sizeof(*s->from));
	if (changes)
		rc = get_lock(s, e);
	if (rc == 1 && (retain_state_clock(s, &s->now, e) < 0 || retain_last_read(st, &s->last, e) < 0 ||
			pulled_since(st, changes, s->now, &s->since, e) < 0))
		rc = -1;
	for (size_t i = 0; rc == 1 && i < cfg->nrules; i++)
		for (size_t m = 0; rc == 1 && m < ARRAY_LEN(members); m++)
			if (RULE_SAYS(&cfg->rules[i], members[m]) &&
			    look_at(s, i, members[m], approve && members[m] == RULE_KEEP, &s->from[i * ARRAY_LEN(members) + m], e) < 0)
				rc = -1;
	if (rc <= 0)
		retain_state_release(s);
	return rc;
}

int64_t retain_state_from(const struct retain_state *s, const struct rule *rule, enum rule_member what)
{
	return s->from[(size_t)(rule - s->cfg->rules) * ARRAY_LEN(members) + (what == RULE_UNTAGGED)];
}

/* Whether a file of the directory is that of a rule which the configuration has not. */
static bool is_old(const struct retain_state *s, const char *file)
{
	if (strncmp(file, "keep-", 5) != 0 && strncmp(file, "untagged-", 9) != 0)
		return false;
	for (size_t i = 0; i < s->files.count; i++)
		if (strcmp(s->files.v[i], file) == 0)
			return false;
	return true;
}

static void forget_old(struct retain_state *s)
{
	cleanup_names struct names all = NAMES_INIT;
	cleanup_str struct str path = STR_INIT;

	if (os_dir_list(s->st->dirfd, STORE_RULES_DIR, DIR_ALL, &all) < 0)
		return;
	for (size_t i = 0; i < all.count; i++)
		if (is_old(s, all.v[i])) {
			path_in(&path, STORE_RULES_DIR, all.v[i]);
			os_unlinkat(s->st->dirfd, path.buf, 0);
		}
}

int retain_state_end(struct retain_state *s, bool whole, uint64_t removed, uint64_t waiting, struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	int64_t when = time_not_behind(s);

	if (s->lock < 0)
		return 0;
	str_addf(&text, "%" PRId64 " %" PRIu64 " %" PRIu64 "\n", when, s->last.removed + removed, waiting == UINT64_MAX ? s->last.waiting : waiting);
	forget_old(s);
	if (whole && (write_seen(s->st, &s->first, when, e) < 0 || write_seen(s->st, &s->approved, 0, e) < 0))
		return -1;
	return write_text(s->st, STORE_RULES_LAST_FILE, &text, e);
}

void retain_state_release(struct retain_state *s)
{
	os_cleanup_fd(&s->lock);
	names_release(&s->files);
	names_release(&s->first);
	names_release(&s->approved);
	free(s->from);
	s->from = NULL;
}
