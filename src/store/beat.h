/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_BEAT_H
#define BERTH_STORE_BEAT_H

/*
 * beat: what each master writes to its file below berth/locks/machines/ (store/machines.h), and what that tells of the machines that serve
 * (doc/MACHINES.md, "At the start").
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "store/store.h"

#define BEAT_MAX 128            /* bytes that hold a text */
#define BEAT_HOST 64            /* characters of a host's name, at most */
#define BEAT_VERSION 24

/*
 * beat_text - a number that is another one with each beat, and this machine's name, the start of the master, its version
 * It is always as long, so that a reader never sees the end of an older text. Returns its length.
 */
size_t beat_text(char text[BEAT_MAX], uint64_t number, int64_t since);

/* beat_is_name - whether a file in that directory is one of these */
bool beat_is_name(const char *s);

/* A master, as another one sees it. */
struct beat_seen {
	char host[BEAT_HOST + 1], version[BEAT_VERSION + 1];
	int64_t since, beat;            /* seconds since the epoch: its start, by its own clock; its last beat, by that of the file system */
	bool serves;                    /* the beat is at most ten seconds older than the youngest one */
};

/*
 * beat_seen_all - all masters that have a file, by the names of their hosts
 * v  owned by the caller: free it. None are seen on a file system that belongs to this machine. 0, or -1 with *e
 * What a file says may be from anybody who can write there: host and version are any bytes.
 */
int beat_seen_all(struct store *st, struct beat_seen **v, size_t *count, struct err *e);

#endif
