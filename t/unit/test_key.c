/* SPDX-License-Identifier: Apache-2.0 */
/* key: the vectors of RFC 7515, 7638 and 8037, which keys are accepted, signatures, and the file of a private key. */

#include "jose/key.h"

#include <dirent.h>
#include <sys/wait.h>

#include "auth_keys.h"
#include "base/b64.h"
#include "tap.h"

#define RSA_N RSA_N_BEGIN "XpoQ"
#define RSA_N_BUT_EVEN RSA_N_BEGIN "XpoA"
#define RSA_N_BEGIN "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-" \
	"pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665" \
	"xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyu"
#define EC_JWK "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
#define EC_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define EC_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define ED_X "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"

/* RFC 7515, appendices A.2 to A.4, RFC 8037, A.4, and the token of registry:2's documentation */
static const struct {
	const char *title, *jwk, *input, *sig;
	enum key_alg alg;
} signed_by_others[] = {
	{ "RFC 7515, A.2", "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RSA_N "\"}",
	  "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
	  "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZ"
	  "cAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-e"
	  "OkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
	  KEY_RS256 },
	{ "RFC 7515, A.3", EC_JWK,
	  "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
	  "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q", KEY_ES256 },
	{ "RFC 7515, A.4",
	  "{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxc"
	  "WceqwQGk\",\"y\":\"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2\"}",
	  "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA",
	  "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3"
	  "xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn", KEY_ES512 },
	{ "RFC 8037, A.4", "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "\"}",
	  "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
	  "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg", KEY_EDDSA },
};

static void test_signed_by_others(void)
{
	for (size_t i = 0; i < ARRAY_LEN(signed_by_others); i++) {
		const char *input = signed_by_others[i].input, *title = signed_by_others[i].title;
		cleanup_key struct key *k = test_jwk(signed_by_others[i].jwk, NULL);
		cleanup_str struct str sig = STR_INIT;
		bool others = false;

		if (!ok(k != NULL, "%s: the key is one", title))
			continue;
		b64_decode(B64_URL, signed_by_others[i].sig, strlen(signed_by_others[i].sig), &sig);
		ok(key_verify(k, signed_by_others[i].alg, input, strlen(input), sig.buf, sig.len), "%s verifies", title);
		ok(!key_verify(k, signed_by_others[i].alg, input, strlen(input) - 1, sig.buf, sig.len),
		   "%s: not with a byte less signed", title);
		ok(!key_verify(k, signed_by_others[i].alg, input, strlen(input), sig.buf, sig.len - 1),
		   "%s: not with a byte less of the signature", title);
		str_addc(&sig, '\0');
		ok(!key_verify(k, signed_by_others[i].alg, input, strlen(input), sig.buf, sig.len),
		   "%s: not with a byte more of it", title);
		sig.len--;
		for (enum key_alg alg = 0; alg < KEY_ALG_COUNT; alg++)
			others = others || (alg != signed_by_others[i].alg && key_verify(k, alg, input, strlen(input), sig.buf, sig.len));
		ok(!others, "%s: not by any other algorithm", title);
		sig.buf[5] ^= 1;
		ok(!key_verify(k, signed_by_others[i].alg, input, strlen(input), sig.buf, sig.len), "%s: not with another bit", title);
	}
}

