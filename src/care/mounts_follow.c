/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts_follow: the other machine: it does what it is told.
 *
 * Owns the directory in which things are tried, as this machine sees it, and the locks and the file that it has open. An order is a line
 * of words, its answer the line "RESULT ERRNO TEXT". Names that an order has are of files in that directory, and of no others.
 */
#include "care/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "care/mounts_act.h"
#include "care/mounts_line.h"
#include "care/mounts_own.h"
#include "os/again.h"
#include "os/file.h"
#include "os/fs.h"
#include "os/process.h"
#include "os/tree.h"

#define WORDS 5
#define NAME_LONGEST 64
#define APPEARS UINT64_C(20000000)      /* microseconds within which the directory has to be seen at all */

struct follower {
	const char *dir;
	struct str name;                /* of the directory below it, once it is entered */
	int dirfd, lock, file;          /* -1: none */
	pid_t holder;                   /* 0: none */
	bool left;                      /* it was told to leave */
};

static bool is_plain(const char *name)
{
	size_t len = strlen(name);

	return len && len < NAME_LONGEST && *name != '.' && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") == len;
}

static int number(const char *word, uint64_t *out)
{
	if (str_parse_u64(word, strlen(word), out) == 0)
		return 0;
	errno = EINVAL;
	return -1;
}

/*
 * Text: what tells two mounts of one machine apart: the machine's start, the device. Then the type and options of the mount.
 * If the directory itself can't be opened, a word says that it is this one.
 */
static int enter(struct follower *f, char **w, struct str *said)
{
	cleanup_str struct str type = STR_INIT, options = STR_INIT;
	cleanup_fd int dir = os_open(AT_FDCWD, f->dir, O_RDONLY | O_DIRECTORY, 0);
	uint64_t begun = time_now_usec();
	struct stat sb;

	if (dir < 0) {
		str_puts(said, "dir");
		return -1;
	}
	if (strncmp(w[1], MOUNTS_PREFIX, strlen(MOUNTS_PREFIX)) != 0 || f->dirfd >= 0) {
		errno = EINVAL;
		return -1;
	}
	while ((f->dirfd = os_open(dir, w[1], O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)) < 0 && errno == ENOENT && !os_asked_to_end() &&
	       time_now_usec() - begun < APPEARS)
		os_pause(10000);
	if (f->dirfd < 0 || os_fstat(f->dirfd, &sb) < 0)
		return -1;
	str_puts(&f->name, w[1]);
	mounts_add_machine(said, &sb);
	if (fs_describe(f->dirfd, &type, &options) == 0)
		str_addf(said, " %s %s", type.buf, options.buf);
	return 0;
}

static int leave(struct follower *f, char **w, struct str *said)
{
	(void)w, (void)said;
	f->left = true;
	return 0;
}

static int now(struct follower *f, char **w, struct str *said)
{
	struct timespec ts;

	(void)f, (void)w;
	clock_gettime(CLOCK_REALTIME, &ts);
	str_addf(said, "%" PRId64, (int64_t)ts.tv_sec);
	return 0;
}

static int lock(struct follower *f, char **w, struct str *said)
{
	uint64_t ms;

	(void)said;
	if (number(w[3], &ms) < 0 || ms > ACT_PASSED_MS)
		return -1;
	os_cleanup_fd(&f->lock);
	f->lock = act_lock(f->dirfd, w[1], strcmp(w[2], "alone") == 0, (unsigned)ms);
	return f->lock < 0 ? -1 : 0;
}

static int unlock(struct follower *f, char **w, struct str *said)
{
	(void)w, (void)said;
	os_cleanup_fd(&f->lock);
	f->lock = -1;
	return 0;
}

static int hold(struct follower *f, char **w, struct str *said)
{
	(void)w, (void)said;
	if (f->holder)
		act_end(f->holder);
	f->holder = act_hold(f->dirfd);
	if (f->holder > 0)
		return 0;
	f->holder = 0;
	return -1;
}

static int let_go(struct follower *f, char **w, struct str *said)
{
	(void)w, (void)said;
	if (f->holder)
		act_end(f->holder);
	f->holder = 0;
	return 0;
}

static int client(struct follower *f, char **w, struct str *said)
{
	uint64_t pid;

	(void)said;
	if (number(w[1], &pid) < 0)
		return -1;
	if (pid < 2 || pid > INT32_MAX) {
		errno = EINVAL;
		return -1;
	}
	return mounts_serves((pid_t)pid, f->dirfd);
}

/* The client of the file system, of which the operator has given the process. */
static int end_client(struct follower *f, char **w, struct str *said)
{
	uint64_t pid;

	if (client(f, w, said) < 0 || number(w[1], &pid) < 0)
		return -1;
	return kill((pid_t)pid, SIGKILL);
}

static int replace(struct follower *f, char **w, struct str *said)
{
	(void)said;
	return act_replace(f->dirfd, w[1], w[2]);
}

static int say(int n, struct str *said)
{
	if (n < 0)
		return -1;
	str_addf(said, "%d", n);
	return 0;
}

static int contains(struct follower *f, char **w, struct str *said)
{
	return say(act_contains(f->dirfd, w[1], w[2]), said);
}

