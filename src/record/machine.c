#include "record/machine.h"

#include <hwloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The processor's name: from /proc/cpuinfo, else as hwloc knows it. False where neither does. */
static bool processor_name(hwloc_topology_t topology, char *name, size_t size)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[512];
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (!colon || strncmp(line, "model name", 10) != 0)
            continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(name, size, "%s", colon + 1 + strspn(colon + 1, " "));
        found = true;
    }
    if (file)
        fclose(file);
    hwloc_obj_t package = found || !topology ? NULL : hwloc_get_obj_by_type(topology, HWLOC_OBJ_PACKAGE, 0);
    const char *known = package ? hwloc_obj_get_info_by_name(package, "CPUModel") : NULL;
    if (known)
        snprintf(name, size, "%s", known);
    return found || known;
}

static void put_count(dt_json *json, const char *key, hwloc_topology_t topology, hwloc_obj_type_t type)
{
    dt_json_integer(json, key, hwloc_get_nbobjs_by_type(topology, type));
}

static void put_caches(dt_json *json, hwloc_topology_t topology)
{
    static const hwloc_obj_type_t types[] = {HWLOC_OBJ_L1CACHE, HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L3CACHE,
                                             HWLOC_OBJ_L4CACHE};
    dt_json_open_list(json, "caches");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        hwloc_obj_t cache = hwloc_get_obj_by_type(topology, types[i], 0);
        if (!cache)
            continue;
        dt_json_open(json, NULL);
        dt_json_integer(json, "level", (int64_t)cache->attr->cache.depth);
        dt_json_integer(json, "bytes", (int64_t)cache->attr->cache.size);
        dt_json_integer(json, "line_bytes", (int64_t)cache->attr->cache.linesize);
        put_count(json, "count", topology, types[i]);
        dt_json_close(json);
    }
    dt_json_close(json);
}

/* The processors (PU numbers of the system) that the calling thread may run on: "0-3,8". */
static void put_affinity(dt_json *json, hwloc_topology_t topology)
{
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    char *list = NULL;
    if (set && hwloc_get_cpubind(topology, set, HWLOC_CPUBIND_THREAD) == 0 &&
        hwloc_bitmap_list_asprintf(&list, set) < 0)
        list = NULL;
    dt_json_text(json, "affinity", list);
    free(list);
    hwloc_bitmap_free(set);
}

static void put_topology(dt_json *json, hwloc_topology_t topology)
{
    put_count(json, "packages", topology, HWLOC_OBJ_PACKAGE);
    put_count(json, "cores", topology, HWLOC_OBJ_CORE);
    put_count(json, "pus", topology, HWLOC_OBJ_PU);
    put_count(json, "numa_nodes", topology, HWLOC_OBJ_NUMANODE);
    dt_json_integer(json, "memory_bytes", (int64_t)hwloc_get_root_obj(topology)->total_memory);
    put_caches(json, topology);
    put_affinity(json, topology);
}

/* NULL where hwloc finds nothing. A container or a chroot may lack sysfs, of which hwloc complains on stderr: there the
 * processor itself is asked. */
static hwloc_topology_t load_topology(void)
{
    hwloc_topology_t topology = NULL;
    if (hwloc_topology_init(&topology) != 0)
        return NULL;
    if (access("/sys/devices/system/cpu", R_OK | X_OK) != 0)
        (void)hwloc_topology_set_components(topology, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, "linux");
    if (hwloc_topology_load(topology) == 0)
        return topology;
    hwloc_topology_destroy(topology);
    return NULL;
}

void dt_machine_json(dt_json *json)
{
    char name[512] = "";
    struct utsname system;
    hwloc_topology_t topology = load_topology();

    dt_json_open(json, "machine");
    dt_json_text(json, "hostname", gethostname(name, sizeof name - 1) == 0 ? name : NULL);
    if (uname(&system) == 0) {
        dt_json_text(json, "system", system.sysname);
        dt_json_text(json, "release", system.release);
        dt_json_text(json, "architecture", system.machine);
    }
    dt_json_text(json, "processor", processor_name(topology, name, sizeof name) ? name : NULL);
    if (topology) {
        put_topology(json, topology);
        hwloc_topology_destroy(topology);
    }
    dt_json_close(json);
}
