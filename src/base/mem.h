/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_MEM_H
#define BERTH_BASE_MEM_H

/*
 * mem: allocation that cannot fail, and release by scope.
 *
 * Callers check every size from outside against a limit. Then allocation fails only if the machine is out of memory. The
 * process aborts, the master starts another one, and the store is unchanged: no response is made from a half-built state.
 */

#include <stddef.h>

/* Each returns memory that the caller owns (free(3)), or ends the process; none returns NULL. */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);      /* zeroed; the product is checked for overflow */
void *xrealloc(void *p, size_t size);
void *xreallocarray(void *p, size_t count, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t len);

/* Move an owned pointer out of a variable: the value is the pointer, and the variable becomes NULL. */
#define STEAL(p) ({ __typeof__(p) steal_tmp_ = (p); (p) = NULL; steal_tmp_; })

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

void mem_cleanup_free(void *pp);
#define cleanup_free __attribute__((cleanup(mem_cleanup_free)))

#endif
