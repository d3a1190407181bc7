/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_SUMMARY_WRITE_H
#define BERTH_STORE_SUMMARY_WRITE_H

/* summary_write: writing the files of store/summary.h. The caller holds the repository's lock, from the first line about a change to the last one. */

#include "store/summary.h"

/*
 * Lines about a change, added to a text for summary_say().
 * summary_doubt, summary_set, summary_gone    existed: the row was there before
 * summary_doubt_refer, summary_refer          of what refers to a digest (doubt, NULL: to any); kind below SUMMARY_COUNTS
 */
void summary_doubt(struct str *lines, const char *key, bool existed);
void summary_set(struct str *lines, const struct summary_row *row);
void summary_gone(struct str *lines, const char *key);
void summary_doubt_refer(struct str *lines, const struct digest *d);
void summary_refer(struct str *lines, const struct digest *d, unsigned kind);

struct summary_writer {
	struct store *st;
	const char *path;
	int fd;                         /* -1: there is no file, and nothing is said */
};

/*
 * summary_begin - open the file, if there is one, and say the first lines: before the change
 * summary_end   - say the last ones, after the change, and close it. With summary_leave() in its place the first ones stay in force
 * Where the first lines can't be written the file is removed, so that nobody believes it. Only if that fails, too, it is an error.
 */
int summary_begin(struct store *st, const char *path, const struct str *lines, struct summary_writer *w, struct err *e);
void summary_end(struct summary_writer *w, const struct str *lines);
void summary_leave(struct summary_writer *w);
#define cleanup_summary_writer __attribute__((cleanup(summary_leave)))

/* summary_build - write the file anew, with these rows, which are in byte order of their keys. 0, or -1 with *e */
int summary_build(struct store *st, const char *path, const struct summary_row *rows, size_t count, struct err *e);

/* summary_build_noted - the same with a line of its own in the tail: "\n#... ;\n" */
int summary_build_noted(struct store *st, const char *path, const struct summary_row *rows, size_t count, const char *note, struct err *e);

/* summary_drop - remove the file, if there is one; 0, or -1 with *e */
int summary_drop(struct store *st, const char *path, struct err *e);

#endif
