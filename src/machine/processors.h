/* The system's processors that threads may run on, by number. */
#ifndef DT_MACHINE_PROCESSORS_H
#define DT_MACHINE_PROCESSORS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum { DT_PROCESSORS_MAX = 8192 };

/* Which of them; several threads may mark one set. Zero-initialise. */
typedef struct dt_processor_set {
    atomic_bool has[DT_PROCESSORS_MAX];
} dt_processor_set;

/* Adds those that the calling thread may use; or another one, by the system's number of it. */
void dt_processors_mark(dt_processor_set *set);
void dt_processors_mark_thread(dt_processor_set *set, int thread);

/* Adds those that one or other thread of this process may use. */
void dt_processors_mark_process(dt_processor_set *set);

/* Processors that two threads of this process run on: the first that the calling one may use, and the first of the
 * others', which for bound workers is the next worker's. Both the same where there is one alone. */
void dt_processors_of_two(int *first, int *second);

int dt_processors_count(const dt_processor_set *set);

/* The first `most` numbers at or after `from`, ascending. Returns how many there are. */
int dt_processors_list(const dt_processor_set *set, int from, int most, int *numbers);

/* "0-3,8"; shortened to what `size` has room for. */
void dt_processors_text(const dt_processor_set *set, char *text, size_t size);

/* A thread of these attributes will run on that processor alone. False where it can't be said so. */
bool dt_processors_pin(pthread_attr_t *attributes, int number);

/* The cores that the calling thread may use, in the order in which hwloc finds them: neighbours share caches and
 * memory. As OpenMP writes places (OMP_PLACES): "{0,4},{1,5}", each core with its hardware threads. False where the
 * system doesn't tell, or `size` is too small. */
bool dt_machine_places(char *text, size_t size);

#endif
