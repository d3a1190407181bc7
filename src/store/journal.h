/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_JOURNAL_H
#define BERTH_STORE_JOURNAL_H

/*
 * journal: one line for each change of a repository, written before the change (doc/EVENTS.md, "How it works").
 *
 * A change of manifests or tags, under the repository's lock:
 *
 *	cleanup_journal struct journal_entry j = JOURNAL_ENTRY_INIT;
 *	journal_add(st, &j, &event);            as often as needed
 *	if (journal_begin(st, &j, e) < 0) ...   nothing has been changed yet
 *	... the change, made durable ...
 *	journal_done(st, &j);
 *
 * Without journal_done() the lines keep the mark EVENT_BEGUN, and a reader finds out what came of them. While the journal is off all of this
 * does nothing.
 */

#include "base/err.h"
#include "base/event.h"
#include "os/segments.h"
#include "store/store.h"

struct journal_entry {
	struct str lines;
	struct position at;             /* segment 0: not written */
};

#define JOURNAL_ENTRY_INIT { .lines = STR_INIT }
void journal_release(struct journal_entry *j);
#define cleanup_journal __attribute__((cleanup(journal_release)))

/* journal_on - whether changes are written down */
bool journal_on(const struct store *st);

/* journal_kept - whether there is a journal to read: of a registry that is read-only, too, where nothing is written down */
bool journal_kept(const struct store *st);

/* journal_add - add a line to the entry; nothing is written yet */
void journal_add(struct store *st, struct journal_entry *j, const struct event *ev);

/* journal_begin - write the lines, with one flush: they are on disk before the change can be. UNAVAILABLE 503 or the disk's error */
int journal_begin(struct store *st, struct journal_entry *j, struct err *e);

/* journal_done - mark the lines: the change is made, and durable as far as its answer says */
void journal_done(struct store *st, const struct journal_entry *j);

/* journal_undone - mark the lines: nothing of the change was made, or it was taken back */
void journal_undone(struct store *st, const struct journal_entry *j);

/* journal_mark - mark one line, counted from 0, and not the others: for an entry of several changes */
void journal_mark(struct store *st, const struct journal_entry *j, size_t line, char mark);

/*
 * journal_note - write down a change that has been made, without a flush: of a blob, whose event becomes durable with the manifest that names it
 * A failure is logged: the change cannot be taken back.
 */
void journal_note(struct store *st, const struct event *ev);

/*
 * journal_rule - a master that serves says in the store whether there is a journal, and what is kept of it: commands that do not know the
 *                master's configuration follow that
 */
int journal_rule(struct store *st, struct err *e);

/*
 * journal_start - a new epoch has begun: what a power cut may have torn gets no more lines
 * journal_tend  - cut off what is too old or too much; the start, and every few hours
 */
int journal_start(struct store *st, struct err *e);
int journal_tend(struct store *st, struct err *e);

#endif
