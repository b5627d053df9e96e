#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/capture.h"
#include "cli/terminal.h"

dt_status dt_sink_open(dt_sink *sink, const char *path, dt_error *error)
{
    *sink = (dt_sink){.stream = stdout, .path = path};
    if (!path)
        return DT_OK;
    dt_status status = dt_new_file_begin(&sink->file, path, error);
    if (status != DT_OK)
        return status;
    const int copy = dup(sink->file.fd);
    sink->stream = copy < 0 ? NULL : fdopen(copy, "w");
    if (sink->stream)
        return DT_OK;
    status = dt_fail_errno(error, errno, path, "open");
    if (copy >= 0)
        close(copy);
    dt_new_file_discard(&sink->file);
    return status;
}

dt_status dt_sink_close(dt_sink *sink, dt_status status, dt_error *error)
{
    if (!sink->path)
        return status == DT_OK ? dt_terminal_flush(error) : status;
    const int failed = ferror(sink->stream);
    if ((fclose(sink->stream) != 0 || failed) && status == DT_OK)
        status = dt_fail_errno(error, errno ? errno : EIO, sink->path, "write");
    if (status == DT_OK)
        return dt_new_file_publish(&sink->file, true, error);
    dt_new_file_discard(&sink->file);
    return status;
}

static void print_real(FILE *stream, double value, int digits)
{
    if (isnan(value))
        fputs("nan", stream);
    else
        fprintf(stream, "%.*g", digits, value);
}

/* Integers of any width, widened. */
static int64_t whole_number(const dt_capture_dataset *set, const void *number)
{
    int64_t value = 0;
    int8_t one;
    int16_t two;
    int32_t four;
    memcpy(&value, number, (size_t)set->element); /* right as it is without a sign, on little-endian machines */
    if (set->has_sign && set->element == 1)
        return memcpy(&one, number, 1), one;
    if (set->has_sign && set->element == 2)
        return memcpy(&two, number, 2), two;
    if (set->has_sign && set->element == 4)
        return memcpy(&four, number, 4), four;
    return value;
}

void dt_sink_number(dt_sink *sink, const dt_capture_dataset *set, const void *number)
{
    float single;
    double twice;
    if (!set->real) {
        fprintf(sink->stream, set->has_sign ? "%" PRId64 : "%" PRIu64, whole_number(set, number));
    } else if (set->element == 4) {
        memcpy(&single, number, sizeof single);
        print_real(sink->stream, (double)single, 9);
    } else {
        memcpy(&twice, number, sizeof twice);
        print_real(sink->stream, twice, 17);
    }
}

/* --- selections --- */

/* A whole number at *text, which moves past it; `otherwise` where there is none. */
static bool take_number(const char **text, int64_t otherwise, int64_t *value)
{
    char *end;
    *value = otherwise;
    if (**text < '0' || **text > '9')
        return true;
    errno = 0;
    *value = strtoll(*text, &end, 10);
    *text = end;
    return errno == 0;
}

dt_status dt_ranges_parse(dt_ranges *ranges, const char *option, const char *text, dt_error *error)
{
    ranges->count = 0;
    for (const char *at = text; at && ranges->count < DT_RANGES_MAX; at++) {
        int64_t *first = &ranges->first[ranges->count], *last = &ranges->last[ranges->count];
        const char *from = at;
        bool good = take_number(&at, 0, first) && (*at == ':' || at > from);
        *last = *first;
        if (good && *at == ':') {
            at++;
            good = take_number(&at, INT64_MAX, last) && *last >= *first;
        }
        if (!good || (*at && *at != ','))
            break;
        ranges->count++;
        if (!*at)
            return DT_OK;
    }
    if (!text)
        return DT_OK;
    return dt_fail(
        error, DT_INVALID,
        "option --%s: '%.60s' is no list of whole numbers and ranges (at most %d); write 3,17 or 0:99 or 100:", option,
        text, DT_RANGES_MAX);
}

bool dt_ranges_have(const dt_ranges *ranges, int64_t n)
{
    for (int i = 0; i < ranges->count; i++)
        if (n >= ranges->first[i] && n <= ranges->last[i])
            return true;
    return ranges->count == 0;
}

dt_status dt_capture_number(const dt_arguments *arguments, const char *option, int64_t *value, dt_error *error)
{
    const char *text = dt_argument(arguments, option), *at = text;
    if (!text)
        return dt_fail(error, DT_INVALID, "deltoid capture %s needs --%s", arguments->positional[0], option);
    if (take_number(&at, -1, value) && at > text && !*at)
        return DT_OK;
    return dt_fail(error, DT_INVALID, "option --%s: '%.60s' is no whole number from 0 on", option, text);
}

int64_t dt_steps_place(const int64_t *steps, int64_t count, int64_t step)
{
    int64_t low = 0, high = count;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (steps[middle] < step)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
