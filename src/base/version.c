#include "deltoid/version.h"

const char *dt_version(void)
{
    return DT_VERSION;
}
