/* Keeps keys of files in contexts of OpenSSL in which no constant stands beside them: of ChaCha20, with a block that is used in part and
   with none, and of session tickets. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/tls1.h>
#include <stdio.h>
#include <stdlib.h>

static void take(const char *name, unsigned char *to, size_t len) {
    FILE *file = fopen(name, "rb");
    if (!file) exit(2);
    setvbuf(file, NULL, _IONBF, 0);
    if (fread(to, 1, len, file) != len) exit(3);
    fclose(file);
}

static EVP_CIPHER_CTX *encrypting(const char *name, const EVP_CIPHER *cipher, int len) {
    unsigned char key[32], nonce[16], in[300] = {0}, out[400];
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int written;
    take(name, key, sizeof key);
    take("nonce", nonce, sizeof nonce);
    nonce[3] = 0;
    if (!EVP_EncryptInit_ex(context, cipher, NULL, key, nonce)) exit(4);
    if (len && !EVP_EncryptUpdate(context, out, &written, in, len)) exit(5);
    OPENSSL_cleanse(key, sizeof key);
    return context;
}

int main(void) {
    unsigned char tickets[80];
    SSL_CTX *server = SSL_CTX_new(TLS_server_method());
    EVP_CIPHER_CTX *kept[3];
    take("tickets", tickets, sizeof tickets);
    if (!SSL_CTX_set_tlsext_ticket_keys(server, tickets, sizeof tickets)) return 6;
    OPENSSL_cleanse(tickets, sizeof tickets);
    kept[0] = encrypting("part", EVP_chacha20(), 100);
    kept[1] = encrypting("fresh", EVP_chacha20(), 0);
    kept[2] = encrypting("sealed", EVP_chacha20_poly1305(), 300);
    puts("READY");
    fflush(stdout);
    getchar();
    return kept[0] == kept[1];
}
