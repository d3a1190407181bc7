/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CMD_LISTING_H
#define BERTH_CMD_LISTING_H

/* listing: berth repo list --sort, berth tag list --sort: the lists of the API, in the same words (doc/PAGE.md, "The API"). */

#include <stdbool.h>
#include "cmd/cmd.h"

/* listing_order - read the name of an order: 0, or -1 if this list does not have it */
int listing_repo_order(const char *name);
int listing_tag_order(const char *name);

/* listing_repos, listing_tags - print all, a line each; sort has been read. An enum cmd_status, or -1 with *e */
int listing_repos(struct registry *r, const char *sort, bool json, struct err *e);
int listing_tags(struct registry *r, const struct name *n, const char *sort, bool json, struct err *e);

#endif
