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

#include "os/file.h"

#define LINE_MAX_LEN 8192

int mounts_read_line(int fd, int ms, struct str *line)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char c;

	str_reset(line);
	while (line->len < LINE_MAX_LEN) {
		ssize_t n;

		if (poll(&p, 1, ms) <= 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		n = read(fd, &c, 1);
		if (n == 0)
			errno = EPIPE;
		if (n <= 0)
			return -1;
		if (c == '\n')
			return 0;
		str_addc(line, c);
	}
	errno = EMSGSIZE;
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
