/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_T_FUZZ_FUZZ_H
#define BERTH_T_FUZZ_FUZZ_H

/*
 * fuzz: shared by the fuzzers. Each is one file with LLVMFuzzerTestOneInput(), which must return for any bytes, and
 * ends the process if an invariant is violated. scripts/fuzz links it with libFuzzer, `make check` with replay.c.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/err.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #cond); \
			abort(); \
		} \
	} while (0)

/* fuzz_is_utf8 - RFC 3629, by the code points: not overlong, no surrogate, nothing beyond U+10FFFF */
static inline bool fuzz_is_utf8(const char *s, size_t len)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	size_t i = 0, more, k;

	while (i < len) {
		unsigned char c = (unsigned char)s[i++];
		uint32_t point;

		more = c < 0x80 ? 0 : (c & 0xe0) == 0xc0 ? 1 : (c & 0xf0) == 0xe0 ? 2 : (c & 0xf8) == 0xf0 ? 3 : 4;
		if (more > 3 || more > len - i)
			return false;
		point = more ? c & (0x3fu >> more) : c;
		for (k = 0; k < more; k++, i++) {
			if (((unsigned char)s[i] & 0xc0) != 0x80)
				return false;
			point = point << 6 | ((unsigned char)s[i] & 0x3f);
		}
		if (point < least[more] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
			return false;
	}
	return true;
}

static inline bool fuzz_has_control(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return true;
	}
	return false;
}

/* fuzz_lines - split the bytes at newlines into at most `max` strings, and a NULL after them; release frees them */
static inline size_t fuzz_lines(const uint8_t *data, size_t size, char **lines, size_t max)
{
	const char *p = (const char *)data, *end = p + size;
	size_t n = 0;

	while (p < end && n < max) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((nl ? nl : end) - p);

		lines[n] = malloc(len + 1);
		CHECK(lines[n]);
		memcpy(lines[n], p, len);
		lines[n++][len] = '\0';
		p = nl ? nl + 1 : end;
	}
	lines[n] = NULL;
	return n;
}

static inline void fuzz_lines_release(char **lines)
{
	for (; *lines; lines++) {
		free(*lines);
		*lines = NULL;
	}
}

/* fuzz_is_error - whether an error is fit for a client: this code and status, and a detail that is text */
static inline bool fuzz_is_error(const struct err *e, enum err_code code, int status)
{
	return e->code == code && e->status == status && fuzz_is_utf8(e->detail, strlen(e->detail));
}

#endif
