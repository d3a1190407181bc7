/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_OS_OPTIONS_H
#define BERTH_OS_OPTIONS_H

/* options: the command line of a program that has long options alone, and no other words. */

#include <stdbool.h>
#include <stddef.h>

#define OPTIONS_MAX 32          /* rows, at most */

struct options_row {
	const char *name;
	const char **text;      /* gets the option's argument; NULL: it takes none */
	bool *flag;             /* without an argument: becomes true */
};

/*
 * options_parse - read the command line; --help and --version are understood by themselves
 * program  its name, for messages
 * Returns -1 to go on, or the status with which the program has to end: 0 after --help and --version, 2 after a fault, which has been said.
 */
int options_parse(const char *program, const char *help, const struct options_row *rows, size_t count, int argc, char **argv);

#endif
