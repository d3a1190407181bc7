/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_YAML_H
#define BERTH_CONF_YAML_H

/*
 * yaml: YAML as registry:2 reads it, into a tree. libyaml is used here alone. Private to src/conf.
 *
 * Refused are a second document, aliases, merge keys, a key that a map has twice, tags except those of YAML's own simple types,
 * NUL bytes, more than NODE_DEPTH_MAX levels and more than NODE_COUNT_MAX values: a file that two readers could understand in
 * two ways must not decide who gets in.
 */

#include "base/str.h"
#include "conf/node.h"

/*
 * yaml_read - parse a text
 * source  the file, or the variable; borrowed by the nodes
 * lines   whether the nodes get their lines: it is a file
 * out     an owned tree; NULL if the text is empty or has only comments
 * line    on failure the line of the fault, from 1
 * why     on failure what is wrong; static
 *
 * Returns 0, or -1 with line and why.
 */
int yaml_read(const struct str *text, const char *source, bool lines, struct node **out, unsigned *line, const char **why);

#endif
