/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CMD_CMD_H
#define BERTH_CMD_CMD_H

/*
 * cmd: what the subcommands of `berth` have in common.
 *
 * A subcommand is one function in a file of its own and one line of the table in berth.c.
 */

#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "conf/config.h"
#include "registry/registry.h"
#include "store/store.h"

/* Exit status: done; something is wrong, or the command failed; a usage error. */
enum cmd_status { CMD_DONE = 0, CMD_FOUND = 1, CMD_USAGE = 2 };

/* The options before the subcommand. */
struct cmd_options {
	const char *config;     /* --config, NULL: the default file */
	const char *root;       /* --root, NULL: the configuration's */
};

struct cmd {
	const char *name;
	const char *args;       /* for the usage line, such as "check | show" */
	const char *help;       /* one line */

	/*
	 * argv[0] is the subcommand's name. Results go to stdout, errors to stderr as "berth: ...".
	 * Returns an enum cmd_status.
	 */
	int (*run)(const struct cmd_options *o, int argc, char **argv);
};

/*
 * cmd_config - load the configuration and apply the options; prints warnings and faults to stderr, one a line
 *
 * Returns an owned struct, or NULL: the subcommand then returns CMD_USAGE.
 */
struct config *cmd_config(const struct cmd_options *o);

/*
 * How a command opens the store of the configuration, which must exist:
 * cmd_store           - to maintain it
 * cmd_store_to_read   - without any write; it may be on a read-only file system
 * cmd_store_to_change - to change what clients see: an error if the configuration is read-only
 * cmd_store_to_push   - the same, and what is changed is flushed as by a push: durable_barrier() ends it (store/durable.h)
 *
 * Started by root, the process changes to the user and group that own the store, so that the workers can use the files that
 * it makes. Each returns 0, or -1 with *e.
 */
typedef int cmd_open(const struct config *c, struct store **st, struct err *e);
cmd_open cmd_store, cmd_store_to_read, cmd_store_to_change, cmd_store_to_push;

/* Work on an open store: returns an enum cmd_status, or -1 with *e. */
typedef int cmd_work(struct registry *r, void *arg, struct err *e);

/* cmd_on_store - load the configuration, open its store, do the work and print its error, if any; an enum cmd_status */
int cmd_on_store(const struct cmd_options *o, cmd_open *open, cmd_work *work, void *arg);

/* cmd_by - who runs this command, for the journal; static */
const struct event_by *cmd_by(void);

/* cmd_name - parse a repository's name from the command line; 0, or -1 after printing an error */
int cmd_name(struct name *n, const char *text);

/* cmd_invalid - print that a word of the command line is not a valid `what`, such as "tag"; returns CMD_USAGE */
int cmd_invalid(const char *text, const char *what);

/* cmd_read - read a text of at most max bytes from a file, or the standard input, "-"; 0, or -1 after printing an error */
int cmd_read(const char *file, size_t max, struct str *text);

/* cmd_complain - print an error as one line on stderr */
void cmd_complain(const struct err *e);

/* cmd_usage - print the usage of a subcommand on stderr; returns CMD_USAGE */
int cmd_usage(const struct cmd *cmd);

#endif