static void test_names(void)
{
	cleanup_str struct str jwk = STR_INIT, pem = STR_INIT;
	cleanup_key struct key *rsa = test_jwk("{\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1"
		"RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY36"
		"8QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqb"
		"w0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\",\"e\":\"AQAB\",\"alg\":\"RS256\",\"kid\":\"2011-04-29\"}", NULL);
	cleanup_key struct key *ed = test_jwk("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "\"}", NULL);
	cleanup_key struct key *ec = test_jwk("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"m7zUpx3b-zmVE5cymSs64POG9QcyEpJaYCD82-549_Q\","
		"\"y\":\"dU3biz8sZ_8GPB-odm8Wxz3lNDr1xcAQQPQaOcr1fmc\"}", NULL);

	is_str(key_thumbprint(rsa), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", "RFC 7638, 3.1: the thumbprint of an RSA key");
	is_str(key_thumbprint(ed), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "RFC 8037, A.3: that of an Ed25519 key");
	is_str(key_libtrust_id(ec), "PYYO:TEWU:V7JH:26JV:AQTZ:LJC3:SXVJ:XGHA:34F2:2LAQ:ZRMK:Z7Q6",
	       "libtrust's name of the key in registry:2's documentation");
	is_int(strlen(key_libtrust_id(rsa)), 59, "libtrust's name has twelve groups");
	key_add_jwk(ed, &jwk);
	is_str(jwk.buf, "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"" ED_X "\",\"kid\":\"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k\",\"use\":\"sig\"}",
	       "a key is written as a JWK");
	key_add_pem(ed, &pem);
	is_str(pem.buf, "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n",
	       "and as PEM");
	ok(!key_is_private(ed) && key_kind(ed) == KEY_ED25519 && key_kind(rsa) == KEY_RSA && key_kind(ec) == KEY_P256,
	   "a key knows what it is");
}

static void test_algorithms(void)
{
	static const char *const no[] = { "none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "eddsa", "Ed25519", "ES256K",
					  "ES256 ", "es256", "PS384", "PS512", "RS1", "A128KW", "RSA1_5", "dir" };
	enum key_alg alg;

	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		ok(key_alg_parse(no[i], strlen(no[i]), &alg) < 0, "'%s' is no algorithm here", no[i]);
	is_int(alg, KEY_ALG_COUNT, "what is none is not taken for one");
	ok(key_alg_parse("RS256\0", 6, &alg) < 0, "nor is one with NUL behind it");
	for (enum key_alg i = 0; i < KEY_ALG_COUNT; i++)
		ok(key_alg_parse(key_alg_name(i), strlen(key_alg_name(i)), &alg) == 0 && alg == i, "%s is one", key_alg_name(i));
}

static void test_refused_keys(void)
{
	static const struct {
		const char *jwk, *why;
	} t[] = {
		{ "[]", "not a JWK: no \"kty\"" },
		{ "{}", "not a JWK: no \"kty\"" },
		{ "{\"kty\":1}", "not a JWK: no \"kty\"" },
		{ "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}",
		  "a JWK of an unsupported type: oct" },
		{ "{\"kty\":\"RSA\",\"e\":\"AQAB\"}", "a JWK without \"n\"" },
		{ "{\"kty\":\"RSA\",\"n\":\"" RSA_N "\"}", "a JWK without \"e\"" },
		{ "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RSA_N "=\"}", "a JWK with a \"n\" that is too long or not base64url" },
		{ "{\"kty\":\"RSA\",\"e\":\"AQ\",\"n\":\"" RSA_N "\"}", NULL },
		{ "{\"kty\":\"RSA\",\"e\":\"AQAA\",\"n\":\"" RSA_N "\"}", NULL },
		{ "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"rA0UJsFYsBzCo4Zwd17rMH9G17peTBUmADNvphAqQlNiIKFWuErw9PB36uXxFBkWMFhWmx"
		  "vxt9kCvYBgyspYyM15ssXQ7BaKc5m4mKOCScqQ1pC5V2dftU1k5kB9V8PQDd-AF3aQT097Sbozi_IRM1JFtk9CGFM3tkk3m6HE9z8\"}",
		  "an RSA key of 1024 bits; 2048 to 8192 are supported" },
		{ "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RSA_N_BUT_EVEN "\"}", "a key with invalid numbers" },
		{ "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\"}", "a JWK without \"y\"" },
		{ "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"" EC_X "\"}", "a JWK with invalid numbers" },
		{ "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}", "an EC key with a coordinate that is too short" },
		{ "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}", "an EC key with a coordinate that is too short" },
		{ "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA" EC_X "\",\"y\":\"" EC_Y "\"}", "a JWK with a \"x\" that is too long or not base64url" },
		{ "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}",
		  "an EC key on a curve other than P-256, P-384 and P-521" },
		{ "{\"kty\":\"EC\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}", "an EC key on a curve other than P-256, P-384 and P-521" },
		{ "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" ED_X "\"}", "an OKP key on a curve other than Ed25519" },
		{ "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}", "an Ed25519 key that is not 32 bytes long" },
		{ "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "\",\"use\":\"enc\"}", "a JWK whose \"use\" is not \"sig\"" },
		{ "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "\",\"key_ops\":[\"sign\"]}", "a JWK whose \"key_ops\" do not include \"verify\"" },
		{ "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "\",\"key_ops\":\"verify\"}", "a JWK whose \"key_ops\" do not include \"verify\"" },
	};
	static const char good[] = "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "\",\"use\":\"sig\",\"key_ops\":[1,\"verify\"],\"d\":7}";
	cleanup_key struct key *taken = test_jwk(good, NULL);

	ok(taken && !key_is_private(taken), "a JWK for verifying is taken, its private part not even looked at");
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		cleanup_err struct err e = ERR_INIT;
		cleanup_key struct key *k = test_jwk(t[i].jwk, &e);

		ok(!k, "%.70s... is refused", t[i].jwk);
		is_str(t[i].why ? e.detail : "", t[i].why ? t[i].why : "", "and why");
	}
}

