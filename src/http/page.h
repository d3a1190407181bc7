/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_PAGE_H
#define BERTH_HTTP_PAGE_H

/* page: `n`, `last` and Link of listings (distribution-spec, "Listing Tags"; RFC 8288). */

#include <stddef.h>
#include "base/err.h"
#include "base/str.h"
#include "http/exchange.h"
#include "os/dir.h"

struct page {
	size_t n;               /* the most entries on the page */
	bool has_last;
	struct str last;        /* the page begins after this entry; has no control byte */
};

#define PAGE_INIT { .last = STR_INIT }

void page_release(struct page *p);
#define cleanup_page __attribute__((cleanup(page_release)))

/*
 * page_read - read the query; the caller releases p
 * otherwise  the default of n
 * max        a larger n is reduced to it
 * PAGINATION_NUMBER_INVALID 400 where n is no number of 64 bits; NAME_INVALID 400 where `last` has a control byte
 * (doc/API.md, "Catalog", "Tags").
 */
int page_read(struct page *p, const struct exchange *x, size_t otherwise, size_t max, struct err *e);

/* page_link - set Link to the page after this name, the last of this one; path: a valid path */
void page_link(const struct page *p, struct exchange *x, const char *path, const char *name, size_t len);

/* page_names - add the names as a JSON array of strings */
void page_names(struct str *out, const struct names *names);

#endif
