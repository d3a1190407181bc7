/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_MEM_H
#define BERTH_BASE_MEM_H

/*
 * mem: allocation that cannot fail, and release by scope.
 *
 * Every size that comes from outside is checked against a limit before it gets here. What is left can only fail
 * when the machine is out of memory; then the process aborts, the master starts another one, and the store is
 * as it was: no request is answered from a half-built state.
 */

#include <stddef.h>

/* Each gives memory owned by the caller (free(3)) or ends the process; none returns NULL. */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);      /* zeroed; the product is checked for overflow */
void *xrealloc(void *p, size_t size);
void *xreallocarray(void *p, size_t count, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t len);

/* Hand an owned pointer out: its value is returned, the variable becomes NULL. */
#define STEAL(p) ({ __typeof__(p) steal_tmp_ = (p); (p) = NULL; steal_tmp_; })

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

void mem_cleanup_free(void *pp);
#define cleanup_free __attribute__((cleanup(mem_cleanup_free)))

#endif
