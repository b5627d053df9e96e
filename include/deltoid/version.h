/* The version of the library. */
#ifndef DELTOID_VERSION_H
#define DELTOID_VERSION_H

#define DT_VERSION "0.1.0"

/* The version the library was built as. */
const char *dt_version(void);

#endif
