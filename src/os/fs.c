/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs: what is known of a file system.
 *
 * Owns the table of magic numbers. Reads /proc and /sys, and trusts nothing that it does not understand.
 */
#include "os/fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "os/file.h"

/* What linux/magic.h does not have, or not in each version. */
#define BCACHEFS_MAGIC 0xca451a4e
#define JFS_MAGIC 0x3153464a
#define ZFS_MAGIC 0x2fc12fc1
#define FUSE_MAGIC 0x65735546

static const struct known {
	unsigned long magic;
	bool local;
} known[] = {   /* syncfs(2) reaches everything on each of these */
	{ EXT4_SUPER_MAGIC, true }, { XFS_SUPER_MAGIC, true }, { BTRFS_SUPER_MAGIC, true }, { F2FS_SUPER_MAGIC, true }, { TMPFS_MAGIC, true },
	{ RAMFS_MAGIC, true }, { BCACHEFS_MAGIC, true }, { JFS_MAGIC, true }, { NILFS_SUPER_MAGIC, true }, { REISERFS_SUPER_MAGIC, true },
	{ ZFS_MAGIC, true }, { OVERLAYFS_SUPER_MAGIC, true }, { NFS_SUPER_MAGIC, false },
};

/* overlayfs may have its upper directory on any file system that has what it needs: of those only local ones. */
static const struct known *look_up(int fd, unsigned long *magic)
{
	struct statfs fs;
	size_t i;

	*magic = 0;
	if (fstatfs(fd, &fs) < 0)
		return NULL;
	*magic = (unsigned long)fs.f_type;
	for (i = 0; i < ARRAY_LEN(known); i++)
		if (*magic == known[i].magic)
			return &known[i];
	return NULL;
}

bool fs_syncfs_reaches(int fd)
{
	unsigned long magic;

	return look_up(fd, &magic) != NULL;
}

bool fs_counts_directories(int fd)
{
	unsigned long magic;

	look_up(fd, &magic);
	return magic == EXT4_SUPER_MAGIC || magic == XFS_SUPER_MAGIC || magic == F2FS_SUPER_MAGIC || magic == TMPFS_MAGIC;
}

static bool has_option(const char *options, const char *name)
{
	size_t len = strlen(name);
	const char *at = options;

	while ((at = strstr(at, name)) != NULL) {
		bool begins = at == options || at[-1] == ',';

		at += len;
		if (begins && (*at == ',' || *at == '=' || *at == '\n' || !*at))
			return true;
	}
	return false;
}

/* What follows the first n blanks; "" if there are fewer. */
static const char *field(const char *line, unsigned n)
{
	for (; n && *line; line++)
		n -= *line == ' ';
	return line;
}

/* proc(5): ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [FIELD...] - TYPE SOURCE OPTIONS. No field holds a blank. */
bool fs_line_has(const char *line, unsigned major, unsigned minor)
{
	cleanup_str struct str device = STR_INIT;
	const char *dash = strstr(line, " - "), *is = field(line, 2), *type, *options;

	str_addf(&device, "%u:%u ", major, minor);
	if (!dash || strncmp(is, device.buf, device.len) != 0)
		return false;
	type = dash + 3;
	options = field(type, 2);
	if (strncmp(type, "ext4 ", 5) == 0)
		return *options && !has_option(options, "journal_async_commit");
	return strncmp(type, "xfs ", 4) == 0 && *options && !has_option(options, "rtdev");
}

/* Each mount of a file system has the same options at the end of its line, so the first one tells. */
static bool mounted_well(dev_t dev)
{
	char *line = NULL;
	size_t cap = 0;
	bool well = false;
	FILE *f = fopen("/proc/self/mountinfo", "re");

	if (!f)
		return false;
	while (!well && getline(&line, &cap, f) > 0)
		well = fs_line_has(line, major(dev), minor(dev));
	free(line);
	fclose(f);
	return well;
}

static void add_word(struct str *out, const char *s)
{
	str_add(out, s, strcspn(s, " \n"));
}

/* What the open file or directory lies on: the number of its mount, 0 if the kernel does not say (before 5.8), and the device. */
struct place {
	uint64_t mount;
	unsigned major, minor;
};

static bool place_of(int fd, struct place *out)
{
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &sx) < 0)
		return false;
	*out = (struct place){ sx.stx_mask & STATX_MNT_ID ? sx.stx_mnt_id : 0, sx.stx_dev_major, sx.stx_dev_minor };
	return true;
}

