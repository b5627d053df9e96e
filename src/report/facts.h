/* What a file of keys and values says, flat: "network.0.units" is "64". The report compares such lists and looks things
 * up in them; who reads the files (YAML, JSON) is the caller. */
#ifndef DT_REPORT_FACTS_H
#define DT_REPORT_FACTS_H

#include <stddef.h>

typedef struct dt_fact {
    const char *path, *value; /* from outside: may hold anything */
} dt_fact;

/* In the file's order; borrowed. */
typedef struct dt_facts {
    const dt_fact *facts;
    size_t count;
} dt_facts;

/* The value at a path, "" where there is none; the path in printf's way. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
const char *
dt_facts_find(const dt_facts *facts, const char *path, ...);

#endif
