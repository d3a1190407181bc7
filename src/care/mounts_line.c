/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts_line: lines and words between the two machines on which a file system is tried.
 *
 * Owns no state.
 */
#include "care/mounts_line.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/time.h"
#include "os/file.h"
#include "os/process.h"

#define LINE_MAX_LEN 8192

/* Until there is something to read: 0, or -1 with errno. */
static int wait_for(int fd, uint64_t until)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int rc;

	do {
		uint64_t now = time_now_usec();

		if (os_asked_to_end()) {
			errno = EINTR;
			return -1;
		}
		rc = now < until ? poll(&p, 1, (int)((until - now) / 1000 + 1)) : 0;
	} while (rc < 0 && errno == EINTR);
	if (rc == 0)
		errno = ETIMEDOUT;
	return rc > 0 ? 0 : -1;
}

/* It is from another machine, and parts of it are shown to people. */
int mounts_read_line(int fd, unsigned ms, struct str *line)
{
	uint64_t until = time_now_usec() + (uint64_t)ms * 1000;
	unsigned char c;

	str_reset(line);
	while (line->len < LINE_MAX_LEN) {
		ssize_t n = wait_for(fd, until) < 0 ? -1 : read(fd, &c, 1);

		if (n < 0 && errno == EINTR && !os_asked_to_end())
			continue;
		if (n == 0)
			errno = EPIPE;
		if (n <= 0)
			return -1;
		if (c == '\n')
			return 0;
		if (c < ' ' || c == 0x7f) {
			errno = EPROTO;
			return -1;
		}
		str_addc(line, c < 0x80 ? (char)c : '?');
	}
	errno = EPROTO;
	return -1;
}

size_t mounts_words(char *line, char *words[], size_t most)
{
	size_t n = 0;

	for (line += strspn(line, " "); *line; line += strspn(line, " ")) {
		if (n == most)
			return 0;
		words[n++] = line;
		line += strcspn(line, " ");
		if (*line)
			*line++ = '\0';
	}
	return n;
}

void mounts_add_machine(struct str *out, const struct stat *sb)
{
	char boot[64] = "";
	ssize_t n = os_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", boot, sizeof(boot) - 1);

	boot[n > 0 ? strcspn(boot, "\n") : 0] = '\0';
	str_addf(out, "%s/%u:%u", *boot ? boot : "-", major(sb->st_dev), minor(sb->st_dev));
}