/* By numbers, never by names: a mount may be hidden by another one, and a name may have characters that the kernel writes otherwise. */
static bool is_at(const char *line, const struct place *at)
{
	cleanup_str struct str is = STR_INIT;

	if (at->mount) {
		str_addf(&is, "%" PRIu64 " ", at->mount);
		return strncmp(line, is.buf, is.len) == 0;
	}
	str_addf(&is, "%u:%u ", at->major, at->minor);
	return strncmp(field(line, 2), is.buf, is.len) == 0;
}

/* The kernel writes the # of "mfs#HOST:PORT" as \043. */
static void describe(const char *line, struct str *type, struct str *options)
{
	const char *is = strstr(line, " - ") + 3, *source = field(is, 1), *hash = strstr(source, "\\043");

	str_reset(type);
	add_word(type, is);
	if (strcmp(type->buf, "fuse") == 0 && hash && hash < source + strcspn(source, " "))
		str_addf(type, ".%.*s", (int)(hash - source), source);
	str_reset(options);
	add_word(options, field(line, 5));
	str_addc(options, ',');
	add_word(options, field(is, 2));
}

int fs_describe(int fd, struct str *type, struct str *options)
{
	char *line = NULL;
	struct place at;
	FILE *f = place_of(fd, &at) ? fopen("/proc/self/mountinfo", "re") : NULL;
	size_t cap = 0;

	str_reset(type);
	str_reset(options);
	while (f && !type->len && getline(&line, &cap, f) > 0)
		if (strstr(line, " - ") && is_at(line, &at))
			describe(line, type, options);
	if (f)
		fclose(f);
	free(line);
	return type->len ? 0 : -1;
}

/* The kinds of FUSE have one magic number. */
static bool is_fuse(int fd, const char *kind)
{
	cleanup_str struct str type = STR_INIT, options = STR_INIT;
	unsigned long magic;

	look_up(fd, &magic);
	return magic == FUSE_MAGIC && fs_describe(fd, &type, &options) == 0 && strcmp(type.buf, kind) == 0;
}

bool fs_is_local(int fd)
{
	unsigned long magic;
	const struct known *k = look_up(fd, &magic);

	return k ? k->local : is_fuse(fd, "fuseblk");
}

bool fs_keeps_names(int fd)
{
	return is_fuse(fd, "fuse.mfs");
}

bool fs_flushes_by_length(int fd)
{
	return is_fuse(fd, "fuse.mfs");
}

/* The kernel's journal threads have an entry each: DEVICE-INODE for a journal inside a file system, else the journal's device. */
static bool is_journal_of(const char *entry, const char *device)
{
	size_t len = strlen(device);
	const char *inode = entry + len + 1;

	return strncmp(entry, device, len) == 0 && entry[len] == '-' && *inode && strspn(inode, "0123456789") == strlen(inode);
}

/* The kernel's name of a block device; false if it has none that can be seen here. */
static bool device_name(dev_t dev, struct str *out)
{
	cleanup_str struct str path = STR_INIT;
	char target[512];
	const char *slash;
	ssize_t n;

	str_addf(&path, "/sys/dev/block/%u:%u", major(dev), minor(dev));
	n = readlink(path.buf, target, sizeof(target) - 1);
	if (n <= 0)
		return false;
	target[n] = '\0';
	slash = strrchr(target, '/');
	str_puts(out, slash ? slash + 1 : target);
	return true;
}

static bool has_own_journal(dev_t dev)
{
	cleanup_str struct str device = STR_INIT;
	struct dirent *d;
	bool found = false;
	DIR *dir = device_name(dev, &device) ? opendir("/proc/fs/jbd2") : NULL;

	if (!dir)
		return false;
	while (!found && (d = readdir(dir)) != NULL)
		found = is_journal_of(d->d_name, device.buf);
	closedir(dir);
	return found;
}

bool fs_lacks_journal(int fd)
{
	static const char none[] = "<none>";
	cleanup_str struct str device = STR_INIT, path = STR_INIT;
	char task[sizeof(none)];
	unsigned long magic;
	struct stat sb;

	if (!look_up(fd, &magic) || magic != EXT4_SUPER_MAGIC || fstat(fd, &sb) < 0 || !device_name(sb.st_dev, &device))
		return false;
	str_addf(&path, "/sys/fs/ext4/%s/journal_task", device.buf);
	return os_read_file(AT_FDCWD, path.buf, task, sizeof(none) - 1) >= (ssize_t)sizeof(none) - 1 &&
	       memcmp(task, none, sizeof(none) - 1) == 0;
}

bool fs_is_ordered(int fd)
{
	unsigned long magic;
	struct stat sb;

	if (!look_up(fd, &magic) || fstat(fd, &sb) < 0)
		return false;
	if (magic != XFS_SUPER_MAGIC && (magic != EXT4_SUPER_MAGIC || !has_own_journal(sb.st_dev)))
		return false;
	return mounted_well(sb.st_dev);
}
