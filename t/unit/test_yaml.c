/* SPDX-License-Identifier: Apache-2.0 */
/* yaml, node: what is read, what is refused, and where values are put. */

#include "conf/yaml.h"

#include <stdlib.h>
#include "base/mem.h"
#include "conf/node.h"
#include "tap.h"

/* One form for a tree: {a:"x",b:[~]}. */
static void show(const struct node *n, struct str *out)
{
	const char *between = "";

	if (n->kind == NODE_NULL)
		str_puts(out, "~");
	if (n->kind == NODE_TEXT)
		str_addf(out, "\"%s\"", n->text);
	if (n->kind == NODE_NULL || n->kind == NODE_TEXT)
		return;
	str_addc(out, n->kind == NODE_MAP ? '{' : '[');
	for (const struct node *child = n->child; child; child = child->next) {
		str_puts(out, between);
		between = ",";
		if (n->kind == NODE_MAP)
			str_addf(out, "%s:", child->name);
		show(child, out);
	}
	str_addc(out, n->kind == NODE_MAP ? '}' : ']');
}

static void shows(const struct node *n, const char *want, const char *title)
{
	cleanup_str struct str out = STR_INIT;

	if (n)
		show(n, &out);
	is_str(out.buf, want, "%s", title);
}

static struct node *parsed(const char *text, unsigned *line, const char **why)
{
	cleanup_str struct str s = STR_INIT;
	struct node *n = NULL;

	str_puts(&s, text);
	return yaml_read(&s, "F", true, &n, line, why) < 0 ? NULL : n;
}

static void test_good(void)
{
	static const struct {
		const char *text, *want;
	} t[] = {
		{ "", "" },
		{ "# only a comment\n", "" },
		{ "true", "\"true\"" },
		{ "'true' # yes", "\"true\"" },
		{ "\"a\\tb\"", "\"a\tb\"" },
		{ "~", "~" },
		{ "null", "~" },
		{ "\"~\"", "\"~\"" },
		{ "''", "\"\"" },
		{ "{a: x, b: [~]}", "{a:\"x\",b:[~]}" },
		{ "{\"a\":{\"b\":true}}", "{a:{b:\"true\"}}" },
		{ "a:\n  b: 1\n  c:\n  - x\n  - y: z\n", "{a:{b:\"1\",c:[\"x\",{y:\"z\"}]}}" },
		{ "a: :5000", "{a:\":5000\"}" },
		{ "['*']", "[\"*\"]" },
		{ "[https://a]", "[\"https://a\"]" },
		{ "a: |\n  x\n  y\n", "{a:\"x\ny\n\"}" },
		{ "a: &x 1\nb: !!str 2\n", "{a:\"1\",b:\"2\"}" },
		{ "a: !!str ~\n", "{a:\"~\"}" },
		{ "--- \na: 1\n...\n", "{a:\"1\"}" },
		{ "a:\nb:\n", "{a:~,b:~}" },
		{ "\xef\xbb\xbf" "a: 1\n", "{a:\"1\"}" },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		const char *why = NULL;
		unsigned line = 0;
		cleanup_node struct node *n = parsed(t[i].text, &line, &why);

		ok(!why, "text %zu is read", i);
		shows(n, t[i].want, "as what it is");
	}
}

static void test_bad(void)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *why;
	} t[] = {
		{ "a: 1\nb: ]\n", 2, NULL },
		{ "a: 1\n\tb: 2\n", 2, NULL },
		{ "a: \xff\n", 1, NULL },
		{ "a: 1\n\nb: \xff\n", 3, NULL },
		{ "a: 1\nb: \x01\n", 2, NULL },
		{ "a: 1\n!!binary YQ==: 1\n", 2, "a tag (!name) is not supported; remove it" },
		{ "a: {b: 1}\na: 2\n", 2, "a setting that is given twice" },
		{ "a: 1\n---\nb: 2\n", 2, "a second document (---) would be ignored; remove it" },
		{ "a: &x 1\n\nb: *x\n", 3, "an alias (*name) is not supported; write the value out" },
		{ "a: &x [*x]\n", 1, "an alias (*name) is not supported; write the value out" },
		{ "b:\n  <<: {a: 1}\n", 2, "a merge key (<<) is not supported; write the values out" },
		{ "a: !!binary aGk=\n", 1, "a tag (!name) is not supported; remove it" },
		{ "a: !x {}\n", 1, "a tag (!name) is not supported; remove it" },
		{ "a: \"x\\0y\"\n", 1, "a NUL byte" },
		{ "\"x\\0y\": a\n", 1, "the name of a setting must be a text" },
		{ "[a]: b\n", 1, "the name of a setting must be a text" },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		const char *why = NULL;
		unsigned line = 0;
		cleanup_node struct node *n = parsed(t[i].text, &line, &why);

		ok(!n && why, "text %zu is refused", i);
		is_int(line, t[i].line, "with its line");
		if (t[i].why)
			is_str(why, t[i].why, "and the reason");
	}
}

