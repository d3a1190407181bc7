/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyring: reading the keys.
 *
 * Owns them. Knows nothing of tokens.
 */
#include "auth/keyring.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"

void keyring_close(struct keyring **k)
{
	if (!*k)
		return;
	key_close(&(*k)->own);
	jwks_release(&(*k)->own_set);
	jwks_release(&(*k)->foreign);
	free(*k);
	*k = NULL;
}

static int read_own(struct keyring *k, const struct config *cfg, bool make, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	struct stat st;

	config_token_key(cfg, &path);
	if (make)
		k->own = key_load_or_make(path.buf, cfg->auth.token.es256 ? KEY_P256 : KEY_ED25519, e);
	else if (lstat(path.buf, &st) < 0 && errno == ENOENT)
		return 0;
	else
		k->own = key_load(path.buf, e);
	return k->own ? jwks_add_key(&k->own_set, key_share(k->own), e) : -1;
}

static int read_foreign(struct keyring *k, const struct config *cfg, struct str *notes, struct err *e)
{
	const struct config_foreign *f = &cfg->auth.foreign;

	if (f->bundle[0] && jwks_add_path(&k->foreign, f->bundle, true, e) < 0)
		return -1;
	if (f->jwks[0] && jwks_add_path(&k->foreign, f->jwks, false, e) < 0)
		return -1;
	for (size_t i = 0; notes && i < k->foreign.skipped.count; i++)
		str_addf(notes, "%s%s", notes->len ? "\n" : "", k->foreign.skipped.v[i]);
	return 0;
}

struct keyring *keyring_open(const struct config *cfg, bool make, struct str *notes, struct err *e)
{
	cleanup_keyring struct keyring *k = xcalloc(1, sizeof(*k));

	k->own_set = k->foreign = (struct jwks)JWKS_INIT;
	if (config_issues_tokens(cfg) && read_own(k, cfg, make, e) < 0)
		return NULL;
	if (config_foreign_tokens(cfg) && read_foreign(k, cfg, notes, e) < 0)
		return NULL;
	return STEAL(k);
}
