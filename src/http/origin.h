/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_ORIGIN_H
#define BERTH_HTTP_ORIGIN_H

/*
 * origin: whether a change below /berth/v1/ is the wish of who sends it, or of a web page that a browser shows (doc/AUTH.md, "Browsers").
 *
 * A browser adds cookies, certificates and logins that it remembers to what the page of another site has it send, and reaches registries
 * that others do not reach. Such a page can name neither the header Berth-Request, for that a browser first asks whether it may and nobody
 * here says yes, nor another Origin than its own.
 */

#include "base/err.h"
#include "http/exchange.h"

/*
 * origin_check - DENIED 403, with the reason as the message, for a change that may be that of another page; x->who is known
 * by_header  a header Authorization has said who it is, which a page of another site cannot send
 */
int origin_check(const struct exchange *x, bool by_header, struct err *e);

#endif
