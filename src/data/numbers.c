#include "data/numbers.h"

#include <math.h>
#include <string.h>

dt_numbers dt_numbers_of(dt_number_kind kind, size_t size, bool big_endian)
{
    static const dt_numbers known[] = {
        {"unsigned bytes", DT_NUMBER_UNSIGNED, 1, false},
        {"uint16", DT_NUMBER_UNSIGNED, 2, false},
        {"uint32", DT_NUMBER_UNSIGNED, 4, false},
        {"uint64", DT_NUMBER_UNSIGNED, 8, false},
        {"signed bytes", DT_NUMBER_SIGNED, 1, false},
        {"int16", DT_NUMBER_SIGNED, 2, false},
        {"int32", DT_NUMBER_SIGNED, 4, false},
        {"int64", DT_NUMBER_SIGNED, 8, false},
        {"float16", DT_NUMBER_FLOAT, 2, false},
        {"float32", DT_NUMBER_FLOAT, 4, false},
        {"float64", DT_NUMBER_FLOAT, 8, false},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].kind == kind && known[i].size == size)
            return (dt_numbers){known[i].name, kind, size, big_endian};
    return (dt_numbers){.name = NULL};
}

dt_element dt_numbers_element(const dt_numbers *type)
{
    if (type->kind == DT_NUMBER_UNSIGNED && type->size == 1)
        return DT_U8;
    return type->size <= (type->kind == DT_NUMBER_FLOAT ? 4u : 2u) ? DT_F32 : DT_F64;
}

static uint64_t bits_of(const dt_numbers *type, const unsigned char *bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < type->size; i++)
        value = value << 8 | bytes[type->big_endian ? i : type->size - 1 - i];
    return value;
}

/* IEEE 754's binary16: 1 bit of sign, 5 of exponent, 10 of fraction. */
static double float16(uint64_t bits)
{
    const int exponent = (int)(bits >> 10 & 31);
    const double fraction = (double)(bits & 1023), sign = bits & 0x8000 ? -1 : 1;
    if (exponent == 31)
        return fraction != 0 ? NAN : sign * INFINITY;
    return sign * (exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24));
}

static double floating(const dt_numbers *type, const unsigned char *bytes)
{
    const uint64_t bits = bits_of(type, bytes);
    if (type->size == 2)
        return float16(bits);
    if (type->size == 4) {
        const uint32_t half = (uint32_t)bits;
        float value;
        memcpy(&value, &half, sizeof value);
        return (double)value;
    }
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The number, and whether an int64 holds it. */
static bool integer(const dt_numbers *type, const unsigned char *bytes, int64_t *value)
{
    const uint64_t bits = bits_of(type, bytes);
    const uint64_t sign = type->kind == DT_NUMBER_SIGNED ? UINT64_C(1) << (8 * type->size - 1) : 0;
    if (sign == 0 && bits > INT64_MAX)
        return false;
    *value = (int64_t)((bits ^ sign) - sign);
    return true;
}

/* The number as a double; false where it is not finite, or an integer too large to be exact. */
static bool number(const dt_numbers *type, const unsigned char *bytes, double *value)
{
    if (type->kind == DT_NUMBER_FLOAT) {
        *value = floating(type, bytes);
        return isfinite(*value);
    }
    const int64_t most = INT64_C(1) << 53;
    int64_t whole = INT64_MAX;
    const bool fits = integer(type, bytes, &whole);
    *value = (double)whole;
    return fits && whole >= -most && whole <= most;
}

size_t dt_numbers_to_f64(const dt_numbers *type, size_t n, const unsigned char *from, void *to)
{
    double *x = to;
    for (size_t i = 0; i < n; i++)
        if (!number(type, from + i * type->size, &x[i]))
            return i;
    return n;
}

static size_t to_f32(const dt_numbers *type, size_t n, const unsigned char *from, void *to)
{
    float *x = to;
    for (size_t i = 0; i < n; i++) {
        double value;
        const bool good = number(type, from + i * type->size, &value);
        x[i] = (float)value;
        if (!good)
            return i;
    }
    return n;
}

size_t dt_numbers_to_elements(const dt_numbers *type, size_t n, const unsigned char *from, void *to)
{
    switch (dt_numbers_element(type)) {
    case DT_U8:
        memcpy(to, from, n);
        return n;
    case DT_F32:
        return to_f32(type, n, from, to);
    case DT_F64:
        break;
    }
    return dt_numbers_to_f64(type, n, from, to);
}

size_t dt_numbers_to_labels(const dt_numbers *type, size_t n, const unsigned char *from, void *to)
{
    int32_t *label = to;
    for (size_t i = 0; i < n; i++) {
        int64_t value = INT64_MAX;
        (void)integer(type, from + i * type->size, &value);
        label[i] = value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : (int32_t)value;
        if (label[i] < 0 || label[i] > DT_LABEL_MAX)
            return i;
    }
    return n;
}
