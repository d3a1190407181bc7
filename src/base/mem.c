/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem: allocation that ends the process instead of failing.
 *
 * Owns nothing. Invariant: no function here returns NULL, not even for a size of 0.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"

static void __attribute__((noreturn)) die(void)
{
	static const char msg[] = "{\"level\":\"error\",\"event\":\"out of memory\"}\n";

	/* without formatting and the log module, because both allocate */
	if (write(STDERR_FILENO, msg, sizeof(msg) - 1) < 0)
		abort();
	abort();
}

void *xmalloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		die();
	return p;
}

void *xcalloc(size_t count, size_t size)
{
	void *p = calloc(count && size ? count : 1, count && size ? size : 1);

	if (!p)
		die();
	return p;
}

void *xrealloc(void *p, size_t size)
{
	p = realloc(p, size ? size : 1);
	if (!p)
		die();
	return p;
}

void *xreallocarray(void *p, size_t count, size_t size)
{
	if (size && count > SIZE_MAX / size)
		die();
	return xrealloc(p, count * size);
}

char *xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}

char *xstrndup(const char *s, size_t len)
{
	char *p;

	len = strnlen(s, len);
	p = xmalloc(len + 1);
	memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

void mem_cleanup_free(void *pp)
{
	void *p;

	/* pp points to a pointer of any type: copying its bytes avoids aliasing */
	memcpy(&p, pp, sizeof(p));
	free(p);
}
