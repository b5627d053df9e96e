#include "record/machine.h"

#include <sys/utsname.h>
#include <unistd.h>

#include "deltoid/machine.h"

static void put_caches(dt_json *json, const dt_machine_topology *topology)
{
    dt_json_open_list(json, "caches");
    for (int i = 0; i < topology->cache_count; i++) {
        const dt_machine_cache *cache = &topology->caches[i];
        dt_json_open(json, NULL);
        dt_json_integer(json, "level", cache->level);
        dt_json_integer(json, "bytes", cache->bytes);
        dt_json_integer(json, "line_bytes", cache->line_bytes);
        dt_json_integer(json, "count", cache->count);
        dt_json_close(json);
    }
    dt_json_close(json);
}

/* A text that is not known is null. */
static void put_known(dt_json *json, const char *key, const char *text)
{
    dt_json_text(json, key, *text ? text : NULL);
}

static void put_topology(dt_json *json, const dt_machine_topology *topology)
{
    put_known(json, "processor", topology->processor);
    dt_json_integer(json, "packages", topology->packages);
    dt_json_integer(json, "cores", topology->cores);
    dt_json_integer(json, "pus", topology->pus);
    dt_json_integer(json, "numa_nodes", topology->numa_nodes);
    dt_json_integer(json, "memory_bytes", topology->memory_bytes);
    put_caches(json, topology);
    put_known(json, "affinity", topology->affinity);
}

void dt_machine_json(dt_json *json)
{
    char name[512] = "";
    struct utsname system;
    dt_machine_topology topology;
    dt_machine_topology_read(&topology);

    dt_json_open(json, "machine");
    dt_json_text(json, "hostname", gethostname(name, sizeof name - 1) == 0 ? name : NULL);
    if (uname(&system) == 0) {
        dt_json_text(json, "system", system.sysname);
        dt_json_text(json, "release", system.release);
        dt_json_text(json, "architecture", system.machine);
    }
    put_topology(json, &topology);
    dt_json_close(json);
}
