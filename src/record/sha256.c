#include "record/sha256.h"

#include <openssl/evp.h>

dt_status dt_sha256(const dt_bytes *pieces, size_t count, char hex[65], dt_error *error)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int good = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    for (size_t i = 0; good && i < count; i++)
        good = EVP_DigestUpdate(context, pieces[i].data, pieces[i].size);
    good = good && EVP_DigestFinal_ex(context, digest, NULL);
    EVP_MD_CTX_free(context);
    if (!good)
        return dt_fail(error, DT_SYSTEM, "OpenSSL can't compute SHA-256; is this a restricted build of it?");
    for (size_t i = 0; i < 32; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[64] = '\0';
    return DT_OK;
}
