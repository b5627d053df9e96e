/* A study in formats of other tools, made anew from its tables whenever it ends:
 *
 *     study.h5       every table as a group, every column as a data set with long_name and units: h5py, xarray, netCDF4
 *     samples.jsonl  an object a sample, with its point's levels: pandas.read_json(lines=True), jq
 *     extrap.jsonl, extrap.txt
 *                    Extra-P's input (Calotoiu et al., "Using automated performance modeling to find scalability bugs
 *                    in complex codes", SC'13), in its JSON-lines and its text format as
 *                    https://github.com/extra-p/extrap/blob/master/docs/file-formats.md describes them: a value a visit
 *                    that counts, of the step and of each of its phases
 */
#ifndef DT_STUDY_EXPORT_H
#define DT_STUDY_EXPORT_H

#include "study/record.h"

/* All of them into the study's folder; what was there is replaced. `study_text` and `provenance` (JSON) become
 * attributes of study.h5. DT_IO, DT_NO_MEMORY. */
dt_status dt_study_export(const dt_study *study, const char *folder, const char *study_text, const char *provenance,
                          dt_error *error);

/* One each, to `path`. */
dt_status dt_study_export_tables(const dt_study *study, const char *path, const char *study_text,
                                 const char *provenance, dt_error *error);
dt_status dt_study_export_samples(const dt_study *study, const char *path, dt_error *error);

/* Coordinates are the workers, as parameter p, and the factors whose levels are numbers; the levels of the others begin
 * the call path, as "W1->tree->step->forward". Oversubscribed points are left out. Extra-P wants each
 * call path at each of its coordinates: coordinates that a step is missing at (its visits were disturbed), and phases
 * that some of the rest don't have, are left out. */
dt_status dt_study_export_extrap(const dt_study *study, const char *jsonl, const char *text, dt_error *error);

#endif
