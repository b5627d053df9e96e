/* Numbers for people. Each writes to the caller's buffer and returns it. */
#ifndef DT_CLI_FORMAT_H
#define DT_CLI_FORMAT_H

#include <stdint.h>

enum { DT_FORMAT_SIZE = 32 };

const char *dt_format_count(int64_t n, char out[DT_FORMAT_SIZE]);      /* 60,000 */
const char *dt_format_bytes(uint64_t bytes, char out[DT_FORMAT_SIZE]); /* 1.5 MiB */
const char *dt_format_duration(double seconds,
                               char out[DT_FORMAT_SIZE]); /* 1:05, 2:03:04; -:-- where it is not known */

#endif
