/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_ERR_H
#define BERTH_BASE_ERR_H

/*
 * err: an error. The function that detects it sets it; every layer above passes it on.
 *
 * The codes are those of the Distribution Specification and of registry:2 (doc/API.md, "Errors"). One table in err.c maps a
 * code to its wire name, message and default status. Only the response module renders an error for a client.
 */

#include <stdbool.h>
#include <stddef.h>
#include "base/str.h"

enum err_code {
	ERR_UNKNOWN,
	ERR_BLOB_UNKNOWN,
	ERR_BLOB_UPLOAD_INVALID,
	ERR_BLOB_UPLOAD_UNKNOWN,
	ERR_DIGEST_INVALID,
	ERR_MANIFEST_BLOB_UNKNOWN,
	ERR_MANIFEST_INVALID,
	ERR_MANIFEST_UNKNOWN,
	ERR_NAME_INVALID,
	ERR_NAME_UNKNOWN,
	ERR_SIZE_INVALID,
	ERR_RANGE_INVALID,
	ERR_TAG_INVALID,
	ERR_PAGINATION_NUMBER_INVALID,
	ERR_UNAUTHORIZED,
	ERR_DENIED,
	ERR_UNSUPPORTED,
	ERR_TOOMANYREQUESTS,
	ERR_UNAVAILABLE,
	ERR_CODE_COUNT
};

struct err {
	enum err_code code;
	int status;             /* HTTP status: the default of the code, unless err_status() changed it */
	int sys;                /* errno of the failure, 0 if none: logged, never sent */
	char detail[256];       /* for the client: no paths, no secrets, valid UTF-8 */
	bool plain;             /* the detail is the message too: err_plain() */
	char cause[256];        /* for the log only: what failed, on which path */
	char **more;            /* more details of the same code, as text; each is an entry of its own in the response; owned */
	size_t nmore;
};

#define ERR_INIT { .code = ERR_UNKNOWN }

void err_release(struct err *e);
#define cleanup_err __attribute__((cleanup(err_release)))

/* All of these return -1, so `return err_set(e, ...)` is a whole error path. A NULL e is allowed and ignored. */

/* err_set - set an error with the default status of the code; detail is cut to fit, and ill-formed UTF-8 is replaced */
int err_set(struct err *e, enum err_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * err_sys - a system call failed: sets errno as `sys`, and the text as `cause` for the log
 *
 * The client gets only the kind: ENOSPC and EDQUOT are UNAVAILABLE with 507; EINTR, EIO, EMFILE, ENFILE, ENOLCK,
 * ENOMEM, EROFS, ESTALE, ETIMEDOUT and what a network file system says without its server or client (ENOTCONN, ECONNABORTED,
 * ESHUTDOWN, EHOSTDOWN) are UNAVAILABLE with 503; all others are UNKNOWN with 500. EACCES and EPERM are among these: a client
 * that comes again is refused again.
 */
int err_sys(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

int err_status(struct err *e, int status);      /* another status for the code already set, such as 413 or 412 */
int err_plain(struct err *e);                   /* the message is the detail, instead of the code's: docker shows its user no more than that */
int err_more(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));  /* one more detail */

/* err_text - add the error as one line for an operator: the cause and errno, or else the detail */
void err_text(const struct err *e, struct str *out);

const char *err_name(enum err_code code);       /* "BLOB_UNKNOWN" */
const char *err_message(enum err_code code);    /* "blob unknown to registry" */
int err_default_status(enum err_code code);

#endif
