/* The machine and the process's place on it, as members of a JSON object: name, system, processor, topology, memory,
 * affinity. */
#ifndef DT_RECORD_MACHINE_H
#define DT_RECORD_MACHINE_H

#include "record/json.h"

/* Adds "machine": {...}. What can't be found out is null. */
void dt_machine_json(dt_json *json);

#endif
