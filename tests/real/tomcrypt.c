/* Loads an RSA key with libtomcrypt, wipes what it was read from, signs with it, makes keys of three curves, which it writes into files,
   and waits. */
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

/* Makes a key of so many bytes, and writes its private number to a file. */
static void make(ecc_key *key, int size, int random, const char *name)
{
    unsigned char number[66] = {0};
    unsigned long len;
    check(ecc_make_key(NULL, random, size, key));
    len = ltc_mp.unsigned_size(key->k);
    check(ltc_mp.unsigned_write(key->k, number));
    FILE *file = fopen(name, "wb");
    setvbuf(file, NULL, _IONBF, 0);
    fwrite(number, 1, len, file);
    fclose(file);
    explicit_bzero(number, sizeof number);
}

int main(void)
{
    static rsa_key key;
    static ecc_key curves[3];
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
    make(&curves[0], 32, random, "k256");
    make(&curves[1], 48, random, "k384");
    make(&curves[2], 65, random, "k521");
    puts("READY");
    fflush(stdout);
    getchar();
}
