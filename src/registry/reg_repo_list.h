/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_REPO_LIST_H
#define BERTH_REGISTRY_REG_REPO_LIST_H

/*
 * reg_repo_list: the list of all repositories with what is known of each, as a summary (store/summary.h) that readers write.
 *
 * A repository that has changed since (store/touched.h) is looked at by the reader, and noted when a reader writes the list anew.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/ref.h"
#include "registry/registry.h"
#include "store/summary.h"

/* What is noted of a repository. */
struct repo_note {
	struct name name;
	bool counted;                   /* the next three are known: */
	uint64_t tags;
	uint64_t pushed;                /* microseconds since the epoch; 0: never */
	struct tag newest;              /* the tag of that push; of length 0: none */
	bool sized;                     /* the next two are known, as of the last collection */
	uint64_t own, shared;           /* bytes */
};

/* repo_note_parse - by a row: 0, or -1 */
int repo_note_parse(struct repo_note *note, const struct summary_row *row);

/*
 * reg_repo_note - look at a repository: 1, 0 there is none of this name, -1 with *e
 * What can't be read is not counted, and the log says so.
 * links  how many tags may be counted by their links where there is no summary of them; decreased by those that were. An older summary is believed
 *        where they do not suffice
 */
struct dated;
int reg_repo_note(struct registry *r, const struct name *n, const struct dated *sizes, size_t *links, struct repo_note *note, struct err *e);

/*
 * reg_repo_list_open - the list, with what has changed: s is SUMMARY_INIT; *as_of: when sizes were measured, seconds since the epoch, 0: never
 * It is written if there is none of this epoch, or much has changed, and nobody else writes it. 1; 0 if there is none, as in a registry that is
 * read-only: look at each; -1 with *e.
 */
int reg_repo_list_open(struct registry *r, struct summary *s, int64_t *as_of, struct err *e);

#endif
