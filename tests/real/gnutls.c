/* Signs with the keys of files with GnuTLS, and waits. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void sign(const char *file, gnutls_digest_algorithm_t digest)
{
    static unsigned char der[8192];
    int from = open(file, O_RDONLY);
    gnutls_datum_t data = {der, read(from, der, sizeof der)}, message = {(unsigned char *)"message", 7}, signature;
    gnutls_privkey_t key;
    close(from);
    unlink(file);
    int bad = gnutls_privkey_init(&key) || gnutls_privkey_import_x509_raw(key, &data, GNUTLS_X509_FMT_DER, NULL, 0) ||
              gnutls_privkey_sign_data(key, digest, 0, &message, &signature);
    explicit_bzero(der, sizeof der);
    if (bad)
        exit(1);
}

int main(void)
{
    sign("rsa", GNUTLS_DIG_SHA256);
    sign("p256", GNUTLS_DIG_SHA256);
    sign("ed25519", GNUTLS_DIG_SHA512);
    puts("READY");
    fflush(stdout);
    getchar();
}
