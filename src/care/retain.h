/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_RETAIN_H
#define BERTH_CARE_RETAIN_H

/*
 * retain: which tags of a repository stay (doc/RULES.md, "Keep"). The decision alone, over what care/retain_read.h has found: no
 * disk, no clock.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/str.h"
#include "conf/rules.h"
#include "os/dir.h"

#define RETAIN_NEVER INT64_MIN          /* as the time of a pull: it was never pulled */
#define RETAIN_USEC INT64_C(1000000)

enum retain_why {
	/* it goes: */
	RETAIN_NO_ENTRY,                /* no entry keeps it */
	RETAIN_ORPHAN,                  /* it speaks of a manifest that is not in the repository, it is no longer young, and no entry names it */
	/* it stays: */
	RETAIN_ENTRY,                   /* an entry keeps it */
	RETAIN_IMMUTABLE,
	RETAIN_SPEAKS,                  /* it speaks of a manifest that is in the repository */
	RETAIN_YOUNG,                   /* it speaks of one that is not, but was pushed within the grace period: the other one may follow */
	RETAIN_UNREADABLE,              /* its manifest or configuration can't be read, and an entry asks what is in there */
	RETAIN_CLOCK,                   /* the clock is behind the last run, or behind a push of the repository */
};

struct retain_tag {
	const char *name;               /* borrowed */
	struct digest digest;
	int64_t pushed;                 /* microseconds since the epoch */
	int64_t pulled;                 /* seconds, as it was noted: see store/pulled.h; RETAIN_NEVER */
	int64_t since;                  /* seconds: pulls before that may not have been noted, so it counts as pulled then; RETAIN_NEVER */
	uint64_t facts;                 /* bits of the entries whose `platform` and `signed` hold: 1 << index */
	bool of_digest;                 /* rules_tag_of_digest() */
	bool spoken_of;                 /* of_digest: the manifest that it speaks of is in the repository */
	bool immutable;                 /* rules_immutable() */
	bool unreadable;                /* see RETAIN_UNREADABLE */
	bool is_signed;                 /* a signature refers to its manifest; found out only where an entry asks for it */

	/* What retain_decide() finds: */
	enum retain_why why;
	size_t entry;                   /* RETAIN_ENTRY: the first entry that keeps it */
	uint64_t keeps;                 /* bits of all entries that keep it */
	bool witness;                   /* it is among the newest of an entry that others are too old for: they may go as long as it is there */
};

struct retain_set {                     /* the tags of a repository */
	struct retain_tag *tags;        /* owned; in byte order of the names */
	size_t count, cap;
	struct names names;
};

#define RETAIN_SET_INIT { .names = NAMES_INIT }
void retain_set_release(struct retain_set *s);
#define cleanup_retain_set __attribute__((cleanup(retain_set_release)))

/*
 * retain_add  - a new tag without anything known of it; the name is kept in the set; borrowed until the next one is added
 * retain_drop - the last one does not exist any more
 */
struct retain_tag *retain_add(struct retain_set *s, const char *name);
void retain_drop(struct retain_set *s);

/*
 * retain_spoken_digest - the digest that a tag of digest scheme speaks of, such as "sha256-HEX.sig"; false: it is no digest
 * Of a sha512 digest such a tag has the first 64 of 128 digits: the others are zeros here, since a digestset does not look at them.
 */
bool retain_spoken_digest(const char *tag, struct digest *d);

/* retain_stays - whether a decision keeps the tag */
bool retain_stays(const struct retain_tag *t);

/*
 * retain_holds - whether all conditions of the entry that need no other tag and no manifest hold: tag, pushed, pulled
 * now  seconds since the epoch. An hour is added to the time of a pull, since it is known to the hour alone.
 */
bool retain_holds(const struct rule_keep *k, const struct retain_tag *t, int64_t now);

/*
 * retain_asks  - whether an entry of the rule has such a condition
 * retain_reads - whether an entry asks for what is in manifests: platform, signed
 */
bool retain_asks(const struct rule *rule, enum rule_condition what);
bool retain_reads(const struct rule_keep *k);

struct retain_times {                   /* seconds since the epoch */
	int64_t now;                    /* what the conditions count from; not later than the reading */
	int64_t clock;                  /* the clock after the set was read: a push of that time is not ahead of it */
	int64_t last;                   /* when rules ran last; 0: never */
	uint64_t grace;                 /* a duration: how long a tag may speak of a manifest that is not there yet */
};

/*
 * retain_decide - decide for each tag of the set
 * `facts` have to be right only where retain_holds() is true. The set may be decided again. The clock is behind if it is before `now`, before
 * `last` or before a push. A push that is no more than a second ahead does not count as ahead: clocks of files are coarse.
 */
void retain_decide(struct retain_set *s, const struct rule *rule, const struct retain_times *at);

/*
 * retain_until - when no entry keeps a tag any more that an entry keeps now, if it is neither pushed nor pulled again; seconds since the epoch
 * One with `newest` may stop earlier. 0: time alone does not end it.
 */
int64_t retain_until(const struct retain_tag *t, const struct rule *rule);

/*
 * retain_say - one line in words: "kept by FILE:LINE: ..." or "goes because ..."
 * retain_say_entry - the conditions of an entry, in words
 */
void retain_say(const struct retain_tag *t, const struct rule *rule, int64_t now, struct str *out);
void retain_say_entry(const struct rule_keep *k, struct str *out);

/* retain_where - the place of an entry, FILE:LINE */
void retain_where(const struct rule *rule, const struct rule_keep *k, struct str *out);

#endif
