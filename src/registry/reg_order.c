/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_order: sorted lists and their cursors.
 *
 * Owns no state. Invariant: an order is total, so a page ends where the next one begins.
 */
#include "registry/reg_order.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const struct {
	const char *name;
	bool desc;
	char letter;                    /* in cursors */
} orders[ORDER_COUNT] = {
	[ORDER_NAME] = { "name", false, 'n' },
	[ORDER_PUSHED] = { "pushed", true, 'p' },
	[ORDER_SIZE] = { "size", true, 's' },
	[ORDER_TAGS] = { "tags", true, 't' },
	[ORDER_VERSION] = { "version", true, 'v' },
};

#define HEX 16
#define HEAD (2 + HEX + 1)      /* "pd", the key, a point */

void order_list_release(struct order_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->v[i].name);
	free(l->v);
	*l = (struct order_list)ORDER_LIST_INIT;
}

void order_list_add(struct order_list *l, uint64_t key, const char *name)
{
	if (l->count == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->v = xreallocarray(l->v, l->cap, sizeof(*l->v));
	}
	l->v[l->count++] = (struct order_entry){ key, xstrdup(name) };
}

const char *order_name(enum order_by by)
{
	return orders[by].name;
}

int order_parse(struct order *o, const char *s)
{
	for (int i = 0; i < ORDER_COUNT; i++)
		if (strcmp(orders[i].name, s) == 0) {
			o->by = (enum order_by)i;
			o->desc = orders[i].desc;
			return 0;
		}
	return -1;
}

void order_cursor(const struct order *o, uint64_t key, const char *name, struct str *out)
{
	str_addf(out, "%c%c%016" PRIx64 ".%s", orders[o->by].letter, o->desc ? 'd' : 'a', key, name);
}

int order_parse_cursor(struct order *o, const char *s)
{
	size_t len = strlen(s);

	if (len <= HEAD || len - HEAD > NAME_MAX_LEN || s[0] != orders[o->by].letter || s[1] != (o->desc ? 'd' : 'a') || s[HEAD - 1] != '.' ||
	    str_parse_hex(s + 2, HEX, &o->key) < 0)
		return -1;
	memcpy(o->name, s + HEAD, len - HEAD + 1);
	o->after = true;
	return 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Two numbers by their value, however long they are; both pointers move behind them. */
static int compare_numbers(const char **a, const char **b)
{
	size_t la, lb;
	int c;

	*a += strspn(*a, "0");
	*b += strspn(*b, "0");
	la = strspn(*a, "0123456789");
	lb = strspn(*b, "0123456789");
	c = la != lb ? (la < lb ? -1 : 1) : memcmp(*a, *b, la);
	*a += la;
	*b += lb;
	return c;
}

static const char *past_v(const char *s)
{
	return s + (*s == 'v' && is_digit(s[1]));
}

/* What follows a whole version: "-rc1" makes it an earlier one, anything else a later one. */
static int rank(char c)
{
	return c == '-' ? 0 : c == '\0' ? 1 : 2;
}

static int compare_versions(const char *a, const char *b)
{
	while (*a && *b) {
		int c;

		if (is_digit(*a) && is_digit(*b)) {
			c = compare_numbers(&a, &b);
			if (c)
				return c;
			continue;
		}
		if (*a != *b)
			break;
		a++;
		b++;
	}
	if (rank(*a) != rank(*b))
		return rank(*a) - rank(*b);
	return (unsigned char)*a - (unsigned char)*b;
}

int order_version_cmp(const char *a, const char *b)
{
	int c = compare_versions(past_v(a), past_v(b));

	return c ? c : strcmp(a, b);
}

int order_cmp(const struct order *o, const struct order_entry *a, const struct order_entry *b)
{
	int c = 0;

	if (o->by == ORDER_VERSION)
		c = order_version_cmp(a->name, b->name);
	else if (o->by == ORDER_NAME)
		c = strcmp(a->name, b->name);
	else if (a->key != b->key)
		c = a->key < b->key ? -1 : 1;
	else
		c = strcmp(a->name, b->name);
	return o->desc ? -c : c;
}

bool order_follows(const struct order *o, const struct order_entry *a)
{
	char name[NAME_MAX_LEN + 1];
	struct order_entry at = { o->key, name };

	memcpy(name, o->name, sizeof(name));
	return !o->after || order_cmp(o, a, &at) > 0;
}

static int compare_entries(const void *a, const void *b, void *o)
{
	return order_cmp(o, a, b);
}

void order_sort(const struct order *o, struct order_list *l)
{
	struct order by = *o;

	if (l->count)
		qsort_r(l->v, l->count, sizeof(*l->v), compare_entries, &by);
}

size_t order_first(const struct order *o, const struct order_list *l)
{
	size_t lo = 0, hi = l->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (order_follows(o, &l->v[mid]))
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}
