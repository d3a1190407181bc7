/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_WEB_H
#define BERTH_CONF_WEB_H

/*
 * web: which texts may be http.host, http.prefix and http.headers. nginx's configuration and the headers of answers contain
 * them as they are, so each has only bytes that need no escape there. Private to src/conf.
 */

#include <stdbool.h>
#include <stddef.h>

/* web_host_ok - a URL of scheme, host and perhaps port and path, without query; or empty */
bool web_host_ok(const char *text);

/* web_prefix_ok - a path, "/a/b" or "/a/b/", without empty and dot segments; or empty, or "/" */
bool web_prefix_ok(const char *text);

/*
 * web_headers_ok - headers of answers, "Name: value|Name: value"; or empty
 * Headers that berth or nginx sets itself are refused: a second value would contradict the first. For CORS there is http.cors.
 */
bool web_headers_ok(const char *text);

/* web_trim - the length of the text without slashes at its end */
size_t web_trim(const char *text);

#endif