static int make(struct follower *f, char **w, struct str *said)
{
	(void)said;
	return os_write_file(f->dirfd, w[1], "x", 1, true);
}

static int links(struct follower *f, char **w, struct str *said)
{
	return say(act_links(f->dirfd, w[1]), said);
}

static int race(struct follower *f, char **w, struct str *said)
{
	uint64_t how, later;

	if (number(w[2], &how) < 0 || number(w[3], &later) < 0)
		return -1;
	return say(act_race(f->dirfd, w[1], (unsigned)(how < 3 ? how : 2), later < ACT_LATER ? later : ACT_LATER), said);
}

/*
 * Looks until it finds what it has to: how long that took. 0: the first look did. A look that stays stale is one that does not find it; any
 * other failure ends it.
 */
static int await(struct follower *f, char **w, struct str *said)
{
	uint64_t begun = time_now_usec(), waited = 0, how, there, size;
	struct act_found found;

	if (number(w[2], &how) < 0 || number(w[3], &there) < 0 || number(w[4], &size) < 0)
		return -1;
	for (;;) {
		int rc = act_look(f->dirfd, w[1], how < ACT_LOOKS ? (enum act_look)how : BY_OPEN, &found);

		if (rc < 0 && errno != ESTALE)
			return -1;
		if (rc == 0 && found.there == (there != 0) && (how == BY_LIST || !size || found.size == size))
			break;
		waited = time_now_usec() - begun;
		if (waited >= MOUNTS_NEVER || os_asked_to_end())
			break;
		os_pause(500);
	}
	str_addf(said, "%" PRIu64, waited);
	return 0;
}

static int stale(struct follower *f, char **w, struct str *said)
{
	(void)f, (void)w;
	str_addf(said, "%u", act_stale());
	return 0;
}

static int open_file(struct follower *f, char **w, struct str *said)
{
	(void)said;
	os_cleanup_fd(&f->file);
	f->file = os_open(f->dirfd, w[1], O_RDONLY, 0);
	return f->file < 0 ? -1 : 0;
}

static int read_file(struct follower *f, char **w, struct str *said)
{
	static char bytes[MOUNTS_OPEN_FILE];
	ssize_t n = os_read_full(f->file, bytes, sizeof(bytes));

	(void)w;
	if (n < 0)
		return -1;
	str_addf(said, "%zd", n);
	return 0;
}

static const struct order {
	const char *name;
	size_t words;           /* its own among them */
	bool named;             /* the second one is a name */
	int (*follow)(struct follower *f, char **w, struct str *said);
} orders[] = {
	{ "enter", 2, true, enter }, { "leave", 1, false, leave }, { "now", 1, false, now }, { "lock", 4, true, lock },
	{ "unlock", 1, false, unlock }, { "hold", 1, false, hold }, { "let-go", 1, false, let_go }, { "client", 2, false, client },
	{ "end-client", 2, false, end_client }, { "replace", 3, true, replace }, { "contains", 3, true, contains },
	{ "make", 2, true, make }, { "links", 2, true, links }, { "race", 4, true, race }, { "await", 5, true, await },
	{ "stale", 1, false, stale }, { "open", 2, true, open_file }, { "read", 1, false, read_file },
};

/* 0 or -1 with errno, as the order's function. */
static int follow(struct follower *f, char *line, struct str *said)
{
	char *w[WORDS];
	size_t n = mounts_words(line, w, WORDS), i;

	for (i = 0; n && i < ARRAY_LEN(orders); i++) {
		const struct order *o = &orders[i];
		bool can = f->dirfd >= 0 || o->follow == enter || o->follow == leave || o->follow == now;

		if (can && strcmp(w[0], o->name) == 0 && n == o->words && (!o->named || is_plain(w[1])))
			return o->follow(f, w, said);
	}
	errno = EINVAL;
	return -1;
}

/* Who has made it may be gone. Its directory is opened anew: the file system may have ended this session. */
static void remove_own(const struct follower *f)
{
	cleanup_fd int dir = os_open(AT_FDCWD, f->dir, O_RDONLY | O_DIRECTORY, 0);

	if (dir >= 0)
		os_remove_tree(dir, f->name.buf);
}

int mounts_follow(const char *dir, int in, int out)
{
	struct follower f = { .dir = dir, .name = STR_INIT, .dirfd = -1, .lock = -1, .file = -1 };
	int rc;

	os_signal(SIGPIPE, SIG_IGN);    /* it is told by the call */
	rc = dprintf(out, "%s\n", MOUNTS_HELLO);
	while (rc > 0) {
		cleanup_str struct str line = STR_INIT, said = STR_INIT;

		if (mounts_read_line(in, MOUNTS_ORDER_MS, &line) < 0)
			break;
		errno = 0;
		rc = follow(&f, line.buf, &said);
		if (f.left)
			break;          /* nobody waits for an answer */
		rc = dprintf(out, "%d %d %s\n", rc, rc < 0 ? errno : 0, said.buf);
	}
	if (f.holder)
		act_end(f.holder);
	os_cleanup_fd(&f.lock);
	os_cleanup_fd(&f.file);
	os_cleanup_fd(&f.dirfd);
	if (f.name.len && !f.left)
		remove_own(&f);
	str_release(&f.name);
	return f.left ? 0 : -1;
}
