/* Keeps AES keys of files as OpenSSL does: for decryption only, of 192 bits, and two for XTS. */
#include <openssl/aes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

static void take(const char *name, unsigned char *to, size_t len) {
    FILE *file = fopen(name, "rb");
    if (!file) exit(2);
    setvbuf(file, NULL, _IONBF, 0);
    if (fread(to, 1, len, file) != len) exit(3);
    fclose(file);
}

int main(void) {
    unsigned char key[64], block[64] = {0}, out[96];
    int len = 0;
    AES_KEY *decrypt = malloc(sizeof *decrypt);
    EVP_CIPHER_CTX *cbc = EVP_CIPHER_CTX_new(), *xts = EVP_CIPHER_CTX_new();
    take("aes256", key, 32);
    if (AES_set_decrypt_key(key, 256, decrypt)) return 4;
    AES_decrypt(block, out, decrypt);
    take("aes192", key, 24);
    if (!EVP_EncryptInit_ex(cbc, EVP_aes_192_cbc(), NULL, key, block)) return 5;
    EVP_EncryptUpdate(cbc, out, &len, block, 32);
    take("xts", key, 64);
    if (!EVP_EncryptInit_ex(xts, EVP_aes_256_xts(), NULL, key, block)) return 6;
    EVP_EncryptUpdate(xts, out, &len, block, 64);
    OPENSSL_cleanse(key, sizeof key);
    puts("READY");
    fflush(stdout);
    getchar();
    return 0;
}
