/* SPDX-License-Identifier: Apache-2.0 */
/* writeout: only whole pieces of regular files below berth/body/ are written ahead, and a directory that is not there is an error. */

#include "store/writeout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/file.h"
#include "os/tree.h"
#include "store/layout.h"
#include "store/store_path.h"
#include "tap.h"

static struct err e = ERR_INIT;

static void make(struct store *st, const char *path, off_t size)
{
	cleanup_fd int fd = os_open(st->dirfd, path, O_WRONLY | O_CREAT, 0600);

	if (fd < 0 || ftruncate(fd, size) < 0)
		abort();
}

int main(void)
{
	char dir[] = "/tmp/berth-test-writeout-XXXXXX";
	struct store_options so = { .root = dir, .flush = true };
	struct store *st;

	if (!mkdtemp(dir) || layout_prepare(&so, &e) < 0 || store_open_root(&st, &so, &e) < 0)
		return 1;
	make(st, STORE_BODY_DIR "/small", (off_t)WRITEOUT_PIECE - 1);
	make(st, STORE_BODY_DIR "/piece", (off_t)WRITEOUT_PIECE);
	make(st, STORE_BODY_DIR "/three", (off_t)WRITEOUT_PIECE * 4 - 1);
	is_int(writeout_file(st, "small"), 0, "less than a piece is left alone");
	is_int(writeout_file(st, "piece"), WRITEOUT_PIECE, "a piece is written");
	is_int(writeout_file(st, "three"), WRITEOUT_PIECE * 3, "whole pieces are");
	is_int(writeout_file(st, "gone"), 0, "a body that is gone is not");

	make(st, "outside", (off_t)WRITEOUT_PIECE);
	if (symlinkat("../../outside", st->dirfd, STORE_BODY_DIR "/link") < 0 || mkfifoat(st->dirfd, STORE_BODY_DIR "/fifo", 0600) < 0 ||
	    mkdirat(st->dirfd, STORE_BODY_DIR "/directory", 0700) < 0)
		abort();
	is_int(writeout_file(st, "link"), 0, "no link is followed");
	is_int(writeout_file(st, "fifo"), 0, "a FIFO is no body, and nobody waits for it");
	is_int(writeout_file(st, "directory"), 0, "nor is a directory");

	if (os_remove_tree(st->dirfd, STORE_BODY_DIR) < 0)
		abort();
	is_int(writeout_run(st, &e), -1, "a directory that is not there cannot be watched");
	ok(e.sys == ENOENT, "and the error says why");
	store_close(&st);
	err_release(&e);
	os_remove_tree(AT_FDCWD, dir);
	return done_testing();
}
