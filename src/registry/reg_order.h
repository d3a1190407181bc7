/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_ORDER_H
#define BERTH_REGISTRY_REG_ORDER_H

/*
 * reg_order: the orders of a list, and the cursors between its pages (doc/PAGE.md, "The API").
 *
 * A cursor says which entry was the last one, by what it is sorted by and its name, and not how many came before: so entries that come and
 * go between two pages make no other entry come twice, or not at all.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/ref.h"
#include "base/str.h"

/* The most entries that are read for a list that is not sorted by what its summaries are sorted by. */
#define ORDER_MAX 10000

enum order_by { ORDER_NAME, ORDER_PUSHED, ORDER_SIZE, ORDER_TAGS, ORDER_VERSION, ORDER_COUNT };

struct order {
	enum order_by by;
	bool desc;                      /* the last ones first, also among entries of the same key, which are in byte order of their names */
	bool after;                     /* there is a cursor: */
	uint64_t key;
	char name[NAME_MAX_LEN + 1];
};

/* An entry of a list: its key is microseconds, bytes or a number, and 0 where the names decide. */
struct order_entry {
	uint64_t key;
	char *name;                     /* owned */
};

struct order_list {
	struct order_entry *v;          /* owned */
	size_t count, cap;
};

#define ORDER_LIST_INIT { 0 }
void order_list_release(struct order_list *l);
#define cleanup_order_list __attribute__((cleanup(order_list_release)))
void order_list_add(struct order_list *l, uint64_t key, const char *name);

/* order_name - the name of an order; static text */
const char *order_name(enum order_by by);

/* order_parse - read the name of an order, "pushed", with the direction that it has by itself: 0, or -1 if there is none of that name */
int order_parse(struct order *o, const char *s);

/* order_parse_cursor - set the cursor by its text: 0, or -1 if it is none of this order; order_cursor - add the text of a cursor */
int order_parse_cursor(struct order *o, const char *s);
void order_cursor(const struct order *o, uint64_t key, const char *name, struct str *out);

/* order_cmp - whether a comes before (< 0) or after (> 0) b */
int order_cmp(const struct order *o, const struct order_entry *a, const struct order_entry *b);

/* order_follows - whether an entry is behind the cursor; without a cursor each is */
bool order_follows(const struct order *o, const struct order_entry *a);

/* order_sort - sort a list; order_first - the number of its first entry behind the cursor, or l->count */
void order_sort(const struct order *o, struct order_list *l);
size_t order_first(const struct order *o, const struct order_list *l);

/*
 * order_version_cmp - compare tags as versions: numbers in them by their value, "1.9" before "1.10"; "1.0-rc1" before "1.0", "1.0" before "1.0.1"
 * A leading "v" does not count. Different tags that are equal as versions are in byte order.
 */
int order_version_cmp(const char *a, const char *b);

#endif
