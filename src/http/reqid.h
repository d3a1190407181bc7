/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_REQID_H
#define BERTH_HTTP_REQID_H

/*
 * reqid: ids of requests to which the web server has given none.
 *
 * An id is 128 random bits, so it is unique among all machines, and nobody can guess another one's.
 */

#define REQID_LEN 32
#define REQID_HEADER "X-Berth-Request-Id"       /* tells the web server, which does not pass it on (nginx/berth-params.conf) */

/* reqid_make - an id in lower-case hex digits; not for a process that forks after it: both would have the same ids */
void reqid_make(char out[REQID_LEN + 1]);

#endif
