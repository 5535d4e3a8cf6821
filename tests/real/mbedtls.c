/* Loads an RSA key and a key of P-256 with mbedTLS, wipes what they were read from, signs with them, encrypts with keys of AES
 * and of ChaCha20, and waits. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <mbedtls/chachapoly.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/gcm.h>
#include <mbedtls/pk.h>

static unsigned char bytes[8192];
static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context random_bytes;

static void check(int error)
{
    if (error != 0) {
        fprintf(stderr, "-0x%x\n", -error);
        exit(1);
    }
}

static size_t read_file(const char *name)
{
    FILE *file = fopen(name, "rb");
    setvbuf(file, NULL, _IONBF, 0);
    size_t read = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return read;
}

static void load_and_sign(const char *name, mbedtls_pk_context *key)
{
    unsigned char digest[32] = {1, 2, 3}, signature[MBEDTLS_PK_SIGNATURE_MAX_SIZE];
    size_t len;
    mbedtls_pk_init(key);
    check(mbedtls_pk_parse_key(key, bytes, read_file(name), NULL, 0));
    explicit_bzero(bytes, sizeof bytes);
    check(mbedtls_pk_sign(key, MBEDTLS_MD_SHA256, digest, sizeof digest, signature, &len, mbedtls_ctr_drbg_random,
                          &random_bytes));
}

int main(void)
{
    static mbedtls_pk_context rsa, p256;
    static mbedtls_gcm_context gcm;
    static mbedtls_chachapoly_context chacha;
    unsigned char nonce[12] = {5}, text[20] = "in the clear", written[20], tag[16];
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random_bytes);
    check(mbedtls_ctr_drbg_seed(&random_bytes, mbedtls_entropy_func, &entropy, NULL, 0));
    load_and_sign("rsa", &rsa);
    load_and_sign("p256", &p256);
    mbedtls_gcm_init(&gcm);
    read_file("aes256");
    check(mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, bytes, 256));
    check(mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, sizeof text, nonce, 12, NULL, 0, text, written, 16, tag));
    mbedtls_chachapoly_init(&chacha);
    read_file("chacha");
    check(mbedtls_chachapoly_setkey(&chacha, bytes));
    explicit_bzero(bytes, sizeof bytes);
    check(mbedtls_chachapoly_encrypt_and_tag(&chacha, sizeof text, nonce, NULL, 0, text, written, tag));
    puts("READY");
    fflush(stdout);
    getchar();
}
