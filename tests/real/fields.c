/* Loads a key of DSA and two of Diffie-Hellman with OpenSSL, wipes what they were read from, uses them, and waits. */
#define _GNU_SOURCE
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char der[16384];

static void need(int right)
{
    if (!right)
        exit(1);
}

static EVP_PKEY *loaded(const char *file)
{
    FILE *read = fopen(file, "rb");
    need(read != NULL);
    setvbuf(read, NULL, _IONBF, 0);
    size_t len = fread(der, 1, sizeof der, read);
    fclose(read);
    const unsigned char *at = der;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &at, (long)len);
    need(key != NULL);
    explicit_bzero(der, sizeof der);
    return key;
}

static void sign(EVP_PKEY *key)
{
    unsigned char digest[32] = {1, 2, 3}, signature[256];
    size_t len = sizeof signature;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    need(EVP_PKEY_sign_init(context) > 0 && EVP_PKEY_sign(context, signature, &len, digest, sizeof digest) > 0);
    EVP_PKEY_CTX_free(context);
}

static void agree(EVP_PKEY *key)
{
    unsigned char shared[1024];
    size_t len = sizeof shared;
    EVP_PKEY *peer = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    need(EVP_PKEY_keygen_init(context) > 0 && EVP_PKEY_keygen(context, &peer) > 0);
    EVP_PKEY_CTX_free(context);
    context = EVP_PKEY_CTX_new(key, NULL);
    need(EVP_PKEY_derive_init(context) > 0 && EVP_PKEY_derive_set_peer(context, peer) > 0);
    need(EVP_PKEY_derive(context, shared, &len) > 0);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(peer);
}

int main(void)
{
    sign(loaded("dsa"));
    agree(loaded("dh"));
    agree(loaded("own"));
    puts("READY");
    fflush(stdout);
    getchar();
}