static void test_signing(void)
{
	struct key *all[] = { key_make(KEY_ED25519), key_make(KEY_P256), test_key(p384_pem), test_key(p521_pem), test_key(rsa_pem) };

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		for (enum key_alg alg = 0; alg < KEY_ALG_COUNT; alg++) {
			cleanup_str struct str sig = STR_INIT;
			cleanup_err struct err e = ERR_INIT;
			int rc = key_sign(all[i], alg, "text", 4, &sig, &e);

			if (!key_fits(all[i], alg)) {
				ok(rc < 0 && !sig.len, "a key of kind %d does not sign with %s", key_kind(all[i]), key_alg_name(alg));
				continue;
			}
			ok(rc == 0 && key_verify(all[i], alg, "text", 4, sig.buf, sig.len), "what was signed with %s verifies",
			   key_alg_name(alg));
			for (size_t j = 0; j < ARRAY_LEN(all); j++)
				if (j != i && key_verify(all[j], alg, "text", 4, sig.buf, sig.len))
					ok(false, "not with another key");
		}
	}
	is_int(key_default_alg(all[0]), KEY_EDDSA, "Ed25519 signs with EdDSA");
	is_int(key_default_alg(all[1]), KEY_ES256, "P-256 signs with ES256");
	is_int(key_default_alg(all[4]), KEY_RS256, "RSA signs with RS256");
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		key_close(&all[i]);
}

/* Of a few hundred signatures some have numbers that begin with zeros. */
static void test_length(void)
{
	cleanup_key struct key *k = key_make(KEY_P256);
	int good = 0;

	for (int i = 0; i < 600; i++) {
		cleanup_str struct str sig = STR_INIT;

		good += key_sign(k, KEY_ES256, &i, sizeof(i), &sig, NULL) == 0 && sig.len == 64 &&
			key_verify(k, KEY_ES256, &i, sizeof(i), sig.buf, sig.len);
	}
	is_int(good, 600, "a signature of ES256 always has 64 bytes");
}

