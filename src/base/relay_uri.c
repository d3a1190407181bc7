/* SPDX-License-Identifier: Apache-2.0 */
/* relay_uri: the arguments of a question to the relay. Owns nothing. */
#include "base/relay_uri.h"

void relay_uri_add(struct str *uri, const char *key, const char *value)
{
	str_addf(uri, "&%s=", key);
	str_add_urlenc(uri, value, strlen(value));
}

void relay_uri(struct str *uri, const char *what, const char *upstream, const char *repo, const char *name)
{
	str_addf(uri, "%s?up=", what);
	str_add_urlenc(uri, upstream, strlen(upstream));
	relay_uri_add(uri, "repo", repo);
	relay_uri_add(uri, "name", name);
}
