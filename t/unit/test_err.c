/* SPDX-License-Identifier: Apache-2.0 */
/* err: the table of doc/API.md, "Errors", and the fields of an error. */

#include <errno.h>
#include <stdlib.h>
#include "base/err.h"
#include "base/mem.h"
#include "tap.h"

/* The table of doc/API.md, "Errors", line by line. */
static const struct {
	const char *name;
	int status;
	const char *message;
} contract[] = {
	{ "BLOB_UNKNOWN", 404, "blob unknown to registry" },
	{ "BLOB_UPLOAD_INVALID", 400, "blob upload invalid" },
	{ "BLOB_UPLOAD_UNKNOWN", 404, "blob upload unknown to registry" },
	{ "DIGEST_INVALID", 400, "provided digest did not match uploaded content" },
	{ "MANIFEST_BLOB_UNKNOWN", 400, "manifest references a manifest or blob unknown to registry" },
	{ "MANIFEST_INVALID", 400, "manifest invalid" },
	{ "MANIFEST_UNKNOWN", 404, "manifest unknown" },
	{ "NAME_INVALID", 400, "invalid repository name" },
	{ "NAME_UNKNOWN", 404, "repository name not known to registry" },
	{ "SIZE_INVALID", 400, "provided length did not match content length" },
	{ "RANGE_INVALID", 416, "invalid content range" },
	{ "TAG_INVALID", 400, "manifest tag did not match URI" },
	{ "PAGINATION_NUMBER_INVALID", 400, "invalid number of results requested" },
	{ "UNAUTHORIZED", 401, "authentication required" },
	{ "DENIED", 403, "requested access to the resource is denied" },
	{ "UNSUPPORTED", 405, "the operation is unsupported" },
	{ "TOOMANYREQUESTS", 429, "too many requests" },
	{ "UNAVAILABLE", 503, "service unavailable" },
	{ "UNKNOWN", 500, "unknown error" },
};

static void test_table(void)
{
	size_t i;
	int code;

	is_int(ERR_CODE_COUNT, ARRAY_LEN(contract), "there are as many codes as the contract has");
	for (i = 0; i < ARRAY_LEN(contract); i++) {
		for (code = 0; code < ERR_CODE_COUNT; code++) {
			if (strcmp(err_name((enum err_code)code), contract[i].name) == 0)
				break;
		}
		if (!ok(code < ERR_CODE_COUNT, "the code %s exists", contract[i].name))
			continue;
		is_str(err_message((enum err_code)code), contract[i].message, "%s has the contract's message",
		       contract[i].name);
		is_int(err_default_status((enum err_code)code), contract[i].status, "%s has the contract's status",
		       contract[i].name);
	}
	is_str(err_name(ERR_CODE_COUNT), "UNKNOWN", "a code out of range is UNKNOWN");
}

static void test_set(void)
{
	struct err e = ERR_INIT;

	is_int(err_set(&e, ERR_NAME_INVALID, "name \"%s\"", "X"), -1, "setting an error returns -1");
	ok(e.code == ERR_NAME_INVALID && e.status == 400 && !e.sys, "it has the code, its status, and no errno");
	is_str(e.detail, "name \"X\"", "it has the detail");
	is_int(err_status(&e, 413), -1, "another status can be given");
	ok(e.status == 413 && e.code == ERR_NAME_INVALID, "which leaves the code");
	err_set(&e, ERR_DENIED, "again: %s", e.detail);
	ok(e.status == 403 && strcmp(e.detail, "again: name \"X\"") == 0, "a new error may quote the old one's detail");
	is_int(err_plain(&e), -1, "its detail can be made the message");
	ok(e.plain, "which it is then");
	err_set(&e, ERR_DENIED, "another");
	ok(!e.plain, "until the next error");
	is_int(err_set(NULL, ERR_DENIED, "x"), -1, "no error value is fine too");
	is_int(err_sys(NULL, "x"), -1, "no error value is fine for system errors");
	is_int(err_more(NULL, "x"), -1, "and for more details");
	is_int(err_status(NULL, 400), -1, "and for a status");
	err_release(&e);
}

