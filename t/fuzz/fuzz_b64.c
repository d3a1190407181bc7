/* SPDX-License-Identifier: Apache-2.0 */
/* base64 and base64url: only the result of encoding decodes, decoding restores the bytes, and a limit is kept. */

#include "fuzz.h"

#include "base/b64.h"

static void check_form(enum b64_form form, const char *s, size_t len)
{
	cleanup_str struct str out = STR_INIT, again = STR_INIT, small = STR_INIT;
	bool ok;

	str_puts(&out, "x");
	ok = b64_decode(form, s, len, &out) == 0;
	CHECK(out.buf[0] == 'x' && (ok || out.len == 1) && out.buf[out.len] == '\0');
	if (!ok)
		return;
	CHECK(out.len - 1 <= len / 4 * 3 + 2);
	b64_encode(form, out.buf + 1, out.len - 1, &again);
	if (form == B64_LOGIN && len < again.len)       /* without its padding */
		CHECK(again.len - len <= 2 && strspn(again.buf + len, "=") == again.len - len);
	else
		CHECK(again.len == len);
	CHECK(len == 0 || memcmp(again.buf, s, len) == 0);
	if (out.len > 2) {
		small.max = out.len - 2;
		CHECK(b64_decode(form, s, len, &small) < 0 && small.over && small.len == 0);
		str_reset(&small);
		small.max++;
		CHECK(b64_decode(form, s, len, &small) == 0 && small.len == out.len - 1);
	}
}

static void check_bytes(enum b64_form form, const char *s, size_t len)
{
	cleanup_str struct str text = STR_INIT, back = STR_INIT;

	b64_encode(form, s, len, &text);
	CHECK(strspn(text.buf, form == B64_URL ?
		     "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" :
		     "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") == text.len);
	CHECK(b64_decode(form, text.buf, text.len, &back) == 0 && back.len == len);
	CHECK(len == 0 || memcmp(back.buf, s, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = size ? (const char *)data : "";

	for (enum b64_form form = B64_PADDED; form <= B64_URL; form++) {
		check_form(form, s, size);
		check_bytes(form, s, size);
	}
	return 0;
}