/* nested - text n times, and end n times */
static bool reads_nested(const char *text, const char *end, size_t n)
{
	cleanup_str struct str s = STR_INIT;
	cleanup_node struct node *tree = NULL;
	const char *why;
	unsigned line;

	for (size_t i = 0; i < n; i++)
		str_puts(&s, text);
	for (size_t i = 0; i < n; i++)
		str_puts(&s, end);
	return yaml_read(&s, "F", true, &tree, &line, &why) == 0;
}

static void test_bounds(void)
{
	cleanup_str struct str s = STR_INIT;
	struct node *n;
	const char *why;
	unsigned line;

	ok(reads_nested("[", "]", NODE_DEPTH_MAX) && !reads_nested("[", "]", NODE_DEPTH_MAX + 1), "lists have at most so many levels");
	ok(reads_nested("{a: ", "}", NODE_DEPTH_MAX) && !reads_nested("{a: ", "}", NODE_DEPTH_MAX + 1), "maps, too");
	ok(!reads_nested("[", "", 100000), "a hundred thousand brackets are refused");
	ok(!reads_nested("- ", "", 100000) && !reads_nested("? ", "", 10000), "as are lists in lists without brackets");
	for (int more = 0; more < 2; more++) {
		str_reset(&s);
		for (size_t i = 0; i + 1 < NODE_COUNT_MAX + (size_t)more; i++)
			str_puts(&s, "- a\n");
		is_int(yaml_read(&s, "F", true, &n, &line, &why), more ? -1 : 0, "%s values than are allowed", more ? "more" : "no more");
		ok(!n == (more == 1), "give %s", more ? "nothing" : "a tree");
		node_release(&n);
	}
	str_reset(&s);
	str_add(&s, "a: 1\0b: 2\n", 10);
	is_int(yaml_read(&s, "F", true, &n, &line, &why), -1, "a NUL byte between settings is refused");
}

static struct node *text_node(const char *text)
{
	return node_new(NODE_TEXT, NULL, text);
}

static void test_put(void)
{
	const char *why;
	unsigned line;
	cleanup_node struct node *n = parsed("a: x\nb: [p, q]\nc: {D: 1, e: 2}\n", &line, &why), *copy = NULL;
	cleanup_str struct str where = STR_INIT;

	node_where(node_at(n, "c.e"), &where);
	is_str(where.buf, "F:3", "a node knows its place");
	node_put(n, "c.d", text_node("new"));
	node_put(n, "a.y.z", text_node("1"));
	node_put(n, "b.0", text_node("first"));
	node_put(n, "b.2", text_node("third"));
	copy = node_copy(n);
	shows(copy, "{a:{x:~,y:{z:\"1\"}},b:{0:\"first\",1:\"q\",2:\"third\"},c:{d:\"new\",e:\"2\"}}", "values take the place of those that were there");
	node_remove(n, "c.d");
	node_remove(n, "a");
	node_remove(n, "nothing.at.all");
	shows(n, "{b:{0:\"first\",1:\"q\",2:\"third\"},c:{e:\"2\"}}", "what is removed is gone");
	ok(!node_at(n, "a") && !node_at(n, "c.e.f") && node_at(n, "C.E"), "a path finds what is there, in any case of letters");
}

static void test_set(void)
{
	static const struct {
		const char *text;
		bool set;
	} t[] = { { "~", false }, { "''", false }, { "false", false }, { "No", false }, { "off", false }, { "{}", false }, { "[]", false }, { "true", true }, { "0", true }, { "[~]", true } };

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		const char *why;
		unsigned line;
		cleanup_node struct node *n = parsed(t[i].text, &line, &why);

		ok(n && node_is_set(n) == t[i].set, "%s says %s", t[i].text, t[i].set ? "something" : "nothing");
	}
}

int main(void)
{
	test_good();
	test_bad();
	test_bounds();
	test_put();
	test_set();
	return done_testing();
}
