/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_KEY_H
#define BERTH_CONF_KEY_H

/*
 * key: the table of settings: what each is called, what it may be, and where in struct config it goes.
 *
 * The file, the environment and what is shown all work from this table, and it alone. Private to src/conf.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/str.h"
#include "conf/config.h"

#define KEY_SIZE_MAX INT64_MAX          /* bytes: sizes become off_t */

enum key_type {
	KEY_ORIGINS,            /* char *: web origins separated by commas, or "*", or nothing */
	KEY_PATH,               /* char *: absolute, no control characters, no slash at the end */
	KEY_FILE,               /* char *: the same, or nothing */
	KEY_URL,                /* char *: http or https, of bytes that can stand between quotes as they are, or nothing */
	KEY_NETWORKS,           /* char *: addresses and networks by commas, or nothing */
	KEY_REALM,              /* char *: ASCII that can stand between quotes as it is, not empty */
	KEY_TEXT,               /* char *: the same, or nothing */
	KEY_COUNT,              /* unsigned */
	KEY_BOOL,               /* bool: true or false */
	KEY_FLAG,               /* bool that is written as one of two words, the false one first */
	KEY_WORD,               /* an enum whose values are the indexes of the words */
	KEY_SIZE,               /* uint64_t, bytes */
	KEY_DURATION            /* uint64_t, seconds */
};

struct key {
	const char *name;       /* "group.name" or "name" */
	enum key_type type;
	size_t off;             /* of the member in struct config */
	const char *preset;     /* the default, as key_set_text() takes it */
	uint64_t min, max;      /* of numbers and sizes */
	const char *const *words;       /* of flags and words, NULL at the end */
	const char *help;       /* one line */
};

extern const struct key key_table[];
extern const size_t key_count;

const struct key *key_find(const char *name);   /* NULL where there is none */
bool key_is_group(const char *name);            /* is there a key "NAME.something"? */

/*
 * Set the member of a key. Each returns 0, or -1 where the key cannot have that value (or type); nothing is changed
 * then, and key_wants() says what it can have.
 */
int key_set_text(struct config *c, const struct key *k, const char *text);      /* any type, from its text */
int key_set_string(struct config *c, const struct key *k, const char *text);    /* what the file has in quotes */
int key_set_number(struct config *c, const struct key *k, int64_t number);
int key_set_bool(struct config *c, const struct key *k, bool value);

/* key_mark_given - the value does not stand there by itself: the file, the environment or an option gives it */
void key_mark_given(struct config *c, const struct key *k);

/* key_wants - what a key must be, as the end of a sentence: "must be a whole number from 0 to 1024" */
void key_wants(const struct key *k, struct str *out);

/* key_get - the value as it holds, plain: a size in bytes, words and paths without quotes */
void key_get(const struct config *c, const struct key *k, struct str *out);

#endif
