/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_RIGHT_H
#define BERTH_CONF_RIGHT_H

/*
 * right: the rights in a repository, and their words: "pull", "push", "delete"; and "admin", a right in the registry, which only what is given
 * for all repositories ("**") can contain.
 *
 * Rules ("may" in auth.access), lines of the robots file and options of commands use these words. The table is here and not
 * in auth because the configuration, which is below auth, must report an unknown word with its line. auth/access decides
 * whom a rule grants a right.
 */

#include "base/str.h"

enum right { RIGHT_PULL = 1, RIGHT_PUSH = 2, RIGHT_DELETE = 4, RIGHT_ADMIN = 16 };       /* the first three are bits of scopes, where 8 is "*" */

/* RIGHT_WORDS - for messages that name all of them */
#define RIGHT_WORDS "pull, push, delete and admin"

/* right_parse - the right that a word names; 0, or -1 if it names none */
int right_parse(const char *word, enum right *right);

/* right_add - add the right that a word names to a set of rights, with "push" pull too; 0, or -1 if it names none */
int right_add(const char *word, unsigned *may);

const char *right_name(enum right right);

/* right_list - add the words of a set of rights to out, in the order of the enum, each between quote, separated by comma */
void right_list(unsigned may, const char *quote, const char *comma, struct str *out);

#endif