/* Numbers that a careless verifier accepts. */
static void test_forged_signatures(void)
{
	cleanup_key struct key *ec = key_make(KEY_P256), *rsa = test_key(rsa_pem);
	cleanup_str struct str sig = STR_INIT, other = STR_INIT;
	unsigned char raw[66] = { 0 };

	ok(!key_verify(ec, KEY_ES256, "text", 4, raw, 64), "r and s that are zero verify nothing");
	raw[31] = 1;
	ok(!key_verify(ec, KEY_ES256, "text", 4, raw, 64), "nor do they where s alone is");
	key_sign(ec, KEY_ES256, "text", 4, &sig, NULL);
	raw[0] = 0;
	memcpy(raw + 1, sig.buf, 32);
	memcpy(raw + 34, sig.buf + 32, 32);
	raw[33] = 0;
	ok(!key_verify(ec, KEY_ES256, "text", 4, raw, 66), "a good signature with a zero in front of r and s is too long");
	ok(!key_verify(ec, KEY_ES256, "text", 4, sig.buf, 32), "half of it is too short");
	ok(!key_verify(ec, KEY_ES256, "text", 4, "", 0), "none at all is none");
	memset(raw, 0xff, sizeof(raw));
	ok(!key_verify(ec, KEY_ES256, "text", 4, raw, 64), "r and s beyond the order of the curve verify nothing");

	key_sign(rsa, KEY_RS384, "text", 4, &other, NULL);
	ok(!key_verify(rsa, KEY_RS256, "text", 4, other.buf, other.len), "RSA: a signature of another hash is none");
	str_reset(&other);
	key_sign(rsa, KEY_PS256, "text", 4, &other, NULL);
	ok(!key_verify(rsa, KEY_RS256, "text", 4, other.buf, other.len), "nor one of another padding");
	str_reset(&other);
	key_sign(rsa, KEY_RS256, "text", 4, &other, NULL);
	ok(!key_verify(rsa, KEY_PS256, "text", 4, other.buf, other.len), "the other way round too");
	ok(!key_verify(rsa, KEY_RS256, "text", 4, other.buf + 1, other.len - 1), "nor one that is cut in front");
}

static void test_pem(void)
{
	cleanup_str struct str text = STR_INIT;
	cleanup_key struct key *ed = key_make(KEY_ED25519), *rsa = test_key(rsa_pem), *got = NULL;
	cleanup_err struct err e = ERR_INIT;
	struct key_pem *pem;

	str_puts(&text, "a remark\n");
	key_add_pem(ed, &text);
	str_puts(&text, rsa_pem);
	str_puts(&text, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");
	str_puts(&text, "-----BEGIN PUBLIC KEY-----\n!!!!\n-----END PUBLIC KEY-----\n");
	key_add_pem(rsa, &text);
	pem = key_pem_open(text.buf, text.len);
	is_int(key_pem_next(pem, &got, &e), 1, "a bundle's first key is read");
	is_str(key_thumbprint(got), key_thumbprint(ed), "it is that key");
	ok(!key_is_private(got), "and public");
	key_close(&got);
	is_int(key_pem_next(pem, &got, &e), -1, "a private key is not taken from a bundle");
	is_str(e.detail, "a private key where a public key is expected", "and why");
	is_int(key_pem_next(pem, &got, &e), -1, "nor what is no key");
	is_int(key_pem_next(pem, &got, &e), -1, "nor a block that is broken");
	is_int(key_pem_next(pem, &got, &e), 1, "the key behind them is");
	is_str(key_thumbprint(got), key_thumbprint(rsa), "it is the other");
	key_close(&got);
	is_int(key_pem_next(pem, &got, &e), 0, "then there is no more");
	is_int(key_pem_next(pem, &got, &e), 0, "and stays so");
	key_pem_close(&pem);
	pem = key_pem_open("", 0);
	is_int(key_pem_next(pem, &got, &e), 0, "an empty text has no key");
	key_pem_close(&pem);
}

static size_t count_files(const char *path)
{
	char *dir = strdup(path);
	struct dirent *d;
	size_t n = 0;
	DIR *dh;

	*strrchr(dir, '/') = '\0';
	dh = opendir(dir);
	while (dh && (d = readdir(dh)))
		n += strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
	if (dh)
		closedir(dh);
	free(dir);
	return n;
}

static void test_file_of_a_key(void)
{
	char *path = test_file("sign.key", NULL);
	cleanup_err struct err e = ERR_INIT;
	cleanup_key struct key *first = NULL, *again = NULL;
	struct stat st = { 0 };
	mode_t mask = umask(0);

	ok(!key_load(path, &e), "a key that is not there is not loaded");
	first = key_load_or_make(path, KEY_ED25519, &e);
	ok(first && key_is_private(first) && key_kind(first) == KEY_ED25519, "it is made at first use");
	ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600, "its file is 0600, whatever the umask");
	is_int(count_files(path), 1, "and nothing is left beside it");
	again = key_load_or_make(path, KEY_P256, &e);
	ok(again && strcmp(key_thumbprint(first), key_thumbprint(again)) == 0, "later it is the same, of whatever kind one asks for");
	key_close(&again);
	chmod(path, 0604);
	ok(!key_load_or_make(path, KEY_ED25519, &e) && strstr(e.detail, "others may read"), "a key that others may read is refused");
	chmod(path, 0620);
	ok(!key_load_or_make(path, KEY_ED25519, &e), "and one that the group may write");
	chmod(path, 0640);
	again = key_load_or_make(path, KEY_ED25519, &e);
	ok(again != NULL, "one that the group may read is taken");
	umask(mask);
	test_file_gone(path);
}

