/* Weights in, out, and their hash. */
#include <openssl/evp.h>
#include <stdio.h>

#include "base/memory.h"
#include "train/trainer_state.h"

void dt_trainer_weights(const dt_trainer *trainer, int64_t l, void *W, void *b)
{
    trainer->ops->get(trainer->engine, l, W, b);
}

void dt_trainer_set_weights(dt_trainer *trainer, int64_t l, const void *W, const void *b)
{
    trainer->ops->set(trainer->engine, l, W, b);
}

/* Hashes numbers as little-endian bytes. */
static int hash_numbers(EVP_MD_CTX *context, unsigned char *bytes, size_t count, size_t size)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < size / 2; j++) {
            const unsigned char byte = bytes[i * size + j];
            bytes[i * size + j] = bytes[(i + 1) * size - 1 - j];
            bytes[(i + 1) * size - 1 - j] = byte;
        }
#endif
    return EVP_DigestUpdate(context, bytes, count * size);
}

dt_status dt_trainer_weights_sha256(const dt_trainer *trainer, char hex[65], dt_error *error)
{
    const size_t size = dt_precision_size(trainer->experiment->precision);
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int ok = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    for (int64_t l = 1; ok && l <= trainer->layers; l++) {
        const size_t units = (size_t)trainer->units[l], weights = units * (size_t)trainer->units[l - 1];
        unsigned char *W = dt_allocate(weights, size), *b = dt_allocate(units, size);
        ok = W && b;
        if (ok) {
            dt_trainer_weights(trainer, l, W, b);
            ok = hash_numbers(context, W, weights, size) && hash_numbers(context, b, units, size);
        }
        dt_release(W);
        dt_release(b);
    }
    ok = ok && EVP_DigestFinal_ex(context, digest, NULL);
    EVP_MD_CTX_free(context);
    if (!ok)
        return dt_fail_memory(error, "the weights' SHA-256");
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return DT_OK;
}
