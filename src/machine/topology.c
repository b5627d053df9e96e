#include "deltoid/machine.h"

#include <hwloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/processors.h"

/* The first line of a file, without its end; false where there is none. */
static bool first_line(const char *path, char *line, size_t size)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    const bool read = fgets(line, (int)size, file) != NULL;
    fclose(file);
    if (read)
        line[strcspn(line, "\n")] = '\0';
    return read;
}

/* The value of the first line "key : value" of /proc/cpuinfo. */
static bool cpuinfo(const char *key, char *value, size_t size)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[512];
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (!colon || strncmp(line, key, strlen(key)) != 0)
            continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(value, size, "%s", colon + 1 + strspn(colon + 1, " "));
        found = true;
    }
    if (file)
        fclose(file);
    return found;
}

static void read_processor(dt_machine_topology *t, hwloc_topology_t topology)
{
    if (cpuinfo("model name", t->processor, sizeof t->processor))
        return;
    hwloc_obj_t package = topology ? hwloc_get_obj_by_type(topology, HWLOC_OBJ_PACKAGE, 0) : NULL;
    const char *known = package ? hwloc_obj_get_info_by_name(package, "CPUModel") : NULL;
    if (known)
        snprintf(t->processor, sizeof t->processor, "%s", known);
}

static void read_clock(dt_machine_topology *t)
{
    char text[64];
    if (first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", text, sizeof text))
        t->mhz = strtod(text, NULL) / 1000;
    else if (cpuinfo("cpu MHz", text, sizeof text))
        t->mhz = strtod(text, NULL);
    if (!(t->mhz > 0 && t->mhz < 1e6))
        t->mhz = 0;
}

static void read_huge_pages(dt_machine_topology *t)
{
    char text[128], *open, *close;
    if (first_line("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof text) && (open = strchr(text, '[')) &&
        (close = strchr(open, ']'))) {
        *close = '\0';
        snprintf(t->huge_pages, sizeof t->huge_pages, "%.31s", open + 1);
    }
    if (first_line("/proc/sys/vm/nr_hugepages", text, sizeof text))
        t->huge_reserved = strtoll(text, NULL, 10);
}

static int64_t count(hwloc_topology_t topology, hwloc_obj_type_t type)
{
    const int objects = hwloc_get_nbobjs_by_type(topology, type);
    return objects > 0 ? objects : 0;
}

static void read_caches(dt_machine_topology *t, hwloc_topology_t topology)
{
    static const hwloc_obj_type_t types[DT_MACHINE_CACHES_MAX] = {HWLOC_OBJ_L1CACHE, HWLOC_OBJ_L2CACHE,
                                                                  HWLOC_OBJ_L3CACHE, HWLOC_OBJ_L4CACHE};
    for (int i = 0; i < DT_MACHINE_CACHES_MAX; i++) {
        hwloc_obj_t cache = hwloc_get_obj_by_type(topology, types[i], 0);
        if (cache)
            t->caches[t->cache_count++] = (dt_machine_cache){
                .level = (int)cache->attr->cache.depth,
                .bytes = (int64_t)cache->attr->cache.size,
                .line_bytes = (int64_t)cache->attr->cache.linesize,
                .count = count(topology, types[i]),
            };
    }
}

static void read_affinity(dt_machine_topology *t, hwloc_topology_t topology)
{
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    if (set && hwloc_get_cpubind(topology, set, HWLOC_CPUBIND_THREAD) == 0 &&
        hwloc_bitmap_list_snprintf(t->affinity, sizeof t->affinity, set) < 0)
        t->affinity[0] = '\0';
    hwloc_bitmap_free(set);
}

/* The caller destroys it; NULL where there is none. */
static hwloc_topology_t load(void)
{
    hwloc_topology_t t = NULL;
    if (hwloc_topology_init(&t) != 0)
        return NULL;
    /* A container or a chroot may lack sysfs, of which hwloc complains on stderr: there the processor itself is asked.
     */
    if (access("/sys/devices/system/cpu", R_OK | X_OK) != 0)
        (void)hwloc_topology_set_components(t, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, "linux");
    if (hwloc_topology_load(t) == 0)
        return t;
    hwloc_topology_destroy(t);
    return NULL;
}

/* ",{0,4}" of a core's processors that are in the set; nothing where none is. */
static void add_core(char *text, size_t size, size_t *used, hwloc_obj_t core, hwloc_const_bitmap_t usable)
{
    const size_t begin = *used;
    for (int pu = hwloc_bitmap_first(core->cpuset); pu >= 0; pu = hwloc_bitmap_next(core->cpuset, pu))
        if (hwloc_bitmap_isset(usable, (unsigned)pu) && *used < size)
            *used += (size_t)snprintf(text + *used, size - *used, "%s%d", *used > begin ? "," : begin ? ",{" : "{", pu);
    if (*used > begin && *used < size)
        *used += (size_t)snprintf(text + *used, size - *used, "}");
}

bool dt_machine_places(char *text, size_t size)
{
    hwloc_topology_t t = load();
    hwloc_bitmap_t usable = t ? hwloc_bitmap_alloc() : NULL;
    size_t used = 0;
    if (usable && hwloc_get_cpubind(t, usable, HWLOC_CPUBIND_THREAD) == 0)
        for (hwloc_obj_t core = NULL; (core = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_CORE, core));)
            add_core(text, size, &used, core, usable);
    hwloc_bitmap_free(usable);
    if (t)
        hwloc_topology_destroy(t);
    return used > 0 && used < size;
}

void dt_machine_topology_read(dt_machine_topology *topology)
{
    *topology = (dt_machine_topology){.processor = ""};
    hwloc_topology_t t = load();
    read_processor(topology, t);
    read_clock(topology);
    read_huge_pages(topology);
    if (!t)
        return;
    topology->packages = count(t, HWLOC_OBJ_PACKAGE);
    topology->cores = count(t, HWLOC_OBJ_CORE);
    topology->pus = count(t, HWLOC_OBJ_PU);
    topology->numa_nodes = count(t, HWLOC_OBJ_NUMANODE);
    topology->memory_bytes = (int64_t)hwloc_get_root_obj(t)->total_memory;
    read_caches(topology, t);
    read_affinity(topology, t);
    hwloc_topology_destroy(t);
}
