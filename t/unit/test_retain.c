/* SPDX-License-Identifier: Apache-2.0 */
/* The decision which tags stay, at its edges; t/4038-keep-model.t compares whole registries with a model. */
#include "care/retain.h"

#include <string.h>

#include "tap.h"

#define NOW INT64_C(1800000000)
#define DAY 86400

static struct retain_set set = RETAIN_SET_INIT;
static int64_t clock_at = NOW;
static uint64_t grace;

static struct retain_tag *tag(const char *name, int64_t age)
{
	struct retain_tag *t = retain_add(&set, name);

	t->pushed = (NOW - age) * RETAIN_USEC;
	t->of_digest = rules_tag_of_digest(name);
	return t;
}

/* The names of the tags that stay. */
static const char *stays(struct rule *rule, int64_t last)
{
	static char text[4096];

	text[0] = '\0';
	retain_decide(&set, rule, &(struct retain_times){ .now = NOW, .clock = clock_at, .last = last, .grace = grace });
	for (size_t i = 0; i < set.count; i++)
		if (retain_stays(&set.tags[i])) {
			strcat(text, text[0] ? " " : "");
			strcat(text, set.tags[i].name);
		}
	return text;
}

static void begin(void)
{
	retain_set_release(&set);
}

static struct retain_tag *find(const char *name)
{
	for (size_t i = 0; i < set.count; i++)
		if (strcmp(set.tags[i].name, name) == 0)
			return &set.tags[i];
	return NULL;
}

#define HAS(what) (1u << (what))

static void test_times(void)
{
	struct rule_keep pushed = { .has = HAS(KEEP_PUSHED), .pushed = DAY }, pulled = { .has = HAS(KEEP_PULLED), .pulled = DAY };
	struct rule rule = { .keep = &pushed, .nkeep = 1, .where = (char[]){ "f:1" } };

	begin();
	tag("a", DAY), tag("b", DAY + 1), tag("c", -1);
	is_str(stays(&rule, 0), "a c", "pushed within a time includes its last second");
	find("b")->pushed += RETAIN_USEC - 1;
	is_str(stays(&rule, 0), "a c", "a fraction of a second does not count");
	rule.keep = &pulled;
	find("a")->pulled = NOW - DAY - 3600;
	find("b")->pulled = NOW - DAY - 3601;
	is_str(stays(&rule, 0), "a", "a pull counts for an hour more, and one that never was for nothing");
	find("c")->pulled = NOW + 100000;
	is_str(stays(&rule, 0), "a c", "a pull in the future counts");
	is_int(retain_until(find("a"), &rule), NOW, "until when is known");
	find("c")->pushed = NOW * RETAIN_USEC + 2 * RETAIN_USEC;
	is_str(stays(&rule, 0), "a b c", "with a push more than a second ahead of the clock nothing goes");
	ok(find("b")->why == RETAIN_CLOCK, "... which is the reason");
	clock_at = NOW + 1;
	is_str(stays(&rule, 0), "a c", "... unless the clock was that far when all were read");
	clock_at = NOW - 1;
	find("c")->pushed = (NOW - 5) * RETAIN_USEC;
	is_str(stays(&rule, 0), "a b c", "a clock that went back meanwhile is behind");
	clock_at = NOW;
	find("c")->pushed = NOW * RETAIN_USEC;
	is_str(stays(&rule, NOW + 1), "a b c", "nor with a last run ahead of it");
	is_str(stays(&rule, NOW), "a c", "... but in the same second");
}

static void test_newest(void)
{
	struct rule_keep k[] = { { .has = HAS(KEEP_NEWEST), .newest = 2 }, { .has = HAS(KEEP_TAG) | HAS(KEEP_NEWEST), .tag = (char[]){ "a*" }, .newest = 1 } };
	struct rule rule = { .keep = k, .nkeep = 2, .where = (char[]){ "f:1" } };

	begin();
	tag("a1", 50), tag("a2", 50), tag("b", 10), tag("c", 10);
	is_str(stays(&rule, 0), "a2 b c", "of the same time the greater name is the newer one");
	ok(find("a2")->witness && find("b")->witness && find("c")->witness && !find("a1")->witness, "the newest are what others are too old for");
	rule.nkeep = 1;
	k[0].newest = 4;
	is_str(stays(&rule, 0), "a1 a2 b c", "there may be fewer than an entry keeps");
	ok(!find("a1")->witness, "... and then nothing rests on them");
	is_int(retain_until(find("b"), &rule), 0, "time alone does not end that");
	k[0].newest = 1;
	find("a1")->pushed = NOW * RETAIN_USEC + 1;
	is_str(stays(&rule, 0), "a1", "a microsecond makes one newer");
}

