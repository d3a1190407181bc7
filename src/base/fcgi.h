/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_FCGI_H
#define BERTH_BASE_FCGI_H

/*
 * fcgi: the bytes of a FastCGI request (version 1), and of what comes back, for a program that asks the workers as nginx does.
 * The workers themselves speak FastCGI by libfcgi.
 */

#include "base/str.h"

/*
 * fcgi_ask - add a whole request without a body to `out`
 * params  names and values in turn, NULL at the end; each, and all together, shorter than 64 KiB
 */
void fcgi_ask(struct str *out, const char *const *params);

/* fcgi_ask_body - the same with a body, whose CONTENT_LENGTH is one of the parameters */
void fcgi_ask_body(struct str *out, const char *const *params, const char *body, size_t len);

/*
 * fcgi_answer - add what the application wrote as its response, a head and a body as CGI has them, to `out`
 * in  everything that came until the connection ended
 * Returns 1, 0 if it ended before the response did, -1 if this is not FastCGI.
 */
int fcgi_answer(const char *in, size_t len, struct str *out);

#endif
