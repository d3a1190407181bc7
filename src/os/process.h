/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_OS_PROCESS_H
#define BERTH_OS_PROCESS_H

/* process: signals, children, priorities, and what else a process sets for itself. */

#include <stdint.h>
#include <sys/types.h>

/* os_signal - set the action of a signal, SIG_IGN or SIG_DFL, whatever was inherited */
void os_signal(int sig, void (*action)(int));

/*
 * os_fork - fork(2); the child gets the signal at_end when this process ends for any reason
 * If it ended before the child begins, the child ends at once with status 0.
 */
pid_t os_fork(int at_end);

/* os_tell_parent - send a signal to this process, if it is the parent still; 0, or -1 with errno */
int os_tell_parent(pid_t parent, int sig);

/*
 * For work that has to clean up before it ends:
 * os_end_by_asking - from now on SIGTERM, SIGINT, SIGHUP and SIGPIPE are only recorded; an ignored signal is still ignored
 * os_asked_to_end  - the first of them that arrived, or 0. Processes forked after os_end_by_asking() share the record: a
 *                    signal to one of them asks all of them
 * os_end           - end this process by that signal, as its default action does
 * os_sleep         - sleep for this time, or until one of them has arrived
 */
void os_end_by_asking(void);
int os_asked_to_end(void);
_Noreturn void os_end(void);
void os_sleep(uint64_t usec);

/* os_pause - sleep for this time, whatever signals arrive */
void os_pause(uint64_t usec);

/*
 * os_keep_secrets - from now on this process leaves no core file, and only root can read its memory
 * Call it after a change of the process's user, which resets it.
 */
void os_keep_secrets(void);

/* os_write_alone - no file that this process creates from now on is writable by others, whatever umask it inherited */
void os_write_alone(void);

/*
 * os_wait_your_turn - when this process wakes up, it does not preempt the one that woke it; its share of the processor does
 *                     not change (SCHED_BATCH)
 * This concerns speed only: it does nothing if the kernel refuses, or if the process already has another scheduling class.
 */
void os_wait_your_turn(void);

/* os_name_process - what ps(1) and /proc/PID/comm call this process: at most 15 characters */
void os_name_process(const char *name);

/* os_stand_back - on a busy processor, get about a tenth of the time that others get (at least nice 10), until the process ends */
void os_stand_back(void);

/* os_notify_ready - tell systemd that this process serves (Type=notify); does nothing without NOTIFY_SOCKET */
void os_notify_ready(void);

#endif
