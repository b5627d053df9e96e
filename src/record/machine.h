/* The machine and the process's place on it, as members of a JSON object: name, system, processor, topology, memory,
 * affinity. */
#ifndef DT_RECORD_MACHINE_H
#define DT_RECORD_MACHINE_H

#include "deltoid/trainer.h"
#include "record/json.h"

/* Adds "machine": {...}. What can't be found out is null. */
void dt_machine_json(dt_json *json);

/* What provenance.json of a run and of a study have in common (provenance.c): adds "deltoid" and "libraries", what was
 * built with what; and "environment", the settings that can change how a program goes; the data sets as "data". */
void dt_build_json(dt_json *json);
void dt_environment_json(dt_json *json);
void dt_data_json(dt_json *json, const dt_experiment *experiment, const dt_trainer_data *data,
                  const dt_trainer_info *info);

/* A time in UTC, by ISO 8601. */
void dt_time_json(dt_json *json, const char *key, int64_t seconds);

#endif
