/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_MACHINES_H
#define BERTH_STORE_MACHINES_H

/*
 * machines: which masters serve a store, on a file system that may belong to several machines (doc/MACHINES.md, "At the start").
 *
 * Each has a file of its own below berth/locks/machines/, which it locks and to which it writes a number that grows every two seconds: the
 * time of its own machine. So another one finds out whether locks reach it: a file whose number changes, and that can be locked all the
 * same, says that they do not. And each finds out by its own file whether the file system has taken its locks away.
 *
 * The order at a start: machines_begin(), a process that does machines_beat(), machines_watch(), and then all that may take long.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "store/store.h"

#define MACHINES_NAME 16                /* hex digits of a file's name */

struct machine {
	int fd;                         /* of its own file, locked; -1: none */
	int dirfd;                      /* the store's root, as long as there is a file; or -1 */
	char name[MACHINES_NAME + 1];
	int64_t since;                  /* when it was started, in seconds since the epoch */
};

#define MACHINE_INIT { -1, -1, "", 0 }

/*
 * machines_begin - make this master's own file: it has its number and its lock when it gets its name
 * Nothing happens on a file system that belongs to this machine, and with a read-only store. layout_prepare has been called.
 * Returns 0, or -1 with *e, also where another process of this machine would get the lock. The lock is kept by m->fd, in all processes
 * that inherit it.
 */
int machines_begin(const struct store_options *o, struct machine *m, struct err *e);

/*
 * machines_watch - compare with the others; remove files of masters that were killed
 * It takes six seconds where there is such a file. Returns 0, or -1 with *e if two machines cannot exclude each other.
 */
int machines_watch(const struct machine *m, const char *root, struct err *e);

/* machines_is_of - whether there is a file, and it shows that this root is served */
bool machines_is_of(const struct machine *m, const struct store_options *o);

/* machines_leave - remove the file and release the lock */
void machines_leave(struct machine *m);

/*
 * machines_beat - write the number, until this master has lost its lock: *e says how
 * A file system that does not answer, or not rightly, is tried again and again; the log says so once.
 */
void machines_beat(const struct machine *m, struct err *e);

#endif
