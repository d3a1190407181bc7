/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err: the table of error codes, and the error value.
 *
 * Owns the wire names, messages and default statuses (doc/API.md, "Errors"). Invariant: `detail`, `cause` and every
 * entry of `more` are well-formed UTF-8. Does not know how an error is rendered, and logs nothing.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/err.h"
#include "base/mem.h"

static const struct {
	const char *name;
	const char *message;
	int status;
} table[ERR_CODE_COUNT] = {
	[ERR_UNKNOWN] = { "UNKNOWN", "unknown error", 500 },
	[ERR_BLOB_UNKNOWN] = { "BLOB_UNKNOWN", "blob unknown to registry", 404 },
	[ERR_BLOB_UPLOAD_INVALID] = { "BLOB_UPLOAD_INVALID", "blob upload invalid", 400 },
	[ERR_BLOB_UPLOAD_UNKNOWN] = { "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry", 404 },
	[ERR_DIGEST_INVALID] = { "DIGEST_INVALID", "provided digest did not match uploaded content", 400 },
	[ERR_MANIFEST_BLOB_UNKNOWN] = { "MANIFEST_BLOB_UNKNOWN",
					"manifest references a manifest or blob unknown to registry", 400 },
	[ERR_MANIFEST_INVALID] = { "MANIFEST_INVALID", "manifest invalid", 400 },
	[ERR_MANIFEST_UNKNOWN] = { "MANIFEST_UNKNOWN", "manifest unknown", 404 },
	[ERR_NAME_INVALID] = { "NAME_INVALID", "invalid repository name", 400 },
	[ERR_NAME_UNKNOWN] = { "NAME_UNKNOWN", "repository name not known to registry", 404 },
	[ERR_SIZE_INVALID] = { "SIZE_INVALID", "provided length did not match content length", 400 },
	[ERR_RANGE_INVALID] = { "RANGE_INVALID", "invalid content range", 416 },
	[ERR_TAG_INVALID] = { "TAG_INVALID", "manifest tag did not match URI", 400 },
	[ERR_PAGINATION_NUMBER_INVALID] = { "PAGINATION_NUMBER_INVALID", "invalid number of results requested", 400 },
	[ERR_UNAUTHORIZED] = { "UNAUTHORIZED", "authentication required", 401 },
	[ERR_DENIED] = { "DENIED", "requested access to the resource is denied", 403 },
	[ERR_UNSUPPORTED] = { "UNSUPPORTED", "the operation is unsupported", 405 },
	[ERR_TOOMANYREQUESTS] = { "TOOMANYREQUESTS", "too many requests", 429 },
	[ERR_UNAVAILABLE] = { "UNAVAILABLE", "service unavailable", 503 },
};

void err_text(const struct err *e, struct str *out)
{
	if (e->cause[0])
		str_addf(out, "%s: %s", e->cause, strerror(e->sys));
	else
		str_puts(out, e->detail);
}

const char *err_name(enum err_code code)
{
	return table[code < ERR_CODE_COUNT ? code : ERR_UNKNOWN].name;
}

const char *err_message(enum err_code code)
{
	return table[code < ERR_CODE_COUNT ? code : ERR_UNKNOWN].message;
}

int err_default_status(enum err_code code)
{
	return table[code < ERR_CODE_COUNT ? code : ERR_UNKNOWN].status;
}

/* Formats into dst[size], replaces bytes that are not UTF-8, and cuts the text between characters. */
static void __attribute__((format(printf, 3, 0)))
format_text(char *dst, size_t size, const char *fmt, va_list ap)
{
	char raw[1024];         /* longer than any dst, so that only dst limits the text */
	size_t len, i = 0, n = 0;

	if (vsnprintf(raw, sizeof(raw), fmt, ap) < 0)
		raw[0] = '\0';
	len = strlen(raw);
	while (i < len) {
		size_t seq = str_utf8_len(raw + i, len - i);
		const char *from = seq ? raw + i : "\xef\xbf\xbd";
		size_t put = seq ? seq : 3;

		if (n + put >= size)
			break;
		memcpy(dst + n, from, put);
		n += put;
		i += seq ? seq : 1;
	}
	dst[n] = '\0';
}

void err_release(struct err *e)
{
	size_t i;

	for (i = 0; i < e->nmore; i++)
		free(e->more[i]);
	free(e->more);
	*e = (struct err)ERR_INIT;
}

static void begin(struct err *e, enum err_code code)
{
	err_release(e);
	e->code = code;
	e->status = err_default_status(code);
}

int err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	char text[sizeof(e->detail)];
	va_list ap;

	if (!e)
		return -1;
	/* format before clearing e: the arguments may be e's own detail */
	va_start(ap, fmt);
	format_text(text, sizeof(text), fmt, ap);
	va_end(ap);
	begin(e, code);
	memcpy(e->detail, text, strlen(text) + 1);
	return -1;
}

static int status_of_errno(int sys)
{
	switch (sys) {
	case ENOSPC:
	case EDQUOT:
		return 507;
	case EINTR:
	case EIO:
	case EMFILE:
	case ENFILE:
	case ENOLCK:
	case ENOMEM:
	case EROFS:
	case ENOTCONN:          /* a client of a network file system that is gone, or whose session was ended */
	case ECONNABORTED:
	case ESHUTDOWN:
	case EHOSTDOWN:
	case ESTALE:
	case ETIMEDOUT:
		return 503;
	default:
		return 500;
	}
}

int err_sys(struct err *e, const char *fmt, ...)
{
	int sys = errno;
	char text[sizeof(e->cause)];
	va_list ap;

	if (!e)
		return -1;
	va_start(ap, fmt);
	format_text(text, sizeof(text), fmt, ap);
	va_end(ap);
	begin(e, status_of_errno(sys) == 500 ? ERR_UNKNOWN : ERR_UNAVAILABLE);
	e->status = status_of_errno(sys);
	e->sys = sys;
	memcpy(e->cause, text, strlen(text) + 1);
	errno = sys;
	return -1;
}

int err_status(struct err *e, int status)
{
	if (e)
		e->status = status;
	return -1;
}

int err_plain(struct err *e)
{
	if (e)
		e->plain = true;
	return -1;
}

int err_more(struct err *e, const char *fmt, ...)
{
	char text[sizeof(e->detail)];
	va_list ap;

	if (!e)
		return -1;
	va_start(ap, fmt);
	format_text(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* the capacity is a power of two: grow when the count has reached one */
	if (!(e->nmore & (e->nmore - 1)))
		e->more = xreallocarray(e->more, e->nmore ? e->nmore * 2 : 1, sizeof(*e->more));
	e->more[e->nmore++] = xstrdup(text);
	return -1;
}
