/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_OS_PROCESS_H
#define BERTH_OS_PROCESS_H

/* process: what a process says about itself to the kernel. */

#include <stdint.h>
#include <sys/types.h>

/* os_signal - what a signal does: SIG_IGN or SIG_DFL, whatever was inherited */
void os_signal(int sig, void (*action)(int));

/*
 * os_fork - fork(2), and the child gets the signal when this process ends, whatever ends it
 * A child that begins after that ends at once, with status 0.
 */
pid_t os_fork(int at_end);

/*
 * For work that has something to put in order before it ends:
 * os_end_by_asking - SIGTERM, SIGINT, SIGHUP and SIGPIPE do not end this process from now on; what was ignored stays so
 * os_asked_to_end  - the first of them that came, 0 none. Processes forked after os_end_by_asking() share it: if one is
 *                    asked, all are
 * os_end           - ends this process by that signal, as if it had never waited
 * os_sleep         - sleep as long, or until one of them comes
 */
void os_end_by_asking(void);
int os_asked_to_end(void);
_Noreturn void os_end(void);
void os_sleep(uint64_t usec);

/* os_pause - sleep that long, whatever signals arrive */
void os_pause(uint64_t usec);

/*
 * os_keep_secrets - from now on this process leaves no core file, and nobody but root can look into its memory
 * It shall be called after anything that gives the process another user.
 */
void os_keep_secrets(void);

/* os_write_alone - nothing that this process makes from now on can be written by every user, whatever umask it was given */
void os_write_alone(void);

/*
 * os_wait_your_turn - when this process wakes, it lets whoever woke it go on; its share of a processor is as before (SCHED_BATCH)
 * Nothing where the kernel refuses, or where somebody chose another class: it is about speed alone.
 */
void os_wait_your_turn(void);

/* os_stand_back - a tenth of what others get of a processor, where they want it (nice 10, or more); for this process's life */
void os_stand_back(void);

/* os_notify_ready - tells systemd that this process serves (Type=notify); nothing where nobody asked (NOTIFY_SOCKET) */
void os_notify_ready(void);

#endif
