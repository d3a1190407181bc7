/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_KEY_H
#define BERTH_CONF_KEY_H

/*
 * key: the table of settings: for each its name, its type, and its member in struct config.
 *
 * The file, the environment and the output of `berth config` all use this table. Private to src/conf.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/str.h"
#include "conf/config.h"

#define KEY_SIZE_MAX INT64_MAX          /* bytes: sizes become off_t */

enum key_type {
	KEY_ADDRESS,            /* char *: "HOST:PORT", ":PORT", "unix:/path", or empty */
	KEY_FILES,              /* char *: absolute paths separated by commas, or empty */
	KEY_FIELDS,             /* char *: "name=value,name=value", or empty */
	KEY_LOCATION,           /* char *: the path of a URL */
	KEY_ORIGINS,            /* char *: web origins separated by commas, or "*", or empty */
	KEY_PATH,               /* char *: absolute, no control characters, no slash at the end */
	KEY_FILE,               /* char *: the same, or empty */
	KEY_HOST,               /* char *: the URL by which clients reach the registry, without a slash at the end, or empty */
	KEY_PREFIX,             /* char *: a path without a slash at the end, or empty */
	KEY_HEADERS,            /* char *: "Name: value|Name: value", or empty */
	KEY_URL,                /* char *: http or https, of bytes that need no escape between quotes, or empty */
	KEY_NETWORKS,           /* char *: addresses and networks separated by commas, or empty */
	KEY_REALM,              /* char *: ASCII that needs no escape between quotes, not empty */
	KEY_TEXT,               /* char *: the same, or empty */
	KEY_COUNT,              /* unsigned */
	KEY_BOOL,               /* bool: true or false */
	KEY_FLAG,               /* bool, written as one of two words; the first is false */
	KEY_WORD,               /* an enum whose values are indexes of the words */
	KEY_SIZE,               /* uint64_t, bytes */
	KEY_DURATION            /* uint64_t, seconds */
};

struct key {
	const char *name;       /* "group.name" or "name" */
	enum key_type type;
	size_t off;             /* of the member in struct config */
	const char *preset;     /* the default, in the form of key_set_text() */
	uint64_t min, max;      /* of numbers and sizes */
	const char *const *words;       /* of flags and words, NULL at the end */
	const char *help;       /* one line */
};

extern const struct key key_table[];
extern const size_t key_count;

const struct key *key_find(const char *name);   /* NULL if there is none */
bool key_is_group(const char *name);            /* whether there is a key "NAME.something" */

/*
 * Set the member of a key. Each returns 0; or -1, with nothing changed, if the key cannot have that value or type.
 * key_wants() describes the valid values.
 */
int key_set_text(struct config *c, const struct key *k, const char *text);      /* of any type */
int key_set_string(struct config *c, const struct key *k, const char *text);    /* a value in quotes */
int key_set_number(struct config *c, const struct key *k, int64_t number);
int key_set_bool(struct config *c, const struct key *k, bool value);

/* key_mark - note what sets the key: "FILE:LINE", a variable or an option */
void key_mark(struct config *c, const struct key *k, const char *origin);

/* key_origin - what sets it; NULL: nothing, it has its default */
const char *key_origin(const struct config *c, const struct key *k);

/* key_wants - add to out what a value must be, as the end of a sentence: "must be a whole number from 0 to 1024" */
void key_wants(const struct key *k, struct str *out);

/* key_get - add the value to out: a size in bytes, words and paths without quotes */
void key_get(const struct config *c, const struct key *k, struct str *out);

#endif
