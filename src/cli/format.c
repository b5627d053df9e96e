#include "cli/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *dt_format_count(int64_t n, char out[DT_FORMAT_SIZE])
{
    char digits[DT_FORMAT_SIZE];
    int length = snprintf(digits, sizeof digits, "%" PRId64, n), at = 0;
    for (int i = 0; i < length; i++) {
        out[at++] = digits[i];
        int left = length - 1 - i;
        if (left > 0 && left % 3 == 0 && digits[i] != '-')
            out[at++] = ',';
    }
    out[at] = '\0';
    return out;
}

const char *dt_format_bytes(uint64_t bytes, char out[DT_FORMAT_SIZE])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    double value = (double)bytes;
    for (; value >= 1023.95 && unit < 6; unit++)
        value /= 1024;
    snprintf(out, DT_FORMAT_SIZE, "%.*f %s", unit ? 1 : 0, value, units[unit]);
    return out;
}

const char *dt_format_duration(double seconds, char out[DT_FORMAT_SIZE])
{
    if (!(seconds >= 0 && seconds < 1e9)) {
        snprintf(out, DT_FORMAT_SIZE, "-:--");
        return out;
    }
    long s = (long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(out, DT_FORMAT_SIZE, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, DT_FORMAT_SIZE, "%ld:%02ld", s / 60, s % 60);
    return out;
}
