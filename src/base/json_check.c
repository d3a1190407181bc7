/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_check: a scan of JSON text that builds nothing.
 *
 * Owns the rules for JSON input. Invariant: the scan moves forward only, its stack is a fixed array, and it allocates memory
 * only for the decoded keys of the open objects. Does not know manifests.
 *
 * It collects the keys of an object and sorts them when the object closes, so that equal keys are neighbours. That takes
 * n log n for any keys; a hash table would need a secret against chosen collisions.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/json_check.h"
#include "base/mem.h"
#include "base/str.h"

/* 4 MiB of keys are half a million of these. */
struct key {
	uint32_t off, len;              /* in scan.text */
	uint32_t at;                    /* in the input */
};

struct level {
	bool object;
	size_t keys;                    /* scan.nkeys and scan.text.len when the level was opened */
	size_t text;
};

struct scan {
	const char *s;
	size_t len, pos;
	struct json_fault *f;
	struct level stack[JSON_MAX_DEPTH];
	size_t depth;
	size_t values, most;
	struct key *keys;
	size_t nkeys, cap;
	struct str text;
};

static int fault(struct scan *sc, const char *what, size_t at)
{
	sc->f->what = what;
	sc->f->at = at;
	return -1;
}

/* The byte at the position, or -1 at the end. */
static int peek(const struct scan *sc)
{
	return sc->pos < sc->len ? (unsigned char)sc->s[sc->pos] : -1;
}

static void skip_blanks(struct scan *sc)
{
	int c;

	while ((c = peek(sc)) == ' ' || c == '\t' || c == '\n' || c == '\r')
		sc->pos++;
}