static void test_text(void)
{
	struct err e = ERR_INIT;
	char want[256], text[2000];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&e, ERR_UNKNOWN, "%s", text);
	is_int(strlen(e.detail), 255, "a long detail is cut to fit");

	memset(want, 'a', sizeof(want));
	want[254] = '\0';
	text[254] = '\xc3';
	text[255] = '\xa9';
	err_set(&e, ERR_UNKNOWN, "%s", text);
	is_str(e.detail, want, "a detail is not cut within a character");
	text[253] = '\xc3';
	text[254] = '\xa9';
	err_set(&e, ERR_UNKNOWN, "%s", text);
	is_int(strlen(e.detail), 255, "a character that just fits is kept");

	err_set(&e, ERR_UNKNOWN, "%s", "a\xff\xc0\xafz");
	is_str(e.detail, "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz", "bytes that are not UTF-8 are replaced");
	memset(text, '\xff', sizeof(text) - 1);
	err_set(&e, ERR_UNKNOWN, "%s", text);
	is_int(strlen(e.detail), 255, "a detail of nothing but such bytes is cut to fit");
	err_release(&e);
}

static void test_sys(void)
{
	static const struct { int sys; int status; enum err_code code; } t[] = {
		{ ENOSPC, 507, ERR_UNAVAILABLE }, { EDQUOT, 507, ERR_UNAVAILABLE }, { EIO, 503, ERR_UNAVAILABLE },
		{ EMFILE, 503, ERR_UNAVAILABLE }, { ENFILE, 503, ERR_UNAVAILABLE }, { ENOMEM, 503, ERR_UNAVAILABLE },
		{ EROFS, 503, ERR_UNAVAILABLE }, { EACCES, 500, ERR_UNKNOWN }, { EPERM, 500, ERR_UNKNOWN },
		{ ESTALE, 503, ERR_UNAVAILABLE }, { ETIMEDOUT, 503, ERR_UNAVAILABLE }, { EINTR, 503, ERR_UNAVAILABLE },
		{ ENOLCK, 503, ERR_UNAVAILABLE }, { ENOENT, 500, ERR_UNKNOWN },
		{ EINVAL, 500, ERR_UNKNOWN }, { ENOTDIR, 500, ERR_UNKNOWN },
	};
	cleanup_str struct str line = STR_INIT;
	struct err e = ERR_INIT;
	size_t i;

	for (i = 0; i < ARRAY_LEN(t); i++) {
		errno = t[i].sys;
		err_sys(&e, "cannot open %s", "/secret");
		ok(e.code == t[i].code && e.status == t[i].status && e.sys == t[i].sys && errno == t[i].sys,
		   "%s is a %d, its errno kept", strerrorname_np(t[i].sys), t[i].status);
	}
	err_text(&e, &line);
	is_str(line.buf, "cannot open /secret: Not a directory", "as one line it has the errno behind it");
	is_str(e.cause, "cannot open /secret", "the text of a system error is for the log");
	is_str(e.detail, "", "and none of it for the client");
	err_set(&e, ERR_DENIED, "no");
	str_reset(&line);
	err_text(&e, &line);
	is_str(line.buf, "no", "one that is no system's is its detail");
	ok(!e.sys && !*e.cause, "a new error forgets the errno and the cause");
	err_release(&e);
}

static void test_more(void)
{
	struct err e = ERR_INIT;
	bool good = true;
	int i;

	err_set(&e, ERR_MANIFEST_BLOB_UNKNOWN, "first");
	for (i = 0; i < 100; i++)
		err_more(&e, "blob %d", i);
	is_int(e.nmore, 100, "an error can have any number of further details");
	for (i = 0; i < 100; i++) {
		char want[32];

		snprintf(want, sizeof(want), "blob %d", i);
		good = good && strcmp(e.more[i], want) == 0;
	}
	ok(good && strcmp(e.detail, "first") == 0, "they are kept in their order, beside the first one");
	err_set(&e, ERR_UNKNOWN, "x");
	is_int(e.nmore, 0, "a new error has none of them");
	err_more(&e, "\xff");
	is_str(e.more[0], "\xef\xbf\xbd", "they are UTF-8 as well");
	err_release(&e);
	ok(!e.more && !e.nmore && e.code == ERR_UNKNOWN, "a released error is empty");
	err_release(&e);
}

int main(void)
{
	test_table();
	test_set();
	test_text();
	test_sys();
	test_more();
	return done_testing();
}