static void test_broken_files(void)
{
	static const struct {
		const char *text, *title;
	} t[] = {
		{ "", "an empty file" },
		{ "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAAA\n", "one that breaks off" },
		{ "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n",
		  "a public key" },
		{ "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGjMF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBA=\n-----END ENCRYPTED PRIVATE KEY-----\n",
		  "a key behind a passphrase" },
		{ "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF\n\n"
		  "AAAAAAAAAAAAAAAAAAAAAA==\n-----END EC PRIVATE KEY-----\n", "a key behind a passphrase of the old form" },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		char *path = test_file("sign.key", t[i].text);
		cleanup_err struct err e = ERR_INIT;
		cleanup_key struct key *k = key_load_or_make(path, KEY_ED25519, &e);
		char text[1024] = "";
		FILE *f;

		ok(!k && strncmp(e.detail, path, strlen(path)) == 0, "%s is refused, and the file named", t[i].title);
		f = fopen(path, "r");
		ok(f && fread(text, 1, sizeof(text) - 1, f) == strlen(t[i].text) && strcmp(text, t[i].text) == 0, "it stays as it is");
		if (f)
			fclose(f);
		test_file_gone(path);
	}
}

/* Machines that start at once: the first link(2) wins, and all use that key. */
static void test_race(void)
{
	char *path = test_file("sign.key", NULL);
	char names[16][44];
	pid_t pid[16];
	int pipes[16][2], status, good = 0;
	cleanup_key struct key *k = NULL;

	for (size_t i = 0; i < ARRAY_LEN(pid); i++) {
		if (pipe(pipes[i]) < 0)
			abort();
		fflush(stdout);
		pid[i] = fork();
		if (pid[i] == 0) {
			struct key *mine = key_load_or_make(path, i % 2 ? KEY_P256 : KEY_ED25519, NULL);
			bool told = mine && write(pipes[i][1], key_thumbprint(mine), 44) == 44;

			key_close(&mine);
			_exit(told ? 0 : 1);
		}
		close(pipes[i][1]);
	}
	for (size_t i = 0; i < ARRAY_LEN(pid); i++) {
		if (waitpid(pid[i], &status, 0) != pid[i] || status || read(pipes[i][0], names[i], 44) != 44)
			names[i][0] = '\0';
		close(pipes[i][0]);
	}
	k = key_load(path, NULL);
	for (size_t i = 0; k && i < ARRAY_LEN(names); i++)
		good += strcmp(names[i], key_thumbprint(k)) == 0;
	is_int(good, ARRAY_LEN(names), "sixteen that start at once have one key, the one that is on disk");
	is_int(count_files(path), 1, "and nothing is left beside it");
	test_file_gone(path);
}

int main(void)
{
	test_signed_by_others();
	test_names();
	test_algorithms();
	test_refused_keys();
	test_signing();
	test_length();
	test_forged_signatures();
	test_pem();
	test_file_of_a_key();
	test_broken_files();
	test_race();
	return done_testing();
}
