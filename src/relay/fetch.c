/* SPDX-License-Identifier: Apache-2.0 */
/* fetch: small things that all fetches need. Owns nothing. */
#include "relay/fetch.h"

#include <strings.h>

#include "base/log.h"

void fetch_log(const struct fetch_ask *a, const char *what, enum upstream_kind kind, const char *why)
{
	struct log_event ev;

	log_begin(&ev, LOG_WARN, "upstream");
	log_str(&ev, "upstream", upstream_config(a->u)->name);
	log_str(&ev, "repository", a->repo);
	log_str(&ev, "reference", what);
	log_str(&ev, "kind", kind == UPSTREAM_OK ? NULL : upstream_word(kind));
	log_str(&ev, "why", why);
	log_str(&ev, "id", a->id);
	log_end(&ev);
}

bool fetch_encoded(const struct client_answer *http)
{
	const char *how = client_header(http, "Content-Encoding", 0);

	return how && *how && strcasecmp(how, "identity") != 0;
}
