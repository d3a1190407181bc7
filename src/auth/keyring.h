/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_KEYRING_H
#define BERTH_AUTH_KEYRING_H

/*
 * keyring: the keys that a configuration names: the one that signs berth's tokens, or those of a foreign token service.
 *
 * They are read once for each configuration, before the workers are forked, so that all workers have the same keys.
 */

#include <stdbool.h>
#include "base/err.h"
#include "base/str.h"
#include "conf/config.h"
#include "jose/jwks.h"
#include "jose/key.h"

struct keyring {
	struct key *own;        /* owned; NULL: berth issues no tokens */
	struct jwks own_set;    /* `own` alone, for verifying */
	struct jwks foreign;    /* empty: foreign tokens are refused */
};

/*
 * keyring_open - read the keys of a configuration
 * make   create the signing key if there is none; if false, a missing one is no error, and `own` is NULL
 * notes  gets a line for each foreign key that cannot be used; may be NULL
 *
 * Returns an owned keyring, or NULL with one line for the operator in e->detail.
 */
struct keyring *keyring_open(const struct config *cfg, bool make, struct str *notes, struct err *e);
void keyring_close(struct keyring **k);
#define cleanup_keyring __attribute__((cleanup(keyring_close)))

#endif
