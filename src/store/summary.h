/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_SUMMARY_H
#define BERTH_STORE_SUMMARY_H

/*
 * summary: one file of rows that are listed by name and by the time of a push, at the cost of a page (doc/STORE.md, "Indexes and epochs").
 *
 * The file has a base, which is written whole, and a tail, to which a line is appended before and after each change:
 *
 *   head         "berth-summary 1 MARK COUNT INDEX INDEX RUN\n": numbers are 16 hex digits; the lengths of what follows
 *   two indexes  of the runs: "OFFSET PUSHED KEY\n" for the first row of each block
 *   two runs     the same rows by KEY, and by PUSHED and KEY: "PUSHED KEY DIGEST COUNT COUNT COUNT COUNT TEXT\n"
 *   tail         "?n KEY ;" the row may be about to come (o: to change or go); "=ROW ;" it is this one; "-KEY ;" it has gone;
 *                "@? DIGEST ;" what refers to it may be about to change; "@+N DIGEST ;" one more of kind N
 *                "!p NUMBER KEY ;" its tag was pulled then; "!b NUMBER DIGEST ;" so many bytes: see store/summary_note.h
 *
 * So a row is believed unless its last line is one with a question mark: then somebody is at work, or has died there, and what the row is about is
 * looked at. A piece of the tail begins with a newline, and a line counts if it ends with ";": what a kill has cut counts for nothing.
 * Nor does one with a zero in it, which a power cut has torn: in a file with another mark than that in force (store/believed.h), which is
 * none but for what summary_open_old() is for. Writers hold the repository's lock, but for those of notes; readers take none, and hold on to the file
 * that they have opened.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/str.h"
#include "os/dir.h"
#include "store/store.h"

#define SUMMARY_COUNTS 4
#define SUMMARY_KEY_MAX 255
#define SUMMARY_PULLED 'p'              /* kinds of notes: seconds since the epoch, of a key */
#define SUMMARY_BYTES 'b'               /* bytes, of a digest */
#define SUMMARY_PULLS_MAX (96 * 1024)   /* bytes of a tail from which on pulls are not noted any more */
#define SUMMARY_REFERS_MAX 100          /* referrers of a digest that are counted, of all kinds together */

struct summary_row {
	uint64_t pushed;
	const char *key, *digest, *text;        /* borrowed; a text has no newline; key and digest have no blank and are not empty */
	size_t key_len, digest_len, text_len;
	unsigned counts[SUMMARY_COUNTS];
	bool recount;                   /* out of a walk: the counts are not certain */
	uint64_t pulled;                /* out of a walk: by notes, seconds since the epoch; 0: none */
	bool summed;                    /* out of a walk: by a note, so many bytes: */
	uint64_t bytes;
	size_t seq;                     /* the line of the tail that it is from; 0: the base */
};

/* An open file. */
struct summary {
	int fd;
	struct str head, tail, block;
	uint64_t block_at;              /* the place of `block` in the file */
	uint64_t count, index_len[2], run_len;
	struct summary_entry {          /* what the tail says of a key */
		const char *key;
		size_t key_len;
		bool existed;           /* before the first of its lines: the base has it */
		enum { SUMMARY_DOUBT, SUMMARY_SET, SUMMARY_GONE } state;
		struct summary_row row; /* SUMMARY_SET */
	} *v;                           /* owned; in byte order of the keys */
	size_t nv;
	struct summary_refer {
		const char *digest;
		size_t len, seq;
		int kind;               /* -1: a doubt */
	} *refers;                      /* owned; by digest, then in their order */
	size_t nrefers;
	struct summary_note {
		char kind;
		const char *of;         /* a key or a digest */
		size_t len, seq;
		uint64_t value;
	} *notes;                       /* owned; by kind, by what they are about, then in their order */
	size_t nnotes;
	struct str settled;             /* texts of rows that were looked at */
	struct names doubted;           /* keys of summary_doubt_keys() */
};

#define SUMMARY_INIT { .fd = -1, .head = STR_INIT, .tail = STR_INIT, .block = STR_INIT, .settled = STR_INIT, .doubted = NAMES_INIT }
void summary_close(struct summary *s);
#define cleanup_summary __attribute__((cleanup(summary_close)))

/* summary_open - open it and read its tail; s is SUMMARY_INIT. 1, 0 there is none with the mark in force, or it is corrupt, -1 with *e */
int summary_open(struct store *st, const char *path, struct summary *s, struct err *e);

/* summary_open_old - the same with any mark: what follows from content alone can still be known from it */
int summary_open_old(struct store *st, const char *path, struct summary *s, struct err *e);

/*
 * summary_settle - look at the rows that are in doubt
 * look  adds the row to `line` as summary_add_row() does: 1, 0 there is no such row, -1 with *e
 */
int summary_settle(struct summary *s, int (*look)(void *arg, const char *key, size_t len, struct str *line, struct err *e), void *arg,
		   struct err *e);

/* summary_doubt_keys - put these in doubt, too, whatever the file says; before summary_settle(). summary_count() is of no use then */
void summary_doubt_keys(struct summary *s, const struct names *keys);

/* summary_count - the number of rows, after summary_settle() */
uint64_t summary_count(const struct summary *s);

/* summary_knows_pulls - whether all pulls since the rows were written are noted; else the tail is too long for that */
bool summary_knows_pulls(const struct summary *s);

/* summary_is_due - whether the tail is so long that the file is to be written anew */
bool summary_is_due(const struct summary *s);

enum summary_order { SUMMARY_BY_KEY, SUMMARY_BY_PUSH };

/*
 * summary_walk - visit rows, after summary_settle()
 * after  only rows behind this one (pushed and key), which need not exist; NULL: all
 * visit  the row is borrowed until it returns; anything but 0 ends the walk, and is returned
 * EUCLEAN as *e.sys if the file turns out to be corrupt.
 */
int summary_walk(struct summary *s, enum summary_order by, bool desc, const struct summary_row *after,
		 int (*visit)(void *arg, const struct summary_row *row, struct err *e), void *arg, struct err *e);

/* summary_hold - read all rows of an order at once, unless they are very long: several walks in it then read nothing. 0, or -1 with *e */
int summary_hold(struct summary *s, enum summary_order by, struct err *e);

/* summary_add_row - add a row as a line, without a newline; summary_parse_row - read one: 0, or -1 */
void summary_add_row(struct str *out, const struct summary_row *row);
int summary_parse_row(const char *line, size_t len, struct summary_row *row);

/* summary_cmp - the order of a walk */
int summary_cmp(enum summary_order by, const struct summary_row *a, const struct summary_row *b);

#endif
