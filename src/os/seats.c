/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seats: places in shared memory.
 *
 * Owns that memory. Invariant: a place is 0, or the id of a process that is alive, or that has ended and whose place the
 * parent has not freed yet.
 */
#include "os/seats.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

struct seats {
	_Atomic pid_t place[SEATS_MAX];
};

struct seats *seats_open(void)
{
	struct seats *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return s == MAP_FAILED ? NULL : s;
}

void seats_close(struct seats **s)
{
	if (*s)
		munmap(*s, sizeof(**s));
	*s = NULL;
}

int seats_take(struct seats *s, unsigned count)
{
	unsigned i;

	for (i = 0; i < count && i < SEATS_MAX; i++) {
		pid_t nobody = 0;

		if (atomic_compare_exchange_strong(&s->place[i], &nobody, getpid()))
			return (int)i;
	}
	return -1;
}

void seats_leave(struct seats *s, int seat)
{
	atomic_store(&s->place[seat], 0);
}

void seats_free(struct seats *s, pid_t pid)
{
	unsigned i;

	for (i = 0; s && i < SEATS_MAX; i++) {
		pid_t whose = pid;

		atomic_compare_exchange_strong(&s->place[i], &whose, 0);
	}
}
