/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_T_UNIT_AUTH_KEYS_H
#define BERTH_T_UNIT_AUTH_KEYS_H

/* auth_keys: private keys for the tests of src/jose, which nothing else trusts, and temporary files. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/json_check.h"
#include "base/mem.h"
#include "jose/key.h"

static const char rsa_pem[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDPxxx41R6FG9To\n"
	"6kqlMdoetWIG8Ae1O8ymd3/c25kDuFNjv0U/oGNnK4gnSoT+ohS5uhhZHexLA2xk\n"
	"yoUEonqBZHxpRzHw8mF/O4oh6ZmTFFoHLoMX/vfLM9c1jgNjTldQk8nJPmVePFNj\n"
	"3yyEUfeFTi9B05YNRdY9fJ08904hHCFPOgudxk/dgaOMgRCkJgTGiShh1URv11RQ\n"
	"J4H4uN8mba22mdxrtfZJGV92ESupZdAbfjKLaemu5vhws4d158XlsoDPVv8DF+Dx\n"
	"yShTzexsq1xQW5soGHCoMOiqIlt3iap+TG34J4+PKDQXBWOoqtBWtgKo3K+BdQjm\n"
	"Q77JT+9XAgMBAAECggEAVb/f0UJrSRX2ZXWj/s83LKtA3IodND+MszroKxb57F4b\n"
	"FDRw+NRRkdeWZljL0GbF1Oyndcfyp/auul4WTZZcpp/49F3sj3sIn8DLvjkxJ1Ej\n"
	"4ojgk3unelZXwANvBIHlaRzFD2fP3/dXlwUY0zccxwhAWpNe/vVOeKvAHNQXi3PZ\n"
	"B1y+nMpz8ykHP7q+R+msz1ldkXczhh0XUdoKzxMWBR0w09B5QmnfaU5HhEuwFcmd\n"
	"1Iu7zhAoAyvB2WuNzZB/jkIYbHTCQ48ViFx5xYzY6NKAzibqfyHVwj5CjiHAAHow\n"
	"9MByFpoLbLEbW7jWVe37fOZr0UgpAJUGhl6MS9+O6QKBgQDwdG/tXcGI+ztIsaFf\n"
	"VVW2xeJeYCs+YGA23pbBaieRfLV52DTTLdZWH/1SD4Jo7Ra1H+9+nqb26jk57ocB\n"
	"ksd5fQR6Q93trtv88mF5CreTG/tcjdpwQe/n7NzQOrsrgmLatuoklwu/LZJKAjnG\n"
	"7MyH3iVkmIpD89s0tyXwDnNkMwKBgQDdNd0r5L87ARVoUQaJccv469/JwxMCdfJR\n"
	"H4KHjE5zfiGWJz50vwz5YEPdJH/b8iOqJhZ8BsWPWEJdDhw2ckDM14SveJQ8IuFP\n"
	"RROsDFgxTN6DfM6Q9bJdUxI/0ybhfZZ8MaTMeoo0P7vUqd4KQXHlNmozn4SqypCS\n"
	"MLcf9s4ETQKBgQCDlMQXGYIpyokzi3iqKZFhFkJ8sJWZabXc8MuAhe2nMJ5CUez+\n"
	"TwwGTzUZbcFIV81gSlyNZpYpchzktcGNO9wKgD4uBetxAIoDjkOGsDWqu9o+WKXb\n"
	"XknBGZ3wGOOJuK0N0KCqazmTYYW3GCaz06tNAmRl+w9WhiBDZaHODqpYfwKBgEQh\n"
	"p+ox/PgWYFqNwh6pDvKu63FABOXYH/b+ZnyLKUqHCZ8unRzmDv/rt1swN7UtgfCQ\n"
	"5JH0n/qDa4UvqF7Yl76/jl1hHP7cm1qH4wQ1lSAyFcKXuSOKmRIHWPKRfUMsJCJC\n"
	"RAi6oUBwdNCONRYhjAvV06XstrbHxvlPycctg8xtAoGAaBWQhRnEGfn1SdhV6i1q\n"
	"CrqQR9e7O+h3YU21SL+11RrLGVuAspx38Edng6TrE7TxD3JDXiJB7euoFhcF9idA\n"
	"0olPbALRUE5jzyaygw7OpQdcVvAXzsJGGF9HSnhaOrtdStEHLA8ZYZukehfIoPUX\n"
	"CEqm7U06hPy23q4p4oGXuFI=\n"
	"-----END PRIVATE KEY-----\n";

static const char p384_pem[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDCHOKsn9Rfh/KmTyfss\n"
	"J+r+qkJBPABUSmYdiNfLSCBzoEiLOWBbZBo9hlbaGLoEGBmhZANiAATL/GoidG/C\n"
	"MOwOhfCR01+l7945fIZB3w0dfXNE0odpe6eklWZ1k4rGIDGYFQNj8FjeivtAw5Lc\n"
	"3Qa0ckl9VPsoArVbtjiI2SknKkJ376UxqSwunsuRDpWf3gVARjnp2Zc=\n"
	"-----END PRIVATE KEY-----\n";

static const char p521_pem[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MIHuAgEAMBAGByqGSM49AgEGBSuBBAAjBIHWMIHTAgEBBEIAzuHQBeEJc8zqBN8A\n"
	"XI+T6+Q9qTIJsSuYEFVC5UYp0QK46XjmvFfgFFtYTzmrbNLuIzJ3z3gat7yCN4cX\n"
	"gP5RPl+hgYkDgYYABABSgEYPxnuQ0r4cVPhzL2hLCaQ6Vk7e3fifZhgJtaKMgfrK\n"
	"pYhPI4HR/1ilAtEuEvv0hy6UPiZdPT9ZUg+YDf8x5AG3V3CErkZ4PQ4+aPqgOYOQ\n"
	"zCCBGQSWDg5zdIwu2LZHfqJUSKRHlIzbPnCshA/0pTeJ9Vt1AIrlPjjyeHCFx/7K\n"
	"6Q==\n"
	"-----END PRIVATE KEY-----\n";

/* test_file - a file in a temporary directory, 0600; its path is owned by the caller, test_file_gone() removes both */
static inline char *test_file(const char *name, const char *text)
{
	char dir[] = "/tmp/berth-unit.XXXXXX", *path = xmalloc(sizeof(dir) + 1 + strlen(name));
	FILE *f;

	if (!mkdtemp(dir))
		abort();
	stpcpy(stpcpy(stpcpy(path, dir), "/"), name);
	if (!text)
		return path;
	f = fopen(path, "w");
	if (!f || chmod(path, 0600) < 0 || fputs(text, f) < 0 || fclose(f) < 0)
		abort();
	return path;
}

static inline void test_file_gone(char *path)
{
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	free(path);
}

static inline struct key *test_key(const char *pem)
{
	cleanup_err struct err e = ERR_INIT;
	char *path = test_file("key.pem", pem);
	struct key *k = key_load(path, &e);

	if (!k) {
		printf("Bail out! %s\n", e.detail);
		exit(1);
	}
	test_file_gone(path);
	return k;
}

/* test_jwk - the key of a JWK, or NULL with *e */
static inline struct key *test_jwk(const char *text, struct err *e)
{
	cleanup_json struct json_object *jwk = NULL;
	struct json_fault f;

	jwk = json_read(text, strlen(text), &f);
	if (!jwk) {
		printf("Bail out! %s\n", f.what);
		exit(1);
	}
	return key_from_jwk(jwk, e);
}

#endif
