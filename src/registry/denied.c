/* SPDX-License-Identifier: Apache-2.0 */
/*
 * denied: the path that a request could not use.
 *
 * Owns METRIC_DENIED (the errno, 0 for none), METRIC_DENIED_TOLD (when it was logged: seconds of the monotonic clock, plus 1) and
 * the text that metrics shares: the path. That text may be a mixture if two workers set it at once. It is only looked at, below the root;
 * if it names nothing, it is forgotten, and the next request that fails sets it again.
 */
#include "registry/denied.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/time.h"
#include "os/again.h"
#include "store/probe.h"
#include "store/store_path.h"

#define TELL_EVERY 60           /* seconds */

/* The cause of a failure names paths of the store, between blanks. The first that leads to something unusable is the one. */
static int find(struct registry *r, const char *cause, struct str *at)
{
	cleanup_str struct str path = STR_INIT;
	size_t len;
	int error = 0;

	for (; *cause && !error; cause += len + strspn(cause + len, " ")) {
		len = strcspn(cause, " ");
		str_reset(&path);
		str_add(&path, cause, len);
		if (strncmp(path.buf, STORE_DOCKER_DIR "/", strlen(STORE_DOCKER_DIR "/")) == 0 ||
		    strncmp(path.buf, STORE_BERTH_DIR "/", strlen(STORE_BERTH_DIR "/")) == 0)
			error = probe_path(r->st, path.buf, at);
	}
	return error;
}

static void tell(const struct registry *r, int error, const char *at)
{
	const char *root = r->cfg->root;
	struct stat sb = { 0 };

	if (error == EXDEV) {
		log_say(LOG_ERROR, "denied", "%s/%s is on another file system than %s/%s, so that nothing can be pushed there; copy it to that one",
			root, at, root, STORE_TMP_DIR);
		return;
	}
	os_fstatat(r->st->dirfd, at, &sb, 0);
	log_say(LOG_ERROR, "denied",
		"uid %u cannot use %s/%s, which belongs to %u:%u, mode %o; give all of %s to uid %u (`berth fsck` lists what is left)",
		(unsigned)geteuid(), root, at, (unsigned)sb.st_uid, (unsigned)sb.st_gid, (unsigned)sb.st_mode & 07777, root,
		(unsigned)geteuid());
}

/* Whether this process is to log it: another one may have done so within the minute. */
static bool is_due(void)
{
	uint64_t was = metrics_get(METRIC_DENIED_TOLD), now = time_now_usec() / 1000000 + 1;

	return (!was || now >= was + TELL_EVERY) && metrics_swap(METRIC_DENIED_TOLD, was, now);
}

void denied_met(struct registry *r, const struct err *e)
{
	cleanup_str struct str at = STR_INIT;
	int error;

	if (e->sys != EACCES && e->sys != EPERM && e->sys != EXDEV)
		return;
	error = find(r, e->cause, &at);
	if (error) {
		metrics_set_text(at.buf);
		metrics_set(METRIC_DENIED, (uint64_t)error);
	}
	if (!is_due())
		return;
	if (error)
		tell(r, error, at.buf);
	else
		log_say(LOG_ERROR, "denied", "%s: %s", e->cause, strerror(e->sys));
}

int denied_last(void)
{
	return (int)metrics_get(METRIC_DENIED);
}

int denied_check(struct registry *r)
{
	char path[METRICS_TEXT * 8 + 1];
	cleanup_str struct str at = STR_INIT;
	uint64_t was = metrics_get(METRIC_DENIED);

	if (!was)
		return 0;
	metrics_get_text(path);
	if (!probe_path(r->st, path, &at))
		metrics_swap(METRIC_DENIED, was, 0);
	return denied_last();
}
