/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str: the one string buffer.
 *
 * Owns the memory behind struct str. Invariant: `buf` is never NULL and is NUL-terminated at `len`. `len` never exceeds a
 * `max`. After something did not fit, nothing more is added, so that the text is always a prefix of the intended one and
 * never has a gap. Does not know what the text means.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"

#define STR_MIN_CAP 256         /* enough for a path: growing costs more than unused bytes */
#define REPLACEMENT "\xef\xbf\xbd"      /* U+FFFD */

char str_empty[1];      /* shared by all buffers without memory of their own; never written */

/* Wipes all of the memory: text that was cut off is still behind the end. */
static void wipe(struct str *s)
{
	if (s->secret && s->cap)
		explicit_bzero(s->buf, s->cap);
}

void str_release(struct str *s)
{
	wipe(s);
	if (s->cap)
		free(s->buf);
	*s = (struct str){ .buf = str_empty, .secret = s->secret };
}

void str_reset(struct str *s)
{
	wipe(s);
	s->len = 0;
	s->over = false;
	if (s->cap)
		s->buf[0] = '\0';
}

/* Not by realloc(3), which may leave a copy at the old address. */
static void move_secret(struct str *s, size_t cap)
{
	char *to = xmalloc(cap);

	memcpy(to, s->buf, s->len + 1);
	wipe(s);
	if (s->cap)
		free(s->buf);
	s->buf = to;
}

static bool make_room(struct str *s, size_t n)
{
	size_t cap;

	if (s->over)
		return false;
	if (n > SIZE_MAX / 2 - s->len - 1 || (s->max && s->len + n > s->max)) {
		s->over = true;
		return false;
	}
	if (s->len + n < s->cap)
		return true;
	cap = s->cap ? s->cap * 2 : STR_MIN_CAP;
	if (cap <= s->len + n)
		cap = s->len + n + 1;
	if (s->secret)
		move_secret(s, cap);
	else
		s->buf = xrealloc(s->cap ? s->buf : NULL, cap);
	s->cap = cap;
	return true;
}

/* Makes room for n more bytes and the NUL; false if the max does not allow it. */
static inline bool reserve(struct str *s, size_t n)
{
	return (n < s->cap - s->len && !s->max && !s->over) || make_room(s, n);
}

char *str_room(struct str *s, size_t n)
{
	return reserve(s, n) ? s->buf + s->len : NULL;
}

void str_grown(struct str *s, size_t len)
{
	s->len += len;
	s->buf[s->len] = '\0';
}

void str_add(struct str *s, const void *data, size_t len)
{
	if (!len || !reserve(s, len))
		return;
	memcpy(s->buf + s->len, data, len);
	s->len += len;
	s->buf[s->len] = '\0';
}

void str_cut(struct str *s, size_t len)
{
	if (len >= s->len)
		return;
	if (s->secret)
		explicit_bzero(s->buf + len, s->len - len);
	s->len = len;
	s->buf[len] = '\0';
}

void str_addc(struct str *s, char c)
{
	if (!reserve(s, 1))
		return;
	s->buf[s->len++] = c;
	s->buf[s->len] = '\0';
}

void str_add_u64(struct str *s, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + v % 10);
	while (v /= 10);
	str_add(s, digits + at, sizeof(digits) - at);
}

static void __attribute__((format(printf, 2, 0))) add_formatted(struct str *s, const char *fmt, va_list ap)
{
	char small[256];
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	if (n < 0) {                    /* more than INT_MAX bytes */
		s->over = true;
	} else if ((size_t)n < sizeof(small)) {
		str_add(s, small, (size_t)n);
	} else if (reserve(s, (size_t)n)) {
		vsnprintf(s->buf + s->len, (size_t)n + 1, fmt, again);
		s->len += (size_t)n;
	}
	if (s->secret)
		explicit_bzero(small, sizeof(small));
	va_end(again);
}

/* Copies plain text and "%s", the common case, ten times as fast as vsnprintf(3), which gets the rest. */
void str_vaddf(struct str *s, const char *fmt, va_list ap)
{
	const char *at = strchrnul(fmt, '%');

	while (at[0] && at[1] == 's') {
		const char *text = va_arg(ap, const char *);

		str_add(s, fmt, (size_t)(at - fmt));
		str_puts(s, text ? text : "(null)");
		fmt = at + 2;
		at = strchrnul(fmt, '%');
	}
	if (*at)
		add_formatted(s, fmt, ap);
	else
		str_add(s, fmt, (size_t)(at - fmt));
}

void str_addf(struct str *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(s, fmt, ap);
	va_end(ap);
}

/* The ASCII bytes that need no escape in JSON; DEL is a special case. */
static const bool json_plain[256] = { [' '] = true, ['!'] = true, ['#' ... '['] = true, [']' ... '~'] = true };

