/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CMD_TAG_H
#define BERTH_CMD_TAG_H

/*
 * tag: `berth tag`, the tags of a repository, while the registry serves.
 *
 *   berth tag list REPOSITORY [--json]   each with the digest that it points to, in byte order
 *   berth tag rm REPOSITORY TAG...       as a DELETE by tag does: the manifests stay
 */

#include "cmd/cmd.h"

extern const struct cmd cmd_tag_command;

#endif
