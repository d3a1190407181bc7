/* SPDX-License-Identifier: Apache-2.0 */
/*
 * moved_table: each setting of registry:2 (2.8 and 3), and what becomes of it.
 *
 * Owns the table. A part of `moved`. A row's note is printed: in doc/MOVING.md, in warnings and in faults.
 */

#include "conf/moved.h"

#include <string.h>
#include "base/mem.h"

#define NO_DRIVER "only the filesystem is supported as storage driver"
#define NO_LOGIN "only logins by htpasswd and tokens are supported"
#define NO_CHECK "/readyz checks the store and the workers, nothing else"

#define SETS(p, k, f) { .path = p, .kind = MOVED_SETS, .key = k, .set = f, .text = true }
#define SETS_NOTE(p, k, f, n) { .path = p, .kind = MOVED_SETS, .key = k, .set = f, .text = true, .note = n }
#define SETS_MANY(p, k, f, n) { .path = p, .kind = MOVED_SETS, .key = k, .set = f, .note = n }
#define QUIET(p, n) { .path = p, .kind = MOVED_QUIET, .note = n }
#define LOSES(p, n) { .path = p, .kind = MOVED_LOSES, .note = n }
#define NEVER(p, n) { .path = p, .kind = MOVED_REFUSED, .even_empty = true, .note = n }
#define REFUSED(p, n) { .path = p, .kind = MOVED_REFUSED, .note = n }

