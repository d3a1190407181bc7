/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_STR_H
#define BERTH_BASE_STR_H

/*
 * str: the string buffer; no other module concatenates.
 *
 * `buf` is never NULL and always NUL-terminated; `len` does not count that NUL. A buffer for content from outside has a `max`
 * (bytes, 0 for none): text that would exceed it is not added, and neither is anything after it; `over` is then set until a
 * reset. A buffer that begins as STR_SECRET wipes its memory before releasing it, also when it grows.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	char *buf;
	size_t len, cap;        /* cap 0: buf is the shared empty string */
	size_t max;
	bool over;
	bool secret;
};

extern char str_empty[1];

#define STR_INIT { .buf = str_empty }
#define STR_SECRET { .buf = str_empty, .secret = true }

void str_release(struct str *s);
#define cleanup_str __attribute__((cleanup(str_release)))

void str_reset(struct str *s);                                  /* empties it, clears `over`, wipes a secret; keeps the memory */
void str_add(struct str *s, const void *data, size_t len);
void str_addc(struct str *s, char c);
void str_cut(struct str *s, size_t len);                        /* keeps the first len bytes */

/*
 * str_room  - reserve n bytes behind the text, to read into; borrowed until something is added; NULL if the max does not allow it
 * str_grown - make the first len of them, at most n, part of the text
 */
char *str_room(struct str *s, size_t n);
void str_grown(struct str *s, size_t len);

/* str_puts - add a NUL-terminated text; inline, so that the compiler computes the length of a literal */
static inline void str_puts(struct str *s, const char *text)
{
	str_add(s, text, strlen(text));
}

void str_add_utf8(struct str *s, uint32_t c);                    /* a character, at most U+10FFFF, as UTF-8 */
void str_add_u64(struct str *s, uint64_t v);                    /* as decimal digits */
void str_addf(struct str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void str_vaddf(struct str *s, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/*
 * str_add_json - add bytes as the inside of a JSON string, without the quotes
 *
 * Quotes, backslashes and control bytes below 0x20 are escaped; a byte that is not part of well-formed UTF-8 (overlong
 * forms and surrogates are ill-formed) becomes U+FFFD. The result is always valid JSON text.
 */
void str_add_json(struct str *s, const char *data, size_t len);

/*
 * str_add_shown - the same for a log or a terminal: DEL is escaped too, and at most max bytes are added, whole characters only
 * Returns how many bytes of data were added.
 */
size_t str_add_shown(struct str *s, const char *data, size_t len, size_t max);

/* str_add_urlenc - add data with all but unreserved characters percent-encoded (RFC 3986, 2.3), in upper-case hex */
void str_add_urlenc(struct str *s, const char *data, size_t len);

/*
 * str_add_urldec - add the percent-decoded form of data
 * plus  whether '+' means a space, as in a form-encoded query
 *
 * Returns 0, or -1 if a '%' is not followed by two hex digits; the text before it has then been added.
 * The result may have any byte, NUL too: the caller validates it.
 */
int str_add_urldec(struct str *s, const char *data, size_t len, bool plus);

/* str_parse_u64 - parse [data, data+len) as decimal digits; 0, or -1 if it is empty, has another byte, or overflows */
int str_parse_u64(const char *data, size_t len, uint64_t *out);

/* str_parse_hex - the same of at most 16 lower-case hex digits */
int str_parse_hex(const char *data, size_t len, uint64_t *out);

/* str_utf8_len - length of the well-formed UTF-8 sequence at data (1-4), or 0 if there is none (RFC 3629) */
size_t str_utf8_len(const char *data, size_t len);

#endif
