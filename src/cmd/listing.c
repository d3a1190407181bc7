/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listing: prints lists with what is known of each entry. Owns nothing.
 */
#include "cmd/listing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "registry/reg_repo_rows.h"
#include "registry/reg_tag_rows.h"

#define ROWS 1000               /* of a page */
#define USEC 1000000

int listing_repo_order(const char *name)
{
	struct order o;

	return order_parse(&o, name) < 0 || o.by == ORDER_VERSION ? -1 : 0;
}

int listing_tag_order(const char *name)
{
	struct order o;

	return order_parse(&o, name) < 0 || o.by == ORDER_TAGS ? -1 : 0;
}

/* An object of the API with its kind before the other members. */
static void print_json(const char *kind, const struct str *object)
{
	printf("{\"kind\":\"%s\",%s\n", kind, object->buf + 1);
}

static const char *time_of(uint64_t usec, char buf[TIME_RFC3339_MAX])
{
	return usec ? time_text(buf, (int64_t)(usec / USEC)) : "-";
}

static int print_repo(void *arg, const struct repo_row *row, struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	char when[TIME_RFC3339_MAX];

	(void)e;
	if (*(const bool *)arg) {
		reg_repo_row_json(row, &text);
		print_json("repository", &text);
		return 0;
	}
	printf("%s %s", row->note.name.s, time_of(row->note.pushed, when));
	if (row->note.counted)
		printf(" %" PRIu64 " tags", row->note.tags);
	if (row->note.sized)
		printf(", %" PRIu64 " bytes, %" PRIu64 " of them its own", row->note.own + row->note.shared, row->note.own);
	printf("\n");
	return 0;
}

/* Go on behind a page: whether there is more. The cursor is one that this list has made. */
static bool go_on(struct order *o, struct str *next)
{
	bool more = next->len && order_parse_cursor(o, next->buf) == 0;

	str_reset(next);
	return more;
}

int listing_repos(struct registry *r, const char *sort, bool json, struct err *e)
{
	struct repo_query q = { .q = "", .max = ROWS, .next = STR_INIT };
	int rc;

	order_parse(&q.order, sort);
	do
		rc = reg_repo_rows(r, &q, print_repo, &json, e);
	while (rc == 0 && go_on(&q.order, &q.next));
	str_release(&q.next);
	return rc < 0 ? -1 : CMD_DONE;
}

static int print_tag(void *arg, const struct tag_row *row, struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	char when[TIME_RFC3339_MAX];

	(void)e;
	if (*(const bool *)arg) {
		reg_tag_row_json(row, &text);
		print_json("tag", &text);
		return 0;
	}
	str_add_shown(&text, row->facts.platforms.buf, row->facts.platforms.len, FACTS_PLATFORMS_MAX);
	printf("%s %s %s", row->tag.s, time_of(row->pushed, when), row->digest.text);
	if (row->facts.sized)
		printf(" %" PRIu64 " bytes", row->facts.bytes);
	printf("%s%s\n", text.len ? " " : "", text.buf);
	return 0;
}

int listing_tags(struct registry *r, const struct name *n, const char *sort, bool json, struct err *e)
{
	struct tag_query q = { .q = "", .max = ROWS, .next = STR_INIT };
	int rc;

	order_parse(&q.order, sort);
	do
		rc = reg_tag_rows(r, n, &q, print_tag, &json, e);
	while (rc == 0 && go_on(&q.order, &q.next));
	str_release(&q.next);
	return rc < 0 ? -1 : CMD_DONE;
}