const struct moved moved_table[] = {
	{ .path = "version", .kind = MOVED_QUIET, .set = moved_version, .text = true, .note = "it is 0.1" },

	SETS("log.level", "log.level", moved_level),
	SETS("loglevel", "log.level", moved_loglevel),
	SETS_NOTE("log.accesslog.disabled", "log.access", moved_not, "true there is false here"),
	{ .path = "log.formatter", .kind = MOVED_LOSES, .set = moved_formatter, .text = true,
	  .note = "each line of berth's log is a JSON object, as with the formatter json" },
	SETS_MANY("log.fields", "log.fields", moved_fields, NULL),
	LOSES("log.hooks", "berth sends no mail; an alert on its metrics does (doc/METRICS.md)"),
	QUIET("log.reportcaller", NULL),

	SETS("storage.filesystem.rootdirectory", "root", moved_text),
	QUIET("storage.filesystem.maxthreads", NULL),
	NEVER("storage.s3", NO_DRIVER),
	NEVER("storage.gcs", NO_DRIVER),
	NEVER("storage.azure", NO_DRIVER),
	NEVER("storage.swift", NO_DRIVER),
	NEVER("storage.oss", NO_DRIVER),
	NEVER("storage.inmemory", NO_DRIVER),
	SETS("storage.delete.enabled", "delete", moved_delete),
	QUIET("storage.redirect", "berth sends blobs itself"),
	QUIET("storage.cache", NULL),
	QUIET("storage.tag", NULL),
	SETS("storage.maintenance.readonly.enabled", "readonly", moved_bool),
	SETS_NOTE("storage.maintenance.uploadpurging.enabled", "gc.uploads_every", moved_purging, "false there is \"0\" here"),
	SETS("storage.maintenance.uploadpurging.age", "gc.uploads", moved_age),
	SETS("storage.maintenance.uploadpurging.interval", "gc.uploads_every", moved_purging_every),
	SETS_NOTE("storage.maintenance.uploadpurging.dryrun", "gc.uploads_every", moved_purging_dry,
		  "true there is \"0\" here: `berth gc --dry-run` says what would be removed"),

	SETS("auth.htpasswd.realm", "auth.realm", moved_text),
	SETS("auth.htpasswd.path", "auth.htpasswd", moved_text),
	SETS("auth.token.realm", "auth.foreign.realm", moved_text),
	SETS("auth.token.service", "auth.foreign.service", moved_text),
	SETS("auth.token.issuer", "auth.foreign.issuer", moved_text),
	SETS("auth.token.rootcertbundle", "auth.foreign.bundle", moved_text),
	SETS("auth.token.jwks", "auth.foreign.jwks", moved_text),
	REFUSED("auth.token.autoredirect", NO_LOGIN " whose realm is a URL: set auth.token.realm"),
	QUIET("auth.token.autoredirectpath", "it goes with autoredirect"),
	LOSES("auth.token.signingalgorithms", "the type of a key decides which algorithm berth accepts"),
	QUIET("auth.none", "nobody needs a login, as without auth"),
	NEVER("auth.silly", NO_LOGIN),

	LOSES("middleware", "berth has no middleware"),
	LOSES("reporting", "berth reports to nobody; its log has the errors"),

	SETS("http.addr", "http.listen", moved_address),
	{ .path = "http.net", .kind = MOVED_SETS, .key = "http.listen", .set = moved_net, .text = true,
	  .note = "\"unix\" makes http.addr the path of a socket" },
	SETS("http.host", "http.host", moved_text),
	SETS("http.prefix", "http.prefix", moved_text),
	SETS("http.relativeurls", "http.relative_urls", moved_relative),
	SETS_MANY("http.headers", "http.headers", moved_headers,
		  "Access-Control-Allow-Origin is http.cors, which makes the other headers of CORS itself"),
	QUIET("http.secret", NULL),
	QUIET("http.draintimeout", "what is under way is finished"),
	SETS("http.tls.certificate", "http.tls.certificate", moved_text),
	SETS("http.tls.key", "http.tls.key", moved_text),
	SETS_MANY("http.tls.clientcas", "http.tls.client_authorities", moved_list, NULL),
	SETS("http.tls.clientauth", "http.tls.client_auth", moved_client_auth),
	SETS_NOTE("http.tls.minimumtls", "http.tls.minimum", moved_minimum_tls, "tls1.0 and tls1.1 become 1.2, with a warning"),
	LOSES("http.tls.ciphersuites", "berth has a list of its own: nginx/with-tls-files.conf.in"),
	REFUSED("http.tls.letsencrypt", "berth fetches no certificate; let certbot or another program do it, and set "
		"http.tls.certificate and http.tls.key: a renewed one is taken up without a restart"),
	SETS("http.debug.addr", "http.monitor", moved_address),
	QUIET("http.debug.prometheus.enabled", "/metrics is always at http.monitor"),
	SETS("http.debug.prometheus.path", "http.metrics_path", moved_text),
	QUIET("http.debug.pprof", NULL),
	SETS_NOTE("http.http2.disabled", "http.http2", moved_not, "true there is false here"),
	LOSES("http.h2c.enabled", "HTTP/2 needs TLS here; without it clients use HTTP/1.1"),

	SETS_MANY("notifications.endpoints", "notifications", moved_endpoints,
		  "ignore.actions leaves out what it names of push, pull, mount and delete; threshold is of no use, since berth waits longer after "
		  "each failure"),
	LOSES("notifications.events.includereferences", "an event names a manifest, and the manifest what it refers to"),

	QUIET("redis", NULL),
	QUIET("health.storagedriver", "/readyz looks at the store with every request"),
	LOSES("health.file", NO_CHECK),
	LOSES("health.http", NO_CHECK),
	LOSES("health.tcp", NO_CHECK),

	SETS_NOTE("proxy.remoteurl", "upstreams", moved_remote, "the whole registry is the mirror of that one, and nobody can push"),
	SETS_NOTE("proxy.username", "upstreams", moved_remote_login, "it goes with remoteurl"),
	SETS_NOTE("proxy.password", "upstreams", moved_remote_login, "it goes with remoteurl"),
	LOSES("proxy.exec", "berth runs no program for a login; give proxy.username and proxy.password"),
	SETS_NOTE("proxy.ttl", "cache.idle", moved_age, "so long something stays after its last pull; \"0\": for ever"),
	REFUSED("proxy.remotenamespace", "a repository has the same name here as in remoteurl; remove it"),

	QUIET("validation.enabled", "manifests are always validated"),
	LOSES("validation.disabled", "manifests are always validated; see manifests.sparse and manifests.sizes"),
	LOSES("validation.manifests.urls", "berth accepts any URL in a manifest"),
	SETS_NOTE("validation.manifests.indexes.platforms", "manifests.sparse", moved_platforms,
		  "all is \"refuse\"; none is \"index\"; list is \"index\" with a warning"),
	QUIET("validation.manifests.indexes.platformlist", "it goes with platforms"),

	SETS_NOTE("catalog.maxentries", "catalog.max_entries", moved_entries, "at most 100000"),
	LOSES("compatibility.schema1.enabled", "manifests of schema 1 are served where they exist, but not accepted"),
	QUIET("compatibility.schema1.signingkeyfile", "it goes with enabled"),
	REFUSED("policy.repository.classes", "berth knows no classes of repositories, and would accept all of them"),

	{ .path = "configuration.path", .kind = MOVED_SETS, .key = "config", .set = moved_path, .text = true,
	  .note = "a variable only: REGISTRY_CONFIGURATION_PATH" },
};
const size_t moved_count = ARRAY_LEN(moved_table);

const struct moved *moved_find(const char *path)
{
	for (size_t i = 0; i < moved_count; i++)
		if (strcmp(moved_table[i].path, path) == 0)
			return &moved_table[i];
	return NULL;
}

const struct moved *moved_above(const char *path)
{
	for (size_t i = 0; i < moved_count; i++) {
		size_t len = strlen(moved_table[i].path);

		if (strncmp(moved_table[i].path, path, len) == 0 && path[len] == '.')
			return &moved_table[i];
	}
	return NULL;
}

bool moved_is_group(const char *path)
{
	size_t len = strlen(path);

	for (size_t i = 0; i < moved_count; i++)
		if (strncmp(moved_table[i].path, path, len) == 0 && moved_table[i].path[len] == '.')
			return true;
	return false;
}
