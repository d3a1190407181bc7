/* SPDX-License-Identifier: Apache-2.0 */
/*
 * moved_say: the form of faults and warnings about settings of registry:2.
 *
 * Owns nothing. A part of `moved`.
 */
#include "conf/moved.h"

#include <string.h>

/* The place of a setting, and its path where the place is not its own variable. */
static void add_place(struct str *out, const struct node *n, const char *path)
{
	str_puts(out, out->len ? "\n" : "");
	node_where(n, out);
	if (n->whole)
		return;
	str_puts(out, ": \"");
	str_add_shown(out, path, strlen(path), 128);
	str_addc(out, '"');
}

struct str *moved_fault(struct moved_work *w, const struct node *n, const char *path)
{
	add_place(w->msg, n, path);
	str_puts(w->msg, n->whole ? ": " : " ");
	w->rc = -1;
	return w->msg;
}

void moved_warn(struct moved_work *w, const struct node *n, const char *path, const char *what)
{
	if (!w->warn)
		return;
	add_place(w->warn, n, path);
	str_addf(w->warn, " %s", what);
}
