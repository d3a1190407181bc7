/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fcgi: records of FastCGI 1.0.
 *
 * Owns nothing. A connection carries one request, which has the id 1. Knows nothing of sockets.
 */
#include "base/fcgi.h"

#include <assert.h>
#include <stdint.h>

#define FCGI_VERSION 1
#define HEAD 8                  /* bytes before the content of a record */
#define RECORD_MAX 65535
#define SHORT_MAX 127           /* the longest length that one byte holds */

enum record { BEGIN_REQUEST = 1, END_REQUEST = 3, PARAMS = 4, STDIN = 5, STDOUT = 6 };

static void add_record(struct str *out, enum record type, const char *content, size_t len)
{
	const char head[HEAD] = { FCGI_VERSION, (char)type, 0, 1, (char)(len >> 8), (char)(len & 255), 0, 0 };

	assert(len <= RECORD_MAX);
	str_add(out, head, sizeof(head));
	str_add(out, content, len);
}

static void add_length(struct str *out, size_t len)
{
	if (len <= SHORT_MAX) {
		str_addc(out, (char)len);
		return;
	}
	str_addc(out, (char)(0x80 | len >> 24));
	str_addc(out, (char)(len >> 16 & 255));
	str_addc(out, (char)(len >> 8 & 255));
	str_addc(out, (char)(len & 255));
}

void fcgi_ask(struct str *out, const char *const *params)
{
	fcgi_ask_body(out, params, "", 0);
}

void fcgi_ask_body(struct str *out, const char *const *params, const char *body, size_t len)
{
	static const char begin[] = { 0, 1, 0, 0, 0, 0, 0, 0 };         /* the role of a responder; the connection ends with it */
	cleanup_str struct str all = STR_INIT;

	for (; params[0]; params += 2) {
		add_length(&all, strlen(params[0]));
		add_length(&all, strlen(params[1]));
		str_puts(&all, params[0]);
		str_puts(&all, params[1]);
	}
	add_record(out, BEGIN_REQUEST, begin, sizeof(begin));
	add_record(out, PARAMS, all.buf, all.len);
	add_record(out, PARAMS, "", 0);
	while (len) {
		size_t n = len < RECORD_MAX ? len : RECORD_MAX;

		add_record(out, STDIN, body, n);
		body += n;
		len -= n;
	}
	add_record(out, STDIN, "", 0);
}

int fcgi_answer(const char *in, size_t len, struct str *out)
{
	const unsigned char *head = (const unsigned char *)in;

	while (len >= HEAD) {
		size_t content = (size_t)head[4] << 8 | head[5], whole = HEAD + content + head[6];

		if (head[0] != FCGI_VERSION)
			return -1;
		if (head[1] == END_REQUEST)
			return 1;
		if (len < whole)
			return 0;
		if (head[1] == STDOUT)
			str_add(out, (const char *)head + HEAD, content);
		head += whole;
		len -= whole;
	}
	return 0;
}
