/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fcgi_io: libfcgi's streams behind a few functions.
 *
 * Owns nothing. Lengths there are int, so everything goes in pieces.
 */
#include "http/fcgi_io.h"

#include <fcgiapp.h>
#include <stdint.h>

#define PIECE (64 * 1024)

ssize_t fcgi_read(struct FCGX_Request *fr, void *buf, size_t len)
{
	size_t have = 0;

	while (have < len) {
		int want = len - have < PIECE ? (int)(len - have) : PIECE;
		int n = FCGX_GetStr((char *)buf + have, want, fr->in);

		if (n > 0)
			have += (size_t)n;
		if (n < want)
			break;
	}
	/* The end and an error look alike but for this. */
	if (have < len && FCGX_GetError(fr->in) != 0)
		return -1;
	return (ssize_t)have;
}

/* libfcgi's buffer is nobody's to find; but what was just taken from it lies right before where it goes on. */
ssize_t fcgi_read_secret(struct FCGX_Request *fr, void *buf, size_t len)
{
	size_t have;

	for (have = 0; have < len; have++) {
		int c = FCGX_GetChar(fr->in);

		if (c < 0)
			break;
		((unsigned char *)buf)[have] = (unsigned char)c;
		((volatile unsigned char *)fr->in->rdNext)[-1] = 0;
	}
	if (have < len && FCGX_GetError(fr->in) != 0)
		return -1;
	return (ssize_t)have;
}

int fcgi_write(struct FCGX_Request *fr, const void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		int piece = len - done < PIECE ? (int)(len - done) : PIECE;

		if (FCGX_PutStr((const char *)buf + done, piece, fr->out) < 0)
			return -1;
		done += (size_t)piece;
	}
	return FCGX_GetError(fr->out) != 0 ? -1 : 0;
}

char *const *fcgi_params(struct FCGX_Request *fr)
{
	return fr->envp;
}
