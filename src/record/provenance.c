/* provenance.json: with what, where and from what a run was made. Every string in it comes from outside and is escaped
 * by json.c. */
#include <float.h>
#include <hwloc.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#include "base/memory.h"
#include "data/stream.h"
#include "deltoid/interchange.h"
#include "deltoid/record.h"
#include "deltoid/version.h"
#include "hdf5/hdf5.h"
#include "parallel/team.h"
#include "record/build_info.h"
#include "record/json.h"
#include "record/machine.h"
#include "record/sha256.h"

extern char **environ;

static void put_build(dt_json *json)
{
    dt_json_open(json, "deltoid");
    dt_json_text(json, "version", dt_version());
    dt_json_text(json, "git_commit", DT_BUILD_COMMIT);
    dt_json_text(json, "compiler", DT_BUILD_COMPILER);
    dt_json_text(json, "flags", DT_BUILD_FLAGS);
    dt_json_text(json, "build_type", DT_BUILD_TYPE);
    dt_json_close(json);
}

static void put_libraries(dt_json *json)
{
    unsigned major = 0, minor = 0, release = 0, hwloc = hwloc_get_api_version();
    char text[64];
    dt_hdf5_enter();
    (void)H5get_libversion(&major, &minor, &release);
    dt_hdf5_leave();

    dt_json_open(json, "libraries");
    snprintf(text, sizeof text, "%u.%u.%u", major, minor, release);
    dt_json_text(json, "hdf5", text);
    dt_json_text(json, "openmp", DT_BUILD_OPENMP); /* the date of the specification, as in _OPENMP */
    snprintf(text, sizeof text, "%u.%u.%u", hwloc >> 16, hwloc >> 8 & 0xff, hwloc & 0xff);
    dt_json_text(json, "hwloc", text);
    dt_json_text(json, "openssl", OpenSSL_version(OPENSSL_VERSION));
    dt_json_text(json, "libfyaml", DT_BUILD_LIBFYAML);
#ifdef __GLIBC__
    dt_json_text(json, "glibc", gnu_get_libc_version());
#endif
    dt_json_close(json);
}

void dt_build_json(dt_json *json)
{
    put_build(json);
    put_libraries(json);
}

/* The settings of the environment that can change how a run goes. */
void dt_environment_json(dt_json *json)
{
    static const char *const prefixes[] = {"OMP_", "GOMP_", "KMP_", "LIBOMP_", "DELTOID_", "HDF5_", "HWLOC_"};
    dt_json_open(json, "environment");
    for (char **setting = environ; setting && *setting; setting++) {
        const char *value = strchr(*setting, '=');
        char name[64];
        for (size_t i = 0; value && i < sizeof prefixes / sizeof *prefixes; i++) {
            if (strncmp(*setting, prefixes[i], strlen(prefixes[i])) != 0 || (size_t)(value - *setting) >= sizeof name)
                continue;
            snprintf(name, sizeof name, "%.*s", (int)(value - *setting), *setting);
            dt_json_text(json, name, value + 1);
        }
    }
    dt_json_close(json);
}

typedef struct denormals {
    bool flushed, are_zero;
} denormals;

/* On a worker: does a product that is a denormal number become 0, and does a denormal operand count as 0? */
static void try_denormals(dt_worker *worker, void *context)
{
    denormals *found = context;
    volatile double smallest = DBL_MIN, half = 0.5, denormal = DBL_TRUE_MIN, huge = 0x1p1000;
    found->flushed = smallest * half == 0;
    found->are_zero = denormal * huge == 0;
    (void)worker;
}

static void put_denormals(dt_json *json)
{
    dt_team *team;
    denormals found;
    if (dt_team_create(&team, 1, NULL) != DT_OK) {
        dt_json_text(json, "denormals", NULL);
        return;
    }
    dt_team_run(team, try_denormals, &found);
    dt_team_destroy(team);
    dt_json_open(json, "denormals");
    dt_json_truth(json, "flushed_to_zero", found.flushed);
    dt_json_truth(json, "taken_as_zero", found.are_zero);
    dt_json_close(json);
}

bool dt_sessions_deterministic(const dt_session *sessions, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (sessions[i].racing)
            return false;
    return true;
}

static void put_parallel(dt_json *json, const dt_trainer_info *info, bool deterministic)
{
    dt_json_open(json, "parallel");
    dt_json_integer(json, "threads", info->workers);
    dt_json_integer(json, "shard_size", info->shard_size);
    dt_json_integer(json, "shards", info->shards);
    dt_json_text(json, "reduction", info->reduction);
    if (*info->choice)
        dt_json_text(json, "choice", info->choice);
    dt_json_integer(json, "groups", info->groups);
    dt_json_truth(json, "deterministic", deterministic);
    if (!deterministic)
        dt_json_text(json, "note", "not reproducible: another run gives other bits");
    dt_json_text(json, "instruction_set", info->isa);
    put_denormals(json);
    dt_environment_json(json);
    dt_json_close(json);
}

static const char *or_null(const char *text)
{
    return text && text[0] ? text : NULL;
}

