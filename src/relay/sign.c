/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sign: signs bodies, and reads secrets from files.
 *
 * Owns nothing. Invariant: no secret is part of a message.
 */
#include "relay/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "os/file.h"

int sign_read(const char *path, struct str *out, struct str *why)
{
	cleanup_fd int fd = os_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0);  /* it may be a link: Kubernetes mounts secrets so */
	struct stat sb;

	str_reset(out);
	if (fd < 0 || fstat(fd, &sb) < 0 || (S_ISREG(sb.st_mode) && os_read_str(fd, SIGN_FILE_MAX + 1, out) < 0)) {
		str_addf(why, "cannot read %s: %s", path, strerror(errno));
		return -1;
	}
	if (out->len && out->buf[out->len - 1] == '\n')
		str_cut(out, out->len - 1);
	if (out->len && out->buf[out->len - 1] == '\r')
		str_cut(out, out->len - 1);
	if (out->len && out->len <= SIGN_FILE_MAX && strlen(out->buf) == out->len && !strpbrk(out->buf, "\r\n"))
		return 0;
	str_reset(out);
	str_addf(why, "%s is not a file of one line of at most %d bytes", path, SIGN_FILE_MAX);
	return -1;
}

void sign_header(struct str *out, const struct str *key, int64_t when, const struct str *body)
{
	cleanup_str struct str text = STR_INIT;
	unsigned char mac[DIGEST_MAC_LEN];
	size_t i;

	str_addf(&text, "%" PRId64 ".", when);
	str_add(&text, body->buf, body->len);
	digest_hmac(mac, key->buf, key->len, text.buf, text.len);
	str_addf(out, "Berth-Signature: t=%" PRId64 ",v1=", when);
	for (i = 0; i < sizeof(mac); i++)
		str_addf(out, "%02x", mac[i]);
}
