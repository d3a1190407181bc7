/* SPDX-License-Identifier: Apache-2.0 */
/* conf/rules: which rule says what about a repository. */

#include "conf/rules.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/config.h"
#include "tap.h"

static struct config *load(const char *text)
{
	static char *none[] = { NULL };
	cleanup_str struct str path = STR_INIT, msg = STR_INIT;
	int fd = memfd_create("berth.conf", MFD_CLOEXEC);
	struct config *c;

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return NULL;
	str_addf(&path, "/proc/self/fd/%d", fd);
	c = config_load(path.buf, none, NULL, &msg);
	ok(c != NULL, "a configuration without faults: %s", msg.len ? msg.buf : "none");
	close(fd);
	return c;
}

static struct name named(const char *s)
{
	struct name n;

	ok(name_parse(&n, s, strlen(s)) == 0, "%s is a name", s);
	return n;
}

/* The line of the rule that says this; 0: none. */
static int line_of(const struct rule *r)
{
	const char *colon = r ? strrchr(r->where, ':') : NULL;
	uint64_t n = 0;

	if (colon)
		str_parse_u64(colon + 1, strlen(colon + 1), &n);
	return (int)n;
}

static int found(const struct config *c, const char *repo, enum rule_member what)
{
	struct name n = named(repo);

	return line_of(rules_find(c, &n, what));
}

static int immutable(const struct config *c, const char *repo, const char *tag)
{
	struct name n = named(repo);

	return line_of(rules_immutable(c, &n, tag));
}

static void test_find(void)
{
	cleanup_config struct config *c = load("rules = (\n"
		"{ repo = \"release/**\"; immutable = \"*\"; },\n"
		"{ repo = \"ci/**\"; keep = ( ); untagged = \"7d\"; },\n"
		"{ repo = \"ci/app\"; keep = ( { newest = 3; } ); max_tags = 5; },\n"
		"{ repo = \"ci/open\"; immutable = \"\"; },\n"
		"{ immutable = [ \"v[0-9]*\", \"stable\" ]; } );\n");

	is_int(found(c, "ci/app", RULE_KEEP), 3, "the first rule counts that says it");
	is_int(found(c, "ci/app", RULE_MAX_TAGS), 4, "what it does not say, a later one says");
	is_int(found(c, "ci", RULE_KEEP), 0, "a rule for what lies below is not for the repository itself");
	is_int(found(c, "ci/app", RULE_QUOTA), 0, "and what none says, none says");
	ok(rules_any(c, RULE_KEEP) && !rules_any(c, RULE_QUOTA), "whether any rule says it");
	is_int(immutable(c, "release/app", "latest"), 2, "every tag of a release is immutable");
	is_int(immutable(c, "x", "v1"), 6, "a rule without a repository is for all");
	is_int(immutable(c, "x", "stable"), 6, "each pattern of a list counts");
	is_int(immutable(c, "x", "vx"), 0, "what no pattern matches is not immutable");
	is_int(immutable(c, "ci/open", "v1"), 0, "a rule that says \"none\" ends the search");
}

static void test_tags_of_digests(void)
{
#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	cleanup_config struct config *c = load("rules = ( { immutable = \"*\"; } );");

	ok(rules_tag_of_digest("sha256-" HEX) && rules_tag_of_digest("sha256-" HEX ".sig") && rules_tag_of_digest("sha512-" HEX),
	   "tags of the referrers' form speak of a digest");
	ok(!rules_tag_of_digest("sha256-" HEX "0") && !rules_tag_of_digest("sha256-0123") && !rules_tag_of_digest("md5-" HEX) &&
		   !rules_tag_of_digest("sha256-" HEX "-sig") && !rules_tag_of_digest(HEX), "others do not");
	is_int(immutable(c, "a", "sha256-" HEX ".sig"), 0, "they are never immutable");
	is_int(immutable(c, "a", "sha256-0123"), 1, "others are");
}

static void test_in_force(void)
{
	cleanup_config struct config *c = load("delete = true; manifests = { max_size = \"1 MiB\"; sparse = \"index\"; }; blobs = { max_size = \"1 GiB\"; };\n"
		"rules = ( { repo = \"a\"; delete = false; readonly = true; sparse = \"all\"; max_manifest = \"2 KiB\"; max_size = \"0\"; max_tags = 7; },\n"
		"{ repo = \"b\"; max_manifest = \"64 MiB\"; readonly = false; } );");
	struct name a = named("a"), b = named("b");

	ok(!rules_delete(c, &a) && rules_delete(c, &b), "delete");
	ok(rules_readonly(c, &a) && !rules_readonly(c, &b), "readonly");
	ok(rules_sparse(c, &a) == SPARSE_ALL && rules_sparse(c, &b) == SPARSE_INDEX, "sparse");
	ok(rules_max_manifest(c, &a) == 2048 && rules_max_manifest(c, &b) == 1 << 20, "max_manifest, which is never above that of the whole registry");
	ok(rules_max_size(c, &a) == 0 && rules_max_size(c, &b) == 1 << 30, "max_size");
	ok(rules_max_tags(c, &a) == 7 && rules_max_tags(c, &b) == 0, "max_tags");
	c->readonly = true;
	ok(rules_readonly(c, &b), "no rule lifts readonly of the whole registry");
}

/* The rule's line and the group of a repository, as "LINE GROUP". */
static void group(const struct config *c, const char *repo, int line, const char *head)
{
	struct name n = named(repo);
	size_t len;
	const struct rule *r = rules_group(c, &n, &len);

	ok(line_of(r) == line && (!r || (len == strlen(head) && strncmp(repo, head, len) == 0)), "%s: the group \"%s\" of the rule on line %d", repo, head, line);
}

static void test_groups(void)
{
	cleanup_config struct config *c = load("rules = (\n"
		"{ repo = \"team/free\"; quota = \"0\"; },\n"
		"{ repo = \"team/*\"; quota = \"1 GiB\"; },\n"
		"{ repo = \"all/**\"; quota = \"1 GiB\"; },\n"
		"{ repo = \"x/**/end\"; quota = 5; },\n"
		"{ repo = \"p-*/**/**\"; quota = 5; } );\n");
	cleanup_config struct config *whole = load("rules = ( { keep = ( ); },\n{ repo = \"**\"; quota = \"1 GiB\"; } );");

	group(c, "team/red", 3, "team/red");
	group(c, "team/red/app/x", 3, "team/red");
	group(c, "team", 0, "");
	group(c, "team/free/app", 0, "");
	group(c, "all/x/y", 4, "all");
	group(c, "all", 4, "all");
	group(c, "x/end", 5, "x/end");
	group(c, "x/a/end/end", 5, "x/a/end");
	group(c, "p-1/a", 6, "p-1");
	group(c, "q", 0, "");
	group(whole, "q/r", 2, "");
}

int main(void)
{
	test_find();
	test_tags_of_digests();
	test_in_force();
	test_groups();
	return done_testing();
}
