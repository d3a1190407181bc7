/* SPDX-License-Identifier: Apache-2.0 */
/*
 * untag_frees: which manifests and bytes only some tags need.
 *
 * Owns no state. It marks twice what tags reach: from all of them, and from those that stay. The difference goes.
 */
#include "care/untag_frees.h"

#include <stdlib.h>
#include <string.h>

#include "base/digestset.h"
#include "base/mem.h"
#include "os/dir.h"
#include "registry/manifest_scan.h"
#include "registry/reg_order.h"
#include "registry/reg_stored.h"
#include "store/revision.h"
#include "store/tag.h"

enum reach { REACH_ALL, REACH_STAYS, REACHES };

struct node {
	struct digest d;
	uint64_t size;
	struct manifest m;
	const char *by[REACHES];        /* the tag from which it was reached; borrowed; NULL: from none */
};

struct graph {
	struct registry *r;
	const struct name *n;
	struct node *v;                 /* in byte order of their digests */
	size_t count, cap;
	bool too_many;
	struct names tags;
};

static void release(struct graph *g)
{
	for (size_t i = 0; i < g->count; i++)
		manifest_release(&g->v[i].m);
	free(g->v);
	names_release(&g->tags);
}

static int add_node(void *arg, const struct digest *d, struct err *e)
{
	struct graph *g = arg;

	(void)e;
	if (g->count == FREES_MANIFESTS) {
		g->too_many = true;
		return 1;
	}
	if (g->count == g->cap) {
		g->cap = g->cap ? g->cap * 2 : 64;
		g->v = xreallocarray(g->v, g->cap, sizeof(*g->v));
	}
	g->v[g->count++] = (struct node){ .d = *d, .m = MANIFEST_INIT };
	return 0;
}

static int compare_nodes(const void *a, const void *b)
{
	return digest_cmp(&((const struct node *)a)->d, &((const struct node *)b)->d);
}

static struct node *find(const struct graph *g, const struct digest *d)
{
	struct node key = { .d = *d };

	return g->count ? bsearch(&key, g->v, g->count, sizeof(*g->v), compare_nodes) : NULL;
}

/* A manifest that can't be read names nothing. */
static int read_node(struct graph *g, struct node *node, struct err *e)
{
	cleanup_str struct str bytes = STR_INIT;
	int found = reg_stored_bytes(g->r, g->n, &node->d, &bytes, e);

	if (found < 0 && e->code != ERR_MANIFEST_INVALID)
		return -1;
	if (found < 0)
		err_release(e);
	node->size = bytes.len;
	if (found == 1)
		manifest_scan_descriptors(&node->m, bytes.buf, bytes.len);
	return 0;
}

static int read_graph(struct graph *g, struct err *e)
{
	if (revision_walk(g->r->st, g->n, add_node, g, e) < 0 || tag_names(g->r->st, g->n, &g->tags, e) < 0)
		return -1;
	if (g->tags.count > ORDER_MAX)
		g->too_many = true;
	if (g->too_many)
		return 0;
	if (g->count)
		qsort(g->v, g->count, sizeof(*g->v), compare_nodes);
	for (size_t i = 0; i < g->count; i++)
		if (read_node(g, &g->v[i], e) < 0)
			return -1;
	return 0;
}

static bool reach_node(struct node *node, enum reach how, const char *by)
{
	if (!node || node->by[how])
		return false;
	node->by[how] = by;
	return true;
}

/* Follow what is reached until nothing is added. Indexes in indexes and referrers of referrers are few: so are the rounds. */
static void follow(struct graph *g, enum reach how)
{
	bool more = true;

	while (more) {
		more = false;
		for (size_t i = 0; i < g->count; i++) {
			struct node *node = &g->v[i], *subject = node->m.has_subject ? find(g, &node->m.subject) : NULL;

			if (subject && subject->by[how] && reach_node(node, how, subject->by[how]))
				more = true;
			for (size_t k = 0; node->by[how] && k < node->m.nrefs; k++)
				if (node->m.refs[k].kind == MREF_CHILD_MANIFEST && reach_node(find(g, &node->m.refs[k].digest), how, node->by[how]))
					more = true;
		}
	}
}

static bool is_in(const struct untag_list *goes, const char *tag)
{
	size_t lo = 0, hi = goes->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(goes->v[mid].tag.s, tag);

		if (c == 0)
			return true;
		*(c < 0 ? &lo : &hi) = c < 0 ? mid + 1 : mid;
	}
	return false;
}

static int reach_all(struct graph *g, const struct untag_list *goes, struct err *e)
{
	for (size_t i = 0; i < g->tags.count; i++) {
		struct digest d;
		struct tag t;
		int found = tag_parse(&t, g->tags.v[i], strlen(g->tags.v[i])) < 0 ? 0 : tag_read(g->r->st, g->n, &t, &d, e);

		if (found < 0)
			return -1;
		if (!found)
			continue;
		reach_node(find(g, &d), REACH_ALL, g->tags.v[i]);
		if (!is_in(goes, t.s))
			reach_node(find(g, &d), REACH_STAYS, g->tags.v[i]);
	}
	follow(g, REACH_ALL);
	follow(g, REACH_STAYS);
	return 0;
}

/* Add content to `seen`; the bytes that are new there. */
static uint64_t add_content(struct digestset *seen, const struct digest *d, uint64_t size)
{
	if (size == DESCRIPTOR_NO_SIZE || digestset_has(seen, d))
		return 0;
	digestset_add(seen, d);
	return size;
}

static uint64_t add_node_content(struct digestset *seen, const struct node *node)
{
	uint64_t sum = add_content(seen, &node->d, node->size);

	for (size_t k = 0; k < node->m.nrefs; k++)
		if (node->m.refs[k].kind != MREF_CHILD_MANIFEST)
			sum += add_content(seen, &node->m.refs[k].digest, node->m.refs[k].size);
	return sum;
}

static uint64_t sum_up(const struct graph *g)
{
	struct digestset seen = { 0 };
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < g->count; i++)
		if (g->v[i].by[REACH_STAYS])
			add_node_content(&seen, &g->v[i]);
	for (i = 0; i < g->count; i++)
		if (g->v[i].by[REACH_ALL] && !g->v[i].by[REACH_STAYS])
			sum += add_node_content(&seen, &g->v[i]);
	digestset_release(&seen);
	return sum;
}

/* What loses a tag and stays nevertheless, each once. */
static void list_kept(const struct graph *g, const struct untag_list *goes, struct untag_list *out)
{
	struct digestset told = { 0 };

	for (size_t i = 0; i < goes->count; i++) {
		const struct node *node = find(g, &goes->v[i].digest);

		if (!node || !node->by[REACH_STAYS] || digestset_has(&told, &node->d))
			continue;
		digestset_add(&told, &node->d);
		untag_list_add(out, &goes->v[i].tag, &node->d, node->by[REACH_STAYS]);
	}
	digestset_release(&told);
}

int untag_frees(struct registry *r, const struct name *n, const struct untag_list *goes, struct untag_frees *out, struct err *e)
{
	struct graph g = { .r = r, .n = n, .tags = NAMES_INIT };
	int rc;

	*out = (struct untag_frees)UNTAG_FREES_INIT;
	rc = read_graph(&g, e);
	if (rc == 0 && !g.too_many)
		rc = reach_all(&g, goes, e);
	if (rc == 0 && !g.too_many) {
		out->known = true;
		out->bytes = sum_up(&g);
		list_kept(&g, goes, &out->kept);
	}
	release(&g);
	return rc;
}