static void test_entries(void)
{
	struct rule_keep k[] = {
		{ .has = HAS(KEEP_PUSHED), .pushed = 10 }, { .has = HAS(KEEP_PUSHED) | HAS(KEEP_PULLED), .pushed = 100, .pulled = 3600 },
		{ .has = HAS(KEEP_PLATFORM), .platform = (char[]){ "linux/arm64" } }, { .has = HAS(KEEP_TAG), .tag = (char[]){ "v*" } },
	};
	struct rule rule = { .keep = k, .nkeep = 4, .where = (char[]){ "f:1" } };
	struct str text = STR_INIT;

	begin();
	tag("v1", 1000), tag("x", 20)->pulled = NOW - 7190, tag("y", 5), tag("z", 1000)->facts = 1 << 2;
	tag("w", 1000)->immutable = true;
	tag("u", 1000)->unreadable = true;
	is_str(stays(&rule, 0), "v1 x y z w u", "each is kept by another entry, or for another reason");
	is_int((int64_t)find("x")->entry, 1, "it is known by which");
	is_int(retain_until(find("x"), &rule), NOW + 10, "the first condition that time ends is the end of an entry");
	is_int(retain_until(find("v1"), &rule), 0, "an entry without a time has none");
	is_int(retain_until(find("w"), &rule), 0, "nor has what is immutable");
	find("y")->pulled = NOW - 100;
	stays(&rule, 0);
	is_int(retain_until(find("y"), &rule), NOW + 95, "of several entries the last one counts");
	retain_say(find("x"), &rule, NOW, &text);
	is_str(text.buf, "kept by f:0: pushed within 100s, pulled within 1h", "in words");
	str_release(&text);
	rule.nkeep = 0;
	is_str(stays(&rule, 0), "w u", "without entries all others go");
}

static void test_of_digest(void)
{
	static const char hex[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	struct rule_keep k = { .has = HAS(KEEP_NEWEST), .newest = 1 };
	struct rule rule = { .keep = &k, .nkeep = 1, .where = (char[]){ "f:1" } };
	char name[2][80];
	struct digest d;

	begin();
	strcat(strcpy(name[0], "sha256-"), hex);
	strcat(strcat(strcpy(name[1], "sha512-"), hex), ".sig");
	tag("a", 10), tag(name[0], 1)->immutable = true, tag(name[1], 0)->spoken_of = true;
	stays(&rule, 0);
	ok(find("a")->why == RETAIN_ENTRY, "tags of digest scheme are not counted among the newest");
	ok(find(name[0])->why == RETAIN_ORPHAN && !retain_stays(find(name[0])), "... they go without the manifest that they speak of, whatever a rule says");
	grace = 2;
	stays(&rule, 0);
	ok(find(name[0])->why == RETAIN_YOUNG && retain_stays(find(name[0])), "... but not within the grace period");
	grace = 1;
	stays(&rule, 0);
	ok(find(name[0])->why == RETAIN_ORPHAN, "... which ends");
	k = (struct rule_keep){ .has = HAS(KEEP_TAG) | HAS(KEEP_NEWEST) | HAS(KEEP_SIGNED), .tag = (char[]){ "sha256-*" }, .newest = 1, .is_signed = true };
	stays(&rule, 0);
	ok(find(name[0])->why == RETAIN_ENTRY && !find(name[0])->witness, "... nor where an entry names it");
	k.has |= HAS(KEEP_PULLED);
	k.pulled = DAY;
	stays(&rule, 0);
	ok(find(name[0])->why == RETAIN_ORPHAN, "... of whose conditions those of times have to hold");
	ok(find(name[1])->why == RETAIN_SPEAKS, "... and stay with it");
	ok(retain_spoken_digest(name[0], &d) && strcmp(digest_hex(&d), hex) == 0, "the digest that one speaks of");
	ok(retain_spoken_digest(name[1], &d) && d.alg == DIGEST_SHA512 && strncmp(digest_hex(&d), hex, 64) == 0 && strspn(digest_hex(&d) + 64, "0") == 64,
	   "... of a longer one the first half");
}

int main(void)
{
	test_times();
	test_newest();
	test_entries();
	test_of_digest();
	begin();
	return done_testing();
}
