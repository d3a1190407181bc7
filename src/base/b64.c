/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b64: base64 and base64url.
 *
 * Owns the two alphabets. Invariant: a text that decodes is the one that encoding gives for the decoded bytes (in B64_LOGIN
 * with or without its padding). Does not know what the bytes are.
 */
#include "base/b64.h"

#include <stdint.h>
#include <string.h>

static const char std_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int digit(enum b64_form form, char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == (form == B64_URL ? '-' : '+'))
		return 62;
	if (c == (form == B64_URL ? '_' : '/'))
		return 63;
	return -1;
}

/* Sets the length without the padding; -1 if the padding is wrong for the form. */
static int strip(enum b64_form form, const char *s, size_t *len)
{
	size_t n = *len, pad = 0;

	if (form != B64_URL) {
		while (pad < 2 && n > 0 && s[n - 1] == '=') {
			n--;
			pad++;
		}
		if ((pad || form == B64_PADDED) && (n + pad) % 4 != 0)
			return -1;
	}
	if (n % 4 == 1)
		return -1;
	*len = n;
	return 0;
}

int b64_decode(enum b64_form form, const char *s, size_t len, struct str *out)
{
	size_t start = out->len, i;
	uint32_t acc = 0;
	unsigned int bits = 0;

	if (strip(form, s, &len) < 0)
		return -1;
	if (out->max && (out->over || len / 4 * 3 + len % 4 * 3 / 4 > out->max - out->len)) {
		out->over = true;
		return -1;
	}
	for (i = 0; i < len; i++) {
		int v = digit(form, s[i]);

		if (v < 0)
			goto undo;
		acc = (acc << 6 | (uint32_t)v) & 0xffffff;
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		str_addc(out, (char)(acc >> bits & 0xff));
	}
	if (!(acc & ((1u << bits) - 1)))
		return 0;
undo:
	out->len = start;
	if (out->cap)
		out->buf[start] = '\0';
	return -1;
}

void b64_encode(enum b64_form form, const void *data, size_t len, struct str *out)
{
	const char *digits = form == B64_URL ? url_digits : std_digits;
	const unsigned char *p = data;

	while (len > 0) {
		size_t n = len < 3 ? len : 3;
		uint32_t v = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) | (n > 2 ? p[2] : 0);
		char four[4] = { digits[v >> 18], digits[v >> 12 & 63], digits[v >> 6 & 63], digits[v & 63] };

		if (form == B64_URL) {
			str_add(out, four, n + 1);
		} else {
			memset(four + n + 1, '=', 3 - n);
			str_add(out, four, 4);
		}
		p += n;
		len -= n;
	}
}
