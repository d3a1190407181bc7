/* SPDX-License-Identifier: Apache-2.0 */
/* b64: the vectors of RFC 4648, 10, and texts that must not decode. */

#include "base/b64.h"

#include <string.h>

#include "base/mem.h"
#include "tap.h"

static const char *form_name(enum b64_form form)
{
	return form == B64_URL ? "url" : form == B64_LOGIN ? "login" : "padded";
}

static void test_vectors(void)
{
	static const struct {
		const char *plain, *padded, *url;
	} t[] = {
		{ "", "", "" },
		{ "f", "Zg==", "Zg" },
		{ "fo", "Zm8=", "Zm8" },
		{ "foo", "Zm9v", "Zm9v" },
		{ "foob", "Zm9vYg==", "Zm9vYg" },
		{ "fooba", "Zm9vYmE=", "Zm9vYmE" },
		{ "foobar", "Zm9vYmFy", "Zm9vYmFy" },
		{ "\xfb\xff\xbf", "+/+/", "-_-_" },
		{ "\x03\xec\xff\xe0\xc1", "A+z/4ME=", "A-z_4ME" },      /* RFC 7515, appendix C */
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		cleanup_str struct str out = STR_INIT;

		b64_encode(B64_PADDED, t[i].plain, strlen(t[i].plain), &out);
		is_str(out.buf, t[i].padded, "\"%s\" with padding", t[i].padded);
		str_reset(&out);
		b64_encode(B64_URL, t[i].plain, strlen(t[i].plain), &out);
		is_str(out.buf, t[i].url, "\"%s\" for URLs", t[i].url);
		str_reset(&out);
		ok(b64_decode(B64_PADDED, t[i].padded, strlen(t[i].padded), &out) == 0, "\"%s\" decodes", t[i].padded);
		is_str(out.buf, t[i].plain, "to what it was");
		str_reset(&out);
		ok(b64_decode(B64_URL, t[i].url, strlen(t[i].url), &out) == 0, "\"%s\" decodes", t[i].url);
		is_str(out.buf, t[i].plain, "to what it was");
		str_reset(&out);
		ok(b64_decode(B64_LOGIN, t[i].padded, strcspn(t[i].padded, "="), &out) == 0,
		   "\"%s\" of a login decodes without its padding", t[i].padded);
		is_str(out.buf, t[i].plain, "to what it was");
	}
}

static void test_refused(void)
{
	static const struct {
		enum b64_form form;
		const char *s, *why;
	} t[] = {
		{ B64_PADDED, "Zg", "no padding" },
		{ B64_PADDED, "Zg=", "half of the padding" },
		{ B64_PADDED, "Zg===", "too much padding" },
		{ B64_PADDED, "Zm9v====", "padding that nothing needs" },
		{ B64_PADDED, "=", "padding alone" },
		{ B64_PADDED, "====", "padding alone" },
		{ B64_PADDED, "Zg==Zg==", "padding in the middle" },
		{ B64_PADDED, "Zh==", "bits that belong to no byte" },
		{ B64_PADDED, "Zm9=", "bits that belong to no byte" },
		{ B64_PADDED, "-_-_", "the other alphabet" },
		{ B64_PADDED, "Zm9v\n", "a newline" },
		{ B64_PADDED, "Zm9v Zm9v", "a space" },
		{ B64_PADDED, " Zm9v", "a space" },
		{ B64_URL, "Zg==", "padding" },
		{ B64_URL, "Zh", "bits that belong to no byte" },
		{ B64_URL, "Z", "one character too many" },
		{ B64_URL, "Zm9vZ", "one character too many" },
		{ B64_URL, "A", "one character of no bits" },
		{ B64_URL, "Zm9vA", "one character of no bits too many" },
		{ B64_LOGIN, "A", "one character of no bits" },
		{ B64_URL, "+/+/", "the other alphabet" },
		{ B64_URL, "Zm9v\r\n", "a line's end" },
		{ B64_URL, "Zm\xc3\xa9", "a character that is not ASCII" },
		{ B64_LOGIN, "Zg=", "half of the padding" },
		{ B64_LOGIN, "Zh", "bits that belong to no byte" },
		{ B64_LOGIN, "-_-_", "the other alphabet" },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		cleanup_str struct str out = STR_INIT;

		str_puts(&out, "kept");
		ok(b64_decode(t[i].form, t[i].s, strlen(t[i].s), &out) < 0, "%s: '%s' is refused: %s", form_name(t[i].form),
		   t[i].s, t[i].why);
		is_str(out.buf, "kept", "and nothing is added");
	}
}

static void test_bounds(void)
{
	cleanup_str struct str out = STR_INIT;

	out.max = 3;
	ok(b64_decode(B64_URL, "Zm9v", 4, &out) == 0 && out.len == 3, "bytes that just fit are added");
	ok(b64_decode(B64_URL, "Zg", 2, &out) < 0 && out.over && out.len == 3, "one byte more is not, and the buffer says so");
	str_reset(&out);
	ok(b64_decode(B64_URL, "AA", 2, &out) == 0 && out.len == 1 && out.buf[0] == '\0', "NUL is a byte like others");
	ok(b64_decode(B64_URL, "Zg\0", 3, &out) < 0, "but not a character");
}

static void test_all_bytes(void)
{
	unsigned char bytes[256];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(255 - i);
	for (enum b64_form form = B64_PADDED; form <= B64_URL; form++) {
		bool good = true;

		for (size_t len = 0; len <= sizeof(bytes); len++) {
			cleanup_str struct str text = STR_INIT, back = STR_INIT;

			b64_encode(form, bytes, len, &text);
			good = good && b64_decode(form, text.buf, text.len, &back) == 0 && back.len == len &&
			       memcmp(back.buf, bytes, len) == 0;
		}
		ok(good, "%s: all bytes in all lengths come back", form_name(form));
	}
}

int main(void)
{
	test_vectors();
	test_refused();
	test_bounds();
	test_all_bytes();
	return done_testing();
}
