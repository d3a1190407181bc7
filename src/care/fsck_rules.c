/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsck_rules: berth/pulled/, berth/rules/ and berth/sessions/.
 *
 * A note of a pull says nothing that could be wrong, and one of what is gone is left to a collection. So only names are looked at, and that they
 * are files.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "care/fsck_work.h"
#include "os/again.h"
#include "store/session.h"
#include "store/store_path.h"

static bool is(struct fsck_work *w, const char *dir, const char *name, mode_t type)
{
	cleanup_str struct str path = STR_INIT;

	path_in(&path, dir, name);
	return fsck_type(w, path.buf) == type;
}

/* The files of one directory; alg is meant where it is none of tags. */
static void check_notes(struct fsck_work *w, const char *dir, bool tags, enum digest_alg alg)
{
	cleanup_names struct names names = NAMES_INIT;
	struct digest d;
	struct tag t;

	fsck_list(w, dir, &names);
	for (size_t i = 0; i < names.count; i++) {
		const char *name = names.v[i];
		bool good = tags ? tag_parse(&t, name, strlen(name)) == 0 : digest_of_hex(&d, alg, name, strlen(name)) == 0;

		if (!good || !is(w, dir, name, S_IFREG))
			fsck_stray(w, dir, name);
	}
}

static void check_digests(struct fsck_work *w, const char *dir)
{
	cleanup_names struct names names = NAMES_INIT;
	cleanup_str struct str path = STR_INIT;

	fsck_list(w, dir, &names);
	for (size_t i = 0; i < names.count; i++) {
		int alg = 0;

		while (alg < DIGEST_ALG_COUNT && strcmp(names.v[i], digest_alg_name((enum digest_alg)alg)) != 0)
			alg++;
		path_in(&path, dir, names.v[i]);
		if (alg < DIGEST_ALG_COUNT && is(w, dir, names.v[i], S_IFDIR))
			check_notes(w, path.buf, false, (enum digest_alg)alg);
		else
			fsck_stray(w, dir, names.v[i]);
	}
}

/* The directory of the notes of a repository, and of those below it; `len`: of the name so far, which is bounded. */
static void check_pulled(struct fsck_work *w, const char *dir, size_t len)
{
	cleanup_names struct names names = NAMES_INIT;
	cleanup_str struct str path = STR_INIT;

	fsck_list(w, dir, &names);
	for (size_t i = 0; i < names.count; i++) {
		const char *name = names.v[i];
		size_t below = len + strlen(name) + 1;

		path_in(&path, dir, name);
		if (strcmp(path.buf, STORE_PULLED_SINCE) == 0 && is(w, dir, name, S_IFREG))
			continue;
		if (!is(w, dir, name, S_IFDIR))
			fsck_stray(w, dir, name);
		else if (len && strcmp(name, STORE_PULLED_TAGS) == 0)
			check_notes(w, path.buf, true, DIGEST_SHA256);
		else if (len && strcmp(name, STORE_PULLED_DIGESTS) == 0)
			check_digests(w, path.buf);
		else if (name_component_ok(name, strlen(name)) && below <= NAME_MAX_LEN + 1)
			check_pulled(w, path.buf, below);
		else
			fsck_stray(w, dir, name);
	}
}

static bool is_of_rule(const char *name)
{
	const char *hex = strncmp(name, "keep-", 5) == 0 ? name + 5 : strncmp(name, "untagged-", 9) == 0 ? name + 9 : NULL;
	struct digest d;

	return hex && digest_of_hex(&d, DIGEST_SHA256, hex, strlen(hex)) == 0;
}

/* What was ended of a user's sessions: empty files, and `all`. */
static void check_ended(struct fsck_work *w, const char *dir, bool (*name_ok)(const char *name))
{
	cleanup_names struct names names = NAMES_INIT;

	fsck_list(w, dir, &names);
	for (size_t i = 0; i < names.count; i++) {
		cleanup_str struct str all = STR_INIT;

		path_in(&all, dir, STORE_ENDED_ALL);
		if (name_ok == session_name_ok && strcmp(names.v[i], STORE_ENDED_ALL) == 0 && is(w, dir, names.v[i], S_IFDIR))
			check_ended(w, all.buf, session_time_ok);
		else if (!is(w, dir, names.v[i], S_IFREG) || !name_ok(names.v[i]))
			fsck_stray(w, dir, names.v[i]);
	}
}

static bool is_key(struct fsck_work *w)
{
	struct stat sb;

	return os_fstatat(w->r->st->dirfd, STORE_SESSION_KEY_FILE, &sb, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(sb.st_mode) &&
	       sb.st_size == SESSION_KEY_LEN;
}

/* Sessions of browsers (doc/STORE.md, "Sessions"). */
static void check_sessions(struct fsck_work *w)
{
	cleanup_names struct names names = NAMES_INIT, users = NAMES_INIT;
	struct digest d;

	fsck_list(w, STORE_SESSIONS_DIR, &names);
	for (size_t i = 0; i < names.count; i++)
		if (strcmp(names.v[i], "key") != 0 || !is_key(w))
			if (!is(w, STORE_SESSIONS_DIR, names.v[i], S_IFDIR) || strcmp(names.v[i], "ended") != 0)
				fsck_stray(w, STORE_SESSIONS_DIR, names.v[i]);
	fsck_list(w, STORE_ENDED_DIR, &users);
	for (size_t i = 0; i < users.count; i++) {
		cleanup_str struct str dir = STR_INIT;

		path_in(&dir, STORE_ENDED_DIR, users.v[i]);
		if (digest_of_hex(&d, DIGEST_SHA256, users.v[i], strlen(users.v[i])) == 0 && is(w, STORE_ENDED_DIR, users.v[i], S_IFDIR))
			check_ended(w, dir.buf, session_name_ok);
		else
			fsck_stray(w, STORE_ENDED_DIR, users.v[i]);
	}
}

int fsck_rules(struct fsck_work *w, struct err *e)
{
	cleanup_names struct names names = NAMES_INIT;

	(void)e;
	check_pulled(w, STORE_PULLED_DIR, 0);
	check_sessions(w);
	fsck_list(w, STORE_RULES_DIR, &names);
	for (size_t i = 0; i < names.count; i++)
		if (!is(w, STORE_RULES_DIR, names.v[i], S_IFREG) || (strcmp(names.v[i], "last") != 0 && !is_of_rule(names.v[i])))
			fsck_stray(w, STORE_RULES_DIR, names.v[i]);
	return 0;
}