/* Writes the escape of a byte; returns its length. */
static size_t escape_json(unsigned char c, char out[8])
{
	static const char shorts[] = "\bb\ff\nn\rr\tt\"\"\\\\", hex[] = "0123456789abcdef";
	const char *p;

	out[0] = '\\';
	for (p = shorts; *p; p += 2) {
		if ((unsigned char)*p == c) {
			out[1] = p[1];
			return 2;
		}
	}
	memcpy(out + 1, "u00", 3);
	out[4] = hex[c >> 4];
	out[5] = hex[c & 15];
	return 6;
}

/* As str_add_shown(); shown: escape DEL. */
static size_t add_json(struct str *s, const char *data, size_t len, size_t max, bool shown)
{
	size_t done = 0, i = 0;         /* [done, i) is added without escapes */

	while (i < len) {
		size_t n = 1, out = 1;
		char escaped[8];
		bool as_it_is = json_plain[(unsigned char)data[i]] || (!shown && data[i] == 0x7f);

		if (!as_it_is) {
			n = str_utf8_len(data + i, len - i);
			as_it_is = n > 1;
			out = n > 1 ? n : n ? escape_json((unsigned char)data[i], escaped) : strlen(REPLACEMENT);
		}
		if (out > max)
			break;
		max -= out;
		if (as_it_is) {
			i += n;
			continue;
		}
		str_add(s, data + done, i - done);
		str_add(s, n ? escaped : REPLACEMENT, out);
		done = ++i;
	}
	str_add(s, data + done, i - done);
	return i;
}

void str_add_json(struct str *s, const char *data, size_t len)
{
	add_json(s, data, len, SIZE_MAX, false);
}

size_t str_add_shown(struct str *s, const char *data, size_t len, size_t max)
{
	return add_json(s, data, len, max, true);
}

static bool unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

void str_add_urlenc(struct str *s, const char *data, size_t len)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)data[i];
		char esc[3] = { '%', hex[c >> 4], hex[c & 15] };

		if (unreserved(c))
			str_addc(s, (char)c);
		else
			str_add(s, esc, 3);
	}
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The number of bytes before the first encoded one. */
static size_t literal_len(const char *data, size_t len, bool plus)
{
	const char *percent;
	size_t n = 0;

	if (!plus) {
		percent = memchr(data, '%', len);
		return percent ? (size_t)(percent - data) : len;
	}
	while (n < len && data[n] != '%' && data[n] != '+')
		n++;
	return n;
}

int str_add_urldec(struct str *s, const char *data, size_t len, bool plus)
{
	size_t i = 0;

	for (;;) {
		size_t n = literal_len(data + i, len - i, plus);
		int hi, lo;

		str_add(s, data + i, n);
		i += n;
		if (i == len)
			return 0;
		if (data[i] == '+') {
			str_addc(s, ' ');
			i++;
			continue;
		}
		hi = len - i > 2 ? hex_value(data[i + 1]) : -1;
		lo = len - i > 2 ? hex_value(data[i + 2]) : -1;
		if (hi < 0 || lo < 0)
			return -1;
		str_addc(s, (char)(hi * 16 + lo));
		i += 3;
	}
}

int str_parse_u64(const char *data, size_t len, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	*out = 0;
	if (!len)
		return -1;
	for (i = 0; i < len; i++) {
		if (data[i] < '0' || data[i] > '9')
			return -1;
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(data[i] - '0'), &v))
			return -1;
	}
	*out = v;
	return 0;
}

int str_parse_hex(const char *data, size_t len, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	*out = 0;
	if (!len || len > 16)
		return -1;
	for (i = 0; i < len; i++) {
		if (data[i] >= '0' && data[i] <= '9')
			v = v << 4 | (uint64_t)(data[i] - '0');
		else if (data[i] >= 'a' && data[i] <= 'f')
			v = v << 4 | (uint64_t)(data[i] - 'a' + 10);
		else
			return -1;
	}
	*out = v;
	return 0;
}

size_t str_utf8_len(const char *data, size_t len)
{
	const unsigned char *p = (const unsigned char *)data;
	unsigned char low = 0x80, high = 0xbf;
	size_t n, i;

	if (!len)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		n = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4;
	else
		return 0;
	/* RFC 3629, 4: a narrower range of the second byte excludes overlong forms, surrogates and what exceeds U+10FFFF */
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (len < n || p[1] < low || p[1] > high)
		return 0;
	for (i = 2; i < n; i++) {
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	}
	return n;
}

void str_add_utf8(struct str *s, uint32_t c)
{
	if (c < 0x80) {
		str_addc(s, (char)c);
	} else if (c < 0x800) {
		str_addc(s, (char)(0xc0 | c >> 6));
		str_addc(s, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		str_addc(s, (char)(0xe0 | c >> 12));
		str_addc(s, (char)(0x80 | (c >> 6 & 0x3f)));
		str_addc(s, (char)(0x80 | (c & 0x3f)));
	} else {
		str_addc(s, (char)(0xf0 | c >> 18));
		str_addc(s, (char)(0x80 | (c >> 12 & 0x3f)));
		str_addc(s, (char)(0x80 | (c >> 6 & 0x3f)));
		str_addc(s, (char)(0x80 | (c & 0x3f)));
	}
}
