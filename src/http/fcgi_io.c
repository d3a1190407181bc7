/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fcgi_io: reads, writes and wipes libfcgi's streams.
 *
 * Owns nothing. libfcgi's lengths are int, so data is passed in pieces.
 */
#include "http/fcgi_io.h"

#include <fcgiapp.h>
#include <stdint.h>
#include <string.h>

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
	/* A short read is an error or the end of the stream. */
	if (have < len && FCGX_GetError(fr->in) != 0)
		return -1;
	return (ssize_t)have;
}

/*
 * The beginning of a stream's private state, the same in all releases of libfcgi to 2.4.7. A reader's buffer has the bytes
 * of the last read(2), parameters and body alike, and behind buffStop those of earlier ones. libfcgi frees it unwiped.
 */
struct buffer {
	unsigned char *buff;
	int bufflen;
	unsigned char *mBuff, *buffStop;
};

/* NULL where the state is not like that, in another libfcgi. `at`: the stream's position in the buffer. */
static const struct buffer *buffer_of(const FCGX_Stream *stream, const unsigned char *at)
{
	const struct buffer *b = stream->data;

	if (b->bufflen <= 0 || b->bufflen > PIECE || b->buff > at || at > b->buffStop || b->buffStop > b->buff + b->bufflen)
		return NULL;
	return b;
}

void fcgi_wipe_read(struct FCGX_Request *fr, bool unread)
{
	unsigned char *next = fr->in->rdNext;
	const struct buffer *b = buffer_of(fr->in, next);

	if (!b)
		return;
	explicit_bzero(b->buff, (size_t)(next - b->buff));
	if (unread)
		explicit_bzero(next, (size_t)(b->buffStop - next));
	explicit_bzero(b->buffStop, (size_t)(b->buff + b->bufflen - b->buffStop));
}

void fcgi_wipe_written(struct FCGX_Request *fr)
{
	const struct buffer *b = buffer_of(fr->out, fr->out->wrNext);

	FCGX_FFlush(fr->out);
	if (b)
		explicit_bzero(b->buff, (size_t)b->bufflen);
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
