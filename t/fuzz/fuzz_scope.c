/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes: a set keeps its limits, its text parses to the same set, and a quoted string stays one. */

#include "fuzz.h"

#include "jose/scope.h"

static void check_one(const struct scope *one)
{
	size_t len = strnlen(one->name, sizeof(one->name));

	CHECK(len > 0 && len <= SCOPE_NAME_MAX && strnlen(one->klass, sizeof(one->klass)) <= SCOPE_CLASS_MAX);
	CHECK(one->actions && !(one->actions & ~(unsigned int)(SCOPE_PULL | SCOPE_PUSH | SCOPE_DELETE | SCOPE_ALL)));
	for (size_t i = 0; i < len; i++)
		CHECK(one->name[i] > ' ' && one->name[i] < 0x7f && one->name[i] != '"' && one->name[i] != '\\');
	CHECK(strspn(one->klass, "abcdefghijklmnopqrstuvwxyz0123456789") == strlen(one->klass));
}

static void check_set(const struct scopes *s)
{
	cleanup_scopes struct scopes again = SCOPES_INIT;
	cleanup_str struct str text = STR_INIT, second = STR_INIT;

	CHECK(s->count <= SCOPES_MAX);
	for (size_t i = 0; i < s->count; i++) {
		check_one(&s->v[i]);
		CHECK(scopes_allow(s, s->v[i].type, s->v[i].name, s->v[i].actions));
		for (size_t k = 0; k < i; k++)
			CHECK(s->v[i].type != s->v[k].type || strcmp(s->v[i].name, s->v[k].name) != 0 ||
			      strcmp(s->v[i].klass, s->v[k].klass) != 0);
	}
	scopes_add_text(&text, s);
	if (text.len > SCOPE_TEXT_MAX)
		return;
	CHECK(scopes_parse(&again, text.buf, text.len, NULL) == 0 && again.ignored == 0 && again.count == s->count);
	scopes_add_text(&second, &again);
	CHECK(strcmp(text.buf, second.buf) == 0);
}

/* Read a quoted string as a client does: the text must come back, its control characters as spaces. */
static void check_quoted(const char *text)
{
	cleanup_str struct str out = STR_INIT;
	const char *p;

	scope_add_quoted(&out, text);
	CHECK(out.len >= 2 && out.buf[0] == '"' && !fuzz_has_control(out.buf, out.len));
	for (p = out.buf + 1; *p != '"'; p++, text++) {
		if (*p == '\\')
			p++;
		CHECK(*p && *text && (*p == *text || (*p == ' ' && fuzz_has_control(text, 1))));
	}
	CHECK(!*text && !p[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_scopes struct scopes s = SCOPES_INIT, more = SCOPES_INIT;
	cleanup_err struct err e = ERR_INIT;
	char *text = malloc(size + 1);
	int rc;

	CHECK(text);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	rc = scopes_parse(&s, (const char *)data, size, &e);
	CHECK(rc == 0 || fuzz_is_error(&e, ERR_DENIED, 400));
	check_set(&s);
	scopes_parse(&more, text, size / 2, NULL);
	scopes_parse(&more, text + size / 2, size - size / 2, NULL);
	check_set(&more);
	check_quoted(text);
	free(text);
	return 0;
}
