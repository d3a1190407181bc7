/* SPDX-License-Identifier: Apache-2.0 */
/* Lifecycle policies of ECR: what is printed for them is a good configuration; a fault is one line. */

#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "conf/config.h"
#include "conf/ecr.h"

static void check_rules(const struct str *text)
{
	static char *none[] = { NULL };
	cleanup_str struct str path = STR_INIT, msg = STR_INIT;
	cleanup_config struct config *c = NULL;
	int fd = memfd_create("berth.conf", MFD_CLOEXEC);

	CHECK(fd >= 0 && write(fd, text->buf, text->len) == (ssize_t)text->len);
	str_addf(&path, "/proc/self/fd/%d", fd);
	c = config_load(path.buf, none, NULL, &msg);
	CHECK(c && c->nrules <= 1);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_str struct str out = STR_INIT, why = STR_INIT;

	if (size > 65536)
		return 0;
	if (ecr_import((const char *)data, size, NULL, &out, &why) == 0) {
		CHECK(out.len && !why.len);
		check_rules(&out);
	} else {
		CHECK(why.len && !out.len && !fuzz_has_control(why.buf, why.len));
	}
	return 0;
}
