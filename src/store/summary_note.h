/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_SUMMARY_NOTE_H
#define BERTH_STORE_SUMMARY_NOTE_H

/*
 * summary_note: what is said in a summary's tail beside the rows (store/summary.h).
 *
 * A note changes no row: one that is lost, or comes twice, is no harm to them. Pulls are noted without a lock, since no pull waits: on a file system
 * of one machine what is appended to a file by several processes is whole. Where several machines share the store no pull is noted here, and
 * readers look at what store/pulled.h has.
 */

#include "store/summary.h"

/* summary_notes_pulls - whether pulls are noted in summaries */
bool summary_notes_pulls(const struct store *st);

/* summary_note_pull - a tag was pulled; does nothing without a file, or if its tail is long. A failure is ignored. `when`: seconds since the epoch */
void summary_note_pull(struct store *st, const char *path, const char *key, int64_t when);

/* summary_add_note - add a note as a line; summary_note_lines - append such lines. The caller holds the repository's lock. A failure is ignored */
void summary_add_note(struct str *lines, char kind, uint64_t value, const char *of);
void summary_note_lines(struct store *st, const char *path, const struct str *lines);

/*
 * What is noted while the file is written anew belongs into the new one.
 * summary_carry_begin - before anything is read that the new file rests on. `make`: where there is no file an empty one is made, which is none for
 *                       readers, so that pulls are noted somewhere. A failure is ignored
 * summary_carry_end   - the new file has its name: pulls that were noted since are appended to it
 */
struct summary_carry {
	int fd;                         /* -1: there was no file */
	uint64_t from;
};

void summary_carry_begin(struct store *st, const char *path, bool make, struct summary_carry *c);
void summary_carry_end(struct store *st, const char *path, struct summary_carry *c);
void summary_carry_leave(struct summary_carry *c);
#define cleanup_summary_carry __attribute__((cleanup(summary_carry_leave)))

#endif
