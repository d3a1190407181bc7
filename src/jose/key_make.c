/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_make: creating, storing and reading private keys.
 *
 * Owns the file of a private key. Invariant: the file gets its name only when it is complete and flushed, has mode 0600,
 * and is never written again; its content is copied only into struct key. A part of `key`.
 */

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/b64.h"
#include "base/mem.h"
#include "jose/key_own.h"
#include "os/file.h"

#define FORBIDDEN_MODE 0027     /* the group may read, as for a secret that is mounted into a container */

struct key *key_make(enum key_kind kind)
{
	EVP_PKEY *pkey = kind == KEY_P256 ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256") :
			 EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	struct key *k = pkey ? key_adopt(pkey, true, NULL) : NULL;

	if (!k)
		abort();        /* no random numbers, or no memory */
	return k;
}

static int not_a_key(struct err *e, const char *path, const char *why)
{
	return err_set(e, ERR_UNKNOWN, "%s: %s", path, why);
}

/* Read a file of at most KEY_FILE_MAX bytes: its length, or -1 with *e. */
static ssize_t read_text(const char *path, char *text, struct err *e)
{
	cleanup_fd int fd = os_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return not_a_key(e, path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return not_a_key(e, path, "not a file");
	if (st.st_mode & FORBIDDEN_MODE)
		return not_a_key(e, path, "others may read or change this private key: chmod 600");
	if (st.st_size > KEY_FILE_MAX)
		return not_a_key(e, path, "too long for a private key");
	n = os_read_full(fd, text, KEY_FILE_MAX);
	return n < 0 ? not_a_key(e, path, strerror(errno)) : n;
}

/* A pem_password_cb: nobody is asked for a passphrase, so an encrypted key is an error. */
static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf, (void)size, (void)rwflag, (void)arg;
	return -1;
}

struct key *key_load(const char *path, struct err *e)
{
	cleanup_err struct err why = ERR_INIT;
	char text[KEY_FILE_MAX];
	EVP_PKEY *pkey;
	struct key *k;
	ssize_t n = read_text(path, text, e);
	BIO *bio;

	bio = BIO_new_mem_buf(text, n < 0 ? 0 : (int)n);
	if (!bio)
		abort();
	pkey = n < 0 ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	OPENSSL_cleanse(text, sizeof(text));
	ERR_clear_error();
	if (n < 0)
		return NULL;
	if (!pkey) {
		not_a_key(e, path, "not a private key in PEM without a passphrase");
		return NULL;
	}
	k = key_adopt(pkey, true, &why);
	if (!k)
		not_a_key(e, path, why.detail);
	return k;
}

/* Write the key to a new file and flush it. */
static int write_new(const char *path, const struct key *k)
{
	cleanup_fd int fd = -1;
	BIO *bio = BIO_new(BIO_s_secmem());
	char *text;
	int rc = -1;
	long len;

	if (!bio || PEM_write_bio_PrivateKey(bio, k->pkey, NULL, NULL, 0, NULL, NULL) != 1)
		abort();
	len = BIO_get_mem_data(bio, &text);
	fd = os_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd >= 0 && fchmod(fd, 0600) == 0 && os_write_full(fd, text, (size_t)len) == 0)
		rc = os_fsync(fd);
	BIO_free(bio);
	return rc;
}

/* Create the file; if another process was faster, its file stays. */
static int publish(const char *path, enum key_kind kind, struct err *e)
{
	cleanup_key struct key *k = key_make(kind);
	cleanup_str struct str dir = STR_INIT, tmp = STR_INIT;
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	unsigned char random[8];
	int rc = 0;

	str_add(&dir, path, (size_t)(name - path));
	if (!dir.len)
		str_puts(&dir, "./");
	str_addf(&tmp, "%s.%s.", dir.buf, name);
	os_random(random, sizeof(random));
	b64_encode(B64_URL, random, sizeof(random), &tmp);
	/* a network file system may report EEXIST for a link(2) that it did make: either way the file is read afterwards */
	if (write_new(tmp.buf, k) < 0 || (link(tmp.buf, path) < 0 && errno != EEXIST))
		rc = err_set(e, ERR_UNKNOWN, "%s: cannot create the key: %s", path, strerror(errno));
	unlink(tmp.buf);
	if (rc == 0 && os_fsync_dir(AT_FDCWD, dir.buf) < 0)
		rc = err_set(e, ERR_UNKNOWN, "%s: cannot flush its directory: %s", path, strerror(errno));
	return rc;
}

struct key *key_load_or_make(const char *path, enum key_kind kind, struct err *e)
{
	struct stat st;

	if (lstat(path, &st) < 0) {
		if (errno != ENOENT) {
			err_set(e, ERR_UNKNOWN, "%s: %s", path, strerror(errno));
			return NULL;
		}
		if (publish(path, kind, e) < 0)
			return NULL;
	}
	return key_load(path, e);
}
