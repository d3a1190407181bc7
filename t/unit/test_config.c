/* SPDX-License-Identifier: Apache-2.0 */
/* config: what the tests with `berth config` (t/0010, t/0011) cannot see from outside. */

#include "conf/config.h"

#include <stdlib.h>
#include <unistd.h>
#include "base/mem.h"
#include "conf/key.h"
#include "conf/text.h"
#include "tap.h"

static char *const no_env[] = { NULL };

static void test_sizes(void)
{
	static const struct {
		const char *text;
		int rc;
		uint64_t size;
	} t[] = {
		{ "0", 0, 0 },
		{ "1", 0, 1 },
		{ "1B", 0, 1 },
		{ "4 KiB", 0, 4096 },
		{ "4   MiB", 0, 4194304 },
		{ "10GiB", 0, UINT64_C(10737418240) },
		{ "8388607 TiB", 0, UINT64_C(8388607) << 40 },
		{ "9223372036854775807", 0, INT64_MAX },
		{ "9223372036854775808", -1, 0 },
		{ "8388608 TiB", -1, 0 },
		{ "99999999999999999999 KiB", -1, 0 },
		{ "", -1, 0 },
		{ " 1", -1, 0 },
		{ "1 ", 0, 1 },
		{ "1 kib", -1, 0 },
		{ "1 KB", -1, 0 },
		{ "1.5 GiB", -1, 0 },
		{ "+1", -1, 0 },
		{ "-1", -1, 0 },
		{ "0x10", -1, 0 },
		{ "GiB", -1, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		uint64_t size = 7;

		is_int(config_parse_size(t[i].text, &size), t[i].rc, "\"%s\" is %sa size", t[i].text, t[i].rc ? "not " : "");
		is_int(size, t[i].rc ? 0 : t[i].size, "\"%s\" %s", t[i].text, t[i].rc ? "gives no number" : "is as big as it says");
	}
}

static void test_keys(void)
{
	struct config *c = xcalloc(1, sizeof(*c));

	c->root = xstrdup("/a");
	for (size_t i = 0; i < key_count; i++) {
		cleanup_str struct str first = STR_INIT, again = STR_INIT;
		const struct key *k = &key_table[i];

		ok(key_find(k->name) == k, "%s is found by its name", k->name);
		ok(k->help && *k->help, "%s is explained", k->name);
		is_int(key_set_text(c, k, k->preset), 0, "the default of %s is one of its values", k->name);
		key_get(c, k, &first);
		is_int(key_set_text(c, k, first.buf), 0, "what %s shows can be set again", k->name);
		key_get(c, k, &again);
		is_str(again.buf, first.buf, "and is the same value then");
	}
	ok(!key_find("manifests"), "a group is no key");
	ok(key_is_group("manifests") && !key_is_group("manifest") && !key_is_group("root"), "a group is told from its likes");
	is_int(key_set_text(c, key_find("root"), "b"), -1, "a value that is refused");
	is_str(c->root, "/var/lib/registry", "changes nothing");
	is_int(key_set_number(c, key_find("workers"), INT64_MIN), -1, "the least number of all is refused");
	is_int(key_set_number(c, key_find("delete"), 1), -1, "a number is no boolean");
	is_int(key_set_bool(c, key_find("fsync"), true), -1, "a boolean is no word");
	config_close(&c);
}

static void test_text(void)
{
	static const struct {
		const char *text;
		unsigned line;          /* of the fault; 0: none */
	} t[] = {
		{ "", 0 },
		{ "a = 123456789;", 0 },
		{ "a = 1234567890;", 1 },
		{ "a = 0000000000000001;", 0 },
		{ "\na = 0x1234567;", 0 },
		{ "\na = 0x12345678;", 2 },
		{ "a = 123456789012345678L;", 0 },
		{ "a = 1234567890123456789L;", 1 },
		{ "a = -1234567890;", 1 },
		{ "a = +1234567890;", 1 },
		{ "a = 12345678901.5;", 0 },
		{ "a1234567890 = 1;", 0 },
		{ "a-1234567890 = 1;", 0 },
		{ "a = \"1234567890 \\\" 1234567890\";", 0 },
		{ "a = \"x\\\\\"; b = 1234567890;", 1 },
		{ "# 1234567890\n// 1234567890\n/* 1234567890\n */ a = 1;", 0 },
		{ "/* */\n\n a = 1234567890", 3 },
		{ "/* 1234567890", 0 },
		{ "\"1234567890", 1 },
		{ "\"1234567890\\", 1 },
		{ "@include \"x\"", 1 },
		{ "a = 1;\n \t@include \"x\"", 2 },
		{ "# @include \"x\"", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		cleanup_str struct str text = STR_INIT;
		const char *why = NULL;
		unsigned line = 0;

		str_puts(&text, t[i].text);
		is_int(text_check(&text, &line, &why), t[i].line ? -1 : 0, "text %zu is %s", i, t[i].line ? "refused" : "let pass");
		is_int(line, t[i].line, "text %zu: the line is right", i);
		ok(!why == !t[i].line, "text %zu: there is a reason where it is refused", i);
	}
}

static void test_load(void)
{
	char name[] = "/tmp/berth-test-config.XXXXXX";
	cleanup_str struct str warn = STR_INIT, msg = STR_INIT, shown = STR_INIT;
	char delete[] = "REGISTRY_STORAGE_DELETE_ENABLED=true", other[] = "REGISTRY_FOO=:5000";
	char *env[] = { delete, other, NULL };
	struct config *c;
	int fd = mkstemp(name);

	ok(fd >= 0 && write(fd, "workers = 7;\n", 13) == 13 && close(fd) == 0, "a file is written");
	c = config_load(name, no_env, NULL, &msg);
	if (ok(c != NULL, "it is read, without anybody who wants warnings")) {
		is_str(c->file, name, "its name is known");
		is_int(config_workers(c), 7, "a number of workers is taken as it is");
		ok(config_write_workers(c) == config_workers(c), "0 write workers means as many as workers");
		ok(config_upload_workers(c) >= 2 && config_upload_workers(c) <= 1024, "0 upload workers means some");
		c->workers = 0;
		ok(config_workers(c) >= 4 && config_workers(c) <= 1024, "0 workers means some more");
		ok(c->fsync && !c->delete_enabled, "what it does not set has its default");
		is_int(config_set_root(c, "", &msg), -1, "no directory at all cannot be the root");
		ok(msg.len > 0 && strcmp(c->root, "/var/lib/registry") == 0, "this is said, and changes nothing");
		is_int(config_set_root(c, "/srv/x//", &msg), 0, "another root is taken");
		is_str(c->root, "/srv/x", "without slashes at its end");
		config_show(c, &shown);
		ok(strstr(shown.buf, "root = /srv/x\n") != NULL, "and shown");
	}
	config_close(&c);
	ok(!c, "closing forgets the pointer");
	config_close(&c);
	ok(true, "closing nothing is fine");

	str_reset(&msg);
	c = config_load(name, env, &warn, &msg);
	ok(c && c->delete_enabled, "the environment wins over the defaults");
	is_str(warn.buf, "REGISTRY_FOO has no effect: there is no such setting", "what is not honoured is one warning");
	ok(key_origin(c, key_find("delete")) && !key_origin(c, key_find("readonly")), "the origin of a value is known");
	config_close(&c);
	unlink(name);
	c = config_load(name, env, NULL, &msg);
	ok(!c && msg.len > 0, "a file that was named must exist");
	ok(!strchr(msg.buf, '\n'), "one fault is one line without a newline");
}

int main(void)
{
	test_sizes();
	test_keys();
	test_text();
	test_load();
	return done_testing();
}
