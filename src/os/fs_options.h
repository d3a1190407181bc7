/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_OS_FS_OPTIONS_H
#define BERTH_OS_FS_OPTIONS_H

/*
 * fs_options: what the mount options of a file system of several machines mean (doc/MACHINES.md, "File systems").
 *
 * Types and options are as fs_describe() of os/fs.h has them.
 */

#include "base/str.h"

/*
 * fs_options_fault - the option, of those that are set, which makes it unfit for several machines, and why; NULL: none
 * fs_options_fresh - add the options with which a client asks its servers and not its caches, as far as they are known and not seen to be set;
 *                    nothing otherwise
 */
const char *fs_options_fault(const char *type, const char *options, const char **why);
void fs_options_fresh(const char *type, const char *options, struct str *out);

#endif
