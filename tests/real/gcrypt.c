/* Makes keys with libgcrypt, writes them to files, signs with them, and waits. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <gcrypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check(gcry_error_t error)
{
    if (error) {
        fprintf(stderr, "%s\n", gcry_strerror(error));
        exit(1);
    }
}

static gcry_sexp_t made(const char *how, const char *file)
{
    static char text[16384];
    gcry_sexp_t parameters, pair, key;
    check(gcry_sexp_new(&parameters, how, 0, 1));
    check(gcry_pk_genkey(&pair, parameters));
    key = gcry_sexp_find_token(pair, "private-key", 0);
    size_t len = gcry_sexp_sprint(key, GCRYSEXP_FMT_ADVANCED, text, sizeof text);
    int written = open(file, O_CREAT | O_WRONLY, 0600);
    if (write(written, text, len) != (ssize_t)len)
        exit(1);
    close(written);
    explicit_bzero(text, sizeof text);
    gcry_sexp_release(pair);
    return key;
}

static void sign(gcry_sexp_t key, const char *what)
{
    gcry_sexp_t data, signature;
    check(gcry_sexp_new(&data, what, 0, 1));
    check(gcry_pk_sign(&signature, data, key));
}

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

int main(void)
{
    gcry_check_version(NULL);
    gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
    gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
    sign(made("(genkey (rsa (nbits 4:2048)))", "rsa"), "(data (flags pkcs1)(hash sha256 #" DIGEST "#))");
    sign(made("(genkey (ecc (curve Ed25519)(flags eddsa)))", "ed25519"),
         "(data (flags eddsa)(hash-algo sha512)(value #0123456789abcdef#))");
    sign(made("(genkey (ecc (curve \"NIST P-256\")))", "p256"), "(data (flags raw)(value #" DIGEST "#))");
    puts("READY");
    fflush(stdout);
    getchar();
}
