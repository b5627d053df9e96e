#include "cli/strategy.h"

#include <inttypes.h>

bool dt_strategy_is_special(const dt_trainer_info *info)
{
    return *info->choice || !info->deterministic || info->groups < info->workers;
}

void dt_strategy_add(dt_text *text, const dt_trainer_info *info)
{
    dt_text_add(text, "%s", info->reduction);
    if (info->groups < info->workers)
        dt_text_add(text, ", %" PRId64 " group%s of %" PRId64 " workers", info->groups, info->groups > 1 ? "s" : "",
                    info->workers);
    if (*info->choice)
        dt_text_add(text, " (auto: %s)", info->choice);
    if (!info->deterministic)
        dt_text_add(text, ": not reproducible, another run gives other bits");
}
