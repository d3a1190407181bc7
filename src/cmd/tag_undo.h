/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CMD_TAG_UNDO_H
#define BERTH_CMD_TAG_UNDO_H

/* tag_undo: the verbs of `berth tag` for what is remembered (doc/RULES.md, "Undo"). Each returns an enum cmd_status. */

#include <stdbool.h>
#include "cmd/cmd.h"

/* tag_undo_deleted - list what was deleted or moved and can be restored; name: the repository's, as on the command line */
int tag_undo_deleted(const struct cmd_options *o, const char *name, bool json);

/* tag_undo_restore - what: "REPOSITORY:TAG", "REPOSITORY:TAG@DIGEST", or "REPOSITORY@DIGEST" for a manifest alone; force: also an immutable tag */
int tag_undo_restore(const struct cmd_options *o, const char *what, bool force);

#endif
