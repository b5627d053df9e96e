#include "data/source.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

/* Where the array's name begins in FILE:/NAME: the ':'. */
static const char *colon_of(const char *which, const char *ending)
{
    const char *found = NULL;
    for (const char *at = strstr(which, ending ? ending : ":/"); at; at = strstr(at + 1, ending ? ending : ":/")) {
        const char *colon = ending ? at + strlen(ending) : at;
        if (*colon == ':')
            found = colon;
    }
    return found;
}

dt_status dt_array_name_make(dt_array_name *name, const dt_source *source, const char *which, const char *ending,
                             dt_error *error)
{
    const char *colon = source->file ? NULL : colon_of(which, ending);
    *name = (dt_array_name){.text = NULL};
    name->text = dt_duplicate(which);
    if (source->file) {
        const size_t size = strlen(source->file) + strlen(which) + 2;
        dt_release(name->text);
        name->text = dt_allocate(size, 1);
        if (name->text)
            snprintf(name->text, size, "%s:%s", source->file, which);
        colon = name->text ? name->text + strlen(source->file) : NULL;
    } else if (colon && name->text) {
        colon = name->text + (colon - which);
    }
    name->file = name->text ? dt_duplicate(name->text) : NULL;
    if (!name->file)
        return dt_fail_memory(error, "a file name");
    if (!colon)
        return DT_OK;
    name->file[colon - name->text] = '\0';
    name->array = colon + 1 + (colon[1] == '/');
    return *name->array && *name->file ? DT_OK
                                       : dt_fail(error, DT_INVALID, "%s: names no array; write FILE:/NAME", name->text);
}

void dt_array_name_clear(dt_array_name *name)
{
    dt_release(name->text);
    dt_release(name->file);
    *name = (dt_array_name){.text = NULL};
}
