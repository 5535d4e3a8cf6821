/* Loads an RSA key with libtomcrypt, wipes what it was read from, signs with it, and waits. */
#define _GNU_SOURCE
#define LTM_DESC
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tomcrypt.h>

static unsigned char der[8192];

static void check(int error)
{
    if (error != CRYPT_OK) {
        fprintf(stderr, "%s\n", error_to_string(error));
        exit(1);
    }
}

int main(void)
{
    static rsa_key key;
    unsigned char digest[32] = {1, 2, 3}, signature[512];
    unsigned long len = sizeof signature;
    ltc_mp = ltm_desc;
    int hash = register_hash(&sha256_desc), random = register_prng(&sprng_desc);
    FILE *file = fopen("rsa", "rb");
    setvbuf(file, NULL, _IONBF, 0);
    size_t read = fread(der, 1, sizeof der, file);
    fclose(file);
    check(rsa_import_pkcs8(der, read, NULL, 0, &key));
    explicit_bzero(der, sizeof der);
    check(rsa_sign_hash(digest, sizeof digest, signature, &len, NULL, random, hash, 8, &key));
    puts("READY");
    fflush(stdout);
    getchar();
}
