/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CMD_RULES_CMD_H
#define BERTH_CMD_RULES_CMD_H

/*
 * rules_cmd: the verbs of `berth rules`, each in a file of its own. argv[0] is the verb; each returns an enum cmd_status, or
 * RULES_USAGE: then the usage of `berth rules` is printed.
 */

#include "cmd/cmd.h"

#define RULES_USAGE (-1)

int cmd_rules_explain(const struct cmd_options *o, int argc, char **argv);
int cmd_rules_import(const struct cmd_options *o, int argc, char **argv);
int cmd_rules_apply(const struct cmd_options *o, int argc, char **argv);

#endif
