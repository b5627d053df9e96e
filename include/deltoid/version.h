/* The version of the library. */
#ifndef DELTOID_VERSION_H
#define DELTOID_VERSION_H

#pragma GCC visibility push(default)

#define DT_VERSION "0.1.0"

/* The version the library was built as. */
const char *dt_version(void);

#pragma GCC visibility pop

#endif