static void put_data_set(dt_json *json, const char *key, const dt_dataset *data, const dt_source *source)
{
    if (!data)
        return;
    dt_json_open(json, key);
    if (source->file)
        dt_json_text(json, "file", source->file);
    dt_json_text(json, "inputs", source->inputs);
    dt_json_text(json, "inputs_sha256", or_null(data->inputs_sha256));
    dt_json_text(json, "labels", source->labels);
    dt_json_text(json, "labels_sha256", or_null(data->labels_sha256));
    dt_json_integer(json, "rows", data->rows);
    dt_json_integer(json, "features", data->features);
    dt_json_integer(json, "classes", data->classes);
    dt_json_close(json);
}

void dt_data_json(dt_json *json, const dt_experiment *experiment, const dt_trainer_data *data,
                  const dt_trainer_info *info)
{
    dt_json_open(json, "data");
    if (data) {
        put_data_set(json, "train", data->train, &experiment->data.train);
        put_data_set(json, "validation", data->validation, &experiment->data.validation);
        put_data_set(json, "test", data->test, &experiment->data.test);
    }
    dt_json_integer(json, "train_rows", info->train_rows);
    dt_json_integer(json, "validation_rows", info->validation_rows);
    dt_json_close(json);
}

/* A file that isn't there any more, as after a run that goes on, has no hash. */
static void put_initial_weights(dt_json *json, const dt_experiment *experiment)
{
    const char *file;
    int64_t layer;
    if (!dt_weights_file(experiment, 0, &layer))
        return;
    dt_json_open_list(json, "initial_weights");
    for (size_t i = 0; (file = dt_weights_file(experiment, i, &layer)); i++) {
        char sha256[65];
        dt_json_open(json, NULL);
        if (layer)
            dt_json_integer(json, "layer", layer);
        dt_json_text(json, "file", file);
        dt_json_text(json, "sha256", dt_stream_hash_file(file, sha256, NULL) == DT_OK ? sha256 : NULL);
        dt_json_close(json);
    }
    dt_json_close(json);
}

void dt_time_json(dt_json *json, const char *key, int64_t seconds)
{
    const time_t when = (time_t)seconds;
    char text[32];
    struct tm parts;
    bool known = gmtime_r(&when, &parts) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) > 0;
    dt_json_text(json, key, known ? text : NULL);
}

void dt_session_now(dt_session *session, const dt_trainer *trainer)
{
    dt_trainer_info info;
    dt_trainer_describe(trainer, &info);
    *session = (dt_session){.started = (int64_t)time(NULL),
                            .from_step = dt_trainer_step(trainer),
                            .threads = info.workers,
                            .racing = !info.deterministic};
    snprintf(session->reduction, sizeof session->reduction, "%s", info.reduction);
    if (gethostname(session->host, sizeof session->host - 1) != 0)
        session->host[0] = '\0';
}

static void put_sessions(dt_json *json, const dt_session *sessions, size_t count)
{
    dt_json_open_list(json, "sessions");
    for (size_t i = 0; i < count; i++) {
        dt_json_open(json, NULL);
        dt_time_json(json, "started", sessions[i].started);
        dt_json_text(json, "host", or_null(sessions[i].host));
        dt_json_integer(json, "threads", sessions[i].threads);
        dt_json_integer(json, "from_step", sessions[i].from_step);
        dt_json_text(json, "reduction", or_null(sessions[i].reduction));
        dt_json_truth(json, "deterministic", !sessions[i].racing);
        dt_json_close(json);
    }
    dt_json_close(json);
}

dt_status dt_provenance_json(char **json, const dt_trainer *trainer, const dt_trainer_data *data,
                             const char *experiment_text, bool final, dt_error *error)
{
    return dt_provenance_json_of(json, trainer, data, experiment_text, NULL, 0, final, error);
}

dt_status dt_provenance_json_of(char **json, const dt_trainer *trainer, const dt_trainer_data *data,
                                const char *experiment_text, const dt_session *sessions, size_t count, bool final,
                                dt_error *error)
{
    const dt_experiment *experiment = dt_trainer_experiment(trainer);
    dt_trainer_info info;
    char experiment_sha256[65], weights_sha256[65];
    *json = NULL;
    dt_trainer_describe(trainer, &info);
    dt_status status = dt_sha256(&(dt_bytes){experiment_text, strlen(experiment_text)}, 1, experiment_sha256, error);
    if (status == DT_OK && final)
        status = dt_trainer_weights_sha256(trainer, weights_sha256, error);
    if (status != DT_OK)
        return status;

    dt_json out = {0};
    dt_json_open(&out, NULL);
    dt_json_text(&out, "name", experiment->name);
    dt_json_text(&out, "experiment_sha256", experiment_sha256);
    dt_time_json(&out, "started", count ? sessions[0].started : info.created);
    if (count)
        put_sessions(&out, sessions, count);
    if (final) {
        dt_time_json(&out, "finished", (int64_t)time(NULL));
        dt_json_integer(&out, "steps", dt_trainer_step(trainer));
        dt_json_text(&out, "weights_sha256", weights_sha256);
    }
    dt_data_json(&out, experiment, data, &info);
    put_initial_weights(&out, experiment);
    dt_build_json(&out);
    put_parallel(&out, &info, info.deterministic && dt_sessions_deterministic(sessions, count));
    dt_machine_json(&out);
    dt_json_close(&out);
    return dt_json_finish(&out, json, error);
}

void dt_text_release(char *text)
{
    dt_release(text);
}
