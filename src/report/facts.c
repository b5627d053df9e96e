#include "report/facts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PATH_MAX_BYTES = 512 };

const char *dt_facts_find(const dt_facts *facts, const char *path, ...)
{
    char wanted[PATH_MAX_BYTES];
    va_list arguments;
    va_start(arguments, path);
    vsnprintf(wanted, sizeof wanted, path, arguments);
    va_end(arguments);
    for (size_t i = 0; i < facts->count; i++)
        if (strcmp(facts->facts[i].path, wanted) == 0)
            return facts->facts[i].value;
    return "";
}
