/* SPDX-License-Identifier: Apache-2.0 */
/* fs: what a line of /proc/self/mountinfo says, and what is known of file systems that are here. */

#include "os/fs.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"

#define LINE(rest) "36 35 254:17 / /var/lib/registry rw,noatime shared:1 - " rest "\n"

static void lines(void)
{
	static const struct {
		const char *line;
		bool ordered;
		const char *what;
	} t[] = {
		{ LINE("ext4 /dev/sda1 rw,errors=remount-ro"), true, "ext4" },
		{ LINE("ext4 /dev/sda1 rw"), true, "ext4 without options" },
		{ LINE("ext4 /dev/sda1 rw,data=writeback"), true, "bytes are written out in any mode of the journal" },
		{ LINE("ext4 /dev/sda1 rw,journal_async_commit,data=ordered"), false, "a commit that does not wait for the disk's cache" },
		{ LINE("ext4 /dev/sda1 rw,journal_async_commit"), false, "the same at the end of the line" },
		{ LINE("ext4 /dev/journal_async_commit rw"), true, "a device of that name" },
		{ LINE("xfs /dev/sda1 rw,attr2,inode64,logbufs=8"), true, "xfs" },
		{ LINE("xfs /dev/sda1 rw,rtdev=/dev/sdb1,noquota"), false, "xfs with bytes on another device" },
		{ LINE("xfs /dev/sda1 rw,logdev=/dev/sdb1"), true, "xfs flushes both devices itself" },
		{ LINE("ext3 /dev/sda1 rw"), false, "ext3" },
		{ LINE("ext2 /dev/sda1 rw"), false, "ext2" },
		{ LINE("btrfs /dev/sda1 rw"), false, "btrfs" },
		{ LINE("ext4"), false, "a line without its end" },
		{ "36 35 254:17 / / rw ext4 /dev/sda1 rw\n", false, "a line without the mark in the middle" },
		{ "36 35 254:18 / / rw - ext4 /dev/sda1 rw\n", false, "another device" },
		{ "", false, "nothing" },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++)
		ok(fs_line_has(t[i].line, 254, 17) == t[i].ordered, "%s", t[i].what);
}

static void here(void)
{
	int proc = open("/proc", O_RDONLY), shm = open("/dev/shm", O_RDONLY);

	ok(!fs_syncfs_reaches(proc) && !fs_is_local(proc) && !fs_is_ordered(proc), "nothing is known of proc");
	if (shm >= 0)
		ok(fs_syncfs_reaches(shm) && fs_is_local(shm) && !fs_is_ordered(shm), "tmpfs is local and keeps no journal");
	ok(!fs_syncfs_reaches(-1) && !fs_is_local(-1) && !fs_is_ordered(-1), "and nothing of a descriptor that is closed");
	close(proc);
	close(shm);
}

/* In namespaces of its own: a mount on a name with a blank, and one that is hidden by another. Where there are none nothing is said of them. */
static void mounts(void)
{
	cleanup_str struct str type = STR_INIT, options = STR_INIT, dir = STR_INIT;
	char top[] = "/tmp/test_fs.XXXXXX";
	int below, above, proc = open("/proc", O_RDONLY);

	ok(fs_describe(proc, &type, &options) == 0 && strcmp(type.buf, "proc") == 0, "the type of proc");
	ok(fs_describe(-1, &type, &options) < 0 && !type.len && !options.len, "none of a descriptor that is closed");
	close(proc);
	if (!mkdtemp(top))
		return;
	str_addf(&dir, "%s/with a blank", top);
	if (unshare(CLONE_NEWNS) == 0 && mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 && mkdir(dir.buf, 0700) == 0 &&
	    mount("none", dir.buf, "tmpfs", 0, "size=64k") == 0) {
		below = open(dir.buf, O_RDONLY);
		ok(fs_describe(below, &type, &options) == 0 && strcmp(type.buf, "tmpfs") == 0 && strstr(options.buf, "size=64k"), "a mount on a name with a blank");
		if (mount("none", dir.buf, "ramfs", 0, NULL) == 0) {
			above = open(dir.buf, O_RDONLY);
			ok(fs_describe(above, &type, &options) == 0 && strcmp(type.buf, "ramfs") == 0 && fs_is_local(above), "one above it");
			ok(fs_describe(below, &type, &options) == 0 && strcmp(type.buf, "tmpfs") == 0, "which hides it, and not what is open there");
			close(above);
			umount(dir.buf);
		}
		close(below);
		umount(dir.buf);
	}
	rmdir(dir.buf);
	rmdir(top);
}

int main(void)
{
	lines();
	here();
	mounts();
	return done_testing();
}
