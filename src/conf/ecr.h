/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_ECR_H
#define BERTH_CONF_ECR_H

/*
 * ecr: lifecycle policies of Amazon's ECR, as rules of ours (doc/RULES.md, "Import").
 *
 * A policy says what goes, rules say what stays. Where the two cannot be the same, the rules keep more, and a comment says so; but a policy
 * looks at images and a rule at tags, so where an image has several tags some may go, and comments say where that can be.
 */

#include <stddef.h>
#include "base/str.h"

#define ECR_TEXT_MAX (1024 * 1024)      /* bytes of a policy; ECR itself accepts 30 KiB */
#define ECR_RULES_MAX 256

/*
 * ecr_import - add to out the setting "rules" for a policy, with comments
 * text  the policy as JSON, or what `aws ecr get-lifecycle-policy` prints, which has it as a text and names the repository
 * repo  the pattern of the rule, valid; NULL: the repository that the text names, or else "**", with a comment
 *
 * Returns 0; or -1, with nothing added, and in why one line that says what is wrong.
 */
int ecr_import(const char *text, size_t len, const char *repo, struct str *out, struct str *why);

/*
 * ecr_others - add to out patterns that together match exactly the tags that none of `of` matches
 * of  patterns; each is a text, or a text with one star behind it
 * Returns 0, or -1, with nothing added, if a pattern is of another form or more than `max` would be needed.
 */
struct names;
int ecr_others(const struct names *of, size_t max, struct names *out);

#endif
