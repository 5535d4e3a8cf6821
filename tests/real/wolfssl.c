/* Loads keys of RSA, P-256 and X25519 with wolfSSL, wipes what they were read from, uses each, and waits. */
#define _GNU_SOURCE
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/curve25519.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char bytes[8192];

static void check(int result)
{
    if (result < 0) {
        fprintf(stderr, "%d\n", result);
        exit(1);
    }
}

static word32 read_file(const char *name)
{
    FILE *file = fopen(name, "rb");
    setvbuf(file, NULL, _IONBF, 0);
    size_t read = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return read;
}

int main(void)
{
    static WC_RNG rng;
    static RsaKey rsa;
    static ecc_key p256;
    static curve25519_key x25519;
    unsigned char digest[32] = {1, 2, 3}, signature[512], public[32];
    word32 at = 0, len = sizeof signature;
    check(wc_InitRng(&rng));
    check(wc_InitRsaKey(&rsa, NULL));
    check(wc_RsaPrivateKeyDecode(bytes, &at, &rsa, read_file("rsa")));
    check(wc_RsaSetRNG(&rsa, &rng));
    check(wc_RsaSSL_Sign(digest, sizeof digest, signature, sizeof signature, &rsa, &rng));
    check(wc_ecc_init(&p256));
    at = 0;
    check(wc_EccPrivateKeyDecode(bytes, &at, &p256, read_file("p256")));
    check(wc_ecc_sign_hash(digest, sizeof digest, signature, &len, &rng, &p256));
    read_file("x25519");
    check(wc_curve25519_init(&x25519));
    check(wc_curve25519_make_pub(sizeof public, public, 32, bytes));
    check(wc_curve25519_import_private_raw_ex(bytes, 32, public, sizeof public, &x25519, EC25519_LITTLE_ENDIAN));
    explicit_bzero(bytes, sizeof bytes);
    explicit_bzero(public, sizeof public);
    puts("READY");
    fflush(stdout);
    getchar();
}
