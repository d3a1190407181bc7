/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_API_H
#define BERTH_HTTP_API_H

/* api: what the handlers below /berth/v1/ have in common: parameters of the query, and tags of lists (doc/PAGE.md, "The API"). */

#include <stddef.h>
#include "base/err.h"
#include "base/str.h"
#include "http/exchange.h"
#include "registry/reg_order.h"

/* api_refuse - UNSUPPORTED 400: a request that can't be understood; returns -1 */
int api_refuse(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* api_parameter - the value of a query parameter: 1, 0 absent or empty, -1 with *e UNSUPPORTED 400; without a NUL */
int api_parameter(const struct exchange *x, const char *key, struct str *out, struct err *e);

/* api_number - `n`: from 1 to max, a larger one is reduced to it; PAGINATION_NUMBER_INVALID 400 */
int api_number(const struct exchange *x, size_t otherwise, size_t max, size_t *n, struct err *e);

/*
 * api_order - `sort`, `order` and `after`
 * may  the orders that this list has, the first by default; ended by ORDER_COUNT. UNSUPPORTED 400; PAGINATION_NUMBER_INVALID 400 for `after`
 */
int api_order(const struct exchange *x, const enum order_by *may, struct order *o, struct err *e);

/* api_put_may - the member `may`: what the caller, who may pull from x->name, may do there, and the configuration allows */
void api_put_may(const struct exchange *x, struct str *out);

/*
 * api_done - the body is complete: adds its newline and Etag; 304 without a body if the client has it
 * Cache-Control stays no-store, as for each answer below /berth/v1/: the tag is for clients that keep an answer themselves.
 */
void api_done(struct exchange *x);

#endif
