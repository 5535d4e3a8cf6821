/* Signs with the keys of files with NSS, and waits. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cryptohi.h>
#include <nss.h>
#include <pk11pub.h>

static void sign(const char *file, SECOidTag algorithm)
{
    static unsigned char der[8192];
    int from = open(file, O_RDONLY);
    SECItem data = {siBuffer, der, read(from, der, sizeof der)}, signature;
    SECKEYPrivateKey *key;
    close(from);
    unlink(file);
    int bad = PK11_ImportDERPrivateKeyInfoAndReturnKey(PK11_GetInternalSlot(), &data, NULL, NULL, PR_FALSE, PR_TRUE,
                                                       KU_ALL, &key, NULL) ||
              SEC_SignData(&signature, (unsigned char *)"message", 7, key, algorithm);
    explicit_bzero(der, sizeof der);
    if (bad)
        exit(1);
}

int main(void)
{
    NSS_NoDB_Init(NULL);
    sign("rsa", SEC_OID_PKCS1_SHA256_WITH_RSA_ENCRYPTION);
    sign("p256", SEC_OID_ANSIX962_ECDSA_SHA256_SIGNATURE);
    puts("READY");
    fflush(stdout);
    getchar();
}
