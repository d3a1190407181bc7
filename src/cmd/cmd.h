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
#include "conf/config.h"
#include "store/store.h"

enum cmd_status { CMD_DONE = 0, CMD_FOUND = 1, CMD_USAGE = 2 };        /* exit status: done; found something wrong; used wrongly */

/* What stands before the subcommand on the command line. */
struct cmd_options {
	const char *config;     /* --config, NULL: the default file */
	const char *root;       /* --root, NULL: the configuration's */
};

struct cmd {
	const char *name;
	const char *args;       /* for the usage line, such as "check | show" */
	const char *help;       /* one line */

	/*
	 * argv[0] is the subcommand's name. Results go to stdout, complaints to stderr as "berth: ...".
	 * Returns an enum cmd_status.
	 */
	int (*run)(const struct cmd_options *o, int argc, char **argv);
};

/*
 * cmd_config - the configuration with the options applied; the warnings and faults go to stderr, one a line
 *
 * Returns an owned struct, or NULL: the subcommand returns CMD_USAGE.
 */
struct config *cmd_config(const struct cmd_options *o);

/*
 * cmd_store - open the store that the configuration names, which must be there
 * A command that root starts on a store of somebody else's becomes that owner first: what it makes belongs to who serves.
 */
int cmd_store(const struct config *c, struct store **st, struct err *e);

/*
 * cmd_store_to_read   - the same for a command that only looks: nothing is written, a read-only file system will do
 * cmd_store_to_change - the same for one that changes what clients see: refused where the configuration is read-only
 */
int cmd_store_to_read(const struct config *c, struct store **st, struct err *e);
int cmd_store_to_change(const struct config *c, struct store **st, struct err *e);

/* cmd_name - a repository's name from the command line; 0, or -1 once it has been complained of */
int cmd_name(struct name *n, const char *text);

/* cmd_complain - what went wrong, as one line on stderr */
void cmd_complain(const struct err *e);

/* cmd_usage - say how the subcommand is to be used; returns CMD_USAGE */
int cmd_usage(const struct cmd *cmd);

#endif
