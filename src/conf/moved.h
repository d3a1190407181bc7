/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_MOVED_H
#define BERTH_CONF_MOVED_H

/*
 * moved: the settings of registry:2, and what becomes of each in berth.
 *
 * One table (moved_table.c) serves its config.yml and its variables; doc/MOVING.md has the same table, and t/0015 compares the
 * two. A setting sets one of berth's; or it passes in silence, because berth has no use for it and nothing is lost; or it is
 * named in a warning, because something is lost; or it is refused, because it would leave open or unencrypted what it closes
 * or encrypts there, or store elsewhere. Messages never repeat values: some are secrets. Private to src/conf.
 */

#include <stdbool.h>
#include <stddef.h>
#include "base/str.h"
#include "conf/config.h"
#include "conf/key.h"
#include "conf/node.h"

enum moved_kind { MOVED_SETS, MOVED_QUIET, MOVED_LOSES, MOVED_REFUSED };

struct moved_work {
	struct config *c;
	struct node *root;              /* of the tree that is applied: one of the next two */
	const struct node *vars, *yml;  /* the variables; what these leave of the config.yml, NULL: there is none */
	const char *file;               /* the config.yml that was read, or NULL */
	struct str *warn;               /* NULL: drop warnings */
	struct str *msg;
	int rc;                         /* 0, or -1 after the first fault */
};

struct moved {
	const char *path;               /* "storage.delete.enabled": the node with all below it */
	enum moved_kind kind;
	const char *key;                /* of MOVED_SETS: the setting of berth */
	/* Sets it, for MOVED_SETS; for others NULL, or what looks at the value first. n is NODE_NULL for booleans only. */
	void (*set)(struct moved_work *w, const struct moved *m, const struct node *n);
	bool text;                      /* the value is one text, number or boolean */
	bool even_empty;                /* of MOVED_REFUSED: also without a value: its name alone chooses it */
	const char *note;               /* what to know, or what is lost, or why it is refused */
};

extern const struct moved moved_table[];
extern const size_t moved_count;

/* moved_find - the row with this path, or NULL */
const struct moved *moved_find(const char *path);

/* moved_is_group - whether there is a row below this path */
bool moved_is_group(const char *path);

/*
 * moved_is_closed - whether a setting here that the table does not have could close the registry, encrypt what is sent, or keep
 * the data elsewhere
 */
bool moved_is_closed(const char *path);

/* moved_above - the row whose path is above this one, or NULL */
const struct moved *moved_above(const char *path);

/*
 * moved_apply - set what a tree sets
 * Faults go to w->msg and set w->rc, warnings go to w->warn: a line each.
 */
void moved_apply(struct moved_work *w);

/* moved_fault, moved_warn - begin a line with the place of a node and its path; the caller adds the rest of the line */
struct str *moved_fault(struct moved_work *w, const struct node *n, const char *path);
void moved_warn(struct moved_work *w, const struct node *n, const char *path, const char *what);

/* moved_setting - what a setting has in the variables, or else in the file; NULL: neither has it */
const struct node *moved_setting(const struct moved_work *w, const char *path);

/* moved_variables - add to out an indented line "variables: ..." with the variables that set a key of berth, if there are any */
void moved_variables(const char *key, struct str *out);

/* moved_parse_bool - the forms of YAML 1.1 and of Go's strconv.ParseBool, in any case; 0, or -1 */
int moved_parse_bool(const struct node *n, bool *out);

/* moved_duration - as Go writes it: "168h", "1h30m", "1.5s", "0"; whole seconds, rounded up; 0, or -1 */
int moved_duration(const char *text, uint64_t *seconds, bool *rounded);

/* The functions `set` of the table. */
void moved_bool(struct moved_work *w, const struct moved *m, const struct node *n);
void moved_delete(struct moved_work *w, const struct moved *m, const struct node *n);
void moved_not(struct moved_work *w, const struct moved *m, const struct node *n);          /* true means false */
void moved_path(struct moved_work *w, const struct moved *m, const struct node *n);
void moved_text(struct moved_work *w, const struct moved *m, const struct node *n);
void moved_level(struct moved_work *w, const struct moved *m, const struct node *n);
void moved_loglevel(struct moved_work *w, const struct moved *m, const struct node *n);
void moved_formatter(struct moved_work *w, const struct moved *m, const struct node *n);
void moved_fields(struct moved_work *w, const struct moved *m, const struct node *n);
void moved_version(struct moved_work *w, const struct moved *m, const struct node *n);
void moved_age(struct moved_work *w, const struct moved *m, const struct node *n);          /* a duration */
void moved_purging(struct moved_work *w, const struct moved *m, const struct node *n);      /* whether uploads are purged */
void moved_purging_dry(struct moved_work *w, const struct moved *m, const struct node *n);
void moved_purging_every(struct moved_work *w, const struct moved *m, const struct node *n);
void moved_address(struct moved_work *w, const struct moved *m, const struct node *n);
void moved_net(struct moved_work *w, const struct moved *m, const struct node *n);
void moved_relative(struct moved_work *w, const struct moved *m, const struct node *n);
void moved_headers(struct moved_work *w, const struct moved *m, const struct node *n);
void moved_list(struct moved_work *w, const struct moved *m, const struct node *n);         /* texts without commas */
void moved_client_auth(struct moved_work *w, const struct moved *m, const struct node *n);
void moved_minimum_tls(struct moved_work *w, const struct moved *m, const struct node *n);
void moved_entries(struct moved_work *w, const struct moved *m, const struct node *n);
void moved_endpoints(struct moved_work *w, const struct moved *m, const struct node *n);    /* moved_notify.c */
void moved_remote(struct moved_work *w, const struct moved *m, const struct node *n);       /* moved_proxy.c */
void moved_remote_login(struct moved_work *w, const struct moved *m, const struct node *n);
void moved_platforms(struct moved_work *w, const struct moved *m, const struct node *n);

#endif