/* Four hex digits at s, or -1. */
static int32_t hex4(const char *s, size_t len)
{
	int32_t v = 0;
	int i;

	if (len < 4)
		return -1;
	for (i = 0; i < 4; i++) {
		char c = s[i];

		if (c >= '0' && c <= '9')
			v = v * 16 + (c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v * 16 + (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			v = v * 16 + (c - 'A' + 10);
		else
			return -1;
	}
	return v;
}

static int32_t unescape(const char *s, size_t len, size_t *i)
{
	static const char shorts[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
	const char *p;
	int32_t c, low;

	if (len - *i < 2)
		return -1;
	for (p = shorts; *p; p += 2) {
		if (s[*i + 1] == *p) {
			*i += 2;
			return p[1];
		}
	}
	if (s[*i + 1] != 'u')
		return -1;
	c = hex4(s + *i + 2, len - *i - 2);
	if (c < 0 || (c >= 0xdc00 && c <= 0xdfff))
		return -1;
	*i += 6;
	if (c < 0xd800 || c > 0xdbff)
		return c;
	if (len - *i < 6 || s[*i] != '\\' || s[*i + 1] != 'u')
		return -1;
	low = hex4(s + *i + 2, len - *i - 2);
	if (low < 0xdc00 || low > 0xdfff)
		return -1;
	*i += 6;
	return 0x10000 + (c - 0xd800) * 0x400 + (low - 0xdc00);
}

int32_t json_unescape(const char *s, size_t len, size_t *i, struct str *out)
{
	int32_t c = unescape(s, len, i);

	if (c >= 0 && out)
		str_add_utf8(out, (uint32_t)c);
	return c;
}

/* Scans the string whose first quote is at the position; adds its decoded form to key, which may be NULL. */
static int scan_string(struct scan *sc, struct str *key)
{
	size_t open = sc->pos++;

	for (;;) {
		int c = peek(sc);
		size_t at = sc->pos, n;
		int32_t ch;

		if (c < 0)
			return fault(sc, "a string that does not end", open);
		if (c == '"') {
			sc->pos++;
			return 0;
		}
		if (c < 0x20)
			return fault(sc, "a control character in a string", at);
		if (c == '\\') {
			ch = json_unescape(sc->s, sc->len, &sc->pos, key);
			if (ch < 0)
				return fault(sc, "an invalid escape, or half a surrogate pair", at);
			if (key && ch == 0)
				return fault(sc, "NUL in a key", at);
			continue;
		}
		n = str_utf8_len(sc->s + at, sc->len - at);
		if (!n)
			return fault(sc, "bytes that are not UTF-8", at);
		if (key)
			str_add(key, sc->s + at, n);
		sc->pos += n;
	}
}

static bool scan_digits(struct scan *sc)
{
	size_t start = sc->pos;

	while (peek(sc) >= '0' && peek(sc) <= '9')
		sc->pos++;
	return sc->pos > start;
}

/* RFC 8259, 6 */
static int scan_number(struct scan *sc)
{
	size_t start = sc->pos;

	if (peek(sc) == '-')
		sc->pos++;
	if (peek(sc) == '0') {
		sc->pos++;
		if (peek(sc) >= '0' && peek(sc) <= '9')
			return fault(sc, "a number with a leading zero", start);
	} else if (!scan_digits(sc)) {
		return fault(sc, "an invalid value", start);
	}
	if (peek(sc) == '.') {
		sc->pos++;
		if (!scan_digits(sc))
			return fault(sc, "a number without digits after its point", start);
	}
	if (peek(sc) == 'e' || peek(sc) == 'E') {
		sc->pos++;
		if (peek(sc) == '+' || peek(sc) == '-')
			sc->pos++;
		if (!scan_digits(sc))
			return fault(sc, "a number without digits in its exponent", start);
	}
	return 0;
}

static int scan_literal(struct scan *sc, const char *word)
{
	size_t n = strlen(word);

	if (sc->len - sc->pos < n || memcmp(sc->s + sc->pos, word, n) != 0)
		return fault(sc, "an invalid value", sc->pos);
	sc->pos += n;
	return 0;
}

static int open_level(struct scan *sc, bool object)
{
	struct level *l;

	if (sc->depth == JSON_MAX_DEPTH)
		return fault(sc, "nested too deeply", sc->pos);
	l = &sc->stack[sc->depth++];
	l->object = object;
	l->keys = sc->nkeys;
	l->text = sc->text.len;
	sc->pos++;
	return 0;
}

static int key_cmp(const void *a, const void *b, void *text)
{
	const struct key *x = a, *y = b;
	const char *base = text;
	int rc = memcmp(base + x->off, base + y->off, x->len < y->len ? x->len : y->len);

	if (rc)
		return rc;
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return 0;
}

static int close_level(struct scan *sc)
{
	struct level *l = &sc->stack[sc->depth - 1];
	struct key *k = sc->keys ? sc->keys + l->keys : NULL;
	size_t n = sc->nkeys - l->keys, i;

	if (n > 1) {
		qsort_r(k, n, sizeof(*k), key_cmp, sc->text.buf);
		for (i = 1; i < n; i++) {
			if (key_cmp(&k[i - 1], &k[i], sc->text.buf) == 0)
				return fault(sc, "the same key twice", k[i].at > k[i - 1].at ? k[i].at : k[i - 1].at);
		}
	}
	sc->nkeys = l->keys;
	sc->text.len = l->text;
	sc->depth--;
	sc->pos++;
	return 0;
}

/* Scans a key and its colon. */
static int scan_key(struct scan *sc)
{
	struct key *k;

	if (peek(sc) != '"')
		return fault(sc, peek(sc) < 0 ? "the text ends too early" : "a key that is not a string", sc->pos);
	if (sc->nkeys == sc->cap) {
		sc->cap = sc->cap ? sc->cap * 2 : 32;
		sc->keys = xreallocarray(sc->keys, sc->cap, sizeof(*sc->keys));
	}
	k = &sc->keys[sc->nkeys++];
	k->at = (uint32_t)sc->pos;
	k->off = (uint32_t)sc->text.len;
	if (scan_string(sc, &sc->text) < 0)
		return -1;
	k->len = (uint32_t)(sc->text.len - k->off);
	skip_blanks(sc);
	if (peek(sc) != ':')
		return fault(sc, "a key without a colon", sc->pos);
	sc->pos++;
	skip_blanks(sc);
	return 0;
}

/* Scans a complete value, or the opening bracket of an array or object. */
static int scan_value(struct scan *sc)
{
	if (++sc->values > sc->most)
		return fault(sc, "too many values", sc->pos);
	switch (peek(sc)) {
	case -1:
		return fault(sc, "the text ends too early", sc->pos);
	case '{':
		return open_level(sc, true);
	case '[':
		return open_level(sc, false);
	case '"':
		return scan_string(sc, NULL);
	case 't':
		return scan_literal(sc, "true");
	case 'f':
		return scan_literal(sc, "false");
	case 'n':
		return scan_literal(sc, "null");
	default:
		return scan_number(sc);
	}
}

/* Scans what is between two values: closing brackets, a comma, a key. fresh: the innermost level was just opened. */
static int scan_between(struct scan *sc, bool fresh)
{
	for (;;) {
		struct level *l;
		int c;

		skip_blanks(sc);
		if (!sc->depth)
			return 0;
		l = &sc->stack[sc->depth - 1];
		c = peek(sc);
		if (c == (l->object ? '}' : ']')) {
			if (close_level(sc) < 0)
				return -1;
			fresh = false;
			continue;
		}
		if (!fresh) {
			if (c != ',')
				return fault(sc, c < 0 ? "the text ends too early" : "neither a comma nor a closing bracket", sc->pos);
			sc->pos++;
			skip_blanks(sc);
		}
		return l->object ? scan_key(sc) : 0;
	}
}

static int scan_text(struct scan *sc)
{
	skip_blanks(sc);
	do {
		size_t depth = sc->depth;

		if (scan_value(sc) < 0 || scan_between(sc, sc->depth > depth) < 0)
			return -1;
	} while (sc->depth);
	return sc->pos < sc->len ? fault(sc, "text after the value", sc->pos) : 0;
}

static int check(const char *s, size_t len, size_t most, struct json_fault *f)
{
	struct scan sc = { .s = s, .len = len, .f = f, .most = most, .text = STR_INIT };
	int rc;

	f->what = NULL;
	f->at = 0;
	if (len > INT32_MAX)
		return fault(&sc, "a text that is too long", 0);
	rc = scan_text(&sc);
	free(sc.keys);
	str_release(&sc.text);
	return rc;
}

int json_check(const char *s, size_t len, struct json_fault *f)
{
	return check(s, len, SIZE_MAX, f);
}

int json_check_few(const char *s, size_t len, struct json_fault *f)
{
	return check(s, len, JSON_MAX_VALUES, f);
}
