/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_OS_PROCESS_H
#define BERTH_OS_PROCESS_H

/* process: what a process says about itself to the kernel. */

/* os_signal - what a signal does: SIG_IGN or SIG_DFL, whatever was inherited */
void os_signal(int sig, void (*action)(int));

#endif
