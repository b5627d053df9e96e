#include "deltoid/status.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *text;
    int exit_status;
} statuses[] = {
#define DT_STATUS_ROW(name, exit_status, text) [name] = {text, exit_status},
    DT_STATUS_LIST(DT_STATUS_ROW)
#undef DT_STATUS_ROW
};

enum { STATUSES = sizeof statuses / sizeof *statuses };

const char *dt_status_text(dt_status status)
{
    return (unsigned)status < STATUSES ? statuses[status].text : "unknown status";
}

int dt_status_exit(dt_status status)
{
    return (unsigned)status < STATUSES ? statuses[status].exit_status : 3;
}

void dt_error_clear(dt_error *error)
{
    if (!error)
        return;
    error->status = DT_OK;
    error->message[0] = '\0';
}

static void mask_controls(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

dt_status dt_fail_v(dt_error *error, dt_status status, const char *format, va_list arguments)
{
    if (!error || error->status != DT_OK)
        return status;
    error->status = status;
    vsnprintf(error->message, sizeof error->message, format, arguments);
    mask_controls(error->message);
    return status;
}

dt_status dt_fail(dt_error *error, dt_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    dt_fail_v(error, status, format, arguments);
    va_end(arguments);
    return status;
}

void dt_error_prefix(dt_error *error, const char *prefix)
{
    if (!error || error->status == DT_OK)
        return;
    char old[DT_MESSAGE_SIZE];
    memcpy(old, error->message, sizeof old);
    int n = snprintf(error->message, sizeof error->message, "%s: ", prefix);
    if (n < 0 || (size_t)n >= sizeof error->message)
        return;
    size_t room = sizeof error->message - (size_t)n - 1, length = strlen(old);
    if (length > room)
        length = room;
    memcpy(error->message + n, old, length);
    error->message[(size_t)n + length] = '\0';
    mask_controls(error->message);
}
