/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_MACHINES_H
#define BERTH_STORE_MACHINES_H

/*
 * machines: which masters serve a store, on a file system that may belong to several machines (doc/MACHINES.md, "At the start").
 *
 * Each has a file of its own below berth/locks/machines/, which it locks and to which it writes a number every two seconds. So another
 * one finds out whether locks reach it: a file whose number grows, and that can be locked all the same, says that they do not.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "store/store.h"

#define MACHINES_NAME 16                /* hex digits of a file's name */

struct machine {
	int fd;                         /* of its own file, locked; -1: none */
	char name[MACHINES_NAME + 1];
	int64_t since;                  /* when it was started, in seconds since the epoch */
};

#define MACHINE_INIT { -1, "", 0 }

/*
 * machines_join - compare with the others, and make this master's own file; remove files of masters that were killed
 * It takes some seconds where one was killed lately. Nothing happens on a file system that belongs to this machine.
 * Returns 0, or -1 with *e if two machines cannot exclude each other. The lock is kept by m->fd, in all processes that inherit it.
 */
int machines_join(struct store *st, const char *root, struct machine *m, struct err *e);

/* machines_leave - remove the file and release the lock; dirfd: of the store's root, -1 to leave the file where it is */
void machines_leave(int dirfd, struct machine *m);

/* machines_beat - write the number until the process is ended; -1 with *e where that fails: the file system does not answer rightly */
int machines_beat(const struct machine *m, struct err *e);

#endif
