/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault: the form of a fault: FILE:LINE.
 *
 * Owns nothing.
 */
#include "conf/fault.h"

struct str *fault(struct faults *f, unsigned line)
{
	str_addf(f->msg, "%s%s:%u: ", f->msg->len ? "\n" : "", f->file, line);
	f->rc = -1;
	return f->msg;
}
