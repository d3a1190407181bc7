/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_KEYRING_H
#define BERTH_AUTH_KEYRING_H

/*
 * keyring: the keys that a configuration brings: the one that signs our own tokens, or those of a token service elsewhere.
 *
 * Read once for each configuration, before the workers are forked, so that all of them have the same; a reload reads them
 * again.
 */

#include <stdbool.h>
#include "base/err.h"
#include "base/str.h"
#include "conf/config.h"
#include "jose/jwks.h"
#include "jose/key.h"

struct keyring {
	struct key *own;        /* owned; NULL: berth issues no tokens */
	struct jwks own_set;    /* it alone, to verify by */
	struct jwks foreign;    /* empty: no foreign tokens are taken */
};

/*
 * keyring_open - what the configuration needs
 * make   make the key that signs where there is none; else a missing one is no fault, and `own` is NULL
 * notes  gets a line for each foreign key that cannot be used; may be NULL
 *
 * Returns an owned keyring, or NULL with one line for the operator in e->detail.
 */
struct keyring *keyring_open(const struct config *cfg, bool make, struct str *notes, struct err *e);
void keyring_close(struct keyring **k);
#define cleanup_keyring __attribute__((cleanup(keyring_close)))

#endif
