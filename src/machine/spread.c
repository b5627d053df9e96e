/* Where the readings of a machine disagree most. */
#include <stdio.h>

#include "deltoid/machine.h"

typedef struct worst {
    double spread;
    char *what;
    size_t size;
} worst;

static void consider(worst *w, const dt_reading *reading, const char *what, const char *of)
{
    if (reading->runs > 0 && reading->spread > w->spread) {
        w->spread = reading->spread;
        if (w->size)
            snprintf(w->what, w->size, "%s%s", what, of);
    }
}

static void consider_rate(worst *w, const dt_machine_rate *rate, const char *what)
{
    consider(w, &rate->one, what, ", one core");
    consider(w, &rate->all, what, ", all workers");
}

double dt_machine_worst_spread(const dt_machine *machine, char *what, size_t size)
{
    static const char *const precisions[DT_MACHINE_PRECISIONS] = {", float32", ", float64"};
    worst w = {0, what, size};
    char name[64];
    if (size)
        *what = '\0';
    consider(&w, &machine->clock, "clock", "");
    for (int p = 0; p < DT_MACHINE_PRECISIONS; p++) {
        snprintf(name, sizeof name, "fused multiply-add%s", precisions[p]);
        consider_rate(&w, &machine->fma[p], name);
        snprintf(name, sizeof name, "product%s", precisions[p]);
        consider_rate(&w, &machine->product[p], name);
    }
    for (int i = 0; i < machine->memory_count; i++) {
        const dt_machine_memory *memory = &machine->memory[i];
        char level[32] = "memory";
        if (memory->level)
            snprintf(level, sizeof level, "L%d", memory->level);
        snprintf(name, sizeof name, "%s read", level);
        consider_rate(&w, &memory->read, name);
        snprintf(name, sizeof name, "%s triad", level);
        consider_rate(&w, &memory->triad, name);
    }
    for (int i = 0; i < machine->barrier_count; i++) {
        snprintf(name, sizeof name, "barrier of %lld workers", (long long)machine->barriers[i].workers);
        consider(&w, &machine->barriers[i].ns, name, "");
    }
    for (int i = 0; i < machine->exchange_count; i++) {
        snprintf(name, sizeof name, "lines of L%d", machine->exchange[i].level);
        consider(&w, &machine->exchange[i].read, name, " that another core wrote");
        consider(&w, &machine->exchange[i].write, name, " that another core read");
    }
    return w.spread;
}
