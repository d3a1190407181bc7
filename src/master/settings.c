/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings: the settings of the masters that serve a store, compared in the store.
 *
 * Owns berth/locks/settings: a line "KEY HASH" for each setting that has to be the same everywhere.
 */
#include "master/settings.h"

#include <string.h>

#include "base/digest.h"
#include "base/log.h"
#include "registry/registry.h"
#include "store/journal.h"
#include "store/quota_rules.h"
#include "store/store.h"
#include "store/store_path.h"

#define SETTINGS_MAX (64 * 1024)        /* bytes */

/* These may differ between machines. */
static const char *const own[] = { "root", "workers", "write_workers", "upload_workers", "log.level", "log.access", "log.fields", "auth.htpasswd",
				   "config", "http.listen", "http.monitor", "http.metrics_path", "http.http2", "http.tls.certificate", "http.tls.key",
				   "http.tls.client_authorities", "http.tls.client_auth", "http.tls.minimum", NULL };

static bool is_own(const char *line, size_t len)
{
	size_t i;

	for (i = 0; own[i]; i++)
		if (strlen(own[i]) == len && memcmp(line, own[i], len) == 0)
			return true;
	return false;
}

/* "key = value" lines to "key hash" lines. */
static void hashed(const struct config *cfg, struct str *out)
{
	cleanup_str struct str shown = STR_INIT;
	const char *line, *end;

	config_show(cfg, &shown);
	for (line = shown.buf; (end = strchr(line, '\n')); line = end + 1) {
		size_t key = strcspn(line, " =");
		struct digest d;

		if (is_own(line, key))
			continue;
		digest_of(&d, DIGEST_SHA256, line, (size_t)(end - line));
		str_add(out, line, key);
		str_addf(out, " %s\n", d.text);
	}
}

/* The keys whose value differs from theirs, or that they lack. */
static void differences(const struct str *ours, const struct str *theirs, struct str *keys)
{
	const char *line, *end;

	for (line = ours->buf; (end = strchr(line, '\n')); line = end + 1) {
		cleanup_str struct str whole = STR_INIT;
		const char *at;

		str_add(&whole, line, (size_t)(end - line) + 1);
		at = strstr(theirs->buf, whole.buf);
		if (at && (at == theirs->buf || at[-1] == '\n'))
			continue;
		str_puts(keys, keys->len ? ", " : "");
		str_add(keys, line, strcspn(line, " "));
	}
}

void settings_compare(const struct config *cfg, bool joined)
{
	cleanup_str struct str ours = STR_INIT, theirs = STR_INIT, keys = STR_INIT;
	cleanup_store struct store *st = NULL;
	cleanup_err struct err e = ERR_INIT;
	struct store_options so = registry_store(cfg);

	so.serving = true;
	if (store_open(&st, &so, &e) < 0) {
		log_say(LOG_WARN, "settings", "%s", e.cause);
		return;
	}
	if (quota_rules_set(st, &e) < 0)
		log_say(LOG_ERROR, "quota", "the rules of quotas are not in force, reload to try again: %s", *e.cause ? e.cause : e.detail);
	hashed(cfg, &ours);
	if (joined && store_read(st, STORE_SETTINGS_FILE, SETTINGS_MAX, &theirs) == 1)
		differences(&ours, &theirs, &keys);
	if (keys.len)
		log_say(LOG_WARN, "settings",
			"others who serve %s have other settings: %s; give all of them one configuration, or each its own store", cfg->root,
			keys.buf);
	else if (store_replace(st, STORE_SETTINGS_FILE, ours.buf, ours.len, false) < 0)
		log_say(LOG_WARN, "settings", "cannot write %s/" STORE_SETTINGS_FILE, cfg->root);
	else if (journal_rule(st, &e) < 0)
		log_say(LOG_WARN, "journal", "%s", e.cause);
}
